"""Tests of the hierarchy: gradients, the task, compression on scripted nets, the wiring."""

from dataclasses import replace

import chunker_very_deep_1200
import study_chunker_very_deep_1200
from chunker_very_deep_1200 import (
    QUICK,
    Config,
    Nets,
    Stream,
    alphabet,
    answers,
    build,
    build_rival,
    compress,
    draw,
    fillers_passed,
    gaps,
    leaky_start,
    open_recall,
    part,
    pass_up,
    possible,
    random_start,
    read,
    recall,
    run,
    sequences,
    surprises,
    train,
    windows,
)
import numpy as np
import pytest

SMALL = Config(**QUICK)
study = study_chunker_very_deep_1200
STUDY_SMALL = study.Config(**study.QUICK)


def silent(fraction, message):
    """Show nothing."""


def made(seed, nets=2, size=6, hidden=5, start=random_start):
    """Make nets in 64 bits whose weights are all different from 0."""
    rng = np.random.default_rng(seed)
    made = Nets(rng, size, start(rng, nets, hidden))
    made.weights = {
        name: weight + rng.normal(0, 0.2, weight.shape) for name, weight in made.weights.items()
    }
    return made


def stream_of(rows, times=None, end=None):
    """Make a stream for one net from lists of symbols, the shorter ones padded with 0."""
    longest = max(map(len, rows))
    times = times or [list(range(len(row))) for row in rows]
    symbols = np.array([row + [0] * (longest - len(row)) for row in rows])
    times = np.array([when + [when[-1]] * (longest - len(when)) for when in times])
    length = np.array([len(row) for row in rows])
    end = times.max() if end is None else end
    return Stream(symbols[None], times[None], length[None], end)


# ---- the nets ----
def batch(nets, rng, steps=7, size=5):
    """Draw inputs, targets, and which predictions count: (T, N, B, ...)."""
    shape = steps, len(nets.weights["U"]), size
    u = nets.encode(rng.integers(nets.size, size=shape), rng.integers(0, 30, shape))
    counts = rng.random(shape) < 0.7
    return u, rng.integers(nets.size, size=shape), counts


@pytest.mark.parametrize("start", [random_start, leaky_start])
def test_gradients_agree_with_central_differences(start):
    nets = made(0, start=start)
    u, target, counts = batch(nets, np.random.default_rng(1))
    _, gradient = nets.loss_and_gradient(u, target, counts)
    for name, weight in nets.weights.items():
        assert gradient[name].shape == weight.shape
        for i in np.ndindex(weight.shape):
            old = weight[i]
            weight[i] = old + 1e-5
            above = nets.loss_and_gradient(u, target, counts)[0]
            weight[i] = old - 1e-5
            below = nets.loss_and_gradient(u, target, counts)[0]
            weight[i] = old
            numeric = (above - below) / 2e-5
            assert abs(numeric[i[0]] - gradient[name][i]) <= 1e-6
            assert numeric[1 - i[0]] == 0  # the other net does not care


def test_the_loss_is_that_of_a_net_read_unit_by_unit():
    nets = made(2)
    rng = np.random.default_rng(3)
    u, target, counts = batch(nets, rng)
    loss, _ = nets.loss_and_gradient(u, target, counts)
    for n in range(2):
        W, U, R, c = (weight[n] for weight in nets.weights.values())
        costs = []
        for b in range(5):
            h = [0.0] * 5
            for t in range(7):
                net = [
                    u[t, n, b] @ W[:, j] + sum(h[i] * U[i, j] for i in range(5)) for j in range(5)
                ]
                h = np.tanh(net)
                y = [sum(h[i] * R[i, s] for i in range(5)) + c[0, s] for s in range(6)]
                p = np.exp(y) / np.exp(y).sum()
                costs += [-np.log(p[target[t, n, b]])] * int(counts[t, n, b])
        assert loss[n] == pytest.approx(np.mean(costs))


