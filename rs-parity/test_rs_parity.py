"""Tests of rs_parity: the nets against a plain reading of the paper, screening, sequences, tables, statistics, BPTT."""
from dataclasses import replace
from math import exp, tanh

import numpy as np
import pytest

import rs_parity as rp
from rs_parity import (CASES, NETS, QUICK, TWO_TANH, XOR, Config, Net, Sequences, confirmed, density,
                       density_row, descend, draw, final, geometric_p, gradient, has, layout, main, rollout, run,
                       search, sequences, shares_right, split, study, surface, table_counts, table_row, tables,
                       test_all, tracks_parity, training_set, trials_interval)

test_all.__test__ = False  # it is not one of these tests
CONFIG = replace(Config(), **QUICK)
SHORT = replace(CONFIG, shortest=8, longest=12, training=20, batch=5, screen=(1, 1, 2))
EVERY = [*NETS.values(), TWO_TANH, Net(3, "afrbvcde", full=True), Net(3, "afrbvcde"),
         Net(3, "afrbvcde", full=True, hidden_tanh=True)]


def plain(net, w, xs):
    """One net, one sequence, unit by unit: the output after every step. w: a column of weights."""
    def squash(z, with_tanh=False):
        return tanh(z) if with_tanh else 1 / (1 + exp(-min(max(z, -700), 700)))
    a, f, r, b, v, c, d, e = (np.asarray(part, float)[..., 0] for part in split(net, w))
    H, h, y, out = range(net.hidden), [0.0] * net.hidden, 0.0, []
    for x in xs:
        own = [sum(h[i] * r[i, j] for i in H) if net.full else r[j] * h[j] for j in H]
        h = [squash(a[j] * x + f[j] * y + own[j] + b[j], net.hidden_tanh) for j in H]
        y = squash(sum(v[j] * h[j] for j in H) + c * x + d * y + e)
        out.append(y)
    return np.array(out)


def by_hand(net, **values):
    """A column of weights (P, 1) from named parts; what is not named is 0."""
    w = np.zeros((len(layout(net)), 1), np.float32)
    for name, value in values.items():
        w[layout(net) == name, 0] = value
    return w


def xor_nets():
    """Nets built by hand that turn their output over with each +1: h = x and y, then y = (x or y) but not h."""
    first = np.eye(10)[0]
    wide = {"a": 40 * first, "f": 80 * first, "b": -100 * first, "v": -100 * first}
    with_or = {key: value + np.eye(10)[1] * extra for (key, value), extra in
               zip(wide.items(), (40, 80, -20, 60), strict=True)}  # a second unit: x or y
    return {"a1": by_hand(NETS["a1"], a=40, f=80, b=-100, v=-100, c=20, d=60),
            "noisy": by_hand(NETS["a1"], a=40, f=80, b=-100, v=-100, c=20, d=60),
            "a2": by_hand(NETS["a2"], **with_or, e=-30), "no_self": by_hand(NETS["no_self"], **with_or, e=-30)}


# ---- the task -------------------------------------------------------------------------------------------------------
def test_sequences_are_fair_balanced_sorted_and_labelled():
    config = replace(Config(), shortest=30, longest=50)
    data = sequences(np.random.default_rng(0), 4000, config)
    assert data.x.shape == (50, 4000) and data.x.dtype == np.float32 and set(np.unique(data.x)) == {-1, 1}
    odd = [(data.x[:length, k] > 0).sum() % 2 == 1 for k, length in enumerate(data.lengths)]
    assert (np.where(odd, 1, -1) == data.sign).all()
    assert (data.sign[::2] == 1).all() and (data.sign[1::2] == -1).all()
    assert set(data.lengths) == set(range(30, 51))
    assert (np.diff(data.lengths[::2]) >= 0).all() and (np.diff(data.lengths[1::2]) >= 0).all()
    last = data.x[data.lengths - 1, np.arange(4000)]
    for part in (data.x[0], data.x[20], last, last[::2]):  # each element is fair, the last one too, in either class
        assert abs(part.mean()) < 4 / np.sqrt(len(part))
    assert abs((data.x[0] * data.sign).mean()) < 0.07 and abs((last * data.sign).mean()) < 0.07
    assert (sequences(np.random.default_rng(1), 4000, config).x != data.x).mean() == pytest.approx(0.5, abs=0.02)


