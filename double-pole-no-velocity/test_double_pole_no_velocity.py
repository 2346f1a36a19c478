"""Tests of double_pole_no_velocity: physics, trials against a literal reading, the rule, wiring."""

import math
from dataclasses import replace

import double_pole_no_velocity as pole
import study_double_pole_no_velocity as study
from double_pole_no_velocity import CHUNK, QUICK, START, Config, Outcome, Pool, Search, Trials
from double_pole_no_velocity import Unshuffled, damping, grid_of_starts, integrate, permute
from double_pole_no_velocity import recombine, run
import numpy as np
import pytest

SMALL = replace(Config(), **QUICK)


def silent(fraction, message):
    """Show nothing."""


def some_nets(count, hidden=3, bias=0, scale=3.0, seed=0):
    """Random nets (N, H, I + 1)."""
    shape = (count, hidden, hidden + 3 + bias + 1)
    return np.random.default_rng(seed).uniform(-scale, scale, shape)


def outcome_of(steps, unrest=None):
    """An outcome with these steps and unrest."""
    steps = np.array(steps)
    unrest = np.full(len(steps), np.inf) if unrest is None else np.array(unrest, float)
    return Outcome(steps, unrest, 0.5 * steps)


# ---- the oracle: one number at a time ----
FRICTION = {"track": 5e-4}


def slow_change(state, force):
    """The equations of motion as the papers print them."""
    v = state[3]
    push = mass = 0.0
    for th, om, m, l in zip(state[1:3], state[4:], (0.1, 0.01), (0.5, 0.05)):  # noqa: E741
        bracket = 2e-6 * om / (m * l) - 9.8 * math.sin(th)
        push += m * l * om**2 * math.sin(th) + 0.75 * m * math.cos(th) * bracket
        mass += m * (1 - 0.75 * math.cos(th) ** 2)
    sign = (v > 0) - (v < 0)
    a = (force - FRICTION["track"] * sign + push) / (1.0 + mass)
    turn = []
    for th, om, m, l in zip(state[1:3], state[4:], (0.1, 0.01), (0.5, 0.05)):  # noqa: E741
        inner = a * math.cos(th) - 9.8 * math.sin(th) + 2e-6 * om / (m * l)
        turn.append(-3 / (4 * l) * inner)
    return [v, *state[4:], a, *turn]


def slow_integrate(state, force, dt=0.01):
    """A Runge-Kutta step on a list."""
    step = lambda k, part: [s + part * dt * c for s, c in zip(state, k)]  # noqa: E731
    k_1 = slow_change(state, force)
    k_2 = slow_change(step(k_1, 0.5), force)
    k_3 = slow_change(step(k_2, 0.5), force)
    k_4 = slow_change(step(k_3, 1.0), force)
    total = [a + 2 * b + 2 * c + d for a, b, c, d in zip(k_1, k_2, k_3, k_4)]
    return [s + dt / 6 * t for s, t in zip(state, total)]


def slow_trial(net, start, steps, bias=False, substeps=2):
    """Steps balanced, unrest of the last 100 steps, sum of |u| of one net."""
    state, h = [float(s) for s in start], [0.0] * len(net)
    unrest, effort = [], 0.0
    for t in range(steps):
        seen = [state[0] / 2.4, state[1] / 0.628, state[2] / 0.628] + [1.0] * bias
        z = h + seen
        h = [math.tanh(sum(w * value for w, value in zip(unit, z))) for unit in net]
        u = math.tanh(sum(unit[-1] * value for unit, value in zip(net, h)))
        for _ in range(substeps):
            state = slow_integrate(state, 10 * u)
            if abs(state[0]) > 2.4 or max(map(abs, state[1:3])) > 36 * math.pi / 180:
                return t, sum(unrest[-100:]) if t >= 100 else math.inf, effort
        unrest.append(abs(state[0]) + abs(state[1]) + abs(state[3]) + abs(state[4]))
        effort += abs(u)
    return steps, sum(unrest[-100:]) if steps >= 100 else math.inf, effort


# ---- the task ----
def test_the_equations_of_motion_are_those_of_the_papers():
    rng = np.random.default_rng(1)
    states, forces = rng.uniform(-1, 1, (6, 40)), rng.uniform(-10, 10, 40)
    states[3, 0] = 0.0  # no friction at rest
    changes = pole.derivatives(states, forces)
    for state, force, change in zip(states.T, forces, changes.T):
        np.testing.assert_allclose(change, slow_change(state.tolist(), float(force)), rtol=1e-10)
    moved = integrate(states, forces)
    for state, force, after in zip(states.T, forces, moved.T):
        np.testing.assert_allclose(after, slow_integrate(state.tolist(), float(force)), rtol=1e-10)


