# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""PIPE: a tree of probability vectors is pulled towards its own best programs until it writes the
wanted formula.

Paper: R. Salustowicz, J. Schmidhuber, "Probabilistic Incremental Program Evolution", Evolutionary
Computation 5(2):123-141, 1997.
Task: find a formula through given points. First Koza's quartic x^4 + x^3 + x^2 + x, from + - * %
and x, which counts as solved only if it is exact; then the paper's function x^3 e^-x cos x sin x
(sin^2 x cos x - 1), 101 points in [0, 10].
Method: the prototype tree holds a probability vector over all instructions in each node. Ten
programs are drawn from it; the best one's probability is raised to a target, the vectors it passed
are mutated, and so on. No crossover.
Claim: the quartic is written exactly, about a hundred times sooner than by drawing programs at
random; on the paper's function PIPE does better than genetic programming after as many evaluations.

    python3 pipe_symbolic_regression.py
    python3 study_pipe_symbolic_regression.py    eight functions, constants, rivals, ablations
"""

import os

# before numpy: there is no matrix product here
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import dataclass, replace
from fractions import Fraction
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    population: Annotated[int, "programs per generation (PS)", (1, 10_000)] = 10
    learning_rate: Annotated[
        float, "share of the missing probability that the best program gets (lr)", (1e-6, 0.999)
    ] = 0.01
    step: Annotated[
        float, "one step of learning: this times lr of what is missing to 1 (c)", (1e-3, 1.0)
    ] = 0.1
    epsilon: Annotated[float, "added to both errors where they are compared", (1e-12, 1e6)] = 1e-6
    elitist_share: Annotated[
        float, "share of steps that learn from the best program ever (P_el)", (0.0, 0.999)
    ] = 0.01
    mutation_probability: Annotated[
        float, "mutated entries per node of the best program, times sqrt(nodes) (P_M)", (0.0, 100.0)
    ] = 0.4
    mutation_rate: Annotated[float, "a mutated entry moves this far towards 1 (mr)", (0.0, 1.0)] = (
        0.4
    )
    constant_threshold: Annotated[
        float, "a node's stored constant is used where P(R) exceeds this (T_R)", (0.0, 1.0)
    ] = 0.3
    prune_threshold: Annotated[
        float, "an entry above this makes subtrees superfluous (T_P)", (0.5, 1.0)
    ] = 0.999999
    fitness_rate: Annotated[
        bool, "learn less from a generation's best the worse it is than the best ever"
    ] = True
    joint_target: Annotated[
        bool, "raise the probability of the whole program; off: of each node by itself"
    ] = True
    node_target: Annotated[
        float, "joint target off: the probability each node is raised to at least", (0.0, 0.999)
    ] = 0.8
    levels: Annotated[
        int, "levels of the prototype tree; the last holds terminals only", (1, 12)
    ] = 6
    quartic_terminals: Annotated[
        float, "quartic: first probability of a terminal (P_T)", (0.01, 0.99)
    ] = 0.6
    quartic_evaluations: Annotated[int, "quartic: programs to evaluate at most", (1, 10**8)] = (
        20_000
    )
    paper_terminals: Annotated[
        float, "paper's function: first probability of a terminal (P_T)", (0.01, 0.99)
    ] = 0.8
    paper_evaluations: Annotated[int, "paper's function: programs to evaluate", (1, 10**8)] = (
        100_000
    )
    gp_population: Annotated[int, "genetic programming: population", (2, 10**5)] = 500
    gp_tournament: Annotated[int, "genetic programming: programs per tournament", (1, 100)] = 7
    gp_crossover: Annotated[
        float,
        "genetic programming: share of children by crossover, the rest are copies",
        (0.01, 1.0),
    ] = 0.9
    gp_first_depth: Annotated[
        int, "genetic programming: deepest first program, levels", (2, 12)
    ] = 6
    gp_levels: Annotated[int, "genetic programming: deepest program, levels", (2, 100)] = 17
    gp_small: Annotated[int, "study: a smaller population of genetic programming", (2, 10**5)] = 50
    study_quartics: Annotated[
        int, "study: independent runs on the quartic with + - * % and x", (2, 10**5)
    ] = 1000
    study_lanes: Annotated[int, "study: independent runs of every other kind", (1, 1000)] = 20
    study_evaluations: Annotated[
        int, "study: programs per run on the harder quartics and at random", (1, 10**8)
    ] = 200_000
    study_restart: Annotated[
        int, "study: evaluations without a better program that end in a new tree", (1, 10**8)
    ] = 10_000

    def __post_init__(self):
        if self.gp_first_depth > self.gp_levels:
            raise ValueError("argument --gp-first-depth: must not exceed --gp-levels")


QUICK = {
    "quartic_evaluations": 2000,
    "paper_evaluations": 2000,
    "gp_population": 100,
    "study_quartics": 10,
    "study_lanes": 2,
    "study_evaluations": 1000,
    "study_restart": 400,
}

# ---- the task: formulas through points -----------------------------------------------------------


def protected_ratio(a, b):
    """a / b, and 1 where b is 0."""
    return np.divide(a, b, out=np.ones_like(a), where=b != 0)


def protected_log(a):
    """log |a|, and 0 where a is 0."""
    return np.log(np.abs(a), out=np.zeros_like(a), where=a != 0)


FUNCTIONS = {
    "+": (2, np.add),
    "-": (2, np.subtract),
    "*": (2, np.multiply),
    "%": (2, protected_ratio),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "exp": (1, np.exp),
    "rlog": (1, protected_log),
}  # arity, meaning
FOUR, EIGHT = ("+", "-", "*", "%"), tuple(FUNCTIONS)
WORST = 1e9  # the error of a program whose own is larger or no number
EXACT, HIT = (
    1e-6,
    0.01,
)  # an exact program's sum of errors is below the one; Koza's hit: an error below the other


@dataclass(frozen=True)
class Problem:
    """Points (K,) to fit, fresh points to test on, and what programs are made of. Terminals: x, and
    R, a constant."""

    functions: tuple
    terminals: tuple
    x: np.ndarray
    y: np.ndarray
    fresh_x: np.ndarray
    fresh_y: np.ndarray
    terminal_share: float
    levels: int

    @property
    def instructions(self):
        return self.functions + self.terminals

    @property
    def constant_at(self):
        return self.instructions.index("R") if "R" in self.terminals else -1

    @property
    def arity(self):
        return np.array(
            [FUNCTIONS[name][0] if name in FUNCTIONS else 0 for name in self.instructions]
        )

    def constant_error(self):
        """The sum of errors of the best constant, the median."""
        return float(np.abs(self.y - np.median(self.y)).sum())


def polynomial(*coefficients):
    """The polynomial with these coefficients of 1, x, x^2, ..."""
    return lambda x: sum(c * x**power for power, c in enumerate(coefficients) if c)


quartic = polynomial(0, 1, 1, 1, 1)
FURTHER = {
    "quintic": (polynomial(0, 1, 0, -2, 0, 1), (-1, 1)),
    "sextic": (polynomial(0, 0, 1, 0, -2, 0, 1), (-1, 1)),
    "sine": (lambda x: np.sin(x) * np.exp(x), (0, 2)),
}  # more targets for the study: formula, interval


def paper_function(x):
    return x**3 * np.exp(-x) * np.cos(x) * np.sin(x) * (np.sin(x) ** 2 * np.cos(x) - 1)


def koza_problem(config, functions=FOUR, terminals=("x",), formula=quartic, span=(-1, 1)):
    """20 points of the interval to fit; 51 in [-3, 3], 0 among them, to tell whether the formula is
    the same."""
    x, fresh = np.linspace(*span, 20), np.linspace(-3, 3, 51)
    return Problem(
        functions,
        terminals,
        x,
        formula(x),
        fresh,
        formula(fresh),
        config.quartic_terminals,
        config.levels,
    )


def paper_problem(config):
    """The paper's: 101 points in [0, 10] to fit. To test, the 100 points half way between."""
    x = np.linspace(0, 10, 101)
    fresh = (x[1:] + x[:-1]) / 2
    return Problem(
        EIGHT,
        ("x", "R"),
        x,
        paper_function(x),
        fresh,
        paper_function(fresh),
        config.paper_terminals,
        config.levels,
    )


