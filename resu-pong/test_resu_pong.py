"""Tests of resu_pong and its study: the algebra against closed forms, layer 2 on small cases, both
worlds on cases worked by hand, gradients, slow oracles, and the wiring of both programs."""

from dataclasses import replace

import resu_pong as rp
import study_resu_pong as study
from resu_pong import DOWN, NOOP, QUICK, UP, Config
import numpy as np
import pytest

TINY = Config(**QUICK)
ALE = pytest.mark.skipif(rp.ROM is None, reason="ale-py is not installed")


def rng(seed=0):
    return np.random.default_rng(seed)


def silent(fraction, message):
    """Show nothing."""


# ---- canonical correlation ----
def covariances(m=5, h=3):
    z = rng(0).standard_normal((400, m + h)) @ rng(1).standard_normal((m + h, m + h))
    c = z.T @ z / 400
    return c[:m, :m], c[m:, m:], c[m:, :m], z


def test_filters_are_white_and_of_fixed_sign():
    pp, ff, fp, _ = covariances()
    sigma, psi = rp.canonical(pp, ff, fp)
    np.testing.assert_allclose(psi @ pp @ psi.T, np.eye(3), atol=1e-10)
    assert (np.diff(sigma) < 0).all()
    assert all(w[np.abs(w).argmax()] > 0 for w in psi)
    for k, w in enumerate(psi):  # sigma is how well the best read-out of the future fits the unit
        best = fp @ w @ np.linalg.solve(ff, fp @ w)
        assert np.sqrt(best) == pytest.approx(sigma[k])


def test_three_routes_agree_and_units_do_not_matter():
    pp, ff, fp, z = covariances()
    sigma, _ = rp.canonical(pp, ff, fp)
    whiten_p, whiten_f = (np.linalg.inv(np.linalg.cholesky(c)) for c in (pp, ff))
    cholesky = np.linalg.svd(whiten_f @ fp @ whiten_p.T, compute_uv=False)
    by_qr = np.linalg.qr(z[:, 5:])[0].T @ np.linalg.qr(z[:, :5])[0]
    np.testing.assert_allclose(sigma, cholesky, atol=1e-10)
    np.testing.assert_allclose(sigma, np.linalg.svd(by_qr, compute_uv=False), atol=1e-10)
    a = rng(5).standard_normal((5, 5))
    np.testing.assert_allclose(rp.canonical(a @ pp @ a.T, 9 * ff, 3 * fp @ a.T)[0], sigma)


def test_the_floor_is_relative_to_the_largest_eigenvalue():
    for scale in (1.0, 1e6):
        root = rp.inverse_root(np.diag([4.0, 1e-12]) * scale) * np.sqrt(scale)
        np.testing.assert_allclose(root, np.diag([0.5, 500.0]))


# ---- closed forms: x' = a x + w, y = c x + v ----
SYSTEM = (
    np.array([[0.6, 0.6, 0], [-0.6, 0.6, 0], [0, 0, 0.4]]),
    np.diag(np.array([0.17, -0.15, 0.28]) ** 2),
    np.array([0.78, 0.53, 1.0]),
    0.1,
)


def lyapunov(a, q):
    n = len(a)
    return np.linalg.solve(np.eye(n * n) - np.kron(a, a), q.ravel()).reshape(n, n)


def kalman(a, q, c, r):
    """The stationary covariance of the predicted state."""
    predicted = q
    for _ in range(1000):
        gain = np.outer(predicted @ c, c @ predicted) / (c @ predicted @ c + r)
        predicted = a @ (predicted - gain) @ a.T + q
    return predicted


def riccati(a, q, c, r):
    """Correlations of infinite past and future: of a forward and a backward estimate."""
    P = lyapunov(a, q)
    back = P @ a.T @ np.linalg.inv(P)
    forward, B = kalman(a, q, c, r), kalman(back, P - back @ a @ P, c, r)
    backward = B - np.outer(B @ c, c @ B) / (c @ B @ c + r)
    shared = (P - forward) @ np.linalg.inv(P) @ (P - backward) @ np.linalg.inv(P)
    return np.sqrt(np.sort(np.linalg.eigvals(shared).real)[::-1])


def found(a, q, c, r, m):
    """What canonical() makes of the exact covariances of windows of m samples."""
    P, power, acov = lyapunov(a, q), np.eye(len(a)), np.empty(2 * m)
    for k in range(2 * m):
        acov[k], power = c @ power @ P @ c, a @ power
    acov[0] += r
    p, f = -np.arange(m), 1 + np.arange(m)
    return rp.canonical(*(acov[np.abs(i[:, None] - j)] for i, j in ((p, p), (f, f), (f, p))))


def test_a_first_order_process_has_one_correlation():
    for a in (0.5, 0.905):
        one = np.array([[a]]), np.array([[1 - a * a]]), np.ones(1), 0.0
        sigma, _ = found(*one, 25)
        np.testing.assert_allclose(sigma[:2], [a, 0], atol=1e-8)


def test_noise_makes_the_filter_a_geometric_series():
    noisy = np.array([[0.9]]), np.array([[0.19]]), np.ones(1), 0.3
    sigma, psi = found(*noisy, 50)
    assert sigma[0] == pytest.approx(riccati(*noisy)[0]) == pytest.approx(0.7618498593)
    assert psi[0, 1] / psi[0, 0] == pytest.approx(0.4394995309)


