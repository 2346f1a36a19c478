# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Around WHERE-IS-MY-CAR?: other settings, long stays, and many bindings in one matrix.

1. The settings that the paper may have had, and a grid of steepness and learning rate.
2. One fast weight a slot becomes a matrix: pairs of a key and a value are written as a sum of outer
   products M = sum_t v_t phi(k_t)^T, and one key is asked for, y = M phi(k_q). This is linear
   attention without a normaliser. How many pairs fit if the FROM net phi is linear, if it is not?
3. How the number of pairs that fit grows with the number of features of phi.

    python3 study_fast_weights_key_value.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import fast_weights_key_value
from fast_weights_key_value import FastWeights, Recurrent, curve, examine, life, median, right_after
from fast_weights_key_value import train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "fast nets of each row of part 1", (1, 10_000)] = 200
    grid_nets: Annotated[int, "fast nets of each cell of the grid", (1, 10_000)] = 50
    rnn_nets: Annotated[int, "recurrent nets, for the curve", (1, 10_000)] = 60
    steps: Annotated[int, "time steps that each net learns from", (100, 10**7)] = 30_000
    stay: Annotated[int, "mean business time of the long stays, steps", (1, 10**6)] = 250
    spread: Annotated[float, "beta, length of what sets a key apart", (0.01, 10.0)] = 0.4
    train_pairs: Annotated[int, "pairs in a training episode", (2, 256)] = 16
    updates: Annotated[int, "updates of a FROM net", (1, 10**6)] = 3000
    batch_size: Annotated[int, "episodes in an update", (1, 4096)] = 128
    learning_rate: Annotated[float, "Adam's step size", (1e-6, 1.0)] = 3e-3
    hidden: Annotated[int, "hidden units of a nonlinear FROM net", (1, 1024)] = 32
    sharpness: Annotated[float, "of the softmax over stored keys", (0.1, 1000.0)] = 10.0
    test_episodes: Annotated[int, "fresh episodes for each number of pairs", (1, 10**6)] = 1000


QUICK = {
    "nets": 5,
    "grid_nets": 1,
    "rnn_nets": 2,
    "steps": 300,
    "updates": 20,
    "batch_size": 16,
    "test_episodes": 20,
}

# ---- 1: other settings of the paper's experiment ----
STEEPNESSES = (8.0, 9.0, 10.0, 12.0, 15.0)
RATES = (0.02, 0.05, 0.1, 0.2)
SHARES = (0.25, 0.5, 1.0)  # of the parked steps that ask
RNN_RATE = 5.0  # the recurrent nets' best rate in the experiment
PAPER = (10.0, 0.02)  # steepness and learning rate of the paper, as far as is known


def settings(config, paper, seed, progress):
    """Train nets of all settings as one batch; returns a row for each share and steepness."""
    cells = [(*PAPER, share, config.nets) for share in SHARES]
    cells += [(T, rate, 1.0, config.grid_nets) for T in STEEPNESSES for rate in RATES]
    columns = np.array(cells).T  # (4, cells)
    counts = columns[3].astype(int)  # (cells,) nets
    steepness, rate, share = np.repeat(columns[:3], counts, axis=1)  # (N,) each, one for a net
    batch = replace(paper, nets=counts.sum(), steepness=steepness, learning_rate=rate)
    batch = replace(batch, query_share=share)
    init, stream = map(np.random.default_rng, seed.spawn(2))
    moments = life(stream, batch.nets, batch.steps, batch)
    both = train(FastWeights(init, batch), moments, batch, progress)
    solved, solved_asked = (np.split(part, counts.cumsum()[:-1]) for part in both)  # of each cell
    table = {}
    for k, share in enumerate(SHARES):
        table[f"paper_share_{share:g}"] = {
            "solved": np.isfinite(solved[k]).mean(),
            "solved_asked": np.isfinite(solved_asked[k]).mean(),
            "median_steps": median(solved[k], paper),
        }
    for k, steepness in enumerate(STEEPNESSES):
        start = len(SHARES) + k * len(RATES)
        row = solved[start : start + len(RATES)]  # one part for each learning rate
        shares = [np.isfinite(part).mean() for part in row]
        medians = [median(part, paper) for part in row]
        table[f"grid_{steepness:g}"] = {
            "most_solved": max(shares),
            "least_median": min(medians),
            "solved": shares,
            "median_steps": medians,
        }
    return table


