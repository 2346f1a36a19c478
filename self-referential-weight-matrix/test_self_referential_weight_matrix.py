from dataclasses import replace

import numpy as np
import pytest
import self_referential_weight_matrix as srwm
import study_self_referential_weight_matrix as study
from self_referential_weight_matrix import (
    QUICK,
    TABLES,
    Config,
    Net,
    SelfReferential,
    TanhRnn,
    answers_right,
    episodes,
    habits,
    loss_slope,
    run,
    scores,
    split,
    train,
)

SMALL = Config(nets=2, dimension=4, hidden_size=3, rnn_hidden=5)


def silent(*_):
    """Show no progress."""


def case(net, draw=episodes, seed=0):
    """Return random weights in 64 bits and a few episodes."""
    rng = np.random.default_rng(seed)
    theta = net.initial(rng, 2).astype(float)
    theta += 0.3 * rng.standard_normal(theta.shape)
    data = draw(split(SMALL, rng)[0], 3, rng)
    return theta, data._replace(u=data.u.astype(float), label=data.label.astype(float))


# ---- gradients -----------------------------------------------------------------------------------
KINDS = {
    "all": SelfReferential(SMALL),
    "answer": SelfReferential(replace(SMALL, plastic="y")),
    "rates": SelfReferential(replace(SMALL, plastic="yb")),
    "addresses": SelfReferential(replace(SMALL, plastic="ykq")),
    "rnn": TanhRnn(SMALL),
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_agrees_with_central_differences(kind):
    net = KINDS[kind]
    theta, data = case(net)

    def loss():
        margin = data.label * net.forward(theta, data.u)
        return np.logaddexp(0, -margin)[data.asked].mean((0, 2)).sum()

    gradient = net.backward(loss_slope(net.forward(theta, data.u), data))
    for i in np.ndindex(theta.shape):
        kept = theta[i]
        theta[i] = kept + 1e-6
        above = loss()
        theta[i] = kept - 1e-6
        below = loss()
        theta[i] = kept
        assert abs((above - below) / 2e-6 - gradient[i]) <= 1e-6 * max(1, abs(gradient[i]))
    assert all(abs(part).max() > 1e-6 for part in net.weights(gradient))


def test_gradient_through_a_stream_of_48_steps():
    net = KINDS["all"]
    theta, data = case(net, study.streams)
    rng = np.random.default_rng(5)
    way = rng.standard_normal(theta.shape)
    gradient = net.backward(loss_slope(net.forward(theta, data.u), data))
    losses = []
    for step in (1e-6, -1e-6):
        margin = data.label * net.forward(theta + step * way, data.u)
        losses.append(np.logaddexp(0, -margin)[data.asked].mean((0, 2)).sum())
    assert (losses[0] - losses[1]) / 2e-6 == pytest.approx((gradient * way).sum(), rel=1e-6)


# ---- the rule ------------------------------------------------------------------------------------
def slow_answers(theta, u, net, d):
    """Answer one episode u (T, 4) with the weights of one net, entry by entry."""
    E1, c1, E2, c2, W = (part[0] for part in net.weights(theta[None]))
    W = W[0].copy()
    answers = []
    for seen in u:
        x = E2 @ np.tanh(E1 @ seen + c1[0]) + c2[0]
        a = np.exp(x) / np.exp(x).sum()
        o = W @ a
        k = np.exp(o[1 : 1 + d]) / np.exp(o[1 : 1 + d]).sum()
        q = np.exp(o[1 + d : 1 + 2 * d]) / np.exp(o[1 + d : 1 + 2 * d]).sum()
        rates = 1 / (1 + np.exp(-o[1 + 2 * d :]))
        blocks = [0] + [1] * d + [2] * d + [3] * 4
        new = W.copy()
        for row, block in enumerate(blocks):
            for column in range(d):
                found = W[row] @ q - W[row] @ k
                new[row, column] += rates[block] * found * k[column]
        answers.append(o[0])
        W = new
    return np.array(answers), W


def test_answers_and_matrix_are_those_of_the_literal_rule():
    net = KINDS["all"]
    theta, data = case(net, seed=3)
    y = net.forward(theta, data.u)
    for n in range(2):
        for b in range(3):
            answers, W = slow_answers(theta[n], data.u[:, n, b], net, 4)
            np.testing.assert_allclose(y[:, n, b], answers, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(net.matrices[-1][n, b], W, rtol=1e-10, atol=1e-12)


def test_a_write_by_hand():
    """The query points at column 0, the key at column 1, and half of the difference is written."""
    net = SelfReferential(replace(SMALL, dimension=2))
    theta = np.zeros((1, sum(int(np.prod(shape)) for shape, _ in net.parts.values())))
    W = net.weights(theta)[4][0, 0]  # (9, 2), a view
    W[0] = 3.0, 1.0
    W[1:3] = [[-200.0, -200.0], [200.0, 200.0]]  # the key
    W[3:5] = [[200.0, 200.0], [-200.0, -200.0]]  # the query
    y = net.forward(theta, np.zeros((2, 1, 1, 4)))
    assert y[:, 0, 0].tolist() == [2.0, 2.5]
    np.testing.assert_allclose(net.matrices[1][0, 0, 0], [3.0, 2.0])
    np.testing.assert_allclose(net.matrices[0][0, 0, 0], [3.0, 1.0])
    assert (net.s[0] == 0.5).all()


@pytest.mark.parametrize("kind", ["all", "answer", "rates", "addresses"])
def test_the_rows_that_may_change_do_and_no_others(kind):
    net = KINDS[kind]
    theta, data = case(net)
    net.forward(theta, data.u)
    change = abs(net.matrices[-1] - net.matrices[0]).max((0, 1, 3))  # (R,)
    blocks = np.split(change, [1, 5, 9])
    moved = [block.min() > 1e-6 for block in blocks]
    still = [block.max() == 0 for block in blocks]
    expected = {"all": "ykqb", "answer": "y", "rates": "yb", "addresses": "ykq"}[kind]
    assert moved == [name in expected for name in "ykqb"]
    assert still == [name not in expected for name in "ykqb"]


def test_there_is_no_memory_but_the_matrix():
    """With writes switched off the answer depends on nothing but the present input."""
    net = SelfReferential(SMALL)
    net.spread[:] = 0
    theta, data = case(net)
    y = net.forward(theta, data.u)
    for n in range(2):
        inputs = data.u[4:, n].reshape(-1, 4)
        for one in np.unique(inputs, axis=0):
            same = y[4:, n].reshape(-1)[(inputs == one).all(1)]
            assert np.ptp(same) < 1e-12


def test_the_rnn_by_hand():
    net = TanhRnn(replace(SMALL, rnn_hidden=1))
    theta = np.array([[1.0, 0.0, 0.0, 0.0, 0.5, 0.1, 2.0, -1.0]])  # U, V, b, w, c
    u = np.zeros((2, 1, 1, 4))
    u[0, 0, 0, 0] = 1.0
    first = np.tanh(1.1)
    second = np.tanh(0.5 * first + 0.1)
    expected = [2 * first - 1, 2 * second - 1]
    np.testing.assert_allclose(net.forward(theta, u)[:, 0, 0], expected)


def test_start_of_the_weights():
    config = Config(input_gain=3.0, matrix_gain=5.0)
    net = SelfReferential(config)
    E1, c1, E2, c2, W = net.weights(net.initial(np.random.default_rng(0), 50))
    assert E1.std() == pytest.approx(0.7, rel=0.05)
    assert E2.std() == pytest.approx(3 / 4, rel=0.05)
    assert W.std() == pytest.approx(5 / 4, rel=0.05)
    assert not c1.any() and not c2.any()
    assert W.dtype == np.float32
    assert W.shape == (50, 1, 37, 16)


# ---- the task ------------------------------------------------------------------------------------
def test_the_sixteen_functions():
    assert len({tuple(row) for row in TABLES}) == 16
    assert (abs(TABLES) == 1).all()
    bits = (srwm.INPUTS + 1) / 2
    assert bits.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    for function, name in zip(study.FOUR, ("and", "or", "xor", "nand")):
        truth = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0], "nand": [1, 1, 1, 0]}
        assert ((TABLES[function] + 1) / 2).tolist() == truth[name]


