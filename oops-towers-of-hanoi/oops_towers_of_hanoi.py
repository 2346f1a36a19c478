# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""OOPS: a program searcher learns to write 1^n 2^n, and then finds one program for all of Hanoi.

Paper: J. Schmidhuber, "Optimal Ordered Problem Solver", Machine Learning 54:211-254, 2004.
Task: 30 problems "write n ones, then n twos", then 30 Towers of Hanoi, one after the other.
Method: all programs of a small Forth-like language are tried, depth first, each prefix p for at
most P(p) T steps; T doubles until one solves the problem. Half of the time the last program that
worked is reused or prolonged, the other half goes to fresh programs. The instruction boostq makes
the instructions of the program for 1^n 2^n more probable: experience changes the search.
Claim: with this experience one program for every tower is found, and it begins with boostq; without
it none is found with ten times as many prefixes.

    python3 oops_towers_of_hanoi.py --seed 0    # both classes, then Hanoi without experience
    python3 oops_towers_of_hanoi.py --help      # every setting

The words of this file:
    prefix    a program or the beginning of one: a prefix is run until it asks for its next token
    state     all that decides what a prefix will do, apart from its probability and its time
    odds      (numerator, denominator, boosts): the probability of a prefix, and its boostq so far
    frame     the arguments (source, auxiliary, destination) of a call; w is a working copy of them
"""

import math
import os
from dataclasses import dataclass, field, replace
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    instructions: Annotated[int, "n_Q, instructions of the language", (9, 200)] = 24
    tasks: Annotated[int, "problems of each class, n = 1, 2, ...", (3, 30)] = 30
    direct_tasks: Annotated[int, "largest tower moved disk by disk; beyond by proof", (3, 22)] = 16
    phases: Annotated[int, "log2 of the largest T", (1, 60)] = 40
    cold_factor: Annotated[float, "prefixes without experience, over with it", (1.0, 1e4)] = 10.0
    order: Annotated[str, "order in which instructions are tried", ("drawn", "listed")] = "drawn"

    def __post_init__(self):
        if self.direct_tasks > self.tasks:
            raise ValueError("argument --direct-tasks: must not exceed --tasks")


QUICK = {"instructions": 9, "tasks": 4, "direct_tasks": 4, "phases": 22}

# ---- the language and its probabilities ----
ESSENTIAL = ("defnp", "endnp", "calltp", "xSA", "xAD", "mvdsk", "w1", "w2", "boostq")
GENERAL = tuple("c0 c1 c2 c3 dup drop swap over inc dec add sub by2 neg nop".split())
BIAS = ("xSA", "xAD", "mvdsk", "boostq")  # made probable by the user before Hanoi, as in the paper


def instruction_set(size):
    """Return the first `size` instructions; beyond the 24th come further constants c4, c5, ..."""
    return (ESSENTIAL + GENERAL + tuple(f"c{i}" for i in range(4, size - 20)))[:size]


@dataclass(frozen=True)
class Language:
    """Instructions, in the order in which the search tries them, and their probabilities."""

    tokens: tuple
    bias: tuple = ()  # instructions that the user favours
    experience: tuple = ()  # last program of the class before; without one boostq does nothing

    def continuations(self, odds):
        """Yield each token, and the odds of the prefix with this token behind it.

        A token's share is 1, n_Q more if the user favours it, and n_Q more for each boostq so far
        if it occurs in the program that boostq points to. The probability is kept as two exact
        integers, so that the order of factors cannot matter.
        """
        numerator, denominator, boosts = odds
        size = len(self.tokens)
        added = [(x in self.bias) + boosts * (x in self.experience) for x in self.tokens]
        denominator *= sum(1 + size * k for k in added)
        for token, k in zip(self.tokens, added):
            boost = token == "boostq" and bool(self.experience)
            yield token, (numerator * (1 + size * k), denominator, boosts + boost)

    def probability(self, program):
        """Return the probability that `program` is drawn token by token."""
        odds = (1, 1, 0)
        for token in program:
            odds = dict(self.continuations(odds))[token]
        return odds[0] / odds[1]


def languages(config, seed):
    """Return the language of class A, and that of class B without experience."""
    tokens = instruction_set(config.instructions)
    if config.order == "drawn":
        places = np.random.default_rng(seed).random(len(tokens)).argsort()  # (n_Q,)
        tokens = tuple(tokens[place] for place in places)
    return Language(tokens), Language(tokens, BIAS)


# ---- the problems ----
class Halt(Exception):
    """The program did something illegal."""


class Late(Exception):
    """The time of the prefix, or the budget of the search, is used up."""


class Goal(Exception):
    """The problem is solved; nothing more is executed."""


HOME = (0, 1, 2)  # the arguments S, A, D: source, auxiliary and destination


def beginning(task_class, n):
    """Return the state of problem n of class "A" (symbols written so far) or "B" (three pegs, each
    from bottom to top)."""
    return 0 if task_class == "A" else (tuple(range(n, 0, -1)), (), ())


def write(n, written, token):
    """Write a symbol of 1^n 2^n; returns the number of symbols written."""
    if token != ("w1" if written < n else "w2"):
        raise Halt
    if written + 1 == 2 * n:
        raise Goal
    return written + 1


def move(n, pegs, frame):
    """Move the top disk from the frame's source to its destination; returns the pegs."""
    source, _, destination = frame
    if not pegs[source] or (pegs[destination] and pegs[destination][-1] < pegs[source][-1]):
        raise Halt
    after = list(pegs)
    after[source] = pegs[source][:-1]
    after[destination] = pegs[destination] + pegs[source][-1:]
    if len(after[2]) == n:
        raise Goal
    return tuple(after)


