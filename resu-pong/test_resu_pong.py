"""Tests of resu_pong.py: the algebra against closed forms and slow loops, both worlds on cases
worked by hand, every gradient against central differences, the playing encoder against the training
one, bad settings."""

from dataclasses import replace

import numpy as np
import pytest
import resu_pong as rp
from resu_pong import BOTTOM, DOWN, NOOP, TOP, UP, Config

TINY = Config(**rp.QUICK)


def rng(seed=0):
    return np.random.default_rng(seed)


# ---- canonical correlation -----------------------------------------------------------------------
def covariances(seed=0, n=400, m=5, h=3):
    z = rng(seed).standard_normal((n, m + h)) @ rng(seed + 1).standard_normal((m + h, m + h))
    c = z.T @ z / n
    return c[:m, :m], c[m:, m:], c[m:, :m], z


def test_filters_are_white_aligned_and_of_fixed_sign():
    pp, ff, fp, _ = covariances()
    sigma, psi, phi = rp.canonical(pp, ff, fp)
    np.testing.assert_allclose(psi @ pp @ psi.T, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(phi @ fp @ psi.T, np.diag(sigma), atol=1e-10)
    assert (np.diff(sigma) < 0).all()
    assert all(w[np.abs(w).argmax()] > 0 for w in psi)


def test_correlations_do_not_depend_on_units():
    pp, ff, fp, _ = covariances()
    a = rng(5).standard_normal((5, 5))
    np.testing.assert_allclose(
        rp.canonical(a @ pp @ a.T, 9 * ff, 3 * fp @ a.T)[0], rp.canonical(pp, ff, fp)[0]
    )


def test_three_routes_agree():
    z = covariances()[3]
    found = rp.routes(z[:, :5], z[:, 5:])
    np.testing.assert_allclose(found[0], found[1], atol=1e-10)
    np.testing.assert_allclose(found[0], found[2], atol=1e-10)


def test_the_floor_is_relative_to_the_largest_eigenvalue():
    np.testing.assert_allclose(rp.inverse_root(np.diag([4.0, 1e-12]), 0.01), np.diag([0.5, 5.0]))
    np.testing.assert_allclose(rp.inverse_root(np.diag([400.0, 1e-12]), 0.01), np.diag([0.05, 0.5]))


def test_information_of_a_known_correlation():
    assert rp.information(np.array([np.sqrt(0.75), 0.0])) == pytest.approx([1.0, 0.0])


# ---- closed forms --------------------------------------------------------------------------------
def test_scalar_system_against_published_figures():
    sigma, ratio = rp.scalar_truth(0.9, 0.19, 0.3)
    assert sigma == pytest.approx(0.7618498593, abs=1e-9)
    assert ratio == pytest.approx(0.4394995309, abs=1e-9)


def test_three_state_system_against_published_figures():
    truth = rp.system_truth(**rp.SYSTEM)
    np.testing.assert_allclose(truth, [0.375741260523, 0.221416608901, 0.048458166780], atol=1e-11)
    assert rp.information(truth).sum() == pytest.approx(0.14774, abs=1e-5)


def test_exact_checks_clear_their_bars():
    found = rp.exact_checks(Config(lengths=(1000, 4000), repeats=1), rng())
    assert max(found[k] for k in ("ar1_error", "noisy_error", "system_error", "routes_gap")) < 1e-10
    assert (
        max(
            found[k]
            for k in ("ar1_sigma_2", "noisy_sigma_2", "system_sigma_4", "noisy_ratio_error")
        )
        < 1e-8
    )
    assert found["sample_sigma_1"] == pytest.approx(0.376, abs=0.06)


def test_blocks_are_those_of_adjacent_windows():
    acov = np.array([5.0, 4, 3, 2, 1])
    pp, ff, fp = rp.blocks(acov, 2, 3)
    np.testing.assert_array_equal(pp, [[5, 4], [4, 5]])
    np.testing.assert_array_equal(ff, [[5, 4, 3], [4, 5, 4], [3, 4, 5]])
    np.testing.assert_array_equal(fp, [[4, 3], [3, 2], [2, 1]])  # x_t+1 with x_t is one step apart


def test_samples_have_the_covariance_they_should():
    y = rp.system_sample(rng(), **rp.SYSTEM, length=20_000, draws=4)
    assert y.shape == (4, 20_000)
    acov = rp.system_covariance(**rp.SYSTEM, lags=4)
    np.testing.assert_allclose(
        [(y[:, :19_000] * y[:, k : 19_000 + k]).mean() for k in range(4)], acov, atol=0.01
    )


def test_window_pairs_newest_past_and_next_future():
    p, f = rp.window_pairs(np.arange(7), 3, 2)
    np.testing.assert_array_equal(p, [[2, 1, 0], [3, 2, 1], [4, 3, 2]])
    np.testing.assert_array_equal(f, [[3, 4], [4, 5], [5, 6]])


# ---- dead leaves ---------------------------------------------------------------------------------
def test_scenes_are_standard_and_smooth():
    scene = rp.dead_leaves(rng(), 5)
    np.testing.assert_allclose(scene.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(scene.std(1), 1)
    assert 0.9 < (scene[:, 1:] * scene[:, :-1]).mean() < 1
    assert (
        0.2 < (scene[:, 60:] * scene[:, :-60]).mean() + 0.5 < 1.2
    )  # and forgets over tens of samples


def test_lobes_by_hand():
    assert rp.lobes(np.array([1.0, 2, 1])) == 1
    assert rp.lobes(np.array([1.0, 2, -3, -1, 2])) == 3
    assert rp.lobes(np.array([10.0, -0.1, 10, -5])) == 3  # a dip of 0.4 % is no lobe


def test_scene_checks_count_and_weigh():
    low, band = np.array([1.0, 1, 1, -0.25]), np.array([2.0, -1, -1, 0])
    flat = [
        (n, np.array([s, 0.1]), np.array([low, band]))
        for n, s in ((0.1, 0.9), (0.2, 0.8), (0.3, 0.7))
    ]
    flat[0] = (0.1, flat[0][1], np.array([band, band]))
    found = rp.scene_checks(flat)
    assert found["leaves_low_pass_share"] == pytest.approx(3 / 3.25)
    assert found["leaves_band_pass_share"] == pytest.approx(0.5)
    assert found["leaves_lobes_rise"] == 0
    assert rp.scene_checks(flat[::-1])["leaves_lobes_rise"] == 1


# ---- the worlds ----------------------------------------------------------------------------------
def test_shrink_is_the_rounded_mean_of_blocks():
    screens = rng().integers(0, 256, (3, 210, 160)).astype(np.uint8)
    slow = screens[:, 34:194].reshape(3, 40, 4, 40, 4).astype(float).mean((2, 4))
    np.testing.assert_array_equal(rp.shrink(screens).reshape(3, 40, 40), np.floor(slow + 0.5))


def mini(B=4, **changes):
    world = rp.MiniPong(TINY, list(range(B)))
    world.pause[:] = 0
    world.sticky = 0.0
    for name, value in changes.items():
        getattr(world, name)[:] = value
    world.look()
    return world


def test_mini_frames_agree_with_its_screens():
    world, dice = rp.MiniPong(TINY, [1, 2, 3]), rng()
    for _ in range(120):
        world.step(dice.integers(0, 3, 3))
        np.testing.assert_allclose(
            world.frames.astype(int), rp.shrink(world.screens).astype(int), atol=1
        )
    assert world.points.sum() > 0


def test_mini_ball_flies_and_reflects_off_the_walls():
    world = mini(ball=[70.0, 155.5], speed=[1.0, 1.0])
    world.raw_frame(np.zeros(4, int))
    np.testing.assert_allclose(world.ball[0], [71, 155.5])
    assert world.speed[0].tolist() == [1, -1]
    world = mini(ball=[70.0, 0.25], speed=[-1.0, -0.5])
    world.raw_frame(np.zeros(4, int))
    np.testing.assert_allclose(world.ball[0], [69, 0.25])
    assert world.speed[0].tolist() == [-1, 0.5]


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
    assert world.points[0].tolist() == [1, 0]
    assert world.pause[0] == 60
    world.look()
    assert not rp.visible(world.state).any()
    for _ in range(60):
        world.raw_frame(np.zeros(4, int))
    assert world.pause[0] == 0
    assert world.ball[0, 0] == 79
    assert abs(world.speed[0, 0]) == 1
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


def state(x=100, y=100, paddle=100):
    return np.array([[x, y, paddle, 0, 0, 0]])


def test_visible_limits():
    assert rp.visible(
        np.concatenate(
            [state(50, 48), state(204, 205), state(49), state(205), state(y=47), state(y=206)]
        )
    ).tolist() == [True, True, False, False, False, False]


def test_expert_by_hand():
    def act(now, before, zone=8):
        return rp.expert(now, before, zone)[0]

    # ball at x 148 moving 4 right and 6 down per step reaches 188 after 10 steps, at y 160: paddle
    # at 153 is right
    assert act(state(148, 100, 153), state(144, 94, 153)) == NOOP
    assert act(state(148, 100, 144), state(144, 94, 144)) == DOWN
    assert act(state(148, 100, 162), state(144, 94, 162)) == UP
    assert (
        act(state(148, 100, 144), state(144, 94, 134)) == NOOP
    )  # it moves down already: 0.4 of 10 ahead
    # 6 * 10 below y 180 is 240: reflected at 204 it is 168
    assert act(state(148, 180, 161), state(144, 174, 161)) == NOOP
    assert act(state(148, 180, 140), state(144, 174, 140)) == DOWN
    # going away: aim at the mean of the ball and 126
    assert act(state(100, 100, 106), state(104, 100, 106)) == NOOP
    assert act(state(100, 100, 120), state(104, 100, 120)) == UP
    assert act(state(0, 100, 20), state(104, 100, 20)) == NOOP  # out of sight
    assert act(state(206, 100, 20), state(203, 97, 20)) == NOOP  # just gone
    assert act(state(203, 100, 20), state(206, 97, 20)) == NOOP  # just come
    assert act(state(100, 100, 20), state(140, 100, 20)) == NOOP  # a jump: it has been served
    assert (
        act(state(148, 60, 44), state(144, 66, 44)) == DOWN
    )  # reflected at the top: 60 - 60 = 0 becomes 96
    assert TOP == 48 and BOTTOM == 204


def test_demonstrations_hold_the_experts_advice_and_what_was_done():
    data = rp.demonstrate(TINY, mini(), rng(), 30, share=0.0)
    np.testing.assert_array_equal(data.label, data.action)
    noisy = rp.demonstrate(TINY, mini(40), rng(), 60, share=0.9)
    changed = (noisy.label != noisy.action).mean()
    assert 0.5 < changed < 0.7  # two thirds of 90 %
    assert np.bincount(noisy.action.ravel(), minlength=3).min() > 500
    assert data.fresh.sum() == 4


@pytest.mark.skipif(rp.ale_py is None, reason="ale-py is not installed")
def test_emulator_repeats_and_its_memory_describes_its_screen():
    config = replace(TINY, env="ale")
    first, second, third = (
        rp.demonstrate(config, rp.Atari(config, [seed, 7]), rng(), 60) for seed in (3, 3, 4)
    )
    for one, two in zip(first, second):
        np.testing.assert_array_equal(one, two)
    assert (first.frames != third.frames).any()
    world, seen = rp.Atari(config, [3]), 0
    for _ in range(60):
        world.step([NOOP])
        if rp.visible(world.state)[0] and world.state[0, rp.BALL_X] < 180:
            x, y = world.state[0, rp.BALL_X] - 49, world.state[0, rp.BALL_Y] - 14
            seen += 1
            assert (world.screens[0, y : y + 3, x : x + 2] == 236).all()
    assert seen > 10


@pytest.mark.skipif(rp.ale_py is None, reason="ale-py is not installed")
def test_emulated_learning_repeats():
    config = replace(TINY, env="ale", steps=60)
    found = []
    for _ in range(2):
        data, _ = rp.collect(config, rng(5))
        lesson = rp.prepare(config, data)
        sigma, psi, pp, _ = rp.fit_layer_1(config, lesson.x[:3], data.fresh[:3])
        maps = rp.features(lesson.x, data.fresh, psi)
        marks, _ = rp.learn(config, maps, True, None, lesson.label, lesson.parts, rng())
        found.append((sigma.tolist(), marks))
    assert found[0] == found[1]


# ---- layer 1 -------------------------------------------------------------------------------------
def starts(*rows):
    return np.array([[int(c) for c in row] for row in rows], bool)


def test_stretches_by_hand():
    assert list(rp.stretches(starts("10010", "10000"))) == [(0, 0, 3), (0, 3, 5), (1, 0, 5)]
    assert list(rp.stretches(starts("0100"))) == [(0, 0, 1), (0, 1, 4)]


def test_covariances_against_a_slow_loop_and_no_window_crosses_a_new_game():
    x, fresh, m, h = rng().standard_normal((2, 9, 4)), starts("100001000", "100000000"), 2, 1
    windows = [
        [x[r, t - 1 + k, p] for k in range(3)]
        for r in range(2)
        for t in range(1, 8)
        for p in range(4)
        if not fresh[r, t : t + 2].any()
    ]
    w = np.array(windows)[:, [1, 0, 2]]  # past newest first, then the future
    slow = w.T @ w / len(w)
    pp, ff, fp = rp.window_covariances(x, fresh, m, h)
    np.testing.assert_allclose(np.block([[pp, fp.T], [fp, ff]]), slow, atol=1e-12)


def test_the_null_pairs_a_past_with_another_run():
    x, fresh = np.ones((2, 20, 1)), starts("1" + "0" * 19, "1" + "0" * 19)
    x[1] = -1
    assert (rp.window_covariances(x, fresh, 2, 1)[2] == 1).all()
    np.testing.assert_allclose(rp.window_covariances(x, fresh, 2, 1, rng())[2], -1)
    t = np.sin(np.arange(40))[None, :, None] * np.ones((3, 1, 2))  # each cut keeps every pair, once
    pp, ff, fp = rp.window_covariances(t, starts(*["1" + "0" * 39] * 3), 3, 2, rng(1))
    assert np.abs(fp).max() <= 0.6


def test_responses_against_a_slow_loop():
    x, fresh = (
        rng().standard_normal((75, 6)).astype(np.float32),
        starts("1" + "0" * 39 + "1" + "0" * 34)[0],
    )
    filters = rng(1).standard_normal((2, 5)).astype(np.float32)
    fast = rp.respond(x, fresh, filters)
    for t in range(75):
        first = 40 if t >= 40 else 0
        slow = sum(filters[:, [k]] * x[max(t - k, first)] for k in range(5))
        np.testing.assert_allclose(fast[t], slow, atol=1e-5)


def test_pooling_and_halves():
    r = rng().standard_normal((3, 2, 1600)).astype(np.float32)
    slow = np.maximum(r, 0).reshape(3, 2, 10, 4, 10, 4).mean((3, 5)).reshape(3, 2, 100)
    maps = rp.on_off(r)
    assert maps.shape == (3, 2, 2, 100)
    np.testing.assert_allclose(maps[:, 0], slow, atol=1e-6)
    off = np.maximum(-r, 0).reshape(3, 2, 10, 4, 10, 4).mean((3, 5)).reshape(3, 2, 100)
    np.testing.assert_allclose(maps[:, 1], off, atol=1e-6)
    np.testing.assert_allclose(rp.columns(maps, False), rp.pool(r).reshape(3, -1), atol=1e-6)
    assert rp.columns(maps, True, 1).shape == (3, 200)
    np.testing.assert_array_equal(rp.columns(maps, True, 1), maps[:, :, :1].reshape(3, -1))


def test_standardised_features_are_bounded():
    found = rp.standardise(
        np.array([3.0, 1.0, -5.0]), np.array([1.0, 1.0, 0.0]), np.array([0.5, 1.0, 1e-4])
    )
    assert found.tolist() == [4, 0, -30]


def test_layer_2_maps_are_neighbourhoods_times_filters():
    r = rng().standard_normal((2, 2, 1600)).astype(np.float32)
    psi = rng(1).standard_normal((3, 4 * 9))
    maps, pixels = rp.layer_2_maps(r, psi), np.array([0, 39, 815, 1599, 1560])
    for t in range(2):
        around = rp.neighbours(np.repeat(rp.rectified(r)[t : t + 1], 5, 0), pixels)
        np.testing.assert_allclose(maps[t, :, pixels], around @ psi.T, atol=1e-4)


def test_layer_2_windows_that_share_frames_are_nearly_the_same():
    config = replace(TINY, taps=4)
    x = (
        rng().standard_normal((2, 60, 1600)).astype(np.float32)
    )  # white noise: nothing can be predicted
    fresh = starts(*["1" + "0" * 59] * 2)
    filters = np.array([[0.5, 0.5, 0.5, 0.5]])
    shared = rp.fit_layer_2(config, rng(1), x, fresh, filters, 0)[0]
    apart = rp.fit_layer_2(config, rng(1), x, fresh, filters, 3)[0]
    assert shared[0] > 0.6
    assert apart[0] < 0.3


# ---- probes --------------------------------------------------------------------------------------
def test_probe_targets_by_hand():
    T = 9
    s = np.zeros((1, T, 6), int)
    s[0, :, 0], s[0, :, 1], s[0, :, 2] = (
        100 + 3 * np.arange(T),
        120 - 2 * np.arange(T),
        60 + np.arange(T),
    )
    s[0, 3, 0] = 0  # out of sight
    fresh = np.zeros((1, T), bool)
    fresh[0, 0] = True
    data = rp.Data(None, s, None, None, fresh)
    y, asked = rp.probe_targets(data)
    assert asked.tolist() == [False, True, True, False, False] + [False] * 4
    np.testing.assert_array_equal(y[2], [106, 116, 3, -2, 62, 66])
    fresh[0, 5] = True
    assert (
        rp.probe_targets(data)[1].tolist() == [False] * 9
        or not rp.probe_targets(data)[1][1:5].any()
    )


def test_probe_finds_a_linear_map_and_nothing_in_noise():
    dice = rng()
    x = dice.standard_normal((900, 5)).astype(np.float32)
    y = np.stack([x @ [1, 2, 0, 0, -1] + 7, dice.standard_normal(900)], 1).astype(np.float32)
    asked, parts = dice.random(900) < 0.9, np.split(np.arange(900), [500, 700])
    y[~asked] = 1e3  # must not matter
    found = rp.probe(Config(), x, y, asked, parts)
    assert found[0] > 0.999
    assert abs(found[1]) < 0.1


# ---- heads ---------------------------------------------------------------------------------------
def loss(forward, params, x, label):
    p = rp.softmax(forward(params, x)[-1])
    return -np.log(p[np.arange(len(x)), label]).mean()


def central(function, value, index, step=1e-6):
    old = value[index]
    value[index] = old + step
    up = function()
    value[index] = old - step
    down = function()
    value[index] = old
    return (up - down) / (2 * step)


def check(forward, gradient, params, x, label, entries=12):
    dice = rng(9)
    for p, g in zip(params, gradient(params, x, label)):
        assert g.shape == p.shape
        for flat in dice.choice(p.size, min(entries, p.size), replace=False):
            index = np.unravel_index(flat, p.shape)
            numeric = central(lambda: loss(forward, params, x, label), p, index)
            assert abs(g[index] - numeric) <= 1e-6 * max(abs(numeric), 1e-2), (p.shape, index)


@pytest.mark.parametrize("sizes", [(7, 3), (7, 6, 5, 3)])
def test_gradient_of_the_head(sizes):
    params = [
        p.astype(float) + 0.1 * rng(2).standard_normal(p.shape) for p in rp.new_mlp(rng(1), sizes)
    ]
    x, label = rng(3).standard_normal((8, 7)), rng(4).integers(0, 3, 8)
    check(rp.mlp, rp.mlp_gradient, params, x, label, 40)
    _, d = rp.mlp_gradient(params, x, label, want_input=True)
    for index in ((0, 0), (3, 5), (7, 6)):
        numeric = central(lambda: loss(rp.mlp, params, x, label), x, index)
        assert abs(d[index] - numeric) <= 1e-6 * max(abs(numeric), 1e-2)


def test_gradient_of_the_cnn():
    params = [p.astype(float) + 0.02 * rng(2).standard_normal(p.shape) for p in rp.new_cnn(rng(1))]
    check(rp.cnn, rp.cnn_gradient, params, rng(3).standard_normal((2, 40, 40, 4)), np.array([0, 2]))


def test_patches_against_a_slow_loop():
    x = rng().standard_normal((2, 9, 9, 3))
    found = rp.patches(x, 3, 2)
    assert found.shape == (2, 4, 4, 27)
    np.testing.assert_array_equal(found[1, 2, 3], x[1, 4:7, 6:9].ravel())


def test_adam_against_a_plain_one():
    config = Config(batch_size=4, learning_rate=0.01, last_rate=0.002)
    x, label = rng(3).standard_normal((10, 3)), rng(4).integers(0, 3, 10)
    params, plain = ([p.astype(float) for p in rp.new_mlp(rng(1), (3, 3))] for _ in range(2))
    parts = [np.arange(8), np.arange(8, 10)]
    rp.fit(config, params, rp.mlp, rp.mlp_gradient, x.__getitem__, label, parts, 2, 0.5, rng(6))
    dice, first, second, step = rng(6), [0, 0], [0, 0], 0
    for _ in range(2):
        order = dice.permutation(parts[0])
        for chosen in (order[:4], order[4:]):
            rate, step = 0.01 + (0.002 - 0.01) * step / 4, step + 1
            grads = rp.mlp_gradient(plain, x[chosen], label[chosen])
            grads[0] = grads[0] + 0.5 * plain[0]
            for i in range(2):
                first[i] = 0.9 * first[i] + 0.1 * grads[i]
                second[i] = 0.999 * second[i] + 0.001 * grads[i] ** 2
                root = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
                plain[i] = plain[i] - rate * first[i] / (1 - 0.9**step) / root
    np.testing.assert_allclose(params[0], plain[0], rtol=1e-4)
    np.testing.assert_allclose(params[1], plain[1], rtol=1e-4)


def test_fit_learns_and_keeps_its_best_epoch():
    x = rng().standard_normal((600, 4)).astype(np.float32)
    label, parts = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0), np.split(np.arange(600), [400, 500])
    config, early = Config(batch_size=20, learning_rate=0.05, last_rate=0.05), 0
    for start in range(4):
        seen = []
        accuracy, params, epoch = rp.fit(
            config,
            rp.new_mlp(rng(start), (4, 16, 3)),
            rp.mlp,
            rp.mlp_gradient,
            x.__getitem__,
            label,
            parts,
            8,
            0.0,
            rng(2),
            lambda _, s, seen=seen: seen.append(float(s.split()[-1])),
        )
        assert accuracy > 0.85
        assert seen[epoch - 1] == pytest.approx(max(seen)) == pytest.approx(accuracy, abs=6e-4)
        assert rp.right(rp.mlp, params, x.__getitem__, label, parts[1]) == accuracy
        early += epoch < 8
    assert early > 0


def test_stack_frames_stays_in_its_game():
    found = rp.stack_frames(None, starts("10010", "10000"), 3)
    assert found[:5].tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 3, 3], [4, 3, 3]]
    assert found[9].tolist() == [9, 8, 7]


