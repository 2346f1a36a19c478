"""Tests of nbb_xor: the rule against a slow reading of the paper, the bookkeeping, the wiring."""

import itertools

import nbb_xor
import study_nbb_xor
from nbb_xor import PATTERNS, QUICK, TARGETS, BucketBrigade, Config, guess, measure, run, train
from study_nbb_xor import NoDirect, NoReturn, TwoPairs
import numpy as np
import pytest

CLOSE = {"rtol": 0, "atol": 1e-12}


def silent(fraction, message):
    """Show nothing."""


# ---- the oracle: one net, unit by unit, from the paper's equations ----
class Oracle:
    """Units 0, 1, 2 are inputs, then hidden units, then two outputs; w[i, j] leads from i to j."""

    def __init__(self, to_hidden, to_output, learning_rate, payoff, hidden_groups):
        size = to_hidden.shape[1]
        self.learning_rate = learning_rate
        self.payoff = payoff
        self.outputs = [3 + size, 4 + size]
        self.groups = [[3 + unit for unit in group] for group in hidden_groups] + [self.outputs]
        self.w = {(i, 3 + j): to_hidden[i, j] for i in range(3) for j in range(size)}
        self.w |= {(i, self.outputs[k]): to_output[i, k] for i in range(3 + size) for k in range(2)}

    def cycle(self, pattern, target=None):
        """Six ticks from silence; yields who fired and the weights; no target, no learning."""
        x = dict.fromkeys(range(self.outputs[1] + 1), 0.0)  # x(0)
        before = dict.fromkeys(self.w, 0.0)  # c(0)
        for _ in range(6):
            c = {(i, j): x[i] * w for (i, j), w in self.w.items()}  # from x(t-1) and w(t-1)
            x = dict.fromkeys(x, 0.0) | {i: float(pattern[i]) for i in range(3)}  # x(t)
            for group in self.groups:
                net = {j: sum(c[h, k] for h, k in c if k == j) for j in group}
                best = max(net, key=net.get)
                x[best] = 1.0 if net[best] > 0 else 0.0
            if target is not None:
                self.w = {e: w + self.change(e, c, before, x, target) for e, w in self.w.items()}
            before = c
            yield {j for j in x if j >= 3 and x[j]}, dict(self.w)

    def change(self, edge, c, before, x, target):
        """The sum of the paper's three terms for one weight."""
        i, j = edge
        change = -self.learning_rate * c[i, j] * x[j]
        total = sum(before[h, k] for h, k in before if k == j)
        if total > 0:
            earned = sum(self.learning_rate * c[h, k] * x[k] for h, k in c if h == j)
            change += before[i, j] / total * earned
        if j == self.outputs[target] and x[j] == 1:
            change += self.payoff * c[i, j]
        return change

    def answer(self, pattern):
        """The output that fires during each of the last three ticks with learning off."""
        fired = [units & set(self.outputs) for units, _ in self.cycle(pattern)]
        assert fired[3] == fired[4] == fired[5]
        return fired[5].pop() - self.outputs[0]


def weights(rng, hidden, nets, low=0.1, high=2.0):
    """Weights in [low, high], (3, H, N) and (3 + H, 2, N)."""
    return rng.uniform(low, high, (3, hidden, nets)), rng.uniform(low, high, (3 + hidden, 2, nets))


def oracles_of(brigade, hidden_groups=None):
    """An oracle for each net of the batch."""
    groups = hidden_groups or [range(brigade.to_hidden.shape[1])]
    rates = brigade.learning_rate, brigade.payoff
    return [
        Oracle(brigade.to_hidden[:, :, n], brigade.to_output[:, :, n], *rates, groups)
        for n in range(brigade.to_hidden.shape[2])
    ]


def weights_after_ticks(brigade):
    """Return a list to which the batch will add its weights after each tick."""
    tick, seen = brigade.tick, []

    def spied(*state):
        result = tick(*state)
        seen.append((brigade.to_hidden.copy(), brigade.to_output.copy()))
        return result

    brigade.tick = spied
    return seen


