"""Tests of predictable stereo: gradients, the task, hand-worked cases, wiring, bad settings."""

import predictable_stereo as stereo
import numpy as np
import pytest
import study_predictable_stereo as study
from predictable_stereo import (
    QUICK,
    Adam,
    Config,
    Nets,
    accuracy,
    agreement,
    all_views,
    answers,
    compare,
    draw,
    imax,
    informative_only,
    learn_shift,
    median,
    predictable,
    run,
    train,
)

SMALL = Config(pairs=2, patterns=200, shared_patterns=100, batch_size=10, check_every=20)
OBJECTIVES = {
    "predictable": lambda y: predictable(y, 0.9),
    "informative_only": lambda y: informative_only(y, 0.9),
    "imax": lambda y: imax(y, 0.01),
}


def silent(done, text):
    """A progress that nobody sees."""


def rng(seed=0):
    return np.random.default_rng(seed)


# ---- gradients ----
def check_gradient(loss, array, slope):
    """Compare slope with central differences of loss() by each number of the array."""
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + 1e-5
        above = loss()
        array[index] = kept - 1e-5
        below = loss()
        array[index] = kept
        assert abs((above - below) / 2e-5 - slope[index]) <= 1e-6


@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradient_of_each_objective_through_both_nets(name, sets):
    nets = Nets(2, sets, (6, 3, 1), rng(1), np.float64)
    nets.weights["hidden_bias"] += 0.1 * rng(2).standard_normal((2, sets, 1, 3))
    x = rng(3).standard_normal((2, 2, 5, 6))
    grads = nets.backward(OBJECTIVES[name](nets.forward(x))[1])

    def loss():
        return OBJECTIVES[name](nets.forward(x))[0].sum()

    for weight in nets.weights:
        check_gradient(loss, nets.weights[weight], grads[weight])


@pytest.mark.parametrize("kind", [study.Predictors, study.AutoEncoder])
def test_gradient_of_both_terms_for_two_features(kind):
    term = kind(2, 0.7, 0.0, rng(1), np.float64)  # at rate 0 it stays as it is
    y = rng(2).random((2, 2, 5, 2))
    x = np.sign(rng(3).standard_normal((2, 2, 5, 4)))
    seen = {}
    term.adam.step = seen.update
    _, dy = term(y, x)

    def loss():
        return term(y, x)[0].sum()

    check_gradient(loss, y, dy)
    term(y, x)
    grads = {name: grad.copy() for name, grad in seen.items()}
    # Predictors lower the squared error, half of it, which D holds times -2 alpha; the decoder D.
    factor = -0.5 / 0.7 if kind is study.Predictors else 1
    for name, weight in term.nets.weights.items():
        check_gradient(lambda: factor * loss(), weight, grads[name])


def test_predictors_see_the_other_output_only():
    term = study.Predictors(1, 1.0, 0.0, rng(1), np.float64)
    y = rng(2).random((1, 2, 5, 2))
    term(y, None)
    before = term.nets.y.copy()  # (1, K, 2B, 1)
    y[..., 0] = rng(3).random((1, 2, 5))
    term(y, None)
    np.testing.assert_array_equal(term.nets.y[0, 0], before[0, 0])
    assert (term.nets.y[0, 1] != before[0, 1]).all()


# ---- the objectives by hand ----
def test_objectives_by_hand():
    y = np.array([[[[1.0], [0.0], [1.0], [0.0]], [[1.0], [0.0], [0.0], [0.0]]]])  # (1, 2, 4, 1)
    assert predictable(y, 0.0)[0] == pytest.approx([1 / 4])
    assert predictable(y, 1.0)[0] == pytest.approx([1 / 4 - 1 / 4 - 3 / 16])
    assert informative_only(y, 2.0)[0] == pytest.approx([-2 * (1 / 4 + 3 / 16)])
    signal, noise = np.var([2, 0, 1, 0]), np.var([0, 0, 1, 0])
    assert imax(y, 1e-9)[0] == pytest.approx([-0.5 * np.log(signal / noise)])


def test_at_alpha_one_agreement_is_covariance():
    y = rng(4).random((3, 2, 50, 1))
    first, second = y[:, 0, :, 0], y[:, 1, :, 0]
    covariance = (first * second).mean(1) - first.mean(1) * second.mean(1)
    gap = first.mean(1) - second.mean(1)
    np.testing.assert_allclose(predictable(y, 1.0)[0], gap**2 - 2 * covariance)


