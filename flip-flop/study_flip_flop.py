# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the flip-flop: the model first, a teacher, other objectives, pain cut off.

parallel     the nets of flip_flop.py: with the same seed they are the first ones of its run
pain_cut     the solved ones of these, with the pain input off at test time
sequential   M first learns from random outputs; then it is frozen and C learns through it
teacher      the same C is told the right answers: the supervised version of Williams and Zipser
entropy      C minimises p^2 / 2 as in the paper, but M minimises the cross-entropy
log          C minimises -log(1 - p), M the cross-entropy
plain        C minimises p itself, M the cross-entropy

    python3 study_flip_flop.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import flip_flop
from flip_flop import PainLearner, halves, pick, probes_right, stream_errors, weights
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row, and of the teacher at each step size", (1, 1000)] = 10
    max_ticks: Annotated[int, "ticks after which a net has failed", (1, 10**8)] = 1_000_000
    model_ticks: Annotated[int, "ticks that train M alone, in row sequential", (1, 10**8)] = 100_000
    reach: Annotated[float, "random outputs are uniform from -reach to 1 + reach", (0.0, 9.0)] = 0.5
    teacher_rates: Annotated[tuple[float, ...], "Adam step sizes of the taught C", (0.0, 1.0)] = (
        0.001,
        0.003,
        0.01,
    )

    def __post_init__(self):
        if self.model_ticks >= self.max_ticks:
            raise ValueError("argument --model-ticks: must be less than --max-ticks")


QUICK = {"nets": 2, "max_ticks": 6000, "model_ticks": 2000, "teacher_rates": (0.003,)}


# ---- the model first -----------------------------------------------------------------------------
class ModelFirst(PainLearner):
    """Nets whose outputs are random and whose C never learns, so that M sees everything."""

    def __init__(self, config, seeds, reach):
        super().__init__(config, seeds, lr_c=np.zeros(len(seeds)))
        halves(config, self.nets["theta"])[0][:] = 0  # such a C has the mean 0.5, and
        self.sigma = flip_flop.sigma(config, 0.5)  # this standard deviation
        self.reach = reach

    def draw(self):
        """Roll dice that make the outputs uniform from -reach to 1 + reach."""
        events, _ = super().draw()
        rngs, shape = self.life_rngs[self.ids], (self.config.window, 1)
        uniform = np.stack([rng.random(shape, np.float32) for rng in rngs], 1)  # (T, S, 1)
        return events, (1 + 2 * self.reach) * (uniform - 0.5) / self.sigma


class FrozenModel(PainLearner):
    """Nets that begin with the M of others, which learns no more."""

    def __init__(self, config, seeds, lr_c, theta):
        super().__init__(config, seeds, lr_c)
        halves(config, self.nets["theta"])[1][:] = halves(config, theta)[1]
        halves(config, self.nets["rate"])[1][:] = 0


def sequential(settings, config, model_seed, frozen_seed, progress):
    """Train M, then C; return the nets of the second phase, whose ticks count both."""
    first = replace(settings, max_ticks=config.model_ticks)
    models = ModelFirst(first, model_seed.spawn(config.nets), config.reach)
    models.train(lambda f, said: progress(0.1 * f, f"M first, {said}"))
    rest = replace(settings, max_ticks=config.max_ticks - config.model_ticks)
    rates = [settings.lr_c] * config.nets
    seeds = frozen_seed.spawn(config.nets)
    nets = FrozenModel(rest, seeds, rates, models.graduates["theta"])
    nets.train(lambda f, said: progress(0.1 + 0.9 * f, f"then C, {said}"))
    return nets


# ---- a teacher -----------------------------------------------------------------------------------
class Teacher(PainLearner):
    """The same C, without noise, descends the squared error of its mean (halved)."""

    def draw(self):
        events, z = super().draw()
        return events, 0 * z

    def gradient(self, life):
        mean = life.out[..., 0]  # (T, S, 1)
        d_mean = (mean - life.target) / len(mean)
        return self.through_c(life, d_mean, d_sigma=0)


