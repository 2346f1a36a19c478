# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Where curiosity's advantage shrinks, where it moves on, and what a clipped reward would measure.

The rows are: the same race in other worlds (C knows nothing at the start, a larger square, a slower
M); error-seeking agents with hopeful starts; two learnable corners of which one opens late; M, C
and Q as back-prop nets, as in the paper; and a bandit of three arms on which reward that is clipped
at zero gives the same picture whether anything is learned or not.

    python3 study_curiosity_three_regions.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import curiosity_three_regions
from curiosity_three_regions import BLOCK, MOVES, POLICIES, Planner, QLearning, RandomWalk, World
from curiosity_three_regions import WorldModel, begin, error_left, explore, measure, ratio, roam
from curiosity_three_regions import steps_until
import numpy as np


@dataclass(frozen=True)
class Config:
    agents: Annotated[int, "agents of each kind, side by side", (1, 10_000)] = 20
    steps: Annotated[int, "steps of each agent", (100, 1_000_000)] = 12_000
    opening: Annotated[int, "step from which the late corner can be learned", (1, 10**6)] = 1500
    bins: Annotated[int, "points of the curves of the two corners", (2, 1000)] = 60
    hidden_size: Annotated[int, "hidden units of each net", (1, 1000)] = 150
    rate_net: Annotated[float, "learning rate of the net M", (1e-6, 1.0)] = 0.0008
    rate_q_net: Annotated[float, "learning rate of the net Q", (1e-6, 1.0)] = 0.003
    pulls: Annotated[int, "pulls of the bandit's arms", (300, 10**6)] = 5000

    def __post_init__(self):
        if self.opening >= self.steps:
            raise ValueError("argument --opening: it has to be below --steps")


QUICK = {"agents": 4, "steps": 300, "opening": 100, "bins": 10, "pulls": 300}


# ---- the same race in other worlds ----
RACERS = ("random_walk", "teleport", "count_based", "q_learning", "planning")


def race(config, seed, side):
    """Run the racers; returns their median steps, and the lead of the curious over the walk."""
    steps = {}
    for name, policy_seed in zip(RACERS, seed.spawn(len(RACERS))):
        places, left, world = explore(config, POLICIES[name], policy_seed, side)
        steps[name] = measure(places, left, world)["steps"]
    leads = {
        "planning_speedup": ratio(steps["random_walk"], steps["planning"]),
        "q_speedup": ratio(steps["random_walk"], steps["q_learning"]),
    }
    return steps | leads


# ---- interest moves on: a second corner opens late ----
class TwoCorners(World):
    """The rooms with a second learnable block, in the corner above the first one."""

    def __init__(self, side=curiosity_three_regions.SIDE):
        super().__init__(side)
        row, column = np.divmod(np.arange(side**2), side)  # (S,) each
        self.first = self.learnable  # (S,)
        self.late = (row < BLOCK) & (column >= side - BLOCK)  # (S,)
        self.learnable = self.first | self.late
        self.random = self.random & ~self.late


class LateModel(WorldModel):
    """M cannot learn in the late corner until it opens; C watches it from the start."""

    def __init__(self, world, config):
        super().__init__(world, config)
        self.late = world.late  # (S,)
        self.closed = True

    def learn(self, place, answer):
        here = self.agents, place
        before = self.prediction[here]  # (A,)
        reward = super().learn(place, answer)
        if self.closed:
            self.prediction[here] = np.where(self.late[place], before, self.prediction[here])
        return reward


