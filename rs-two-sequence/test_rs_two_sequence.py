"""Tests of rs_two_sequence: the nets against a plain reading of the paper, screening, sequences,
statistics, BPTT."""

from dataclasses import replace
from math import exp, tanh

import numpy as np
import pytest

import rs_two_sequence as rs
from rs_two_sequence import (
    NETS,
    QUICK,
    TANH_NET,
    Config,
    Net,
    Sequences,
    as_theta,
    confirmed,
    density,
    density_row,
    descend,
    draw,
    examine,
    final,
    fold,
    geometric_p,
    gradient,
    latch_portrait,
    length,
    main,
    needed,
    present,
    rollout,
    run,
    search,
    sequences,
    study,
    table_row,
    test_all,
    trials_interval,
)

test_all.__test__ = False  # it is not one of these tests
CONFIG = replace(Config(), **QUICK)
SHORT = replace(CONFIG, shortest=8, longest=12, training=20, screen=(1, 1, 2))


def plain(net, w, xs, first=None):
    """One net, one sequence, unit by unit: the output after every step. w: a column of weights;
    first replaces x(1)."""

    def squash(z, with_tanh):
        return tanh(z) if with_tanh else 1 / (1 + exp(-min(max(z, -700), 700)))

    H, w = net.hidden, [float(value) for value in w]
    a, f, r, b, v = (w[k * H : (k + 1) * H] for k in range(5))
    c, d, e, *_ = w[5 * H :]
    h, y, out = [0.0] * H, 0.0, []
    for t, x in enumerate(xs):
        x = first if t == 0 and first is not None else float(x)
        h = [squash(a[j] * x + f[j] * y + r[j] * h[j] + b[j], net.hidden_tanh) for j in range(H)]
        y = squash(sum(v[j] * h[j] for j in range(H)) + c * x + d * y + e, net.output_tanh)
        out.append(y)
    return np.array(out)


def by_hand(net, **values):
    """A column of weights (5 H + 5, 1) from named parts; what is not named is 0."""
    H, w = net.hidden, np.zeros((5 * net.hidden + 5, 1), np.float32)
    for k, name in enumerate("afrbv"):
        w[k * H : (k + 1) * H, 0] = values.get(name, 0)
    w[5 * H :, 0] = [
        values.get(name, default)
        for name, default in zip(("c", "d", "e", "one", "two"), (0, 0, 0, 1, -1))
    ]
    return w


# ---- the task ------------------------------------------------------------------------------------
def test_sequences_are_balanced_sorted_and_noise_but_for_the_first():
    config = replace(Config(), shortest=30, longest=50)
    data = sequences(np.random.default_rng(0), 2000, config)
    assert data.x.shape == (50, 2000) and data.x.dtype == np.float32
    assert (data.sign > 0).sum() == 1000 and (data.x[0] == data.sign).all()
    assert (data.sign[::2] == 1).all() and (data.sign[1::2] == -1).all()
    assert set(data.lengths) == set(range(30, 51))
    assert (np.diff(data.lengths[::2]) >= 0).all() and (np.diff(data.lengths[1::2]) >= 0).all()
    assert data.x[1:].std() == pytest.approx(0.2, rel=0.02) and abs(data.x[1:].mean()) < 0.003
    assert (
        abs(np.corrcoef(data.x[1], data.sign)[0, 1]) < 0.08
    )  # what follows the first says nothing about the class
    other = sequences(np.random.default_rng(1), 2000, config)
    assert (other.x[1:] != data.x[1:]).mean() > 0.99


def test_length_of_a_lag():
    assert length(500) == {"shortest": 500, "longest": 600}


# ---- the nets ------------------------------------------------------------------------------------
def test_what_is_drawn():
    for name, count in (("a1", 7), ("a2", 52), ("latch2", 3), ("latch1", 3)):
        net = NETS[name]
        w = draw(net, 100.0, np.random.default_rng(0), 4000)
        assert w.shape == (5 * net.hidden + 5, 4000) and w.dtype == np.float32
        free = w.std(1) > 0
        assert free.sum() == count
        assert (np.abs(w[free]) <= 100).all() and w[free].min() < -99.5 and w[free].max() > 99.5
        assert w[free].std() == pytest.approx(100 / 3**0.5, rel=0.03) and abs(w[free].mean()) < 3
        if name == "latch1":
            assert (w[0] == 1).all() and (w[2] == 0).all()  # noise comes in as it is; no bias
        else:
            assert (w[-2] == 1).all() and (w[-1] == -1).all()  # the task's own first elements
    a1, a2 = (present(NETS[name]) for name in ("a1", "a2"))
    assert a1.tolist() == [True] * 5 + [
        True,
        True,
        False,
    ]  # the output of A1 sees itself and has no bias
    assert a2[100:].all() is not True and a2.sum() == 52 and a2[-3:].tolist() == [True, False, True]
    assert present(TANH_NET).sum() == 100 + 10 + 10 + 10 + 2


