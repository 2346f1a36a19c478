"""Tests of upside-down RL: the lander, the chain, gradients, rules, wiring, settings."""

from dataclasses import replace

import numpy as np
import pytest
import study_upside_down_rl as study
import upside_down_rl as udrl
from upside_down_rl import (
    LEARNERS,
    QUICK,
    ActorCritic,
    Adam,
    Behaviour,
    Config,
    Episodes,
    Landers,
    Mlp,
    UpsideDown,
)

SMALL = Config(steps=3000, warm_up=20, last_few=5, replay=15, episodes=8, updates=2,
               batch_size=16, hidden_size=8, chain_episodes=50, chain_updates=5)  # fmt: skip
CLOSE = {"rtol": 1e-6, "atol": 1e-9}


def silent(share, text):
    """A progress that nobody sees."""


def rng(seed=0):
    return np.random.default_rng(seed)


def seeds(seed=0):
    return np.random.SeedSequence(seed)


def double(net, scale=2.0):
    """The net in float64 with larger weights, so that every path carries something."""
    net.use(scale * net.theta.astype(float) + 0.2 * rng(9).standard_normal(net.theta.shape))
    return net


def central_differences(net, objective, step=1e-5):
    numeric = np.zeros_like(net.theta)
    for k in range(len(net.theta)):
        kept = net.theta[k]
        net.theta[k] = kept + step
        up = objective()
        net.theta[k] = kept - step
        numeric[k] = (up - objective()) / (2 * step)
        net.theta[k] = kept
    return numeric


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def at(state, sparse=False, kind=Landers):
    """One lander in a state."""
    landers = kind(rng(), 1, sparse)
    landers.state = np.array([state], float)
    return landers


# ---- the lander ----
@pytest.mark.parametrize(
    ("action", "state", "fuel"),
    [
        (0, [0.11, 0.97, 0.1, -0.3], 0),
        (1, [0.095, 0.97, -0.05, -0.3], 0.003),
        (2, [0.11, 0.995, 0.1, -0.05], 0.01),
        (3, [0.125, 0.97, 0.25, -0.3], 0.003),
    ],
)
def test_a_step_by_hand(action, state, fuel):
    landers = at([0.1, 1.0, 0.1, -0.2])
    reward, end, landed = landers.step(np.array([action]))
    np.testing.assert_allclose(landers.state[0], state, **CLOSE)
    before = -(0.1 + 0.5) - 0.5 * (0.1 + 0.2)
    after = -(state[0] + 0.5 * state[1]) - 0.5 * (abs(state[2]) + abs(state[3]))
    np.testing.assert_allclose(reward, [after - before - fuel], **CLOSE)
    assert not end[0] and not landed[0] and landers.time[0] == 1


@pytest.mark.parametrize(
    ("state", "bonus", "landed"),
    [
        ([0.0, 0.02, 0.0, -0.4], 1, True),
        ([0.0, 0.02, 0.0, -0.52], -1, False),  # too fast: 0.62 at touchdown
        ([0.0, 0.02, 0.39, -0.4], 1, True),
        ([0.0, 0.02, 0.41, -0.4], -1, False),  # sideways
        ([0.29, 0.02, 0.0, -0.4], 1, True),
        ([0.31, 0.02, 0.0, -0.4], -1, False),  # beside the pad
        ([-1.49, 1.0, -0.2, 0.0], -1, False),  # out
        ([0.0, 2.49, 0.0, 0.3], -1, False),  # away
    ],
)
def test_how_an_episode_ends(state, bonus, landed):
    landers = at(state)
    before = udrl.potential(landers.state)
    reward, end, success = landers.step(np.array([0]))
    shaped = udrl.potential(landers.state) - before
    np.testing.assert_allclose(reward - shaped, [bonus], **CLOSE)
    assert end[0] and success[0] == landed


def test_time_runs_out_without_a_penalty_and_starts_are_drawn_as_told():
    landers = at([0.0, 1.0, 0.0, 0.0])
    landers.time[:] = 79
    before = udrl.potential(landers.state)
    reward, end, _ = landers.step(np.array([0]))
    assert end[0] and reward[0] == pytest.approx((udrl.potential(landers.state) - before)[0])
    many = Landers(rng(), 20_000, False)
    low, high = many.state.min(0), many.state.max(0)
    np.testing.assert_allclose(low, [-0.4, 1.2, -0.3, 0], atol=1e-3)
    np.testing.assert_allclose(high, [0.4, 1.5, 0.3, 0], atol=1e-3)
    which = np.arange(20_000) % 2 == 0
    kept = many.state.copy()
    many.time[:] = 5
    many.reset(which)
    assert (many.state[~which] == kept[~which]).all() and (many.state[which] != kept[which]).any()
    np.testing.assert_array_equal(many.time, np.where(which, 0, 5))
    assert many.see()[1].tolist() == pytest.approx([*kept[1], 5 / 80])


def noise_policy(x, wanted, left):
    return np.zeros((len(x), 4))


