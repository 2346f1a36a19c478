# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Sub-goals around obstacles: a net learns where to turn from the gradient of predicted costs.

J. Schmidhuber, "Learning to generate sub-goals for action sequences", ICANN-91, pp. 967-972, and
with R. Wahnsiedler, "Planning simple trajectories using neural subgoal generators", SAB'92.
A program executer C walks straight to a target. An evaluator E learns what its walks cost. A
generator S places sub-goals, and learns from dE/d(sub-goal), back-propagated through E's inputs.
Claims: S avoids obstacles that it was shown; with a known cost of swamps, a recurrent S needs 20
iterations to get around one of them, and a static S 22 to get around several.

    python3 subgoal_obstacle_avoidance.py --seed 0
    python3 subgoal_obstacle_avoidance.py --quick      # proves that the code runs
"""

import copy
import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    obstacles: Annotated[int, "discs in an arena", (1, 12)] = 4
    arenas_fit: Annotated[int, "arenas that the blind detours are fitted to", (10, 10**6)] = 10_000
    legs: Annotated[int, "walks of C that E learns from", (100, 10**6)] = 100_000
    updates_e: Annotated[int, "gradient steps of E", (1, 10**6)] = 4000
    batch_e: Annotated[int, "legs in a step of E", (1, 10**5)] = 512
    rate_e: Annotated[float, "step size of E (Adam)", (1e-6, 1.0)] = 4e-3
    updates_s: Annotated[int, "gradient steps of S", (1, 10**6)] = 2000
    batch_s: Annotated[int, "fresh arenas in a step of S", (1, 10**5)] = 256
    rate_s: Annotated[float, "step size of S (Adam)", (1e-6, 1.0)] = 2e-3
    hidden_s: Annotated[int, "units in each hidden layer of S", (1, 1000)] = 96
    candidates: Annotated[int, "lists of sub-goals that S offers", (1, 32)] = 4
    depth_cost: Annotated[float, "cost of 1 unit of depth in a disc", (0.0, 1000.0)] = 10.0
    inflate: Annotated[float, "added to radii where a cost is measured", (0.0, 1.0)] = 0.3
    rate_one: Annotated[float, "step size with one swamp", (1e-6, 10.0)] = 0.03
    rate_several: Annotated[float, "step size with several swamps", (1e-6, 10.0)] = 0.02


QUICK = {"arenas_fit": 100, "legs": 1000, "updates_e": 60, "updates_s": 20, "batch_s": 32}
SIDE = 10.0  # of the square arena
STEP, REACHED, MAX_STEPS = 0.2, 0.3, 150  # longest step; a target counts as reached; steps at most
SUBGOALS, TEST = 2, 1000  # sub-goals that S emits; arenas of the test
TINY = 1e-6  # keeps divisors above 0


# ---- legs, and the world ----
class Legs:
    """Straight legs from each point to the next, and where the discs lie as seen from each leg.

    In the frame of a leg it runs from (0, 0) to (length, 0), and a disc has its centre at (x, y).
    points (..., K + 1, 2) and centres (..., M, 2) give x and y (..., K, M) and length (..., K).
    """

    def __init__(self, points, centres):
        start = points[..., :-1, :]  # (..., K, 2)
        leg = points[..., 1:, :] - start  # (..., K, 2)
        self.length = np.maximum(np.hypot(leg[..., 0], leg[..., 1]), TINY)
        self.along = leg / self.length[..., None]  # (..., K, 2) unit vectors
        self.along[self.length <= TINY] = 1, 0  # a leg that leads nowhere has a frame, too
        self.across = np.stack([-self.along[..., 1], self.along[..., 0]], -1)  # (..., K, 2)
        offset = centres[..., None, :, :] - start[..., None, :]  # (..., K, M, 2)
        self.x = (offset @ self.along[..., None])[..., 0]
        self.y = (offset @ self.across[..., None])[..., 0]

    def gap(self):
        """Return the distance between each leg and each centre, (..., K, M)."""
        return np.hypot(self.x - np.clip(self.x, 0, self.length[..., None]), self.y)

    def backward(self, dx, dy, dlength):
        """Return the gradient of the points (..., K + 1, 2), given those of x, y and length."""
        turn = (dx * self.y - dy * self.x).sum(-1) / self.length  # (..., K) around the start
        d_end = dlength[..., None] * self.along + turn[..., None] * self.across  # (..., K, 2)
        shift_x = dx.sum(-1)[..., None] * self.along  # (..., K, 2)
        shift_y = dy.sum(-1)[..., None] * self.across
        ends = [(0, 0)] * (d_end.ndim - 2)
        d_start = -d_end - shift_x - shift_y
        return np.pad(d_end, [*ends, (1, 0), (0, 0)]) + np.pad(d_start, [*ends, (0, 1), (0, 0)])


class Arenas:
    """B arenas side by side, an agent in each: start and goal at least 5 apart, M discs between."""

    def __init__(self, count, obstacles):
        self.count, self.obstacles = count, obstacles

    def reset(self, rng):
        """Draw arenas until enough have no disc at start or goal and one across the line."""
        kept, missing = [], self.count
        while missing > 0:
            drawn = min(12 * missing + 100, 50_000)  # about an eighth of them is kept
            ends = rng.uniform(0.5, SIDE - 0.5, (drawn, 2, 2))  # start and goal
            centres = rng.uniform(0, SIDE, (drawn, self.obstacles, 2))
            radii = rng.uniform(0.6, 1.3, (drawn, self.obstacles))
            line = Legs(ends, centres)
            at_end = np.linalg.norm(ends[:, :, None] - centres[:, None], axis=3)  # (drawn, 2, M)
            fits = (line.length[:, 0] >= 5) & (at_end >= radii[:, None] + 0.4).all((1, 2))
            fits &= (line.gap()[:, 0] < radii).any(1)
            kept.append([part[fits][:missing] for part in (ends, centres, radii)])
            missing -= len(kept[-1][0])
        ends, self.centres, self.radii = (
            np.concatenate(parts).astype(np.float32) for parts in zip(*kept)
        )
        self.start, self.goal = ends[:, 0], ends[:, 1]  # (B, 2)
        return self.put(self.start)

    def put(self, position):
        """Put the agents (B, 2) somewhere, with nothing walked and nothing met."""
        self.position = position
        self.walked = np.zeros(len(position), np.float32)  # (B,)
        self.nearest = np.full(self.radii.shape, np.inf, np.float32)  # (B, M) to each centre
        return self

    def step(self, action):
        """Move each agent by its action (B, 2), at most STEP far, and look along the way."""
        size = np.linalg.norm(action, axis=1, keepdims=True)  # (B, 1)
        action = action * np.minimum(1, STEP / np.maximum(size, TINY))
        moved = self.position + action
        way = Legs(np.stack([self.position, moved], 1), self.centres)
        self.nearest = np.minimum(self.nearest, way.gap()[:, 0])
        self.walked = self.walked + np.minimum(size[:, 0], STEP)
        self.position = moved
        return moved

    def depth(self, inflate):
        """Return how deep each agent was in its discs, with larger radii, summed (B,)."""
        return np.maximum(0, self.radii + inflate - self.nearest).sum(1)


# ---- nets ----
class Net:
    """Layers of tanh units, the last of them linear if asked for; `nets` many side by side."""

    def __init__(self, rng, sizes, linear=True, nets=(), dtype=np.float32):
        self.linear = linear
        self.weights = []
        for inputs, units in zip(sizes, sizes[1:]):
            W = rng.standard_normal((*nets, inputs, units)) / np.sqrt(inputs)
            self.weights += [W.astype(dtype), np.zeros((*nets, 1, units), dtype)]

    def forward(self, x):
        """Return the outputs (..., rows, units) and the trace, what each layer saw and gave."""
        trace = [x]
        for k in range(0, len(self.weights), 2):
            x = x @ self.weights[k] + self.weights[k + 1]
            if not self.linear or k < len(self.weights) - 2:
                x = np.tanh(x)
            trace.append(x)
        return x, trace

    def backward(self, trace, d, learn=True):
        """Return the gradient of the inputs, and of all weights if the net is to learn."""
        grads = []
        for k in reversed(range(0, len(self.weights), 2)):
            if not self.linear or k < len(self.weights) - 2:
                d = d * (1 - trace[k // 2 + 1] ** 2)
            if learn:
                grads = [trace[k // 2].swapaxes(-1, -2) @ d, d.sum(-2, keepdims=True), *grads]
            d = d @ self.weights[k].swapaxes(-1, -2)
        return d, grads


class SetNet:
    """A net over a set: each item through one encoder, summed, joined to the rest, then a head."""

    def __init__(self, rng, items, width, rest, hidden, outputs):
        self.width = width
        self.encoder = Net(rng, (items, width, width), linear=False)
        self.head = Net(rng, (width + rest, *hidden, outputs))
        self.weights = [*self.encoder.weights, *self.head.weights]

    def forward(self, items, rest):
        """Return the outputs (R, O) for items (R, M, I) and the rest (R, J), and the traces."""
        shape = items.shape
        code, below = self.encoder.forward(items.reshape(-1, shape[2]))  # (R M, width)
        code = code.reshape(*shape[:2], -1).sum(1)  # (R, width)
        out, above = self.head.forward(np.concatenate([code, rest], 1))
        return out, (shape, below, above)

    def backward(self, traces, d, learn=True):
        """Return the gradients of items, rest and weights."""
        shape, below, above = traces
        d, head = self.head.backward(above, d, learn)
        d_code = np.repeat(d[:, : self.width], shape[1], 0)  # (R M, width)
        d_items, encoder = self.encoder.backward(below, d_code, learn)
        return d_items.reshape(shape), d[:, self.width :], [*encoder, *head]


class Adam:
    """Adam whose step size falls linearly to 0, on gradients of a norm of at most 5."""

    def __init__(self, weights, rate, updates):
        self.weights, self.rate, self.updates = weights, rate, updates
        self.mean = [np.zeros_like(w) for w in weights]
        self.square = [np.zeros_like(w) for w in weights]
        self.t = 0

    def step(self, grads):
        """Change the weights in place."""
        shrink = min(1.0, 5 / max(np.sqrt(sum(float((g * g).sum()) for g in grads)), TINY))
        rate = self.rate * (1 - self.t / self.updates)
        self.t += 1
        for w, m, v, g in zip(self.weights, self.mean, self.square, grads):
            m += 0.1 * (shrink * g - m)
            v += 0.001 * ((shrink * g) ** 2 - v)
            size = np.sqrt(v / (1 - 0.999**self.t)) + 1e-8
            w -= rate / (1 - 0.9**self.t) * m / size


# ---- C, the program executer ----
def learn_to_walk(rng):
    """Return C, a net from the vector to a target to the direction of a step."""
    executer = Net(rng, (2, 16, 2))
    turned = np.pi * (np.arange(16) + rng.uniform()) / 16  # units start evenly turned
    executer.weights[0][:] = 10 * np.stack([np.cos(turned), np.sin(turned)])
    executer.weights[2][:] = 0.1 * np.stack([np.cos(turned), np.sin(turned)], 1)
    adam = Adam(executer.weights, 0.003, 600)
    angle = rng.uniform(0, 2 * np.pi, 4000)
    direction = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)  # (4000, 2)
    vector = direction * rng.uniform(REACHED, 13, (4000, 1)).astype(np.float32)
    for _ in range(adam.updates):
        out, trace = executer.forward(vector / SIDE)
        adam.step(executer.backward(trace, (out - direction) / len(out))[1])
    return executer


def walk(executer, arenas, targets):
    """Let C visit the targets (B, T, 2) one after the other; return who got through them (B,)."""
    agent = np.arange(len(targets))
    turn = np.zeros(len(targets), np.intp)  # (B,) whose turn it is
    steps = 0
    for _ in range(MAX_STEPS):
        walking = turn < targets.shape[1]  # (B,)
        if not walking.any():
            break
        target = targets[agent, np.minimum(turn, targets.shape[1] - 1)]  # (B, 2)
        heading = executer.forward((target - arenas.position) / SIDE)[0]
        position = arenas.step(STEP * heading * walking[:, None])
        turn += walking & (np.linalg.norm(target - position, axis=1) <= REACHED)
        steps += walking.sum()
    return turn == targets.shape[1], int(steps)


# ---- E, the evaluator ----
class Evaluator(SetNet):
    """Predicts what C's walk along a leg costs, softplus(z), from the discs in the leg's frame."""

    def __init__(self, rng):
        super().__init__(rng, 4, 32, 1, (64,), 1)

    def cost(self, legs, radii):
        """Return the predicted cost of legs (..., K), and the trace."""
        length = np.broadcast_to(legs.length[..., None], legs.x.shape)
        size = np.broadcast_to(radii[..., None, :], legs.x.shape)
        items = np.stack([legs.x / 4, legs.y / 4, length / 4, size], -1)  # (..., K, M, 4)
        items = items.reshape(-1, *items.shape[-2:])  # (R, M, 4)
        z, traces = self.forward(items, legs.length.reshape(-1, 1) / 4)  # (R, 1)
        cost = SIDE * np.logaddexp(0, z)
        return cost.reshape(legs.length.shape), (legs, z, traces)

    def backward_cost(self, trace, d_cost, learn):
        """Return the gradients of the legs' x, y and length, and those of the weights."""
        legs, z, traces = trace
        dz = SIDE * d_cost.reshape(-1, 1) / (1 + np.exp(-z))
        d_items, d_rest, grads = self.backward(traces, dz, learn)
        dx, dy, dlength = np.moveaxis(d_items.reshape(*legs.x.shape, 4)[..., :3] / 4, -1, 0)
        dlength = dlength.sum(-1) + d_rest.reshape(legs.length.shape) / 4
        return (dx, dy, dlength), grads

    def slope(self, trace, d_cost):
        """Return the gradient of the points that the legs join: E's weights stay as they are."""
        return trace[0].backward(*self.backward_cost(trace, d_cost, learn=False)[0])


