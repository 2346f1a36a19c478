# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What each part of the Neural Bucket Brigade is good for, and how its other nets fare on XOR.

The rows are the paper's nets (three_hidden; two_hidden: 160 in the paper; two_pairs: 263, solved by
8 of 10), one with four hidden units, and nets with three that lack a part of the rule or are paid
more or less. With the same seed the first two rows are the nets of nbb_xor.py itself.

    python3 study_nbb_xor.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import nbb_xor
from nbb_xor import BucketBrigade, curve, measure, train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row, trained side by side", (1, 10_000)] = 100
    presentations: Annotated[int, "presentations that a net learns from", (10, 1_000_000)] = 5000
    follow: Annotated[int, "presentations after a solution, for uptime", (1, 1_000_000)] = 1000
    streak: Annotated[int, "presentations in a row that held50 asks for", (1, 1_000_000)] = 50


QUICK = {"nets": 10, "presentations": 600, "follow": 100}


# ---- the controls ----
class NoReturn(BucketBrigade):
    """Nets whose hidden units pass nothing back of what they earn: it is lost."""

    def tick(self, pattern, hidden, share, correct):
        return super().tick(pattern, hidden, np.zeros_like(share), correct)


class NoDirect(BucketBrigade):
    """Nets whose inputs do not reach the outputs: a weight of zero stays zero."""

    def __init__(self, *weights_and_rates):
        super().__init__(*weights_and_rates)
        self.to_output[:3] = 0.0


class TwoPairs(BucketBrigade):
    """Nets in which units compete in pairs: four hidden units, of which two fire."""

    def fire(self, net):
        pairs = net.reshape(*net.shape[:-2], -1, 2, net.shape[-1])  # (..., units / 2, 2, N)
        return super().fire(pairs).reshape(net.shape)


# ---- the study ----
def run(config, seed, progress):
    """Train one batch of nets for each row."""
    paper = nbb_xor.Config(**vars(config))
    half = replace(paper, payoff=0.5 * paper.payoff)
    double = replace(paper, payoff=2.0 * paper.payoff)
    rows = {  # hidden units, kind, settings
        "three_hidden": (3, BucketBrigade, paper),
        "two_hidden": (2, BucketBrigade, paper),
        "four_hidden": (4, BucketBrigade, paper),
        "two_pairs": (4, TwoPairs, paper),
        "no_return": (3, NoReturn, paper),
        "no_direct": (3, NoDirect, paper),
        "half_payoff": (3, BucketBrigade, half),
        "double_payoff": (3, BucketBrigade, double),
    }
    seeds = np.random.SeedSequence(seed).spawn(len(rows))  # one for each row
    right = {}  # (T, N) of each row
    for (name, (hidden, kind, settings)), row_seed in zip(rows.items(), seeds):
        progress(len(right) / len(rows), name)
        right[name] = train(settings, row_seed, hidden, lambda *_: None, kind)
    table = {name: measure(right[name], paper) for name in rows}
    return table | leads(table) | {"curves": curves(right)}


def leads(table):
    """Compare the paper's net with those that lack the return or the direct connections."""
    three, no_direct = table["three_hidden"], table["no_direct"]
    both_solved = three["first_mean"] and no_direct["first_mean"]
    return {
        "return_lead": three["held50"] - table["no_return"]["held50"],
        "direct_factor": no_direct["first_mean"] / three["first_mean"] if both_solved else None,
    }


def curves(right):
    """Return the shares of nets that are right after their first solution, for the picture."""
    named = {name: curve(right[name])["y"] for name in ("three_hidden", "two_hidden", "no_return")}
    return {"x": curve(right["three_hidden"])["x"]} | named


if __name__ == "__main__":
    nbb_xor.main(sys.modules[__name__])
