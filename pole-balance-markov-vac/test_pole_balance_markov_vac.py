"""Tests: the pole against mechanics, the rule against slow readings of it, the bookkeeping."""

import math

import pole_balance_markov_vac as stub
import study_pole_balance_markov_vac as study
from pole_balance_markov_vac import (
    INPUTS,
    QUICK,
    REST,
    SCALE,
    WIDE,
    Config,
    Poles,
    Row,
    Team,
    measure,
    motion,
    pain_of,
    part,
    run,
    train,
)
import numpy as np
import pytest

FOUR, ONE = (0, 1, 2, 3), (0, 0, 0, 0)
SMALL = Config(nets=3, hidden=4, trial_steps=60, max_failures=12, max_steps=400, starts=3)


def silent(fraction, message):
    """Show nothing."""


def states(rng, many):
    """Draw states from all over the track (4, N)."""
    return SCALE * rng.uniform(-1, 1, (4, many))


PLAIN = [Row(FOUR, 0.5, 0.05)]


def team_of(seed, rows=PLAIN, config=SMALL):
    """Make a team in 64 bits with random weights everywhere, and empty traces."""
    rng = np.random.default_rng(seed)
    team = Team(rng, rows, config)
    for name, array in vars(team).items():
        setattr(team, name, array.astype(float).round(7))  # a rate of 0.05 is 0.05 again
    team.hidden += rng.normal(0, 0.3, team.hidden.shape)
    team.out += rng.normal(0, 0.3, team.out.shape)
    return team


# ---- the task ----
def test_a_step_worked_by_hand():
    """From rest: push 10/1.1; the pole gets -push / (0.5 (4/3 - 1/11)), the cart 9.756 m/s^2."""
    poles = Poles(2, REST)
    poles.step(np.array([True, False]))
    tilting = -(10 / 1.1) / (0.5 * (4 / 3 - 1 / 11))
    sliding = 10 / 1.1 - 0.05 / 1.1 * tilting
    assert (tilting, sliding) == pytest.approx((-14.6341, 9.7561), abs=1e-4)
    one = np.array([0, 0.02 * sliding, 0, 0.02 * tilting])
    np.testing.assert_allclose(poles.state, np.stack([one, -one], 1), atol=1e-12)
    poles.step(np.array([True, False]))
    np.testing.assert_allclose(poles.state[[0, 2], 0], 0.02 * one[[1, 3]], atol=1e-12)


def test_the_force_alone_changes_the_energy():
    rng = np.random.default_rng(0)
    _, v, angle, w = state = states(rng, 50)
    angle *= 10  # the law holds at any angle
    force = rng.uniform(-10, 10, 50)
    _, sliding, _, tilting = motion(state, force)
    by_v = 1.1 * v + 0.05 * w * np.cos(angle)  # of E = 0.55 v^2 + 0.05 v w cos + w^2/60 + 0.49 cos
    by_w = 0.05 * v * np.cos(angle) + w / 30
    by_angle = -0.05 * v * w * np.sin(angle) - 0.49 * np.sin(angle)
    np.testing.assert_allclose(by_v * sliding + by_w * tilting + by_angle * w, force * v, atol=1e-9)


def test_left_and_right_are_alike():
    rng = np.random.default_rng(1)
    poles, mirrored = Poles(20, REST), Poles(20, REST)
    poles.state = states(rng, 20)
    mirrored.state = -poles.state
    for _ in range(10):
        right = rng.random(20) < 0.5
        pain = poles.step(right)
        np.testing.assert_array_equal(mirrored.step(~right), pain[[1, 0, 3, 2]])
        np.testing.assert_array_equal(mirrored.state, -poles.state)


def reference(state, pushes):
    """Integrate the motion by Runge and Kutta in steps of 1/50 of DT."""
    h = 0.02 / 50
    for right in pushes:
        force = np.where(right, 10.0, -10.0)
        for _ in range(50):
            a = motion(state, force)
            b = motion(state + h / 2 * a, force)
            c = motion(state + h / 2 * b, force)
            d = motion(state + h * c, force)
            state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state


