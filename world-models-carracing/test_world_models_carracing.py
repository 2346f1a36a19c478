"""Tests of world_models_carracing.py: the tracks and the car against slow oracles and cases worked
by hand, gradients against central differences, CMA-ES on a rotated ellipsoid, driving in a batch
against driving alone, and the wiring of run()."""

from dataclasses import replace

import numpy as np
import pytest
import study_world_models_carracing as study
import world_models_carracing as wm
from world_models_carracing import ARMS, CMAES, POINTS, Adam, Arm, Config, Memory, World

TINY = Config(
    latent=3,
    hidden_v=5,
    hidden_m=4,
    train_tracks=3,
    test_tracks=2,
    drives=6,
    window=5,
    epochs_v=1,
    epochs_m=1,
    population=4,
    episodes=2,
    late_episodes=3,
    generations=4,
)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Episodes, batches and averages are short in all tests."""
    small = {"MAX_FRAMES": 40, "DRIVE_FRAMES": 12, "BATCH_V": 16, "BATCH_M": 4, "AVERAGED": 2}
    for name, value in (small | {"VALIDATION_TRACKS": 2, "CURVE_EVERY": 2}).items():
        monkeypatch.setattr(wm, name, value)


@pytest.fixture(scope="module")
def world():
    made = World(wm.make_tracks(5, np.random.default_rng(1)))
    made.train, made.test = np.arange(3), np.arange(3, 5)
    return made


def a_circle(radius=30.0):
    """A world with one round track, driven counter-clockwise from (radius, 0)."""
    phi = np.arange(POINTS) * 2 * np.pi / POINTS
    return World(radius * np.stack([np.cos(phi), np.sin(phi)], 1)[None])


def some_nets(seed=0, config=TINY):
    rng = np.random.default_rng(seed)
    nets = {"eye": wm.Eye(config, rng), "m": Memory(config, rng), "untrained": Memory(config, rng)}
    for net in nets.values():
        net.mean = rng.standard_normal(len(net.mean)).astype(np.float32) * 0.1
        net.deviation = rng.uniform(0.5, 1.5, len(net.mean)).astype(np.float32)
    return nets


# ---- the world -----------------------------------------------------------------------------------


def test_tracks_keep_their_promises():
    tracks = wm.make_tracks(20, np.random.default_rng(0))
    assert tracks.shape == (20, POINTS, 2) and np.abs(tracks).max() < 60
    step = np.roll(tracks, -1, 1) - tracks
    length = np.hypot(*step.transpose(2, 0, 1))
    assert (length.max(1) / length.min(1) < 1.1).all()  # equal arcs, chords shorter in bends
    assert 180 < length.sum(1).mean() < 260
    turn = np.angle(np.exp(1j * np.diff(np.arctan2(step[..., 1], step[..., 0]), axis=1)))
    assert (np.abs(turn) / length[:, 1:] < 1 / 4.5).all()  # no bend much tighter than 5 m
    assert 2 < (turn.sum(1) > 0).sum() < 18  # both directions occur
    apart = np.abs(np.arange(POINTS)[:, None] - np.arange(POINTS))
    apart = np.minimum(apart, POINTS - apart)
    for line, total in zip(tracks, length.sum(1)):
        distance = np.hypot(*(line[:, None] - line).T)
        assert distance[apart * total / POINTS > 21].min() > 8.5


def test_maps_agree_with_a_search_over_all_points(world):
    rng = np.random.default_rng(2)
    track = rng.integers(5, size=400)
    xy = world.points[track, rng.integers(POINTS, size=400)]
    xy = xy + rng.uniform(-7, 7, (400, 2)).astype(np.float32)
    point, far = world.locate(track, xy)
    distance = np.hypot(*(world.points[track] - xy[:, None]).transpose(2, 0, 1))  # (400, P)
    np.testing.assert_allclose(far, distance.min(1), atol=1e-4)
    assert (point == distance.argmin(1)).mean() > 0.99  # ties apart
    assert world.locate(np.array([0]), np.full((1, 2), 0.5 - wm.ORIGIN))[1] > wm.LOST


def test_a_view_agrees_with_looking_up_pixel_by_pixel(world):
    rng = np.random.default_rng(3)
    track, point = rng.integers(5, size=8), rng.integers(POINTS, size=8)
    xy, heading = world.points[track, point] + rng.uniform(-2, 2, (8, 2)), rng.uniform(-3, 3, 8)
    views = world.views(track, xy, heading).reshape(8, wm.SIDE, wm.SIDE)
    wrong = 0
    for n, row, column in np.ndindex(8, wm.SIDE, wm.SIDE):
        ahead, left = (24 - row) * 0.75, (15.5 - column) * 0.75
        place = xy[n] + ahead * np.array([np.cos(heading[n]), np.sin(heading[n])])
        place += left * np.array([-np.sin(heading[n]), np.cos(heading[n])])
        distance = np.hypot(*(world.points[track[n]] - place).T)
        seam = distance.argmin() % 20 < 2
        wrong += views[n, row, column] != (0 if distance.min() >= 3 else 204 if seam else 255)
    assert wrong < 0.03 * views.size  # only where a pixel straddles an edge
    assert set(np.unique(views)) == {0, 204, 255}


def test_the_view_shows_what_is_ahead_above_and_what_is_left_to_the_left():
    view = a_circle().views(np.array([0]), np.array([[30.0, 0.0]]), np.array([np.pi / 2]))
    view = view.reshape(wm.SIDE, wm.SIDE)
    assert view[24, 15] and view[24, 16] and not view[24, 24] and not view[24, 7]  # grass at 6 m
    assert view[4, :16].any() and not view[4, 18:].any()  # the road bends away to the left


def test_neither_speed_nor_wheel_can_be_seen():
    circle = a_circle()
    cars = circle.start(np.zeros(2, int), np.zeros(2, int))
    cars["speed"][0], cars["wheel"][0] = 9, 0.4
    view = circle.views(cars["track"], cars["xy"], cars["heading"])
    assert (view[0] == view[1]).all()


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
    found = [cars["speed"], cars["wheel"], cars["heading"]]
    np.testing.assert_allclose(found, [[speed], [wheel], new])
    moved = xy + 0.1 * speed * np.stack([np.cos(new), np.sin(new)], 1)
    np.testing.assert_allclose(cars["xy"], moved)
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
    cars["frames"][1] = wm.MAX_FRAMES - 1
    cars["visited"][2, 1:], cars["tiles"][2] = True, wm.TILES - 1
    assert circle.step(cars, np.zeros((4, 2))).tolist() == [True, True, True, False]
    assert cars["visited"][0].sum() == 0 and cars["visited"][2].all()  # no tile counts 10 m off


def test_a_tile_counts_within_four_metres():
    circle = a_circle()
    cars = circle.start(np.zeros(2, int), np.zeros(2, int))
    cars["xy"][:, 0] += 3.8, 4.2
    circle.step(cars, np.zeros((2, 2)))
    assert cars["visited"].sum(1).tolist() == [1, 0]


def test_the_scripted_driver_finishes(world, monkeypatch):
    monkeypatch.setattr(wm, "MAX_FRAMES", 400)
    score = wm.examine_scripted(world, world.test)
    assert score.shape == (2,) and (score > 850).all() and (score < 940).all()


# ---- gradients -----------------------------------------------------------------------------------


def check_gradients(net, objective, grads, rng):
    """The relative error of each array's gradient, on up to 60 of its entries, is at most 1e-6."""
    assert set(net) == set(grads)
    for name, value in net.items():
        assert grads[name].shape == value.shape
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