def walk_legs(executer, rng, count, config):
    """Return legs (N, 2, 2), half of them short, their arenas, what they cost, and C's steps."""
    arenas = Arenas(count, config.obstacles).reset(rng)
    legs = rng.uniform(0, SIDE, (count, 2, 2))
    near = legs[::2, 0] + rng.uniform(-4, 4, (len(legs[::2]), 2))
    legs[::2, 1] = np.clip(near, 0, SIDE)
    legs = legs.astype(np.float32)
    arenas.put(legs[:, 0])
    _, steps = walk(executer, arenas, legs[:, 1:])
    return legs, arenas, arenas.walked + config.depth_cost * arenas.depth(config.inflate), steps


def learn_costs(evaluator, legs, arenas, costs, config, rng, progress):
    """Let E learn the measured costs (N,) of the legs."""
    adam = Adam(evaluator.weights, config.rate_e, config.updates_e)
    for update in range(config.updates_e):
        batch = rng.integers(0, len(legs), config.batch_e)
        seen = Legs(legs[batch], arenas.centres[batch])
        cost, trace = evaluator.cost(seen, arenas.radii[batch])  # (batch, 1)
        error = (cost[:, 0] - costs[batch]) / SIDE
        adam.step(evaluator.backward_cost(trace, error[:, None] / len(batch), learn=True)[1])
        if update % 100 == 0:
            progress(update / config.updates_e, f"E: error {np.sqrt((error**2).mean()):.3f}")