def test_draws_do_not_depend_on_the_block():
    parts = np.random.default_rng(3), np.random.default_rng(3)
    whole = draw(NETS["a2"], 100.0, parts[0], 7)
    split = np.concatenate([draw(NETS["a2"], 100.0, parts[1], n) for n in (2, 5)], 1)
    assert (whole == split).all()


@pytest.mark.parametrize("name", NETS)
def test_the_fast_machine_is_the_paper_s(name):
    """Folded tanh units in float32 and in lockstep against logistic units one by one, in
    float64."""
    net, rng = NETS[name], np.random.default_rng(5)
    data = sequences(rng, 20, SHORT)
    for prior, tolerance in (
        (2.0, 2e-5),
        (100.0, 0.02),
    ):  # large weights magnify the rounding of float32
        w = draw(net, prior, rng, 30)
        fast = final(net, w, data, np.arange(20))
        few = final(net, w[:, :7], data, np.arange(20))  # the other layout
        assert (np.abs(few - fast[:7]) < tolerance).all()
        slow = np.array(
            [
                [
                    plain(net, w[:, k], data.x[:length, s], w[-2 if data.sign[s] > 0 else -1, k])[
                        -1
                    ]
                    for s, length in enumerate(data.lengths)
                ]
                for k in range(30)
            ]
        )
        slow = slow if net.output_tanh else 2 * slow - 1
        assert np.quantile(np.abs(fast - slow), 0.97) < tolerance
        if prior == 2:
            assert np.abs(fast - slow).max() < tolerance
        x = data.x[:, None].repeat(30, 1).astype(float)
        x[0] = np.where(data.sign > 0, w[-2][:, None], w[-1][:, None])
        y = rollout(net, as_theta(net, w), x)[1][data.lengths, :, np.arange(20)].T
        assert np.abs((y if net.output_tanh else 2 * y - 1) - slow).max() < 1e-9


def test_hidden_units_come_first_and_the_output_sees_their_new_values():
    """The hidden unit is on if the input is; the output copies it: the new value at once, the old
    one too late."""
    net, w = NETS["a1"], by_hand(NETS["a1"], a=80, b=-40, v=80, c=-40)
    data = Sequences(
        np.array([[1, 0], [0, 1]], np.float32), np.array([1, 2]), np.array([1, -1], np.float32)
    )
    w[-1] = 0  # the second sequence starts with 0
    assert final(net, w, data, np.arange(2)) == pytest.approx(np.array([[1.0, 1.0]]), abs=1e-6)
    assert plain(net, w[:, 0], [0, 1])[-1] > 0.99 and plain(net, w[:, 0], [1, 0])[-1] > 0.4


def test_a_latch_built_by_hand_holds_500_steps():
    rng, config = np.random.default_rng(0), Config()
    data = sequences(rng, 100, config)
    built = {
        "latch2": by_hand(
            NETS["latch2"], c=8, d=12
        ),  # tanh(12 y + 8 x): +1 or -1, noise of 1.6 against 12
        "latch1": by_hand(NETS["latch1"], c=1, d=3, one=5, two=-5),
        "a1": by_hand(
            NETS["a1"], a=0, b=40, v=-20, c=21, d=60
        ),  # the output keeps itself, if above 20 / 60
        "a2": by_hand(NETS["a2"], f=60, b=-30, v=8, c=41, e=-40),
    }  # ten copies of the output feed it back
    for name, w in built.items():
        net = NETS[name]
        right, seen = test_all(net, w, data, config)
        assert right.all() and (seen == 100).all(), name
        assert confirmed(net, w, data, config)
        share, error = examine(net, w, config, rng)
        assert share >= 0.995 and error < 5e-3
    flipped = by_hand(NETS["latch2"], c=-8, d=12)  # the answers of the other class
    right, seen = test_all(NETS["latch2"], flipped, data, config)
    assert not right.any() and (seen == 1).all()
    assert not confirmed(NETS["latch2"], flipped, data, config)
    assert examine(NETS["latch2"], flipped, config, rng) == (0.0, pytest.approx(2.0, abs=1e-3))


