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
Method: probabilistic Levin search. A program for a 13-instruction machine is guessed cell by cell,
whenever the machine steps on a cell that is not yet written; its time limit is guessed too, long
ones rarely. What it leaves in the 100 weights is tested on the three examples.
Claim: of 5.5e7 guessed programs ten fit the examples, eight of them are right on every input; the
first came after 6,902,963 programs.

    python3 levin_add_positions.py
    python3 study_levin_add_positions.py    the paper's number of programs, other time limits
"""

import os

# before numpy: nothing here is a large matrix product
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import dataclass, field, replace
from itertools import combinations
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    runs: Annotated[int, "programs to guess and run", (1, 10**9)] = 10_000_000
    lanes: Annotated[
        int, "programs that run side by side; the numbers drawn depend on it", (1, 10**6)
    ] = 4096
    least_limit: Annotated[int, "smallest time limit, steps", (1, 10**6)] = 32
    doublings: Annotated[
        int, "the limit is doubled up to this often, each time with probability 1/2", (0, 20)
    ] = 8
    program_cells: Annotated[int, "longest program, cells", (2, 1000)] = 40
    work_cells: Annotated[int, "largest work tape, cells", (1, 1000)] = 40
    largest: Annotated[int, "largest magnitude of a number in a cell", (100, 10**6)] = 10_000
    two_argument_writes: Annotated[
        bool, "WriteWeight(a, b) writes c(b) into weight c(a), instead of the next"
    ] = False
    other_triples: Annotated[
        int, "further training sets that the same programs are tested on", (1, 1000)
    ] = 10
    study_runs: Annotated[
        int, "study: programs of the long search, as many as the paper's", (1, 10**9)
    ] = 55_000_000
    study_steps: Annotated[int, "study: steps for each way to limit the time", (1000, 10**11)] = (
        200_000_000
    )
    study_limits: Annotated[tuple[int, ...], "study: fixed time limits, steps", (32, 2**24)] = (
        512,
        8192,
    )
    harder_runs: Annotated[int, "study: programs with two-argument writes", (1, 10**9)] = 5_000_000
    sgd_epochs: Annotated[int, "gradient descent on the three examples: passes", (1, 10**6)] = 1000
    sgd_learning_rate: Annotated[float, "gradient descent: step size", (1e-6, 1.0)] = 0.1
    sgd_initial: Annotated[
        float, "gradient descent: standard deviation of the first weights", (0.0, 100.0)
    ] = 0.1
    ridge: Annotated[float, "ridge regression: penalty on the squared weights", (1e-9, 1e9)] = 1.0
    weight_guesses: Annotated[int, "random weight vectors of integers from 0 to 99", (1, 10**8)] = (
        50_000
    )

    def __post_init__(self):
        if self.least_limit * 2**self.doublings > 2**24:
            raise ValueError("--least-limit, doubled --doublings times, exceeds 16,777,216 steps")


QUICK = {
    "runs": 30_000,
    "lanes": 1024,
    "doublings": 4,
    "study_runs": 30_000,
    "study_steps": 300_000,
    "harder_runs": 10_000,
    "sgd_epochs": 200,
    "weight_guesses": 5000,
}

# ---- the task: a linear unit of 100 inputs, of which three are on --------------------------------
WEIGHTS = 100
TRAINING = np.array(
    [[5, 17, 86], [13, 55, 58], [40, 87, 94]]
)  # the paper's three examples, as positions that are on
RAMP = np.arange(WEIGHTS)  # the weights that are right everywhere


def every_input():
    """All C(100, 3) inputs as the positions that are on, (161700, 3)."""
    return np.array(list(combinations(range(WEIGHTS), 3)))


def answers(weights, inputs):
    """What linear units with weights (..., 100) answer to inputs (..., 3), given as the positions
    that are on."""
    return weights[..., inputs].sum(-1)


def unseen_right(weights, inputs):
    """How many inputs other than the three examples are answered with the sum of their positions,
    after rounding."""
    right = np.rint(answers(weights, inputs)) == inputs.sum(-1)
    return int(right.sum() - (np.rint(answers(weights, TRAINING)) == TRAINING.sum(-1)).sum())


# ---- the machine, one program at a time ----------------------------------------------------------
OPS = (
    "Jmpleq",
    "WriteWeight",
    "Jump",
    "Stop",
    "Add",
    "ReadWeight",
    "Move",
    "Allocate",
    "Increment",
    "Decrement",
    "Subtract",
    "Multiply",
    "Free",
)
(
    JMPLEQ,
    WRITE,
    JUMP,
    STOP,
    ADD,
    READ,
    MOVE,
    ALLOCATE,
    INCREMENT,
    DECREMENT,
    SUBTRACT,
    MULTIPLY,
    FREE,
) = range(13)
ARGUMENTS = (
    3,
    1,
    1,
    0,
    3,
    2,
    2,
    1,
    1,
    1,
    3,
    3,
    1,
)  # cells after the instruction; each holds an address
TARGETS = {JMPLEQ: 3, JUMP: 1}  # which argument is a jump target


@dataclass
class Machine:
    """The state of one program. Addresses 0, 1, ... are the program, -1, -2, ... the work tape;
    cells hold integers.

    The program is its own memory: it may read and change its instructions, and jump into the work
    tape.
    """

    program: list = field(default_factory=list)
    work: list = field(default_factory=list)
    weights: list = field(default_factory=lambda: [0] * WEIGHTS)
    ip: int = 0  # instruction pointer
    wp: int = 0  # the weight that is written next
    age: int = 0  # steps so far
    halted: bool = False

    def copy(self):
        return Machine(
            self.program[:], self.work[:], self.weights[:], self.ip, self.wp, self.age, self.halted
        )

    def __getitem__(self, address):
        return self.program[address] if address >= 0 else self.work[-1 - address]

    def __setitem__(self, address, value):
        tape, place = (self.program, address) if address >= 0 else (self.work, -1 - address)
        tape[place] = value

    def written(self, address):
        return -len(self.work) <= address < len(self.program)

    def wanted(self, config):
        """The range (low, high) of the cell that has to be guessed before the next step, or None.

        Instructions are guessed from all 13; arguments from the addresses there are: the fewer
        cells, the better the chance of each guess. This is what favours short programs.
        """
        end = len(self.program)
        if self.ip == end:
            return 0, len(OPS) - 1
        if self.written(self.ip) and 0 <= self[self.ip] < len(OPS):
            if self.ip < end <= self.ip + arguments(config, self[self.ip]):
                return -len(self.work), end
        return None

    def step(self, config):
        """Execute one instruction. Whatever is illegal halts the program."""
        self.age += 1
        self.halted = not self.execute(config) or self.wp == WEIGHTS

    def execute(self, config):
        if not self.written(self.ip) or not 0 <= self[self.ip] < len(OPS):
            return False
        op, end = self[self.ip], len(self.program)
        count = arguments(config, op)
        if self.ip + count >= end:  # the program is as long as it may be
            return False
        a = [self[self.ip + 1 + j] for j in range(count)]
        for j, address in enumerate(a, 1):
            if not self.written(address) and not (address == end and TARGETS.get(op) == j):
                return False
        c = [self[address] if address < end else 0 for address in a]
        self.ip += 1 + count
        if op == STOP:
            return False
        if op == JMPLEQ:
            self.ip = a[2] if c[0] <= c[1] else self.ip
        elif op == JUMP:
            self.ip = a[0]
        elif op == WRITE and config.two_argument_writes:
            if not 0 <= c[0] < WEIGHTS:
                return False
            self.weights[c[0]] = c[1]
        elif op == WRITE:
            self.weights[self.wp] = c[0]
            self.wp += 1
        elif op == ALLOCATE:
            if not 0 <= c[0] <= config.work_cells - len(self.work):
                return False
            self.work += [0] * c[0]
        elif op == FREE:
            if not 0 <= c[0] <= len(self.work):
                return False
            del self.work[len(self.work) - c[0] :]
        else:
            if op == READ and not 0 <= c[0] < WEIGHTS:
                return False
            value = (
                c[0] + c[1]
                if op == ADD
                else c[0] - c[1]
                if op == SUBTRACT
                else c[0] * c[1]
                if op == MULTIPLY
                else c[0] + 1
                if op == INCREMENT
                else c[0] - 1
                if op == DECREMENT
                else self.weights[c[0]]
                if op == READ
                else c[0]
            )
            if abs(value) > config.largest:
                return False
            self[a[-1]] = value
        return True


def arguments(config, op):
    """How many argument cells an instruction has."""
    return 2 if op == WRITE and config.two_argument_writes else ARGUMENTS[op]


def execute(config, code, limit, callback=None):
    """Run a program whose guesses are given as `code`, in the order of its cells, for at most
    `limit` steps.

    callback(machine) is called before each step, with the instruction written. Returns the machine
    and the probability of the guesses, as -log2.
    """
    machine, bits, code = Machine(), 0.0, iter(code)
    while not machine.halted and machine.age < limit:
        while len(machine.program) < config.program_cells and (wanted := machine.wanted(config)):
            machine.program.append(next(code))
            bits += np.log2(wanted[1] - wanted[0] + 1)
        if callback:
            callback(machine)
        machine.step(config)
    return machine, bits


# ---- probabilistic Levin search: thousands of machines in lockstep -------------------------------
class Lanes:
    """The same machine, one program per lane, each state variable an array (B,); `step` executes
    one step of all.

    Most of the time would go to programs in endless loops. Where the instruction pointer is back at
    `mark` and nothing was changed since, the state is that after `marked` steps: the program is
    over at once, and its age is set to its limit, which is what it would have used up. The results
    are those of the full time.
    """

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.count = np.array([arguments(config, op) for op in range(len(OPS))], np.int32)
        self.may_jump = np.zeros(
            (len(OPS), 4), np.int32
        )  # (op, argument): 1: the next, unwritten cell will do
        for op, argument in TARGETS.items():
            self.may_jump[op, argument] = 1
        self.width = (
            config.work_cells + config.program_cells + 4
        )  # the spare cells are read, never used
        self.resize(np.zeros(config.lanes, bool))

    def resize(self, keep):
        """Keep some lanes (B,), or make new ones where there are none yet."""
        lanes = int(keep.sum()) or len(keep)
        fresh = not keep.any()
        for name in ("ip", "end", "work", "wp", "age", "limit", "run", "changed", "mark", "marked"):
            setattr(self, name, np.zeros(lanes, np.int32) if fresh else getattr(self, name)[keep])
        self.bits = np.zeros(lanes) if fresh else self.bits[keep]
        shapes = {"cells": self.width, "code": self.config.program_cells, "weights": WEIGHTS}
        for name, width in shapes.items():
            setattr(
                self,
                name,
                np.zeros((lanes, width), np.int32) if fresh else getattr(self, name)[keep],
            )
        self.base = (
            np.arange(lanes, dtype=np.int32) * self.width + self.config.work_cells
        )  # where address 0 is
        self.row = np.arange(lanes, dtype=np.int32)
        self.alive = np.ones(lanes, bool)

    def start(self, lanes, runs):
        """Start new programs, numbered `runs`, in these lanes; their time limits are guessed
        first."""
        doublings = np.minimum(self.rng.geometric(0.5, len(lanes)) - 1, self.config.doublings)
        self.cells[lanes[self.work[lanes] > 0]] = 0  # unused work cells are zero at all times
        self.weights[
            lanes[self.wp[lanes] > 0] if not self.config.two_argument_writes else lanes
        ] = 0
        for name in ("ip", "end", "work", "wp", "age", "changed", "mark", "marked"):
            getattr(self, name)[lanes] = 0
        self.bits[lanes], self.limit[lanes], self.run[lanes] = (
            0,
            self.config.least_limit << doublings,
            runs,
        )

    def guess(self, lanes, low, choices):
        """Write the next program cell of these lanes: an integer from low to low + choices - 1."""
        value = low + (self.rng.random(len(lanes)) * choices).astype(np.int32)
        end = self.end[lanes]
        self.cells.ravel()[self.base[lanes] + end] = value
        self.code[lanes, end] = value
        self.bits[lanes] += np.log2(choices)
        self.end[lanes] += 1
        self.changed[lanes] = self.age[lanes]

    def step(self):
        """One instruction of every program. Returns where programs are over, (B,) of bool."""
        config, cells, base, ip = self.config, self.cells.ravel(), self.base, self.ip * self.alive
        room = config.program_cells
        self.age += self.alive
        lanes = np.flatnonzero((ip == self.end) & (self.end < room) & self.alive)
        self.guess(lanes, 0, len(OPS))
        op = cells[base + ip]
        fine = self.alive & (ip >= -self.work) & (ip < self.end) & (op >= 0) & (op < len(OPS))
        op = np.where(fine, op, STOP)
        count = self.count[op]
        a, c = [None], [None]  # arguments and what the cells they name hold; counted from 1
        for j in (1, 2, 3):
            needed = count >= j
            lanes = np.flatnonzero(needed & (ip + j == self.end) & (self.end < room))
            self.guess(lanes, -self.work[lanes], self.work[lanes] + self.end[lanes] + 1)
            a.append(cells[base + ip + j])
        for j in (1, 2, 3):
            inside = (
                (a[j] >= -self.work)
                & (a[j] < self.end + self.may_jump[op, j])
                & (ip + j < self.end)
            )
            fine &= inside | (count < j)
            c.append(cells[base + np.where(inside, a[j], 0)])
        self.ip = ip + 1 + count

        first = c[1]
        value, to = first + c[2], a[3]  # Add
        value = np.where(op == SUBTRACT, first - c[2], value)
        value = np.where(op == MULTIPLY, first * c[2], value)
        moves = (op == MOVE) | (op == READ)
        index = np.where((first >= 0) & (first < WEIGHTS), first, 0)
        fine &= (op != READ) | (index == first)
        value = np.where(moves, np.where(op == READ, self.weights[self.row, index], first), value)
        to = np.where(moves, a[2], to)
        counts = (op == INCREMENT) | (op == DECREMENT)
        value = np.where(counts, first + np.where(op == INCREMENT, 1, -1), value)
        to = np.where(counts, a[1], to)
        stores = moves | counts | (op == ADD) | (op == SUBTRACT) | (op == MULTIPLY)
        fine &= ~stores | (np.abs(value) <= config.largest)
        lanes = np.flatnonzero(stores & fine)
        lanes = lanes[cells[base[lanes] + to[lanes]] != value[lanes]]
        cells[base[lanes] + to[lanes]] = value[lanes]
        self.changed[lanes] = self.age[lanes]

        lanes = np.flatnonzero((op == WRITE) & fine)
        if config.two_argument_writes:
            lanes = lanes[index[lanes] == first[lanes]]
            fine &= (op != WRITE) | (index == first)
            self.weights[lanes, first[lanes]] = c[2][lanes]
        else:
            self.weights[lanes, self.wp[lanes]] = first[lanes]
        self.wp[lanes] += 1  # with two arguments it only tells that something was written
        self.changed[lanes] = self.age[lanes]
        fine &= (op != ALLOCATE) | ((first >= 0) & (first <= config.work_cells - self.work))
        fine &= (op != FREE) | ((first >= 0) & (first <= self.work))
        lanes = np.flatnonzero((op == ALLOCATE) & fine)
        self.work[lanes] += first[lanes]
        self.changed[lanes] = self.age[lanes]
        for lane in np.flatnonzero((op == FREE) & fine & (first > 0)):
            kept = self.work[lane] - first[lane]
            self.cells[lane, : config.work_cells - kept] = 0
            self.work[lane], self.changed[lane] = kept, self.age[lane]
        self.ip = np.where((op == JUMP) & fine, a[1], self.ip)
        self.ip = np.where((op == JMPLEQ) & fine & (first <= c[2]), a[3], self.ip)
        fine &= op != STOP
        again = fine & (self.ip == self.mark) & (self.changed <= self.marked)
        self.age[again] = self.limit[again]
        mark = (
            self.age & (self.age - 1) == 0
        )  # after 1, 2, 4, ... steps, so that loops of any length are found
        self.mark[mark], self.marked[mark] = self.ip[mark], self.age[mark]
        full = (self.wp == WEIGHTS) & (not config.two_argument_writes)
        return self.alive & (~fine | full | (self.age >= self.limit))


def search(config, rng, triples, progress=None, callback=None):
    """Guess and run `config.runs` programs; test what each leaves in the weights on every training
    set.

    triples (S, 3, 3) are the training sets. Returns the number of steps in all and a list of fits,
    ordered by the number of the run, each a dict: run, code (its guesses), steps, limit, bits
    (-log2 of their probability), weights (100,), fits (S,) of bool. callback(lanes, over) is called
    after each step.
    """
    lanes, steps, fits = Lanes(config, rng), 0, []
    started = min(config.lanes, config.runs)
    lanes.start(np.arange(started), np.arange(started))
    lanes.alive[started:] = False
    sums = triples.sum(-1)  # (S, 3)
    last_written = triples.max(axis=(1, 2)).min()  # a fit has at least this weight set
    while lanes.alive.any():
        before = int(lanes.age.sum())
        over = lanes.step()
        steps += int(lanes.age.sum()) - before
        if callback:
            callback(lanes, over)
        ended = np.flatnonzero(over)
        tried = ended[lanes.wp[ended] > (0 if config.two_argument_writes else last_written)]
        if len(tried):
            right = (answers(lanes.weights[tried], triples) == sums).all(-1)  # (tried, S)
            for lane, which in zip(tried[right.any(-1)], right[right.any(-1)]):
                fits.append(
                    {
                        "run": int(lanes.run[lane]),
                        "code": lanes.code[lane, : lanes.end[lane]].tolist(),
                        "steps": int(lanes.age[lane]),
                        "limit": int(lanes.limit[lane]),
                        "bits": float(lanes.bits[lane]),
                        "weights": lanes.weights[lane].copy(),
                        "fits": which,
                    }
                )
        again = ended[: config.runs - started]
        lanes.start(again, np.arange(started, started + len(again)))
        started += len(again)
        lanes.alive[ended[len(again) :]] = False
        if len(again) < len(ended) and 0 < 2 * lanes.alive.sum() < len(
            lanes.alive
        ):  # the last ones run for long
            lanes.resize(lanes.alive)
        if progress:
            progress(started / config.runs, f"{started:,} programs, {len(fits):,} fits")
    return steps, sorted(fits, key=lambda fit: fit["run"])


# ---- what else fits three examples ---------------------------------------------------------------
def one_hot(inputs):
    """Inputs as vectors of zeros and ones, (N, 100)."""
    x = np.zeros((len(inputs), WEIGHTS))
    np.put_along_axis(x, inputs, 1.0, axis=1)
    return x


def minimum_norm():
    """The least weights that fit: a third of the answer on each position seen, 0 elsewhere."""
    return np.linalg.pinv(one_hot(TRAINING)) @ TRAINING.sum(-1)


def ridge_regression(config):
    x = one_hot(TRAINING)
    return x.T @ np.linalg.solve(x @ x.T + config.ridge * np.eye(3), TRAINING.sum(-1))


def gradient_descent(config, rng):
    """Stochastic gradient descent on half the squared error, one example at a time, from small
    random weights."""
    w, x = rng.normal(0.0, config.sgd_initial, WEIGHTS), one_hot(TRAINING)
    for _ in range(config.sgd_epochs):
        for example in rng.permutation(3):
            w -= config.sgd_learning_rate * (w @ x[example] - TRAINING[example].sum()) * x[example]
    return w


# ---- the experiment ------------------------------------------------------------------------------
def source_of_numbers(config, fit):
    """Where a program keeps the number it writes: "instruction", "argument" or "work" (tape)."""
    executed, read = set(), 0

    def watch(machine):
        nonlocal read
        executed.add(machine.ip)
        if machine.written(machine.ip) and machine[machine.ip] == WRITE:  # the last write counts
            read = machine[machine.ip + 1 + config.two_argument_writes]

    execute(config, fit["code"], fit["steps"], watch)
    return "work" if read < 0 else "instruction" if read in executed else "argument"


def listing(config, code, limit):
    """What a program executes, each instruction with its address, in the order in which it first
    comes to them."""
    lines = {}

    def watch(machine):
        at = machine.ip
        if at not in lines and machine.written(at) and 0 <= machine[at] < len(OPS):
            last = at + arguments(config, machine[at])
            words = [
                str(machine[cell]) for cell in range(at + 1, last + 1) if machine.written(cell)
            ]
            lines[at] = f"{at}: {OPS[machine[at]]}({', '.join(words)})"

    execute(config, code, limit, watch)
    return "; ".join(lines.values())


def random_triples(rng, sets):
    """Training sets of three random inputs with three positions on each, (S, 3, 3)."""
    return np.argsort(rng.random((sets, 3, WEIGHTS)), axis=-1)[..., :3]


def census(config, fits):
    """Statistics of the programs that fit the paper's three examples, as metrics."""
    ours = [fit for fit in fits if fit["fits"][0]]
    exact = [fit for fit in ours if (fit["weights"] == RAMP).all()]
    wrong = [fit["weights"] != RAMP for fit in ours if (fit["weights"] != RAMP).any()]
    early = [w for w in wrong if not w[TRAINING.min() :].any()]
    late = [w for w in wrong if not w[: TRAINING.max() + 1].any()]
    out = {
        "fits": len(ours),
        "generalising": len(exact),
        "generalising_share": len(exact) / max(len(ours), 1),
        "wrong_before_the_first": len(early),
        "wrong_after_the_last": len(late),
        "wrong_elsewhere": len(wrong) - len(early) - len(late),
        "distinct_programs": len({tuple(fit["code"]) for fit in exact}),
        "first_fit": ours[0]["run"] + 1 if ours else None,
        "first_generalising": exact[0]["run"] + 1 if exact else None,
    }
    if exact:
        first, simplest = exact[0], min(exact, key=lambda fit: fit["bits"] + np.log2(fit["steps"]))
        for name, fit in (("first", first), ("simplest", simplest)):
            out |= {
                f"{name}_cells": len(fit["code"]),
                f"{name}_steps": fit["steps"],
                f"{name}_limit": fit["limit"],
                f"{name}_space_bits": fit["bits"],
                f"{name}_levin_bits": fit["bits"] + float(np.log2(fit["steps"])),
            }
        out["fastest_steps"] = min(fit["steps"] for fit in exact)
        sources = [source_of_numbers(config, fit) for fit in exact]
        out |= {
            f"counter_in_{kind}": sources.count(kind)
            for kind in ("instruction", "argument", "work")
        }
    return out


