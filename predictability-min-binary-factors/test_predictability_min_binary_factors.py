"""Tests of predictability minimisation: gradients, the game's order, the judge, the wiring."""

import sys
from dataclasses import replace

import numpy as np
import predictability_min_binary_factors as paper
import pytest
import study_predictability_min_binary_factors as study
from predictability_min_binary_factors import (
    EVEN,
    QUICK,
    ROWS,
    UNEVEN,
    Config,
    Game,
    Row,
    distributed,
    judge,
    measure,
    new_game,
    run,
    train,
)

CLOSE = {"rtol": 0, "atol": 1e-12}
SMALL = Config(nets=3, updates_scale=0.001)
ODD = Row(distributed(3), np.arange(1, 9) / 36, False, 3, 4, 2, 10)  # no two sizes alike but 3
SHAPES = [(3, 4), (4,), (4, 3), (3,), (3, 3, 2), (3, 2), (3, 2), (3,)]


def silent(fraction, message):
    """Show nothing."""


def rng(seed=0):
    return np.random.default_rng(seed)


def stream(seed=0):
    return np.random.SeedSequence(seed)


def game_of(kind=Game, nets=2, seed=1, rate=0.3):
    """A float64 game of the odd row, with biases; the last net is a twin with blind predictors."""
    arrays = [rng(seed + k).normal(size=(*shape, nets)) for k, shape in enumerate(SHAPES)]
    sees = np.tile(1 - np.eye(3)[:, :, None, None], nets)
    sees[..., -1] = 0
    return kind(arrays[:4], arrays[4:], sees, rate, 2 * rate)


# ---- the oracle: one net, loops, from the paper's words ----
def sig(a):
    return 1 / (1 + np.exp(-a))


def slow_codes(game, x, n):
    """Codes of net n for its patterns x (P, I)."""
    W, b, V, c = (part[..., n] for part in game.encoder)
    return np.array([sig(V.T @ np.tanh(W.T @ pattern + b) + c) for pattern in x])


def slow_value(game, y, weight, n):
    """V of net n for the codes y (P, D): half the squared errors of the guesses."""
    W, b, V, c = (part[..., n] for part in game.predictors)
    total = 0.0
    for p, code in enumerate(y):
        for i in range(len(code)):
            others = [j for j in range(len(code)) if j != i and game.sees[i, j, 0, n]]
            inner = [sum(W[i, j, k] * code[j] for j in others) + b[i, k] for k in range(W.shape[2])]
            guess = sig(V[i] @ np.tanh(inner) + c[i])
            total += 0.5 * weight[p] * (guess - code[i]) ** 2
    return total


def differences(value, arrays, step=1e-5):
    """Central differences of value() for each entry of the arrays, which are moved in place."""
    found = []
    for array in arrays:
        slope = np.zeros_like(array)
        for at in np.ndindex(array.shape):
            kept = array[at]
            array[at] = kept + step
            high = value()
            array[at] = kept - step
            low = value()
            array[at] = kept
            slope[at] = (high - low) / (2 * step)
        found.append(slope)
    return found


def batch(online):
    """Patterns (P, I, 1 or N) with their weights, and what each of two nets sees."""
    if online:
        x = distributed(3)[[5, 2]].T[None]  # (1, I, 2)
        return x, 1.0, [x[..., 0], x[..., 1]], [1.0]
    return ODD.patterns[:, :, None], ODD.chances[:, None, None], [ODD.patterns] * 2, ODD.chances


@pytest.mark.parametrize("online", [False, True])
def test_codes_and_guesses_are_the_oracle_s(online):
    game = game_of()
    x, weight, seen, weights = batch(online)
    _, y = game.encode(x)
    _, guess = game.predict(y)
    value = (0.5 * weight * (guess - y) ** 2).sum((0, 1))
    for n in range(2):
        codes = slow_codes(game, seen[n], n)
        np.testing.assert_allclose(y[..., n], codes, **CLOSE)
        assert value[n] == pytest.approx(slow_value(game, codes, weights, n), abs=1e-12)


