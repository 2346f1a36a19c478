"""Tests of levin_add_positions: every instruction, programs side by side against one at a time,
the search, the task, the wiring of both programs."""

from dataclasses import dataclass, field, replace
from math import comb, log2

import numpy as np
import pytest

import levin_add_positions as lap
import study_levin_add_positions as study
from levin_add_positions import (
    ADD,
    ALLOCATE,
    DECREMENT,
    FREE,
    INCREMENT,
    JMPLEQ,
    JUMP,
    MOVE,
    MULTIPLY,
    OPS,
    QUICK,
    READ,
    STOP,
    SUBTRACT,
    TRAINING,
    UNSEEN,
    WEIGHTS,
    WRITE,
    Config,
    Fit,
    Lanes,
    Replay,
    main,
    run,
    search,
    unseen_right,
)

CONFIG = Config(**QUICK)
ARGUMENTS = (3, 1, 1, 0, 3, 2, 2, 1, 1, 1, 3, 3, 1)  # of each instruction


def silent(fraction, message):
    pass


# ---- the oracle: the same machine, plainly, one program at a time ----
@dataclass
class Machine:
    """Addresses 0, 1, ... are the program, -1, -2, ... the work tape."""

    program: list = field(default_factory=list)
    work: list = field(default_factory=list)
    weights: list = field(default_factory=lambda: [0] * WEIGHTS)
    ip: int = 0
    wp: int = 0
    age: int = 0
    halted: bool = False

    def __getitem__(self, address):
        return self.program[address] if address >= 0 else self.work[-1 - address]

    def __setitem__(self, address, value):
        tape, place = (self.program, address) if address >= 0 else (self.work, -1 - address)
        tape[place] = value

    def written(self, address):
        return -len(self.work) <= address < len(self.program)

    def wanted(self):
        """The range of the cell that has to be guessed before the next step, or None."""
        end = len(self.program)
        if self.ip == end:
            return 0, len(OPS) - 1
        if self.written(self.ip) and 0 <= self[self.ip] < len(OPS):
            if self.ip < end <= self.ip + ARGUMENTS[self[self.ip]]:
                return -len(self.work), end
        return None

    def step(self, config):
        self.age += 1
        self.halted = not self.execute(config) or self.wp == WEIGHTS

    def execute(self, config):
        """Whether the next instruction was legal, and not Stop."""
        if not self.written(self.ip) or not 0 <= self[self.ip] < len(OPS):
            return False
        op, end = self[self.ip], len(self.program)
        count = ARGUMENTS[op]
        if self.ip + count >= end:
            return False
        a = [self[self.ip + 1 + j] for j in range(count)]
        for j, address in enumerate(a):
            ahead = address == end and (op, j) in ((JMPLEQ, 2), (JUMP, 0))
            if not self.written(address) and not ahead:
                return False
        c = [self[address] if address < end else None for address in a]
        self.ip += 1 + count
        if op == STOP:
            return False
        if op == JMPLEQ:
            self.ip = a[2] if c[0] <= c[1] else self.ip
        elif op == JUMP:
            self.ip = a[0]
        elif op == WRITE:
            self.weights[self.wp] = c[0]
            self.wp += 1
        elif op == ALLOCATE:
            if not 0 <= c[0] <= config.work_cells - len(self.work):
                return False
            self.work += [0] * c[0]
        elif op == FREE:
            if not 0 <= c[0] <= len(self.work):
                return False
            del self.work[len(self.work) - c[0] :]
        else:
            return self.store(config, op, a[-1], c)
        return True

    def store(self, config, op, to, c):
        if op == READ and not 0 <= c[0] < WEIGHTS:
            return False
        if op in (ADD, SUBTRACT, MULTIPLY):
            value = {ADD: c[0] + c[1], SUBTRACT: c[0] - c[1], MULTIPLY: c[0] * c[1]}[op]
        elif op in (INCREMENT, DECREMENT):
            value = c[0] + (1 if op == INCREMENT else -1)
        else:
            value = self.weights[c[0]] if op == READ else c[0]
        if abs(value) > config.largest:
            return False
        self[to] = value
        return True


