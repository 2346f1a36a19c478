"""Tests of rs_parity: nets against a literal reading, screening, gradients, the wiring of run()."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import rs_parity as rp
import study_rs_parity as study
from rs_parity import NETS, QUICK, Config, Net, Sequences

CONFIG = replace(Config(), **QUICK)
FULL = Net(hidden=3, missing=(), paper=0)  # has every weight
EVERY = {**NETS, "full": FULL}


def silent(fraction, message):
    """Takes a report of progress and checks that it is one."""
    assert 0 <= fraction <= 1 and message


def rng(seed=0):
    return np.random.default_rng(seed)


def by_hand(net, **values):
    """Makes one net whose weights are 0 but for the given ones."""
    weights = rp.draw(net, 1.0, 1, rng())
    for name, weight in weights.items():
        weight[:] = np.reshape(values.get(name, 0), (-1, 1, 1) if weight.ndim == 3 else (1, 1))
    return weights


def xor_net(name):
    """Makes a net that turns its output over with each +1: y = (x or y) and not (x and y)."""
    if NETS[name].hidden == 1:
        return by_hand(NETS[name], a=40, f=80, b=-100, v=-100, c=20, d=60)
    both, either = np.eye(10)[:2]
    b, v = -100 * both - 20 * either, -100 * both + 60 * either
    return by_hand(NETS[name], a=40 * (both + either), f=80 * (both + either), b=b, v=v, e=-30)


def literal(weights, k, xs):
    """Steps net k through a sequence, unit by unit in plain floats: its output after each step."""
    a, f, r, b, v, c, d, e = (w[..., k].astype(float).ravel() for w in weights.values())
    squash = lambda z: 1 / (1 + exp(-max(z, -700)))  # noqa: E731
    h, y, outputs = [0.0] * len(a), 0.0, []
    for x in xs:
        h = [squash(a[j] * x + f[j] * y + r[j] * h[j] + b[j]) for j in range(len(a))]
        y = squash(sum(v[j] * h[j] for j in range(len(a))) + c[0] * x + d[0] * y + e[0])
        outputs.append(y)
    return outputs


def literal_answer(weights, k, data, s):
    return literal(weights, k, data.x[: data.length[s], s, 0].astype(float))[-1]


# ---- the task ------------------------------------------------------------------------------------
def test_labels_are_counts_and_classes_are_balanced():
    data = rp.sequences(4000, 30, 50, 0.0, rng())
    assert data.x.shape == (50, 4000, 1) and data.x.dtype == np.float32
    assert set(np.unique(data.x)) == {-1, 1} and set(data.length) == set(range(30, 51))
    counts = [(data.x[:length, k] > 0).sum() for k, length in enumerate(data.length)]
    assert (data.target[:, 0] == np.array(counts) % 2).all() and data.target.mean() == 0.5


def test_no_single_input_tells_the_label():
    data = rp.sequences(4000, 30, 50, 0.0, rng())
    last = data.x[data.length - 1, np.arange(4000), 0]
    for x in (data.x[0, :, 0], data.x[20, :, 0], last, data.length - 40.0):
        assert abs(np.corrcoef(x, data.target[:, 0])[0, 1]) < 0.06
    assert abs(data.x[:30].mean()) < 0.02 and abs(last.mean()) < 0.06  # fair coins, the last too


def test_noise_is_uniform_and_leaves_the_label():
    noisy, clean = (rp.sequences(1000, 30, 50, noise, rng()) for noise in (0.2, 0.0))
    noise = noisy.x - clean.x
    assert np.abs(noise).max() <= 0.2001 and noise.std() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    assert (noisy.target == clean.target).all() and (noisy.length == clean.length).all()


# ---- the nets ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name, free", [("no_self", 42), ("a2", 52), ("a1", 7), ("noisy", 7)])
def test_every_weight_a_net_has_is_drawn_from_the_prior(name, free):
    weights = rp.draw(NETS[name], 100.0, 4000, rng())
    present = {key: w for key, w in weights.items() if key not in NETS[name].missing}
    assert sum(w[..., 0].size for w in present.values()) == free
    assert all(not weights[key].any() for key in NETS[name].missing)
    for weight in present.values():
        assert weight.dtype == np.float32 and np.abs(weight).max() <= 100
        assert weight.std(-1).ravel() == pytest.approx(100 / 3**0.5, rel=0.05)
        assert np.abs(weight.mean(-1)).max() < 4


@pytest.mark.parametrize("net", EVERY.values(), ids=EVERY)
def test_nets_do_what_the_formulas_say(net):
    data = rp.sequences(6, 5, 12, 0.2, rng(1))
    weights = rp.draw(net, 2.0, 20, rng(2))
    slow = [[literal_answer(weights, k, data, s) for k in range(20)] for s in range(6)]
    assert np.abs(rp.answers(weights, data) - slow).max() < 1e-5


def test_hidden_units_come_first_and_the_output_sees_their_new_values():
    weights = by_hand(NETS["a1"], a=80, v=80, d=-40)  # h copies x; then y = s(80 h - 40 y)
    for xs, last in (((1, -1), 0), ((-1, 1), 1)):  # with the old h it would be the other way round
        outputs = [y.item() for _, y in rp.rollout(weights, np.float32(xs)[:, None, None])]
        assert outputs[-1] == pytest.approx(last, abs=1e-6)


def test_answers_are_taken_at_the_end_of_each_sequence():
    x = -np.ones((6, 4, 1), np.float32)
    x[[2, 3, 5], [0, 1, 3]] = 1
    data = Sequences(x, np.array([3, 3, 6, 6]), np.zeros((4, 1)))
    assert rp.answers(by_hand(NETS["a1"], c=30), data)[:, 0] == pytest.approx([1, 0, 0, 1])
    part = rp.subset(data, [3, 1])
    assert rp.answers(by_hand(NETS["a1"], c=30), part)[:, 0] == pytest.approx([1, 0])


@pytest.mark.parametrize("name", NETS)
def test_a_net_built_by_hand_counts_and_its_mirror_does_not(name):
    weights = xor_net(name)
    noise = 0.2 * NETS[name].noisy
    for length in (60, 1000):
        data = rp.sequences(20, length, length * 6 // 5, noise, rng())
        assert rp.right_on_all(weights, data, 0.1).all()
    mirror = weights | {"a": -weights["a"], "c": -weights["c"]}  # counts -1
    assert not rp.right_on_all(mirror, data, 0.1).any()


# ---- random guessing -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", NETS)
def test_screening_is_exact(name):
    """Nets that are right on some, on many or on all sequences, against the literal reading."""
    data = rp.sequences(20, 4, 8, 0.2 * NETS[name].noisy, rng(1))
    near = [w + rng(3).normal(0, 12, w[..., :1].shape[:-1] + (60,)) for w in xor_net(name).values()]
    weights = {key: w.astype(np.float32) for key, w in zip(xor_net(name), near)}
    for key in NETS[name].missing:
        weights[key][:] = 0
    outputs = [[literal_answer(weights, k, data, s) for s in range(20)] for k in range(60)]
    slow = (np.abs(np.array(outputs) - data.target[:, 0]) < 0.1).all(1)
    assert 2 < slow.sum() < 58
    assert (rp.right_on_all(weights, data, 0.1) == slow).all()


@pytest.mark.parametrize("wrong", [0, 1, 2, 3, 7, 8, 16, 39])
def test_one_mistake_anywhere_rejects(wrong):
    data = rp.sequences(40, 20, 30, 0.0, rng())
    assert rp.right_on_all(xor_net("a1"), data, 0.1).all()
    data.target[wrong] = 1 - data.target[wrong]
    assert not rp.right_on_all(xor_net("a1"), data, 0.1).any()


def test_the_criterion_is_the_error_at_the_end():
    data = Sequences(np.ones((1, 1, 1), np.float32), np.array([1]), np.ones((1, 1)))
    for drive in (2.18, 2.22):  # the logistic function passes 0.9 at log(9) = 2.197
        assert rp.right_on_all(by_hand(NETS["a1"], c=drive), data, 0.1).all() == (drive > log(9))


def test_a_search_ends_with_the_first_net_that_is_right():
    net, config = NETS["no_self"], replace(CONFIG, block=64)
    data = rp.sequences(20, 8, 12, 0.0, rng(1))
    trials, found = rp.search(net, data, config, rng(7))
    again = rng(7)
    blocks = [rp.draw(net, 100.0, 64, again) for _ in range(-(-trials // 64))]
    right = np.concatenate([rp.right_on_all(block, data, 0.1) for block in blocks])
    assert trials > 64 and right.argmax() == trials - 1
    best = rp.pick(blocks[-1], [(trials - 1) % 64])
    assert all((found[name] == best[name]).all() for name in found)


def test_a_search_gives_up_after_exactly_max_guesses(monkeypatch):
    drawn, real = [], rp.draw
    monkeypatch.setattr(
        rp, "draw", lambda n, w, count, g: drawn.append(count) or real(n, w, count, g)
    )
    config = replace(CONFIG, prior=0.01, max_guesses=150, block=64)
    trials, found = rp.search(NETS["a1"], rp.sequences(20, 8, 12, 0.0, rng()), config, rng())
    assert trials == sum(drawn) == 150 and found["e"].size == 0


# ---- gradient descent ----------------------------------------------------------------------------
@pytest.mark.parametrize("net", EVERY.values(), ids=EVERY)
def test_gradient_agrees_with_central_differences(net):
    data = rp.sequences(4, 3, 7, 0.2, rng(1))
    every = net._replace(missing=())  # the paths of missing weights, too
    weights = {name: w.astype(float) for name, w in rp.draw(every, 1.5, 2, rng(2)).items()}

    def losses():  # (N,) mean cross-entropy
        y = rp.answers(weights, data)
        return -np.log(np.where(data.target == 1, y, 1 - y)).mean(0)

    for name, grad in rp.gradient(weights, data).items():
        assert grad.shape == weights[name].shape
        for place in np.ndindex(weights[name].shape[:-1]):
            weights[name][place] += 1e-5
            above = losses()
            weights[name][place] -= 2e-5
            slope = (above - losses()) / 2e-5
            weights[name][place] += 1e-5
            assert grad[place] == pytest.approx(slope, rel=1e-6, abs=1e-9), name


def test_adam_by_hand():
    """Two updates of two nets against scalars; the second net's gradient (30, 40) is clipped."""
    weights = {"a": np.zeros((1, 1, 2)), "c": np.zeros((1, 2))}
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    grads = {"a": np.array([[[0.3, 30.0]]]), "c": np.array([[0.4, 40.0]])}
    rate = np.array([0.1, 0.01])
    for update, factor in ((1, 1.0), (2, -0.5)):
        scaled = {name: factor * grad for name, grad in grads.items()}
        rp.adam(weights, scaled, moments, rate, update)
    for k, small in ((0, (0.3, 0.4)), (1, (0.6, 0.8))):
        for name, first in zip(("a", "c"), small):
            second = -0.5 * first if k == 0 else -first
            mean = 0.9 * 0.1 * first + 0.1 * second
            square = 0.999 * 0.001 * first**2 + 0.001 * second**2
            move = first / (abs(first) + 1e-8)
            move += mean / (1 - 0.9**2) / ((square / (1 - 0.999**2)) ** 0.5 + 1e-8)
            assert weights[name].ravel()[k] == pytest.approx(-rate[k] * move)


