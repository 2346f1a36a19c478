"""Tests of mnist_deep_mlp: the bending, gradients, the schedule, the wiring of run and study."""

import gzip
import itertools
import math
from dataclasses import replace

import mnist_deep_mlp as mlp
import study_mnist_deep_mlp as study
from mnist_deep_mlp import (
    MEAN,
    QUICK,
    SIDE,
    Config,
    Film,
    Net,
    Part,
    answers,
    backward,
    bend,
    bent_digits,
    bilinear,
    descend,
    draw,
    draw_maps,
    elastic,
    forward,
    learn,
    learning_rates,
    newborn,
    per_cent,
    run,
    shades,
    strengths,
    train,
    train_epoch,
)
import numpy as np
import pytest

STRAIGHT = {"rotation": 0.0, "scaling": 0.0, "elastic_rms": 0.0}


def silent(*_):
    """Show nothing."""


def ink(rng, count):
    """Random images (count, 784) of bytes, no two alike."""
    return rng.integers(0, 256, (count, SIDE * SIDE)).astype(np.uint8)


def small_part(seed=0, count=60):
    """Images of noise with all ten labels."""
    rng = np.random.default_rng(seed)
    return Part(ink(rng, count), rng.permutation(np.arange(count) % 10))


def small_config(**more):
    """Settings for 60 digits."""
    base = {"hidden": (6, 5), "epochs": 3, "batch_size": 10, "maps": 6, "train_digits": 60}
    return Config(**base | more)


def small_net(seed=0, sizes=(6, 5, 4, 5, 3, 4, 3)):
    """A deep net in 64 bits whose biases are not zero."""
    count = sum((fan_in + 1) * size for fan_in, size in itertools.pairwise(sizes))
    return Net(0.5 * np.random.default_rng(seed).standard_normal(count), sizes)


class Loaded:
    """A generator whose every draw is the same number."""

    def __init__(self, value):
        self.value = value

    def uniform(self, low, high, shape):
        assert (low, high) == (-1, 1)
        return np.full(shape, float(self.value))


# ---- bending ----
def slow_look_up(image, row, column):
    """The bilinear value of an image (28, 28) at a point; 0 outside."""
    top, left = math.floor(row), math.floor(column)
    value = 0.0
    for i, j in itertools.product((top, top + 1), (left, left + 1)):
        if 0 <= i < SIDE and 0 <= j < SIDE:
            value += image[i, j] * (1 - abs(row - i)) * (1 - abs(column - j))
    return value


def test_bending_agrees_with_a_look_up_pixel_by_pixel():
    rng = np.random.default_rng(0)
    rows, columns = rng.uniform(-3, 30, (2, 1, SIDE * SIDE))
    images = ink(rng, 2)
    maps = bilinear(rows, columns)
    bent = bend(images, maps.indices[0], maps.weights[0])
    for image, result in zip(images, bent, strict=True):
        points = zip(rows[0], columns[0], strict=True)
        slow = [slow_look_up(image.reshape(SIDE, SIDE), *point) for point in points]
        np.testing.assert_allclose(result, (np.array(slow) - MEAN) / 127.5, atol=1e-5)
    assert bent.dtype == np.float32 and maps.indices.dtype == np.intp


def test_a_map_of_no_strength_shows_the_digit_as_it_is():
    images = ink(np.random.default_rng(1), 3)
    maps = draw_maps(np.random.default_rng(2), 2, 90.0, 0.0, Config())
    for indices, weights in zip(*maps, strict=True):
        np.testing.assert_array_equal(bend(images, indices, weights), shades(images))


@pytest.mark.parametrize(("value", "turns"), [(1, 1), (-1, -1)])
def test_a_rotation_by_a_right_angle(value, turns):
    image = ink(np.random.default_rng(3), 1)
    config = Config(**STRAIGHT)
    maps = draw_maps(Loaded(value), 1, 90.0, 1.0, config)
    expected = np.rot90(image.reshape(SIDE, SIDE), turns)
    bent = bend(image, maps.indices[0], maps.weights[0]).reshape(SIDE, SIDE)
    np.testing.assert_allclose(bent, shades(expected), atol=1e-4)


def test_half_strength_rotates_by_half():
    config = Config(**STRAIGHT)
    half = draw_maps(Loaded(1), 1, 60.0, 0.5, config)
    full = draw_maps(Loaded(1), 1, 30.0, 1.0, config)
    np.testing.assert_array_equal(half.weights, full.weights)


