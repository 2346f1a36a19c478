"""Tests of nbb_xor: the rule against a slow reading of the paper, the conservation law, the bookkeeping of train."""
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbb_xor
from nbb_xor import (ARCHITECTURES, CONTROLS, PATTERNS, QUICK, STREAKS, TARGETS, BucketBrigade, Config, Variant, guess,
                     main, run, summary, train, winner)

SUBSETS = [(3,), *ARCHITECTURES.values()]
SWITCHES = list(itertools.product((True, False), (True, False)))  # direct, redistribute


# ---- the oracle: one net, unit by unit, from the paper's equations ---------------------------------------------------
class Oracle:
    """Units 0, 1, 2 are inputs, then come the hidden units, then two outputs; w[i, j] is the weight from i to j."""

    def __init__(self, to_hidden, to_output, subsets, lam, eta, direct, redistribute):
        self.lam, self.eta, self.redistribute, size = lam, eta, redistribute, sum(subsets)
        self.outputs = [3 + size, 4 + size]
        self.competing, unit = [self.outputs], 3
        for many in subsets:
            self.competing.insert(-1, list(range(unit, unit + many)))
            unit += many
        self.w = {(i, 3 + j): float(to_hidden[i, j]) for i in range(3) for j in range(size)}
        self.w |= {(i, self.outputs[k]): float(to_output[i, k]) for i in range(3 + size) for k in range(2)
                   if i >= 3 or direct}

    def cycle(self, pattern, target=None):
        """Six ticks from silence; without a target nothing is learned. Returns the units that fired, per tick."""
        x = dict.fromkeys(range(self.outputs[1] + 1), 0.0)  # x(0)
        before = dict.fromkeys(self.w, 0.0)  # c(0)
        fired = []
        for _ in range(6):
            c = {(i, j): x[i] * w for (i, j), w in self.w.items()}  # c(t), from x(t-1) and w(t-1)
            x = dict.fromkeys(x, 0.0) | {i: float(pattern[i]) for i in range(3)}  # x(t)
            for subset in self.competing:
                net = {j: sum(c[h, k] for h, k in c if k == j) for j in subset}
                best = max(net, key=net.get)
                x[best] = 1.0 if net[best] > 0 else 0.0
            fired.append({j for j in x if j >= 3 and x[j]})
            if target is not None:
                self.w = {edge: w + self.change(edge, c, before, x, target) for edge, w in self.w.items()}
            before = c
        return fired

    def change(self, edge, c, before, x, target):
        i, j = edge
        change = -self.lam * c[i, j] * x[j]
        total = sum(before[h, k] for h, k in before if k == j)
        if self.redistribute and total > 0:
            change += before[i, j] / total * sum(self.lam * c[h, k] * x[k] for h, k in c if h == j)
        if j == self.outputs[target] and x[j] == 1:
            change += self.eta * c[i, j]
        return change

    def arrays(self):
        """Its weights in the shapes of BucketBrigade, missing connections as zeros: (3, H), (3 + H, 2)."""
        size = self.outputs[0] - 3
        return (np.array([[self.w[i, 3 + j] for j in range(size)] for i in range(3)]).reshape(3, size),
                np.array([[self.w.get((i, k), 0.0) for k in self.outputs] for i in range(3 + size)]))


def random_nets(rng, subsets, low=0.1, high=2.0, dtype=np.float64, lam=0.05, direct=None, redistribute=None, nets=8):
    """A batch with weights in [low, high], eta unlike lam, and all four settings of the two switches among the nets."""
    H = sum(subsets)
    eta = rng.uniform(0.0, 0.2, nets)
    direct = np.resize([a for a, _ in SWITCHES], nets) if direct is None else np.full(nets, direct)
    redistribute = np.resize([b for _, b in SWITCHES], nets) if redistribute is None else np.full(nets, redistribute)
    to_hidden = rng.uniform(low, high, (3, H, nets)).astype(dtype)
    to_output = rng.uniform(low, high, (3 + H, 2, nets)).astype(dtype)
    brigade = BucketBrigade(to_hidden, to_output, subsets, lam, eta, direct, redistribute)
    return brigade, [Oracle(to_hidden[:, :, s], to_output[:, :, s], subsets, lam, eta[s], direct[s], redistribute[s])
                     for s in range(nets)]