def test_energy_is_kept_without_friction_and_lost_with_it(monkeypatch):
    def energy(state):
        theta, v, omega = state[1:3], state[3], state[4:]
        m, l = pole.POLE, pole.HALF_LENGTH  # noqa: E741
        parts = m * l * v * omega * np.cos(theta) + 2 / 3 * m * l**2 * omega**2
        return 0.5 * pole.TOTAL * v**2 + (parts + 9.8 * m * l * np.cos(theta)).sum(0)

    def left(steps=50):
        state = np.array([[0, 0.1, -0.1, 0.3, 0.2, -0.1]]).T
        before = energy(state)
        for _ in range(steps):
            state = integrate(state, np.zeros(1))
        return (energy(state) - before).item()

    monkeypatch.setattr(pole, "DT", 0.001)
    lost = left()
    monkeypatch.setattr(pole, "TRACK_FRICTION", 0.0)
    monkeypatch.setattr(pole, "RUB", 0 * pole.RUB)
    assert abs(left()) < 1e-10
    assert lost < -1e-6


def test_upright_poles_fall_as_fast_as_they_should():
    state = np.array([[0, 1e-6, 0, 0, 0, 0], [0, 0, 1e-6, 0, 0, 0.0]]).T
    for _ in range(60):
        state = integrate(state, np.zeros(2))
    later = state
    for _ in range(10):
        later = integrate(later, np.zeros(2))
    rate = np.log(later[[1, 2], [0, 1]] / state[[1, 2], [0, 1]]) / 0.1
    np.testing.assert_allclose(1 / rate, [0.26, 0.082], rtol=0.05)  # s


def test_the_starts_are_a_grid_that_does_not_hold_the_usual_start():
    starts = grid_of_starts()
    assert starts.shape == (6, 625)
    assert len(np.unique(starts, axis=1).T) == 625
    np.testing.assert_allclose(starts.max(1), [1.944, 0.05655, 0, 1.215, 0.13509, 0], rtol=1e-3)
    np.testing.assert_allclose(starts.min(1), -starts.max(1))
    assert sorted(set(np.round(starts[0] / 2.16, 9))) == [-0.9, -0.5, 0.0, 0.5, 0.9]
    assert not (starts == START).all(0).any()
    assert (np.abs(starts[:3]) < pole.LIMITS).all()


def test_nets_see_no_velocities():
    nets = some_nets(5)
    W, v = np.moveaxis(nets, 0, -1)[:, :-1], np.moveaxis(nets, 0, -1)[:, -1]
    state = np.random.default_rng(2).uniform(-0.3, 0.3, (6, 5))
    faster = state.copy()
    faster[3:] += 1.0
    z, z_faster = np.zeros((6, 5)), np.zeros((6, 5))
    assert np.array_equal(pole.act(W, v, z, state), pole.act(W, v, z_faster, faster))
    moved = state.copy()
    moved[1] += 0.1
    assert not np.array_equal(pole.act(W, v, z, moved), pole.act(W, v, z_faster, faster))


# ---- trials ----
@pytest.mark.parametrize("bias", [0, 1])
def test_trials_are_those_of_a_literal_reading(bias):
    nets = some_nets(12, bias=bias, seed=3)
    starts = np.repeat(START, 12, 1)
    starts[:, 6:] = grid_of_starts()[:, 250:370:20]
    pool = Pool()
    pool.enter(4, Trials(nets, starts, 60))
    while pool.wanted:
        pool.advance()
    for k in range(12):
        steps, _, effort = slow_trial(nets[k], starts[:, k], 60, bias)
        assert pool.outcomes[4].steps[k] == steps
        np.testing.assert_allclose(pool.outcomes[4].force[k], effort, rtol=1e-9)
    assert len(set(pool.outcomes[4].steps)) > 4
    assert pool.simulated == pool.outcomes[4].steps.sum()


def test_unrest_is_summed_over_the_last_hundred_steps():
    still = np.zeros((1, 3, 7))
    start = np.array([[0.3, 0, 0, 0.0, 0, 0]]).T
    for steps in (80, 100, 160):
        pool = Pool()
        pool.enter(0, Trials(still, start, steps))
        while pool.wanted:
            pool.advance()
        unrest = pool.outcomes[0].unrest[0]
        assert pool.outcomes[0].steps[0] == steps
        assert unrest == np.inf if steps < 100 else abs(unrest - 30) < 1e-9


