"""Tests of linear_transformers_fwp: memories written pair by pair, gradients, tasks, the wiring."""

import itertools
import math
from dataclasses import replace

import linear_transformers_fwp as fwp
import study_linear_transformers_fwp as study
from linear_transformers_fwp import (
    DPFP_1,
    LOG_SIZES,
    LOGS,
    MEMORIES,
    QUICK,
    Config,
    Delta,
    Favor,
    Sequences,
    Softmax,
    Sum,
    changing,
    compare,
    dpfp,
    each,
    elu_plus_one,
    favor,
    identity,
    initial,
    judged,
    points,
    run,
    sum_normalised,
    train,
    unique,
)
from linear_transformers_fwp import test as judge  # by its own name pytest would collect it
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DIRECTIONS = np.random.default_rng(9).standard_normal((5, 4))


def silent(fraction, message):
    """Show nothing."""


class Kept(Favor):
    """FAVOR+ with five directions that are known."""

    def draw(self, k):
        return DIRECTIONS


def dpfp_of(nu):
    """Apply DPFP-nu to keys and queries."""
    return each(lambda x: dpfp(x, nu))


CASES = {  # memory, name of its map, how its pairs are written, fixed strength
    "elu": (lambda: Sum(each(elu_plus_one)), "elu", "sum", None),
    "dpfp1": (lambda: Sum(dpfp_of(1)), "dpfp1", "sum", None),
    "dpfp3": (lambda: Sum(dpfp_of(3)), "dpfp3", "sum", None),
    "favor": (lambda: Sum(Kept(5, None)), "favor", "sum", None),
    "softmax": (lambda: Softmax(each(identity)), "softmax", "sum", None),
    "delta": (lambda: Delta(dpfp_of(1)), "dpfp1", "delta", None),
    "delta_dpfp2": (lambda: Delta(dpfp_of(2)), "dpfp2", "delta", None),
    "delta_elu": (lambda: Delta(each(elu_plus_one)), "elu", "delta", None),
    "divided": (lambda: study.Divided(dpfp_of(1)), "dpfp1", "divided", None),
    "fixed": (lambda: study.Fixed(dpfp_of(1), 0.3), "dpfp1", "delta", 0.3),
    "unnormalised": (lambda: study.Unnormalised(each(identity)), "identity", "bare", None),
}


def slow_weights(rng, size, copies=2, d=4, scale=1.0):
    """Random slow weights in 64 bits, the write strengths too."""
    weights = [part.astype(float) for part in initial(rng, size, d, copies)]
    weights = [part + 0.2 * rng.standard_normal(part.shape) for part in weights]
    return [scale * weights[0], *weights[1:]]


def case(name, seed=0, draw=changing, size=5, count=6):
    """A memory, slow weights and a few sequences."""
    rng = np.random.default_rng(seed)
    scale = 0.4 if name == "unnormalised" else 1.0  # keys that are too long would explode
    weights = slow_weights(rng, size, scale=scale)
    return CASES[name][0](), weights, draw(rng, size, count)


# ---- the oracle: one sequence, one pair, one feature at a time ----
def slow_phi(name, x):
    """The features of one vector, one number at a time."""
    x = [float(value) for value in x]
    if name == "identity":
        return x
    if name == "elu":
        return [value + 1 if value > 0 else math.exp(value) for value in x]
    if name == "favor":
        x = [value / len(x) ** 0.25 for value in x]
        half = sum(value * value for value in x) / 2
        dots = [sum(a * b for a, b in zip(row, x)) for row in DIRECTIONS]
        return [math.exp(sign * dot - half) / math.sqrt(10) for sign in (1, -1) for dot in dots]
    r = [max(value, 0.0) for value in x] + [max(-value, 0.0) for value in x]
    return [r[i] * r[(i + j) % len(r)] for j in range(1, int(name[4:]) + 1) for i in range(len(r))]


