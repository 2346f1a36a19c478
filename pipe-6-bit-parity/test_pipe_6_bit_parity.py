"""Tests of pipe_6_bit_parity: bits against rows, the computed steps against the literal loop,
sampling, pruning, the rivals, and the wiring of both programs."""

from dataclasses import replace

import pipe_6_bit_parity
import study_pipe_6_bit_parity as study
from pipe_6_bit_parity import (
    AND,
    ARITY,
    IF,
    NOT,
    OR,
    QUICK,
    Config,
    Draft,
    Node,
    Parity,
    Pipe,
    after_steps,
    answer,
    best_at_random,
    climb,
    depth,
    end_of_part,
    joint_log,
    main,
    random_part,
    rows_right,
    run,
    steps_to,
    uniforms,
)
import numpy as np
import pytest

CONFIG = Config(**QUICK)
SIX = Parity(6)
X0, X1, X2, X3, X4, X5 = range(4, 10)
NAMES = ("AND", "OR", "NOT", "IF", "x0", "x1", "x2", "x3", "x4", "x5")


def silent(fraction, message):
    """Show nothing."""


def code(text):
    """A program from text such as "AND x0 NOT x1"."""
    return [NAMES.index(word) for word in text.split()]


def rows(n):
    return [[bool(j >> i & 1) for i in range(n)] for j in range(2**n)]


def ideal(n):
    """The smallest solution known: each IF is the exclusive or of its condition and one input."""
    program = [X0]
    for i in range(1, n):
        branches = [NOT, X0 + i, X0 + i] if i < n - 1 else [X0 + i, NOT, X0 + i]
        program = [IF, *program, *branches]
    return program


def random_programs(count, seed, **settings):
    source = Pipe(replace(Config(), terminals=0.5, **settings), np.random.default_rng(seed))
    return [source.draw() for _ in range(count)]


# ---- the task ------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", range(2, 9))
def test_ints_hold_the_truth_tables(n):
    task = Parity(n)
    for j, row in enumerate(rows(n)):
        assert [task.inputs[4 + i] >> j & 1 for i in range(n)] == row
        assert task.target >> j & 1 == (sum(row) % 2 == 0)
    assert task.ones.bit_count() == task.rows == 2**n
    assert task.wrong(0) == task.wrong(task.ones) == task.wrong(task.inputs[4]) == 2**n // 2
    assert task.wrong(task.target) == 0


@pytest.mark.parametrize(
    "text, expected",
    [
        ("AND x0 x1", [0, 0, 0, 1]),
        ("OR x0 x1", [0, 1, 1, 1]),
        ("NOT x1", [1, 1, 0, 0]),
        ("IF x0 x1 NOT x1", [1, 0, 0, 1]),
        ("IF x1 x0 NOT x0", [1, 0, 0, 1]),
        ("IF x1 x0 x1", [0, 0, 0, 1]),
    ],
)
def test_each_instruction_row_by_row(text, expected):
    program = code(text)
    assert [int(answer(program, row)) for row in rows(2)] == expected
    table = Parity(2).evaluate(program)
    assert [table >> j & 1 for j in range(4)] == expected and table < 16


@pytest.mark.parametrize("n", [3, 6, 8])
def test_three_evaluators_agree_on_random_programs(n):
    task, used = Parity(n), set()
    for draft in random_programs(60, 1, inputs=n):
        assert draft.table == task.evaluate(draft.program)
        assert rows_right(draft.program, n) == task.rows - task.wrong(draft.table)
        assert len(draft.nodes) == len(draft.program)
        used |= set(draft.program)
    assert used == set(range(4 + n))


def test_the_solution_of_21_nodes():
    assert len(ideal(6)) == 21 and depth(ideal(6)) == 7
    for n in range(2, 9):
        assert len(ideal(n)) == 4 * n - 3
        assert rows_right(ideal(n), n) == 2**n
        assert Parity(n).wrong(Parity(n).evaluate(ideal(n))) == 0
    assert rows_right(code("NOT x0"), 6) == 32
    assert depth(code("IF x0 AND x1 NOT x2 x3")) == 4


