"""Tests of em_segmentation_isbi: tissue, gradients, the scan, segments, the loader, the wiring."""

import struct
from collections import deque

import em_segmentation_isbi as em
import numpy as np
import pytest
import study_em_segmentation_isbi as study
from em_segmentation_isbi import QUICK, Config, Stack, Tissue, WindowNet, Windows

SHAPES = {9: (3, 4), 17: (3, 2), 33: (2, 3, 4), 65: (2, 2, 3, 2)}


def silent(fraction, message):
    """Show nothing."""


def wide_net(window, filters, seed=1):
    """A net in 64 bits whose biases are not zero."""
    rng = np.random.default_rng(seed)
    net = WindowNet(rng, window, filters, 5)
    net.layers = [[W.astype(float), rng.normal(0, 0.3, b.shape)] for W, b in net.layers]
    return net


def small_tissue(seed=1000, **more):
    """Slices as small as can be, and the settings they were drawn with."""
    settings = {"size": 32, "train_images": 2, "cells": 80, "window": 9, "filters": (3, 4)}
    config = Config(**settings | {"hidden_size": 5, "training_windows": 256} | more)
    return em.prepare(config, seed)[0], config


# ---- the net ----
def loss_of(net, x, label):
    log_p, _ = net.forward(x)
    return -log_p[label, 0, 0, np.arange(len(label))].mean()


@pytest.mark.parametrize(("window", "filters"), [*SHAPES.items(), (33, ())])
def test_the_gradient_agrees_with_central_differences(window, filters):
    net = wide_net(window, filters)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((window, 1, window, 6))
    label = np.array([0, 1, 1, 0, 1, 0])
    log_p, tape = net.forward(x)
    gradient = net.backward(log_p, label, tape)
    assert len(gradient) == len(filters) + 2
    for layer, slopes in zip(net.layers, gradient, strict=True):
        for parameter, slope in zip(layer, slopes, strict=True):
            assert parameter.shape == slope.shape and np.abs(slope).max() > 1e-4
            for n in rng.choice(parameter.size, min(parameter.size, 12), replace=False):
                place = np.unravel_index(n, parameter.shape)
                kept, ends = parameter[place], []
                for step in (1e-6, -1e-6):
                    parameter[place] = kept + step
                    ends.append(loss_of(net, x, label))
                parameter[place] = kept
                assert abs((ends[0] - ends[1]) / 2e-6 - slope[place]) <= 1e-8


