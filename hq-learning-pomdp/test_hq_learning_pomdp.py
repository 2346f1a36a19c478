"""Tests of HQ-learning: mazes, walks, updates, the rival, the wiring, bad settings."""

import copy
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import hq_learning_pomdp as hq
import numpy as np
import pytest
import study_hq_learning_pomdp as study
from hq_learning_pomdp import QUICK, ROWS, VIEWS, Config, Maze, System, run

MAZE, SECOND = Maze(ROWS), Maze(study.SECOND_ROWS)
ZIGZAG, KEY = Maze(study.ZIGZAG_ROWS), study.KeyMaze(study.KEY_ROWS)
N, E, S, W = range(4)
SMALL = Config(simulations=3, trials=1200, steps=60, agents=3)


def silent(share, text):
    """A progress that nobody sees."""


def rng(seed=0):
    return np.random.default_rng(seed)


# ---- the tasks ----
def reached_from(maze, start):
    """List all that one policy can do from a field: {field where it may hand over: steps}.

    Every policy is tried, an action for a view being fixed when the view is first met. It may hand
    over where a view is met for the first time after a step: that view can be its sub-goal.
    """
    found = {}

    def go(field, policy, met, steps, visited):
        view = maze.view[field]
        if steps and (view not in met or field == maze.goal):
            found[field] = min(steps, found.get(field, steps))
        if field == maze.goal:
            return
        met = met | {view} if steps else met
        for action in [policy[view]] if view in policy else range(4):
            after = maze.after[field, action]
            if after not in visited:
                go(after, policy | {view: action}, met, steps + 1, visited | {after})

    go(start, {}, frozenset(), 0, frozenset([start]))
    return found


def fewest_steps(maze, most):
    """Return the fewest steps to the goal with 1 to `most` policies, None where none gets there."""
    level, known, result = {maze.start: 0}, {}, []
    for _ in range(most):
        following = {}
        for field, steps in level.items():
            if field not in known:
                known[field] = reached_from(maze, field)
            for after, more in known[field].items():
                following[after] = min(steps + more, following.get(after, steps + more))
        result.append(following.pop(maze.goal, None))
        level = following
    return result


def test_the_maze_has_the_properties_of_the_paper_s():
    views = Counter(MAZE.view.tolist())
    assert len(MAZE.view) == 62
    assert views == {2: 4, 3: 9, 5: 14, 6: 7, 8: 8, 9: 3, 10: 8, 12: 5, 13: 4}
    assert MAZE.places[MAZE.start].tolist() == [7, 9]
    assert MAZE.places[MAZE.goal].tolist() == [1, 9]
    assert MAZE.shortest() == SECOND.shortest() == ZIGZAG.shortest() == 28
    assert len(SECOND.view) == 62 and len(set(SECOND.view.tolist())) == 9


@pytest.mark.parametrize("maze", [MAZE, SECOND])
def test_one_or_two_policies_cannot_solve_the_mazes_and_three_can(maze):
    assert fewest_steps(maze, 3) == [None, None, 28]


def test_the_zigzag_needs_five_policies():
    assert fewest_steps(ZIGZAG, 5) == [None] * 4 + [28]


def test_key_and_door_need_three_policies():
    assert 60 <= KEY.shortest() <= 100
    assert fewest_steps(KEY, 3) == [None, None, KEY.shortest()]
    reached = {KEY.start}
    while more := set(KEY.after[list(reached)].ravel()) - reached:
        reached |= more
    assert len(set(KEY.view[list(reached)])) == 11
    assert KEY.goal - len(KEY.view) // 2 not in reached  # no goal without the key


@pytest.mark.parametrize("maze", [MAZE, SECOND, ZIGZAG])
def test_moves_are_symmetric_and_views_name_the_bumps(maze):
    fields = np.arange(len(maze.view))
    for action, bit in enumerate((8, 4, 2, 1)):
        after = maze.after[:, action]
        bump = after == fields
        np.testing.assert_array_equal(bump, maze.view & bit > 0)
        np.testing.assert_array_equal(maze.after[after, (action + 2) % 4][~bump], fields[~bump])
    moved = maze.places[maze.after] - maze.places[:, None]  # (F, 4, 2)
    assert set(map(tuple, moved[:, E])) <= {(0, 1), (0, 0)}
    assert set(map(tuple, moved[:, S])) <= {(1, 0), (0, 0)}


