"""Tests of pole balancing: physics, gradients through M and C, records, loop, wiring of run()."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pole_balance_non_markov as pole
import pytest
import study_pole_balance_non_markov as study
from pole_balance_non_markov import (
    QUICK,
    CartPole,
    Config,
    Dream,
    Learner,
    Model,
    Player,
    Records,
    Recurrent,
    accelerations,
    run,
)

SMALL = Config(**QUICK)


def silent(fraction, message):
    """A progress that nobody sees."""


def sig(a):
    return 1 / (1 + np.exp(-a))


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def central_differences(objective, theta, step=1e-5):
    """d objective(theta) / d theta (N, P); the objective gives one number per net."""
    numeric = np.zeros_like(theta)
    for p in range(theta.shape[1]):
        up, down = theta.copy(), theta.copy()
        up[:, p] += step
        down[:, p] -= step
        numeric[:, p] = (objective(up) - objective(down)) / (2 * step)
    return numeric


# ---- the cart-pole ----


def at(*state):
    """One pole in a given state (x, v, theta, omega)."""
    poles = CartPole((1,), 0.05)
    poles.reset(np.random.default_rng(0))
    poles.state = np.array(state, float)[:, None]
    return poles


def test_a_step_worked_by_hand():
    poles = at(0.0, 1.0, 0.1, -0.5)
    sin, cos = 0.09983341664682815, 0.9950041652780258
    push = (10.0 * 0.3 + 0.1 * 0.5 * 0.25 * sin) / 1.1
    turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    cart = push - 0.1 * 0.5 * turn * cos / 1.1
    seen = poles.step(np.array([0.3]))
    expected = [0.02, 1.0 + 0.02 * cart, 0.1 - 0.01, -0.5 + 0.02 * turn]
    np.testing.assert_allclose(poles.state[:, 0], expected, atol=1e-12)
    np.testing.assert_allclose(seen[:, 0], [0.02 / 2.4, 0.09 / np.deg2rad(12)], atol=1e-7)


def test_left_and_right_are_alike_and_rest_is_rest():
    rng = np.random.default_rng(0)
    theta, omega, action = rng.uniform(-1, 1, (3, 50))
    push, turn = accelerations(theta, omega, action)
    mirrored = accelerations(-theta, -omega, -action)
    np.testing.assert_allclose(mirrored, [-push, -turn], atol=1e-12)
    assert np.abs(accelerations(0.0, 0.0, 0.0)).max() == 0


def energy(v, theta, omega):
    """Energy of the cart and of a uniform pole of half-length 0.5 m, J."""
    rod = 0.5 * 0.1 * (v * v + 2 * v * 0.5 * omega * np.cos(theta) + 4 / 3 * 0.25 * omega**2)
    return 0.5 * v * v + rod + 0.1 * 9.8 * 0.5 * np.cos(theta)


def runge_kutta(state, action, seconds, steps):
    """Integrate the continuous equations with classic fourth-order steps."""

    def slope(s):
        push, turn = accelerations(s[2], s[3], action)
        return np.array([s[1], push, s[3], turn])

    h = seconds / steps
    for _ in range(steps):
        a = slope(state)
        b = slope(state + h / 2 * a)
        c = slope(state + h / 2 * b)
        d = slope(state + h * c)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state


def test_the_equations_keep_energy_and_momentum():
    start = np.array([0.0, 0.2, 0.15, 0.3])
    end = runge_kutta(start, 0.0, 1.0, 400)
    assert abs(end[2]) > 0.5  # it fell far
    assert energy(*end[1:]) == pytest.approx(energy(*start[1:]), abs=1e-7)
    momentum = [1.1 * s[1] + 0.05 * s[3] * np.cos(s[2]) for s in (start, end)]
    assert momentum[1] == pytest.approx(momentum[0], abs=1e-7)
    pushed = runge_kutta(start, 0.4, 0.5, 200)  # 4 N for 0.5 s
    assert 1.1 * pushed[1] + 0.05 * pushed[3] * np.cos(pushed[2]) - momentum[0] == pytest.approx(2)


def test_euler_comes_closer_to_runge_kutta_with_smaller_steps(monkeypatch):
    start = (0.0, 0.1, 0.05, -0.2)
    fine = runge_kutta(np.array(start), 0.2, 0.2, 200)
    errors = []
    for steps in (10, 20, 40):
        monkeypatch.setattr(pole, "DT", 0.2 / steps)
        poles = at(*start)
        for _ in range(steps):
            poles.step(np.array([0.2]))
        errors.append(np.abs(poles.state[:, 0] - fine).max())
    assert errors[0] < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.15)


def test_failure_is_at_the_limits_and_ends_a_trial():
    assert at(2.39, 0.1, 0, 0).step(np.zeros(1)) is not None
    for state, stands in [
        ((2.39, 0.4, 0, 0), True),
        ((2.395, 0.4, 0, 0), False),
        ((-2.395, -0.4, 0, 0), False),
        ((0, 0, 0.205, 0.2), True),
        ((0, 0, 0.205, 0.3), False),
        ((0, 0, -0.205, -0.3), False),
    ]:
        poles = at(*state)
        poles.step(np.zeros(1))
        assert poles.up[0] == stands
        held = poles.state.copy()
        poles.step(np.ones(1))
        assert (np.array_equal(held, poles.state)) != stands
        assert poles.steps[0] == 1 + stands


def test_starts_are_spread_over_the_whole_range():
    poles = CartPole((4, 500), 0.05)
    seen = poles.reset(np.random.default_rng(0))
    assert np.abs(poles.state).max() <= 0.05 and np.abs(poles.state).max(axis=(1, 2)).min() > 0.0499
    assert np.abs(poles.state.mean(axis=(1, 2))).max() < 0.003
    assert seen.shape == (2, 4, 500)
    np.testing.assert_allclose(seen[0] * 2.4, poles.state[0], atol=1e-7)
    np.testing.assert_allclose(seen[1] * np.deg2rad(12), poles.state[2], atol=1e-7)


def test_random_actions_fail_after_some_27_steps():
    rng = np.random.default_rng(0)
    act = lambda seen: rng.uniform(-1, 1, (1, 2000)).astype(np.float32)  # noqa: E731
    steps, log = pole.play(CartPole((1, 2000), 0.05), rng, act)
    assert log is None and steps.mean() == pytest.approx(27.6, abs=0.8)


def test_velocities_cannot_be_seen():
    poles = at(0.1, 0.0, 0.02, 0.0)
    before = poles.seen()
    poles.state[1::2] = 7.0
    assert np.array_equal(before, poles.seen()) and before.shape == (2, 1)


# ---- the nets and their gradients ----


def nets(nets_=2, hidden_m=5, hidden_c=4, seed=0):
    """A model and a controller in float64, with large outputs, so that all paths matter."""
    rng = np.random.default_rng(seed)
    net_m, net_c = Recurrent(hidden_m, 3, 3), Recurrent(hidden_c, 2, 1)
    theta_m = net_m.initial(rng, nets_).astype(float)
    theta_c = net_c.initial(rng, nets_).astype(float)
    net_m.weights(theta_m)[1][:] *= 8
    net_c.weights(theta_c)[1][:] *= 8
    theta_c += 0.1 * rng.standard_normal(theta_c.shape)
    scale = rng.uniform(0.05, 0.3, (nets_, 2, 1))
    return net_m, theta_m, net_c, theta_c, scale


def recorded(T, N=2, B=3, seed=1):
    """Rows (T + 1, N, 3, B) of no real trial."""
    return np.random.default_rng(seed).uniform(-0.4, 0.4, (T + 1, N, 3, B))


def unpack(theta, hidden, inputs, outputs):
    W = theta[: hidden * (hidden + inputs + 1)].reshape(hidden, -1)
    return W, theta[W.size :].reshape(outputs, -1)


def slow_model_loss(theta, rows, pain, mask, scale, hidden=5):
    """M's loss of one net, one window and one step at a time."""
    W, V = unpack(theta, hidden, 3, 3)
    total = 0.0
    for b in range(rows.shape[2]):
        h = np.zeros(hidden)
        for t in range(len(rows) - 1):
            x, angle, u = rows[t, :, b]
            h = np.tanh(W @ np.concatenate([h, [4 * x, 2 * angle, u, 1]]))
            y = V @ np.append(h, 1)
            change = (rows[t + 1, :2, b] - rows[t, :2, b]) / scale[:, 0]
            p = sig(y[2])
            surprise = -np.log(p) if pain[t, b] else -np.log(1 - p)
            if mask[t, b]:
                total += 0.5 * ((y[:2] - change) ** 2).sum() + surprise
    return total / mask.sum()