def two_corners(config, controller_kind, seed, opening, bins):
    """Follow the agents' time in the two corners; returns shares by phase and curves."""
    policy = (TwoCorners, LateModel, controller_kind)
    world, model, controller = begin(config, policy, seed)
    inside = np.zeros((2, config.steps, config.agents), bool)  # (2, T, A) in the first, the late
    left = np.zeros(inside.shape)  # (2, T, A) relative errors of M there
    blocks = world.first, world.late
    for t, arrived in enumerate(roam(world, model, controller, config.steps)):
        model.closed = t + 1 < opening
        for k, block in enumerate(blocks):
            inside[k, t] = block[arrived]
            left[k, t] = ((world.truth - model.prediction)[:, block] ** 2).mean(1)
    return phases(inside, left, opening) | {
        "first_curve": binned(inside[0], bins),
        "late_curve": binned(inside[1], bins),
    }


def phases(inside, left, opening):
    """Sum up shares of time (2, T, A) before and after each corner is learned, left (2, T, A)."""
    clock = np.ones(inside.shape[1:]).cumsum(0)  # (T, A) steps so far
    first, late = steps_until(left[0]), steps_until(left[1])  # (A,) each
    wait = float(np.median(late)) - opening
    spans = {
        "first_while_learned": (0, clock <= first),
        "first_afterwards": (0, (clock > first + 100) & (clock <= opening)),
        "late_before_opening": (1, clock <= opening),
        "late_while_learned": (1, (clock > opening) & (clock <= late)),
        "late_afterwards": (1, clock > late + 100),
    }
    shares = {name: inside[k][span] for name, (k, span) in spans.items()}
    table = {name: part.mean() if len(part) else None for name, part in shares.items()}
    return table | {"wait": wait if np.isfinite(wait) else None}


def binned(inside, bins):
    """Average (T, A) truths over the agents and over equal stretches of time: bins numbers."""
    edges = np.linspace(0, len(inside), bins + 1).astype(np.intp)  # (bins + 1,)
    return [float(inside[low:high].mean()) for low, high in zip(edges, edges[1:])]


# ---- M, C and Q as back-prop nets on one-hot rooms, as the paper had them ----
class Net:
    """A nets side by side: a one-hot room, H tanh units, O linear outputs."""

    def __init__(self, rng, agents, rooms, hidden, outputs):
        self.agents = np.arange(agents)  # (A,)
        self.w1 = rng.normal(0.0, 1.0, (agents, rooms, hidden))  # (A, S, H)
        self.w2 = rng.normal(0.0, 0.01, (agents, hidden, outputs))  # (A, H, O)
        self.b2 = np.zeros((agents, outputs))  # (A, O)

    def forward(self, place):
        """Answer for a room of each net: (A,) -> outputs (A, O)."""
        self.place = place
        self.h = np.tanh(self.w1[self.agents, place])  # (A, H)
        return np.einsum("ah,aho->ao", self.h, self.w2) + self.b2

    def backward(self, dy):
        """Return the derivatives by the rooms' rows of w1, by w2 and b2, for dy (A, O)."""
        dw2 = self.h[:, :, None] * dy[:, None]  # (A, H, O)
        dh = np.einsum("aho,ao->ah", self.w2, dy)  # (A, H)
        dz = dh * (1 - self.h**2)  # (A, H)
        return dz, dw2, dy

    def descend(self, dy, rate):
        """Take one step of gradient descent."""
        dz, dw2, db2 = self.backward(dy)
        self.w1[self.agents, self.place] -= rate * dz
        self.w2 -= rate * dw2
        self.b2 -= rate * db2

    def all_rooms(self):
        """Answer for every room: (A, S, O)."""
        return np.tanh(self.w1) @ self.w2 + self.b2[:, None]


