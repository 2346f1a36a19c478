"""Tests of the flag maze: the maze, gradients through M and C, learning rules, wiring, settings."""

from dataclasses import replace

import numpy as np
import pomdp_flag_maze as fm
import pytest
import study_pomdp_flag_maze as study
from pomdp_flag_maze import (
    EAST,
    NONE,
    NORTH,
    RIGHT,
    SOUTH,
    WEST,
    WRONG,
    Config,
    Controller,
    Imagination,
    Maze,
    Model,
)

SMALL = Config(nets=2, episodes=60, hidden_m=5, hidden_c=4, batch_size=6, pairs=3)


def silent(share, text):
    """A progress that nobody sees."""


def rng(seed=0):
    return np.random.default_rng(seed)


def double(net):
    """The net in float64, with larger weights, so that every path carries something."""
    net.use(1.5 * net.theta.astype(float) + 0.1 * rng(9).standard_normal(net.theta.shape))
    return net


def some_walks(config=SMALL, seed=1):
    mazes = fm.draw_mazes(rng(seed), config, (config.nets, config.episodes))
    return fm.walk(rng(seed + 1), *mazes)


def central_differences(net, objective, step=1e-5):
    """d objective() / d theta (N, P) of a net; the objective is one number."""
    theta, numeric = net.theta, np.zeros_like(net.theta)
    for place in np.ndindex(theta.shape):
        kept = theta[place]
        theta[place] = kept + step
        up = objective()
        theta[place] = kept - step
        numeric[place] = (up - objective()) / (2 * step)
        theta[place] = kept
    return numeric


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


# ---- the maze ----


def lay(length, sign, limit=99, slip=0.0, monkeypatch=None):
    maze = Maze()
    maze.reset(rng(), np.array([[length]]), np.array([[sign]]), np.array([[limit]]))
    return maze


@pytest.fixture
def no_slip(monkeypatch):
    monkeypatch.setattr(fm, "SLIP", 0.0)


def go(maze, *actions):
    return [int(maze.step(np.array([[action]]))[0, 0]) for action in actions]


def test_a_hand_worked_way_to_the_flag(no_slip):
    maze = lay(3, 1)
    assert maze.observe().tolist() == [[[1, 1, 1, 0, 1]]]  # start: only the east is open
    assert go(maze, NORTH, WEST, SOUTH) == [NONE] * 3 and maze.cell == 0
    assert go(maze, EAST) == [NONE] and maze.observe().tolist() == [[[1, 1, 0, 0, 0]]]
    assert go(maze, EAST, WEST, NORTH, EAST) == [NONE] * 4 and maze.cell == 2
    assert maze.observe().tolist() == [[[1, 1, 0, 0, 0]]]
    assert go(maze, EAST) == [NONE] and maze.observe().tolist() == [[[0, 0, 0, 1, 0]]]
    assert go(maze, EAST, NORTH) == [NONE] * 2
    assert maze.observe().tolist() == [[[0, 0, 1, 1, 0]]]
    assert go(maze, SOUTH, SOUTH, EAST, NORTH, NORTH) == [NONE] * 5
    assert maze.active and go(maze, NORTH) == [RIGHT] and not maze.active
    assert go(maze, SOUTH, NORTH) == [NONE] * 2  # nothing happens after the end


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("length", [2, 8, 20])
def test_each_end_is_right_for_one_sign(no_slip, length, sign):
    for way, flag in ((NORTH, 1), (SOUTH, -1)):
        maze = lay(length, sign)
        outcomes = go(maze, *[EAST] * length, way, way)
        assert outcomes[:-1] == [NONE] * (length + 1)
        assert outcomes[-1] == (RIGHT if flag == sign else WRONG)


def test_the_maze_is_its_own_mirror_image():
    mirror = np.array([SOUTH, EAST, NORTH, WEST])
    length = rng(3).integers(2, 20, (2, 200))
    sign = rng(4).choice([-1, 1], length.shape)
    limit = np.full(length.shape, 60)
    one, other = Maze(), Maze()
    one.reset(rng(5), length, sign, limit)
    other.reset(rng(5), length, -sign, limit)
    chance, seen = rng(6), set()
    for _ in range(60):
        action = chance.choice([NORTH, EAST, EAST, SOUTH, WEST], length.shape)
        outcome = one.step(action)
        np.testing.assert_array_equal(outcome, other.step(mirror[action]))
        np.testing.assert_array_equal(one.looks(), other.looks())
        seen |= set(outcome.ravel().tolist())
    assert seen == {NONE, RIGHT, WRONG}


