"""Tests of highway_networks: the gate, gradients, populations, the search, the wiring."""

import gzip
import math

import highway_networks as hw
import study_highway_networks as study
from highway_networks import (
    QUICK,
    Config,
    Found,
    Highway,
    Nets,
    Part,
    Plain,
    Settings,
    accuracy,
    backward,
    curve,
    descend,
    draw_settings,
    forward,
    lengths,
    log_ratio,
    newborn,
    only,
    run,
    search,
    shuffled,
    sigmoid,
    summary,
    train,
)
from study_highway_networks import FixedGate, Residual, SmallStart
import numpy as np
import pytest

KINDS = [Plain, Highway, Residual, FixedGate]


def silent(fraction, message):
    """Show nothing."""


def some_settings(rectified=(False, False, True), **more):
    """Settings of three nets, two with tanh and one with rectifiers."""
    count = len(rectified)
    values = {
        "learning_rate": np.linspace(0.1, 0.2, count),
        "momentum": np.linspace(0.5, 0.9, count),
        "decay": np.linspace(0.8, 0.9, count),
        "rectified": np.array(rectified),
        "gain": np.linspace(1.0, 1.2, count),
        "gate_bias": np.arange(count) - 2,
    }
    return Settings(**values | {name: np.array(value) for name, value in more.items()})


