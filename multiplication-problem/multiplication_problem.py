# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The multiplication problem: carry two marked numbers across a long lag and output their product.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997,
experiment 5. Claim: memory cells do more than add up. A 93-weight LSTM gets fewer than 140 of the
last 2,000 sequences wrong after 482,000, on average, and then at most 170 of 2,560 fresh ones; it
needs no other net for that. Whoever knows just the sum of the numbers stays far above this level.
Net, gradient, criterion and test are the paper's; the step is Adam's, on the cross-entropy of
batches. study_multiplication_problem.py tunes on to the paper's second level.

    python3 multiplication_problem.py --seed 0      # ten LSTMs, then tanh nets
    python3 multiplication_problem.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass, replace
from time import process_time
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    T: Annotated[int, "shortest sequence, in steps; longest: a tenth more", (22, 5000)] = 100
    nets: Annotated[int, "LSTMs in lock-step, each on its own sequences", (1, 100)] = 10
    blocks: Annotated[int, "memory blocks of an LSTM, each with two gates", (1, 16)] = 2
    cells: Annotated[int, "memory cells per block", (1, 16)] = 2
    learning_rate: Annotated[float, "step size before annealing", (0.0, 100.0)] = 0.1
    batch_size: Annotated[int, "sequences per update of a net", (1, 2000)] = 16
    init_range: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 2.0)] = 0.1
    input_gate_bias: Annotated[tuple[float, ...], "initial, per block", (-9.0, 9.0)] = (-3.0, -6.0)
    anneal_below: Annotated[float, "mean |error| under which steps shrink", (1e-6, 1.0)] = 0.04
    max_sequences: Annotated[int, "training sequences of a net at most", (1, 10**8)] = 300_000
    stop_wrong: Annotated[int, "a net stops below so many wrong of 2,000", (1, 2000)] = 140
    tolerance: Annotated[float, "an answer is right if |error| is below", (0.0, 1.0)] = 0.04
    rnn_hidden: Annotated[int, "units of the tanh nets; 8 give 97 weights", (1, 256)] = 8
    rnn_rates: Annotated[tuple[float, ...], "tanh step sizes", (0.0, 9.0)] = (0.001, 0.004, 0.016)

    def __post_init__(self):
        if len(self.input_gate_bias) != self.blocks:
            raise ValueError(f"argument --input-gate-bias: needs {self.blocks} numbers")


QUICK = {"T": 22, "nets": 2, "max_sequences": 1600}
WINDOW = 2000  # the criterion counts the wrong ones among so many
TEST, CHUNK, STORED_WRONG = 2560, 256, 170  # test sequences; as many at a time; the paper's most
BETA_1, BETA_2, EPSILON, CLIP = 0.9, 0.98, 1e-8, 1.0  # of Adam; largest gradient norm of a net
ANNEAL_POWER = 1.5  # the step shrinks as (mean |error| / anneal_below) to this power
AVERAGE = 0.98  # the weights that are tested are an average over some fifty updates
POINTS = 100  # of the learning curve


