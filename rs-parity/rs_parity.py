# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy"]
# ///
"""Parity of 500 bits, learnt by throwing dice: the right small net and some hundred random weight vectors.

Paper: S. Hochreiter, J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 1997, section 1; "Bridging
long time lags by weight guessing and Long Short Term Memory", 1996; J. Schmidhuber, S. Hochreiter, Y. Bengio,
"Evaluating benchmark problems by random guessing", in A Field Guide to Dynamical Recurrent Networks, 2001.
Task: a sequence of 500 to 600 numbers, each +1 or -1. Say at the end whether the number of +1 is odd.
Method: draw every weight of a small recurrent net from U[-100, 100]; keep it if it is right on all 100 training
sequences, else draw again. No gradient, no mutation.
Claim: some 250 draws suffice for net A2 without self-connections, 2797 for A2, 2906 for A1, and 41,400 for A1 where
noise is added to the input; what was accepted is right on all test sequences.

    python3 rs_parity.py             ten searches for each of the paper's four rows, long sequences, what was found
    python3 rs_parity.py --study     densities of solutions, the law of the trials, other priors, gradient descent
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: nothing here is a large matrix product

from dataclasses import dataclass, replace
from math import sqrt
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""
    searches: Annotated[int, "searches for each row of the paper's table", (1, 10_000)] = 10
    max_guesses: Annotated[int, "guesses after which a search gives up", (1, 10**9)] = 2_000_000
    prior: Annotated[float, "weights are drawn from U[-prior, prior]", (1e-3, 1e6)] = 100.0
    noise: Annotated[float, "noisy row: U[-noise, noise] is added to each element", (0.0, 10.0)] = 0.2
    shortest: Annotated[int, "least length of a sequence, steps", (1, 10**6)] = 500
    longest: Annotated[int, "greatest length of a sequence, steps", (1, 10**6)] = 600
    training: Annotated[int, "training sequences, half of each class", (2, 10**5)] = 100
    test: Annotated[int, "test sequences, drawn after a net was accepted", (2, 10**6)] = 1000
    tolerance: Annotated[float, "an answer is right if it differs from the target by less", (1e-6, 0.5)] = 0.1
    long_steps: Annotated[int, "length of the long test sequences without noise, steps", (1, 10**7)] = 10_000
    long_test: Annotated[int, "how many of them", (2, 10**5)] = 100
    block: Annotated[int, "guesses in lockstep; no result depends on it", (1, 10**6)] = 8192
    first_block: Annotated[int, "the same at the start of a search, then doubled each time", (1, 10**6)] = 1024
    screen: Annotated[tuple[int, ...], "sequences in the stages of a test; the others come last",
                      (1, 10**5)] = (1, 1, 2, 4, 8)
    tables: Annotated[int, "random nets whose two-by-two table is looked at", (1, 10**7)] = 100_000
    presentations: Annotated[int, "gradient descent: sequences shown to a net in a run", (1, 10**8)] = 1000
    batch: Annotated[int, "gradient descent: sequences per step", (1, 10**5)] = 20
    rates: Annotated[tuple[float, ...], "gradient descent: step sizes (Adam)", (1e-6, 100.0)] = (0.001, 0.01, 0.1)
    inits: Annotated[tuple[float, ...], "gradient descent: weights start in U[-init, init]", (1e-6, 100.0)] = (0.1, 1.0)
    beta_1: Annotated[float, "Adam: memory of the gradient", (0.0, 0.999999)] = 0.9
    beta_2: Annotated[float, "Adam: memory of the squared gradient", (0.0, 0.999999)] = 0.999
    clip: Annotated[float, "gradient descent: largest norm of a gradient", (1e-6, 1e6)] = 1.0
    starts: Annotated[int, "gradient descent: starts for each step size and init", (1, 1000)] = 5
    check_every: Annotated[int, "gradient descent: steps between two tests on the training set", (1, 10**6)] = 20
    sets: Annotated[int, "study: training sets over which the density of solutions is measured", (1, 10**4)] = 25
    noisy_sets: Annotated[int, "study: the same with noise", (1, 10**4)] = 50
    guesses: Annotated[int, "study: guesses for each set", (1, 10**8)] = 20_000
    long_lengths: Annotated[tuple[int, ...], "study: lengths of sequences that accepted nets are tested on, steps",
                            (1, 10**7)] = (1000, 10_000, 100_000)
    long_nets: Annotated[int, "study: accepted nets of each kind that are", (1, 1000)] = 10
    few: Annotated[int, "study: such sequences for each net", (2, 10**5)] = 50
    study_presentations: Annotated[int, "study: sequences shown to a net", (1, 10**8)] = 20_000
    lengths: Annotated[tuple[int, ...], "study: least lengths for gradient descent, steps",
                       (1, 10**6)] = (2, 3, 5, 10, 20, 50, 100, 500)
    priors: Annotated[tuple[float, ...], "study: half-widths of the prior", (1e-3, 1e6)] = (1.0, 5.0, 10.0, 30.0, 100.0)

    def __post_init__(self):
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: it must not exceed --longest")
        if self.batch > self.training:
            raise ValueError("argument --batch: it must not exceed --training")
        if self.training % 2 or self.test % 2 or self.long_test % 2 or self.few % 2:
            raise ValueError("argument --training, --test, --long-test, --few: half of each class, use even numbers")
        if sum(self.screen) >= self.training:
            raise ValueError("argument --screen: its stages must leave some of the --training sequences")


QUICK = {"searches": 2, "max_guesses": 20_000, "shortest": 50, "longest": 60, "test": 100, "long_steps": 200,
         "long_test": 20, "tables": 5000, "presentations": 100, "starts": 1, "sets": 2, "noisy_sets": 2,
         "guesses": 4000, "long_lengths": (100, 200), "long_nets": 2, "few": 4,
         "study_presentations": 200, "lengths": (5, 10), "priors": (10.0, 100.0)}


# ---- the task -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sequences:
    """n sequences: x (T, n), time first; lengths (n,); sign (n,): +1 where the number of +1 is odd, else -1."""
    x: np.ndarray
    lengths: np.ndarray
    sign: np.ndarray


def sequences(rng, n, config, noise=0.0):
    """n / 2 sequences of each class, odd and even in turn, the short ones first: short ones reject sooner.

    Elements are fair coins; that a class is wanted leaves all but the last of them free.
    """
    lengths = np.sort(rng.integers(config.shortest, config.longest + 1, (n // 2, 2)), axis=0).ravel()
    odd = np.tile([True, False], n // 2)
    ones = rng.random((config.longest, n), np.float32) < 0.5
    before = ones & (np.arange(config.longest)[:, None] < lengths - 1)
    ones[lengths - 1, np.arange(n)] = before.sum(0) % 2 != odd
    x = np.where(ones, np.float32(1), np.float32(-1))
    if noise:
        x += rng.uniform(-noise, noise, x.shape).astype(np.float32)
    return Sequences(x, lengths, np.where(odd, 1, -1).astype(np.float32))


# ---- the nets -------------------------------------------------------------------------------------------------------
# h_j(t) = s(a_j x(t) + f_j y(t-1) + sum_i r_ij h_i(t-1) + b_j)        hidden units first,
# y(t)   = s(sum_j v_j h_j(t) + c x(t) + d y(t-1) + e)                 then the output, which sees their new values.
# Where r is no full matrix, a hidden unit sees itself only: one number per unit (A1 has one unit, A2 says so).
@dataclass(frozen=True)
class Net:
    """Which weights a net has, by letter; the others are 0. paper: the trials that the paper reports."""
    hidden: int
    free: str
    paper: float | None = None
    noisy: bool = False
    full: bool = False  # r is a full matrix
    hidden_tanh: bool = False


NETS = {"no_self": Net(10, "afbvce", 250), "a2": Net(10, "afrbvce", 2797), "a1": Net(1, "afrbvcd", 2906),
        "noisy": Net(1, "afrbvcd", 41_400, noisy=True)}
CLEAN = ("no_self", "a2", "a1")
TWO_TANH = Net(2, "arbve", full=True, hidden_tanh=True)  # an earlier attempt: the output only reads, nothing sees it


def layout(net):
    """The letter of each weight of a net, (P,): a, f (H each), r (H, or H H row by row), b, v (H each), c, d, e."""
    sizes = dict.fromkeys("afbv", net.hidden) | {"r": net.hidden**(2 if net.full else 1)}
    return np.array(list("".join(name * sizes[name] for name in "afrbv") + "cde"))


def has(net):
    """Which weights the net has, (P,)."""
    return np.isin(layout(net), list(net.free))


def draw(net, prior, rng, n):
    """n nets, (P, n): every weight that the net has from U[-prior, prior]."""
    free = has(net)
    weights = np.zeros((len(free), n), np.float32)
    weights[free] = ((2 * rng.random((n, free.sum()), np.float32) - 1) * np.float32(prior)).T
    return weights


def split(net, weights):
    """Views of weights (P, ...): a, f (H, ...), r (H, ...) or (H, H, ...), b, v (H, ...), c, d, e (...)."""
    letters, H = layout(net), net.hidden
    a, f, r, b, v = (weights[letters == name] for name in "afrbv")
    return a, f, r.reshape(H, H, *r.shape[1:]) if net.full else r, b, v, *weights[-3:]


def fold(net, weights):
    """The same nets with all units tanh: the parts of `split`, and the values at which hidden units and output start.

    1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2: with activations h = (1 + u) / 2 the halves move into the weights, and a
    step needs no exp, no division and no clipping.
    """
    a, f, r, b, v, c, d, e = split(net, weights)
    if net.hidden_tanh:
        return (a, f / 2, r, b + f / 2, v / 2, c / 2, d / 4, e / 2 + d / 4), 0.0, -1.0
    own = r.sum(0) if net.full else r
    return (a / 2, f / 4, r / 4, b / 2 + f / 4 + own / 4, v / 4, c / 2, d / 4, e / 2 + v.sum(0) / 4 + d / 4), -1.0, -1.0


def final(net, weights, data, which):
    """The outputs of n nets at the last step of each of the sequences `which`, (n, S), from -1 to 1, in float32.

    All arrays are (H, n, S) or (H, S, n), whichever has the longer last axis: that is where the time goes.
    """
    (folded, u_start, y_start), H, n, S = fold(net, weights), net.hidden, weights.shape[1], len(which)
    nets_last = n > S
    lanes, of_net, of_sequence = ((S, n), (1, n), (S, 1)) if nets_last else ((n, S), (n, 1), (1, S))
    x, lengths = np.ascontiguousarray(data.x[:, which]), data.lengths[which].reshape(of_sequence)
    x = x.reshape(-1, *of_sequence)
    a, f, r, b, v, c, d, e = (part.reshape(*part.shape[:-1], *of_net) for part in folded)
    u, z, product = np.full((H, *lanes), u_start, np.float32), *np.empty((2, H, *lanes), np.float32)
    y, o, term, answer = np.full(lanes, y_start, np.float32), *np.empty((3, *lanes), np.float32)
    self_connected, output_to_itself, last = "r" in net.free, "d" in net.free, int(lengths.min())
    for t in range(lengths.max()):
        np.multiply(a, x[t], out=z)
        z += b
        np.multiply(f, y, out=product)
        z += product
        if net.full:
            z += (r * u[:, None]).sum(0)
        elif self_connected:
            np.multiply(r, u, out=product)
            z += product
        np.tanh(z, out=u)
        np.multiply(v, u, out=product)
        np.add.reduce(product, axis=0, out=o)
        np.multiply(c, x[t], out=term)
        o += term
        if output_to_itself:
            np.multiply(d, y, out=term)
            o += term
        o += e
        np.tanh(o, out=y)
        if t + 1 >= last:
            np.copyto(answer, y, where=lengths == t + 1)
    return answer.T if nets_last else answer


# ---- random guessing ------------------------------------------------------------------------------------------------
def test_all(net, weights, data, config):
    """Which of n nets (P, n) are right on all sequences, and how many sequences each was shown, both (n,).

    A net has to be right on all, so that it is out with its first mistake: the sequences come in stages, a later
    stage is for those that passed the earlier ones. The verdict is that of testing all on all.
    """
    n, total, threshold = weights.shape[1], len(data.sign), 1 - 2 * config.tolerance
    right, seen = np.ones(n, bool), np.zeros(n, int)
    edges = [0, *np.cumsum(config.screen), total]
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        left, which = np.flatnonzero(right), np.arange(first, last)
        size = max(1, config.block // len(which))
        for chunk in (left[i:i + size] for i in range(0, len(left), size)):
            answers = final(net, weights[:, chunk], data, which)
            right[chunk] = (answers * data.sign[which] > threshold).all(1)  # y = (1 + answer) / 2
            seen[chunk] += len(which)
    return right, seen


def training_set(net, config, rng):
    return sequences(rng, config.training, config, config.noise * net.noisy)


def search(net, config, data, rng, progress=None):
    """Draw nets until one is right on all of data. Returns trials, sequences shown, and its weights (P, 1).

    The weights are None if there was none among max_guesses.
    """
    tried, shown, size = 0, 0, config.first_block
    while tried < config.max_guesses:
        weights = draw(net, config.prior, rng, min(size, config.block, config.max_guesses - tried))
        size *= 2
        right, seen = test_all(net, weights, data, config)
        if progress:
            progress(tried)
        if right.any():
            winner = int(right.argmax())
            return tried + winner + 1, shown + int(seen[:winner + 1].sum()), weights[:, winner:winner + 1]
        tried, shown = tried + len(right), shown + int(seen.sum())
    return tried, shown, None


def density(net, config, rng, progress=None):
    """Guess for each of several training sets.

    Returns at which guesses, counted over all sets, there was a solution (n,), and the solutions' weights (P, n).
    """
    found, kept = [], []
    for k in range(config.sets):
        data = training_set(net, config, rng)
        for done in range(0, config.guesses, config.block):
            weights = draw(net, config.prior, rng, min(config.block, config.guesses - done))
            right = np.flatnonzero(test_all(net, weights, data, config)[0])
            found += (k * config.guesses + done + right + 1).tolist()
            kept.append(weights[:, right])
            if progress:
                progress((k + done / config.guesses) / config.sets, f"{len(found)} solutions")
    return np.array(found, int), np.concatenate(kept, 1)


def trials_interval(solutions, guesses):
    """Mean trials to a solution, and its 95 % interval (Wilson's, for the share of solutions): None where unbounded."""
    p, z = solutions / guesses, 1.96
    middle, half = p + z * z / (2 * guesses), z * sqrt(p * (1 - p) / guesses + z * z / (4 * guesses**2))
    low, high = ((middle + k * half) / (1 + z * z / guesses) for k in (-1, 1))
    return (1 / p if solutions else None), 1 / high, (1 / low if solutions else None)


def geometric_p(trials, rng, repeats=1000):
    """How often samples of the geometric distribution fit it worse than these trials do (Kolmogorov-Smirnov)."""
    def distance(sample):
        k, counts = np.unique(sample, return_counts=True)
        share, q = np.cumsum(counts) / len(sample), 1 - 1 / np.mean(sample)
        return max(np.abs(share - (1 - q**k)).max(), np.abs(share - counts / len(sample) - (1 - q**(k - 1))).max())
    ours = distance(trials)
    others = [distance(rng.geometric(1 / np.mean(trials), len(trials))) for _ in range(repeats)]
    return float(np.mean(np.array(others) >= ours))


# ---- what a net does at a step --------------------------------------------------------------------------------------
CASES = ((-1.0, 0.0), (-1.0, 1.0), (1.0, 0.0), (1.0, 1.0))  # (input, previous output)
XOR = (0, 1, 1, 0)  # what the output has to become: +1 turns it over, -1 leaves it


def surface(net, weights, x, y):
    """The new outputs of n nets without recurrent hidden weights, from x and y (points,): (points, n), in float64."""
    a, f, _, b, v, c, _, e = (part.astype(float) for part in split(net, weights))
    out = []
    for now, before in zip(x, y, strict=True):
        h = 0.5 + 0.5 * np.tanh(0.5 * (a * now + f * before + b))
        out.append(0.5 + 0.5 * np.tanh(0.5 * ((v * h).sum(0) + c * now + e)))
    return np.array(out)


def tables(net, weights):
    """Which of the 16 functions of (input, output) n nets compute, rounded: four bits (n, 4), in the order of CASES."""
    return (surface(net, weights, *zip(*CASES, strict=True)) > 0.5).T.astype(int)


def tracks_parity(net, weights, data):
    """Whether a net (P, 1), rounded, turns over with each +1 and never else: its output is the parity at all steps."""
    y = rollout(net, weights.astype(float), data.x[:, None].astype(float))[1][1:]  # (T, n)
    odd = np.cumsum(data.x > 0, axis=0) % 2
    return bool(((y > 0.5) == odd)[np.arange(len(y))[:, None] < data.lengths].all())


# ---- gradient descent on the same nets -------------------------------------------------------------------------------
def rollout(net, weights, x, work=None):
    """K nets (P, K) without a full matrix on sequences x (T, K, N), as they are defined, in the type of the weights.

    Returns the activations h (T + 1, H, K N) and y (T + 1, K N), from silence. work: two such arrays to write into.
    """
    (T, K, N), H = x.shape, net.hidden
    a, f, r, b, v, c, d, e = split(net, np.repeat(weights, N, axis=1))
    h, y = work or (np.empty((T + 1, H, K * N), weights.dtype), np.empty((T + 1, K * N), weights.dtype))
    x = x.reshape(T, K * N)
    h[0], y[0] = 0, 0
    z, product, o = np.empty_like(h[0]), np.empty_like(h[0]), np.empty_like(y[0])
    for t in range(T):
        np.multiply(a, x[t], out=z)
        z += b
        for weight, source in ((f, y[t]), (r, h[t])):
            np.multiply(weight, source, out=product)
            z += product
        logistic(z, h[t + 1])
        np.multiply(v, h[t + 1], out=product)
        np.add.reduce(product, axis=0, out=o)
        o += c * x[t]
        o += d * y[t]
        o += e
        logistic(o, y[t + 1])
    return h, y


def logistic(z, out):
    """1 / (1 + exp(-z)) into out, without exp, which could overflow; z is spoilt."""
    z *= 0.5
    np.tanh(z, out=out)
    out *= 0.5
    out += 0.5


def gradient(net, weights, x, h, y, d_end):
    """Backpropagation through time, (P, K), from errors d_end (T, K, N) at the output's net input."""
    (T, K, N), H = x.shape, net.hidden
    _, f, r, _, v, _, d, _ = split(net, np.repeat(weights, N, axis=1))
    x, d_end = x.reshape(T, K * N), d_end.reshape(T, K * N)
    into = np.zeros((len(weights), K * N), weights.dtype)
    into_a, into_f, into_r, into_b, into_v = into[:-3].reshape(5, H, K * N)
    d_h, d_y = np.zeros((H, K * N), weights.dtype), np.zeros(K * N, weights.dtype)
    d_z, product = np.empty_like(d_h), np.empty_like(d_h)
    for t in range(T - 1, -1, -1):
        d_o = d_end[t] + d_y * y[t + 1] * (1 - y[t + 1])
        np.multiply(v, d_o, out=product)
        d_h += product
        np.subtract(1, h[t + 1], out=d_z)
        d_z *= h[t + 1]
        d_z *= d_h
        into_b += d_z
        for total, left, right in ((into_a, d_z, x[t]), (into_f, d_z, y[t]), (into_r, d_z, h[t]),
                                   (into_v, h[t + 1], d_o)):
            np.multiply(left, right, out=product)
            total += product
        for total, source in zip(into[-3:], (x[t], y[t], 1), strict=True):
            total += d_o * source
        np.multiply(d_z, r, out=d_h)
        np.multiply(d_z, f, out=product)
        d_y = product.sum(0) + d * d_o
    return into.reshape(-1, K, N).sum(-1) * has(net)[:, None]


def descend(net, config, presentations, seed, progress=None):
    """Train nets from small weights by backpropagation through time on the cross-entropy of the answer, with Adam.

    One net for each init, step size and start. Returns three arrays (inits, step sizes, starts): the number of
    presentations at which all training sequences were right first (0: never), the share of training sequences on the
    right side of 1/2 at the end, and the share of fresh ones.
    """
    rng = np.random.default_rng(seed)
    shape = (len(config.inits), len(config.rates), config.starts)
    K, copies = int(np.prod(shape)), len(config.inits) * len(config.rates)
    rate = np.broadcast_to(np.array(config.rates, np.float32)[:, None], shape).ravel()
    init = np.broadcast_to(np.array(config.inits, np.float32)[:, None, None], shape).ravel()
    sets = [sequences(rng, config.training, config) for _ in range(config.starts)]
    x = np.stack([data.x for data in sets], 1)  # (T, starts, training)
    end, target = (np.stack(part) for part in zip(*((data.lengths - 1, data.sign > 0) for data in sets), strict=True))
    weights = np.tile(rng.uniform(-1, 1, (len(has(net)), config.starts)).astype(np.float32), copies)
    weights *= init * has(net)[:, None]
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    lanes, columns = np.arange(K)[:, None], np.arange(config.batch)
    d_end = np.zeros((config.longest, K, config.batch), np.float32)
    work = (np.empty((config.longest + 1, net.hidden, K * config.batch), np.float32),
            np.empty((config.longest + 1, K * config.batch), np.float32))

    def margins(sets):  # how far each net is on the right side for each sequence of its set, (K, training)
        out = np.empty((K, config.training))
        for k, data in enumerate(sets):
            answers = final(net, weights[:, k::config.starts], data, np.arange(config.training))
            out[k::config.starts] = answers * data.sign
        return out

    solved, order, steps = np.zeros(K, int), np.empty(0, int), -(-presentations // config.batch)
    for step in range(1, steps + 1):
        if len(order) < config.batch:
            order = rng.permutation(config.training)
        chosen, order = order[:config.batch], order[config.batch:]
        inputs, at = np.tile(x[..., chosen], (1, copies, 1)), np.tile(end[:, chosen], (copies, 1))
        h, y = rollout(net, weights, inputs, work)
        d_end[:] = 0
        answers = y.reshape(-1, K, config.batch)[at + 1, lanes, columns]
        d_end[at, lanes, columns] = (answers - np.tile(target[:, chosen], (copies, 1))) / config.batch
        grad = gradient(net, weights, inputs, h, y, d_end)
        grad *= np.minimum(1, config.clip / np.maximum(np.linalg.norm(grad, axis=0), 1e-30))
        mean += (1 - config.beta_1) * (grad - mean)
        square += (1 - config.beta_2) * (grad**2 - square)
        weights -= rate * mean / (1 - config.beta_1**step) / (np.sqrt(square / (1 - config.beta_2**step)) + 1e-8)
        if not np.isfinite(weights).all():
            raise FloatingPointError(f"a weight is not finite after {step} steps of gradient descent")
        if step % config.check_every == 0 or step == steps:
            margin = margins(sets)
            solved[(solved == 0) & (margin > 1 - 2 * config.tolerance).all(1)] = step * config.batch
            if progress:
                progress(step / steps, f"gradient descent, {step * config.batch:,} sequences: {(solved > 0).sum()} "
                                       f"of {K} nets have solved it")
    fresh = margins([sequences(rng, config.training, config) for _ in range(config.starts)])
    return tuple(part.reshape(shape) for part in (solved, (margin > 0).mean(1), (fresh > 0).mean(1)))


# ---- the experiment -------------------------------------------------------------------------------------------------
def confirmed(net, weights, data, config):
    """Whether a net (P, 1) is right on all sequences in float64, too, stepped as it is defined."""
    y = rollout(net, weights.astype(float), data.x[:, None].astype(float))[1][data.lengths, np.arange(len(data.sign))]
    return bool((data.sign * (2 * y - 1) > 1 - 2 * config.tolerance).all())


def shares_right(net, weights, config, rng, n, steps=None):
    """Share of n fresh sequences that several nets (P, k) answer right, (k,); steps: their length, if it is fixed."""
    config = replace(config, shortest=steps, longest=steps) if steps else config
    data = sequences(rng, n, config, config.noise * net.noisy)
    return (final(net, weights, data, np.arange(n)) * data.sign > 1 - 2 * config.tolerance).mean(1)


def table_row(net, name, config, rng, progress=None):
    """The paper's experiment for one net: ten searches, each with its own training set, and what they accepted."""
    trials, shown, accepted, agree, tracks, seconds = [], [], [], 0, 0, 0.0
    for k in range(config.searches):
        data = training_set(net, config, rng)

        def part(tried, k=k):
            if progress:
                progress(k / config.searches, f"{name}: search {k + 1}, {tried:,} trials")
        started = perf_counter()
        tried, seen, weights = search(net, config, data, rng, part)
        seconds += perf_counter() - started
        trials.append(tried)
        shown.append(seen)
        if weights is not None:
            accepted.append(weights)
            agree += confirmed(net, weights, data, config)
            tracks += tracks_parity(net, weights, data)
    out = {f"{name}_solved": len(accepted), f"{name}_mean_trials": float(np.mean(trials)),
           f"{name}_median_trials": float(np.median(trials)), f"{name}_sequences_shown": float(np.mean(shown)),
           f"{name}_guesses_per_second": sum(trials) / seconds, f"{name}_float64_agree": agree,
           f"{name}_tracks_parity": tracks / max(len(accepted), 1)}
    weights = np.concatenate(accepted, 1) if accepted else np.zeros((len(layout(net)), 1), np.float32)
    tests = {"test": shares_right(net, weights, config, rng, config.test)}
    tests["long"] = shares_right(net, weights, config, rng, config.long_test, config.long_steps)
    for what, shares in tests.items():
        out |= {f"{name}_{what}_right": float(shares.mean()), f"{name}_least_{what}_right": float(shares.min())}
    return out


def table_counts(config, rng):
    """Which functions of (input, output) random nets without self-connections compute: share of each of the 16."""
    net = NETS["no_self"]
    bits = np.concatenate([tables(net, draw(net, config.prior, rng, min(config.block, config.tables - done)))
                           for done in range(0, config.tables, config.block)])
    counts = np.bincount(bits @ (8, 4, 2, 1), minlength=16) / len(bits)
    return {"xor_share": float(counts[0b0110]), "constant_share": float(counts[0b0000] + counts[0b1111]),
            "copies_output_share": float(counts[0b0101]), "copies_input_share": float(counts[0b0011]),
            "xor_or_xnor_share": float(counts[0b0110] + counts[0b1001]), "xor_trials": float(1 / max(counts[6], 1e-9))}


def run(config, seed, progress=None):
    """The paper's table, long sequences, what the accepted nets compute, and gradient descent on the same task."""
    streams, out = np.random.SeedSequence(seed).spawn(len(NETS) + 2), {}
    for k, (name, net) in enumerate(NETS.items()):
        def part(fraction, message, k=k):
            if progress:
                progress((k + fraction) / (len(NETS) + 1), message)
        out |= table_row(net, name, config, np.random.default_rng(streams[k]), part)
    out |= table_counts(config, np.random.default_rng(streams[-2]))
    out |= {"least_solved": min(out[f"{name}_solved"] for name in NETS)}
    out |= {f"clean_{what}": min(out[f"{name}_{what}"] for name in CLEAN)
            for what in ("least_test_right", "least_long_right", "tracks_parity")}

    def rest(fraction, message):
        if progress:
            progress((len(NETS) + fraction) / (len(NETS) + 1), message)
    solved, share, _ = descend(NETS["no_self"], config, config.presentations, streams[-1], rest)
    return out | {"descent_nets": solved.size, "descent_solved": int((solved > 0).sum()),
                  "descent_best_share": float(share.max()), "descent_mean_share": float(share.mean())}


def density_row(net, name, config, rng, progress=None):
    """How many of the guesses solve the task, as metrics; at which guesses; and the weights of those that do."""
    found, weights = density(net, config, rng, progress)
    total = config.sets * config.guesses
    mean, low, high = trials_interval(len(found), total)
    return {f"{name}_solutions": len(found), f"{name}_guesses": total, f"{name}_trials": mean,
            f"{name}_trials_low": low, f"{name}_trials_high": high}, found, weights


def study(config, seed, progress=None):
    """Densities of solutions, the law of the trials, longer sequences, other priors, gradient descent by length."""
    streams, out, done = iter(np.random.SeedSequence([seed, 1]).spawn(1000)), {}, 0
    swept = [(name, value) for name in CLEAN for value in config.priors]
    jobs = len(NETS) + 1 + len(swept) + len(CLEAN) * len(config.lengths)

    def rng():
        return np.random.default_rng(next(streams))

    def part(fraction, message):
        if progress:
            progress((done + fraction) / jobs, message)
    for name, net in NETS.items():
        sets = replace(config, sets=config.noisy_sets) if net.noisy else config
        row, found, weights = density_row(net, name, sets, rng(), part)
        ratio = (row[f"{name}_trials"] or row[f"{name}_guesses"]) / net.paper
        waits = np.diff(found, prepend=0)  # guesses from each solution to the next
        out |= row | {f"{name}_over_paper": ratio, f"{name}_factor": max(ratio, 1 / ratio),
                      f"{name}_geometric_p": geometric_p(waits, rng()) if len(waits) > 1 else None,
                      f"{name}_waits": waits[:1000].tolist()}
        stream = rng()
        for steps in config.long_lengths:
            shares = shares_right(net, weights[:, :config.long_nets], config, stream, config.few, steps)
            out |= {f"{name}_{steps}_steps_right": float(shares.mean()) if len(shares) else None,
                    f"{name}_{steps}_steps_perfect": float((shares == 1).mean()) if len(shares) else None}
        done += 1
    out["no_self_advantage"] = (out["a2_trials"] or out["a2_guesses"]) / (out["no_self_trials"] or 1)
    two_tanh = replace(config, prior=30.0, tolerance=0.5)  # as it was tried: only the side of 1/2 counts
    out |= density_row(TWO_TANH, "two_tanh", two_tanh, rng(), part)[0]
    done += 1
    for name, value in swept:
        changed = replace(config, prior=value, sets=max(1, config.sets // 5))
        out |= density_row(NETS[name], f"{name}_prior_{value:g}".replace(".", "_"), changed, rng(), part)[0]
        done += 1
    for name in CLEAN:
        for length in config.lengths:
            shorter = replace(config, shortest=length, longest=length * 6 // 5)
            solved, share, fresh = descend(NETS[name], shorter, config.study_presentations, next(streams), part)
            out |= {f"{name}_descent_{length}_solved": int((solved > 0).sum()),
                    f"{name}_descent_{length}_best_share": float(share.max()),
                    f"{name}_descent_{length}_mean_fresh_share": float(fresh.mean()),
                    f"{name}_descent_{length}_best_fresh_share": float(fresh.max()),
                    f"{name}_descent_{length}_solved_by_init": (solved > 0).sum((1, 2)).tolist(),
                    f"{name}_descent_{length}_solved_by_rate": (solved > 0).sum((0, 2)).tolist()}
            done += 1
    for length in config.lengths:
        out[f"descent_{length}_solved"] = sum(out[f"{name}_descent_{length}_solved"] for name in CLEAN)
    nets = len(config.inits) * len(config.rates) * config.starts
    return out | {"descent_nets_each": nets, "descent_nets": nets * len(CLEAN),
                  "descent_beyond_20_solved": sum(out[f"descent_{length}_solved"] for length in config.lengths
                                                  if length > 20)}


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def main(argv=None):
    """Run, report, judge. Exit code 0: it ran; 1: it diverged or could not write; 2: bad arguments; 130: Ctrl-C."""
    here, started, shown = pathlib.Path(__file__), time.monotonic(), [0]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="a run of seconds: it proves the code, not the claim")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the record of this run to FILE")
    if "study" in globals():
        parser.add_argument("--study", action="store_true", help="instead of the run, the longer study of study.json")
    seed_field = {"seed": typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]}
    for name, hint in (seed_field | typing.get_type_hints(Config, include_extras=True)).items():
        kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # a tuple field is tuple[kind, ...]
        (text, *legal), how = hint.__metadata__, {"action": argparse.BooleanOptionalAction}
        if kind is not bool:
            def value(word, kind=kind, legal=legal[0]):
                if kind(word) in legal if kind is str else legal[0] <= kind(word) <= legal[1]:
                    return kind(word)
                raise ValueError  # argparse says: argument FLAG: invalid NAME value: 'WORD', with the name set below
            value.__name__ = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
            how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
            text += f", {value.__name__}"
        text = f"{text}; default {getattr(Config, name, 0)}".replace("%", "%%")
        parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in vars(parser.parse_args(argv)).items()}
    seed, quick, path, longer = (given.pop(name, 0) for name in ("seed", "quick", "json", "study"))
    try:
        config, card = Config(**((QUICK if quick else {}) | given)), here.with_name("card.toml")
        claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
        if path:
            path.open("a").close()
    except (OSError, ValueError) as error:
        parser.error(f"argument --json: {error}" if isinstance(error, OSError) else str(error))

    def progress(fraction, message):
        """Show on stderr how far the run is: one live line on a terminal, elsewhere a line each 10 s."""
        now, live = time.monotonic(), sys.stderr.isatty()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {message}"[:shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)
    try:
        metrics = (globals()["study"] if longer else run)(config, seed, progress)
        record = {"slug": here.stem.replace("_", "-"), "seed": seed, "quick": quick, "config": vars(config),
                  "seconds": round(time.monotonic() - started, 3), "metrics": metrics}
        print(f"\n{record['slug']}, seed {seed}, {record['seconds']:.1f} s{', a quick run proves no claim' * quick}")
        for name, v in metrics.items():
            if v is not None and not np.all(np.isfinite(v)):
                raise FloatingPointError(f"metric {name} is {v}")
            if not isinstance(v, list):
                print(f"  {name:<{max(map(len, metrics))}}  {format(v, '.5g') if isinstance(v, float) else v}")
        for c in (c for c in claims if c.get("from", "runs") == ("study" if longer else "runs")):
            v, bar = np.nan if metrics[c["metric"]] is None else metrics[c["metric"]], c["threshold"]
            holds = {">=": v >= bar, "<=": v <= bar, ">": v > bar, "<": v < bar, "==": v == bar}[c["op"]]
            print(f"{'holds' if holds else 'fails'}  {c['says']}: {v:.5g}, needed {c['op']} {bar}; paper: {c['paper']}")
        if path:
            part = path.with_name(path.name + ".part")
            part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
            part.replace(path)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {error}")


if __name__ == "__main__":
    main()