def test_three_states_have_three_correlations():
    truth = riccati(*SYSTEM)
    np.testing.assert_allclose(truth, [0.375741260523, 0.221416608901, 0.048458166780], atol=1e-11)
    np.testing.assert_allclose(found(*SYSTEM, 50)[0][:4], [*truth, 0], atol=1e-7)
    assert 1e-4 < np.abs(found(*SYSTEM, 10)[0][:3] - truth).max() < 1e-2  # a short window


# ---- scenes ----
def test_scenes_are_standard_and_smooth():
    scene = rp.dead_leaves(5, rng())
    np.testing.assert_allclose(scene.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(scene.std(1), 1)
    near, far = ((scene[:, k:] * scene[:, :-k]).mean() for k in (1, 60))
    assert 0.9 < near < 1 and abs(far) < 0.7


def test_pixel_filters_against_a_slow_loop():
    scene = rng().standard_normal((2, 180)).cumsum(1)
    past = np.array([row[t - 49 : t + 1][::-1] for row in scene for t in range(49, 130)])
    future = np.array([row[t + 1 : t + 51] for row in scene for t in range(49, 130)])
    sigma, psi = rp.canonical(past.T @ past, future.T @ future, future.T @ past)
    fast_sigma, fast_psi = rp.fit_pixel(scene)
    np.testing.assert_allclose(fast_sigma[:5], sigma[:5])
    np.testing.assert_allclose(np.abs(fast_psi[0]), np.abs(psi[0]), rtol=1e-4)


def test_lobes_by_hand():
    one, three = np.array([1.0, 2, 1]), np.array([1.0, 2, -3, -1, 2])
    dip = np.array([10.0, -0.1, 10, -5])  # a dip of 0.4 % is no lobe
    assert [rp.lobes([w]) for w in (one, three, dip)] == [1, 3, 3]
    assert rp.lobes([one, three, dip]) == 4  # of the first two filters


def test_lamina_cells_by_hand():
    low, band = np.array([1.0, 1, 1, -0.25]), np.array([2.0, -1, -1, 0])
    assert rp.like_lamina(low, band) and rp.like_lamina(-low, -band)
    assert not rp.like_lamina(band, band) and not rp.like_lamina(low, low)
    assert not rp.like_lamina(np.array([1.0, -0.12]), band)  # 89 % of one sign


# ---- layer 2 on small cases ----
PASS = np.zeros((2, rp.WINDOW))
PASS[0, 0] = PASS[1, 0] = 1  # both filters pass the newest sample on


def layer(*weights):
    """A second layer with these directions, six weights each, and no scaling."""
    psi = np.zeros((6, 6))
    psi[: len(weights)] = weights
    return rp.Layer2(None, psi, np.ones((6, 1)), np.zeros((6, 1)))


def test_a_scene_reaches_pixel_0_first():
    views = rp.three_pixels(np.arange(100.0))
    assert views.shape == (3, 74)
    np.testing.assert_array_equal(views[:, 0], [26, 13, 0])
    np.testing.assert_array_equal(views[1, 13:], views[0, :-13])


def test_without_motion_no_two_pixels_share_a_line():
    views = np.repeat(np.arange(5.0)[:, None], 3, 1)[:, :, None] * np.ones(4)
    mixed = rp.without_motion(views)[..., 0]
    assert all(len(set(row)) == 3 for row in mixed)
    assert all(sorted(column) == [0, 1, 2, 3, 4] for column in mixed.T)
    np.testing.assert_array_equal(mixed[:, 0], np.arange(5))


def test_layer_1_outputs_are_one_filter_and_half_of_the_other():
    psi = rng(1).standard_normal((2, rp.WINDOW))
    views = rng(2).standard_normal((2, 3, 60))
    outputs = rp.layer_1(views, psi)
    assert outputs.shape == (2, 6, 11)
    for pixel in range(3):
        window = views[1, pixel, 4 : 4 + rp.WINDOW][::-1]
        assert outputs[1, 2 * pixel, 4] == pytest.approx(window @ psi[0])
        assert outputs[1, 2 * pixel + 1, 4] == pytest.approx(max(window @ psi[1], 0))


def test_translation_by_the_delay_makes_correlations_of_one(monkeypatch):
    monkeypatch.setattr(rp, "SHIFT", rp.DELAY)
    monkeypatch.setattr(rp, "OUTPUT_NOISE", 1e-9)
    views = rp.three_pixels(rng(3).standard_normal((20, 400)))
    sigma = rp.fit_layer_2(views, PASS, rng(4)).sigma
    np.testing.assert_allclose(sigma[:4], 1, atol=1e-4)  # pixels 1 and 2 will see what 0 and 1 saw
    assert (sigma[4:] < 0.1).all()  # what pixel 0 will see is news


def test_layer_2_against_a_plain_reading():
    psi, views = rng(1).standard_normal((2, rp.WINDOW)), rng(2).standard_normal((6, 3, 150))
    fitted = rp.fit_layer_2(views, psi, rng(5))
    outputs = rp.layer_1(views, psi)
    scaled = outputs / outputs.std((0, 2), keepdims=True)
    scaled = scaled + 0.01 * rng(5).standard_normal(outputs.shape)
    past = np.concatenate([line[:, :-5].T for line in scaled])
    future = np.concatenate([line[:, 5:].T for line in scaled])
    mean = scaled.mean((0, 2))
    q_past, q_future = (np.linalg.qr(part - mean)[0] for part in (past, future))
    sigma = np.linalg.svd(q_future.T @ q_past, compute_uv=False)
    np.testing.assert_allclose(fitted.sigma, sigma, atol=1e-2)  # the means of the ends differ
    np.testing.assert_allclose(fitted.mean[:, 0], mean)
    covariance = (past - mean).T @ (past - mean) / len(past)
    np.testing.assert_allclose(fitted.psi @ covariance @ fitted.psi.T, np.eye(6), atol=1e-9)


def test_edges_are_bright_and_dark_and_move_either_way():
    views = rp.edges(rng())
    assert views.shape == (2, 2, 3, 374)
    rise = views[..., -1] - views[..., 0]  # (contrasts, ways, 3)
    assert (rise[0] > 1.9).all() and (rise[1] < -1.9).all()
    arrival = np.abs(views).argmin(-1)  # (contrasts, ways, 3), the middle of the edge
    assert (np.diff(arrival[:, 0]) > 10).all() and (np.diff(arrival[:, 1]) < -10).all()


def dsi(*weights):
    """The DSI of the ON and OFF units (2, directions) for edges without a filter in time."""
    responses = rp.respond(rp.edges(rng()), PASS, layer(*weights))
    return rp.selectivity(responses).reshape(2, 6)[:, : len(weights)]


def test_a_spatial_gradient_turns_round_with_the_contrast_and_is_not_selective():
    gradient = [1, 0, 0, 0, -1, 0]  # filter 1 at pixel 0 less that at pixel 2
    assert (dsi(gradient) < 0.03).all()
    responses = rp.respond(rp.edges(rng()), PASS, layer(gradient))
    bright = rp.selectivity(responses[:1]).reshape(2, 6)[:, 0]
    assert (bright > 0.9).all()  # for one contrast alone it seems to be


def test_one_pixel_is_not_selective_and_a_delay_and_compare_unit_is(monkeypatch):
    assert (dsi([1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]) < 0.02).all()
    late = np.zeros((2, rp.WINDOW))
    late[0, rp.SHIFT] = 1  # filter 1 shows what was there when the edge was one pixel back,
    late[1, :2] = 1, -1  # filter 2 what has become brighter just now
    for weights, preferred in (([1, 0, 0, 40, 0, 0], 0), ([0, 0, 0, 40, 1, 0], 1)):
        responses = rp.respond(rp.edges(rng()), late, layer(weights))
        peaks = responses[:, :, 0].max((0, 2))  # (ways,)
        assert peaks.argmax() == preferred
        assert rp.selectivity(responses)[0] > 0.1


def test_selectivity_by_hand():
    responses = np.zeros((2, 2, 3, 4))
    responses[0, 0, 0, 2], responses[1, 1, 0, 1] = 3, 1  # peaks 3 and 1
    responses[0, 0, 1, 1] = 0.2  # hardly an answer at all
    responses[1, 1, 2, 3], responses[0, 0, 2, 0] = 0.5, 0.5
    np.testing.assert_allclose(rp.selectivity(responses), [0.5, 0, 0])


def test_both_halves_answer():
    views = rp.edges(rng())
    z = np.array([1.0, 2, 0, 0, 0, 0]) @ rp.layer_1(views, PASS)
    responses = rp.respond(views, PASS, layer([1, 2, 0, 0, 0, 0]))
    np.testing.assert_allclose(responses[:, :, 0] - responses[:, :, 6], z)
    assert (responses >= 0).all()


def test_scaling_and_centring_are_those_of_the_fit():
    views = rp.three_pixels(rp.dead_leaves(6, rng()))
    psi = rng(1).standard_normal((2, rp.WINDOW))
    fitted = rp.fit_layer_2(views, psi, rng(2))
    responses = rp.respond(views, psi, fitted)
    z = responses[:, :6] - responses[:, 6:]
    np.testing.assert_allclose(z.mean((0, 2)), 0, atol=0.05)
    np.testing.assert_allclose(z[:, :3].std((0, 2)), 1, atol=0.05)


# ---- the worlds ----
def test_shrink_is_the_rounded_mean_of_blocks():
    screens = rng().integers(0, 256, (3, 210, 160)).astype(np.uint8)
    slow = screens[:, 34:194].reshape(3, 40, 4, 40, 4).astype(float).mean((2, 4))
    np.testing.assert_array_equal(rp.shrink(screens).reshape(3, 40, 40), np.floor(slow + 0.5))


def mini(games=4, **changes):
    world = rp.MiniPong(TINY, list(range(games)))
    world.pause[:] = 0
    world.sticky = 0.0
    for name, value in changes.items():
        getattr(world, name)[:] = value
    world.look()
    return world


def screens_of(state):
    """What the console would draw of a state."""
    screens = np.zeros((len(state), 210, 160), np.uint8)
    screens[:, rp.COURT] = 87
    for screen, (x, y, paddle, rival, _, _) in zip(screens, state - [49, 14, 13, 13, 0, 0]):
        court = screen[rp.COURT]
        court[max(paddle - 34, 0) : max(paddle - 18, 0), 140:144] = 147
        court[max(rival - 34, 0) : max(rival - 18, 0), 16:20] = 148
        if x >= 0:
            court[y - 34 : y - 30, x : x + 2] = 236
    return screens


def test_mini_frames_agree_with_its_state():
    world, dice = rp.MiniPong(TINY, [1, 2, 3]), rng()
    for _ in range(120):
        world.step(dice.integers(0, 3, 3))
        drawn = rp.shrink(screens_of(world.state)).astype(int)
        np.testing.assert_allclose(world.frames.astype(int), drawn, atol=1)
    assert world.points.sum() > 0


def test_mini_ball_flies_and_reflects_off_the_walls():
    for ball, speed, later, turned in (
        ([70.0, 155.5], [1.0, 1.0], [71, 155.5], [1, -1]),
        ([70.0, 0.25], [-1.0, -0.5], [69, 0.25], [-1, 0.5]),
    ):
        world = mini(ball=ball, speed=speed)
        world.raw_frame(np.zeros(4, int))
        np.testing.assert_allclose(world.ball[0], later)
        assert world.speed[0].tolist() == turned


@pytest.mark.parametrize(
    ("y", "segment", "fast"), [(72 + 6 + 1, 0.5, 1.08), (72 - 3, -3.5, 2.0), (72 + 14, 3.5, 2.0)]
)
def test_mini_paddle_returns_by_segment(y, segment, fast):
    world = mini(ball=[137.5, y], speed=[1.0, 0.0], paddle=72.0, target=72.0)
    world.raw_frame(np.zeros(4, int))
    assert world.ball[0, 0] == 138
    np.testing.assert_allclose(world.speed[0], [-fast, 0.55 * segment * max(1, 0.7 * fast)])


def test_mini_points_pause_and_serve():
    world = mini(ball=[157.5, 10.0], speed=[1.0, 0.0])
    world.raw_frame(np.zeros(4, int))
    assert world.points[0].tolist() == [1, 0] and world.pause[0] == 60
    world.look()
    assert not rp.visible(world.state).any()
    for _ in range(60):
        world.raw_frame(np.zeros(4, int))
    assert (world.pause[0], world.ball[0, 0], abs(world.speed[0, 0])) == (0, 79, 1)
    world = mini(ball=[0.5, 100.0], speed=[-1.0, 0.0], rival=0.0)
    world.raw_frame(np.zeros(4, int))
    assert world.points[0].tolist() == [0, 1]


def test_mini_paddle_coasts_towards_its_target():
    world = mini(ball=[70.0, 100.0], paddle=72.0, target=72.0)
    world.raw_frame(np.full(4, DOWN))
    assert world.target[0] == pytest.approx(77.6)
    assert world.paddle[0] == round((72 + 77.6) / 2)
    world.raw_frame(np.full(4, UP))  # an odd frame: only the target moves
    assert (world.target[0], world.paddle[0]) == (pytest.approx(72.0), 75)
    world.raw_frame(np.zeros(4, int))
    assert world.paddle[0] == round((75 + 72) / 2)


def test_sticky_actions_repeat():
    world = mini(last=DOWN)
    world.sticky = 1.0
    world.raw_frame(np.full(4, UP))
    assert (world.last == DOWN).all()


@ALE
def test_the_emulator_repeats_and_its_memory_describes_its_screen():
    config = replace(TINY, env="ale")
    runs = [
        rp.demonstrate(rp.Atari(config, [seed, 7]), 60, 0.25, rng(), silent) for seed in (3, 3, 4)
    ]
    for one, two in zip(runs[0], runs[1]):
        np.testing.assert_array_equal(one, two)
    assert (runs[0].frames != runs[2].frames).any()
    world, seen = rp.Atari(config, [3]), 0
    for _ in range(60):
        world.step([NOOP])
        if rp.visible(world.state)[0] and world.state[0, rp.BALL_X] < 180:
            x, y = world.state[0, rp.BALL_X] - 49, world.state[0, rp.BALL_Y] - 14
            assert (world.screens[0, y : y + 3, x : x + 2] == 236).all()
            seen += 1
    assert seen > 10


# ---- the expert ----
def state(x=100, y=100, paddle=100):
    return np.array([[x, y, paddle, 0, 0, 0]])


def test_visible_limits():
    inside = [state(50, 48), state(204, 205)]
    outside = [state(49), state(205), state(y=47), state(y=206)]
    assert rp.visible(np.concatenate(inside + outside)).tolist() == [True] * 2 + [False] * 4


@pytest.mark.parametrize(
    ("now", "before", "action"),
    [
        # at x 148, 4 right and 6 down a step, it reaches 188 after 10 steps, at y 160
        ((148, 100, 153), (144, 94, 153), NOOP),
        ((148, 100, 144), (144, 94, 144), DOWN),
        ((148, 100, 162), (144, 94, 162), UP),
        ((148, 100, 144), (144, 94, 134), NOOP),  # coasting: 0.4 of 10 ahead
        ((148, 180, 161), (144, 174, 161), NOOP),  # 240 is reflected at 204 to 168
        ((148, 180, 140), (144, 174, 140), DOWN),
        ((148, 60, 44), (144, 66, 44), DOWN),  # 0 is reflected at 48 to 96
        ((100, 100, 106), (104, 100, 106), NOOP),  # going away: the mean of the ball and 126
        ((100, 100, 120), (104, 100, 120), UP),
        ((0, 100, 20), (104, 100, 20), NOOP),  # out of sight
        ((206, 100, 20), (203, 97, 20), NOOP),  # just gone
        ((203, 100, 20), (206, 97, 20), NOOP),  # just come
        ((100, 100, 20), (140, 100, 20), NOOP),  # a jump: it has been served
    ],
)
def test_the_expert_by_hand(now, before, action):
    assert rp.expert(state(*now), state(*before), 8)[0] == action


def test_demonstrations_hold_the_experts_advice():
    class Spied(rp.MiniPong):
        def step(self, actions):
            self.done.append(actions)
            super().step(actions)

    shares = []
    for share in (0.0, 0.9):
        world = Spied(TINY, list(range(40)))
        world.done = []
        data = rp.demonstrate(world, 60, share, rng(), silent)
        done = np.stack(world.done, 1)
        shares.append((data.label != done).mean())
        assert data.fresh[:, 0].all() and data.fresh.sum() == 40
    assert shares[0] == 0 and 0.5 < shares[1] < 0.7  # two thirds of 90 %
    assert np.bincount(done.ravel(), minlength=3).min() > 500


# ---- layer 1 on Pong ----
def starts(*rows):
    return np.array([[int(c) for c in row] for row in rows], bool)


def test_windows_cross_no_new_game():
    fresh = starts("100001000", "100000000")
    slow = [9 * r + t for r in range(2) for t in range(7) if not fresh[r, t + 1 : t + 3].any()]
    assert rp.windows_of(fresh, 3).tolist() == slow


def test_the_last_frames_stay_in_their_game():
    past = rp.last_frames(starts("10010", "10000"), 3)
    assert past[:5].tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 3, 3], [4, 3, 3]]
    assert past[9].tolist() == [9, 8, 7]


