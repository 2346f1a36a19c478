# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around rs_two_sequence.py: where descent stops, and what makes guessing hard.

1. Gradient descent on A1 and A2, from 5 to 500 steps: the claim is about the last of these.
2. How many guesses solve the task in other readings of the paper: with noise of variance 0.2 in
   place of standard deviation 0.2, and with an output of A2 that sees itself.
3. The same with weights from other ranges, and 4. with other lengths.

    python3 study_rs_two_sequence.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import rs_two_sequence
from rs_two_sequence import NETS, SIGNS, descend, draw, screen, sequences
import numpy as np

SEES_ITSELF = NETS["a2"]._replace(fixed=SIGNS)  # A2 with an output that sees itself, too
DESCENT_LENGTHS = (5, 20, 50, 100, 500)
PRIORS = (1.0, 10.0, 100.0)
LENGTHS = (50, 500, 5000)


@dataclass(frozen=True)
class Config(rs_two_sequence.Config):
    descent_lengths: Annotated[tuple[int, ...], "descent: least lengths", (2, 1000)] = (
        DESCENT_LENGTHS
    )
    variance: Annotated[float, "the other reading of the noise", (0.0, 100.0)] = 0.2
    guesses: Annotated[int, "guesses at each net, prior and length", (1, 10**8)] = 20_000
    rare_guesses: Annotated[int, "guesses at A1 and A2 with the wide noise", (1, 10**8)] = 200_000
    priors: Annotated[tuple[float, ...], "widths of the prior", (1e-3, 1e6)] = PRIORS
    lengths: Annotated[tuple[int, ...], "guessing: least lengths", (2, 10**6)] = LENGTHS


QUICK = rs_two_sequence.QUICK | {
    "descent_lengths": (5, 20),
    "guesses": 2000,
    "rare_guesses": 2000,
    "priors": (10.0, 100.0),
    "lengths": (20, 50),
}


# ---- 1. where gradient descent stops -------------------------------------------------------------
def descents(config, seed, progress):
    """Returns the shares of starts that solve each length, and the share at the last for both."""
    table = {"length": list(config.descent_lengths), "a2": [], "a1": []}
    todo = [(name, length) for name in ("a2", "a1") for length in config.descent_lengths]
    for k, ((name, length), start_seed) in enumerate(zip(todo, seed.spawn(len(todo)))):
        report = lambda done, said, k=k: progress((k + done) / len(todo), said)  # noqa: E731
        within, _ = descend(NETS[name], length, config, start_seed, report)  # (S, N)
        table[name].append(within.all(0).mean())
    return {"descent": table | {"solved_500": (table["a2"][-1] + table["a1"][-1]) / 2}}


# ---- 2. to 4. how rare solutions are -------------------------------------------------------------
def count(net, guesses, config, seed, progress):
    """Guesses, block by block, at new training sequences each; returns guesses per solution."""
    draw_rng, data_rng = map(np.random.default_rng, seed.spawn(2))
    solutions = 0
    for done in range(0, guesses, config.block):
        progress(done / guesses, f"{done:,} guesses, {solutions} solutions")
        task = (config.training, config.shortest, config.longest, config.noise)
        weights = draw(net, config.prior, min(config.block, guesses - done), draw_rng)
        good, _ = screen(net, weights, sequences(*task, data_rng), config.tolerance)
        solutions += int(good.sum())
    return {"solutions": solutions, "trials": guesses / solutions if solutions else None}


def rarity(config, seed, progress):
    """Counts solutions in each variant of the task, of the nets, and of the prior."""
    wide = replace(config, noise=config.variance**0.5)
    rows = {"itself.a2": (SEES_ITSELF, config.guesses, config)}
    for name, net in NETS.items():
        guesses = config.rare_guesses if net.hidden else config.guesses
        rows[f"variance.{name}"] = (net, guesses, wide)
    for width in config.priors:
        for name in ("a1", "latch2"):
            row = (NETS[name], config.guesses, replace(config, prior=width))
            rows[f"prior_{width:g}.{name}"] = row
    for length in config.lengths:
        longer = replace(config, shortest=length, longest=length * 6 // 5)
        rows[f"length_{length}.a1"] = (NETS["a1"], config.guesses, longer)
    table = {}
    for k, (name, row_seed) in enumerate(zip(rows, seed.spawn(len(rows)))):
        report = lambda done, said, k=k: progress((k + done) / len(rows), said)  # noqa: E731
        table[name] = count(*rows[name], row_seed, report)
    return table


def run(config, seed, progress):
    """Makes both parts, each from its own random numbers, none of them the experiment's."""
    descent_seed, guess_seed = np.random.SeedSequence([seed, 1]).spawn(2)
    table = descents(config, descent_seed, lambda done, said: progress(0.8 * done, said))
    return table | rarity(config, guess_seed, lambda done, said: progress(0.8 + 0.2 * done, said))


if __name__ == "__main__":
    rs_two_sequence.main(sys.modules[__name__])
