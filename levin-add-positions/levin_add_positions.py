# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Adding positions: guess programs until one counts upwards while it writes the weights, w_i = i.

Paper: J. Schmidhuber, "Discovering solutions with low Kolmogorov complexity and high generalization
capability", ICML 1995, and "Discovering neural nets with low Kolmogorov complexity and high
generalization capability", Neural Networks 10(5):857-873, 1997.
Task: a linear unit sees 100 inputs, three of them on, and has to answer the sum of their positions.
It is shown 3 of the 161,700 such inputs.
Method: probabilistic Levin search. A program for a machine of 13 instructions is guessed cell by
cell, whenever the machine comes to a cell that is not written yet. Its time limit is guessed too,
long ones rarely. What it leaves in the 100 weights is tested on the three examples.
Claim: of 5.5e7 guessed programs ten fit the examples, and eight of these are right on every input.
Baseline: as many weight vectors, guessed directly.

    python3 levin_add_positions.py --seed 0     # half a minute; prints a program that generalises
    python3 levin_add_positions.py --help       # every setting
"""

import os
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    runs: Annotated[int, "programs to guess and run", (1, 10**9)] = 25_000_000
    lanes: Annotated[int, "programs side by side; the draws depend on it", (1, 10**5)] = 4096
    least_limit: Annotated[int, "least time limit, steps", (1, 10**6)] = 8
    doublings: Annotated[int, "most doublings of it, each with probability 1/2", (0, 20)] = 10
    program_cells: Annotated[int, "longest program, cells", (2, 1000)] = 40
    work_cells: Annotated[int, "largest work tape, cells", (1, 1000)] = 40
    largest: Annotated[int, "largest magnitude of a number in a cell", (100, 40_000)] = 10_000
    weight_guesses: Annotated[int, "baseline: guessed weight vectors", (1, 10**9)] = 25_000_000
    guess_block: Annotated[int, "baseline: vectors side by side", (1, 10**6)] = 100_000

    def __post_init__(self):
        if self.least_limit << self.doublings > 2**24:
            raise ValueError("argument --doublings: the limit must not pass 16,777,216 steps")


QUICK = {"runs": 30_000, "lanes": 1024, "doublings": 4, "weight_guesses": 30_000}

# ---- the task: a linear unit of 100 inputs, of which three are on --------------------------------
WEIGHTS = 100
TRAINING = np.array([[5, 17, 86], [13, 55, 58], [40, 87, 94]], np.intp)  # positions that are on


def targets(inputs):
    """Returns the right answers to inputs (..., 3): the sums of their positions."""
    return inputs.sum(-1)


def answers(weights, inputs):
    """Returns what the unit with weights (100,) answers to inputs (S, 3): (S,)."""
    return weights[inputs].sum(-1)


@cache
def every_input():
    """Returns all C(100, 3) inputs, (161700, 3)."""
    return np.array(list(combinations(range(WEIGHTS), 3)), np.intp)


def unseen_right(weights):
    """Counts the inputs other than the three examples that weights (100,) answer right."""
    right = answers(weights, every_input()) == targets(every_input())  # (161700,)
    seen = answers(weights, TRAINING) == targets(TRAINING)  # (3,)
    return int(right.sum() - seen.sum())


UNSEEN = 161_697  # what it is for weights that are right everywhere

# ---- the machine: one row of integer cells, programs side by side --------------------------------
JMPLEQ, WRITE, JUMP, STOP, ADD, READ, MOVE = range(7)
ALLOCATE, INCREMENT, DECREMENT, SUBTRACT, MULTIPLY, FREE = range(7, 13)
OPS = "Jmpleq WriteWeight Jump Stop Add ReadWeight Move".split()
OPS += "Allocate Increment Decrement Subtract Multiply Free".split()
COUNT = np.array([3, 1, 1, 0, 3, 2, 2, 1, 1, 1, 3, 3, 1], np.int32)  # arguments of each
STORES = np.isin(np.arange(13), [ADD, READ, MOVE, INCREMENT, DECREMENT, SUBTRACT, MULTIPLY])
AHEAD = np.zeros((3, 13), np.int32)  # (argument, op): 1 where the next, unwritten cell will do
AHEAD[2, JMPLEQ] = AHEAD[0, JUMP] = 1  # jump targets


class Fit(NamedTuple):
    """A program whose weights give the three right answers."""

    run: int  # its number, counted from 0
    code: list  # its guesses, in the order of the cells
    steps: int
    limit: int
    bits: float  # -log2 of the probability of its guesses
    weights: np.ndarray  # (100,)

    def complexity(self):
        """Returns Levin's: the bits of its guesses and those of its time."""
        return self.bits + np.log2(self.steps)


