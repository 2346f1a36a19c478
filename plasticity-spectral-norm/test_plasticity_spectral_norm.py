"""Tests of plasticity_spectral_norm: the world, every net's gradient, PPO, meters, the wiring."""

import copy
import math
from collections import Counter
from dataclasses import replace

import plasticity_spectral_norm as psn
import study_plasticity_spectral_norm as study
from plasticity_spectral_norm import (
    ACTIONS,
    COIN,
    COLUMNS,
    HAZARD,
    INPUTS,
    LIMIT,
    LOOK,
    QUICK,
    ROWS,
    SOLID,
    Config,
    Play,
    ReLUNet,
    SpectralNet,
    World,
    advantages,
    attempt,
    cross_entropy_slope,
    distinct,
    draw_lessons,
    draw_season,
    effective_rank,
    examine,
    improve,
    learn_phase,
    learn_task,
    log_softmax,
    make_level,
    make_levels,
    memorise,
    meters,
    orthogonal,
    play,
    player,
    ppo_slope,
    run,
)
import numpy as np
import pytest

KINDS = study.kinds(study.Config())


def silent(fraction, message):
    """Show nothing."""


def seed_of(number):
    """A stream of seeds for tests."""
    return np.random.SeedSequence(number)


def tiny(**more):
    """Settings with which both parts take a moment."""
    sizes = {"hidden_size": 6, "frames": 40, "tasks": 4, "epochs_per_task": 2, "phases": 2}
    sizes |= {"iterations": 4, "environments": 5, "decisions_per_iteration": 6}
    return Config(**sizes | {"levels": 3, "test_levels": 4} | more)


@pytest.fixture
def short_film(monkeypatch):
    """Few frames, so that a whole run takes a moment."""
    for module in (psn, study):
        monkeypatch.setattr(module, "FILMED", 8)
    monkeypatch.setattr(psn, "FILM_STEPS", 100)


# ---- levels ----
def test_a_level_has_its_parts():
    for number in range(60):
        tiles = make_level(np.random.default_rng(number))
        assert tiles.shape == (ROWS, COLUMNS)
        assert (tiles[0, :4] == SOLID).all() and not tiles[1:, :4].any()
        (row, column), *more = np.argwhere(tiles == COIN).tolist()
        assert not more and (tiles[:row, column - 1 : column + 2] == SOLID).all()
        assert not tiles[row, column - 1] and not tiles[row, column + 1]
        assert (tiles[:, column + 2 :] == SOLID).all()
        assert not (tiles[:, : column + 2] == SOLID).all(0).any()
        for high, across in np.argwhere(tiles == HAZARD):
            below = tiles[:high, across]
            assert (below == SOLID).all() and not tiles[high + 1 :, across].any()


def test_levels_are_as_long_as_they_are_said_to_be():
    levels = make_levels(seed_of(3), 400)
    columns = np.argwhere(levels == COIN)[:, 2]
    assert 13 < columns.mean() < 15.5 and columns.min() == 8
    heights = (levels == SOLID)[:, :, 4:8].sum(1)
    assert set(np.unique(heights[:, 0])) == {1, 2, 3}  # one section up, by 0, 1 or 2
    hazards = (levels == HAZARD).any((1, 2)).mean()
    assert 0.5 < hazards < 0.8


def test_nearly_every_level_can_be_solved():
    """A beam of 24 states per level, those farthest to the right, over all actions."""
    count, beam = 40, 24
    levels = make_levels(seed_of(5), count)
    world = World(levels, count * beam * ACTIONS)
    owner = np.repeat(np.arange(count), beam * ACTIONS)
    world.reset(np.ones(len(owner), bool), owner)
    solved = np.zeros(count, bool)
    rng = np.random.default_rng(0)
    for _ in range(25):
        world.step(np.tile(np.arange(ACTIONS), count * beam))
        solved[owner[world.won]] = True
        rank = np.where(world.playing, world.x + 3 * rng.random(len(owner)), -1)
        rank = rank.reshape(count, -1)
        best = np.argsort(-rank, 1)[:, :beam] + np.arange(count)[:, None] * beam * ACTIONS
        chosen = np.repeat(best.ravel(), ACTIONS)
        for name in ("x", "y", "vx", "vy", "grounded", "playing", "won", "age"):
            getattr(world, name)[:] = getattr(world, name)[chosen]
    assert solved.mean() >= 0.95