def test_noise_is_uniform_and_leaves_the_label():
    data = sequences(np.random.default_rng(0), 1000, SHORT, 0.2)
    clean = sequences(np.random.default_rng(0), 1000, SHORT)
    noise = data.x - clean.x
    assert np.abs(noise).max() <= 0.2 + 1e-6 and noise.std() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    assert (data.sign == clean.sign).all() and (data.lengths == clean.lengths).all()
    assert (np.abs(training_set(NETS["noisy"], SHORT, np.random.default_rng(0)).x) != 1).any()
    assert (np.abs(training_set(NETS["a1"], SHORT, np.random.default_rng(0)).x) == 1).all()


# ---- the nets -------------------------------------------------------------------------------------------------------
def test_what_is_drawn():
    counts = {"no_self": 42, "a2": 52, "a1": 7, "noisy": 7}
    for name, net in [*NETS.items(), ("two", TWO_TANH)]:
        w = draw(net, 100.0, np.random.default_rng(0), 4000)
        free = w.std(1) > 0
        assert w.dtype == np.float32 and free.sum() == counts.get(name, 2 + 4 + 2 + 2 + 1)
        assert (w[~free] == 0).all() and np.abs(w).max() <= 100 and w.max() > 99.5 and w.min() < -99.5
        assert w[free].std() == pytest.approx(100 / 3**0.5, rel=0.03)
        assert set(layout(net)[free]) == set(net.free)
        assert (has(net) == free).all()


def test_draws_do_not_depend_on_the_block():
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    whole = draw(NETS["a2"], 100.0, one, 7)
    assert (whole == np.concatenate([draw(NETS["a2"], 100.0, two, n) for n in (2, 5)], 1)).all()


@pytest.mark.parametrize("net", EVERY)
def test_the_fast_machine_is_the_paper_s(net):
    """Folded tanh units in float32 and in lockstep against logistic units one by one, in float64."""
    rng = np.random.default_rng(5)
    data = sequences(rng, 20, SHORT, 0.2 * net.noisy)
    for prior, tolerance in ((1.0, 2e-5), (100.0, 0.02)):  # large weights magnify the rounding of float32
        w = draw(net, prior, rng, 30)
        fast, few = final(net, w, data, np.arange(20)), final(net, w[:, :7], data, np.arange(20))  # the other layout
        slow = np.array([[plain(net, w[:, k:k + 1], data.x[:length, s])[-1] for s, length in enumerate(data.lengths)]
                         for k in range(30)]) * 2 - 1
        assert np.quantile(np.abs(fast - slow), 0.95) < tolerance
        if prior == 1:
            assert np.abs(fast - slow).max() < tolerance and np.abs(few - fast[:7]).max() < tolerance
        if not (net.full or net.hidden_tanh):
            y = rollout(net, w.astype(float), data.x[:, None].repeat(30, 1).astype(float))[1].reshape(-1, 30, 20)
            assert np.abs(2 * y[data.lengths, :, np.arange(20)].T - 1 - slow).max() < 1e-7


