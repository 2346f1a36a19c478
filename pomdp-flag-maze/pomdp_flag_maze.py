# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""A recurrent controller learns, inside a recurrent world model, to carry a signal through a maze.

A T-maze shows which arm holds the flag once, at the start; then come identical cells. A model M
learns from random walks to predict the next walls and the outcome. A controller C then learns by
gradients through M alone. Its rival is policy gradient on the real maze, with as many real steps.

Paper: J. Schmidhuber, "Reinforcement learning in Markovian and non-Markovian environments",
NIPS 3, pp. 500-506, 1991. The algorithm is the paper's, the maze is not: the paper has none.
Claim: with M and C both recurrent, the hidden state of an environment is inferred.

    python3 pomdp_flag_maze.py --seed 0     # trains four models, four controllers, four rivals
    python3 pomdp_flag_maze.py --help       # lists every setting

Letters in the shape comments: T steps, N nets side by side, B episodes of each, H hidden units.
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "models, each with a controller of its own", (1, 100)] = 4
    lengths: Annotated[tuple[int, ...], "shortest and longest corridor learned", (2, 30)] = (3, 8)
    hidden_m: Annotated[int, "units of M", (2, 1000)] = 32
    hidden_c: Annotated[int, "units of C", (2, 1000)] = 24
    episodes: Annotated[int, "random walks that M learns from", (10, 1_000_000)] = 6000
    batches_m: Annotated[int, "steps of learning of M", (2, 1_000_000)] = 1500
    batch_size: Annotated[int, "walks in a batch of M", (2, 10_000)] = 64
    rate_m: Annotated[float, "step size of M", (1e-6, 1.0)] = 0.007
    mixed: Annotated[float, "share of M's inputs with a mixed action", (0.0, 1.0)] = 0.8
    updates_c: Annotated[int, "steps of learning of C", (2, 1_000_000)] = 2500
    pairs: Annotated[int, "pairs of imagined episodes in a step of C", (1, 10_000)] = 32
    rate_c: Annotated[float, "step size of C", (1e-6, 1.0)] = 0.005
    gamma: Annotated[float, "discount of rewards, per step", (0.5, 1.0)] = 0.97
    entropy: Annotated[float, "bonus on C's entropy, halved by the end", (0.0, 1.0)] = 0.06
    rate_pg: Annotated[float, "step size of policy gradient", (1e-6, 1.0)] = 0.005

    def __post_init__(self):
        if len(self.lengths) != 2 or self.lengths[0] > self.lengths[1]:
            raise ValueError(
                "argument --lengths: the shortest and the longest are needed, in order"
            )


QUICK = {"nets": 2, "episodes": 200, "batches_m": 30, "updates_c": 30, "pairs": 8}

# ---- the task ----
NORTH, EAST, SOUTH, WEST = range(4)
START, CORRIDOR, JUNCTION, ARM = range(4)  # all that a cell can look like
WALLS = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]], np.float32)  # N S W E
NONE, RIGHT, WRONG = range(3)  # outcomes of a step
REWARD = np.array([-0.05, 1.95, -2.05], np.float32)  # a step costs 0.05, an end brings 2 or -2
SLIP = 0.1  # probability that a move fails
WALK = 40  # steps of a random walk
UNSEEN = (12, 20)  # corridors for the test alone


def build(longest):
    """Return where moves lead (L, cells, 4), and what cells look like (L, cells), per length.

    Cells 0 to length are the corridor with its junction; two cells north and two south follow.
    """
    cells = np.arange(longest + 5)
    leads = np.tile(cells[:, None], (longest + 1, 1, 4))  # (L, cells, 4) a wall holds
    looks = np.full((longest + 1, len(cells)), CORRIDOR)  # (L, cells)
    for length in range(1, longest + 1):
        leads[length, :length, EAST] += 1
        leads[length, 1 : length + 1, WEST] -= 1
        for arm, out, back in ((length + 1, NORTH, SOUTH), (length + 3, SOUTH, NORTH)):
            leads[length, length, out] = arm
            leads[length, arm, out] = arm + 1
            leads[length, arm, back] = length
        looks[length, 0] = START
        looks[length, length] = JUNCTION
        looks[length, length + 1 :] = ARM
    return leads, looks


LEADS, LOOKS = build(30)


