"""Tests: the flat-minimum term against its definition, exact gradients, bars, judges, wiring."""

import copy
import math
from dataclasses import replace

import lococode_ica
import study_lococode_ica as study
from lococode_ica import Autoencoder, Config, Lococode
from lococode_ica import draw_bars, first_weights, living, measure, owners, run, shuffles, train
from lococode_ica import two_valued
import numpy as np
import pytest

SMALL = Config(nets=2, grid=3, patterns=12, hidden_size=4, epochs=3, batch_size=6)


def silent(fraction, message):
    """Show nothing."""


def numerical(function, weights, step=1e-5):
    """Central differences of function() by each entry of weights."""
    slopes = np.zeros(weights.shape)
    for index in np.ndindex(weights.shape):
        kept = weights[index]
        weights[index] = kept + step
        high = function()
        weights[index] = kept - step
        low = function()
        weights[index] = kept
        slopes[index] = (high - low) / (2 * step)
    return slopes


def assert_close_gradient(exact, estimate):
    """Compare two gradients, relative to the largest entry."""
    assert np.abs(estimate).max() > 1e-5
    assert np.abs(exact - estimate).max() <= 1e-6 * max(1.0, np.abs(estimate).max())


# ---- the flat-minimum term ----
def precise(kind, nets=1, pixels=4, hidden=3, seed=1):
    """A net in float64 with large weights, and no bias left out."""
    rng = np.random.default_rng(seed)
    theta = {
        "W1": rng.standard_normal((nets, pixels, hidden)),
        "b1": rng.standard_normal((nets, 1, hidden)),
        "W2": rng.standard_normal((nets, hidden, pixels)),
        "b2": rng.standard_normal((nets, 1, pixels)),
    }
    net = kind(theta, Config(b_scale=7.0))
    net.strength = np.full(nets, 0.3)
    return net


def outputs_by_hand(w1, w2, x):
    """Outputs of one net for one picture, from matrices whose last rows are the biases."""
    y = [1 / (1 + math.exp(-z)) for z in np.append(x, 1.0) @ w1]
    return np.array([2 / (1 + math.exp(-z)) - 1 for z in np.append(y, 1.0) @ w2])


def matrices(net, n=0):
    theta = net.theta
    return (
        np.concatenate([theta["W1"][n], theta["b1"][n]]),
        np.concatenate([theta["W2"][n], theta["b2"][n]]),
    )


def flatness_by_definition(net, x):
    """B for one picture from the Jacobian of the outputs by each weight, as the paper writes it.

    The Jacobian is that of outputs_by_hand, by complex steps: exact to the last digits.
    """
    w1, w2 = matrices(net)
    slopes = []
    for which, w in enumerate((w1, w2)):
        for index in np.ndindex(w.shape):
            moved = w.astype(complex)
            moved[index] += 1e-30j
            first, second = (moved, w2) if which == 0 else (w1, moved)
            y = 1 / (1 + np.exp(-(np.append(x, 1.0) @ first)))
            o = 2 / (1 + np.exp(-(np.append(y, 1.0) @ second))) - 1
            slopes.append(o.imag / 1e-30)
    J = np.array(slopes).T  # (outputs, weights)
    lengths = (J**2).sum(0)
    spread = (np.abs(J) / np.sqrt(lengths)).sum(1)
    return np.log(lengths).sum() + len(lengths) * np.log((spread**2).sum())


def terms_of_flatness(net, x):
    """B of the docstring for one picture, in loops, with the floor, as {part: value}."""
    w1, w2 = matrices(net)
    floor, pixels, hidden = net.floor, len(w1) - 1, len(w2) - 1
    y = [1 / (1 + math.exp(-z)) for z in np.append(x, 1.0) @ w1]
    c = [(1 - v * v) / 2 for v in outputs_by_hand(w1, w2, x)]
    into_hidden, into_output = pixels + 1, hidden + 1
    weights = into_hidden * hidden + into_output * pixels
    K = [sum((c[k] * w2[i, k]) ** 2 for k in range(pixels)) + floor for i in range(hidden)]
    Z = 0.0
    for k in range(pixels):
        R = sum(abs(w2[i, k]) / math.sqrt(K[i]) for i in range(hidden))
        Z += (into_output + into_hidden * c[k] * R) ** 2
    return {
        "activation": 2 * pixels * sum(math.log(v + floor) for v in y),
        "slope": 2 * into_hidden * sum(math.log(v * (1 - v) + floor) for v in y),
        "decoder": into_hidden * sum(math.log(v) for v in K),
        "output": 2 * into_output * sum(math.log(v + floor) for v in c),
        "spread": weights * math.log(Z),
    }


