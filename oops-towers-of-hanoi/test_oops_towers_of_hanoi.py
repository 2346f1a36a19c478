"""Tests of oops_towers_of_hanoi: machine and search against literal ones, proofs, wiring."""

from dataclasses import dataclass, replace
from itertools import product

import oops_towers_of_hanoi as oth
import study_oops_towers_of_hanoi as study
from oops_towers_of_hanoi import (
    BIAS,
    HANOI,
    HOME,
    QUICK,
    Config,
    Goal,
    Halt,
    Language,
    Late,
    Machine,
    Searcher,
    Solved,
    contract,
    cost_of_contract,
    instruction_set,
    languages,
    oops,
    run,
    run_program,
    verify,
)
from study_oops_towers_of_hanoi import Thrifty
import numpy as np
import pytest

DEFAULT = Config(direct_tasks=6)
CONFIG = replace(DEFAULT, **QUICK)
WRITER = ("defnp", "w1", "calltp", "w2", "endnp")
BOOSTED = ("boostq", *HANOI)
TOKENS = instruction_set(24)
WARM = Language(TOKENS, BIAS, WRITER)
COLD = Language(TOKENS, BIAS)


def silent(fraction, message):
    """Show nothing."""


# ---- the oracle: a machine with a stack of numbers, and a search that copies it ----
@dataclass
class Literal:
    """Reads a program token by token, as the README's table has it. Raises Halt, Late or Goal."""

    task_class: str
    n: int
    limit: int  # steps that may be used in all
    env: object = None
    stack: tuple = ()
    w: tuple = HOME
    procedure: tuple = None
    body: tuple = None
    steps: int = 0

    def __post_init__(self):
        self.env = oth.beginning(self.task_class, self.n) if self.env is None else self.env

    def tick(self):
        if self.steps >= self.limit:
            raise Late
        self.steps += 1

    def read(self, token):
        self.tick()
        if self.body is not None:
            if token == "defnp":
                raise Halt
            if token != "endnp":
                self.body += (token,)
                return
            self.procedure, self.body = self.body, None
            self.call(self.n, self.w)
        elif token == "defnp":
            self.body = ()
        elif token == "endnp" or (token == "calltp" and self.procedure is None):
            raise Halt
        elif token == "calltp":
            self.call(self.n, self.w)
        else:
            self.w = self.execute(token, self.w, self.w)

    def call(self, n, frame):
        self.tick()
        w = frame
        for token in self.procedure if n else ():
            self.tick()
            if token == "calltp":
                self.call(n - 1, w)
                w = frame
            else:
                w = self.execute(token, w, frame)

    def execute(self, token, w, frame):
        s, a, d = w
        if token in ("xSA", "xAD"):
            return (a, s, d) if token == "xSA" else (s, d, a)
        if token == "mvdsk" or (token in ("w1", "w2") and self.task_class == "A"):
            write = self.task_class == "A"
            act = (self.n, self.env, token if write else frame)
            self.env = oth.write(*act) if write else oth.move(*act)
        elif token not in ("w1", "w2", "boostq", "nop"):
            self.stack = self.compute(token, self.stack)
            if len(self.stack) > 16:
                raise Halt
        return w

    def compute(self, token, stack):
        if token[0] == "c":
            return (*stack, int(token[1:]))
        if len(stack) < 1 + (token in ("swap", "over", "add", "sub")):
            raise Halt
        *rest, top = stack
        if token in ("swap", "over", "add", "sub"):
            *rest, below = rest
            many = {"swap": (top, below), "over": (below, top, below)}
            many |= {"add": (below + top,), "sub": (below - top,)}
        else:
            many = {"dup": (top, top), "drop": (), "inc": (top + 1,), "dec": (top - 1,)}
            many |= {"by2": (2 * top,), "neg": (-top,)}
        return (*rest, *many[token])


def literal_run(task_class, n, program, limit):
    """Run a program on a problem: returns its status and the machine."""
    machine = Literal(task_class, n, limit)
    try:
        for token in program:
            machine.read(token)
    except (Goal, Halt, Late) as end:
        return type(end).__name__.lower(), machine
    return "waits", machine


