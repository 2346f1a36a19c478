"""Tests: exact gradients, the flip-flop, the rule by hand, the bookkeeping, the wiring."""

import copy
import math
from dataclasses import replace

import fast_weights_unknown_delay
import study_fast_weights_unknown_delay as study
from fast_weights_unknown_delay import A, B, C, Config, Direct, Elman, FromTo
from fast_weights_unknown_delay import bridges, measure, quartiles, run, share, stream, train
import numpy as np
import pytest

SMALL = Config(nets=4, steps=150, rnn_nets=2, streak=20)


def silent(fraction, message):
    """Show nothing."""


def numerical(function, weights, step=1e-6):
    """Central differences of function() by each entry of weights, on a new last axis."""
    slopes = []
    for index in np.ndindex(weights.shape):
        kept = weights[index]
        weights[index] = kept + step
        high = function()
        weights[index] = kept - step
        low = function()
        weights[index] = kept
        slopes.append((high - low) / (2 * step))
    return np.stack(slopes, axis=-1)


def assert_close_gradient(exact, estimate):
    """Compare two gradients, relative to the largest entry."""
    assert np.abs(estimate).max() > 1e-5
    assert np.abs(exact - estimate).max() <= 1e-6 * max(1.0, np.abs(estimate).max())


def events_of(word):
    """The one-hot events (3, 1) of a word such as 'ACB'."""
    return [np.eye(3)[:, ["ABC".index(letter)]] for letter in word]


# ---- the rule ----
WORD = "CACCBACBBCCACACBCABBCACCCBABCACBBACCBCACBABCCCABCBACB"  # 53 steps; its last B answers


def fast(kind, steepness=4.0, init=0.5, rate=0.3, nets=1, seed=1):
    return kind(np.random.default_rng(seed), nets, steepness, rate, init)


@pytest.mark.parametrize("kind", [Direct, FromTo])
@pytest.mark.parametrize("steepness", [4.0, 10.0])
def test_a_step_of_fast_weights_descends_the_exact_gradient_of_fifty_steps(kind, steepness):
    start = fast(kind, steepness)

    def loss():
        net = copy.deepcopy(start)
        for x in events_of(WORD):
            y = net.answer(x)
        loss.net, loss.error = net, y - 1.0
        return 0.5 * loss.error**2

    estimate = numerical(loss, start.W)[0]
    loss()
    loss.net.learn(loss.error)
    assert len(WORD) > 50
    assert_close_gradient((start.W - loss.net.W).ravel() / 0.3, estimate)


@pytest.mark.parametrize("kind", [Direct, FromTo])
def test_sensitivities_are_the_derivatives_of_each_fast_weight(kind):
    start = fast(kind)

    def weights():
        net = copy.deepcopy(start)
        for x in events_of(WORD):
            net.answer(x)
        weights.net = net
        return net.w[:, 0].copy()

    estimate = numerical(weights, start.W)  # (3, outputs * 3)
    weights()
    exact = np.stack([weights.net.gradient(row[:, None]).ravel() for row in np.eye(3)])
    assert_close_gradient(exact, estimate)


@pytest.mark.parametrize("part", ["V", "u"])
def test_rtrl_is_exact_over_fifty_steps(part):
    start = Elman(np.random.default_rng(2), 3, np.array([0.3]), 1.5)

    def loss():
        net = copy.deepcopy(start)
        for x in events_of(WORD):
            y = net.answer(x)
        loss.net, loss.error = net, y - 1.0
        return 0.5 * loss.error**2

    estimate = numerical(loss, getattr(start, part))[0]
    loss()
    loss.net.learn(loss.error)
    change = getattr(start, part) - getattr(loss.net, part)
    assert_close_gradient(change.ravel() / 0.3, estimate)


def sigma(z, steepness):
    return 1 / (1 + math.exp(-steepness * (z - 0.5)))


