"""Tests of fast_weights_key_value: exact gradients, the lives, the bookkeeping, the wiring."""

import copy
import math
from dataclasses import replace

import fast_weights_key_value
import study_fast_weights_key_value as study
from fast_weights_key_value import Config, FastWeights, Moment, Recurrent
from fast_weights_key_value import curve, examine, life, median, right_after, run, train
import numpy as np
import pytest

CLOSE = {"rtol": 0, "atol": 1e-12}


def silent(fraction, message):
    """Show nothing."""


def numerical(function, weights, step=1e-6):
    """Central differences of function() by each entry of weights, on a new last axis."""
    slopes = []
    for index in np.ndindex(weights.shape):
        kept = weights[index]
        weights[index] = kept + step
        high = function()
        weights[index] = kept - step
        low = function()
        weights[index] = kept
        slopes.append((high - low) / (2 * step))
    return np.stack(slopes, axis=-1)


def assert_close_gradient(exact, estimate):
    """Compare two gradients, relative to the largest entry."""
    assert np.abs(estimate).max() > 1e-3
    assert np.abs(exact - estimate).max() <= 1e-6 * max(1.0, np.abs(estimate).max())


# ---- the rule ----
def spoken(nets, steps, seed=0, **settings):
    """The moments of some lives, as a list."""
    config = Config(**settings)
    return list(life(np.random.default_rng(seed), nets, steps, config))


@pytest.mark.parametrize("steepness", [3.0, 8.0])
def test_sensitivities_of_fast_weights_are_exact_over_sixty_steps(steepness):
    config = Config(nets=1, steepness=steepness, init=0.2)
    moments = spoken(1, 60)
    start = FastWeights(np.random.default_rng(1), config)

    def final():
        net = copy.deepcopy(start)
        for x, asked, _, _ in moments:
            net.answer(x, asked)
        final.net = net
        return net.w[:, 0].copy()

    estimate = numerical(final, start.W)  # (3, 18)
    final()
    exact = np.zeros((3, 3, 6))
    for i in range(3):
        exact[i, i] = final.net.p[i, :, 0]
    assert_close_gradient(exact.reshape(3, 18), estimate)


def test_sensitivities_of_the_recurrent_net_are_exact_over_sixty_steps():
    config = Config(rnn_nets=1, rnn_rates=(1.0,), init=2.0)
    moments = spoken(1, 60)
    start = Recurrent(np.random.default_rng(1), config)

    def final():
        net = copy.deepcopy(start)
        for x, asked, _, _ in moments:
            net.answer(x, asked)
        final.net = net
        return net.h[0].copy()

    estimate = numerical(final, start.V)  # (6, 84)
    final()
    assert_close_gradient(final.net.p.reshape(6, -1), estimate)


@pytest.mark.parametrize("kind", [FastWeights, Recurrent])
def test_learning_descends_the_squared_error_of_this_answer(kind):
    config = Config(nets=1, rnn_nets=1, rnn_rates=(0.05,), init=0.5)
    moments = spoken(1, 40, seed=3)
    asked_at = [t for t, moment in enumerate(moments) if moment.asked[0] and moment.age[0] > 0]
    moments = moments[: asked_at[-1] + 1]  # ends with a question that memory has to answer
    start = kind(np.random.default_rng(2), config)
    weights = start.W if kind is FastWeights else start.V

    def loss():
        net = copy.deepcopy(start)
        for x, asked, _, _ in moments:
            y = net.answer(x, asked)
        loss.net = net
        loss.error = y - moments[-1].target
        return 0.5 * (loss.error**2).sum()

    estimate = numerical(loss, weights)
    loss()
    loss.net.learn(loss.error, moments[-1].asked)
    learned = loss.net.W if kind is FastWeights else loss.net.V
    step = (weights - learned).ravel() / 0.05
    assert np.abs(estimate).max() > 1e-4
    np.testing.assert_allclose(step, estimate, rtol=0, atol=1e-8)
    loss()
    loss.net.learn(loss.error, np.zeros(1))  # nobody asked: nothing to learn
    np.testing.assert_array_equal(loss.net.W if kind is FastWeights else loss.net.V, weights)


