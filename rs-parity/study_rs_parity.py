# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around rs_parity.py: where gradient descent stops, and what a guessed solution is.

1. Gradient descent on the three nets, from 2 to 500 steps, and with 54,000 sequences at 25 to 50,
   the number quoted in the paper; and on one net from narrow and from wide initial weights.
2. How many random nets solve the task, what those compute, and how many random nets compute it.
3. How many solve it when the weights are drawn from other ranges.
4. How many solve it when the paper's words about noise are read in other ways.

    python3 study_rs_parity.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import rs_parity
from rs_parity import DESCENT_LENGTHS, INIT, NETS
from rs_parity import answers, descend, draw, pick, right_on_all, rollout, sequences, step, subset
import numpy as np

CLEAN = ("no_self", "a2", "a1")
LENGTHS = (2, 3, 5, 10, 20, 100, 500)
INITS = (1.0, 3.0, 10.0, 30.0, 100.0)
PRIORS = (1.0, 5.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True)
class Config(rs_parity.Config):
    lengths: Annotated[tuple[int, ...], "descent: least lengths, steps", (1, 10**6)] = LENGTHS
    quoted: Annotated[int, "descent: sequences at 25 to 50 steps", (2, 10**8)] = 54_000
    inits: Annotated[tuple[float, ...], "descent: initial widths", (1e-6, 1e6)] = INITS
    tables: Annotated[int, "random nets whose table is looked at", (1, 10**8)] = 100_000
    guesses: Annotated[int, "guesses at each net and each prior", (1, 10**8)] = 40_000
    priors: Annotated[tuple[float, ...], "widths of the prior", (1e-3, 1e6)] = PRIORS
    noisy_guesses: Annotated[int, "guesses at each reading of the noise", (1, 10**8)] = 200_000


QUICK = rs_parity.QUICK | {
    "lengths": (2, 10),
    "quoted": 200,
    "inits": (1.0, 10.0),
    "tables": 10_000,
    "guesses": 4000,
    "priors": (10.0, 100.0),
    "noisy_guesses": 4000,
}


# ---- 1. where gradient descent stops -------------------------------------------------------------
def solved(net, lengths, init, config, seed):
    """Returns the share of starts that gradient descent brings to a solution."""
    error = descend(net, lengths, init, config, seed)  # (S, N)
    return (error < config.tolerance).all(0).mean()


