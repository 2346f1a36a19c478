"""Tests of the two sequences with noise: task, gradients, rules, stop test, guessing, wiring."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import study_two_sequence_noise as study
import two_sequence_noise as tsn
from two_sequence_noise import QUICK, Adam, Config, Descent, Lstm, Task, run, sequences, tasks_of

SMALL = Config(shortest=12, init_range=0.7, input_bias=(0.0, 0.5, -1.0), output_bias=(0.3, 0, -1))
PAIR = replace(SMALL, input_bias=(-0.5, 0.2), output_bias=(0.1, -0.4))
TWO = (Task(3, 0.2), Task(1, 0.2))
SEED = np.random.SeedSequence


def silent(share, text):
    """A progress that nobody sees."""


def sample(config, tasks=TWO, batch_size=6, seed=1):
    """Draw sequences of several lengths, in float64."""
    x, target, expected = sequences(np.random.default_rng(seed), tasks, batch_size, config)
    assert len({tuple(b) for b in x[:, 1, 0].T}) > 1
    return x.astype(float), target.astype(float)


def weights(net, config, nets=2, seed=0):
    return net.initial(np.random.default_rng(seed), nets, config).astype(float)


# ---- slow references: one net, one sequence, plain loops, the paper's formulas ----


def sig(a):
    return 1 / (1 + np.exp(-a))


def slow_lstm(theta, C, elements, frozen=None):
    """Run the 1997 cell: output, all z, cell states. `frozen` replaces every z but the output's."""
    W, v = theta[:-C].reshape(3 * C, 2 + 3 * C), theta[-C:]
    units, state, zs, states = np.zeros(3 * C), np.zeros(C), [], []
    for t, element in enumerate(elements):
        z = np.concatenate([[element, 1.0], units]) if frozen is None else frozen[t]
        a = W @ z
        state = state + sig(a[C : 2 * C]) * (4 * sig(a[:C]) - 2)
        units = np.concatenate([sig(a[2 * C :]) * (2 * sig(state) - 1), sig(a[C:])])
        zs.append(z)
        states.append(state)
    return sig(v @ units[:C]), np.array(zs), np.array(states)


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
    """The elements (L,) of a sequence without what stands before its start."""
    return x[x[:, 1, n, b] == 1, 0, n, b]


# ---- the networks ----


@pytest.mark.parametrize("config", [SMALL, PAIR])
def test_lstm_is_the_cell_of_the_paper_on_sequences_without_padding(config):
    net = Lstm(config)
    x, _ = sample(config)
    theta = weights(net, config)
    y = net.forward(theta, x)
    for n, b in np.ndindex(y.shape):
        slow, _, states = slow_lstm(theta[n], net.C, unpadded(x, n, b))
        assert y[n, b] == pytest.approx(slow, abs=1e-12)
        held = 2 * net.s[:, :, n, b]
        np.testing.assert_allclose(held[-len(states) :], states, atol=1e-12)
        assert not held[: -len(states)].any()


@pytest.mark.parametrize("config", [SMALL, PAIR])
def test_truncated_gradient_with_frozen_recurrent_inputs(config):
    net = Lstm(config)
    x, target = sample(config, tasks=[Task(3, 0.2)], batch_size=3)
    theta = weights(net, config, nets=1)
    analytic = net.backward((net.forward(theta, x) - target) / 3)
    elements = [unpadded(x, 0, b) for b in range(3)]
    frozen = [slow_lstm(theta[0], net.C, each)[1] for each in elements]

    def objective(theta):
        ys = [slow_lstm(theta[0], net.C, e, z)[0] for e, z in zip(elements, frozen)]
        return cross_entropy(np.array(ys), target[0]).mean()

    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_what_the_truncated_gradient_cuts_off_is_what_flows_through_recurrent_weights():
    net, (x, target) = Lstm(SMALL), sample(SMALL)
    theta = weights(net, SMALL)

    def objective(theta):
        return cross_entropy(net.forward(theta, x), target).mean(1)

    full = central_differences(objective, theta)
    assert relative_error(net.backward((net.forward(theta, x) - target) / 6), full) > 1e-3
    net.weights(theta)[0][:, :, 2:] = 0
    full = central_differences(objective, theta)
    assert relative_error(net.backward((net.forward(theta, x) - target) / 6), full) <= 1e-6


