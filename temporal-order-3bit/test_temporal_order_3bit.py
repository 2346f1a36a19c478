"""Tests of temporal order: task, gradients, learning rule, criterion, wiring, bad settings."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import study_temporal_order_3bit as study
import temporal_order_3bit as to
from temporal_order_3bit import PAD, QUICK, Config, Lstm, RecurrentNet, Trainer, run, sequences

SHORT = {name: QUICK[name] for name in ("shortest", "longest", "window_1", "window_2")}
SMALL = Config(**SHORT, weight_range=0.7, input_bias=(-0.5, -1.0), rnn_units=5)
WIDE = replace(SMALL, blocks=3, block_size=1, input_bias=(0.0, 0.5, -1.0))
ONE = replace(SMALL, blocks=1, block_size=3, input_bias=(0.2,))
NETS = {
    "lstm": (Lstm(SMALL), SMALL),
    "wide": (Lstm(WIDE), WIDE),
    "one": (Lstm(ONE), ONE),
    "tanh": (RecurrentNet(5, 5), SMALL),
}
CELLS = ["lstm", "wide", "one"]


def silent(share, text):
    """A progress that nobody sees."""


def sample(config, nets=2, count=6, seed=1):
    """Draw sequences of several lengths, and targets in float64."""
    symbols, classes = sequences(np.random.default_rng(seed), nets, count, config)
    assert len(set((symbols == PAD).sum(0).ravel())) > 1
    return symbols, to.targets(classes).astype(float)


def weights(net, config, nets=2, seed=0):
    return net.initial(np.random.default_rng(seed), nets, config).astype(float)


# ---- slow references: one net, one sequence, plain loops, the paper's formulas ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def unpack(theta, units, seen):
    """W (U, 9 + U) and V (4, R + 1) of one net, with columns [units; symbols; 1]."""
    W = theta[: units * (units + 9)].reshape(units, units + 9)
    return W, theta[W.size :].reshape(4, seen + 1)


def one_hot(symbol):
    return (np.arange(8) == symbol).astype(float)


def slow_lstm(theta, config, symbols, frozen=None):
    """Run the 1997 cell: outputs, all z, cell states. `frozen` replaces every z."""
    J, S = config.blocks, config.block_size
    C = J * S
    W, V = unpack(theta, C + 2 * J, C)
    units, state, zs, states = np.zeros(C + 2 * J), np.zeros(C), [], []
    for t, symbol in enumerate(symbols):
        z = np.concatenate([units, one_hot(symbol), [1.0]]) if frozen is None else frozen[t]
        a = W @ z
        for c in range(C):
            state[c] += sig(a[C + c // S]) * (4 * sig(a[c]) - 2)
        y = [sig(a[C + J + c // S]) * (2 * sig(state[c]) - 1) for c in range(C)]
        units = np.concatenate([y, sig(a[C:])])
        zs.append(z)
        states.append(state.copy())
    return sig(V @ np.append(units[:C], 1.0)), np.array(zs), np.array(states)


def slow_tanh(theta, symbols, units=5):
    W, V = unpack(theta, units, units)
    h = np.zeros(units)
    for symbol in symbols:
        h = np.tanh(W @ np.concatenate([h, one_hot(symbol), [1.0]]))
    return sig(V @ np.append(h, 1.0))


def slow_bptt(theta, config, symbols, target):
    """The full gradient of half the squared error through every path of the 1997 cell."""
    J, S = config.blocks, config.block_size
    C = J * S
    W, V = unpack(theta, C + 2 * J, C)
    output, zs, states = slow_lstm(theta, config, symbols)
    block = np.arange(C) // S
    d_output = (output - target) * output * (1 - output)
    dW, d_state = np.zeros_like(W), np.zeros(C)
    d_y, d_gates = d_output @ V[:, :C], np.zeros(2 * J)
    for t in reversed(range(len(symbols))):
        a = W @ zs[t]
        i, o, g, h = sig(a[C : C + J]), sig(a[C + J :]), 4 * sig(a[:C]) - 2, 2 * sig(states[t]) - 1
        d_state = d_state + d_y * o[block] * (1 - h**2) / 2
        d_i = d_gates[:J] + np.bincount(block, d_state * g, J)
        d_o = d_gates[J:] + np.bincount(block, d_y * h, J)
        d_a = [d_state * i[block] * (1 - g**2 / 4), d_i * i * (1 - i), d_o * o * (1 - o)]
        d_a = np.concatenate(d_a)
        dW += np.outer(d_a, zs[t])
        d_z = W.T @ d_a
        d_y, d_gates = d_z[:C], d_z[C : C + 2 * J]
    y_end = slow_lstm(theta, config, [*symbols, 0])[1][-1][:C]
    return np.concatenate([dW.ravel(), np.outer(d_output, np.append(y_end, 1.0)).ravel()])


def squared(y, target):
    """Half the squared error of each net, y and target (4, N, B), mean over B."""
    return ((y - target) ** 2).sum(0).mean(-1) / 2


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


def unpadded(symbols, n, b):
    """The symbols (L,) of one sequence without what stands before its start."""
    return symbols[symbols[:, n, b] != PAD, n, b]


# ---- the networks ----


def test_the_paper_s_net_has_156_weights():
    theta = Lstm(Config()).initial(np.random.default_rng(0), 20, Config())
    W, V = Lstm(Config()).weights(theta)
    assert theta.shape == (20, 156) and W.shape == (20, 8, 17) and V.shape == (20, 4, 5)
    assert (W[:, 4:6, 16] == [-2, -4]).all()
    W[:, 4:6, 16] = 0
    assert np.abs(theta).max() <= 0.1 and np.abs(theta).max() > 0.099
    assert len(np.unique(theta)) == 20 * 154 + 1


@pytest.mark.parametrize("name", CELLS)
def test_lstm_is_the_cell_of_the_paper_on_sequences_without_padding(name):
    net, config = NETS[name]
    symbols, _ = sample(config)
    theta = weights(net, config)
    y = net.forward(theta, symbols)
    for n, b in np.ndindex(y.shape[1:]):
        slow, _, states = slow_lstm(theta[n], config, unpadded(symbols, n, b))
        np.testing.assert_allclose(y[:, n, b], slow, atol=1e-12)
        held = 2 * net.s[:, :, n, b]
        np.testing.assert_allclose(held[-len(states) :], states, atol=1e-12)
        assert np.abs(held[: -len(states)]).max() < 1e-15


def test_tanh_net_on_sequences_without_padding():
    net, config = NETS["tanh"]
    symbols, _ = sample(config)
    theta = weights(net, config)
    y = net.forward(theta, symbols)
    for n, b in np.ndindex(y.shape[1:]):
        slow = slow_tanh(theta[n], unpadded(symbols, n, b))
        np.testing.assert_allclose(y[:, n, b], slow, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_truncated_gradient_with_frozen_recurrent_inputs(name):
    net, config = NETS[name]
    symbols, target = sample(config, nets=1, count=3)
    theta = weights(net, config, nets=1)
    y = net.forward(theta, symbols)
    analytic = net.backward((y - target) * y * (1 - y) / 3)
    kept = [unpadded(symbols, 0, b) for b in range(3)]
    frozen = [slow_lstm(theta[0], config, s)[1] for s in kept]

    def objective(theta):
        ys = [slow_lstm(theta[0], config, s, z)[0] for s, z in zip(kept, frozen)]
        return squared(np.stack(ys, 1)[:, None], target)

    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_full_bptt_of_the_reference_is_the_gradient_and_the_truncated_one_is_part_of_it():
    net, config = NETS["lstm"]
    symbols, target = sample(config, nets=1, count=3)
    theta = weights(net, config, nets=1)

    def full():
        parts = [
            slow_bptt(theta[0], config, unpadded(symbols, 0, b), target[:, 0, b]) for b in range(3)
        ]
        return np.mean(parts, 0)

    def truncated():
        y = net.forward(theta, symbols)
        return net.backward((y - target) * y * (1 - y) / 3)[0]

    def objective(theta):
        return squared(net.forward(theta, symbols), target)

    assert relative_error(full(), central_differences(objective, theta)[0]) <= 1e-6
    assert 1e-3 < relative_error(truncated(), full()) < 0.7  # something is cut off
    net.weights(theta)[0][:, :, : net.units] = (
        0  # without recurrent weights there is nothing to cut
    )
    assert relative_error(truncated(), full()) <= 1e-10


def test_tanh_net_gradient_is_that_of_the_loss():
    net, config = NETS["tanh"]
    symbols, target = sample(config)
    theta = weights(net, config)
    analytic = net.backward((net.forward(theta, symbols) - target) / 6)

    def objective(theta):
        y = net.forward(theta, symbols)
        loss = -target * np.log(y) - (1 - target) * np.log(1 - y)
        return loss.sum(0).mean(1)

    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_buffers_are_laid_out_anew_for_other_shapes():
    net, config = Lstm(SMALL), SMALL
    symbols, _ = sample(config, nets=3, count=4)
    theta = weights(net, config, nets=3)
    whole = net.forward(theta, symbols)
    for n, b in np.ndindex(3, 4):
        y = net.forward(theta[[n]], symbols[:, [n]][:, :, [b]])
        np.testing.assert_allclose(y[:, 0, 0], whole[:, n, b], atol=1e-12)
    np.testing.assert_allclose(net.forward(theta, symbols), whole, atol=1e-12)


def test_the_online_step_in_single_precision_is_that_of_the_slow_reference():
    config = replace(SMALL, nets=2)
    net = Lstm(config)
    start = net.initial(np.random.default_rng(0), 2, config)
    trainer = Trainer(net, start, config)
    symbols, target = (part[..., :1] for part in sample(config))
    trainer.step(symbols, target)
    theta = start.astype(float)
    for n in range(2):
        y = net.forward(theta[[n]], symbols[:, [n]])
        gradient = net.backward((y - target[:, [n]]) * y * (1 - y))
        np.testing.assert_allclose(trainer.live[n], theta[n] - 0.5 * gradient[0], atol=1e-6)


# ---- the task ----


def test_a_sequence_is_the_paper_s():
    config = Config()
    symbols, classes = sequences(np.random.default_rng(3), 4, 500, config)
    assert symbols.shape == (110, 4, 500) and classes.shape == (4, 500)
    lengths = (symbols != PAD).sum(0)
    assert set(lengths.ravel()) == set(range(100, 111))
    seen = {"first": set(), "second": set()}
    for n, b in np.ndindex(4, 500):
        kept = symbols[:, n, b]
        start = 110 - lengths[n, b]
        assert (kept[:start] == PAD).all() and (kept[start:] != PAD).all()
        kept = kept[start:]
        assert kept[0] == to.E and kept[-1] == to.B
        (first, second) = np.flatnonzero((kept == to.X) | (kept == to.Y))
        rest = np.delete(kept, [0, first, second, len(kept) - 1])
        assert ((rest >= to.A) & (rest <= to.D)).all()
        seen["first"].add(first), seen["second"].add(second)
        assert classes[n, b] == 2 * (kept[first] == to.Y) + (kept[second] == to.Y)
    assert seen == {"first": set(range(10, 21)), "second": set(range(50, 61))}
    share = np.bincount(classes.ravel()) / classes.size
    np.testing.assert_allclose(share, 0.25, atol=0.04)
    share = np.bincount(symbols[60:100].ravel(), minlength=9)[to.A : to.D + 1]
    np.testing.assert_allclose(share / share.sum(), 0.25, atol=0.01)


def test_targets_are_one_of_four():
    target = to.targets(np.array([[0, 3], [1, 2]]))
    assert target.shape == (4, 2, 2) and (target.sum(0) == 1).all()
    assert target[0, 0, 0] == target[3, 0, 1] == target[1, 1, 0] == target[2, 1, 1] == 1


def test_the_class_cannot_be_read_off_what_stands_outside_the_marks():
    symbols, classes = sequences(np.random.default_rng(3), 1, 40_000, Config())
    for t in (108, 100, 70, 25):
        for symbol in range(to.A, to.D + 1):
            seen = symbols[t, 0] == symbol
            if seen.sum() > 2000:
                share = np.bincount(classes[0, seen], minlength=4) / seen.sum()
                np.testing.assert_allclose(share, 0.25, atol=0.03)
    lengths = (symbols[:, 0] != PAD).sum(0)
    assert abs(np.corrcoef(lengths, classes[0])[0, 1]) < 0.03
    assert (symbols[-1] == to.B).all()


# ---- the criterion and the rule, on nets that answer what they are told ----


class Puppet:
    """A net that is off by errors (steps, N) at one output, and has a constant gradient."""

    def __init__(self, errors, slope=(1.0, -2.0)):
        self.errors, self.slope, self.log = np.array(errors, float), np.array(slope), []
        self.rows, self.k = np.arange(self.errors.shape[1]), 0

    def forward(self, theta, symbols):
        self.log.append(theta.copy())
        y = np.full((4, len(theta), 1), 0.5)
        y[1, :, 0] += self.errors[self.k, self.rows[-len(theta) :]]
        self.k += 1
        return y

    def backward(self, d_a):
        self.d_a = d_a
        return np.tile(self.slope, (d_a.shape[1], 1))


def follow(errors, slope=(1.0, -2.0), **settings):
    """Train puppets, on targets of one half, until they are done or the errors end."""
    net = Puppet(errors, slope)
    config = replace(Config(max_sequences=len(errors)), **settings)
    trainer = Trainer(net, np.zeros((net.errors.shape[1], 2)), config)
    while len(trainer.running) and trainer.seen < config.max_sequences:
        trainer.step(None, np.full((4, len(trainer.running), 1), 0.5))
    trainer.keep()
    return trainer


@pytest.fixture
def window(monkeypatch):
    monkeypatch.setattr(to, "WINDOW", 4)


def test_the_criterion_asks_for_2000_right_answers_in_a_row():
    assert (to.WINDOW, to.STOP_ERROR, to.TEST, to.MAX_WRONG) == (2000, 0.1, 2560, 3)
    errors = np.full((4200, 1), 0.01)
    assert follow(errors).sequences.tolist() == [2000]
    assert not follow(errors[:1999]).solved.any()
    errors[57] = 0.35
    trainer = follow(errors)
    assert trainer.sequences.tolist() == [2058] and trainer.solved.all()
    errors[57] = -0.35
    assert follow(errors).sequences.tolist() == [2058]


def test_right_is_below_the_tolerance_at_all_outputs_and_the_mean_error_counts_too(window):
    assert follow([[0.25]] * 9, tolerance=0.25).sequences.tolist() == [9]  # not below
    assert follow([[0.24]] * 9, tolerance=0.25).sequences.tolist() == [4]
    monkey = [[0.48]] * 9  # right at a tolerance of 0.5, with a mean error of 0.12 over 4 outputs
    assert not follow(monkey, tolerance=0.5).solved.any()
    assert follow([[0.48]] + [[0.39]] * 8, tolerance=0.5).sequences.tolist() == [5]


def test_a_net_that_met_the_criterion_is_not_trained_any_further(window):
    errors = [[0.01, 0.4]] * 3 + [[0.01, 0.01]] * 2 + [[0.0, 0.01]] * 4
    trainer = follow(errors)
    assert trainer.sequences.tolist() == [4, 7] and trainer.solved.tolist() == [True, True]
    assert [len(theta) for theta in trainer.net.log] == [2] * 4 + [1] * 3
    np.testing.assert_allclose(trainer.theta, [[-2.0, 4.0], [-3.5, 7.0]])  # 0.5 times its steps
    trainer = follow(errors[:5])
    assert trainer.sequences.tolist() == [4, 5] and trainer.solved.tolist() == [True, False]
    np.testing.assert_allclose(trainer.theta, [[-2.0, 4.0], [-2.5, 5.0]])


def test_the_rule_descends_the_squared_error():
    trainer = follow([[0.2]])
    np.testing.assert_allclose(trainer.net.d_a[:, 0, 0], [0, 0.2 * 0.7 * 0.3, 0, 0], atol=1e-12)


def test_divergence_is_reported():
    with pytest.raises(FloatingPointError, match="a weight is nan at sequence 2"):
        follow([[0.1], [0.1]], slope=(np.nan, 1.0))


def test_a_budget_that_no_portion_divides_is_kept(monkeypatch):
    config = replace(SMALL, nets=2, max_sequences=to.PORTION + 7)
    net = Lstm(config)
    trainer = Trainer(net, net.initial(np.random.default_rng(0), 2, config), config)
    trainer.train(np.random.default_rng(1), silent)
    assert trainer.sequences.tolist() == [to.PORTION + 7] * 2


def test_adam_s_first_steps_for_the_tanh_nets(monkeypatch):
    slopes = iter(np.array([[[0.3, -0.4]] * 2, [[3.0, 4.0]] * 2]))

    class Net:
        def forward(self, theta, symbols):
            return np.full((4, 2, to.BATCH), 0.5)

        def backward(self, d_a):
            assert np.abs(d_a).max() == 0.5 / to.BATCH
            return next(slopes).copy()

    config = replace(SMALL, rnn_rates=(0.1, 0.2))
    theta = np.zeros((2, 2))
    errors = to.train_tanh(Net(), theta, 2 * to.BATCH, np.random.default_rng(0), config, silent)
    np.testing.assert_allclose(errors, 0.5)
    first, second = np.array([0.3, -0.4]), np.array([0.6, 0.8])  # the second one is clipped
    mean = (0.09 * first + 0.1 * second) / (1 - 0.81)
    square = (0.999 * 0.001 * first**2 + 0.001 * second**2) / (1 - 0.999**2)
    step = np.sign(first) + mean / np.sqrt(square)
    np.testing.assert_allclose(theta, [-0.1 * step, -0.2 * step], rtol=1e-6)


def test_the_error_of_a_tanh_net_is_that_of_its_last_sequences(monkeypatch):
    monkeypatch.setattr(to, "WINDOW", 2 * to.BATCH)
    answers = iter([0.9, 0.8, 0.7, 0.6, 0.5])

    class Net:
        def forward(self, theta, symbols):
            return to.targets(np.zeros((1, to.BATCH))) * 0 + next(answers)

        def backward(self, d_a):
            return np.zeros((1, 2))

    config = replace(SMALL, rnn_rates=(0.1,))
    data = np.random.default_rng(0)
    errors = to.train_tanh(Net(), np.zeros((1, 2)), 5 * to.BATCH, data, config, silent)
    # an output of p is off by p at three classes and by 1 - p at one
    np.testing.assert_allclose(errors, [np.mean([(1 + 2 * p) / 4 for p in (0.6, 0.5)])])


def test_summary_on_a_hand_worked_case():
    trainer = follow([[0.1, 0.1, 0.1]])
    trainer.solved = np.array([True, False, True])
    trainer.sequences = np.array([10, 40, 21])
    right = np.ones((3, 10), bool)
    right[0, :4] = right[1] = right[2, :3] = False
    named = np.ones((3, 10), bool)
    named[1, :5] = False
    table = to.summary(trainer, right, named)
    assert table == {
        "solved": pytest.approx(2 / 3),
        "few_wrong": 0.5,
        "sequences": 15.5,
        "median": 21,
        "slowest": 40,
        "wrong": 3.5,
        "most_wrong": 4,
        "accuracy": pytest.approx(25 / 30),
    }
    trainer.solved[:] = False
    table = to.summary(trainer, right, named)
    assert table["sequences"] is table["few_wrong"] is table["wrong"] is table["most_wrong"] is None


def test_examine_counts_both_ways(monkeypatch):
    class Net:
        def forward(self, theta, symbols):
            y = np.zeros((4, len(theta), symbols.shape[2]))
            y[0], y[1] = 0.75, 0.2
            return y

    right, named = to.examine(Net(), np.zeros((2, 3)), np.random.default_rng(0), SMALL)
    assert right.shape == named.shape == (2, 2560)
    assert named.mean() == pytest.approx(0.25, abs=0.03) and (right == named).all()
    strict = replace(SMALL, tolerance=0.25)
    right, named = to.examine(Net(), np.zeros((2, 3)), np.random.default_rng(0), strict)
    assert not right.any() and named.any()


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains and tests."""

    def __init__(self, monkeypatch):
        self.drawn, self.trained, self.tested, self.trainers, self.tanh = [], [], [], [], []
        monkeypatch.setattr(to, "WINDOW", 10)  # so that a net can meet the criterion in no time
        monkeypatch.setattr(to, "STOP_ERROR", 1.0)
        monkeypatch.setattr(to, "PORTION", 20)
        draw, step, examine, init = to.sequences, Trainer.step, to.examine, Trainer.__init__
        train_tanh = to.train_tanh

        def spy_draw(rng, nets, count, config):
            before = rng.bit_generator.state["state"]["state"]
            symbols, classes = draw(rng, nets, count, config)
            self.drawn.append((id(rng), before, symbols))
            return symbols, classes

        def spy_init(trainer, *arguments):
            init(trainer, *arguments)
            self.trainers.append(trainer)

        def spy_step(trainer, symbols, target):
            self.trained.append((symbols.copy(), target.copy(), trainer.running.copy()))
            step(trainer, symbols, target)

        def spy_tanh(net, theta, count, data, config, progress):
            at = len(self.drawn)
            start = theta.copy()
            errors = train_tanh(net, theta, count, data, config, progress)
            self.tanh.append((net, start, theta, count, errors, self.drawn[at:]))
            return errors

        def spy_examine(net, theta, rng, config):
            at = len(self.drawn)
            found = examine(net, theta, rng, config)
            self.tested.append((net, theta.copy(), [s for *_, s in self.drawn[at:]], found))
            return found

        monkeypatch.setattr(to, "sequences", spy_draw)
        monkeypatch.setattr(Trainer, "__init__", spy_init)
        monkeypatch.setattr(Trainer, "step", spy_step)
        monkeypatch.setattr(to, "train_tanh", spy_tanh)
        monkeypatch.setattr(to, "examine", spy_examine)