def test_unrest_of_a_net_that_falls_ends_with_the_last_good_step(monkeypatch):
    monkeypatch.setattr(pole, "TRACK_FRICTION", 0.0)  # it would push what is nearly upright
    monkeypatch.setitem(FRICTION, "track", 0.0)
    still = np.zeros((1, 3, 7))
    start = np.array([[0, 1e-13, 0, 0, 0, 0]]).T
    steps, unrest, _ = slow_trial(still[0], start[:, 0], 1000)
    assert 100 < steps < 1000 and steps % CHUNK
    pool = Pool()
    pool.enter(0, Trials(still, start, 1000))
    while pool.wanted:
        pool.advance()
    assert pool.outcomes[0].steps[0] == steps
    np.testing.assert_allclose(pool.outcomes[0].unrest[0], unrest, rtol=1e-6)


def test_trials_do_not_disturb_each_other():
    nets = some_nets(8, seed=5)
    alone = study.balance(Trials(nets, np.repeat(START, 8, 1), 60))
    pool = Pool()
    pool.enter(0, Trials(some_nets(5, seed=6), np.repeat(START, 5, 1), 60))
    pool.advance()
    pool.enter(1, Trials(nets, np.repeat(START, 8, 1), 60))
    while pool.wanted:
        pool.advance()
    assert np.array_equal(pool.outcomes[1].steps, alone.steps)
    np.testing.assert_allclose(pool.outcomes[1].force, alone.force, rtol=1e-12)


def test_trials_end_when_too_few_can_last():
    still = np.zeros((10, 3, 7))
    starts = np.zeros((6, 10))
    starts[1, :6] = 0.3  # these fall
    for needed, ends in ((4, 60), (5, 40)):
        pool = Pool()
        pool.enter(0, Trials(still, starts, 60, needed))
        while pool.wanted:
            pool.advance()
        assert max(pool.outcomes[0].steps) <= ends
        assert (pool.outcomes[0].steps >= 60).sum() == (4 if needed == 4 else 0)


# ---- the rule ----
def test_damping_fitness_by_hand():
    fitness = damping(outcome_of([50, 1000, 500], [np.inf, 10.0, 0.5]), 1000)
    np.testing.assert_allclose(fitness, [0.005, 0.1 + 0.0675, 0.05 + 1.35])


def test_children_are_heads_and_tails_of_two_parents():
    parents = np.arange(4)[:, None] + np.zeros((4, 9))
    children = recombine(parents, 10, 0.0, 1.0, np.random.default_rng(0))
    assert children.shape == (10, 9)
    assert (np.abs(np.diff(children, axis=1)) > 0).sum(1).tolist() == [1] * 10
    assert np.array_equal(children[::2, 0], children[1::2, -1])  # a pair of children
    assert np.array_equal(children[1::2, 0], children[::2, -1])
    many = recombine(parents, 400, 0.0, 1.0, np.random.default_rng(1))
    assert set(many[:, 0]) == {0, 1, 2, 3}
    assert ((np.diff(many, axis=1) != 0).sum(1) == 1).all()  # nobody mates with itself
    assert set((np.diff(many, axis=1) != 0).argmax(1)) == set(range(8))


def test_mutations_are_cauchy_noise_on_a_share_of_the_weights():
    rng = np.random.default_rng(0)
    children = recombine(np.zeros((4, 50)), 400, 0.3, 0.2, rng)
    changed = children[children != 0]
    assert abs(changed.size / children.size - 0.3) < 0.02
    assert abs(np.median(np.abs(changed)) - 0.2) < 0.02  # a Cauchy variable's median size
    assert np.abs(changed).max() > 20  # and its tails


def test_permuted_weights_stay_in_their_population_and_the_best_net_stays_whole():
    rng = np.random.default_rng(0)
    nets, fitness = rng.standard_normal((10, 21)), np.linspace(1, 0, 10)
    np.testing.assert_allclose(pole.relative(5 * fitness + 2), fitness)
    after = permute(nets, fitness, rng)
    assert np.array_equal(after[0], nets[0])
    assert np.array_equal(np.sort(after, 0), np.sort(nets, 0))
    assert not np.array_equal(after, nets)


