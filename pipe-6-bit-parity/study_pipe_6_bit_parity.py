# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""How often PIPE writes 6-bit parity, beside genetic programming, and what its parts are good for.

Rows: twenty searches by PIPE (pipe); ten runs of Koza's genetic programming with as many programs
each (gp); PIPE without mutation, without the fitness-dependent rate, and with a single step in each
node in place of the joint target; parities of three to five inputs (width_3 ...). PIPE is that of
pipe_6_bit_parity.py.

    python3 study_pipe_6_bit_parity.py --seed 0
"""

import math
import sys
from array import array
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import pipe_6_bit_parity
from pipe_6_bit_parity import ARITY, POINTS, Parity, Pipe, after_steps, apply
from pipe_6_bit_parity import random_part, rows_right, uniforms
import numpy as np


@dataclass(frozen=True)
class Config:
    inputs: Annotated[int, "inputs of the parity", (2, 6)] = 6
    evaluations: Annotated[int, "programs of a search or run at most", (10, 10**8)] = 500_000
    searches: Annotated[int, "searches by PIPE", (1, 1000)] = 20
    gp_runs: Annotated[int, "runs of genetic programming", (1, 1000)] = 10
    gp_population: Annotated[int, "programs of a generation", (2, 10**5)] = 1000
    gp_tournament: Annotated[int, "programs that a parent is the best of", (1, 100)] = 7
    gp_crossover: Annotated[float, "share of children by crossover", (0.01, 1.0)] = 0.9
    gp_first_levels: Annotated[int, "levels of the deepest first program", (2, 12)] = 6
    gp_levels: Annotated[int, "levels of the deepest program", (2, 40)] = 17
    ablation_runs: Annotated[int, "searches with each part changed", (1, 1000)] = 5
    ablation_evaluations: Annotated[int, "programs of each of them", (10, 10**8)] = 200_000
    widths: Annotated[tuple[int, ...], "other numbers of inputs", (2, 8)] = (3, 4, 5)
    width_runs: Annotated[int, "searches for each of these", (1, 1000)] = 5

    def __post_init__(self):
        if self.gp_first_levels > self.gp_levels:
            raise ValueError("argument --gp-first-levels: must not exceed --gp-levels")
        if self.ablation_evaluations > self.evaluations:
            raise ValueError("argument --ablation-evaluations: must not exceed --evaluations")


QUICK = {"inputs": 3, "evaluations": 1000, "searches": 2, "gp_runs": 1, "gp_population": 100}
QUICK |= {"ablation_runs": 1, "ablation_evaluations": 500, "widths": (2, 3), "width_runs": 1}


# ---- the ablations -------------------------------------------------------------------------------
class NoMutation(Pipe):
    """PIPE whose vectors change by learning alone."""

    def mutate(self, p, last):
        pass


class NoFitnessRate(Pipe):
    """PIPE that learns as much from a bad generation's best program as from a good one's."""

    def ratio(self, wrong):
        return 1.0


class NodeStep(Pipe):
    """PIPE that takes a single step in each node, whatever comes of the whole program."""

    SIZE = 0.3  # part of what a node lacks to 1

    def raised(self, p, ratio):
        return after_steps(p, 1, self.SIZE * ratio)


ABLATIONS = {"no_mutation": NoMutation, "no_fitness_rate": NoFitnessRate, "node_step": NodeStep}


# ---- genetic programming -------------------------------------------------------------------------
class Grown(NamedTuple):
    """A program, and for each of its nodes the part that begins there: all arrays (m,)."""

    program: array  # instructions
    table: array  # truth tables
    size: array  # nodes
    levels: array


def grown(program, task):
    """Measure each part of a program."""
    kinds = "BQii"  # C types, of which a part is copied at once; Q has 64 bits, for six inputs
    zeros = len(program) * [0]
    whole = Grown(*map(array, kinds, (program, zeros, zeros, zeros)))
    for i in reversed(range(len(program))):
        measure(whole, i, task)
    return whole


def measure(whole, i, task):
    """Measure the part that begins at node i, once all parts of it are measured."""
    op = whole.program[i]
    arguments = [i + 1]  # where they begin
    for _ in range(ARITY[op]):
        arguments.append(arguments[-1] + whole.size[arguments[-1]])
    whole.size[i] = arguments.pop() - i
    whole.levels[i] = 1 + max((whole.levels[j] for j in arguments), default=0)
    tables = [whole.table[j] for j in arguments]
    whole.table[i] = apply(op, tables, task.ones) if tables else task.inputs[op]


def crossed(mother, at, father, start, task):
    """Return the mother with her part at a node replaced by the father's part at a node of his."""
    end = at + mother.size[at]
    stop = start + father.size[start]
    child = Grown(*(m[:at] + f[start:stop] + m[end:] for m, f in zip(mother, father)))
    for i in reversed(ancestors(mother, at)):  # all others are measured already
        measure(child, i, task)
    return child