def test_programs_that_ignore_an_input_are_right_on_half_the_rows():
    ignoring = [d.table for d in random_programs(1000, 2) if not {4, 5, 6, 7, 8, 9} <= {*d.program}]
    assert len(ignoring) > 300
    assert {SIX.wrong(table) for table in ignoring} == {32}
    assert SIX.wrong(SIX.evaluate(ideal(5))) == 32  # even the parity of the other five


# ---- the prototype tree --------------------------------------------------------------------------
def put(node, p):
    node.p = np.array(p)
    node.sums = node.p.cumsum()[:-1].tolist()


def test_instructions_are_drawn_with_the_probabilities_of_their_nodes():
    pipe = Pipe(Config(), np.random.default_rng(4))
    assert pipe.root.p.tolist() == pytest.approx([0.1] * 10)
    sizes = [len(pipe.draw().program) for _ in range(5000)]
    assert np.mean(sizes) == pytest.approx(5, rel=0.15)  # 1 / (1 - 0.4 * 2)
    p = np.array([0.2, 0, 0.3, 0.1, 0, 0.05, 0.05, 0, 0.3, 0])
    put(pipe.root, p)
    pipe.root.children[1] = Node(*pipe.first[0], False)
    put(pipe.root.children[1], np.eye(10)[7])
    drafts = [pipe.draw() for _ in range(8000)]
    share = np.bincount([d.program[0] for d in drafts], minlength=10) / 8000
    assert share == pytest.approx(p, abs=0.02)
    assert (share[p == 0] == 0).all()
    for draft in drafts[:500]:
        if draft.program[0] == AND:
            second = end_of_part(draft.program, 1)
            assert draft.program[second] == 7
            assert draft.nodes[second] is pipe.root.children[1]


def test_first_probabilities():
    pipe = Pipe(Config(inputs=3, terminals=0.9), np.random.default_rng(0))
    assert pipe.root.p.tolist() == pytest.approx([0.025] * 4 + [0.3] * 3)


def test_no_program_is_deeper_than_the_levels():
    drafts = random_programs(300, 5, levels=5)
    assert max(depth(d.program) for d in drafts) == 5
    last = [op for d in drafts for node, op in zip(d.nodes, d.program) if node.last]
    assert len(last) > 50 and min(last) > IF and len(set(last)) == 6
    ordinary = {node.last for d in drafts for node, op in zip(d.nodes, d.program) if op <= IF}
    assert ordinary == {False}


def test_only_the_program_that_is_learned_from_enters_the_tree():
    pipe = Pipe(Config(mutation_probability=0.0), np.random.default_rng(6))
    given = code("IF AND x0 x1 NOT x2 x3")
    draft = pipe.draw(given)
    assert draft.program == given and draft.table == SIX.evaluate(given)
    assert pipe.root.children == [None] * 3
    pipe.adapt(draft, 1.0, mutating=True)
    again = pipe.draw(given)
    assert [a is b for a, b in zip(draft.nodes, again.nodes)] == [True] * 7
    assert again.new == []
    assert pipe.root.children[1].children[0] is draft.nodes[5]


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
    config = Config(learning_rate=0.05, mutation_probability=0.0)
    pipe, rng = Pipe(config, np.random.default_rng(9)), np.random.default_rng(9)
    given = code("IF x5 AND x1 x0 x3")
    draft = pipe.draw(given)
    for node in draft.nodes:
        put(node, rng.dirichlet(np.ones(10)))
    before = np.array([node.p for node in draft.nodes])
    each = np.arange(6)
    old = before[each, given]
    pipe.adapt(draft, 0.4, mutating=True)
    after = np.array([node.p for node in draft.nodes])
    raised, _ = literal_loop(old, old.prod() + (1 - old.prod()) * 0.05 * 0.4, 0.1 * 0.05)
    assert after[each, given] == pytest.approx(raised)
    assert after.sum(1) == pytest.approx(np.ones(6))
    assert np.array([node.sums for node in draft.nodes]) == pytest.approx(after.cumsum(1)[:, :9])
    for row, first, op in zip(after, before, given):
        others = np.delete(row / first, op)
        assert others == pytest.approx(np.full(9, others[0]))  # all shrink alike