def literal_search(language, machines, time, boosts=0):
    """Test all continuations, each machine copied before it reads: (found, prefixes, steps)."""
    counts = [0, 0]

    def visit(machines, odds, used, path):
        for token, longer in language.continuations(odds):
            limit = time * longer[0] // longer[1]
            if limit <= used:
                continue
            counts[0] += 1
            left, after = [], used
            try:
                for machine in machines:
                    copy = replace(machine, limit=machine.steps + limit - after)
                    try:
                        copy.read(token)
                        left.append(copy)
                    except Goal:
                        pass
                    finally:
                        after += copy.steps - machine.steps
            except (Halt, Late):
                continue
            finally:
                counts[1] += after - used
            found = visit(left, longer, after, (*path, token)) if left else (*path, token)
            if found:
                return found
        return None

    found = visit(machines, (1, 1, boosts), sum(machine.steps for machine in machines), ())
    return found, *counts


def searched(kind, language, task_class, ns, time, start=()):
    """The same by a Searcher, for the continuations of a program that all problems wait with."""
    searcher = kind(language, task_class)
    state, used = searcher.machine.start(*ns), 0
    for token in start:
        _, steps, state = searcher.machine.read(state, searcher.machine.meaning(token), 10**6)
        used += steps
    found = searcher.search(state, used, time, start.count("boostq") if language.experience else 0)
    return (found, searcher.prefixes, searcher.steps), searcher


# ---- the language ----
@pytest.mark.parametrize(
    "pegs, frame, after",
    [
        (((2, 1), (), ()), (0, 1, 2), ((2,), (), (1,))),
        (((2, 1), (), ()), (0, 2, 1), ((2,), (1,), ())),
        (((), (3, 2), (1,)), (2, 0, 1), ((), (3, 2, 1), ())),
        (((2,), (), (1,)), (0, 1, 2), Halt),
        (((), (2,), (1,)), (0, 1, 2), Halt),
        (((1,), (), (3, 2)), (0, 1, 2), Goal),
        (((1,), (3, 2), ()), (0, 2, 1), ((), (3, 2, 1), ())),
    ],
)
def test_mvdsk(pegs, frame, after):
    if isinstance(after, tuple):
        assert oth.move(3, pegs, frame) == after
    else:
        with pytest.raises(after):
            oth.move(3, pegs, frame)


@pytest.mark.parametrize(
    "written, token, after",
    [
        (0, "w1", 1),
        (1, "w1", 2),
        (2, "w2", 3),
        (0, "w2", Halt),
        (1, "w2", Halt),
        (2, "w1", Halt),
        (0, "mvdsk", Halt),
        (3, "w2", Goal),
    ],
)
def test_writing(written, token, after):
    if isinstance(after, int):
        assert oth.write(2, written, token) == after
    else:
        with pytest.raises(after):
            oth.write(2, written, token)


@pytest.mark.parametrize(
    "n, program, status, steps",
    [
        (2, "defnp nop endnp", "waits", 3 + 2),  # tokens, entry, nop
        (2, "defnp calltp endnp", "waits", 3 + 2 + 2 + 1),  # n = 2, 1, 0
        (2, "defnp nop endnp calltp", "waits", 5 + 1 + 2),
        (2, "defnp xAD", "waits", 2),  # compiled, not executed
        (2, "defnp defnp", "halt", 2),
        (2, "endnp", "halt", 1),
        (2, "calltp", "halt", 1),
        (1, "mvdsk endnp", "goal", 1),  # what would be illegal is not executed any more
        (3, "defnp xSA xAD mvdsk calltp endnp", "halt", 6 + 5 + 4),  # no disk on peg 1
        (2, "defnp xAD calltp xAD calltp mvdsk endnp", "halt", 7 + 3 + 8 + 2 + 8),  # 2 on 1
    ],
)
def test_procedures_worked_by_hand(n, program, status, steps):
    """Entry and each token cost a step; at n = 0 a call returns; w is reset after a call."""
    program = tuple(program.split())
    ours = run_program(Machine("B"), n, program, 99)
    literal = literal_run("B", n, program, 99)
    assert ours[:2] == (status, steps) == (literal[0], literal[1].steps)


