"""Tests of levin_count_inputs: every instruction, the guesses, lockstep against one by one, the
searches, the task."""

from dataclasses import replace
from math import comb, log2

import numpy as np
import pytest

import levin_count_inputs as lci
from levin_count_inputs import (
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
    WEIGHTS,
    WRITE,
    Config,
    Machine,
    answers,
    census,
    every_input,
    execute,
    exponential_distance,
    gradient_descent,
    listing,
    lsearch,
    main,
    minimum_norm,
    ridge_regression,
    run,
    search,
    source_of_ones,
    unseen_right,
)

CONFIG = replace(Config(), **QUICK)


def after(program, work=(), weights=(), config=CONFIG, ip=0):
    """One step of a hand-made program."""
    machine = Machine(list(program), list(work), [*weights, *[0] * (WEIGHTS - len(weights))], ip)
    machine.step(config)
    return machine


# ---- instructions --------------------------------------------------------------------------------
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
    machine = after(program, work, weights)
    assert not machine.halted
    assert machine.age == 1
    assert machine.ip == expected.pop("ip", len(program))
    unchanged = {"program": program, "work": work, "wp": 0}
    for name, value in (unchanged | expected).items():
        assert getattr(machine, name) == value


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
def test_what_is_illegal_halts(program, work):
    machine = after(program, work)
    assert machine.halted
    assert machine.age == 1


def test_a_program_may_run_in_the_work_tape():
    machine = after(
        [JUMP, -2], [0, INCREMENT]
    )  # the tape reads ..., -2: INCREMENT, -1: 0, 0: JUMP, ...
    assert machine.ip == -2
    machine.step(CONFIG)
    assert machine.program == [JUMP + 1, -2]
    assert machine.ip == 0


def test_two_argument_writes_name_their_weight():
    config = replace(CONFIG, two_argument_writes=True)
    machine = after([WRITE, -1, 0], [42], config=config)
    assert machine.weights[42] == WRITE
    assert sum(map(bool, machine.weights)) == 1
    assert after([WRITE, -1, 0], [100], config=config).halted
    assert after([WRITE, -1, 0], [-1], config=config).halted


# ---- guesses -------------------------------------------------------------------------------------
def test_what_is_asked_for_and_how_likely_each_answer_is():
    machine = Machine()
    assert machine.wanted(CONFIG) == (0, 12)
    machine.program = [JMPLEQ]
    assert machine.wanted(CONFIG) == (0, 1)
    machine.program, machine.work = [JMPLEQ, 1], [0, 0]
    assert machine.wanted(CONFIG) == (-2, 2)
    machine.program = [JMPLEQ, 1, 0, 0]
    assert machine.wanted(CONFIG) is None
    machine.program, machine.ip = [13], 0
    assert machine.wanted(CONFIG) is None
    machine.ip = 1
    assert machine.wanted(CONFIG) == (0, 12)


def test_the_shortest_solution_reads_its_own_instruction():
    machine, bits = execute(CONFIG, [WRITE, 0, JUMP, 0], 1000)
    assert machine.weights == [1] * WEIGHTS
    assert machine.age == 199  # a hundred writes, and a jump between any two
    assert machine.halted
    assert bits == pytest.approx(log2(13 * 2 * 13 * 4))
    assert listing(CONFIG, [WRITE, 0, JUMP, 0], 1000) == "0: WriteWeight(0); 2: Jump(0)"
    assert listing(CONFIG, [JUMP, 1, 2, STOP], 9) == "0: Jump(1); 1: WriteWeight(2); 3: Stop()"
    assert execute(CONFIG, [WRITE, 0, JUMP, 0], 193)[0].weights == [1] * 97 + [0] * 3  # cut off


def test_a_program_ends_where_no_more_cells_may_be_written():
    config = replace(CONFIG, program_cells=3)
    machine, _ = execute(config, [WRITE, 0, WRITE, 0], 100)
    assert machine.halted
    assert machine.weights[:2] == [1, 0]


@pytest.mark.parametrize(
    "code, source",
    [
        ([WRITE, 0, JUMP, 0], "instruction"),
        ([WRITE, 1, JUMP, 0], "argument"),
        ([ALLOCATE, 1, INCREMENT, -1, WRITE, -1, JUMP, 4], "work"),
    ],
)
def test_where_the_ones_come_from(code, source):
    machine, _ = execute(CONFIG, code, 1000)
    assert machine.weights == [1] * WEIGHTS
    assert source_of_ones(CONFIG, {"code": code, "steps": machine.age}) == source