def test_tanh_net_and_its_gradient():
    config = study.Config(shortest=12, tanh_units=4)
    net, (x, target) = study.TanhNet(config), sample(config)
    theta = weights(net, config)
    y = net.forward(theta, x)
    for n, b in np.ndindex(y.shape):
        h, W = np.zeros(4), theta[n, :-4].reshape(4, 6)
        for element in unpadded(x, n, b):
            h = np.tanh(W @ np.concatenate([[element, 1.0], h]))
        assert y[n, b] == pytest.approx(sig(theta[n, -4:] @ h), abs=1e-12)

    def objective(theta):
        return cross_entropy(net.forward(theta, x), target).mean(1)

    analytic = net.backward((net.forward(theta, x) - target) / 6)
    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def test_the_nets_that_are_compared():
    config = study.Config()
    net = Lstm(config)
    theta = net.initial(np.random.default_rng(0), 3, config)
    assert theta.shape == (3, 102) and theta.dtype == np.float32  # the paper's number
    W = net.weights(theta)[0]
    np.testing.assert_array_equal(W[:, 3:, 1], [[-1, -3, -5, -2, -4, -6]] * 3)
    others = np.delete(theta, [11 * unit + 1 for unit in range(3, 9)], axis=1)
    assert 0.09 < np.abs(others).max() <= 0.1 and len(np.unique(others)) == others.size
    tanh = study.TanhNet(config)
    theta = tanh.initial(np.random.default_rng(0), 3, config)
    assert theta.shape == (3, 108)
    Q = tanh.weights(theta)[0][:, :, 2:]
    np.testing.assert_allclose(Q @ Q.transpose(0, 2, 1), [np.eye(9)] * 3, atol=1e-6)
    assert not np.array_equal(Q[0], Q[1])


def test_nets_in_lock_step_are_independent():
    for net, config in ((Lstm(SMALL), SMALL), (study.TanhNet(study.Config()), study.Config())):
        x, target = sample(SMALL)
        theta = weights(net, config)
        together = net.backward(net.forward(theta, x) - target)
        alone = net.backward(net.forward(theta[1:], x[:, :, 1:]) - target[1:])
        np.testing.assert_allclose(alone[0], together[1], rtol=1e-10, atol=1e-15)


# ---- the task ----


@pytest.mark.parametrize("shortest", [10, 23, 100])
def test_sequences_against_a_slow_reading_of_the_paper(shortest):
    config = Config(shortest=shortest)
    tasks = list(tasks_of(config).values())
    x, target, expected = sequences(np.random.default_rng(shortest), tasks, 40, config)
    longest = shortest + shortest // 10
    assert x.dtype == np.float32 and x.shape == (longest, 2, 3, 40)
    seen = set()
    for n, b in np.ndindex(3, 40):
        elements = unpadded(x, n, b)
        count = (3, 3, 1)[n]
        assert shortest <= len(elements) <= longest
        assert not x[: longest - len(elements), :, n, b].any()  # right-aligned, silent before
        assert x[longest - len(elements) :, 1, n, b].all()
        signs = set(elements[:count].tolist())
        assert signs in ({1.0}, {-1.0}) and not set(elements[count:].tolist()) & {1.0, -1.0}
        level = ({1.0: 1.0, -1.0: 0.0}, {1.0: 0.2, -1.0: 0.8})[n > 0][signs.pop()]
        assert expected[n, b] == pytest.approx(level)
        assert (target[n, b] == expected[n, b]) == (n == 0)
        seen.add(len(elements))
    assert seen == set(range(shortest, longest + 1))


def test_the_variances_of_the_noise():
    config = Config(shortest=40)
    tasks = [*tasks_of(config).values(), study.paper_tasks()["b3"], study.paper_tasks()["b1"]]
    x, target, expected = sequences(np.random.default_rng(0), tasks, 20_000, config)
    start = x[:, 1].argmax(0)
    first = np.take_along_axis(x[:, 0], start[None], 0)[0]  # (N, B)
    np.testing.assert_allclose(x[-20:, 0].var((0, 2)), 0.2, rtol=0.02)
    np.testing.assert_allclose(x[-20:, 0].mean((0, 2)), 0, atol=0.01)
    np.testing.assert_allclose((target - expected).var(1), [0, 0.1, 0.1, 0, 0], rtol=0.04)
    np.testing.assert_allclose((target - expected).mean(1), 0, atol=0.01)
    np.testing.assert_allclose(expected.mean(1), 0.5, atol=0.015)
    np.testing.assert_array_equal(np.abs(first[:3]), 1)
    signal = np.where(expected[3:] == 1, 1, -1)
    np.testing.assert_allclose((first[3:] - signal).var(1), 0.2, rtol=0.04)
    np.testing.assert_allclose((first[3:] - signal).mean(1), 0, atol=0.015)
    wrong_sign = (np.sign(first[4]) != signal[1]).mean()
    assert wrong_sign == pytest.approx(0.0127, abs=0.003)  # Bayes: what 3b costs with N = 1