# ---- the rule ----
@pytest.mark.parametrize("kind", [BucketBrigade, NoDirect, TwoPairs])
@pytest.mark.parametrize("spread", [(0.1, 2.0), (0.99, 1.01)])
def test_every_tick_is_the_papers(kind, spread):
    rng = np.random.default_rng(1)
    brigade = kind(*weights(rng, 4, 4, *spread), 0.05, 0.08)
    oracles = oracles_of(brigade, [[0, 1], [2, 3]] if kind is TwoPairs else None)
    seen = weights_after_ticks(brigade)
    for _ in range(6):
        shown = rng.integers(4, size=4)
        target = rng.integers(2, size=4)  # any target: the rule must not know the task
        seen.clear()
        brigade.present(PATTERNS.T[:, shown], target)
        for n, oracle in enumerate(oracles):
            ticks = list(oracle.cycle(PATTERNS[shown[n]], target[n]))
            assert ticks[0][0] == set() and len(seen) == len(ticks) - 1 == 5
            for (_, w), (to_hidden, to_output) in zip(ticks[1:], seen):
                ours = [to_hidden[i, j - 3, n] for i, j in w if j < 7]
                ours += [to_output[i, j - 7, n] for i, j in w if j >= 7]
                np.testing.assert_allclose(ours, list(w.values()), **CLOSE)


def test_a_case_worked_by_hand():
    """Pattern (1, 0, 1), learning rate 0.1, payoff 0.2; hidden unit 0 and output 1 win twice.

    First unit 0 gets 3 + 1 and pays 0.3 and 0.1; output 1 gets 1 + 2, pays 0.1 and 0.2, and is paid
    0.2 and 0.4. Then unit 0 pays 0.27 and 0.09. Output 1 gets 1.1 + 2.2 + 4 and pays 0.11, 0.22 and
    0.4; the 0.4 are unit 0's earnings and go on as 0.3 and 0.1. The payoff is 0.22, 0.44 and 0.8.
    """
    to_hidden = np.array([[3.0, 1.0, 0.5], [1.0, 1.0, 0.5], [1.0, 1.0, 0.5]])
    to_output = np.array([[0.5, 1.0], [9.0, 9.0], [0.5, 2.0], [1.0, 4.0], [7.0, 7.0], [7.0, 7.0]])
    brigade = BucketBrigade(to_hidden[:, :, None].copy(), to_output[:, :, None].copy(), 0.1, 0.2)
    pattern, correct = np.array([[1.0], [0.0], [1.0]]), np.array([[False], [True]])
    hidden, share = brigade.tick(pattern, np.zeros((3, 1)), np.zeros((3, 3, 1)), correct)
    np.testing.assert_allclose(share[:, 0, 0], [0.75, 0.0, 0.25], **CLOSE)
    assert hidden[:, 0].tolist() == [1.0, 0.0, 0.0]
    brigade.tick(pattern, hidden, share, correct)
    to_hidden[[0, 2], 0] = 2.73, 0.91
    to_output[[0, 2, 3], 1] = 1.21, 2.42, 4.4
    np.testing.assert_allclose(brigade.to_hidden[:, :, 0], to_hidden, **CLOSE)
    np.testing.assert_allclose(brigade.to_output[:, :, 0], to_output, **CLOSE)


def gains(kind, share_of_return):
    """What each tick adds to the substance beyond payoff less what inputs (and leaks) take."""
    rng = np.random.default_rng(2)
    brigade = kind(*weights(rng, 4, 16), 0.1, 0.07)
    tick, residues = brigade.tick, []

    def spied(pattern, hidden, share, correct):
        before = brigade.to_hidden.sum((0, 1)) + brigade.to_output.sum((0, 1))
        to_hidden = (pattern[:, None] * brigade.to_hidden).sum(0)  # (H, N)
        from_input = (pattern[:, None] * brigade.to_output[:3]).sum(0)  # (2, N)
        from_hidden = (hidden[:, None] * brigade.to_output[3:]).sum(0)  # (2, N)
        output = brigade.fire(from_input + from_hidden)
        result = tick(pattern, hidden, share, correct)
        after = brigade.to_hidden.sum((0, 1)) + brigade.to_output.sum((0, 1))
        payoff = 0.07 * ((from_input + from_hidden) * output * correct).sum(0)
        lost = 0.1 * ((to_hidden * result[0]).sum(0) + (from_input * output).sum(0))
        kept = 0.1 * (1 - share_of_return) * (from_hidden * output).sum(0)
        residues.append(after - before - payoff + lost + kept)
        return result

    brigade.tick = spied
    for _ in range(8):
        shown = rng.integers(4, size=16)
        brigade.present(PATTERNS.T[:, shown], rng.integers(2, size=16))
    assert (brigade.to_hidden > 0).all() and (brigade.to_output >= 0).all()
    return np.array(residues)