def some_part(seed=1, count=40, pixels=784):
    """Images of noise whose labels stand in their first pixels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=count).astype(np.intp)
    images = rng.uniform(-1, 0, (count, pixels)).astype(np.float32)
    images[np.arange(count), labels] += 2
    return Part(images, labels)


def small_config(**more):
    """Settings of a search that takes no time."""
    return Config(
        **{
            "shallow_depth": 2,
            "deep_depth": 4,
            "highway_width": 5,
            "plain_width": 7,
            "configurations": 3,
            "train_images": 40,
            "epochs": 2,
            "batch_size": 10,
        }
        | more
    )


@pytest.fixture
def six_pixels(monkeypatch):
    """Images are small."""
    monkeypatch.setattr(hw, "PIXELS", 6)


def in_64_bits(nets, rng):
    """Copy nets to float64, with biases that are not zero."""
    weights = [(W.astype(float), b + 0.2 * rng.standard_normal(b.shape)) for W, b in nets.weights]
    return Nets(nets.layers, weights)


# ---- layers ----
def one_unit(kind, **more):
    """A layer of one net with one unit."""
    return kind(some_settings((False,), **more))


def test_a_highway_layer_on_a_case_worked_by_hand():
    """W_H = 0.5 and W_T = 0 with b_T = ln 1/3: T = 1/4 mixes tanh(1) with x = 2."""
    layer, x = one_unit(Highway), np.array([[[2.0]]])
    W = np.array([0.5, 0.0]).reshape(2, 1, 1, 1)
    b = np.array([0.0, -math.log(3)]).reshape(2, 1, 1, 1)
    y, (H, T) = layer.forward(x, W, b)
    assert T.item() == pytest.approx(0.25) and H.item() == pytest.approx(math.tanh(1))
    assert y.item() == pytest.approx(0.25 * math.tanh(1) + 0.75 * 2)
    dz, carried = layer.backward(np.array([[[8.0]]]), x, H, T)
    assert carried.item() == pytest.approx(6)  # dy (1 - T)
    assert dz[0].item() == pytest.approx(2 * (1 - math.tanh(1) ** 2))
    assert dz[1].item() == pytest.approx(8 * (math.tanh(1) - 2) * 0.25 * 0.75)


def test_shut_gates_pass_everything_on_and_open_gates_nothing():
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    settings = some_settings()
    for bias, kept in ((-60, x), (60, None)):
        layer = Highway(settings._replace(gate_bias=np.full(3, bias)))
        W, b = layer.first_weights(np.random.default_rng(1), 5, 5)
        y, (H, _) = layer.forward(x, W.astype(float), b.astype(float))
        np.testing.assert_allclose(y, H if kept is None else kept, atol=1e-12)


def slow_unit(kind, settings, p, x, W, b, j):
    """Unit j of net p for one image x, a number at a time."""
    z = [sum(x[i] * M[p, i, j] for i in range(len(x))) + c[p, 0, j] for M, c in zip(W, b)]
    H = max(z[0], 0.0) if settings.rectified[p] else math.tanh(z[0])
    if kind is Highway:
        T = 1 / (1 + math.exp(-z[1]))
    else:
        T = 1 / (1 + math.exp(-float(settings.gate_bias[p])))
    mixed = H * T + x[j] * (1 - T) if len(x) == W.shape[-1] else None
    return {Plain: H, Residual: x[j] + H if mixed is not None else None}.get(kind, mixed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_agrees_with_a_loop_over_units(kind):
    rng = np.random.default_rng(2)
    settings, x = some_settings(), rng.standard_normal((3, 2, 4))
    layer = kind(settings)
    W, b = layer.first_weights(rng, 4, 4)
    W, b = W.astype(float), b + rng.standard_normal(b.shape)
    y, _ = layer.forward(x, W, b)
    slow = [
        [[slow_unit(kind, settings, p, x[p, n], W, b, j) for j in range(4)] for n in range(2)]
        for p in range(3)
    ]
    np.testing.assert_allclose(y, slow, rtol=1e-6, atol=1e-7)  # FixedGate's T has 32 bits


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_agrees_with_central_differences(kind, six_pixels):
    """Every weight and bias of three nets of four hidden layers."""
    rng = np.random.default_rng(3)
    nets = in_64_bits(newborn(kind, 4, 5, some_settings(), rng), rng)
    images, labels = rng.uniform(-1, 1, (7, 6)), rng.integers(10, size=7)

    def losses():
        log_p, _ = forward(nets, images)
        return -log_p[:, np.arange(7), labels].mean(1)  # (P,)

    log_p, kept = forward(nets, images)
    gradient = backward(nets, log_p, labels, kept)
    gradient = [[g.copy() for g in pair] for pair in gradient]  # the next pass reuses arrays
    for pair, slopes in zip(nets.weights, gradient, strict=True):
        for parameter, g in zip(pair, slopes, strict=True):
            assert parameter.shape == g.shape and np.abs(g).max() > 1e-4
            for i in np.ndindex(parameter.shape):
                old, ends = parameter[i], []
                for step in (1e-5, -1e-5):
                    parameter[i] = old + step
                    ends.append(losses())
                parameter[i] = old
                numeric = (ends[0] - ends[1]) / 2e-5  # (P,)
                assert abs(numeric[i[-3]] - g[i]) <= 1e-6 * max(1, abs(g[i]))
                others = np.delete(numeric, i[-3])
                assert not others.any()  # a weight belongs to one net


def test_log_p_is_a_distribution_and_does_not_overflow(six_pixels):
    nets = newborn(Highway, 3, 5, some_settings(), np.random.default_rng(0))
    nets.weights[-1][0][:] *= 1e4
    log_p, _ = forward(nets, np.ones((2, 6), np.float32))
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(np.exp(log_p).sum(-1), 1, rtol=1e-5)


# ---- birth ----
def test_the_start_keeps_the_variance_and_shuts_the_gates():
    settings = some_settings(gain=np.array([0.5, 1.0, 2.0]), gate_bias=np.array([-1, -4, -6]))
    (W_H,), (b_H,) = Plain(settings).first_weights(np.random.default_rng(5), 100, 300)
    deviations = 0.1 * np.array([0.5, 1.0, 2 * math.sqrt(2)])  # He's for the rectifier
    np.testing.assert_allclose(W_H.std((1, 2)), deviations, rtol=0.02)
    W, b = Highway(settings).first_weights(np.random.default_rng(5), 100, 300)
    np.testing.assert_array_equal(W[0], W_H)  # W_H is drawn before W_T
    np.testing.assert_allclose(W[1].std((1, 2)), 0.01, rtol=0.02)
    assert not b_H.any() and not b[0].any() and W.dtype == b.dtype == np.float32
    np.testing.assert_array_equal(b[1], np.repeat([[[-1.0]], [[-4]], [[-6]]], 300, 2))


def test_a_net_has_its_depth_and_its_kind():
    nets = newborn(Highway, 5, 6, some_settings(), np.random.default_rng(0))
    assert [type(layer) for layer in nets.layers] == [Plain] + [Highway] * 4
    shapes = [W.shape for W, _ in nets.weights]
    assert shapes == [(1, 3, 784, 6)] + [(2, 3, 6, 6)] * 4 + [(3, 6, 10)]
    assert nets.weights[-1][0].std() == pytest.approx(6**-0.5, rel=0.2)


def test_both_kinds_have_as_many_weights_in_a_layer():
    config = Config()
    gated = 2 * config.highway_width * (config.highway_width + 1)
    plain = config.plain_width * (config.plain_width + 1)
    assert abs(gated - plain) / gated < 0.02


# ---- training ----
def test_the_length_is_each_nets_own():
    rng = np.random.default_rng(0)
    gradient = [(rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3, 1, 5)))]
    gradient += [(rng.standard_normal((3, 5, 2)), rng.standard_normal((3, 1, 2)))]
    for p, length in enumerate(lengths(gradient)):
        own = [g[..., p, :, :].ravel() for pair in gradient for g in pair]
        assert length == pytest.approx(np.linalg.norm(np.concatenate(own)))


def test_a_long_gradient_is_cut_and_momentum_goes_on(six_pixels, monkeypatch):
    """Two nets get a gradient of length 0.5 and 4, and the same again; the clip is 1."""
    settings = some_settings((False, False))
    nets = newborn(Plain, 1, 2, settings, np.random.default_rng(0))
    before = [[array.copy() for array in pair] for pair in nets.weights]
    velocity = [(np.zeros_like(W), np.zeros_like(b)) for W, b in nets.weights]

    def gradient(*_):
        slopes = [(np.zeros_like(W), np.zeros_like(b)) for W, b in nets.weights]
        slopes[0][0][0, :, 3, 1] = 0.5, 4
        return slopes

    monkeypatch.setattr(hw, "backward", gradient)
    images, labels = np.zeros((4, 6), np.float32), np.zeros(4, np.intp)
    steps = []
    for _ in range(2):
        descend(nets, velocity, images, labels, np.array([0.1, 0.2]), np.array([0.5, 0.9]), 1.0)
        steps.append((nets.weights[0][0] - before[0][0])[0, :, 3, 1])
    np.testing.assert_allclose(steps[0], [-0.05, -0.2], rtol=1e-5)
    np.testing.assert_allclose(steps[1], [-0.125, -0.58], rtol=1e-5)
    changed = nets.weights[0][0] != before[0][0]
    assert changed.sum() == 2 and (nets.weights[1][0] == before[1][0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_learns_in_a_population_as_it_does_alone(kind):
    config, settings, part = small_config(), some_settings(), some_part()
    order = shuffled(np.random.default_rng(0), 2, 40)
    nets = newborn(kind, 4, 5, settings, np.random.default_rng(1))
    loners = []
    for p in range(3):
        found = Found(nets, settings, None, None, p)
        alone = only(found)
        alone = Nets(alone.layers, [(W.copy(), b.copy()) for W, b in alone.weights])
        loners.append((alone, study.best_settings(found)))
    losses = train(nets, settings, part, order, config, silent)
    assert losses.shape == (2, 4, 3) and np.unique(losses).size == 24
    for p, (alone, own) in enumerate(loners):
        own_losses = train(alone, own, part, order, config, silent)
        np.testing.assert_allclose(own_losses[..., 0], losses[..., p], rtol=1e-3)
        for pair, own_pair in zip(nets.weights, alone.weights, strict=True):
            np.testing.assert_allclose(pair[0][..., p : p + 1, :, :], own_pair[0], atol=1e-3)


def test_training_follows_the_order_and_the_rate_decays(monkeypatch):
    calls = []

    def step(nets, velocity, images, labels, rate, momentum, clip):
        calls.append((images[:, 0], labels, rate, momentum, clip))
        return np.full(3, len(calls))

    monkeypatch.setattr(hw, "descend", step)
    part = Part(np.arange(10.0)[:, None], np.arange(10) % 3)
    order = shuffled(np.random.default_rng(0), 2, 10)
    settings = some_settings()
    losses = train(
        Nets([], []), settings, part, order, small_config(batch_size=4, clip=0.7), silent
    )
    assert losses[..., 0].tolist() == [[1, 2], [3, 4]]  # the last two images are left out
    for call, (epoch, start) in zip(calls, [(0, 0), (0, 4), (1, 0), (1, 4)], strict=True):
        rows = order[epoch, start : start + 4]
        np.testing.assert_array_equal(call[0], rows)
        np.testing.assert_array_equal(call[1], rows % 3)
        np.testing.assert_allclose(call[2], settings.learning_rate * settings.decay**epoch)
        assert call[3] is settings.momentum and call[4] == 0.7


def test_every_epoch_has_every_image_in_another_order():
    order = shuffled(np.random.default_rng(0), 3, 50)
    assert order.shape == (3, 50) and (np.sort(order, 1) == np.arange(50)).all()
    assert (order[0] != order[1]).any() and (order[1] != order[2]).any()


# ---- the search ----
def test_settings_come_from_their_ranges_with_tanh_first():
    config = Config(configurations=100, gate_biases=(-6, -1))
    drawn = draw_settings(config, np.random.default_rng(0))
    rate = drawn.learning_rate
    assert 1e-3 <= rate.min() < 2e-3 and 0.2 < rate.max() <= 0.3
    assert np.log(rate).mean() == pytest.approx(math.log(3e-4) / 2, abs=0.5)  # log-uniform
    assert set(drawn.momentum) == {0.8, 0.9, 0.95} and set(drawn.gain) == {0.7, 1.0, 1.4}
    assert 0.8 <= drawn.decay.min() < 0.82 and 0.98 < drawn.decay.max() <= 1
    assert set(drawn.gate_bias) == {-6, -5, -4, -3, -2, -1}
    tanhs = int((~drawn.rectified).sum())
    assert 30 < tanhs < 70 and drawn.rectified[tanhs:].all()
    assert abs(np.corrcoef(drawn.rectified, np.log(rate))[0, 1]) < 0.3


def test_the_lowest_loss_of_the_last_epoch_wins_and_divergence_loses(monkeypatch):
    losses = np.array([[[1.0, 1, 1], [1, 1, 1]], [[3, 0.5, math.nan], [1, 2, 0.1]]])
    monkeypatch.setattr(hw, "train", lambda *_: losses)
    found = search(
        Plain, 2, 4, some_settings(), None, None, np.random.default_rng(0), Config(), silent
    )
    assert found.best == 1 and found.scores.tolist() == [2, 1.25, math.inf]
    found = found._replace(scores=np.array([2.5, 1.25, math.inf]))
    row = summary(found, some_part())
    assert row["loss"] == 1.25 and row["median_loss"] == 2.5
    assert row["failed"] == pytest.approx(2 / 3)
    row = summary(found._replace(scores=np.full(3, math.inf)), some_part())
    assert row["loss"] is row["median_loss"] is None and row["failed"] == 1


def test_the_best_net_is_taken_out_and_tested():
    settings, test = some_settings(), some_part(4, 70)
    nets = newborn(Highway, 3, 5, settings, np.random.default_rng(0))
    log_p, _ = forward(nets, test.images)
    expected = (log_p.argmax(-1) == test.labels).mean(1)  # (P,)
    assert len(set(expected)) > 1
    for p in range(3):
        found = Found(nets, settings, None, np.array([1.0, 2, 3]), p)
        assert accuracy(only(found), test, 30) == pytest.approx(expected[p])
        assert summary(found, test)["test_accuracy"] == pytest.approx(expected[p])


def test_curves_are_means_of_stretches():
    line = curve(np.arange(400.0), 4)
    assert len(line["x"]) == 40 and line["x"][0] == pytest.approx(0.1) and line["x"][-1] == 4
    assert line["y"][0] == 4.5 and line["y"][-1] == 394.5
    assert curve(np.arange(3.0), 1)["y"] == [0, 1, 2]


def test_ratios():
    assert log_ratio(2.0, 1.0) == pytest.approx(math.log(2))
    assert log_ratio(None, 1.0) is log_ratio(1.0, None) is None


# ---- the data ----
def fake_file(folder, name, array):
    """Write an array in MNIST's format."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    with gzip.open(folder / f"{name}-ubyte.gz", "wb") as file:
        file.write(head + array.tobytes())


