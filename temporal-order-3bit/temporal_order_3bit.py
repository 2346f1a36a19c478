# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Temporal order: which of X and Y came first, and which second, among a hundred distractors?

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997,
experiment 6, task 6a. Claim: an LSTM of 156 weights, trained online by a truncated gradient, has
its last 2,000 sequences all right after 31,390 of them, on average over 20 nets; then 1 of 2,560
fresh ones is wrong, and never more than 3. No recurrent net before it, the paper says, solved such
a task. Task, net, rule and criterion are the paper's. Tanh nets by full back-propagation through
time, with Adam, stand beside it.

    python3 temporal_order_3bit.py --seed 0      # 20 LSTMs in lock-step, then six tanh nets
    python3 temporal_order_3bit.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "LSTMs in lock-step, each on its own sequences", (1, 100)] = 20
    blocks: Annotated[int, "memory blocks, each with two gates", (1, 16)] = 2
    block_size: Annotated[int, "memory cells per block", (1, 16)] = 2
    learning_rate: Annotated[float, "step size of the online rule", (0.0, 100.0)] = 0.5
    weight_range: Annotated[float, "weights start uniform in [-this, this]", (0.0, 2.0)] = 0.1
    input_bias: Annotated[tuple[float, ...], "of input gates, per block", (-9.0, 9.0)] = (
        -2.0,
        -4.0,
    )
    shortest: Annotated[int, "shortest sequence, in steps", (5, 5000)] = 100
    longest: Annotated[int, "longest sequence, in steps", (5, 5000)] = 110
    window_1: Annotated[tuple[int, ...], "first and last step of mark 1", (1, 5000)] = (10, 20)
    window_2: Annotated[tuple[int, ...], "first and last step of mark 2", (1, 5000)] = (50, 60)
    tolerance: Annotated[float, "right: all four |errors| are below", (0.0, 1.0)] = 0.3
    max_sequences: Annotated[int, "training sequences of a net at most", (1, 10**8)] = 150_000
    rnn_units: Annotated[int, "units of a tanh net; 16 give 468 weights", (1, 256)] = 16
    rnn_rates: Annotated[tuple[float, ...], "tanh step sizes", (0.0, 9.0)] = (0.001, 0.003, 0.01)

    def __post_init__(self):
        if len(self.input_bias) != self.blocks:
            raise ValueError(f"argument --input-bias: needs {self.blocks} numbers")
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: must not exceed --longest")
        if not len(self.window_1) == len(self.window_2) == 2:
            raise ValueError("argument --window-1, --window-2: each needs two numbers")
        steps = (*self.window_1, self.window_2[0] - 1, *self.window_2, self.shortest - 2)
        if list(steps) != sorted(steps):
            raise ValueError("argument --window-2: must lie behind --window-1 and before the end")


QUICK = {
    "nets": 3,
    "shortest": 12,
    "longest": 14,
    "window_1": (2, 3),
    "window_2": (6, 7),
    "max_sequences": 1600,
}
WINDOW, STOP_ERROR = 2000, 0.1  # criterion: the last 2,000 right, with a mean |error| below 0.1
TEST, CHUNK, MAX_WRONG = 2560, 128, 3  # test sequences; as many at a time; the paper's most wrong
PORTION = 50  # sequences of each net that are drawn at a time
BATCH = 32  # sequences in an update of the tanh nets
RIVAL = 2  # times as many sequences as an LSTM, which is what a tanh net may learn from
BETA_1, BETA_2, EPSILON, CLIP = 0.9, 0.999, 1e-8, 1.0  # of Adam, and the largest gradient norm
PER_RATE = 2  # tanh nets at each step size
POINTS = 100  # of the curve

# ---- the task ----
E, B, A, D, X, Y, PAD = 0, 1, 2, 5, 6, 7, 8  # start, end, distractors A to D, marks, no symbol yet
SYMBOLS = 8
CLASSES = 4  # XX, XY, YX, YY


