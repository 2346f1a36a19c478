"""Tests of the sub-goal generator: geometry, world, gradients, swamps, rivals, the wiring."""

import copy
import sys

import study_subgoal_obstacle_avoidance
import subgoal_obstacle_avoidance
from study_subgoal_obstacle_avoidance import (
    Chain,
    KnownCost,
    chain_targets,
    fit_pair,
    pair,
    price,
    search,
    unprice,
)
from subgoal_obstacle_avoidance import (
    ONE,
    ONE_ENDS,
    QUICK,
    SEVERAL,
    SEVERAL_ENDS,
    Adam,
    Arenas,
    Config,
    Evaluator,
    Generator,
    Legs,
    Net,
    RecurrentGenerator,
    SetNet,
    StaticGenerator,
    Swamps,
    choose,
    detours,
    fit_detour,
    iterations,
    learn_costs,
    learn_to_place,
    learn_to_walk,
    main,
    plan,
    run,
    test as run_test,
    walk,
    walk_legs,
)
import numpy as np
import pytest

run_test.__test__ = False  # it is a part of the experiment, not a test


def silent(fraction, message):
    """Show nothing."""


def double(net):
    """Return a SetNet whose weights have double precision."""
    for part in (net.encoder, net.head):
        part.weights[:] = [w.astype(float) for w in part.weights]
    net.weights = [*net.encoder.weights, *net.head.weights]
    return net


def slopes(function, arrays, step=1e-5):
    """Return the central differences of a function by each number of the arrays."""
    results = []
    for array in arrays:
        slope = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            high = function()
            array[index] = kept - step
            slope[index] = (high - function()) / (2 * step)
            array[index] = kept
        results.append(slope)
    return results


def same(gradients, expected, limit=1e-6):
    """Assert that lists of gradients agree."""
    assert len(gradients) == len(expected)
    for g, e in zip(gradients, expected):
        np.testing.assert_allclose(g, e, rtol=0, atol=limit)


def arenas_of(count, seed=0, obstacles=4):
    """Return arenas in double precision."""
    arenas = Arenas(count, obstacles).reset(np.random.default_rng(seed))
    for name in ("start", "goal", "centres", "radii", "position"):
        setattr(arenas, name, getattr(arenas, name).astype(float))
    return arenas


def straight(arenas):
    """Return C as it should be: a net that steps straight at its target."""

    class Straight:
        def forward(self, vector):
            return vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-9), None

    return Straight()


# ---- geometry ----
def test_a_disc_in_the_frame_of_a_leg():
    points = np.array([[1.0, 1.0], [1.0, 4.0], [5.0, 4.0]])
    legs = Legs(points, np.array([[0.0, 3.0]]))
    np.testing.assert_allclose(legs.length, [3, 4])
    np.testing.assert_allclose(legs.x[:, 0], [2, -1])  # up: two ahead; right: one behind
    np.testing.assert_allclose(legs.y[:, 0], [1, -1])  # left of the first, right of the second
    np.testing.assert_allclose(legs.gap()[:, 0], [1, np.sqrt(2)])


def test_a_leg_that_leads_nowhere_is_as_far_as_its_point():
    legs = Legs(np.array([[2.0, 3.0], [2.0, 3.0]]), np.array([[5.0, 7.0]]))
    np.testing.assert_allclose(legs.gap(), [[5.0]], rtol=1e-6)


def test_the_gradient_of_the_points_of_legs():
    rng = np.random.default_rng(0)
    points, centres = rng.uniform(0, 10, (2, 4, 2)), rng.uniform(0, 10, (2, 3, 2))
    wx, wy, wl = rng.standard_normal((2, 2, 3, 3))[0], rng.standard_normal((2, 3, 3)), 0.7

    def value():
        legs = Legs(points, centres)
        return (wx * legs.x**2).sum() + (wy * legs.y**3).sum() + wl * (legs.length**2).sum()

    legs = Legs(points, centres)
    got = legs.backward(2 * wx * legs.x, 3 * wy * legs.y**2, 2 * wl * legs.length)
    same([got / 100], [slopes(value, [points])[0] / 100])
    assert np.abs(got).min() > 1e-3  # each point of each path has a say