def test_the_door_is_a_wall_until_the_key_is_there():
    maze = study.KeyMaze(("KSDG",))  # fields K 0, S 1, D 2, G 3, and with the key 4 to 7
    assert maze.start == 1 and maze.goal == 7 and maze.shortest() == 4
    assert maze.view[1] == 8 + 4 + 2 and maze.view[5] == 8 + 2
    assert maze.after[1].tolist() == [1, 1, 1, 4]
    assert maze.after[4, E] == 5 and maze.after[5, E] == 6 and maze.after[6, E] == 7
    assert maze.view[6] == 10 and maze.cost == 0.1 and Maze(ROWS).cost == 0


# ---- tables made by hand ----
CERTIFICATE = (
    ({5: S, 6: W, 9: S, 10: W, 2: W, 3: S, 12: W, 13: S, 8: W}, 3),
    ({3: N, 8: W}, 2),
    ({2: N, 5: N, 8: E, 6: N, 10: E, 12: S, 3: E}, None),
)


def certified():
    """Return a system of three agents that knows a shortest path."""
    system = System(MAZE, Config(agents=3), rng())
    for agent, (policy, sub_goal) in enumerate(CERTIFICATE):
        for view, action in policy.items():
            key = agent * VIEWS + view
            system.q[4 * key + action] = system.v[key] = 50.0
            system.best[key] = action
        if sub_goal is not None:
            system.hq[agent][sub_goal] = 50.0
    return system


def test_a_shortest_path_in_three_parts():
    system = certified()
    path = system.walk()
    agents = Counter(agent for agent, _ in path[:-1])
    assert agents == {0: 8, 1: 2, 2: 18}
    moves = [MAZE.after[a].tolist().index(b) for (_, a), (_, b) in zip(path, path[1:])]
    assert "".join("NESW"[move] for move in moves) == "SWSWWWWWNWNNENNNNEESESEENNNE"
    assert system.test() == (28, True)
    assert system.trial(1.0) == 28


# ---- a literal oracle of one trial ----
class Watched(System):
    """A system that keeps what each trial was."""

    def learn_actions(self, path, final):
        self.seen_path, self.q_before, self.v_before = list(path), list(self.q), list(self.v)
        self.final = final
        super().learn_actions(path, final)

    def learn_sub_goals(self, begins, wanted, end, final):
        self.begins, self.wanted = list(begins), list(wanted)
        self.hq_before = [list(values) for values in self.hq]
        super().learn_sub_goals(begins, wanted, end, final)


def filled(maze, seed, **settings):
    """Return a watched system with random tables."""
    system = Watched(maze, replace(SMALL, steps=300, **settings), rng(seed))
    fill = rng(seed + 100)
    system.q = fill.normal(size=len(system.q)).tolist()
    for key in range(len(system.v)):
        values = system.q[4 * key : 4 * key + 4]
        system.v[key], system.best[key] = max(values), values.index(max(values))
    system.hq = fill.normal(size=(settings.get("agents", 3) - 1, VIEWS)).tolist()
    return system


def check_walk(system, maze):
    """Follow a trial's path field by field, with its hand-overs."""
    field, agent = maze.start, 0
    for t, cell in enumerate(system.seen_path):
        assert cell // 4 == agent * VIEWS + maze.view[field]
        field = maze.after[field, cell % 4]
        assert (field == maze.goal) <= (t == len(system.seen_path) - 1)
        if field != maze.goal and maze.view[field] == system.wanted[agent]:
            agent += 1
            assert system.begins[agent] == t + 1
    assert agent == len(system.begins) - 1
    reward = system.config.reward if field == maze.goal else -maze.cost
    assert system.final == reward
    assert field == maze.goal or len(system.seen_path) == system.config.steps


def literal_q(system, maze, c):
    """Return the action values after the trial, by the paper's recursion."""
    path, T = system.seen_path, len(system.seen_path)
    rewards = [-maze.cost] * (T - 1) + [system.final]
    target = [0.0] * (T - 1) + [rewards[-1]]
    for t in reversed(range(T - 1)):
        following = path[t + 1] // 4
        value = max(system.q_before[4 * following : 4 * following + 4])
        target[t] = rewards[t] + c.gamma * ((1 - c.decay) * value + c.decay * target[t + 1])
    q = list(system.q_before)
    for t in reversed(range(T)):
        q[path[t]] += c.rate_q * (target[t] - q[path[t]])
    return q


