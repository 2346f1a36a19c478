import chunker_22_symbol as chunker
import numpy as np
import pytest
import study_chunker_22_symbol as study
from chunker_22_symbol import ALL, QUICK, Config, Net, Pair, event_error, examine, stream, train

CLOSE = {"rtol": 1e-10, "atol": 1e-13}
SMALL = Config(nets=3, lag=4, hidden_a=6, hidden_c=4, depth=3)


def silent(fraction, message):
    """Show no progress."""


def strings(seed, count, config=SMALL):
    """Draw which strings begin with x, (B, N)."""
    return np.random.default_rng(seed).random((count, config.nets)) < 0.5


# ---- the task ----
def test_two_strings_written_out():
    a_then_x = np.array([[False], [True]])
    events = stream(a_then_x, 3)[:, 0]
    symbols, labels = events[:, :5], events[:, 5:]
    assert symbols.sum(1).tolist() == [1] * 8
    assert symbols.argmax(1).tolist() == [0, 2, 3, 4, 1, 2, 3, 4]  # a b1 b2 b3, x b1 b2 b3
    assert labels.tolist() == [[0, 0]] * 3 + [[1, 0]] + [[0, 0]] * 3 + [[0, 1]]


def test_before_the_label_nothing_but_the_first_symbol_tells_the_strings_apart():
    first = strings(0, 50)
    events = stream(first, 4).reshape(50, 5, 3, 8)
    assert (events[:, 1:4] == events[:1, 1:4, :1]).all()  # alike in all strings, up to b3
    assert (events[:, 4, :, :6] == events[0, 4, 0, :6]).all()  # and b4 but for its label
    assert (events[:, 4, :, 7] == first).all() and (events[:, 0, :, 1] == first).all()


def test_an_event_is_probabilities_and_no_label_is_asked_for_where_none_is_given():
    y = np.array([[1.0, 2.0, 3.0, 0.0, 5.0]])
    event = chunker.predicted_event(y)[0]
    np.testing.assert_allclose(event[:3], np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum(), **CLOSE)
    np.testing.assert_allclose(event[3:], [0.5, 1 / (1 + np.exp(-5))], **CLOSE)
    assert event_error(y, np.array([[1.0, 0, 0, 0, 0]]))[0, 3:].tolist() == [0, 0]
    error = event_error(y, np.array([[1.0, 0, 0, 0, 1]]))[0]
    np.testing.assert_allclose(error[3:], [0.5, -1 / (1 + np.exp(5))], **CLOSE)


# ---- gradients ----
def differences(loss, weights):
    """Differentiate loss() by an array that it reads, by central differences."""
    slopes = np.zeros_like(weights)
    for place in np.ndindex(weights.shape):
        kept = weights[place]
        weights[place] = kept + 1e-5
        above = loss()
        weights[place] = kept - 1e-5
        below = loss()
        weights[place] = kept
        slopes[place] = (above - below) / 2e-5
    return slopes


def unrolled(net, h, events):
    """Return h after events, from h."""
    for event in events:
        h, _ = net.step(h, event)
    return h


