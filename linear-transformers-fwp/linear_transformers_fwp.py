# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Linear attention is a fast weight programmer: its memory has a size, and can learn to overwrite.

Paper: I. Schlag, K. Irie, J. Schmidhuber, "Linear Transformers Are Secretly Fast Weight
Programmers", ICML 2021. Both synthetic experiments: store pairs of a key and a value, answer one
query. Setting 1: S unique keys. Setting 2: pairs drawn with replacement; the last value counts.
Claims: a memory with D features holds about D keys, and DPFP enlarges D without parameters; adding
blurs a value that changes, the delta rule replaces it. Baseline: softmax attention.

    python3 linear_transformers_fwp.py --seed 0      # trains 17 memories and tries the claims
    python3 linear_transformers_fwp.py --help        # every setting

The words of this file (V copies side by side, N keys, B sequences, L pairs in each, D features):
    slow weights   embeddings E, projections W_k and W_q, write strength w and b; trained
    fast weights   the matrix W that the pairs of one sequence write and the query reads
    error          squared distance of answer and value; an answer of zeros has error 1
"""

import os
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    d_key: Annotated[int, "numbers in an embedding, a key and a query", (2, 256)] = 64
    unique_keys: Annotated[tuple[int, ...], "setting 1: keys", (2, 1024)] = (60, 120, 180, 240)
    changing_keys: Annotated[tuple[int, ...], "setting 2: keys", (2, 256)] = (20, 60, 100)
    favor: Annotated[int, "directions of FAVOR+; it has twice as many features", (1, 1024)] = 64
    batch_size: Annotated[int, "sequences in an update and in a test batch", (1, 1024)] = 32
    steps: Annotated[int, "updates of a memory at most", (1, 10**6)] = 1000
    learning_rates: Annotated[tuple[float, ...], "validation chooses", (1e-6, 1.0)] = (0.002, 0.02)
    beta_1: Annotated[float, "Adam's memory of the gradient", (0.0, 0.999999)] = 0.9
    beta_2: Annotated[float, "Adam's memory of its square", (0.0, 0.999999)] = 0.99
    stop: Annotated[float, "mean training error that ends training", (0.0, 1.0)] = 0.001
    check_every: Annotated[int, "updates whose mean that is", (1, 10**6)] = 25
    validation: Annotated[int, "batches that choose the learning rate", (1, 10**5)] = 8
    test: Annotated[int, "batches of the test", (1, 10**5)] = 32

    def __post_init__(self):
        if not set(self.unique_keys) <= set(LOG_SIZES):
            raise ValueError(f"argument --unique-keys: the authors' logs have {LOG_SIZES}")


QUICK = {"unique_keys": (60,), "changing_keys": (20,), "steps": 20, "validation": 1, "test": 2}

# The authors' errors in setting 1 at LOG_SIZES keys: twice the least evaluation loss of each run in
# synthetic/logs of github.com/ischlag/fast-weight-transformers; one run for each number.
LOG_SIZES = (60, 120, 180, 240, 300, 360, 420, 480, 540, 600)
LOGS = {
    "elu": (0.049, 0.464, 0.643, 0.726, 0.794, 0.834, 0.839, 0.864, 0.883, 0.903),
    "dpfp1": (0.001, 0.017, 0.283, 0.451, 0.571, 0.672, 0.653, 0.722, 0.799, 0.822),
    "dpfp2": (0.002, 0.001, 0.001, 0.001, 0.136, 0.318, 0.330, 0.480, 0.553, 0.647),
    "dpfp3": (0.001, 0.001, 0.001, 0.001, 0.001, 0.007, 0.099, 0.218, 0.334, 0.397),
}


# ---- the task ------------------------------------------------------------------------------------
class Sequences(NamedTuple):
    """B sequences of L pairs. A value v stands for the v-th unit vector, so values never mix."""

    keys: np.ndarray  # (B, L)
    values: np.ndarray  # (B, L)
    query: np.ndarray  # (B,) the key that is asked for
    target: np.ndarray  # (B,) the value that was told last for it


def ask(keys, values, query):
    """Complete B sequences with the right answers."""
    backwards = keys[:, ::-1] == query[:, None]  # (B, L)
    last = keys.shape[1] - 1 - backwards.argmax(1)  # (B,)
    return Sequences(keys, values, query, values[np.arange(len(keys)), last])


def unique(rng, size, count):
    """Draw setting 1: each of `size` keys and values once, in random order; any key is asked."""
    table = np.tile(np.arange(size), (count, 1))  # (B, L)
    keys = rng.permuted(table, axis=1)
    values = rng.permuted(table, axis=1)
    return ask(keys, values, rng.integers(size, size=count).astype(np.intp))


def changing(rng, size, count):
    """Draw setting 2: two pairs a key, with replacement; the key of a random pair is asked."""
    keys, values = rng.integers(size, size=(2, count, 2 * size)).astype(np.intp)  # (B, L) each
    pair = rng.integers(2 * size, size=count).astype(np.intp)  # (B,)
    return ask(keys, values, keys[np.arange(count), pair])


def judged(rng, size, count):
    """Draw what the authors judge setting 2 by: one pair a key; any key that occurred is asked."""
    keys, values = rng.integers(size, size=(2, count, size)).astype(np.intp)  # (B, L) each
    occurs = (keys[:, :, None] == np.arange(size)).any(1)  # (B, N)
    lot = occurs * rng.uniform(0.5, 1.0, occurs.shape)  # (B, N) 0 where the key does not occur
    return ask(keys, values, lot.argmax(1))


SETTING_1 = unique, unique  # how sequences are drawn for training, and for the test
SETTING_2 = changing, judged


# ---- feature maps: each returns phi(x) (..., D) and the function from dphi to dx -----------------
def identity(x):
    """Return x itself."""
    return x, lambda g: g


def elu_plus_one(x):
    """Return elu(x) + 1, the map of the linear transformer."""
    y = np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))
    return y, lambda g: g * np.minimum(y, 1)


def dpfp(x, nu):
    """Multiply each half-wave of (x, -x) with its next nu neighbours, around a circle of 2 d."""
    d = x.shape[-1]
    shifts = range(1, nu + 1)
    r = np.maximum(np.concatenate([x, -x], -1), 0)  # (..., 2 d)
    rolled = [np.roll(r, -j, -1) for j in shifts]  # nu of (..., 2 d)

    def back(g):
        parts = zip(shifts, np.split(g, nu, -1), rolled, strict=True)
        dr = sum(part * other + np.roll(part * r, j, -1) for j, part, other in parts)
        return dr[..., :d] * (x > 0) - dr[..., d:] * (x < 0)

    return np.concatenate([r * other for other in rolled], -1), back


def favor(x, directions, axis):
    """Return positive random features of exp(q . k / sqrt(d)), for directions (m, d).

    The largest exponent along `axis` is taken out; the normaliser cancels it, so it is a constant.
    """
    shrink = x.shape[-1] ** -0.25
    x = x * shrink
    projected = x @ directions.T  # (..., m)
    power = np.concatenate([projected, -projected], -1) - 0.5 * (x * x).sum(-1, keepdims=True)
    y = np.exp(power - power.max(axis, keepdims=True)) * power.shape[-1] ** -0.5  # (..., 2 m)

    def back(g):
        plus, minus = np.split(g * y, 2, -1)  # (..., m)
        dx = (plus - minus) @ directions - x * (plus + minus).sum(-1, keepdims=True)
        return dx * shrink

    return y, back


def each(feature_map):
    """Apply one map to the keys (V, N, d) and to the queries (V, B, d)."""
    return lambda k, q: (feature_map(k), feature_map(q))


class Favor:
    """FAVOR+ with directions that are drawn anew at every call, as in the authors' code."""

    def __init__(self, count, rng):
        self.count = count
        self.rng = rng

    def __call__(self, k, q):
        directions = self.draw(k)
        return favor(k, directions, (1, 2)), favor(q, directions, 2)

    def draw(self, k):
        """Draw directions (m, d)."""
        return self.rng.standard_normal((self.count, k.shape[-1])).astype(k.dtype)