def test_random_flights_are_as_calibrated():
    blind = np.zeros(4000)
    episodes = udrl.fly(rng(1), Landers(rng(), 4000, False), noise_policy, blind, blind)
    assert abs(episodes.value.mean() + 1.79) < 0.05 and abs(episodes.value.std() - 0.76) < 0.05
    assert abs(episodes.length.mean() - 28) < 1 and 0.004 < episodes.landed.mean() < 0.012


def test_the_sparse_reward_is_the_dense_one_paid_at_the_end():
    blind = np.zeros(300)
    both = [udrl.fly(rng(1), Landers(rng(), 300, sparse), noise_policy, blind, blind)
            for sparse in (False, True)]  # fmt: skip
    dense, sparse = both
    np.testing.assert_array_equal(dense.length, sparse.length)
    np.testing.assert_allclose(dense.value, sparse.value, **CLOSE)
    np.testing.assert_allclose(sparse.togo, sparse.value.repeat(sparse.length), **CLOSE)
    assert not np.allclose(dense.togo, sparse.togo)
    np.testing.assert_array_equal(dense.x, sparse.x)


def test_finer_steps_fly_the_same_physics():
    coarse, fine = at([0.1, 1.0, 0.1, -0.2]), at([0.1, 1.0, 0.1, -0.2], kind=study.FineLanders)
    burned = 0.0
    coarse.step(np.array([3]))
    for _ in range(4):
        before = udrl.potential(fine.state)
        reward, _, _ = fine.step(np.array([3]))
        burned += (udrl.potential(fine.state) - before - reward)[0]
    np.testing.assert_allclose(fine.state[0, 2:], coarse.state[0, 2:], **CLOSE)
    np.testing.assert_allclose(fine.state[0, :2], coarse.state[0, :2], atol=0.02)
    assert burned == pytest.approx(0.003) and fine.limit == 4 * coarse.limit
    assert study.FineUpsideDown.world is study.FineActorCritic.world is study.FineLanders
    assert study.FineReinforce.world is study.FineLanders
    assert study.FineUpsideDown(SMALL, True, seeds()).config.horizon_scale == 0.03 / 4


# ---- episodes ----
def some_episodes(n=6, T=5, seed=3):
    """N episodes of known lengths with returns 0, 1, 2, ... paid at the end."""
    length = rng(seed).integers(1, T + 1, n)
    active = np.arange(T)[:, None] < length  # (T, N)
    reward = np.where(np.arange(T)[:, None] == length - 1, np.arange(n), 0.0)
    x = rng(seed + 1).standard_normal((T, n, 4)).astype(np.float32)
    action = rng(seed + 2).integers(4, size=(T, n))
    return udrl.in_line(x, action, reward, active, np.arange(n) > 3), (x, action, length)


def test_episodes_stand_one_behind_the_other_with_hindsight():
    episodes, (x, action, length) = some_episodes()
    begin = 0
    for n, steps in enumerate(length):
        mine = slice(begin, begin + steps)
        np.testing.assert_array_equal(episodes.x[mine], x[:steps, n])
        np.testing.assert_array_equal(episodes.action[mine], action[:steps, n])
        assert episodes.togo[mine].tolist() == [n] * steps
        assert episodes.left[mine].tolist() == list(range(steps, 0, -1))
        begin += steps
    assert len(episodes.x) == begin
    np.testing.assert_array_equal(episodes.length, length)
    np.testing.assert_array_equal(episodes.value, np.arange(6))
    part = episodes.take(np.arange(6) % 2 == 1)
    assert part.value.tolist() == [1, 3, 5] and part.landed.tolist() == [False, False, True]
    assert part.togo.tolist() == sum(([n] * length[n] for n in (1, 3, 5)), [])
    rewards = udrl.in_line(np.zeros((3, 1, 1)), np.zeros((3, 1)), np.array([[1.0], [2], [4]]),
                           np.array([[True], [True], [False]]), np.array([False]))  # fmt: skip
    assert rewards.togo.tolist() == [3, 2] and rewards.value.tolist() == [3]


@pytest.mark.parametrize("sparse", [False, True])
def test_commands_count_down_in_flight(sparse):
    told = []

    def policy(x, wanted, left):
        told.append((wanted.copy(), left.copy(), x))
        return np.tile([0.0, 0, 50, 0], (len(x), 1))  # the main engine, until it is out

    landers = Landers(rng(), 3, sparse)
    episodes = udrl.fly(rng(1), landers, policy, np.array([1.0, 2, 3]), np.full(3, 4.0))
    for n in range(3):
        mine = slice(episodes.length[:n].sum(), episodes.length[: n + 1].sum())
        spent = episodes.value[n] - episodes.togo[mine]  # before each step
        wanted = [w[n] for w, _, _ in told][: episodes.length[n]]
        np.testing.assert_allclose(wanted, n + 1 - spent, atol=1e-9)
    assert [float(left[0]) for _, left, _ in told][:7] == [4, 3, 2, 1, 1, 1, 1]
    assert not episodes.landed.any() and (episodes.action == 2).all()