def test_hidden_units_come_first_and_the_output_sees_their_new_values():
    net, w = NETS["a1"], by_hand(NETS["a1"], a=80, v=80, c=-40)  # h copies x, y copies h
    data = Sequences(np.array([[1, -1], [-1, 1]], np.float32), np.array([2, 2]), np.array([-1, 1], np.float32))
    w[layout(net) == "c"] = 0
    w[layout(net) == "d"] = -40
    # y(2) = s(80 h(2) - 40 y(1)): with the new h it is s(0 - 40) and s(80 - 20); with the old one the other way round
    assert final(net, w, data, np.arange(2)) == pytest.approx(np.array([[-1.0, 1.0]]), abs=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_a_net_built_by_hand_computes_parity(name):
    net, w, rng = NETS[name], xor_nets()[name], np.random.default_rng(0)
    data = training_set(net, Config(), rng)
    right, seen = test_all(net, w, data, Config())
    assert right.all() and (seen == 100).all()
    assert confirmed(net, w, data, Config()) and tracks_parity(net, w, data)
    assert (shares_right(net, w, Config(), rng, 50, 3000) == 1).all()
    assert shares_right(net, w, Config(), rng, 200).shape == (1,)
    turned = w.copy()  # -1 turns it over instead: right if the number of -1 is odd
    turned[np.isin(layout(net), ["a", "c"])] *= -1
    assert not test_all(net, turned, data, Config())[0].any() and not confirmed(net, turned, data, Config())
    assert not tracks_parity(net, turned, data)


def test_the_criterion_is_the_error_at_the_end():
    data = Sequences(np.array([[1, -1]], np.float32), np.array([1, 1]), np.array([1, -1], np.float32))
    config = replace(CONFIG, training=2, batch=2, screen=(1,))
    for drive, good in ((2.18, False), (2.22, True)):  # the logistic function passes 0.9 at 2.197
        assert test_all(NETS["a1"], by_hand(NETS["a1"], c=drive), data, config)[0].all() == good


def test_answers_are_read_at_the_last_step_of_each_sequence():
    x = np.full((6, 4), -1, np.float32)
    x[2, 0], x[3, 1], x[5, 3] = 1, 1, 1
    data = Sequences(x, np.array([3, 3, 6, 6]), np.array([1, -1, -1, 1], np.float32))
    out = final(NETS["a1"], by_hand(NETS["a1"], c=4), data, np.arange(4))[0]
    assert out == pytest.approx([tanh(2), -tanh(2), -tanh(2), tanh(2)], abs=1e-6)
    picked = final(NETS["a1"], by_hand(NETS["a1"], c=4), data, np.array([3, 1]))[0]
    assert picked == pytest.approx([tanh(2), -tanh(2)], abs=1e-6)


# ---- guessing -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NETS)
def test_screening_gives_the_verdicts_of_testing_all_on_all(name):
    net, config = NETS[name], replace(SHORT, block=64, training=10)
    data = training_set(net, config, np.random.default_rng(1))
    w = np.concatenate([draw(net, 100.0, np.random.default_rng(2), 6000), xor_nets()[name]], 1)
    right, seen = test_all(net, w, data, config)
    answers = final(net, w, data, np.arange(10)) * data.sign > 0.8
    assert right[-1]
    assert (right == answers.all(1)).all()
    mistake = np.where(answers.all(1), 9, answers.argmin(1))  # the first sequence that is wrong
    assert (seen == np.array([1, 2, 4, 10])[np.searchsorted([1, 2, 4], mistake, "right")]).all()


@pytest.mark.parametrize("name", NETS)
def test_a_search_ends_with_the_first_net_that_is_right_whatever_the_block(name):
    net, config = NETS[name], replace(SHORT, training=10)
    data = training_set(net, config, np.random.default_rng(1))
    found = [search(net, replace(config, block=block, first_block=first), data, np.random.default_rng(7))
             for block, first in ((8192, 64), (100, 7))]
    assert found[0][:2] == found[1][:2] and (found[0][2] == found[1][2]).all()
    w = draw(net, 100.0, np.random.default_rng(7), found[0][0] + 1)
    right, seen = test_all(net, w, data, config)
    assert right[:found[0][0]].sum() == 1 and right[found[0][0] - 1]
    assert found[0][1] == seen[:found[0][0]].sum() and (found[0][2][:, 0] == w[:, found[0][0] - 1]).all()


def test_a_search_gives_up():
    config = replace(SHORT, prior=0.01, max_guesses=150)
    tried, shown, w = search(NETS["a1"], config, training_set(NETS["a1"], config, np.random.default_rng(1)),
                             np.random.default_rng(0))
    assert tried == 150 and w is None and shown >= 150
    row = table_row(NETS["a1"], "x", config, np.random.default_rng(0))
    assert row["x_solved"] == 0 and row["x_mean_trials"] == 150 and row["x_least_test_right"] == 0


def test_density_finds_the_solutions_of_every_set():
    config = replace(SHORT, sets=3, guesses=700, block=128)
    net = NETS["no_self"]
    found, w = density(net, config, np.random.default_rng(4))
    rng, expected = np.random.default_rng(4), []
    for k in range(3):
        data = training_set(net, config, rng)
        right = test_all(net, draw(net, 100.0, rng, 700), data, config)[0]
        expected += [700 * k + guess + 1 for guess in np.flatnonzero(right)]
    assert found.tolist() == expected and w.shape[1] == len(expected) > 0
    row, again, w = density_row(net, "x", config, np.random.default_rng(4))
    assert row["x_guesses"] == 2100 and row["x_solutions"] == len(expected) == w.shape[1]
    assert row["x_trials"] == pytest.approx(2100 / len(expected)) and (again == found).all()
    assert row["x_trials_low"] < row["x_trials"] < row["x_trials_high"]


def test_interval_of_the_mean_trials():
    mean, low, high = trials_interval(100, 10_000)
    assert mean == 100 and (low, high) == (pytest.approx(82.4, abs=0.1), pytest.approx(121.5, abs=0.1))  # Wilson
    mean, low, high = trials_interval(0, 1000)
    assert mean is None and high is None and low == pytest.approx(261.3, abs=0.2)


def test_the_law_of_the_trials_is_told_from_others():
    rng = np.random.default_rng(0)
    ps = [geometric_p(rng.geometric(0.02, 100), np.random.default_rng(k), 200) for k in range(20)]
    assert np.mean(np.array(ps) < 0.2) < 0.5 and np.mean(ps) == pytest.approx(0.5, abs=0.2)
    assert geometric_p(rng.integers(1, 100, 300), rng, 200) < 0.02
    assert geometric_p(np.round(rng.lognormal(4, 2, 300)) + 1, rng, 200) < 0.02


# ---- what a net does at a step --------------------------------------------------------------------------------------
def test_the_table_of_a_net():
    net, rng = NETS["no_self"], np.random.default_rng(0)
    assert tuple(tables(net, xor_nets()["no_self"])[0]) == XOR
    assert tuple(tables(net, by_hand(net, c=50))[0]) == (0, 0, 1, 1)  # copies the input
    assert tuple(tables(net, by_hand(net, e=50))[0]) == (1, 1, 1, 1)
    copies = by_hand(net, f=80 * np.eye(10)[3], b=-40 * np.eye(10)[3], v=90 * np.eye(10)[3], e=-45)
    assert tuple(tables(net, copies)[0]) == (0, 1, 0, 1)
    w = draw(net, 3.0, rng, 20)
    for k, (x, y) in enumerate(CASES):  # one step from the state y: an input that makes it cannot be had, so by hand
        a, f, _, b, v, c, _, e = (part.astype(float) for part in split(net, w))
        h = 1 / (1 + np.exp(-(a * x + f * y + b)))
        assert surface(net, w, [x], [y])[0] == pytest.approx(1 / (1 + np.exp(-((v * h).sum(0) + c * x + e))))
        assert (tables(net, w)[:, k] == (surface(net, w, [x], [y])[0] > 0.5)).all()


def test_shares_of_the_tables(monkeypatch):
    config = replace(CONFIG, tables=5)
    rows = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 0, 1]])
    monkeypatch.setattr(rp, "tables", lambda net, w: rows)
    out = table_counts(config, np.random.default_rng(0))
    assert out == {"xor_share": 0.2, "constant_share": 0.4, "copies_output_share": 0.2, "copies_input_share": 0.0,
                   "xor_or_xnor_share": 0.4, "xor_trials": 5.0}