def test_padding_costs_nothing_and_teaches_nothing():
    nets = made(4)
    u, target, counts = batch(nets, np.random.default_rng(5))
    counts[4:] = False
    whole = nets.loss_and_gradient(u, target, counts)
    cut = nets.loss_and_gradient(u[:4], target[:4], counts[:4])
    np.testing.assert_allclose(whole[0], cut[0])
    for name in cut[1]:
        np.testing.assert_allclose(whole[1][name], cut[1][name], atol=1e-15)
    loss, gradient = nets.loss_and_gradient(u, target, np.zeros_like(counts))
    assert not loss.any() and not any(part.any() for part in gradient.values())


def test_an_input_is_a_symbol_the_time_since_the_last_one_and_1():
    u = made(0).encode(np.array([2, 0]), np.array([19, 0]))
    expected = [[0, 0, 1, 0, 0, 0, 0.3 * np.log(20), 1], [1, 0, 0, 0, 0, 0, 0, 1]]
    np.testing.assert_allclose(u, expected)


def test_steps_are_adams_with_the_gradient_of_each_net_clipped():
    nets = made(6)
    rng = np.random.default_rng(7)
    expected = {name: weight.copy() for name, weight in nets.weights.items()}
    mean = {name: np.zeros_like(weight) for name, weight in expected.items()}
    square = {name: np.zeros_like(weight) for name, weight in expected.items()}
    for update, size in enumerate((5.0, 0.01, 1.0), 1):
        gradient = {name: size * rng.normal(size=w.shape) for name, w in expected.items()}
        gradient["W"][1] *= 1e-3
        nets.learn(gradient, 0.1, 2.0)
        for n in range(2):
            norm = np.sqrt(sum((slope[n] ** 2).sum() for slope in gradient.values()))
            for name, slope in gradient.items():
                g = slope[n] * min(1, 2.0 / norm)
                mean[name][n] = 0.9 * mean[name][n] + 0.1 * g
                square[name][n] = 0.999 * square[name][n] + 0.001 * g**2
                m, s = mean[name][n] / (1 - 0.9**update), square[name][n] / (1 - 0.999**update)
                expected[name][n] -= 0.1 * m / (np.sqrt(s) + 1e-8)
    for name, weight in expected.items():
        np.testing.assert_allclose(nets.weights[name], weight, rtol=1e-4, atol=1e-6)


def test_starts_are_as_wide_as_asked_for():
    rng = np.random.default_rng(8)
    assert random_start(rng, 3, 100).std() == pytest.approx(0.1, rel=0.03)
    leaky = leaky_start(rng, 3, 100) - 0.9 * np.eye(100)
    assert leaky.std() == pytest.approx(0.05, rel=0.03)
    nets = Nets(rng, 98, random_start(rng, 3, 100))
    assert nets.weights["W"][:, :-1].std() == pytest.approx(0.5, rel=0.03)
    assert not nets.weights["W"][:, -1].any() and not nets.weights["c"].any()


# ---- the task ----
def test_a_sequence_written_by_hand():
    config = Config(
        phrases=2, words=2, word_length=3, train_sequences=1, test_sequences=1, hierarchies=1
    )
    assert alphabet(config) == (2, 6, 7, 9, 10)
    stream = sequences(np.array([[1 + 2 * (3 + 4 * 1)]]), config)
    text = [1, 5, 7, 8, 6, 7, 8, 3, 7, 8, 6, 7, 8, 9, 1]
    assert stream.symbols.tolist() == [[text]]
    assert stream.times.tolist() == [[list(range(15))]]
    assert stream.length.tolist() == [[15]] and stream.end == 14


def test_the_default_task_is_the_one_of_1203_symbols():
    config = Config()
    assert alphabet(config)[-1] == 35
    stream = sequences(np.arange(8192)[None], config)
    assert possible(config) == 8192
    assert stream.symbols.shape == (1, 8192, 1203) and stream.end == 1202
    heads = stream.symbols[0, :, 1:1201:200]  # (8192, 6)
    codes = {(row[0], *head) for row, head in zip(stream.symbols[0].tolist(), heads.tolist())}
    assert len(codes) == 8192
    assert (stream.symbols[0, :, 0] == stream.symbols[0, :, -1]).all()
    assert stream.symbols[0, :, 0].mean() == 0.5
    assert (stream.symbols[0, :, -2] == 34).all()  # the last input says nothing of the target