def test_descent_sees_its_sequences_each_equally_often(monkeypatch):
    seen, real = [], rp.gradient
    monkeypatch.setattr(rp, "gradient", lambda w, data: seen.append(data) or real(w, data))
    config = replace(Config(), descent_sequences=600, starts=2)
    error = rp.descend(NETS["no_self"], (25, 50), 10.0, config, np.random.SeedSequence(5))
    assert len(seen) == 30 and error.shape == (100, 3 * 2)
    assert sum(len(batch.length) for batch in seen) == 600
    shown = [batch.x[:25, s, 0].tobytes() for batch in seen for s in range(20)]
    assert len(set(shown)) == 100 and {shown.count(one) for one in shown} == {6}
    assert shown[:100] != shown[100:200]
    lengths = np.concatenate([batch.length for batch in seen])
    assert lengths.min() >= 25 and lengths.max() <= 50 and len(set(lengths)) > 15
    assert (np.abs(seen[0].x) == 1).all()


def test_descent_trains_what_a_net_has_at_all_rates_from_its_width(monkeypatch):
    used, real = [], rp.adam

    def spy(weights, grads, moments, rate, update):
        used.append((set(grads), rate.copy(), update, np.abs(weights["f"]).max()))
        real(weights, grads, moments, rate, update)
        assert not weights["r"].any() and not weights["d"].any()

    monkeypatch.setattr(rp, "adam", spy)
    config = replace(Config(), descent_sequences=200)
    rp.descend(NETS["no_self"], (3, 4), 7.0, config, np.random.SeedSequence(5))
    names, rate, _, width = used[0]
    assert names == set("afbvce") and [update for _, _, update, _ in used] == list(range(1, 11))
    assert rate == pytest.approx(np.repeat([0.001, 0.01, 0.1], 5)) and 6.5 < width <= 7.0


