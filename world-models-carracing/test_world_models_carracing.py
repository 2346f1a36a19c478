"""Tests of world_models_carracing.py: the tracks and the car against slow oracles and cases worked
by hand, gradients against central differences, CMA-ES on a rotated ellipsoid, driving in a batch
against driving alone."""

from dataclasses import replace

import numpy as np
import pytest
import world_models_carracing as wm
from world_models_carracing import ARMS, CMAES, MORE_ARMS, POINTS, Adam, Arm, Config, World

TINY = Config(
    latent=3,
    hidden_v=5,
    hidden_m=4,
    train_tracks=3,
    test_tracks=2,
    max_frames=40,
    drives=6,
    drive_frames=12,
    batch_v=16,
    batch_m=4,
    window=5,
    warm_frames=3,
    dream_frames=3,
    epochs_v=1,
    epochs_m=1,
    population=4,
    episodes=2,
    late_episodes=3,
    averaged=2,
)


@pytest.fixture(scope="module")
def world():
    return World(TINY, wm.make_tracks(TINY, 5, np.random.default_rng(1)))


def a_circle(config=TINY, radius=30.0):
    """A world with one round track, driven counter-clockwise from (radius, 0)."""
    phi = np.arange(POINTS) * 2 * np.pi / POINTS
    return World(config, radius * np.stack([np.cos(phi), np.sin(phi)], 1)[None])


def some_nets(seed=0, config=TINY):
    rng = np.random.default_rng(seed)
    nets = {"v": wm.make_v(config, rng), "m": wm.make_m(config, rng), "raw": wm.make_m(config, rng)}
    for name, size in (("z", config.latent), ("m", config.hidden_m), ("raw", config.hidden_m)):
        nets[name + "_mean"] = rng.standard_normal(size).astype(np.float32) * 0.1
        nets[name + "_std"] = rng.uniform(0.5, 1.5, size).astype(np.float32)
    return nets


# ---- the world -----------------------------------------------------------------------------------


def test_tracks_keep_their_promises():
    tracks = wm.make_tracks(Config(), 20, np.random.default_rng(0))
    assert tracks.shape == (20, POINTS, 2)
    step = np.roll(tracks, -1, 1) - tracks
    length = np.hypot(*step.transpose(2, 0, 1))
    assert (
        length.max(1) / length.min(1) < 1.1
    ).all()  # equal arcs, chords a little shorter in bends
    assert 180 < length.sum(1).mean() < 260
    turn = np.angle(np.exp(1j * np.diff(np.arctan2(step[..., 1], step[..., 0]), axis=1)))
    assert (np.abs(turn) / length[:, 1:] < 1 / 4.5).all()  # no bend much tighter than 5 m
    assert 2 < (turn.sum(1) > 0).sum() < 18  # both directions occur
    apart = np.abs(np.arange(POINTS)[:, None] - np.arange(POINTS))
    apart = np.minimum(apart, POINTS - apart)
    for line, total in zip(tracks, length.sum(1)):
        distance = np.hypot(*(line[:, None] - line).T)
        assert distance[apart * total / POINTS > 21].min() > 8.5


def test_tracks_of_other_seeds_differ_and_of_the_same_do_not():
    first, again, other = (wm.make_tracks(Config(), 2, np.random.default_rng(s)) for s in (0, 0, 1))
    assert (
        (first == again).all()
        and not (first == other).any()
        and not np.allclose(first[0], first[1])
    )


def test_maps_agree_with_a_search_over_all_points(world):
    rng = np.random.default_rng(2)
    track = rng.integers(5, size=400)
    xy = world.points[track, rng.integers(POINTS, size=400)] + rng.uniform(-7, 7, (400, 2)).astype(
        np.float32
    )
    point, far = world.locate(track, xy)
    distance = np.hypot(*(world.points[track] - xy[:, None]).transpose(2, 0, 1))  # (400, P)
    np.testing.assert_allclose(far, distance.min(1), atol=1e-4)
    assert (point == distance.argmin(1)).mean() > 0.99  # ties apart
    assert (
        world.locate(np.array([0]), np.array([[0.5 - world.origin] * 2]))[1] > wm.LOST
    )  # far from everything


def test_a_view_agrees_with_looking_up_pixel_by_pixel(world):
    rng = np.random.default_rng(3)
    track, point = rng.integers(5, size=8), rng.integers(POINTS, size=8)
    xy, heading = world.points[track, point] + rng.uniform(-2, 2, (8, 2)), rng.uniform(-3, 3, 8)
    views = world.views(track, xy, heading).reshape(8, wm.SIDE, wm.SIDE)
    wrong = 0
    for n, row, column in np.ndindex(8, wm.SIDE, wm.SIDE):
        ahead, left = (24 - row) * 0.75, (15.5 - column) * 0.75
        place = (
            xy[n]
            + ahead * np.array([np.cos(heading[n]), np.sin(heading[n])])
            + left * np.array([-np.sin(heading[n]), np.cos(heading[n])])
        )
        distance = np.hypot(*(world.points[track[n]] - place).T)
        seam = distance.argmin() % 20 < 2
        wrong += views[n, row, column] != (0 if distance.min() >= 3 else 204 if seam else 255)
    assert wrong < 0.04 * views.size  # only where a pixel straddles an edge
    assert set(np.unique(views)) == {0, 204, 255}


def test_the_view_shows_what_is_ahead_above_and_what_is_left_to_the_left():
    circle = a_circle()
    view = circle.views(np.array([0]), np.array([[30.0, 0.0]]), np.array([np.pi / 2])).reshape(
        wm.SIDE, wm.SIDE
    )
    assert (
        view[24, 15] and view[24, 16] and not view[24, 24] and not view[24, 7]
    )  # on the road, grass 6 m to each side
    assert view[4, :16].any() and not view[4, 18:].any()  # the road bends away to the left