class Lanes:
    """B programs side by side, each variable of the machine an array (B,).

    A row of `cells` is the memory of one program: addresses 0, 1, ... are the program itself, and
    -1, -2, ... its work tape. `base` is where address 0 stands. What is not in use is zero on the
    work tape, and may be anything behind the end of a program.
    """

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        width = config.work_cells + config.program_cells + 4  # the last 4 are read, never used
        self.cells = np.zeros((config.lanes, width), np.int32)
        self.code = np.zeros((config.lanes, config.program_cells), np.int32)  # as it was guessed
        self.weights = np.zeros((config.lanes, WEIGHTS), np.int32)
        self.row = np.arange(config.lanes, dtype=np.intp)
        self.base = self.row * width + config.work_cells
        self.alive = np.zeros(config.lanes, bool)
        self.bits = np.zeros(config.lanes)
        self.run, self.limit = np.zeros((2, config.lanes), np.int32)
        self.ip, self.wp = np.zeros((2, config.lanes), np.int32)  # instruction, weight that is next
        self.end, self.work = np.zeros((2, config.lanes), np.int32)  # cells of program, work tape
        self.age, self.changed = np.zeros((2, config.lanes), np.int32)  # steps, at the last change
        self.mark, self.marked = np.zeros((2, config.lanes), np.int32)  # see end_loops

    def start(self, lanes, runs):
        """Starts new programs, numbered `runs`, in these lanes; guesses their time limits."""
        doublings = np.minimum(self.rng.geometric(0.5, len(lanes)) - 1, self.config.doublings)
        self.cells[lanes[self.work[lanes] > 0]] = 0
        self.weights[lanes[self.wp[lanes] > 0]] = 0
        for array in (self.ip, self.wp, self.end, self.work, self.age, self.changed):
            array[lanes] = 0
        self.mark[lanes] = self.marked[lanes] = self.bits[lanes] = 0
        self.limit[lanes] = self.config.least_limit << doublings
        self.run[lanes] = runs
        self.alive[lanes] = True

    def step(self):
        """Executes one instruction of each program; returns where programs are over, (B,)."""
        self.age += self.alive
        op, a, c, legal = self.fetch()
        value, possible = self.compute(op, c)
        legal &= possible
        self.act(op, a, c, value, legal)
        legal &= op != STOP
        self.end_loops(legal)
        done = (self.wp == WEIGHTS) | (self.age >= self.limit)  # (B,)
        return self.alive & (done | ~legal)

    def fetch(self):
        """Reads the instructions, and guesses those cells of them that nobody has written.

        Returns op (B,), its arguments a (3, B), what the cells that these name hold, c (3, B), and
        whether all this is legal, (B,); where there is no instruction, op is STOP.
        """
        memory, room = self.cells.ravel(), self.config.program_cells
        lanes = np.flatnonzero(self.alive & (self.ip == self.end) & (self.end < room))
        self.guess(lanes, 0, len(OPS))
        op = memory[self.base + self.ip]  # (B,)
        legal = self.alive & (self.ip >= -self.work) & (self.ip < self.end)  # (B,)
        legal &= (op >= 0) & (op < len(OPS))
        op = np.where(legal, op, STOP)
        count = COUNT[op]  # (B,)
        a, c = np.empty((2, 3, len(op)), np.int32)
        for j in range(3):
            place = self.ip + 1 + j  # (B,)
            lanes = np.flatnonzero((count > j) & (place == self.end) & (self.end < room))
            self.guess(lanes, -self.work[lanes], self.work[lanes] + self.end[lanes] + 1)
            a[j] = memory[self.base + place]
        for j in range(3):
            there = (a[j] >= -self.work) & (a[j] < self.end + AHEAD[j][op])  # (B,)
            there &= self.ip + 1 + j < self.end  # else the program is as long as it may be
            legal &= there | (count <= j)
            c[j] = memory[self.base + np.where(there, a[j], 0)]
        return op, a, c, legal

    def compute(self, op, c):
        """Returns what instructions would store, (B,), and whether they can be executed, (B,)."""
        first, second = c[:2]  # (B,)
        index = np.clip(first, 0, WEIGHTS - 1)  # (B,)
        results = {
            ADD: first + second,
            SUBTRACT: first - second,
            MULTIPLY: first * second,
            READ: self.weights[self.row, index],
            MOVE: first,
            INCREMENT: first + 1,
            DECREMENT: first - 1,
        }
        value = np.select([op == each for each in results], list(results.values()))  # (B,)
        room = np.where(op == ALLOCATE, self.config.work_cells - self.work, self.work)  # (B,)
        sized = (first >= 0) & (first <= room)  # (B,) what Allocate and Free need
        possible = np.abs(value) <= self.config.largest  # (B,)
        possible &= (op != READ) | (index == first)
        possible &= sized | ((op != ALLOCATE) & (op != FREE))
        return value, possible

    def act(self, op, a, c, value, legal):
        """Stores, writes weights, allocates or frees, and moves the instruction pointer on."""
        memory, first = self.cells.ravel(), c[0]
        to = self.base + a[COUNT[op] - 1, self.row]  # (B,) the cell that the last argument names
        stored = np.flatnonzero(legal & STORES[op])
        stored = stored[memory[to[stored]] != value[stored]]
        memory[to[stored]] = value[stored]
        written = np.flatnonzero(legal & (op == WRITE))
        self.weights[written, self.wp[written]] = first[written]
        self.wp[written] += 1
        longer = np.flatnonzero(legal & (op == ALLOCATE))
        self.work[longer] += first[longer]
        shorter = np.flatnonzero(legal & (op == FREE) & (first > 0))
        self.work[shorter] -= first[shorter]
        for lane in shorter:
            self.cells[lane, : self.config.work_cells - self.work[lane]] = 0
        for lanes in (stored, written, longer, shorter):
            self.changed[lanes] = self.age[lanes]
        self.ip += legal * (1 + COUNT[op])
        jumps = legal & ((op == JUMP) | ((op == JMPLEQ) & (first <= c[1])))  # (B,)
        self.ip = np.where(jumps, np.where(op == JUMP, a[0], a[2]), self.ip)

    def end_loops(self, legal):
        """Charges programs in endless loops with all their time at once: most of it goes to them.

        Where the instruction pointer is back at `mark` and nothing has changed since, the machine
        is in the state that it was in after `marked` steps, and would be for ever.
        """
        again = legal & (self.ip == self.mark) & (self.changed <= self.marked)  # (B,)
        np.copyto(self.age, self.limit, where=again)
        due = (
            self.age & (self.age - 1) == 0
        )  # (B,) after 1, 2, 4, ... steps: finds loops of any size
        np.copyto(self.mark, self.ip, where=due)
        np.copyto(self.marked, self.age, where=due)

    def guess(self, lanes, low, choices):
        """Writes a number from low to low + choices - 1 behind the end of these programs.

        Instructions are guessed from all 13, arguments from the addresses there are: the fewer
        cells, the likelier each guess. This is what favours short programs.
        """
        value = self.draw(lanes, low, choices)
        end = self.end[lanes]
        self.cells.ravel()[self.base[lanes] + end] = value
        self.code[lanes, end] = value
        self.bits[lanes] += np.log2(choices)
        self.end[lanes] += 1
        self.changed[lanes] = self.age[lanes]

    def draw(self, lanes, low, choices):
        return low + (self.rng.random(len(lanes)) * choices).astype(np.int32)

    def fit(self, lane):
        """Takes down the program in this lane."""
        code = self.code[lane, : self.end[lane]].tolist()
        numbers = int(self.age[lane]), int(self.limit[lane]), float(self.bits[lane])
        return Fit(int(self.run[lane]), code, *numbers, self.weights[lane].copy())


