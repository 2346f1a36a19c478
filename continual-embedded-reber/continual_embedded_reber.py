# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Embedded Reber strings without end: a net that nobody resets has to learn to forget.

F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to Forget: Continual Prediction with LSTM",
Neural Computation 12(10):2451-2471, 2000. Strings follow each other in one stream, and the net
names the legal next letters. Claim: the cells of 1997 fill up and fail, a forget gate empties them,
and 62 of 100 nets with it make a million right predictions in a row, in each of ten streams.
Four kinds of net read the same streams: with forget gates, without, with a leak of 0.9 in their
place, and without but emptied from outside at each new string. Task, net, gradient and test are
the paper's; the step is Adam's. study_continual_embedded_reber.py has the million symbols.

    python3 continual_embedded_reber.py --seed 0      # four kinds, ten nets each
    python3 continual_embedded_reber.py --quick       # proves that the code runs
"""

import os
from collections import namedtuple
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each kind, in lock-step", (1, 1000)] = 10
    blocks: Annotated[int, "memory blocks, each with three gates", (1, 16)] = 4
    cells: Annotated[int, "memory cells per block", (1, 16)] = 2
    streams: Annotated[int, "training streams that a net reads at once", (1, 1000)] = 8
    chunk: Annotated[int, "symbols of each stream per update", (2, 1000)] = 36
    chunks: Annotated[int, "updates", (1, 10**7)] = 12_000
    stream_symbols: Annotated[int, "symbols after which a training stream ends", (1, 10**9)] = (
        10_000
    )
    learning_rate: Annotated[float, "step size of the first update", (1e-9, 1.0)] = 0.05
    final_rate: Annotated[float, "of the last; it falls exponentially", (1e-9, 1.0)] = 0.001
    weight_range: Annotated[float, "initial weights are uniform in [-this, this]", (0, 2.0)] = 0.2
    gate_bias: Annotated[float, "initial, of block 1; block k has k times it", (0.0, 9.0)] = 0.5
    leak: Annotated[float, "what the cells of decay keep from step to step", (0.0, 1.0)] = 0.9
    test_streams: Annotated[int, "test streams of a net", (1, 1000)] = 10
    test_symbols: Annotated[int, "length of a test stream", (100, 10**9)] = 100_000
    bound: Annotated[float, "right: each output is off by less", (0.0, 1.0)] = 0.49


QUICK = {"nets": 2, "chunks": 40, "test_symbols": 1000}
GOOD = 1000  # a good net makes more right predictions in a row than this, on average
BLOCK, FILL = 100, 2000  # symbols that are read at once; that fill a net before a look into it
BETA_1, BETA_2, EPSILON = 0.9, 0.98, 1e-8  # of Adam
POINTS = 100  # of the learning curve


# ---- the task ----
SYMBOLS = "BTPSXVE"
ARCS = ("T1 P2", "S1 X3", "T2 V4", "X2 S5", "P3 V5", "E6")  # of each inner node: letter, node
Grammar = namedtuple("Grammar", "emit follow legal outer")


def embedded_reber(marks=True):
    """Return the automaton of an endless stream, whose node 0 stands between two strings.

    emit, follow (K, 2): letter and next node, by node and coin; legal (7, K): 1 for each letter
    that may come next; outer (K,): whether the string's first T or P has to come again.
    Without marks the letters B and E at a string's ends are left out.
    """
    arcs = {"start": [("B", "first")]} if marks else {}
    arcs["first"] = [("T", "T:B"), ("P", "P:B")]
    for first in "TP":
        arcs[f"{first}:B"] = [("B", f"{first}:0")]
        for node, text in enumerate(ARCS):
            arcs[f"{first}:{node}"] = [(arc[0], f"{first}:{arc[1]}") for arc in text.split()]
        arcs[f"{first}:6"] = [(first, f"{first}:7" if marks else "first")]
        if marks:
            arcs[f"{first}:7"] = [("E", "start")]
    names = list(arcs)
    two = [(arcs[name] * 2)[:2] for name in names]  # where one arc leads on, both coins take it
    emit = np.array([[SYMBOLS.index(letter) for letter, _ in pair] for pair in two], np.intp)
    follow = np.array([[names.index(node) for _, node in pair] for pair in two], np.intp)
    legal = (emit == np.arange(len(SYMBOLS))[:, None, None]).any(2)  # (7, K)
    return Grammar(emit, follow, legal, np.array([name.endswith(":6") for name in names]))


def read_on(grammar, node, coins):
    """Read T letters on from each node (N, B), as the coins (T, N, B) fall.

    Returns x (T, 8, N, B), letters and a bias; targets (N, 7, T, B); and nodes (T + 1, N, B).
    """
    T, N, B = coins.shape
    nodes = np.empty((T + 1, N, B), np.intp)
    nodes[0] = node
    arcs = np.empty((T, N, B), np.intp)
    for t in range(T):
        np.add(2 * nodes[t], coins[t], out=arcs[t])
        np.take(grammar.follow, arcs[t], out=nodes[t + 1])
    letters = grammar.emit.ravel()[arcs]  # (T, N, B)
    x = np.ones((T, len(SYMBOLS) + 1, N, B), np.float32)
    x[:, :-1] = letters[:, None] == np.arange(len(SYMBOLS))[:, None, None]
    legal = grammar.legal[:, nodes[1:]]  # (7, T, N, B)
    return x, legal.transpose(2, 0, 1, 3).astype(np.float32), nodes


# ---- the network ----
class Lstm:
    """N nets in lock-step, each of J blocks of S memory cells, by the truncated gradient.

    A gate is sig(a), a cell is offered g(a) = 4 sig(a) - 2 and shows h(s) = 2 sig(s) - 1. As
    2 sig(a) - 1 = tanh(a / 2), one tanh serves all of them: g and the state s stand here at half
    their size, so that g = tanh(a / 2), h = tanh(s), and a gate is (1 + tanh(a / 2)) / 2.
    """

    def __init__(self, config, leak, resets):
        """Keep leak (N,), nan where a gate decides, at first; resets (N,): whether B empties it."""
        self.J, self.S = config.blocks, config.cells
        self.C = self.J * self.S
        self.G = self.C + 3 * self.J  # units: cells, then input, output and forget gates
        self.F = len(SYMBOLS) + 1 + self.C  # they see letters, bias, cells
        self.leak, self.resets = np.asarray(leak, np.float32), np.asarray(resets, np.float32)
        self.gated = int(np.isnan(self.leak).sum())  # so many nets have forget gates

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P); cells have no bias, gates one that differs by block."""
        theta = rng.uniform(
            -config.weight_range, config.weight_range, (nets, (self.G + len(SYMBOLS)) * self.F)
        ).astype(np.float32)
        bias = self.weights(theta)[0][:, :, len(SYMBOLS)]  # (N, G)
        step = config.gate_bias * np.arange(1, self.J + 1)
        bias[:, : self.C] = 0
        bias[:, self.C :] = np.concatenate([-step, -step, step])
        return theta

    def weights(self, theta):
        """Return views of theta: W (N, G, F) of the units, V (N, 7, F) of the outputs."""
        W, V = np.split(theta, [self.G * self.F], axis=1)
        return W.reshape(len(W), self.G, self.F), V.reshape(len(V), len(SYMBOLS), self.F)

    def empty(self, streams, dtype=np.float32):
        """Return the state before a stream: s and y, (C, N, B) each."""
        return np.zeros((2, self.C, len(self.leak), streams), dtype)

    def forward(self, theta, x, fresh, state):
        """Return the outputs (N, 7, T, B) for x (T, 8, N, B), and the state after them.

        fresh (T, N, B) tells which letters begin a string.
        """
        C, J, S, gated = self.C, self.J, self.S, self.gated
        W, V = self.weights(theta)
        half = W / 2
        T, inputs, N, B = x.shape
        self.z = np.empty((T + 1, self.F, N, B), theta.dtype)  # letters, bias, y one step before
        self.z[:-1, :inputs] = x
        self.z[0, inputs:] = state[1]
        u = np.empty((T, self.G, N, B), theta.dtype)  # tanh(a / 2)
        gates = np.empty((T, 3, J, N, B), theta.dtype)
        self.i, self.o, self.f = gates.transpose(1, 0, 2, 3, 4)  # (T, J, N, B)
        self.g = u[:, :C].reshape(T, S, J, N, B)
        self.s = np.empty((T + 1, S, J, N, B), theta.dtype)
        self.h = np.empty((T, S, J, N, B), theta.dtype)
        self.s[0] = state[0].reshape(S, J, N, B)
        self.keep = np.empty((T, J, N, B), theta.dtype)  # the forget gate or what is in its place
        self.keep[:] = (self.leak[:, None] * (1 - self.resets[:, None] * fresh))[:, None]
        y = self.z[1:, inputs:].reshape(T, S, J, N, B)
        written = np.empty_like(self.h[0])
        for t in range(T):
            np.matmul(half, self.z[t].transpose(1, 0, 2), out=u[t].transpose(1, 0, 2))
            np.tanh(u[t], out=u[t])
            np.multiply(u[t, C:].reshape(3, J, N, B), 0.5, out=gates[t])
            np.add(gates[t], 0.5, out=gates[t])
            self.keep[t, :, :gated] = self.f[t, :, :gated]
            np.multiply(self.keep[t], self.s[t], out=self.s[t + 1])
            np.multiply(self.i[t], self.g[t], out=written)
            np.add(self.s[t + 1], written, out=self.s[t + 1])
            np.tanh(self.s[t + 1], out=self.h[t])
            np.multiply(self.o[t], self.h[t], out=y[t])
        seen = np.concatenate([x, self.z[1:, inputs:]], axis=1)  # (T, F, N, B)
        self.V, self.seen = V, by_net(seen)  # (N, F, TB)
        a = np.matmul(V, self.seen).reshape(N, -1, T, B)
        state = np.stack([self.s[-1].reshape(C, N, B), self.z[-1, inputs:]])
        return 0.5 + 0.5 * np.tanh(a / 2), state

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(net inputs of the outputs) (N, 7, T, B).

        Error that reaches a net input goes no further back; only the cell states carry it, from
        step to step by what they keep, and not over the beginning of the chunk.
        """
        C, J, gated = self.C, self.J, self.gated
        g, i, o, f, s, h = self.g, self.i, self.o, self.f[:, :, :gated], self.s, self.h
        N, _, T, B = d_a.shape
        d_a = d_a.reshape(N, -1, T * B)
        d_y = np.matmul(self.V[:, :, -C:].transpose(0, 2, 1), d_a)  # (N, C, TB)
        d_y = d_y.reshape(N, C, T, B).transpose(2, 1, 0, 3).reshape(h.shape)  # (T, S, J, N, B)
        d_o = (d_y * h).sum(1)  # (T, J, N, B)
        d_s = d_y * o[:, None] * (1 - h * h)  # (T, S, J, N, B)
        for t in reversed(range(T - 1)):
            d_s[t] += self.keep[t + 1] * d_s[t + 1]
        d_g = d_s * i[:, None]  # (T, S, J, N, B)
        d_i = (d_s * g).sum(1)  # (T, J, N, B)
        d_f = (d_s[:, :, :, :gated] * s[:-1, :, :, :gated]).sum(1)  # (T, J, gated nets, B)
        d_units = np.zeros((T, self.G, N, B), d_a.dtype)
        d_units[:, :C] = (d_g * (1 - g * g) / 2).reshape(T, C, N, B)
        d_units[:, C : C + J] = d_i * i * (1 - i)
        d_units[:, C + J : C + 2 * J] = d_o * o * (1 - o)
        d_units[:, C + 2 * J :, :gated] = d_f * f * (1 - f)
        dW = np.matmul(by_net(d_units), by_net(self.z[:-1]).transpose(0, 2, 1))  # (N, G, F)
        dW[:, :C, len(SYMBOLS)] = 0
        dV = np.matmul(d_a, self.seen.transpose(0, 2, 1))  # (N, 7, F)
        return np.concatenate([dW.reshape(N, -1), dV.reshape(N, -1)], axis=1)


def by_net(a):
    """Turn (T, F, N, B) into (N, F, TB), one matrix for each net."""
    T, F, N, B = a.shape
    return a.transpose(2, 1, 0, 3).reshape(N, F, T * B)


# ---- training and testing ----
KINDS = ("forget", "standard", "decay", "reset")  # nets with forget gates have to come first


def build(config, kinds):
    """Return the nets of these kinds, config.nets of each."""
    leak = {"forget": np.nan, "standard": 1.0, "decay": config.leak, "reset": 1.0}
    leaks = np.repeat([leak[kind] for kind in kinds], config.nets)  # (N,)
    return Lstm(config, leaks, np.repeat([kind == "reset" for kind in kinds], config.nets))


class Trainer:
    """Trains nets side by side by Adam; the nets of each kind read the same coins."""

    def __init__(self, net, theta, grammar, config):
        self.net, self.theta, self.grammar, self.config = net, theta, grammar, config
        self.mean = np.zeros_like(theta)  # (N, P)
        self.square = np.zeros_like(theta)  # (N, P)
        self.node = np.zeros((len(theta), config.streams), np.intp)
        self.age = np.zeros(self.node.shape, np.int64)  # symbols of each stream so far
        self.state = net.empty(config.streams)
        self.updates = 0
        self.right = []  # after each update: the share (N,) of streams without an error in it

    def train(self, data, progress):
        """Take all the updates, on streams whose coins fall as data has it."""
        config = self.config
        shape = (config.chunk, config.nets, config.streams)
        for k in range(config.chunks):
            self.step(data.integers(0, 2, shape, np.uint8))
            progress((k + 1) / config.chunks, f"update {k + 1:,} of {config.chunks:,}")

    def step(self, coins):
        """Read a chunk, and learn from each stream up to a wrong prediction, which ends it."""
        coins = np.tile(coins, (1, len(self.theta) // coins.shape[1], 1))  # (T, N, B)
        x, target, nodes = read_on(self.grammar, self.node, coins)
        y, state = self.net.forward(self.theta, x, nodes[:-1] == 0, self.state)
        if not np.isfinite(y).all():
            raise FloatingPointError(f"loss is nan at update {self.updates}")
        error = y - target  # (N, 7, T, B)
        wrong = (np.abs(error) >= self.config.bound).any(1)  # (N, T, B)
        over = wrong.cumsum(1) > wrong  # (N, T, B), the stream has ended before
        error *= ~over[:, None]
        self.update(self.net.backward(error * y * (1 - y) / y.shape[3]))
        wrong = wrong.any(1)  # (N, B)
        self.age += len(coins)
        ended = wrong | (self.age >= self.config.stream_symbols)
        self.age[ended] = 0
        self.node = np.where(ended, 0, nodes[-1])
        self.state = state * ~ended
        self.right.append(1 - wrong.mean(1))

    def update(self, gradient):
        """Take a step of Adam's against the gradient (N, P) of half the squared error."""
        config = self.config
        fall = (config.final_rate / config.learning_rate) ** (self.updates / config.chunks)
        self.updates += 1
        self.mean += (1 - BETA_1) * (gradient - self.mean)
        self.square += (1 - BETA_2) * (gradient**2 - self.square)
        mean = self.mean / (1 - BETA_1**self.updates)  # (N, P)
        square = self.square / (1 - BETA_2**self.updates)  # (N, P)
        self.theta -= config.learning_rate * fall * mean / (np.sqrt(square) + EPSILON)


