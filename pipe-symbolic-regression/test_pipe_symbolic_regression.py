"""Tests of pipe_symbolic_regression: the rule against the paper's literal loop, sampling, pruning,
proofs, the rival, and the wiring of both programs."""

from dataclasses import replace
from fractions import Fraction

import pipe_symbolic_regression
import study_pipe_symbolic_regression as study
from pipe_symbolic_regression import (
    ARITY,
    EXACT,
    FRACTIONS,
    NAMES,
    QUICK,
    R,
    WORST,
    X,
    Config,
    Pipe,
    Task,
    after_steps,
    answer,
    first_people,
    first_program,
    genetic_programming,
    grafted,
    joint_log,
    main,
    paper_function,
    paper_task,
    parents,
    protected_log,
    protected_ratio,
    proved,
    quartic,
    quartic_task,
    random_path,
    run,
    steps_to,
    uniforms,
)
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # values may overflow
CONFIG = Config(**QUICK)
KOZA, PAPER = quartic_task(), paper_task()


def silent(fraction, message):
    """Show nothing."""


def build(task, formula):
    """A program from nested tuples such as ("+", "x", ("sin", 0.5)); numbers are constants."""
    if isinstance(formula, float):
        return task.program(R, formula, [])
    name, *arguments = formula if isinstance(formula, tuple) else (formula,)
    return task.program(NAMES.index(name), None, [build(task, part) for part in arguments])


def literal(program, x):
    """What a program says to one number: the slow evaluator, which shares no code with the fast."""
    values = [literal(part, x) for part in program.arguments]
    match NAMES[program.op]:
        case "x":
            return x
        case "R":
            return program.constant
        case "%":
            return values[0] / values[1] if values[1] != 0 else 1.0
        case "rlog":
            return np.log(abs(values[0])) if values[0] != 0 else 0.0
        case "+" | "-" | "*" as sign:
            a, b = values
            return a + b if sign == "+" else a - b if sign == "-" else a * b
        case name:
            return getattr(np, name)(values[0])


def preorder(program):
    """The instructions and constants of a program, root first."""
    parts = [step for part in program.arguments for step in preorder(part)]
    return [(program.op, program.constant), *parts]


def pipe_of(task=PAPER, evaluations=1000, seed=1, kind=Pipe, **settings):
    return kind(replace(CONFIG, **settings), task, evaluations, np.random.default_rng(seed))


QUARTIC = ("*", ("+", "x", ("*", "x", "x")), ("+", ("*", "x", "x"), ("%", "x", "x")))
X4 = ("*", ("*", "x", "x"), ("*", "x", "x"))


# ---- programs and tasks --------------------------------------------------------------------------
def test_points_and_functions():
    assert len(KOZA.x) == 20 and (KOZA.x[0], KOZA.x[-1]) == (-1, 1)
    assert KOZA.y == pytest.approx(KOZA.x * (1 + KOZA.x) * (1 + KOZA.x**2))
    assert KOZA.constant_error == pytest.approx(16.33, abs=0.005)
    assert len(PAPER.x) == 101 and np.diff(PAPER.x) == pytest.approx(np.full(100, 0.1))
    assert PAPER.constant_error == pytest.approx(20.46, abs=0.005)
    assert np.abs(PAPER.y).max() == pytest.approx(0.83, abs=0.005)
    by_hand = 8 * np.exp(-2) * np.cos(2) * np.sin(2) * (np.sin(2) ** 2 * np.cos(2) - 1)
    assert paper_function(2.0) == pytest.approx(by_hand) == PAPER.y[20]
    for task in (KOZA, PAPER):
        assert not np.isin(task.fresh_x.round(9), task.x.round(9)).any()
    assert (KOZA.fresh_x.min(), KOZA.fresh_x.max()) == (-3, 3) and 0 in KOZA.fresh_x
    assert [NAMES[op] for op in KOZA.functions + KOZA.terminals] == ["+", "-", "*", "%", "x"]
    assert len(PAPER.functions) == 8 and PAPER.terminals == [R, X]


def test_protected_functions():
    assert protected_ratio(np.array([3.0, 3, 0]), np.array([2.0, 0, 0])).tolist() == [1.5, 1, 1]
    assert protected_log(np.array([-np.e, 0.0, 1.0])).tolist() == [1, 0, 0]
    assert [f(Fraction(1), Fraction(3)) for f in FRACTIONS] == [
        4, -2, 3, Fraction(1, 3)]  # fmt: skip
    assert FRACTIONS[3](Fraction(5), Fraction(0)) == 1


