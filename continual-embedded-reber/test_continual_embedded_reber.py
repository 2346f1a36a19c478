"""Tests of the endless Reber strings: grammar, gradient, training, test, wiring, bad settings."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import continual_embedded_reber as cer
import numpy as np
import pytest
import study_continual_embedded_reber as study
from continual_embedded_reber import KINDS, QUICK, SYMBOLS, Config, Lstm, Trainer, build
from continual_embedded_reber import embedded_reber, read_on, run, run_lengths

SMALL = Config(nets=1, blocks=3, cells=2, weight_range=0.8, streams=4, chunk=25)
GRAMMAR, BARE = embedded_reber(), embedded_reber(marks=False)


def silent(share, text):
    """A progress that nobody sees."""


def coins(T, N, B, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (T, N, B), np.uint8)


def spell(x):
    """The letters of one stream's x (T, 8)."""
    return "".join(SYMBOLS[k] for k in x[:, :7].argmax(1))


# ---- the task, against a second description of it ----

INNER = {  # Reber's grammar, letter by letter: node -> {letter: node}
    0: {"T": 1, "P": 2},
    1: {"S": 1, "X": 3},
    2: {"T": 2, "V": 4},
    3: {"X": 2, "S": 5},
    4: {"P": 3, "V": 5},
}


def follow_by_hand(text, marks):
    """Read a stream; return the legal successors after each letter, and each string's length."""
    legal, lengths, place, length, first, node = [], [], "between", 0, "", 0
    for letter in text:
        length += 1
        if place == "between":
            assert not marks or letter == "B"
            place = "first" if marks else "opened"
            first = letter
        elif place == "first":
            place, first = "opened", letter
        elif place == "opened":
            assert letter == "B"
            place, node = "inside", 0
        elif place == "inside" and node == 5:
            assert letter == "E"
            place = "again"
        elif place == "inside":
            node = INNER[node][letter]
        elif place == "again":
            assert letter == first
            place = "last" if marks else "over"
        else:
            assert letter == "E"
            place = "over"
        if place == "over":
            lengths.append(length)
            place, length = "between", 0
        legal.append(
            {
                "between": {"B"} if marks else {"T", "P"},
                "first": {"T", "P"},
                "opened": {"B"},
                "inside": set(INNER[node]) if node < 5 else {"E"},
                "again": {first},
                "last": {"E"},
            }[place]
        )
    return legal, lengths


@pytest.mark.parametrize("grammar, marks", [(GRAMMAR, True), (BARE, False)])
def test_streams_and_targets_against_a_second_description(grammar, marks):
    x, target, nodes = read_on(grammar, np.zeros((2, 3), np.intp), coins(3000, 2, 3))
    assert x.shape == (3000, 8, 2, 3) and target.shape == (2, 7, 3000, 3)
    assert x.dtype == target.dtype == np.float32
    assert (x[:, 7] == 1).all() and (x[:, :7].sum(1) == 1).all()
    for n, b in np.ndindex(2, 3):
        text = spell(x[:, :, n, b])
        legal, lengths = follow_by_hand(text, marks)
        for t, letters in enumerate(legal):
            assert {SYMBOLS[k] for k in np.flatnonzero(target[n, :, t, b])} == letters
        starts = np.flatnonzero(nodes[:-1, n, b] == 0)
        np.testing.assert_array_equal(np.diff(starts), lengths[: len(starts) - 1])
        again = grammar.outer[nodes[1:, n, b]]  # the first T or P has to come next
        assert again.sum() == pytest.approx(len(lengths), abs=1)
        assert all(len(legal[t]) == 1 and min(legal[t]) in "TP" for t in np.flatnonzero(again))