def swapped(token, w):
    """Return the working copy w of the arguments after xSA or xAD."""
    return (w[1], w[0], w[2]) if token == "xSA" else (w[0], w[2], w[1])


# ---- the machine ----
STACK_DEPTH = 16
STACK_USE = {  # numbers needed on the stack, change of its depth; constants: (0, 1)
    "dup": (1, 1),
    "drop": (1, -1),
    "swap": (2, 0),
    "over": (2, 1),
    **dict.fromkeys(("inc", "dec", "by2", "neg"), (1, 0)),
    **dict.fromkeys(("add", "sub"), (2, -1)),
}


@dataclass(eq=False, slots=True)
class State:
    """All that decides what a prefix will do, apart from its probability and its time.

    A body is compiled as a tuple of "nop", actions, and calls. A call is the permutation of the
    frame that the swaps before it amount to; these swaps themselves have become "nop".
    """

    tasks: tuple  # of (n, state of the problem, depth of the stack), for each one not yet solved
    w: tuple = HOME
    procedure: tuple = None  # body of the procedure last defined
    body: tuple = None  # of the procedure that is being defined
    pending: tuple = HOME  # in a body, what the swaps since the last call amount to
    after: dict = field(default_factory=dict)  # what Machine.read returned for each token


class Machine:
    """Reads a program token by token, for several problems of a class at a time.

    A step is a token that is executed or compiled, or the entry of a procedure. Nothing reads the
    numbers on the stack: its depth stands for it.
    """

    def __init__(self, task_class):
        self.task_class = task_class
        self.states = {}  # equal states are one object
        self.steps_left = 0
        self.actions = 0  # symbols written or disks moved so far

    def state(self, *parts):
        """Return the state with these parts, always the same object."""
        if parts not in self.states:
            self.states[parts] = State(*parts)
        return self.states[parts]

    def start(self, *ns):
        """Return the state of an empty program that is to solve these problems."""
        tasks = tuple((n, beginning(self.task_class, n), 0) for n in ns)
        return self.state(tasks, HOME, None, None, HOME)

    def meaning(self, token):
        """Return the first of all the tokens that do the same in this class."""
        if token in (("xSA", "xAD") if self.task_class == "A" else ("w1", "w2")) + ("boostq",):
            return "nop"  # writing does not depend on S, A and D, and in class B there is no tape
        if token[0] == "c" and token != "calltp":
            return "c0"
        same = [other for other, use in STACK_USE.items() if use == STACK_USE.get(token)]
        return same[0] if same else token

    def read(self, state, token, limit):
        """Read a token (a meaning) in at most so many steps: returns ("waits", steps, next state),
        or "goal" (all problems are solved), "halt" or "late", with steps and None."""
        result = state.after.get(token)
        if result is None or (result[0] == "late" and result[1] < limit):
            result = state.after[token] = self.execute(state, token, limit)
        return result if result[1] <= limit else ("late", limit, None)

    def execute(self, state, token, limit):
        """Read a token that was not read in this state before, or in less time."""
        self.steps_left = limit
        try:
            self.refuse(state, token)
            if state.body is not None and token != "endnp":
                after = self.compile(state, token)
            elif token in ("defnp", "xSA", "xAD", "nop"):
                after = self.prepare(state, token)
            else:
                procedure = state.body if token == "endnp" else state.procedure
                tasks = self.act_on_all(state, token, procedure)
                after = self.state(tasks, state.w, procedure, None, HOME) if tasks else None
        except (Halt, Late) as end:
            return type(end).__name__.lower(), limit - self.steps_left, None
        return ("waits" if after else "goal"), limit - self.steps_left, after

    def refuse(self, state, token):
        """Halt at a definition in a definition, an end without one, and a call before the first."""
        if (
            (token == "defnp" and state.body is not None)
            or (token == "endnp" and state.body is None)
            or (token == "calltp" and state.body is None and state.procedure is None)
        ):
            self.tick()
            raise Halt

    def tick(self, times=1):
        """Use up steps."""
        if self.steps_left < times:
            self.steps_left = 0
            raise Late
        self.steps_left -= times

    def compile(self, state, token):
        """Add a token to the body that is being defined, for a step of each problem."""
        self.tick(len(state.tasks))
        op, pending = token, state.pending
        if token == "calltp":
            op, pending = state.pending, HOME
        elif token in ("xSA", "xAD"):
            op, pending = "nop", swapped(token, state.pending)
        return self.state(state.tasks, state.w, state.procedure, (*state.body, op), pending)

    def prepare(self, state, token):
        """Begin a body, swap arguments, or do nothing, for a step of each problem."""
        self.tick(len(state.tasks))
        w = swapped(token, state.w) if token in ("xSA", "xAD") else state.w
        return self.state(state.tasks, w, state.procedure, () if token == "defnp" else None, HOME)

    def act_on_all(self, state, token, procedure):
        """Execute a token for one problem after the other; returns those that are still unsolved.

        The first problem on which the program halts ends it for all.
        """
        unsolved = []
        for self.n, self.env, self.depth in state.tasks:
            try:
                self.tick()
                if token in ("endnp", "calltp"):
                    self.call(procedure, self.n, state.w)
                else:
                    self.act(token, state.w)
                unsolved.append((self.n, self.env, self.depth))
            except Goal:
                pass
        return tuple(unsolved)

    def call(self, procedure, n, frame):
        """Run a procedure with the arguments `frame` and n. At n = 0 it returns; inside, n is one
        less, and mvdsk goes by the frame, whatever has been swapped."""
        self.tick()
        for op in procedure if n else ():
            self.tick()
            if isinstance(op, tuple):
                self.call(procedure, n - 1, (frame[op[0]], frame[op[1]], frame[op[2]]))
            elif op != "nop":
                self.act(op, frame)

    def act(self, token, frame):
        """Move a disk, write, or use the stack."""
        if token in ("mvdsk", "w1", "w2"):
            self.actions += 1
            if self.task_class == "A":
                self.env = write(self.n, self.env, token)
            else:
                self.env = move(self.n, self.env, frame)
            return
        needed, change = (0, 1) if token == "c0" else STACK_USE[token]
        if self.depth < needed or self.depth + change > STACK_DEPTH:
            raise Halt
        self.depth += change


