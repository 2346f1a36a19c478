from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import saccadic_target_detection as experiment
import study_saccadic_target_detection as study
from saccadic_target_detection import CENTRES, CORNERS, SIZES, Adam, CentroidRule, Config, Net
from saccadic_target_detection import Scene, fly, measure, misses, run, through_time, train_model

TINY = Config(samples=2, moves=3, examples=50, passes=1, trajectories=40, batch=16)


def silent(fraction, message):
    """Show no progress."""


def double(rng, inputs, hidden, outputs):
    """Return a net in double precision with weights that are not small."""
    net = Net(rng, inputs, hidden, outputs)
    net.theta = rng.uniform(-1, 1, net.theta.size)
    return net


def numerical(loss, theta, step=1e-5):
    """Return central differences of a loss by the weights, which are changed in place."""
    slope = np.empty_like(theta)
    for i, kept in enumerate(theta.copy()):
        theta[i] = kept + step
        above = loss()
        theta[i] = kept - step
        slope[i] = (above - loss()) / (2 * step)
        theta[i] = kept
    return slope


def assert_same_gradient(exact, estimate):
    assert np.abs(estimate).max() > 1e-3
    assert np.abs(exact - estimate).max() <= 1e-6 * max(1, np.abs(estimate).max())


# ---- gradients ----
def test_gradient_of_a_net_by_its_weights_and_by_its_input():
    rng = np.random.default_rng(0)
    net = double(rng, 5, 4, 3)
    x, target = rng.random((6, 5)), rng.random((6, 3))

    def loss():
        return 0.5 * ((net.forward(x)[1] - target) ** 2).sum()

    h, y = net.forward(x)
    dz_h, dz_y, dx = net.backward(h, y, y - target)
    assert_same_gradient(net.gradient(x, h, dz_h, dz_y), numerical(loss, net.theta))
    assert_same_gradient(dx.ravel(), numerical(loss, x.reshape(-1)))


class Dream:
    """A world that behaves as M says, so that the gradient through M is exact in it."""

    def __init__(self, model):
        self.model = model

    def place(self, x):
        self.x = x
        return x

    def step(self, c):
        return self.place(self.model.forward(np.concatenate([self.x, c], axis=1))[1])


@pytest.fixture
def dream():
    """A dream of 3 inputs and 2 outputs, a controller, starts and a desired input."""
    rng = np.random.default_rng(1)
    model, controller = double(rng, 5, 4, 3), double(rng, 3, 4, 2)
    return Dream(model), controller, rng.random((6, 3)), rng.random((1, 3))


def test_gradient_through_all_moves(dream):
    world, controller, start, desired = dream

    def loss():
        xs, _, _ = fly(controller, world, world.place(start), 4)
        return 0.5 * ((xs[-1] - desired) ** 2).sum(1).mean()

    trajectory = fly(controller, world, world.place(start), 4)
    exact = through_time(controller, world.model, trajectory, desired, 4)
    assert_same_gradient(30 * exact, 30 * numerical(loss, controller.theta))


@pytest.mark.parametrize("credited", [1, 2])
def test_gradient_through_the_last_moves_only(dream, credited):
    world, controller, start, desired = dream
    trajectory = fly(controller, world, world.place(start), 4)
    before = trajectory[0][4 - credited]

    def loss():
        xs, _, _ = fly(controller, world, world.place(before), credited)
        return 0.5 * ((xs[-1] - desired) ** 2).sum(1).mean()

    exact = through_time(controller, world.model, trajectory, desired, credited)
    assert_same_gradient(30 * exact, 30 * numerical(loss, controller.theta))