# ---- the memories --------------------------------------------------------------------------------
TINY = 1e-20  # a query that matches no key at all gets the answer 0 instead of 0 / 0


def gather(x, columns):
    """Pick x (V, B, N) at columns (B, L): (V, B, L)."""
    return x[:, np.arange(len(columns))[:, None], columns]


def scatter(x, columns, size):
    """Add up x (V, B, L) in `size` cells at columns (B, L), the reverse of gather: (V, B, N)."""
    V, B, _ = x.shape
    row = np.arange(V * B).reshape(V, B, 1)
    cells = (size * row + columns).ravel()
    return np.bincount(cells, x.ravel(), V * B * size).reshape(V, B, size).astype(x.dtype)


class Sum:
    """Additive memories, W <- W + v phi(k)^T, that answer W phi(q) / (phi(q) . sum of phi(k)).

    An answer is linear in the values, y = sum_t a_t v_t. A memory is a way to compute the a_t; the
    matrix W itself is never needed. This is masked attention without the softmax.
    """

    def __init__(self, phi):
        self.phi = phi

    def forward(self, weights, data):
        """Return the answers y (V, B, N)."""
        E, W_k, W_q, w, b = weights
        self.weights = weights
        self.data = data
        self.asked = E[:, data.query]  # (V, B, d)
        self.strength = 0.5 + 0.5 * np.tanh(0.5 * (E @ w + b))  # (V, N, 1) sigmoid, beta of a key
        self.pk, self.pq = self.features(E @ W_k, self.asked @ W_q)  # (V, N, D), (V, B, D)
        self.a = self.walk()  # (V, B, L)
        return scatter(self.a, data.values, E.shape[1])

    def backward(self, dy):
        """Return the gradient of the slow weights, given dy (V, B, N)."""
        E, W_k, W_q, w, b = self.weights
        da = gather(dy, self.data.values)  # (V, B, L)
        dpk, dpq, dstrength = self.walk_back(da)  # (V, N, D), (V, B, D), (V, N, 1)
        dk, dq = self.features_back(dpk, dpq)  # (V, N, d), (V, B, d)
        dz = dstrength * self.strength * (1 - self.strength)  # (V, N, 1)
        asked = self.data.query == np.arange(E.shape[1])[:, None]  # (N, B)
        dE = dk @ W_k.swapaxes(1, 2) + dz @ w.swapaxes(1, 2)  # (V, N, d)
        dE += asked.astype(E.dtype) @ (dq @ W_q.swapaxes(1, 2))
        dW_k = E.swapaxes(1, 2) @ dk  # (V, d, d)
        dW_q = self.asked.swapaxes(1, 2) @ dq  # (V, d, d)
        return [dE, dW_k, dW_q, E.swapaxes(1, 2) @ dz, dz.sum(1, keepdims=True)]

    def features(self, k, q):
        """Return phi(k) and phi(q)."""
        (pk, self.back_k), (pq, self.back_q) = self.phi(k, q)
        return pk, pq

    def features_back(self, dpk, dpq):
        """Return dk and dq."""
        return self.back_k(dpk), self.back_q(dpq)

    def walk(self):
        """Weigh the pairs of each sequence by phi(q) . phi(k_t), divided by their sum."""
        r = gather(self.kernel(), self.data.keys)  # (V, B, L)
        self.total = np.maximum(r.sum(2, keepdims=True), TINY)  # (V, B, 1)
        return r / self.total

    def walk_back(self, da):
        """Return dphi(k), dphi(q) and dbeta, which is 0."""
        dr = (da - (da * self.a).sum(2, keepdims=True)) / self.total  # (V, B, L)
        dkernel = scatter(dr, self.data.keys, self.pk.shape[1])  # (V, B, N)
        return *self.kernel_back(dkernel), np.zeros_like(self.strength)

    def kernel(self):
        """Compare each query with each key: (V, B, N)."""
        return self.pq @ self.pk.swapaxes(1, 2)

    def kernel_back(self, dkernel):
        """Return dphi(k) and dphi(q)."""
        return dkernel.swapaxes(1, 2) @ self.pq, dkernel @ self.pk


