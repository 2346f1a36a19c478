# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""OOPS: a program searcher learns to write 1^n 2^n, and then finds one recursive program for every
Tower of Hanoi.

Paper: J. Schmidhuber, "Optimal Ordered Problem Solver", Machine Learning 54:211-254, 2004.
Task: 30 problems "write n ones, then n twos", then 30 Towers of Hanoi, one after the other.
Method: all programs of a small Forth-like language are tried, depth first, each prefix p for at
most P(p) T steps, with T doubled until one solves the problem. Half of the time the last program
that worked is reused or prolonged, the other half goes to fresh programs that have to solve all
problems so far. The instruction boostq makes the instructions of the program for 1^n 2^n more
probable: experience changes the search.
Claim: the universal program for Hanoi is found with experience, and hundreds of times later
without.

    python3 oops_towers_of_hanoi.py          both classes, and Hanoi without experience
    python3 study_oops_towers_of_hanoi.py    languages of 9 to 73 instructions
"""

import gc
import os

# before numpy: nothing here is a large matrix product
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    instructions: Annotated[int, "n_Q, instructions of the language", (9, 200)] = 24
    tasks: Annotated[int, "problems of each class, n = 1, 2, ...", (3, 30)] = 30
    direct_tasks: Annotated[
        int, "up to this n frozen programs are run step by step, beyond by contract", (3, 22)
    ] = 16
    phases: Annotated[int, "log2 of the largest T", (1, 60)] = 54
    plain_phases: Annotated[
        int, "the plain searcher repeats the phases up to this log2 T, as a check", (1, 30)
    ] = 21
    move_tasks: Annotated[int, "plain sequences of moves and swaps: largest n", (1, 8)] = 7
    ladder_tasks: Annotated[
        int, "the scheme that only reuses: largest n that is tried", (3, 12)
    ] = 10
    study_sizes: Annotated[tuple[int, ...], "study: languages, instructions", (9, 200)] = (
        9,
        12,
        16,
        24,
        32,
        73,
    )
    study_orders: Annotated[
        int, "study: orders of the instructions for each language", (1, 100)
    ] = 1

    def __post_init__(self):
        if self.plain_phases > self.phases:
            raise ValueError("--plain-phases is larger than --phases")


QUICK = {
    "instructions": 9,
    "tasks": 4,
    "direct_tasks": 4,
    "phases": 25,
    "plain_phases": 12,
    "move_tasks": 4,
    "ladder_tasks": 4,
    "study_sizes": (9,),
    "study_orders": 1,
}

# ---- the language and its probabilities ----------------------------------------------------------
ESSENTIAL = ("defnp", "endnp", "calltp", "xSA", "xAD", "mvdsk", "w1", "w2", "boostq")
GENERAL = (
    "c0",
    "c1",
    "c2",
    "c3",
    "dup",
    "drop",
    "swap",
    "over",
    "inc",
    "dec",
    "add",
    "sub",
    "by2",
    "neg",
    "nop",
)
BIAS = (
    "xSA",
    "xAD",
    "mvdsk",
    "boostq",
)  # what the user makes probable before the Hanoi problems, as in the paper
STACK_USE = {
    "dup": (1, 1),
    "drop": (1, -1),
    "swap": (2, 0),
    "over": (2, 1),
    "inc": (1, 0),
    "dec": (1, 0),
    "add": (2, -1),
    "sub": (2, -1),
    "by2": (1, 0),
    "neg": (1, 0),
}  # numbers needed, change of depth
STACK_DEPTH = 16
# Where a token may stand, and which tokens can there neither fail nor act, or are illegal.
LIGHT = {
    "outside": {"nop", "defnp", "xSA", "xAD"},
    "procedure known": {"nop", "defnp", "xSA", "xAD"},
    "body": {"nop", "calltp", "xSA", "xAD", "mvdsk", "w1", "w2", *STACK_USE.values(), (0, 1)},
}
ILLEGAL = {"outside": {"endnp", "calltp"}, "procedure known": {"endnp"}, "body": {"defnp"}}


def instruction_set(size):
    """The first `size` instructions; beyond the 24th come further constants c4, c5, ..."""
    return (ESSENTIAL + GENERAL + tuple(f"c{i}" for i in range(4, size - 20)))[:size]


@dataclass(frozen=True)
class Language:
    """Instructions, in the order in which the search tries them, and their probabilities.

    Each is drawn with probability numerator / sum of all numerators. A numerator is 1, plus n_Q for
    those the user favours, plus n_Q for each boostq read so far if the instruction occurs in the
    program that boostq points to.
    """

    tokens: tuple
    bias: tuple = ()
    experience: tuple = ()  # last program of the class before; without one boostq does nothing

    def numerators(self, boosts):
        size = len(self.tokens)
        return tuple(
            1 + size * ((x in self.bias) + boosts * (x in self.experience)) for x in self.tokens
        )

    def continuations(self, odds):
        """For all tokens (token, odds of the prefix one token longer); odds are (numerator,
        denominator, boosts).

        The probability is kept as two exact integers, so that the order of the factors cannot
        matter.
        """
        numerators = self.numerators(odds[2])
        total = odds[1] * sum(numerators)
        return [
            (
                token,
                (
                    odds[0] * numerator,
                    total,
                    odds[2] + (token == "boostq" and bool(self.experience)),
                ),
            )
            for token, numerator in zip(self.tokens, numerators)
        ]

    def odds(self, program, boosts=0):
        odds = (1, 1, boosts)
        for token in program:
            odds = dict(self.continuations(odds))[token]
        return odds


# ---- the problems --------------------------------------------------------------------------------
class Halt(Exception):
    """The program did something illegal."""


class Late(Exception):
    """The time of the prefix is used up."""


class Goal(Exception):
    """The problem is solved; nothing more is executed."""


HOME = (0, 1, 2)  # the arguments S, A, D: source, auxiliary and destination


def beginning(task_class, n):
    """The state of problem n of class "A" (symbols written so far) or "B" (three pegs, each from
    bottom to top)."""
    return 0 if task_class == "A" else (tuple(range(n, 0, -1)), (), ())


def act(task_class, n, env, token, frame):
    """The state after mvdsk, w1 or w2, executed with the arguments `frame`. Raises Halt or Goal."""
    if token == "mvdsk":
        source, _, destination = frame
        if (
            task_class == "A"
            or not env[source]
            or (env[destination] and env[destination][-1] < env[source][-1])
        ):
            raise Halt
        pegs = list(env)
        pegs[source], pegs[destination] = env[source][:-1], env[destination] + env[source][-1:]
        if len(pegs[2]) == n:
            raise Goal
        return tuple(pegs)
    if task_class == "B":
        return env  # there is no tape to write on
    if token != ("w1" if env < n else "w2"):
        raise Halt
    if env + 1 == 2 * n:
        raise Goal
    return env + 1


def swapped(token, w):
    """xSA and xAD: a working copy of the arguments with two entries swapped."""
    return (w[1], w[0], w[2]) if token == "xSA" else (w[0], w[2], w[1])


# ---- the machine, plainly: one program on one problem --------------------------------------------
@dataclass
class Machine:
    """Reads a program token by token; between two tokens it waits for the next. Raises Halt, Late
    or Goal.

    A step is a token that is executed or compiled, or the entry of a procedure.
    """

    task_class: str
    n: int
    limit: int  # steps that may be used in all
    env: object = None
    stack: tuple = ()
    w: tuple = HOME
    procedure: tuple = None  # the last one defined
    body: tuple = None  # the procedure that is being compiled
    steps: int = 0
    moves: int = 0  # disks moved or symbols written

    def __post_init__(self):
        self.env = beginning(self.task_class, self.n) if self.env is None else self.env

    def tick(self):
        if self.steps >= self.limit:
            raise Late
        self.steps += 1

    def read(self, token):
        self.tick()
        if self.body is not None:
            if token == "defnp":
                raise Halt
            if token != "endnp":
                self.body += (token,)
                return
            self.procedure, self.body = self.body, None
            self.call(self.n, self.w)
        elif token == "defnp":
            self.body = ()
        elif token == "endnp" or (token == "calltp" and self.procedure is None):
            raise Halt
        elif token == "calltp":
            self.call(self.n, self.w)
        else:
            self.w = self.execute(token, self.w, self.w)

    def call(self, n, frame):
        """The procedure with arguments `frame` and n. At n = 0 it returns; inside, n is one less
        and w starts anew."""
        self.tick()
        w = frame
        for token in self.procedure if n else ():
            self.tick()
            if token == "calltp":
                self.call(n - 1, w)
                w = frame
            else:
                w = self.execute(token, w, frame)

    def execute(self, token, w, frame):
        """Any instruction but those of procedures. Returns w."""
        if token in ("xSA", "xAD"):
            return swapped(token, w)
        if token in ("mvdsk", "w1", "w2"):
            self.moves += token == "mvdsk" or self.task_class == "A"
            self.env = act(self.task_class, self.n, self.env, token, frame)
            return w
        needed, stack = STACK_USE.get(token, (0, 0))[0], self.stack
        if len(stack) < needed:
            raise Halt
        top, below = stack[-1] if stack else 0, stack[-2] if len(stack) > 1 else 0
        if token[0] == "c":
            stack += (int(token[1:]),)
        elif token in ("dup", "over"):
            stack += (top if token == "dup" else below,)
        elif token == "drop":
            stack = stack[:-1]
        elif token == "swap":
            stack = (*stack[:-2], top, below)
        elif token in ("add", "sub"):
            stack = (*stack[:-2], (below + top if token == "add" else below - top) % 2**32)
        elif needed:
            value = {"inc": top + 1, "dec": top - 1, "by2": 2 * top, "neg": -top}[token]
            stack = (*stack[:-1], value % 2**32)
        if len(stack) > STACK_DEPTH:
            raise Halt
        self.stack = stack
        return w


def execute(task_class, n, program, limit):
    """Run a program on a problem from scratch. Returns "goal", "halt", "late" or "waits", and the
    machine."""
    machine = Machine(task_class, n, limit)
    try:
        for token in program:
            machine.read(token)
    except (Goal, Halt, Late) as end:
        return type(end).__name__.lower(), machine
    return "waits", machine


# ---- the search, plainly -------------------------------------------------------------------------
@dataclass
class Outcome:
    """What one half of a phase did: the tokens that solved it, or None; prefixes tested; steps
    executed."""

    found: tuple = None
    prefixes: int = 0
    steps: int = 0


def plain_search(language, machines, time, boosts=0):
    """Test all continuations of the machines' programs, depth first, each prefix p for at most P(p)
    `time` steps.

    A prefix without time for one more step is not tried. The machines' problems are worked on one
    after the other, until one halts; where a problem is solved its machine is dropped. Nothing is
    done twice: a machine is copied before a token is read, and the copy is what the search goes
    back to.
    """
    out = Outcome()

    def visit(machines, odds, used, path):
        for token, longer in language.continuations(odds):
            limit = time * longer[0] // longer[1]
            if limit <= used:
                continue
            out.prefixes += 1
            left, after = [], used
            try:
                for machine in machines:
                    copy = replace(machine, limit=machine.steps + limit - after)
                    try:
                        copy.read(token)
                        left.append(copy)
                    except Goal:
                        pass
                    finally:
                        after += copy.steps - machine.steps
            except (Halt, Late):
                continue
            finally:
                out.steps += after - used
            if not left:
                out.found = (*path, token)
                return True
            if visit(left, longer, after, (*path, token)):
                return True
        return False

    visit(machines, (1, 1, boosts), sum(machine.steps for machine in machines), ())
    return out


# ---- the search, by classes of equal behaviour ---------------------------------------------------
@dataclass(eq=False)
class State:
    """All that decides what a prefix will do, apart from its probability and its time; one object
    for equal states.

    tasks: ((n, state of the problem, depth of the stack), ...), those not yet solved. body: None
    outside of one. A body that will halt, or that there is no time to run, is the number of steps
    until it halts, or 0; of the tasks only their number matters then. pending: the permutation that
    the swaps since the last call in the body amount to.
    """

    tasks: object
    w: tuple
    procedure: tuple
    body: object
    pending: tuple

    def __post_init__(self):
        self.count = self.tasks if isinstance(self.tasks, int) else len(self.tasks)
        self.place = (
            "body"
            if self.body is not None
            else "procedure known"
            if self.procedure is not None
            else "outside"
        )
        self.after, self.results = (
            {},
            {},
        )  # state by what is read next; what running does, see Searcher


class Searcher:
    """The same search with the same counts, which walks only once through prefixes that cannot be
    told apart.

    Whatever follows a prefix depends on its state, its probability and the steps it has used. Where
    all three were met before, and no program was found there, the counts of that subtree are added
    and nothing is walked. States are equal more often than it seems. Nothing reads the numbers on
    the stack, so its depth stands for it. Within the body of a procedure, swaps matter only as the
    permutation that is in force at the next calltp. A body that is certain to halt is described by
    the step at which it will, and a body whose endnp no prefix has the time to read by nothing.
    """

    def __init__(self, language, task_class, callback=None):
        self.language, self.task_class, self.callback = language, task_class, callback
        self.calls, self.grouped, self.states, self.walked = {}, {}, {}, 0
        self.effects = {token: self.effect(token) for token in language.tokens}

    def effect(self, token):
        """What a token does, the same for tokens that do the same: a name, or (numbers needed,
        change of depth)."""
        if token in ("defnp", "endnp", "calltp", "mvdsk"):
            return token
        if token in ("xSA", "xAD"):
            return token if self.task_class == "B" else "nop"  # writing does not depend on S, A, D
        if token in ("w1", "w2"):
            return token if self.task_class == "A" else "nop"
        return (0, 1) if token[0] == "c" else STACK_USE.get(token, "nop")

    def compile(self, body, pending, effect):
        """A body one token longer; pending is the permutation that the swaps since the last call
        amount to."""
        if effect == "calltp":
            return (*body, pending), HOME
        if effect in ("xSA", "xAD"):
            return (*body, "nop"), swapped(effect, pending)
        return (*body, effect), pending

    def search(self, machines, time, boosts=0):
        """As plain_search, for machines that all wait for a token outside of a body."""
        self.time, self.tables, self.plans, self.seen, self.path, self.out = (
            time,
            {},
            {},
            {},
            [],
            Outcome(),
        )
        w, procedure = machines[0].w if self.task_class == "B" else HOME, None
        if machines[0].procedure is not None:
            procedure, pending = (), HOME
            for token in machines[0].procedure:
                procedure, pending = self.compile(procedure, pending, self.effects[token])
        state = self.state(tuple((m.n, m.env, len(m.stack)) for m in machines), w, procedure)
        if self.visit(state, (1, 1, boosts), sum(machine.steps for machine in machines)):
            self.out.found = tuple(self.path)
        return self.out

    def state(self, tasks, w, procedure, body=None, pending=HOME):
        if isinstance(body, int):
            tasks, w, procedure, pending = (
                tasks if isinstance(tasks, int) else len(tasks),
                None,
                None,
                None,
            )
        key = tasks, w, procedure, body, pending
        if key not in self.states:
            self.states[key] = State(*key)
        return self.states[key]

    def after(self, state, change):
        """The state after a token that is compiled, or acts on w only; or "forget", "stop" or
        "settle", see visit."""
        if change not in state.after:
            tasks, w, procedure, body, pending = (
                state.tasks,
                state.w,
                state.procedure,
                state.body,
                state.pending,
            )
            if change == "forget":
                procedure = None
            elif change == "stop":
                body = 0
            elif change == "settle":
                pending = HOME
            elif body is None:
                w = swapped(change, w) if change in ("xSA", "xAD") else w
                body = () if change == "defnp" else None
            elif not isinstance(body, int):
                body, pending = self.compile(body, pending, change)
                body = self.foresee(body, tasks, w) or body
            state.after[change] = self.state(tasks, w, procedure, body, pending)
        return state.after[change]

    def kinds(self, boosts):
        """After so many boosts: (token, group, effect, numerator, boosts) of each token; sum and
        largest numerator."""
        if boosts not in self.grouped:
            groups, rows, numerators = {}, [], self.language.numerators(boosts)
            for token, numerator in zip(self.language.tokens, numerators):
                after = boosts + (token == "boostq" and bool(self.language.experience))
                group = groups.setdefault((self.effects[token], numerator, after), len(groups))
                rows.append((token, group, self.effects[token], numerator, after))
            self.grouped[boosts] = rows, sum(numerators), max(numerators)
        return self.grouped[boosts]

    def table(self, odds):
        """For a prefix with these odds: its continuations, and the largest limits with which four
        things can be read.

        Continuations are (token, group, effect, odds, limit in steps, largest limit one token
        later); tokens of a group lead to the same state with the same odds. The limits are those of
        any next token; of endnp; of calltp and then endnp; of calltp. Reading a boostq first may
        raise the last three, anything else lowers them.
        """
        if odds not in self.tables:
            rows, at, shared, total = [], {}, {}, odds[1] * self.kinds(odds[2])[1]
            for token, group, effect, numerator, boosts in self.kinds(odds[2])[0]:
                if (numerator, boosts) not in shared:
                    longer, (_, later, largest) = (
                        (odds[0] * numerator, total, boosts),
                        self.kinds(boosts),
                    )
                    shared[numerator, boosts] = (
                        longer,
                        self.time * longer[0] // total,
                        self.time * longer[0] * largest // (total * later),
                    )
                at[token] = shared[numerator, boosts]
                rows.append((token, group, effect, *at[token]))
            ends, calls = at["endnp"][1], at["calltp"][1]
            calls_then_ends = self.table(at["calltp"][0])[2] if calls else 0
            boosted, limit, _ = at.get("boostq", (odds, 0, 0))
            if limit and boosted[2] > odds[2]:
                more = self.table(boosted)[2:5]
                ends, calls_then_ends, calls = (
                    max(pair) for pair in zip((ends, calls_then_ends, calls), more)
                )
            self.tables[odds] = (
                rows,
                max(row[4] for row in rows),
                ends,
                calls_then_ends,
                calls,
                len(self.tables),
            )
        return self.tables[odds]

    def visit(self, state, odds, used):
        """Test all continuations of a prefix. True if one solves all tasks; self.path then leads to
        it."""
        _, most, ends, calls_then_ends, calls, number = self.tables.get(odds) or self.table(odds)
        if most <= used:
            return False
        if state.body is None:
            if calls <= used and state.procedure is not None:
                state = self.after(state, "forget")
        elif ends <= used:
            state = self.after(state, "stop")
        elif calls_then_ends <= used and state.pending != HOME:
            state = self.after(state, "settle")
        out, shown = self.out, self.callback and len(self.path) < 3
        if (state, number, used) in self.seen and not shown:
            prefixes, steps = self.seen[state, number, used]
            out.prefixes += prefixes
            out.steps += steps
            return False
        self.walked += 1
        first, done, count = (out.prefixes, out.steps), {}, state.count
        for token, group, effect, longer, limit, prefixes, steps in self.plan(
            odds, used, count, state.place
        ):
            known = group in done and not shown
            if known:
                prefixes, steps = done[group]
            out.prefixes += prefixes
            out.steps += steps
            if effect is None or known:
                continue
            before = out.prefixes - prefixes, out.steps - steps
            self.path.append(token)
            if effect in LIGHT[state.place]:
                if self.visit(
                    state.after.get(effect) or self.after(state, effect), longer, used + count
                ):
                    return True
            else:
                status, steps, following = self.run(state, effect, limit - used)
                out.steps += steps
                if status == "goal" or (
                    status == "waits" and self.visit(following, longer, used + steps)
                ):
                    return True
            if shown:
                self.callback(tuple(self.path), out.prefixes - before[0])
            self.path.pop()
            done[group] = out.prefixes - before[0], out.steps - before[1]
        self.seen[state, number, used] = out.prefixes - first[0], out.steps - first[1]
        return False

    def plan(self, odds, used, count, place):
        """Continuations in their order, with the prefixes and steps that are certain; those that
        end there are merged.

        Rows are (token, group, effect, odds, limit, prefixes, steps). Effect None stands for tokens
        in a row that nothing follows: illegal ones, and those that leave no time for another.
        """
        key = odds, used, count, place
        if key not in self.plans:
            self.plans[key], ended = [], [0, 0]
            for token, group, effect, longer, limit, following in self.table(odds)[0]:
                steps = min(used + count, limit) - used if effect in LIGHT[place] else 0
                illegal = effect in ILLEGAL[place]
                if limit > used and (
                    illegal or (steps and (limit < used + count or following <= used + count))
                ):
                    ended = [ended[0] + 1, ended[1] + (1 if illegal else steps)]
                elif limit > used:
                    self.plans[key] += [(None, -1, None, None, 0, *ended)] * (ended[0] > 0)
                    self.plans[key].append((token, group, effect, longer, limit, 1, steps))
                    ended = [0, 0]
            self.plans[key] += [(None, -1, None, None, 0, *ended)] * (ended[0] > 0)
        return self.plans[key]

    def run(self, state, effect, limit):
        """Execute a token for each task, for at most limit steps: (status, steps, state). "goal":
        all are solved."""
        result = state.results.get(effect)
        if result is None or (result[0] == "late" and result[1] < limit):
            result = state.results[effect] = self.execute(state, effect, limit)
        return result if result[1] <= limit else ("late", limit, None)

    def execute(self, state, effect, limit):
        if isinstance(state.body, int):
            return "halt", state.body, None
        procedure, left, steps = state.body if effect == "endnp" else state.procedure, [], 0
        for n, env, depth in state.tasks:
            if steps == limit:
                return "late", steps, None
            steps += 1
            if effect in ("endnp", "calltp"):
                status, more, env, depth = self.call(
                    procedure, n, state.w, env, depth, limit - steps
                )
                steps += more
            else:
                status, env, depth = self.act(n, env, depth, effect, state.w)
            if status == "waits":
                left.append((n, env, depth))
            elif status != "goal":
                return status, steps, None
        return (
            ("waits", steps, self.state(tuple(left), state.w, procedure))
            if left
            else ("goal", steps, None)
        )

    def act(self, n, env, depth, effect, frame):
        """(status, state, depth) after an action or a use of the stack."""
        if isinstance(effect, tuple):
            after = depth + effect[1]
            return ("waits" if depth >= effect[0] and after <= STACK_DEPTH else "halt"), env, after
        try:
            return "waits", act(self.task_class, n, env, effect, frame), depth
        except Halt:
            return "halt", env, depth
        except Goal:
            return "goal", env, depth

    def call(self, body, n, frame, env, depth, limit):
        """(status, steps, state, depth) after a compiled procedure has run on problem n, for at
        most limit steps."""
        key = body, n, frame, env, depth
        if key not in self.calls or (self.calls[key][0] == "late" and self.calls[key][1] < limit):
            state = [0, env, depth]
            self.calls[key] = self.enter(body, n, n, frame, limit, state), *state
        found = self.calls[key]
        return found if found[1] <= limit else ("late", limit, None, 0)

    def enter(self, body, m, n, frame, limit, state):
        """One entry of a compiled procedure; changes state = [steps, state of the problem, depth].
        Its status."""
        if state[0] == limit:
            return "late"
        state[0] += 1
        for op in body if m else ():
            if state[0] == limit:
                return "late"
            state[0] += 1
            if op == "nop":
                continue
            if isinstance(op, tuple) and len(op) == 3:
                status = self.enter(
                    body, m - 1, n, (frame[op[0]], frame[op[1]], frame[op[2]]), limit, state
                )
            else:
                status, state[1], state[2] = self.act(n, state[1], state[2], op, frame)
            if status != "waits":
                return status
        return "waits"

    def foresee(self, body, tasks, frame):
        """Steps from reading endnp until the program halts, if that is certain whatever else the
        body will hold.

        Each task runs the body up to its first call; for n = 1 that returns at once. If the task is
        solved by then, the next one follows.
        """
        steps = 0
        for n, env, depth in tasks:
            steps += 2  # endnp, entry
            for op in body:
                steps += 1
                if isinstance(op, tuple) and len(op) == 3:
                    if n > 1:
                        return None
                    steps += 1
                elif op != "nop":
                    status, env, depth = self.act(n, env, depth, op, frame)
                    if status == "halt":
                        return steps
                    if status == "goal":
                        break
            else:
                return None
        return None


# ---- proofs about frozen programs ----------------------------------------------------------------
def contract(task_class, program):
    """The body of a program that provably solves every problem of its class, or None.

    "A": call(n) writes n ones and n twos. "B": call(S, A, D, n) moves the top n disks from S to D,
    legally, whatever lies below them. Both hold for n = 0, where nothing is done; the body is
    executed once for n, with each call replaced by what the contract says of n - 1. For "B" the
    state is where the block of n - 1 disks is and where the disk below it is; mvdsk moves that
    disk, if the block is neither on top of it nor at its destination.
    """
    if "defnp" not in program or program[-1] != "endnp":
        return None
    start = program.index("defnp")
    body, (status, machine) = program[start + 1 : -1], execute(task_class, 1, program[:start], 1000)
    if (
        status != "waits"
        or machine.env != beginning(task_class, 1)
        or machine.w != HOME
        or machine.stack
    ):
        return None
    if set(body) - {"calltp", "xSA", "xAD", "mvdsk", "w1", "w2", "boostq", "nop"}:
        # a definition in a definition halts, and a stack that grows with each call runs over
        return None
    if task_class == "A":
        return (
            body
            if [t for t in body if t in ("calltp", "w1", "w2", "mvdsk")] == ["w1", "calltp", "w2"]
            else None
        )
    block, disk, w = 0, 0, HOME
    for token in body:
        if (block, disk) == (2, 2) and token in ("calltp", "mvdsk"):
            return None  # solved, and then spoilt or moved about
        if token in ("xSA", "xAD"):
            w = swapped(token, w)
        elif token == "calltp":
            if block != w[0]:
                return None
            block, w = w[2], HOME
        elif token == "mvdsk":
            if disk != 0 or block != 1:
                return None
            disk = 2
    return body if (block, disk) == (2, 2) else None


def contract_cost(program, body, n):
    """(steps, moves) until a program with a contract reaches its goal on Hanoi problem n, without
    executing it.

    In the body the last action is the last calltp; at n = 1 that moves nothing, and the last action
    is mvdsk.
    """
    calls, moves, disk = body.count("calltp"), body.count("mvdsk"), body.index("mvdsk")
    last = max(i for i, token in enumerate(body) if token in ("calltp", "mvdsk"))
    whole, goal, moved = [1], [0], [0]
    for m in range(1, n + 1):
        end = last if m > 1 else disk
        before = 1 + end + 1 + body[:end].count("calltp") * whole[m - 1]
        goal.append(before + (goal[m - 1] if body[end] == "calltp" else 0))
        whole.append(1 + len(body) + calls * whole[m - 1])
        moved.append(moves + calls * moved[m - 1])
    return len(program) + goal[n], moved[n]


# ---- OOPS ----------------------------------------------------------------------------------------
@dataclass
class Solved:
    """How one problem was solved: the program, where it came from, and what was spent on the
    problem."""

    n: int
    program: tuple = None
    how: str = "not"  # unchanged, prolonged or fresh
    phase: int = 0  # log2 of T
    prefixes: int = 0
    steps: int = 0
    runtime: int = 0  # steps of the program, on the problems it was tested on
    probability: float = 1.0  # of what was added to the frozen program, or of the fresh one
    moves: int = 0  # of the program on this problem


def reuse(config, task_class, program, n, limit):
    """Run the frozen program on problem n for at most limit steps: (status, steps, actions, machine
    or None).

    Beyond config.direct_tasks a program with a contract is not executed step by step.
    """
    body = contract(task_class, program) if task_class == "B" and n > config.direct_tasks else None
    if body is None:
        status, machine = execute(task_class, n, program, limit)
        return status, machine.steps, machine.moves, machine
    steps, moves = contract_cost(program, body, n)
    return ("goal" if steps <= limit else "late"), min(steps, limit), moves, None


def oops(config, language, task_class, progress=None, searcher=None, until_universal=False):
    """Solve problems 1, ..., config.tasks in order, or until a program has a contract. Returns a
    list of Solved.

    For each problem T = 2, 4, 8, ...: first the frozen program, unchanged and then prolonged, on
    this problem; then fresh programs, on all problems so far. Each half may use T steps. What
    solves the problem is frozen.
    """
    gc.collect()  # the states of an earlier search refer to one another
    searcher = searcher or Searcher(language, task_class)
    history, frozen = [], None
    for n in range(1, config.tasks + 1):
        if until_universal and frozen and contract(task_class, frozen):
            break
        task, boosts = Solved(n), 0
        for task.phase in range(1, config.phases + 1):
            time, machine, out = 2**task.phase, None, Outcome()
            if frozen:
                status, steps, task.moves, machine = reuse(config, task_class, frozen, n, time)
                task.prefixes, task.steps = task.prefixes + 1, task.steps + steps
                if status == "goal":
                    task.program, task.how, task.runtime = frozen, "unchanged", steps
                    break
                if status == "waits":
                    boosts = language.odds(frozen)[2]
                    out = searcher.search([machine], time, boosts)
                    task.prefixes, task.steps = task.prefixes + out.prefixes, task.steps + out.steps
                    if out.found:
                        task.program, task.how = frozen + out.found, "prolonged"
                        task.probability = share(language.odds(out.found, boosts))
                        break
            out = searcher.search([Machine(task_class, i, 0) for i in range(1, n + 1)], time)
            task.prefixes, task.steps = task.prefixes + out.prefixes, task.steps + out.steps
            if progress:
                progress(
                    n / config.tasks,
                    f"{task_class}, n = {n}, T = 2^{task.phase}, {task.prefixes:,} prefixes",
                )
            if out.found:
                task.program, task.how, task.probability = (
                    out.found,
                    "fresh",
                    share(language.odds(out.found)),
                )
                break
        history.append(task)
        if task.program is None:
            break
        if task.how != "unchanged":
            tested = range(1, n + 1) if task.how == "fresh" else [n]
            runs = [execute(task_class, i, task.program, 2**task.phase)[1] for i in tested]
            task.runtime, task.moves = sum(machine.steps for machine in runs), runs[-1].moves
        frozen = task.program
    return history


def share(odds):
    return odds[0] / odds[1]


# ---- what else might do: sequences of moves, and reuse without search for recursion --------------
def shortest_moves(n):
    """Length of the shortest sequence of M (move from w's S to w's D), SD and SA (swaps) that
    solves Hanoi n."""
    length, states, known = 0, {(beginning("B", n), HOME)}, set()
    while True:
        length, known, after = length + 1, known | states, set()
        for env, w in states:
            after |= {(env, swapped("xSA", w)), (env, swapped("xAD", w))}
            try:
                after.add((act("B", n, env, "mvdsk", w), w))
            except Halt:
                pass
            except Goal:
                return length
        states = after - known


def run_with_copies(program, copies, n, env, frame):
    """The state after M, SD, SA and C; C runs the last copy with the present frame, and that copy
    the one before."""
    for token in program:
        if token == "C":
            if not copies:
                raise Halt
            env = run_with_copies(copies[-1], copies[:-1], n, env, frame)
        elif token == "M":
            env = act("B", n, env, "mvdsk", frame)
        else:
            frame = swapped("xAD" if token == "SD" else "xSA", frame)
    return env


def solves_with_copies(program, copies, n):
    try:
        run_with_copies(program, copies, n, beginning("B", n), HOME)
    except (Goal, Halt) as end:
        return isinstance(end, Goal)
    return False


def reuse_only(largest, longest=6):
    """Search without probabilities, where C calls the program of the problem before: (reach,
    copies, reach with one).

    For each n the last program is tried again, then all sequences by length. The frozen programs
    form a ladder, one copy for each smaller n. With the first of them only, the last program found
    does not get far.
    """
    copies, sequences = (
        [],
        [p for size in range(longest) for p in product(("M", "SD", "SA", "C"), repeat=size + 1)],
    )
    for n in range(1, largest + 1):
        program = next(
            (p for p in copies[-1:] + sequences if solves_with_copies(p, copies, n)), None
        )
        if program is None:
            break
        copies.append(program)
    alone = [n for n in range(1, largest + 1) if solves_with_copies(copies[-1], copies[:1], n)]
    return len(copies), len(copies) - 1, max(alone, default=0)


# ---- the experiment ------------------------------------------------------------------------------
def totals(history):
    """Prefixes and steps of all problems together."""
    return sum(task.prefixes for task in history), sum(task.steps for task in history)


def summary(name, history, task_class):
    """The search, up to the problem at which the last program was found, as metrics; `universal` by
    its contract."""
    last = ([task for task in history if task.how in ("prolonged", "fresh")] or history)[-1]
    prefixes, steps = totals(history[: last.n])
    return {
        f"{name}_found_at": last.n,
        f"{name}_prefixes": prefixes,
        f"{name}_steps": steps,
        f"{name}_phase": last.phase,
        f"{name}_runtime": last.runtime,
        f"{name}_probability": last.probability,
        f"{name}_tokens": len(last.program or ()),
        f"{name}_fresh": last.how == "fresh",
        f"{name}_universal": contract(task_class, last.program or ()) is not None,
        f"{name}_levin_steps": last.runtime / last.probability,
        f"{name}_share_of_bound": steps * last.probability / max(last.runtime, 1),
    }


def verify(config, task_class, program):
    """The largest n up to which a program solves all problems, and by how many actions it exceeds
    the fewest."""
    excess = 0
    for n in range(1, config.tasks + 1):
        status, _, actions, _ = reuse(
            config, task_class, program, n, 2**60 if contract(task_class, program) else 2**20
        )
        if status != "goal":
            return n - 1, excess
        excess += actions - (2 * n if task_class == "A" else 2**n - 1)
    return config.tasks, excess


def languages(size, seed):
    """Instructions in an order drawn from the seed: for class A, and for B without experience."""
    order = np.random.default_rng(seed).permutation(size)
    tokens = tuple(np.array(instruction_set(size))[order].tolist())
    return Language(tokens), Language(tokens, BIAS)


def report(task_class, history):
    """Print how each problem was solved."""
    print(
        f"\nclass {task_class}:\n"
        f"{'n':>12}  how        log2 T          prefixes             steps  program"
    )
    for task in history:
        program = "the same" if task.how == "unchanged" else " ".join(task.program or ())
        print(
            f"{task.n:>12}  {task.how:<9}  {task.phase:>6}  {task.prefixes:>16,}  {task.steps:>16,}"
            f"  {program}"
        )


def plain_check(config, language, task_class, starts):
    """How many phases differ between the plain searcher and the one by classes; and the prefixes of
    the plain one."""
    searcher, differ, prefixes = Searcher(language, task_class), 0, 0
    for phase in range(1, config.plain_phases + 1):
        for machines in starts:
            plain = plain_search(language, machines, 2**phase)
            differ += plain != searcher.search(machines, 2**phase)
            prefixes += plain.prefixes
    return differ, prefixes


@contextmanager
def collecting_by_hand():
    """No garbage collection but what oops() asks for when it starts: it would walk through millions
    of tuples again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@collecting_by_hand()