def test_start_is_at_rest_on_the_line_along_it(world):
    cars = world.start(np.array([0, 3]), np.array([0, 100]))
    np.testing.assert_allclose(cars["xy"][1], world.points[3, 100])
    ahead = world.points[3, 101] - world.points[3, 100]
    assert np.cos(cars["heading"][1] - np.arctan2(*ahead[::-1])) > 0.999
    assert not cars["speed"].any() and not cars["score"].any() and not cars["visited"].any()


def test_one_step_worked_by_hand():
    circle = a_circle()
    cars = circle.start(np.array([0]), np.array([0]))
    cars["speed"][:], cars["wheel"][:] = 2.0, 0.1
    heading, xy = cars["heading"].copy(), cars["xy"].copy()
    done = circle.step(cars, np.array([[1.0, 0.5]]))
    speed = 2 + 0.1 * (4 * 0.5 - 0.0064 * 4)
    wheel = 0.1 + (0.5 - 0.1) * 0.1 / 0.25
    new = heading + 0.1 * speed * np.tan(wheel) / 2.5
    np.testing.assert_allclose(
        [cars["speed"], cars["wheel"], cars["heading"]], [[speed], [wheel], new]
    )
    np.testing.assert_allclose(
        cars["xy"], xy + 0.1 * speed * np.stack([np.cos(new), np.sin(new)], 1)
    )
    assert not done and cars["score"][0] == pytest.approx(10 - 0.4) and cars["visited"].sum() == 1
    circle.step(cars, np.array([[0.0, 0.0]]))
    assert cars["score"][0] == pytest.approx(10 - 0.8)  # the same tile pays once


def test_brake_grass_and_grip():
    circle = a_circle()
    cars = circle.start(np.zeros(4, int), np.zeros(4, int))
    cars["speed"][:] = 10, 10, 10, 0.3
    cars["wheel"][:] = 0, 0, 0.5, 0
    cars["far"][:] = 0, 5, 0, 0
    before = cars["heading"].copy()
    circle.step(cars, np.array([[0, -1.0], [0, 0], [1, 0], [0, -1]]))
    np.testing.assert_allclose(cars["speed"][:2], [10 - 0.1 * (7 + 0.64), 10 - 0.1 * (0.64 + 3)])
    assert cars["speed"][3] == 0  # a brake never drives backwards
    turn = (cars["heading"] - before)[2]
    assert turn * cars["speed"][2] == pytest.approx(0.1 * 5)  # at the limit of the grip
    cars["far"][:], cars["wheel"][:], before = 5, 0.5, cars["heading"].copy()
    circle.step(cars, np.tile([1.0, 0], (4, 1)))
    assert (cars["heading"] - before)[0] * cars["speed"][0] == pytest.approx(0.1 * 2)


def test_an_episode_ends_when_lost_or_out_of_time_or_complete():
    circle = a_circle()
    cars = circle.start(np.zeros(4, int), np.zeros(4, int))
    cars["xy"][0] += [10.5, 0]
    cars["frames"][1] = TINY.max_frames - 1
    cars["visited"][2, 1:] = True
    assert circle.step(cars, np.zeros((4, 2))).tolist() == [True, True, True, False]
    assert (
        cars["visited"][0].sum() == 0 and cars["visited"][2].all()
    )  # no tile counts 10 m off the road


def test_a_tile_counts_within_four_metres():
    circle = a_circle()
    cars = circle.start(np.zeros(2, int), np.zeros(2, int))
    cars["xy"][:, 0] += 3.8, 4.2
    circle.step(cars, np.zeros((2, 2)))
    assert cars["visited"].sum(1).tolist() == [1, 0]


def test_the_scripted_driver_finishes():
    world = World(Config(), wm.make_tracks(Config(), 10, np.random.default_rng(5)))
    world.config = replace(Config(), train_tracks=4, test_tracks=6, episodes=2, late_episodes=2)
    score, tiles, frames = wm.examine_scripted(world)
    assert (
        score.shape == (6,) and (tiles == 1).all() and (score > 850).all() and (frames < 350).all()
    )
    np.testing.assert_allclose(score, 1000 - 0.4 * frames)


# ---- gradients -----------------------------------------------------------------------------------


def check_gradients(net, objective, grads, rng):
    """The relative error of each array's gradient, on up to 60 of its entries, is at most 1e-6."""
    assert set(net) == set(grads)
    for name, value in net.items():
        found, numeric = [], []
        strong = np.argsort(-np.abs(grads[name]).ravel())[:20]
        for i in np.unique(np.concatenate([strong, rng.integers(value.size, size=40)])):
            kept, ends = value.flat[i], []
            for sign in (1, -1):
                value.flat[i] = kept + sign * 1e-5
                ends.append(objective())
            value.flat[i] = kept
            numeric.append((ends[0] - ends[1]) / 2e-5)
            found.append(grads[name].flat[i])
        assert np.linalg.norm(numeric) > 1e-3
        assert np.linalg.norm(np.subtract(found, numeric)) <= 1e-6 * np.linalg.norm(numeric), name


@pytest.mark.parametrize("free_bits", [0.0, 0.5])
def test_gradient_of_v_with_reparameterisation_and_free_bits(free_bits):
    rng = np.random.default_rng(0)
    v = {
        name: a.astype(float) + 0.1 * rng.standard_normal(a.shape)
        for name, a in wm.make_v(TINY, rng).items()
    }
    x, noise = rng.random((6, wm.SIDE**2)), rng.standard_normal((6, 3))
    _, grads, _, kl = wm.v_gradients(v, x, noise, free_bits)
    assert free_bits == 0 or 0 < (kl > free_bits).sum() < 3  # both sides of the free bits are there
    check_gradients(v, lambda: wm.v_gradients(v, x, noise, free_bits)[0], grads, rng)