@pytest.mark.parametrize("kind", [Direct, FromTo])
def test_training_is_the_papers_rule_number_by_number(kind):
    net = fast(kind, 5.0, nets=2, seed=3)
    W = net.W.copy()
    moments = list(stream(np.random.default_rng(4), 2, 80))
    train(net, moments, replace(SMALL, streak=10**6, steps=10**6), silent)
    for n in range(2):
        w = [sigma(0.0, 5.0)] * 3
        p = np.zeros((3, *W.shape[:2]))  # dw_b/dW_ij
        for x, target in moments:
            e = x[:, n].argmax()
            W[:, :, n] -= 0.3 * (w[e] - target[n]) * p[e]
            s = W[:, e, n]
            for b in range(3):
                ds = np.zeros(len(s))  # d(dw_b)/ds
                if kind is Direct:
                    change, ds[b] = s[b], 1.0
                else:
                    change, ds[b], ds[3] = s[b] * s[3], s[3], s[b]
                w[b] = sigma(w[b] + change, 5.0)
                p[b, :, e] += ds
                p[b] *= 5.0 * w[b] * (1 - w[b])
    np.testing.assert_allclose(net.W, W, rtol=0, atol=1e-11)


def test_two_steps_worked_by_hand():
    """T = 4, eta = 0.5: an A raises the weight of B by 1 before squashing, then B should say 1."""
    net = fast(Direct, 4.0, rate=0.5)
    net.W[:] = 0
    net.W[B, A] = 1.0
    a, b = events_of("AB")
    w0 = sigma(0.0, 4.0)
    assert net.answer(a)[0] == pytest.approx(w0, abs=1e-12)  # F answers before the write
    net.learn(np.array([w0]))
    assert net.W[A].tolist() == [[0.0]] * 3  # no write yet, nothing to learn from
    w1 = sigma(w0 + 1, 4.0)
    y = net.answer(b)
    assert y[0] == pytest.approx(w1, abs=1e-12)
    net.learn(y - 1)
    assert net.W[B, A, 0] == pytest.approx(1 - 0.5 * (w1 - 1) * 4 * w1 * (1 - w1), abs=1e-12)
    assert net.W[B, B, 0] == 0.0