# ---- the world against a slow literal one ----
class Slow:
    """One game, one number at a time."""

    def __init__(self, level):
        self.level = level
        self.x, self.y, self.vx, self.vy = 1.5, 1.0, 0.0, 0.0
        self.grounded, self.state, self.age = True, "on", 0

    def tile(self, x, y):
        column, row = math.floor(x + 4) - 4, math.floor(y + 4) - 4  # rounded as in the world
        if column < 0 or column >= COLUMNS or row < 0:
            return SOLID
        return self.level[row, column] if row < ROWS else 0

    def blocked(self, x, y):
        corners = [(x + a, y + b) for a in (-0.35, 0.35) for b in (0, 0.8)]
        return any(self.tile(*corner) == SOLID for corner in corners)

    def tick(self, action):
        if self.state != "on":
            return
        direction, jump = action % 3 - 1, action >= 3
        mix = 0.2 if self.grounded else 0.15
        self.vx = (1 - mix) * self.vx + mix * 0.5 * direction
        if abs(self.vx) < 0.02 and direction == 0:
            self.vx = 0.0
        self.vy = 1.0 if jump and self.grounded else max(self.vy - 0.2, -0.9)
        if self.blocked(self.x + self.vx, self.y):
            self.vx = 0.0
        self.x += self.vx
        for _ in range(2):
            there = self.y + self.vy / 2
            if self.blocked(self.x, there):
                self.y = math.ceil(there) if self.vy < 0 else self.y
                self.vy = 0.0
            else:
                self.y = there
        self.grounded = self.blocked(self.x, self.y - 0.05)
        self.age += 1
        points = [
            (self.x, self.y + 0.4),
            (self.x - 0.3, self.y + 0.2),
            (self.x + 0.3, self.y + 0.2),
        ]
        touched = {int(self.tile(*point)) for point in points}
        self.state = "won" if COIN in touched else "lost" if HAZARD in touched else "on"

    def observe(self):
        column, row = math.floor(self.x + 4) - 4, math.floor(self.y + 4) - 4
        around = [(column + dx, row + dy) for dy in range(-4, 5) for dx in range(-4, 5)]
        tiles = [self.tile(x, y) for x, y in around]
        planes = [tile == code for code in (SOLID, HAZARD, COIN) for tile in tiles]
        motion = [2 * self.vx, self.vy, self.grounded, self.x % 1, self.y % 1]
        return np.array([*planes, *motion], np.float32)


def test_the_world_agrees_with_a_slow_one():
    levels = make_levels(seed_of(11), 30)
    world, slow = World(levels, 30), [Slow(level) for level in levels]
    world.reset(np.ones(30, bool), np.arange(30))
    rng = np.random.default_rng(2)
    for _ in range(LIMIT // 4):
        np.testing.assert_allclose(world.observe(), [game.observe() for game in slow], atol=1e-6)
        actions = rng.choice((0, 1, 2, 2, 3, 4, 5, 5, 5), 30)
        won, ended, late = world.step(actions)
        for game, action in zip(slow, actions, strict=True):
            for _ in range(4):
                game.tick(int(action))
        assert won.tolist() == [game.state == "won" for game in slow]
        assert ended.tolist() == [game.state != "on" for game in slow]
        assert late.tolist() == [game.state == "on" and game.age >= LIMIT for game in slow]
    assert {game.state for game in slow} == {"on", "won", "lost"} and late.any()


def test_a_jump_worked_by_hand():
    world = World(make_levels(seed_of(1), 1), 1)
    world.reset(np.ones(1, bool), np.zeros(1, np.intp))
    heights = []
    for _ in range(12):
        world.tick(np.zeros(1), np.ones(1, bool))
        heights.append(float(world.y[0]))
    np.testing.assert_allclose(
        heights, [2, 2.8, 3.4, 3.8, 4, 4, 3.8, 3.4, 2.8, 2, 1.1, 1], atol=1e-9
    )
    assert world.grounded[0]
    world.tick(np.ones(1), np.zeros(1, bool))
    assert world.vx[0] == pytest.approx(0.1)


def test_a_finished_game_stands_still_until_it_is_reset():
    level = np.zeros((1, ROWS, COLUMNS), np.uint8)
    level[0, 0] = SOLID
    level[0, 1, 2] = COIN
    world = World(level, 2)
    world.reset(np.ones(2, bool), np.zeros(2, np.intp))
    for _ in range(4):
        won, ended, _ = world.step(np.array([2, 1]))
    assert won.tolist() == ended.tolist() == [True, False]
    x = world.x[0]
    world.step(np.array([2, 0]))
    assert world.x[0] == x and world.x[1] < 1.5
    world.reset(np.array([True, False]), np.zeros(2, np.intp))
    assert (world.x[0], world.vx[0], world.won[0], world.age[0]) == (1.5, 0, False, 0)
    assert world.playing.all() and world.age[1] == 20


def test_reference_policies():
    levels = make_levels(seed_of(8), 300)
    rng = np.random.default_rng(3)
    random, seen = attempt(lambda x: rng.integers(ACTIONS, size=len(x)), levels)
    blind, _ = attempt(lambda x: np.full(len(x), psn.RIGHT_AND_JUMP), levels)
    assert 0.05 < random < 0.25 < blind < 0.6
    assert seen.shape == (LOOK, INPUTS) and len(np.unique(seen, axis=0)) == LOOK


# ---- gradients ----
def ppo_loss(y, actions, old_log_p, advantage, returns, config):
    """The loss that ppo_slope is the slope of."""
    log_p = log_softmax(y[:, :ACTIONS])  # (N, 6)
    ratio = np.exp(log_p[np.arange(len(y)), actions] - old_log_p)  # (N,)
    clipped = np.clip(ratio, 1 - config.clip_ratio, 1 + config.clip_ratio)
    gain = np.minimum(ratio * advantage, clipped * advantage)
    entropy = -(np.exp(log_p) * log_p).sum(1)
    miss = 0.5 * (y[:, ACTIONS] - returns) ** 2
    return (miss - gain - config.entropy * entropy).mean()


def numeric(parameter, loss):
    """The slope of loss() by every number of a parameter, by central differences."""
    slope = np.zeros_like(parameter)
    for i in np.ndindex(parameter.shape):
        kept, ends = parameter[i], []
        for step in (1e-6, -1e-6):
            parameter[i] = kept + step
            ends.append(loss())
        parameter[i] = kept
        slope[i] = (ends[0] - ends[1]) / 2e-6
    return slope


def double_net(name, heads, monkeypatch, seed=0):
    """A small net in 64 bits whose biases and gains are not those of the start."""
    monkeypatch.setattr(psn, "INPUTS", 7)
    net = KINDS[name](np.random.default_rng(seed), 5, heads, np.float64)
    net.theta += 0.3 * np.random.default_rng(seed + 1).standard_normal(len(net.theta))
    net.before_update()
    return net


def hold(net):
    """Let sigma follow the weights while u and v stay, which the gradient counts as constant."""
    if isinstance(net, SpectralNet):
        W = net.parts[0], net.parts[2]
        net.sigma = [net.v_left[n] @ W[n] @ net.u[n] for n in range(2)]


@pytest.mark.parametrize("name", KINDS)
def test_the_gradient_of_memorising(name, monkeypatch):
    net = double_net(name, [(4, 0.7)], monkeypatch)
    rng = np.random.default_rng(7)
    x, labels = rng.standard_normal((9, 7)), rng.integers(4, size=9)

    def loss():
        hold(net)
        return -log_softmax(net.forward(x)[0])[np.arange(9), labels].mean()

    y, inputs, zs = net.forward(x)
    net.backward(inputs, zs, cross_entropy_slope(y, labels))
    for parameter, slope in zip(net.parts, net.slopes, strict=True):
        assert np.abs(numeric(parameter, loss) - slope).max() <= 1e-6
        assert np.abs(slope).max() > 1e-3


@pytest.mark.parametrize("name", KINDS)
def test_the_gradient_of_ppo(name, monkeypatch):
    net = double_net(name, [(ACTIONS, 0.7), (1, 1.0)], monkeypatch, seed=4)
    rng = np.random.default_rng(8)
    x, actions = rng.standard_normal((40, 7)), rng.integers(ACTIONS, size=40)
    y, inputs, zs = net.forward(x)
    old = log_softmax(y[:, :ACTIONS])[np.arange(40), actions] + 0.3 * rng.standard_normal(40)
    batch = actions, old, rng.standard_normal(40), rng.standard_normal(40), Config(entropy=0.3)
    ratio = np.exp(log_softmax(y[:, :ACTIONS])[np.arange(40), actions] - old)
    clipped = np.where(batch[2] > 0, ratio > 1.2, ratio < 0.8)
    assert 5 < clipped.sum() < 35 and (~clipped & (abs(ratio - 1) > 0.2)).any()

    def loss():
        hold(net)
        return ppo_loss(net.forward(x)[0], *batch)

    net.backward(inputs, zs, ppo_slope(y, *batch))
    for parameter, slope in zip(net.parts, net.slopes, strict=True):
        assert np.abs(numeric(parameter, loss) - slope).max() <= 1e-6


def test_ppo_loss_worked_by_hand():
    y = np.array([[0.0, 0, 0, 0, 0, 0, 2.0]])
    old = np.array([math.log(1 / 6) - math.log(1.5)])  # ratio 1.5
    config = Config(entropy=0.1)
    args = np.array([3]), old
    up = ppo_loss(y, *args, np.array([2.0]), np.array([5.0]), config)
    assert up == pytest.approx(0.5 * 9 - 1.2 * 2 - 0.1 * math.log(6))
    down = ppo_loss(y, *args, np.array([-2.0]), np.array([5.0]), config)
    assert down == pytest.approx(0.5 * 9 + 1.5 * 2 - 0.1 * math.log(6))


# ---- the nets ----
@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (5, 5)])
def test_initial_matrices_are_orthogonal(shape):
    W = orthogonal(np.random.default_rng(0), *shape, 3.0)
    gram = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(gram, 9 * np.eye(min(shape)), atol=1e-12)