def test_how_long_strings_are_and_that_coins_are_fair():
    x, _, nodes = read_on(GRAMMAR, np.zeros((1, 20), np.intp), coins(6000, 1, 20, 3))
    lengths = np.concatenate([np.diff(np.flatnonzero(nodes[:-1, 0, b] == 0)) for b in range(20)])
    assert lengths.min() == 9 and lengths.mean() == pytest.approx(12, abs=0.2)
    assert (lengths > 24).mean() == pytest.approx(0.01, abs=0.004)
    text = "".join(spell(x[:, :, 0, b]) for b in range(20))
    assert text.count("BTB") / text.count("BPB") == pytest.approx(1, abs=0.06)


def test_a_stream_read_in_two_parts():
    fall = coins(50, 2, 3)
    x, target, nodes = read_on(GRAMMAR, np.zeros((2, 3), np.intp), fall)
    _, _, first = read_on(GRAMMAR, np.zeros((2, 3), np.intp), fall[:17])
    later, later_target, _ = read_on(GRAMMAR, first[-1], fall[17:])
    np.testing.assert_array_equal(later, x[17:])
    np.testing.assert_array_equal(later_target, target[:, :, 17:])
    np.testing.assert_array_equal(first, nodes[:18])


def test_the_last_letter_does_not_tell_the_first_again():
    x, target, nodes = read_on(GRAMMAR, np.zeros((1, 50), np.intp), coins(2000, 1, 50))
    at = GRAMMAR.outer[nodes[1:, 0]]  # (T, B)
    assert set(x[:, :7, 0].argmax(1)[at]) == {SYMBOLS.index("E")}
    wanted = target[0].transpose(1, 2, 0)[at]  # (strings, 7), either T or P
    assert wanted[:, SYMBOLS.index("T")].mean() == pytest.approx(0.5, abs=0.03)
    assert (wanted.sum(1) == 1).all()


# ---- the network, against the paper's formulas in plain loops ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def slow_lstm(W, V, config, letters, leak, frozen=None, start=None):
    """Run one net over one stream; leak gives what is kept at each step, None a forget gate.

    Returns outputs, what the units saw (their letters, bias, cells), and the cell states.
    """
    J, S = config.blocks, config.cells
    C = J * S
    s, y = (np.zeros(C), np.zeros(C)) if start is None else (start[0].copy(), start[1].copy())
    outputs, zs, states = [], [], []
    for t, letter in enumerate(letters):
        z = np.concatenate([letter, y]) if frozen is None else frozen[t]
        a = W @ z
        for c in range(C):
            j = c % J
            i, o, f = (sig(a[C + part * J + j]) for part in range(3))
            s[c] = (f if leak is None else leak[t]) * s[c] + i * (4 * sig(a[c]) - 2)
            y[c] = o * (2 * sig(s[c]) - 1)
        outputs.append(sig(V @ np.concatenate([letter, y])))
        zs.append(z)
        states.append(s.copy())
    return np.array(outputs), np.array(zs), np.array(states)


def example(B=3, T=25, seed=1):
    """One net of each kind in float64, with streams that go on from a random state."""
    net = build(SMALL, KINDS)
    theta = net.initial(np.random.default_rng(seed), 4, SMALL).astype(float)
    net.weights(theta)[0][:, net.C :, 7] += 0.3
    x, target, nodes = read_on(GRAMMAR, np.zeros((4, B), np.intp), coins(T, 4, B, seed))
    state = np.random.default_rng(seed).normal(size=net.empty(B).shape)
    return net, theta, x.astype(float), target.astype(float), nodes[:-1] == 0, state


def leak_of(n, fresh):
    return [None, np.ones(len(fresh)), np.full(len(fresh), np.float32(0.9)), 1.0 - fresh][n]


def slow_outputs(net, theta, x, fresh, state, n, b, frozen=None):
    W, V = (part[0] for part in net.weights(theta[[n]]))
    start = 2 * state[0, :, n, b], state[1, :, n, b]  # the net holds states at half their size
    return slow_lstm(W, V, SMALL, x[:, :, n, b], leak_of(n, fresh[:, n, b]), frozen, start)