def test_actions_are_drawn_as_often_as_they_should_be():
    p = np.array([0.1, 0.2, 0.3, 0.4])
    drawn = udrl.sample(rng(), np.log(np.tile(p, (40_000, 1))))
    np.testing.assert_allclose(np.bincount(drawn) / 40_000, p, atol=0.01)


# ---- gradients and rules ----
def cross_entropy(z, action):
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -log_p[np.arange(len(z)), action].mean()


@pytest.mark.parametrize("kind", [Behaviour, study.Beside])
def test_gradient_of_the_behaviour_net(kind):
    net = double(kind(rng(2), 4, 5, 4))
    s, c = rng(3).standard_normal((7, 4)), rng(4).standard_normal((7, 2))
    action = rng(5).integers(4, size=7)
    dz = udrl.excess(net.forward(s, c), action) / 7
    analytic = net.backward(dz)
    numeric = central_differences(net, lambda: cross_entropy(net.forward(s, c), action))
    assert relative_error(analytic, numeric) <= 1e-6
    assert (np.abs(analytic) > 0).all()


def test_the_gate_by_hand():
    net = Behaviour(rng(), 4, 3, 4)
    s, c = np.array([[1.0, 2, 3, 4]]), np.array([[0.5, -1.0]])
    e = np.tanh(s @ net.Ws + net.bs)
    gate = 1 / (1 + np.exp(-(c @ net.Wc + net.bc)))
    expected = np.tanh((e * gate) @ net.W2 + net.b2) @ net.W3 + net.b3
    np.testing.assert_allclose(net.forward(s, c), expected, rtol=1e-6)
    net.Wc[:] = 0
    net.bc[:] = -60  # closed gates let nothing of the state pass
    np.testing.assert_allclose(net.forward(s, c), net.forward(9 * s, c), atol=1e-12)


def test_gradients_of_actor_and_critic():
    net = double(Mlp(rng(2), 5, 4, 4))
    x, action = rng(3).standard_normal((6, 5)), rng(5).integers(4, size=6)
    advantage = rng(6).standard_normal(6)

    def objective():
        z = net.forward(x)
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        entropy = -(np.exp(log_p) * log_p).sum(1)
        return -(advantage * log_p[np.arange(6), action] + 0.3 * entropy).mean()

    analytic = net.backward(udrl.actor_slope(net.forward(x), action, advantage, 0.3))
    assert relative_error(analytic, central_differences(net, objective)) <= 1e-6
    critic = double(Mlp(rng(2), 5, 4, 1))
    goal = rng(7).standard_normal((6, 1))
    analytic = critic.backward((critic.forward(x) - goal) / 6)
    numeric = central_differences(critic, lambda: 0.5 * ((critic.forward(x) - goal) ** 2).mean())
    assert relative_error(analytic, numeric) <= 1e-6


def test_advantages_by_hand():
    reward = np.array([[1.0], [0], [2], [0]])
    end = np.array([[False], [False], [True], [False]])
    value = np.array([[0.5], [0.2], [0.1], [0.4], [0.3]])
    delta = [1 + 0.99 * 0.2 - 0.5, 0.99 * 0.1 - 0.2, 2 - 0.1, 0.99 * 0.3 - 0.4]
    k = 0.99 * 0.95
    expected = [delta[0] + k * delta[1] + k * k * delta[2], delta[1] + k * delta[2], *delta[2:]]
    np.testing.assert_allclose(udrl.advantages(reward, value, end)[:, 0], expected, **CLOSE)


def test_adams_first_steps():
    net = Mlp(rng(), 1, 1, 1)
    net.use(np.zeros(6))
    adam = Adam(net, 0.1)
    adam.descend(np.array([0.3, -0.3, 0, 0, 0, 0]))
    np.testing.assert_allclose(net.theta, [-0.1, 0.1, 0, 0, 0, 0], rtol=1e-6)
    clipped = Adam(net, 0.1)
    clipped.descend(np.array([30.0, -40, 0, 0, 0, 0]))
    np.testing.assert_allclose(clipped.mean[:2], [0.03, -0.04], rtol=1e-6)  # norm 0.5


def test_what_is_learned_from_are_random_steps_of_random_episodes():
    episodes, (_, _, length) = some_episodes()
    seen = []

    class Spy(Behaviour):
        def forward(self, s, c):
            seen.append((s, c))
            return super().forward(s, c)

    net = Spy(rng(), 4, 3, 4)
    config = replace(SMALL, batch_size=6000, return_scale=2.0, horizon_scale=0.5)
    udrl.learn_commands(net, Adam(net, 0.01), episodes, rng(7), config, 1)
    (s, c), *more = seen
    assert not more
    assert {tuple(row) for row in s.tolist()} == {tuple(row) for row in episodes.x.tolist()}
    counts = np.bincount((c[:, 0] / 2).astype(int))
    np.testing.assert_allclose(counts, 1000, atol=120)  # each episode, long or short
    row_of = {tuple(row): k for k, row in enumerate(episodes.x.tolist())}
    for state, command in list(zip(s.tolist(), c.tolist()))[:50]:
        k = row_of[tuple(state)]
        assert command == [2 * episodes.togo[k], 0.5 * episodes.left[k]]