def test_steps_of_the_solver_follow_the_recursion():
    """r(n) = 6 + 2 r(n - 1), r(0) = 1, for the procedure left to its end: 8, 22, 50 steps."""
    machine = Machine("B")
    state = machine.start(9)
    for token in HANOI[:-1]:
        state = machine.read(state, machine.meaning(token), 99)[2]
    assert state.body == ("nop", (0, 2, 1), "nop", "mvdsk", (1, 0, 2))
    for n, steps in ((1, 8), (2, 22), (3, 50)):
        machine.n, machine.env, machine.steps_left, machine.actions = 9, state.tasks[0][1], 99, 0
        machine.call(state.body, n, HOME)
        assert (99 - machine.steps_left, machine.actions) == (steps, 2**n - 1)
        assert machine.env[2] == tuple(range(n, 0, -1))


def test_the_budget_is_checked_inside_the_recursion():
    for limit in range(1, 40):
        program = ("defnp", "calltp", "calltp", "endnp")
        assert run_program(Machine("B"), 12, program, limit)[:2] == ("late", limit)


@pytest.mark.parametrize("task_class", ["A", "B"])
def test_random_programs_run_as_on_the_literal_machine(task_class):
    rng = np.random.default_rng(0)
    likely = ("defnp", "endnp", "calltp", "mvdsk", "xSA", "xAD", "w1", "w2", "c1", "dup")
    ends, machine = set(), Machine(task_class)
    for _ in range(400):
        n, limit, size = (int(x) for x in rng.integers((1, 4, 3), (4, 120, 14)))
        program = tuple(str(t) for t in rng.choice(likely if rng.random() < 0.7 else TOKENS, size))
        program = ("defnp", *program) if rng.random() < 0.7 else program
        status, literal = literal_run(task_class, n, program, limit)
        ours, used, state = run_program(machine, n, program, limit)
        assert (ours, used) == (status, literal.steps), program
        if ours == "waits":
            assert state.tasks == ((n, literal.env, len(literal.stack)),)
            assert task_class == "A" or state.w == literal.w
        ends.add(ours)
    assert ends == {"goal", "halt", "late", "waits"}


def test_the_stack_holds_sixteen_numbers():
    full = ("c3",) * 15 + ("dup",)
    assert run_program(Machine("B"), 1, full, 99)[:2] == ("waits", 16)
    for token in ("c0", "dup", "over"):
        assert run_program(Machine("B"), 1, (*full, token), 99)[:2] == ("halt", 17)
    assert run_program(Machine("B"), 1, (*full, "add", "over"), 99)[0] == "waits"


# ---- probabilities ----
def test_probabilities():
    assert Language(TOKENS).probability(WRITER) == pytest.approx(24.0**-5)
    assert WARM.probability(BOOSTED) == pytest.approx(25 / 120 * (25 / 240) ** 7)
    assert COLD.probability(HANOI) == pytest.approx((25 / 120) ** 3 / 120**4)
    assert COLD.probability(BOOSTED) == pytest.approx((25 / 120) ** 4 / 120**4)  # no experience
    assert WARM.probability(HANOI) == COLD.probability(HANOI)
    twice = 25 / 120 * 25 / 240 * 49 / 360
    assert WARM.probability(("boostq", "boostq", "w1")) == pytest.approx(twice)
    in_a_body = 1 / 120 * 25 / 120 * 25 / 240
    assert WARM.probability(("defnp", "boostq", "w1")) == pytest.approx(in_a_body)
    for size, gain in ((9, 17), (24, 636), (32, 1911), (73, 47496)):
        tokens = instruction_set(size)
        assert len(set(tokens)) == size
        warm, cold = Language(tokens, BIAS, WRITER), Language(tokens, BIAS)
        assert round(study.exact_gain(warm, cold)) == gain
    total = sum(longer[0] / longer[1] for _, longer in WARM.continuations((1, 1, 1)))
    assert total == pytest.approx(1)