def test_mutation_has_the_papers_rate_and_step():
    config, changed, changed_last, single = Config(), [], [], []
    pipe = Pipe(config, np.random.default_rng(10))
    last = np.array([False, False, False, True])
    for _ in range(2000):
        p = np.full((4, 10), 0.1)
        p[3] = [0] * 4 + [1 / 6] * 6
        before = p.copy()
        pipe.mutate(p, last)
        moved = (p != before).any(1)
        changed += moved[:3].tolist()
        changed_last.append(moved[3])
        assert p.sum(1) == pytest.approx(np.ones(4))
        assert (p[3, :4] == 0).all()
        single += [row.max() for row in p[:3][(p[:3] > 0.1).sum(1) == 1]]
    chance = 0.4 / (10 * np.sqrt(4))
    assert np.mean(changed) == pytest.approx(1 - (1 - chance) ** 10, abs=0.02)
    assert np.mean(changed_last) == pytest.approx(1 - (1 - chance) ** 6, abs=0.02)
    assert single == pytest.approx(np.full(len(single), 0.46 / 1.36)) and len(single) > 300


def test_mutation_brings_functions_back_where_a_vector_was_certain_to_the_last_bit():
    pipe = Pipe(Config(mutation_probability=10.0), np.random.default_rng(11))
    draft = pipe.draw([X3])
    put(pipe.root, np.eye(10)[X3])
    for _ in range(30):
        pipe.adapt(draft, 1.0, mutating=True)
    assert (pipe.root.p[:4] > 0).all()


def test_pruning_drops_what_a_certain_node_does_not_need():
    config = Config(mutation_probability=0.0, prune_threshold=0.99, learning_rate=0.2)
    pipe = Pipe(config, np.random.default_rng(12))
    pipe.adapt(pipe.draw(code("IF AND x0 x1 NOT x2 OR x3 x4")), 1.0, mutating=True)
    left, middle, right = pipe.root.children
    inner = left.children[0]
    small = code("OR x0 x1")
    while True:
        draft = pipe.draw(small)
        before = draft.nodes[0].p[OR]
        pipe.adapt(draft, 1.0, mutating=True)
        if pipe.root.p[OR] > 0.99:
            break
        assert pipe.root.children == [left, middle, right]
    assert before <= 0.99
    assert pipe.root.children == [left, middle, None]
    while left.p[X0] <= 0.99:
        assert left.children[0] is inner
        pipe.adapt(pipe.draw(small), 1.0, mutating=True)
    assert left.children == [None] * 3


def test_learning_slows_down_for_worse_programs():
    pipe = Pipe(Config(epsilon=2.0), np.random.default_rng(13))
    pipe.wrong = 4
    assert pipe.ratio(10) == 6 / 12 and pipe.ratio(4) == 1


# ---- the search ----------------------------------------------------------------------------------
def scripted(pipe, drafts, monkeypatch):
    """Let the pipe draw these drafts, and list what it learns from."""
    learned, source = [], iter(drafts)
    monkeypatch.setattr(pipe, "draw", lambda given=None: given or next(source))
    monkeypatch.setattr(pipe, "adapt", lambda *a, **k: learned.append((a[0], *a[1:], k)))
    return learned


def draft_of(text):
    return Draft(program=code(text), table=Parity(2).evaluate(code(text)))


def test_a_generation_learns_from_its_best_and_keeps_the_best_ever(monkeypatch):
    pipe = Pipe(Config(inputs=2, population=3, evaluations=9), np.random.default_rng(14))
    words = ["AND x0 x1", "x0", "x1"]  # right on 3 of 4 rows, 2, 2
    words += ["x0", "NOT AND x0 x1", "x1"]  # 2, 1, 2
    words += ["NOT NOT AND x0 x1", "AND AND x0 x1 x1", "AND x0 AND x0 x1"]  # 3 each
    drafts = [draft_of(word) for word in words]
    learned = scripted(pipe, drafts, monkeypatch)
    for _ in range(3):
        pipe.generation()
    assert [one[0] for one in learned] == [drafts[0], drafts[3], drafts[6]]  # of equals the least
    assert [one[1] for one in learned] == pytest.approx([1, 2 / 3, 1])
    assert [one[2] for one in learned] == [{"mutating": True}] * 3
    assert pipe.best == code("AND x0 x1") and (pipe.wrong, pipe.programs) == (1, 9)
    assert pipe.course[:34] == [2] * 34 and pipe.course[34:] == [3] * 67
    drafts = [draft_of(word) for word in ["x0", "OR AND x0 x1 AND x0 x1", "x1"]]
    scripted(pipe, drafts, monkeypatch)
    pipe.generation()
    assert pipe.best == code("AND x0 x1")  # not replaced by a larger one that is equally good


