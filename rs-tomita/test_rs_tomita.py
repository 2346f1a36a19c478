"""Tests of rs_tomita: languages, nets against a literal reading, gradients, proofs, the wiring."""

import re
from dataclasses import replace
from itertools import product
from math import exp, log

import numpy as np
import pytest
import rs_tomita as rt
import study_rs_tomita as study
from rs_tomita import A2, LANGUAGES, QUICK, ROWS, Config, Strings, a1

CONFIG = replace(Config(), **QUICK)
NETS = {"a1 of 1": a1(1), "a1 of 3": a1(3), "a2": A2}
DEFINITIONS = {
    1: lambda word: "0" not in word,
    2: lambda word: re.fullmatch("(10)*", word) is not None,
    4: lambda word: "000" not in word,
}


def silent(fraction, message):
    """Takes a report of progress and checks that it is one."""
    assert 0 <= fraction <= 1 and message


def rng(seed=0):
    return np.random.default_rng(seed)


def bits(word):
    """Returns a word of 0s and 1s as -1 and +1, (T,)."""
    return np.float32([2 * int(letter) - 1 for letter in word])


def words_of(data):
    """Returns the strings as words of 0s and 1s."""
    columns = [data.x[:length, k, 0] for k, length in enumerate(data.length)]
    return ["".join("1" if x > 0 else "0" for x in column) for column in columns]


def all_words(shortest, longest):
    return ["".join(w) for n in range(shortest, longest + 1) for w in product("01", repeat=n)]


def data_of(words, targets):
    """Makes Strings of words."""
    x = np.zeros((max(map(len, words)), len(words), 1), np.float32)
    for k, word in enumerate(words):
        x[: len(word), k, 0] = bits(word)
    return Strings(x, np.array([len(word) for word in words]), np.float32(targets)[:, None])


def by_hand(net, **values):
    """Makes one net whose weights are 0 but for the given ones."""
    weights = rt.draw(net, 1.0, 1, rng())
    for name, weight in weights.items():
        weight[:] = 0
        if name in values:
            weight[..., 0] = np.reshape(values[name], weight.shape[:-1])
    return weights


def only_ones():
    """Makes a net for language 1: the hidden unit comes on after a 0 and stays on."""
    return by_hand(a1(1), a=-60, r=100, b=-30, c=40, v=-100)


def literal(net, weights, k, word, at_once=False):
    """Steps net k through a word, unit by unit in plain floats: its last output."""
    a, f, r, b, v, c, d, e = (w[..., k].astype(float) for w in weights.values())
    squash = lambda z: 1 / (1 + exp(-max(z, -700)))  # noqa: E731
    size = net.hidden
    matrix = np.zeros((size, size))  # to j from i
    for j in range(size):
        for place in range(net.links):
            matrix[j, (j - place) % size] = r[place, j, 0]
    h, y = [0.0] * size, 0.0
    for x in bits(word).tolist():
        z = [a[j, 0] * x + f[j, 0] * y + matrix[j] @ np.array(h) + b[j, 0] for j in range(size)]
        new = [squash(z_j) for z_j in z]
        seen = h if at_once else new
        y = squash(sum(v[j, 0] * seen[j] for j in range(size)) + c[0] * x + d[0] * y + e[0])
        h = new
    return y


# ---- the task ------------------------------------------------------------------------------------
@pytest.mark.parametrize("number, count", [(1, 11), (2, 6), (4, 1103)])
def test_each_automaton_accepts_what_the_definition_says(number, count):
    language = LANGUAGES[number]
    accepted = {word for word in all_words(0, 10) if study.accepts(language, bits(word))}
    assert accepted == {word for word in all_words(0, 10) if DEFINITIONS[number](word)}
    assert len(accepted) == count
    last = len(language.next) - 1  # the state that draw_string keeps out of
    assert last not in language.accepting and language.next[last] == (last, last)


@pytest.mark.parametrize("number", LANGUAGES)
def test_strings_are_of_the_classes_that_they_say(number):
    for shortest, longest in ((5, 9), (40, 45)):
        data = rt.strings(LANGUAGES[number], 100, shortest, longest, rng(number))
        words = words_of(data)
        assert data.target[:, 0].tolist() == [1, 0] * 100 and data.x.shape == (longest, 200, 1)
        assert [DEFINITIONS[number](word) for word in words] == [True, False] * 100
        wanted = set(range(shortest, longest + 1))
        assert set(data.length[1::2]) == wanted
        even = {length for length in wanted if length % 2 == 0}
        assert set(data.length[::2]) == (even if number == 2 else wanted)
        assert all((data.x[length:, k] == 0).all() for k, length in enumerate(data.length))
        assert set(np.unique(data.x)) == {-1, 0, 1}


