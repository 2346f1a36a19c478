"""Tests of linear_transformers_fwp: slow memories written pair by pair, gradients, the tasks,
training, bookkeeping."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linear_transformers_fwp as lt
from linear_transformers_fwp import (
    QUICK,
    SIMILAR,
    STREAM,
    Config,
    Method,
    ablations,
    attend,
    attention,
    capacity,
    chunked,
    costs,
    counting,
    evaluate,
    feature_map,
    features,
    identity_gap,
    initial,
    least_squares_limit,
    loss_and_gradient,
    program,
    run,
    sequences,
    similar_answer,
    similar_episodes,
    similar_keys,
    stream_loss,
    stream_scores,
    stream_weights,
    streams,
    study,
    sum_normalised,
    train,
    train_similar,
    train_stream,
    unseen,
)

SUM = [Method(phi) for phi in ("elu", "dpfp1", "dpfp2", "dpfp3", "favor5", "softmax")]
DELTA = [
    Method("dpfp1", "delta"),
    Method("dpfp2", "delta"),
    Method("elu", "delta"),
    Method("dpfp1", "delta", beta=1.0),
    Method("elu", "delta", beta=0.5),
    Method("dpfp1", "delta", normalised=False),
    Method("tanh", "delta", normalised=False),
    Method("identity", "delta", normalised=False),
    Method("elu", "delta", attention_normaliser=True),
    Method("dpfp3", "delta", attention_normaliser=True),
]
TINY = Config(
    **(QUICK | {"unique_keys": (4, 24), "changing_keys": (5,), "steps_1": 25, "steps_2": 25})
)


def case(method, seed=0, keys=5, d=4, copies=2, count=6, setting=2):
    """Random slow weights in 64 bits and a few sequences."""
    rng = np.random.default_rng(seed)
    weights = [
        w + 0.2 * rng.standard_normal(w.shape) for w in initial(rng, keys, d, copies, np.float64)
    ]
    if method.phi != "tanh" and not method.normalised:
        weights[0] = (
            0.4 * weights[0]
        )  # writes along keys that are too long would explode before they can be checked
    directions = rng.standard_normal((5, d)) if method.phi.startswith("favor") else None
    return weights, sequences(Config(), rng, setting, keys, count), directions


# ---- the oracle: one sequence, one pair, one feature at a time -----------------------------------
def slow_phi(name, x, directions):
    x = [float(value) for value in x]
    if name == "identity":
        return x
    if name == "tanh":
        return [math.tanh(value) / math.sqrt(len(x)) for value in x]
    if name == "elu":
        return [value + 1 if value > 0 else math.exp(value) for value in x]
    if name.startswith("dpfp"):
        r = [max(value, 0.0) for value in x] + [max(-value, 0.0) for value in x]
        return [
            r[i] * r[(i + j) % len(r)] for j in range(1, int(name[4:]) + 1) for i in range(len(r))
        ]
    x = [value / len(x) ** 0.25 for value in x]
    half = sum(value * value for value in x) / 2
    dots = [sum(a * b for a, b in zip(row, x, strict=True)) for row in directions]
    return [
        math.exp(sign * dot - half) / math.sqrt(2 * len(dots)) for sign in (1, -1) for dot in dots
    ]


def slow_answer(method, weights, keys, values, query, directions):
    """The memory matrix, written pair by pair, then asked; softmax as attention over the pairs."""
    E, Wk, Wq, wb = weights
    k, q = [E[key] @ Wk for key in keys], E[query] @ Wq
    size = len(E)
    if method.phi == "softmax":
        scores = [math.exp(float(key @ q) / math.sqrt(len(q))) for key in k]
        return [
            sum(s for s, v in zip(scores, values, strict=True) if v == n) / sum(scores)
            for n in range(size)
        ]
    pk, pq = (
        [np.array(slow_phi(method.phi, key, directions)) for key in k],
        slow_phi(method.phi, q, directions),
    )
    pq = np.array(pq)
    if method.rule == "delta" and method.normalised:
        pk, pq = [p / p.sum() for p in pk], pq / pq.sum()
    W, z = np.zeros((size, len(pq))), np.zeros(len(pq))
    for p, key, value in zip(pk, keys, values, strict=True):
        beta = (
            1 / (1 + math.exp(-(E[key] @ wb[:-1] + wb[-1]))) if method.beta is None else method.beta
        )
        for n in range(size):
            wanted = float(n == value)
            W[n] += wanted * p if method.rule == "sum" else beta * (wanted - W[n] @ p) * p
        z += p
    scale = max(z @ pq, 1e-20) if method.rule == "sum" or method.attention_normaliser else 1.0
    return W @ pq / scale


@pytest.mark.parametrize("method", SUM + DELTA, ids=str)
@pytest.mark.parametrize("setting", [1, 2])
def test_the_answers_are_those_of_a_memory_written_pair_by_pair(method, setting):
    weights, data, directions = case(method, seed=setting, setting=setting)
    loss, hits, gradient = loss_and_gradient(method, weights, data, directions, backward=False)
    assert gradient is None and loss.shape == hits.shape == (2, 6)
    for v in range(2):
        for b, (keys, values, query, right) in enumerate(zip(*data, strict=True)):
            y = np.array(
                slow_answer(method, [w[v] for w in weights], keys, values, query, directions)
            )
            assert hits[v, b] == (y.argmax() == right)
            y[right] -= 1
            assert loss[v, b] == pytest.approx(y @ y, rel=1e-9, abs=1e-12)


# ---- gradients -----------------------------------------------------------------------------------
@pytest.mark.parametrize("method", SUM + DELTA, ids=str)
def test_the_gradient_agrees_with_central_differences(method):
    weights, data, directions = case(method, seed=3)
    _, _, gradient = loss_and_gradient(method, weights, data, directions)

    def total():
        return loss_and_gradient(method, weights, data, directions, backward=False)[0].mean(1).sum()

    for w, g in zip(weights, gradient, strict=True):
        assert w.shape == g.shape
        for i in np.ndindex(w.shape):
            keep = w[i]
            w[i] = keep + 1e-6
            up = total()
            w[i] = keep - 1e-6
            down = total()
            w[i] = keep
            assert abs((up - down) / 2e-6 - g[i]) <= 1e-7 * max(1.0, abs(g[i]))
    learned = method.rule == "delta" and method.beta is None
    assert (np.abs(gradient[3]).max() > 1e-6) == learned  # only a learned strength has a gradient
    assert all(np.abs(g).max() > 1e-6 for g in gradient[:3])


@pytest.mark.parametrize("name", ["identity", "tanh", "elu", "dpfp1", "dpfp2", "dpfp3", "favor5"])
def test_feature_maps_and_their_backward_passes(name):
    rng = np.random.default_rng(1)
    x, directions = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    phi, back = feature_map(name, x, directions)
    slow = np.array([slow_phi(name, row, directions) for row in x])
    np.testing.assert_allclose(
        phi * (slow.max() / phi.max()), slow, rtol=1e-12
    )  # FAVOR+ leaves one factor open
    if not name.startswith("favor"):
        np.testing.assert_allclose(phi, slow, rtol=1e-12)
    g = rng.standard_normal(phi.shape)
    # the factor that FAVOR+ takes out counts as constant
    fixed = phi.max() / slow.max()
    numeric = np.empty_like(x)
    for i in np.ndindex(x.shape):
        near = [x.copy(), x.copy()]
        near[0][i] += 1e-6
        near[1][i] -= 1e-6
        up, down = (
            fixed * np.array([slow_phi(name, row, directions) for row in part]) for part in near
        )
        numeric[i] = (g * (up - down)).sum() / 2e-6
    np.testing.assert_allclose(back(g), numeric, rtol=1e-6, atol=1e-7)


def test_sum_normalised_sums_to_one_and_forgives_nothing_at_all():
    p, back = sum_normalised(np.array([[1.0, 3.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(p, [[0.25, 0.75], [0.0, 0.0]])
    np.testing.assert_allclose(back(np.array([[1.0, 0.0], [0.0, 0.0]]))[0], [3 / 16, -1 / 16])


def test_favor_features_estimate_the_softmax_kernel():
    rng = np.random.default_rng(0)
    q, k = 0.5 * rng.standard_normal((2, 4, 8))
    directions = rng.standard_normal((200_000, 8))
    estimate = feature_map("favor", q, directions)[0] @ feature_map("favor", k, directions)[0].T
    exact = np.exp(q @ k.T / np.sqrt(8))
    np.testing.assert_allclose(estimate / estimate[0, 0], exact / exact[0, 0], rtol=0.05)


# ---- the identity --------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 30),
    chunk=st.integers(1, 31),
    phi=st.sampled_from(["identity", "elu", "dpfp1", "dpfp2"]),
    delta=st.booleans(),
    normaliser=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_fast_weights_attention_and_chunks_agree(length, chunk, phi, delta, normaliser, seed):
    rng = np.random.default_rng(seed)
    k, q, v = rng.standard_normal((3, length, 6))
    k, q = feature_map(phi, k)[0], feature_map(phi, q)[0]
    normaliser = normaliser and phi != "identity"
    k = k / np.maximum(np.linalg.norm(k, axis=1, keepdims=True), 1e-9) if delta else k
    beta = rng.random(length) if delta else None
    expected = np.zeros((length, 6))
    W, z = np.zeros((6, k.shape[1])), np.zeros(k.shape[1])
    for t in range(length):  # the definition
        for i in range(6):
            W[i] += (beta[t] * (v[t, i] - W[i] @ k[t]) if delta else v[t, i]) * k[t]
        z += k[t]
        expected[t] = W @ q[t] / (max(z @ q[t], 1e-20) if normaliser else 1.0)
    seen = []
    out = program(k, v, q, beta, normaliser, watch=lambda t, W: seen.append((t, W.copy())))
    for got in (
        out,
        attention(k, v, q, beta, normaliser),
        chunked(k, v, q, chunk, beta, normaliser),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())
    assert [t for t, _ in seen] == list(range(length))
    np.testing.assert_allclose(seen[-1][1], W, rtol=1e-9, atol=1e-10)


def test_the_gap_is_rounding_and_a_fault_shows(monkeypatch):
    config = replace(TINY, identity_length=40, identity_chunk=7)
    gap = identity_gap(config, np.random.default_rng(0))
    assert set(gap) == {"sum", "delta"} and all(0 < value < 1e-12 for value in gap.values())
    with monkeypatch.context() as patch:
        patch.setattr(
            lt,
            "chunked",
            lambda k, v, q, chunk, beta, n: chunked(k, v, q, chunk, beta, n) * (1 + 1e-6),
        )
        assert min(identity_gap(config, np.random.default_rng(0)).values()) > 1e-8
    with monkeypatch.context() as patch:
        patch.setattr(
            lt, "attention", lambda k, v, q, beta, n: attention(k, v, q, beta, n) * np.nan
        )
        assert all(
            np.isnan(value) for value in identity_gap(config, np.random.default_rng(0)).values()
        )
    seen = []

    def watch(k, v, q, beta, normaliser):
        seen.append((k.shape, beta is not None, normaliser))
        return attention(k, v, q, beta, normaliser)

    monkeypatch.setattr(lt, "attention", watch)
    identity_gap(config, np.random.default_rng(0))
    assert (
        len(seen) == 18
        and sum(delta for _, delta, _ in seen) == 9
        and sum(n for *_, n in seen) == 8
    )
    assert {shape[1] for shape, *_ in seen} == {16, 32, 64, 96}


def test_replacing_works_and_adding_smears():
    """Two orthonormal keys; the first is written with values 1, then 2: by hand."""
    k, v = np.eye(2)[[0, 1, 0]], np.array([[1.0], [5.0], [2.0]])
    np.testing.assert_allclose(program(k, v, k, np.ones(3))[2], [2.0])
    np.testing.assert_allclose(program(k, v, k)[2], [3.0])
    np.testing.assert_allclose(program(k, v, k, normaliser=True)[2], [1.5])
    np.testing.assert_allclose(program(k, v, k, np.array([1.0, 1.0, 0.25]))[2], [1.25])


# ---- the task ------------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(
    setting=st.sampled_from([1, 2]),
    keys=st.integers(2, 12),
    count=st.integers(1, 8),
    repeats=st.integers(1, 3),
    query=st.sampled_from(["pair", "key"]),
    seed=st.integers(0, 10**6),
)
def test_the_last_value_of_a_key_that_occurred_is_right(setting, keys, count, repeats, query, seed):
    config = Config(repeats=repeats, query=query)
    k, v, asked, right = sequences(config, np.random.default_rng(seed), setting, keys, count)
    assert k.shape == v.shape == (count, keys if setting == 1 else repeats * keys)
    for row, values, key, value in zip(k, v, asked, right, strict=True):
        assert (
            dict(zip(row.tolist(), values.tolist(), strict=True))[int(key)] == value
        )  # a dict keeps the last
        assert 0 <= values.min() and values.max() < keys and row.min() >= 0 and row.max() < keys
        if setting == 1:
            assert sorted(row) == sorted(values) == list(range(keys))


def test_pairs_and_keys_are_asked_as_the_setting_says():
    """With two keys and four pairs, a pair picks the frequent key more often; a key that occurred
    is picked evenly."""
    rng = np.random.default_rng(0)
    shares = {}
    for query in ("pair", "key"):
        k, v, asked, _ = sequences(Config(query=query), rng, 2, 2, 20_000)
        ones = k.sum(1) == 1  # key 1 occurs once among four
        shares[query] = asked[ones].mean()
        assert abs(v.mean() - 0.5) < 0.02 and abs(k.mean() - 0.5) < 0.02
        assert not np.array_equal(k, v)
    assert shares["pair"] == pytest.approx(0.25, abs=0.02) and shares["key"] == pytest.approx(
        0.5, abs=0.02
    )
    k, v, asked, _ = sequences(Config(), rng, 1, 4, 4000)
    for drawn in (k[:, 0], v[:, 0], asked):
        np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 4000, 0.25, atol=0.04)
    assert (k != v).any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), phi=st.sampled_from(["elu", "dpfp1"]), keys=st.integers(5, 24))
def test_no_memory_beats_the_bound_of_its_features(seed, phi, keys):
    """Setting 1, asked for every key in turn: at least 1 - features / keys is lost, with any slow
    weights."""
    rng = np.random.default_rng(seed)
    weights = initial(rng, keys, 2, 1, np.float64)
    order = np.tile(rng.permutation(keys), (keys, 1))
    data = order, np.tile(np.arange(keys), (keys, 1)), order[0], np.arange(keys)
    loss, _, _ = loss_and_gradient(Method(phi), weights, data, backward=False)
    bound = 1 - features(Config(d_key=2), phi) / keys
    assert loss.mean() >= bound - 1e-9


def test_counting_by_hand():
    """Key 0 was given 1, 2, 2; then 1 and 2 tie once; then the pairs that are not written yet do
    not count."""
    keys, values = (
        np.array([[0, 0, 0, 3]] * 4),
        np.array([[1, 2, 2, 1], [1, 2, 3, 1], [1, 2, 2, 1], [1, 2, 2, 1]]),
    )
    query, right = np.array([0, 0, 0, 0]), np.array([2, 3, 1, 1])
    assert counting(keys, values, query, right) == pytest.approx((1 + 1 / 3 + 0 + 0) / 4)
    written = np.array([[True, True, False, True]] * 4)
    assert counting(keys, values, query, right, written) == pytest.approx((0.5 + 0 + 0.5 + 0.5) / 4)


def test_counting_is_what_an_additive_memory_of_orthogonal_keys_does():
    keys, values, query, right = sequences(Config(), np.random.default_rng(4), 2, 5, 300)
    sure = []
    for k, v, asked, answer in zip(keys, values, query, right, strict=True):
        y = program(np.eye(5)[k], np.eye(5)[v], np.eye(5)[[asked] * 10])[-1]
        sure.append((y[answer] == y.max()) / (y == y.max()).sum())
    assert counting(keys, values, query, right) == pytest.approx(np.mean(sure))


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("elu", 12, 0.0),
        ("elu", 24, 1 / 3),
        ("dpfp1", 20, 0.0),
        ("dpfp1", 64, 0.5),
        ("favor16", 48, 1 / 3),
    ],
)
def test_the_least_squares_limit_of_random_keys_is_the_share_of_keys_beyond_the_features(
    name, keys, expected
):
    config = replace(Config(), limit_draws=2)
    assert least_squares_limit(config, 0, name, keys) == pytest.approx(expected, abs=1e-6)


# ---- many queries at once ------------------------------------------------------------------------
def attend_case(rule, seed=0, lead=(2,)):
    rng = np.random.default_rng(seed)
    k, q = np.exp(0.5 * rng.standard_normal((2, *lead, 7, 3)))
    if rule == "delta":
        k = k / np.linalg.norm(k, axis=-1, keepdims=True)
    return k, rng.standard_normal((*lead, 7, 4)), q, rng.uniform(0.1, 1, (*lead, 7)), np.tri(7)


@pytest.mark.parametrize("rule", ["sum", "attention", "softmax", "delta"])
def test_attend_asks_a_memory_written_pair_by_pair(rule):
    k, v, q, beta, seen = attend_case(rule)
    y, _ = attend(rule, k, v, q, beta, seen)
    for n in range(2):
        if rule == "delta":
            np.testing.assert_allclose(y[n], program(k[n], v[n], q[n], beta[n]), rtol=1e-10)
        for t in range(7):
            scores = (
                np.exp(k[n, : t + 1] @ q[n, t] / np.sqrt(3))
                if rule == "softmax"
                else k[n, : t + 1] @ q[n, t]
            )
            weights = scores * beta[n, : t + 1]
            expected = weights @ v[n, : t + 1] / (1 if rule == "sum" else weights.sum())
            if rule != "delta":
                np.testing.assert_allclose(y[n, t], expected, rtol=1e-10)
    one, _ = attend(rule, k, v, q[:, :1], beta, np.ones((1, 7)))  # a query after all pairs
    late, _ = attend(rule, k, v, np.repeat(q[:, :1], 7, 1), beta, seen)
    np.testing.assert_allclose(one[:, 0], late[:, -1], rtol=1e-10)


@pytest.mark.parametrize("rule", ["sum", "attention", "softmax", "delta"])
def test_the_gradient_of_attend_agrees_with_central_differences(rule):
    *inputs, seen = attend_case(rule, 1)
    g = np.random.default_rng(2).standard_normal((2, 7, 4))
    for x, slope in zip(inputs, attend(rule, *inputs, seen)[1](g), strict=True):
        assert x.shape == slope.shape and np.abs(slope).max() > 1e-3
        for i in np.ndindex(x.shape):
            keep, ends = x[i], []
            for step in (1e-6, -1e-6):
                x[i] = keep + step
                ends.append((attend(rule, *inputs, seen)[0] * g).sum())
            x[i] = keep
            assert abs((ends[0] - ends[1]) / 2e-6 - slope[i]) <= 1e-7 * max(1.0, abs(slope[i]))


def test_softmax_attention_is_masked_attention_with_an_exponential_kernel():
    k, v, q, _, seen = attend_case("softmax", 3, ())
    expected, _ = attend("softmax", k, v, q, np.ones(7), seen)
    np.testing.assert_allclose(
        attention(k, v, q / np.sqrt(3), normaliser=True, kernel=np.exp), expected, rtol=1e-12
    )


# ---- keys that resemble one another --------------------------------------------------------------
def test_similar_keys_share_a_unit_vector_and_values_have_unit_length_on_average():
    config = Config()
    k, v, asked = similar_episodes(config, np.random.default_rng(0), 6, 20_000)
    common = k.mean((0, 1))
    assert k.shape == v.shape == (20_000, 6, 8) and np.linalg.norm(common) == pytest.approx(
        1, abs=0.01
    )
    np.testing.assert_allclose(k.std((0, 1)), 0.4 / np.sqrt(8), rtol=0.02)
    assert (v * v).sum(2).mean() == pytest.approx(1, rel=0.02) and abs(v.mean()) < 0.01
    np.testing.assert_allclose(np.bincount(asked) / 20_000, 1 / 6, atol=0.015)
    other = similar_episodes(config, np.random.default_rng(1), 6, 20_000)[0].mean((0, 1))
    np.testing.assert_allclose(common, other, atol=0.01)


@pytest.mark.parametrize("trained", ["matrix", "all"])
@pytest.mark.parametrize("rule", ["sum", "delta"])
def test_answers_for_similar_keys_and_their_gradient(trained, rule):
    config, rng = Config(similar_d=4), np.random.default_rng(5)
    k, v, asked = similar_episodes(config, rng, 3, 5)
    weights = [np.eye(4) + 0.2 * rng.standard_normal((4, 4)), 0.5 * rng.standard_normal(5)]
    y, back = similar_answer(trained, rule, weights, k, v, asked)
    for n in range(5):
        keys, beta = k[n] @ weights[0].T, np.ones(3)
        if trained == "all":
            keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
            beta = 1 / (1 + np.exp(-k[n] @ weights[1][:4] - weights[1][4]))
        values = v[n] * beta[:, None] if rule == "sum" else v[n]
        expected = program(keys, values, keys[[asked[n]] * 3], beta if rule == "delta" else None)[
            -1
        ]
        np.testing.assert_allclose(y[n], expected, rtol=1e-10)
    g = rng.standard_normal(y.shape)
    for w, slope in zip(weights, back(g), strict=True):
        for i in np.ndindex(w.shape):
            keep, ends = w[i], []
            for step in (1e-6, -1e-6):
                w[i] = keep + step
                ends.append((similar_answer(trained, rule, weights, k, v, asked)[0] * g).sum())
            w[i] = keep
            assert abs((ends[0] - ends[1]) / 2e-6 - slope[i]) <= 1e-7 * max(1.0, abs(slope[i]))
    assert (np.abs(back(g)[1]).max() > 1e-6) == (trained == "all")


def test_training_on_similar_keys_is_clipped_gradient_descent_on_the_same_episodes(monkeypatch):
    config, seen = replace(Config(), similar_steps=3, batch=4, similar_clip=0.05), []
    monkeypatch.setattr(
        lt, "similar_episodes", lambda *a: seen.append(similar_episodes(*a)) or seen[-1]
    )
    after = {name: train_similar(config, 1, *how) for name, how in SIMILAR.items()}
    assert len(seen) == 9 and all(k.shape == (4, 5, 8) for k, *_ in seen)
    for n in range(3):
        np.testing.assert_array_equal(seen[n][0], seen[n + 3][0])
        np.testing.assert_array_equal(seen[n][1], seen[n + 6][1])
    assert not np.array_equal(seen[0][0], seen[1][0])
    start = np.random.default_rng(np.random.SeedSequence([1, 4]).spawn(2)[0])
    weights = [np.eye(8) + 0.05 * start.standard_normal((8, 8)), np.zeros(9)]
    for k, v, asked in seen[6:]:
        y, back = similar_answer("all", "delta", weights, k, v, asked)
        gradient = back((y - v[np.arange(4), asked]) / 4)
        norm = np.sqrt((gradient[0] ** 2).sum() + (gradient[1] ** 2).sum())
        assert norm > config.similar_clip
        weights = [
            w - 0.05 * g * config.similar_clip / norm
            for w, g in zip(weights, gradient, strict=True)
        ]
    for got, want in zip(after["delta"], weights, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10)
    assert not after["sum"][1].any() and after["unit_sum"][1].any()


def test_scores_of_similar_keys_against_a_loop():
    config = replace(TINY, similar_episodes=60, similar_pairs=(1, 5, 12))
    out = similar_keys(config, 2)
    assert out["similar_pairs"] == [1, 5, 12] and all(len(values) == 3 for values in out.values())
    for name in ("sum", "unit_sum", "delta", "untrained_delta", "least_squares"):
        assert out[f"similar_{name}_cosines"][0] == pytest.approx(
            1
        )  # one pair: every answer points the right way
    assert out["similar_least_squares_cosines"][1] == pytest.approx(1)
    assert out["similar_least_squares_cosines"][2] < 0.99
    rng = np.random.default_rng(np.random.SeedSequence([2, 4, 12]))
    k, v, asked = similar_episodes(config, rng, 12, 60)
    W = train_similar(config, 2, "matrix", "sum")[0]
    cosines, errors = {"sum": [], "untrained_delta": [], "least_squares": []}, []
    for keys, values, n in zip(k, v, asked, strict=True):
        p = keys @ W.T
        answers = {
            "sum": program(p, values, p[[n] * 12])[-1],
            "untrained_delta": program(p, values, p[[n] * 12], np.ones(12))[-1],
            "least_squares": keys[n] @ np.linalg.lstsq(keys, values, rcond=None)[0],
        }
        for name, y in answers.items():
            cosines[name].append(y @ values[n] / np.linalg.norm(y) / np.linalg.norm(values[n]))
        errors.append(((answers["sum"] - values[n]) ** 2).sum())
    for name, values in cosines.items():
        assert out[f"similar_{name}_cosines"][2] == pytest.approx(np.mean(values))
        assert out[f"similar_{name}_spreads"][2] == pytest.approx(
            np.std(values, ddof=1) / np.sqrt(60)
        )
    assert out["similar_sum_errors"][2] == pytest.approx(np.mean(errors))
    gain = np.subtract(cosines["untrained_delta"], cosines["sum"])
    assert out["similar_untrained_delta_gains"][2] == pytest.approx(gain.mean())
    assert out["similar_untrained_delta_gain_spreads"][2] == pytest.approx(
        gain.std(ddof=1) / np.sqrt(60)
    )


# ---- the stream ----------------------------------------------------------------------------------
SMALL = replace(Config(), d_key=4, stream_keys=3, stream_length=10)


@settings(max_examples=40, deadline=None)
@given(
    keys=st.integers(2, 6),
    pairs=st.integers(2, 12),
    share=st.sampled_from([0.2, 0.5, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_a_recalled_key_has_the_value_it_had_and_any_other_a_new_one(keys, pairs, share, seed):
    config = replace(SMALL, stream_keys=keys, stream_length=2 * pairs, stream_recalls=share)
    tokens, recalled = streams(config, np.random.default_rng(seed), 5)
    assert tokens.shape == recalled.shape == (5, 2 * pairs) and not recalled[:, 1::2].any()
    for row, asked in zip(tokens.tolist(), recalled, strict=True):
        now = {}
        for t in range(0, 2 * pairs, 2):
            key, value = row[t : t + 2]
            assert 0 <= key < keys <= value < 2 * keys
            assert (key in now and now[key] == value) == asked[t]
            now[key] = value


def test_streams_recall_and_change_as_often_as_they_should():
    tokens, recalled = streams(Config(), np.random.default_rng(0), 3000)
    assert recalled[:, ::2][:, -1].mean() == pytest.approx(0.5 * (1 - (15 / 16) ** 31), abs=0.03)
    for drawn in (tokens[:, 0], tokens[:, 1] - 16, tokens[:, -1] - 16):
        np.testing.assert_allclose(np.bincount(drawn, minlength=16) / 3000, 1 / 16, atol=0.02)


def slow_stream(config, rule, weights, tokens, t):
    """Logits at place t of one stream, from the tokens up to t alone: one token, one pair at a
    time."""
    table, places, *layers, last = weights
    d, x = (
        config.d_key,
        [
            table[token] + config.stream_places * places[n]
            for n, token in enumerate(tokens[: t + 1])
        ],
    )
    for inwards, outwards in zip(layers[::2], layers[1::2], strict=True):
        ks, vs, betas, ys = [], [], [], []
        for n, now in enumerate(x):
            before = x[n - 1] if n else np.zeros(d)
            z = (np.concatenate([now, before]) if config.stream_shift else now) @ inwards
            k, q, v, beta = z[:d], z[d : 2 * d], z[2 * d : 3 * d], 1 / (1 + np.exp(-z[3 * d]))
            if rule != "softmax":
                k, q = np.array(slow_phi("dpfp1", k, None)), np.array(slow_phi("dpfp1", q, None))
            if rule == "delta":
                k, q = k / max(k.sum(), 1e-6), q / max(q.sum(), 1e-6)
            ks, vs, betas = [*ks, k], [*vs, v], [*betas, beta]
            if rule == "delta":
                W = np.zeros((d, 2 * d))
                for key, value, strength in zip(ks, vs, betas, strict=True):
                    W += strength * np.outer(value - W @ key, key)
                ys.append(W @ q)
            else:
                scores = np.array(
                    [np.exp(key @ q / np.sqrt(d)) if rule == "softmax" else key @ q for key in ks]
                )
                ys.append(scores * betas @ np.array(vs) / max((scores * betas).sum(), 1e-20))
        x = [now + y @ outwards for now, y in zip(x, ys, strict=True)]
    return x[t] @ last


def stream_case(config, seed=0, count=3, copies=2, layers=2):
    rng = np.random.default_rng(seed)
    weights = [
        w + 0.2 * rng.standard_normal(w.shape)
        for w in stream_weights(config, rng, layers, copies, np.float64)
    ]
    return weights, *streams(config, rng, count)


@pytest.mark.parametrize("rule", STREAM.values())
@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("places", [True, False])
def test_the_transformer_against_one_that_knows_nothing_but_the_past(rule, shift, places):
    config = replace(SMALL, stream_shift=shift, stream_places=places)
    weights, tokens, recalled = stream_case(config)
    loss, accuracy, gradient = stream_loss(config, rule, weights, tokens, recalled, backward=False)
    assert gradient is None and loss.shape == accuracy.shape == (2,)
    for v in range(2):
        losses, hits = [], []
        for b, t in zip(*np.nonzero(recalled), strict=True):
            logits = slow_stream(config, rule, [w[v] for w in weights], tokens[b], t)
            right = tokens[b, t + 1] - 3
            losses.append(np.log(np.exp(logits).sum()) - logits[right])
            hits.append(logits.argmax() == right)
        assert loss[v] == pytest.approx(np.mean(losses), rel=1e-9) and accuracy[v] == pytest.approx(
            np.mean(hits)
        )


@pytest.mark.parametrize("rule", STREAM.values())
def test_a_recall_sees_neither_its_answer_nor_what_follows(rule):
    """The probabilities of all three answers sum to 1 only if none of them can be seen; later
    tokens change nothing."""
    weights, tokens, _ = stream_case(SMALL, 1, 1, 1)
    asked = np.zeros((1, 10), bool)
    asked[0, 4] = True
    chances = []
    for answer in range(3):
        tokens[0, 5] = 3 + answer
        loss = stream_loss(SMALL, rule, weights, tokens, asked, backward=False)[0][0]
        chances.append(np.exp(-loss))
        tokens[0, 6:] = tokens[0, 6:][::-1]
        assert stream_loss(SMALL, rule, weights, tokens, asked, backward=False)[0][
            0
        ] == pytest.approx(loss, rel=1e-12)
    assert sum(chances) == pytest.approx(1, abs=1e-12) and np.ptp(chances) > 1e-4
    tokens[0, 3] = 3 + (tokens[0, 3] - 2) % 3
    assert stream_loss(SMALL, rule, weights, tokens, asked, backward=False)[0][0] != pytest.approx(
        loss, rel=1e-6
    )


@pytest.mark.parametrize("rule", STREAM.values())
@pytest.mark.parametrize(("shift", "places"), [(True, True), (False, True), (True, False)])
def test_the_gradient_of_the_transformer_agrees_with_central_differences(rule, shift, places):
    config = replace(SMALL, stream_shift=shift, stream_places=places)
    weights, tokens, recalled = stream_case(config, 2)
    gradient = stream_loss(config, rule, weights, tokens, recalled)[2]
    assert len(gradient) == len(weights) == 7
    for n, (w, slope) in enumerate(zip(weights, gradient, strict=True)):
        assert w.shape == slope.shape and (np.abs(slope).max() > 1e-6) == (n != 1 or places)
        for i in list(np.ndindex(w.shape))[::2]:
            keep, ends = w[i], []
            for step in (1e-5, -1e-5):
                w[i] = keep + step
                ends.append(
                    stream_loss(config, rule, weights, tokens, recalled, backward=False)[0].sum()
                )
            w[i] = keep
            assert abs((ends[0] - ends[1]) / 2e-5 - slope[i]) <= 1e-6 * max(1e-2, abs(slope[i]))


def test_all_transformers_are_of_one_size_and_trained_alike(monkeypatch):
    config = replace(TINY, stream_steps=2, stream_length=8, valid_sequences=20)
    shapes, seen = [w.shape for w in stream_weights(config, np.random.default_rng(0), 2, 3)], []
    assert shapes == [
        (3, 32, 16),
        (3, 8, 16),
        (3, 32, 49),
        (3, 16, 16),
        (3, 32, 49),
        (3, 16, 16),
        (3, 16, 16),
    ]

    def spy(config, rule, weights, tokens, recalled, backward=True):
        out = stream_loss(config, rule, weights, tokens, recalled, backward)
        seen.append((rule, [w.copy() for w in weights], tokens, backward, out))
        return out

    monkeypatch.setattr(lt, "stream_loss", spy)
    scores = stream_scores(config, 3, 2)
    assert [rule for rule, *_ in seen] == ["softmax"] * 4 + ["attention"] * 4 + ["delta"] * 4
    for n in range(4):  # two updates, validation, test: the same streams for each
        np.testing.assert_array_equal(seen[n][2], seen[n + 4][2])
        np.testing.assert_array_equal(seen[n][2], seen[n + 8][2])
        assert all(not np.array_equal(seen[n][2][:20], seen[m][2][:20]) for m in range(4) if m != n)
    for first, second in zip(seen[0][1], seen[8][1], strict=True):
        np.testing.assert_array_equal(first, second)
    for n, name in enumerate(STREAM):
        _, weights, tokens, backward, (_, accuracy, _) = seen[4 * n + 3]
        assert (
            scores[f"stream_{name}_accuracy"] == accuracy[0] and not backward and len(tokens) == 20
        )
        best = int(seen[4 * n + 2][4][0].argmin())
        for kept, w in zip(weights, seen[4 * n + 2][1], strict=True):
            np.testing.assert_array_equal(kept[0], w[best])
    unseen_streams = np.random.default_rng(
        np.random.SeedSequence([3, 5]).spawn(4)[3]
    )  # training has the first three
    tokens, _ = streams(config, unseen_streams, 20)
    np.testing.assert_array_equal(seen[3][2], tokens)
    votes = []
    for row in tokens:
        before = {}
        for t in range(0, 8, 2):
            key, value = row[t : t + 2]
            told = before.setdefault(key, [])
            if told and told[-1] == value:
                most = max(told.count(x) for x in told)
                best = {x for x in told if told.count(x) == most}
                votes.append((value in best) / len(best))
            told.append(value)
    assert scores["stream_counting_accuracy"] == pytest.approx(np.mean(votes))


def test_a_short_stream_is_learned():
    config = replace(
        Config(),
        stream_keys=3,
        stream_length=12,
        stream_steps=150,
        valid_sequences=64,
        rates=(0.02,),
        stream_rates=(0.02,),
    )
    weights = train_stream(config, 0, "delta", 1)
    tokens, recalled = streams(config, np.random.default_rng(9), 200)
    assert stream_loss(config, "delta", weights, tokens, recalled, backward=False)[1][0] > 0.95


# ---- training ------------------------------------------------------------------------------------
def test_initial_weights_are_independent_starts_with_equal_projections():
    E, Wk, Wq, wb = initial(np.random.default_rng(0), 200, 16, 3)
    assert (
        E.shape == (3, 200, 16) and wb.shape == (3, 17) and E.dtype == np.float32 and not wb.any()
    )
    np.testing.assert_array_equal(Wk, Wq)
    assert not np.shares_memory(Wk, Wq)
    assert E.std() == pytest.approx(1, abs=0.03) and Wk.std() == pytest.approx(0.25, abs=0.03)
    assert not np.allclose(E[0], E[1]) and not np.allclose(Wk[0], Wk[1])


def test_train_is_adam_on_fresh_sequences_with_falling_rates(monkeypatch):
    config = replace(TINY, steps_2=6, steps_1=6, check_every=6, rates=(0.01, 0.04), stop=0.0)
    method, drawn = Method("dpfp1", "delta"), []
    monkeypatch.setattr(lt, "sequences", lambda *a: drawn.append(sequences(*a)) or drawn[-1])
    log = []
    memory = train(
        config,
        3,
        2,
        method,
        5,
        lambda step, w, loss: log.append((step, [x.copy() for x in w], loss)),
    )
    assert [step for step, *_ in log] == [1, 2, 3, 4, 5, 6] and memory.steps == 6
    assert len(drawn) == 7 and drawn[-1][0].shape == (config.valid_sequences, 10)
    assert len({d[0].tobytes() for d in drawn}) == 7
    start = np.random.default_rng(np.random.SeedSequence([3, 2, 5]).spawn(3)[0])
    weights = initial(start, 5, config.d_key, 2)
    m, s = [0.0 * w for w in weights], [0.0 * w for w in weights]
    for step, (data, (_, seen, loss)) in enumerate(zip(drawn, log, strict=False), 1):
        expected, _, gradient = loss_and_gradient(method, weights, data)
        np.testing.assert_allclose(loss, expected, rtol=1e-3, atol=1e-4)
        for i, g in enumerate(gradient):
            m[i] = config.beta_1 * m[i] + (1 - config.beta_1) * g
            s[i] = config.beta_2 * s[i] + (1 - config.beta_2) * g * g
            mean, square = m[i] / (1 - config.beta_1**step), s[i] / (1 - config.beta_2**step)
            for copy, rate in enumerate(config.rates):
                fall = 1.0 if step <= 3 else 2 * (7 - step) / 7
                weights[i][copy] -= rate * fall * mean[copy] / (np.sqrt(square[copy]) + 1e-8)
        for got, want in zip(seen, weights, strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=2e-3 if step > 3 else 5e-4)
    valid = loss_and_gradient(method, log[-1][1], drawn[-1], backward=False)[0].mean(1)
    np.testing.assert_array_equal(memory.valid, valid)
    best = int(np.argmin(valid))
    assert memory.rate == config.rates[best] and all(len(w) == 1 for w in memory.weights)
    for kept, w in zip(memory.weights, log[-1][1], strict=True):
        np.testing.assert_array_equal(kept[0], w[best])


def test_training_stops_when_it_has_learned_and_not_before():
    config = replace(
        TINY, steps_1=400, steps_2=400, check_every=25, rates=(0.03,), test_sequences=200
    )
    means = []
    memory = train(
        config, 0, 2, Method("dpfp1", "delta"), 5, lambda step, w, loss: means.append(loss.mean())
    )
    assert memory.steps < 400 and memory.steps % 25 == 0
    blocks = np.array(means).reshape(-1, 25).mean(1)
    assert (blocks[:-1] >= config.stop).all() and blocks[-1] < config.stop
    error, accuracy = evaluate(config, 0, 2, memory)
    assert error < 0.01 and accuracy == 1.0
    assert evaluate(config, 0, 2, memory) == (error, accuracy)
    backwards, hits = evaluate(config, 0, 2, memory, reverse=True)
    assert backwards > 0.3 and hits < 0.7
    lone = train(config, 0, 2, Method("dpfp1"), 5)
    assert lone.steps == 400 and evaluate(config, 0, 2, lone)[1] < 0.8


def test_evaluate_against_the_oracle_on_sequences_of_its_own(monkeypatch):
    config = replace(TINY, test_sequences=12)
    memory = train(config, 1, 2, Method("favor4"), 5)
    assert memory.directions.shape == (4, 16)
    drawn = []
    monkeypatch.setattr(lt, "sequences", lambda *a: drawn.append(sequences(*a)) or drawn[-1])
    for reverse in (False, True):
        error, accuracy = evaluate(config, 1, 2, memory, reverse)
        keys, values, query, right = drawn[-1]
        losses, hits = [], []
        for b in range(12):
            turn = slice(None, None, -1 if reverse else 1)
            y = np.array(
                slow_answer(
                    memory.method,
                    [w[0] for w in memory.weights],
                    keys[b][turn],
                    values[b][turn],
                    query[b],
                    memory.directions,
                )
            )
            hits.append(y.argmax() == right[b])
            y[right[b]] -= 1
            losses.append(y @ y)
        assert error == pytest.approx(np.mean(losses), rel=1e-3) and accuracy == np.mean(hits)
    train(config, 1, 2, Method("elu"), 5)
    assert all(
        not np.array_equal(drawn[0][0], d[0][:12]) for d in drawn[2:]
    )  # unseen by training and validation


def test_a_loss_that_is_not_finite_stops_training(monkeypatch):
    def broken(method, weights, *rest, **more):
        return np.full((2, 3), np.nan), None, weights

    monkeypatch.setattr(lt, "loss_and_gradient", broken)
    with pytest.raises(FloatingPointError, match="loss is nan at step 1"):
        train(TINY, 0, 1, Method("elu"), 4)


# ---- the experiment ------------------------------------------------------------------------------
def test_features_counts_what_a_feature_map_returns():
    config, x = Config(), np.random.default_rng(0).standard_normal((2, 16))
    for name in ("identity", "tanh", "elu", "dpfp1", "dpfp2", "dpfp3", "favor7"):
        assert features(config, name) == feature_map(name, x, np.ones((7, 16)))[0].shape[1]
    assert features(config, "softmax") == np.inf


def test_capacity_on_a_table_worked_by_hand():
    config = Config(unique_keys=(8, 16, 24, 32, 48, 64))
    table = {
        "elu": (0.0, 0.3, 0.5, 0.4, 0.7, 0.8),
        "dpfp1": (0.02, 0.03, 0.1, 0.2, 0.4, 0.35),
        "dpfp2": (0, 0, 0, 0, 0.1, 0.11),
        "dpfp3": (0, 0, 0, 0, 0, 0.05),
        "softmax": (0, 0, 0, 0, 0, 0.01),
    }
    errors = {
        (name, keys): row[i]
        for name, row in table.items()
        for i, keys in enumerate(config.unique_keys)
    }
    out = capacity(config, errors)
    assert [out[f"knee_{name}"] for name in table] == [16, 32, 64, 128, 128]
    assert [out[f"{a}_{b}"] for b in ("elu", "dpfp1") for a in ("below", "above")] == [
        0.0,
        0.4,
        0.03,
        0.35,
    ]
    assert [
        out[f"knee_{b}_after_{a}"]
        for a, b in (("elu", "dpfp1"), ("dpfp1", "dpfp2"), ("dpfp2", "dpfp3"))
    ] == [16, 32, 64]
    assert out["softmax_lead"] == pytest.approx(0.04)


def test_ablations_change_one_thing_each(monkeypatch):
    seen = []

    def spy(config, seed, setting, method, keys):
        seen.append((method, keys, setting))
        return train(replace(config, steps_2=25), seed, setting, method, keys)

    monkeypatch.setattr(lt, "train", spy)
    out = ablations(replace(TINY, fixed_beta=0.3), 0)
    delta = Method("dpfp1", "delta")
    assert [method for method, *_ in seen] == [
        Method("dpfp1"),
        delta,
        replace(delta, beta=1.0),
        replace(delta, beta=0.3),
        replace(delta, attention_normaliser=True),
    ]
    assert all((keys, setting) == (5, 2) for _, keys, setting in seen)
    assert out["unnormalised_start_log10_error"] > 0.3 and 0 < out["delta_strength"] < 1
    assert out["reversed_accuracy"] < out["delta_accuracy"]


def test_costs_grow_as_the_schedules_say():
    config = replace(TINY, cost_lengths=(32, 64, 256, 512), study_d_key=8)
    out = costs(config, 0)
    for name in ("recurrent", "chunked", "masked", "softmax", "delta_recurrent", "delta_chunked"):
        assert len(out[f"cost_{name}_seconds"]) == len(out[f"cost_{name}_numbers"]) == 4
        assert min(out[f"cost_{name}_seconds"]) > 0
        quadratic = name in ("masked", "softmax")
        assert out[f"cost_{name}_slope"] == pytest.approx(2 if quadratic else 1, abs=0.5)
        assert (out[f"cost_{name}_numbers"][-1] >= 512**2) == quadratic
        small, large = out[f"cost_{name}_numbers"][2:]
        assert out[f"cost_{name}_slope"] == pytest.approx(np.log(large / small) / np.log(2))


def test_run_reports_what_the_parts_measured():
    config = replace(TINY, changing_keys=(3, 5, 10, 14), delta_keys=(4,), ablation_keys=10)
    out, table = run(config, 2), {}
    for keys in config.changing_keys:
        for phi, rule in (
            ("dpfp1", "sum"),
            ("dpfp1", "delta"),
            ("softmax", "sum"),
            ("dpfp2", "delta"),
        ):
            table[phi, rule, keys] = evaluate(
                config, 2, 2, train(config, 2, 2, Method(phi, rule), keys)
            )
            error, accuracy = (
                out[f"changing_{phi}_{rule}_{keys}_{part}"] for part in ("error", "accuracy")
            )
            assert (error, accuracy) == table[phi, rule, keys]
    memory = train(config, 2, 1, Method("dpfp2"), 24)
    assert out["unique_dpfp2_24_error"] == evaluate(config, 2, 1, memory)[0]
    memory = train(config, 2, 1, Method("dpfp1", "delta"), 4)
    assert out["unique_dpfp1_delta_4_error"] == evaluate(config, 2, 1, memory)[0]
    delta, added = (
        [table["dpfp1", rule, keys] for keys in config.changing_keys] for rule in ("delta", "sum")
    )
    assert len({accuracy for _, accuracy in delta[:3]}) > 1  # else the least of them says nothing
    assert out["delta_least_accuracy"] == min(accuracy for _, accuracy in delta[:3])
    assert out["sum_most_accuracy"] == max(accuracy for _, accuracy in added[:3])
    errors, hits = (
        [sign * (d[part] - a[part]) for d, a in zip(delta[2:], added[2:], strict=True)]
        for part, sign in ((0, -1), (1, 1))
    )
    assert errors[0] != errors[1]
    assert out["delta_least_error_won"] == min(errors) and out["delta_least_accuracy_won"] == min(
        hits
    )
    assert out["delta_accuracy"] == delta[2][1] and out["sum_error"] == added[2][0]
    for keys in (3, 5, 10):
        assert out[f"ideal_sum_{keys}_accuracy"] == counting(*unseen(config, 2, 2, keys))
    lists = similar_keys(config, 2)
    assert (
        out["similar_delta_gain"] == lists["similar_delta_gains"][1] and "similar_pair" not in out
    )
    rivals = [
        lists[f"similar_{name}_cosines"][1:]
        for name in ("sum", "unit_sum", "delta", "untrained_delta")
    ]
    best = np.max(rivals, 0)
    assert out["similar_least_squares_lead"] == min(
        np.subtract(lists["similar_least_squares_cosines"][1:], best)
    )
    scores = stream_scores(config, 2, 2)
    assert (
        out["stream_delta_over_sum"]
        == scores["stream_delta_accuracy"] - scores["stream_sum_accuracy"]
    )
    assert (
        out["stream_delta_over_softmax"]
        == scores["stream_delta_accuracy"] - scores["stream_softmax_accuracy"]
    )
    assert (
        out["knee_elu_per_feature"] == out["knee_elu"] / 16
        and "knee_softmax_per_feature" not in out
    )


def test_the_study_is_the_same_experiment_at_its_own_size():
    config, said = replace(TINY, study_d_key=8), []
    out = study(config, 1, lambda fraction, message: said.append(fraction))
    assert said == sorted(said) and len(said) == 8 + 5 * 3 + 3 * 6
    large = replace(
        config,
        d_key=8,
        rates=config.large_rates,
        steps_1=config.study_steps,
        steps_2=config.study_steps,
    )
    error, accuracy = evaluate(large, 1, 1, train(large, 1, 1, Method("dpfp3"), 20))
    assert out["unique_dpfp3_errors"] == [error] and out["unique_dpfp3_accuracies"] == [accuracy]
    error, _ = evaluate(large, 1, 2, train(large, 1, 2, Method("dpfp1", "delta"), 5))
    assert out["changing_delta_errors"] == [error]
    limit = least_squares_limit(replace(config, d_key=8), 1, "elu", 20)
    assert out["limit_elu_large_errors"] == [limit] and limit == pytest.approx(0.6)
    assert out["limit_dpfp1_errors"] == [
        least_squares_limit(config, 1, "dpfp1", keys) for keys in config.unique_keys
    ]
    few = stream_scores(replace(config, stream_recalls=config.stream_few_recalls), 1, 2)
    assert out["stream_few_recalls_delta_accuracy"] == few["stream_delta_accuracy"]
    bare = stream_scores(replace(config, stream_places=False), 1, 1)
    assert out["stream_one_placeless_sum_accuracy"] == bare["stream_sum_accuracy"]
    assert out["similar_sum_cosines"] == similar_keys(config, 1)["similar_sum_cosines"]
    assert len(out["rates_sum_errors"]) == len(out["rates_delta_errors"]) == len(config.study_rates)


@pytest.mark.parametrize(
    "bad",
    [
        {"unique_keys": (8, 4)},
        {"unique_keys": (8, 8)},
        {"identity_chunk": 513},
        {"check_every": 401},
        {"stream_length": 15},
        {"similar_pairs": (1, 2)},
        {"cost_lengths": (64, 128)},
    ],
)
def test_settings_that_do_not_fit_together(bad):
    with pytest.raises(ValueError, match="argument --"):
        Config(**bad)