@pytest.mark.parametrize("online", [False, True])
def test_gradients_of_both_players(online):
    game = game_of()
    x, weight, seen, weights = batch(online)

    def value():
        return sum(slow_value(game, slow_codes(game, seen[n], n), weights, n) for n in range(2))

    hidden, y = game.encode(x)
    d_predictors, d_y = game.derivatives(y, weight)
    analytic = game.backward_encoder(x, hidden, y, d_y) + d_predictors
    for found, slope in zip(analytic, differences(value, game.encoder + game.predictors)):
        assert np.abs(found - slope).max() <= 1e-6 * max(1.0, np.abs(slope).max())
        assert np.abs(slope).max() > 1e-5


def test_without_the_path_a_unit_climbs_its_own_error_alone():
    game = game_of(study.NoPath)
    x, weight, _, _ = batch(False)
    _, y = game.encode(x)
    _, guess = game.predict(y)
    d_predictors, d_y = game.derivatives(y, weight)
    np.testing.assert_allclose(d_y, weight * (y - guess), **CLOSE)
    for with_path, without in zip(game_of().derivatives(y, weight)[0], d_predictors):
        np.testing.assert_array_equal(with_path, without)


# ---- the rule ----
@pytest.mark.parametrize("kind", [Game, study.NoPath, study.AtOnce])
def test_predictors_descend_then_units_climb(kind):
    game, before = game_of(kind), game_of(kind)
    x, weight, seen, weights = batch(False)
    game.update(x, weight)

    def value():
        return sum(slow_value(before, slow_codes(before, seen[n], n), weights, n) for n in range(2))

    down = differences(value, before.predictors)
    encoder = [part.copy() for part in before.encoder]
    if kind is study.AtOnce:
        encoder = [part + 0.3 * d for part, d in zip(encoder, differences(value, before.encoder))]
    for part, slope in zip(before.predictors, down):
        part -= 0.6 * slope
    if kind is Game:
        encoder = [part + 0.3 * d for part, d in zip(encoder, differences(value, before.encoder))]
    for found, expected in zip(game.predictors, before.predictors):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    if kind is not study.NoPath:
        for found, expected in zip(game.encoder, encoder):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    assert not np.allclose(game.encoder[0], game_of().encoder[0])


def test_a_case_worked_by_hand():
    """Biases alone: codes 1/2 and 3/4, guesses 1/2 and 1/2, and nothing seen through zero weights.

    Errors are 0 and -1/4, their weight is 2: dV/dc of predictor 2 is -1/2 times 1/4, so its bias
    grows by 1/8 of the predictors' rate 8, to 1: its guess is now sig(1) = 0.7310586, and V
    rises with unit 2 by 2 (0.75 - 0.7310586). Its bias grows by that times 0.75 0.25 and rate 4.
    """
    zero = [np.zeros(shape) for shape in [(1, 1, 1), (1, 1), (1, 2, 1), (2, 1)]]
    zero[3][1] = np.log(3)
    other = [np.zeros(shape) for shape in [(2, 2, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1)]]
    game = Game(zero, other, 1 - np.eye(2)[:, :, None, None], 4.0, 8.0)
    game.update(np.ones((1, 1, 1)), 2.0)
    np.testing.assert_allclose(game.predictors[3][:, 0], [0.0, 1.0], **CLOSE)
    climb = 4 * 2 * (0.75 - 0.7310585786300049) * 0.75 * 0.25
    np.testing.assert_allclose(game.encoder[3][:, 0], [0.0, np.log(3) + climb], **CLOSE)