# ---- S, the sub-goal generator ----
class Generator(SetNet):
    """Places H lists of sub-goals at once, from start, goal and discs (the paper's static S)."""

    def __init__(self, rng, config, subgoals=SUBGOALS):
        self.shape = (config.candidates, subgoals, 2)  # H, K, 2
        hidden = (config.hidden_s, config.hidden_s)
        super().__init__(rng, 3, 64, 5, hidden, config.candidates * subgoals * 2)
        bias = self.weights[-1]
        bias += 0.3 * rng.standard_normal(bias.shape, bias.dtype)  # so that the lists differ

    def view(self, arenas):
        """Return what S sees: discs in the frame of the straight line, scaled by its length."""
        line = Legs(np.stack([arenas.start, arenas.goal], 1), arenas.centres)
        items = np.stack([line.x[:, 0], line.y[:, 0], arenas.radii], 2)  # (B, M, 3)
        rest = [arenas.start / 5 - 1, arenas.goal / 5 - 1, line.length / 5 - 1]
        return line, items / line.length[:, :, None], np.concatenate(rest, 1)

    def propose(self, arenas):
        """Return paths (B, H, K + 2, 2), start, sub-goals and goal, and the trace."""
        line, items, rest = self.view(arenas)
        out, traces = self.forward(items, rest)
        out = out.reshape(-1, *self.shape)  # (B, H, K, 2)
        K = self.shape[1]
        on_line = np.linspace(0, 1, K + 2, dtype=out.dtype)[1:-1, None] * [1, 0]  # (K, 2)
        axes = line.length[:, :, None] * np.concatenate([line.along, line.across], 1)  # (B, 2, 2)
        free = arenas.start[:, None, None] + (out + on_line.astype(out.dtype)) @ axes[:, None]
        bent = np.tanh((2 * free - SIDE) / SIDE)  # (B, H, K, 2), inside the arena
        ends = np.stack([arenas.start, arenas.goal], 1)[:, None].repeat(self.shape[0], 1)
        placed = SIDE / 2 * (1 + bent)
        paths = np.concatenate([ends[:, :, :1], placed, ends[:, :, 1:]], 2)
        return paths, (axes, bent, traces)

    def gradients(self, trace, d_paths):
        """Return the gradients of S's weights, given those of the paths."""
        axes, bent, traces = trace
        d_free = d_paths[:, :, 1:-1] * (1 - bent**2)  # (B, H, K, 2)
        d_out = d_free @ axes.swapaxes(1, 2)[:, None]
        return self.backward(traces, d_out.reshape(len(d_out), -1))[2]