def test_correlations_on_pong_against_a_slow_loop():
    x = rng().standard_normal((20, 6)).astype(np.float32).cumsum(0)
    config, begin = replace(TINY, taps=3, horizon=2, filters=2), np.arange(0, 14)
    past = np.array([[x[t + 2 - i, p] for i in range(3)] for t in begin for p in range(6)], float)
    future = np.array([[x[t + 3 + i, p] for i in range(2)] for t in begin for p in range(6)], float)
    sigma, psi = rp.canonical(past.T @ past, future.T @ future, future.T @ past)
    fast = rp.correlate(config, x, begin, begin, block=4)
    np.testing.assert_allclose(fast[0], sigma)
    np.testing.assert_allclose(fast[1], psi[:2], rtol=1e-6)
    np.testing.assert_allclose(fast[2], past.T @ past)


def test_pooled_halves_against_slow_means():
    windows, filters = rng().standard_normal((3, 5, 1600)), rng(1).standard_normal((2, 5))
    shown = rp.encode(windows, filters).reshape(3, 2, 2, 100)
    z = np.einsum("km,nmp->nkp", filters, windows)
    for half, sign in enumerate((1, -1)):
        slow = np.maximum(sign * z, 0).reshape(3, 2, 10, 4, 10, 4).mean((3, 5))
        np.testing.assert_allclose(shown[:, half], slow.reshape(3, 2, 100), atol=1e-6)