def test_relu_and_spectral_net_start_from_the_same_draw():
    nets = [player(kind, tiny(), seed_of(1)) for kind in (ReLUNet, SpectralNet)]
    np.testing.assert_array_equal(nets[0].theta, nets[1].theta)
    assert nets[0].theta.dtype == np.float32 and not nets[0].parts[1].any()
    np.testing.assert_allclose(nets[1].sigma, 2**0.5, rtol=1e-5)
    head = nets[0].parts[4]
    np.testing.assert_allclose(np.linalg.norm(head[:, ACTIONS]), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(head[:, :ACTIONS], axis=0), 0.01, rtol=1e-5)
    x = np.random.default_rng(2).standard_normal((5, INPUTS)).astype(np.float32)
    relu, spectral = [net.forward(x)[1] for net in nets]
    np.testing.assert_allclose(relu[2], 2 * spectral[2], atol=1e-5)  # 1 / sigma twice


def test_power_iteration_finds_the_largest_singular_value_in_single_steps():
    net = player(SpectralNet, tiny(), seed_of(2))
    rng = np.random.default_rng(3)
    for n in range(2):
        net.parts[2 * n][:] += rng.standard_normal(net.parts[2 * n].shape)
    W = net.parts[2].copy()
    u = net.u[1].copy()
    net.before_update()
    v = W @ u / np.linalg.norm(W @ u)
    np.testing.assert_allclose(net.v_left[1], v, rtol=1e-4)
    np.testing.assert_allclose(net.u[1], W.T @ v / np.linalg.norm(W.T @ v), rtol=1e-4)
    assert net.sigma[1] == pytest.approx(v @ W @ net.u[1], rel=1e-5)
    for _ in range(300):
        net.before_update()
    exact = [np.linalg.svd(net.parts[2 * n], compute_uv=False)[0] for n in range(2)]
    np.testing.assert_allclose(net.sigma, exact, rtol=1e-3)