def loss_of_v(v, x, noise):
    """The loss of V as the paper writes it, and KL of each latent number."""
    mu, log_var, _ = wm.encode(v, x)
    logits, _ = wm.decode(v, mu + np.sqrt(np.exp(log_var)) * noise)
    cross = (np.logaddexp(0, logits) - x * logits).sum() / len(x)  # -log p(x), Bernoulli
    kl = (0.5 * (mu**2 + np.exp(log_var)) - 0.5 - 0.5 * log_var).mean(0)
    return cross + np.maximum(kl, wm.FREE_NATS).sum(), kl


@pytest.mark.parametrize("free_nats", [0.0, 0.5])
def test_gradient_of_v_with_reparameterisation_and_free_nats(free_nats, monkeypatch):
    monkeypatch.setattr(wm, "FREE_NATS", free_nats)
    rng = np.random.default_rng(0)
    v = {
        name: a.astype(float) + 0.1 * rng.standard_normal(a.shape)
        for name, a in wm.make_v(TINY, rng).items()
    }
    x, noise = rng.random((6, wm.SIDE**2)), rng.standard_normal((6, 3))
    _, kl = loss_of_v(v, x, noise)
    assert free_nats == 0 or 0 < (kl > free_nats).sum() < 3  # some pay and some do not
    grads = wm.v_gradient(v, x, noise)
    check_gradients(v, lambda: loss_of_v(v, x, noise)[0], grads, rng)


