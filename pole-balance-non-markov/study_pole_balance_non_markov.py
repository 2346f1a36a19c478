# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around pole balancing without velocities: other models, another cost, other loops.

learned_first  dense cost (angle^2 + 0.3 place^2), M learned from 300 random trials, one cycle
perfect_first  the same with the exact equations of motion in place of M; the same random numbers
learned        dense cost, 300 random trials and 4 cycles of 50: 500 real trials
perfect        the same with the exact equations
no_refresh     learned, but M is trained once, on the random trials alone
no_warm_up     learned, but imagination starts with empty memories instead of ten recorded steps
linear         learned, but M is a least-squares fit of the last two positions and actions
dense_short    dense cost in the loop of the experiment: 200 random trials, 12 cycles of 25

The perfect model feels no pain, hence the dense cost.

    python3 study_pole_balance_non_markov.py --seed 0      # two minutes
    python3 study_pole_balance_non_markov.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import pole_balance_non_markov
from pole_balance_non_markov import CART, DT, FORCE, FRIENDLY, GRAVITY, HALF_LENGTH
from pole_balance_non_markov import LONGEST, POLE, SPREAD, TESTS, TILT, TRACK
from pole_balance_non_markov import CartPole, Learner, Player, accelerations, balance, play
import numpy as np


