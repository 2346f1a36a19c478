"""Tests of precise timing: tasks, gradient, the rule, the tests of nets, wiring, bad settings."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import study_timing_counting_spikes as study
import timing_counting_spikes as tcs
from timing_counting_spikes import QUICK, Config, Cosine, OnLine, Spikes, examine, run, views

TINY = Config(**QUICK | {"nets": 3, "steps": 50, "wave_steps": 60, "test_every": 20})
TINY_STUDY = study.Config(
    **study.QUICK
    | {"nets": 3, "steps": 50, "wave_steps": 60, "test_every": 20, "delays": 6, "delay": 7}
    | {"short_delay": 4, "short_delays": 5, "longer_steps": 40, "part_nets": 2}
)
BIASES = (0.3, 1.0, -0.5)


def existing(w, sees):
    """1 for each weight of w (P, N) that sees, and 0 for a peephole that does not."""
    there = np.ones_like(w)
    there[-5:-2] = sees
    return there


def silent(share, text):
    """A progress that nobody sees."""


def sig(a):
    return 1 / (1 + np.exp(-a))


def start(nets=3, inputs=0, seed=0, scale=5.0):
    """Weights (P, 2 nets) far from zero, the last half without peepholes."""
    w, sees = tcs.initial(np.random.default_rng(seed), nets, BIASES, inputs)
    return scale * w, sees


# ---- slow references: one net, one step after the other, the formulas of the paper ----


class Slow:
    """One net; `constant` replaces what the truncated gradient takes as constant."""

    def __init__(self, w):
        self.S = (len(w) - 5) // 4
        self.W, self.p, self.V = w[:-5].reshape(self.S, 4), w[-5:-2], w[-2:]
        self.h = self.c = 0.0
        self.seen = []

    def step(self, x=(), constant=None):
        h, c = (self.h, self.c) if constant is None else constant[:2]
        z = np.array([h, 1.0, *x])
        i = sig(z @ self.W[:, 0] + self.p[0] * c)
        f = sig(z @ self.W[:, 1] + self.p[1] * c)
        g = z @ self.W[:, 2]
        new_c = f * self.c + i * g
        o = sig(z @ self.W[:, 3] + self.p[2] * (new_c if constant is None else constant[2]))
        self.seen.append((h, c, new_c))
        self.c, self.h = new_c, o * new_c
        return self.V[0] * self.h + self.V[1]


def slow_on_line(w, F, wave, rate, momentum, steps, peepholes):
    """Learn on-line, weight by weight: traces, truncated gradient, momentum, streams."""
    w, velocity = w.copy(), np.zeros_like(w)
    W, p, V = w[:8].reshape(2, 4), w[8:11], w[11:]  # views
    h = c = 0.0
    trace, k, streams = np.zeros((3, 3)), 0, 0
    for _ in range(steps):
        k += 1
        i = sig(W[0, 0] * h + W[1, 0] + p[0] * c)
        f = sig(W[0, 1] * h + W[1, 1] + p[1] * c)
        g = W[0, 2] * h + W[1, 2]
        new_c = f * c + i * g
        o = sig(W[0, 3] * h + W[1, 3] + p[2] * new_c)
        for s, source in enumerate((h, 1, c)):
            trace[0, s] = f * trace[0, s] + g * i * (1 - i) * source
            trace[1, s] = f * trace[1, s] + c * f * (1 - f) * source
            trace[2, s] = f * trace[2, s] + i * source
        new_h = o * new_c
        a = V[0] * new_h + V[1]
        y = a if wave else sig(a)
        target = 0.5 - 0.5 * np.cos(2 * np.pi * k / F) if wave else float(k % F == 0)
        d = (target - y) * (1 if wave else y * (1 - y))
        d_c, d_o = d * V[0] * o, d * V[0] * new_c * o * (1 - o)
        gradient = np.zeros(13)
        for unit in range(3):
            gradient[unit] = d_c * trace[unit, 0]
            gradient[4 + unit] = d_c * trace[unit, 1]
        gradient[3], gradient[7] = d_o * h, d_o
        if peepholes:
            gradient[8:11] = d_c * trace[0, 2], d_c * trace[1, 2], d_o * new_c
        gradient[11:] = d * new_h, d
        velocity = momentum * velocity + rate * gradient
        w += velocity
        h, c = new_h, new_c
        if abs(target - y) >= (0.3 if wave else 0.49) or k == 100 * F:
            h = c = 0.0
            trace[:] = 0
            k, streams = 0, streams + 1
    return w, streams


def central_differences(objective, w, step=1e-5):
    numeric = np.zeros_like(w)
    for k in range(len(w)):
        up, down = w.copy(), w.copy()
        up[k] += step
        down[k] -= step
        numeric[k] = (objective(up) - objective(down)) / (2 * step)
    return numeric


# ---- gradient and rule ----


@pytest.mark.parametrize("task", [Spikes(4), Cosine(4)])
def test_truncated_gradient_is_that_of_the_error_with_recurrent_inputs_frozen(task):
    w, sees = start()
    there = existing(w, sees)
    task.tolerance = 9  # no step is wrong, so that the clock goes on
    nets, kept = OnLine(task, w, sees, 0.0, 2), []
    nets.update = lambda: kept.append(nets.gradient.copy())
    nets.restart = lambda goes_on: None
    for _ in range(9):
        nets.step(1.0)
    for k in range(6):
        slow = Slow(w[:, k])
        for _ in range(9):
            slow.step()
        for t in range(9):  # the gradient of the error of step t alone

            def error(v, k=k, t=t, seen=slow.seen):
                net = Slow(v)
                y = [task.output(net.step((), seen[s]))[0] for s in range(t + 1)][-1]
                return 0.5 * (task.targets[t] - y) ** 2

            numeric = -central_differences(error, w[:, k]) * there[:, k]
            assert np.abs(kept[t][:, k] - numeric).max() <= 1e-6 * np.abs(numeric).max()
    assert not np.array(kept)[:, 8:11, 3:].any() and np.array(kept)[:, 8:11, :3].any((0, 2)).all()


def test_gradient_at_a_delay_s_spike():
    w, sees = start(2, inputs=1)
    there = existing(w, sees)
    nets = study.Delays(Spikes(5), w, sees, 0.0, 2)
    kept = []
    nets.update = lambda: kept.append(nets.gradient.copy())
    late = np.array([True, False, True, False])
    nets.delay(late, 1.0)
    assert len(kept) == 6 and not np.array(kept[:-1]).any()
    for k in range(4):
        inputs = [(0.0,)] * (4 + late[k]) + [(1.0,)]
        slow = Slow(w[:, k])
        for x in inputs:
            slow.step(x)

        def error(v, k=k, inputs=inputs, seen=slow.seen):
            net = Slow(v)
            y = [sig(net.step(x, constant)) for x, constant in zip(inputs, seen)][-1]
            return 0.5 * (late[k] - y) ** 2

        numeric = -central_differences(error, w[:, k]) * there[:, k]
        assert np.abs(kept[-1][:, k] - numeric).max() <= 1e-6 * np.abs(numeric).max()
        assert np.count_nonzero(numeric) == (17 if k < 2 else 14)


@pytest.mark.parametrize("wave", [False, True])
def test_learning_on_line_is_the_slow_rule_step_by_step(wave):
    w, sees = start()
    nets = OnLine((Cosine if wave else Spikes)(4), w, sees, 0.9, 2)
    for _ in range(300):
        nets.step(0.02)
    for k in range(6):
        slow, streams = slow_on_line(w[:, k], 4, wave, 0.02, 0.9, 300, k < 3)
        np.testing.assert_allclose(nets.w[:, k], slow, rtol=1e-9, atol=1e-12)
        assert nets.streams[k] == streams
    assert np.abs(nets.w - w).max(0).min() > 0.1
    assert not nets.w[8:11, 3:].any()


class Teacher(Spikes):
    """A task whose target is what the nets say."""

    def target(self, clock):
        self.seen = self.seen + [clock.copy()] if hasattr(self, "seen") else [clock.copy()]
        return self.said

    def output(self, a):
        y, slope = super().output(a)
        self.said = y
        return y, slope


def test_a_stream_without_errors_ends_after_a_hundred_periods():
    w, sees = start(1)
    task = Teacher(2)
    nets = OnLine(task, w, sees, 0.9, 2)
    for _ in range(201):
        nets.step(0.1)
    assert [clock[0] for clock in task.seen] == [*range(200), 0]
    assert nets.streams.tolist() == [1, 1] and nets.longest.tolist() == [200, 200]
    np.testing.assert_array_equal(nets.w, w)


def test_a_wrong_step_is_learned_from_and_clears_everything_but_the_velocity():
    w, sees = start(2)
    nets = OnLine(Spikes(2), w, sees, 0.9, 2)
    nets.w[-2:] = [[0.0], [1.0]]  # the outputs are above a half at once, which is wrong
    nets.step(1.0)
    assert nets.streams.tolist() == [1] * 4 and not nets.memory.any() and not nets.clock.any()
    assert (nets.w[-1] < 1.0).all() and nets.velocity[-1].all()


# ---- the tasks ----


def test_targets_by_hand():
    assert Spikes(3).targets[:7].tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert Spikes(3).target(np.array([2, 3])).tolist() == [1, 0]
    np.testing.assert_allclose(Cosine(4).targets[:5], [0.5, 1, 0.5, 0, 0.5], atol=1e-15)
    assert (Spikes(3).tolerance, Cosine(3).tolerance) == (0.49, 0.3)
    assert len(Spikes(3).targets) == 301 and Cosine(4).output(0.7) == (0.7, 1.0)
    y, slope = Spikes(3).output(0.4)
    assert y == pytest.approx(sig(0.4)) and slope == pytest.approx(sig(0.4) * sig(-0.4))


def test_the_target_cannot_be_read_off_the_last_input():
    """There is no input, and the last target tells nothing but for the step after a spike."""
    targets = Spikes(10).targets
    assert {targets[k] for k in range(1, 100) if targets[k - 1] == 0} == {0, 1}
    w, _ = start()
    assert views(w)[0].shape == (2, 4, 6)  # h and the bias are all that the net sees


def test_the_nets_that_are_compared():
    config = Config()
    w, sees = tcs.initial(np.random.default_rng(0), 64, config.biases)
    W, p, V = views(w)
    assert W.shape == (2, 4, 128) and p.shape == (3, 128) and V.shape == (2, 128)
    assert (W[1, [0, 1, 3]] == np.reshape([0, 2, -2], (3, 1))).all()
    np.testing.assert_array_equal(np.delete(w[:, :64], [8, 9, 10], 0), w[[*range(8), 11, 12], 64:])
    assert not p[:, 64:].any() and (sees == [[1] * 64 + [0] * 64] * 3).all()
    drawn = np.concatenate([W[0, :, :64], W[1, [2], :64], p[:, :64], V[:, :64]])
    assert 0.099 < np.abs(drawn).max() <= 0.1 and len(np.unique(drawn)) == 10 * 64
    assert abs(drawn.mean()) < 0.02
    w, sees = tcs.initial(np.random.default_rng(0), 8, config.biases, inputs=1)
    assert w.shape == (17, 16) and sees.sum(0).tolist() == [3] * 8 + [0] * 8
    assert (config.learning_rate, config.momentum, config.period) == (1e-5, 0.999, 10)
    assert (config.wave_rate, config.wave_final_rate, config.wave_momentum) == (1e-3, 1e-5, 0.99)


# ---- the tests of nets ----


def slow_examine(w, task, periods):
    net, errors = Slow(w), []
    for t in range(1, periods * task.period + 1):
        errors.append(task.output(net.step())[0] - task.shape(np.array(t)))
    return np.abs(errors).max() < task.tolerance, np.sqrt(np.mean(np.square(errors)))


@pytest.mark.parametrize("task", [Spikes(3), Cosine(3)])
def test_the_test_of_a_net_is_the_slow_one(task):
    w = start(20)[0]
    w[-1] += 0.3  # some nets say what is right for a while
    right, rmse = examine(task, w, 1)
    slow = [slow_examine(net, task, 1) for net in w.T]
    assert right.tolist() == [good for good, _ in slow]
    np.testing.assert_allclose(rmse, [error for _, error in slow])
    for periods in (2, 9):
        _, rmse = examine(Easy(3), w[:, :3], periods)
        np.testing.assert_allclose(rmse, [slow_examine(v, Easy(3), periods)[1] for v in w.T[:3]])


class Easy(Cosine):
    """Every answer is right."""

    tolerance = 1e9


class Late(Cosine):
    """Every answer is right but that of the last step of a net's fifth period."""

    periods = 0

    def output(self, a):
        self.periods += 1
        y = np.full_like(a, 0.5)
        if self.periods == 5:
            y[-1] = 9.0
        return y, 1.0

    def shape(self, t):
        return np.full_like(t, 0.5, float)