def test_the_end_of_a_sequence_does_not_tell_the_class():
    tasks = [tasks_of(Config())["a"]]
    x, _, expected = sequences(np.random.default_rng(5), tasks, 8000, Config())
    features = np.vstack([x[-60:, 0, 0], x[:, 1, 0].sum(0), np.ones(8000)]).T
    fit = np.linalg.lstsq(features[:4000], expected[0, :4000], rcond=None)[0]
    residual = features[4000:] @ fit - expected[0, 4000:]
    assert residual.var() > 0.97 * expected[0, 4000:].var()
    informed = np.linalg.lstsq(x[-100:, 0, 0].T, expected[0], rcond=None)[0]
    assert (x[-100:, 0, 0].T @ informed - expected[0]).var() < 0.97 * expected.var()


def test_the_paper_s_bounds():
    a, c3, c1 = tasks_of(Config(target_variance=0.1)).values()
    assert (a.informative, a.tolerance, a.most_wrong, a.mean_below) == (3, 0.2, 0, 1.0)
    assert c3 == Task(3, 0.1, 0, 0.015, 0.2, 0.8, 0.1, False) and c1 == c3._replace(informative=1)
    rows = study.paper_tasks()
    assert rows["a3"] == Task(3, 0.2, 0, 0.01) and rows["a1"] == Task(1, 0.2, 0, 0.01)
    assert rows["b3"] == Task(3, 0.2, 5, 0.04, 1.0, 0.0, 0.0, True)
    assert rows["b1"] == rows["b3"]._replace(informative=1)
    assert (tsn.STOP_TEST, tsn.TEST) == (256, 2560)


# ---- the learning rules and the stop test, on hand-worked cases ----


class Scripted:
    """A stand-in net: its outputs are a constant per net (N,), its gradient is constant."""

    def __init__(self, outputs, slope=(0.5, -0.4)):
        self.outputs, self.slope, self.log = np.array(outputs, float), np.array(slope), []

    def forward(self, theta, x):
        self.log.append(x.copy())
        return np.broadcast_to(self.outputs[: len(theta), None], (len(theta), x.shape[3]))

    def backward(self, d_a):
        return np.tile(self.slope, (len(d_a), 1))


def start(rule, outputs, rates=0.1, tasks=None, **settings):
    """Return a trainer of scripted nets whose weights are zero."""
    config = replace(Config(shortest=10, check_every=10), **settings)
    tasks = tasks or [Task(1, 0.2)] * len(outputs)
    return rule(Scripted(outputs), np.zeros((len(outputs), 2)), tasks, rates, config)


def test_what_is_descended():
    y, target = np.array([[0.3, 0.9]]), np.array([[0.5, 1.2]])
    for rule, loss in {Adam: cross_entropy, Descent: lambda y, t: (y - t) ** 2 / 2}.items():
        given = start(rule, [0.5]).output_delta(y, target)
        a, e = np.log(y / (1 - y)), 1e-6
        numeric = (loss(sig(a + e), target) - loss(sig(a - e), target)) / (2 * e) / 2
        np.testing.assert_allclose(given, numeric, rtol=1e-6)


def test_the_paper_s_rule_is_plain_online_descent_at_a_rate_per_net():
    trainer = start(Descent, [0.5, 0.5], rates=(0.5, 1.0), max_sequences=3)
    trainer.train(*map(np.random.default_rng, (0, 1)), silent)
    np.testing.assert_allclose(trainer.theta, [[-0.75, 0.6], [-1.5, 1.2]])
    assert trainer.sequences.tolist() == [3, 3] and not trainer.met.any()
    assert [x.shape for x in trainer.net.log] == [(11, 2, 2, 1)] * 3  # each net its own sequence
    assert len({x[:, 0, n].tobytes() for x in trainer.net.log for n in range(2)}) == 6


