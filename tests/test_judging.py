"""From records to verdicts."""

import made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import judging
from tools.catalogue import Stub

SHARE = {"op": ">=", "threshold": 5}
MEAN = {"over": "mean", "op": ">=", "threshold": 5}
BAND = {"over": "mean", "within": [4, 6], "why": "a third either way"}


def claim(level="paper", **test):
    return {"says": "a is large", "metric": "a", "level": level, "paper": "5", **test}


def judged(root, values, failed=(), **test):
    """How a claim about metric a fares when it has these values over seeds."""
    tables = [{} if value == "none" else {"a": value} for value in values]
    lost = [(seed, "diverged") for seed in failed]
    return made.stub(root, metrics=tables, failed=lost, claims=[claim(**test)]).judgements[0]


# ---- intervals ----
def test_the_interval_of_a_mean_is_students():
    """His own sleep data (Biometrika 6, 1908), as R's t.test prints it."""
    extra_hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    expected = (1.58, 0.7001142, 2.4598858)
    assert judging.mean_interval(extra_hours) == pytest.approx(expected, abs=1e-7)


def test_two_seeds_have_a_wide_interval_one_has_none():
    """t(0.975) with one degree of freedom is 12.706."""
    assert judging.mean_interval([1, 3]) == pytest.approx((2, 2 - 12.706, 2 + 12.706), abs=1e-3)
    assert judging.mean_interval([7]) == (7, None, None)
    assert judging.mean_interval([]) == (None, None, None)