def slow_answer(phi, rule, fixed, weights, keys, values, query):
    """Write the memory matrix pair by pair and ask it; softmax as attention over the pairs."""
    E, W_k, W_q, w, b = weights
    q = E[query] @ W_q
    if phi == "softmax":
        scores = [math.exp(float((E[key] @ W_k) @ q) / math.sqrt(len(q))) for key in keys]
        shares = [sum(s for s, v in zip(scores, values) if v == n) for n in range(len(E))]
        return np.array(shares) / sum(scores)
    pk = [np.array(slow_phi(phi, E[key] @ W_k)) for key in keys]
    pq = np.array(slow_phi(phi, q))
    if rule in ("delta", "divided"):
        pk = [p / p.sum() for p in pk]
        pq = pq / pq.sum()
    W, z = np.zeros((len(E), len(pq))), np.zeros(len(pq))
    for p, key, value in zip(pk, keys, values):
        beta = 1 / (1 + math.exp(-float((E[key] @ w + b)[0, 0]))) if fixed is None else fixed
        for n in range(len(E)):
            wanted = float(n == value)
            W[n] += wanted * p if rule == "sum" else beta * (wanted - W[n] @ p) * p
        z += p
    return W @ pq / (max(z @ pq, 1e-20) if rule in ("sum", "divided") else 1.0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("draw", [unique, changing])
def test_the_answers_are_those_of_a_memory_written_pair_by_pair(name, draw):
    memory, weights, data = case(name, draw=draw)
    y = memory.forward(weights, data)
    assert y.shape == (2, 6, 5)
    for v, (b, (keys, values, query, _)) in itertools.product(
        range(2), enumerate(zip(*data, strict=True))
    ):
        slow = slow_answer(*CASES[name][1:], [part[v] for part in weights], keys, values, query)
        np.testing.assert_allclose(y[v, b], slow, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_agrees_with_central_differences(name):
    memory, weights, data = case(name, seed=3)
    difference, _ = compare(memory, weights, data)
    gradient = memory.backward(difference * (2 / 6))

    def total():
        return (compare(memory, weights, data)[0] ** 2).sum(2).mean(1).sum()

    for part, slope in zip(weights, gradient, strict=True):
        assert part.shape == slope.shape
        for i in np.ndindex(part.shape):
            kept, ends = part[i], []
            for step in (1e-6, -1e-6):
                part[i] = kept + step
                ends.append(total())
            part[i] = kept
            assert abs((ends[0] - ends[1]) / 2e-6 - slope[i]) <= 1e-7 * max(1.0, abs(slope[i]))
    learned = CASES[name][2] != "sum" and CASES[name][3] is None
    assert all((np.abs(slope).max() > 1e-6) == learned for slope in gradient[3:])
    assert all(np.abs(slope).max() > 1e-6 for slope in gradient[:3])


# ---- feature maps ----
@pytest.mark.parametrize("name", ["identity", "elu", "dpfp1", "dpfp2", "dpfp3", "favor"])
def test_feature_maps_and_their_backward_passes(name):
    maps = {"identity": identity, "elu": elu_plus_one, "favor": lambda x: favor(x, DIRECTIONS, 1)}
    maps |= {f"dpfp{nu}": lambda x, nu=nu: dpfp(x, nu) for nu in (1, 2, 3)}
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 4))
    phi, back = maps[name](x)
    slow = np.array([slow_phi(name, row) for row in x])
    factor = phi.max(1, keepdims=True) / slow.max(1, keepdims=True)  # FAVOR+ leaves one open
    np.testing.assert_allclose(phi, factor * slow, rtol=1e-12)
    assert name == "favor" or np.allclose(factor, 1)
    g, numeric = rng.standard_normal(phi.shape), np.empty_like(x)
    for i in np.ndindex(x.shape):
        ends = []
        for step in (1e-6, -1e-6):
            near = x.copy()
            near[i] += step
            ends.append((g * factor * [slow_phi(name, row) for row in near]).sum())
        numeric[i] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(back(g), numeric, rtol=1e-6, atol=1e-7)