class Softmax(Sum):
    """Softmax attention over all pairs, the rival: it keeps them, so no matrix bounds it."""

    def kernel(self):
        """Return exp(q . k / sqrt(d)) up to a factor: (V, B, N)."""
        scores = super().kernel() * self.pk.shape[-1] ** -0.5
        self.similarity = np.exp(scores - scores.max(2, keepdims=True))
        return self.similarity

    def kernel_back(self, dkernel):
        return super().kernel_back(dkernel * self.similarity * self.pk.shape[-1] ** -0.5)


def sum_normalised(phi):
    """Return phi / sum(phi), which keeps the delta rule stable, and its backward pass."""
    total = np.maximum(phi.sum(-1, keepdims=True), 1e-6)
    p = phi / total
    return p, lambda g: (g - (g * p).sum(-1, keepdims=True)) / total


class Delta(Sum):
    """Error-correcting memories, W <- W + beta (v - W p) p^T with p = phi / sum(phi): answers W p.

    The walk follows the query backwards through the writes, last pair first:
        u_L = p(q)      c_t = p(k_t) . u_t      a_t = beta_t c_t      u_{t-1} = u_t - a_t p(k_t)
    This is exact, and handles a vector where the matrix would have to be kept.
    """

    def features(self, k, q):
        pk, pq = super().features(k, q)
        pk, self.norm_k = sum_normalised(pk)
        pq, self.norm_q = sum_normalised(pq)
        return pk, pq

    def features_back(self, dpk, dpq):
        return super().features_back(self.norm_k(dpk), self.norm_q(dpq))

    def walk(self):
        order = self.data.keys.T  # (L, B)
        self.p = self.pk[:, order]  # (V, L, B, D)
        self.beta = self.strength[:, order, 0]  # (V, L, B)
        self.c = np.empty_like(self.beta)  # (V, L, B)
        self.u = np.empty_like(self.p)  # (V, L, B, D)
        u = self.pq  # (V, B, D)
        for t in reversed(range(len(order))):
            self.u[:, t] = u
            self.c[:, t] = np.einsum("vbd,vbd->vb", self.p[:, t], u)
            u = u - (self.beta[:, t] * self.c[:, t])[..., None] * self.p[:, t]
        return (self.beta * self.c).swapaxes(1, 2)  # (V, B, L)

    def walk_back(self, da):
        """Return dp(k), dp(q) and dbeta."""
        da = da.swapaxes(1, 2)  # (V, L, B)
        dp = np.empty_like(self.p)  # (V, L, B, D)
        dbeta = da * self.c  # (V, L, B)
        du = np.zeros_like(self.pq)  # (V, B, D)
        for t in range(da.shape[1]):
            p, c, beta = self.p[:, t], self.c[:, t], self.beta[:, t]
            back = np.einsum("vbd,vbd->vb", p, du)  # (V, B)
            dbeta[:, t] -= back * c
            dc = (da[:, t] - back) * beta  # (V, B)
            dp[:, t] = dc[..., None] * self.u[:, t] - (beta * c)[..., None] * du
            du += dc[..., None] * p
        return self.at_keys(dp), du, self.at_keys(dbeta[..., None])

    def at_keys(self, dx):
        """Add up what the pairs (V, L, B, n) say about their keys: (V, N, n)."""
        key = np.arange(self.pk.shape[1])[:, None]  # (N, 1)
        one_hot = (key == self.data.keys.T.ravel()).astype(dx.dtype)  # (N, L B)
        return one_hot @ dx.reshape(len(dx), one_hot.shape[1], -1)


