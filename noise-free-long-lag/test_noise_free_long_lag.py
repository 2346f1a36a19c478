"""Tests of the noise-free long lag: task, gradients, the cell that joins, criterion, wiring."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import noise_free_long_lag as nf
import numpy as np
import pytest
import study_noise_free_long_lag as study
from noise_free_long_lag import QUICK, Config, Lstm, RecurrentNet, Trainer, run, sequences

SMALL = Config(delay=5, weight_range=1.0, gate_shift=-1.0)


def silent(share, text):
    """A progress that nobody sees."""


def grown(kind, config=SMALL, nets=3, seed=0):
    """Make nets in float64, with their cells."""
    net = kind(np.random.default_rng(seed), [1.0] * nets, config)
    if isinstance(net, Lstm):
        net.seen = 1
        net.add_cell(np.ones(nets, bool))
    for name in net.arrays:
        array = getattr(net, name)
        if array.dtype == np.float32:
            setattr(net, name, array.astype(float))
    return net


# ---- slow references: one net, one sequence, plain loops, the paper's formulas ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def hidden_numbers(net, n, symbols):
    """The state of the cell, or the activation of the recurrent unit, at each step."""
    s, course = 0.0, []
    for j in symbols:
        if isinstance(net, Lstm):
            s = s + sig(net.gate[n, j]) * sig(net.cell[n, j])
        else:
            s = sig(net.u[n, j] + net.r[n] * s)
        course.append(s)
    return np.array(course)


def slow_forward(net, n, symbols):
    """The outputs (T, K)."""
    course = hidden_numbers(net, n, symbols)
    return np.array([sig(net.W[n, j] + net.v[n] * s) for j, s in zip(symbols, course)])


def half_squared_error(net, n, symbols, first=0):
    """E of a sequence with its answer, over all steps or from the step `first` on."""
    y = slow_forward(net, n, symbols[:-1])
    target = np.eye(y.shape[1])[symbols[1:]]
    return 0.5 * ((y - target)[first:] ** 2).sum()


def numeric(objective, array, step=1e-5):
    """d objective() / d array by central differences."""
    gradient = np.zeros_like(array)
    for at in np.ndindex(array.shape):
        old = array[at]
        array[at] = old + step
        up = objective()
        array[at] = old - step
        gradient[at] = (up - objective()) / (2 * step)
        array[at] = old
    return gradient


def change_of(net, names, learn):
    """What learn() takes from each array: the gradient, as the step size is 1."""
    before = {name: getattr(net, name).copy() for name in names}
    learn()
    return {name: before[name] - getattr(net, name) for name in names}


def check_gradient(net, names, symbols, first=0):
    want = {}
    for name in names:
        want[name] = numeric(
            lambda: sum(half_squared_error(net, n, row, first) for n, row in enumerate(symbols)),
            getattr(net, name),
        )
    y = net.forward(symbols[:, :-1])
    got = change_of(net, names, lambda: net.learn(symbols[:, :-1], symbols[:, 1:], y))
    for name in names:
        assert np.abs(want[name]).max() > 1e-3
        np.testing.assert_allclose(got[name], want[name], atol=1e-6 * np.abs(want[name]).max())


# ---- the networks ----


@pytest.mark.parametrize("kind", [Lstm, RecurrentNet])
def test_forward_is_the_net_of_the_paper(kind):
    net = grown(kind)
    symbols = sequences(np.array([0, 1, 1]), 5)[:, :-1]
    y = net.forward(symbols)
    for n in range(3):
        np.testing.assert_allclose(y[n], slow_forward(net, n, symbols[n]), atol=1e-12)


def test_the_gradient_of_the_lstm_is_exact():
    symbols = sequences(np.array([0, 1, 1]), 5)
    check_gradient(grown(Lstm), ("W", "v", "gate", "cell"), symbols)


def test_the_gradient_of_the_recurrent_net_is_exact():
    symbols = sequences(np.array([0, 1, 1]), 5)
    check_gradient(grown(RecurrentNet), ("W", "v", "u", "r"), symbols)


def test_symbols_that_recur_add_up():
    symbols = np.array([[0, 2, 2, 3, 2, 0], [1, 5, 4, 4, 5, 1], [1, 2, 3, 4, 5, 1]])
    check_gradient(grown(study.Recurring), ("W", "v", "gate", "cell"), symbols)


def test_error_at_the_end_alone():
    symbols = np.array([[0, 2, 2, 3, 2, 0], [1, 5, 4, 4, 5, 1], [1, 2, 3, 4, 5, 1]])
    eager = replace(SMALL, plateau_window=2, plateau_drop=0.99)
    net = study.EndOnly(np.random.default_rng(0), [1.0] * 3, eager)
    for _ in range(4):
        net.learn(symbols[:, :-1], symbols[:, 1:], net.forward(symbols[:, :-1]))
    assert net.joined.all()  # its cells join, too
    net = grown(study.EndOnly)
    assert net.forward(symbols[:, :-1]).shape == (3, 1, 6)
    check_gradient(net, ("W", "v", "gate", "cell"), symbols, first=4)


def test_the_loss_and_the_rate_of_each_net():
    net = grown(Lstm)
    net.rate = np.array([[1.0], [0.5], [0.0]])
    symbols = sequences(np.array([1, 1, 1]), 5)
    for name in ("W", "v", "gate", "cell"):
        getattr(net, name)[:] = getattr(net, name)[0]  # three times the same net
    y = net.forward(symbols[:, :-1])
    names = ("W", "v", "gate", "cell")
    loss = []
    changes = change_of(
        net, names, lambda: loss.extend(net.learn(symbols[:, :-1], symbols[:, 1:], y))
    )
    for change in changes.values():
        assert np.abs(change[0]).max() > 0 and not change[2].any()
        np.testing.assert_allclose(change[1], change[0] / 2)
    target = np.eye(6)[symbols[0, 1:]]
    np.testing.assert_allclose(loss, ((y - target) ** 2).sum((1, 2)))


def test_sizes_are_those_of_the_paper():
    config = Config()
    lstm = Lstm(np.random.default_rng(0), [1.0], config)
    size = sum(getattr(lstm, name).size for name in ("W", "v", "gate", "cell"))
    assert size == 10_504
    rnn = RecurrentNet(np.random.default_rng(0), [1.0], config)
    assert sum(getattr(rnn, name).size for name in ("W", "v", "u", "r")) == 10_404
    blocks = study.Blocks(np.random.default_rng(0), study.Config(c_nets=1), 50)
    assert sum(getattr(blocks, name).size for name in blocks.arrays) == 364
    for weights in (lstm.W, rnn.W, rnn.u, blocks.U):
        assert 0.19 < np.abs(weights).max() <= 0.2


def test_logistic_does_not_overflow():
    z = np.array([-1e4, -2.0, 0.0, 3.0, 1e4], np.float32)
    with np.errstate(all="raise", under="ignore"):
        y = nf.logistic(z.copy())
    np.testing.assert_allclose(y[1:4], [0.1192029, 0.5, 0.9525741], rtol=1e-6)
    assert y[0] < 1e-30 and y[4] == 1


# ---- the cell that joins ----


def scripted_losses(monkeypatch, losses):
    script = iter(losses)
    monkeypatch.setattr(nf.Net, "descend", lambda net, symbols, wanted, y: np.array(next(script)))


def test_the_cell_joins_where_the_error_of_a_window_hardly_fell(monkeypatch):
    config = replace(SMALL, plateau_window=2, plateau_drop=0.1, gate_shift=-2.0)
    net = Lstm(np.random.default_rng(0), [1.0] * 3, config)
    # net 0 falls by 9 % to its second window; net 1 to its third; net 2 always falls by half
    scripted_losses(
        monkeypatch,
        [[100, 100, 8], [100, 100, 8], [100, 60, 4], [82, 60, 4], [1, 58, 2], [1, 58, 2]],
    )
    courses = []
    for _ in range(6):
        net.learn(None, None, None)
        courses.append(net.joined.tolist())
    assert courses == [[0, 0, 0]] * 3 + [[4, 0, 0]] * 2 + [[4, 6, 0]]
    assert net.joins == [4, 6]
    assert not net.v[2].any() and np.abs(net.v[:2]).min() > 0
    assert np.abs(net.gate[:2] + 2).max() <= 1 and np.abs(net.cell[:2]).max() <= 1
    assert net.cell[:2].std() > 0.3 and net.gate[:2].std() > 0.3


def test_a_cell_joins_once(monkeypatch):
    net = Lstm(np.random.default_rng(0), [1.0], replace(SMALL, plateau_window=1))
    scripted_losses(monkeypatch, [[1.0]] * 4)
    net.learn(None, None, None)
    assert net.joins == []  # there is nothing to compare the first window with
    net.learn(None, None, None)
    weights = net.gate.copy()
    net.learn(None, None, None)
    np.testing.assert_array_equal(net.gate, weights)
    assert net.joins == [2]


def test_before_it_joins_the_inputs_learn_alone():
    net = Lstm(np.random.default_rng(0), [1.0] * 2, SMALL)
    symbols = sequences(np.array([0, 1]), 5)
    before = net.W.copy()
    for _ in range(3):
        net.learn(symbols[:, :-1], symbols[:, 1:], net.forward(symbols[:, :-1]))
    assert not net.s.any() and not net.v.any() and not net.gate.any() and not net.cell.any()
    changed = (net.W != before).all(2)  # (N, K) rows of the symbols that were shown
    np.testing.assert_array_equal(changed, [[1, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])


# ---- the task ----


def test_the_two_sequences():
    symbols = sequences(np.array([0, 1]), 4)
    np.testing.assert_array_equal(symbols, [[0, 2, 3, 4, 0], [1, 2, 3, 4, 1]])


@pytest.mark.parametrize("delay", [2, 7, 100])
def test_only_the_first_symbol_tells_the_last(delay):
    x, y = sequences(np.array([0, 1]), delay)
    np.testing.assert_array_equal(x[1:-1], y[1:-1])
    assert len(x) == delay + 1 and x[0] == x[-1] == 0 and y[0] == y[-1] == 1
    assert sorted({*x, *y}) == list(range(delay + 1))  # p + 1 symbols
    assert len(set(x[:-1])) == delay  # as the experiment's net takes for granted


def test_random_middles():
    symbols = study.random_middles(np.random.default_rng(0), (4, 3000), 10)
    assert symbols.shape == (4, 3000, 11)
    np.testing.assert_array_equal(symbols[..., 0], symbols[..., -1])
    assert np.bincount(symbols[..., 0].ravel()) == pytest.approx(6000, rel=0.05)
    middle = symbols[..., 1:-1]
    assert np.bincount(middle.ravel())[2:] == pytest.approx(12_000, rel=0.05)
    assert middle.min() == 2 and middle.max() == 10  # nine symbols
    key = symbols[..., 0] - 0.5  # no step of the middle knows anything of the key
    for t in range(1, 10):
        assert abs(np.corrcoef(symbols[..., t].ravel(), key.ravel())[0, 1]) < 0.03


def test_triggered_sequences():
    rng = np.random.default_rng(0)
    lengths = []
    for _ in range(1500):
        symbols, keys = study.triggered(rng, (2, 1), 5)
        lengths.append(len(symbols))
        assert (symbols[0] == 3).all() and (symbols[-1] == 2).all()
        np.testing.assert_array_equal(symbols[1], keys)
        middle = symbols[2:-1]
        assert middle.min() >= 4 and middle.max() <= 8  # p distractors
    k = np.array(lengths) - 5 - 3  # q + k + 4 symbols, of which the answer is not shown
    assert k.min() == 0 and k.mean() == pytest.approx(9, rel=0.08)
    assert (k == 0).mean() == pytest.approx(0.1, rel=0.2)
    _, keys = study.triggered(rng, (100, 100), 5)
    assert keys.mean() == pytest.approx(0.5, abs=0.02)


# ---- tests and criterion ----


def test_examine_against_a_slow_reading():
    net = grown(Lstm)
    net.v *= 3
    largest, at_end = nf.examine(net, SMALL)
    for n in range(3):
        errors = []
        for key in (0, 1):
            symbols = [key, 2, 3, 4, 5, key]
            errors.append(np.abs(slow_forward(net, n, symbols[:-1]) - np.eye(6)[symbols[1:]]))
        assert largest[n] == pytest.approx(np.max(errors), abs=1e-12)
        assert at_end[n] == pytest.approx(np.max([e[-1] for e in errors]), abs=1e-12)


def test_a_net_stops_when_all_outputs_are_right_and_its_weights_stay(monkeypatch):
    errors = iter([[0.3, 0.25, 0.1], [0.24, 0.3], [0.9]])
    monkeypatch.setattr(nf, "examine", lambda net, config: (np.array(next(errors)),) * 2)
    config = replace(SMALL, check_every=10, max_sequences=30)
    net = Lstm(np.random.default_rng(0), [1.0, 1.0, 1.0], config)
    trainer = Trainer(net, np.random.default_rng(1), config)
    third = net.W[2].copy()
    kept = []
    original = net.keep
    monkeypatch.setattr(net, "keep", lambda rows: (kept.append(rows.tolist()), original(rows)))
    trainer.train(silent)
    assert trainer.sequences.tolist() == [20, 30, 10]
    assert trainer.solved.tolist() == [True, False, True]
    assert trainer.at_end.tolist() == [0.24, 0.9, 0.1]
    assert kept == [[True, True, False], [False, True], [True]]
    assert trainer.running.tolist() == [1] and len(net.W) == len(net.gate) == len(net.rate) == 1
    assert not np.array_equal(third, net.W[0])
    course = [1.0] * 30 + [0.3] * 33 + [0.24] * 37  # tested after 10, 20 and 30 of 30 sequences
    np.testing.assert_array_equal(trainer.curve[0], course)
    assert trainer.curve[2, 29] == 1 and (trainer.curve[2, 30:] == 0.1).all()


def test_divergence_is_reported():
    net = Lstm(np.random.default_rng(0), [1.0], SMALL)
    net.W[:] = np.nan
    with pytest.raises(FloatingPointError, match="loss is nan at sequence 0"):
        Trainer(net, np.random.default_rng(0), SMALL).train(silent)


def test_an_easy_case_is_learned_and_the_recurrent_net_learns_a_delay_of_two():
    config = Config(delay=4, nets=2, gate_shift=-2.0, plateau_drop=0.1, max_sequences=6000)
    net = Lstm(np.random.default_rng(3), [1.0] * 2, config)
    trainer = Trainer(net, np.random.default_rng(4), config)
    trainer.train(silent)
    assert trainer.solved.all() and (trainer.at_end < 0.25).all()
    config = replace(config, delay=2, max_sequences=4000)
    net = RecurrentNet(np.random.default_rng(5), [4.0] * 4, config)
    trainer = Trainer(net, np.random.default_rng(6), config)
    trainer.train(silent)
    assert trainer.solved.any()


# ---- task 2b's tests, and the memory blocks of task 2c ----


def trainer_b(kind=study.Recurring, config=SMALL, nets=3):
    net = grown(kind, config, nets)
    return study.TrainerB(net, np.random.default_rng(1), np.random.default_rng(2), config)


def test_the_test_of_2b_looks_at_the_ends_of_10_000_sequences(monkeypatch):
    assert study.TEST == 10_000
    trainer = trainer_b(config=replace(SMALL, tolerance=1.0))
    drawn = []
    original = study.random_middles

    def draw(rng, shape, delay):
        drawn.append(original(rng, shape, delay))
        assert rng is trainer.test_rng
        return drawn[-1]

    monkeypatch.setattr(study, "random_middles", draw)
    error, again = trainer.test()
    shown = np.concatenate(drawn, axis=1)
    assert shown.shape == (3, 10_000, 6)
    worst = np.zeros(3)
    for n in range(3):
        for symbols in np.unique(shown[n], axis=0):
            end = slow_forward(trainer.net, n, symbols[:-1])[-1]
            worst[n] = max(worst[n], np.abs(end - np.eye(6)[symbols[-1]]).max())
    np.testing.assert_allclose(error, worst, atol=1e-12)
    np.testing.assert_array_equal(error, again)


def test_a_test_of_2b_that_all_nets_failed_ends(monkeypatch):
    trainer = trainer_b(config=replace(SMALL, tolerance=0.01))
    counts = []
    original = study.random_middles
    monkeypatch.setattr(
        study, "random_middles", lambda *a: (counts.append(a[1][1]), original(*a))[1]
    )
    assert (trainer.test()[0] > 0.01).all() and counts == [study.FIRST]
    trainer.net.joined[:] = 0  # a cell that has not joined says nothing
    error = trainer.test()[0]
    trainer.net.gate += 5
    trainer.test_rng = np.random.default_rng(2)
    trainer.test()
    trainer.test_rng = np.random.default_rng(2)
    unchanged = trainer.test()[0]
    trainer.net.gate -= 5
    trainer.test_rng = np.random.default_rng(2)
    np.testing.assert_array_equal(unchanged, trainer.test()[0])
    assert error.shape == (3,)


def blocks(nets=2, lag=3, scale=4.0):
    """Make nets of two blocks in float64, with large weights."""
    net = study.Blocks(np.random.default_rng(0), study.Config(c_nets=nets), lag)
    net.rate = 1.0
    for name in net.arrays:
        setattr(net, name, scale * getattr(net, name).astype(float))
    return net


def slow_blocks(net, n, symbols, frozen=None):
    """The outputs (2,), the units (T + 1, 6), and the states of the cells (2,) of one net.

    frozen (T + 1, 6) stands in for the units that the units see, one step before.
    """
    units, states = np.zeros((len(symbols) + 1, 6)), np.zeros(2)
    for t, j in enumerate(symbols):
        seen = units[t] if frozen is None else frozen[t]
        a = net.U[:, j, n] + seen @ net.R[:, :, n]
        states = states + sig(a[2:4]) * (4 * sig(a[:2]) - 2)
        units[t + 1] = [*(sig(a[4:]) * (2 * sig(states) - 1)), *sig(a[2:])]
    return sig(units[-1, :2] @ net.V[:, :, n]), units, states


def test_the_blocks_are_those_of_the_paper():
    net = blocks()
    symbols, _ = study.triggered(np.random.default_rng(3), (2, 4), 3)
    y = net.forward(symbols)
    for n, b in np.ndindex(2, 4):
        slow, units, states = slow_blocks(net, n, symbols[:, n, b])
        np.testing.assert_allclose(y[:, n, b], slow, atol=1e-12)
        np.testing.assert_allclose(net.z[:, :, n, b], units, atol=1e-12)
        np.testing.assert_allclose(2 * net.s[-1, :, n, b], states, atol=1e-12)


def test_truncated_gradient_of_the_blocks_with_frozen_units():
    net = blocks()
    symbols, keys = study.triggered(np.random.default_rng(21), (2, 1), 3)
    frozen = [slow_blocks(net, n, symbols[:, n, 0])[1] for n in range(2)]

    def objective():
        errors = [
            slow_blocks(net, n, symbols[:, n, 0], frozen[n])[0] - np.eye(2)[keys[n, 0]]
            for n in range(2)
        ]
        return 0.5 * np.sum(np.square(errors))

    want = {name: numeric(objective, getattr(net, name)) for name in net.arrays}
    y = net.forward(symbols)
    largest = []
    got = change_of(net, net.arrays, lambda: largest.extend(net.learn(symbols, keys, y)))
    for name in net.arrays:
        np.testing.assert_allclose(got[name], want[name], atol=1e-6 * np.abs(want[name]).max())
    assert np.abs(want["R"]).max(2).all()  # each of the 36 weights learns
    for n in range(2):
        assert largest[n] == pytest.approx(np.abs(y[:, n, 0] - np.eye(2)[keys[n, 0]]).max())


def test_success_is_10_000_right_answers_in_a_row(monkeypatch):
    config = study.Config(c_nets=3)
    net = study.Blocks(np.random.default_rng(0), config, 3)
    order = []
    wrong_at = {0: None, 1: 9_999, 2: 20}

    def forward(self, symbols):
        y = np.where(np.arange(2)[:, None, None] == symbols[1], 0.81, 0.19)
        first = sum(order)
        for place, n in enumerate(self.V[0, 0].astype(int)):  # V tells which nets are left
            bad = wrong_at[n]
            if bad is not None and first <= bad < first + symbols.shape[2]:
                y[0, place, bad - first] += np.where(y[0, place, bad - first] > 0.5, -0.02, 0.02)
        order.append(symbols.shape[2])
        return y

    net.V[0, 0] = [0, 1, 2]
    monkeypatch.setattr(study.Blocks, "forward", forward)
    right = study.succeed(net, np.random.default_rng(1), config, 3)
    assert right.tolist() == [True, False, False] and sum(order) == 10_000
    assert net.V.shape[-1] == 3  # those under test are not let go of


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() makes, draws, trains and tests."""

    def __init__(self, monkeypatch, config):
        self.trainers, self.streams, self.keys = [], [], {}
        original_init, original_draw = Trainer.__init__, Trainer.draw

        def init(trainer, net, rng, config):
            original_init(trainer, net, rng, config)
            self.trainers.append(trainer)
            self.streams += [net.rng, rng]
            self.keys[id(trainer)] = []

        def draw(trainer):
            symbols = original_draw(trainer)
            self.keys[id(trainer)].append(symbols[:, 0].copy())
            return symbols

        states = []
        original_generator = np.random.default_rng

        def generator(seed):
            rng = original_generator(seed)
            states.append(rng.bit_generator.state["state"]["state"])
            return rng

        monkeypatch.setattr(Trainer, "__init__", init)
        monkeypatch.setattr(Trainer, "draw", draw)
        monkeypatch.setattr(np.random, "default_rng", generator)
        self.table = run(config, 1000, silent)
        self.states = states


