# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What surrounds OOPS on Hanoi: what experience saves, and how little other instructions cost.

1. Walked. Class B with experience and without, by the searcher of oops_towers_of_hanoi.py: states
   that it really walks, not the prefixes that it counts. Without, it gives up at a multiple of the
   states with experience. A thrifty searcher, which takes more states as equal, goes to the end.
2. Distractors. Prefixes with experience, in languages of several sizes; and the factor by which
   experience raises the probability of the program, by arithmetic. The paper's two probabilities.
3. No boostq. The instruction is taken out of the language.

    python3 study_oops_towers_of_hanoi.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import oops_towers_of_hanoi
from oops_towers_of_hanoi import BIAS, HANOI, HOME, Goal, Halt, Language, Late, Searcher
from oops_towers_of_hanoi import contract, languages, oops
import numpy as np


@dataclass(frozen=True)
class Config:
    instructions: Annotated[int, "n_Q of the searches with and without", (9, 200)] = 24
    sizes: Annotated[tuple[int, ...], "distractors: n_Q of each language", (9, 200)] = (
        9,
        16,
        24,
        32,
        73,
    )
    largest: Annotated[int, "distractors: largest n_Q that the spread is of", (9, 200)] = 32
    phases: Annotated[int, "log2 of the largest T", (1, 60)] = 60
    walk_factor: Annotated[
        float, "states without experience, over with it, when the plain search gives up", (0.1, 1e3)
    ] = 3.0


QUICK = {"instructions": 9, "sizes": (9, 10), "phases": 18}


# ---- 1: searchers ----
class Bounded(Searcher):
    """The searcher of the experiment, which gives up after so many states."""

    most_walked = None

    def count_walk(self):
        super().count_walk()
        if self.walked >= self.most_walked:
            raise Late


