# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""A net that sees no velocities balances a pole, taught by a world model that it learns itself.

J. Schmidhuber, "Making the world differentiable", FKI-126-90, TU Munich 1990, and "Reinforcement
learning in Markovian and non-Markovian environments", NIPS 3, 1991. A recurrent model M learns
from real trials how cart and pole move and when it hurts. A recurrent controller C then acts in
M's imagination, and the predicted pain flows back through M's inputs and states into C's weights.
Claim: some 25 steps until the pole falls before learning, more than 1,000 within a few hundred
trials, more than 3,000 from friendly starts. Controllers without memory, everything else alike,
stand beside it.

    python3 pole_balance_non_markov.py --seed 0      # all nets in lock-step, about a minute
    python3 pole_balance_non_markov.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[tuple[int, ...], "controllers with memory, and without", (1, 50)] = (2, 1)
    cost: Annotated[str, "what C avoids: M's pain, or distance", ("pain", "dense")] = "pain"
    hidden_m: Annotated[int, "hidden units of the model M", (2, 256)] = 32
    hidden_c: Annotated[int, "hidden units of the controller C", (2, 256)] = 16
    random_trials: Annotated[int, "real trials of random actions", (20, 5000)] = 200
    cycle_trials: Annotated[int, "real trials of C in each cycle", (1, 1000)] = 25
    cycles: Annotated[int, "cycles of M, then C, then trials", (1, 100)] = 12
    warm_up: Annotated[int, "recorded steps before imagination starts", (0, 20)] = 10
    horizon: Annotated[tuple[int, ...], "imagined steps: two in cycle 1, then each", (1, 500)] = (
        25,
        40,
        50,
        60,
        80,
    )
    batch: Annotated[tuple[int, ...], "windows of M, prefixes of C, per update", (1, 1024)] = (
        64,
        32,
    )
    iterations: Annotated[tuple[int, ...], "updates: M at first, M, C", (0, 10**5)] = (
        1500,
        500,
        200,
    )
    rate_m: Annotated[tuple[float, ...], "Adam's step for M, at first and later", (0, 1)] = (
        0.01,
        0.005,
    )
    rate_c: Annotated[float, "Adam's step for C", (0.0, 1.0)] = 0.005
    action_noise: Annotated[float, "sd added to C's actions in real trials", (0.0, 1.0)] = 0.1
    clip: Annotated[float, "largest gradient norm of a net", (0.0, 1e6)] = 1.0

    def __post_init__(self):
        lengths = {"nets": 2, "horizon": 0, "batch": 2, "iterations": 3, "rate_m": 2}
        for name, length in lengths.items():
            if length and len(getattr(self, name)) != length:
                raise ValueError(f"argument --{name.replace('_', '-')}: needs {length} numbers")
        if len(self.horizon) < 2:
            raise ValueError("argument --horizon: needs 2 numbers or more")


QUICK = {
    "nets": (2, 1),
    "random_trials": 20,
    "cycle_trials": 4,
    "cycles": 2,
    "horizon": (8, 10, 12),
    "iterations": (30, 10, 10),
}
LONGEST = 10_000  # steps at which a trial ends
TESTS = 100  # fresh starts of each kind
SPREAD, FRIENDLY = 0.05, 0.01  # of the starts
SPANS = 40, 60  # steps of M's windows, at first and later
LAST_RATE = 0.05  # share of the rate that is left at the end of a training
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
PAINFUL, FAR = 0.9, 1.5  # imagination ends at this predicted pain, or this far out

# ---- the cart-pole ----
GRAVITY, CART, POLE, HALF_LENGTH, FORCE, DT = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02  # SI units
TRACK, TILT = 2.4, np.deg2rad(12)  # where a trial fails, m and rad
LIMITS = np.array([TRACK, TILT])  # positions are shown in these units


def accelerations(theta, omega, action):
    """Return the accelerations of cart and pole, m/s^2 and rad/s^2 (C. W. Anderson's equations)."""
    sin, cos = np.sin(theta), np.cos(theta)
    push = (FORCE * action + POLE * HALF_LENGTH * omega * omega * sin) / (CART + POLE)
    inertia = HALF_LENGTH * (4 / 3 - POLE / (CART + POLE) * cos * cos)
    turn = (GRAVITY * sin - cos * push) / inertia
    return push - POLE * HALF_LENGTH / (CART + POLE) * turn * cos, turn


