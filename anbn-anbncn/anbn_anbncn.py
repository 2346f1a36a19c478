# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""One or two LSTM cells learn to count: a^n b^n, and the context-sensitive a^n b^n c^n.

F. A. Gers and J. Schmidhuber, "LSTM recurrent networks learn simple context-free and
context-sensitive languages", IEEE Transactions on Neural Networks 12(6):1333-1340, 2001. Claim:
trained on strings of n = 1..10, LSTM nets with peepholes accept far longer ones, a^n b^n with a
single cell and a^n b^n c^n, which no recurrent net had learned before, with two. At each symbol
a net names all symbols that may come next. It learns on-line, after every symbol, by the
truncated gradient of the squared error with momentum. Plain recurrent nets of as many weights,
trained on the same strings by Adam on the full gradient, stand beside it.

    python3 anbn_anbncn.py --seed 0      # 32 nets a language, then the plain nets
    python3 anbn_anbncn.py --quick       # proves that the code runs
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
    nets: Annotated[int, "nets in lock-step, each on its own strings", (1, 1000)] = 32
    longest: Annotated[int, "largest n of a training string", (1, 200)] = 10
    band: Annotated[int, "largest n that the choice of the weights looks at", (2, 400)] = 20
    cells_ab: Annotated[int, "memory cells for a^n b^n", (1, 64)] = 1
    cells_abc: Annotated[int, "memory cells for a^n b^n c^n", (1, 64)] = 2
    rnn_units: Annotated[int, "units of the plain nets; 5 give 90 weights", (1, 64)] = 5
    strings_ab: Annotated[int, "training strings of a net for a^n b^n", (60, 10**6)] = 30_000
    strings_abc: Annotated[int, "and for a^n b^n c^n", (60, 10**6)] = 20_000
    learning_rate: Annotated[float, "step size of the LSTMs", (0.0, 1.0)] = 3e-5
    momentum: Annotated[float, "share of a step that the next one repeats", (0.0, 0.9999)] = 0.99
    rnn_rates: Annotated[tuple[float, ...], "Adam's, of plain nets", (0.0, 1.0)] = (0.003, 0.01)
    biases: Annotated[tuple[float, ...], "initial, of gates i, f, o", (-9.0, 9.0)] = (-1.0, 2, -2)
    test_longest: Annotated[int, "largest n of the test", (2, 10_000)] = 1000

    def __post_init__(self):
        if len(self.biases) != 3:
            raise ValueError("argument --biases: needs 3 numbers, for the gates i, f and o")
        if not self.longest < self.band < self.test_longest:
            raise ValueError("argument --band: has to lie between --longest and --test-longest")


QUICK = {"nets": 4, "strings_ab": 240, "strings_abc": 240, "test_longest": 60}
QUICK |= {"learning_rate": 1e-3}
INIT_RANGE = 0.1  # initial weights are uniform in [-this, this]
BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8  # of Adam, for the plain nets
CHECKS = 60  # looks at the band, evenly spread over training


# ---- the task: S starts a string and is symbol 0, the letters a, b (and c) are 1, 2 (and 3) ----
def possible(symbol, following, letters):
    """Return which of the letters and the end may come next (..., letters + 1), and what does."""
    options = np.arange(1, letters + 2)  # the last one stands for the end
    after_a = (symbol == 1)[..., None] & (options <= 2)  # another a or the first b
    return (following[..., None] == options) | after_a


def string(n, letters):
    """Spell S a^n b^n ...: symbols (L,), targets (L, letters + 1), +1 for what may come next."""
    symbols = np.append(0, np.repeat(np.arange(1, letters + 1), n))  # (L,)
    following = np.append(symbols[1:], letters + 1)  # (L,)
    return symbols, signs(possible(symbols, following, letters))


def code(symbols, letters):
    """Return inputs (..., letters + 1): +1 for the symbol, -1 for all others."""
    return signs(symbols[..., None] == np.arange(letters + 1))


def signs(yes):
    """Return +1 for yes and -1 for no, as bytes: a text is long."""
    return np.where(yes, np.int8(1), np.int8(-1))