def learn_to_place(generator, evaluator, config, rng, progress):
    """Let S descend what E predicts: the cheapest list counts fully, the others a tenth."""
    adam = Adam(generator.weights, config.rate_s, config.updates_s)
    arenas = Arenas(config.batch_s, config.obstacles)
    for update in range(config.updates_s):
        arenas.reset(rng)
        paths, trace = generator.propose(arenas)
        cost, seen = evaluator.cost(Legs(paths, arenas.centres[:, None]), arenas.radii[:, None])
        path_cost = cost.sum(2, keepdims=True)  # (B, H, 1)
        share = np.where(path_cost == path_cost.min(1, keepdims=True), 1, 0.1)
        d_cost = np.broadcast_to(share / len(cost), cost.shape).astype(cost.dtype)
        adam.step(generator.gradients(trace, evaluator.slope(seen, d_cost)))
        if update % 50 == 0:
            progress(update / config.updates_s, f"S: cost {path_cost.min(1).mean():.2f}")


def choose(generator, evaluator, arenas):
    """Return of S's lists the one that E finds cheapest, with the goal, (B, K + 1, 2)."""
    paths = generator.propose(arenas)[0]
    cost = evaluator.cost(Legs(paths, arenas.centres[:, None]), arenas.radii[:, None])[0]
    best = cost.sum(2).argmin(1)  # (B,)
    return paths[np.arange(len(paths)), best, 1:]