def test_a_tenth_of_the_moves_fails_and_time_runs_out():
    assert fm.SLIP == 0.1
    maze = Maze()
    length = np.full((1, 20_000), 8)
    maze.reset(rng(), length, np.ones_like(length), np.full_like(length, 2))
    maze.step(np.full_like(length, EAST))
    assert abs((maze.cell == 1).mean() - 0.9) < 0.01 and maze.active.all()
    maze.step(np.full_like(length, EAST))
    assert not maze.active.any()


def test_the_signal_is_seen_at_the_start_alone_and_then_nothing_tells_the_signs_apart():
    length = np.full((1, 2000), 5)
    sign = rng().choice([-1, 1], length.shape)
    walks = fm.walk(rng(1), length, sign)
    seen = walks.observations()
    np.testing.assert_array_equal(seen[0, ..., 4], sign)
    assert (seen[1:, ..., 4] == 0).all() and set(sign.ravel()) == {-1, 1}
    for look in range(4):
        of = walks.looks[20] == look
        if of.sum() > 300:
            assert abs(sign[of].mean()) < 0.15
    assert abs((sign == 1).mean() - 0.5) < 0.05


def test_rewards_and_walks():
    np.testing.assert_allclose(fm.REWARD, [-0.05, 1.95, -2.05])
    walks = some_walks(Config(nets=2, episodes=2000))
    assert walks.looks.shape == (41, 2, 2000) and walks.action.shape == (40, 2, 2000)
    ended = (walks.outcome != NONE).any(0)
    assert 0.34 < ended.mean() < 0.45
    assert ((walks.outcome != NONE).sum(0) <= 1).all()
    at = np.where(ended, (walks.outcome != NONE).argmax(0) + 1, 40)
    np.testing.assert_array_equal(walks.length, at)
    repeats = (walks.action[1:] == walks.action[:-1]).mean()
    assert abs(repeats - (0.7 + 0.3 / 4)) < 0.01
    part = walks.take(np.array([[3, 5], [7, 0]]))
    np.testing.assert_array_equal(part.action[:, 1, 0], walks.action[:, 1, 7])
    assert part.sign[0, 1] == walks.sign[0, 5] and part.length[1, 1] == walks.length[1, 0]


def test_mazes_are_drawn_from_all_lengths_and_both_signs():
    length, sign = fm.draw_mazes(rng(), Config(), (3, 2000))
    assert (np.bincount(length.ravel())[3:] > 800).all() and length.max() == 8
    assert abs(sign.mean()) < 0.05


# ---- gradients ----


def cross_entropy(y, walks):
    """The loss of M, written out: mean per step of a net, outcomes times five."""
    loss = 0.0
    for n in range(y.shape[1]):
        total = walks.length[n].sum()
        for b in range(y.shape[2]):
            for t in range(walks.length[n, b]):
                looks, outcome = fm.softmax(y[t, n, b, :4]), fm.softmax(y[t, n, b, 4:])
                happened = walks.outcome[t, n, b]
                loss -= 5 * np.log(outcome[happened]) / total
                if happened == NONE:
                    loss -= np.log(looks[walks.looks[t + 1, n, b]]) / total
    return loss


MODELS = {"gated": Model, "tanh": study.TanhModel}


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_of_m(kind, monkeypatch):
    monkeypatch.setattr(fm, "WALK", 7)
    config = replace(SMALL, hidden_m=3, lengths=(2, 2), episodes=40)
    walks = some_walks(config)
    assert (walks.outcome != NONE).any()
    ended = (walks.outcome != NONE).any(0)
    walks = walks.take(np.array([np.argsort(~row)[:3] for row in ended]))
    model = double(MODELS[kind](rng(2), config))
    action = rng(3).dirichlet(np.ones(4), walks.action.shape)
    x = np.concatenate([walks.observations(), action], -1)
    analytic = model.backward(fm.prediction_error(model.forward(x), walks))
    numeric = central_differences(model, lambda: cross_entropy(model.forward(x), walks))
    assert relative_error(analytic, numeric) <= 1e-6


class Soft(Imagination):
    """The next cell is the expected one: the slope that a draw is given is then exact."""

    def draw(self, q, noise):
        return q