def test_no_sequence_is_both_trained_and_tested_on():
    config = Config(hierarchies=2, train_sequences=300, test_sequences=200, phrases=4)
    training, unseen = draw(np.random.default_rng(9), config)
    assert training.symbols.shape[:2] == (2, 300) and unseen.symbols.shape[:2] == (2, 200)
    rows = [[{tuple(r) for r in s.symbols[n].tolist()} for s in (training, unseen)] for n in (0, 1)]
    for trained, tested in rows:
        assert (len(trained), len(tested)) == (300, 200) and not trained & tested
    assert rows[0][0] != rows[1][0]  # each hierarchy has its own
    assert 0.4 < training.symbols[:, :, 0].mean() < 0.6


# ---- windows ----
def test_windows_lie_anywhere_and_some_at_the_ends():
    stream = stream_of([list(range(40)), list(range(100, 130))])
    where, real = windows(np.random.default_rng(10), stream, 400, 10)
    symbols = stream.symbols[where][:, 0]  # (10, 400)
    assert real.all() and (np.diff(symbols, axis=0) == 1).all()
    first = symbols[0]
    assert set(first[:50]) == {0, 100} and set(first[50:100]) == {30, 120}
    assert len(set(first[100:])) == 31 + 21
    assert 0.35 < (first < 100).mean() < 0.65


def test_a_window_as_long_as_the_longest_row_holds_all_and_says_what_is_padding():
    stream = stream_of([[1, 2, 3, 4, 5], [6, 7]])
    where, real = windows(np.random.default_rng(11), stream, 64, 99)
    symbols = stream.symbols[where][:, 0]  # (5, 64)
    for column, counted in zip(symbols.T, real[:, 0].T):
        assert column[counted].tolist() in ([1, 2, 3, 4, 5], [6, 7])


def test_training_predicts_the_next_input_and_slows_down():
    stream = stream_of([[0, 1, 2, 3, 4, 5], [5, 4, 3]], [[0, 2, 3, 9, 10, 11], [0, 5, 6]])
    nets, seen = made(12, nets=1), []
    nets.loss_and_gradient = lambda *arrays: (seen.append(arrays), (np.ones(1), {}))[1]
    rates = []
    nets.learn = lambda gradient, rate, clip: rates.append((rate, clip))
    config = Config(batch_size=8, learning_rate=0.01, clip=3.0)
    assert train(nets, np.random.default_rng(0), stream, 4, 10, config, silent) is nets
    assert rates == [(0.01, 3.0)] * 7 + [(0.002, 3.0)] * 3
    for u, target, counts in seen:
        assert u.shape == (3, 1, 8, 8) and target.shape == counts.shape == (3, 1, 8)
        shown = u[..., :6].argmax(3)  # (3, 1, 8)
        for b in range(8):
            assert shown[1:, 0, b].tolist() == target[:-1, 0, b].tolist()
            if shown[0, 0, b] == 5:
                assert target[:2, 0, b].tolist() == [4, 3]
                assert counts[:, 0, b].tolist() == [True, True, False]
                assert u[1, 0, b, 6] == pytest.approx(0.3 * np.log(6))
            else:
                assert counts[:, 0, b].all() and (target[:, 0, b] == shown[:, 0, b] + 1).all()


def test_a_loss_that_is_no_number_stops_the_training():
    nets = made(13, nets=1)
    nets.loss_and_gradient = lambda *arrays: (np.array([np.nan]), {})
    with pytest.raises(FloatingPointError, match="at update 0"):
        train(nets, np.random.default_rng(0), stream_of([[0, 1, 2]]), 3, 5, SMALL, silent)