def execute(config, code, limit):
    """The machine after a program with these guesses, and -log2 of their probability."""
    machine, bits, code = Machine(), 0.0, iter(code)
    while not machine.halted and machine.age < limit:
        while len(machine.program) < config.program_cells and (wanted := machine.wanted()):
            machine.program.append(next(code))
            bits += log2(wanted[1] - wanted[0] + 1)
        machine.step(config)
    return machine, bits


# ---- instructions ----
def lane_after(program, work=(), weights=()):
    """One step of a hand-made program in Lanes: whether it is over, and its state."""
    lanes = Lanes(replace(CONFIG, lanes=1), None)
    zero = CONFIG.work_cells
    lanes.cells[0, zero : zero + len(program)] = program
    lanes.cells[0, zero - len(work) : zero] = work[::-1]
    lanes.weights[0, : len(weights)] = weights
    lanes.end[:], lanes.work[:], lanes.limit[:], lanes.alive[:] = len(program), len(work), 99, True
    lanes.draw = lambda asked, low, choices: pytest.fail("asks") if len(asked) else low
    over = bool(lanes.step()[0])
    work_now = lanes.cells[0, zero - lanes.work[0] : zero][::-1].tolist()
    state = {
        "program": lanes.cells[0, zero : zero + lanes.end[0]].tolist(),
        "work": work_now,
        "weights": lanes.weights[0].tolist(),
        "ip": int(lanes.ip[0]),
        "wp": int(lanes.wp[0]),
    }
    assert not lanes.cells[0, : zero - lanes.work[0]].any()  # what is not in use is zero
    return over, state


@pytest.mark.parametrize(
    "program, work, weights, expected",
    [
        ([ADD, 0, 1, -1], [7], [], {"work": [ADD + 0]}),  # cells 0 and 1 hold 4 and 0
        ([SUBTRACT, 2, 0, -1], [7], [], {"work": [0 - SUBTRACT]}),
        ([MULTIPLY, 0, 0, -1], [7], [], {"work": [MULTIPLY**2]}),
        ([MOVE, 0, -2], [1, 2], [], {"work": [1, MOVE]}),
        ([INCREMENT, -1], [7], [], {"work": [8]}),
        ([DECREMENT, 0], [], [], {"program": [DECREMENT - 1, 0]}),  # it changes itself
        ([ALLOCATE, -1], [3], [], {"work": [3, 0, 0, 0]}),
        ([FREE, -1], [2, 5, 6], [], {"work": [2]}),
        ([READ, -1, -2], [1, 0], [10, 11], {"work": [1, 11]}),
        ([WRITE, -1], [9], [], {"weights": [9] + [0] * 99, "wp": 1}),
        ([JUMP, 0], [], [], {"ip": 0}),
        ([JUMP, 2], [], [], {"ip": 2}),  # the next, unwritten cell
        ([JMPLEQ, -1, -2, 0], [1, 1], [], {"ip": 0}),
        ([JMPLEQ, -1, -2, 0], [2, 1], [], {"ip": 4}),
        ([JMPLEQ, -1, -2, 4], [1, 2], [], {"ip": 4}),
    ],
)
def test_what_an_instruction_does(program, work, weights, expected):
    over, state = lane_after(program, work, weights)
    weights = weights + [0] * (WEIGHTS - len(weights))
    machine = Machine(list(program), list(work), list(weights))
    machine.step(CONFIG)
    start = {"program": program, "work": work, "weights": weights, "ip": len(program), "wp": 0}
    assert state == start | expected
    assert {name: getattr(machine, name) for name in start} == start | expected
    assert not machine.halted
    assert over == (state["ip"] == 0)  # which is an endless loop here


