# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around predictable stereo: two features at once, and what the stereo rests on.

Two features (the paper's section on distributed codes): nets with two outputs see two vectors that
have two features in common. Each output has to be informative, and the two have to differ: this
takes a second term D, either the error of predictors that guess one output from the other, or an
auto-encoder that rebuilds the vector. Several weights of D are tried.
Stereo: a sweep of alpha; strips of six bits, a fifth of which no net was trained on; plain gradient
descent, the paper's optimiser. Last, a linear stand-in for this problem, where
one view alone already tells the common cause, so that success shows nothing.

    python3 study_predictable_stereo.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import predictable_stereo
from predictable_stereo import (
    Adam,
    Nets,
    accuracy,
    all_views,
    answers,
    draw,
    learn_shift,
    predictable,
    train,
)
import numpy as np


@dataclass(frozen=True)
class Config:
    feature_pairs: Annotated[int, "pairs of nets for each code of two features", (1, 1000)] = 50
    feature_batch: Annotated[int, "patterns per update, two features", (2, 10_000)] = 10
    pm_patterns: Annotated[int, "patterns with predictors", (10, 10**7)] = 10_000
    pm_alphas: Annotated[tuple[float, ...], "weights of D, first the claim's", (0, 10)] = (
        0.4,
        0.2,
        0.9,
    )
    predictor_rate: Annotated[float, "step size of the predictors", (1e-6, 1.0)] = 0.1
    ae_patterns: Annotated[int, "patterns with an auto-encoder", (10, 10**7)] = 15_000
    ae_alphas: Annotated[tuple[float, ...], "weights of D, first the claim's", (0, 10)] = (
        0.1,
        0.05,
    )
    alphas: Annotated[tuple[float, ...], "stereo: weights of the variance", (0, 10)] = (
        0.25,
        0.5,
        0.75,
        1.0,
        1.25,
        2.0,
    )
    pairs: Annotated[int, "stereo: pairs for each alpha and for six bits", (1, 1000)] = 20
    wide_patterns: Annotated[int, "stereo: patterns with six bits", (1000, 10**8)] = 400_000
    rates: Annotated[tuple[float, ...], "stereo: rates of plain descent", (1e-6, 100)] = (
        0.3,
        1.0,
        3.0,
        10.0,
    )
    data_sets: Annotated[int, "data sets of the linear stand-in", (1, 1000)] = 8
    template_steps: Annotated[int, "updates on the linear stand-in", (1, 100_000)] = 300


QUICK = {
    "feature_pairs": 10,
    "pm_patterns": 2000,
    "ae_patterns": 2000,
    "pairs": 2,
    "wide_patterns": 10_000,
    "data_sets": 2,
    "template_steps": 50,
}


# ---- 1: two features at once ----
def feature_classes():
    """Return the vectors of four bits by their two features: (4 classes, 2 vectors, 4), -1 or +1.

    The features: more ones right than left, more ones than zeros. Vectors with a tie are left out.
    """
    vectors = (np.arange(16)[:, None] >> np.arange(4) & 1).astype(np.float32)  # (16, 4)
    balance = vectors[:, 2:].sum(1) - vectors[:, :2].sum(1)  # (16,)
    surplus = vectors.sum(1) - 2  # (16,)
    kind = 2 * (balance > 0) + (surplus > 0)  # (16,)
    clear = (balance != 0) & (surplus != 0)  # (16,)
    return np.stack([2 * vectors[clear & (kind == k)] - 1 for k in range(4)])


def draw_features(classes, pairs, batch_size, rng):
    """Draw patterns: two vectors of the same class, (N, 2, B, 4)."""
    kind = rng.integers(4, size=(pairs, 1, batch_size))  # (N, 1, B)
    member = rng.integers(2, size=(pairs, 2, batch_size))  # (N, 2, B)
    return classes[kind, member]


class Predictors:
    """Modified predictability minimisation: D = -alpha sum_i mean (y_i - P_i(other output))^2.

    The predictors lower the error that the nets raise, at the same time; both nets of a pair share
    them, as they share their weights.
    """

    def __init__(self, pairs, alpha, rate, rng, dtype=np.float32):
        self.alpha = alpha
        self.nets = Nets(pairs, 2, (1, 3, 1), rng, dtype)  # one set of weights for each output
        self.adam = Adam(self.nets.weights, rate)

    def __call__(self, y, x):
        """Return D (N,) and dD/dy (N, 2, B, 2), and let the predictors learn."""
        by_output = y.transpose(0, 3, 1, 2).reshape(len(y), 2, -1, 1)  # (N, K, 2B, 1)
        guess = self.nets.forward(by_output[:, ::-1])  # (N, K, 2B, 1)
        error = by_output - guess  # (N, K, 2B, 1)
        scale = 2 * self.alpha / y.shape[2]
        d_guess = scale * error  # (N, K, 2B, 1) dD/dguess
        dz_hidden, _ = self.nets.deltas(d_guess)
        d_other = dz_hidden @ self.nets.weights["to_hidden"].swapaxes(2, 3)  # (N, K, 2B, 1)
        d_output = d_other[:, ::-1] - scale * error  # (N, K, 2B, 1)
        self.adam.step(self.nets.backward(-error / y.shape[2]))
        dy = d_output.reshape(len(y), 2, 2, -1).transpose(0, 2, 3, 1)  # (N, 2, B, K)
        return -self.alpha * (error**2).sum((1, 2, 3)) / y.shape[2], dy


class AutoEncoder:
    """D = alpha sum_l mean |r(y_l) - x_l|^2 / n, where a decoder r learns to rebuild the vector."""

    def __init__(self, pairs, alpha, rate, rng, dtype=np.float32):
        self.alpha = alpha
        self.nets = Nets(pairs, 1, (2, 12, 4), rng, dtype)
        self.adam = Adam(self.nets.weights, rate)

    def __call__(self, y, x):
        """Return D (N,) and dD/dy (N, 2, B, 2), and let the decoder learn."""
        error = 2 * self.nets.forward(y) - 1 - x  # (N, 2, B, n) the sigmoids stretched to -1, +1
        d_rebuilt = 4 * self.alpha * error / (x.shape[3] * y.shape[2])  # (N, 2, B, n)
        dz_hidden, _ = self.nets.deltas(d_rebuilt)
        dy = dz_hidden @ self.nets.weights["to_hidden"].swapaxes(2, 3)  # (N, 1, 2B, K)
        self.adam.step(self.nets.backward(d_rebuilt))
        loss = self.alpha * (error**2).sum((1, 2, 3)) / (x.shape[3] * y.shape[2])  # (N,)
        return loss, dy.reshape(y.shape)


def learn_features(config, term, patterns, alpha, seed, progress):
    """Train shared pairs with a term D: returns the share solved and the distance from 0 or 1."""
    weights_rng, term_rng, pattern_rng = map(np.random.default_rng, seed.spawn(3))
    rate = predictable_stereo.Config.learning_rate
    nets = Nets(config.feature_pairs, 1, (4, 12, 2), weights_rng)
    inform = term(config, alpha, rate, term_rng)
    classes = feature_classes()

    def objective(y):
        x = nets.x.reshape(*y.shape[:3], 4)  # (N, 2, B, 4)
        match, d_match = predictable(y, 0.0)
        loss, dy = inform(y, x)
        return match + loss, d_match + dy

    def next_batch():
        return draw_features(classes, config.feature_pairs, config.feature_batch, pattern_rng)

    steps = patterns // config.feature_batch
    for step in train(nets, Adam(nets.weights, rate), objective, next_batch, steps):
        if step % 100 == 0:
            progress(step / steps, f"two features, alpha {alpha:g}")
    y = nets.forward(classes.reshape(1, 2, 4, 4))  # (N, 2, 4, 2) the eight vectors, in order
    code = y.reshape(-1, 4, 2, 2)  # (N, classes, vectors, K)
    return {"share": tells_features(code > 0.5).mean(), "gray": float(np.minimum(y, 1 - y).mean())}


def tells_features(on):
    """Say which pairs give each class a code of its own: (N, classes, vectors, K) -> (N,)."""
    number = 2 * on[..., 0] + on[..., 1]  # (N, 4, 2)
    constant = (number[..., 0] == number[..., 1]).all(1)  # (N,)
    return constant & (np.sort(number[..., 0], 1) == np.arange(4)).all(1)


def with_predictors(config, alpha, rate, rng):
    """Make the term D of the modified predictability minimisation."""
    return Predictors(config.feature_pairs, alpha, config.predictor_rate, rng)


def with_auto_encoder(config, alpha, rate, rng):
    """Make the term D of the auto-encoder, whose decoder learns at the nets' rate."""
    return AutoEncoder(config.feature_pairs, alpha, rate, rng)


# ---- 2: what the stereo rests on ----
def sweep_alpha(config, seed, progress):
    """Return for each alpha the share of shared pairs that have the shift in 50,000 patterns."""
    alphas = np.repeat(config.alphas, config.pairs).astype(np.float32)  # (N,)
    stereo = replace(predictable_stereo.Config(), pairs=len(alphas))

    def objective(y):
        return predictable(y, alphas[:, None, None, None])

    patterns = stereo.shared_patterns
    _, needed = learn_shift(stereo, 1, objective, patterns, seed.spawn(2), progress)
    shares = np.isfinite(needed).reshape(len(config.alphas), -1).mean(1)  # (alphas,)
    return {f"share_{alpha:g}": share for alpha, share in zip(config.alphas, shares)}


def wide_strips(config, seed, progress):
    """Train separate pairs on four fifths of the strips of six bits, and ask them for the rest."""
    order_rng, weights_rng, pattern_rng = map(np.random.default_rng, seed.spawn(3))
    stereo = replace(predictable_stereo.Config(), pairs=config.pairs, width=6)
    views = all_views(stereo.width)
    order = order_rng.permutation(len(views))
    held_out, seen = np.split(views[order], [len(views) // 5])
    nets = Nets(stereo.pairs, 2, (2 * stereo.width, stereo.hidden_size, 1), weights_rng)

    def next_batch():
        return draw(seen, stereo.pairs, stereo.batch_size, pattern_rng)

    steps = config.wide_patterns // stereo.batch_size
    adam = Adam(nets.weights, stereo.learning_rate)
    for step in train(nets, adam, lambda y: predictable(y, stereo.alpha), next_batch, steps):
        if step % 100 == 0:
            progress(step / steps, "strips of six bits")
    trained = accuracy(answers(nets, seen))  # (N,)
    solved = trained >= stereo.solved_at  # (N,)
    unseen = accuracy(answers(nets, held_out))[solved]
    return {
        "share": solved.mean(),
        "accuracy": trained.mean(),
        "held_out": unseen.mean() if solved.any() else None,
    }


class Descent:
    """Plain gradient descent with one rate for each pair, (N, 1, 1, 1)."""

    def __init__(self, weights, rates):
        self.weights = weights
        self.rates = rates

    def step(self, grads):
        """Change each weight, in place."""
        for name, grad in grads.items():
            self.weights[name] -= self.rates * grad


def plain_descent(config, seed, progress):
    """Return for each rate the share of shared pairs that plain descent brings to the shift."""
    weights_rng, pattern_rng = map(np.random.default_rng, seed.spawn(2))
    stereo = predictable_stereo.Config()
    views = all_views(stereo.width)
    rates = np.repeat(config.rates, config.pairs).astype(np.float32)  # (N,)
    nets = Nets(len(rates), 1, (2 * stereo.width, stereo.hidden_size, 1), weights_rng)

    def next_batch():
        return draw(views, len(rates), config.feature_batch, pattern_rng)

    steps = stereo.patterns // config.feature_batch
    descent = Descent(nets.weights, rates[:, None, None, None])
    for step in train(nets, descent, lambda y: predictable(y, stereo.alpha), next_batch, steps):
        if step % 100 == 0:
            progress(step / steps, "plain gradient descent")
    solved = accuracy(answers(nets, views)) >= stereo.solved_at  # (N,)
    shares = solved.reshape(len(config.rates), -1).mean(1)  # (rates,)
    return {f"share_{rate:g}": share for rate, share in zip(config.rates, shares)}


# ---- 3: the linear stand-in ----
def draw_templates(config, rng):
    """Draw z and two views of it, {-1, +1}: z (D, M), views (D, 2, M, 16).

    A view is z times a template of its own, each value flipped with probability 0.1, and as many
    values at random.
    """
    size = (config.data_sets, 2, 2048, 8)
    z = rng.choice([-1, 1], (size[0], size[2]))  # (D, M)
    template = rng.choice([-1, 1], (size[0], 2, 1, 8))  # (D, 2, 1, 8)
    kept = np.where(rng.random(size) < 0.1, -1, 1)  # (D, 2, M, 8)
    told = z[:, None, :, None] * template * kept  # (D, 2, M, 8)
    return z, np.concatenate([told, rng.choice([-1, 1], size)], 3).astype(np.float32)


def templates(config, seed, progress):
    """Return how well nets on two views, and the main direction of one view, tell unseen z."""
    data_rng, weights_rng = map(np.random.default_rng, seed.spawn(2))
    z, views = draw_templates(config, data_rng)
    known, unseen = np.split(views, 2, axis=2)  # (D, 2, 1024, 16) each
    stereo = predictable_stereo.Config()
    nets = Nets(config.data_sets, 2, (16, stereo.hidden_size, 1), weights_rng)
    adam = Adam(nets.weights, stereo.learning_rate)
    for step in train(
        nets, adam, lambda y: predictable(y, stereo.alpha), lambda: known, config.template_steps
    ):
        progress(step / config.template_steps, "the linear stand-in")
    said = nets.forward(unseen)[:, 0, :, 0] > 0.5  # (D, 1024)
    one_view = known[:, 0]  # (D, 1024, 16)
    centred = one_view - one_view.mean(1, keepdims=True)  # (D, 1024, 16)
    main = np.linalg.svd(centred, full_matrices=False)[2][:, 0]  # (D, 16)
    projected = (unseen[:, 0] @ main[..., None])[..., 0] > 0  # (D, 1024)
    truth = z[:, 1024:] > 0  # (D, 1024)
    return {
        "two_views": up_to_inversion(said == truth),
        "one_view_pca": up_to_inversion(projected == truth),
    }


def up_to_inversion(right):
    """Return the mean accuracy, each data set with its better inversion: (D, M) -> number."""
    share = right.mean(1)  # (D,)
    return np.maximum(share, 1 - share).mean()


# ---- the study ----
def run(config, seed, progress):
    """Learn two features with both terms, then try what the stereo rests on."""
    pm_seed, ae_seed, *seeds = np.random.SeedSequence(seed).spawn(6)
    table = {}
    terms = (
        ("pm", with_predictors, config.pm_patterns, config.pm_alphas, pm_seed),
        ("ae", with_auto_encoder, config.ae_patterns, config.ae_alphas, ae_seed),
    )
    for name, term, patterns, alphas, term_seed in terms:
        for alpha, alpha_seed in zip(alphas, term_seed.spawn(len(alphas))):
            row = learn_features(config, term, patterns, alpha, alpha_seed, progress)
            table[f"features_{name}_{alpha:g}"] = row
        first = table[f"features_{name}_{alphas[0]:g}"]
        table[f"features_{name}_share"] = first["share"]
    parts = {
        "alpha": sweep_alpha,
        "six_bits": wide_strips,
        "plain_descent": plain_descent,
        "templates": templates,
    }
    for (name, part), part_seed in zip(parts.items(), seeds):
        table[name] = part(config, part_seed, progress)
    return table


if __name__ == "__main__":
    predictable_stereo.main(sys.modules[__name__])