@pytest.mark.parametrize("components", [1, 5])
def test_gradient_of_m_through_time(components):
    rng = np.random.default_rng(2)
    m = {
        name: 3 * a.astype(float) + 0.1 * rng.standard_normal(a.shape)
        for name, a in wm.make_m(replace(TINY, components=components), rng).items()
    }
    z, action = rng.standard_normal((7, 4, 3)), rng.standard_normal((7, 4, 2))
    target, weight = rng.standard_normal((7, 4, 3)), rng.random((7, 4))
    h, c = rng.standard_normal((2, 4, 4))
    window = z, action, target, weight, h, c
    loss, grads, last_h, _ = wm.m_gradient(m, *window)
    check_gradients(m, lambda: wm.m_gradient(m, *window)[0], grads, rng)
    expected = 0
    for t in range(7):  # the loss by its definition
        h, c, _ = wm.lstm(m, wm.feed(m, z[t], action[t]), h, c)
        logits, mean, log_s = wm.mixture(m, h)  # (K, Z, B)
        pi, s = np.exp(logits) / np.exp(logits).sum(0), np.exp(np.clip(log_s, -5, 2))
        density = pi * np.exp(-0.5 * ((target[t].T - mean) / s) ** 2) / s / np.sqrt(2 * np.pi)
        expected -= (np.log(density.sum(0)).sum(0) * weight[t]).sum()
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(last_h, h)


def test_log_deviations_are_clamped_and_get_no_gradient_there():
    out = np.zeros((3, 3, 1, 1))
    out[2, :, 0, 0] = -9, 0, 9
    loss, d_out = wm.mixture_loss(out, np.zeros((1, 1)), np.ones(1))
    assert d_out[2, 0] == 0 and d_out[2, 2] == 0 and d_out[2, 1] != 0
    density = np.mean(np.exp([5.0, 0.0, -2.0])) / np.sqrt(2 * np.pi)
    assert loss == pytest.approx(-np.log(density))


def test_lstm_step_by_hand():
    m = {"recurrent": np.full((1, 4), 0.1)}
    fed = np.array([[1.0, 2.0, 3.0, 0.5]])
    h, c, _ = wm.lstm(m, fed, np.array([[0.5]]), np.array([[-0.3]]))

    def s(x):
        return 1 / (1 + np.exp(-x))

    by_hand = s(2.05) * -0.3 + s(1.05) * np.tanh(0.55)
    assert c[0, 0] == pytest.approx(by_hand)
    assert h[0, 0] == pytest.approx(s(3.05) * np.tanh(by_hand))


def test_forget_gates_start_open_and_sizes_are_the_papers_kind():
    m = wm.make_m(TINY, np.random.default_rng(0))
    assert m["bias"].tolist() == [0] * 4 + [1] * 4 + [0] * 8
    m = wm.make_m(Config(), np.random.default_rng(0))
    assert m["input"].size + m["recurrent"].size + m["bias"].size == 83 * 256


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