# ---- the search ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"two_argument_writes": True},
        {"program_cells": 9, "work_cells": 5},
        {"largest": 100, "doublings": 0},
    ],
)
def test_lockstep_does_what_one_machine_does(changes):
    config = replace(CONFIG, runs=20_000, **changes)
    ended, steps = [], [0]

    def watch(lanes, over):
        steps[0] += int(lanes.alive.sum())
        for i in np.flatnonzero(over):
            ended.append(
                (
                    int(lanes.run[i]),
                    lanes.code[i, : lanes.end[i]].tolist(),
                    int(lanes.limit[i]),
                    int(lanes.age[i]),
                    float(lanes.bits[i]),
                    lanes.weights[i].tolist(),
                    int(lanes.work[i]),
                )
            )

    total, fits = search(config, np.random.default_rng(3), TRAINING[None], callback=watch)
    assert sorted(run for run, *_ in ended) == list(range(config.runs))  # each program ran once
    assert total == sum(age for *_, age, _, _, _ in ended)
    assert (
        steps[0] < 0.95 * total or config.doublings == 0
    )  # endless loops are counted, not executed
    for _, code, limit, age, bits, weights, work in ended:
        machine, surprise = execute(config, code, limit)
        assert (machine.age, machine.weights, len(machine.program)) == (age, weights, len(code))
        assert surprise == pytest.approx(bits)
        assert len(machine.work) == work or machine.halted  # what is illegal changes nothing
    found = {fit["run"] for fit in fits}
    assert found == {
        run for run, *_, weights, _ in ended if (answers(np.array(weights), TRAINING) == 3).all()
    }


def test_guesses_and_limits_have_the_right_probabilities():
    config, codes, limits = replace(CONFIG, runs=40_000), [], []

    def watch(lanes, over):
        codes.extend(lanes.code[over, :2].tolist())
        limits.extend(lanes.limit[over].tolist())

    search(config, np.random.default_rng(0), TRAINING[None], callback=watch)
    for op in range(len(OPS)):
        assert np.mean([code[0] == op for code in codes]) == pytest.approx(1 / 13, abs=0.006)
    jumps = [code[1] for code in codes if code[0] == JUMP]
    assert np.mean(jumps) == pytest.approx(0.5, abs=0.05)
    for doublings, share in enumerate((1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)):
        assert np.mean(np.array(limits) == 32 * 2**doublings) == pytest.approx(share, abs=0.01)


def test_the_search_finds_programs_that_generalise():
    _, fits = search(
        replace(CONFIG, runs=60_000, doublings=8), np.random.default_rng(0), TRAINING[None]
    )
    out = census(CONFIG, fits)
    assert out["generalising"] > 30
    assert out["fits"] == (
        out["generalising"]
        + out["wrong_before_the_first"]
        + out["wrong_after_the_last"]
        + out["wrong_elsewhere"]
    )
    assert (
        out["ones_from_instruction"] + out["ones_from_argument"] + out["ones_from_work"]
        == out["generalising"]
    )
    assert [fit["run"] for fit in fits] == sorted(fit["run"] for fit in fits)
    assert all((answers(fit["weights"], TRAINING) == 3).all() for fit in fits)


def test_a_fit_is_counted_by_where_it_is_wrong():
    ones = np.ones(WEIGHTS, int)
    cases = {
        "generalising": ones,
        "wrong_before_the_first": ones.copy(),
        "wrong_after_the_last": ones.copy(),
        "wrong_elsewhere": ones.copy(),
    }
    cases["wrong_before_the_first"][4] = 7
    cases["wrong_after_the_last"][95] = 0
    cases["wrong_elsewhere"][[4, 95]] = 0
    fits = [
        {
            "run": 10 * i,
            "code": [WRITE, 0, JUMP, 0],
            "steps": 199,
            "limit": 256,
            "bits": 10.4,
            "weights": w,
            "fits": np.array([True]),
        }
        for i, w in enumerate(cases.values())
    ]
    out = census(CONFIG, fits)
    assert [out[name] for name in cases] == [1, 1, 1, 1]
    assert out["mean_gap"] == 10
    assert (out["first_fit"], out["first_generalising"]) == (1, 1)
    assert census(CONFIG, [])["fits"] == 0