def flatness_in_closed_form(net, x, without=""):
    return sum(value for part, value in terms_of_flatness(net, x).items() if part != without)


def pictures(count=3, pixels=4, nets=1):
    return np.random.default_rng(3).uniform(-1, 1, (nets, count, pixels))


def test_the_closed_form_is_the_definition():
    net = precise(Lococode)
    net.floor = 0.0
    x = pictures()[0]
    gaps = [flatness_by_definition(net, p) - flatness_in_closed_form(net, p) for p in x]
    known = [(3 * np.log(p**2)).sum() for p in x]  # what depends on the inputs alone
    np.testing.assert_allclose(gaps, known, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("floor", [1e-9, 1e-3])
def test_the_gradient_of_error_and_flatness_through_every_path(name, floor):
    net = precise(Lococode)
    net.floor = floor
    x, target = pictures(), 0.5 * pictures()[:, ::-1]

    def loss():
        first, second = matrices(net)
        total = 0.0
        for p in range(3):
            o = outputs_by_hand(first, second, x[0, p])
            total += ((o - target[0, p]) ** 2).sum()
            total += 0.3 / 7.0 * flatness_in_closed_form(net, x[0, p])
        return total / 3

    error, gradient = net.gradient(x, target)
    assert_close_gradient(gradient[name], numerical(loss, net.theta[name]))
    outputs = [outputs_by_hand(*matrices(net), picture) for picture in x[0]]
    assert error[0] == pytest.approx(((outputs - target[0]) ** 2).sum(1).mean(), abs=1e-12)


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_the_gradient_against_the_definition(name):
    net = precise(Lococode, seed=2)
    net.floor = 0.0
    net.strength = np.full(1, 7.0 * 1e3)  # the error hardly counts
    x = pictures()
    _, gradient = net.gradient(x, net.decode(net.code(x)))

    def loss():
        return 1e3 * np.mean([flatness_by_definition(net, p) for p in x[0]])

    assert_close_gradient(gradient[name] / 1e3, numerical(loss, net.theta[name]) / 1e3)


def test_nets_side_by_side_are_nets_alone():
    net = precise(Lococode, nets=3)
    net.strength = np.array([0.0, 0.2, 0.9])
    x = pictures(nets=3)
    error, gradient = net.gradient(x, 0.5 * x)
    for n in range(3):
        alone = copy.deepcopy(net)
        alone.theta = {name: w[n : n + 1] for name, w in net.theta.items()}
        alone.strength = net.strength[n : n + 1]
        alone_error, alone_gradient = alone.gradient(x[n : n + 1], 0.5 * x[n : n + 1])
        assert error[n] == pytest.approx(alone_error[0], abs=1e-12)
        for name, slope in alone_gradient.items():
            np.testing.assert_allclose(gradient[name][n], slope[0], rtol=0, atol=1e-11)


def test_without_strength_it_is_the_plain_autoencoder():
    net, plain = precise(Lococode), precise(Autoencoder)
    net.strength = np.zeros(1)
    x = pictures()
    for name, slope in net.gradient(x, 0.5 * x)[1].items():
        np.testing.assert_array_equal(slope, plain.gradient(x, 0.5 * x)[1][name])


def test_lambda_rises_while_the_error_is_tolerable():
    net = Lococode(first_weights(np.random.default_rng(0), SMALL), SMALL)
    assert net.strength.tolist() == [0.0, 0.0]
    net.adapt(np.array([0.16, 0.17]))
    net.adapt(np.array([0.1, 0.1]))
    np.testing.assert_allclose(net.strength, [0.001, 0.0005], rtol=1e-6)
    net.adapt(np.array([0.2, 0.0]))
    np.testing.assert_allclose(net.strength, [0.00095, 0.001], rtol=1e-6)


def test_first_weights_are_small_and_units_silent():
    theta = first_weights(np.random.default_rng(0), Config())
    assert theta["W1"].shape == theta["W2"].shape == (10, 25, 25)
    for name in ("W1", "W2"):
        assert 0.0999 < np.abs(theta[name]).max() <= 0.1 and abs(theta[name].mean()) < 0.01
    assert (theta["b1"] == -1).all() and (theta["b2"] == 0).all()
    assert not np.array_equal(theta["W1"][0], theta["W1"][1])


# ---- the task ----
def test_a_pixel_is_lit_by_its_row_or_its_column():
    x, bars = draw_bars(np.random.default_rng(0), replace(SMALL, patterns=600, batch_size=600))
    assert x.shape == (2, 600, 9) and bars.shape == (2, 600, 6)
    for n, p in np.ndindex(2, 600):
        for row, column in np.ndindex(3, 3):
            lit = bars[n, p, row] or bars[n, p, 3 + column]
            assert x[n, p, 3 * row + column] == (0.5 if lit else -0.5)
    assert np.abs(bars.mean((0, 1)) - 0.2).max() < 0.05
    assert not np.array_equal(bars[0], bars[1])
    together = np.corrcoef(bars.reshape(-1, 6).T) - np.eye(6)
    assert np.abs(together).max() < 0.12  # bars are independent, rows and columns mixed


def test_each_epoch_shows_each_picture_once():
    order = shuffles(np.random.default_rng(0), replace(SMALL, epochs=50))
    assert order.shape == (50, 12) and order.dtype == np.intp
    assert (np.sort(order, axis=1) == np.arange(12)).all()
    assert len({tuple(row) for row in order}) == 50


# ---- training and judging ----
class Scripted(Autoencoder):
    """A net that keeps what it is shown and answers a gradient of one."""

    def __init__(self):
        self.theta = {"w": np.zeros((1, 1))}
        self.seen, self.heard = [], []

    def gradient(self, x, target):
        self.seen.append((x.copy(), target.copy()))
        return np.array([float(len(self.seen))]), {"w": np.ones((1, 1))}

    def adapt(self, error):
        self.heard.append(error.tolist())


def test_training_goes_through_the_batches_in_order():
    x = np.arange(6.0).reshape(1, 6, 1)
    order = np.array([[5, 0, 3, 2, 1, 4], [0, 1, 2, 3, 4, 5]])
    net, watched = Scripted(), []
    config = replace(SMALL, batch_size=3, learning_rate=0.25)
    speed = train(net, x, 10 * x, order, config, lambda *a: watched.append(a))
    assert [seen[0].ravel().tolist() for seen in net.seen[:2]] == [[5, 0, 3], [2, 1, 4]]
    assert all((target == 10 * x).all() for x, target in net.seen)
    assert net.theta["w"][0, 0] == -1.0 and net.heard == [[1.5], [3.5]]
    assert [epoch for epoch, _ in watched] == [1, 2] and speed > 0


def with_tiny_units():
    """One net of four hidden units by hand: y (1, 8, 4) and bars (1, 8, 2)."""
    bars = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 2, bool)[None]
    first, second = bars[0].T.astype(float)
    other = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    y = np.stack(
        [0.1 + 0.8 * first, 1 - second, 0.5 * first + 0.5 * other, 0.7 + 0 * other], axis=1
    )
    return y[None], bars