def test_each_kind_is_the_cell_of_the_paper():
    net, theta, x, _, fresh, state = example()
    y, after = net.forward(theta, x, fresh, state)
    for n, b in np.ndindex(4, 3):
        slow, _, states = slow_outputs(net, theta, x, fresh, state, n, b)
        np.testing.assert_allclose(y[n, :, :, b].T, slow, atol=1e-12)
        held = 2 * net.s[1:, :, :, n, b].reshape(len(states), -1)
        np.testing.assert_allclose(held, states, atol=1e-12)
        np.testing.assert_allclose(2 * after[0, :, n, b], states[-1], atol=1e-12)


def test_truncated_gradient_of_every_weight_with_frozen_recurrent_inputs():
    net, theta, x, target, fresh, state = example(B=2, T=14)
    y, _ = net.forward(theta, x, fresh, state)
    analytic = net.backward((y - target) * y * (1 - y))
    assert np.abs(analytic).max() > 0.1
    zs = {(n, b): slow_outputs(net, theta, x, fresh, state, n, b)[1] for n, b in np.ndindex(4, 2)}

    def loss(theta, n):
        return sum(
            np.sum(
                (
                    slow_outputs(net, theta, x, fresh, state, n, b, zs[n, b])[0]
                    - target[n, :, :, b].T
                )
                ** 2
            )
            / 2
            for b in range(2)
        )

    picks = np.random.default_rng(0).permutation(theta.shape[1])[:90]
    cell_bias = np.arange(net.C) * net.F + 7
    forget = np.arange((net.C + 2 * net.J) * net.F, net.G * net.F)
    for n in range(4):
        for p in np.setdiff1d(picks, cell_bias):
            up, down = theta.copy(), theta.copy()
            up[n, p] += 1e-5
            down[n, p] -= 1e-5
            numeric = (loss(up, n) - loss(down, n)) / 2e-5
            assert analytic[n, p] == pytest.approx(numeric, rel=1e-6, abs=1e-8)
        assert not analytic[n, cell_bias].any()  # cells have no bias
        assert analytic[n, forget].any() == (n == 0)


def test_without_recurrent_weights_nothing_is_cut_off():
    net, theta, x, target, fresh, state = example()
    W, _ = net.weights(theta)
    W[:, :, 8:] = 0
    y, _ = net.forward(theta, x, fresh, state)
    analytic, recurrent = net.backward((y - target) * y * (1 - y)), np.zeros(W.shape, bool)
    recurrent[:, :, 8:] = recurrent[:, : net.C, 7] = True
    for p in np.flatnonzero(~np.concatenate([recurrent[0].ravel(), np.zeros(7 * net.F, bool)])):
        both = []
        for step in (1e-5, -1e-5):
            moved = theta.copy()
            moved[:, p] += step
            both.append(((net.forward(moved, x, fresh, state)[0] - target) ** 2).sum((1, 2, 3)) / 2)
        np.testing.assert_allclose(analytic[:, p], (both[0] - both[1]) / 2e-5, rtol=1e-5, atol=1e-8)


def test_a_chunk_is_part_of_a_longer_one_and_a_net_stands_alone():
    net, theta, x, target, fresh, state = example()
    whole, end = net.forward(theta, x, fresh, state)
    gradient = net.backward(whole - target)
    first, middle = net.forward(theta, x[:11], fresh[:11], state)
    second, after = net.forward(theta, x[11:], fresh[11:], middle)
    np.testing.assert_allclose(np.concatenate([first, second], 2), whole, atol=1e-12)
    np.testing.assert_allclose(after, end, atol=1e-12)
    for n in range(4):
        alone = Lstm(SMALL, net.leak[[n]], net.resets[[n]])
        y, _ = alone.forward(theta[[n]], x[:, :, [n]], fresh[:, [n]], state[:, :, [n]])
        np.testing.assert_allclose(y[0], whole[n], atol=1e-12)
        np.testing.assert_allclose(alone.backward(y - target[[n]])[0], gradient[n], atol=1e-12)