# ---- probabilistic Levin search ------------------------------------------------------------------
def search(config, rng, sets, progress, most_steps=np.inf, kind=Lanes):
    """Runs config.runs guessed programs, or fewer if no more begin once most_steps are spent.

    The programs are tested on S sets of three examples in turn, (S, 3, 3). Returns the number of
    programs, that of their steps, and those that fit, ordered by their numbers.
    """
    lanes, fits = kind(config, rng), []
    started = steps = 0
    needed = sets.min(-1).max(-1).min()  # who writes no weight behind this leaves an answer at 0
    while True:
        left = config.runs - started if steps < most_steps else 0
        free = np.flatnonzero(~lanes.alive)[:left]
        lanes.start(free, np.arange(started, started + len(free)))
        started += len(free)
        if not lanes.alive.any():
            return started, steps, sorted(fits)
        over = lanes.step()  # (B,)
        lanes.alive &= ~over
        steps += int(lanes.age[over].sum(dtype=np.int64))
        tried = np.flatnonzero(over & (lanes.wp > needed))
        shown = sets[lanes.run[tried] % len(sets)]  # (tried, 3, 3)
        given = lanes.weights[tried[:, None, None], shown].sum(-1)  # (tried, 3)
        right = given == targets(shown)  # (tried, 3)
        fits += [lanes.fit(lane) for lane in tried[right.all(-1)]]
        done = max(started / config.runs, steps / most_steps)
        progress(min(done, 1), f"{started:,} programs, {len(fits):,} fit")


