"""Tests of oops_towers_of_hanoi: each instruction, probabilities, time, going back, both searches,
proofs, rivals."""

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import oops_towers_of_hanoi as oth
from oops_towers_of_hanoi import (
    BIAS,
    HOME,
    QUICK,
    STACK_DEPTH,
    STACK_USE,
    UNIVERSAL,
    Config,
    Language,
    Machine,
    Searcher,
    act,
    contract,
    contract_cost,
    execute,
    instruction_set,
    languages,
    main,
    oops,
    plain_check,
    plain_search,
    reuse,
    reuse_only,
    run,
    share,
    shortest_moves,
    solves_with_copies,
    study,
    summary,
    totals,
    verify,
)

CONFIG = replace(Config(), **QUICK)
WRITER = ("defnp", "w1", "calltp", "w2", "endnp")
TOKENS = instruction_set(24)
WARM, COLD = Language(TOKENS, BIAS, WRITER), Language(TOKENS, BIAS)


def machines(task_class, *ns):
    return [Machine(task_class, n, 0) for n in ns]


# ---- the language, one instruction at a time -----------------------------------------------------
@pytest.mark.parametrize(
    "before, token, after",
    [
        ((), "c0", (0,)),
        ((7,), "c3", (7, 3)),
        ((7,), "dup", (7, 7)),
        ((7, 8), "drop", (7,)),
        ((7, 8), "swap", (8, 7)),
        ((7, 8), "over", (7, 8, 7)),
        ((7,), "inc", (8,)),
        ((7,), "dec", (6,)),
        ((0,), "dec", (2**32 - 1,)),
        ((7, 8), "add", (15,)),
        ((9, 8), "sub", (1,)),
        ((7,), "by2", (14,)),
        ((2**31,), "by2", (0,)),
        ((1,), "neg", (2**32 - 1,)),
        ((7,), "nop", (7,)),
        ((7,), "boostq", (7,)),
        ((), "c52", (52,)),
    ],
)
def test_what_an_instruction_does_to_the_stack(before, token, after):
    machine = Machine("B", 2, 9, stack=before)
    machine.read(token)
    assert machine.stack == after
    assert (machine.steps, machine.w, machine.env) == (1, HOME, ((2, 1), (), ()))
    needed, change = STACK_USE.get(token, (0, int(token[0] == "c")))
    assert len(after) - len(before) == change
    if needed:
        with pytest.raises(oth.Halt):
            Machine("B", 2, 9, stack=before[: needed - 1]).read(token)


def test_the_stack_holds_sixteen_numbers():
    machine = Machine("A", 1, 99, stack=(1,) * (STACK_DEPTH - 1))
    machine.read("dup")
    assert len(machine.stack) == STACK_DEPTH
    with pytest.raises(oth.Halt):
        machine.read("c0")


@pytest.mark.parametrize(
    "w, token, after",
    [
        ((0, 1, 2), "xSA", (1, 0, 2)),
        ((0, 1, 2), "xAD", (0, 2, 1)),
        ((2, 0, 1), "xSA", (0, 2, 1)),
        ((2, 0, 1), "xAD", (2, 1, 0)),
    ],
)
def test_swaps(w, token, after):
    machine = Machine("B", 2, 9, w=w)
    machine.read(token)
    assert machine.w == after


@pytest.mark.parametrize(
    "env, frame, after",
    [
        (((2, 1), (), ()), (0, 1, 2), ((2,), (), (1,))),
        (((2, 1), (), ()), (0, 2, 1), ((2,), (1,), ())),
        (((), (3, 2), (1,)), (2, 0, 1), ((), (3, 2, 1), ())),
        (((2,), (), (1,)), (0, 1, 2), "halt"),
        (((), (2,), (1,)), (0, 1, 2), "halt"),
    ],
)
def test_mvdsk(env, frame, after):
    if after == "halt":
        with pytest.raises(oth.Halt):
            act("B", 3, env, "mvdsk", frame)
    else:
        assert act("B", 3, env, "mvdsk", frame) == after