def lesson_of(config=TINY):
    data = rp.collect(config, np.random.SeedSequence(1000), silent)
    return data, rp.prepare(config, data)


def test_runs_are_divided_whole_and_centred_on_the_training_runs():
    data, lesson = lesson_of()
    runs = [set(part // TINY.steps) for part in lesson.parts]
    assert runs == [{0, 1, 2}, {3}, {4}]
    assert [len(part) for part in rp.prepare(Config(), wide()).parts] == [140, 30, 30]
    frames = data.frames.reshape(-1, 1600) / np.float32(255)
    np.testing.assert_allclose(lesson.mean, frames[lesson.parts[0]].mean(0), atol=1e-4)
    np.testing.assert_allclose(lesson.x, frames - lesson.mean, atol=1e-6)
    np.testing.assert_array_equal(lesson.label, data.label.ravel())


def wide():
    """Twenty runs of ten steps."""
    zero = np.zeros((20, 10), int)
    return rp.Data(np.zeros((20, 10, 1600), np.uint8), None, zero, starts(*["1" + "0" * 9] * 20))


def test_features_stop_at_the_present():
    _, lesson = lesson_of()
    filters = rng(1).standard_normal((4, TINY.taps))
    x = lesson.x.copy()
    x[101:] = 7.0
    changed = rp.features(lesson._replace(x=x), filters)
    np.testing.assert_array_equal(changed[:101], rp.features(lesson, filters)[:101])


# ---- heads ----
def check_gradient(net, x, label, entries=12):
    net.params = [p.astype(float) + 0.02 * rng(2).standard_normal(p.shape) for p in net.params]

    def loss():
        p = rp.softmax(net.logits(x))
        return -np.log(p[np.arange(len(x)), label]).mean()

    def central(value, index, step=1e-6):
        old, ends = value[index], []
        for value[index] in (old + step, old - step):
            ends.append(loss())
        value[index] = old
        return (ends[0] - ends[1]) / (2 * step)

    grads, dice = net.gradient(x, label), rng(9)
    dx = getattr(net, "dx", None)
    pairs = [*zip(net.params, grads)] + ([(x, dx)] if dx is not None else [])
    for value, grad in pairs:
        assert grad.shape == value.shape
        for flat in dice.choice(value.size, min(entries, value.size), replace=False):
            index = np.unravel_index(flat, value.shape)
            numeric = central(value, index)
            assert abs(grad[index] - numeric) <= 1e-6 * max(abs(numeric), 1e-2), index


def test_the_gradient_of_the_head():
    check_gradient(
        rp.Mlp((7, 6, 5, 3), rng(1)), rng(3).standard_normal((8, 7)), rng(4).integers(0, 3, 8), 40
    )


def test_the_gradient_of_the_convolutional_net():
    check_gradient(study.Cnn(rng(1)), rng(3).standard_normal((2, 40, 40, 4)), np.array([0, 2]), 6)


def test_patches_against_a_slow_loop():
    x = rng().standard_normal((2, 9, 9, 3))
    found = study.patches(x, 3)
    assert found.shape == (2, 4, 4, 27)
    np.testing.assert_array_equal(found[1, 2, 3], x[1, 4:7, 6:9].ravel())


def test_adam_against_a_plain_one(monkeypatch):
    monkeypatch.setattr(rp, "BATCH", 4)
    x, label = rng(3).standard_normal((10, 3)), rng(4).integers(0, 3, 10)
    net, plain = rp.Mlp((3, 3), rng(1)), rp.Mlp((3, 3), rng(1))
    net.params, plain.params = ([p.astype(float) for p in n.params] for n in (net, plain))
    orders = [np.array([3, 1, 7, 0, 2, 5, 4, 6]), np.arange(8)]
    assert list(rp.fit(net, x, label, orders, 0.5)) == [0.5, 1.0]
    first, second, step = [0, 0], [0, 0], 0
    for order in orders:
        for chosen in (order[:4], order[4:]):
            rate, step = 1e-3 + (1e-4 - 1e-3) * step / 4, step + 1
            grads = plain.gradient(x[chosen], label[chosen])
            grads[0] = grads[0] + 0.5 * plain.params[0]
            for i in range(2):
                first[i] = 0.9 * first[i] + 0.1 * grads[i]
                second[i] = 0.999 * second[i] + 0.001 * grads[i] ** 2
                root = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
                plain.params[i] = plain.params[i] - rate * first[i] / (1 - 0.9**step) / root
    for p, q in zip(net.params, plain.params):
        np.testing.assert_allclose(p, q, rtol=1e-4)


def test_tuning_keeps_the_best_epoch_and_never_sees_the_test(monkeypatch):
    x = rng().standard_normal((600, 4)).astype(np.float32)
    label = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    parts = np.split(np.arange(600), [400, 500])
    monkeypatch.setattr(rp, "BATCH", 20)
    monkeypatch.setattr(rp.Mlp, "first_rate", 0.05)
    touched, seen = set(), []

    class Watched:
        def __getitem__(self, steps):
            touched.update(steps.tolist())
            return x[steps]

    net = rp.Mlp((4, 16, 3), rng(1))
    orders = [rng(k).permutation(parts[0]) for k in range(6)]
    best = rp.tune(
        net, Watched(), label, parts, (1e-3, 1.0), orders, lambda f, s: seen.append((f, s))
    )
    assert touched == set(range(500))
    values = [float(said.split()[-1]) for _, said in seen]
    assert len(values) == 12 and max(values[6:]) < 0.8 < best  # too much decay is not chosen
    assert best == pytest.approx(max(values), abs=6e-4)
    assert rp.share_right(net, x, label, parts[1]) == best
    assert [f for f, _ in seen] == pytest.approx(np.arange(1, 13) / 12)


def test_features_are_standardised_on_training_and_bounded(monkeypatch):
    seen, tune = [], rp.tune
    monkeypatch.setattr(rp, "tune", lambda *a: seen.append(a) or tune(*a))
    shift, scale = np.array([1.0, 1.0, 0.0]), np.array([0.5, 1.0, 1e-4])
    assert rp.standardise(np.array([3.0, 1.0, -5.0]), shift, scale).tolist() == [4, 0, -30]
    _, lesson = lesson_of()
    filters = rng(1).standard_normal((2, TINY.taps))
    clone = rp.learn(TINY, lesson, filters, np.random.SeedSequence(1), silent)
    x = rp.features(lesson, filters)
    np.testing.assert_allclose(clone.shift, x[lesson.parts[0]].mean(0))
    np.testing.assert_allclose(clone.scale, x[lesson.parts[0]].std(0) + 1e-4)
    x = rp.standardise(x, clone.shift, clone.scale)
    assert clone.accuracy == rp.share_right(clone.net, x, lesson.label, lesson.parts[2])
    assert clone.net.params[0].shape == (400, TINY.hidden_size)
    ((_, shown, _, parts, decays, orders, _),) = seen
    np.testing.assert_array_equal(shown, x)
    assert parts is lesson.parts and decays is TINY.decays and len(orders) == TINY.epochs
    assert all(sorted(order) == lesson.parts[0].tolist() for order in orders)
    assert (orders[0] != orders[1]).any()


# ---- the wiring of run() ----
def test_every_encoder_learns_alike(monkeypatch):
    calls = []

    def learn(config, lesson, filters, seed, progress):
        calls.append((config, lesson, filters, np.random.default_rng(seed).random()))
        return rp.Clone(
            filters, None, None, None, [0.9, 0.7, 0.8, 0.6, 0.5, 0.1, 0.3][len(calls) - 1]
        )

    monkeypatch.setattr(rp, "learn", learn)
    config = replace(TINY, random_draws=3)
    taught = rp.teach(config, np.random.SeedSequence(1000), silent)
    assert list(taught.clones) == ["resu", "pca", "raw_window", "raw_pair"] + [
        f"random_{k}" for k in (1, 2, 3)
    ]
    assert all(call[0] is config and call[1] is taught.lesson for call in calls)
    assert len({call[3] for call in calls}) == len(calls)  # no two streams start alike
    shapes = [call[2].shape for call in calls]
    assert shapes == [(4, 8), (4, 8), (8, 8), (2, 8)] + 3 * [(4, 8)]
    frames = np.eye(8)
    np.testing.assert_array_equal(calls[2][2], frames)
    np.testing.assert_array_equal(calls[3][2], frames[:2])
    table = rp.accuracies(taught.lesson, taught.clones)
    assert table["accuracy"]["random"] == pytest.approx(0.3)
    assert table["gain_over_filters"] == pytest.approx(0.9 - 0.7)
    assert table["gain_over_raw"] == pytest.approx(0.9 - 0.8)
    labels = taught.lesson.label[taught.lesson.parts[2]]
    assert table["accuracy"]["majority"] == max((labels == k).mean() for k in range(3))


def test_encoders_are_fitted_on_the_training_runs_alone(monkeypatch):
    seen = []
    correlate = rp.correlate
    monkeypatch.setattr(rp, "learn", lambda *a: rp.Clone(a[2], None, None, None, 0.5))
    monkeypatch.setattr(rp, "correlate", lambda *a: seen.append(a) or correlate(*a))
    taught = rp.teach(TINY, np.random.SeedSequence(1000), silent)
    ((config, x, begin, later),) = seen
    assert begin is later and x is taught.lesson.x
    assert begin.max() + TINY.taps + TINY.horizon <= len(taught.lesson.parts[0])
    assert begin.min() == 0 and len(begin) > 300
    _, psi, pp = correlate(config, x, begin, later)
    np.testing.assert_array_equal(taught.banks["resu"], psi)
    pca = taught.banks["pca"]
    np.testing.assert_allclose(np.diag(pca @ pp @ pca.T), np.linalg.eigvalsh(pp)[::-1][:4])
    draws = [rp.encoders(TINY, psi, pp, rng(k))["random_1"] for k in range(2)]
    assert draws[0].shape == psi.shape and (draws[0] != draws[1]).all()


def test_scenes_use_each_stream_once_and_the_same_scenes_for_the_control(monkeypatch):
    fits, drawn, probes = [], [], []
    fit_layer_2, edges, fit_pixel = rp.fit_layer_2, rp.edges, rp.fit_pixel

    def spied_fit(views, psi, generator):
        drawn.append((generator, generator.bit_generator.state["state"]["state"]))
        fits.append((views, psi, fit_layer_2(views, psi, generator)))
        return fits[-1][2]

    def spied_edges(generator):
        drawn.append((generator, generator.bit_generator.state["state"]["state"]))
        probes.append(edges(generator))
        return probes[-1]

    lines = []
    monkeypatch.setattr(rp, "fit_layer_2", spied_fit)
    monkeypatch.setattr(rp, "edges", spied_edges)
    monkeypatch.setattr(rp, "fit_pixel", lambda scene: lines.append(scene) or fit_pixel(scene))
    table, (pixels, moving, control) = rp.see_scenes(TINY, np.random.SeedSequence(1000), silent)
    (views, psi, first), (mixed, same, second) = fits
    assert moving is first and control is second and psi is same is pixels[1][1]
    np.testing.assert_array_equal(mixed, rp.without_motion(views))
    for each in zip(*drawn):  # two fits and two sets of edges, each with a stream of its own
        assert len(set(each)) == 4
    noise = [np.std(line - lines[0]) for line in lines]
    np.testing.assert_allclose(noise[1:], TINY.scene_noise[1:], rtol=0.05)
    own = views - rp.three_pixels(lines[0])  # each pixel has its own noise
    assert own.std() == pytest.approx(0.05, rel=0.05)
    assert abs(np.corrcoef(own[:, 0, :-13].ravel(), own[:, 1, 13:].ravel())[0, 1]) < 0.05
    scores = [
        rp.selectivity(rp.respond(probe, psi, layer)).max()
        for probe, layer in zip(probes, (moving, control))
    ]
    assert [table["dsi"], table["dsi_control"]] == scores
    assert table["dsi_lead"] == scores[0] - scores[1] > 0.2
    counts = [rp.lobes(filters) for _, filters in pixels]
    assert list(table["lobes"].values()) == counts
    assert table["lobes_lost"] == counts[0] - counts[-1]
    assert table["l3_l12"] == rp.like_lamina(pixels[3][1][0], pixels[1][1][1])


def test_a_run_repeats_and_seeds_differ():
    config, fractions = replace(TINY, steps=60), []
    first = rp.run(config, 1000, lambda fraction, message: fractions.append(fraction))
    again, other = rp.run(config, 1000, silent), rp.run(config, 1001, silent)
    for table in (first, again, other):
        assert table.pop("heads")["steps_per_second"] > 0
    assert first == again != other and first["emulated"] == 0
    assert (
        fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == pytest.approx(1)
    )


# ---- the study ----
class Film:
    """A world that shows recorded frames."""

    def __init__(self, frames, fresh):
        self.all, self.starts, self.t = frames, fresh, 0

    frames = property(lambda self: self.all[:, self.t])
    fresh = property(lambda self: self.starts[:, self.t])


def test_players_see_what_their_nets_were_trained_on():
    frames = rng().integers(0, 256, (5, 12, 1600)).astype(np.uint8)
    fresh = starts("100000100000", *["100000000000"] * 4)
    data = rp.Data(frames, None, np.zeros((5, 12), int), fresh)
    lesson = rp.prepare(replace(TINY, taps=5), data)
    filters = rng(2).standard_normal((3, 5))
    x = rp.features(lesson, filters)
    shift, scale, net = x.mean(0), x.std(0) + 1e-4, rp.Mlp((600, 8, 3), rng(3))
    wanted = net.logits(rp.standardise(x, shift, scale)).argmax(1).reshape(5, 12)
    clone = rp.Clone(filters, shift, scale, net, 0.0)
    cnn, images = study.Cnn(rng(4)), study.Images(lesson)
    seen = cnn.logits(images[np.arange(60)]).argmax(1).reshape(5, 12)
    film = Film(frames, fresh)
    policies = study.clone_policy(clone, lesson.mean), study.cnn_policy(cnn, images, lesson.mean)
    for film.t in range(12):
        np.testing.assert_array_equal(policies[0](film), wanted[:, film.t])
        np.testing.assert_array_equal(policies[1](film), seen[:, film.t])


class Score:
    """A world in which points fall as told: lost, won per step."""

    def __init__(self, table):
        self.table, self.t, self.frames = np.array(table), 0, np.zeros((1, 1))

    @property
    def fresh(self):
        return np.array([self.t > 0 and not self.table[self.t].any()])

    @property
    def state(self):
        return np.concatenate([np.zeros(4, int), self.table[self.t]])[None]

    def step(self, actions):
        self.t += 1


def test_a_score_is_points_per_ten_thousand_raw_frames():
    world = Score([[0, 2], [0, 3], [1, 3], [2, 3], [2, 3]])
    assert study.play(world, lambda w: [0], 4, silent) == pytest.approx([-1 * 10_000 / 16])
    world = Score([[20, 3], [0, 0], [0, 1]])  # the 21st point ends the game
    assert study.play(world, lambda w: [0], 1, silent) == pytest.approx([-1 * 10_000 / 4])
    assert study.play(world, lambda w: [0], 1, silent) == pytest.approx([1 * 10_000 / 4])


def test_a_probe_finds_a_linear_map_and_nothing_in_noise():
    x = rng().standard_normal((900, 5)).astype(np.float32)
    y = np.stack([x @ [1, 2, 0, 0, -1] + 7, rng(1).standard_normal(900)], 1).astype(np.float32)
    known, parts = rng(2).random(900) < 0.9, np.split(np.arange(900), [500, 700])
    y[~known] = 1e3  # must not matter
    r2, weights, offset = study.ridge_probe(x, y, known, parts, (1.0, 10.0))
    assert r2[0] > 0.98 and abs(r2[1]) < 0.1
    np.testing.assert_allclose(weights[:, 0], [1, 2, 0, 0, -1], atol=0.05)
    assert offset[0] == pytest.approx(7, abs=0.3)


def test_the_ball_is_known_only_where_it_was_seen_twice():
    states = np.zeros((1, 9, 6), int)
    states[0, :, 0], states[0, :, 1] = 100 + 3 * np.arange(9), 120 - 2 * np.arange(9)
    states[0, 3, 0] = 0  # out of sight
    fresh = starts("100000100")
    targets, known = study.ball(rp.Data(None, states, None, fresh))
    assert known.tolist() == [False, True, True, False, False, True, False, True, True]
    np.testing.assert_array_equal(targets[2], [106, 116, 3, -2])


def test_layer_2_of_white_noise_is_predictable_only_through_shared_frames():
    config = replace(study.Config(**study.QUICK), taps=4, steps=60)
    fresh = starts(*["1" + "0" * 59] * 5)
    data = rp.Data(rng().integers(0, 256, (5, 60, 1600)).astype(np.uint8), None, fresh * 1, fresh)
    taught = rp.Taught(data, rp.prepare(config, data), None, {"resu": np.full((1, 4), 0.5)}, None)
    assert study.layer_2(config, taught, 0, rng(1))[0] > 0.6
    assert study.layer_2(config, taught, 3, rng(1))[0] < 0.35


def test_the_studys_clones_are_the_runs_and_all_play_the_same_games(monkeypatch):
    config = study.Config(**study.QUICK)
    starts_of_games, taught, clones = [], [], {}
    teach, make_world = rp.teach, rp.make_world

    def spied_teach(settings, seed, progress):
        taught.append((settings.env, seed.entropy, seed.spawn_key))
        if len(taught) == 1:
            clones["run"] = teach(settings, seed, progress)
        return clones["run"]

    def spied_world(settings, games, generator):
        if games == config.players:
            starts_of_games.append(generator.bit_generator.state["state"]["state"])
        return make_world(settings, games, generator)

    monkeypatch.setattr(rp, "teach", spied_teach)
    monkeypatch.setattr(rp, "make_world", spied_world)
    table = study.run(config, 1000, silent)
    assert taught[0][1:] == (1000, (1,)) and taught[1][0] == "mini" and taught[1][1] == (1000, 1)
    assert len(starts_of_games) == 3 + len(clones["run"].clones)  # expert, chance, net, clones
    assert len(set(starts_of_games)) == 1
    right = rp.accuracies(clones["run"].lesson, clones["run"].clones)["accuracy"]
    assert table["accuracy"] == right | {"cnn": table["accuracy"]["cnn"]}
    assert set(table["play"]) == {
        "expert",
        "cnn",
        "chance",
        "resu",
        "pca",
        "raw_window",
        "raw_pair",
        "random",
    }
    fit = table["units"]["moving_dsi"]
    scene_seed = np.random.SeedSequence(1000).spawn(2)[0]
    _, (_, moving, _) = rp.see_scenes(config, scene_seed, silent)
    assert table["units"]["moving_sigma"] == moving.sigma.tolist() and max(fit) > 0.5


# ---- settings ----
@pytest.mark.parametrize(
    ("bad", "flag"),
    [
        ({"filters": 5}, "--filters"),
        ({"taps": 2, "filters": 3}, "--filters"),
        ({"steps": 23}, "--steps"),
        ({"scene_noise": (0.1, 0.2)}, "--scene-noise"),
    ],
)
def test_settings_that_do_not_fit_together(bad, flag):
    with pytest.raises(ValueError, match=flag):
        Config(**bad)


def test_without_the_emulator_auto_falls_back_loudly_and_ale_refuses(monkeypatch, capsys):
    monkeypatch.setattr(rp, "ROM", None)
    with pytest.raises(ValueError, match="pip install ale-py"):
        Config(env="ale")
    config = Config()
    assert not config.emulated
    assert isinstance(rp.make_world(config, 2, rng()), rp.MiniPong)
    rp.banner(config)
    assert "MINI-PONG" in capsys.readouterr().err
    rp.banner(Config(env="mini"))
    assert not capsys.readouterr().err