@pytest.mark.parametrize("subsets", SUBSETS)
@pytest.mark.parametrize("spread", [(0.1, 2.0), (0.99, 1.01)])
def test_the_rule_is_the_papers(subsets, spread):
    rng = np.random.default_rng(len(subsets) + sum(subsets))
    brigade, oracles = random_nets(rng, subsets, *spread)
    start = brigade.substance()
    for _ in range(12):
        drawn = rng.integers(4, size=len(oracles))
        target = rng.integers(2, size=len(oracles))  # any target: the rule must not know the task
        seen = []

        def watch(tick, hidden, output, *_, seen=seen):
            seen.append((tick, np.concatenate([hidden, output])))

        brigade.present(PATTERNS.T[:, drawn], target, 6, watch)
        assert [tick for tick, _ in seen] == [2, 3, 4, 5, 6]
        for s, oracle in enumerate(oracles):
            fired = oracle.cycle(PATTERNS[drawn[s]], target[s])
            assert fired[0] == set()
            assert fired[1:] == [set(3 + np.flatnonzero(units[:, s])) for _, units in seen]
            to_hidden, to_output = oracle.arrays()
            np.testing.assert_allclose(brigade.to_hidden[:, :, s], to_hidden, rtol=0, atol=1e-12)
            np.testing.assert_allclose(brigade.to_output[:, :, s], to_output, rtol=0, atol=1e-12)
    returning = brigade.redistribute == 1
    gain = brigade.substance() - start
    np.testing.assert_allclose(gain[returning], (brigade.injected - brigade.lost)[returning], rtol=0, atol=1e-11)


@pytest.mark.parametrize("subsets", SUBSETS)
def test_answers_are_the_winners_of_the_last_three_ticks(subsets):
    brigade, oracles = random_nets(np.random.default_rng(3), subsets, nets=40)
    answers = brigade.answers()
    assert answers.shape == (4, 40)
    for (p, pattern), (s, oracle) in itertools.product(enumerate(PATTERNS), enumerate(oracles)):
        if sum(subsets) or brigade.to_output[:3, :, s].any():  # a net without any path to the outputs stays silent
            fired = oracle.cycle(pattern)
            for tick in (4, 5, 6):
                assert fired[tick - 1] & set(oracle.outputs) == {oracle.outputs[answers[p, s]]}


def test_answers_change_nothing():
    brigade, _ = random_nets(np.random.default_rng(0), (3,))

    def state():
        return [part.tobytes() for part in (brigade.to_hidden, brigade.to_output, brigade.injected, brigade.lost)]

    before = state()
    brigade.answers()
    assert state() == before


def test_a_case_worked_by_hand():
    """Pattern (1, 0, 1), lambda 0.1, eta 0.2, output 1 correct; hidden unit 0 and output 1 win at both ticks.

    Tick 2: unit 0 is fed 3 + 1 and takes 0.3 and 0.1; output 1 is fed 1 + 2, takes 0.1 and 0.2, is paid 0.2 and 0.4.
    Tick 3: unit 0 takes 0.27 and 0.09. Output 1 is fed 1.1 + 2.2 + 4 and takes 0.11, 0.22 and 0.4; the 0.4 is unit 0's
    income, which it hands on 3 : 1, as 0.3 and 0.1. From outside come 0.22, 0.44 and 0.8.
    """
    to_hidden = np.array([[3.0, 1.0, 0.5], [1.0, 1.0, 0.5], [1.0, 1.0, 0.5]])
    to_output = np.array([[0.5, 1.0], [9.0, 9.0], [0.5, 2.0], [1.0, 4.0], [7.0, 7.0], [7.0, 7.0]])
    one = np.ones(1)
    brigade = BucketBrigade(to_hidden[:, :, None], to_output[:, :, None], (3,), 0.1, 0.2 * one, one, one)
    brigade.present(np.array([[1.0], [0.0], [1.0]]), np.array([1]), 3)
    to_hidden[[0, 2], 0] = 2.73, 0.91
    to_output[[0, 2, 3], 1] = 1.21, 2.42, 4.4
    np.testing.assert_allclose(brigade.to_hidden[:, :, 0], to_hidden, rtol=0, atol=1e-14)
    np.testing.assert_allclose(brigade.to_output[:, :, 0], to_output, rtol=0, atol=1e-14)
    assert brigade.injected[0] == pytest.approx(2.06, abs=1e-14)
    assert brigade.lost[0] == pytest.approx(1.39, abs=1e-14)