def test_elitist_steps_follow_the_best_without_evaluation_or_mutation(monkeypatch):
    config = Config(inputs=4, elitist_share=0.5, evaluations=500)
    pipe, seen = Pipe(config, np.random.default_rng(15)), []
    adapt = pipe.adapt

    def spied(draft, ratio, mutating):
        seen.append((mutating, ratio, draft.program == pipe.best))
        adapt(draft, ratio, mutating)

    monkeypatch.setattr(pipe, "adapt", spied)
    monkeypatch.setattr(pipe, "mutate", lambda *a: seen.append("mutate"))
    pipe.search(silent)
    elitist = [one for one in seen if one[0] is False]
    assert 20 < len(elitist) < 100 and {one[1:] for one in elitist} == {(1.0, True)}
    assert sum(one[0] is True for one in seen) == seen.count("mutate") == pipe.programs / 10


def test_a_search_ends_with_a_solution_or_its_budget():
    for seed in range(16, 20):
        pipe = Pipe(Config(inputs=2, evaluations=20_000), np.random.default_rng(seed))
        assert pipe.search(silent) is pipe
        assert rows_right(pipe.best, 2) == 4 == pipe.course[-1] and pipe.programs < 20_000
    pipe = Pipe(Config(evaluations=95), np.random.default_rng(16)).search(silent)
    assert pipe.programs == 90 and pipe.wrong > 0  # nine generations fit
    assert rows_right(pipe.best, 6) == 64 - pipe.wrong == pipe.course[-1]


# ---- rivals --------------------------------------------------------------------------------------
def test_parts_of_programs():
    program = code("IF AND x0 x1 NOT x2 OR x3 NOT x4")
    assert [end_of_part(program, i) for i in range(10)] == [10, 4, 3, 4, 6, 6, 10, 8, 10, 10]
    uniform = uniforms(np.random.default_rng(17))
    starts = [random_part(program, uniform) for _ in range(3000)]
    assert np.mean([program[i] <= IF for i in starts]) == pytest.approx(0.9, abs=0.02)
    assert set(starts) == set(range(10))
    assert random_part([X1], uniform) == 0


def test_climbing_never_gets_worse_and_counts_what_it_evaluates(monkeypatch):
    seen, mothers = [], []
    evaluate, part = Parity.evaluate, pipe_6_bit_parity.random_part
    monkeypatch.setattr(Parity, "evaluate", lambda s, p: seen.append(list(p)) or evaluate(s, p))
    monkeypatch.setattr(
        pipe_6_bit_parity, "random_part", lambda p, u: mothers.append(list(p)) or part(p, u)
    )
    config = Config(climb_evaluations=1500, climb_nodes=30)
    program, tried = climb(config, np.random.default_rng(18), silent)
    assert tried == len(seen) == 1500
    assert max(map(len, seen)) <= 30
    wrong = [SIX.wrong(evaluate(SIX, mother)) for mother in mothers]
    assert (np.diff(wrong) <= 0).all() and wrong[-1] < 32
    assert SIX.wrong(evaluate(SIX, program)) == min(SIX.wrong(evaluate(SIX, p)) for p in seen)
    moved = [a != b and SIX.wrong(evaluate(SIX, a)) == SIX.wrong(evaluate(SIX, b))
             for a, b in zip(mothers, mothers[1:])]  # fmt: skip
    assert sum(moved) > 50  # equals are taken
    easy, tried = climb(Config(inputs=2), np.random.default_rng(19), silent)
    assert rows_right(easy, 2) == 4 and tried < 5000


def test_random_programs_are_drawn_from_a_tree_that_never_learns(monkeypatch):
    drawn, draw = [], Pipe.draw
    monkeypatch.setattr(Pipe, "draw", lambda self: drawn.append(draw(self)) or drawn[-1])
    best = best_at_random(Config(evaluations=2000), np.random.default_rng(20), silent)
    assert len(drawn) == 2000
    assert best == max(64 - SIX.wrong(draft.table) for draft in drawn)
    assert all(node.p.tolist() == pytest.approx([0.1] * 10) for d in drawn[-50:] for node in d.nodes
               if not node.last)  # fmt: skip


