# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2"]
# ///
"""PIPE writes 6-bit parity: a tree of probability vectors, led by counts of wrong rows, finds a
program.

Paper: R. Salustowicz, J. Schmidhuber, "Probabilistic Incremental Program Evolution", Evolutionary
Computation 5(2):123-141, 1997.
Task: write a program of AND, OR, NOT, IF and the inputs x0 .. x5 that is true for the 32 of 64
input rows with an even number of ones. All that is told of a program is how many rows it gets
wrong; one that ignores an input gets 32.
Method: each node of the prototype tree holds a probability vector over the ten instructions. Some
programs are drawn from it; the probability of the best one is raised to a target, the vectors it
passed are mutated, and so on. No crossover, no gradient.
Claim: within 500,000 programs about 70 % of the paper's runs solve it.

    python3 pipe_6_bit_parity.py
    python3 study_pipe_6_bit_parity.py    20 runs of a single tree, rivals, ablations, 3 to 5 inputs
"""

import os

# before numpy: there is no matrix product here
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    inputs: Annotated[int, "inputs of the parity", (2, 8)] = 6
    trees: Annotated[
        int, "independent trees, side by side; the first that is right ends the run", (1, 1000)
    ] = 10
    evaluations: Annotated[
        int, "programs to evaluate at most, those of all trees together", (1, 10**8)
    ] = 500_000
    restart_after: Annotated[
        int, "evaluations without fewer wrong rows that end in a new tree, 0: never", (0, 10**8)
    ] = 30_000
    population: Annotated[int, "programs per generation (PS)", (1, 10_000)] = 10
    learning_rate: Annotated[
        float, "share of the missing probability that the best program gets (lr)", (1e-6, 0.999)
    ] = 0.01
    step: Annotated[
        float, "one step of learning: this times lr of what is missing to 1 (c)", (1e-3, 1.0)
    ] = 0.1
    epsilon: Annotated[
        float, "added to both counts of wrong rows where they are compared", (1e-9, 1e6)
    ] = 1.0
    elitist_share: Annotated[
        float, "share of steps that learn from the best program ever (P_el)", (0.0, 0.999)
    ] = 0.0
    mutation_probability: Annotated[
        float, "mutated entries per node of the best program, times sqrt(nodes) (P_M)", (0.0, 10.0)
    ] = 0.4
    mutation_rate: Annotated[float, "a mutated entry moves this far towards 1 (mr)", (0.0, 1.0)] = (
        0.4
    )
    prune_threshold: Annotated[
        float, "an entry above this makes subtrees superfluous (T_P)", (0.5, 1.0)
    ] = 0.999999
    terminals: Annotated[float, "first probability of a terminal (P_T)", (0.01, 0.99)] = 0.6
    levels: Annotated[
        int, "levels of the prototype tree; the last holds terminals only", (2, 40)
    ] = 18
    fitness_rate: Annotated[
        bool, "learn less from a generation's best the worse it is than the best ever"
    ] = True
    joint_target: Annotated[
        bool, "raise the probability of the whole program; off: one step in each node"
    ] = True
    node_step: Annotated[
        float, "joint target off: the step, as a share of what is missing to 1", (1e-6, 1.0)
    ] = 0.3
    rival_evaluations: Annotated[int, "programs of each rival in a plain run", (1, 10**8)] = 50_000
    gp_population: Annotated[int, "genetic programming: population", (2, 10**5)] = 500
    gp_tournament: Annotated[int, "genetic programming: programs per tournament", (1, 100)] = 7
    gp_crossover: Annotated[
        float,
        "genetic programming: share of children by crossover, the rest are copies",
        (0.01, 1.0),
    ] = 0.9
    gp_first_levels: Annotated[
        int, "genetic programming: deepest first program, levels", (2, 12)
    ] = 6
    gp_levels: Annotated[
        int, "genetic programming and hill climbing: deepest program, levels", (2, 40)
    ] = 17
    study_lanes: Annotated[int, "study: runs of PIPE, a single tree each", (1, 1000)] = 20
    study_rivals: Annotated[int, "study: runs of each rival", (1, 1000)] = 5
    rival_budget: Annotated[int, "study: programs of each run of a rival", (1, 10**8)] = 200_000
    ablation_lanes: Annotated[int, "study: runs of each changed PIPE", (1, 1000)] = 10
    ablation_evaluations: Annotated[
        int, "study: programs of each run of a changed PIPE", (1, 10**8)
    ] = 50_000
    widths: Annotated[tuple[int, ...], "study: other numbers of inputs", (2, 8)] = (3, 4, 5)
    width_evaluations: Annotated[
        int, "study: programs of each run with another number of inputs", (1, 10**8)
    ] = 100_000

    def __post_init__(self):
        if self.population * self.trees > self.evaluations:
            raise ValueError("argument --evaluations: must be --population times --trees at least")
        if self.gp_first_levels > self.gp_levels:
            raise ValueError("argument --gp-first-levels: must not exceed --gp-levels")


