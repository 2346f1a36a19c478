"""From records to verdicts: each claim as a test of a metric over the recorded seeds."""

import math
import operator
import statistics
from dataclasses import dataclass

from tools.schema import Claim

COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Judgement:
    """How one claim fares in the records."""

    claim: Claim
    recorded: bool  # whether seeds of today's code ran
    holds: bool
    held: int  # seeds in which it holds
    seeds: int  # seeds that ran, the failed ones included
    values: tuple[float, ...]  # of the metric, one per seed that has it
    middle: float | None  # the mean or, for a claim about single seeds, the median
    low: float | None  # Student's 95 % interval of a mean, else the quartiles over the seeds
    high: float | None


def judge(claim, program):
    """Apply a claim to the records of its program (None: the stub has no such program)."""
    results = program.current if program else None
    records, failed = (results.records, len(results.failed)) if results else ([], 0)
    found = [record.metrics.get(claim.metric) for record in records]
    values = tuple(float(v) for v in found if isinstance(v, int | float))
    held = sum(passes(claim, value) for value in values)
    seeds = len(records) + failed
    if claim.over == "mean":
        middle, low, high = mean_interval(values)
        holds = len(values) == seeds > 0 and mean_passes(claim, middle, low, high)
    else:
        low, middle, high = quartiles(values)
        holds = seeds > 0 and held >= (claim.seeds or 1.0) * seeds - 1e-9
    return Judgement(claim, seeds > 0, holds, held, seeds, values, middle, low, high)


def passes(claim, value):
    """Whether one value passes the test of a claim."""
    if claim.within:
        return claim.within[0] <= value <= claim.within[1]
    return COMPARE[claim.op](value, claim.threshold)


def mean_passes(claim, mean, low, high):
    """Whether the mean passes and, where the claim asks for it, its whole interval lies beyond."""
    if claim.beyond is None:
        return passes(claim, mean)
    if low is None:  # one seed has no interval
        return False
    clear = low > claim.beyond if claim.op in (">", ">=") else high < claim.beyond
    return passes(claim, mean) and clear


def verdict(judgements):
    """One of schema.VERDICTS. Extras never enter it."""
    judged = [j for j in judgements if j.claim.level != "extra"]
    if not judged or not all(j.recorded for j in judged):
        return "not recorded"
    failed = {j.claim.level for j in judged if not j.holds}
    return "does not reproduce" if "trend" in failed else "partial" if failed else "reproduces"


def mean_interval(values):
    """The mean and its 95 % interval by Student's t, (None, None, None) without values."""
    if not values:
        return None, None, None
    mean = statistics.fmean(values)
    if len(values) == 1:
        return mean, None, None
    from scipy.stats import t

    error = statistics.stdev(values) / math.sqrt(len(values))
    half = float(t.ppf(0.975, len(values) - 1)) * error
    return mean, mean - half, mean + half


def quartiles(values):
    """25 %, 50 % and 75 % points, linear between order statistics (as numpy's percentile)."""
    if len(values) < 2:
        return tuple(values) * 3 or (None, None, None)
    return tuple(statistics.quantiles(sorted(values), n=4, method="inclusive"))


def wilson(held, seeds):
    """Wilson's 95 % score interval for a share (E. B. Wilson, JASA 22, 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(held, seeds).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