def test_cmaes_solves_a_rotated_ellipsoid():
    rng, n = np.random.default_rng(0), 12
    axes = np.linalg.qr(rng.standard_normal((n, n)))[0]
    stretch = 10 ** (6 * np.arange(n) / (n - 1))  # condition 1e6
    search, calls, best = CMAES(3 * np.ones(n), 1.0, 12, rng), 0, np.inf
    while calls < 30_000 and best > 1e-10:
        losses = ((search.ask() @ axes) ** 2 * stretch).sum(1)
        search.tell(losses)
        calls, best = calls + 12, min(best, losses.min())
    assert best <= 1e-10 and calls < 15_000


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
    sigma = before * np.exp(c_s / d_s * (np.linalg.norm(p_s) / expected - 1))
    np.testing.assert_allclose(search.sigma, sigma)
    np.testing.assert_allclose(search.C, new)
    np.testing.assert_allclose(search.basis * search.scales**2 @ search.basis.T, new, atol=1e-12)


def test_the_evolution_path_is_whitened_by_the_root_of_the_covariance():
    search, rng = CMAES(np.zeros(4), 0.5, 8, np.random.default_rng(0)), np.random.default_rng(1)
    for _ in range(5):
        before, mean, sigma = search.p_s.copy(), search.mean.copy(), search.sigma
        values, axes = np.linalg.eigh(search.C)
        search.tell(((search.ask() - 3) ** 2 * [1, 10, 100, 1000]).sum(1) + rng.random(8))
        white = axes / np.sqrt(values) @ axes.T @ (search.mean - mean) / sigma
        gain = np.sqrt(search.c_s * (2 - search.c_s) * search.eff)
        expected = (1 - search.c_s) * before + gain * white
        np.testing.assert_allclose(search.p_s, expected, atol=1e-9)
    assert values.max() > 1.5 * values.min()


# ---- C and the drive -----------------------------------------------------------------------------


def test_sizes_of_the_arms():
    sizes = {name: arm.size(Config()) for name, arm in (ARMS | study.OTHERS).items()}
    v_m = {"v_untrained": 162, "v_m": 162, "h_alone": 130, "stack": 162}
    assert sizes == {"v": 34, "v_hidden": 154} | v_m


@pytest.mark.parametrize("hidden", [0, 2])
def test_actions_by_hand(hidden):
    rng, arm = np.random.default_rng(0), Arm(hidden=hidden)
    theta, f = rng.standard_normal((5, arm.size(TINY))), rng.standard_normal((5, 3))
    found = wm.act(arm, theta, f)
    for n in range(5):
        x, rest = f[n], theta[n]
        for outputs in ([hidden] if hidden else []) + [2]:
            size = (len(x) + 1) * outputs
            w, rest = rest[:size].reshape(len(x) + 1, outputs), rest[size:]
            x = np.tanh(x @ w[:-1] + w[-1])
        np.testing.assert_allclose(found[n], x)
        assert not len(rest)


def test_the_search_starts_with_a_foot_on_the_gas_and_steps_are_alike():
    for arm in (ARMS | study.OTHERS).values():
        theta = arm.weights(TINY, np.zeros((1, arm.size(TINY))))
        inputs = arm.layers(TINY)[0][0] - 1
        action = wm.act(arm, theta, np.ones((1, inputs)))
        np.testing.assert_allclose(action, [[0, np.tanh(wm.PEDAL)]])
    unit = Arm(hidden=8).weights(TINY, np.ones((1, 50)))[0]
    assert unit[:32] == pytest.approx(1 / 2) and unit[32:-1] == pytest.approx(1 / 3)


def log_of(seen):
    def watch(frame, cars, view, z, action):
        seen.append([a.copy() for a in (cars["number"], z, cars["h"], action, view)])

    return watch


def test_a_drive_in_company_is_the_drive_alone(world):
    nets, rng = some_nets() | {"stack": study.FrameStack()}, np.random.default_rng(4)
    arms = (ARMS | study.OTHERS).values()
    crews = [(arm, rng.standard_normal((3, arm.size(TINY)))) for arm in arms]
    track, point = np.array([0, 3]), np.array([10, 200])
    together = wm.drive(world, nets, crews, track, point, watch=log_of(seen := []))
    for crew, ((arm, theta), result) in enumerate(zip(crews, together)):
        assert result.shape == (3, 3, 2)
        alone = [(arm, theta[1:2])]
        (alone,) = wm.drive(world, nets, alone, track[1:], point[1:], watch=log_of(single := []))
        np.testing.assert_allclose(alone[:, 0, 0], result[:, 1, 1], rtol=1e-6)
        actions = [entry[3][entry[0] == 6 * crew + 3] for entry in seen[: len(single)]]
        expected = np.concatenate([entry[3] for entry in single])
        np.testing.assert_allclose(np.concatenate(actions), expected, atol=1e-3)
    frames = np.concatenate([r[2].ravel() for r in together])
    assert len(np.unique(frames)) > 3  # they end at different frames