# ---- rivals and test ----
GRID = 31  # places tried for a waypoint, along each side; and offsets tried


def detours(kind, place, arenas):
    """Return targets (B, 2, 2) of a detour that sees no disc: a point, or one beside the middle."""
    if kind == "offset":
        line = arenas.goal - arenas.start  # (B, 2)
        across = np.stack([-line[:, 1], line[:, 0]], 1)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        place = np.clip((arenas.start + arenas.goal) / 2 + place * across, 0, SIDE)
    return np.stack([np.broadcast_to(place, arenas.goal.shape), arenas.goal], 1)


def fit_detour(kind, arenas, config):
    """Return the place whose detour clears most arenas."""
    axis = np.linspace(0, SIDE, GRID, dtype=np.float32)
    places = np.stack(np.meshgrid(axis, axis), 2).reshape(-1, 2)  # (961, 2)
    if kind == "offset":
        places = np.linspace(-6, 6, 4 * GRID - 3, dtype=np.float32)
    cleared = []
    for place in places:
        targets = detours(kind, place, arenas)  # (B, 2, 2)
        paths = np.concatenate([arenas.start[:, None], targets], 1)  # (B, 3, 2)
        gap = Legs(paths, arenas.centres).gap()  # (B, 2, M)
        cleared.append((gap >= arenas.radii[:, None]).all((1, 2)).sum())
    return places[int(np.argmax(cleared))]


def test(executer, arenas, targets):
    """Return who reached the goal without a collision (B,), and how far each walked (B,)."""
    arenas.put(arenas.start)
    reached, _ = walk(executer, arenas, targets)
    return reached & (arenas.depth(0.0) == 0), arenas.walked


# ---- swamps: one problem, plain gradient descent ----
NETS, HIDDEN, ITERATIONS, SATISFIED = 20, 40, 200, 0.05  # the paper's hidden units; share of cost
ONE = np.array([[5.0, 5.0, 2.0]])  # swamps: x, y, radius
ONE_ENDS = np.array([[1.0, 5.2], [9.0, 4.9]])  # start and goal
SEVERAL = np.array(
    [[2.7, 5.3, 0.9], [4.0, 3.2, 1.2], [4.7, 6.6, 1.3], [6.2, 4.5, 1.0], [7.6, 6.3, 1.1]]
)
SEVERAL_ENDS = np.array([[1.0, 5.0], [9.0, 5.0]])


class Swamps:
    """Cones of cost 1 - rho / R around a centre: a leg costs their integral along it, known."""

    def cost(self, legs, radii):
        """Return the cost of legs (..., K), and the trace."""
        p = np.maximum(np.abs(legs.y), TINY)  # (..., K, M) distance of the leg's line
        R = radii[..., None, :]
        half = np.sqrt(np.maximum(0, R**2 - p**2))  # half of the chord
        s = np.stack([-legs.x, legs.length[..., None] - legs.x])  # (2, ..., K, M), foot at 0
        s = np.clip(s, -half, half)
        rho = np.hypot(p, s)
        asinh = np.arcsinh(s / p)
        integral = s - (s * rho + p**2 * asinh) / (2 * R)
        height = np.where(half > 0, np.maximum(0, 1 - rho / R), 0)  # at both ends
        d_p = np.where(half > 0, -p / R * (asinh[1] - asinh[0]), 0)
        return (integral[1] - integral[0]).sum(-1), (legs, height, d_p)

    def slope(self, trace, d_cost):
        """Return the gradient of the points that the legs join."""
        legs, height, d_p = trace
        d = d_cost[..., None]
        dx = d * (height[0] - height[1])
        return legs.backward(dx, d * np.sign(legs.y) * d_p, (d * height[1]).sum(-1))