def test_a_split_is_disjoint_and_each_net_has_its_own():
    training, held_out = split(Config(nets=40), np.random.default_rng(0))
    assert training.shape == (40, 12) and held_out.shape == (40, 4)
    for known, unknown in zip(training, held_out):
        assert sorted([*known, *unknown]) == list(range(16))
    assert len({tuple(sorted(row)) for row in held_out}) > 30


def places(data):
    """Return which of the four inputs stands at each step, (T, N, B)."""
    bits = (data.u[..., :2] + 1) / 2
    return (2 * bits[..., 0] + bits[..., 1]).astype(int)


def test_an_episode_tells_all_four_inputs_then_asks_for_all_four():
    functions = np.array([[6, 8, 14], [1, 2, 3]])
    data = episodes(functions, 50, np.random.default_rng(0))
    place = places(data)
    assert data.u.shape == (8, 2, 50, 4)
    assert (np.sort(place[:4], 0) == np.arange(4)[:, None, None]).all()
    assert (np.sort(place[4:], 0) == np.arange(4)[:, None, None]).all()
    assert data.asked.tolist() == [False] * 4 + [True] * 4
    assert (data.u[:4, ..., 2] == data.label[:4]).all() and not data.u[4:, ..., 2:].any()
    assert (data.u[:4, ..., 3] == 1).all()
    tables = np.take_along_axis(data.label[:4], place[:4].argsort(0), 0)  # (4, N, B)
    asked = np.take_along_axis(data.label[4:], place[4:].argsort(0), 0)
    assert (tables == asked).all()
    for n in range(2):
        shown = {tuple(column) for column in tables[:, n].T}
        assert shown == {tuple(TABLES[f]) for f in functions[n]}
    assert len({tuple(column) for column in place[:4].reshape(4, -1).T}) == 24
    assert (place[:4] != place[4:]).any(0).mean() > 0.8