def test_bits_are_fair_where_the_language_leaves_them_free():
    for number in LANGUAGES:
        words = words_of(rt.strings(LANGUAGES[number], 50, 100, 120, rng()))
        ones = sum(word.count("1") for word in words[1::2]) / sum(map(len, words[1::2]))
        assert ones == pytest.approx(0.5, abs=0.03)
    after_one, after_two = [], []
    for word in words[::2]:  # of language 4
        after_one += [word[k + 2] for k in range(len(word) - 2) if word[k : k + 2] == "10"]
        after_two += [word[k + 2] for k in range(len(word) - 2) if word[k : k + 2] == "00"]
    assert after_one.count("0") / len(after_one) == pytest.approx(0.5, abs=0.05)
    assert set(after_two) == {"1"}


def test_a_near_miss_is_an_accepted_string_but_for_one_bit():
    for number, language in LANGUAGES.items():
        words = words_of(study.near_misses(language, 20, 20, 24, rng(number)))
        assert [DEFINITIONS[number](word) for word in words] == [True, False] * 20
        for word in words[3::4]:
            turned = [word[:k] + "10"[int(word[k])] + word[k + 1 :] for k in range(len(word))]
            assert any(map(DEFINITIONS[number], turned))
        if number != 4:
            assert not any(word.count("10") > 9 or word.count("0") < 3 for word in words[1::4])


# ---- the nets ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name, free", [("a1 of 1", 7), ("a1 of 3", 23), ("a2", 52)])
def test_every_weight_a_net_has_is_drawn(name, free):
    net, weights = NETS[name], rt.draw(NETS[name], 100.0, 4000, rng())
    assert not weights[net.missing].any() and net.missing == {"a1": "e", "a2": "d"}[name[:2]]
    drawn = {key: weight for key, weight in weights.items() if key != net.missing}
    assert sum(weight[..., 0].size for weight in drawn.values()) == free
    for weight in drawn.values():
        assert weight.dtype == np.float32 and 99 < np.abs(weight).max() <= 100
        assert weight.std(-1).ravel() == pytest.approx(100 / 3**0.5, rel=0.05)
        assert np.abs(weight.mean(-1)).max() < 5
    parts = rng()
    pieces = [rt.draw(net, 100.0, count, parts) for count in (3990, 3, 7)]
    for key, weight in weights.items():
        assert (np.concatenate([piece[key] for piece in pieces], -1) == weight).all()


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
@pytest.mark.parametrize("move", [rt.step, study.step_at_once])
def test_nets_do_what_the_formulas_say(net, move):
    words = ["1", "01", "0110", "101101", "1110001"]
    weights = rt.draw(net, 2.0, 8, rng(2))
    fast = rt.answers(weights, data_of(words, np.ones(5)), move)
    at_once = move is study.step_at_once
    slow = [[literal(net, weights, k, word, at_once) for k in range(8)] for word in words]
    assert np.abs(fast - slow).max() < 1e-5 and np.ptp(slow) > 0.3


def test_hidden_units_come_first_and_the_output_sees_their_new_values():
    weights = by_hand(a1(1), a=80, v=80, d=-40)  # h copies x; then y = s(80 h - 40 y)
    for word, says in (("10", 0), ("01", 1)):
        data = data_of([word], [1])
        assert rt.answers(weights, data)[0, 0] == pytest.approx(says, abs=1e-6)
        # at once with them, the output sees the bit before
        late = rt.answers(weights, data, study.step_at_once)
        assert late[0, 0] == pytest.approx(1 - says, abs=1e-6)


def test_answers_are_taken_at_the_end_of_each_string_and_judged_by_the_tolerance():
    weights = by_hand(a1(1), c=log(9))  # the output is 0.9 after a 1, 0.1 after a 0
    data = data_of(["001", "10", "1", "100001"], [1, 0, 1, 0])
    assert rt.answers(weights, data)[:, 0] == pytest.approx([0.9, 0.1, 0.9, 0.9])
    for tolerance, good in ((0.101, [1, 1, 1, 0]), (0.099, [0, 0, 0, 0])):
        assert rt.right(weights, data, tolerance)[:, 0].tolist() == good
    part = rt.subset(data, [2, 1])
    assert part.x.shape == (2, 2, 1) and rt.right(weights, part, 0.101).all()