def test_an_outer_product_writes_in_from_to_nets():
    net = fast(FromTo, 10.0)
    assert net.W.shape == (4, 3, 1) and fast(Direct).W.shape == (3, 3, 1)
    net.W[:] = 0
    net.W[[B, 3], A] = [[2.0], [0.5]]  # 2 * 0.5 = 1
    a, c = events_of("AC")
    net.answer(a)
    net.answer(c)
    w0 = sigma(0.0, 10.0)
    expected = [sigma(w0, 10.0), sigma(w0 + 1, 10.0), sigma(w0, 10.0)]
    np.testing.assert_allclose(net.w[:, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("steepness", "latches"), [(3.0, False), (10.0, True)])
def test_a_fast_weight_left_alone_needs_a_steepness_to_latch(steepness, latches):
    net = fast(Direct, steepness, nets=2)
    net.W[:] = 0
    net.w[:] = [0.3, 0.7]
    for _ in range(300):
        net.answer(np.zeros((3, 2)))
    assert (net.w[0, 1] - net.w[0, 0] > 0.9) == latches


def test_the_elman_net_against_loops():
    net = Elman(np.random.default_rng(5), 2, np.array([1.0, 2.0]), 1.0)
    assert net.V.shape == (2, 6, 2) and np.abs(net.V).max() > 0.8
    h = np.zeros((2, 2))
    for x, _ in stream(np.random.default_rng(6), 2, 20):
        y = net.answer(x)
        for n in range(2):
            fed = [*x[:, n], 1.0, *h[:, n]]
            sums = [sum(v * f for v, f in zip(net.V[k, :, n], fed)) for k in range(2)]
            h[:, n] = [1 / (1 + math.exp(-z)) for z in sums]
            out = net.u[0, n] * h[0, n] + net.u[1, n] * h[1, n] + net.u[2, n]
            assert y[n] == pytest.approx(1 / (1 + math.exp(-out)), abs=1e-12)


# ---- the task ----
@pytest.fixture(scope="module")
def streams():
    """20 streams of 3000 steps: x (T, 3, N) and targets (T, N)."""
    return [np.array(part) for part in zip(*stream(np.random.default_rng(8), 20, 3000))]


def test_the_stream_is_the_flip_flop(streams):
    x, target = streams
    assert (x.sum(1) == 1).all()
    assert np.abs(x.mean((0, 2)) - 1 / 3).max() < 0.01
    for n in range(20):
        word = "".join("ABC"[k] for k in x[:, :, n].argmax(1))
        for t in range(3000):
            wanted = word[t] == "B" and "A" in word[:t].rpartition("B")[2]
            assert target[t, n] == wanted
    assert not np.array_equal(x[:, :, 0], x[:, :, 1])


def test_the_answer_cannot_be_read_off_the_last_input(streams):
    x, target = streams
    at_b = target[x[:, B] == 1]
    assert 0.48 < at_b.mean() < 0.52  # a B is answered by 1 every second time
    after_c = target[1:][(x[1:, B] == 1) & (x[:-1, C] == 1)]
    assert 0.47 < after_c.mean() < 0.53  # nor off the last two


# ---- training and evaluation on scripts ----
class Scripted:
    """A net whose answers are given, (T, N)."""

    def __init__(self, answers):
        self.answers = iter(np.array(answers, float))
        self.learned = []

    def answer(self, x):
        return next(self.answers)

    def learn(self, error):
        self.learned.append(error)


def test_steps_to_a_solution_are_counted_and_what_has_solved_rests():
    errors = np.zeros((8, 3))
    errors[1, 0] = 0.06  # net 0 starts again after step 2
    errors[:, 1] = 0.05  # is right all the time
    errors[::2, 2] = -0.2  # net 2 is never right three times
    net = Scripted(errors)
    moments = [(np.zeros((3, 3)), np.zeros(3))] * 8
    solved = train(net, moments, replace(SMALL, streak=3), silent)
    assert solved.tolist() == [5, 3, np.inf]
    assert [row[1] for row in net.learned] == [0.05, 0.05] + [0.0] * 6
    assert net.learned[1][0] == 0.06 and net.learned[6][2] == -0.2


def test_training_ends_when_all_have_solved():
    net = Scripted(np.zeros((8, 2)))
    moments = iter([(np.zeros((3, 2)), np.zeros(2))] * 8)
    assert train(net, moments, replace(SMALL, streak=4), silent).tolist() == [4, 4]
    assert len(list(moments)) == 4


def test_quartiles_and_shares():
    config = replace(SMALL, steps=100)
    solved = np.array([10.0, 20.0, 30.0, np.inf, np.inf])
    assert quartiles(solved, config).tolist() == [20.0, 30.0, 100.0]
    assert share(np.array([True, False, True]), np.array([True, True, False])) == 0.5
    assert share(np.zeros(2, bool), np.zeros(2, bool)) is None
    right = np.array([[True, False, True, False, False]] * 2)
    row = measure(solved, right, config)
    assert row["solved"] == 0.6 and row["right_at_gap_10"] == pytest.approx(2 / 3)
    assert row["lower_quartile"] == 20 and row["upper_quartile"] == 100


def by_hand(W_BC):
    """A latch written by hand: A sets the weight of B, B clears it, C adds W_BC."""
    net = fast(Direct, 10.0)
    net.W[:] = 0
    net.W[B, :, 0] = 1.0, -1.0, W_BC
    return net


def test_a_latch_bridges_any_gap_and_a_leak_does_not():
    assert bridges(by_hand(0.0), 3, 0.05)[0] and bridges(by_hand(0.0), 1000, 0.05)[0]
    assert bridges(by_hand(-0.35), 1, 0.5)[0] and not bridges(by_hand(-0.35), 50, 0.5)[0]
    assert not bridges(by_hand(0.35), 50, 0.5)[0]  # forgets that nothing came
    deaf = by_hand(0.0)
    deaf.W[B, B] = 0.0  # never cleared: wrong at the second B alone
    assert not bridges(deaf, 5, 0.05)[0]


def test_frozen_nets_do_not_learn():
    net = fast(FromTo, 10.0, nets=3)
    kept = net.W.copy()
    bridges(net, 20, 0.05)
    np.testing.assert_array_equal(net.W, kept)


# ---- the wiring of run() ----
@pytest.fixture
def spied(monkeypatch):
    """What a run draws, trains and tests."""
    seen = {"streams": [], "trained": [], "tested": []}
    module = fast_weights_unknown_delay

    def draws(rng, nets, steps):
        begun = [rng.bit_generator.state["state"]["state"], nets, steps]
        seen["streams"].append(begun)
        return stream(rng, nets, steps)

    def trains(net, events, config, progress):
        first = (net.W if hasattr(net, "W") else net.V).flat[0]
        solved = train(net, events, config, progress)
        seen["trained"].append((net, first, solved))
        return solved

    def tests(net, gap, tolerance):
        right = bridges(net, min(gap, 50), tolerance)
        seen["tested"].append((net, gap, tolerance, right))
        return right

    for name, spy in {"stream": draws, "train": trains, "bridges": tests}.items():
        monkeypatch.setattr(module, name, spy)
    return seen


def test_streams_differ_and_the_rival_sees_as_many_steps(spied):
    run(SMALL, 0, silent)
    states, nets, steps = zip(*spied["streams"])
    assert len(set(states)) == 3
    assert nets == (4, 4, 6) and steps == (150, 150, 150)
    firsts = [first for _, first, _ in spied["trained"]]
    assert len({round(abs(first) / scale, 9) for first, scale in zip(firsts, (1, 1, 10))}) == 3
    assert [type(net) for net, _, _ in spied["trained"]] == [Direct, FromTo, Elman]


def test_settings_reach_the_nets(spied):
    config = replace(SMALL, direct_rate=0.11, from_to_rate=0.22, steepness=9.0, init=0.01)
    config = replace(config, rnn_hidden=3, rnn_rates=(0.5, 0.6), rnn_init=0.25)
    run(config, 0, silent)
    (direct, a, _), (from_to, b, _), (elman, c, _) = spied["trained"]
    assert direct.learning_rate == 0.11 and from_to.learning_rate == 0.22
    assert direct.steepness == from_to.steepness == 9.0
    assert abs(a) <= 0.01 and abs(b) <= 0.01 and elman.V.shape == (3, 7, 4)
    assert elman.learning_rate.tolist() == [0.5, 0.5, 0.6, 0.6]
    assert 0.01 < abs(c) <= 0.25


def test_the_table_is_made_of_what_was_trained_and_tested(monkeypatch):
    """Steps to a solution are scripted: 10 direct nets, 10 FROM/TO nets, 2 rates of 4 nets."""
    module = fast_weights_unknown_delay
    config = replace(SMALL, nets=10, steps=1000, rnn_nets=4, rnn_rates=(3.0, 8.0))
    direct = np.array([np.inf, *range(100, 1000, 100)], float)
    scripts = {Direct: direct, FromTo: 0.5 * direct, Elman: np.repeat([np.inf, 640.0], 4)}
    monkeypatch.setattr(module, "train", lambda net, *_: scripts[type(net)])

    def tests(net, gap, tolerance):
        right = np.arange(10) % 2 == 0  # of which net 0 has solved nothing
        return right if gap == 10 else right & (np.arange(10) > 2 * (type(net) is Direct))

    monkeypatch.setattr(module, "bridges", tests)
    table = module.run(config, 0, silent)
    assert table["direct_median_steps"] == 550 and table["from_to_median_steps"] == 275
    assert table["direct"]["solved"] == 0.9
    assert table["direct"]["right_at_gap_10"] == pytest.approx(4 / 9)
    assert table["held_share"] == pytest.approx(7 / 8)
    assert table["rtrl"] == {"best_rate": 8.0, "median_steps": 640.0, "solved": 1.0}
    assert table["log_ratio_rtrl"] == pytest.approx(math.log(640 / 275))
    assert table["curve"]["x"][10] == 200 and table["curve"]["y"][10] == 0.2


def test_the_test_is_frozen_and_gaps_are_the_papers(spied):
    run(SMALL, 1, silent)
    assert [gap for _, gap, _, _ in spied["tested"]] == [10, 10_000] * 2
    assert {tolerance for _, _, tolerance, _ in spied["tested"]} == {0.05}
    trained = [net for net, _, _ in spied["trained"]]
    assert [net for net, _, _, _ in spied["tested"]] == [trained[0]] * 2 + [trained[1]] * 2


def test_a_run_is_its_seed(spied):
    first, again, other = (run(replace(SMALL, steps=60), seed, silent) for seed in (3, 3, 4))
    assert first == again
    weights = [fast(Direct, seed=seed).W for seed in (3, 4)]
    assert not np.array_equal(*weights) and other.keys() == first.keys()


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="--streak"):
        Config(steps=100, streak=101)
    with pytest.raises(ValueError, match="--shortest"):
        study.Config(shortest=31)