def a_dream(kind=Model, T=6):
    model = double(MODELS[kind](rng(2), SMALL)) if kind in MODELS else double(kind(rng(2), SMALL))
    controller = double(Controller(rng(3), SMALL))
    seen = fm.see(rng(4).integers(4, size=(T, 2, 3)), rng(5).choice([-1, 1], (T, 2, 3)))
    acted = fm.one_hot(rng(6).integers(4, size=(T, 2, 3)), 4)
    prefix = np.array([[0, 2, 3], [1, 0, 5]])
    return model, controller, (seen.astype(float), acted, prefix, rng(7).random((T, 2, 3)))


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_through_m_and_c(kind):
    model, controller, start = a_dream(kind)
    dream = Soft(model, controller, 0.9)
    dream.forward(*start, 0.3)
    analytic = dream.backward()
    numeric = central_differences(controller, lambda: dream.forward(*start, 0.3).mean(1).sum())
    assert relative_error(analytic, numeric) <= 1e-6


def test_gradient_with_drawn_walls_ignores_nothing_but_the_draw():
    model, controller, start = a_dream()
    model.parts["V"][..., :4] = 0.0  # what comes next depends on nothing, so draws stay
    dream = Imagination(model, controller, 0.9)
    dream.forward(*start, 0.3)
    analytic = dream.backward()
    numeric = central_differences(controller, lambda: dream.forward(*start, 0.3).mean(1).sum())
    assert relative_error(analytic, numeric) <= 1e-6


def test_the_value_of_an_imagined_episode_by_hand():
    model, controller, (seen, acted, prefix, noise) = a_dream()
    value = Imagination(model, controller, 0.9).forward(seen, acted, prefix, noise, 0.3)
    for n, b in np.ndindex(prefix.shape):
        g, h = np.zeros(4), np.zeros(5)
        alive, total, walls = 1.0, 0.0, None
        for t in range(len(seen)):
            x = seen[t, n, b] if t <= prefix[n, b] else np.append(walls, 0.0)
            g = np.tanh(x @ controller.W[n] + g @ controller.U[n] + controller.b[n, 0])
            p = fm.softmax(g @ controller.V[n] + controller.v[n, 0])
            action = p if t >= prefix[n, b] else acted[t, n, b]
            a = np.append(x, action) @ model.W[n] + h @ model.U[n] + model.b[n, 0]
            gate = 1 / (1 + np.exp(-a[:5]))
            h = (1 - gate) * h + gate * np.tanh(a[5:])
            y = h @ model.V[n] + model.v[n, 0]
            q, o = fm.softmax(y[:4]), fm.softmax(y[4:])
            if t >= prefix[n, b]:
                reward = 2 * o[RIGHT] - 2 * o[WRONG] - 0.05 - 0.3 * (p * np.log(p)).sum()
                total += 0.9 ** (t - prefix[n, b]) * alive * reward
                alive *= o[NONE]
            walls = fm.WALLS[np.searchsorted(q.cumsum(), noise[t, n, b])]
        np.testing.assert_allclose(value[n, b], total, atol=1e-6)  # REWARD is float32


def test_draws_follow_their_probabilities():
    q = np.tile([0.1, 0.2, 0.3, 0.4], (40_000, 1))
    drawn = Imagination(None, None, 1.0).draw(q, rng().random(40_000))
    np.testing.assert_allclose(drawn.mean(0), q[0], atol=0.01)
    assert (drawn.sum(1) == 1).all()
    np.testing.assert_allclose(np.bincount(fm.sample(rng(), q)) / 40_000, q[0], atol=0.01)


def test_gradient_of_policy_gradient():
    config = replace(SMALL, lengths=(2, 3))
    controller = double(Controller(rng(3), config))
    length = rng(1).integers(2, 4, (2, 5))
    sign = rng(2).choice([-1, 1], (2, 5))
    episodes = fm.play(controller, rng(4), length, sign, greedy=False)
    active = episodes.active
    reward = np.where(active, fm.REWARD[episodes.outcome], 0.0).astype(float)
    returns = np.array([sum(0.9**k * reward[t + k] for k in range(len(reward) - t))
                        for t in range(len(reward))])  # fmt: skip
    mean = (returns * active).sum(2, keepdims=True) / np.maximum(1, active.sum(2, keepdims=True))

    def objective():
        g, total = controller.blank(5), 0.0
        for t in range(len(active)):
            g, p = controller.step(episodes.x[t], g)
            log_p = np.log(np.take_along_axis(p, episodes.action[t][..., None], -1))[..., 0]
            total += (active[t] * (returns - mean)[t] * log_p).sum()
            total -= 0.2 * (active[t][..., None] * p * np.log(p)).sum()
        return total / 5

    analytic = fm.policy_gradient(controller, episodes, 0.9, 0.2)
    assert relative_error(analytic, central_differences(controller, objective)) <= 1e-6