# ---- random guessing -----------------------------------------------------------------------------
def test_screening_is_exact():
    """Nets that are right on some or on all strings, against the literal reading."""
    data = rt.strings(LANGUAGES[1], 10, 5, 8, rng(1))
    near = {name: weight + rng(3).normal(0, 30, 60) for name, weight in only_ones().items()}
    near = {name: weight.astype(np.float32) for name, weight in near.items()}
    good = rt.right_on_all(near, data, 0.1)
    slow = [[literal(a1(1), near, k, word) for k in range(60)] for word in words_of(data)]
    assert (good == (np.abs(slow - data.target) < 0.1).all(0)).all() and 5 < good.sum() < 55


def test_no_string_may_be_missed():
    data = rt.strings(LANGUAGES[1], 10, 5, 8, rng(1))
    assert rt.right_on_all(only_ones(), data, 0.1).all()
    for k in range(20):
        target = data.target.copy()
        target[k] = 1 - target[k]
        assert not rt.right_on_all(only_ones(), data._replace(target=target), 0.1).any()


@pytest.mark.parametrize("block", [64, 1024])
def test_a_search_ends_with_the_first_net_that_is_right_whatever_the_block(block):
    data, said = rt.strings(LANGUAGES[1], 10, 5, 9, rng(1)), []
    config = replace(CONFIG, block=block)
    guesses, net = rt.search(a1(1), data, 1000, config, rng(25), said.append)
    drawn = rt.draw(a1(1), 100.0, 1000, rng(25))
    good = rt.right_on_all(drawn, data, 0.1)
    assert guesses == good.argmax() + 1 > 300 and said[0] == 0
    assert said == [64 * k for k in range(len(said))] if block == 64 else said[1:2] == [256]
    assert all((net[name] == rt.pick(drawn, [guesses - 1])[name]).all() for name in net)


def test_a_search_gives_up_after_exactly_its_limit(monkeypatch):
    drawn, real = [], rt.draw
    spy = lambda net, width, count, g: drawn.append(count) or real(net, width, count, g)  # noqa: E731
    monkeypatch.setattr(rt, "draw", spy)
    config = replace(CONFIG, weight_range=0.01, block=64)
    data = rt.strings(LANGUAGES[1], 10, 8, 12, rng())
    guesses, net = rt.search(a1(1), data, 150, config, rng(), str)
    assert guesses == sum(drawn) == 150 and net["e"].size == 0


# ---- gradient descent ----------------------------------------------------------------------------
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_gradient_agrees_with_central_differences(net):
    data = rt.strings(LANGUAGES[4], 10, 5, 7, rng(1))
    every = net._replace(missing="a")
    weights = {name: w.astype(float) for name, w in rt.draw(every, 1.5, 2, rng(2)).items()}
    weights["a"][:] = rng(3).normal(0, 1, weights["a"].shape)  # every path, missing ones, too
    data = data._replace(x=data.x.astype(float))

    def losses():  # (N,) mean cross-entropy
        y = rt.answers(weights, data)
        return -np.log(np.where(data.target > 0, y, 1 - y)).mean(0)

    grads = rt.gradient(weights, data)
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
        rt.adam(weights, scaled, moments, rate, update)
    for k, small in ((0, (0.3, 0.4)), (1, (0.6, 0.8))):
        for name, first in zip(("a", "c"), small):
            second = -0.5 * first if k == 0 else -first
            mean = 0.9 * 0.1 * first + 0.1 * second
            square = 0.999 * 0.001 * first**2 + 0.001 * second**2
            move = first / (abs(first) + 1e-8)
            move += mean / (1 - 0.9**2) / ((square / (1 - 0.999**2)) ** 0.5 + 1e-8)
            assert weights[name].ravel()[k] == pytest.approx(-rate[k] * move)