def test_the_label_cannot_be_read_off_the_input_of_its_step():
    data = episodes(np.arange(16)[None], 8000, np.random.default_rng(0))
    place = places(data)[data.asked]
    for one in range(4):
        assert abs(data.label[data.asked][place == one].mean()) < 0.05


def test_a_stream_changes_its_function_twice_and_asks_before_it_tells():
    functions = np.array([[6, 8, 14, 3]])
    data = study.streams(functions, 300, np.random.default_rng(0))
    place = places(data)
    assert data.u.shape == (48, 1, 300, 4)
    assert data.asked.tolist() == [True, False] * 24
    assert (place[::2] == place[1::2]).all() and (data.label[::2] == data.label[1::2]).all()
    assert not data.u[::2, ..., 2:].any() and (data.u[1::2, ..., 2] == data.label[1::2]).all()
    blocks = place[::2].reshape(6, 4, -1)
    assert (np.sort(blocks, 1) == np.arange(4)[:, None]).all()
    tables = np.take_along_axis(data.label[::2].reshape(6, 4, -1), blocks.argsort(1), 1)
    assert (tables[::2] == tables[1::2]).all()
    for one in tables.transpose(0, 2, 1).reshape(-1, 4):
        assert tuple(one) in {tuple(TABLES[f]) for f in functions[0]}
    changed = (tables[2::2] != tables[:-2:2]).any(1)
    assert changed.all()
    starts = {tuple(column) for column in tables[0].T}
    assert len(starts) == 4


# ---- training and evaluation ---------------------------------------------------------------------
class Scripted(Net):
    """Two nets of two weights whose gradients are given in advance."""

    def __init__(self, gradients):
        self.parts = {"w": ((2,), 1.0)}
        self.gradients = iter(gradients)

    def forward(self, theta, u):
        return np.ones(u.shape[:3])

    def backward(self, dy):
        return next(self.gradients).copy()