def test_the_nets_have_the_weights_of_the_paper():
    config = Config()
    net = build(config, KINDS)
    theta = net.initial(np.random.default_rng(0), 40, config)
    W, V = net.weights(theta)
    assert W[0].size - net.C + V[0].size == 424 and theta.dtype == np.float32
    np.testing.assert_array_equal(W[:, :8, 7], 0)
    wanted = [-0.5, -1, -1.5, -2, -0.5, -1, -1.5, -2, 0.5, 1, 1.5, 2]
    np.testing.assert_allclose(W[:, 8:, 7], np.tile(wanted, (40, 1)))
    W[:, :, 7] = 0
    assert 0.19 < np.abs(W).max() <= 0.2 and 0.19 < np.abs(V).max() <= 0.2
    np.testing.assert_array_equal(net.leak, np.repeat(np.float32([np.nan, 1, 0.9, 1]), 10))
    np.testing.assert_array_equal(net.resets, np.repeat([0, 0, 0, 1], 10))


# ---- training, on hand-worked cases ----


class Scripted:
    """A stand-in net: its outputs are off by what a script (updates, N, T, B) says."""

    def __init__(self, off, slope=(1.0, -2.0)):
        self.off, self.slope, self.log, self.deltas = np.array(off, float), slope, [], []

    def empty(self, streams):
        return np.zeros((2, 1, self.off.shape[1], streams))

    def forward(self, theta, x, fresh, state):
        self.log.append((theta.copy(), x.copy(), fresh.copy(), state.copy()))
        target = self.target(x)
        self.y = np.abs(target - self.off[len(self.log) - 1][:, None])
        return self.y, np.ones_like(state)

    def target(self, x):
        return self.wanted.pop(0)

    def backward(self, d_a):
        self.deltas.append(d_a)
        return np.tile(np.float64(self.slope), (len(d_a), 1))


def follow(monkeypatch, off, slope=(1.0, -2.0), fall=None, **settings):
    """Step a Trainer through a script from weights 0; return trainer and net."""
    net = Scripted(off, slope)
    updates, N, T, B = net.off.shape
    net.wanted = []
    original = cer.read_on

    def read(*arguments):
        parts = original(*arguments)
        net.wanted.append(parts[1].astype(float))
        return parts

    monkeypatch.setattr(cer, "read_on", read)
    config = replace(Config(nets=N, chunk=T, streams=B, chunks=updates), **settings)
    trainer = Trainer(net, np.zeros((N, 2)), GRAMMAR, config)
    for k in range(updates):
        trainer.step(coins(T, N, B, k) if fall is None else fall[k])
    return trainer, net


def test_a_wrong_prediction_ends_the_stream_and_so_does_age(monkeypatch):
    off = np.full((3, 2, 4, 3), 0.1)
    off[0, 0, 2, 1] = 0.49  # at the bound is wrong
    off[0, 1, 3, 2] = 0.4899
    trainer, net = follow(monkeypatch, off, stream_symbols=8)
    _, _, fresh, state = net.log[1]
    ended = np.zeros((2, 3), bool)
    ended[0, 1] = True
    assert fresh[0, ended].all() and not fresh[0, ~ended].any()
    np.testing.assert_array_equal(state[0, 0] == 0, ended)
    np.testing.assert_array_equal(state[1, 0] == 1, ~ended)
    _, _, fresh, state = net.log[2]  # the others are 8 symbols old by now, this one is 4
    np.testing.assert_array_equal(state[0, 0] == 0, ~ended)
    assert fresh[0, ~ended].all() and not fresh[0, ended].any()
    np.testing.assert_allclose(trainer.right, [[2 / 3, 1], [1, 1], [1, 1]])
    np.testing.assert_array_equal(trainer.age, np.where(ended, 0, 4))


def test_nothing_is_learned_from_what_follows_a_wrong_prediction(monkeypatch):
    off = np.full((1, 2, 6, 2), 0.2)
    off[0, 0, [2, 4], 1] = 0.6
    trainer, net = follow(monkeypatch, off)
    learned = (net.deltas[0] != 0).all(1)  # (N, T, B)
    assert learned[0, :3, 1].all() and learned[1].all() and learned[0, :, 0].all()
    assert not net.deltas[0][0, :, 3:, 1].any()
    np.testing.assert_allclose(trainer.right, [[0.5, 1]])