class Given(Autoencoder):
    """A net whose codes are given and whose outputs are its targets, save what is spoilt."""

    def __init__(self, y, o, reach):
        self.y, self.o = y, o
        self.theta = {"W2": np.array(reach, float)[None, :, None] * np.array([0.5, -1.0])}

    def code(self, x):
        return self.y

    def decode(self, y):
        return self.o


def test_alive_units_and_owners_by_hand():
    y, bars = with_tiny_units()
    net = Given(y, None, [1.0, 3.0, 0.1, 50.0])
    alive = living(net, y)
    sd = [0.4, 0.5, math.sqrt(0.125), 0.0]
    assert sd[2] * 0.1 < 0.05 and alive.tolist() == [[True, True, False, False]]
    assert living(Given(y, None, [1.0, 3.0, 0.2, 50.0]), y)[0, 2]
    owns = owners(y, np.ones((1, 4), bool), bars)[0]
    assert owns.tolist() == [[True, False], [False, True], [False, False], [False, False]]
    assert not owners(y, np.zeros((1, 4), bool), bars).any()
    assert two_valued(y, alive) == 1.0
    assert two_valued(y, np.array([[False, False, True, False]])) == 0.5
    assert two_valued(y, np.zeros((1, 4), bool)) is None


def test_a_picture_is_wrong_if_one_pixel_is():
    y, bars = with_tiny_units()
    target = np.full((1, 8, 2), 0.7)
    o = target.copy()
    o[0, 1, 0] = 1.0  # by 0.3: right
    o[0, 2] = 0.3, 1.1
    o[0, 5, 1] = 0.35
    reach = [1.0, 3.0, 0.1, 50.0]
    row = measure(Given(y, o - 1e-9, reach), None, target, bars)
    assert row["wrong"] == 2 and row["alive"] == 2 and row["owned"] == 2 and row["solved"] == 1
    assert row["error"] == pytest.approx((0.09 + 0.32 + 0.1225) / 8, abs=1e-6)
    spare = measure(Given(y, o, [1.0, 3.0, 1.0, 50.0]), None, target, bars)
    assert spare["alive"] == 3 and spare["owned"] == 2 and spare["solved"] == 0
    fewer = measure(Given(y, o, [1.0, 0.0, 1.0, 50.0]), None, target, bars)
    assert fewer["alive"] == 2 and fewer["owned"] == 1 and fewer["solved"] == 0