def test_loss_of_v_against_its_definition():
    rng = np.random.default_rng(1)
    v = {name: a.astype(float) for name, a in wm.make_v(TINY, rng).items()}
    x, noise = rng.random((4, wm.SIDE**2)), rng.standard_normal((4, 3))
    loss, _, cross, kl = wm.v_gradients(v, x, noise, 0.5)
    mu, log_var, _ = wm.encode(v, x)
    p = 1 / (1 + np.exp(-wm.decode(v, mu + np.sqrt(np.exp(log_var)) * noise)[0]))
    by_hand = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum() / 4
    divergence = (0.5 * (mu**2 + np.exp(log_var)) - 0.5 - 0.5 * log_var).mean(0)
    np.testing.assert_allclose(cross, by_hand)
    np.testing.assert_allclose(kl, divergence)
    np.testing.assert_allclose(loss, by_hand + np.maximum(divergence, 0.5).sum())


@pytest.mark.parametrize("components", [1, 5])
def test_gradient_of_m_through_time(components):
    rng = np.random.default_rng(2)
    m = {
        name: 3 * a.astype(float) + 0.1 * rng.standard_normal(a.shape)
        for name, a in wm.make_m(replace(TINY, components=components), rng).items()
    }
    x, target = rng.standard_normal((7, 4, 5)), rng.standard_normal((7, 4, 3))
    weight, (h, c) = rng.random((7, 4)), rng.standard_normal((2, 4, 4))
    _, grads, *_ = wm.m_gradients(m, x, target, weight, h, c)
    check_gradients(m, lambda: wm.m_gradients(m, x, target, weight, h, c)[0], grads, rng)


def test_log_deviations_are_clamped_and_get_no_gradient_there():
    raw = np.array([[[-9.0, 0.0, 9.0]]])
    loss, to_out = wm.nll_of(
        (np.zeros((1, 1, 3)), np.zeros((1, 1, 3)), raw), np.zeros((1, 1)), np.ones(1)
    )
    assert to_out[0, 0, 2, 0] == 0 and to_out[0, 0, 2, 2] == 0 and to_out[0, 0, 2, 1] != 0
    density = np.mean(np.exp([5.0, 0.0, -2.0])) / np.sqrt(2 * np.pi)
    assert loss == pytest.approx(-np.log(density))


def test_lstm_step_by_hand():
    m = {"step": np.zeros((3, 4)), "step_bias": np.array([1.0, 2.0, 3.0, 0.5])}
    m["step"][2] = 0.1  # from h
    h, c, _ = wm.lstm(m, np.zeros((1, 2)), np.array([[0.5]]), np.array([[-0.3]]))

    def s(x):
        return 1 / (1 + np.exp(-x))

    by_hand = s(2.05) * -0.3 + s(1.05) * np.tanh(0.55)
    assert c[0, 0] == pytest.approx(by_hand) and h[0, 0] == pytest.approx(
        s(3.05) * np.tanh(by_hand)
    )


def test_forget_gates_start_open():
    m = wm.make_m(TINY, np.random.default_rng(0))
    assert m["step_bias"].tolist() == [0] * 4 + [1] * 4 + [0] * 8
    paper_like = wm.make_m(Config(), np.random.default_rng(0))
    assert paper_like["step"].size + paper_like["step_bias"].size == 83 * 256


def test_adam_by_hand():
    net = {"w": np.array([1.0, -2.0])}
    adam = Adam(net, 1.0)
    m = v = 0
    expected = net["w"].copy()
    for t, g in enumerate((np.array([3.0, 4.0]), np.array([0.3, -0.1])), 1):
        adam.step({"w": g}, 0.1)
        g = g / max(1, np.linalg.norm(g))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(net["w"], expected, rtol=1e-5)
    with pytest.raises(FloatingPointError, match="update 3"):
        adam.step({"w": np.array([np.nan, 0])}, 0.1)


# ---- CMA-ES --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_cmaes_solves_a_rotated_ellipsoid(seed):
    rng = np.random.default_rng(seed)
    axes, n = np.linalg.qr(rng.standard_normal((20, 20)))[0], 20
    stretch = 10 ** (6 * np.arange(n) / (n - 1))  # condition 1e6
    search, calls, best = CMAES(3 * np.ones(n), 1.0, 12, rng), 0, np.inf
    while calls < 60_000 and best > 1e-10:
        losses = ((search.ask() @ axes) ** 2 * stretch).sum(1)
        search.tell(losses)
        calls, best = calls + 12, min(best, losses.min())
    assert best <= 1e-10 and calls < 30_000


def test_cmaes_first_generation_by_hand():
    search = CMAES(np.array([1.0, 2.0, 3.0]), 0.7, 4, np.random.default_rng(0))
    x = search.ask()
    y, before = (x - [1, 2, 3]) / 0.7, search.sigma
    search.tell(np.array([2.0, 0.0, 3.0, 1.0]))  # the order is 1, 3, 0, 2
    w = np.array([np.log(2.5), np.log(2.5) - np.log(2)])
    w /= w.sum()
    eff = 1 / (w**2).sum()
    move = w[0] * y[1] + w[1] * y[3]
    np.testing.assert_allclose(search.mean, np.array([1, 2, 3]) + 0.7 * move)
    c_s, c_c = (eff + 2) / (3 + eff + 5), (4 + eff / 3) / (7 + 2 * eff / 3)
    p_s = np.sqrt(c_s * (2 - c_s) * eff) * move
    p_c = np.sqrt(c_c * (2 - c_c) * eff) * move
    c_1 = 2 / (4.3**2 + eff)
    c_mu = min(1 - c_1, 2 * (eff - 2 + 1 / eff) / (25 + eff))
    new = (1 - c_1 - c_mu) * np.eye(3) + c_1 * np.outer(p_c, p_c)
    new += c_mu * (w[0] * np.outer(y[1], y[1]) + w[1] * np.outer(y[3], y[3]))
    expected = np.sqrt(3) * (1 - 1 / 12 + 1 / 189)
    d_s = 1 + c_s + 2 * max(0, np.sqrt((eff - 1) / 4) - 1)
    np.testing.assert_allclose(search.p_s, p_s)
    np.testing.assert_allclose(
        search.sigma, before * np.exp(c_s / d_s * (np.linalg.norm(p_s) / expected - 1))
    )
    np.testing.assert_allclose(search.C, new)
    np.testing.assert_allclose(search.basis * search.scales**2 @ search.basis.T, new, atol=1e-12)


