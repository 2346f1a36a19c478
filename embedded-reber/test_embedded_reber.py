"""Tests of embedded Reber strings: task, gradients, criterion, training, wiring, bad settings."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import embedded_reber as er
import numpy as np
import pytest
import study_embedded_reber as study
from embedded_reber import BIAS, QUICK, SYMBOLS, Config, Elman, Lstm, Trainer, run

SMALL = study.Config(blocks=2, weight_range=0.7, recurrent_range=0.7, gate_bias=-0.3)
THREE = Config(**QUICK)
NETS = {
    "lstm": Lstm(SMALL),
    "single": Lstm(replace(SMALL, blocks=4, block_size=1)),
    "printed": study.AsPrinted(SMALL),
    "elman": Elman(5, 5),
    "recurrent": study.Recurrent(3),
}
# strings worked by hand, with the successors that the diagram of the grammar allows
SHORTEST = ("BTBTXSETE", ["TP", "B", "TP", "SX", "XS", "E", "T", "E"])
LOOPS = (
    "BPBTSSXXTTVPXVVEPE",
    "TP B TP SX SX SX XS TV TV TV PV XS TV PV E P E".split(),
)
OTHER = ("BTBPVPSETE", ["TP", "B", "TP", "TV", "PV", "XS", "E", "T", "E"])


def silent(share, text):
    """A progress that nobody sees."""


def some(seed, count=8):
    rng = np.random.default_rng(seed)
    return [er.draw_string(rng) for _ in range(count)]


def sample(nets=2, size=4, seed=2):
    """Strings of several lengths for N nets: texts [N][B], x (T, N, 8, B), target (T, N, 7, B)."""
    texts = some(seed, nets * size)
    assert len({len(text) for text in texts}) > 1
    x, target, _ = er.encode(texts)
    shape = (len(x), nets, size, -1)
    x, target = (v.astype(float).reshape(shape).transpose(0, 1, 3, 2) for v in (x, target))
    return [texts[n * size : (n + 1) * size] for n in range(nets)], x, target


def theta_of(net, config=SMALL, nets=2, seed=0):
    return net.initial(np.random.default_rng(seed), nets, config).astype(float)


# ---- the task ----


@pytest.mark.parametrize("text, legal", [SHORTEST, LOOPS, OTHER])
def test_legal_successors_of_strings_worked_by_hand(text, legal):
    assert [set(after) for after in er.legal_successors(text)] == [set(after) for after in legal]
    assert len(legal) == len(text) - 1
    assert all(symbol in after for symbol, after in zip(text[1:], legal))


def test_strings_have_the_lengths_and_branches_of_the_grammar():
    texts = some(0, 20_000)
    length = np.array([len(text) for text in texts])
    assert length.min() == 9 and np.mean(length == 9) == pytest.approx(0.25, abs=0.015)
    assert length.mean() == pytest.approx(12, abs=0.1) and np.median(length) == 11
    assert np.mean(length <= 24) == pytest.approx(0.99, abs=0.004)
    assert all(text[0] == "B" and text[2] == "B" and text[-3:] == f"E{text[1]}E" for text in texts)
    assert np.mean([text[1] == "T" for text in texts]) == pytest.approx(0.5, abs=0.015)
    ways = Counter()
    for text in texts[:4000]:
        assert all(symbol in after for symbol, after in zip(text[1:], er.legal_successors(text)))
        inner = er.legal_successors(text)[2:-2]
        ways.update(zip(inner, text[3:]))
    for after in {after for after, _ in ways if len(after) == 2}:
        first, second = (ways[after, symbol] for symbol in after)
        assert first / (first + second) == pytest.approx(0.5, abs=0.03)


def test_the_outer_symbol_cannot_be_read_off_anything_but_its_first_showing():
    swap = {"T": "P", "P": "T"}
    for text in some(3, 100):
        twin = text[0] + swap[text[1]] + text[2:-2] + swap[text[-2]] + text[-1]
        (x, target, legal), (x2, target2, legal2) = er.encode([text]), er.encode([twin])
        assert np.flatnonzero((x != x2).any((1, 2))).tolist() == [1, len(text) - 2]
        assert np.flatnonzero((target != target2).any((1, 2))).tolist() == [0, len(text) - 3]
        assert np.flatnonzero((legal != legal2).any((1, 2))).tolist() == [len(text) - 3]
        assert x[len(text) - 3, 0, SYMBOLS.index("E")] == 1  # the last input before it, always
        assert legal[len(text) - 3].sum() == 1


def test_encoding_and_what_stands_beyond_the_end():
    texts = [SHORTEST[0], LOOPS[0], OTHER[0]]
    x, target, legal = er.encode(texts)
    assert x.shape == (17, 3, 8) and x.dtype == np.float32
    assert target.shape == legal.shape == (17, 3, 7)
    for s, (text, after) in enumerate((SHORTEST, LOOPS, OTHER)):
        n = len(text) - 1
        assert "".join(SYMBOLS[k] for k in x[:n, s, :BIAS].argmax(1)) == text[:-1]
        assert "".join(SYMBOLS[k] for k in target[:n, s].argmax(1)) == text[1:]
        assert (x[:n, s].sum(1) == 2).all() and (target[:n, s].sum(1) == 1).all()
        assert (x[:n, s, BIAS] == 1).all()
        assert not x[n:, s].any() and not target[n:, s].any() and legal[n:, s].all()
        for t in range(n):
            assert {SYMBOLS[k] for k in np.flatnonzero(legal[t, s])} == set(after[t])


def test_sets_keep_duplicates_and_avoid_what_they_have_to():
    training = er.draw_set(np.random.default_rng(0), 256)
    test = er.draw_set(np.random.default_rng(1), 256, set(training))
    assert len(training) == len(test) == 256 and set(training).isdisjoint(test)
    assert len(set(training)) < 200 and len(set(test)) < 256
    pairs, fresh = er.draw_data(np.random.default_rng(2), Config())
    assert len(pairs) == 3 and len(fresh) == 256
    for training, test in pairs:
        assert len(training) == len(test) == 256 and set(training).isdisjoint(test)
        assert not set(fresh) & {*training, *test}
    assert len({tuple(training) for training, _ in pairs}) == 3


# ---- slow references: one net, one string, plain loops, the paper's formulas ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def slow_lstm(net, theta, inputs, frozen=None):
    """Run the 1997 cell: outputs, all z, states. `frozen` replaces every z but the outputs'."""
    W, V = (w[0] for w in net.weights(theta[None]))
    C, J = net.C, net.J
    units = np.zeros(C + 2 * J)
    state, zs, states, outputs = np.zeros(C), [], [], []
    for t, x in enumerate(inputs):
        z = np.concatenate([x, units[: net.seen]]) if frozen is None else frozen[t]
        a = W @ z
        S = C // J
        for c in range(C):
            state[c] += sig(a[C + c // S]) * (4 * sig(a[c]) - 2)
        y = [sig(a[C + J + c // S]) * (2 * sig(state[c]) - 1) for c in range(C)]
        units = np.concatenate([y, sig(a[C:])])
        outputs.append(sig(V @ np.concatenate([x[net.first :], units[: net.seen]])))
        zs.append(z)
        states.append(state.copy())
    return np.array(outputs), np.array(zs), np.array(states)


def slow_elman(net, theta, inputs, frozen=None):
    """Run an Elman net: outputs, all z, hidden units."""
    W, V = (w[0] for w in net.weights(theta[None]))
    h, outputs, zs, hidden = np.zeros(len(W)), [], [], []
    for t, x in enumerate(inputs):
        zs.append(np.concatenate([x, h]) if frozen is None else frozen[t])
        h = sig(W @ zs[-1])
        outputs.append(sig(V[:, 0] + V[:, 1:] @ h))
        hidden.append(h)
    return np.array(outputs), np.array(zs), np.array(hidden)


def slow_recurrent(net, theta, inputs, frozen=None):
    """Run a fully recurrent net: outputs, all z, units."""
    W = net.weights(theta[None])[0]
    h, outputs, zs, hidden = np.zeros(len(W)), [], [], []
    for x in inputs:
        zs.append(np.concatenate([x[:BIAS], h]))
        h = sig(W @ zs[-1])
        outputs.append(h[-7:])
        hidden.append(h)
    return np.array(outputs), np.array(zs), np.array(hidden)


SLOW = {"elman": slow_elman, "recurrent": slow_recurrent}


def cross_entropy(y, target):
    return -(target * np.log(y) + (1 - target) * np.log(1 - y)).sum()


def central_differences(objective, theta, step=1e-5):
    """d objective(theta) / d theta, for one net (P,)."""
    numeric = np.zeros_like(theta)
    for p in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[p] += step
        down[p] -= step
        numeric[p] = (objective(up) - objective(down)) / (2 * step)
    return numeric


def gradient(net, theta, x, target):
    """The gradient of the cross-entropy that the net itself returns."""
    return net.backward((net.forward(theta, x) - target) * x[:, :, BIAS:])


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("name", NETS)
def test_nets_against_slow_ones_on_strings_without_padding(name):
    net = NETS[name]
    texts, x, _ = sample()
    theta = theta_of(net)
    y = net.forward(theta, x)
    assert y.shape == (len(x), 2, 7, 4)
    for n, b in np.ndindex(2, 4):
        steps = len(texts[n][b]) - 1
        slow, _, held = SLOW.get(name, slow_lstm)(net, theta[n], x[:steps, n, :, b])
        np.testing.assert_allclose(y[:steps, n, :, b], slow, atol=1e-12)
        if name in ("lstm", "single"):
            states = 2 * net.s[1 : steps + 1, n, :, :, b].reshape(steps, -1)
            np.testing.assert_allclose(states, held, atol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "single", "printed", "elman"])
def test_truncated_gradients_with_frozen_recurrent_inputs(name):
    net, slow = NETS[name], SLOW.get(name, slow_lstm)
    _, x, target = sample(nets=1, size=3)
    theta = theta_of(net, nets=1)
    analytic = gradient(net, theta, x, target)[0]
    steps = x[:, 0, BIAS].sum(0).astype(int)
    cases = [(x[:n, 0, :, b], target[:n, 0, :, b]) for b, n in enumerate(steps)]
    frozen = [slow(net, theta[0], inputs)[1] for inputs, _ in cases]

    def objective(theta):
        return sum(
            cross_entropy(slow(net, theta, inputs, zs)[0], wanted)
            for (inputs, wanted), zs in zip(cases, frozen)
        )

    numeric = central_differences(objective, theta[0])
    exists = analytic != 0  # the others are weights that the net does not have
    assert relative_error(analytic[exists], numeric[exists]) <= 1e-6
    absent = theta[0][~exists]
    assert not absent.any() and len(absent) == {"lstm": 4, "single": 4}.get(name, len(absent))


def test_the_recurrent_net_has_the_full_gradient():
    net = NETS["recurrent"]
    _, x, target = sample(nets=1)
    theta = theta_of(net, nets=1)
    analytic = gradient(net, theta, x, target)[0]

    def objective(theta):
        y = net.forward(theta[None], x)
        inside = np.broadcast_to(x[:, :, BIAS:], y.shape) == 1
        return cross_entropy(y[inside], target[inside])

    assert relative_error(analytic, central_differences(objective, theta[0])) <= 1e-6


@pytest.mark.parametrize("name", ["lstm", "elman"])
def test_without_recurrent_weights_nothing_is_cut_off(name):
    net = NETS[name]
    _, x, target = sample(nets=1, size=2)
    theta = theta_of(net, nets=1)
    net.weights(theta)[0][:, :, BIAS + 1 :] = 0
    analytic = gradient(net, theta, x, target)
    recurrent = np.zeros_like(theta)
    net.weights(recurrent)[0][:, :, BIAS + 1 :] = 1

    def objective(theta):
        y = net.forward(theta[None], x)
        inside = np.broadcast_to(x[:, :, BIAS:], y.shape) == 1
        return cross_entropy(y[inside], target[inside])

    kept = (recurrent == 0) & (analytic != 0)
    numeric = central_differences(objective, theta[0])[None]
    assert relative_error(analytic[kept], numeric[kept]) <= 1e-6


@pytest.mark.parametrize("name", NETS)
def test_nets_in_lock_step_are_independent(name):
    net = NETS[name]
    _, x, target = sample(nets=3)
    theta = theta_of(net, nets=3)
    together = gradient(net, theta, x, target)
    alone = gradient(net, theta[1:2], x[:, 1:2], target[:, 1:2])
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-9, atol=1e-12)


def weights_that_learn(net, config=None):
    """How many weights of a net the gradient of a few strings moves."""
    _, x, target = sample(nets=1)
    return np.count_nonzero(gradient(net, theta_of(net, config or SMALL, 1), x, target))


def test_the_nets_have_the_sizes_that_are_compared():
    config = study.Config()
    small = replace(config, blocks=4, block_size=1)
    assert weights_that_learn(Lstm(config)) == 260
    assert weights_that_learn(Lstm(small)) == 224
    assert weights_that_learn(study.AsPrinted(config)) == 276  # the paper's numbers
    assert weights_that_learn(study.AsPrinted(small)) == 264
    assert weights_that_learn(study.Recurrent(config.recurrent_units)) == 260
    assert theta_of(Elman(15, 15), nets=1).size == 435 + 15 + 7  # and biases


def test_initial_weights():
    for net in (Lstm(Config()), study.AsPrinted(study.Config())):
        theta = net.initial(np.random.default_rng(0), 30, study.Config())
        W, V = net.weights(theta)
        assert theta.dtype == np.float32
        assert not W[:, :6, BIAS].any()  # cells have no bias
        np.testing.assert_array_equal(W[:, 9:, BIAS], [[-1, -2, -3]] * 30)
        assert 0.1 < np.abs(W[:, 6:9, BIAS]).max() <= 0.2
        W[:, 9:, BIAS] = 0
        assert 0.19 < np.abs(theta).max() <= 0.2 and np.abs(V).max() > 0.19
        assert len({row.tobytes() for row in theta}) == 30


def test_open_output_gates_are_one_and_stay_so():
    net = Lstm(study.Config())
    theta = net.initial(np.random.default_rng(0), 2, study.Config())
    study.open_output_gates(net, theta[1:])
    x, target, _ = er.encode([LOOPS[0], LOOPS[0]])
    trainer = Trainer(net, theta, 0.125, [(["BTBTXSETE"], ["BTBTXSETE"])], study.Config())
    for _ in range(3):
        trainer.learn(theta, trainer.rates, x, target)
        assert (net.gates[:, 1, 1] == 1).all() and (net.gates[:, 0, 1] < 0.6).all()
        assert (net.gates[:, 1, 0] < 0.9).all()
    W = net.weights(theta)[0]
    assert (W[1, 9:, BIAS] == 100).all() and W[0, 9, BIAS] != -1
    untouched = net.initial(np.random.default_rng(0), 2, study.Config())
    np.testing.assert_array_equal(W[1, 9:, :BIAS], net.weights(untouched)[0][1, 9:, :BIAS])


# ---- criterion and training, on hand-worked cases ----


def test_a_step_is_right_if_each_legal_symbol_beats_each_illegal_one():
    legal = np.zeros((1, 7, 4), bool)
    legal[0, [1, 2]] = True
    y = np.full((1, 2, 7, 4), 0.1)
    y[0, 0, 1] = [0.5, 0.5, 0.5, 0.9]
    y[0, 0, 2] = [0.4, 0.05, 0.1, 0.8]  # above all, below one, level with one, above
    y[0, 0, 6, 3] = 0.85  # the best is legal, but an illegal one beats the other
    assert er.right(y, legal)[0].tolist() == [[True, False, False, False], [False] * 4]
    assert er.right(y, np.ones((1, 7, 4), bool)).all()  # beyond the end


class Oracle:
    """A stand-in net that knows the grammar, but errs on the strings of which theta is told.

    theta (N, 1) holds bits: 1 for an error on A, 2 on B, 4 on C; its gradient is -1.
    """

    texts = dict(zip((1, 2, 4), (SHORTEST[0], LOOPS[0], OTHER[0])))

    def forward(self, theta, x):
        T, N, _, B = x.shape
        y = np.full((T, N, 7, B), 0.1)
        for n, b in np.ndindex(N, B):
            steps = int(x[:, n, BIAS, b].sum())
            codes = x[:steps, n, :BIAS, b].argmax(1)
            text = "".join(SYMBOLS[k] for k in codes) + "E"
            for t, after in enumerate(er.legal_successors(text)):
                y[t, n, [SYMBOLS.index(symbol) for symbol in after], b] = 0.9
            for bit, wrong in self.texts.items():
                if text == wrong and int(theta[n, 0]) & bit:
                    y[steps - 2, n, :, b] = 0.5  # the step before the outer symbol
        return y

    def backward(self, d_a):
        return -np.ones((d_a.shape[1], 1))


A, B, C = Oracle.texts.values()


def oracle_trainer(theta, pairs=((A,), (B,)), **settings):
    """Nets that all have one and the same pair of sets."""
    config = replace(THREE, strings=1, **settings)
    theta = np.array(theta, float)[:, None]
    return Trainer(Oracle(), theta, 1.0, [tuple(map(list, pairs))] * 3, config)


def test_solved_means_every_string_of_both_sets():
    trainer = oracle_trainer(range(8))
    assert trainer.passed(np.arange(8)).tolist() == [bits & 3 == 0 for bits in range(8)]
    assert trainer.passed(np.array([4, 7])).tolist() == [True, False]
    many = sorted({*some(0, 1000)} - {A, B, C})
    trainer = oracle_trainer([0, 1, 2, 4], pairs=(many, [*many[:5], A, B]))
    assert len(many) > 2 * er.PORTION
    assert trainer.passed(np.arange(4)).tolist() == [True, False, False, True]


def test_each_net_is_tested_and_trained_on_its_own_pair(monkeypatch):
    pairs = [([A] * 8, [B] * 8), ([B] * 8, [C] * 8), ([C] * 8, [A] * 8)]
    config = replace(THREE, strings=8, max_sequences=20, check_every=10)
    trainer = Trainer(Oracle(), np.full((6, 1), 1.0), 0.0, pairs, config)
    shown = []
    monkeypatch.setattr(Trainer, "learn", lambda self, theta, rates, x, target: shown.append(x))
    trainer.train(np.random.default_rng(0), silent)
    assert trainer.solved.tolist() == [False, True, False] * 2
    assert trainer.sequences.tolist() == [20, 10, 20] * 2
    for x, nets in zip(shown, [range(6)] * 10 + [(0, 2, 3, 5)] * 10):
        lengths = [len((A, B, C)[n % 3]) - 1 for n in nets]
        assert x[:, :, BIAS].sum(0).tolist() == lengths and len(x) == max(lengths)


def test_nets_leave_when_they_have_solved_the_task_and_stay_as_they_were():
    trainer = oracle_trainer([-9, -3, -8, -5], max_sequences=8, check_every=3)
    notes = []
    trainer.train(np.random.default_rng(0), lambda share, text: notes.append(share))
    # a net counts up by one a string: after 3, 6 and 8 strings the last two bits have to be 0
    assert trainer.solved.tolist() == [False, True, True, False]
    assert trainer.sequences.tolist() == [8, 3, 8, 8]
    assert trainer.theta[:, 0].tolist() == [-1, 0, 0, 3] and trainer.running.tolist() == [0, 3]
    assert notes == [3 / 8, 6 / 8, 1]


def test_a_step_descends_the_cross_entropy_of_one_string_at_each_net_s_own_rate():
    net, texts = NETS["lstm"], [SHORTEST[0], LOOPS[0]]
    x, target, _ = er.encode(texts)
    theta = theta_of(net)
    before = theta.copy()
    config = replace(THREE, strings=1)
    trainer = Trainer(net, theta, np.array([0.1, 0.2]), [([A], [A])] * 3, config)
    trainer.learn(theta, trainer.rates, x, target)
    for n, text in enumerate(texts):  # the shorter string, alone, gives the same step
        alone, wanted, _ = (v[:, :, :, None] for v in er.encode([text]))
        d = gradient(net, before[n : n + 1], alone.astype(float), wanted)
        np.testing.assert_allclose((before - theta)[n], 0.1 * (n + 1) * d[0], rtol=1e-5, atol=1e-9)


def test_what_is_descended():
    y, target = np.array([[[0.3, 0.9]]]), np.array([[[0.0, 1.0]]])
    halves = {Trainer: cross_entropy, study.SquaredError: lambda y, t: ((y - t) ** 2).sum() / 2}
    for rule, loss in halves.items():
        given = rule.output_delta(object.__new__(rule), y, target)
        a = np.log(y / (1 - y))
        for k in range(2):
            e = np.eye(2)[k] * 1e-6
            numeric = (loss(sig(a + e), target) - loss(sig(a - e), target)) / 2e-6
            assert given[0, 0, k] == pytest.approx(numeric, rel=1e-6)


def test_no_weight_may_become_infinite():
    trainer = oracle_trainer([0.0], max_sequences=1, check_every=1)
    trainer.rates = np.array([[np.inf]])
    with pytest.raises(FloatingPointError, match="not finite at string 0"):
        trainer.train(np.random.default_rng(0), silent)


def test_summary_on_a_hand_worked_case():
    trainer = oracle_trainer([0, 1, 6, 0])
    trainer.sequences = np.array([10, 40, 20, 30])
    trainer.solved = np.array([True, False, True, True])
    table = er.summary(trainer, [A, B, C, C])
    assert table["solved"] == 0.75 and table["sequences"] == 20 and table["to_budget"] == 25
    assert (table["fewest"], table["most"]) == (10, 30)
    assert table["fresh"] == table["outer"] == pytest.approx((1 + 0.75 + 0.25 + 1) / 4)
    best = er.summary(trainer, [A, B, C, C], groups=2)
    assert best["solved"] == 1 and best["outer"] == pytest.approx(0.875)
    trainer.solved[:] = False
    none = er.summary(trainer, [A, B, C, C])
    assert none["sequences"] is none["fewest"] is none["most"] is None


def test_the_share_of_outer_symbols_looks_at_that_step_alone(monkeypatch):
    fine = np.zeros((17, 3, 2), bool)
    fine[len(A) - 3, :, 0] = True
    fine[:, 2, 1] = True
    monkeypatch.setattr(er, "answers", lambda net, theta, texts: fine)
    trainer = oracle_trainer([0, 1, 2])
    table = er.summary(trainer, [A, B])
    assert table["outer"] == pytest.approx(4 / 6) and table["fresh"] == pytest.approx(1 / 6)


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains and tests."""

    def __init__(self, monkeypatch):
        self.trainers, self.trained, self.examined = [], [], []
        self.starts, self.picks, self.data = [], [], None
        originals = Trainer.__init__, Trainer.learn, Trainer.lap, Trainer.train
        original_init, original_learn, original_lap, original_train = originals
        original_data, original_initial = er.draw_data, Elman.initial
        original_summary, original_passed = er.summary, Trainer.passed

        def state(rng):
            return rng.bit_generator.state["state"]["state"]

        def init(trainer, *arguments):
            original_init(trainer, *arguments)
            self.trainers.append(trainer)

        def learn(trainer, theta, rates, x, target):
            self.trained.append((trainer, trainer.running.copy(), x, target))
            original_learn(trainer, theta, rates, x, target)

        def train(trainer, rng, progress):
            self.starts.append(state(rng))
            original_train(trainer, rng, progress)

        def initial(net, rng, nets, config):
            self.starts.append(state(rng))
            return original_initial(net, rng, nets, config)

        def data(rng, config):
            self.starts.append(state(rng))
            self.data = original_data(rng, config)
            return self.data

        def summary(trainer, fresh, *groups):
            self.examined.append((trainer, fresh, groups))
            return original_summary(trainer, fresh, *groups)

        def passed(trainer, rows):  # LSTM 1 passes its second test, the others never
            original_passed(trainer, rows)
            return (rows == 1) & (trainer.seen == 20) & isinstance(trainer.net, Lstm)

        for module in (er, study):
            monkeypatch.setattr(module, "draw_data", data)
            monkeypatch.setattr(module, "summary", summary)
        monkeypatch.setattr(Elman, "initial", initial)
        for name, spy in (("__init__", init), ("learn", learn), ("train", train)):
            monkeypatch.setattr(Trainer, name, spy)
        monkeypatch.setattr(Trainer, "passed", passed)


@pytest.fixture
def ledger(monkeypatch):
    book = Ledger(monkeypatch)
    book.config = replace(THREE, max_sequences=50, check_every=10, nets=6)
    book.table = run(book.config, 1000, silent)
    return book


def read(x, n):
    """The string (without its last symbol) that net n saw, from x (T, N, 8)."""
    inside = x[:, n, BIAS] == 1
    return "".join(SYMBOLS[k] for k in x[inside, n, :BIAS].argmax(1))


def test_no_evaluated_string_was_trained_on(ledger):
    pairs, fresh = ledger.data
    shown = [{*()} for _ in pairs]
    for _, rows, x, target in ledger.trained:
        for n, row in enumerate(rows):
            text = read(x, n) + "E"
            shown[row % 3].add(text)
            steps = len(text) - 1
            assert "".join(SYMBOLS[k] for k in target[:steps, n].argmax(1)) == text[1:]
    for (training, test), seen in zip(pairs, shown):
        assert seen == set(training) and seen.isdisjoint(test)
        assert not {*training, *test} & set(fresh)
    assert [part[1] for part in ledger.examined] == [fresh, fresh]


def test_no_two_random_streams_start_alike(ledger):
    assert len(ledger.starts) == len(set(ledger.starts)) == 5
    first = ledger.trained[0][0]
    orders = [[read(x, n) for t, rows, x, _ in ledger.trained[:10]] for n in range(6)]
    assert ledger.trained[9][0] is first
    assert len({tuple(order) for order in orders}) == 6  # each net has an order of its own
    other = [x for t, _, x, _ in ledger.trained if t is not first]
    assert [read(x, 0) for x in other[:10]] != orders[0]


def test_elman_nets_have_the_same_sets_budget_and_criterion(ledger):
    lstm, elman = ledger.trainers
    assert lstm.pairs is elman.pairs is ledger.data[0] and lstm.config is elman.config
    assert type(lstm) is type(elman) is Trainer
    assert elman.rates[:, 0] == pytest.approx([0.03, 0.03, 0.1, 0.1, 0.3, 0.3])
    assert elman.pair.tolist() == lstm.pair.tolist() == [0, 1, 2, 0, 1, 2]
    assert lstm.rates[:, 0].tolist() == [0.125] * 6
    assert lstm.sequences.tolist() == [50, 20, 50, 50, 50, 50]
    assert elman.sequences.tolist() == [50] * 6
    for trainer in ledger.trainers:
        shown = sum(len(rows) for t, rows, *_ in ledger.trained if t is trainer)
        assert shown == trainer.sequences.sum()
    assert [part[2] for part in ledger.examined] == [(), (3,)]
    assert (elman.net.units, lstm.net.C, lstm.net.J) == (15, 6, 3)


def test_the_report_is_of_these_nets(ledger):
    lstm, elman = ledger.trainers
    table = ledger.table
    assert [part[0] for part in ledger.examined] == [lstm, elman]
    assert table["lstm"]["solved"] == pytest.approx(1 / 6) and table["lstm"]["sequences"] == 20
    assert table["lstm"]["to_budget"] == 45 and table["elman"]["to_budget"] == 50
    assert table["elman"]["solved"] == 0 and table["lead_over_elman"] == pytest.approx(1 / 6)
    x, y = table["curve"]["x"], table["curve"]["y"]
    assert len(x) == len(y) == 100 and x[-1] == 50
    assert y[38] == 0 and y[39] == y[-1] == pytest.approx(1 / 6)


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    notes = []
    first = run(THREE, 1000, lambda share, text: notes.append(share))
    again, other = run(THREE, 1000, silent), run(THREE, 1001, silent)
    for table in (first, again, other):
        assert table["lstm"].pop("sequences_per_second") > 0  # a timing
    assert first == again != other
    assert notes == sorted(notes) and notes[-1] == 1


# ---- the study ----


def test_the_rows_of_the_study():
    config = study.Config()
    table1, single, printed, recurrent = study.jobs_of(config)
    assert table1[0][-1] == "no_output_gates"
    wanted = np.repeat([0.125, 0.05, 0.025, 0.125], 30)
    np.testing.assert_allclose(table1[2], wanted)
    np.testing.assert_allclose(single[2], np.repeat([0.125, 0.025], 30))
    assert (single[1].C, single[1].J, table1[1].C, table1[1].J) == (4, 4, 6, 3)
    assert type(table1[1]) is type(single[1]) is Lstm
    assert type(printed[1]) is study.AsPrinted and set(printed[2]) == {0.5}
    np.testing.assert_allclose(recurrent[2], np.repeat([0.03, 0.1, 0.3], 10))
    rules = [job[3] for job in (table1, single, printed, recurrent)]
    assert rules == [Trainer, Trainer, study.SquaredError, Trainer]


def test_the_wiring_of_the_study(monkeypatch):
    book = Ledger(monkeypatch)
    config = study.Config(**QUICK | {"max_sequences": 40, "check_every": 20})
    table = study.run(config, 1000, silent)
    own = 4 - 1  # Recurrent has an initial() of its own, which the ledger does not see
    assert len(book.starts) == len(set(book.starts)) == 1 + 4 + own
    assert all(trainer.pairs is book.data[0] for trainer in book.trainers)
    assert [len(trainer.theta) for trainer in book.trainers] == [12, 6, 3, 3]
    opened = book.trainers[0].net.weights(book.trainers[0].theta)[0][:, 9:, BIAS] == 100
    assert opened.all(1).tolist() == [False] * 9 + [True] * 3
    rows = "blocks3_rate05 blocks3_rate02 blocks3_rate01 no_output_gates blocks4_rate05"
    rows = [*rows.split(), "blocks4_rate01", "as_printed", "recurrent"]
    assert [name for name in table if isinstance(table[name], dict)] == rows
    for name in rows:
        assert len(table[name]["sequences_each"]) == len(table[name]["solved_each"]) == 3
    assert table["blocks3_rate05"]["sequences_each"] == [40, 20, 40]
    assert table["blocks3_rate05"]["solved_each"] == [False, True, False]
    assert table["no_output_gates"]["solved"] == table["recurrent"]["solved"] == 0
    assert table["lead_over_recurrent"] == pytest.approx(1 / 3)
    assert table["slowdown_without_output_gates"] == pytest.approx(120 / 100)
    assert [groups for *_, groups in book.examined] == [(1,)] * 7 + [(3,)]
    assert all(fresh is book.data[1] for _, fresh, _ in book.examined)
    shown = {type(t.net): t.sequences.sum() for t in book.trainers}
    assert shown[study.Recurrent] == 120


# ---- bad settings ----


def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--nets: has to be a multiple"):
        Config(nets=31)
    with pytest.raises(ValueError, match="--nets: has to be a multiple"):
        study.Config(nets=30, recurrent_rates=(0.1,) * 4)


@pytest.mark.parametrize(
    "words",
    [["--nets", "4"], ["--strings", "0"], ["--check-every", "0"], ["--learning-rate", "nan"]],
)
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("embedded_reber.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