def test_forward_against_plain_loops():
    x = rng(1).standard_normal((2, 2, 3, 4))
    for sets in (1, 2):
        nets = Nets(2, sets, (4, 5, 1), rng(2), np.float64)
        w = nets.weights
        w["hidden_bias"] += rng(3).standard_normal(w["hidden_bias"].shape)
        w["output_bias"] += 0.3
        y = nets.forward(x)
        for n, net, b in np.ndindex(2, 2, 3):
            own = net if sets == 2 else 0
            hidden = np.tanh(x[n, net, b] @ w["to_hidden"][n, own] + w["hidden_bias"][n, own, 0])
            z = hidden @ w["to_output"][n, own] + w["output_bias"][n, own, 0]
            assert y[n, net, b, 0] == pytest.approx(1 / (1 + np.exp(-z[0])))


def test_initial_weights_have_variance_one_over_fan_in():
    nets = Nets(200, 2, (8, 12, 1), rng(1))
    assert nets.weights["to_hidden"].std() == pytest.approx(8**-0.5, rel=0.03)
    assert nets.weights["to_output"].std() == pytest.approx(12**-0.5, rel=0.05)
    assert all(not nets.weights[name].any() for name in ("hidden_bias", "output_bias"))


def test_adam_by_hand():
    weights = {"w": np.array([1.0, 1.0])}
    adam = Adam(weights, 0.1)
    adam.step({"w": np.array([5.0, -0.2])})
    np.testing.assert_allclose(weights["w"], [0.9, 1.1])
    adam.step({"w": np.array([-5.0, -0.2])})
    mean = (0.9 * 0.1 * 5 - 0.1 * 5) / (1 - 0.9**2)
    np.testing.assert_allclose(weights["w"], [0.9 - 0.1 * mean / 5, 1.2])


# ---- the task ----
def test_views_are_strips_that_the_left_eye_sees_shifted():
    views = all_views(4)
    assert views.shape == (12, 2, 8) and set(np.unique(views)) == {-1, 1}
    for strip in views:
        for shift, step in ((0, 1), (1, -1)):
            right, left = strip[shift, :4], strip[shift, 4:]
            np.testing.assert_array_equal(right, strip[0, :4])
            np.testing.assert_array_equal(left, [right[(i - step) % 4] for i in range(4)])
        assert not np.array_equal(strip[0], strip[1])
    assert len({view.tobytes() for view in views.reshape(-1, 8)}) == 24  # no view has two shifts
    assert len(all_views(6)) == 60


def test_no_single_value_and_no_sum_of_values_tells_the_shift():
    views = all_views(4).reshape(-1, 8)  # (24, 8), shifts alternate
    shift = np.tile([-1, 1], 12)
    np.testing.assert_array_equal(shift @ views, np.zeros(8))
    opposite = {(-view).tobytes(): s for view, s in zip(views, shift)}
    assert all(opposite[view.tobytes()] == s for view, s in zip(views, shift))