# ---- the world ----
def test_arenas_keep_what_they_promise():
    arenas = Arenas(700, 4).reset(np.random.default_rng(1))
    straight_line = Legs(np.stack([arenas.start, arenas.goal], 1), arenas.centres)
    assert len(arenas.start) == len(arenas.radii) == 700
    assert straight_line.length.min() >= 5 - 1e-5
    assert (straight_line.gap()[:, 0] < arenas.radii + 1e-5).any(1).all()  # blocked
    for end in (arenas.start, arenas.goal):
        assert end.min() >= 0.5 and end.max() <= 9.5
        room = np.linalg.norm(end[:, None] - arenas.centres, axis=2) - arenas.radii
        assert room.min() >= 0.4 - 1e-5
    assert 0.6 <= arenas.radii.min() < 0.61 and 1.29 < arenas.radii.max() <= 1.3
    assert 0 <= arenas.centres.min() < 0.1 and 9.9 < arenas.centres.max() <= 10
    assert len(np.unique(arenas.start[:, 0])) > 690  # none stands there twice


def test_a_step_is_cut_to_its_length_and_looks_along_the_way():
    arenas = arenas_of(2, obstacles=1)
    arenas.centres = np.array([[[1.1, 1.0]], [[1.1, 1.3]]])
    arenas.radii = np.array([[0.05], [0.2]])
    arenas.put(np.array([[1.0, 1.0], [1.0, 1.0]]))
    moved = arenas.step(np.array([[3.0, 0.0], [0.06, 0.08]]))
    np.testing.assert_allclose(moved, [[1.2, 1.0], [1.06, 1.08]])
    np.testing.assert_allclose(arenas.walked, [0.2, 0.1], rtol=1e-6)
    np.testing.assert_allclose(arenas.nearest[0], [0.0], atol=1e-12)  # between two positions
    np.testing.assert_allclose(arenas.depth(0.0), [0.05, 0.0], atol=1e-7)
    assert arenas.depth(0.15)[1] == pytest.approx(0.35 - np.hypot(0.04, 0.22))
    assert arenas.put(moved).depth(9.0).max() == 0 == arenas.walked.max()  # forgotten


def test_a_step_back_undoes_a_step():
    arenas = arenas_of(5)
    action = np.random.default_rng(2).uniform(-0.1, 0.1, (5, 2))
    arenas.step(action)
    np.testing.assert_allclose(arenas.step(-action), arenas.start)
    np.testing.assert_allclose(arenas.walked, 2 * np.linalg.norm(action, axis=1), rtol=1e-5)


def test_walk_visits_the_targets_in_turn():
    arenas = arenas_of(2)
    arenas.put(np.array([[1.0, 1.0], [1.0, 1.0]]))
    targets = np.array([[[3.0, 1.0], [3.0, 3.0]], [[1.2, 1.0], [1.4, 1.0]]])
    through, steps = walk(straight(arenas), arenas, targets)
    assert through.all()
    assert steps == 9 + 9 + 2  # 1.8 to be within 0.3 of 2 ahead; one step to each near target
    assert arenas.position[0] == pytest.approx(np.array([3.0, 3.0]), abs=0.31)
    np.testing.assert_allclose(arenas.walked, [3.6, 0.4], rtol=1e-5)


def test_a_walk_ends_after_its_last_step():
    arenas = arenas_of(1)
    arenas.put(np.array([[0.0, 0.0]]))
    through, steps = walk(straight(arenas), arenas, np.array([[[40.0, 0.0]]]))
    assert not through[0] and steps == 150 and arenas.walked[0] == pytest.approx(30, rel=1e-5)


def test_c_walks_to_any_target():
    executer = learn_to_walk(np.random.default_rng(1000))
    rng = np.random.default_rng(3)
    arenas = Arenas(300, 1).reset(rng)
    ends = rng.uniform(0, 10, (300, 2, 2)).astype(np.float32)
    arenas.put(ends[:, 0])
    through, _ = walk(executer, arenas, ends[:, 1:])
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    assert through.all() and (arenas.walked < 1.1 * length + 0.05).all()