# ---- the study ----
TINY = study.Config(updates=3, batch_size=3, hidden_size=5, shortest=2, longest=4, episodes=12)
TINY = replace(TINY, nets=2, steps=100, rnn_rates=(0.01, 0.1))


@pytest.mark.parametrize("kind", [study.Writer, study.Ungated, study.Recurrent])
def test_gradients_of_the_study_through_every_path(kind):
    rng = np.random.default_rng(7)
    net = kind(rng, 4, TINY)
    if kind is study.Recurrent:
        net.theta["recurrent"] *= 0.7
    for weight in net.theta.values():
        weight += 0.2 * rng.standard_normal(weight.shape)
    x, target = study.episode(rng, np.arange(16), 4, TINY)

    def summed_loss():
        return net.gradient(x, target)[0].sum()

    loss, exact = net.gradient(x, target)
    y = net.recall(net.absorb(net.start(3), x[:-1]), x[-1:])  # by the literal memory
    np.testing.assert_allclose(loss, ((y - target) ** 2).mean((1, 2)), rtol=1e-12)
    for name, weight in net.theta.items():
        estimate = numerical(summed_loss, weight)
        assert_close_gradient(exact[name].ravel(), estimate)


def test_writes_are_outer_products_of_gate_value_and_key():
    net = study.Writer(np.random.default_rng(8), 4, TINY)
    x = study.distractors(np.random.default_rng(9), 3, 2, 4)
    k, v, g = net.writes(net.hidden(x))
    memory = np.zeros((2, 4, 8))
    for t in range(3):
        for b in range(2):
            memory[b] += 0.5 * g[0, t, b, 0] * np.outer(v[0, t, b], k[0, t, b])
    np.testing.assert_allclose(net.absorb(net.start(2), x)[0], memory, rtol=0, atol=1e-12)
    ungated = study.Ungated(np.random.default_rng(8), 4, TINY)
    assert (ungated.writes(ungated.hidden(x))[2] == 1).all()