def sequences(rng, nets, count, config):
    """Draw sequences for N nets: symbols (T, N, count), right-aligned, and classes (N, count)."""
    shape = (nets, count)
    start = config.longest - rng.integers(config.shortest, config.longest + 1, shape)  # (N, count)
    first = start + rng.integers(config.window_1[0], config.window_1[1] + 1, shape)
    second = start + rng.integers(config.window_2[0], config.window_2[1] + 1, shape)
    marks = rng.integers(0, 2, (2, *shape))  # X or Y
    symbols = rng.integers(A, D + 1, (config.longest, *shape), np.int8)
    net, column = np.indices(shape)
    symbols[first, net, column] = X + marks[0]
    symbols[second, net, column] = X + marks[1]
    symbols[start, net, column] = E
    symbols[-1] = B
    symbols[np.arange(config.longest)[:, None, None] < start] = PAD
    return symbols, 2 * marks[0] + marks[1]


def targets(classes):
    """Return what the outputs should be, (4, N, B): 1 for the class, else 0."""
    return (classes == np.arange(CLASSES)[:, None, None]).astype(np.float32)


# ---- the two kinds of nets ----
class RecurrentNet:
    """N tanh nets in lock-step: units tanh(W z), four outputs sig(V [units; 1]) at the end.

    z is [units one step before, symbol, 1], and 0 before a sequence starts. All arrays of a step
    are (rows, N, B): rows of units come first, then one row for each symbol, PAD among them.
    """

    scale = 1  # of net inputs, before tanh

    def __init__(self, units, seen):
        self.units, self.seen = units, seen  # U, R
        self.unit = np.arange(units)  # which unit stands in each row
        self.pad = 0.0  # weights from PAD
        self.z = np.empty((0, 0, 0, 0))

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net."""
        size = self.units * (self.units + SYMBOLS + 1) + CLASSES * (self.seen + 1)  # P
        theta = rng.uniform(-config.weight_range, config.weight_range, (nets, size))
        return theta.astype(np.float32)

    def weights(self, theta):
        """Return views of theta: W (N, U, U + 9) of the units, V (N, 4, R + 1) of the outputs."""
        W, V = np.split(theta, [self.units * (self.units + SYMBOLS + 1)], axis=1)
        return W.reshape(len(W), self.units, -1), V.reshape(len(V), CLASSES, -1)

    def widen(self, W):
        """Return W as it multiplies z, (N, rows, rows + 9): the bias is added to each symbol."""
        copies = np.bincount(self.unit)[self.unit]  # (rows,)
        tall = self.scale * W[:, self.unit]  # (N, rows, U + 9)
        units = tall[:, :, self.unit] / copies.astype(W.dtype)
        symbols = tall[:, :, self.units : -1] + tall[:, :, -1:]
        pad = np.broadcast_to(self.pad, tall[:, :, :1].shape)
        return np.concatenate([units, symbols, pad], axis=2, dtype=W.dtype)

    def fold(self, d_wide):
        """Return dE/dW (N, U, U + 9), given dE/d(net inputs) times z, (N, rows, rows + 9)."""
        first = np.searchsorted(self.unit, np.arange(self.units))  # (U,) first row of each unit
        d = np.add.reduceat(d_wide, first, axis=1)  # (N, U, rows + 9)
        symbols = d[:, :, -1 - SYMBOLS : -1]
        return np.concatenate([d[:, :, first], symbols, symbols.sum(2, keepdims=True)], axis=2)

    def forward(self, theta, symbols):
        """Return the outputs (4, N, B) after the last of the symbols (T, N, B)."""
        W, self.V = self.weights(theta)
        T, N, B = symbols.shape
        rows = len(self.unit)
        if self.z.shape[::2] != (T + 1, N) or self.z.shape[3] != B or self.z.dtype != theta.dtype:
            self.z = np.zeros((T + 1, rows + SYMBOLS + 1, N, B), theta.dtype)
            self.allocate()
        numbers = np.arange(SYMBOLS + 1, dtype=symbols.dtype)[:, None, None]
        np.equal(symbols[:, None], numbers, out=self.z[:-1, rows:])
        self.unroll(self.widen(W))
        self.y = np.ones((N, self.seen + 1, B), theta.dtype)  # what the outputs see
        self.y[:, :-1] = self.z[-1, : self.seen].transpose(1, 0, 2)
        a = np.matmul(self.V, self.y).transpose(1, 0, 2)  # (4, N, B)
        return 1 / (1 + np.exp(-a))

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(outputs' net inputs) (4, N, B)."""
        d_a = d_a.transpose(1, 0, 2)  # (N, 4, B)
        dV = np.matmul(d_a, self.y.transpose(0, 2, 1))  # (N, 4, R + 1)
        d_y = np.matmul(self.V[:, :, :-1].transpose(0, 2, 1), d_a)  # (N, R, B)
        d = self.unroll_back(d_y.transpose(1, 0, 2))  # (T, rows, N, B)
        N, rows = len(d_a), len(self.unit)
        d = d.transpose(2, 1, 0, 3).reshape(N, rows, -1)  # (N, rows, T B)
        z = self.z[:-1].transpose(2, 0, 3, 1).reshape(N, -1, rows + SYMBOLS + 1)  # (N, T B, .)
        dW = self.fold(np.matmul(d, z))
        return np.concatenate([dW.reshape(N, -1), dV.reshape(N, -1)], axis=1)

    def allocate(self):
        """Lay out what unroll() needs for z."""
        x = self.z.transpose(0, 2, 1, 3)  # (T + 1, N, rows + 9, B)
        self.steps = list(zip(x, x[1:, :, : self.units]))

    def unroll(self, wide):
        """Fill in the units of z."""
        self.recurrent = wide[:, :, : self.units].transpose(0, 2, 1)  # (N, U, U)
        for x, units in self.steps:
            np.matmul(wide, x, out=units)
            np.tanh(units, out=units)

    def unroll_back(self, d_y):
        """Return dE/d(net inputs) (T, U, N, B) by full back-propagation through time."""
        units = self.z[1:, : self.units]  # (T, U, N, B)
        d = 1 - units * units  # (T, U, N, B), at first the slopes alone
        d_units = d_y
        for t in reversed(range(len(d))):
            d[t] *= d_units
            d_units = np.matmul(self.recurrent, d[t].transpose(1, 0, 2)).transpose(1, 0, 2)
        return d