def test_streams_go_on_where_they_were(monkeypatch):
    _, net = follow(monkeypatch, np.full((4, 1, 5, 2), 0.1), stream_symbols=10**6)
    text = spell(np.concatenate([x[:, :, 0, 1] for _, x, _, _ in net.log]))
    legal, _ = follow_by_hand(text, True)
    assert len(legal) == 20 and text.startswith("B")


def test_what_is_descended(monkeypatch):
    trainer, net = follow(monkeypatch, np.full((1, 1, 3, 2), 0.3))
    y, delta = net.y, net.deltas[0]
    target = np.where(np.abs(y - 0.3) < 1e-9, 0.0, 1.0)
    a, e = np.log(y / (1 - y)), 1e-6
    numeric = ((sig(a + e) - target) ** 2 - (sig(a - e) - target) ** 2) / (4 * e) / 2
    np.testing.assert_allclose(delta, numeric, rtol=1e-6)  # half the squared error, mean of two


def test_adam_and_its_falling_step(monkeypatch):
    rates = {"learning_rate": 0.1, "final_rate": 0.001}
    trainer, _ = follow(monkeypatch, np.full((4, 1, 2, 1), 0.1), **rates)
    steps = 0.1 * 0.01 ** (np.arange(4) / 4)  # a constant gradient moves each weight by the step
    np.testing.assert_allclose(trainer.theta, [[-steps.sum(), steps.sum()]], rtol=1e-6)
    trainer, net = follow(monkeypatch, np.full((1, 1, 2, 1), 0.1), slope=(0.5, 0.0), **rates)
    net.off, net.slope = np.full((2, 1, 2, 1), 0.1), (-0.25, 0.0)
    trainer.config = replace(trainer.config, chunks=2)
    trainer.step(coins(2, 1, 1))
    mean = (0.9 * 0.1 * 0.5 - 0.1 * 0.25) / (1 - 0.9**2)
    square = (0.98 * 0.02 * 0.25 + 0.02 * 0.0625) / (1 - 0.98**2)
    assert trainer.theta[0, 0] == pytest.approx(-0.1 - 0.01 * mean / square**0.5, rel=1e-6)


def test_the_kinds_read_the_same_coins(monkeypatch):
    off = np.full((1, 4, 6, 3), 0.1)
    _, net = follow(monkeypatch, off, fall=[coins(6, 2, 3)])
    x = net.log[0][1]
    np.testing.assert_array_equal(x[:, :, :2], x[:, :, 2:])
    assert not np.array_equal(x[:, :, 0], x[:, :, 1])


def test_divergence_is_reported(monkeypatch):
    with pytest.raises(FloatingPointError, match="loss is nan at update 1"):
        follow(monkeypatch, [np.full((1, 2, 1), 0.1), np.full((1, 2, 1), np.nan)])


# ---- the test, on hand-worked cases ----


def play(monkeypatch, fails, symbols, bound=0.49, off=0.49):
    """Test stand-in nets that fail at the steps `fails` {(net, stream): steps}; return lengths."""
    clock, calls = [0], []
    original = cer.read_on
    wanted = []

    def read(grammar, node, fall):
        parts = original(grammar, node, fall)
        wanted.append(parts[1])
        return parts

    class Player(Lstm):
        def forward(self, theta, x, fresh, state):
            names = theta[:, 0].astype(int)
            y = np.abs(wanted[-1] - 0.1)
            for (n, b), steps in fails.items():
                for t in np.atleast_1d(steps) - clock[0]:
                    if n in names and 0 <= t < len(x):
                        row = list(names).index(n)
                        y[row, 2, t, b] = abs(wanted[-1][row, 2, t, b] - off)
            calls.append((names.tolist(), fresh.copy(), x.copy(), state.copy()))
            clock[0] += len(x)
            return y, state + 1

    monkeypatch.setattr(cer, "read_on", read)
    monkeypatch.setattr(cer, "Lstm", Player)
    config = Config(nets=2, test_streams=3, test_symbols=symbols, bound=bound)
    net = build(config, ("forget", "standard"))
    theta = np.arange(4.0)[:, None] * np.ones((1, 5))
    return run_lengths(net, theta, np.random.default_rng(0), GRAMMAR, config), calls


