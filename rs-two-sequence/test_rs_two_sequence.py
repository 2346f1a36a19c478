"""Tests of rs_two_sequence: nets against a literal reading, screening, gradients, the wiring."""

from dataclasses import replace
from math import atanh, exp, log, tanh

import numpy as np
import pytest
import rs_two_sequence as rs
import study_rs_two_sequence as study
from rs_two_sequence import NETS, QUICK, SIGNS, Config, Net, Sequences

CONFIG = replace(Config(), **QUICK)
FULL = Net(hidden=3, fixed=SIGNS, paper=0)  # has every weight
EVERY = {**NETS, "full": FULL}


def silent(fraction, message):
    """Takes a report of progress and checks that it is one."""
    assert 0 <= fraction <= 1 and message


def rng(seed=0):
    return np.random.default_rng(seed)


def by_hand(net, **values):
    """Makes one net whose weights are 0, or fixed, but for the given ones."""
    weights = rs.draw(net, 1.0, 1, rng())
    for name, weight in weights.items():
        weight[:] = values.get(name, net.fixed.get(name, 0))
    return weights


def memory(name):
    """Makes a net that keeps its first input for as long as one likes."""
    values = {
        "a2": {"f": 60, "b": -30, "v": 8, "c": 41, "e": -40},  # hidden units feed the output back
        "a1": {"b": 40, "v": -20, "c": 21, "d": 60},  # the output keeps itself if above 1/3
        "latch2": {"c": 8, "d": 12},  # noise of some 1.6 against 12
        "latch1": {"d": 3, "one": 5, "two": -5},
    }
    return by_hand(NETS[name], **values[name])


def literal(net, weights, k, xs):
    """Steps net k through a sequence, unit by unit in plain floats: its output after each step."""
    a, f, r, b, v, c, d, e, one, two = (w[..., k].astype(float).ravel() for w in weights.values())
    squash = tanh if net.hidden == 0 else lambda z: 1 / (1 + exp(-max(z, -700)))
    h, y, outputs = [0.0] * len(a), 0.0, []
    for t, x in enumerate(xs):
        if t == 0:
            x = one[0] if x > 0 else two[0]
        h = [squash(a[j] * x + f[j] * y + r[j] * h[j] + b[j]) for j in range(len(a))]
        y = squash(sum(v[j] * h[j] for j in range(len(a))) + c[0] * x + d[0] * y + e[0])
        outputs.append(y)
    return outputs


def literal_right(net, weights, k, data, s):
    """Judges one answer as the papers do: off by less than 0.1, or, for latch I, beyond 0.8."""
    y = literal(net, weights, k, data.x[: data.length[s], s, 0].astype(float))[-1]
    if "c" in net.fixed:
        return y * data.sign[s, 0] > 0.8
    target = 1 if data.sign[s, 0] > 0 else -1 if net.hidden == 0 else 0
    return abs(y - target) < 0.1


# ---- the task ------------------------------------------------------------------------------------
def test_sequences_are_balanced_and_noise_but_for_the_first():
    data = rs.sequences(4000, 30, 50, 0.2, rng())
    assert data.x.shape == (50, 4000, 1) and data.x.dtype == np.float32
    assert (data.x[0] == data.sign).all() and data.sign.sum() == 0
    assert set(np.unique(data.sign)) == {-1, 1} and set(data.length) == set(range(30, 51))
    assert data.x[1:].std() == pytest.approx(0.2, rel=0.01) and abs(data.x[1:].mean()) < 0.002


def test_only_the_first_input_tells_the_class():
    data = rs.sequences(4000, 30, 50, 0.2, rng())
    last = data.x[data.length - 1, np.arange(4000), 0]
    for x in (data.x[1, :, 0], last, data.x[1:30, :, 0].mean(0), data.length - 40.0):
        assert abs(np.corrcoef(x, data.sign[:, 0])[0, 1]) < 0.06