# ---- training and evaluation ---------------------------------------------------------------------
EPSILON = 1e-8  # of Adam


def initial(rng, size, d, copies):
    """Draw the slow weights of V copies: E (V, N, d), W_k and W_q, equal at first, w and b = 0."""
    E = rng.standard_normal((copies, size, d))
    W = rng.standard_normal((copies, d, d)) * d**-0.5
    weights = [E, W, W, np.zeros((copies, d, 1)), np.zeros((copies, 1, 1))]
    return [part.astype(np.float32) for part in weights]


def compare(memory, weights, data):
    """Return the answers less the right values, (V, B, N), and which answers are right, (V, B)."""
    y = memory.forward(weights, data)
    right = y.argmax(2) == data.target
    y[:, np.arange(len(data.target)), data.target] -= 1
    return y, right


def adam(weights, gradient, moments, rates, step, config):
    """Take a step in place; copy v has the rate rates[v], which falls to 0 in the second half."""
    correction = (1 - config.beta_2**step) ** 0.5 / (1 - config.beta_1**step)
    fall = min(1.0, 2 * (1 - step / (config.steps + 1)))
    scale = rates * (correction * fall)  # (V, 1, 1)
    for part, g, (mean, square) in zip(weights, gradient, moments, strict=True):
        mean += (1 - config.beta_1) * (g - mean)
        square += (1 - config.beta_2) * (g * g - square)
        part -= scale * mean / (np.sqrt(square) + EPSILON)