# ---- compression ----
class Counting:
    """A net that holds its last input and predicts that the next one is 1 more, at odds of 7 in 10.

    After 3 it is sure of 0 at 6 in 10. It remembers every gap that it was shown.
    """

    size = 8

    def __init__(self):
        self.gaps = []

    def rest(self, sequences):
        return np.full((1, sequences, 1), 99)

    def encode(self, symbols, gaps):
        self.gaps.append(gaps.copy())
        return symbols[..., None]

    def step(self, h, u):
        return u

    def predict(self, h):
        p = np.full((*h.shape[:2], self.size), 0.04)
        np.put_along_axis(p, np.minimum(h + 1, 7), 0.7, -1)
        p[h[..., 0] == 3] = 0.05
        p[h[..., 0] == 3, 0] = 0.6
        return p


def test_only_what_was_not_predicted_goes_up_with_its_time():
    stream = stream_of([[1, 2, 3, 0, 1, 5, 6], [2, 2, 2], [4, 5, 6, 7]])
    failed = surprises(Counting(), stream, 0.6)[0]
    assert np.flatnonzero(failed[0]).tolist() == [0, 5]  # exactly 0.6 is predicted
    assert np.flatnonzero(failed[1]).tolist() == [0, 1, 2]
    assert np.flatnonzero(failed[2]).tolist() == [0]
    assert np.flatnonzero(surprises(Counting(), stream, 0.65)[0][0]).tolist() == [0, 3, 5]
    up = compress(Counting(), stream, 0.6)
    assert up.length.tolist() == [[2, 3, 1]] and up.end == stream.end
    assert up.symbols[0, 0, :2].tolist() == [1, 5] and up.times[0, 0].tolist() == [0, 5, 6][:2] + [
        up.times[0, 0, 2]
    ]
    assert up.symbols[0, 1].tolist() == [2, 2, 2] and up.times[0, 1].tolist() == [0, 1, 2]
    assert up.symbols[0, 2, 0] == 4 and (gaps(up) >= 0).all()


def test_times_survive_two_levels():
    stream = stream_of([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2]], [[0, 4, 9, 20, 33], [0, 1, 2, 3, 50]])
    assert gaps(stream)[0].tolist() == [[0, 4, 5, 11, 13], [0, 1, 1, 1, 47]]
    failed = np.array([[[1, 0, 1, 0, 1], [1, 1, 0, 0, 0]]], bool)
    up = pass_up(stream, failed)
    assert up.symbols[0, 0].tolist() == [3, 4, 5] and gaps(up)[0, 0].tolist() == [0, 9, 24]
    assert up.symbols[0, 1, :2].tolist() == [2, 7] and gaps(up)[0, 1, :2].tolist() == [0, 1]
    nets = made(14, nets=1, size=10)
    assert np.isfinite(answers(nets, up)).all()  # padding has a time, too


def test_surprises_are_those_of_nets_that_read_from_the_start():
    nets = made(15, size=10)
    rng = np.random.default_rng(16)
    symbols = rng.integers(10, size=(2, 3, 6))
    times = rng.integers(1, 9, (2, 3, 6)).cumsum(2)
    stream = Stream(symbols, times, np.full((2, 3), 6), times.max())
    failed = surprises(nets, stream, 0.1)
    for n in range(2):
        W, U, R, c = (weight[n] for weight in nets.weights.values())
        for b in range(3):
            h = np.zeros(5)
            for t in range(5):
                gap = times[n, b, t] - times[n, b, t - 1] if t else 0
                u = np.array([*np.eye(10)[symbols[n, b, t]], 0.3 * np.log(1 + gap), 1])
                h = np.tanh(u @ W + h @ U)
                y = np.exp(h @ R + c[0])
                assert failed[n, b, t + 1] == ((y / y.sum())[symbols[n, b, t + 1]] < 0.1)
    assert failed[:, :, 0].all() and not failed[:, :, 1:].all()