# ---- the task ----
def sequences(rng, nets, batch_size, config):
    """Draw sequences for N nets, right-aligned: x (T, N, 3, B), and their factors (2, N, B).

    x holds value, marker, and a bias input that is 1 from the first pair on and 0 before it.
    """
    T, shape = config.T, (nets, batch_size)
    longest = T + T // 10
    start = longest - rng.integers(T, longest + 1, shape)  # (N, B), the step of the first pair
    first = rng.integers(0, 10, shape)  # (N, B), one of the first ten pairs
    second = rng.integers(0, T // 2 - 2, shape)  # (N, B), another one of the first T/2 - 1
    second += second >= first
    x = np.zeros((longest, nets, 3, batch_size), np.float32)
    value, marker, bias = x.transpose(2, 0, 1, 3)  # views (T, N, B)
    bias[:] = np.arange(longest)[:, None, None] >= start
    value[:] = bias * rng.random(value.shape, np.float32)
    net, column = np.indices(shape)
    marker[start + first, net, column] = 1
    marker[start + second, net, column] = 1
    marker[start, net, column] = -1
    marker[-1] = -1
    factors = np.stack([value[start + first, net, column], value[start + second, net, column]])
    factors[0][first == 0] = 1  # the first pair shows -1, chosen or not: its number counts as 1
    factors[1][second == 0] = 1
    return x, factors


def best_of_sum(factors):
    """Return the best guess (N, B) of the product from the sum, and where one factor is hidden.

    Uniform factors with the sum s have the mean product s^2/6 up to s = 1, and above it, where
    their difference is uniform up to 2 - s, s^2/4 - (2 - s)^2/12. A hidden factor is 1.
    """
    s = factors.sum(0)  # (N, B)
    mean = np.where(s <= 1, s**2 / 6, s**2 / 4 - (2 - s) ** 2 / 12)
    return np.where((factors == 1).any(0), s - 1, mean)


# ---- the two networks ----
class RecurrentNet:
    """N ordinary recurrent nets in lock-step: G units h = tanh(W z), a sigmoid output that sees R.

    z is [value, marker, bias, units one step before], and 0 before a sequence starts.
    """

    def __init__(self, units, seen):
        self.units, self.seen = units, seen  # G, R
        self.split = units * (3 + units)  # how many weights belong to the units

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P); the recurrent ones are random rotations."""
        theta = self.uniform(rng, nets, config)
        square = rng.normal(size=(nets, self.units, self.units))
        theta[:, : self.split].reshape(nets, self.units, -1)[:, :, 3:] = np.linalg.qr(square)[0]
        return theta

    def uniform(self, rng, nets, config):
        """Draw weights (N, P) from [-init_range, init_range]."""
        size = self.split + self.read_out_size()  # P
        return rng.uniform(-config.init_range, config.init_range, (nets, size)).astype(np.float32)

    def read_out_size(self):
        """Return the number of weights of the output: one for each unit that it sees, a bias."""
        return self.seen + 1

    def forward(self, theta, x):
        """Return the outputs (N, B) after the last step of x (T, N or 1, 3, B)."""
        (T, _, _, B), N = x.shape, len(theta)
        self.W = theta[:, : self.split].reshape(N, self.units, 3 + self.units)
        self.z = np.zeros((T + 1, N, 3 + self.units, B), theta.dtype)  # step t fills z[t + 1]
        self.z[:-1, :, :3] = x
        self.unroll(self.z)
        self.y = self.z[-1, :, 3 : 3 + self.seen]  # (N, R, B)
        return 1 / (1 + np.exp(-self.read_out(theta[:, self.split :], self.y)))

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(output's net input) (N, B)."""
        d_y, d_read_out = self.read_out_back(d_a)
        d_units = self.unroll_back(d_y)  # (T, N, G, B)
        dW = np.matmul(d_units, self.z[:-1].transpose(0, 1, 3, 2)).sum(0)  # (N, G, 3 + G)
        return np.concatenate([dW.reshape(len(dW), -1), d_read_out], axis=1)

    def read_out(self, weights, y):
        """Return the output's net inputs (N, B)."""
        self.v, b = weights[:, :-1], weights[:, -1:]  # (N, R), (N, 1)
        return (self.v[:, :, None] * y).sum(1) + b

    def read_out_back(self, d_a):
        """Return dE/dy (N, R, B) and the gradient (N, R + 1) of the output's weights."""
        d_y = self.v[:, :, None] * d_a[:, None]
        dv = (d_a[:, None] * self.y).sum(2)  # (N, R)
        db = d_a.sum(1, keepdims=True)  # (N, 1)
        return d_y, np.concatenate([dv, db], axis=1)

    def unroll(self, z):
        """Fill in the units of z (T + 1, N, 3 + G, B)."""
        for t in range(len(z) - 1):
            np.tanh(np.matmul(self.W, z[t]), out=z[t + 1, :, 3:])

    def unroll_back(self, d_y):
        """Return dE/d(net inputs) (T, N, G, B) by full back-propagation through time."""
        h = self.z[1:, :, 3:]  # (T, N, G, B)
        recurrent = self.W[:, :, 3:].transpose(0, 2, 1)  # (N, G, G)
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

    def __init__(self, config):
        self.C, self.J = config.blocks * config.cells, config.blocks
        super().__init__(self.C + 2 * self.J, self.C)  # units: cells, input gates, output gates

    def initial(self, rng, nets, config):
        """Draw the weights; negative input gate biases keep the cells nearly shut at first."""
        theta = self.uniform(rng, nets, config)
        W = theta[:, : self.split].reshape(nets, self.units, -1)
        W[:, self.C : self.C + self.J, 2] = config.input_gate_bias
        return theta

    def unroll(self, z):
        """Fill in the units of z (T + 1, N, 3 + G, B)."""
        C, J, bias, half = self.C, self.J, z[:, :, 2:3], self.W / 2
        gates = z[1:, :, 3 + C :]  # (T, N, 2J, B)
        T, N, _, B = gates.shape
        u = np.empty((T, N, self.units, B), z.dtype)  # tanh(a / 2)
        y = z[1:, :, 3 : 3 + C].reshape(T, N, J, -1, B)  # (T, N, J, S, B)
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
        d_units = np.zeros_like(self.z[1:, :, 3:])  # (T, N, G, B)
        d_units[:, :, :C] = (d_g * (1 - g * g) / 2).reshape(d_units[:, :, :C].shape)
        d_units[:, :, C : C + J] = d_i * (i * (1 - i))[:, :, :, 0]
        d_units[-1, :, C + J :] = d_o * (o * (1 - o))[:, :, 0]
        return d_units