# ---- programs ------------------------------------------------------------------------------------
# A program is a pair of rows (N,): the instruction in each node of a binary tree (-1: none), and
# the constants. Node 0 is the root, node i has the children 2 i + 1 and 2 i + 2, an instruction of
# one argument uses the first.
def evaluate(problem, program, x, node=0):
    """What one program answers to x, an array or, with + - * % alone, a Fraction: the plain
    evaluator."""
    code, constants = program
    name = problem.instructions[code[node]]
    if name == "x":
        return x
    if name == "R":
        return np.full_like(x, constants[node])
    arity, function = FUNCTIONS[name]
    arguments = [evaluate(problem, program, x, 2 * node + 1 + side) for side in range(arity)]
    if isinstance(x, Fraction):
        a, b = arguments
        return (
            a + b
            if name == "+"
            else a - b
            if name == "-"
            else a * b
            if name == "*"
            else a / b
            if b
            else Fraction(1)
        )
    return function(*arguments)


def answers(problem, code, constants):
    """A program as a function of x."""
    return lambda x: evaluate(problem, (code, constants), x)


def text(problem, program, node=0):
    """A program as a formula."""
    code, constants = program
    name = problem.instructions[code[node]]
    if name in problem.terminals:
        return "x" if name == "x" else f"{constants[node]:.4g}"
    arguments = [text(problem, program, 2 * node + 1 + side) for side in range(FUNCTIONS[name][0])]
    return (
        f"({arguments[0]} {name} {arguments[1]})"
        if len(arguments) == 2
        else f"{name}({arguments[0]})"
    )


def depth(program):
    """Levels of a program."""
    return int(np.flatnonzero(program[0] >= 0).max() + 1).bit_length()


@np.errstate(all="ignore")
def fresh_errors(problem, answer):
    """Absolute errors at the fresh points (J,) of what a program answers to x, given as a function;
    WORST at most."""
    errors = np.abs(answer(problem.fresh_x) - problem.fresh_y)
    return np.where(errors <= WORST, errors, WORST)


def same(problem, answer):
    """Whether it is the wanted formula: at no fresh point off by a part in 10^9 of the wanted
    value, or of 1."""
    return bool(
        (fresh_errors(problem, answer) < 1e-9 * np.maximum(np.abs(problem.fresh_y), 1)).all()
    )