# ---- nets ----
def test_gradients_of_a_net_and_of_a_net_over_a_set():
    rng = np.random.default_rng(4)
    net = Net(rng, (3, 5, 2), nets=(2,), dtype=float)
    x, w = rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 4, 2))
    out, trace = net.forward(x)
    dx, grads = net.backward(trace, w)
    same([dx, *grads], slopes(lambda: np.sum(net.forward(x)[0] * w), [x, *net.weights]))

    many = double(SetNet(rng, 3, 4, 2, (5,), 2))
    items, rest = rng.standard_normal((4, 3, 3)), rng.standard_normal((4, 2))
    w = rng.standard_normal((4, 2))
    out, traces = many.forward(items, rest)
    d_items, d_rest, grads = many.backward(traces, w)
    expected = slopes(
        lambda: np.sum(many.forward(items, rest)[0] * w), [items, rest, *many.weights]
    )
    same([d_items, d_rest, *grads], expected)
    np.testing.assert_allclose(many.forward(items[:, ::-1], rest)[0], out)  # a set has no order
    assert many.backward(traces, w, learn=False)[2] == []


def test_adam_takes_the_step_it_should():
    w = np.array([1.0, -2.0])
    adam = Adam([w], 0.1, 2)
    adam.step([np.array([3.0, -0.5])])
    np.testing.assert_allclose(w, [0.9, -1.9], atol=1e-6)  # the first step has the full size
    before = w.copy()
    adam.step([np.array([3.0, -0.5])])
    np.testing.assert_allclose(before - w, [0.05, -0.05], atol=1e-6)  # the second half of it
    huge = Adam([np.zeros(2)], 0.1, 2)
    huge.step([np.array([300.0, 400.0])])
    np.testing.assert_allclose(huge.mean[0], [0.3, 0.4])  # cut to a norm of 5


def test_gradients_through_the_evaluator():
    rng = np.random.default_rng(5)
    evaluator, arenas = double(Evaluator(rng)), arenas_of(2)
    points = rng.uniform(0, 10, (2, 3, 2))
    w = rng.standard_normal((2, 2))

    def value():
        return (evaluator.cost(Legs(points, arenas.centres), arenas.radii)[0] * w).sum()

    cost, trace = evaluator.cost(Legs(points, arenas.centres), arenas.radii)
    assert cost.shape == (2, 2) and cost.min() > 0
    same([evaluator.slope(trace, w)], slopes(value, [points]))
    some = [evaluator.weights[k] for k in (1, 3, 5, 6, 7)]
    grads = evaluator.backward_cost(trace, w, learn=True)[1]
    same([grads[k] for k in (1, 3, 5, 6, 7)], slopes(value, some))


def test_the_evaluator_does_not_care_where_a_leg_lies():
    evaluator, arenas = double(Evaluator(np.random.default_rng(6))), arenas_of(3)
    points = np.stack([arenas.start, arenas.goal], 1)
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    first = evaluator.cost(Legs(points, arenas.centres), arenas.radii)[0]
    moved = Legs(points @ turn + 3, arenas.centres @ turn + 3)
    np.testing.assert_allclose(evaluator.cost(moved, arenas.radii)[0], first)


def test_the_generators_gradient_flows_through_e_into_the_sub_goals():
    config = Config(hidden_s=5, candidates=2)
    evaluator = double(Evaluator(np.random.default_rng(7)))
    generator = double(Generator(np.random.default_rng(8), config))
    arenas = arenas_of(2)
    w = np.random.default_rng(9).uniform(0.1, 1, (2, 2, 3))

    def cost():
        paths, trace = generator.propose(arenas)
        legs = Legs(paths, arenas.centres[:, None])
        return (*evaluator.cost(legs, arenas.radii[:, None]), trace)

    seen, trace = cost()[1:]
    grads = generator.gradients(trace, evaluator.slope(seen, w))
    some = [1, 3, 5, 7, 8, 9]
    expected = slopes(lambda: np.sum(cost()[0] * w), [generator.weights[k] for k in some])
    same([grads[k] for k in some], expected)
    assert all(np.abs(grads[k]).max() > 1e-6 for k in some)


