# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Upside-down RL: a lander is told which return to get, and learns that from its own past alone.

A behaviour net B(action | state, wanted return, steps left) learns by cross-entropy what was done
in episodes that brought so much in so many steps. Then it is told a little more than the best
episodes had, flies, and learns from what came of it. Nothing predicts rewards. The rival, an
actor-critic (A2C), has as many steps. Both fly with a reward at each step, and with all at the end.

Paper: J. Schmidhuber, arXiv:1912.02875; R. K. Srivastava, P. Shyam, F. Mutz, W. Jaskowski,
J. Schmidhuber, arXiv:1912.02877, 2019. Its LunarLander is here a point with three thrusters.
Claim: beaten by traditional RL with dense reward, ahead of it when all reward comes at the end; it
obeys commands over a wide range.

    python3 upside_down_rl.py --seed 0      # four trainings of 600,000 steps, and a chain
    python3 upside_down_rl.py --help        # every setting

In the shapes N is the number of landers, T of steps, B of a batch, H of hidden units.
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    steps: Annotated[int, "steps of the lander for each learner", (1000, 10**8)] = 600_000
    warm_up: Annotated[int, "random episodes at first", (1, 10**6)] = 1000
    last_few: Annotated[int, "best episodes that commands are drawn from", (1, 10**5)] = 50
    replay: Annotated[int, "episodes in the replay", (1, 10**6)] = 600
    episodes: Annotated[int, "episodes flown between rounds of learning", (1, 10**5)] = 64
    updates: Annotated[int, "batches in a round of learning", (1, 10**6)] = 100
    batch_size: Annotated[int, "steps in a batch", (1, 10**5)] = 256
    learning_rate: Annotated[float, "step size of the behaviour net", (1e-6, 1.0)] = 0.001
    hidden_size: Annotated[int, "units in a hidden layer, of all nets", (1, 4096)] = 64
    return_scale: Annotated[float, "of a wanted return as input", (1e-6, 100.0)] = 1.0
    horizon_scale: Annotated[float, "of the steps left as input", (1e-6, 100.0)] = 0.03
    rate_a2c: Annotated[float, "step size of the actor-critic", (1e-6, 1.0)] = 0.01
    entropy: Annotated[float, "the actor-critic's bonus on entropy", (0.0, 10.0)] = 0.01
    chain_episodes: Annotated[int, "random episodes on the chain", (1, 10**6)] = 3000
    chain_updates: Annotated[int, "batches learned from them", (1, 10**7)] = 5000

    def __post_init__(self):
        if self.last_few > self.replay:
            raise ValueError("argument --last-few: more than the --replay holds")


QUICK = {"steps": 30_000, "warm_up": 100, "updates": 10, "hidden_size": 16, "chain_updates": 300}

# ---- the lander ----------------------------------------------------------------------------------
GRAVITY = -1.0
PUSH = np.array([[0, 0], [-1.5, 0], [0, 2.5], [1.5, 0]])  # (4, 2) of none, left, main, right
FUEL = np.array([0, 0.03, 0.1, 0.03])  # (4,) that they burn per unit of time
ACTIONS = len(PUSH)


def potential(state):
    """Return how near states (N, 4) are to rest on the pad, (N,); 0 is there."""
    return -np.abs(state) @ np.array([1, 0.5, 0.5, 0.5])