class Thrifty(Searcher):
    """The same search with the same counts, that also takes states as equal if what tells them
    apart comes too late to matter, or lies behind a certain halt.

    Each state is replaced by the plainest one of which all the same will be said.
    """

    def search(self, state, used, time, boosts=0):
        self.reached = {}  # by odds
        self.plainer = {}  # by state, and by what no longer matters
        return super().search(state, used, time, boosts)

    def visit(self, state, odds, used):
        endnp, calltp_endnp, calltp = self.reach(odds)
        if state.body is None:
            late = "calltp" if calltp <= used else None
        else:
            late = "endnp" if endnp <= used else "calltp_endnp" if calltp_endnp <= used else None
        if (state, late) not in self.plainer:
            self.plainer[state, late] = self.simplify(state, late)
        return super().visit(self.plainer[state, late], odds, used)

    def reach(self, odds):
        """Return the largest limits with which endnp, calltp and then endnp, and calltp can be read
        behind a prefix. Reading boostq first may raise them; anything else lowers them."""
        if odds not in self.reached:
            longer = dict(self.language.continuations(odds))
            limit = {t: self.time * o[0] // o[1] for t, o in longer.items()}
            both = self.reach(longer["calltp"])[0] if limit["calltp"] else 0
            limits = limit["endnp"], both, limit["calltp"]
            if limit.get("boostq") and longer["boostq"][2] > odds[2]:
                limits = tuple(map(max, limits, self.reach(longer["boostq"])))
            self.reached[odds] = limits
        return self.reached[odds]

    def simplify(self, state, late):
        """Return a state of which the same will be counted, given what comes too late."""
        make = self.machine.state
        if state.body is None:
            return make(state.tasks, state.w, None, None, HOME) if late else state
        nothing = 0 if self.machine.task_class == "A" else ((), (), ())  # there mvdsk halts
        blank = ((1, nothing, 0),) * len(state.tasks)
        if late == "endnp":  # the body will never run
            return make(blank, HOME, None, (), HOME)
        steps = self.steps_to_halt(state)
        if steps:  # all of them but the last are spent on nothing
            return make(blank, HOME, None, ("nop",) * (steps - 3) + ("mvdsk",), HOME)
        pending = HOME if late else state.pending
        return make(state.tasks, state.w, state.procedure, state.body, pending)

    def steps_to_halt(self, state):
        """Return the steps from endnp to a halt that is certain whatever the body will still hold.

        Each task runs the body up to its first call; for n = 1 that returns at once. If the task is
        solved by then, the next one follows.
        """
        steps, machine = 0, self.machine
        for machine.n, machine.env, machine.depth in state.tasks:
            steps += 2  # endnp, entry
            try:
                for op in state.body:
                    steps += 1
                    if isinstance(op, tuple):
                        if machine.n > 1:
                            return 0
                        steps += 1  # entry
                    elif op != "nop":
                        machine.act(op, state.w)
                return 0
            except Halt:
                return steps
            except Goal:
                pass
        return 0


def walked(history):
    """Return the states that a search walked."""
    return sum(task.walked for task in history)


def counted(history):
    """Return the prefixes that a search counted."""
    return sum(task.prefixes for task in history)


# ---- 2: the language ----
def experienced(config, seed, watch):
    """Return the languages of class B with experience, found by searching class A, and without."""
    language_a, cold = languages(config, seed)
    writing = oops(config, Thrifty(language_a, "A", watch=watch), True)
    return replace(cold, experience=writing[-1].program), cold


def exact_gain(warm, cold):
    """Return by how much experience raises the probability of the program for Hanoi."""
    return warm.probability(("boostq", *HANOI)) / cold.probability(HANOI)


# ---- the study ----
def run(config, seed, progress):
    """Search with experience and without it, in languages of several sizes."""
    walk_seed, *size_seeds = np.random.SeedSequence(seed).spawn(1 + len(config.sizes))
    settings = oops_towers_of_hanoi.Config(instructions=config.instructions, phases=config.phases)
    parts = 6 + len(config.sizes)

    def watch(part, name):
        return lambda prefixes: progress(part / parts, f"{name}: {prefixes:,} prefixes")

    warm, cold = experienced(settings, walk_seed, watch(0, "class A"))
    plain_warm = oops(settings, Searcher(warm, "B", watch=watch(1, "with experience")), True)
    bounded = Bounded(cold, "B", watch=watch(2, "without"))
    bounded.most_walked = config.walk_factor * walked(plain_warm)
    plain_cold = oops(settings, bounded, True)
    thrifty_warm = oops(settings, Thrifty(warm, "B", watch=watch(3, "thrifty, with")), True)
    thrifty_cold = oops(settings, Thrifty(cold, "B", watch=watch(4, "thrifty, without")), True)
    tokens = tuple(token for token in cold.tokens if token != "boostq")
    unboosted = Thrifty(Language(tokens, BIAS[:3]), "B", watch=watch(5, "no boostq"))
    no_boostq = oops(settings, unboosted, True)
    sizes = distractors(config, size_seeds, lambda k: watch(6 + k, f"n_Q = {config.sizes[k]}"))
    return {
        "plain": {
            "walked_warm": walked(plain_warm),
            "walked_cold": walked(plain_cold),
            "cold_finished": int(contract(plain_cold[-1].program) is not None),
        },
        "thrifty": {
            "walked_warm": walked(thrifty_warm),
            "walked_cold": walked(thrifty_cold),
            "walked_factor": walked(thrifty_cold) / walked(thrifty_warm),
            "cold_prefixes": counted(thrifty_cold),
            "counted_factor": counted(thrifty_cold) / counted(thrifty_warm),
        },
        "walked_factor": walked(plain_cold) / walked(plain_warm),
        "tasks": {  # of the thrifty searches, for the picture
            "warm_prefixes": [task.prefixes for task in thrifty_warm],
            "warm_walked": [task.walked for task in thrifty_warm],
            "cold_prefixes": [task.prefixes for task in thrifty_cold],
            "cold_walked": [task.walked for task in thrifty_cold],
        },
        "no_boostq": {
            "prefixes": counted(no_boostq),
            "counted_factor": counted(no_boostq) / counted(thrifty_warm),
        },
        "paper": {
            "boosted": (74 / (7 * 73)) ** 3 * (74 / (12 * 73)) ** 7,  # three, then seven tokens
            "not_boosted": (74 / (7 * 73)) ** 3 * (1 / (7 * 73)) ** 4,  # numerators 1 + 73, and 1
        },
        **sizes,
    }


def distractors(config, seeds, watch):
    """Search class B with experience, in languages of each size."""
    prefixes, gains = [], []
    for k, size in enumerate(config.sizes):
        settings = oops_towers_of_hanoi.Config(instructions=size, phases=config.phases)
        warm, cold = experienced(settings, seeds[k], watch(k))
        prefixes.append(counted(oops(settings, Thrifty(warm, "B", watch=watch(k)), True)))
        gains.append(exact_gain(warm, cold))
    spread = [n for n, size in zip(prefixes, config.sizes) if size <= config.largest]
    return {
        "sizes": list(config.sizes),
        "warm_prefixes": prefixes,
        "exact_gains": gains,
        "warm_spread": max(spread) / min(spread),
    }


if __name__ == "__main__":
    oops_towers_of_hanoi.main(sys.modules[__name__])