def test_memory_is_blank_at_the_start_and_reads_the_actions_that_were_taken(world):
    nets, seen = some_nets(), []
    theta = np.random.default_rng(5).standard_normal((1, ARMS["v_m"].size(TINY)))
    noise = np.full((6, 1, 2), 0.9, np.float32)
    where = np.array([1]), np.array([0])
    wm.drive(world, nets, [(ARMS["v_m"], theta)], *where, noise, log_of(seen))
    m, eye = nets["m"], nets["eye"]
    h = c = np.zeros((1, TINY.hidden_m), np.float32)
    for _, z, felt, action, view in seen:
        np.testing.assert_allclose(felt, h, atol=1e-6)
        mu = wm.encode(eye.v, view / np.float32(255))[0]
        np.testing.assert_allclose(z, (mu - eye.mean) / eye.deviation, rtol=1e-4, atol=1e-5)
        f = np.concatenate([z, (felt - m.mean) / m.deviation], 1)
        wanted = np.clip(wm.act(ARMS["v_m"], theta, f) + 0.9, -1, 1)
        np.testing.assert_allclose(action, wanted, atol=1e-5)
        h, c, _ = wm.lstm(m.m, wm.feed(m.m, z, action), h, c)
    assert len(seen) == 6 and (np.abs(seen[3][3]) <= 1).all()


def test_the_untrained_memory_is_another_one_and_a_stack_holds_the_last_frames(world):
    config = replace(TINY, hidden_m=12)
    nets, where = some_nets(config=config), (np.array([1]), np.array([0]))
    theta = np.random.default_rng(6).standard_normal((1, ARMS["v_m"].size(config)))
    trained, untrained = (
        wm.drive(world, nets, [(ARMS[name], theta)], *where) for name in ("v_m", "v_untrained")
    )
    assert not np.allclose(trained, untrained)
    again = wm.drive(world, nets | {"untrained": nets["m"]}, [(ARMS["v_untrained"], theta)], *where)
    np.testing.assert_allclose(again, trained)
    nets["stack"], seen, arm = study.FrameStack(), [], study.OTHERS["stack"]
    wm.drive(world, nets, [(arm, 0.3 * theta)], *where, watch=log_of(seen))
    f = np.concatenate([seen[t][1] for t in (5, 4, 3, 2, 1)], 1)
    np.testing.assert_allclose(seen[5][3], wm.act(arm, 0.3 * theta, f), atol=1e-5)


def test_patience_charges_the_rest_of_the_time(world):
    nets, theta = some_nets(), wm.random_driver(TINY, 1)
    theta[:, -1] = -5  # a foot on the brake: one tile, then nothing
    where = np.array([0]), np.array([0])
    (patient,) = wm.drive(world, nets, [(ARMS["v"], theta)], *where)
    (hasty,) = wm.drive(world, nets, [(ARMS["v"], theta)], *where, patience=9)
    assert patient[2, 0, 0] == 40 and hasty[2, 0, 0] == 10
    assert patient[0, 0, 0] == pytest.approx(10 - 0.4 * 40)
    assert hasty[0, 0, 0] == pytest.approx(10 - 0.4 * 40)


# ---- data and training ---------------------------------------------------------------------------


def test_collected_drives_are_whole_and_on_the_right_tracks(world, monkeypatch):
    asked, original = [], wm.drive
    monkeypatch.setattr(wm, "drive", lambda *a, **k: (asked.append(a[3]), original(*a, **k))[1])
    theta = wm.random_driver(TINY, 6)
    for legal in (world.train, world.test):
        data = wm.collect(world, some_nets(), ARMS["v"], theta, legal, np.random.default_rng(1))
        views, actions, length = data
        assert set(asked[-1].ravel()) <= set(legal)
        real = np.arange(wm.DRIVE_FRAMES) < length[:, None]
        assert views[real].any(1).all() and not views[~real].any() and (length > 4).all()
        assert actions[real].std() > 0.05 and (np.abs(actions) <= 1).all()