# ---- the search ----
SEARCHES = [
    (24, (), "A", (1, 2, 3), 20, ()),
    (9, (), "A", (1, 2), 19, ()),
    (24, WRITER, "B", (1, 2, 3), 16, ()),
    (9, WRITER, "B", (1, 2, 3), 16, ()),
    (12, WRITER, "B", (3, 4), 15, ("boostq", "defnp", "c0", "mvdsk", "endnp", "xSA")),
    (16, WRITER, "B", (2, 5), 15, ("defnp", "xAD", "calltp", "endnp", "c1", "boostq")),
    (9, WRITER, "B", (3,), 16, ("mvdsk", "xAD", "xSA", "mvdsk")),
    (30, ("defnp", "c0", "xSA", "endnp"), "B", (1, 2), 15, ()),
]


@pytest.mark.parametrize("size, experience, task_class, ns, phase, start", SEARCHES)
def test_the_searches_count_what_the_literal_one_does(
    size, experience, task_class, ns, phase, start
):
    tokens = languages(Config(instructions=size), 3)[0].tokens
    language = Language(tokens, BIAS if task_class == "B" else (), experience)
    starts = [literal_run(task_class, n, start, 10**4)[1] for n in ns]
    boosts = start.count("boostq") if experience else 0
    expected = literal_search(language, starts, 2**phase, boosts)
    ours, searcher = searched(Searcher, language, task_class, ns, 2**phase, start)
    thrifty, other = searched(Thrifty, language, task_class, ns, 2**phase, start)
    assert ours == thrifty == expected
    assert expected[1] > 130 and other.walked <= searcher.walked < expected[1]
    assert expected[2] <= 2**phase  # all prefixes together have T steps


def test_a_favourable_language_leads_deep_into_bodies():
    """Without other instructions, programs with calls, goals and certain halts come into reach."""
    tokens = ("calltp", "xSA", "endnp", "mvdsk", "xAD", "defnp", "boostq")
    for language in (
        Language(tokens, tokens[:-1]),
        Language(("boostq", *tokens[:-1]), BIAS, ("defnp", "calltp", "endnp")),
    ):
        starts = [Literal("B", n, 0) for n in (1, 2, 3)]
        expected = literal_search(language, starts, 2**17)
        assert expected[1] > 2000
        for kind in (Searcher, Thrifty):
            assert searched(kind, language, "B", (1, 2, 3), 2**17)[0] == expected


def test_time_is_shared_by_probability():
    language = Language(instruction_set(9))
    for time, expected in ((8, (None, 0, 0)), (9, (None, 9, 9))):  # P T below 1 and 1: no step, one
        assert searched(Searcher, language, "A", (3,), time)[0] == expected
    assert searched(Searcher, language, "A", (2, 3), 18)[0][2] == 18 - 4  # halts of one end both


def test_a_search_ends_with_its_budget_and_shows_its_count():
    searcher = Searcher(COLD, "B", budget=300)
    with pytest.raises(Late):
        searcher.search(searcher.machine.start(1, 2, 3), 0, 2**22)
    assert 300 <= searcher.prefixes < 2000
    shown = []
    searcher = Searcher(COLD, "B", watch=shown.append)
    searcher.walked = 4095
    searcher.search(searcher.machine.start(2), 0, 2**10)
    assert shown == [0]


# ---- OOPS ----
def test_the_order_of_events():
    searcher = Searcher(Language(instruction_set(9)), "A")
    history = oops(replace(CONFIG, tasks=5, phases=25), searcher)
    assert [task.how for task in history] == ["fresh", "fresh"] + ["unchanged"] * 3
    assert history[0].program == ("w1", "w2")
    assert {task.program for task in history[1:]} == {WRITER}
    spent = sum(literal_run("A", n, WRITER, 99)[1].steps for n in (1, 2))  # by the solver, n <= 2
    least = 2 ** history[1].phase // 9**5  # the first phase in which P T is enough
    assert spent <= least < 2 * spent + 2
    for task in history[2:]:  # each phase runs the frozen program, then fresh ones on 1 to n
        starts = [Literal("A", i, 0) for i in range(1, task.n + 1)]
        fresh = [literal_search(searcher.language, starts, 2**p) for p in range(1, task.phase)]
        used = literal_run("A", task.n, WRITER, 999)[1].steps
        assert 2 ** (task.phase - 1) < used <= 2**task.phase
        assert task.prefixes == task.phase + sum(out[1] for out in fresh)
        assert task.steps == 2**task.phase - 2 + used + sum(out[2] for out in fresh)
    assert searcher.prefixes == sum(task.prefixes for task in history)
    assert searcher.walked == sum(task.walked for task in history)