class Maze:
    """N by B mazes; `sign` says where the flag is, 1 north and -1 south."""

    def reset(self, rng, length, sign, limit):
        """Put the agents at the start of mazes (N, B); they have `limit` steps (N, B)."""
        self.rng = rng
        self.length = length  # (N, B)
        self.sign = sign  # (N, B)
        self.limit = limit  # (N, B)
        self.cell = np.zeros(length.shape, np.intp)  # (N, B)
        self.active = np.ones(length.shape, bool)  # (N, B) not yet at an end, nor out of time
        self.time = 0

    def observe(self):
        """Return the walls and, at the start, the sign: (N, B, 5)."""
        signal = self.sign * (self.time == 0)  # (N, B)
        return see(self.looks(), signal)

    def looks(self):
        """Return what the cells look like, (N, B)."""
        return LOOKS[self.length, self.cell]

    def step(self, action):
        """Move the active agents by actions (N, B); returns outcomes (N, B)."""
        moves = self.active & (self.rng.random(action.shape) >= SLIP)  # (N, B)
        self.cell = np.where(moves, LEADS[self.length, self.cell, action], self.cell)
        north = self.cell == self.length + 2  # (N, B)
        south = self.cell == self.length + 4  # (N, B)
        end = self.active & (north | south)  # (N, B)
        outcome = np.where(end, np.where(north == (self.sign > 0), RIGHT, WRONG), NONE)
        self.time += 1
        self.active = self.active & ~end & (self.time < self.limit)
        return outcome


def see(looks, signal):
    """Return observations (..., 5): four walls, and the signal (...)."""
    return np.concatenate([WALLS[looks], signal[..., None]], -1, dtype=np.float32)


def draw_mazes(rng, config, shape):
    """Draw lengths and signs for mazes of a shape, a fair coin for each sign."""
    length = rng.integers(config.lengths[0], config.lengths[1] + 1, shape)
    sign = rng.choice([-1, 1], shape)
    return length, sign


@dataclass
class Walks:
    """Random walks of N agents, E each: what M learns from."""

    sign: np.ndarray  # (N, E)
    looks: np.ndarray  # (WALK + 1, N, E)
    action: np.ndarray  # (WALK, N, E)
    outcome: np.ndarray  # (WALK, N, E)
    length: np.ndarray  # (N, E) steps until an end, or WALK

    def take(self, index):
        """Return the walks index (N, B) of each agent."""
        agent = np.arange(len(index))[:, None]  # (N, 1)
        parts = (self.looks, self.action, self.outcome)
        sign, length = self.sign[agent, index], self.length[agent, index]
        return Walks(sign, *(part[:, agent, index] for part in parts), length)

    def observations(self):
        """Return what was seen before each step: (WALK, N, B, 5)."""
        signal = np.zeros(self.action.shape)  # (WALK, N, B)
        signal[0] = self.sign
        return see(self.looks[:-1], signal)


def walk(rng, length, sign):
    """Let agents walk in mazes (N, E); each repeats its last action with probability 0.7."""
    maze = Maze()
    maze.reset(rng, length, sign, np.full(length.shape, WALK))
    looks, actions, outcomes = [maze.looks()], [], []
    action = rng.integers(4, size=length.shape)  # (N, E)
    steps = np.zeros(length.shape, np.intp)  # (N, E)
    for _ in range(WALK):
        steps += maze.active
        outcomes.append(maze.step(action))
        actions.append(action)
        looks.append(maze.looks())
        other = rng.integers(4, size=length.shape)  # (N, E)
        action = np.where(rng.random(length.shape) < 0.7, action, other)
    return Walks(sign, *(np.array(part, np.int8) for part in (looks, actions, outcomes)), steps)


# ---- nets ----
def add_up(x):
    """Sum over a short last axis and keep it: a product with ones is faster than sum."""
    return x @ np.ones((x.shape[-1], 1), x.dtype)


def softmax(y):
    """Return probabilities over the last axis."""
    e = np.exp(np.clip(y, -60, 60))  # which float32 can still divide
    return e / add_up(e)


def softmax_back(p, dp):
    """Return the derivative by the inputs of a softmax from that by its outputs p."""
    return p * (dp - add_up(p * dp))


def one_hot(index, kinds):
    """Return indices (...) as (..., kinds) of 0 and 1."""
    return np.eye(kinds, dtype=np.float32)[index]