def test_evaluation_takes_the_exact_value_and_leaves_u():
    net = player(SpectralNet, tiny(), seed_of(2))
    net.parts[0][:] += np.random.default_rng(0).standard_normal(net.parts[0].shape)
    u = net.u[0].copy()
    net.before_evaluation()
    top = np.linalg.svd(net.parts[0], compute_uv=False)[0]
    assert net.sigma[0] == pytest.approx(top, rel=1e-5)
    np.testing.assert_array_equal(u, net.u[0])
    assert np.linalg.norm(net.weights(0), 2) == pytest.approx(1, rel=1e-5)


def test_adam_agrees_with_its_textbook():
    net = ReLUNet(np.random.default_rng(0), 3, [(2, 1.0)], np.float64)
    theta, m, v = net.theta.copy(), 0, 0
    rng = np.random.default_rng(1)
    for t in range(1, 6):
        g = rng.standard_normal(len(theta)) * 10.0 ** rng.integers(-9, 2, len(theta))
        net.gradient[:] = g
        net.descend(0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(net.theta, theta, rtol=1e-9)


# ---- meters ----
def test_effective_rank():
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 6)))[0]
    assert effective_rank(7 * basis) == pytest.approx(6)
    assert effective_rank(np.outer(np.arange(9), [1, 2, 3])) == pytest.approx(1)
    p = np.array([0.75, 0.25])
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(math.exp(-(p * np.log(p)).sum()))
    assert effective_rank(np.zeros((5, 3))) == 0


def test_meters_tell_inactive_from_dead():
    class Shown(ReLUNet):
        def forward(self, x):
            return None, [None, None, x], None

    net = Shown(np.random.default_rng(0), 4, [(2, 1.0)])
    h = np.array([[1.0, 0, 0, 2], [3, 0, 0, 0], [1, 0, 5, 0], [1, 0, 0, 0]])
    row = meters(net, h)
    assert row["inactive"] == 10 / 16 and row["dead"] == 1 / 4
    assert row["rank"] == effective_rank(h)


def test_meters_use_the_exact_sigma():
    net = player(SpectralNet, tiny(), seed_of(2))
    net.sigma = [100.0, 100.0]
    meters(net, np.zeros((3, INPUTS), np.float32))
    np.testing.assert_allclose(net.sigma, 2**0.5, rtol=1e-5)


def test_distinct_rows_are_spread_over_all():
    x = np.repeat(np.arange(10.0), 3)[:, None]
    np.testing.assert_array_equal(distinct(x, 4)[:, 0], [0, 3, 6, 9])
    assert len(distinct(x, 99)) == 10


# ---- part A ----
def test_lessons():
    config = tiny(tasks=30)
    lessons = draw_lessons(config, seed_of(4))
    frames = np.concatenate([lessons.frames, lessons.others])
    assert lessons.frames.shape == (40, INPUTS) and lessons.others.shape == (LOOK, INPUTS)
    assert frames.dtype == np.float32 and np.abs(frames).max() <= 5
    assert np.abs(lessons.frames.mean(0)).max() < 0.3
    assert lessons.labels.shape == (30, 40) and set(np.unique(lessons.labels)) == set(range(10))
    same = (lessons.labels[1:] == lessons.labels[:-1]).mean()
    assert 0.05 < same < 0.15  # tasks have nothing to do with each other
    assert (np.sort(lessons.orders, 2) == np.arange(40)).all()
    assert (lessons.orders[0, 0] != lessons.orders[1, 0]).any()
    assert (lessons.orders[0, 0] != lessons.orders[0, 1]).any()


def test_no_frame_occurs_twice():
    whole = draw_lessons(tiny(frames=1024), seed_of(4))
    frames = np.concatenate([whole.frames, whole.others])
    assert len(np.unique(frames, axis=0)) > 0.99 * len(frames)  # but for what was cut at 5
    assert len(np.unique(whole.frames, axis=0)) == 1024


def test_the_scripted_agent_gets_on():
    frames = psn.film(make_levels(seed_of(1), 20), np.random.default_rng(0))
    assert frames.shape == (20 * 100, INPUTS)
    coin = frames[:, 2 * 81 : 3 * 81].any(1).mean()
    assert 0.05 < coin < 0.6 and 0.03 < (frames[:, -5] < 0).mean() < 0.4


def test_a_task_is_learned_in_the_given_order(monkeypatch):
    seen, steps = [], []
    net = psn.memoriser(SpectralNet, tiny(), seed_of(1))
    forward, before = net.forward, net.before_update
    net.forward = lambda x: seen.append(x[:, 0].tolist()) or forward(x)
    net.before_update = lambda: steps.append(len(seen)) or before()
    monkeypatch.setattr(psn, "A_BATCH", 3)
    x = np.zeros((4, INPUTS), np.float32)
    x[:, 0] = np.arange(4)
    order = np.array([[3, 1, 0, 2], [0, 1, 2, 3]])
    right = learn_task(net, x, np.array([1, 2, 3, 4]), order, 1e-3)
    assert seen == [[3, 1, 0], [2], [0, 1, 2], [3]]
    assert steps == [0, 1, 2, 3] and net.updates == 4 and len(right) == 4


@pytest.mark.parametrize("name", KINDS)
def test_one_labelling_can_be_learned(name):
    rng = np.random.default_rng(5)
    x, labels = rng.standard_normal((60, INPUTS)).astype(np.float32), rng.integers(10, size=60)
    net = KINDS[name](np.random.default_rng(0), 32, [(10, 0.01)])
    order = np.array([rng.permutation(60) for _ in range(60)])
    before = psn.accuracy(net, x, labels)
    learn_task(net, x, labels, order, 3e-3)
    assert before < 0.4 < 0.9 < psn.accuracy(net, x, labels)