def test_learning_is_cross_entropy_on_what_was_done():
    episodes, _ = some_episodes()
    net = double(Behaviour(rng(2), 4, 6, 4), 1.0)
    commands = udrl.scaled(episodes.togo, episodes.left, SMALL)
    before = cross_entropy(net.forward(episodes.x, commands), episodes.action)
    udrl.learn_commands(net, Adam(net, 0.02), episodes, rng(7), SMALL, 300)
    after = cross_entropy(net.forward(episodes.x, commands), episodes.action)
    assert after < 0.1 < before


# ---- upside-down RL ----
def with_values(value, length):
    """Episodes that only have returns and lengths."""
    value, length = np.array(value, float), np.array(length)
    steps = length.sum()
    empty = np.zeros((steps, 4), np.float32), np.zeros(steps, int), np.zeros(steps), np.ones(steps)
    return Episodes(*empty, length, value, value > 0)


def test_replay_and_commands_by_hand():
    learner = UpsideDown(replace(SMALL, replay=4, last_few=2), True, seeds())
    episodes = with_values([0.5, -1, 2, 1, 1.5, -2], [10, 20, 30, 40, 50, 60])
    kept = learner.keep(episodes)
    assert kept.value.tolist() == [0.5, 2, 1, 1.5] and kept.length.tolist() == [10, 30, 40, 50]
    learner.replay = kept
    wanted, left = learner.commands(4000)
    assert (left == 40).all()  # the mean length of the best two
    assert 1.75 <= wanted.min() < 1.752 and 1.998 < wanted.max() <= 2.0  # mean 1.75, deviation 0.25
    assert abs(wanted.mean() - 1.875) < 0.01
    wanted, left = learner.aim(3)
    assert wanted.tolist() == [1.75] * 3 and left.tolist() == [40] * 3
    latest = study.Latest(replace(SMALL, replay=4, last_few=2), True, seeds())
    assert latest.keep(episodes).value.tolist() == [2, 1, 1.5, -2]
    modest = study.Modest(replace(SMALL, replay=4, last_few=2), True, seeds())
    modest.replay = kept
    assert modest.commands(2)[0].tolist() == [1.75] * 2
    assert study.NoGate.make_net is study.Beside and UpsideDown.make_net is Behaviour


def test_the_course_of_upside_down_rl(monkeypatch):
    log = []
    real_fly, real_learn = udrl.fly, udrl.learn_commands

    def fly(noise, landers, policy, wanted, left):
        episodes = real_fly(noise, landers, policy, wanted, left)
        log.append(("fly", policy, wanted, episodes))
        return episodes

    def learn(net, adam, episodes, draws, config, updates):
        log.append(("learn", episodes, updates))
        return real_learn(net, adam, episodes, draws, config, updates)

    monkeypatch.setattr(udrl, "fly", fly)
    monkeypatch.setattr(udrl, "learn_commands", learn)
    learner = UpsideDown(SMALL, True, seeds())
    assert len(log) == 1 and log[0][1] == learner.random and len(log[0][2]) == 20
    assert learner.steps == log[0][3].length.sum()
    assert learner.random_mean == pytest.approx(log[0][3].value.mean())
    first = log[0][3]
    for _ in range(2):
        learner.advance()
    assert [entry[0] for entry in log[1:]] == ["learn", "fly"] * 2
    assert sorted(log[1][1].value) == sorted(first.value)[-15:]
    assert log[1][1].x.shape[1] == 4 and log[1][2] == 2  # the net does not see the time
    flown = [entry[3] for entry in log if entry[0] == "fly"]
    assert [len(e.value) for e in flown] == [20, 8, 8]
    assert learner.steps == sum(e.length.sum() for e in flown)
    everything = np.concatenate([e.value for e in flown])
    assert sorted(learner.replay.value) == sorted(everything)[-15:]
    np.testing.assert_array_equal(np.concatenate(learner.past, 1)[0], everything)
    best = np.sort(log[1][1].value)[-5:]
    assert (log[2][2] >= best.mean()).all() and (log[2][2] <= best.mean() + best.std()).all()
    assert (log[2][2] != log[2][2][0]).any()


def test_obeying_uses_lengths_that_were_seen(monkeypatch):
    learner = UpsideDown(SMALL, True, seeds())
    value = np.concatenate([np.zeros(30), np.full(30, 10.0)])
    learner.past = [np.stack([value, np.where(value > 5, 70, 20)])]
    told = []

    def fly(noise, landers, policy, wanted, left):
        told.append((wanted, left, landers.sparse))
        return with_values(2 * wanted, np.ones(len(wanted), int))

    monkeypatch.setattr(udrl, "fly", fly)
    wanted, achieved = udrl.obey(learner, rng(), -1.0, 10.5)
    assert wanted.tolist() == np.linspace(-1, 10.5, 25).tolist()
    np.testing.assert_allclose(achieved, 2 * wanted)
    ((flown, left, sparse),) = told
    assert len(flown) == 25 * 200 and sparse
    np.testing.assert_array_equal(left, np.where(flown < 5, 20, 70))


