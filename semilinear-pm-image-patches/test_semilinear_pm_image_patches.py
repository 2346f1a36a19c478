"""Tests: gradients, the rule by hand, images, input area, templates, fresh predictors, wiring."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import semilinear_pm_image_patches as pm
import study_semilinear_pm_image_patches as study
from semilinear_pm_image_patches import QUICK, Config, Minimizer, Unpredicted, Window

SMALL = Config(
    images=2,
    test_images=1,
    image_size=40,
    rings=(1, 2),
    ring_distance=8.0,
    field_diameter=8.0,
    units=2,
    nets=2,
    batch_size=5,
    steps=20,
    init=0.8,
)  # 3 fields of 13 inputs, 6 units


def silent(fraction, message):
    """Show nothing."""


def net_of(kind=Minimizer, config=SMALL, seed=1):
    return kind(np.random.default_rng(seed), config)


def inputs_of(seed=2, count=5):
    return np.random.default_rng(seed).standard_normal((3, count, 13))


# ---- the rule ----
def numerical(function, weights, step=1e-6):
    """Central differences of function() by each entry of weights."""
    slopes = np.zeros(weights.size)
    flat = weights.reshape(-1)
    for k in range(weights.size):
        kept = flat[k]
        flat[k] = kept + step
        high = function()
        flat[k] = kept - step
        slopes[k] = (high - function()) / (2 * step)
        flat[k] = kept
    return slopes.reshape(weights.shape)


@pytest.mark.parametrize("kind", [Minimizer, Unpredicted])
@pytest.mark.parametrize("name", ["w", "b", "v", "c"])
def test_units_climb_and_predictors_descend_the_exact_gradient(kind, name):
    net, x = net_of(kind), inputs_of()
    learned = copy.deepcopy(net)
    learned.learn(x)
    fixed_p, fixed_y = net.predict(net.encode(x)), net.encode(x)

    def error():
        """The sum of e_i^2, seen by units (predictions given) or by predictors (units given)."""
        e = fixed_p - net.encode(x) if name in "wb" else net.predict(fixed_y) - fixed_y
        return (e**2).sum() / x.shape[1]

    rate = 0.05 if name in "wb" else -0.5
    exact = (getattr(learned, name) - getattr(net, name)) / rate
    estimate = numerical(error, getattr(net, name))
    if name == "v":
        estimate *= net.seen  # what a predictor does not see has no weight
    assert np.abs(estimate).max() > 1e-3 or (name == "v" and kind is Unpredicted)
    assert np.abs(exact - estimate).max() <= 1e-6 * max(1.0, np.abs(estimate).max())


def sigma(z):
    return 1 / (1 + math.exp(-z))


def test_training_is_the_papers_rule_unit_by_unit():
    net, reference = net_of(), net_of()
    batches = [inputs_of(seed) for seed in range(3)]
    for x in batches:
        net.learn(x)
    for n in range(2):
        w, b, v, c = (getattr(reference, name)[n] for name in ("w", "b", "v", "c"))
        for x in batches:
            change = [np.zeros_like(part) for part in (w, b, v, c)]
            for sample in range(5):
                y = [
                    sigma(w[i // 2, :, i % 2] @ x[i // 2, sample] + b[i // 2, 0, i % 2])
                    for i in range(6)
                ]
                for i in range(6):
                    p = sigma(sum(v[j, i] * y[j] for j in range(6) if j != i) + c[0, i])
                    e = p - y[i]
                    push = 2 * e * y[i] * (1 - y[i]) / 5
                    change[0][i // 2, :, i % 2] -= 0.05 * push * x[i // 2, sample]
                    change[1][i // 2, 0, i % 2] -= 0.05 * push
                    pull = 2 * e * p * (1 - p) / 5
                    for j in range(6):
                        change[2][j, i] -= 0.5 * pull * y[j] * (j != i)
                    change[3][0, i] -= 0.5 * pull
            for part, step in zip((w, b, v, c), change):
                part += step
    for name in ("w", "b", "v", "c"):
        np.testing.assert_allclose(getattr(net, name), getattr(reference, name), rtol=0, atol=1e-12)


def test_a_unit_flees_its_prediction_by_hand():
    """y = 1/2 and P = 3/4: the unit goes down, the prediction as well."""
    net = net_of()
    for part in (net.w, net.b, net.v, net.c):
        part[:] = 0
    net.c[:] = math.log(3)
    net.learn(np.ones((3, 4, 13)))
    assert net.w[0, 0, 0, 0] == pytest.approx(-0.05 * 2 * 0.25 * 0.25, abs=1e-12)
    assert net.b[1, 2, 0, 1] == pytest.approx(-0.05 * 2 * 0.25 * 0.25, abs=1e-12)
    assert net.c[0, 0, 5] == pytest.approx(math.log(3) - 0.5 * 2 * 0.25 * 0.1875, abs=1e-12)
    assert net.v[0, 1, 0] == pytest.approx(-0.5 * 2 * 0.25 * 0.1875 * 0.5, abs=1e-12)


def test_no_predictor_sees_its_own_unit():
    net = net_of()
    for seed in range(3):
        net.learn(inputs_of(seed))
    assert (np.diagonal(net.v, axis1=1, axis2=2) == 0).all()
    assert (np.abs(net.v).sum((1, 2)) > 0).all()
    y = net.encode(inputs_of())
    changed = y.copy()
    changed[:, :, 4] = 0.123
    same = np.isclose(net.predict(y), net.predict(changed), rtol=0, atol=1e-15).all((0, 1))
    assert same.tolist() == [False] * 4 + [True, False]


def test_the_twin_starts_alike_and_its_predictors_stay_blind():
    net, twin = net_of(), net_of(Unpredicted)
    for name in ("w", "b", "c"):
        np.testing.assert_array_equal(getattr(net, name), getattr(twin, name))
    before = twin.c.copy()
    for seed in range(3):
        twin.learn(inputs_of(seed))
    assert (twin.v == 0).all() and not np.allclose(twin.c, before)
    assert np.ptp(twin.predict(twin.encode(inputs_of())), axis=1).max() == 0
    assert not np.array_equal(net.w[0], net.w[1])
    assert 0.7 < np.abs(net.w).max() <= 0.8 and net.w.min() < 0


def test_codes_stand_in_the_order_of_fields():
    net, x = net_of(), inputs_of()
    y = net.encode(x)
    assert y.shape == (2, 5, 6)
    for unit in range(6):
        z = x[unit // 2, 3] @ net.w[1, unit // 2, :, unit % 2] + net.b[1, unit // 2, 0, unit % 2]
        assert y[1, 3, unit] == pytest.approx(sigma(z), abs=1e-12)
        np.testing.assert_array_equal(pm.filters(net)[1, unit], net.w[1, unit // 2, :, unit % 2])


# ---- the images ----
def test_leaves_have_the_density_of_the_docstring():
    rng = np.random.default_rng(3)
    drawn = [np.array(list(pm.leaves(rng, 100))) for _ in range(20)]
    length, width, angle, row, column, ellipse, shade = np.concatenate(drawn).T
    radius = np.sqrt(length * width) / 2  # pixels
    assert radius.min() >= 3 and radius.max() <= 60
    # the density radius^-3 leaves (3^-2 - 60^-2) / 2 below the median
    assert np.median(radius) == pytest.approx((0.5 * (3**-2 + 60**-2)) ** -0.5, rel=0.03)
    aspect = length / width
    assert 1 <= aspect.min() < 1.01 and 3.99 < aspect.max() <= 4
    assert aspect.mean() == pytest.approx(2.5, abs=0.05)
    assert (row.min(), row.max(), column.min(), column.max()) == (0, 99, 0, 99)
    assert 0.48 < ellipse.mean() < 0.52 and 0.48 < shade.mean() < 0.52
    assert angle.max() > 6.2 and np.abs(np.corrcoef(row, column)[0, 1]) < 0.05


def canvas(side=200):
    return np.zeros((side, side)), np.ones((side, side), bool)


@pytest.mark.parametrize("angle", [0.0, 0.7])
@pytest.mark.parametrize(("ellipse", "area"), [(True, math.pi * 600), (False, 4 * 600)])
def test_a_leaf_has_its_area_and_its_orientation(angle, ellipse, area):
    grey, bare = canvas()
    pm.paint((30.0, 20.0, angle, 5, 190, ellipse, 0.7), grey, bare)  # across two borders
    assert (~bare).sum() == pytest.approx(area, rel=0.05)
    assert np.array_equal(grey == 0.7, ~bare)
    rows, columns = np.nonzero(np.roll(~bare, (95, -90), (0, 1)))
    spread = np.cov(columns - 100, rows - 100)
    assert 0.5 * math.atan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1]) == pytest.approx(
        angle, abs=0.02
    )


def test_front_leaves_hide_those_behind():
    grey, bare = canvas()
    pm.paint((10.0, 10.0, 0.0, 100, 100, False, 0.2), grey, bare)
    pm.paint((30.0, 30.0, 0.0, 100, 100, False, 0.9), grey, bare)
    assert grey[100, 100] == 0.2 and grey[100, 80] == 0.9 and grey[100, 40] == 0


def test_an_image_is_covered_and_has_sixteen_levels():
    image = pm.dead_leaves(np.random.default_rng(4), 64)
    assert image.shape == (64, 64)
    assert set(np.unique(image)) <= set(range(16)) and len(np.unique(image)) > 10
    equal = (image[1:] == image[:-1]).mean()
    assert equal > 0.4  # a leaf is uniform


def test_inputs_are_scaled_and_averaged_over_five_pixels():
    image = np.random.default_rng(5).integers(16, size=(20, 20)).astype(float)
    ready = pm.as_input(image)
    scaled = (image - image.mean()) / image.std()
    for row, column in [(7, 9), (0, 19)]:
        near = [(row, column), (row - 1, column), ((row + 1) % 20, column)]
        near += [(row, column - 1), (row, (column + 1) % 20)]
        assert ready[row, column] == pytest.approx(np.mean([scaled[place] for place in near]))
    assert ready.mean() == pytest.approx(0, abs=1e-12)


# ---- the input area ----
def test_fields_are_the_papers():
    config = Config()
    points = pm.field_points(config)
    assert points.shape == (81, 2) and np.hypot(*points.T).max() == 10
    gaps = np.linalg.norm(points[:, None] - points, axis=-1) + 99 * np.eye(81)
    assert (gaps.min(1) == 2).all()
    for rings, distance, least in [((1, 7), 20.7, 17.9), ((1, 6, 10, 15), 7.3, 7.2)]:
        layout = replace(config, rings=rings, ring_distance=distance)
        centres = pm.field_centres(layout)
        assert len(centres) == sum(rings) and pm.reach(layout) <= 32
        gaps = np.linalg.norm(centres[:, None] - centres, axis=-1) + 99 * np.eye(len(centres))
        assert least < gaps.min() < 20  # fields overlap


def test_a_look_is_the_turned_area_somewhere_on_an_image():
    size = 50
    places = np.arange(size * size, dtype=float).reshape(size, size)
    window = Window(np.array([places, places + size * size]), SMALL)
    x = window.look(np.random.default_rng(6), 4000)  # (3, B, 13)
    image, pixel = np.divmod(x, size * size)
    assert (image == image[0, :, :1]).all() and 0.45 < image.mean() < 0.55
    seen = np.stack(np.divmod(pixel, size), axis=-1)  # (3, B, 13, 2)
    centre = seen[0, :, 6]  # (B, 2) the middle of the central field
    assert centre.min() == pm.reach(SMALL) == 12 and centre.max() == size - 13
    expected = pm.field_centres(SMALL)[:, None] + pm.field_points(SMALL)  # (3, 13, 2)
    away = seen - centre[:, None]  # (3, B, 13, 2)
    complex_seen = away[..., 0] + 1j * away[..., 1]
    complex_expected = (expected[..., 0] + 1j * expected[..., 1])[:, None]
    angle = np.angle((complex_seen * complex_expected.conj()).sum((0, 2)))  # (B,)
    turned = complex_expected * np.exp(1j * angle)[:, None]
    assert np.abs(complex_seen - turned).max() < 0.9  # rounded to the nearest pixel
    assert len(np.unique(np.round(angle, 2))) >= 60


def test_a_point_takes_the_nearest_pixel():
    window = Window(np.zeros((1, 40, 40)), SMALL)
    quarter = pm.ROTATIONS // 4
    centres = pm.field_centres(SMALL)  # the second field lies 8 to the right, the last to the left
    assert centres.round(9).tolist() == [[0, 0], [0, 8], [0, -8]]
    assert window.offsets[:, 0, 6].tolist() == [0, 8, -8]
    assert sorted(window.offsets[1:, quarter, 6].tolist()) == [-320, 320]
    diagonal = window.offsets[1, quarter // 2, 6]
    assert abs(diagonal) in (6 * 40 - 6, 6 * 40 + 6)  # 8 / sqrt(2) is 5.66


# ---- detectors ----
POINTS = pm.field_points(Config())
ROWS, COLUMNS = POINTS.T
EDGE = COLUMNS * np.exp(-(POINTS**2).sum(1) / 40)
BAR = (COLUMNS**2 / 9 - 1) * np.exp(-(POINTS**2).sum(1) / 18)
CENTRE = np.exp(-(POINTS**2).sum(1) / 18) - 0.4 * np.exp(-(POINTS**2).sum(1) / 60)


@pytest.mark.parametrize(("w", "kind"), [(EDGE, 0), (-3 * EDGE, 0), (BAR, 0), (-CENTRE, 1)])
def test_known_detectors_are_found(w, kind):
    found = pm.detectors(w[None], Config())
    assert [bool(flag[0]) for flag in found] == [kind == 0, kind == 1]


def test_other_weights_are_no_detectors():
    rng = np.random.default_rng(7)
    others = [np.ones(81), np.cos(POINTS[:, 0] * 1.5), *rng.uniform(-1, 1, (50, 81))]
    for flag in pm.detectors(np.array(others), Config()):
        assert not flag.any()
    templates = np.concatenate([pm.edges_and_bars(POINTS), pm.centre_surrounds(POINTS)])
    fits = pm.best_fit(np.array(others[2:]), templates)
    assert 0.25 < fits.mean() < 0.4  # so many templates fit noise no better


def test_thresholds_decide():
    w = EDGE[None] + 0.0
    fit = pm.best_fit(w, pm.edges_and_bars(POINTS))[0]
    strict = replace(Config(), fit_threshold=min(1.0, fit + 1e-3))
    assert not pm.detectors(w, strict)[0][0]
    w = w / np.linalg.norm(w) + 0.4 / 9  # the mean's share: 0.4 / sqrt(1.16)
    share = 0.4 / math.sqrt(1.16)
    assert pm.dc_share(w)[0] == pytest.approx(share, abs=1e-9)
    assert pm.detectors(w, replace(Config(), dc_threshold=share + 0.01))[0][0]
    assert not pm.detectors(w, replace(Config(), dc_threshold=share - 0.01))[0][0]


def test_templates_by_hand():
    edges = pm.edges_and_bars(POINTS)
    assert edges.shape == (5 * 12 * 2 * 29, 81)
    middle = np.flatnonzero((POINTS[np.hypot(ROWS, COLUMNS) <= 6] == 0).all(1))[0]
    first, second = edges[middle], edges[29 + middle]  # sd 2 and 2, at no angle
    bell = np.exp(-(ROWS**2 + COLUMNS**2) / 8)
    np.testing.assert_allclose(first, COLUMNS / 2 * bell, atol=1e-12)
    np.testing.assert_allclose(second, (COLUMNS**2 / 4 - 1) * bell, atol=1e-12)
    centres = pm.centre_surrounds(POINTS)
    assert centres.shape == (3 * 2 * 2 * 29, 81)
    surround = np.exp(-(ROWS**2 + COLUMNS**2) / 18) / 1.5**2
    np.testing.assert_allclose(centres[middle], bell - 0.3 * surround, atol=1e-12)


# ---- fresh predictors ----
def test_fresh_predictors_see_what_is_shared_and_nothing_else():
    rng = np.random.default_rng(8)
    fitted, tested = rng.random((2, 400, 6))
    assert -0.15 < pm.fresh_r2(fitted, tested) < 0.01
    for y in (fitted, tested):
        y[:, 3:] = y[:, :3]
    assert pm.fresh_r2(fitted, tested) > 0.999
    tested[:, 3:] = rng.random((400, 3))  # no longer shared where it is tested
    assert pm.fresh_r2(fitted, tested) < 0


def test_fresh_predictors_against_least_squares():
    rng = np.random.default_rng(9)
    fitted, tested = rng.standard_normal((2, 300, 4)) @ rng.standard_normal((4, 4)) + 2
    left = 0.0
    for i in range(4):
        design = [np.column_stack([np.delete(y, i, 1), np.ones(300)]) for y in (fitted, tested)]
        v = np.linalg.lstsq(design[0], fitted[:, i], rcond=None)[0]
        left += ((tested[:, i] - design[1] @ v) ** 2).sum()
    expected = 1 - left / ((tested - fitted.mean(0)) ** 2).sum()
    assert pm.fresh_r2(fitted, tested) == pytest.approx(expected, abs=1e-4)


def test_a_nets_metrics():
    net = net_of(config=replace(Config(), nets=2, rings=(1,), units=4))
    net.w[:] = np.random.default_rng(10).uniform(-1, 1, net.w.shape)
    net.w[0, 0] = np.stack([EDGE, BAR, CENTRE, np.ones(81)], axis=1)
    x = np.random.default_rng(11).standard_normal((1, 400, 81))
    row = pm.measure(net, x, Config())
    assert (row["edge"], row["centre"], row["mean_luminance"]) == (0.25, 0.125, 0.125)
    y = net.encode(x)
    r2 = [pm.fresh_r2(code[:200], code[200:]) for code in y]
    assert row["r2"] == pytest.approx(np.mean(r2), abs=1e-12) and r2[0] != r2[1]
    assert row["spread"] == pytest.approx(np.mean(y.std(axis=1)))


# ---- the wiring of run() ----
@pytest.fixture
def spied(monkeypatch):
    """What a run draws, looks at, trains and measures; few test placements."""
    seen = {"images": [], "looks": [], "learned": [], "measured": []}
    draw, look, measure, learn = pm.draw_images, Window.look, pm.measure, Minimizer.learn
    monkeypatch.setattr(pm, "PLACEMENTS", 30)

    def draws(rng, count, size):
        state = rng.bit_generator.state["state"]["state"]
        seen["images"].append((state, draw(rng, count, size)))
        return seen["images"][-1][1]

    def looks(self, rng, count):
        seen["looks"].append((rng.bit_generator.state["state"]["state"], self.images, count))
        return look(self, rng, count)

    def measures(net, x, config):
        seen["measured"].append((type(net), x))
        return measure(net, x, config)

    monkeypatch.setattr(pm, "draw_images", draws)
    monkeypatch.setattr(Window, "look", looks)
    monkeypatch.setattr(pm, "measure", measures)
    for kind in (Minimizer, Unpredicted):

        def learns(self, x, kind=kind):
            seen["learned"].append((kind, self, x.copy()))
            learn(self, x)

        monkeypatch.setattr(kind, "learn", learns)
    return seen


def test_nets_and_twins_learn_from_the_same_placements(spied):
    pm.run(SMALL, 0, silent)
    with_predictors = [x for kind, _, x in spied["learned"] if kind is Minimizer]
    without = [x for kind, _, x in spied["learned"] if kind is Unpredicted]
    assert len(with_predictors) == len(without) == SMALL.steps
    np.testing.assert_array_equal(with_predictors, without)
    assert with_predictors[0].shape == (3, 5, 13)
    assert len({x.tobytes() for x in with_predictors}) == SMALL.steps
    assert len({id(net) for _, net, _ in spied["learned"]}) == 2


def test_nothing_measured_was_trained_on(spied):
    pm.run(SMALL, 0, silent)
    (train_state, train_images), (test_state, test_images) = spied["images"]
    assert len(train_images) == 2 and len(test_images) == 1 and train_state != test_state
    assert not np.isin(test_images.round(9), train_images.round(9)).all()
    assert np.abs(train_images[0] - test_images[0]).max() > 0.5
    first, *others = spied["looks"]
    assert first[1] is test_images and first[2] == 60
    assert all(images is train_images and count == 5 for _, images, count in others)
    assert len(others) == SMALL.steps
    assert [kind for kind, _ in spied["measured"]] == [Minimizer, Unpredicted]
    assert spied["measured"][0][1] is spied["measured"][1][1]
    assert np.isin(spied["measured"][0][1], test_images).all()


def test_no_two_streams_start_alike(spied, monkeypatch):
    states = []
    generator = np.random.default_rng

    def counted(seed):
        rng = generator(seed)
        states.append((rng.bit_generator.state["state"]["state"], getattr(seed, "spawn_key", ())))
        return rng

    monkeypatch.setattr(np.random, "default_rng", counted)
    pm.run(SMALL, 3, silent)
    keys = [key for _, key in states]
    assert len(states) == 6 and len(set(states)) == 5  # nets and twins start alike, none else
    assert keys.count((2,)) == 2
    assert len({state for state, _, _ in spied["looks"][:2]}) == 2


def test_the_table_is_made_of_what_was_measured(monkeypatch):
    rows = {
        Minimizer: {"edge": 0.5, "centre": 0.25, "r2": 0.125},
        Unpredicted: {"edge": 0.0625, "centre": 0.125, "r2": 0.5},
    }
    monkeypatch.setattr(pm, "measure", lambda net, *_: dict(rows[type(net)]))
    guesses = iter(range(21))
    kinds = []

    def guessed(net, x):
        kinds.append(type(net))
        return next(guesses)

    monkeypatch.setattr(pm, "predictability", guessed)
    table = pm.run(SMALL, 0, silent)
    assert table["detector_share"] == 0.75 and table["detector_gain"] == 0.5625
    assert table["r2_ratio"] == 0.25 and table["rarer_share"] == 0.25
    assert table["pm"]["edge"] == 0.5 and table["twin"]["r2"] == 0.5
    assert table["curve"] == {"x": list(range(21)), "y": list(range(21))}
    assert table["start"]["r2"] == 0 and set(kinds) == {Minimizer}
    assert table["training"]["patterns_per_second"] > 0
    rows[Unpredicted]["r2"] = -0.1
    guesses = iter(range(21))
    assert pm.run(SMALL, 0, silent)["r2_ratio"] is None


def test_speed_counts_the_patterns_of_all_nets(monkeypatch):
    clock = iter(np.arange(0.0, 1000.0, 0.25))
    monkeypatch.setattr(pm, "process_time", lambda: next(clock))
    table = pm.run(SMALL, 0, silent)
    # 20 parts of 0.25 s; 2 kinds of 2 nets, 20 steps of 5 placements
    assert table["training"]["patterns_per_second"] == pytest.approx(400 / 5)


def test_settings_reach_the_nets(spied):
    config = replace(SMALL, code_rate=0.01, predictor_rate=0.3, init=0.02, units=3, nets=3)
    pm.run(config, 0, silent)
    for _, net, _ in spied["learned"][:2]:
        assert (net.code_rate, net.predictor_rate) == (0.01, 0.3)
        assert net.w.shape == (3, 3, 13, 3) and net.v.shape == (3, 9, 9)


def test_a_run_is_its_seed():
    assert Config(**QUICK).steps < Config().steps
    first, again, other = (pm.run(SMALL, seed, silent) for seed in (3, 3, 4))
    for table in (first, again, other):
        table.pop("training")
    assert first == again and other["pm"]["r2"] != first["pm"]["r2"]
    assert other["start"] != first["start"]


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="--image-size"):
        Config(image_size=63)
    with pytest.raises(ValueError, match="--image-size"):
        Config(rings=(1, 6, 12), ring_distance=50.0)
    with pytest.raises(ValueError, match="--units"):
        Config(rings=(1,), units=1)


# ---- the study ----
TINY = study.Config(images=2, test_images=1, image_size=72, nets=2, steps=20, ratios=(2.0, 6.0))


def test_random_phases_keep_the_power_spectrum_alone():
    images = np.random.default_rng(12).standard_normal((2, 16, 16)).cumsum(1)
    other = study.random_phases(np.random.default_rng(13), images)
    powers = [np.abs(np.fft.fft2(stack)) for stack in (images, other)]
    np.testing.assert_allclose(*powers, rtol=0, atol=1e-9)
    assert np.isrealobj(other) and np.abs(np.corrcoef(images.ravel(), other.ravel())[0, 1]) < 0.5
    assert not np.allclose(*other)


def test_white_noise_is_prepared_like_images():
    images = np.zeros((3, 40, 40))
    noise = study.white_noise(np.random.default_rng(14), images)
    assert noise.shape == images.shape and noise.std() == pytest.approx(1 / math.sqrt(5), rel=0.1)
    beside = np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]
    assert beside == pytest.approx(0.4, abs=0.05)  # two of five pixels are shared


def test_a_decoder_restores_what_a_code_holds():
    rng = np.random.default_rng(15)
    x = rng.standard_normal((2, 500, 4)) + 3
    whole = x @ rng.standard_normal((4, 4)) + 1
    assert study.decoder_error(*whole, *x) < 1e-4
    assert study.decoder_error(x[0, :, :1], x[1, :, :1], *x) == pytest.approx(0.75, abs=0.03)
    noise = rng.standard_normal((2, 500, 3))
    assert 1 <= study.decoder_error(*noise, *x) < 1.05


def test_principal_components_are_the_best_linear_code():
    rng = np.random.default_rng(16)
    scale = np.array([5.0, 3.0, 2.0, 1.0, 0.5, 0.2])
    fit, test = rng.standard_normal((2, 2, 2000, 3)) * scale.reshape(2, 1, 3)
    expected = (scale[3:] ** 2).sum() / (scale**2).sum()
    assert study.pca_error(3, fit, test) == pytest.approx(expected, rel=0.1)
    np.testing.assert_array_equal(study.flat(fit)[7], [*fit[0, 7], *fit[1, 7]])


def test_the_study_trains_each_rival_as_long(monkeypatch):
    calls, decoded = [], []
    train, error = study.train, study.net_error
    monkeypatch.setattr(study, "PLACEMENTS", 40)
    monkeypatch.setattr(study, "DECODED", 70)

    def trains(nets, window, rng, steps, config):
        key = rng.bit_generator.seed_seq.spawn_key
        calls.append(([type(net) for net in nets], window, key, steps, config, list(nets)))
        train(nets, window, rng, steps, config)

    def errors(net, fit, test):
        decoded.append((type(net), fit, test))
        return error(net, fit, test)

    monkeypatch.setattr(study, "train", trains)
    monkeypatch.setattr(study, "net_error", errors)
    table = study.run(TINY, 0, silent)
    durations, others = calls[:6], calls[6:]
    assert [steps for _, _, _, steps, _, _ in durations] == [0, 5, 5, 10, 20, 40]
    assert all(kinds == [Minimizer, Unpredicted] for kinds, *_ in durations)
    assert [steps for _, _, _, steps, _, _ in others] == [20] * 4
    assert len({key for _, _, key, *_ in calls}) == 5
    rates = [net.predictor_rate for net in others[0][-1]]
    assert rates == [0.1, pytest.approx(0.3)]
    single = others[1][4]
    assert sum(single.rings) * single.units == 32 and single.units == 1
    assert [kind for kind, _, _ in decoded] == [Minimizer, Unpredicted] * 6
    for _, fit, test in decoded:
        assert fit.shape[1] == 70 and test.shape[1] == 80
        assert np.isin(fit, durations[0][1].images).all()
        assert not np.isin(test, durations[0][1].images).all()
    longer = table["longer"]
    assert longer["steps"] == [0, 5, 10, 20, 40, 80]
    assert longer["error"][0] == longer["error_twin"][0] == table["error"]["untrained"]
    assert table["decoder_ratio"] == longer["error"][3] / longer["error_twin"][3]
    assert table["error"]["twin"] == longer["error_twin"][3] != table["error"]["pm"]
    assert table["centre_difference"] == table["single"]["centre"] - longer["centre"][3]
    assert table["rate"]["x"] == [2.0, 6.0] and len(table["rate"]["r2"]) == 2


def test_the_studys_images_are_those_it_says(monkeypatch):
    stacks = []

    def learner(seed, images, unseen, base):
        stacks.append((seed.spawn_key, images, unseen))
        return {"centre": 0.0}

    monkeypatch.setattr(study, "learner", learner)
    monkeypatch.setattr(study, "PLACEMENTS", 40)
    monkeypatch.setattr(study, "DECODED", 70)
    study.run(TINY, 0, silent)
    (a, leaves, unseen), (b, phases, unseen_phases), (c, noise, unseen_noise) = stacks
    assert len({a, b, c}) == 3
    for own, other in ((leaves, phases), (unseen, unseen_phases)):
        powers = [np.abs(np.fft.fft2(stack)) for stack in (own, other)]
        np.testing.assert_allclose(*powers, rtol=0, atol=1e-7)
        assert not np.allclose(own, other)
    assert np.corrcoef(leaves[0, 1:].ravel(), leaves[0, :-1].ravel())[0, 1] > 0.8
    assert np.corrcoef(noise[0, 1:].ravel(), noise[0, :-1].ravel())[0, 1] < 0.6
    for stack, fresh in ((leaves, unseen), (phases, unseen_phases), (noise, unseen_noise)):
        assert len(stack) == 2 and len(fresh) == 1 and not np.allclose(stack[0], fresh[0])