QUICKER = Config(**QUICK | {"nets": 4, "rnn_nets": 2, "max_sequences": 150})


def test_no_two_streams_start_alike_and_each_is_used_once(monkeypatch):
    ledger = Ledger(monkeypatch, QUICKER)
    assert len(ledger.states) == len(set(ledger.states)) == 4
    assert len({id(rng) for rng in ledger.streams}) == 4
    keys = [np.array(ledger.keys[id(trainer)]) for trainer in ledger.trainers]
    for shown in keys:
        columns = {tuple(column) for column in shown.T}
        assert len(columns) == shown.shape[1]  # each net has keys of its own
        assert 0.4 < shown.mean() < 0.6
    assert len({tuple(column) for shown in keys for column in shown[:150].T}) == 4 + 6


def test_the_rival_sees_as_many_sequences_at_each_of_its_rates(monkeypatch):
    ledger = Ledger(monkeypatch, QUICKER)
    lstm, rnn = ledger.trainers
    assert isinstance(lstm.net, Lstm) and isinstance(rnn.net, RecurrentNet)
    assert lstm.seen == rnn.seen == ledger.table["bptt"]["sequences"] == 150
    assert len(ledger.keys[id(rnn)]) == len(ledger.keys[id(lstm)]) == 150
    np.testing.assert_array_equal(rnn.net.rate[:, 0], [1, 1, 4, 4, 10, 10])
    np.testing.assert_array_equal(lstm.net.rate[:, 0], [1, 1, 1, 1])


