"""Tests of levin_add_positions: every instruction, the guesses, lockstep against one by one, the
search, the task."""

from dataclasses import replace
from math import comb, log2

import numpy as np
import pytest

import levin_add_positions as lap
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
    RAMP,
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
    gradient_descent,
    listing,
    main,
    minimum_norm,
    ridge_regression,
    run,
    search,
    source_of_numbers,
    study,
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


# Counts in a work cell. Most that the search finds count in their own instructions instead.
NATURAL = [ALLOCATE, 1, WRITE, -1, INCREMENT, -1, JUMP, 2]


def test_the_natural_solution():
    machine, bits = execute(CONFIG, NATURAL, 1000)
    assert machine.weights == list(range(WEIGHTS))
    assert (
        machine.age == 299
    )  # allocate, then a hundred writes, and between any two an increment and a jump
    assert machine.halted
    assert bits == pytest.approx(log2(13**4 * 2 * 5 * 7 * 9))
    assert (
        listing(CONFIG, NATURAL, 1000)
        == "0: Allocate(1); 2: WriteWeight(-1); 4: Increment(-1); 6: Jump(2)"
    )
    assert execute(CONFIG, NATURAL, 100)[0].weights[:40] == [*range(33), *[0] * 7]  # cut off
    assert listing(CONFIG, [JUMP, 1, 2, STOP], 9) == "0: Jump(1); 1: WriteWeight(2); 3: Stop()"


def test_a_program_ends_where_no_more_cells_may_be_written():
    config = replace(CONFIG, program_cells=3)
    machine, _ = execute(config, [WRITE, 0, WRITE, 0], 100)
    assert machine.halted
    assert machine.weights[:2] == [1, 0]


@pytest.mark.parametrize(
    "code, source",
    [
        (NATURAL, "work"),
        (
            [SUBTRACT, 0, 0, 0, WRITE, 0, INCREMENT, 0, JUMP, 4],
            "instruction",
        ),  # its first instruction becomes the counter
        ([WRITE, 1, JUMP, 0], "argument"),  # ones only
    ],
)
def test_where_the_numbers_come_from(code, source):
    machine, _ = execute(CONFIG, code, 1000)
    assert np.ptp(np.diff(machine.weights)) == 0
    assert source_of_numbers(CONFIG, {"code": code, "steps": machine.age}) == source


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
    found, right = {fit["run"] for fit in fits}, TRAINING.sum(1)
    assert found == {
        run
        for run, *_, weights, _ in ended
        if (answers(np.array(weights), TRAINING) == right).all()
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


def test_a_fit_is_found_reported_and_replayed():
    """With the first examples answered by what a common program does, the bookkeeping is seen at
    work in a second."""
    triples = np.array([[[5, 17, 86], [13, 55, 58], [40, 87, 94]]])
    replaced = triples * 0 + 1  # three times position 1: whoever writes 1 into weight 1 fits
    two = np.array(
        [[[1, 1, 1], [1, 1, 1], [2, 2, 2]]]
    )  # whoever writes 1 into weight 1 and 2 into weight 2 fits
    _, fits = search(CONFIG, np.random.default_rng(0), np.concatenate([replaced, triples, two]))
    assert len(fits) > 100
    assert [fit["run"] for fit in fits] == sorted(fit["run"] for fit in fits)
    for fit in fits:
        machine, bits = execute(CONFIG, fit["code"], fit["limit"])
        assert machine.weights == fit["weights"].tolist()
        assert (machine.age, bits) == (fit["steps"], pytest.approx(fit["bits"]))
        assert fit["fits"].tolist() == [
            fit["weights"][1] == 1,
            (answers(fit["weights"], TRAINING) == TRAINING.sum(1)).all(),
            fit["weights"][1:3].tolist() == [1, 2],
        ]


def test_a_fit_is_counted_by_where_it_is_wrong():
    cases = {
        "generalising": RAMP,
        "wrong_before_the_first": RAMP.copy(),
        "wrong_after_the_last": RAMP.copy(),
        "wrong_elsewhere": RAMP.copy(),
    }
    cases["wrong_before_the_first"][[0, 4]] = 7
    cases["wrong_after_the_last"][95] = 0
    cases["wrong_elsewhere"][[4, 95]] = 0
    fits = [
        {
            "run": 10 * i,
            "code": NATURAL,
            "steps": 299,
            "limit": 512,
            "bits": 24.1,
            "weights": w,
            "fits": np.array([True]),
        }
        for i, w in enumerate(cases.values())
    ]
    out = census(CONFIG, fits)
    assert [out[name] for name in cases] == [1, 1, 1, 1]
    assert (out["first_fit"], out["first_generalising"], out["counter_in_work"]) == (1, 1, 1)
    assert out["simplest_levin_bits"] == pytest.approx(24.1 + log2(299))
    assert census(CONFIG, [])["fits"] == 0


# ---- the task and its other solutions ------------------------------------------------------------
def test_inputs_and_answers():
    inputs = every_input()
    assert inputs.shape == (comb(100, 3), 3)
    assert (answers(RAMP, TRAINING) == [108, 126, 221]).all()
    assert unseen_right(RAMP, inputs) == comb(100, 3) - 3
    wrong = RAMP.copy()
    wrong[0] = 1  # every input with position 0 is wrong now, and no other
    assert unseen_right(wrong, inputs) == comb(99, 3) - 3


def test_three_examples_teach_a_linear_unit_nine_weights():
    w = minimum_norm()
    nine = TRAINING.ravel()
    assert np.allclose(w[nine], np.repeat([36, 42, 221 / 3], 3))
    assert np.allclose(np.delete(w, nine), 0)
    assert unseen_right(w, every_input()) < 200
    assert np.allclose(ridge_regression(replace(CONFIG, ridge=1e-9)), w)
    learned = gradient_descent(replace(CONFIG, sgd_initial=0.0), np.random.default_rng(0))
    assert np.allclose(learned, w)


def test_gradient_descent_follows_the_gradient():
    config, x = replace(CONFIG, sgd_epochs=1, sgd_initial=0.5), lap.one_hot(TRAINING)
    rng = np.random.default_rng(5)
    w, order = rng.normal(0, 0.5, WEIGHTS), rng.permutation(3)
    for example in order:  # central differences of half the squared error of one example
        target = TRAINING[example].sum()
        gradient = [
            (
                0.5 * ((w + e) @ x[example] - target) ** 2
                - 0.5 * ((w - e) @ x[example] - target) ** 2
            )
            / 2e-4
            for e in 1e-4 * np.eye(WEIGHTS)
        ]
        w = w - config.sgd_learning_rate * np.array(gradient)
    assert np.abs(w - gradient_descent(config, np.random.default_rng(5))).max() < 1e-6


def test_run_and_study_return_what_they_promise():
    out = run(CONFIG, 1)
    assert out["runs"] == CONFIG.runs
    assert out["minimum_norm_unseen_right"] == unseen_right(minimum_norm(), every_input())
    assert 0 < out["fitted_share"] < 0.001
    longer = study(CONFIG, 1)
    assert longer["limits"] == [0, 512, 8192]
    for steps in longer["limit_steps"]:  # each gets about the same time
        assert 0.5 < steps / CONFIG.study_steps < 2
    assert longer["limit_runs"][0] > longer["limit_runs"][2]
    assert longer["fits"] == len(longer["fit_runs"])


@pytest.mark.parametrize("words", [["--runs", "0"], ["--lanes", "x"], ["--least-limit", "1000000"]])
def test_bad_settings_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(lap, words)
    assert stopped.value.code == 2
    assert "--" in capsys.readouterr().err
