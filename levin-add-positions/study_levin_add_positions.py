# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around levin_add_positions.py: other examples, other time limits, what fits.

1. Fifty million programs on the paper's three examples, and as many on ten other sets of three.
2. The price of not knowing the time: steps per fit with one fixed limit instead of Levin's.
3. Where the programs that generalise keep their counter, and where the others are wrong.
4. Time limits from 32 steps on instead of 8: programs run longer than the paper's.

    python3 study_levin_add_positions.py --seed 0     # some minutes
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import levin_add_positions
from levin_add_positions import COUNT, TRAINING, WEIGHTS, WRITE, Fit, Replay
from levin_add_positions import generalising, search
import numpy as np

RAMP = np.arange(WEIGHTS)  # (100,) the weights that are right everywhere


@dataclass(frozen=True)
class Config(levin_add_positions.Config):
    long_runs: Annotated[int, "programs on each side of other_ratio", (1, 10**9)] = 50_000_000
    other_sets: Annotated[int, "other sets of three examples", (1, 1000)] = 10
    fixed_limits: Annotated[tuple[int, ...], "one time limit, steps", (1, 2**24)] = (512, 8192)
    fixed_steps: Annotated[int, "steps for each fixed limit", (1, 10**12)] = 100_000_000
    coarse_limit: Annotated[int, "a greater least time limit, steps", (1, 10**6)] = 32
    coarse_runs: Annotated[int, "programs with limits from there on", (1, 10**9)] = 5_000_000


QUICK = levin_add_positions.QUICK | {
    "long_runs": 20_000,
    "other_sets": 3,
    "fixed_limits": (64, 128),
    "fixed_steps": 100_000,
    "coarse_runs": 10_000,
}


def random_sets(rng, sets):
    """Draws sets of three inputs with three positions on in each, (S, 3, 3)."""
    return np.argsort(rng.random((sets, 3, WEIGHTS)), axis=-1)[..., :3]


def summary(runs, steps, fits):
    """Counts what a search found."""
    right = generalising(fits)
    return {
        "runs": runs,
        "fits": len(fits),
        "generalising": len(right),
        "generalising_share": len(right) / len(fits) if fits else None,
        "steps_per_run": steps / runs,
        "steps_per_fit": steps / len(fits) if fits else None,
    }


def wrong_weights(fits):
    """Counts the programs that fit and do not generalise, by where their weights are wrong."""
    wrong = [fit.weights != RAMP for fit in fits if (fit.weights != RAMP).any()]
    before = [not weights[TRAINING.min() :].any() for weights in wrong]
    after = [not weights[: TRAINING.max() + 1].any() for weights in wrong]
    return {
        "before": sum(before),  # the first position in an example
        "after": sum(after),  # the last
        "elsewhere": len(wrong) - sum(before) - sum(after),
        "weight_0": sum(bool(weights[0]) for weights in wrong),
    }


class Moment(NamedTuple):
    """The machine as it finds itself before an instruction."""

    ip: int
    wp: int  # the weight that is written next
    work: int  # cells of the work tape
    cells: list  # the work tape from its far end on, then the program
    op: int
    arguments: list


class Film(Replay):
    """A replay that keeps the moment before each instruction."""

    def __init__(self, config, code, limit):
        self.moments = []
        super().__init__(config, code, limit)

    def fetch(self):
        op, a, c, legal = super().fetch()
        ip, wp, work, end = (int(array[0]) for array in (self.ip, self.wp, self.work, self.end))
        address_0 = self.config.work_cells
        cells = self.cells[0, address_0 - work : address_0 + end].tolist()
        arguments = a[: COUNT[op[0]], 0].tolist()
        self.moments.append(Moment(ip, wp, work, cells, int(op[0]), arguments))
        return op, a, c, legal


def counter(config, fit):
    """Says where the number stands that is written last: instruction, argument, or work (tape)."""
    moments = Film(config, fit.code, fit.steps).moments
    executed = {moment.ip for moment in moments}
    written = [moment.arguments[0] for moment in moments if moment.op == WRITE]
    return "work" if written[-1] < 0 else "instruction" if written[-1] in executed else "argument"


def counters(config, fits):
    """Counts where programs keep their counter; returns the simplest that keeps it in its code."""
    places = [counter(config, fit) for fit in fits]
    table = {place: places.count(place) for place in ("instruction", "argument", "work")}
    own = [fit for fit, place in zip(fits, places) if place != "work"]
    simplest = min(own, key=Fit.complexity, default=None)
    return table | {"code": simplest.code if own else []}


def run(config, seed, progress):
    """Makes the four parts, each from its own random numbers, none of them the experiment's."""
    seeds = np.random.SeedSequence([seed, 1]).spawn(4 + len(config.fixed_limits))
    paper_rng, other_rng, sets_rng, coarse_rng, *fixed_rngs = map(np.random.default_rng, seeds)
    paper_set, other_sets = TRAINING[None], random_sets(sets_rng, config.other_sets)
    long = replace(config, runs=config.long_runs)

    def part(low, high):
        return lambda share, said: progress(low + (high - low) * share, said)

    *cost, fits = search(long, paper_rng, paper_set, part(0.0, 0.4))
    *other_cost, other_fits = search(long, other_rng, other_sets, part(0.4, 0.8))
    table = {
        "other_ratio": len(other_fits) / len(fits) if fits else None,
        "paper_set": summary(*cost, fits),
        "other_sets": summary(*other_cost, other_fits),
        "wrong": wrong_weights(fits),
        "counter": counters(config, generalising(fits + other_fits)),
    }
    for k, (limit, rng) in enumerate(zip(config.fixed_limits, fixed_rngs)):
        done = 0.8 + 0.1 * np.arange(k, k + 2) / len(fixed_rngs)
        fixed = replace(config, runs=10**9, least_limit=limit, doublings=0)
        found = search(fixed, rng, paper_set, part(*done), config.fixed_steps)
        table[f"fixed_{limit}"] = summary(*found)
    coarse = replace(config, runs=config.coarse_runs, least_limit=config.coarse_limit)
    coarse = replace(coarse, doublings=min(config.doublings, 8))  # 8 lead to 8192 steps
    table["coarse"] = summary(*search(coarse, coarse_rng, paper_set, part(0.9, 1.0)))
    return table


if __name__ == "__main__":
    levin_add_positions.main(sys.modules[__name__])
