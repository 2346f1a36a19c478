# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Embedded Reber strings: predict each next symbol, one of them announced many symbols earlier.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997,
experiment 1. Claim: in all of 30 trials an LSTM with three blocks of two cells predicts every
symbol of 256 training and 256 test strings, after 8,440 strings on average. Elman nets never do.
Task, cell, truncated gradient, criterion and number of trials are the paper's. The net is read as
in the authors' paper of 2000: gates see inputs and cell outputs, outputs see the inputs and a bias.
It descends the cross-entropy; the paper's rates count a quarter, which is the same first step.

    python3 embedded_reber.py --seed 0      # 30 LSTMs, then 30 Elman nets
    python3 embedded_reber.py --quick       # proves that the code runs
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
    nets: Annotated[int, "nets in lock-step, each with its own order of strings", (3, 300)] = 30
    blocks: Annotated[int, "memory blocks of an LSTM, each with two gates", (1, 16)] = 3
    block_size: Annotated[int, "memory cells per block", (1, 16)] = 2
    learning_rate: Annotated[float, "step size; the paper's divided by four", (0.0, 100.0)] = 0.125
    weight_range: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 2.0)] = 0.2
    gate_bias: Annotated[float, "initial, of output gate j: j times this", (-9.0, 9.0)] = -1.0
    strings: Annotated[int, "training strings, and as many test strings", (8, 4096)] = 256
    max_sequences: Annotated[int, "training strings of a net at most", (1, 10**7)] = 60_000
    check_every: Annotated[int, "training strings from test to test", (1, 10**7)] = 500
    elman_units: Annotated[int, "hidden units of the Elman nets", (1, 256)] = 15
    elman_rates: Annotated[tuple[float, ...], "Elman step sizes", (0.0, 9.0)] = (0.03, 0.1, 0.3)

    def __post_init__(self):
        if self.nets % len(self.elman_rates):
            raise ValueError("argument --nets: has to be a multiple of the number of Elman rates")


QUICK = {"nets": 3, "strings": 16, "max_sequences": 400, "check_every": 200}
PAIRS = 3  # of a training and a test set; net n has pair n % PAIRS
PORTION = 64  # strings that a test reads at a time, the short ones first
POINTS = 100  # of the learning curve

# ---- the task ----
SYMBOLS = "BTPSXVE"
BIAS = len(SYMBOLS)  # the place of the bias input, after those of the symbols
END = 6
GRAMMAR = (  # Reber's automaton behind its B: for each state {symbol: next state}
    {"T": 1, "P": 2},
    {"S": 1, "X": 3},
    {"T": 2, "V": 4},
    {"X": 2, "S": 5},
    {"P": 3, "V": 5},
    {"E": END},
)


def draw_string(rng):
    """Draw B o (B ... E) o E: a Reber string between two equal outer symbols, T or P."""
    outer = "TP"[rng.integers(2)]
    text, state = f"B{outer}B", 0
    while state != END:
        ways = list(GRAMMAR[state])
        symbol = ways[rng.integers(len(ways))]
        text, state = text + symbol, GRAMMAR[state][symbol]
    return f"{text}{outer}E"


def draw_set(rng, size, avoid=()):
    """Draw a set of strings, with its duplicates, none of which is in `avoid`."""
    texts = []
    while len(texts) < size:
        text = draw_string(rng)
        if text not in avoid:
            texts.append(text)
    return texts


def legal_successors(text):
    """List for each symbol but the last what may follow it."""
    outer, state = text[1], 0
    legal = ["TP", "B"]  # after the first B, after the outer symbol
    for symbol in text[3:-2]:
        legal.append("".join(GRAMMAR[state]))
        state = GRAMMAR[state][symbol]
    return [*legal, outer, "E"]  # only the outer symbol that came first may return


def encode(texts):
    """Return inputs (T, S, 8), targets and legal successors (T, S, 7) of S strings.

    Beyond a string's end its inputs and the bias input are 0, and all successors are legal.
    """
    steps = max(map(len, texts)) - 1  # T; the last symbol is only predicted
    x = np.zeros((steps, len(texts), BIAS + 1), np.float32)
    target = np.zeros((steps, len(texts), BIAS), np.float32)
    legal = np.ones((steps, len(texts), BIAS), bool)
    for s, text in enumerate(texts):
        codes = np.array([SYMBOLS.index(symbol) for symbol in text])
        inside = np.arange(len(text) - 1)
        x[inside, s, codes[:-1]] = 1
        x[inside, s, BIAS] = 1
        target[inside, s, codes[1:]] = 1
        legal[inside, s] = [[k in after for k in SYMBOLS] for after in legal_successors(text)]
    return x, target, legal