LOOSE = Config(**QUICK | {"tolerance": 0.53, "learning_rate": 0.1, "max_sequences": 400})


@pytest.fixture
def ledger(monkeypatch):
    book = Ledger(monkeypatch)
    book.table = run(LOOSE, 1000, silent)
    return book


def test_no_tested_sequence_was_trained_on_and_no_two_streams_start_alike(ledger):
    starts = {}
    for rng, state, _ in ledger.drawn:
        starts.setdefault(rng, state)
    assert len(starts) == len(set(starts.values())) == 4  # two to train and two to test
    trained = {s[:, n].tobytes() for s, *_ in ledger.trained for n in range(s.shape[1])}
    batches = [s for *_, draws in ledger.tanh for *_, s in draws]
    trained |= {s[:, n, b].tobytes() for s in batches for n in range(6) for b in range(to.BATCH)}
    tested = [s for *_, parts, _ in ledger.tested for s in parts]
    assert len(tested) == 2 * to.TEST // to.CHUNK
    streams = {rng for rng, _, s in ledger.drawn if any(s is part for part in tested)}
    others = {rng for rng, _, s in ledger.drawn if not any(s is part for part in tested)}
    assert len(streams) == len(others) == 2 and streams.isdisjoint(others)


def test_long_sequences_never_come_twice(monkeypatch):
    book = Ledger(monkeypatch)
    long = {name: getattr(Config(), name) for name in SHORT}
    monkeypatch.setattr(to, "TEST", 256)
    run(replace(LOOSE, **long, max_sequences=40), 1000, silent)
    every = [s[:, n, b].tobytes() for *_, s in book.drawn for n, b in np.ndindex(s.shape[1:])]
    assert len(every) == len(set(every)) > 1000  # every sequence that was drawn is another one