# ---- genetic programming and the ablations, in the study ---------------------------------------
def test_parts_are_measured_and_crossed():
    mother = study.grown(code("IF AND x0 x1 NOT x2 OR x3 NOT x4"), SIX)
    assert list(mother.size) == [10, 3, 1, 1, 2, 1, 4, 1, 2, 1]
    assert list(mother.levels) == [4, 2, 1, 1, 2, 1, 3, 1, 2, 1]
    father = study.grown(code("OR x5 AND x1 NOT x0"), SIX)
    assert study.ancestors(mother, 8) == [0, 6] and study.ancestors(mother, 0) == []
    child = study.crossed(mother, 4, father, 2, SIX)
    assert list(child.program) == code("IF AND x0 x1 AND x1 NOT x0 OR x3 NOT x4")
    rng = np.random.default_rng(21)
    for _ in range(300):
        at = int(rng.integers(len(mother.program)))
        start = int(rng.integers(len(father.program)))
        child = study.crossed(mother, at, father, start, SIX)
        assert child == study.grown(list(child.program), SIX)
        assert child.table[0] == SIX.evaluate(child.program)
        assert child.levels[0] == depth(child.program)
        mother, father = (father, child) if len(child.program) < 60 else (mother, father)


def test_first_programs_of_genetic_programming():
    uniform, config = uniforms(np.random.default_rng(22)), study.Config()
    full = [study.first_program(config, uniform, 4, True) for _ in range(50)]
    loose = [study.first_program(config, uniform, 4, False) for _ in range(200)]
    assert {depth(p) for p in full} == {4} and {depth(p) for p in loose} == {2, 3, 4}
    assert {p[0] for p in loose} == {AND, OR, NOT, IF}
    assert {op for p in full + loose for op in p} == set(range(10))
    people = study.first_people(config, uniform, SIX)
    assert len(people) == 1000
    assert {depth(p.program) for p in people[::2]} == {2, 3, 4, 5, 6}  # full ones


def test_parents_win_tournaments():
    config = study.Config(gp_tournament=3)
    wrong = np.arange(1000) % 500
    pairs = np.array(study.parents(wrong, config, np.random.default_rng(23)))
    assert pairs.shape == (1000, 2)
    assert wrong[pairs].mean() == pytest.approx(125, abs=8)  # the least of three


def test_genetic_programming_counts_and_limits_depth(monkeypatch):
    config = study.Config(inputs=4, evaluations=3000, gp_population=200, gp_levels=6,
                          ablation_evaluations=10)  # fmt: skip
    born, crossed, offspring = [], study.crossed, study.offspring
    made = []
    monkeypatch.setattr(study, "crossed", lambda *a: made.append(crossed(*a)) or made[-1])
    monkeypatch.setattr(
        study, "offspring", lambda *a: born.append((offspring(*a), a[0])) or born[-1][0]
    )
    tried, right = study.genetic_programming(config, np.random.default_rng(24), silent)
    children = [child for child, mother in born if child is not mother]
    assert tried == 200 + len(children)
    assert tried == 3000 or right == 16
    assert max(child.levels[0] for child, _ in born) == 6 < max(m.levels[0] for m in made)
    assert len(made) / len(born) == pytest.approx(0.9, abs=0.03)
    task = Parity(4)
    assert right == 16 - min(task.wrong(child.table[0]) for child, _ in born)
    easy = study.Config(inputs=2, gp_population=20)
    tried, right = study.genetic_programming(easy, np.random.default_rng(25), silent)
    assert right == 4 and tried < 5000


def test_each_ablation_changes_its_part_only():
    p, rng = np.full((3, 10), 0.1), np.random.default_rng(26)
    paper = Pipe(Config(), rng)
    for kind, part in (("no_mutation", "mutate"), ("no_fitness_rate", "ratio"),
                       ("node_step", "raised")):  # fmt: skip
        changed = study.ABLATIONS[kind]
        own = {name for name in vars(changed) if not name.startswith("__")}
        assert own - {"SIZE"} == {part}
    still = study.NoMutation(Config(mutation_probability=10.0), rng)
    still.mutate(p, np.zeros(3, bool))
    assert (p == 0.1).all()
    flat = study.NoFitnessRate(Config(), rng)
    flat.wrong = paper.wrong = 2
    assert flat.ratio(20) == 1 > paper.ratio(20)
    step = study.NodeStep(Config(), rng)
    assert step.raised(np.array([0.5, 0.9]), 0.5) == pytest.approx([0.575, 0.915])


