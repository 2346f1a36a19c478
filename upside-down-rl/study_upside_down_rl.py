# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What upside-down RL is compared with, what its parts do, and where it is bound to go wrong.

1. The four trainings of the experiment once more, with their learning curves and all commands.
2. DQN (double, two hidden layers), and REINFORCE with a baseline and without a discount, to which
   it matters little when a reward comes. Both with both rewards and as many steps.
3. With all reward at the end: the command beside the state in place of gates; the latest episodes
   in the replay, not the best; commands that never ask for more than the best episodes had.
4. The same flight in steps of a quarter of the time: the reward comes four times as late. The
   actor-critic has three step sizes to choose from.
5. One decision. Safe pays 1; a gamble pays 2 with probability 0.1, else -3. Told "2", it gambles.

    python3 study_upside_down_rl.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import upside_down_rl
from upside_down_rl import (
    ACTIONS,
    FLEET,
    GAMMA,
    LEARNERS,
    ActorCritic,
    Adam,
    Behaviour,
    Episodes,
    Landers,
    Mlp,
    UpsideDown,
    actor_slope,
    fly,
    learn_commands,
    obey,
    row,
    scaled,
    softmax,
    train,
    train_all,
)
import numpy as np


@dataclass(frozen=True)
class Config(upside_down_rl.Config):
    rate_dqn: Annotated[float, "step size of DQN", (1e-6, 1.0)] = 0.001
    updates_dqn: Annotated[int, "batches of DQN for 64 steps", (1, 1000)] = 2
    rate_reinforce: Annotated[float, "step size of REINFORCE", (1e-6, 1.0)] = 0.01
    flights: Annotated[int, "episodes between updates of REINFORCE", (1, 10**4)] = 16
    bets: Annotated[int, "random decisions that part 5 learns from", (10, 10**6)] = 3000


QUICK = upside_down_rl.QUICK | {"steps": 4000, "warm_up": 20, "chain_updates": 50, "bets": 200}


# ---- 2: the other rivals -------------------------------------------------------------------------
TARGET = 500  # updates between copies of the net that gives the targets
LEAST_EPSILON = 0.05
EXPLORE = 0.3  # share of the steps in which epsilon falls to this


class Dqn(ActorCritic):
    """Double DQN with Huber's loss. Its first episodes are as random as those of upside-down RL."""

    def __init__(self, config, sparse, seed):
        starts, self.noise, net, self.draws = map(np.random.default_rng, seed.spawn(4))
        self.config = config
        self.sparse = sparse
        self.steps = 0
        self.flown = 0  # episodes
        self.most_steps = FLEET
        self.landers = self.world(starts, FLEET, sparse)
        self.net = Mlp(net, 5, config.hidden_size, ACTIONS)
        self.target = Mlp(net, 5, config.hidden_size, ACTIONS)
        self.target.use(self.net.theta.copy())
        self.adam = Adam(self.net, config.rate_dqn)
        self.x = np.zeros((config.steps + FLEET, 5), np.float32)  # (steps, 5) before a step
        self.after = np.zeros_like(self.x)  # (steps, 5)
        self.action = np.zeros(len(self.x), np.intp)  # (steps,)
        self.reward = np.zeros(len(self.x), np.float32)  # (steps,)
        self.end = np.zeros(len(self.x), bool)  # (steps,)

    def policy(self, x, wanted, left):
        """Return logits (N, A) that leave no doubt: it takes the best action."""
        return 1e6 * self.net.forward(x)

    def epsilon(self):
        """Return how many of the actions are random."""
        if self.flown < self.config.warm_up:
            return 1.0
        return max(LEAST_EPSILON, 1 - self.steps / (EXPLORE * self.config.steps))

    def advance(self):
        """Fly one step with each lander and learn from random steps of the past."""
        x = self.landers.see()  # (N, 5)
        best = self.net.forward(x).argmax(1)  # (N,)
        blind = self.noise.random(FLEET) < self.epsilon()  # (N,)
        action = np.where(blind, self.noise.integers(ACTIONS, size=FLEET), best)  # (N,)
        reward, end, _ = self.landers.step(action)
        new = slice(self.steps, self.steps + FLEET)
        self.x[new] = x
        self.action[new] = action
        self.reward[new] = reward
        self.end[new] = end
        self.after[new] = self.landers.see()
        self.landers.reset(end)
        self.steps += FLEET
        self.flown += end.sum()
        if self.flown >= self.config.warm_up:
            for _ in range(self.config.updates_dqn):
                self.learn(self.draws.integers(self.steps, size=self.config.batch_size))

    def learn(self, at):
        """Take a step towards r + gamma Q'(s', argmax_a Q(s', a)) at past steps (B,)."""
        rows = np.arange(len(at))
        choice = self.net.forward(self.after[at]).argmax(1)  # (B,)
        later = self.target.forward(self.after[at])[rows, choice]  # (B,)
        goal = self.reward[at] + GAMMA * ~self.end[at] * later  # (B,)
        q = self.net.forward(self.x[at])  # (B, A)
        dq = np.zeros_like(q)
        dq[rows, self.action[at]] = np.clip(q[rows, self.action[at]] - goal, -1, 1) / len(at)
        self.adam.descend(self.net.backward(dq))
        if self.adam.count % TARGET == 0:
            self.target.theta[:] = self.net.theta


