"""Tests of nbb_moving_light: the rule against a slow reading of the paper, bookkeeping, wiring."""

from dataclasses import replace

import nbb_moving_light
import study_nbb_moving_light
from nbb_moving_light import (
    QUICK,
    BucketBrigade,
    Config,
    coins,
    guess,
    measure,
    reached,
    retina,
    run,
    start,
    train,
)
from study_nbb_moving_light import Kept, NoMemoryPay, NoReturn, RandomTeacher, pairs, probes, turns
import numpy as np
import pytest

CLOSE = {"rtol": 0, "atol": 1e-12}


def silent(fraction, message):
    """Show nothing."""


def random_brigade(seed, nets, kind=BucketBrigade, cells=5, low=0.1, high=2.0, payoff=0.08):
    """Nets whose weights lie in [low, high]."""
    weights = np.random.default_rng(seed).uniform(low, high, (cells + 3, 2, nets))
    return kind(weights, 0.05, payoff)


# ---- the oracle: one net, tick by tick and connection by connection ----
class Oracle:
    """Units 0 to 4 are cells, 5 is always on, 6 and 7 are outputs; w[i, j] leads from i to j."""

    def __init__(self, weights, learning_rate, payoff, returns=1.0, memory_pay=1.0):
        self.w = {(i, 6 + j): weights[i, j] for i in range(8) for j in range(2)}
        self.learning_rate = learning_rate
        self.payoff = payoff
        self.returns = returns
        self.memory_pay = memory_pay

    def cycle(self, direction, readout_tick, paid_ticks=None):
        """Yield who wins and the weights at each tick; no paid ticks, no learning."""
        x = dict.fromkeys(range(8), 0.0)  # x(0)
        before = dict.fromkeys(self.w, 0.0)  # c(0)
        for tick in range(1, readout_tick + 1):
            c = {(i, j): x[i] * w for (i, j), w in self.w.items()}  # from x(t-1) and w(t-1)
            x = dict.fromkeys(range(8), 0.0)  # x(t)
            x[5] = 1.0
            if tick <= 5:
                x[tick - 1 if direction == 0 else 5 - tick] = 1.0
            net = {j: sum(c[i, j] for i in range(8)) for j in (6, 7)}
            best = max(net, key=net.get)
            x[best] = 1.0 if net[best] > 0 else 0.0
            if paid_ticks is not None:
                correct = 6 + direction if tick in paid_ticks else None
                self.w = {e: w + self.change(e, c, before, x, correct) for e, w in self.w.items()}
            before = c
            yield (best if x[best] else None), dict(self.w)

    def change(self, edge, c, before, x, correct):
        """The sum of the paper's three terms for one weight."""
        i, j = edge
        change = -self.learning_rate * c[i, j] * x[j]
        total = sum(before[h, j] for h in range(8))
        if total > 0:
            earned = sum(self.learning_rate * c[j, k] * x[k] for k in (6, 7))
            change += self.returns * before[i, j] / total * earned
        if j == correct and x[j] == 1:
            change += self.payoff * c[i, j] * (self.memory_pay if i >= 6 else 1.0)
        return change

    def answer(self, direction, readout_tick):
        """The output that wins at the tick of the readout with learning off."""
        return list(self.cycle(direction, readout_tick))[-1][0] - 6


def oracles_of(brigade, **control):
    """An oracle for each net of the batch; a control's payoff is read before it is spread."""
    return [
        Oracle(brigade.weights[:, :, n].copy(), brigade.learning_rate, 0.08, **control)
        for n in range(brigade.weights.shape[2])
    ]


# ---- the rule ----
@pytest.mark.parametrize(
    ("kind", "control"),
    [(BucketBrigade, {}), (NoReturn, {"returns": 0.0}), (NoMemoryPay, {"memory_pay": 0.0})],
)
@pytest.mark.parametrize(("readout_tick", "pay_ticks"), [(7, 3), (5, 4), (6, 1)])
def test_every_presentation_is_the_papers(kind, control, readout_tick, pay_ticks):
    rng = np.random.default_rng(1)
    brigade = random_brigade(2, 6, kind)
    oracles = oracles_of(brigade, **control)
    seen = retina(Config(readout_tick=readout_tick, pay_ticks=pay_ticks))
    paid_ticks = range(readout_tick - pay_ticks + 1, readout_tick + 1)
    for _ in range(8):
        shown = rng.integers(2, size=6)
        brigade.present(seen[..., shown], shown, pay_ticks)
        for n, oracle in enumerate(oracles):
            *_, (_, w) = oracle.cycle(shown[n], readout_tick, paid_ticks)
            ours = [brigade.weights[i, j - 6, n] for i, j in w]
            np.testing.assert_allclose(ours, list(w.values()), **CLOSE)