def test_errors_are_sums_and_what_is_no_number_is_worst():
    values = np.array([PAPER.y, PAPER.y + 0.5, PAPER.y, PAPER.y, PAPER.y - 1e9])
    values[2, 3], values[3, 4] = np.nan, np.inf
    programs = [build(PAPER, float(k)) for k in range(5)]
    for program, row in zip(programs, values):
        program.values = row
    assert PAPER.errors(programs) == pytest.approx([0, 50.5, WORST, WORST, WORST])
    huge = build(paper_task(), ("exp", ("exp", ("exp", "x"))))
    assert PAPER.fresh_errors(huge).max() == WORST


@pytest.mark.parametrize("task", [KOZA, PAPER])
def test_three_evaluators_agree_on_random_programs(task):
    pipe, used = pipe_of(task, terminals=0.4), set()
    for _ in range(100):
        program, steps = pipe.draw()
        assert [(op, constant) for _, op, constant in steps] == preorder(program)
        assert program.values == pytest.approx(answer(program, task.x), nan_ok=True)
        at = [literal(program, float(x)) for x in task.x]
        assert program.values == pytest.approx(at, rel=1e-9, nan_ok=True)
        ops = [op for op, _ in preorder(program)]
        terminals = sum(ARITY[op] == 0 for op in ops)
        assert program.count == (terminals, len(ops) - terminals)
        used |= set(ops)
    assert used == {*task.functions, *task.terminals}


def test_a_program_is_computed_once_until_it_is_forgotten(monkeypatch):
    task = paper_task()
    first = build(task, ("+", "x", ("sin", 0.5)))
    assert build(task, ("+", "x", ("sin", 0.5))) is first
    assert build(task, ("+", "x", ("sin", 0.25))) is not first
    assert build(task, ("+", ("sin", 0.5), "x")) is not first
    monkeypatch.setattr(pipe_symbolic_regression, "KNOWN", 7)
    task = paper_task()
    for k in range(20):
        made = build(task, ("*", ("cos", float(k)), "x"))
        assert made.values == pytest.approx(np.cos(k) * task.x)
        assert len(task.known) <= 7


def test_what_counts_as_the_same_formula_and_as_proved():
    good = build(KOZA, QUARTIC)
    assert KOZA.same(good) and proved(good) and good.levels == 4
    for formula in (("%", QUARTIC, ("%", "x", "x")), ("+", QUARTIC, ("-", "x", "x"))):
        assert proved(build(KOZA, formula))  # these change nothing
    gap = build(KOZA, ("%", ("*", "x", QUARTIC), "x"))  # 0 % 0 is 1, not 0
    assert KOZA.errors([gap])[0] < EXACT  # at the given points, where 0 is not one
    assert not KOZA.same(gap) and not proved(gap)
    assert not proved(build(KOZA, X4)) and not proved(build(KOZA, "x"))
    eight = quartic_task(NAMES)
    near = build(eight, ("+", QUARTIC, 1e-7))
    assert not eight.same(near)
    assert eight.fresh_errors(near).sum() == pytest.approx(51e-7, rel=1e-3)


def test_a_proof_tries_more_points_than_two_formulas_can_share(monkeypatch):
    seen = []
    monkeypatch.setattr(
        pipe_symbolic_regression, "answer", lambda p, x, meaning: seen.append(x) or quartic(x)
    )
    assert proved(build(KOZA, QUARTIC))  # 4 levels
    assert len(set(seen)) > 4 * 2**3 + 2**3 + 4
    assert all(isinstance(x, Fraction) for x in seen) and 0 in seen


# ---- the prototype tree --------------------------------------------------------------------------
def put(node, p):
    node.p = np.array(p)
    node.sums = node.p.cumsum()[:-1].tolist()


def test_first_probabilities_and_levels():
    pipe = pipe_of(KOZA, terminals=0.6, levels=3)
    assert pipe.root.p.tolist() == pytest.approx([0.1] * 4 + [0] * 5 + [0.6])
    deep = [pipe.draw() for _ in range(300)]
    assert max(program.levels for program, _ in deep) == 3
    last = [(node, op) for _, steps in deep for node, op, _ in steps if node.last]
    assert len(last) > 50 and {op for _, op in last} == {X}
    assert {node.p[X] for node, _ in last} == {1}
    assert pipe_of().root.p.tolist() == pytest.approx([0.025] * 8 + [0.4] * 2)
    assert pipe_of().first[1].tolist() == [0] * 8 + [0.5] * 2