# ---- E and S learn ----
def test_what_e_learns_from_is_what_a_walk_costs():
    config = Config(depth_cost=7.0, inflate=0.2)
    executer = straight(None)
    legs, arenas, costs, steps = walk_legs(executer, np.random.default_rng(10), 60, config)
    assert (np.linalg.norm(legs[::2, 1] - legs[::2, 0], axis=1) <= np.sqrt(32) + 1e-5).all()
    assert legs.min() >= 0 and legs.max() <= 10 and steps > 60
    hit = 0
    for k in range(60):
        position, length = legs[k, 0].astype(float), 0.0
        near = np.full(4, np.inf)
        for _ in range(150):
            vector = legs[k, 1] - position
            moved = position + 0.2 * vector / max(np.hypot(*vector), 1e-9)
            for share in np.linspace(0, 1, 41):
                point = position + share * (moved - position)
                near = np.minimum(near, np.hypot(*(point - arenas.centres[k]).T))
            position, length = moved, length + 0.2
            if np.hypot(*(legs[k, 1] - position)) <= 0.3:
                break
        depth = np.maximum(0, arenas.radii[k] + 0.2 - near).sum()
        hit += depth > 0.1
        assert costs[k] == pytest.approx(length + 7.0 * depth, abs=0.05)
    assert 5 < hit < 55


def test_e_learns_and_s_leaves_it_alone():
    config = Config(legs=3000, updates_e=250, batch_e=128, updates_s=3, batch_s=8)
    legs, arenas, costs, _ = walk_legs(straight(None), np.random.default_rng(11), 3000, config)
    evaluator = Evaluator(np.random.default_rng(12))
    learn_costs(evaluator, legs, arenas, costs, config, np.random.default_rng(13), silent)
    predicted = evaluator.cost(Legs(legs, arenas.centres), arenas.radii)[0][:, 0]
    assert np.corrcoef(predicted, costs)[0, 1] > 0.7
    assert abs((predicted - costs).mean()) < 0.8
    kept = [w.copy() for w in evaluator.weights]
    generator = Generator(np.random.default_rng(14), config)
    before = [w.copy() for w in generator.weights]
    learn_to_place(generator, evaluator, config, np.random.default_rng(15), silent)
    assert all((w == k).all() for w, k in zip(evaluator.weights, kept))
    assert all((w != b).any() for w, b in zip(generator.weights, before))


def test_the_cheapest_list_counts_fully_and_the_others_a_tenth():
    config = Config(updates_s=1, batch_s=6)
    evaluator, seen = Evaluator(np.random.default_rng(16)), []
    original = evaluator.slope

    def spied(trace, d_cost):
        seen.append(d_cost.copy())
        return original(trace, d_cost)

    evaluator.slope = spied
    generator = Generator(np.random.default_rng(17), config)
    arenas = Arenas(6, 4).reset(np.random.default_rng(18))
    paths = generator.propose(arenas)[0]
    cost = evaluator.cost(Legs(paths, arenas.centres[:, None]), arenas.radii[:, None])[0].sum(2)
    learn_to_place(generator, evaluator, config, np.random.default_rng(18), silent)
    expected = np.full((6, 4), 0.1)
    expected[np.arange(6), cost.argmin(1)] = 1
    np.testing.assert_allclose(seen[0], np.repeat(expected[:, :, None], 3, 2) / 6, rtol=1e-5)


def test_s_sees_the_arena_and_stays_in_it():
    config = Config()
    generator = Generator(np.random.default_rng(19), config)
    arenas = arenas_of(50)
    arenas.start[0], arenas.goal[0] = (2, 2), (2, 8)
    arenas.centres[0, 0], arenas.radii[0, 0] = (1, 5), 1.2
    _, items, rest = generator.view(arenas)
    np.testing.assert_allclose(items[0, 0], [0.5, 1 / 6, 0.2])
    np.testing.assert_allclose(rest[0], [-0.6, -0.6, -0.6, 0.6, 0.2])
    generator.weights[-1] += 5 * np.random.default_rng(20).standard_normal(16).astype(np.float32)
    paths = generator.propose(arenas)[0]
    assert paths.shape == (50, 4, 4, 2) and paths.min() >= 0 and paths.max() <= 10
    assert (paths[:, :, 0] == arenas.start[:, None]).all()
    assert (paths[:, :, -1] == arenas.goal[:, None]).all()


def test_the_list_that_e_finds_cheapest_is_walked():
    generator = Generator(np.random.default_rng(21), Config())
    generator.head.weights[-2] *= 4  # so that arenas differ in what is best
    evaluator = Evaluator(np.random.default_rng(22))
    arenas = arenas_of(30)
    chosen = choose(generator, evaluator, arenas)
    paths = generator.propose(arenas)[0]
    used = set()
    for k in range(30):
        cost = [
            evaluator.cost(Legs(p[None], arenas.centres[k, None]), arenas.radii[k, None])[0].sum()
            for p in paths[k]
        ]
        used.add(int(np.argmin(cost)))
        np.testing.assert_allclose(chosen[k], paths[k, np.argmin(cost), 1:])
    assert len(used) > 1