def test_eulers_steps_follow_a_fine_reference(monkeypatch):
    rng = np.random.default_rng(2)
    start = 0.3 * states(rng, 30)
    pushes = rng.random((10, 30)) < 0.5
    exact = reference(start, pushes)
    errors = []
    for finer in (1, 4):
        monkeypatch.setattr(stub, "DT", 0.02 / finer)
        poles = Poles(30, REST)
        poles.state = start
        for right in pushes.repeat(finer, 0):
            poles.step(right)
        errors.append(np.abs((poles.state - exact) / SCALE).max())
    assert errors[0] < 0.2 and 3 < errors[0] / errors[1] < 5  # first order in the step


def test_random_pushes_last_about_22_steps():
    rng = np.random.default_rng(3)
    poles, lasted, alive = Poles(2000, REST), np.zeros(2000), np.ones(2000, bool)
    while alive.any():
        alive &= ~poles.step(rng.random(2000) < 0.5).any(0)
        lasted += alive
    assert 20 < lasted.mean() < 24


def test_each_failure_has_its_own_pain():
    tilt = math.radians(12)
    cases = {  # position, angle -> which pain
        (0.0, 0.0): None,
        (2.4, tilt): None,
        (-2.4, -tilt): None,
        (-2.401, 0.0): 0,
        (2.401, 0.0): 1,
        (0.0, -tilt - 0.001): 2,
        (0.0, tilt + 0.001): 3,
        (-2.401, tilt + 0.001): 0,
        (2.401, -tilt - 0.001): 1,
    }
    state = np.array([[x, 9.0, angle, -9.0] for x, angle in cases]).T
    expected = np.array([[k == which for k in range(4)] for which in cases.values()]).T
    np.testing.assert_array_equal(pain_of(state), expected)


def test_starts_lie_within_their_spread():
    poles = Poles(500, WIDE)
    poles.reset(np.random.default_rng(4))
    largest = np.abs(poles.state).max(1)
    assert 0.98 < largest[0] <= 1 and 5.9 < np.degrees(largest[2]) <= 6
    assert largest[1] == largest[3] == 0


def test_the_inputs_are_scaled():
    state = np.array([[2.4, -1.2], [1.5, 0.75], [0.2094, 0.0], [-2.0, 1.0]])
    wanted = [[1, -0.5], [1, 0.5], [1, 0], [-1, 0.5], [1, 1]]
    np.testing.assert_allclose(team_of(0).inputs(state), wanted)


# ---- the nets and their rule ----
@pytest.mark.parametrize("kind", [Team, study.Rivals])
def test_traces_begin_with_the_gradients(kind):
    """The traces after one action are the derivatives of log P(action) and of each V_k."""
    team, eps = team_of(5), 1e-6
    if kind is study.Rivals:
        team.__class__ = kind
        team.reach, team.old = np.array([1.0, 0.0, 0.0]), np.array([True, False, True])
    inputs = team.inputs(states(np.random.default_rng(6), 3))
    right = team.act(inputs, np.array([0.0, 1.0, 0.0]))
    assert right.tolist() == [True, False, True]

    def outputs():
        chance = team.prefer(inputs)
        return np.concatenate(
            [np.log(np.where(right, chance, 1 - chance))[None], team.predict(inputs)]
        )

    for name in ("hidden", "out"):
        weights, trace = getattr(team, name), getattr(team, f"{name}_trace")
        for index in np.ndindex(weights.shape[:-1]):
            kept = weights[index].copy()
            weights[index] = kept + eps
            up = outputs()
            weights[index] = kept - eps
            slope = (up - outputs()) / (2 * eps)  # (5, 3)
            weights[index] = kept
            wanted = np.zeros((5, 3))
            if name == "out":
                wanted[index[0]] = trace[index]
            else:
                of = slice(0, 1) if index[0] == 0 else slice(1, 5)
                wanted[of] = trace[of][(slice(None), *index[1:])]
            np.testing.assert_allclose(slope, wanted, atol=1e-6)