def test_a_net_goes_on_and_a_fresh_one_begins_again(monkeypatch, short_film):
    config = tiny()
    lessons = draw_lessons(config, seed_of(6))
    calls = []

    def learn(net, x, labels, order, rate):
        calls.append((net, x, labels, order, net.theta.copy(), net.updates))
        return learn_task(net, x, labels, order, rate)

    monkeypatch.setattr(psn, "learn_task", learn)
    kept, online, row, net = memorise(ReLUNet, lessons, config, silent)
    assert all(call[0] is net and call[1] is lessons.frames for call in calls)
    assert [call[5] for call in calls] == [0, 2, 4, 6]  # Adam goes on too
    for task, call in enumerate(calls):
        np.testing.assert_array_equal(call[2], lessons.labels[task])
        np.testing.assert_array_equal(call[3], lessons.orders[task])
    start = calls[0][4]
    assert row["first"] == np.mean(kept[:2]) and row["last"] == np.mean(kept[2:])
    assert len(online) == 8 and row["rank"] == meters(net, lessons.others)["rank"]
    calls.clear()
    memorise(ReLUNet, lessons, config, silent, afresh=True)
    starts = [call[4] for call in calls]
    np.testing.assert_array_equal(starts[0], start)
    assert len({some.tobytes() for some in starts}) == 4
    assert [call[5] for call in calls] == [0, 0, 0, 0]


# ---- part B ----
def made_up_play(rounds=7, games=5, seed=0):
    """Play that never was."""
    rng = np.random.default_rng(seed)
    ended = rng.random((rounds, games)) < 0.2
    late = ~ended & (rng.random((rounds, games)) < 0.2)
    numbers = rng.standard_normal((3, rounds, games))
    return Play(None, None, None, *numbers, ended, late)


def test_advantages_agree_with_their_definition():
    game = made_up_play()
    assert game.ended.any() and game.late.any()
    for n in range(5):
        for t in range(7):
            total, weight = 0.0, 1.0
            for k in range(t, 7):
                follows = 0 if game.ended[k, n] else game.next_values[k, n]
                total += weight * (game.rewards[k, n] + 0.9 * follows - game.values[k, n])
                if game.ended[k, n] or game.late[k, n]:
                    break
                weight *= 0.9 * 0.95
            assert advantages(game, 0.9)[t, n] == pytest.approx(total)


def test_play_values_the_state_before_a_new_level(monkeypatch):
    monkeypatch.setattr(psn, "LIMIT", 12)  # three decisions
    net = player(SpectralNet, tiny(), seed_of(1))
    net.theta += 0.1 * np.random.default_rng(3).standard_normal(len(net.theta)).astype(np.float32)
    world = World(make_levels(seed_of(2), 3), 40)
    world.reset(np.ones(40, bool), np.zeros(40, np.intp))
    u = net.u[0].copy()
    ends = []
    step, monkey = world.step, []

    def watched(actions):
        result = step(actions)
        ends.append(world.observe())
        monkey.append(actions)
        return result

    world.step = watched
    game = play(net, world, 3, np.random.default_rng(0), 8)
    np.testing.assert_array_equal(u, net.u[0])
    assert game.late.sum(1).max() > 20 and (game.late | game.ended).any(1).sum() >= 2
    for t in range(8):
        np.testing.assert_array_equal(game.actions[t], monkey[t])
        y = net.forward(game.x[t])[0]
        np.testing.assert_allclose(game.values[t], y[:, ACTIONS], rtol=1e-4, atol=1e-5)
        log_p = log_softmax(y[:, :ACTIONS])[np.arange(40), game.actions[t]]
        np.testing.assert_allclose(game.log_p[t], log_p, rtol=1e-4)
        on = ~game.ended[t]
        after = net.forward(ends[t])[0][:, ACTIONS]
        np.testing.assert_allclose(game.next_values[t][on], after[on], rtol=1e-4, atol=1e-5)
        if t < 7:
            over = game.ended[t] | game.late[t]
            np.testing.assert_allclose(game.x[t + 1][over][:, -2], 0.5)  # x = 1.5
    assert net.sigma[0] == pytest.approx(np.linalg.norm(net.parts[0], 2), rel=1e-5)


def test_decisions_follow_the_policy():
    net = player(ReLUNet, tiny(), seed_of(1))
    net.parts[5][:ACTIONS] = np.log([0.05, 0.1, 0.15, 0.2, 0.3, 0.2])
    net.parts[4][:] = 0
    x = np.zeros((20000, INPUTS), np.float32)
    actions, log_p, values = psn.decide(net, x, np.random.default_rng(0))
    shares = np.bincount(actions, minlength=6) / 20000
    np.testing.assert_allclose(shares, [0.05, 0.1, 0.15, 0.2, 0.3, 0.2], atol=0.01)
    np.testing.assert_allclose(
        np.exp(log_p), np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.2])[actions], rtol=1e-5
    )
    assert not values.any()