# ---- play ----------------------------------------------------------------------------------------
class Film:
    """A world that shows recorded frames."""

    def __init__(self, frames, fresh):
        self.all, self.starts, self.t = frames, fresh, 0

    frames = property(lambda self: self.all[:, self.t])
    fresh = property(lambda self: self.starts[:, self.t])


def test_the_player_sees_what_the_head_was_trained_on():
    frames = rng().integers(0, 256, (2, 12, 1600)).astype(np.uint8)
    fresh, mean = starts("100000100000", "100000000000"), rng(1).random(1600).astype(np.float32)
    filters = rng(2).standard_normal((3, 5))
    for rectify in (True, False):
        maps = rp.features(frames / np.float32(255) - mean, fresh, filters)
        x = rp.columns(maps, rectify)
        shift, scale = x.mean(0), x.std(0) + 1e-4
        params = rp.new_mlp(rng(3), (x.shape[1], 8, 3))
        wanted = rp.mlp(params, (x - shift) / scale)[-1].argmax(1).reshape(2, 12)
        film, policy = (
            Film(frames, fresh),
            rp.clone_policy(rp.Clone(mean, filters, rectify, shift, scale, params)),
        )
        for t in range(12):
            film.t = t
            np.testing.assert_array_equal(policy(film), wanted[:, t])