def test_descent_sees_its_strings_each_equally_often(monkeypatch):
    seen, real = [], rt.gradient
    monkeypatch.setattr(rt, "gradient", lambda *given: seen.append(given[1]) or real(*given))
    config = replace(Config(), descent_strings=600, starts=2)
    needed = rt.descend(ROWS["l1_a1"], config, np.random.SeedSequence(5), silent)
    assert len(seen) == 30 and needed.shape == (3 * 2,)
    shown = [word for batch in seen for word in words_of(batch)]
    assert len(shown) == 600 and all(10 <= len(word) <= 15 for word in shown)
    for word in set(shown):
        assert shown.count(word) == 6 * shown[:100].count(word)
    assert shown[:100] != shown[100:200]
    assert sum(map(DEFINITIONS[1], shown[:100])) == 50


def test_descent_trains_what_a_net_has_at_all_rates_from_its_width(monkeypatch):
    used, real = [], rt.adam

    def spy(weights, grads, moments, rate, update):
        used.append((rate.copy(), update, np.abs(weights["a"]).max()))
        real(weights, grads, moments, rate, update)
        assert not weights["e"].any() and weights["a"].shape == (3, 1, 15)

    monkeypatch.setattr(rt, "adam", spy)
    config = replace(Config(), descent_strings=200)
    rt.descend(ROWS["l2_a1"], config, np.random.SeedSequence(5), silent)
    rate, _, width = used[0]
    assert [update for _, update, _ in used] == list(range(1, 11)) and 0.45 < width <= 0.5
    assert rate == pytest.approx(np.repeat([0.003, 0.01, 0.03], 5))


def test_descent_notes_when_a_start_was_first_right_on_all(monkeypatch):
    flags = iter([[[1, 0, 0], [1, 0, 1]], [[0, 1, 0], [1, 1, 1]], [[1, 1, 0], [1, 1, 0]]])
    given = []

    def right(weights, data, tolerance):
        given.append((len(data.length), tolerance))
        return np.array(next(flags), bool)

    monkeypatch.setattr(rt, "right", right)
    config = replace(Config(), descent_strings=300, starts=1)
    needed = rt.descend(ROWS["l1_a1"], config, np.random.SeedSequence(5), silent)
    assert needed.tolist() == [100, 200, np.inf] and given == [(100, 0.1)] * 3


# ---- how run() is wired --------------------------------------------------------------------------
def test_nothing_is_tested_on_what_it_was_accepted_for(monkeypatch):
    trained, tested, real = [], [], rt.right

    def spy_search(net, data, limit, config, generator, report):
        trained.append((limit, data))
        report(7)
        return 7 + len(trained), only_ones()

    def spy_right(weights, data, tolerance):
        tested.append(data)
        assert tolerance == 0.1
        return real(weights, data, tolerance)

    monkeypatch.setattr(rt, "search", spy_search)
    monkeypatch.setattr(rt, "right", spy_right)
    config = replace(CONFIG, searches=3)
    row = rt.guess_row(ROWS["l1_a1"], config, np.random.SeedSequence(1), silent)
    guesses, found, fresh_right, constant_right = row
    assert guesses.tolist() == [8, 9, 10] and found.tolist() == [1, 1, 1]
    assert [limit for limit, _ in trained] == [3000, 2992, 2983]
    assert fresh_right.all() and fresh_right.shape == (100, 3) and constant_right == 0.5
    rejected = [set(words_of(data)[1::2]) for data in [one for _, one in trained] + tested]
    assert len(rejected) == 6 and len(set.union(*rejected)) == sum(map(len, rejected)) == 300
    for data in [one for _, one in trained] + tested:
        assert data.length.min() >= 50 and data.length.max() <= 60 and data.target.mean() == 0.5


def test_a_row_ends_with_its_last_guess(monkeypatch):
    limits = []

    def spy_search(net, data, limit, config, generator, report):
        limits.append(limit)
        solved = limit > 1000
        return min(limit, 1800), rt.pick(only_ones(), [0] if solved else [])

    monkeypatch.setattr(rt, "search", spy_search)
    config = replace(CONFIG, searches=5)  # of 3000 guesses in all
    row = rt.guess_row(ROWS["l1_a1"], config, np.random.SeedSequence(1), silent)
    assert limits == [3000, 1200] and row[0].tolist() == [1800, 1200]
    assert row[1].tolist() == [1, 1] and row[2].shape == (100, 2)
    limits.clear()
    config = replace(config, max_guesses=900)
    row = rt.guess_row(ROWS["l1_a1"], config, np.random.SeedSequence(1), silent)
    assert limits == [900] and row[1].tolist() == [0] and row[2].shape == (100, 0)
    assert rt.share(row[2]) is None