def test_summaries_and_the_rank_test():
    assert study.summary([5, 9, 7, 8], [True, True, True, False]) == {
        "share": 0.75,
        "median_programs": 7,
        "times": [5, 9, 7, 0],
    }
    assert study.summary([5], [False])["median_programs"] is None
    assert study.rank_test([1, 2, 3], [1, 2, 3]) == 1
    assert study.rank_test([5, 5], [5]) == 1
    p = study.rank_test(range(20), range(20, 25))
    assert p == study.rank_test(range(20, 25), range(20)) == pytest.approx(0.00068, abs=1e-5)


# ---- the wiring of both programs ---------------------------------------------------------------
def first_number(rng):
    """The next number of a generator, which stays as it is."""
    copy = np.random.PCG64()
    copy.state = rng.bit_generator.state
    return np.random.Generator(copy).random()


@pytest.fixture
def wired(monkeypatch):
    """Spies on everything that both programs call."""
    calls = {"Pipe": [], "climb": [], "best_at_random": [], "genetic_programming": []}

    class Spied(Pipe):
        def search(self, progress):
            calls["Pipe"].append((type(self), self.config, first_number(self.rng), self))
            return super().search(progress)

    def spy(module, name):
        original = getattr(module, name)

        def spied(config, rng, progress):
            start = first_number(rng)
            calls[name].append((config, start, original(config, rng, progress)))
            return calls[name][-1][2]

        monkeypatch.setattr(module, name, spied)

    spy(pipe_6_bit_parity, "climb")
    spy(pipe_6_bit_parity, "best_at_random")
    spy(study, "genetic_programming")
    monkeypatch.setattr(pipe_6_bit_parity, "Pipe", Spied)
    monkeypatch.setattr(study, "pipes", spied_pipes(study.pipes, Spied, calls))
    return calls


def spied_pipes(pipes, spied, calls):
    """The study's searches, listed with their kinds."""

    def listed(config, seeds, progress, kind=Pipe):
        both = type(kind.__name__, (spied, kind), {}) if kind is not Pipe else spied
        found = pipes(config, seeds, progress, both)
        calls.setdefault("kinds", []).append((kind, config, found))
        return found

    return listed


def test_run_reports_what_was_searched_and_verifies_it(wired):
    said = []
    metrics = run(CONFIG, 1000, lambda fraction, message: said.append(fraction))
    ((_, config, start, pipe),) = wired["Pipe"]
    ((climb_config, climb_start, (program, tried)),) = wired["climb"]
    ((random_config, random_start, best),) = wired["best_at_random"]
    assert config is climb_config is random_config is CONFIG
    assert len({start, climb_start, random_start}) == 3  # no two streams start alike
    right, climbed = rows_right(pipe.best, 3), rows_right(program, 3)
    rate = metrics["pipe"].pop("programs_per_second")
    assert rate > 0
    assert metrics == {
        "pipe": {
            "solved": right == 8,
            "rows_right": right,
            "programs": pipe.programs,
            "nodes": len(pipe.best),
            "levels": depth(pipe.best),
        },
        "climb": {"solved": climbed == 8, "rows_right": climbed, "programs": tried},
        "climb_lead": (right == 8) - (climbed == 8),
        "random_rows": best,
        "curve": {"x": [50.0 * k for k in range(101)], "y": pipe.course},
    }
    assert said == sorted(said) and 0.9 < said[-1] <= 1 and len(said) > 10


def test_solved_is_what_the_plain_evaluator_says(monkeypatch):
    monkeypatch.setattr(Parity, "wrong", lambda self, table: 0)  # whatever the search believes
    metrics = run(CONFIG, 1000, silent)
    assert metrics["pipe"]["solved"] == metrics["climb"]["solved"] == 0
    assert metrics["pipe"]["rows_right"] < 8 and metrics["climb_lead"] == 0