def outer(x, d):
    """Sum the products of inputs x (T, N, B, I) and derivatives d (T, N, B, J): (N, I, J)."""
    return np.matmul(x.swapaxes(-1, -2), d).sum(0)


class Net:
    """N nets, row by row in theta (N, P); `use` makes its parts attributes."""

    def __init__(self, rng, config):
        self.shapes = self.layout(config)
        size = sum(int(np.prod(shape)) for shape in self.shapes.values())
        self.use(np.zeros((config.nets, size), np.float32))
        self.start(rng)

    def use(self, theta):
        self.theta = theta
        self.parts = {}
        begin = 0
        for name, shape in self.shapes.items():
            end = begin + int(np.prod(shape))
            self.parts[name] = theta[:, begin:end].reshape(-1, *shape)  # a view (N, *shape)
            begin = end
        vars(self).update(self.parts)

    def blank(self, episodes):
        """Return the units before the first step, (N, B, H)."""
        return np.zeros((len(self.theta), episodes, self.V.shape[1]), self.theta.dtype)

    def join(self, **parts):
        """Put derivatives of the parts into one array (N, P)."""
        return np.concatenate([parts[name].reshape(len(self.theta), -1) for name in self.shapes], 1)


class Model(Net):
    """M: gated units that predict the next cell's looks (4) and the outcome (3) of a step."""

    def layout(self, config):
        H = config.hidden_m
        return {"W": (9, 2 * H), "U": (H, 2 * H), "b": (1, 2 * H), "V": (H, 7), "v": (1, 7)}

    def start(self, rng):
        """Draw weights; the gates' biases spread the units' time constants over 1 to 30 steps."""
        H = self.V.shape[1]
        self.W[:] = 0.4 * rng.standard_normal(self.W.shape)
        self.W[:, 4, :H] = 0.0  # the signal moves no gate
        self.W[:, 4, H:] *= 3.0
        self.U[:] = rng.standard_normal(self.U.shape) / np.sqrt(H)
        self.b[:, 0, :H] = -np.log(rng.uniform(1, 30, (len(self.b), H)))
        self.V[:] = 2.5 * rng.standard_normal(self.V.shape) / np.sqrt(H)  # large: it learns sooner

    def step(self, x, h):
        """Advance h (N, B, H) by inputs x (N, B, 9): h' = h + z (c - h)."""
        H = h.shape[-1]
        a = x @ self.W + h @ self.U + self.b  # (N, B, 2H)
        z = 0.5 + 0.5 * np.tanh(0.5 * a[..., :H])  # (N, B, H) the gate, a logistic function
        c = np.tanh(a[..., H:])  # (N, B, H)
        return h + z * (c - h), (h, z, c)

    def step_back(self, dh, tape):
        """Return the derivatives by a (N, B, 2H) and by the h before the step (N, B, H)."""
        h, z, c = tape
        dz = dh * (c - h)
        dc = dh * z
        da = np.concatenate([dz * z * (1 - z), dc * (1 - c**2)], -1)  # (N, B, 2H)
        return da, dh * (1 - z) + da @ self.U.swapaxes(1, 2)

    def forward(self, x):
        """Predict along x (T, N, B, 9); returns (T, N, B, 7), softmax inputs."""
        T, N, B = x.shape[:3]
        H = self.V.shape[1]
        self.x = x
        self.h = np.zeros((T + 1, N, B, H), x.dtype)
        self.tapes = []
        for t in range(T):
            self.h[t + 1], tape = self.step(x[t], self.h[t])
            self.tapes.append(tape)
        return self.h[1:] @ self.V + self.v

    def backward(self, dy):
        """Return the gradient (N, P) from the derivatives by the predictions (T, N, B, 7)."""
        da = np.zeros((*dy.shape[:3], self.W.shape[2]), dy.dtype)  # (T, N, B, 2H)
        dh = 0.0
        for t in reversed(range(len(dy))):
            dh = dh + dy[t] @ self.V.swapaxes(1, 2)  # (N, B, H)
            da[t], dh = self.step_back(dh, self.tapes[t])
        h = self.h
        db = da.sum((0, 2))  # (N, 2H)
        dv = dy.sum((0, 2))  # (N, 7)
        return self.join(W=outer(self.x, da), U=outer(h[:-1], da), b=db, V=outer(h[1:], dy), v=dv)


