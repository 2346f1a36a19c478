# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Noise-free sequences with a long time lag: one symbol must come back after a hundred others.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997,
experiment 2, task 2a. There are two sequences, x a_1 ... a_99 x and y a_1 ... a_99 y, and the net
predicts each next symbol. All but the last follow from the symbol before; the last one is the key
that was shown a hundred steps earlier.
Net: inputs feed logistic outputs. One memory cell with an input gate joins when the error of these
stops falling. Rule: gradient descent on the squared error, after each sequence.
Claim: 18 of 18 nets learn it, after 5,040 sequences on average; recurrent nets trained by
back-propagation through time never do. They stand here as the rival, with as many sequences.

    python3 noise_free_long_lag.py --seed 0      # 18 LSTMs, then 18 recurrent nets
    python3 noise_free_long_lag.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass, replace
from time import process_time
from typing import Annotated

# small matrices: more threads would only wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    delay: Annotated[int, "p, steps from the key to its return", (2, 1000)] = 100
    nets: Annotated[int, "LSTMs in lock-step, each with its own keys", (1, 1000)] = 18
    rnn_nets: Annotated[int, "recurrent nets at each of their rates", (1, 1000)] = 6
    learning_rate: Annotated[float, "step size of the LSTMs", (0.0, 100.0)] = 1.0
    rnn_rates: Annotated[tuple[float, ...], "step sizes of the rival", (0.0, 99.0)] = (1, 4, 10)
    weight_range: Annotated[float, "weights start in [-this, this]", (0.0, 5.0)] = 0.2
    plateau_window: Annotated[int, "sequences whose mean error is compared", (1, 10**6)] = 200
    plateau_drop: Annotated[float, "the cell joins if it fell by less", (-1.0, 1.0)] = 0.03
    gate_shift: Annotated[float, "added to a new input gate's weights", (-20.0, 20.0)] = -3.0
    tolerance: Annotated[float, "largest error of a net that has learned", (0.0, 1.0)] = 0.25
    check_every: Annotated[int, "sequences from one test to the next", (1, 10**6)] = 25
    max_sequences: Annotated[int, "training sequences of a net at most", (1, 10**8)] = 30_000


QUICK = {"delay": 8, "nets": 3, "rnn_nets": 1, "plateau_window": 20, "max_sequences": 500}
POINTS = 100  # of the learning curve


# ---- the task ----
def sequences(keys, delay):
    """Return sequences (N, p + 1) of symbols 0 to p that begin and end with keys (N,), 0 or 1.

    Symbols 0 and 1 are x and y, symbols 2, 3, ... are a_1, a_2, ...
    """
    symbols = np.tile(np.arange(1, delay + 2), (len(keys), 1))  # (N, p + 1)
    symbols[:, 0] = keys
    symbols[:, -1] = keys
    return symbols


def logistic(z):
    """Replace z by 1 / (1 + exp(-z)); exp of more than 88 overflows in 32 bits."""
    np.negative(z, out=z)
    np.minimum(z, 80, out=z)
    np.exp(z, out=z)
    z += 1
    return np.reciprocal(z, out=z)


# ---- the two networks ----
class Net:
    """N nets in lock-step: K inputs and one hidden number s feed K logistic outputs.

    After symbol j, output k says y_k(t) = sig(W_jk + v_k s(t)). Inputs are one-hot, so that row j
    of a table of weights is what symbol j sends. As in the paper there are no biases.
    """

    arrays = ("rate", "W", "v")  # those that have a row for each net

    def __init__(self, rng, rates, config):
        self.rng, self.config = rng, config
        K = config.delay + 1
        self.rate = np.asarray(rates, np.float32)[:, None]  # (N, 1)
        self.W = self.draw(len(rates), K, K)  # (N, K, K)
        self.v = self.draw(len(rates), K)  # (N, K)

    def draw(self, *shape):
        """Draw initial weights."""
        limit = self.config.weight_range
        return self.rng.uniform(-limit, limit, shape).astype(np.float32)

    def keep(self, rows):
        """Let go of all other nets."""
        for name in self.arrays:
            setattr(self, name, getattr(self, name)[rows])

    def forward(self, symbols):
        """Return what the nets predict, y (N, T, K), after each of their inputs symbols (N, T)."""
        self.s = self.hidden(symbols)  # (N, T)
        return self.read_out(symbols, self.s)

    def learn(self, symbols, wanted, y):
        """Learn from sequences whose predictions were y; return their squared errors (N,)."""
        return self.descend(symbols, wanted, y)

    def descend(self, symbols, wanted, y):
        """Learn that wanted (N, T) came after symbols (N, T); return the squared errors (N,)."""
        d_s, loss = self.learn_read_out(symbols, wanted, self.s, y)
        self.learn_hidden(symbols, d_s)
        return loss

    def read_out(self, symbols, s):
        """Return the outputs (N, T, K), given the hidden numbers s (N, T)."""
        z = self.W[nets(symbols), symbols]  # (N, T, K)
        z += s[:, :, None] * self.v[:, None]
        return logistic(z)

    def learn_read_out(self, symbols, wanted, s, y):
        """Descend half the squared error E; return dE/ds (N, T) and 2 E (N,)."""
        error = y.copy()  # (N, T, K)
        error[nets(symbols), np.arange(y.shape[1]), wanted] -= 1
        d_z = (1 - y) * y  # (N, T, K)
        d_z *= error
        d_s = np.matmul(d_z, self.v[:, :, None])[:, :, 0]  # (N, T)
        d_v = np.matmul(s[:, None], d_z)[:, 0]  # (N, K)
        self.v -= self.rate * d_v
        d_z *= self.rate[:, :, None]
        self.subtract(self.W, symbols, d_z)
        return d_s, np.einsum("ntk,ntk->n", error, error)

    def subtract(self, table, symbols, change):
        """Take change (N, T, ...) from the rows of symbols (N, T), each of which occurs once."""
        table[nets(symbols), symbols] -= change