def test_one_wrong_step_fails_the_test():
    w = start(2)[0]
    w[:8] = 0  # so that no state comes back before long
    w[6] = 1
    w[5] = 3
    assert examine(Late(3), w, 4)[0].tolist() == [True] * 4
    assert examine(Late(3), w, 5)[0].tolist() == [False] * 4


def test_a_state_that_comes_back_ends_the_test_and_counts_for_the_rest():
    w = np.zeros((13, 2))
    w[-1] = 0.25, 0.5
    task = Easy(5)
    calls = []
    task.output = lambda a: (calls.append(1), (a, 1.0))[1]
    right, rmse = examine(task, w, 1000)
    assert len(calls) == 1 and right.all()
    errors = np.array([0.25, 0.5]) - Easy(5).targets[:5, None]
    np.testing.assert_allclose(rmse, np.sqrt((errors**2).mean(0)))


def test_a_look_tests_frozen_weights_and_solved_nets_stop(monkeypatch):
    w, sees = start(3)
    nets, tested = OnLine(Spikes(4), w, sees, 0.9, 7), []

    def fake(task, weights, periods):
        tested.append((weights.copy(), periods))
        return np.array([False, True, True])[: weights.shape[1]], np.array([0.3, 0.1, 0.2])

    monkeypatch.setattr(tcs, "examine", fake)
    for _ in range(30):
        nets.step(0.02)
    nets.longest[:] = 8, 7, 20, 0, 9, 3
    nets.streams[:] = np.arange(6) + 50
    before, velocity = nets.w.copy(), nets.velocity.copy()
    nets.look(30)
    np.testing.assert_array_equal(tested[0][0], before[:, [0, 2, 4]])
    assert tested[0][1] == 7
    nan = np.nan
    np.testing.assert_array_equal(nets.solved_at, [nan, nan, 30, nan, 30, nan])
    np.testing.assert_array_equal(nets.streams_at, [nan, nan, 52, nan, 54, nan])
    np.testing.assert_array_equal(nets.rmse, [nan, nan, 0.1, nan, 0.2, nan])
    assert nets.best.tolist() == [8, 7, 20, 0, 9, 3] and nets.left.tolist() == [0, 1, 3, 5]
    np.testing.assert_array_equal(nets.velocity, velocity[:, [0, 1, 3, 5]])
    for _ in range(30):
        nets.step(0.02)
    nets.longest[:] = 0
    nets.look(60)
    np.testing.assert_array_equal(nets.final[:, [2, 4]], before[:, [2, 4]])
    np.testing.assert_array_equal(nets.final[:, [0, 1, 3, 5]], nets.w)