def test_two_ticks_worked_by_hand():
    """Learning rate 0.1, payoff 0.2; cell 0 is lit, then cell 1; output 1 wins twice.

    First output 1 gets 3 + 1 from cell 0 and the unit that is always on, and pays 0.3 and 0.1.
    Then it gets 2 + 0.9 + 5 from cell 1, that unit and itself, and pays 0.2, 0.09 and 0.5. The 0.5
    are its own earnings and go on as 0.375 and 0.125; the payoff is 0.4, 0.18 and 1.
    """
    weights = np.ones((8, 2))
    weights[[0, 1, 7], 1] = 3.0, 2.0, 5.0
    brigade = BucketBrigade(weights[:, :, None].copy(), 0.1, 0.2)
    first, second = np.zeros((2, 6, 1))
    first[[0, 5]] = 1.0
    second[[1, 5]] = 1.0
    unpaid, paid = np.array([[False], [False]]), np.array([[False], [True]])
    output, share = brigade.tick(first, np.zeros((2, 1)), np.zeros((8, 2, 1)), unpaid)
    assert output[:, 0].tolist() == [0.0, 1.0]
    np.testing.assert_allclose(share[:, 1, 0], [0.75, 0, 0, 0, 0, 0.25, 0, 0], **CLOSE)
    brigade.tick(second, output, share, paid)
    weights[0, 1] = 3.0 - 0.3 + 0.375
    weights[1, 1] = 2.0 - 0.2 + 0.4
    weights[5, 1] = 1.0 - 0.1 - 0.09 + 0.125 + 0.18
    weights[7, 1] = 5.0 - 0.5 + 1.0
    np.testing.assert_allclose(brigade.weights[:, :, 0], weights, **CLOSE)


def test_substance_comes_as_payoff_and_goes_only_through_the_retina():
    brigade = random_brigade(3, 16)
    tick, residues = brigade.tick, []

    def spied(seen, output, share, paid):
        before = brigade.weights.sum((0, 1))  # (N,)
        c = np.concatenate([seen, output])[:, None] * brigade.weights  # (S, 2, N)
        result = tick(seen, output, share, paid)
        won = result[0]  # (2, N)
        payoff = 0.08 * (c.sum(0) * won * paid).sum(0)
        lost = 0.05 * (c[:6].sum(0) * won).sum(0)
        residues.append(brigade.weights.sum((0, 1)) - before - payoff + lost)
        return result

    brigade.tick = spied
    rng = np.random.default_rng(4)
    for _ in range(8):
        shown = rng.integers(2, size=16)
        brigade.present(retina(Config())[..., shown], shown, 3)
    assert len(residues) == 8 * 6 and (brigade.weights > 0).all()
    np.testing.assert_allclose(residues, 0, **CLOSE)


def test_a_mirrored_net_learns_the_mirrored_sequence():
    brigade = random_brigade(5, 12)
    mirror = np.array([4, 3, 2, 1, 0, 5, 7, 6])  # cells from the other side, outputs exchanged
    mirrored = BucketBrigade(brigade.weights[mirror][:, ::-1].copy(), 0.05, 0.08)
    shown = np.random.default_rng(6).integers(2, size=12)
    for _ in range(5):
        brigade.present(retina(Config())[..., shown], shown, 3)
        mirrored.present(retina(Config())[..., 1 - shown], 1 - shown, 3)
    np.testing.assert_allclose(mirrored.weights, brigade.weights[mirror][:, ::-1], **CLOSE)


def test_weights_of_zero_stay_zero():
    brigade = random_brigade(7, 8)
    brigade.weights[-2:] = 0.0
    shown = np.arange(8) % 2
    brigade.present(retina(Config())[..., shown], shown, 6)
    assert (brigade.weights[-2:] == 0).all() and (brigade.weights[:-2] != 0).all()


def test_the_largest_positive_input_wins():
    brigade = random_brigade(0, 1)
    net = np.array([[3.0, -1.0, 0.0, 2.0, -1.0], [1.0, -2.0, 0.0, 4.0, 5.0]])
    np.testing.assert_array_equal(brigade.fire(net), [[1, 0, 0, 0, 0], [0, 0, 0, 1, 1]])