def test_the_criterion():
    assert needed(NETS["a1"], CONFIG) == pytest.approx(0.8)  # |y - 1| < 0.1, and y = (1 + u) / 2
    assert needed(NETS["latch2"], CONFIG) == pytest.approx(0.9)
    assert needed(NETS["latch1"], CONFIG) == 0.8
    data = Sequences(
        np.array([[1, -1]] * 2, np.float32), np.array([2, 2]), np.array([1, -1], np.float32)
    )
    config = replace(CONFIG, training=2, screen=(1,))
    for drive, good in ((2.18, False), (2.22, True)):  # the logistic function passes 0.9 at 2.197
        assert test_all(NETS["a1"], by_hand(NETS["a1"], c=drive), data, config)[0].all() == good
    for drive, good in ((1.46, False), (1.48, True)):  # tanh passes 0.9 at 1.472
        assert (
            test_all(NETS["latch2"], by_hand(NETS["latch2"], c=drive), data, config)[0].all()
            == good
        )


def test_answers_are_read_at_the_last_step_of_each_sequence():
    x = np.zeros((6, 4), np.float32)
    x[2, 0], x[3, 1], x[5, 3] = 5, 5, 5
    data = Sequences(x, np.array([3, 3, 6, 6]), np.array([1, 1, -1, -1], np.float32))
    out = final(NETS["latch2"], by_hand(NETS["latch2"], c=1), data, np.arange(4))[0]
    assert out == pytest.approx([tanh(5), 0, 0, tanh(5)], abs=1e-6)
    picked = final(NETS["latch2"], by_hand(NETS["latch2"], c=1), data, np.array([3, 0]))[0]
    assert picked == pytest.approx([tanh(5), tanh(5)], abs=1e-6)


# ---- guessing ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NETS)
def test_screening_gives_the_verdicts_of_testing_all_on_all(name):
    net, config = NETS[name], replace(SHORT, block=64)
    data = sequences(np.random.default_rng(1), config.training, config)
    w = draw(net, 100.0, np.random.default_rng(2), 6000)
    right, seen = test_all(net, w, data, config)
    answers = final(net, w, data, np.arange(config.training)) * data.sign > needed(net, config)
    assert right.sum() >= 3
    assert (right == answers.all(1)).all()
    mistake = np.where(
        answers.all(1), config.training, answers.argmin(1)
    )  # the first sequence that is wrong
    stages = np.array([1, 2, 4, config.training])
    assert (
        seen
        == np.where(
            answers.all(1),
            config.training,
            stages[np.searchsorted(stages, mistake, "right") - (mistake >= config.training)],
        )
    ).all()


@pytest.mark.parametrize("name", NETS)
def test_a_search_ends_with_the_first_net_that_is_right_whatever_the_block(name):
    net, config = NETS[name], SHORT
    data, blocks = sequences(np.random.default_rng(1), config.training, config), []
    found = [
        search(
            net,
            replace(config, block=block, first_block=first),
            data,
            np.random.default_rng(7),
            lambda w, right: blocks.append((w, right)),
        )
        for block, first in ((8192, 64), (100, 7))
    ]
    assert found[0][:2] == found[1][:2] and (found[0][2] == found[1][2]).all()
    w = draw(net, 100.0, np.random.default_rng(7), found[0][0] + 1)
    right, seen = test_all(net, w, data, config)
    assert right[: found[0][0]].sum() == 1 and right[found[0][0] - 1]
    assert found[0][1] == seen[: found[0][0]].sum()
    assert (found[0][2][:, 0] == w[:, found[0][0] - 1]).all()
    assert sum(right.any() for _, right in blocks) == 2


def test_a_search_gives_up():
    config = replace(SHORT, prior=0.01, max_guesses=150)
    data = sequences(np.random.default_rng(1), config.training, config)
    tried, shown, w = search(NETS["a1"], config, data, np.random.default_rng(0))
    assert tried == 150 and w is None and shown >= 150
    row = table_row(NETS["a1"], "x", config, np.random.default_rng(0))
    assert row["x_solved"] == 0 and row["x_mean_trials"] == 150 and row["x_test_right"] == 0
    assert row["x_test_error"] == 1