def test_a_stretch_moves_a_pixel_away_from_the_centre():
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[16, 10] = 255  # 2.5 below and 3.5 left of the centre
    config = Config(**STRAIGHT | {"scaling": 0.8})
    maps = draw_maps(Loaded(1), 1, 0.0, 0.5, config)  # stretched by 1.4
    bent = bend(image.reshape(1, -1), maps.indices[0], maps.weights[0]) + MEAN / 127.5
    y, x = np.indices((SIDE, SIDE)).reshape(2, -1) - 13.5
    np.testing.assert_allclose((bent * y).sum() / bent.sum(), 1.4 * 2.5, atol=0.05)
    np.testing.assert_allclose((bent * x).sum() / bent.sum(), -1.4 * 3.5, atol=0.05)


def test_elastic_fields_are_as_strong_as_told_and_smooth():
    field = elastic(np.random.default_rng(4), 2000, 0.7)
    assert field.shape == (2000, 2, SIDE, SIDE)
    middle = field[:, :, 14, 14]
    assert (middle**2).mean() ** 0.5 == pytest.approx(0.7, rel=0.03)
    assert abs(np.corrcoef(middle.T)[0, 1]) < 0.1
    near, far = (np.corrcoef(middle.ravel(), field[:, :, 14, x].ravel())[0, 1] for x in (15, 25))
    assert near > 0.98 and far == pytest.approx(math.exp(-((11 / 11) ** 2)), abs=0.1)
    papers = 37 / 3**0.5 / (2 * 5.5 * math.pi**0.5)  # alpha 37, sigma 5.5
    assert papers == pytest.approx(1.10, abs=0.005)


def test_an_elastic_field_agrees_with_a_double_sum():
    R = np.random.default_rng(5).uniform(-1, 1, (1, 2, SIDE, SIDE))[0, 1]
    found = elastic(np.random.default_rng(5), 1, 1.10)[0, 1]
    alpha = 1.10 * 3**0.5 * 11 * math.pi**0.5
    for i, j in ((0, 0), (3, 20), (14, 14)):
        total = 0.0
        for k, n in itertools.product(range(SIDE), repeat=2):
            square = (i - k) ** 2 + (j - n) ** 2
            total += R[k, n] * math.exp(-square / (2 * 5.5**2)) / (2 * math.pi * 5.5**2)
        assert found[i, j] == pytest.approx(alpha * total)


def test_an_elastic_field_moves_the_look_up():
    config = Config(**STRAIGHT | {"elastic_rms": 0.9})
    maps = draw_maps(np.random.default_rng(6), 1, 0.0, 1.0, config)
    rng = np.random.default_rng(6)
    rng.uniform(-1, 1, 1), rng.uniform(-1, 1, (2, 1))
    y, x = np.indices((SIDE, SIDE)) + elastic(rng, 1, 0.9)[0]
    expected = bilinear(y.reshape(1, -1), x.reshape(1, -1))
    np.testing.assert_allclose(maps.weights, expected.weights, atol=1e-5)


def test_bending_grows_linearly_and_then_stays():
    np.testing.assert_allclose(strengths(Config(epochs=6, ramp=0.5)), [1 / 3, 2 / 3, 1, 1, 1, 1])
    np.testing.assert_array_equal(strengths(Config(epochs=3, ramp=0.0)), 1)
    assert strengths(Config())[[0, 5, 6, -1]] == pytest.approx([1 / 6.6, 6 / 6.6, 1, 1])


