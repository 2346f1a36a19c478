# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The adding problem: carry two marked numbers across a hundred distractors and output their sum.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997,
experiment 4. Claim: a 93-weight LSTM learns it by a truncated gradient, although T/2 steps or more
lie between the second number and the read-out: after 74,000 sequences of T = 100, on average, the
last 2,000 are all right, and then at most 3 of 2,560 fresh ones are wrong. Ordinary recurrent nets,
the paper argues, fail: here tanh nets stand beside it. Task, net and gradient are the paper's; the
step is Adam's, on the cross-entropy of batches. study_adding_problem.py has the paper's own step.

    python3 adding_problem.py --seed 0      # ten LSTMs, then six tanh nets
    python3 adding_problem.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass, replace
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
    batch_size: Annotated[int, "sequences per update of a net", (1, 4096)] = 16
    init_range: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 2.0)] = 0.1
    input_gate_bias: Annotated[tuple[float, ...], "initial, per block", (-9.0, 9.0)] = (-3.0, -6.0)
    anneal_below: Annotated[float, "mean |error| under which steps shrink", (1e-6, 1.0)] = 0.03
    average: Annotated[float, "decay per update of the tested average", (0.0, 0.9999)] = 0.98
    clip: Annotated[float, "largest gradient norm of a net", (1e-6, 1e9)] = 1.0
    max_sequences: Annotated[int, "training sequences of a net at most", (1, 10**8)] = 300_000
    tolerance: Annotated[float, "an answer is right if |error| is below", (0.0, 1.0)] = 0.04
    rnn_hidden: Annotated[int, "units of the tanh nets; 8 give 97 weights", (1, 256)] = 8
    rnn_rates: Annotated[tuple[float, ...], "tanh step sizes", (0.0, 9.0)] = (0.001, 0.004, 0.016)

    def __post_init__(self):
        if len(self.input_gate_bias) != self.blocks:
            raise ValueError(f"argument --input-gate-bias: needs {self.blocks} numbers")


QUICK = {"T": 22, "nets": 2, "max_sequences": 1600}
WINDOW, STOP_ERROR = 2000, 0.01  # criterion: the last 2,000 right, with a mean |error| below 0.01
TEST, CHUNK, MAX_WRONG = 2560, 256, 3  # test sequences; as many at a time; the paper's most wrong
BETA_1, BETA_2, EPSILON = 0.9, 0.98, 1e-8  # of Adam
ANNEAL_POWER = 1.5  # the step shrinks as (mean |error| / anneal_below) to this power
POINTS = 100  # of the learning curve


