"""Tests of the counting languages: task, gradients, both rules, the test, wiring, bad settings."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anbn_anbncn as ab
import numpy as np
import pytest
import study_anbn_anbncn as study
from anbn_anbncn import QUICK, Config, Lstm, OnLine, RecurrentNet, ThroughTime, run, string

SMALL = Config(nets=2, biases=(0.3, 0.5, -0.4), momentum=0.9, learning_rate=0.01)
TINY = Config(**QUICK | {"nets": 3, "strings_ab": 60, "strings_abc": 60, "test_longest": 25})
LOOKS = ab.CHECKS
LENGTHS = np.array([[3, 5], [4, 2], [2, 6]])


def silent(share, text):
    """A progress that nobody sees."""


@pytest.fixture(autouse=True)
def fewer_looks(monkeypatch):
    """Look at the nets four times in a training, to save time."""
    monkeypatch.setattr(ab, "CHECKS", 4)


def sig(a):
    return 1 / (1 + np.exp(-a))


def random_weights(net, nets=2, seed=0):
    return 7 * net.initial(np.random.default_rng(seed), nets)


# ---- slow references: one net, one string, plain loops, the formulas of the paper ----


def unpack(w, K, H):
    D = H + K + 1
    W, p, V = np.split(w, [4 * H * D, 4 * H * D + 3 * H])
    return W.reshape(4, H, D), p.reshape(3, H), V.reshape(K, D)


def slow_lstm(w, K, H, xs, frozen=None, squash=lambda c: c):
    """Read xs (L, K): the outputs' net inputs (L, K), and what gates and peepholes saw.

    `frozen` replaces what the truncated gradient takes as constant: h and c of the step before in
    the net inputs of gates and cells, and the new c at the peephole of the output gate.
    """
    W, p, V = unpack(w, K, H)
    h, c, answers, seen = np.zeros(H), np.zeros(H), [], []
    for t, x in enumerate(xs):
        old_h, old_c = (h, c) if frozen is None else frozen[t][:2]
        z = np.concatenate([old_h, x, [1]])
        i = sig(W[0] @ z + p[0] * old_c)
        f = sig(W[1] @ z + p[1] * old_c)
        c = f * c + i * (W[2] @ z)
        o = sig(W[3] @ z + p[2] * (c if frozen is None else frozen[t][2]))
        h = o * squash(c)
        seen.append((old_h, old_c, c.copy()))
        answers.append(V @ np.concatenate([h, x, [1]]))
    return np.array(answers), seen


def slow_rnn(w, K, G, xs):
    U, V = np.split(w.reshape(G + K, -1), [G])
    h, answers = np.zeros(G), []
    for x in xs:
        h = np.tanh(U @ np.concatenate([h, x, [1]]))
        answers.append(V @ np.concatenate([h, x, [1]]))
    return np.array(answers)


def slow_on_line(w, K, H, ns, rate, momentum):
    """Learn strings on-line, weight by weight: traces, truncated gradient, momentum."""
    w, velocity = w.copy(), np.zeros_like(w)
    W, p, V = unpack(w, K, H)  # views
    for n in ns:
        symbols, targets = string(n, K - 1)
        h, c = np.zeros(H), np.zeros(H)
        trace, trace_p = np.zeros((3, H, H + K + 1)), np.zeros((2, H))
        for symbol, target in zip(symbols, targets):
            x = [1 if k == symbol else -1 for k in range(K)]
            z, old = np.concatenate([h, x, [1]]), c
            i, f = sig(W[0] @ z + p[0] * c), sig(W[1] @ z + p[1] * c)
            g = W[2] @ z
            c = f * old + i * g
            o = sig(W[3] @ z + p[2] * c)
            for k in range(H):
                trace[0, k] = f[k] * trace[0, k] + g[k] * i[k] * (1 - i[k]) * z
                trace[1, k] = f[k] * trace[1, k] + old[k] * f[k] * (1 - f[k]) * z
                trace[2, k] = f[k] * trace[2, k] + i[k] * z
                trace_p[0, k] = f[k] * trace_p[0, k] + g[k] * i[k] * (1 - i[k]) * old[k]
                trace_p[1, k] = f[k] * trace_p[1, k] + old[k] * f[k] * (1 - f[k]) * old[k]
            h = o * c
            z_out = np.concatenate([h, x, [1]])
            y = 4 * sig(V @ z_out) - 2
            d = (target - y) * (1 - y * y / 4)
            d_h = [d @ V[:, k] for k in range(H)]
            gradient = np.zeros_like(w)
            dW, dp, dV = unpack(gradient, K, H)
            dV[:] = np.outer(d, z_out)
            for k in range(H):
                dW[:3, k] = d_h[k] * o[k] * trace[:, k]
                dp[:2, k] = d_h[k] * o[k] * trace_p[:, k]
                dW[3, k] = d_h[k] * o[k] * (1 - o[k]) * c[k] * z
                dp[2, k] = d_h[k] * o[k] * (1 - o[k]) * c[k] * c[k]
            velocity = momentum * velocity + rate * gradient
            w += velocity
    return w


def slow_reach(answer, letters, longest):
    """The number of strings in a row that are accepted; answer(xs) gives net inputs (L, K)."""
    for n in range(1, longest + 1):
        symbols, target = string(n, letters)
        if ((answer(ab.code(symbols, letters)) > 0) != (target > 0)).any():
            return n - 1
    return longest


def squared_error(net, target):
    """Half the squared error of y = 4 sig(net) - 2."""
    return 0.5 * ((4 * sig(net) - 2 - target) ** 2).sum()


def cross_entropy(net, target):
    return -np.log(sig(net * target)).sum()


def central_differences(objective, w, step=1e-5):
    numeric = np.zeros_like(w)
    for k in range(len(w)):
        up, down = w.copy(), w.copy()
        up[k] += step
        down[k] -= step
        numeric[k] = (objective(up) - objective(down)) / (2 * step)
    return numeric


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def gradients_of(net, rule, w, lengths):
    """Let a rule read strings without learning: its gradients (steps, P, N)."""
    kept = []
    training = rule(net, w.copy(), 0.0, SMALL)
    training.update = lambda gradient: kept.append(gradient.copy())
    training.look = lambda share: training.curve.append(0)
    training.train(lengths, silent)
    return np.array(kept)


# ---- gradients and learning ----

CASES = {
    "two cells": (Lstm(3, 2, SMALL.biases), OnLine, lambda c: c, squared_error),
    "one cell": (Lstm(2, 1, SMALL.biases), OnLine, lambda c: c, squared_error),
    "tanh": (study.Squashed(3, 2, SMALL.biases), OnLine, np.tanh, squared_error),
    "logistic": (Lstm(3, 2, SMALL.biases), study.CrossEntropy, lambda c: c, cross_entropy),
}


@pytest.mark.parametrize("name", CASES)
def test_truncated_gradient_is_that_of_the_error_with_recurrent_inputs_frozen(name):
    net, rule, squash, loss = CASES[name]
    w = random_weights(net)
    kept = gradients_of(net, rule, w, LENGTHS)
    strings = 0
    for k in range(2):
        begin = 0
        for n in LENGTHS[:, k]:
            symbols, target = string(n, net.K - 1)
            end = begin + len(symbols)
            if end > len(kept):
                continue
            xs = ab.code(symbols, net.K - 1)
            _, frozen = slow_lstm(w[:, k], net.K, net.H, xs, None, squash)

            def error(v, xs=xs, frozen=frozen, target=target):
                return loss(slow_lstm(v, net.K, net.H, xs, frozen, squash)[0], target)

            numeric = -central_differences(error, w[:, k])
            assert relative_error(kept[begin:end, :, k].sum(0), numeric) <= 1e-6
            begin, strings = end, strings + 1
    assert strings >= 4


def test_without_peepholes_nothing_flows_through_them():
    net = study.Blind(3, 2, SMALL.biases)
    w = random_weights(net)
    kept = gradients_of(net, OnLine, w, LENGTHS)
    peepholes = slice(net.parts[0], net.parts[1])
    assert not kept[:, peepholes].any() and kept[:, : net.parts[0]].any(1).all()
    zeroed = w.copy()
    zeroed[peepholes] = 0
    expected = gradients_of(Lstm(3, 2, SMALL.biases), OnLine, zeroed, LENGTHS)
    np.testing.assert_allclose(np.delete(kept - expected, np.r_[peepholes], 1), 0, atol=1e-14)


@pytest.mark.parametrize("letters, cells", [(2, 1), (3, 2)])
def test_learning_on_line_is_the_slow_rule_symbol_by_symbol(letters, cells):
    net = Lstm(letters, cells, SMALL.biases)
    w = random_weights(net) / 2
    ns = np.array([[3, 4], [4, 2], [2, 3]])  # both nets read as many symbols
    training = OnLine(net, w.copy(), SMALL.learning_rate, SMALL)
    training.train(ns, silent)
    for k in range(2):
        slow = slow_on_line(w[:, k], net.K, net.H, ns[:, k], 0.01, 0.9)
        np.testing.assert_allclose(training.w[:, k], slow, rtol=1e-9, atol=1e-12)
    assert np.abs(training.w - w).max() > 0.05


def test_plain_net_s_gradient_is_that_of_the_error_of_its_string():
    net, config = RecurrentNet(3, 5), replace(SMALL, longest=6, band=7)
    w = random_weights(net)
    training = ThroughTime(net, w.copy(), 0.0, config)
    kept = []
    training.update = lambda gradient: kept.append(gradient.copy())
    training.train(LENGTHS, silent)
    assert len(kept) == 3
    for gradient, ns in zip(kept, LENGTHS):
        for k in range(2):
            symbols, target = string(ns[k], 3)
            xs = ab.code(symbols, 3)

            def error(v, xs=xs, target=target):
                return squared_error(slow_rnn(v, 4, 5, xs), target)

            numeric = -central_differences(error, w[:, k])
            assert relative_error(gradient[:, k], numeric) <= 1e-6
    # the error that the rates are chosen by is that of the last tenth of the strings: of the last
    symbols = [string(n, 3) for n in LENGTHS[-1]]
    for k, (s, target) in enumerate(symbols):
        expected = squared_error(slow_rnn(w[:, k], 4, 5, ab.code(s, 3)), target)
        assert training.error[k] == pytest.approx(expected)


def test_adam_s_first_two_steps():
    net = RecurrentNet(3, 1)
    training = ThroughTime(net, np.zeros((30, 2)), np.array([0.1, 0.2]), SMALL)
    training.train(np.zeros((0, 2), int), silent)
    one, two = 0.5, -0.25
    training.update(np.full((30, 2), one))
    np.testing.assert_allclose(training.w, [[0.1, 0.2]] * 30, rtol=1e-6)
    training.update(np.full((30, 2), two))
    mean = (0.9 * 0.1 * one + 0.1 * two) / (1 - 0.9**2)
    square = (0.99 * 0.01 * one**2 + 0.01 * two**2) / (1 - 0.99**2)
    step = mean / np.sqrt(square)
    np.testing.assert_allclose(training.w, [[0.1 + 0.1 * step, 0.2 + 0.2 * step]] * 30, rtol=1e-6)


def test_the_nets_that_are_compared():
    config = Config()
    one, two = Lstm(2, config.cells_ab, config.biases), Lstm(3, config.cells_abc, config.biases)
    w = two.initial(np.random.default_rng(0), 4)
    assert one.initial(np.random.default_rng(0), 4).shape == (38, 4)  # the paper's numbers
    assert w.shape == (90, 4) == RecurrentNet(3, 5).initial(np.random.default_rng(0), 4).shape
    W, p, V = two.views(w)
    assert (W[[0, 1, 3], :, -1] == np.reshape([-1, 2, -2], (3, 1, 1))).all()
    others = np.concatenate([W[:, :, :-1].ravel(), W[2].ravel(), p.ravel(), V.ravel()])
    assert 0.098 < np.abs(others).max() <= 0.1 and len(np.unique(others)) > 4 * 80
    assert (config.learning_rate, config.momentum, config.nets) == (3e-5, 0.99, 32)


# ---- choosing the weights ----


def test_the_kept_weights_are_the_latest_of_the_best(monkeypatch):
    readings = iter([[3, 0], [10, 0], [9, 0], [10, 12], [4, 20]])
    monkeypatch.setattr(ab, "reach", lambda net, w, longest: np.array(next(readings)))
    training = OnLine(None, np.zeros((1, 2)), 1.0, replace(SMALL, longest=10))
    for k in range(5):
        training.w[:] = k
        training.look((k + 1) / 5)
    assert training.kept.tolist() == [[3, 4]] and training.best.tolist() == [10, 20]
    assert training.learned.tolist() == [0.4, 0.8]
    assert training.curve == [1.5, 5, 4.5, 11, 12]
    training.w[0, 1] = np.nan
    with pytest.raises(FloatingPointError, match="nan after 60%"):
        training.look(0.6)


def test_the_looks_divide_training_evenly(monkeypatch):
    monkeypatch.setattr(ab, "CHECKS", LOOKS)
    training = OnLine(None, np.zeros((1, 2)), 1.0, SMALL)
    events = []
    training.look = lambda share: (events.append(share), training.curve.append(0))
    for k in training.loop(600, silent):
        events.append(k)
    assert [e for e in events if isinstance(e, int)] == list(range(600))
    assert events[10] == 1 / 60 and events[-1] == 1 and len(events) == 660


# ---- the task ----


def test_strings_spelt_by_hand():
    symbols, targets = string(2, 2)
    assert symbols.tolist() == [0, 1, 1, 2, 2]
    assert (targets > 0).astype(int).tolist() == [
        [1, 0, 0],
        [1, 1, 0],
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    symbols, targets = string(2, 3)
    assert symbols.tolist() == [0, 1, 1, 2, 2, 3, 3] and set(targets.ravel()) == {1, -1}
    options = ["".join(np.array(list("abcT"))[row > 0]) for row in targets]
    assert options == ["a", "ab", "ab", "b", "c", "c", "T"]
    assert ab.code(np.array([0, 2]), 3).tolist() == [[1, -1, -1, -1], [-1, -1, 1, -1]]


def test_the_text_is_the_strings_one_after_the_other():
    x, target, goes_on = ab.text(LENGTHS, 3)
    assert len(x) == len(target) == len(goes_on) == min(3 * LENGTHS.sum(0) + 3)
    for k in range(2):
        symbols = np.concatenate([string(n, 3)[0] for n in LENGTHS[:, k]])[: len(x)]
        targets = np.concatenate([string(n, 3)[1] for n in LENGTHS[:, k]])[: len(x)]
        np.testing.assert_array_equal(x[:, :, k], ab.code(symbols, 3))
        np.testing.assert_array_equal(target[:, :, k], targets)
        np.testing.assert_array_equal(goes_on[:, k], symbols != 0)


@pytest.mark.parametrize("letters", [2, 3])
def test_the_last_symbols_do_not_tell_what_comes_next(letters):
    """A window of the last three symbols cannot tell the last letter of a run from others."""
    seen = {}
    for n in range(4, 11):
        symbols, targets = string(n, letters)
        for t in range(2, len(symbols)):
            seen.setdefault(tuple(symbols[t - 2 : t + 1]), set()).add(tuple(targets[t]))
    several = [window for window, answers in seen.items() if len(answers) > 1]
    assert several == [(k, k, k) for k in range(2, letters + 1)]


# ---- the test of a net ----


def counter(leak=0.0, threshold=0.5):
    """Weights of a cell that adds 1 for a and takes off 1 for b, and keeps 1 - leak of the rest."""

    def row(count, s, a, b):
        """Weights of z = [h, S, a, b, 1] for count * h, plus s after S, a after a, b after b."""
        return [count, s / 2, a / 2, b / 2, (s + a + b) / 2]

    net = Lstm(2, 1, (60.0, 60.0, 60.0))
    w = np.zeros((38, 1))
    W, _, V = net.views(w)
    W[[0, 1, 3], 0, -1] = 60  # open gates
    if leak:
        W[1, 0, -1] = np.log((1 - leak) / leak)
    W[2, 0, :, 0] = row(0, 0, 1, -1)
    V[0, :, 0] = row(0, 1, 1, -1)  # a is possible after S and a
    V[1, :, 0] = row(1, -9999, 9999, -threshold)  # b after a, and as long as the count is positive
    V[2, :, 0] = row(-1, -9999, -9999, threshold)  # then the end
    return net, w


def test_a_perfect_counter_is_accepted_up_to_the_end_of_the_test():
    net, w = counter()
    assert slow_reach(lambda xs: slow_lstm(w[:, 0], 3, 1, xs)[0], 2, 30) == 30
    assert ab.reach(net, w, 300).tolist() == [300]


def test_reach_is_the_slow_test_of_one_string_after_another():
    net = counter()[0]
    leaks = (0.003, 0.01, 0.03, 0.08)
    w = np.concatenate([counter(leak, 0.4)[1] for leak in leaks], axis=1)
    w = np.concatenate([w, random_weights(net, 2, 3)], axis=1)
    expected = [
        slow_reach(lambda xs, k=k: slow_lstm(w[:, k], 3, 1, xs)[0], 2, 40) for k in range(6)
    ]
    assert len(set(expected)) >= 4 and max(expected) > 10
    assert ab.reach(net, w, 40).tolist() == expected == ab.examine(net, w, 40).tolist()
    assert ab.reach(net, w, 5).tolist() == np.minimum(expected, 5).tolist()


def test_advance_is_the_slow_net_on_the_second_language():
    for net, slow in (
        (Lstm(3, 2, SMALL.biases), lambda w, xs: slow_lstm(w, 4, 2, xs)[0]),
        (
            study.Squashed(3, 2, SMALL.biases),
            lambda w, xs: slow_lstm(w, 4, 2, xs, None, np.tanh)[0],
        ),
        (RecurrentNet(3, 5), lambda w, xs: slow_rnn(w, 4, 5, xs)),
    ):
        w, xs = random_weights(net), ab.code(string(6, 3)[0], 3)
        state = net.rest((2,))
        for t, x in enumerate(xs):
            answer, state = net.advance(net.views(w), x[:, None], state)
            for k in range(2):
                np.testing.assert_allclose(answer[:, k], slow(w[:, k], xs)[t], atol=1e-12)


class Oracle:
    """Knows what may come next, but for one output after one symbol of the string of n = 4."""

    K = 4

    def __init__(self, place, output):
        self.place, self.output = place, output

    def views(self, w):
        return w

    def rest(self, nets):
        n = np.broadcast_to(np.arange(1, nets[-1] + 1), nets)
        return np.stack([n, np.zeros(nets, int)])  # n, symbols read

    def advance(self, views, x, state):
        answers = np.empty((4, *state.shape[1:]))
        for net, column in np.ndindex(state.shape[1:]):
            n, t = state[:, net, column]
            symbols, targets = string(n, 3)
            np.testing.assert_array_equal(x[:, 0, column], ab.code(symbols, 3)[t])
            answers[:, net, column] = targets[t]
            if n == 4 and t == self.place:
                answers[self.output, net, column] *= -1
        return answers, state + [[[0]], [[1]]]


@pytest.mark.parametrize("output", range(4))
def test_one_wrong_output_after_any_symbol_refuses_the_string(output):
    w = np.zeros((1, 2))
    for place in range(13):
        assert ab.reach(Oracle(place, output), w, 7).tolist() == [3, 3]
    assert ab.reach(Oracle(13, output), w, 7).tolist() == [7, 7]


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains, looks at and tests."""

    def __init__(self, monkeypatch, config):
        self.read, self.trained, self.looks, self.tests = [], [], [], []
        self.starts, self.trainings = [], []
        originals = ab.text, ThroughTime.train, ab.reach, ab.examine, np.random.default_rng
        text, train, reach, examine, default_rng = originals

        def spy_text(lengths, letters):
            self.read.append(lengths.copy())
            return text(lengths, letters)

        def spy_train(training, lengths, progress):
            self.trained.append(lengths.copy())
            train(training, lengths, progress)

        def spy_reach(net, w, longest):
            self.looks.append(longest)
            return reach(net, w, longest)

        def spy_examine(net, w, longest):
            looks = len(self.looks)
            n1 = examine(net, w, longest)
            del self.looks[looks:]
            self.tests.append((net, w.copy(), longest, n1))
            return n1

        def spy_rng(sequence):
            rng = default_rng(sequence)
            self.starts.append(rng.bit_generator.state["state"]["state"])
            return rng

        def spy_init(training, *arguments):
            init(training, *arguments)
            self.trainings.append(training)

        def spy_look(training, share):
            look(training, share)
            training.kept += 0.001  # so that what is kept differs from what is trained

        init, look = ab.Training.__init__, ab.Training.look
        monkeypatch.setattr(ab.Training, "look", spy_look)
        monkeypatch.setattr(ab, "text", spy_text)
        monkeypatch.setattr(ThroughTime, "train", spy_train)
        monkeypatch.setattr(ab, "reach", spy_reach)
        monkeypatch.setattr(ab, "examine", spy_examine)
        monkeypatch.setattr(np.random, "default_rng", spy_rng)
        monkeypatch.setattr(ab.Training, "__init__", spy_init)
        self.table = run(config, 1000, silent)