def test_run_lengths_and_who_leaves(monkeypatch):
    fails = {(0, 0): 0, (0, 1): 7, (0, 2): 99, (2, 1): 100, (3, 0): 5, (3, 1): 205, (3, 2): 299}
    length, calls = play(monkeypatch, fails, 400)
    np.testing.assert_array_equal(
        length, [[0, 7, 99], [400, 400, 400], [400, 100, 400], [5, 205, 299]]
    )
    assert [names for names, *_ in calls] == [[0, 1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2]]
    assert all((state == k).all() for k, (*_, state) in enumerate(calls))
    x = [calls[k][2] for k in range(3)]
    np.testing.assert_array_equal(x[0][:, :, :2], x[0][:, :, 2:])  # kinds read the same streams
    np.testing.assert_array_equal(x[1][:, :, 0], x[1][:, :, 2])  # nets 1 and 3, in the second block
    for b in range(3):
        text = spell(
            np.concatenate([part[:, :, -3 if k == 0 else 0, b] for k, part in enumerate(x)])
        )
        follow_by_hand(text, True)  # the stream of net 1 goes on from block to block


def test_run_lengths_counts_the_first_error_and_no_more_than_asked(monkeypatch):
    length, _ = play(monkeypatch, {(0, 0): [249], (1, 2): 250, (2, 1): [130, 170, 205]}, 250)
    assert length.tolist() == [[249, 250, 250], [250] * 3, [250, 130, 250], [250] * 3]
    length, _ = play(monkeypatch, {(0, 0): 10}, 100, off=0.4899)  # below the bound is right
    assert (length == 100).all()


def test_summary_on_a_hand_worked_case():
    config = Config(test_symbols=5000)
    length = np.array([[5000, 5000], [2000, 0], [5000, 3], [1, 2]])
    row = cer.summary(length, np.array([1.0, 2.0, 4.0, 5.0]), config)
    assert row == {"good": 0.5, "perfect": 0.25, "median": 1001.5, "state": 3}