def test_adam_s_first_steps_and_its_falling_rate():
    trainer = start(Adam, [0.5], rates=0.1, updates_c=4, batch_size=5)
    for gradient in ([0.5, -0.4], [-0.25, 0.3]):
        trainer.updates += 1
        trainer.update(trainer.running, np.array([gradient]))
    g1, g2 = np.array([0.5, -0.4]), np.array([-0.25, 0.3])
    mean = (0.9 * 0.1 * g1 + 0.1 * g2) / (1 - 0.9**2)
    square = (0.999 * 0.001 * g1**2 + 0.001 * g2**2) / (1 - 0.999**2)
    first = -0.1 * (1 - 0.95 / 4) * np.sign(g1)  # the rate falls from 1 to 1/20 of it in 4 updates
    second = -0.1 * (1 - 0.95 / 2) * mean / np.sqrt(square)
    np.testing.assert_allclose(trainer.theta[0], first + second, rtol=1e-5)
    assert trainer.sequences.tolist() == [20]
    trainer.updates = 4
    before = trainer.theta.copy()
    trainer.mean[:], trainer.square[:] = 0, 0
    trainer.update(trainer.running, np.array([g1]))
    share = (before - trainer.theta)[0, 0] / (0.1 * np.sqrt(1 - 0.999**4) / (1 - 0.9**4))
    assert share == pytest.approx(0.1 / np.sqrt(0.001) / 20, rel=1e-5)


@pytest.mark.parametrize("wrong, distance, stops", [(0, 0.1, 1), (1, 0.1, 0), (0, 0.3, 0)])
def test_both_bounds_of_a_stop_test(monkeypatch, wrong, distance, stops):
    trainer = start(Descent, [0.5], tasks=[Task(1, 0.2, 0, 0.3)])
    monkeypatch.setattr(tsn, "judge", lambda *_: (np.array([wrong / 256]), np.array([distance])))
    trainer.updates = 30
    trainer.stop_test(np.random.default_rng(0))
    assert trainer.met.tolist() == [bool(stops)] and len(trainer.running) == 1 - stops
    assert trainer.sequences.tolist() == [30 if stops else 100_000]
    assert trainer.curve == [distance]


def test_a_stop_test_counts_wrong_answers_on_256_fresh_sequences(monkeypatch):
    outputs = np.ones(256)
    outputs[:5] = 0.7  # class 1 wants 1.0; these five are wrong by more than 0.2
    level = {"target_2": 1.0}
    trainer = start(Descent, [0, 0], tasks=[Task(1, 0.2, 5, **level), Task(1, 0.2, 4, **level)])
    monkeypatch.setattr(trainer.net, "forward", lambda theta, x: np.tile(outputs, (len(theta), 1)))
    trainer.updates = 10
    trainer.stop_test(np.random.default_rng(0))
    assert trainer.met.tolist() == [True, False] and trainer.running.tolist() == [1]
    assert trainer.distance == pytest.approx([1.5 / 256] * 2)
    trainer.distance[0], trainer.updates = 0.5, 20  # the first has stopped: it is tested no more
    trainer.stop_test(np.random.default_rng(1))
    assert trainer.distance[0] == 0.5 and trainer.sequences.tolist() == [10, 100_000]


def test_wrong_is_a_distance_at_the_tolerance_or_above():
    distance = np.array([[0.0, 0.1, 0.25, 0.5], [0.0, 0.1, 0.25, 0.5]])
    wrong, mean = tsn.judge(distance, [Task(1, 0.25), Task(1, 0.3)])
    assert wrong.tolist() == [0.5, 0.25] and mean == pytest.approx([0.2125] * 2)


def test_a_net_that_stopped_is_not_trained_any_further():
    always = [Task(1, 0.2, 0, 1.0, 1.0, 1.0), Task(1, 0.2)]  # the first one's target is always 1
    trainer = start(Descent, [1.0, 1.0], tasks=always, max_sequences=25)
    trainer.train(*map(np.random.default_rng, (0, 1)), silent)
    assert trainer.sequences.tolist() == [10, 25] and trainer.met.tolist() == [True, False]
    np.testing.assert_allclose(trainer.theta, [[-0.5, 0.4], [-1.25, 1.0]])
    shapes = [x.shape[2:] for x in trainer.net.log]
    assert shapes == [(2, 1)] * 10 + [(2, 256)] + [(1, 1)] * 10 + [(1, 256)] + [(1, 1)] * 5