# ---- the wiring of run() ----
@pytest.fixture
def spied(monkeypatch):
    """What a run draws, trains and judges."""
    seen = {"states": [], "drawn": [], "trained": [], "judged": []}

    def spy(name, keep):
        real = getattr(lococode_ica, name)

        def spying(*arguments):
            before = keep_state(arguments[0]), copy.deepcopy(getattr(arguments[0], "theta", None))
            result = real(*arguments)
            keep(before, arguments, result)
            return result

        monkeypatch.setattr(lococode_ica, name, spying)

    def keep_state(first):
        return first.bit_generator.state["state"]["state"] if hasattr(first, "random") else None

    for name in ("draw_bars", "first_weights", "shuffles"):
        spy(name, lambda before, _, result: seen["states"].append(before[0]))
    spy("draw_bars", lambda before, _, result: seen["drawn"].append(result))
    spy("train", lambda before, given, _: seen["trained"].append((before[1], *given)))
    spy("measure", lambda before, given, result: seen["judged"].append((*given, result)))
    return seen


def test_no_two_streams_start_alike(spied):
    run(SMALL, 0, silent)
    assert len(spied["states"]) == 4 and len(set(spied["states"])) == 4


def test_what_is_judged_was_not_trained_on(spied):
    run(SMALL, 0, silent)
    (seen, _), (unseen, bars) = spied["drawn"]
    assert not np.array_equal(seen, unseen)
    for _, _, x, target, *_ in spied["trained"]:
        np.testing.assert_array_equal(x, seen)
        np.testing.assert_allclose(target, seen * 1.4, rtol=1e-6)
    assert len(spied["judged"]) == 3 + 2
    for _, x, target, judged, _ in spied["judged"]:
        np.testing.assert_array_equal(x, unseen)
        np.testing.assert_allclose(target, unseen * 1.4, rtol=1e-6)
        np.testing.assert_array_equal(judged, bars)