# ---- learning ----


def test_adam_s_first_steps():
    theta = np.zeros((2, 2))
    adam = fm.Adam(theta, 0.1)
    adam.descend(np.array([[0.3, -0.4]] * 2), 0.0)
    np.testing.assert_allclose(theta, [[-0.1, 0.1]] * 2, rtol=1e-6)
    adam.descend(np.array([[3.0, 4.0]] * 2), 0.85)  # clipped, and at half the rate
    first, second = np.array([0.3, -0.4]), np.array([0.6, 0.8])
    mean = (0.09 * first + 0.1 * second) / (1 - 0.81)
    square = (0.999 * 0.001 * first**2 + 0.001 * second**2) / (1 - 0.999**2)
    expected = -0.1 * np.sign(first) - 0.05 * mean / np.sqrt(square)
    np.testing.assert_allclose(theta, [expected] * 2, rtol=1e-6)


def test_batches_hold_early_ends_first():
    config = Config(nets=2, episodes=3000)
    walks = some_walks(config)
    trainer = fm.ModelTrainer(Model(rng(), config), walks, config, rng(1))
    for share, most in ((0.0, 0.1), (0.225, 0.55), (0.45, 1.0), (0.9, 1.0)):
        index = np.concatenate([trainer.batch(share) for _ in range(30)], 1)
        for n in range(2):
            ends = np.sort(walks.length[n][(walks.outcome[:, n] != NONE).any(0)])
            chosen = walks.length[n, index[n].reshape(30, 64)]
            early = chosen[:, :32]
            assert early.max() <= ends[int(most * len(ends)) - 1]
            assert early.mean() > 0.9 * ends[: int(most * len(ends))].mean()
            assert (chosen[:, 32:] == fm.WALK).mean() > 0.5
    assert (walks.outcome[:, 0, index[0, :32]] != NONE).any(0).all()


def test_mixed_actions_are_expectations():
    config = Config(nets=1)
    trainer = fm.ModelTrainer(Model(rng(), config), some_walks(config), config, rng(1))
    action = rng(2).integers(4, size=(40, 1, 3000))
    assert (trainer.mix(action, 0.2) == fm.one_hot(action, 4)).all()
    assert (trainer.mix(action, 0.3).max(-1) < 1).mean() == pytest.approx(0.4 * 0.75, abs=0.01)
    mixed = trainer.mix(action, 0.9)
    np.testing.assert_allclose(mixed.sum(-1), 1, atol=1e-6)
    assert (mixed.max(-1) < 1).mean() == pytest.approx(0.8 * 0.75, abs=0.01)
    for low in (0.1, 0.3, 0.5, 0.7):  # what was done has the probability that M is shown
        some = (mixed[..., EAST] > low) & (mixed[..., EAST] < low + 0.2)
        assert (action[some] == EAST).mean() == pytest.approx(low + 0.1, abs=0.03)


def test_c_learns_from_pairs_that_differ_in_the_signal_alone(monkeypatch):
    config = replace(SMALL, pairs=40)
    walks = some_walks(replace(config, episodes=400))
    model, controller = Model(rng(), config), Controller(rng(1), config)
    trainer = fm.ControllerTrainer(model, controller, walks, config, rng(2), rng(3))
    seen_args = []
    forward = Imagination.forward
    monkeypatch.setattr(
        Imagination, "forward", lambda self, *a: (seen_args.append(a), forward(self, *a))[1]
    )
    before = model.theta.copy()
    trainer.step(0.5)
    (seen, acted, prefix, noise, entropy), one, two = seen_args[0], np.s_[:40], np.s_[40:]
    assert len(seen) == 24 and entropy == pytest.approx(0.045)
    np.testing.assert_array_equal(seen[:, :, one, :4], seen[:, :, two, :4])
    np.testing.assert_array_equal(seen[0, :, one, 4], -seen[0, :, two, 4])
    assert np.abs(seen[0, ..., 4]).min() == 1
    for same in (acted, noise):
        np.testing.assert_array_equal(same[:, :, one], same[:, :, two])
    np.testing.assert_array_equal(prefix[:, one], prefix[:, two])
    assert 0.15 < (prefix == 0).mean() < 0.5 and prefix.max() <= 20 and prefix.max() > 12
    np.testing.assert_array_equal(model.theta, before)