def test_adam_clips_each_net_alone_and_halves_its_step():
    config = Config(nets=2, updates=4, learning_rate=0.1, clip=1.0)
    gradients = np.array(
        [[[30.0, 40], [0.3, 0.4]], [[0.1, 0], [3, 4]], [[0, 1], [1, 0]], [[5, 5], [0.1, 0.1]]]
    )
    functions = np.tile(np.arange(16), (2, 1))

    def draw(count, rng):
        return episodes(functions, count, rng)

    rngs = [np.random.default_rng(i) for i in range(2)]
    theta, right = train(Scripted(gradients), draw, config, *rngs, silent)
    expected = np.random.default_rng(0).standard_normal((2, 2))
    mean = square = 0.0
    for update, (gradient, rate) in enumerate(zip(gradients, (0.1, 0.1, 0.05, 0.05)), 1):
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)
        gradient = np.where(norm > 1, gradient / norm, gradient)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        expected -= (
            rate * (mean / (1 - 0.9**update)) / (np.sqrt(square / (1 - 0.999**update)) + 1e-8)
        )
    np.testing.assert_allclose(theta, expected, rtol=2e-4, atol=1e-5)
    assert right.shape == (4, 2)
    assert 0.2 < right.mean() < 0.8  # the answer is always yes


@pytest.mark.parametrize("kind", [SelfReferential, TanhRnn])
def test_training_lowers_errors(kind):
    config = replace(SMALL, updates=150, dimension=8, rnn_hidden=16)
    functions = np.array([[6], [9]])  # XOR, and its opposite
    rngs = [np.random.default_rng(i) for i in range(2)]
    _, right = train(
        kind(config), lambda n, rng: episodes(functions, n, rng), config, *rngs, silent
    )
    assert right[-20:].mean() > right[:20].mean() + 0.2


def test_answers_that_are_no_numbers_stop_the_run():
    class Broken(Scripted):
        def forward(self, theta, u):
            return np.full(u.shape[:3], np.nan)

    functions = np.array([[6], [9]])
    rngs = [np.random.default_rng(i) for i in range(2)]
    config = replace(SMALL, updates=3)
    with pytest.raises(FloatingPointError, match="at update 1"):
        train(Broken([]), lambda n, rng: episodes(functions, n, rng), config, *rngs, silent)


def test_scores_count_the_steps_that_ask_and_all_portions():
    class Known(Scripted):
        """It is right where the first input is on, else wrong, and wrong wherever it is told."""

        def forward(self, theta, u):
            self.seen = self.seen + [u.shape[2]]
            asked = u[..., 3] == 0
            label = self.labels[:, :, sum(self.seen[:-1]) :][:, :, : u.shape[2]]
            return label * np.where(asked & (u[..., 0] > 0), 1.0, -1.0)

    data = episodes(np.array([[6, 8], [1, 2]]), 300, np.random.default_rng(0))
    net = Known([])
    net.seen, net.labels = [], data.label
    right = answers_right(net, np.zeros((2, 2)), data)
    assert net.seen == [100, 100, 100] and right.shape == (4, 2, 300)
    net.seen = []
    assert scores(net, np.zeros((2, 2)), data).tolist() == [0.5, 0.5]


def test_habits_by_hand():
    net = SelfReferential(SMALL)
    net.s = np.arange(8.0)[:, None, None, None] * np.array([1.0, 10, 20, 30])
    net.matrices = np.zeros((9, 1, 1, 13, 4))
    net.matrices[-1, ..., 0, :] = 3.0
    net.matrices[-1, ..., 1:, :] = -0.5
    net.matrices[4] = 77.0
    table = habits(net)
    assert table["rates"] == {"demo_y": 1.5, "demo_own": 30.0, "query_y": 5.5, "query_own": 110.0}
    assert table["moved"] == {"y": 3.0, "own": 0.5}