class NetModel:
    """M and C as nets; the reward is the decline of C's output, as with tables."""

    def __init__(self, world, config, rng, hidden, rate):
        rooms = len(world.known)
        self.m = Net(rng, config.agents, rooms, hidden, 1)
        self.c = Net(rng, config.agents, rooms, hidden, 1)
        self.rate_m = rate
        self.rate_c = rate * config.rate_c / config.rate_m  # the tables' proportion
        for _ in range(LESSONS if config.known else 0):  # what is known before the start
            place = rng.integers(rooms, size=config.agents)  # (A,)
            expected = np.where(world.known[place], 0.0, config.prior_error)  # (A,)
            self.c.descend(self.c.forward(place) - expected[:, None], self.rate_c)

    @property
    def prediction(self):
        """What M predicts of each room: (A, S)."""
        return self.m.all_rooms()[:, :, 0]

    def learn(self, place, answer):
        miss = self.m.forward(place)[:, 0] - answer  # (A,)
        self.m.descend(miss[:, None], self.rate_m)
        before = self.c.forward(place)[:, 0]  # (A,)
        self.c.descend((before - miss**2)[:, None], self.rate_c)
        return before - self.c.forward(place)[:, 0]


class NetQLearning(RandomWalk):
    """One-step Q-learning whose table is a net: a room goes in, four values come out."""

    def __init__(self, world, config, rng, hidden, rate):
        super().__init__(world, config, rng)
        self.q = Net(rng, config.agents, len(world.known), hidden, len(MOVES))
        self.q.b2[:] = config.start_q
        self.rate = rate

    def act(self, place):
        return self.best_or_random(self.q.forward(place))

    def learn(self, place, action, arrived, reward):
        follows = self.q.forward(arrived).max(1)  # (A,)
        value = self.q.forward(place)  # (A, 4)
        aim = reward + self.config.gamma * follows  # (A,)
        dy = np.zeros_like(value)  # (A, 4)
        dy[self.agents, action] = value[self.agents, action] - aim
        self.q.descend(dy, self.rate)


LESSONS = 5000  # that C gets before the start
EVERY = 10  # steps between two looks at M, which cost more than a step
HALF, FIFTH = 0.5, 0.2  # of the error at the start: nets that share weights stay above a twentieth
NET_RACERS = {"walk": RandomWalk, "q_table": QLearning, "planning": Planner, "q_net": NetQLearning}


def race_of_nets(config, study, seed):
    """Race controllers whose M and C are nets: median steps to half and a fifth of the error."""
    table = {}
    for (name, kind), racer_seed in zip(NET_RACERS.items(), seed.spawn(len(NET_RACERS))):
        world_seed, model_seed, move_seed = racer_seed.spawn(3)
        world = World()
        world.reset(np.random.default_rng(world_seed), config.agents)
        model_rng, move_rng = np.random.default_rng(model_seed), np.random.default_rng(move_seed)
        model = NetModel(world, config, model_rng, study.hidden_size, study.rate_net)
        sizes = (study.hidden_size, study.rate_q_net) if kind is NetQLearning else ()
        controller = kind(world, config, move_rng, *sizes)
        left = []
        for t, _ in enumerate(roam(world, model, controller, config.steps)):
            if t % EVERY == EVERY - 1:
                left.append(error_left(world, model))  # (A,)
        left = np.array(left)  # (T / EVERY, A)
        half, fifth = (float(np.median(steps_until(left, bar))) * EVERY for bar in (HALF, FIFTH))
        table[name] = {
            "half": half if np.isfinite(half) else None,
            "fifth": fifth if np.isfinite(fifth) else None,
            "final_error": float(np.median(left[-1])),
        }
    return table


# ---- a bandit of three arms: what reward measures that is clipped at zero ----
CONTEXTS = (4, 8, 128)  # of the arms A, B, C
PERIOD = np.array([1.0, 0.0, -1.0, 0.0])  # A's answers
NOISE = 0.5  # standard deviation of B's answers, drawn anew at each pull
SPREAD = 2.0  # standard deviation of C's answers, drawn once
UNIFORM = 200  # pulls of each arm at random before the choice begins
STRAY = 0.02  # share of random pulls afterwards