def proved(problem, program):
    """Whether the program is the quartic in exact fractions at 99 points, more than two different
    ones can share.

    A program of 6 levels is a ratio of polynomials of degree 32 at most, so that it meets the
    quartic at 36 points at most or, but for gaps where a division is protected, everywhere.
    """
    points = [Fraction(k, 7) for k in range(-49, 50)]
    return all(evaluate(problem, program, x) == quartic(x) for x in points)


def errors(problem, values):
    """Sum of absolute errors of each row of values (n, K), at most WORST."""
    total = np.abs(values - problem.y).sum(-1)
    return np.where(total <= WORST, total, WORST)  # no number is not below it either


# ---- evaluation ----------------------------------------------------------------------------------
def evaluate_levels(problem, levels):
    """Values (n, K) at the given points of programs given level by level, the roots first, each
    level a tuple.

    op (m,): instructions; first (m,): where in the next level their arguments begin; the values of
    the constants. Within a level the same subprogram, in whichever program or run, is computed
    once: as a prototype tree sharpens, it writes much the same again and again. The key is the
    instruction with the rows of its arguments' values, or the bits of a constant.
    """
    instructions, arity, values, below = problem.instructions, problem.arity, None, np.zeros(2, int)
    blocks = sorted(
        range(len(arity)), key=lambda k: (k == problem.constant_at, -k)
    )  # the order of the keys
    for op, first, constants in reversed(levels):
        count = arity[op]
        left, right = (
            below[first] * (count > 0),
            below[first + 1] * (count > 1),
        )  # rows of the arguments' values
        # what makes a subprogram the same
        key = -((op + np.int64(1) << 58) + (left << np.int64(29)) + right)
        if len(constants):
            key[op == problem.constant_at] = constants.view(np.int64)  # not negative, as bits
        _, once, row = np.unique(key, return_index=True, return_inverse=True)
        old, values, end = values, np.empty((len(once), len(problem.x))), 0
        numbers, arguments = (
            np.bincount(op[once], minlength=len(arity)).tolist(),
            (left[once], right[once]),
        )
        for k in blocks:
            start, end, name = end, end + numbers[k], instructions[k]
            if start == end:
                continue
            if name == "x":
                values[start:end] = problem.x
            elif name == "R":
                values[start:end] = key[once[start:end]].view(float)[:, None]
            else:
                number, function = FUNCTIONS[name]
                values[start:end] = function(*(old[rows[start:end]] for rows in arguments[:number]))
        below = np.append(
            row, (0, 0)
        )  # two more, for instructions without arguments at the end of a level
    return values[row]