def nets(symbols):
    """Return the numbers of the nets (N, 1), which go with symbols (N, T) in an index."""
    return np.arange(len(symbols))[:, None]


class Lstm(Net):
    """One memory cell, s(t) = s(t-1) + sig(in_j) sig(cell_j) on symbol j, that joins a net later.

    There is neither an output gate nor a squashing of s. Gate and cell see the inputs alone, so
    that the gradient has but one way back through time, the carousel, and is exact.
    """

    arrays = (*Net.arrays, "gate", "cell", "joined", "window", "before")

    def __init__(self, rng, rates, config):
        super().__init__(rng, rates, config)
        N, K = self.v.shape
        self.v[:] = 0  # nothing is read before the cell is there
        self.gate = np.zeros((N, K), np.float32)  # in_j
        self.cell = np.zeros((N, K), np.float32)  # cell_j
        self.joined = np.zeros(N, np.int64)  # sequence after which the cell joined, 0: not yet
        self.window = np.zeros(N)  # summed errors of the present window
        self.before = np.full(N, np.inf)  # of the last one
        self.seen = 0
        self.joins = []  # every sequence after which some cell joined

    def hidden(self, symbols):
        """Return the states of the cells (N, T)."""
        self.i = logistic(self.gate[nets(symbols), symbols])  # (N, T)
        self.g = logistic(self.cell[nets(symbols), symbols])  # (N, T)
        return np.cumsum(self.i * self.g, axis=1) * (self.joined > 0)[:, None]

    def learn_hidden(self, symbols, d_s):
        """Descend by dE/ds (N, T): what enters the cell at one step counts at all later ones."""
        i, g = self.i, self.g
        d_enter = self.rate * np.cumsum(d_s[:, ::-1], axis=1)[:, ::-1]  # (N, T)
        self.subtract(self.gate, symbols, d_enter * g * i * (1 - i))
        self.subtract(self.cell, symbols, d_enter * i * g * (1 - g))

    def learn(self, symbols, wanted, y):
        """Learn, and let the cell join where the error of a window hardly fell."""
        loss = self.descend(symbols, wanted, y)
        self.seen += 1
        self.window += loss
        if self.seen % self.config.plateau_window == 0:
            slow = self.before - self.window < self.config.plateau_drop * self.before  # (N,)
            self.add_cell(slow & (self.joined == 0))
            self.before = self.window
            self.window = np.zeros_like(self.before)
        return loss

    def add_cell(self, new):
        """Draw the weights of the cell and its gate in the nets new (N,)."""
        shape = (new.sum(), self.v.shape[1])
        self.v[new] = self.draw(*shape)
        self.cell[new] = self.draw(*shape)
        self.gate[new] = self.draw(*shape) + np.float32(self.config.gate_shift)
        self.joined[new] = self.seen
        self.joins += [self.seen] * len(self.joined[new])


class RecurrentNet(Net):
    """One logistic unit that sees itself, s(t) = sig(u_j + r s(t-1)), trained by full BPTT."""

    arrays = (*Net.arrays, "u", "r")

    def __init__(self, rng, rates, config):
        super().__init__(rng, rates, config)
        self.u = self.draw(*self.v.shape)  # (N, K)
        self.r = self.draw(len(rates))  # (N,)

    def hidden(self, symbols):
        """Return the activations (N, T), as (1 + h) / 2 with h(t) = tanh(half the net input)."""
        half = self.u[nets(symbols), symbols].T / 2 + self.r / 4  # (T, N)
        half[0] -= self.r / 4  # the unit is 0 before the first step
        h = np.tanh(half)  # (T, N), right at the first step
        quarter = self.r / 4  # (N,)
        for t in range(1, len(h)):
            np.multiply(quarter, h[t - 1], out=h[t])
            h[t] += half[t]
            np.tanh(h[t], out=h[t])
        return (1 + h.T) / 2

    def learn_hidden(self, symbols, d_s):
        """Descend by dE/ds (N, T), back through all steps."""
        d_a = (d_s * self.s * (1 - self.s)).T.copy()  # (T, N), now without what comes from later
        back = (self.r[:, None] * self.s * (1 - self.s)).T.copy()  # (T, N)
        for t in range(len(d_a) - 2, -1, -1):
            d_a[t] += back[t] * d_a[t + 1]
        d_r = (d_a[1:] * self.s.T[:-1]).sum(0)  # (N,)
        self.r -= self.rate[:, 0] * d_r
        self.subtract(self.u, symbols, self.rate * d_a.T)