def text(lengths, letters):
    """Write N nets' strings, of lengths n (strings, N), one after the other, as far as all reach.

    Return inputs (T, K, N), targets (T, K, N), and where a string goes on: 0 at its S, else 1.
    """
    spelt = [string(n, letters) for n in range(lengths.max() + 1)]
    columns = [[np.concatenate(p) for p in zip(*[spelt[n] for n in net])] for net in lengths.T]
    steps = min(len(symbols) for symbols, _ in columns)
    symbols = np.stack([symbols[:steps] for symbols, _ in columns], axis=1)  # (T, N)
    targets = np.stack([targets[:steps] for _, targets in columns], axis=2)  # (T, K, N)
    return code(symbols, letters).transpose(0, 2, 1), targets, (symbols > 0).astype(float)


# ---- the two networks ----
def sources(h, x):
    """Return z = [h, x, 1] (D, *nets), which all units see; x (K, *nets) may be of size 1."""
    nets = h.shape[1:]
    return np.concatenate([h, np.broadcast_to(x, (len(x), *nets)), np.ones((1, *nets))])


def sigmoid(a):
    """Return 1 / (1 + exp(-a))."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


class Lstm:
    """Memory cells with input, forget and output gates that see their cell's state (peepholes).

    N nets stand side by side in the last axis. z = [h, x, 1] of size D feeds gates, cells and
    outputs; H cells, K symbols.
    """

    def __init__(self, letters, cells, biases):
        self.K, self.H, self.biases = letters + 1, cells, biases
        self.D = self.H + self.K + 1
        self.parts = np.cumsum([4 * self.H * self.D, 3 * self.H, self.K * self.D])

    def initial(self, rng, nets):
        """Draw weights w (P, N); the biases of the gates start where they are told to."""
        w = rng.uniform(-INIT_RANGE, INIT_RANGE, (self.parts[-1], nets))
        W, _, _ = self.views(w)
        W[[0, 1, 3], :, -1] = np.array(self.biases)[:, None, None]
        return w

    def views(self, w):
        """Return views of w: W (4, H, D, N) of i, f, g, o; p (3, H, N) of i, f, o; V (K, D, N)."""
        shapes = (4, self.H, self.D), (3, self.H), (self.K, self.D)
        parts = np.split(w, self.parts[:2])
        return [part.reshape(*shape, *w.shape[1:]) for part, shape in zip(parts, shapes)]

    def shown(self, c):
        """Return what the output gate lets out of the state, and the slope: the identity."""
        return c, 1.0

    def cell(self, W, p, z, c):
        """Return gates i and f, candidate g, the new state c and the gate o, each (H, N)."""
        a = np.einsum("ghd...,d...->gh...", W, z)  # (4, H, N)
        i, f = sigmoid(a[:2] + p[:2] * c)
        g = a[2]
        c = f * c + i * g
        o = sigmoid(a[3] + p[2] * c)  # this peephole sees the new state
        return i, f, g, c, o

    def rest(self, nets):
        """Return the state before S: h and c, (2, H, *nets)."""
        return np.zeros((2, self.H, *nets))

    def advance(self, views, x, state):
        """Read x (K, N): return the outputs' net inputs (K, N) and the new state."""
        (W, p, V), (h, c) = views, state
        _, _, _, c, o = self.cell(W, p, sources(h, x), c)
        h = o * self.shown(c)[0]
        return np.einsum("kd...,d...->k...", V, sources(h, x)), np.stack([h, c])


class RecurrentNet:
    """Plain recurrent nets: G units h = tanh(U z), outputs V z, with z = [h, x, 1] as above."""

    def __init__(self, letters, units):
        self.K, self.G = letters + 1, units
        self.D = self.G + self.K + 1

    def initial(self, rng, nets):
        """Draw weights w (P, N)."""
        return rng.uniform(-INIT_RANGE, INIT_RANGE, ((self.G + self.K) * self.D, nets))

    def views(self, w):
        """Return views of w: U (G, D, N) and V (K, D, N)."""
        both = w.reshape(self.G + self.K, self.D, *w.shape[1:])
        return both[: self.G], both[self.G :]

    def rest(self, nets):
        """Return the state before S: h (G, *nets)."""
        return np.zeros((self.G, *nets))

    def advance(self, views, x, h):
        """Read x (K, N): return the outputs' net inputs (K, N) and the new state."""
        U, V = views
        h = np.tanh(np.einsum("gd...,d...->g...", U, sources(h, x)))
        return np.einsum("kd...,d...->k...", V, sources(h, x)), h


