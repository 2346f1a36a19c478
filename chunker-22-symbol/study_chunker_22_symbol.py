# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What the two nets that compress a symbol stream need, and how one net alone fares.

Controls: every symbol is passed up (uncompressed); the upper net is passed the surprises of another
pair (foreign); the lower net is to imitate noise that changes when the upper net's state would
(noise). Rivals: one net with errors through all steps, at three rates and with Adam, also at a lag
of 5 beside the chunker. Sweeps: depth and rate. Afterwards: training goes on after the solution.

    python3 study_chunker_22_symbol.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import chunker_22_symbol
from chunker_22_symbol import ALL, TOLERANCE, Net, Pair, event_error, examine, stream, train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each control", (1, 1000)] = 17
    few: Annotated[int, "nets of each other row", (1, 1000)] = 6
    sequences: Annotated[int, "strings of a control and of a sweep at most", (20, 10**7)] = 5000
    rival_sequences: Annotated[int, "strings of a rival at most", (20, 10**7)] = 10_000
    after_sequences: Annotated[int, "strings of nets that go on", (20, 10**7)] = 3000
    test_every: Annotated[int, "training strings between two tests", (1, 10**5)] = 100

    def __post_init__(self):
        for name in ("sequences", "rival_sequences", "after_sequences"):
            if getattr(self, name) % self.test_every:
                flag = name.replace("_", "-")
                raise ValueError(f"argument --{flag}: must be a multiple of --test-every")


QUICK = {"nets": 2, "few": 1, "sequences": 20, "rival_sequences": 20, "after_sequences": 20}
QUICK |= {"test_every": 20}
RATES = (0.03, 0.1, 0.3)  # of gradient descent
ADAM_RATE, BETA_1, BETA_2, EPSILON = 0.003, 0.9, 0.999, 1e-8
SHORT_LAG = 5  # the paper's conventional nets needed many hundreds of thousands of strings


# ---- the controls ----
class Foreign(Pair):
    """Pairs whose chunkers are passed their neighbour's events instead of their own."""

    def pass_up(self, rows, event):
        super().pass_up(rows, np.roll(event, 1, axis=0))


class Noise(Pair):
    """Pairs whose automatizers imitate noise: a new draw where the chunker's state would change."""

    def __init__(self, rng, config):
        super().__init__(rng, config)
        self.rng = rng
        self.noise = super().chunker_state()  # (N, state)

    def pick(self, rows):
        super().pick(rows)
        self.noise = self.noise[rows]

    def pass_up(self, rows, event):
        super().pass_up(rows, event)
        self.noise[rows] = self.rng.uniform(-1, 1, self.noise[rows].shape)

    def chunker_state(self):
        return self.noise


# ---- the rivals ----
class Conventional:
    """N nets without a chunker: they learn each event from the errors of config.depth steps."""

    kind = Net

    def __init__(self, rng, config):
        event_size = config.lag + 4
        self.A = self.kind(rng, event_size, config.hidden_a, event_size, config)
        self.threshold = config.threshold

    def pick(self, rows):
        """Go on with these nets alone."""
        self.A.pick(rows)

    def tick(self, event):
        """Learn from the next event (N, E); says which nets failed to predict it, (N,)."""
        error = event_error(self.A.outputs(self.A.h), event)  # (N, E)
        self.A.learn(ALL, error)
        self.A.read(ALL, event)
        return np.abs(error).max(1) > self.threshold


class AdamNet(Net):
    """Nets whose gradients are clipped as ever and then go through Adam."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.updates = 0
        self.moments = [np.zeros_like(part) for part in (self.W, self.W, self.V, self.V)]

    def pick(self, rows):
        super().pick(rows)
        self.moments = [moment[rows] for moment in self.moments]

    def learn(self, rows, dy):
        dW, dV = self.gradients(rows, dy)
        norm = np.sqrt((dW**2).sum((1, 2)) + (dV**2).sum((1, 2)))  # (R,)
        shrink = (self.clip / np.maximum(norm, self.clip))[:, None, None]  # (R, 1, 1)
        self.updates += 1
        rate = self.learning_rate[:, None, None] / (1 - BETA_1**self.updates)  # (N, 1, 1)
        pairs = (self.W, dW, *self.moments[:2]), (self.V, dV, *self.moments[2:])
        for weight, gradient, mean, square in pairs:
            gradient *= shrink
            mean += (1 - BETA_1) * (gradient - mean)
            square += (1 - BETA_2) * (gradient**2 - square)
            weight -= rate * mean / (np.sqrt(square / (1 - BETA_2**self.updates)) + EPSILON)


class AdamConventional(Conventional):
    """The same with Adam."""

    kind = AdamNet


# ---- rows of the study ----
def outcome(end):
    """Sum up some nets: which share solved the task, after how many strings, what they know."""
    return {
        "share": (end["solved"] == 1).mean(),
        "median": np.median(end["sequences"]),
        "right": end["right"].mean(),
    }


def solve(pair, settings, seed, progress):
    """Train pairs, or single nets, with the settings' budget; returns what became of each."""
    limit = np.full(len(pair.A.W), settings.most_sequences)  # (N,)
    end, _ = train(pair, settings, seed, limit, progress)
    return end