def test_reaching_the_goal_ends_a_problem():
    with pytest.raises(oth.Goal):
        act("B", 2, ((1,), (), (2,)), "mvdsk", HOME)
    assert act("B", 2, ((1,), (2,), ()), "mvdsk", HOME) == ((), (2,), (1,))
    with pytest.raises(oth.Goal):
        act("A", 2, 3, "w2", HOME)
    assert (
        execute("B", 1, ("mvdsk", "endnp"), 99)[0] == "goal"
    )  # what would be illegal is not executed any more
    assert execute("A", 1, ("w1", "w2", "w2"), 99)[0] == "goal"


@pytest.mark.parametrize(
    "written, token, after",
    [
        (0, "w1", 1),
        (1, "w1", 2),
        (2, "w2", 3),
        (0, "w2", None),
        (1, "w2", None),
        (2, "w1", None),
        (0, "mvdsk", None),
    ],
)
def test_writing(written, token, after):
    if after is None:
        with pytest.raises(oth.Halt):
            act("A", 2, written, token, HOME)
    else:
        assert act("A", 2, written, token, HOME) == after
    assert act("B", 2, ((2, 1), (), ()), "w1", HOME) == ((2, 1), (), ())


def test_procedures():
    """Entry and each token cost a step; at n = 0 a call returns; w is reset after a call and by
    each entry."""
    status, machine = execute("B", 2, ("defnp", "xAD"), 99)
    assert (status, machine.body, machine.w, machine.steps) == (
        "waits",
        ("xAD",),
        HOME,
        2,
    )  # compiled, not executed
    status, machine = execute("B", 2, ("defnp", "nop", "endnp"), 99)
    assert (status, machine.procedure, machine.body, machine.steps) == (
        "waits",
        ("nop",),
        None,
        3 + 2,
    )
    assert execute("B", 2, ("defnp", "calltp", "endnp"), 99)[1].steps == 3 + (
        2 + (2 + 1)
    )  # n = 2, 1, 0
    assert execute("B", 2, ("defnp", "nop", "endnp", "calltp"), 99)[1].steps == 5 + 1 + 2
    assert execute("B", 3, ("defnp", "endnp", "defnp", "c1", "endnp", "calltp"), 99)[1].stack == (
        1,
        1,
    )  # the last one
    for program in (("endnp",), ("calltp",), ("defnp", "defnp")):
        status, machine = execute("B", 2, program, 99)
        assert (status, machine.steps) == ("halt", len(program))


def test_arguments_of_calls():
    """mvdsk moves between the frame's S and D, whatever w is; a call gets w as its arguments and
    resets it."""
    assert execute("B", 3, ("defnp", "xAD", "mvdsk"), 99)[1].env == ((3, 2, 1), (), ())
    assert execute("B", 3, ("defnp", "xSA", "xAD", "mvdsk", "calltp", "endnp"), 10)[1].env == (
        (3, 2),
        (),
        (1,),
    )
    # the inner call has S = 1, A = 2, D = 0 and finds no disk on peg 1
    status, machine = execute("B", 3, ("defnp", "xSA", "xAD", "mvdsk", "calltp", "endnp"), 99)
    assert (status, machine.steps) == ("halt", 6 + 1 + 4 + 1 + 3)
    # top level: w itself is the frame, also of a procedure
    assert execute("B", 3, ("xAD", "mvdsk"), 99)[1].env == ((3, 2), (1,), ())
    assert execute("B", 3, ("xAD", "defnp", "mvdsk", "endnp"), 99)[1].env == ((3, 2), (1,), ())
    # after a call w is home again: the second call, too, is from 0 to 1, and puts disk 2 on disk 1
    status, machine = execute(
        "B", 2, ("defnp", "xAD", "calltp", "xAD", "calltp", "mvdsk", "endnp"), 99
    )
    assert (status, machine.env) == ("halt", ((2,), (1,), ()))
    status, machine = execute(
        "B", 2, ("defnp", "xAD", "calltp", "mvdsk", "xSA", "calltp", "endnp"), 99
    )
    assert (status, machine.env, machine.moves) == (
        "goal",
        ((), (1,), (2,)),
        3,
    )  # the state before the last move


