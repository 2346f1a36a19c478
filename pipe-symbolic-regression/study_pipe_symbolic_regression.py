# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""How reliable PIPE is beside genetic programming, and what its parts are good for.

Rows: twenty searches by PIPE (pipe) and as many runs of genetic programming (gp) on the paper's
function; genetic programming with the levels of PIPE's trees (gp_shallow); programs drawn at random
(random); PIPE without mutation, without the fitness-dependent rate, and with a target for each node
in place of the joint one; Koza's quartic from all eight functions (eight).

    python3 study_pipe_symbolic_regression.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import pipe_symbolic_regression
from pipe_symbolic_regression import EXACT, NAMES, POINTS, WORST, Pipe
from pipe_symbolic_regression import genetic_programming, paper_task, quartic_task
import numpy as np


@dataclass(frozen=True)
class Config:
    evaluations: Annotated[int, "programs of a search or run", (100, 10**8)] = 100_000
    searches: Annotated[int, "searches by PIPE", (2, 1000)] = 20
    gp_runs: Annotated[int, "runs of genetic programming", (2, 1000)] = 20
    gp_population: Annotated[int, "programs of a generation", (2, 10**5)] = 500
    shallow_runs: Annotated[int, "of them with few levels", (1, 1000)] = 3
    shallow_levels: Annotated[int, "these levels", (2, 100)] = 6
    random_programs: Annotated[int, "random programs for the quartic", (1, 10**9)] = 500_000
    random_terminals: Annotated[float, "P_T where they are drawn", (0.01, 0.99)] = 0.6
    ablation_runs: Annotated[int, "searches with each part changed", (1, 1000)] = 4
    ablation_evaluations: Annotated[int, "programs of each of them", (100, 10**8)] = 50_000
    eight_runs: Annotated[int, "searches for the quartic, eight functions", (1, 1000)] = 3
    eight_evaluations: Annotated[int, "programs of each at most", (100, 10**8)] = 200_000

    def __post_init__(self):
        if self.gp_population > self.evaluations:
            raise ValueError("argument --gp-population: must not exceed --evaluations")
        if self.ablation_evaluations > self.evaluations:
            raise ValueError("argument --ablation-evaluations: must not exceed --evaluations")


QUICK = {"evaluations": 400, "searches": 3, "gp_runs": 2, "gp_population": 50, "shallow_runs": 1}
QUICK |= {"random_programs": 2000, "ablation_runs": 1, "ablation_evaluations": 200}
QUICK |= {"eight_runs": 1, "eight_evaluations": 400}


# ---- the ablations -------------------------------------------------------------------------------
class NoMutation(Pipe):
    """PIPE whose vectors change by learning alone."""

    def mutate(self, p, last):
        pass


class NoFitnessRate(Pipe):
    """PIPE that learns as much from a bad generation's best program as from a good one's."""

    def ratio(self, error):
        return 1.0


class NodeTarget(Pipe):
    """PIPE that raises each node by itself, whatever comes of the whole program."""

    LEAST = 0.8  # the probability that a node is raised to at least

    def raised(self, p, ratio):
        target = self.LEAST + (1 - self.LEAST) * self.config.learning_rate * ratio
        return np.maximum(p, target)


ABLATIONS = {"no_mutation": NoMutation, "no_fitness_rate": NoFitnessRate, "node_target": NodeTarget}


# ---- many runs -----------------------------------------------------------------------------------
def part(progress, start, end):
    """Return a progress for the piece of the work from start to end."""
    return lambda f, said: progress(start + (end - start) * f, said)


def searches(config, make_task, evaluations, seeds, progress, kind=Pipe):
    """Search once with each seed, and return the searches."""
    found = []
    for k, seed in enumerate(seeds):
        pipe = kind(config, make_task(), evaluations, np.random.default_rng(seed))
        found.append(pipe.search(part(progress, k / len(seeds), (k + 1) / len(seeds))))
    return found


def gp_errors(config, seeds, progress):
    """Run genetic programming once with each seed; returns the errors of the best programs."""
    errors = []
    for k, seed in enumerate(seeds):
        own = part(progress, k / len(seeds), (k + 1) / len(seeds))
        _, error, _ = genetic_programming(config, paper_task(), np.random.default_rng(seed), own)
        errors.append(error)
    return errors


