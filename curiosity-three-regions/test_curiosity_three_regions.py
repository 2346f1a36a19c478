"""Tests: the rooms, M and C by hand, the controllers against slow oracles, the wiring of run()."""

from dataclasses import replace

import curiosity_three_regions as curiosity
import study_curiosity_three_regions as study
from curiosity_three_regions import POLICIES, QUICK, Config, ErrorSeeking, Lottery, Planner
from curiosity_three_regions import QLearning, RandomWalk, VisitCounter, World, WorldModel
from curiosity_three_regions import compare, error_left, explore, measure, roam, steps_until
import numpy as np
import pytest

CLOSE = {"rtol": 0, "atol": 1e-12}
UP, RIGHT, DOWN, LEFT = range(4)
TINY = Config(agents=3, steps=60)


def silent(fraction, message):
    """Show no progress."""


def fresh(kind=World, agents=3, seed=0, side=curiosity.SIDE):
    """A world with its agents in the first room."""
    world = kind(side)
    world.reset(np.random.default_rng(seed), agents)
    return world


# ---- the task ----
def test_the_rooms_are_fifty_known_forty_one_random_and_nine_learnable():
    world = World()
    kinds = np.array([world.known, world.random, world.learnable])
    assert kinds.sum(1).tolist() == [50, 41, 9]
    assert (kinds.sum(0) == 1).all()
    assert set(np.flatnonzero(world.learnable)) == {77, 78, 79, 87, 88, 89, 97, 98, 99}
    assert world.known[[0, 4, 94]].all() and not world.known[[5, 95]].any()


def test_moves_by_hand():
    world = fresh(agents=4)
    world.place = np.array([55, 55, 55, 55])
    assert world.step(np.array([UP, RIGHT, DOWN, LEFT]))[0].tolist() == [45, 56, 65, 54]
    world.place = np.array([3, 39, 95, 60])
    assert world.step(np.array([UP, RIGHT, DOWN, LEFT]))[0].tolist() == [3, 39, 95, 60]
    assert world.place.tolist() == [3, 39, 95, 60]


def test_a_move_and_its_opposite_lead_back():
    up, right, down, left = World().neighbours
    rooms = np.arange(100)
    assert (down[up] == rooms)[10:].all() and (up[down] == rooms)[:90].all()
    assert (left[right] == rooms)[rooms % 10 < 9].all()
    assert (right[left] == rooms)[rooms % 10 > 0].all()


def test_agents_start_in_the_corner_opposite_the_learnable_rooms():
    world = fresh(agents=5)
    assert world.place.tolist() == [0] * 5
    assert not world.truth[:, ~world.learnable].any()
    assert (abs(world.truth[:, world.learnable]) == 1).all()
    assert len({tuple(row) for row in world.truth}) == 5


def test_answers_are_nought_or_a_coin_or_the_rooms_sign():
    world = fresh(agents=2000)
    for room, kind in ((3, "known"), (8, "random"), (99, "learnable")):
        entered = np.full(2000, room)
        first, second = (world.enter(entered)[1] for _ in range(2))
        if kind == "known":
            assert not first.any() and not second.any()
        else:
            assert abs(first.mean()) < 0.1 and (abs(first) == 1).all()
        agree = (first == second).mean()
        assert abs(agree - 0.5) < 0.05 if kind == "random" else agree == 1
    assert (second == world.truth[:, 99]).all()


def test_the_lottery_leads_everywhere_alike_whatever_the_move():
    world = fresh(Lottery, agents=20_000)
    counts = np.bincount(world.step(np.zeros(20_000, int))[0], minlength=100)
    assert counts.min() > 130 and counts.max() < 270


# ---- M, C and the reward ----
def test_two_visits_of_a_learnable_and_a_random_room_by_hand():
    """m: 0, 0.05, then 0.0975 or -0.0025; c: 1, 1, then 0.2 of the way to 0.9025 or 1.1025."""
    model = WorldModel(fresh(agents=2), Config(agents=2))
    place = np.array([99, 8])
    np.testing.assert_allclose(model.learn(place, np.array([1.0, 1.0])), [0.0, 0.0], **CLOSE)
    reward = model.learn(place, np.array([1.0, -1.0]))
    np.testing.assert_allclose(reward, [0.2 * (1 - 0.9025), 0.2 * (1 - 1.1025)], **CLOSE)
    np.testing.assert_allclose(model.prediction[[0, 1], place], [0.0975, -0.0025], **CLOSE)
    np.testing.assert_allclose(model.expected_error[[0, 1], place], [0.9805, 1.0205], **CLOSE)
    assert np.count_nonzero(model.prediction) == 2