def test_noise_is_low_passed_with_a_strength_per_episode():
    noise = wm.wander(2000, 50, np.random.default_rng(0))
    assert np.corrcoef(noise[1:, -1, 0], noise[:-1, -1, 0])[0, 1] == pytest.approx(0.9, abs=0.05)
    spread = noise[200:].std(0)
    assert spread.max() < 1.25 and spread.min() < 0.25 and spread.max() > 0.6


def test_training_lowers_the_losses(world, monkeypatch):
    monkeypatch.setattr(wm, "LEARNING_RATE_V", 0.003)
    config = replace(TINY, epochs_v=60, epochs_m=30)
    nets, rng = some_nets(), np.random.default_rng(0)
    data = wm.collect(world, nets, ARMS["v"], wm.random_driver(TINY, 12), world.train, rng)
    views, actions, length = data
    real = np.arange(wm.DRIVE_FRAMES) < length[:, None]
    x, noise = views[real] / 255, rng.standard_normal((real.sum(), 3))
    before = loss_of_v(nets["eye"].v, x, noise)[0]
    wm.train_v(config, nets["eye"].v, views[real], rng, lambda *_: None)
    assert loss_of_v(nets["eye"].v, x, noise)[0] < 0.75 * before
    mu, deviation = wm.latents(nets["eye"], views)
    before = study.nats_per_frame(nets["m"], mu, actions, length)
    wm.train_m(config, nets["m"].m, mu, deviation, actions, length, rng, lambda *_: None)
    assert study.nats_per_frame(nets["m"], mu, actions, length) < before - 0.3


def test_m_starts_each_episode_blank_and_never_sees_what_it_is_to_tell(monkeypatch):
    seen, original = [], wm.m_gradient
    monkeypatch.setattr(wm, "m_gradient", lambda *a: (seen.append(a), original(*a))[1])
    rng, length = np.random.default_rng(0), np.array([12, 3, 7, 12])
    mu = rng.standard_normal((4, 12, 3)).astype(np.float32)
    actions = np.zeros((4, 12, 2), np.float32)
    m = wm.make_m(TINY, rng)
    wm.train_m(TINY, m, mu, 0 * mu, actions, length, rng, lambda *_: None)
    assert [a[1].shape[:2] for a in seen] == [(5, 4), (5, 3), (1, 2)]
    assert not seen[0][5].any() and seen[1][5].any()
    real = [int((a[4] > 0).sum()) for a in seen]  # all that have a next frame
    assert real == [5 + 2 + 5 + 5, 5 + 1 + 5, 1 + 1]
    np.testing.assert_allclose([a[4].sum() for a in seen], 1, rtol=1e-5)
    for k in range(4):  # the target is the next z of the same episode
        episode = next(n for n in range(4) if np.allclose(mu[n, 0], seen[0][1][0, k]))
        np.testing.assert_allclose(seen[0][1][:, k], mu[episode, :5])
        np.testing.assert_allclose(seen[0][3][:, k], mu[episode, 1:6])


def test_scores_of_m_against_closed_forms():
    rng = np.random.default_rng(0)
    memory = Memory(replace(TINY, components=1), rng)
    memory.m = {name: 0 * a for name, a in memory.m.items()}  # a standard normal
    z, length = rng.standard_normal((3, 9, 3)).astype(np.float32), np.array([9, 4, 1])
    actions = np.zeros((3, 9, 2), np.float32)
    real = np.concatenate([z[0, 1:], z[1, 1:4]])
    expected = (0.5 * real**2 + 0.5 * np.log(2 * np.pi)).sum(1).mean()
    assert study.nats_per_frame(memory, z, actions, length) == pytest.approx(expected, rel=1e-5)
    steps = np.concatenate([np.diff(z[0], axis=0), np.diff(z[1, :4], axis=0)])
    expected = (0.5 + 0.5 * np.log(2 * np.pi * (steps**2).mean(0))).sum()
    assert study.still_nats(z, length, z, length) == pytest.approx(expected, rel=1e-5)