class Lstm(RecurrentNet):
    """Memory cells of 1997: blocks with an input and an output gate each, and no forget gate.

    A gate is sig(a), a cell is offered g(a) = 4 sig(a) - 2 and shows h(s) = 2 sig(s) - 1. As
    2 sig(a) - 1 = tanh(a / 2), one tanh serves all of them: g and the state s stand here at half
    their size, so that g = tanh(a / 2), h = tanh(s), and a gate is (1 + tanh(a / 2)) / 2.
    The rows are cells, input gates and output gates; a gate has a row for each cell of its block,
    so that a step multiplies plain arrays. Units: cells, input gates, output gates.
    """

    scale = 0.5

    def __init__(self, config):
        C = config.blocks * config.block_size
        super().__init__(C + 2 * config.blocks, C)
        gates = np.repeat(np.arange(C, self.units), config.block_size)
        self.C, self.J = C, config.blocks
        self.unit = np.concatenate([np.arange(C), gates])  # (3C,)
        self.pad = np.where(self.unit < C, 0.0, -50.0)[:, None]  # gates are shut before the start

    def initial(self, rng, nets, config):
        """Draw the weights; negative input gate biases keep the cells nearly shut at first."""
        theta = super().initial(rng, nets, config)
        self.weights(theta)[0][:, self.C : self.C + self.J, -1] = config.input_bias
        return theta

    def allocate(self):
        """Lay out what unroll() needs for z, with the views of each step."""
        C, z = self.C, self.z
        T, _, N, B = z[1:].shape
        self.u = np.empty((T, 3 * C, N, B), z.dtype)  # tanh(a / 2)
        self.s = np.zeros((T + 1, C, N, B), z.dtype)
        self.d = np.zeros_like(self.u)
        self.half = np.full((2 * C, N, B), 0.5, z.dtype)
        self.i, self.o = z[1:, C : 2 * C], z[1:, 2 * C : 3 * C]  # (T, C, N, B)
        views = [z.transpose(0, 2, 1, 3), self.u.transpose(0, 2, 1, 3), self.u, self.u[:, C:]]
        views += [z[1:, C : 3 * C], self.i, self.u[:, :C], self.s, self.s[1:], self.o, z[1:, :C]]
        self.steps = list(zip(*views))

    def unroll(self, wide):
        """Fill in the units of z."""
        half, h = self.half, np.empty_like(self.s[0])
        for x, a, u, u_gates, gates, i, g, s, s_next, o, y in self.steps:
            np.matmul(wide, x, out=a)
            np.tanh(u, out=u)
            np.multiply(u_gates, half, out=gates)
            np.add(gates, half, out=gates)
            np.multiply(i, g, out=h)
            np.add(s, h, out=s_next)  # the constant error carousel
            np.tanh(s_next, out=h)
            np.multiply(o, h, out=y)

    def unroll_back(self, d_y):
        """Return the paper's truncated dE/d(net inputs) (T, 3C, N, B).

        Error that reaches a net input goes no further back; only the carousel carries it. It comes
        in at the last step, so that d_s is the same at all steps, and time needs no loop.
        """
        C, d, i, g, o = self.C, self.d, self.i, self.u[:, : self.C], self.o[-1]
        h = np.tanh(self.s[-1])  # (C, N, B)
        d_s = d_y * o * (1 - h * h)  # (C, N, B)
        d_g = d_s * i  # (T, C, N, B)
        d[:, :C] = d_g * (1 - g * g) / 2
        d[:, C : 2 * C] = d_g * g * (1 - i)
        d[-1, 2 * C :] = d_y * h * o * (1 - o)
        return d