def slow_log_p(net, x):
    """The log-probabilities of one window (S, S), place by place."""
    maps = x[None]  # (C, H, W)
    for n, (W, b) in enumerate(net.layers):
        k = net.kernels[n]
        side = maps.shape[1] - k + 1
        kernel = W.reshape(len(b), k, k, -1).transpose(0, 3, 1, 2)  # (D, C, k, k)
        z = np.zeros((len(b), side, side))
        for row in range(side):
            for column in range(side):
                patch = maps[:, row : row + k, column : column + k]
                z[:, row, column] = (kernel * patch).sum((1, 2, 3)) + b
        if n < net.stages:
            half = range(side // 2)
            z = np.array(
                [
                    [[m[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max() for j in half] for i in half]
                    for m in z
                ]
            )
        maps = np.maximum(z, 0)
    z = z[:, 0, 0]
    return z - np.log(np.exp(z).sum())


@pytest.mark.parametrize("window", [9, 33])
def test_forward_agrees_with_a_loop_over_places(window):
    net = wide_net(window, SHAPES[window])
    x = np.random.default_rng(3).standard_normal((window, 1, window, 2))
    log_p, _ = net.forward(x)
    for n in range(2):
        np.testing.assert_allclose(log_p[:, 0, 0, n], slow_log_p(net, x[:, 0, :, n]), rtol=1e-9)


def test_only_the_winner_of_a_pool_learns_and_the_first_wins_a_tie():
    z = np.array([[1.0, 5.0], [5.0, 2.0]]).reshape(2, 1, 2, 1)
    y, winners = em.pool(z)
    assert y.item() == 5
    dz = em.back_pool(np.full((1, 1, 1, 1), 7.0), winners)
    assert dz[:, 0, :, 0].tolist() == [[0, 0], [7, 0]]  # of each column the larger; then the first
    _, winners = em.pool(np.zeros((2, 1, 2, 1)))
    assert em.back_pool(np.ones((1, 1, 1, 1)), winners)[:, 0, :, 0].tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(("window", "filters"), [*SHAPES.items(), (33, ())])
def test_the_scan_is_the_net_at_every_pixel(window, filters):
    net = wide_net(window, filters, 4)
    image = np.random.default_rng(5).standard_normal((1, 24, 21))
    p = net.scan(image)
    half = window // 2
    padded = np.pad(image, ((0, 0), (half, half), (half, half)), "reflect")
    seen = em.sliding_window_view(padded, (window, window), (1, 2))  # (2, 40, 37, S, S)
    x = np.ascontiguousarray(seen.reshape(-1, window, window).transpose(1, 2, 0)[:, None])
    one_by_one = np.exp(net.forward(x)[0][1, 0, 0]).reshape(image.shape)
    assert p.shape == image.shape and one_by_one.std() > 1e-4
    np.testing.assert_allclose(p, one_by_one, atol=1e-5)


# ---- training ----
def test_half_of_the_windows_lie_on_membrane_and_they_are_turned():
    rng = np.random.default_rng(6)
    image = np.arange(2 * 12 * 14, dtype=np.float32).reshape(2, 12, 14)
    membrane = rng.random(image.shape) < 0.1
    x, label = Windows(Stack(image, membrane, None), 5).look(np.random.default_rng(7), 400)
    assert x.shape == (5, 1, 5, 400) and label.sum() == 200
    middle = x[2, 0, 2].astype(int)  # the grey of a pixel is its number
    np.testing.assert_array_equal(membrane.ravel()[middle], label == 1)
    assert len(set(middle[label == 1])) > 0.9 * membrane.sum()
    steps = {tuple((x[2, 0, 3:4, n] - x[2, 0, 2, n]).astype(int)) for n in range(400)}
    assert {(1,), (-1,), (14,), (-14,)} <= steps
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), "reflect")
    ways = set()
    for n in range(400):
        slab, row, column = np.unravel_index(middle[n], image.shape)
        patch = padded[slab, row : row + 5, column : column + 5]
        turns = [np.rot90(g, k) for g in (patch, patch.T) for k in range(4)]
        ways |= {way for way, turned in enumerate(turns) if (turned == x[:, 0, :, n]).all()}
    assert ways == set(range(8))


def test_momentum_on_a_case_worked_by_hand():
    layers, velocity = [[np.array([1.0])]], [[np.array([0.0])]]
    em.descend(layers, velocity, [[np.array([2.0])]], 0.1, 0.5)
    assert layers[0][0][0] == pytest.approx(0.8)
    em.descend(layers, velocity, [[np.array([1.0])]], 0.1, 0.5)
    assert layers[0][0][0] == pytest.approx(0.8 - 0.1 - 0.1)


def test_training_follows_the_gradient_with_a_rate_that_falls_to_zero(monkeypatch):
    tissue, config = small_tissue(batch_size=32)
    windows, seen, rates = Windows(tissue.train, 9), [], []
    descend = em.descend

    def watched(layers, velocity, gradient, rate, momentum):
        rates.append((rate, momentum))
        descend(layers, velocity, gradient, rate, momentum)

    class Watched:
        def look(self, rng, count):
            seen.append(windows.look(rng, count))
            return seen[-1]

    monkeypatch.setattr(em, "descend", watched)
    net = WindowNet(np.random.default_rng(8), 9, (3, 4), 5)
    twin = WindowNet(np.random.default_rng(8), 9, (3, 4), 5)
    curve = em.train(net, Watched(), np.random.default_rng(9), config, silent)
    wanted = [(config.learning_rate * (1 - n / 8), 0.9) for n in range(8)]
    np.testing.assert_allclose(rates, wanted)
    assert len(seen) == 8 and curve["x"] == list(range(32, 257, 32))
    speed = [[0 * part for part in layer] for layer in twin.layers]
    for (x, label), (rate, momentum), loss in zip(seen, wanted, curve["y"], strict=True):
        assert loss == pytest.approx(loss_of(twin, x, label), rel=1e-4)
        log_p, tape = twin.forward(x)
        for layer, speeds, slopes in zip(twin.layers, speed, twin.backward(log_p, label, tape)):
            for n in range(2):
                speeds[n] = momentum * speeds[n] - rate * slopes[n]
                layer[n] = layer[n] + speeds[n]
    np.testing.assert_allclose(net.layers[0][0], twin.layers[0][0], rtol=1e-4, atol=1e-6)


