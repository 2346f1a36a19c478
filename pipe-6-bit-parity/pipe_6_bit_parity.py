# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""PIPE writes 6-bit parity: a tree of probability vectors, led by counts of wrong rows alone.

Paper: R. Salustowicz, J. Schmidhuber, "Probabilistic Incremental Program Evolution", Evolutionary
Computation 5(2):123-141, 1997.
Task: write a program of AND, OR, NOT, IF and the inputs x0 .. x5 that is true for the 32 of 64
input rows with an even number of ones. A program that ignores an input has 32 rows wrong.
Method: each node of the prototype tree holds a probability vector over the ten instructions. Ten
programs are drawn; the joint probability of the best one is raised to a target, the vectors that it
passed are mutated, and so on. There is no crossover and no gradient.
Claim: some 70 % of the paper's runs solve it within 500,000 programs, after 52,500 in the median
(both figures from memory).
Baseline: hill climbing, which replaces a random part of one program, with as many programs.

    python3 pipe_6_bit_parity.py --seed 0      # one search by each method
    python3 pipe_6_bit_parity.py --help        # every setting
"""

import math
import os
from bisect import bisect
from dataclasses import dataclass, field
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    inputs: Annotated[int, "inputs of the parity", (2, 8)] = 6
    evaluations: Annotated[int, "programs that a search evaluates at most", (1, 10**8)] = 500_000
    population: Annotated[int, "PS, programs per generation", (1, 10_000)] = 10
    learning_rate: Annotated[float, "lr, part of what P lacks to 1", (1e-6, 0.999)] = 0.01
    step: Annotated[float, "c, a step is this times lr of what p lacks to 1", (1e-3, 1.0)] = 0.1
    epsilon: Annotated[float, "eps, added to both counts of wrong rows", (1e-9, 1e6)] = 1.0
    elitist_share: Annotated[float, "P_el, steps towards the best ever", (0.0, 0.999)] = 0.0
    mutation_probability: Annotated[float, "P_M, sets how many entries mutate", (0.0, 10.0)] = 0.4
    mutation_rate: Annotated[float, "mr, a mutated entry's way to 1", (0.0, 1.0)] = 0.4
    prune_threshold: Annotated[float, "T_P, an entry above it prunes", (0.5, 1.0)] = 0.999999
    terminals: Annotated[float, "P_T, first probability of an input", (0.01, 0.99)] = 0.6
    levels: Annotated[int, "levels of a tree; the last has inputs only", (2, 40)] = 18
    climb_evaluations: Annotated[int, "programs that climbing evaluates", (1, 10**8)] = 500_000
    climb_nodes: Annotated[int, "climbing: nodes of a program at most", (10, 10_000)] = 200

    def __post_init__(self):
        if self.population > self.evaluations:
            raise ValueError("argument --population: must not exceed --evaluations")


QUICK = {"inputs": 3, "evaluations": 5000, "climb_evaluations": 5000}

# ---- programs: instructions in a list, each followed by its arguments ---------------------------
FUNCTIONS = ("AND", "OR", "NOT", "IF")
AND, OR, NOT, IF = range(4)  # instructions; from 4 on they are the inputs x0, x1, ...
ARITY = (2, 2, 1, 3) + 8 * (0,)


def apply(op, arguments, ones):
    """Return what a function makes of truth tables: ints with row j in bit j; ones has all rows."""
    if op == AND:
        return arguments[0] & arguments[1]
    if op == OR:
        return arguments[0] | arguments[1]
    if op == NOT:
        return arguments[0] ^ ones
    a, b, c = arguments
    return c ^ (a & (b ^ c))  # b if a else c


class Parity:
    """Even parity of n inputs on all 2^n rows of a truth table; in row j, input i is bit i of j."""

    def __init__(self, n):
        self.rows = 2**n
        self.ones = 2**self.rows - 1
        inputs = [self.table(j >> i & 1 for j in range(self.rows)) for i in range(n)]
        self.inputs = [0, 0, 0, 0, *inputs]  # truth table of each instruction that is an input
        self.target = self.table(j.bit_count() % 2 == 0 for j in range(self.rows))

    def table(self, bits):
        """Return the bits of all rows as one int."""
        return sum(bit << j for j, bit in enumerate(bits))

    def wrong(self, table):
        """Return how many rows of a truth table are wrong."""
        return (table ^ self.target).bit_count()

    def evaluate(self, program):
        """Return the truth table of a program."""
        tables = []
        for op in reversed(program):
            if op > IF:
                tables.append(self.inputs[op])
            else:
                arguments = [tables.pop() for _ in range(ARITY[op])]
                tables.append(apply(op, arguments, self.ones))
        return tables[0]


def depth(program):
    """Return how many levels a program has."""
    depths = []
    for op in reversed(program):
        arguments = [depths.pop() for _ in range(ARITY[op])]
        depths.append(1 + max(arguments, default=0))
    return depths[0]


def answer(program, row):
    """Return what a program says to one row, a list of bools: the plain evaluator."""

    def read():
        op = next(ops)
        if op > IF:
            return row[op - 4]
        arguments = [read() for _ in range(ARITY[op])]
        if op == AND:
            return all(arguments)
        if op == OR:
            return any(arguments)
        if op == NOT:
            return not arguments[0]
        return arguments[1] if arguments[0] else arguments[2]

    ops = iter(program)
    return read()


def rows_right(program, n):
    """Return how many rows a program gets right, counted one by one with the plain evaluator."""
    rows = [[bool(j >> i & 1) for i in range(n)] for j in range(2**n)]
    return sum(answer(program, row) == (sum(row) % 2 == 0) for row in rows)


# ---- the prototype tree --------------------------------------------------------------------------
class Node:
    """A node: probabilities p (I,) of the instructions, their sums, and up to three children."""

    __slots__ = ("p", "sums", "last", "children")

    def __init__(self, p, sums, last):
        self.p = p
        self.sums = sums  # a list: an instruction is drawn by its place among them
        self.last = last  # in the last level, which has no functions
        self.children = [None, None, None]


@dataclass
class Draft:
    """A program as it is drawn."""

    program: list = field(default_factory=list)  # its instructions
    nodes: list = field(default_factory=list)  # the node of the tree behind each of them
    new: list = field(default_factory=list)  # (parent, place, child) of nodes not in the tree yet
    table: int = 0  # its truth table


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

    def __init__(self, config, rng):
        n = config.inputs
        share = config.terminals
        self.config = config
        self.rng = rng
        self.uniform = uniforms(rng)
        self.task = Parity(n)
        anywhere = np.array(4 * [(1 - share) / 4] + n * [share / n])  # (I,) p of a new node
        at_the_end = np.array(4 * [0.0] + n * [1 / n])  # (I,) the same in the last level
        self.first = [(p, p.cumsum()[:-1].tolist()) for p in (anywhere, at_the_end)]
        self.root = Node(*self.first[False], False)
        self.programs = 0  # evaluated
        self.best = None  # the best program ever
        self.wrong = self.task.rows  # its wrong rows
        self.course = (POINTS + 1) * [self.task.rows // 2]  # rows right by then

    def search(self, progress):
        """Search until a program is right or the evaluations are used up."""
        config = self.config
        while self.wrong and self.programs + config.population <= config.evaluations:
            if self.best and self.rng.random() < config.elitist_share:
                self.adapt(self.draw(self.best), ratio=1.0, mutating=False)
            else:
                self.generation()
            said = f"{self.programs:,} programs, {self.task.rows - self.wrong} rows right"
            progress(self.programs / config.evaluations, said)
        return self

    def draw(self, given=None):
        """Draw a program, or follow a given one through the tree."""
        draft = Draft()
        draft.table = self.descend(self.root, self.config.levels, draft, given and iter(given))
        return draft

    def descend(self, node, levels, draft, given):
        """Draw the part of a program that begins at this node; returns its truth table."""
        op = next(given) if given else bisect(node.sums, next(self.uniform))
        draft.program.append(op)
        draft.nodes.append(node)
        if op > IF:
            return self.task.inputs[op]
        arguments = []
        for place in range(ARITY[op]):
            child = node.children[place]
            if child is None:
                last = levels == 2
                child = Node(*self.first[last], last)
                draft.new.append((node, place, child))
            arguments.append(self.descend(child, levels - 1, draft, given))
        return apply(op, arguments, self.task.ones)

    def generation(self):
        """Draw programs and learn from the best of them, of equally good ones the smallest."""
        drafts = [self.draw() for _ in range(self.config.population)]
        self.programs += len(drafts)
        wrong, size, winner = min(
            (self.task.wrong(draft.table), len(draft.program), k) for k, draft in enumerate(drafts)
        )
        draft = drafts[winner]
        if self.best is None or (wrong, size) < (self.wrong, len(self.best)):
            self.best = draft.program
            self.wrong = wrong
        point = -(-self.programs * POINTS // self.config.evaluations)  # rounded up
        self.course[point:] = (POINTS + 1 - point) * [self.task.rows - self.wrong]
        self.adapt(draft, self.ratio(wrong), mutating=True)

    def ratio(self, wrong):
        """Compare a program's wrong rows with those of the best program ever."""
        return (self.config.epsilon + self.wrong) / (self.config.epsilon + wrong)

    def adapt(self, draft, ratio, mutating):
        """Learn from a program, mutate the vectors that it passed, and prune."""
        for parent, place, child in draft.new:
            parent.children[place] = child
        op = np.array(draft.program, np.intp)  # (m,)
        each = np.arange(len(op))
        p = np.concatenate([node.p for node in draft.nodes]).reshape(len(op), -1)  # (m, I)
        old = p[each, op]  # (m,)
        new = self.raised(old, ratio)  # (m,)
        others = np.where(old < 1, (1 - new) / np.maximum(1 - old, TINY), 1.0)  # (m,)
        p *= others[:, None]  # the other entries shrink alike, so that the sum stays 1
        p[each, op] = new
        if mutating:
            self.mutate(p, np.array([node.last for node in draft.nodes]))
        for node, row, sums in zip(draft.nodes, p, p.cumsum(1)[:, :-1].tolist()):
            node.p = row
            node.sums = sums
        threshold = self.config.prune_threshold
        for i in np.flatnonzero((new > threshold) & (old <= threshold)):
            arity = ARITY[op[i]]
            draft.nodes[i].children[arity:] = (3 - arity) * [None]  # it needs no more

    def raised(self, p, ratio):
        """Return p (m,) raised until the program, of probability P, has P + (1 - P) lr ratio."""
        rate = self.config.step * self.config.learning_rate
        joint = np.exp(joint_log(p))
        target = joint + (1 - joint) * self.config.learning_rate * ratio
        return after_steps(p, steps_to(p, np.log(target), rate), rate)

    def mutate(self, p, last):
        """Move entries of p (m, I) towards 1, each with probability P_M / (I sqrt(m))."""
        nodes, instructions = p.shape
        chance = self.config.mutation_probability / (instructions * np.sqrt(nodes))
        hit = self.rng.random(p.shape) < chance  # (m, I)
        hit[last, : len(FUNCTIONS)] = False
        at = np.flatnonzero(hit.any(1))
        changed = p[at] + self.config.mutation_rate * hit[at] * (1 - p[at])
        p[at] = changed / changed.sum(1, keepdims=True)