# ---- the wiring of run() -------------------------------------------------------------------------


class Spied:
    """A run of TINY, with the parts of it that the tests ask about."""

    def __init__(self, patch):
        self.drives, self.lessons, self.searches, self.streams = [], [], [], {}
        for name in ("drive", "train_v", "train_m", "named_streams", "make_world", "build"):
            original = getattr(wm, name)
            patch.setattr(wm, name, self.wrapped(name, original))
        original_init = CMAES.__init__

        def init(search, *args):
            original_init(search, *args)
            self.searches.append(search)

        patch.setattr(CMAES, "__init__", init)
        self.table = wm.run(TINY, 7, lambda *_: None)

    def wrapped(self, name, original):
        def spy(*args, **kwargs):
            if name == "drive":
                self.drives.append((np.ravel(args[3]), [len(t) for _, t in args[2]], kwargs, args))
            if name in ("train_v", "train_m"):
                self.lessons.append((name, args))
            result = original(*args, **kwargs)
            if name == "named_streams":
                self.streams = result
                self.states = [str(rng.bit_generator.state) for rng in result.values()]
            if name == "make_world":
                self.world = result
            if name == "build":
                self.nets, self.built_after = result[1], len(self.drives)
            return result

        return spy


@pytest.fixture(scope="module")
def spied():
    with pytest.MonkeyPatch.context() as patch:
        small = {"MAX_FRAMES": 40, "DRIVE_FRAMES": 12, "BATCH_V": 16, "BATCH_M": 4, "AVERAGED": 2}
        for name, value in (small | {"VALIDATION_TRACKS": 2, "CURVE_EVERY": 2}).items():
            patch.setattr(wm, name, value)
        made = Spied(patch)
    return made


def test_what_is_examined_was_never_driven_before(spied):
    world = spied.world
    assert [len(part) for part in (world.train, world.validation, world.test)] == [3, 2, 2]
    assert len(np.unique(np.concatenate([world.train, world.validation, world.test]))) == 7
    *earlier, exam, chance = spied.drives
    curve = [tracks for tracks, _, kwargs, _ in earlier if list(tracks) == list(world.validation)]
    others = [tracks for tracks, *_ in earlier if list(tracks) != list(world.validation)]
    assert len(curve) == 2 == len(spied.table["curve"]["x"])
    assert set(np.concatenate(others)) <= set(world.train)
    assert list(exam[0]) == list(world.test) == list(chance[0])


def test_all_arms_get_the_same_search(spied):
    scouts, *arms = spied.searches
    assert scouts.generation == 1 and [s.generation for s in arms] == [4] * 4
    assert [s.population for s in arms] == [4] * 4
    generations = spied.drives[spied.built_after :]
    together = [d for d in generations if d[1] == [4] * 4]
    assert [len(d[0]) for d in together] == [2, 2, 3, 3]  # all arms drive the same episodes
    assert all(d[2]["patience"] == wm.PATIENCE for d in together)
    assert len({tuple(d[3][4]) for d in together}) == 4  # new ones in each generation
    exam = spied.drives[-2]
    assert exam[1] == [1] * 4 and "patience" not in exam[2] and exam[3][2][0][0] == ARMS["v"]


def test_what_is_examined_is_the_mean_of_the_last_means(world, monkeypatch):
    means = []
    rngs = {"v": np.random.default_rng(0)}
    found = wm.evolve(
        TINY,
        world,
        some_nets(),
        {"v": ARMS["v"]},
        3,
        rngs,
        np.random.default_rng(1),
        lambda generation, searches, results: means.append(searches["v"].mean.copy()),
    )["v"]
    np.testing.assert_allclose(found.answer, (means[1] + means[2]) / 2)


def test_the_examined_drivers_are_the_answers(spied):
    crews = spied.drives[-2][3][2]
    for (arm, theta), search in zip(crews, spied.searches[1:]):
        np.testing.assert_allclose(theta, arm.weights(TINY, search.answer[None]))