@pytest.mark.parametrize("kind", [BucketBrigade, NoDirect, TwoPairs])
def test_substance_comes_only_as_payoff_and_goes_only_through_the_inputs(kind):
    np.testing.assert_allclose(gains(kind, 1), 0, **CLOSE)


def test_without_the_return_the_earnings_are_lost_too():
    np.testing.assert_allclose(gains(NoReturn, 0), 0, **CLOSE)


@pytest.mark.parametrize("kind", [BucketBrigade, NoDirect, TwoPairs])
def test_answers_are_the_outputs_of_the_last_three_ticks(kind):
    brigade = kind(*weights(np.random.default_rng(3), 4, 40), 0.1, 0.1)
    oracles = oracles_of(brigade, [[0, 1], [2, 3]] if kind is TwoPairs else None)
    state = brigade.to_hidden.copy(), brigade.to_output.copy()
    answers = brigade.answers()
    expected = [[oracle.answer(pattern) for oracle in oracles] for pattern in PATTERNS]
    np.testing.assert_array_equal(answers, expected)
    assert len(np.unique(answers, axis=1).T) > 4
    np.testing.assert_array_equal(brigade.to_hidden, state[0])  # evaluation teaches nothing
    np.testing.assert_array_equal(brigade.to_output, state[1])


def test_the_largest_positive_input_fires():
    brigade = BucketBrigade(*weights(np.random.default_rng(0), 3, 1), 0.1, 0.1)
    net = np.array([[[3.0, -1.0, 0.0, 2.0], [1.0, -2.0, 0.0, 2.0], [2.0, 4.0, 0.0, 5.0]]])
    fired = [[[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]]]
    np.testing.assert_array_equal(brigade.fire(net), fired)


def test_the_task_is_xor():
    assert [(int(x1) ^ int(x2), on) for x1, x2, on in PATTERNS] == [(t, 1) for t in TARGETS]
    assert sorted(map(tuple, PATTERNS[:, :2])) == [(0, 0), (0, 1), (1, 0), (1, 1)]


# ---- training ----
class Filmed(BucketBrigade):
    """A batch that keeps what train() does with it."""

    def __init__(self, to_hidden, to_output, learning_rate, payoff):
        super().__init__(to_hidden, to_output, learning_rate, payoff)
        self.start = BucketBrigade(to_hidden.copy(), to_output.copy(), learning_rate, payoff)
        self.shown = []
        Filmed.last = self

    def present(self, pattern, target):
        self.shown.append((pattern, target))
        super().present(pattern, target)


def test_training_teaches_xor_and_judges_what_was_learned():
    config = Config(nets=20, presentations=600, learning_rate=0.006, payoff=0.0055)
    right = train(config, 1000, 3, silent, Filmed)
    replayed = Filmed.last.start
    for weight in (replayed.to_hidden, replayed.to_output):
        assert 0.999 <= weight.min() < 0.9993 and 1.0007 < weight.max() <= 1.001
    assert (replayed.learning_rate, replayed.payoff) == (0.006, 0.0055)
    assert right.shape == (600, 20) and right.any()
    for t, (pattern, target) in enumerate(Filmed.last.shown):
        np.testing.assert_array_equal(target, pattern[0] != pattern[1])
        replayed.present(pattern, target)
        answers = replayed.answers()
        np.testing.assert_array_equal(right[t], (answers == TARGETS[:, None]).sum(0) == 4)


def test_patterns_are_drawn_alike_for_each_net_by_itself():
    train(Config(nets=4, presentations=200), 1000, 2, silent, Filmed)
    shown = np.array([2 * pattern[0] + pattern[1] for pattern, _ in Filmed.last.shown], int)
    assert (np.bincount(shown.ravel(), minlength=4) > 150).all()  # of 800, 200 expected
    for a, b in itertools.combinations(range(4), 2):
        assert (shown[:, a] == shown[:, b]).mean() < 0.5  # 0.25 expected
    assert 0.15 < (shown[1:] == shown[:-1]).mean() < 0.35  # neither in turn nor in blocks