@pytest.mark.parametrize(
    "program, work",
    [
        ([STOP], []),
        ([13], []),  # no such instruction
        ([-1, 0], []),
        ([MOVE, 0, -1], []),  # no work cell there
        ([MOVE, 3, 0], []),  # not written, and not a jump
        ([JUMP, 3], []),  # beyond the next cell
        ([JUMP, -1], []),
        ([INCREMENT, -1], [10_000]),
        ([MULTIPLY, -1, -1, -1], [101]),
        ([ALLOCATE, -1], [-1]),
        ([ALLOCATE, -1], [40]),  # one more than there may be, with the one there is
        ([FREE, -1], [2]),
        ([FREE, -1], [-1]),
        ([READ, -1, -1], [100]),
        ([READ, -1, -1], [-1]),
    ],
)
def test_what_is_illegal_halts_and_changes_nothing(program, work):
    over, state = lane_after(program, work)
    machine = Machine(list(program), list(work))
    machine.step(CONFIG)
    assert over and machine.halted
    assert (state["program"], state["work"]) == (program, work) == (machine.program, machine.work)


def test_what_is_asked_for_and_how_likely_each_answer_is():
    assert Machine().wanted() == (0, 12)
    assert Machine([JMPLEQ]).wanted() == (0, 1)
    assert Machine([JMPLEQ, 1], [0, 0]).wanted() == (-2, 2)
    assert Machine([JMPLEQ, 1, 0, 0]).wanted() is None
    assert Machine([13]).wanted() is None
    assert Machine([13], ip=1).wanted() == (0, 12)


# ---- programs side by side against one at a time ----
class Watched(Lanes):
    """Lanes that keep each program that is over, and count the steps that they executed."""

    def __init__(self, config, rng):
        super().__init__(config, rng)
        self.ended, self.executed = [], 0
        Watched.last = self

    def step(self):
        self.executed += int(self.alive.sum())
        over = super().step()
        self.ended += [(self.fit(lane), int(self.work[lane])) for lane in np.flatnonzero(over)]
        return over


@pytest.mark.parametrize(
    "changes", [{}, {"program_cells": 9, "work_cells": 5}, {"largest": 100, "doublings": 0}]
)
def test_side_by_side_is_as_one_at_a_time(changes):
    config = replace(CONFIG, runs=4000, lanes=256, least_limit=32, **changes)
    runs, steps, _ = search(
        config, np.random.default_rng(1003), TRAINING[None], silent, kind=Watched
    )
    ended = sorted(Watched.last.ended)
    assert [fit.run for fit, _ in ended] == list(range(config.runs)) and runs == config.runs
    assert steps == sum(fit.steps for fit, _ in ended)
    fewer = Watched.last.executed < 0.95 * steps  # endless loops are charged, not executed
    assert fewer or config.doublings == 0
    for fit, work in ended:
        machine, bits = execute(config, fit.code, fit.limit)
        assert (machine.age, machine.weights) == (fit.steps, fit.weights.tolist())
        assert len(machine.program) == len(fit.code)
        assert bits == pytest.approx(fit.bits)
        assert len(machine.work) == work


def test_guesses_and_limits_have_the_right_probabilities():
    config = replace(CONFIG, runs=25_000)
    search(config, np.random.default_rng(1000), TRAINING[None], silent, kind=Watched)
    fits = [fit for fit, _ in Watched.last.ended]
    for op in range(len(OPS)):
        assert np.mean([fit.code[0] == op for fit in fits]) == pytest.approx(1 / 13, abs=0.008)
    jumps = [fit.code[1] for fit in fits if fit.code[0] == JUMP]
    assert np.mean(jumps) == pytest.approx(0.5, abs=0.05)
    limits = np.array([fit.limit for fit in fits])
    for doublings, share in enumerate((1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)):
        assert np.mean(limits == 8 * 2**doublings) == pytest.approx(share, abs=0.012)


def test_no_program_begins_once_the_steps_are_spent():
    config = replace(CONFIG, runs=10**9, lanes=64)
    rng = np.random.default_rng(1001)
    runs, steps, _ = search(config, rng, TRAINING[None], silent, 20_000, kind=Watched)
    assert 20_000 <= steps < 20_000 + 64 * 128
    assert sorted(fit.run for fit, _ in Watched.last.ended) == list(range(runs))


def test_progress_rises_to_the_end():
    fractions = []
    rng = np.random.default_rng(1002)
    search(replace(CONFIG, runs=5000), rng, TRAINING[None], lambda f, said: fractions.append(f))
    assert fractions == sorted(fractions) and 0 < fractions[0] < 1 == fractions[-1]