def test_the_rival_has_the_same_start_the_same_pictures_and_as_many(spied):
    run(SMALL, 0, silent)
    (first, loco, x, _, order, *_), (start, plain, others, _, same, *_) = spied["trained"]
    assert type(loco) is Lococode and type(plain) is Autoencoder
    for name in first:
        np.testing.assert_array_equal(first[name], start[name])
        assert np.abs(loco.theta[name] - first[name]).max() > 0
    np.testing.assert_array_equal(x, others)
    np.testing.assert_array_equal(order, same)
    assert order.shape == (3, 12)


def test_judging_does_not_teach():
    net = Lococode(first_weights(np.random.default_rng(0), SMALL), SMALL)
    kept = copy.deepcopy(net.theta)
    x, bars = draw_bars(np.random.default_rng(1), SMALL)
    measure(net, x, x, bars)
    for name, w in kept.items():
        np.testing.assert_array_equal(w, net.theta[name])


def test_settings_reach_the_nets(spied):
    config = replace(SMALL, tolerance=0.5, lambda_step=0.25, lambda_decay=0.5, b_scale=9.0)
    config = replace(config, floor=0.01, target=0.6, learning_rate=0.125, epochs=2)
    run(config, 0, silent)
    _, net, x, target, order, given, _ = spied["trained"][0]
    assert (net.tolerance, net.step, net.decay) == (0.5, 0.25, 0.5)
    assert (net.b_scale, net.floor, given) == (9.0, 0.01, config)
    assert np.abs(target).max() == pytest.approx(0.6) and len(order) == 2


def test_the_table_is_made_of_what_was_judged(spied):
    table = run(SMALL, 0, silent)
    *during, loco, plain = (judged[-1] for judged in spied["judged"])
    assert [type(judged[0]) for judged in spied["judged"]] == [Lococode] * 4 + [Autoencoder]
    assert table["curve"] == {"x": [1, 2, 3], "y": [row["owned"] for row in during]}
    assert table["loco"]["alive"] == loco["alive"] and table["plain"]["error"] == plain["error"]
    assert table["owned_gain"] == loco["owned"] - plain["owned"]
    long = run(replace(SMALL, nets=1, epochs=202), 0, silent)
    assert long["curve"]["x"] == list(range(3, 202, 3))


def test_headlines_are_those_of_the_nets_with_the_term(monkeypatch):
    rows = {Lococode: (0.9, 10.0, 9.5, 3.0), Autoencoder: (0.1, 25.0, 4.0, 40.0)}

    def judge(net, *_):
        return dict(zip(("solved", "alive", "owned", "wrong"), rows[type(net)]))

    monkeypatch.setattr(lococode_ica, "measure", judge)
    table = run(SMALL, 0, silent)
    assert table["solved_share"] == 0.9 and table["wrong_mean"] == 3.0
    assert table["owned_gain"] == 5.5 and table["plain"]["wrong"] == 40.0


def test_a_run_is_its_seed():
    tables = [run(SMALL, seed, silent) for seed in (3, 3, 4)]
    for table in tables:
        for row in ("loco", "plain"):
            del table[row]["patterns_per_second"]
    assert tables[0] == tables[1] and tables[0] != tables[2]


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="--batch-size"):
        Config(patterns=500, batch_size=30)


# ---- the study ----
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("part", ["activation", "decoder", "spread"])
def test_the_gradient_without_a_part(part, name):
    net = precise(study.PARTS[f"no_{part}"])
    x, target = pictures(), 0.5 * pictures()

    def loss():
        o = net.decode(net.code(x))
        flat = [flatness_in_closed_form(net, picture, part) for picture in x[0]]
        return ((o - target) ** 2).sum() / 3 + 0.3 / 7.0 * np.mean(flat)

    assert_close_gradient(net.gradient(x, target)[1][name], numerical(loss, net.theta[name]))


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("kind", ["l1", "weight_decay"])
def test_the_gradients_of_the_usual_penalties(kind, name):
    net = precise(study.PARTS[kind])
    x, target = pictures(), 0.5 * pictures()

    def loss():
        y = net.code(x)
        squares = 0.5 * sum((net.theta[w] ** 2).sum() for w in ("W1", "W2"))
        penalty = y.sum() / 3 if kind == "l1" else squares
        return ((net.decode(y) - target) ** 2).sum() / 3 + 0.3 * penalty

    assert_close_gradient(net.gradient(x, target)[1][name], numerical(loss, net.theta[name]))