def test_instructions_are_drawn_with_the_probabilities_of_their_nodes():
    pipe = pipe_of()
    p = np.array([0.3, 0, 0.1, 0, 0.2, 0, 0.05, 0, 0.25, 0.1])
    put(pipe.root, p)
    pipe.root.children[1] = pipe.new_node(last=False)
    put(pipe.root.children[1], np.eye(10)[X])
    drawn = [pipe.draw()[0] for _ in range(5000)]
    share = np.bincount([program.op for program in drawn], minlength=10) / 5000
    assert share == pytest.approx(p, abs=0.025) and (share[p == 0] == 0).all()
    assert {program.arguments[1].op for program in drawn if ARITY[program.op] == 2} == {X}


def test_nodes_are_made_once_and_kept():
    pipe = pipe_of()
    given = [(None, 0, None), (None, X, None), (None, 4, None), (None, R, 0.125)]
    program, steps = pipe.draw(given)
    assert preorder(program) == [(0, None), (X, None), (4, None), (R, 0.125)]
    again = pipe.draw(given)[1]
    assert [a[0] is b[0] for a, b in zip(steps, again)] == [True] * 4
    assert pipe.root.children[1].children[0] is steps[3][0]
    constants = {pipe.new_node(last=False).constant for _ in range(100)}
    assert len(constants) == 100 and 0 <= min(constants) <= max(constants) < 1


@pytest.mark.parametrize("share, kept", [(0.31, True), (0.29, False)])
def test_a_stored_constant_is_used_where_its_probability_is_high(share, kept):
    pipe = pipe_of()
    put(pipe.root, [0] * 8 + [share, 1 - share])
    drawn = [
        program.constant for program, _ in (pipe.draw() for _ in range(300)) if program.op == R
    ]
    assert (set(drawn) == {pipe.root.constant}) == kept
    assert (len(set(drawn)) == len(drawn)) != kept
    assert 50 < len(drawn) and 0 <= min(drawn) <= max(drawn) < 1


# ---- the learning rule ---------------------------------------------------------------------------
def literal_loop(p, target, rate):
    """The paper's loop: step by step until the program is as probable as wanted."""
    k = 0
    while np.log(p).sum() < np.log(target):
        p, k = p + rate * (1 - p), k + 1
    return p, k


@pytest.mark.parametrize("learning_rate", [0.004, 0.03, 0.2])
def test_the_closed_form_takes_as_many_steps_as_the_literal_loop(learning_rate):
    rng, most = np.random.default_rng(8), 0
    for _ in range(12):
        p = rng.random(rng.integers(1, 30)) ** rng.integers(1, 9)  # near certain to next to never
        joint = np.exp(joint_log(p))
        target = joint + (1 - joint) * learning_rate * rng.random()
        steps = steps_to(p, np.log(target), 0.1 * learning_rate)
        raised, k = literal_loop(p, target, 0.1 * learning_rate)
        assert steps == k
        assert after_steps(p, k, 0.1 * learning_rate) == pytest.approx(raised, rel=1e-9)
        most = max(most, k)
    assert most > 20


def test_steps_in_extreme_cases():
    assert steps_to(np.array([1.0]), 0.0, 0.001) == 0  # already there
    assert steps_to(np.array([0.2]), np.log(0.2), 0.001) == 0
    for p, target in ((np.array([1e-290, 0.5]), 0.01), (np.array([0.0]), 0.3)):
        k = steps_to(p, np.log(target), 0.001)
        assert after_steps(p, k, 0.001).prod() >= target > after_steps(p, k - 1, 0.001).prod()


def test_learning_raises_the_joint_probability_to_the_target_and_keeps_vectors_normal():
    pipe = pipe_of(learning_rate=0.05, mutation_probability=0.0)
    rng = np.random.default_rng(9)
    given = [(None, 0, None), (None, X, None), (None, 4, None), (None, R, 0.125)]
    steps = pipe.draw(given)[1]
    for node, _, _ in steps:
        put(node, rng.dirichlet(np.ones(10)))
    before = np.array([node.p for node, _, _ in steps])
    stored = [node.constant for node, _, _ in steps]
    each, ops = np.arange(4), [0, X, 4, R]
    old = before[each, ops]
    pipe.adapt(steps, 0.4, mutating=True)
    after = np.array([node.p for node, _, _ in steps])
    raised, _ = literal_loop(old, old.prod() + (1 - old.prod()) * 0.05 * 0.4, 0.1 * 0.05)
    assert after[each, ops] == pytest.approx(raised)
    assert after.sum(1) == pytest.approx(np.ones(4))
    assert np.array([node.sums for node, _, _ in steps]) == pytest.approx(after.cumsum(1)[:, :9])
    for row, first, op in zip(after, before, ops):
        others = np.delete(row / first, op)
        assert others == pytest.approx(np.full(9, others[0]))  # all shrink alike
    assert [node.constant for node, _, _ in steps] == [*stored[:3], 0.125]


