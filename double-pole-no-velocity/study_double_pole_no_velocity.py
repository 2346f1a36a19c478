# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around double_pole_no_velocity.py: other fitness, other nets, another search.

1. Fitness that counts steps alone, judged by the long test alone; its winners' 625 starts.
2. CoSyNE with nets that have no recurrent weights, and with nets that have a constant input.
3. CMA-ES on the same nets, with the same tests and budget.
4. What CoSyNE's winners do when they decide a hundred times a second, not fifty, and from starts
   that differ by a millionth.
All searches run side by side, each from random numbers of its own.

    python3 study_double_pole_no_velocity.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import double_pole_no_velocity
from double_pole_no_velocity import START, SUBSTEPS, Pool, Search, Trials, evaluations
from double_pole_no_velocity import grid_of_starts, mean, race, reporter
import numpy as np


@dataclass(frozen=True)
class Config(double_pole_no_velocity.Config):
    step_floor: Annotated[float, "CMA-ES: least step size", (0.0, 10.0)] = 0.3
    copies: Annotated[int, "starts beside the usual one, for each winner", (1, 1000)] = 4
    offset: Annotated[float, "standard deviation of these, in m, rad and s", (0.0, 0.01)] = 1e-6


QUICK = double_pole_no_velocity.QUICK


# ---- CoSyNE with another fitness or other nets ---------------------------------------------------
class Standard(Search):
    """Fitness counts the steps alone; each net that balances for a trial takes the long test."""

    def score(self, outcome):
        """Returns the fitness (N,)."""
        return outcome.steps / self.config.trial_steps

    def candidates(self, steps, tested):
        """Returns all nets that balanced and are new, as they are equally good."""
        return np.flatnonzero((steps >= self.config.trial_steps) & ~tested)

    def examine(self, net):
        """Tests a net (1, H, I + 1) for a long time; then counts the starts it balances from."""
        config = self.config
        outcome = yield Trials(net, START, config.long_steps)
        if outcome.steps[0] < config.long_steps:
            self.failed_long += 1
            return False
        self.force = outcome.force[0] / config.long_steps
        starts = grid_of_starts()
        nets = np.repeat(net, starts.shape[1], 0)
        outcome = yield Trials(nets, starts, config.trial_steps)
        self.starts_balanced = (outcome.steps >= config.trial_steps).sum()
        return True


class Memoryless(Search):
    """Nets whose hidden units do not see each other; what they lack has no population either."""

    def draw(self):
        """Returns the first nets (m, H, I + 1 - H)."""
        return super().draw()[:, :, self.config.hidden :]

    def life(self):
        """Searches; the recurrent weights of all that is tried are 0."""
        life = super().life()
        trials = next(life)
        while True:
            absent = np.zeros((*trials.nets.shape[:2], self.config.hidden))
            nets = np.concatenate([absent, trials.nets], 2)
            outcome = yield trials._replace(nets=nets)
            try:
                trials = life.send(outcome)
            except StopIteration:
                return


# ---- CMA-ES --------------------------------------------------------------------------------------
class Cma(Search):
    """Covariance matrix adaptation (Hansen and Ostermeier, 2001) with its usual constants."""

    def life(self):
        """Searches from the origin; the step size starts at init_scale and has a floor."""
        config, shape = self.config, self.draw().shape[1:]
        size = shape[0] * shape[1]
        many = 4 + int(3 * np.log(size))  # offspring
        state = Adaptation(size, many, config.init_scale)
        while self.evaluations + many <= config.max_evaluations:
            steps = state.draw(self.rng)  # (many, n)
            nets = (state.mean + state.scale * steps).reshape(many, *shape)
            outcome = yield Trials(nets, np.repeat(START, many, 1), config.trial_steps)
            self.evaluations += many
            self.generations += 1
            order = np.argsort(-self.score(outcome), kind="stable")
            best = order[0]
            if outcome.steps[best] >= config.trial_steps:
                if (yield from self.examine(nets[best : best + 1])):
                    self.winner = nets[best]
                    return
            state.learn(steps[order])
            state.scale = max(state.scale, config.step_floor)


