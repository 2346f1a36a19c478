# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""PIPE learns to write a formula: a tree of probability vectors follows its own best programs.

Paper: R. Salustowicz, J. Schmidhuber, "Probabilistic Incremental Program Evolution", Evolutionary
Computation 5(2):123-141, 1997.
Task: write a program of + - * % sin cos exp rlog, x and constants that passes 101 points of
x^3 e^-x cos x sin x (sin^2 x cos x - 1) in [0, 10]. Besides, Koza's quartic x^4 + x^3 + x^2 + x,
from + - * % and x alone, which counts only if it is exact.
Method: each node of the prototype tree holds a probability vector over the instructions. Ten
programs are drawn; the joint probability of the best one is raised to a target, the vectors that it
passed are mutated, and so on. There is no crossover.
Claim: PIPE is better and more reliable than genetic programming with as many programs.
Baseline: Koza's genetic programming, population 500.

    python3 pipe_symbolic_regression.py --seed 0      # one run of each, in seconds
    python3 pipe_symbolic_regression.py --help        # every setting
"""

import math
import operator
import os
from bisect import bisect
from dataclasses import dataclass
from fractions import Fraction
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    evaluations: Annotated[int, "paper's function: programs of each method", (1, 10**8)] = 100_000
    quartic_evaluations: Annotated[int, "quartic: programs at most", (1, 10**8)] = 20_000
    population: Annotated[int, "PS, programs per generation", (1, 10_000)] = 10
    learning_rate: Annotated[float, "lr, part of what P lacks to 1", (1e-6, 0.999)] = 0.01
    step: Annotated[float, "c, a step is this times lr of what p lacks to 1", (1e-3, 1.0)] = 0.1
    epsilon: Annotated[float, "eps, added to both errors", (1e-12, 1e6)] = 1e-6
    elitist_share: Annotated[float, "P_el, steps towards the best ever", (0.0, 0.999)] = 0.01
    mutation_probability: Annotated[float, "P_M, sets how many entries mutate", (0.0, 10.0)] = 0.4
    mutation_rate: Annotated[float, "mr, a mutated entry's way to 1", (0.0, 1.0)] = 0.4
    constant_threshold: Annotated[float, "T_R, P(R) from which R is kept", (0.0, 1.0)] = 0.3
    prune_threshold: Annotated[float, "T_P, an entry above it prunes", (0.5, 1.0)] = 0.999999
    terminals: Annotated[float, "P_T, first probability of x or R", (0.01, 0.99)] = 0.8
    levels: Annotated[int, "levels of a tree; the last has terminals only", (2, 12)] = 6
    gp_population: Annotated[int, "genetic programming: population", (2, 10**5)] = 500
    gp_levels: Annotated[int, "genetic programming: levels of a program", (2, 100)] = 17

    def __post_init__(self):
        if self.population > min(self.evaluations, self.quartic_evaluations):
            raise ValueError("argument --population: must not exceed --[quartic-]evaluations")
        if self.gp_population > self.evaluations:
            raise ValueError("argument --gp-population: must not exceed --evaluations")


QUICK = {"evaluations": 2000, "quartic_evaluations": 2000, "gp_population": 100}

# ---- programs ------------------------------------------------------------------------------------
NAMES = ("+", "-", "*", "%", "sin", "cos", "exp", "rlog", "R", "x")  # an instruction is an index
ARITY = (2, 2, 2, 2, 1, 1, 1, 1, 0, 0)
R, X = 8, 9  # the terminals; all others are functions


def protected_ratio(a, b):
    """Return a / b, and 1 where b is 0."""
    return np.divide(a, b, out=np.ones_like(a), where=b != 0)


def protected_log(a):
    """Return log |a|, and 0 where a is 0."""
    return np.log(np.abs(a), out=np.zeros_like(a), where=a != 0)


FLOATS = (np.add, np.subtract, np.multiply, protected_ratio)
FLOATS += (np.sin, np.cos, np.exp, protected_log)
FRACTIONS = (operator.add, operator.sub, operator.mul, lambda a, b: a / b if b else Fraction(1))


class Program:
    """An instruction with its arguments, which are programs too; none of them ever changes."""

    __slots__ = ("op", "constant", "arguments", "values", "count", "levels")

    def __init__(self, op, constant, arguments, x):
        self.op = op
        self.constant = constant  # what R stands for, None for any other instruction
        self.arguments = arguments
        self.values = apply(op, constant, [part.values for part in arguments], x)  # (K,)
        terminals = sum([part.count[0] for part in arguments]) or 1
        functions = sum([part.count[1] for part in arguments]) + bool(arguments)
        self.count = (terminals, functions)
        self.levels = 1 + max([part.levels for part in arguments], default=0)


def apply(op, constant, arguments, x, meaning=FLOATS):
    """Return what an instruction makes of its arguments' values, at the points x."""
    if op == X:
        return x
    if op == R:
        return np.full_like(x, constant)
    return meaning[op](*arguments)