def test_no_two_random_streams_start_alike(monkeypatch):
    states, real = [], np.random.default_rng
    spy = lambda seed: states.append(tuple(seed.generate_state(4))) or real(seed)  # noqa: E731
    monkeypatch.setattr(np.random, "default_rng", spy)
    tiny = {"max_guesses": 64, "starts": 1, "descent_strings": 100, "shortest": 5, "longest": 9}
    config = replace(CONFIG, **tiny)
    rt.run(config, 3, silent)
    assert len(states) == len(set(states)) and len(states) >= 3 * len(ROWS) + 2 * 3
    rt.run(config, 4, silent)
    count = len(states)
    small = replace(study.Config(), **study.QUICK | tiny)
    study.run(replace(small, guesses=2, sets=1, table_guesses=20), 3, silent)
    assert len(states) - count == 2 * 5 * 6 + 3 * 4 + 1 + 2 * 2 == len(set(states[count:]))
    assert len(states) == len(set(states))


def test_rows_and_descents_get_what_the_settings_say(monkeypatch):
    rows, descents = [], []

    def guess_row(row, config, seed, progress):
        rows.append((row, config))
        return np.ones(2), np.ones(2), np.ones((100, 2), bool), 0.5

    def descend(row, config, seed, progress):
        descents.append((row, config))
        return np.ones(15)

    monkeypatch.setattr(rt, "guess_row", guess_row)
    monkeypatch.setattr(rt, "descend", descend)
    config = Config()
    rt.run(config, 0, silent)
    assert rows == [(row, config) for row in ROWS.values()]
    assert descents == [(ROWS["l1_a1"], config), (ROWS["l2_a1"], config)]
    assert (config.searches, config.max_guesses, config.weight_range) == (10, 200_000, 100)
    assert (config.per_class, config.shortest, config.longest) == (50, 500, 600)
    assert (config.descent_strings, config.starts, rt.BATCH) == (20_000, 5, 20)
    nets = [(row.language, row.net.hidden, row.net.links, row.paper) for row in ROWS.values()]
    assert nets[:3] == [(1, 1, 1, 182), (1, 10, 1, 288), (2, 3, 3, 1511)]
    assert nets[3:] == [(2, 10, 1, 17_953), (4, 2, 2, 13_833)]


def test_metrics_say_what_happened(monkeypatch):
    flags = lambda *values: np.array(values, bool)  # noqa: E731
    rows = {  # guesses, nets found, right on fresh strings
        182: ([10, 500], [1, 1], flags([1, 0], [1, 1])),
        288: ([40, 20], [1, 1], flags([1, 1], [1, 1])),
        1511: ([4000, 500, 500], [1, 1, 0], flags([1, 0], [0, 0])),
        17_953: ([9000], [1], flags([1], [1])),
        13_833: ([5000], [0], np.zeros((2, 0), bool)),
    }
    rows = {key: (np.array(row[0]), np.array(row[1]), row[2], 0.5) for key, row in rows.items()}
    monkeypatch.setattr(rt, "guess_row", lambda row, *given: rows[row.paper])
    needed = {1: np.array([100, np.inf, np.inf, 300]), 2: np.array([np.inf, 5, np.inf, np.inf])}
    monkeypatch.setattr(rt, "descend", lambda row, *given: needed[row.language])
    clock = iter([100.0, 102.0])
    monkeypatch.setattr(rt, "process_time", lambda: next(clock))
    out = rt.run(replace(CONFIG, searches=4), 0, silent)
    assert out["l1_a1"] == {"mean_guesses": 255.0, "test_right": 0.75}
    assert out["l1_a2"] == {"mean_guesses": 30.0, "test_right": 1.0}
    assert out["l2_a1"] == {"mean_guesses": 2500.0, "test_right": 0.25}
    assert out["l2_a2"] == {"mean_guesses": 9000.0, "test_right": 1.0}
    assert out["l4_a1"] == {"mean_guesses": 5000.0, "test_right": None, "solved": 0.0}
    assert out["l2_log_ratio"] == pytest.approx(log(9000 / 2500))
    assert out["guessing"] == {"guesses_per_second": 19_570 / 2}
    assert out["descent"] == {"solved_l1": 0.5, "solved_l2": 0.25} and out["constant_right"] == 0.5
    assert out["curve"]["x"][:3] == [0, 10, 20] and len(out["curve"]["x"]) == 101
    assert out["curve"]["y"][:2] == [0, 0.25] and out["curve"]["y"][49:51] == [0.25, 0.5]