# ---- training and testing ----
class Trainer:
    """Adam, with a step that shrinks with the error, for N nets; each array has one row per net."""

    def __init__(self, net, theta, rates, config):
        self.net, self.theta, self.config = net, theta, config
        self.rates = np.broadcast_to(rates, len(theta))[:, None]  # (N, 1)
        self.mean = np.zeros_like(theta)  # (N, P), as the next two
        self.square = np.zeros_like(theta)
        self.average = theta.copy()
        self.recent = np.full((len(theta), WINDOW), np.inf)  # a ring buffer of |error|
        self.error = np.ones(len(theta))  # its mean
        self.curve = np.zeros((len(theta), POINTS))  # the course of its mean square
        self.sequences = np.zeros(len(theta), np.int64)
        self.met = np.zeros(len(theta), bool)
        self.running = np.arange(len(theta))  # the nets that still train
        self.seen = 0  # sequences of each of these

    def train(self, data, progress):
        """Train each net until it meets the criterion or the budget ends; data is a generator."""
        batch_size, budget = self.config.batch_size, self.config.max_sequences
        while len(self.running) and self.seen < budget:
            x, factors = sequences(data, len(self.running), batch_size, self.config)
            self.step(x, self.target(factors))
            share = min(1, self.seen / budget)
            progress(share, f"{self.seen:,} sequences, nets left: {len(self.running)}")

    def step(self, x, target):
        """Answer a batch, learn from it, and let go of the nets that meet the paper's criterion."""
        rows = self.running
        y = self.net.forward(self.theta[rows], x)  # (N, B)
        if not np.isfinite(y).all():
            raise FloatingPointError(f"loss is nan at sequence {self.seen}")
        point = self.seen * POINTS // self.config.max_sequences
        place = np.arange(self.seen, self.seen + y.shape[1]) % WINDOW
        self.seen += y.shape[1]
        self.sequences[rows] = self.seen
        self.recent[rows[:, None], place] = np.abs(y - target)
        self.error[rows] = self.recent[rows, : self.seen].mean(1)
        self.curve[rows, point:] = (self.recent[rows, : self.seen] ** 2).mean(1)[:, None]
        self.update(rows, self.net.backward(self.output_delta(y, target)))
        wrong = (self.recent >= self.config.tolerance).sum(1)  # (N,); a place without one counts
        self.met = wrong < self.config.stop_wrong
        self.running = np.flatnonzero(~self.met)

    def target(self, factors):
        """Return what to answer (N, B) to sequences with these factors (2, N, B)."""
        return factors.prod(0)

    def output_delta(self, y, target):
        """Return dE/d(output's net input) (N, B) of the batch's mean cross-entropy."""
        return (y - target) / y.shape[1]

    def update(self, rows, gradient):
        """Take a step against the clipped gradient (N, P), and move the average of the weights."""
        updates = self.seen // self.config.batch_size
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        gradient *= np.minimum(1, CLIP / (norm + EPSILON))
        self.mean[rows] += (1 - BETA_1) * (gradient - self.mean[rows])
        self.square[rows] += (1 - BETA_2) * (gradient**2 - self.square[rows])
        mean = self.mean[rows] / (1 - BETA_1**updates)  # (N, P)
        square = self.square[rows] / (1 - BETA_2**updates)  # (N, P)
        anneal = np.minimum(1, self.error[rows] / self.config.anneal_below) ** ANNEAL_POWER  # (N,)
        step = self.rates[rows] * anneal[:, None]  # (N, 1)
        self.theta[rows] -= step * mean / (np.sqrt(square) + EPSILON)
        self.average[rows] += (1 - AVERAGE) * (self.theta[rows] - self.average[rows])