@np.errstate(all="ignore")
def answer(program, x, meaning=FLOATS):
    """Return what a program says to x, an array or a Fraction: the plain evaluator."""
    arguments = [answer(part, x, meaning) for part in program.arguments]
    return apply(program.op, program.constant, arguments, x, meaning)


# ---- the tasks -----------------------------------------------------------------------------------
WORST = 1e9  # the error of a program whose own is larger or no number
EXACT = 1e-6  # a sum of errors below it may be one of rounding
KNOWN = 10_000  # programs that are kept


class Task:
    """Points of a function to fit, fresh points to test on, and the instructions to use."""

    def __init__(self, function, x, fresh_x, names=NAMES):
        self.functions = [op for op in range(R) if NAMES[op] in names]
        self.terminals = [op for op in (R, X) if NAMES[op] in names]
        self.x = x  # (K,)
        self.y = function(x)  # (K,)
        self.fresh_x = fresh_x  # (J,)
        self.fresh_y = function(fresh_x)  # (J,)
        self.constant_error = np.abs(self.y - np.median(self.y)).sum()  # of the best constant
        self.known = {}

    def program(self, op, constant, arguments):
        """Return a program with its values; one that was made before is not computed again."""
        key = (op, constant, *map(id, arguments))
        found = self.known.get(key)
        if found is None:
            if len(self.known) == KNOWN:
                self.known.clear()
            found = self.known[key] = Program(op, constant, arguments, self.x)
        return found

    def errors(self, programs):
        """Return the sum of absolute errors of each program, (n,)."""
        values = np.array([program.values for program in programs])  # (n, K)
        total = np.abs(values - self.y).sum(1)  # (n,)
        return np.where(total < WORST, total, WORST)  # no number is not below it either

    def fresh_errors(self, program):
        """Return the absolute errors at the fresh points, (J,)."""
        error = np.abs(answer(program, self.fresh_x) - self.fresh_y)  # (J,)
        return np.where(error < WORST, error, WORST)

    def same(self, program):
        """Say whether a program is the function at all fresh points, but for rounding."""
        close = 1e-9 * np.maximum(np.abs(self.fresh_y), 1)  # (J,)
        return bool((self.fresh_errors(program) < close).all())


def paper_function(x):
    """Return the paper's function, which has no short formula."""
    return x**3 * np.exp(-x) * np.cos(x) * np.sin(x) * (np.sin(x) ** 2 * np.cos(x) - 1)


def paper_task():
    """Return the paper's task: 101 points in [0, 10]. To test, the 100 points half way between."""
    x = np.linspace(0, 10, 101)  # (K,)
    return Task(paper_function, x, (x[1:] + x[:-1]) / 2)


def quartic(x):
    """Return Koza's polynomial."""
    return x**4 + x**3 + x**2 + x


def quartic_task(names=("+", "-", "*", "%", "x")):
    """Return Koza's task: 20 points in [-1, 1]. To test, 51 in [-3, 3], with 0 among them."""
    return Task(quartic, np.linspace(-1, 1, 20), np.linspace(-3, 3, 51), names)