def ancestors(whole, at):
    """Return the nodes above a node, the root first."""
    found = []
    i = 0
    while i < at:
        found.append(i)
        i += 1
        while i + whole.size[i] <= at:
            i += whole.size[i]
    return found


def first_program(config, uniform, levels, full, root=True):
    """Draw one of Koza's first programs: functions down to the last level (full), or not (grow)."""
    functions = 4 if levels > 1 else 0
    inputs = 0 if levels > 1 and (full or root) else config.inputs
    op = int(next(uniform) * (functions + inputs)) + (4 - functions)
    program = [op]
    for _ in range(ARITY[op]):
        program += first_program(config, uniform, levels - 1, full, False)
    return program


def parents(wrong, config, rng):
    """Return mothers and fathers (N, 2), each the best of a tournament."""
    entrants = rng.integers(len(wrong), size=(len(wrong), 2, config.gp_tournament))
    best = np.array(wrong)[entrants].argmin(2)  # (N, 2)
    return np.take_along_axis(entrants, best[:, :, None], 2)[:, :, 0].tolist()


def genetic_programming(config, rng, progress):
    """Run Koza's genetic programming once; returns the programs evaluated and the rows right of the
    best. Copies of a mother, also in place of children that are too deep, cost no evaluation."""
    task = Parity(config.inputs)
    uniform = uniforms(rng)
    people = first_people(config, uniform, task)
    wrong = [task.wrong(person.table[0]) for person in people]
    best = people[np.argmin(wrong)]
    tried = len(people)
    while min(wrong) and tried < config.evaluations:
        progress(tried / config.evaluations, f"genetic programming: {min(wrong)} rows wrong")
        children = []
        for mother, father in parents(wrong, config, rng):
            child = offspring(people[mother], people[father], config, uniform, task)
            tried += child is not people[mother]
            children.append(child)
            if task.wrong(child.table[0]) == 0 or tried == config.evaluations:
                break
        people = children
        wrong = [task.wrong(person.table[0]) for person in people]
        best = min(best, people[np.argmin(wrong)], key=lambda person: task.wrong(person.table[0]))
    return tried, rows_right(best.program, config.inputs)