def test_obedience_is_told_apart_below_and_inside_the_replay(monkeypatch):
    learner = UpsideDown(SMALL, True, seeds())
    learner.random_mean = -1.0
    learner.replay = with_values([1.0, 2.0], [5, 5])
    asked = []

    def obey(of, stream, lowest, highest):
        asked.append((lowest, highest))
        wanted = np.linspace(lowest, highest, 25)
        return wanted, np.where(wanted < 1.0, -wanted, wanted)

    monkeypatch.setattr(udrl, "obey", obey)
    table = udrl.obedience(learner, rng())
    assert asked == [(-1.0, 2.0), (1.0, 2.0)]
    assert table["obedience_below"] == pytest.approx(-1)
    assert table["obedience_inside"] == pytest.approx(1)
    assert -1 < table["obedience"] < 1
    assert udrl.rank_correlation(np.array([1.0]), np.array([2.0])) is None
    assert udrl.rank_correlation(np.array([1.0, 5, 2]), np.array([0.1, 9, 1])) == pytest.approx(1)
    assert udrl.rank_correlation(np.arange(4.0), np.array([0, 2, 1, 3.0])) == pytest.approx(0.8)


# ---- the rivals ----
def test_the_actor_critic_flies_on_and_learns_from_its_own_steps(monkeypatch):
    learner = ActorCritic(SMALL, False, seeds())
    seen = []
    monkeypatch.setattr(learner, "learn", lambda *parts: seen.append(parts))
    for _ in range(3):
        learner.advance()
    assert learner.steps == 3 * 20 * 64
    x, action, reward, end = map(np.concatenate, zip(*[(p[0][:-1], *p[1:]) for p in seen]))
    np.testing.assert_array_equal(seen[0][0][-1], seen[1][0][0])  # the value of what comes next
    np.testing.assert_array_equal(x[1:, :, 4][end[:-1]], 0)  # a new start after each end
    np.testing.assert_allclose(x[1:, :, 4][~end[:-1]], (x[:-1, :, 4] + 1 / 80)[~end[:-1]], 1e-5)
    change = udrl.potential(x[1:, 0, :4]) - udrl.potential(x[:-1, 0, :4])
    expected = change - 0.1 * udrl.FUEL[action[:-1, 0]]
    np.testing.assert_allclose(reward[:-1, 0][~end[:-1, 0]], expected[~end[:-1, 0]], atol=1e-5)
    assert end.any() and set(action.ravel()) == {0, 1, 2, 3}


def test_a_step_of_actor_and_critic_by_hand(monkeypatch):
    learner = ActorCritic(SMALL, False, seeds())
    for adam in learner.adams:
        monkeypatch.setattr(adam, "descend", lambda g, adam=adam: setattr(adam, "got", g))
    x = rng(1).standard_normal((4, 2, 5)).astype(np.float32)
    action, end = rng(2).integers(4, size=(3, 2)), rng(3).random((3, 2)) < 0.3
    reward = rng(4).standard_normal((3, 2))
    value = np.array([learner.critic.forward(row)[:, 0] for row in x])
    advantage = udrl.advantages(reward, value, end)
    learner.learn(x, action, reward, end)
    seen = x[:3].reshape(6, 5)
    dz = udrl.actor_slope(learner.actor.forward(seen), action.ravel(), advantage.ravel(), 0.01)
    np.testing.assert_allclose(learner.adams[0].got, learner.actor.backward(dz), atol=1e-6)
    learner.critic.forward(seen)
    dv = -advantage.reshape(6, 1).astype(np.float32) / 6
    np.testing.assert_allclose(learner.adams[1].got, learner.critic.backward(dv), atol=1e-6)
    assert SMALL.rate_a2c == learner.adams[0].rate == learner.adams[1].rate