def long_stays(config, paper, seed, progress):
    """Train the paper's nets; returns how they do on long stays, and the curves of learning."""
    fast_seed, fast_life, test, rnn_seed, rnn_life = map(np.random.default_rng, seed.spawn(5))
    fast = FastWeights(fast_seed, paper)
    moments = life(fast_life, paper.nets, paper.steps, paper)
    solved, solved_asked = train(fast, moments, paper, progress)
    patient = replace(paper, change_probability=1 / config.stay)
    exam = examine(fast, life(test, paper.nets, 12 * config.stay, patient))
    able = np.isfinite(solved_asked)  # (N,)

    recurrent = Recurrent(rnn_seed, paper)
    moments = life(rnn_life, paper.rnn_nets, paper.steps, paper)
    rnn_solved, _ = train(recurrent, moments, paper, progress)
    return {
        "long_stay": {
            "right_after_1": right_after(exam, 1, able),
            "right_after_100": right_after(exam, 100, able),
        },
        "curves": {
            "x": curve(solved, paper)["x"],
            "fast": curve(solved, paper)["y"],
            "fast_asked": curve(solved_asked, paper)["y"],
            "rtrl": curve(rnn_solved, paper)["y"],
        },
    }


# ---- 2: many bindings in one matrix ----
SIZE = 8  # numbers in a key, and in a value
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
PAIRS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
FEATURES = (4, 8, 16, 32, 64, 128)
EARLY_PAIRS = 5


def episodes(rng, count, pairs, common, spread):
    """Draw keys and values (B, N, 8), and which of the keys is asked for (B,).

    All keys share the unit vector `common`, (8,), so that they resemble each other.
    """
    noise = rng.standard_normal((2, count, pairs, SIZE)) / np.sqrt(SIZE)  # (2, B, N, 8)
    return common + spread * noise[0], noise[1], rng.integers(pairs, size=count)


class Linear:
    """A FROM net that multiplies a key by a matrix (8, 8)."""

    def __init__(self, W):
        self.weights = [W]

    def forward(self, k):
        """Return features u (..., 8) of keys k (..., 8)."""
        self.k = k
        return k @ self.weights[0]

    def backward(self, du):
        """Return dE/dweights, given dE/du."""
        return [flat(self.k).T @ flat(du)]


class Nonlinear:
    """A FROM net with a layer of tanh units, whose features are elu + 1 and so positive."""

    def __init__(self, rng, hidden, features):
        scale_1, scale_2 = 1 / np.sqrt(SIZE), 1 / np.sqrt(hidden)
        self.weights = [
            scale_1 * rng.standard_normal((SIZE, hidden)),
            np.zeros(hidden),
            scale_2 * rng.standard_normal((hidden, features)),
            np.zeros(features),
        ]

    def forward(self, k):
        """Return features u (..., m) of keys k (..., 8)."""
        W_1, b_1, W_2, b_2 = self.weights
        self.k = k
        self.h = np.tanh(k @ W_1 + b_1)  # (..., H)
        z = self.h @ W_2 + b_2  # (..., m)
        self.slope = np.exp(np.minimum(z, 0))  # (..., m) of elu
        return np.maximum(z, 0) + self.slope

    def backward(self, du):
        """Return dE/dweights, given dE/du."""
        dz = flat(du * self.slope)  # (B * N, m)
        dh = dz @ self.weights[2].T  # (B * N, H)
        da = dh * (1 - flat(self.h) ** 2)  # (B * N, H)
        return [flat(self.k).T @ da, da.sum(0), flat(self.h).T @ dz, dz.sum(0)]


def flat(array):
    """Return (..., n) as (rows, n)."""
    return array.reshape(-1, array.shape[-1])


def unit(u):
    """Return u (..., m) at length 1, and its length; a length of 0 would divide by 0."""
    length = np.maximum(np.sqrt((u**2).sum(-1, keepdims=True)), 1e-12)  # (..., 1)
    return u / length, length


def read(phi, values, query):
    """Return y = M phi_q (B, 8), without forming M: y = sum_t (phi_t . phi_q) v_t; and c (B, N)."""
    phi_q = phi[np.arange(len(phi)), query]  # (B, m)
    c = np.matmul(phi, phi_q[:, :, None])[:, :, 0]  # (B, N)
    return np.matmul(c[:, None], values)[:, 0], c


def loss_and_gradient(net, keys, values, query):
    """Return half the mean squared error of the answers, and its gradient by the weights."""
    episode = np.arange(len(keys))
    phi, length = unit(net.forward(keys))  # (B, N, m), (B, N, 1)
    y, _ = read(phi, values, query)
    error = y - values[episode, query]  # (B, 8)
    loss = 0.5 * (error**2).sum(1).mean()

    dy = error / len(keys)  # (B, 8)
    dc = np.matmul(values, dy[:, :, None])  # (B, N, 1)
    dphi = dc * phi[episode, query][:, None]  # (B, N, m) as FROM patterns that were written
    dphi[episode, query] += (dc * phi).sum(1)  # and as the one that asks
    du = (dphi - phi * (phi * dphi).sum(-1, keepdims=True)) / length  # (B, N, m)
    return loss, net.backward(du)