# ---- tissue ----
def test_a_blur_is_the_mean_under_a_bell():
    x = np.random.default_rng(10).random((2, 9, 7))
    y = em.blur(x, 1.5)
    rows, columns = np.indices((9, 7))
    bell = np.exp(-((rows - 2) ** 2 + (columns - 6) ** 2) / (2 * 1.5**2))
    assert y[1, 2, 6] == pytest.approx((x[1] * bell).sum() / bell.sum())
    np.testing.assert_allclose(em.blur(np.ones((4, 5)), 3), 1)


def test_cells_have_straight_boundaries_without_a_warp(monkeypatch):
    monkeypatch.setattr(em, "field", lambda rng, size, sigma: np.zeros((size, size)))

    class Two:
        """Seeds at columns 4 and 12 of equal weight: the boundary is column 8."""

        def uniform(self, low, high, shape):
            return np.array([[8.0, 8.0], [4.0, 12.0]]) if shape == (2, 2) else np.zeros(shape)

    edge, cell = em.draw_cells(Two(), 17, 2)
    np.testing.assert_array_equal(cell[:, :8], 0)
    np.testing.assert_array_equal(cell[:, 9:], 1)
    np.testing.assert_allclose(edge[8, [5, 8, 11]], [3, 0, 3], atol=0.02)


def test_tissue_is_as_hard_as_it_should_be():
    config = Config(train_images=1)
    stack = em.generated(np.random.SeedSequence(1000).spawn(3), config).test
    assert stack.image.dtype == np.float32 and stack.image.shape == (6, 128, 128)
    np.testing.assert_allclose(stack.image.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(stack.image.std((1, 2)), 1, atol=1e-4)
    assert 0.16 < stack.membrane.mean() < 0.22
    dark = em.auc(-stack.image, stack.membrane)
    smooth = em.blur(stack.image, 1)
    near = em.auc(em.blur(stack.image, 5) - smooth, stack.membrane)
    assert 0.77 < dark < 0.86 and em.auc(-smooth, stack.membrane) < dark < near < 0.9
    assert 5 < em.pixel_error(stack.observer, stack.membrane) < 15


def test_organelles_lie_inside_cells():
    edge = np.full((40, 40), 20.0)
    edge[:, 20:] = 0
    ink = em.mitochondria(np.random.default_rng(11), edge, 3)
    assert ink[:, :20].max() > 0.5 and ink[:, 26:].max() < 0.2 and ink.max() <= 1
    assert not em.mitochondria(np.random.default_rng(11), 0 * edge, 3).any()
    circles = em.rings(np.random.default_rng(12), edge, 30, 4.5, (3, 3), 0.7)
    assert circles[:, :20].max() > 0.5 and circles[:, 25:].max() < 0.1
    dot = em.rings(np.random.default_rng(13), np.full((9, 9), 5.0), 1, 3.0, (0, 0), 1.0)
    row, column = np.unravel_index(dot.argmax(), dot.shape)
    assert 0.5 <= dot.max() <= 1
    beside = dot[row, column - 1 if column else 1]
    assert beside == pytest.approx(dot.max() * np.exp(-0.5))


# ---- after the net ----
def test_calibration_maps_to_frequencies_and_never_falls():
    rng = np.random.default_rng(14)
    p = rng.random(200_000)
    membrane = rng.random(p.size) < p**3
    asked = np.linspace(0, 1, 11)
    found = em.calibrated(asked, p, membrane)
    np.testing.assert_allclose(found, asked**3, atol=0.02)
    dips = em.calibrated(np.linspace(0, 1, 101), p, rng.random(p.size) < (p - 0.5) ** 2)
    assert (np.diff(dips) >= 0).all() and dips[-1] > dips[0]


def test_the_median_is_of_a_disk():
    score = np.random.default_rng(15).random((2, 9, 8))
    found = em.median(score, 2)
    rows, columns = np.indices((9, 8))
    disk = (rows - 4) ** 2 + (columns - 3) ** 2 <= 4
    assert disk.sum() == 13 and found[1, 4, 3] == np.median(score[1][disk])
    np.testing.assert_array_equal(em.median(score, 0), score)


# ---- segments ----
def flooded(inside):
    """Components by flood fill, as the set of their sets of pixels."""
    left, found = {tuple(p) for p in np.argwhere(inside)}, []
    while left:
        queue, part = deque([left.pop()]), set()
        while queue:
            n, r, c = queue.popleft()
            part.add((n, r, c))
            for other in ((n, r - 1, c), (n, r + 1, c), (n, r, c - 1), (n, r, c + 1)):
                if other in left:
                    left.remove(other)
                    queue.append(other)
        found.append(frozenset(part))
    return set(found)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.55, 0.62, 0.8, 1.0])