def run(config, seed, progress=None):
    """Search, look at every program that fits, and compare with other ways to fit three
    examples."""
    search_rng, sets_rng, other_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)
    )
    triples = np.concatenate([TRAINING[None], random_triples(sets_rng, config.other_triples)])
    inputs, started = every_input(), perf_counter()
    steps, fits = search(config, search_rng, triples, progress)
    seconds = perf_counter() - started
    out = census(config, fits) | {
        "runs": config.runs,
        "steps": steps,
        "steps_per_run": steps / config.runs,
    }
    out |= {
        "fits_per_million": 1e6 * out["fits"] / config.runs,
        "programs_per_second": config.runs / seconds,
    }
    exact = [fit for fit in fits if fit["fits"][0] and (fit["weights"] == RAMP).all()]
    out["first_unseen_right"] = unseen_right(exact[0]["weights"], inputs) if exact else 0
    for fit in (fit for fit in fits if fit["fits"][0]):
        right = f"{unseen_right(fit['weights'], inputs):,} of 161,697 right"
        print(
            f"\nrun {fit['run'] + 1:,}, {fit['steps']} of {fit['limit']} steps, "
            f"probability 2^-{fit['bits']:.1f}, "
            f"{right}:\n{fit['code']}\n{listing(config, fit['code'], fit['limit'])}"
        )
    others = [
        fit for fit in fits for _ in range(fit["fits"][1:].sum())
    ]  # a fit counts for each set that it fits
    out["other_fits"] = len(others)
    out["other_generalising_share"] = sum((fit["weights"] == RAMP).all() for fit in others) / max(
        len(others), 1
    )

    out["minimum_norm_unseen_right"] = unseen_right(minimum_norm(), inputs)
    out["ridge_unseen_right"] = unseen_right(ridge_regression(config), inputs)
    out["sgd_unseen_right"] = unseen_right(gradient_descent(config, other_rng), inputs)
    out["unseen"] = len(inputs) - len(TRAINING)
    fitted = ("minimum_norm", "ridge", "sgd")
    out["fitted_share"] = max(out[f"{name}_unseen_right"] for name in fitted) / out["unseen"]
    guessed = other_rng.integers(0, WEIGHTS, (config.weight_guesses, WEIGHTS), np.int16)
    out["weight_guess_fits"] = int((answers(guessed, TRAINING) == TRAINING.sum(-1)).all(-1).sum())
    return out