def test_a_controller_step_climbs_the_value():
    config = replace(SMALL, pairs=10)
    walks = some_walks(replace(config, episodes=200))
    model, controller = Model(rng(), config), Controller(rng(1), config)
    model.V[:] *= 3
    values = []
    trainer = fm.ControllerTrainer(model, controller, walks, config, rng(2), rng(3))
    for _ in range(15):
        trainer.rng = rng(2)
        trainer.step(0.0)
        values.append(sum((s[6] * s[7] * s[8]).mean() for s in trainer.imagination.steps))
    assert values[-1] > values[0] + 0.01


def test_the_last_of_the_best_is_kept(monkeypatch):
    controller = Controller(rng(), SMALL)
    keeper = fm.Keeper(controller, SMALL, rng(1))
    assert keeper.length.shape == (2, 120)
    for length in range(3, 9):
        assert [(keeper.sign[0, keeper.length[0] == length] == s).sum() for s in (-1, 1)] == [
            10
        ] * 2
    scores = iter([[0.5, 0.1], [0.5, 0.0], [0.2, 0.9]])

    def pretend(controller, rng, length, sign):
        share = np.array(next(scores))[:, None]
        outcome = np.where(np.arange(120) < 120 * share, RIGHT, NONE)[None]
        return fm.Episodes(None, None, None, None, outcome, np.ones((3, 2, 120), bool))

    monkeypatch.setattr(fm, "play", pretend)
    for k in range(3):
        controller.theta[:] = k
        keeper.check()
    assert (keeper.kept[0] == 1).all() and (keeper.kept[1] == 2).all()
    assert keeper.steps.tolist() == [3 * 3 * 120] * 2
    np.testing.assert_allclose(keeper.scores, [0.3, 0.25, 0.55])


# ---- play and tests ----


class Scripted(Controller):
    """Goes east, and at the junction to the side that it is told."""

    def step(self, x, g):
        g = np.where(np.abs(x[..., 4:]) > 0, self.memory * x[..., 4:], g)
        north = np.where(g[..., 0] >= 0, NORTH, SOUTH)
        action = np.where(x[..., 0] > 0, EAST, north)  # a wall in the north: not at the junction
        return g, fm.one_hot(action, 4)


def test_play_and_test_of_scripted_controllers():
    controller = Scripted(rng(), SMALL)
    for memory, expected in ((1.0, 1.0), (0.0, 0.5), (-1.0, 0.0)):
        controller.memory = memory
        success = fm.test(controller, controller.theta, [3, 8, 20], np.random.SeedSequence(5))
        assert list(success) == [3, 8, 20]
        for each in success.values():
            np.testing.assert_allclose(each, expected, atol=0.01)
    controller.memory = 1.0
    length = np.full((2, 50), 6)
    episodes = fm.play(controller, rng(3), length, np.ones_like(length))
    assert fm.succeeded(episodes).all() and len(episodes.x) <= 26
    assert (episodes.active.sum(0) >= 8).all() and episodes.x[1:, ..., 4].max() == 0


def test_time_is_up_after_three_lengths_and_eight_steps(monkeypatch):
    controller = Scripted(rng(), SMALL)
    monkeypatch.setattr(
        controller, "step", lambda x, g: (g, fm.one_hot(0 * x[..., 0].astype(int), 4))
    )
    episodes = fm.play(controller, rng(3), np.array([[3, 5], [8, 20]]), np.ones((2, 2), int))
    np.testing.assert_array_equal(episodes.active.sum(0), [[17, 23], [32, 68]])


def test_side_accuracy_of_models_that_know_nothing_and_all():
    config = replace(SMALL, hidden_m=8)
    model = Model(rng(), config)
    length = np.full((2, 400), 4)

    class Knowing(Model):
        def forward(self, x):
            """Read the sign, and the side of the last step north or south."""
            right = (x[0, ..., 4] > 0) == (x[..., 5 + NORTH] > x[..., 5 + SOUTH])
            y = np.zeros((*x.shape[:3], 7))
            y[..., 4 + RIGHT], y[..., 4 + WRONG] = right, ~right
            return y

    assert fm.side_accuracy(Knowing(rng(), config), 4, 7) == 1.0
    assert 0.3 < fm.side_accuracy(model, 4, 7) < 0.7 and length.size