def test_components_agree_with_a_flood(share):
    inside = np.random.default_rng(16).random((2, 23, 31)) < share
    number = em.components(inside)
    np.testing.assert_array_equal(number > 0, inside)
    parts = {frozenset(map(tuple, np.argwhere(number == n))) for n in set(number[inside])}
    assert parts == flooded(inside)


def slow_rand_error(predicted, membrane):
    """The Rand error from all pairs of pixels that lie in true cells, a pixel with itself too."""
    parts = [flooded(~mask) for mask in (predicted, membrane)]
    where = [{p: n for n, part in enumerate(some) for p in part} for some in parts]
    pixels = [tuple(p) for p in np.argwhere(~membrane)]
    both = first = second = 0
    for p in pixels:
        for q in pixels:
            same = [w.get(p, p) == w.get(q, q) for w in where]
            both, first, second = both + all(same), first + same[0], second + same[1]
    precision, recall = both / first, both / second
    return 100 * (1 - 2 * precision * recall / (precision + recall))


def test_the_rand_error_agrees_with_pairs_of_pixels():
    rng = np.random.default_rng(17)
    for share in (0.2, 0.4):
        predicted, membrane = rng.random((2, 1, 12, 12)) < share
        expected = slow_rand_error(predicted, membrane)
        assert em.rand_error(predicted, membrane) == pytest.approx(expected) and expected > 5


def test_errors_on_cases_worked_by_hand():
    membrane = np.zeros((1, 3, 5), bool)
    membrane[:, :, 2] = True
    gap = membrane.copy()
    gap[0, 1, 2] = False  # one pixel joins two cells of six
    assert em.rand_error(membrane, membrane) == 0
    assert em.rand_error(gap, membrane) == pytest.approx(100 * (1 - 2 * 72 / (144 + 72)))
    assert em.pixel_error(gap, membrane) == pytest.approx(100 / 15)
    twice = np.concatenate([membrane, membrane])
    assert em.rand_error(twice, twice) == 0  # slices do not hang together


def test_auc_counts_pairs_and_ties_half():
    score = np.array([3.0, 1.0, 2.0, 2.0])
    assert em.auc(score, np.array([True, False, True, False])) == pytest.approx(3.5 / 4)


# ---- the simple methods ----
def test_a_linear_filter_is_least_squares_on_all_training_pixels():
    tissue, _ = small_tissue()
    score = em.linear_filter(5)(tissue.train)
    rows = np.concatenate([em.patches(image, 5) for image in tissue.train.image]).astype(float)
    assert rows.shape == (2 * 32 * 32, 26)
    np.testing.assert_array_equal(rows[32 * 16 + 9, 12], tissue.train.image[0, 16, 9])
    w = np.linalg.lstsq(rows, tissue.train.membrane.ravel().astype(float), rcond=None)[0]
    expected = em.patches(tissue.test.image[2], 5) @ w
    np.testing.assert_allclose(score(tissue.test.image)[2].ravel(), expected, atol=2e-3)