def run(config, seed, progress=None):
    """Both classes; class B without experience, and without boostq; what the plain searcher says;
    other schemes."""
    first, cold = languages(config.instructions, seed)
    started = perf_counter()
    writing = oops(config, first, "A", progress)
    report("A", writing)
    warm = replace(cold, experience=writing[-1].program or ())
    searcher = Searcher(warm, "B")
    towers = oops(config, warm, "B", progress, searcher)
    report("B", towers)
    seconds, walked = perf_counter() - started, searcher.walked
    del searcher
    solved = [history[-1].program or () for history in (writing, towers)]
    out = summary("a", writing, "A") | summary("b", towers, "B")
    (out["a_verified_to"], out["a_excess"]), (out["b_verified_to"], out["b_excess"]) = (
        verify(config, task_class, program) for task_class, program in zip("AB", solved)
    )
    out |= {
        "b_boosted": solved[1][:1] == ("boostq",),
        "b_largest_direct": config.direct_tasks,
        "b_unchanged": sum(task.how == "unchanged" for task in towers),
    }
    for task in towers[:3]:
        out |= {
            f"b{task.n}_prefixes": task.prefixes,
            f"b{task.n}_phase": task.phase,
            f"b{task.n}_prolonged": task.how == "prolonged",
            f"b{task.n}_moves": task.moves,
        }
    out["last_moves"], out["last_runtime"] = towers[-1].moves, towers[-1].runtime
    out["prefixes"], out["steps"] = totals(writing + towers)
    out |= {
        "walked": walked,
        "prefixes_per_walked": totals(towers)[0] / walked,
        "prefixes_per_second": out["prefixes"] / seconds,
    }

    without = {
        "cold": cold,
        "no_boostq": Language(tuple(t for t in warm.tokens if t != "boostq"), BIAS[:3]),
    }
    for name, language in without.items():
        history = oops(config, language, "B", progress, until_universal=True)
        report(f"B, {name}", history)
        out |= summary(name, history, "B")
        for counted in ("prefixes", "steps"):
            out[f"{name}_over_warm_{counted}"] = out[f"{name}_{counted}"] / out[f"b_{counted}"]
    boosted = share(warm.odds(UNIVERSAL))
    out["expected_gain"] = boosted / share(cold.odds(UNIVERSAL[1:]))
    out["paper_boosted"] = (74 / (7 * 73)) ** 3 * (
        74 / (12 * 73)
    ) ** 7  # three, then seven tokens; numerators 1 + 73
    out["paper_not_boosted"] = (74 / (7 * 73)) ** 3 * (1 / (7 * 73)) ** 4

    fresh = {c: [Machine(c, n, 0) for n in (1, 2, 3)] for c in "AB"}
    prolonged, started = execute("B", 3, ("mvdsk", "xAD", "xSA", "mvdsk"), 4)[1], perf_counter()
    checks = [
        plain_check(config, first, "A", [fresh["A"]]),
        plain_check(config, warm, "B", [fresh["B"], [prolonged]]),
    ]
    out["plain_differences"], out["plain_prefixes"] = (sum(column) for column in zip(*checks))
    out["plain_prefixes_per_second"] = out["plain_prefixes"] / (perf_counter() - started)

    for n in range(1, config.move_tasks + 1):
        out[f"moves_{n}_tokens"] = shortest_moves(n)
    out["ladder_reach"], out["ladder_copies"], out["one_copy_reach"] = reuse_only(
        config.ladder_tasks
    )
    return out