class Reinforce(ActorCritic):
    """Policy gradient with whole episodes, the return without a discount, and a baseline."""

    def __init__(self, config, sparse, seed):
        super().__init__(config, sparse, seed)
        self.most_steps = config.flights * self.world.limit
        self.starts = self.landers.rng
        self.adams = [Adam(net, config.rate_reinforce) for net in (self.actor, self.critic)]

    def advance(self):
        """Fly some episodes and take one step of learning."""
        landers = self.world(self.starts, self.config.flights, self.sparse)
        episodes = fly(self.noise, landers, self.policy, *self.aim(self.config.flights))
        self.steps += episodes.length.sum()
        error = self.critic.forward(episodes.x) - episodes.togo[:, None]  # (B, 1)
        z = self.actor.forward(episodes.x)  # (B, A)
        dz = actor_slope(z, episodes.action, -error[:, 0], self.config.entropy)
        self.adams[0].descend(self.actor.backward(dz))
        self.adams[1].descend(self.critic.backward((error / len(error)).astype(np.float32)))


# ---- 3: upside-down RL with one part changed -----------------------------------------------------
class Beside(Mlp):
    """A behaviour function without gates: the command stands beside the state."""

    def layout(self, inputs, hidden, outputs):
        return super().layout(inputs + 2, hidden, outputs)

    def forward(self, s, c):
        return super().forward(np.concatenate([s, c], 1))


class NoGate(UpsideDown):
    """The command stands beside the state."""

    make_net = Beside


class Latest(UpsideDown):
    """The replay holds the latest episodes."""

    def keep(self, episodes):
        kept = np.arange(len(episodes.value))[::-1] < self.config.replay
        return episodes.take(kept)


class Modest(UpsideDown):
    """The wanted return is the mean of the best episodes, and never more."""

    def commands(self, count):
        return self.aim(count)


# ---- 4: finer steps ------------------------------------------------------------------------------
class FineLanders(Landers):
    """Steps of a quarter of the time, and four times as many of them."""

    dt = Landers.dt / 4
    limit = Landers.limit * 4


class FineUpsideDown(UpsideDown):
    """Upside-down RL there; the steps left are scaled as their time is."""

    world = FineLanders

    def __init__(self, config, sparse, seed):
        super().__init__(replace(config, horizon_scale=config.horizon_scale / 4), sparse, seed)


class FineActorCritic(ActorCritic):
    """The actor-critic there, with the discount and the 20 steps between updates as they were."""

    world = FineLanders


class FineReinforce(Reinforce):
    """REINFORCE there."""

    world = FineLanders