def on_line(ends, subgoals):
    """Return evenly spaced points (K, 2) between two, from which sub-goals are counted."""
    return np.linspace(*ends, subgoals + 2)[1:-1]


class StaticGenerator:
    """N nets that give all K sub-goals at once (architecture 1)."""

    def __init__(self, rng, subgoals):
        self.subgoals = subgoals
        self.net = Net(rng, (4, HIDDEN, 2 * subgoals), nets=(NETS,), dtype=float)
        self.weights = self.net.weights

    def propose(self, ends):
        """Return the sub-goals (N, K, 2) between start and goal (2, 2), and the trace."""
        x = np.broadcast_to(ends.reshape(1, 4) / SIDE, (NETS, 1, 4))
        out, trace = self.net.forward(x)
        return on_line(ends, self.subgoals) + out.reshape(NETS, -1, 2), trace

    def gradients(self, trace, d_subgoals):
        """Return the gradients of the weights."""
        return self.net.backward(trace, d_subgoals.reshape(NETS, 1, -1))[1]


class RecurrentGenerator:
    """N recurrent nets that give one sub-goal after the other, each seeing the one before it."""

    def __init__(self, rng, subgoals):
        self.subgoals = subgoals
        self.cell = Net(rng, (4 + HIDDEN, HIDDEN), linear=False, nets=(NETS,), dtype=float)
        self.readout = Net(rng, (HIDDEN, 2), nets=(NETS,), dtype=float)
        self.weights = [*self.cell.weights, *self.readout.weights]

    def propose(self, ends):
        """Return the sub-goals (N, K, 2) between start and goal (2, 2), and the trace."""
        start, goal = np.broadcast_to(ends[:, None, None], (2, NETS, 1, 2))
        hidden = np.zeros((NETS, 1, HIDDEN))
        placed, trace = [start], []
        for place in on_line(ends, self.subgoals):
            seen = np.concatenate([placed[-1] / SIDE, goal / SIDE, hidden], 2)  # (N, 1, 4 + 40)
            hidden, below = self.cell.forward(seen)
            out, above = self.readout.forward(hidden)
            placed.append(place + out)
            trace.append((below, above))
        return np.concatenate(placed[1:], 1), trace

    def gradients(self, trace, d_subgoals):
        """Return the gradients of the weights, back-propagated through all sub-goals."""
        total = [np.zeros_like(w) for w in self.weights]
        d_hidden, d_next = 0.0, 0.0  # what the later sub-goals send back
        for (below, above), d in reversed(list(zip(trace, d_subgoals.swapaxes(0, 1)))):
            d_placed = d[:, None] + d_next  # (N, 1, 2)
            d_read, readout = self.readout.backward(above, d_placed)
            d_seen, cell = self.cell.backward(below, d_read + d_hidden)
            d_next, d_hidden = d_seen[:, :, :2] / SIDE, d_seen[:, :, 4:]
            total = [t + g for t, g in zip(total, [*cell, *readout])]
        return total


def plan(generator, swamps, ends, rate):
    """Descend the path's cost; return N paths (T + 1, N, K + 2, 2) and costs (T + 1, N).

    The first stand before the first step. Costs are shares of the straight leg's.
    """
    centres, radii = swamps[:, :2], swamps[:, 2]
    straight = Swamps().cost(Legs(ends, centres), radii)[0].sum()
    paths, costs = [], []
    for _ in range(ITERATIONS + 1):
        subgoals, trace = generator.propose(ends)
        start, goal = np.broadcast_to(ends[:, None, None], (2, NETS, 1, 2))
        paths.append(np.concatenate([start, subgoals, goal], 1))  # (N, K + 2, 2)
        cost, seen = Swamps().cost(Legs(paths[-1], centres), radii)  # (N, K + 1)
        costs.append(cost.sum(1) / straight)
        d_paths = Swamps().slope(seen, np.ones_like(cost))
        for w, g in zip(generator.weights, generator.gradients(trace, d_paths[:, 1:-1])):
            w -= rate * g
    return np.array(paths), np.array(costs)


def iterations(costs):
    """Return after how many steps the median net is satisfied, or None if it never is."""
    satisfied = costs < SATISFIED  # (T + 1, N)
    first = np.where(satisfied.any(0), satisfied.argmax(0), np.inf)  # (N,)
    median = np.median(first)
    return float(median) if np.isfinite(median) else None