@pytest.fixture
def ledger(monkeypatch):
    return Ledger(monkeypatch, TINY)


def test_training_ends_at_ten_and_the_choice_of_weights_at_the_band(ledger):
    for lengths in ledger.read + ledger.trained:
        assert set(lengths.ravel()) == set(range(1, 11))
    assert set(ledger.looks) == {20} and len(ledger.looks) == 3 * 4
    assert [longest for _, _, longest, _ in ledger.tests] == [25] * 3
    for training, (net, w, *_) in zip(ledger.trainings, ledger.tests):
        assert net is training.net and np.isin(w, training.kept).all()
    for training, (_, w, *_) in zip(ledger.trainings[:2], ledger.tests):
        np.testing.assert_array_equal(w, training.kept)
        assert not np.isin(w, training.w).any()


def test_no_two_streams_start_alike_and_each_net_has_its_own_strings(ledger):
    assert len(ledger.starts) == len(set(ledger.starts)) == 5
    ab_lengths, abc_lengths = ledger.read
    for lengths in ledger.read:
        assert lengths.shape == (60, 3) and len({tuple(net) for net in lengths.T}) == 3
    assert not np.array_equal(ab_lengths, abc_lengths)


def test_every_draw_has_its_own_generator(monkeypatch):
    used = []
    for kind in (Lstm, RecurrentNet):
        original = kind.initial

        def initial(net, rng, nets, original=original):
            used.append(rng)
            return original(net, rng, nets)

        monkeypatch.setattr(kind, "initial", initial)
    original_train = ab.train_lstm

    def train_lstm(net, rule, init, text, *rest):
        used.append(text)
        return original_train(net, rule, init, text, *rest)

    monkeypatch.setattr(ab, "train_lstm", train_lstm)
    run(TINY, 1000, silent)
    assert len(used) == 5 == len({id(rng) for rng in used})