ROWS = {  # who, whether all reward comes at the end, settings of its own
    "dqn_sparse": (Dqn, True, {}),
    "dqn_dense": (Dqn, False, {}),
    "reinforce_sparse": (Reinforce, True, {}),
    "reinforce_dense": (Reinforce, False, {}),
    "no_gate": (NoGate, True, {}),
    "latest": (Latest, True, {}),
    "modest": (Modest, True, {}),
    "udrl_fine_sparse": (FineUpsideDown, True, {}),
    "udrl_fine_dense": (FineUpsideDown, False, {}),
    "reinforce_fine_sparse": (FineReinforce, True, {}),
}
RATES = {"slow": 0.001, "middle": 0.003, "fast": 0.01}  # of the actor-critic in finer steps
for speed, rate in RATES.items():
    ROWS[f"a2c_fine_sparse_{speed}"] = (FineActorCritic, True, {"rate_a2c": rate})
    ROWS[f"a2c_fine_dense_{speed}"] = (FineActorCritic, False, {"rate_a2c": rate})

# ---- 5: a gamble ---------------------------------------------------------------------------------
SAFE, GAMBLE = range(2)
PAYS = 2.0, -3.0  # the gamble
LUCK = 0.1


def gamble(config, seed):
    """Learn from random decisions. Returns how often it gambles when told 2 and when told 1, and
    what it then gets on average."""
    bets, net, draws = map(np.random.default_rng, seed.spawn(3))
    action = bets.integers(2, size=config.bets)  # (N,)
    lucky = bets.random(config.bets) < LUCK  # (N,)
    value = np.where(action == SAFE, 1.0, np.where(lucky, *PAYS))  # (N,)
    one = np.ones(config.bets, np.intp)
    x = np.ones((config.bets, 1), np.float32)
    past = Episodes(x, action, value, one, one, value, lucky)
    net = Behaviour(net, 1, config.hidden_size, 2)
    adam = Adam(net, config.learning_rate)
    learn_commands(net, adam, past, draws, config, config.chain_updates)
    told = scaled(np.array([2.0, 1.0]), np.ones(2), config)  # (2, 2)
    risky = softmax(net.forward(x[:2], told))[:, GAMBLE]  # (2,)
    pays = LUCK * PAYS[0] + (1 - LUCK) * PAYS[1]
    gets = risky * pays + (1 - risky)  # (2,)
    return {"told_2": risky[0], "told_1": risky[1], "gets_2": gets[0], "gets_1": gets[1]}


# ---- the study -----------------------------------------------------------------------------------
def long_row(course):
    """Return a table's row with the learning curve."""
    steps, returns, _ = course
    return row(course) | {"steps": steps, "returns": returns}


def run(config, seed, progress):
    """Train all, the experiment's four with the experiment's own random numbers."""
    chain, orders, *streams = np.random.SeedSequence(seed).spawn(2 + 2 * len(LEARNERS))
    learners, courses, _ = train_all(
        config, streams[::2], streams[1::2], lambda share, text: progress(0.3 * share, text)
    )
    bets, *streams = np.random.SeedSequence([seed, 1]).spawn(1 + 2 * len(ROWS))
    for k, (name, (kind, sparse, own)) in enumerate(ROWS.items()):

        def told(share, text, k=k, name=name):
            progress(0.3 + 0.7 * (k + share) / len(ROWS), f"{name}: {text}")

        learner = kind(replace(config, **own), sparse, streams[2 * k])
        rng = np.random.default_rng(streams[2 * k + 1])
        courses[name] = train(learner, rng, told)
    table = {name: long_row(course) for name, course in courses.items()}
    ours = learners["udrl_sparse"]
    rng = np.random.default_rng(orders)
    wanted, achieved = obey(ours, rng, ours.random_mean, ours.replay.value.max())
    table["commands"] = {"wanted": wanted.tolist(), "achieved": achieved.tolist()}
    table["commands"]["lowest_in_replay"] = ours.replay.value.min()
    table["gamble"] = gamble(config, bets)
    table["dqn_lead"] = table["udrl_sparse"]["return"] - table["dqn_sparse"]["return"]
    return table


if __name__ == "__main__":
    upside_down_rl.main(sys.modules[__name__])