@pytest.mark.parametrize("readout_tick", [5, 6, 7])
def test_winners_are_the_oracles_and_evaluation_teaches_nothing(readout_tick):
    brigade = random_brigade(8, 30, low=0.8, high=1.2)
    state = brigade.weights.copy()
    won = brigade.winners(retina(Config(readout_tick=readout_tick)))
    for n, oracle in enumerate(oracles_of(brigade)):
        for direction in (0, 1):
            fired = [unit for unit, _ in oracle.cycle(direction, readout_tick)]
            assert fired[0] is None
            np.testing.assert_array_equal(won[:, direction, n] + 6, fired[1:])
    np.testing.assert_array_equal(brigade.weights, state)
    assert len(np.unique(won[-1], axis=1).T) >= 3


# ---- the task ----
def test_a_light_crosses_the_retina_and_is_gone():
    seen = retina(Config())
    assert seen.shape == (6, 6, 2)
    for tick in range(1, 7):
        left, right = seen[tick - 1, :5].T
        expected = [float(cell == tick) for cell in range(1, 6)]
        assert left.tolist() == expected and right.tolist() == expected[::-1]
    assert (seen[:, 5] == 1).all()
    assert retina(Config(readout_tick=5)).shape[0] == 4
    assert retina(Config(cells=8, readout_tick=10))[:, :8].sum() == 16


def test_the_answer_cannot_be_read_off_the_last_input():
    seen = retina(Config())
    np.testing.assert_array_equal(seen[-1, :, 0], seen[-1, :, 1])
    brigade = random_brigade(9, 50)
    brigade.weights[-2:] = 0.0
    answers = brigade.winners(seen)[-1]
    np.testing.assert_array_equal(answers[0], answers[1])  # who has no memory cannot tell
    shorter = random_brigade(9, 50)
    shorter.weights[-2:] = 0.0
    assert nbb_moving_light.is_right(shorter, seen[:-1]).any()  # at tick 6 the last cell can


def test_units_see_the_tick_before_and_nothing_later():
    brigade = random_brigade(10, 50)
    seen = retina(Config())
    for row in range(6):
        changed = seen.copy()
        changed[row, :5] = np.random.default_rng(row).uniform(0, 50, (5, 2))
        before, after = brigade.winners(seen), brigade.winners(changed)
        np.testing.assert_array_equal(before[:row], after[:row])
        assert (before[row] != after[row]).any()


def test_coins_are_fair_and_each_nets_own():
    shown = coins(Config(nets=20, max_presentations=1000), np.random.default_rng(1000))
    assert shown.shape == (1000, 20) and set(np.unique(shown)) == {0, 1}
    assert abs(shown.mean(0) - 0.5).max() < 0.07
    assert abs((shown[1:] == shown[:-1]).mean() - 0.5) < 0.02
    assert abs(np.corrcoef(shown.T) - np.eye(20)).max() < 0.15


def test_initial_weights_lie_close_to_one():
    weights = start(Config(nets=200), np.random.default_rng(1000))
    assert weights.shape == (8, 2, 200)
    assert 0.999 <= weights.min() < 0.99902 and 1.00098 < weights.max() <= 1.001


# ---- training ----
class Filmed(BucketBrigade):
    """A batch that keeps what train() does with it."""

    def present(self, seen, target, pay_ticks):
        self.calls.append(("present", seen, target.copy(), pay_ticks))
        super().present(seen, target, pay_ticks)

    def winners(self, seen):
        self.calls.append(("winners", seen))
        return super().winners(seen)


def test_training_shows_what_it_is_told_and_judges_afterwards():
    config = Config(nets=10, max_presentations=60, pay_ticks=2)
    shown = coins(config, np.random.default_rng(1))
    weights = start(config, np.random.default_rng(2))
    filmed = Filmed(weights.copy(), 0.006, 0.009)
    filmed.calls = []
    right = train(config, filmed, shown)
    assert [call[0] for call in filmed.calls] == ["present", "winners"] * 60
    replayed = BucketBrigade(weights.copy(), 0.006, 0.009)
    seen = retina(config)
    for t in range(60):
        _, lights, target, pay_ticks = filmed.calls[2 * t]
        assert pay_ticks == 2
        np.testing.assert_array_equal(target, shown[t])
        np.testing.assert_array_equal(lights, np.stack([seen[..., k] for k in target], 2))
        replayed.present(lights, target, 2)
        answers = replayed.winners(seen)[-1]
        np.testing.assert_array_equal(right[t], (answers[0] == 0) & (answers[1] == 1))
    assert right.any() and not right.all()