def test_dqn_learns_towards_the_double_target(monkeypatch):
    config = study.Config(**vars(replace(SMALL, steps=4000)))
    learner = study.Dqn(config, True, seeds())
    for _ in range(60):
        learner.advance()
    assert learner.steps == 60 * 64 and learner.flown >= 20 and learner.adam.count > 0
    start = learner.x[:64]
    assert (start[:, 4] == 0).all()
    flat = learner.end[: learner.steps].reshape(60, 64)
    follows = learner.after[: 59 * 64].reshape(59, 64, 5)
    nexts = learner.x[64 : 60 * 64].reshape(59, 64, 5)
    np.testing.assert_array_equal(follows[~flat[:-1]], nexts[~flat[:-1]])
    monkeypatch.setattr(learner.adam, "descend", lambda g: setattr(learner, "got", g))
    other = rng(8).standard_normal(learner.target.theta.shape).astype(np.float32)
    learner.target.use(other)  # so that the two nets disagree about the best action
    chosen = rng(5).integers(learner.steps, size=9)
    chosen[:3] = np.flatnonzero(learner.end)[:3]
    theta = learner.net.theta.astype(float)
    net, target = Mlp(rng(), 5, 8, 4), Mlp(rng(), 5, 8, 4)
    net.use(theta.copy())
    target.use(learner.target.theta.astype(float))
    goal = []
    for k in chosen:
        later = target.forward(learner.after[[k]])[0, net.forward(learner.after[[k]]).argmax()]
        goal.append(learner.reward[k] + (0 if learner.end[k] else 0.99 * later))

    def huber():
        error = np.abs(net.forward(learner.x[chosen])[np.arange(9), learner.action[chosen]] - goal)
        return np.where(error < 1, 0.5 * error**2, error - 0.5).mean()

    learner.learn(chosen)
    np.testing.assert_allclose(learner.got, central_differences(net, huber), atol=1e-4)
    learner.adam.count = 500
    learner.learn(chosen)
    np.testing.assert_array_equal(learner.target.theta, learner.net.theta)


def test_dqn_explores_less_and_less_after_as_much_chance_as_the_others():
    learner = study.Dqn(study.Config(steps=1000, warm_up=7), True, seeds())
    learner.steps, learner.flown = 900, 6
    assert learner.epsilon() == 1
    learner.flown = 7
    assert learner.epsilon() == 0.05
    learner.steps = 150
    assert learner.epsilon() == pytest.approx(0.5)
    x = rng().standard_normal((5, 5)).astype(np.float32)
    best = learner.net.forward(x).argmax(1)
    assert (udrl.sample(rng(), learner.policy(x, 0, 0)) == best).all()


def test_reinforce_takes_whole_returns_without_a_discount(monkeypatch):
    learner = study.Reinforce(study.Config(flights=4), True, seeds())
    flown = []
    real = study.fly
    monkeypatch.setattr(study, "fly", lambda *a: flown.append(real(*a)) or flown[-1])
    for adam in learner.adams:
        monkeypatch.setattr(adam, "descend", lambda g, adam=adam: setattr(adam, "got", g))
    learner.advance()
    (episodes,) = flown
    assert len(episodes.value) == 4 and learner.steps == episodes.length.sum()
    advantage = episodes.value.repeat(episodes.length) - learner.critic.forward(episodes.x)[:, 0]
    z = learner.actor.forward(episodes.x)
    dz = udrl.actor_slope(z, episodes.action, advantage, learner.config.entropy)
    np.testing.assert_allclose(learner.adams[0].got, learner.actor.backward(dz), atol=1e-6)
    dv = (-advantage[:, None] / len(advantage)).astype(np.float32)
    np.testing.assert_allclose(learner.adams[1].got, learner.critic.backward(dv), atol=1e-6)


# ---- the chain ----
def counts():
    """N[H][s][R in tenths]: how many action sequences bring R in exactly H steps and then end."""
    table = [{} for _ in range(31)]  # at H = 0 nothing is left
    for H in range(1, 31):
        for s in range(1, 8):
            for action in (0, 1):
                for R, ways in branch(table, s, action, H):
                    table[H].setdefault(s, {})
                    table[H][s][R] = table[H][s].get(R, 0) + ways
    return table


def branch(table, s, action, H):
    """Returns, in tenths, and ways to get them in H steps, the first of which is given."""
    place = s + 2 * action - 1
    if place in (0, 8):
        return [({0: 10, 8: 50}[place], 1)] if H == 1 else []
    return [(R - 1, ways) for R, ways in table[H - 1].get(place, {}).items()]


def test_a_walk_by_hand():
    script = iter([1, 0, 1, 1, 1, 1, 0, 0])
    told = []

    def choose(x, wanted, left):
        told.append((int(x[0].argmax()), float(wanted[0]), float(left[0])))
        return np.array([next(script, 0)])

    walks = udrl.walk(choose, np.array([4.7]), np.array([6]))
    assert walks.length.tolist() == [6] and walks.value[0] == pytest.approx(4.5)
    assert [place for place, _, _ in told[:6]] == [4, 5, 4, 5, 6, 7]
    assert [wanted for _, wanted, _ in told[:4]] == [4.7, 4.8, 4.9, 5.0]
    assert [left for _, _, left in told[:7]] == [6, 5, 4, 3, 2, 1, 1]
    np.testing.assert_allclose(walks.togo, [4.5, 4.6, 4.7, 4.8, 4.9, 5.0])


def test_the_feasible_commands_are_all_that_walks_can_bring():
    walks = udrl.walk(lambda x, *_: rng_walk.integers(2, size=len(x)), *np.zeros((2, 20_000)))
    seen = {(round(v, 6), int(n)) for v, n in zip(walks.value, walks.length)}
    wanted, left = udrl.feasible()
    assert seen == set(zip(wanted.tolist(), left.tolist())) and len(wanted) == 29
    assert abs(walks.value.mean() - 1.305) < 0.06 and abs(walks.value.std() - 2.520) < 0.03