def test_nets_that_are_left_learn_as_if_the_others_were_there():
    w, sees = start(3)
    all_nets, some = (OnLine(Spikes(4), w, sees, 0.9, 7) for _ in range(2))
    left = np.array([True, False, False, True, True, False])
    for k in range(60):
        all_nets.step(0.02)
        some.step(0.02)
        if k == 29:
            some.keep(left)
    np.testing.assert_allclose(some.w, all_nets.w[:, left], rtol=1e-12)


def test_training_takes_each_rate_once_and_looks_in_between():
    w, sees = start(1)
    nets, events = OnLine(Spikes(4), w, sees, 0.9, 7), []
    nets.step = events.append
    nets.look = lambda step: events.append(("look", step))
    nets.train(np.array([5, 4, 3, 2, 1]), 2, silent)
    assert events == [5, 4, ("look", 2), 3, 2, ("look", 4), 1, ("look", 5)]
    assert nets.net_steps == 10


def test_a_net_that_runs_away_fails_alone():
    w, sees = start(2)
    nets = OnLine(Spikes(3), w, sees, 0.9, 7)
    nets.w[:, 1] = np.nan
    nets.train(np.full(40, 0.01), 20, silent)
    assert np.isnan(nets.solved_at[1]) and np.isnan(nets.final[:, 1]).all()
    assert nets.best[1] == 0 and np.isfinite(np.delete(nets.final, 1, 1)).all()