def test_episodes_store_distract_and_recall():
    lengths = set()
    for seed in range(20):
        x, target = study.episode(np.random.default_rng(seed), np.arange(2**6), 6, TINY)
        lengths.add(len(x))
        assert x.shape[1:] == (3, 8) and set(np.unique(target)) == {-1.0, 1.0}
        np.testing.assert_array_equal(x[0, :, :6], target)
        np.testing.assert_array_equal(x[:, :, 6].sum(0), 1)  # stored once, at the start
        assert (x[0, :, 6] == 1).all() and (x[-1, :, 7] == 1).all()
        assert not x[1:-1, :, 6:].any() and not x[-1, :, :7].any()  # nothing to read at recall
        assert (np.abs(x[1:-1, :, :6]) == 1).all()
    assert lengths == {4, 5, 6}


def test_no_tested_pattern_was_trained_on():
    train_codes, test_codes = study.split(np.random.default_rng(0), 16, True)
    assert not np.intersect1d(train_codes, test_codes).size
    assert len(test_codes) == 2**16 // 5 and len(train_codes) + len(test_codes) == 2**16
    assert sorted(study.split(np.random.default_rng(0), 4, False)[1]) == list(range(16))
    both = study.patterns(np.array([5, 6]), 4)
    np.testing.assert_array_equal(both, [[1, -1, 1, -1], [-1, 1, 1, -1]])


class Fragile:
    """A memory that holds a pattern for less than 35 steps."""

    def start(self, count):
        return None, -1

    def absorb(self, memory, x):
        pattern, age = memory
        return (x[0, :, :-2] if age < 0 else pattern), age + len(x)

    def recall(self, memory, x):
        pattern, age = memory
        y = pattern.copy()
        y[0, 0] *= -1  # the first episode always has a wrong bit
        return (y if age < 35 else -y)[None]


def test_delays_are_what_they_say():
    config = replace(TINY, episodes=200)
    shares = study.examine(Fragile(), np.random.default_rng(0), np.arange(16), 4, config)[:, 0]
    assert shares.tolist() == [0.995] * 4 + [0.0] * 4
    assert study.held_to(shares) == 30
    assert study.held_to(np.zeros(8)) == 0
    assert study.held_to(np.array([1, 0.98, 1, 1, 1, 1, 1, 1])) == 1


def test_rivals_have_as_many_weights():
    for bits in (4, 16):
        config = study.Config()
        rng = np.random.default_rng(0)
        sizes = [
            sum(w[0].size for w in kind(rng, bits, config).theta.values())
            for kind in (study.Writer, study.Recurrent)
        ]
        assert sizes[0] == {4: 917, 16: 3281}[bits]
        assert sizes[0] <= sizes[1] <= 1.06 * sizes[0]
    recurrent = study.Recurrent(rng, 16, config).theta["recurrent"]
    assert len(recurrent) == 6 and (recurrent[3:] == np.eye(recurrent.shape[1])).all()