def test_images_are_read_from_the_first_place_with_pixels_from_minus_one(tmp_path, monkeypatch):
    images = np.arange(3 * 784).reshape(3, 28, 28) % 256
    halves = {"t10k-images-idx3": images.astype(np.uint8), "t10k-labels-idx1": np.uint8([7, 1, 2])}
    for name, array in halves.items():
        fake_file(tmp_path, name, array)
        digest = hw.hashlib.sha256(array).hexdigest()
        monkeypatch.setitem(hw.SHA_256, name, digest)
    monkeypatch.setattr(hw, "PLACES", (tmp_path / "none", tmp_path))
    part = hw.mnist("t10k", 2)
    np.testing.assert_allclose(part.images, images.reshape(3, 784)[:2] / 127.5 - 1, atol=1e-6)
    assert part.labels.tolist() == [7, 1] and part.images.dtype == np.float32
    monkeypatch.setitem(hw.SHA_256, "t10k-labels-idx1", "0")
    with pytest.raises(OSError, match="MNIST"):
        hw.mnist("t10k", 2)
    with pytest.raises(FileNotFoundError, match="train-images"):
        hw.mnist("train", 2)


# ---- the wiring of run() ----
PARTS = {"train": some_part(1, 40), "t10k": some_part(2, 30)}