# ---- the wiring of run() ----
TINY = replace(Config(**fm.QUICK), episodes=40, batches_m=4, updates_c=25, pairs=2, hidden_c=6)


def fingerprint(generator):
    return str(generator.bit_generator.state["state"])


@pytest.fixture(scope="module")
def watched():
    """One small run(), with its parts spied on."""
    log = {"streams": [], "walked": [], "play": [], "test": [], "kept": [], "models": []}
    patch = pytest.MonkeyPatch()
    default_rng, walk, play, test = np.random.default_rng, fm.walk, fm.play, fm.test
    prepare = fm.ModelTrainer.__init__

    def spy_rng(seed):
        generator = default_rng(seed)
        log["streams"].append(fingerprint(generator))
        return generator

    def spy_walk(generator, length, sign):
        walks = walk(generator, length, sign)
        log["walked"].append(walks)
        return walks

    def spy_play(controller, generator, length, sign, greedy=True):
        state = fingerprint(generator)
        episodes = play(controller, generator, length, sign, greedy)
        log["play"].append((state, greedy, length.shape[1], int(episodes.active.sum())))
        return episodes

    def spy_test(controller, theta, lengths, seed):
        success = test(controller, theta, lengths, seed)
        log["test"].append((theta.copy(), list(lengths), success))
        return success

    def spy_trainer(self, model, walks, config, generator):
        log["models"].append(walks)
        prepare(self, model, walks, config, generator)

    patch.setattr(fm.np.random, "default_rng", spy_rng)
    patch.setattr(fm, "walk", spy_walk)
    patch.setattr(fm, "play", spy_play)
    patch.setattr(fm, "test", spy_test)
    patch.setattr(fm.ModelTrainer, "__init__", spy_trainer)
    patch.setattr(fm, "TESTS", 30)
    log["table"] = fm.run(TINY, 1000, silent)
    patch.undo()
    return log


def test_no_two_random_streams_start_alike(watched):
    assert len(watched["streams"]) == len(set(watched["streams"])) == 13


def test_no_evaluated_walk_was_trained_on(watched):
    trained, fresh = watched["walked"]
    assert watched["models"] == [trained] and fresh.action.shape[2] == 400
    assert not np.array_equal(trained.action[:, :, :40], fresh.action[:, :, :40])
    assert (trained.length.shape, trained.sign.shape) == ((2, 40), (2, 40))


def test_no_evaluated_maze_was_played_before(watched):
    tests = [entry for entry in watched["play"] if entry[2] == 60]
    assert len(tests) == 8 + 6 and all(greedy for _, greedy, *_ in tests)
    states = [state for state, *_ in watched["play"]]
    assert len(set(states)) == len(states)


def test_the_rival_saw_as_many_steps_and_validations(watched):
    table = watched["table"]
    sampled = sum(steps for _, greedy, size, steps in watched["play"] if size == fm.PLAYED)
    checks = [steps for _, greedy, size, steps in watched["play"] if size == 120]
    ours, rival = checks[: fm.CHECKS], checks[fm.CHECKS :]
    assert len(ours) == fm.CHECKS
    real = watched["walked"][0].length.sum() + sum(ours)
    assert table["model"]["real_steps"] == pytest.approx(real / 2)
    assert table["policy_gradient"]["real_steps"] == pytest.approx((sampled + sum(rival)) / 2)
    assert real <= sampled + sum(rival) < 1.3 * real
    assert len(rival) > 0
    assert all(not greedy for _, greedy, size, _ in watched["play"] if size == fm.PLAYED)


def test_what_is_reported_is_the_test_of_the_kept_weights(watched):
    table = watched["table"]
    (_, lengths, ours), (_, rival_lengths, rival) = watched["test"]
    assert lengths == [3, 4, 5, 6, 7, 8, 12, 20] and rival_lengths == [3, 4, 5, 6, 7, 8]
    means = [np.mean([s[k] for k in range(3, 9)]) for s in (ours, rival)]
    assert table["success"] == pytest.approx(means[0])
    assert table["policy_gradient"]["success"] == pytest.approx(means[1])
    assert table["model_lead"] == pytest.approx(means[0] - means[1])
    assert table["success_at"]["length_20"] == pytest.approx(ours[20].mean())
    perfect = [all(ours[k][n] >= 0.95 for k in range(3, 9)) for n in range(2)]
    assert table["share_perfect"] == pytest.approx(np.mean(perfect))