def test_improvement_sees_every_decision_in_each_pass_and_clips(monkeypatch):
    net = player(SpectralNet, tiny(), seed_of(1))
    world = World(make_levels(seed_of(2), 3), 10)
    world.reset(np.ones(10, bool), np.zeros(10, np.intp))
    game = play(net, world, 3, np.random.default_rng(0), 5)._replace(rewards=np.full((5, 10), 1e6))
    monkeypatch.setattr(psn, "B_BATCH", 20)
    batches, norms, powers = [], [], []
    slope, descend, before = psn.ppo_slope, net.descend, net.before_update

    def watched(y, actions, old, some, returns, config):
        batches.append(np.round(returns, 3).tolist())
        assert abs(some.mean()) < 1e-3 and abs(some.std() - 1) < 1e-3
        return slope(y, actions, old, some, returns, config)

    monkeypatch.setattr(psn, "ppo_slope", watched)
    net.descend = lambda rate: norms.append(np.linalg.norm(net.gradient)) or descend(rate)
    net.before_update = lambda: powers.append(1) or before()
    improve(net, game, np.random.default_rng(1), tiny())
    returns = (advantages(game, 0.99) + game.values).ravel()
    assert [len(batch) for batch in batches] == [20, 20, 10] * 4 and len(powers) == 12
    for start in range(0, 12, 3):
        seen = sorted(sum(batches[start : start + 3], []))
        np.testing.assert_allclose(seen, sorted(np.round(returns, 3)), rtol=1e-5)
    assert batches[0] != batches[3] and max(norms) <= 0.5 * (1 + 1e-5)


def test_a_phase_reports_its_last_quarter(monkeypatch):
    config = tiny(iterations=8, environments=2, decisions_per_iteration=3)
    rounds = []

    def scripted(net, world, count, rng, decisions):
        assert (count, decisions) == (3, 3)
        rounds.append(1)
        last = len(rounds) > 6
        won = np.array([[last, 0], [0, 0], [0, 0]], bool)
        other = np.array([[0, 1], [0, 0], [0, last]], bool)
        return Play(None, None, None, None, None, 1.0 * won, won | other, 0 * other > 0)

    monkeypatch.setattr(psn, "play", scripted)
    monkeypatch.setattr(psn, "improve", lambda *_: None)
    levels = make_levels(seed_of(2), 3)
    assert learn_phase(None, levels, seed_of(1).spawn(2), config, silent) == 1 / 3
    rounds.extend([1] * -100)


def test_ppo_learns_the_game():
    config = tiny(hidden_size=32, iterations=25, environments=32, decisions_per_iteration=16)
    net = player(ReLUNet, config, seed_of(1))
    levels = make_levels(seed_of(2), 3)
    before = examine(net, np.concatenate([levels] * 20), seed_of(3))["test"]
    learn_phase(net, levels, seed_of(4).spawn(2), config, silent)
    after = examine(net, np.concatenate([levels] * 20), seed_of(3))["test"]
    assert before < 0.4 and after > before + 0.3


# ---- the wiring of the experiment ----
def test_every_stream_is_used_by_whom_it_is_for(monkeypatch, short_film):
    config, used = tiny(), []
    real = np.random.default_rng

    def watched(seed):
        used.append(seed.spawn_key)
        return real(seed)

    monkeypatch.setattr(np.random, "default_rng", watched)
    run(config, 1000, silent)
    counts = Counter(used)
    shared = {key: count for key, count in counts.items() if count > 1}
    weights = {(0, 5, 0): 3, (1, 4): 3}  # relu, spectral, fresh; relu, spectral, untrained
    played = {(1, 2, phase, k): 2 for phase in range(2) for k in range(2)}
    assert shared == weights | played | {(1, 3, 0): 2, (1, 3, 1): 3}
    expected = {(0, 0, n) for n in range(psn.FILMED)} | {(0, n) for n in range(1, 5)}
    expected |= {(0, 5, n) for n in range(4)} | {(1, 4)} | set(played)
    expected |= {(1, 0, phase, n) for phase in range(2) for n in range(3)}
    tested = {key for key in counts if key[:2] == (1, 1)}  # some are drawn in place of known ones
    assert tested >= {(1, 1, phase, n) for phase in range(2) for n in range(4)}
    assert set(counts) == expected | tested | {(1, 3, 0), (1, 3, 1)}


def test_no_test_level_was_learned():
    season = draw_season(tiny(levels=60, test_levels=80), seed_of(5))
    learned, unseen = (
        {level.tobytes() for levels in some for level in levels}
        for some in (season.levels, season.unseen)
    )
    assert len(learned) > 60 and len(unseen) > 60 and not learned & unseen
    assert [len(levels) for levels in season.unseen] == [80, 80]


def test_another_seed_gives_other_worlds():
    one, two = [draw_season(tiny(levels=20), seed_of(n)) for n in (1, 2)]
    assert (one.levels[0] != two.levels[0]).any() and (one.levels[0] != one.levels[1]).any()
    assert (one.unseen[0] != one.unseen[1]).any()


@pytest.fixture
def filmed(monkeypatch):
    """What is learned and what is tested in part B, in order."""
    films = []
    phase, exam, real = psn.learn_phase, psn.examine, psn.attempt

    def learned(net, levels, seeds, config, tell):
        films.append(("learn", type(net), levels, seeds, net.theta.copy(), config))
        return phase(net, levels, seeds, config, tell)

    def examined(net, levels, seed):
        row = exam(net, levels, seed)
        films.append(("examine", type(net), levels, seed, net.theta.copy(), row))
        return row

    def attempted(choose, levels):
        films.append(("attempt", choose(np.zeros((3, INPUTS), np.float32)), levels))
        return real(choose, levels)

    monkeypatch.setattr(psn, "learn_phase", learned)
    monkeypatch.setattr(psn, "examine", examined)
    monkeypatch.setattr(psn, "attempt", attempted)
    return films