# ---- the search ----
# Counts in a work cell. Most programs that the search finds count in their own code instead.
NATURAL = [ALLOCATE, 1, WRITE, -1, INCREMENT, -1, JUMP, 2]


def test_the_natural_solution():
    machine, bits = execute(CONFIG, NATURAL, 1000)
    assert machine.weights == list(range(WEIGHTS))
    assert machine.age == 299  # allocate; a hundred writes; increment and jump between any two
    assert bits == pytest.approx(log2(13**4 * 2 * 5 * 7 * 9))
    replay = Replay(CONFIG, NATURAL, 1000)
    assert replay.weights[0].tolist() == machine.weights and replay.bits[0] == pytest.approx(bits)
    said = ["0: Allocate(1)", "2: WriteWeight(-1)", "4: Increment(-1)", "6: Jump(2)"]
    assert list(replay.lines.values()) == said
    cut = Replay(CONFIG, NATURAL, 100)  # its time is up in the middle
    assert cut.weights[0, :40].tolist() == [*range(33), *[0] * 7]
    assert list(Replay(CONFIG, [JUMP, 1, 2, STOP], 9).lines.values())[1] == "1: WriteWeight(2)"


@pytest.mark.parametrize(
    "code, place",
    [
        (NATURAL, "work"),
        ([SUBTRACT, 0, 0, 0, WRITE, 0, INCREMENT, 0, JUMP, 4], "instruction"),
        ([SUBTRACT, 1, 1, 1, WRITE, 1, INCREMENT, 1, JUMP, 4], "argument"),
        ([WRITE, 1, JUMP, 0], "argument"),  # ones only
    ],
)
def test_where_the_counter_stands(code, place):
    replay = Replay(CONFIG, code, 1000)
    assert np.ptp(np.diff(replay.weights[0])) == 0
    fit = Fit(0, code, int(replay.age[0]), 1000, 20.0, replay.weights[0])
    assert study.counter(CONFIG, fit) == place


def test_a_film_shows_each_moment():
    moments = study.Film(CONFIG, NATURAL, 1000).moments
    assert len(moments) == 299
    assert moments[0] == (0, 0, 0, [ALLOCATE, 1], ALLOCATE, [1])
    assert moments[5] == (4, 2, 1, [1, *NATURAL], INCREMENT, [-1])


def test_fits_are_found_and_reported():
    """Easier examples show the bookkeeping at work: whoever writes 1 into weight 1 fits the first
    set, whoever also writes 2 into weight 2 the second; programs are tested on both in turn."""
    sets = np.array([[[1, 1, 1]] * 3, [[1, 1, 1], [1, 1, 1], [2, 2, 2]]])
    rng = np.random.default_rng(1004)
    _, _, fits = search(CONFIG, rng, sets, silent, kind=Watched)
    right = []
    for fit, _ in Watched.last.ended:
        weights, wanted = fit.weights, [1] if fit.run % 2 == 0 else [1, 2]
        right += [fit.run] * (weights[1 : 1 + len(wanted)].tolist() == wanted)
    assert [fit.run for fit in fits] == sorted(right)
    assert len(fits) > 100 and {fit.run % 2 for fit in fits} == {0, 1}
    for fit in fits:
        machine, bits = execute(CONFIG, fit.code, fit.limit)
        assert machine.weights == fit.weights.tolist()
        assert (machine.age, bits) == (fit.steps, pytest.approx(fit.bits))


# ---- the task and the baseline ----
RAMP = np.arange(WEIGHTS)


def wrong_at(*places):
    weights = RAMP.copy()
    weights[list(places)] = 7
    return weights


def test_inputs_and_answers():
    inputs = lap.every_input()
    assert inputs.shape == (comb(100, 3), 3) and UNSEEN == comb(100, 3) - 3
    assert len(np.unique(inputs @ [10_000, 100, 1])) == len(inputs)
    assert (inputs[:, 0] < inputs[:, 1]).all() and (inputs[:, 1] < inputs[:, 2]).all()
    assert lap.targets(TRAINING).tolist() == [108, 126, 221]
    assert (lap.answers(RAMP, TRAINING) == [108, 126, 221]).all()
    assert unseen_right(RAMP) == UNSEEN
    assert unseen_right(wrong_at(0)) == comb(99, 3) - 3
    assert unseen_right(wrong_at(5)) == comb(99, 3) - 2  # two of the examples are still right
    least = np.zeros(WEIGHTS)
    least[TRAINING.T] = lap.targets(TRAINING) / 3  # least squares
    assert (lap.answers(least, TRAINING) == [108, 126, 221]).all() and unseen_right(least) < 100