rng_walk = np.random.default_rng(11)


def test_the_exact_behaviour_function_obeys_every_command():
    table = counts()
    goals = [(5 - 0.1 * (n - 1), n) for n in range(4, 31, 2)]
    assert len(table[4][4]) == 2  # 4.7 and 0.7

    def choose(x, wanted, left):
        actions = []
        for s, R, H in zip(x.argmax(1), np.rint(10 * wanted).astype(int), left.astype(int)):
            ways = [dict(branch(table, s, a, H)).get(R, 0) for a in (0, 1)] if 0 < s < 8 else [1, 0]
            actions.append(int(np.argmax(ways)))
        return np.array(actions)

    wanted, left = udrl.feasible()
    reachable = wanted > -2.95  # those that reach an end
    walks = udrl.walk(choose, wanted[reachable], left[reachable])
    np.testing.assert_allclose(walks.value, wanted[reachable], atol=1e-6)
    np.testing.assert_array_equal(walks.length, left[reachable])
    assert set(goals[0]) <= {4.7, 4}


def test_the_chains_net_learns_from_random_walks_and_is_told_feasible_commands(monkeypatch):
    told, taught = [], []
    monkeypatch.setattr(udrl, "learn_commands", lambda *parts: taught.append(parts))
    net = udrl.learn_chain(SMALL, seeds())
    ((_, _, episodes, _, _, updates),) = taught
    assert len(episodes.value) == 50 and updates == SMALL.chain_updates
    assert episodes.x.shape[1] == 9 and net.W3.shape[1] == 2
    assert 0.3 < episodes.action.mean() < 0.7

    def command(net, wanted, left, config):
        told.append((wanted, left))
        off = np.zeros(29)
        off[3] = 0.29  # one return is wrong, one length
        length = left.copy()
        length[7] += 2
        return with_values(wanted + off, length)

    monkeypatch.setattr(udrl, "command_chain", command)
    row = udrl.chain_row(SMALL, seeds())
    assert row == {"chain_obeyed": 27, "chain_error": pytest.approx(0.01)}
    np.testing.assert_array_equal(told[0], udrl.feasible())


def test_the_chain_is_commanded_greedily():
    class Told:
        def forward(self, s, c):
            np.testing.assert_array_equal(s.argmax(1), s @ np.arange(9))
            return np.tile([0.0, 1e-9], (len(s), 1))  # a little to the right

    walks = udrl.command_chain(Told(), np.array([4.7, 0.7]), np.array([4, 4]), SMALL)
    assert walks.length.tolist() == [4, 4] and walks.value.tolist() == pytest.approx([4.7, 4.7])


# ---- wiring ----
@pytest.fixture
def few(monkeypatch):
    """Tests of few episodes, few of them."""
    monkeypatch.setattr(udrl, "TESTS", 10)
    monkeypatch.setattr(udrl, "CHECKS", 4)


def test_a_gamble_by_hand(monkeypatch):
    taught = []
    real = study.learn_commands
    monkeypatch.setattr(study, "learn_commands", lambda *a: taught.append(a[2]) or real(*a))
    config = study.Config(hidden_size=8, chain_updates=400, bets=2000, learning_rate=0.02)
    table = study.gamble(config, seeds())
    (past,) = taught
    assert {tuple(pair) for pair in zip(past.action.tolist(), past.value.tolist())} == {
        (0, 1.0), (1, 2.0), (1, -3.0)}  # fmt: skip
    assert abs((past.value[past.action == 1] == 2).mean() - 0.1) < 0.03
    assert table["told_2"] > 0.8 > 0.2 > table["told_1"]
    assert table["gets_2"] == pytest.approx(1 - 3.5 * table["told_2"])
    assert table["gets_1"] == pytest.approx(1 - 3.5 * table["told_1"])


class Fixed:
    """A learner that flies like nobody and counts its steps."""

    world = Landers
    sparse = False
    most_steps = 640

    def __init__(self, config):
        self.config = config
        self.steps = 300
        self.calls = 0

    def advance(self):
        self.steps += 600
        self.calls += 1

    def policy(self, x, wanted, left):
        return np.zeros((len(x), 4))

    def aim(self, count):
        return np.zeros(count), np.zeros(count)


def test_training_keeps_to_the_budget_and_tests_all_along():
    learner = Fixed(SMALL)
    steps, returns, landed = udrl.train(learner, rng(), silent)
    assert learner.calls == 4 and learner.steps == 2700 <= SMALL.steps < 2700 + 640
    assert steps == [300, *range(900, 2701, 600)] and len(returns) == len(landed) == 5
    episodes = udrl.test(learner, rng())
    assert len(episodes.value) == 200
    row = udrl.row(([10, 20, 30], [1.2, 1.3, 1.1], [0.1, 0.2, 0.3]))
    assert row == {"return": 1.1, "landed": 0.3, "steps_to_good": 20}
    assert udrl.row(([10], [1.29], [0.1]))["steps_to_good"] is None