# ---- training and testing ----
def examine(net, config):
    """Return the largest error of each net (N,) on the two sequences, and that at their ends."""
    largest = []
    for key in (0, 1):
        symbols = sequences(np.full(len(net.v), key), config.delay)  # (N, p + 1)
        error = net.forward(symbols[:, :-1])  # (N, T, K)
        error[nets(symbols), np.arange(config.delay), symbols[:, 1:]] -= 1
        largest.append(np.abs(error).max(2))
    largest = np.maximum(*largest)  # (N, T)
    return largest.max(1), largest[:, -1]


class Trainer:
    """Shows sequences to the nets until they have learned it; arrays have a row for each net."""

    def __init__(self, net, rng, config):
        self.net, self.rng, self.config = net, rng, config
        N = len(net.v)
        self.running = np.arange(N)  # nets that still train
        self.sequences = np.zeros(N, np.int64)
        self.solved = np.zeros(N, bool)
        self.at_end = np.ones(N)  # largest error at the end of a sequence
        self.curve = np.ones((N, POINTS))
        self.seen = 0  # sequences of each net that still trains

    def draw(self):
        """Draw a sequence for each net that still trains, (N, p + 1)."""
        keys = self.rng.integers(2, size=len(self.running))  # (N,)
        return sequences(keys, self.config.delay)

    def test(self):
        """Return the errors (N,) that decide, and those at the end of a sequence."""
        return examine(self.net, self.config)

    def train(self, progress):
        """Train each net until it has learned the task or the budget ends."""
        limit = self.config.max_sequences
        while len(self.running) and self.seen < limit:
            symbols = self.draw()  # (N, p + 1)
            y = self.net.forward(symbols[:, :-1])
            loss = self.net.learn(symbols[:, :-1], symbols[:, 1:], y)  # (N,)
            if not np.isfinite(loss).all():
                raise FloatingPointError(f"loss is nan at sequence {self.seen}")
            self.seen += 1
            if self.seen % self.config.check_every == 0 or self.seen == limit:
                self.check()
                left = f"{self.seen:,} sequences, nets left: {len(self.running)}"
                progress(self.seen / limit, left)

    def check(self):
        """Test the nets, and let go of those that have learned it."""
        error, at_end = self.test()  # (N,) each
        rows = self.running
        self.sequences[rows] = self.seen
        self.at_end[rows] = at_end
        self.curve[rows, (self.seen - 1) * POINTS // self.config.max_sequences :] = at_end[:, None]
        solved = error < self.config.tolerance  # (N,)
        self.solved[rows] = solved
        self.running = rows[~solved]
        self.net.keep(~solved)


def run(config, seed, progress):
    """Train LSTMs, then recurrent nets with as many sequences as the slowest LSTM took."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    lstm_init, lstm_data, rnn_init, rnn_data = streams
    net = Lstm(lstm_init, [config.learning_rate] * config.nets, config)
    lstm = Trainer(net, lstm_data, config)
    started = process_time()
    lstm.train(lambda share, text: progress(share / 2, f"LSTM: {text}"))
    seconds = process_time() - started

    budget = replace(config, max_sequences=lstm.seen)
    rates = np.repeat(config.rnn_rates, config.rnn_nets)  # (R * n,)
    rnn = Trainer(RecurrentNet(rnn_init, rates, budget), rnn_data, budget)
    rnn.train(lambda share, text: progress(0.5 + share / 2, f"recurrent nets: {text}"))
    by_rate = (len(config.rnn_rates), config.rnn_nets)
    rnn_solved = rnn.solved.reshape(by_rate).mean(1).max()  # at the best rate

    took = lstm.sequences[lstm.solved]  # sequences of the nets that have learned it
    x = config.max_sequences * np.arange(1, POINTS + 1) / POINTS
    return {
        "lead": lstm.solved.mean() - rnn_solved,
        "lstm": {
            "solved": lstm.solved.mean(),
            "sequences": took.mean() if took.size else None,
            "fastest": took.min() if took.size else None,
            "slowest": took.max() if took.size else None,
            "joined": np.mean(net.joins) if net.joins else None,
            "at_end": lstm.at_end.mean(),
            "sequences_per_second": lstm.sequences.sum() / max(seconds, 1e-9),
        },
        "bptt": {
            "solved": rnn_solved,
            "at_end": rnn.at_end.reshape(by_rate).mean(1).min(),
            "sequences": rnn.seen,
        },
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