def test_the_second_tower_is_solved_by_prolonging():
    searcher = Searcher(Language(instruction_set(9), BIAS, WRITER), "B")
    history = oops(replace(CONFIG, tasks=3, direct_tasks=3, phases=22), searcher)
    assert [task.how for task in history] == ["fresh", "prolonged", "not"]
    assert history[0].program == ("mvdsk",) == history[1].program[:1]
    assert literal_run("B", 2, history[1].program, 99)[0] == "goal"
    summary = oth.summary(history)
    assert (summary["found_at"], summary["tokens"]) == (2, len(history[1].program))
    assert summary["prefixes"] == history[0].prefixes + history[1].prefixes
    assert summary["phase"] == history[1].phase


def test_frozen_boosts_count_for_what_prolongs_the_program():
    searcher = Searcher(WARM, "B")
    searched_with = []
    searcher.search = lambda *arguments: searched_with.append(arguments)
    oth.reuse(Solved(2, phase=5), ("boostq", "mvdsk"), searcher, CONFIG)
    assert searched_with[0][1:] == (2, 32, 1)
    oth.afresh(Solved(3, phase=5), searcher)
    assert searched_with[1] == (searcher.machine.start(1, 2, 3), 0, 32)


# ---- proofs ----
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
    given = contract(program)
    for n in range(1, 9):
        machine = Machine("B")
        status, steps, _ = run_program(machine, n, program, 10**5)
        assert (status, machine.actions) == ("goal", 2**n - 1)
        assert cost_of_contract(program, given, n) == (steps, 2**n - 1)


def test_short_bodies_with_a_contract_solve_and_no_other():
    proved = 0
    for body in product(("calltp", "xSA", "xAD", "mvdsk"), repeat=5):
        if body.count("mvdsk") == 1 and body.count("calltp") >= 2:
            program = ("defnp", *body, "endnp")
            solves = all(run_program(Machine("B"), n, program, 999)[0] == "goal" for n in (1, 2, 3))
            assert solves or contract(program) is None
            proved += contract(program) is not None
    assert proved == 2


@pytest.mark.parametrize(
    "program",
    [
        "mvdsk",
        "defnp xAD calltp xSA mvdsk calltp",
        "xAD defnp xAD calltp xSA mvdsk calltp endnp",
        "mvdsk defnp xAD calltp xSA mvdsk calltp endnp",
        "defnp calltp mvdsk endnp",
        "defnp xAD calltp mvdsk calltp endnp",
        "defnp c0 xAD calltp xSA mvdsk calltp endnp",
        "defnp xAD calltp xSA mvdsk calltp mvdsk endnp",
        "defnp xAD calltp xSA calltp mvdsk endnp",
    ],
)
def test_no_contract_for(program):
    assert contract(tuple(program.split())) is None


def test_frozen_programs_are_verified_up_to_thirty():
    config = Config(direct_tasks=6)
    assert verify(config, "B", BOOSTED) == (30, 0)
    assert verify(config, "A", WRITER) == (30, 0)
    assert verify(config, "B", ("mvdsk",)) == (1, 0)
    assert verify(config, "A", ("w1", "w2")) == (1, 0)
    for limit in (7000, 8000):  # a proof costs what execution would
        status, steps, _, state = oth.attempt(config, Machine("B"), BOOSTED, 10, limit)
        direct = run_program(Machine("B"), 10, BOOSTED, limit)
        assert (status, steps, state) == (*direct[:2], None)