class Landers:
    """N landers with states x, y, vx, vy; `sparse`: the whole return is paid at the last step."""

    dt = 0.1  # time of a step
    limit = 80  # steps after which an episode ends

    def __init__(self, rng, count, sparse):
        self.rng = rng
        self.sparse = sparse
        self.state = np.zeros((count, 4))
        self.time = np.zeros(count, np.intp)
        self.total = np.zeros(count)  # of an episode's rewards so far
        self.reset(np.ones(count, bool))

    def reset(self, which):
        """Start those (N,) of the landers anew, high above the pad and near its middle."""
        count = np.count_nonzero(which)
        x = self.rng.uniform(-0.4, 0.4, count)
        y = self.rng.uniform(1.2, 1.5, count)
        vx = self.rng.uniform(-0.3, 0.3, count)
        self.state[which] = np.stack([x, y, vx, np.zeros(count)], 1)
        self.time[which] = 0
        self.total[which] = 0

    def see(self):
        """Return states with the share of time that is over, (N, 5)."""
        return np.column_stack([self.state, self.time / self.limit]).astype(np.float32)

    def step(self, action):
        """Fly on with actions (N,); returns rewards, ends and landings, (N,) each."""
        before = potential(self.state)
        velocity = self.state[:, 2:] + self.dt * (PUSH[action] + (0, GRAVITY))  # (N, 2)
        place = self.state[:, :2] + self.dt * velocity  # (N, 2)
        self.state = np.concatenate([place, velocity], 1)
        self.time += 1
        x, y, vx, vy = np.abs(self.state).T
        down = place[:, 1] <= 0
        landed = down & (x < 0.3) & (vx < 0.4) & (vy < 0.6)
        lost = (down | (x > 1.5) | (y > 2.5)) & ~landed
        end = landed | lost | (self.time >= self.limit)
        reward = potential(self.state) - before - self.dt * FUEL[action] + landed - 1.0 * lost
        self.total += reward
        return (self.total * end if self.sparse else reward), end, landed


class Episodes(NamedTuple):
    """Episodes, one behind the other; arrays of steps have as many rows as `length` adds up to."""

    x: np.ndarray  # (steps, inputs) what was seen
    action: np.ndarray  # (steps,)
    togo: np.ndarray  # (steps,) sum of this and all later rewards
    left: np.ndarray  # (steps,) steps to the end, with this one
    length: np.ndarray  # (episodes,)
    value: np.ndarray  # (episodes,) the return
    landed: np.ndarray  # (episodes,)

    def take(self, kept):
        """Return the episodes of a mask (episodes,)."""
        rows = np.repeat(kept, self.length)  # (steps,)
        return Episodes(*(a[rows] for a in self[:4]), *(a[kept] for a in self[4:]))


def in_line(x, action, reward, active, landed):
    """Put what N agents did in T steps, (T, N, ...) each, one episode behind the other."""
    ours = active.T  # (N, T)
    reward = reward.T * ours  # (N, T)
    togo = reward[:, ::-1].cumsum(1)[:, ::-1]  # (N, T)
    left = ours[:, ::-1].cumsum(1)[:, ::-1]  # (N, T)
    parts = (part[ours] for part in (x.swapaxes(0, 1), action.T, togo, left))
    return Episodes(*parts, left[:, 0], togo[:, 0], landed)


def sample(rng, z):
    """Draw actions (N,) from softmax(z), z (N, A): the largest of z plus Gumbel noise."""
    return (z + rng.gumbel(size=z.shape)).argmax(1)


def fly(rng, landers, policy, wanted, left):
    """Fly an episode of each lander. What it is told, the return still wanted and the steps left,
    (N,) each, counts down; policy(x, wanted, left) gives the logits of actions (N, A)."""
    log = []
    active = np.ones(len(landers.state), bool)  # (N,)
    success = np.zeros(len(landers.state), bool)  # (N,)
    while active.any():
        x = landers.see()  # (N, 5)
        action = sample(rng, policy(x, wanted, left))  # (N,)
        reward, end, landed = landers.step(action)
        log.append((x, action, reward, active))
        success |= active & landed
        active = active & ~end
        wanted = wanted - reward
        left = np.maximum(left - 1, 1)
    return in_line(*map(np.array, zip(*log, strict=True)), success)