class Fed:
    """A generator that keeps what it draws, with a solution in the eighth place of each block."""

    def __init__(self):
        self.rng, self.drawn = np.random.default_rng(1005), []

    def integers(self, low, high, shape, kind):
        numbers = self.rng.integers(low, high, shape, kind)
        if len(shape) == 3:
            numbers[:, :, 7] = TRAINING
            numbers[:, :, 8] = [[99, 5, 4], [99, 20, 7], [99, 99, 23]]
            numbers[:, :, 9] = TRAINING + [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
        self.drawn.append(numbers)
        return numbers


def test_weights_are_guessed_from_the_same_range_as_the_answer():
    rng = Fed()
    found = lap.guess_weights(replace(CONFIG, weight_guesses=2500, guess_block=1000), rng, silent)
    blocks = [drawn for drawn in rng.drawn if drawn.ndim == 3]
    assert sum(block.shape[2] for block in blocks) == 2500
    assert {block.min() for block in blocks} == {0} and {block.max() for block in blocks} == {99}
    assert len(found) == 6
    assert (found[::2, TRAINING] == TRAINING).all()
    assert (found[1, TRAINING] == [[99, 5, 4], [99, 20, 7], [99, 99, 23]]).all()
    others = np.delete(found, TRAINING.ravel(), axis=1)  # (6, 91)
    assert len(np.unique(others)) > 90 and others.max() == 99
    assert [unseen_right(weights) < UNSEEN for weights in found] == [True] * 6


# ---- the wiring of run() ----
def made(run, weights, code=tuple(NATURAL), steps=299, bits=24.1):
    return Fit(run, list(code), steps, 512, bits, np.array(weights))


FITS = [
    made(6, wrong_at(0)),
    made(11, RAMP),
    made(20, RAMP, bits=30.0),
    made(29, RAMP, [*NATURAL, STOP], 200, 24.2),
]


def test_run_reports_what_it_found(monkeypatch, capsys):
    calls = []

    def spied_search(config, rng, sets, progress):
        calls.append((config, rng.random(), sets))
        progress(1.0, "")
        return 1000, 50_000, FITS

    def spied_guess(config, rng, progress):
        calls.append((config, rng.random()))
        progress(1.0, "")
        return np.array([wrong_at(50), RAMP, wrong_at(1)])

    monkeypatch.setattr(lap, "search", spied_search)
    monkeypatch.setattr(lap, "guess_weights", spied_guess)
    config, fractions = replace(CONFIG, runs=1000), []
    out = run(config, 1000, lambda fraction, said: fractions.append(fraction))
    assert fractions == [0.95, 1.0]
    (searched, first, sets), (guessed, second) = calls
    assert searched is guessed is config
    assert first != second  # no two streams start alike
    assert (sets == [TRAINING]).all()
    assert out.pop("search")["programs_per_second"] > 0
    curve = out.pop("curve")
    assert len(curve["x"]) == len(curve["y"]) == 101 and curve["x"][-1] == 1000
    assert curve["y"][:4] == [0, 1, 2, 4] and curve["y"][-1] == 4
    assert out == {
        "fits": 4,
        "fits_per_55m": 220_000.0,
        "generalising": 3,
        "generalising_share": 0.75,
        "steps_per_run": 50.0,
        "steps_per_fit": 12_500.0,
        "distinct_programs": 2,
        "first_fit": 7,
        "simplest_steps": 200,
        "simplest_bits": 24.2,
        "weight_fits": 3,
        "weight_generalising": 1,
    }
    said = capsys.readouterr().out
    assert "program 12 is right on all 161,700 inputs: 0: Allocate(1); 2: WriteWeight(-1)" in said


def test_run_when_nothing_was_found(monkeypatch):
    monkeypatch.setattr(lap, "search", lambda *parts: (10, 100, []))
    out = run(CONFIG, 1000, silent)
    assert out["fits"] == out["generalising_share"] == out["distinct_programs"] == 0
    for name in ("steps_per_fit", "first_fit", "simplest_steps", "simplest_bits"):
        assert out[name] is None


def test_the_rival_has_as_many_tries():
    assert Config().weight_guesses == Config().runs == 25_000_000
    assert QUICK["weight_guesses"] == QUICK["runs"]


def test_a_run_repeats_and_seeds_differ():
    config = replace(CONFIG, runs=3000)
    names = ("steps_per_run", "fits", "weight_fits")
    first, again, other = ([run(config, seed, silent)[n] for n in names] for seed in (7, 7, 8))
    assert first == again != other


# ---- the wiring of the study ----
def test_the_study_searches_as_it_says(monkeypatch):
    calls = []

    def spied(config, rng, sets, progress, most_steps=np.inf):
        calls.append((config, rng.random(), sets, most_steps))
        progress(1.0, "")
        return 1000, 5000, FITS[: 2 * len(calls)]

    monkeypatch.setattr(study, "search", spied)
    config, fractions = study.Config(**study.QUICK), []
    table = study.run(config, 1000, lambda fraction, said: fractions.append(fraction))
    assert fractions == sorted(fractions)
    starts = [np.random.default_rng(s).random() for s in np.random.SeedSequence(1000).spawn(5)]
    assert len({*starts, *(call[1] for call in calls)}) == 10  # no two streams start alike
    paper, others, *fixed, coarse = calls
    assert paper[0].runs == others[0].runs == config.long_runs
    assert paper[0].least_limit == others[0].least_limit == 8
    assert others[2].shape == (3, 3, 3)
    for call in (paper, *fixed, coarse):
        assert (call[2] == [TRAINING]).all()
    limits = [(c.least_limit, c.doublings, steps) for c, _, _, steps in fixed]
    assert limits == [(64, 0, 100_000), (128, 0, 100_000)]
    assert (coarse[0].least_limit, coarse[0].runs, coarse[3]) == (32, 10_000, np.inf)
    assert table["other_ratio"] == 2.0
    assert table["paper_set"]["fits"] == 2 and table["other_sets"]["fits"] == 4
    assert table["fixed_64"] == {
        "runs": 1000,
        "fits": 4,
        "generalising": 3,
        "generalising_share": 0.75,
        "steps_per_run": 5.0,
        "steps_per_fit": 1250.0,
    }
    assert table["wrong"] == {"before": 1, "after": 0, "elsewhere": 0, "weight_0": 1}
    assert table["counter"] == {"instruction": 0, "argument": 0, "work": 4, "code": []}


def test_a_fit_is_counted_by_where_it_is_wrong():
    fits = [made(n, w) for n, w in enumerate((RAMP, wrong_at(0, 4), wrong_at(95), wrong_at(4, 95)))]
    counted = study.wrong_weights([*fits, made(4, wrong_at(5))])
    assert counted == {"before": 1, "after": 1, "elsewhere": 2, "weight_0": 1}


def test_the_simplest_program_that_counts_in_its_code():
    own = [SUBTRACT, 0, 0, 0, WRITE, 0, INCREMENT, 0, JUMP, 4]
    fits = [made(0, RAMP), made(1, RAMP, own, 300, 30.0), made(2, RAMP, [*own, 0], 300, 29.0)]
    table = study.counters(CONFIG, fits)
    assert (table["work"], table["instruction"], table["code"]) == (1, 2, [*own, 0])


def test_other_sets_are_three_inputs_of_three_positions():
    sets = study.random_sets(np.random.default_rng(1006), 50)
    assert sets.shape == (50, 3, 3) and sets.min() == 0 and sets.max() == 99
    assert all(len(set(shown)) == 3 for shown in sets.reshape(-1, 3).tolist())


# ---- unusable arguments ----
@pytest.mark.parametrize(
    "words", [["--runs", "0"], ["--lanes", "x"], ["--doublings", "20", "--least-limit", "32"]]
)
def test_bad_settings_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(lap, words)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert words[0] in said and said.count("\n") == 1