def literal_hq(system, maze, c):
    """Return the sub-goal values after the trial, from sums over the rewards."""
    T, begins, active = len(system.seen_path), system.begins, len(system.begins)
    rewards = [-maze.cost] * (T - 1) + [system.final]
    ends = begins[1:] + [T]
    earned = [
        sum(c.gamma ** (t - b) * rewards[t] for t in range(b, e)) for b, e in zip(begins, ends)
    ]
    tables, target = [list(values) for values in system.hq_before], {}
    for i in reversed(range(active)):
        shrink = c.gamma ** (ends[i] - begins[i])
        if i == active - 1:
            target[i] = earned[i]
        elif i == active - 2:
            target[i] = earned[i] + shrink * earned[i + 1]
        else:
            mixed = (1 - c.decay) * max(system.hq_before[i + 1]) + c.decay * target[i + 1]
            target[i] = earned[i] + shrink * mixed
        if i < c.agents - 1:
            value = tables[i][system.wanted[i]]
            tables[i][system.wanted[i]] += c.rate_hq * (target[i] - value)
    return tables


@pytest.mark.parametrize("maze", [MAZE, KEY])
@pytest.mark.parametrize("agents", [1, 3, 6])
def test_trials_against_the_paper_s_formulas(maze, agents):
    ends, chains = set(), set()
    for seed in range(60):
        system = filled(maze, seed, agents=agents, decay=0.7, temperature=2.0)
        if seed % 2:
            system.maze = copy.copy(maze)  # with the goal two steps from the start
            system.maze.goal = maze.after[maze.after[maze.start, S], S if maze is KEY else W]
        assert system.trial(0.3) == len(system.seen_path)
        check_walk(system, system.maze)
        c = system.config
        np.testing.assert_allclose(system.q, literal_q(system, maze, c), rtol=0, atol=1e-10)
        expected = literal_hq(system, maze, c)
        if agents > 1:
            np.testing.assert_allclose(system.hq, expected, rtol=0, atol=1e-10)
        for key in range(len(system.v)):
            values = system.q[4 * key : 4 * key + 4]
            assert system.v[key] == max(values) == values[system.best[key]]
        ends.add(system.final > 0)
        chains.add(len(system.begins))
    assert ends == {False, True}
    assert agents in chains or agents == 6 and max(chains) > 3


def test_a_time_out_brings_nothing():
    system = System(MAZE, Config(agents=3, steps=5), rng())
    for _ in range(50):
        assert system.trial(0.9) == 5
    assert not any(system.q) and not np.any(system.hq) and set(system.best) == {-1}


def test_any_split_of_a_path_is_worth_what_the_path_is():
    system = System(MAZE, Config(agents=3, rate_hq=1.0), rng())
    for begins in ([0], [0, 8], [0, 8, 10], [0, 20, 27]):
        system.hq = [[0.0] * VIEWS for _ in range(2)]
        wanted = [5, 6, -1][: len(begins)]
        system.learn_sub_goals(begins, wanted, 28, 100.0)
        worth = {1: 27, 2: 27, 3: 27}[len(begins)]
        decay = 0.9 if len(begins) == 3 else 1.0  # the second agent's table holds zeros yet
        assert system.hq[0][5] == pytest.approx(decay * 100 * 0.9**worth)


# ---- choices ----
def shares(draws, kinds):
    count = Counter(draws)
    return [count[kind] / len(draws) for kind in range(kinds)]


def test_sub_goals_are_the_best_or_any():
    system = System(MAZE, Config(agents=2), rng())
    system.hq[0][3] = system.hq[0][7] = 1.0
    best = shares([system.choose_sub_goal(0, 1.0) for _ in range(4000)], VIEWS)
    assert best[3] + best[7] == 1 and abs(best[3] - 0.5) < 0.04
    mixed = shares([system.choose_sub_goal(0, 0.6) for _ in range(20000)], VIEWS)
    np.testing.assert_allclose(
        mixed, [0.025 + 0.3 * (v in (3, 7)) for v in range(VIEWS)], atol=0.02
    )
    assert system.choose_sub_goal(1, 0.5) == -1


def test_actions_are_the_best_or_boltzmann_s():
    system = System(MAZE, Config(agents=1, temperature=0.5), rng())
    system.q[4:8], system.v[1] = [1.0, 0.0, 1.0, 0.5], 1.0
    odds = np.exp(np.array([1.0, 0.0, 1.0, 0.5]) / 0.5)
    numbers = (np.arange(10000) + 0.5) / 10000
    drawn = shares([system.softmax(1, u) for u in numbers], 4)
    np.testing.assert_allclose(drawn, odds / odds.sum(), atol=2e-4)
    assert shares([system.untie(1, u) for u in numbers], 4) == [0.5, 0, 0.5, 0]