def test_nets_learn_and_without_recurrence_they_do_not():
    config = Config(nets=30, max_presentations=700)
    rngs = [np.random.default_rng(1000 + k) for k in range(2)]
    weights, shown = start(config, rngs[0]), coins(config, rngs[1])
    after = measure(train(config, BucketBrigade(weights.copy(), 0.005, 0.0065), shown), config)
    assert after["solved_share"] >= 0.8 and after["first_correct"] < 40
    during = nbb_moving_light.during_the_crossing(config)
    assert (during.readout_tick, during.pay_ticks, during.payoff) == (5, 4, 0.005)
    shown = shown[:250]
    crossing = measure(train(during, BucketBrigade(weights.copy(), 0.005, 0.005), shown), during)
    assert crossing["solved_share"] >= 0.9
    weights[-2:] = 0.0
    memoryless = measure(train(during, BucketBrigade(weights, 0.005, 0.005), shown), during)
    assert memoryless["solved_share"] == 0


# ---- evaluation ----
def lives(*moments, length=100):
    """Nets that are right at these presentations, counted from 1: (T, N)."""
    return np.array([[t in net for net in moments] for t in range(1, length + 1)])


def test_reached_counts_from_one_and_includes_the_streak():
    right = lives({3, 5, 6, 7, 10}, {9, 10, 11, 12}, {100}, set())
    np.testing.assert_array_equal(reached(right, 1), [3, 9, 100, np.inf])
    np.testing.assert_array_equal(reached(right, 3), [7, 11, np.inf, np.inf])
    np.testing.assert_array_equal(reached(right, 4), [np.inf, 12, np.inf, np.inf])
    np.testing.assert_array_equal(reached(right[:2], 3), [np.inf] * 4)


def test_measure_on_five_scripted_lives():
    ten = set(range(11, 21))
    right = lives(ten, ten | {30, 31}, set(range(31, 91)), {4}, set())
    assert measure(right, Config()) == {
        "solved_share": 3 / 5,
        "cycles_per_sequence": (20 + 20 + 40) / 3 / 2,
        "presentations": (20 + 20 + 40) / 3,
        "lower_quartile": 20,
        "upper_quartile": 30,
        "first_correct": (11 + 11 + 31 + 4) / 4,
        "streak50_share": 1 / 5,
        "late_correct": (0 + 2 + 50) / (80 + 80 + 60),
    }
    assert measure(right, Config(streak=11))["solved_share"] == 1 / 5


def test_measure_when_nothing_happened():
    nothing = measure(lives(set(), length=20), Config())
    assert nothing["solved_share"] == nothing["streak50_share"] == 0
    assert {value for name, value in nothing.items() if "share" not in name} == {None}
    assert measure(lives(set(range(11, 21)), length=20), Config())["late_correct"] is None


def test_guessing_pays_for_every_sequence_that_it_is_shown():
    config = Config(nets=6)
    needed = guess(config, np.random.default_rng(1004))
    rng = np.random.default_rng(1004)
    shown, found = np.zeros(6), np.full(6, np.inf)
    while np.isinf(found).any():
        weights = rng.random((8, 2, 6))
        for n in np.flatnonzero(np.isinf(found)):
            oracle = Oracle(weights[:, :, n], 0.0, 0.0)
            shown[n] += 1
            if oracle.answer(0, 7) == 0:
                shown[n] += 1
                if oracle.answer(1, 7) == 1:
                    found[n] = shown[n]
    np.testing.assert_array_equal(needed, found)
    assert np.isinf(guess(replace(config, guesses=10), np.random.default_rng(1004))).any()


# ---- the wiring of both programs ----
@pytest.fixture
def wired(monkeypatch):
    """Spies in place of train and guess."""
    calls = {"train": [], "guess": []}

    def spied_train(config, brigade, shown):
        call = {"config": config, "kind": type(brigade), "start": brigade.weights.copy()}
        call |= {"rates": (brigade.learning_rate, brigade.payoff), "shown": shown.copy()}
        call["right"] = train(config, brigade, shown)
        calls["train"].append(call)
        return call["right"]

    def spied_guess(config, rng):
        calls["guess"].append((config, rng.random()))
        return np.array([30.0, 50.0, np.inf])

    for module in (nbb_moving_light, study_nbb_moving_light):
        monkeypatch.setattr(module, "train", spied_train)
    monkeypatch.setattr(nbb_moving_light, "guess", spied_guess)
    return calls