def run_program(machine, n, program, limit):
    """Run a program on problem n, from its first token: returns its status, steps and state."""
    status, used, state = "waits", 0, machine.start(n)
    for token in program:
        status, steps, state = machine.read(state, machine.meaning(token), limit - used)
        used += steps
        if status != "waits":
            break
    return status, used, state


# ---- the search ----
def ignore(prefixes):
    """Show nothing."""


class Searcher:
    """Tests all continuations of a program, depth first, each prefix p for at most P(p) T steps.

    Nothing is done twice: what follows a prefix depends only on its state, its odds and the steps
    it has used. Where all three were met before in this search, and no solution was found there,
    the prefixes and steps of that subtree are added, and nothing is walked.
    """

    def __init__(self, language, task_class, budget=math.inf, watch=ignore):
        self.language = language
        self.machine = Machine(task_class)
        self.meanings = {token: self.machine.meaning(token) for token in language.tokens}
        self.budget = budget
        self.watch = watch  # is shown the prefixes, now and then
        self.prefixes = 0  # tested, with those of subtrees met before
        self.steps = 0
        self.walked = 0  # prefixes whose continuations were really tried

    def search(self, state, used, time, boosts=0):
        """Return the tokens that, appended in `state` after `used` steps, solve all its problems
        when T = `time`; or None."""
        self.time = time
        self.tables = {}  # by odds
        self.seen = {}  # prefixes and steps of a subtree, by state, odds and steps used
        self.path = []
        return tuple(self.path) if self.visit(state, (1, 1, boosts), used) else None

    def table(self, odds):
        """Return the continuations of a prefix, (token, meaning, group, odds, limit), and the
        largest limit; tokens of a group lead to the same state with the same odds."""
        groups, rows = {}, []
        for token, longer in self.language.continuations(odds):
            meaning = self.meanings[token]
            group = groups.setdefault((meaning, longer), len(groups))
            rows.append((token, meaning, group, longer, self.time * longer[0] // longer[1]))
        self.tables[odds] = rows, max(row[-1] for row in rows)
        return self.tables[odds]

    def visit(self, state, odds, used):
        """Test all continuations of a prefix. True: one solves all, and self.path leads there."""
        rows, longest = self.tables.get(odds) or self.table(odds)
        if longest <= used:
            return False
        if (state, odds, used) in self.seen:
            self.count(*self.seen[state, odds, used])
            return False
        self.count_walk()
        before, done = (self.prefixes, self.steps), {}
        for token, meaning, group, longer, limit in rows:
            if limit <= used:
                continue
            if group in done:
                self.count(*done[group])
                continue
            first = self.prefixes, self.steps
            status, steps, after = self.machine.read(state, meaning, limit - used)
            self.prefixes += 1
            self.steps += steps
            self.path.append(token)
            if status == "goal" or (status == "waits" and self.visit(after, longer, used + steps)):
                return True
            self.path.pop()
            done[group] = self.prefixes - first[0], self.steps - first[1]
        self.seen[state, odds, used] = self.prefixes - before[0], self.steps - before[1]
        return False

    def count(self, prefixes, steps):
        """Count prefixes that were tested, and what they cost."""
        self.prefixes += prefixes
        self.steps += steps

    def count_walk(self):
        """Count a prefix whose continuations are tried, within the budget."""
        if self.prefixes >= self.budget:
            raise Late
        self.walked += 1
        if self.walked % 4096 == 0:
            self.watch(self.prefixes)


# ---- proofs about frozen programs ----
def contract(program):
    """Return the body of a program that provably solves every tower, or None.

    The contract: call(S, A, D, n) moves the top n disks from S to D, legally, whatever lies below
    them. For n = 0 it holds, as nothing is done; from n - 1 it is followed through the body to n.
    """
    if "defnp" not in program or program[-1] != "endnp":
        return None
    start = program.index("defnp")
    machine = Machine("B")
    _, _, state = run_program(machine, 1, program[:start], 1000)
    body = program[start + 1 : -1]
    if state is not machine.start(1):
        return None  # not at home any more
    if set(body) - {"calltp", "xSA", "xAD", "mvdsk", "w1", "w2", "boostq", "nop"}:
        return None  # a definition in a definition halts, and a stack that grows runs over
    return body if moves_a_tower(body) else None


def moves_a_tower(body):
    """Say whether a body moves n disks, if each call in it moves n - 1 disks from its S to its D.

    The block is these n - 1 disks; mvdsk moves the disk below them, if they are out of its way.
    """
    block, disk, w = 0, 0, HOME  # pegs of the block and of the disk; arguments
    for token in body:
        if (block, disk) == (2, 2) and token in ("calltp", "mvdsk"):
            return False  # solved, and then spoilt or moved about
        if token in ("xSA", "xAD"):
            w = swapped(token, w)
        elif token == "calltp":
            if block != w[0]:
                return False
            block, w = w[2], HOME
        elif token == "mvdsk":
            if disk != 0 or block != 1:
                return False
            disk = 2
    return (block, disk) == (2, 2)


def cost_of_contract(program, body, n):
    """Return the steps and moves until a program with a contract has solved Hanoi problem n.

    The last action in its body is the last calltp; at n = 1 that moves nothing: mvdsk is the last.
    """
    calls = body.count("calltp")
    last = max(i for i, token in enumerate(body) if token in ("calltp", "mvdsk"))
    whole, goal = [1], [0]  # steps of a call with m = 0, 1, ...: to its end, and to its last move
    for m in range(1, n + 1):
        end = last if m > 1 else body.index("mvdsk")
        before = 1 + end + 1 + body[:end].count("calltp") * whole[m - 1]
        goal.append(before + (goal[m - 1] if body[end] == "calltp" else 0))
        whole.append(1 + len(body) + calls * whole[m - 1])
    return len(program) + goal[n], 2**n - 1


def attempt(config, machine, program, n, limit):
    """Run a frozen program on problem n: returns its status, steps, actions and state (or None).

    Large towers are not moved disk by disk if the program has a contract.
    """
    large = machine.task_class == "B" and n > config.direct_tasks
    body = contract(program) if large else None
    if body:
        steps, moves = cost_of_contract(program, body, n)
        return ("goal" if steps <= limit else "late"), min(steps, limit), moves, None
    before = machine.actions
    status, steps, state = run_program(machine, n, program, limit)
    return status, steps, machine.actions - before, state


# ---- OOPS ----
@dataclass
class Solved:
    """How one problem was solved, and what was spent on it."""

    n: int
    program: tuple = ()
    how: str = "not"  # "unchanged", "prolonged" or "fresh"
    phase: int = 0  # log2 of T
    prefixes: int = 0
    steps: int = 0
    walked: int = 0


def reuse(task, frozen, searcher, config):
    """The first half of a phase: the frozen program, unchanged and then prolonged, on problem n."""
    limit = 2**task.phase
    status, steps, _, state = attempt(config, searcher.machine, frozen, task.n, limit)
    searcher.count(1, steps)
    if status == "goal":
        task.program, task.how = frozen, "unchanged"
    elif status == "waits":
        boosts = frozen.count("boostq") if searcher.language.experience else 0
        added = searcher.search(state, steps, limit, boosts)
        if added:
            task.program, task.how = frozen + added, "prolonged"


def afresh(task, searcher):
    """The second half: fresh programs, on all problems up to n."""
    state = searcher.machine.start(*range(1, task.n + 1))
    found = searcher.search(state, 0, 2**task.phase)
    if found:
        task.program, task.how = found, "fresh"


def solve(task, frozen, searcher, config):
    """Spend T = 2, 4, 8, ... steps on each half until problem n is solved; note what was spent."""
    before = searcher.prefixes, searcher.steps, searcher.walked
    try:
        while not task.program and task.phase < config.phases:
            task.phase += 1
            if frozen:
                reuse(task, frozen, searcher, config)
            if not task.program:
                afresh(task, searcher)
    except Late:
        pass  # the budget is spent
    task.prefixes = searcher.prefixes - before[0]
    task.steps = searcher.steps - before[1]
    task.walked = searcher.walked - before[2]


def oops(config, searcher, until_universal=False):
    """Solve problems 1, ..., config.tasks in order, or until a program has a contract; returns a
    list of Solved. What solves a problem is frozen: it is tried first on the next one."""
    history, frozen = [], ()
    for n in range(1, config.tasks + 1):
        task = Solved(n)
        solve(task, frozen, searcher, config)
        history.append(task)
        frozen = task.program
        if not frozen or (until_universal and contract(frozen)):
            break
    return history


# ---- evaluation ----
def summary(history):
    """Sum up a search, up to the problem at which its last program was found."""
    found = [task for task in history if task.how in ("prolonged", "fresh")] or history
    last = found[-1]
    until = history[: last.n]
    return {
        "prefixes": sum(task.prefixes for task in until),
        "steps": sum(task.steps for task in until),
        "tokens": len(last.program),
        "phase": last.phase,
        "found_at": last.n,
    }


def verify(config, task_class, program):
    """Return up to which n a program solves all problems, and its actions beyond the fewest."""
    machine, excess = Machine(task_class), 0
    limit = 2**60 if contract(program) else 2**20
    for n in range(1, config.tasks + 1):
        status, _, actions, _ = attempt(config, machine, program, n, limit)
        if status != "goal":
            return n - 1, excess
        excess += actions - (2 * n if task_class == "A" else 2**n - 1)
    return config.tasks, excess


# ---- the experiment ----
HANOI = tuple("defnp xAD calltp xSA mvdsk calltp endnp".split())  # for the exact gain only


def run(config, seed, progress):
    """Solve both classes in order, then Hanoi without experience, with more prefixes."""
    (order_seed,) = np.random.SeedSequence(seed).spawn(1)
    language_a, cold = languages(config, order_seed)
    writing = oops(config, Searcher(language_a, "A", watch=part(progress, 0.0, 0.05, 4e6)))
    writer = writing[-1].program
    warm = replace(cold, experience=writer)
    seconds = process_time()
    towers = oops(config, Searcher(warm, "B", watch=part(progress, 0.05, 0.6, 8e7)))
    seconds = process_time() - seconds
    solver = towers[-1].program
    a, b = summary(writing), summary(towers)
    b["states_per_second"] = sum(task.walked for task in towers) / max(seconds, 1e-9)
    budget = config.cold_factor * b["prefixes"]
    without = oops(config, Searcher(cold, "B", budget, part(progress, 0.6, 1.0, budget)), True)
    verified_a, excess_a = verify(config, "A", writer)
    verified_b, excess_b = verify(config, "B", solver)
    excess = excess_a + excess_b
    return {
        "a": a,
        "b": b,
        "both_universal": int(verified_a == verified_b == config.tasks and excess == 0),
        "b_boosted": int(solver[:1] == ("boostq",)),
        "excess": excess,
        "walked_warm": sum(task.walked for task in towers[: b["found_at"]]),
        "walked_cold": sum(task.walked for task in without),
        "cold_found": int(contract(without[-1].program) is not None),
        "exact_gain": warm.probability(("boostq", *HANOI)) / cold.probability(HANOI),
    }


def part(progress, begin, end, expected):
    """Return what a searcher shows its count to, in this part of the run."""
    return lambda prefixes: progress(
        begin + (end - begin) * min(1.0, prefixes / expected), f"{prefixes:,} prefixes"
    )


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