def test_divergence_is_reported():
    trainer = start(Descent, [np.nan], max_sequences=20)
    with pytest.raises(FloatingPointError, match="output is nan after 10 updates"):
        trainer.train(*map(np.random.default_rng, (0, 1)), silent)


# ---- guessing ----


def test_guesses_are_nets_of_one_to_three_hidden_units():
    W = tsn.guesses(np.random.default_rng(0), 3000, Config())
    assert W.shape == (4, 6, 3000) and 99 < np.abs(W).max() <= 100
    heard = (W[:, 2:] != 0).all(0)  # (U, G)
    assert heard[0].all() and (heard[1] >= heard[2]).all() and (heard[2] >= heard[3]).all()
    assert np.bincount(heard.sum(0)).tolist()[2:] == pytest.approx([1000] * 3, rel=0.1)
    assert (W[:, 2:] != 0).any(0).sum() == heard.sum()
    assert W.mean() == pytest.approx(0, abs=1)


def test_guessed_answers_against_a_slow_net():
    rng = np.random.default_rng(0)
    W = tsn.guesses(rng, 5, Config(guess_range=2.0))
    x, _ = sample(SMALL, tasks=[Task(3, 0.2)])
    y = tsn.guessed_answers(W, x[:, :, 0])
    for s, g in np.ndindex(y.shape):
        u = np.zeros(4)
        for element in unpadded(x, 0, s):
            u = sig(W[:, :, g].astype(float) @ np.concatenate([[element, 1.0], u]))
        assert y[s, g] == pytest.approx(u[0], abs=1e-5)


def test_a_guess_reads_up_to_its_first_mistake(monkeypatch):
    mistakes = [0, 3, 200, 256, 256]  # of five guesses; the last two make none
    offset = np.array([0.05, 0.05, 0.05, 0.05, 0.005])

    def answers(W, x):
        guess, place = W[0, 0].astype(int), x[0, 0].astype(int)
        return offset[guess] + 1.0 * (place[:, None] == np.array(mistakes)[guess])

    monkeypatch.setattr(tsn, "guessed_answers", answers)
    W = np.arange(5.0)[None, None]
    x = np.arange(256.0)[None, None]
    count, passed = tsn.read(W, x, np.zeros(256), Task(1, 0.1, 0, 0.015))
    assert count.tolist() == [1, 4, 201, 256, 256]
    assert passed.tolist() == [False] * 4 + [True]


def test_a_search_counts_what_all_its_guesses_read_and_keeps_to_its_budget(monkeypatch):
    monkeypatch.setattr(tsn, "BLOCK", 4)
    blocks = [([1, 2, 1, 1], [0, 0, 0, 0]), ([3, 256, 1, 256], [0, 1, 0, 1])]

    def read(W, x, expected, task):
        return tuple(map(np.array, blocks[next(turn)]))

    monkeypatch.setattr(tsn, "read", read)
    for budget, count in ((1000, 264), (264, 264), (263, 263), (6, 6)):
        turn = iter([0, 1] + [0] * 1000)
        read_in_all, W = tsn.search(Task(1, 0.2), budget, SEED(0), SMALL)
        assert read_in_all == count and (W is None) == (budget < 264)
        assert W is None or W.shape == (4, 6, 1)