def test_what_run_reports(monkeypatch):
    scripts = {
        Lstm: (np.array([True, True, False, True]), np.array([0.1, 0.2, 0.6, 0.1])),
        RecurrentNet: (
            np.array([False, False, False, True, False, False]),
            np.array([0.5, 0.5, 0.6, 0.2, 0.3, 0.3]),
        ),
    }

    def train(trainer, progress):
        trainer.solved, trainer.at_end = scripts[type(trainer.net)]
        trainer.sequences = 10 * (1 + np.arange(len(trainer.solved)))
        trainer.seen = 40
        trainer.net.joins = [5, 6, 10]
        trainer.curve[:] = trainer.at_end[:, None]

    monkeypatch.setattr(Trainer, "train", train)
    table = run(QUICKER, 1000, silent)
    assert table["lstm"]["solved"] == 0.75 and table["bptt"]["solved"] == 0.5
    assert table["lead"] == 0.25
    assert table["lstm"]["sequences"] == pytest.approx(70 / 3)
    assert (table["lstm"]["fastest"], table["lstm"]["slowest"]) == (10, 40)
    assert table["lstm"]["joined"] == 7 and table["lstm"]["at_end"] == pytest.approx(0.25)
    assert table["bptt"]["at_end"] == pytest.approx(0.3)
    assert table["curve"]["x"][-1] == 150 and len(table["curve"]["x"]) == 100
    assert table["curve"]["y"] == pytest.approx([0.25] * 100)


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    tables = [run(QUICKER, seed, silent) for seed in (1000, 1000, 1001)]
    for table in tables:
        del table["lstm"]["sequences_per_second"]
    assert tables[0] == tables[1] != tables[2]