def test_descent_learns_the_parity_of_two():
    config = replace(Config(), descent_sequences=10_000)
    error = rp.descend(NETS["no_self"], (2, 2), rp.INIT, config, np.random.SeedSequence(0))
    solved = (error < 0.1).all(0).reshape(3, 5).sum(1)  # by rate
    assert solved[0] <= 1 and solved[2] >= 4


# ---- how run() is wired --------------------------------------------------------------------------
def names_of(data):
    """Returns the set of sequences, by their first inputs."""
    return {data.x[:30, s].tobytes() for s in range(len(data.length))}


def test_nothing_is_tested_on_what_it_was_accepted_for(monkeypatch):
    trained, tested, real = [], [], rp.right_on_all

    def spy_search(net, data, config, generator):
        trained.append(data)
        return 7 + len(trained), xor_net("noisy" if net.noisy else "a1")

    def spy_right(weights, data, tolerance):
        tested.append(data)
        assert weights["e"].shape[-1] == 3
        return real(weights, data, tolerance)

    monkeypatch.setattr(rp, "search", spy_search)
    monkeypatch.setattr(rp, "right_on_all", spy_right)
    for name, net in NETS.items():
        trained.clear(), tested.clear()
        config = replace(CONFIG, searches=3)
        trials, right, long_right = rp.guess_row(net, config, np.random.SeedSequence(1))
        assert trials.tolist() == [8, 9, 10] and right.all() and long_right.all()
        assert right.shape == long_right.shape == (3,)
        sets = [names_of(data) for data in trained + tested]
        assert len(sets) == 5 and len(set.union(*sets)) == sum(map(len, sets)) == 4 * 100 + 20
        for data in trained + tested[:1]:
            assert data.length.min() >= 50 and data.length.max() <= 60 and data.target.mean() == 0.5
        assert set(tested[1].length) == {200} and len(tested[1].length) == 20
        for data in trained + tested:
            assert (np.abs(data.x) == 1).all() == (not net.noisy), name
            assert np.abs(np.abs(data.x) - 1).max() <= 0.2001