class Oracle:
    """One net, weight by weight, from the equations; `outputs` says where the four pains go."""

    def __init__(self, team, n, outputs, rate_actor, rate_critic, gamma, decay):
        self.hidden = team.hidden[..., n].copy()  # (2, H, 5)
        self.out = team.out[..., n].copy()  # (5, H + 5)
        self.rates, self.outputs = [rate_actor] + 4 * [rate_critic], outputs
        self.gamma, self.decay = gamma, decay
        self.traces = {}

    def output(self, k, x):
        h = [math.tanh(sum(w * i for w, i in zip(unit, x))) for unit in self.hidden[min(k, 1)]]
        seen = [*h, *x]
        return sum(w * s for w, s in zip(self.out[k], seen)), seen

    def act(self, x, right):
        logit, _ = self.output(0, x)
        logit = max(-8.0, min(8.0, logit))
        factors = [right - 1 / (1 + math.exp(-logit)), 1, 1, 1, 1]
        self.v = [self.output(k, x)[0] for k in range(1, 5)]
        for k, factor in enumerate(factors):
            seen = self.output(k, x)[1]
            gradient = {("out", j): factor * s for j, s in enumerate(seen)}
            for u, h in enumerate(seen[:-5]):
                for i in range(5):
                    gradient["hidden", u, i] = factor * self.out[k][u] * (1 - h * h) * x[i]
            for key, g in gradient.items():
                old = self.traces.get((k, *key), 0.0)
                self.traces[k, *key] = self.gamma * self.decay * old + g

    def learn(self, pain, x):
        felt = [sum(p for p, to in zip(pain, self.outputs) if to == k) for k in range(4)]
        after = [0.0 if sum(pain) else self.output(k, x)[0] for k in range(1, 5)]
        delta = [felt[k] + self.gamma * after[k] - self.v[k] for k in range(4)]
        signals = [-sum(delta), *delta]
        for (k, part_of, *where), e in self.traces.items():
            change = self.rates[k] * signals[k] * e
            if part_of == "out":
                self.out[k][where[0]] += change
            else:
                self.hidden[min(k, 1)][where[0]][where[1]] += change
        if sum(pain):
            self.traces = {}


