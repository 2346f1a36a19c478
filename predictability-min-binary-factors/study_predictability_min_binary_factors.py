# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The paper's other five experiments, and what the game needs if Occam's razor is to cut.

The first five rows are the paper's, at the paper's length; rows_inside counts those whose share of
factorial codes lies in the 95 % interval of the paper's. The rows that begin with occam_1 play the
experiment's row of that name by other rules. The census says what became of its surplus unit.

    python3 study_predictability_min_binary_factors.py --seed 0
"""

import sys
from dataclasses import dataclass, field, replace
from typing import Annotated

import predictability_min_binary_factors
from predictability_min_binary_factors import EVEN, LOCAL, ROWS, UNEVEN, Game, Row
from predictability_min_binary_factors import distributed, measure, part, train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row; each has a twin", (1, 10_000)] = 60
    updates_scale: Annotated[float, "updates / the paper's number of updates", (1e-4, 100.0)] = 1.0


QUICK = {"nets": 10, "updates_scale": 0.002}

# ---- the paper's other rows ----
OTHERS = {
    "uniform_2": Row(distributed(2), EVEN, True, 2, 4, 2, 3_000),
    "uniform_3": Row(np.eye(16), np.full(16, 1 / 16), False, 4, 16, 3, 20_000),
    "occam_2": Row(LOCAL, EVEN, False, 4, 4, 3, 10_000),
    "occam_3": Row(distributed(2), EVEN, True, 4, 4, 2, 250_000),
    "non_uniform_2": Row(distributed(2), UNEVEN, False, 3, 2, 1, 2_000),
}
INTERVALS = {  # 95 % intervals of the shares of which the paper saw 10, 1, 5, 10, 9 of 10
    "uniform_2": (0.69, 1.0),
    "uniform_3": (0.0, 0.45),
    "occam_2": (0.19, 0.81),
    "occam_3": (0.69, 1.0),
    "non_uniform_2": (0.55, 1.0),
}


# ---- other rules ----
class NoPath(Game):
    """Units that climb their own error alone: nothing reaches them through the predictors."""

    def backward_predictors(self, *state):
        d_predictors, through = super().backward_predictors(*state)
        return d_predictors, np.zeros_like(through)


class AtOnce(Game):
    """Units that move at the same time as the predictors, not after them."""

    def update(self, x, weight):
        hidden, y = self.encode(x)
        d_predictors, d_y = self.derivatives(y, weight)
        self.step(self.predictors, d_predictors, -self.predictor_rate)
        self.step(self.encoder, self.backward_encoder(x, hidden, y, d_y), self.rate)


@dataclass
class Adam(Game):
    """Both players use Adam, and the predictors take three steps in an update."""

    moments: dict = field(default_factory=dict)  # of each player, by the sign of its rate

    def update(self, x, weight):
        _, y = self.encode(x)
        for _ in range(2):
            d_predictors, _ = self.derivatives(y, weight)
            self.step(self.predictors, d_predictors, -self.predictor_rate)
        super().update(x, weight)

    def step(self, weights, gradients, rate):
        t, moments = self.moments.get(rate > 0, (0, [(0.0, 0.0)] * len(weights)))
        t += 1
        pairs = []
        for weight, gradient, (mean, square) in zip(weights, gradients, moments):
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            scale = np.sqrt(square / (1 - 0.999**t)) + 1e-8
            weight += rate * mean / (1 - 0.9**t) / scale
            pairs.append((mean, square))
        self.moments[rate > 0] = t, pairs


# ---- what became of a surplus unit ----
def census(y):
    """Return shares of codes y (4, 3, N) by what the third unit is, where four words are left."""
    bits = y > 0.5  # (4, 3, N)
    split = np.where(bits[:1], ~bits, bits)  # (4, 3, N) a unit and its opposite split alike
    ones = split.sum(0)  # (3, N) 0: constant, 2: it halves the patterns, 1 or 3: it picks one
    word = (bits * np.array([1, 2, 4])[:, None]).sum(1)  # (4, N)
    kept = (np.diff(np.sort(word, 0), axis=0) > 0).all(0)  # (N,) four words
    halves = (ones == 2).all(0)  # (N,)
    name = (split * np.array([1, 2, 4, 8])[:, None, None]).sum(0)  # (3, N)
    kinds = (np.diff(np.sort(name, 0), axis=0) > 0).sum(0) + 1  # (N,) different splits
    silent = (ones == 0).any(0)  # (N,)
    return {
        "silent": (kept & silent).mean(),
        "xor": (kept & halves & (kinds == 3)).mean(),
        "copy": (kept & halves & (kinds == 2)).mean(),
        "picks_one": (kept & ~silent & ~halves).mean(),
        "words_lost": (~kept).mean(),
    }


def words(y):
    """Return how many different code words the codes y (P, D, N) have, on average."""
    word = ((y > 0.5) * 2 ** np.arange(y.shape[1])[:, None]).sum(1)  # (P, N)
    return ((np.diff(np.sort(word, 0), axis=0) > 0).sum(0) + 1).mean()


# ---- the study ----
def run(config, seed, progress):
    """Train one batch of nets and twins for each row."""
    plain = predictability_min_binary_factors.Config(**vars(config))
    occam = ROWS["occam_1"]
    rows = {name: (row, Game, plain) for name, row in OTHERS.items()}
    rows["occam_1_plain"] = (occam, Game, plain)
    rows["occam_1_ratio_1"] = (occam, Game, replace(plain, predictor_factor=1.0))
    rows["occam_1_ratio_3"] = (occam, Game, replace(plain, predictor_factor=3.0))
    rows["occam_1_ratio_30"] = (occam, Game, replace(plain, predictor_factor=30.0))
    rows["occam_1_no_path"] = (occam, NoPath, plain)
    rows["occam_1_at_once"] = (occam, AtOnce, plain)
    adam = replace(plain, rate_local=0.01, predictor_factor=3.0)
    rows["occam_1_adam"] = (occam, Adam, adam)

    table = {}
    codes = {}  # (P, D, N) of the nets, not of their twins
    streams = np.random.SeedSequence(seed).spawn(len(rows))
    for (name, (row, kind, settings)), stream in zip(rows.items(), streams):
        game = train(row, settings, stream, part(progress, len(table), len(rows)), kind)
        table[name] = measure(game, row, settings)
        codes[name] = game.encode(row.patterns[:, :, None])[1][..., : config.nets]
    table["uniform_3"]["words"] = words(codes["uniform_3"])
    table["census"] = census(codes["occam_1_plain"])
    table["census_adam"] = census(codes["occam_1_adam"])
    table["rows_inside"] = inside(table)
    return table


def inside(table):
    """Count the rows whose share lies in the interval of the paper's."""
    return sum(low <= table[name]["factorial"] <= high for name, (low, high) in INTERVALS.items())


if __name__ == "__main__":
    predictability_min_binary_factors.main(sys.modules[__name__])