# ---- the nets ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name, free", [("a2", 52), ("a1", 7), ("latch2", 3), ("latch1", 3)])
def test_every_weight_a_net_has_is_drawn_from_the_prior(name, free):
    weights = rs.draw(NETS[name], 100.0, 4000, rng())
    guessed = {key: w for key, w in weights.items() if key not in NETS[name].fixed}
    assert sum(w[..., 0].size for w in guessed.values()) == free
    assert all((weights[key] == value).all() for key, value in NETS[name].fixed.items())
    for weight in guessed.values():
        assert weight.dtype == np.float32 and np.abs(weight).max(initial=0) <= 100
        assert weight.std(-1).ravel() == pytest.approx(100 / 3**0.5, rel=0.05)
        assert np.abs(weight.mean(-1)).max(initial=0) < 4
    bias_of_the_output = {"a2": True, "a1": False, "latch2": True, "latch1": False}
    assert ("e" in guessed) == bias_of_the_output[name] and ("d" in guessed) == (name != "a2")


@pytest.mark.parametrize("net", EVERY.values(), ids=EVERY)
def test_nets_do_what_the_formulas_say(net):
    data = rs.sequences(6, 5, 12, 0.2, rng(1))
    weights = rs.draw(net, 2.0, 20, rng(2))
    ends = [data.x[:length, s, 0].astype(float) for s, length in enumerate(data.length)]
    slow = [[literal(net, weights, k, xs)[-1] for k in range(20)] for xs in ends]
    assert np.abs(rs.answers(net, weights, data) - slow).max() < 1e-5


def test_hidden_units_come_first_and_the_output_sees_their_new_values():
    weights = by_hand(NETS["a1"], a=80, v=80, d=-40)  # h copies x; then y = s(80 h - 40 y)
    for xs, last in (((1, -1), 0), ((-1, 1), 1)):  # with the old h it would be the other way round
        data = Sequences(np.float32(xs)[:, None, None], np.array([2]), np.float32([[xs[0]]]))
        outputs = [y.item() for _, y in rs.rollout(NETS["a1"], weights, data)]
        assert outputs[-1] == pytest.approx(last, abs=1e-6)


def test_answers_are_taken_at_the_end_of_each_sequence():
    net, x = NETS["latch2"], np.zeros((6, 4, 1), np.float32)
    x[[2, 3, 5], [0, 1, 3]] = 5
    data = Sequences(x, np.array([3, 3, 6, 6]), np.ones((4, 1)))
    assert rs.answers(net, by_hand(net, c=1), data)[:, 0] == pytest.approx([tanh(5), 0, 0, tanh(5)])
    part = rs.subset(data, [3, 1])
    assert rs.answers(net, by_hand(net, c=1), part)[:, 0] == pytest.approx([tanh(5), 0])


@pytest.mark.parametrize("name", NETS)
def test_a_net_built_by_hand_remembers_and_its_mirror_does_not(name):
    net, weights = NETS[name], memory(name)
    data = rs.sequences(20, 500, 600, 0.2, rng())
    good, shown = rs.screen(net, weights, data, 0.1)
    assert good.all() and shown.tolist() == [20]
    mirror = {"c": -weights["c"]} if name != "latch1" else {"one": -weights["one"]}
    good, shown = rs.screen(net, weights | mirror, data, 0.1)
    assert not good.any() and shown[0] <= 2


@pytest.mark.parametrize("name, bar", [("a1", log(9)), ("latch2", atanh(0.9)), ("latch1", 1.0986)])
def test_the_criterion(name, bar):
    """Logistic and tanh units come within 0.1 of their target at these net inputs, latch I to 0.8.

    The output is driven by its only input; that of class 2 is the mirror image.
    """
    data = Sequences(np.float32([[[1], [-1]]]), np.array([1, 1]), np.float32([[1], [-1]]))
    for drive in (bar - 0.02, bar + 0.02):
        given = {"one": drive, "two": -drive} if name == "latch1" else {"c": drive}
        weights = by_hand(NETS[name], **given)
        assert rs.right(NETS[name], weights, data, 0.1)[:, 0].tolist() == [drive > bar] * 2