# ---- the wiring ----
TOWERS = [
    Solved(1, ("mvdsk",), "fresh", 3, 4, 5, 1),
    Solved(2, ("mvdsk", "xAD"), "prolonged", 22, 60, 70, 10),
    Solved(3, BOOSTED, "fresh", 32, 400, 500, 100),
    Solved(4, BOOSTED, "unchanged", 8, 4000, 5000, 1000),
]
WRITING = [Solved(1, ("w1", "w2"), "fresh", 8, 3, 4, 1), Solved(2, WRITER, "fresh", 28, 20, 30, 2)]
FAILED = [Solved(1, ("mvdsk",), "fresh", 3, 4, 5, 7), Solved(2, (), "not", 30, 5000, 6000, 11)]


def spied_run(monkeypatch, histories, config=DEFAULT, seed=1, **other):
    """What run() returns if its three searches had these histories, and what it asked for."""
    asked, histories = [], iter(histories)

    def fake(config, searcher, until_universal=False):
        asked.append((searcher, until_universal))
        return next(histories)

    monkeypatch.setattr(oth, "oops", fake)
    for name, value in other.items():
        monkeypatch.setattr(oth, name, value)
    return run(config, seed, silent), asked


def test_experience_is_the_solver_of_class_a_and_only_the_rival_lacks_it(monkeypatch):
    out, asked = spied_run(
        monkeypatch, [WRITING, TOWERS, FAILED], replace(DEFAULT, cold_factor=3.0)
    )
    (a, _), (warm, _), (cold, until_universal) = asked
    assert [s.machine.task_class for s in (a, warm, cold)] == ["A", "B", "B"]
    assert (a.language.bias, a.language.experience) == ((), ())
    assert (warm.language.bias, warm.language.experience) == (BIAS, WRITER)
    assert (cold.language.bias, cold.language.experience) == (BIAS, ())
    assert a.language.tokens == warm.language.tokens == cold.language.tokens
    assert cold.budget == 3 * (4 + 60 + 400) and until_universal
    assert a.budget == warm.budget == float("inf")
    assert type(cold) is type(warm) is Searcher


def test_metrics_come_from_the_right_searches(monkeypatch):
    out, _ = spied_run(monkeypatch, [WRITING, TOWERS, FAILED])
    assert out["a"] == {"prefixes": 23, "steps": 34, "tokens": 5, "phase": 28, "found_at": 2}
    rate = out["b"].pop("states_per_second")
    assert rate > 0
    assert out["b"] == {"prefixes": 464, "steps": 575, "tokens": 8, "phase": 32, "found_at": 3}
    assert (out["walked_warm"], out["walked_cold"]) == (111, 18)
    assert (out["both_universal"], out["b_boosted"], out["cold_found"]) == (1, 1, 0)
    assert out["excess"] == 0 and out["exact_gain"] == pytest.approx(635.78, abs=0.01)


def test_metrics_say_when_a_search_failed(monkeypatch):
    plain = [Solved(1, HANOI, "fresh", 3, 4, 5, 1)]
    out, _ = spied_run(monkeypatch, [WRITING, plain, plain])
    assert (out["both_universal"], out["b_boosted"], out["cold_found"]) == (1, 0, 1)
    out, _ = spied_run(monkeypatch, [WRITING[:1], TOWERS, FAILED])
    assert out["both_universal"] == 0
    out, _ = spied_run(monkeypatch, [WRITING, TOWERS[:2], FAILED])
    assert (out["both_universal"], out["b_boosted"]) == (0, 0)
    out, _ = spied_run(
        monkeypatch, [WRITING, TOWERS, FAILED], attempt=lambda *_: ("goal", 1, 2**30, None)
    )
    assert out["both_universal"] == 0 and out["excess"] > 0


def test_both_programs_are_verified_with_fresh_machines(monkeypatch):
    asked = []

    def fake(config, task_class, program):
        asked.append((task_class, program))
        return config.tasks, 0

    spied_run(monkeypatch, [WRITING, TOWERS, FAILED], verify=fake)
    assert asked == [("A", WRITER), ("B", BOOSTED)]


def test_the_search_is_not_told_the_program(monkeypatch):
    """HANOI serves the exact gain alone: another in its place changes nothing else."""
    config = replace(CONFIG, phases=16)
    expected = run(config, 5, silent)
    monkeypatch.setattr(oth, "HANOI", ("calltp", "w1"))
    out = run(config, 5, silent)
    for table in (out, expected):
        del table["exact_gain"]
        table["b"].pop("states_per_second")
    assert out == expected