@dataclass(frozen=True)
class Config(pole_balance_non_markov.Config):
    nets: Annotated[tuple[int, ...], "in the first two rows, and in each other", (1, 50)] = (16, 2)
    cost: Annotated[str, "what C avoids: M's pain, or distance", ("pain", "dense")] = "dense"
    warm_up: Annotated[int, "recorded steps before imagination starts", (1, 20)] = 10
    rate_c: Annotated[float, "Adam's step for C", (0.0, 1.0)] = 0.01
    iterations: Annotated[tuple[int, ...], "updates: M at first, M, C", (0, 10**5)] = (
        800,
        250,
        250,
    )
    long: Annotated[tuple[int, ...], "random trials, cycles, trials in each", (1, 1000)] = (
        300,
        4,
        50,
    )
    updates_short: Annotated[tuple[int, ...], "iterations of row dense_short", (0, 10**5)] = (
        1000,
        200,
        120,
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("long", "updates_short"):
            if len(getattr(self, name)) != 3:
                raise ValueError(f"argument --{name.replace('_', '-')}: needs 3 numbers")


QUICK = pole_balance_non_markov.QUICK | {
    "nets": (2, 1),
    "iterations": (10, 5, 5),
    "long": (20, 2, 4),
    "updates_short": (10, 5, 5),
}
WIDE = np.array([1.0, 0.0, np.deg2rad(6), 0.0])  # starts up to 1 m and 6 degrees off, at rest


# ---- models in place of M ----
class PerfectModel:
    """The cart-pole itself, whose velocities follow from the last two recorded positions."""

    def begin(self, rows, steps):
        """Find the velocities at the end of recorded rows (P + 1, N, 3, B), P at least 1."""
        x, angle, action = rows[-2].swapaxes(0, 1)  # (N, B) each
        speed = (rows[-1, :, 0] - x) * TRACK / DT
        omega = (rows[-1, :, 1] - angle) * float(TILT) / DT
        push, turn = accelerations(angle * float(TILT), omega, action)
        self.velocity = speed + DT * push, omega + DT * turn
        self.d_velocity = 0.0, 0.0
        self.tape = {}

    def predict(self, t, seen, action):
        """Return the next positions (N, 2, B), and no pain."""
        units = np.array([[TRACK], [TILT]], seen.dtype)  # (2, 1)
        speed, omega = self.velocity
        self.tape[t] = seen[:, 1] * units[1], omega, action[:, 0]
        push, turn = accelerations(*self.tape[t])
        self.velocity = speed + DT * push, omega + DT * turn
        moved = np.stack([speed, omega], axis=1) * DT / units
        return seen + moved, np.zeros_like(speed)

    def slopes(self, angle, omega, action):
        """Return the derivatives of both accelerations by angle, omega and action, (3, N, B)."""
        sin, cos, ratio = np.sin(angle), np.cos(angle), POLE / (CART + POLE)
        a = ratio * HALF_LENGTH
        force = FORCE / (CART + POLE)
        push = force * action + a * omega * omega * sin
        d_push = np.stack([a * omega * omega * cos, 2 * a * omega * sin, force + 0 * sin])
        inertia = HALF_LENGTH * (4 / 3 - ratio * cos * cos)
        turn = (GRAVITY * sin - cos * push) / inertia
        d_torque = -cos * d_push  # (3, N, B)
        d_torque[0] += GRAVITY * cos + sin * push - turn * 2 * a * cos * sin
        d_turn = d_torque / inertia
        d_cart = d_push - a * cos * d_turn
        d_cart[0] += a * turn * sin
        return d_cart, d_turn

    def pull(self, t, d_next, d_logit):
        """Return dE/d(positions) (N, 2, B) and dE/d(action) (N, 1, B) of step t."""
        units = np.array([[TRACK], [TILT]], d_next.dtype)  # (2, 1)
        d_speed, d_omega = self.d_velocity
        d_cart, d_turn = self.slopes(*self.tape[t])
        d_angle, d_turning, d_action = DT * (d_speed * d_cart + d_omega * d_turn)
        moved = DT * d_next / units  # (N, 2, B)
        self.d_velocity = d_speed + moved[:, 0], d_omega + moved[:, 1] + d_turning
        d_seen = d_next + np.stack([0 * d_angle, d_angle * units[1]], axis=1)
        return d_seen, d_action[:, None]


class LinearModel:
    """Changes of position as A [positions; their last change; action; the one before; 1]."""

    def __init__(self, A):
        self.A = A  # (N, 2, 7)

    def begin(self, rows, steps):
        """Remember the last but one of the recorded rows (P + 1, N, 3, B), P at least 1."""
        self.before, self.action = rows[-2, :, :2], rows[-2, :, 2:]
        self.d_seen, self.d_action = 0.0, 0.0  # what later steps owe to this one

    def predict(self, t, seen, action):
        """Return the next positions (N, 2, B), and no pain."""
        parts = [seen, seen - self.before, action, self.action, np.ones_like(action)]
        self.before, self.action = seen, action
        return seen + self.A @ np.concatenate(parts, axis=1), np.zeros_like(action[:, 0])

    def pull(self, t, d_next, d_logit):
        """Return dE/d(positions) (N, 2, B) and dE/d(action) (N, 1, B) of step t."""
        d = self.A.swapaxes(1, 2) @ d_next  # (N, 7, B)
        d_seen = d_next + d[:, :2] + d[:, 2:4] + self.d_seen
        d_action = d[:, 4:5] + self.d_action
        self.d_seen, self.d_action = -d[:, 2:4], d[:, 5:6]
        return d_seen, d_action


def fit(records):
    """Return the least-squares A (2, 7) of a net's trials."""
    rows, inside = records.rows, np.ones(len(records.rows), bool)
    for offset in (-1, 0):  # a trial's last row has no next one, and its first no last change
        inside[(records.first + offset) % len(rows)] = False
    now = np.flatnonzero(inside)
    seen, change = rows[now, :2], rows[now, :2] - rows[now - 1, :2]
    parts = [seen, change, rows[now, 2:], rows[now - 1, 2:], np.ones((len(now), 1))]
    target = rows[now + 1, :2] - seen  # (samples, 2)
    return np.linalg.lstsq(np.concatenate(parts, axis=1), target, rcond=None)[0].T


class PerfectLearner(Learner):
    """C learns in the cart-pole's own equations."""

    def learn_model(self, cycle):
        """Learn nothing: there is nothing to learn."""

    def model(self):
        """Return what C dreams with."""
        return PerfectModel()


class LinearLearner(Learner):
    """C learns in a linear model, fitted anew in each cycle."""

    def model(self):
        """Return what C dreams with."""
        return LinearModel(np.array([fit(r) for r in self.records], np.float32))

    def learn_model(self, cycle):
        """Learn nothing here: model() solves for all weights at once."""


# ---- the rows ----
def rows_of(config):
    """Return what is trained: {row: (learner, number of nets, settings)}."""
    many, few = config.nets
    random_trials, cycles, trials = config.long
    long = replace(config, random_trials=random_trials, cycles=cycles, cycle_trials=trials)
    first = replace(long, cycles=1)
    once = replace(long, iterations=(config.iterations[0], 0, config.iterations[2]))
    return {
        "learned_first": (Learner, many, first),
        "perfect_first": (PerfectLearner, many, first),
        "learned": (Learner, few, long),
        "perfect": (PerfectLearner, few, long),
        "no_refresh": (Learner, few, once),
        "no_warm_up": (Learner, few, replace(long, warm_up=0)),
        "linear": (LinearLearner, few, long),
        "dense_short": (Learner, few, replace(config, iterations=config.updates_short)),
    }


class WidePole(CartPole):
    """Cart-poles that start far off, at rest."""

    def reset(self, rng):
        """Draw the states (4, ...)."""
        super().reset(rng)
        self.state *= (WIDE / self.spread).astype(np.float32)[:, None, None]
        return self.seen()


def wide_steps(learner, rng):
    """Return the median steps of the kept controllers from wide starts."""
    poles = WidePole((learner.nets, TESTS), SPREAD)
    return np.median(play(poles, rng, Player(learner.net_c, learner.kept, TESTS))[0])


def row_metrics(learner, test, friends):
    """Test a trained row; return its metrics and each net's median steps (N,)."""
    net, theta = learner.net_c, learner.kept
    steps = balance(net, theta, test, SPREAD)  # (N, TESTS)
    median = np.median(steps, axis=1)  # (N,)
    metrics = {"test_steps": np.median(median)}
    if learner.config.cycles > 1:
        friendly = balance(net, theta, friends, FRIENDLY)
        metrics |= {
            "share_1000": (learner.trials > 1000).any(1).mean(),
            "share_3000_friendly": (friendly > 3000).any(1).mean(),
            "share_10000": (steps >= LONGEST).mean(),
        }
    return metrics, median


def run(config, seed, progress):
    """Train one row after the other, all from the same random numbers, and test them alike."""
    rows, table, medians = rows_of(config), {}, {}
    seeds = np.random.SeedSequence(seed).spawn(9)
    for k, (name, (kind, nets, settings)) in enumerate(rows.items()):

        def note(share, text, k=k, name=name):
            progress((k + share) / len(rows), f"{name}: {text}")

        *streams, test, friends, wide = map(np.random.default_rng, seeds)
        learner = kind(settings, [1] * nets, streams)
        learner.learn(note)
        table[name], medians[name] = row_metrics(learner, test, friends)
        if name == "learned":
            table[name]["wide_steps"] = wide_steps(learner, wide)
    logs = {name: np.log10(median) for name, median in medians.items()}  # (N,) each
    return table | {
        "perfect_lead": (logs["perfect_first"] - logs["learned_first"]).mean(),
        "perfect_lead_at_end": (logs["perfect"] - logs["learned"]).mean(),
    }


if __name__ == "__main__":
    pole_balance_non_markov.main(sys.modules[__name__])