def test_the_plain_nets_read_the_strings_of_the_lstms(ledger):
    (lengths,) = ledger.trained
    np.testing.assert_array_equal(lengths, np.tile(ledger.read[1], 2))
    rnn = ledger.trainings[2]
    assert rnn.rates.tolist() == [0.003] * 3 + [0.01] * 3
    assert rnn.w.shape == (90, 6) and rnn.updates == 60
    assert len({tuple(w) for w in rnn.kept.T}) == 6


@pytest.mark.parametrize("better", [0, 1])
def test_the_rate_of_the_plain_nets_is_chosen_in_training(monkeypatch, better):
    tested = []

    def train(training, lengths, progress):
        training.kept[:] = np.arange(6)
        training.learned[:] = np.arange(6) / 10
        training.error = np.where(np.arange(6) // 3 == better, 1.0, 2.0)

    def examine(net, w, longest):
        tested.append(w)
        return np.array([10, 20, 33])

    monkeypatch.setattr(ThroughTime, "train", train)
    monkeypatch.setattr(ab, "examine", examine)
    table = run(TINY, 1000, silent)
    assert tested[2][0].tolist() == [3 * better, 3 * better + 1, 3 * better + 2]
    assert table["rnn"]["strings_to_learn"] == pytest.approx(60 * (0.1 + 0.3 * better))
    assert table["solved"] == 1 and table["lead"]["over_rnn"] == 0


def test_the_metrics_are_those_of_the_test(monkeypatch):
    results = iter([np.array([9, 10, 300]), np.array([4, 50, 60]), np.array([1, 2, 0])])
    monkeypatch.setattr(ab, "examine", lambda *_: next(results))
    table = run(TINY, 1000, silent)
    assert table["ab"] | {"strings_to_learn": 0} == {
        "mean_n1": pytest.approx(319 / 3),
        "worst_n1": 9,
        "best_n1": 300,
        "strings_to_learn": 0,
    }
    assert table["abc"]["mean_n1"] == 38 and table["rnn"]["best_n1"] == 2
    assert table["solved"] == pytest.approx(4 / 6)
    assert table["lead"]["over_rnn"] == pytest.approx(np.log10(38))
    assert table["curve"]["x"] == [15, 30, 45, 60] and len(table["curve"]["y"]) == 4


def test_summary_and_lead_by_hand():
    row = ab.summary(np.array([3, 12, 30]), np.array([np.nan, 200.0, 400.0]))
    assert row == {"mean_n1": 15, "worst_n1": 3, "best_n1": 30, "strings_to_learn": 300}
    assert ab.summary(np.array([3]), np.array([np.nan]))["strings_to_learn"] is None
    assert ab.lead(np.array([100, 300]), np.array([1, 3])) == pytest.approx(2)
    assert ab.lead(np.array([5, 5]), np.array([0, 0])) == pytest.approx(1)


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    notes = []
    first = run(TINY, 1000, lambda share, text: notes.append(share))
    again = run(TINY, 1000, silent)
    for table in (first, again):
        assert table["abc"].pop("strings_per_second") > 0  # a timing
    assert first == again
    assert notes == sorted(notes) and notes[-1] == 1
    one, two = (Lstm(3, 2, TINY.biases) for _ in range(2))
    trained = []
    for net, seed in ((one, 0), (two, 1)):
        init, text = np.random.default_rng(seed).spawn(2)
        training, _ = ab.train_lstm(net, OnLine, init, text, 60, TINY, silent)
        trained.append(training.w)
    assert not np.array_equal(*trained)


# ---- the study ----


def test_the_rows_of_the_study():
    config = study.Config()
    rows = study.rows_of(config)
    assert list(rows) == ["abc", "blind", "squashed", "logistic", "open", "abc40"]
    kinds = {name: type(net) for name, (net, *_) in rows.items()}
    assert kinds == dict.fromkeys(rows, Lstm) | {"blind": study.Blind, "squashed": study.Squashed}
    rules = {name: rule for name, (_, rule, *_) in rows.items()}
    assert rules == dict.fromkeys(rows, OnLine) | {"logistic": study.CrossEntropy}
    assert {strings for _, _, strings, _ in rows.values()} == {20_000}
    for name, (net, _, _, settings) in rows.items():
        assert (net.K, net.H, net.parts[-1]) == (4, 2, 90)
        assert net.biases == ((0, 2, 0) if name in ("open", "abc40") else (-1, 2, -2))
        longer = {"nets": 10, "longest": 40, "band": 60, "learning_rate": 1e-5}
        assert settings == replace(config, **longer if name == "abc40" else {})


def test_the_study_s_rows_use_different_streams_and_report_their_nets(monkeypatch):
    starts, lengths_read = [], []
    original_initial, original_text = Lstm.initial, ab.text

    def initial(net, rng, nets):
        starts.append(rng.bit_generator.state["state"]["state"])
        return original_initial(net, rng, nets)

    def text(lengths, letters):
        lengths_read.append(lengths)
        return original_text(lengths, letters)

    monkeypatch.setattr(Lstm, "initial", initial)
    monkeypatch.setattr(ab, "text", text)
    given = iter(np.arange(1, 25).reshape(6, 4))
    monkeypatch.setattr(study, "examine", lambda net, w, longest: next(given)[: w.shape[1]])
    small = study.QUICK | {"nets": 4, "strings_abc": 60, "long_strings": 60}
    table = study.run(study.Config(**small), 1000, silent)
    assert len(set(starts)) == 6 == len({lengths[:, 0].tobytes() for lengths in lengths_read})
    assert [lengths.max() for lengths in lengths_read] == [10] * 5 + [40]
    assert table["blind"]["n1_each"] == [5, 6, 7, 8] and table["abc40"]["n1_each"] == [21, 22]
    assert table["squashed"]["solved"] == 0.75 and table["abc40"]["solved"] == 0
    assert table["lead"]["over_blind"] == pytest.approx(np.log10(2.5 / 6.5))
    assert table["lead"]["over_squashed"] == pytest.approx(np.log10(2.5 / 10.5))


# ---- bad settings ----


def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--biases: needs 3 numbers"):
        Config(biases=(1.0, 2.0))
    with pytest.raises(ValueError, match="--band"):
        Config(band=10)
    with pytest.raises(ValueError, match="--band"):
        Config(test_longest=20)


@pytest.mark.parametrize(
    "words",
    [
        ["--nets", "0"],
        ["--learning-rate", "nan"],
        ["--momentum", "1"],
        ["--biases", "0", "2"],
        ["--band", "7"],
    ],
)
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("anbn_anbncn.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
