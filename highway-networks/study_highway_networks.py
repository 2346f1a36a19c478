# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Whether patience saves plain nets, where a highway net does its work, and what the gate adds.

Searches: those of highway_networks.py, from the same draws, with their learning curves; then at
100 layers. Patience: the best settings of each search at 50 layers learn for ten times the epochs,
those at 100 layers learn all 60,000 images. Lesions: each layer of the 50-layer highway that has
learned longest is replaced by the identity; what its gates depend on. Gates: the same search for
nets that add (y = x + H), that mix by a fixed share, and for gates that start half open. The trap:
for plain nets from uniform weights in +- 1 / sqrt(fan-in), a common default, and how much of a
signal each start lets through.

    python3 study_highway_networks.py --seed 0
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import highway_networks
from highway_networks import (
    EVALUATED,
    Highway,
    Nets,
    Plain,
    Settings,
    accuracy,
    cells,
    curve,
    draw_settings,
    forward,
    log_ratio,
    mnist,
    newborn,
    per_net,
    search,
    shuffled,
    sigmoid,
    summary,
)
import numpy as np


@dataclass(frozen=True)
class Config(highway_networks.Config):
    very_deep_depth: Annotated[int, "hidden layers of the deepest nets", (2, 1000)] = 100
    long_epochs: Annotated[int, "for the best nets of the deep searches", (1, 10000)] = 40
    large_images: Annotated[int, "that the best of the deepest learn", (10, 60000)] = 60000
    large_epochs: Annotated[int, "over them", (1, 1000)] = 3


QUICK = highway_networks.QUICK | {
    "deep_depth": 8,
    "configurations": 2,
    "train_images": 500,
    "epochs": 2,
    "very_deep_depth": 9,
    "long_epochs": 3,
    "large_images": 500,
    "large_epochs": 2,
}
NEEDED = 15  # layers; the paper removes those beyond without harm


# ---- the controls ----
class Residual(Plain):
    """y = x + H(x)."""

    def forward(self, x, W, b):
        """Return y (P, B, n), and H for the way back."""
        H, kept = super().forward(x, W, b)
        return x + H, kept

    def backward(self, dy, x, H):
        """Return dz (1, P, B, n) and what of dy (P, B, n) reaches x without W: all of it."""
        dz, _ = super().backward(dy, x, H)
        return dz, dy


class FixedGate(Plain):
    """y = H(x) T + x (1 - T) with the constant T = sigmoid(b_T)."""

    def __init__(self, settings):
        super().__init__(settings)
        self.T = sigmoid(per_net(settings.gate_bias))  # (P, 1, 1)

    def forward(self, x, W, b):
        """Return y (P, B, n), and H for the way back."""
        H, kept = super().forward(x, W, b)
        return x + self.T * (H - x), kept

    def backward(self, dy, x, H):
        """Return dz (1, P, B, n) and what of dy (P, B, n) reaches x without W."""
        dz, _ = super().backward(dy * self.T, x, H)
        return dz, dy * (1 - self.T)


class SmallStart(Plain):
    """A plain layer whose weights are uniform in +- 1 / sqrt(fan-in), whatever the gain."""

    def first_weights(self, rng, fan_in, width):
        """Draw weights that shrink a signal by 0.58."""
        shape = 1, len(self.scale), fan_in, width
        W = rng.uniform(-(fan_in**-0.5), fan_in**-0.5, shape).astype(np.float32)
        return W, np.zeros_like(W[:, :, :1])


# ---- patience ----
def best_settings(found):
    """Return the settings of the best net of a search, as those of a population of one."""
    return Settings(*(values[found.best : found.best + 1] for values in found.settings))


def compare(highway, plain, test):
    """Describe two nets that each had the best settings of their search."""
    row = {}
    for name, found in {"highway": highway, "plain": plain}.items():
        loss = float(found.scores[0])
        row[name] = loss if np.isfinite(loss) else None
        row[f"{name}_test_accuracy"] = accuracy(found.nets, test, EVALUATED)
        losses = np.nan_to_num(found.losses.ravel(), nan=1e9, posinf=1e9)  # (updates,)
        row[f"{name}_curve"] = curve(losses, len(found.losses))["y"]
    return row | {"log_plain_over_highway": log_ratio(row["plain"], row["highway"])}


# ---- where the work is done ----
def without(nets, removed):
    """Leave hidden layers out, which makes each of them the identity."""
    kept = [n for n in range(len(nets.layers)) if n not in removed]
    weights = [nets.weights[n] for n in (*kept, -1)]
    return Nets([nets.layers[n] for n in kept], weights)


def lesions(nets, test):
    """Return rises of the test error in points: without each highway layer, the late ones, all."""
    count = len(nets.layers)
    removed = [[n] for n in range(1, count)] + [range(NEEDED, count), range(1, count)]
    whole = accuracy(nets, test, EVALUATED)
    *singly, late, together = [
        100 * (whole - accuracy(without(nets, some), test, EVALUATED)) for some in removed
    ]
    return singly, late, together


def lesion_row(singly, late, together):
    """Sum up the rises without layers 2, 3, ...; None where no layer lies beyond the 15th."""
    first, beyond = singly[: NEEDED - 1], singly[NEEDED - 1 :]
    return {
        "median_rise": float(np.median(beyond)) if beyond else None,
        "largest_late_rise": float(np.max(beyond)) if beyond else None,
        "early_median_rise": float(np.median(first)),
        "largest_rise": float(np.max(singly)),
        "without_all_late": late,
        "without_all": together,
        "rises": singly,
    }