# ---- the prototype tree --------------------------------------------------------------------------
class Prototypes:
    """Prototype trees of L independent runs: a probability vector over the I instructions and a
    constant in each node.

    p (L, N, I), constant (L, N). The paper makes a node when a program first comes to it. Here all
    that the depth limit allows are there from the start, which is the same, as a node that no
    program has visited is as it was made.
    """

    def __init__(self, problem, rng, lanes):
        nodes, arity = 2**problem.levels - 1, problem.arity
        self.problem, self.rng, self.arity = problem, rng, arity
        share, terminals = problem.terminal_share, arity == 0
        inner = np.where(
            terminals, share / terminals.sum(), (1 - share) / max((~terminals).sum(), 1)
        )
        self.first = np.tile(inner, (nodes, 1))  # (N, I)
        self.first[nodes // 2 :] = terminals / terminals.sum()  # the last level
        self.allowed = self.first > 0
        self.constant_at = problem.constant_at
        self.p = np.empty((lanes, nodes, len(arity)))
        self.constant = np.empty((lanes, nodes))
        self.reset(np.ones((lanes, nodes), bool))

    def reset(self, where):
        """Make the nodes of a mask (L, N) anew."""
        lane, node = np.nonzero(where)
        self.p[lane, node] = self.first[node]
        self.constant[lane, node] = self.rng.random(len(lane))

    def sample(self, config, lanes, copies):
        """Draw `copies` programs from the tree of each of these lanes, level by level, and evaluate
        them.

        Returns values (n, K), codes (n, N), constants (n, N) and sizes (n,), n = len(lanes) *
        copies.
        """
        nodes, constant_at = self.p.shape[1], self.constant_at
        program = np.arange(len(lanes) * copies)
        codes = np.full((len(program), nodes), -1, np.int8)
        constants = np.zeros(codes.shape)
        row = np.repeat(lanes * nodes, copies)  # of the node in p.reshape(-1, I)
        node, levels = np.zeros(len(program), int), []
        vectors, stored = self.p.reshape(-1, len(self.arity)), self.constant.ravel()
        while len(program):
            p = vectors[row + node]  # (frontier, I)
            sums = p.cumsum(1)
            op = (sums > (self.rng.random(len(program)) * sums[:, -1])[:, None]).argmax(1)
            codes[program, node] = op
            c = np.zeros(0)
            if constant_at >= 0:
                at = (op == constant_at).nonzero()[0]
                keep = p[at, constant_at] > config.constant_threshold
                c = np.where(keep, stored[row[at] + node[at]], self.rng.random(len(at)))
                constants[program[at], node[at]] = c
            arity = self.arity[op]
            first = arity.cumsum() - arity  # where in the next level a node's arguments begin
            levels.append((op, first, c))
            parent = np.repeat(np.arange(len(program)), arity)
            program, row = program[parent], row[parent]
            node = 2 * node[parent] + 1 + np.arange(len(parent)) - first[parent]
        return evaluate_levels(self.problem, levels), codes, constants, (codes >= 0).sum(1)


# ---- the learning rule ---------------------------------------------------------------------------
def joint_log(p, lane, lanes):
    """log of the probability of each lane's program, (lanes,), from those of its instructions p
    (m,) in lane (m,)."""
    return np.bincount(lane, np.log(p), lanes)


def after_steps(p, k, rate):
    """p after k steps p <- p + rate (1 - p): p + (1 - p) (1 - (1 - rate)^k), exact for tiny p
    too."""
    return p - (1 - p) * np.expm1(np.log1p(-rate) * k)


def steps_to(p, lane, log_target, rate):
    """Steps p <- p + rate (1 - p), all nodes in parallel, until each program is as probable as its
    target (lanes,).

    The paper repeats the step. But what k of them do is known, so that k can be computed. For real
    k
    the log of the joint probability is concave and grows: Newton's method climbs to the target from
    below, without ever passing it. Rounded down, its k is at most one short of the least that
    suffices, but for rounding errors.
    """
    decay, k = np.log1p(-rate), np.ones(len(log_target))
    for _ in range(100):
        grown = after_steps(p, k[lane], rate)
        slope = np.bincount(lane, -decay * (1 - grown) / grown, len(k))
        gap = log_target - joint_log(grown, lane, len(k))
        k += np.maximum(gap, 0) / np.maximum(slope, 1e-300)
        if (gap < 0.1 * slope).all():  # a tenth of a step from the target at most
            break
    k = np.floor(k)
    while (short := joint_log(after_steps(p, k[lane], rate), lane, len(k)) < log_target).any():
        k += short
    return np.where(joint_log(p, lane, len(k)) < log_target, k, 0)


def learn(config, trees, lanes, codes, constants, ratio):
    """Raise the probability of one program in the tree of each lane.

    codes, constants (n, N) are the programs for lanes (n,); ratio (n,) compares their errors with
    the best ever, see `train`. The target of the joint probability is P + (1 - P) lr ratio (the
    paper's learning from the population). Returns the vectors that changed as (number 0 .. n - 1 of
    the lane, node), whether each is newly certain of its instruction, the log of the joint
    probability afterwards (n,) and the steps taken (n,).
    """
    lane, node = np.nonzero(codes >= 0)  # lane counts within lanes
    op, row = codes[lane, node], lanes[lane]
    old = trees.p[row, node, op]
    before = joint_log(old, lane, len(lanes))
    rate = config.learning_rate * ratio
    if config.joint_target:
        target = np.exp(before) + (1 - np.exp(before)) * rate
        steps = steps_to(old, lane, np.log(target), config.step * config.learning_rate)
        new = after_steps(old, steps[lane], config.step * config.learning_rate)
    else:
        steps = np.zeros(len(lanes), int)
        new = np.maximum(old, (config.node_target + (1 - config.node_target) * rate)[lane])
    others = np.where(old < 1, (1 - new) / np.maximum(1 - old, 1e-300), 1.0)
    trees.p[row, node] *= others[:, None]  # the other entries shrink alike, so that the sum stays 1
    trees.p[row, node, op] = new
    held = op == trees.constant_at
    trees.constant[row[held], node[held]] = constants[lane[held], node[held]]
    certain = (new > config.prune_threshold) & (old <= config.prune_threshold)
    return lane, node, certain, joint_log(new, lane, len(lanes)), steps


def mutate(config, trees, lanes, lane, node):
    """Mutate each entry of the vectors (lane, node) with probability P_M / (I sqrt(nodes of the
    program))."""
    row, count = lanes[lane], len(trees.arity)
    chance = config.mutation_probability / (count * np.sqrt(np.bincount(lane)))
    hit = (trees.rng.random((len(lane), count)) < chance[lane][:, None]) & trees.allowed[node]
    changed = np.flatnonzero(hit.any(1))
    p = trees.p[row[changed], node[changed]]
    p += config.mutation_rate * hit[changed] * (1 - p)
    trees.p[row[changed], node[changed]] = p / p.sum(1, keepdims=True)
    return int(hit.sum())


def prune(config, trees, lanes):
    """Drop the subtrees that a node all but certain of its instruction has no argument for. Returns
    dropped (n, N)."""
    p = trees.p[lanes]  # (n, N, I)
    certain, arity = p.max(-1) > config.prune_threshold, trees.arity[p.argmax(-1)]
    needed = np.ones(certain.shape, bool)
    for level in range(trees.problem.levels - 1):
        parents, below = (
            slice(2**level - 1, 2 ** (level + 1) - 1),
            slice(2 ** (level + 1) - 1, 2 ** (level + 2) - 1),
        )
        for side in (0, 1):
            wanted = ~certain[:, parents] | (arity[:, parents] > side)
            needed[:, below][:, side::2] = needed[:, parents] & wanted
    where = np.zeros(trees.constant.shape, bool)
    where[lanes] = ~needed
    trees.reset(where)
    return ~needed


@np.errstate(all="ignore")  # numbers may overflow: such programs are WORST
def train(
    config, problem, rng, lanes=1, evaluations=1000, restart_after=0, progress=None, callback=None
):
    """Run PIPE `lanes` times side by side, each until its program is exact or `evaluations`
    programs are evaluated.

    Returns a dict of arrays, one entry per lane: error, codes, constants and size of the best
    program ever; exact_at and hit_at, the evaluations until the first program that is exact (at
    fresh points too) and the first whose errors are all below 0.01, 0 for none; evaluations,
    restarts, generations, steps (of learning, most in one generation), false (programs exact at the
    given points but not at fresh ones), pruned (nodes), and curve (lanes, 101): the least error
    after each hundredth of the evaluations. callback(trees, state) is called after each generation.
    """
    trees = Prototypes(problem, rng, lanes)
    nodes = trees.p.shape[1]
    best = {
        "error": np.full(lanes, np.inf),
        "size": np.zeros(lanes, int),
        "constants": np.zeros((lanes, nodes)),
        "codes": np.full((lanes, nodes), -1, np.int8),
    }  # of all trees of a lane
    elite = {name: value.copy() for name, value in best.items()}  # of its present tree
    counts = {
        name: np.zeros(lanes, np.int64)
        for name in (
            "exact_at",
            "hit_at",
            "evaluations",
            "restarts",
            "generations",
            "steps",
            "false",
            "pruned",
            "better_at",
        )
    }
    joint = np.zeros(lanes)  # log of the elite's probability, where the last step learned from it
    curve = np.full((lanes, 101), WORST)
    alive = np.arange(lanes)
    while len(alive):
        elitist = (rng.random(len(alive)) < config.elitist_share) & (elite["size"][alive] > 0)
        now = alive[~elitist]
        target = {
            name: value[alive].copy() for name, value in elite.items()
        }  # whom each lane learns from
        if len(now):
            values, codes, constants, sizes = trees.sample(config, now, config.population)
            error = errors(problem, values)
            counts["evaluations"][now] += config.population
            grid = error.reshape(len(now), -1)
            tied = np.where(
                grid == grid.min(1, keepdims=True), sizes.reshape(grid.shape), 2 * nodes
            )
            winner = np.arange(len(now)) * config.population + tied.argmin(1)
            found = {
                "error": error[winner],
                "size": sizes[winner],
                "codes": codes[winner],
                "constants": constants[winner],
            }
            for name in target:
                target[name][~elitist] = found[name]
            close = np.flatnonzero(error < HIT * len(problem.x))  # no other can be a hit
            hits = now[close[(np.abs(values[close] - problem.y) < HIT).all(1)] // config.population]
            counts["hit_at"][hits] = np.where(
                counts["hit_at"][hits] > 0, counts["hit_at"][hits], counts["evaluations"][hits]
            )
            for store in (elite, best):
                better = (found["error"] < store["error"][now]) | (
                    (found["error"] == store["error"][now]) & (found["size"] < store["size"][now])
                )
                for name in store:
                    store[name][now[better]] = found[name][better]
                if store is elite:
                    counts["better_at"][now[better]] = counts["evaluations"][now[better]]
            for i in np.flatnonzero(found["error"] < EXACT):
                if same(problem, answers(problem, found["codes"][i], found["constants"][i])):
                    counts["exact_at"][now[i]] = counts["evaluations"][now[i]]
                    for (
                        name
                    ) in best:  # one that is exact at the given points only may have come before
                        best[name][now[i]] = found[name][i]
                else:
                    counts["false"][now[i]] += 1
        ratio = (config.epsilon + elite["error"][alive]) / (config.epsilon + target["error"])
        lane, node, certain, after, steps = learn(
            config,
            trees,
            alive,
            target["codes"],
            target["constants"],
            ratio if config.fitness_rate else np.ones(len(alive)),
        )
        joint[alive] = after
        counts["steps"][alive] = np.maximum(counts["steps"][alive], steps)
        fresh = ~elitist[lane]
        if config.mutation_probability > 0:
            mutate(config, trees, alive, lane[fresh], node[fresh])
        if certain.any():
            sure = np.unique(lane[certain])
            counts["pruned"][alive[sure]] += 1
            prune(config, trees, alive[sure])
        counts["generations"][alive] += 1
        if callback:
            callback(
                trees, {"target": target, "elite": elite, "best": best, "joint": joint, **counts}
            )
        done = np.minimum(counts["evaluations"][alive] * 100 // evaluations, 100)
        curve[alive, done] = best["error"][alive]
        over = (counts["exact_at"][alive] > 0) | (counts["evaluations"][alive] >= evaluations)
        if restart_after:
            stuck = alive[
                ~over & (counts["evaluations"][alive] - counts["better_at"][alive] >= restart_after)
            ]
            if len(stuck):
                trees.reset(
                    (np.arange(lanes) == stuck[:, None]).any(0)[:, None] & np.ones(nodes, bool)
                )
                elite["error"][stuck], elite["size"][stuck] = np.inf, 0
                counts["better_at"][stuck] = counts["evaluations"][stuck]
                counts["restarts"][stuck] += 1
        alive = alive[~over]
        if progress:
            progress(
                counts["evaluations"].sum() / (lanes * evaluations),
                f"{counts['evaluations'].sum():,} programs, least error {best['error'].min():.3g}",
            )
    return {**best, **counts, "curve": np.minimum.accumulate(curve, 1)}


# ---- rivals: random programs, and genetic programming --------------------------------------------
@np.errstate(all="ignore")
def draw_at_random(config, problem, rng, evaluations, progress=None):
    """Draw programs from a prototype tree that never learns. Returns the least error and which
    programs are exact."""
    trees, config = (
        Prototypes(problem, rng, 1),
        replace(config, constant_threshold=1.0),
    )  # constants always afresh
    least, exact, done = np.inf, [], 0
    while done < evaluations:
        values, codes, constants, _ = trees.sample(
            config, np.zeros(1, int), min(2000, evaluations - done)
        )
        error = errors(problem, values)
        least = min(least, float(error.min()))
        exact += [
            done + int(i) + 1
            for i in np.flatnonzero(error < EXACT)
            if same(problem, answers(problem, codes[i], constants[i]))
        ]
        done += len(error)
        if progress:
            progress(done / evaluations, f"{done:,} programs at random, {len(exact)} exact")
    return least, exact


class Tree:
    """A program of genetic programming. It never changes and knows its values (K,), so that a child
    is computed only along the path from its root to the cut."""

    __slots__ = ("name", "constant", "arguments", "values", "inner", "leaves", "levels")

    def __init__(self, problem, name, arguments=(), constant=0.0):
        self.name, self.arguments, self.constant = name, arguments, constant
        self.values = self.apply(problem.x, [a.values for a in arguments])
        self.inner = sum(a.inner for a in arguments) + (1 if arguments else 0)
        self.leaves = sum(a.leaves for a in arguments) if arguments else 1
        self.levels = 1 + max((a.levels for a in arguments), default=0)

    def apply(self, x, arguments):
        return (
            x
            if self.name == "x"
            else np.full_like(x, self.constant)
            if self.name == "R"
            else FUNCTIONS[self.name][1](*arguments)
        )

    def __call__(self, x):
        return self.apply(x, [a(x) for a in self.arguments])


def first_tree(problem, rng, levels, full):
    """Koza's first programs: functions down to the last level (full), or any instruction below the
    root (grow)."""

    def build(left, root=False):
        names = (
            problem.terminals
            if left == 1
            else problem.functions
            if full or root
            else problem.instructions
        )
        name = names[rng.integers(len(names))]
        arguments = (
            tuple(build(left - 1) for _ in range(FUNCTIONS[name][0])) if name in FUNCTIONS else ()
        )
        return Tree(problem, name, arguments, rng.random())

    return build(levels, root=True)


def crossover(problem, rng, mother, father):
    """The mother with one of her subtrees replaced by one of the father's; nine in ten cuts are at
    a function."""

    def choose(tree):
        inner = tree.inner > 0 and rng.random() < 0.9
        return inner, rng.integers(tree.inner if inner else tree.leaves)

    def descend(tree, inner, index):
        """Which argument holds the node of this number, counted from the top and the left, and its
        number there."""
        index -= inner
        for side, argument in enumerate(tree.arguments):
            count = argument.inner if inner else argument.leaves
            if index < count:
                return side, index
            index -= count

    def here(tree, inner, index):
        return index == 0 if inner else not tree.arguments

    inner, index = choose(father)
    while not here(father, inner, index):
        side, index = descend(father, inner, index)
        father = father.arguments[side]

    def graft(tree, inner, index):
        if here(tree, inner, index):
            return father
        side, index = descend(tree, inner, index)
        arguments = list(tree.arguments)
        arguments[side] = graft(arguments[side], inner, index)
        return Tree(problem, tree.name, tuple(arguments), tree.constant)

    return graft(mother, *choose(mother))


@np.errstate(all="ignore")
def genetic_programming(config, problem, rng, evaluations, progress=None):
    """One run of Koza's genetic programming. Returns error, test_error, exact_at, hit_at,
    evaluations, size, curve.

    Copies are not evaluated again and cost nothing; nor do children that grew too deep, which their
    mother replaces.
    """
    depths = np.arange(2, config.gp_first_depth + 1)
    trees = [
        first_tree(problem, rng, int(depths[i // 2 % len(depths)]), i % 2 == 0)
        for i in range(min(config.gp_population, evaluations))
    ]
    new, error, kept = trees, np.zeros(0), []
    out, best, curve = (
        {"error": np.inf, "exact_at": 0, "hit_at": 0, "evaluations": 0},
        None,
        np.full(101, WORST),
    )
    while True:
        values = np.array([tree.values for tree in new]).reshape(len(new), -1)
        found = errors(problem, values)
        if len(new) and found.min() < out["error"]:
            out["error"], best = float(found.min()), new[int(found.argmin())]
        for i in np.flatnonzero(found < HIT * len(problem.x)):
            at = out["evaluations"] + int(i) + 1
            if (np.abs(values[i] - problem.y) < HIT).all():
                out["hit_at"] = out["hit_at"] or at
            if found[i] < EXACT and not out["exact_at"] and same(problem, new[i]):
                out |= {"exact_at": at, "error": float(found[i])}
                best = new[i]
        out["evaluations"] += len(new)
        trees, error = new + kept, np.append(found, error)
        curve[out["evaluations"] * 100 // evaluations] = out["error"]
        if progress:
            progress(
                out["evaluations"] / evaluations,
                f"genetic programming: {out['evaluations']:,} programs, "
                f"least error {out['error']:.3g}",
            )
        if out["exact_at"] or out["evaluations"] >= evaluations:
            size, test = best.inner + best.leaves, float(fresh_errors(problem, best).sum())
            return out | {"size": size, "test_error": test, "curve": np.minimum.accumulate(curve)}
        entrants = rng.integers(len(trees), size=(config.gp_population, 2, config.gp_tournament))
        mothers, fathers = np.take_along_axis(entrants, error[entrants].argmin(2)[..., None], 2)[
            ..., 0
        ].T.tolist()
        crossed = rng.random(config.gp_population) < config.gp_crossover
        new, kept, old = [], [], []
        for mother, father, cross in zip(mothers, fathers, crossed):
            child = crossover(problem, rng, trees[mother], trees[father]) if cross else None
            if (
                child
                and child.levels <= config.gp_levels
                and len(new) < evaluations - out["evaluations"]
            ):
                new.append(child)
            else:
                kept.append(trees[mother])
                old.append(error[mother])
        error = np.array(old)


# ---- the experiment ------------------------------------------------------------------------------
def within(progress, start, end):
    """A progress callback for the part of the work from start to end."""
    return progress and (
        lambda fraction, message: progress(start + (end - start) * min(fraction, 1), message)
    )


def test_error(problem, outcome, i=0):
    """Sum of absolute errors at the fresh points of the best program of a lane."""
    return float(
        fresh_errors(problem, answers(problem, outcome["codes"][i], outcome["constants"][i])).sum()
    )


def run(config, seed, progress=None):
    """PIPE on the quartic and on the paper's function, against as many random programs and against
    evolution."""
    rngs = iter(np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5))
    out = {}
    for name, problem, evaluations, start, end in (
        ("quartic", koza_problem(config), config.quartic_evaluations, 0.0, 0.1),
        ("paper", paper_problem(config), config.paper_evaluations, 0.1, 1.0),
    ):
        started = perf_counter()
        found = train(
            config, problem, next(rngs), 1, evaluations, progress=within(progress, start, end)
        )
        seconds = perf_counter() - started
        program = found["codes"][0], found["constants"][0]
        print(
            f"\n{name}: sum of errors {found['error'][0]:.3g} "
            f"after {found['evaluations'][0]:,} programs\n"
            f"{text(problem, program)}"
        )
        least, exact = draw_at_random(config, problem, next(rngs), evaluations)
        out |= {
            f"{name}_error": float(found["error"][0]),
            f"{name}_test_error": test_error(problem, found),
            f"{name}_evaluations": int(found["evaluations"][0]),
            f"{name}_generations": int(found["generations"][0]),
            f"{name}_nodes": int(found["size"][0]),
            f"{name}_levels": depth(program),
            f"{name}_most_steps": int(found["steps"][0]),
            f"{name}_constant_error": problem.constant_error(),
            f"{name}_random_error": least,
            f"{name}_random_exact": len(exact),
            f"{name}_programs_per_second": float(found["evaluations"][0] / seconds),
        }
        if name == "quartic":
            exact = bool(found["exact_at"][0])
            gp = genetic_programming(config, problem, next(rngs), evaluations)
            out |= {
                "quartic_exact": int(exact),
                "quartic_proved": int(exact and proved(problem, program)),
                "quartic_false": int(found["false"][0]),
                "quartic_gp_exact": int(gp["exact_at"] > 0),
                "quartic_gp_evaluations": gp["evaluations"],
                "quartic_gp_nodes": gp["size"],
            }
    return out


VARIANTS = {
    "no_mutation": {"mutation_probability": 0.0},
    "no_fitness_rate": {"fitness_rate": False},
    "node_target": {"joint_target": False},
    "no_elitist": {"elitist_share": 0.0},
    "lr_0001": {"learning_rate": 0.001},
    "lr_01": {"learning_rate": 0.1},
    "population_3": {"population": 3},
    "population_30": {"population": 30},
    "population_100": {"population": 100},
}  # what the study changes
COSTLY = (
    "no_mutation",
    "no_fitness_rate",
    "node_target",
    "lr_01",
    "population_100",
)  # on the paper's function too


def exponential_distance(times):
    """Kolmogorov-Smirnov distance of waiting times from the exponential distribution with their
    mean."""
    expected = 1 - np.exp(-np.sort(times) / np.mean(times))
    ranks = np.arange(len(times) + 1) / len(times)
    return float(max((ranks[1:] - expected).max(), (expected - ranks[:-1]).max()))


def solved(name, times, budget):
    """How many runs got there, given when (0: never), and the quartiles over all runs, where that
    many did."""
    times = np.where(np.asarray(times) > 0, times, np.inf)
    out = {
        f"{name}_runs": len(times),
        f"{name}": int(np.isfinite(times).sum()),
        f"{name}_share": float(np.isfinite(times).mean()),
        f"{name}_budget": budget,
    }
    for word, q in (("q25", 0.25), ("median", 0.5), ("q75", 0.75)):
        value = np.quantile(times, q, method="higher")
        out[f"{name}_{word}"] = float(value) if np.isfinite(value) else None
    return out


def spread(name, values):
    """The quartiles of a metric over runs."""
    return {
        f"{name}_{word}": float(np.quantile(values, q))
        for word, q in (("least", 0), ("q25", 0.25), ("median", 0.5), ("q75", 0.75), ("most", 1))
    }


def study(config, seed, progress=None):
    """Statistics over many runs side by side, harder instruction sets, further targets, rivals,
    ablations."""
    seeds = iter(np.random.SeedSequence([seed, 1]).spawn(1000))
    out, parts = {}, iter(range(1000))
    lanes, few, budget = (
        config.study_lanes,
        max(1, config.study_lanes // 2),
        config.study_evaluations,
    )

    def pipe(problem, lanes, evaluations, restart=0, **changes):
        part = next(parts)
        return train(
            replace(config, **changes),
            problem,
            np.random.default_rng(next(seeds)),
            lanes,
            evaluations,
            restart,
            within(progress, part / 30, (part + 1) / 30),
        )

    def gp(problem, runs, evaluations, population):
        changed = replace(config, gp_population=population)
        return [
            genetic_programming(changed, problem, np.random.default_rng(s), evaluations)
            for s in (next(seeds) for _ in range(runs))
        ]

    easy, paper = koza_problem(config), paper_problem(config)
    found = pipe(easy, config.study_quartics, config.quartic_evaluations)
    times = found["exact_at"][found["exact_at"] > 0]
    out |= solved("quartic", found["exact_at"], config.quartic_evaluations)
    out |= {
        "quartic_times": times.tolist(),
        "quartic_mean": float(times.mean()),
        "quartic_false": int(found["false"].sum()),
        "quartic_exponential_distance": exponential_distance(times),
    }
    least, exact = draw_at_random(config, easy, np.random.default_rng(next(seeds)), 100 * budget)
    gaps = np.diff(exact)
    out |= {
        "random_programs": 100 * budget,
        "random_exact": len(exact),
        "random_gaps": gaps.tolist(),
        "random_per_exact": 100 * budget / max(len(exact), 1),
        "random_exponential_distance": exponential_distance(gaps) if len(gaps) else None,
    }
    rivals = {"gp": config.gp_population, "small_gp": config.gp_small}
    for rival, population in rivals.items():
        runs = gp(easy, 5 * few, config.quartic_evaluations, population)
        out |= solved(f"quartic_{rival}", [r["exact_at"] for r in runs], config.quartic_evaluations)
        out[f"quartic_{rival}_times"] = [r["exact_at"] for r in runs]
    for name, changes in VARIANTS.items():
        found = pipe(easy, 5 * few, config.quartic_evaluations, **changes)
        out |= solved(f"quartic_{name}", found["exact_at"], config.quartic_evaluations)

    harder = {
        "eight": koza_problem(config, EIGHT),
        "constants": koza_problem(config, FOUR, ("x", "R")),
    }
    for name, problem in harder.items():
        for kind, restart in (("", 0), ("_restarts", config.study_restart)):
            found = pipe(problem, lanes, budget, restart)
            for goal in ("exact", "hit"):
                out |= solved(f"{name}{kind}_{goal}", found[f"{goal}_at"], budget)
            out |= spread(f"{name}{kind}_error", found["error"]) | {
                f"{name}{kind}_mean_restarts": float(found["restarts"].mean()),
                f"{name}{kind}_times": found["exact_at"].tolist(),
            }
        out[f"{name}_random_error"] = draw_at_random(
            config, problem, np.random.default_rng(next(seeds)), lanes * budget
        )[0]
        runs = gp(problem, few, budget, config.gp_population)
        for goal in ("exact", "hit"):
            out |= solved(f"{name}_gp_{goal}", [r[f"{goal}_at"] for r in runs], budget)
        out[f"{name}_gp_times"] = [r["exact_at"] for r in runs]
    for name, (formula, span) in FURTHER.items():
        problem = koza_problem(config, FOUR if name != "sine" else EIGHT, ("x",), formula, span)
        out |= solved(name, pipe(problem, lanes, budget)["exact_at"], budget)

    found = pipe(paper, lanes, config.paper_evaluations)
    out |= spread("paper_error", found["error"])
    out |= spread("paper_test_error", [test_error(paper, found, i) for i in range(lanes)])
    out["paper_curves"] = found["curve"].ravel().tolist()
    for rival, population in rivals.items():
        runs = gp(paper, few, config.paper_evaluations, population)
        for metric in ("error", "test_error"):
            out |= spread(f"paper_{rival}_{metric}", [r[metric] for r in runs])
        out[f"paper_{rival}_curves"] = np.concatenate([r["curve"] for r in runs]).tolist()
    for name, changes in ((name, VARIANTS[name]) for name in COSTLY):
        found = pipe(paper, few, config.paper_evaluations, **changes)
        out |= spread(f"paper_{name}_error", found["error"])
    for rival in rivals:
        out[f"paper_{rival}_over_ours"] = (
            out[f"paper_{rival}_test_error_median"] / out["paper_test_error_median"]
        )
    out["quartic_over_random"] = out["quartic_mean"] / out["random_per_exact"]
    return out


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