@pytest.fixture
def spied(monkeypatch, few):
    """Runs whose streams, flights and learned arrays are kept."""
    log = {"streams": [], "learned": [], "tested": []}
    real_rng, real_learn, real_test = np.random.default_rng, udrl.learn_commands, udrl.test

    def make(seed=None):
        generator = real_rng(seed)
        if isinstance(seed, np.random.SeedSequence):
            log["streams"].append(tuple(seed.generate_state(4)))
        else:
            log["streams"].append(("bare", seed))
        return generator

    def learn(net, adam, episodes, *rest):
        log["learned"].append(episodes.x)
        return real_learn(net, adam, episodes, *rest)

    def test(learner, stream):
        episodes = real_test(learner, stream)
        log["tested"].append((learner, episodes.x))
        return episodes

    monkeypatch.setattr(np.random, "default_rng", make)
    monkeypatch.setattr(udrl, "learn_commands", learn)
    monkeypatch.setattr(udrl, "test", test)
    return log


def first_rows(arrays):
    return {row.tobytes() for x in arrays for row in np.ascontiguousarray(x[:, :4])}


@pytest.mark.parametrize("program", [udrl, study])
def test_streams_and_flights_of_a_run(spied, program):
    config = replace(SMALL, steps=3000)
    if program is study:
        config = study.Config(**vars(config), bets=100, flights=2)
    program.run(config, 1000, silent)
    assert len(spied["streams"]) > 20 and len(set(spied["streams"])) == len(spied["streams"])
    assert not any(stream[0] == "bare" for stream in spied["streams"])
    taught = first_rows(x for x in spied["learned"] if x.shape[1] == 4)
    tested = first_rows(x for _, x in spied["tested"])
    assert taught and tested and not taught & tested


def test_all_learners_get_as_many_steps(monkeypatch, few):
    made = []
    for name, (kind, sparse) in LEARNERS.items():

        def make(config, is_sparse, seed, kind=kind, name=name):
            made.append((name, kind(config, is_sparse, seed)))
            return made[-1][1]

        monkeypatch.setitem(LEARNERS, name, (make, sparse))
    table = udrl.run(SMALL, 1000, silent)
    assert [name for name, _ in made] == list(LEARNERS)
    for name, learner in made:
        assert learner.sparse == name.endswith("sparse")
        assert isinstance(learner, UpsideDown if "udrl" in name else ActorCritic)
        assert SMALL.steps - learner.most_steps < learner.steps <= SMALL.steps
        assert learner.config is SMALL
    returns = {name: table[name]["return"] for name in LEARNERS}
    assert table["sparse_lead"] == returns["udrl_sparse"] - returns["a2c_sparse"]
    assert table["dense_lead"] == returns["a2c_dense"] - returns["udrl_dense"]
    assert table["curve"]["y"][-1] == returns["udrl_sparse"]
    assert len(set(returns.values())) == 4


def test_the_study_repeats_the_experiment_and_adds_its_rows(monkeypatch, few):
    config = study.Config(**vars(replace(SMALL, steps=3000)), bets=100, flights=2)
    seen = {}
    real = study.train

    def train(learner, stream, progress):
        seen[len(seen)] = learner
        return real(learner, stream, progress)

    monkeypatch.setattr(study, "train", train)
    table = study.run(config, 1000, silent)
    ours = udrl.run(replace(SMALL, steps=3000), 1000, silent)
    for name in LEARNERS:
        assert table[name]["return"] == ours[name]["return"]
        assert table[name]["returns"][-1] == table[name]["return"]
    assert table["dqn_lead"] == table["udrl_sparse"]["return"] - table["dqn_sparse"]["return"]
    assert udrl.rank_correlation(*(np.array(table["commands"][k]) for k in ("wanted", "achieved")))\
        == ours["obedience"]  # fmt: skip
    assert len(seen) == len(study.ROWS)
    for learner, (kind, sparse, own) in zip(seen.values(), study.ROWS.values()):
        assert type(learner) is kind and learner.sparse == sparse
        assert config.steps - learner.most_steps < learner.steps <= config.steps
        assert own.items() <= vars(learner.config).items()


def test_a_run_repeats_bit_for_bit_and_seeds_differ(few):
    first, again, other = (udrl.run(SMALL, seed, silent) for seed in (0, 0, 1))
    for table in (first, again, other):
        del table["udrl_steps_per_second"]
    assert first == again != other
    assert Config(**QUICK).steps < Config().steps


# ---- unusable arguments ----
def test_commands_come_from_the_replay():
    with pytest.raises(ValueError, match="--last-few"):
        Config(last_few=601)


@pytest.mark.parametrize(
    "argv",
    [["--steps", "1"], ["--learning-rate", "0"], ["--replay", "20"], ["--entropy", "nan"]],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        udrl.main(udrl, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert (argv[0] in said or "--last-few" in said) and said.count("\n") == 1
