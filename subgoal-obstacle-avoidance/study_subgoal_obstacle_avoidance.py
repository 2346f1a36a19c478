# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What surrounds the sub-goals: other evaluators, other numbers of sub-goals, a recurrent S.

1. Evaluator. S learns through the learned E, or through its closed form for straight legs; and no S
   at all: each test arena is searched by gradient steps through E, from eight starts.
2. Numbers. One, two or three sub-goals; one list or four; six discs for nets trained on four; and
   the best constant detour by way of two points, for no arena in particular.
3. Architecture 2. A recurrent S gives sub-goals one by one, as many as E finds best.

All learn from fewer arenas than in the experiment, and meet the same test arenas.

    python3 study_subgoal_obstacle_avoidance.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import subgoal_obstacle_avoidance
from subgoal_obstacle_avoidance import (
    SIDE,
    SUBGOALS,
    TEST,
    TINY,
    Adam,
    Arenas,
    Generator,
    Legs,
    Net,
    choose,
    learn_to_place,
    learn_world,
    test,
)
import numpy as np


@dataclass(frozen=True)
class Config(subgoal_obstacle_avoidance.Config):
    updates_s: Annotated[int, "gradient steps of each S", (1, 10**6)] = 1000
    more_obstacles: Annotated[int, "discs in the harder arenas", (1, 12)] = 6
    search_starts: Annotated[int, "starts of the search", (1, 100)] = 8
    search_steps: Annotated[int, "gradient steps of the search", (1, 10_000)] = 60
    search_rate: Annotated[float, "step size of the search (Adam)", (1e-6, 10.0)] = 0.1


QUICK = subgoal_obstacle_avoidance.QUICK | {"updates_s": 8, "search_steps": 2}
MOST = 3  # sub-goals of the recurrent S


# ---- 1: the closed form, and the search ----
class KnownCost:
    """What E learns, if C walked straight: length, and depth in discs that are a bit larger."""

    def __init__(self, config):
        self.depth_cost, self.inflate = config.depth_cost, config.inflate

    def cost(self, legs, radii):
        """Return the cost of legs (..., K), and the trace."""
        beyond = legs.x - np.clip(legs.x, 0, legs.length[..., None])  # (..., K, M)
        gap = np.maximum(np.hypot(beyond, legs.y), TINY)
        depth = np.maximum(0, radii[..., None, :] + self.inflate - gap)
        cost = legs.length + self.depth_cost * depth.sum(-1)
        return cost, (legs, beyond, gap, depth)

    def slope(self, trace, d_cost):
        """Return the gradient of the points that the legs join."""
        legs, beyond, gap, depth = trace
        pull = -self.depth_cost * d_cost[..., None] * (depth > 0) / gap  # (..., K, M)
        dx = pull * beyond
        dlength = d_cost - (dx * (beyond > 0)).sum(-1)
        return legs.backward(dx, pull * legs.y, dlength)


def search(evaluator, arenas, config):
    """Return targets (B, 3, 2): of several starts, the sub-goals that end cheapest for E."""
    line = Legs(np.stack([arenas.start, arenas.goal], 1), arenas.centres)
    ahead = np.linspace(0, 1, SUBGOALS + 2)[1:-1, None, None] * line.length  # (K, B, 1)
    aside = np.linspace(-4, 4, config.search_starts)[:, None, None, None]  # (H, 1, 1, 1)
    placed = arenas.start + ahead * line.along[:, 0] + aside * line.across[:, 0]  # (H, K, B, 2)
    placed = np.clip(placed, 0, SIDE).transpose(2, 0, 1, 3).astype(np.float32)  # (B, H, K, 2)
    ends = np.stack([arenas.start, arenas.goal], 1)[:, None].repeat(config.search_starts, 1)
    adam = Adam([placed], config.search_rate, config.search_steps)
    for _ in range(config.search_steps + 1):
        paths = np.concatenate([ends[:, :, :1], placed, ends[:, :, 1:]], 2)  # (B, H, K + 2, 2)
        legs = Legs(paths, arenas.centres[:, None])
        cost, trace = evaluator.cost(legs, arenas.radii[:, None])
        if adam.t < config.search_steps:
            adam.step([evaluator.slope(trace, np.ones_like(cost))[:, :, 1:-1]])
            np.clip(placed, 0, SIDE, out=placed)
    best = cost.sum(2).argmin(1)  # (B,)
    return paths[np.arange(len(paths)), best, 1:]