# ---- the wiring of run() ----


class Ledger:
    """Notes what run() draws, trains and tests."""

    def __init__(self, monkeypatch, what, config):
        self.starts, self.drawn, self.trainings, self.rates = [], [], [], []
        default_rng, initial = np.random.default_rng, tcs.initial
        init, train = OnLine.__init__, OnLine.train

        def spy_rng(sequence):
            rng = default_rng(sequence)
            self.starts.append(rng.bit_generator.state["state"]["state"])
            return rng

        def spy_initial(rng, *arguments, **more):
            w, sees = initial(rng, *arguments, **more)
            self.drawn.append((rng, w.copy(), sees))
            return w, sees

        def spy_init(training, task, *arguments):
            init(training, task, *arguments)
            self.trainings.append((training, task, *arguments))

        def spy_train(training, rates, test_every, progress):
            self.rates.append((rates, test_every))
            return train(training, rates, test_every, progress)

        monkeypatch.setattr(np.random, "default_rng", spy_rng)
        for module in (tcs, study):
            monkeypatch.setattr(module, "initial", spy_initial)
        monkeypatch.setattr(OnLine, "__init__", spy_init)
        monkeypatch.setattr(OnLine, "train", spy_train)
        self.table = what.run(config, 1000, silent)


def test_both_kinds_of_nets_get_the_same_in_one_batch(monkeypatch):
    ledger = Ledger(monkeypatch, tcs, TINY)
    assert len(ledger.starts) == len(set(ledger.starts)) == 2 == len(ledger.trainings)
    assert ledger.drawn[0][0] is not ledger.drawn[1][0]
    spikes, cosine = ledger.trainings
    assert (type(spikes[1]), spikes[1].period, spikes[4], spikes[5]) == (Spikes, 10, 0.999, 1000)
    assert (type(cosine[1]), cosine[1].period, cosine[4], cosine[5]) == (Cosine, 25, 0.99, 100)
    for (training, _, w, sees, *_), (_, drawn, _) in zip(ledger.trainings, ledger.drawn):
        np.testing.assert_array_equal(w, drawn)
        others = [*range(8), 11, 12]
        np.testing.assert_array_equal(w[others, :3], w[others, 3:])
        assert sees[:, :3].all() and not sees[:, 3:].any()
        assert training.net_steps == 6 * (50 if training is spikes[0] else 60)
        assert len({tuple(net) for net in w.T}) == 6
    (fixed, every), (shrinking, _) = ledger.rates
    assert every == 20 and (fixed == 1e-5).all() and len(fixed) == 50
    np.testing.assert_allclose(shrinking, 1e-3 * 0.01 ** (np.arange(60) / 59))
    assert (views(spikes[2])[0][1, [0, 1, 3], 0] == [0, 2, -2]).all()
    assert (views(cosine[2])[0][1, [0, 1, 3], 0] == [0, 2, 1]).all()