def test_rewards_of_a_room_add_up_to_what_its_expected_error_has_lost():
    config = replace(TINY, known=False)
    world = fresh()
    model = WorldModel(world, config)
    start = model.expected_error.copy()
    paid = np.zeros_like(start)
    rng = np.random.default_rng(1)
    for _ in range(300):
        place, answer = world.step(rng.integers(4, size=3))
        paid[[0, 1, 2], place] += model.learn(place, answer)
    np.testing.assert_allclose(paid, start - model.expected_error, **CLOSE)
    assert paid.min() < 0 < paid.max()


def test_what_c_knows_at_the_start():
    world = World()
    known = WorldModel(world, replace(TINY, prior_error=2.0))
    assert not known.expected_error[:, world.known].any()
    assert (known.expected_error[:, ~world.known] == 2.0).all()
    assert (WorldModel(world, replace(TINY, known=False)).expected_error == 1.0).all()


def test_error_seeking_changes_the_reward_alone():
    world, rng = fresh(), np.random.default_rng(2)
    ours, other = WorldModel(world, TINY), ErrorSeeking(world, TINY)
    for _ in range(50):
        place, answer = world.enter(rng.integers(100, size=3))
        error = (answer - other.prediction[[0, 1, 2], place]) ** 2
        ours.learn(place, answer)
        np.testing.assert_allclose(other.learn(place, answer), error, **CLOSE)
    np.testing.assert_array_equal(ours.prediction, other.prediction)
    np.testing.assert_array_equal(ours.expected_error, other.expected_error)


# ---- the controllers ----
def test_q_learning_is_watkins_q_with_traces_written_out():
    """A slow oracle for each agent, over moves of which many are not the best."""
    config = Config(agents=4, trace=0.8, gamma=0.9, rate_q=0.3, start_q=0.5)
    rng = np.random.default_rng(3)
    controller = QLearning(World(), config, rng)
    q = [dict.fromkeys([(s, a) for s in range(100) for a in range(4)], 0.5) for _ in range(4)]
    trace = [{} for _ in range(4)]
    cuts = 0
    for _ in range(120):
        place, arrived = rng.integers(6, size=(2, 4))
        action, reward = rng.integers(4, size=4), rng.standard_normal(4)
        controller.learn(place, action, arrived, reward)
        for n in range(4):
            s, a, s2 = int(place[n]), int(action[n]), int(arrived[n])
            best = max(q[n][s, k] for k in range(4))
            surprise = reward[n] + 0.9 * max(q[n][s2, k] for k in range(4)) - q[n][s, a]
            if q[n][s, a] < best:
                trace[n] = {}
                cuts += 1
            trace[n] = {pair: 0.72 * e for pair, e in trace[n].items()} | {(s, a): 1.0}
            for pair, e in trace[n].items():
                q[n][pair] += 0.3 * surprise * e
    assert 100 < cuts < 480
    for n in range(4):
        expected = np.array(list(q[n].values())).reshape(100, 4)
        np.testing.assert_allclose(controller.q[n], expected, **CLOSE)


def test_planning_against_loops():
    config = Config(agents=2, sweeps=2, gamma=0.9, rate_r=0.25, start_r=0.1)
    rng = np.random.default_rng(4)
    world = World()
    planner = Planner(world, config, rng)
    interest, value = np.full((2, 100), 0.1), np.zeros((2, 100))
    for _ in range(5):
        place, arrived = rng.integers(100, size=(2, 2))
        reward = rng.standard_normal(2)
        planner.learn(place, np.zeros(2, int), arrived, reward)
        for n in range(2):
            interest[n, arrived[n]] += 0.25 * (reward[n] - interest[n, arrived[n]])
            for _ in range(2):
                ends = [[world.neighbours[a, s] for a in range(4)] for s in range(100)]
                worth = [[interest[n, e] + 0.9 * value[n, e] for e in row] for row in ends]
                value[n] = [max(row) for row in worth]
    np.testing.assert_allclose(planner.interest, interest, **CLOSE)
    np.testing.assert_allclose(planner.value, value, **CLOSE)