def test_systematic_search_finds_the_shortest_program_first():
    fits = lsearch(replace(CONFIG, lsearch_phases=19))
    phase, programs, steps, machine, bits = next(fits)
    assert (phase, machine.program, machine.age) == (18, [WRITE, 0, JUMP, 0], int(2 ** (18 - bits)))
    halting = next(fit for fit in fits if fit[3].halted)
    assert halting[0] == 19
    assert halting[3].weights == [1] * WEIGHTS
    assert steps < halting[2]
    assert list(lsearch(replace(CONFIG, lsearch_phases=8))) == []


def test_systematic_search_never_exceeds_its_time():
    for phase in (6, 10):
        waiting = [
            (Machine(), 0.0)
        ]  # all guesses, without the limit on time, down to what phase allows for one step
        paths = 0
        while waiting:
            machine, bits = waiting.pop()
            if wanted := machine.wanted(CONFIG):
                longer = bits + log2(wanted[1] - wanted[0] + 1)
                if machine.age + 1 <= 2 ** (phase - longer):
                    for value in range(wanted[0], wanted[1] + 1):
                        child = machine.copy()
                        child.program.append(value)
                        waiting.append((child, longer))
            elif not machine.halted and machine.age + 1 <= 2 ** (phase - bits):
                machine.step(CONFIG)
                paths += 1
                waiting.append((machine, bits))
        assert paths <= 2**phase


# ---- the task and its other solutions ------------------------------------------------------------
def test_inputs_and_answers():
    inputs = every_input()
    assert inputs.shape == (comb(100, 3), 3)
    w = np.arange(100.0)
    assert (answers(w, TRAINING) == [108, 126, 221]).all()
    assert unseen_right(np.ones(100), inputs) == comb(100, 3) - 3
    assert unseen_right(np.zeros(100), inputs) == 0


def test_three_examples_teach_a_linear_unit_nine_weights():
    w = minimum_norm()
    nine = TRAINING.ravel()
    assert np.allclose(w[nine], 1)
    assert np.allclose(np.delete(w, nine), 0)
    assert unseen_right(w, every_input()) == comb(9, 3) - 3
    assert np.allclose(ridge_regression(replace(CONFIG, ridge=1e-9)), w)
    learned = gradient_descent(replace(CONFIG, sgd_initial=0.0), np.random.default_rng(0))
    assert np.allclose(learned, w)


def test_gradient_descent_follows_the_gradient():
    config, x = replace(CONFIG, sgd_epochs=1, sgd_initial=0.5), lci.one_hot(TRAINING)
    rng = np.random.default_rng(5)
    w, order = rng.normal(0, 0.5, WEIGHTS), rng.permutation(3)
    for example in order:  # central differences of half the squared error of one example
        gradient = [
            (0.5 * ((w + e) @ x[example] - 3) ** 2 - 0.5 * ((w - e) @ x[example] - 3) ** 2) / 2e-6
            for e in 1e-6 * np.eye(WEIGHTS)
        ]
        w = w - config.sgd_learning_rate * np.array(gradient)
    assert np.abs(w - gradient_descent(config, np.random.default_rng(5))).max() < 1e-6


def test_waiting_times_are_compared_with_the_exponential():
    rng = np.random.default_rng(0)
    assert exponential_distance(rng.exponential(5.0, 4000)) < 0.02
    assert exponential_distance(np.full(100, 5.0)) == pytest.approx(1 - np.exp(-1), abs=0.02)


def test_run_counts_every_training_set():
    out = run(replace(CONFIG, runs=60_000, doublings=8), 1)
    assert out["first_unseen_right"] == out["unseen"] == 161_697
    assert out["other_fits"] > out["fits"]
    assert 0.7 < out["other_generalising_share"] < 1
    assert out["other_sets_solved"] == 10
    assert out["minimum_norm_unseen_right"] == 81


@pytest.mark.parametrize("words", [["--runs", "0"], ["--lanes", "x"], ["--least-limit", "1000000"]])
def test_bad_settings_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(lci, words)
    assert stopped.value.code == 2
    assert "--" in capsys.readouterr().err