def part_of(kind, count):
    """Small parts in place of MNIST's halves."""
    return Part(*(array[:count] for array in PARTS[kind]))


@pytest.fixture
def film(monkeypatch):
    """Keep what the parts of a run are asked for: searches, tests, and the streams they use."""
    seen = {"search": [], "accuracy": [], "streams": []}
    really_search, really_test = hw.search, hw.accuracy
    really_draw, really_shuffle = hw.draw_settings, hw.shuffled

    def key(rng):
        seed = rng.bit_generator.seed_seq
        seen["streams"].append((seed.entropy, seed.spawn_key))
        return rng

    def searched(kind, depth, width, settings, part, order, rng, config, progress):
        found = really_search(kind, depth, width, settings, part, order, key(rng), config, progress)
        seen["search"].append((kind, depth, width, settings, part, order, found))
        return found

    def tested(nets, part, batch_size):
        seen["accuracy"].append((nets, part))
        return really_test(nets, part, batch_size)

    for module in (hw, study):
        monkeypatch.setattr(module, "search", searched)
        monkeypatch.setattr(module, "accuracy", tested)
        monkeypatch.setattr(module, "mnist", part_of)
        monkeypatch.setattr(module, "draw_settings", lambda c, rng: really_draw(c, key(rng)))
        monkeypatch.setattr(module, "shuffled", lambda rng, *n: really_shuffle(key(rng), *n))
    return seen