@pytest.mark.parametrize(
    "held, seeds, low, high",
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (19, 20, 0.7639, 0.9911)],
)
def test_wilson_interval_agrees_with_published_values(held, seeds, low, high):
    assert judging.wilson(held, seeds) == pytest.approx((low, high), abs=1e-4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_quartiles_are_numpys(numbers):
    expected = tuple(np.percentile(numbers, [25, 50, 75]))
    assert judging.quartiles(numbers) == pytest.approx(expected, abs=1e-6)


# ---- a claim about single seeds ----
@pytest.mark.parametrize("share, holds", [(None, False), (1.0, False), (0.8, True), (0.81, False)])
def test_a_claim_holds_in_the_share_of_seeds_that_it_asks_for(tmp_path, share, holds):
    test = SHARE | ({"seeds": share} if share else {})
    judgement = judged(tmp_path, [5, 5, 5, 5, 1], **test)
    assert (judgement.holds, judgement.held, judgement.seeds) == (holds, 4, 5)
    assert (judgement.low, judgement.middle, judgement.high) == (5, 5, 5)


@pytest.mark.parametrize("share, holds", [(1.0, False), (0.75, True)])
@pytest.mark.parametrize("more", [{"failed": [3]}, {"values": [5, 5, 5, None]}])
def test_a_seed_that_failed_or_has_no_value_counts_against_it(tmp_path, share, holds, more):
    judgement = judged(tmp_path, **{"values": [5, 5, 5]} | more, seeds=share, **SHARE)
    assert (judgement.holds, judgement.held, judgement.seeds) == (holds, 3, 4)


@pytest.mark.parametrize(
    "op, passing",
    [(">=", [5, 6]), ("<=", [4, 5]), (">", [6]), ("<", [4]), ("==", [5])],
)
def test_each_comparison(tmp_path, op, passing):
    judgement = judged(tmp_path, [4, 5, 6], op=op, threshold=5, seeds=len(passing) / 3)
    assert (judgement.held, judgement.holds) == (len(passing), True)


def test_a_band_for_single_seeds_includes_its_ends(tmp_path):
    assert judged(tmp_path, [3.9, 4, 6, 6.1], within=[4, 6], why="so").held == 2


# ---- a claim about the mean ----
def test_the_mean_is_judged_and_not_the_seeds(tmp_path):
    judgement = judged(tmp_path, [1, 2, 12], **MEAN)
    assert (judgement.holds, judgement.held, judgement.middle) == (True, 1, 5)
    assert judgement.low < 1 < 12 < judgement.high


@pytest.mark.parametrize("values", [[9, 9, None], [9, 9, "none"], [], [None]])
def test_a_mean_over_seeds_of_which_one_has_no_value_does_not_hold(tmp_path, values):
    assert not judged(tmp_path, values, **MEAN).holds


@pytest.mark.parametrize("test", [MEAN, BAND])
def test_a_mean_over_seeds_of_which_one_failed_does_not_hold(tmp_path, test):
    assert not judged(tmp_path, [5, 5, 5], failed=[3], **test).holds


@pytest.mark.parametrize("values, holds", [([3, 5], True), ([3, 4.9], False), ([6.1], False)])
def test_the_mean_in_a_band(tmp_path, values, holds):
    assert judged(tmp_path, values, **BAND).holds is holds


@pytest.mark.parametrize(
    "values, op, threshold, beyond, holds",
    [
        ([2, 3, 4], ">", 0, 0, True),  # 3 +- 2.48
        ([2, 3, 4], ">", 0, 0.5, True),
        ([2, 3, 4], ">", 0, 0.6, False),  # the interval reaches below
        ([2, 3, 4], ">=", 3.5, 0, False),  # the mean fails
        ([2, 3, 4], "<", 5, 5.4, False),
        ([2, 3, 4], "<=", 5, 5.5, True),
        ([9], ">", 0, 0, False),  # one seed has no interval
        ([3, 3, 3], ">", 0, 3, False),  # beyond is beyond, not on it
    ],
)
def test_the_whole_interval_has_to_lie_beyond(tmp_path, values, op, threshold, beyond, holds):
    test = {"over": "mean", "op": op, "threshold": threshold, "beyond": beyond}
    assert judged(tmp_path, values, **test).holds is holds


# ---- the verdict ----
@pytest.mark.parametrize(
    "paper, trend, extra, verdict",
    [
        (9, 9, 0, "reproduces"),
        (9, 9, 9, "reproduces"),
        (0, 9, 9, "partial"),
        (9, 0, 9, "does not reproduce"),
        (0, 0, 9, "does not reproduce"),
    ],
)
def test_verdict_follows_from_the_claims(tmp_path, paper, trend, extra, verdict):
    table = {"paper": paper, "trend": trend, "extra": extra}
    claims = [claim(level, **SHARE) | {"metric": level} for level in table]
    assert made.stub(tmp_path, metrics=[table] * 3, claims=claims).verdict == verdict


def test_a_claim_of_a_study_without_records_leaves_the_verdict_open(tmp_path):
    claims = [claim(**SHARE), claim("trend", **SHARE) | {"from": "study"}]
    stub = made.stub(tmp_path, metrics=[{"a": 9}], study=[], claims=claims)
    assert stub.verdict == "not recorded"
    made.save(stub.study, made.file_of(stub.study, [{"a": 9}]))
    assert Stub(stub.folder).verdict == "reproduces"
    made.save(stub.study, made.file_of(stub.study, [{"a": 1}]))
    assert Stub(stub.folder).verdict == "does not reproduce"


def test_an_extra_of_a_study_without_records_does_not(tmp_path):
    claims = [claim(**SHARE), claim("extra", **SHARE) | {"from": "study"}]
    assert made.stub(tmp_path, metrics=[{"a": 9}], study=[], claims=claims).verdict == "reproduces"


def test_without_claims_or_records_nothing_is_recorded(tmp_path):
    assert made.stub(tmp_path, "none", metrics=[{"a": 9}], claims=()).verdict == "not recorded"
    assert made.stub(tmp_path, "new", claims=[claim(**SHARE)]).verdict == "not recorded"
    extra = [claim("extra", **SHARE)]
    assert made.stub(tmp_path, "odd", metrics=[{"a": 9}], claims=extra).verdict == "not recorded"


def test_when_every_seed_failed_no_claim_holds(tmp_path):
    lost = [(0, "diverged"), (1, "diverged")]
    claims = [claim(**SHARE), claim("trend", **MEAN)]
    stub = made.stub(tmp_path, failed=lost, claims=claims)
    assert stub.verdict == "does not reproduce"
    assert [(j.held, j.seeds, j.middle) for j in stub.judgements] == [(0, 2, None)] * 2