# ---- the rivals: hill climbing and random programs -----------------------------------------------
def end_of_part(program, start):
    """Return where the part of a program ends that begins at `start`."""
    wanted = 1
    while wanted:
        wanted += ARITY[program[start]] - 1
        start += 1
    return start


def random_part(program, uniform):
    """Return where a random part begins: nine times in ten at a function, else at an input."""
    function = len(program) > 1 and next(uniform) < 0.9
    while True:
        start = int(next(uniform) * len(program))
        if (program[start] <= IF) == function:
            return start


def climb(config, rng, progress):
    """Replace random parts of a program by random programs wherever this does no harm; returns the
    last program and how many were evaluated."""
    source = Pipe(config, rng)  # its tree never learns
    task = source.task
    program = source.draw().program
    wrong = task.wrong(task.evaluate(program))
    tried = 1
    while wrong and tried < config.climb_evaluations:
        start = random_part(program, source.uniform)
        rest = program[end_of_part(program, start) :]
        child = program[:start] + source.draw().program + rest
        if len(child) > config.climb_nodes:
            continue
        tried += 1
        mistakes = task.wrong(task.evaluate(child))
        if mistakes <= wrong:
            program = child
            wrong = mistakes
        if tried % 1000 == 0:
            progress(tried / config.climb_evaluations, f"climbing: {tried:,} programs")
    return program, tried