def test_orders_of_the_instructions(monkeypatch):
    orders = []
    for seed in range(4):
        _, asked = spied_run(monkeypatch, [WRITING, TOWERS, FAILED], seed=seed)
        orders.append(asked[0][0].language.tokens)
    assert len(set(orders)) == 4 and all(set(order) == set(TOKENS) for order in orders)
    assert languages(Config(order="listed"), 0)[0].tokens == TOKENS
    first, cold = languages(Config(), np.random.SeedSequence(7))
    assert first.tokens == cold.tokens == languages(Config(), np.random.SeedSequence(7))[0].tokens


def test_progress_is_shown_in_order():
    said = []
    for begin, end in ((0.0, 0.05), (0.05, 0.6)):
        watch = oth.part(lambda f, m: said.append(f), begin, end, 100)
        for prefixes in (0, 50, 1000):
            watch(prefixes)
    assert said == pytest.approx([0.0, 0.025, 0.05, 0.05, 0.325, 0.6])


# ---- the study ----
def spied_study(monkeypatch, config):
    """What the study returns if its searches are not made, and what it asked for."""
    asked = []

    def fake(settings, searcher, until_universal=False):
        asked.append((settings, searcher, until_universal))
        if searcher.machine.task_class == "A":
            return WRITING
        boosted = searcher.language.experience
        walked = (30 if type(searcher) is Thrifty else 100) * (1 if boosted else 5)
        size = len(searcher.language.tokens)
        return [Solved(1, BOOSTED, "fresh", 9, size if boosted else 50 * size, 9, walked)]

    monkeypatch.setattr(study, "oops", fake)
    return study.run(config, 1, silent), asked


def test_the_study_compares_like_with_like(monkeypatch):
    config = study.Config(sizes=(9, 20, 24, 73), walk_factor=2.5)
    out, asked = spied_study(monkeypatch, config)
    assert out["walked_factor"] == 5 and out["thrifty"]["walked_factor"] == 5
    assert out["plain"] == {"walked_warm": 100, "walked_cold": 500, "cold_finished": 1}
    assert out["warm_prefixes"] == [9, 20, 24, 73] and out["warm_spread"] == 24 / 9
    assert out["no_boostq"]["prefixes"] == 50 * 23
    assert out["paper"]["boosted"] == pytest.approx(9.3e-11, rel=0.01)
    assert out["paper"]["not_boosted"] == pytest.approx(4.5e-14, rel=0.02)
    kinds = [type(s) for _, s, _ in asked]
    assert kinds[1:3] == [Searcher, study.Bounded] and set(kinds[3:]) == {Thrifty}
    assert asked[2][1].most_walked == 250
    warm, cold, t_warm, t_cold, none = (s.language for _, s, _ in asked[1:6])
    assert warm == t_warm and cold == t_cold and replace(cold, experience=WRITER) == warm
    assert none.tokens == tuple(t for t in cold.tokens if t != "boostq") and none.bias == BIAS[:3]
    assert all(s.machine.task_class == "A" or until for _, s, until in asked)


def test_each_language_of_the_study_has_an_order_of_its_own(monkeypatch):
    _, asked = spied_study(monkeypatch, study.Config(sizes=(24, 24)))
    orders = {s.language.tokens for _, s, _ in asked if s.machine.task_class == "A"}
    assert len(orders) == 3


def test_a_bounded_search_gives_up():
    searcher = study.Bounded(COLD, "B")
    searcher.most_walked = 50
    with pytest.raises(Late):
        searcher.search(searcher.machine.start(1, 2, 3), 0, 2**22)
    assert searcher.walked == 50


# ---- bad settings ----
@pytest.mark.parametrize(
    "words",
    [
        ["--instructions", "8"],
        ["--tasks", "31"],
        ["--phases", "x"],
        ["--order", "random"],
        ["--tasks", "9"],
    ],
)
def test_bad_settings_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        oth.main(oth, words)
    assert stopped.value.code == 2
    assert "--" in capsys.readouterr().err