def test_both_nets_learn_the_same_levels_and_are_tested_on_others(filmed, monkeypatch, short_film):
    seasons = []
    real = psn.draw_season
    monkeypatch.setattr(psn, "draw_season", lambda *a: seasons.append(real(*a)) or seasons[-1])
    table = run(tiny(), 1000, silent)
    season = seasons[0]
    learned = [film for film in filmed if film[0] == "learn"]
    tested = [film for film in filmed if film[0] == "examine"]
    assert [film[1] for film in learned] == [ReLUNet] * 2 + [SpectralNet] * 2
    assert all(film[2] is season.levels[n % 2] for n, film in enumerate(learned))
    assert all(film[3] is season.learning[n % 2] for n, film in enumerate(learned))
    assert len({film[5] for film in learned}) == 1
    np.testing.assert_array_equal(learned[0][4], learned[2][4])
    assert (learned[1][4] != learned[0][4]).any()
    assert all(film[2] is season.unseen[n % 2] for n, film in enumerate(tested[:4]))
    assert all(film[3] is season.testing[n % 2] for n, film in enumerate(tested[:4]))
    final = [tested[1][-1], tested[3][-1]]
    for name, row in zip(("b_relu", "b_sn"), final, strict=True):
        assert table[name] == {key: row[key] for key in ("test", "inactive", "dead", "rank")}
    blind = [film for film in filmed if film[0] == "attempt" and len(set(film[1])) == 1]
    assert any(film[1].tolist() == [5, 5, 5] and film[2] is season.unseen[1] for film in blind)
    np.testing.assert_array_equal(tested[4][4], learned[0][4])  # the untrained net
    assert tested[4][2] is season.unseen[1]


def test_the_claims_are_what_they_say(monkeypatch, short_film):
    rows = {
        (ReLUNet, False): {"first": 0.5, "last": 0.1},
        (SpectralNet, False): {"first": 0.4, "last": 0.3},
        (ReLUNet, True): {"first": 0.5, "last": 0.5},
    }
    ends = {ReLUNet: (0.9, 0.8, 30.0), SpectralNet: (0.7, 0.2, 20.0)}
    monkeypatch.setattr(
        psn, "memorise", lambda kind, a, b, c, afresh: ([], [], rows[kind, afresh], None)
    )

    def game(net, *_):
        test, inactive, rank = ends[type(net)]
        row = {"train": 1, "test": test, "inactive": inactive, "dead": 0, "rank": rank}
        return [row | {"test": -1}, row]

    monkeypatch.setattr(psn, "learn_game", game)
    claims = run(tiny(), 1000, silent)["claims"]
    assert claims["test_gain"] == pytest.approx(-0.2)
    assert claims["inactive_cut"] == pytest.approx(0.75)
    assert claims["rank_gain"] == pytest.approx(-10)
    assert claims["retained_gain"] == pytest.approx(0.75 - 0.2)
    assert claims["to_lose"] == pytest.approx(0.8)
    assert psn.cut(0.5, 0.0) is None and psn.minus(None, 1) is None
    assert psn.retained({"first": 0.0, "last": 0.3}) is None


def test_progress_rises(short_film):
    said = []
    run(tiny(), 1000, lambda fraction, message: said.append(fraction))
    assert said == sorted(said) and 0 < said[0] and said[-1] == 1


@pytest.mark.parametrize("words", [["--tasks", "1"], ["--gamma", "1.1"], ["--frames", "9000"]])
def test_settings_out_of_range_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stop:
        psn.main(psn, words)
    assert stop.value.code == 2 and words[0] in capsys.readouterr().err


# ---- the study ----
def test_mish_and_leaky_agree_with_their_definitions():
    z = np.array([[-30.0, -2, -0.5, 0, 0.7, 3, 19, 25, 90]])
    mish = z * np.tanh(np.logaddexp(0, z))
    net = KINDS["mish"](np.random.default_rng(0), 4, [(2, 1.0)])
    np.testing.assert_allclose(net.activate(0, z), mish, atol=1e-9)
    slope = (net.activate(0, z + 1e-6) - net.activate(0, z - 1e-6)) / 2e-6
    np.testing.assert_allclose(net.activate_back(0, z, np.ones_like(z)), slope, atol=1e-6)
    leaky = KINDS["leaky"](np.random.default_rng(0), 4, [(2, 1.0)])
    np.testing.assert_allclose(leaky.activate(0, z)[0, :5], [-0.3, -0.02, -0.005, 0, 0.7])


def test_norms_standardise_over_the_units():
    z = 3 + 5 * np.random.default_rng(0).standard_normal((4, 50))
    for name in ("layernorm", "rmsnorm"):
        net = KINDS[name](np.random.default_rng(0), 50, [(2, 1.0)], np.float64)
        y = net.normal(0, z)[2]
        np.testing.assert_allclose((y * y).mean(1), 1, rtol=1e-4)
        assert (np.abs(y.mean(1)) < 1e-9).all() == (name == "layernorm")


def test_redo_redraws_dormant_units_and_no_others():
    net = study.ReDoNet(np.random.default_rng(0), 6, [(3, 1.0)], np.float64)
    rng = np.random.default_rng(1)
    net.theta += rng.standard_normal(len(net.theta))
    net.parts[1][:2] = -1e3  # units 0 and 1 of layer 1 are silent
    net.parts[3][4] = -1e3
    net.m[:] = net.v[:] = 7
    x = rng.standard_normal((30, INPUTS))
    net.forward(x)
    before, m = net.theta.copy(), net.views(net.m)
    counts = [net.recycle(n) for n in (1, 0)][::-1]
    old, new = net.views(before), net.parts
    assert counts[0] >= 2 and counts[1] >= 1
    for n in range(2):
        gone = np.abs(net.seen[n + 1]).mean(0)
        gone = gone <= 0.025 * gone.mean()
        assert gone.sum() == counts[n]
        assert (new[2 * n][:, gone] != old[2 * n][:, gone]).any()
        assert not new[2 * n + 1][gone].any() and not new[2 * n + 2][gone].any()
        np.testing.assert_array_equal(new[2 * n + 1][~gone], old[2 * n + 1][~gone])
        assert not m[2 * n][:, gone].any() and (m[2 * n + 1][~gone] == 7).all()
    norms = np.linalg.norm(new[0][:, :2], axis=0)
    np.testing.assert_allclose(norms, 2**0.5)