def test_noisy_bars_show_the_brighter_bar_and_noise():
    config = replace(Config(), nets=1, patterns=3000)
    x, bars = study.draw_noisy_bars(np.random.default_rng(0), config)
    rows = bars[..., :5, None] & np.ones(5, bool)
    columns = bars[..., None, 5:] & np.ones((5, 1), bool)
    lit = (rows.astype(int) + columns).reshape(1, 3000, 25)
    dark, single, cross = (x[lit == many] for many in range(3))
    assert abs(dark.mean() + 0.5) < 0.01 and abs(dark.var() - 0.05) < 0.002
    assert abs(single.mean() - 0.3) < 0.01
    assert abs(single.var() - 0.05 - 0.4**2 / 12) < 0.004
    assert abs(cross.mean() - (0.1 + 0.4 * 2 / 3)) < 0.02  # the mean of the larger of two
    first = x[0, :, :5][bars[0, :, 0] & ~bars[0, :, 5:].any(1)]
    shared = np.cov(first.T)[~np.eye(5, dtype=bool)].mean()
    assert abs(shared - 0.4**2 / 12) < 0.004  # a bar is as bright all along


def test_bits_worked_by_hand():
    code = np.array([[0.0], [0.0], [0.0], [1.0]])
    wanted = -(math.log2(4 / 104) + math.log2(2 / 104) + math.log2(1 / 104)) / 3 / 5
    unseen = np.array([[0.004], [3.0], [0.5]])  # the second lies beyond and counts as the last
    assert study.bits_a_pixel(code, unseen, 5) == pytest.approx(wanted, abs=1e-12)
    twice = study.bits_a_pixel(np.tile(code, 2), np.tile(unseen, 2), 5)
    assert twice == pytest.approx(2 * wanted, abs=1e-12)
    assert study.bits_a_pixel(code[:, :0], unseen[:, :0], 5) == 0


def test_principal_axes_and_independent_sources():
    rng = np.random.default_rng(1)
    sources = rng.laplace(size=(4000, 3))
    x = sources @ rng.standard_normal((3, 6)) + 2.0
    mean, axes, spread = study.principal(x, 3)
    code = (x - mean) @ axes
    np.testing.assert_allclose(code @ axes.T + mean, x, rtol=0, atol=1e-9)
    np.testing.assert_allclose(code.std(0, ddof=1), spread, rtol=1e-9)
    assert (np.diff(spread) < 0).all()
    found = code / spread @ study.independent(code / spread, rng)
    match = np.abs(np.corrcoef(found.T, sources.T)[:3, 3:])
    assert (np.sort(match, axis=1)[:, -1] > 0.99).all() and len(set(match.argmax(1))) == 3


def test_linear_codes_share_an_error_and_learn_from_training_pictures():
    rng = np.random.default_rng(2)
    x, unseen = rng.laplace(size=(2, 1, 200, 6)) * np.arange(1, 7)
    first = copy.deepcopy(rng)
    pca, ica, error = study.linear_codes(x, unseen, 2.0, 6, rng)
    mean, axes, spread = study.principal(2 * x[0], 6)
    code = (2 * x[0] - mean) @ axes
    assert error < 1e-20 and pca > 0 and ica > 0
    white, rotation = code / spread, study.independent(code / spread, first)
    found = white @ rotation
    new = 2 * (unseen[0] - x[0].mean(0)) @ axes / spread
    assert ica == pytest.approx(study.bits_a_pixel(found, new @ rotation, 6), abs=1e-9)
    *_, five = study.linear_codes(x, unseen, 2.0, 5, rng)
    last = (unseen[0] - x[0].mean(0)) @ axes[:, 5]
    assert five == pytest.approx(4 * (last**2).mean(), rel=1e-9)
    one = study.bits_a_pixel((x[0] - x[0].mean(0)) @ axes, (unseen[0] - x[0].mean(0)) @ axes, 6)
    assert pca == pytest.approx(one, abs=1e-9)