def test_run_reports_what_it_trained(wired):
    config, fractions = Config(**QUICK), []
    metrics = run(config, 1000, lambda fraction, message: fractions.append(fraction))
    (after, crossing, without), (guessed,) = wired["train"], wired["guess"]
    during = nbb_moving_light.during_the_crossing(config)
    assert after["config"] is guessed[0] is config
    assert crossing["config"] == without["config"] == during
    assert after["rates"] == (0.005, 0.0065) and crossing["rates"] == (0.005, 0.005)
    assert without["rates"] == crossing["rates"]
    assert len(after["shown"]) == len(crossing["shown"]) == config.max_presentations
    np.testing.assert_array_equal(crossing["shown"], without["shown"])
    np.testing.assert_array_equal(after["start"], crossing["start"])
    np.testing.assert_array_equal(crossing["start"][:-2], without["start"][:-2])
    assert (without["start"][-2:] == 0).all() and (crossing["start"] > 0).all()
    lead = measure(crossing["right"], during)["solved_share"]
    lead -= measure(without["right"], during)["solved_share"]
    own = measure(after["right"], config)
    assert metrics == own | {
        "recurrence_lead": lead,
        "guess_lead": 40.0 - own["first_correct"],
        "crossing": {"solved_share": measure(crossing["right"], during)["solved_share"]},
        "guess": {"presentations": 40.0},
    }
    assert (after["shown"] != crossing["shown"]).any()
    assert lead > 0.5 and fractions == sorted(fractions) and fractions[0] == 0


def test_no_two_streams_of_a_run_start_alike(wired, monkeypatch):
    firsts = []

    def spied(make):
        def spy(config, rng):
            firsts.append(rng.bit_generator.state["state"]["inc"])
            return make(config, rng)

        return spy

    for name in ("start", "coins", "guess"):
        monkeypatch.setattr(nbb_moving_light, name, spied(getattr(nbb_moving_light, name)))
    run(Config(**QUICK), 1000, silent)
    assert len(firsts) == len(set(firsts)) == 4


def test_leads_are_none_when_nothing_was_right(monkeypatch):
    monkeypatch.setattr(nbb_moving_light, "train", lambda c, b, shown: np.zeros(shown.shape, bool))
    metrics = run(Config(**QUICK), 1000, silent)
    assert metrics["guess_lead"] is None and metrics["recurrence_lead"] == 0


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    config = Config(nets=10, max_presentations=150)
    first = run(config, 1000, silent)
    assert first == run(config, 1000, silent) != run(config, 1001, silent)


def test_the_study_trains_each_row_as_named(wired):
    table = study_nbb_moving_light.run(
        study_nbb_moving_light.Config(nets=2, max_presentations=12), 1000, silent
    )
    calls = wired["train"]
    rows = list(table)
    assert len(calls) == len(rows) == 9 + 2 + 2 + 1 + 3 + 1
    seen_starts = [call["start"][0, 0, 0] for call in calls]
    assert len(set(seen_starts)) == len(calls)  # no two streams start alike
    for name, call in zip(rows, calls):
        config, (learning_rate, payoff) = call["config"], call["rates"]
        assert (config.nets, config.max_presentations, learning_rate) == (2, 12, 0.005)
        kind = {"no_return": NoReturn, "no_memory_pay": NoMemoryPay, "probes": Kept}
        kind["random_teacher"] = RandomTeacher
        assert call["kind"] is kind.get(name, BucketBrigade)
        if name.startswith("tick"):
            _, tick, pay = name.split("_", 2)
            ticks = {"last": 1, "last_three": 3, "every": int(tick) - 1}[pay]
            assert (config.readout_tick, config.pay_ticks) == (int(tick), ticks)
            np.testing.assert_allclose(payoff[::2], [0.005, 0.0065, 0.0075, 0.01])
            first, *others = np.split(call["start"], 4, 2)
            assert all((part == first).all() for part in others)
            assert set(table[name]) == {"eta_1_0", "eta_1_3", "eta_1_5", "eta_2_0"}
        if name.startswith("cells"):
            cells = int(name[6:])
            assert (config.cells, config.readout_tick, config.pay_ticks) == (cells, cells + 2, 3)
            np.testing.assert_allclose(payoff, 0.0065)
    assert [calls[k]["config"].readout_tick for k in (9, 10, 11, 12, 13, 17)] == [5, 7, 7, 7, 7, 7]
    assert [calls[k]["rates"][1] for k in (9, 10, 13, 17)] == [0.005, 0.0065, 0.0065, 0.0065]
    turned = calls[9]["shown"][:, 4:]
    assert (turned[1:] != turned[:-1]).all()