def test_the_evolution_path_is_whitened_by_the_root_of_the_covariance():
    search, rng = CMAES(np.zeros(4), 0.5, 8, np.random.default_rng(0)), np.random.default_rng(1)
    for _ in range(5):
        before, mean, sigma = search.p_s.copy(), search.mean.copy(), search.sigma
        values, axes = np.linalg.eigh(search.C)
        search.tell(((search.ask() - 3) ** 2 * [1, 10, 100, 1000]).sum(1) + rng.random(8))
        white = axes / np.sqrt(values) @ axes.T @ (search.mean - mean) / sigma
        expected = (1 - search.c_s) * before + np.sqrt(
            search.c_s * (2 - search.c_s) * search.eff
        ) * white
        np.testing.assert_allclose(search.p_s, expected, atol=1e-9)
    assert values.max() > 1.5 * values.min()


# ---- C and the drive -----------------------------------------------------------------------------


def test_sizes_of_the_arms():
    sizes = {name: arm.size(Config()) for name, arm in (ARMS | MORE_ARMS).items()}
    assert sizes == {
        "v": 34,
        "v_hidden": 154,
        "v_raw": 162,
        "v_m": 162,
        "h_only": 130,
        "v_stack": 130,
        "blind": 2,
    }


@pytest.mark.parametrize("hidden", [0, 2])
def test_actions_by_hand(hidden):
    rng, arm = np.random.default_rng(0), Arm(hidden=hidden)
    config = replace(TINY, latent=3)
    theta, f = rng.standard_normal((5, arm.size(config))), rng.standard_normal((5, 3))
    found = wm.act(arm, theta, f)
    for n in range(5):
        x, rest = f[n], theta[n]
        for outputs in ([hidden] if hidden else []) + [2]:
            size = (len(x) + 1) * outputs
            w, rest = rest[:size].reshape(len(x) + 1, outputs), rest[size:]
            x = np.tanh(x @ w[:-1] + w[-1])
        np.testing.assert_allclose(found[n], x)
        assert not len(rest)


def test_the_search_starts_with_a_foot_on_the_gas():
    for arm in (ARMS | MORE_ARMS).values():
        theta = wm.weights(arm, TINY, np.zeros((1, arm.size(TINY))))
        action = wm.act(arm, theta, np.ones((1, arm.inputs(TINY))))
        np.testing.assert_allclose(action, [[0, np.tanh(TINY.pedal)]])
    unit = wm.scales(Arm(hidden=8), TINY)
    assert unit[:32] == pytest.approx(1 / 2) and unit[32:] == pytest.approx(1 / 3)


def log_of(seen):
    def watch(frame, ids, cars, view, z, h, action):
        seen.append((ids.copy(), z.copy(), h.copy(), action.copy(), view.copy()))

    return watch


def test_a_drive_in_company_is_the_drive_alone(world):
    nets, rng = some_nets(), np.random.default_rng(4)
    crews = [
        (arm, rng.standard_normal((3, arm.size(TINY))))
        for arm in (*ARMS.values(), *MORE_ARMS.values())
    ]
    track, point = np.array([0, 3]), np.array([10, 200])
    together = wm.drive(world, nets, crews, track, point, watch=log_of(seen := []))
    for crew, ((arm, theta), result) in enumerate(zip(crews, together)):
        assert result.shape == (3, 3, 2)
        (alone,) = wm.drive(
            world, nets, [(arm, theta[1:2])], track[1:], point[1:], watch=log_of(single := [])
        )
        np.testing.assert_allclose(alone[:, 0, 0], result[:, 1, 1], rtol=1e-6)
        actions = [action[ids == 6 * crew + 3] for ids, _, _, action, _ in seen[: len(single)]]
        np.testing.assert_allclose(
            np.concatenate(actions), np.concatenate([entry[3] for entry in single]), atol=1e-3
        )
    assert (
        len(np.unique(np.concatenate([r[2].ravel() for r in together]))) > 3
    )  # they end at different frames


def test_memory_is_blank_at_the_start_and_reads_the_actions_that_were_taken(world):
    nets, seen = some_nets(), []
    theta = np.random.default_rng(5).standard_normal((1, ARMS["v_m"].size(TINY)))
    noise = np.full((6, 1, 2), 0.9, np.float32)
    wm.drive(world, nets, [(ARMS["v_m"], theta)], np.array([1]), np.array([0]), noise, log_of(seen))
    h = c = np.zeros((1, TINY.hidden_m), np.float32)
    for _, z, felt, action, view in seen:
        np.testing.assert_allclose(felt, h, atol=1e-6)
        mu = wm.encode(nets["v"], view / np.float32(255))[0]
        np.testing.assert_allclose(z, (mu - nets["z_mean"]) / nets["z_std"], rtol=1e-4, atol=1e-5)
        f = np.concatenate([z, (felt - nets["m_mean"]) / nets["m_std"]], 1)
        np.testing.assert_allclose(
            action, np.clip(wm.act(ARMS["v_m"], theta, f) + 0.9, -1, 1), atol=1e-5
        )
        h, c, _ = wm.lstm(nets["m"], np.concatenate([z, action], 1), h, c)
    assert len(seen) == 6 and (np.abs(seen[3][3]) <= 1).all()