def bandit(agents, pulls, rng, clipped, teachable):
    """Pull the arm of the highest recent reward; returns the shares of A, B, C and C's error."""
    everyone = np.arange(agents)  # (A,)
    fixed = SPREAD * rng.standard_normal((agents, CONTEXTS[2]))  # (A, 128)
    m = np.zeros((agents, 3, CONTEXTS[2]))  # (A, 3, 128)
    c = np.full((agents, 3), SPREAD**2)  # (A, 3) running error of each arm, C's at the start
    interest = np.zeros((agents, 3))  # (A, 3) running reward of each arm
    pulled = np.zeros((agents, 3))  # (A, 3)
    rates = np.where(teachable, 0.05, [0.05, 0.05, 0.0])  # (3,) of M
    for t in range(pulls):
        stray = (rng.random(agents) < STRAY) | (t < UNIFORM)  # (A,)
        arm = np.where(stray, rng.integers(3, size=agents), interest.argmax(1))  # (A,)
        context = rng.integers(np.array(CONTEXTS)[arm])  # (A,)
        answers = PERIOD[context % 4], NOISE * rng.standard_normal(agents), fixed[everyone, context]
        answer = np.choose(arm, answers)  # (A,)
        miss = answer - m[everyone, arm, context]  # (A,)
        m[everyone, arm, context] += rates[arm] * miss
        decline = 0.05 * (c[everyone, arm] - miss**2)  # (A,) the reward, signed
        c[everyone, arm] -= decline
        reward = np.maximum(decline, 0.0) if clipped else decline  # (A,)
        interest[everyone, arm] += 0.05 * (reward - interest[everyone, arm])
        pulled[everyone, arm] += t >= UNIFORM
    shares = pulled.mean(0) / pulled.sum(1).mean()  # (3,)
    ordered = (pulled[:, 2] > pulled[:, 1]) & (pulled[:, 1] > pulled[:, 0])  # (A,)
    left = ((fixed - m[:, 2]) ** 2).mean() / (fixed**2).mean()
    return dict(zip("abc", shares.tolist())) | {"ordered": ordered.mean(), "c_left": left}


# ---- the study ----
def run(config, seed, progress):
    """Run all parts, each on a stream of its own."""
    base = curiosity_three_regions.Config(agents=config.agents, steps=config.steps)
    worlds = {  # row: settings, side of the square
        "unknown": (replace(base, known=False), curiosity_three_regions.SIDE),
        "large": (base, 14),
        "slow_model": (replace(base, rate_m=0.02), curiosity_three_regions.SIDE),
    }
    race_seed, eager_seed, corner_seed, net_seed, arm_seed = np.random.SeedSequence(seed).spawn(5)
    table = {}
    for (name, (settings, side)), row_seed in zip(worlds.items(), race_seed.spawn(len(worlds))):
        progress(len(table) / 10, name)
        table[name] = race(settings, row_seed, side)
    hopeful = replace(base, steps=min(config.steps, 6000), start_r=1.0)
    eager = measure(*explore(hopeful, POLICIES["error_seeking"], eager_seed))
    table["hopeful_error_seeking"] = {key: eager[key] for key in ("steps", "share_random")}
    progress(0.5, "two corners")
    short = replace(base, steps=min(config.steps, 6000))
    kinds = {"corners_planning": Planner, "corners_q": QLearning}
    for (name, kind), row_seed in zip(kinds.items(), corner_seed.spawn(len(kinds))):
        table[name] = two_corners(short, kind, row_seed, config.opening, config.bins)
    progress(0.7, "nets")
    table["nets"] = race_of_nets(short, config, net_seed)
    progress(0.9, "the bandit")
    arms = {"clipped": (True, True), "clipped_unteachable": (True, False)}
    arms |= {"signed": (False, True), "signed_unteachable": (False, False)}
    for (name, how), row_seed in zip(arms.items(), arm_seed.spawn(len(arms))):
        rng = np.random.default_rng(row_seed)
        table[f"bandit_{name}"] = bandit(config.agents, config.pulls, rng, *how)
    return table


if __name__ == "__main__":
    curiosity_three_regions.main(sys.modules[__name__])