def test_steps_of_the_solver_follow_the_recursion():
    """r(n) = 6 + 2 r(n - 1), r(0) = 1, for the bare procedure left to its end: 8, 22, 50 steps."""
    for n, steps in ((1, 8), (2, 22), (3, 50)):
        machine = Machine("B", n, 10**6, procedure=UNIVERSAL[2:-1])
        with pytest.raises(oth.Goal):
            machine.call(n, HOME)
        whole = Machine(
            "B", n + 1, 10**6, procedure=UNIVERSAL[2:-1]
        )  # one disk more lies below: not the goal
        whole.call(n, HOME)
        assert whole.steps == steps
        assert whole.moves == 2**n - 1


def test_the_budget_is_checked_inside_the_recursion():
    for limit in range(1, 60):
        status, machine = execute("B", 12, ("defnp", "calltp", "calltp", "endnp"), limit)
        assert (status, machine.steps) == ("late", limit)


# ---- probabilities -------------------------------------------------------------------------------
def test_probabilities():
    assert share(Language(TOKENS).odds(WRITER)) == pytest.approx(24.0**-5)
    assert share(WARM.odds(UNIVERSAL)) == pytest.approx(25 / 120 * (25 / 240) ** 7)
    assert share(COLD.odds(UNIVERSAL[1:])) == pytest.approx((25 / 120) ** 3 / 120**4)
    assert share(COLD.odds(UNIVERSAL)) == pytest.approx(
        (25 / 120) ** 4 / 120**4
    )  # boostq without experience
    assert share(WARM.odds(UNIVERSAL[1:])) == share(COLD.odds(UNIVERSAL[1:]))
    assert share(WARM.odds(("boostq", "boostq", "w1"))) == pytest.approx(
        25 / 120 * 25 / 240 * 49 / 360
    )
    assert share(WARM.odds(("defnp", "boostq", "w1"))) == pytest.approx(
        1 / 120 * 25 / 120 * 25 / 240
    )  # in a body too
    assert share(WARM.odds(("w1",), boosts=1)) == pytest.approx(25 / 240)
    for size, gain in ((9, 17), (12, 48), (24, 636), (32, 1911), (73, 47496)):
        tokens = instruction_set(size)
        ours = share(Language(tokens, BIAS, WRITER).odds(UNIVERSAL)) / share(
            Language(tokens, BIAS).odds(UNIVERSAL[1:])
        )
        assert round(ours) == gain
    assert sum(share(WARM.odds((token,), 1)) for token in TOKENS) == pytest.approx(1)


def test_languages():
    assert len(set(instruction_set(73))) == 73
    assert instruction_set(24)[9:] == oth.GENERAL
    first, second = languages(24, 0)[0].tokens, languages(24, 1)[0].tokens
    assert first != second
    assert set(first) == set(second) == set(TOKENS)