# ---- the nets ------------------------------------------------------------------------------------
class Net:
    """A net whose parts are views of one vector theta (P,)."""

    def __init__(self, rng, inputs, hidden, outputs):
        self.shapes = self.layout(inputs, hidden, outputs)
        parts = [np.zeros(shape) for shape in self.shapes.values()]
        for part in parts:
            if part.ndim == 2:  # weights; biases start at zero
                part[:] = rng.standard_normal(part.shape) / np.sqrt(len(part))
        parts[-2] *= 0.1  # all actions are about as likely at first
        self.use(np.concatenate([part.ravel() for part in parts]).astype(np.float32))

    def use(self, theta):
        """Make the parts of theta (P,) attributes."""
        self.theta = theta
        begin = 0
        for name, shape in self.shapes.items():
            end = begin + int(np.prod(shape))
            setattr(self, name, theta[begin:end].reshape(shape))
            begin = end


class Mlp(Net):
    """Two hidden layers of tanh units: the net of the rivals."""

    def layout(self, inputs, hidden, outputs):
        shapes = {"W1": (inputs, hidden), "b1": (hidden,), "W2": (hidden, hidden), "b2": (hidden,)}
        return shapes | {"W3": (hidden, outputs), "b3": (outputs,)}

    def forward(self, x):
        """Return the outputs (B, A) at inputs (B, I)."""
        self.x = x
        self.h1 = np.tanh(x @ self.W1 + self.b1)  # (B, H)
        self.h2 = np.tanh(self.h1 @ self.W2 + self.b2)  # (B, H)
        return self.h2 @ self.W3 + self.b3

    def backward(self, dy):
        """Return the gradient (P,), given that by the outputs (B, A)."""
        dz2 = (dy @ self.W3.T) * (1 - self.h2**2)  # (B, H)
        dz1 = (dz2 @ self.W2.T) * (1 - self.h1**2)  # (B, H)
        return join((self.x, dz1), (self.h1, dz2), (self.h2, dy))


class Behaviour(Net):
    """The behaviour function: a command opens and closes gates on what is made of the state.

    e = tanh(Ws s + bs), gate = sigmoid(Wc c + bc), h = e gate; then a layer of tanh units, and the
    logits of actions. c is the wanted return and the steps left, both scaled.
    """

    def layout(self, inputs, hidden, outputs):
        shapes = {"Ws": (inputs, hidden), "bs": (hidden,), "Wc": (2, hidden), "bc": (hidden,)}
        shapes |= {"W2": (hidden, hidden), "b2": (hidden,)}
        return shapes | {"W3": (hidden, outputs), "b3": (outputs,)}

    def forward(self, s, c):
        """Return the logits (B, A) at states (B, I) and commands (B, 2)."""
        self.s = s
        self.c = c
        self.e = np.tanh(s @ self.Ws + self.bs)  # (B, H)
        self.gate = 0.5 + 0.5 * np.tanh(0.5 * (c @ self.Wc + self.bc))  # (B, H) a sigmoid
        self.h = self.e * self.gate  # (B, H)
        self.h2 = np.tanh(self.h @ self.W2 + self.b2)  # (B, H)
        return self.h2 @ self.W3 + self.b3

    def backward(self, dy):
        """Return the gradient (P,), given that by the logits (B, A)."""
        dz2 = (dy @ self.W3.T) * (1 - self.h2**2)  # (B, H)
        dh = dz2 @ self.W2.T  # (B, H)
        dzs = dh * self.gate * (1 - self.e**2)  # (B, H) into e
        dzc = dh * self.e * self.gate * (1 - self.gate)  # (B, H) into the gate
        return join((self.s, dzs), (self.c, dzc), (self.h, dz2), (self.h2, dy))


def join(*layers):
    """Return the gradient (P,) of layers, each given by its inputs and what comes back to it."""
    parts = []
    for x, dz in layers:
        parts += [(x.T @ dz).ravel(), dz.sum(0)]
    return np.concatenate(parts)