UNIVERSAL = (
    "boostq",
    "defnp",
    "xAD",
    "calltp",
    "xSA",
    "mvdsk",
    "calltp",
    "endnp",
)  # for the exact gain only


@collecting_by_hand()
def study(config, seed, progress=None):
    """Languages of other sizes, each in several orders, with experience and without, until a
    program is universal."""
    out = {"sizes": list(config.study_sizes), "exact_gain": []}
    for size in config.study_sizes:
        counts = {"warm": [], "cold": []}
        for order in range(config.study_orders):
            first, cold = languages(size, np.random.SeedSequence([seed, order]))
            writing = oops(config, first, "A", progress, until_universal=True)
            warm = replace(cold, experience=writing[-1].program or ())
            for name, language in (("warm", warm), ("cold", cold)):
                history = oops(config, language, "B", progress, until_universal=True)
                counts[name].append(
                    (*totals(history), contract("B", history[-1].program or ()) is not None)
                )
        out["exact_gain"].append(share(warm.odds(UNIVERSAL)) / share(cold.odds(UNIVERSAL[1:])))
        for name, rows in counts.items():
            prefixes, steps, universal = zip(*rows)
            out |= {
                f"{name}_prefixes_{size}": float(np.median(prefixes)),
                f"{name}_universal_{size}": sum(universal),
                f"{name}_steps_{size}": float(np.median(steps)),
                f"{name}_all_prefixes_{size}": list(prefixes),
            }
        out[f"gain_prefixes_{size}"] = out[f"cold_prefixes_{size}"] / out[f"warm_prefixes_{size}"]
        out[f"gain_steps_{size}"] = out[f"cold_steps_{size}"] / out[f"warm_steps_{size}"]
    for name in ("warm", "cold"):
        medians = [out[f"{name}_prefixes_{size}"] for size in config.study_sizes]
        out[f"{name}_spread"] = max(medians) / min(medians)
    out["largest_gain_steps"] = out[f"gain_steps_{config.study_sizes[-1]}"]
    out["universal"] = sum(
        out[f"{name}_universal_{size}"] for name in ("warm", "cold") for size in config.study_sizes
    )
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
