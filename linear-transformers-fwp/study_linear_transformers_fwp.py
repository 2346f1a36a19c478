# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Linear attention at all of the paper's sizes, and the delta rule with one part changed at a time.

Setting 1 has every map at 60 to 600 keys; FAVOR+ with directions drawn at each call and once.
Setting 2 goes to 200 keys, with DPFP-1 and DPFP-2. The controls have 60 changing keys: answers
divided as in attention, write strength fixed at 1 and at 0.5; and the error of an untrained memory
without sum-normalisation. Rows that begin with small_ have keys of 16 numbers instead of 64.

    python3 study_linear_transformers_fwp.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, NamedTuple

import linear_transformers_fwp
from linear_transformers_fwp import (
    DPFP_1,
    LOG_SIZES,
    LOGS,
    MEMORIES,
    SETTING_1,
    SETTING_2,
    TINY,
    Delta,
    Favor,
    Sum,
    changing,
    compare,
    distance,
    dpfp,
    each,
    gather,
    initial,
    scatter,
    test,
    train,
)
import numpy as np


@dataclass(frozen=True)
class Config(linear_transformers_fwp.Config):
    unique_keys: Annotated[tuple[int, ...], "setting 1: keys", (2, 1024)] = LOG_SIZES
    changing_keys: Annotated[tuple[int, ...], "setting 2: keys", (2, 256)] = (20, 60, 100, 200)
    control_keys: Annotated[int, "setting 2: keys of the controls", (2, 256)] = 60
    favor_keys: Annotated[tuple[int, ...], "keys for FAVOR+", (2, 1024)] = (60, 120, 240)
    favor_more: Annotated[int, "directions of the larger FAVOR+", (1, 1024)] = 128
    small_d: Annotated[int, "numbers in a key of the rows small_", (2, 256)] = 16
    small_unique: Annotated[tuple[int, ...], "its keys, setting 1", (2, 1024)] = (
        8,
        16,
        32,
        64,
        128,
    )
    small_changing: Annotated[tuple[int, ...], "its keys, setting 2", (2, 256)] = (5, 20)
    knee: Annotated[float, "a memory with more error than this is full", (1e-6, 1.0)] = 0.1


QUICK = linear_transformers_fwp.QUICK | {
    "steps": 5,
    "test": 1,
    "control_keys": 10,
    "favor_keys": (60,),
    "small_unique": (16,),
    "small_changing": (5,),
}


# ---- the controls ----
class Once(Favor):
    """FAVOR+ whose directions are drawn at the first call and kept."""

    kept = None

    def draw(self, k):
        self.kept = super().draw(k) if self.kept is None else self.kept
        return self.kept


class Divided(Delta):
    """Delta memories whose answers are divided by p(q) . sum of p(k_t), as in attention."""

    def walk(self):
        whole = super().walk()  # (V, B, L)
        r = gather(self.kernel(), self.data.keys)  # (V, B, L)
        self.total = np.maximum(r.sum(2, keepdims=True), TINY)  # (V, B, 1)
        return whole / self.total

    def walk_back(self, da):
        dpk, dpq, dstrength = super().walk_back(da / self.total)
        dtotal = -(da * self.a).sum(2, keepdims=True) / self.total  # (V, B, 1)
        dr = np.broadcast_to(dtotal, da.shape)  # (V, B, L)
        dkernel = scatter(dr, self.data.keys, self.pk.shape[1])  # (V, B, N)
        more_pk, more_pq = self.kernel_back(dkernel)
        return dpk + more_pk, dpq + more_pq, dstrength


class Fixed(Delta):
    """Delta memories that write every pair with the same strength."""

    def __init__(self, phi, fixed):
        super().__init__(phi)
        self.fixed = fixed

    def walk(self):
        self.strength = np.full_like(self.strength, self.fixed)
        return super().walk()

    def walk_back(self, da):
        dpk, dpq, dstrength = super().walk_back(da)
        return dpk, dpq, np.zeros_like(dstrength)


class Unnormalised(Delta):
    """Delta memories without sum-normalisation."""

    features = Sum.features
    features_back = Sum.features_back