def test_a_trial_explores_as_often_as_it_is_told(monkeypatch):
    calls = []
    system = filled(MAZE, 0, agents=1)
    original = System.softmax

    def spy(self, key, u):
        calls.append(u)
        return original(self, key, u)

    monkeypatch.setattr(System, "softmax", spy)
    steps = sum(system.trial(0.8) for _ in range(40))
    assert abs(len(calls) / steps - 0.2) < 0.02
    assert abs(np.mean(calls) - 0.5) < 0.03
    calls.clear()
    system.trial(1.0)
    assert not calls


# ---- the test ----
def test_a_test_changes_nothing_and_takes_the_first_of_ties():
    system = System(MAZE, Config(agents=3), rng())
    before = (list(system.q), list(system.v), [list(values) for values in system.hq])
    assert system.test() == (1000, False)
    assert before == (system.q, system.v, system.hq)
    path = system.walk()  # north all the time, and no agent wants a view it meets
    assert path[1][1] == MAZE.after[MAZE.start, N] and path[-1][0] == 0


# ---- the rival ----
def test_gradient_of_the_exact_expected_steps():
    for maze in (MAZE, SECOND):
        z = rng(1).normal(size=(2, VIEWS, 4))
        _, dz = hq.expected_steps(maze, z)
        for k in range(2):
            size, step = VIEWS * 4, 1e-5
            moved = z[k].ravel() + step * np.concatenate([np.eye(size), -np.eye(size)])
            log = np.log(hq.expected_steps(maze, moved.reshape(-1, VIEWS, 4))[0])
            numeric = (log[:size] - log[size:]) / (2 * step)
            assert np.abs(dz[k].ravel() - numeric).max() <= 1e-6 * np.abs(numeric).max()
            assert (np.abs(numeric) > 1e-6).sum() >= 4 * 8


def test_expected_steps_of_a_short_corridor():
    maze = Maze(("S.G",))  # by hand: a = 1 + 3/4 a + b/4, b = 1 + b/2 + a/4; a = 12, b = 8
    z = np.zeros((1, VIEWS, 4))
    assert hq.expected_steps(maze, z)[0] == pytest.approx([12.0])
    assert hq.capped_steps(maze, z, 2) == pytest.approx([2.0])
    assert hq.capped_steps(maze, z, 3) == pytest.approx([3 - 1 / 16])
    assert hq.capped_steps(maze, z, 3000) == pytest.approx([12.0])


def test_the_rival_is_the_best_of_its_kind():
    assert hq.expected_steps(MAZE, np.zeros((1, VIEWS, 4)))[0] == pytest.approx([1783], abs=0.5)
    z = hq.best_memoryless(MAZE, rng(3), updates=400)
    steps, _ = hq.expected_steps(MAZE, z)
    assert 148 < steps.min() < 149.5 and len(steps) == 6
    rate = 0.02
    for _ in range(3):  # nothing nearby is better
        near = z[[steps.argmin()]] + rate * rng(4).normal(size=(50, VIEWS, 4))
        assert hq.expected_steps(MAZE, near)[0].min() > steps.min() - 0.1


# ---- the wiring of run() ----
@pytest.fixture
def watched(monkeypatch):
    """Spy on a run: systems, the greedy shares of their trials, and when they are tested."""
    log = {"systems": [], "greedy": [], "tests": [], "rng": [], "most": []}

    class Spied(System):
        def __init__(self, maze, config, rng):
            log["rng"].append(rng.bit_generator.state["state"]["state"])
            super().__init__(maze, config, rng)
            log["systems"].append(self)
            log["greedy"].append([])
            log["tests"].append([])

        def trial(self, greedy):
            log["greedy"][-1].append(greedy)
            return super().trial(greedy)

        def test(self):
            log["tests"][-1].append((len(log["greedy"][-1]), super().test()))
            return log["tests"][-1][-1][1]

    def best_memoryless(maze, rng, **settings):
        log["rng"].append(rng.bit_generator.state["state"]["state"])
        log["rival"] = original[0](maze, rng, updates=5, **settings)
        return log["rival"]

    def capped_steps(maze, z, most):
        log["most"].append((len(maze.view), len(z), most))
        return original[1](maze, z, most)

    original = hq.best_memoryless, hq.capped_steps
    defaults = hq.train_all.__defaults__
    monkeypatch.setattr(hq.train_all, "__defaults__", (Spied,))
    assert defaults == (System,)
    monkeypatch.setattr(hq, "best_memoryless", best_memoryless)
    monkeypatch.setattr(hq, "capped_steps", capped_steps)
    return log