class Adaptation:
    """The normal distribution of CMA-ES, and its two paths."""

    def __init__(self, size, many, scale):
        self.mean, self.scale = np.zeros(size), scale
        self.covariance, self.path_c, self.path_s = np.eye(size), np.zeros(size), np.zeros(size)
        weights = np.log((many + 1) / 2) - np.log(np.arange(1, many // 2 + 1))  # (parents,)
        self.weights = weights / weights.sum()
        mass = self.mass = 1 / (self.weights**2).sum()
        self.rate_c = (4 + mass / size) / (size + 4 + 2 * mass / size)
        self.rate_s = (mass + 2) / (size + mass + 5)
        self.rate_one = 2 / ((size + 1.3) ** 2 + mass)
        self.rate_mu = min(1 - self.rate_one, 2 * (mass - 2 + 1 / mass) / ((size + 2) ** 2 + mass))
        self.damp = 1 + 2 * max(0, np.sqrt((mass - 1) / (size + 1)) - 1) + self.rate_s
        self.chi = np.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))  # a normal's length
        self.many, self.age = many, 0

    def draw(self, rng):
        """Returns steps (many, n) in units of the step size."""
        values, self.axes = np.linalg.eigh(self.covariance)
        self.lengths = np.sqrt(np.maximum(values, 1e-20))  # (n,)
        return rng.standard_normal((self.many, len(values))) * self.lengths @ self.axes.T

    def learn(self, steps):
        """Moves on, given the steps (many, n) from the best to the worst."""
        self.age += 1
        steps = steps[: len(self.weights)]  # (parents, n)
        move = self.weights @ steps  # (n,)
        self.mean = self.mean + self.scale * move
        white = self.axes @ (move @ self.axes / self.lengths)  # (n,)
        gain = np.sqrt(self.rate_s * (2 - self.rate_s) * self.mass)
        self.path_s = (1 - self.rate_s) * self.path_s + gain * white
        length = np.linalg.norm(self.path_s)
        settled = np.sqrt(1 - (1 - self.rate_s) ** (2 * self.age))
        steady = length / settled < (1.4 + 2 / (len(move) + 1)) * self.chi
        gain = np.sqrt(self.rate_c * (2 - self.rate_c) * self.mass)
        self.path_c = (1 - self.rate_c) * self.path_c + steady * gain * move
        lost = (1 - steady) * self.rate_c * (2 - self.rate_c)
        one = np.outer(self.path_c, self.path_c) + lost * self.covariance  # (n, n)
        spread = steps.T * self.weights @ steps  # (n, n)
        keep = 1 - self.rate_one - self.rate_mu
        self.covariance = keep * self.covariance + self.rate_one * one + self.rate_mu * spread
        self.scale *= np.exp(self.rate_s / self.damp * (length / self.chi - 1))


# ---- what winners can bear -----------------------------------------------------------------------
def balance(trials, substeps=SUBSTEPS):
    """Returns the outcome of trials, tried on their own."""
    pool = Pool(substeps)
    pool.enter(0, trials)
    while pool.wanted:
        pool.advance()
    return pool.outcomes[0]


def bear(winners, config, rng):
    """Returns the shares of winners' long tests that go well with decisions each 10 ms, and of
    those from starts that are a little off; None where there are no winners."""
    if not winners:
        return {"at_10_ms": None, "off_start": None}
    nets = np.stack(winners)  # (N, H, I + 1)
    starts = np.repeat(START, len(nets), 1)  # (6, N)
    often = balance(Trials(nets, starts, config.long_steps), substeps=1)
    nets = np.repeat(nets, config.copies, 0)  # (N copies, H, I + 1)
    starts = START + config.offset * rng.standard_normal((6, len(nets)))
    off = balance(Trials(nets, starts, config.long_steps))
    return {
        "at_10_ms": (often.steps >= config.long_steps).mean(),
        "off_start": (off.steps >= config.long_steps).mean(),
    }


# ---- the study -----------------------------------------------------------------------------------
KINDS = {
    "cosyne": Search,
    "standard": Standard,
    "memoryless": Memoryless,
    "cma": Cma,
}


def summary(searches):
    """Returns what searches of a kind took, and what starts their winners balance from."""
    winners = [search for search in searches if search.winner is not None]
    took = evaluations(searches)  # (S,)
    return {
        "evaluations": took.mean(),
        "solved_share": len(winners) / len(searches),
        "each": took.tolist(),
        "starts_balanced": mean([search.starts_balanced for search in winners]),
        "starts_each": [int(search.starts_balanced) for search in winners],
        "force": mean([search.force for search in winners]),
        "net": [*map(float, winners[0].winner.ravel())] if winners else None,
    }


def film(search):
    """Returns some of the best nets of a search's generations, for the animation."""
    many = len(search.champions)
    chosen = np.unique(np.geomspace(1, many, 8).round().astype(np.intp)) - 1
    took, steps, nets = zip(*[search.champions[k] for k in chosen])
    return {
        "generation": (chosen + 1).tolist(),
        "took": [int(count) for count in took],
        "steps": [int(count) for count in steps],
        "nets": np.ravel(nets).tolist(),
    }


def run(config, seed, progress):
    """Runs all kinds of searches side by side, then tries what the winners can bear."""
    *seeds, off_seed = np.random.SeedSequence([seed, 1]).spawn(5 * config.searches + 1)
    groups = np.reshape(np.array(seeds, object), (5, config.searches))
    kinds = {
        name: [kind(config, s) for s in group] for (name, kind), group in zip(KINDS.items(), groups)
    }
    report = reporter(config, progress)
    race([search for searches in kinds.values() for search in searches], report)
    biased = replace(config, bias=True)  # nets of another shape need a pool of their own
    kinds["bias"] = [Search(biased, s) for s in groups[4]]
    race(kinds["bias"], report)
    table = {name: summary(searches) for name, searches in kinds.items()}
    needed = config.starts_needed
    general = [starts >= needed for starts in table["standard"]["starts_each"]]
    table["standard"]["general_share"] = mean(general)
    winners = [search.winner for search in kinds["cosyne"] if search.winner is not None]
    return table | {
        "memoryless_share": table["memoryless"]["solved_share"],
        "evaluations_standard": table["standard"]["evaluations"],
        "winners": bear(winners, config, np.random.default_rng(off_seed)),
        "film": film(max(kinds["cosyne"], key=lambda search: search.winner is not None)),
    }


if __name__ == "__main__":
    double_pole_no_velocity.main(sys.modules[__name__])