class Controller(Net):
    """C: tanh units and a softmax over the four actions."""

    def layout(self, config):
        H = config.hidden_c
        return {"W": (5, H), "U": (H, H), "b": (1, H), "V": (H, 4), "v": (1, 4)}

    def start(self, rng):
        H = self.V.shape[1]
        self.W[:] = 0.5 * rng.standard_normal(self.W.shape)
        self.U[:] = 0.9 * np.eye(H) + 0.2 / np.sqrt(H) * rng.standard_normal(self.U.shape)
        self.V[:] = 0.2 * rng.standard_normal(self.V.shape)

    def step(self, x, g):
        """Advance g (N, B, H) by observations x (N, B, 5); returns it and probabilities."""
        g = np.tanh(x @ self.W + g @ self.U + self.b)
        return g, softmax(g @ self.V + self.v)

    def step_back(self, dy, dg, g):
        """Return the derivative by the units' inputs (N, B, H), from those by y and g after."""
        return (dg + dy @ self.V.swapaxes(1, 2)) * (1 - g**2)

    def gradient(self, x, g, da, dy):
        """Sum up the gradient (N, P) over steps x (T, N, B, 5), g (T + 1, N, B, H)."""
        db = da.sum((0, 2))  # (N, H)
        dv = dy.sum((0, 2))  # (N, 4)
        return self.join(W=outer(x, da), U=outer(g[:-1], da), b=db, V=outer(g[1:], dy), v=dv)


class Adam:
    """Adam on rows of theta, each gradient clipped to norm 1; the last 30 % of steps shrink."""

    def __init__(self, theta, rate):
        self.theta = theta
        self.rate = rate
        self.mean = np.zeros_like(theta)
        self.square = np.zeros_like(theta)
        self.count = 0

    def descend(self, gradient, share):
        """Take a step when a share of training is over."""
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        gradient = gradient / np.maximum(norm, 1.0)
        self.count += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient**2 - self.square)
        rate = self.rate * min(1.0, (1 - share) / 0.3)
        mean = self.mean / (1 - 0.9**self.count)
        square = self.square / (1 - 0.999**self.count)
        self.theta -= rate * mean / (np.sqrt(square) + 1e-8)