QUICK = {
    "inputs": 3,
    "trees": 3,
    "evaluations": 6000,
    "restart_after": 1000,
    "rival_evaluations": 1000,
    "gp_population": 100,
    "study_lanes": 2,
    "study_rivals": 1,
    "rival_budget": 1000,
    "ablation_lanes": 2,
    "ablation_evaluations": 200,
    "widths": (2, 4),
    "width_evaluations": 1000,
}

# ---- the task: all rows of the truth table at once -----------------------------------------------
FUNCTIONS = ("AND", "OR", "NOT", "IF")  # instructions 0 .. 3; from 4 on they are the inputs
ARITY = (2, 2, 1, 3)
AND, OR, NOT, IF = range(4)


def pack(bits):
    """Truth tables (..., rows) as words (..., W) of 64 bits, row j in bit j."""
    packed = np.packbits(bits.astype(bool), axis=-1, bitorder="little")
    missing = -packed.shape[-1] % 8
    return np.pad(packed, [(0, 0)] * (packed.ndim - 1) + [(0, missing)]).view(np.uint64)


class Parity:
    """Even parity of n inputs. In row j of the 2^n rows, input i is bit i of j.

    All four functions are IFs: a AND b = IF(a, b, 0), a OR b = IF(a, 1, b), NOT a = IF(a, 0, 1).
    The arguments of that IF stand in a table of words: 0, 1, the inputs, then the values of the
    level below. `start` and `uses` (I, 3) tell where: in row start + uses * first, if the
    instruction's own arguments begin at `first` in the level below.
    """

    def __init__(self, n):
        self.n, self.rows, values = n, 2**n, n + 2
        self.names = FUNCTIONS + tuple(f"x{i}" for i in range(n))
        self.arity = np.array(ARITY + (0,) * n)
        bits = np.arange(self.rows) >> np.arange(n)[:, None] & 1  # (n, rows)
        constants = np.arange(2)[:, None].repeat(self.rows, 1)
        self.leaves = pack(np.concatenate([constants, bits]))  # (2 + n, W)
        self.target = pack(bits.sum(0) % 2 == 0)  # (W,)
        self.start = np.array(
            [
                (values, values + 1, 0),
                (values, 1, values + 1),
                (values, 0, 1),
                (values, values + 1, values + 2),
            ]
            + [(1, 2 + i, 0) for i in range(n)]
        )
        self.uses = np.array([(1, 1, 0), (1, 0, 1), (1, 0, 0), (1, 1, 1)] + [(0, 0, 0)] * n)
        self.masks = [
            int.from_bytes(words.tobytes(), "little") for words in self.leaves
        ]  # the same as Python's ints
        self.wanted = int.from_bytes(self.target.tobytes(), "little")

    def evaluate(self, levels):
        """Values (m, W) of programs given level by level, roots first: see `write`."""
        below = self.leaves
        for level in reversed(levels):
            at = (
                self.start[level["op"]] + self.uses[level["op"]] * level["first"][:, None]
            )  # (m, 3)
            a, b, c = below[at[:, 0]], below[at[:, 1]], below[at[:, 2]]
            below = np.concatenate([self.leaves, c ^ (a & (b ^ c))])
        return below[len(self.leaves) :]

    def wrong(self, values):
        """Wrong rows (m,) of values (m, W)."""
        return np.bitwise_count(values ^ self.target).sum(-1).astype(np.int64)


# ---- programs, one at a time ---------------------------------------------------------------------
class Tree:
    """A program that never changes. It knows its value, a truth table as an int, its numbers of
    nodes, its levels."""

    __slots__ = ("op", "arguments", "value", "inner", "leaves", "levels")

    def __init__(self, task, op, arguments=()):
        self.op, self.arguments = op, arguments
        if op > IF:
            self.value, self.inner, self.leaves, self.levels = task.masks[op - 2], 0, 1, 1
            return
        a, *rest = [argument.value for argument in arguments]
        self.value = (
            a & rest[0]
            if op == AND
            else a | rest[0]
            if op == OR
            else a ^ task.masks[1]
            if op == NOT
            else rest[1] ^ (a & (rest[0] ^ rest[1]))
        )
        self.inner = 1 + sum([argument.inner for argument in arguments])
        self.leaves = sum([argument.leaves for argument in arguments])
        self.levels = 1 + max([argument.levels for argument in arguments])

    @property
    def size(self):
        return self.inner + self.leaves

    def wrong(self, task):
        return (self.value ^ task.wanted).bit_count()