# ---- learning ----
class Training:
    """Weights of N nets on their way, and the kept ones: the latest of those best on the band."""

    def __init__(self, net, w, rates, config):
        self.net, self.w, self.rates, self.config = net, w, rates, config
        self.kept = w.copy()  # (P, N)
        self.best = np.zeros(w.shape[1], int)  # (N,) what the kept weights accept of the band
        self.learned = np.full(w.shape[1], np.nan)  # (N,) training until all its n are accepted
        self.seconds = 0.0  # of one core
        self.curve = []  # mean of what the nets accept of the band, at each check

    def look(self, share):
        """Read how much of the band the nets accept after this share of the training."""
        if not np.isfinite(self.w).all():
            raise FloatingPointError(f"a weight is nan after {share:.0%} of the training")
        now = reach(self.net, self.w, self.config.band)  # (N,)
        better = now >= self.best
        self.best[better] = now[better]
        self.kept[:, better] = self.w[:, better]
        self.learned[np.isnan(self.learned) & (now >= self.config.longest)] = share
        self.curve.append(now.mean())

    def loop(self, steps, progress):
        """Yield the numbers of the steps, and look at the nets in between and at the end."""
        checks = np.arange(1, CHECKS + 1) * steps // CHECKS
        for k, (begin, end) in enumerate(zip(np.append(0, checks), checks)):
            yield from range(begin, end)
            self.look((k + 1) / CHECKS)
            accepted = f"n = 1..{self.curve[-1]:.1f} of {self.config.band} accepted"
            progress((k + 1) / CHECKS, accepted)


class OnLine(Training):
    """The paper's rule: a step after every symbol, along the truncated gradient of an LSTM.

    Error that reaches a gate or a cell's input goes no further back. Only the state carries it,
    c(t) = f c(t-1) + i g, so that dc/dw can be carried forward: tr(t) = f tr(t-1) + its new part.
    """

    def train(self, lengths, progress):
        """Read strings of lengths n (strings, N), in lock-step over symbols."""
        nets = self.w.shape[1]
        self.weights = self.net.views(self.w)
        self.gradient = np.zeros_like(self.w)
        self.slopes = self.net.views(self.gradient)
        self.state = self.net.rest((nets,))  # (2, H, N)
        self.trace = np.zeros((3, self.net.H, self.net.D, nets))  # dc/dW of i, f, g
        self.trace_p = np.zeros((2, self.net.H, nets))  # dc/dp of i, f
        self.bias = np.ones((1, nets))
        self.velocity = np.zeros_like(self.w)  # (P, N); it is carried from string to string
        x, target, goes_on = text(lengths, self.net.K - 1)
        for t in self.loop(len(x), progress):
            self.step(x[t], target[t], goes_on[t])

    def step(self, x, target, goes_on):
        """Read a symbol, answer, and learn: x and target (K, N), goes_on (N,) is 0 at an S."""
        W, p, _ = self.weights
        h, c = self.state * goes_on  # (H, N)
        z = np.concatenate([h, x, self.bias])  # (D, N)
        i, f, g, new_c, o = self.net.cell(W, p, z, c)
        gain = np.concatenate([g * i * (1 - i), c * f * (1 - f), i])  # dc/da of i, f, g
        gain = gain.reshape(3, *c.shape)  # (3, H, N)
        f = f * goes_on
        self.trace *= f[:, None]
        self.trace += gain[:, :, None] * z
        self.trace_p *= f
        self.trace_p += gain[:2] * c
        self.learn(x, target, z, new_c, o)
        self.update(self.gradient)

    def learn(self, x, target, z, c, o):
        """Compute the gradient (P, N) of minus half the squared error, and the next state."""
        (_, _, V), (dW, dp, dV), H = self.weights, self.slopes, self.net.H
        shown, slope = self.net.shown(c)  # (H, N)
        h = o * shown
        self.state[:] = h, c
        z_out = np.concatenate([h, x, self.bias])  # (D, N)
        d_net = self.output_delta(np.einsum("kdn,dn->kn", V, z_out), target)  # (K, N)
        np.multiply(d_net[:, None], z_out, out=dV)
        d_h = np.einsum("khn,kn->hn", V[:, :H], d_net)
        d_c = d_h * o * slope
        d_o = d_h * shown * o * (1 - o)
        np.multiply(d_c[:, None], self.trace, out=dW[:3])
        np.multiply(d_o[:, None], z, out=dW[3])
        np.multiply(d_c, self.trace_p, out=dp[:2])
        np.multiply(d_o, c, out=dp[2])

    def update(self, gradient):
        """Take a step along the gradient (P, N) and along the steps before."""
        self.velocity *= self.config.momentum
        self.velocity += self.rates * gradient
        self.w += self.velocity

    def output_delta(self, net, target):
        """Return minus dE/dnet for y = 4 sig(net) - 2, which is 2 tanh(net / 2)."""
        half = np.tanh(0.5 * net)  # (K, N)
        return (target - 2 * half) * (1 - half * half)