# ---- training and testing ----
class Trainer:
    """The paper's rule for N nets: a step down the squared error of each sequence, one by one."""

    def __init__(self, net, theta, config):
        self.net, self.theta, self.config = net, theta, config
        self.solved = np.zeros(len(theta), bool)
        self.sequences = np.zeros(len(theta), np.int64)
        self.running = np.arange(len(theta))  # the nets that still train
        self.live = theta.copy()  # their weights
        self.streak = np.zeros(len(theta), np.int64)  # right answers in a row of each of these
        self.recent = np.ones((len(theta), WINDOW))  # a ring buffer of the mean |error|
        self.seen = 0  # sequences of each of these

    def train(self, data, progress):
        """Train each net until it meets the criterion or the budget ends; data is a generator."""
        budget = self.config.max_sequences
        while len(self.running) and self.seen < budget:
            count, nets = min(PORTION, budget - self.seen), len(self.running)
            symbols, classes = sequences(data, nets, count, self.config)
            target = targets(classes)
            for k in range(count):
                self.step(symbols[:, :, k : k + 1], target[:, :, k : k + 1])
                if len(self.running) < nets:
                    break  # the rest was drawn for more nets than are left
            self.keep()
            text = f"{self.seen:,} sequences, nets left: {len(self.running)}"
            progress(min(1, self.seen / budget), text)

    def step(self, symbols, target):
        """Answer a sequence (T, N, 1), learn from it, and let go of the nets that are done."""
        y = self.net.forward(self.live, symbols)  # (4, N, 1)
        error = np.abs(y - target)
        right = error.max(axis=(0, 2)) < self.config.tolerance  # (N,)
        self.streak = (self.streak + 1) * right
        self.recent[:, self.seen % WINDOW] = error.mean(axis=(0, 2))
        self.seen += 1
        d_a = (y - target) * y * (1 - y)
        self.live -= self.config.learning_rate * self.net.backward(d_a)
        if self.streak.max() >= WINDOW:
            done = (self.streak >= WINDOW) & (self.recent.mean(1) < STOP_ERROR)
            self.release(done)

    def release(self, done):
        """Let go of the nets that met the criterion."""
        self.keep()
        self.solved[self.running[done]] = True
        self.go_on_with(~done)

    def go_on_with(self, which):
        """Train no other nets any further than these."""
        for name in ("running", "live", "streak", "recent"):
            setattr(self, name, getattr(self, name)[which])

    def keep(self):
        """Note the weights and the sequences of the nets that still train."""
        if not np.isfinite(self.live).all():
            raise FloatingPointError(f"a weight is nan at sequence {self.seen}")
        self.theta[self.running] = self.live
        self.sequences[self.running] = self.seen