def softmax(z):
    """Return probabilities (B, A) of logits (B, A)."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def excess(z, action):
    """Return the derivative by logits z (B, A) of -log p(action), actions (B,): p - 1[action]."""
    return softmax(z) - np.eye(z.shape[1], dtype=z.dtype)[action]


BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
CLIP = 0.5  # largest norm of a gradient


class Adam:
    """Adam on the theta of a net, with clipped gradients."""

    def __init__(self, net, rate):
        self.theta = net.theta
        self.rate = rate
        self.mean = np.zeros_like(net.theta)
        self.square = np.zeros_like(net.theta)
        self.count = 0

    def descend(self, gradient):
        """Take a step against a gradient (P,)."""
        gradient = gradient * (CLIP / max(CLIP, np.sqrt(gradient @ gradient)))
        self.count += 1
        self.mean += (1 - BETA_1) * (gradient - self.mean)
        self.square += (1 - BETA_2) * (gradient**2 - self.square)
        mean = self.mean / (1 - BETA_1**self.count)
        square = self.square / (1 - BETA_2**self.count)
        self.theta -= self.rate * mean / (np.sqrt(square) + EPSILON)


# ---- upside-down RL ------------------------------------------------------------------------------
def learn_commands(net, adam, episodes, rng, config, updates):
    """Teach a behaviour net, by cross-entropy, the actions of random steps of random episodes.

    The command is what then came: the return from this step to the end, and the steps to the end.
    """
    begin = episodes.length.cumsum() - episodes.length  # (episodes,)
    shape = updates, config.batch_size
    which = rng.integers(len(begin), size=shape)  # (updates, B)
    within = (rng.random(shape) * episodes.length[which]).astype(np.intp)  # (updates, B)
    commands = scaled(episodes.togo, episodes.left, config)  # (steps, 2)
    for at in begin[which] + within:
        z = net.forward(episodes.x[at], commands[at])  # (B, A)
        dz = excess(z, episodes.action[at]) / z.dtype.type(len(z))  # (B, A)
        adam.descend(net.backward(dz))


def scaled(wanted, left, config):
    """Return commands (N, 2) as a net gets them."""
    command = np.column_stack([config.return_scale * wanted, config.horizon_scale * left])
    return command.astype(np.float32)


class UpsideDown:
    """Upside-down RL on the lander."""

    world = Landers
    make_net = Behaviour

    def __init__(self, config, sparse, seed):
        starts, noise, net, self.draws = map(np.random.default_rng, seed.spawn(4))
        self.config = config
        self.sparse = sparse
        self.most_steps = config.episodes * self.world.limit  # of a round
        self.noise = noise
        self.starts = starts
        self.net = self.make_net(net, 4, config.hidden_size, ACTIONS)
        self.adam = Adam(self.net, config.learning_rate)
        blind = np.zeros(config.warm_up)  # (warm_up,)
        self.replay = self.fly(self.random, blind, blind)
        self.steps = self.replay.length.sum()
        self.random_mean = self.replay.value.mean()
        self.past = [np.stack([self.replay.value, self.replay.length])]  # of all episodes
        self.replay = self.keep(self.replay)

    def fly(self, policy, wanted, left):
        """Fly an episode for each command (N,)."""
        landers = self.world(self.starts, len(wanted), self.sparse)
        episodes = fly(self.noise, landers, policy, wanted, left)
        return episodes._replace(x=episodes.x[:, :4])  # the net does not see the time

    def random(self, x, wanted, left):
        """Return the logits (N, A) of a policy that knows nothing."""
        return np.zeros((len(x), ACTIONS))

    def policy(self, x, wanted, left):
        """Return the logits (N, A) of the behaviour net."""
        return self.net.forward(x[:, :4], scaled(wanted, left, self.config))

    def keep(self, episodes):
        """Return the episodes with the highest returns."""
        kept = np.zeros(len(episodes.value), bool)
        kept[np.argsort(-episodes.value, kind="stable")[: self.config.replay]] = True
        return episodes.take(kept)

    def best(self):
        """Return the returns and lengths of the few best episodes."""
        few = np.argsort(-self.replay.value, kind="stable")[: self.config.last_few]
        return self.replay.value[few], self.replay.length[few]

    def commands(self, count):
        """Draw wanted returns from their mean to a standard deviation more; (count,) each."""
        value, length = self.best()
        wanted = value.mean() + value.std() * self.draws.random(count)
        return wanted, np.full(count, length.mean())

    def advance(self):
        """Learn from the replay, then fly with new commands."""
        config = self.config
        learn_commands(self.net, self.adam, self.replay, self.draws, config, config.updates)
        new = self.fly(self.policy, *self.commands(config.episodes))
        self.steps += new.length.sum()
        self.past.append(np.stack([new.value, new.length]))
        both = zip(self.replay, new, strict=True)
        self.replay = self.keep(Episodes(*map(np.concatenate, both)))

    def aim(self, count):
        """Return the commands of the test: the mean of the best episodes, (count,) each."""
        value, length = self.best()
        return np.full(count, value.mean()), np.full(count, length.mean())


# ---- the rival: an actor-critic ------------------------------------------------------------------
FLEET = 64  # landers side by side
UNROLL = 20  # steps between updates
GAMMA, LAMBDA = 0.99, 0.95


def advantages(reward, value, end):
    """Return generalised advantages (T, N) of rewards and ends (T, N) and values (T + 1, N)."""
    going = ~end
    delta = reward + GAMMA * going * value[1:] - value[:-1]  # (T, N)
    for t in reversed(range(len(delta) - 1)):
        delta[t] += GAMMA * LAMBDA * going[t] * delta[t + 1]
    return delta


def actor_slope(z, action, advantage, entropy):
    """Return the derivative by logits z (B, A) of -advantage log p(action) - entropy H(p)."""
    p = softmax(z)
    log_p = np.log(p + 1e-20)
    h = -(p * log_p).sum(1, keepdims=True)  # (B, 1)
    dz = excess(z, action) * advantage[:, None] + entropy * p * (log_p + h)
    return (dz / len(z)).astype(z.dtype)


class ActorCritic:
    """A2C with two nets; its state tells the time, since an episode ends by the clock too."""

    world = Landers

    def __init__(self, config, sparse, seed):
        starts, self.noise, actor, critic = map(np.random.default_rng, seed.spawn(4))
        self.config = config
        self.sparse = sparse
        self.steps = 0
        self.most_steps = UNROLL * FLEET
        self.landers = self.world(starts, FLEET, sparse)
        self.actor = Mlp(actor, 5, config.hidden_size, ACTIONS)
        self.critic = Mlp(critic, 5, config.hidden_size, 1)
        self.adams = [Adam(net, config.rate_a2c) for net in (self.actor, self.critic)]

    def policy(self, x, wanted, left):
        """Return the logits (N, A); it is told nothing."""
        return self.actor.forward(x)

    def aim(self, count):
        """Return commands that nobody listens to."""
        return np.zeros(count), np.zeros(count)

    def advance(self):
        """Fly for some steps and take one step of learning."""
        log = []
        for _ in range(UNROLL):
            x = self.landers.see()  # (N, 5)
            action = sample(self.noise, self.actor.forward(x))  # (N,)
            reward, end, _ = self.landers.step(action)
            self.landers.reset(end)
            log.append((x, action, reward, end))
        self.steps += self.most_steps
        x, action, reward, end = map(np.array, zip(*log, strict=True))
        self.learn(np.concatenate([x, self.landers.see()[None]]), action, reward, end)

    def learn(self, x, action, reward, end):
        """Take a step of both nets, given what was seen (T + 1, N, 5), done and got (T, N)."""
        value = self.critic.forward(x.reshape(-1, 5)).reshape(len(x), -1)  # (T + 1, N)
        advantage = advantages(reward, value, end)  # (T, N)
        target = (advantage + value[:-1]).reshape(-1, 1)  # (B, 1)
        seen = x[:-1].reshape(-1, 5)  # (B, 5)
        dv = (self.critic.forward(seen) - target) / len(seen)  # (B, 1)
        z = self.actor.forward(seen)  # (B, A)
        dz = actor_slope(z, action.ravel(), advantage.ravel(), self.config.entropy)
        self.adams[0].descend(self.actor.backward(dz))
        self.adams[1].descend(self.critic.backward(dv.astype(np.float32)))


# ---- training and evaluation on the lander -------------------------------------------------------
CHECKS = 24  # tests in the course of training
TESTS = 200  # fresh episodes of a test
GOOD = 1.3  # a return to count the steps to


def train(learner, rng, progress):
    """Let a learner use up its steps. Returns the steps at tests, mean returns and landed shares.

    The tests fly from fresh starts and nothing is learned from them."""
    steps, returns, landed = [], [], []
    budget = learner.config.steps
    while True:
        last = learner.steps + learner.most_steps > budget
        if last or learner.steps >= budget * (1 + len(steps)) / CHECKS:
            episodes = test(learner, rng)
            steps.append(int(learner.steps))
            returns.append(float(episodes.value.mean()))
            landed.append(float(episodes.landed.mean()))
            progress(min(learner.steps / budget, 1.0), f"mean return {returns[-1]:.2f}")
        if last:
            return steps, returns, landed
        learner.advance()


def test(learner, rng):
    """Fly fresh episodes with sampled actions and the learner's own command."""
    landers = learner.world(rng, TESTS, learner.sparse)
    return fly(rng, landers, learner.policy, *learner.aim(TESTS))