class CartPole:
    """Cart-poles side by side, each until it fails; then it stays where it is."""

    def __init__(self, shape, spread):
        self.shape, self.spread = shape, spread

    def reset(self, rng):
        """Draw the states (4, ...): place, speed, angle, angular velocity."""
        self.state = rng.uniform(-self.spread, self.spread, (4, *self.shape)).astype(np.float32)
        self.up = np.ones(self.shape, bool)
        self.steps = np.zeros(self.shape, np.int64)  # until each fell
        return self.seen()

    def seen(self):
        """Return all that C and M are shown, (2, ...): place and angle, failure at 1."""
        return self.state[::2] / LIMITS.astype(np.float32).reshape(2, *[1] * len(self.shape))

    def step(self, action):
        """Make one Euler step with the old velocities, actions (...) in [-1, 1]."""
        x, v, theta, omega = self.state
        push, turn = accelerations(theta, omega, action)
        new = np.stack([x + DT * v, v + DT * push, theta + DT * omega, omega + DT * turn])
        self.state = np.where(self.up, new, self.state)
        self.steps += self.up
        self.up = self.up & (np.abs(self.state[0]) <= TRACK) & (np.abs(self.state[2]) <= TILT)
        return self.seen()


# ---- recurrent nets, N in lock-step ----
class Recurrent:
    """Nets h(t) = tanh(W [h(t-1); input(t); 1]), outputs V [h(t); 1]; an update sees B sequences.

    A tape z (T + 1, N, H + inputs + 1, B) holds [h(t-1); input(t); 1] in z[t].
    """

    def __init__(self, hidden, inputs, outputs):
        self.hidden, self.inputs, self.outputs = hidden, inputs, outputs  # H, I, O

    def initial(self, rng, nets):
        """Draw the weights theta (N, P): wide for inputs, narrow for outputs, no bias."""
        deviation = 0.9 / np.sqrt(self.hidden)
        W = rng.standard_normal((nets, self.hidden, self.hidden + self.inputs + 1))
        W[:, :, self.hidden : -1] *= 1.5
        W[:, :, -1] = 0
        V = 0.1 * rng.standard_normal((nets, self.outputs, self.hidden + 1))
        V[:, :, -1] = 0
        theta = np.concatenate([W.reshape(nets, -1), V.reshape(nets, -1)], axis=1)
        return (deviation * theta).astype(np.float32)

    def weights(self, theta):
        """Return views of theta: W (N, H, H + I + 1) and V (N, O, H + 1)."""
        W, V = np.split(theta, [self.hidden * (self.hidden + self.inputs + 1)], axis=1)
        return W.reshape(len(W), self.hidden, -1), V.reshape(len(V), self.outputs, -1)

    def tape(self, steps, nets, batch, dtype, old=None):
        """Return an empty tape, or the old one, to be written over, where it has this shape."""
        shape = (steps + 1, nets, self.hidden + self.inputs + 1, batch)
        if old is not None and old.shape == shape:
            return old
        z = np.zeros(shape, dtype)
        z[:, :, -1] = 1
        return z

    def advance(self, W, V, z, t):
        """Take step t on the tape, and return its outputs (N, O, B)."""
        H = self.hidden
        h = z[t + 1, :, :H]  # (N, H, B)
        np.tanh(np.matmul(W, z[t]), out=h)
        return np.matmul(V[:, :, :H], h) + V[:, :, H:]

    def retreat(self, W, V, z, t, d_y, d_h):
        """Return dE/d(net inputs) (N, H, B) and dE/dz[t], given dE/d(outputs) and dE/dh(t)."""
        H = self.hidden
        h = z[t + 1, :, :H]  # (N, H, B)
        d_a = (np.matmul(V[:, :, :H].swapaxes(1, 2), d_y) + d_h) * (1 - h * h)  # (N, H, B)
        return d_a, np.matmul(W.swapaxes(1, 2), d_a)

    def collect(self, dW, dV, z, t, d_a, d_y):
        """Add what step t contributes to dE/dW and dE/dV."""
        H = self.hidden
        dW += np.matmul(d_a, z[t].swapaxes(1, 2))
        dV[:, :, :H] += np.matmul(d_y, z[t + 1, :, :H].swapaxes(1, 2))
        dV[:, :, H] += d_y.sum(2)