def test_two_steps_worked_by_hand():
    """T = 4, eta = 0.5: the car parks in slot 0, then distractor 1 is on; he is asked twice."""
    net = FastWeights(np.random.default_rng(0), Config(nets=1, steepness=4.0, learning_rate=0.5))
    net.W[:] = 0
    net.W[0, 0] = 1.0
    net.W[0, 4] = -0.25

    def sigma(z):
        return 1 / (1 + math.exp(-4 * (z - 0.5)))

    w0 = sigma(0.0)
    np.testing.assert_allclose(net.w, w0, **CLOSE)
    park, busy = np.zeros((2, 6, 1))
    park[0] = busy[4] = 1
    asked, target = np.ones(1), np.array([[1.0], [0.0], [0.0]])

    y = net.answer(park, asked)
    w1 = sigma(w0 + 1)
    p1 = 4 * w1 * (1 - w1)  # by W_00
    assert y[0, 0] == pytest.approx(w1, abs=1e-12)
    net.learn(y - target, asked)
    W_00 = 1 - 0.5 * (w1 - 1) * p1
    assert net.W[0, 0, 0] == pytest.approx(W_00, abs=1e-12)
    assert net.W[1, 0, 0] < 0  # slot 1 should have been emptied by the detector of slot 0

    y = net.answer(busy, asked)
    w2 = sigma(w1 - 0.25)
    slope = 4 * w2 * (1 - w2)
    assert y[0, 0] == pytest.approx(w2, abs=1e-12)
    net.learn(y - target, asked)
    assert net.W[0, 0, 0] == pytest.approx(W_00 - 0.5 * (w2 - 1) * slope * p1, abs=1e-12)
    assert net.W[0, 4, 0] == pytest.approx(-0.25 - 0.5 * (w2 - 1) * slope, abs=1e-12)
    assert net.answer(busy, np.zeros(1)).tolist() == [[0.0]] * 3  # the name is off: F is silent


def test_training_is_the_papers_rule_number_by_number():
    config = Config(nets=2, steps=120, learning_rate=0.3, steepness=6.0)
    moments = spoken(2, 120, seed=4, query_share=0.7)
    net = FastWeights(np.random.default_rng(5), config)
    W = net.W.copy()
    w = [[1 / (1 + math.exp(3.0))] * 2 for _ in range(3)]
    p = np.zeros((3, 6, 2))
    train(net, moments, config, silent)
    for x, asked, target, _ in moments:
        for n in range(2):
            for i in range(3):
                z = w[i][n] + sum(W[i, j, n] * x[j, n] for j in range(6))
                w[i][n] = 1 / (1 + math.exp(-6.0 * (z - 0.5)))
                for j in range(6):
                    p[i, j, n] = 6.0 * w[i][n] * (1 - w[i][n]) * (p[i, j, n] + x[j, n])
                    if asked[n]:
                        W[i, j, n] -= 0.3 * (w[i][n] - target[i, n]) * p[i, j, n]
    np.testing.assert_allclose(net.W, W, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("steepness", "reaches"), [(6.0, False), (8.0, True), (10.0, True)])
def test_a_fast_weight_left_alone_keeps_its_side_and_needs_a_steepness(steepness, reaches):
    net = FastWeights(np.random.default_rng(0), Config(nets=2, steepness=steepness))
    net.w[:] = [0.3, 0.7]
    for _ in range(200):
        net.answer(np.zeros((6, 2)), np.ones(2))
    low, high = net.w[0]
    assert low == pytest.approx(1 - high) and low < 0.1
    assert (low <= Config().tolerance) == reaches


def test_the_recurrent_net_against_loops():
    config = Config(rnn_nets=1, rnn_rates=(1.0, 2.0), init=1.0)
    net = Recurrent(np.random.default_rng(6), config)
    assert net.V.shape == (2, 6, 14) and net.rates.ravel().tolist() == [1.0, 2.0]
    h = np.zeros((2, 6))
    for x, asked, _, _ in spoken(2, 30, seed=7, query_share=0.5):
        y = net.answer(x, asked)
        for n in range(2):
            fed = [*x[:, n], asked[n], 1.0, *h[n]]
            sums = [sum(v * f for v, f in zip(net.V[n, k], fed)) for k in range(6)]
            h[n] = [1 / (1 + math.exp(-a)) for a in sums]
        np.testing.assert_allclose(y, h[:, 3:].T, **CLOSE)


# ---- the task ----
@pytest.fixture(scope="module")
def lives():
    """20 lives of 6000 steps, a question in half of the parked steps: x, asked, target, age."""
    return [np.array(part) for part in zip(*spoken(20, 6000, seed=8, query_share=0.5))]