@pytest.mark.parametrize("task", [PAPER, KOZA])
def test_mutation_has_the_papers_rate_and_step(task):
    pipe = pipe_of(task, seed=10)
    legal = task.functions + task.terminals
    changed, changed_last, single = [], [], []
    for _ in range(2000):
        p = np.zeros((4, 10))
        p[:3, legal] = 1 / len(legal)
        p[3] = pipe.first[1]
        before = p.copy()
        pipe.mutate(p, np.array([0, 0, 0, 1]))
        moved = (p != before).any(1)
        changed += moved[:3].tolist()
        changed_last.append(moved[3])
        assert p.sum(1) == pytest.approx(np.ones(4))
        assert (p[before == 0] == 0).all()
        single += [row.max() for row in p[:3][(p[:3] > before[:3]).sum(1) == 1]]
    chance = 0.4 / (len(legal) * np.sqrt(4))
    assert np.mean(changed) == pytest.approx(1 - (1 - chance) ** len(legal), abs=0.02)
    if len(task.terminals) > 1:  # a single one is certain, and stays so
        last = 1 - (1 - chance) ** len(task.terminals)
        assert np.mean(changed_last) == pytest.approx(last, abs=0.02)
    raised = 1 / len(legal) + 0.4 * (1 - 1 / len(legal))
    expected = raised / (raised + 1 - 1 / len(legal))
    assert single == pytest.approx(np.full(len(single), expected)) and len(single) > 300


def test_pruning_drops_what_a_certain_node_does_not_need():
    pipe = pipe_of(mutation_probability=0.0, prune_threshold=0.99, learning_rate=0.2)
    words = [0, 0, X, X, 2, X, X]  # (x + x) + (x * x)
    pipe.adapt(pipe.draw([(None, op, None) for op in words])[1], 1.0, mutating=True)
    left, right = pipe.root.children
    inner = left.children[0]
    small = [(None, 4, None), (None, X, None)]  # sin x
    while pipe.root.p[4] <= 0.99:
        assert pipe.root.children == [left, right]
        pipe.adapt(pipe.draw(small)[1], 1.0, mutating=True)
    assert pipe.root.children == [left, None]
    while left.p[X] <= 0.99:
        assert left.children[0] is inner
        pipe.adapt(pipe.draw(small)[1], 1.0, mutating=True)
    assert left.children == [None, None]


def test_learning_slows_down_for_worse_programs():
    pipe = pipe_of(epsilon=2.0)
    pipe.error = 4.0
    assert pipe.ratio(10.0) == 6 / 12 and pipe.ratio(4.0) == 1


# ---- the search ----------------------------------------------------------------------------------
def scripted(pipe, formulas, monkeypatch):
    """Let the pipe draw these formulas, and list what it learns from."""
    learned = []
    programs = iter([build(pipe.task, formula) for formula in formulas])

    def draw(given=None):
        program = next(programs)
        return program, [(None, op, constant) for op, constant in preorder(program)]

    monkeypatch.setattr(pipe, "draw", draw)
    monkeypatch.setattr(pipe, "adapt", lambda *a, **k: learned.append((*a, k)))
    return learned


def test_a_generation_learns_from_its_best_and_keeps_the_best_ever(monkeypatch):
    pipe = pipe_of(quartic_task(), evaluations=9, population=3)
    square, zero = ("*", "x", "x"), ("-", "x", "x")
    formulas = ["x", ("+", square, "x"), square]  # the second is best
    formulas += ["x", square, zero]  # the first
    formulas += [("+", ("+", square, "x"), zero), ("+", ("+", square, zero), "x"), "x"]
    learned = scripted(pipe, formulas, monkeypatch)
    errors = KOZA.errors([build(KOZA, f) for f in (formulas[1], "x")])
    for _ in range(3):
        pipe.generation()
    assert [len(one[0]) for one in learned] == [5, 1, 9]
    assert [one[1] for one in learned] == pytest.approx([1, errors[0] / errors[1], 1], rel=1e-5)
    assert [one[2] for one in learned] == [{"mutating": True}] * 3
    assert len(pipe.steps) == 5 and pipe.programs == 9  # not replaced by a larger equal
    assert preorder(pipe.best) == [(op, None) for _, op, _ in pipe.steps]
    assert pipe.error == pytest.approx(errors[0])
    assert pipe.course[:33] == [WORST] * 33 and pipe.course[33:] == [pipe.error] * 67