def test_the_untrained_memory_is_another_one_and_a_stack_holds_the_last_frames(world):
    nets, theta, where = some_nets(), np.random.default_rng(6), (np.array([1]), np.array([0]))
    theta = theta.standard_normal((1, ARMS["v_m"].size(TINY)))
    trained, raw = (
        wm.drive(world, nets, [(ARMS[name], theta)], *where) for name in ("v_m", "v_raw")
    )
    assert not np.allclose(trained, raw)
    nets["raw"] = nets["m"]
    nets |= {"raw_mean": nets["m_mean"], "raw_std": nets["m_std"]}
    np.testing.assert_allclose(wm.drive(world, nets, [(ARMS["v_raw"], theta)], *where), trained)
    seen, stack = [], MORE_ARMS["v_stack"]
    theta = np.random.default_rng(7).standard_normal((1, stack.size(TINY))) * 0.3
    wm.drive(world, nets, [(stack, theta)], *where, np.zeros((6, 1, 2), np.float32), log_of(seen))
    f = np.concatenate([seen[t][1] for t in (5, 4, 3, 2)], 1)
    np.testing.assert_allclose(seen[5][3], wm.act(stack, theta, f), atol=1e-5)


def test_patience_charges_the_rest_of_the_time(world):
    nets, theta = (
        some_nets(),
        np.array([[0.0, -5.0]]),
    )  # a foot on the brake: one tile, then nothing
    where = np.array([0]), np.array([0])
    (patient,) = wm.drive(world, nets, [(MORE_ARMS["blind"], theta)], *where)
    (hasty,) = wm.drive(world, nets, [(MORE_ARMS["blind"], theta)], *where, patience=9)
    assert patient[2, 0, 0] == TINY.max_frames and hasty[2, 0, 0] == 10
    assert (
        patient[0, 0, 0]
        == pytest.approx(hasty[0, 0, 0])
        == pytest.approx(10 - 0.4 * TINY.max_frames)
    )


# ---- data, training, evaluation ------------------------------------------------------------------


def test_collected_drives_are_whole_and_on_the_right_tracks(world, monkeypatch):
    nets, theta = some_nets(), np.zeros((6, 2))
    asked, original = [], wm.drive
    monkeypatch.setattr(wm, "drive", lambda *a, **k: (asked.append(a[3]), original(*a, **k))[1])
    for unseen, legal in ((False, range(3)), (True, range(3, 5))):
        views, actions, length, reward = wm.collect(
            world, nets, MORE_ARMS["blind"], theta, np.random.default_rng(1), unseen
        )
        assert set(asked[-1].ravel()) <= set(legal)
        real = np.arange(TINY.drive_frames) < length[:, None]
        assert views[real].any(1).all() and not views[~real].any() and (length > 4).all()
        assert actions[real].std() > 0.05 and (np.abs(actions) <= 1).all()
        paid = reward[real[:, 1:]]
        assert (
            reward.shape == (6, TINY.drive_frames - 1) and (reward[:, 0] > 9).all()
        )  # the first tile, at once
        assert (
            np.isclose(paid[:, None], [-0.4, 9.6], atol=1e-5).any(1).all()
            and (paid < 0).mean() > 0.3
        )


def test_noise_is_low_passed_with_a_strength_per_episode():
    noise = wm.wander(replace(TINY, wander=2.0), 2000, 50, np.random.default_rng(0))
    assert np.corrcoef(noise[1:, -1, 0], noise[:-1, -1, 0])[0, 1] == pytest.approx(0.9, abs=0.05)
    spread = noise[200:].std(0)
    assert spread.max() < 2.5 and spread.min() < 0.5 and spread.max() > 1.2


def test_nothing_trains_on_a_test_track(monkeypatch):
    driven, original = [], wm.drive
    monkeypatch.setattr(
        wm, "drive", lambda *a, **k: (driven.append(np.ravel(a[3])), original(*a, **k))[1]
    )
    config = replace(TINY, generations=2, scout_generations=1)
    world, nets, searches, data = wm.train(config, 0, ARMS)
    assert np.concatenate(driven).max() < 3 and len(data[2]) == 12
    driven.clear()
    wm.examine(world, nets, ARMS, searches)
    assert len(driven) == 1 and sorted(driven[0]) == [3, 4]


def test_all_arms_drive_the_same_tracks_and_new_ones_each_generation(world, monkeypatch):
    driven, original = [], wm.drive
    monkeypatch.setattr(
        wm, "drive", lambda *a, **k: (driven.append((a[3], a[4], len(a[2]))), original(*a, **k))[1]
    )
    rngs = [np.random.default_rng(s) for s in range(5)]
    means = []
    found = wm.evolve(
        TINY,
        world,
        some_nets(),
        list(ARMS.values()),
        3,
        rngs[:4],
        rngs[4],
        lambda generation, searches, results: means.append(searches[3].mean.copy()),
    )
    np.testing.assert_allclose(found[3].answer, (means[1] + means[2]) / 2)
    assert [n for _, _, n in driven] == [4] * 3 and len(
        {tuple(point) for _, point, _ in driven}
    ) == 3
    assert [len(set(track)) for track, _, _ in driven] == [2, 2, 3] and [
        s.generation for s in found
    ] == [3] * 4