def test_the_initial_weights_are_drawn_from_streams_of_their_own(monkeypatch):
    book = Ledger(monkeypatch)
    seen = []
    original = RecurrentNet.initial

    def initial(net, rng, nets, config):
        seen.append(rng.bit_generator.state["state"]["state"])
        return original(net, rng, nets, config)

    monkeypatch.setattr(RecurrentNet, "initial", initial)
    run(LOOSE, 1000, silent)
    assert len(seen) == 2 and seen[0] != seen[1]
    assert not set(seen) & {state for _, state, _ in book.drawn}


def test_each_net_sees_sequences_of_its_own_one_by_one_until_it_is_done(ledger):
    (lstm,) = ledger.trainers
    assert ledger.trained[0][0].shape[1:] == (3, 1)
    assert not np.array_equal(ledger.trained[0][0][:, 0], ledger.trained[0][0][:, 1])
    for n in range(3):
        assert lstm.sequences[n] == sum(n in running for *_, running in ledger.trained)
        assert lstm.solved[n] or lstm.sequences[n] == LOOSE.max_sequences
    assert lstm.solved.any() and len(set(lstm.sequences)) > 1
    for symbols, target, running in ledger.trained:
        assert symbols.shape[1] == target.shape[1] == len(running)
        for n in range(len(running)):  # the target is the class of these very symbols
            marks = symbols[(symbols[:, n, 0] == to.X) | (symbols[:, n, 0] == to.Y), n, 0] - to.X
            assert target[2 * marks[0] + marks[1], n, 0] == 1