# ---- rivals and test ----
def test_detours_that_see_no_disc():
    arenas = arenas_of(2)
    arenas.start, arenas.goal = np.array([[1.0, 5.0], [5.0, 9.0]]), np.array([[9.0, 5.0], [5.0, 1]])
    point = detours("waypoint", np.array([2.0, 3.0]), arenas)
    np.testing.assert_allclose(point, [[[2, 3], [9, 5]], [[2, 3], [5, 1]]])
    beside = detours("offset", 3.0, arenas)
    np.testing.assert_allclose(beside, [[[5, 8], [9, 5]], [[8, 5], [5, 1]]])
    assert detours("offset", 30.0, arenas).max() == 10


@pytest.mark.parametrize("kind", ["waypoint", "offset"])
def test_the_best_detour_is_found(kind):
    arenas = Arenas(60, 4).reset(np.random.default_rng(23))
    place = fit_detour(kind, arenas, Config())

    def cleared(place):
        count = 0
        for k, (middle, goal) in enumerate(detours(kind, place, arenas)):
            line = [arenas.start[k], middle, goal]
            points = np.concatenate([np.linspace(a, b, 150) for a, b in zip(line, line[1:])])
            gap = np.linalg.norm(points[:, None] - arenas.centres[k], axis=2)
            count += (gap >= arenas.radii[k]).all()
        return count

    rng = np.random.default_rng(24)
    others = rng.uniform(0, 10, (25, 2)) if kind == "waypoint" else rng.uniform(-6, 6, 25)
    assert cleared(place) >= 15
    assert cleared(place) >= max(cleared(other) for other in others) - 2  # a grid is coarse


def test_success_needs_the_goal_and_no_collision():
    arenas = arenas_of(3, obstacles=1)
    arenas.start = np.array([[1.0, 1.0]] * 3)
    arenas.goal = np.array([[5.0, 1.0], [5.0, 1.0], [90.0, 1.0]])
    arenas.centres = np.array([[[3.0, 2.0]], [[3.0, 2.0]], [[3.0, 9.0]]])
    arenas.radii = np.array([[0.95], [1.05], [1.0]])
    success, walked = run_test(straight(None), arenas, arenas.goal[:, None])
    assert success.tolist() == [True, False, False]
    np.testing.assert_allclose(walked[:2], 3.8, rtol=1e-5)


# ---- swamps ----
def test_the_cost_of_a_swamp_is_the_area_between_leg_and_cone():
    rng = np.random.default_rng(25)
    points = rng.uniform(2, 8, (6, 3, 2))
    discs = np.array([[4.0, 5.0, 2.0], [6.0, 4.0, 1.5]])
    got = Swamps().cost(Legs(points, discs[:, :2]), discs[:, 2])[0]
    for path, row in zip(points, got):
        for a, b, cost in zip(path, path[1:], row):
            share = (np.arange(20000) + 0.5) / 20000
            rho = np.linalg.norm(a + share[:, None, None] * (b - a) - discs[:, :2], axis=2)
            height = np.maximum(0, 1 - rho / discs[:, 2]).sum(1)
            assert cost == pytest.approx(height.mean() * np.hypot(*(b - a)), abs=1e-5)
    through = Legs(np.array([[0.0, 5.0], [9.0, 5.0]]), discs[:1, :2])
    assert Swamps().cost(through, discs[:1, 2])[0] == pytest.approx(2.0)  # R, by hand
    half = Legs(np.array([[4.0, 5.0], [9.0, 5.0]]), discs[:1, :2])
    assert Swamps().cost(half, discs[:1, 2])[0] == pytest.approx(1.0)