def test_adam_moves_by_its_rate_and_each_player_has_its_own_moments():
    game = game_of(study.Adam)
    slopes = [np.full(part.shape, 0.5) for part in game.encoder]
    start = [part.copy() for part in game.encoder]
    game.step(game.encoder, slopes, 0.1)
    game.step(game.predictors, [np.ones(part.shape) for part in game.predictors], -0.2)
    game.step(game.encoder, [-0.5 * slope for slope in slopes], 0.1)
    mean = (0.9 * 0.1 * 0.5 - 0.1 * 0.25) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 0.25 + 0.001 * 0.0625) / (1 - 0.999**2)
    expected = 0.1 + 0.1 * mean / np.sqrt(square)
    for part, first in zip(game.encoder, start):
        np.testing.assert_allclose(part - first, expected, rtol=1e-6)
    assert sorted((up, t) for up, (t, _) in game.moments.items()) == [(False, 1), (True, 2)]


def test_adam_s_predictors_take_three_steps():
    game, taken = game_of(study.Adam), []
    step = game.step
    game.step = lambda *what: (taken.append(what[2] > 0), step(*what))
    x, weight, _, _ = batch(False)
    game.update(x, weight)
    assert taken == [False, False, False, True]


# ---- the task ----
def test_the_rows_are_the_paper_s():
    sizes = {}
    for name, row in {**ROWS, **study.OTHERS}.items():
        assert row.chances.sum() == pytest.approx(1) and len(row.chances) == len(row.patterns)
        kind = ("on-line" if row.online else "off-line", "local" if row.local else "distributed")
        shape = (len(row.patterns), row.units, row.predictor_hidden, row.hidden, row.updates)
        sizes[name] = (*kind, *shape)
    assert sizes == {
        "uniform_1": ("off-line", "local", 4, 2, 3, 4, 20_000),
        "uniform_2": ("on-line", "distributed", 4, 2, 2, 4, 3_000),
        "uniform_3": ("off-line", "local", 16, 4, 3, 16, 20_000),
        "uniform_4": ("on-line", "distributed", 16, 4, 6, 8, 4_000),
        "occam_1": ("off-line", "local", 4, 3, 3, 4, 10_000),
        "occam_2": ("off-line", "local", 4, 4, 3, 4, 10_000),
        "occam_3": ("on-line", "distributed", 4, 4, 2, 4, 250_000),
        "non_uniform_1": ("off-line", "distributed", 4, 2, 1, 2, 2_000),
        "non_uniform_2": ("off-line", "distributed", 4, 3, 1, 2, 2_000),
    }


def test_the_patterns():
    np.testing.assert_array_equal(distributed(2), [[-1, -1], [1, -1], [-1, 1], [1, 1]])
    assert len(np.unique(distributed(4), axis=0)) == 16 and np.abs(distributed(4)).min() == 1
    np.testing.assert_allclose(UNEVEN.reshape(2, 2), np.outer([1, 2], [1, 2]) / 9)
    for name, row in {**ROWS, **study.OTHERS}.items():
        even = np.full(len(row.patterns), 1 / len(row.patterns))
        np.testing.assert_array_equal(row.chances, UNEVEN if "non_uniform" in name else even)
        if row.local:
            np.testing.assert_array_equal(row.patterns, np.eye(len(row.patterns)))


# ---- the judge ----
def code(*units):
    """A code (4, D) from columns like "0101"."""
    return np.array([[float(bit) for bit in unit] for unit in units]).T


@pytest.mark.parametrize(
    ("units", "chances", "factorial", "invertible"),
    [
        (("0101", "0011"), EVEN, True, True),
        (("0110", "0011"), EVEN, True, True),  # XOR of the bits beside a bit
        (("0101", "0001"), EVEN, False, False),  # two patterns share a word
        (("0101", "1010"), EVEN, False, False),  # a copy
        (("0001", "0001"), EVEN, False, False),
        (("0000", "1111"), EVEN, False, False),  # independent, and tells nothing
        (("0101", "0011", "1111"), EVEN, True, True),  # Occam
        (("0101", "0011", "0110"), EVEN, False, True),  # pairwise independent only
        (("0101", "0011"), UNEVEN, True, True),
        (("0110", "0011"), UNEVEN, False, True),
    ],
)
def test_judge_on_codes_worked_by_hand(units, chances, factorial, invertible):
    y = (0.2 + 0.6 * code(*units))[:, :, None]
    found = judge(y, chances, Config())
    assert [part.tolist() for part in found] == [[factorial], [invertible]]
    assert [part.tolist() for part in judge(y * np.nan, chances, Config())] == [[False], [False]]