def test_the_metrics_are_those_of_the_tests(monkeypatch):
    def fake(training, rates, test_every, progress):
        wave = isinstance(training.task, Cosine)
        training.solved_at[:] = [20, 40, np.nan, np.nan, 60, np.nan]
        training.streams_at[:] = training.solved_at / 2
        training.rmse[:] = training.solved_at / 100
        training.best[:] = 25 * np.arange(1, 7)
        if wave:
            training.solved_at[4] = training.streams_at[4] = training.rmse[4] = np.nan
        training.seconds, training.net_steps = 2.0, 100
        training.streams[:] = 1  # of nets that are left
        return training

    monkeypatch.setattr(OnLine, "train", fake)
    table = run(TINY, 1000, silent)
    assert table["peephole"] == {
        "gts10": pytest.approx(2 / 3),
        "gts10_streams": 15,
        "gts10_steps": 30,
        "cos25": pytest.approx(2 / 3),
        "cos25_streams": 15,
        "cos25_steps": 30,
        "cos25_rmse": pytest.approx(0.3),
        "cos25_longest": 3,
    }
    assert table["plain"]["gts10"] == pytest.approx(1 / 3) and table["plain"]["cos25"] == 0
    assert table["plain"]["gts10_streams"] == 30 and table["plain"]["cos25_longest"] == 6
    assert table["plain"]["cos25_rmse"] is None and table["plain"]["cos25_steps"] is None
    assert table["lead"]["gts10"] == pytest.approx(1 / 3)
    assert table["lead"]["cos25"] == pytest.approx(2 / 3)
    assert table["lstm"] == {"steps_per_second": 50, "streams": 10 + 20 + 30 + 10 + 20 + 12}
    curve = table["curve"]
    assert len(curve["x"]) == 101 and curve["x"][-1] == 60
    assert (curve["y"][0], curve["y"][-1]) == (0, pytest.approx(2 / 3))
    assert curve["y"][34] == pytest.approx(1 / 3)


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed(monkeypatch):
    notes = []
    first = run(TINY, 1000, lambda share, text: notes.append(share))
    again = run(TINY, 1000, silent)
    for table in (first, again):
        assert table["lstm"].pop("steps_per_second") > 0  # a timing
    assert first == again and notes == sorted(notes) and notes[-1] == 1
    weights = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        training = tcs.train_cosine(tcs.initial(rng, 2, (0, 2, 1)), TINY, silent)
        weights.append(training.final)
    assert not np.array_equal(*weights)


# ---- the study ----