class Adam:
    """Adam with each net's gradient clipped, and a rate that falls linearly."""

    def __init__(self, rate, updates, clip):
        self.rate, self.updates, self.clip = rate, updates, clip
        self.mean, self.square, self.count = 0.0, 0.0, 0

    def step(self, theta, gradient):
        """Return the weights (N, P) after one update."""
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)  # (N, 1)
        gradient = gradient * np.minimum(1, self.clip / np.maximum(norm, 1e-12))
        rate = self.rate * (1 - (1 - LAST_RATE) * self.count / self.updates)
        self.count += 1
        self.mean = BETA_1 * self.mean + (1 - BETA_1) * gradient
        self.square = BETA_2 * self.square + (1 - BETA_2) * gradient * gradient
        rate = rate * np.sqrt(1 - BETA_2**self.count) / (1 - BETA_1**self.count)
        theta = theta - rate * self.mean / (np.sqrt(self.square) + EPSILON)
        if not np.isfinite(theta).all():
            raise FloatingPointError(f"a weight is nan after {self.count} updates")
        return theta.astype(gradient.dtype)


# ---- what a net remembers of its trials ----
def draw(rng, values, count):
    """Draw some of the values, with replacement."""
    return values[rng.integers(len(values), size=count)]


class Records:
    """Trials of one net, end to end in rows (x, angle, action), positions in units of failure."""

    def __init__(self, random_trials):
        self.random_trials = random_trials
        self.rows = np.empty((0, 3), np.float32)
        self.first = np.empty(0, np.intp)  # (trials,) row at which a trial starts
        self.steps = np.empty(0, np.intp)  # (trials,)

    def add(self, log, steps):
        """Add trials: log (T + 1, 3, trials), which says nothing after a trial's last step."""
        parts = [log[: count + 1, :, k] for k, count in enumerate(steps)]
        first = len(self.rows) + np.cumsum([0, *steps + 1])[:-1]
        self.first = np.append(self.first, first.astype(np.intp))
        self.steps = np.append(self.steps, steps)
        self.rows = np.concatenate([self.rows, *parts])

    def choose(self, rng, count, more_than):
        """Draw trials of more steps than this; from when C has some, half are C's."""
        long = np.flatnonzero(self.steps > more_than)
        cut = np.searchsorted(long, self.random_trials)
        early, late = long[:cut], long[cut:]
        halves = ((early, count - count // 2), (late, count // 2))
        return np.concatenate([draw(rng, part if len(part) else long, k) for part, k in halves])

    def windows(self, rng, count, span):
        """Return rows (span + 1, 3, B) of windows, and pain and mask (span, B): 1 where it counts.

        Of a long trial, 3 windows in 10 stand at its start and 3 at its end, where it hurts.
        """
        trial = self.choose(rng, count, 0)
        steps = self.steps[trial]  # (B,)
        room = np.maximum(steps - span, 0)
        kind = rng.random(count)
        anywhere = (rng.random(count) * (room + 1)).astype(np.intp)
        begin = np.where(kind < 0.3, 0, np.where(kind < 0.6, room, anywhere))
        step = begin + np.arange(span + 1)[:, None]  # (span + 1, B)
        rows = self.rows[self.first[trial] + np.minimum(step, steps)]
        pain = (step[:-1] == steps - 1) & (steps < LONGEST)
        mask = step[:-1] < steps
        mask[0] = False  # one position tells no velocity
        return rows.swapaxes(1, 2), pain, mask

    def prefixes(self, rng, count, warm_up):
        """Return rows (warm_up + 1, 3, B); a quarter starts trials, others end upright."""
        trial = self.choose(rng, count, warm_up)
        tries = (rng.random((4, count)) * (self.steps[trial] - warm_up)).astype(np.intp)
        tilt = np.abs(self.rows[self.first[trial] + tries + warm_up, 1])  # (4, B)
        begin = tries[(tilt < 0.7).argmax(0), np.arange(count)]  # (B,)
        begin[rng.random(count) < 0.25] = 0
        step = self.first[trial] + begin + np.arange(warm_up + 1)[:, None]
        return self.rows[step].swapaxes(1, 2)


def stack(parts):
    """Return what each of N nets has drawn, with nets as the second axis."""
    return np.stack(parts, axis=1)


# ---- the model M ----
SEEN = np.array([4, 2], np.float32)[:, None]  # positions as the nets get them


class Model:
    """M: from positions and action to the next positions and to the logit of pain.

    Its outputs are changes of position in units of their deviation in random trials, scale.
    """

    def __init__(self, net, theta, scale):
        self.net, self.theta, self.scale = net, theta, scale  # scale (N, 2, 1)
        self.z = None

    def gradient(self, rows, pain, mask):
        """Return the gradient (N, P) of M's loss, a mean over the steps that count.

        The loss is half the squared error of both changes, plus the cross-entropy of pain.
        """
        net, H = self.net, self.net.hidden
        W, V = net.weights(self.theta)
        T, N, _, B = rows[1:].shape
        self.z = z = net.tape(T, N, B, self.theta.dtype, self.z)
        z[:-1, :, H : H + 2] = SEEN * rows[:-1, :, :2]
        z[:-1, :, H + 2] = rows[:-1, :, 2]
        y = np.stack([net.advance(W, V, z, t) for t in range(T)])  # (T, N, 3, B)
        share = mask / mask.sum((0, 2))[:, None].astype(self.theta.dtype)  # (T, N, B)
        d_y = np.empty_like(y)
        d_y[:, :, :2] = y[:, :, :2] - (rows[1:, :, :2] - rows[:-1, :, :2]) / self.scale
        d_y[:, :, 2] = 1 / (1 + np.exp(-y[:, :, 2])) - pain
        d_y *= share[:, :, None]

        gradient, d_h = np.zeros_like(self.theta), 0.0
        dW, dV = net.weights(gradient)
        for t in reversed(range(T)):
            d_a, d_z = net.retreat(W, V, z, t, d_y[t], d_h)
            net.collect(dW, dV, z, t, d_a, d_y[t])
            d_h = d_z[:, :H]
        return gradient

    def begin(self, rows, steps):
        """Live through recorded rows (P + 1, N, 3, B), before some of these steps are imagined."""
        self.W, self.V = self.net.weights(self.theta)
        self.z = self.net.tape(steps, *rows.shape[1::2], self.theta.dtype, self.z)
        self.d_h = 0.0
        for t in range(len(rows) - 1):
            self.predict(t, rows[t, :, :2], rows[t, :, 2:])

    def predict(self, t, seen, action):
        """Return the next positions (N, 2, B) and the logit of pain (N, B)."""
        H = self.net.hidden
        self.z[t, :, H : H + 2] = SEEN * seen
        self.z[t, :, H + 2 : H + 3] = action
        y = self.net.advance(self.W, self.V, self.z, t)
        return seen + self.scale * y[:, :2], y[:, 2]

    def pull(self, t, d_next, d_logit):
        """Return dE/d(positions) (N, 2, B) and dE/d(action) (N, 1, B) of step t."""
        H = self.net.hidden
        d_y = np.concatenate([self.scale * d_next, d_logit[:, None]], axis=1)
        _, d_z = self.net.retreat(self.W, self.V, self.z, t, d_y, self.d_h)
        self.d_h = d_z[:, :H]
        return d_next + SEEN * d_z[:, H : H + 2], d_z[:, H + 2 : H + 3]


# ---- the controller C in M's imagination ----
def pain_cost(seen, logit):
    """Return -log(1 - predicted pain) (N, B), its slopes, and where imagination ends."""
    p = 1 / (1 + np.exp(-logit))
    return np.logaddexp(0, logit), np.zeros_like(seen), p, p > PAINFUL


def dense_cost(seen, logit):
    """Return angle^2 + 0.3 place^2 (N, B), its slopes, and where imagination ends."""
    weight = np.array([[0.3], [1.0]], seen.dtype)  # (2, 1)
    cost = (weight * seen * seen).sum(1)
    return cost, 2 * weight * seen, np.zeros_like(logit), (np.abs(seen) > FAR).any(1)


COSTS = {"pain": pain_cost, "dense": dense_cost}


class Dream:
    """C acts, M answers, and what it costs flows back through both into C's weights alone."""

    def __init__(self, net, model, cost):
        self.net, self.model, self.cost, self.z = net, model, cost, None

    def forward(self, theta, rows, horizon):
        """Return the mean cost (N,) of an imagined step after recorded rows (P + 1, N, 3, B)."""
        net, H = self.net, self.net.hidden
        self.warm, self.steps = len(rows) - 1, len(rows) - 1 + horizon
        self.W, self.V = net.weights(theta)
        _, N, _, B = rows.shape
        self.z = net.tape(self.steps, N, B, theta.dtype, self.z)
        self.z[: self.warm, :, H:-1] = SEEN * rows[:-1, :, :2]
        for t in range(self.warm):
            net.advance(self.W, self.V, self.z, t)
        self.model.begin(rows, self.steps)
        seen, alive, total, self.tape = rows[-1, :, :2], np.ones((N, B), bool), 0.0, []
        for t in range(self.warm, self.steps):
            self.z[t, :, H:-1] = SEEN * seen
            action = np.tanh(net.advance(self.W, self.V, self.z, t))  # (N, 1, B)
            seen, logit = self.model.predict(t, seen, action)
            cost, d_seen, d_logit, over = self.cost(seen, logit)
            total = total + (alive * cost).sum(1)
            self.tape.append((action, alive[:, None] * d_seen, alive * d_logit))
            alive = alive & ~over
        return total / (B * horizon)

    def backward(self):
        """Return the gradient (N, P) of the mean cost."""
        net, H = self.net, self.net.hidden
        T, N, _, B = self.z[1:].shape
        gradient = np.zeros((N, self.W[0].size + self.V[0].size), self.z.dtype)
        dW, dV = net.weights(gradient)
        d_seen, d_h, d_y = 0.0, 0.0, np.zeros((N, 1, B), self.z.dtype)
        for t in reversed(range(T)):
            if t >= self.warm:
                action, d_cost, d_logit = self.tape[t - self.warm]
                d_seen, d_action = self.model.pull(t, d_seen + d_cost, d_logit)
                d_y = d_action * (1 - action * action)  # (N, 1, B)
            d_a, d_z = net.retreat(self.W, self.V, self.z, t, d_y, d_h)
            net.collect(dW, dV, self.z, t, d_a, d_y)
            d_h = d_z[:, :H]
            d_seen = d_seen + SEEN * d_z[:, H:-1]
            d_y = np.zeros_like(d_y)
        return gradient / (B * (T - self.warm))


class Player:
    """C at work: deterministic, or with noise on its actions."""

    def __init__(self, net, theta, batch, noise=0.0, rng=None):
        self.net, self.noise, self.rng = net, noise, rng
        self.W, self.V = net.weights(theta)
        self.z = net.tape(1, len(theta), batch, theta.dtype)

    def __call__(self, seen):
        """Return the actions (N, B) at positions (2, N, B)."""
        H = self.net.hidden
        self.z[0, :, :H] = self.z[1, :, :H]
        self.z[0, :, H:-1] = SEEN * seen.swapaxes(0, 1)
        action = np.tanh(self.net.advance(self.W, self.V, self.z, 0)[:, 0])
        if self.noise:
            action = action + self.noise * self.rng.standard_normal(action.shape)
        return np.clip(action, -1, 1).astype(np.float32)


def play(poles, rng, act, keep=False):
    """Let poles (N, B) go until all fell; return steps (N, B) and, if kept, (T + 1, 3, N, B)."""
    seen, log = poles.reset(rng), []
    for _ in range(LONGEST):
        action = act(seen)
        if keep:
            log.append([*seen, action])
        seen = poles.step(action)
        if not poles.up.any():
            break
    return poles.steps, np.array([*log, [*seen, action]], np.float32) if keep else None


# ---- the loop ----
class Learner:
    """N controllers in lock-step, each with its own model, records and real trials."""

    def __init__(self, config, memory, streams):
        self.config, self.nets = config, len(memory)  # memory (N,): 1, or 0 where recurrence is cut
        self.net_c = Recurrent(config.hidden_c, 2, 1)
        self.net_m = Recurrent(config.hidden_m, 3, 3)
        first_c, first_m, *streams = streams
        theta = self.net_c.initial(first_c, self.nets)
        self.free = np.ones_like(theta)  # (N, P) what C may learn
        W, _ = self.net_c.weights(self.free)
        W[:, :, : config.hidden_c] = np.reshape(memory, (-1, 1, 1))
        self.theta_c = self.kept = theta * self.free
        self.theta_m = self.net_m.initial(first_m, self.nets)
        self.rng_random, self.rng_trials, self.rng_windows, self.rng_prefixes = streams
        self.records = [Records(config.random_trials) for _ in memory]
        self.trials = np.empty((self.nets, 0), np.int64)  # steps of each real trial
        self.best = np.zeros(self.nets)  # median steps of C's trials, of the C that is kept

    def practise(self, count, rng, act):
        """Make and remember real trials; return their steps (N, count)."""
        steps, log = play(CartPole((self.nets, count), SPREAD), rng, act, keep=True)
        for n, records in enumerate(self.records):
            records.add(log[:, :, n], steps[n])
        self.trials = np.append(self.trials, steps, axis=1)
        return steps

    def begin(self):
        """Make the trials of random actions, and take from them the scale of M's outputs."""
        shape, rng = (self.nets, self.config.random_trials), self.rng_random
        self.practise(shape[1], rng, lambda seen: rng.uniform(-1, 1, shape).astype(np.float32))
        changes = []
        for records in self.records:
            change = np.diff(records.rows[:, :2], axis=0)  # (rows - 1, 2)
            ends = records.first[1:] - 1  # from the last row of a trial to the next trial's first
            changes.append(np.delete(change, ends, axis=0).std(0))
        self.scale = np.array(changes, np.float32)[:, :, None]  # (N, 2, 1)

    def learn_model(self, cycle):
        """Train M on windows of all real trials so far."""
        config, later = self.config, cycle > 0
        updates = config.iterations[later]
        adam = Adam(config.rate_m[later], updates, config.clip)
        model = Model(self.net_m, self.theta_m, self.scale)
        for _ in range(updates):
            drawn = [
                r.windows(self.rng_windows, config.batch[0], SPANS[later]) for r in self.records
            ]
            gradient = model.gradient(*[stack(parts) for parts in zip(*drawn)])
            self.theta_m = model.theta = adam.step(self.theta_m, gradient)

    def learn_controller(self, cycle):
        """Train C in M's imagination, which reaches further from cycle to cycle."""
        config, updates = self.config, self.config.iterations[2]
        adam = Adam(config.rate_c, updates, config.clip)
        dream = Dream(self.net_c, self.model(), COSTS[config.cost])
        for update in range(updates):
            drawn = [
                r.prefixes(self.rng_prefixes, config.batch[1], config.warm_up) for r in self.records
            ]
            stage = cycle + 1 if cycle else 2 * update // updates
            horizon = config.horizon[min(stage, len(config.horizon) - 1)]
            dream.forward(self.theta_c, stack(drawn), horizon)
            self.theta_c = adam.step(self.theta_c, self.free * dream.backward())

    def model(self):
        """Return what C dreams with."""
        return Model(self.net_m, self.theta_m, self.scale)

    def judge(self, steps):
        """Keep the C whose real trials had the best median; return to it from one below half."""
        median = np.median(steps, axis=1)  # (N,)
        better, worse = median > self.best, median < self.best / 2
        self.kept = np.where(better[:, None], self.theta_c, self.kept)
        self.best = np.maximum(self.best, median)
        self.theta_c = np.where(worse[:, None], self.kept, self.theta_c)

    def learn(self, progress):
        """Make all real trials, and train M and C between them."""
        config = self.config
        self.begin()
        for cycle in range(config.cycles):
            progress(cycle / config.cycles, f"cycle {cycle + 1}, median steps {self.best.round()}")
            self.learn_model(cycle)
            self.learn_controller(cycle)
            shape, rng = (self.theta_c, config.cycle_trials), self.rng_trials
            act = Player(self.net_c, *shape, config.action_noise, rng)
            self.judge(self.practise(config.cycle_trials, rng, act))


# ---- evaluation ----
def balance(net, theta, rng, spread):
    """Return the steps (N, TESTS) of controllers without noise from fresh starts."""
    poles = CartPole((len(theta), TESTS), spread)
    return play(poles, rng, Player(net, theta, TESTS))[0]


def read_out(net, theta, rng, noise):
    """Return R^2 (N, 2) of linear read-outs of both velocities from C's units, on unseen poles."""
    poles, act = CartPole((len(theta), TESTS), SPREAD), Player(net, theta, TESTS, noise, rng)
    seen, units, speeds, up = poles.reset(rng), [], [], []
    for _ in range(200):
        action = act(seen)
        units.append(act.z[1].copy())
        speeds.append(poles.state[1::2])
        up.append(poles.up)
        seen = poles.step(action)
    x = np.array(units[10:])[:, :, : net.hidden].transpose(1, 3, 0, 2)  # (N, B, T, H)
    x = np.concatenate([x, np.ones_like(x[..., :1])], axis=3)
    y = np.array(speeds[10:]).transpose(2, 3, 0, 1)  # (N, B, T, 2)
    up = np.array(up[10:]).transpose(1, 2, 0)  # (N, B, T)
    fit, rest, scores = slice(0, TESTS // 2), slice(TESTS // 2, TESTS), []
    for n in range(len(theta)):
        x_fit, x_rest = (x[n, part][up[n, part]] for part in (fit, rest))  # (samples, H + 1)
        y_fit, y_rest = (y[n, part][up[n, part]] for part in (fit, rest))  # (samples, 2)
        guess = x_rest @ np.linalg.lstsq(x_fit, y_fit, rcond=None)[0]
        scores.append(1 - ((guess - y_rest) ** 2).mean(0) / y_rest.var(0))
    return np.array(scores)


def model_error(model, rng, nets):
    """Return M's squared error over linear extrapolation's (N, 2), on fresh random trials."""
    shape = (nets, TESTS)
    act = lambda seen: rng.uniform(-1, 1, shape).astype(np.float32)  # noqa: E731
    steps, log = play(CartPole(shape, SPREAD), rng, act, keep=True)
    rows = log.transpose(0, 2, 1, 3)  # (T + 1, N, 3, B)
    model.begin(rows[:1], len(rows) - 1)
    guess = [model.predict(t, rows[t, :, :2], rows[t, :, 2:])[0] for t in range(len(rows) - 1)]
    linear = 2 * rows[1:-1, :, :2] - rows[:-2, :, :2]  # (T - 1, N, 2, B)
    known = np.arange(1, len(rows) - 1)[:, None, None, None] < steps[:, None]
    errors = [(known * (g - rows[2:, :, :2]) ** 2).sum((0, 3)) for g in (guess[1:], linear)]
    return errors[0] / errors[1]


def summary(learner, rows, steps, friendly, read):
    """Return the metrics of the nets in these rows."""
    config, trials = learner.config, learner.trials[rows]
    long = trials > 1000  # (nets, trials)
    first = np.where(long.any(1), long.argmax(1) + 1, config.random_trials * 10**6)
    return {
        "share_1000": long.any(1).mean(),
        "trials_to_1000": np.median(first) if np.median(first) <= trials.shape[1] else None,
        "share_3000_friendly": (friendly[rows] > 3000).any(1).mean(),
        "share_10000": (steps[rows] >= LONGEST).mean(),
        "test_steps": np.median(np.median(steps[rows], axis=1)),
        "read_cart": np.median(read[rows, 0]),
        "read_pole": np.median(read[rows, 1]),
    }


def curve(trials, config):
    """Return the median steps of each part of the real trials (N, trials), at its last trial."""
    ends = config.random_trials + config.cycle_trials * np.arange(config.cycles + 1)
    parts = np.split(trials, ends[:-1], axis=1)
    return {"x": ends.tolist(), "y": [float(np.median(part)) for part in parts]}


def run(config, seed, progress):
    """Train nets with and without memory side by side, and test what they have kept."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(10)]
    *streams, test, friends, reading, probe = streams
    with_memory, without = config.nets
    learner = Learner(config, [1] * with_memory + [0] * without, streams)
    started = time.process_time()
    learner.learn(progress)
    seconds = max(time.process_time() - started, 1e-9)

    net, theta = learner.net_c, learner.kept
    steps = balance(net, theta, test, SPREAD)  # (N, TESTS)
    friendly = balance(net, theta, friends, FRIENDLY)
    read = read_out(net, theta, reading, config.action_noise)
    groups = {"recurrent": slice(0, with_memory), "memoryless": slice(with_memory, None)}
    table = {name: summary(learner, rows, steps, friendly, read) for name, rows in groups.items()}
    log_steps = np.log10(np.median(steps, axis=1))  # (N,)
    error = model_error(learner.model(), probe, learner.nets)[:with_memory]  # (nets, 2)
    table["recurrent"]["steps_per_second"] = learner.trials.sum() / seconds
    return table | {
        "memory_lead": log_steps[:with_memory].mean() - log_steps[with_memory:].mean(),
        "random": {"steps": learner.trials[:, : config.random_trials].mean()},
        "model": {"error_place": np.median(error[:, 0]), "error_angle": np.median(error[:, 1])},
        "curve": curve(learner.trials[:with_memory], config),
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