@pytest.mark.parametrize("kind", [StaticGenerator, RecurrentGenerator])
def test_gradients_of_swamps_and_of_both_generators(monkeypatch, kind):
    monkeypatch.setattr(subgoal_obstacle_avoidance, "NETS", 2)
    monkeypatch.setattr(subgoal_obstacle_avoidance, "HIDDEN", 5)
    generator = kind(np.random.default_rng(26), 3)
    assert len(generator.weights[0]) == 2

    def cost():
        subgoals, trace = generator.propose(SEVERAL_ENDS)
        ends = np.broadcast_to(SEVERAL_ENDS[:, None, None], (2, 2, 1, 2))
        legs = Legs(np.concatenate([ends[0], subgoals, ends[1]], 1), SEVERAL[:, :2])
        return (*Swamps().cost(legs, SEVERAL[:, 2]), trace)

    value, seen, trace = cost()
    grads = generator.gradients(trace, Swamps().slope(seen, np.ones_like(value))[:, 1:-1])
    same(grads, slopes(lambda: np.sum(cost()[0]), generator.weights))
    assert all(np.abs(g).max() > 1e-6 for g in grads)


def test_plan_descends_by_the_gradient_of_each_net():
    rng = np.random.default_rng(27)
    generator = StaticGenerator(rng, 1)
    before = [w.copy() for w in generator.weights]
    paths, costs = plan(generator, ONE, ONE_ENDS, 0.01)
    assert paths.shape == (201, 20, 3, 2) and costs.shape == (201, 20)
    whole = Swamps().cost(Legs(ONE_ENDS, ONE[:, :2]), ONE[:, 2])[0].sum()
    first = Swamps().cost(Legs(paths[0], ONE[:, :2]), ONE[:, 2])[0].sum(1)
    np.testing.assert_allclose(costs[0], first / whole)
    assert (costs[-1] < costs[0]).all() and len(np.unique(costs[0])) == 20
    assert all((w != b).any() for w, b in zip(generator.weights, before))
    assert (paths[:, :, 0] == ONE_ENDS[0]).all() and (paths[:, :, -1] == ONE_ENDS[1]).all()


def test_the_hidden_state_reaches_the_next_sub_goal():
    generator = RecurrentGenerator(np.random.default_rng(28), 2)
    first = generator.propose(ONE_ENDS)[0]
    generator.cell.weights[0][:, 4:] += 1  # from the hidden units alone
    second = generator.propose(ONE_ENDS)[0]
    assert (first[:, 0] == second[:, 0]).all() and (first[:, 1] != second[:, 1]).all()


def test_iterations_count_steps_to_the_first_satisfied_path():
    costs = np.ones((10, 4))
    costs[3:, 0], costs[5:, 1], costs[0, 2] = 0.04, 0.04, 0.01
    assert iterations(costs) == 4.0  # the median of 3, 5, 0 and never
    costs[:, 1] = 0.05
    costs[:, 0] = 1
    assert iterations(costs) is None


def test_swamps_lie_between_start_and_goal():
    assert len(SEVERAL) == 5 and ((SEVERAL[:, 2] >= 0.9) & (SEVERAL[:, 2] <= 1.6)).all()
    for swamps, ends in ((ONE, ONE_ENDS), (SEVERAL, SEVERAL_ENDS)):
        room = np.linalg.norm(ends[:, None] - swamps[:, :2], axis=2) - swamps[:, 2]
        assert room.min() > 0.5
        assert Swamps().cost(Legs(ends, swamps[:, :2]), swamps[:, 2])[0].sum() > 0.5


# ---- the wiring of run() ----
CONFIG = Config(**QUICK | {"updates_e": 5, "updates_s": 3, "legs": 200})


@pytest.fixture(scope="module")
def wired():
    """One run with spies: arenas drawn, the next number of each generator, who was tested."""
    module = subgoal_obstacle_avoidance
    calls = {name: [] for name in ("drawn", "shown", "plans", "tested")} | {"starts": {}}
    original_reset, original_test = Arenas.reset, module.test
    original_choose, original_plan = module.choose, module.plan

    def note(name, rng):
        calls["starts"].setdefault(name, []).append(copy.deepcopy(rng).random())

    def reset(self, rng):
        note("reset", rng)
        result = original_reset(self, rng)
        calls["drawn"].append((sys._getframe(1).f_code.co_name, self.start, self.centres))
        return result

    def spied_test(executer, arenas, targets):
        walked = original_test(executer, arenas, targets)[1]
        success = np.arange(40) % (2 + len(calls["tested"])) == 0  # another share each time
        calls["tested"].append((arenas, targets, (success, walked)))
        return success, walked

    def spied_choose(generator, evaluator, arenas):
        calls["shown"].append(arenas)
        return original_choose(generator, evaluator, arenas)

    def spied_plan(generator, swamps, ends, rate):
        calls["plans"].append((generator, swamps, rate))
        result = original_plan(generator, swamps, ends, rate)
        calls["plans"][-1] += (result,)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arenas, "reset", reset)
        for name in ("learn_to_walk", "walk_legs", "learn_costs", "Evaluator", "Generator"):
            original = getattr(module, name)

            def spied(*arguments, original=original, name=name):
                note(name, next(a for a in arguments if isinstance(a, np.random.Generator)))
                return original(*arguments)

            patch.setattr(module, name, spied)
        patch.setattr(module, "test", spied_test)
        patch.setattr(module, "choose", spied_choose)
        patch.setattr(module, "plan", spied_plan)
        patch.setattr(module, "TEST", 40)
        calls["metrics"] = run(CONFIG, 1000, silent)
    return calls