def test_a_net_stays_whole_with_a_probability_that_is_its_relative_fitness():
    rng = np.random.default_rng(0)
    nets = np.arange(3000.0)[:, None] + np.zeros((3000, 21))
    shares = np.repeat([1.0, 0.7, 0.2, 0.0], 750)
    whole = (permute(nets, shares, rng) == nets).all(1).reshape(4, 750).mean(1)
    np.testing.assert_allclose(whole[1:], [0.7, 0.2, 0.0], atol=0.06)


def test_where_all_nets_are_equally_good_all_but_the_first_are_shuffled():
    nets = np.arange(50.0)[:, None] + np.zeros((50, 21))
    whole = pole.relative(np.full(50, 0.3))
    after = permute(nets, whole, np.random.default_rng(0))
    assert np.array_equal(after[0], nets[0])
    assert (after[1:] != nets[1:]).mean() > 0.9


def test_children_are_tried_whole_and_the_others_change_partners(monkeypatch):
    monkeypatch.setattr(pole, "recombine", lambda parents, count, *rest: np.full((count, 21), 9.0))
    search, nets = Search(Config(), 0), some_nets(40)
    after = search.breed(nets, np.linspace(1, 0, 40) ** 4).reshape(40, 21)
    assert (after[-10:] == 9).all() and not (after[:-10] == 9).any()
    old = nets.reshape(40, 21)
    assert np.array_equal(np.sort(after[:-10], 0), np.sort(old[:-10], 0))
    assert np.array_equal(after[0], old[0])
    assert 8 < (after[1:-10] != old[1:-10]).any(1).sum() < 28


class Scripted:
    """Feeds a search with outcomes that a function of its trials makes up."""

    def __init__(self, search, answer):
        self.asked, life = [], search.life()
        try:
            trials = next(life)
            while True:
                self.asked.append(trials)
                trials = life.send(answer(trials))
        except StopIteration:
            pass


CONFIG = replace(Config(), population=8, max_evaluations=60)


def falls(trials):
    """All nets fall, those with a large first weight later."""
    return outcome_of((100 + 10 * trials.nets[:, 0, 0]).astype(int).clip(0, 900))


@pytest.mark.parametrize("kind", [Search, Unshuffled])
def test_each_trial_counts_and_no_net_is_tried_twice(kind):
    search = kind(CONFIG, 0)
    asked = Scripted(search, falls).asked
    tried = np.concatenate([trials.nets for trials in asked])
    assert search.evaluations == len(tried) <= 60
    assert search.evaluations + len(asked[-1].nets) > 60 - 8
    assert search.generations == len(asked)
    assert len(np.unique(tried.reshape(len(tried), -1), axis=0)) == len(tried)
    assert len(asked[0].nets) == 8 and search.winner is None
    assert all((trials.starts == START).all() and trials.steps == 1000 for trials in asked)
    assert pole.evaluations([search]) == [60]


def test_the_best_net_is_kept_and_the_worst_are_replaced():
    search = Unshuffled(CONFIG, 0)
    nets = some_nets(8)
    after = search.breed(nets, np.linspace(1, 0, 8))
    changed = (after != nets).any((1, 2))
    assert not changed[0] and changed[-1]
    assert not changed[:2].any() and changed[2:].all()  # two parents, six children
    shuffled = Search(CONFIG, 0).breed(nets, np.linspace(1, 0, 8))
    assert np.array_equal(shuffled[0], nets[0])
    assert (shuffled != nets).any((1, 2)).sum() >= 2


def balances(passes_starts, passes_long):
    """All nets balance for a trial; the tests go as is said."""

    def answer(trials):
        many = len(trials.nets)
        if many == 625:
            lasted = np.full(625, 999)
            lasted[:passes_starts] = 1000
            return outcome_of(lasted)
        if trials.steps == CONFIG.long_steps:
            return outcome_of([trials.steps - (not passes_long)])
        return outcome_of([1000] * many, np.arange(1, many + 1))

    return answer


def test_a_net_that_passes_both_tests_ends_the_search():
    search = Search(CONFIG, 0)
    asked = Scripted(search, balances(200, True)).asked
    assert [len(trials.nets) for trials in asked] == [8, 625, 1]
    assert np.array_equal(search.winner, asked[0].nets[0])  # the calmest
    assert all(np.array_equal(net, search.winner) for net in asked[1].nets)
    assert np.array_equal(asked[1].starts, grid_of_starts()) and asked[1].steps == 1000
    assert np.array_equal(asked[2].nets[0], search.winner)
    assert asked[2].steps == 100_000 and (asked[2].starts == START).all()
    assert search.evaluations == 8 and search.starts_balanced == 200 and search.force == 0.5