# ---- gradient descent -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("net", [*NETS.values(), Net(3, "afrbvcde")])
def test_the_gradient_is_that_of_central_differences(net):
    rng = np.random.default_rng(0)
    K, T, N = 2, 7, 3
    weights = rng.normal(0, 0.8, (len(has(net)), K)) * has(net)[:, None]
    x, target = rng.normal(0, 1, (T, K, N)), rng.integers(0, 2, (K, N))
    end, nets, columns = rng.integers(3, T, (K, N)), np.arange(K)[:, None], np.arange(N)

    def loss(weights):
        p = rollout(net, weights, x)[1].reshape(T + 1, K, N)[end + 1, nets, columns]
        return -(np.where(target > 0, np.log(p), np.log(1 - p))).sum(1)  # (K,)

    h, y = rollout(net, weights, x)
    d_end = np.zeros((T, K, N))
    d_end[end, nets, columns] = y.reshape(T + 1, K, N)[end + 1, nets, columns] - target
    ours = gradient(net, weights, x, h, y, d_end)
    assert (ours[~has(net)] == 0).all()
    for p in np.flatnonzero(has(net)):
        up, down = weights.copy(), weights.copy()
        up[p] += 1e-5
        down[p] -= 1e-5
        numeric = (loss(up) - loss(down)) / 2e-5
        assert (np.abs(ours[p] - numeric) <= 1e-6 * np.maximum(1e-2, np.abs(numeric))).all(), p
    spare = np.full_like(h, 7.0), np.full_like(y, 7.0)  # arrays that were used before
    again = rollout(net, weights, x, spare)
    assert (again[0] == h).all() and (again[1] == y).all() and again[0] is spare[0]