def test_a_planner_walks_the_shortest_way_to_the_one_reward():
    config = Config(agents=1, explore=0.0, sweeps=40, start_r=0.0)
    world = fresh(agents=1)
    planner = Planner(world, config, np.random.default_rng(5))
    planner.interest[0, 55] = 1.0
    planner.learn(world.place, np.zeros(1, int), np.zeros(1, int), np.zeros(1))
    for _ in range(10):
        place, _ = world.step(planner.act(world.place))
    assert place[0] == 55


def test_counting_visits():
    planner = VisitCounter(World(), Config(agents=1), np.random.default_rng(0))
    assert (planner.interest == 1).all()
    for _ in range(3):
        planner.note(np.array([7]), np.array([99.0]))
    assert planner.interest[0, 7] == 0.5
    assert (np.delete(planner.interest[0], 7) == 1).all()


def test_ties_are_broken_at_random_and_strays_go_anywhere():
    values = np.tile([0.0, 1.0, 1.0, 0.0], (4000, 1))
    steady = RandomWalk(World(), Config(explore=0.0), np.random.default_rng(6))
    counts = np.bincount(steady.best_or_random(values), minlength=4)
    assert counts[[0, 3]].tolist() == [0, 0] and abs(counts[1] - 2000) < 200
    stray = RandomWalk(World(), Config(explore=0.2), np.random.default_rng(6))
    share = np.bincount(stray.best_or_random(values), minlength=4)[[0, 3]].sum() / 4000
    assert abs(share - 0.1) < 0.03
    assert abs(np.bincount(stray.act(np.zeros(4000, int))) - 1000).max() < 150


@pytest.mark.parametrize("name", ["q_learning", "planning", "error_seeking", "count_based"])
def test_controllers_act_on_what_they_learned(name):
    config = Config(agents=2, explore=0.0)
    world, _, controller = curiosity.begin(config, POLICIES[name], np.random.SeedSequence(0))
    if name == "q_learning":
        controller.q[0, 0, DOWN] = 9.0
        controller.q[1, 0, RIGHT] = 9.0
    else:
        controller.value[0, 10] = controller.interest[1, 1] = 9.0
    assert controller.act(world.place).tolist() == [DOWN, RIGHT]


# ---- training ----
def test_a_step_is_act_move_model_controller():
    world, model, controller = curiosity.begin(
        TINY, POLICIES["planning"], np.random.SeedSequence(0)
    )
    seen = []
    act, enter, learn, note = controller.act, world.step, model.learn, controller.learn

    def spy(name, function):
        def spied(*arguments):
            result = function(*arguments)
            seen.append((name, arguments, result))
            return result

        return spied

    controller.act, world.step = spy("act", act), spy("step", enter)
    model.learn, controller.learn = spy("model", learn), spy("controller", note)
    arrived = list(roam(world, model, controller, 2))
    assert [name for name, *_ in seen] == ["act", "step", "model", "controller"] * 2
    start = np.zeros(3, int)
    for k, place in enumerate(arrived):
        act, step, learned, told = seen[4 * k : 4 * k + 4]
        np.testing.assert_array_equal(act[1][0], start)
        np.testing.assert_array_equal(step[1][0], act[2])
        assert learned[1] == step[2]
        for given, expected in zip(told[1], (start, act[2], place, learned[2])):
            np.testing.assert_array_equal(given, expected)
        start = place


def test_exploring_records_rooms_and_errors_after_each_step():
    seed = np.random.SeedSequence(8)
    places, left, world = explore(TINY, POLICIES["random_walk"], seed)
    again, model, controller = curiosity.begin(
        TINY, POLICIES["random_walk"], np.random.SeedSequence(8)
    )
    for t, arrived in enumerate(roam(again, model, controller, 60)):
        np.testing.assert_array_equal(places[t], arrived)
        np.testing.assert_array_equal(left[t], error_left(world, model))
    assert places.shape == left.shape == (60, 3)


@pytest.mark.parametrize("name", list(POLICIES))
def test_no_controller_sees_the_truth_but_by_the_size_of_errors(name, monkeypatch):
    """With all signs of the learnable rooms turned round, agents walk the very same way."""
    config = Config(agents=4, steps=500, rate_m=0.15, rate_c=0.6)
    plain = explore(config, POLICIES[name], np.random.SeedSequence(9))
    reset = World.reset

    def turned(world, rng, agents):
        place = reset(world, rng, agents)
        world.truth = -world.truth
        return place

    monkeypatch.setattr(World, "reset", turned)
    other = explore(config, POLICIES[name], np.random.SeedSequence(9))
    np.testing.assert_array_equal(plain[0], other[0])
    np.testing.assert_array_equal(plain[2].truth, -other[2].truth)