def test_darkness_and_contrast_are_high_on_a_dark_line():
    image = np.zeros((1, 15, 15))
    image[:, :, 7] = -1
    for method in (em.darkness, em.contrast):
        score = method(None)(image)
        assert score.shape == image.shape and (score.argmax(2) == 7).all()


# ---- the real stack ----
def tiff(pages, order, strips):
    """The bytes of an uncompressed TIFF, each page in so many strips."""
    raw = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    for n, page in enumerate(pages):
        parts = [part.tobytes() for part in np.array_split(page, strips)]
        start = len(raw) + 2 + 6 * 12 + 4
        lists = start + 8 * strips
        places = [lists + sum(map(len, parts[:k])) for k in range(strips)]
        tags = [(256, 3, 1, page.shape[1]), (257, 4, 1, page.shape[0])]
        tags += [(258, 3, 1, 8), (259, 3, 1, 1)]
        many = [(273, places, start), (279, [len(part) for part in parts], start + 4 * strips)]
        raw += struct.pack(f"{order}H", 6)
        for tag, kind, count, value in tags:
            form = f"{order}HHI" + ("HH" if kind == 3 else "I")
            raw += struct.pack(form, tag, kind, count, *([value, 0] if kind == 3 else [value]))
        for tag, values, place in many:
            value = place if strips > 1 else values[0]
            raw += struct.pack(f"{order}HHII", tag, 4, strips, value)
        after = lists + page.size
        raw += struct.pack(f"{order}I", after if n < len(pages) - 1 else 0)
        raw += struct.pack(f"{order}{2 * strips}I", *many[0][1], *many[1][1]) + b"".join(parts)
    return raw


@pytest.mark.parametrize(("order", "strips"), [("<", 1), ("<", 3), (">", 1), (">", 4)])
def test_the_tiff_reader(tmp_path, order, strips):
    pages = np.random.default_rng(18).integers(256, size=(3, 12, 9), dtype=np.uint8)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(pages, order, strips))
    np.testing.assert_array_equal(em.tiff_pages(path), pages)
    path.write_bytes(b"GIF89a..")
    with pytest.raises(OSError, match="is not a TIFF"):
        em.tiff_pages(path)


@pytest.fixture
def copies(tmp_path):
    """The same nine slices as a folder of TIFFs and as a .npz file."""
    rng = np.random.default_rng(19)
    image = rng.integers(256, size=(9, 24, 20), dtype=np.uint8)
    membrane = rng.random(image.shape) < 0.2
    image[membrane] //= 3
    (tmp_path / "train-volume.tif").write_bytes(tiff(image, "<", 2))
    labels = np.where(membrane, 0, 255).astype(np.uint8)
    (tmp_path / "train-labels.tif").write_bytes(tiff(labels, "<", 1))
    path = tmp_path / "stack.npz"
    np.savez(path, image=image, membrane=np.packbits(membrane))
    return image, membrane, tmp_path, path


def test_both_forms_of_the_real_stack_give_the_same_three_stacks(copies):
    image, membrane, folder, file = copies
    for source in (folder, file):
        tissue = em.real_stack(source)
        assert [len(stack.image) for stack in tissue] == [4, 2, 3]
        joined = np.concatenate([stack.membrane for stack in tissue])
        np.testing.assert_array_equal(joined, membrane)
        expected = (image[8] - image[8].mean()) / image[8].std()
        np.testing.assert_allclose(tissue.test.image[2], expected, atol=1e-5)
        assert tissue.test.observer is None


def test_a_run_on_the_real_stack(copies):
    settings = {"window": 9, "filters": (3, 4), "hidden_size": 5, "training_windows": 256}
    config = Config(isbi=str(copies[3]), **settings)
    table = em.run(config, 1000, silent)
    assert table["observer"] == {"pixel_error": None, "rand_error": None}
    assert table["cnn_minus_observer"] == {"pixel_error": None}
    assert table["darkness"]["auc"] > 0.8 and table["cnn"]["pixel_error"] <= 100