# ---- how run() is wired --------------------------------------------------------------------------
@pytest.fixture
def spied(monkeypatch):
    """Record every draw of episodes, training and scoring of both programs."""
    seen = {"drawn": [], "trained": [], "scored": []}

    def spy_episodes(functions, count, rng):
        before = rng.bit_generator.state["state"]["state"]
        data = episodes(functions, count, rng)
        seen["drawn"].append((functions, count, before, data))
        return data

    def spy_streams(functions, count, rng):
        before = rng.bit_generator.state["state"]["state"]
        data = spied_streams(functions, count, rng)
        seen["drawn"].append((functions, count, before, data))
        return data

    def spy_train(net, draw, config, init_rng, data_rng, progress):
        states = [r.bit_generator.state["state"]["state"] for r in (init_rng, data_rng)]
        start = len(seen["drawn"])
        theta, right = train(net, draw, config, init_rng, data_rng, progress)
        seen["trained"].append((net, config, states, seen["drawn"][start:], theta, right))
        return theta, right

    def spy_right(net, theta, data):
        seen["scored"].append((net, theta, data, answers_right(net, theta, data)))
        return seen["scored"][-1][3]

    spied_streams = study.streams
    monkeypatch.setattr(study, "streams", spy_streams)
    for module in (srwm, study):
        monkeypatch.setattr(module, "episodes", spy_episodes)
        monkeypatch.setattr(module, "train", spy_train)
        monkeypatch.setattr(module, "answers_right", spy_right)
    return seen


FEW = Config(**(QUICK | {"updates": 60, "nets": 3, "test_episodes": 40}))


def shown(data):
    """Return the truth tables that each net was shown."""
    order = places(data)[data.asked][:4].argsort(0)
    tables = np.take_along_axis(data.label[data.asked][:4], order, 0)  # (4, N, B)
    return [{tuple(column) for column in tables[:, n].T} for n in range(tables.shape[1])]


def test_what_run_evaluates_was_not_trained_on_and_the_rival_sees_as_much(spied):
    run(FEW, 0, silent)
    (rnn, rnn_config, _, rnn_batches, *_), (net, config, _, batches, *_) = spied["trained"]
    assert isinstance(rnn, TanhRnn) and isinstance(net, SelfReferential)
    assert config == rnn_config == FEW
    assert [d[1] for d in batches] == [d[1] for d in rnn_batches] == [32] * 60
    known = [set().union(*(shown(d[3])[n] for d in batches)) for n in range(3)]
    also = [set().union(*(shown(d[3])[n] for d in rnn_batches)) for n in range(3)]
    assert known == also and all(len(tables) == 12 for tables in known)
    unseen = [data for _, _, data, _ in spied["scored"] if not shown(data)[0] & known[0]]
    assert len(unseen) == 2 and unseen[0] is unseen[1]  # both nets get the same questions
    for tables, old in zip(shown(unseen[0]), known):
        assert len(tables) == 4 and not tables & old
    assert abs(net.initial(np.random.default_rng(0), 1).size / 953 - 1) < 0.02


def test_streams_do_not_start_alike(spied):
    run(FEW, 0, silent)
    starts = [state for *_, states, _, _, _ in spied["trained"] for state in states]
    starts += [drawn[2] for drawn in spied["drawn"][:2]]
    assert len(starts) == 6 and len(set(starts)) == 6
    first = [batches[0][3].u for *_, batches, _, _ in spied["trained"]]
    assert (first[0] != first[1]).any()


def test_run_reports_what_was_scored(spied):
    table = srwm.flatten(run(FEW, 0, silent))
    known = {id(net): [] for net, *_ in spied["trained"]}
    for net, _, data, right in spied["scored"]:
        known[id(net)].append((data, right.mean((0, 2))))
    trained = {type(net): net for net, *_ in spied["trained"]}
    fewest = {}
    for kind, row in ((SelfReferential, "srwm"), (TanhRnn, "rnn")):
        (_, first), (_, second) = known[id(trained[kind])]
        assert table[f"{row}.training"] == pytest.approx(first.mean())
        assert table[f"{row}.held_out"] == pytest.approx(second.mean())
        fewest[row] = second
    assert table["srwm.worst"] == pytest.approx(fewest["srwm"].min())
    assert table["rnn.best"] == pytest.approx(fewest["rnn"].max())
    assert table["held_out_gain"] == pytest.approx((fewest["srwm"] - fewest["rnn"]).mean())
    assert table["srwm.weights"] == 944 and table["rnn.weights"] == 953
    right = spied["trained"][1][5]
    assert len(table["curve.x"]) == 50 and table["curve.x"][-1] == 60
    assert table["curve.y"][0] == pytest.approx(right[:2].mean())