def test_the_cnn_sees_what_it_was_trained_on():
    x, fresh = rng().standard_normal((1, 6, 1600)).astype(np.float32), starts("100100")
    frames = rng(1).integers(0, 256, (1, 6, 1600)).astype(np.uint8)
    x, params = frames / np.float32(255), rp.new_cnn(rng(2))
    stack = rp.stack_frames(x, fresh)
    wanted = rp.cnn(params, rp.as_images(x.reshape(6, -1)[stack], 0.5))[-1].argmax(1)
    film, policy = Film(frames, fresh), rp.cnn_policy(params, np.zeros(1600, np.float32), 0.5)
    for t in range(6):
        film.t = t
        assert policy(film)[0] == wanted[t]


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


def test_score_is_points_per_ten_thousand_raw_frames():
    world = Score([[0, 2], [0, 3], [1, 3], [2, 3], [2, 3]])
    assert rp.play(TINY, world, lambda w: [0], 4) == pytest.approx([-1 * 10_000 / 16])
    world = Score(
        [[20, 3], [0, 0], [0, 1]]
    )  # the 21st point ends the game and the counters go back to 0
    assert rp.play(TINY, world, lambda w: [0], 1) == pytest.approx([-1 * 10_000 / 4])
    assert rp.play(TINY, world, lambda w: [0], 1) == pytest.approx([1 * 10_000 / 4])