# ---- the wiring ----
def test_the_three_stacks_are_different_tissue_and_streams_differ(monkeypatch):
    tissue, config = small_tissue()
    slices = [image for stack in tissue for image in stack.image]
    assert len(slices) == 2 + 3 + 6
    assert len({image.tobytes() for image in slices}) == 11
    starts = []
    fresh = np.random.default_rng

    def watched(stream):
        starts.append(fresh(stream).random())
        return fresh(stream)

    monkeypatch.setattr(np.random, "default_rng", watched)
    em.prepare(config, 1000)
    assert len(starts) == len(set(starts)) == 5


def test_a_run_tunes_on_validation_and_is_judged_on_test_slices(monkeypatch):
    tissue, config = small_tissue()
    seen = {"train": [], "judge": [], "simple": []}
    train, judge = em.train, em.judge

    def watched_train(net, windows, rng, settings, progress):
        seen["train"].append(windows)
        return train(net, windows, rng, settings, progress)

    def watched_judge(held, unseen, judged, radius):
        seen["judge"].append((held, unseen, judged, radius))
        return judge(held, unseen, judged, radius)

    def simple(stack):
        seen["simple"].append(stack)
        return em.darkness(stack)

    monkeypatch.setattr(em, "train", watched_train)
    monkeypatch.setattr(em, "judge", watched_judge)
    monkeypatch.setattr(em, "SIMPLE", dict.fromkeys(em.SIMPLE, simple))
    table = em.run(config, 1000, silent)
    (windows,) = seen["train"]
    padded = np.pad(tissue.train.image, ((0, 0), (4, 4), (4, 4)), "reflect")
    np.testing.assert_array_equal(windows.pixels, padded.ravel())
    assert len(seen["simple"]) == 5
    for stack in seen["simple"]:
        np.testing.assert_array_equal(stack.image, tissue.train.image)
        np.testing.assert_array_equal(stack.membrane, tissue.train.membrane)
    assert len(seen["judge"]) == 6
    for held, unseen, judged, radius in seen["judge"]:
        np.testing.assert_array_equal(judged.test.membrane, tissue.test.membrane)
        assert radius == config.median_radius
        assert held.shape == tissue.validation.image.shape
        assert unseen.shape == tissue.test.image.shape
    for held, unseen, _, _ in seen["judge"][1:]:
        np.testing.assert_array_equal(held, -tissue.validation.image)
        np.testing.assert_array_equal(unseen, -tissue.test.image)
    assert table["cnn"] == judge(*seen["judge"][0][:2], tissue, 2)


def scripted(monkeypatch, rows, drawn):
    """Make a run whose methods have these pixel and Rand errors, in the order of judgement."""
    left = [{"auc": 0.5, "pixel_error": p, "rand_error": r} for p, r in rows]
    monkeypatch.setattr(em, "judge", lambda *_: left.pop(0))
    monkeypatch.setattr(em, "second_observer", lambda stack: {"pixel_error": drawn})
    _, config = small_tissue()
    return em.run(config, 1000, silent)


def test_a_run_compares_with_the_best_simple_method_for_each_error(monkeypatch):
    rows = [(6.0, 20.0), (20.0, 90.0), (15.0, 80.0), (18.0, 40.0), (12.0, 70.0), (13.0, 60.0)]
    table = scripted(monkeypatch, rows, 7.0)
    assert table["cnn_over_best_simple"] == {"pixel_error": 0.5, "rand_error": 0.5}
    assert table["cnn_minus_observer"]["pixel_error"] == -1
    assert table["training"]["patterns_per_second"] > 0
    assert [table[name]["pixel_error"] for name in em.SIMPLE] == [row[0] for row in rows[1:]]


def test_thresholds_come_from_validation_alone():
    rng = np.random.default_rng(20)
    truth = rng.random((2, 3, 20, 20)) < 0.3
    held = truth[0] + 0.0
    unseen = truth[1] + 5.0  # shifted: a threshold of its own would be right on every pixel
    stacks = [Stack(None, kind, None) for kind in truth]
    row = em.judge(held, unseen, Tissue(None, *stacks), 0)
    assert row["auc"] == 1 and row["pixel_error"] == em.pixel_error(True, truth[1])
    row = em.judge(held, truth[1] + 0.0, Tissue(None, *stacks), 0)
    assert row["pixel_error"] == row["rand_error"] == 0