def grow(task, ops):
    """The Tree whose instructions, level by level from the root, are ops (m,)."""
    ops = np.asarray(ops)
    arity = task.arity[ops]
    first = 1 + arity.cumsum() - arity  # where a node's arguments begin
    nodes = [None] * len(ops)
    for i, op, start, count in reversed(
        list(zip(range(len(ops)), ops.tolist(), first.tolist(), arity.tolist()))
    ):
        nodes[i] = Tree(task, op, tuple(nodes[start : start + count]))
    return nodes[0]


def answer(tree, inputs):
    """What a program says to one row of inputs, a sequence of bools: the plain evaluator."""
    if tree.op > IF:
        return inputs[tree.op - 4]
    a = answer(tree.arguments[0], inputs)
    if tree.op == NOT:
        return not a
    if tree.op == IF:
        return answer(tree.arguments[1 if a else 2], inputs)
    b = answer(tree.arguments[1], inputs)
    return (a and b) if tree.op == AND else (a or b)


def verified(tree, n):
    """Rows that a program gets right, counted row by row with the plain evaluator."""
    rows = [[bool(j >> i & 1) for i in range(n)] for j in range(2**n)]
    return sum(answer(tree, row) == (sum(row) % 2 == 0) for row in rows)


def text(task, tree):
    """A program in words."""
    name = task.names[tree.op]
    return f"{name}({', '.join(text(task, a) for a in tree.arguments)})" if tree.arguments else name


def ideal(task):
    """The smallest solution known, 4 n - 3 nodes: each IF is the exclusive or of its condition and
    one more input."""
    x = [Tree(task, 4 + i) for i in range(task.n)]
    tree = x[0]
    for i in range(1, task.n):
        branches = (Tree(task, NOT, (x[i],)), x[i])
        tree = Tree(task, IF, (tree, *(branches if i < task.n - 1 else branches[::-1])))
    return tree


def number(tree, inner, index):
    """Which argument holds the node of this number, counted from the left, and its number there."""
    index -= inner
    for side, argument in enumerate(tree.arguments):
        count = argument.inner if inner else argument.leaves
        if index < count:
            return side, index
        index -= count


def here(tree, inner, index):
    return index == 0 and tree.inner > 0 if inner else tree.inner == 0


def subtree(tree, inner, index):
    """The inner node, or leaf, of this number."""
    while not here(tree, inner, index):
        side, index = number(tree, inner, index)
        tree = tree.arguments[side]
    return tree


def graft(task, tree, inner, index, scion):
    """The tree with the node of this number replaced; only the path to it is computed anew."""
    if here(tree, inner, index):
        return scion
    side, index = number(tree, inner, index)
    arguments = list(tree.arguments)
    arguments[side] = graft(task, arguments[side], inner, index, scion)
    return Tree(task, tree.op, tuple(arguments))


def simplified(task, tree):
    """The program with what it does not need left out: inner nodes give way to an input or to a
    node below them wherever this leaves the value of the whole unchanged, as long as such a node is
    left."""
    leaves, before = [Tree(task, 4 + i) for i in range(task.n)], None
    while tree is not before:
        before, index = tree, 0
        while index < tree.inner:
            old = subtree(tree, True, index)
            below = sorted(
                (subtree(old, True, k) for k in range(1, old.inner)), key=lambda t: t.size
            )
            for new in leaves + below:
                shorter = graft(task, tree, True, index, new)
                if shorter.value == tree.value:
                    tree = shorter
                    break
            else:
                index += 1
    return tree


def parities(task):
    """Truth tables of the parities of two or more inputs, even or odd, with the inputs they are
    of."""
    out = {}
    for subset in range(2**task.n):
        members = [i for i in range(task.n) if subset >> i & 1]
        value = 0
        for i in members:
            value ^= task.masks[2 + i]
        if len(members) > 1:
            out[value] = out[value ^ task.masks[1]] = members
    return out