def test_each_digit_is_bent_once_in_an_epoch_by_a_map_of_its_own_kind(monkeypatch):
    part, config = small_part(), small_config(rotation=40.0, ramp=1.0)
    asked, bends = [], []
    monkeypatch.setattr(mlp, "draw_maps", lambda *how: asked.append(how) or draw_maps(*how))

    def seen(images, indices, weights):
        bends.append((images, weights))
        return bend(images, indices, weights)

    monkeypatch.setattr(mlp, "bend", seen)
    rng = np.random.default_rng(7)
    shown = [(bent, bent.copy()) for bent in bent_digits(rng, part, config)]
    assert all(bent is shown[0][0] for bent, _ in shown)  # one array for all epochs
    assert [how[1] for how in asked] == [1, 5] * 3  # a fifth of the digits are 1 or 7
    assert [how[2] for how in asked] == [20.0, 40.0] * 3
    np.testing.assert_allclose([how[3] for how in asked], np.repeat([1 / 3, 2 / 3, 1], 2))
    names = {image.tobytes(): n for n, image in enumerate(part.images)}
    for epoch in range(3):
        groups = [[names[image.tobytes()] for image in some] for some, _ in bends[6 * epoch :][:6]]
        assert sorted(sum(groups, [])) == list(range(60))
        assert set(part.labels[groups[0]].tolist()) == {1, 7}
        assert not np.isin(part.labels[sum(groups[1:], [])], (1, 7)).any()
        assert sum(groups[1:], []) != sorted(sum(groups[1:], []))
    assert len({weights.tobytes() for _, weights in bends}) == 18
    assert not np.array_equal(shown[0][1], shown[1][1])
    some, weights = bends[13]  # the bent digits stand in the rows of those they were made of
    index = [names[image.tobytes()] for image in some]
    np.testing.assert_array_equal(shown[2][1][index], bend(some, replay(asked, 1), weights))


def replay(asked, n):
    """The indices of the last epoch's map n for broad digits; the maps repeat with their stream."""
    rng = np.random.default_rng(7)
    part, config = small_part(), small_config(rotation=40.0, ramp=1.0)
    maps = []
    for _, count, rotation, strength, _ in asked:
        maps.append(draw_maps(rng, count, rotation, strength, config))
        rng.permutation(np.flatnonzero(np.isin(part.labels, (1, 7)) == (rotation == 20.0)))
    return maps[-1].indices[n - 1]


# ---- the net ----
def slow_log_p(net, x):
    """The log-probabilities of one image, one number at a time."""
    for n, (W, b) in enumerate(net.layers):
        z = [sum(x[i] * W[i, j] for i in range(len(x))) + b[j] for j in range(len(b))]
        if n == len(net.layers) - 1:
            total = sum(math.exp(value) for value in z)
            return [value - math.log(total) for value in z]
        x = [1.7159 * math.tanh(0.6666 * value) for value in z]
    return None


def test_forward_agrees_with_a_loop_over_units():
    net, x = small_net(), np.random.default_rng(8).standard_normal((4, 6))
    log_p, _ = forward(net, x)
    np.testing.assert_allclose(log_p, [slow_log_p(net, one) for one in x], rtol=1e-10)


def test_the_gradient_agrees_with_central_differences():
    net, rng = small_net(1), np.random.default_rng(9)
    x, labels = rng.standard_normal((7, 6)), rng.integers(3, size=7)
    log_p, inputs = forward(net, x)
    backward(net, log_p, labels, inputs)
    assert all(np.abs(g).max() > 1e-4 for layer in net.gradients for g in layer)
    for i, g in enumerate(net.gradient):
        kept, ends = net.vector[i], []
        for step in (1e-6, -1e-6):
            net.vector[i] = kept + step
            ends.append(-forward(net, x)[0][np.arange(7), labels].mean())
        net.vector[i] = kept
        assert abs((ends[0] - ends[1]) / 2e-6 - g) <= 1e-8


def test_a_newborn_net_lets_the_variance_through():
    net = newborn(np.random.default_rng(10), Config())
    assert net.vector.dtype == np.float32 and net.vector.size == 520160
    for W, b in net.layers:
        assert not b.any() and abs(W).max() <= (3 / len(W)) ** 0.5
        assert W.std() == pytest.approx(len(W) ** -0.5, rel=0.05)
    x = np.random.default_rng(11).standard_normal((500, 784)).astype(np.float32) * 0.62
    spreads = [y.std() for y in forward(net, x)[1]]
    assert len(spreads) == 6 and all(0.3 < spread < 1.0 for spread in spreads)


def test_a_narrower_start():
    one, other = (newborn(np.random.default_rng(0), Config(init_scale=s)) for s in (1.0, 0.5))
    np.testing.assert_array_equal(0.5 * one.vector, other.vector)


def test_momentum_on_a_case_worked_by_hand():
    net = Net(np.array([1.0, 2.0]), (1, 1))
    net.gradient[:] = 3, -1
    descend(net, 0.1, 0.9)
    np.testing.assert_allclose(net.vector, [0.7, 2.1])
    net.gradient[:] = 1, 0
    descend(net, 0.2, 0.9)
    np.testing.assert_allclose(net.velocity, [0.9 * -0.3 - 0.2, 0.9 * 0.1])
    np.testing.assert_allclose(net.layers[0][0], [[0.7 - 0.47]])