def test_no_tested_arena_was_trained_on_or_fitted_to(wired):
    tested = {tuple(s) for arenas, _, _ in wired["tested"] for s in arenas.start}
    trained = {tuple(s) for by, starts, _ in wired["drawn"] if by != "run" for s in starts}
    fits = [starts for by, starts, _ in wired["drawn"] if by == "run" and len(starts) == 100]
    assert len(tested) == 40 and len(fits) == 1 and len(trained) > 300
    assert not tested & trained and not tested & {tuple(s) for s in fits[0]}
    assert len(wired["drawn"]) == 3 + 2 + 2  # S's three batches, E's legs twice, test and fit


def test_no_two_streams_start_alike(wired):
    starts = wired["starts"]
    names = ("learn_to_walk", "Evaluator", "Generator")
    apart = [*starts["walk_legs"], *(starts[name][0] for name in names)]
    assert len(set(apart)) == len(apart) == 5
    assert len(set(starts["reset"])) == len(starts["reset"])
    weights = [generator.weights[0].ravel()[:5] for generator, *_ in wired["plans"]]
    assert not np.allclose(weights[0], weights[1])


def test_all_methods_meet_the_same_arenas(wired):
    metrics, tested = wired["metrics"], wired["tested"]
    assert len(tested) == 4 and all(arenas is tested[0][0] for arenas, _, _ in tested)
    learned, blind, waypoint, offset = [result[0].mean() for _, _, result in tested]
    assert learned > blind > waypoint > offset
    assert metrics["success"] == learned and metrics["swapped"]["success"] == blind
    assert metrics["waypoint"]["success"] == waypoint and metrics["offset"]["success"] == offset
    assert metrics["detour_lead"] == pytest.approx(learned - waypoint)
    assert len(np.unique(tested[2][1][:, 0], axis=0)) == 1  # one point for all arenas
    assert len(np.unique(tested[3][1][:, 0], axis=0)) == 40  # beside the middle of each


def test_the_rivals_are_fitted_to_ten_times_as_many_arenas_as_are_tested():
    assert Config().arenas_fit == 10 * subgoal_obstacle_avoidance.TEST == 10_000


def test_s_is_shown_its_own_arena_and_once_another(wired):
    own, other = wired["shown"]
    assert own is wired["tested"][0][0]
    assert (other.start == own.start).all() and (other.goal == own.goal).all()
    assert (other.centres[1:] == own.centres[:-1]).all() and (other.centres != own.centres).any()
    assert (other.radii[1:] == own.radii[:-1]).all()


def test_ratio_and_iterations_are_those_measured(wired):
    metrics = wired["metrics"]
    arenas, _, (success, walked) = wired["tested"][0]
    ratio = walked / np.linalg.norm(arenas.goal - arenas.start, axis=1)
    assert metrics["path"]["all"] == pytest.approx(ratio.mean())
    assert metrics["path"]["cleared"] == pytest.approx(ratio[success].mean())
    (g1, s1, r1, (_, c1)), (g2, s2, r2, (_, c2)) = wired["plans"]
    assert isinstance(g1, RecurrentGenerator) and isinstance(g2, StaticGenerator)
    assert s1 is ONE and s2 is SEVERAL and (r1, r2) == (CONFIG.rate_one, CONFIG.rate_several)
    assert metrics["iterations_one"] == iterations(c1) > 1
    assert metrics["iterations_several"] == iterations(c2) > 1
    assert metrics["legs"]["steps_per_second"] > 0