def test_the_bound_is_on_the_total_correlation_in_nats():
    y = code("0110", "0011")[:, :, None]
    on = np.array([4 / 9, 2 / 3])
    single = -(on * np.log(on) + (1 - on) * np.log(1 - on)).sum()
    total = single + (UNEVEN * np.log(UNEVEN)).sum()
    assert 0.01 < total < 0.1
    for bound, holds in ((total - 1e-9, False), (total + 1e-9, True)):
        assert judge(y, UNEVEN, Config(factorial_bound=bound))[0].tolist() == [holds]


class Scripted:
    """A stand-in for a trained game whose codes are given."""

    def __init__(self, *codes):
        self.codes = np.stack(codes, -1)  # (P, D, N)

    def encode(self, x):
        self.asked = x
        return None, self.codes


def test_measure_counts_nets_and_twins_apart():
    good, copy = code("0101", "0011"), code("0101", "0101")
    faint = 0.5 + 0.76 * (good - 0.5)  # 0.12 from 0 or 1
    game = Scripted(good, faint, copy, copy, good, copy, copy, copy)
    found = measure(game, ROWS["uniform_1"], replace(SMALL, nets=4))
    assert found == {"factorial": 0.5, "invertible": 0.5, "binary": 0.75, "twin": 0.25}
    np.testing.assert_array_equal(game.asked[..., 0], ROWS["uniform_1"].patterns)


# ---- training ----
@pytest.mark.parametrize("name", [*ROWS, *study.OTHERS])
def test_a_new_game(name):
    row = {**ROWS, **study.OTHERS}[name]
    config = Config(nets=200, rate_local=0.1, rate_distributed=0.2, rate_online=0.4)
    game = new_game(row, config, rng(), Game)
    rate = 0.4 if row.online else 0.1 if row.local else 0.2
    assert (game.rate, game.predictor_rate) == (rate, 10 * rate)
    scale = 0.5 if row.local else 1.0
    for weights in (game.encoder, game.predictors):
        assert all(part.shape[-1] == 400 and part.dtype == np.float32 for part in weights)
        assert not weights[1].any() and not weights[3].any()
        for part in weights[::2]:
            assert part[part != 0].std() == pytest.approx(scale, rel=0.1)
    for part in game.encoder + game.predictors[1:]:
        np.testing.assert_array_equal(part[..., :200], part[..., 200:])  # a twin starts alike
    sighted, blind = np.split(game.predictors[0], 2, -1)
    assert not blind.any()
    own = np.eye(row.units, dtype=bool)
    assert not sighted[own].any() and (sighted[~own] != 0).all()


class Filmed(Game):
    """A game that keeps what it is shown."""

    def update(self, x, weight):
        self.film = [*getattr(self, "film", []), (x.copy(), weight)]
        super().update(x, weight)


def test_on_line_each_net_and_its_twin_are_shown_patterns_by_chance():
    row = replace(study.OTHERS["uniform_2"], chances=UNEVEN, updates=400)
    game = train(row, Config(nets=5), stream(), silent, Filmed)
    assert len(game.film) == 400 and all(weight == 1 for _, weight in game.film)
    shown = np.stack([x for x, _ in game.film])  # (T, 1, I, 10)
    assert shown.shape == (400, 1, 2, 10)
    np.testing.assert_array_equal(shown[..., :5], shown[..., 5:])
    number = ((shown[:, 0, :, :5] + 1) / 2 * np.array([1, 2])[:, None]).sum(1)  # (T, 5)
    share = [(number == k).mean() for k in range(4)]
    np.testing.assert_allclose(share, UNEVEN, atol=0.05)
    assert len(np.unique(number, axis=1).T) == 5