# ---- the task ----
def sequences(rng, nets, batch_size, config):
    """Draw sequences for N nets, right-aligned: x (T, N, 3, B), targets (N, B), addends (2, N, B).

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
    value[:] = bias * (2 * rng.random(value.shape, np.float32) - 1)
    net, column = np.indices(shape)
    marker[start + first, net, column] = 1
    marker[start + second, net, column] = 1
    marker[start, net, column] = -1
    marker[-1] = -1
    addends = np.stack([value[start + first, net, column], value[start + second, net, column]])
    addends *= [first > 0, second > 0]  # the first pair shows -1, so its number counts as 0
    return x, 0.5 + addends.sum(0) / 4, addends


# ---- the two networks ----
class RecurrentNet:
    """N ordinary recurrent nets in lock-step: G units h = tanh(W z), a sigmoid output that sees R.

    z is [value, marker, bias, units one step before], and 0 before a sequence starts.
    """

    def __init__(self, units, seen):
        self.units, self.seen = units, seen  # G, R

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net."""
        size = self.units * (3 + self.units) + self.seen + 1  # P
        return rng.uniform(-config.init_range, config.init_range, (nets, size)).astype(np.float32)

    def weights(self, theta):
        """Return views of theta: W (N, G, 3 + G) of the units, v (N, R), b (N, 1) of the output."""
        W, v, b = np.split(theta, [self.units * (3 + self.units), -1], axis=1)
        return W.reshape(len(theta), self.units, 3 + self.units), v, b

    def forward(self, theta, x):
        """Return the outputs (N, B) after the last step of x (T, N, 3, B)."""
        T, N, _, B = x.shape
        self.W, self.v, self.b = self.weights(theta)
        self.z = np.zeros((T + 1, N, 3 + self.units, B), theta.dtype)  # step t fills z[t + 1]
        self.z[:-1, :, :3] = x
        self.unroll(self.z)
        self.y = self.z[-1, :, 3 : 3 + self.seen]  # (N, R, B)
        a = (self.v[:, :, None] * self.y).sum(1) + self.b  # (N, B)
        return 1 / (1 + np.exp(-a))

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(output's net input) (N, B)."""
        d_y = self.v[:, :, None] * d_a[:, None]  # (N, R, B)
        d_units = self.unroll_back(d_y)  # (T, N, G, B)
        dW = np.matmul(d_units, self.z[:-1].transpose(0, 1, 3, 2)).sum(0)  # (N, G, 3 + G)
        dv = (d_a[:, None] * self.y).sum(2)  # (N, R)
        db = d_a.sum(1, keepdims=True)  # (N, 1)
        return np.concatenate([dW.reshape(len(dW), -1), dv, db], axis=1)

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
        theta = super().initial(rng, nets, config)
        self.weights(theta)[0][:, self.C : self.C + self.J, 2] = config.input_gate_bias
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
        self.curve = np.zeros((len(theta), POINTS))  # the mean's course
        self.clipped = np.zeros(len(theta))  # updates
        self.sequences = np.zeros(len(theta), np.int64)
        self.met = np.zeros(len(theta), bool)
        self.running = np.arange(len(theta))  # the nets that still train
        self.seen = 0  # sequences of each of these

    def train(self, data, progress):
        """Train each net until it meets the criterion or the budget ends; data is a generator."""
        batch_size, budget = self.config.batch_size, self.config.max_sequences
        while len(self.running) and self.seen < budget:
            x, target, _ = sequences(data, len(self.running), batch_size, self.config)
            self.step(x, target)
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
        self.curve[:, point:] = self.error[:, None]
        self.update(rows, self.net.backward(self.output_delta(y, target)))
        self.met = (self.recent < self.config.tolerance).all(1) & (self.error < STOP_ERROR)
        self.running = np.flatnonzero(~self.met)

    def output_delta(self, y, target):
        """Return dE/d(output's net input) (N, B) of the batch's mean cross-entropy."""
        return (y - target) / y.shape[1]

    def update(self, rows, gradient):
        """Take a step against the clipped gradient (N, P), and move the average of the weights."""
        updates = self.seen // self.config.batch_size
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        self.clipped[rows] += norm[:, 0] > self.config.clip
        gradient *= np.minimum(1, self.config.clip / (norm + EPSILON))
        self.mean[rows] += (1 - BETA_1) * (gradient - self.mean[rows])
        self.square[rows] += (1 - BETA_2) * (gradient**2 - self.square[rows])
        mean = self.mean[rows] / (1 - BETA_1**updates)  # (N, P)
        square = self.square[rows] / (1 - BETA_2**updates)  # (N, P)
        anneal = np.minimum(1, self.error[rows] / self.config.anneal_below) ** ANNEAL_POWER  # (N,)
        step = self.rates[rows] * anneal[:, None]  # (N, 1)
        self.theta[rows] -= step * mean / (np.sqrt(square) + EPSILON)
        self.average[rows] += (1 - self.config.average) * (self.theta[rows] - self.average[rows])


def examine(net, theta, rng, config):
    """Return the outputs for fresh sequences, and the targets of these, (N, TEST) each."""
    portions = []
    for _ in range(TEST // CHUNK):
        x, target, _ = sequences(rng, len(theta), CHUNK, config)
        portions.append((net.forward(theta, x), target))
    return np.concatenate(portions, axis=2)


def correct(y, target, config):
    """Return the share of right answers."""
    return np.mean(np.abs(y - target) < config.tolerance)


def summary(trainer, rng):
    """Test each net with the average of its weights at its stop, and return the metrics of all."""
    config, met, count = trainer.config, trainer.met, trainer.sequences
    y, target = examine(trainer.net, trainer.average, rng, config)
    error = np.abs(y - target)  # (N, TEST)
    wrong = (error >= config.tolerance).sum(1)  # (N,)
    return {
        "met": met.mean(),
        "sequences": count.mean(),
        "slowest": count.max(),
        "wrong_at_stop": wrong[met].mean() if met.any() else None,
        "few_wrong": (met & (wrong <= MAX_WRONG)).mean(),
        "error": error.mean(),
        "clipped": (trainer.clipped * config.batch_size / count).mean(),
    }


def run(config, seed, progress):
    """Train and test LSTMs, then tanh nets, each with the sequences of an LSTM on average."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(7)]
    lstm_init, lstm_data, lstm_test, rnn_init, rnn_data, rnn_test, guesses = streams
    net = Lstm(config)
    theta = net.initial(lstm_init, config.nets, config)
    lstm = Trainer(net, theta, config.learning_rate, config)
    lstm.train(lstm_data, lambda share, text: progress(0.8 * share, f"LSTM: {text}"))

    budget = replace(config, max_sequences=round(lstm.sequences.mean()))
    net = RecurrentNet(config.rnn_hidden, config.rnn_hidden)
    rates = np.tile(config.rnn_rates, 2)  # with small random weights, and with the identity
    theta = net.initial(rnn_init, len(rates), config)
    net.weights(theta)[0][len(config.rnn_rates) :, :, 3:] = np.eye(config.rnn_hidden)
    rnn = Trainer(net, theta, rates, budget)
    rnn.train(rnn_data, lambda share, text: progress(0.8 + 0.2 * share, f"tanh nets: {text}"))
    best = rnn.error.argmin()  # in training, not in the examination
    y, target = examine(net, rnn.average[[best]], rnn_test, config)
    r2 = 1 - np.mean((y - target) ** 2) / target.var()

    _, sums, addends = sequences(guesses, 1, TEST, config)
    x = config.max_sequences * np.arange(1, POINTS + 1) / POINTS
    return {
        "lstm": summary(lstm, lstm_test),
        "rnn": {"correct": correct(y, target, config), "r2": r2, "sequences": rnn.seen},
        "constant": {"correct": correct(0.5, sums, config)},
        "one_addend": {"correct": correct(0.5 + addends[0] / 4, sums, config)},
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