def test_lives_follow_the_paper(lives):
    x, asked, target, age = lives
    assert x.shape == (6000, 6, 20) and set(np.unique(x)) == {0.0, 1.0}
    parks = x[:, :3].sum(1) == 1  # (T, N)
    assert x[:, :3].sum(1).max() == 1
    places = target.argmax(1)  # (T, N)
    np.testing.assert_array_equal(x[:, :3].argmax(1)[parks], places[parks])
    assert (target.sum(1) == 1).all()
    assert 0.13 < parks.mean() < 0.155  # once in 7 steps: 3 of driving, 1 of parking, 3 of business
    shares = np.bincount(places[parks]) / parks.sum()
    assert np.abs(shares - 1 / 3).max() < 0.02
    assert (parks[1:] & parks[:-1]).sum() > 500  # no business, no driving: parked again at once
    for n in range(3):  # age and slot count from the last parking
        t = np.flatnonzero(parks[:, n])
        for start, end in zip(t, t[1:]):
            assert (age[start:end, n] == np.arange(end - start)).all()
            assert (places[start:end, n] == places[start, n]).all()
        assert not asked[: t[0], n].any()
    assert not np.array_equal(parks[:, 0], parks[:, 1])


def test_he_is_asked_only_while_parked_and_at_a_share_of_these_steps(lives):
    asked_all = np.array([moment.asked for moment in spoken(20, 6000, seed=8)])
    x, asked, _, _ = lives
    parks = x[:, :3].sum(1) == 1
    assert 0.55 < asked_all.mean() < 0.59  # 4 steps of 7
    assert asked_all[parks].all()
    assert 0.48 < asked.sum() / asked_all.sum() < 0.52
    assert (asked <= asked_all).all()
    gone = (asked_all[1:] == 0) & (asked_all[:-1] == 1)  # he drives off, with 0.25 * 0.75
    assert 0.17 < gone.sum() / asked_all[:-1].sum() < 0.205


def test_the_answer_cannot_be_read_off_the_last_input(lives):
    x, asked, target, age = lives
    later = (asked == 1) & (age > 0)  # (T, N)
    assert later.mean() > 0.15
    seen = x.transpose(0, 2, 1)[later]  # (Q, 6)
    assert not seen[:, :3].any()
    place = target.transpose(0, 2, 1)[later].argmax(1)  # (Q,)
    pattern = (seen[:, 3:] @ [1, 2, 4]).astype(int)  # (Q,)
    counts = np.zeros((8, 3))
    np.add.at(counts, (pattern, place), 1)
    assert counts.max(1).sum() / counts.sum() < 0.36  # the best guess from the distractors
    assert np.abs(x[:, 3:].mean((0, 2)) - 0.5).max() < 0.01


# ---- training and evaluation on scripts ----
class Scripted:
    """A net whose error at each step is given, (T, N); `w` is what it answers."""

    def __init__(self, errors):
        self.errors = iter(errors)
        self.learned = []

    def answer(self, x, asked):
        self.y = np.eye(3)[:, [0] * len(asked)] + next(self.errors)
        return self.y

    def learn(self, error, asked):
        self.learned.append((error, asked))


def script(errors, asked, age=None):
    """A scripted net, and moments at which the car is in slot 0: errors and asked (T, N)."""
    errors, asked = np.array(errors, float), np.array(asked, float)
    target = np.eye(3)[:, [0] * asked.shape[1]]
    ages = np.zeros(asked.shape) if age is None else age
    moments = [Moment(np.zeros((6, asked.shape[1])), a, target, g) for a, g in zip(asked, ages)]
    return Scripted(errors), moments


def test_training_counts_streaks_of_steps_and_of_questions():
    errors = [[0, 0.07, 0], [0, 0.0625, 0.2], [0, 0, 0.2], [0.2, -0.0625, 0.2], [0, 0, 0.2]]
    errors += [[0, 0, 0]]
    asked = [[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]]
    net, moments = script(errors, asked)
    config = Config(streak=3, steps=100, tolerance=0.0625)
    solved, solved_asked = train(net, moments, config, silent)
    assert solved.tolist() == [
        3,
        4,
        3,
    ]  # an error of the tolerance is right; what is not asked is right
    assert solved_asked.tolist() == [3, 5, np.inf]
    assert len(net.learned) == 6
    for (error, told), row, question in zip(net.learned, errors, asked):
        np.testing.assert_allclose(error, np.broadcast_to(row, (3, 3)), **CLOSE)
        assert told.tolist() == question
    net, moments = script(np.full((5, 1), -0.3), np.ones((5, 1)))
    assert train(net, moments, config, silent)[0].tolist() == [np.inf]  # too small is wrong, too