def first_people(config, uniform, task):
    """Draw Koza's first generation: of each depth as many full programs as others."""
    depths = range(2, config.gp_first_levels + 1)
    people = []
    for i in range(config.gp_population):
        levels = depths[i // 2 % len(depths)]
        people.append(grown(first_program(config, uniform, levels, i % 2 == 0), task))
    return people


def offspring(mother, father, config, uniform, task):
    """Return a child by crossover, or else the mother herself."""
    if next(uniform) >= config.gp_crossover:
        return mother
    at = random_part(mother.program, uniform)
    start = random_part(father.program, uniform)
    child = crossed(mother, at, father, start, task)
    return child if child.levels[0] <= config.gp_levels else mother


# ---- the study -----------------------------------------------------------------------------------
def summary(programs, solved):
    """Sum up searches by the programs that each evaluated, and whether it was solved."""
    times = [count if right else 0 for count, right in zip(programs, solved)]
    reached = [time for time in times if time]
    return {
        "share": len(reached) / len(times),
        "median_programs": float(np.median(reached)) if reached else None,
        "times": times,  # programs until solved, 0: never
    }


def pipes(config, seeds, progress, kind=Pipe):
    """Search once with each seed."""
    found = []
    for k, seed in enumerate(seeds):
        pipe = kind(config, np.random.default_rng(seed))
        found.append(pipe.search(lambda f, said, k=k: progress((k + f) / len(seeds), said)))
    return found


def of_pipes(found):
    """Sum up searches by PIPE."""
    right = [rows_right(pipe.best, pipe.config.inputs) for pipe in found]
    solved = [rows == pipe.task.rows for rows, pipe in zip(right, found)]
    return summary([pipe.programs for pipe in found], solved)


def rank_test(a, b):
    """Return the two-sided p of the rank test that a and b are alike (normal approximation)."""
    both = np.concatenate([a, b])  # (n,)
    rank = (both[:, None] > both).sum(1) + (both[:, None] == both).sum(1) / 2  # (n,) less 1/2
    variance = len(a) * len(b) / len(both) * rank.var(ddof=1)  # of the sum of a's ranks
    distance = rank[: len(a)].sum() - len(a) * rank.mean()
    return math.erfc(abs(distance) / math.sqrt(2 * variance)) if variance else 1.0


def run(config, seed, progress):
    """Search, run genetic programming, and search with parts of PIPE changed or other widths."""
    names = ["pipe", "gp", *ABLATIONS, *(f"width_{n}" for n in config.widths)]
    seeds = dict(zip(names, np.random.SeedSequence([seed, 1]).spawn(len(names))))
    paper = pipe_6_bit_parity.Config(inputs=config.inputs, evaluations=config.evaluations)

    def part(start, end):
        return lambda f, said: progress(start + (end - start) * f, said)

    searches = pipes(paper, seeds["pipe"].spawn(config.searches), part(0.0, 0.35))
    table = {"pipe": of_pipes(searches)}
    table["gp"] = gp_runs(config, seeds["gp"], part(0.35, 0.7))
    table["gp_lead"] = table["pipe"]["share"] - table["gp"]["share"]

    early = config.ablation_evaluations * POINTS // config.evaluations
    rows = [pipe.course[early] for pipe in searches]
    table["pipe"] |= {"rows": rows, "median_rows": float(np.median(rows))}
    short = replace(paper, evaluations=config.ablation_evaluations)
    for k, (name, kind) in enumerate(ABLATIONS.items()):
        own = part(0.7 + 0.07 * k, 0.77 + 0.07 * k)
        found = pipes(short, seeds[name].spawn(config.ablation_runs), own, kind)
        changed = [pipe.course[-1] for pipe in found]
        table[name] = {"rows": changed, "median_rows": float(np.median(changed))}
        table[name]["p"] = rank_test(rows, changed)
    for k, n in enumerate(config.widths):
        narrow = replace(paper, inputs=n)
        own = part(0.91 + 0.09 * k / len(config.widths), 0.91 + 0.09 * (k + 1) / len(config.widths))
        found = pipes(narrow, seeds[f"width_{n}"].spawn(config.width_runs), own)
        table[f"width_{n}"] = of_pipes(found)
    return table


def gp_runs(config, seed, progress):
    """Run genetic programming several times and sum up."""
    tried, right = [], []
    for k, own in enumerate(seed.spawn(config.gp_runs)):
        rng = np.random.default_rng(own)
        spent, rows = genetic_programming(
            config, rng, lambda f, said, k=k: progress((k + f) / config.gp_runs, said)
        )
        tried.append(spent)
        right.append(rows)
    solved = [rows == 2**config.inputs for rows in right]
    return summary(tried, solved) | {"rows": right, "median_rows": float(np.median(right))}


if __name__ == "__main__":
    pipe_6_bit_parity.main(sys.modules[__name__])