# ---- M learns from random walks ----
class ModelTrainer:
    """Teaches M the walks of its agents."""

    def __init__(self, model, walks, config, rng):
        self.model = model
        self.walks = walks
        self.config = config
        self.rng = rng
        self.adam = Adam(model.theta, config.rate_m)
        last = np.take_along_axis(walks.outcome, walks.length[None] - 1, 0)[0]  # (N, E)
        self.ended = (last != NONE).sum(1)  # (N,)
        self.order = np.where(last != NONE, walks.length, WALK + 1).argsort(1, kind="stable")

    def batch(self, share):
        """Choose walks: half of them any, half with an end, early ends first; returns (N, B)."""
        N, B = len(self.ended), self.config.batch_size
        known = np.clip(0.1 + 2 * share, 0.0, 1.0) * self.ended[:, None]  # (N, 1)
        early = (self.rng.random((N, B // 2)) * np.maximum(known, 1)).astype(np.intp)
        some = self.rng.integers(self.walks.sign.shape[1], size=(N, B - B // 2))
        return np.concatenate([np.take_along_axis(self.order, early, 1), some], 1)

    def mix(self, action, share):
        """Turn actions (T, N, B) into distributions (T, N, B, 4).

        A mixed input is w a + (1 - w) a2 for a random a2. With w the root of a uniform number, w is
        also the probability that the action was a: M learns what to expect of a distribution.
        """
        ramp = np.clip((share - 0.2) / 0.2, 0.0, 1.0)
        mixed = self.rng.random(action.shape) < self.config.mixed * ramp  # (T, N, B)
        weight = np.where(mixed, np.sqrt(self.rng.random(action.shape)), 1.0)[..., None]
        other = one_hot(self.rng.integers(4, size=action.shape), 4)  # (T, N, B, 4)
        return (weight * one_hot(action, 4) + (1 - weight) * other).astype(np.float32)

    def step(self, share):
        """Learn from one batch when a share of training is over."""
        walks = self.walks.take(self.batch(share))
        x = np.concatenate([walks.observations(), self.mix(walks.action, share)], -1)
        dy = prediction_error(self.model.forward(x), walks)
        self.adam.descend(self.model.backward(dy), share)


def prediction_error(y, walks):
    """Return the derivative of the cross-entropy by predictions y (T, N, B, 7), a mean per step.

    Outcomes count five times; after an end nothing counts, and an end has no looks to predict.
    """
    going = np.arange(WALK)[:, None, None] < walks.length  # (T, N, B)
    total = going.sum((0, 2), keepdims=True)[..., None]  # (1, N, 1, 1)
    d_looks = softmax(y[..., :4]) - one_hot(walks.looks[1:], 4)  # (T, N, B, 4)
    d_outcome = softmax(y[..., 4:]) - one_hot(walks.outcome, 3)  # (T, N, B, 3)
    d_looks *= (going & (walks.outcome == NONE))[..., None]
    d_outcome *= 5 * going[..., None]
    return (np.concatenate([d_looks, d_outcome], -1) / total).astype(y.dtype)


# ---- C learns inside M ----
IMAGINED = 24  # steps of an imagined episode, its real beginning included
LONGEST_PREFIX = 20  # steps of such a beginning
CHECKS = 25  # validations while a controller learns


class Imagination:
    """Episodes that begin as real walks and go on inside M, with C's probabilities as actions."""

    def __init__(self, model, controller, gamma):
        self.model = model
        self.controller = controller
        self.gamma = gamma

    def draw(self, q, noise):
        """Sample what the next cell looks like, (N, B, 4); its slope by q counts as 1."""
        return one_hot((noise[..., None] > q.cumsum(-1)[..., :3]).sum(-1), 4)

    def forward(self, seen, acted, prefix, noise, entropy):
        """Return the value (N, B) of episodes that are real for the first `prefix` (N, B) steps.

        It is the sum of gamma^s alive (2 p_right - 2 p_wrong - 0.05 + entropy bonus) over C's
        steps s, where alive is the probability that no end has been reached. Real are what was
        seen (T, N, B, 5) and acted (T, N, B, 4); noise (T, N, B) makes the draws.
        """
        g = self.controller.blank(seen.shape[2])
        h = self.model.blank(seen.shape[2])
        alive = np.ones(prefix.shape, g.dtype)  # (N, B)
        value = np.zeros(prefix.shape, g.dtype)  # (N, B)
        imagined = seen[0]
        self.g = [g]
        self.x = []
        self.steps = []
        for t in range(len(seen)):
            own = t >= prefix  # (N, B) C acts
            x = np.where((t <= prefix)[..., None], seen[t], imagined)  # (N, B, 5)
            g, p = self.controller.step(x, g)
            action = np.where(own[..., None], p, acted[t])  # (N, B, 4)
            h, tape = self.model.step(np.concatenate([x, action], -1), h)
            y = h @ self.model.V + self.model.v  # (N, B, 7)
            q = softmax(y[..., :4])  # (N, B, 4) looks
            o = softmax(y[..., 4:])  # (N, B, 3) outcomes
            discount = np.where(own, self.gamma ** (t - prefix), 0.0).astype(g.dtype)  # (N, B)
            log_p = np.log(p + 1e-20)  # (N, B, 4)
            reward = o @ REWARD - entropy * add_up(p * log_p)[..., 0]  # (N, B)
            value = value + discount * alive * reward
            self.steps.append((own, p, log_p, tape, q, o, discount, alive, reward))
            alive = np.where(own, alive * o[..., NONE], alive)
            walls = self.draw(q, noise[t]) @ WALLS  # (N, B, 4)
            imagined = np.concatenate([walls, 0 * walls[..., :1]], -1)
            self.g.append(g)
            self.x.append(x)
        self.prefix = prefix
        self.entropy = entropy
        return value

    def backward(self):
        """Return the gradient (N, P) of the mean value by C's weights; M stays as it is."""
        model, C = self.model, self.controller
        dg = dh = d_alive = 0.0
        d_next = np.zeros_like(self.x[0])  # (N, B, 5) by what is seen next
        das, dys = [], []
        for t in reversed(range(len(self.x))):
            own, p, log_p, tape, q, o, discount, alive, reward = self.steps[t]
            weight = discount * alive  # (N, B)
            do = weight[..., None] * REWARD  # (N, B, 3)
            do[..., NONE] += own * alive * d_alive
            dq = (d_next[..., :4] @ WALLS.T) * (t + 1 > self.prefix)[..., None]  # (N, B, 4)
            dy_m = np.concatenate([softmax_back(q, dq), softmax_back(o, do)], -1)  # (N, B, 7)
            d_alive = discount * reward + o[..., NONE] * d_alive
            da_m, dh = model.step_back(dh + dy_m @ model.V.swapaxes(1, 2), tape)
            dx = da_m @ model.W.swapaxes(1, 2)  # (N, B, 9)
            dp = own[..., None] * dx[..., 5:] - (self.entropy * weight)[..., None] * log_p
            dy = softmax_back(p, dp)  # (N, B, 4)
            da = C.step_back(dy, dg, self.g[t + 1])  # (N, B, H)
            d_next = dx[..., :5] + da @ C.W.swapaxes(1, 2)
            dg = da @ C.U.swapaxes(1, 2)
            das.append(da)
            dys.append(dy)
        da, dy = np.array(das[::-1]), np.array(dys[::-1])
        gradient = C.gradient(np.array(self.x), np.array(self.g), da, dy)
        return gradient / self.prefix.shape[1]


class ControllerTrainer:
    """Teaches C inside M, and keeps the weights that do best on real mazes."""

    def __init__(self, model, controller, walks, config, rng, validation_rng):
        self.imagination = Imagination(model, controller, config.gamma)
        self.controller = controller
        self.walks = walks
        self.config = config
        self.rng = rng
        self.adam = Adam(controller.theta, config.rate_c)
        self.keeper = Keeper(controller, config, validation_rng)

    def step(self, share):
        """Learn from pairs of imagined episodes that differ in the signal alone."""
        N, pairs = len(self.controller.theta), self.config.pairs
        walks = self.walks.take(self.rng.integers(self.walks.sign.shape[1], size=(N, pairs)))
        longest = np.minimum(walks.length - 1, LONGEST_PREFIX)  # (N, pairs)
        prefix = self.rng.integers(1, longest + 1)  # (N, pairs)
        prefix = np.where(self.rng.random(prefix.shape) < 0.3, 0, prefix)
        noise = self.rng.random((IMAGINED, N, pairs), np.float32)
        seen = walks.observations()[:IMAGINED]  # (T, N, pairs, 5)
        mirrored = seen * np.array([1, 1, 1, 1, -1], np.float32)
        acted = one_hot(walks.action[:IMAGINED], 4)  # (T, N, pairs, 4)
        entropy = self.config.entropy * np.float32(1 - 0.5 * share)
        self.imagination.forward(
            np.concatenate([seen, mirrored], 2),
            np.concatenate([acted, acted], 2),
            np.concatenate([prefix, prefix], 1),
            np.concatenate([noise, noise], 2),
            entropy,
        )
        self.adam.descend(-self.imagination.backward(), share)


# ---- C in the real maze ----
@dataclass
class Episodes:
    """What happened in N by B mazes, T steps each."""

    x: np.ndarray  # (T, N, B, 5)
    g: np.ndarray  # (T + 1, N, B, H)
    p: np.ndarray  # (T, N, B, 4)
    action: np.ndarray  # (T, N, B)
    outcome: np.ndarray  # (T, N, B)
    active: np.ndarray  # (T, N, B) the step was made


def play(controller, rng, length, sign, greedy=True):
    """Let C act in mazes of lengths and signs (N, B) until all are done: Episodes."""
    maze = Maze()
    maze.reset(rng, length, sign, 3 * length + 8)
    g = controller.blank(length.shape[1])
    hidden, steps = [g], []
    while maze.active.any():
        x = maze.observe()
        g, p = controller.step(x, g)
        chosen = p.argmax(-1) if greedy else sample(rng, p)  # (N, B)
        active = maze.active
        outcome = maze.step(chosen)
        steps.append((x, p, chosen, outcome, active))
        hidden.append(g)
    x, p, action, outcome, active = (np.array(part) for part in zip(*steps))
    return Episodes(x, np.array(hidden), p, action, outcome, active)


def sample(rng, p):
    """Draw an index by probabilities p (..., 4): (...)."""
    return (rng.random(p.shape[:-1])[..., None] > p.cumsum(-1)[..., :3]).sum(-1)


def succeeded(episodes):
    """Say which mazes were left by the right end: (N, B)."""
    return (episodes.outcome == RIGHT).any(0)


class Keeper:
    """Tries a controller on mazes of its own, and keeps the weights of each net's best try."""

    def __init__(self, controller, config, rng):
        self.controller = controller
        self.rng = rng
        each = np.arange(config.lengths[0], config.lengths[1] + 1)
        self.length = np.broadcast_to(np.repeat(each, 20), (config.nets, 20 * len(each)))  # (N, B)
        self.sign = np.broadcast_to(np.tile([-1, 1], 10 * len(each)), self.length.shape)  # (N, B)
        self.kept = controller.theta.copy()
        self.best = np.full(config.nets, -1.0)  # (N,)
        self.scores = []
        self.steps = np.zeros(config.nets, np.int64)  # (N,) real steps made

    def check(self):
        """Try the controller; of equal tries the last is kept."""
        episodes = play(self.controller, self.rng, self.length, self.sign)
        score = succeeded(episodes).mean(1)  # (N,)
        better = score >= self.best  # (N,)
        self.kept[better] = self.controller.theta[better]
        self.best = np.maximum(self.best, score)
        self.scores.append(score.mean())
        self.steps += episodes.active.sum((0, 2))


def learn_in_model(walks, config, seeds, progress, model_kind=Model):
    """Train M, then C inside it; returns the model and C's trainer."""
    model_seed, controller_seed, batch_seed, dream_seed, check_seed = seeds
    model = model_kind(np.random.default_rng(model_seed), config)
    teacher = ModelTrainer(model, walks, config, np.random.default_rng(batch_seed))
    for k in range(config.batches_m):
        teacher.step(k / config.batches_m)
        progress(0.4 * k / config.batches_m, "the models learn")
    controller = Controller(np.random.default_rng(controller_seed), config)
    dream, check = np.random.default_rng(dream_seed), np.random.default_rng(check_seed)
    trainer = ControllerTrainer(model, controller, walks, config, dream, check)
    for k in range(config.updates_c):
        trainer.step(k / config.updates_c)
        if checks_due(k, k + 1, config.updates_c):
            trainer.keeper.check()
        progress(0.4 + 0.6 * k / config.updates_c, "the controllers learn inside them")
    return model, trainer


def checks_due(before, after, total):
    """Say whether progress from one count to the next passes one of the CHECKS validations."""
    return CHECKS * before // total < CHECKS * after // total


# ---- the rival: policy gradient on the real maze ----
PLAYED = 16  # episodes in a step of policy gradient


def policy_gradient(controller, episodes, gamma, entropy):
    """Return REINFORCE's gradient (N, P): sum of (return - mean return) d log p, and entropy's."""
    active = episodes.active  # (T, N, B)
    returns = REWARD[episodes.outcome] * active  # (T, N, B)
    for t in reversed(range(len(returns) - 1)):
        returns[t] += gamma * returns[t + 1]
    mean = returns.sum(-1, keepdims=True) / np.maximum(active.sum(-1, keepdims=True), 1)
    advantage = (returns - mean) * active  # (T, N, B)
    p = episodes.p  # (T, N, B, 4)
    bonus = softmax_back(p, -np.log(p + 1e-20)) * entropy * active[..., None]
    dy = advantage[..., None] * (one_hot(episodes.action, 4) - p) + bonus  # (T, N, B, 4)
    dy = dy.astype(p.dtype)
    dg = 0.0
    das = []
    for t in reversed(range(len(dy))):
        da = controller.step_back(dy[t], dg, episodes.g[t + 1])  # (N, B, H)
        dg = da @ controller.U.swapaxes(1, 2)
        das.append(da)
    da = np.array(das[::-1])  # (T, N, B, H)
    return controller.gradient(episodes.x, episodes.g, da, dy) / dy.shape[2]


def learn_in_maze(config, budget, seeds, progress):
    """Train controllers by policy gradient until they have made a budget of real steps."""
    controller_seed, play_seed, check_seed = seeds
    controller = Controller(np.random.default_rng(controller_seed), config)
    rng = np.random.default_rng(play_seed)
    keeper = Keeper(controller, config, np.random.default_rng(check_seed))
    adam = Adam(controller.theta, config.rate_pg)
    used = np.zeros(config.nets, np.int64)  # (N,) steps made to learn
    before = 0
    while before < budget:
        share = before / budget
        mazes = draw_mazes(rng, config, (config.nets, PLAYED))
        episodes = play(controller, rng, *mazes, greedy=False)
        entropy = config.entropy * (1 - 0.5 * share)
        adam.descend(-policy_gradient(controller, episodes, config.gamma, entropy), share)
        used += episodes.active.sum((0, 2))
        if checks_due(before, min(budget, (used + keeper.steps).sum()), budget):
            keeper.check()
        before = int((used + keeper.steps).sum())
        progress(min(1.0, share), "policy gradient learns in the maze")
    return keeper, before


# ---- evaluation ----
TESTS = 200  # episodes per length and sign


def test(controller, theta, lengths, seed):
    """Return the success of each net's weights theta at each length: {length: (N,)}."""
    rng = np.random.default_rng(seed)
    controller.use(theta)
    sign = np.tile([-1, 1], (len(theta), TESTS))  # (N, B)
    success = {}
    for length in lengths:
        episodes = play(controller, rng, np.full_like(sign, length), sign)
        success[length] = succeeded(episodes).mean(1)
    return success


def side_accuracy(model, length, seed):
    """Return how often M names the right side of an end that fresh walks at a length reach."""
    rng = np.random.default_rng(seed)
    shape = len(model.theta), 400
    walks = walk(rng, np.full(shape, length), rng.choice([-1, 1], shape))
    y = model.forward(np.concatenate([walks.observations(), one_hot(walks.action, 4)], -1))
    end = walks.outcome != NONE  # (T, N, B)
    going = np.arange(WALK)[:, None, None] < walks.length  # (T, N, B)
    named = np.where(y[..., 4 + RIGHT] > y[..., 4 + WRONG], RIGHT, WRONG)  # (T, N, B)
    hits = (named == walks.outcome)[end & going]
    return hits.mean() if len(hits) else None


def trained_lengths(config):
    """Return the lengths that training drew from."""
    return range(config.lengths[0], config.lengths[1] + 1)


def mean_over(success, lengths):
    """Return the mean success over lengths, of each net (N,)."""
    return np.mean([success[length] for length in lengths], 0)


# ---- the experiment ----
def run(config, seed, progress):
    """Train controllers inside models, and their rivals in the maze; test both alike."""
    data, walks_seed, *seeds = np.random.SeedSequence(seed).spawn(13)
    mazes = draw_mazes(np.random.default_rng(data), config, (config.nets, config.episodes))
    started = process_time()
    walks = walk(np.random.default_rng(walks_seed), *mazes)
    model, trainer = learn_in_model(walks, config, seeds[:5], lambda f, s: progress(0.8 * f, s))
    seconds = process_time() - started
    keeper = trainer.keeper
    steps = int(walks.length.sum() + keeper.steps.sum())
    rival, rival_steps = learn_in_maze(
        config, steps, seeds[5:8], lambda f, s: progress(0.8 + 0.2 * f, s)
    )
    lengths = trained_lengths(config)
    success = test(keeper.controller, keeper.kept, [*lengths, *UNSEEN], seeds[8])
    rival_success = test(rival.controller, rival.kept, lengths, seeds[9])
    each = mean_over(success, lengths)  # (N,)
    rival_each = mean_over(rival_success, lengths)  # (N,)
    worst = np.min([success[length] for length in lengths], 0)  # (N,)
    x = np.arange(1, len(keeper.scores) + 1) * config.updates_c / CHECKS
    return {
        "success": each.mean(),
        "share_perfect": (worst >= 0.95).mean(),
        "model_lead": each.mean() - rival_each.mean(),
        "success_at": {f"length_{length}": s.mean() for length, s in success.items()},
        "model": {
            "accuracy": side_accuracy(model, config.lengths[1], seeds[10]),
            "real_steps": steps / config.nets,
            "steps_per_second": steps / max(seconds, 1e-9),
        },
        "policy_gradient": {
            "success": rival_each.mean(),
            "best": rival_each.max(),
            "real_steps": rival_steps / config.nets,
        },
        "curve": {"x": x.tolist(), "y": keeper.scores},
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
