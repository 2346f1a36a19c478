"""Tests of the adding problem: gradients, task, learning rule, stop criterion, bad input."""
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from adding_problem import (QUICK, Config, Lstm, TanhRnn, decode, predict, rnn_trial, run, score, sequences, study,
                            train)
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = Config(T=22, init_range=0.7, input_gate_bias=(-0.5, -1.0), hidden=5)
FORGET = replace(SMALL, forget_gate=True)


# ---- slow references: one net, one sequence, plain loops, the paper's formulas ----

def sig(a):
    return 1 / (1 + np.exp(-a))


def slow_lstm(theta, config, pairs, frozen=None):
    """Output, z vectors (T, 3 + G) and cell states of the 1997 cell. `frozen` replaces the z vectors."""
    J, S = config.blocks, config.cells
    C, G = J * S, J * S + (3 if config.forget_gate else 2) * J
    W, v = theta[:G * (3 + G)].reshape(G, 3 + G), theta[G * (3 + G):]
    activations, state, zs, states = np.zeros(G), np.zeros(C), [], []
    for t, (value, mark) in enumerate(pairs):
        z = np.concatenate([[value, mark, 1], activations]) if frozen is None else frozen[t]
        zs.append(z)
        a = W @ z
        for c in range(C):
            j = c // S
            keep = sig(a[C + 2 * J + j]) if config.forget_gate else 1.0
            state[c] = keep * state[c] + sig(a[C + j]) * (4 * sig(a[c]) - 2)
        y = [sig(a[C + J + c // S]) * (2 * sig(state[c]) - 1) for c in range(C)]
        activations = np.concatenate([y, sig(a[C:])])
        states.append(state.copy())
    return sig(v[:-1] @ activations[:C] + v[-1]), np.array(zs), np.array(states)


def slow_rnn(theta, config, pairs):
    H = config.hidden
    W, v = theta[:H * (3 + H)].reshape(H, 3 + H), theta[H * (3 + H):]
    h = np.zeros(H)
    for value, mark in pairs:
        h = np.tanh(W @ np.concatenate([[value, mark, 1], h]))
    return sig(v[:-1] @ h + v[-1])


def loss(y, target, config):
    if config.loss == "squared":
        return 0.5 * (y - target) ** 2
    return -target * np.log(y) - (1 - target) * np.log(1 - y)


def sample(config, nets=2, batch=6, seed=1):
    """Sequences of all lengths, in float64."""
    x, start, target, _ = sequences(np.random.default_rng(seed), nets, batch, config)
    assert len(np.unique(start)) > 1
    return x.astype(float), start, target.astype(float)


def central_differences(net, objective, step=1e-5):
    """d objective() / d theta for every parameter; objective gives one number per net."""
    numeric = np.zeros_like(net.theta)
    for p in range(net.theta.shape[1]):
        old = net.theta[:, p].copy()
        net.theta[:, p] = old + step
        up = objective()
        net.theta[:, p] = old - step
        numeric[:, p] = (up - objective()) / (2 * step)
        net.theta[:, p] = old
    return numeric


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


# ---- networks ----

@pytest.mark.parametrize("config", [SMALL, FORGET, replace(SMALL, blocks=3, cells=1, input_gate_bias=(0.0,) * 3)])
def test_lstm_forward_is_the_paper_s_cell_on_unpadded_sequences(config):
    x, start, _ = sample(config)
    net = Lstm(np.random.default_rng(0), 2, config, np.float64)
    y = net.forward(x, start)
    for n, b in np.ndindex(y.shape):
        slow, _, states = slow_lstm(net.theta[n], config, x[start[n, b]:, n, :, b])
        assert y[n, b] == pytest.approx(slow, abs=1e-12)
        np.testing.assert_allclose(net.state[1 + start[n, b]:, n, :, b], states, atol=1e-12)
        assert not net.state[:1 + start[n, b], n, :, b].any()


def test_rnn_forward_on_unpadded_sequences():
    x, start, _ = sample(SMALL)
    net = TanhRnn(np.random.default_rng(0), 2, SMALL, dtype=np.float64)
    y = net.forward(x, start)
    for n, b in np.ndindex(y.shape):
        assert y[n, b] == pytest.approx(slow_rnn(net.theta[n], SMALL, x[start[n, b]:, n, :, b]), abs=1e-12)


@pytest.mark.parametrize("loss_name", ["squared", "cross-entropy"])
@pytest.mark.parametrize("base", [SMALL, FORGET])
def test_truncated_gradient_with_frozen_recurrent_inputs(base, loss_name):
    config = replace(base, loss=loss_name)
    x, start, target = sample(config, nets=1, batch=4)
    net = Lstm(np.random.default_rng(0), 1, config, np.float64)
    analytic = net.backward(net.forward(x, start) - target)
    pairs = [x[start[0, b]:, 0, :, b] for b in range(4)]
    frozen = [slow_lstm(net.theta[0], config, p)[1] for p in pairs]

    def objective():
        ys = [slow_lstm(net.theta[0], config, p, z)[0] for p, z in zip(pairs, frozen)]
        return np.mean([loss(y, t, config) for y, t in zip(ys, target[0])])
    assert relative_error(analytic, central_differences(net, objective)) <= 1e-6


@pytest.mark.parametrize("loss_name", ["squared", "cross-entropy"])
@pytest.mark.parametrize("base", [SMALL, FORGET])
def test_full_bptt_is_the_gradient_of_the_loss(base, loss_name):
    config = replace(base, gradient="full", loss=loss_name)
    x, start, target = sample(config)
    net = Lstm(np.random.default_rng(0), 2, config, np.float64)
    analytic = net.backward(net.forward(x, start) - target)
    numeric = central_differences(net, lambda: loss(net.forward(x, start), target, config).mean(1))
    assert relative_error(analytic, numeric) <= 1e-6


@pytest.mark.parametrize("loss_name", ["squared", "cross-entropy"])
def test_rnn_bptt_is_the_gradient_of_the_loss(loss_name):
    config = replace(SMALL, loss=loss_name)
    x, start, target = sample(config)
    net = TanhRnn(np.random.default_rng(0), 2, config, dtype=np.float64)
    analytic = net.backward(net.forward(x, start) - target)
    numeric = central_differences(net, lambda: loss(net.forward(x, start), target, config).mean(1))
    assert relative_error(analytic, numeric) <= 1e-6


def test_flow_is_constant_along_an_isolated_carousel():
    config = replace(SMALL, gradient="full")
    x, start, target = sample(config)
    net = Lstm(np.random.default_rng(0), 2, config, np.float64)
    net.W[:, :, 3:] = 0  # without recurrent weights only the carousel carries error back
    net.backward(net.forward(x, start) - target)
    full, flow = net.delta.copy(), net.flow[1:].copy()
    np.testing.assert_allclose(flow, np.broadcast_to(flow[-1], flow.shape), rtol=1e-12)
    net.config = SMALL
    net.backward(net.y - target)
    np.testing.assert_allclose(net.delta, full, atol=1e-15)


def test_the_net_of_the_paper():
    net = Lstm(np.random.default_rng(0), 3, Config())
    assert net.theta.shape == (3, 93)
    np.testing.assert_array_equal(net.W[:, 4:6, 2], [[-3, -6]] * 3)
    others = np.delete(net.theta, [4 * 11 + 2, 5 * 11 + 2], axis=1)
    assert np.abs(others).max() <= 0.1 and np.abs(others).max() > 0.09
    assert TanhRnn(np.random.default_rng(0), 1, Config()).theta.shape == (1, 97)


def test_nets_in_lock_step_are_independent():
    x, start, target = sample(SMALL, nets=3)
    together = Lstm(np.random.default_rng(0), 3, SMALL, np.float64)
    gradient = together.backward(together.forward(x, start) - target)
    alone = Lstm(np.random.default_rng(9), 1, SMALL, np.float64)
    alone.theta[:] = together.theta[1]
    one = alone.backward(alone.forward(x[:, 1:2], start[1:2]) - target[1:2])
    np.testing.assert_allclose(one[0], gradient[1], rtol=1e-10, atol=1e-15)


def test_prediction_in_chunks():
    x, start, _ = sample(SMALL, nets=1, batch=23)
    net = Lstm(np.random.default_rng(0), 2, SMALL, np.float64)
    whole = net.forward(x, start)
    states = net.state[-1].copy()
    y, chunked = predict(net, x, start, chunk=5)
    np.testing.assert_allclose(y, whole, atol=1e-14)
    np.testing.assert_allclose(chunked, states, atol=1e-14)


# ---- the task ----

@settings(max_examples=60, deadline=None)
@given(T=st.integers(22, 150), nets=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_sequences_against_a_slow_oracle(T, nets, seed):
    x, start, target, addends = sequences(np.random.default_rng(seed), nets, 16, Config(T=T))
    assert x.dtype == np.float32 and x.shape == (T + T // 10, nets, 2, 16)
    for n in range(nets):
        for b in range(16):
            assert not x[:start[n, b], n, :, b].any()
            values, marks = x[start[n, b]:, n, 0, b], x[start[n, b]:, n, 1, b]
            assert T <= len(values) <= T + T // 10
            assert np.abs(values).max() <= 1 and np.count_nonzero(values) >= len(values) - 1  # 0 is a rare draw
            assert marks[0] == marks[-1] == -1 and set(marks[1:-1]) <= {0.0, 1.0}
            marked = np.flatnonzero(marks == 1)
            assert 1 <= len(marked) <= 2  # one is hidden when it falls on the first pair
            assert marked[0] < 10 or len(marked) == 1
            assert marked[-1] <= T // 2 - 2
            assert len(values) - 1 - marked[-1] >= T // 2  # the minimal lag
            assert target[n, b] == pytest.approx(0.5 + values[marked].sum() / 4, abs=1e-6)
            assert addends[:, n, b].sum() == pytest.approx(values[marked].sum(), abs=1e-6)


def test_where_marks_and_lengths_fall():
    T = 40
    x, start, target, addends = sequences(np.random.default_rng(0), 1, 40_000, Config(T=T))
    length = T + T // 10 - start[0]
    assert np.bincount(length, minlength=T + 5)[T:] == pytest.approx(8000, rel=0.05) and length.min() == T
    column = np.arange(40_000)
    marks = np.stack([x[start[0] + k, 0, 1, column] for k in range(T)])
    values = np.stack([x[start[0] + k, 0, 0, column] for k in range(T)])
    two = (marks == 1).sum(0) == 2
    p, q = np.argmax(marks == 1, 0)[two], T - 1 - np.argmax(marks[::-1] == 1, 0)[two]
    assert set(p) == set(range(1, 10)) and q.max() == T // 2 - 2  # the first of the two may be in any of ten places
    # P(first pair hidden) = 1/10 for the first mark + 9/10 x 1/(T/2 - 2) for the second
    assert (~two).mean() == pytest.approx(0.1 + 0.9 / (T / 2 - 2), rel=0.05)
    assert ((addends == 0).any(0)[0] == ~two).all()
    assert (addends[0, 0] == 0).mean() == pytest.approx(0.1, rel=0.06)
    late = q >= 10  # then p is the first mark
    assert (addends[0, 0][two][late] == values[p, np.flatnonzero(two)][late]).all()
    assert (addends[1, 0][two][late] == values[q, np.flatnonzero(two)][late]).all()
    assert values.std() == pytest.approx(1 / np.sqrt(3), rel=0.01) and abs(values.mean()) < 0.01
    assert abs(target.mean() - 0.5) < 0.01


@settings(max_examples=30, deadline=None)
@given(T=st.integers(22, 100), seed=st.integers(0, 2**32 - 1))
def test_the_modern_task(T, seed):
    x, start, target, _ = sequences(np.random.default_rng(seed), 1, 8, Config(T=T, modern=True))
    assert len(x) == T and not start.any()
    for b in range(8):
        marked = np.flatnonzero(x[:, 0, 1, b])
        assert len(marked) == 2 and marked[0] < T // 2 <= marked[1] and (x[marked, 0, 1, b] == 1).all()
        assert target[0, b] == pytest.approx(0.5 + x[marked, 0, 0, b].sum() / 4, abs=1e-6)


def test_reference_levels_of_the_brief():
    x, _, target, addends = sequences(np.random.default_rng(3), 1, 200_000, Config(T=100, modern=True))
    constant = score(np.full_like(target, 0.5), target[0], Config())
    assert constant["rms"][0] ** 2 == pytest.approx(1 / 24, rel=0.01)
    assert 1 - constant["wrong"][0] / 200_000 == pytest.approx(0.153, abs=0.005)
    one = score(0.5 + addends[1] / 4, target[0], Config())
    assert one["rms"][0] ** 2 == pytest.approx(1 / 48, rel=0.01) and one["r2"][0] == pytest.approx(0.5, abs=0.01)


# ---- learning rule and stop criterion, on hand-worked cases ----

class Scripted:
    """A stand-in net: its |errors| follow a script, its gradient is constant; it notes theta at each forward."""

    def __init__(self, errors, gradient=((1.0, -2.0),)):
        self.errors, self.slope, self.k, self.log = np.array(errors, float), np.array(gradient), 0, []
        self.theta = np.zeros((len(self.slope), 2))

    def forward(self, x, start):
        self.log.append(self.theta.copy())
        self.k += 1
        return self.errors[self.k - 1]

    def backward(self, error):
        return self.slope.copy()


def train_scripted(net, **changes):
    settings_ = {"batch": net.errors.shape[2], "rule": "sgd", "learning_rate": 1.0, "anneal_power": 0.0, "average": 0.0,
                 "clip": 1e9, "settle": 0, "window": 4, "max_sequences": net.errors.shape[0] * net.errors.shape[2]}
    return train(net, lambda: (None, None, np.zeros(net.errors.shape[1:]), None), Config(**settings_ | changes))


def test_stop_criterion_needs_a_full_window_of_right_answers():
    good, bad = 0.001, 0.05
    net = Scripted([[[e]] for e in (good, bad, good, good, good, good, good)])
    out = train_scripted(net)
    assert out["met"].all() and out["to_stop"] == 6  # the bad second one leaves the ring with the sixth
    assert len(net.log) == 6
    np.testing.assert_allclose(net.theta, [[-5, 10]])  # the criterion was met before a sixth update
    net = Scripted([[[good]]] * 3)
    assert not train_scripted(net)["met"].any()  # three are not four


def test_stop_criterion_counts_sequences_of_a_batch_that_does_not_divide_the_window():
    net = Scripted([[[0.05, 0, 0]], [[0, 0, 0]], [[0, 0, 0]]])
    out = train_scripted(net)
    assert out["to_stop"] == 6 and out["met"].all()


def test_stop_criterion_s_two_bounds():
    assert not train_scripted(Scripted([[[0.02]]] * 9))["met"].any()  # all right, but the mean is not below 0.01
    assert not train_scripted(Scripted([[[0.04]], [[0]], [[0]], [[0]]]), stop_error=0.5)["met"].any()  # |e| < 0.04
    assert not train_scripted(Scripted([[[-0.05]], [[0]], [[0]], [[0]]]), stop_error=0.5)["met"].any()
    assert train_scripted(Scripted([[[-0.0399]], [[0]], [[0]], [[0]]]))["met"].all()


def test_a_net_that_met_the_criterion_is_left_alone():
    net = Scripted([[[0], [1]]] * 6, gradient=((1.0, 1.0), (1.0, 1.0)))
    out = train_scripted(net, average=0.5)
    np.testing.assert_array_equal(out["to_stop"], [4, 6])
    np.testing.assert_array_equal(out["met"], [True, False])
    np.testing.assert_allclose([theta[:, 0] for theta in net.log[3:]], [[-3, -3], [-3, -4], [-3, -5]])
    np.testing.assert_allclose(net.theta[0], [-2.125, -2.125])  # 0.5 x 3 + 0.25 x 2 + 0.125 x 1


def test_settling_goes_on_for_the_given_number_of_sequences():
    net = Scripted([[[0]] if k < 6 else [[1]] for k in range(9)])
    out = train_scripted(net, settle=3, average=0.5)
    assert out["to_stop"] == 4 and out["total"] == 7 and len(net.log) == 7 and out["met"].all()
    np.testing.assert_allclose(out["at_stop"][0, 0], -(0.5 * 3 + 0.25 * 2 + 0.125 * 1), rtol=1e-6)  # of three updates
    np.testing.assert_allclose(net.theta[0, 0], -np.dot(0.5 ** np.arange(1, 7), np.arange(6, 0, -1)), rtol=1e-6)


def test_adam_s_first_steps():
    net = Scripted([[[1.0]]] * 3, gradient=((0.5, -4.0),))
    train_scripted(net, rule="adam", learning_rate=0.1)
    np.testing.assert_allclose(net.theta, [[-0.3, 0.3]], rtol=1e-6)  # a constant gradient: steps of the rate

    class Alternating(Scripted):
        def backward(self, error):
            return np.array([[1.0, 1.0]]) if self.k == 1 else np.array([[-1.0, 3.0]])
    net = Alternating([[[1.0]]] * 2)
    train_scripted(net, rule="adam", learning_rate=0.1, momentum=0.5, scale_memory=0.75)
    # second step: mean (0.5 g1 + g2) 0.5 / 0.75, square (0.75 g1^2 + g2^2) 0.25 / 0.4375
    second = 0.1 * np.array([-0.25 / 0.75, 1.75 / 0.75]) / np.sqrt(np.array([0.4375, 2.4375]) / 0.4375)
    np.testing.assert_allclose(net.theta[0], -0.1 - second, rtol=1e-6)


def test_clipping_annealing_and_averaging():
    net = Scripted([[[1.0]]], gradient=((3.0, -4.0),))
    out = train_scripted(net, clip=1.0)
    np.testing.assert_allclose(net.theta, [[-0.6, 0.8]], rtol=1e-6)
    assert out["clipped"] == 1
    net = Scripted([[[0.1]]] * 6)
    train_scripted(net, anneal_below=0.2, anneal_power=2.0)
    np.testing.assert_allclose(net.log[3], [[-3, 6]])  # full steps until the window is full
    np.testing.assert_allclose(net.log[5], [[-3.5, 7]])  # then (0.1 / 0.2)^2 of them
    net = Scripted([[[1.0]]] * 2)
    train_scripted(net, average=0.75)
    np.testing.assert_allclose(net.theta, [[-0.6875, 1.375]])  # 0.75 x 0.25 x (-1) + 0.25 x (-2)


def test_rates_are_per_net_and_the_callback_sees_every_update():
    net = Scripted([[[1.0], [1.0]]] * 3, gradient=((1.0, 1.0), (1.0, 1.0)))
    seen = []
    config = Config(batch=1, rule="sgd", average=0.0, window=4, max_sequences=3, clip=1e9)
    train(net, lambda: (None, None, np.zeros((2, 1)), None), config, rates=(1.0, 2.0),
          callback=lambda net, n, recent: seen.append((n, int(np.isfinite(recent[0]).sum()))))
    np.testing.assert_allclose(net.theta, [[-3, -3], [-6, -6]])
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_divergence_is_reported():
    with pytest.raises(FloatingPointError, match="loss is nan at sequence 2"):
        train_scripted(Scripted([[[1.0, 1.0]], [[np.nan, 1.0]]]))


def test_score_and_decode():
    out = score(np.array([[0.5, 0.5625, 0.4375, 0.57, 0.25]]), np.array([0.5, 0.5, 0.5, 0.6, 0.25]),
                Config(tolerance=0.0625))
    assert out["wrong"] == 2 and out["error"] == pytest.approx(0.031)  # an error of just the tolerance is wrong
    assert out["rms"] == pytest.approx(np.sqrt((2 * 0.0625**2 + 0.0009) / 5))
    rng = np.random.default_rng(0)
    states = rng.standard_normal((3, 400))
    assert decode(states, 2 * states[0] - states[2] + 1) < 1e-10
    assert decode(states[:, :8], rng.standard_normal(8)) > 0.1  # four sequences fit exactly, the other four do not
    assert decode(states, rng.standard_normal(400)) == pytest.approx(1, abs=0.15)


def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--input-gate-bias: needs 3 numbers"):
        Config(blocks=3)


# ---- the whole ----

def test_quick_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    config = Config(**QUICK)
    assert run(config, 0) == run(config, 0) != run(config, 1)
    notes = []
    result = study(config, 0, lambda fraction, message: notes.append(fraction))
    assert notes == sorted(notes) and 0 < notes[0] and notes[-1] <= 1
    for value in result.values():
        assert np.all(np.isfinite(value))


def test_the_lstm_s_baselines_see_the_same_sequences_and_the_best_is_not_chosen_by_the_test():
    config = Config(**QUICK)
    _, out, best = rnn_trial(config, 0)
    for k, name in enumerate(("small", "identity", "orthogonal")):
        assert out["recent"][best[name]] == out["recent"][3 * k:3 * k + 3].min()
    net = TanhRnn(np.random.default_rng(0), 2, Config(), np.stack([np.eye(8), np.zeros((8, 8))]))
    assert (net.W[0, :, 3:] == np.eye(8)).all() and not net.W[1, :, 3:].any()


@pytest.mark.parametrize("words", [["--T", "5"], ["--batch", "0"], ["--rule", "newton"], ["--cells", "0"],
                                   ["--learning-rate", "nan"], ["--input-gate-bias", "-3"], ["--long-T", "5"]])
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("adding_problem.py")
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and words[0].strip("-") in done.stderr