def test_off_line_every_update_takes_the_weighted_ensemble():
    row = replace(ROWS["non_uniform_1"], updates=7)
    game = train(row, SMALL, stream(), silent, Filmed)
    assert len(game.film) == 1  # a thousandth of the updates, but one at least
    game = train(row, Config(nets=3), stream(), silent, Filmed)
    assert len(game.film) == 7
    for x, weight in game.film:
        np.testing.assert_array_equal(x[..., 0], row.patterns)
        np.testing.assert_allclose(weight[:, 0, 0], UNEVEN, rtol=1e-6)


def test_predictors_never_learn_to_see_their_own_unit():
    game = train(replace(ROWS["occam_1"], updates=30), Config(nets=3), stream(), silent)
    sighted, blind = np.split(game.predictors[0], 2, -1)
    own = np.eye(3, dtype=bool)
    assert not sighted[own].any() and not blind.any() and (sighted[~own] != 0).all()
    y = np.float32(rng().random((4, 3, 6)))
    moved = y.copy()
    moved[:, 1] += 0.5
    _, guess = game.predict(y)
    _, other = game.predict(moved)
    np.testing.assert_array_equal(guess[:, 1], other[:, 1])
    np.testing.assert_array_equal(guess[..., 3:], other[..., 3:])
    assert (guess[:, [0, 2], :3] != other[:, [0, 2], :3]).all()


def test_the_game_is_won_by_factorial_codes():
    row = replace(ROWS["non_uniform_1"], updates=600)
    found = measure(train(row, Config(nets=30), stream(), silent), row, Config(nets=30))
    assert found["factorial"] >= found["twin"] + 0.2


# ---- the wiring ----
def starts(seeds):
    return [tuple(seed.generate_state(4)) for seed in seeds]


def test_run_trains_each_row_from_a_stream_of_its_own(monkeypatch):
    seen, real = [], np.random.default_rng

    def spied(row, config, seed, progress, kind=Game):
        seen.append((row, config, seed, kind))
        return train(row, config, seed, progress, kind)

    begun = []
    monkeypatch.setattr(np.random, "default_rng", lambda s: (begun.append(s), real(s))[1])
    monkeypatch.setattr(paper, "train", spied)
    run(SMALL, 3, silent)
    assert [row for row, *_ in seen] == list(ROWS.values())
    assert all(config == SMALL and kind is Game for _, config, _, kind in seen)
    assert len(begun) == 8 and len(set(starts(begun))) == 8


def test_run_reports_what_it_trained(monkeypatch):
    good, copy = code("0101", "0011"), code("0101", "0101")
    wide, odd = distributed(4) > 0, distributed(4) > 2
    games = {  # factorial nets and twins: 3 - 0, 2 - 0, 3 - 2, 3 - 1
        "uniform_4": Scripted(*[1.0 * wide] * 3, *[1.0 * odd] * 3),
        "occam_1": Scripted(*[np.c_[good, [0] * 4]] * 2, *[np.c_[copy, [0, 0, 1, 1]]] * 4),
        "uniform_1": Scripted(*[good] * 5, copy),
        "non_uniform_1": Scripted(*[0.6 * good] * 3, good, copy, copy),
    }
    order = iter(games.values())
    clock = iter([10.0, 14.0])
    monkeypatch.setattr(paper, "train", lambda *_: next(order))
    monkeypatch.setattr(paper, "process_time", lambda: next(clock))
    table = run(SMALL, 0, silent)
    shown = 6 * (4 * 1 + 10 * 4 + 20 * 4 + 2 * 4) / 4
    assert table == {
        "uniform_4": 1,
        "occam_1": pytest.approx(2 / 3),
        "uniform_1": 1,
        "non_uniform_1": 1,
        "invertible": {"uniform_4": 1, "occam_1": 1, "uniform_1": 1, "non_uniform_1": 1},
        "binary": {"uniform_4": 1, "occam_1": 1, "uniform_1": 1, "non_uniform_1": 0},
        "twin": {
            "uniform_4": 0,
            "occam_1": 0,
            "uniform_1": pytest.approx(2 / 3),
            "non_uniform_1": pytest.approx(1 / 3),
        },
        "gain_least": pytest.approx(1 / 3),
        "training": {"patterns_per_second": shown},
    }