def test_gradient_through_the_scene_itself(monkeypatch):
    """The scene is a smooth one here, so that its derivatives exist."""
    rng = np.random.default_rng(2)
    waves = rng.normal(0, 0.02, (3, 40)) * np.array([[1], [1], [40]])
    monkeypatch.setattr(Scene, "look", lambda self, pose: 0.5 + 0.5 * np.sin(pose @ waves))
    fine = 1e-4 * np.ones(3)
    slopes = study.slopes

    def doubled(scene, pose):
        return 1.0 * slopes(scene, pose, fine)

    monkeypatch.setattr(study, "slopes", doubled)
    monkeypatch.setattr(np, "float32", np.float64)
    scene = study.WatchedScene(TINY, turning=True)
    controller = double(rng, 40, 5, 6)
    controller.theta *= 0.3
    starts = rng.normal(0, [20, 20, 0.5], (4, 3))

    def flight():
        x = scene.place(starts)
        scene.poses = [starts]
        return fly(controller, scene, x, 3)

    def loss():
        return 0.5 * ((flight()[0][-1] - scene.desired) ** 2).sum(1).mean()

    exact = study.through_scene(controller, scene, flight(), scene.desired, 3)
    assert_same_gradient(exact, numerical(loss, controller.theta))


def test_adam_by_hand():
    net = Net(np.random.default_rng(0), 1, 1, 1)
    net.theta = np.zeros(2)
    rule = Adam(net, 0.1)
    rule.descend(np.array([2.0, 0.0]))
    np.testing.assert_allclose(net.theta, [-0.1, 0])  # the first step has the length of the rate
    rule.descend(np.array([-1.0, 0.0]))
    mean, square = (0.9 * 0.2 - 0.1) / 0.19, (0.999 * 0.004 + 0.001) / (1 - 0.999**2)
    np.testing.assert_allclose(net.theta, [-0.1 - 0.1 * mean / np.sqrt(square), 0], rtol=1e-6)


# ---- the scene ----
def covered(pose, samples):
    """Return the inputs (40,) at a pose by the book: count the sample points in the triangle."""
    x, y, heading = pose
    golden = np.pi * (3 - np.sqrt(5))
    seen = np.zeros(40)
    for f in range(40):
        for k in range(samples):
            radius = SIZES[f] * np.sqrt((k + 0.5) / samples)
            point = CENTRES[f] + radius * np.exp(1j * golden * (k + 0.5))
            at = complex(x, y) + point * np.exp(1j * heading)
            corners = CORNERS @ [1, 1j]
            sides = np.roll(corners, -1) - corners
            left = [(np.conj(side) * (at - corner)).imag for side, corner in zip(sides, corners)]
            seen[f] += min(left) >= 0 or max(left) <= 0
    return seen / samples


def test_the_fovea_sees_what_a_literal_count_sees():
    scene = Scene(Config(samples=5), turning=True)
    poses = np.random.default_rng(3).normal(0, [30, 30, 1.0], (12, 3))
    x = scene.look(poses)
    assert x.shape == (12, 40) and x.dtype == np.float32
    np.testing.assert_allclose(x, [covered(pose, 5) for pose in poses], atol=1e-6)
    np.testing.assert_array_equal(scene.desired, scene.look(np.zeros((1, 3))))
    assert not scene.look(np.array([[150.0, 0, 0]])).any()


def test_receptive_fields_lie_as_they_should():
    assert np.unique(np.abs(CENTRES).round(6)).tolist() == [8, 20, 34, 50]
    assert sorted(set(SIZES)) == [4, 8, 12, 16]
    turns = np.degrees(np.angle(CENTRES)).round(6) % 360
    assert turns[[0, 10, 20, 30]].tolist() == [0, 18, 0, 18]
    np.testing.assert_allclose(np.diff(turns[:10]), 36)
    assert Scene(Config(), turning=False).desired[0, :10].tolist() == [1] * 10


def test_a_turned_fovea_sees_its_own_picture_turned_by_one_field():
    """In the middle of a wide triangle only its far sides would tell; here the fields do."""
    scene = Scene(Config(samples=400), turning=True)
    x = scene.look(np.array([[3.0, -5.0, 0.2], [3.0, -5.0, 0.2 + 2 * np.pi / 10]]))
    rings = x.reshape(2, 4, 10)
    np.testing.assert_allclose(rings[1], np.roll(rings[0], -1, axis=1), atol=0.03)