def row(course):
    """Return what a table says of a course of training."""
    steps, returns, landed = course
    first = next((at for at, value in zip(steps, returns, strict=True) if value >= GOOD), None)
    return {"return": returns[-1], "landed": landed[-1], "steps_to_good": first}


COMMANDS = 25
NEAR = 20  # seen episodes whose lengths give a command's horizon


def obey(learner, rng, lowest, highest):
    """Command returns between two, and fly each with as many steps as seen episodes with about this
    return had, on average. Returns commanded and achieved mean returns, (COMMANDS,) each."""
    value, length = np.concatenate(learner.past, 1)  # (all episodes,) each
    wanted = np.linspace(lowest, highest, COMMANDS)
    near = np.abs(value - wanted[:, None]).argsort(1, kind="stable")[:, :NEAR]  # (COMMANDS, NEAR)
    left = length[near].mean(1)  # (COMMANDS,)
    landers = learner.world(rng, COMMANDS * TESTS, learner.sparse)
    episodes = fly(rng, landers, learner.policy, wanted.repeat(TESTS), left.repeat(TESTS))
    return wanted, episodes.value.reshape(COMMANDS, TESTS).mean(1)


def rank_correlation(a, b):
    """Return Spearman's correlation of two lists without ties, None if there is nothing to rank."""
    if len(a) < 2:
        return None
    return np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1]