def test_both_kinds_get_the_same_search(film):
    config = small_config()
    table = run(config, 1000, silent)
    cells = [call[:3] for call in film["search"]]
    assert cells == [(Highway, 2, 5), (Plain, 2, 7), (Highway, 4, 5), (Plain, 4, 7)]
    first = film["search"][0]
    assert all(call[3] is first[3] and call[5] is first[5] for call in film["search"])
    assert first[5].shape == (2, 40) and len(first[3].gain) == 3
    assert all(call[-1].losses.shape == (2, 4, 3) for call in film["search"])
    assert len(set(film["streams"])) == len(film["streams"]) == 6
    starts = [call[-1].nets.weights[0][0][0, 0, 0, :3].tolist() for call in film["search"]]
    assert len({tuple(start) for start in starts}) == 4
    for name, call in zip(hw.cells(config), film["search"], strict=True):
        assert table[name]["loss"] == call[-1].scores.min()
    line = film["search"][2][-1]
    assert table["curve"]["y"] == line.losses[..., line.best].ravel().tolist()


def test_nobody_learns_what_is_tested(film):
    run(small_config(), 1000, silent)
    for call in film["search"]:
        np.testing.assert_array_equal(call[4].images, PARTS["train"].images)
        np.testing.assert_array_equal(call[4].labels, PARTS["train"].labels)
    assert len(film["accuracy"]) == 4
    for _, part in film["accuracy"]:
        np.testing.assert_array_equal(part.images, PARTS["t10k"].images)


def test_a_run_compares_the_best_losses(monkeypatch):
    losses = iter([0.2, 0.3, 0.25, 2.0])

    def found(kind, depth, width, settings, *_):
        return Found(None, settings, np.ones((2, 4, 3)), None, 0)

    monkeypatch.setattr(hw, "mnist", part_of)
    monkeypatch.setattr(hw, "search", found)
    monkeypatch.setattr(hw, "summary", lambda *_: {"loss": next(losses)})
    table = run(small_config(), 1000, silent)
    assert table["shallow"]["log_plain_over_highway"] == pytest.approx(math.log(1.5))
    assert table["deep"]["log_plain_over_highway"] == pytest.approx(math.log(8))
    assert table["log_highway_deep_over_shallow"] == pytest.approx(math.log(1.25))