# ---- 2: a blind rival with two sub-goals ----
def pair(share, aside, arenas):
    """Return targets (B, 3, 2): two points beside the straight line, and the goal."""
    line = arenas.goal - arenas.start  # (B, 2)
    across = np.stack([-line[:, 1], line[:, 0]], 1)
    across *= aside / np.linalg.norm(across, axis=1, keepdims=True)
    placed = [arenas.start + share * line + across, arenas.goal - share * line + across]
    return np.stack([*np.clip(placed, 0, SIDE), arenas.goal], 1)


def fit_pair(arenas):
    """Return the share of the line and the distance from it that clear most arenas."""
    cleared = {}
    for share in np.float32([0.05, 0.1, 0.2, 0.3, 0.4]):
        for aside in np.linspace(-5, 5, 41, dtype=np.float32):
            targets = pair(share, aside, arenas)
            paths = np.concatenate([arenas.start[:, None], targets], 1)  # (B, 4, 2)
            gap = Legs(paths, arenas.centres).gap()  # (B, 3, M)
            cleared[share, aside] = (gap >= arenas.radii[:, None]).all((1, 2)).sum()
    return max(cleared, key=cleared.get)


# ---- 3: the recurrent generator ----
class Chain(Generator):
    """Gives one sub-goal after the other; each depends on a hidden state and the one before."""

    def __init__(self, rng, config):
        units = config.hidden_s
        super().__init__(rng, replace(config, candidates=1), 1)
        self.cell = Net(rng, (64 + 5 + 2 + units, units), linear=False)
        self.readout = Net(rng, (units, 2))
        self.weights = [*self.encoder.weights, *self.cell.weights, *self.readout.weights]

    def emit(self, arenas):
        """Return the points start, s(1), ..., s(MOST), (B, MOST + 1, 2), and the trace."""
        line, items, rest = self.view(arenas)
        B, M, _ = items.shape
        code, below = self.encoder.forward(items.reshape(-1, 3))  # (B M, 64)
        seen = np.concatenate([code.reshape(B, M, -1).sum(1), rest], 1)  # (B, 69)
        axes = line.length[:, :, None] * np.concatenate([line.along, line.across], 1)  # (B, 2, 2)
        hidden = np.zeros((B, self.readout.weights[0].shape[0]), rest.dtype)
        place = np.zeros((B, 2), rest.dtype)  # in the frame of the straight line, in its lengths
        points, trace = [arenas.start], []
        for _ in range(MOST):
            hidden, cell = self.cell.forward(np.concatenate([seen, place, hidden], 1))
            out, read = self.readout.forward(hidden)
            place = place + out + np.array([1 / (MOST + 1), 0], out.dtype)
            free = arenas.start + (place[:, None] @ axes)[:, 0]  # (B, 2)
            bent = np.tanh((2 * free - SIDE) / SIDE)
            points.append(SIDE / 2 * (1 + bent))
            trace.append((cell, read, bent))
        return np.stack(points, 1), (axes, M, below, trace)

    def gradients(self, trace, d_points):
        """Return the gradients of the weights, back-propagated through all sub-goals."""
        axes, M, below, steps = trace
        total = [np.zeros_like(w) for w in self.weights[len(self.encoder.weights) :]]
        d_place, d_hidden, d_code = 0.0, 0.0, 0.0
        for k in reversed(range(MOST)):
            cell, read, bent = steps[k]
            d_free = d_points[:, k + 1] * (1 - bent**2)  # (B, 2)
            d_place = d_place + (d_free[:, None] @ axes.swapaxes(1, 2))[:, 0]
            d_read, readout = self.readout.backward(read, d_place)
            d_seen, grads = self.cell.backward(cell, d_read + d_hidden)
            d_code = d_code + d_seen[:, :64]
            d_place = d_place + d_seen[:, 69:71]
            d_hidden = d_seen[:, 71:]
            total = [t + g for t, g in zip(total, [*grads, *readout])]
        encoder = self.encoder.backward(below, np.repeat(d_code, M, 0))[1]
        return [*encoder, *total]


def price(evaluator, points, arenas):
    """Return the costs (B, MOST) of going to the goal after 1, 2, ... sub-goals, and the trace."""
    goal = np.broadcast_to(arenas.goal[:, None], points[:, 1:].shape)  # (B, MOST, 2)
    onward = np.stack([points[:, :-1], points[:, 1:]], 2)  # (B, MOST, 2, 2)
    home = np.stack([points[:, 1:], goal], 2)
    legs = Legs(np.concatenate([onward, home], 1), arenas.centres[:, None])
    cost, trace = evaluator.cost(legs, arenas.radii[:, None])  # (B, 2 MOST, 1)
    return cost[:, :MOST, 0].cumsum(1) + cost[:, MOST:, 0], trace