def proved(program):
    """Say whether a program of + - * % and x is the quartic, in fractions without rounding.

    With L levels it is a ratio of polynomials of degree 2^(L-1) at most, but at most L 2^(L-1)
    points where a division is protected. Another one than the quartic can meet it at 4 + 2^(L-1)
    points besides; it is tried at more.
    """
    most = program.levels * 2**program.levels + 4
    points = [Fraction(k, 7) for k in range(-most, most + 1)]
    return all(answer(program, x, FRACTIONS) == quartic(x) for x in points)


# ---- the prototype tree --------------------------------------------------------------------------
class Node:
    """A node: probabilities p (I,) of the instructions, their sums, a constant, two children."""

    __slots__ = ("p", "sums", "last", "constant", "children")

    def __init__(self, p, sums, last, constant):
        self.p = p
        self.sums = sums  # a list: an instruction is drawn by its place among them
        self.last = last  # in the last level, which has no functions
        self.constant = constant
        self.children = [None, None]


def uniforms(rng):
    """Yield random numbers from [0, 1) without end."""
    while True:
        yield from rng.random(1000).tolist()


# ---- the learning rule ---------------------------------------------------------------------------
TINY = 1e-300  # stands in for 0 in logs: an entry is 0 where its rival is 1 but for rounding


def joint_log(p):
    """Return the log of a program's probability, from those of its instructions p (m,)."""
    return np.log(np.maximum(p, TINY)).sum()


def after_steps(p, k, rate):
    """Return p + (1 - p) (1 - (1 - rate)^k), what k steps p <- p + rate (1 - p) make of p."""
    return p - (1 - p) * math.expm1(math.log1p(-rate) * k)


def steps_to(p, log_target, rate):
    """Return the least number of steps p <- p + rate (1 - p) after which the program is as probable
    as its target; p (m,) are the probabilities of its instructions.

    The paper repeats the step, but what k of them do is known. The log of the joint probability is
    a concave, growing function of real k: from below, Newton's method never passes the target, nor
    does it when each of its k is rounded up, and the first that suffices is the least.
    """
    k = 0
    while True:
        grown = np.maximum(after_steps(p, k, rate), TINY)  # (m,)
        gap = log_target - joint_log(grown)
        if gap <= 0:
            return k
        slope = -math.log1p(-rate) * (1 / grown - 1).sum()
        k += max(math.ceil(gap / max(slope, TINY)), 1)


POINTS = 100  # of the course of a search