# ---- the experiment ----
def learn_world(config, legs_rng, learning_rng, walking_rng, progress):
    """Let C learn to walk, then E what its walks cost; return both, and steps per second."""
    executer = learn_to_walk(walking_rng)
    began = time.process_time()
    legs, arenas, costs, steps = walk_legs(executer, legs_rng, config.legs, config)
    per_second = steps / max(time.process_time() - began, 1e-9)
    evaluator = Evaluator(learning_rng)
    learn_costs(evaluator, legs, arenas, costs, config, learning_rng, progress)
    return executer, evaluator, per_second


def correlation(executer, evaluator, rng, config):
    """Return how predicted and measured costs of fresh legs correlate."""
    legs, arenas, costs, _ = walk_legs(executer, rng, 10 * TEST, config)
    predicted = evaluator.cost(Legs(legs, arenas.centres), arenas.radii)[0][:, 0]
    return np.corrcoef(predicted, costs)[0, 1]


def run(config, seed, progress):
    """Train C, E and S, fit the blind detours, and test all in the same fresh arenas."""
    streams = np.random.SeedSequence(seed).spawn(9)
    walking, walked, costing, checking, placing, fitting, testing, one, several = map(
        np.random.default_rng, streams
    )
    executer, evaluator, per_second = learn_world(
        config, walked, costing, walking, lambda f, text: progress(f / 3, text)
    )
    generator = Generator(placing, config)
    learn_to_place(
        generator, evaluator, config, placing, lambda f, text: progress(1 / 3 + f / 2, text)
    )
    arenas = Arenas(TEST, config.obstacles).reset(testing)
    success, walked = test(executer, arenas, choose(generator, evaluator, arenas))
    ratio = walked / np.linalg.norm(arenas.goal - arenas.start, axis=1)
    swapped = copy.copy(arenas)  # S is shown the discs of another arena
    swapped.centres, swapped.radii = np.roll(arenas.centres, 1, 0), np.roll(arenas.radii, 1, 0)
    blind, _ = test(executer, arenas, choose(generator, evaluator, swapped))
    fit = Arenas(config.arenas_fit, config.obstacles).reset(fitting)
    rivals = {}
    for kind in ("waypoint", "offset"):
        place = fit_detour(kind, fit, config)
        rivals[kind] = test(executer, arenas, detours(kind, place, arenas))[0].mean()
    _, costs_one = plan(RecurrentGenerator(one, 1), ONE, ONE_ENDS, config.rate_one)
    _, costs_several = plan(StaticGenerator(several, 3), SEVERAL, SEVERAL_ENDS, config.rate_several)
    return {
        "success": success.mean(),
        "detour_lead": success.mean() - max(rivals.values()),
        "iterations_one": iterations(costs_one),
        "iterations_several": iterations(costs_several),
        "waypoint": {"success": rivals["waypoint"]},
        "offset": {"success": rivals["offset"]},
        "swapped": {"success": blind.mean()},
        "path": {"cleared": ratio[success].mean() if success.any() else None, "all": ratio.mean()},
        "evaluator": {"correlation": correlation(executer, evaluator, checking, config)},
        "legs": {"steps_per_second": per_second},
    }


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, os, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def add_setting(parser, name, hint, default):
    """Add a field of Config as a flag that refuses words of another kind or out of its range."""
    kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # tuple[kind, ...] or kind
    text, *legal = hint.__metadata__
    how = {"action": argparse.BooleanOptionalAction}
    if kind is not bool:

        def value(word):
            if (word in legal[0]) if kind is str else legal[0][0] <= kind(word) <= legal[0][1]:
                return kind(word)
            raise ValueError  # argparse then says: argument FLAG: invalid NAME value: 'WORD'

        span = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
        value.__name__ = span
        text = f"{text}, {span}"
        how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
    text = f"{text}; default {default}".replace("%", "%%")
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)


def plain(said):
    """A message as one line of bounded length, with control characters as escapes."""
    return repr(str(said))[1:-1][:300]


def command_line(this):
    """The parser of a program's flags: a few of every program, and one for each field of Config."""
    name, form = pathlib.Path(this.__file__).name, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(name, description=this.__doc__, formatter_class=form)
    parser.error = lambda said: parser.exit(2, f"{name}: {plain(said)} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="seconds: it proves the code alone")
    parser.add_argument("--all", action="store_true", help="print every metric, not only claims")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="keep the record there")
    seed = typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]
    add_setting(parser, "seed", seed, 0)
    for setting, hint in typing.get_type_hints(this.Config, include_extras=True).items():
        add_setting(parser, setting, hint, getattr(this.Config, setting))
    return parser