def descents(config, seed, progress):
    """Lets gradient descent try each length on each net, and each initial width on one net."""
    seeds = iter(seed.spawn(len(CLEAN) * (len(config.lengths) + 1) + len(config.inits)))
    longer = replace(config, descent_sequences=config.quoted)
    table = {"descent": {"length": list(config.lengths)}, "quoted": {}}
    for k, name in enumerate(CLEAN):
        net = NETS[name]
        shares = []
        for length in config.lengths:
            progress(0.8 * (k + len(shares) / len(config.lengths)) / 3, f"descent on {name}")
            shares.append(solved(net, (length, length * 6 // 5), INIT, config, next(seeds)))
        table["descent"][name] = shares
        table["quoted"][name] = solved(net, DESCENT_LENGTHS, INIT, longer, next(seeds))
    wide = [solved(NETS["no_self"], DESCENT_LENGTHS, w, config, next(seeds)) for w in config.inits]
    return table | {"inits": {"width": list(config.inits), "solved": wide}}


# ---- 2. and 3. what a solution is, and from where it is drawn ------------------------------------
INPUTS = np.array([[-1], [-1], [1], [1]], np.float32)  # (4, 1)
BEFORE = np.array([[0], [1], [0], [1]], np.float32)  # (4, 1) the output of the step before
XOR, XNOR = 0b0110, 0b1001  # what the output becomes in these four cases


def tables(weights):
    """Says which of the 16 functions of input and output N nets without memory compute, (N,)."""
    _, after = step(weights, INPUTS, 0.0, BEFORE)  # (4, N)
    return np.array([8, 4, 2, 1]) @ (after > 0.5)


def trials(guesses, found):
    """Returns guesses for each net that was found, or None where there was none."""
    return guesses / found if found else None


def guess(net, width, count, judge, config, rng):
    """Draws `count` nets, block by block, and returns those that judge(weights) finds right."""
    kept = []
    for done in range(0, count, config.block):
        weights = draw(net, width, min(config.block, count - done), rng)
        kept.append(pick(weights, judge(weights)))
    return {name: np.concatenate([part[name] for part in kept], -1) for name in kept[0]}


def judge_by(config, noise, rng):
    """Makes a judge that takes new training sequences for each block, with noise(shape)."""

    def judge(weights):
        data = sequences(config.training, config.shortest, config.longest, 0.0, rng)
        data = data._replace(x=data.x + noise(data.x.shape).astype(np.float32))
        return right_on_all(weights, data, config.tolerance)

    return judge


def tracks_parity(weights, config, rng):
    """Says which of N nets have the running parity as output after every step, (N,)."""
    x = sequences(20, config.longest, config.longest, 0.0, rng).x  # (T, S, 1)
    odd = np.cumsum(x > 0, axis=0) % 2 == 1  # (T, S, 1)
    return np.all([((y > 0.5) == now).all(0) for now, (_, y) in zip(odd, rollout(weights, x))], 0)


def solutions(config, seed, progress):
    """Guesses at the three nets and from all priors, and looks at what is right."""
    draw_rng, data_rng = map(np.random.default_rng, seed.spawn(2))
    judge = judge_by(config, np.zeros, data_rng)
    functions = tables(draw(NETS["no_self"], config.prior, config.tables, draw_rng))  # (N,)
    counts = np.bincount(functions, minlength=16)
    one_in = trials(config.tables, counts[XOR])
    table = {"random": {"counts": counts.tolist(), "xor_trials": one_in}}
    for name in CLEAN:
        progress(0.8, f"guessing {name}")
        found = guess(NETS[name], config.prior, config.guesses, judge, config, draw_rng)
        tracking = tracks_parity(found, config, data_rng)
        table[name] = {
            "solutions": tracking.size,
            "trials": trials(config.guesses, tracking.size),
            "tracking": tracking.sum(),
        }
        if name == "no_self":
            table[name]["xor"] = (tables(found) == XOR).sum()
    numbers = []
    for width in config.priors:
        progress(0.85, f"guessing from U[-{width:g}, {width:g}]")
        found = guess(NETS["no_self"], width, config.guesses, judge, config, draw_rng)
        numbers.append(found["e"].size)
    return table | {"priors": {"width": list(config.priors), "solutions": numbers}}


# ---- 4. other readings of the noise --------------------------------------------------------------
def judge_anew(config, rng):
    """Makes a judge that adds other noise to the input of each net."""

    def judge(weights):
        data = sequences(config.training, config.shortest, config.longest, 0.0, rng)
        right = np.ones(weights["e"].shape[-1], bool)  # (N,)
        for stage in np.split(np.arange(config.training), (1, 2, 4, 8, 16)):
            left = np.flatnonzero(right)
            if left.size:
                part = subset(data, stage)
                shape = (len(part.x), stage.size, left.size)  # (T, S, N)
                noise = rng.uniform(-config.noise, config.noise, shape).astype(np.float32)
                noisy = part._replace(x=part.x + noise)
                error = np.abs(answers(pick(weights, left), noisy) - part.target)  # (S, N)
                right[left] = (error < config.tolerance).all(0)
        return right

    return judge


def readings(config, seed, progress):
    """Guesses at A1 with noise in four readings; returns the solutions among the guesses."""
    draw_rng, data_rng, noise_rng = map(np.random.default_rng, seed.spawn(3))
    wide = config.noise
    noises = {
        "uniform": lambda shape: noise_rng.uniform(-wide, wide, shape),
        "twice": lambda shape: noise_rng.uniform(-2 * wide, 2 * wide, shape),
        "gaussian": lambda shape: noise_rng.normal(0, wide, shape),
    }
    judges = {name: judge_by(config, noise, data_rng) for name, noise in noises.items()}
    judges["anew"] = judge_anew(config, data_rng)
    table = {}
    for name, judge in judges.items():
        progress(0.9, f"guessing with noise, {name}")
        found = guess(NETS["noisy"], config.prior, config.noisy_guesses, judge, config, draw_rng)
        table[name] = found["e"].size
    return {"noise": table}


def run(config, seed, progress):
    """Makes the three parts, each from its own random numbers, none of them the experiment's."""
    descent_seed, solution_seed, noise_seed = np.random.SeedSequence([seed, 1]).spawn(3)
    table = descents(config, descent_seed, progress)
    table |= solutions(config, solution_seed, progress)
    return table | readings(config, noise_seed, progress)


if __name__ == "__main__":
    rs_parity.main(sys.modules[__name__])