def test_quick_runs_repeat_and_seeds_differ():
    config = Config(**QUICK)
    tables = [paper.flatten(run(config, seed, silent)) for seed in (1, 1, 2)]
    for table in tables:
        table.pop("training.patterns_per_second")
    assert tables[0] == tables[1] != tables[2]


# ---- the study ----
def test_the_study_trains_each_row_as_named(monkeypatch):
    seen = []

    def spied(row, config, seed, progress, kind=Game):
        seen.append((row, config, seed, kind))
        return train(row, replace(config, updates_scale=1e-4), seed, progress, kind)

    monkeypatch.setattr(study, "train", spied)
    table = study.run(study.Config(nets=2), 3, silent)
    rows = [row for row, *_ in seen]
    assert rows == [*study.OTHERS.values(), *[ROWS["occam_1"]] * 7]
    assert len(set(starts(seed for _, _, seed, _ in seen))) == 12
    kinds = [kind for *_, kind in seen]
    assert kinds == [Game] * 9 + [study.NoPath, study.AtOnce, study.Adam]
    factors = [config.predictor_factor for _, config, *_ in seen]
    assert factors == [10.0] * 6 + [1.0, 3.0, 30.0, 10.0, 10.0, 3.0]
    assert [config.rate_local for _, config, *_ in seen] == [1.0] * 11 + [0.01]
    names = [name for name in table if isinstance(table[name], dict) and "twin" in table[name]]
    assert names[5:] == [
        f"occam_1_{name}" for name in "plain ratio_1 ratio_3 ratio_30 no_path at_once adam".split()
    ]


def test_rows_inside_the_paper_s_intervals():
    shares = {"uniform_2": 1, "uniform_3": 0, "occam_2": 0.5, "occam_3": 0.7, "non_uniform_2": 0.6}
    table = {name: {"factorial": share} for name, share in shares.items()}
    assert study.inside(table) == 5
    for name, share in (("uniform_3", 0.46), ("occam_2", 0.18), ("occam_3", 0.68)):
        assert study.inside(table | {name: {"factorial": share}}) == 4


def test_the_census_on_codes_worked_by_hand():
    kinds = {
        "silent": ("0101", "0011", "0000"),
        "xor": ("0101", "1100", "0110"),
        "copy": ("0101", "0011", "1010"),
        "picks_one": ("0101", "0011", "1000"),
        "words_lost": ("0101", "0101", "0001"),
    }
    codes = np.stack([code(*units) for units in kinds.values()] + [code("0101", "0011", "1111")], 2)
    assert study.census(codes) == {
        name: pytest.approx((2 if name == "silent" else 1) / 6) for name in kinds
    }
    assert study.words(codes) == pytest.approx(23 / 6)


# ---- bad settings ----
@pytest.mark.parametrize(
    "argv",
    [["--nets", "0"], ["--rate-online", "-1"], ["--binary-bound", "0.6"], ["--updates-scale", "x"]],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys, monkeypatch):
    monkeypatch.setattr(paper, "train", None)
    with pytest.raises(SystemExit) as stop:
        paper.main(sys.modules["predictability_min_binary_factors"], argv)
    assert stop.value.code == 2 and argv[0] in capsys.readouterr().err