def chunkers(kind, settings, seed, progress):
    """Train pairs of a kind; returns their outcome."""
    init_seed, train_seed = seed.spawn(2)
    pair = kind(np.random.default_rng(init_seed), settings)
    return outcome(solve(pair, settings, train_seed, progress))


def rivals(prefix, settings, seed, progress):
    """Train nets without a chunker, with errors through a whole string: {row: outcome}."""
    init_seed, descent_seed, adam_seed, adam_train_seed = seed.spawn(4)
    settings = replace(settings, depth=settings.lag + 2)
    nets = Conventional(np.random.default_rng(init_seed), settings)
    nets.pick(np.tile(np.arange(settings.nets), len(RATES)))
    nets.A.learning_rate = np.repeat(RATES, settings.nets)  # (N,)
    end = solve(nets, settings, descent_seed, progress)
    table = {}
    for k, name in enumerate(("rate_003", "rate_01", "rate_03")):
        part = slice(k * settings.nets, (k + 1) * settings.nets)
        table[f"{prefix}_{name}"] = outcome({key: value[part] for key, value in end.items()})
    settings = replace(settings, learning_rate=ADAM_RATE)
    nets = AdamConventional(np.random.default_rng(adam_seed), settings)
    table[f"{prefix}_adam"] = outcome(solve(nets, settings, adam_train_seed, progress))
    return table


def afterwards(settings, seed, progress):
    """Train on after the solution: how many labels A alone gets right at later tests."""
    init_seed, train_seed, test_seed = seed.spawn(3)
    train_rng, test_rng = np.random.default_rng(train_seed), np.random.default_rng(test_seed)
    train_size = (settings.test_every, settings.nets)
    test_size = (settings.test_blocks, settings.nets)
    pair = Pair(np.random.default_rng(init_seed), settings)
    right = []
    for seen in range(0, settings.most_sequences, settings.test_every):
        progress(seen / settings.most_sequences, f"{seen} strings")
        for event in stream(train_rng.random(train_size) < 0.5, settings.lag):
            pair.tick(event)
        tests = stream(test_rng.random(test_size) < 0.5, settings.lag)
        off, _ = examine(pair.A, tests, settings.lag)  # (B, N)
        right.append((off < TOLERANCE).mean(0))
    right = np.array(right)  # (tests, N)
    solved = right == 1  # (tests, N)
    known = right[np.cumsum(solved, 0) > solved]  # of the tests after the first that is passed
    return {"right": known.mean() if known.size else None, "end": right[-1].mean()}


# ---- the study ----
def run(config, seed, progress):
    """Train the controls, the rivals at both lags, the sweeps, and nets that go on."""
    paper = chunker_22_symbol.Config(
        nets=config.nets, most_sequences=config.sequences, test_every=config.test_every
    )
    few = replace(paper, nets=config.few)
    long = replace(few, most_sequences=config.rival_sequences)
    after = replace(paper, most_sequences=config.after_sequences)
    short_long = replace(long, lag=SHORT_LAG)
    singles = {  # kind, settings
        "uncompressed": (Pair, replace(paper, threshold=-1.0)),
        "foreign": (Foreign, paper),
        "noise": (Noise, paper),
        "lag_5": (Pair, short_long),
        "depth_1": (Pair, replace(few, depth=1)),
        "depth_2": (Pair, replace(few, depth=2)),
        "depth_3": (Pair, few),
        "depth_5": (Pair, replace(few, depth=5)),
        "rate_003": (Pair, replace(few, learning_rate=RATES[0])),
        "rate_03": (Pair, replace(few, learning_rate=RATES[2])),
    }
    seeds = np.random.SeedSequence(seed).spawn(len(singles) + 3)
    table = {}

    def step(name):
        done = len(table) / (len(singles) + 9)
        return lambda fraction, said: progress(done, f"{name}: {said}")

    for (name, (kind, settings)), row_seed in zip(singles.items(), seeds):
        table[name] = chunkers(kind, settings, row_seed, step(name))
    table |= rivals("one", long, seeds[-3], step("rivals"))
    table |= rivals("one_lag_5", short_long, seeds[-2], step("rivals at the short lag"))
    table["afterwards"] = afterwards(after, seeds[-1], step("going on"))
    conventional = ("one_rate_003", "one_rate_01", "one_rate_03", "one_adam")
    return table | {
        "share_uncompressed": table["uncompressed"]["share"],
        "share_conventional": max(table[name]["share"] for name in conventional),
    }


if __name__ == "__main__":
    chunker_22_symbol.main(sys.modules[__name__])
