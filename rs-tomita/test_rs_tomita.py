"""Tests of rs_tomita: languages against their definitions, nets against a unit-by-unit reading of
the equations, the sieve against running everything, the walk through all states against
enumeration, BPTT against central differences."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import rs_tomita as rt
from rs_tomita import A2, LANGUAGES, TOMITA, Config, Nets, Shape, Walk

CONFIG = Config(per_class=6, medium=(4, 9), long=(20, 30), trials=2000, block=256)
DEFINITIONS = {
    1: lambda s: "0" not in s,
    2: lambda s: re.fullmatch("(10)*", s) is not None,
    3: lambda s: not odd_after_odd(s),
    4: lambda s: "000" not in s,
    5: lambda s: s.count("0") % 2 == 0 == s.count("1") % 2,
    6: lambda s: (s.count("1") - s.count("0")) % 3 == 0,
    7: lambda s: re.fullmatch("0*1*0*1*", s) is not None,
}


def odd_after_odd(s):
    runs = [(symbol, len(list(group))) for symbol, group in itertools.groupby(s)]
    first = next(
        (k for k, (symbol, size) in enumerate(runs) if symbol == "1" and size % 2), len(runs)
    )
    return any(symbol == "0" and size % 2 for symbol, size in runs[first:])


def words(longest, shortest=0):
    return [
        "".join(w) for n in range(shortest, longest + 1) for w in itertools.product("01", repeat=n)
    ]


def symbols(word):
    return [int(symbol) for symbol in word]


# ---- languages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number, count", [(1, 11), (2, 6), (3, 652), (4, 1103), (5, 683), (6, 683), (7, 561)]
)
def test_each_automaton_accepts_what_the_definition_says(number, count):
    accepted = {word for word in words(10) if rt.accepts(LANGUAGES[number], symbols(word))}
    assert len(accepted) == count
    assert accepted == {word for word in words(10) if DEFINITIONS[number](word)}


@pytest.mark.parametrize("number", LANGUAGES)
def test_tomitas_own_strings_are_labelled_as_the_definition_says(number):
    strings = rt.tomita_strings(number)
    listed = [word for half in TOMITA[number].split("|") for word in half.split()]
    read = ["".join(map(str, strings.symbols[:n, k])) for k, n in enumerate(strings.lengths)]
    assert sorted(read) == sorted(listed) and len(set(read)) == len(read)
    assert [DEFINITIONS[number](word) for word in read] == [
        bool(answer) for answer in strings.answers
    ]
    assert strings.answers[:4].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("number", [2, 3, 4, 7])
def test_strings_are_drawn_uniformly_from_their_class(number):
    rng = np.random.default_rng(0)
    for wanted in (True, False):
        pool = [word for word in words(6, 6) if DEFINITIONS[number](word) == wanted]
        found = [rt.random_string(LANGUAGES[number], wanted, 6, rng) for _ in range(60 * len(pool))]
        counts = dict.fromkeys(pool, 0)
        for string in found:
            counts["".join(map(str, string))] += (
                1  # a KeyError would be a string of the wrong class
            )
        assert max(abs(n - 60) for n in counts.values()) < 5 * 60**0.5
    assert rt.random_string(LANGUAGES[2], True, 7, rng) is None  # (10)* has no odd string
    assert len(rt.random_string(LANGUAGES[6], False, 600, rng)) == 600  # no overflow


def test_a_training_set_has_both_classes_in_turn_and_its_lengths():
    for number in LANGUAGES:
        strings = rt.draw_strings(
            LANGUAGES[number], CONFIG, (20, 30), np.random.default_rng(number)
        )
        assert strings.answers.tolist() == [1, 0] * 6
        assert (
            strings.lengths.min() >= 20
            and strings.lengths.max() <= 30
            and len(set(strings.lengths)) > 2
        )
        for k, length in enumerate(strings.lengths):
            assert rt.accepts(LANGUAGES[number], strings.symbols[:length, k]) == strings.answers[k]
            assert not strings.symbols[length:, k].any()


def test_every_second_rejected_string_can_be_a_near_miss():
    for number in (1, 2, 4):
        strings = rt.draw_strings(
            LANGUAGES[number], CONFIG, (8, 9), np.random.default_rng(number), near=True
        )
        accepted = {word for word in words(9, 8) if DEFINITIONS[number](word)}
        found = ["".join(map(str, strings.symbols[:n, k])) for k, n in enumerate(strings.lengths)]
        assert [word in accepted for word in found] == [True, False] * 6
        for word in found[3::4]:
            assert any(
                word[:k] + "10"[int(word[k])] + word[k + 1 :] in accepted for k in range(len(word))
            )


# ---- nets ----------------------------------------------------------------------------------------


def by_the_equations(shape, theta, word):
    """One net in float64, unit by unit."""
    n, U, at = shape.hidden, shape.hidden + 1, iter(np.asarray(theta, float))
    w_in, w, b = [next(at) for _ in range(U)], np.zeros((U, U)), np.zeros(U)
    if shape.full:
        for i in range(U):
            for j in range(U):
                w[i, j] = next(at)
        for i in range(n):
            b[i] = next(at)
    else:
        for block in ("self", "from", "to"):
            for i in range(n):
                w[{"self": (i, i), "from": (i, n), "to": (n, i)}[block]] = next(at)
        for i in range(U):
            b[i] = next(at)
    assert next(at, None) is None
    y = np.zeros(U)
    for symbol in symbols(word):
        net = [
            w_in[i] * (2 * symbol - 1) + b[i] + sum(w[i, j] * y[j] for j in range(U))
            for i in range(U)
        ]
        y = 1 / (1 + np.exp(-np.clip(net, -500, 500)))
    return y[-1]


@pytest.mark.parametrize("shape", [Shape(1), Shape(3), A2])
def test_nets_are_what_the_equations_say(shape):
    rng = np.random.default_rng(1)
    theta = rng.normal(0, 2, (5, shape.weights())).astype(np.float32)
    pool = ["1", "0", "0110", "101101", "1110001"]
    found = Nets(shape, theta).answers(rt.strings_of([symbols(word) for word in pool], np.zeros(5)))
    expected = [[by_the_equations(shape, row, word) for row in theta] for word in pool]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.ptp(expected) > 0.3


def test_numbers_of_weights():
    assert [Shape(n).weights() for n in (1, 2, 3)] == [7, 14, 23] and A2.weights() == 52


@pytest.mark.parametrize("shape", [Shape(2), A2])
def test_a_net_in_a_crowd_answers_as_it_does_alone(shape):
    rng = np.random.default_rng(2)
    theta = rt.guesses(shape, 37, CONFIG, rng)
    strings = rt.draw_strings(LANGUAGES[4], CONFIG, (4, 9), rng)
    together = Nets(shape, theta).answers(strings)
    for k in (0, 17, 36):
        alone = Nets(shape, theta[k : k + 1]).answers(strings.pick(slice(3, 5)))
        assert (
            alone[:, 0] == together[3:5, k]
        ).all()  # bit for bit: the walk through all states relies on it


def test_guesses_do_not_depend_on_how_many_are_drawn_at_once():
    one, parts = (np.random.default_rng(3) for _ in range(2))
    whole = rt.guesses(Shape(2), 50, Config(), one)
    pieces = np.concatenate([rt.guesses(Shape(2), n, Config(), parts) for n in (7, 1, 42)])
    np.testing.assert_array_equal(whole, pieces)
    assert 99 < whole.max() <= 100 and -100 <= whole.min() < -99 and abs(whole.mean()) < 10
    assert np.abs(rt.guesses(Shape(2), 50, Config(weight_range=2.0), one)).max() < 2


# ---- search --------------------------------------------------------------------------------------


def test_the_sieve_finds_what_running_everything_finds():
    rng = np.random.default_rng(4)
    strings = rt.draw_strings(LANGUAGES[1], CONFIG, (4, 9), rng)
    theta = rt.guesses(Shape(1), 3000, CONFIG, rng)
    right = np.abs(Nets(Shape(1), theta).answers(strings) - strings.answers[:, None]) < 0.1
    alive, shown = rt.survivors(Shape(1), theta, strings, CONFIG)
    assert alive.tolist() == np.flatnonzero(right.all(0)).tolist() and len(alive) > 3
    expected = [len(right) if column.all() else int(np.argmin(column)) + 1 for column in right.T]
    assert shown.tolist() == expected


@pytest.mark.parametrize("block", [1, 100, 5000])
def test_a_search_stops_at_its_first_hit_whatever_the_block(block):
    config = replace(CONFIG, block=block)
    strings = rt.draw_strings(LANGUAGES[1], CONFIG, (4, 9), np.random.default_rng(5))
    theta, trials, shown = rt.search(Shape(1), strings, config, np.random.default_rng(6))
    drawn = rt.guesses(Shape(1), 2000, CONFIG, np.random.default_rng(6))
    alive, used = rt.survivors(Shape(1), drawn, strings, CONFIG)
    assert (
        trials == alive[0] + 1
        and (theta == drawn[alive[0]]).all()
        and shown == used[: alive[0] + 1].sum()
    )


def test_a_search_gives_up_after_its_trials():
    strings = rt.draw_strings(
        LANGUAGES[5], replace(CONFIG, per_class=50), (4, 9), np.random.default_rng(7)
    )
    theta, trials, shown = rt.search(Shape(1), strings, CONFIG, np.random.default_rng(8))
    assert theta is None and trials == CONFIG.trials and trials < shown < 5 * trials


# ---- examination ---------------------------------------------------------------------------------


def a_net_for_ones():
    """Shape(1) by hand, right on 1* from two symbols on: the hidden unit says "a 0 came by", and
    the output denies it.

    hidden = s(-60 x + 100 h - 30): on after a 0, and from then on for good. output = s(40 x - 60 h
    + 20 y): it sees the last symbol itself, the hidden unit for those before.
    """
    return np.array([-60, 40, 100, 0, -90, 0, -30], np.float32)


def test_the_walk_proves_a_net_built_by_hand():
    walk = Walk(Shape(1), a_net_for_ones())
    assert (
        rt.exact(walk, LANGUAGES[1], 1, CONFIG) is True
        and rt.right_from(walk, LANGUAGES[1], 9, CONFIG) == 1
    )
    for number in (2, 4):
        assert rt.exact(walk, LANGUAGES[number], 1, CONFIG) is False
    assert 2 <= len(walk.states) <= 6 and walk.says(0) == 0


@pytest.mark.parametrize("number, hidden", [(1, 1), (4, 2), (2, 3)])
def test_the_walk_agrees_with_all_strings_of_some_lengths(number, hidden):
    """Nets that are right on all strings of 5 to 12 symbols or not: the walk may only find more to
    object to."""
    rng, language, shape = np.random.default_rng(9), LANGUAGES[number], Shape(hidden)
    easy = rt.strings_of(
        [symbols(w) for w in ("11111", "00000", "10101", "1010101010")], np.zeros(4)
    )
    easy = rt.Strings(
        easy.symbols,
        easy.lengths,
        np.array(
            [rt.accepts(language, easy.symbols[:n, k]) for k, n in enumerate(easy.lengths)],
            np.float32,
        ),
    )
    theta = rt.guesses(shape, 4000, CONFIG, rng)
    theta = theta[rt.survivors(shape, theta, easy, CONFIG)[0]][:80]
    pool = words(11, 5)
    answers = Nets(shape, theta).answers(
        rt.strings_of([symbols(w) for w in pool], np.zeros(len(pool)))
    )
    truth = np.array([DEFINITIONS[number](w) for w in pool], float)
    right = (np.abs(answers - truth[:, None]) < 0.1).all(0)
    proofs = [rt.exact(Walk(shape, row), language, 5, CONFIG) for row in theta]
    assert not [k for k in range(len(theta)) if proofs[k] and not right[k]]
    if number == 1:
        assert sum(p is True for p in proofs) >= 3 and sum(p is False for p in proofs) >= 1
    wrong = [k for k in range(len(theta)) if not right[k]]
    assert wrong and all(proofs[k] is False or proofs[k] is None for k in wrong)


def test_right_from_is_the_least_length():
    """A net that keeps the last symbol only: right on "ends in 1" taken as a language, from one
    symbol on."""
    ends_in_one = rt.Language("ends in 1", ((0, 1), (0, 1)), (1,))
    last = Walk(Shape(1), np.array([0, 50, 0, 0, 0, 0, 0], np.float32))
    assert rt.right_from(last, ends_in_one, 8, CONFIG) == 1
    never_short = rt.Language("at least 3 symbols", ((1, 1), (2, 2), (3, 3), (3, 3)), (3,))
    delayed = Walk(
        Shape(1), np.array([0, 0, 0, 0, 99, 0, 50], np.float32)
    )  # says 1 from the second symbol on
    assert (
        delayed.says(delayed.move(0, 1)) == 0.5
        and rt.right_from(delayed, never_short, 8, CONFIG) == 3
    )
    assert rt.right_from(delayed, ends_in_one, 8, CONFIG) is None


def test_too_many_states_leave_it_open():
    contracting = np.array([0.3, 0.2, 0.9, 0.1, 0.3, 0.2, 0.1], np.float32)  # never saturates
    config = replace(CONFIG, states=50, tolerance=0.5)
    nothing = rt.Language("nothing", ((0, 0),), ())
    found = rt.exact(Walk(Shape(1), contracting), nothing, 12, config)
    assert found is None


def test_accuracy_on_all_strings_weighs_the_classes_alike():
    shape, theta = Shape(1), a_net_for_ones()
    for number in (1, 2, 4):
        found = rt.all_strings(shape, theta, LANGUAGES[number], CONFIG, 3, 7)
        pool = words(7, 3)
        answers = Nets(shape, theta[None]).answers(
            rt.strings_of([symbols(w) for w in pool], np.zeros(len(pool)))
        )[:, 0]
        truth = np.array([DEFINITIONS[number](w) for w in pool])
        good = np.abs(answers - truth) < 0.1
        assert found == pytest.approx((good[truth].mean() + good[~truth].mean()) / 2)


def test_intervals_of_counts():
    mean, low, high = rt.interval(100, 20_000)
    assert mean == 200
    assert 20_000 / low == pytest.approx(121.6, abs=0.2) and 20_000 / high == pytest.approx(
        81.4, abs=0.2
    )
    assert rt.interval(0, 3000) == (None, 1000, None)
    assert 20 / rt.interval(4, 20)[1] == pytest.approx(
        10.24, abs=0.1
    )  # the exact interval of 4 is 1.09 to 10.24


def test_density_counts_every_hit_and_its_waits_are_exponential():
    config = replace(CONFIG, study_sets=2, per_class=6)
    found = rt.density(1, Shape(1), "medium", 20_000, config, np.random.default_rng(10))
    assert (
        found["trials"] == 20_000
        and found["mean"] == pytest.approx(20_000 / found["hits"])
        and found["hits"] > 50
    )
    assert (
        found["low"] < found["mean"] < found["high"]
        and 0.5 < found["test"] <= 1
        and found["examined"] == 100
    )
    assert 0 < found["distance"] < 1.95  # p > 0.001
    nothing = rt.density(5, Shape(1), "short", 500, config, np.random.default_rng(11))
    assert nothing["hits"] == 0 and nothing["mean"] is None and "test" not in nothing


# ---- gradient descent ----------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [1, 3])
def test_gradient_through_time_against_central_differences(hidden):
    rng = np.random.default_rng(12)
    theta = rng.uniform(-1, 1, (Shape(hidden).weights(), 2))
    x, lengths = rng.choice([-1.0, 1.0], (7, 5, 2)), rng.integers(1, 8, (5, 2))
    lengths[0] = 7
    answers = rng.integers(0, 2, (5, 2)).astype(float)
    _, grad, _ = rt.descent_gradient(hidden, theta, x, lengths, answers)
    numeric = np.zeros_like(grad)
    for k in range(len(theta)):
        losses = []
        for step in (1e-5, -1e-5):
            moved = theta.copy()
            moved[k] += step
            losses.append(rt.descent_gradient(hidden, moved, x, lengths, answers)[0])
        numeric[k] = (losses[0] - losses[1]) / 2e-5
    assert np.abs(numeric - grad).max() <= 1e-6 * np.abs(grad).max()
    assert (np.abs(grad) > 1e-6).all()


def test_the_loss_is_that_of_the_nets_that_are_guessed():
    rng = np.random.default_rng(13)
    strings = rt.draw_strings(LANGUAGES[2], CONFIG, (4, 9), rng)
    theta = rng.uniform(-2, 2, (Shape(3).weights(), 1))
    x = 2.0 * strings.symbols[:, :, None] - 1
    loss, _, error = rt.descent_gradient(
        3, theta, x, strings.lengths[:, None], strings.answers[:, None]
    )
    answers = Nets(Shape(3), theta.T.astype(np.float32)).answers(strings)
    np.testing.assert_allclose(error + strings.answers[:, None], answers, atol=1e-5)
    assert loss[0] == pytest.approx(0.5 * (error**2).sum())


def test_descent_learns_only_ones():
    config = replace(
        CONFIG, per_class=20, descent_runs=3, descent_strings=20_000, descent_rates=(1e-9, 0.03)
    )
    needed, test = rt.descend(1, 1, config, np.random.default_rng(14))
    assert (
        needed.shape == test.shape == (2, 3)
        and np.isinf(needed[0]).all()
        and np.isnan(test[0]).all()
    )
    assert (
        np.isfinite(needed[1]).sum() >= 2
        and np.nanmin(test[1]) >= 0.85
        and np.nanmin(needed[1]) % 2000 == 0
    )


# ---- run -----------------------------------------------------------------------------------------


def test_a_run_reports_each_search_and_another_seed_finds_other_nets():
    config = replace(CONFIG, trials=4000, per_class=10)
    first, again, other = (rt.run(config, seed) for seed in (0, 0, 1))
    timings = {key for key in first if key.endswith("_per_second")}
    assert {k: v for k, v in first.items() if k not in timings} == {
        k: v for k, v in again.items() if k not in timings
    }
    assert first["t1_medium_trials"] != other["t1_medium_trials"]
    for number, regime in rt.ROWS:
        row = {
            name: first[f"t{number}_{regime}_{name}"]
            for name in ("solved", "trials", "strings", "test", "exact")
        }
        assert row["trials"] <= row["strings"] and (
            row["solved"] or row["trials"] == 4000 and row["test"] == 0.5
        )
        if row["exact"]:
            assert row["test"] == 1 and first[f"t{number}_{regime}_right_from"] >= 1
    assert first["t1_short_solved"] == 1 and first["always_no_test"] == 0.5


def test_a_study_has_the_papers_table_all_languages_and_descent():
    config = replace(
        CONFIG,
        study_sets=2,
        study_medium=400,
        study_long=100,
        study_no000=100,
        study_a2_long=60,
        study_sizes=(1, 2),
        study_ranges=(2.0,),
        descent_runs=2,
        descent_strings=100,
    )
    found = rt.study(config, 0)
    names = [f"t{n}_{r}" for n in (1, 2, 4) for r in ("short", "medium", "near", "long")]
    names += [f"a2_t{n}_{r}" for n in (1, 2, 4) for r in ("medium", "long")]
    names += [f"a1_{h}_t{n}_medium" for h in (1, 2) for n in LANGUAGES] + [
        f"range_2_t{n}_medium" for n in (1, 2, 4)
    ]
    assert all(found[f"{name}_trials"] >= 60 for name in names)
    assert all(0 <= found[f"descent_t{n}_0.01_solved"] <= 1 for n in (1, 2, 4))
    assert found["t4_long_trials"] == 5 * found["t1_long_trials"]


@pytest.mark.parametrize("wrong", [{"medium": (15, 10)}, {"long": (500,)}, {"medium": (10, 12)}])
def test_settings_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ValueError):
        Config(**wrong)