def test_each_error_has_a_threshold_of_its_own_and_the_filter_is_chosen(monkeypatch):
    asked = []

    def error(good):
        def measure(predicted, membrane):
            share = round(float(predicted.mean()), 2)
            asked.append(share)
            return abs(share - good)

        return measure

    monkeypatch.setattr(em, "ERRORS", {"one": error(0.1), "two": error(0.4)})
    score = np.random.default_rng(21).random((1, 40, 40))
    stack = Stack(None, np.random.default_rng(22).random((1, 40, 40)) < 0.3, None)
    row = em.judge(score, score, Tissue(None, stack, stack), 0)
    assert row["one"] == pytest.approx(0, abs=0.01) and row["two"] == pytest.approx(0, abs=0.01)
    assert len(asked) == 2 * (30 + 1)
    noisy = stack.membrane.copy()
    noisy[:] = False
    noisy[0, 10:20, 10:20] = True
    speckled = noisy ^ (np.random.default_rng(23).random(noisy.shape) < 0.05)
    monkeypatch.setattr(em, "ERRORS", {"pixel_error": em.pixel_error})
    stack = Stack(None, noisy, None)
    rows = [em.judge(speckled + 0.0, speckled + 0.0, Tissue(None, stack, stack), r) for r in (0, 2)]
    assert rows[1]["pixel_error"] < rows[0]["pixel_error"]


def test_scores_are_calibrated_on_validation(monkeypatch):
    tissue, config = small_tissue()
    net = WindowNet(np.random.default_rng(24), 9, (3, 4), 5)
    seen = []

    def watched(p, fitted, membrane):
        seen.append((fitted, membrane))
        return 2 * p

    monkeypatch.setattr(em, "calibrated", watched)
    pair = em.scores(net, tissue, config)
    np.testing.assert_array_equal(pair[1], 2 * net.scan(tissue.test.image))
    for fitted, membrane in seen:
        np.testing.assert_array_equal(fitted, net.scan(tissue.validation.image))
        assert membrane is tissue.validation.membrane
    plain = em.scores(net, *small_tissue(calibration=False))
    np.testing.assert_array_equal(plain[0], net.scan(tissue.validation.image))


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    _, config = small_tissue()
    runs = [em.run(config, seed, silent) for seed in (1000, 1000, 1001)]
    assert all(table.pop("training")["patterns_per_second"] > 0 for table in runs)
    assert runs[0] == runs[1] != runs[2]


# ---- the study ----
def test_all_windows_cost_the_same_within_a_tenth():
    cost = {}
    for side, filters in study.FILTERS.items():
        net = WindowNet(np.random.default_rng(0), side, filters, Config().hidden_size)
        cost[side] = study.multiply_adds(net)
    config = study.Config()
    perceptron = WindowNet(np.random.default_rng(0), 33, (), config.perceptron_units)
    cost["perceptron"] = study.multiply_adds(perceptron)
    assert study.FILTERS[config.window] == config.filters
    assert cost[33] == 30**2 * 12 * 16 + 12**2 * 16 * 192 + 4**2 * 96 * 144 + 64 * 384 + 128
    assert all(0.9 < some / cost[33] < 1.1 for some in cost.values()), cost


def test_logistic_regression_finds_the_weights_that_made_the_labels():
    rng = np.random.default_rng(25)
    image = rng.standard_normal((3, 60, 60)).astype(np.float32)
    x = study.features(image)
    assert x.shape == (3, 60, 60, 16)
    np.testing.assert_allclose(x[..., 1], em.blur(image, study.SCALES[0]))
    z = 4 * x[..., 1] - 1
    membrane = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    score = study.logistic(Stack(image, membrane, None))(image)
    assert np.corrcoef(score.ravel(), z.ravel())[0, 1] > 0.97


