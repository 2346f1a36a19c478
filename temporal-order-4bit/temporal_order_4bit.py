# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Temporal order of three symbols: say which of eight orders of X and Y a long sequence held.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780,
1997, experiment 6, task 6b. Claim: an LSTM of 308 weights learns it by a truncated gradient, after
571,100 sequences on average, where two symbols (task 6a) take 31,390: then the last 2,000 are all
right, and at most 3 of 2,560 fresh ones are wrong. No other recurrent net, the paper says, ever
solved it; here tanh nets stand beside it. Task, nets, criterion and plain descent are the paper's;
here a step takes the gradients of 16 sequences at once. study_temporal_order_4bit.py has the
paper's own step.

    python3 temporal_order_4bit.py --seed 0      # ten LSTMs on 6b, ten on 6a, then six tanh nets
    python3 temporal_order_4bit.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass, replace
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
from time import process_time

import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "LSTMs in lock-step, each on its own sequences", (1, 100)] = 10
    cells: Annotated[int, "memory cells per block; a block for each mark", (1, 16)] = 2
    input_gate_bias: Annotated[float, "of block 1; twice, three times it later", (-9.0, 9.0)] = -2.0
    init_range: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 2.0)] = 0.1
    learning_rate: Annotated[float, "step size per sequence of a batch", (0.0, 100.0)] = 0.25
    batch_size: Annotated[int, "sequences per update of a net", (1, 2000)] = 16
    clip: Annotated[float, "largest gradient norm of a batch", (1e-6, 1e9)] = 1.0
    shortest: Annotated[int, "shortest sequence, in steps", (3, 5000)] = 100
    longest: Annotated[int, "longest sequence, in steps", (3, 5000)] = 110
    windows: Annotated[tuple[int, ...], "first and last step of each mark", (1, 4998)] = (
        *(10, 20),
        *(33, 43),
        *(66, 76),
    )
    windows_6a: Annotated[tuple[int, ...], "the same for two marks", (1, 4998)] = (10, 20, 50, 60)
    max_sequences: Annotated[int, "training sequences of a net at most", (1, 10**8)] = 600_000
    rnn_hidden: Annotated[int, "units of a tanh net; 16 give 536 weights", (1, 256)] = 16
    rnn_rates: Annotated[tuple[float, ...], "tanh step sizes", (0.0, 9.0)] = (0.0003, 0.001, 0.003)

    def __post_init__(self):
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: cannot exceed --longest")
        for flag, steps in {"windows": self.windows, "windows-6a": self.windows_6a}.items():
            later = steps[2::2] + (self.shortest - 1,)
            if len(steps) % 2 or any(a > b for a, b in zip(steps[::2], steps[1::2])):
                raise ValueError(f"argument --{flag}: needs pairs of a first and a last step")
            if any(b >= a for b, a in zip(steps[1::2], later)):
                raise ValueError(f"argument --{flag}: each has to end before the next mark or B")


QUICK = {"nets": 2, "shortest": 30, "longest": 33, "max_sequences": 2080}
QUICK |= {"windows": (2, 5, 10, 14, 19, 22), "windows_6a": (2, 5, 10, 14)}
WINDOW, STOP_ERROR = 2000, 0.1  # criterion: the last 2,000 right, with a mean |error| below 0.1
TOLERANCE = 0.3  # an answer is right if every output is closer to its target
TEST, CHUNK, MAX_WRONG = 2560, 256, 3  # test sequences; as many at a time; the paper's most wrong
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
POINTS = 100  # of the learning curve


# ---- the task ----
START, END, X, Y = 0, 1, 6, 7  # input symbols; 2 to 5 are the distractors a, b, c, d
SYMBOLS = 8