# ---- the searches --------------------------------------------------------------------------------
def from_scratch(language, task_class, ns, time, start=()):
    """All prefixes by enumeration, each program executed anew from its first token: (prefixes,
    steps, found)."""
    prefixes, steps, first, boosts = 0, 0, None, start.count("boostq") if language.experience else 0

    def grow(program, parent):
        nonlocal prefixes, steps, first
        for token in language.tokens:
            longer = (*program, token)
            odds = language.odds(longer, boosts)
            limit = time * odds[0] // odds[1]
            if limit <= parent or first:
                continue
            prefixes += 1
            status, used = interleaved(longer, limit, parent)
            steps += used - parent
            if status == "goal":
                first = longer
            elif status == "waits":
                grow(longer, used)

    def interleaved(program, limit, parent):
        """As the search runs it: one token for all problems, then the next; only the last token can
        run out of time."""
        before = {n: execute(task_class, n, start + program[:-1], 10**9) for n in ns}
        used, solved = parent, 0
        for n in ns:
            if before[n][0] == "goal":
                solved += 1
                continue
            had = before[n][1].steps
            status, machine = execute(task_class, n, start + program, had + limit - used)
            used += machine.steps - had
            if status in ("halt", "late"):
                return status, used
            solved += status == "goal"
        return ("goal" if solved == len(ns) else "waits"), used

    grow((), sum(execute(task_class, n, start, 10**9)[1].steps for n in ns))
    return first, prefixes, steps


@pytest.mark.parametrize(
    "size, experience, task_class, ns, phase, start",
    [
        (24, (), "A", (1,), 11, ()),
        (9, (), "A", (1, 2), 15, ()),
        (9, WRITER, "B", (1, 2, 3), 15, ()),
        (12, WRITER, "B", (1, 2), 15, ()),
        (9, (), "B", (1, 2, 3), 16, ()),
        (9, WRITER, "B", (2,), 13, ("mvdsk", "xAD")),
        (9, WRITER, "B", (3,), 12, ("boostq", "defnp", "xAD", "calltp", "endnp")),
    ],
)
def test_nothing_is_lost_by_going_back(size, experience, task_class, ns, phase, start):
    """Both searches against programs executed from scratch for each prefix."""
    tokens = languages(size, 5)[0].tokens
    language = Language(tokens, BIAS if task_class == "B" else (), experience)
    starts = [execute(task_class, n, start, 999)[1] for n in ns]
    boosts = start.count("boostq")
    expected = from_scratch(language, task_class, ns, 2**phase, start)
    out = plain_search(language, starts, 2**phase, boosts)
    assert (out.found, out.prefixes, out.steps) == expected
    assert out.prefixes > 50
    assert Searcher(language, task_class).search(starts, 2**phase, boosts) == out


@pytest.mark.parametrize(
    "size, experience, task_class, ns, phases, start",
    [
        (24, (), "A", (1, 2, 3), (18, 22), ()),
        (24, WRITER, "B", (1, 2, 3), (17, 20), ()),
        (24, (), "B", (1, 2, 3), (19, 21), ()),
        (9, WRITER, "B", (1, 2, 3), (15, 19), ()),
        (9, (), "A", (1, 2), (21,), ()),
        (12, WRITER, "B", (3, 4), (18, 19), ("boostq", "defnp", "c0", "mvdsk", "endnp", "xSA")),
        (16, WRITER, "B", (2, 5), (18, 19), ("defnp", "xAD", "calltp", "endnp", "c1", "boostq")),
        (
            9,
            WRITER,
            "B",
            (3,),
            (18, 20),
            ("mvdsk", "xAD", "xSA", "mvdsk", "xSA", "xAD", "mvdsk", "xSA", "mvdsk"),
        ),
        (30, ("defnp", "c0", "xSA", "endnp"), "B", (1, 2), (17, 18), ()),
    ],
)
def test_searching_by_classes_is_the_plain_search(size, experience, task_class, ns, phases, start):
    tokens = languages(size, 3)[0].tokens
    language = Language(tokens, BIAS if task_class == "B" else (), experience)
    starts = [execute(task_class, n, start, 10**4)[1] for n in ns]
    searcher, boosts = Searcher(language, task_class), start.count("boostq")
    for phase in phases:
        before = searcher.walked
        plain = plain_search(language, starts, 2**phase, boosts)
        assert searcher.search(starts, 2**phase, boosts) == plain
        assert plain.prefixes > 500 or plain.found
        assert searcher.walked - before < plain.prefixes / 2 or plain.found