def test_gradient_descent_learns_two_bits():
    config = replace(Config(), shortest=1, longest=2, starts=3, training=20, screen=(1,), batch=10)
    solved, share, fresh = descend(NETS["a2"], config, 8000, 0)
    assert solved.shape == share.shape == fresh.shape == (2, 3, 3)
    assert (solved > 0).sum() >= 6 and share[solved > 0].min() == 1 and fresh[solved > 0].min() > 0.9
    assert set(solved[solved > 0] % (config.check_every * config.batch)) == {0}
    assert (descend(NETS["a2"], config, 100, 1)[1] == descend(NETS["a2"], config, 100, 1)[1]).all()


def test_gradient_descent_changes_only_what_the_net_has(monkeypatch):
    seen, net = [], NETS["a2"]
    monkeypatch.setattr(rp, "rollout", lambda net, w, *rest: seen.append(w.copy()) or rollout(net, w, *rest))
    descend(net, replace(SHORT, starts=2, batch=4), 40, 0)
    assert (seen[-1][~has(net)] == 0).all() and (seen[0] != seen[-1])[has(net)].any(1).all()
    first = np.abs(seen[0]).max(0).reshape(2, 3, 2)
    assert first[0].max() <= 0.1 < first[1].min() and first.max() <= 1
    step = np.abs(seen[1] - seen[0]).max(0).reshape(2, 3, 2)
    assert step == pytest.approx(np.broadcast_to(np.array([0.001, 0.01, 0.1])[:, None], (2, 3, 2)), rel=2e-2)