def test_the_last_weights_are_tested_and_the_metrics_are_those_of_the_test(ledger):
    (lstm,) = ledger.trainers
    (net, theta, parts, (right, named)), _ = ledger.tested
    np.testing.assert_array_equal(theta, lstm.theta)
    table = ledger.table["lstm"]
    speed = table.pop("sequences_per_second")
    assert speed > 0 and table == to.summary(lstm, right, named)
    y = np.concatenate([net.forward(theta, part) for part in parts], axis=2)
    marks = np.concatenate([np.stack([kept_marks(part, n) for n in range(3)]) for part in parts], 1)
    assert (named == (y.argmax(0) == marks)).all()
    assert ledger.table["lead"] == table["accuracy"] - ledger.table["rnn"]["accuracy"]


def kept_marks(symbols, n):
    """The classes (B,) that the marks of net n's sequences tell."""
    places = (symbols[:, n] == to.X) | (symbols[:, n] == to.Y)  # (T, B)
    marks = (symbols[:, n].T[places.T] - to.X).reshape(-1, 2)
    return 2 * marks[:, 0] + marks[:, 1]


def test_the_tanh_nets_get_twice_the_sequences_and_the_best_is_chosen_in_training(ledger):
    (lstm,) = ledger.trainers
    ((net, start, theta, count, errors, draws),) = ledger.tanh
    assert count == int(2 * lstm.sequences.mean())
    seen = sum(symbols.shape[2] for *_, symbols in draws)
    assert count - to.BATCH < seen == ledger.table["rnn"]["sequences"] <= count
    assert seen >= lstm.sequences.mean() and all(s.shape[1] == 6 for *_, s in draws)
    _, tested, _, (right, named) = ledger.tested[1]
    np.testing.assert_array_equal(tested, theta[[errors.argmin()]])
    assert ledger.table["rnn"]["error"] == errors.min()
    assert ledger.table["rnn"]["accuracy"] == named.mean()
    assert ledger.table["rnn"]["right"] == right.mean()
    assert net.units == net.seen == 16 and not np.array_equal(start, theta)
    W = net.weights(start)[0]
    for recurrent in W[:, :, :16].astype(float):
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(16), atol=1e-5)
    assert np.abs(W[:, :, 16:]).max() <= 0.1 and len(np.unique(W[:, :, 16:])) == 6 * 16 * 9