# ---- the chain -----------------------------------------------------------------------------------
PLACES, MIDDLE, CAP = 9, 4, 30
STEP_REWARD, LEFT_END, RIGHT_END = -0.1, 1.0, 5.0


def move(place, action):
    """Go left (0) or right (1): returns places, rewards and ends, (N,) each."""
    place = place + 2 * action - 1
    reward = np.choose(1 * (place == 0) + 2 * (place == 8), (STEP_REWARD, LEFT_END, RIGHT_END))
    return place, reward, (place == 0) | (place == 8)


def walk(choose, wanted, left):
    """Walk N times from the middle; choose(x, wanted, left) gives actions (N,), x (N, 9)."""
    log = []
    place = np.full(len(wanted), MIDDLE, np.intp)  # (N,)
    active = np.ones(len(wanted), bool)  # (N,)
    for _ in range(CAP):
        x = np.eye(PLACES, dtype=np.float32)[place]  # (N, 9)
        action = choose(x, wanted, left)  # (N,)
        moved, reward, end = move(place, action)
        log.append((x, action, reward, active))
        place = np.where(active, moved, place)
        active = active & ~end
        wanted = np.round(wanted - reward, 6)  # so that sums of tenths stay tenths
        left = np.maximum(left - 1, 1)
    return in_line(*map(np.array, zip(*log, strict=True)), place == 8)