def train(memory, draw, size, config, streams, progress):
    """Train a copy at each learning rate; returns what validation chooses, and the updates."""
    start, training, validation = streams
    rates = np.array(config.learning_rates, np.float32)[:, None, None]  # (V, 1, 1)
    weights = initial(start, size, config.d_key, len(rates))
    moments = [(np.zeros_like(part), np.zeros_like(part)) for part in weights]
    recent = []  # mean errors (V,) since the last check
    for step in range(1, config.steps + 1):
        difference, _ = compare(memory, weights, draw(training, size, config.batch_size))
        recent.append((difference**2).sum(2).mean(1))
        if not np.isfinite(recent[-1]).all():
            raise FloatingPointError(f"error is {recent[-1].max()} at step {step}")
        gradient = memory.backward(difference * (2 / config.batch_size))
        adam(weights, gradient, moments, rates, step, config)
        progress(step / config.steps, f"error {recent[-1].min():.4f}")
        if step % config.check_every == 0:
            if np.mean(recent, 0).min() < config.stop:
                break
            recent.clear()
    errors, _ = test(memory, weights, draw, size, config, validation, config.validation)
    best = int(errors.argmin())
    return [part[best : best + 1] for part in weights], step


def test(memory, weights, draw, size, config, rng, batches):
    """Return the mean error of each copy, and the share of answers that are right, (V,)."""
    errors, hits = [], []
    for _ in range(batches):
        difference, right = compare(memory, weights, draw(rng, size, config.batch_size))
        errors.append((difference**2).sum(2).mean(1))
        hits.append(right.mean(1))
    return np.mean(errors, 0), np.mean(hits, 0)


def measure(kind, setting, size, config, stream, progress):
    """Train a memory and test it on sequences of its own: error, share right, updates."""
    *streams, unseen, features = map(np.random.default_rng, stream.spawn(5))
    draw, judge = setting
    memory = kind(config, features)
    weights, steps = train(memory, draw, size, config, streams, progress)
    error, right = test(memory, weights, judge, size, config, unseen, config.test)
    return float(error[0]), float(right[0]), steps


# ---- the experiment ------------------------------------------------------------------------------
DPFP_1 = each(partial(dpfp, nu=1))
MEMORIES = {  # rows of the table; each is made of the settings and a stream for random features
    "elu": lambda config, rng: Sum(each(elu_plus_one)),
    "dpfp1": lambda config, rng: Sum(DPFP_1),
    "favor": lambda config, rng: Sum(Favor(config.favor, rng)),
    "softmax": lambda config, rng: Softmax(each(identity)),
    "sum": lambda config, rng: Sum(DPFP_1),
    "delta": lambda config, rng: Delta(DPFP_1),
    "softmax_changing": lambda config, rng: Softmax(each(identity)),
}


def points(config):
    """List the row, the setting and the number of keys of each memory of a run."""
    some = config.changing_keys[len(config.changing_keys) // 2]
    jobs = [("elu", SETTING_1, size) for size in config.unique_keys]
    jobs += [("dpfp1", SETTING_1, size) for size in config.unique_keys]
    jobs += [("favor", SETTING_1, config.unique_keys[0])]
    jobs += [("softmax", SETTING_1, config.unique_keys[-1])]
    jobs += [("sum", SETTING_2, size) for size in config.changing_keys]
    jobs += [("delta", SETTING_2, size) for size in config.changing_keys]
    return jobs + [("softmax_changing", SETTING_2, some)]


def run(config, seed, progress):
    """Train and test a memory for each point of the two settings."""
    began = process_time()
    jobs = points(config)
    streams = np.random.SeedSequence(seed).spawn(len(jobs))
    table = {row: {} for row in MEMORIES}
    shown = 0  # sequences
    for done, ((row, setting, size), stream) in enumerate(zip(jobs, streams, strict=True)):

        def tell(fraction, message, words=f"{row}, {size} keys", done=done):
            progress((done + fraction) / len(jobs), f"{words}: {message}")

        error, _, steps = measure(MEMORIES[row], setting, size, config, stream, tell)
        table[row][f"error_{size}"] = error
        shown += steps * config.batch_size * len(config.learning_rates)
    seconds = max(process_time() - began, 1e-9)
    return table | verdicts(table, config) | {"training": {"sequences_per_second": shown / seconds}}


def verdicts(table, config):
    """Compare the errors with the authors' logs and with one another."""
    few = f"error_{config.unique_keys[0]}"
    leads = [table["sum"][column] - table["delta"][column] for column in table["delta"]]
    return {
        "curve_distance": distance(table, ("elu", "dpfp1"), config.unique_keys),
        "least_delta_lead": min(leads),
        "favor_lead": table["favor"][few] - table["dpfp1"][few],
    }


def distance(table, rows, sizes):
    """Return the mean distance of errors in setting 1 to those in the authors' logs."""
    gaps = [
        abs(table[row][f"error_{size}"] - LOGS[row][LOG_SIZES.index(size)])
        for row in rows
        for size in sizes
    ]
    return sum(gaps) / len(gaps)


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