@pytest.mark.parametrize(
    "bad, flag",
    [
        ({"shortest": 600}, "--shortest"),
        ({"descent_shortest": 15}, "--descent-shortest"),
        ({"per_class": 25}, "--per-class"),
        ({"descent_strings": 150}, "--descent-strings"),
    ],
)
def test_settings_that_do_not_fit_are_refused(bad, flag):
    with pytest.raises(ValueError, match=flag):
        replace(Config(), **bad)


# ---- the study -----------------------------------------------------------------------------------
def test_a_net_in_a_crowd_does_what_it_does_alone():
    """The proofs rely on this, bit for bit."""
    for net in NETS.values():
        crowd = rt.draw(net, 100.0, 37, rng(2))
        data = rt.strings(LANGUAGES[4], 10, 5, 9, rng(3))
        together = rt.answers(crowd, data)
        for k in (0, 17, 36):
            alone = rt.pick(crowd, [k])
            states, after = study.states_of(alone, 500, rt.step)
            if states is None:
                continue
            for s, word in enumerate(words_of(data)):
                state = 0
                for letter in word:
                    state = after[state, int(letter)]
                assert np.float64(states[state, -1]) == together[s, k]


def test_the_net_built_by_hand_is_language_1_and_no_other():
    config = study.Config()
    assert study.is_language(only_ones(), LANGUAGES[1], config)
    assert not study.is_language(only_ones(), LANGUAGES[2], config)
    assert not study.is_language(only_ones(), LANGUAGES[4], config)
    states, after = study.states_of(only_ones(), 50, rt.step)
    assert 3 <= len(states) <= 8 and len(after) == len(states) and not states[0].any()


def test_a_proof_asks_for_strings_of_all_lengths():
    config = study.Config()
    late = by_hand(a1(1), r=99, b=50, v=99, c=10)  # says 1 whatever it reads
    no = by_hand(a1(1), v=-99, b=50)
    assert not study.is_language(late, LANGUAGES[1], config)
    for most in range(4):  # a net that says no to everything
        after = [(min(k + 1, most + 1),) * 2 for k in range(most + 2)]
        short = rt.Language("so many bits at most", tuple(after), tuple(range(most + 1)))
        assert study.is_language(no, short, config) is (most == 0)
    contracting = by_hand(a1(1), a=0.3, f=0.2, r=0.9, b=0.1, v=0.3, c=0.2, d=0.1)
    config = replace(config, states=50, tolerance=0.5)
    nothing = rt.Language("nothing", ((0, 0),), ())
    assert study.states_of(contracting, 50, rt.step) == (None, None)
    assert not study.is_language(contracting, nothing, config)


@pytest.mark.parametrize("number, hidden", [(1, 1), (2, 3)])
def test_proofs_agree_with_all_strings_of_some_lengths(number, hidden):
    language, config = LANGUAGES[number], study.Config()
    easy = data_of(["11111", "00000", "10101", "1010101010"] * 3, [0] * 12)
    truth = [[DEFINITIONS[number](word)] for word in words_of(easy)]
    easy = easy._replace(target=np.float32(truth))
    nets = rt.draw(a1(hidden), 100.0, 8000, rng(9))
    nets = rt.pick(nets, np.flatnonzero(rt.right_on_all(nets, easy, 0.1))[:60])
    words = all_words(1, 11)
    data = data_of(words, [DEFINITIONS[number](word) for word in words])
    good = rt.right(nets, data, 0.1).all(0)
    proofs = [study.is_language(rt.pick(nets, [k]), language, config) for k in range(good.size)]
    assert not (np.array(proofs) & ~good).any() and 0 < (~good).sum()
    if number == 1:
        assert sum(proofs) >= 3


def test_tables_do_what_saturated_nets_do():
    weights = rt.draw(a1(2), 100.0, 300, rng(1))
    big = {name: 100 * weight for name, weight in weights.items()}  # all units saturated
    table = study.table_of(big)
    assert table.shape == (2, 8, 300) and table.dtype == np.uint8
    data = rt.strings(LANGUAGES[4], 10, 5, 9, rng(2))
    says = rt.answers(big, data) > 0.5
    for k in range(300):
        for s, word in enumerate(words_of(data)):
            state = 0
            for letter in word:
                state = table[int(letter), state, k]
            assert (state >= 4) == says[s, k]
    easy = rt.subset(data, np.arange(12) % 3)
    slow = (says[:3] == (easy.target[:3] > 0)).all(0)
    assert (study.table_right_on_all(table, easy) == slow).all() and 0 < slow.sum() < 300