class ThroughTime(Training):
    """Plain nets learn after every string, by Adam on the full gradient of its squared error."""

    def train(self, lengths, progress):
        """Read the strings of the given lengths (strings, N)."""
        letters, largest = self.net.K - 1, self.config.longest
        x = np.zeros((letters * largest + 1, self.net.K, largest + 1))  # (L, K, n)
        target = x.copy()  # 0 after the end of a string
        for n in range(1, largest + 1):
            symbols, targets = string(n, letters)
            x[: len(symbols), :, n] = code(symbols, letters)
            target[: len(symbols), :, n] = targets
        self.mean, self.square, self.updates = np.zeros_like(self.w), np.zeros_like(self.w), 0
        self.error = np.zeros(self.w.shape[1])  # (N,) summed over the last tenth of the strings
        for k in self.loop(len(lengths), progress):
            gradient, error = self.differentiate(x[..., lengths[k]], target[..., lengths[k]])
            self.error += error * (k >= len(lengths) * 9 // 10)
            self.update(gradient)

    def update(self, gradient):
        """Take a step of Adam along the gradient (P, N)."""
        self.updates += 1
        self.mean += (1 - BETA_1) * (gradient - self.mean)
        self.square += (1 - BETA_2) * (gradient**2 - self.square)
        mean = self.mean / (1 - BETA_1**self.updates)
        square = self.square / (1 - BETA_2**self.updates)
        self.w += self.rates * mean / (np.sqrt(square) + EPSILON)

    def differentiate(self, x, target):
        """Return the downhill gradient (P, N) on strings x (L, K, N), and their error (N,)."""
        (L, _, N), G = x.shape, self.net.G
        U, V = self.net.views(self.w)
        z = np.concatenate([np.zeros((L, G, N)), x, np.ones((L, 1, N))], axis=1)  # (L, D, N)
        z_out = z.copy()
        for t in range(L):
            np.tanh(np.einsum("gdn,dn->gn", U, z[t]), out=z_out[t, :G])
            if t + 1 < L:
                z[t + 1, :G] = z_out[t, :G]
        half = np.tanh(0.5 * np.einsum("kdn,tdn->tkn", V, z_out))  # the output is 2 half
        miss = np.where(target == 0, 0, target - 2 * half)  # (L, K, N)
        d_net = miss * (1 - half * half)
        d_a = np.einsum("kgn,tkn->tgn", V[:, :G], d_net)  # (L, G, N), at first from the outputs
        slope = 1 - z_out[:, :G] ** 2
        d_a[-1] *= slope[-1]
        for t in range(L - 2, -1, -1):
            d_a[t] += np.einsum("ghn,gn->hn", U[:, :G], d_a[t + 1])
            d_a[t] *= slope[t]
        dU = np.einsum("tgn,tdn->gdn", d_a, z)
        dV = np.einsum("tkn,tdn->kdn", d_net, z_out)
        return np.concatenate([dU, dV]).reshape(-1, N), 0.5 * (miss * miss).sum((0, 1))


# ---- evaluation ----
def reach(net, w, longest):
    """Return N1 (N,), at most `longest`: a net accepts the strings of n = 1..N1, all of them.

    A string is accepted if after each symbol exactly the outputs that may come next are positive.
    The strings of all n are read side by side, until they end or a shorter one has failed.
    """
    letters, views = net.K - 1, net.views(w[..., None])
    n = np.arange(1, longest + 1)  # (M,)
    failed = np.full(w.shape[1], longest + 1)  # (N,) the smallest n that failed
    state = net.rest((w.shape[1], longest))  # (..., N, M)
    step = 0
    while len(n):
        symbol = 1 + (step - 1) // n  # (M,)
        following = 1 + step // n  # (M,)
        x = code(symbol, letters).T[:, None]  # (K, 1, M)
        answer, state = net.advance(views, x, state)  # (K, N, M)
        wanted = possible(symbol, following, letters).T[:, None]  # (K, 1, M)
        wrong = ((answer > 0) != wanted).any(0)  # (N, M)
        failed = np.minimum(failed, np.where(wrong, n, longest + 1).min(1))
        left = slice(*np.searchsorted(n, [step // letters + 1, failed.max()]))
        n, state = n[left], state[..., left]
        step += 1
    return failed - 1


def examine(net, w, longest):
    """Return N1 (N,) by one test per net, because each ends at an n of its own."""
    return np.concatenate([reach(net, w[:, [k]], longest) for k in range(w.shape[1])])


def train_lstm(net, rule, init, text, strings, config, progress):
    """Train LSTMs on their own strings: return the training and the lengths (strings, N)."""
    lengths = text.integers(1, config.longest + 1, (strings, config.nets))
    training = rule(net, net.initial(init, config.nets), config.learning_rate, config)
    started = time.process_time()
    training.train(lengths, progress)
    training.seconds = time.process_time() - started
    return training, lengths


def train_plain(init, lengths, config, progress):
    """Train plain nets at each rate on the strings of the LSTMs, of lengths (strings, N).

    Return the net, and of the rate with the smallest error in training the kept weights (P, N)
    and the share of the training that each net took to learn (N,).
    """
    net, many = RecurrentNet(3, config.rnn_units), len(config.rnn_rates)
    rates = np.repeat(config.rnn_rates, config.nets)  # (many N,)
    training = ThroughTime(net, net.initial(init, len(rates)), rates, config)
    training.train(np.tile(lengths, many), progress)
    errors = training.error.reshape(many, -1).mean(1)  # of each rate
    chosen = np.repeat(np.arange(many) == errors.argmin(), config.nets)  # (many N,)
    return net, training.kept[:, chosen], training.learned[chosen]


def summary(n1, learned):
    """Return what is reported of nets that accept n = 1..n1 (N,), all of training after learned."""
    learned = learned[np.isfinite(learned)]
    return {
        "mean_n1": n1.mean(),
        "worst_n1": n1.min(),
        "best_n1": n1.max(),
        "strings_to_learn": learned.mean() if len(learned) else None,
    }


def lead(n1, rival):
    """Return log10 of the ratio of two mean N1; nets that accept nothing count as one that does."""
    return np.log10(max(n1.mean(), 1 / len(n1))) - np.log10(max(rival.mean(), 1 / len(rival)))


def run(config, seed, progress):
    """Train LSTMs on both languages and plain nets on the second; test them all up to large n."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    ab_init, ab_text, abc_init, abc_text, rnn_init = streams
    one, two = Lstm(2, config.cells_ab, config.biases), Lstm(3, config.cells_abc, config.biases)
    strings_ab, strings_abc = config.strings_ab, config.strings_abc

    def note(part, name):
        return lambda share, text: progress((part + share) / 3, f"{name}: {text}")

    told = note(0, "a^n b^n")
    ab, _ = train_lstm(one, OnLine, ab_init, ab_text, strings_ab, config, told)
    ab_n1 = examine(one, ab.kept, config.test_longest)
    told = note(1, "a^n b^n c^n")
    abc, lengths = train_lstm(two, OnLine, abc_init, abc_text, strings_abc, config, told)
    abc_n1 = examine(two, abc.kept, config.test_longest)
    plain, kept, learned = train_plain(rnn_init, lengths, config, note(2, "plain nets"))
    rnn_n1 = examine(plain, kept, config.test_longest)
    speed = {"strings_per_second": lengths.size / abc.seconds}
    return {
        "ab": summary(ab_n1, ab.learned * strings_ab),
        "abc": summary(abc_n1, abc.learned * strings_abc) | speed,
        "rnn": summary(rnn_n1, learned * strings_abc),
        "solved": (np.append(ab_n1, abc_n1) >= config.longest).mean(),
        "lead": {"over_rnn": lead(abc_n1, rnn_n1)},
        "curve": {"x": (np.arange(1, CHECKS + 1) * strings_abc / CHECKS).tolist(), "y": abc.curve},
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
