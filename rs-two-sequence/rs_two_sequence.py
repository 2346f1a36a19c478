# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Two sequences: the long-time-lag benchmark of its day falls to weights drawn at random.

Paper: S. Hochreiter, J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 1997,
section 1; "Bridging long time lags by weight guessing and Long Short Term Memory", 1996; J.
Schmidhuber, S. Hochreiter, Y. Bengio, "Evaluating benchmark problems by random guessing", in A
Field Guide to Dynamical Recurrent Networks, 2001.
Task: the first of 500 to 600 numbers is +1 or -1, the others are noise. Say at the end which it
was.
Method: draw every weight of a small recurrent net from U[-100, 100]; keep it if it is right on all
100 training sequences, else draw again. No gradient, no mutation.
Claim: it takes some 718 or 1247 draws (nets A2, A1), and 22 or 6 for the one-unit "latch"; what was
accepted is right on unseen sequences. A task that is guessed so quickly tests no long-lag learner.

    python3 rs_two_sequence.py                  ten searches for each of the paper's four rows
    python3 rs_two_sequence.py --noise 0.447    the other reading of the noise, variance 0.2
    python3 study_rs_two_sequence.py            other priors, noises and lags; gradient descent
"""

import os

# before numpy: nothing here is a large matrix product
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import dataclass, replace
from math import sqrt
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    searches: Annotated[
        int, "searches for each row of the paper's table (the paper: 10)", (1, 10_000)
    ] = 10
    max_guesses: Annotated[int, "guesses after which a search gives up", (1, 10**9)] = 1_000_000
    prior: Annotated[float, "weights are drawn from U[-prior, prior]", (1e-3, 1e6)] = 100.0
    noise: Annotated[float, "standard deviation of all elements but the first", (0.0, 10.0)] = 0.2
    shortest: Annotated[int, "least length of a sequence, steps", (2, 10**6)] = 500
    longest: Annotated[int, "greatest length of a sequence, steps", (2, 10**6)] = 600
    training: Annotated[int, "training sequences, half of each class", (2, 10**5)] = 100
    test: Annotated[int, "test sequences, drawn after a net was accepted", (2, 10**6)] = 1000
    tolerance: Annotated[
        float, "an answer is right if it differs from the target by less", (1e-6, 0.5)
    ] = 0.1
    latch_target: Annotated[
        float, "latch I: the output has to reach plus or minus this", (0.0, 1.0)
    ] = 0.8
    block: Annotated[int, "guesses in lockstep; no result depends on it", (1, 10**6)] = 8192
    first_block: Annotated[
        int, "the same at the start of a search, then doubled each time", (1, 10**6)
    ] = 64
    screen: Annotated[
        tuple[int, ...], "sequences in the stages of a test; the others come last", (1, 10**5)
    ] = (1, 1, 2, 4, 8)
    sets: Annotated[
        int, "training sets over which the density of solutions is measured", (1, 10**4)
    ] = 20
    guesses: Annotated[int, "guesses for each of these sets, nets A1 and A2", (1, 10**8)] = 10_000
    latch_guesses: Annotated[int, "the same, latches", (1, 10**8)] = 1000
    presentations: Annotated[
        int, "gradient descent: sequences shown to a net in a run", (1, 10**8)
    ] = 2000
    batch: Annotated[int, "gradient descent: sequences per step", (1, 10**5)] = 20
    adam: Annotated[tuple[float, ...], "gradient descent: step sizes with Adam", (1e-6, 100.0)] = (
        0.001,
        0.01,
        0.1,
    )
    sgd: Annotated[tuple[float, ...], "gradient descent: step sizes without", (1e-6, 100.0)] = (
        0.01,
        0.1,
        1.0,
    )
    beta_1: Annotated[float, "Adam: memory of the gradient", (0.0, 0.999999)] = 0.9
    beta_2: Annotated[float, "Adam: memory of the squared gradient", (0.0, 0.999999)] = 0.999
    clip: Annotated[float, "gradient descent: largest norm of a gradient", (1e-6, 1e6)] = 1.0
    init: Annotated[float, "gradient descent: weights start in U[-init, init]", (1e-6, 100.0)] = 0.1
    starts: Annotated[
        int, "gradient descent: starts, each with its own training set, per step size", (1, 1000)
    ] = 5
    check_every: Annotated[
        int, "gradient descent: steps between two tests on the training set", (1, 10**6)
    ] = 10
    study_sets: Annotated[
        int, "study: training sets over which the density is measured", (1, 10**4)
    ] = 100
    study_searches: Annotated[
        int, "study: searches per net, for the law of the trials", (2, 10**5)
    ] = 300
    study_presentations: Annotated[int, "study: sequences shown to a net", (1, 10**8)] = 20_000
    descent_lags: Annotated[
        tuple[int, ...], "study: least lengths for gradient descent, steps", (2, 10**6)
    ] = (10, 20, 50, 100, 200, 500)
    lags: Annotated[tuple[int, ...], "study: least lengths for guessing, steps", (2, 10**6)] = (
        50,
        100,
        200,
        500,
        1000,
        2000,
        5000,
    )
    priors: Annotated[tuple[float, ...], "study: half-widths of the prior", (1e-3, 1e6)] = (
        1.0,
        3.0,
        10.0,
        30.0,
        100.0,
    )
    noises: Annotated[tuple[float, ...], "study: standard deviations of the noise", (0.0, 10.0)] = (
        0.1,
        0.2,
        0.3,
        0.447,
    )

    def __post_init__(self):
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: it must not exceed --longest")
        if self.training % 2 or self.test % 2:
            raise ValueError(
                "argument --training, --test: each class gets half of the sequences, "
                "use even numbers"
            )
        if sum(self.screen) >= self.training:
            raise ValueError(
                "argument --screen: its stages must leave some of the --training sequences"
            )


QUICK = {
    "searches": 2,
    "shortest": 50,
    "longest": 60,
    "test": 100,
    "sets": 2,
    "guesses": 4000,
    "latch_guesses": 200,
    "presentations": 200,
    "starts": 1,
    "study_sets": 2,
    "study_searches": 10,
    "study_presentations": 200,
    "descent_lags": (10, 20),
    "lags": (20, 40),
    "priors": (10.0, 100.0),
    "noises": (0.1, 0.2),
}


# ---- the task ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sequences:
    """n sequences: elements x (T, n), time first; lengths (n,); sign (n,), +1 for class 1 and -1
    for class 2."""

    x: np.ndarray
    lengths: np.ndarray
    sign: np.ndarray


def sequences(rng, n, config):
    """n / 2 sequences of each class, the classes in turn and the short ones first: short ones
    reject sooner."""
    lengths = np.sort(
        rng.integers(config.shortest, config.longest + 1, (n // 2, 2)), axis=0
    ).ravel()
    sign = np.tile(np.array([1, -1], np.float32), n // 2)
    x = rng.normal(0.0, config.noise, (config.longest, n)).astype(np.float32)
    x[0] = sign
    return Sequences(x, lengths, sign)


# ---- the nets ------------------------------------------------------------------------------------
# h_j(t) = s(a_j x(t) + f_j y(t-1) + sum_i r_ij h_i(t-1) + b_j)        hidden units first, y(t)   =
# s(sum_j v_j h_j(t) + c x(t) + d y(t-1) + e)                 then the output, which sees their new
# values. Where nets are guessed, a hidden unit sees itself only: r is one number per unit (A1 has
# one unit, A2 says so).
@dataclass(frozen=True)
class Net:
    """Which weights a net has, by letter; the others are 0. Letters 1 and 2: what a sequence of
    class 1, 2 starts with.

    c is 1 where it is no weight, and 1, 2 stand for the task's own +1, -1. paper: the trials that
    the paper reports.
    """

    hidden: int
    free: str
    paper: float | None = None
    hidden_tanh: bool = False
    output_tanh: bool = False
    full: bool = False  # r is a full matrix


NETS = {
    "a1": Net(1, "afrbvcd", 1247),
    "a2": Net(10, "afrbvce", 718),
    "latch2": Net(0, "cde", 22, output_tanh=True),
    "latch1": Net(0, "d12", 6, output_tanh=True),
}
TANH_NET = Net(
    10, "arbvce", hidden_tanh=True, full=True
)  # for gradient descent only: not in the paper's table


def draw(net, prior, rng, n):
    """n nets, every weight from U[-prior, prior], (5 H + 5, n): rows a, f, r, b, v of H each, then
    c, d, e, 1, 2."""
    letters = np.array(list("".join(name * net.hidden for name in "afrbv") + "cde12"))
    weights = np.repeat(
        np.select([letters == "c", letters == "1", letters == "2"], [1.0, 1.0, -1.0])[:, None], n, 1
    )
    free = np.isin(letters, list(net.free))
    weights = weights.astype(np.float32)
    weights[free] = ((2 * rng.random((n, free.sum()), np.float32) - 1) * np.float32(prior)).T
    return weights


def fold(net, weights):
    """The same nets with all units tanh, (5 H + 5, n), and the value u at which all units start.

    1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2: with activations h = (1 + u) / 2 the halves move into
    the weights, and a step needs no exp, no division and no clipping.
    """
    if net.output_tanh:
        return weights, 0.0
    H, w = net.hidden, weights.copy()
    a, f, r, b, v, (c, d, e) = *(w[i * H : (i + 1) * H] for i in range(5)), w[5 * H : 5 * H + 3]
    b[:] = b / 2 + f / 4 + r / 4
    e[:] = e / 2 + v.sum(0) / 4 + d / 4
    a /= 2
    c /= 2
    for part in (f, r, v, d):
        part /= 4
    return w, -1.0


def final(net, weights, data, which):
    """The outputs of n nets at the last step of each of the sequences `which`, (n, S), from -1 to
    1, in float32.

    All arrays are (H, n, S) or (H, S, n), whichever has the longer last axis: that is where the
    time goes.
    """
    (w, start), H, n, S = fold(net, weights), net.hidden, weights.shape[1], len(which)
    nets_last = n > S
    lanes, of_net, of_sequence = ((S, n), (1, n), (S, 1)) if nets_last else ((n, S), (n, 1), (1, S))
    x, lengths = np.ascontiguousarray(data.x[:, which]), data.lengths[which].reshape(of_sequence)
    x = x.reshape(-1, *of_sequence)
    a, f, r, b, v = w[: 5 * H].reshape(5, H, *of_net)
    c, d, e, one, two = w[5 * H :].reshape(5, *of_net)
    u, z, product = np.full((H, *lanes), start, np.float32), *np.empty((2, H, *lanes), np.float32)
    y, o, term, answer = np.full(lanes, start, np.float32), *np.empty((3, *lanes), np.float32)
    now, last = np.where(data.sign[which].reshape(of_sequence) > 0, one, two), int(lengths.min())
    for t in range(lengths.max()):
        if t:
            now = x[t]
        np.multiply(c, now, out=o)
        o += e
        np.multiply(d, y, out=term)
        o += term
        if H:
            np.multiply(a, now, out=z)
            np.multiply(f, y, out=product)
            z += product
            np.multiply(r, u, out=product)
            z += product
            z += b
            np.tanh(z, out=u)
            np.multiply(v, u, out=product)
            np.add.reduce(product, axis=0, out=term)
            o += term
        np.tanh(o, out=y)
        if t + 1 >= last:
            np.copyto(answer, y, where=lengths == t + 1)
    return answer.T if nets_last else answer


def needed(net, config):
    """How far on the right side of 0 an output in [-1, 1] has to be: |output - target| < tolerance,
    in this range."""
    if "1" in net.free:
        return config.latch_target
    return 1 - config.tolerance if net.output_tanh else 1 - 2 * config.tolerance


# ---- random guessing -----------------------------------------------------------------------------
def test_all(net, weights, data, config):
    """Which of n nets (5 H + 5, n) are right on all sequences, and how many sequences each was
    shown, both (n,).

    A net has to be right on all, so that it is out with its first mistake: the sequences come in
    stages, a later stage is for those that passed the earlier ones. The verdict is that of testing
    all on all.
    """
    n, total, threshold = weights.shape[1], len(data.sign), needed(net, config)
    right, seen = np.ones(n, bool), np.zeros(n, int)
    edges = [0, *np.cumsum(config.screen), total]
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        left, which = np.flatnonzero(right), np.arange(first, last)
        size = max(1, config.block // len(which))
        for chunk in (left[i : i + size] for i in range(0, len(left), size)):
            answers = final(net, weights[:, chunk], data, which)
            right[chunk] = (answers * data.sign[which] > threshold).all(1)
            seen[chunk] += len(which)
    return right, seen


def search(net, config, data, rng, callback=None):
    """Draw nets until one is right on all of data. Returns trials, sequences shown, and its weights
    (5 H + 5, 1).

    The weights are None if there was none among max_guesses. callback(weights, right) is called
    after each block.
    """
    tried = shown = 0
    size = config.first_block
    while tried < config.max_guesses:
        weights = draw(net, config.prior, rng, min(size, config.block, config.max_guesses - tried))
        size *= 2
        right, seen = test_all(net, weights, data, config)
        if callback:
            callback(weights, right)
        if right.any():
            winner = int(right.argmax())
            return (
                tried + winner + 1,
                shown + int(seen[: winner + 1].sum()),
                weights[:, winner : winner + 1],
            )
        tried, shown = tried + len(right), shown + int(seen.sum())
    return tried, shown, None


def density(net, config, rng, progress=None):
    """Guess for each of several training sets.

    Returns the solutions of each set (sets,), the number of guesses in all, and the solutions'
    weights (5 H + 5, n).
    """
    found, kept = [], []
    guesses = config.guesses if net.hidden else config.latch_guesses
    for k in range(config.sets):
        data, count = sequences(rng, config.training, config), 0
        for done in range(0, guesses, config.block):
            weights = draw(net, config.prior, rng, min(config.block, guesses - done))
            right = test_all(net, weights, data, config)[0]
            count += int(right.sum())
            kept.append(weights[:, right])
        found.append(count)
        if progress:
            progress(
                (k + 1) / config.sets, f"{sum(found)} solutions in {(k + 1) * guesses:,} guesses"
            )
    return np.array(found), config.sets * guesses, np.concatenate(kept, 1)


def trials_interval(solutions, guesses):
    """Mean trials to a solution, and its 95 % interval (Wilson's, for the share of solutions): None
    where unbounded."""
    p, z = solutions / guesses, 1.96
    middle, half = (
        p + z * z / (2 * guesses),
        z * sqrt(p * (1 - p) / guesses + z * z / (4 * guesses**2)),
    )
    low, high = ((middle + k * half) / (1 + z * z / guesses) for k in (-1, 1))
    return (1 / p if solutions else None), 1 / high, (1 / low if solutions else None)


def geometric_p(trials, rng, repeats=1000):
    """How often samples of the geometric distribution fit it worse than these trials do
    (Kolmogorov-Smirnov)."""

    def distance(sample):
        k, counts = np.unique(sample, return_counts=True)
        share, q = np.cumsum(counts) / len(sample), 1 - 1 / np.mean(sample)
        return max(
            np.abs(share - (1 - q**k)).max(),
            np.abs(share - counts / len(sample) - (1 - q ** (k - 1))).max(),
        )

    ours = distance(trials)
    others = [distance(rng.geometric(1 / np.mean(trials), len(trials))) for _ in range(repeats)]
    return float(np.mean(np.array(others) >= ours))


def latch_portrait(weights, noise):
    """What holds the bit in a one-unit latch y <- tanh(d y + c x + e), for n nets (5, n).

    Returns the fixed points without input, (3, n): lower, middle (unstable), upper, nan where there
    is only one; and how many standard deviations of the noise a single element must have to carry y
    from either stable one across the middle one, (2, n).
    """
    c, d, e = weights[:3].astype(float)
    y = np.stack([-np.ones_like(d), np.ones_like(d)])
    for _ in range(2000):
        y = np.tanh(d * y + e)
    low, high = y.copy()
    for _ in range(
        60
    ):  # tanh(d y + e) - y is negative just above the lower one, positive just below the upper one
        middle = (low + high) / 2
        above = np.tanh(d * middle + e) > middle
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    points = np.where(
        (y[1] - y[0] > 1e-6) & (d > 0), np.stack([y[0], (low + high) / 2, y[1]]), np.nan
    )
    return points, d * np.diff(points, axis=0) / np.maximum(np.abs(c) * noise, 1e-30)


# ---- gradient descent on the same nets -----------------------------------------------------------
# K nets at once, parameters theta (K, P), P = H H + 4 H + 3: r, then a, f, b, v, then c, d, e.
def parts(net, theta):
    """Views of theta: r (K, H, H) from unit i to unit j; a, f, b, v (K, H); c, d, e (K, 1)."""
    H = net.hidden
    r, abfv, cde = np.split(theta, [H * H, H * H + 4 * H], axis=1)
    return r.reshape(len(theta), H, H), *np.split(abfv, 4, axis=1), *np.split(cde, 3, axis=1)


def present(net):
    """Which parameters the net has, (P,)."""
    H, has = net.hidden, {name: name in net.free for name in "rafbvcde"}
    matrix = np.ones((H, H)) if net.full else np.eye(H)
    return (
        np.r_[
            matrix.ravel() * has["r"],
            np.repeat([has[name] for name in "afbv"], H),
            [has[x] for x in "cde"],
        ]
        > 0
    )


def as_theta(net, weights):
    """Guessed nets (5 H + 5, K) as parameters (K, P), in float64."""
    H, w = net.hidden, weights.astype(float)
    a, f, r, b, v = w[: 5 * H].reshape(5, H, w.shape[1])
    matrix = np.eye(H)[:, :, None] * r  # (H, H, K)
    return np.concatenate(
        [matrix.reshape(H * H, w.shape[1]), a, f, b, v, w[5 * H : 5 * H + 3]]
    ).T.copy()


def rollout(net, theta, x):
    """Activations h (T + 1, K, N, H) and y (T + 1, K, N) on sequences x (T, K, N), from silence, as
    defined above."""
    r, a, f, b, v, c, d, e = parts(net, theta)
    T, K, N = x.shape
    h, y = np.zeros((T + 1, K, N, net.hidden), theta.dtype), np.zeros((T + 1, K, N), theta.dtype)
    into_h, into_y = x[..., None] * a[:, None] + b[:, None], x * c + e
    for t in range(T):
        z = h[t] @ r
        z += into_h[t]
        z += y[t][..., None] * f[:, None]
        h[t + 1] = np.tanh(z) if net.hidden_tanh else 0.5 + 0.5 * np.tanh(0.5 * z)
        o = (h[t + 1] @ v[..., None])[..., 0]
        o += into_y[t]
        o += d * y[t]
        y[t + 1] = np.tanh(o) if net.output_tanh else 0.5 + 0.5 * np.tanh(0.5 * o)
    return h, y


def gradient(net, theta, x, h, y, d_end):
    """Backpropagation through time, (K, P), from errors d_end (T, K, N) at the logistic output's
    net input."""
    r, _, f, _, v, _, d, _ = parts(net, theta)
    T, K, N, H = *x.shape, net.hidden
    slope_h = 1 - h[1:] ** 2 if net.hidden_tanh else h[1:] * (1 - h[1:])
    slope_y = y[1:] * (1 - y[1:])
    d_o, d_z = d_end.copy(), np.empty_like(slope_h)
    d_h, d_y = np.zeros((K, N, H), theta.dtype), np.zeros((K, N), theta.dtype)
    back = np.ascontiguousarray(r.swapaxes(1, 2))
    for t in range(T - 1, -1, -1):
        d_o[t] += d_y * slope_y[t]
        d_h += d_o[t][..., None] * v[:, None]
        np.multiply(d_h, slope_h[t], out=d_z[t])
        np.matmul(d_z[t], back, out=d_h)
        d_y = (d_z[t] @ f[..., None])[..., 0]
        d_y += d * d_o[t]

    def sums(left, right):  # over time and sequences: (T, K, N, i), (T, K, N, j) -> (K, i, j)
        left, right = (
            part.swapaxes(0, 1).reshape(K, T * N, part.shape[-1]) for part in (left, right)
        )
        return left.swapaxes(1, 2) @ right

    sources = np.stack([x, y[:-1], np.ones_like(x)], -1)  # (T, K, N, 3)
    to_h, to_y = sums(sources, d_z), sums(sources, d_o[..., None])[..., 0]  # (K, 3, H), (K, 3)
    to_v = sums(h[1:], d_o[..., None])[..., 0]
    return np.concatenate(
        [sums(h[:-1], d_z).reshape(K, H * H), to_h.reshape(K, 3 * H), to_v, to_y], 1
    ) * present(net)


def descend(net, config, presentations, seed, progress=None):
    """Train nets from small weights by backpropagation through time on the cross-entropy of the
    answer.

    One net for each step size (Adam's first) and start. Returns (step sizes, starts) arrays: at
    which number of presentations all training sequences were right first (0: never), and the share
    that is on the right side of 1/2 at the end.
    """
    rng = np.random.default_rng(seed)
    rates = np.r_[config.adam, config.sgd].astype(np.float32)
    adam = np.repeat(np.arange(len(rates)) < len(config.adam), config.starts)[:, None]
    K, rate = len(adam), np.repeat(rates, config.starts)[:, None]
    sets = [sequences(rng, config.training, config) for _ in range(config.starts)]
    x = np.stack([data.x for data in sets] * len(rates), 1)  # (T, K, training)
    end = np.stack([data.lengths - 1 for data in sets] * len(rates))  # (K, training)
    target = np.stack([data.sign > 0 for data in sets] * len(rates)).astype(np.float32)
    theta = rng.uniform(-config.init, config.init, (config.starts, len(present(net)))).astype(
        np.float32
    )
    theta = np.tile(theta * present(net), (len(rates), 1))
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    solved, nets, order = np.zeros(K, int), np.arange(K)[:, None], np.empty(0, int)
    steps = -(-presentations // config.batch)
    for step in range(1, steps + 1):
        if len(order) < config.batch:
            order = rng.permutation(config.training)
        chosen, order = order[: config.batch], order[config.batch :]
        inputs, at = np.ascontiguousarray(x[..., chosen]), end[:, chosen]
        h, y = rollout(net, theta, inputs)
        d_end = np.zeros_like(inputs)
        columns = np.arange(len(chosen))
        d_end[at, nets, columns] = (y[at + 1, nets, columns] - target[:, chosen]) / len(chosen)
        grad = gradient(net, theta, inputs, h, y, d_end)
        grad *= np.minimum(
            1, config.clip / np.maximum(np.linalg.norm(grad, axis=1, keepdims=True), 1e-30)
        )
        mean += (1 - config.beta_1) * (grad - mean)
        square += (1 - config.beta_2) * (grad**2 - square)
        scaled = (
            mean / (1 - config.beta_1**step) / (np.sqrt(square / (1 - config.beta_2**step)) + 1e-8)
        )
        theta -= rate * np.where(adam, scaled, grad)
        if not np.isfinite(theta).all():
            raise FloatingPointError(
                f"a weight is not finite after {step} steps of gradient descent"
            )
        if step % config.check_every == 0 or step == steps:
            y = rollout(net, theta, x)[1][end + 1, nets, np.arange(config.training)]
            error = np.abs(y - target)
            solved[(solved == 0) & (error < config.tolerance).all(1)] = step * config.batch
            if progress:
                progress(
                    step / steps,
                    f"gradient descent, {step * config.batch:,} sequences: {(solved > 0).sum()} "
                    f"of {K} nets have solved it",
                )
    return solved.reshape(len(rates), -1), (error < 0.5).mean(1).reshape(len(rates), -1)


# ---- the experiment ------------------------------------------------------------------------------
def confirmed(net, weights, data, config):
    """Whether a net (5 H + 5, 1) is right on all sequences in float64, too, stepped as it is
    defined."""
    x = data.x[:, None].astype(float)  # (T, 1, n)
    x[0] = np.where(data.sign > 0, weights[-2], weights[-1])
    y = rollout(net, as_theta(net, weights), x)[1][data.lengths, 0, np.arange(len(data.sign))]
    return bool((data.sign * (y if net.output_tanh else 2 * y - 1) > needed(net, config)).all())


def examine(net, weights, config, rng):
    """Share of fresh sequences that an accepted net answers right, and its mean error on them."""
    data = sequences(rng, config.test, config)
    margin = data.sign * final(net, weights, data, np.arange(config.test))[0]
    target = config.latch_target if "1" in net.free else 1.0
    error = np.maximum(target - margin, 0) / (1 if net.output_tanh else 2)
    return float((margin > needed(net, config)).mean()), float(error.mean(dtype=float))


def table_row(net, name, config, rng, progress=None):
    """The paper's experiment for one net: ten searches, each with its own training set, and what
    they accepted."""
    trials, shown, shares, errors, agree = [], [], [], [], []
    for k in range(config.searches):
        data = sequences(rng, config.training, config)
        tried, seen, weights = search(net, config, data, rng)
        trials.append(tried)
        shown.append(seen)
        if weights is not None:
            share, error = examine(net, weights, config, rng)
            shares.append(share)
            errors.append(error)
            agree.append(confirmed(net, weights, data, config))
        if progress:
            progress((k + 1) / config.searches, f"{name}: search {k + 1}, {tried:,} trials")
    return {
        f"{name}_solved": len(shares),
        f"{name}_mean_trials": float(np.mean(trials)),
        f"{name}_median_trials": float(np.median(trials)),
        f"{name}_sequences_shown": float(np.mean(shown)),
        f"{name}_test_right": float(np.mean(shares or 0.0)),
        f"{name}_least_test_right": min(shares, default=0.0),
        f"{name}_test_error": float(np.mean(errors or 1.0)),
        f"{name}_float64_agree": sum(agree),
    }


def density_row(net, name, config, rng, progress=None):
    """How many of the guesses solve the task, over training sets, as metrics; and the weights of
    those that do."""
    started = perf_counter()
    found, total, weights = density(net, config, rng, progress)
    seconds = perf_counter() - started
    mean, low, high = trials_interval(int(found.sum()), total)
    out = {
        f"{name}_solutions": int(found.sum()),
        f"{name}_trials": mean or float(total),
        f"{name}_trials_low": low,
        f"{name}_trials_high": high,
        f"{name}_guesses_per_second": total / seconds,
    }
    if net.paper:
        ratio = out[f"{name}_trials"] / net.paper
        out |= {f"{name}_over_paper": ratio, f"{name}_factor": max(ratio, 1 / ratio)}
    return out, weights


def run(config, seed, progress=None):
    """The paper's table, the density of solutions, a look at the latches, and gradient descent on
    the same task."""
    streams, out = np.random.SeedSequence(seed).spawn(len(NETS) + 1), {}
    for k, (name, net) in enumerate(NETS.items()):

        def part(fraction, message, k=k):
            if progress:
                progress((k + fraction) / (len(NETS) + 2), message)

        table_rng, density_rng = (np.random.default_rng(s) for s in streams[k].spawn(2))
        out |= table_row(net, name, config, table_rng, part)
        row, weights = density_row(net, name, config, density_rng, part)
        out |= row
        if name == "latch2":
            points, margins = latch_portrait(weights[5 * net.hidden :], config.noise)
            two = np.isfinite(points[0])
            least = margins[:, two].min(0)
            out |= {
                "latch2_two_fixed_points": float(two.mean()) if len(two) else 0.0,
                "latch2_least_separation": float(margins[:, two].sum(0).min(initial=np.inf))
                if two.any()
                else 0.0,
                "latch2_least_margin": float(least.min()) if two.any() else 0.0,
                "latch2_median_margin": float(np.median(least)) if two.any() else 0.0,
            }

    def rest(fraction, message):
        if progress:
            progress((len(NETS) + 2 * fraction) / (len(NETS) + 2), message)

    solved, share = descend(NETS["a1"], config, config.presentations, streams[-1], rest)
    out |= {
        "least_solved": min(out[f"{name}_solved"] for name in NETS),
        "worst_test_error": max(out[f"{name}_test_error"] for name in NETS),
    }
    return out | {
        "descent_nets": solved.size,
        "descent_solved": int((solved > 0).sum()),
        "descent_best_share": float(share.max()),
        "descent_mean_share": float(share.mean()),
    }


def study(config, seed, progress=None):
    """The law of the trials; other priors, noises and lags; gradient descent at several lags."""
    streams, out, done = iter(np.random.SeedSequence([seed, 1]).spawn(1000)), {}, 0
    descents = {"a1": NETS["a1"], "a2": NETS["a2"], "tanh": TANH_NET}
    jobs = [("", 0, name, {"sets": config.study_sets}) for name in NETS]
    jobs += [("_to_itself", 0, "a2", {"sets": config.study_sets})]
    jobs += [
        ("_prior", value, name, {"prior": value})
        for name in ("a1", "a2", "latch2")
        for value in config.priors
    ]
    jobs += [
        ("_noise", value, name, {"noise": value})
        for name in ("a1", "a2", "latch2")
        for value in config.noises
    ]
    jobs += [("_lag", lag, name, length(lag)) for name in ("a1", "a2") for lag in config.lags]
    parts = len(jobs) + len(NETS) + len(descents) * len(config.descent_lags)

    def rng():
        return np.random.default_rng(next(streams))

    def part(fraction, message):
        if progress:
            progress((done + fraction) / parts, message)

    for name, net in NETS.items():
        stream, trials = rng(), []
        for k in range(config.study_searches):
            trials.append(
                search(net, config, sequences(stream, config.training, config), stream)[0]
            )
            part(k / config.study_searches, f"{name}: search {k + 1}")
        mean, half = (
            float(np.mean(trials)),
            float(1.96 * np.std(trials, ddof=1) / sqrt(len(trials))),
        )
        out |= {
            f"{name}_search_trials": trials,
            f"{name}_search_mean": mean,
            f"{name}_search_low": mean - half,
            f"{name}_search_high": mean + half,
            f"{name}_geometric_p": geometric_p(np.array(trials), rng()),
        }
        done += 1
    for kind, value, name, changed in jobs:
        net = replace(NETS[name], free="afrbvcde") if kind == "_to_itself" else NETS[name]
        label = f"{name}{kind}" + f"_{value:g}".replace(".", "_") * bool(value)
        row = density_row(net, label, replace(config, **changed), rng(), part)[0]
        out |= {key: row[key] for key in list(row)[: 4 if value else None]}
        done += 1
    for name, net in descents.items():
        for lag in config.descent_lags:
            shorter = replace(config, **length(lag))
            solved, share = descend(net, shorter, config.study_presentations, next(streams), part)
            out |= {
                f"{name}_descent_{lag}_solved": int((solved > 0).sum()),
                f"{name}_descent_{lag}_best_rate_solved": int((solved > 0).sum(1).max()),
                f"{name}_descent_{lag}_best_share": float(share.max()),
                f"{name}_descent_{lag}_solved_by_rate": (solved > 0).sum(1).tolist(),
            }
            done += 1
    for lag in config.descent_lags:
        out[f"descent_{lag}_solved"] = sum(out[f"{name}_descent_{lag}_solved"] for name in descents)
    longest = max(config.descent_lags)
    return out | {
        "descent_longest_lag": longest,
        "descent_longest_solved": out[f"descent_{longest}_solved"],
        "descent_nets": (len(config.adam) + len(config.sgd)) * config.starts * len(descents),
    }


def length(lag):
    """Settings for sequences of this least length; the greatest is a fifth more, as 600 is to
    500."""
    return {"shortest": lag, "longest": lag * 6 // 5}


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