def test_the_curve_is_the_share_of_nets_that_are_done(ledger):
    (lstm,) = ledger.trainers
    x, y = ledger.table["curve"]["x"], ledger.table["curve"]["y"]
    assert len(x) == len(y) == 100 and x[0] == 4 and x[-1] == 400
    done = [np.mean(lstm.solved & (lstm.sequences <= at)) for at in x]
    assert y == done and y[-1] == lstm.solved.mean() and y[0] == 0


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    config = Config(**QUICK | {"max_sequences": 120})
    notes = []

    def numbers(seed, progress):
        table = run(config, seed, progress)
        table["lstm"].pop("sequences_per_second")
        return table

    first = numbers(1000, lambda share, text: notes.append(share))
    assert first == numbers(1000, silent) != numbers(1001, silent)
    assert notes == sorted(notes) and notes[-1] == pytest.approx(1, abs=0.2)


# ---- the study ----


def test_the_rows_of_the_study():
    config = study.Config()
    rows = study.rows_of(config)
    assert {name: rule for name, (rule, _) in rows.items()} == {
        "one_block": Trainer,
        "t100": study.UntilHalf,
        "t400": study.UntilHalf,
    }
    assert rows["one_block"][1] == replace(config, blocks=1, input_bias=(-2.0,))
    t100 = replace(config, nets=10)
    assert rows["t100"][1] == t100
    longer = {"shortest": 400, "longest": 440, "window_1": [40, 80], "window_2": [200, 240]}
    assert rows["t400"][1] == replace(t100, **longer)
    for name in ("learning_rate", "weight_range", "tolerance", "nets", "max_sequences"):
        assert getattr(config, name) == getattr(Config(), name)