STUDY = study.Config(**study.QUICK | {"b_sequences": 60, "b_end_sequences": 50, "c_sequences": 60})
STUDY = replace(STUDY, c_check_every=20, check_every=20)


def test_the_study_tests_on_what_it_did_not_train_on(monkeypatch):
    states, trained, tested, drawn = [], [], [], []
    original_generator, original_middles = np.random.default_rng, study.random_middles
    original_triggered = study.triggered

    def generator(seed):
        rng = original_generator(seed)
        states.append(rng.bit_generator.state["state"]["state"])
        return rng

    def middles(rng, shape, delay):
        symbols = original_middles(rng, shape, delay)
        (trained if len(shape) == 1 else tested).append((rng, symbols))
        return symbols

    def triggered(rng, shape, lag):
        symbols, keys = original_triggered(rng, shape, lag)
        drawn.append((rng, shape[1]))
        return symbols, keys

    monkeypatch.setattr(np.random, "default_rng", generator)
    monkeypatch.setattr(study, "random_middles", middles)
    monkeypatch.setattr(study, "triggered", triggered)
    table = study.run(STUDY, 1000, silent)
    assert len(states) == len(set(states)) == 12  # three streams for each of the four rows
    assert len({id(rng) for rng, _ in trained}) == len({id(rng) for rng, _ in tested}) == 2
    assert {id(rng) for rng, _ in trained}.isdisjoint({id(rng) for rng, _ in tested})
    assert len(trained) == 110 and tested
    counts = {id(rng): set() for rng, _ in drawn}
    for rng, count in drawn:
        counts[id(rng)].add(count)
    assert sorted(map(tuple, counts.values())) == [(1,), (1,), (20,), (20,)]  # to train, to test
    for name, count in {"b": 60, "b_end": 50, "c50": 60, "c200": 60}.items():
        assert table[name]["sequences_each"] == [count, count] and table[name]["solved"] == 0
    assert table["lag_factor"] is None  # no net of this run succeeds