def test_examination_reads_answers_and_teaches_nothing():
    class Fixed(Scripted):
        def answer(self, x, asked):
            return next(self.errors)

    answers = [
        [[0.9, 0.1], [0.2, 0.6], [0.4, 0.2]],
        [[0.2, 1.0], [0.3, 0.0], [0.1, 0.0]],
    ]
    _, moments = script(np.zeros((2, 2)), [[1, 1], [1, 0]], age=[[0, 4], [1, 5]])
    net = Fixed(np.array(answers))
    age, right, strong, weak = exam = examine(net, moments)
    nan = np.nan
    np.testing.assert_allclose(age, [[0, 4], [1, nan]])
    np.testing.assert_allclose(right, [[1, 0], [0, nan]])
    np.testing.assert_allclose(strong, [[0.9, 0.1], [0.2, nan]])
    np.testing.assert_allclose(weak, [[0.3, 0.4], [0.2, nan]])
    assert net.learned == []
    everyone = np.array([True, True])
    assert right_after(exam, 0, everyone) == pytest.approx(1 / 3)
    assert right_after(exam, 1, everyone) == 0
    assert right_after(exam, 0, np.array([True, False])) == 0.5
    assert right_after(exam, 4, np.array([True, False])) is None

    fast = FastWeights(np.random.default_rng(0), Config(nets=3))
    W = fast.W.copy()
    examine(fast, spoken(3, 50))
    np.testing.assert_array_equal(fast.W, W)


def test_medians_and_curves_count_failures():
    config = Config(steps=1000)
    solved = np.array([100.0, np.inf, 505.0, 510.0, np.inf])
    assert median(solved, config) == 510
    assert median(np.array([1.0, np.inf, np.inf]), config) == 1000
    line = curve(solved, config)
    assert len(line["x"]) == len(line["y"]) == 101 and line["x"][-1] == 1000
    at = dict(zip(line["x"], line["y"]))
    assert (at[0.0], at[100.0], at[500.0], at[510.0], at[1000.0]) == (0, 0.2, 0.2, 0.6, 0.6)


# ---- the wiring of run() ----
def first_number(rng):
    """The number that a generator will give next."""
    return copy.deepcopy(rng).random()


@pytest.fixture
def wired(monkeypatch):
    """Spies on what run() and the study are made of: a list of calls for each part."""
    calls = {"life": [], "init": [], "train": [], "examine": []}

    def spied_life(rng, nets, steps, config):
        calls["life"].append((first_number(rng), nets, steps, config))
        key = len(calls["life"]) - 1
        return Tagged(key, life(rng, nets, steps, config))

    def spied_train(net, moments, config, progress):
        result = train(net, moments, config, progress)
        calls["train"].append((net, moments.key, moments.used, result, state(net)))
        return result

    def spied_examine(net, moments):
        result = examine(net, moments)
        calls["examine"].append((net, moments.key, moments.used, result, state(net)))
        return result

    def spied_class(kind):
        def make(rng, config):
            calls["init"].append((first_number(rng), kind, config))
            return kind(rng, config)

        return make

    for module in (fast_weights_key_value, study):
        monkeypatch.setattr(module, "life", spied_life)
        monkeypatch.setattr(module, "train", spied_train)
        monkeypatch.setattr(module, "examine", spied_examine)
        for kind in (FastWeights, Recurrent):
            monkeypatch.setattr(module, kind.__name__, spied_class(kind))
    return calls


class Tagged:
    """An iterator that knows which life it is, and counts the moments that were used."""

    def __init__(self, key, moments):
        self.key, self.moments, self.used = key, moments, 0

    def __iter__(self):
        for moment in self.moments:
            self.used += 1
            yield moment


def state(net):
    """The slow weights of a net."""
    return (net.W if isinstance(net, FastWeights) else net.V).copy()


EASY = {"nets": 12, "steps": 1100, "tolerance": 0.3, "rnn_nets": 4, "streak": 24}