def test_a_net_counts_as_solved_from_97_percent_on(monkeypatch):
    given = {SelfReferential: [1.0, 0.97, 0.96], TanhRnn: [0.5, 0.5, 0.8]}
    monkeypatch.setattr(srwm, "scores", lambda net, theta, data: np.array(given[type(net)]))
    zeros = np.zeros((60, 3))
    monkeypatch.setattr(srwm, "train", lambda net, *_: (np.zeros((3, 9)), zeros))
    monkeypatch.setattr(srwm, "habits", lambda net: {})
    table = run(FEW, 0, silent)
    assert table["solved_share"] == pytest.approx(2 / 3)
    assert table["held_out_gain"] == pytest.approx((2.93 - 1.8) / 3)


# ---- how the study is wired ----------------------------------------------------------------------
TINY = study.Config(**(study.QUICK | {"nets": 2, "updates": 30, "test_episodes": 40}))


def test_the_study_trains_each_kind_alike_and_tests_on_the_unseen(spied):
    study.run(TINY, 0, silent)
    trained = spied["trained"]
    rows = [np.diag(net.spread @ net.spread.T) > 0 for net, *_ in trained[:4]]
    assert [row.tolist() for row in rows] == [
        [True, True, True, True],
        [True, False, False, False],
        [True, False, False, True],
        [True, True, True, False],
    ]
    kinds = [type(net) for net, *_ in trained]
    S, R = SelfReferential, TanhRnn
    assert kinds == [S, S, S, S, R, S, S, R, S, R]
    assert [len(batches) for *_, batches, _, _ in trained] == [30] * 10
    sizes = [batches[0][1] for *_, batches, _, _ in trained]
    assert sizes == [32] * 5 + [16] * 3 + [32] * 2
    assert [len(net.spread) and net.spread[1:].any() for net, *_ in trained[5:7]] == [True, False]
    starts = [state for _, _, states, *_ in trained for state in states]
    assert len(set(starts)) == 20
    tests = [data for _, _, data, _ in spied["scored"]]
    assert len(tests) == 10
    for one, (*_, batches, _, _) in zip(tests[:8], trained[:8]):
        for n, tables in enumerate(shown(one)):
            old = {tuple(TABLES[f]) for f in batches[0][0][n]}
            assert len(old) == 12 and not tables & old
    assert all((functions == study.FOUR).all() for functions, *_ in trained[8][3])


def test_the_study_reports_what_was_scored(spied):
    table = study.run(TINY, 0, silent)
    rights = [right for *_, right in spied["scored"]]
    means = [right.mean() for right in rights]
    assert table["gain_over_delta"] == pytest.approx(means[0] - means[1])
    assert [table[name]["held_out"] for name in (*study.ROWS, "rnn")] == pytest.approx(means[:5])
    assert table["four_accuracy"] == pytest.approx(means[8])
    stream = rights[5]  # (24, N, B)
    assert table["stream_all"]["first"] == pytest.approx(stream[4:8].mean())
    assert table["stream_all"]["third"] == pytest.approx(stream[20:24].mean())
    assert table["change_loss"] == pytest.approx(stream[4:8].mean() - stream[20:].mean())
    assert table["stream_all"]["just_changed"] == pytest.approx(stream[[8, 16]].mean())
    assert table["stream_all"]["examples"] == pytest.approx(stream.mean((1, 2)))
    assert table["stream_rnn"]["third"] == pytest.approx(rights[7][20:].mean())


# ---- bad settings --------------------------------------------------------------------------------
def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="--test-episodes"):
        Config(test_episodes=150)
    with pytest.raises(ValueError, match="--train-functions"):
        study.Config(train_functions=15)
    with pytest.raises(ValueError, match="--test-episodes"):
        study.Config(test_episodes=150)
    assert Config(test_episodes=50).test_episodes == 50