def teach(net, rng, common, pairs, config):
    """Train a FROM net by Adam on episodes that are new at every update."""
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in net.weights]
    for update in range(1, config.updates + 1):
        batch = episodes(rng, config.batch_size, pairs, common, config.spread)
        _, gradient = loss_and_gradient(net, *batch)
        for weight, grad, (mean, square) in zip(net.weights, gradient, moments):
            mean += (1 - BETA_1) * (grad - mean)
            square += (1 - BETA_2) * (grad**2 - square)
            step = mean / (1 - BETA_1**update)
            step /= np.sqrt(square / (1 - BETA_2**update)) + EPSILON
            weight -= config.learning_rate * step
    return net


def attend(phi, values, query, sharpness):
    """Return what softmax attention answers (B, 8), which has to keep all pairs."""
    _, c = read(phi, values, query)
    weight = np.exp(sharpness * (c - 1))  # (B, N)
    weight /= weight.sum(1, keepdims=True)
    return np.matmul(weight[:, None], values)[:, 0]


def score(y, values, query):
    """Return the mean cosine of y and the right value, and how often this value is the nearest."""
    right = values[np.arange(len(y)), query]  # (B, 8)
    cosine = (unit(y)[0] * unit(right)[0]).sum(1).mean()
    distance = ((values - y[:, None]) ** 2).sum(2)  # (B, N)
    return cosine, (distance.argmin(1) == query).mean()


def try_out(net, seed, common, config, sharpness=None):
    """Score a FROM net at each number of pairs; all nets are tested on the same fresh episodes."""
    rng = np.random.default_rng(seed)
    scores = []
    for pairs in PAIRS:
        keys, values, query = episodes(rng, config.test_episodes, pairs, common, config.spread)
        phi, _ = unit(net.forward(keys))
        y = attend(phi, values, query, sharpness) if sharpness else read(phi, values, query)[0]
        scores.append(score(y, values, query))
    return np.array(scores).T  # (2, len(PAIRS))


def pairs_held(top1, least=0.9):
    """Return the number of pairs at which the share of right answers falls below `least`."""
    below = np.flatnonzero(top1 < least)
    if not below.size:
        return float(PAIRS[-1])
    k = below[0]  # more than 0: a single pair is always told right
    return np.interp(least, top1[[k, k - 1]], np.array(PAIRS, float)[[k, k - 1]])


def binding(config, seed, progress):
    """Train FROM nets of each kind and size, and test them on the same episodes."""
    task, testing, weights, linear_life, early_life, *lives = seed.spawn(5 + len(FEATURES))
    common = unit(np.random.default_rng(task).standard_normal(SIZE))[0]  # (8,)
    init = np.random.default_rng(weights)

    def near_identity():
        return Linear(np.eye(SIZE) + 0.05 * init.standard_normal((SIZE, SIZE)))

    def taught(net, stream, pairs):
        return teach(net, np.random.default_rng(stream), common, pairs, config)

    linear = taught(near_identity(), linear_life, config.train_pairs)
    early = taught(near_identity(), early_life, EARLY_PAIRS)
    found = {
        "identity": try_out(Linear(np.eye(SIZE)), testing, common, config),
        "linear": try_out(linear, testing, common, config),
        "linear_early": try_out(early, testing, common, config),
        "softmax": try_out(linear, testing, common, config, config.sharpness),
    }
    for k, features in enumerate(FEATURES):
        progress(k / len(FEATURES), f"a FROM net with {features} features")
        net = taught(Nonlinear(init, config.hidden, features), lives[k], config.train_pairs)
        found[f"features_{features}"] = try_out(net, testing, common, config)
    return found


def report(found):
    """Return the metrics of binding, and the lists of shares that the picture shows."""
    few, many = PAIRS.index(EARLY_PAIRS), PAIRS.index(16)
    table = {
        name: {
            "cosine_5": cosine[few],
            "top1_5": top1[few],
            "top1_16": top1[many],
            "pairs_held": pairs_held(top1),
        }
        for name, (cosine, top1) in found.items()
    }
    shares = {name: top1.tolist() for name, (_, top1) in found.items()}
    gain = table["features_64"]["top1_16"] - table["linear"]["top1_16"]
    return table | {"top1_gain_16": gain, "top1": {"pairs": list(PAIRS)} | shares}


# ---- the study ----
def run(config, seed, progress):
    """Try other settings and long stays, then bind many pairs."""
    settings_seed, stays_seed, binding_seed = np.random.SeedSequence(seed).spawn(3)
    paper = fast_weights_key_value.Config(
        nets=config.nets, rnn_nets=config.rnn_nets, steps=config.steps, rnn_rates=(RNN_RATE,)
    )
    table = settings(config, paper, settings_seed, lambda f, s: progress(0.2 * f, s))
    table |= long_stays(config, paper, stays_seed, lambda f, s: progress(0.2 + 0.1 * f, s))
    found = binding(config, binding_seed, lambda f, s: progress(0.3 + 0.7 * f, s))
    return table | report(found)


if __name__ == "__main__":
    fast_weights_key_value.main(sys.modules[__name__])