def test_a_row_of_the_study_ends_when_more_than_half_of_its_nets_are_done(window):
    net = Puppet([[0.4, 0.4, 0.4, 0.01]] * 2 + [[0.01, 0.4, 0.01, 0.01]] * 2)
    trainer = study.UntilHalf(net, np.zeros((4, 2)), Config(max_sequences=11))
    for _ in range(4):
        trainer.step(None, np.full((4, 4, 1), 0.5))
    assert trainer.solved.tolist() == [False, False, False, True] and len(trainer.running) == 3
    net.forward = lambda theta, symbols: (
        0.5 + np.array([0.01, 0.4, 0.01])[None, :, None] * np.ones((4, 3, 1))
    )
    for _ in range(2):
        trainer.step(None, np.full((4, 3, 1), 0.5))
    trainer.keep()
    assert trainer.solved.tolist() == [True, False, True, True] and not len(trainer.running)
    assert trainer.sequences.tolist() == [6, 6, 6, 4]


def test_a_cut_takes_away_the_weights_from_the_cells_alone():
    net, config = NETS["lstm"]
    theta = weights(net, config)
    W = net.weights(study.cut(net, theta, slice(4, 6)))[0]
    expected = net.weights(theta)[0].copy()
    expected[:, 4:6, :4] = 0
    np.testing.assert_array_equal(W, expected)
    assert (net.weights(theta)[0] != 0).all()