def test_learning_is_the_equations_step_by_step():
    rows = [Row(FOUR, 0.5, 0.05), Row(ONE, 0.4, 0.1), Row((0, 0, 2, 2), 0.3, 0.2)]
    config = Config(nets=2, hidden=3, gamma=0.8, decay=0.7)
    team, rng = team_of(7, rows, config), np.random.default_rng(8)
    team.out[0, :, 0] *= 30  # beyond the bound of the log-odds
    oracles = []
    for n in range(6):
        row = rows[n // 2]
        rates = row.rate_actor, row.rate_critic, 0.8, 0.7
        oracles.append(Oracle(team, n, row.outputs, *rates))
    poles = Poles(6, REST)
    failures, inputs = 0, team.inputs(poles.state)
    for _ in range(60):
        right = team.act(inputs, rng.random(6))
        for n, oracle in enumerate(oracles):
            oracle.act(inputs[:, n].tolist(), right[n])
        pain = poles.step(right)
        inputs = team.inputs(poles.state)
        team.learn(pain, inputs)
        for n, oracle in enumerate(oracles):
            oracle.learn(pain[:, n].tolist(), inputs[:, n].tolist())
            np.testing.assert_allclose(team.hidden[..., n], oracle.hidden, atol=1e-9)
            np.testing.assert_allclose(team.out[..., n], oracle.out, atol=1e-9)
        failed = pain.any(0)
        failures += failed.sum()
        team.forget(failed)
        poles.state[:, failed] = 0
        inputs = team.inputs(poles.state)
    assert failures > 6


def test_the_log_odds_are_bounded():
    team = team_of(9)
    chance = team.chance(np.array([100.0, -100.0, 1.0]))
    np.testing.assert_allclose(chance, 1 / (1 + np.exp(-np.array([8.0, -8.0, 1.0]))))


def test_a_critic_learns_the_discounted_pain_of_each_kind():
    """A chain of two states: pain 1 of kind 2 after two steps; V has to become 0.8 and 1."""
    team = team_of(10, [Row(FOUR, 0.0, 0.1)], Config(nets=1, gamma=0.8, decay=0.5))
    a, b = (np.array([[x], [0], [0], [0], [1.0]]) for x in (1, -1))
    for _ in range(400):
        team.act(a, np.zeros(1))
        team.learn(np.zeros((4, 1)), b)
        team.act(b, np.zeros(1))
        team.learn(np.eye(4)[:, [2]], a)
        team.forget(np.array([True]))
    np.testing.assert_allclose(team.predict(a)[:, 0], [0, 0, 0.8, 0], atol=1e-3)
    np.testing.assert_allclose(team.predict(b)[:, 0], [0, 0, 1, 0], atol=1e-3)


def test_rows_start_from_the_same_nets():
    team = Team(np.random.default_rng(0), [Row(FOUR, 1, 2), Row(ONE, 3, 4)], Config(nets=50))
    np.testing.assert_array_equal(team.hidden[..., :50], team.hidden[..., 50:])
    assert not team.out.any() and 0.45 < team.hidden.std() < 0.55
    assert np.unique(team.hidden).size == team.hidden.size / 2  # nets of a row differ
    np.testing.assert_array_equal(team.rate[:, [0, 99]].T, [[1, 2, 2, 2, 2], [3, 4, 4, 4, 4]])


# ---- training ----
class Filmed(Team):
    """A team that keeps what train() does with it."""

    def __init__(self, rng, rows, config):
        super().__init__(rng, rows, config)
        self.numbers = np.arange(len(self.gamma))
        Filmed.film = []

    def act(self, inputs, noise):
        right = super().act(inputs, noise)
        told = self.predict(inputs).argmax(0)  # (N,) with the weights before the step
        Filmed.film.append([self.numbers.copy(), inputs.copy(), right, noise.copy(), told])
        return right

    def learn(self, pain, inputs):
        super().learn(pain, inputs)
        Filmed.film[-1] += [pain.copy(), inputs.copy()]

    def forget(self, which):
        super().forget(which)
        Filmed.film[-1].append(which.copy())
        assert not self.hidden_trace[..., which].any() and not self.out_trace[..., which].any()


def replay(config, film, many):
    """Tell the fate of each net from the film: failures, solved, kinds, longest, and its trials."""
    fate = [
        {"failures": 0, "solved": False, "kinds": [0] * 4, "trials": [], "told": 0}
        for _ in range(many)
    ]
    length, state = [0] * many, np.zeros((4, many))
    for numbers, inputs, right, _, told, pain, after, *forgotten in film:
        for column, n in enumerate(numbers):
            assert not fate[n]["solved"] and fate[n]["failures"] < config.max_failures
            np.testing.assert_allclose(inputs[:4, column], state[:, n] / SCALE[:, 0], atol=1e-6)
            force = np.array([10.0 if right[column] else -10.0])
            state[:, [n]] += 0.02 * motion(state[:, [n]], force)
            np.testing.assert_allclose(after[:4, column], state[:, n] / SCALE[:, 0], atol=1e-6)
            np.testing.assert_array_equal(pain[:, column], pain_of(state[:, [n]])[:, 0])
            length[n] += 1
            long, failed = length[n] > config.trial_steps, pain[:, column].any()
            assert (forgotten[0][column] if forgotten else False) == (long or failed)
            if long or failed:
                fate[n]["trials"].append(length[n])
                fate[n]["solved"] |= long
                fate[n]["failures"] += not long
                fate[n]["kinds"] = [a + int(b) for a, b in zip(fate[n]["kinds"], pain[:, column])]
                fate[n]["told"] += bool(pain[told[column], column])
                length[n] = 0
                state[:, n] = 0
    return fate, length


def test_the_diary_tells_what_happened():
    rows = [Row(FOUR, 1.0, 0.05), Row(ONE, 1.0, 0.05)]
    diary = train(SMALL, np.random.SeedSequence(1000), rows, silent, Filmed)
    fate, length = replay(SMALL, Filmed.film, 6)
    assert diary.solved.any() and not diary.solved.all()
    assert diary.failures.tolist() == [net["failures"] for net in fate]
    assert diary.solved.tolist() == [net["solved"] for net in fate]
    assert diary.kinds.T.tolist() == [net["kinds"] for net in fate]
    assert diary.foretold.sum(0).tolist() == [net["told"] for net in fate]
    longest = [max([*net["trials"], last]) for net, last in zip(fate, length)]
    assert diary.longest.tolist() == longest
    for n, net in enumerate(fate):
        assert [steps for number, steps in diary.trials if number == n] == net["trials"]
    assert diary.steps == sum(len(numbers) for numbers, *_ in Filmed.film)


def test_weights_and_actions_have_streams_of_their_own():
    train(SMALL, np.random.SeedSequence(1000), PLAIN, silent, Filmed)
    action = np.random.default_rng(np.random.SeedSequence(1000).spawn(2)[1])
    noise = np.array([scene[3] for scene in Filmed.film[:5]])
    np.testing.assert_array_equal(noise, action.random((5, 3), np.float32))
    np.testing.assert_array_equal(Filmed.film[0][2], noise[0] < 0.5)  # outputs of 0 at first


def test_the_diary_keeps_the_nets_as_they_were():
    rows = [Row(FOUR, 1.0, 0.05), Row(ONE, 1.0, 0.05)]
    diary = train(SMALL, np.random.SeedSequence(1000), rows, silent, Filmed)
    first = Filmed(np.random.default_rng(np.random.SeedSequence(1000).spawn(2)[0]), rows, SMALL)
    film = Filmed.film  # a new one: the old was lost with the new team
    assert film == []
    train(SMALL, np.random.SeedSequence(1000), rows, silent, Filmed)
    for numbers, inputs, _, noise, _, pain, after, *forgotten in list(Filmed.film):
        team = first.some(numbers)
        team.act(inputs, noise)
        team.learn(pain, after)
        if forgotten:
            team.forget(forgotten[0])
        for name, array in vars(first).items():
            array[..., numbers] = getattr(team, name)
    np.testing.assert_array_equal(diary.team.numbers, np.arange(6))
    np.testing.assert_allclose(diary.team.hidden, first.hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(diary.team.out, first.out, rtol=1e-5, atol=1e-6)


def test_nets_learn_to_balance_and_without_learning_they_do_not():
    config = Config(nets=10, trial_steps=300, max_failures=150, max_steps=6000)
    rows = [Row(FOUR, 1.0, 0.05), Row(FOUR, 0.0, 0.05)]
    diary = train(config, np.random.SeedSequence(1000), rows, silent)
    assert diary.solved[:10].mean() >= 0.3 and not diary.solved[10:].any()


# ---- evaluation ----
def scripted(nets, direction):
    """Make nets that always push that way; their critics see the angle and the position."""
    team = team_of(11, config=Config(nets=nets))
    team.hidden[:] = 0
    team.out[:] = 0
    team.out[0, -1] = 8.0 * np.array(direction)
    for k, (state, sign) in enumerate([(0, -1), (0, 1), (2, -1), (2, 1)]):
        team.out[1 + k, -5 + state] = sign * (1.0 if state else 0.1)
    return team


def diary_of(team, solved, **given):
    """Make a diary that says so."""
    diary = stub.blank(team)
    diary.solved = np.array(solved)
    for name, value in given.items():
        setattr(diary, name, value)
    return diary


def test_only_solved_nets_are_tried_elsewhere(monkeypatch):
    tried = []

    class Spied(Poles):
        def reset(self, rng):
            super().reset(rng)
            tried.append(self.state.copy())

    monkeypatch.setattr(stub, "Poles", Spied)
    team = scripted(3, [0.0, 1.0, -1.0])
    config = Config(starts=40, trial_steps=9)
    share = stub.elsewhere(diary_of(team, [False, True, True]), config, 5)
    (starts,) = tried
    assert starts.shape == (4, 80) and np.unique(starts[0]).size == 80
    assert 0.9 < np.abs(starts[0]).max() <= 1 and 5.4 < np.degrees(np.abs(starts[2]).max()) <= 6
    poles, lasted = Poles(80, REST), np.ones(80, bool)
    poles.state = starts
    for _ in range(9):
        lasted &= ~poles.step(np.arange(80) < 40).any(0)
    assert 0 < share < 1 and share == lasted.mean()
    assert stub.elsewhere(diary_of(team, [False] * 3), config, 5) is None


def test_own_kind_is_an_average_over_the_kinds():
    kinds = np.array([[4, 0], [1, 1], [0, 0], [0, 10]])
    foretold = np.array([[3, 0], [0, 1], [0, 0], [0, 1]])
    diary = diary_of(team_of(13, config=Config(nets=2)), [True, False])
    assert stub.own_kind(diary) is None
    diary.kinds, diary.foretold = kinds, foretold
    assert stub.own_kind(diary) == pytest.approx((3 / 4 + 1 / 2 + 1 / 10) / 3)


def test_a_failure_is_foretold_by_the_largest_prediction():
    diary = diary_of(team_of(13), [False] * 3)
    pain = np.eye(4)[:, [2, 2, 0]]
    told = np.array([[0.1, 0.3, 0.9], [0.2, 0.2, 0.8], [0.3, 0.1, 0.7], [-1.0, 0.0, 0.0]])
    stub.write(diary, np.array([0, 1, 2]), np.array([5, 6, 7]), np.zeros(3, bool), pain, told)
    np.testing.assert_array_equal(diary.foretold, np.eye(4)[:, [2, 2, 0]] * [1, 0, 1])
    np.testing.assert_array_equal(diary.kinds, pain)


def test_measure_on_scripted_fates():
    team = team_of(14, config=Config(nets=5))
    fates = {
        "failures": np.array([750, 751, 10, 700, 30]),
        "longest": np.array([30001, 30001, 30001, 200, 9000]),
    }
    assert measure(diary_of(team, [True, True, True, False, False], **fates)) == {
        "share_750": 2 / 5,
        "failures_median": 750,
        "unsolved": 2,
        "best_unsolved": 9000,
    }
    nothing = measure(diary_of(team, [False] * 5, **fates))
    assert (nothing["share_750"], nothing["failures_median"], nothing["unsolved"]) == (0, None, 5)
    points = stub.curve(diary_of(team, [True, True, True, False, False], **fates), Config())
    assert len(points["x"]) <= 101 and points["x"][-1] == 750 and points["y"][-1] == 2 / 5
    found = dict(zip(points["x"], points["y"]))
    assert (found[0], found[15], found[7]) == (0, 1 / 5, 0)


# ---- the wiring of both programs ----
def first_number(seed):
    return np.random.default_rng(seed).random()


def test_run_reports_what_it_trained(monkeypatch):
    calls = {}

    def spy(name, module=stub):
        inner = getattr(module, name)

        def spied(*args):
            calls.setdefault(name, []).append((args, inner(*args)))
            return calls[name][-1][1]

        monkeypatch.setattr(module, name, spied)

    for name in ("train", "elsewhere"):
        spy(name)
    config = Config(**QUICK, rate_actor=0.9, rate_critic=0.06, rate_actor_one=1.1)
    metrics = run(config, 1000, silent)
    (((used, _, rows, _), diary),) = calls["train"]
    assert used is config
    assert rows == [Row(FOUR, 0.9, 0.06), Row(ONE, 1.1, 0.05)]  # as many nets, as many steps
    (((four, _, wide_seed), wide_share),) = calls["elsewhere"]
    streams = [*np.random.SeedSequence(1000).spawn(2)[0].spawn(2), wide_seed]
    assert first_number(wide_seed) == first_number(np.random.SeedSequence(1000).spawn(2)[1])
    assert len({first_number(seed) for seed in streams}) == len(streams)
    np.testing.assert_array_equal(four.team.hidden, diary.team.hidden[..., : config.nets])
    assert metrics["four"] == measure(part(diary, slice(0, 6)))
    assert metrics["one"] == measure(part(diary, slice(6, 12)))
    lead = metrics["four"]["share_750"] - metrics["one"]["share_750"]
    assert metrics["vector_lead"] == lead
    assert metrics["own_kind_share"] == stub.own_kind(part(diary, slice(0, 6)))
    assert metrics["wide_share"] == wide_share
    kinds = diary.kinds[:, :6].sum(1)
    names = ["bump_left", "bump_right", "fall_left", "fall_right"]
    assert metrics["failures"] == dict(zip(names, kinds))
    assert metrics["curve"] == stub.curve(four, config)
    assert metrics["both"]["steps_per_second"] > 0


def test_a_lead_subtracts_in_the_right_order(monkeypatch):
    def trained(config, seed, rows, progress):
        team = team_of(15, rows, config)
        solved = np.arange(2 * config.nets) < config.nets  # only nets of row four
        return diary_of(team, solved)

    monkeypatch.setattr(stub, "train", trained)
    monkeypatch.setattr(stub, "elsewhere", lambda *_: 0.5)
    monkeypatch.setattr(stub, "own_kind", lambda _: 0.25)
    metrics = run(Config(nets=3), 1000, silent)
    assert (metrics["vector_lead"], metrics["own_kind_share"], metrics["wide_share"]) == (
        1,
        0.25,
        0.5,
    )


def test_evaluation_teaches_nothing():
    diary = train(SMALL, np.random.SeedSequence(1001), [Row(FOUR, 1.0, 0.05)], silent)
    diary.solved[:] = True
    before = {name: array.copy() for name, array in vars(diary.team).items()}
    stub.elsewhere(diary, SMALL, 1)
    study.look_ahead(diary, study.Config(**study.QUICK), 3)
    for name, array in vars(diary.team).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    def numbers(seed):
        metrics = run(Config(**QUICK), seed, silent)
        return {name: value for name, value in metrics.items() if name != "both"}

    assert numbers(1000) == numbers(1000) != numbers(1001)


def test_the_studys_rows_lack_their_parts():
    rows = [
        study.Rival(FOUR, 1, 0.1),
        study.Rival(FOUR, 1, 0.1, traced=False),
        study.Rival(FOUR, 1, 0.1, direct=False),
        study.Rival(FOUR, 1, 0.1, anderson=True),
    ]
    team = study.Rivals(np.random.default_rng(0), rows, Config(nets=1))
    np.testing.assert_allclose(team.fading, [0.81, 0, 0.81, 0.81], rtol=1e-6)
    state = np.repeat([[2.4], [-1.5], [math.radians(12)], [0.0]], 4, axis=1)
    inputs = team.inputs(state)
    np.testing.assert_allclose(inputs[:, 3], [1, 0, 1, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(inputs[:, 0], [1, -1, math.radians(12) / 0.2094, 0, 1], atol=1e-6)
    seen = team.features(team.hidden, inputs)
    assert (seen[:, -INPUTS:-1, 2] == 0).all() and (seen[:, -1, 2] == 1).all()
    np.testing.assert_array_equal(seen[:, -INPUTS:, 1], np.stack([inputs[:, 1]] * 2))


def test_the_study_trains_each_row_as_named(monkeypatch):
    calls = []

    def spied(config, seed, rows, progress, kind):
        calls.append((config, first_number(seed), rows, kind))
        return train(config, seed, rows, progress, kind)

    looked = []
    monkeypatch.setattr(study, "train", spied)
    monkeypatch.setattr(study, "look_ahead", lambda *args: looked.append(args) or {"w1": {}})
    settings = study.Config(**study.QUICK)
    table = study.run(settings, 1000, silent)
    ((config, start, rows, kind),) = calls
    assert kind is study.Rivals and config.max_failures == 10_000
    assert (config.nets, config.trial_steps, config.max_steps) == (5, 100, 1500)
    plain = {"rate_actor": config.rate_actor, "rate_critic": config.rate_critic}
    expected = {
        "four": study.Rival(FOUR, **plain),
        "two": study.Rival((0, 0, 2, 2), **plain),
        "no_trace": study.Rival(FOUR, **plain, traced=False),
        "no_direct": study.Rival(FOUR, **plain, direct=False),
        "anderson": study.Rival(FOUR, **plain, anderson=True),
    }
    assert dict(zip(table, rows)) == expected
    ((diary, _, look_seed),) = looked
    assert len(diary.solved) == 5 and first_number(look_seed) != start
    assert table["four"] == measure(diary) | {"solved": diary.solved.mean()}
    assert table["anderson"]["solved"] == pytest.approx(1 - table["anderson"]["unsolved"] / 5)


def test_a_critic_of_the_angle_drives_for_a_while():
    """A critic of the pole's angle and spin catches it; one that is blind to the pole does not."""
    team = scripted(1, [0])
    team.out[3, -2], team.out[4, -2] = -0.3, 0.3  # it sees the spin too
    team.out[3:, 0], team.out[3:, 1] = 1.0, -1.0  # |angle + 0.3 spin| from two tanh units
    team.out[3:, -5:] = 0
    team.hidden[1, 0, :, 0] = [0, 0, 1, 0.5, 1]
    team.hidden[1, 1, :, 0] = [0, 0, 1, 0.5, -1]
    team.out[3:, 0], team.out[3:, 1] = -1.0, 1.0
    diary = diary_of(team, [True])
    table = study.look_ahead(diary, study.Config(starts=20, look_steps=100), 0)
    assert table["w0"]["survived"] == 1 and 0 < table["w0"]["angle"] < 6
    diary.team.out[3:] = 0
    assert (
        study.look_ahead(diary, study.Config(starts=20, look_steps=100), 0)["w0"]["angle"] is None
    )


# ---- unusable arguments ----
@pytest.mark.parametrize("kind", [Config, study.Config])
def test_config_refuses_a_limit_within_the_trial(kind):
    with pytest.raises(ValueError, match="--max-steps"):
        kind(trial_steps=500, max_steps=500)


@pytest.mark.parametrize(
    "argv",
    [
        ["--nets", "0"],
        ["--hidden", "0"],
        ["--gamma", "1"],
        ["--decay", "nan"],
        ["--rate-actor", "-1"],
        ["--logit-clip", "0"],
        ["--max-steps", "10"],
        ["--starts", "many"],
        ["--seed", "-1"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        stub.main(stub, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