# ---- evaluation ----
def test_the_error_left_by_hand():
    world = fresh(agents=2)
    model = WorldModel(world, Config(agents=2))
    assert error_left(world, model).tolist() == [1.0, 1.0]
    model.prediction[0] = world.truth[0] / 2
    model.prediction[1, world.random] = 5.0  # where nothing can be learned nothing counts
    assert error_left(world, model).tolist() == [0.25, 1.0]


def test_steps_until_counts_from_one():
    left = np.array([[0.9, 0.01, 0.9], [0.04, 0.9, 0.9], [0.9, 0.9, 0.05]])
    assert steps_until(left).tolist() == [2.0, 1.0, np.inf]
    assert steps_until(left, 0.95).tolist() == [1.0, 1.0, 1.0]


def test_measures_by_hand():
    """Three agents learn at steps 10, 20 and never; each is in room 99 at chosen times."""
    left = np.ones((2000, 3))
    left[9:, 0] = left[19:, 1] = 0.04
    places = np.full((2000, 3), 8)
    places[:5, 0] = places[:5, 1] = 99
    places[9 + 501 : 9 + 511, 0] = 99
    places[9 + 1501, 0] = places[9 + 500, 0] = 99
    row = measure(places, left, World())
    assert row["steps"] == 20
    assert row["share_before"] == 10 / 2030
    assert row["share_after"] == 10 / 2000
    assert row["share_random"] == pytest.approx(1 - 22 / 6000)
    left[:] = 1
    row = measure(places, left, World())
    assert row["steps"] is None and row["share_after"] is None


def rows_of(**steps):
    """Rows as measure() gives them; shares are those of the names' places in the table."""
    names = {name: k for k, name in enumerate(POLICIES)}
    return {
        name: {
            "steps": steps.get(name, 1000.0 + k),
            "share_before": 0.5,
            "share_after": 0.1 * k,
            "share_random": 0.1 * k,
        }
        for name, k in names.items()
    }


def test_the_claims_figures_by_hand():
    table = compare(
        rows_of(random_walk=3000, teleport=2400, count_based=2000, q_learning=800, planning=500)
    )
    assert table["speedup_best"] == 6
    assert table["q_speedup"] == pytest.approx(np.log(3))
    assert table["boredom"] == pytest.approx(0.3 / 0.5)
    assert table["noise_trap"] == pytest.approx(0.1)
    assert table["count_speedup"] == 4
    assert compare(rows_of(random_walk=3000, q_learning=100, planning=500))["speedup_best"] == 30
    assert compare(rows_of(random_walk=3000, q_learning=100, planning=None))["speedup_best"] == 30


def test_what_did_not_happen_is_none():
    table = compare(rows_of(random_walk=None, teleport=None, count_based=None))
    assert table["speedup_best"] is table["q_speedup"] is table["count_speedup"] is None
    table = compare(rows_of(q_learning=None, planning=None))
    assert table["speedup_best"] is table["q_speedup"] is table["count_speedup"] is None


def test_the_curve_is_of_the_median_agent():
    left = np.repeat(np.arange(500.0)[:, None], 3, 1) + [0, 10, 1000]
    curve = curiosity.median_curve(left)
    assert curve["x"][0] == 1 and curve["x"][-1] == 500 and len(curve["x"]) <= 101
    assert curve["y"] == [x - 1 + 10.0 for x in curve["x"]]


# ---- the wiring of run() ----
def test_all_policies_get_the_same_settings_and_steps_and_streams_of_their_own(monkeypatch):
    walks, streams = [], []
    real_explore, real_reset, real_walk = explore, World.reset, RandomWalk.__init__

    def spied_explore(config, policy, seed):
        walks.append((config, policy, real_explore(config, policy, seed)))
        return walks[-1][2]

    def start_of(rng):
        return repr(rng.bit_generator.state)

    def spied_reset(world, rng, agents):
        streams.append(start_of(rng))
        return real_reset(world, rng, agents)

    def spied_walk(controller, world, config, rng):
        streams.append(start_of(rng))
        real_walk(controller, world, config, rng)

    monkeypatch.setattr(curiosity, "explore", spied_explore)
    monkeypatch.setattr(World, "reset", spied_reset)
    monkeypatch.setattr(RandomWalk, "__init__", spied_walk)
    curiosity.run(TINY, 0, silent)
    curiosity.run(TINY, 1, silent)
    assert [policy for _, policy, _ in walks] == list(POLICIES.values()) * 2
    assert all(config == TINY for config, _, _ in walks)
    assert all(places.shape == (60, 3) for _, _, (places, _, _) in walks)
    assert len(streams) == len(set(streams)) == 24