def test_a_favourable_language_is_searched_to_the_solver():
    """With three irrelevant instructions gone, deep programs with calls, goals and dead bodies come
    into reach."""
    tokens = ("calltp", "xSA", "endnp", "mvdsk", "xAD", "defnp", "boostq")
    language = Language(tokens, tokens[:-1], ())
    searcher = Searcher(language, "B")
    for phase in (16, 20, 23):
        plain = plain_search(language, machines("B", 1, 2, 3), 2**phase)
        assert searcher.search(machines("B", 1, 2, 3), 2**phase) == plain
    assert plain.prefixes > 20_000
    boosting = Language(("boostq", *tokens[:-1]), BIAS, ("defnp", "calltp", "endnp"))
    for phase in (14, 18, 20):
        plain = plain_search(boosting, machines("B", 1, 2, 3), 2**phase)
        assert Searcher(boosting, "B").search(machines("B", 1, 2, 3), 2**phase) == plain


def test_time_is_shared_by_probability():
    """No prefix uses more than P T steps, none with time left is missed, and all together stay
    below T."""
    seen = Counter()

    class Watched(Machine):
        def read(self, token):
            seen["limit"] = max(seen["limit"], self.limit)
            super().read(token)

    language, time = languages(9, 0)[0], 2**12
    out = plain_search(language, [Watched("A", 3, 0)], time)
    assert seen["limit"] == time // 9  # of one-token prefixes
    assert out.steps <= time
    for phase in range(1, 26):
        assert Searcher(WARM, "B").search(machines("B", 1, 2, 3), 2**phase).steps <= 2**phase
    short = plain_search(language, machines("A", 3), 9)
    assert short.prefixes == 9  # P T = 1: one step for each token, none for two
    assert plain_search(language, machines("A", 3), 8).prefixes == 0
    assert (
        plain_search(language, machines("A", 2, 3), 18).steps == 18 - 4
    )  # what halts one, ends both


def test_plain_check_sees_a_difference(monkeypatch):
    assert plain_check(CONFIG, COLD, "B", [machines("B", 1, 2)])[0] == 0
    monkeypatch.setattr(
        oth.Searcher, "effect", lambda self, token: "nop" if token == "xSA" else "mvdsk"
    )
    with pytest.raises((KeyError, AssertionError, AttributeError, TypeError)):
        assert plain_check(CONFIG, COLD, "B", [machines("B", 1, 2)])[0] == 0


# ---- OOPS ----------------------------------------------------------------------------------------
def test_the_order_of_events():
    language = Language(instruction_set(9))
    history = oops(replace(CONFIG, tasks=6), language, "A")
    assert [task.how for task in history] == [
        "fresh",
        "fresh",
        "unchanged",
        "unchanged",
        "unchanged",
        "unchanged",
    ]
    assert history[0].program == ("w1", "w2")
    assert {task.program for task in history[1:]} == {WRITER}
    assert history[1].runtime == sum(execute("A", n, WRITER, 999)[1].steps for n in (1, 2))
    assert history[1].probability == pytest.approx(9.0**-5)
    for task in history:  # the last phase is the first in which P T is enough
        assert (
            task.runtime
            <= task.probability * 2**task.phase
            < 2 * task.runtime + 2 * task.probability
        )
    for task in history[
        2:
    ]:  # each phase runs the frozen program from scratch, then fresh ones for the same time
        fresh = [
            plain_search(language, machines("A", *range(1, task.n + 1)), 2**p)
            for p in range(1, task.phase)
        ]
        assert task.prefixes == task.phase + sum(out.prefixes for out in fresh)
        assert task.steps == sum(2**p for p in range(1, task.phase)) + task.runtime + sum(
            out.steps for out in fresh
        )
    assert len(oops(CONFIG, language, "A", until_universal=True)) == 2