def test_the_answer_is_read_before_the_target_comes():
    nets = made(17, nets=1, size=10)
    rows, times = [[3, 4, 9, 1], [5, 9, 0], [6, 1]], [[0, 3, 8, 9], [0, 8, 9], [0, 9]]
    p = answers(nets, stream_of(rows, times, 9))
    for row in rows:
        row[-1] = 7
    np.testing.assert_array_equal(answers(nets, stream_of(rows, times, 9)), p)
    cut = stream_of([row[:-1] for row in rows], [when[:-1] for when in times], 9)
    np.testing.assert_allclose(answers(nets, cut), p)
    rows[0][2] = 8
    assert abs(answers(nets, stream_of(rows, times, 9)) - p)[0, 0].max() > 1e-3
    h = nets.rest(1)
    for symbol, gap in ((5, 0), (9, 8)):
        h = nets.step(h, nets.encode(np.array([[symbol]]), np.array([[gap]])))
    np.testing.assert_allclose(p[:, 1], nets.predict(h)[:, 0])


# ---- evaluation ----
def test_recall_on_three_answers():
    unseen = stream_of([[0, 2], [1, 2], [1, 2]])
    p = np.array([[[0.4, 0.1, 0.5], [0.3, 0.4, 0.3], [0.2, 0.1, 0.7]]])
    assert recall(p, unseen).tolist() == [2 / 3]
    assert open_recall(p, unseen).tolist() == [1 / 3]


def test_fillers_are_counted_without_padding_and_without_other_symbols():
    config = Config(phrases=1, words=2, word_length=3, train_sequences=1, test_sequences=1)
    events = stream_of([[0, 7, 8, 9, 6], [7]])  # fillers are 7 and 8
    events.symbols[0, 1, 1:] = 7  # padding
    assert fillers_passed(events, config) == (2 + 1) / 2 / 4


# ---- the hierarchy ----
def test_three_levels_learn_a_small_task_and_compress_it():
    config = replace(SMALL, updates=120)
    training, unseen = draw(np.random.default_rng(1000), config)
    levels, _ = build(np.random.default_rng(1001), training, config, silent)
    p, events = read(levels, unseen, config)
    assert (recall(p, unseen) == 1).all()
    means = [stream.length.mean() for stream in events]
    assert means[0] == 33 and 9 <= means[1] < 10.5 and 4 <= means[2] < 7.5


@pytest.fixture
def trained(monkeypatch):
    """A list that fills up with what train() was called for in either program."""
    calls = []

    def spied(nets, rng, stream, width, updates, config, progress):
        first = rng.bit_generator.state["state"]["state"]
        train(nets, rng, stream, width, updates, config, progress)
        weights = {name: weight.copy() for name, weight in nets.weights.items()}
        calls.append((nets, first, stream, width, updates, config, weights))
        return nets

    monkeypatch.setattr(chunker_very_deep_1200, "train", spied)
    monkeypatch.setattr(study_chunker_very_deep_1200, "train", spied)
    return calls


@pytest.fixture
def answered(monkeypatch):
    """A list that fills up with the levels and the streams that are tested."""
    calls = []

    def spied(levels, stream, config):
        calls.append((levels, stream))
        return read(levels, stream, config)

    monkeypatch.setattr(chunker_very_deep_1200, "read", spied)
    return calls


def texts(stream):
    """Return the sequences of each net as a set, without the target."""
    return [{tuple(row) for row in rows} for rows in stream.symbols[:, :, :-1].tolist()]


def test_a_run_trains_level_by_level_and_tests_on_what_it_never_saw(trained, answered):
    config = replace(SMALL, window_1=4, window_2=3)
    run(config, 1000, silent)
    one, two, three, rival = trained
    assert [call[3] for call in trained] == [4, 3, 33, one[2].symbols.shape[2]][:3] + [rival[3]]
    assert [call[4] for call in trained] == [40, 40, 40, 80]  # the rival has as many updates
    assert all(call[5] is config for call in trained)
    assert rival[2] is two[2] and rival[3] == two[2].symbols.shape[2]  # and the whole of its input
    for below, above in ((one, two), (two, three)):
        expected = compress(below[0], below[2], 0.8)
        np.testing.assert_array_equal(above[2].symbols, expected.symbols)
        np.testing.assert_array_equal(above[2].times, expected.times)
    for call in trained:  # a level stays as it was trained
        assert call[0].updates == call[4]
        for name, weight in call[6].items():
            np.testing.assert_array_equal(call[0].weights[name], weight)
    (levels, unseen), (rival_levels, unseen_too) = answered
    assert levels == [one[0], two[0], three[0]] and rival_levels == [one[0], rival[0]]
    assert unseen is unseen_too and unseen.symbols.shape == (2, 16, 33)
    for seen, tested in zip(texts(one[2]), texts(unseen)):
        assert len(seen) == len(tested) == 16 and not seen & tested


