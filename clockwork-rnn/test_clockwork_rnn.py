"""Tests of clockwork_rnn: gradients, literal nets, the waveforms, Adam, the wiring of run()."""

import math
from dataclasses import replace

import clockwork_rnn as cw
import study_clockwork_rnn as study
from clockwork_rnn import (
    QUICK,
    Clockwork,
    Config,
    Lstm,
    Result,
    Srn,
    kinds,
    largest,
    log_gap,
    marks,
    nmse,
    readout_nmse,
    run,
    train,
    waveform,
)
import numpy as np
import pytest

STEPS = 21  # so that periods 1 to 16 tick at other times than all at once
MAKE = {
    "srn": lambda: Srn(5),
    "lstm": lambda: Lstm(4),
    "cw": lambda: Clockwork(10, 5),
    "no_clock": lambda: study.NoClock(10, 5),
    "no_mask": lambda: study.NoMask(10, 5),
    "reversed": lambda: study.Reversed(10, 5),
    "linear": lambda: study.Linear(10, 5, 3),
}
small = Config(budget=100, modules=5, steps=STEPS, epochs=3, nets=1)


def silent(*_):
    """Show nothing."""


def drawn(name, seed=0, count=2):
    """A net and weights in 64 bits."""
    net = MAKE[name]()
    return net, net.draw(np.random.default_rng(seed), count, Config(forget_bias=1.0)).astype(float)


# ---- the nets ----
@pytest.mark.parametrize("name", MAKE)
def test_the_gradient_agrees_with_central_differences(name):
    net, theta = drawn(name)
    target = np.random.default_rng(1).standard_normal((2, STEPS))
    gradient = net.backward((net.forward(theta, STEPS) - target) / STEPS)
    assert gradient.shape == theta.shape
    trained = np.ones_like(theta)
    net.weights(trained)[0][:] *= net.mask()
    for i in np.ndindex(theta.shape):
        kept, ends = theta[i], []
        for step in (1e-6, -1e-6):
            theta[i] = kept + step
            ends.append(0.5 * ((net.forward(theta, STEPS) - target) ** 2).mean(1).sum())
        theta[i] = kept
        slope = (ends[0] - ends[1]) / 2e-6
        assert gradient[i] == pytest.approx(slope if trained[i] else 0.0, abs=1e-8)
        assert trained[i] or theta[i] == 0
    assert np.abs(gradient[trained > 0]).min() > 0


def literal_clock(W, v, module, periods, hears, steps):
    """The outputs of one clockwork net, unit by unit."""
    N = len(module)
    h, outputs = [0.0] * N, []
    for t in range(steps):
        new = list(h)
        for i in range(N):
            if t % periods[i] == 0:
                heard = [W[i, j] * h[j] for j in range(N) if hears(module[i], module[j])]
                new[i] = math.tanh(sum(heard) + W[i, N])
        h = new
        outputs.append(sum(v[j] * h[j] for j in range(N)) + v[N])
    return outputs