def test_gradient_of_the_model_is_that_of_the_slow_loss():
    net, theta, _, _, scale = nets()
    rows = recorded(6)
    rng = np.random.default_rng(3)
    pain, mask = rng.random((6, 2, 3)) < 0.3, rng.random((6, 2, 3)) < 0.7

    def objective(theta):
        return np.array(
            [
                slow_model_loss(theta[n], rows[:, n], pain[:, n], mask[:, n], scale[n])
                for n in range(2)
            ]
        )

    analytic = Model(net, theta, scale).gradient(rows, pain, mask)
    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def slow_dream(theta_c, theta_m, rows, horizon, scale, cost):
    """The mean cost of one C in its M's imagination, one start and one step at a time."""
    (Wc, Vc), (Wm, Vm) = unpack(theta_c, 4, 2, 1), unpack(theta_m, 5, 3, 3)
    total, ended = 0.0, 0
    for b in range(rows.shape[2]):
        hc, hm = np.zeros(4), np.zeros(5)
        seen = rows[0, :2, b]
        for t in range(len(rows) - 1 + horizon):
            warm = t < len(rows) - 1
            hc = np.tanh(Wc @ np.concatenate([hc, [4 * seen[0], 2 * seen[1], 1]]))
            u = rows[t, 2, b] if warm else np.tanh(Vc @ np.append(hc, 1))[0]
            hm = np.tanh(Wm @ np.concatenate([hm, [4 * seen[0], 2 * seen[1], u, 1]]))
            y = Vm @ np.append(hm, 1)
            seen = rows[t + 1, :2, b] if warm else seen + scale[:, 0] * y[:2]
            if warm:
                continue
            p = sig(y[2])
            total += -np.log(1 - p) if cost == "pain" else seen[1] ** 2 + 0.3 * seen[0] ** 2
            if p > 0.9 if cost == "pain" else max(abs(seen)) > 1.5:
                ended += 1
                break
    return total / (rows.shape[2] * horizon), ended