def test_no_two_streams_of_a_run_start_alike(trained, monkeypatch):
    drawn = []

    def spied(rng, config):
        drawn.append(rng.bit_generator.state["state"]["state"])
        return draw(rng, config)

    monkeypatch.setattr(chunker_very_deep_1200, "draw", spied)
    run(replace(SMALL, updates=3), 1000, silent)
    assert len({*drawn, *(call[1] for call in trained)}) == 5
    starts = [call[6]["W"].ravel()[:3].round(1).tolist() for call in trained]
    assert len({tuple(start) for start in starts}) == 4


def test_level_3_and_the_rival_start_alike_leaky(monkeypatch):
    kinds = []
    for kind in (random_start, leaky_start):

        def spy(rng, nets, hidden, kind=kind):
            kinds.append(kind)
            return kind(rng, nets, hidden)

        monkeypatch.setattr(chunker_very_deep_1200, kind.__name__, spy)
    config = replace(SMALL, updates=1)
    training, _ = draw(np.random.default_rng(0), config)
    _, streams = build(np.random.default_rng(0), training, config, silent)
    build_rival(np.random.default_rng(0), streams[1], config, silent)
    assert kinds == [random_start, random_start, leaky_start, leaky_start]


def test_a_run_reports_what_it_read(monkeypatch):
    sizes = {"phrases": 1, "words": 2, "word_length": 3, "train_sequences": 4, "test_sequences": 4}
    config = Config(hierarchies=2, **sizes)
    _, unseen = draw(np.random.default_rng(0), config)
    monkeypatch.setattr(chunker_very_deep_1200, "draw", lambda rng, config: (None, unseen))
    monkeypatch.setattr(chunker_very_deep_1200, "build", lambda *_: (["1", "2", "3"], "ab"))
    monkeypatch.setattr(chunker_very_deep_1200, "build_rival", lambda *_: "top")
    right = np.eye(10)[unseen.symbols[:, :, 0]]  # (2, 4, 10)
    wrong = np.eye(10)[1 - unseen.symbols[:, :, 0]]
    p, rival_p = right.copy(), right.copy()
    p[0, 0] = wrong[0, 0]
    p[1, 0, 5] = 2
    rival_p[0, :3], rival_p[1, :1] = wrong[0, :3], wrong[1, :1]
    events = [unseen._replace(length=np.full((2, 4), k)) for k in (9, 4, 3)]
    events[2].length[0, 0] = 7
    events[1] = events[1]._replace(symbols=np.full((2, 4, 9), 7))

    def spied(levels, stream, config):
        assert stream is unseen
        return (p, events) if levels == ["1", "2", "3"] else (rival_p, [])

    monkeypatch.setattr(chunker_very_deep_1200, "read", spied)
    metrics = run(config, 0, silent)
    assert metrics == {
        "recall_least": 0.75,
        "events_level_3": 3.5,
        "third_level_gain": pytest.approx((0.5 + 0.25) / 2),
        "three_levels": {"recall": 0.875, "recall_open": 0.75},
        "two_levels": {"recall": 0.5, "recall_most": 0.75, "recall_open": 0.5},
        "events_level_1": 9,
        "events_level_2": 4,
        "events_level_3_most": 7,
        "fillers_predicted": 1 - 4 / 4,
    }


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    config = replace(SMALL, updates=5)
    assert run(config, 1000, silent) == run(config, 1000, silent) != run(config, 1001, silent)