# ---- training ----
def test_the_learning_rate_falls_along_half_a_cosine():
    rates = learning_rates(Config(epochs=4, batch_size=20, train_digits=50, learning_rate=0.8))
    assert rates.shape == (4, 2) and rates[0, 0] == 0.8 and rates[2, 0] == pytest.approx(0.4)
    assert rates[3, 1] == pytest.approx(0.4 * (1 + math.cos(7 * math.pi / 8)))


def test_an_epoch_is_plain_gradient_descent_in_the_given_order():
    rng = np.random.default_rng(12)
    shown, labels = rng.standard_normal((23, 6)), rng.integers(3, size=23)
    order, rates = rng.permutation(23), np.array([0.3, 0.2])
    net, twin, speed, wrong = small_net(2), small_net(2), 0.0, 0
    config = Config(batch_size=10, momentum=0.5)
    for n in range(2):
        rows = order[10 * n : 10 * n + 10]
        log_p, inputs = forward(twin, shown[rows])
        wrong += (log_p.argmax(1) != labels[rows]).sum()
        backward(twin, log_p, labels[rows], inputs)
        speed = 0.5 * speed - rates[n] * twin.gradient
        twin.vector += speed
    assert train_epoch(net, shown, labels, order, rates, config) == 100 * wrong / 20
    np.testing.assert_allclose(net.vector, twin.vector, rtol=1e-12)


def test_each_epoch_has_its_own_digits_order_and_rates(monkeypatch):
    calls, said = [], []
    monkeypatch.setattr(mlp, "train_epoch", lambda *call: calls.append(call) or 5.0 + len(calls))
    config = small_config()
    watch = lambda n, error: said.append((n, error))  # noqa: E731
    train("net", "abc", "labels", [7, 8, 9], config, watch)
    assert [call[1] for call in calls] == ["a", "b", "c"] and [call[3] for call in calls] == [
        7,
        8,
        9,
    ]
    np.testing.assert_array_equal([call[4] for call in calls], learning_rates(config))
    assert said == [(0, 6.0), (1, 7.0), (2, 8.0)]
    with pytest.raises(ValueError):
        train("net", "ab", "labels", [7, 8, 9], config, watch)


# ---- evaluation ----
def test_answers_come_in_chunks_and_errors_in_per_cent(monkeypatch):
    monkeypatch.setattr(mlp, "CHUNK", 7)
    net, x = small_net(3), np.random.default_rng(13).standard_normal((20, 6))
    np.testing.assert_array_equal(answers(net, x), forward(net, x)[0].argmax(1))
    assert per_cent(np.array([True, False, False, False])) == 25.0


# ---- the task ----
@pytest.fixture(scope="module")
def halves():
    """MNIST as it is."""
    if not any(place.exists() for place in mlp.PLACES):
        pytest.skip("no MNIST beside this folder")
    return mlp.mnist("train", 60000), mlp.mnist("t10k", None)


def test_mnist_has_its_size_and_mean_and_its_halves_are_apart(halves):
    for part, size in zip(halves, (60000, 10000), strict=True):
        assert part.images.shape == (size, 784) and part.labels.shape == (size,)
        assert part.labels.dtype == np.intp and set(part.labels.tolist()) == set(range(10))
    assert halves[0].images.mean() == pytest.approx(MEAN, abs=0.05)
    train_digits, test_digits = ({row.tobytes() for row in part.images} for part in halves)
    assert not train_digits & test_digits


def test_fewer_digits_are_the_first_ones(monkeypatch):
    made_up = {"images": np.arange(4 * 784, dtype=np.uint8).reshape(4, 28, 28)}
    monkeypatch.setattr(mlp, "read", lambda n: made_up["images"] if "im" in n else np.arange(4))
    part = mlp.mnist("train", 3)
    assert part.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(part.images, made_up["images"][:3].reshape(3, 784))


def test_what_a_net_sees_has_a_range_of_2():
    seen = shades(np.array([[0, 255]], np.uint8))
    assert seen.dtype == np.float32 and seen[0, 1] - seen[0, 0] == pytest.approx(2)
    assert seen[0, 0] == pytest.approx(-MEAN / 127.5)


def test_a_file_that_is_missing_or_changed_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(mlp, "PLACES", (tmp_path, tmp_path / "other"))
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte.gz"):
        mlp.read("t10k-labels-idx1")
    raw = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7])
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(OSError, match="does not hold"):
        mlp.read("t10k-labels-idx1")


