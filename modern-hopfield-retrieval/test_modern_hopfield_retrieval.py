"""Tests of the modern Hopfield memory: the update, the tasks, the rivals, the wiring."""

import copy

import modern_hopfield_retrieval
import study_modern_hopfield_retrieval
from modern_hopfield_retrieval import (
    BETAS,
    GRID,
    QUICK,
    Config,
    capacity,
    classical_share,
    clustered,
    decades,
    energy,
    error_law,
    fixed_points,
    line,
    run,
    shares_right,
    trials,
    update,
)
from study_modern_hopfield_retrieval import (
    NETS,
    HopfieldPooling,
    MaxPooling,
    MeanPooling,
    Net,
    accuracy,
    draw_bags,
    gradient,
    linear_share,
    pooling,
    rivals,
    trade_off,
)
import numpy as np
import pytest

SMALL = {"queries": 20, "draws": 2}


def silent(fraction, message):
    """Show nothing."""


def first_number(rng):
    """Return the number that a generator would give next."""
    return copy.deepcopy(rng).random()


def sphere(count, dimension, length, seed=0):
    """Return vectors of one length, (count, d)."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    return length * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# ---- the update and its energy ----
def literal_update(state, patterns, beta):
    """The update of one state, sum by sum."""
    exponent = [beta * sum(a * b for a, b in zip(state, x)) for x in patterns]
    weight = [np.exp(e - max(exponent)) for e in exponent]
    total = sum(weight)
    size = range(len(state))
    return [sum(w * x[i] for w, x in zip(weight, patterns)) / total for i in size]


@pytest.mark.parametrize("block", [1, 20, 2**18])
def test_the_update_is_the_papers(monkeypatch, block):
    monkeypatch.setattr(modern_hopfield_retrieval, "BLOCK", block)
    patterns, states = sphere(9, 4, 2.0), sphere(5, 4, 1.0, seed=1)
    expected = [literal_update(state, patterns, 1.3) for state in states]
    np.testing.assert_allclose(update(states, patterns, 1.3), expected, rtol=0, atol=1e-14)


def test_the_update_is_attention():
    keys, queries = sphere(9, 4, 2.0), sphere(5, 4, 1.0, seed=1)
    weight = np.exp(queries @ keys.T / np.sqrt(4))  # beta is one over the root of the key's size
    attention = weight / weight.sum(1, keepdims=True) @ keys
    np.testing.assert_allclose(update(queries, keys, 0.5), attention, rtol=0, atol=1e-14)


def test_a_case_worked_by_hand():
    """Patterns 1 and -1, state s: the weights are those of tanh, so that the new state is tanh."""
    moved = update(np.array([[0.3], [-2.0]]), np.array([[1.0], [-1.0]]), 1.7)
    np.testing.assert_allclose(moved, np.tanh(1.7 * np.array([[0.3], [-2.0]])), atol=1e-15)


def test_large_similarities_do_not_overflow():
    patterns = sphere(5, 3, 1000.0)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(update(patterns, patterns, 10.0), patterns)
        assert np.isfinite(energy(patterns, patterns, 10.0)).all()


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0])
def test_the_update_never_raises_the_energy(beta):
    patterns, states = sphere(20, 5, 2.0), sphere(50, 5, 1.9, seed=1)
    for _ in range(8):
        before, states = energy(states, patterns, beta), update(states, patterns, beta)
        after = energy(states, patterns, beta)
        assert (after <= before + 1e-12).all()
        assert (after >= -1e-12).all() and (after <= 2 * 2.0**2).all()  # the paper's bounds


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0])
def test_the_slope_of_the_energy_is_the_step(beta):
    patterns, states = sphere(20, 5, 2.0), sphere(6, 5, 1.5, seed=1)
    slope = states - update(states, patterns, beta)
    for i, step in enumerate(1e-5 * np.eye(5)):
        rise = energy(states + step, patterns, beta) - energy(states - step, patterns, beta)
        np.testing.assert_allclose(rise / 2e-5, slope[:, i], rtol=0, atol=1e-6)


# ---- the task ----
def test_queries_lie_as_far_from_their_pattern_as_asked_for():
    config = Config(radius=2.0, noise=0.3, queries=7, draws=3)
    seen = []
    for patterns, wanted, queries in trials(5, 10, config, np.random.default_rng(0)):
        np.testing.assert_allclose(np.linalg.norm(patterns, axis=1), 6.0, rtol=1e-5)
        distance = np.linalg.norm(queries - wanted, axis=1)
        np.testing.assert_allclose(distance, 0.3 * 6.0, rtol=1e-4)
        assert all((x == patterns).all(1).sum() == 1 for x in wanted)
        seen += [tuple(x) for x in wanted]
    assert len(seen) == len(set(seen)) == 7 * 3  # no pattern is asked for twice


def test_a_large_memory_is_asked_as_often_as_settings_say():
    memories = list(trials(50, 4, Config(queries=8, draws=3), np.random.default_rng(0)))
    assert [len(wanted) for _, wanted, _ in memories] == [8, 8, 8]
    assert [len(patterns) for patterns, _, _ in memories] == [50, 50, 50]


def test_patterns_and_noise_have_all_directions_alike():
    config = Config(queries=4000, draws=1, noise=1.0)
    ((patterns, wanted, queries),) = trials(4000, 3, config, np.random.default_rng(0))
    for vectors in (patterns, queries - wanted):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        np.testing.assert_allclose(unit.mean(0), 0, atol=0.04)
        np.testing.assert_allclose(unit.T @ unit / 4000, np.eye(3) / 3, atol=0.03)


def test_answers_are_judged_by_their_distance_after_each_update():
    config = Config(beta=0.6, noise=0.4, tolerance=0.2, **SMALL)
    shares = shares_right(12, 5, config, np.random.default_rng(3), updates=3)
    right = np.zeros(3)
    for patterns, wanted, queries in trials(12, 5, config, np.random.default_rng(3)):
        for pattern, state in zip(wanted, queries):
            for k in range(3):
                state = update(state[None], patterns, config.beta)[0]
                right[k] += np.linalg.norm(state - pattern) <= 0.2 * 3.0 * 2.0
    np.testing.assert_allclose(shares, right / 40)
    assert len(set(shares)) > 1 and 0 < shares[0] < 1


def test_clusters_lie_on_the_sphere_around_their_centres():
    patterns = clustered(Config(clusters=4, members=50), np.random.default_rng(0))
    length = 3.0 * np.sqrt(15)
    assert patterns.shape == (200, 16)
    np.testing.assert_allclose(np.linalg.norm(patterns, axis=1), length)
    groups = patterns.reshape(4, 50, 16)
    gaps = np.linalg.norm(groups - groups.mean(1, keepdims=True), axis=2) / length
    np.testing.assert_allclose(gaps.mean(), 0.15, atol=0.01)
    centres = groups.mean(1)
    assert min(np.linalg.norm(centres[i] - centres[j]) for i in range(4) for j in range(i)) > length


# ---- capacity ----
def test_n90_is_interpolated_between_the_first_two_sizes_around_the_bar():
    shares = {1: 1.0, 10: 0.95, 100: 0.85, 1000: 0.99}
    asked = []

    def share_at(count):
        asked.append(count)
        return shares[count]

    assert capacity(share_at, [1, 10, 100, 1000]) == pytest.approx(10**1.5)
    assert asked == [10, 100]
    assert capacity(lambda n: 0.9, [1, 10, 100]) == 100.0
    assert capacity(lambda n: 0.8, [1, 4]) == pytest.approx(2.0)


def test_the_grid_has_four_sizes_in_a_decade():
    assert GRID[0] == 1 and GRID[-1] > 300_000 and len(GRID) == 23
    assert set(10 ** np.arange(6)) <= set(GRID.tolist()) and {3, 6, 18, 32, 56} <= set(GRID)


def test_a_line_is_fitted():
    slope, residuals = line((1, 2, 3), np.array([1.0, 3.0, 5.0]))
    assert slope == pytest.approx(2) and residuals == pytest.approx(0, abs=1e-20)
    slope, residuals = line((0, 1, 2), np.array([0.0, 3.0, 0.0]))
    assert slope == pytest.approx(0) and residuals == pytest.approx(6)


def test_the_papers_bound_of_the_capacity_and_a_memory_that_keeps_it():
    def base(dimension, radius, failure):  # theorem 3, with beta = 1; w is Lambert's W
        a = 2 / (dimension - 1) * (1 + np.log(2 * radius**2 * failure * (dimension - 1)))
        b = 2 * radius**2 / 5
        w = 1.0
        for _ in range(50):
            w -= (w * np.exp(w) - np.exp(a) * b) / (np.exp(w) * (1 + w))
        return b / w

    assert base(20, 3, 0.001) == pytest.approx(3.1546, abs=1e-3)
    assert base(75, 1, 0.001) == pytest.approx(1.3719, abs=1e-3)
    patterns = int(np.sqrt(0.001) * base(20, 3, 0.001) ** (19 / 4)) + 1
    assert patterns == 8
    assert shares_right(patterns, 20, Config(**SMALL), np.random.default_rng(0))[0] == 1


# ---- the error of one update ----
def test_the_error_law_measures_separation_and_error_and_keeps_its_bound():
    config = Config(law_dimension=6, law_patterns=30, law_beta=4.0, draws=2)
    rng = np.random.default_rng(5)
    separation, ln_error = error_law(config, np.random.default_rng(5))
    expected = []
    for _ in range(2):
        x = modern_hopfield_retrieval.directions(30, 6, rng) * np.sqrt(5)
        for i in range(30):
            gap = 4.0 * min(x[i] @ x[i] - x[i] @ x[j] for j in range(30) if j != i)
            error = np.linalg.norm(np.array(literal_update(x[i], x, 4.0)) - x[i])
            if gap > 3 and error > 1e-12:
                expected.append((gap, np.log(error)))
    assert 10 < len(expected) < 60
    np.testing.assert_allclose(np.transpose([separation, ln_error]), expected, atol=1e-6)
    assert (ln_error <= np.log(2 * 29 * np.sqrt(5)) - separation).all()  # the paper's bound


# ---- minima ----
def test_two_opposite_patterns_have_one_minimum_or_two():
    """The update is tanh(beta M^2 m): two fixed points beside 0 if beta M^2 > 1."""
    patterns = np.array([[2.0, 0.0], [-2.0, 0.0]])
    assert fixed_points(patterns, 0.2) == 1
    assert fixed_points(patterns, 0.3) == 2


def test_fixed_points_pass_through_clusters():
    patterns = clustered(Config(clusters=3, members=4), np.random.default_rng(0))
    assert [fixed_points(patterns, beta) for beta in (0.001, 0.2, 20.0)] == [1, 3, 12]


def test_decades_of_the_longest_run():
    assert decades([1, 1, 1, 5, 5, 1, 1, 1, 1, 1], 1) == 1.0
    assert decades([5], 5) == 0.0 and decades([1, 2, 3], 7) == 0.0
    assert len(BETAS) == 23 and BETAS[0] == pytest.approx(1e-3)
    assert BETAS[4] == pytest.approx(1e-2) and BETAS[-1] == pytest.approx(10**2.5)


# ---- the classical network ----
def literal_recall(patterns):
    """The share of patterns that stay, unit by unit, in one binary network."""
    dimension, kept = patterns.shape[1], 0
    for x in patterns:
        state = list(x)
        for _ in range(10):
            for i in range(dimension):
                field = sum(
                    sum(p[i] * p[j] for p in patterns) * state[j]
                    for j in range(dimension)
                    if j != i
                )
                if field != 0:
                    state[i] = np.sign(field)
        kept += state == list(x)
    return kept / len(patterns)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_classical_network_is_hopfields(count):
    share = classical_share(count, 6, Config(queries=12, draws=1), np.random.default_rng(2))
    patterns = np.random.default_rng(2).choice([-1.0, 1.0], (12 // count, count, 6))
    assert share == pytest.approx(np.mean([literal_recall(memory) for memory in patterns]))
    assert share == 1 if count == 1 else 0 < share <= 1


def test_the_classical_network_repairs_flipped_bits():
    config = Config(noise=0.4, **SMALL)
    assert round(0.4**2 * 100 / 4) == 4
    assert classical_share(2, 100, config, np.random.default_rng(0)) == 1
    assert classical_share(2, 100, Config(noise=1.9, **SMALL), np.random.default_rng(0)) < 0.2


# ---- the wiring of run() ----
@pytest.fixture
def wired(monkeypatch):
    """Spies: the next number of each generator, and what is asked, in order."""
    module, calls = modern_hopfield_retrieval, {}

    def spy(name):
        original = getattr(module, name)
        calls[name] = []

        def spied(*arguments):
            rng = next(a for a in arguments if isinstance(a, np.random.Generator))
            start = first_number(rng)
            result = original(*arguments)
            calls[name].append((arguments, start, result))
            return result

        monkeypatch.setattr(module, name, spied)

    for name in ("shares_right", "classical_share", "error_law", "minima"):
        spy(name)
    return calls


def test_no_two_streams_start_alike_and_each_part_gets_the_settings(wired):
    config = Config(**QUICK)
    run(config, 1000, silent)
    capacities = [call for call in wired["shares_right"] if len(call[0]) == 4]
    gains = [call for call in wired["shares_right"] if len(call[0]) == 5]
    one_of_each = [capacities[0], gains[0], *wired["error_law"], *wired["minima"]]
    starts = [start for _, start, _ in (*one_of_each, wired["classical_share"][0])]
    assert len(set(starts)) == 5
    assert capacities[0][0][3] is not gains[0][0][3]  # nor does one go on in another's
    every = [start for calls in wired.values() for _, start, _ in calls]
    assert len(set(every)) == len(every)  # no numbers are used again
    assert all(config in arguments for calls in wired.values() for arguments, _, _ in calls)


def test_capacities_come_from_what_was_measured(wired):
    config = Config(**QUICK)
    metrics = run(config, 1000, silent)
    n90, gains = [], []
    for d in config.dimensions:
        shares = {a[0]: r[0] for a, _, r in wired["shares_right"] if a[1] == d and len(a) == 4}
        n90.append(capacity(shares.get, GRID))
        assert metrics["n90"][f"d{d}"] == n90[-1]
        ((size, _, _, _, updates), _, shares) = next(
            call for call in wired["shares_right"] if call[0][1] == d and len(call[0]) == 5
        )
        assert (size, updates) == (round(n90[-1] / 3), 10)
        gains.append(shares[9] - shares[0])
    assert metrics["iterating_gain"] == pytest.approx(np.mean(gains))
    shares = {a[0]: r for a, _, r in wired["classical_share"]}
    assert {a[1] for a, _, _ in wired["classical_share"]} == {6}
    binary = capacity(shares.get, range(1, 1000))
    assert metrics["classical"] == {"n90": binary, "per_number": binary / 15}
    assert metrics["modern"]["per_number"] == 1 / 6


def test_the_rival_answers_at_least_as_many_queries(monkeypatch):
    asked = []
    original = np.random.Generator

    class Counting:
        def choice(self, values, shape):
            asked.append(shape[0] * shape[1])
            return original(np.random.PCG64(0)).choice(values, shape)

    config = Config(queries=10, draws=3)
    for count in (1, 2, 4, 7):
        classical_share(count, 5, config, Counting())
        ours = sum(len(w) for _, w, _ in trials(count, 5, config, np.random.default_rng(0)))
        assert ours == 30 <= asked[-1] < 30 + count


def test_the_law_and_the_minima_are_reported_as_measured(wired):
    metrics = run(Config(**QUICK), 1000, silent)
    ((_, _, (separation, ln_error)),) = wired["error_law"]
    assert metrics["error_slope"] == pytest.approx(line(separation, ln_error)[0])
    assert metrics["error_correlation"] < -0.99
    ((_, _, counts),) = wired["minima"]
    assert counts.shape == (1, 23)
    spans = metrics["decades"]
    expected = {kind: decades(counts[0], n) for kind, n in zip(spans, (1, 5, 20))}
    assert spans == expected and list(spans) == ["all", "cluster", "single"]
    assert metrics["decades_min"] == min(spans.values())
    assert metrics["curve"] == {"x": np.log10(BETAS).tolist(), "y": counts[0].tolist()}


def test_each_memory_of_the_minima_is_another(monkeypatch):
    seen = []
    monkeypatch.setattr(
        modern_hopfield_retrieval,
        "fixed_points",
        lambda patterns, beta: seen.append((patterns[0, 0], beta)) or len(seen),
    )
    counts = modern_hopfield_retrieval.minima(Config(draws=3), np.random.default_rng(0))
    np.testing.assert_array_equal(counts, np.arange(1, 70).reshape(3, 23))
    assert len({x for x, _ in seen}) == 3 and [beta for _, beta in seen] == [*BETAS] * 3


@pytest.mark.parametrize("law, above", [(lambda d: 6.0**d, True), (lambda d: d**9.0, False)])
def test_the_fit_ratio_tells_an_exponential_from_a_power(monkeypatch, law, above):
    wobble = [1.0, 1.01, 0.99, 1.0, 1.01, 0.99]
    n90 = [law(d) * w for d, w in zip(range(4, 10), wobble)]
    monkeypatch.setattr(modern_hopfield_retrieval, "capacities", lambda *_: (n90, 0.0))
    monkeypatch.setattr(modern_hopfield_retrieval, "minima", lambda *_: np.ones((1, 23)))
    metrics = run(Config(draws=1, queries=10, law_patterns=50), 1000, silent)
    assert (metrics["fit_ratio"] > 1) == above
    assert not above or metrics["growth"] == pytest.approx(6, abs=0.1)


def test_no_law_can_be_fitted_to_patterns_that_overlap():
    config = Config(**QUICK | {"law_beta": 0.01})
    metrics = run(config, 1000, silent)
    assert metrics["error_slope"] is None and metrics["error_correlation"] is None


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    config = Config(**QUICK)
    assert run(config, 1000, silent) == run(config, 1000, silent) != run(config, 1001, silent)


@pytest.mark.parametrize("dimensions", [(4, 5), (4, 4, 5), (6, 5, 4)])
def test_too_few_or_unordered_dimensions_are_refused(dimensions):
    with pytest.raises(ValueError, match="--dimensions"):
        Config(dimensions=dimensions)


# ---- the study: bags ----
def test_bags_are_positive_where_a_signal_is_in_them():
    signals = np.array([3, 5, 255])
    bits, targets = draw_bags(signals, 400, np.random.default_rng(0))
    codes = (bits * 2 ** np.arange(8)).sum(2).astype(int)
    found = np.isin(codes, signals).sum(1)
    np.testing.assert_array_equal(found, targets)
    assert bits.shape == (400, 16, 8) and targets.mean() == 0.5 and codes.min() >= 1
    assert len(np.unique(codes)) == 255  # nothing else is left out
    places = np.isin(codes, signals)[targets == 1].argmax(1)
    assert (np.bincount(places, minlength=16) > 2).all()
    assert (np.unique(codes[np.isin(codes, signals)], return_counts=True)[1] > 40).all()


@pytest.mark.parametrize("net_kind, kind", NETS.values(), ids=NETS)
def test_gradients_agree_with_central_differences(net_kind, kind):
    rng = np.random.default_rng(1)
    net = net_kind(kind, rng)
    bag, target = rng.random((6, 5, 8)), np.array([0.0, 1, 1, 0, 1, 0])
    for weight in net.weights.values():
        weight += 0.3 * rng.standard_normal(weight.shape)

    def loss():
        z = net.forward(bag)
        return np.mean(np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - target * z)

    d_logit = (1 / (1 + np.exp(-net.forward(bag))) - target) / 6
    grads = net.backward(bag, d_logit)
    assert grads.keys() == net.weights.keys()
    for name, weight in net.weights.items():
        some = rng.permutation(list(np.ndindex(weight.shape)))[:60]
        for i in map(tuple, some):
            kept = weight[i]
            weight[i] = kept + 1e-6
            above = loss()
            weight[i] = kept - 1e-6
            numeric = (above - loss()) / 2e-6
            weight[i] = kept
            assert abs(numeric - grads[name][i]) <= 1e-6 * max(1, abs(numeric))


def test_hopfield_pooling_is_one_update_of_its_memory():
    rng = np.random.default_rng(2)
    pool, raw = HopfieldPooling(rng, 6), rng.random((3, 16, 6))
    pooled = pool.forward(raw).reshape(3, 8, 6)
    memory = raw - raw.mean(2, keepdims=True)
    memory /= np.sqrt(raw.var(2, keepdims=True) + 1e-5)  # layer norm
    for head in range(8):
        for b in range(3):
            keys = memory[b] @ pool.weights["key"][head]  # (n, 8)
            weight = np.exp(0.25 * keys @ pool.weights["query"][head])
            expected = weight / weight.sum() @ memory[b]
            np.testing.assert_allclose(pooled[b, head], expected, atol=1e-12)
    pool.weights["key"] = np.repeat(np.eye(6)[None], 8, axis=0)  # then pooling is the memory's own
    pool.weights["query"] = rng.random((8, 6))
    pooled = pool.forward(raw)[0].reshape(8, 6)
    np.testing.assert_allclose(pooled, update(pool.weights["query"], memory[0], 0.25), atol=1e-12)


def test_gated_attention_by_its_formula():
    rng = np.random.default_rng(2)
    pool, memory = study_modern_hopfield_retrieval.GatedAttention(rng, 6), rng.random((3, 16, 6))
    pooled = pool.forward(memory).reshape(3, 8, 6)
    for head in range(8):
        units = slice(8 * head, 8 * head + 8)
        V, U, v = pool.weights["V"][:, units], pool.weights["U"][:, units], pool.weights["v"][head]
        for b in range(3):
            score = (np.tanh(memory[b] @ V) / (1 + np.exp(-memory[b] @ U))) @ v
            weight = np.exp(score) / np.exp(score).sum()
            np.testing.assert_allclose(pooled[b, head], weight @ memory[b], atol=1e-12)


def test_maximum_and_mean_pool_each_feature():
    memory = np.random.default_rng(3).random((3, 16, 32))
    for kind, pooled in ((MaxPooling, np.max), (MeanPooling, np.mean)):
        pool = kind(None, 32).forward(memory)
        np.testing.assert_allclose(pool, pooled(memory, axis=1), atol=1e-12)


def test_poolings_stand_behind_the_same_layers():
    nets = {name: net(kind, np.random.default_rng(0)) for name, (net, kind) in NETS.items()}
    sizes = {name: sum(w.size for w in net.weights.values()) for name, net in nets.items()}
    layers = 8 * 32 + 32  # of the embedding
    assert sizes == {
        "hopfield": layers + 8 * (32 * 8 + 8) + 8 * 32 + 1,
        "gated": layers + 2 * 32 * 64 + 64 + 8 * 32 + 1,
        "maximum": layers + 32 + 1,
        "mean": layers + 32 + 1,
        "hopfield_bare": 8 * (8 * 8 + 8) + 8 * 8 + 1,
        "gated_bare": 2 * 8 * 64 + 64 + 8 * 8 + 1,
    }


def test_a_gradient_is_clipped_as_a_whole():
    rng = np.random.default_rng(4)
    net = Net(MaxPooling, rng)
    bag, target = 100 * rng.random((4, 16, 8)), np.array([1.0, 0, 1, 0])
    clipped = gradient(net, bag, target)
    norm = np.sqrt(sum((grad**2).sum() for grad in clipped.values()))
    assert norm == pytest.approx(1)


def test_the_first_step_of_adamw_by_hand():
    net = Net(MaxPooling, np.random.default_rng(5))
    bags, targets = draw_bags(np.arange(1, 9), 32, np.random.default_rng(6))
    before = {name: weight.copy() for name, weight in net.weights.items()}
    grads = gradient(net, bags, targets)
    config = study_modern_hopfield_retrieval.Config(epochs=1, learning_rate=0.01)
    study_modern_hopfield_retrieval.train(net, bags, targets, config, np.random.default_rng(7))
    for name, grad in grads.items():
        step = 0.01 * grad / (np.abs(grad) + 1e-8)
        expected = before[name] * (1 - 0.0001) - step
        np.testing.assert_allclose(net.weights[name], expected, atol=1e-6)


def test_a_net_learns_to_find_one_signal():
    config = study_modern_hopfield_retrieval.Config(epochs=40, learning_rate=0.02)
    rng = np.random.default_rng(8)
    bags, targets = draw_bags(np.array([255]), 256, rng)
    test_bags, test_targets = draw_bags(np.array([255]), 256, rng)
    net = Net(HopfieldPooling, rng)
    study_modern_hopfield_retrieval.train(net, bags, targets, config, rng)
    assert accuracy(net, test_bags, test_targets) > 0.85
    assert accuracy(net, test_bags, 1 - test_targets) < 0.15


def test_all_nets_learn_from_the_same_bags_and_are_tested_with_others(monkeypatch):
    trained, tested, orders, inits, drawn = [], [], [], [], []

    def spied_train(net, bags, targets, config, rng):
        inits.append(next(iter(net.weights.values())).ravel()[0])
        orders.append(first_number(rng))
        trained.append(((type(net), type(net.pooling)), bags, targets))

    def spied_accuracy(net, bags, targets):
        tested.append(((type(net), type(net.pooling)), bags, targets))
        return len(tested) / 100

    def spied_draw(signals, count, rng):
        drawn.append((tuple(signals), first_number(rng)))
        return draw_bags(signals, count, rng)

    monkeypatch.setattr(study_modern_hopfield_retrieval, "draw_bags", spied_draw)
    monkeypatch.setattr(study_modern_hopfield_retrieval, "train", spied_train)
    monkeypatch.setattr(study_modern_hopfield_retrieval, "accuracy", spied_accuracy)
    config = study_modern_hopfield_retrieval.Config(sets=2, train_bags=64, test_bags=32)
    rows = pooling(config, np.random.SeedSequence(1000), silent)
    assert [kind for kind, _, _ in trained] == [*NETS.values()] * 2
    assert len(set(orders)) == len(set(inits)) == 12  # no two streams start alike
    for k in range(12):
        _, bags, targets = trained[k]
        (kind, test_bags, _), (_, again, _) = tested[2 * k : 2 * k + 2]
        assert kind == trained[k][0] and again is bags is trained[k // 6 * 6][1]
        assert test_bags is tested[k // 6 * 12][1]
        assert (len(bags), len(test_bags)) == (64, 32)
        seen = {bag.tobytes() for bag in bags}
        assert not seen & {bag.tobytes() for bag in test_bags}
    (first, _), (first_too, _), (second, _), (second_too, _) = drawn
    assert first == first_too != second == second_too  # the signals of a set
    assert len(set(first)) == 8 and min(first) >= 1 and len({start for _, start in drawn}) == 4
    assert rows["hopfield"] == pytest.approx({"test": (0.01 + 0.13) / 2, "train": 0.08})
    assert rows["mean"] == pytest.approx({"test": (0.07 + 0.19) / 2, "train": 0.14})


# ---- the study: rivals and trade-off ----
def test_linear_memories():
    patterns = sphere(3, 5, 2.0)
    outer, delta, inverse = (w(patterns) for w in study_modern_hopfield_retrieval.LINEAR.values())
    np.testing.assert_allclose(outer, sum(np.outer(x, x) for x in patterns))
    np.testing.assert_allclose(delta @ patterns[-1], patterns[-1])
    assert not np.allclose(delta @ patterns[0], patterns[0])
    np.testing.assert_allclose(inverse @ patterns.T, patterns.T)
    np.testing.assert_allclose(inverse @ inverse, inverse, atol=1e-12)


def test_answers_of_a_linear_memory_are_judged_as_the_others():
    config = Config(noise=0.3, tolerance=0.25, **SMALL)
    write = study_modern_hopfield_retrieval.delta_rule
    share = linear_share(write, 2, 6, config, np.random.default_rng(1))
    right = []
    for patterns, wanted, queries in trials(2, 6, config, np.random.default_rng(1)):
        for pattern, query in zip(wanted, queries):
            answer = write(patterns) @ query
            answer *= np.linalg.norm(pattern) / np.linalg.norm(answer)
            right.append(np.linalg.norm(answer - pattern) <= 0.25 * 3.0 * np.sqrt(5))
    assert share == pytest.approx(np.mean(right)) and 0 < share < 1


def test_rivals_are_divided_by_the_numbers_that_they_store(monkeypatch):
    starts = []

    def fixed(value):
        def n90(dimension, memory, rng):
            starts.append(first_number(rng))
            return value

        return n90

    def linear(write, count, dimension, memory, rng):
        starts.append(first_number(rng))
        return 0.8

    monkeypatch.setattr(study_modern_hopfield_retrieval, "modern_n90", fixed(500.0))
    monkeypatch.setattr(study_modern_hopfield_retrieval, "classical_n90", fixed(3.0))
    monkeypatch.setattr(study_modern_hopfield_retrieval, "linear_share", linear)
    row = rivals(10, Config(), np.random.SeedSequence(0))
    assert (row["modern_n90"], row["modern_per_number"]) == (500.0, 0.1)
    assert (row["classical_n90"], row["classical_per_number"]) == (3.0, 3 / 45)
    assert row["delta_n90"] == pytest.approx(np.sqrt(2))
    assert row["delta_per_number"] == row["delta_n90"] / 100
    assert len(set(starts)) == 5


def test_the_trade_off_varies_beta_noise_and_updates(monkeypatch):
    calls = []

    def spied(count, dimension, case, rng, updates):
        calls.append((dimension, case.beta, case.noise, updates, first_number(rng)))
        return np.array([0.0] * (updates - 1) + [0.8])

    monkeypatch.setattr(study_modern_hopfield_retrieval, "shares_right", spied)
    config = study_modern_hopfield_retrieval.Config(noises=(0.1, 0.2), betas=(1.0, 2.0))
    rows = trade_off(config, Config(), np.random.SeedSequence(0), silent)
    assert list(rows) == ["beta1_noise0.1", "beta1_noise0.2", "beta2_noise0.1", "beta2_noise0.2"]
    expected = [(8, b, n, u) for b in (1.0, 2.0) for n in (0.1, 0.2) for u in (1, 10)]
    assert [call[:4] for call in calls] == expected
    assert len({call[4] for call in calls}) == 8
    assert rows["beta1_noise0.1"]["ten"] == pytest.approx(np.sqrt(2))


def test_the_gain_is_that_of_hopfield_pooling_and_the_study_repeats(monkeypatch):
    module = study_modern_hopfield_retrieval
    seeds, accuracies = (
        [],
        {"hopfield": 0.75, "gated": 0.5, "hopfield_bare": 0.5, "gated_bare": 1.0},
    )
    rows = {name: {"test": value} for name, value in accuracies.items()}

    def spied(result):
        def part(*arguments):
            seed = next(a for a in arguments if isinstance(a, np.random.SeedSequence))
            seeds.append(tuple(seed.generate_state(2)))
            return result

        return part

    monkeypatch.setattr(module, "pooling", spied(rows))
    monkeypatch.setattr(module, "rivals", spied({"n": 1}))
    monkeypatch.setattr(module, "trade_off", spied({"t": {"one": 2.0}}))
    table = module.run(module.Config(), 1000, silent)
    assert (table["pooling_gain"], table["bare_gain"]) == (0.25, -0.5)
    assert {"hopfield", "gated", "d8", "d16", "t"} < table.keys()
    assert len(seeds) == len(set(seeds)) == 4


def test_a_study_repeats_bit_for_bit():
    little = {"epochs": 1, "noises": (0.1,), "betas": (1.0,), "queries": 5}
    quick = study_modern_hopfield_retrieval.QUICK | little
    config = study_modern_hopfield_retrieval.Config(**quick)
    tables = [study_modern_hopfield_retrieval.run(config, seed, silent) for seed in (1, 1, 2)]
    assert tables[0] == tables[1] != tables[2]