def test_progress_runs_from_start_to_end():
    seen = []
    run(replace(SMALL, updates=4), 1000, lambda fraction, said: seen.append(fraction))
    assert seen == sorted(seen) and seen[0] == 0 and 0.9 < seen[-1] <= 1
    part(lambda fraction, said: seen.append(fraction), 1, 4)(0.5, "")
    assert seen[-1] == 0.375


# ---- the study ----
def test_the_study_trains_every_row_as_named(trained, monkeypatch):
    table = study.run(STUDY_SMALL, 1000, silent)
    raw, *others = trained
    assert raw[3] == 33 and raw[4] == 10 and raw[5].batch_size == 16
    assert raw[0].weights["U"].shape[0] == 3  # three starts,
    for n in (1, 2):  # the same sequences
        np.testing.assert_array_equal(raw[2].symbols[0], raw[2].symbols[n])
    assert [call[4] for call in others] == [40] * 17
    bottoms = [call[2] for call in others[:15:3]]
    assert all(stream.symbols.shape == (2, 16, 33) for stream in bottoms)
    assert len({call[1] for call in others[:15:3]}) == 5  # no two streams start alike
    assert len({stream.symbols.tobytes() for stream in bottoms}) == 5
    assert others[15][2].symbols.shape == (2, 2, 40) and others[15][0].size == 7
    assert others[15][3] == study.FLAT_WINDOW
    assert table["recall_noise_001"] == table["noise_001"]["recall"]
    assert len(table["raw_leaky"]["gradient_before"]) == len(table["gradient_distances"]) == 41
    assert table["gradient_distances"][0] == 1 and table["gradient_distances"][-1] == 32


def test_the_best_raw_net_counts_only_if_it_knows_the_fillers(monkeypatch):
    rows = {"a": (0.9, 0.5), "b": (0.7, 0.99), "c": (0.6, 1.0)}
    rows = {name: {"recall": right, "fillers": known} for name, (right, known) in rows.items()}
    events = {"recall": 0.8, "events_level_3": 9.0}
    monkeypatch.setattr(study, "raw", lambda *_: dict(rows))
    monkeypatch.setattr(study, "noisy", lambda *_: (events, None))
    monkeypatch.setattr(study, "longer_or_shorter", lambda *_: {})
    monkeypatch.setattr(study, "flat", lambda *_: {})
    table = study.run(STUDY_SMALL, 1000, silent)
    assert (table["raw_recall_best"], table["raw_counted"]) == (0.7, 2)
    for row in rows.values():
        row["fillers"] = 0.98
    assert study.run(STUDY_SMALL, 1000, silent)["raw_recall_best"] is None


def test_raw_nets_are_tested_on_sequences_they_never_saw(trained, monkeypatch):
    followed = []

    def spied(nets, stream, config):
        followed.append(stream)
        return study_follow(nets, stream, config)

    study_follow = study.follow
    monkeypatch.setattr(study, "follow", spied)
    training, unseen = draw(np.random.default_rng(0), STUDY_SMALL)
    rng = np.random.default_rng(1)
    rows = study.raw(rng, training, unseen, STUDY_SMALL, silent)
    assert list(rows) == ["raw_random", "raw_leaky", "raw_identity"]
    assert followed[0].symbols.shape == (3, 8, 33)
    for seen, tested in zip(texts(trained[0][2]), texts(followed[0])):
        assert not seen & tested


def test_raw_answers_and_fillers_are_those_before_each_symbol():
    class Successor(Counting):
        def rest(self, sequences):
            return np.full((1, sequences, 1), 5)

    config = Config(phrases=1, words=2, word_length=3, train_sequences=1, test_sequences=1)
    stream = stream_of([[0, 2, 7, 8, 6, 7, 8, 9, 0]], end=8)  # predicted: 7 after 6
    Successor.size = 10
    p, right = study.follow(Successor(), stream, config)
    assert right.tolist() == [1 / 4]
    assert p[0, 0].argmax() == 7  # the last input was 9: the table ends at 7