class Pipe:
    """A search by probabilistic incremental program evolution, with a prototype tree of its own."""

    def __init__(self, config, task, evaluations, rng):
        first = np.zeros((2, len(NAMES)))  # (2, I) p of a new node, above and in the last level
        first[0, task.functions] = (1 - config.terminals) / len(task.functions)
        first[0, task.terminals] = config.terminals / len(task.terminals)
        first[1, task.terminals] = 1 / len(task.terminals)
        self.config = config
        self.task = task
        self.evaluations = evaluations
        self.rng = rng
        self.uniform = uniforms(rng)
        self.first = first
        self.root = self.new_node(last=False)
        self.programs = 0  # evaluated
        self.best = None  # the best program ever
        self.steps = None  # its steps through the tree
        self.error = WORST  # its sum of absolute errors
        self.exact = False  # at fresh points, too
        self.false = 0  # generations whose best fits all given points, and not the fresh ones
        self.course = POINTS * [WORST]  # the error after each hundredth of the evaluations

    def new_node(self, last):
        """Make a node that no program has visited."""
        p = self.first[int(last)]
        return Node(p, p.cumsum()[:-1].tolist(), last, next(self.uniform))

    @np.errstate(all="ignore")  # values may overflow: such programs have the worst error
    def search(self, progress):
        """Search until a program is exact or the evaluations are used up."""
        config = self.config
        while not self.exact and self.programs + config.population <= self.evaluations:
            if self.best and self.rng.random() < config.elitist_share:
                self.adapt(self.draw(self.steps)[1], ratio=1.0, mutating=False)
            else:
                self.generation()
            said = f"PIPE: {self.programs:,} programs, error {self.error:.3g}"
            progress(self.programs / self.evaluations, said)
        return self

    def draw(self, given=None):
        """Draw a program, or follow a given one through the tree; returns it and its steps, a list
        of (node, instruction, constant), root first."""
        steps = []
        follow = given and iter([(op, constant) for _, op, constant in given])
        return self.descend(self.root, self.config.levels, steps, follow), steps

    def descend(self, node, levels, steps, follow):
        """Draw and return the part of a program that begins at this node."""
        op, constant = next(follow) if follow else (bisect(node.sums, next(self.uniform)), None)
        if op == R and not follow:
            kept = node.p[R] > self.config.constant_threshold
            constant = node.constant if kept else next(self.uniform)
        steps.append((node, op, constant))
        arguments = []
        for place in range(ARITY[op]):
            if node.children[place] is None:
                node.children[place] = self.new_node(last=levels == 2)
            child = node.children[place]
            arguments.append(self.descend(child, levels - 1, steps, follow))
        return self.task.program(op, constant, arguments)

    def generation(self):
        """Draw programs and learn from the best of them, of equally good ones the smallest."""
        programs, steps = zip(*(self.draw() for _ in range(self.config.population)))
        self.programs += len(programs)
        errors = self.task.errors(programs).tolist()
        error, size, k = min(zip(errors, map(len, steps), range(len(programs))))
        if error < EXACT:
            self.exact = self.task.same(programs[k])
            self.false += not self.exact
        if self.exact or self.best is None or (error, size) < (self.error, len(self.steps)):
            self.best = programs[k]
            self.steps = steps[k]
            self.error = error
        point = -(-self.programs * POINTS // self.evaluations)  # rounded up
        self.course[point - 1 :] = (POINTS + 1 - point) * [self.error]
        self.adapt(steps[k], self.ratio(error), mutating=True)

    def ratio(self, error):
        """Compare a program's error with that of the best program ever."""
        return (self.config.epsilon + self.error) / (self.config.epsilon + error)

    def adapt(self, steps, ratio, mutating):
        """Learn from a program, mutate the vectors that it passed, and prune."""
        nodes, ops, constants = zip(*steps)
        op = np.array(ops, np.intp)  # (m,)
        each = np.arange(len(op))
        p = np.concatenate([node.p for node in nodes]).reshape(len(op), -1)  # (m, I)
        old = p[each, op]  # (m,)
        new = self.raised(old, ratio)  # (m,)
        others = np.where(old < 1, (1 - new) / np.maximum(1 - old, TINY), 1.0)  # (m,)
        p *= others[:, None]  # the other entries shrink alike, so that the sum stays 1
        p[each, op] = new
        if mutating:
            self.mutate(p, np.array([node.last for node in nodes], np.intp))
        for node, row, sums, constant in zip(nodes, p, p.cumsum(1)[:, :-1].tolist(), constants):
            node.p = row
            node.sums = sums
            node.constant = node.constant if constant is None else constant
        threshold = self.config.prune_threshold
        for i in np.flatnonzero((new > threshold) & (old <= threshold)):
            arity = ARITY[op[i]]
            nodes[i].children[arity:] = (2 - arity) * [None]  # it needs no more

    def raised(self, p, ratio):
        """Return p (m,) raised until the program, of probability P, has P + (1 - P) lr ratio."""
        rate = self.config.step * self.config.learning_rate
        joint = np.exp(joint_log(p))
        target = joint + (1 - joint) * self.config.learning_rate * ratio
        return after_steps(p, steps_to(p, np.log(target), rate), rate)

    def mutate(self, p, last):
        """Move entries of p (m, I) towards 1, each with probability P_M / (I sqrt(m)); last (m,)
        is 1 for nodes of the last level."""
        instructions = len(self.task.functions + self.task.terminals)
        chance = self.config.mutation_probability / (instructions * np.sqrt(len(p)))
        hit = self.rng.random(p.shape) < chance  # (m, I)
        hit &= self.first[last] > 0
        at = np.flatnonzero(hit.any(1))
        changed = p[at] + self.config.mutation_rate * hit[at] * (1 - p[at])
        p[at] = changed / changed.sum(1, keepdims=True)


# ---- the rival: genetic programming --------------------------------------------------------------
GP_CROSSOVER = 0.9  # share of children by crossover; the others are copies
GP_FIRST_LEVELS = 6  # levels of the deepest first program
GP_TOURNAMENT = 7  # programs that a parent is the best of


@np.errstate(all="ignore")
def genetic_programming(config, task, rng, progress):
    """Run Koza's genetic programming; returns the best program, its error and how many programs
    were evaluated. Copies, also in place of children that are too deep, cost no evaluation."""
    uniform = uniforms(rng)
    people = first_people(config, task, uniform)
    tried = len(people)
    best, error = people[0], np.inf
    while True:
        errors = task.errors(people)  # (n,)
        if errors.min() < error:
            best, error = people[errors.argmin()], errors.min()
        if tried == config.evaluations:
            return best, error, tried
        progress(tried / config.evaluations, f"GP: {tried:,} programs, error {error:.3g}")
        children = []
        for mother, father in parents(errors, config.gp_population, rng):
            child = offspring(people[mother], people[father], config, task, uniform)
            tried += child is not None
            children.append(child or people[mother])
            if tried == config.evaluations:
                break
        people = children


def first_people(config, task, uniform):
    """Draw Koza's first generation: of each depth as many full programs as others."""
    depths = range(2, min(GP_FIRST_LEVELS, config.gp_levels) + 1)
    people = []
    for i in range(config.gp_population):
        levels = depths[i // 2 % len(depths)]
        people.append(first_program(task, uniform, levels, i % 2 == 0))
    return people


def first_program(task, uniform, levels, full, root=True):
    """Draw one of Koza's first programs: functions down to the last level (full), or not (grow)."""
    legal = task.functions if levels > 1 else []
    legal = legal if legal and (full or root) else legal + task.terminals
    op = legal[int(next(uniform) * len(legal))]
    constant = next(uniform) if op == R else None
    arguments = [first_program(task, uniform, levels - 1, full, False) for _ in range(ARITY[op])]
    return task.program(op, constant, arguments)


def parents(errors, count, rng):
    """Return mothers and fathers, lists of pairs, each the best of a tournament."""
    entrants = rng.integers(len(errors), size=(count, 2, GP_TOURNAMENT))
    best = errors[entrants].argmin(2)  # (count, 2)
    return np.take_along_axis(entrants, best[:, :, None], 2)[:, :, 0].tolist()


def offspring(mother, father, config, task, uniform):
    """Return a child by crossover, or None for a copy of the mother."""
    if next(uniform) >= GP_CROSSOVER:
        return None
    part = father
    for place in random_path(father, uniform):
        part = part.arguments[place]
    child = grafted(mother, random_path(mother, uniform), part, task)
    return child if child.levels <= config.gp_levels else None


def random_path(program, uniform):
    """Return the way to a random part, as places of arguments: nine times in ten to a function."""
    kind = int(program.count[1] > 0 and next(uniform) < 0.9)
    left = int(next(uniform) * program.count[kind])  # parts of that kind to pass
    path = []
    while True:
        here = kind == (len(program.arguments) > 0)
        if here and left == 0:
            return path
        left -= here
        place = 0
        while left >= program.arguments[place].count[kind]:
            left -= program.arguments[place].count[kind]
            place += 1
        path.append(place)
        program = program.arguments[place]


def grafted(program, path, part, task):
    """Return a program with another part at the end of a path."""
    if not path:
        return part
    arguments = list(program.arguments)
    arguments[path[0]] = grafted(arguments[path[0]], path[1:], part, task)
    return task.program(program.op, program.constant, arguments)


# ---- the experiment ------------------------------------------------------------------------------
def run(config, seed, progress):
    """Fit the paper's function by PIPE and by genetic programming, then the quartic by PIPE."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    pipe_rng, gp_rng, quartic_rng = streams
    task = paper_task()
    started = process_time()
    pipe = Pipe(config, task, config.evaluations, pipe_rng)
    pipe.search(lambda f, said: progress(0.5 * f, said))
    seconds = process_time() - started
    bred, gp_error, tried = genetic_programming(
        config, task, gp_rng, lambda f, said: progress(0.5 + 0.45 * f, said)
    )
    koza = Pipe(config, quartic_task(), config.quartic_evaluations, quartic_rng)
    koza.search(lambda f, said: progress(0.95 + 0.05 * f, f"quartic, {said}"))
    x = [(k + 1) * config.evaluations / POINTS for k in range(POINTS)]  # programs
    return {
        "pipe": {
            "error": pipe.error,
            "test_error": task.fresh_errors(pipe.best).sum(),
            "nodes": len(pipe.steps),
            "programs": pipe.programs,
            "programs_per_second": pipe.programs / max(seconds, 1e-9),
        },
        "gp": {
            "error": gp_error,
            "test_error": task.fresh_errors(bred).sum(),
            "nodes": sum(bred.count),
            "programs": tried,
        },
        "gp_lead": gp_error - pipe.error,
        "quartic": {
            "proved": int(koza.exact and proved(koza.best)),
            "evaluations": koza.programs,
            "nodes": len(koza.steps),
            "false": koza.false,
        },
        "constant_error": task.constant_error,
        "curve": {"x": x, "y": pipe.course},
    }


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, os, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def add_setting(parser, name, hint, default):
    """Add a field of Config as a flag that refuses words of another kind or out of its range."""
    kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # tuple[kind, ...] or kind
    text, *legal = hint.__metadata__
    how = {"action": argparse.BooleanOptionalAction}
    if kind is not bool:

        def value(word):
            if (word in legal[0]) if kind is str else legal[0][0] <= kind(word) <= legal[0][1]:
                return kind(word)
            raise ValueError  # argparse then says: argument FLAG: invalid NAME value: 'WORD'

        span = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
        value.__name__ = span
        text = f"{text}, {span}"
        how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
    text = f"{text}; default {default}".replace("%", "%%")
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)


def plain(said):
    """A message as one line of bounded length, with control characters as escapes."""
    return repr(str(said))[1:-1][:300]


def command_line(this):
    """The parser of a program's flags: a few of every program, and one for each field of Config."""
    name, form = pathlib.Path(this.__file__).name, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(name, description=this.__doc__, formatter_class=form)
    parser.error = lambda said: parser.exit(2, f"{name}: {plain(said)} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="seconds: it proves the code alone")
    parser.add_argument("--all", action="store_true", help="print every metric, not only claims")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="keep the record there")
    seed = typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]
    add_setting(parser, "seed", seed, 0)
    for setting, hint in typing.get_type_hints(this.Config, include_extras=True).items():
        add_setting(parser, setting, hint, getattr(this.Config, setting))
    return parser


def passes(claim, value):
    """Whether the value of a claim's metric passes the claim's test."""
    value = float("nan") if value is None else value  # which passes no test
    if "within" in claim:
        low, high = claim["within"]
        return low <= value <= high
    bar = claim["threshold"]
    tests = {">=": value >= bar, "<=": value <= bar, ">": value > bar, "<": value < bar}
    return (tests | {"==": value == bar})[claim["op"]]


def claims_of(here):
    """The card's claims about the program at `here`, each tried for what the report needs of it."""
    card, source = here.with_name("card.toml"), "study" if here.stem[:6] == "study_" else "run"
    claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
    claims = [claim for claim in claims if claim.get("from", "run") == source]
    for claim in claims:
        passes(claim, 0.0), claim["metric"], claim["says"], claim["paper"], claim["level"]
    return claims


def flatten(table, prefix=""):
    """{row: {column: number}} as {"row.column": number}. FloatingPointError: one is nan or inf."""
    flat = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif value is not None and not np.all(np.isfinite(value)):
            raise FloatingPointError(f"metric {prefix}{name} is {value}")
        else:
            flat[prefix + name] = value
    return flat


def print_report(numbers, claims, everything):
    """Print each claim with its test, the headline first, then the verdict; or all metrics too."""
    text = {name: "none" if v is None else f"{v:.5g}" for name, v in numbers.items()}
    for name in text if everything or not claims else ():
        print(f"  {name:<{max(map(len, text))}}  {text[name]}")
    failed = [claim for claim in claims if not passes(claim, numbers[claim["metric"]])]
    for claim in claims:
        needed = f"{claim.get('op', 'within')} {claim.get('threshold', claim.get('within'))}"
        paper = "an extra, not judged" if claim["level"] == "extra" else f"paper: {claim['paper']}"
        print(f"{'fails' if claim in failed else 'holds'}  {claim['says']}")
        print(f"       {claim['metric']} {text[claim['metric']]}, needed {needed}; {paper}")
    levels = {claim["level"] for claim in failed}
    verdict = "partial" if "paper" in levels else "reproduces"
    verdict = "does not reproduce" if "trend" in levels else verdict
    if claims:
        print(f"this run: {verdict}; {len(claims) - len(failed)} of {len(claims)} claims hold")


def progress_on_stderr(started):
    """A progress(fraction, message): one live line on a terminal, elsewhere a line each 10 s."""
    live, shown = sys.stderr.isatty(), [0.0]

    def progress(fraction, message):
        now = time.monotonic()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {plain(message)}"
            line = line[: shutil.get_terminal_size().columns - 1]
            begin, end = ("\r\033[K", "") if live else ("", "\n")
            print(f"{begin}{line}", end=end, file=sys.stderr, flush=True)

    return progress


def write_record(path, record):
    """Write or replace the file in one step: a full disk or Ctrl-C leaves what was there."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(this, argv=None):
    """Run a module. Exit code 0: it ran; 1: it diverged; 2: unusable arguments; 130: Ctrl-C."""
    here, started, parser = pathlib.Path(this.__file__), time.monotonic(), command_line(this)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show costs no record
    given = vars(parser.parse_args(argv))
    if odd := [name for name, value in given.items() if value == []]:  # argparse on FLAG=--
        parser.error(f"argument --{odd[0].replace('_', '-')}: expected a value")
    seed, path = given.pop("seed", 0), given.pop("json")
    quick, everything = given.pop("quick"), given.pop("all")
    try:
        taken = path and path.exists() and not path.is_file()
        if taken or path and not os.access(f"{path.parent}/", os.W_OK):
            parser.error(f"argument --json: no file can be written at {path}")
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        config = this.Config(**((this.QUICK if quick else {}) | given))
    except (OSError, ValueError) as error:
        parser.error(error)
    try:
        claims = claims_of(here)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        parser.error(f"card.toml beside it cannot be used: {type(error).__name__} {error}")
    try:
        metrics = flatten(this.run(config, seed, progress_on_stderr(started)))
        record = {"seed": seed, "quick": quick, "config": vars(config), "metrics": metrics}
        record["seconds"] = time.monotonic() - started
        record["processor_seconds"] = time.process_time()
        if path:
            write_record(path, record)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {plain(error)}")
    numbers = {name: v for name, v in metrics.items() if not isinstance(v, list)}
    if lost := [claim["metric"] for claim in claims if claim["metric"] not in numbers]:
        sys.exit(f"{parser.prog}: card.toml names {lost[0]}, which run() returns no number for")
    try:
        cost = f"{record['processor_seconds']:.1f} s of one core"
        print(f"\n{here.stem}, seed {seed}, {cost}{', a quick run: no claim is proved' * quick}")
        print_report(numbers, claims, everything)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.modules[__name__])