def test_searches_use_sequences_of_their_own_and_their_finds_are_tested_on_others(monkeypatch):
    drawn, finds = [], []
    draw, look = tsn.sequences, tsn.search
    monkeypatch.setattr(tsn, "sequences", lambda *a: drawn.append(draw(*a)) or drawn[-1])
    monkeypatch.setattr(tsn, "search", lambda *a: finds.append(look(*a)) or finds[-1])
    easy = Task(3, 0.9)  # nearly every net passes
    config = replace(SMALL, nets=3)
    count, solved, wrong = tsn.guess(easy, 50_000, SEED(1), config)
    assert solved == 1.0 and count.tolist() == [each for each, _ in finds] and 0 <= wrong < 0.05
    assert [x.shape[3] for x, *_ in drawn] == [256] * 3 + [256] * 10
    x = np.concatenate([x[:, 0, 0] for x, *_ in drawn], axis=1)
    assert len(np.unique(x, axis=1).T) == 13 * 256
    one = finds[0][1]
    answers = tsn.guessed_answers(one, np.concatenate([x[:, :, 0] for x, *_ in drawn[:1]], 2))
    assert (np.abs(answers[:, 0] - drawn[0][2][0]) < 0.9).all()
    assert tsn.guess(Task(3, 1e-9), 2000, SEED(1), config)[1:] == (0.0, None)


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains and tests."""

    def __init__(self, monkeypatch):
        self.drawn, self.trainers, self.rows, self.guessed, self.starts = [], [], [], [], []
        draw, init, train = tsn.sequences, Lstm.initial, tsn.trained
        make, look = Descent.__init__, tsn.guess

        def sequences(rng, tasks, batch_size, config):
            state = rng.bit_generator.state["state"]["state"]
            x, target, expected = draw(rng, tasks, batch_size, config)
            self.drawn.append((id(rng), state, x, batch_size, rng))
            return x, target, expected

        def initial(net, rng, *rest):
            self.starts.append(rng.bit_generator.state["state"]["state"])
            return init(net, rng, *rest)

        def trained(*arguments):
            self.rows.append((arguments, *train(*arguments)))
            return self.rows[-1][1:]

        def construct(trainer, *arguments):
            make(trainer, *arguments)
            self.trainers.append(trainer)

        def guess(*arguments):
            self.guessed.append((arguments, look(*arguments)))
            return self.guessed[-1][1]

        monkeypatch.setattr(tsn, "sequences", sequences)
        monkeypatch.setattr(Lstm, "initial", initial)
        monkeypatch.setattr(tsn, "trained", trained)
        monkeypatch.setattr(Descent, "__init__", construct)
        monkeypatch.setattr(tsn, "guess", guess)


@pytest.fixture(scope="module")
def ledger():
    """Run once, and let all tests of the wiring look at it."""
    with pytest.MonkeyPatch.context() as patch:
        book = Ledger(patch)
        book.config = Config(**QUICK | {"updates_c": 50, "max_sequences": 500, "rate_c": 0.05})
        book.table = run(book.config, 1000, silent)
    return book


def test_no_two_sequences_are_the_same_and_no_two_streams_start_alike(ledger):
    values = np.concatenate([x[-8:, 0].reshape(8, -1) for _, _, x, _, _ in ledger.drawn], axis=1)
    assert len(np.unique(values, axis=1).T) == values.shape[1]  # nothing tested was trained on
    starts = {}
    for rng, state, *_ in ledger.drawn:
        starts.setdefault(rng, state)
    assert len(set(starts.values())) == len(starts) >= 6 + 4  # two rows, and each search
    assert len(ledger.starts) == 2
    assert not {*ledger.starts} & {*starts.values()} and len({*ledger.starts}) == 2


def test_what_is_trained(ledger):
    (a, c), config = ledger.rows, ledger.config
    tasks = tasks_of(config)
    assert a[0][0] is Descent and a[0][2:4] == ([tasks["a"]] * 2, config.rate_a)
    assert c[0][0] is Adam and c[0][2:4] == ([tasks["c3"]] * 2 + [tasks["c1"]] * 2, config.rate_c)
    assert ledger.trainers == [a[1], c[1]]
    sizes = [size for *_, size, _ in ledger.drawn]
    assert sizes.count(1) == max(a[1].sequences) and sizes.count(32) == max(c[1].sequences) / 32
    assert (a[1].batch_size, a[1].budget, a[1].check_every) == (1, 500, 200)
    assert (c[1].batch_size, c[1].budget, c[1].check_every) == (32, 50, 1)
    assert Adam.schedule(c[1], Config()) == (32, 4000, 50)


def test_the_rival_may_read_as_many_sequences_of_the_same_task(ledger):
    (a, c), config = ledger.rows, ledger.config
    for (arguments, _), row, name in zip(ledger.guessed, (a, c), ("a", "c3"), strict=True):
        task, budget, _, given = arguments
        assert task == tasks_of(config)[name] and given == config
        assert budget == row[1].budget * row[1].batch_size >= row[1].sequences.max()


def test_the_metrics_are_those_of_the_last_test(ledger):
    (_, a, a_wrong, a_distance), (_, c, c_wrong, c_distance) = ledger.rows
    (_, (read_a, _, guess_wrong)), (_, (_, solved_c, _)) = ledger.guessed
    table = ledger.table
    assert table["a"] == {
        "solved": a.met.mean(),
        "sequences": a.sequences.mean(),
        "misclassified": a_wrong.mean(),
        "difference": a_distance.mean(),
        "sequences_per_second": a.sequences.sum() / a.seconds,
    }
    assert table["c"] == {"solved": c.met.mean(), "difference": c_distance.mean()}
    for name, nets in {"c3": [0, 1], "c1": [2, 3]}.items():
        assert table[name]["solved"] == c.met[nets].mean()
        assert table[name]["sequences"] == c.sequences[nets].mean()
        assert table[name]["misclassified"] == c_wrong[nets].mean()
        assert table[name]["difference"] == c_distance[nets].mean()
    assert table["guess"]["sequences"] == read_a.mean()
    assert table["guess"]["misclassified"] == guess_wrong
    assert table["guess"]["c_solved"] == solved_c
    lead = np.log10(a.sequences.mean()) - np.log10(read_a.mean())
    assert table["guess_lead"] == pytest.approx(lead)
    assert table["lstm_lead"] == c.met.mean() - solved_c
    assert table["curve"]["x"][:2] == [32, 64] and len(table["curve"]["y"]) == 50
    assert table["curve"]["y"][: len(c.curve)] == c.curve


def test_the_leads_on_a_hand_worked_case(monkeypatch):
    trainer = start(Descent, [0.5] * 4)
    trainer.met, trainer.sequences = np.array([1, 1, 1, 0], bool), np.array([4, 8, 12, 16]) * 1000
    trainer.curve, trainer.seconds = [0.3, 0.1], 1.0
    monkeypatch.setattr(tsn, "trained", lambda *_: (trainer, np.ones(4), np.ones(4)))
    monkeypatch.setattr(tsn, "guess", lambda *_: (np.array([50, 150]), 0.25, 0.0))
    table = run(Config(nets=2), 0, silent)
    assert table["guess_lead"] == pytest.approx(2) and table["lstm_lead"] == 0.5
    assert table["guess"] == {"sequences": 100, "misclassified": 0.0, "c_solved": 0.25}
    assert table["c3"]["sequences"] == 6000 and table["c1"]["solved"] == 0.5
    assert table["curve"]["y"][:3] == [0.3, 0.1, 0.1]


def test_the_last_test_takes_2560_fresh_sequences_and_the_trained_weights(ledger):
    (_, a, a_wrong, _), _ = ledger.rows
    lengths = {}
    for rng, _, _, size, _ in ledger.drawn:
        lengths[rng] = lengths.get(rng, 0) + size
    assert sorted(lengths.values()).count(2560) >= 2
    rngs = [rng for rng, count in lengths.items() if count == 2560]
    parts = [x for rng, _, x, _, _ in ledger.drawn if rng == rngs[0]]
    y = a.net.forward(a.theta, np.concatenate(parts, 3))
    assert y.shape == (2, 2560) and np.abs(y - 0.5).max() > 1e-3
    assert 0 < len(np.unique(a_wrong)) <= 2


def test_examine_on_a_hand_worked_case():
    tasks = [Task(3, 0.2), Task(3, 0.5), Task(3, 0.2, 0, 1.0, 0.5, 0.5)]
    seen = []
    wrong, distance = tsn.examine(
        lambda x: seen.append(x) or np.full(x.shape[2:], 0.5),
        tasks,
        np.random.default_rng(0),
        SMALL,
    )
    assert sum(x.shape[3] for x in seen) == 2560
    assert wrong.tolist() == [1, 1, 0] and distance.tolist() == [0.5, 0.5, 0]


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    config = Config(**QUICK | {"updates_c": 30, "max_sequences": 200})
    notes = []
    first = run(config, 1000, lambda share, text: notes.append(share))
    again, other = run(config, 1000, silent), run(config, 1001, silent)
    for table in (first, again, other):
        assert table["a"].pop("sequences_per_second") > 0  # a timing
    assert first == again != other
    assert notes == sorted(notes) and notes[-1] == 1


# ---- the study ----


def test_the_study_s_rows(monkeypatch):
    calls, original = [], tsn.trained

    def trained(*arguments):
        calls.append((arguments, *original(*arguments)))
        return calls[-1][1:]

    monkeypatch.setattr(study, "trained", trained)
    config = study.Config(**study.QUICK | {"max_sequences": 200, "updates_c": 30, "tanh_nets": 2})
    table = study.run(config, 1000, silent)
    (paper, trainer, wrong, distance), (tanh, learner, tanh_wrong, tanh_distance) = calls
    rows = study.paper_tasks()
    assert paper[0] is Descent and paper[2] == [
        rows[k] for k in ("a3", "a1", "b3", "b1") for _ in "ab"
    ]
    assert paper[3] == config.rate_a == 1.0 and type(paper[1]) is Lstm
    assert tanh[0] is study.ClippedAdam and type(tanh[1]) is study.TanhNet
    assert (
        tanh[2] == [tasks_of(config)["c3"]] * 6
        and list(tanh[3]) == [0.001] * 2 + [0.003] * 2 + [0.01] * 2
    )
    assert learner.budget == config.updates_c and learner.batch_size == config.batch_size
    assert paper[4].spawn_key != tanh[4].spawn_key
    assert list(table) == ["a3", "a1", "b3", "b1", "tanh"]
    assert table["b1"]["sequences"] == trainer.sequences[6:].mean()
    best = list(config.tanh_rates).index(table["tanh"]["rate"])
    nets = slice(2 * best, 2 * best + 2)
    assert table["tanh"]["difference"] == tanh_distance[nets].mean()
    assert (
        table["tanh"]["solved"]
        == learner.met[nets].mean()
        == max(table["tanh"]["solved_each_rate"])
    )


def test_misclassified_is_the_mean_over_the_nets_that_stopped(monkeypatch):
    trainer = start(Descent, [0.5] * 8)
    trainer.met = np.array([0, 1, 0, 0, 1, 1, 1, 0], bool)
    trainer.sequences = np.arange(8) * 10
    wrong = np.arange(8) / 8
    monkeypatch.setattr(study, "trained", lambda *_: (trainer, wrong, wrong / 2))
    table = study.paper_rows(study.Config(nets=2), None, silent)
    assert [row["solved"] for row in table.values()] == [0.5, 0, 1, 0.5]
    assert [row["misclassified"] for row in table.values()] == [1 / 8, None, 9 / 16, 6 / 8]
    assert [row["distance"] for row in table.values()] == [1 / 16, None, 9 / 32, 6 / 16]
    assert [row["sequences"] for row in table.values()] == [5, 25, 45, 65]
    assert table["b1"]["sequences_each"] == [60, 70]


def test_the_best_step_size_is_the_one_that_solves_most(monkeypatch):
    trainer = start(Adam, [0.5] * 6)
    trainer.met = np.array([0, 1, 1, 1, 1, 1], bool)
    trainer.distance = np.array([0.0, 0.0, 0.5, 0.5, 0.1, 0.1])
    values = np.arange(6) / 8
    monkeypatch.setattr(study, "trained", lambda *_: (trainer, values, values / 2))
    row = study.tanh_row(study.Config(tanh_nets=2), None, silent)
    assert row["rate"] == 0.01 and row["solved"] == 1 and row["difference"] == 9 / 32
    assert row["misclassified"] == 9 / 16 and row["solved_each_rate"] == [0.5, 1, 1]


def test_clipping_is_per_net():
    trainer = start(study.ClippedAdam, [0.5, 0.5])
    trainer.config = study.Config()
    trainer.updates = 1
    trainer.update(trainer.running, np.array([[3.0, -4.0], [0.3, -0.4]]))
    np.testing.assert_allclose(trainer.mean, [[0.06, -0.08], [0.03, -0.04]])


# ---- bad settings ----


def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--output-bias: needs as many numbers as --input-bias"):
        Config(input_bias=(-1.0, -2.0))


@pytest.mark.parametrize(
    "words", [["--shortest", "9"], ["--nets", "0"], ["--rate-a", "nan"], ["--input-bias", "-3"]]
)
def test_bad_settings_are_refused(words):
    script = Path(tsn.__file__)
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