# ---- the wiring of the experiment ----
PARTS = {"train": small_part(0, 60), "t10k": small_part(1, 30)}


def from_memory(kind, count):
    """Stand in for MNIST's files."""
    return Part(PARTS[kind].images[:count], PARTS[kind].labels[:count])


@pytest.fixture
def in_memory(monkeypatch):
    """Give the experiment and the study small parts."""
    for module in (mlp, study):
        monkeypatch.setattr(module, "mnist", from_memory)


def test_everything_random_comes_from_streams_that_differ():
    config = small_config()
    draws = draw(config, np.random.SeedSequence(1000))
    assert draws.orders.shape == (3, 60) and (np.sort(draws.orders, 1) == np.arange(60)).all()
    assert len({order.tobytes() for order in draws.orders}) == 3
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(1000).spawn(3)]
    np.testing.assert_array_equal(draws.net.vector, newborn(streams[0], config).vector)
    assert len({stream.random() for stream in streams} | {draws.maps.random()}) == 3
    again = np.random.default_rng(np.random.SeedSequence(1000).spawn(3)[1])
    rows = np.tile(np.arange(60), (3, 1))
    np.testing.assert_array_equal(draws.orders, again.permuted(rows, axis=1))
    other = draw(config, np.random.SeedSequence(1001))
    assert (other.net.vector != draws.net.vector).any() and (other.orders != draws.orders).any()


def test_both_nets_start_alike_and_see_the_same_digits_in_the_same_order(in_memory, monkeypatch):
    films, judged = [], []

    def watched(net, shown, labels, order, rates, config):
        films.append((net, net.vector.copy(), shown.copy(), labels, order, rates))
        return train_epoch(net, shown, labels, order, rates, config)

    monkeypatch.setattr(mlp, "train_epoch", watched)
    monkeypatch.setattr(mlp, "answers", lambda net, x: judged.append(x) or answers(net, x))
    run(small_config(), 1000, silent)
    deformed, plain = films[:3], films[3:]
    assert len(films) == len(judged) == 6
    for one, other in zip(deformed, plain, strict=True):
        np.testing.assert_array_equal(one[4], other[4])
        np.testing.assert_array_equal(one[5], other[5])
        np.testing.assert_array_equal(one[3], PARTS["train"].labels)
        assert one[3] is other[3] and one[0] is not other[0]
        np.testing.assert_array_equal(other[2], shades(PARTS["train"].images))
        assert (one[2] != other[2]).any(1).all()
    np.testing.assert_array_equal(deformed[0][1], plain[0][1])
    for x in judged:
        np.testing.assert_array_equal(x, shades(PARTS["t10k"].images))


def test_a_net_is_tested_after_each_epoch_and_the_last_one_counts(monkeypatch):
    part, test, config = *PARTS.values(), small_config()
    net, orders, _ = draw(config, np.random.SeedSequence(3))
    ends, said = [], []

    def watched(net, *how):
        error = train_epoch(net, *how)
        ends.append((error, answers(net, shades(test.images)) != test.labels))
        return error

    monkeypatch.setattr(mlp, "train_epoch", watched)
    epochs = itertools.repeat(shades(part.images), 3)
    film = learn(net, epochs, part, test, orders, config, lambda f, _: said.append(f))
    assert film.training == [error for error, _ in ends]
    assert film.test == [per_cent(wrong) for _, wrong in ends]
    np.testing.assert_array_equal(film.wrong, ends[-1][1])
    assert said == pytest.approx([1 / 3, 2 / 3, 1])


def scripted(monkeypatch, deformed, plain):
    """Make a run of two films on ten test digits."""
    test = Part(None, np.array([1, 7, 1, 7, 0, 2, 3, 4, 5, 6]))
    monkeypatch.setattr(mlp, "both", lambda *_: (test, deformed, plain))
    return run(small_config(), 0, silent)