def test_training_lowers_the_losses(world):
    config = replace(TINY, epochs_v=60, epochs_m=30, lr_v=0.003)
    nets, losses, rng = some_nets(), {"v": [], "m": []}, np.random.default_rng(0)
    views, actions, length, _ = wm.collect(world, nets, MORE_ARMS["blind"], np.zeros((12, 2)), rng)
    real = np.arange(config.drive_frames) < length[:, None]
    wm.train_v(config, nets["v"], views[real], rng, lambda epoch, loss: losses["v"].append(loss))
    mu, deviation = wm.latents(nets, views)
    wm.train_m(
        config,
        nets["m"],
        mu,
        deviation,
        actions,
        length,
        rng,
        lambda epoch, loss: losses["m"].append(loss),
    )
    assert (
        np.mean(losses["v"][-5:]) < 0.7 * losses["v"][0]
        and np.mean(losses["m"][-5:]) < losses["m"][0] - 0.3
    )


def test_m_starts_each_episode_blank_and_skips_what_is_not_real(monkeypatch):
    seen, original = [], wm.m_gradients
    monkeypatch.setattr(wm, "m_gradients", lambda *a: (seen.append(a), original(*a))[1])
    rng, length = np.random.default_rng(0), np.array([12, 3, 7, 12])
    mu, actions = (
        rng.standard_normal((4, 12, 3)).astype(np.float32),
        np.zeros((4, 12, 2), np.float32),
    )
    wm.train_m(TINY, wm.make_m(TINY, rng), mu, 0 * mu, actions, length, rng)
    assert [a[1].shape[:2] for a in seen] == [(5, 4), (5, 3), (1, 2)]
    assert not seen[0][5].any() and seen[1][5].any()
    assert [int((a[3] > 0).sum()) for a in seen] == [
        5 + 2 + 5 + 5,
        5 + 1 + 5,
        1 + 1,
    ]  # all that have a next one
    np.testing.assert_allclose([a[3].sum() for a in seen], 1, rtol=1e-5)
    rows = seen[0][1][0, :, :3]
    for k in range(4):  # the target is the next z of the same episode
        episode = next(n for n in range(4) if np.allclose(mu[n, 0], rows[k]))
        np.testing.assert_allclose(seen[0][2][:, k], mu[episode, 1:6])


def test_paired_p_of_extremes():
    rng = np.random.default_rng(0)
    assert wm.paired_p(np.ones(100), rng) == pytest.approx(1 / 20_001)
    assert wm.paired_p(np.array([1.0, -1.0] * 50), rng) == 1
    assert wm.paired_p(np.array([1.0, 1.0]), rng) == pytest.approx(
        0.5, abs=0.02
    )  # two of four sign patterns


def test_scores_of_m_against_closed_forms():
    rng = np.random.default_rng(0)
    m = {name: 0 * a for name, a in wm.make_m(replace(TINY, components=1), rng).items()}
    z, length = rng.standard_normal((3, 9, 3)).astype(np.float32), np.array([9, 4, 1])
    real = np.concatenate([z[0, 1:], z[1, 1:4]])
    expected = (
        (0.5 * real**2 + 0.5 * np.log(2 * np.pi)).sum(1).mean()
    )  # all weights 0: a standard normal
    assert wm.model_nll(m, z, np.zeros((3, 9, 2), np.float32), length) == pytest.approx(
        expected, rel=1e-5
    )
    steps = np.concatenate([np.diff(z[0], axis=0), np.diff(z[1, :4], axis=0)])
    variance = (steps**2).mean(0)
    expected = (0.5 + 0.5 * np.log(2 * np.pi * variance)).sum()
    assert wm.persistence_nll(z, length, z, length) == pytest.approx(expected, rel=1e-5)


def test_a_dream_sees_real_frames_first_and_then_only_itself():
    rng = np.random.default_rng(0)
    m = wm.make_m(TINY, rng)
    z = rng.standard_normal((2, 10, 3)).astype(np.float32)
    actions = rng.uniform(-1, 1, (2, 10, 2)).astype(np.float32)
    out = wm.dream(m, z, actions, 4)
    assert out.shape == (2, 5, 3)
    later, earlier = z.copy(), z.copy()
    later[:, 5:] += 1
    earlier[:, 4] += 1
    np.testing.assert_array_equal(wm.dream(m, later, actions, 4), out)
    assert not np.allclose(wm.dream(m, earlier, actions, 4), out)
    h = c = np.zeros((2, 4), np.float32)
    for t in range(5):
        h, c, _ = wm.lstm(m, np.concatenate([z[:, t], actions[:, t]], 1), h, c)
    logits, mean, _ = wm.mixture(m, h, 3)
    share = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(out[:, 0], (share * mean).sum(-1), atol=1e-6)


# ---- the study: dreams and the ring --------------------------------------------------------------


def some_drives(world, nets, drives=40):
    rng = np.random.default_rng(2)
    return wm.collect(
        world, nets, ARMS["v_m"], rng.standard_normal((drives, ARMS["v_m"].size(TINY))), rng
    )


@pytest.fixture
def short(monkeypatch):
    """Half of the drives are cut as if the car had been lost in frame 4, so that there is an end to
    learn."""
    original = wm.collect

    def cut(*args, **kwargs):
        views, actions, length, reward = original(*args, **kwargs)
        length[::2] = 5
        return views, actions, length, reward

    monkeypatch.setattr(wm, "collect", cut)