def test_policies_are_what_their_names_say():
    assert POLICIES == {
        "random_walk": (World, WorldModel, RandomWalk),
        "teleport": (Lottery, WorldModel, RandomWalk),
        "count_based": (World, WorldModel, VisitCounter),
        "q_learning": (World, WorldModel, QLearning),
        "planning": (World, WorldModel, Planner),
        "error_seeking": (World, ErrorSeeking, Planner),
    }


def test_run_reports_the_measures_of_each_policy(monkeypatch):
    explored = {}

    def fake_explore(config, policy, seed):
        left = np.full((60, 3), float(len(explored)))
        explored[id(left)] = list(POLICIES.values()).index(policy)
        kept.append(left)
        return np.zeros((60, 3), int), left, None

    kept = []
    rows = rows_of()
    monkeypatch.setattr(curiosity, "explore", fake_explore)
    monkeypatch.setattr(
        curiosity, "measure", lambda places, left, world: rows[list(rows)[explored[id(left)]]]
    )
    table = curiosity.run(TINY, 0, silent)
    for name, row in rows.items():
        assert table[name].items() <= row.items() and "steps" in table[name]
    assert table["boredom"] == compare(rows)["boredom"]
    assert set(table["curve"]["y"]) == {4.0}
    assert table["all"]["steps_per_second"] > 0


def test_a_quick_run_repeats_bit_for_bit_and_seeds_differ():
    config = Config(**QUICK)
    first, again, other = (curiosity.run(config, seed, silent) for seed in (0, 0, 1))
    for table in (first, again, other):
        del table["all"]
    assert first == again != other
    assert first["planning"]["steps"] < first["random_walk"]["steps"]


# ---- the study ----
def test_gradients_of_the_nets_agree_with_central_differences():
    rng = np.random.default_rng(10)
    net = study.Net(rng, 2, 5, 4, 3)
    net.w2 += rng.standard_normal(net.w2.shape)
    place, aim = np.array([1, 4]), rng.standard_normal((2, 3))

    def loss():
        return 0.5 * ((net.forward(place) - aim) ** 2).sum()

    dz, dw2, db2 = net.backward(net.forward(place) - aim)
    dw1 = np.zeros_like(net.w1)
    dw1[[0, 1], place] = dz
    for weights, gradient in ((net.w1, dw1), (net.w2, dw2), (net.b2, db2)):
        for index in np.ndindex(weights.shape):
            kept = weights[index]
            weights[index] = kept + 1e-5
            above = loss()
            weights[index] = kept - 1e-5
            below = loss()
            weights[index] = kept
            assert abs((above - below) / 2e-5 - gradient[index]) <= 1e-6
    before = [net.w1.copy(), net.w2.copy(), net.b2.copy()]
    net.descend(net.forward(place) - aim, 0.1)
    for old, gradient, new in zip(before, (dw1, dw2, db2), (net.w1, net.w2, net.b2)):
        np.testing.assert_allclose(new, old - 0.1 * gradient, **CLOSE)
    np.testing.assert_allclose(net.all_rooms()[[0, 1], place], net.forward(place), **CLOSE)


def test_nets_as_m_and_c_follow_the_same_rule():
    world, config = fresh(agents=2), Config(agents=2, known=False)
    model = study.NetModel(world, config, np.random.default_rng(0), 20, 0.01)
    place, answer = np.array([99, 8]), np.array([1.0, -1.0])
    m, c = model.prediction[[0, 1], place], model.c.all_rooms()[[0, 1], place, 0]
    reward = model.learn(place, answer)
    after = model.c.all_rooms()[[0, 1], place, 0]
    np.testing.assert_allclose(reward, c - after, **CLOSE)
    assert (abs((answer - m) ** 2 - after) < abs((answer - m) ** 2 - c)).all()
    assert (abs(answer - model.prediction[[0, 1], place]) < abs(answer - m)).all()
    told = study.NetModel(world, Config(agents=2), np.random.default_rng(0), 150, 0.0008)
    c = told.c.all_rooms()[:, :, 0]
    assert abs(c[:, world.known].mean()) < 0.05 and abs(c[:, ~world.known].mean() - 1) < 0.05