def test_a_search_keeps_its_training_set_and_its_noise(monkeypatch):
    tested, real = [], rp.right_on_all
    spy = lambda w, data, tolerance: tested.append(data.x.copy()) or real(w, data, tolerance)  # noqa: E731
    monkeypatch.setattr(rp, "right_on_all", spy)
    config = replace(CONFIG, block=100, max_guesses=500, prior=0.1)
    rp.search(NETS["noisy"], rp.sequences(100, 50, 60, 0.2, rng()), config, rng())
    assert len(tested) == 5 and all((x == tested[0]).all() for x in tested)


def test_no_two_random_streams_start_alike(monkeypatch):
    states, real = [], np.random.default_rng
    spy = lambda seed: states.append(tuple(seed.generate_state(4))) or real(seed)  # noqa: E731
    monkeypatch.setattr(np.random, "default_rng", spy)
    rp.run(replace(CONFIG, searches=1), 3, silent)
    assert len(states) == len(set(states)) == 4 * len(NETS) + 3
    rp.run(replace(CONFIG, searches=1), 4, silent)
    small = replace(study.Config(), **study.QUICK, starts=1)
    study.run(replace(small, guesses=10, noisy_guesses=10, tables=10), 3, silent)
    assert len(states) == len(set(states))


def test_the_rival_is_the_first_net_with_its_full_budget(monkeypatch):
    calls = []
    monkeypatch.setattr(rp, "descend", lambda *given: calls.append(given) or np.zeros((100, 15)))
    config = replace(CONFIG, searches=1)
    rp.run(config, 0, silent)
    assert calls[0][:4] == (NETS["no_self"], (25, 50), 10.0, config) and len(calls) == 1
    assert rp.RATES == (0.001, 0.01, 0.1)
    assert (Config().descent_sequences, Config().batch_size, Config().starts) == (20_000, 20, 5)