def test_only_the_true_formula_ends_a_search(monkeypatch):
    pipe = pipe_of(quartic_task(), evaluations=9, population=1)
    gap = ("%", ("*", "x", QUARTIC), "x")  # wrong at 0
    scripted(pipe, [gap, "x", ("+", ("+", QUARTIC, ("-", "x", "x")), ("-", "x", "x"))], monkeypatch)
    pipe.generation()
    assert (pipe.exact, pipe.false) == (False, 1) and pipe.error < EXACT
    pipe.generation()
    pipe.generation()
    assert (pipe.exact, pipe.false) == (True, 1)
    assert proved(pipe.best)  # though the false one was as near, and smaller


def test_elitist_steps_follow_the_best_without_evaluation_or_mutation(monkeypatch):
    pipe, seen = pipe_of(elitist_share=0.5, seed=15), []
    adapt = pipe.adapt

    def spied(steps, ratio, mutating):
        same = [step[1:] for step in steps] == [step[1:] for step in pipe.steps]
        seen.append((mutating, ratio, same))
        adapt(steps, ratio, mutating)

    monkeypatch.setattr(pipe, "adapt", spied)
    monkeypatch.setattr(pipe, "mutate", lambda *a: seen.append("mutate"))
    pipe.search(silent)
    elitist = [one for one in seen if one[0] is False]
    assert 50 < len(elitist) < 200 and {one[1:] for one in elitist} == {(1.0, True)}
    assert sum(one[0] is True for one in seen) == seen.count("mutate") == pipe.programs / 10


def test_a_search_ends_with_the_formula_or_its_budget():
    for seed in range(16, 21):
        pipe = pipe_of(quartic_task(), 20_000, seed)
        assert pipe.search(silent) is pipe and pipe.exact and proved(pipe.best)
        assert pipe.programs < 20_000 and pipe.course[-1] == pipe.error < EXACT
    pipe = pipe_of(evaluations=95).search(silent)
    assert pipe.programs == 90 and not pipe.exact  # nine generations fit
    assert PAPER.errors([pipe.best])[0] == pipe.error == pipe.course[-1]
    assert (np.diff(pipe.course) <= 0).all()


def test_vectors_stay_normal_over_a_search():
    pipe = pipe_of(evaluations=3000, terminals=0.5).search(silent)
    nodes = [pipe.root]
    for node in nodes:
        assert node.p.sum() == pytest.approx(1) and node.p.min() >= 0
        assert (node.p[pipe.first[int(node.last)] == 0] == 0).all()
        nodes += [child for child in node.children if child]
    assert len(nodes) > 10


# ---- the rival -----------------------------------------------------------------------------------
def reached(program, path):
    for place in path:
        program = program.arguments[place]
    return program


def test_random_parts_and_grafts():
    task, uniform = quartic_task(), uniforms(np.random.default_rng(17))
    mother = build(task, ("+", QUARTIC, ("*", "x", "x")))
    paths = [tuple(random_path(mother, uniform)) for _ in range(4000)]
    kinds = [len(reached(mother, path).arguments) > 0 for path in paths]
    assert np.mean(kinds) == pytest.approx(0.9, abs=0.02)
    assert len(set(paths)) == sum(mother.count) == 17
    counts = np.array([paths.count(p) for p in set(paths) if reached(mother, p).arguments])
    assert counts == pytest.approx(np.full(8, 450), rel=0.25)  # all functions alike
    assert random_path(build(task, "x"), uniform) == []
    child = grafted(mother, [0, 1], build(task, ("-", "x", "x")), task)
    assert child is build(task, ("+", (*QUARTIC[:2], ("-", "x", "x")), ("*", "x", "x")))
    assert grafted(mother, [], child, task) is child