CLOCKS = {  # periods, and whether a module i hears a module j
    "cw": ((1, 2, 4, 8, 16), lambda i, j: j >= i),
    "no_clock": ((1, 1, 1, 1, 1), lambda i, j: j >= i),
    "no_mask": ((1, 2, 4, 8, 16), lambda i, j: True),
    "reversed": ((1, 2, 4, 8, 16), lambda i, j: j <= i),
    "linear": ((1, 4, 7, 10, 13), lambda i, j: j >= i),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_clockwork_ticks_as_written_unit_by_unit(name):
    net, theta = drawn(name, seed=2)
    periods, hears = CLOCKS[name]
    y = net.forward(theta, STEPS)
    module = [k // 2 for k in range(10)]
    for r in range(2):
        W, v = theta[r, :110].reshape(10, 11), theta[r, 110:]
        slow = literal_clock(W, v, module, np.repeat(periods, 2), hears, STEPS)
        np.testing.assert_allclose(y[r], slow, atol=1e-12)
        count = sum(hears(i, j) for i in module for j in module) + 10 + 11
        assert net.parameters() == count == np.count_nonzero(theta[r])


def test_a_plain_net_is_a_clockwork_with_one_module():
    theta = drawn("srn")[1]
    y = Srn(5).forward(theta, STEPS)
    W, v = theta[0, :30].reshape(5, 6), theta[0, 30:]
    slow = literal_clock(W, v, [0] * 5, [1] * 5, lambda i, j: True, STEPS)
    np.testing.assert_allclose(y[0], slow, atol=1e-12)
    np.testing.assert_allclose(Clockwork(5, 1).forward(theta, STEPS), y, atol=1e-12)


def test_an_lstm_is_as_written_cell_by_cell():
    net, theta = drawn("lstm", seed=3)
    y = net.forward(theta, STEPS)
    W, v = theta[1, :80].reshape(4, 4, 5), theta[1, 80:]
    h, c = [0.0] * 4, [0.0] * 4
    logistic = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731
    for t in range(STEPS):
        last = [*h, 1.0]
        for k in range(4):
            o, i, f, g = (sum(W[gate, k, j] * last[j] for j in range(5)) for gate in range(4))
            c[k] = logistic(f) * c[k] + logistic(i) * math.tanh(g)
            h[k] = logistic(o) * math.tanh(c[k])
        assert y[1, t] == pytest.approx(sum(v[k] * h[k] for k in range(4)) + v[4], abs=1e-12)


def test_slow_modules_tick_at_the_first_step_and_then_rarely():
    net = Clockwork(9, 9)
    times = [[t for t in range(320) if net.clock(t)[0].stop > i] for i in range(9)]
    assert times[0] == list(range(320)) and times[8] == [0, 256]
    assert all(times[i] == list(range(0, 320, 2**i)) for i in range(9))


def test_sizes_of_the_nets_within_each_budget():
    counts = {
        budget: [net.parameters() for net, _ in kinds(Config(budget=budget)).values()]
        for budget in (1000, 500, 250, 100)
    }
    assert counts[1000] == [793, 961, 976]  # clockwork, plain net, LSTM
    assert counts == counts | {500: [460, 484, 451], 250: [217, 225, 232], 100: [64, 100, 85]}
    assert [net.units for net, _ in kinds(Config()).values()] == [36, 30, 15]
    assert largest(Srn, 961).units == 30 and largest(Srn, 960).units == 29
    for net, _ in kinds(Config()).values():
        theta = net.draw(np.random.default_rng(0), 1, Config())
        assert np.count_nonzero(theta) == net.parameters()


def test_weights_start_as_wide_as_told():
    net, config = Lstm(30), Config(weight_scale=0.5)
    W, v = net.weights(net.draw(np.random.default_rng(0), 20, config))
    assert W[:, :, :30].std() == pytest.approx(0.5 * 30**-0.5, rel=0.02)
    assert v[:, :30].std() == pytest.approx(0.5 * 30**-0.5, rel=0.1)
    biases = W[:, :, 30].reshape(20, 4, 30)
    assert biases[:, 2].mean() == pytest.approx(config.forget_bias, abs=0.02)
    assert np.delete(biases, 2, 1).std() == pytest.approx(0.1, rel=0.1)
    assert abs(np.delete(biases, 2, 1).mean()) < 0.01


# ---- the task ----
def test_a_waveform_is_a_chord_with_a_damped_resonance_on_top():
    config = Config(steps=200)
    y = waveform(np.random.default_rng(5), config)
    rng = np.random.default_rng(5)
    chord, seconds = np.zeros(200), np.arange(200) / 44100
    pitches = rng.choice([110, 165, 220, 330, 440, 550, 660], 3, replace=False)
    for pitch in pitches:
        amplitude = rng.uniform(0.5, 1.5, 8)
        phase = rng.uniform(0, 2 * math.pi, 8)
        tau = rng.uniform(0.004, 0.020)
        for k in range(8):
            a = amplitude[k] / (k + 1) ** 1.2 * np.exp(-seconds / tau)
            chord += a * np.sin(2 * math.pi * (k + 1) * pitch * seconds + phase[k])
    frequency, start, resonance = rng.uniform(1500, 3000), 0.0, np.zeros(200)
    while start < seconds[-1]:
        since = seconds[seconds >= start] - start
        hit = np.exp(-since / 0.001) * np.sin(2 * math.pi * frequency * since)
        resonance[seconds >= start] += hit
        start += 1 / min(pitches)
    whole = chord / abs(chord).max() + 0.3 * resonance / abs(resonance).max()
    np.testing.assert_allclose(y, whole / abs(whole).max(), atol=1e-6)
    assert len(set(pitches.tolist())) == 3
    assert waveform(np.random.default_rng(6), config).tolist() != y.tolist()


def test_the_best_constant_has_an_nmse_of_one():
    targets = np.random.default_rng(0).uniform(-3, 1, (2, 50))
    constant = targets.mean(1, keepdims=True)
    np.testing.assert_allclose(nmse(constant, targets), 1)
    np.testing.assert_allclose(nmse(constant + 2 * targets.std(1, keepdims=True), targets), 5)
    assert nmse(targets, targets).tolist() == [0, 0]


# ---- training ----
def literal_adam(net, theta, target, rate, config):
    """Weights after the epochs of one net (P,)."""
    m, s = np.zeros_like(theta), np.zeros_like(theta)
    for k in range(config.epochs):
        y = net.forward(theta[None], config.steps)
        g = net.backward((y - target) / config.steps)[0]
        size = math.sqrt(sum(g * g))
        g = g if size <= config.clip else g * config.clip / size
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g * g
        low = rate / 30
        now = low + (rate - low) * (1 + math.cos(math.pi * k / config.epochs)) / 2
        step = now / (1 - 0.9 ** (k + 1))
        theta = theta - step * m / (np.sqrt(s) / math.sqrt(1 - 0.999 ** (k + 1)) + 1e-8)
    return theta


@pytest.mark.parametrize("clip", [1.0, 0.01])
def test_training_is_adam_on_clipped_gradients_with_a_falling_rate(clip):
    net, theta = drawn("cw", seed=7)
    config = replace(small, epochs=6, clip=clip)
    targets = np.random.default_rng(8).standard_normal((2, STEPS))
    rates = np.array([0.01, 0.03])
    wanted = [literal_adam(net, theta[r], targets[r], rates[r], config) for r in range(2)]
    seen = []
    y = train(net, theta, targets, rates, config, lambda *what: seen.append(what))
    np.testing.assert_allclose(theta, wanted, rtol=1e-5, atol=1e-6)
    assert [epoch for epoch, _ in seen] == list(range(7)) and seen[-1][1] is y
    np.testing.assert_allclose(y, net.forward(theta, STEPS))


def test_a_clockwork_learns_a_short_waveform_and_the_best_constant_has_more_error():
    config = Config(budget=200, modules=4, steps=40, epochs=200, nets=1)
    targets = waveform(np.random.default_rng(0), config)[None]
    net, rates = kinds(config)["cw"]
    best = cw.compete(net, rates, targets, config, np.random.default_rng(1), silent)
    assert best.nmse.mean() < 0.1 and best.curve[0] > 0.5


# ---- the wiring of a run ----
@pytest.fixture
def trained(monkeypatch):
    """What each call of train was given and returned."""
    calls = []

    def spy(net, theta, targets, rates, config, watch):
        starts = theta.copy()
        y = train(net, theta, targets, rates, config, watch)
        calls.append((net, starts, theta, targets, rates, config, y))
        return y

    monkeypatch.setattr(cw, "train", spy)
    monkeypatch.setattr(study, "compete", cw.compete)
    return calls


def best_of(call, nets):
    """The best rate and the errors (targets, nets) at it, computed once more from the weights."""
    net, _, theta, targets, rates, config, _ = call
    error = nmse(net.forward(theta, config.steps), targets).reshape(3, -1, nets)
    best = error.mean((1, 2)).argmin()
    return rates.reshape(3, -1)[best, 0], error[best]


def test_each_kind_gets_the_same_waveforms_epochs_and_number_of_tries(trained):
    config = replace(small, nets=2)
    table = run(config, 4, silent)
    assert [type(call[0]) for call in trained] == [Clockwork, Srn, Lstm]
    for call, rates in zip(trained, (config.rates_cw, config.rates_srn, config.rates_lstm)):
        net, starts, theta, targets, tried, given, y = call
        assert given == config and net.parameters() <= config.budget
        assert targets.shape == (3 * 5 * 2, STEPS)
        assert targets.tolist() == trained[0][3].tolist()
        assert tried.tolist() == np.repeat(rates, 10).tolist()
        by_rate = starts.reshape(3, 10, -1)
        assert (by_rate == by_rate[0]).all() and len(np.unique(starts[:, 0])) == 10
        assert (theta != starts).any(1).all()
    waves = trained[0][3].reshape(3, 5, 2, STEPS)
    assert (waves == waves[:1, :, :1]).all()
    assert len({wave.tobytes() for wave in waves[0, :, 0]}) == 5
    sounds = np.random.default_rng(np.random.SeedSequence(4).spawn(4)[3])
    assert waves[0, 0, 0].tolist() == waveform(sounds, config).tolist()
    assert len(table["curve"]["x"]) == len(table["curve"]["y"]) == 4


def test_no_two_random_streams_start_alike(trained, monkeypatch):
    starts = []
    real = np.random.default_rng

    def spy(stream):
        starts.append(real(stream).random())
        return real(stream)

    monkeypatch.setattr(np.random, "default_rng", spy)
    run(small, 4, silent)
    run(small, 5, silent)
    study.run(study.Config(**study.QUICK | {"epochs": 1}), 4, silent)
    assert len(starts) == len(set(starts)) == 4 + 4 + 12
    kinds_of = [(type(call[0]), call[1].shape) for call in trained]
    assert len(kinds_of) == 3 + 3 + 11
    first = {call[1][:, :1].tobytes() for call in trained}
    scaled = [call[1][0, 1] / call[1][0, 0] for call in trained]
    assert len(first) == len({round(float(ratio), 5) for ratio in scaled}) == 17


def test_the_table_says_what_the_trained_nets_do(trained):
    table = run(replace(small, nets=2, epochs=5), 9, silent)
    errors = {}
    for name, call in zip(("cw", "srn", "lstm"), trained):
        rate, errors[name] = best_of(call, 2)
        assert table[name]["rate"] == rate
        assert table[name]["nmse"] == pytest.approx(errors[name].mean(), rel=1e-5)
    for name in ("srn", "lstm"):
        by_target = [
            math.log10(sum(errors[name][k]) / 2) - math.log10(sum(errors["cw"][k]) / 2)
            for k in range(5)
        ]
        assert table[name]["log_gap"] == pytest.approx(sum(by_target) / 5, rel=1e-4)
    net, starts, _, targets, *_ = trained[0]
    untrained = readout_nmse(net, starts[:10], targets[:10], small).mean()
    assert table["cw"]["untrained_nmse"] == pytest.approx(untrained)
    ratio = table["cw"]["untrained_nmse"] / table["cw"]["nmse"]
    assert table["cw"]["untrained_ratio"] == pytest.approx(ratio)
    first = nmse(net.forward(starts, STEPS), targets).reshape(3, 10).mean(1)[0]
    assert table["curve"]["y"][0] == pytest.approx(first, rel=1e-5)
    assert table["curve"]["y"][-1] == pytest.approx(table["cw"]["nmse"], rel=1e-5)
    assert table["curve"]["x"] == [0, 1, 2, 3, 4, 5]


def test_a_net_is_told_nothing_but_its_weights(trained, monkeypatch):
    asked = []
    forward = Srn.forward

    def spy(self, *given):
        asked.append([np.shape(part) for part in given])
        y = forward(self, *given)
        assert not self.h[0, :, :-1].any() and (self.h[:, :, -1] == 1).all()
        return y

    monkeypatch.setattr(Srn, "forward", spy)
    run(small, 1, silent)
    assert len(asked) == 3 * 4 + 1
    assert all(len(given) == 2 and given[1] == () for given in asked)  # theta and a number


def test_the_readout_is_the_best_there_is():
    net, theta = drawn("cw")
    states = np.random.default_rng(0).standard_normal((2, 11))
    net.forward(theta, STEPS)
    exact = (net.states() @ states[:, :, None])[:, :, 0]
    assert readout_nmse(net, theta, exact, small).max() < 1e-12
    noise = np.random.default_rng(1).standard_normal((2, STEPS))
    error = readout_nmse(net, theta, noise, small)
    own = nmse(net.forward(theta, STEPS), noise)
    assert (error < own).all() and (error > 0).all() and (error < 1).all()


def test_runs_repeat_and_other_seeds_differ():
    runs = [run(Config(**QUICK | {"epochs": 2}), seed, silent)["curve"] for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]
    assert marks(Config(epochs=1000))[:3] == [0, 10, 20] and len(marks(Config(epochs=777))) == 101


# ---- the study ----
def result(*errors):
    """A result with one net for each target."""
    return Result(0.1, np.array(errors)[:, None], None, None, None, 1.0)


def test_a_gap_is_the_mean_over_pairs_of_one_target():
    assert log_gap(result(0.1, 1.0), result(0.01, 0.001)) == pytest.approx(2)
    assert log_gap(result(0.01), result(0.1)) == pytest.approx(-1)
    two = Result(0.1, np.array([[0.02, 0.18]]), None, None, None, 1.0)
    assert log_gap(two, result(0.01)) == pytest.approx(1)


def test_the_smallest_gap_is_to_the_better_rival_at_the_worst_size():
    config = study.Config(budgets=(100, 250), nets=1, steps=32)
    net_starts = [
        net.draw(np.random.default_rng(0), 1, config)
        for net in (kinds(replace(config, budget=b))["cw"][0] for b in (100, 250))
    ]
    ours = [result(e)._replace(start=s) for e, s in zip((0.01, 0.02), net_starts)]
    results = {"cw": ours, "srn": [result(1.0), result(0.1)], "lstm": [result(0.1), result(1.0)]}
    targets = waveform(np.random.default_rng(0), config)[None]
    table = study.table_of_sizes(config, targets, results)
    assert table["cw"]["gap"] == pytest.approx([1.0, math.log10(5)])
    assert table["smallest_gap"] == pytest.approx(math.log10(5))
    assert table["lstm"]["nmse"] == [0.1, 1.0] and table["cw"]["parameters"] == [64, 217]
    alone = readout_nmse(
        kinds(replace(config, budget=250))["cw"][0], net_starts[1], targets, config
    )
    assert table["cw"]["untrained_nmse"][1] == pytest.approx(alone[0])


def test_the_study_trains_each_net_as_named(trained):
    config = study.Config(**study.QUICK | {"epochs": 2})
    table = study.run(config, 4, silent)
    classes = [Clockwork, Srn, Lstm, Clockwork, Srn, Lstm, Clockwork]
    classes += [study.NoClock, study.NoMask, study.Reversed, study.Linear]
    assert [type(call[0]) for call in trained] == classes
    budgets = [60] * 3 + [100] * 3 + [config.budget] * 5
    for call, budget in zip(trained, budgets, strict=True):
        assert call[0].parameters() <= budget and call[5].epochs == 2
        assert call[3].tolist() == trained[0][3].tolist()
        grown = largest(lambda n, net=call[0]: remade(net, n, config), budget, step_of(call[0]))
        assert grown.units == call[0].units
    for name, call in zip(("cw", "srn", "lstm"), trained[3:6]):
        rate, error = best_of(call, 1)
        assert table[name]["nmse"][1] == pytest.approx(error.mean(), rel=1e-5)
        assert table[name]["rate"][1] == rate and table[name]["parameters"][1] <= 100
    errors = {name: best_of(call, 1)[1] for name, call in zip(study.variants(config), trained[6:])}
    for name, error in errors.items():
        gap = np.log10(error.mean(1)).mean() - np.log10(errors["reference"].mean(1)).mean()
        assert table[name]["log_gap"] == pytest.approx(gap, abs=1e-4)


def step_of(net):
    """In which steps the number of units of a net may grow."""
    return 6 if isinstance(net, Clockwork) else 1


def remade(net, units, config):
    """A net like this one with another number of units."""
    if isinstance(net, study.Linear):
        return study.Linear(units, 6, config.gap)
    return type(net)(units, 6) if isinstance(net, Clockwork) else type(net)(units)


@pytest.mark.parametrize("name", ["srn", "lstm", "cw"])
def test_the_reach_of_a_gradient_is_that_of_a_nudged_state(name):
    net, theta = drawn(name, count=1)
    config = study.Config(steps=12)
    logs = study.reach(net, theta, config)
    assert study.lags(config).tolist() == list(range(12))
    weights = net.weights(theta)
    for lag in (0, 1, 5):
        t, slopes = 11 - lag, []
        for unit in range(net.units):
            ends = [nudged(net, weights, t, unit, step) for step in (1e-6, -1e-6)]
            slopes.append((ends[0] - ends[1]) / 2e-6)
        assert 10 ** logs[lag] == pytest.approx(math.sqrt(sum(s * s for s in slopes)), rel=1e-5)


def nudged(net, weights, t, unit, step):
    """The last of 12 outputs of a net if a state (of an LSTM: a cell) is moved after step t."""
    W, v = weights[0][0], weights[1][0, :, 0]
    N = net.units
    h, c = np.zeros(N), np.zeros(N)
    for now in range(12):
        z = W @ np.append(h, 1.0)
        if isinstance(net, Lstm):
            o, i, f = 1 / (1 + np.exp(-z[: 3 * N].reshape(3, N)))
            c = f * c + i * np.tanh(z[3 * N :])
            c[unit] += step * (now == t)
            h = o * np.tanh(c)
        else:
            periods = getattr(net, "periods", np.ones(N))
            h = np.where(now % periods == 0, np.tanh(z), h)
            h[unit] += step * (now == t)
    return v[:N] @ h + v[N]


# ---- unusable arguments ----
def test_settings_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="--budget"):
        Config(budget=63)
    assert Config(budget=64).budget == 64
    with pytest.raises(ValueError, match="--rates-cw"):
        Config(rates_lstm=(0.1,))
    with pytest.raises(ValueError, match="--budget"):
        study.Config(budgets=(100, 50))


@pytest.mark.parametrize(
    "argv",
    [
        ["--budget", "20"],
        ["--modules", "0"],
        ["--notes", "8"],
        ["--rates-cw", "0"],
        ["--clip", "nan"],
        ["--epochs", "many"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        cw.main(cw, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