def report_of(monkeypatch, success, rival):
    """What run() reports of given successes {length: (N,)}, with the training replaced."""
    monkeypatch.setattr(fm, "CHECKS", 3)
    answers = iter([success, rival])
    asked = []

    def pretend(controller, theta, lengths, seed):
        asked.append(theta.copy())
        return next(answers)

    class Kept:
        controller = kept = theta = None

    monkeypatch.setattr(fm, "test", pretend)
    kept = {}
    check = fm.Keeper.check

    def spy(self):
        check(self)
        self.kept = self.kept + 0.5  # which no weights in training are
        kept[id(self)] = self

    monkeypatch.setattr(fm.Keeper, "check", spy)
    table = fm.run(replace(TINY, updates_c=6, episodes=10), 1001, silent)
    for theta, keeper in zip(asked, kept.values()):
        np.testing.assert_array_equal(theta, keeper.kept)
    return table


def test_the_figures_of_the_claims(monkeypatch):
    ours = {k: np.array([1.0, 0.95]) for k in range(3, 9)} | {12: np.zeros(2), 20: np.zeros(2)}
    rival = {k: np.array([0.5, 0.3]) for k in range(3, 9)}
    table = report_of(monkeypatch, ours, rival)
    assert table["success"] == pytest.approx(0.975) and table["share_perfect"] == 1.0
    assert table["model_lead"] == pytest.approx(0.575)
    assert table["policy_gradient"]["best"] == pytest.approx(0.5)
    ours = {k: np.ones(2) for k in ours} | {5: np.array([1.0, 0.9])}
    table = report_of(monkeypatch, ours, rival)
    assert table["share_perfect"] == 0.5


def test_checks_are_spread_over_training():
    due = [k for k in range(2500) if fm.checks_due(k, k + 1, 2500)]
    assert due == list(range(99, 2500, 100))


# ---- the study ----


def test_the_parallel_version_alternates_and_the_study_reports_it(monkeypatch):
    order = []
    for kind, name in ((fm.ModelTrainer, "m"), (fm.ControllerTrainer, "c")):
        step = kind.step

        def spy(self, share, step=step, name=name):
            order.append((name, share))
            step(self, share)

        monkeypatch.setattr(kind, "step", spy)
    monkeypatch.setattr(fm, "CHECKS", 2)
    config = study.Config(nets=1, episodes=40, batches_m=100, updates_c=100, batch_size=2, pairs=1)
    walks = some_walks(config)
    seeds = np.random.SeedSequence(3).spawn(5)
    study.learn_in_parallel(walks, config, seeds, silent)
    names = "".join(name for name, _ in order)
    assert names.count("m") == names.count("c") == 100
    assert names.startswith("m" * 50 + "c" * 50 + "m" * 50)
    for name in "mc":
        shares = [share for who, share in order if who == name]
        np.testing.assert_allclose(shares, np.arange(100) / 100)


def test_the_study_runs(monkeypatch):
    monkeypatch.setattr(fm, "CHECKS", 2)
    monkeypatch.setattr(fm, "TESTS", 3)
    tiny = {"nets": 1, "episodes": 30, "batches_m": 2, "updates_c": 4}
    config = study.Config(**study.QUICK | tiny)
    table = study.run(config, 1002, silent)
    assert table["success_parallel"] == pytest.approx(np.mean(table["parallel"]["each"]))
    assert 0 <= table["success_parallel"] <= 1 and set(table) >= {"parallel", "unmixed"}


# ---- settings ----


@pytest.mark.parametrize("lengths", [(3,), (8, 3), (3, 4, 5)])
def test_lengths_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="--lengths"):
        Config(lengths=lengths)


@pytest.mark.parametrize("flags", [["--lengths", "8", "3"], ["--nets", "0"], ["--gamma", "2"]])
def test_bad_settings_are_refused_in_a_line(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        fm.main(fm, ["--quick", *flags])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said.count("\n") == 1 and flags[0] in said