def test_what_a_run_does_and_reports(watched):
    table = run(SMALL, 0, silent)
    assert len(watched["systems"]) == 3 and len(set(watched["rng"])) == 4
    starts = [next(system.uniform) for system in watched["systems"]]
    assert len(set(starts)) == 3
    for greedy, tests in zip(watched["greedy"], watched["tests"]):
        assert len(greedy) == 1200 and greedy[0] == 0.9 and greedy[-1] == pytest.approx(1.0)
        np.testing.assert_allclose(np.diff(greedy), 0.1 / 1199)
        assert [when for when, _ in tests] == [0, 500, 1000, 1200]
    last = np.array([tests[-1][1][0] for tests in watched["tests"]])
    assert table["hq"]["mean_steps"] == last.mean()
    assert table["curve"]["x"] == [0, 500, 1000, 1200]
    each = np.array([[steps for _, (steps, _) in tests] for tests in watched["tests"]])
    assert table["curve"]["y"] == each.mean(0).tolist()
    assert watched["most"] == [(62, 6, 60), (62, 1, 60)]  # the rival has as many steps
    rival = hq.capped_steps(MAZE, watched["rival"], 60).min()
    assert table["memoryless"]["mean_steps"] == rival
    assert table["memoryless_ratio"] == pytest.approx(rival / last.mean())


def test_the_summary_by_hand():
    tests = np.array(
        [
            [[1000, 0], [28, 1], [28, 1]],
            [[1000, 0], [1000, 0], [35, 1]],
            [[1000, 0], [28, 1], [36, 1]],
            [[1000, 0], [28, 1], [1000, 0]],
            [[1000, 0], [1000, 0], [1000, 0]],
        ]
    )
    found = hq.summary(tests, MAZE, Config())
    assert found["solved_share"] == 0.6 and found["near_optimal_share"] == 0.4
    assert found["optimal_share"] == 0.2 and found["median_steps"] == 36
    assert found["mean_steps"] == pytest.approx(419.8)
    assert found["first_solved_trial"] == (500 + 1000 + 500 + 500) / 4
    assert hq.summary(tests[4:], MAZE, Config())["first_solved_trial"] is None


def test_steps_per_second_counts_the_steps_of_training(monkeypatch):
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(hq, "process_time", lambda: next(clock))
    config = Config(simulations=2, trials=10, steps=4)
    _, speed = hq.train_all(MAZE, config, np.random.SeedSequence(0), silent)
    assert speed == 2 * 10 * 4 / 2


# ---- the study ----
def test_controls_differ_in_one_thing():
    undiscounted = study.Undiscounted(MAZE, Config(agents=2), rng())
    assert undiscounted.own_return(28, 100.0) == 100.0
    assert study.Undiscounted(KEY, Config(), rng()).own_return(11, 500.0) == pytest.approx(499)
    fixed = study.FixedSubGoals(MAZE, Config(), rng())
    before = [list(values) for values in fixed.hq]
    fixed.trial(0.9)
    assert fixed.hq == before and len({tuple(values) for values in before}) == 5
    assert all(before[0][view] > 0 for view in set(MAZE.view)) and before[0][0] == 0


def test_rows_of_the_study(monkeypatch):
    rows = study.rows_of(study.Config())
    assert {name: settings.agents for name, (_, settings, _) in rows.items()} == {
        "agents_3": 3,
        "agents_4": 4,
        "agents_8": 8,
        "agents_12": 12,
        "second_maze": 6,
        "key": 4,
        "zigzag": 5,
        "undiscounted": 6,
        "fixed_sub_goals": 6,
    }
    key = rows["key"][1]
    assert (key.reward, key.rate_q, key.rate_hq, key.decay) == (500.0, 0.05, 0.01, 0.9)
    assert rows["agents_12"][1].simulations == key.simulations == 8
    seeds = []
    original = study.train_all

    def spy(maze, config, seed, *others):
        seeds.append(tuple(seed.generate_state(2)))
        return original(maze, config, seed, *others)

    monkeypatch.setattr(study, "train_all", spy)
    table = study.run(study.Config(**study.QUICK | {"trials": 3}), 0, silent)
    assert len(set(seeds)) == len(rows) == len(table)
    assert table["key"]["steps_each"] == [200, 200]


# ---- the program ----
def test_quick_runs_differ_by_seed_and_repeat(watched):
    config = Config(**QUICK | {"trials": 150})
    first, again, other = (run(config, seed, silent) for seed in (0, 0, 1))
    for table in (first, again, other):
        del table["hq"]["steps_per_second"]
    assert first == again != other


@pytest.mark.parametrize("flag", ["--agents=0", "--gamma=1", "--decay=1.1", "--explore-end=2"])
def test_bad_settings_are_refused(flag):
    program = [sys.executable, Path(hq.__file__), flag]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and flag.split("=")[0] in done.stderr