def test_nets_learn_and_without_a_part_they_do_not():
    config = Config(nets=20, presentations=1400, follow=200)
    paper = measure(train(config, 1000, 3, silent), config)
    assert paper["solved"] >= 0.95 and 400 < paper["first_mean"] < 850
    assert paper["held4"] >= 0.9 and 0.02 < paper["uptime"] < 0.25
    no_return = measure(train(config, 1001, 3, silent, NoReturn), config)
    assert no_return["held4"] <= 0.2
    no_direct = measure(train(config, 1002, 3, silent, NoDirect), config)
    assert no_direct["solved"] < 0.7


def test_32_bits_learn_as_well():
    class Single(BucketBrigade):
        def __init__(self, to_hidden, to_output, *rates):
            super().__init__(to_hidden.astype("f4"), to_output.astype("f4"), *rates)

    config = Config(nets=40, presentations=1400)
    single = measure(train(config, 1003, 3, silent, Single), config)
    assert single["solved"] >= 0.95 and 450 < single["first_mean"] < 700


# ---- evaluation ----
def lives(*moments, length=100):
    """Nets that are right at these presentations, counted from 1: (T, N)."""
    return np.array([[t in net for net in moments] for t in range(1, length + 1)])


def test_measure_on_four_scripted_lives():
    config = Config(follow=20, streak=50)
    right = lives({3, 5, 6, 7, 10}, {9, 10, 11, 12} | set(range(41, 91)), {100}, set())
    assert measure(right, config) == {
        "solved": 3 / 4,
        "first_mean": (3 + 9 + 100) / 3,
        "held4": 1 / 4,
        "held50": 1 / 4,
        "uptime": (4 + 3) / (20 + 20),  # presentations 4 to 23 and 10 to 29; none after 100
    }
    right[89, 1] = False
    assert measure(right, config)["held50"] == 0
    assert measure(right, Config(follow=20, streak=49))["held50"] == 1 / 4
    assert measure(right, Config(follow=200))["uptime"] == (4 + 52) / (97 + 91)
    assert measure(right, Config(streak=200))["held50"] == 0


def test_measure_when_nothing_happened():
    nothing = measure(lives(set(), length=10), Config())
    assert nothing == {"solved": 0, "first_mean": None, "held4": 0, "held50": 0, "uptime": None}
    assert measure(lives({10}, length=10), Config())["uptime"] is None


def test_the_curve_counts_from_each_first_solution():
    curve = nbb_xor.curve(lives({3, 4, 73}, {20, 22, 90}, set(), set()))
    assert curve["x"][0] == 1 and curve["x"][-1] == 70 and len(curve["x"]) <= 101
    found = {x: y for x, y in zip(curve["x"], curve["y"]) if y}
    assert found == {1: 1 / 4, 2: 1 / 4, 70: 2 / 4}
    assert len(nbb_xor.curve(lives({1}, length=5000))["x"]) <= 101


def test_guessing_pays_for_every_pattern_that_it_is_shown():
    config = Config(guesses=3000)
    rng = np.random.default_rng(1004)
    drawn = BucketBrigade(rng.random((3, 3, 3000)), rng.random((6, 2, 3000)), 0.0, 0.0)
    shown = solutions = 0
    for oracle in oracles_of(drawn):
        for pattern, target in zip(PATTERNS, TARGETS):
            shown += 1
            if oracle.answer(pattern) != target:
                break
        else:
            solutions += 1
    assert solutions > 1
    assert guess(config, 1004) == pytest.approx(shown / solutions)


# ---- the wiring of both programs ----
def stream(seed):
    """The first number that a seed gives."""
    return np.random.default_rng(seed).random()


@pytest.fixture
def wired(monkeypatch):
    """Spies in place of train and guess: calls of train(config, seed, hidden, kind), of guess."""
    calls = {"train": [], "guess": []}

    def spied_train(config, seed, hidden, progress, kind=BucketBrigade):
        right = train(config, seed, hidden, progress, kind)
        calls["train"].append((config, stream(seed), hidden, kind, right))
        return right

    def spied_guess(config, seed):
        calls["guess"].append((config, stream(seed)))
        return 1234.0

    for module in (nbb_xor, study_nbb_xor):
        monkeypatch.setattr(module, "train", spied_train)
    monkeypatch.setattr(nbb_xor, "guess", spied_guess)
    return calls