def test_metrics_say_what_happened(monkeypatch):
    flags = lambda *values: np.array(values, bool)  # noqa: E731
    rows = {
        "no_self": (np.array([10, 500]), flags(1, 1), flags(1, 1)),
        "a2": (np.array([4000, 2000]), flags(1, 0), flags(0, 0)),
        "a1": (np.array([1, 3]), flags(), flags()),
        "noisy": (np.array([7, 8]), flags(1), flags(0)),
    }
    error = np.array([[0.05, 0.3, 0.7, 0.4], [0.09, 0.05, 0.2, 0.6]])  # two sequences, four nets
    monkeypatch.setattr(
        rp, "guess_row", lambda net, config, seed: rows[{v: k for k, v in NETS.items()}[net]]
    )
    monkeypatch.setattr(rp, "descend", lambda *given: error)
    out = rp.run(CONFIG, 0, silent)
    assert out["no_self"] == {"solved": 1.0, "mean_trials": 255.0, "all_right": 1.0}
    assert out["a2"] == {"solved": 1.0, "mean_trials": 3000.0, "all_right": 0.5}
    assert out["a1"] == {"solved": 0.0, "mean_trials": 2.0, "all_right": None}
    assert out["noisy"] == {"solved": 0.5, "mean_trials": 7.5, "all_right": 1.0}
    assert (out["all_right"], out["long_right"]) == (0.8, 0.5)
    assert out["descent"] == {"solved": 0.25, "best_share": 1.0}
    assert out["curve"]["x"][:3] == [0, 10, 20] and len(out["curve"]["x"]) == 101
    assert out["curve"]["y"][:2] == [0.0, 0.5] and out["curve"]["y"][49:51] == [0.5, 1.0]


@pytest.mark.parametrize(
    "bad, flag",
    [
        ({"shortest": 601}, "--shortest"),
        ({"batch_size": 30}, "--batch-size"),
        ({"descent_sequences": 150}, "--descent-sequences"),
    ],
)
def test_settings_that_do_not_fit_are_refused(bad, flag):
    with pytest.raises(ValueError, match=flag):
        replace(Config(), **bad)