@pytest.mark.parametrize("cost", ["pain", "dense"])
@pytest.mark.parametrize("warm", [0, 3])
def test_gradient_through_the_model_and_the_controller(cost, warm):
    net_m, theta_m, net_c, theta_c, scale = nets()
    rows, horizon = recorded(warm), 9
    model = Model(net_m, theta_m, scale)
    dream = Dream(net_c, model, pole.COSTS[cost])

    def slow(theta):
        return [
            slow_dream(theta[n], theta_m[n], rows[:, n], horizon, scale[n], cost) for n in range(2)
        ]

    def objective(theta):
        return np.array([mean for mean, _ in slow(theta)])

    np.testing.assert_allclose(
        dream.forward(theta_c, rows, horizon), objective(theta_c), atol=1e-12
    )
    analytic = dream.backward()
    assert relative_error(analytic, central_differences(objective, theta_c)) <= 1e-6
    assert np.array_equal(model.theta, theta_m)


def test_imagination_ends_where_it_hurts_or_is_far_out():
    net_m, theta_m, net_c, theta_c, scale = nets()
    rows = recorded(2)
    for cost, factor in (("pain", 1.0), ("dense", 20.0)):
        V = net_m.weights(theta_m)[1]
        V[:, 2, -1] = 2.0
        wide = factor * scale
        slow = [slow_dream(theta_c[n], theta_m[n], rows[:, n], 8, wide[n], cost) for n in range(2)]
        assert 0 < sum(ended for _, ended in slow)
        fast = Dream(net_c, Model(net_m, theta_m, wide), pole.COSTS[cost]).forward(theta_c, rows, 8)
        np.testing.assert_allclose(fast, [mean for mean, _ in slow], atol=1e-12)