def test_a_run_reports_the_last_epoch(monkeypatch):
    wrong = np.zeros((2, 10), bool)
    wrong[0, [0, 5]] = True
    wrong[1, [5, 6, 7, 8, 1, 2]] = True
    films = Film([90.0, 50.0, 20.0], [9.0, 8.0, 7.0], wrong[0]), Film([3.0, 60.0], [4.0], wrong[1])
    table = scripted(monkeypatch, *films)
    assert table["plain_over_deformed"] == 3.0
    assert table["deformed"] == {"error": 20.0, "training_error": 7.0, "error_1_7": 25.0}
    assert table["plain"] == {"error": 60.0, "training_error": 4.0, "error_1_7": 50.0}
    assert (table["fixed"], table["introduced"]) == (5, 1)
    assert table["curve"] == {"x": [1, 2, 3], "y": [90.0, 50.0, 20.0]}
    assert table["training"]["patterns_per_second"] > 0
    perfect = Film([0.0], [0.0], np.zeros(10, bool))
    assert scripted(monkeypatch, perfect, films[1])["plain_over_deformed"] is None


def test_a_run_repeats_bit_for_bit_and_seeds_differ(in_memory):
    said = []
    tables = [run(small_config(), s, lambda f, _: said.append(f)) for s in (1000, 1000, 1001)]
    for table in tables:
        table.pop("training")
    assert tables[0] == tables[1] != tables[2]
    assert said[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])


def test_the_default_run_is_the_papers_recipe_at_small_size():
    config = Config()
    assert (len(config.hidden), config.epochs, config.train_digits) == (5, 20, 60000)
    assert (config.elastic_rms, config.rotation, config.scaling) == (0.7, 10.0, 0.12)
    assert (mlp.HEIGHT, mlp.STEEPNESS, mlp.SIGMA, mlp.NARROW) == (1.7159, 0.6666, 5.5, (1, 7))


# ---- the study ----
def small_study(**more):
    """Settings of the study for 60 digits."""
    base = {"hidden": (6, 5), "epochs": 3, "batch_size": 10, "maps": 6, "train_digits": 60}
    base |= {"long_hidden": (7,), "long_epochs": 4, "depth_epochs": 2, "kinds_epochs": 2}
    return study.Config(**base | {"kinds_digits": 20, "long_elastic_rms": 1.3} | more)


def test_the_four_depths_have_equal_weights():
    sizes = {}
    for name, depth in study.DEPTHS.items():
        layers = itertools.pairwise((784, *depth.hidden, 10))
        sizes[name] = sum((fan_in + 1) * size for fan_in, size in layers)
    config = Config()
    assert sizes["five"] == 520160
    assert study.DEPTHS["five"] == (config.hidden, config.learning_rate, study.DEPTHS["one"].nets)
    assert all(abs(size / 520160 - 1) < 0.001 for size in sizes.values())
    assert [len(depth.hidden) for depth in study.DEPTHS.values()] == [1, 2, 3, 5]


def test_the_long_training_is_the_experiments_with_its_own_settings(monkeypatch):
    part, test, config = *PARTS.values(), small_study()
    asked = []

    def watched(rng, some, how):
        asked.append((some, how))
        return bent_digits(rng, some, how)

    monkeypatch.setattr(study, "bent_digits", watched)
    row = study.long(np.random.SeedSequence(4), part, test, config, silent)
    how = replace(config, hidden=(7,), epochs=4, elastic_rms=1.3)
    assert asked == [(part, how)]
    net, orders, maps = draw(how, np.random.SeedSequence(4))
    errors = []
    epochs = bent_digits(maps, part, how)
    train(net, epochs, part.labels, orders, how, lambda _, error: errors.append(error))
    wrong = answers(net, shades(test.images)) != test.labels
    assert row == {
        "error": per_cent(wrong),
        "training_error": errors[-1],
        "weights": 785 * 7 + 8 * 10,
    }