def test_cuts_are_tested_on_the_nets_that_met_the_criterion(monkeypatch):
    config = replace(ONE, nets=3)
    net = Lstm(config)
    trainer = Trainer(net, net.initial(np.random.default_rng(0), 3, config), config)
    trainer.solved[[0, 2]] = True
    seen = []

    def examine(net, theta, rng, config):
        seen.append(theta)
        return None, np.tile([[True, False], [True, True]], (1, 5))

    monkeypatch.setattr(study, "examine", examine)
    cuts = study.kept_by_cuts(trainer, None)
    assert cuts == {"without_gate": [0.5, 1.0], "without_cells": [0.5, 1.0]}
    for theta, units in zip(seen, (slice(3, 4), slice(0, 3))):
        np.testing.assert_array_equal(theta, study.cut(net, trainer.theta[[0, 2]], units))
    cuts = {"without_gate": [0.5, 0.89, 0.95, 1.0], "without_cells": [1.0, 0.5, 0.2, 0.9]}
    shares = {"gate_alone": 0.25, "cells_alone": 0.25, "both": 0.25, "neither": 0.25}
    assert study.types(cuts) == shares
    assert set(study.types({"without_gate": [], "without_cells": []}).values()) == {None}


def test_the_study_s_rows_use_different_streams_and_report_their_nets(monkeypatch):
    book = Ledger(monkeypatch)
    monkeypatch.setattr(study, "examine", to.examine)
    starts = []
    original = RecurrentNet.initial

    def initial(net, rng, nets, config):
        starts.append(rng.bit_generator.state["state"]["state"])
        return original(net, rng, nets, config)

    monkeypatch.setattr(RecurrentNet, "initial", initial)
    loose = {"tolerance": 0.56, "learning_rate": 0.1, "max_sequences": 200}
    table = study.run(study.Config(**study.QUICK | loose), 1000, silent)
    first = {}
    for rng, state, _ in book.drawn:
        first.setdefault(rng, state)
    states = [*starts, *first.values()]
    assert len(states) == len(set(states)) >= 3 + 4
    one, t100, t400 = book.trainers
    right, named = book.tested[0][3]
    assert table["one_block"] == to.summary(one, right, named) | {
        "sequences_each": one.sequences.tolist()
    }
    for name, trainer in (("t100", t100), ("t400", t400)):
        assert table[name]["sequences_each"] == trainer.sequences.tolist()
        assert table[name]["sequences"] == np.median(trainer.sequences)
        assert table[name]["solved"] == trainer.solved.mean()
    assert t400.config.max_sequences == round(2.1 * np.median(t100.sequences))
    ratio = np.median(t400.sequences) / np.median(t100.sequences)
    assert t100.solved.mean() > 0.5 and table["t400"]["over_t100"] == pytest.approx(ratio)
    assert len(table["cuts"]["without_gate"]) == one.solved.sum() > 0


# ---- bad settings ----


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"blocks": 3}, "--input-bias: needs 3 numbers"),
        ({"shortest": 111}, "--shortest: must not exceed"),
        ({"window_1": (10,)}, "needs two numbers"),
        ({"window_1": (20, 10)}, "--window-2: must lie behind"),
        ({"window_2": (20, 60)}, "--window-2: must lie behind"),
        ({"window_2": (50, 99)}, "--window-2: must lie behind"),
    ],
)
def test_settings_that_do_not_fit_together(settings, said):
    with pytest.raises(ValueError, match=said):
        Config(**settings)


@pytest.mark.parametrize(
    "words",
    [["--nets", "0"], ["--input-bias", "-2"]],
)
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("temporal_order_3bit.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