def euler_cost(theta, rows, horizon):
    """The dense cost of one C in the true cart-pole, a pole and a step at a time."""
    Wc, Vc = unpack(theta, 4, 2, 1)
    units, total = np.array([2.4, np.deg2rad(12)]), 0.0
    for b in range(rows.shape[2]):
        h = np.zeros(4)
        for x, angle, _ in rows[:-1, :, b]:
            h = np.tanh(Wc @ np.concatenate([h, [4 * x, 2 * angle, 1]]))
        before, now = rows[-2, :2, b] * units, rows[-1, :2, b] * units
        speed, omega = (now - before) / 0.02
        push, turn = accelerations(before[1], omega, rows[-2, 2, b])
        state = np.array([now[0], speed + 0.02 * push, now[1], omega + 0.02 * turn])
        for _ in range(horizon):
            x, angle = state[::2] / units
            h = np.tanh(Wc @ np.concatenate([h, [4 * x, 2 * angle, 1]]))
            push, turn = accelerations(state[2], state[3], np.tanh(Vc @ np.append(h, 1))[0])
            state = state + 0.02 * np.array([state[1], push, state[3], turn])
            x, angle = state[::2] / units
            total += angle**2 + 0.3 * x**2
            if max(abs(x), abs(angle)) > 1.5:
                break
    return total / (rows.shape[2] * horizon)


def real_rows(seed=0, T=6):
    """Recorded rows (T + 1, 2, 3, 3) of real poles, in float64."""
    rng = np.random.default_rng(seed)
    act = lambda seen: rng.uniform(-1, 1, (2, 3)).astype(np.float32)  # noqa: E731
    log = pole.play(CartPole((2, 3), 0.05), rng, act, keep=True)[1]
    return log[: T + 1].transpose(0, 2, 1, 3).astype(float)


def test_gradient_through_the_perfect_model():
    _, _, net, theta, _ = nets()
    rows = real_rows()
    dream = Dream(net, study.PerfectModel(), pole.dense_cost)

    def objective(theta):
        return np.array([euler_cost(theta[n], rows[:, n], 10) for n in range(2)])

    np.testing.assert_allclose(dream.forward(theta, rows, 10), objective(theta), rtol=1e-9)
    assert relative_error(dream.backward(), central_differences(objective, theta)) <= 1e-6


def test_the_perfect_model_goes_on_as_the_pole_does():
    rng = np.random.default_rng(0)
    act = lambda seen: rng.uniform(-1, 1, (2, 3)).astype(np.float32)  # noqa: E731
    log = pole.play(CartPole((2, 3), 0.05), rng, act, keep=True)[1]
    rows, model = log.transpose(0, 2, 1, 3), study.PerfectModel()
    model.begin(rows[:5], 9)
    seen = rows[4, :, :2]
    for t in range(4, 9):
        seen, logit = model.predict(t, seen, rows[t, :, 2:])
        assert seen.dtype == np.float32
        np.testing.assert_allclose(seen, rows[t + 1, :, :2], atol=2e-5)


def test_gradient_through_the_linear_model():
    _, _, net, theta, _ = nets()
    A = 0.1 * np.random.default_rng(0).standard_normal((2, 2, 7))
    rows = recorded(2)
    dream = Dream(net, study.LinearModel(A), pole.dense_cost)

    def objective(theta):
        return dream.forward(theta, rows, 9)

    objective(theta)
    analytic = dream.backward()
    assert relative_error(analytic, central_differences(objective, theta)) <= 1e-6


def learner_of(config=SMALL, memory=(1, 0), seed=0):
    streams = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(6))
    return Learner(config, list(memory), list(streams))


def test_the_linear_fit_predicts_real_trials_better_than_extrapolation():
    learner = learner_of()
    learner.begin()
    A = study.fit(learner.records[0])
    rows = learner.records[1].rows[:8]  # of another net's first trial
    seen, change, u = rows[1:-1, :2], np.diff(rows[:-1, :2], axis=0), rows[:, 2:]
    parts = [seen, change, u[1:-1], u[:-2], np.ones((6, 1))]
    guess = seen + np.concatenate(parts, axis=1) @ A.T
    error = ((guess - rows[2:, :2]) ** 2).sum()
    assert error < 0.05 * ((seen + change - rows[2:, :2]) ** 2).sum()


# ---- records ----