def slow_delays(w, F, lates):
    """Read delays in one stream; return the outputs at the spikes."""
    net, answers = Slow(w), []
    for late in lates:
        for _ in range(F - 1 + late):
            net.step((0.0,))
        answers.append(sig(net.step((1.0,))))
    return np.array(answers)


def test_the_test_of_delays_is_the_slow_one():
    w = start(20, inputs=1)[0]
    lates = np.random.default_rng(3).integers(0, 2, (2, 40))
    right = study.measure(Spikes(4), w, 2, np.random.default_rng(3))
    answers = np.array([slow_delays(w[:, k], 4, lates[:, k]) for k in range(40)])
    expected = (np.abs(answers - lates.T) < 0.49).all(1)
    assert expected.any() and not expected.all()
    np.testing.assert_array_equal(right, expected)


def test_a_stream_of_right_delays_in_a_test_is_never_cut(monkeypatch):
    restarts = []
    monkeypatch.setattr(study.Delays, "restart", lambda nets, goes_on: restarts.append(goes_on))
    monkeypatch.setattr(Spikes, "tolerance", 2.0)
    assert study.measure(Spikes(2), start(1, 1)[0], 130, np.random.default_rng(0)).all()
    assert len(restarts) == 130 and np.array(restarts)[:-1].all()


def test_streams_hold_a_single_delay_until_a_net_is_ready(monkeypatch):
    w, sees = start(1, inputs=1)
    nets = study.Delays(Spikes(2), w, sees, 0.9, 2)
    restarts = []
    monkeypatch.setattr(nets, "restart", lambda goes_on: restarts.append(goes_on.copy()))
    nets.task.tolerance = 2.0
    nets.row[:] = 97, 0
    for _ in range(4):
        nets.delay(np.array([True, False]), 0.0)
    assert np.array(restarts).tolist() == [[0, 0], [0, 0], [1, 0], [1, 0]]
    nets.task.tolerance = 0.0  # now every answer is wrong
    nets.delay(np.array([True, False]), 0.0)
    assert nets.row.tolist() == [0, 0] and nets.ready.tolist() == [True, False]
    assert restarts[-1].tolist() == [False, False]


def test_learning_delays_follows_each_net_s_own_clock():
    """Idle steps of the shorter delays leave a net as it is: the answers are the slow net's."""
    w, sees = start(2, inputs=1)
    lates = np.array([[1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]])
    nets, heard = study.Delays(Spikes(4), w, sees, 0.9, 2), []
    nets.restart = lambda goes_on: None
    original = nets.task.output
    nets.task.output = lambda a: (heard.append(sig(a)), original(a))[1]
    for late in lates:
        nets.delay(late == 1, 0.0)
    for k in range(4):
        slow = slow_delays(w[:, k], 4, lates[:, k])
        np.testing.assert_allclose(np.array(heard)[:, k], slow, rtol=1e-9)
    np.testing.assert_array_equal(nets.w, w)
    # momentum goes on between spikes, for as many steps as a net takes
    nets = study.Delays(Spikes(4), w, sees, 0.9, 2)
    nets.delay(np.array([True] * 4), 0.1)
    velocity, weights = nets.velocity.copy(), nets.w.copy()
    nets.delay(np.array([True, False, True, False]), 0.0)
    powers = np.array([5, 4, 5, 4])
    np.testing.assert_allclose(nets.velocity, velocity * 0.9**powers)
    moved = velocity * [sum(0.9 ** (k + 1) for k in range(n)) for n in powers]
    np.testing.assert_allclose(nets.w, weights + moved)


def test_nets_that_were_right_long_enough_are_tested_and_stop(monkeypatch):
    w, sees = start(2, inputs=1)
    nets, tested = study.Delays(Spikes(4), w, sees, 0.9, 55), []

    def fake(task, weights, delays, rng):
        tested.append((weights.copy(), delays, rng))
        return np.array([False, True])

    monkeypatch.setattr(study, "measure", fake)
    nets.longest[:] = 20, 19, 30, 0
    nets.ready[:] = True, False, True, False
    nets.ready_at[0] = 100
    nets.look(200, "rng")
    np.testing.assert_array_equal(nets.ready_at, [100, np.nan, 200, np.nan])
    np.testing.assert_array_equal(tested[0][0], w[:, [0, 2]])
    assert tested[0][1:] == (55, "rng") and nets.left.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(nets.solved_at, [np.nan, np.nan, 200, np.nan])
    assert nets.best.tolist() == [20, 19, 30, 0] and not nets.longest.any()