def test_run_trains_tests_and_compares_as_it_says(wired):
    config, fractions = Config(**EASY), []
    metrics = run(config, 1000, lambda fraction, message: fractions.append(fraction))
    streams = [call[0] for call in wired["life"] + wired["init"]]
    assert len(streams) == len(set(streams)) == 6  # no two random streams start alike
    (fast, fast_key, fast_used, (solved, asked), fast_state) = wired["train"][0]
    (rtrl, rtrl_key, rtrl_used, (rtrl_solved, rtrl_asked), rtrl_state) = wired["train"][1]
    assert (type(fast), type(rtrl)) == (FastWeights, Recurrent)
    assert fast_used == rtrl_used == config.steps  # the rival saw as many moments
    lives = [call[1:3] for call in wired["life"]]
    assert lives[fast_key] == (12, 1100) and lives[rtrl_key] == (12, 1100)
    for (net, key, used, _, after), trained in zip(wired["examine"], (fast, rtrl)):
        assert net is trained and key not in (
            fast_key,
            rtrl_key,
        )  # lives of which none was trained on
        assert used == fast_weights_key_value.TEST_STEPS
        np.testing.assert_array_equal(after, fast_state if net is fast else rtrl_state)
    assert len({call[1] for call in wired["train"] + wired["examine"]}) == 4
    assert all(call[-1] is config for call in wired["life"] + wired["init"])
    assert fractions == sorted(fractions) and 0.9 < fractions[-1] <= 1

    exam, rtrl_exam = (call[3] for call in wired["examine"])
    able, loose = np.isfinite(asked), np.isfinite(solved)
    assert 0 < able.sum() < loose.sum() < 12
    assert metrics["solved"] == loose.mean() and metrics["solved_asked"] == able.mean()
    assert metrics["median_steps"] == median(solved, config)
    assert metrics["median_steps_asked"] == median(asked, config)
    for age in (1, 3, 10):
        assert metrics[f"right_after_{age}"] == right_after(exam, age, able)
    assert metrics["loose_right_after_10"] == right_after(exam, 10, loose)
    strong, weak = (np.nanmean(part[:, able]) for part in exam[2:])
    assert metrics["strong_weight_mean"] == pytest.approx(strong)
    assert metrics["weak_weight_mean"] == pytest.approx(weak)
    assert metrics["curve"] == curve(solved, config)

    medians = [median(rtrl_solved[4 * k : 4 * k + 4], config) for k in range(3)]
    best = int(np.argmin(medians))
    rows = np.arange(12) // 4 == best
    assert metrics["rtrl"] == {
        "best_rate": config.rnn_rates[best],
        "median_steps": medians[best],
        "solved": np.isfinite(rtrl_solved[rows]).mean(),
        "solved_asked": np.isfinite(rtrl_asked[rows]).mean(),
        "right_after_10": right_after(rtrl_exam, 10, rows & np.isfinite(rtrl_asked)),
    }
    ratio = medians[best] / metrics["median_steps"]
    assert metrics["log_ratio_rtrl"] == pytest.approx(math.log(ratio)) and ratio != 1


def test_a_run_repeats_bit_for_bit_and_seeds_differ(monkeypatch):
    monkeypatch.setattr(fast_weights_key_value, "TEST_STEPS", 100)
    config = Config(**EASY | {"steps": 600, "streak": 12, "nets": 6, "rnn_nets": 2})
    assert run(config, 1000, silent) == run(config, 1000, silent) != run(config, 1001, silent)


# ---- the study: many bindings in one matrix ----
def some_episodes(count=4, pairs=5, seed=0):
    """A few episodes around a common vector."""
    rng = np.random.default_rng(seed)
    return study.episodes(rng, count, pairs, study.unit(rng.standard_normal(8))[0], 0.4)


def from_net(kind, seed=1):
    """A FROM net with random weights."""
    rng = np.random.default_rng(seed)
    if kind is study.Linear:
        return kind(np.eye(8) + 0.3 * rng.standard_normal((8, 8)))
    net = kind(rng, 7, 6)
    net.weights[1] += rng.standard_normal(7)
    net.weights[3] += rng.standard_normal(6)
    return net


@pytest.mark.parametrize("kind", [study.Linear, study.Nonlinear])
def test_gradient_of_a_from_net_through_the_unit_length(kind):
    net, batch = from_net(kind), some_episodes()
    _, gradient = study.loss_and_gradient(net, *batch)
    assert len(gradient) == len(net.weights)
    for weight, exact in zip(net.weights, gradient):
        estimate = numerical(lambda: study.loss_and_gradient(net, *batch)[0], weight)
        assert exact.shape == weight.shape
        assert np.abs(estimate).max() > 1e-3
        assert np.abs(exact.ravel() - estimate).max() <= 1e-6 * max(1, np.abs(estimate).max())