def test_an_experts_policy_forgets_the_last_game():
    world = mini(2, ball=[100.0, 60.0], speed=[1.0, 0.0])
    policy = rp.expert_policy()
    policy(world)
    world.step([NOOP, NOOP])
    here = policy(world)
    world.fresh[:] = True
    assert (policy(world) == NOOP).all() or (here != NOOP).any()


# ---- streaming -----------------------------------------------------------------------------------
def test_a_zero_start_makes_filters_too_long_by_a_known_factor():
    config = replace(TINY, taps=4, horizon=3, filters=3)
    x = np.cumsum(rng().standard_normal((2, 500, 6)), 1).astype(np.float32)
    fresh, last = starts(*["1" + "0" * 499] * 2), None
    for k, zero, filled in rp.stream(config, x, fresh):
        long, right = (
            np.linalg.norm(rp.filters_of(config, c)) for c in (zero, zero / (1 - 0.99**k))
        )
        assert long / right == pytest.approx(1 / np.sqrt(1 - 0.99**k), rel=1e-9)
        if k == 1:
            np.testing.assert_allclose(filled, zero / 0.01)
        else:
            np.testing.assert_allclose(filled - 0.99 * last[1], zero - 0.99 * last[0], atol=1e-9)
        last = zero, filled
    assert k == 4
    carried = np.array([np.eye(4)] * 3)
    k, _, filled = next(rp.stream(config, x, fresh, carried))
    assert filled[0][0, 0] == pytest.approx(0.99 + 0.01 * x[0, :250].var(0).mean(), rel=0.1)