def test_periods_grow_by_a_tenth_when_a_net_is_solved(monkeypatch):
    w, sees = start(2)
    nets, tested = study.Growing(study.Metronomes(np.array([11, 40, 11, 50])), w, sees, 0, 9), []

    def fake(weights, period):
        tested.append((weights.copy(), period.tolist()))
        return np.array([True, False, True])

    monkeypatch.setattr(study, "steady", fake)
    nets.longest[:] = 22, 79, 23, 100
    nets.clock[:] = 5
    nets.look(70)
    np.testing.assert_array_equal(tested[0][0], w[:, [0, 2, 3]])
    assert tested[0][1] == [11, 11, 50]
    assert nets.task.period.tolist() == [12, 40, 11] and nets.left.tolist() == [0, 1, 2]
    assert nets.clock.tolist() == [0, 5, 5] and not nets.longest.any()
    assert sorted(nets.kept) == [11, 50] and [number for number, _ in nets.kept[50]] == [3]
    np.testing.assert_array_equal(nets.kept[11][0][1], w[:, 0])
    np.testing.assert_array_equal(nets.solved_at, [np.nan, np.nan, np.nan, 70])
    assert nets.task.limit.tolist() == [1200, 4000, 1100]
    assert nets.task.target(np.array([11, 38, 10])).tolist() == [1, 0, 1]


def test_a_steady_net_is_right_for_a_hundred_periods(monkeypatch):
    w = start(2)[0]
    wrong_at = np.array([10**9, 500, 299, 0])

    class Told(study.Metronomes):
        def output(self, a):
            self.steps = getattr(self, "steps", 0) + 1
            target = self.target(np.full(4, self.steps - 1))
            return np.where(self.steps == wrong_at, 1 - target, target), 1.0

    monkeypatch.setattr(study, "Metronomes", Told)
    assert study.steady(w, np.array([3, 4, 3, 3])).tolist() == [True, True, False, True]
    wrong_at[1] = 400
    assert study.steady(w, np.array([3, 4, 3, 3])).tolist() == [True, False, False, True]
    assert study.steady(w[:, :0], np.zeros(0, int)).tolist() == []


def test_growing_starts_from_the_solved_nets_and_is_tested_in_the_end(monkeypatch):
    w, sees = start(2)
    spikes = OnLine(Spikes(10), w, sees, 0.9, 2)
    spikes.solved_at[[0, 2, 3]] = 7
    spikes.final = w + 1
    seen, tested = [], []

    def fake(training, rates, look_every, progress):
        seen.append((training.w.copy(), training.task.period.tolist(), rates, training.momentum))
        a, b, c = training.w.T
        training.kept = {12: [(0, a), (2, c)], 11: [(0, a + 1), (1, b)], 13: [(2, c + 2)]}

    def fake_examine(task, weights, periods):
        tested.append((task.period, weights.copy(), periods))
        return np.array({11: [False, True], 12: [True, True], 13: [False]}[task.period]), None

    monkeypatch.setattr(study.Growing, "train", fake)
    monkeypatch.setattr(study, "examine", fake_examine)
    assert study.grow(spikes, sees, TINY_STUDY, silent).tolist() == [12, 0, 11, 12]
    ((weights, periods, rates, momentum),) = seen
    np.testing.assert_array_equal(weights, w[:, [0, 2, 3]] + 1)
    assert periods == [11, 11, 11] and rates.tolist() == [1e-5] * 40 and momentum == 0.998
    assert [(period, periods) for period, _, periods in tested] == [
        (11, 1000),
        (12, 1000),
        (13, 1000),
    ]
    np.testing.assert_array_equal(tested[0][1], np.stack([w[:, 0] + 2, w[:, 2] + 1], 1))


def test_single_peepholes_start_as_the_nets_of_the_experiment():
    w, sees = study.start_parts(np.random.default_rng(0), TINY_STUDY)
    whole, _ = tcs.initial(np.random.default_rng(0), 3, TINY_STUDY.wave_biases)
    assert w.shape == (13, 6)
    for part in range(3):
        columns = slice(2 * part, 2 * part + 2)
        expected = whole[:, :2].copy()
        expected[[8 + other for other in range(3) if other != part]] = 0
        np.testing.assert_array_equal(w[:, columns], expected)
        assert sees[:, columns].sum(1).tolist() == [2 * (k == part) for k in range(3)]