def sequences(rng, windows, nets, batch_size, config):
    """Draw sequences for N nets, right-aligned: x (T, N, 9, B), targets (N, K, B), marks (M, N, B).

    x holds the symbol, one of 8, and a bias input that is 1 from the first symbol on and 0 before
    it. A mark is 0 for X and 1 for Y, and the targets tell the K = 2^M orders of marks apart.
    """
    T, shape = config.longest, (nets, batch_size)
    net, column = np.indices(shape)
    start = T - rng.integers(config.shortest, T + 1, shape)  # (N, B), the step of the first symbol
    symbols = rng.integers(2, 6, (T, *shape), np.int8)  # (T, N, B)
    symbols[start, net, column] = START
    symbols[-1] = END
    marks = rng.integers(0, 2, (len(windows) // 2, *shape))  # (M, N, B)
    for mark, first, last in zip(marks, windows[::2], windows[1::2]):
        step = start + rng.integers(first, last + 1, shape)  # (N, B)
        symbols[step, net, column] = X + mark
    begun = np.arange(T)[:, None, None] >= start  # (T, N, B)
    x = np.empty((T, nets, SYMBOLS + 1, batch_size), np.float32)
    symbols[~begun] = -1  # none of these
    np.equal(symbols[:, :, None], np.arange(SYMBOLS, dtype=np.int8)[:, None], out=x[:, :, :SYMBOLS])
    x[:, :, SYMBOLS] = begun
    order = (2 ** np.arange(len(marks))[::-1, None, None] * marks).sum(0)  # (N, B)
    targets = order[:, None] == np.arange(2 ** len(marks))[:, None]  # (N, K, B)
    return x, targets.astype(np.float32), marks


# ---- the two networks ----
class RecurrentNet:
    """N ordinary recurrent nets in lock-step: G units h = tanh(W z), sigmoid outputs that see R.

    z is [symbol, bias, units one step before], and 0 before a sequence starts.
    """

    def __init__(self, units, seen, outputs):
        self.units, self.seen, self.outputs = units, seen, outputs  # G, R, K

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net."""
        size = self.units * (SYMBOLS + 1 + self.units) + self.outputs * (self.seen + 1)  # P
        return rng.uniform(-config.init_range, config.init_range, (nets, size)).astype(np.float32)

    def weights(self, theta):
        """Return views of theta: W (N, G, 9 + G) of the units, V (N, K, R + 1) of the outputs."""
        W, V = np.split(theta, [self.units * (SYMBOLS + 1 + self.units)], axis=1)
        N = len(theta)
        return W.reshape(N, self.units, -1), V.reshape(N, self.outputs, self.seen + 1)

    def forward(self, theta, x):
        """Return the outputs (N, K, B) after the last step of x (T, N, 9, B)."""
        T, N, D, B = x.shape
        self.W, self.V = self.weights(theta)
        self.z = np.zeros((T + 1, N, D + self.units, B), theta.dtype)  # step t fills z[t + 1]
        self.z[:-1, :, :D] = x
        self.unroll(self.z)
        self.y = np.ones((N, self.seen + 1, B), theta.dtype)  # what the outputs see, and 1
        self.y[:, :-1] = self.z[-1, :, D : D + self.seen]
        a = np.matmul(self.V, self.y)  # (N, K, B)
        return 1 / (1 + np.exp(-a))

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(outputs' net inputs) (N, K, B)."""
        d_y = np.matmul(self.V[:, :, :-1].transpose(0, 2, 1), d_a)  # (N, R, B)
        d_units = self.unroll_back(d_y)  # (T, N, G, B)
        dW = np.matmul(d_units, self.z[:-1].transpose(0, 1, 3, 2)).sum(0)  # (N, G, 9 + G)
        dV = np.matmul(d_a, self.y.transpose(0, 2, 1))  # (N, K, R + 1)
        return np.concatenate([dW.reshape(len(dW), -1), dV.reshape(len(dV), -1)], axis=1)

    def unroll(self, z):
        """Fill in the units of z (T + 1, N, 9 + G, B)."""
        for t in range(len(z) - 1):
            np.tanh(np.matmul(self.W, z[t]), out=z[t + 1, :, SYMBOLS + 1 :])

    def unroll_back(self, d_y):
        """Return dE/d(net inputs) (T, N, G, B) by full back-propagation through time."""
        h = self.z[1:, :, SYMBOLS + 1 :]  # (T, N, G, B)
        recurrent = self.W[:, :, SYMBOLS + 1 :].transpose(0, 2, 1)  # (N, G, G)
        d_units = 1 - h * h  # (T, N, G, B), at first the slopes alone
        for t in reversed(range(len(h))):
            d_units[t] *= d_y
            d_y = np.matmul(recurrent, d_units[t])
        return d_units


class Lstm(RecurrentNet):
    """Memory cells of 1997: J blocks of S cells with an input and an output gate, no forget gate.

    A gate is sig(a), a cell is offered g(a) = 4 sig(a) - 2 and shows h(s) = 2 sig(s) - 1. As
    2 sig(a) - 1 = tanh(a / 2), one tanh serves all of them: g and the state s stand here at half
    their size, so that g = tanh(a / 2), h = tanh(s), and a gate is (1 + tanh(a / 2)) / 2.
    """

    def __init__(self, marks, config):
        self.C, self.J = marks * config.cells, marks
        super().__init__(self.C + 2 * self.J, self.C, 2**marks)  # cells, input and output gates

    def initial(self, rng, nets, config):
        """Draw the weights; graded input gate biases let one block engage after the other."""
        theta = super().initial(rng, nets, config)
        biases = config.input_gate_bias * np.arange(1, self.J + 1)  # (J,)
        self.weights(theta)[0][:, self.C : self.C + self.J, SYMBOLS] = biases
        return theta

    def unroll(self, z):
        """Fill in the units of z (T + 1, N, 9 + G, B)."""
        C, J, D = self.C, self.J, SYMBOLS + 1
        bias, half = z[:, :, SYMBOLS:D], self.W / 2
        gates = z[1:, :, D + C :]  # (T, N, 2J, B)
        T, N, _, B = gates.shape
        u = np.empty((T, N, self.units, B), z.dtype)  # tanh(a / 2)
        y = z[1:, :, D : D + C].reshape(T, N, J, -1, B)  # (T, N, J, S, B)
        self.g = u[:, :, :C].reshape(y.shape)  # (T, N, J, S, B)
        self.i = gates[:, :, :J, None]  # (T, N, J, 1, B)
        self.o = gates[:, :, J:, None]  # (T, N, J, 1, B)
        self.s = np.zeros((T + 1, *y.shape[1:]), z.dtype)  # (T + 1, N, J, S, B)
        h = np.empty_like(self.s[0])
        for t in range(T):
            np.matmul(half, z[t], out=u[t])
            np.tanh(u[t], out=u[t])
            np.add(u[t, :, C:], bias[t], out=gates[t])  # the bias input is 0 before the start,
            np.multiply(gates[t], 0.5, out=gates[t])  # and so are the gates
            np.multiply(self.i[t], self.g[t], out=h)
            np.add(self.s[t], h, out=self.s[t + 1])  # the constant error carousel
            np.tanh(self.s[t + 1], out=h)
            np.multiply(self.o[t], h, out=y[t])

    def unroll_back(self, d_y):
        """Return the paper's truncated dE/d(net inputs) (T, N, G, B).

        Error that reaches a net input goes no further back; only the carousel carries it. It comes
        in at the last step, so that d_s is the same at all steps, and time needs no loop.
        """
        C, J, i, g, o = self.C, self.J, self.i, self.g, self.o[-1]
        h = np.tanh(self.s[-1])  # (N, J, S, B)
        d_y = d_y.reshape(h.shape)  # (N, J, S, B)
        d_o = (d_y * h).sum(2)  # (N, J, B)
        d_s = d_y * o * (1 - h * h)  # (N, J, S, B)
        d_i = (d_s * g).sum(3)  # (T, N, J, B)
        d_g = d_s * i  # (T, N, J, S, B)
        d_units = np.zeros_like(self.z[1:, :, SYMBOLS + 1 :])  # (T, N, G, B)
        d_units[:, :, :C] = (d_g * (1 - g * g) / 2).reshape(d_units[:, :, :C].shape)
        d_units[:, :, C : C + J] = d_i * (i * (1 - i))[:, :, :, 0]
        d_units[-1, :, C + J :] = d_o * (o * (1 - o))[:, :, 0]
        return d_units


# ---- training ----
class Trainer:
    """N nets in training, each on its own sequences, by the paper's descent until its criterion."""

    def __init__(self, net, theta, rates, windows, config):
        self.net, self.theta, self.windows, self.config = net, theta, windows, config
        self.rates = np.broadcast_to(rates, len(theta))[:, None]  # (N, 1)
        self.recent = np.full((len(theta), WINDOW), np.inf)  # mean |error| of the last sequences
        self.right = np.zeros((len(theta), WINDOW), bool)  # whether these were right
        self.error = np.full(len(theta), np.inf)  # the mean of `recent`
        self.curve = np.zeros((len(theta), POINTS))  # the mean's course
        self.sequences = np.zeros(len(theta), np.int64)
        self.met = np.zeros(len(theta), bool)
        self.running = np.arange(len(theta))  # the nets that still train
        self.seen = 0  # sequences of each of these

    def train(self, data, progress):
        """Train each net until it meets the criterion or the budget ends; data is a generator."""
        batch_size, budget = self.config.batch_size, self.config.max_sequences
        while len(self.running) and self.seen < budget:
            nets = len(self.running)
            x, targets, _ = sequences(data, self.windows, nets, batch_size, self.config)
            self.step(x, targets)
            share = min(1, self.seen / budget)
            progress(share, f"{self.seen:,} sequences, nets left: {len(self.running)}")

    def step(self, x, targets):
        """Answer a batch, learn from it, and let go of the nets that meet the paper's criterion."""
        rows = self.running
        y = self.net.forward(self.theta[rows], x)  # (N, K, B)
        if not np.isfinite(y).all():
            raise FloatingPointError(f"loss is nan at sequence {self.seen}")
        error = np.abs(y - targets)  # (N, K, B)
        point = self.seen * POINTS // self.config.max_sequences
        place = np.arange(self.seen, self.seen + y.shape[2]) % WINDOW  # a ring buffer
        self.seen += y.shape[2]
        self.sequences[rows] = self.seen
        self.recent[rows[:, None], place] = error.mean(1)
        self.right[rows[:, None], place] = (error < TOLERANCE).all(1)
        self.error[rows] = self.recent[rows, : self.seen].mean(1)
        self.curve[:, point:] = self.error[:, None]
        self.update(rows, self.net.backward(self.output_delta(y, targets)))
        self.met = self.right.all(1) & (self.error < STOP_ERROR)
        self.running = np.flatnonzero(~self.met)

    def output_delta(self, y, targets):
        """Return dE/d(outputs' net inputs) (N, K, B); E is half the batch's sum of squares."""
        return (y - targets) * y * (1 - y)

    def update(self, rows, gradient):
        """Take a plain step against the gradient (N, P)."""
        self.theta[rows] -= self.rates[rows] * self.clipped(gradient)

    def clipped(self, gradient):
        """Shorten what is longer than config.clip."""
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        return gradient * np.minimum(1, self.config.clip / (norm + EPSILON))


class AdamTrainer(Trainer):
    """The same with steps by Adam, which suit the tanh nets better."""

    def __init__(self, net, theta, rates, windows, config):
        super().__init__(net, theta, rates, windows, config)
        self.mean = np.zeros_like(theta)  # (N, P), as the next one
        self.square = np.zeros_like(theta)

    def update(self, rows, gradient):
        """Take a step against the mean of the clipped gradients (N, P)."""
        updates = self.seen // self.config.batch_size
        gradient = self.clipped(gradient)
        self.mean[rows] += (1 - BETA_1) * (gradient - self.mean[rows])
        self.square[rows] += (1 - BETA_2) * (gradient**2 - self.square[rows])
        mean = self.mean[rows] / (1 - BETA_1**updates)  # (N, P)
        square = self.square[rows] / (1 - BETA_2**updates)  # (N, P)
        self.theta[rows] -= self.rates[rows] * mean / (np.sqrt(square) + EPSILON)


# ---- evaluation ----
def examine(net, theta, windows, rng, config):
    """Return the outputs for fresh sequences, and the targets of these, (N, K, TEST) each."""
    portions = []
    for _ in range(TEST // CHUNK):
        x, targets, _ = sequences(rng, windows, len(theta), CHUNK, config)
        portions.append((net.forward(theta, x), targets))
    return np.concatenate(portions, axis=3)


def summary(trainer, rng, seconds):
    """Test each net with its last weights, and return the metrics of all."""
    met, count = trainer.met, trainer.sequences
    y, targets = examine(trainer.net, trainer.theta, trainer.windows, rng, trainer.config)
    error = np.abs(y - targets)  # (N, K, TEST)
    wrong = (error >= TOLERANCE).any(1).sum(1)  # (N,)
    return {
        "solved": met.mean(),
        "sequences": count.mean(),
        "slowest": count.max(),
        "wrong_at_stop": wrong[met].mean() if met.any() else None,
        "few_wrong": (wrong[met] <= MAX_WRONG).mean() if met.any() else 0.0,
        "accuracy": (y.argmax(1) == targets.argmax(1)).mean(),
        "error": error.mean(),
        "sequences_per_second": count.sum() / seconds,
    }


def train_lstms(windows, streams, config, progress):
    """Train LSTMs with a block for each mark; return them with their metrics."""
    init, data, test = streams
    net = Lstm(len(windows) // 2, config)
    theta = net.initial(init, config.nets, config)
    trainer = Trainer(net, theta, config.learning_rate, windows, config)
    started = process_time()
    trainer.train(data, progress)
    return trainer, summary(trainer, test, process_time() - started)


def run(config, seed, progress):
    """Train LSTMs on three marks and on two, then tanh nets on three with an LSTM's sequences."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(9)]
    lstm, three = train_lstms(
        config.windows,
        streams[:3],
        config,
        lambda share, text: progress(0.6 * share, f"6b: {text}"),
    )
    _, two = train_lstms(
        config.windows_6a,
        streams[3:6],
        config,
        lambda share, text: progress(0.6 + 0.1 * share, f"6a: {text}"),
    )

    rnn_init, rnn_data, rnn_test = streams[6:]
    budget = replace(config, max_sequences=round(three["sequences"]))
    net = RecurrentNet(config.rnn_hidden, config.rnn_hidden, lstm.net.outputs)
    rates = np.repeat(np.float32(config.rnn_rates), 2)  # two nets of each
    theta = net.initial(rnn_init, len(rates), config)
    square = rnn_init.standard_normal((len(rates), config.rnn_hidden, config.rnn_hidden))
    net.weights(theta)[0][:, :, SYMBOLS + 1 :] = np.linalg.qr(square)[0]
    rnn = AdamTrainer(net, theta, rates, config.windows, budget)
    rnn.train(rnn_data, lambda share, text: progress(0.7 + 0.3 * share, f"tanh nets: {text}"))
    best = rnn.error.argmin()  # in training, not in the examination
    y, targets = examine(net, rnn.theta[[best]], config.windows, rnn_test, config)
    rival = {"accuracy": (y.argmax(1) == targets.argmax(1)).mean(), "sequences": rnn.seen}

    x = config.max_sequences * np.arange(1, POINTS + 1) / POINTS
    return {
        "lstm": three,
        "two": two,
        "rnn": rival,
        "third_mark": {"factor": three["sequences"] / two["sequences"]},
        "lead": {"accuracy": three["accuracy"] - rival["accuracy"]},
        "curve": {"x": x.tolist(), "y": lstm.curve.mean(0).tolist()},
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