# ---- the prototype tree --------------------------------------------------------------------------
class Prototypes:
    """Prototype trees of L independent runs, their nodes in one pool: p (M, I), sums (M, I) of p,
    child (M, 3).

    A node that no best program has passed is as it was made, and is not stored: node 0 stands for
    all of these, being its own child, and node 1 for those of the last level. So a tree may have
    3^17 leaves and yet be small.
    """

    def __init__(self, config, task, rng, lanes):
        self.rng, self.task, self.levels = rng, task, config.levels
        share = config.terminals
        self.p = np.array(
            [[(1 - share) / 4] * 4 + [share / task.n] * task.n, [0.0] * 4 + [1 / task.n] * task.n]
        )
        self.sums, self.child = self.p.cumsum(1), np.zeros((2, 3), int)
        self.last = np.array([False, True])
        self.free = []
        self.root = np.array([self.make(1, False)[0] for _ in range(lanes)], int)

    def make(self, number, last):
        """Nodes as they are made: their places in the pool (number,)."""
        if number > len(self.free):
            old = len(self.p)
            more = old + 1000 + number
            self.p, self.sums, self.child, self.last = (
                np.concatenate([a, np.zeros((more, *a.shape[1:]), a.dtype)])
                for a in (self.p, self.sums, self.child, self.last)
            )
            self.free += range(old, old + more)
        nodes = np.array([self.free.pop() for _ in range(number)], int)
        kind = int(last)
        self.p[nodes], self.sums[nodes], self.child[nodes], self.last[nodes] = (
            self.p[kind],
            self.sums[kind],
            0,
            last,
        )
        return nodes

    def drop(self, nodes):
        """Forget these nodes and all below them; returns how many there were."""
        dropped = 0
        while len(nodes := nodes[nodes > 1]):
            dropped += len(nodes)
            self.free += nodes.tolist()
            nodes = self.child[nodes].ravel()
        return dropped

    def write(self, roots, script=None):
        """Draw one program from each of these roots, or write one given program, level by level.

        Returns levels, roots first, each a dict of arrays (m,): program, node, op, parent (place in
        the level above), slot (which of its arguments), first (where in the next level its own
        arguments begin).
        """
        program, node = np.arange(len(roots)), roots
        parent = slot = np.zeros(len(roots), int)  # the root has none: not used
        levels, written = [], 0
        while len(node):
            if len(levels) == self.levels - 1:
                node = np.maximum(node, 1)
            if script is None:
                op = (self.sums[node, :-1] <= self.rng.random(len(node))[:, None]).sum(1)
            else:
                op = script[written : written + len(node)]
                written += len(node)
            arity = self.task.arity[op]
            first = arity.cumsum() - arity
            levels.append(
                {
                    "program": program,
                    "node": node,
                    "op": op,
                    "parent": parent,
                    "slot": slot,
                    "first": first,
                }
            )
            parent = np.arange(len(node)).repeat(arity)
            slot = np.arange(len(parent)) - first[parent]
            program, node = program[parent], self.child[node[parent], slot]
        return levels

    def claim(self, levels):
        """Make the nodes that these programs pass and that are not stored yet; returns program,
        node, op (m,)."""
        for depth, level in enumerate(levels):
            new = np.flatnonzero(level["node"] < 2)
            if len(new):
                level["node"][new] = made = self.make(len(new), depth == self.levels - 1)
                self.child[levels[depth - 1]["node"][level["parent"][new]], level["slot"][new]] = (
                    made
                )
        return tuple(
            np.concatenate([level[name] for level in levels]) for name in ("program", "node", "op")
        )


def select(levels, programs, total):
    """Of `total` programs written by `write`, these few, numbered anew in the order given."""
    number, place, out = np.full(total, -1), np.zeros(total, int), []
    number[programs] = np.arange(len(programs))
    for level in levels:
        program = number[level["program"]]
        at = np.flatnonzero(program >= 0)
        if not len(at):
            break
        out.append(
            {
                "program": program[at],
                "node": level["node"][at],
                "op": level["op"][at],
                "parent": place[level["parent"][at]],
                "slot": level["slot"][at],
            }
        )
        place = (program >= 0).cumsum() - 1
    return out


def sizes(levels, total):
    """Nodes of each of `total` programs."""
    return np.bincount(np.concatenate([level["program"] for level in levels]), minlength=total)


# ---- the learning rule ---------------------------------------------------------------------------
TINY = (
    1e-300  # an entry is 0 where its rival has come to be 1 but for rounding; its log is not wanted
)


def joint_log(p, lane, lanes):
    """log of the probability of each lane's program, (lanes,), from those of its instructions p
    (m,) in lane (m,)."""
    return np.bincount(lane, np.log(np.maximum(p, TINY)), lanes)


def after_steps(p, k, rate):
    """p after k steps p <- p + rate (1 - p): p + (1 - p) (1 - (1 - rate)^k), exact for tiny p
    too."""
    return p - (1 - p) * np.expm1(np.log1p(-rate) * k)


def steps_to(p, lane, log_target, rate):
    """Steps p <- p + rate (1 - p), all nodes in parallel, until each program is as probable as its
    target (lanes,).

    The paper repeats the step. But what k of them do is known, so that k can be computed. The log
    of the joint probability is a concave, growing function of real k: from below, Newton's method
    never passes the target, nor does it when each of its k is rounded up, and the first that
    suffices is the least.
    """
    decay, k = np.log1p(-rate), np.zeros(len(log_target))
    while True:
        grown = np.maximum(after_steps(p, k[lane], rate), TINY)
        gap = log_target - joint_log(grown, lane, len(k))
        if not (gap > 0).any():
            return k.astype(np.int64)
        slope = np.bincount(lane, -decay * (1 - grown) / grown, len(k))
        k += np.where(gap > 0, np.maximum(np.ceil(gap / np.maximum(slope, 1e-300)), 1), 0)