def test_sum_normalised_sums_to_one_and_forgives_nothing_at_all():
    p, back = sum_normalised(np.array([[1.0, 3.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(p, [[0.25, 0.75], [0.0, 0.0]])
    np.testing.assert_allclose(back(np.array([[1.0, 0.0], [0.0, 0.0]]))[0], [3 / 16, -1 / 16])


def test_favor_estimates_the_softmax_kernel_and_draws_anew_at_every_call():
    rng = np.random.default_rng(0)
    k, q = 0.5 * rng.standard_normal((2, 1, 4, 8))
    (pk, _), (pq, _) = Favor(100_000, rng)(k, q)
    factor, exact = pq @ pk.swapaxes(1, 2), np.exp(q @ k.swapaxes(1, 2) / math.sqrt(8))
    shares = [x / x.sum(2, keepdims=True) for x in (factor, exact)]  # what attention makes of it
    np.testing.assert_allclose(*shares, rtol=0.05)
    redrawn, once = Favor(6, rng), study.Once(6, rng)
    for feature_map, same in ((redrawn, False), (once, True)):
        first, second = (feature_map(k, q)[0][0] for _ in range(2))
        assert first.shape == (1, 4, 12) and np.array_equal(first, second) == same


# ---- one computation, three schedules ----
def program(k, v, q, beta, normaliser):
    """The fast weight programmer: a matrix, written pair by pair."""
    W, z, out = np.zeros((v.shape[1], k.shape[1])), np.zeros(k.shape[1]), []
    for t in range(len(k)):
        W += np.outer(v[t] if beta is None else beta[t] * (v[t] - W @ k[t]), k[t])
        z += k[t]
        out.append(W @ q[t] / (max(z @ q[t], 1e-20) if normaliser else 1))
    return np.array(out)


def attention(k, v, q, beta, normaliser):
    """The same as masked attention over all pairs; the delta rule takes one solve."""
    scores = np.tril(q @ k.T)
    if beta is not None:
        system = np.eye(len(k)) + beta[:, None] * np.tril(k @ k.T, -1)
        v = np.linalg.solve(system, beta[:, None] * v)
    total = np.maximum(scores.sum(1, keepdims=True), 1e-20)
    return scores @ v / (total if normaliser else 1)


def chunked(k, v, q, beta, normaliser, chunk=7):
    """The same with attention inside chunks and one matrix carried between them."""
    W, z, out = np.zeros((v.shape[1], k.shape[1])), np.zeros(k.shape[1]), []
    for start in range(0, len(k), chunk):
        now = slice(start, start + chunk)
        ks, vs, qs = k[now], v[now], q[now]
        scores = np.tril(qs @ ks.T)
        if beta is not None:
            system = np.eye(len(ks)) + beta[now, None] * np.tril(ks @ ks.T, -1)
            vs = np.linalg.solve(system, beta[now, None] * (vs - ks @ W.T))
        total = np.maximum(scores.sum(1) + qs @ z, 1e-20)[:, None]
        out.append((scores @ vs + qs @ W.T) / (total if normaliser else 1))
        W += vs.T @ ks
        z += ks.sum(0)
    return np.concatenate(out)


@pytest.mark.parametrize("kind", [Sum, Delta, study.Divided])
@pytest.mark.parametrize("phi", [each(elu_plus_one), dpfp_of(1), dpfp_of(3)])
def test_fast_weights_masked_attention_and_chunks_are_one_computation(kind, phi):
    rng = np.random.default_rng(2)
    size, length = 12, 60
    weights, memory = slow_weights(rng, size, copies=1), kind(phi)
    keys, values = rng.integers(size, size=(2, length))
    queries = rng.integers(size, size=length)
    memory.forward(weights, Sequences(keys[None], values[None], queries[:1], values[:1]))
    k, strength = memory.pk[0, keys], memory.strength[0, keys, 0]
    E, _, W_q, _, _ = (part[0] for part in weights)
    q = memory.features(E[None] @ weights[1], (E @ W_q)[None, queries])[1][0]  # (L, D)
    how = (None if kind is Sum else strength, kind is not Delta)
    expected = program(k, np.eye(size)[values], q, *how)
    for schedule in (attention, chunked):
        got = schedule(k, np.eye(size)[values], q, *how)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    for t in (0, 20, length - 1):  # the memory of the experiment, asked after t + 1 pairs
        told = keys[None, : t + 1], values[None, : t + 1]
        y = kind(phi).forward(weights, Sequences(*told, queries[t : t + 1], values[:1]))
        np.testing.assert_allclose(y[0, 0], expected[t], rtol=1e-9, atol=1e-12)


def test_replacing_works_and_adding_blurs():
    """Orthonormal keys; key 0 is told value 1, then 2; by hand, for three write strengths."""
    eye, zero = np.eye(4)[None], np.zeros((1, 4, 1))
    data = Sequences(*np.array([[[0, 1, 0]], [[1, 3, 2]]]), np.array([0]), np.array([2]))
    for strength, expected in ((1.0, [0, 0, 1, 0]), (0.25, [0, 0.1875, 0.25, 0])):
        memory = study.Fixed(each(identity), strength)  # unit vectors sum to 1
        y = memory.forward([eye, eye, eye, zero, zero[:, :1]], data)
        np.testing.assert_allclose(y[0, 0], expected)
    y = Sum(each(identity)).forward([eye, eye, eye, zero, zero[:, :1]], data)
    np.testing.assert_allclose(y[0, 0], [0, 0.5, 0.5, 0])


@pytest.mark.parametrize(("phi", "room"), [(each(elu_plus_one), 2), (DPFP_1, 4)])
def test_no_memory_beats_the_bound_of_its_features(phi, room):
    """Asked for every key in turn, at least 1 - features / keys is lost, with any slow weights."""
    rng = np.random.default_rng(4)
    for size in (5, 12, 24):
        order = np.tile(rng.permutation(size), (size, 1))
        values = np.tile(np.arange(size), (size, 1))
        weights = slow_weights(rng, size, d=2)
        data = Sequences(order, values, order[0], np.arange(size))
        difference, _ = compare(Sum(phi), weights, data)
        assert ((difference**2).sum(2).mean(1) >= 1 - room / size - 1e-9).all()


# ---- the task ----
@settings(max_examples=60, deadline=None)
@given(
    draw=st.sampled_from([unique, changing, judged]),
    size=st.integers(2, 12),
    count=st.integers(1, 8),
    seed=st.integers(0, 10**6),
)
def test_the_last_value_of_a_key_that_occurred_is_right(draw, size, count, seed):
    data = draw(np.random.default_rng(seed), size, count)
    pairs = 2 * size if draw is changing else size
    assert data.keys.shape == data.values.shape == (count, pairs)
    for keys, values, query, target in zip(*data, strict=True):
        assert dict(zip(keys.tolist(), values.tolist()))[int(query)] == target  # keeps the last
        assert {*keys, *values} <= set(range(size))
        if draw is unique:
            assert sorted(keys) == sorted(values) == list(range(size))


def test_pairs_are_asked_in_training_and_keys_where_the_authors_judge():
    """With two keys, a pair picks the frequent key more often; a key is picked evenly."""
    rng = np.random.default_rng(0)
    data = changing(rng, 2, 20_000)
    lone = data.keys.sum(1) == 1  # key 1 is one of four pairs
    assert data.query[lone].mean() == pytest.approx(0.25, abs=0.02)
    assert (data.query == data.keys[:, -1]).mean() < 0.75  # not just the last pair
    data = judged(rng, 3, 20_000)
    both = (data.keys == 1).sum(1) == 2  # key 1 twice, another one once
    assert (data.query[both] == 1).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("draw", [unique, changing, judged])
def test_keys_and_values_are_even_and_the_target_cannot_be_read_off_the_last_pair(draw):
    data = draw(np.random.default_rng(1), 20, 4000)
    for drawn in (data.keys[:, 0], data.values[:, -1], data.target):
        np.testing.assert_allclose(np.bincount(drawn, minlength=20) / 4000, 0.05, atol=0.015)
    assert (data.target == data.values[:, -1]).mean() < 0.15  # 0.05 for chance
    assert (data.target == data.query).mean() < 0.1
    assert (data.keys == data.values).mean() < 0.1


# ---- training and evaluation ----
class Filmed(Sum):
    """Memories that keep what is done with them; a run makes many, in the order of `films`."""

    films = []

    def __init__(self, phi):
        super().__init__(phi)
        self.seen, self.slopes = [], []
        Filmed.films.append(self)

    def forward(self, weights, data):
        self.seen.append(([part.copy() for part in weights], data))
        return super().forward(weights, data)

    def backward(self, dy):
        self.slopes.append(super().backward(dy))
        return self.slopes[-1]


def streams(seed, count=3):
    """A few random streams."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(count)]


def test_initial_weights_are_independent_starts_with_equal_projections():
    E, W_k, W_q, w, b = initial(np.random.default_rng(0), 200, 16, 3)
    assert E.shape == (3, 200, 16) and w.shape == (3, 16, 1) and b.shape == (3, 1, 1)
    assert E.dtype == W_q.dtype == b.dtype == np.float32 and not w.any() and not b.any()
    np.testing.assert_array_equal(W_k, W_q)
    assert not np.shares_memory(W_k, W_q)
    assert E.std() == pytest.approx(1, abs=0.03) and W_k.std() == pytest.approx(0.25, abs=0.03)
    assert not np.allclose(E[0], E[1]) and not np.allclose(W_k[0], W_k[1])


def test_training_is_adam_on_fresh_sequences_with_falling_rates():
    config = Config(steps=6, d_key=4, learning_rates=(0.01, 0.04), batch_size=3, stop=0.0)
    config = replace(config, validation=2, check_every=4)
    memory = Filmed(DPFP_1)
    chosen, steps = train(memory, changing, 5, config, streams(3), silent)
    assert steps == 6 and len(memory.slopes) == 6 and len(memory.seen) == 6 + 2
    start, training, validation = streams(3)  # each draws what it is named for
    for seen, rng in ((memory.seen[0], training), (memory.seen[6], validation)):
        np.testing.assert_array_equal(seen[1].keys, changing(rng, 5, 3).keys)
    weights = [part.astype(float) for part in initial(start, 5, 4, 2)]
    mean, square = ([0.0 * part for part in weights] for _ in range(2))
    for step, gradient in enumerate(memory.slopes, 1):
        for part, seen in zip(weights, memory.seen[step - 1][0]):
            np.testing.assert_allclose(seen, part, rtol=0, atol=1e-5)
        for i, slope in enumerate(gradient):
            mean[i] = 0.9 * mean[i] + 0.1 * slope
            square[i] = 0.99 * square[i] + 0.01 * slope**2
            size = np.sqrt(square[i]) + 1e-8
            correction = math.sqrt(1 - 0.99**step) / (1 - 0.9**step)
            fall = 1.0 if step <= 3 else 2 * (7 - step) / 7
            for copy, rate in enumerate(config.learning_rates):
                weights[i][copy] -= rate * fall * correction * mean[i][copy] / size[copy]
    final = memory.seen[-1][0]
    errors = [(compare(memory, final, data)[0] ** 2).sum(2).mean(1) for _, data in memory.seen[6:8]]
    best = int(np.mean(errors, 0).argmin())
    for part, kept in zip(final, chosen, strict=True):
        np.testing.assert_array_equal(part[best : best + 1], kept)
        assert kept.dtype == np.float32


def test_the_copy_with_the_least_validation_error_is_chosen(monkeypatch):
    errors = np.array([0.3, 0.1, 0.2])
    monkeypatch.setattr(fwp, "test", lambda *a: (errors, None))
    config = Config(steps=1, d_key=4, learning_rates=(0.01, 0.02, 0.03))
    chosen, _ = train(memory := Filmed(DPFP_1), unique, 5, config, streams(1), silent)
    start, moved = memory.seen[0][0][0][1], chosen[0][0]
    assert chosen[0].shape == (1, 5, 4) and 0.015 < np.abs(moved - start).max() < 0.025


def test_training_stops_when_it_has_learned_and_not_before():
    config = Config(steps=400, d_key=16, learning_rates=(0.03,), check_every=20)
    memory = Filmed(DPFP_1)
    memory.__class__ = type("FilmedDelta", (Filmed, Delta), {})
    weights, steps = train(memory, changing, 5, config, streams(0), silent)
    assert steps < 400 and steps % 20 == 0
    errors = [(compare(Delta(DPFP_1), *seen)[0] ** 2).sum(2).mean() for seen in memory.seen[:steps]]
    means = np.mean(np.reshape(errors, (-1, 20)), 1)
    assert (means[:-1] >= config.stop).all() and means[-1] < config.stop
    error, right = judge(Delta(DPFP_1), weights, judged, 5, config, np.random.default_rng(1), 8)
    assert error[0] < 0.01 and right[0] == 1.0


def test_the_test_averages_over_batches():
    memory, weights, _ = case("dpfp1")
    config = Config(batch_size=4)
    error, right = judge(memory, weights, judged, 5, config, np.random.default_rng(8), 3)
    rng = np.random.default_rng(8)
    errors, hits = [], []
    for keys, values, query, target in (row for _ in range(3) for row in zip(*judged(rng, 5, 4))):
        y = slow_answer("dpfp1", "sum", None, [part[1] for part in weights], keys, values, query)
        hits.append(y.argmax() == target)
        y[target] -= 1
        errors.append(y @ y)
    assert error[1] == pytest.approx(np.mean(errors)) and right[1] == np.mean(hits)


def test_an_error_that_is_not_finite_stops_training(monkeypatch):
    nothing = np.full((2, 3, 5), np.nan), None
    monkeypatch.setattr(fwp, "compare", lambda *a: nothing)
    with pytest.raises(FloatingPointError, match="error is nan at step 1"):
        train(Sum(DPFP_1), unique, 5, Config(), streams(0), silent)


# ---- the wiring of both programs ----
def words(data):
    """Each sequence as bytes."""
    rows = zip(*data, strict=True)
    return [b"".join(np.asarray(part).tobytes() for part in row[:3]) for row in rows]


@pytest.fixture
def filmed(monkeypatch):
    """Films of all memories that a run makes, in their order."""
    Filmed.films = []
    tables = fwp.MEMORIES, study.MAPS, study.FAVORS, study.RULES, study.CONTROLS
    for table in tables:
        for row, make in table.items():

            def watched(config, rng, make=make, row=row):
                memory = make(config, rng)
                film = Filmed(memory.phi)
                film.__class__ = type("Watched", (Filmed, type(memory)), {})
                film.__dict__.update(vars(memory), row=row, rng=rng)
                return film

            monkeypatch.setitem(table, row, watched)
    return Filmed.films


def test_a_run_tests_on_what_no_memory_saw_and_trains_all_of_them_alike(filmed):
    config = Config(**QUICK | {"steps": 4, "stop": 0.0, "unique_keys": (60, 120)})
    metrics = run(config, 1000, silent)
    jobs = points(config)
    assert [film.row for film in filmed] == [row for row, *_ in jobs]
    starts = set()
    for film, (row, (draw, _), size) in zip(filmed, jobs, strict=True):
        batches = [data for _, data in film.seen]
        assert len(film.slopes) == 4 and len(batches) == 4 + 1 + 2  # training, validation, test
        assert all(len(data.keys) == 32 for data in batches)
        sequences = [word for data in batches for word in words(data)]
        assert len(set(sequences)) == len(sequences)
        assert [len(seen[0][0]) for seen in film.seen] == [2] * 5 + [1] * 2  # then the chosen one
        pairs = size if draw is unique else 2 * size
        assert [data.keys.shape[1] for data in batches] == [pairs] * 5 + [size] * 2
        starts |= {film.seen[0][0][0].tobytes(), *(data.keys[0].tobytes() for data in batches)}
        starts |= {film.rng.random()}
        errors = [
            (compare(MEMORIES_BEFORE[row](config, None), *seen)[0] ** 2).sum(2).mean()
            for seen in film.seen[5:7]
            if row != "favor"
        ]
        if errors:
            assert metrics[row][f"error_{size}"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert len(starts) == len(filmed) * (1 + 7 + 1)  # no two streams start alike


MEMORIES_BEFORE = dict(MEMORIES)


def test_the_default_run_is_the_papers_experiment():
    config = Config()
    assert config.d_key == 64 and config.batch_size == 32
    unique_sizes, changing_sizes = (60, 120, 180, 240), (20, 60, 100)
    expected = [(row, unique, size) for row in ("elu", "dpfp1") for size in unique_sizes]
    expected += [("favor", unique, 60), ("softmax", unique, 240)]
    expected += [(row, changing, size) for row in ("sum", "delta") for size in changing_sizes]
    expected += [("softmax_changing", changing, 60)]
    assert [(row, draw, size) for row, (draw, _), size in points(config)] == expected
    assert all(
        test is (judged if draw is changing else unique) for _, (draw, test), _ in points(config)
    )
    made = {row: make(config, None) for row, make in MEMORIES.items()}
    kinds = {row: type(memory) for row, memory in made.items()}
    softmax = {"softmax": Softmax, "softmax_changing": Softmax}
    assert kinds == dict.fromkeys(MEMORIES, Sum) | softmax | {"delta": Delta}
    x = np.random.default_rng(0).standard_normal((1, 3, 64))
    for row, nu in (("dpfp1", 1), ("sum", 1), ("delta", 1)):
        np.testing.assert_array_equal(made[row].phi(x, x)[0][0], dpfp(x, nu)[0])
    assert isinstance(made["favor"].phi, Favor) and made["favor"].phi.count == 64


def test_a_run_reports_errors_distances_and_leads(monkeypatch):
    script = {"sum": 0.5, "delta": 0.1, "favor": 0.9, "dpfp1": 0.2, "elu": 0.4, "softmax": 0.0}
    script["softmax_changing"] = 0.3
    config, said, measured = Config(), [], []

    def scripted(kind, setting, size, config, stream, progress):
        row = next(row for row, make in MEMORIES.items() if make is kind)
        row = points(config)[len(measured)][0]
        measured.append((row, stream.spawn_key))
        progress(0.5, "half")
        return script[row] + size / 1000, 1.0, 7

    monkeypatch.setattr(fwp, "measure", scripted)
    metrics = run(config, 1000, lambda fraction, message: said.append(fraction))
    gaps = [abs(0.4 + s / 1000 - LOGS["elu"][n]) for n, s in enumerate(config.unique_keys)]
    gaps += [abs(0.2 + s / 1000 - LOGS["dpfp1"][n]) for n, s in enumerate(config.unique_keys)]
    assert metrics["curve_distance"] == pytest.approx(np.mean(gaps))
    assert metrics["least_delta_lead"] == pytest.approx(0.4)
    assert metrics["favor_lead"] == pytest.approx(0.7)
    assert metrics["sum"] == {f"error_{n}": 0.5 + n / 1000 for n in (20, 60, 100)}
    assert metrics["training"]["sequences_per_second"] > 0
    assert said == sorted(said) and len(said) == 17 and 0 < said[0] and said[-1] < 1
    assert len({key for _, key in measured}) == 17
    script["delta"] = 0.7
    measured.clear()
    assert run(config, 1000, silent)["least_delta_lead"] == pytest.approx(-0.2)


def test_the_least_lead_is_the_least():
    table = {"elu": {}, "dpfp1": {"error_60": 0.2}, "favor": {"error_60": 0.1}}
    table |= {"sum": {"a": 0.5, "b": 0.4, "c": 0.6}, "delta": {"a": 0.1, "b": 0.3, "c": 0.0}}
    for row in ("elu", "dpfp1"):
        table[row] |= {f"error_{size}": 0.2 for size in (60, 120, 180, 240)}
    leads = fwp.verdicts(table, Config())
    assert leads["least_delta_lead"] == pytest.approx(0.1)
    assert leads["favor_lead"] == pytest.approx(-0.1)


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    config = Config(**QUICK | {"steps": 2})
    runs = [run(config, seed, silent) for seed in (1000, 1000, 1001)]
    assert all(record.pop("training")["sequences_per_second"] > 0 for record in runs)
    assert runs[0] == runs[1] != runs[2]


def test_the_study_trains_each_row_as_named_and_tests_it_unseen(filmed):
    config = study.Config(**study.QUICK | {"steps": 2, "unique_keys": (60,), "stop": 0.0})
    table = study.run(config, 1000, silent)
    jobs = study.jobs_of(config)
    assert len(filmed) == len(jobs) == 5 + 4 + 4 + 4 + 5 + 4
    starts = set()
    for film, job in zip(filmed, jobs, strict=True):
        assert job.row.removeprefix("small_") == film.row
        d = 16 if job.row.startswith("small_") else 64
        assert film.seen[0][0][0].shape == (2, job.keys, d) and len(film.slopes) == 2
        batches = [data for _, data in film.seen]
        sequences = [word for data in batches for word in words(data)]
        assert len(batches) == 2 + 1 + 1 + 1 and len(set(sequences)) == len(sequences)
        judged_pairs = job.keys * (2 if film.row in study.CONTROLS else 1)
        assert batches[3].keys.shape[1] == judged_pairs
        assert batches[4].keys.shape[1] == batches[0].keys.shape[1]
        assert table[job.row]["keys"] == [job.keys]
        starts |= {film.seen[0][0][0].tobytes(), *(data.keys[0].tobytes() for data in batches)}
    assert len(starts) == 6 * len(jobs)
    cost = table["divided"]["error"][0] - table["normalised"]["error"][0]
    assert table["normaliser_cost"] == cost
    assert table["unnormalised"]["start_log10_error"] > 5
    phis = {film.row: type(film.phi) for film in filmed if "favor" in film.row}
    assert phis["favor_redrawn"] is Favor and phis["favor_once"] is study.Once
    counts = {film.row: film.phi.count for film in filmed if "favor" in film.row}
    assert counts["favor_once"] == 64 and counts["favor_more_redrawn"] == 128
    strengths = {film.row: getattr(film, "fixed", None) for film in filmed}
    assert (strengths["strength_1"], strengths["strength_half"]) == (1.0, 0.5)


def test_the_studys_verdicts_on_tables_worked_by_hand():
    config = study.Config()
    table = {row: {"keys": list(LOG_SIZES), "error": list(LOGS[row])} for row in LOGS}
    table |= {"divided": {"error": [0.5]}, "normalised": {"error": [0.2]}}
    found = study.verdicts(table, config)
    assert found["all_distance"] == 0 and found["knee_order"] == 1
    assert found["knees"] == {"elu": 120, "dpfp1": 180, "dpfp2": 300, "dpfp3": 480}
    assert found["normaliser_cost"] == pytest.approx(0.3)
    table["dpfp3"]["error"] = [0.05] * 10  # never full counts as full beyond all sizes
    found = study.verdicts(table, config)
    assert found["knees"]["dpfp3"] is None and found["knee_order"] == 1
    gaps = [abs(0.05 - log) for log in LOGS["dpfp3"]]
    assert found["all_distance"] == pytest.approx(sum(gaps) / 40)
    table["dpfp2"]["error"] = list(LOGS["dpfp1"])  # a tie is no rise
    assert study.verdicts(table, config)["knee_order"] == 0


# ---- unusable arguments ----
def test_config_refuses_sizes_without_a_log():
    with pytest.raises(ValueError, match="--unique-keys"):
        Config(unique_keys=(60, 100))


@pytest.mark.parametrize(
    "argv",
    [
        ["--d-key", "1"],
        ["--unique-keys", "61"],
        ["--learning-rates", "0"],
        ["--beta-1", "1"],
        ["--stop", "nan"],
        ["--test", "0"],
        ["--changing-keys", "many"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        fwp.main(fwp, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