# ---- other objectives ----------------------------------------------------------------------------
class EntropyModel(PainLearner):
    """M minimises the cross-entropy of p and the pain."""

    def model_slope(self, p, pain):
        return p - pain


class LogPain(EntropyModel):
    """C minimises -log(1 - p)."""

    def pain_slope(self, p):
        return p


class PlainPain(EntropyModel):
    """C minimises p."""

    def pain_slope(self, p):
        return p * (1 - p)


# ---- the study -----------------------------------------------------------------------------------
def row(solved, ticks):
    """Return what became of the nets of a row, given arrays (nets,)."""
    return {"solved": solved.mean(), "median_ticks": np.median(ticks), "ticks": ticks.tolist()}


def taught(settings, config, seed, progress):
    """Train nets with a teacher at each step size; return the row of the best one."""
    rates = config.teacher_rates
    seeds = seed.spawn(len(rates) * config.nets)
    nets = Teacher(settings, seeds, np.repeat(rates, config.nets)).train(progress)
    solved = nets.solved.reshape(len(rates), -1)  # (rates, nets)
    ticks = nets.ticks.reshape(solved.shape)
    best = np.median(ticks, 1).argmin()
    return row(solved[best], ticks[best]) | {"step_size": rates[best]}


def pain_cut(nets, rng_seed):
    """Return how the solved nets do on fresh events while C feels no pain."""
    config, solved = nets.config, pick(nets.graduates, nets.solved)
    if not nets.solved.any():
        return {"errors_per_1000": None, "long_lag_right": None}
    theta = solved["theta"].copy()
    weights(config, theta)[0][:, config.hidden_c + 4] = 0  # from the pain input
    deaf = solved | {"theta": theta}
    rngs = [np.random.default_rng(seed) for seed in rng_seed.spawn(len(theta))]
    errors = stream_errors(config, deaf, rngs, flip_flop.CHECK_TICKS, flip_flop.CHECK_STREAMS)
    right = probes_right(config, deaf, rngs)
    return {"errors_per_1000": errors.mean(), "long_lag_right": right.mean()}


def run(config, seed, progress):
    """Train ten nets for each row."""
    settings = flip_flop.Config(nets=config.nets, max_ticks=config.max_ticks)
    seeds = np.random.SeedSequence(seed).spawn(8)
    pain_seed, cut_seed, model_seed, frozen_seed, teacher_seed, *objective_seeds = seeds
    rates = [settings.lr_c] * config.nets

    def part(start, length, name):
        return lambda f, said: progress(start + length * f, f"{name}: {said}")

    nets = PainLearner(settings, pain_seed.spawn(config.nets), rates)
    nets.train(part(0, 0.25, "parallel"))
    table = {"parallel": row(nets.solved, nets.ticks), "pain_cut": pain_cut(nets, cut_seed)}
    later = sequential(settings, config, model_seed, frozen_seed, part(0.25, 0.2, "sequential"))
    later_ticks = np.where(later.solved, config.model_ticks + later.ticks, config.max_ticks)
    table["sequential"] = row(later.solved, later_ticks)
    table["teacher"] = taught(settings, config, teacher_seed, part(0.45, 0.1, "teacher"))
    kinds = {"entropy": EntropyModel, "log": LogPain, "plain": PlainPain}
    for k, ((name, kind), kind_seed) in enumerate(zip(kinds.items(), objective_seeds)):
        nets = kind(settings, kind_seed.spawn(config.nets), rates)
        nets.train(part(0.55 + 0.15 * k, 0.15, name))
        table[name] = row(nets.solved, nets.ticks)
    factor = table["parallel"]["median_ticks"] / table["teacher"]["median_ticks"]
    return table | {"teacher_factor": factor}


if __name__ == "__main__":
    flip_flop.main(sys.modules[__name__])
