# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around levin_count_inputs.py: other examples, search without chance, what fits.

1. Twenty other sets of three examples, beside the paper's.
2. Systematic search: Levin's own, which tries all programs in phases and needs no random numbers.
3. Where the programs that generalise read the number one, and where the others are wrong.
4. One time limit of 512 steps instead of Levin's, and one of 8192.

    python3 study_levin_count_inputs.py --seed 0     # a minute or two
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import levin_count_inputs
from levin_count_inputs import COUNT, STOP, TRAINING, UNSEEN, WEIGHTS, WRITE, Lanes, Replay
from levin_count_inputs import answers, generalising, one_limit, search, targets, unseen_right
import numpy as np


@dataclass(frozen=True)
class Config(levin_count_inputs.Config):
    other_sets: Annotated[int, "other sets of three examples", (1, 1000)] = 20
    set_runs: Annotated[int, "programs tested on each of these", (1, 10**9)] = 300_000
    phases: Annotated[int, "systematic search: last phase, log2 of steps", (1, 30)] = 19
    fixed_limits: Annotated[tuple[int, ...], "one time limit, steps", (1, 2**24)] = (512, 8192)


QUICK = levin_count_inputs.QUICK | {
    "other_sets": 3,
    "set_runs": 10_000,
    "phases": 9,
    "fixed_limits": (256, 512),
}


# ---- 1. other examples -------------------------------------------------------------------------
def random_sets(rng, sets):
    """Draws sets of three inputs with three positions on in each, (S, 3, 3)."""
    return np.argsort(rng.random((sets, 3, WEIGHTS)), axis=-1)[..., :3]


def share(part, whole):
    """Returns the share of a part, None where the whole is nothing."""
    return len(part) / len(whole) if whole else None


def other_examples(config, search_rng, sets_rng, progress):
    """Tests new programs on other sets in turn; returns what fits and what generalises."""
    sets = random_sets(sets_rng, config.other_sets)
    many = replace(config, runs=config.other_sets * config.set_runs)
    *_, fits = search(many, search_rng, sets, progress)
    exact = generalising(fits)
    fitted = np.bincount([fit.run % len(sets) for fit in fits], minlength=len(sets))  # (S,)
    right = np.bincount([fit.run % len(sets) for fit in exact], minlength=len(sets))  # (S,)
    shares = right[fitted > 0] / fitted[fitted > 0]
    return {
        "fits": len(fits),
        "share": share(exact, fits),
        "least": shares.min() if fits else None,  # of all sets
        "largest": shares.max() if fits else None,
    }


# ---- 2. systematic search ------------------------------------------------------------------------
class Beginnings(Lanes):
    """Programs whose first guesses are known; where one asks for more, `asked` notes what for."""

    def __init__(self, config, known, limits):
        super().__init__(replace(config, lanes=len(known)), None)
        self.known = known  # a tuple of guesses for each lane
        self.asked = {}  # lane: (low, choices)
        self.alive[:] = True
        self.limit[:] = limits
        while self.alive.any():
            over = self.step()
            self.alive &= ~over
            self.alive[list(self.asked)] = False

    def draw(self, lanes, low, choices):
        low, choices = (np.broadcast_to(numbers, lanes.shape) for numbers in (low, choices))
        value = np.full(lanes.shape, STOP)  # what stands where nothing is known has no effect
        for k, lane in enumerate(lanes):
            if self.end[lane] < len(self.known[lane]):
                value[k] = self.known[lane][self.end[lane]]
            else:
                self.asked.setdefault(int(lane), (int(low[k]), int(choices[k])))
        return value


def phase_of(config, phase, progress):
    """Runs each program of probability P for 2^phase P steps at most.

    Returns how many programs and steps that takes, and the weights of those that fit, (F, 100).
    """
    waiting, fits = [((), 0.0)], []  # guesses, -log2 of their probability
    programs = steps = 0
    while waiting:
        batch, waiting = waiting[-config.lanes :], waiting[: -config.lanes]
        limits = [int(2 ** (phase - bits)) for _, bits in batch]
        lanes = Beginnings(config, [known for known, _ in batch], limits)
        for lane, (known, bits) in enumerate(batch):
            if lane in lanes.asked:
                low, choices = lanes.asked[lane]
                longer = bits + np.log2(choices)
                if lanes.age[lane] <= 2 ** (phase - longer):
                    waiting += [((*known, low + k), longer) for k in range(choices)]
            else:
                programs += 1
                steps += int(lanes.age[lane])
                if (answers(lanes.weights[lane], TRAINING) == targets(TRAINING)).all():
                    fits.append(lanes.weights[lane].copy())
        progress(phase / config.phases, f"systematic search, phase {phase}: {programs:,} programs")
    return programs, steps, fits


def systematic(config, progress):
    """Goes on until a phase holds a program that generalises; returns what that took in all."""
    programs = steps = 0
    first_phase = None
    for phase in range(1, config.phases + 1):
        more_programs, more_steps, fits = phase_of(config, phase, progress)
        programs += more_programs
        steps += more_steps
        first_phase = first_phase or (phase if fits else None)
        if any(unseen_right(weights) == UNSEEN for weights in fits):
            return {"first_fit": first_phase, "phase": phase, "programs": programs, "steps": steps}
    return {"first_fit": first_phase, "phase": None, "programs": programs, "steps": steps}


# ---- 3. what fits --------------------------------------------------------------------------------
def wrong_weights(fits):
    """Counts the programs that fit and do not generalise, by where their weights are wrong."""
    wrong = [fit.weights != 1 for fit in fits if (fit.weights != 1).any()]
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


def source(config, fit):
    """Says where the number stands that is written last: instruction, argument, or work (tape)."""
    moments = Film(config, fit.code, fit.steps).moments
    executed = {moment.ip for moment in moments}
    written = [moment.arguments[0] for moment in moments if moment.op == WRITE]
    return "work" if written[-1] < 0 else "instruction" if written[-1] in executed else "argument"


# ---- the study -----------------------------------------------------------------------------------
def run(config, seed, progress):
    """Makes the four parts, each from its own random numbers, none of them the experiment's."""
    seeds = np.random.SeedSequence([seed, 1]).spawn(3 + len(config.fixed_limits))
    paper_rng, other_rng, sets_rng, *fixed_rngs = map(np.random.default_rng, seeds)

    def part(low, high):
        return lambda fraction, said: progress(low + (high - low) * fraction, said)

    _, steps, fits = search(config, paper_rng, TRAINING[None], part(0.0, 0.1))
    exact = generalising(fits)
    others = other_examples(config, other_rng, sets_rng, part(0.1, 0.5))
    both = fits and others["fits"]
    sources = [source(config, fit) for fit in exact]
    table = {
        "other_difference": others["share"] - share(exact, fits) if both else None,
        "paper_set": {"fits": len(fits), "share": share(exact, fits)},
        "other_sets": others,
        "systematic": systematic(config, part(0.5, 0.7)),
        "ones": {place: sources.count(place) for place in ("instruction", "argument", "work")},
        "wrong": wrong_weights(fits),
        "limits": {"levin": steps / len(exact) if exact else None},
    }
    for k, (limit, rng) in enumerate(zip(config.fixed_limits, fixed_rngs)):
        done = 0.7 + 0.3 * np.arange(k, k + 2) / len(fixed_rngs)
        cost = one_limit(config, limit, rng, steps, part(*done))
        table["limits"][f"fixed_{limit}"] = cost
    return table


if __name__ == "__main__":
    levin_count_inputs.main(sys.modules[__name__])