def test_windows_are_what_the_poles_did():
    rng = np.random.default_rng(0)
    shape = (1, 30)
    act = lambda seen: rng.uniform(-1, 1, shape).astype(np.float32)  # noqa: E731
    steps, log = pole.play(CartPole(shape, 0.05), rng, act, keep=True)
    records = Records(20)
    records.add(log[:, :, 0, :20], steps[0, :20])
    records.add(log[:, :, 0, 20:], steps[0, 20:])
    rows, pain, mask = records.windows(rng, 400, 12)
    assert rows.shape == (13, 3, 400) and pain.shape == mask.shape == (12, 400)
    assert not mask[0].any() and mask[1:8].all()
    whole = {log[t, :2, 0, k].tobytes(): (t, k) for k in range(30) for t in range(steps[0, k] + 1)}
    late, ends, starts = 0, 0, 0
    for b in range(400):
        t, k = whole[rows[0, :2, b].tobytes()]
        left = min(12, steps[0, k] - t)
        np.testing.assert_array_equal(rows[:left, :, b], log[t : t + left, :, 0, k])
        np.testing.assert_array_equal(rows[left, :2, b], log[t + left, :2, 0, k])
        assert mask[1:left, b].all() and not mask[left:, b].any()
        assert pain[:left, b].tolist() == [s == steps[0, k] - 1 for s in range(t, t + left)]
        late += k >= 20
        ends += pain[:left, b].any()
        starts += t == 0
    assert late == 200
    assert 0.3 < ends / 400 < 0.5 and 0.3 < starts / 400 < 0.5


def test_a_trial_that_never_fails_hurts_nowhere():
    records = Records(1)
    records.add(np.zeros((pole.LONGEST + 1, 3, 1), np.float32), np.array([pole.LONGEST]))
    _, pain, mask = records.windows(np.random.default_rng(0), 50, 40)
    assert not pain.any() and mask[1:].all()


def test_prefixes_end_upright_inside_a_trial():
    learner = learner_of()
    learner.begin()
    records, rng = learner.records[0], np.random.default_rng(0)
    rows = records.prefixes(rng, 600, 10)  # (11, 3, 600)
    starts = {row.tobytes() for row in records.rows[records.first]}
    at_start = np.array([rows[0, :, b].tobytes() in starts for b in range(600)])
    assert 0.25 < at_start.mean() < 0.45  # a quarter, and those that were drawn so
    assert (np.abs(rows[-1, 1]) < 0.7).mean() > 0.95
    followers = {
        records.rows[a + t : a + t + 11].tobytes()
        for a, count in zip(records.first, records.steps)
        for t in range(count - 10)
    }
    assert all(np.ascontiguousarray(rows[:, :, b]).tobytes() in followers for b in range(600))


# ---- the loop ----


def test_adam_follows_its_formulas_with_each_net_clipped():
    adam = pole.Adam(0.1, 10, 1.0)
    theta, mean, square = np.zeros((2, 2)), 0, 0
    gradient = np.array([[3.0, 4.0], [0.1, -0.2]])
    clipped = np.array([[0.6, 0.8], [0.1, -0.2]])
    expected = theta
    for k in range(1, 4):
        theta = adam.step(theta, gradient)
        mean = 0.9 * mean + 0.1 * clipped
        square = 0.999 * square + 0.001 * clipped**2
        rate = 0.1 * (1 - 0.95 * (k - 1) / 10)
        step = mean / (1 - 0.9**k) / (np.sqrt(square / (1 - 0.999**k)) + 1e-8)
        expected = expected - rate * step
        np.testing.assert_allclose(theta, expected, atol=1e-6)
    with pytest.raises(FloatingPointError, match="a weight is nan"):
        adam.step(theta, np.full((2, 2), np.nan))


def test_without_memory_the_action_depends_on_what_is_seen_alone():
    learner = learner_of()
    learner.begin()
    learner.learn_model(0)
    learner.learn_controller(0)
    act = Player(learner.net_c, learner.theta_c, 1)
    rng = np.random.default_rng(0)
    same = np.full((2, 2, 1), 0.1)
    answers = []
    for _ in range(3):
        act(rng.uniform(-1, 1, (2, 2, 1)))
        answers.append(act(same)[:, 0])
    answers = np.array(answers)  # (3, N)
    assert np.ptp(answers[:, 1]) == 0 and np.ptp(answers[:, 0]) > 1e-4
    assert learner.theta_c[1].any()