def unprice(evaluator, trace, d_cost):
    """Return the gradient of the points (B, MOST + 1, 2), given that of the costs of price()."""
    onward = d_cost[:, ::-1].cumsum(1)[:, ::-1]  # a leg serves all paths that are longer
    d = evaluator.slope(trace, np.concatenate([onward, d_cost], 1)[:, :, None])
    d_points = np.zeros((len(d), MOST + 1, 2), d.dtype)
    d_points[:, :-1] += d[:, :MOST, 0]
    d_points[:, 1:] += d[:, :MOST, 1] + d[:, MOST:, 0]
    return d_points


def learn_to_chain(chain, evaluator, config, rng, progress):
    """Let the recurrent S learn: the cheapest number of sub-goals counts fully, others a tenth."""
    adam = Adam(chain.weights, config.rate_s, config.updates_s)
    arenas = Arenas(config.batch_s, config.obstacles)
    for update in range(config.updates_s):
        arenas.reset(rng)
        points, trace = chain.emit(arenas)
        cost, seen = price(evaluator, points, arenas)
        share = np.where(cost == cost.min(1, keepdims=True), 1, 0.1) / len(cost)
        adam.step(chain.gradients(trace, unprice(evaluator, seen, share.astype(cost.dtype))))
        if update % 50 == 0:
            progress(update / config.updates_s, f"cost {cost.min(1).mean():.2f}")


def chain_targets(chain, evaluator, arenas):
    """Return targets (B, MOST + 1, 2), the goal in place of those not needed, and counts (B,)."""
    points = chain.emit(arenas)[0]
    count = price(evaluator, points, arenas)[0].argmin(1) + 1  # (B,)
    targets = np.concatenate([points[:, 1:], arenas.goal[:, None]], 1)
    spare = np.arange(MOST + 1) >= count[:, None]  # (B, MOST + 1)
    return np.where(spare[:, :, None], arenas.goal[:, None], targets), count


# ---- the study ----
def outcome(executer, arenas, targets):
    """Return the share of successes, and how much longer than straight their paths are."""
    success, walked = test(executer, arenas, targets)
    ratio = walked / np.linalg.norm(arenas.goal - arenas.start, axis=1)
    path = ratio[success].mean() if success.any() else None
    return {"success": success.mean(), "path": path}


def run(config, seed, progress):
    """Train one C and E, then an S for each row."""
    streams = np.random.SeedSequence(seed).spawn(12)
    walking, walked, costing, testing, harder, fitting, chaining, *placing = map(
        np.random.default_rng, streams
    )
    executer, evaluator, _ = learn_world(
        config, walked, costing, walking, lambda f, text: progress(f / 10, text)
    )
    arenas = Arenas(TEST, config.obstacles).reset(testing)
    crowded = Arenas(TEST, config.more_obstacles).reset(harder)
    known = KnownCost(config)
    single = replace(config, candidates=1)
    rows = {  # the evaluator, the settings, the number of sub-goals
        "learned": (evaluator, config, SUBGOALS),
        "analytic": (known, config, SUBGOALS),
        "one_subgoal": (evaluator, config, 1),
        "three_subgoals": (evaluator, config, 3),
        "one_list": (evaluator, single, SUBGOALS),
    }
    table = {}
    for k, (name, (judge, settings, subgoals)) in enumerate(rows.items()):
        generator = Generator(placing[k], settings, subgoals)

        def note(share, text, k=k, name=name):
            progress(0.1 + 0.15 * (k + share), f"{name}: {text}")

        learn_to_place(generator, judge, settings, placing[k], note)
        table[name] = outcome(executer, arenas, choose(generator, judge, arenas))
        if name == "learned":
            targets = choose(generator, judge, crowded)
            table["more_obstacles"] = outcome(executer, crowded, targets)
    fit = Arenas(config.arenas_fit, config.obstacles).reset(fitting)
    table["blind_pair"] = outcome(executer, arenas, pair(*fit_pair(fit), arenas))
    table["search"] = outcome(executer, arenas, search(evaluator, arenas, config))
    chain = Chain(chaining, config)
    learn_to_chain(
        chain, evaluator, config, chaining, lambda f, text: progress(0.85 + 0.1 * f, text)
    )
    targets, count = chain_targets(chain, evaluator, arenas)
    table["recurrent"] = outcome(executer, arenas, targets) | {"subgoals": count.mean()}
    return table


if __name__ == "__main__":
    subgoal_obstacle_avoidance.main(sys.modules[__name__])
