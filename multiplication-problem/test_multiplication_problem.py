"""Tests of the multiplication problem: task, gradients, step, criterion, wiring, bad settings."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import multiplication_problem as mp
import numpy as np
import pytest
import study_multiplication_problem as study
from multiplication_problem import QUICK, Config, Lstm, RecurrentNet, Trainer, run, sequences

SMALL = Config(T=22, init_range=0.7, input_gate_bias=(-0.5, -1.0), rnn_hidden=5)
WIDE = replace(SMALL, blocks=3, cells=1, input_gate_bias=(0.0, 0.5, -1.0))
ABOVE = study.Config(T=22, init_range=0.7, input_gate_bias=(-0.5, -1.0), units_above=3)
NETS = {
    "lstm": (Lstm(SMALL), SMALL),
    "wide": (Lstm(WIDE), WIDE),
    "above": (study.UnitsAbove(ABOVE), ABOVE),
    "no_links": (study.NoLinks(SMALL), SMALL),
    "tanh": (RecurrentNet(5, 5), SMALL),
}


def silent(share, text):
    """A progress that nobody sees."""


def sample(config, nets=2, batch_size=6, seed=1):
    """Draw sequences of several lengths, in float64."""
    x, factors = sequences(np.random.default_rng(seed), nets, batch_size, config)
    assert len({tuple(b) for b in x[:, 0, 2].T}) > 1
    return x.astype(float), factors.prod(0).astype(float)


def weights(net, config, nets=2, seed=0):
    return net.initial(np.random.default_rng(seed), nets, config).astype(float)


def unit_weights(net, theta):
    return theta[:, : net.split].reshape(len(theta), net.units, 3 + net.units)


# ---- slow references: one net, one sequence, plain loops, the paper's formulas ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def unpack(theta, units):
    W = theta[: units * (3 + units)].reshape(units, 3 + units)
    return W, theta[W.size :]


def slow_output(theta, config, y):
    """The output for what the cells show, with or without units above them."""
    if (U := getattr(config, "units_above", 0)) == 0:
        return sig(theta[:-1] @ y + theta[-1])
    A, v = theta[: U * (len(y) + 1)].reshape(U, -1), theta[U * (len(y) + 1) :]
    above = [sig(row[:-1] @ y + row[-1]) for row in A]
    return sig(v[:-1] @ above + v[-1])


def slow_lstm(theta, config, pairs, frozen=None):
    """Run the 1997 cell: output, all z, cell states. `frozen` replaces every z but the output's."""
    J, S = config.blocks, config.cells
    C = J * S
    W, head = unpack(theta, C + 2 * J)
    activations, state, zs, states = np.zeros(C + 2 * J), np.zeros(C), [], []
    for t, pair in enumerate(pairs):
        z = np.concatenate([pair, [1.0], activations]) if frozen is None else frozen[t]
        a = W @ z
        for c in range(C):
            state[c] += sig(a[C + c // S]) * (4 * sig(a[c]) - 2)
        y = [sig(a[C + J + c // S]) * (2 * sig(state[c]) - 1) for c in range(C)]
        activations = np.concatenate([y, sig(a[C:])])
        zs.append(z)
        states.append(state.copy())
    return slow_output(head, config, activations[:C]), np.array(zs), np.array(states)


def slow_bptt(theta, config, pairs, target):
    """The full gradient of the cross-entropy through every path of the 1997 cell."""
    J, S = config.blocks, config.cells
    C = J * S
    W, head = unpack(theta, C + 2 * J)
    output, zs, states = slow_lstm(theta, config, pairs)
    block = np.arange(C) // S
    dW, d_state = np.zeros_like(W), np.zeros(C)
    d_y, d_gates = (output - target) * head[:-1], np.zeros(2 * J)
    for t in reversed(range(len(pairs))):
        a = W @ zs[t]
        i, o, g, h = sig(a[C : C + J]), sig(a[C + J :]), 4 * sig(a[:C]) - 2, 2 * sig(states[t]) - 1
        d_state = d_state + d_y * o[block] * (1 - h**2) / 2
        d_i = d_gates[:J] + np.bincount(block, d_state * g, J)
        d_o = d_gates[J:] + np.bincount(block, d_y * h, J)
        d_a = np.concatenate(
            [d_state * i[block] * (1 - g**2 / 4), d_i * i * (1 - i), d_o * o * (1 - o)]
        )
        dW += np.outer(d_a, zs[t])
        d_z = W.T @ d_a
        d_y, d_gates = d_z[3 : 3 + C], d_z[3 + C :]
    y_end = slow_lstm(theta, config, np.vstack([pairs, [0, 0]]))[1][-1][3 : 3 + C]
    return np.concatenate([dW.ravel(), (output - target) * y_end, [output - target]])


def cross_entropy(y, target):
    return -target * np.log(y) - (1 - target) * np.log(1 - y)


def central_differences(objective, theta, step=1e-5):
    """d objective(theta) / d theta (N, P); the objective gives one number per net."""
    numeric = np.zeros_like(theta)
    for p in range(theta.shape[1]):
        up, down = theta.copy(), theta.copy()
        up[:, p] += step
        down[:, p] -= step
        numeric[:, p] = (objective(up) - objective(down)) / (2 * step)
    return numeric


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def unpadded(x, n, b):
    """The pairs (L, 2) of one sequence without what stands before its start."""
    return x[x[:, n, 2, b] == 1, n, :2, b]


# ---- the networks ----


@pytest.mark.parametrize("name", ["lstm", "wide", "above", "no_links"])
def test_lstm_is_the_cell_of_the_paper_on_sequences_without_padding(name):
    net, config = NETS[name]
    x, _ = sample(config)
    theta = weights(net, config)
    y = net.forward(theta, x)
    for n, b in np.ndindex(y.shape):
        slow, _, states = slow_lstm(theta[n], config, unpadded(x, n, b))
        assert y[n, b] == pytest.approx(slow, abs=1e-12)
        held = 2 * net.s[:, n, :, :, b].reshape(len(net.s), -1)
        np.testing.assert_allclose(held[-len(states) :], states, atol=1e-12)
        assert not held[: -len(states)].any()


def test_tanh_net_on_sequences_without_padding():
    net, config = NETS["tanh"]
    x, _ = sample(config)
    theta = weights(net, config)
    y = net.forward(theta, x)
    for n, b in np.ndindex(y.shape):
        W, head = unpack(theta[n], 5)
        h = np.zeros(5)
        for pair in unpadded(x, n, b):
            h = np.tanh(W @ np.concatenate([pair, [1.0], h]))
        assert y[n, b] == pytest.approx(sig(head[:-1] @ h + head[-1]), abs=1e-12)


@pytest.mark.parametrize("name", ["lstm", "wide", "above", "no_links"])
def test_truncated_gradient_with_frozen_recurrent_inputs(name):
    net, config = NETS[name]
    x, target = sample(config, nets=1, batch_size=3)
    theta = weights(net, config, nets=1)
    analytic = net.backward((net.forward(theta, x) - target) / 3)
    pairs = [unpadded(x, 0, b) for b in range(3)]
    frozen = [slow_lstm(theta[0], config, p)[1] for p in pairs]

    def objective(theta):
        ys = [slow_lstm(theta[0], config, p, z)[0] for p, z in zip(pairs, frozen)]
        return cross_entropy(np.array(ys), target[0]).mean()

    numeric = central_differences(objective, theta)
    if name == "no_links":
        assert np.abs(unit_weights(net, numeric)[:, 4:, 3:]).max() > 1e-5  # that is not followed
        numeric = net.cut(numeric)
    assert relative_error(analytic, numeric) <= 1e-6


def test_full_bptt_of_the_reference_is_the_gradient_and_the_truncated_one_is_part_of_it():
    net, config = NETS["lstm"]
    x, target = sample(config, nets=1, batch_size=3)
    theta = weights(net, config, nets=1)
    full = np.mean(
        [slow_bptt(theta[0], config, unpadded(x, 0, b), target[0, b]) for b in range(3)], 0
    )

    def objective(theta):
        return cross_entropy(net.forward(theta, x), target).mean(1)

    assert relative_error(full, central_differences(objective, theta)[0]) <= 1e-6
    truncated = net.backward((net.forward(theta, x) - target) / 3)[0]
    assert 1e-3 < relative_error(truncated, full) < 0.5  # something is cut off, but not much
    unit_weights(net, theta)[:, :, 3:] = 0  # without recurrent weights nothing is left to cut off
    full = np.mean(
        [slow_bptt(theta[0], config, unpadded(x, 0, b), target[0, b]) for b in range(3)], 0
    )
    truncated = net.backward((net.forward(theta, x) - target) / 3)[0]
    assert relative_error(truncated, full) <= 1e-10


def test_tanh_net_gradient_is_that_of_the_loss():
    net, config = NETS["tanh"]
    x, target = sample(config)
    theta = weights(net, config)
    analytic = net.backward((net.forward(theta, x) - target) / 6)

    def objective(theta):
        return cross_entropy(net.forward(theta, x), target).mean(1)

    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_what_is_descended():
    y, target = np.array([[0.3, 0.9]]), np.array([[0.5, 0.2]])
    given = Trainer(Lstm(SMALL), np.zeros((1, 93)), 1.0, SMALL).output_delta(y, target)
    a, e = np.log(y / (1 - y)), 1e-6
    rise = cross_entropy(sig(a + e), target) - cross_entropy(sig(a - e), target)
    np.testing.assert_allclose(given, rise / (2 * e) / 2, rtol=1e-6)


def test_the_nets_that_are_compared():
    config = study.Config()
    lstm, tanh = Lstm(config), RecurrentNet(config.rnn_hidden, config.rnn_hidden)
    theta = lstm.initial(np.random.default_rng(0), 3, config)
    assert theta.shape == (3, 93)  # the paper's number
    np.testing.assert_array_equal(unit_weights(lstm, theta)[:, 4:6, 2], [[-3, -6]] * 3)
    others = np.delete(theta, [4 * 11 + 2, 5 * 11 + 2], axis=1)
    assert 0.09 < np.abs(others).max() <= 0.1
    theta = tanh.initial(np.random.default_rng(0), 3, config)
    W = unit_weights(tanh, theta)
    assert theta.shape == (3, 97) and not np.allclose(W[0, :, 3:], W[1, :, 3:])
    for square in W[:, :, 3:]:
        np.testing.assert_allclose(square @ square.T, np.eye(8), atol=1e-6)
    assert 0.09 < np.abs(W[:, :, :3]).max() <= 0.1 and np.abs(theta[:, -9:]).max() <= 0.1


def test_the_nets_of_the_study():
    config = study.Config()
    kinds = (study.HalfOpen, study.UnitsAbove, study.NoLinks, study.LoudOutput)
    half_open, above, cut, loud = (kind(config) for kind in kinds)
    theta = half_open.initial(np.random.default_rng(0), 3, config)
    assert theta.shape == (3, 93) and 0.09 < np.abs(theta).max() <= 0.1
    theta = above.initial(np.random.default_rng(0), 3, config)
    assert theta.shape == (3, 93 + 20)
    A = theta[:, above.split : -5].reshape(3, 4, 5)
    A[:, :, :4] -= 2 * np.eye(4)
    assert np.abs(A).max() <= 0.1001
    np.testing.assert_allclose(theta[:, -5:-1], [[1, -1, 1, -1]] * 3, atol=0.1001)
    W = unit_weights(cut, cut.initial(np.random.default_rng(0), 3, config))
    assert not W[:, 4:, 3:].any() and W[:, :4].all() and W[:, 4:, :3].all()
    theta = loud.initial(np.random.default_rng(0), 3, config)
    np.testing.assert_allclose(theta[:, -5:-1], [[0.5, -0.5, 0.5, -0.5]] * 3, atol=0.1001)


@pytest.mark.parametrize("name", NETS)
def test_nets_in_lock_step_are_independent(name):
    net, config = NETS[name]
    x, target = sample(config, nets=3)
    theta = weights(net, config, nets=3)
    together = net.backward(net.forward(theta, x) - target)
    alone = net.backward(net.forward(theta[1:2], x[:, 1:2]) - target[1:2])
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-10, atol=1e-15)


# ---- the task ----


@pytest.mark.parametrize("T", [22, 23, 57, 100])
def test_sequences_against_a_slow_reading_of_the_paper(T):
    x, factors = sequences(np.random.default_rng(T), 2, 40, Config(T=T))
    assert x.dtype == np.float32 and x.shape == (T + T // 10, 2, 3, 40)
    for n, b in np.ndindex(2, 40):
        values, marks = unpadded(x, n, b).T
        assert T <= len(values) <= T + T // 10
        assert not x[: len(x) - len(values), n, :, b].any()  # right-aligned, and silent before
        assert x[len(x) - len(values) :, n, 2, b].all()
        assert values.min() >= 0 and values.max() < 1 and np.count_nonzero(values) > T - 2
        assert marks[0] == marks[-1] == -1 and set(marks[1:-1]) <= {0.0, 1.0}
        marked = np.flatnonzero(marks == 1)
        assert 1 <= len(marked) <= 2  # one is hidden when it falls on the first pair
        assert marked[0] < 10 or len(marked) == 1
        assert len(values) - 1 - marked[-1] >= T // 2  # the minimal lag
        assert factors[:, n, b].prod() == pytest.approx(values[marked].prod(), abs=1e-6)
        seen = [*values[marked], *[1.0] * (2 - len(marked))]
        assert sorted(factors[:, n, b]) == pytest.approx(sorted(seen), abs=1e-6)


def test_where_marks_and_lengths_fall():
    T, count = 40, 40_000
    x, factors = sequences(np.random.default_rng(0), 1, count, Config(T=T))
    length = x[:, 0, 2].sum(0).astype(int)
    assert np.bincount(length)[T:] == pytest.approx(count / 5, rel=0.05) and length.min() == T
    ones = x[:, 0, 1] == 1
    two = ones.sum(0) == 2
    start = len(x) - length
    first = ones.argmax(0) - start
    last = len(x) - 1 - ones[::-1].argmax(0) - start
    assert set(first[two]) == set(range(1, 10)) and last.max() == T // 2 - 2
    # the first pair is hidden: 1/10 for the first mark, and 9/10 of 1/(T/2 - 2) for the second
    assert (~two).mean() == pytest.approx(0.1 + 0.9 / (T / 2 - 2), rel=0.05)
    assert ((factors == 1).any(0)[0] == ~two).all()
    assert (factors[0] == 1).mean() == pytest.approx(0.1, rel=0.06)
    values = x[:, 0, 0][x[:, 0, 2] == 1]
    assert values.std() == pytest.approx(1 / np.sqrt(12), rel=0.01)
    assert values.mean() == pytest.approx(0.5, abs=0.01)


def test_the_end_of_a_sequence_does_not_tell_the_target():
    x, factors = sequences(np.random.default_rng(5), 1, 20_000, Config(T=100))
    target = factors.prod(0)[0]
    late = x[-50:, 0, :2].reshape(100, -1)  # all that is seen in the last T/2 steps
    features = np.vstack([late, x[:, 0, 2].sum(0), np.ones(20_000)]).T
    fit = np.linalg.lstsq(features[:10_000], target[:10_000], rcond=None)[0]
    residual = features[10_000:] @ fit - target[10_000:]
    assert residual.var() > 0.99 * target[10_000:].var()


def test_the_levels_of_those_who_do_not_multiply():
    factors = np.random.default_rng(3).random((2, 1, 400_000))
    product, s = factors.prod(0), factors.sum(0)
    best = mp.best_of_sum(factors)
    mse = np.mean((best - product) ** 2)
    assert mse == pytest.approx(1 / 540, rel=0.01)  # exact
    assert np.mean(np.abs(best - product) >= 0.04) == pytest.approx(0.32, abs=0.01)
    for low in np.arange(0, 2, 0.1):  # it is the mean of the product where the sum is s
        here = (s >= low) & (s < low + 0.1)
        assert best[here].mean() == pytest.approx(product[here].mean(), abs=2e-3)
    assert mse < np.mean((sig(3.48 * s - 5) - product) ** 2) < 0.0021
    hidden = np.array([[[1.0, 0.3, 0.5]], [[0.7, 1.0, 0.5]]])
    np.testing.assert_allclose(mp.best_of_sum(hidden)[0, :2], [0.7, 0.3])
    assert mp.best_of_sum(hidden)[0, 2] == pytest.approx(1 / 6)


# ---- learning step and criterion, on hand-worked cases ----


class Scripted:
    """A stand-in net: its |errors| (steps, N, B) follow a script, and its gradient is constant."""

    def __init__(self, errors, slope=(1.0, -2.0)):
        self.errors, self.slope, self.log = np.array(errors, float), np.array(slope), []

    def forward(self, theta, x):
        self.log.append(theta.copy())
        return self.errors[len(self.log) - 1][x]  # x: the rows of the nets that are left

    def backward(self, d_a):
        return np.tile(self.slope, (len(d_a), 1))


@pytest.fixture
def window(monkeypatch):
    """Shrink the criterion's window to four sequences."""
    monkeypatch.setattr(mp, "WINDOW", 4)


def follow(errors, rule=Trainer, slope=(1.0, -2.0), rates=0.1, **settings):
    """Step through a script with nets that start at zero; return the trainer."""
    net = Scripted(errors, slope)
    steps, N, B = net.errors.shape
    config = replace(Config(batch_size=B, max_sequences=steps * B, stop_wrong=1), **settings)
    trainer = rule(net, np.zeros((N, 2)), rates, config)
    while len(trainer.running) and trainer.seen < config.max_sequences:
        trainer.step(trainer.running, np.zeros((len(trainer.running), B)))
    return trainer


def test_the_criterion_looks_back_over_a_ring_of_2000():
    assert (mp.WINDOW, mp.TEST, Config().stop_wrong) == (2000, 2560, 140)
    good, bad = 0.001, 0.05
    errors = np.full((200, 1, 16), good)
    errors[3, 0, 5] = bad  # sequence 53 leaves the ring when 2,054 have been seen
    assert follow(errors).sequences.tolist() == [2064]
    errors[3, 0, 5] = good
    assert follow(errors).sequences.tolist() == [2000]
    assert not follow(errors[:124]).met.any()  # 1,984 are too few


def test_fewer_than_so_many_wrong(window):
    errors = np.array([0.05, 0.05, 0, 0, 0, 0]).reshape(6, 1, 1)
    assert [follow(errors, stop_wrong=n).sequences[0] for n in (1, 2, 3)] == [6, 5, 4]
    assert not follow(errors[:5]).met.any()
    assert follow(-errors, stop_wrong=2).sequences.tolist() == [5]
    errors[:2] = 0.0399
    assert follow(errors).sequences.tolist() == [4]
    errors[:2] = 0.04  # right is below, not at the tolerance
    assert follow(errors).sequences.tolist() == [6]
    # places of the ring that are still empty count as wrong
    assert follow(errors[2:], stop_wrong=2).sequences.tolist() == [3]


def test_a_net_that_met_the_criterion_is_not_trained_any_further(window):
    errors = [[[0.005], [0.1]]] * 6
    trainer, until_then = follow(errors), follow(errors[:4])
    assert trainer.sequences.tolist() == [4, 6] and trainer.met.tolist() == [True, False]
    assert [len(theta) for theta in trainer.net.log] == [2, 2, 2, 2, 1, 1]
    assert trainer.running.tolist() == [1]
    for name in ("theta", "average", "mean", "square", "recent", "error"):
        np.testing.assert_array_equal(getattr(trainer, name)[0], getattr(until_then, name)[0])
    assert (trainer.theta[0] != 0).all()
    np.testing.assert_allclose(trainer.theta[1], [-0.6, 0.6], rtol=1e-6)
    np.testing.assert_allclose(trainer.curve[0], 0.005**2)  # what is drawn of it stays as it was
    np.testing.assert_allclose(trainer.curve[1], 0.1**2)


def test_adam_s_first_steps():
    trainer = follow([[[1.0]]] * 3, slope=(0.5, -0.4))
    np.testing.assert_allclose(trainer.theta, [[-0.3, 0.3]], rtol=1e-6)
    trainer = follow([[[1.0]]], slope=(0.5, -0.4))
    trainer.net.slope = np.array([-0.25, 0.3])
    trainer.config = replace(trainer.config, max_sequences=2)
    trainer.net.errors = np.ones((2, 1, 1))
    trainer.step(trainer.running, np.zeros((1, 1)))
    mean = (0.9 * 0.1 * np.array([0.5, -0.4]) + 0.1 * trainer.net.slope) / (1 - 0.9**2)
    square = 0.98 * 0.02 * np.array([0.25, 0.16]) + 0.02 * trainer.net.slope**2
    second = 0.1 * mean / np.sqrt(square / (1 - 0.98**2))
    np.testing.assert_allclose(trainer.theta[0], [-0.1 - second[0], 0.1 - second[1]], rtol=1e-6)


def test_clipping_is_per_net():
    trainer = follow([[[1.0]]], slope=(3.0, -4.0))
    np.testing.assert_allclose(trainer.mean, 0.1 * np.array([[0.6, -0.8]]), rtol=1e-6)
    trainer = follow([[[1.0]]], slope=(0.3, -0.4))
    np.testing.assert_allclose(trainer.mean, 0.1 * np.array([[0.3, -0.4]]), rtol=1e-6)


def test_the_step_shrinks_with_the_running_error():
    full = follow([[[0.2]]] * 6, slope=(0.5, 0.5), anneal_below=0.1)
    half = follow([[[0.2]]] * 6, slope=(0.5, 0.5), anneal_below=0.8)
    np.testing.assert_allclose(full.theta, -0.6, rtol=1e-6)
    np.testing.assert_allclose(half.theta, -0.6 * 0.25**1.5, rtol=1e-6)


def test_each_net_has_its_own_rate_and_its_average_of_weights(monkeypatch):
    assert mp.AVERAGE == 0.98
    monkeypatch.setattr(mp, "AVERAGE", 0.75)
    trainer = follow([[[1.0], [1.0]]] * 2, slope=(0.5, 0.5), rates=(0.1, 0.2))
    np.testing.assert_allclose(trainer.theta[:, 0], [-0.2, -0.4], rtol=1e-6)
    # 0.75 x 0.25 x the first + 0.25 x the second
    np.testing.assert_allclose(trainer.average[:, 0], [-0.06875, -0.1375], rtol=1e-6)


def test_divergence_is_reported():
    with pytest.raises(FloatingPointError, match="loss is nan at sequence 2"):
        follow([[[1.0, 1.0]], [[np.nan, 1.0]]])


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains and tests."""

    def __init__(self, monkeypatch):
        self.drawn, self.trained, self.tested, self.trainers = [], [], [], []
        monkeypatch.setattr(mp, "WINDOW", 320)  # so that a net can meet the criterion in no time
        original_draw, original_step, original_examine = mp.sequences, Trainer.step, mp.examine
        original_init = Trainer.__init__

        def draw(rng, nets, batch_size, config):
            before = rng.bit_generator.state["state"]["state"]
            x, factors = original_draw(rng, nets, batch_size, config)
            self.drawn.append((id(rng), before, x))
            return x, factors

        def init(trainer, *arguments):
            original_init(trainer, *arguments)
            self.trainers.append(trainer)

        def step(trainer, x, target):
            self.trained.append((trainer, x, target, trainer.average.copy()))
            original_step(trainer, x, target)

        def examine(net, theta, x):
            y = original_examine(net, theta, x)
            self.tested.append((net, theta.copy(), x, y))
            return y

        monkeypatch.setattr(mp, "sequences", draw)
        monkeypatch.setattr(Trainer, "__init__", init)
        monkeypatch.setattr(Trainer, "step", step)
        monkeypatch.setattr(mp, "examine", examine)


@pytest.fixture
def ledger(monkeypatch):
    book = Ledger(monkeypatch)
    changed = {"nets": 3, "tolerance": 0.36, "learning_rate": 0.02, "stop_wrong": 45}
    book.config = Config(**QUICK | changed)
    book.table = run(book.config, 1000, silent)
    return book


def test_no_tested_sequence_was_trained_on_and_no_two_streams_start_alike(ledger):
    values = [
        x[:, n, 0, b].tobytes()
        for _, _, x in ledger.drawn
        for n, b in np.ndindex(x.shape[1], x.shape[3])
    ]
    assert len(values) == len(set(values))  # every sequence that was drawn is another one
    starts = {}
    for rng, state, _ in ledger.drawn:
        starts.setdefault(rng, state)
    assert len(starts) == len(set(starts.values())) == 3  # two to train, one to test
    (first, _, lstm_x, _), (second, _, rnn_x, _) = ledger.tested
    lstm, rnn = ledger.trainers
    assert first is lstm.net and second is rnn.net and lstm_x is rnn_x  # one test for all
    assert lstm_x.shape[1:] == (1, 3, 2560)
    assert [x.shape[3] for *_, x in ledger.drawn].count(2560) == 1
    assert not any(x is lstm_x for _, x, _, _ in ledger.trained)
    assert not np.array_equal(ledger.trained[0][1][:, 0], ledger.trained[0][1][:, 1])


def test_the_initial_weights_are_drawn_from_streams_of_their_own(monkeypatch):
    seen, draws = [], []
    original, original_draw = RecurrentNet.uniform, mp.sequences

    def uniform(net, rng, nets, config):
        seen.append(rng.bit_generator.state["state"]["state"])
        return original(net, rng, nets, config)

    def draw(rng, *rest):
        draws.append(rng.bit_generator.state["state"]["state"])
        return original_draw(rng, *rest)

    monkeypatch.setattr(RecurrentNet, "uniform", uniform)
    monkeypatch.setattr(mp, "sequences", draw)
    run(Config(**QUICK), 1000, silent)
    assert len(seen) == len(set(seen)) == 2 and not set(seen) & set(draws)


def test_a_net_leaves_when_it_has_met_the_criterion_and_its_average_is_tested(ledger):
    lstm = ledger.trainers[0]
    steps = [(x, before) for trainer, x, _, before in ledger.trained if trainer is lstm]
    counts = [x.shape[1] for x, _ in steps]
    assert lstm.met.any() and counts == sorted(counts, reverse=True) and counts[0] == 3
    stops = lstm.sequences // 16
    assert counts == [int((stops > k).sum()) for k in range(len(counts))]
    assert (lstm.met | (lstm.sequences == ledger.config.max_sequences)).all()
    early = int(lstm.sequences.argmin())
    if stops[early] < stops.max():
        np.testing.assert_array_equal(lstm.average[early], steps[stops[early]][1][early])
    np.testing.assert_array_equal(ledger.tested[0][1], lstm.average)
    assert not np.array_equal(lstm.average, lstm.theta)


def test_what_is_learned_is_the_product(ledger):
    for _, x, target, _ in ledger.trained[::30]:
        for n, b in np.ndindex(target.shape):
            values, marks = unpadded(x, n, b).T
            assert target[n, b] == pytest.approx(values[marks == 1].prod(), abs=1e-6)


def test_the_metrics_are_those_of_the_test(ledger):
    lstm, rnn = ledger.trainers
    (_, _, x, y), (_, _, _, rnn_y) = ledger.tested
    table = ledger.table
    assert y.shape == (3, 2560) and rnn_y.shape == (9, 2560)
    np.testing.assert_allclose(lstm.net.forward(lstm.average, x), y, atol=1e-5)
    target = np.array([np.prod(x[x[:, 0, 1, b] == 1, 0, 0, b]) for b in range(2560)])
    mse = np.mean((y - target) ** 2, axis=1)
    assert table["lstm"]["mse"] == pytest.approx(np.median(mse))
    assert table["lstm"]["sequences"] == lstm.sequences.mean()
    assert table["lstm"]["slowest"] == lstm.sequences.max()
    rnn_mse = np.mean((rnn_y - target) ** 2, axis=1)
    best = rnn.error.reshape(3, 3).mean(1).argmin()
    assert table["rnn"]["mse"] == pytest.approx(np.median(rnn_mse.reshape(3, 3)[best]))
    wrong = (np.abs(rnn_y - target) >= 0.36).sum(1).reshape(3, 3)[best]
    assert table["rnn"]["wrong"] == np.median(wrong)
    log10_mse = np.log10(table["rnn"]["mse"]) - np.log10(table["lstm"]["mse"])
    assert table["advantage"]["log10_mse"] == pytest.approx(log10_mse, abs=1e-6)
    assert table["constant"]["mse"] == pytest.approx(np.mean((target - 0.25) ** 2))
    assert table["of_sum"]["mse"] < 0.002 < table["constant"]["mse"]


def test_summary_on_a_hand_worked_case(monkeypatch):
    trainer = follow([[[0.0], [0.5], [0.0], [0.0]]] * 3, batch_size=1)
    trainer.met = np.array([True, False, True, True])
    trainer.sequences = np.array([10, 40, 20, 10])
    trainer.config = replace(trainer.config, tolerance=1 / 32)
    factors = np.full((2, 1, 1000), 0.5)  # the best of the sum is 1/6, off by 1/12
    y = np.full((4, 1000), 0.25)
    y[0, :170] += 1 / 8  # 170 wrong
    y[2, :171] -= 1 / 32  # 171 wrong, at a tolerance of 1/32 exactly
    y[3] += 3 / 32  # all wrong, and worse than the sum
    monkeypatch.setattr(mp, "examine", lambda net, theta, x: y)
    table = mp.summary(trainer, (None, factors), 0.5)
    assert table["stored"] == 0.25 and table["multiplies"] == 0.75
    assert table["wrong_at_stop"] == (170 + 171 + 1000) / 3
    assert table["mse"] == pytest.approx((0.171 / 32**2 + 0.17 / 8**2) / 2)
    assert table["sequences"] == 20 and table["slowest"] == 40
    assert table["sequences_per_second"] == 160
    row = study.row_of(trainer, (None, factors), 0.5)
    assert row["fine"] == 0 and row["met"] == 0.75
    assert row["wrong_each"] == [170, 0, 171, 1000]
    y[2, 15:] = 0.25  # 15 wrong
    assert study.row_of(trainer, (None, factors), 0.5)["fine"] == 0.25
    y[2, 15] = 0
    assert study.row_of(trainer, (None, factors), 0.5)["fine"] == 0
    trainer.met[:] = False
    table = mp.summary(trainer, (None, factors), 0.5)
    assert table["wrong_at_stop"] is None and table["stored"] == 0


def test_the_tanh_nets_get_the_lstms_budget_and_the_best_rate_is_chosen_in_training(ledger):
    lstm, rnn = ledger.trainers
    budget = round(lstm.sequences.mean())
    assert rnn.config == replace(ledger.config, max_sequences=budget)
    seen = sum(x.shape[3] for trainer, x, *_ in ledger.trained if trainer is rnn)
    assert budget <= ledger.table["rnn"]["sequences"] == seen < budget + 16
    assert rnn.rates[:, 0].tolist() == np.repeat(Config().rnn_rates, 3).tolist()
    assert rnn.theta.shape == (9, 97)


def test_the_best_rate_is_the_one_with_the_least_mean_error(monkeypatch):
    def train(trainer, data, progress):
        trainer.error = np.array([0.3, 0.3, 0.1, 0.2, 0.0, 0.4])

    monkeypatch.setattr(Trainer, "train", train)
    streams = np.random.default_rng(0), np.random.default_rng(1)
    best = mp.train_rival(*streams, 16, Config(**QUICK), silent)[1]
    assert best.tolist() == [False, False, True, True, False, False]


def test_the_curve():
    table = run(Config(**QUICK), 1000, silent)
    x, y = table["curve"]["x"], table["curve"]["y"]
    assert len(x) == len(y) == 100 and x[0] == 16 and x[-1] == 1600
    assert 0.03 < y[-1] < y[0] < 0.3


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    config, notes = Config(**QUICK), []

    def untimed(seed, progress):
        table = run(config, seed, progress)
        del table["lstm"]["sequences_per_second"]
        return table

    first = untimed(1000, lambda share, text: notes.append(share))
    assert first == untimed(1000, silent) != untimed(1001, silent)
    assert notes == sorted(notes) and notes[-1] == 1


# ---- the study ----


def test_the_rows_of_the_study():
    config = study.Config()
    rows = study.jobs_of(config)
    fine = replace(config, stop_wrong=13, max_sequences=400_000)
    side = replace(config, nets=5, max_sequences=100_000)
    assert rows["lstm"] == (Lstm, Trainer, fine)
    assert rows["above"] == (study.UnitsAbove, Trainer, fine)
    assert rows["random_bias"] == (study.HalfOpen, Trainer, side) and side.stop_wrong == 140
    assert rows["loud_output"] == (study.LoudOutput, Trainer, fine)
    one = replace(side, blocks=1, cells=1, input_gate_bias=(-3.0,))
    assert rows["one_cell"] == (Lstm, Trainer, one)
    assert rows["no_links"] == (study.NoLinks, Trainer, side)
    assert rows["adder"] == (Lstm, study.Adder, replace(side, stop_wrong=13))


def test_an_adder_is_taught_half_the_sum():
    trainer = study.Adder(Lstm(SMALL), np.zeros((1, 93)), 0.1, SMALL)
    np.testing.assert_allclose(trainer.target(np.array([[[0.5]], [[1.0]]])), [[0.75]])


def test_a_new_output_is_the_best_one():
    net = Lstm(SMALL)
    theta = weights(net, SMALL)
    test = sequences(np.random.default_rng(2), 1, mp.TEST, SMALL)
    fitted = study.refit(net, theta, test)
    np.testing.assert_array_equal(fitted[:, : net.split], theta[:, : net.split])
    a = (net.forward(fitted, test[0]) - test[1].prod(0)) / mp.TEST  # (N, B)
    before = (net.forward(theta, test[0]) - test[1].prod(0)) / mp.TEST
    slope, slope_before = (np.abs(net.backward(d)[:, net.split :]).max() for d in (a, before))
    assert slope < 1e-4 < 1e-2 < slope_before


def test_what_is_lost_with_gates_and_joint_states():
    factors = np.random.default_rng(0).random((2, 50_000))
    a, b = factors
    states = np.stack([a**3 - b, a * b, np.ones(50_000)])[None, None]  # (1, 1, 3, B)
    apart = study.additive(states, factors)
    np.testing.assert_allclose(apart[0, 0, [0, 2]], states[0, 0, [0, 2]], atol=1e-8)
    rest = (states - apart)[0, 0, 1]  # (X1 - mean)(X2 - mean), as no sum has that
    np.testing.assert_allclose(rest, (a - 0.5) * (b - 0.5), atol=0.02)


def test_the_nets_without_a_means():
    net, config = NETS["lstm"]
    theta = weights(net, config)
    x, factors = sequences(np.random.default_rng(2), 1, mp.TEST, config)
    gates, states = study.final_states(net, theta, x)
    y = net.forward(theta, x)
    np.testing.assert_allclose(gates, net.o[-1], atol=1e-6)
    np.testing.assert_allclose(states, net.s[-1], atol=1e-6)
    np.testing.assert_allclose(study.show(gates, states), net.y, atol=1e-6)
    lost = study.without_a_means(net, theta, (x, factors))
    shown = (factors < 1).all(0)[0]
    mse = np.mean((y - factors.prod(0))[:, shown] ** 2, axis=1)
    assert lost["nothing"] == pytest.approx(np.median(mse))
    assert len({round(lost[name], 9) for name in ("nothing", "gates", "joint_states", "both")}) == 4
    assert lost["gates_needed"] == lost["joint_states_needed"] == 1  # such a net is useless anyway


def test_the_study_s_rows_use_different_streams_and_report_their_nets(monkeypatch):
    starts = []
    original, original_draw = RecurrentNet.uniform, study.sequences

    def uniform(net, rng, nets, config):
        starts.append(rng.bit_generator.state["state"]["state"])
        return original(net, rng, nets, config)

    def draw(rng, nets, batch_size, config):
        starts.append(rng.bit_generator.state["state"]["state"])
        return original_draw(rng, nets, batch_size, config)

    monkeypatch.setattr(RecurrentNet, "uniform", uniform)
    monkeypatch.setattr(study, "sequences", draw)
    small = study.QUICK | {"fine_sequences": 160, "side_sequences": 96, "side_nets": 3}
    table = study.run(study.Config(**small), 1000, silent)
    assert list(table) == [*["lstm", "without", "above"], *list(study.jobs_of(study.Config()))[2:]]
    assert len(starts) == len(set(starts)) == 7 + 7 + 2  # weights, tests, probes
    for name in ("lstm", "above", "loud_output"):
        assert table[name]["sequences_each"] == [160] * 2
    for name in ("random_bias", "one_cell", "no_links"):
        assert table[name]["sequences_each"] == [96] * 3
    assert len(table["adder"]["mse_each"]) == 3 and table["above"]["ratio"] == 1


def test_the_ratio_of_the_two_rows(monkeypatch):
    def train(trainer, data, progress):
        trainer.sequences[:] = [100, 300] if type(trainer.net) is Lstm else [50, 100]

    monkeypatch.setattr(Trainer, "train", train)
    table = study.run(study.Config(**study.QUICK), 1000, silent)
    assert table["above"]["ratio"] == 0.375 and table["loud_output"]["ratio"] == 0.375


# ---- bad settings ----


def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--input-gate-bias: needs 3 numbers"):
        Config(blocks=3)


@pytest.mark.parametrize(
    "words",
    [
        ["--T", "21"],
        ["--batch-size", "2001"],
        ["--cells", "0"],
        ["--learning-rate", "nan"],
        ["--input-gate-bias", "-3"],
        ["--stop-wrong", "0"],
    ],
)
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("multiplication_problem.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