def test_the_state_that_is_reported_grows_in_standard_cells():
    config = Config(nets=1, test_streams=3)
    net = build(config, KINDS)
    theta = np.tile(net.initial(np.random.default_rng(0), 1, config), (4, 1))
    W, _ = net.weights(theta)
    W[:] = 0  # gates stay half open, and with T as input the cells are offered g
    W[:, :8, SYMBOLS.index("T")] = 2.0
    state = cer.fill(net, theta, np.random.default_rng(0), GRAMMAR, config)
    assert state[1] > 20 * state[0] and state[1] > 100
    seen = np.stack([net.s[1:, :, :, n].mean() for n in range(4)])
    np.testing.assert_allclose(state, 2 * seen, rtol=1e-4)  # all states are positive here
    assert state[3] < state[2] < state[1]


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() reads, trains and tests."""

    def __init__(self, monkeypatch, module, config, seed=1000):
        self.trained, self.tested, self.starts, self.lengths, self.trainers = [], [], [], [], []
        phase = ["train"]
        original_read, original_init = cer.read_on, Trainer.__init__
        original_test, original_fill, original_draw = cer.run_lengths, cer.fill, Lstm.initial

        def read(grammar, node, fall):
            (self.trained if phase[0] == "train" else self.tested).append((phase[0], fall.copy()))
            return original_read(grammar, node, fall)

        def init(trainer, net, theta, grammar, config):
            phase[0] = "train"
            self.trainers.append((trainer, theta.copy(), grammar))
            original_init(trainer, net, theta, grammar, config)

        def test(net, theta, rng, *rest):
            phase[0] = "test"
            self.starts.append(rng.bit_generator.state["state"]["state"])
            self.lengths.append((theta.copy(), original_test(net, theta, rng, *rest)))
            return self.lengths[-1][1]

        def fill(net, theta, rng, *rest):
            phase[0] = "fill"
            self.starts.append(rng.bit_generator.state["state"]["state"])
            return original_fill(net, theta, rng, *rest)

        def draw(net, rng, nets, config):
            self.starts.append(rng.bit_generator.state["state"]["state"])
            return original_draw(net, rng, nets, config)

        original_train = Trainer.train

        def train(trainer, data, progress):
            self.starts.append(data.bit_generator.state["state"]["state"])
            original_train(trainer, data, progress)

        for place in {cer, module}:
            monkeypatch.setattr(place, "run_lengths", test)
            monkeypatch.setattr(place, "fill", fill)
        monkeypatch.setattr(cer, "read_on", read)
        monkeypatch.setattr(Trainer, "__init__", init)
        monkeypatch.setattr(Trainer, "train", train)
        monkeypatch.setattr(Lstm, "initial", draw)
        self.config = config
        self.table = module.run(config, seed, silent)


@pytest.fixture
def ledger(monkeypatch):
    return Ledger(monkeypatch, cer, Config(**QUICK | {"chunks": 12, "stream_symbols": 72}))


def test_no_tested_stream_was_trained_on_and_no_two_streams_start_alike(ledger):
    assert len(ledger.starts) == len(set(ledger.starts)) == 4
    assert [len(part) for _, part in ledger.trained] == [36] * 12
    starts = [
        part[:30, n, b].tobytes()
        for part in (ledger.trained[0][1], ledger.tested[0][1], ledger.tested[-20][1])
        for n, b in np.ndindex(2, part.shape[2])
    ]
    assert len(starts) == len(set(starts)) == 2 * (8 + 10 + 10)
    later = [part.tobytes() for _, part in ledger.trained]
    assert len(set(later)) == 12
    assert {name for name, _ in ledger.tested} == {"test", "fill"}


def test_the_kinds_start_alike_and_see_as_many_symbols_of_the_same_streams(ledger):
    ((trainer, start, grammar),) = ledger.trainers
    assert start.shape == (8, 432)
    np.testing.assert_array_equal(start, np.tile(start[:2], (4, 1)))
    assert not np.array_equal(start[0], start[1])
    for _, part in ledger.trained:
        assert part.shape == (36, 8, 8)
        np.testing.assert_array_equal(part, np.tile(part[:, :2], (1, 4, 1)))
    assert trainer.updates == 12 and grammar.legal.shape == GRAMMAR.legal.shape
    assert all((row != 0).any() for row in trainer.theta - start)
    assert len({row.tobytes() for row in trainer.theta[:6]}) == 6  # resets matter later on
    np.testing.assert_array_equal(ledger.lengths[0][0], trainer.theta)


def test_the_metrics_are_those_of_the_test(monkeypatch):
    length = np.zeros((8, 10), np.int64)
    length[0], length[1, :9], length[4], length[6:] = 1000, 1000, 1000, 1000
    monkeypatch.setattr(cer, "GOOD", 890)
    monkeypatch.setattr(cer, "run_lengths", lambda *_: length)
    monkeypatch.setattr(cer, "fill", lambda *_: np.arange(8.0))
    table = run(Config(**QUICK | {"chunks": 12}), 1000, silent)
    assert {kind: table[kind]["good"] for kind in KINDS} == {
        "forget": 1, "standard": 0, "decay": 0.5, "reset": 1
    }  # fmt: skip
    assert [table[kind]["perfect"] for kind in KINDS] == [0.5, 0, 0.5, 1]
    assert [table[kind]["state"] for kind in KINDS] == [0.5, 2.5, 4.5, 6.5]
    assert table["lead"] == {"over_standard": 1, "over_decay": 0.5, "of_reset": 1}
    assert table["symbols_per_second"] > 0


def test_the_curve_is_that_of_the_nets_with_forget_gates(ledger):
    ((trainer, _, _),) = ledger.trainers
    right = np.array(trainer.right)
    assert right.shape == (12, 8)
    np.testing.assert_allclose(ledger.table["curve"]["y"], right[:, :2].mean(1))
    assert ledger.table["curve"]["x"] == (36 * 8 * np.arange(1, 13)).tolist()


def test_a_long_run_has_a_hundred_points():
    notes = []
    config = Config(**QUICK | {"chunks": 250, "nets": 1, "streams": 1, "chunk": 4})
    curve = run(config, 1000, lambda share, text: notes.append(share))["curve"]
    assert len(curve["x"]) == len(curve["y"]) == 100 and curve["x"][-1] == 1000
    assert notes == sorted(notes) and notes[-1] == 1


def test_runs_repeat_but_for_the_timing_and_depend_on_the_seed():
    config = Config(**QUICK)
    tables = [run(config, seed, silent) for seed in (1000, 1000, 1001)]
    for table in tables:
        table.pop("symbols_per_second")
    assert tables[0] == tables[1] != tables[2]


def test_learning_on_a_small_scale():
    config = Config(nets=2, chunks=400)
    trainer = cer.train(config, ("forget",), GRAMMAR, np.random.SeedSequence(1000), silent)
    length = run_lengths(trainer.net, trainer.theta, np.random.default_rng(0), GRAMMAR, config)
    assert length.mean() > 5  # it has begun to learn the inner grammar


# ---- the study ----


def test_the_rows_of_the_study():
    config = study.Config()
    (kinds, names, grammar, settings), bare = study.rows_of(config)
    assert kinds == names == ("forget", "standard") and len(grammar.follow) == 20
    assert settings == replace(config, chunks=3 * config.chunks, test_symbols=1_000_000)
    assert bare[:2] == (("forget",), ("bare",)) and len(bare[2].follow) == 17
    assert bare[3] == config
    assert {name: getattr(config, name) for name in vars(Config())} == vars(Config())


def test_the_study_s_wiring(monkeypatch):
    config = study.Config(**study.QUICK | {"chunks": 4})
    book = Ledger(monkeypatch, study, config)
    assert len(book.starts) == len(set(book.starts)) == 8
    assert [len(grammar.follow) for *_, grammar in book.trainers] == [20, 17]
    assert [trainer.updates for trainer, *_ in book.trainers] == [12, 4]
    table = book.table
    assert list(table) == ["forget", "standard", "bare", "lead"]
    both = table["forget"]["lengths"] + table["standard"]["lengths"]
    assert both == book.lengths[0][1].ravel().tolist() and len(both) == 40
    assert table["bare"]["lengths"] == book.lengths[1][1].ravel().tolist()


def test_the_study_s_metrics(monkeypatch):
    config = study.Config(**study.QUICK | {"chunks": 4})

    def test(net, theta, rng, grammar, settings):
        length = np.full((len(theta), 10), settings.test_symbols)
        length[1:4, 3] = 0
        length[2:4] //= 2
        return length

    monkeypatch.setattr(cer, "GOOD", 499)
    monkeypatch.setattr(study, "run_lengths", test)
    table = study.run(config, 1000, silent)
    assert table["forget"]["perfect_1e6"] == 0.5 and table["standard"]["perfect_1e6"] == 0
    assert table["forget"]["streams_right"] == 0.95 and table["bare"]["streams_right"] == 0.95
    assert table["forget"]["good"] == 1 and table["standard"]["good"] == 0
    assert table["bare"]["good"] == 0.5 and table["bare"]["perfect"] == 0.5
    assert table["lead"] == {"of_forget": 1, "of_bare": 0.5}


# ---- bad settings ----


@pytest.mark.parametrize(
    "words",
    [["--nets", "0"], ["--chunk", "1"], ["--learning-rate", "nan"], ["--leak", "1.5"]],
)
def test_bad_settings_end_in_one_line(words):
    script = Path(__file__).with_name("continual_embedded_reber.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