def test_players_are_the_controller_and_noise_is_added_within_limits():
    _, _, net, theta, _ = nets()
    act = Player(net, theta, 3)
    seen = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 2, 2, 3))
    actions = np.array([act(s) for s in seen])  # (4, N, B)
    W, V = unpack(theta[1], 4, 2, 1)
    h = np.zeros(4)
    for t in range(4):
        h = np.tanh(W @ np.concatenate([h, [4 * seen[t, 0, 1, 2], 2 * seen[t, 1, 1, 2], 1]]))
        assert actions[t, 1, 2] == pytest.approx(np.tanh(V @ np.append(h, 1))[0], abs=1e-6)
    zero = np.zeros((2, net.hidden * 7 + 5))
    loud = Player(net, zero, 2000, 0.1, np.random.default_rng(1))(np.zeros((2, 2, 2000)))
    assert loud.std() == pytest.approx(0.1, rel=0.05) and abs(loud.mean()) < 0.01
    loud = Player(net, zero, 2000, 9.0, np.random.default_rng(1))(np.zeros((2, 2, 2000)))
    assert np.abs(loud).max() == 1


def test_the_best_controller_is_kept_and_gone_back_to():
    learner = learner_of(memory=(1, 1))
    versions = []
    for k, medians in enumerate([(100, 10), (60, 40), (49, 90), (120, 44)]):
        learner.theta_c = np.full_like(learner.theta_c, k)
        learner.judge(np.array([[1, m, 10_000] for m in medians]))
        versions.append((learner.kept[:, 0].tolist(), learner.theta_c[:, 0].tolist()))
    assert versions == [
        ([0, 0], [0, 0]),
        ([0, 1], [1, 1]),
        ([0, 2], [0, 2]),  # 49 is below half of 100
        ([3, 2], [3, 2]),  # and 44 below half of 90
    ]


def test_a_rate_of_learning_moves_m_and_c_in_their_own_trainings_alone():
    learner = learner_of()
    learner.begin()
    m, c = learner.theta_m, learner.theta_c
    learner.learn_model(0)
    assert (learner.theta_m != m).any(1).all() and np.array_equal(learner.theta_c, c)
    m = learner.theta_m
    learner.learn_controller(0)
    assert (learner.theta_c != c).any(1).all() and np.array_equal(learner.theta_m, m)


def test_scale_is_that_of_changes_within_trials():
    learner = learner_of()
    learner.begin()
    r = learner.records[0]
    changes = [np.diff(r.rows[a : a + n + 1, :2], axis=0) for a, n in zip(r.first, r.steps)]
    np.testing.assert_allclose(learner.scale[0, :, 0], np.concatenate(changes).std(0), rtol=1e-5)
    assert learner.scale[0, 1, 0] > 4 * learner.scale[0, 0, 0]


def test_horizons_grow(monkeypatch):
    seen = []
    forward = Dream.forward

    def spy(self, theta, rows, horizon):
        seen.append((len(rows), horizon))
        return forward(self, theta, rows, horizon)

    monkeypatch.setattr(Dream, "forward", spy)
    learner = learner_of(replace(SMALL, cycles=4, iterations=(3, 2, 2)))
    learner.learn(silent)
    assert seen == [(11, h) for h in (8, 10, 12, 12, 12, 12, 12, 12)]
    assert learner.trials.shape == (2, 20 + 4 * 4)
    assert all(len(r.steps) == 36 for r in learner.records)


# ---- run() ----


@pytest.fixture(scope="module")
def spied():
    """A quick run with what it made: starts, records, balanced nets, streams, metrics."""
    seen = {"starts": [], "balance": [], "nets": [], "firsts": [], "model": []}
    patch = pytest.MonkeyPatch()
    reset, initial, first = CartPole.reset, Recurrent.initial, np.random.default_rng
    balanced, learner, error = pole.balance, Learner.learn, pole.model_error

    def spy_reset(self, rng):
        out = reset(self, rng)
        seen["starts"].append((self.spread, self.state.copy()))
        return out

    def spy_initial(self, rng, nets):
        seen["nets"].append(initial(self, rng, nets))
        return seen["nets"][-1].copy()

    def spy_rng(s):
        seen["firsts"].append(first(s).random())
        return first(s)

    def spy_balance(net, theta, rng, spread):
        seen["balance"].append((theta.copy(), spread, balanced(net, theta, rng, spread)))
        return seen["balance"][-1][2]

    def spy_learn(self, progress):
        learner(self, progress)
        seen["learner"] = self

    def spy_error(*arguments):
        seen["model"].append(error(*arguments))
        return seen["model"][-1]

    patch.setattr(CartPole, "reset", spy_reset)
    patch.setattr(Recurrent, "initial", spy_initial)
    patch.setattr(np.random, "default_rng", spy_rng)
    patch.setattr(pole, "balance", spy_balance)
    patch.setattr(Learner, "learn", spy_learn)
    patch.setattr(pole, "model_error", spy_error)
    seen["table"] = run(SMALL, 5, silent)
    patch.undo()
    return seen