def test_what_m_remembers_is_read_off_by_regression(world, short):
    nets, config = some_nets(), replace(TINY, hidden_m=4)
    data = some_drives(world, nets)
    h, c, pays, ends = wm.look_back(config, nets, data, np.random.default_rng(3))
    views, actions, length, reward = data
    mu, deviation = wm.latents(nets, views)
    z = mu + deviation * np.random.default_rng(3).standard_normal(mu.shape, np.float32)
    states, paid, over = [], [], []
    for n in range(len(z)):
        state = np.zeros((2, 1, 4), np.float32)
        for t in range(length[n] - 1):
            state = wm.lstm(nets["m"], np.concatenate([z[n, t], actions[n, t]])[None], *state)[:2]
            states.append(np.concatenate([state[0][0], state[1][0]]))
            paid.append(reward[n, t])
            over.append(t + 2 == length[n] and length[n] < views.shape[1])
    np.testing.assert_allclose(np.concatenate([h, c], 1), states, atol=1e-5)
    np.testing.assert_allclose(nets["m_mean"], h.mean(0), atol=1e-6)
    x = np.append((h - h.mean(0)) / (h.std(0) + 1e-3), np.ones((len(h), 1)), 1)
    assert sum(over) >= 20
    for weights, slope in (
        (pays, x.T @ (paid - x @ pays)),
        (ends, x.T @ (over - 1 / (1 + np.exp(-x @ ends)))),
    ):
        np.testing.assert_allclose(
            slope, weights, atol=0.02
        )  # the optimum: the slope of the fit is that of the ridge


def test_samples_of_a_mixture_have_its_shares_means_and_spreads():
    rng, n = np.random.default_rng(0), 40_000
    logits, mean = np.log([0.2, 0.5, 0.3]), np.array([-10.0, 0.0, 10.0])
    parts = [np.broadcast_to(part, (n, 1, 3)) for part in (logits, mean, np.log([0.1, 0.2, 0.3]))]
    for temperature in (1.0, 2.0):
        z = wm.sample(parts, temperature, rng.random((n, 1)), rng.standard_normal((n, 1)))[:, 0]
        share = np.array([0.2, 0.5, 0.3]) ** (1 / temperature)
        for k, expected in enumerate(share / share.sum()):
            mine = z[np.abs(z - mean[k]) < 5]
            assert len(mine) / n == pytest.approx(expected, abs=0.01)
            assert mine.std() == pytest.approx((0.1, 0.2, 0.3)[k] * np.sqrt(temperature), rel=0.05)
    parts[2] = np.full((n, 1, 3), -20.0)  # clamped to -5
    z = wm.sample(parts, 1.0, np.full((n, 1), 0.5), rng.standard_normal((n, 1)))
    assert z.std() == pytest.approx(np.exp(-5), 0.05)


def test_a_dream_by_hand():
    config = replace(TINY, school_dreams=2, school_frames=3, temperature=1.5)
    nets, rng = some_nets(), np.random.default_rng(4)
    past = [rng.standard_normal(shape).astype(np.float32) for shape in ((7, 4), (7, 4), 5, 5)]
    theta = rng.standard_normal((3, ARMS["v_m"].size(config))).astype(np.float32)
    found = wm.dreamt_return(config, nets, ARMS["v_m"], theta, past, np.random.default_rng(5))
    dice = np.random.default_rng(5)
    moments = dice.integers(7, size=2)
    luck = [
        (dice.random((2, 3), np.float32), dice.standard_normal((2, 3), np.float32))
        for _ in range(3)
    ]
    for p in range(3):
        for e in range(2):
            h, c, total, alive = past[0][moments[e]], past[1][moments[e]], 0.0, 1.0
            for uniform, normal in luck:
                z = wm.sample(wm.mixture(nets["m"], h, 3), 1.5, uniform[e], normal[e])
                f = np.concatenate([z, (h - nets["m_mean"]) / nets["m_std"]])
                action = wm.act(ARMS["v_m"], theta[p : p + 1], f[None].astype(np.float32))[0]
                x = np.concatenate([z, action]).astype(np.float32)
                h, c = (part[0] for part in wm.lstm(nets["m"], x[None], h[None], c[None])[:2])
                f = np.append((h - nets["m_mean"]) / nets["m_std"], 1)
                total += alive * (f @ past[2]) - (1 - alive) * 0.4
                alive *= 1 - 1 / (1 + np.exp(-f @ past[3]))
            assert found[p, e] == pytest.approx(total, rel=1e-3, abs=1e-3)


def test_school_drives_only_to_collect_and_only_on_training_tracks(world, monkeypatch):
    driven, original = [], wm.drive
    monkeypatch.setattr(
        wm, "drive", lambda *a, **k: (driven.append((a[3], len(a[2][0][1]))), original(*a, **k))[1]
    )
    nets = some_nets()
    config = replace(TINY, school_rounds=3, school_generations=2, school_frames=4, school_dreams=2)
    data = some_drives(world, nets, 6)
    before = nets["m"]["step"].copy()
    driven.clear()
    drivers, promised, seen = zip(*wm.school(config, world, nets, data, np.random.default_rng(0)))
    assert [n for _, n in driven] == [config.drives] * 2 and max(
        track.max() for track, _ in driven
    ) < 3
    assert (
        len(drivers) == 3
        and np.isfinite(promised).all()
        and not np.allclose(before, nets["m"]["step"])
    )
    assert seen[0] == data[2].sum() < seen[1] < seen[2]
    assert drivers[0].any() and not np.allclose(drivers[0], drivers[2])