def train_tanh(net, theta, count, data, config, progress):
    """Train tanh nets theta (N, P) on batches, in place; return their last mean |errors| (N,)."""
    rates = np.repeat(config.rnn_rates, len(theta) // len(config.rnn_rates))[:, None]  # (N, 1)
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    errors = []
    for update in range(1, count // BATCH + 1):
        symbols, classes = sequences(data, len(theta), BATCH, config)
        d_a = net.forward(theta, symbols) - targets(classes)  # of the cross-entropy, (4, N, B)
        errors.append(np.abs(d_a).mean(axis=(0, 2)))
        gradient = net.backward(d_a / BATCH)
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        gradient *= np.minimum(1, CLIP / (norm + EPSILON))
        mean += (1 - BETA_1) * (gradient - mean)
        square += (1 - BETA_2) * (gradient**2 - square)
        spread = np.sqrt(square / (1 - BETA_2**update)) + EPSILON
        theta -= rates * mean / (1 - BETA_1**update) / spread
        progress(update * BATCH / count, f"{update * BATCH:,} sequences")
    return np.mean(errors[-(-WINDOW // -BATCH) :], axis=0)


def examine(net, theta, rng, config):
    """Test N nets on fresh sequences: which answers are right, and which name the class, (N, .)."""
    right, named = [], []
    for _ in range(TEST // CHUNK):
        symbols, classes = sequences(rng, len(theta), CHUNK, config)
        y = net.forward(theta, symbols)  # (4, N, B)
        right.append((np.abs(y - targets(classes)) < config.tolerance).all(0))
        named.append(y.argmax(0) == classes)
    return np.concatenate(right, axis=1), np.concatenate(named, axis=1)


def summary(trainer, right, named):
    """Return the metrics of the LSTMs."""
    solved, count = trainer.solved, trainer.sequences
    wrong = (~right[solved]).sum(1)  # of each net that met the criterion
    return {
        "solved": solved.mean(),
        "few_wrong": (wrong <= MAX_WRONG).mean() if len(wrong) else None,
        "sequences": count[solved].mean() if len(wrong) else None,
        "median": np.median(count),
        "slowest": count.max(),
        "wrong": wrong.mean() if len(wrong) else None,
        "most_wrong": wrong.max() if len(wrong) else None,
        "accuracy": named.mean(),
    }


def run(config, seed, progress):
    """Train and test LSTMs, then tanh nets with twice the sequences of an LSTM."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]
    lstm_init, lstm_data, lstm_test, rnn_init, rnn_data, rnn_test = streams
    net = Lstm(config)
    lstm = Trainer(net, net.initial(lstm_init, config.nets, config), config)
    started = time.process_time()
    lstm.train(lstm_data, lambda share, text: progress(0.8 * share, f"LSTM: {text}"))
    seconds = time.process_time() - started
    table = summary(lstm, *examine(Lstm(config), lstm.theta, lstm_test, config))
    table["sequences_per_second"] = lstm.sequences.sum() / max(seconds, 1e-9)

    net = RecurrentNet(config.rnn_units, config.rnn_units)
    theta = net.initial(rnn_init, PER_RATE * len(config.rnn_rates), config)
    recurrent = net.weights(theta)[0][:, :, : net.units]
    recurrent[:] = np.linalg.qr(rnn_init.standard_normal(recurrent.shape))[0]  # orthogonal
    count = int(RIVAL * lstm.sequences.mean())
    note = lambda share, text: progress(0.8 + 0.2 * share, f"tanh nets: {text}")  # noqa: E731
    error = train_tanh(net, theta, count, rnn_data, config, note)
    best = error.argmin()  # in training, not in the examination
    right, named = examine(net, theta[[best]], rnn_test, config)

    x = config.max_sequences * np.arange(1, POINTS + 1) / POINTS
    share = (lstm.solved & (lstm.sequences <= x[:, None])).mean(1)  # (POINTS,)
    return {
        "lstm": table,
        "rnn": {
            "accuracy": named.mean(),
            "right": right.mean(),
            "error": error[best],
            "sequences": count // BATCH * BATCH,
        },
        "lead": table["accuracy"] - named.mean(),
        "curve": {"x": x.tolist(), "y": share.tolist()},
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