def test_run_reports_what_it_trained(wired):
    config, fractions = Config(**QUICK), []
    metrics = run(config, 1000, lambda fraction, message: fractions.append(fraction))
    (first, second), (guessed,) = wired["train"], wired["guess"]
    assert first[0] is second[0] is guessed[0] is config
    assert (first[2], second[2]) == (3, 2)
    assert first[3] is second[3] is BucketBrigade
    assert len({first[1], second[1], guessed[1]}) == 3  # no two streams start alike
    three, two = measure(first[4], config), measure(second[4], config)
    assert metrics == {
        "three_hidden": three,
        "two_hidden": two,
        "guess": {"presentations": 1234.0},
        "third_unit_lead": three["held50"] - two["held50"],
        "guess_lead": 1234.0 - three["first_mean"],
        "curve": nbb_xor.curve(first[4]),
    }
    assert fractions == sorted(fractions) and fractions[0] == 0 and 0.8 < fractions[-1] <= 1


def test_a_lead_subtracts_in_the_right_order(monkeypatch):
    holds, forgets = lives(set(range(1, 61))), lives({1})
    shares = {3: holds, 2: forgets}
    monkeypatch.setattr(nbb_xor, "train", lambda config, seed, hidden, progress: shares[hidden])
    monkeypatch.setattr(nbb_xor, "guess", lambda config, seed: 10.0)
    metrics = run(Config(), 1000, silent)
    assert (metrics["third_unit_lead"], metrics["guess_lead"]) == (1.0, 9.0)
    monkeypatch.setattr(nbb_xor, "guess", lambda config, seed: None)
    assert run(Config(), 1000, silent)["guess_lead"] is None
    shares[3] = lives(set())
    assert run(Config(), 1000, silent)["guess_lead"] is None


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    config = Config(**QUICK)
    assert run(config, 1000, silent) == run(config, 1000, silent) != run(config, 1001, silent)


def test_the_study_trains_each_row_as_named(wired):
    config = study_nbb_xor.Config(nets=4, presentations=60)
    table = study_nbb_xor.run(config, 1000, silent)
    rows = {}
    for name, call in zip(table, wired["train"]):
        settings, _, hidden, kind, right = call
        assert (settings.nets, settings.presentations, settings.learning_rate) == (4, 60, 0.005)
        assert table[name] == measure(right, settings)
        rows[name] = (hidden, kind, settings.payoff)
    assert rows == {
        "three_hidden": (3, BucketBrigade, 0.005),
        "two_hidden": (2, BucketBrigade, 0.005),
        "four_hidden": (4, BucketBrigade, 0.005),
        "two_pairs": (4, TwoPairs, 0.005),
        "no_return": (3, NoReturn, 0.005),
        "no_direct": (3, NoDirect, 0.005),
        "half_payoff": (3, BucketBrigade, 0.0025),
        "double_payoff": (3, BucketBrigade, 0.01),
    }
    assert len({call[1] for call in wired["train"]}) == len(rows)  # no two streams start alike
    run(Config(nets=4, presentations=60), 1000, silent)
    np.testing.assert_array_equal(wired["train"][0][4], wired["train"][8][4])  # the run's own nets


def test_the_studys_leads_and_curves(monkeypatch):
    row = {
        BucketBrigade: set(range(5, 65)),
        TwoPairs: set(),
        NoReturn: {6, 7, 8, 9},
        NoDirect: {15},
    }
    monkeypatch.setattr(
        study_nbb_xor,
        "train",
        lambda c, s, hidden, p, kind: lives(row[kind] if hidden > 2 else {7}),
    )
    table = study_nbb_xor.run(study_nbb_xor.Config(), 1000, silent)
    assert table["return_lead"] == 1.0 and table["direct_factor"] == 3.0
    assert len({len(points) for points in table["curves"].values()}) == 1
    sums = {name: sum(points) for name, points in table["curves"].items()}
    assert sums["three_hidden"] > 3 and sums["two_hidden"] == 0 and sums["no_return"] == 3
    row[NoDirect] = set()
    assert study_nbb_xor.run(study_nbb_xor.Config(), 1000, silent)["direct_factor"] is None


# ---- unusable arguments ----
@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0)])
def test_config_refuses_an_empty_range(low, high):
    with pytest.raises(ValueError, match="--init-low"):
        Config(init_low=low, init_high=high)


@pytest.mark.parametrize(
    "argv",
    [
        ["--nets", "0"],
        ["--hidden", "0"],
        ["--learning-rate", "0"],
        ["--learning-rate", "nan"],
        ["--payoff", "-1"],
        ["--presentations", "5"],
        ["--init-low", "2"],
        ["--nets", "many"],
        ["--seed", "-1"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        nbb_xor.main(nbb_xor, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