# ---- properties that hold for every net ------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), subsets=st.lists(st.integers(1, 4), max_size=3).map(tuple),
       ticks=st.integers(5, 9), lam=st.floats(1e-6, 0.5),
       patterns=st.lists(st.tuples(*[st.sampled_from([0.0, 1.0])] * 3), min_size=5, max_size=5))
def test_substance_is_conserved_at_every_tick(seed, subsets, ticks, lam, patterns):
    rng = np.random.default_rng(seed)
    brigade, _ = random_nets(rng, subsets, 0.01, 10.0, lam=lam, redistribute=True, nets=5)
    before = brigade.substance()

    def watch(tick, hidden, output, paid_hidden, paid_output, returned, external):
        nonlocal before
        now = brigade.substance()
        paid_by_inputs = paid_hidden.sum((0, 1)) + paid_output[:3].sum((0, 1))
        np.testing.assert_allclose(now - before, external.sum((0, 1)) - paid_by_inputs, rtol=0, atol=1e-11)
        np.testing.assert_allclose(returned.sum(0), paid_output[3:].sum(1), rtol=0, atol=1e-11)  # all of it
        assert (brigade.to_hidden > 0).all() and (brigade.to_output >= 0).all()
        assert set(np.unique(hidden)) | set(np.unique(output)) <= {0.0, 1.0}
        for units in (*np.split(hidden, np.cumsum(subsets)[:-1]), output):
            assert (units.sum(0) <= 1).all()  # winner takes all
        before = now

    for _ in range(3):
        brigade.present(np.array(patterns).T, rng.integers(2, size=5), ticks, watch)
    assert np.isfinite(before).all()
    silent = ~np.array(patterns).any(1)  # nothing comes in: nothing fires and nothing is paid
    assert (brigade.lost[silent] == 0).all() and (brigade.injected[silent] == 0).all()


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_winner_is_the_largest_positive_input(rows):
    net = np.array(rows, float)
    won = winner(net)
    assert won.shape == net.shape
    for unit, column in zip(won.T, net.T, strict=True):
        assert unit.sum() == (column.max() > 0)
        assert not unit.any() or column[unit.argmax()] == column.max()


