"""Tests of temporal order: task, gradients, learning step, criterion, wiring, bad settings."""

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import study_temporal_order_4bit as study
import temporal_order_4bit as to
from temporal_order_4bit import (
    QUICK,
    AdamTrainer,
    Config,
    Lstm,
    RecurrentNet,
    Trainer,
    run,
    sequences,
)

SMALL = Config(init_range=0.7, input_gate_bias=-0.4, rnn_hidden=5, **QUICK)
NETS = {
    "three": (Lstm(3, SMALL), SMALL),
    "wide": (Lstm(2, replace(SMALL, cells=3)), SMALL),
    "tanh": (RecurrentNet(5, 5, 8), SMALL),
}


def silent(share, text):
    """A progress that nobody sees."""


def sample(net, nets=2, batch_size=6, seed=1):
    """Draw sequences of several lengths with as many marks as the net tells apart, in float64."""
    windows = SMALL.windows if net.outputs == 8 else SMALL.windows_6a
    x, targets, _ = sequences(np.random.default_rng(seed), windows, nets, batch_size, SMALL)
    assert len({tuple(b) for b in x[:, 0, 8].T}) > 1
    return x.astype(float), targets.astype(float)


def weights(net, nets=2, seed=0):
    return net.initial(np.random.default_rng(seed), nets, SMALL).astype(float)


# ---- slow references: one net, one sequence, plain loops, the paper's formulas ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def unpack(theta, units, seen, outputs):
    W = theta[: units * (9 + units)].reshape(units, 9 + units)
    return W, theta[W.size :].reshape(outputs, seen + 1)