class Replay(Lanes):
    """One program whose guesses are known; `lines` says what it executes, by address."""

    def __init__(self, config, code, limit):
        super().__init__(replace(config, lanes=1), None)
        self.known, self.lines = iter(code), {}
        self.alive[:] = True
        self.limit[:] = limit
        while not self.step()[0]:
            pass

    def draw(self, lanes, low, choices):
        return [next(self.known) for _ in lanes]

    def fetch(self):
        op, a, c, legal = super().fetch()
        if legal[0]:
            ip, words = int(self.ip[0]), a[: COUNT[op[0]], 0]
            self.lines.setdefault(ip, f"{ip}: {OPS[op[0]]}({', '.join(map(str, words))})")
        return op, a, c, legal


# ---- the baseline --------------------------------------------------------------------------------
def guess_weights(config, rng, progress):
    """Guesses weights from 0 to 99; returns those vectors that fit the examples, (F, 100).

    Only the nine weights that the examples see are drawn for all, the rest for those that fit.
    """
    found = []
    for done in range(0, config.weight_guesses, config.guess_block):
        block = min(config.guess_block, config.weight_guesses - done)  # G
        seen = rng.integers(0, WEIGHTS, (3, 3, block), np.int16)  # (example, position, G)
        right = seen.sum(1, dtype=np.int16) == targets(TRAINING)[:, None]  # (3, G)
        fits = right.all(0)  # (G,)
        weights = rng.integers(0, WEIGHTS, (fits.sum(), WEIGHTS), np.int16)  # (fits, 100)
        weights[:, TRAINING] = seen[:, :, fits].transpose(2, 0, 1)
        found.append(weights.astype(np.int32))
        progress(done / config.weight_guesses, f"{done:,} weight vectors")
    return np.concatenate(found)


# ---- the experiment ------------------------------------------------------------------------------
def generalising(fits):
    """Returns the programs that are right on every input."""
    return [fit for fit in fits if unseen_right(fit.weights) == UNSEEN]


def summary(runs, steps, fits, exact):
    """Counts the programs that fit, and those that are exact: right on every input."""
    simplest = min(exact, key=Fit.complexity, default=None)
    return {
        "fits": len(fits),
        "fits_per_55m": 55e6 * len(fits) / runs,
        "generalising": len(exact),
        "generalising_share": len(exact) / max(len(fits), 1),
        "steps_per_run": steps / runs,
        "steps_per_fit": steps / len(fits) if fits else None,
        "distinct_programs": len({tuple(fit.code) for fit in exact}),
        "first_fit": fits[0].run + 1 if fits else None,
        "simplest_steps": simplest.steps if exact else None,
        "simplest_bits": simplest.bits if exact else None,
    }


def run(config, seed, progress):
    """Searches, tests each program that fits on all inputs, and guesses as many weight vectors."""
    search_rng, weight_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    began = process_time()
    found = search(config, search_rng, TRAINING[None], lambda f, said: progress(0.95 * f, said))
    seconds = process_time() - began
    runs, steps, fits = found
    exact = generalising(fits)
    for fit in exact[:1]:
        does = "; ".join(Replay(config, fit.code, fit.limit).lines.values())
        print(f"\nprogram {fit.run + 1:,} is right on all 161,700 inputs: {does}")
    guessed = guess_weights(config, weight_rng, lambda f, said: progress(0.95 + 0.05 * f, said))
    right = [unseen_right(weights) == UNSEEN for weights in guessed]
    x = np.linspace(0, config.runs, 101)  # programs
    return summary(runs, steps, fits, exact) | {
        "weight_fits": len(guessed),
        "weight_generalising": sum(right),
        "search": {"programs_per_second": runs / max(seconds, 1e-9)},
        "curve": {"x": x.tolist(), "y": [sum(fit.run < limit for fit in fits) for limit in x]},
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