def test_the_study_s_streams_and_rows(monkeypatch):
    ledger = Ledger(monkeypatch, study, TINY_STUDY)
    assert len(ledger.starts) == len(set(ledger.starts)) == 8 and len(ledger.drawn) == 4
    streams = np.random.SeedSequence(1000).spawn(2)  # those of the experiment
    states = [np.random.PCG64(stream).state["state"]["state"] for stream in streams]
    assert ledger.starts[:2] == states
    assert len({id(rng) for rng, _, _ in ledger.drawn}) == 4
    kinds = [type(training) for training, *_ in ledger.trainings]
    assert kinds.count(study.Growing) == 1
    # those without momentum are the looks'
    delays = [e for e in ledger.trainings if type(e[0]) is study.Delays and e[4]]
    assert len(delays) == 2
    for (_, task, w, _, momentum, periods), delay in zip(delays, (7, 4)):
        assert (task.period, momentum, periods, w.shape) == (delay, 0.9999, 20, (17, 6))
        expected = [0, np.log(delay - 1), 2]
        np.testing.assert_allclose(views(w)[0][1, [0, 1, 3], 0], expected)
    table = ledger.table
    assert table["msd49"]["solved"] == 0 and table["peephole"]["longest_f"] == 0
    assert table["plain"]["f_each"] == [0, 0, 0]
    assert list(table["parts"]) == ["input", "forget", "output"]


def test_both_kinds_measure_the_same_delays_and_the_tests_others(monkeypatch):
    seen, looks = [], []

    def fake(nets, late, rate):
        seen.append((late.copy(), rate))
        return np.ones(len(late), bool)

    monkeypatch.setattr(study.Delays, "delay", fake)
    monkeypatch.setattr(study.Delays, "look", lambda nets, k, rng: looks.append((k, rng)))
    streams = np.random.SeedSequence(5).spawn(3)
    training = study.learn_delays(streams, 7, 6, TINY_STUDY, silent)
    assert [rate for _, rate in seen] == [1e-5] * 6
    for late, _ in seen:
        np.testing.assert_array_equal(late[:3], late[3:])
    drawn = np.array([late for late, _ in seen])[:, :3]
    text = np.random.default_rng(streams[1])
    np.testing.assert_array_equal(drawn, text.integers(0, 2, (6, 3)) == 1)
    ((last, rng),) = looks
    state = np.random.default_rng(streams[2]).bit_generator.state
    assert last == 6 and rng.bit_generator.state == state and training.w.shape == (17, 6)


def test_the_study_reports_each_kind(monkeypatch):
    def fake_delays(streams, delay, delays, config, progress):
        assert len(streams) == 3 and (delay, delays) in ((7, 6), (4, 5))
        nets = study.Delays(Spikes(4), *start(3, 1), 0, 0)
        nets.solved_at[4 if delay == 7 else 0] = 400
        nets.ready_at[[0, 1, 5] if delay == 7 else [2, 3, 4, 5]] = 300
        return nets

    def fake_cosine(begin, config, progress):
        nets = OnLine(Cosine(4), *begin, 0, 0)
        nets.solved_at[[0, 1, 4]] = 20
        return nets

    monkeypatch.setattr(study, "learn_delays", fake_delays)
    monkeypatch.setattr(study, "train_cosine", fake_cosine)
    monkeypatch.setattr(study, "grow", lambda *_: np.array([10, 30, 0, 50, 44, 0]))
    table = study.run(TINY_STUDY, 1000, silent)
    assert table["msd49"] == {"solved": 1}
    assert table["parts"] == {"input": 1, "forget": 0, "output": 0.5}
    third = pytest.approx(1 / 3)
    assert table["peephole"] == {
        "longest_f": 30,
        "mean_f": 20,
        "f_each": [10, 30, 0],
        "msd49": 0,
        "msd49_single": pytest.approx(2 / 3),
        "msd9": third,
        "msd9_single": third,
    }
    assert table["plain"] == {
        "longest_f": 50,
        "mean_f": 47,
        "f_each": [50, 44, 0],
        "msd49": third,
        "msd49_single": third,
        "msd9": 0,
        "msd9_single": 1,
    }


# ---- bad settings ----


def test_settings_that_do_not_fit_together():
    for name in ("biases", "wave_biases"):
        with pytest.raises(ValueError, match="needs 3 numbers"):
            Config(**{name: (1.0, 2.0)})


@pytest.mark.parametrize(
    "words",
    [
        ["--nets", "0"],
        ["--learning-rate", "nan"],
        ["--momentum", "1"],
        ["--wave-rate", "0"],
        ["--biases", "0", "2"],
    ],
)
def test_bad_arguments_end_in_one_line(words):
    script = Path(__file__).with_name("timing_counting_spikes.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words[0].strip("-") in done.stderr