# ---- the study ----
def test_the_closed_form_costs_what_a_straight_walk_costs():
    config = Config()
    known, rng = KnownCost(config), np.random.default_rng(30)
    arenas = arenas_of(40)
    points = rng.uniform(0, 10, (40, 2, 2))
    arenas.put(points[:, 0])
    walk(straight(None), arenas, points[:, 1:])
    measured = arenas.walked + 10 * arenas.depth(0.3)
    cost = known.cost(Legs(points, arenas.centres), arenas.radii)[0][:, 0]
    gap = cost - measured  # a walk may end 0.3 before its target
    assert np.median(gap) == pytest.approx(0.2, abs=0.11) and gap.min() > -0.11
    w = rng.standard_normal((40, 1))

    def value():
        return np.sum(known.cost(Legs(points, arenas.centres), arenas.radii)[0] * w)

    trace = known.cost(Legs(points, arenas.centres), arenas.radii)[1]
    same([known.slope(trace, w)], slopes(value, [points], 1e-6), 1e-5)


def test_gradients_of_the_recurrent_generator_of_the_study():
    config = study_subgoal_obstacle_avoidance.Config(hidden_s=4)
    chain = Chain(np.random.default_rng(31), config)
    for part in (chain.encoder, chain.cell, chain.readout):
        part.weights[:] = [w.astype(float) for w in part.weights]
    chain.weights = [*chain.encoder.weights, *chain.cell.weights, *chain.readout.weights]
    evaluator, arenas = double(Evaluator(np.random.default_rng(32))), arenas_of(2)
    w = np.random.default_rng(33).uniform(0.1, 1, (2, 3))

    def value():
        return np.sum(price(evaluator, chain.emit(arenas)[0], arenas)[0] * w)

    points, trace = chain.emit(arenas)
    cost, seen = price(evaluator, points, arenas)
    for k in range(3):  # the costs are those of whole paths
        path = np.concatenate([points[:, : k + 2], arenas.goal[:, None]], 1)
        whole = evaluator.cost(Legs(path, arenas.centres), arenas.radii)[0].sum(1)
        np.testing.assert_allclose(cost[:, k], whole)
    grads = chain.gradients(trace, unprice(evaluator, seen, w))
    some = [1, 3, 5, 6, 7]
    expected = slopes(value, [chain.weights[k] for k in some])
    same([grads[k] for k in some], expected)
    targets, count = chain_targets(chain, evaluator, arenas)
    for k in range(2):
        np.testing.assert_allclose(targets[k, : count[k]], points[k, 1 : count[k] + 1])
        np.testing.assert_allclose(targets[k, count[k] :] - arenas.goal[k], 0)


def test_the_search_finds_what_the_closed_form_finds_cheap():
    config = study_subgoal_obstacle_avoidance.Config(search_steps=40)
    arenas, known = Arenas(50, 4).reset(np.random.default_rng(34)), KnownCost(Config())
    targets = search(known, arenas, config)
    assert run_test(straight(None), arenas, targets)[0].mean() > 0.9
    blind = run_test(straight(None), arenas, pair(*fit_pair(arenas), arenas))[0].mean()
    assert 0.4 < blind < 0.9


def test_the_study_meets_the_same_arenas_in_all_rows_but_one(monkeypatch):
    module, met = study_subgoal_obstacle_avoidance, []
    monkeypatch.setattr(module, "TEST", 20)
    original = module.outcome

    def spied(executer, arenas, targets):
        met.append(arenas)
        return original(executer, arenas, targets)

    monkeypatch.setattr(module, "outcome", spied)
    small = module.QUICK | {"updates_s": 2, "updates_e": 5, "legs": 200, "arenas_fit": 20}
    table = module.run(module.Config(**small), 1000, silent)
    assert len(met) == len(table) == 9
    assert len({id(arenas) for arenas in met}) == 2
    assert met[1].obstacles == 6 and all(met[0] is arenas for arenas in [*met[2:]])


def test_bad_settings_are_refused(capsys):
    for flag in (["--obstacles", "0"], ["--inflate", "-1"], ["--candidates", "1000"]):
        with pytest.raises(SystemExit) as stop:
            main(subgoal_obstacle_avoidance, flag)
        assert stop.value.code == 2 and flag[0] in capsys.readouterr().err