def test_the_task_is_xor():
    table = {(int(x1), int(x2)): int(target) for (x1, x2, _), target in zip(PATTERNS, TARGETS, strict=True)}
    assert list(table.items()) == [((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)]
    assert (PATTERNS[:, 2] == 1).all()


# ---- training: what is drawn, and what is written down ---------------------------------------------------------------
def test_the_controls_see_the_same_weights_and_patterns():
    config = Config(nets=4, presentations=120, follow=20)
    drawn, alone = [], []
    together = train(config, 5, (3,), list(CONTROLS.values()), callback=lambda n, d, *_: drawn.append(d.reshape(-1, 4)))
    lone = train(config, 5, (3,), [Variant()], callback=lambda n, d, right, b: (b.answers(), alone.append(d)))
    for name, value in lone.items():
        assert value.shape == (1, 4)
        np.testing.assert_array_equal(value[0], together[name][0])
    rows = np.array(drawn)  # (120, variants, nets)
    np.testing.assert_array_equal(rows[:, 0], np.array(alone))
    permuted = [variant.permuted for variant in CONTROLS.values()]
    assert (rows[:, ~np.array(permuted)] == rows[:, :1]).all()
    assert (np.sort(rows[:, permuted].reshape(30, 4, 4), axis=1) == np.arange(4)[:, None]).all()
    assert len(np.unique(rows[:4, permuted].reshape(4, 4), axis=1).T) > 1  # each net has an order of its own
    counts = np.bincount(rows[:, 0].ravel(), minlength=4)
    assert (counts > 80).all() and counts.sum() == 480  # uniform: 120 expected


def test_the_callback_sees_the_truth():
    """train() against its own raw material: the patterns it drew, replayed on the oracle."""
    config, log = Config(nets=2, presentations=40, lam=0.02, eta=0.03), []
    start = {}

    def callback(n, drawn, right, brigade):
        log.append((n, drawn.copy(), right.copy(), brigade.to_hidden.copy(), brigade.to_output.copy()))

    class Spy(BucketBrigade):
        def __init__(self, to_hidden, to_output, *args):
            start.update(to_hidden=to_hidden.copy(), to_output=to_output.copy(), args=args)
            super().__init__(to_hidden, to_output, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbb_xor, "BucketBrigade", Spy)
        train(config, 1, (3,), [Variant(), Variant(eta=2.0)], callback=callback)
    for weights in (start["to_hidden"], start["to_output"]):
        assert weights.min() >= 0.999 and weights.max() <= 1.001 and np.ptp(weights) > 0.001
    np.testing.assert_array_equal(start["args"][2], [0.03, 0.03, 0.06, 0.06])
    for s, eta in enumerate(start["args"][2]):
        oracle = Oracle(start["to_hidden"][:, :, s], start["to_output"][:, :, s], (3,), 0.02, eta, True, True)
        for n, (count, drawn, right, to_hidden, to_output) in enumerate(log, 1):
            assert count == n
            oracle.cycle(PATTERNS[drawn[s]], TARGETS[drawn[s]])
            assert np.abs(oracle.arrays()[0] - to_hidden[:, :, s]).max() < 1e-12
            assert np.abs(oracle.arrays()[1] - to_output[:, :, s]).max() < 1e-12
            says = [max(oracle.cycle(pattern)[-1]) - oracle.outputs[0] for pattern in PATTERNS]
            assert right[s] == sum(a == b for a, b in zip(says, TARGETS, strict=True))


def test_first_stable_and_uptime_on_a_scripted_case(monkeypatch):
    """Two nets whose answers are read from a script: right at the listed presentations, three right otherwise."""
    script = [{3, 5, 6, 7, 8, 12} | set(range(20, 30)), {9} | set(range(40, 90))]
    calls = []

    class Scripted(BucketBrigade):
        def answers(self):
            calls.append(len(calls) + 1)
            says = np.tile(TARGETS[:, None], 2)
            for s, good in enumerate(script):
                says[1, s] ^= calls[-1] not in good  # one pattern wrong
                says[2, s] ^= calls[-1] < 3  # at first, two
            return says

    monkeypatch.setattr(nbb_xor, "BucketBrigade", Scripted)
    out = train(Config(nets=2, presentations=200, follow=80), 0, (3,), [Variant()])
    out = {name: value[0] for name, value in out.items()}
    assert out["first"].tolist() == [3, 9]
    assert out["stable4"].tolist() == [8, 43]
    assert out["stable10"].tolist() == [29, 49]
    assert out["stable50"].tolist() == [0, 89]
    assert out["most_right"].tolist() == [4, 4]
    assert out["uptime"].tolist() == [15 / 80, 50 / 80]  # presentations 4 to 83, and 10 to 89
    assert out["stable2"].tolist() == [6, 41]
    assert out["stable3"].tolist() == [7, 42]
    assert out["late_uptime"].tolist() == [0, 0]  # of presentations 121 to 200
    assert len(calls) == 200

    calls.clear()
    script[1] = {50}
    out = train(Config(nets=2, presentations=60, follow=80), 0, (3,), [Variant()])
    assert len(calls) == 60 and out["first"].tolist() == [[3, 50]]
    assert out["uptime"].tolist() == [[15 / 57, 0.0]]  # watched to the cap only
    assert out["late_uptime"].tolist() == [[16 / 60, 1 / 60]]

    calls.clear()
    script[1] = {49, 50}
    out = train(Config(nets=2, presentations=60, follow=11), 0, (3,), [Variant()])
    assert out["late_uptime"].tolist() == [[0, 1 / 11]]  # 50 is the first of the last 11

    calls.clear()
    script[1] = set()
    out = train(Config(nets=2, presentations=2, follow=80), 0, (3,), [Variant()])
    assert out["first"].tolist() == [[0, 0]] and out["most_right"].tolist() == [[2, 2]]
    assert out["uptime"].tolist() == [[0, 0]]


def test_summary_counts_the_solved_only():
    outcome = {"first": np.array([[9], [3]]), "stable4": np.array([[0], [7]]), "stable10": np.array([[0], [0]]),
               "stable50": np.array([[0], [0]]), "uptime": np.array([[0.5], [0.25]]),
               "late_uptime": np.array([[0.0], [0.5]])}
    outcome = {name: np.concatenate([value, value * 0], axis=1) for name, value in outcome.items()}
    assert summary("a_", outcome, 0) == {"a_first_nets": 1, "a_first_mean": 9.0, "a_stable4_nets": 0,
                                         "a_stable4_mean": None, "a_stable50_nets": 0, "a_stable50_mean": None,
                                         "a_uptime": 0.25, "a_late_uptime": 0.0}
    assert summary("", outcome, 1, (4, 10))["stable10_nets"] == 0


# ---- the experiment --------------------------------------------------------------------------------------------------
def test_nets_learn_and_the_controls_fail():
    config = Config(nets=20, presentations=1400, follow=200)
    out = train(config, 0, (3,), [CONTROLS[name] for name in ("", "no_direct_", "double_eta_", "no_return_")])
    first, stable = (out["first"] > 0).sum(1), (out["stable4"] > 0).sum(1)
    assert first[0] == 20 and 400 < out["first"][0].mean() < 850
    assert stable[0] >= 18 and (out["stable4"][0] >= out["first"][0] + 3)[out["stable4"][0] > 0].all()
    assert first[1] <= 10  # without direct connections it takes far longer
    assert first[2] <= 10  # paid more than it hands on, an early wrong partition locks in
    assert stable[3] < stable[0]
    assert out["residual"][[0, 1, 2]].max() <= 1e-10
    assert out["residual"][3].min() > 1e-3  # what is not passed back is missing
    assert 0.02 < out["uptime"][0].mean() < 0.2  # solutions come and go


@pytest.mark.parametrize("seed", [0, 1])
def test_no_single_layer_solves_xor(seed):
    out = train(Config(nets=50, presentations=600), seed, (), [Variant()])
    assert out["most_right"].max() == 3 and not out["first"].any()


def test_float32():
    out = train(Config(nets=20, presentations=1400, follow=100), 0, (3,), [Variant()], np.float32)
    assert (out["first"] > 0).sum() >= 19 and 400 < out["first"].mean() < 850
    assert 1e-9 < out["residual"].max() < 1e-3
    brigade, _ = random_nets(np.random.default_rng(0), (3,), dtype=np.float32)
    other, _ = random_nets(np.random.default_rng(0), (3,))
    for b in (brigade, other):
        b.present(PATTERNS.T[:, [0, 1, 2, 3, 0, 1, 2, 3]].astype(b.to_hidden.dtype), TARGETS[[0, 1, 2, 3] * 2], 6)
    assert brigade.to_hidden.dtype == brigade.to_output.dtype == np.float32
    np.testing.assert_allclose(brigade.to_output, other.to_output, rtol=1e-5)


def test_guessing_is_rare_but_not_hopeless():
    luck = guess(Config(guesses=20000), 4)
    assert luck == guess(Config(guesses=20000), 4)
    rng = np.random.default_rng(11)
    weights = [(rng.random((3, 3)), rng.random((6, 2))) for _ in range(1500)]
    oracles = [Oracle(*pair, (3,), 0.1, 0.1, True, True) for pair in weights]
    hits = sum(all(max(oracle.cycle(pattern)[-1]) == oracle.outputs[target]
                   for pattern, target in zip(PATTERNS, TARGETS, strict=True)) for oracle in oracles)
    assert abs(luck - hits / 1500) < 4 * np.sqrt(luck / 1500)


def test_run_reports_what_train_found(monkeypatch):
    calls = []

    def spy(config, seed, subsets, variants, dtype=np.float64, *args):
        calls.append((subsets, np.dtype(dtype), variants, train(config, seed, subsets, variants, dtype, *args)))
        return calls[-1][-1]

    monkeypatch.setattr(nbb_xor, "train", spy)
    config, fractions = replace(Config(**QUICK), presentations=800), []
    metrics = run(config, 3, lambda fraction, message: fractions.append(fraction))
    monkeypatch.undo()
    assert metrics == run(config, 3)  # bit for bit
    assert [(subsets, str(dtype)) for subsets, dtype, *_ in calls] == [
        ((3,), "float64"), ((3,), "float32"), *((subsets, "float64") for subsets in ARCHITECTURES.values())]
    assert list(ARCHITECTURES.values()) == [(2,), (4,), (2, 2), ()]
    assert calls[0][2] == list(CONTROLS.values()) and all(variants == [Variant()] for _, _, variants, _ in calls[1:])
    out = {prefix: {name: value[row] for name, value in calls[0][-1].items()} for row, prefix in enumerate(CONTROLS)}
    out |= {prefix: {name: value[0] for name, value in call[-1].items()} for prefix, call in zip(
        ("float32_", *ARCHITECTURES), calls[1:], strict=True)}
    for prefix, nets in out.items():
        for name in ("first", *(f"stable{k}" for k in (STREAKS if not prefix else (4, 50)))):
            when = nets[name][nets[name] > 0]
            assert metrics[f"{prefix}{name}_nets"] == len(when)
            assert metrics[f"{prefix}{name}_mean"] == (pytest.approx(when.mean()) if len(when) else None)
        assert metrics[f"{prefix}uptime"] == pytest.approx(nets["uptime"].mean())
        assert metrics[f"{prefix}late_uptime"] == pytest.approx(nets["late_uptime"].mean())
    solved = out[""]["first"][out[""]["first"] > 0]
    assert 2 < len(solved)
    error = np.sqrt(((solved - solved.mean())**2).sum() / (len(solved) - 1) / len(solved))
    assert metrics["first_mean_high"] - metrics["first_mean"] == pytest.approx(1.96 * error)
    assert metrics["first_mean"] - metrics["first_mean_low"] == pytest.approx(1.96 * error)
    assert metrics["first_within_1500_nets"] == len(solved)
    assert metrics["conservation_residual"] == out[""]["residual"].max() < 1e-10
    assert metrics["no_hidden_most_right"] == out["no_hidden_"]["most_right"].max() == 3
    assert metrics["stable4_nets_won_by_return"] == metrics["stable4_nets"] - metrics["no_return_stable4_nets"]
    assert metrics["stable50_nets_won_by_third_unit"] == metrics["stable50_nets"] - metrics["two_hidden_stable50_nets"]
    for name in ("first", *(f"stable{k}" for k in STREAKS)):
        assert metrics[f"net0_{name}"] == (out[""][name][0] or None)
    assert fractions == sorted(fractions) and 0 < fractions[0] and fractions[-1] <= 1


# ---- unusable arguments ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0)])
def test_config_refuses_an_empty_range(low, high):
    with pytest.raises(ValueError, match="--init-low"):
        Config(init_low=low, init_high=high)


@pytest.mark.parametrize("argv", [["--nets", "1"], ["--ticks", "4"], ["--lam", "0"], ["--lam", "nan"], ["--eta", "-1"],
                                  ["--presentations", "0"], ["--init-low", "2"], ["--nets", "many"], ["--seed", "-1"]])
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