# ---- the study -----------------------------------------------------------------------------------
def test_tables_and_tracking_of_nets_built_by_hand():
    net, config = NETS["no_self"], replace(study.Config(), **study.QUICK)
    copy_y = np.eye(10)[3]
    cases = {
        study.XOR: xor_net("no_self"),
        0b0011: by_hand(net, c=50),  # copies the input
        0b1111: by_hand(net, e=50),
        0b0101: by_hand(net, f=80 * copy_y, b=-40 * copy_y, v=90 * copy_y, e=-45),
        study.XNOR: xor_net("no_self") | {"e": np.full((1, 1), 30), "v": -xor_net("no_self")["v"]},
    }
    for table, weights in cases.items():
        assert study.tables(weights).tolist() == [table]
        assert study.tracks_parity(weights, config, rng()).tolist() == [table == study.XOR]


def test_guess_returns_the_nets_that_the_judge_accepts():
    config = replace(study.Config(), block=64)
    sizes = []
    judge = lambda w: sizes.append(w["c"].size) or w["c"][0] > 50  # noqa: E731
    found = study.guess(NETS["a1"], 100.0, 150, judge, config, rng())
    assert sizes == [64, 64, 22] and (found["c"] > 50).all() and 15 < found["c"].size < 60


def test_noise_of_each_reading(monkeypatch):
    """The noise that the nets get: its shape, its spread, and whether nets share it."""
    inputs = {"shared": [], "own": []}
    config = replace(study.Config(), **study.QUICK)
    real = rp.answers

    def spy(kind):
        return lambda weights, data: inputs[kind].append(data.x) or real(weights, data)

    monkeypatch.setattr(rp, "answers", spy("shared"))
    monkeypatch.setattr(study, "answers", spy("own"))
    small = replace(config, noisy_guesses=64, block=32, shortest=200, longest=200)
    study.readings(small, np.random.SeedSequence(0), silent)
    assert all(x.shape[2] == 1 for x in inputs["shared"])
    assert all(x.shape[2] > 1 for x in inputs["own"][:1])
    firsts = [x for x in inputs["shared"] if x.shape[1] == 1]
    spread = [(x - np.sign(x)).std() for x in firsts]
    for wanted in (0.2 / 3**0.5, 0.4 / 3**0.5, 0.2):
        assert any(one == pytest.approx(wanted, rel=0.1) for one in spread)
    own = inputs["own"][0] - np.sign(inputs["own"][0])
    assert own.std() == pytest.approx(0.2 / 3**0.5, rel=0.1)
    assert not np.allclose(own[:, :, 0], own[:, :, 1])


def test_a_net_built_by_hand_passes_with_noise_of_its_own():
    config = replace(study.Config(), **study.QUICK)
    both = {k: np.concatenate([w, -w], -1) for k, w in xor_net("a1").items()}
    assert study.judge_anew(config, rng())(both).tolist() == [True, False]


def test_descents_of_the_study_have_the_same_budget(monkeypatch):
    calls = []
    monkeypatch.setattr(study, "descend", lambda *given: calls.append(given) or np.zeros((100, 15)))
    study.descents(study.Config(), np.random.SeedSequence(0), silent)
    assert len(calls) == 3 * (7 + 1) + 5
    budgets = [config.descent_sequences for _, _, _, config, _ in calls]
    assert budgets == ([20_000] * 7 + [54_000]) * 3 + [20_000] * 5
    wanted = [(2, 2), (3, 3), (5, 6), (10, 12), (20, 24), (100, 120), (500, 600), (25, 50)]
    assert [lengths for _, lengths, *_ in calls] == wanted * 3 + [(25, 50)] * 5
    assert [init for _, _, init, *_ in calls[:24]] == [rp.INIT] * 24
    assert [init for _, _, init, *_ in calls[24:]] == [1.0, 3.0, 10.0, 30.0, 100.0]