@pytest.mark.parametrize(("depth", "far"), [(6, 6), (3, 3), (1, 1), (8, 6)])
def test_gradients_agree_with_differences_and_end_after_the_depth(depth, far):
    """Whatever was read more than `depth` steps ago is a constant: its h is not differentiated."""
    rng = np.random.default_rng(1)
    config = Config(nets=2, lag=2, depth=depth, init=1.0)
    net = Net(rng, 6, 4, 7, config)
    events = rng.standard_normal((6, 2, 6))
    for event in events:
        net.read(ALL, event)
    start = unrolled(net, np.zeros((2, 4)), events[: 6 - far])
    dy = rng.standard_normal((2, 7))

    def loss():
        return (dy * net.outputs(unrolled(net, start, events[6 - far :]))).sum()

    dW, dV = net.gradients(ALL, dy)
    np.testing.assert_allclose(dW, differences(loss, net.W), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(dV, differences(loss, net.V), rtol=1e-6, atol=1e-8)
    assert (np.abs(dW).sum((0, 2)) > 0).all()


def test_the_three_terms_of_the_error_agree_with_differences(monkeypatch):
    pair = Pair(np.random.default_rng(2), SMALL)
    pair.state_weight[:] = [[1.0], [0.0], [0.3]]
    for event in stream(strings(3, 3), 4)[:-1]:
        pair.tick(event)
    slopes = []
    monkeypatch.setattr(pair.A, "learn", lambda rows, dy: slopes.append(dy))
    event, y = stream(strings(3, 3), 4)[-1], pair.A.outputs(pair.A.h)
    pair.tick(event)
    state = np.concatenate([pair.C.h, chunker.predicted_event(pair.C.outputs(pair.C.h))], 1)

    def loss():
        p = chunker.predicted_event(y[:, :8])
        symbol = -(event[:, :6] * np.log(p[:, :6])).sum()
        label, d = p[:, 6:], event[:, 6:]
        label_loss = -(d * np.log(label) + (1 - d) * np.log(1 - label)).sum()
        return symbol + label_loss + (pair.state_weight * (y[:, 8:] - state) ** 2).sum()

    np.testing.assert_allclose(slopes[0], differences(loss, y), rtol=1e-6, atol=1e-8)


def test_a_step_is_clipped_for_each_net_by_itself(monkeypatch):
    config = Config(nets=3, lag=2, clip=2.0, learning_rate=0.5)
    net = Net(np.random.default_rng(0), 6, 4, 7, config)
    net.learning_rate[2] = 0.1
    dW, dV = np.zeros_like(net.W), np.zeros_like(net.V)
    dW[:, 0, 0], dV[:, 0, 0] = [3.0, 0.3, 0.6], [4.0, 0.4, 0.8]  # norms 5, 0.5 and 1
    monkeypatch.setattr(net, "gradients", lambda rows, dy: (dW.copy(), dV.copy()))
    W, V = net.W.copy(), net.V.copy()
    net.learn(ALL, None)
    np.testing.assert_allclose((W - net.W)[:, 0, 0], [0.5 * 3 * 2 / 5, 0.15, 0.06], **CLOSE)
    np.testing.assert_allclose((V - net.V)[:, 0, 0], [0.5 * 4 * 2 / 5, 0.2, 0.08], **CLOSE)
    assert np.count_nonzero(W != net.W) == np.count_nonzero(V != net.V) == 3


def test_nets_that_take_no_part_stay_bit_for_bit():
    net = Net(np.random.default_rng(4), 8, 5, 8, SMALL)
    events = stream(strings(5, 2), 4)
    for event in events[:4]:
        net.read(ALL, event)
    before = [part.copy() for part in (net.W, net.V, net.h, net.u)]
    rows = np.array([0, 2])
    net.learn(rows, np.ones((2, 8)))
    net.read(rows, events[4][rows])
    for old, new in zip(before, (net.W, net.V, net.h, net.u)):
        assert (old[1] == new[1]).all() and (old[rows] != new[rows]).any()
    assert (net.u[rows, 1:] == before[3][rows, :-1]).all()


# ---- a slow literal oracle: one pair, one step, one number after the other ----
class LiteralNet:
    """One net as the paper describes it, with its whole past in a list."""

    def __init__(self, W, V, config):
        self.W, self.V, self.config = W.copy(), V.copy(), config
        self.h, self.past = np.zeros(len(W)), []

    def y(self):
        return self.V[:, :-1] @ self.h + self.V[:, -1]

    def read(self, x):
        u = np.array([*x, 1.0, *self.h])
        self.h = np.tanh(self.W @ u)
        self.past.append((u, self.h))

    def learn(self, dy):
        dV, dW = np.outer(dy, [*self.h, 1.0]), np.zeros_like(self.W)
        dh = self.V[:, :-1].T @ dy
        for u, h in self.past[::-1][: self.config.depth]:
            dz = dh * (1 - h**2)
            dW += np.outer(dz, u)
            dh = self.W[:, -len(h) :].T @ dz
        norm = np.sqrt((dW**2).sum() + (dV**2).sum())
        rate = self.config.learning_rate * min(1, self.config.clip / norm)
        self.W -= rate * dW
        self.V -= rate * dV


class LiteralPair:
    """One automatizer and its chunker."""

    def __init__(self, pair, k, config):
        self.A = LiteralNet(pair.A.W[k], pair.A.V[k], config)
        self.C = LiteralNet(pair.C.W[k], pair.C.V[k], config)
        self.config, self.weight = config, pair.state_weight[k, 0]

    def event(self, net):
        y, symbols = net.y(), self.config.lag + 2
        p = np.exp(y[:symbols]) / np.exp(y[:symbols]).sum()
        return np.array([*p, *(1 / (1 + np.exp(-y[symbols : symbols + 2])))])

    def error(self, net, x):
        error = self.event(net) - x
        if not x[-2:].any():
            error[-2:] = 0
        return error

    def tick(self, x):
        error, q = self.error(self.A, x), self.A.y()[self.config.lag + 4 :]
        failed = max(abs(error)) > self.config.threshold
        if failed:
            self.C.learn(self.error(self.C, x))
            self.C.read(x)
        state = np.array([*self.C.h, *self.event(self.C)])
        self.A.learn(np.array([*error, *(2 * self.weight * (q - state))]))
        self.A.read(x)
        return failed


def test_pairs_learn_as_the_literal_oracle_does():
    config = Config(nets=3, lag=4, hidden_a=8, hidden_c=4, learning_rate=0.4)
    pair = Pair(np.random.default_rng(6), config)
    pair.state_weight[1] = 0.0
    oracles = [LiteralPair(pair, k, config) for k in range(3)]
    passed = []
    for event in stream(strings(7, 30), 4):
        failed = pair.tick(event)
        assert failed.tolist() == [oracle.tick(x) for oracle, x in zip(oracles, event)]
        passed.append(failed)
    assert 0.2 < np.mean(passed[:10]) and np.mean(passed[-50:]) < 0.9  # both kinds of step occur
    for k, oracle in enumerate(oracles):
        for ours, theirs in ((pair.A, oracle.A), (pair.C, oracle.C)):
            np.testing.assert_allclose(ours.W[k], theirs.W, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(ours.V[k], theirs.V, rtol=1e-7, atol=1e-9)


def test_weights_start_with_the_spreads_of_the_settings():
    net = Net(np.random.default_rng(0), 24, 25, 24, Config(nets=50))
    assert net.W[:, :, :24].std() == pytest.approx(0.3, rel=0.03)
    assert net.W[:, :, 25:].std() == pytest.approx(0.06, rel=0.03)
    assert net.V[:, :, :-1].std() == pytest.approx(0.06, rel=0.03)
    assert (net.W[:, :, 24] == 0).all() and (net.V[:, :, -1] == 0).all()
    assert (net.W[0] != net.W[1]).any()


# ---- evaluation ----
def test_the_examination_predicts_before_it_reads_and_changes_nothing():
    pair = Pair(np.random.default_rng(8), SMALL)
    for event in stream(strings(9, 20), 4):
        pair.tick(event)
    before = [part.copy() for part in (pair.A.W, pair.A.V, pair.A.h, pair.A.u)]
    events = stream(strings(10, 6), 4)
    off, probability = examine(pair.A, events, 4)
    assert off.shape == (6, 3) and probability.shape == (5, 3)
    for old, new in zip(before, (pair.A.W, pair.A.V, pair.A.h, pair.A.u)):
        assert (old == new).all()
    for t, event in enumerate(events):
        predicted = chunker.predicted_event(pair.A.outputs(pair.A.h)[:, :8])
        if t % 5 == 4:
            wrong = np.abs(predicted - event)[:, -2:].max(1)
            np.testing.assert_allclose(off[t // 5], wrong, **CLOSE)
        if t % 5 == 0 and t:
            np.testing.assert_allclose(probability[t // 5 - 1], predicted[:, 0], **CLOSE)
        pair.A.read(ALL, event)


def test_the_largest_self_weight_is_on_the_diagonal():
    net = Net(np.random.default_rng(0), 8, 5, 8, SMALL)
    net.W[:, 1, 9] = 9.0  # from unit 0 to unit 1
    net.W[:, 3, 12] = [2.0, 3.0, 4.0]  # from unit 3 to itself
    assert chunker.largest_self_weights(net).tolist() == [2.0, 3.0, 4.0]


# ---- training ----
@pytest.fixture
def spied(monkeypatch):
    """What train() shows to the nets, what it tests them on, and a script of test results."""
    seen = {"ticks": [], "tests": [], "script": None}

    def spied_tick(self, event, tick=Pair.tick):
        seen["ticks"].append(event.copy())
        return tick(self, event)

    def spied_examine(net, events, lag):
        seen["tests"].append(events.copy())
        off, probability = examine(net, events, lag)
        return (seen["script"](len(seen["tests"]), off) if seen["script"] else off), probability

    monkeypatch.setattr(Pair, "tick", spied_tick)
    monkeypatch.setattr(chunker, "examine", spied_examine)
    return seen


def test_a_net_leaves_when_all_its_labels_are_right_or_its_budget_is_spent(spied):
    config = Config(nets=2, lag=3, test_every=10, test_blocks=5, most_sequences=40)
    pair = Pair(np.random.default_rng(0), config)
    pair.pick(np.tile(np.arange(2), 2))

    def script(test, off):
        off[:] = 0.19
        off[0] = 0.3  # one label of five wrong by more than 0.2, yet nearer than 0.5
        if test == 2:
            off[0, 1] = 0.1  # net 1 passes
        return off

    spied["script"] = script
    limit = np.array([40, 40, 20, 30])
    end, failures = train(pair, config, np.random.SeedSequence(0), limit, silent)
    assert end["solved"].tolist() == [0, 1, 0, 0]
    assert end["sequences"].tolist() == [40, 20, 20, 30]
    assert end["right"].tolist() == [1, 1, 1, 1]
    assert [len(events[0]) for events in spied["tests"]] == [4, 4, 2, 1]
    assert (~np.isnan(failures)).sum(0).tolist() == [40, 20, 20, 30]
    assert failures[0].tolist() == [4, 4, 4, 4]  # nothing is predicted yet
    assert np.nanmin(failures) >= 0 and np.nanmax(failures) <= 4
    assert (end["weight"] > 0).all() and (end["a"] > 0).all() and (end["a"] < 1).all()


def firsts(events, lag):
    """Which strings begin with x, (B, N)."""
    return events[:: lag + 1, :, 1]


def test_no_string_order_that_is_tested_was_trained_on_and_twins_see_the_same(spied):
    config = Config(nets=3, lag=3, test_every=40, test_blocks=40, most_sequences=80)
    pair = Pair(np.random.default_rng(0), config)
    pair.pick(np.tile(np.arange(3), 2))
    train(pair, config, np.random.SeedSequence(1), np.full(6, 80), silent)
    ticks = np.array(spied["ticks"]).reshape(2, 160, 6, 7)
    shown = [firsts(events, 3) for events in (*ticks, *spied["tests"])]
    orders = {tuple(first[:, k]) for first in shown for k in range(3)}
    assert len(orders) == 12
    for first in shown:
        assert (first[:, :3] == first[:, 3:]).all()
        assert 0.35 < first.mean() < 0.65


def test_the_term_for_the_chunkers_state_makes_the_difference():
    """At a lag of 6 and a depth of 2, in a fraction of a run's time."""
    config = Config(nets=4, lag=6, hidden_a=15, depth=2, most_sequences=1200, test_blocks=50)
    table = chunker.run(config, 1000, silent)
    assert table["share_35000"] == 1 and table["without"]["share_5000"] <= 0.25
    assert table["with"]["first_surprises"] >= 6 and table["with"]["last_surprises"] < 2.5


# ---- the wiring of run() ----
def test_run_trains_the_same_nets_with_and_without_the_term(monkeypatch):
    calls = []

    def spied_train(pair, config, seed, limit, progress):
        calls.append((pair.A.W.copy(), pair.C.V.copy(), pair.state_weight.copy(), limit))
        calls.append([np.random.default_rng(s).random(3).tolist() for s in (*seed.spawn(2), seed)])
        first = np.random.SeedSequence(1000).spawn(2)[0]
        calls.append(np.random.default_rng(first).random(3).tolist())
        end = dict.fromkeys(("solved", "sequences", "right", "a", "weight"), np.ones(6))
        return end, np.ones((8, 6))

    monkeypatch.setattr(chunker, "train", spied_train)
    chunker.run(Config(nets=3, lag=3), 1000, silent)
    (A, C, weight, limit), streams, init = calls
    assert (A[:3] == A[3:]).all() and (C[:3] == C[3:]).all() and (A[0] != A[1]).any()
    assert weight.ravel().tolist() == [1, 1, 1, 0, 0, 0]
    assert limit.tolist() == [35_000] * 3 + [5000] * 3
    assert len({tuple(s) for s in (*streams, init)}) == 4  # no two streams start alike
    chunker.run(Config(nets=3, lag=3, most_sequences=800), 1000, silent)
    assert calls[3][3].tolist() == [800] * 6


def test_the_report_on_six_scripted_nets():
    config = Config(nets=3)
    end = {
        "solved": np.array([1, 1, 0, 1, 0, 0]),
        "sequences": np.array([500, 5100, 35_000, 5000, 5000, 5000]),
        "right": np.array([1, 1, 0.5, 1, 0.6, 0.2]),
        "a": np.array([0.4, 0.5, 0.6, 0, 0, 0]),
        "weight": np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3]),
    }
    failures = np.full((35_000, 6), 2.0)
    failures[0] = [21, 20, 19, 9, 9, 9]
    failures[500:, 0] = np.nan
    failures[400:500, 0] = 1.0
    failures[400:500, 1] = 6.0
    failures[5100:, 1] = np.nan
    failures[5000:, 3:] = np.nan
    failures[4900:5000, 3] = 5.0
    table = chunker.report(config, end, failures)
    line = table.pop("curve")
    assert table == {
        "share_5000": 1 / 3,
        "share_35000": 2 / 3,
        "share_gain": 0,
        "with": {
            "median": 5100,
            "slowest": 35_000,
            "first_surprises": 20,
            "surprises_500": 3,
            "last_surprises": pytest.approx(5 / 3),
            "boundary_a": pytest.approx(0.5),
            "self_weight": 2,
        },
        "without": {
            "share_5000": 1 / 3,
            "right": pytest.approx(0.6),
            "last_surprises": 3,
            "self_weight": pytest.approx(0.2),
        },
    }
    assert line["x"][-1] == 5000 and len(line["x"]) == len(line["y"]) == 101
    assert [y for x, y in zip(line["x"], line["y"]) if x in (450, 500, 5000)] == [0, 1 / 3, 1 / 3]
    end["solved"][3] = 0
    assert chunker.report(config, end, failures)["share_gain"] == 1 / 3
    short = chunker.report(config, end, failures[:100])
    assert short["with"]["surprises_500"] is None


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    config = Config(**QUICK)
    first = chunker.run(config, 1000, silent)
    assert first == chunker.run(config, 1000, silent)
    assert first != chunker.run(config, 1001, silent)


# ---- the study ----
def test_a_foreign_chunker_is_passed_its_neighbours_events(monkeypatch):
    passed = []
    monkeypatch.setattr(Pair, "pass_up", lambda self, rows, event: passed.append((rows, event)))
    event = stream(np.array([[True, False, False]]), 4)[0]
    study.Foreign(np.random.default_rng(0), SMALL).tick(event)
    rows, given = passed[0]
    assert rows.tolist() == [0, 1, 2]
    assert given[:, 1].tolist() == [0, 1, 0]  # net 1 is told of net 0's x


def test_noise_changes_when_the_chunker_is_passed_something_and_not_else():
    pair = study.Noise(np.random.default_rng(0), SMALL)
    chunkers = pair.C.V.copy()
    event = stream(strings(0, 1), 4)[0]
    before = pair.chunker_state().copy()
    pair.pass_up(np.array([1]), event)
    after = pair.chunker_state()
    assert (before[[0, 2]] == after[[0, 2]]).all() and (before[1] != after[1]).all()
    assert (chunkers[1] != pair.C.V[1]).any()
    pair.pick(np.array([1, 2]))
    assert (pair.chunker_state() == after[1:]).all()


def test_a_conventional_net_is_an_automatizer_whose_term_weighs_nothing():
    """With the same weights its event outputs learn exactly as those of a pair at weight 0."""
    pair = Pair(np.random.default_rng(1), SMALL)
    pair.state_weight[:] = 0.0
    one = study.Conventional(np.random.default_rng(2), SMALL)
    one.A.W, one.A.V = pair.A.W.copy(), pair.A.V[:, :8].copy()
    for event in stream(strings(3, 10), 4):
        assert (one.tick(event) == pair.tick(event)).all()
    np.testing.assert_allclose(one.A.W, pair.A.W, **CLOSE)
    np.testing.assert_allclose(one.A.V, pair.A.V[:, :8], **CLOSE)


def test_adam_takes_the_steps_of_its_formula(monkeypatch):
    config = Config(nets=2, lag=2, learning_rate=0.01, clip=1.0)
    net = study.AdamNet(np.random.default_rng(0), 6, 4, 7, config)
    gradients = np.array([[0.3, 3.0], [-0.1, 0.5]])  # at two updates, of two nets
    place, mean, square = net.W[:, 0, 0].copy(), 0.0, 0.0
    for update, g in enumerate(gradients, 1):
        dW = np.zeros_like(net.W)
        dW[:, 0, 0] = g
        found = dW, np.zeros_like(net.V)
        monkeypatch.setattr(net, "gradients", lambda rows, dy, found=found: found)
        net.learn(ALL, None)
        g = np.clip(g, -1, 1)
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        size = np.sqrt(square / (1 - 0.999**update)) + 1e-8
        place -= 0.01 * mean / (1 - 0.9**update) / size
    np.testing.assert_allclose(net.W[:, 0, 0], place, rtol=1e-9)
    net.pick(np.array([1]))
    assert [len(moment) for moment in net.moments] == [1] * 4


def test_the_study_trains_each_row_as_named(monkeypatch):
    calls = []

    def spied_train(pair, settings, seed, limit, progress):
        number = np.random.default_rng(seed).random()
        calls.append((type(pair), settings, number, limit, pair.A.learning_rate, pair.A.u.shape[1]))
        count = len(limit)
        share = 1.0 * (np.arange(count) < {study.AdamConventional: 1}.get(type(pair), 2))
        ends = {"solved": share, "sequences": limit, "right": np.full(count, 0.5)}
        return ends, None

    monkeypatch.setattr(study, "train", spied_train)
    monkeypatch.setattr(study, "afterwards", lambda settings, seed, p: {"nets": settings.nets})
    table = study.run(study.Config(nets=8, few=4), 1000, silent)
    Adam, One = study.AdamConventional, study.Conventional
    found = [(k, s.nets, s.lag, len(limit), limit[0], u) for k, s, _, limit, _, u in calls]
    assert found == [
        (Pair, 8, 20, 8, 5000, 3),
        (study.Foreign, 8, 20, 8, 5000, 3),
        (study.Noise, 8, 20, 8, 5000, 3),
        (Pair, 4, 5, 4, 10_000, 3),
        *((Pair, 4, 20, 4, 5000, depth) for depth in (1, 2, 3, 5, 3, 3)),
        (One, 4, 20, 12, 10_000, 22),
        (Adam, 4, 20, 4, 10_000, 22),
        (One, 4, 5, 12, 10_000, 7),
        (Adam, 4, 5, 4, 10_000, 7),
    ]
    assert [s.threshold for _, s, *_ in calls] == [-1] + [0.2] * 13
    assert calls[10][4].tolist() == [0.03] * 4 + [0.1] * 4 + [0.3] * 4
    assert [set(call[4]) for call in calls[8:10]] == [{0.03}, {0.3}] and set(calls[11][4]) == {
        0.003
    }
    assert len({call[2] for call in calls}) == len(calls)  # no two streams start alike
    assert table["one_rate_003"]["share"] == 0.5 and table["one_rate_01"]["share"] == 0
    assert table["one_adam"]["share"] == 0.25 and table["one_lag_5_adam"]["share"] == 0.25
    assert (table["share_uncompressed"], table["share_conventional"]) == (0.25, 0.5)
    assert table["afterwards"] == {"nets": 8} and table["noise"]["right"] == 0.5


def test_what_becomes_of_a_solution_counts_the_later_tests_only(monkeypatch):
    config = Config(nets=2, lag=3, test_every=10, test_blocks=4, most_sequences=40)
    script = iter([[0.5, 1.0], [1.0, 0.75], [0.25, 1.0], [0.75, 0.5]])  # right, by test and net

    def scripted(net, events, lag):
        assert len(events) == 16
        return np.where(np.arange(4)[:, None] < 4 * np.array(next(script)), 0.0, 0.3), None

    monkeypatch.setattr(study, "examine", scripted)
    found = study.afterwards(config, np.random.SeedSequence(0), silent)
    assert found == {"right": pytest.approx((0.25 + 0.75 + 0.75 + 1.0 + 0.5) / 5), "end": 0.625}


# ---- unusable arguments ----
@pytest.mark.parametrize("make", [Config, study.Config])
def test_tests_have_to_fit_into_the_budget(make):
    with pytest.raises(ValueError, match="--test-every"):
        make(test_every=33)


@pytest.mark.parametrize(
    "argv",
    [
        ["--nets", "0"],
        ["--lag", "1"],
        ["--depth", "0"],
        ["--learning-rate", "nan"],
        ["--threshold", "2"],
        ["--clip", "0"],
        ["--most-sequences", "150"],
        ["--seed", "-1"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        chunker.main(chunker, argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert argv[0] in said and said.count("\n") == 1