def test_only_m_learns_and_the_untrained_memory_is_a_fresh_one(spied):
    streams = wm.named_streams(wm.BUILD, np.random.SeedSequence(7))
    for name in ("m", "untrained"):
        fresh = wm.make_m(TINY, streams[name])
        same = [np.array_equal(fresh[key], spied.nets[name].m[key]) for key in fresh]
        assert all(same) if name == "untrained" else not any(same)
    assert [name for name, _ in spied.lessons] == ["train_v", "train_m"] * 2
    assert [len(args[4]) for name, args in spied.lessons if name == "train_m"] == [6, 12]
    read = spied.nets["untrained"]
    assert read.mean.any() and not np.allclose(read.mean, spied.nets["m"].mean)


def test_no_two_random_streams_start_alike(spied):
    assert len(set(spied.states)) == len(spied.states) == len(wm.BUILD) + len(wm.SEARCH)
    after = [str(rng.bit_generator.state) for rng in spied.streams.values()]
    assert all(a != b for a, b in zip(spied.states, after))  # each is drawn from
    rngs = [search.rng for search in spied.searches]
    assert len({id(rng) for rng in rngs}) == 5
    assert not np.array_equal(spied.nets["m"].m["head"], spied.nets["untrained"].m["head"])


def test_the_table_says_what_the_examination_found(monkeypatch):
    scores = {"v": [600, 900], "v_hidden": [700, 800], "v_untrained": [800, 820], "v_m": [900, 906]}
    results = {
        name: (np.array(score, float), np.array([1.0, 0.99]), np.array([9, 9]))
        for name, score in scores.items()
    }
    rows = {name: wm.summary(*result) for name, result in results.items()}
    assert rows["v"] == {"score": 750, "sd": 150, "finished": 0.5}
    assert wm.gaps(rows) == {
        "v_m_minus_v": 153,
        "sd_ratio": 50,
        "v_m_minus_hidden": 153,
        "hidden_minus_v": 0,
        "v_sd_minus_hidden_sd": 100,
        "v_m_minus_untrained": 93,
    }
    train = wm.train
    kept = {}
    monkeypatch.setattr(wm, "train", lambda *a: kept.setdefault("made", train(*a)))
    monkeypatch.setattr(wm, "examine", lambda *a: results)
    table = wm.run(TINY, 7, lambda *_: None)
    assert table["gap"] == wm.gaps(rows) and table["v_m"] == rows["v_m"]
    world = kept["made"][0]
    assert table["script"]["score"] == wm.examine_scripted(world, world.test).mean()


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(spied):
    again, other = (wm.run(TINY, seed, lambda *_: None) for seed in (7, 8))
    for table in (again, other, spied.table):
        assert table["search"].pop("frames_per_second", 1) > 0
    assert again == spied.table and again["v"] != other["v"]


def test_the_study_compares_equals(monkeypatch):
    lessons, evolved = [], []
    train_m, evolve = study.train_m, study.evolve
    monkeypatch.setattr(study, "train_m", lambda *a: (lessons.append(a), train_m(*a))[1])
    monkeypatch.setattr(study, "evolve", lambda *a: (evolved.append(a), evolve(*a))[1])
    config = study.Config(**vars(TINY) | {"long_generations": 2, "generations": 1})
    table = study.run(config, 7, lambda *_: None)
    five, one = lessons
    assert [len(a[1]["head_bias"][0]) for a in lessons] == [5, 1]
    assert five[0].epochs_m == one[0].epochs_m
    assert all(a is b for a, b in zip(five[2:6], one[2:6]))  # the same drives
    assert five[6] is not one[6]
    assert [(set(a[3]), a[4]) for a in evolved] == [
        ({"h_alone", "stack"}, 1),
        ({"long_v", "long_v_hidden"}, 2),
    ]
    gap = table["long_v_hidden"]["score"] - table["long_v"]["score"]
    assert table["long"]["hidden_minus_v"] == gap


@pytest.mark.parametrize("wrong", [{"episodes": 65}, {"late_episodes": 65}, {"train_tracks": 5}])
def test_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ValueError):
        Config(**wrong)