def test_the_second_tower_is_solved_by_prolonging():
    history = oops(
        replace(CONFIG, tasks=3, phases=22), Language(instruction_set(12), BIAS, WRITER), "B"
    )
    assert [task.how for task in history] == ["fresh", "prolonged", "not"]
    assert history[0].program == ("mvdsk",)
    assert history[1].program[0] == "mvdsk"
    assert history[1].probability == pytest.approx((13 / 60) ** 8)
    assert execute("B", 2, history[1].program, 99)[0] == "goal"
    assert history[1].runtime == 9
    assert summary("x", history, "B")["x_found_at"] == 2
    assert not summary("x", history, "B")["x_universal"]
    assert totals(history)[0] == sum(task.prefixes for task in history)


def test_frozen_programs_beyond_direct_execution_cost_what_the_recursion_says():
    config = replace(CONFIG, direct_tasks=3)
    status, steps, moves, machine = reuse(config, "B", UNIVERSAL, 10, 2**30)
    assert (status, moves, machine) == ("goal", 1023, None)
    assert steps == execute("B", 10, UNIVERSAL, 10**6)[1].steps
    assert reuse(config, "B", UNIVERSAL, 10, steps)[0] == "goal"
    assert reuse(config, "B", UNIVERSAL, 10, steps - 1)[:2] == ("late", steps - 1)
    assert verify(replace(CONFIG, tasks=30, direct_tasks=10), "B", UNIVERSAL) == (30, 0)
    assert verify(replace(CONFIG, tasks=30), "A", WRITER) == (30, 0)
    assert verify(CONFIG, "B", ("mvdsk",)) == (1, 0)
    assert verify(CONFIG, "A", ("w1", "w2")) == (1, 0)


# ---- proofs --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [
        "xAD calltp xSA mvdsk calltp",
        "xAD calltp mvdsk xSA calltp",
        "nop xAD calltp w1 mvdsk boostq xSA calltp",
        "xSA xAD xSA xAD xSA calltp xSA mvdsk calltp",
    ],
)
def test_contracts_hold_where_they_are_given(body):
    program = ("boostq", "defnp", *body.split(), "endnp")
    given = contract("B", program)
    direct = [execute("B", n, program, 10**6) for n in range(1, 17 if len(program) == 8 else 9)]
    solved = all(
        status == "goal" and machine.moves == 2**n - 1
        for n, (status, machine) in enumerate(direct, 1)
    )
    assert (given is not None) == solved
    if solved:
        for n, (_, machine) in enumerate(direct, 1):
            assert contract_cost(program, given, n) == (machine.steps, machine.moves)


def test_all_short_bodies_with_a_contract_solve_and_no_other():
    """Every body of five or six swaps, calls and moves: a contract is given exactly to those that
    solve n = 1 to 5."""
    proved = 0
    for size in (3, 5, 6):
        for body in product(("calltp", "xSA", "xAD", "mvdsk"), repeat=size):
            if 1 <= body.count("mvdsk") <= 2 and body.count("calltp") >= 2:
                program = ("defnp", *body, "endnp")
                solved = all(execute("B", n, program, 3000)[0] == "goal" for n in (1, 2, 3, 4, 5))
                assert (contract("B", program) is None) >= (not solved)
                proved += contract("B", program) is not None
    assert proved >= 2