@pytest.mark.parametrize("ours, theirs, lead", [(3, 2, 1), (2, 3, -1), (3, 3, 0)])
def test_the_lead_over_climbing(monkeypatch, ours, theirs, lead):
    programs = {3: ideal(3), 2: ideal(2)}

    def search(self, progress):
        self.best = programs[ours]
        return self

    monkeypatch.setattr(Pipe, "search", search)
    monkeypatch.setattr(pipe_6_bit_parity, "climb", lambda *_: (programs[theirs], 7))
    metrics = run(CONFIG, 1000, silent)
    assert metrics["climb_lead"] == lead and metrics["climb"]["programs"] == 7


def test_the_rivals_get_as_many_programs():
    assert Config().climb_evaluations == Config().evaluations == study.Config().evaluations


def test_the_default_is_the_papers_experiment():
    config = Config()
    assert (config.inputs, config.evaluations, config.population) == (6, 500_000, 10)
    assert (config.learning_rate, config.step, config.epsilon) == (0.01, 0.1, 1.0)
    assert (config.mutation_probability, config.mutation_rate) == (0.4, 0.4)
    assert (config.prune_threshold, config.terminals) == (0.999999, 0.6)


def without_rate(metrics):
    del metrics["pipe"]["programs_per_second"]
    return metrics


def test_a_run_repeats_bit_for_bit_and_seeds_differ():
    first, again, other = (without_rate(run(CONFIG, seed, silent)) for seed in (1000, 1000, 1001))
    assert first == again != other


def test_the_study_searches_as_each_row_says(wired):
    config = study.Config(**study.QUICK)
    said = []
    table = study.run(config, 1000, lambda fraction, message: said.append(fraction))
    assert said == sorted(said) and 0.9 < said[-1] <= 1
    kinds = [kind for kind, _, _ in wired["kinds"]]
    assert kinds == [Pipe, study.NoMutation, study.NoFitnessRate, study.NodeStep, Pipe, Pipe]
    settings = [(c.inputs, c.evaluations, len(found)) for _, c, found in wired["kinds"]]
    assert settings == [(3, 1000, 2), *[(3, 500, 1)] * 3, (2, 1000, 1), (3, 1000, 1)]
    paper = Config()
    for _, made, _ in wired["kinds"]:
        assert replace(made, inputs=6, evaluations=500_000) == paper  # nothing else is changed
    ((gp_config, gp_start, (tried, right)),) = wired["genetic_programming"]
    assert gp_config is config
    starts = [call[2] for call in wired["Pipe"]] if wired["Pipe"] else []
    assert len({*starts, gp_start}) == len(starts) + 1  # no two streams start alike
    for name, (_, _, found) in zip(["pipe", None, None, None, "width_2", "width_3"],
                                   wired["kinds"]):  # fmt: skip
        if name:
            times = [pipe.programs * (pipe.wrong == 0) for pipe in found]
            assert table[name]["times"] == times
            assert table[name]["share"] == np.mean(np.array(times) > 0)
    assert table["gp"]["times"] == [tried * (right == 8)] and table["gp"]["rows"] == [right]
    assert table["gp_lead"] == table["pipe"]["share"] - table["gp"]["share"]
    early = [pipe.course[50] for pipe in wired["kinds"][0][2]]  # after 500 of 1000
    assert table["pipe"]["rows"] == early
    for name, (_, _, found) in zip(study.ABLATIONS, wired["kinds"][1:]):
        changed = [pipe.course[100] for pipe in found]
        assert table[name] == {
            "rows": changed,
            "median_rows": np.median(changed),
            "p": study.rank_test(early, changed),
        }
    assert len({pipe.rng.random() for _, _, found in wired["kinds"] for pipe in found}) == 7


@pytest.mark.parametrize(
    "module, flags, says",
    [
        (pipe_6_bit_parity, ["--inputs", "9"], "inputs"),
        (pipe_6_bit_parity, ["--evaluations", "9"], "population"),
        (pipe_6_bit_parity, ["--learning-rate", "1"], "learning-rate"),
        (pipe_6_bit_parity, ["--levels", "1"], "levels"),
        (study, ["--gp-first-levels", "9", "--gp-levels", "8"], "gp-first-levels"),
        (study, ["--evaluations", "99"], "ablation-evaluations"),
        (study, ["--widths", "4", "1"], "widths"),
    ],
)
def test_bad_settings_end_with_2_and_one_line(module, flags, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(module, flags)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert says in message and message.count("\n") == 1
    assert sum(ARITY[:4]) == 8