def test_both_nets_see_one_shift_and_strips_of_their_own():
    views = all_views(4)
    x = draw(views, 3, 500, rng(1))
    assert x.shape == (3, 2, 500, 8)
    number = {view.tobytes(): k for k, view in enumerate(views.reshape(-1, 8))}
    seen = np.array([number[view.tobytes()] for view in x.reshape(-1, 8)]).reshape(3, 2, 500)
    np.testing.assert_array_equal(seen[:, 0] % 2, seen[:, 1] % 2)
    first, second = seen // 2 == 5, seen // 2 == 7
    assert np.bincount(seen.ravel(), minlength=24).min() > 70
    assert abs(np.corrcoef(first[:, 0].ravel(), first[:, 1].ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(first[:, 0].ravel(), second[:, 1].ravel())[0, 1]) < 0.1
    assert not np.array_equal(seen[0], seen[1])


# ---- evaluation by hand ----
def test_accuracy_inverts_both_nets_or_none():
    right = np.tile([False, True], (12, 1))  # (strips, shifts)
    one_wrong = right.copy()
    one_wrong[0, 0] = True
    said = np.array([[right, right], [~right, ~right], [right, ~right], [right, one_wrong]])
    np.testing.assert_allclose(accuracy(said), [1, 1, 0, 23 / 24])
    np.testing.assert_allclose(agreement(said), [1, 1, 0, 0.5 + 0.5 * 11 / 12])
    constant = np.ones((1, 2, 12, 2), bool)
    assert accuracy(constant) == [0.5] and agreement(constant) == [1]


def test_answers_are_those_of_each_net_to_each_view():
    views = all_views(4)
    nets = Nets(3, 2, (8, 12, 1), rng(1))
    said = answers(nets, views)
    assert said.shape == (3, 2, 12, 2)
    x = np.broadcast_to(views[7, 1], (3, 2, 1, 8))
    np.testing.assert_array_equal(said[:, :, 7, 1], nets.forward(x)[:, :, 0, 0] > 0.5)


def test_medians_and_what_the_claims_ask_for():
    never = np.inf
    needed = {
        "separate": np.array([2000.0, 4000.0, 6000.0, never]),
        "shared": np.array([1000.0, 1000.0, 3000.0, never]),
        "imax": np.array([1000.0, never, never, never]),
    }
    table = compare(Config(), needed)
    assert table["separate_share"] == table["shared_share_50000"] == 0.75
    assert table["imax_share"] == 0.25 and table["share_over_imax"] == 0.5
    assert table["log_ratio"] == pytest.approx(np.log(5000 / 2000))
    assert table["curve"]["x"][3:6] == [4000, 5000, 6000]
    assert table["curve"]["y"][3:6] == [0.5, 0.5, 0.75]
    assert median(needed["imax"]) is None
    assert compare(Config(), needed | {"shared": np.full(4, never)})["log_ratio"] is None


def test_a_pair_is_dated_by_its_first_look_with_both_nets_right(monkeypatch):
    marks = iter([[0.9, 0.99], [1.0, 0.5], [0.2, 1.0]] + [[1.0, 1.0]] * 7)
    monkeypatch.setattr(stereo, "accuracy", lambda said: np.array(next(marks)))
    seeds = np.random.SeedSequence(1).spawn(2)
    _, needed = learn_shift(SMALL, 2, OBJECTIVES["predictable"], 200, seeds, silent)
    assert needed.tolist() == [40, 20]


# ---- the wiring of run() ----
class Ledger:
    """Notes what run() trains, with which patterns, and how each generator starts."""

    def __init__(self, monkeypatch):
        self.trained, self.batches, self.starts = [], [], []

        def noted_train(nets, optimiser, objective, next_batch, steps):
            weights = {name: weight.copy() for name, weight in nets.weights.items()}
            y = np.arange(12.0).reshape(1, 2, 6, 1) ** 2 / 200
            told = objective(y)[0][0]
            self.trained.append((weights, nets, optimiser, told, steps))
            self.batches.append([])
            return train(nets, optimiser, objective, next_batch, steps)

        def noted_draw(views, pairs, batch_size, generator):
            self.batches[-1].append(draw(views, pairs, batch_size, generator))
            return self.batches[-1][-1]

        def noted_nets(pairs, sets, sizes, generator):
            self.starts.append(generator.bit_generator.state["state"]["state"])
            return Nets(pairs, sets, sizes, generator)

        monkeypatch.setattr(stereo, "train", noted_train)
        monkeypatch.setattr(stereo, "draw", noted_draw)
        monkeypatch.setattr(stereo, "Nets", noted_nets)
        self.table = run(SMALL, 1000, silent)


@pytest.fixture
def ledger(monkeypatch):
    return Ledger(monkeypatch)


def test_all_kinds_get_the_same_start_and_the_same_patterns_but_the_shared_ones(ledger):
    separate, shared, *rivals = ledger.trained
    assert [steps for *_, steps in ledger.trained] == [20, 10, 20, 20, 20]
    for rival, batches in zip(rivals, ledger.batches[2:]):
        for name, weight in separate[0].items():
            np.testing.assert_array_equal(rival[0][name], weight)
        np.testing.assert_array_equal(batches, ledger.batches[0])
        assert rival[2].learning_rate == separate[2].learning_rate == SMALL.learning_rate
    assert [nets.sets for _, nets, *_ in ledger.trained] == [2, 1, 2, 2, 2]
    assert len(set(ledger.starts)) == 2
    assert not np.array_equal(ledger.batches[0][0], ledger.batches[1][0])
    first_weights = rng(np.random.SeedSequence(1000).spawn(4)[1]).standard_normal(3)
    assert separate[0]["to_hidden"].ravel()[0] != np.float32(first_weights[0] / np.sqrt(8))


def test_no_two_streams_are_one(monkeypatch):
    states = []
    original = np.random.default_rng

    def noted(seed):
        states.append(original(seed).bit_generator.state["state"]["state"])
        return original(seed)

    monkeypatch.setattr(np.random, "default_rng", noted)
    run(SMALL, 1000, silent)
    weights, patterns = states[0::2], states[1::2]
    assert len(set(weights)) == len(set(patterns)) == 2 and not set(weights) & set(patterns)
    states.clear()
    small = {"feature_pairs": 1, "pm_patterns": 10, "ae_patterns": 10, "pairs": 1}
    small |= {"wide_patterns": 1000, "data_sets": 1, "template_steps": 1}
    monkeypatch.setattr(study, "plain_descent", lambda *_: {})
    monkeypatch.setattr(study, "sweep_alpha", lambda *_: {})
    study.run(study.Config(**small), 1000, silent)
    assert len(states) == len(set(states)) == 20


def test_each_kind_has_its_objective(ledger):
    y = np.arange(12.0).reshape(1, 2, 6, 1) ** 2 / 200
    wanted = [predictable(y, 0.9), predictable(y, 0.9), imax(y, 1e-6), predictable(y, 0.0)]
    wanted.append(informative_only(y, 0.9))
    assert [told for *_, told, _ in ledger.trained] == [loss[0] for loss, _ in wanted]


def test_rows_are_those_of_the_trained_nets_and_no_net_is_told_the_shift(ledger):
    views = all_views(4)
    for name, (_, nets, *_) in zip(("separate", "shared", "imax"), ledger.trained):
        said = answers(nets, views)
        assert ledger.table[name]["accuracy"] == accuracy(said).mean()
        assert ledger.table[name]["agreement"] == agreement(said).mean()
        assert ledger.table[name]["patterns_per_second"] > 0
    known = {view.tobytes() for view in views.reshape(-1, 8)}
    for batches in ledger.batches:  # nothing beside the views comes in
        assert {view.tobytes() for x in batches for view in x.reshape(-1, 8)} <= known


def test_pairs_of_one_batch_are_independent():
    """The first pair of many learns what it learns, whatever the others are."""
    views = all_views(4)
    nets = Nets(4, 2, (8, 5, 1), rng(1))
    other = Nets(4, 2, (8, 5, 1), rng(1))
    for weight in other.weights.values():
        weight[1:] += 1
    adam, other_adam = Adam(nets.weights, 0.01), Adam(other.weights, 0.01)
    x = draw(views, 4, 20, rng(2))
    for _ in zip(
        train(nets, adam, OBJECTIVES["predictable"], lambda: x, 5),
        train(other, other_adam, OBJECTIVES["predictable"], lambda: x, 5),
    ):
        pass
    for name, weight in nets.weights.items():
        np.testing.assert_allclose(weight[0], other.weights[name][0], atol=1e-6)


def test_the_shift_is_found_and_not_where_each_strip_has_its_own(monkeypatch):
    config = Config(pairs=6, patterns=30_000)
    seeds = np.random.SeedSequence(1000).spawn(2)
    objective = OBJECTIVES["predictable"]
    _, needed = learn_shift(config, 1, objective, 30_000, seeds, silent)
    assert np.isfinite(needed).mean() >= 0.5

    def own_shifts(views, pairs, batch_size, generator):
        shift = generator.integers(2, size=(pairs, 2, batch_size))
        return views[generator.integers(len(views), size=shift.shape), shift]

    monkeypatch.setattr(stereo, "draw", own_shifts)
    nets, needed = learn_shift(config, 1, objective, 10_000, seeds, silent)
    assert not np.isfinite(needed).any()
    assert abs(accuracy(answers(nets, all_views(4))).mean() - 0.5) < 0.15


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    def table(seed):
        flat = stereo.flatten(run(SMALL, seed, silent))
        return {name: value for name, value in flat.items() if not name.endswith("_second")}

    assert table(1000) == table(1000) != table(1001)
    assert set(QUICK) <= set(Config.__dataclass_fields__)


# ---- the study ----
def test_classes_have_two_features_in_common():
    classes = study.feature_classes()
    assert classes.shape == (4, 2, 4)
    for kind, members in enumerate(classes):
        for vector in members:
            right, left = vector[2:].sum(), vector[:2].sum()
            assert right != left and vector.sum() != 0
            assert kind == 2 * (right > left) + (vector.sum() > 0)
    x = study.draw_features(classes, 2, 300, rng(1))
    kinds = {vector.tobytes(): k for k, members in enumerate(classes) for vector in members}
    seen = np.array([kinds[v.tobytes()] for v in x.reshape(-1, 4)]).reshape(2, 2, 300)
    np.testing.assert_array_equal(seen[:, 0], seen[:, 1])
    assert (x[:, 0] != x[:, 1]).any(2).mean() == pytest.approx(0.5, abs=0.08)


def test_codes_that_tell_the_features():
    code = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)[:, None].repeat(2, 1)  # (4, 2, 2)
    torn = code.copy()
    torn[1, 1] = [1, 1]
    twice = code.copy()
    twice[1] = twice[0]
    mixed = np.array([code, code[::-1], torn, twice])
    assert study.tells_features(mixed).tolist() == [True, True, False, False]


