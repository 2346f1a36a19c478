# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Does spectral normalisation keep a net able to learn, and is a unit that is alive useful?

Source under test: "Mitigating Plasticity Loss in Deep RL via Spectral Normalization", a course
project (PPO on ProcGen's CoinRun). Divide each weight matrix W of the encoder by its largest
singular value sigma (Miyato et al., ICLR 2018). Claims: the test reward rises from 5.80 to 6.96,
the share of "dead" units falls from 82.4 to 39.5 %, rank collapse is prevented.
Here a ReLU net, which is the baseline, and a spectral net start from the same draw.
A: they memorise random labels of the same game frames, 48 tasks one after the other; a net that
starts afresh on each task is the level to hold.
B: they play a small CoinRun by PPO, whose levels are exchanged twice.

    python3 plasticity_spectral_norm.py --seed 0      # both parts
    python3 plasticity_spectral_norm.py --help        # every setting

The letters of this file: N environments or patterns, D = 248 inputs, H units in a hidden layer,
T decisions of an environment between two updates of the policy.
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    hidden_size: Annotated[int, "units in each of two hidden layers", (2, 4096)] = 128
    learning_rate: Annotated[float, "of Adam", (1e-7, 1.0)] = 1e-3
    frames: Annotated[int, "A: game frames to memorise", (16, 8000)] = 1024
    tasks: Annotated[int, "A: labellings of them, one after the other", (2, 1000)] = 48
    epochs_per_task: Annotated[int, "A: passes over the frames", (1, 1000)] = 20
    classes: Annotated[int, "A: labels to draw from", (2, 1000)] = 10
    phases: Annotated[int, "B: sets of levels, one after the other", (1, 100)] = 3
    iterations: Annotated[int, "B: rounds of play and update in a phase", (1, 10**5)] = 70
    environments: Annotated[int, "B: games side by side", (1, 4096)] = 64
    decisions_per_iteration: Annotated[int, "B: of each game in a round", (1, 4096)] = 16
    levels: Annotated[int, "B: levels of a phase", (1, 10**4)] = 100
    test_levels: Annotated[int, "B: unseen levels after each phase", (1, 10**4)] = 500
    gamma: Annotated[float, "B: discount, per decision", (0.0, 1.0)] = 0.99
    clip_ratio: Annotated[float, "B: PPO's clip of the probability ratio", (0.0, 1.0)] = 0.2
    entropy: Annotated[float, "B: weight of the policy's entropy", (0.0, 1.0)] = 0.02


QUICK = {
    "hidden_size": 24,
    "frames": 128,
    "tasks": 16,
    "epochs_per_task": 4,
    "phases": 2,
    "iterations": 4,
    "environments": 16,
    "levels": 10,
    "test_levels": 40,
}


# ---- the world: a small CoinRun, many levels side by side ----------------------------------------
AIR, SOLID, HAZARD, COIN = range(4)
ROWS, COLUMNS = 14, 40  # tiles; row 0 is the bottom
PAD = 4  # tiles of wall around a level; above it is air
LIMIT = 200  # physics steps of an episode
HOLD = 4  # physics steps that an action is held for
ACTIONS = 6  # left, stay, right; then the same with a jump
RIGHT_AND_JUMP = 5
INPUTS = 3 * 81 + 5
SIDES, HEIGHTS = np.array([[-0.35], [0.35]]), np.array([[0.0], [0.8]])  # of the agent's box, tiles


def make_level(rng):
    """Draw a level (ROWS, COLUMNS): ground with steps, pits, saws and crates, then a coin."""
    tiles = np.zeros((ROWS, COLUMNS), np.uint8)
    tiles[0, :4] = SOLID
    difficulty = rng.integers(1, 3)
    x, y = 4, 1
    for _ in range(difficulty + rng.integers(0, difficulty + 1)):
        rise = rng.integers(0, 3)
        if y >= 6 or (y >= 3 and rng.random() < 0.5):
            rise = -rise
        width = rng.integers(3, 6)
        y = int(np.clip(y + rise, 1, 8))
        tiles[:y, x : x + width] = SOLID
        kind = rng.integers(4)
        if kind == 0 and width >= 4:
            pit = slice(x + 1, x + 1 + rng.integers(1, 4))
            tiles[:, pit] = AIR
            tiles[0, pit] = HAZARD
        elif kind in (1, 2):
            tiles[y, x + width // 2] = HAZARD if kind == 1 else SOLID
        x += width
        if x > 32:
            break
    tiles[:y, x : x + 3] = SOLID
    tiles[y, x + 1] = COIN
    tiles[:, x + 3 :] = SOLID
    return tiles


def make_levels(stream, count, known=()):
    """Draw levels (count, ROWS, COLUMNS), each from a stream of its own, none of the `known`."""
    known = {level.tobytes() for level in known}
    levels = []
    while len(levels) < count:
        level = make_level(np.random.default_rng(stream.spawn(1)[0]))
        if level.tobytes() not in known:
            levels.append(level)
    return np.stack(levels)


class World:
    """N games. (x, y) is the middle of an agent's feet, in tiles; speeds are per physics step."""

    def __init__(self, levels, environments):
        tiles = np.pad(levels, ((0, 0), (PAD, PAD), (PAD, PAD)), constant_values=SOLID)
        tiles[:, PAD + ROWS :] = AIR
        self.shape = tiles.shape[1:]
        self.tiles = tiles.reshape(-1)
        self.solid = self.tiles == SOLID
        across = np.arange(-PAD, PAD + 1)
        self.window = (across[:, None] * self.shape[1] + across).reshape(-1)  # (81,)
        self.base = np.zeros(environments, np.intp)  # (N,) where a game's level begins in `tiles`
        self.x, self.y, self.vx, self.vy = np.zeros((4, environments))
        self.grounded, self.playing, self.won = np.zeros((3, environments), bool)
        self.age = np.zeros(environments, np.intp)  # (N,) physics steps

    def reset(self, which, level):
        """Start the games `which` (N,) anew, on the levels (N,)."""
        start = level * (self.shape[0] * self.shape[1])
        values = {"base": start, "x": 1.5, "y": 1.0, "vx": 0, "vy": 0, "age": 0}
        values |= {"grounded": True, "playing": True, "won": False}
        for name, value in values.items():
            np.copyto(getattr(self, name), value, where=which)

    def place(self, x, y):
        """Return where in `tiles` the points (..., N) lie."""
        row = (y + PAD).astype(np.intp)
        return self.base + row * self.shape[1] + (x + PAD).astype(np.intp)

    def blocked(self, x, y):
        """Tell whether a box with its feet at (x, y) is inside something solid, (N,)."""
        corners = self.place((x + SIDES)[:, None], (y + HEIGHTS)[None])  # (2, 2, N)
        return self.solid[corners].any((0, 1))

    def tick(self, direction, jump):
        """Do one physics step with direction -1, 0, 1 (N,) and jump (N,) where games go on."""
        mix = np.where(self.grounded, 0.2, 0.15)  # (N,)
        vx = (1 - mix) * self.vx + mix * 0.5 * direction
        vx[(np.abs(vx) < 0.02) & (direction == 0)] = 0
        vy = np.where(jump & self.grounded, 1.0, np.maximum(self.vy - 0.2, -0.9))
        x = self.x + vx
        wall = self.blocked(x, self.y)
        x[wall] = self.x[wall]
        vx[wall] = 0
        y = self.y
        for _ in range(2):  # half steps, so that nothing passes through a tile
            there = y + vy / 2
            wall = self.blocked(x, there)
            y = np.where(wall, np.where(vy < 0, np.ceil(there), y), there)
            vy[wall] = 0
        grounded = self.blocked(x, y - 0.05)
        for old, new in zip(
            (self.x, self.y, self.vx, self.vy, self.grounded), (x, y, vx, vy, grounded), strict=True
        ):
            np.copyto(old, new, where=self.playing)
        self.age += self.playing
        self.touch()

    def touch(self):
        """End the games of agents that touch a coin, which wins, or a hazard."""
        x = np.stack([self.x, self.x - 0.3, self.x + 0.3])  # (3, N)
        y = np.stack([self.y + 0.4, self.y + 0.2, self.y + 0.2])
        touched = self.tiles[self.place(x, y)]
        coin = (touched == COIN).any(0) & self.playing  # (N,)
        self.won |= coin
        self.playing &= ~(coin | (touched == HAZARD).any(0))

    def step(self, actions):
        """Hold actions (N,) for HOLD physics steps: who has won, ended, is out of time, (N,)."""
        direction = actions % 3 - 1
        jump = actions >= 3
        for _ in range(HOLD):
            self.tick(direction, jump)
        return self.won, ~self.playing, self.playing & (self.age >= LIMIT)

    def observe(self):
        """Return what agents see (N, D): 9x9 tiles in three planes, and their motion."""
        seen = self.tiles[self.place(self.x, self.y)[:, None] + self.window]  # (N, 81)
        planes = [seen == code for code in (SOLID, HAZARD, COIN)]
        motion = [2 * self.vx, self.vy, self.grounded, self.x % 1, self.y % 1]
        return np.concatenate([*planes, np.stack(motion, 1)], 1, dtype=np.float32)


# ---- the nets ------------------------------------------------------------------------------------
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


def orthogonal(rng, rows, columns, gain):
    """Draw a matrix whose rows or columns, whichever are fewer, are orthogonal."""
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T)


class ReLUNet:
    """Two hidden layers of rectified units and linear heads; all parameters lie in `theta`."""

    def __init__(self, rng, hidden_size, heads, kind=np.float32):
        sizes = INPUTS, hidden_size, hidden_size
        parts = []
        for rows, columns in zip(sizes, sizes[1:], strict=False):
            parts += [orthogonal(rng, rows, columns, 2**0.5), np.zeros(columns)]
        head = [orthogonal(rng, hidden_size, outputs, gain) for outputs, gain in heads]
        parts += [np.concatenate(head, 1), np.zeros(sum(outputs for outputs, _ in heads))]
        self.share([*parts, *self.extras(hidden_size)], kind)

    def extras(self, hidden_size):
        """Return further parameters, which kinds of nets in the study have."""
        return []

    def share(self, parts, kind):
        """Lay the parameters W1, b1, W2, b2, V, c and their slopes into one vector each."""
        self.theta = np.concatenate([part.ravel() for part in parts]).astype(kind)
        self.gradient, self.m, self.v = np.zeros((3, len(self.theta)), kind)
        self.shapes = [part.shape for part in parts]
        self.parts = self.views(self.theta)
        self.slopes = self.views(self.gradient)
        self.updates = 0

    def views(self, vector):
        """Return the parts of a vector that is laid out like `theta`, each in its shape."""
        ends = np.cumsum([np.prod(shape, dtype=np.intp) for shape in self.shapes])[:-1]
        parts = zip(np.split(vector, ends), self.shapes, strict=True)
        return [part.reshape(shape) for part, shape in parts]

    def before_update(self):
        """Do what has to be done once before each update."""

    def before_evaluation(self):
        """Do what has to be done once before the net is used and not trained."""

    def weights(self, n):
        """Return the matrix that hidden layer n multiplies its input with."""
        return self.parts[2 * n]

    def weights_back(self, n, d_weights):
        """Turn the slope of weights(n) into that of the parameters."""
        self.slopes[2 * n][:] = d_weights

    def activate(self, n, z):
        """Return a hidden layer's activations h (N, H)."""
        return np.maximum(z, 0)

    def activate_back(self, n, z, dh):
        """Return dz (N, H)."""
        return dh * (z > 0)

    def forward(self, x):
        """Return the outputs (N, O), the three layers' inputs, and z (N, H) of hidden layers."""
        inputs = [x]
        zs = []
        for n in range(2):
            zs.append(inputs[n] @ self.weights(n) + self.parts[2 * n + 1])
            inputs.append(self.activate(n, zs[n]))
        return inputs[2] @ self.parts[4] + self.parts[5], inputs, zs

    def backward(self, inputs, zs, dy):
        """Write the gradient, given the slope dy (N, O) of the loss by the outputs."""
        self.slopes[4][:] = inputs[2].T @ dy
        self.slopes[5][:] = dy.sum(0)
        dh = dy @ self.parts[4].T  # (N, H)
        for n in (1, 0):
            dz = self.activate_back(n, zs[n], dh)  # (N, H)
            self.weights_back(n, inputs[n].T @ dz)
            self.slopes[2 * n + 1][:] = dz.sum(0)
            if n > 0:
                dh = dz @ self.weights(n).T

    def descend(self, learning_rate):
        """Make a step of Adam."""
        self.updates += 1
        g = self.gradient
        self.m += (1 - BETA_1) * (g - self.m)
        self.v += (1 - BETA_2) * (g * g - self.v)
        root = (1 - BETA_2**self.updates) ** 0.5  # both corrections of the bias, in two numbers
        rate = learning_rate * root / (1 - BETA_1**self.updates)
        self.theta -= rate * self.m / (np.sqrt(self.v) + EPSILON * root)


class SpectralNet(ReLUNet):
    """The same with W / sigma in place of each hidden layer's W; the heads are left as they are.

    One step of power iteration before each update: v = W u / |W u|, u = W^T v / |W^T v|,
    sigma = v^T W u. Elsewhere sigma is exact, and u stays.
    """

    def __init__(self, rng, hidden_size, heads, kind=np.float32):
        super().__init__(rng, hidden_size, heads, kind)
        draws = rng.standard_normal((2, hidden_size)).astype(kind)
        self.u = [draw / np.linalg.norm(draw) for draw in draws]  # (H,) each
        self.v_left = [None, None]  # (D,) and (H,)
        self.sigma = [None, None]
        self.before_update()

    def before_update(self):
        for n in range(2):
            W = self.parts[2 * n]
            left = W @ self.u[n]
            self.v_left[n] = left / np.linalg.norm(left)
            right = W.T @ self.v_left[n]
            self.sigma[n] = np.linalg.norm(right)  # v^T W u
            self.u[n] = right / self.sigma[n]

    def before_evaluation(self):
        self.sigma = [np.linalg.norm(self.parts[2 * n], 2) for n in range(2)]

    def weights(self, n):
        return self.parts[2 * n] / self.sigma[n]

    def weights_back(self, n, d_weights):
        """Pass G on: dW = G / sigma - <G, W> / sigma^2 v u^T; v and u count as constants."""
        sigma = self.sigma[n]
        along = np.vdot(d_weights, self.parts[2 * n]) / sigma**2
        outer = np.outer(along * self.v_left[n], self.u[n])
        self.slopes[2 * n][:] = d_weights / sigma - outer


def log_softmax(z):
    """Return log p (N, K)."""
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


# ---- meters --------------------------------------------------------------------------------------
LOOK = 2560  # distinct observations that the units are watched on


def effective_rank(h):
    """Return exp(entropy) of the shares of the singular values of activations h (N, H)."""
    values = np.linalg.svd(h.astype(float), compute_uv=False)
    share = values[values > 0] / max(values.sum(), np.finfo(float).tiny)
    return float(np.exp(-(share * np.log(share)).sum())) if len(share) else 0.0


def meters(net, x):
    """Watch the last hidden layer on observations x (N, D)."""
    net.before_evaluation()
    h = net.forward(x)[1][2]  # (N, H)
    return {
        "inactive": float((h <= 0).mean()),  # of units times observations
        "dead": float((np.abs(h).max(0) <= 1e-6).mean()),  # of units: never active
        "rank": effective_rank(h),
    }


def distinct(x, count):
    """Return up to `count` different rows of x, spread evenly over all that differ."""
    x = np.unique(x, axis=0)
    return x[np.linspace(0, len(x) - 1, min(count, len(x))).astype(np.intp)]


# ---- part A: memorise labels of game frames ------------------------------------------------------
A_BATCH = 128
BLOCK = 8  # tasks at either end whose mean accuracy counts
FILMED = 128  # games that the frames are from
FILM_STEPS, FILM_EVERY = 400, 4  # physics steps, and every how many a frame is kept


class Lessons(NamedTuple):
    """All that the nets of part A share."""

    frames: np.ndarray  # (N, D)
    others: np.ndarray  # (LOOK, D) frames that nobody learns, to watch the units on
    labels: np.ndarray  # (tasks, N)
    orders: np.ndarray  # (tasks, epochs, N)
    weights: list  # of seeds: initial weights for each task; who goes on uses the first


def film(levels, rng):
    """Let a scripted agent, which mostly runs to the right, play: all frames (N, D)."""
    world = World(levels, len(levels))
    everyone = np.arange(len(levels))
    world.reset(np.ones(len(levels), bool), everyone)
    action = np.full(len(levels), 2)
    shots = []
    for step in range(FILM_STEPS):
        right = rng.choice((2, RIGHT_AND_JUMP), len(levels))
        anything = rng.integers(ACTIONS, size=len(levels))
        redrawn = np.where(rng.random(len(levels)) < 0.6, right, anything)
        action = np.where(rng.random(len(levels)) < 0.25, redrawn, action)
        world.tick(action % 3 - 1, action >= 3)
        if step % FILM_EVERY == 0:
            shots.append(world.observe())
        over = ~world.playing | (world.age >= LIMIT)
        world.reset(over, rng.integers(len(levels), size=len(levels)))
    return np.concatenate(shots)


def draw_lessons(config, seed):
    """Draw frames, tasks, the order of the frames and initial weights, from a stream each."""
    level_seed, *streams, weight_seed = seed.spawn(6)
    script, shuffle, labeller, order = map(np.random.default_rng, streams)
    frames = np.unique(film(make_levels(level_seed, FILMED), script), axis=0)  # each once
    frames = shuffle.permutation(frames)[: config.frames + LOOK]
    learned = frames[: config.frames]
    spread = learned.std(0) + 0.01
    frames = np.clip((frames - learned.mean(0)) / spread, -5, 5)
    labels = labeller.integers(config.classes, size=(config.tasks, config.frames))
    rows = np.tile(np.arange(config.frames), (config.tasks, config.epochs_per_task, 1))
    orders = order.permuted(rows, axis=2)
    weights = weight_seed.spawn(config.tasks)
    return Lessons(frames[: config.frames], frames[config.frames :], labels, orders, weights)


def cross_entropy_slope(y, labels):
    """Return the slope (N, K) of the mean of -log p(label) by the outputs y (N, K)."""
    dy = np.exp(log_softmax(y))
    dy[np.arange(len(y)), labels] -= 1
    return dy / len(y)


def learn_task(net, x, labels, order, learning_rate):
    """Learn labels (N,) of x in the order (epochs, N); returns each batch's accuracy before it."""
    right = []
    for epoch in order:
        for start in range(0, len(epoch), A_BATCH):
            rows = epoch[start : start + A_BATCH]
            net.before_update()
            y, inputs, zs = net.forward(x[rows])
            right.append((y.argmax(1) == labels[rows]).mean())
            net.backward(inputs, zs, cross_entropy_slope(y, labels[rows]))
            net.descend(learning_rate)
    return right


def accuracy(net, x, labels):
    """Return the share of frames that the net has by heart."""
    net.before_evaluation()
    return float((net.forward(x)[0].argmax(1) == labels).mean())


def memoriser(kind, config, weights):
    """Build a net with a head of classes."""
    return kind(np.random.default_rng(weights), config.hidden_size, [(config.classes, 0.01)])


def memorise(kind, lessons, config, tell, afresh=False):
    """Meet all tasks with one net, or afresh with a new one each.

    Returns the accuracies (tasks,) after each, those of every batch before it, a row, and the net.
    """
    net = memoriser(kind, config, lessons.weights[0])
    started = process_time()
    kept, online = [], []
    for task, labels in enumerate(lessons.labels):
        if afresh and task > 0:
            net = memoriser(kind, config, lessons.weights[task])
        order = lessons.orders[task]
        online += learn_task(net, lessons.frames, labels, order, config.learning_rate)
        kept.append(accuracy(net, lessons.frames, labels))
        tell((task + 1) / config.tasks, f"task {task + 1}: {kept[-1]:.0%}")
    seconds = process_time() - started
    block = min(BLOCK, config.tasks // 2)
    row = {"first": np.mean(kept[:block]), "last": np.mean(kept[-block:])}
    row |= meters(net, lessons.others)
    row["patterns_per_second"] = lessons.orders.size / max(seconds, 1e-9)
    return kept, online, row, net


# ---- part B: PPO on levels that are exchanged ----------------------------------------------------
B_BATCH, PASSES = 256, 4
LAMBDA = 0.95  # of the advantages' traces
REWARD = 1.0  # for a coin: 10, times 0.1
VALUE_WEIGHT = 0.5
LONGEST_GRADIENT = 0.5


class Play(NamedTuple):
    """T decisions of N games; `ended` by a coin or a hazard, `late` by the limit of time."""

    x: np.ndarray  # (T, N, D)
    actions: np.ndarray  # (T, N)
    log_p: np.ndarray  # (T, N) of these actions when they were drawn
    values: np.ndarray  # (T, N)
    next_values: np.ndarray  # (T, N) of the states they led to, before any new level
    rewards: np.ndarray  # (T, N)
    ended: np.ndarray  # (T, N)
    late: np.ndarray  # (T, N)


def player(kind, config, weights):
    """Build a net with heads for the policy and the value."""
    heads = [(ACTIONS, 0.01), (1, 1.0)]
    return kind(np.random.default_rng(weights), config.hidden_size, heads)


def decide(net, x, rng):
    """Draw actions (N,) at states x (N, D); returns them, their log p, and the states' values."""
    y, _, _ = net.forward(x)
    log_p = log_softmax(y[:, :ACTIONS])  # (N, 6)
    reached = np.exp(log_p).cumsum(1) > rng.random((len(x), 1))  # (N, 6)
    reached[:, -1] = True  # whatever rounding says
    actions = reached.argmax(1)
    return actions, log_p[np.arange(len(x)), actions], y[:, ACTIONS]


def play(net, world, level_count, rng, decisions):
    """Play on; whoever is done gets a level by chance."""
    net.before_evaluation()
    games = len(world.x)
    rounds = []
    for t in range(decisions):
        x = world.observe()
        actions, log_p, values = decide(net, x, rng)
        won, ended, late = world.step(actions)
        next_values = None  # those of the next round, except where they are needed now
        if t == decisions - 1 or late.any():
            next_values = net.forward(world.observe())[0][:, ACTIONS]
        rounds.append([x, actions, log_p, values, next_values, REWARD * won, ended, late])
        world.reset(ended | late, rng.integers(level_count, size=games))
    for now, later in zip(rounds, rounds[1:], strict=False):
        now[4] = later[3] if now[4] is None else now[4]
    return Play(*map(np.stack, zip(*rounds, strict=True)))


def advantages(game, gamma):
    """Return A (T, N): what follows an action, beyond the value of its state.

    delta = r + gamma V' (1 - ended) - V,  A = delta + gamma LAMBDA A', where the game goes on.
    """
    delta = game.rewards + gamma * game.next_values * ~game.ended - game.values  # (T, N)
    going = gamma * LAMBDA * ~(game.ended | game.late)  # (T, N)
    found = np.zeros_like(delta)
    ahead = 0.0
    for t in reversed(range(len(delta))):
        ahead = delta[t] + going[t] * ahead
        found[t] = ahead
    return found


def ppo_slope(y, actions, old_log_p, advantage, returns, config):
    """Return the slope (N, 7) of PPO's loss by the outputs y: six logits, then the value.

    The loss is the mean of VALUE_WEIGHT (V - return)^2 - min(r A, clip(r) A) - entropy H, where
    r = p / old p of the action.
    """
    log_p = log_softmax(y[:, :ACTIONS])  # (N, 6)
    p = np.exp(log_p)
    rows = np.arange(len(y))
    ratio = np.exp(log_p[rows, actions] - old_log_p)  # (N,)
    beyond = np.where(advantage > 0, ratio - 1, 1 - ratio) > config.clip_ratio  # nothing to gain
    push = np.where(beyond, 0, advantage * ratio)[:, None]  # (N, 1)
    entropy = -(p * log_p).sum(1, keepdims=True)  # (N, 1)
    dy = np.empty_like(y)
    dy[:, :ACTIONS] = push * p + config.entropy * p * (log_p + entropy)
    dy[rows, actions] -= push[:, 0]
    dy[:, ACTIONS] = 2 * VALUE_WEIGHT * (y[:, ACTIONS] - returns)
    return dy / len(y)


def improve(net, game, rng, config):
    """Update policy and value in PASSES over what was played."""
    advantage = advantages(game, config.gamma).ravel()  # (T N,)
    returns = advantage + game.values.ravel()
    x = game.x.reshape(-1, INPUTS)
    for _ in range(PASSES):
        order = rng.permutation(len(x))
        for start in range(0, len(x), B_BATCH):
            rows = order[start : start + B_BATCH]
            some = advantage[rows]
            some = (some - some.mean()) / (some.std() + 1e-8)
            net.before_update()
            y, inputs, zs = net.forward(x[rows])
            old = game.actions.ravel()[rows], game.log_p.ravel()[rows]
            net.backward(inputs, zs, ppo_slope(y, *old, some, returns[rows], config))
            net.gradient *= min(1, LONGEST_GRADIENT / (np.linalg.norm(net.gradient) + 1e-12))
            net.descend(config.learning_rate)


def learn_phase(net, levels, seeds, config, tell):
    """Learn on the levels of a phase: success of the episodes that end in its last quarter."""
    play_rng, shuffle_rng = map(np.random.default_rng, seeds)
    world = World(levels, config.environments)
    everyone = np.ones(config.environments, bool)
    world.reset(everyone, play_rng.integers(len(levels), size=config.environments))
    won, over = 0, 0
    for iteration in range(config.iterations):
        game = play(net, world, len(levels), play_rng, config.decisions_per_iteration)
        improve(net, game, shuffle_rng, config)
        if iteration >= 3 * config.iterations // 4:
            won += int((game.rewards > 0).sum())
            over += int((game.ended | game.late).sum())
        tell((iteration + 1) / config.iterations, f"won {won} of {over}")
    return won / over if over else None


def attempt(choose, levels):
    """Play each level once with choose(x) -> actions: success, and up to LOOK distinct states."""
    world = World(levels, len(levels))
    world.reset(np.ones(len(levels), bool), np.arange(len(levels)))
    seen = []
    for _ in range(LIMIT // HOLD):
        x = world.observe()
        seen.append(x[world.playing])
        world.step(choose(x))
    return float(world.won.mean()), distinct(np.concatenate(seen), LOOK)


def examine(net, levels, seed):
    """Test a net, its actions drawn from its policy: {test, inactive, dead, rank}."""
    rng = np.random.default_rng(seed)
    net.before_evaluation()
    success, seen = attempt(lambda x: decide(net, x, rng)[0], levels)
    return {"test": success} | meters(net, seen)


class Season(NamedTuple):
    """All that the nets of part B share."""

    levels: list  # of arrays of levels, one for each phase
    unseen: list  # of arrays of test levels, one for each phase
    learning: list  # of pairs of seeds, one for each phase: play, order of updates
    testing: list  # of seeds, one for each phase
    weights: np.random.SeedSequence


def draw_season(config, seed):
    """Draw levels, and a seed for whatever else is random."""
    level_seed, unseen_seed, learn_seed, test_seed, weights = seed.spawn(5)
    levels = [make_levels(s, config.levels) for s in level_seed.spawn(config.phases)]
    known = np.concatenate(levels)  # short levels are few, and some would come up again
    seeds = unseen_seed.spawn(config.phases)
    unseen = [make_levels(s, config.test_levels, known) for s in seeds]
    learning = [s.spawn(2) for s in learn_seed.spawn(config.phases)]
    return Season(levels, unseen, learning, test_seed.spawn(config.phases), weights)


def learn_game(net, season, config, tell, after=lambda net: {}):
    """Learn phase after phase: a row for each, after which `after(net)` may add to it."""
    rows = []
    for phase, levels in enumerate(season.levels):

        def tell_all(fraction, message, phase=phase):
            tell((phase + fraction) / config.phases, f"phase {phase + 1}: {message}")

        success = learn_phase(net, levels, season.learning[phase], config, tell_all)
        row = examine(net, season.unseen[phase], season.testing[phase])
        rows.append({"train": success} | row | after(net))
    return rows


# ---- the experiment ------------------------------------------------------------------------------
REPORTED = "test", "inactive", "dead", "rank"


def share_of(progress, start, end):
    """Return a progress function for a part of the run."""
    return lambda fraction, message: progress(start + (end - start) * fraction, message)


def cut(new, old):
    """Return by which share `new` is below `old`, None where that means nothing."""
    return 1 - new / old if old else None


def retained(row):
    """Return the accuracy on the last tasks over that on the first."""
    return row["last"] / row["first"] if row["first"] else None


def minus(one, other):
    """Return a difference, None if a number is missing."""
    return None if one is None or other is None else one - other


def run(config, seed, progress):
    """Run both parts with a ReLU net and a spectral one; in part A also start afresh each time."""
    memory, game = np.random.SeedSequence(seed).spawn(2)
    lessons = draw_lessons(config, memory)
    season = draw_season(config, game)
    parts = [(ReLUNet, False), (SpectralNet, False), (ReLUNet, True)]
    memories = []
    for n, (kind, afresh) in enumerate(parts):
        tell = share_of(progress, n / 6, (n + 1) / 6)
        memories.append(memorise(kind, lessons, config, tell, afresh))
    a_relu, a_sn, a_fresh = [row for _, _, row, _ in memories]
    finals = []
    for kind, start in ((ReLUNet, 0.5), (SpectralNet, 0.75)):
        net = player(kind, config, season.weights)
        tell = share_of(progress, start, start + 0.25)
        finals.append(learn_game(net, season, config, tell)[-1])
    b_relu, b_sn = [{name: row[name] for name in REPORTED} for row in finals]
    blind, _ = attempt(lambda x: np.full(len(x), RIGHT_AND_JUMP), season.unseen[-1])
    untrained = player(ReLUNet, config, season.weights)
    start = examine(untrained, season.unseen[-1], season.testing[-1])
    return {
        "claims": {
            "test_gain": b_sn["test"] - b_relu["test"],
            "inactive_cut": cut(b_sn["inactive"], b_relu["inactive"]),
            "rank_gain": b_sn["rank"] - b_relu["rank"],
            "retained_gain": minus(retained(a_sn), retained(a_relu)),
            "to_lose": minus(retained(a_fresh), retained(a_relu)),
        },
        "a_relu": a_relu,
        "a_sn": a_sn,
        "a_fresh": {"first": a_fresh["first"], "last": a_fresh["last"]},
        "b_relu": b_relu,
        "b_sn": b_sn,
        "b_blind": {"test": blind},
        "b_untrained": {"test": start["test"], "rank": start["rank"]},
        "curve": {"x": list(range(1, config.tasks + 1)), "y": memories[0][0]},
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