@pytest.mark.parametrize(
    "task_class, program",
    [
        ("B", "mvdsk"),
        ("B", "defnp xAD calltp xSA mvdsk calltp"),
        ("B", "xAD defnp xAD calltp xSA mvdsk calltp endnp"),
        ("B", "mvdsk defnp xAD calltp xSA mvdsk calltp endnp"),
        ("B", "defnp calltp mvdsk endnp"),
        ("B", "defnp xAD calltp mvdsk calltp endnp"),
        ("B", "defnp c0 xAD calltp xSA mvdsk calltp endnp"),
        ("B", "defnp xAD calltp xSA mvdsk calltp mvdsk endnp"),
        ("B", "defnp xAD calltp xSA calltp mvdsk endnp"),
        ("A", "w1 w2"),
        ("A", "defnp w1 w1 calltp w2 w2 endnp"),
        ("A", "defnp w1 calltp calltp w2 endnp"),
        ("A", "defnp calltp w1 w2 endnp"),
        ("A", "w1 defnp w1 calltp w2 endnp"),
    ],
)
def test_no_contract_for(task_class, program):
    assert contract(task_class, tuple(program.split())) is None
    assert any(
        execute(task_class, n, tuple(program.split()), 10**5)[0] != "goal" for n in range(1, 20)
    ) or (program == "defnp xAD calltp xSA mvdsk calltp mvdsk endnp")


def test_contract_of_the_writer():
    assert contract("A", WRITER) == WRITER[1:-1]
    assert contract("A", ("nop", "defnp", "w1", "xSA", "calltp", "nop", "w2", "endnp")) is not None


# ---- other schemes -------------------------------------------------------------------------------
def test_plain_sequences_of_moves_soon_meet_a_wall():
    assert [shortest_moves(n) for n in range(1, 6)] == [1, 6, 15, 34, 71]


def test_reuse_without_recursion_needs_a_copy_for_each_smaller_tower():
    reach, copies, alone = reuse_only(6)
    assert (reach, copies, alone) == (6, 5, 2)
    step = ("SD", "C", "SD", "M", "SA", "C")
    ladder = [("M",)] + [step] * 8
    for n in range(2, 9):
        assert solves_with_copies(step, ladder[: n - 1], n)
        assert not solves_with_copies(step, ladder[: n - 2], n)
    assert not solves_with_copies(("C",), [], 1)


# ---- the experiment ------------------------------------------------------------------------------
def test_run_and_study(capsys):
    out = run(CONFIG, 1)
    assert out["plain_differences"] == 0
    assert out["plain_prefixes"] > 100
    assert (out["a_verified_to"], out["b_found_at"], out["b_verified_to"]) == (CONFIG.tasks, 2, 0)
    assert out["paper_boosted"] == pytest.approx(9.3e-11, rel=0.01)
    assert out["paper_not_boosted"] == pytest.approx(4.5e-14, rel=0.02)
    assert out["expected_gain"] == pytest.approx(17.36, abs=0.01)
    assert "prolonged" in capsys.readouterr().out
    longer = study(replace(CONFIG, phases=16, study_sizes=(9, 12)), 1)
    assert longer["sizes"] == [9, 12]
    assert longer["warm_spread"] >= 1
    assert longer["universal"] == 0


def test_the_callback_sees_shares_of_the_prefixes():
    seen, language = {}, languages(9, 0)[1]
    searcher = Searcher(language, "B", seen.__setitem__)
    out = searcher.search(machines("B", 1, 2), 2**14)
    assert out == plain_search(language, machines("B", 1, 2), 2**14)
    inner = {path[:1] for path in seen}
    for first in inner:
        assert seen[first] > sum(
            n for path, n in seen.items() if len(path) == 2 and path[0] == first[0]
        )
    assert sum(n for path, n in seen.items() if len(path) == 1) <= out.prefixes


def test_any_order_of_the_instructions_finds_the_writer():
    rng = np.random.default_rng(0)
    for _ in range(3):
        language = Language(tuple(rng.permutation(TOKENS).tolist()))
        history = oops(replace(CONFIG, phases=30, tasks=3), language, "A", until_universal=True)
        assert history[-1].program == WRITER


@pytest.mark.parametrize(
    "words",
    [
        ["--instructions", "8"],
        ["--tasks", "31"],
        ["--phases", "x"],
        ["--phases", "9", "--plain-phases", "12"],
    ],
)
def test_bad_settings_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(oth, words)
    assert stopped.value.code == 2
    assert "--" in capsys.readouterr().err