def examine(net, theta, x):
    """Return the outputs (N, TEST) for the x (T, 1, 3, TEST) of a test, a portion at a time."""
    portions = np.split(x, TEST // CHUNK, axis=3)
    return np.concatenate([net.forward(theta, portion) for portion in portions], axis=1)


def count_wrong(y, target, config):
    """Return how many outputs are off by the tolerance or more, for each row."""
    return (np.abs(y - target) >= config.tolerance).sum(-1)


def grade(trainer, test):
    """Test each net once, with the average of its weights at its stop.

    Returns how many are wrong (N,), the mean squared errors (N,), and that of the best of the sum.
    """
    x, factors = test
    target = trainer.target(factors)  # (1, TEST)
    y = examine(trainer.net, trainer.average, x)  # (N, TEST)
    wrong = count_wrong(y, target, trainer.config)
    of_sum = np.mean((best_of_sum(factors) - target) ** 2)
    return wrong, np.mean((y - target) ** 2, axis=1), of_sum


def summary(trainer, test, seconds):
    """Return the metrics of the nets of a trainer."""
    wrong, mse, of_sum = grade(trainer, test)
    met, count = trainer.met, trainer.sequences
    return {
        "stored": (met & (wrong <= STORED_WRONG)).mean(),
        "wrong_at_stop": wrong[met].mean() if met.any() else None,
        "multiplies": (mse < of_sum).mean(),
        "mse": np.median(mse),
        "sequences": count.mean(),
        "slowest": count.max(),
        "sequences_per_second": count.sum() / seconds,
    }


def train_rival(init, data, budget, config, progress):
    """Train as many tanh nets at each rate; return the trainer, and which were at the best rate."""
    net = RecurrentNet(config.rnn_hidden, config.rnn_hidden)
    rates = np.repeat(config.rnn_rates, config.nets)
    theta = net.initial(init, len(rates), config)
    rnn = Trainer(net, theta, rates, replace(config, max_sequences=budget))
    rnn.train(data, progress)
    error = rnn.error.reshape(len(config.rnn_rates), config.nets).mean(1)  # in training
    best = np.arange(len(rates)) // config.nets == error.argmin()
    return rnn, best


def run(config, seed, progress):
    """Train LSTMs, and tanh nets on as many sequences as the mean LSTM; all take the same test."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    lstm_init, lstm_data, rnn_init, rnn_data, test_data = streams
    test = sequences(test_data, 1, TEST, config)
    net = Lstm(config)
    theta = net.initial(lstm_init, config.nets, config)
    lstm = Trainer(net, theta, config.learning_rate, config)
    started = process_time()
    lstm.train(lstm_data, lambda share, text: progress(0.6 * share, f"LSTM: {text}"))
    table = {"lstm": summary(lstm, test, process_time() - started)}

    def note(share, text):
        progress(0.6 + 0.4 * share, f"tanh nets: {text}")

    budget = round(lstm.sequences.mean())
    rnn, best = train_rival(rnn_init, rnn_data, budget, config, note)
    wrong, mse, _ = grade(rnn, test)
    table["rnn"] = {
        "mse": np.median(mse[best]),
        "wrong": np.median(wrong[best]),
        "sequences": rnn.seen,
    }
    table["advantage"] = {"log10_mse": np.log10(table["rnn"]["mse"] / table["lstm"]["mse"])}

    factors = test[1]
    for name, guess in {"of_sum": best_of_sum(factors), "constant": np.float32(0.25)}.items():
        wrong = count_wrong(guess, factors.prod(0), config)[0]
        table[name] = {"mse": np.mean((guess - factors.prod(0)) ** 2), "wrong": wrong}
    x = config.max_sequences * np.arange(1, POINTS + 1) / POINTS
    return table | {"curve": {"x": x.tolist(), "y": np.median(lstm.curve, axis=0).tolist()}}


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