def test_streams_do_not_start_alike(spied):
    assert len(spied["firsts"]) == 10 and len(set(spied["firsts"])) == 10
    starts = [state.ravel()[:4] / spread for spread, state in spied["starts"]]
    assert len({start.tobytes() for start in starts}) == len(starts) == 1 + 2 + 4
    assert all(len(np.unique(theta[:, :16])) == theta[:, :16].size for theta in spied["nets"])


def test_test_starts_were_never_trained_on(spied):
    assert [spread for spread, _ in spied["starts"]] == [0.05] * 4 + [0.01] + [0.05] * 2
    trained = {row.tobytes() for r in spied["learner"].records for row in r.rows[:, :2]}
    for _, state in spied["starts"][3:]:
        seen = (state[::2] / pole.LIMITS[:, None, None].astype(np.float32)).reshape(2, -1).T
        assert not {np.ascontiguousarray(row).tobytes() for row in seen} & trained
    real = {state[::2].tobytes() for _, state in spied["starts"][:3]}
    assert len(real) == 3


def test_the_kept_controllers_are_tested_without_noise(spied):
    learner = spied["learner"]
    assert [spread for _, spread, _ in spied["balance"]] == [0.05, 0.01]
    for theta, _, steps in spied["balance"]:
        assert np.array_equal(theta, learner.kept) and steps.shape == (3, 100)
    poles = CartPole((3, 100), 0.05)
    state = spied["starts"][3][1]
    poles.reset(np.random.default_rng(0))
    poles.state = state.copy()
    act = Player(learner.net_c, learner.kept, 100)
    seen = poles.seen()
    while poles.up.any():
        seen = poles.step(act(seen))
    assert np.array_equal(poles.steps, spied["balance"][0][2])


def test_the_rival_without_memory_had_as_much(spied):
    learner = spied["learner"]
    assert learner.trials.shape == (3, 20 + 2 * 4) and len(learner.records) == 3
    W, _ = learner.net_c.weights(learner.kept)
    assert not W[2, :, :16].any() and W[:2, :, :16].any((1, 2)).all()
    W, _ = learner.net_m.weights(learner.theta_m)
    assert W[:, :, :32].any((1, 2)).all()  # the rival's model keeps its memory
    first_c, first_m = spied["nets"]
    assert len(first_c) == len(first_m) == 3
    assert np.abs(learner.kept[2] - first_c[2]).max() > 0.01


def test_metrics_are_those_of_the_nets_and_starts(spied):
    table, learner = spied["table"], spied["learner"]
    steps, friendly = (part[2] for part in spied["balance"])
    median = np.median(steps, axis=1)
    lead = np.log10(median[:2]).mean() - np.log10(median[2])
    assert table["memory_lead"] == pytest.approx(lead)
    assert table["recurrent"]["test_steps"] == pytest.approx(np.median(median[:2]))
    assert table["memoryless"]["test_steps"] == median[2]
    assert table["random"]["steps"] == pytest.approx(learner.trials[:, :20].mean())
    assert table["model"]["error_angle"] == pytest.approx(np.median(spied["model"][0][:2, 1]))
    assert table["recurrent"]["share_3000_friendly"] == (friendly[:2] > 3000).any(1).mean()
    assert table["curve"]["x"] == [20, 24, 28]
    assert table["curve"]["y"][0] == np.median(learner.trials[:2, :20])
    assert table["curve"]["y"][2] == np.median(learner.trials[:2, 24:])
    assert table["recurrent"]["steps_per_second"] > 0