def run_lengths(net, theta, rng, grammar, config):
    """Return how many predictions (N, B) are right before the first wrong one, on test streams.

    A net whose streams have all ended leaves.
    """
    length = np.full((len(theta), config.test_streams), -1, np.int64)
    rows = np.arange(len(theta))
    node, state = np.zeros(length.shape, np.intp), net.empty(config.test_streams)
    for start in range(0, config.test_symbols, BLOCK):
        coins = rng.integers(0, 2, (BLOCK, config.nets, config.test_streams), np.uint8)
        x, target, nodes = read_on(grammar, node, coins[:, rows % config.nets])
        left = Lstm(config, net.leak[rows], net.resets[rows])
        y, state = left.forward(theta[rows], x, nodes[:-1] == 0, state)
        wrong = (np.abs(y - target) >= config.bound).any(1)  # (rows, T, B)
        first = np.where(wrong.any(1), start + wrong.argmax(1), -1)
        length[rows] = np.where(length[rows] < 0, first, length[rows])
        goes_on = (length[rows] < 0).any(1)
        rows, node, state = rows[goes_on], nodes[-1][goes_on], state[:, :, goes_on]
        if len(rows) == 0:
            break
    return np.where(length < 0, config.test_symbols, np.minimum(length, config.test_symbols))