def test_each_net_is_trained_and_tested_on_its_own_set(monkeypatch):
    made, tested = [], []
    monkeypatch.setattr(rp, "sequences", lambda *rest: made.append(sequences(*rest)) or made[-1])
    monkeypatch.setattr(rp, "final", lambda net, w, data, which: tested.append((w.shape[1], data)) or final(
        net, w, data, which))
    seen = []
    monkeypatch.setattr(rp, "rollout", lambda net, w, x, *rest: seen.append(x.copy()) or rollout(net, w, x, *rest))
    config = replace(SHORT, starts=3, batch=20)
    descend(NETS["a1"], config, 20, 0)
    assert len(made) == 6 and [data for _, data in tested] == made and {n for n, _ in tested} == {6}
    for k in range(18):  # one step with all sequences, in some order
        assert (np.sort(seen[0][:, k], 1) == np.sort(made[k % 3].x, 1)).all()
    del made[:]
    monkeypatch.setattr(rp, "final", lambda net, w, data, which: np.tile(  # as if all were right on the first set only
        data.sign * (1 if data is made[0] else -1), (w.shape[1], 1)))
    solved, share, _ = descend(NETS["a1"], config, 20, 0)
    assert (share[..., 0] == 1).all() and (share[..., 1:] == 0).all() and (solved[..., 0] == 20).all()


def test_a_gradient_is_cut_to_its_largest_norm(monkeypatch):
    """Adam forgets the scale of all gradients, but not that of one among others: a cut first gradient weighs less."""
    seen = []
    big = [1e6, 1.0]
    monkeypatch.setattr(rp, "gradient", lambda net, w, *rest: np.full_like(w, big[min(len(seen) - 1, 1)]))
    monkeypatch.setattr(rp, "rollout", lambda net, w, *rest: seen.append(w.copy()) or rollout(net, w, *rest))
    config = replace(SHORT, starts=1, batch=4, rates=(0.01,), inits=(0.1,), check_every=100)
    descend(NETS["a1"], config, 12, 0)
    moves = -np.diff(np.array(seen[:3])[:, 0, 0])
    assert moves == pytest.approx([0.01, 0.01], rel=1e-2)  # two equal gradients of norm 1: two full steps


def test_divergence_is_told(monkeypatch):
    monkeypatch.setattr(rp, "gradient", lambda net, w, *rest: w * np.nan)
    with pytest.raises(FloatingPointError, match="after 1 steps"):
        descend(NETS["a1"], replace(SHORT, starts=1, batch=4), 8, 0)


# ---- the experiment -------------------------------------------------------------------------------------------------
def test_run_and_study_return_plain_numbers():
    one, two = run(CONFIG, 0), run(CONFIG, 0)
    timing = {key for key in one if key.endswith("_per_second")}
    assert timing and {k: v for k, v in one.items() if k not in timing} == {k: two[k] for k in one if k not in timing}
    assert all(isinstance(value, int | float) for value in one.values())
    assert one["descent_nets"] == 6
    assert all(one[f"{name}_float64_agree"] == one[f"{name}_solved"] for name in NETS)
    for what in ("least_test_right", "least_long_right", "tracks_parity"):
        assert one[f"clean_{what}"] == min(one[f"{name}_{what}"] for name in ("no_self", "a2", "a1"))
    tiny = replace(CONFIG, guesses=2000, priors=(100.0,), lengths=(5, 25), starts=1, study_presentations=40)
    out = study(tiny, 0)
    assert out["descent_nets"] == 18 and out["descent_beyond_20_solved"] == out["descent_25_solved"]
    assert len(out["no_self_waits"]) == out["no_self_solutions"] > 5
    assert sum(out["no_self_waits"]) <= out["no_self_guesses"] == 4000
    assert out["noisy_guesses"] == 4000 and out["no_self_geometric_p"] > 0.001
    assert {"no_self_prior_100_trials", "two_tanh_solutions", "noisy_200_steps_right"} <= set(out)
    ratio = out["no_self_trials"] / 250
    assert out["no_self_factor"] == pytest.approx(max(ratio, 1 / ratio))


@pytest.mark.parametrize("flags, named", [
    (["--shortest", "700"], "--shortest"), (["--training", "101"], "--training"), (["--batch", "101"], "--batch"),
    (["--screen", "60", "40"], "--screen"), (["--noise", "-1"], "--noise"), (["--prior", "0"], "--prior"),
    (["--searches", "many"], "--searches")])
def test_bad_settings(flags, named, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(flags)
    assert stopped.value.code == 2
    assert named in capsys.readouterr().err