# ---- random guessing -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", NETS)
def test_screening_is_exact(name):
    """Nets that are right on some, on many or on all sequences, against the literal reading."""
    net, data = NETS[name], rs.sequences(20, 4, 8, 0.3, rng(1))
    near = {}
    for key, w in memory(name).items():
        spread = 0 if key in net.fixed else 8
        near[key] = (w + rng(3).normal(0, spread, w.shape[:-1] + (60,))).astype(np.float32)
    good, shown = rs.screen(net, near, data, 0.1)
    slow = [[literal_right(net, near, k, data, s) for k in range(60)] for s in range(20)]
    assert (good == np.all(slow, 0)).all() and 0 < good.sum() < 60
    edges = np.array([1, 2, 4, 8, 16, 20])
    first_wrong = np.where(good, 19, np.argmin(slow, 0))  # (60,)
    assert (shown == edges[np.searchsorted(edges, first_wrong, "right")]).all()


def test_a_search_ends_with_the_first_net_that_is_right():
    net, config = NETS["a1"], replace(CONFIG, block=64)
    data, said = rs.sequences(20, 8, 12, 0.2, rng(1)), []
    trials, total, found = rs.search(net, data, config, rng(8), said.append)
    again = rng(8)
    blocks = [rs.draw(net, 100.0, 64, again) for _ in range(-(-trials // 64))]
    good, shown = map(np.hstack, zip(*[rs.screen(net, block, data, 0.1) for block in blocks]))
    assert trials > 64 and good.argmax() == trials - 1 and len(said) == len(blocks)
    assert total == shown[:trials].sum()
    best = rs.pick(blocks[-1], [(trials - 1) % 64])
    assert all((found[name] == best[name]).all() for name in found)


def test_a_search_gives_up_after_exactly_max_guesses(monkeypatch):
    drawn, real = [], rs.draw
    spy = lambda net, width, count, g: drawn.append(count) or real(net, width, count, g)  # noqa: E731
    monkeypatch.setattr(rs, "draw", spy)
    config = replace(CONFIG, prior=0.01, max_guesses=150, block=64)
    data = rs.sequences(20, 8, 12, 0.2, rng())
    trials, total, found = rs.search(NETS["a1"], data, config, rng(), str)
    assert trials == sum(drawn) == 150 <= total and found["e"].size == 0
    config = replace(config, searches=2)
    row = rs.guess_row(NETS["a1"], 2, config, np.random.SeedSequence(0), silent)
    assert row[0].tolist() == [150, 150] and row[2].shape == (100, 0) and row[3].size == 0
    assert rs.share(row[2]) is None


# ---- gradient descent ----------------------------------------------------------------------------
@pytest.mark.parametrize("net", [NETS["a2"], NETS["a1"], FULL], ids=["a2", "a1", "full"])
def test_gradient_agrees_with_central_differences(net):
    data = rs.sequences(4, 3, 7, 0.5, rng(1))
    every = net._replace(fixed=SIGNS)  # the paths of missing weights, too
    weights = {name: w.astype(float) for name, w in rs.draw(every, 1.5, 2, rng(2)).items()}

    def losses():  # (N,) mean cross-entropy
        y = rs.answers(every, weights, data)
        return -np.log(np.where(data.sign > 0, y, 1 - y)).mean(0)

    grads = rs.gradient(every, weights, data)
    assert set(grads) == set("afrbvcde")
    for name, grad in grads.items():
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
        rs.adam(weights, scaled, moments, rate, update)
    for k, small in ((0, (0.3, 0.4)), (1, (0.6, 0.8))):
        for name, first in zip(("a", "c"), small):
            second = -0.5 * first if k == 0 else -first
            mean = 0.9 * 0.1 * first + 0.1 * second
            square = 0.999 * 0.001 * first**2 + 0.001 * second**2
            move = first / (abs(first) + 1e-8)
            move += mean / (1 - 0.9**2) / ((square / (1 - 0.999**2)) ** 0.5 + 1e-8)
            assert weights[name].ravel()[k] == pytest.approx(-rate[k] * move)


def test_descent_sees_its_sequences_each_equally_often(monkeypatch):
    seen, real = [], rs.gradient
    monkeypatch.setattr(rs, "gradient", lambda *given: seen.append(given[2]) or real(*given))
    config = replace(Config(), descent_sequences=600, starts=2)
    within, on_side = rs.descend(NETS["a1"], 25, config, np.random.SeedSequence(5), silent)
    assert len(seen) == 30 and within.shape == on_side.shape == (100, 3 * 2)
    assert sum(len(batch.length) for batch in seen) == 600
    shown = [batch.x[:25, s, 0].tobytes() for batch in seen for s in range(20)]
    assert len(set(shown)) == 100 and {shown.count(one) for one in shown} == {6}
    assert shown[:100] != shown[100:200]
    lengths = np.concatenate([batch.length for batch in seen])
    assert lengths.min() == 25 and lengths.max() == 30 and len(set(lengths)) == 6
    assert seen[0].x[1:].std() == pytest.approx(0.2, rel=0.1)


def test_descent_trains_what_a_net_has_at_all_rates_from_its_width(monkeypatch):
    used, real = [], rs.adam

    def spy(weights, grads, moments, rate, update):
        used.append((set(grads), rate.copy(), update, np.abs(weights["f"]).max()))
        real(weights, grads, moments, rate, update)
        assert not weights["d"].any() and (weights["one"] == 1).all()

    monkeypatch.setattr(rs, "adam", spy)
    config = replace(Config(), descent_sequences=200)
    rs.descend(NETS["a2"], 3, config, np.random.SeedSequence(5), silent)
    names, rate, _, width = used[0]
    assert names == set("afrbvce") and [update for _, _, update, _ in used] == list(range(1, 11))
    assert rate == pytest.approx(np.repeat([0.03, 0.1, 0.3], 5)) and 9.5 < width <= 10


def test_descent_is_judged_by_the_training_set_and_learns_a_short_one():
    config = replace(Config(), descent_sequences=2000)
    within, on_side = rs.descend(NETS["a2"], 2, config, np.random.SeedSequence(0), silent)
    assert (on_side >= within).all() and 8 <= within.all(0).sum() < on_side.all(0).sum()


# ---- how run() is wired --------------------------------------------------------------------------
def names_of(data):
    """Returns the set of sequences, by their first inputs."""
    return {data.x[:30, s].astype(np.float32).tobytes() for s in range(len(data.length))}


def test_nothing_is_tested_on_what_it_was_accepted_for(monkeypatch):
    trained, tested, again, real_right = [], [], [], rs.right

    def spy_search(net, data, config, generator, report):
        trained.append(data)
        report("7 guesses")
        return 7 + len(trained), 50, memory(name)

    def spy_right(net, weights, data, tolerance):
        tested.append(data)
        return real_right(net, weights, data, tolerance)

    def spy_screen(net, weights, data, tolerance):
        again.append(data)
        assert weights["e"].dtype == weights["a"].dtype == data.x.dtype == np.float64
        return np.ones(1, bool), np.zeros(1)

    monkeypatch.setattr(rs, "search", spy_search)
    monkeypatch.setattr(rs, "right", spy_right)
    monkeypatch.setattr(rs, "screen", spy_screen)
    for name in NETS:  # spy_search reads it, too
        net = NETS[name]
        trained.clear(), tested.clear(), again.clear()
        row = rs.guess_row(net, 3, CONFIG, np.random.SeedSequence(1), silent)
        trials, shown, fresh_right, agree = row
        assert trials.tolist() == [8, 9, 10] and shown.tolist() == [50] * 3
        assert fresh_right.all() and fresh_right.shape == (100, 3) and agree.shape == (3,)
        sets = [names_of(data) for data in trained + tested]
        assert len(sets) == 6 and len(set.union(*sets)) == sum(map(len, sets)) == 600
        for data, same in zip(trained, again):
            assert names_of(data) == names_of(same)
        for data in trained + tested:
            assert data.length.min() >= 50 and data.length.max() <= 60 and data.sign.mean() == 0
            assert data.x[1:].std() == pytest.approx(0.2, rel=0.05)


def test_a_search_keeps_its_training_set(monkeypatch):
    seen, real = [], rs.screen
    spy = lambda n, w, data, tolerance: seen.append(data.x.copy()) or real(n, w, data, tolerance)  # noqa: E731
    monkeypatch.setattr(rs, "screen", spy)
    config = replace(CONFIG, block=100, max_guesses=500, prior=0.1)
    rs.search(NETS["a1"], rs.sequences(100, 50, 60, 0.2, rng()), config, rng(), str)
    assert len(seen) == 5 and all((x == seen[0]).all() for x in seen)


def test_no_two_random_streams_start_alike(monkeypatch):
    states, real = [], np.random.default_rng
    spy = lambda seed: states.append(tuple(seed.generate_state(4))) or real(seed)  # noqa: E731
    monkeypatch.setattr(np.random, "default_rng", spy)
    tiny = {"max_guesses": 32, "block": 32, "starts": 1, "descent_sequences": 100}
    config = replace(CONFIG, searches=1, latch_searches=1, descent_length=5, **tiny)
    rs.run(config, 3, silent)
    assert len(states) == len(set(states)) == 3 * len(NETS) + 3
    rs.run(config, 4, silent)
    small = replace(study.Config(), **study.QUICK | tiny)
    study.run(replace(small, guesses=5, rare_guesses=5), 3, silent)
    assert len(states) == len(set(states))


def test_draws_and_descents_get_what_the_settings_say(monkeypatch):
    calls, counts = [], []

    def descend(net, least, config, seed, progress):
        calls.append((net, least, config))
        return np.zeros((100, 15), bool), np.zeros((100, 15), bool)

    def guess_row(net, count, config, seed, progress):
        counts.append((net, count, config))
        return np.ones(count), np.ones(count), np.ones((100, count), bool), np.ones(count, bool)

    monkeypatch.setattr(rs, "descend", descend)
    monkeypatch.setattr(rs, "guess_row", guess_row)
    config = Config()
    rs.run(config, 0, silent)
    assert calls == [(NETS["a1"], 100, config)]
    wanted = [("a2", 10), ("a1", 10), ("latch2", 10), ("latch1", 40)]
    assert counts == [(NETS[name], count, config) for name, count in wanted]
    assert (config.descent_sequences, config.starts, rs.BATCH) == (20_000, 5, 20)
    assert rs.RATES == (0.03, 0.1, 0.3) and (rs.INIT, rs.CLIP) == (10.0, 1.0)
    assert (config.shortest, config.longest, config.noise, config.prior) == (500, 600, 0.2, 100.0)


def test_metrics_say_what_happened(monkeypatch):
    flags = lambda *values: np.array(values, bool)  # noqa: E731
    rows = {  # trials, sequences shown, right on fresh ones, right in 64 bits
        "a2": ([10, 500], [20, 40], flags([1, 0], [1, 1]), flags(1, 1)),
        "a1": ([4000, 2000], [7, 9], flags([1, 1], [1, 1]), flags(1, 0)),
        "latch2": ([1, 3], [1, 1], np.zeros((2, 0), bool), flags()),
        "latch1": ([7, 8], [2, 3], flags([0], [1]), flags(1)),
    }
    rows = {name: (np.array(row[0]), np.array(row[1]), *row[2:]) for name, row in rows.items()}
    within = flags([1, 0, 0, 0], [1, 1, 0, 0])  # two sequences, four nets
    on_side = flags([1, 0, 1, 0], [1, 1, 0, 0])
    kinds = {net.paper: name for name, net in NETS.items()}
    monkeypatch.setattr(rs, "guess_row", lambda net, *given: rows[kinds[net.paper]])
    monkeypatch.setattr(rs, "descend", lambda *given: (within, on_side))
    clock = iter([100.0, 102.0])
    monkeypatch.setattr(rs, "process_time", lambda: next(clock))
    out = rs.run(CONFIG, 0, silent)
    assert out["a2"] == {"mean_trials": 255.0, "right": 0.75, "sequences_shown": 30.0}
    assert out["a1"] == {"mean_trials": 3000.0, "right": 1.0, "sequences_shown": 8.0}
    assert out["latch2"] == {"mean_trials": 2.0, "right": None, "sequences_shown": 1.0}
    assert out["latch1"] == {"mean_trials": 7.5, "right": 0.5, "sequences_shown": 2.5}
    assert out["guessing"] == {"trials_per_second": 6529 / 2}
    assert (out["all_right"], out["float64_agree"]) == (0.75, 0.8)
    assert out["descent"] == {"solved": 0.25, "best_share": 1.0}
    assert out["curve"]["x"][:3] == [0, 100, 200] and len(out["curve"]["x"]) == 101
    assert out["curve"]["y"][:2] == [0.0, 0.5] and out["curve"]["y"][4:6] == [0.5, 1.0]


@pytest.mark.parametrize(
    "bad, flag",
    [
        ({"shortest": 601}, "--shortest"),
        ({"training": 50}, "--training"),
        ({"descent_sequences": 150}, "--descent-sequences"),
    ],
)
def test_settings_that_do_not_fit_are_refused(bad, flag):
    with pytest.raises(ValueError, match=flag):
        replace(Config(), **bad)


# ---- the study -----------------------------------------------------------------------------------
def test_descents_of_the_study_have_the_same_budget(monkeypatch):
    calls = []

    def descend(net, least, config, seed, progress):
        calls.append((net, least, config))
        return np.arange(15)[None] < len(calls), None  # the k-th call solves k starts

    monkeypatch.setattr(study, "descend", descend)
    config = study.Config()
    table = study.descents(config, np.random.SeedSequence(0), silent)["descent"]
    lengths = [5, 20, 50, 100, 500]
    wanted = [(NETS[name], least, config) for name in ("a2", "a1") for least in lengths]
    assert calls == wanted and table["length"] == lengths
    assert (config.descent_sequences, config.starts) == (20_000, 5)
    assert table["a2"] == pytest.approx(np.arange(1, 6) / 15)
    assert table["a1"] == pytest.approx(np.arange(6, 11) / 15)
    assert table["solved_500"] == pytest.approx(15 / 30)


def test_counting_takes_new_sequences_for_each_block(monkeypatch):
    seen = []

    def screen(net, weights, data, tolerance):
        seen.append((data, weights))
        return weights["c"][0] > 50, None

    monkeypatch.setattr(study, "screen", screen)
    config = replace(study.Config(), block=64, shortest=50, longest=60)
    out = study.count(NETS["a1"], 150, config, np.random.SeedSequence(0), silent)
    sizes = [weights["c"].size for _, weights in seen]
    assert sizes == [64, 64, 22] and out["trials"] == 150 / out["solutions"]
    assert out["solutions"] == sum((weights["c"] > 50).sum() for _, weights in seen)
    sets = [names_of(data) for data, _ in seen]
    assert len(set.union(*sets)) == 300
    none = study.count(
        NETS["a1"], 10, replace(config, prior=1.0), np.random.SeedSequence(0), silent
    )
    assert none == {"solutions": 0, "trials": None}


def test_variants_of_the_study(monkeypatch):
    calls, config = {}, study.Config()

    def count(net, guesses, given, seed, progress):
        changed = {key: value for key, value in vars(given).items() if value != vars(config)[key]}
        calls[len(calls)] = (net, guesses, changed)
        return len(calls)

    monkeypatch.setattr(study, "count", count)
    table = study.rarity(config, np.random.SeedSequence(0), silent)
    by_name = {name: calls[number - 1] for name, number in table.items()}
    noise = {"noise": pytest.approx(0.2**0.5)}
    assert by_name["variance.a2"] == (NETS["a2"], 200_000, noise)
    assert by_name["variance.latch1"] == (NETS["latch1"], 20_000, noise)
    assert by_name["prior_10.latch2"] == (NETS["latch2"], 20_000, {"prior": 10.0})
    assert by_name["prior_100.a1"] == (NETS["a1"], 20_000, {})
    lengths = {"shortest": 5000, "longest": 6000}
    assert by_name["length_5000.a1"] == (NETS["a1"], 20_000, lengths)
    net, guesses, changed = by_name["itself.a2"]
    assert (guesses, changed, net.hidden, net.fixed) == (20_000, {}, 10, SIGNS)
    assert len(by_name) == 1 + 4 + 6 + 3