def test_the_saving_is_over_the_better_of_two():
    table = {"loc": {"bits": 1.0}, "pca_10": {"bits": 1.5}, "ica_10": {"bits": 1.25}}
    assert study.saving(table) == 0.25
    table["pca_10"]["bits"] = 0.5
    assert study.saving(table) == -0.5


def test_comparing_counts_alive_units_alone():
    y, _ = with_tiny_units()
    y = np.tile(y, (1, 5, 1))
    x = np.random.default_rng(0).standard_normal((1, 40, 30))
    net = Given(y, 0.5 * x, [1.0, 3.0, 0.1, 50.0])
    table = study.compare(net, x, x, 1.0, np.random.default_rng(0))
    assert table["loc"]["bits"] == study.bits_a_pixel(y[0, :, :2], y[0, :, :2], 30)
    assert table["loc"]["error"] == pytest.approx((0.25 * x * x).sum(2).mean())
    assert set(table) == {"loc", "pca_10", "ica_10", "pca_15", "ica_15"}


@pytest.mark.parametrize("method", ["whole", "no_spread", "absolute"])
def test_penalties_of_linear_nets(method):
    rng = np.random.default_rng(5)
    W2, y = rng.standard_normal((3, 4)), rng.standard_normal((6, 3))
    r = 0.2

    def value():
        lengths = np.sqrt((W2**2).sum(1))
        if method == "absolute":
            return 8 * (np.sqrt(y**2 + r**2).mean(0) * lengths).sum()
        total = 8 * np.log(lengths).sum() + 8 * 0.5 * np.log(y**2 + r**2).sum(1).mean()
        T = [3 + 4 * sum(abs(W2[i, k]) / lengths[i] for i in range(3)) for k in range(4)]
        return total + (method == "whole") * 24 * np.log(np.square(T).sum())

    dW2, dy = getattr(study, method)(W2, y, r)
    assert_close_gradient(dW2, numerical(value, W2))
    assert_close_gradient(dy, numerical(value, y))


def test_a_linear_net_learns_to_reconstruct_what_it_sees(monkeypatch):
    rng = np.random.default_rng(6)
    mixing = study.mixings(rng)["rotated"]
    x = rng.laplace(size=(500, 8)) / 2**0.5 @ mixing
    monkeypatch.setattr(study, "STEPS", 600)
    W1, W2 = study.separate(x, study.absolute, rng)
    assert ((x @ W1 @ W2 - x) ** 2).sum(1).mean() < 0.2
    assert study.amari(mixing @ W1) < 0.15


def test_mixings_and_the_amari_distance():
    mixings = study.mixings(np.random.default_rng(0))
    np.testing.assert_allclose(mixings["rotated"] @ mixings["rotated"].T, np.eye(8), atol=1e-12)
    assert np.linalg.cond(mixings["ill"]) == pytest.approx(20) and mixings["few"].shape == (4, 8)
    assert study.amari(np.array([[0, -3.0], [0.1, 0]])) == 0
    assert study.amari(np.ones((3, 3))) == 1
    assert study.amari(np.array([[2.0, 1.0], [0.0, 2.0]])) == pytest.approx((0.5 + 0.5) / 4)