def slow_lstm(theta, net, symbols):
    """Run the 1997 cell: outputs, all z (L, .), cell states (L, C)."""
    J, C = net.J, net.C
    S = C // J
    W, V = unpack(theta, C + 2 * J, C, net.outputs)
    activations, state, zs, states = np.zeros(C + 2 * J), np.zeros(C), [], []
    for symbol in symbols:
        z = np.concatenate([symbol, [1.0], activations])
        a = W @ z
        for c in range(C):
            state[c] += sig(a[C + c // S]) * (4 * sig(a[c]) - 2)
        y = [sig(a[C + J + c // S]) * (2 * sig(state[c]) - 1) for c in range(C)]
        activations = np.concatenate([y, sig(a[C:])])
        zs.append(z)
        states.append(state.copy())
    return sig(V @ [*activations[:C], 1.0]), np.array(zs), np.array(states)


def frozen_lstm(theta, net, z):
    """Return the outputs when what the units see, z (L, .), does not depend on the weights."""
    J, C = net.J, net.C
    block = np.arange(C) // (C // J)
    W, V = unpack(theta, C + 2 * J, C, net.outputs)
    a = z @ W.T  # (L, units)
    state = (sig(a[:, C : C + J])[:, block] * (4 * sig(a[:, :C]) - 2)).sum(0)
    y = sig(a[-1, C + J :])[block] * (2 * sig(state) - 1)
    return sig(V @ [*y, 1.0])


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
    """The symbols (L, 8) of one sequence without what stands before its start."""
    return x[x[:, n, 8, b] == 1, n, :8, b]


def half_squares(y, targets):
    """Half the squared error (N,) that the rule descends, summed over the batch."""
    return ((y - targets) ** 2).sum((1, 2)) / 2


# ---- the networks ----


@pytest.mark.parametrize("name", ["three", "wide"])
def test_lstm_is_the_cell_of_the_paper_on_sequences_without_padding(name):
    net, _ = NETS[name]
    x, _ = sample(net)
    theta = weights(net)
    y = net.forward(theta, x)
    for n, b in np.ndindex(2, 6):
        slow, _, states = slow_lstm(theta[n], net, unpadded(x, n, b))
        np.testing.assert_allclose(y[n, :, b], slow, atol=1e-12)
        held = 2 * net.s[:, n, :, :, b].reshape(len(net.s), -1)
        np.testing.assert_allclose(held[-len(states) :], states, atol=1e-12)
        assert not held[: -len(states)].any()


def test_tanh_net_on_sequences_without_padding():
    net, _ = NETS["tanh"]
    x, _ = sample(net)
    theta = weights(net)
    y = net.forward(theta, x)
    for n, b in np.ndindex(2, 6):
        W, V = unpack(theta[n], 5, 5, 8)
        h = np.zeros(5)
        for symbol in unpadded(x, n, b):
            h = np.tanh(W @ np.concatenate([symbol, [1.0], h]))
        np.testing.assert_allclose(y[n, :, b], sig(V @ [*h, 1.0]), atol=1e-12)


@pytest.mark.parametrize("name", ["three", "wide"])
def test_truncated_gradient_with_frozen_recurrent_inputs(name):
    net, _ = NETS[name]
    x, targets = sample(net, nets=1, batch_size=3)
    theta = weights(net, nets=1)
    y = net.forward(theta, x)
    analytic = net.backward(Trainer.output_delta(None, y, targets))
    frozen = [slow_lstm(theta[0], net, unpadded(x, 0, b))[1] for b in range(3)]

    def objective(theta):
        ys = [frozen_lstm(theta[0], net, z) for z in frozen]
        return half_squares(np.array(ys).T[None], targets)

    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_without_recurrent_weights_the_truncated_gradient_is_the_whole_one():
    net, _ = NETS["three"]
    x, targets = sample(net, nets=2, batch_size=3)
    theta = weights(net)

    def objective(theta):
        return half_squares(net.forward(theta, x), targets)

    def truncated():
        return net.backward(Trainer.output_delta(None, net.forward(theta, x), targets))

    whole = central_differences(objective, theta)
    assert relative_error(truncated(), whole) > 1e-3  # something is cut off
    W = net.weights(theta)[0]
    W[:, :, 9:] = 0
    recurrent = np.zeros_like(theta)
    net.weights(recurrent)[0][:, :, 9:] = 1
    whole = np.where(recurrent == 1, 0, central_differences(objective, theta))
    assert relative_error(np.where(recurrent == 1, 0, truncated()), whole) <= 1e-6


def test_tanh_net_gradient_is_that_of_the_loss():
    net, _ = NETS["tanh"]
    x, targets = sample(net)
    theta = weights(net)
    analytic = net.backward(Trainer.output_delta(None, net.forward(theta, x), targets))

    def objective(theta):
        return half_squares(net.forward(theta, x), targets)

    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_the_nets_that_are_compared():
    config = Config()
    three, two, tanh = Lstm(3, config), Lstm(2, config), RecurrentNet(16, 16, 8)
    theta = three.initial(np.random.default_rng(0), 3, config)
    W = three.weights(theta)[0]
    assert theta.shape == (3, 308)  # the paper's numbers
    assert two.initial(np.random.default_rng(0), 1, config).shape == (1, 156)
    np.testing.assert_array_equal(W[:, 6:9, 8], [[-2, -4, -6]] * 3)
    W[:, 6:9, 8] = 0
    assert 0.09 < np.abs(theta).max() <= 0.1
    assert tanh.initial(np.random.default_rng(0), 1, config).shape == (1, 536)


@pytest.mark.parametrize("name", NETS)
def test_nets_in_lock_step_are_independent(name):
    net, _ = NETS[name]
    x, targets = sample(net, nets=3)
    theta = weights(net, nets=3)
    together = net.backward(net.forward(theta, x) - targets)
    alone = net.backward(net.forward(theta[1:2], x[:, 1:2]) - targets[1:2])
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-10, atol=1e-15)


# ---- the task ----


@pytest.mark.parametrize("windows", [Config.windows, Config.windows_6a])
def test_sequences_against_a_slow_reading_of_the_paper(windows):
    config = Config()
    x, targets, marks = sequences(np.random.default_rng(4), windows, 2, 60, config)
    M = len(windows) // 2
    assert x.dtype == np.float32 and x.shape == (110, 2, 9, 60)
    assert targets.shape == (2, 2**M, 60) and marks.shape == (M, 2, 60)
    for n, b in np.ndindex(2, 60):
        symbols = unpadded(x, n, b)
        L = len(symbols)
        assert 100 <= L <= 110 and (symbols.sum(1) == 1).all()
        assert not x[: 110 - L, n, :, b].any() and x[110 - L :, n, 8, b].all()
        word = "EBabcdXY"
        text = "".join(word[s] for s in symbols.argmax(1))
        assert text[0] == "E" and text[-1] == "B" and not {"E", "B"} & set(text[1:-1])
        places = [t for t, letter in enumerate(text) if letter in "XY"]
        assert len(places) == M
        for k, t in enumerate(places):
            assert windows[2 * k] <= t <= windows[2 * k + 1]
            assert text[t] == "XY"[marks[k, n, b]]
        orders = ["".join(order) for order in product("XY", repeat=M)]
        order = orders.index("".join(text[t] for t in places))
        np.testing.assert_array_equal(targets[n, :, b], np.eye(2**M)[order])


def test_where_marks_and_lengths_fall_and_what_fills_the_rest():
    config, count = Config(), 20_000
    x, targets, marks = sequences(np.random.default_rng(0), config.windows, 1, count, config)
    length = x[:, 0, 8].sum(0).astype(int)
    assert np.bincount(length)[100:] == pytest.approx(count / 11, rel=0.1)
    is_mark = x[:, 0, 6:8].sum(1)  # (T, B)
    start = 110 - length
    for k, (low, high) in enumerate([(10, 20), (33, 43), (66, 76)]):
        place = [np.flatnonzero(is_mark[:, b])[k] - start[b] for b in range(2000)]
        assert set(place) == set(range(low, high + 1))
    shares = x[:, 0, :8].sum((0, 2)) / x[:, 0, 8].sum()
    assert shares[2:6] == pytest.approx((105 - 5) / 105 / 4, rel=0.01)
    assert targets[0].mean(1) == pytest.approx(1 / 8, abs=0.01)
    assert np.corrcoef(marks[:, 0]) == pytest.approx(np.eye(3), abs=0.03)


def test_the_end_of_a_sequence_does_not_tell_the_target():
    config = Config()
    x, targets, _ = sequences(np.random.default_rng(5), config.windows, 1, 8000, config)
    late = x[-24:, 0, :8].reshape(24 * 8, -1)  # what is seen after the last mark
    features = np.vstack([late, x[:, 0, 8].sum(0), np.ones(8000)]).T
    fit = np.linalg.lstsq(features[:4000], targets[0, :, :4000].T, rcond=None)[0]
    guess = (features[4000:] @ fit).argmax(1)
    assert (guess == targets[0, :, 4000:].argmax(0)).mean() == pytest.approx(1 / 8, abs=0.025)


# ---- learning step and criterion, on hand-worked cases ----


class Scripted:
    """A stand-in net: its |errors| (steps, N, K, B) follow a script, its gradient is constant."""

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
    monkeypatch.setattr(to, "WINDOW", 4)


def follow(errors, rule=Trainer, slope=(1.0, -2.0), rates=0.1, **settings):
    """Step through a script (steps, N, K, B) with nets that start at zero; return the trainer."""
    net = Scripted(errors, slope)
    steps, N, K, B = net.errors.shape
    config = replace(Config(batch_size=B, max_sequences=steps * B), **settings)
    trainer = rule(net, np.zeros((N, 2)), rates, Config.windows, config)
    while len(trainer.running) and trainer.seen < config.max_sequences:
        trainer.step(trainer.running, np.zeros((len(trainer.running), K, B)))
    return trainer


def test_the_criterion_looks_back_over_a_ring_of_2000():
    assert (to.WINDOW, to.STOP_ERROR, to.TEST, to.TOLERANCE) == (2000, 0.1, 2560, 0.3)
    good, bad = 0.01, 0.35
    errors = np.full((200, 1, 2, 16), good)
    errors[3, 0, 1, 5] = bad  # sequence 53 leaves the ring when 2,054 have been seen
    assert follow(errors).sequences.tolist() == [2064]
    errors[3, 0, 1, 5] = good
    assert follow(errors).sequences.tolist() == [2000]
    assert not follow(errors[:124]).met.any()  # 1,984 are too few


def test_the_criterion_s_two_bounds(window):
    errors = np.zeros((9, 1, 8, 1))
    assert not follow(errors + 0.1).met.any()  # all right, but the mean is not below 0.1
    assert follow(errors + 0.0999).sequences.tolist() == [4]
    errors[0, 0, 3] = -0.3  # right is below, not at 0.3, and for each output
    assert follow(errors).sequences.tolist() == [5]
    errors[0, 0, 3] = -0.299
    assert follow(errors).sequences.tolist() == [4]


def test_a_net_that_met_the_criterion_is_not_trained_any_further(window):
    errors = np.array([[[[0.05]], [[1.0]]]] * 6)
    gentle = {"slope": (0.3, -0.4), "rates": 0.1}
    trainer, until_then = follow(errors, **gentle), follow(errors[:4], **gentle)
    assert trainer.sequences.tolist() == [4, 6] and trainer.met.tolist() == [True, False]
    assert [len(theta) for theta in trainer.net.log] == [2, 2, 2, 2, 1, 1]
    for name in ("theta", "recent", "right", "error"):
        np.testing.assert_array_equal(getattr(trainer, name)[0], getattr(until_then, name)[0])
    assert (trainer.theta[0] != 0).all() and trainer.running.tolist() == [1]
    np.testing.assert_allclose(trainer.theta[1], [-0.18, 0.24], rtol=1e-6)
    np.testing.assert_allclose(trainer.curve[0], 0.05)  # what is drawn of it stays as it was


def test_the_rule_is_plain_descent_with_a_bound_for_each_net():
    trainer = follow(np.ones((3, 2, 1, 1)), slope=(0.3, -0.4), rates=(0.1, 0.2))
    np.testing.assert_allclose(trainer.theta, [[-0.09, 0.12], [-0.18, 0.24]], rtol=1e-6)
    steep = follow(np.ones((3, 1, 1, 1)), slope=(3.0, -4.0), clip=0.5)
    np.testing.assert_allclose(steep.theta, [[-0.09, 0.12]], rtol=1e-6)


def test_each_net_has_its_own_bound():
    trainer = follow(np.ones((1, 2, 1, 1)), clip=1.0)
    gradient = np.array([[3.0, -4.0], [0.3, -0.4]])
    np.testing.assert_allclose(trainer.clipped(gradient), [[0.6, -0.8], [0.3, -0.4]], rtol=1e-6)


def test_the_paper_s_own_step_knows_no_bound():
    trainer = follow(np.ones((3, 2, 1, 1)), study.OnlineTrainer, (3.0, -4.0), rates=(0.5, 1.0))
    np.testing.assert_allclose(trainer.theta, [[-4.5, 6.0], [-9.0, 12.0]])


def test_adam_s_first_steps():
    trainer = follow(np.ones((3, 2, 1, 1)), AdamTrainer, (0.5, -0.4), rates=(0.1, 0.2))
    np.testing.assert_allclose(trainer.theta, [[-0.3, 0.3], [-0.6, 0.6]], rtol=1e-6)
    trainer = follow(np.ones((1, 1, 1, 1)), AdamTrainer, slope=(3.0, -4.0))
    trainer.net = Scripted(np.ones((1, 1, 1, 1)), (-0.25, 0.3))
    trainer.config = replace(trainer.config, max_sequences=2)
    trainer.step(trainer.running, np.zeros((1, 1, 1)))
    g1, g2, b2 = np.array([0.6, -0.8]), np.array([-0.25, 0.3]), to.BETA_2  # the first is clipped
    mean = (0.9 * 0.1 * g1 + 0.1 * g2) / (1 - 0.9**2)
    square = (b2 * (1 - b2) * g1**2 + (1 - b2) * g2**2) / (1 - b2**2)
    step = 0.1 * mean / np.sqrt(square)
    np.testing.assert_allclose(trainer.theta[0], [-0.1, 0.1] - step, rtol=1e-6)


def test_divergence_is_reported():
    with pytest.raises(FloatingPointError, match="loss is nan at sequence 2"):
        follow([[[[1.0, 1.0]]], [[[np.nan, 1.0]]]])


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains and tests."""

    def __init__(self, monkeypatch):
        self.drawn, self.trained, self.tested, self.trainers, self.starts = [], [], [], [], []
        monkeypatch.setattr(to, "WINDOW", 320)  # so that a net can meet the criterion in no time
        monkeypatch.setattr(to, "STOP_ERROR", 1.0)
        monkeypatch.setattr(to, "TOLERANCE", 0.94)
        original_draw, original_step, original_examine = to.sequences, Trainer.step, to.examine
        original_init, original_weights = Trainer.__init__, RecurrentNet.initial

        def draw(rng, windows, nets, batch_size, config):
            before = rng.bit_generator.state["state"]["state"]
            x, targets, marks = original_draw(rng, windows, nets, batch_size, config)
            self.drawn.append((id(rng), before, x))
            return x, targets, marks

        def init(trainer, *arguments):
            original_init(trainer, *arguments)
            self.trainers.append(trainer)
            self.starts.append(trainer.theta.copy())

        def initial(net, rng, nets, config):
            self.drawn.append((id(rng), rng.bit_generator.state["state"]["state"], None))
            return original_weights(net, rng, nets, config)

        def step(trainer, x, targets):
            self.trained.append((trainer, x, len(trainer.running)))
            original_step(trainer, x, targets)

        def examine(net, theta, windows, rng, config):
            start = len(self.drawn)
            y, targets = original_examine(net, theta, windows, rng, config)
            self.tested.append((theta.copy(), [x for *_, x in self.drawn[start:]], y, targets))
            return y, targets

        monkeypatch.setattr(to, "sequences", draw)
        monkeypatch.setattr(Trainer, "__init__", init)
        monkeypatch.setattr(RecurrentNet, "initial", initial)
        monkeypatch.setattr(Trainer, "step", step)
        monkeypatch.setattr(to, "examine", examine)


@pytest.fixture(scope="module")
def ledger():
    with pytest.MonkeyPatch.context() as monkeypatch:
        book = Ledger(monkeypatch)
        book.config = Config(**QUICK | {"nets": 3, "max_sequences": 960})
        book.table = run(book.config, 1000, silent)
    return book


def test_no_tested_sequence_was_trained_on_and_no_two_streams_start_alike(ledger):
    starts = {}
    for rng, state, _ in ledger.drawn:
        starts.setdefault(rng, state)
    assert len(starts) == len(set(starts.values())) == 9  # to start, train and test three times
    every = [
        x[:, n, :, b].tobytes()
        for *_, x in ledger.drawn
        if x is not None
        for n, b in np.ndindex(x.shape[1], x.shape[3])
    ]
    assert len(every) == len(set(every))
    assert len(ledger.tested) == 3 and len(ledger.tested[0][1]) == to.TEST // to.CHUNK


def test_a_net_leaves_when_it_has_met_the_criterion_and_its_last_weights_are_tested(ledger):
    assert any(trainer.met.any() for trainer in ledger.trainers[:2])
    for trainer, (theta, _, y, _) in zip(ledger.trainers[:2], ledger.tested[:2]):
        counts = [count for t, x, count in ledger.trained if t is trainer and x.shape[1] == count]
        assert counts == sorted(counts, reverse=True) and counts[0] == 3
        assert y.shape == (3, trainer.net.outputs, to.TEST)
        for n in range(3):
            assert trainer.met[n] or trainer.sequences[n] == ledger.config.max_sequences
        np.testing.assert_array_equal(theta, trainer.theta)


def test_the_metrics_are_those_of_the_tests(ledger):
    for name, trainer, (_, _, y, targets) in zip(("lstm", "two"), ledger.trainers, ledger.tested):
        row = ledger.table[name]
        assert row["solved"] == trainer.met.mean() and row["slowest"] == trainer.sequences.max()
        assert row["sequences"] == trainer.sequences.mean()
        assert row["accuracy"] == (y.argmax(1) == targets.argmax(1)).mean()
        assert row["error"] == np.abs(y - targets).mean()
    table = ledger.table
    factor = table["lstm"]["sequences"] / table["two"]["sequences"]
    assert table["third_mark"]["factor"] == factor
    assert table["lead"]["accuracy"] == table["lstm"]["accuracy"] - table["rnn"]["accuracy"]
    assert [t.net.J for t in ledger.trainers[:2]] == [3, 2]


def test_the_factor_of_the_third_mark_compares_means(monkeypatch):
    config = Config(**QUICK | {"max_sequences": 320, "nets": 1})
    original = to.train_lstms
    counts = iter([{"sequences": 300.0, "slowest": 900}, {"sequences": 100.0, "slowest": 150}])

    def train(*arguments):
        trainer, row = original(*arguments)
        return trainer, row | next(counts)

    monkeypatch.setattr(to, "train_lstms", train)
    table = run(config, 1000, silent)
    assert table["third_mark"]["factor"] == 3 and table["rnn"]["sequences"] == 304


def test_summary_on_a_hand_worked_case(monkeypatch):
    trainer = follow(np.zeros((3, 3, 2, 1)), batch_size=1)
    trainer.met = np.array([True, False, True])
    trainer.sequences = np.array([10, 40, 20])
    targets = np.tile([[1.0], [0.0]], (3, 1, 10))  # (N, K, TEST)
    y = targets.copy()
    y[0, 1, :4] = 0.3  # wrong at the tolerance exactly
    y[1, :, :] = 0.5
    y[2, 0, :3] = 0.71
    monkeypatch.setattr(to, "examine", lambda *_: (y, targets))
    table = to.summary(trainer, None, 2.0)
    assert table["solved"] == pytest.approx(2 / 3) and table["slowest"] == 40
    assert table["few_wrong"] == 0.5 and table["wrong_at_stop"] == 2
    assert table["sequences"] == pytest.approx(70 / 3) and table["sequences_per_second"] == 35
    assert table["accuracy"] == 1  # argmax of a tie is the first
    trainer.met[:] = False
    table = to.summary(trainer, None, 2.0)
    assert table["wrong_at_stop"] is None and table["few_wrong"] == 0


def test_the_tanh_nets_get_the_lstms_budget_and_the_best_is_chosen_in_training(ledger):
    lstm, _, rnn = ledger.trainers
    budget = round(lstm.sequences.mean())
    assert rnn.config == replace(ledger.config, max_sequences=budget)
    assert ledger.table["rnn"]["sequences"] == rnn.sequences.max()
    assert rnn.met.all() or budget <= rnn.seen < budget + 16
    assert rnn.rates[:, 0] == pytest.approx(np.repeat(Config().rnn_rates, 2))
    assert rnn.windows == lstm.windows == ledger.config.windows
    np.testing.assert_array_equal(ledger.tested[2][0], rnn.theta[[rnn.error.argmin()]])
    W = rnn.net.weights(ledger.starts[2])[0][:, :, 9:]
    np.testing.assert_allclose(W @ W.transpose(0, 2, 1), [np.eye(16)] * 6, atol=1e-5)
    assert len(np.unique(W)) > 6 * 250  # no two start alike


def test_the_curve_and_that_runs_repeat_and_depend_on_the_seed():
    config = Config(**QUICK | {"max_sequences": 320, "nets": 1})
    notes = []

    def steady(table):
        for row in ("lstm", "two"):
            del table[row]["sequences_per_second"]
        return table

    first = steady(run(config, 1000, lambda share, text: notes.append(share)))
    assert first == steady(run(config, 1000, silent)) != steady(run(config, 1001, silent))
    assert notes == sorted(notes) and notes[-1] == 1
    x, y = first["curve"]["x"], first["curve"]["y"]
    assert len(x) == len(y) == 100 and x[-1] == 320 and 0.1 < y[-1] < 0.6


# ---- the study ----


def test_the_online_nets_of_the_study(monkeypatch):
    made = []
    original = Trainer.__init__

    def init(trainer, *arguments):
        original(trainer, *arguments)
        made.append(trainer)

    monkeypatch.setattr(Trainer, "__init__", init)
    config = study.Config(**study.QUICK | {"online_nets": 2, "online_sequences": 5})
    streams = [np.random.default_rng(s) for s in (1, 2)]
    table = study.online(streams, config, silent)
    (trainer,) = made
    assert isinstance(trainer, study.OnlineTrainer) and trainer.config.batch_size == 1
    assert trainer.rates[:, 0] == pytest.approx([0.1, 0.1, 0.5, 0.5])
    assert table["sequences_each"] == [5] * 4 and table["solved"] == 0
    assert table["solved_at_0.1"] == table["solved_at_0.5"] == 0


def test_readings_know_a_mark_from_its_step_on():
    config = replace(SMALL, longest=33, shortest=33)
    net = Lstm(3, config)
    theta = np.zeros((1, 308), np.float32)
    W = net.weights(theta)[0][0]
    W[6:12, 8] = 20  # gates stand open,
    W[:6:2, 6] = (4, 0, 0)  # and one cell counts X up and Y down
    W[:6:2, 7] = (-4, 0, 0)
    right = study.readings(net, theta, config.windows, np.random.default_rng(0), config)
    assert right.shape == (3, 33)
    assert right[0, 1] == pytest.approx(0.5, abs=0.06) and right[0, 9] == 1
    assert right[1, 9] == pytest.approx(0.5, abs=0.06) and 0.6 < right[1, 18] < 0.9
    assert right[2, 18] == pytest.approx(0.5, abs=0.06) and right[2, 32] > 0.6


def test_the_study_reports_its_rows():
    small = study.QUICK | {"online_sequences": 3, "max_sequences": 32, "nets": 1}
    table = study.run(study.Config(**small), 1000, silent)
    assert list(table) == ["online", "one", "decoded"]
    assert len(table["decoded"]["second"]) == 33
    assert table["decoded"]["second_at_end"] == table["decoded"]["second"][-1]
    assert table["one"]["sequences"] == 32


# ---- bad settings ----


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"shortest": 111}, "--shortest: cannot exceed --longest"),
        ({"windows": (10, 20, 33)}, "--windows: needs pairs"),
        ({"windows": (20, 10)}, "--windows: needs pairs"),
        ({"windows": (10, 20, 20, 30)}, "--windows: each has to end before the next"),
        ({"windows_6a": (10, 20, 50, 99)}, "--windows-6a: each has to end before"),
    ],
)
def test_settings_that_do_not_fit_together(settings, remedy):
    with pytest.raises(ValueError, match=remedy):
        Config(**settings)


@pytest.mark.parametrize("words", [["--nets", "0"], ["--windows", "0"], ["--clip", "nan"]])
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("temporal_order_4bit.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0] in done.stderr