def test_a_run_repeats_bit_for_bit_and_seeds_differ(monkeypatch):
    monkeypatch.setattr(hw, "mnist", part_of)
    said = []
    tables = [
        run(small_config(), seed, lambda fraction, message: said.append(fraction))
        for seed in (1000, 1000, 1001)
    ]
    assert all(table.pop("training")["patterns_per_second"] > 0 for table in tables)
    assert tables[0] == tables[1] != tables[2]
    third = said[: len(said) // 3]
    assert third == sorted(third) and 0 <= third[0] and third[-1] < 1


def test_the_default_run_is_the_papers():
    config = Config()
    assert (config.shallow_depth, config.deep_depth) == (10, 50)
    assert (config.highway_width, config.plain_width) == (50, 71)
    assert config.configurations * 10 >= 40  # the paper's search has 40 runs; ten seeds have 80


# ---- the study ----
def test_the_small_start_shrinks_a_signal_and_the_others_do_not():
    config = study.Config(deep_depth=8)
    birth = study.at_birth(config, np.random.default_rng(0), some_part(count=200).images)
    shrinks = np.array(birth["small_start"][1:]) / birth["small_start"][:-1]
    np.testing.assert_allclose(shrinks[2:], 3**-0.5, rtol=0.15)
    assert birth["plain"][-1] > 0.1 > 0.01 > birth["small_start"][-1]
    assert birth["residual"][-1] > birth["residual"][0] and len(birth["plain"]) == 8
    for name, bias in (("highway_minus_1", -1), ("highway_minus_4", -4)):
        T = 1 / (1 + math.exp(-bias))
        shrinks = np.array(birth[name][1:]) / birth[name][:-1]
        np.testing.assert_allclose(shrinks, math.hypot(1 - T, 0.95 * T), rtol=0.06)


def test_a_lesion_takes_one_layer_out(monkeypatch):
    """Layer n multiplies by one but for the third one, which turns every answer round."""
    nets = newborn(Highway, 4, 10, some_settings((True,)), np.random.default_rng(0))
    for W, b in nets.weights[:-1]:
        W[:], b[:] = 0, -60  # rectifiers say 0, gates are shut: layers are the identity
    nets.weights[0][0][0, 0, :10] = np.eye(10)
    nets.weights[0][1][:] = 0
    nets.weights[2][0][0, 0] = np.roll(np.eye(10), 1, 1)  # its gates are open
    nets.weights[2][1][:, 0] = [[[0.0]], [[60.0]]]
    nets.weights[-1][0][0] = np.roll(np.eye(10), -1, 1)
    test = some_part(3, 50)
    test = Part(np.maximum(test.images, 0), test.labels)
    assert study.lesions(nets, test) == ([0, 100, 0], 0, 100)
    monkeypatch.setattr(study, "NEEDED", 2)
    assert study.lesions(nets, test) == ([0, 100, 0], 100, 100)


def test_lesions_are_summed_up_beyond_the_fifteenth_layer():
    rises = [50.0] * 14 + [0.1, 0.3, 0.2, 2.0]  # layers 2 to 15, then 16 to 19
    row = study.lesion_row(rises, 7.0, 8.0)
    assert row["median_rise"] == pytest.approx(0.25) and row["largest_late_rise"] == 2
    assert row["early_median_rise"] == row["largest_rise"] == 50
    assert (row["without_all_late"], row["without_all"]) == (7, 8)
    assert study.lesion_row([1.0, 3.0], 0.0, 0.0)["median_rise"] is None


def test_gates_are_those_of_the_forward_pass(monkeypatch):
    monkeypatch.setattr(study, "EVALUATED", 30)
    test = some_part(3, 50)
    nets = newborn(Highway, 4, 5, some_settings((False,)), np.random.default_rng(0))
    T = study.gates(nets, test)
    assert T.shape == (3, 50, 5)
    x = np.tanh(test.images @ nets.weights[0][0][0, 0])  # (N, n)
    W, b = nets.weights[1]
    np.testing.assert_allclose(T[0], sigmoid(x @ W[1, 0] + b[1, 0]), atol=1e-5)


def test_gates_are_told_apart_by_class_and_by_image():
    """One gate depends on the class alone, one on the image alone, one is fixed."""
    labels = np.array([0, 0, 1, 1])
    T = np.array([[[0.0], [0], [1], [1]], [[0], [1], [0], [1]], [[0.02]] * 4])  # (3, 4, 1)
    row = study.gate_row(T, labels)
    assert row["share_of_classes"] == pytest.approx(0.5) and row["nearly_shut_layers"] == 1
    assert row["spreads"] == pytest.approx([0.5, 0.5, 0])
    assert row["means"] == pytest.approx([0.5, 0.5, 0.02])
    assert row["mean"] == pytest.approx(1.02 / 3)
    assert row["spread_over_images"] == pytest.approx(math.sqrt(0.5 / 3))


def small_study(**more):
    """Settings of a study that takes no time."""
    own = {"very_deep_depth": 5, "long_epochs": 3, "large_images": 35, "large_epochs": 1}
    return study.Config(**vars(small_config()) | own | more)


def test_the_study_repeats_the_searches_and_goes_on_with_the_best(film):
    run(small_config(), 1000, silent)
    seen, film["search"], film["streams"] = film["search"], [], []
    table = study.run(small_study(), 1000, silent)
    for call, again in zip(seen, film["search"][:4], strict=True):
        assert call[:3] == again[:3]
        np.testing.assert_array_equal(call[-1].losses, again[-1].losses)
    assert len(set(film["streams"])) == len(film["streams"]) == 18
    kinds = [(call[0], call[1], call[2]) for call in film["search"][4:10]]
    assert kinds[:3] == [(Highway, 5, 5), (Plain, 5, 7), (Highway, 4, 5)]
    assert kinds[3:] == [(kind, 4, 7) for kind in (FixedGate, Residual, SmallStart)]
    assert not film["search"][6][3].gate_bias.any()
    for chosen, first in zip(film["search"][10:], (2, 3, 4, 5), strict=True):
        best = film["search"][first]
        assert chosen[:3] == best[:3]
        expected = [values[best[-1].best] for values in best[3]]
        assert [values.tolist() for values in chosen[3]] == [[value] for value in expected]
    orders = [call[5].shape for call in film["search"][10:]]
    assert orders == [(3, 40), (3, 40), (1, 35), (1, 35)]
    long, plain = [call[-1].scores[0] for call in film["search"][10:12]]
    assert table["long_deep"]["log_plain_over_highway"] == pytest.approx(math.log(plain / long))
    long, plain = [call[-1].scores[0] for call in film["search"][12:]]
    assert table["very_deep"]["highway"] == long and table["very_deep"]["plain"] == plain


def test_the_study_learns_training_images_and_tests_the_others(film):
    study.run(small_study(), 1000, silent)
    for *_, part, _, _ in film["search"]:
        images = PARTS["train"].images[: len(part.labels)]
        np.testing.assert_array_equal(part.images, images)
    assert [len(call[4].labels) for call in film["search"]] == [40] * 12 + [35] * 2
    for _, part in film["accuracy"]:
        np.testing.assert_array_equal(part.images, PARTS["t10k"].images)
    longest = film["search"][10][-1].nets
    depths = [
        len(nets.layers) for nets, _ in film["accuracy"] if nets.layers[0] is longest.layers[0]
    ]
    assert depths == [4, 4, 3, 3, 3, 4, 1]  # compared, whole, without each layer, the late, all


# ---- unusable arguments ----
@pytest.mark.parametrize(
    "more",
    [
        {"learning_rates": (0.3, 0.1)},
        {"learning_rates": (0.1,)},
        {"gate_biases": (-1, -6)},
        {"batch_size": 200, "train_images": 100},
    ],
)
def test_settings_that_do_not_fit_are_refused(more):
    flag = next(iter(more)).replace("_", "-")
    with pytest.raises(ValueError, match=f"--{flag}"):
        Config(**more)
    assert Config(**QUICK).batch_size <= Config(**QUICK).train_images


@pytest.mark.parametrize(
    "argv", [["--deep-depth", "1"], ["--momenta", "1"], ["--gate-biases", "-1", "-2"]]
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        hw.main(hw, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