def test_reading_equals_a_matrix_of_outer_products_and_linear_attention():
    keys, values, query = some_episodes(count=6, pairs=9)
    net = from_net(study.Nonlinear)
    phi, length = study.unit(net.forward(keys))
    np.testing.assert_allclose((phi**2).sum(-1), 1, **CLOSE)
    assert (net.forward(keys) > 0).all() and (length > 0).all()
    y, _ = study.read(phi, values, query)
    for b in range(6):
        M = sum(np.outer(values[b, t], phi[b, t]) for t in range(9))
        np.testing.assert_allclose(y[b], M @ phi[b, query[b]], **CLOSE)
    loss, _ = study.loss_and_gradient(net, keys, values, query)
    error = y - values[np.arange(6), query]
    assert loss == pytest.approx(0.5 * (error**2).sum() / 6)


def test_softmax_attention_against_loops():
    keys, values, query = some_episodes(count=3, pairs=4)
    phi, _ = study.unit(keys)
    y = study.attend(phi, values, query, 7.0)
    for b in range(3):
        weight = [math.exp(7.0 * phi[b, t] @ phi[b, query[b]]) for t in range(4)]
        right = sum(w * values[b, t] for t, w in enumerate(weight)) / sum(weight)
        np.testing.assert_allclose(y[b], right, **CLOSE)


def test_episodes_are_fresh_and_their_keys_alike():
    rng = np.random.default_rng(2)
    common = np.eye(8)[0]
    keys, values, query = study.episodes(rng, 4000, 5, common, 0.4)
    again = study.episodes(rng, 4000, 5, common, 0.4)
    assert keys.shape == values.shape == (4000, 5, 8) and query.shape == (4000,)
    assert not np.array_equal(keys, again[0]) and not np.array_equal(values, again[1])
    np.testing.assert_allclose(keys.mean((0, 1)), common, rtol=0, atol=0.01)
    assert ((keys - common) ** 2).sum(-1).mean() == pytest.approx(0.16, rel=0.03)
    assert (values**2).sum(-1).mean() == pytest.approx(1, rel=0.03)
    assert np.abs((keys[..., 0] * values[..., 0]).mean()) < 0.02
    assert np.abs(np.bincount(query) / 4000 - 0.2).max() < 0.03


def test_scores_worked_by_hand():
    values = np.array([[[1.0, 0], [0, 1]], [[2, 0], [0, 2]], [[1, 0], [3, 0]]])
    y = np.array([[2.0, 0], [0, 5], [4, 0]])
    cosine, top1 = study.score(y, values, np.array([0, 0, 0]))
    assert cosine == pytest.approx((1 + 0 + 1) / 3)
    assert top1 == pytest.approx(1 / 3)  # the last is nearer to (3, 0)


def test_pairs_held_lies_between_the_tested_numbers():
    top1 = np.ones(len(study.PAIRS))
    assert study.pairs_held(top1) == 64
    top1[5:] = 0.8  # 5 pairs: 1.0, 6 pairs: 0.8
    assert study.pairs_held(top1) == pytest.approx(5.5)
    assert study.pairs_held(top1, least=0.95) == pytest.approx(5.25)