def test_all_depths_learn_the_same_digits_in_the_same_order(monkeypatch):
    part, test, config = *PARTS.values(), small_study()
    films, judged, training = [], [], []

    def watched(net, shown, labels, order, rates, how):
        films.append((net, net.vector.copy(), shown.copy(), labels, order, rates))
        training.append(train_epoch(net, shown, labels, order, rates, how))
        return training[-1]

    monkeypatch.setattr(study, "train_epoch", watched)

    def judge(net, x):
        """Let the first net misread 3 of the 30 digits, the second 6, the third 9."""
        judged.append((net, x))
        return test.labels + (np.arange(30) < 3 * len(judged))

    monkeypatch.setattr(study, "answers", judge)
    depths = {"one": study.Depth((9,), 0.2, 2), "five": study.Depth((9, 5, 4, 3, 2), 0.1, 1)}
    row = study.depth(np.random.SeedSequence(5), part, test, depths, config, silent)
    nets = [film[0] for film in films[:3]]
    assert len(films) == 6 and [film[0] for film in films[3:]] == nets and len(set(nets)) == 3
    assert [len(net.layers) for net in nets] == [2, 2, 6]
    for epoch in (films[:3], films[3:]):
        for other, n in itertools.product(epoch[1:], (2, 3, 4)):  # digits, labels, order
            np.testing.assert_array_equal(epoch[0][n], other[n])
        np.testing.assert_array_equal(epoch[0][5], epoch[1][5])
        np.testing.assert_allclose(epoch[0][5], 2 * epoch[2][5])
    assert (films[0][2] != films[3][2]).any() and (films[0][4] != films[3][4]).any()
    rates = learning_rates(replace(config, epochs=2, learning_rate=0.2))
    np.testing.assert_array_equal(films[3][5], rates[1])
    starts = np.corrcoef([film[1][:700] for film in films[:3]])  # of streams that differ
    assert abs(starts - np.eye(3)).max() < 0.2
    assert [net for net, _ in judged] == nets
    assert all(np.array_equal(x, shades(test.images)) for _, x in judged)
    assert row["one"] == pytest.approx(15) and row["five"] == pytest.approx(30)
    assert row["one_minus_five"] == pytest.approx(-15)
    assert row["one_training"] == sum(training[3:5]) / 2 and row["five_training"] == training[5]


def test_the_kinds_of_bending():
    kinds = study.variants(study.Config())
    seen = {n: (k.rotation, k.scaling, k.elastic_rms) for n, k in kinds.items()}
    assert seen == {
        "none": (0, 0, 0),
        "affine": (10, 0.12, 0),
        "elastic": (0, 0, 0.7),
        "both_0_35": (10, 0.12, 0.35),
        "both_0_7": (10, 0.12, 0.7),
        "both_1_1": (10, 0.12, 1.1),
    }


def test_all_kinds_start_alike_on_the_first_digits(monkeypatch):
    part, test, config = *PARTS.values(), small_study()
    starts, maps = [], []

    def watched(net, epochs, labels, orders, how, watch):
        starts.append((net.vector.copy(), labels, orders, how))
        return train(net, epochs, labels, orders, how, watch)

    def bent(rng, some, how):
        maps.append((rng, some, how))
        return bent_digits(rng, some, how)

    monkeypatch.setattr(study, "train", watched)
    monkeypatch.setattr(study, "bent_digits", bent)
    row = study.kinds(np.random.SeedSequence(6), part, test, config, silent)
    how = replace(config, epochs=2, train_digits=20)
    assert list(row) == list(study.variants(how))
    settings = list(study.variants(how).values())
    assert [start[3] for start in starts] == settings == [call[2] for call in maps]
    for vector, labels, orders, _ in starts:
        np.testing.assert_array_equal(vector, starts[0][0])
        np.testing.assert_array_equal(labels, part.labels[:20])
        assert orders is starts[0][2] and orders.shape == (2, 20)
    assert all(np.array_equal(call[1].images, part.images[:20]) for call in maps)
    assert len({call[0].random() for call in maps}) == 6


def test_the_study_has_streams_of_its_own(in_memory, monkeypatch):
    seen = {}
    for name in ("long", "depth", "kinds"):

        def part_of_it(stream, part, test, *_, name=name):
            seen[name] = stream
            np.testing.assert_array_equal(part.images, PARTS["train"].images)
            np.testing.assert_array_equal(test.images, PARTS["t10k"].images)
            return {"error": 1.0}

        monkeypatch.setattr(study, name, part_of_it)
    table = study.run(small_study(), 1000, silent)
    assert set(table) == {"long", "depth", "kinds"}
    used = [stream.spawn_key for stream in np.random.SeedSequence(1000).spawn(3)]
    assert len({*used, *(stream.spawn_key for stream in seen.values())}) == 6
    assert all(stream.entropy == 1000 for stream in seen.values())


# ---- unusable arguments ----
def test_a_batch_holds_no_more_than_there_is():
    with pytest.raises(ValueError, match="--batch-size"):
        Config(batch_size=101, train_digits=100)
    assert Config(**QUICK).train_digits == 2000


@pytest.mark.parametrize(
    "argv",
    [
        ["--batch-size", "70000"],
        ["--momentum", "1"],
        ["--hidden", "0"],
        ["--train-digits", "60001"],
        ["--elastic-rms", "nan"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        mlp.main(mlp, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
