"""Tests of compete_to_compute: the competition, gradients, the stop, the two tasks, the wiring."""

import gzip
import math
import warnings
from dataclasses import replace

import compete_to_compute as c2c
import study_compete_to_compute as study
from compete_to_compute import (
    KINDS,
    QUICK,
    Config,
    Part,
    Task,
    backward,
    batches,
    descend,
    digits,
    draw,
    error,
    forward,
    layers,
    learn_both,
    lwta,
    mean_nll,
    relu,
    rest,
    run,
    sigmoid,
    train_to_likelihood,
    two_tasks,
)
import numpy as np
import pytest

ACTIVATIONS = {"lwta": lwta, "relu": relu, "sigmoid": sigmoid}


def silent(fraction, message):
    """Show nothing."""


def small_net(seed=0, sizes=(5, 6, 4, 6, 3)):
    """A net in 64 bits whose biases are not zero."""
    rng = np.random.default_rng(seed)
    pairs = zip(sizes, sizes[1:])
    return [(rng.standard_normal(pair), 0.5 * rng.standard_normal(pair[1])) for pair in pairs]


def small_part(seed=1, count=40, inputs=5, classes=3):
    """Images of noise, whose labels stand in their first pixels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count).astype(np.intp)
    images = 0.3 * rng.random((count, inputs))
    images[np.arange(count), labels] += 1
    return Part(images, labels)


def small_tasks(seed=2):
    """Two tasks of tiny parts in MNIST's format."""
    parts = [small_part(seed + n, count, 784, 5) for n, count in enumerate((50, 20, 45, 21))]
    parts = [Part(part.images.astype(np.float32), part.labels) for part in parts]
    return [Task(*parts[:2]), Task(*parts[2:])]


def small_config(**more):
    """Settings with which small tasks are learned at once."""
    return Config(**{"hidden_size": 6, "batch_size": 10, "max_epochs": 2} | more)


# ---- the competition ----
def test_the_winner_passes_its_value_on_and_the_first_wins_a_tie():
    z = np.array([[1.0, -2.0, 7.0, 3.0, -5.0, 7.0]])  # pairs (1, 3), (-2, -5), (7, 7)
    y, slope = lwta(z)
    np.testing.assert_array_equal(y, [[0, -2, 7, 3, 0, 0]])
    np.testing.assert_array_equal(slope, [[0, 1, 1, 1, 0, 0]])


def test_competition_agrees_with_a_loop_over_pairs():
    z = np.random.default_rng(0).standard_normal((7, 10))
    expected = np.zeros_like(z)
    for row in range(7):
        for unit in range(5):
            winner = unit if z[row, unit] >= z[row, unit + 5] else unit + 5
            expected[row, winner] = z[row, winner]
    y, slope = lwta(z)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(slope, expected != 0)


def test_the_rivals_squash_and_rectify():
    z = np.array([[-2.0, 0.0, 3.0]])
    np.testing.assert_array_equal(relu(z), [[[0, 0, 3]], [[0, 0, 1]]])
    y, slope = sigmoid(z)
    np.testing.assert_allclose(y[0], [1 / (1 + math.exp(-value)) for value in z[0]])
    np.testing.assert_allclose(slope, y * (1 - y))