def test_children_take_a_part_from_each_parent():
    task, uniform = paper_task(), uniforms(np.random.default_rng(18))
    mother = build(task, ("+", ("+", "x", "x"), ("+", "x", "x")))
    father = build(task, ("*", ("*", 0.5, 0.5), ("*", 0.5, 0.5)))
    children = [
        pipe_symbolic_regression.offspring(mother, father, CONFIG, task, uniform)
        for _ in range(2000)
    ]
    born = [child for child in children if child]
    assert len(born) / 2000 == pytest.approx(0.9, abs=0.02)
    mixed = [child for child in born if {0.5} < {c for _, c in preorder(child)} | {0.5, "x"}]
    assert len(mixed) == len(born)
    assert all(any(c == 0.5 for _, c in preorder(child)) for child in born)
    assert np.mean([child.op == 0 for child in born]) > 0.6  # the rest were cut at the root
    shallow = replace(CONFIG, gp_levels=3)
    for _ in range(300):
        child = pipe_symbolic_regression.offspring(mother, father, shallow, task, uniform)
        assert child is None or child.levels <= 3


def test_first_programs_of_genetic_programming():
    task, uniform = paper_task(), uniforms(np.random.default_rng(22))
    full = [first_program(task, uniform, 4, True) for _ in range(50)]
    loose = [first_program(task, uniform, 4, False) for _ in range(200)]
    assert {p.levels for p in full} == {4} and {p.levels for p in loose} == {2, 3, 4}
    assert {op for p in full + loose for op, _ in preorder(p)} == set(range(10))
    people = first_people(Config(), task, uniform)
    assert len(people) == 500
    assert {p.levels for p in people[::2]} == {2, 3, 4, 5, 6}  # full ones
    few = first_people(replace(Config(), gp_levels=3), task, uniform)
    assert max(p.levels for p in few) == 3


def test_parents_win_tournaments():
    errors = np.arange(1000.0)
    pairs = np.array(parents(errors, 4000, np.random.default_rng(23)))
    assert pairs.shape == (4000, 2)
    assert errors[pairs].mean() == pytest.approx(125, abs=8)  # the least of seven


def test_genetic_programming_keeps_the_best_and_its_budget(monkeypatch):
    born, offspring = [], pipe_symbolic_regression.offspring
    monkeypatch.setattr(
        pipe_symbolic_regression, "offspring", lambda *a: born.append(offspring(*a)) or born[-1]
    )
    judged, errors = [], Task.errors
    monkeypatch.setattr(
        Task, "errors", lambda self, people: judged.append(errors(self, people)) or judged[-1]
    )
    task = paper_task()
    config = replace(CONFIG, gp_levels=8, evaluations=3000)
    best, error, tried = genetic_programming(config, task, np.random.default_rng(24), silent)
    children = [child for child in born if child]
    assert tried == 3000 == 100 + len(children)
    assert max(child.levels for child in children) == 8
    assert error == min(e.min() for e in judged) == errors(task, [best])[0]
    assert {len(e) for e in judged[:-1]} == {100}
    assert error < PAPER.constant_error


# ---- the ablations -------------------------------------------------------------------------------
def test_each_ablation_changes_its_part_only():
    for kind, changed in (("no_mutation", "mutate"), ("no_fitness_rate", "ratio"),
                          ("node_target", "raised")):  # fmt: skip
        own = {name for name in vars(study.ABLATIONS[kind]) if not name.startswith("__")}
        assert own - {"LEAST"} == {changed}
    p = np.full((3, 10), 0.1)
    pipe_of(kind=study.NoMutation, mutation_probability=10.0).mutate(p, np.zeros(3, int))
    assert (p == 0.1).all()
    flat = pipe_of(kind=study.NoFitnessRate)
    flat.error = 2.0
    assert flat.ratio(20.0) == 1
    node = pipe_of(kind=study.NodeTarget)
    assert node.raised(np.array([0.5, 0.9]), 0.5) == pytest.approx([0.801, 0.9])


def test_random_programs_are_drawn_from_a_tree_that_never_learns(monkeypatch):
    drawn, draw = [], Pipe.draw
    monkeypatch.setattr(Pipe, "draw", lambda self: drawn.append(draw(self)) or drawn[-1])
    rng = np.random.default_rng(20)
    least, exact = study.draw_at_random(CONFIG, PAPER, 2500, rng, silent)
    assert len(drawn) == 2500 and exact == 0
    assert least == PAPER.errors([program for program, _ in drawn]).min()
    constants = [constant for _, steps in drawn for _, op, constant in steps if op == R]
    assert len(set(constants)) == len(constants) > 500  # always fresh
    task = quartic_task()
    monkeypatch.setattr(Pipe, "draw", lambda self: (build(task, QUARTIC), []))
    assert study.draw_at_random(CONFIG, task, 7, rng, silent)[1] == 7