def test_summary_counts_trials_starts_and_nets():
    learner = learner_of(memory=(1, 1, 1))
    learner.trials = np.array([[20, 1000, 1001, 5000], [9, 9, 9, 1001], [1000, 1000, 9, 9]])
    steps = np.array([[10_000, 10_000], [10_000, 9999], [10, 20]])
    friendly = np.array([[3001, 1], [3000, 3000], [1, 9999]])
    read = np.array([[0.1, 0.5], [0.2, 0.7], [0.6, 0.6]])
    row = pole.summary(learner, slice(0, 3), steps, friendly, read)
    assert row["share_1000"] == pytest.approx(2 / 3) and row["trials_to_1000"] == 4
    assert row["share_3000_friendly"] == pytest.approx(2 / 3)
    assert row["share_10000"] == 0.5
    assert row["test_steps"] == 9999.5
    assert (row["read_cart"], row["read_pole"]) == (0.2, 0.6)
    assert pole.summary(learner, slice(2, 3), steps, friendly, read)["trials_to_1000"] is None


def test_model_error_is_over_that_of_linear_extrapolation():
    class Same:
        """Extrapolates linearly, but is off by twice as much."""

        def begin(self, rows, steps):
            self.before = rows[0, :, :2]

        def predict(self, t, seen, action):
            guess = 2 * seen - self.before
            self.before = seen
            return guess, None

    ratio = pole.model_error(Same(), np.random.default_rng(0), 2)
    np.testing.assert_allclose(ratio, 1, rtol=1e-4)


def test_a_linear_state_is_read_out_and_noise_is_not():
    learner = learner_of()
    score = pole.read_out(learner.net_c, learner.theta_c, np.random.default_rng(0), 0.5)
    assert score.shape == (2, 2) and (score <= 1).all()
    assert score[0, 1] > score[1, 1] + 0.2  # memory carries what one position cannot


def test_another_seed_gives_other_numbers_and_the_same_seed_the_same():
    tables = [run(SMALL, seed, silent) for seed in (1, 1, 2)]
    for table in tables:
        table["recurrent"].pop("steps_per_second")
        table["memoryless"].pop("steps_per_second", None)
    assert tables[0] == tables[1] and tables[0] != tables[2]


def test_the_study_pairs_the_perfect_with_the_learned_model(monkeypatch):
    config = study.Config(**study.QUICK)
    full = study.rows_of(study.Config())
    for name in ("learned", "perfect"):
        assert full[f"{name}_first"][1:] == full["learned_first"][1:]
        assert full[name][1:] == full["learned"][1:]
    for name, (kind, _, settings) in full.items():
        many = 350 if "first" in name else 500
        assert settings.random_trials + settings.cycles * settings.cycle_trials == many
        assert settings.cost == "dense" and issubclass(kind, Learner)
    assert full["learned_first"][2].random_trials == 300
    seen = []
    metrics = study.row_metrics

    def spy(learner, *streams):
        seen.append((learner, metrics(learner, *streams)))
        return seen[-1][1]

    monkeypatch.setattr(study, "row_metrics", spy)
    table = study.run(config, 3, silent)
    medians = [np.log10(median) for _, (_, median) in seen]
    assert table["perfect_lead"] == pytest.approx((medians[1] - medians[0]).mean())
    assert table["perfect_lead_at_end"] == pytest.approx((medians[3] - medians[2]).mean())
    first, second = seen[0][0], seen[1][0]
    assert np.array_equal(first.records[0].rows[:100], second.records[0].rows[:100])
    assert not np.array_equal(first.kept, second.kept)
    assert set(full) < set(table) and table["learned"]["wide_steps"] >= 1


@pytest.mark.parametrize(
    "flags",
    [
        ["--nets", "3"],
        ["--horizon", "25"],
        ["--batch", "64"],
        ["--iterations", "1", "2"],
        ["--rate-m", "0.1"],
        ["--cost", "joy"],
        ["--warm-up", "21"],
    ],
)
def test_bad_settings_are_refused_by_name(flags):
    program = Path(pole.__file__)
    done = subprocess.run(
        [sys.executable, program, *flags], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and flags[0] in done.stderr and done.stderr.count("\n") == 1


def test_wide_starts_are_far_off_and_at_rest():
    poles = study.WidePole((2, 500), 0.05)
    seen = poles.reset(np.random.default_rng(0))
    assert not poles.state[1::2].any() and np.array_equal(seen, poles.seen())
    np.testing.assert_allclose(np.abs(poles.state[::2]).max((1, 2)), [1, np.deg2rad(6)], rtol=0.01)