DPFP_2 = each(partial(dpfp, nu=2))
DPFP_3 = each(partial(dpfp, nu=3))
MAPS = {name: MEMORIES[name] for name in ("elu", "dpfp1", "softmax")} | {
    "dpfp2": lambda config, rng: Sum(DPFP_2),
    "dpfp3": lambda config, rng: Sum(DPFP_3),
}
FAVORS = {
    "favor_redrawn": lambda config, rng: Sum(Favor(config.favor, rng)),
    "favor_once": lambda config, rng: Sum(Once(config.favor, rng)),
    "favor_more_redrawn": lambda config, rng: Sum(Favor(config.favor_more, rng)),
    "favor_more_once": lambda config, rng: Sum(Once(config.favor_more, rng)),
}
RULES = {
    "sum": MEMORIES["sum"],
    "delta": MEMORIES["delta"],
    "delta_dpfp2": lambda config, rng: Delta(DPFP_2),
    "softmax_changing": MEMORIES["softmax_changing"],
}
CONTROLS = {
    "normalised": MEMORIES["delta"],
    "divided": lambda config, rng: Divided(DPFP_1),
    "strength_1": lambda config, rng: Fixed(DPFP_1, 1.0),
    "strength_half": lambda config, rng: Fixed(DPFP_1, 0.5),
}


# ---- the study ----
class Job(NamedTuple):
    """One memory to train and test."""

    row: str
    kind: object
    setting: tuple
    keys: int
    config: Config


def jobs_of(config):
    """List all memories of the study."""
    small = replace(config, d_key=config.small_d)
    as_trained = changing, changing  # a division by the number of pairs asks for as many in a test
    sections = [
        (MAPS, "", SETTING_1, config.unique_keys, config),
        (FAVORS, "", SETTING_1, config.favor_keys, config),
        (RULES, "", SETTING_2, config.changing_keys, config),
        (CONTROLS, "", as_trained, (config.control_keys,), config),
        (MAPS, "small_", SETTING_1, config.small_unique, small),
        (RULES, "small_", SETTING_2, config.small_changing, small),
    ]
    return [
        Job(prefix + name, kind, setting, keys, settings)
        for kinds, prefix, setting, sizes, settings in sections
        for name, kind in kinds.items()
        for keys in sizes
    ]


def examine(job, stream, progress):
    """Train a memory, test it as its setting says and on sequences like those of its training."""
    *streams, unseen, alike, features = map(np.random.default_rng, stream.spawn(6))
    draw, judge = job.setting
    memory = job.kind(job.config, features)
    weights, _ = train(memory, draw, job.keys, job.config, streams, progress)
    error, right = test(memory, weights, judge, job.keys, job.config, unseen, job.config.test)
    trained, _ = test(memory, weights, draw, job.keys, job.config, alike, job.config.test)
    return {"keys": job.keys, "error": error[0], "right": right[0], "trained_error": trained[0]}


def run(config, seed, progress):
    """Train all memories, and list what came of each row."""
    jobs = jobs_of(config)
    *streams, untrained = np.random.SeedSequence(seed).spawn(len(jobs) + 1)
    table = {}
    for done, (job, stream) in enumerate(zip(jobs, streams, strict=True)):

        def tell(fraction, message, words=f"{job.row}, {job.keys} keys", done=done):
            progress((done + fraction) / len(jobs), f"{words}: {message}")

        row = table.setdefault(job.row, {})
        for name, number in examine(job, stream, tell).items():
            row.setdefault(name, []).append(float(number))
    start = start_without_normalisation(config, untrained)
    return table | verdicts(table, config) | {"unnormalised": {"start_log10_error": start}}


def verdicts(table, config):
    """Compare the rows of setting 1 with the authors' logs and each other, and two normalisers."""
    errors = {
        row: {
            f"error_{keys:g}": error for keys, error in zip(table[row]["keys"], table[row]["error"])
        }
        for row in LOGS
    }
    knees = {row: knee(table[row], config) for row in LOGS}
    ordered = [knees[row] or np.inf for row in LOGS]  # in the order of their features
    rises = all(few < many for few, many in zip(ordered, ordered[1:]))
    return {
        "all_distance": distance(errors, LOGS, config.unique_keys),
        "knee_order": int(rises),
        "knees": knees,
        "normaliser_cost": table["divided"]["error"][0] - table["normalised"]["error"][0],
    }


def knee(row, config):
    """Return the least number of keys at which a memory is full, None if it never is."""
    full = [keys for keys, error in zip(row["keys"], row["error"]) if error > config.knee]
    return min(full, default=None)


def start_without_normalisation(config, stream):
    """Return log10 of the mean error of an untrained delta memory without sum-normalisation."""
    start, drawn = map(np.random.default_rng, stream.spawn(2))
    size = config.changing_keys[0]
    weights = [part.astype(np.float64) for part in initial(start, size, config.d_key, 1)]
    data = changing(drawn, size, config.batch_size)
    difference, _ = compare(Unnormalised(DPFP_1), weights, data)
    return float(np.log10((difference**2).sum(2).mean()))


if __name__ == "__main__":
    linear_transformers_fwp.main(sys.modules[__name__])