def draw_at_random(config, task, count, rng, progress):
    """Draw programs from a tree that never learns, with fresh constants; returns the least error
    and how many programs are exact."""
    source = Pipe(replace(config, constant_threshold=1.0), task, count, rng)
    least, exact = WORST, 0
    for start in range(0, count, 1000):
        with np.errstate(all="ignore"):
            programs = [source.draw()[0] for _ in range(min(1000, count - start))]
            errors = task.errors(programs)  # (n,)
        least = min(least, errors.min())
        exact += sum(task.same(programs[k]) for k in np.flatnonzero(errors < EXACT))
        progress(start / count, f"at random: {start:,} programs, {exact} exact")
    return least, exact


def summary(errors):
    """Sum up the errors of several runs, and keep them; spread is the width of the middle half."""
    low, high = np.quantile(errors, [0.25, 0.75])
    return {"errors": errors, "median_error": np.median(errors), "spread": high - low}


# ---- the study -----------------------------------------------------------------------------------
def run(config, seed, progress):
    """Search and evolve many times, draw at random, and change parts of PIPE and its task."""
    names = ["pipe", "gp", "gp_shallow", "quartic", "paper", *ABLATIONS, "eight"]
    seeds = dict(zip(names, np.random.SeedSequence([seed, 1]).spawn(len(names))))
    paper = pipe_symbolic_regression.Config(
        evaluations=config.evaluations, gp_population=config.gp_population
    )
    own = seeds["pipe"].spawn(config.searches)
    found = searches(paper, paper_task, config.evaluations, own, part(progress, 0.0, 0.28))
    pipe = summary([search.error for search in found])
    early = config.ablation_evaluations * POINTS // config.evaluations
    pipe["median_early"] = np.median([search.course[early - 1] for search in found])
    own = seeds["gp"].spawn(config.gp_runs)
    gp = summary(gp_errors(paper, own, part(progress, 0.28, 0.62)))
    own = seeds["gp_shallow"].spawn(config.shallow_runs)
    shallow = replace(paper, gp_levels=config.shallow_levels)
    return {
        "pipe": pipe,
        "gp": gp,
        "spread_ratio": gp["spread"] / pipe["spread"] if pipe["spread"] else None,
        "gp_shallow": summary(gp_errors(shallow, own, part(progress, 0.62, 0.68))),
        "random": random_row(config, paper, seeds, part(progress, 0.68, 0.7)),
        **ablation_rows(config, paper, seeds, part(progress, 0.7, 0.92)),
        "eight": eight_row(config, paper, seeds["eight"], part(progress, 0.92, 1.0)),
    }


def random_row(config, paper, seeds, progress):
    """Draw programs at random for the quartic, and as many as a search for the paper's function."""
    source = replace(paper, terminals=config.random_terminals)
    first, second = (np.random.default_rng(seeds[name]) for name in ("quartic", "paper"))
    count = config.random_programs
    _, exact = draw_at_random(source, quartic_task(), count, first, part(progress, 0.0, 0.8))
    own = part(progress, 0.8, 1.0)
    least, _ = draw_at_random(source, paper_task(), config.evaluations, second, own)
    return {"quartic_programs": count, "quartic_exact": exact, "paper_error": least}


def ablation_rows(config, paper, seeds, progress):
    """Search for the paper's function with one part of PIPE changed."""
    table = {}
    for k, (name, kind) in enumerate(ABLATIONS.items()):
        runs = seeds[name].spawn(config.ablation_runs)
        own = part(progress, k / len(ABLATIONS), (k + 1) / len(ABLATIONS))
        changed = searches(paper, paper_task, config.ablation_evaluations, runs, own, kind)
        table[name] = summary([search.error for search in changed])
    return table


def eight_task():
    """Return Koza's quartic with all eight functions, and x as the only terminal."""
    return quartic_task([name for name in NAMES if name != "R"])


def eight_row(config, paper, seed, progress):
    """Search for the quartic with all eight functions."""
    own = seed.spawn(config.eight_runs)
    found = searches(paper, eight_task, config.eight_evaluations, own, progress)
    times = [search.programs if search.exact else 0 for search in found]
    reached = [time for time in times if time]
    return {
        "share": len(reached) / len(times),
        "median_programs": np.median(reached) if reached else None,
        "times": times,  # programs until exact, 0: never
    }


if __name__ == "__main__":
    pipe_symbolic_regression.main(sys.modules[__name__])