def test_sources_are_judged_by_the_units_that_matter_most(monkeypatch):
    few = np.eye(8)[:4]
    monkeypatch.setattr(study, "mixings", lambda rng: {"few": few})
    shrink = np.diag([1.0, 0.01, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    monkeypatch.setattr(study, "separate", lambda x, penalty, rng: (np.eye(8), shrink))
    seed = np.random.SeedSequence(0)
    table = study.sources_of(replace(TINY, mixtures=2), seed, silent)["few"]
    assert table["whole"] == {"amari": 0.0, "alive": 3.0} == table["l1"]
    assert table["fastica"]["alive"] == 4 and table["fastica"]["amari"] < 0.1


TINY = study.Config(nets=2, epochs=2, noisy_nets=2, noisy_epochs=2, patterns=50, sweep=(0.5, 0.9))
TINY = replace(TINY, mixtures=1)


@pytest.fixture
def study_spied(monkeypatch):
    """What a study draws, trains and compares."""
    monkeypatch.setattr(study, "STEPS", 2)
    seen = {"states": [], "trained": [], "compared": []}

    def spy(name, keep):
        real = getattr(study, name)

        def spying(*arguments):
            state = getattr(getattr(arguments[0], "bit_generator", None), "state", None)
            result = real(*arguments)
            keep(state, arguments, result)
            return result

        monkeypatch.setattr(study, name, spying)

    for name in ("draw_bars", "draw_noisy_bars", "first_weights", "shuffles"):
        spy(name, lambda state, *_: seen["states"].append(state["state"]["state"]))
    spy("train", lambda _, given, result: seen["trained"].append(given))
    spy("compare", lambda _, given, result: seen["compared"].append((given, result)))
    return seen


def test_the_study_trains_all_parts_alike_and_compares_on_unseen_pictures(study_spied):
    table = study.run(TINY, 0, silent)
    *rows, noisy = study_spied["trained"]
    assert [type(row[0]) for row in rows] == list(study.PARTS.values())
    for row in rows[1:]:
        np.testing.assert_array_equal(row[1], rows[0][1])
        np.testing.assert_array_equal(row[3], rows[0][3])
    assert noisy[1] is noisy[2]  # targets are not scaled
    assert noisy[0].tolerance.tolist() == [1.45, 1.45, 0.5, 0.5, 0.9, 0.9]
    assert noisy[0].step == 0.0001 and rows[0][0].step == 0.0005
    (bars_given, bars_bits), (noisy_given, noisy_bits) = study_spied["compared"]
    trained = {picture.tobytes() for row in (rows[0], noisy) for picture in row[1]}
    for given in (bars_given, noisy_given):
        assert {picture.tobytes() for picture in given[1]} <= trained
        assert not {picture.tobytes() for picture in given[2]} & trained
    assert noisy_given[1].shape == noisy_given[2].shape == (2, 50, 25)
    assert bars_given[3] == pytest.approx(1.4) and noisy_given[3] == 1.0
    assert table["bars_bits"] == bars_bits and table["noisy_bits"] == noisy_bits
    assert table["bits_saved"] == study.saving(bars_bits)
    assert table["noisy_bits_saved"] == study.saving(noisy_bits)
    assert table["by_tolerance"]["tolerance"] == [1.45, 0.5, 0.9]


def test_no_two_streams_of_the_study_start_alike(study_spied):
    study.run(TINY, 0, silent)
    states = study_spied["states"]  # a noisy draw starts with a draw of bars, from its own stream
    assert len(states) == 10 and len(set(states)) == 8


def test_noisy_nets_are_counted(monkeypatch):
    """Five nets at the tolerance in question, two at another, of scripted units."""
    alive = np.zeros((7, 25), bool)
    for n, many in enumerate([12, 10, 13, 9, 10, 25, 25]):
        alive[n, :many] = True
    owns = np.zeros((7, 25, 10), bool)
    for n, many in enumerate([9, 10, 10, 9, 8, 0, 4]):
        owns[n, range(many), range(many)] = True
    monkeypatch.setattr(study, "train", lambda *_: None)
    monkeypatch.setattr(study, "living", lambda net, y: alive[: len(y)])
    monkeypatch.setattr(study, "owners", lambda *_: owns)
    monkeypatch.setattr(study, "compare", lambda *_: {})
    config = replace(TINY, noisy_nets=5, sweep=(0.5,))
    seed = np.random.SeedSequence(0)
    share, row, by_tolerance, _ = study.noisy_bars_of(config, seed, silent)
    assert share == pytest.approx(3 / 5)
    assert row["alive"] == pytest.approx(54 / 5) and row["owned"] == pytest.approx(46 / 5)
    assert by_tolerance["alive"] == pytest.approx([54 / 5, 25]) and by_tolerance["owned"][1] == 2


def test_bad_settings_of_the_study_are_refused():
    with pytest.raises(ValueError, match="--patterns"):
        study.Config(patterns=120)