def best_at_random(config, rng, progress):
    """Return the rows right of the best of as many random programs."""
    source = Pipe(config, rng)  # its tree never learns
    wrong = source.task.rows
    for tried in range(config.evaluations):
        wrong = min(wrong, source.task.wrong(source.draw().table))
        if tried % 1000 == 0:
            progress(tried / config.evaluations, f"random: {tried:,} programs")
    return source.task.rows - wrong


# ---- the experiment ------------------------------------------------------------------------------
def run(config, seed, progress):
    """Search by PIPE, climb with as many programs, and draw as many at random."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    pipe_rng, climb_rng, random_rng = streams
    started = process_time()
    pipe = Pipe(config, pipe_rng).search(lambda f, said: progress(0.6 * f, said))
    seconds = process_time() - started
    climbed, tried = climb(config, climb_rng, lambda f, said: progress(0.6 + 0.3 * f, said))
    at_random = best_at_random(config, random_rng, lambda f, said: progress(0.9 + 0.1 * f, said))
    rows = pipe.task.rows
    right = rows_right(pipe.best, config.inputs)
    climbed_right = rows_right(climbed, config.inputs)
    x = [k * config.evaluations / POINTS for k in range(POINTS + 1)]
    return {
        "pipe": {
            "solved": int(right == rows),
            "rows_right": right,
            "programs": pipe.programs,
            "nodes": len(pipe.best),
            "levels": depth(pipe.best),
            "programs_per_second": pipe.programs / max(seconds, 1e-9),
        },
        "climb": {
            "solved": int(climbed_right == rows),
            "rows_right": climbed_right,
            "programs": tried,
        },
        "climb_lead": int(right == rows) - int(climbed_right == rows),
        "random_rows": at_random,
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