def test_a_feature_row_is_that_of_the_trained_nets(monkeypatch):
    kept = []
    monkeypatch.setattr(study, "tells_features", lambda on: (kept.append(on), np.ones(3))[1])
    config = study.Config(feature_pairs=3)
    seed = np.random.SeedSequence(1)
    row = study.learn_features(config, study.with_predictors, 200, 0.4, seed, silent)
    assert row["share"] == 1 and kept[0].shape == (3, 4, 2, 2) and 0 <= row["gray"] <= 0.5


def test_strips_held_out_are_not_trained_on(monkeypatch):
    trained, asked = set(), []

    def noted(views, pairs, batch_size, generator):
        trained.update(view.tobytes() for view in views.reshape(-1, 12))
        return draw(views, pairs, batch_size, generator)

    def asked_for(nets, views):
        asked.append({view.tobytes() for view in views.reshape(-1, 12)})
        return answers(nets, views)

    monkeypatch.setattr(study, "draw", noted)
    monkeypatch.setattr(study, "answers", asked_for)
    monkeypatch.setattr(study, "accuracy", lambda said: np.array([1.0, 0.5]) * said.shape[2] / 48)
    config = study.Config(pairs=2, wide_patterns=1000)
    row = study.wide_strips(config, np.random.SeedSequence(1), silent)
    assert asked[0] == trained and len(trained) == 96
    assert len(asked[1]) == 24 and not asked[1] & trained
    assert row["held_out"] == 0.25 and row["share"] == 0.5


