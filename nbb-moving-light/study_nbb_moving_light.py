# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What the moving light depends on: readout, payoff, order, parts of the rule; what is learned.

Rows tick_5 to tick_7 vary the tick of the answer, the ticks that are paid and the payoff. Rows
order_* vary who decides what is shown next; no_return and no_memory_pay lack a part of the rule;
random_teacher pays for either output. Row probes tests solved nets with lights that they were not
trained on, and cells_* have larger retinas.

    python3 study_nbb_moving_light.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import nbb_moving_light
from nbb_moving_light import BucketBrigade, coins, measure, retina, start, train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each kind, trained side by side", (1, 10_000)] = 50
    max_presentations: Annotated[int, "presentations a net learns from", (10, 1_000_000)] = 4000
    streak: Annotated[int, "times in a row a solved net was right", (1, 10_000)] = 10


QUICK = {"nets": 6, "max_presentations": 120}
RATIOS = {"eta_1_0": 1.0, "eta_1_3": 1.3, "eta_1_5": 1.5, "eta_2_0": 2.0}  # eta / lambda
COLUMNS = ("solved_share", "cycles_per_sequence", "streak50_share", "late_correct")
RETINAS = (8, 10, 20)  # cells


# ---- the controls ----
class NoReturn(BucketBrigade):
    """Nets whose outputs pass nothing back of what they earn: it is lost."""

    def tick(self, seen, output, share, paid):
        return super().tick(seen, output, np.zeros_like(share), paid)


class NoMemoryPay(BucketBrigade):
    """Nets that are not paid from outside for what one output gave the next."""

    def __init__(self, weights, learning_rate, payoff):
        by_sender = np.ones((len(weights), 1, 1))  # (S, 1, 1)
        by_sender[-2:] = 0.0
        super().__init__(weights, learning_rate, payoff * by_sender)  # (S, 1, 1 or N)


class RandomTeacher(BucketBrigade):
    """Nets that are paid for either output, as a coin falls: there is nothing to learn."""

    def __init__(self, weights, learning_rate, payoff, rng):
        super().__init__(weights, learning_rate, payoff)
        self.rng = rng

    def present(self, seen, target, pay_ticks):
        super().present(seen, self.rng.integers(2, size=len(target)), pay_ticks)


class Kept(BucketBrigade):
    """Nets of which each is kept as it was when it first had been right `streak` times in a row."""

    def __init__(self, weights, learning_rate, payoff, streak):
        super().__init__(weights, learning_rate, payoff)
        self.streak = streak
        self.run_length = np.zeros(weights.shape[2], np.intp)  # (N,)
        self.kept = np.full(weights.shape, np.nan)  # (S, 2, N)

    def winners(self, seen):
        won = super().winners(seen)  # (ticks, 2, N)
        right = (won[-1] == np.arange(2)[:, None]).all(0)  # (N,)
        self.run_length = np.where(right, self.run_length + 1, 0)
        new = (self.run_length == self.streak) & np.isnan(self.kept[0, 0])  # (N,)
        self.kept = np.where(new, self.weights, self.kept)
        return won