def test_teaching_is_adam_on_new_episodes_and_helps(monkeypatch):
    drawn, gradients = [], []
    draw, slope = study.episodes, study.loss_and_gradient

    def spied_episodes(*arguments):
        drawn.append(draw(*arguments))
        return drawn[-1]

    def spied_gradient(*arguments):
        gradients.append(slope(*arguments))
        return gradients[-1]

    monkeypatch.setattr(study, "episodes", spied_episodes)
    monkeypatch.setattr(study, "loss_and_gradient", spied_gradient)
    config = study.Config(updates=60, batch_size=32, learning_rate=0.01)
    net = from_net(study.Linear)
    W = net.weights[0].copy()
    study.teach(net, np.random.default_rng(3), np.eye(8)[0], 5, config)
    assert len(drawn) == 60 and drawn[0][0].shape == (32, 5, 8)
    assert len({batch[0][0, 0, 0] for batch in drawn}) == 60
    mean = square = np.zeros((8, 8))
    for t, (_, (gradient,)) in enumerate(gradients, 1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        W = W - 0.01 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(net.weights[0], W, rtol=0, atol=1e-10)
    losses = [loss for loss, _ in gradients]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_the_study_reports_the_settings_that_it_trained(wired):
    config = study.Config(**study.QUICK | {"nets": 3, "grid_nets": 2, "steps": 150})
    paper = Config(nets=3, rnn_nets=2, steps=150, rnn_rates=(5.0,), init=2.0, streak=15)
    table = study.settings(config, paper, np.random.SeedSequence(1000), silent)
    batch = wired["init"][0][2]
    assert batch.nets == 9 + 40 and wired["life"][0][1:] == (49, 150, batch)
    assert batch.steepness.tolist() == [10.0] * 9 + [8.0] * 8 + [9.0] * 8 + [10.0] * 8 + (
        [12.0] * 8 + [15.0] * 8
    )
    rates = [0.02, 0.02, 0.05, 0.05, 0.1, 0.1, 0.2, 0.2]
    assert batch.learning_rate.tolist() == [0.02] * 9 + 5 * rates
    assert batch.query_share.tolist() == [0.25] * 3 + [0.5] * 3 + [1.0] * 43
    solved, solved_asked = wired["train"][0][3]
    assert 0 < np.isfinite(solved).mean() < 1
    for k, share in enumerate(("0.25", "0.5", "1")):
        part = slice(3 * k, 3 * k + 3)
        assert table[f"paper_share_{share}"] == {
            "solved": np.isfinite(solved[part]).mean(),
            "solved_asked": np.isfinite(solved_asked[part]).mean(),
            "median_steps": median(solved[part], paper),
        }
    cells = solved[9:].reshape(5, 4, 2)  # steepness, learning rate, nets
    for steepness, row in zip((8, 9, 10, 12, 15), cells):
        shares, medians = np.isfinite(row).mean(1), [median(part, paper) for part in row]
        assert table[f"grid_{steepness}"] == {
            "most_solved": shares.max(),
            "least_median": min(medians),
            "solved": shares.tolist(),
            "median_steps": medians,
        }


def test_long_stays_are_long_and_their_nets_frozen(wired):
    config = study.Config(nets=8, rnn_nets=2, steps=600, stay=40)
    paper = Config(nets=8, rnn_nets=2, steps=600, rnn_rates=(5.0,), init=2.0, streak=5)
    table = study.long_stays(config, paper, np.random.SeedSequence(1000), silent)
    (fast, key, used, (solved, asked), after), (_, rnn_key, rnn_used, (rnn_solved, _), _) = wired[
        "train"
    ]
    ((net, test_key, _, exam, frozen),) = wired["examine"]
    assert net is fast and used == rnn_used == 600 and len({key, rnn_key, test_key}) == 3
    np.testing.assert_array_equal(frozen, after)
    assert wired["life"][test_key][3].change_probability == 1 / 40
    streams = [call[0] for call in wired["life"] + wired["init"]]
    assert len(streams) == len(set(streams)) == 5
    able = np.isfinite(asked)
    assert able.any()
    assert table["long_stay"] == {
        "right_after_1": right_after(exam, 1, able),
        "right_after_100": right_after(exam, 100, able),
    }
    assert table["curves"]["fast"] == curve(solved, paper)["y"]
    assert table["curves"]["fast_asked"] == curve(asked, paper)["y"]
    assert table["curves"]["rtrl"] == curve(rnn_solved, paper)["y"]


def test_from_nets_get_as_much_training_and_the_same_fresh_test(monkeypatch):
    taught, tried = [], []
    teach, try_out = study.teach, study.try_out

    def spied_teach(net, rng, common, pairs, config):
        taught.append((net, first_number(rng), tuple(common), pairs, config))
        return teach(net, rng, common, pairs, config)

    def spied_try_out(net, seed, common, config, *sharpness):
        tried.append((net, first_number(np.random.default_rng(seed)), tuple(common), *sharpness))
        return try_out(net, seed, common, config, *sharpness)

    monkeypatch.setattr(study, "teach", spied_teach)
    monkeypatch.setattr(study, "try_out", spied_try_out)
    config = study.Config(**study.QUICK | {"updates": 1})
    found = study.binding(config, np.random.SeedSequence(1000), silent)
    assert list(found) == ["identity", "linear", "linear_early", "softmax"] + [
        f"features_{m}" for m in (4, 8, 16, 32, 64, 128)
    ]
    assert [call[3] for call in taught] == [16, 5] + [16] * 6
    assert all(call[4] is config for call in taught)
    tests = {call[1] for call in tried}
    streams = {call[1] for call in taught}
    assert len(tests) == 1 and len(streams) == 8 and not tests & streams
    assert len({call[2] for call in taught + tried}) == 1
    by_name = dict(zip(found, tried))
    np.testing.assert_array_equal(by_name["identity"][0].weights[0], np.eye(8))
    assert by_name["linear"][0] is by_name["softmax"][0] is taught[0][0]
    assert by_name["linear_early"][0] is taught[1][0]
    assert by_name["softmax"][3:] == (config.sharpness,) and by_name["linear"][3:] == ()
    for net, m in zip(taught[2:], (4, 8, 16, 32, 64, 128)):
        assert net[0] is by_name[f"features_{m}"][0]
        assert net[0].weights[2].shape == (32, m)
    for cosine, top1 in found.values():
        assert cosine[0] == pytest.approx(1) and top1[0] == 1  # a single pair is told right

    table = study.report(found)
    assert table["linear"]["cosine_5"] == found["linear"][0][study.PAIRS.index(5)]
    assert table["features_64"]["top1_16"] == found["features_64"][1][study.PAIRS.index(16)]
    gain = table["features_64"]["top1_16"] - table["linear"]["top1_16"]
    assert table["top1_gain_16"] == gain
    assert table["top1"]["softmax"] == found["softmax"][1].tolist()


def test_a_gain_is_positive_when_the_nonlinear_net_is_better():
    low, high = (np.full((2, len(study.PAIRS)), value) for value in (0.25, 0.75))
    table = study.report({"linear": low, "features_64": high})
    assert table["top1_gain_16"] == 0.5


def test_the_study_runs_its_parts_on_streams_of_their_own(monkeypatch):
    seeds, papers = [], []

    def part(name):
        def spied(config, *arguments):
            *paper, seed, progress = arguments
            seeds.append(np.random.default_rng(seed).random())
            papers.extend(paper)
            return {name: 1.0}

        return spied

    for name in ("settings", "long_stays", "binding"):
        monkeypatch.setattr(study, name, part(name))
    monkeypatch.setattr(study, "report", lambda found: {"reported": found})
    config = study.Config(nets=7, rnn_nets=6, steps=500)
    table = study.run(config, 1000, silent)
    assert table == {"settings": 1.0, "long_stays": 1.0, "reported": {"binding": 1.0}}
    assert len(set(seeds)) == 3
    assert papers == [Config(nets=7, rnn_nets=6, steps=500, rnn_rates=(5.0,))] * 2


# ---- unusable arguments ----
@pytest.mark.parametrize(
    "argv",
    [
        ["--nets", "0"],
        ["--steps", "5"],
        ["--steepness", "0"],
        ["--learning-rate", "nan"],
        ["--query-share", "1.5"],
        ["--change-probability", "0"],
        ["--tolerance", "-1"],
        ["--rnn-rates", "0.5", "x"],
        ["--streak", "many"],
        ["--seed", "-1"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        fast_weights_key_value.main(fast_weights_key_value, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1


# ---- learning ----
def test_both_kinds_of_net_learn_and_the_memory_holds():
    config = Config(nets=30, steps=14_000, rnn_nets=8, rnn_rates=(5.0,))
    fast = FastWeights(np.random.default_rng(1000), config)
    assert np.abs(fast.W).max() <= 0.1 and fast.W.min() < -0.08 and fast.W.max() > 0.08
    moments = life(np.random.default_rng(1001), 30, config.steps, config)
    solved, solved_asked = train(fast, moments, config, silent)
    assert 0.75 <= np.isfinite(solved).mean() and 4500 < median(solved, config) < 9500
    able = np.isfinite(solved_asked)
    patient = replace(config, change_probability=0.02)
    exam = examine(fast, life(np.random.default_rng(1002), 30, 400, patient))
    assert right_after(exam, 30, able) > 0.95
    detectors = fast.W[:, :3, able]  # what S has learned: to fill one fast weight, empty the others
    assert (detectors[np.arange(3), np.arange(3)] > 0.3).mean() > 0.95
    recurrent = Recurrent(np.random.default_rng(1003), config)
    moments = life(np.random.default_rng(1004), 8, config.steps, config)
    solved, _ = train(recurrent, moments, config, silent)
    assert 2500 < median(solved, config) < 6500