def fill(net, theta, rng, grammar, config):
    """Return the mean |cell state| (N,) of the last BLOCK symbols of FILL, errors or not."""
    node = np.zeros((len(theta), config.test_streams), np.intp)
    state = net.empty(config.test_streams)
    for _ in range(FILL // BLOCK):
        coins = rng.integers(0, 2, (BLOCK, config.nets, config.test_streams), np.uint8)
        coins = np.tile(coins, (1, len(theta) // config.nets, 1))
        x, _, nodes = read_on(grammar, node, coins)
        _, state = net.forward(theta, x, nodes[:-1] == 0, state)
        node = nodes[-1]
    return 2 * np.abs(net.s[1:]).mean((0, 1, 2, 4))


def summary(length, state, config):
    """Return the metrics of one kind, whose nets made `length` (nets, streams) right predictions.

    Perfect: to the end of every stream. Good: more than GOOD on average.
    """
    return {
        "good": (length.mean(1) > GOOD).mean(),
        "perfect": (length == config.test_symbols).all(1).mean(),
        "median": np.median(length),
        "state": state.mean(),
    }


def train(config, kinds, grammar, stream, progress):
    """Train nets of these kinds, from the same weights on the same coins; return the trainer."""
    np.empty(31 * 2**20, np.uint8)  # after a block of this size glibc keeps what is freed: faster
    init, data = (np.random.default_rng(child) for child in stream.spawn(2))
    net = build(config, kinds)
    theta = np.tile(net.initial(init, config.nets, config), (len(kinds), 1))
    trainer = Trainer(net, theta, grammar, config)
    trainer.train(data, progress)
    return trainer


def run(config, seed, progress):
    """Train the four kinds of net side by side, and test them."""
    training, testing, filling = np.random.SeedSequence(seed).spawn(3)
    grammar = embedded_reber()
    started = process_time()
    trainer = train(config, KINDS, grammar, training, lambda s, text: progress(0.9 * s, text))
    seconds = process_time() - started
    net, theta = trainer.net, trainer.theta
    length = run_lengths(net, theta, np.random.default_rng(testing), grammar, config)
    state = fill(net, theta, np.random.default_rng(filling), grammar, config)
    parts = zip(KINDS, np.split(length, len(KINDS)), np.split(state, len(KINDS)))
    table = {kind: summary(part, held, config) for kind, part, held in parts}
    good = {kind: row["good"] for kind, row in table.items()}
    table["lead"] = {
        "over_standard": good["forget"] - good["standard"],
        "over_decay": good["forget"] - good["decay"],
        "of_reset": good["reset"] - good["standard"],
    }
    symbols = config.chunk * config.streams * np.arange(1, config.chunks + 1)  # of a net
    table["symbols_per_second"] = symbols[-1] * len(theta) / seconds
    right = np.array(trainer.right)[:, : config.nets].mean(1)  # of the nets with forget gates
    ends = np.linspace(0, config.chunks, min(POINTS, config.chunks) + 1).astype(int)
    y = [right[a:b].mean() for a, b in zip(ends[:-1], ends[1:])]
    table["curve"] = {"x": symbols[ends[1:] - 1].tolist(), "y": y}
    progress(1.0, "tested")
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