def test_summaries():
    said = study.summary([5.0, 1.0, 2.0, 3.0, 4.0])
    assert said == {"errors": [5.0, 1.0, 2.0, 3.0, 4.0], "median_error": 3, "spread": 2}


# ---- the wiring of both programs -----------------------------------------------------------------
def first_number(rng):
    """The next number of a generator, which stays as it is."""
    copy = np.random.PCG64()
    copy.state = rng.bit_generator.state
    return np.random.Generator(copy).random()


@pytest.fixture
def wired(monkeypatch):
    """Spies on every search and every run of genetic programming."""
    calls = {"pipe": [], "gp": []}
    start, evolve = Pipe.__init__, genetic_programming

    def spied_start(self, config, task, evaluations, rng):
        self.start = first_number(rng)
        start(self, config, task, evaluations, rng)
        calls["pipe"].append(self)

    def spied_evolve(config, task, rng, progress):
        first = first_number(rng)
        calls["gp"].append((config, task, first, evolve(config, task, rng, progress)))
        return calls["gp"][-1][3]

    monkeypatch.setattr(Pipe, "__init__", spied_start)
    monkeypatch.setattr(pipe_symbolic_regression, "genetic_programming", spied_evolve)
    monkeypatch.setattr(study, "genetic_programming", spied_evolve)
    return calls


def test_run_reports_what_was_found(wired):
    said = []
    metrics = run(CONFIG, 1000, lambda fraction, message: said.append(fraction))
    pipe, koza = wired["pipe"]
    ((config, task, gp_start, (bred, error, tried)),) = wired["gp"]
    assert pipe.config is koza.config is config is CONFIG
    assert len({pipe.start, gp_start, koza.start}) == 3  # no two streams start alike
    assert metrics["pipe"].pop("programs_per_second") > 0
    between = (PAPER.x[1:] + PAPER.x[:-1]) / 2
    fresh = {program: np.abs(answer(program, between) - paper_function(between)).sum()
             for program in (pipe.best, bred)}  # fmt: skip
    ours = PAPER.errors([pipe.best])[0]
    assert metrics == {
        "pipe": {"error": pytest.approx(ours), "test_error": pytest.approx(fresh[pipe.best]),
                 "nodes": sum(pipe.best.count), "programs": 2000},
        "gp": {"error": error, "test_error": pytest.approx(fresh[bred]),
               "nodes": len(preorder(bred)), "programs": 2000},
        "gp_lead": pytest.approx(error - ours),
        "quartic": {"proved": int(koza.exact), "evaluations": koza.programs,
                    "nodes": sum(koza.best.count), "false": koza.false},
        "constant_error": pytest.approx(20.46, abs=0.005),
        "curve": {"x": [20.0 * k for k in range(1, 101)], "y": pipe.course},
    }  # fmt: skip
    assert said == sorted(said) and 0.9 < said[-1] <= 1 and len(said) > 10
    for search, wanted in ((pipe, PAPER), (koza, KOZA)):
        assert search.task.x.tolist() == wanted.x.tolist()
        assert search.task.y.tolist() == wanted.y.tolist()
    assert task.y.tolist() == PAPER.y.tolist() and task.functions == PAPER.functions
    assert tried == pipe.programs  # the rival saw as many programs


@pytest.mark.parametrize("exact, formula, proof", [(True, QUARTIC, 1), (True, X4, 0),
                                                   (False, QUARTIC, 0)])  # fmt: skip
def test_the_quartic_is_proved_anew(monkeypatch, exact, formula, proof):
    def search(self, progress):
        self.best, self.steps, self.exact = build(self.task, formula), [None], exact
        return self

    monkeypatch.setattr(Pipe, "search", search)
    monkeypatch.setattr(
        pipe_symbolic_regression, "genetic_programming", lambda *_: (build(PAPER, "x"), 7.5, 3)
    )
    metrics = run(CONFIG, 1000, silent)
    assert metrics["quartic"]["proved"] == proof
    assert metrics["gp_lead"] == 7.5 - WORST and metrics["gp"]["programs"] == 3