def test_density_counts_solutions_of_every_set():
    config = replace(SHORT, sets=3, guesses=700, latch_guesses=300, block=128)
    for name, guesses in (("latch2", 300), ("a1", 700)):
        found, total, w = density(NETS[name], config, np.random.default_rng(4))
        assert total == 3 * guesses and found.shape == (3,) and w.shape[1] == found.sum()
        rng = np.random.default_rng(4)
        for count in found:
            data = sequences(rng, config.training, config)
            assert (
                test_all(NETS[name], draw(NETS[name], 100.0, rng, guesses), data, config)[0].sum()
                == count
            )
    row, w = density_row(NETS["latch2"], "x", config, np.random.default_rng(4))
    assert (
        row["x_trials"] == pytest.approx(900 / row["x_solutions"])
        and w.shape[1] == row["x_solutions"]
    )
    assert row["x_over_paper"] == pytest.approx(row["x_trials"] / 22)
    assert row["x_factor"] == pytest.approx(max(row["x_over_paper"], 1 / row["x_over_paper"]))
    assert row["x_trials_low"] < row["x_trials"] < row["x_trials_high"]


def test_interval_of_the_mean_trials():
    mean, low, high = trials_interval(100, 10_000)
    assert mean == 100 and (low, high) == (
        pytest.approx(82.4, abs=0.1),
        pytest.approx(121.5, abs=0.1),
    )  # Wilson
    mean, low, high = trials_interval(0, 1000)
    assert mean is None and high is None and low == pytest.approx(261.3, abs=0.2)


def test_the_law_of_the_trials_is_told_from_others():
    rng = np.random.default_rng(0)
    ps = [geometric_p(rng.geometric(0.02, 100), np.random.default_rng(k), 200) for k in range(20)]
    assert np.mean(np.array(ps) < 0.2) < 0.5 and np.mean(ps) == pytest.approx(0.5, abs=0.2)
    assert geometric_p(rng.integers(1, 100, 300), rng, 200) < 0.02
    assert geometric_p(np.round(rng.lognormal(4, 2, 300)) + 1, rng, 200) < 0.02


def test_portrait_of_a_latch():
    w = np.array(
        [[8.0, 8, 8, 4], [12, 0.9, -12, 2], [0, 0, 0, 0.3]]
    )  # one that holds, one that leaks, one that flips
    points, margins = latch_portrait(w, 0.2)
    assert points[:, 0] == pytest.approx([-1, 0, 1], abs=1e-6)
    assert np.isnan(points[:, 1:3]).all()
    for y in points[:, 3]:
        assert tanh(2 * y + 0.3) == pytest.approx(y, abs=1e-6)
    assert margins[:, 0] == pytest.approx([12 / 1.6] * 2, abs=1e-4)
    low, middle, high = points[:, 3]
    for y, margin, way in (
        (low, margins[0, 3], 1),
        (high, margins[1, 3], -1),
    ):  # so much just carries it
        after = tanh(2 * y + 0.3 + way * 4 * margin * 0.2)
        assert after == pytest.approx(middle, abs=1e-4)


# ---- gradient descent ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "net",
    [
        NETS["a1"],
        NETS["a2"],
        TANH_NET,
        Net(3, "afrbvcde", full=True),
        Net(3, "afrbvcde", hidden_tanh=True, full=True),
    ],
)
def test_the_gradient_is_that_of_central_differences(net):
    rng = np.random.default_rng(0)
    K, T, N = 2, 7, 3
    theta = rng.normal(0, 0.8, (K, len(present(net)))) * present(net)
    x, target = rng.normal(0, 1, (T, K, N)), rng.integers(0, 2, (K, N))
    end, nets, columns = rng.integers(3, T, (K, N)), np.arange(K)[:, None], np.arange(N)

    def loss(theta):
        p = rollout(net, theta, x)[1][end + 1, nets, columns]
        return -(np.where(target > 0, np.log(p), np.log(1 - p))).sum(1)  # (K,)

    h, y = rollout(net, theta, x)
    d_end = np.zeros((T, K, N))
    d_end[end, nets, columns] = y[end + 1, nets, columns] - target
    ours = gradient(net, theta, x, h, y, d_end)
    assert (ours[:, ~present(net)] == 0).all()
    for p in np.flatnonzero(present(net)):
        for step in (1e-5,):
            up, down = theta.copy(), theta.copy()
            up[:, p] += step
            down[:, p] -= step
            numeric = (loss(up) - loss(down)) / (2 * step)
            assert (
                np.abs(ours[:, p] - numeric) <= 1e-6 * np.maximum(1e-2, np.abs(numeric))
            ).all(), p