# ---- the net ----
def slow_log_p(net, x, kind):
    """The log-probabilities of one image, one number at a time."""
    for n, (W, b) in enumerate(net):
        z = [sum(x[i] * W[i, j] for i in range(len(x))) + b[j] for j in range(len(b))]
        half = len(z) // 2
        if n == len(net) - 1:
            total = sum(math.exp(value) for value in z)
            return [value - math.log(total) for value in z]
        if kind == "lwta":
            wins = [z[j] >= z[j + half] for j in range(half)]
            wins += [not win for win in wins]
            x = [value * win for value, win in zip(z, wins)]
        elif kind == "relu":
            x = [max(value, 0.0) for value in z]
        else:
            x = [1 / (1 + math.exp(-value)) for value in z]
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_forward_agrees_with_a_loop_over_units(kind):
    net, part = small_net(), small_part(count=4)
    log_p, _, _ = forward(net, part.images, ACTIVATIONS[kind])
    slow = [slow_log_p(net, x, kind) for x in part.images]
    np.testing.assert_allclose(log_p, slow, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_agrees_with_central_differences(kind):
    net, part, activation = small_net(3), small_part(count=9), ACTIVATIONS[kind]
    log_p, inputs, slopes = forward(net, part.images, activation)
    gradient = backward(net, log_p, part.labels, inputs, slopes)
    for layer, slope in zip(net, gradient, strict=True):
        for parameter, g in zip(layer, slope, strict=True):
            assert parameter.shape == g.shape and np.abs(g).max() > 1e-4
            for i in np.ndindex(parameter.shape):
                kept, ends = parameter[i], []
                for step in (1e-6, -1e-6):
                    parameter[i] = kept + step
                    ends.append(mean_nll(net, activation, part, np.inf))
                parameter[i] = kept
                assert abs((ends[0] - ends[1]) / 2e-6 - g[i]) <= 1e-8


def test_losers_do_not_learn():
    net, part = small_net(4), small_part(count=1)
    log_p, inputs, slopes = forward(net, part.images, lwta)
    gradient = backward(net, log_p, part.labels, inputs, slopes)
    for (dW, db), wins in zip(gradient[:-1], slopes, strict=True):
        assert wins.sum() == wins.size / 2
        np.testing.assert_array_equal(db != 0, wins[0])
        assert not dW[:, ~wins[0]].any()


def test_the_starts_are_scaled_draws():
    normals = [np.ones((8, 4), np.float32), np.full((4, 2), -2, np.float32)]
    config = Config(init_scale=3.0, sigmoid_scale=4.0)
    (W, b), (V, _) = layers(normals, KINDS["lwta"][1], config)
    np.testing.assert_allclose(W, 3 * math.sqrt(2 / 8))
    np.testing.assert_allclose(V, -6 * math.sqrt(2 / 4))
    assert W.dtype == b.dtype == np.float32 and not b.any()
    assert KINDS["relu"][1] is KINDS["lwta"][1]
    (W, _), _ = layers(normals, KINDS["sigmoid"][1], config)
    np.testing.assert_allclose(W, 4 * math.sqrt(2 / 12), rtol=1e-6)
    assert {kind: parts[0] for kind, parts in KINDS.items()} == ACTIVATIONS


# ---- training ----
def test_momentum_on_a_case_worked_by_hand():
    """Zero weights and one image: p = 1/2, so dz = (-1/2, 1/2); then it is followed by rules."""
    net = [(np.zeros((1, 2)), np.zeros(2))]
    velocity, image, label = rest(net), np.array([[2.0]]), np.array([0])
    descend(net, velocity, relu, image, label, 0.1, 0.9)
    np.testing.assert_allclose(net[0][0], [[0.1, -0.1]])
    np.testing.assert_allclose(net[0][1], [0.05, -0.05])
    p = 1 / (1 + math.exp(-2 * (2 * 0.1 + 0.05)))
    descend(net, velocity, relu, image, label, 0.1, 0.9)
    np.testing.assert_allclose(net[0][1][0], 0.05 + 0.9 * 0.05 + 0.1 * (1 - p))
    np.testing.assert_allclose(velocity[0][1][0], 0.9 * 0.05 + 0.1 * (1 - p))


def test_epochs_are_cut_into_whole_batches():
    order = np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])
    assert [b.tolist() for b in batches(order, 2)] == [[0, 1], [2, 3], [4, 3], [2, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_plain_gradient_descent_to_the_first_check_that_passes(kind):
    part, activation = small_part(), ACTIVATIONS[kind]
    config = small_config(max_epochs=60, target_nll=0.4, checks_per_epoch=2, learning_rate=0.1)
    rng = np.random.default_rng(5)
    order = np.array([rng.permutation(40) for _ in range(60)])
    net, twin = small_net(6), small_net(6)
    updates, nll = train_to_likelihood(net, activation, part, order, config, silent)
    speed = [(0 * W, 0 * b) for W, b in twin]
    done, found = 0, math.inf
    while found > 0.4 and done < 240:
        for _ in range(2):  # 4 batches an epoch, 2 checks
            rows = order[done // 4, done % 4 * 10 : done % 4 * 10 + 10]
            log_p, inputs, slopes = forward(twin, part.images[rows], activation)
            slope = backward(twin, log_p, part.labels[rows], inputs, slopes)
            pairs = list(zip(speed, slope, strict=True))
            speed = [(0.9 * V - 0.1 * G, 0.9 * v - 0.1 * g) for (V, v), (G, g) in pairs]
            twin = [(W + V, b + v) for (W, b), (V, v) in zip(twin, speed, strict=True)]
            done += 1
        log_p, _, _ = forward(twin, part.images, activation)
        found = -log_p[np.arange(40), part.labels].mean()
    assert 2 < updates == done < 240 and nll == pytest.approx(found)
    np.testing.assert_allclose(net[0][0], twin[0][0], rtol=1e-6)


def test_training_ends_at_the_cap_and_when_it_diverges():
    part, order = small_part(), np.array([np.arange(40)] * 3)
    never = small_config(target_nll=0.0)
    updates, nll = train_to_likelihood(small_net(), sigmoid, part, order, never, silent)
    assert updates == 12 and math.isfinite(nll)
    wild = small_config(target_nll=0.0, learning_rate=10.0, momentum=0.999)
    large = [(1e200 * W, b) for W, b in small_net()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        updates, nll = train_to_likelihood(large, lwta, part, order, wild, silent)
        assert error(large, lwta, part) <= 100
    assert updates == 2 and not math.isfinite(nll)


# ---- evaluation ----
def test_likelihood_is_of_the_whole_part_unless_a_glance_is_far_off(monkeypatch):
    monkeypatch.setattr(c2c, "GLANCE", 7)
    net, part = small_net(), small_part()
    log_p, _, _ = forward(net, part.images, lwta)
    each = -log_p[np.arange(40), part.labels]
    assert mean_nll(net, lwta, part, np.inf) == pytest.approx(each.mean())
    assert mean_nll(net, lwta, part, each[:7].mean() + 1e-9) == pytest.approx(each.mean())
    assert mean_nll(net, lwta, part, each[:7].mean() - 1e-9) == pytest.approx(each[:7].mean())


def test_errors_are_in_per_cent():
    part = Part(np.eye(4), np.array([0, 1, 2, 0]))
    assert error([(np.eye(4), np.zeros(4))], relu, part) == 25.0


# ---- the task ----
def test_both_tasks_are_cut_from_both_halves(monkeypatch):
    def made_up(name):
        """Ten images that are full of 3 n or, for the test, 3 n + 1; n is the label."""
        labels = np.arange(10, dtype=np.uint8)
        images = np.ones((10, 28, 28), np.uint8) * (3 * labels + ("t10k" in name))[:, None, None]
        return labels if "labels" in name else images

    monkeypatch.setattr(c2c, "read", made_up)
    for first, task in zip((0, 5), two_tasks(), strict=True):
        for extra, part in enumerate(task):
            expected = 3 * np.arange(first, first + 5) + extra
            assert part.images.shape == (5, 784) and part.labels.tolist() == [0, 1, 2, 3, 4]
            np.testing.assert_allclose(part.images[:, 7] * 255, expected, rtol=1e-6)


@pytest.fixture(scope="module")
def tasks():
    """P1 and P2 as they are."""
    if not any(place.exists() for place in c2c.PLACES):
        pytest.skip("no MNIST beside this folder")
    return two_tasks()


def test_p1_has_the_digits_0_to_4_and_p2_the_others(tasks):
    sizes = [(len(task.train.labels), len(task.test.labels)) for task in tasks]
    assert sizes == [(30596, 5139), (29404, 4861)]
    for task in tasks:
        for images, labels in task:
            assert images.dtype == np.float32 and images.shape == (len(labels), 784)
            assert (images.min(), images.max()) == (0, 1)
            assert labels.dtype == np.intp and set(labels.tolist()) == set(range(5))
    raw = c2c.mnist("t10k")
    np.testing.assert_array_equal(tasks[1].test.labels[:50] + 5, raw.labels[raw.labels > 4][:50])
    five = raw.images[raw.labels > 4][3].astype(np.float32) / 255
    np.testing.assert_array_equal(tasks[1].test.images[3], five)


def test_digits_are_chosen_and_numbered_from_0():
    part = digits(Part(np.full((4, 2), 51, np.uint8), np.array([3, 6, 5, 9])), 5, 2)
    assert part.labels.tolist() == [1, 0]
    np.testing.assert_allclose(part.images, 0.2)


def test_no_test_image_is_a_training_image(tasks):
    for task in tasks:
        train, test = ({row.tobytes() for row in part.images} for part in task)
        assert not train & test


def test_a_file_that_is_missing_or_changed_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(c2c, "PLACES", (tmp_path, tmp_path / "other"))
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte.gz"):
        c2c.read("t10k-labels-idx1")
    raw = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7])
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(OSError, match="does not hold"):
        c2c.read("t10k-labels-idx1")


# ---- the wiring of the experiment ----
def test_everything_random_comes_from_streams_that_differ():
    tasks, config = small_tasks(), small_config()
    draws = draw(config, 1000, tasks)
    assert [W.shape for W in draws.body] == [(784, 6), (6, 6), (6, 6)]
    assert [W.shape for W in draws.heads] == [(6, 5), (6, 5)]
    starts = [W.ravel()[:4].tobytes() for W in (*draws.body, *draws.heads)]
    assert len(set(starts)) == 5
    for order, task in zip(draws.orders, tasks, strict=True):
        assert order.shape == (2, len(task.train.labels))
        assert (np.sort(order, 1) == np.arange(order.shape[1])).all()
        assert (order[0] != order[1]).any()
    alike = draw(config, 1000, [tasks[0], tasks[0]])
    assert (alike.orders[0] != alike.orders[1]).any()
    again = draw(config, 1000, tasks)
    np.testing.assert_array_equal(again.body[0], draws.body[0])
    assert (draw(config, 1001, tasks).heads[0] != draws.heads[0]).all()


@pytest.fixture
def filmed(monkeypatch):
    """What is trained and what is evaluated, in order; in the experiment and in the study."""
    films = []
    train, judge = train_to_likelihood, error

    def watched_train(net, activation, part, order, config, progress):
        start = study.copied(net)
        updates, nll = train(net, activation, part, order, config, progress)
        films.append(("train", activation, part, start, study.copied(net), order, config))
        return updates, nll

    def watched_error(net, activation, part):
        films.append(("error", activation, part, study.copied(net), judge(net, activation, part)))
        return films[-1][-1]

    for module in (c2c, study):
        monkeypatch.setattr(module, "train_to_likelihood", watched_train)
        monkeypatch.setattr(module, "error", watched_error)
    return films


def same(net, other):
    """Whether two nets or parts of nets are equal."""
    pairs = zip(net, other, strict=True)
    return all(np.array_equal(p, q) for one, two in pairs for p, q in zip(one, two, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_learns_p1_then_p2_with_a_fresh_head_and_goes_back_to_the_first(kind, filmed):
    tasks, config = small_tasks(), small_config()
    draws = draw(config, 1000, tasks)
    row = learn_both(kind, draws, tasks, config, silent)
    (p1, before, p2, after, second) = filmed
    assert [film[0] for film in filmed] == ["train", "error", "train", "error", "error"]
    assert {film[1] for film in filmed} == {ACTIVATIONS[kind]}
    parts = [film[2] for film in filmed]
    wanted = [tasks[0].train, tasks[0].test, tasks[1].train, tasks[0].test, tasks[1].test]
    assert all(part is want for part, want in zip(parts, wanted, strict=True))
    assert p1[5] is draws.orders[0] and p2[5] is draws.orders[1]
    assert p1[6] == p2[6] == config
    fresh = layers([*draws.body, *draws.heads], KINDS[kind][1], config)
    assert same(p1[3], fresh[:4])
    assert same(before[3], p1[4])
    assert same(p2[3], [*p1[4][:3], fresh[4]])
    assert not same(p2[4][:1], p1[4][:1])  # all layers go on learning
    assert same(after[3], [*p2[4][:3], p1[4][3]])
    assert same(second[3], p2[4])
    assert (row["p1_before"], row["p1_after"]) == (before[-1], after[-1])
    assert row["p2_after"] == second[-1]
    assert (row["updates_p1"], row["updates_p2"]) == (10, 8)


def test_the_rivals_start_alike_and_see_the_same_images(filmed, monkeypatch):
    tasks = small_tasks()
    monkeypatch.setattr(c2c, "two_tasks", lambda: tasks)
    table = run(small_config(), 1000, silent)
    trained = [film for film in filmed if film[0] == "train"]
    assert [film[1] for film in trained] == [lwta, lwta, relu, relu, sigmoid, sigmoid]
    assert same(trained[0][3], trained[2][3])
    for lone, other in ((0, 2), (0, 4), (1, 3), (1, 5)):
        assert trained[lone][5] is trained[other][5]
    rate = trained[0][3][0][0] / trained[4][3][0][0]
    np.testing.assert_allclose(rate, rate[0, 0], rtol=1e-5)
    seen = {id(film[2]) for film in trained}
    judged = {id(film[2]) for film in filmed if film[0] == "error"}
    assert seen == {id(task.train) for task in tasks}
    assert judged == {id(task.test) for task in tasks}
    assert len({row["updates_p1"] for row in list(table.values())[:3]}) == 1  # all at the cap


def scripted(monkeypatch, **after):
    """Make a run of nets that end with these errors on P1."""

    def row(kind, draws, tasks, config, progress):
        progress(0.5, "half")
        return {"updates_p1": 3, "updates_p2": 4, "p1_after": after[kind]}

    monkeypatch.setattr(c2c, "two_tasks", small_tasks)
    monkeypatch.setattr(c2c, "learn_both", row)
    said = []
    table = run(small_config(), 1000, lambda fraction, message: said.append(fraction))
    assert said == sorted(said) and 0 < said[0] and said[-1] < 1
    return table


def test_a_run_compares_what_is_left(monkeypatch):
    table = scripted(monkeypatch, lwta=6.0, relu=16.0, sigmoid=56.0)
    assert table["relu_minus_lwta"] == 10.0 and table["sigmoid_over_relu"] == 3.5
    assert table["training"]["patterns_per_second"] > 0
    table = scripted(monkeypatch, lwta=None, relu=16.0, sigmoid=None)
    assert table["relu_minus_lwta"] is None and table["sigmoid_over_relu"] is None
    assert scripted(monkeypatch, lwta=1.0, relu=0.0, sigmoid=2.0)["sigmoid_over_relu"] is None


def test_a_row_reports_the_worse_likelihood_and_a_divergence(monkeypatch):
    ends = [(7, 0.01), (9, 0.02), (7, 0.03), (9, 0.02), (7, 0.01), (9, math.nan)]
    monkeypatch.setattr(c2c, "train_to_likelihood", lambda *_: ends.pop(0))
    tasks, config = small_tasks(), small_config()
    draws = draw(config, 0, tasks)
    assert learn_both("lwta", draws, tasks, config, silent)["nll"] == 0.02
    assert learn_both("relu", draws, tasks, config, silent)["nll"] == 0.03
    row = learn_both("relu", draws, tasks, config, silent)
    assert row["nll"] is row["p1_after"] is row["p2_after"] is None
    assert row["p1_before"] is not None and row["updates_p2"] == 9


def test_a_run_repeats_bit_for_bit_and_seeds_differ(monkeypatch):
    monkeypatch.setattr(c2c, "two_tasks", small_tasks)
    runs = [run(small_config(), seed, silent) for seed in (1000, 1000, 1001)]
    assert all(table.pop("training")["patterns_per_second"] > 0 for table in runs)
    assert runs[0] == runs[1] != runs[2]


def test_the_default_run_is_the_papers_protocol():
    config = Config()
    assert (config.target_nll, config.hidden_size, config.momentum) == (0.03, 240, 0.9)
    assert (config.checks_per_epoch, config.max_epochs, config.batch_size) == (2, 40, 100)
    assert list(KINDS) == ["lwta", "relu", "sigmoid"] and c2c.CLASSES == 5


# ---- the study ----
def test_a_net_that_misses_the_target_has_lost():
    def row(after, nll):
        return {"p1_after": after, "nll": nll}

    good, better = row(5.0, 0.02), row(3.0, 0.03)
    far, gone = row(1.0, 0.5), row(None, None)
    assert study.lower(better, good, 0.03) and not study.lower(good, better, 0.03)
    assert not study.lower(good, good, 0.03)
    for lost in (far, gone):
        assert study.lower(good, lost, 0.03)
        assert not study.lower(lost, good, 0.03) and not study.lower(lost, gone, 0.03)


def test_the_map_has_a_cell_for_each_setting(monkeypatch):
    asked = []

    def row(kind, draws, tasks, config, progress):
        asked.append((kind, config.learning_rate, config.momentum))
        after = 5.0 if kind == "relu" else 10 * config.momentum
        return {"p1_after": after, "nll": 0.01, "updates_p1": 2, "updates_p2": 3}

    monkeypatch.setattr(study, "learn_both", row)
    config = study.Config(learning_rates=(0.1, 0.2), momenta=(0.0, 0.4, 0.9))
    table = study.chart(None, None, config, silent)
    cells = [(rate, momentum) for rate in (0.1, 0.2) for momentum in (0.0, 0.4, 0.9)]
    assert asked == [(kind, *cell) for cell in cells for kind in ("lwta", "relu")]
    assert table["map"]["lwta_lower"] == pytest.approx(4 / 6)
    cell = table["rate_0_2_momentum_0_4"]
    assert cell == {"lwta": 4.0, "relu": 5.0, "lwta_updates": 5, "relu_updates": 5}


def test_p1s_units_and_their_share_of_the_movement():
    often = np.array([0.9, 0.2, 0.5, 0.1, 0.8, 0.5])  # pairs (0, 3), (1, 4), (2, 5)
    assert study.busy("lwta", often).tolist() == [True, False, True, False, True, False]
    assert study.busy("relu", often).tolist() == [True, False, False, False, True, False]
    zero = np.zeros(4)
    images = np.eye(2)
    before = [(np.array([[3.0, 1, 0, 2], [3, 1, 0, 2]]), zero), (np.ones((4, 5)), np.zeros(5))]
    after = study.copied(before)
    after[0][0][0] += [1, 0, 0, 3]  # units 0 and 3 win; then 1 ** 2 and 3 ** 2 of 10 and 12
    after[0][0][1] += [0, 1, 1, 0]
    shares = study.moved("lwta", before, after, lwta, Part(images, None))
    assert shares == [pytest.approx(100 * 10 / 12)]


def test_winners_that_stay():
    net = [(np.array([[1.0, 5, 2, 0], [9, 9, 2, 0]]), np.zeros(4)), (np.ones((4, 5)), np.zeros(5))]
    tasks = [Task(None, Part(np.eye(2)[[n]], None)) for n in range(2)]  # 2, 1 against 0, 1 win
    assert study.kept_winners(net, lwta, tasks) == [50.0]


@pytest.mark.parametrize("kind", ["lwta", "sigmoid"])
def test_the_second_task_starts_three_times_from_one_net(kind, filmed):
    tasks, config = small_tasks(), small_config(target_nll=0.4, max_epochs=30)
    draws = draw(config, 1000, tasks)
    row = study.second_task(kind, draws, tasks, config, silent)
    p1, *others = [film for film in filmed if film[0] == "train"]
    assert p1[2] is tasks[0].train and all(film[2] is tasks[1].train for film in others)
    body, (head_1, head_2) = p1[4][:3], layers(draws.heads, KINDS[kind][1], config)
    assert same(others[0][3], [*body, head_2]) and same(others[1][3], [*body, head_2])
    assert same(others[2][3], [*body, p1[4][3]]) and not same(p1[4][3:], [head_1])
    assert len(others[1][5]) == 1 and others[1][6] == replace(config, target_nll=0.0)
    judged = [film for film in filmed if film[0] == "error"]
    assert all(film[2] is tasks[0].test for film in judged)
    ends = [p1[4][:3], *(film[4][:3] for film in others)]
    for film, end in zip(judged, ends, strict=True):
        assert same(film[3], [*end, p1[4][3]])
    names = ["before", "to_target", "one_epoch", "kept_head"]
    assert [row[name] for name in names] == [film[-1] for film in judged]
    shares = [name for name in row if name.startswith(("moved", "kept_winners"))]
    assert len(shares) == (6 if kind == "lwta" else 0)
    assert row["to_target"] == learn_both(kind, draws, tasks, config, silent)["p1_after"]


def test_ten_digits_are_trained_on_and_tested_apart(filmed, monkeypatch):
    halves = {
        "train": Part(np.arange(60 * 784).reshape(60, 784) % 251, np.arange(60) % 10),
        "t10k": Part(np.arange(30 * 784).reshape(30, 784) % 241, np.arange(30) % 10),
    }
    monkeypatch.setattr(study, "mnist", halves.get)
    monkeypatch.setattr(study, "train_for_epochs", trained := Trained())
    config = study.Config(hidden_size=6, batch_size=10, ten_digit_epochs=2)
    streams = np.random.SeedSequence(1000).spawn(2)
    row = study.ten_digits(streams, config, silent)
    assert [call[1] for call in trained.calls] == [lwta, relu, sigmoid] * 2
    assert all(len(call[2].labels) == 60 for call in trained.calls)
    orders = [call[3] for call in trained.calls]
    assert all(order.shape == (2, 60) for order in orders)
    assert orders[0] is orders[1] is orders[2] and (orders[0] != orders[3]).any()
    assert same(trained.calls[0][0], trained.calls[1][0])
    assert not same(trained.calls[0][0], trained.calls[3][0])
    assert trained.calls[0][0][-1][0].shape == (6, 10)
    assert all(len(film[2].labels) == 30 for film in filmed)
    errors = {kind: [f[-1] for f in filmed if f[1] is f_k] for kind, f_k in ACTIVATIONS.items()}
    assert [row[kind] for kind in KINDS] == [pytest.approx(np.mean(e)) for e in errors.values()]
    assert row["lwta_minus_relu"] == row["lwta"] - row["relu"]


class Trained:
    """Training that only keeps what it is asked for."""

    def __init__(self):
        self.calls = []

    def __call__(self, *call):
        self.calls.append(call)


def test_the_learning_rate_of_ten_digits_falls_to_zero(monkeypatch):
    rates = []
    monkeypatch.setattr(study, "descend", lambda *call: rates.append(call[5:]))
    part, order = small_part(), np.array([np.arange(40)] * 2)
    study.train_for_epochs(small_net(), lwta, part, order, small_config(learning_rate=0.8))
    np.testing.assert_allclose(rates, [(0.8 - 0.1 * n, 0.9) for n in range(8)])


def test_the_study_draws_what_the_experiment_draws(monkeypatch):
    tasks, seen = small_tasks(), {}
    monkeypatch.setattr(study, "two_tasks", lambda: tasks)
    monkeypatch.setattr(study, "chart", lambda draws, *_: seen.update(draws=draws) or {})
    monkeypatch.setattr(study, "second_task", lambda kind, *_: {"kind": kind})
    monkeypatch.setattr(study, "ten_digits", lambda streams, *_: seen.update(more=streams) or {})
    config = study.Config(hidden_size=6, max_epochs=2)
    table = study.run(config, 1000, silent)
    np.testing.assert_array_equal(seen["draws"].body[0], draw(config, 1000, tasks).body[0])
    used = [stream.spawn_key for stream in np.random.SeedSequence(1000).spawn(4)]
    more = [stream.spawn_key for stream in seen["more"]]
    assert len(more) == 2 and len({*used, *more}) == 6
    assert {name for name in table if "second" in name} == {f"{kind}_second" for kind in KINDS}


# ---- unusable arguments ----
def test_pairs_need_an_even_number_of_units():
    with pytest.raises(ValueError, match="--hidden-size"):
        Config(hidden_size=5)
    assert Config(**QUICK).hidden_size % 2 == 0


@pytest.mark.parametrize(
    "argv",
    [["--hidden-size", "3"], ["--momentum", "1"], ["--batch-size", "0"], ["--target-nll", "nan"]],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        c2c.main(c2c, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