def learn(config, p, lane, op, ratio):
    """Raise the probability of the program of each lane in p (m, I), the vectors it passes, in
    place.

    op, lane (m,): its instructions, and of which lane. ratio (lanes,) compares its wrong rows with
    those of the best ever. The joint probability P has to reach P + (1 - P) lr ratio (the paper's
    learning from the population). Returns old and new probabilities of the instructions (m,).
    """
    each = np.arange(len(op))
    old = p[each, op]
    if config.joint_target:
        before = np.exp(joint_log(old, lane, len(ratio)))
        rate = config.step * config.learning_rate
        steps = steps_to(
            old, lane, np.log(before + (1 - before) * config.learning_rate * ratio), rate
        )
        new = after_steps(old, steps[lane], rate)
    else:
        new = after_steps(old, 1, config.node_step * ratio[lane])
    p *= np.where(old < 1, (1 - new) / np.maximum(1 - old, 1e-300), 1.0)[
        :, None
    ]  # the other entries shrink alike
    p[each, op] = new
    return old, new


def mutate(config, rng, p, lane, last):
    """Mutate each entry of the vectors p (m, I) in place with probability P_M / (I sqrt(nodes of
    the program))."""
    chance = config.mutation_probability / (p.shape[1] * np.sqrt(np.bincount(lane)))[lane]  # (m,)
    hit = rng.random(p.shape) < chance[:, None]
    hit[last, : len(FUNCTIONS)] = False  # no functions in the last level
    at = np.flatnonzero(hit.any(1))
    changed = p[at] + config.mutation_rate * hit[at] * (1 - p[at])
    p[at] = changed / changed.sum(1, keepdims=True)


def update(config, trees, levels, ratio, fresh):
    """Learn from one program per lane, given by its levels, mutate if it is fresh, prune.

    Returns the log of each program's probability after learning (lanes,), and the nodes dropped
    (lanes,).
    """
    lane, node, op = trees.claim(levels)
    p = trees.p[node]
    old, new = learn(config, p, lane, op, ratio)
    if fresh and config.mutation_probability > 0:
        mutate(config, trees.rng, p, lane, trees.last[node])
    trees.p[node], trees.sums[node] = p, p.cumsum(1)
    dropped = np.zeros(len(ratio), int)
    for i in np.flatnonzero((new > config.prune_threshold) & (old <= config.prune_threshold)):
        unneeded = slice(trees.task.arity[op[i]], 3)
        dropped[lane[i]] += trees.drop(trees.child[node[i], unneeded])
        trees.child[node[i], unneeded] = 0
    return joint_log(new, lane, len(ratio)), dropped