def study(config, seed, progress=None):
    """As many programs as in the paper; fixed time limits in place of guessed ones; and the
    two-argument machine."""
    long, harder, *limited = np.random.SeedSequence([seed, 1]).spawn(3 + len(config.study_limits))
    inputs, part = every_input(), replace(config, runs=config.study_runs)
    steps, fits = search(part, np.random.default_rng(long), TRAINING[None], progress)
    exact = [fit for fit in fits if (fit["weights"] == RAMP).all()]
    out = {
        "runs": part.runs,
        "steps_per_run": steps / part.runs,
        **census(part, fits),
        "fit_runs": [fit["run"] + 1 for fit in fits],
        "fit_steps": [fit["steps"] for fit in fits],
        "fit_bits": [fit["bits"] for fit in fits],
        "fit_unseen_right": [unseen_right(fit["weights"], inputs) for fit in fits],
        "simplest_code": min(exact, key=lambda fit: fit["bits"])["code"] if exact else [],
    }
    out["limits"] = [0, *config.study_limits]  # 0: guessed
    for limit, source in zip(out["limits"], limited):
        fixed = replace(config, least_limit=limit, doublings=0) if limit else config
        few = replace(fixed, runs=20 * config.lanes)
        per_run = search(few, np.random.default_rng(source), TRAINING[None])[0] / few.runs
        part = replace(fixed, runs=int(config.study_steps / per_run))  # what the steps suffice for
        steps, fits = search(part, np.random.default_rng(source), TRAINING[None], progress)
        for name, value in (("runs", part.runs), ("steps", steps), ("fits", len(fits))):
            out.setdefault(f"limit_{name}", []).append(value)
    part = replace(config, two_argument_writes=True, runs=config.harder_runs)
    steps, fits = search(part, np.random.default_rng(harder), TRAINING[None], progress)
    return out | {
        "two_argument_runs": part.runs,
        "two_argument_fits": len(fits),
        "two_argument_unseen_right": [unseen_right(fit["weights"], inputs) for fit in fits],
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