def test_averaging_compares_one_net_with_the_mean_of_all(monkeypatch):
    seen = []

    def watched(held, unseen, tissue, radius):
        seen.append((held, unseen, radius))
        return {"pixel_error": float(unseen[0, 0, 0])}

    nets = [(np.full((1, 5, 5), n), np.full((1, 5, 5), 10.0 * n)) for n in (1, 2, 6)]
    nets[0][1][0, 0, 0] = 40

    def judge(held, unseen, tissue, radius):
        row = watched(held, unseen, tissue, radius)
        return {"pixel_error": row["pixel_error"] / (1 if len(seen) <= 3 else 2)}

    monkeypatch.setattr(study, "judge", judge)
    table = study.averaging(nets, None, 1)
    assert table["one_net"]["pixel_error"] == pytest.approx((40 + 20 + 60) / 3)
    assert table["averaged"]["pixel_error"] == pytest.approx(20)
    assert table["averaged_filtered"]["pixel_error"] == pytest.approx(15)
    assert table["averaging"]["points_saved"] == pytest.approx(20)
    assert [radius for *_, radius in seen] == [0] * 5
    assert (seen[3][0] == 3).all()


def test_the_study_trains_each_net_apart_on_the_same_tissue(monkeypatch):
    seen = []

    def watched(stream, tissue, window, filters, units, config, progress):
        progress(1.0, "")
        seen.append((stream.spawn_key, window, filters, units, config))
        n = len(seen) + 0.0
        return [np.full(stack.image.shape, n) for stack in tissue[1:]]

    judged = []

    def judge(held, unseen, tissue, radius):
        judged.append((unseen.mean(), radius))
        return {"pixel_error": 100 / (1 + abs(unseen.mean())), "auc": 0.5}

    monkeypatch.setattr(study, "learned", watched)
    monkeypatch.setattr(study, "judge", judge)
    config = study.Config(size=32, train_images=1, nets=3, perceptron_units=7)
    told = []
    table = study.run(config, 1000, lambda fraction, _: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1
    keys = [key for key, *_ in seen]
    used = {stream.spawn_key for stream in np.random.SeedSequence(1000).spawn(5)}
    assert len(set(keys)) == 7 and not used & set(keys)
    assert [window for _, window, *_ in seen] == [33, 33, 33, 9, 17, 65, 33]
    assert [filters for _, _, filters, *_ in seen][-1] == ()
    assert [units for *_, units, _ in seen] == [64] * 6 + [7]
    assert all(some[-1] is config for some in seen)
    assert table["window_33"]["pixel_error"] == 50 and table["window_9"]["pixel_error"] == 20
    assert table["context"]["points_saved"] == -30
    assert table["perceptron"]["pixel_error"] == 100 / 8
    assert {radius for _, radius in judged} == {0}


def test_the_study_draws_the_tissue_of_the_experiment_and_scores_alike():
    tissue, config = small_tissue()
    stream = np.random.SeedSequence(5)
    held, unseen = study.learned(stream, tissue, 9, (3, 4), 5, config, silent)
    weights, picks = map(np.random.default_rng, np.random.SeedSequence(5).spawn(2))
    net = WindowNet(weights, 9, (3, 4), 5)
    em.train(net, Windows(tissue.train, 9), picks, config, silent)
    np.testing.assert_array_equal(unseen, em.scores(net, tissue, config)[1])
    assert held.shape == tissue.validation.image.shape


# ---- unusable arguments ----
def test_windows_and_filters_fit_together():
    with pytest.raises(ValueError, match="--window"):
        Config(window=11)
    with pytest.raises(ValueError, match="--filters"):
        Config(filters=(8, 8))
    assert Config(**QUICK).window == 17


@pytest.mark.parametrize(
    "argv",
    [["--isbi", "no-such-folder"], ["--window", "10"], ["--filters", "4"], ["--momentum", "1"]],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        em.main(em, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1


@pytest.mark.parametrize("raw", [b"", b"PK\3\4 no archive", b"no numbers at all"])
def test_a_file_that_is_no_stack_is_refused_in_one_line(tmp_path, capsys, raw):
    path = tmp_path / "stack.npz"
    path.write_bytes(raw)
    with pytest.raises(SystemExit) as stop:
        em.main(em, ["--isbi", str(path)])
    assert "stopped: " in stop.value.code and "\n" not in stop.value.code


def test_a_stack_of_few_slices_is_refused(tmp_path):
    path = tmp_path / "few.npz"
    np.savez(path, image=np.zeros((3, 4, 4), np.uint8), membrane=np.zeros(6, np.uint8))
    with pytest.raises(OSError, match="six slices"):
        em.real_stack(path)
