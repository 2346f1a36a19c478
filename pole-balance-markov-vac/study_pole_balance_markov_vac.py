# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What a vector of pains is good for, and what becomes of the nets without parts of the method.

All rows are trained side by side, and nets are given up late, after 10,000 failures: four pains as
in the experiment (four), the two pains cart and pole (two), traces that keep nothing (no_trace),
inputs that reach the outputs only through the hidden units (no_direct), and inputs scaled to about
0 to 1 as in Anderson's work of 1986 (anderson). Then the critics of the solved nets with four
pains, still as they were, drive the cart alone: of the two pushes they take the one whose outcome
has less predicted pain, and the pains of the cart are weighted against those of the pole.

    python3 study_pole_balance_markov_vac.py --seed 0
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import pole_balance_markov_vac
from pole_balance_markov_vac import WIDE, Poles, Row, Team, measure, part, train
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row, trained side by side", (1, 10_000)] = 20
    trial_steps: Annotated[int, "steps that a trial must exceed", (1, 10_000_000)] = 30_000
    max_failures: Annotated[int, "failures after which a net is given up", (1, 1_000_000)] = 10_000
    max_steps: Annotated[int, "steps after which a net is given up", (1, 100_000_000)] = 300_000
    starts: Annotated[int, "starts of each critic and weight", (1, 100_000)] = 10
    look_steps: Annotated[int, "steps that a critic drives the cart", (1, 1_000_000)] = 1000

    def __post_init__(self):
        if self.max_steps <= self.trial_steps:
            raise ValueError("argument --max-steps: it has to be above --trial-steps")


QUICK = {"nets": 5, "trial_steps": 100, "max_steps": 1500, "starts": 4, "look_steps": 50}
WEIGHTS = {"w0": 0.0, "w01": 0.1, "w03": 0.3, "w1": 1.0, "w3": 3.0, "w10": 10.0}  # cart over pole


# ---- the controls ----
@dataclass
class Rival(Row):
    """A row that may lack a part of the method."""

    traced: bool = True
    direct: bool = True
    anderson: bool = False


class Rivals(Team):
    """Nets of several rows, each without its part."""

    def __init__(self, rng, rows, config):
        super().__init__(rng, rows, config)
        each = {name: [getattr(row, name) for row in rows] for name in ("traced", "direct")}
        self.fading *= np.repeat(each["traced"], config.nets)  # (N,)
        self.reach = np.repeat(each["direct"], config.nets).astype(np.float32)  # (N,)
        self.old = np.repeat([row.anderson for row in rows], config.nets)  # (N,)

    def inputs(self, state):
        """Return Anderson's scaled inputs where a net has them: (x + 2.4) / 4.8 and so on, 0.5."""
        inputs = super().inputs(state)  # (5, N)
        half = np.array([[2.4], [1.5], [np.radians(12)], [np.radians(115)]])  # (4, 1)
        inputs[:4] = np.where(self.old, (state + half) / (2 * half), inputs[:4])
        inputs[4] = np.where(self.old, 0.5, 1.0)
        return inputs

    def features(self, hidden, inputs):
        """Hide the state from the outputs of nets without direct connections; not the constant."""
        features = super().features(hidden, inputs)  # (..., H + 5, N)
        features[..., -5:-1, :] *= self.reach
        return features


# ---- a critic in place of the controller ----
def look_ahead(diary, config, seed):
    """Let the critics of the solved nets drive; returns {weight: {what: number}}.

    The push minimises sum_k w_k V_k at the state that the known motion leads to; w is 1 for the
    pole's two kinds and WEIGHTS for the cart's. All weights begin at the same starts.
    """
    solved = np.flatnonzero(diary.solved).repeat(config.starts)  # (n,)
    if not len(solved):
        return {name: dict.fromkeys(("survived", "position", "angle")) for name in WEIGHTS}
    team = diary.team.some(np.tile(solved, len(WEIGHTS)))  # (6 n,) nets
    weight = np.repeat(list(WEIGHTS.values()), len(solved))  # (6 n,)
    weights = np.stack([weight, weight, np.ones_like(weight), np.ones_like(weight)])  # (4, 6 n)
    poles = Poles(len(solved), WIDE)
    poles.reset(np.random.default_rng(seed))
    poles.state = np.tile(poles.state, len(WEIGHTS))  # (4, 6 n)
    alive = np.ones(len(weight), bool)  # (6 n,)
    size = np.zeros((2, len(weight)))  # (2, 6 n) sums of |position| and |angle| while alive
    for _ in range(config.look_steps):
        right, left = outlook(team, poles.state, True), outlook(team, poles.state, False)
        pain = poles.step((weights * (right - left)).sum(0) < 0)
        alive &= ~pain.any(0)
        poles.state[:, ~alive] = 0.0  # whoever failed waits there
        size += np.abs(poles.state[::2])
    alive, size = alive.reshape(len(WEIGHTS), -1), size.reshape(2, len(WEIGHTS), -1)
    return {name: drive(alive[k], size[:, k] / config.look_steps) for k, name in enumerate(WEIGHTS)}


def outlook(team, state, right):
    """Return what the critics predict (4, N) for the state after a push."""
    poles = Poles(state.shape[1], 0.0)
    poles.state = state
    poles.step(np.full(state.shape[1], right))
    return team.predict(team.inputs(poles.state))


def drive(alive, size):
    """Sum up the drives with a weight: alive (n,), and mean |position|, |angle| (2, n)."""
    if not alive.any():
        return {"survived": 0.0, "position": None, "angle": None}
    position, angle = size[:, alive].mean(1)  # m, rad
    return {"survived": alive.mean(), "position": position, "angle": np.degrees(angle)}


# ---- the study ----
@np.errstate(all="ignore")  # a net may diverge: it then fails until its steps are used up
def run(config, seed, progress):
    """Train the nets of all rows, then let critics drive."""
    train_seed, look_seed = np.random.SeedSequence(seed).spawn(2)
    paper = pole_balance_markov_vac.Config(
        nets=config.nets,
        trial_steps=config.trial_steps,
        max_steps=config.max_steps,
        max_failures=config.max_failures,
    )
    rates = paper.rate_actor, paper.rate_critic
    rows = {
        "four": Rival((0, 1, 2, 3), *rates),
        "two": Rival((0, 0, 2, 2), *rates),
        "no_trace": Rival((0, 1, 2, 3), *rates, traced=False),
        "no_direct": Rival((0, 1, 2, 3), *rates, direct=False),
        "anderson": Rival((0, 1, 2, 3), *rates, anderson=True),
    }
    diary = train(paper, train_seed, list(rows.values()), progress, Rivals)
    parts = {}
    for k, name in enumerate(rows):
        parts[name] = part(diary, slice(k * config.nets, (k + 1) * config.nets))
    table = {name: measure(nets) | {"solved": nets.solved.mean()} for name, nets in parts.items()}
    return table | {"look": look_ahead(parts["four"], config, look_seed)}


if __name__ == "__main__":
    pole_balance_markov_vac.main(sys.modules[__name__])