def test_the_late_corner_opens():
    world = fresh(study.TwoCorners)
    assert [world.first.sum(), world.late.sum(), world.random.sum()] == [9, 9, 32]
    assert set(np.flatnonzero(world.late)) == {7, 8, 9, 17, 18, 19, 27, 28, 29}
    model = study.LateModel(world, TINY)
    place, answer = np.array([9, 99, 8]), np.ones(3)
    model.learn(place, answer)
    assert model.prediction[[0, 1, 2], place].tolist() == [0.0, 0.05, 0.0]
    model.closed = False
    model.learn(place, answer)
    np.testing.assert_allclose(model.prediction[[0, 1, 2], place], [0.05, 0.0975, 0.05], **CLOSE)


def test_phases_by_hand():
    left = np.ones((2, 1000, 1))
    left[0, 99:] = left[1, 599:] = 0.0
    inside = np.zeros((2, 1000, 1), bool)
    inside[0, :50] = inside[0, 200:250] = True
    inside[1, 300:330] = inside[1, 500:600] = inside[1, 700:730] = True
    table = study.phases(inside, left, 400)
    assert table == {
        "first_while_learned": 0.5,
        "first_afterwards": 0.25,
        "late_before_opening": 30 / 400,
        "late_while_learned": 0.5,
        "late_afterwards": 0.1,
        "wait": 200.0,
    }
    assert study.binned(inside[0], 4) == [0.4, 0.0, 0.0, 0.0]


def test_the_bandit_prefers_spread_to_learning_when_reward_is_clipped():
    shares = {}
    for name, how in {"clipped": (True, False), "signed": (False, False)}.items():
        shares[name] = study.bandit(5, 1500, np.random.default_rng(11), *how)
        assert sum(shares[name][arm] for arm in "abc") == pytest.approx(1)
        assert shares[name]["c_left"] == 1
    assert shares["clipped"]["c"] > 0.9 > 0.1 > shares["signed"]["c"]
    assert study.bandit(5, 1500, np.random.default_rng(11), True, True)["c_left"] < 0.9


def test_every_row_of_the_study_has_its_settings_and_a_stream_of_its_own(monkeypatch):
    calls, spawned = [], []

    def fake_explore(config, policy, seed, side=10):
        calls.append((config, policy, side))
        spawned.append(seed.spawn_key)
        return np.zeros((100, 2), int), np.ones((100, 2)), World(side)

    monkeypatch.setattr(study, "explore", fake_explore)
    config = study.Config(agents=2, steps=100, opening=50, bins=5, pulls=300, hidden_size=5)
    real_begin = curiosity.begin

    def spied_begin(settings, policy, seed):
        spawned.append(seed.spawn_key)
        return real_begin(settings, policy, seed)

    monkeypatch.setattr(study, "begin", spied_begin)
    table = study.run(config, 0, silent)
    assert len(spawned) == len(set(spawned)) == 18
    base = Config(agents=2, steps=100)
    raced = [replace(base, known=False), base, replace(base, rate_m=0.02)]
    assert [settings for settings, _, _ in calls[:-1]] == [s for s in raced for _ in range(5)]
    assert [side for _, _, side in calls] == [10] * 5 + [14] * 5 + [10] * 6
    assert [policy for _, policy, _ in calls[:5]] == [POLICIES[name] for name in study.RACERS]
    assert calls[-1][0].start_r == 1.0 and calls[-1][1] == POLICIES["error_seeking"]
    assert set(table["nets"]) == set(study.NET_RACERS)
    assert table["bandit_signed"]["a"] != table["bandit_signed_unteachable"]["a"]


# ---- unusable arguments ----
@pytest.mark.parametrize("rate_c", [0.05, 0.01])
def test_a_c_slower_than_m_is_refused(rate_c):
    with pytest.raises(ValueError, match="--rate-c"):
        Config(rate_c=rate_c)


def test_a_study_that_ends_before_the_corner_opens_is_refused():
    with pytest.raises(ValueError, match="--opening"):
        study.Config(steps=1000, opening=1000)


@pytest.mark.parametrize(
    "argv", [["--agents", "0"], ["--gamma", "1"], ["--explore", "2"], ["--rate-c", "0.01"]]
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        curiosity.main(curiosity, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