def feasible():
    """Return all commands that some walk fulfils, returns and lengths, (29,) each."""
    even = np.arange(4, CAP + 1, 2)  # (14,) lengths that reach an end
    wanted = [end + STEP_REWARD * (even - 1) for end in (RIGHT_END, LEFT_END)]
    return np.round(np.append(wanted, STEP_REWARD * CAP), 6), np.append([*even, *even], CAP)


def learn_chain(config, seed):
    """Learn from random walks on the chain; returns the behaviour net."""
    walks, net, draws = map(np.random.default_rng, seed.spawn(3))
    blind = np.zeros(config.chain_episodes)
    episodes = walk(lambda x, *_: walks.integers(2, size=len(x)), blind, blind)
    net = Behaviour(net, PLACES, config.hidden_size, 2)
    adam = Adam(net, config.learning_rate)
    learn_commands(net, adam, episodes, draws, config, config.chain_updates)
    return net


def command_chain(net, wanted, left, config):
    """Give commands (N,) to a net that takes the likelier action; returns the walks."""
    return walk(lambda x, *c: net.forward(x, scaled(*c, config)).argmax(1), wanted, left)


# ---- the experiment ------------------------------------------------------------------------------
LEARNERS = {
    "udrl_sparse": (UpsideDown, True),
    "a2c_sparse": (ActorCritic, True),
    "udrl_dense": (UpsideDown, False),
    "a2c_dense": (ActorCritic, False),
}


def obedience(learner, rng):
    """Give the lander commands from random's mean to the best return that its replay holds.

    The replay holds good episodes only, so the commands in its range and those below it are told
    apart too; the former get a row of their own."""
    lowest, highest = learner.replay.value.min(), learner.replay.value.max()
    wanted, achieved = obey(learner, rng, learner.random_mean, highest)
    below = wanted < lowest  # (COMMANDS,)
    return {
        "obedience": rank_correlation(wanted, achieved),
        "obedience_below": rank_correlation(wanted[below], achieved[below]),
        "obedience_inside": rank_correlation(*obey(learner, rng, lowest, highest)),
    }


def chain_row(config, seed):
    """Give the chain its feasible commands."""
    wanted, left = feasible()
    walks = command_chain(learn_chain(config, seed), wanted, left, config)
    error = np.abs(walks.value - wanted)  # (29,)
    obeyed = (error < 1e-6) & (walks.length == left)  # (29,)
    return {"chain_obeyed": int(obeyed.sum()), "chain_error": error.mean()}


def train_all(config, streams, tests, progress):
    """Train both learners with both rewards: returns them, their courses, and seconds spent."""
    learners, courses, seconds = {}, {}, {}
    for name, stream, test_stream in zip(LEARNERS, streams, tests, strict=True):

        def told(share, text, name=name):
            progress((len(courses) + share) / len(LEARNERS), f"{name}: {text}")

        kind, sparse = LEARNERS[name]
        begun = process_time()
        learners[name] = kind(config, sparse, stream)
        courses[name] = train(learners[name], np.random.default_rng(test_stream), told)
        seconds[name] = process_time() - begun
    return learners, courses, seconds


def run(config, seed, progress):
    """Train both learners with both rewards, then give commands to the lander and to the chain."""
    chain, orders, *streams = np.random.SeedSequence(seed).spawn(2 + 2 * len(LEARNERS))
    learners, courses, seconds = train_all(
        config, streams[::2], streams[1::2], lambda share, text: progress(0.9 * share, text)
    )
    ours = learners["udrl_sparse"]
    table = {name: row(course) for name, course in courses.items()}
    table["sparse_lead"] = table["udrl_sparse"]["return"] - table["a2c_sparse"]["return"]
    table["dense_lead"] = table["a2c_dense"]["return"] - table["udrl_dense"]["return"]
    table |= obedience(ours, np.random.default_rng(orders))
    table |= chain_row(config, chain)
    table["udrl_steps_per_second"] = ours.steps / max(seconds["udrl_sparse"], 1e-9)
    steps, returns, _ = courses["udrl_sparse"]
    return table | {"curve": {"x": steps, "y": returns}}


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