def passes(claim, value):
    """Whether the value of a claim's metric passes the claim's test."""
    value = float("nan") if value is None else value  # which passes no test
    if "within" in claim:
        low, high = claim["within"]
        return low <= value <= high
    bar = claim["threshold"]
    tests = {">=": value >= bar, "<=": value <= bar, ">": value > bar, "<": value < bar}
    return (tests | {"==": value == bar})[claim["op"]]


def claims_of(here):
    """The card's claims about the program at `here`, each tried for what the report needs of it."""
    card, source = here.with_name("card.toml"), "study" if here.stem[:6] == "study_" else "run"
    claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
    claims = [claim for claim in claims if claim.get("from", "run") == source]
    for claim in claims:
        passes(claim, 0.0), claim["metric"], claim["says"], claim["paper"], claim["level"]
    return claims


def flatten(table, prefix=""):
    """{row: {column: number}} as {"row.column": number}. FloatingPointError: one is nan or inf."""
    flat = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif value is not None and not np.all(np.isfinite(value)):
            raise FloatingPointError(f"metric {prefix}{name} is {value}")
        else:
            flat[prefix + name] = value
    return flat


def print_report(numbers, claims, everything):
    """Print each claim with its test, the headline first, then the verdict; or all metrics too."""
    text = {name: "none" if v is None else f"{v:.5g}" for name, v in numbers.items()}
    for name in text if everything or not claims else ():
        print(f"  {name:<{max(map(len, text))}}  {text[name]}")
    failed = [claim for claim in claims if not passes(claim, numbers[claim["metric"]])]
    for claim in claims:
        needed = f"{claim.get('op', 'within')} {claim.get('threshold', claim.get('within'))}"
        paper = "an extra, not judged" if claim["level"] == "extra" else f"paper: {claim['paper']}"
        print(f"{'fails' if claim in failed else 'holds'}  {claim['says']}")
        print(f"       {claim['metric']} {text[claim['metric']]}, needed {needed}; {paper}")
    levels = {claim["level"] for claim in failed}
    verdict = "partial" if "paper" in levels else "reproduces"
    verdict = "does not reproduce" if "trend" in levels else verdict
    if claims:
        print(f"this run: {verdict}; {len(claims) - len(failed)} of {len(claims)} claims hold")


def progress_on_stderr(started):
    """A progress(fraction, message): one live line on a terminal, elsewhere a line each 10 s."""
    live, shown = sys.stderr.isatty(), [0.0]

    def progress(fraction, message):
        now = time.monotonic()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {plain(message)}"
            line = line[: shutil.get_terminal_size().columns - 1]
            begin, end = ("\r\033[K", "") if live else ("", "\n")
            print(f"{begin}{line}", end=end, file=sys.stderr, flush=True)

    return progress


def write_record(path, record):
    """Write or replace the file in one step: a full disk or Ctrl-C leaves what was there."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(this, argv=None):
    """Run a module. Exit code 0: it ran; 1: it diverged; 2: unusable arguments; 130: Ctrl-C."""
    here, started, parser = pathlib.Path(this.__file__), time.monotonic(), command_line(this)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show costs no record
    given = vars(parser.parse_args(argv))
    if odd := [name for name, value in given.items() if value == []]:  # argparse on FLAG=--
        parser.error(f"argument --{odd[0].replace('_', '-')}: expected a value")
    seed, path = given.pop("seed", 0), given.pop("json")
    quick, everything = given.pop("quick"), given.pop("all")
    try:
        taken = path and path.exists() and not path.is_file()
        if taken or path and not os.access(f"{path.parent}/", os.W_OK):
            parser.error(f"argument --json: no file can be written at {path}")
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        config = this.Config(**((this.QUICK if quick else {}) | given))
    except (OSError, ValueError) as error:
        parser.error(error)
    try:
        claims = claims_of(here)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        parser.error(f"card.toml beside it cannot be used: {type(error).__name__} {error}")
    try:
        metrics = flatten(this.run(config, seed, progress_on_stderr(started)))
        record = {"seed": seed, "quick": quick, "config": vars(config), "metrics": metrics}
        record["seconds"] = time.monotonic() - started
        record["processor_seconds"] = time.process_time()
        if path:
            write_record(path, record)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {plain(error)}")
    numbers = {name: v for name, v in metrics.items() if not isinstance(v, list)}
    if lost := [claim["metric"] for claim in claims if claim["metric"] not in numbers]:
        sys.exit(f"{parser.prog}: card.toml names {lost[0]}, which run() returns no number for")
    try:
        cost = f"{record['processor_seconds']:.1f} s of one core"
        print(f"\n{here.stem}, seed {seed}, {cost}{', a quick run: no claim is proved' * quick}")
        print_report(numbers, claims, everything)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.modules[__name__])