def test_each_regime_guesses_at_the_five_rows(monkeypatch):
    calls, config = [], study.Config()

    def measure(row, draw_strings, move, guesses, given, seed):
        calls.append((row, draw_strings, move, guesses, given.shortest, given.longest))
        return (4, 2, 1) if row.language != 4 else (0, 0, 0)

    monkeypatch.setattr(study, "measure", measure)
    table = study.readings(config, np.random.SeedSequence(0), silent)
    assert [call[0] for call in calls] == list(ROWS.values()) * 6
    firsts = calls[::5]
    assert [call[1] for call in firsts] == [rt.strings, study.near_misses, rt.strings] * 2
    assert [call[2] for call in firsts] == [rt.step] * 3 + [study.step_at_once] * 3
    assert [call[4:] for call in firsts] == [(500, 600), (500, 600), (10, 15)] * 2
    many = [portion * config.guesses for portion in study.PORTION.values()]
    assert [call[3] for call in calls[:5]] == many
    assert [call[3] for call in calls[10:15]] == [study.SHORT * number for number in many]
    assert table["first_uniform"]["l2_a1"] == many[2] / 4
    assert table["first_uniform"]["l4_a1"] is None and table["exact_share"] == 0.5
    assert table["at_once_near"]["hits"] == [4, 4, 4, 4, 0]


def test_the_share_that_is_claimed_is_that_of_the_experiments_own_regime(monkeypatch):
    shares = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    monkeypatch.setattr(study, "measure_regime", lambda *given: {"exact_share": next(shares)})
    table = study.readings(study.Config(), np.random.SeedSequence(0), silent)
    assert table["exact_share"] == table["first_uniform"]["exact_share"] == 0.1


def test_guesses_are_divided_among_new_training_sets(monkeypatch):
    seen = []

    def screen(weights, data, tolerance, move):
        seen.append((weights["c"].size, data))
        assert move is study.step_at_once and tolerance == 0.1
        return weights["c"][0] > 50

    monkeypatch.setattr(study, "right_on_all", screen)
    config = replace(study.Config(), sets=3, block=64, shortest=50, longest=60)
    given = (ROWS["l2_a1"], rt.strings, study.step_at_once, 300, config)
    nets = study.guess(*given, np.random.SeedSequence(0))
    assert [size for size, _ in seen] == [64, 36] * 3 and 50 < nets["e"].size < 100
    assert (nets["c"] > 50).all()
    assert len({word for _, data in seen for word in words_of(data)[1::2]}) == 150


def test_descents_of_the_study_have_the_budgets_of_their_settings(monkeypatch):
    calls = []

    def descend(row, config, seed, progress):
        calls.append((row, config))
        needed = np.full(3 * config.starts, np.inf)
        needed[config.starts : 2 * config.starts] = 700 if len(calls) < 4 else np.inf
        return needed

    monkeypatch.setattr(study, "descend", descend)
    monkeypatch.setattr(study, "strings_read", lambda row, config, rng: row.language)
    config = study.Config()
    table = study.descents(config, np.random.SeedSequence(0), silent)["descent"]
    assert [row for row, _ in calls] == [
        ROWS[name] for name in ("l1_a1", "l2_a1", "l4_a1", "l1_a1")
    ]
    strings = [config.descent_strings] * 2 + [config.hard_strings, config.long_strings]
    assert [given.descent_strings for _, given in calls] == strings
    assert [given.starts for _, given in calls] == [10, 10, 10, 5]
    assert [given.descent_shortest for _, given in calls] == [10, 10, 10, 500]
    assert table["l4"] == {"solved": 1.0, "strings": 700.0}
    assert table["l1_long"] == {"solved": 0.0, "strings": None} and table["l2"]["read"] == 2


def test_strings_are_read_up_to_the_first_mistake(monkeypatch):
    flags = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1]], bool)
    monkeypatch.setattr(study, "right", lambda *given: flags)
    assert study.strings_read(ROWS["l1_a1"], study.Config(), rng()) == (3 + 3 + 1) / 3