# ---- the order of presentations ----
def pairs(config, rng):
    """Show both sequences in each two presentations, in random order: (T, N)."""
    first = rng.integers(2, size=(-(-config.max_presentations // 2), config.nets))  # (T / 2, N)
    both = np.stack([first, 1 - first], 1)  # (T / 2, 2, N)
    return both.reshape(-1, config.nets)[: config.max_presentations]


def turns(config, rng):
    """Show the sequences in turn, either first: (T, N)."""
    first = rng.integers(2, size=config.nets)  # (N,)
    return (np.arange(config.max_presentations)[:, None] + first) % 2


ORDERS = {"coins": coins, "pairs": pairs, "turns": turns}


# ---- many kinds of nets in one batch ----
def train_for_payoffs(config, names, rng, kind=BucketBrigade):
    """Train config.nets nets at each named payoff; returns {name: measures}.

    All payoffs get the same initial weights and the same coins.
    """
    weights = np.tile(start(config, rng), len(names))  # (S, 2, R * N)
    shown = np.tile(coins(config, rng), len(names))  # (T, R * N)
    ratios = [RATIOS[name] for name in names]  # R of them
    payoff = config.learning_rate * np.repeat(ratios, config.nets)  # (R * N,)
    brigade = kind(weights, config.learning_rate, payoff)
    right = train(config, brigade, shown)  # (T, R * N)
    parts = np.split(right, len(names), 1)  # R times (T, N)
    return {name: measure_in_short(part, config) for name, part in zip(names, parts)}


def train_for_orders(config, rng):
    """Train config.nets nets in each order of presentations; returns {order: measures}.

    All orders get the same initial weights.
    """
    weights = np.tile(start(config, rng), len(ORDERS))  # (S, 2, 3 N)
    shown = np.concatenate([order(config, rng) for order in ORDERS.values()], 1)  # (T, 3 N)
    brigade = BucketBrigade(weights, config.learning_rate, config.payoff)
    right = train(config, brigade, shown)  # (T, 3 N)
    parts = np.split(right, len(ORDERS), 1)  # three times (T, N)
    return {name: measure_in_short(part, config) for name, part in zip(ORDERS, parts)}


def measure_in_short(right, config):
    """Keep a few columns of measure()."""
    row = measure(right, config)
    return {name: row[name] for name in COLUMNS}


def train_with_random_teacher(config, rng):
    """Train nets at the paper's readout with a teacher who does not look."""
    weights = start(config, rng)  # (S, 2, N)
    shown = coins(config, rng)  # (T, N)
    brigade = RandomTeacher(weights, config.learning_rate, config.payoff, rng)
    return measure_in_short(train(config, brigade, shown), config)


# ---- lights that a net was not trained on ----
def probes(config):
    """Return sequences like those of retina() with another start, dark frames, or a slower light.

    In each of them the answer is read when the light has been gone for as long as in training.
    """
    seen = retina(config)  # (ticks, cells + 1, 2)
    dropped = seen.copy()
    dropped[config.cells // 2, :-1] = 0.0  # the middle frame is dark
    light = np.arange(len(seen)) < config.cells  # (ticks,)
    only_last, all_but_last = seen.copy(), seen.copy()
    only_last[: config.cells - 1, :-1] = 0.0  # a flash where the light would vanish
    all_but_last[config.cells - 1, :-1] = 0.0
    return {
        "as_trained": seen,
        "from_cell_2": seen[1:],
        "from_cell_3": seen[2:],
        "dropped_frame": dropped,
        "last_cell_alone": only_last,
        "last_cell_dark": all_but_last,
        "half_speed": np.repeat(seen, np.where(light, 2, 1), 0),
    }


def probe(config, rng):
    """Train nets, and return the share of the solved ones that are right about each probe."""
    brigade = Kept(start(config, rng), config.learning_rate, config.payoff, config.streak)
    train(config, brigade, coins(config, rng))
    solved = brigade.kept[..., np.isfinite(brigade.kept[0, 0])]  # (S, 2, solved nets)
    frozen = BucketBrigade(solved, 0.0, 0.0)
    shares = {}
    for name, seen in probes(config).items():
        right = nbb_moving_light.is_right(frozen, seen)  # (solved nets,)
        shares[name] = right.mean() if right.size else None
    return shares


# ---- the study ----
def settings_of_rows(paper):
    """Name the readouts and the ticks that are paid, as settings."""
    rows = {}
    for tick in (5, 6, 7):
        for name, pay_ticks in (("last", 1), ("last_three", 3), ("every", tick - 1)):
            rows[f"tick_{tick}_{name}"] = replace(paper, readout_tick=tick, pay_ticks=pay_ticks)
    return rows


def run(config, seed, progress):
    """Train every row of the study, each from random numbers of its own."""
    paper = nbb_moving_light.Config(**vars(config))
    streams = np.random.SeedSequence(seed).spawn(9 + 2 + 2 + 1 + len(RETINAS) + 1)
    rngs = map(np.random.default_rng, streams)  # one for each row
    table = {}
    for name, settings in settings_of_rows(paper).items():
        progress(0.05 * len(table), name)
        table[name] = train_for_payoffs(settings, tuple(RATIOS), next(rngs))

    progress(0.5, "orders of presentations")
    during = nbb_moving_light.during_the_crossing(paper)
    table["order_tick_5"] = train_for_orders(during, next(rngs))
    table["order_tick_7"] = train_for_orders(paper, next(rngs))

    progress(0.6, "parts of the rule")
    payoffs = ("eta_1_3", "eta_1_5", "eta_2_0")
    table["no_return"] = train_for_payoffs(paper, payoffs, next(rngs), NoReturn)
    table["no_memory_pay"] = train_for_payoffs(paper, payoffs, next(rngs), NoMemoryPay)

    progress(0.7, "probes and larger retinas")
    table["probes"] = probe(paper, next(rngs))
    for cells in RETINAS:
        larger = replace(paper, cells=cells, readout_tick=cells + 2)
        table[f"cells_{cells}"] = train_for_payoffs(larger, ("eta_1_3",), next(rngs))["eta_1_3"]
    table["random_teacher"] = train_with_random_teacher(paper, next(rngs))
    return table


if __name__ == "__main__":
    nbb_moving_light.main(sys.modules[__name__])