def test_the_ring_against_a_slow_oracle():
    ring, rng = wm.Ring(replace(TINY, max_frames=25)), np.random.default_rng(0)
    actions = np.clip(0.25 + 0.5 * rng.standard_normal((25, 6, 2)), -1, 1)
    cars, ended = ring.start(np.zeros(6, int), np.full(6, 40)), np.zeros(6, int)
    for action in actions:
        done = ring.step(cars, action)
        ended += ~done
    phi = np.arange(256) / 256
    r = 8 + 1.4 * np.cos(4 * np.pi * phi + 0.7) + 0.6 * np.cos(6 * np.pi * phi + 1.9)
    line = [(a * np.cos(2 * np.pi * s), a * np.sin(2 * np.pi * s)) for a, s in zip(r, phi)]
    assert sum(np.hypot(*np.subtract(line[i - 1], line[i])) for i in range(256)) == pytest.approx(
        52.37, abs=0.01
    )
    for n in range(6):
        (x, y), v, at, score = line[40], 0.0, 40, 0.0
        theta = np.arctan2(line[41][1] - y, line[41][0] - x)
        out = 0
        for steer, pedal in actions[:, n]:
            v = min(max(v + 0.10 * (pedal + 1) / 2 - 0.04 * v, 0), 1.6)
            theta += 0.4 * steer * v
            x, y = x + v * np.cos(theta), y + v * np.sin(theta)
            distance = [np.hypot(x - a, y - b) for a, b in line]
            new = int(np.argmin(distance))
            moved = min((new - at + k for k in (-256, 0, 256)), key=abs)
            score, at = score + 30 * moved / 256 - 0.5 * max(0, min(distance) - 1.4), new
            out += min(distance) > 2.8
        assert cars["score"][n] == pytest.approx(score) and cars["point"][n] == at
        assert ended[n] == (24 if not out else 25 - out - (min(distance) <= 2.8))


def test_driving_the_ring_backwards_costs_what_forwards_earns():
    ring, scores = wm.Ring(TINY), []
    for turned in (0, np.pi):
        cars = ring.start(np.zeros(1, int), np.array([40]))
        cars["heading"] = cars["heading"] + turned
        for _ in range(8):
            ring.step(cars, np.array([[0.0, 1.0]]))
        scores.append(cars["score"][0])
    assert scores[0] > 1 and scores[1] == pytest.approx(-scores[0], abs=0.4)


def test_on_the_ring_the_road_is_white_and_the_car_heads_up():
    ring = wm.Ring(TINY)
    for point in (0, 90, 200):
        xy, heading = ring.line[point], ring.heading[point]
        view = ring.views(None, xy[None], np.array([heading])).reshape(16, 16)
        wrong = 0
        for row in range(16):
            for column in range(16):
                ahead, left = 3.75 - 0.5 * row, 3.75 - 0.5 * column
                place = xy + ahead * np.array([np.cos(heading), np.sin(heading)])
                place += left * np.array([-np.sin(heading), np.cos(heading)])
                wrong += (view[row, column] > 0) != (np.hypot(*(ring.line - place).T).min() < 1.4)
        assert (
            wrong < 12 and view[7:9, 7:9].all() and 0.2 < (view > 0).mean() < 0.6
        )  # cells of 0.12 m blur the edge


def test_a_constant_action_gets_a_seventh_of_the_way_round_the_ring():
    found = wm.ring_controls(replace(TINY, ring_generations=1), np.random.default_rng(0))
    assert found["ring_constant"] == pytest.approx(15.14, abs=0.01)
    assert found["ring_by_heart_drives"] == 20 * 24 and found["ring_by_heart"] > 1


def test_one_start_can_be_driven_with_closed_eyes_and_others_cannot():
    config = replace(TINY, ring_generations=4)
    found, again = wm.ring_drivers(config, 0), wm.ring_drivers(config, 0)
    assert found["ring_closed_eyes"] == pytest.approx(found["ring_v_m"], abs=1e-4)
    assert found["ring_closed_eyes_elsewhere"] != pytest.approx(
        found["ring_v_m_elsewhere"], abs=1e-2
    )
    assert found.pop("ring_seconds") > 0 and again.pop("ring_seconds") > 0 and found == again
    assert found["ring_naive"] != found["ring_v_m"] != found["ring_v"]


def test_the_naive_driver_reads_nets_that_learned_nothing(monkeypatch):
    seen, original = [], wm.evolve
    monkeypatch.setattr(wm, "evolve", lambda *a, **k: (seen.append(a[2]), original(*a, **k))[1])
    wm.ring_drivers(replace(TINY, ring_generations=1, epochs_v=2), 0)
    rng, config = np.random.default_rng([0, 1]), replace(TINY, **wm.RING)
    fresh = {"v": wm.make_v(config, rng, 256), "m": wm.make_m(config, rng)}
    for name in ("v", "m"):
        for key, value in fresh[name].items():
            np.testing.assert_array_equal(seen[2][name][key], value)
        assert not np.allclose(seen[0][name][key], fresh[name][key])


def test_a_quick_study_reports_the_dreams_round_by_round_and_every_ring():
    config = replace(
        TINY,
        generations=2,
        scout_generations=1,
        schools=2,
        school_rounds=2,
        school_generations=1,
        school_frames=4,
        school_dreams=2,
        rings=2,
        ring_generations=1,
    )
    found = wm.study(config, 0)
    for k in range(2):
        for name in ("score", "sd", "tiles", "promised", "paid", "frames_seen", "scripted"):
            assert len(found[f"school_{k}_{name}"]) == 2
    assert found["school_0_scripted"] != found["school_1_scripted"] and len(found["ring_v_m"]) == 2
    assert len(set(found["ring_v_m"])) == 2 and found["v_m_frames_driven"] > 4 * 2 * 2


def test_quick_run_reports_what_the_claims_need_and_another_seed_gives_other_numbers():
    config = replace(TINY, generations=2, scout_generations=1, warm_frames=3, dream_frames=3)
    first, again, other = (wm.run(config, seed) for seed in (0, 0, 1))
    timing = {name for name in first if name.endswith("_per_second")}
    assert timing == {"env_steps_per_second"}
    assert {k: v for k, v in first.items() if k not in timing} == {
        k: v for k, v in again.items() if k not in timing
    }
    assert first["v_score"] != other["v_score"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_v": 100_000},
        {"warm_frames": 150, "dream_frames": 20},
        {"episodes": 65},
        {"late_episodes": 65},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ValueError):
        Config(**wrong)