def test_no_search_sees_the_fresh_points(monkeypatch):
    learned = without_rate(run(CONFIG, 1000, silent))
    monkeypatch.setattr(Task, "same", lambda self, program: False)
    monkeypatch.setattr(Task, "fresh_errors", lambda self, program: np.zeros(3))
    blind = without_rate(run(CONFIG, 1000, silent))
    assert blind["pipe"]["test_error"] == blind["gp"]["test_error"] == 0
    assert blind["pipe"]["error"] == learned["pipe"]["error"]
    assert blind["gp"]["error"] == learned["gp"]["error"]
    assert blind["curve"] == learned["curve"]


def test_the_default_is_the_papers_experiment():
    config = Config()
    assert (config.evaluations, config.population, config.terminals) == (100_000, 10, 0.8)
    assert (config.learning_rate, config.step, config.epsilon) == (0.01, 0.1, 1e-6)
    assert (config.mutation_probability, config.mutation_rate) == (0.4, 0.4)
    assert (config.constant_threshold, config.prune_threshold) == (0.3, 0.999999)
    assert (config.gp_population, config.gp_levels, config.elitist_share) == (500, 17, 0.01)
    assert study.Config().evaluations == config.evaluations
    assert study.Config().gp_population == config.gp_population


def without_rate(metrics):
    del metrics["pipe"]["programs_per_second"]
    return metrics


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    first, again, other = (without_rate(run(CONFIG, seed, silent)) for seed in (1000, 1000, 1001))
    assert first == again != other


def test_the_study_searches_as_each_row_says(wired):
    config, said = study.Config(**study.QUICK), []
    table = study.run(config, 1000, lambda fraction, message: said.append(fraction))
    assert said == sorted(said) and 0.9 < said[-1] <= 1
    kinds = [(type(pipe), pipe.evaluations) for pipe in wired["pipe"]]
    expected = [(Pipe, 400)] * 3 + [(Pipe, 2000), (Pipe, 400)]
    expected += [(kind, 200) for kind in study.ABLATIONS.values()] + [(Pipe, 400)]
    assert kinds == expected
    paper = replace(Config(), evaluations=400, gp_population=50)
    drawn = replace(paper, terminals=0.6, constant_threshold=1.0)
    for k, pipe in enumerate(wired["pipe"]):
        assert pipe.config == (drawn if k in (3, 4) else paper)
        assert len(pipe.task.x) == (20 if k in (3, 8) else 101)
    eight = wired["pipe"][8].task
    assert len(eight.functions) == 8 and eight.terminals == [X]
    assert [call[0] for call in wired["gp"]] == [paper, paper, replace(paper, gp_levels=6)]
    assert {call[3][2] for call in wired["gp"]} == {400}  # programs, as many as PIPE's
    starts = [pipe.start for pipe in wired["pipe"]] + [call[2] for call in wired["gp"]]
    assert len(set(starts)) == len(starts) == 12  # no two streams start alike

    ours = [pipe.error for pipe in wired["pipe"][:3]]
    theirs = [call[3][1] for call in wired["gp"]]
    assert table["pipe"]["errors"] == ours and table["gp"]["errors"] == theirs[:2]
    assert table["gp_shallow"]["errors"] == theirs[2:]
    ratio = np.subtract(*np.quantile(theirs[:2], [0.75, 0.25]))
    assert table["spread_ratio"] == ratio / np.subtract(*np.quantile(ours, [0.75, 0.25]))
    early = [pipe.course[49] for pipe in wired["pipe"][:3]]  # after 200 of 400
    assert table["pipe"]["median_early"] == np.median(early)
    for name, pipe in zip(study.ABLATIONS, wired["pipe"][5:8]):
        assert table[name]["errors"] == [pipe.error]
    last = wired["pipe"][8]
    assert table["eight"]["times"] == [last.programs * last.exact]
    assert table["eight"]["share"] == last.exact
    assert table["random"]["quartic_programs"] == 2000


@pytest.mark.parametrize(
    "module, flags, says",
    [
        (pipe_symbolic_regression, ["--levels", "1"], "levels"),
        (pipe_symbolic_regression, ["--population", "30000"], "population"),
        (pipe_symbolic_regression, ["--gp-population", "100", "--evaluations", "99"], "gp-pop"),
        (pipe_symbolic_regression, ["--learning-rate", "1"], "learning-rate"),
        (study, ["--evaluations", "400"], "gp-population"),
        (study, ["--ablation-evaluations", "200000"], "ablation-evaluations"),
    ],
)
def test_bad_settings_end_with_2_and_one_line(module, flags, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(module, flags)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert says in message and message.count("\n") == 1