def test_the_study_measures_each_part_by_itself(monkeypatch):
    def scripted(config, brigade, shown):
        right = np.zeros(shown.shape, bool)
        right[:, : config.nets] = True  # of the first part of the batch alone
        return right

    monkeypatch.setattr(study_nbb_moving_light, "train", scripted)
    table = study_nbb_moving_light.run(study_nbb_moving_light.Config(nets=3), 1000, silent)
    shares = [row["solved_share"] for row in table["tick_6_last"].values()]
    assert shares == [1, 0, 0, 0]
    orders = [table["order_tick_7"][name]["solved_share"] for name in ("coins", "pairs", "turns")]
    assert orders == [1, 0, 0]
    assert table["no_return"]["eta_1_3"]["solved_share"] == 1
    assert table["probes"]["as_trained"] is None  # no net was solved


def test_pairs_hold_both_sequences_and_turns_alternate():
    config = Config(nets=200, max_presentations=41)
    shown = pairs(config, np.random.default_rng(1))
    assert shown.shape == (41, 200)
    assert (shown[:40:2] + shown[1:40:2] == 1).all()
    assert 0.4 < (shown[2:40:2] == shown[1:39:2]).mean() < 0.6
    shown = turns(config, np.random.default_rng(1))
    assert (shown[1:] + shown[:-1] == 1).all() and 0.4 < shown[0].mean() < 0.6


def test_nets_are_kept_as_they_were_when_solved():
    config = Config(nets=10, max_presentations=400)
    shown = coins(config, np.random.default_rng(1000))
    weights = start(config, np.random.default_rng(1001))
    kept = Kept(weights.copy(), 0.005, 0.0065, 10)
    when = reached(train(config, kept, shown), 10)
    assert np.isfinite(when).sum() >= 5
    np.testing.assert_array_equal(np.isfinite(kept.kept).all((0, 1)), np.isfinite(when))
    net = int(when.argmin())
    replayed = BucketBrigade(weights.copy(), 0.005, 0.0065)
    train(config, replayed, shown[: int(when[net])])
    np.testing.assert_array_equal(kept.kept[..., net], replayed.weights[..., net])


def test_a_random_teacher_pays_either_output_for_either_light():
    weights = random_brigade(11, 400).weights
    blind = RandomTeacher(weights.copy(), 0.05, 0.08, np.random.default_rng(1))
    drawn = np.random.default_rng(1).integers(2, size=400)
    shown = np.zeros(400, np.intp)
    blind.present(retina(Config())[..., shown], shown, 3)
    paid = BucketBrigade(weights.copy(), 0.05, 0.08)
    paid.present(retina(Config())[..., shown], drawn, 3)
    np.testing.assert_array_equal(blind.weights, paid.weights)
    assert 0.4 < drawn.mean() < 0.6


def test_probes_are_other_lights():
    seen = retina(Config())
    found = probes(Config())
    np.testing.assert_array_equal(found["from_cell_3"], seen[2:])
    np.testing.assert_array_equal(found["from_cell_2"], seen[1:])
    lit = found["dropped_frame"][:, :5].sum((1, 2))
    assert lit.tolist() == [2, 2, 0, 2, 2, 0]
    lit = found["last_cell_alone"] + found["last_cell_dark"]
    np.testing.assert_array_equal(lit[:, :5], seen[:, :5])
    assert found["last_cell_alone"][:, :5].sum((1, 2)).tolist() == [0, 0, 0, 0, 2, 0]
    slow = found["half_speed"][:, :5, 0]
    assert slow.argmax(1).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0] and slow[-1].sum() == 0


# ---- unusable arguments ----
@pytest.mark.parametrize(
    "argv",
    [
        ["--nets", "0"],
        ["--cells", "2"],
        ["--learning-rate", "0"],
        ["--learning-rate", "nan"],
        ["--payoff", "-1"],
        ["--pay-ticks", "7"],
        ["--max-presentations", "5"],
        ["--nets", "many"],
        ["--seed", "-1"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        nbb_moving_light.main(nbb_moving_light, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