def test_new_filters_are_matched_to_old_ones_in_order_and_sign():
    pp, ff, fp, _ = covariances(3, m=4, h=4)
    config = replace(TINY, taps=4, horizon=4)
    stack = np.array([pp, ff, fp])
    psi = rp.filters_of(config, stack)
    like = np.stack([-psi[1], psi[0]])
    np.testing.assert_allclose(rp.filters_of(config, stack, like, pp), like)


def test_overlap_of_spans():
    pp = covariances(3)[0]
    a = rng().standard_normal((2, 5))
    assert rp.subspace_overlap(a, np.array([[2.0, 1], [0.5, -3]]) @ a, pp) == pytest.approx(1)
    other = np.linalg.inv(np.linalg.cholesky(pp))
    assert rp.subspace_overlap(other[:2], other[2:4], pp) == pytest.approx(0, abs=1e-12)


# ---- settings ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "bad", [{"runs": 17}, {"filters": 5}, {"taps": 2, "filters": 3}, {"steps": 23}]
)
def test_settings_that_do_not_fit_together(bad):
    with pytest.raises(ValueError):
        Config(**bad)


def test_without_the_emulator_auto_falls_back_loudly_and_ale_refuses(monkeypatch, capsys):
    monkeypatch.setattr(rp, "ale_py", None)
    with pytest.raises(ValueError, match="pip install ale-py"):
        Config(env="ale")
    config = Config()
    assert not config.emulated
    assert isinstance(rp.make_world(config, rng(), 2), rp.MiniPong)
    rp.banner(config)
    assert "MINI-PONG" in capsys.readouterr().err
    rp.banner(Config(env="mini"))
    assert not capsys.readouterr().err
    with pytest.raises(OSError, match="needs the emulator"):
        rp.study(config, 0)