def test_redo_comes_every_so_often():
    kind = study.kinds(study.Config(redo_every=3))["redo"]
    net = kind(np.random.default_rng(0), 6, [(10, 1.0)])
    x = np.random.default_rng(1).standard_normal((20, INPUTS)).astype(np.float32)
    learn_task(net, x, np.zeros(20, int), np.tile(np.arange(20), (7, 1)), 1e-3)
    assert [update for update, _ in net.resets] == [3, 6]


def test_the_saw_tooth_is_the_fall_after_a_reset():
    online = [0.5] * 30 + [0.2] * 30 + [0.9] * 40
    assert study.saw_tooth([(30, 2)], online, 100) == pytest.approx(0.3)
    assert study.saw_tooth([(30, 0), (95, 1), (5, 1)], online, 100) is None
    assert study.saw_tooth([(30, 2), (60, 1)], online, 100) == pytest.approx((0.3 - 0.7) / 2)


def test_overtaking_and_ranking():
    assert study.overtaken([1, 5, 1, 5, 5], [2, 2, 2, 2, 2]) == 4
    assert study.overtaken([3, 3], [2, 2]) == 1 and study.overtaken([1, 3, 1], [2, 2, 2]) is None
    assert study.kendall([1, 2, 3], [10, 20, 30]) == 1
    assert study.kendall([1, 2, 3], [30, 10, 20]) == pytest.approx(-1 / 3)


def small_study(**more):
    """Settings of the study that take a moment."""
    return study.Config(**vars(tiny()) | {"redo_every": 3} | more)


def test_a_copy_takes_the_encoder_and_a_fresh_head(monkeypatch, short_film):
    config = small_study(hidden_size=12, test_levels=2)
    exam = study.Exam(config, seed_of(3))
    assert exam.frames.shape == (40, INPUTS) and len(np.unique(exam.frames, axis=0)) == 40
    taught = []
    monkeypatch.setattr(study, "learn_task", lambda net, *rest: taught.append((net, rest)))
    for kind in (ReLUNet, SpectralNet, study.LayerNormNet):
        encoder = player(kind, config, seed_of(9))
        kept = copy.deepcopy(encoder.parts)
        exam.score(kind)
        exam.score(kind, encoder)
        (fresh, same), (net, rest) = taught[-2:]
        assert net is not encoder and rest[0] is same[0] is exam.frames
        for n, part in enumerate(net.parts):
            like = fresh.parts if n in (4, 5) else kept
            np.testing.assert_array_equal(part, like[n])
        for part, old in zip(encoder.parts, kept, strict=True):
            np.testing.assert_array_equal(part, old)


def test_the_study_meets_what_the_experiment_meets(filmed, monkeypatch, short_film):
    config = small_study()
    drawn = []
    for name in ("draw_lessons", "draw_season"):
        real = getattr(psn, name)
        keep = lambda *a, real=real: drawn.append(real(*a)) or drawn[-1]  # noqa: E731
        monkeypatch.setattr(study, name, keep)
        monkeypatch.setattr(psn, name, keep)
    table = study.run(config, 1000, silent)
    run(tiny(), 1000, silent)
    np.testing.assert_array_equal(drawn[0].frames, drawn[2].frames)
    np.testing.assert_array_equal(drawn[0].labels, drawn[2].labels)
    np.testing.assert_array_equal(drawn[1].unseen[1], drawn[3].unseen[1])
    learned = [film for film in filmed if film[0] == "learn"][:16]
    assert [film[1].__name__ for film in learned[::2]] == [kind.__name__ for kind in KINDS.values()]
    for n, film in enumerate(learned):
        assert film[2] is drawn[1].levels[n % 2] and film[3] is drawn[1].learning[n % 2]
        assert film[5] == config
        size = len(learned[0][4])
        if n % 2 == 0:
            np.testing.assert_array_equal(film[4][:size], learned[0][4])  # one draw for all
    ends = {name: table[f"b_{name}_2"]["test"] for name in KINDS}
    best = max(ends["leaky"], ends["layernorm"], ends["rmsnorm"])
    assert table["claims"]["best_of_three"] == best - ends["relu"]
    assert -1 <= table["b"]["tau"] <= 1
    assert table["a_sn"]["retained"] == psn.retained(table["a_sn"])


def test_the_exam_has_a_stream_of_its_own(monkeypatch, short_film):
    keys = []
    real = study.Exam.__init__

    def watched(self, config, seed):
        keys.append(seed.spawn_key)
        real(self, config, seed)

    monkeypatch.setattr(study.Exam, "__init__", watched)
    monkeypatch.setattr(study, "part_b", lambda *a: {f"b_{n}_2": {"test": 0.0} for n in KINDS})
    monkeypatch.setattr(study, "part_a", lambda *a: {})
    study.run(small_study(), 1000, silent)
    assert keys == [(2,)]


def test_quick_settings_are_settings():
    assert replace(Config(), **QUICK) == Config(**QUICK)
    assert study.Config(**study.QUICK).tasks == 4