# ---- the two networks ----
def flat(v):
    """Reorder v (T, N, K, B) as (N, K, T B): one matrix per net."""
    return v.transpose(1, 2, 0, 3).reshape(v.shape[1], v.shape[2], -1)


def logistic(a):
    """Squash a into (0, 1)."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


class Elman:
    """N Elman nets in lock-step: G units h = sig(W z) and seven outputs sig(V r).

    z is [symbol, bias, units one step before], and 0 before a string. r is [bias, units].
    """

    first = BIAS  # of the inputs that the outputs see directly: the bias alone

    def __init__(self, units, seen):
        self.units, self.seen = units, seen  # G, and how many of them others see

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net."""
        width = BIAS + 1 + self.seen
        size = self.units * width + BIAS * (width - self.first)  # P
        reach = config.weight_range
        return rng.uniform(-reach, reach, (nets, size)).astype(np.float32)

    def weights(self, theta):
        """Return views of theta: W (N, G, 8 + seen) of the units, V (N, 7, R) of the outputs."""
        width = BIAS + 1 + self.seen
        split = self.units * width
        W = theta[:, :split].reshape(-1, self.units, width)
        V = theta[:, split:].reshape(-1, BIAS, width - self.first)
        return W, V

    def forward(self, theta, x):
        """Return the outputs (T, N, 7, B) at all steps of x (T, N, 8, B)."""
        T, N, _, B = x.shape
        self.W, self.V = self.weights(theta)
        self.z = np.zeros((T + 1, N, BIAS + 1 + self.seen, B), theta.dtype)
        self.z[:-1, :, : BIAS + 1] = x
        self.unroll(self.z)  # step t fills in z[t + 1]
        units = self.z[1:, :, BIAS + 1 :]  # (T, N, seen, B)
        self.r = flat(np.concatenate([x[:, :, self.first :], units], axis=2))  # (N, R, T B)
        a = np.matmul(self.V, self.r)  # (N, 7, T B)
        return logistic(a).reshape(N, BIAS, T, B).transpose(2, 0, 1, 3)

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(net inputs of the outputs) (T, N, 7, B)."""
        T, N, _, B = d_a.shape
        d_a = flat(d_a)  # (N, 7, T B)
        dV = np.matmul(d_a, self.r.transpose(0, 2, 1))  # (N, 7, R)
        d_units = np.matmul(self.V[:, :, -self.seen :].transpose(0, 2, 1), d_a)  # (N, seen, T B)
        d_units = d_units.reshape(N, -1, T, B).transpose(2, 0, 1, 3)  # (T, N, seen, B)
        d_net = self.unroll_back(d_units)  # (T, N, G, B)
        dW = np.matmul(flat(d_net), flat(self.z[:-1]).transpose(0, 2, 1))  # (N, G, 8 + seen)
        return np.concatenate([dW.reshape(N, -1), dV.reshape(N, -1)], axis=1)

    def unroll(self, z):
        """Fill in the units of z (T + 1, N, 8 + G, B)."""
        for t in range(len(z) - 1):
            z[t + 1, :, BIAS + 1 :] = logistic(np.matmul(self.W, z[t]))

    def unroll_back(self, d_units):
        """Return dE/d(net inputs) (T, N, G, B), cut off after one step, as is usual for them."""
        h = self.z[1:, :, BIAS + 1 :]  # (T, N, G, B)
        return d_units * h * (1 - h)


class Lstm(Elman):
    """Memory cells of 1997: J blocks of S cells with an input and an output gate, no forget gate.

    z is [symbol, bias, cell outputs one step before], r is [symbol, bias, cell outputs]. A gate is
    sig(a), a cell is offered g(a) = 4 sig(a) - 2 and shows h(s) = 2 sig(s) - 1. As 2 sig(a) - 1 =
    tanh(a / 2), one tanh serves all of them: g and the state s stand here at half their size, so
    that g = tanh(a / 2), h = tanh(s), and a gate is (1 + tanh(a / 2)) / 2.
    """

    first = 0  # the outputs see the symbol, too

    def __init__(self, config):
        self.C, self.J = config.blocks * config.block_size, config.blocks
        super().__init__(self.C + 2 * self.J, self.C)  # units: cells, input gates, output gates

    def initial(self, rng, nets, config):
        """Draw the weights; cells have no bias, and negative ones shut the output gates."""
        theta = super().initial(rng, nets, config)
        bias = self.weights(theta)[0][:, :, BIAS]  # (N, G)
        bias[:, : self.C] = 0
        bias[:, self.C + self.J :] = config.gate_bias * np.arange(1, self.J + 1)
        return theta

    def unroll(self, z):
        """Fill in the cell outputs of z (T + 1, N, 8 + C, B)."""
        C, J, half = self.C, self.J, self.W / 2
        T, N, B = len(z) - 1, z.shape[1], z.shape[3]
        self.u = u = np.empty((T, N, self.units, B), z.dtype)  # tanh(a / 2)
        self.gates = gates = np.empty((T, N, 2, J, 1, B), z.dtype)  # input gates, output gates
        y = z[1:, :, BIAS + 1 :].reshape(T, N, J, -1, B)  # (T, N, J, S, B)
        self.g = u[:, :, :C].reshape(y.shape)
        raw = u[:, :, C:].reshape(gates.shape)
        self.s = np.zeros((T + 1, *y.shape[1:]), z.dtype)  # (T + 1, N, J, S, B)
        self.h = np.empty_like(y)
        for t in range(T):
            np.matmul(half, z[t], out=u[t])
            np.tanh(u[t], out=u[t])
            np.add(raw[t], 1, out=gates[t])
            np.multiply(gates[t], 0.5, out=gates[t])
            np.multiply(gates[t, :, 0], self.g[t], out=self.h[t])
            np.add(self.s[t], self.h[t], out=self.s[t + 1])  # the constant error carousel
            np.tanh(self.s[t + 1], out=self.h[t])
            np.multiply(gates[t, :, 1], self.h[t], out=y[t])

    def unroll_back(self, d_units):
        """Return the paper's truncated dE/d(net inputs) (T, N, G, B).

        Error that reaches a net input goes no further back; only the carousel carries it, and
        unchanged. So what a state is blamed for is a sum over the steps from there on.
        """
        C, J, h, g = self.C, self.J, self.h, self.g
        i, o = self.gates[:, :, 0], self.gates[:, :, 1]  # (T, N, J, 1, B)
        d_y = d_units.reshape(h.shape)  # (T, N, J, S, B)
        d_o = (d_y * h).sum(3)  # (T, N, J, B)
        d_s = d_y * o * (1 - h * h)  # (T, N, J, S, B), what each step adds to the blame
        d_s = d_s[::-1].cumsum(0)[::-1]
        d_i = (d_s * g).sum(3)  # (T, N, J, B)
        d_g = d_s * i  # (T, N, J, S, B)
        d_net = np.empty_like(self.u)  # (T, N, G, B)
        d_net[:, :, :C] = (d_g * (1 - g * g) / 2).reshape(d_units.shape)
        d_net[:, :, C : C + J] = d_i * (i * (1 - i))[:, :, :, 0]
        d_net[:, :, C + J :] = d_o * (o * (1 - o))[:, :, :, 0]
        return d_net

    def backward(self, d_a):
        """Return dE/dtheta (N, P), which is 0 for the biases that cells do not have."""
        gradient = super().backward(d_a)
        self.weights(gradient)[0][:, : self.C, BIAS] = 0
        return gradient


# ---- training and testing ----
def right(y, legal):
    """Tell where each legal successor is more active than every other symbol: (T, N, B).

    y is (T, N, 7, B), legal is (T, 7, B).
    """
    legal = legal[:, None]  # (T, 1, 7, B)
    least_legal = np.where(legal, y, np.inf).min(2)  # (T, N, B)
    most_illegal = np.where(legal, -np.inf, y).max(2)  # (T, N, B)
    return least_legal > most_illegal


def answers(net, theta, texts):
    """Tell which steps of the strings the nets predict right: (T, N, S)."""
    x, _, legal = encode(texts)
    x = np.repeat(x.transpose(0, 2, 1)[:, None], len(theta), axis=1)  # (T, N, 8, S)
    return right(net.forward(theta, x), legal.transpose(0, 2, 1))


class Trainer:
    """Descent, once a string, for N nets; each array has one row per net."""

    def __init__(self, net, theta, rates, pairs, config):
        self.net, self.theta, self.config, self.pairs = net, theta, config, pairs
        self.rates = np.broadcast_to(rates, len(theta)).astype(theta.dtype)[:, None]  # (N, 1)
        self.pair = np.arange(len(theta)) % len(pairs)
        texts = [text for training, _ in pairs for text in training]
        self.lengths = np.array([len(text) for text in texts], np.intp)
        self.x, self.target, _ = encode(texts)
        self.sequences = np.zeros(len(theta), np.int64)
        self.solved = np.zeros(len(theta), bool)
        self.running = np.arange(len(theta))  # the nets that still train
        self.seen = 0  # strings of each of these

    def train(self, rng, progress):
        """Train each net until it has solved the task or the budget ends."""
        budget = self.config.max_sequences
        while len(self.running) and self.seen < budget:
            self.lap(rng, min(self.config.check_every, budget - self.seen))
            text = f"{self.seen:,} strings, nets left: {len(self.running)}"
            progress(self.seen / budget if len(self.running) else 1.0, text)

    def lap(self, rng, count):
        """Learn from `count` strings, each net from its own, then let go of the nets that pass."""
        rows, strings = self.running, self.config.strings
        theta, rates = self.theta[rows], self.rates[rows]
        picks = rng.integers(strings, size=(count, len(rows))) + self.pair[rows] * strings
        for pick in picks:
            steps = self.lengths[pick].max() - 1  # T
            self.learn(theta, rates, self.x[:steps, pick], self.target[:steps, pick])
        if not np.isfinite(theta).all():
            raise FloatingPointError(f"a weight is not finite at string {self.seen}")
        self.seen += count
        self.theta[rows] = theta
        self.sequences[rows] = self.seen
        self.solved[rows] = self.passed(rows)
        self.running = np.flatnonzero(~self.solved)

    def learn(self, theta, rates, x, target):
        """Take a step from a string of each net: x (T, N, 8), target (T, N, 7)."""
        y = self.net.forward(theta, x[..., None])[..., 0]  # (T, N, 7)
        delta = self.output_delta(y, target) * x[:, :, BIAS:]  # 0 beyond a string's end
        theta -= rates * self.net.backward(delta[..., None])

    def output_delta(self, y, target):
        """Return dE/d(net inputs of the outputs) (T, N, 7) of the cross-entropy."""
        return y - target

    def passed(self, rows):
        """Tell which nets predict every step of every string of their two sets right."""
        passed = np.zeros(len(rows), bool)
        for p, (training, test) in enumerate(self.pairs):
            texts = sorted({*training, *test}, key=lambda text: (len(text), text))
            left = np.flatnonzero(self.pair[rows] == p)  # who has not failed yet
            for k in range(0, len(texts), PORTION):
                if len(left):
                    fine = answers(self.net, self.theta[rows[left]], texts[k : k + PORTION])
                    left = left[fine.all((0, 2))]
            passed[left] = True
        return passed


def summary(trainer, fresh, groups=1):
    """Return the metrics of the nets, each share as the best of so many groups of them has it."""
    fine = answers(trainer.net, trainer.theta, fresh)  # (T, N, S)
    outer = np.array([len(text) - 3 for text in fresh])  # the step before the outer symbol returns
    count = trainer.sequences[trainer.solved]

    def best(share):
        return share.reshape(groups, -1).mean(1).max()

    return {
        "solved": best(trainer.solved),
        "sequences": count.mean() if len(count) else None,
        "fewest": count.min() if len(count) else None,
        "most": count.max() if len(count) else None,
        "to_budget": trainer.sequences.mean(),
        "fresh": best(fine.all(0).mean(1)),  # strings that are right at every step
        "outer": best(fine[outer, :, np.arange(len(fresh))].mean(0)),  # outer symbols
    }


def draw_data(rng, config):
    """Draw PAIRS pairs of sets, and strings that are in none of these, for a last examination."""
    pairs = []
    for _ in range(PAIRS):
        training = draw_set(rng, config.strings)
        pairs.append((training, draw_set(rng, config.strings, set(training))))
    known = {text for pair in pairs for texts in pair for text in texts}
    return pairs, draw_set(rng, config.strings, known)


def run(config, seed, progress):
    """Train LSTMs, then Elman nets, on the same sets, with the same budget and criterion."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    data, lstm_init, lstm_order, elman_init, elman_order = streams
    pairs, fresh = draw_data(data, config)

    net = Lstm(config)
    theta = net.initial(lstm_init, config.nets, config)
    lstm = Trainer(net, theta, config.learning_rate, pairs, config)
    started = time.process_time()
    lstm.train(lstm_order, lambda share, text: progress(share / 2, f"LSTM: {text}"))
    seconds = time.process_time() - started

    net = Elman(config.elman_units, config.elman_units)
    theta = net.initial(elman_init, config.nets, config)
    groups = len(config.elman_rates)
    rates = np.repeat(config.elman_rates, config.nets // groups)
    elman = Trainer(net, theta, rates, pairs, config)
    elman.train(elman_order, lambda share, text: progress(0.5 + share / 2, f"Elman: {text}"))

    table = {"lstm": summary(lstm, fresh), "elman": summary(elman, fresh, groups)}
    table["lstm"]["sequences_per_second"] = lstm.sequences.sum() / seconds
    table["lead_over_elman"] = table["lstm"]["solved"] - table["elman"]["solved"]
    x = config.max_sequences * np.arange(1, POINTS + 1) / POINTS
    done = lstm.solved & (lstm.sequences <= x[:, None])  # (POINTS, N)
    table["curve"] = {"x": x.tolist(), "y": done.mean(1).tolist()}
    return table


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