def test_steps_by_hand():
    scene = Scene(Config(), turning=True)
    scene.place(np.array([[1.0, 2.0, np.pi / 2], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    up_and_turn, right = [1, 0, 0, 0, 0.5, 0.2], [0.1, 0.4, 0.25, 0.75, 0, 1]
    x = scene.step(np.array([up_and_turn, right, [0.5] * 6]))
    turn = np.radians(50)
    expected = [[-19, 2, np.pi / 2 + 0.3 * turn], [10, -6, -turn], [0, 0, 0]]
    np.testing.assert_allclose(scene.pose, expected, atol=1e-12)
    np.testing.assert_array_equal(x, scene.look(scene.pose))
    assert Scene(Config(), turning=False).outputs == 4


def test_moving_back_undoes_a_move():
    scene = Scene(Config(), turning=True)
    pose = np.random.default_rng(4).normal(0, 1, (5, 3))
    c = np.random.default_rng(5).random((5, 6))
    c[:, 4:] = 0.5
    scene.place(pose)
    scene.step(c)
    scene.step(1 - c)
    np.testing.assert_allclose(scene.pose, pose, atol=1e-12)


def test_starts_fill_the_disc_and_see_the_object():
    rng = np.random.default_rng(6)
    pose = Scene(Config(samples=4), turning=True).draw(rng, 4000)
    square = (pose[:, :2] ** 2).sum(1)
    assert square.max() <= 70**2 and abs(square.mean() / (70**2 / 2) - 1) < 0.05
    assert np.abs(pose[:, :2].mean(0)).max() < 3
    degrees = np.degrees(pose[:, 2])
    assert 58 < degrees.max() <= 60 and -60 <= degrees.min() < -58
    far = Scene(Config(samples=4, start_radius=300.0), turning=False)
    assert far.reset(rng, 200).any(1).all() and not far.pose[:, 2].any()
    assert np.hypot(*far.pose[:, :2].T).max() > 75


def test_the_error_has_one_minimum_among_the_start_angles_and_others_beyond():
    scene = Scene(Config(samples=64), turning=True)
    side = np.arange(-40, 41, 10)
    grid = np.array([(x, y, 0) for x in side for y in side], float)  # (81, 3)
    least = []
    for degrees in range(-180, 180, 20):
        x = scene.look(grid + [0, 0, np.radians(degrees)])
        least.append(((x - scene.desired) ** 2).sum(1).min())
    assert np.diff(least[6:10]).max() < 0 < np.diff(least[9:13]).min()  # from -60 to 60 degrees
    assert least[9] == 0 < min(least[3], least[15]) < 0.5 * min(least[6], least[12])


# ---- rivals and measures ----
def test_the_centroid_rule_by_hand():
    rule = CentroidRule(Scene(Config(), turning=True))
    x = np.zeros((3, 40))
    x[0, 35], x[1, [0, 5]] = 1, 1  # a field of the last ring at 198 degrees; a balanced pair
    centroid = rule.centroid(x)
    np.testing.assert_allclose(centroid, [50 * np.exp(1j * np.radians(198)), 0, 0], atol=1e-9)
    _, c = rule.forward(x)
    assert c.shape == (3, 6) and not c[:, 4:].any() and c.min() >= 0 and c.max() <= 1
    move = (c @ Scene(Config(), turning=True).effects)[1]
    np.testing.assert_allclose(move, [-rule.on_target.real[0], -rule.on_target.imag[0], 0])
    assert c[0, 2] == 1 and c[0, 3] == 0  # the longest move to the left


def test_the_rule_finds_the_target_without_rotation():
    scene = Scene(Config(), turning=False)
    starts = scene.draw(np.random.default_rng(7), 100)
    assert measure(CentroidRule(scene), scene, starts, 10)["success"] == 1


class Script:
    """A controller that always puts out the same."""

    def __init__(self, *c):
        self.c = np.array(c)

    def forward(self, x):
        return None, np.tile(self.c, (len(x), 1))


def test_success_needs_both_distance_and_angle():
    starts = np.zeros((6, 3))
    starts[:, 0] = [0, 7.9, 8.1, 0, 0, 3]
    starts[:, 2] = np.radians([0, 14.9, 0, 15.1, -14.9, 180])
    scene = Scene(Config(samples=1), turning=True)
    row = measure(Script(*[0.5] * 6), scene, starts, 2)
    assert row["success"] == row["success_twice_as_long"] == pytest.approx(3 / 6)
    assert row["median_distance"] == pytest.approx(1.5)
    assert row["median_angle"] == pytest.approx(14.9)
    assert row["wrong_way_round"] == pytest.approx(1 / 6)
    starts[:, 0] = [4.9, -4.9, 5.1, 0, 0, 8]
    scene = Scene(Config(samples=1), turning=False)
    starts[:, 2] = 0
    assert measure(Script(*[0.5] * 4), scene, starts, 2)["success"] == pytest.approx(4 / 6)


def test_the_longer_flight_has_twice_the_moves():
    scene = Scene(Config(samples=1), turning=False)
    starts = np.array([[0.0, -6, 0], [0, -12, 0]])  # three moves of 2 px up, or six
    row = measure(Script(0.1, 0, 0, 0), scene, starts, 3)
    assert row == {
        "success_twice_as_long": 0.5,
        "success": 0.5,
        "wrong_way_round": 0,
        "median_distance": pytest.approx(3),
        "median_angle": 0,
    }
    row = measure(Script(0.1, 0, 0, 0), scene, starts[1:], 3)
    assert row["success"] == 0 and row["success_twice_as_long"] == 1


def test_angles_are_taken_round_the_circle():
    scene = Scene(Config(samples=1), turning=True)
    scene.place(np.array([[3.0, 4, 2 * np.pi], [0, 0, -np.pi / 2], [0, 0, 7 * np.pi / 4]]))
    distance, angle = misses(scene)
    assert distance.tolist() == [5, 0, 0]
    np.testing.assert_allclose(angle, [0, 90, 45], atol=1e-9)


class Parrot:
    """A model that predicts no change, times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return None, self.factor * x[:, :40]


def test_unexplained_is_one_without_any_change():
    scene = Scene(Config(samples=4), turning=True)
    assert experiment.unexplained(Parrot(1), scene, np.random.default_rng(8)) == pytest.approx(1)
    x_c, target = experiment.random_moves(scene, np.random.default_rng(8), 1000)
    ratio = (target**2).sum() / ((target - x_c[:, :40]) ** 2).sum()
    nothing = experiment.unexplained(Parrot(0), scene, np.random.default_rng(8))
    assert nothing == pytest.approx(ratio)


def test_random_moves_are_uniform_and_true():
    scene = Scene(Config(samples=4), turning=True)
    x_c, target = experiment.random_moves(scene, np.random.default_rng(9), 2000)
    c = x_c[:, 40:]
    assert c.shape == (2000, 6) and c.min() >= 0 and c.max() <= 1
    assert abs(c.mean() - 0.5) < 0.02 and abs(c.std() - 12**-0.5) < 0.01
    start = scene.draw(np.random.default_rng(9), 2000)
    np.testing.assert_array_equal(scene.place(start), x_c[:, :40])
    np.testing.assert_array_equal(scene.step(c), target)


# ---- learning ----
def test_m_learns_from_every_example_once_in_a_pass(monkeypatch):
    seen = []

    class Spy(Adam):
        def descend(self, gradient):
            seen.append(gradient)
            super().descend(gradient)

    batches = []
    forward = Net.forward
    monkeypatch.setattr(Net, "forward", lambda net, x: (batches.append(x), forward(net, x))[1])
    scene = Scene(TINY, turning=True)
    model = Net(np.random.default_rng(0), 46, 40, 40)
    train_model(model, scene, np.random.default_rng(1), replace(TINY, passes=2), silent, Spy)
    assert [len(batch) for batch in batches] == [16, 16, 16, 2] * 2 and len(seen) == 8
    first, second = np.concatenate(batches[:4]), np.concatenate(batches[4:])
    assert len(np.unique(first, axis=0)) == 50 and not np.array_equal(first, second)
    np.testing.assert_array_equal(np.unique(first, axis=0), np.unique(second, axis=0))


def test_m_learns_what_moves_do():
    config = Config(samples=4, examples=4000, passes=15)
    scene = Scene(config, turning=False)
    model = Net(np.random.default_rng(0), 44, 40, 40)
    before = experiment.unexplained(model, scene, np.random.default_rng(2))
    train_model(model, scene, np.random.default_rng(1), config, silent)
    assert experiment.unexplained(model, scene, np.random.default_rng(2)) < 0.8 < 1 < before


# ---- the wiring of a run ----
@pytest.fixture
def spied(monkeypatch):
    """What a run draws, trains and tests, in its order."""
    seen = {"draws": [], "trained": [], "measured": [], "models": [], "questions": []}
    draw, train, rate = Scene.draw, experiment.train_controller, experiment.measure
    learn, ask = experiment.train_model, experiment.unexplained

    def draws(scene, rng, count):
        state = str(rng.bit_generator.state["state"])
        pose = draw(scene, rng, count)
        seen["draws"].append((rng, state, scene, pose))  # kept, so that no id comes twice
        return pose

    def trains(controller, model, scene, rng, config, progress, *more, **how):
        before = controller.theta.copy()
        train(controller, model, scene, rng, config, progress, *more, **how)
        after = deepcopy(model.theta) if hasattr(model, "theta") else None
        seen["trained"].append((controller, before, model, after, rng, how, config))

    def rates(controller, scene, starts, moves):
        row = rate(controller, scene, starts, moves)
        seen["measured"].append((controller, scene, starts, moves, row))
        return row

    def learns(model, scene, rng, config, progress, rule=Adam):
        learn(model, scene, rng, config, progress, rule)
        seen["models"].append((model, rng, config, rule))

    def asks(model, scene, rng):
        share = ask(model, scene, rng)
        seen["questions"].append((model, rng, share))
        return share

    monkeypatch.setattr(Scene, "draw", draws)
    spies = {"train_controller": trains, "measure": rates, "unexplained": asks}
    for name, spy in spies.items():
        monkeypatch.setattr(experiment, name, spy)
        monkeypatch.setattr(study, name, spy)
    monkeypatch.setattr(experiment, "train_model", learns)
    return seen


def first_states(seen):
    """Return the state in which each generator drew for the first time."""
    states = {}
    for rng, state, _, _ in seen["draws"]:
        states.setdefault(id(rng), state)
    return list(states.values())


def test_no_tested_start_was_trained_on_and_no_streams_start_alike(spied):
    run(TINY, 0, silent)
    tested = [starts for _, _, starts, _, _ in spied["measured"]]
    assert [len(starts) for starts in tested] == [1000] * 6
    keys = {id(starts) for starts in tested}
    assert len(keys) == 2  # one set of starts for each task, the same for C and its rivals
    trained = {tuple(row) for *_, pose in spied["draws"] if id(pose) not in keys for row in pose}
    assert not trained & {tuple(row) for starts in tested for row in starts}
    states = first_states(spied)
    assert len(states) == len(set(states)) == 10  # of each task: M, C, its rival, starts, questions
    thetas = [spied["trained"][0][1], spied["trained"][2][1]]
    assert thetas[0][0] != thetas[1][0]


def test_the_rival_has_the_same_start_the_same_model_and_as_many_flights(spied):
    run(TINY, 0, silent)
    for mine, rival in (spied["trained"][:2], spied["trained"][2:]):
        assert mine[0] is not rival[0] and mine[2] is rival[2] and mine[4] is not rival[4]
        np.testing.assert_array_equal(mine[1], rival[1])  # C as it was at the start
        np.testing.assert_array_equal(mine[3], rival[3])  # M does not change
        assert not np.array_equal(mine[1], mine[0].theta)
        assert not np.array_equal(mine[0].theta, rival[0].theta)
        assert mine[5] == {} and rival[5] == {"credited": 1}
    counts = {}
    for rng, _, _, pose in spied["draws"]:
        counts[id(rng)] = counts.get(id(rng), 0) + len(pose)
    assert [counts[id(item[4])] for item in spied["trained"]] == [40] * 4
    for item in spied["trained"]:
        assert np.abs(item[1]).max() <= 0.1 and np.abs(item[1]).max() > 0.09


def test_the_report_is_of_what_was_measured(spied):
    table = run(TINY, 0, silent)
    c, _, rule, turning, last, still = (item[4] for item in spied["measured"])
    kinds = [type(item[0]) for item in spied["measured"]]
    assert kinds == [Net, Net, CentroidRule] * 2
    assert [item[1].outputs for item in spied["measured"]] == [4] * 3 + [6] * 3
    assert {item[3] for item in spied["measured"]} == {3}
    for place, item in zip((0, 1, 3, 4), spied["trained"]):
        assert spied["measured"][place][0] is item[0]
    assert table["rotation_success"] == turning["success"]
    assert table["translation_success"] == c["success"]
    assert table["credit_lead"] == turning["success"] - last["success"]
    assert table["rule_lead"] == c["success"] - rule["success"]
    assert table["last_move"] == last
    assert table["rule"] == {"success": rule["success"], "rotation_success": still["success"]}
    shares = [share for _, _, share in spied["questions"]]
    assert table["translation"]["unexplained"] == shares[0] != shares[1]
    assert table["rotation"]["unexplained"] == shares[1]
    assert [model for model, *_ in spied["questions"]] == [m for m, *_ in spied["models"]]
    assert table["rotation"]["steps_per_second"] > 0


def test_leads_keep_their_signs(monkeypatch):
    rows = [{"success": s, "median_distance": 1, "unexplained": 2} for s in (0.9, 0.8, 0.6)]
    more = [{"success": s, "median_distance": 1, "unexplained": 2} for s in (0.7, 0.4, 0.1)]
    both = iter([rows, more])
    monkeypatch.setattr(experiment, "learn", lambda *_: next(both))
    table = run(TINY, 0, silent)
    assert table["credit_lead"] == pytest.approx(0.3) and table["rule_lead"] == pytest.approx(0.3)
    assert table["rule"] == {"success": 0.6, "rotation_success": 0.1}


def test_the_controller_sees_nothing_but_the_inputs(monkeypatch):
    """A controller gets 40 inputs, and the same ones wherever the scene looks the same."""
    shapes = set()
    forward = Net.forward
    monkeypatch.setattr(Net, "forward", lambda net, x: (shapes.add(x.shape[1]), forward(net, x))[1])
    scene = Scene(TINY, turning=True)
    controller = Net(np.random.default_rng(0), 40, 20, 6)
    far = np.array([[500.0, 0, 0], [0, -700.0, 1.0]])
    _, _, cs = fly(controller, scene, scene.place(far), 2)
    assert shapes == {40}
    np.testing.assert_array_equal(cs[0][0], cs[0][1])


def test_a_run_is_its_seed():
    first, again, other = (run(TINY, seed, silent) for seed in (3, 3, 4))
    for table in (first, again, other):
        del table["rotation"]["steps_per_second"]
    assert first == again and first != other


def test_bad_settings_are_refused():
    for wrong in ({"batch": 51}, {"batch": 41, "examples": 100}):
        with pytest.raises(ValueError, match="--batch"):
            replace(TINY, **wrong)


# ---- the study ----
SMALL = study.Config(samples=2, moves=2, examples=40, passes=1, trajectories=32, batch=16)
SMALL = replace(SMALL, paper_examples=5, paper_trajectories=4, angles=(30.0,), tracked=25)


def test_slopes_are_those_of_the_scene():
    scene = study.WatchedScene(Config(samples=8), turning=True)
    pose = np.array([[10.0, -4.0, 0.3], [0.0, 20.0, -0.2]])
    slope = study.slopes(scene, pose)
    assert slope.shape == (2, 3, 40)
    up = np.array([0, 3.0, 0])
    expected = (scene.look(pose + up) - scene.look(pose - up)) / 6
    np.testing.assert_allclose(slope[:, 1], expected, rtol=1e-5)
    turn = np.array([0, 0, np.radians(3)])
    expected = (scene.look(pose + turn) - scene.look(pose - turn)) / np.radians(6)
    np.testing.assert_allclose(slope[:, 2], expected, rtol=1e-5)


def test_watched_poses_are_those_of_the_trajectory():
    scene = study.WatchedScene(TINY, turning=True)
    controller = Net(np.random.default_rng(0), 40, 20, 6)
    for _ in range(2):  # a new start forgets the trajectory before
        xs, _, _ = fly(controller, scene, scene.reset(np.random.default_rng(1), 5), 3)
    assert len(scene.poses) == 4
    for x, pose in zip(xs, scene.poses):
        np.testing.assert_array_equal(x, scene.look(pose))


def test_the_paper_changes_weights_after_each_example(spied):
    study.as_in_the_paper(SMALL, np.random.SeedSequence(0), silent)
    (_, _, config, rule), (trained,) = spied["models"][0], spied["trained"]
    assert rule is trained[5]["rule"] is study.PlainDescent
    assert (config.batch, config.passes, config.rate_m, config.rate_c) == (1, 1, 0.1, 0.1)
    assert (config.examples, config.trajectories, config.moves) == (5, 4, 2)
    default = study.papers(study.Config())
    assert (default.examples, default.trajectories) == (100_000, 20_000)
    net = Net(np.random.default_rng(0), 1, 1, 1)
    net.theta = np.array([1.0, 2.0])
    study.PlainDescent(net, 0.1).descend(np.array([1.0, -1.0]))
    assert net.theta.tolist() == [0.9, 2.1]


def test_all_teachers_teach_the_same_controller(spied):
    rows = study.compare(SMALL, np.random.SeedSequence(0), silent)
    by_m, by_scene, by_nobody = spied["trained"]
    np.testing.assert_array_equal(by_m[1], by_scene[1])
    np.testing.assert_array_equal(by_m[1], by_nobody[1])
    assert by_m[2] is spied["models"][0][0] and isinstance(by_scene[2], study.WatchedScene)
    assert np.abs(by_nobody[3]).max() <= 0.1 and not np.array_equal(by_m[3], by_nobody[3])
    assert by_scene[5] == {"derive": study.through_scene} and by_m[5] == by_nobody[5] == {}
    assert len({id(item[2]) for item in spied["measured"]}) == 1
    assert [item[4] for item in spied["measured"]] == list(rows.values())
    states = first_states(spied)
    assert len(states) == len(set(states)) == 5


def test_a_target_moves_away_at_its_speed():
    scene = study.MovingScene(Config(samples=2), turning=False)
    scene.send(np.random.default_rng(0), 500, 3.0)
    scene.place(np.zeros((500, 3)))
    stay = Script(0.5, 0.5, 0.5, 0.5)
    scene.step(stay.forward(np.zeros((500, 40)))[1])
    np.testing.assert_allclose(misses(scene)[0], 3)
    assert np.abs(scene.pose.mean(0)).max() < 0.3 and not scene.pose[:, 2].any()
    distance = study.track(stay, scene, np.zeros((500, 3)), 25)
    assert distance == pytest.approx(3 * np.mean(np.arange(6, 26)))


def test_the_gap_is_exact_minus_model(monkeypatch):
    rows = {"with_m": {"success": 0.5}, "exact": {"success": 0.8}, "untrained": {"success": 0}}
    monkeypatch.setattr(study, "compare", lambda *_: rows)
    for part in ("as_in_the_paper", "widen", "follow"):
        monkeypatch.setattr(study, part, lambda *_: {})
    assert study.run(SMALL, 0, silent)["exact_gap"] == pytest.approx(0.3)


def test_other_angles_are_learned_and_tested(spied):
    row = study.widen(replace(SMALL, angles=(0.0, 180.0)), np.random.SeedSequence(0), silent)
    assert row["degrees"] == [0.0, 180.0] and len(row["success"]) == 2
    none, all_round = (item[2] for item in spied["measured"])
    assert not none[:, 2].any() and np.abs(all_round[:, 2]).max() > 3
    assert len(set(first_states(spied))) == len(first_states(spied)) == 6


def test_the_follower_is_not_trained_on_moving_targets(spied):
    row = study.follow(SMALL, np.random.SeedSequence(0), silent)
    assert all(type(scene) is Scene for _, _, scene, _ in spied["draws"])
    assert row["mean_distance"] > 0 and row["rule_mean_distance"] > 0
    assert len(spied["trained"]) == 1 and spied["trained"][0][0].sizes == (40, 20, 4)