def test_templates_are_judged_on_unseen_data_and_one_view_tells():
    z, views = study.draw_templates(study.Config(), rng(1))
    told = (views[..., :8] * z[:, None, :, None]).mean(2)  # (D, 2, 8)
    assert abs(np.abs(told).mean() - 0.8) < 0.02
    assert abs((views[..., 8:] * z[:, None, :, None]).mean(2)).max() < 0.12
    row = study.templates(study.Config(template_steps=40), np.random.SeedSequence(1), silent)
    assert row["one_view_pca"] > 0.98


def test_the_study_s_claims_are_those_of_the_first_weights(monkeypatch):
    shares = {0.4: 0.1, 0.9: 0.2, 0.05: 0.3, 0.2: 0.4}
    monkeypatch.setattr(study, "learn_features", lambda *a: {"share": shares[a[3]]})
    for part in ("sweep_alpha", "wide_strips", "plain_descent", "templates"):
        monkeypatch.setattr(study, part, lambda *_: {})
    config = study.Config(pm_alphas=(0.4, 0.9), ae_alphas=(0.05, 0.2))
    table = study.run(config, 1000, silent)
    assert table["features_pm_share"] == 0.1 and table["features_ae_share"] == 0.3


def test_plain_descent_goes_down_the_slope():
    weights = {"w": np.ones((2, 1, 1, 1))}
    rates = np.array([0.5, 2.0])[:, None, None, None]
    study.Descent(weights, rates).step({"w": np.full((2, 1, 1, 1), 0.1)})
    np.testing.assert_allclose(weights["w"].ravel(), [0.95, 0.8])


# ---- unusable arguments ----
def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--check-every: it has to be a multiple"):
        Config(batch_size=300)
    with pytest.raises(ValueError, match="--check-every: it exceeds"):
        Config(shared_patterns=500)


@pytest.mark.parametrize("words", [["--pairs", "0"], ["--width", "2"], ["--alpha", "nan"]])
def test_bad_arguments_end_in_one_line(words, capsys):
    with pytest.raises(SystemExit) as stop:
        stereo.main(stereo, words)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and words[0] in said and said.count("\n") == 1