def gates(nets, part):
    """Return T (L, N, n) of each highway layer of a single net for each image."""
    chunks = []
    for start in range(0, len(part.labels), EVALUATED):
        _, kept = forward(nets, part.images[start : start + EVALUATED])
        chunks.append(np.stack([T[0] for _, _, T in kept[1:-1]]))  # (L, B, n)
    return np.concatenate(chunks, axis=1)


def gate_row(T, labels):
    """Sum up how far gates T (L, N, n) open, and what their opening depends on."""
    classes = [T[:, labels == label].mean(1) for label in np.unique(labels)]  # (L, n) each
    over_images = T.var(1).mean(1)  # (L,)
    over_classes = np.var(classes, axis=0).mean(1)  # (L,)
    mean = T.mean((1, 2))  # (L,)
    return {
        "mean": float(mean.mean()),
        "nearly_shut_layers": int((mean < 0.1).sum()),
        "spread_over_images": float(np.sqrt(over_images.mean())),
        "share_of_classes": float(over_classes.sum() / over_images.sum()),
        "means": mean.tolist(),
        "spreads": np.sqrt(over_images).tolist(),
    }


STARTS = {  # a kind of layer each, and the b_T of highway layers
    "small_start": (SmallStart, 0),
    "plain": (Plain, 0),
    "residual": (Residual, 0),
    "highway_minus_1": (Highway, -1),
    "highway_minus_4": (Highway, -4),
}


def at_birth(config, rng, images):
    """Return for each start, with tanh, the mean deviation over images of a layer's units."""
    row = {}
    for name, (kind, bias) in STARTS.items():
        settings = Settings(*(np.array([value]) for value in (0.1, 0.9, 1.0, False, 1.0, bias)))
        width = config.highway_width if kind is Highway else config.plain_width
        nets = newborn(kind, config.deep_depth, width, settings, rng)
        _, kept = forward(nets, images)
        outputs = [x[0] for x, *_ in kept[1:]]  # (B, n) of each hidden layer
        row[name] = [float(y.std(0).mean()) for y in outputs]
    return row


# ---- the study ----
def plan(config, settings):
    """Name every search: a kind of layer, a depth, a width and settings each."""
    deep, deepest = config.deep_depth, config.very_deep_depth
    gated, plain = config.highway_width, config.plain_width
    half_open = settings._replace(gate_bias=np.zeros_like(settings.gate_bias))
    return {name: (*cell, settings) for name, cell in cells(config).items()} | {
        "highway_very_deep": (Highway, deepest, gated, settings),
        "plain_very_deep": (Plain, deepest, plain, settings),
        "half_open": (Highway, deep, gated, half_open),
        "fixed_gate": (FixedGate, deep, plain, settings),
        "residual": (Residual, deep, plain, settings),
        "small_start": (SmallStart, deep, plain, settings),
    }


def search_all(searches, rngs, data, config, progress):
    """Go through the plan. Returns the table's rows, and each search with its best settings."""
    part, test, order = data
    table, best = {}, {}
    for done, ((name, cell), rng) in enumerate(zip(searches.items(), rngs, strict=True)):

        def tell(_, message, done=done, name=name):
            progress(0.6 * done / len(searches), f"{name}, {message}")

        found = search(*cell, part, order, rng, config, tell)
        line = curve(found.losses[..., found.best].ravel(), config.epochs)
        table[name] = summary(found, test) | {"curve": line["y"]}
        best[name] = (*cell[:3], best_settings(found))
    return table, best


def learn_on(searches, names, rngs, part, order, config, progress):
    """Train nets anew with the best settings of two searches; returns what each comes to."""
    found = []
    for name, rng in zip(names, rngs, strict=True):

        def tell(_, message, name=name):
            progress(name, message)

        kind, depth, width, settings = searches[name]
        found.append(search(kind, depth, width, settings, part, order, rng, config, tell))
    return found


def run(config, seed, progress):
    """Repeat the experiment's searches with its streams, then go on with others."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(19)]
    for_settings, for_order, *for_searches = streams[:12]
    for_long_order, for_large_order, for_birth, *for_best = streams[12:]
    part, test = mnist("train", config.train_images), mnist("t10k", None)
    settings = draw_settings(config, for_settings)
    order = shuffled(for_order, config.epochs, config.train_images)
    data = part, test, order
    table, best = search_all(plan(config, settings), for_searches, data, config, progress)

    def tell_more(name, message):
        progress(0.7, f"best of {name}, {message}")

    names = "highway_deep", "plain_deep"
    long_order = shuffled(for_long_order, config.long_epochs, config.train_images)
    pair = learn_on(best, names, for_best[:2], part, long_order, config, tell_more)
    table["long_deep"] = compare(*pair, test)
    nets = pair[0].nets
    table["lesion"] = lesion_row(*lesions(nets, test))
    table["gates"] = gate_row(gates(nets, test), test.labels)
    names = "highway_very_deep", "plain_very_deep"
    large = mnist("train", config.large_images)
    large_order = shuffled(for_large_order, config.large_epochs, config.large_images)
    pair = learn_on(best, names, for_best[2:], large, large_order, config, tell_more)
    table["very_deep"] = compare(*pair, test)
    table["birth"] = at_birth(config, for_birth, test.images[:EVALUATED])
    return table


if __name__ == "__main__":
    highway_networks.main(sys.modules[__name__])