def test_gradient_norms_agree_with_central_differences():
    nets = made(20, nets=2, size=10)
    rng = np.random.default_rng(21)
    symbols = rng.integers(10, size=(2, 1, 42))
    stream = Stream(symbols, np.tile(np.arange(42), (2, 1, 1)), np.full((2, 1), 42), 41)
    assert study.distances(stream).tolist() == list(range(1, 42))
    norms = study.gradient_norms(nets, stream)  # (41, 2)

    def loss(n, distance, nudge):
        W, U, R, c = (weight[n] for weight in nets.weights.values())
        h = np.zeros(5)
        for t in range(41):
            u = np.array([*np.eye(10)[symbols[n, 0, t]], 0.3 * np.log(2) * (t > 0), 1])
            h = np.tanh(u @ W + h @ U) + (nudge if t == 41 - distance else 0)
        y = h @ R + c[0]
        return np.log(np.exp(y).sum()) - y[symbols[n, 0, -1]]

    for n, distance in ((0, 1), (1, 2), (0, 4)):
        slopes = [
            (loss(n, distance, nudge) - loss(n, distance, -nudge)) / 2e-5
            for nudge in 1e-5 * np.eye(5)
        ]
        assert norms[distance - 1, n] == pytest.approx(np.log10(np.linalg.norm(slopes)), abs=1e-4)


def test_noise_replaces_fillers_alone():
    config = replace(Config(), hierarchies=1, train_sequences=40, test_sequences=1)
    stream, _ = draw(np.random.default_rng(0), config)
    rate = 0.03
    noisy = study.disturb(np.random.default_rng(1), stream, rate, config)
    changed = noisy.symbols != stream.symbols
    fillers = (stream.symbols >= 15) & (stream.symbols < 34)
    assert not changed[~fillers].any()
    assert changed[fillers].mean() == pytest.approx(rate * 18 / 19, rel=0.1)
    assert set(noisy.symbols[changed]) == set(range(15, 34))
    same = study.disturb(np.random.default_rng(1), stream, 0.0, config)
    np.testing.assert_array_equal(same.symbols, stream.symbols)


def test_the_slope_is_events_for_each_wrong_filler():
    table = {name: {"events_level_3": 9 + 2 * 1140 * rate} for name, rate in study.NOISE.items()}
    assert study.slope(table, Config()) == pytest.approx(2)


def test_other_numbers_of_phrases_are_read_by_the_same_levels(monkeypatch):
    seen = []
    monkeypatch.setattr(study, "tested", lambda levels, stream, config: seen.append(stream) or {})
    config = Config(test_sequences=600)
    for phrases in (4, 8):
        study.longer_or_shorter(np.random.default_rng(0), None, phrases, config)
    assert [stream.symbols.shape for stream in seen] == [(3, 512, 803), (3, 600, 1603)]
    assert len(texts(seen[1])[0]) == 600


def test_the_flat_stream_is_a_trigger_a_cycle_and_the_trigger(trained):
    row = study.flat(np.random.default_rng(1000), replace(STUDY_SMALL, updates=150), silent)
    stream, events = trained[0][2], trained[1][2]
    assert stream.symbols[0, 1, :8].tolist() == [1, 2, 3, 4, 5, 6, 2, 3]
    assert stream.symbols[0, :, -1].tolist() == [0, 1] and stream.end == 39
    assert events.symbols.shape[2] == trained[1][3]
    assert row["events"] < 6


# ---- unusable arguments ----
def test_config_refuses_more_sequences_than_there_are():
    with pytest.raises(ValueError, match="--train-sequences.*only 32 sequences differ"):
        Config(phrases=2)
    assert Config(phrases=2, train_sequences=16, test_sequences=16).phrases == 2


@pytest.mark.parametrize(
    "argv",
    [
        ["--hierarchies", "0"],
        ["--window-1", "1"],
        ["--threshold", "1.5"],
        ["--batch-size", "4"],
        ["--learning-rate", "nan"],
        ["--train-sequences", "8000"],
        ["--seed", "-1"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        chunker_very_deep_1200.main(chunker_very_deep_1200, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