def train(config, rng, lanes, evaluations, race=False, progress=None, callback=None):
    """Run PIPE `lanes` times side by side, each until its program is right or these evaluations are
    used up.

    In a race all end as soon as one is right. Returns a dict of arrays with one entry per lane:
    wrong, size and ops (a list) of the best program of all its trees; solved_at (evaluations, 0 for
    never), evaluations, generations, restarts, pruned (nodes), better_at, and curve (lanes, 101):
    least wrong rows after each hundredth of the evaluations. callback(trees, state) is called after
    each generation; state holds the counts, both `best` and the present tree's `elite` (wrong,
    size, ops), and joint: how probable the program learned from is now, as a log.
    """
    task, patience = Parity(config.inputs), config.restart_after
    trees, nothing = Prototypes(config, task, rng, lanes), 2**40
    best, elite = (
        {"wrong": np.full(lanes, task.rows), "size": np.full(lanes, nothing), "ops": [None] * lanes}
        for _ in range(2)
    )  # of all trees of a lane, and of its present one
    counts = {
        name: np.zeros(lanes, np.int64)
        for name in ("solved_at", "evaluations", "generations", "restarts", "pruned", "better_at")
    }
    joint, curve = np.zeros(lanes), np.full((lanes, 101), task.rows)
    alive = np.arange(lanes)
    while len(alive):
        elitist = (rng.random(len(alive)) < config.elitist_share) & (elite["size"][alive] < nothing)
        now = alive[~elitist]
        for lane in alive[elitist]:
            levels = trees.write(trees.root[[lane]], elite["ops"][lane])
            joint[[lane]], dropped = update(config, trees, levels, np.ones(1), False)
            counts["pruned"][lane] += dropped[0]
        if len(now):
            total = len(now) * config.population
            levels = trees.write(trees.root[now].repeat(config.population))
            wrong, size = task.wrong(task.evaluate(levels)), sizes(levels, total)
            counts["evaluations"][now] += config.population
            order = (wrong * nothing + size).reshape(
                len(now), -1
            )  # of equally good ones the smallest
            winner = order.argmin(1) + np.arange(len(now)) * config.population
            wrong, size, levels = wrong[winner], size[winner], select(levels, winner, total)
            for store in (elite, best):
                fewer = wrong < store["wrong"][now]
                better = np.flatnonzero(
                    fewer | ((wrong == store["wrong"][now]) & (size < store["size"][now]))
                )
                store["wrong"][now[better]], store["size"][now[better]] = (
                    wrong[better],
                    size[better],
                )
                for i in better:
                    store["ops"][now[i]] = np.concatenate(
                        [level["op"][level["program"] == i] for level in levels]
                    )
                if store is elite:
                    counts["better_at"][now[fewer]] = counts["evaluations"][now[fewer]]
            ratio = (config.epsilon + elite["wrong"][now]) / (config.epsilon + wrong)
            ratio = ratio if config.fitness_rate else np.ones(len(now))
            joint[now], dropped = update(config, trees, levels, ratio, True)
            counts["pruned"][now] += dropped
            done = -(-counts["evaluations"][now] * 100 // evaluations)
            curve[now, np.minimum(done, 100)] = best["wrong"][now]
            counts["solved_at"][now[wrong == 0]] = counts["evaluations"][now[wrong == 0]]
        counts["generations"][alive] += 1
        if callback:
            callback(trees, {"elite": elite, "best": best, "joint": joint, **counts})
        room = counts["evaluations"][alive] + config.population <= evaluations
        alive = alive[(counts["solved_at"][alive] == 0) & room]
        if race and counts["solved_at"].any():
            break
        for lane in alive[
            (counts["evaluations"] - counts["better_at"])[alive] >= (patience or np.inf)
        ]:
            trees.drop(trees.root[[lane]])
            trees.root[lane] = trees.make(1, False)[0]
            elite["wrong"][lane], elite["size"][lane] = task.rows, nothing
            counts["better_at"][lane] = counts["evaluations"][lane]
            counts["restarts"][lane] += 1
        if progress:
            progress(
                counts["evaluations"].sum() / (lanes * evaluations),
                f"{counts['evaluations'].sum():,} programs, "
                f"wrong rows {best['wrong'].min()}, "
                f"solved {np.count_nonzero(counts['solved_at'])} of {lanes}",
            )
    return {**best, **counts, "curve": np.minimum.accumulate(curve, 1)}


# ---- rivals: random programs, hill climbing, genetic programming ---------------------------------
class Score:
    """Fewest wrong rows of a rival, when it was right, and the fewest after each hundredth of its
    evaluations."""

    def __init__(self, task, budget):
        self.budget, self.done, self.wrong, self.solved_at = budget, 0, task.rows, 0
        self.curve = np.full(101, task.rows)

    @property
    def over(self):
        return self.done >= self.budget or self.solved_at > 0

    def count(self, wrong):
        """One program more, with so many wrong rows."""
        self.done += 1
        if wrong < self.wrong:
            self.wrong = wrong
            self.curve[-(-self.done * 100 // self.budget) :] = wrong
        if wrong == 0:
            self.solved_at = self.done


def draw_at_random(config, rng, budget):
    """Draw programs from a prototype tree that never learns."""
    task = Parity(config.inputs)
    trees, score = Prototypes(config, task, rng, 0), Score(task, budget)
    while not score.over:
        levels = trees.write(np.zeros(min(5000, budget - score.done), int))
        for wrong in task.wrong(task.evaluate(levels)).tolist():
            if not score.over:
                score.count(wrong)
    return score


def random_trees(config, task, rng):
    """Random programs, drawn as from a prototype tree that never learns, without end."""
    trees = Prototypes(config, task, rng, 0)
    while True:
        levels = trees.write(np.zeros(1000, int))
        program, op = (
            np.concatenate([level[name] for level in levels]) for name in ("program", "op")
        )
        op = op[program.argsort(kind="stable")]
        for ops in np.split(op, np.bincount(program).cumsum()[:-1]):
            yield grow(task, ops)


def cut(rng, tree):
    """Where to cut: nine times in ten at a function, else at an input. What `subtree` and `graft`
    take."""
    inner = tree.inner > 0 and rng.random() < 0.9
    return inner, int(rng.random() * (tree.inner if inner else tree.leaves))


def climb(config, rng, budget):
    """Hill climbing: a random part of the program gives way to a random program, wherever this does
    no harm."""
    task, score = Parity(config.inputs), Score(Parity(config.inputs), budget)
    source = random_trees(config, task, rng)
    tree = next(source)
    score.count(tree.wrong(task))
    while not score.over:
        child = graft(task, tree, *cut(rng, tree), next(source))
        if child.levels <= config.gp_levels:
            wrong = child.wrong(task)
            score.count(wrong)
            if wrong <= tree.wrong(task):
                tree = child
    return score


def first_tree(task, rng, levels, full, root=True):
    """Koza's first programs: functions down to the last level (full), or any instruction below the
    root (grow)."""
    least, most = (4, 4 + task.n) if levels == 1 else (0, 4 if full or root else 4 + task.n)
    op = int(rng.integers(least, most))
    return Tree(
        task,
        op,
        tuple(first_tree(task, rng, levels - 1, full, False) for _ in range(task.arity[op])),
    )


def genetic_programming(config, rng, budget):
    """One run of Koza's genetic programming. Copies cost nothing; nor do children too deep: a copy
    of the mother."""
    task, score, size = (
        Parity(config.inputs),
        Score(Parity(config.inputs), budget),
        config.gp_population,
    )
    depths = range(2, config.gp_first_levels + 1)
    trees = [first_tree(task, rng, depths[i // 2 % len(depths)], i % 2 == 0) for i in range(size)]
    wrong = [tree.wrong(task) for tree in trees]
    for w in wrong:
        if not score.over:
            score.count(w)
    while not score.over:
        entrants = rng.integers(size, size=(size, 2, config.gp_tournament))
        winners = np.take_along_axis(entrants, np.array(wrong)[entrants].argmin(2)[..., None], 2)[
            ..., 0
        ]
        crossed = rng.random(size) < config.gp_crossover
        old, trees, wrong, kept = trees, [], [], wrong
        for (mother, father), cross in zip(winners.tolist(), crossed.tolist()):
            if score.over:
                break
            if cross:
                scion = subtree(old[father], *cut(rng, old[father]))
                child = graft(task, old[mother], *cut(rng, old[mother]), scion)
                if child.levels <= config.gp_levels:
                    trees.append(child)
                    wrong.append(child.wrong(task))
                    score.count(wrong[-1])
                    continue
            trees.append(old[mother])
            wrong.append(kept[mother])
    return score


# ---- the experiment ------------------------------------------------------------------------------
RIVALS = {"random": draw_at_random, "climb": climb, "gp": genetic_programming}


def within(progress, start, end):
    """A progress callback for the part of the work from start to end."""
    return progress and (
        lambda fraction, message: progress(start + (end - start) * min(fraction, 1), message)
    )


def run(config, seed, progress=None):
    """PIPE, some trees side by side until one is right or the evaluations are used up; what rivals
    do with fewer."""
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(1 + len(RIVALS))]
    started = perf_counter()
    found = train(
        config,
        rngs[0],
        config.trees,
        config.evaluations // config.trees,
        True,
        within(progress, 0, 0.9),
    )
    seconds = perf_counter() - started
    task, first = Parity(config.inputs), int(np.lexsort((found["size"], found["wrong"]))[0])
    program = grow(task, found["ops"][first])
    short = simplified(task, program)
    evaluations, known = int(found["evaluations"].sum()), parities(task)
    print(
        f"\n{task.rows - program.wrong(task)} of {task.rows} rows right "
        f"after {evaluations:,} programs, "
        f"{config.trees} trees and {found['restarts'].sum()} restarts\n{text(task, program)}\n"
        f"short: {text(task, short)}"
    )
    out = {
        "rows_right": verified(program, task.n),
        "solved": int(found["solved_at"].any()),
        "evaluations": evaluations,
        "evaluations_of_its_tree": int(found["evaluations"][first]),
        "restarts": int(found["restarts"].sum()),
        "median_right": float(task.rows - np.median(found["wrong"])),
        "generations": int(found["generations"][first]),
        "nodes": program.size,
        "program_levels": program.levels,
        "short_nodes": short.size,
        "short_rows_right": verified(short, task.n),
        "ideal_nodes": ideal(task).size,
        "short_parity_nodes": sum(
            subtree(short, True, k).value in known for k in range(short.inner)
        ),
        "pruned_nodes": int(found["pruned"][first]),
        "programs_per_second": evaluations / seconds,
    }
    share = min(100, config.rival_evaluations * 100 // config.evaluations)
    out["right_as_early"] = task.rows - int(
        found["curve"][:, share].min()
    )  # after as many programs as the rivals have
    for (name, rival), rng in zip(RIVALS.items(), rngs[1:]):
        score = rival(config, rng, config.rival_evaluations)
        out |= {
            f"{name}_right": task.rows - score.wrong,
            f"{name}_solved": int(score.solved_at > 0),
        }
        if progress:
            progress(0.95, f"{name}: {out[f'{name}_right']} rows right")
    return out


VARIANTS = {
    "no_mutation": {"mutation_probability": 0.0},
    "no_fitness_rate": {"fitness_rate": False},
    "node_step": {"joint_target": False},
    "elitist": {"elitist_share": 0.01},
    "lr_0005": {"learning_rate": 0.005},
    "lr_005": {"learning_rate": 0.05},
    "lr_02": {"learning_rate": 0.2},
    "population_5": {"population": 5},
    "population_30": {"population": 30},
    "population_100": {"population": 100},
}  # what the study changes


def solved(name, times, budget):
    """How many runs got there, given when (0: never), and the median time: theirs, and over all
    runs if half did."""
    times = np.asarray(times)
    reached, every = times[times > 0], np.where(times > 0, times, np.inf)
    median = np.quantile(every, 0.5, method="higher")
    return {
        f"{name}_runs": len(times),
        f"{name}_budget": budget,
        f"{name}_solved": len(reached),
        f"{name}_share": len(reached) / len(times),
        f"{name}_times": times.tolist(),
        f"{name}_median_of_solved": float(np.median(reached)) if len(reached) else None,
        f"{name}_median": float(median) if np.isfinite(median) else None,
    }


def study(config, seed, progress=None):
    """Statistics over many runs: the paper's PIPE, a single tree each; rivals, changes, other
    numbers of inputs."""
    seeds = iter(np.random.SeedSequence([seed, 1]).spawn(1000))
    lanes, budget, rows, out = config.study_lanes, config.evaluations, 2**config.inputs, {}

    def pipe(start, end, *arguments, **changes):
        return train(
            replace(config, **changes),
            np.random.default_rng(next(seeds)),
            *arguments,
            progress=within(progress, start, end),
        )

    found = pipe(0.0, 0.45, lanes, budget, restart_after=0)
    out |= solved("plain", found["solved_at"], budget)
    out |= {
        "plain_right": (rows - found["wrong"]).tolist(),
        "plain_curves": found["curve"].ravel().tolist(),
    }
    again = pipe(0.45, 0.5, lanes, budget, restart_after=config.restart_after)
    out |= solved("restarts", again["solved_at"], budget) | {
        "restarts_mean": float(again["restarts"].mean())
    }
    for name, limit in (("base", config.ablation_evaluations), ("early", config.rival_budget)):
        out |= solved(name, np.where(found["solved_at"] <= limit, found["solved_at"], 0), limit)
        at = min(100, limit * 100 // budget)
        out[f"{name}_median_right"] = float(np.median(rows - found["curve"][:, at]))
    for k, (name, changes) in enumerate(VARIANTS.items()):
        part = pipe(
            0.5 + 0.02 * k,
            0.52 + 0.02 * k,
            config.ablation_lanes,
            config.ablation_evaluations,
            restart_after=0,
            **changes,
        )
        out |= solved(name, part["solved_at"], config.ablation_evaluations)
        out[f"{name}_median_right"] = float(np.median(rows - part["wrong"]))
    for k, n in enumerate(config.widths):
        part = pipe(0.7 + 0.03 * k, 0.73 + 0.03 * k, lanes, config.width_evaluations, inputs=n)
        task = Parity(n)
        out |= solved(f"width_{n}", part["solved_at"], config.width_evaluations)
        right = np.flatnonzero(part["solved_at"])
        out |= {
            f"width_{n}_within_20000": int((part["solved_at"][right] <= 20_000).sum()),
            f"width_{n}_median_right": float(np.median(task.rows - part["wrong"])),
            f"width_{n}_median_nodes": float(np.median(part["size"][right]))
            if len(right)
            else None,
            f"width_{n}_ideal_nodes": ideal(task).size,
        }
    solutions = [
        grow(Parity(config.inputs), found["ops"][i]) for i in np.flatnonzero(found["solved_at"])
    ]
    out |= {
        "nodes": [tree.size for tree in solutions],
        "short_nodes": [simplified(Parity(config.inputs), tree).size for tree in solutions],
    }
    kinds = (
        ("random", {}),
        ("climb", {}),
        ("gp", {}),
        ("gp_large", {"gp_population": 2 * config.gp_population}),
    )
    for k, (name, changes) in enumerate(kinds):
        scores = []
        for _ in range(config.study_rivals):
            rival = RIVALS[name.removesuffix("_large")]
            scores.append(
                rival(
                    replace(config, **changes),
                    np.random.default_rng(next(seeds)),
                    config.rival_budget,
                )
            )
            if progress:
                done = k + len(scores) / config.study_rivals
                progress(0.8 + 0.05 * done, f"{name}: {rows - scores[-1].wrong} rows right")
        out |= solved(name, [score.solved_at for score in scores], config.rival_budget)
        out |= {
            f"{name}_best_right": rows - min(score.wrong for score in scores),
            f"{name}_right": [rows - score.wrong for score in scores],
        }
    out["early_over_gp"] = out["early_share"] - max(out["gp_share"], out["gp_large_share"])
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