def test_adam_clips_and_sinks():
    class One:
        theta = {"w": np.zeros((2, 1, 1))}

        def gradient(self, x, target):
            One.seen.append(x.shape)
            return np.array([2.0, 1.0]), {"w": np.full((2, 1, 1), 50.0)}

    One.seen = []
    config = replace(TINY, updates=4)
    loss = study.learn(
        One(), [0.1, 0.2], np.random.default_rng(0), np.arange(16), 4, config, silent
    )
    assert loss.tolist() == [2.0, 1.0] and len(One.seen) == 4
    moved = -(1 + 0.75 + 0.5 + 0.25) * np.array([0.1, 0.2])  # a constant gradient: steps of a rate
    np.testing.assert_allclose(One.theta["w"].ravel(), moved, rtol=1e-6)


@pytest.fixture(scope="module")
def studied():
    """A tiny study with spies: its table, and the draws of training and of tests."""
    seen = {"learned": [], "examined": []}
    patch = pytest.MonkeyPatch()
    learn, examine = study.learn, study.examine
    patch.setattr(study, "DELAYS", (1, 30, 1000))

    def learns(net, rates, rng, codes, bits, config, progress):
        state = rng.bit_generator.state["state"]["state"]
        seen["learned"].append((type(net), list(rates), state, set(codes), bits, config.updates))
        loss = learn(net, rates, rng, codes, bits, config, progress)
        return loss if len(loss) == 1 else np.array([3.0, 0.1, 2.0, 4.0])

    def examines(net, rng, codes, bits, config):
        state = rng.bit_generator.state["state"]["state"]
        rows = len(next(iter(net.theta.values())))
        seen["examined"].append((type(net), rows, state, set(codes), bits))
        return examine(net, rng, codes, bits, config)

    patch.setattr(study, "learn", learns)
    patch.setattr(study, "examine", examines)
    seen["table"] = study.run(TINY, 0, silent)
    patch.undo()
    return seen


def test_the_study_trains_and_tests_apart(studied):
    learned, examined = studied["learned"], studied["examined"]
    assert [row[0] for row in learned] == [study.Writer, study.Ungated, study.Recurrent] * 2
    assert [row[4] for row in learned] == [16] * 3 + [4] * 3
    for trained, tested in zip(learned, examined):
        assert not (trained[4] == 16 and trained[3] & tested[3])
        assert tested[1] == 1 and trained[5] == 3  # one net is chosen; all have as many updates
    states = [row[2] for row in learned + examined]
    assert len(set(states)) == 12
    assert [row[1] for row in learned[:3]] == [[0.01], [0.01], [0.01, 0.1, 0.01, 0.1]]


def test_the_study_reports_what_it_measured(studied):
    table = studied["table"]
    assert table["whole_pattern_1000"] == table["whole"]["gated_16"][2]
    assert table["rnn_4"]["loss"] == 0.1  # the best of the losses in training
    for name in ("gated_16", "rnn_4"):
        assert table[name]["whole_30"] == table["whole"][name][1]
        assert table[name]["whole_1000"] == table["whole"][name][2]
    assert table["sweep"]["steepness"] == [3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0] + [10.0] * 4
    assert table["sweep"]["rate_factor"] == [1.0] * 7 + [0.1, 0.2, 0.5, 2.0]
    assert all(len(table["sweep"][name]) == 11 for name in ("direct_solved", "from_to_median"))


def test_the_sweep_gives_each_net_its_setting_and_the_lax_criterion_is_lax(monkeypatch):
    nets = []

    def trains(net, events, config, progress):
        nets.append((net, config))
        return np.arange(1.0, 1 + net.W.shape[-1])

    monkeypatch.setattr(study, "train", trains)
    seeds = np.random.SeedSequence(0).spawn(2)
    solved, medians = study.sweep(FromTo, 0.5, seeds[0], TINY, silent)
    net, config = nets[0]
    assert net.steepness.tolist()[:4] == [3.0, 3.0, 4.0, 4.0]
    assert net.learning_rate.tolist()[12:] == [0.5, 0.5, 0.05, 0.05, 0.1, 0.1, 0.25, 0.25, 1.0, 1.0]
    assert medians[:3] == [1.5, 3.5, 5.5] and solved == [1.0] * 11
    assert config.tolerance == 0.05 and config.steps == 100
    assert study.lax(Direct, 0.5, seeds[1], TINY) == 4.5
    net, config = nets[1]
    assert 0.5 * config.tolerance**2 == pytest.approx(0.05)
    assert isinstance(net, Direct) and net.steepness == 10.0 and net.learning_rate == 0.5