def test_a_net_of_2c_stops_at_its_success_and_others_count_with_the_limit(monkeypatch):
    script = iter([[False, True], [False], [False]])
    monkeypatch.setattr(study, "succeed", lambda *rest: np.array(next(script)))
    lags, left = [], []
    original = study.triggered

    def triggered(rng, shape, lag):
        lags.append(lag)
        left.append(shape[0])
        return original(rng, shape, lag)

    monkeypatch.setattr(study, "triggered", triggered)
    trainer = study.TrainerC(STUDY, 7, np.random.SeedSequence(1000))
    answers = iter([0.1] * 19 + [0.3] + [0.1] * 20 + [0.1] * 18 + [0.3] * 2)
    monkeypatch.setattr(
        trainer.net, "learn", lambda *rest: np.full(len(trainer.running), next(answers))
    )
    trainer.train(silent)
    assert trainer.sequences.tolist() == [60, 20] and trainer.solved.tolist() == [False, True]
    assert trainer.latched.tolist() == [20, 20]  # 19 of 20 are enough
    assert left == [2] * 20 + [1] * 40 and set(lags) == {7}


def test_what_the_study_reports(monkeypatch):
    counts = {50: [10, 30], 200: [50, 40]}

    def train_c(trainer, progress):
        trainer.sequences = np.array(counts[trainer.lag])
        trainer.latched = trainer.sequences // 10 * (1 if trainer.lag == 50 else 3)
        trainer.solved = np.array([True, False])

    def train_b(kind, config, limit, *rest):
        settings = replace(config, max_sequences=limit)
        trainer = Trainer(grown(kind), np.random.default_rng(0), settings)
        trainer.solved[:] = kind is study.EndOnly
        trainer.sequences[:] = limit
        return trainer

    monkeypatch.setattr(study.TrainerC, "train", train_c)
    monkeypatch.setattr(study, "train_b", train_b)
    table = study.run(STUDY, 1000, silent)
    assert table["lag_factor"] == 45 / 20 and table["latched_factor"] == 13.5 / 2
    assert table["c50"]["solved"] == 0.5 and table["c200"]["sequences"] == 45
    assert table["c50"]["sequences_each"] == [10, 30] and table["c50"]["latched_each"] == [1, 3]
    assert (table["b"]["solved"], table["b_end"]["solved"]) == (0, 1)
    assert (table["b"]["sequences"], table["b_end"]["sequences"]) == (60, 50)


@pytest.mark.parametrize(
    "words",
    [["--delay", "1"], ["--nets", "0"], ["--rnn-rates", "-1"], ["--tolerance", "2"]],
)
def test_bad_settings(words):
    script = Path(__file__).with_name("noise_free_long_lag.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