@pytest.mark.parametrize("starts, long, failed", [(199, True, (1, 0)), (200, False, (0, 1))])
def test_a_net_that_fails_a_test_is_no_solution_and_not_tested_again(starts, long, failed):
    search = Search(replace(CONFIG, max_evaluations=16), 0)
    first = []

    def answer(trials):
        many = len(trials.nets)
        if first and many not in (1, 625):  # what comes later is worse
            return outcome_of([1000] * many, np.full(many, 100.0))
        first.append(many)
        return balances(starts, long)(trials)

    asked = Scripted(search, answer).asked
    assert search.winner is None
    assert (search.failed_starts, search.failed_long) == failed
    assert [len(trials.nets) for trials in asked].count(625) == 1
    assert search.evaluations > 8


# ---- the wiring of run() ----
def test_run_gives_both_kinds_the_same_budget_and_different_random_numbers(monkeypatch):
    raced = []
    race = pole.race

    def spy(searches, report, pool=None):
        raced.extend(searches)
        return race(searches, report, pool)

    entered = []
    enter = Pool.enter

    def spy_enter(self, owner, trials):
        entered.append((owner, trials))
        enter(self, owner, trials)

    monkeypatch.setattr(pole, "race", spy)
    monkeypatch.setattr(Pool, "enter", spy_enter)
    config = replace(SMALL, max_evaluations=60)
    numbers = run(config, 3, silent)
    assert [type(search) for search in raced] == [Search, Search, Unshuffled, Unshuffled]
    assert all(search.config == config for search in raced)
    firsts = [trials.nets for owner, trials in entered[:4]]
    assert len({float(nets.ravel()[0]) for nets in firsts}) == 4
    assert all(nets.shape == (16, 3, 7) for nets in firsts)
    before = len(entered)
    again = run(config, 4, silent)
    other = [trials.nets for owner, trials in entered[before : before + 4]]
    assert again and not any(np.array_equal(a, b) for a, b in zip(firsts, other))
    for owner in range(4):
        mine = [trials for who, trials in entered if who == owner]
        trained = [trials for trials in mine if trials.steps == config.trial_steps]
        trained = [trials for trials in trained if len(trials.nets) != 625]
        assert all((trials.starts == START).all() for trials in trained)
    assert set(numbers["curve"]) == {"x", "y"} and len(numbers["curve"]["x"]) == 101


def test_what_run_reports_is_what_the_searches_took(monkeypatch):
    took = {Search: [100, 200, None, 100, 50], Unshuffled: [1000, None, None, 1000, 10]}

    def instead(searches, report, pool=None):
        counts = {kind: list(numbers) for kind, numbers in took.items()}
        for search in searches:
            count = counts[type(search)].pop(0)
            search.evaluations = count or 19_990
            if count:
                search.winner, search.starts_balanced, search.force = np.zeros(1), 200 + count, 0.1
        return 10

    monkeypatch.setattr(pole, "race", instead)
    numbers = run(Config(), 0, silent)
    assert numbers["evaluations"] == (100 + 200 + 20_000 + 100 + 50) / 5
    assert numbers["solved_share"] == 0.8
    logs = [[math.log10(n or 20_000) for n in took[kind]] for kind in (Search, Unshuffled)]
    assert abs(numbers["permutation_lead"] - (sum(logs[1]) - sum(logs[0])) / 5) < 1e-12
    assert numbers["whole"]["solved_share"] == 0.6
    assert numbers["whole"]["evaluations"] == (1000 + 40_000 + 1000 + 10) / 5
    assert numbers["shuffled"]["evaluations_median"] == 100
    assert numbers["shuffled"]["starts_balanced"] == 200 + 450 / 4
    assert numbers["curve"]["x"][1] == 200 and numbers["curve"]["x"][-1] == 20_000
    assert numbers["curve"]["y"][0] == 0 and numbers["curve"]["y"][1] == 0.8
    assert numbers["curve"]["y"][-1] == 0.8


def test_the_same_seed_gives_the_same_numbers():
    config = replace(SMALL, searches=1, max_evaluations=40)
    one, two = (run(config, 5, silent) for _ in range(2))
    for numbers in (one, two):
        del numbers["shuffled"]["steps_per_second"]
    assert one == two