def test_gradient_descent_learns_a_short_lag():
    config = replace(Config(), shortest=2, longest=4, starts=2, check_every=10)
    solved, share = descend(TANH_NET, config, 12_000, 0)
    assert solved.shape == share.shape == (6, 2)
    assert (solved > 0).sum() >= 5 and share[solved > 0].min() == 1
    assert set(solved[solved > 0] % (config.check_every * config.batch)) == {0}
    again = descend(TANH_NET, config, 400, 1)[1]
    assert (again == descend(TANH_NET, config, 400, 1)[1]).all()


def test_gradient_descent_changes_only_what_the_net_has(monkeypatch):
    seen = []
    monkeypatch.setattr(
        rs, "rollout", lambda net, theta, x: seen.append(theta.copy()) or rollout(net, theta, x)
    )
    descend(NETS["a2"], replace(SHORT, starts=1, batch=4, clip=1e-3), 40, 0)
    assert (seen[-1][:, ~present(NETS["a2"])] == 0).all()
    assert (seen[0][:, present(NETS["a2"])] != seen[-1][:, present(NETS["a2"])]).any(0).all()
    assert np.abs(seen[0]).max() <= SHORT.init
    step = np.abs(seen[1] - seen[0]).max(1)
    assert step[:3] == pytest.approx(
        [0.001, 0.01, 0.1], rel=1e-2
    )  # Adam's first step is its step size
    move = np.linalg.norm(seen[1] - seen[0], axis=1)[3:]
    assert move == pytest.approx(
        np.array([0.01, 0.1, 1.0]) * 1e-3, rel=1e-3
    )  # the gradient is cut to clip


def test_divergence_is_told():
    config = replace(SHORT, starts=1, batch=4, adam=(0.001,), sgd=(100.0,), clip=1e6)
    bad = replace(config, init=100.0)
    with pytest.raises(FloatingPointError, match="after 1 step"):
        original = rs.gradient
        try:
            rs.gradient = lambda *arguments: original(*arguments) * np.nan
            descend(NETS["a1"], bad, 8, 0)
        finally:
            rs.gradient = original


# ---- the experiment ------------------------------------------------------------------------------
def test_run_and_study_return_plain_numbers():
    one, two = run(CONFIG, 0), run(CONFIG, 0)
    timing = {key for key in one if key.endswith("_per_second")}
    assert timing and {k: v for k, v in one.items() if k not in timing} == {
        k: two[k] for k in one if k not in timing
    }
    assert all(isinstance(value, int | float) for value in one.values())
    assert one["least_solved"] == 2 and one["descent_nets"] == 6
    assert all(one[f"{name}_float64_agree"] == 2 for name in NETS)
    assert one["worst_test_error"] == max(one[f"{name}_test_error"] for name in NETS)
    tiny = replace(
        CONFIG,
        guesses=1000,
        study_searches=3,
        priors=(100.0,),
        noises=(0.1,),
        lags=(20,),
        descent_lags=(10, 12),
    )
    out = study(tiny, 0)
    assert out["descent_longest_lag"] == 12 and out["descent_nets"] == 18
    assert len(out["a1_search_trials"]) == 3
    assert {
        "a1_prior_100_trials",
        "a2_noise_0_1_solutions",
        "a2_lag_20_trials",
        "a2_to_itself_trials",
    } <= set(out)


@pytest.mark.parametrize(
    "flags, named",
    [
        (["--shortest", "700"], "--shortest"),
        (["--training", "101"], "--training"),
        (["--screen", "60", "40"], "--screen"),
        (["--noise", "-1"], "--noise"),
        (["--prior", "0"], "--prior"),
        (["--searches", "many"], "--searches"),
    ],
)
def test_bad_settings(flags, named, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(rs, flags)
    assert stopped.value.code == 2
    assert named in capsys.readouterr().err
    assert fold(NETS["latch2"], np.zeros((5, 1)))[1] == 0.0