@pytest.mark.parametrize(
    "settings",
    [{"trial_steps": 30}, {"long_steps": 1010}, {"max_evaluations": 30}, {"elite": 0.01}],
)
def test_settings_that_do_not_fit_are_refused(settings):
    with pytest.raises(ValueError, match="argument --"):
        Config(**settings)


# ---- the study ----
def test_memoryless_nets_have_no_recurrent_weights_and_the_same_rest():
    search = study.Memoryless(CONFIG, 0)
    asked = Scripted(search, falls).asked
    assert all((trials.nets[:, :, :3] == 0).all() for trials in asked)
    assert all((trials.nets[:, :, 3:] != 0).all() for trials in asked)
    assert asked[0].nets.shape == (8, 3, 7)
    assert search.evaluations == sum(len(trials.nets) for trials in asked)
    solved = study.Memoryless(CONFIG, 0)
    assert [len(t.nets) for t in Scripted(solved, balances(200, True)).asked] == [8, 625, 1]
    assert solved.winner is not None


def test_standard_fitness_counts_steps_and_needs_the_long_test_alone():
    search = study.Standard(CONFIG, 0)
    assert search.score(outcome_of([50, 1000])).tolist() == [0.05, 1.0]
    asked = Scripted(search, balances(7, True)).asked
    assert [len(trials.nets) for trials in asked] == [8, 1, 625]
    assert search.winner is not None and search.starts_balanced == 7
    failing = study.Standard(replace(CONFIG, max_evaluations=8), 0)
    assert [len(t.nets) for t in Scripted(failing, balances(625, False)).asked] == [8] + [1] * 8
    assert failing.failed_long == 8 and failing.winner is None


def test_cma_es_finds_the_bottom_of_a_valley():
    state, rng = study.Adaptation(5, 10, 1.0), np.random.default_rng(0)
    target = np.arange(5.0)
    for _ in range(200):
        steps = state.draw(rng)
        error = (state.mean + state.scale * steps - target) * np.array([1, 10, 1, 30, 1])
        state.learn(steps[np.argsort((error**2).sum(1))])
    np.testing.assert_allclose(state.mean, target, atol=1e-5)


def test_cma_es_counts_each_trial_and_tests_its_best_net():
    cma = study.Config(population=8, max_evaluations=60)
    search = study.Cma(cma, 0)
    asked = Scripted(search, falls).asked
    assert search.evaluations == sum(len(trials.nets) for trials in asked) <= 60
    solved = study.Cma(cma, 0)
    asked = Scripted(solved, balances(200, True)).asked
    assert [len(trials.nets) for trials in asked] == [13, 625, 1]
    assert np.array_equal(solved.winner, asked[0].nets[0])


def test_the_study_gives_all_kinds_the_same_budget(monkeypatch):
    raced = []

    def instead(searches, report, pool=None):
        raced.extend(searches)
        for search in searches:
            search.evaluations = 10
            search.champions = [(10, 5, search.draw()[0])]

    monkeypatch.setattr(study, "race", instead)
    numbers = study.run(study.Config(**QUICK), 0, silent)
    kinds = [Search, study.Standard, study.Memoryless, study.Cma, Search]
    assert [type(search) for search in raced[::2]] == kinds
    assert [search.config.bias for search in raced[::2]] == [False] * 4 + [True]
    assert {search.config.max_evaluations for search in raced} == {400}
    firsts = {float(search.champions[0][2].ravel()[-1]) for search in raced}
    assert len(firsts) == 10
    assert numbers["memoryless_share"] == 0 and numbers["evaluations_standard"] == 400
    assert numbers["winners"]["at_10_ms"] is None


def test_what_winners_can_bear_is_measured_from_other_starts(monkeypatch):
    seen = []

    def instead(trials, substeps=2):
        seen.append((trials, substeps))
        steps = np.full(len(trials.nets), trials.steps)
        steps[0] -= 1
        return outcome_of(steps)

    monkeypatch.setattr(study, "balance", instead)
    config = study.Config(copies=4)
    shares = study.bear(list(some_nets(2)), config, np.random.default_rng(0))
    assert shares == {"at_10_ms": 0.5, "off_start": 7 / 8}
    (often, one), (off, two) = seen
    assert (one, two) == (1, 2) and often.steps == off.steps == 100_000
    gap = np.abs(off.starts - START)
    assert 0 < gap.max() < 1e-5 and len(np.unique(off.starts[0])) == 8
