"""Tests of pipe_6_bit_parity: bits against rows, the computed steps against the literal loop,
sampling, pruning."""

from dataclasses import replace

import numpy as np
import pytest

import pipe_6_bit_parity
from pipe_6_bit_parity import (
    AND,
    IF,
    NOT,
    OR,
    QUICK,
    Config,
    Parity,
    Prototypes,
    Score,
    Tree,
    after_steps,
    answer,
    climb,
    cut,
    draw_at_random,
    first_tree,
    genetic_programming,
    graft,
    grow,
    ideal,
    joint_log,
    learn,
    main,
    mutate,
    parities,
    random_trees,
    run,
    select,
    simplified,
    sizes,
    solved,
    steps_to,
    study,
    subtree,
    text,
    train,
    update,
    verified,
)

CONFIG = replace(Config(), **QUICK)
SIX = Parity(6)


def tree(task, formula):
    """A Tree from nested tuples such as ("AND", "x0", ("NOT", "x1"))."""
    name, *arguments = formula if isinstance(formula, tuple) else (formula,)
    return Tree(task, task.names.index(name), tuple(tree(task, a) for a in arguments))


def breadth_first(top):
    """The instructions of a Tree, level by level."""
    ops, level = [], [top]
    while level:
        ops += [node.op for node in level]
        level = [a for node in level for a in node.arguments]
    return np.array(ops)


def rows(n):
    return [[bool(j >> i & 1) for i in range(n)] for j in range(2**n)]


# ---- the task ------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", range(2, 9))
def test_words_hold_the_truth_tables(n):
    task = Parity(n)
    for j, row in enumerate(rows(n)):
        word, bit = j // 64, np.uint64(1) << np.uint64(j % 64)
        for i in range(n):
            assert bool(task.leaves[2 + i, word] & bit) == row[i]
            assert bool(task.masks[2 + i] >> j & 1) == row[i]
        even = sum(row) % 2 == 0
        assert bool(task.target[word] & bit) == even
        assert bool(task.wanted >> j & 1) == even
    assert task.masks[:2] == [0, 2**2**n - 1]
    assert task.wanted.bit_count() == 2**n // 2
    assert task.wrong(task.leaves).tolist() == [2**n // 2] * (n + 2)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (("AND", "x0", "x1"), [0, 0, 0, 1]),
        (("OR", "x0", "x1"), [0, 1, 1, 1]),
        (("NOT", "x1"), [1, 1, 0, 0]),
        (("IF", "x0", "x1", ("NOT", "x1")), [1, 0, 0, 1]),
        (("IF", "x1", "x0", "x0"), [0, 1, 0, 1]),
    ],
)
def test_each_instruction_row_by_row(formula, expected):
    task = Parity(2)
    program = tree(task, formula)
    assert [int(answer(program, row)) for row in rows(2)] == expected
    assert [program.value >> j & 1 for j in range(4)] == expected
    levels = Prototypes(CONFIG, task, None, 0).write(np.zeros(1, int), breadth_first(program))
    value = int(task.evaluate(levels)[0, 0])
    assert [value >> j & 1 for j in range(4)] == expected
    assert value < 16
    assert text(task, program).replace("(", " ").split()[0].startswith(formula[0])


@pytest.mark.parametrize("n", [3, 6, 8])
def test_three_evaluators_agree_on_random_programs(n):
    config = replace(CONFIG, inputs=n, terminals=0.5)
    task, rng = Parity(n), np.random.default_rng(1)
    trees = Prototypes(config, task, rng, 0)
    levels = trees.write(np.zeros(300, int))
    values, size = task.evaluate(levels), sizes(levels, 300)
    wrong = task.wrong(values)
    used = set()
    for i in range(300):
        ops = np.concatenate([level["op"][level["program"] == i] for level in levels])
        used |= set(ops.tolist())
        program = grow(task, ops)
        assert len(ops) == program.size == size[i]
        assert program.value == int.from_bytes(values[i].tobytes(), "little")
        assert program.wrong(task) == wrong[i]
        if program.size < 300 and i < 60:
            assert verified(program, n) == task.rows - wrong[i]
            assert (breadth_first(program) == ops).all()
    assert used == set(range(4 + n))
    assert size.max() > 30


def test_the_solution_of_21_nodes():
    best = ideal(SIX)
    assert (best.size, best.levels, best.wrong(SIX)) == (21, 7, 0)
    assert verified(best, 6) == 64
    assert simplified(SIX, best) is best
    assert sum(subtree(best, True, k).value in parities(SIX) for k in range(best.inner)) == 5
    for n in (2, 3, 4, 5, 7, 8):
        assert ideal(Parity(n)).size == 4 * n - 3
        assert verified(ideal(Parity(n)), n) == 2**n
    assert verified(tree(SIX, ("NOT", "x0")), 6) == 32


def test_programs_that_ignore_an_input_are_right_on_half_the_rows():
    rng, ignoring = np.random.default_rng(2), 0
    source = random_trees(replace(Config(), terminals=0.5), SIX, rng)
    for _ in range(2000):
        program = next(source)
        seen = {op for op in breadth_first(program).tolist() if op > IF}
        if len(seen) < 6:
            ignoring += 1
            assert program.wrong(SIX) == 32
    assert ignoring > 500
    five = ideal(Parity(5))  # even the parity of the other five
    assert grow(SIX, breadth_first(five)).wrong(SIX) == 32


def test_simplifying_keeps_the_value():
    bloated = tree(
        SIX, ("IF", ("AND", "x0", ("OR", "x0", "x3")), ("NOT", ("NOT", "x1")), ("OR", "x2", "x2"))
    )
    assert text(SIX, simplified(SIX, bloated)) == "IF(x0, x1, x2)"
    source = random_trees(replace(Config(), terminals=0.5), SIX, np.random.default_rng(3))
    for program in (next(source) for _ in range(100)):
        if program.size < 80:
            short = simplified(SIX, program)
            assert short.value == program.value
            assert short.size <= program.size


def test_parities_of_inputs():
    known = parities(Parity(3))
    assert len(known) == 8
    assert known[Parity(3).wanted] == [0, 1, 2]
    assert known[tree(Parity(3), ("IF", "x2", ("NOT", "x0"), "x0")).value] == [0, 2]


# ---- the prototype tree --------------------------------------------------------------------------
def test_instructions_are_drawn_with_the_probabilities_of_their_nodes():
    trees = Prototypes(Config(), SIX, np.random.default_rng(4), 2)
    assert trees.p[0].tolist() == pytest.approx([0.1] * 4 + [0.1] * 6)
    levels = trees.write(np.zeros(20_000, int))
    assert sizes(levels, 20_000).mean() == pytest.approx(5, rel=0.1)  # 1 / (1 - 0.4 * 2)
    root = trees.root[1]
    assert trees.root[0] != root
    p = np.array([0.2, 0, 0.3, 0.1, 0, 0.05, 0.05, 0, 0.3, 0])
    trees.p[root], trees.sums[root] = p, p.cumsum()
    child = trees.make(1, False)
    trees.child[root, 1] = child[0]
    trees.p[child], trees.sums[child] = np.eye(10)[7], np.eye(10)[7].cumsum()
    levels = trees.write(np.full(20_000, root))
    share = np.bincount(levels[0]["op"], minlength=10) / 20_000
    assert share == pytest.approx(p, abs=0.012)
    assert share[p == 0].tolist() == [0, 0, 0, 0]
    second = levels[1]
    assert (second["op"][second["slot"] == 1] == 7).all()
    assert (second["node"] == np.where(second["slot"] == 1, child[0], 0)).all()
    assert len(np.unique(second["op"][second["slot"] == 0])) == 10


def test_no_program_is_deeper_than_the_levels():
    config = replace(Config(), terminals=0.2, levels=5)
    trees = Prototypes(config, SIX, np.random.default_rng(5), 0)
    levels = trees.write(np.zeros(100, int))
    assert len(levels) == 5
    assert (levels[-1]["node"] == 1).all()
    assert levels[-1]["op"].min() > IF
    assert (SIX.arity[levels[0]["op"]].sum()) == len(levels[1]["op"])


def test_selected_programs_are_written_into_the_pool_as_they_are():
    trees = Prototypes(Config(), SIX, np.random.default_rng(6), 3)
    levels = trees.write(trees.root.repeat(40))
    winners = np.array([7, 50, 111])
    chosen = select(levels, winners, 120)
    for i, winner in enumerate(winners):
        for level, old in zip(chosen, levels):
            assert (level["op"][level["program"] == i] == old["op"][old["program"] == winner]).all()
    program, node, op = trees.claim(chosen)
    assert len(set(node.tolist())) == len(node)
    assert node.min() > 1
    for i in range(3):
        ops = op[program == i]
        again = trees.write(trees.root[[i]], ops)
        assert np.concatenate([level["op"] for level in again]).tolist() == ops.tolist()
        assert (
            np.concatenate([level["node"] for level in again]).tolist()
            == node[program == i].tolist()
        )
    held = len(trees.p) - len(trees.free)
    assert trees.drop(trees.root[[1]]) == (program == 1).sum()
    assert len(trees.p) - len(trees.free) == held - (program == 1).sum()


def test_the_pool_grows_and_made_nodes_are_as_new():
    trees = Prototypes(Config(), SIX, np.random.default_rng(7), 1)
    nodes = trees.make(5000, False)
    assert len(set(nodes.tolist())) == 5000
    trees.p[nodes], trees.child[nodes] = 0.5, 7
    trees.drop(np.array([nodes[3]]))
    again = trees.make(1, True)
    assert trees.p[again[0]].tolist() == pytest.approx([0] * 4 + [1 / 6] * 6)
    assert trees.child[again[0]].tolist() == [0, 0, 0]
    assert trees.last[again[0]]


# ---- the learning rule ---------------------------------------------------------------------------
def literal_loop(p, target, rate):
    """The paper's loop: step by step until the program is as probable as wanted."""
    k = 0
    while np.log(p).sum() < np.log(target):
        p, k = p + rate * (1 - p), k + 1
    return p, k


@pytest.mark.parametrize("learning_rate", [0.001, 0.01, 0.2])
def test_the_closed_form_takes_as_many_steps_as_the_literal_loop(learning_rate):
    rng, lanes = np.random.default_rng(8), 15
    lane = np.repeat(np.arange(lanes), rng.integers(1, 30, lanes))
    p = (
        rng.random(len(lane)) ** rng.integers(1, 9, lanes)[lane]
    )  # from near certain to next to impossible
    joint = np.exp(joint_log(p, lane, lanes))
    target = joint + (1 - joint) * learning_rate * rng.random(lanes)
    steps = steps_to(p, lane, np.log(target), 0.1 * learning_rate)
    assert steps.max() > 20
    for i in range(lanes):
        raised, k = literal_loop(p[lane == i], target[i], 0.1 * learning_rate)
        assert steps[i] == k
        assert after_steps(p[lane == i], k, 0.1 * learning_rate) == pytest.approx(raised, rel=1e-9)


def test_steps_in_extreme_cases():
    lane = np.array([0, 0, 1, 2, 3])
    p = np.array([1e-290, 0.5, 1.0, 0.2, 0.0])
    steps = steps_to(p, lane, np.log([0.01, 1.0, 0.2, 0.3]), 0.001)
    assert steps[1:3].tolist() == [0, 0]  # already there
    assert (
        after_steps(p[:2], steps[0], 0.001).prod()
        >= 0.01
        > after_steps(p[:2], steps[0] - 1, 0.001).prod()
    )
    assert after_steps(0.0, steps[3], 0.001) >= 0.3 > after_steps(0.0, steps[3] - 1, 0.001)


def test_learning_raises_the_joint_probability_to_the_target_and_keeps_vectors_normal():
    config, rng = replace(Config(), learning_rate=0.05), np.random.default_rng(9)
    lane, op, ratio = np.array([0, 0, 0, 1, 1]), np.array([3, 9, 0, 2, 5]), np.array([1.0, 0.4])
    p = rng.random((5, 10)) + 0.1
    p /= p.sum(1, keepdims=True)
    before = p.copy()
    old, new = learn(config, p, lane, op, ratio)
    assert old.tolist() == before[np.arange(5), op].tolist()
    for i in range(2):
        at = lane == i
        target = old[at].prod() + (1 - old[at].prod()) * 0.05 * ratio[i]
        raised, _ = literal_loop(old[at], target, 0.1 * 0.05)
        assert new[at] == pytest.approx(raised)
        assert new[at].prod() >= target
    assert p[np.arange(5), op].tolist() == new.tolist()
    assert p.sum(1) == pytest.approx(np.ones(5))
    others = np.delete(p[0] / before[0], op[0])
    assert others == pytest.approx(np.full(9, others[0]))  # all shrink alike
    _, new = learn(replace(config, joint_target=False), before, lane, op, ratio)
    assert new == pytest.approx(old + 0.3 * ratio[lane] * (1 - old))
    assert before.sum(1) == pytest.approx(np.ones(5))


def test_mutation_has_the_papers_rate_and_step():
    lanes = 3000
    lane = np.arange(lanes).repeat(4)
    p, last = np.full((4 * lanes, 10), 0.1), np.tile([False, False, False, True], lanes)
    p[last] = [0] * 4 + [1 / 6] * 6
    before = p.copy()
    mutate(Config(), np.random.default_rng(10), p, lane, last)
    chance = 0.4 / (10 * np.sqrt(4))
    changed = (p != before).any(1)
    assert changed[~last].mean() == pytest.approx(1 - (1 - chance) ** 10, abs=0.02)
    assert changed[last].mean() == pytest.approx(1 - (1 - chance) ** 6, abs=0.02)
    assert p.sum(1) == pytest.approx(np.ones(len(p)))
    assert (p[last, :4] == 0).all()
    raised = 0.1 + 0.4 * 0.9
    single = p[~last].max(1)[(p[~last] > 0.1).sum(1) == 1]
    assert single == pytest.approx(np.full(len(single), raised / (0.9 + raised)))
    assert len(single) > 500


def test_pruning_drops_what_a_certain_node_does_not_need():
    config = replace(Config(), mutation_probability=0.0, prune_threshold=0.99)
    trees = Prototypes(config, SIX, np.random.default_rng(11), 1)
    whole = tree(SIX, ("IF", ("AND", "x0", "x1"), ("NOT", "x2"), ("OR", "x3", ("NOT", "x4"))))
    trees.claim(trees.write(trees.root, breadth_first(whole)))
    root = trees.root[0]
    trees.p[root] = [0.0101, 0.989, *[0.0009 / 8] * 8]
    trees.sums[root] = trees.p[root].cumsum()
    kept = trees.child[root].copy()
    held = len(trees.p) - len(trees.free)
    small = breadth_first(tree(SIX, ("OR", "x0", "x1")))
    joint, dropped = update(
        replace(config, learning_rate=0.02, step=0.9),
        trees,
        trees.write(trees.root, small),
        np.ones(1),
        True,
    )
    while trees.p[root, OR] <= 0.99:
        joint, dropped = update(config, trees, trees.write(trees.root, small), np.ones(1), True)
    assert dropped.tolist() == [4]  # the third argument, OR(x3, NOT(x4))
    assert trees.child[root].tolist() == [kept[0], kept[1], 0]
    assert len(trees.p) - len(trees.free) == held - 4
    assert np.exp(joint[0]) == pytest.approx(
        trees.p[root, OR] * trees.p[kept[0], 4] * trees.p[kept[1], 5]
    )
    _, dropped = update(config, trees, trees.write(trees.root, small), np.ones(1), True)
    assert dropped.tolist() == [0]


def test_only_generations_mutate():
    for fresh in (True, False):
        config = replace(Config(), mutation_probability=5.0, learning_rate=1e-6)
        trees = Prototypes(config, SIX, np.random.default_rng(12), 1)
        update(config, trees, trees.write(trees.root, np.array([4])), np.ones(1), fresh)
        assert (np.abs(trees.p[trees.root[0]] - 0.1).max() > 0.01) == fresh
        assert trees.sums[trees.root[0]] == pytest.approx(trees.p[trees.root[0]].cumsum())


# ---- training ------------------------------------------------------------------------------------
def test_training_counts_and_keeps_the_best():
    seen, config = (
        [],
        replace(Config(), population=10, elitist_share=0.2, inputs=4, restart_after=0),
    )

    def watch(trees, state):
        used = np.concatenate([level["node"] for level in trees.write(trees.root)])
        used = used[used > 1]
        assert trees.p[used].sum(1) == pytest.approx(np.ones(len(used)))
        assert trees.p[used].min() >= 0
        seen.append(
            (
                state["elite"]["wrong"].copy(),
                state["evaluations"].copy(),
                state["elite"]["size"].copy(),
            )
        )

    out = train(config, np.random.default_rng(13), 4, 500, callback=watch)
    assert (out["evaluations"] <= 500).all()
    assert (out["evaluations"][out["solved_at"] == 0] == 500).all()
    assert out["generations"].mean() == pytest.approx(
        62.5, abs=12
    )  # elitist steps cost no evaluation
    wrong, _, size = (np.array(part) for part in zip(*seen))
    assert (np.diff(wrong, axis=0) <= 0).all()
    assert (
        np.diff(size, axis=0)[np.diff(wrong, axis=0) == 0] <= 0
    ).all()  # of equal ones the smaller
    assert (out["wrong"] == wrong.min(0)).all()
    for i in range(4):
        program = grow(Parity(4), out["ops"][i])
        assert (program.wrong(Parity(4)), program.size) == (out["wrong"][i], out["size"][i])
        assert out["curve"][i, -1] == out["wrong"][i]
    assert (np.diff(out["curve"], axis=1) <= 0).all()
    assert out["curve"][0, 0] == 16


def test_restarts_forget_the_tree_and_keep_the_best():
    elites, best = [], []

    def watch(trees, state):
        elites.append(state["elite"]["wrong"].copy())
        best.append(state["best"]["wrong"].copy())

    out = train(
        replace(Config(), restart_after=400), np.random.default_rng(14), 2, 3000, callback=watch
    )
    assert out["restarts"].min() > 0
    assert (np.diff(np.array(best), axis=0) <= 0).all()
    assert (np.diff([e[0] for e in elites]) > 0).sum() > 0
    assert out["wrong"].tolist() == best[-1].tolist()
    elites.clear()
    out = train(
        replace(Config(), restart_after=0), np.random.default_rng(14), 1, 1500, callback=watch
    )
    assert out["restarts"][0] == 0
    assert (np.diff(np.array(elites), axis=0) <= 0).all()


def test_learning_slows_down_for_worse_programs(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "pipe_6_bit_parity.learn",
        lambda config, p, lane, op, ratio: seen.append(ratio) or learn(config, p, lane, op, ratio),
    )
    for on in (True, False):
        seen.clear()
        train(
            replace(Config(), fitness_rate=on, inputs=3, restart_after=0),
            np.random.default_rng(15),
            5,
            600,
        )
        ratio = np.concatenate(seen)
        possible = (
            [(1 + best) / (1 + wrong) for wrong in range(9) for best in range(wrong + 1)]
            if on
            else [1]
        )
        assert all(np.isclose(r, possible).any() for r in ratio)
        assert ratio.max() == 1
        assert (ratio.min() < 1) == on


def test_two_inputs_are_solved():
    out = train(replace(Config(), inputs=2), np.random.default_rng(16), 10, 5000)
    assert (out["solved_at"] > 0).all()
    assert (out["solved_at"] == out["evaluations"]).all()
    for ops in out["ops"]:
        assert verified(grow(Parity(2), ops), 2) == 4
    out = train(replace(Config(), inputs=2), np.random.default_rng(16), 10, 5000, race=True)
    assert 0 < np.count_nonzero(out["solved_at"]) < 10  # the first to be right ends it
    assert train(Config(), np.random.default_rng(16), 1, 95)["evaluations"].tolist() == [
        90
    ]  # nine generations fit
    assert (out["evaluations"][out["solved_at"] > 0] == out["solved_at"].max()).all()
    assert out["evaluations"].max() <= out["solved_at"].max() + 100


# ---- rivals --------------------------------------------------------------------------------------
def test_cuts_and_grafts():
    program = tree(SIX, ("IF", ("AND", "x0", "x1"), ("NOT", "x2"), ("OR", "x3", ("NOT", "x4"))))
    assert (program.inner, program.leaves, program.levels) == (5, 5, 4)
    assert [text(SIX, subtree(program, True, k)) for k in range(1, 5)] == [
        "AND(x0, x1)",
        "NOT(x2)",
        "OR(x3, NOT(x4))",
        "NOT(x4)",
    ]
    assert [text(SIX, subtree(program, False, k)) for k in range(5)] == [
        "x0",
        "x1",
        "x2",
        "x3",
        "x4",
    ]
    new = graft(SIX, program, True, 4, tree(SIX, "x5"))
    assert text(SIX, new) == "IF(AND(x0, x1), NOT(x2), OR(x3, x5))"
    assert (
        new.value == tree(SIX, ("IF", ("AND", "x0", "x1"), ("NOT", "x2"), ("OR", "x3", "x5"))).value
    )
    assert graft(SIX, program, True, 0, new) is new
    rng = np.random.default_rng(17)
    cuts = [cut(rng, program) for _ in range(3000)]
    assert np.mean([inner for inner, _ in cuts]) == pytest.approx(0.9, abs=0.02)
    assert (
        {index for inner, index in cuts if inner}
        == {index for inner, index in cuts if not inner}
        == set(range(5))
    )
    assert cut(rng, tree(SIX, "x1")) == (False, 0)


def test_first_programs_of_genetic_programming():
    rng = np.random.default_rng(18)
    full = [first_tree(SIX, rng, 4, True) for _ in range(50)]
    grown = [first_tree(SIX, rng, 4, False) for _ in range(200)]
    assert {t.levels for t in full} == {4}
    assert {t.levels for t in grown} == {2, 3, 4}
    assert {t.op for t in grown} == {AND, OR, NOT, IF}


@pytest.mark.parametrize("rival", [draw_at_random, climb, genetic_programming])
def test_rivals_stop_at_their_budget_or_a_solution(rival):
    score = rival(replace(CONFIG, inputs=6), np.random.default_rng(19), 1500)
    assert (score.done, score.solved_at) == (1500, 0)
    assert 10 < score.wrong < 32
    assert score.curve[0] == 64
    assert score.curve[-1] == score.wrong
    assert (np.diff(score.curve) <= 0).all()
    easy = rival(replace(CONFIG, inputs=2), np.random.default_rng(20), 20_000)
    assert easy.solved_at == easy.done < 20_000
    assert easy.wrong == 0


def test_genetic_programming_selects_and_limits_depth(monkeypatch):
    config, counted, levels = replace(CONFIG, gp_levels=6, inputs=4), [], []
    count, wrong = Score.count, Tree.wrong
    monkeypatch.setattr(
        Score, "count", lambda self, wrong: counted.append(wrong) or count(self, wrong)
    )
    monkeypatch.setattr(
        Tree, "wrong", lambda self, task: levels.append(self.levels) or wrong(self, task)
    )
    score = genetic_programming(config, np.random.default_rng(21), 4000)
    assert score.done == len(counted) == len(levels)
    assert np.mean(counted[-300:]) < np.mean(counted[:100]) - 0.7
    assert max(levels) == 6


def test_hill_climbing_never_gets_worse(monkeypatch):
    mothers = []
    monkeypatch.setattr(
        "pipe_6_bit_parity.cut", lambda rng, tree: mothers.append(tree.wrong(SIX)) or cut(rng, tree)
    )
    score = climb(Config(), np.random.default_rng(23), 3000)
    assert (np.diff(mothers) <= 0).all()
    assert mothers[-1] in (score.wrong, mothers[-2])
    assert score.wrong < 32


# ---- statistics and the command line -------------------------------------------------------------
def test_unsolved_runs_count_in_the_median():
    out = solved("a", [5, 0, 9, 0, 7], 10)
    assert (out["a_solved"], out["a_share"], out["a_median_of_solved"], out["a_median"]) == (
        3,
        0.6,
        7,
        9,
    )
    assert solved("a", [5, 0, 0], 10)["a_median"] is None
    assert solved("a", [0], 10)["a_median_of_solved"] is None


def test_quick_run_and_study():
    out = run(CONFIG, 0)
    assert 6 <= out["rows_right"] == out["short_rows_right"]
    assert out["ideal_nodes"] == 9
    assert out["short_nodes"] <= out["nodes"]
    assert out["solved"] == (out["rows_right"] == 8)
    assert out["right_as_early"] <= out["rows_right"]
    assert {name: value for name, value in run(CONFIG, 0).items() if "per_second" not in name} == {
        name: value for name, value in out.items() if "per_second" not in name
    }
    assert any(
        out[name] != value for name, value in run(CONFIG, 1).items() if "per_second" not in name
    )
    out = study(CONFIG, 0)
    assert len(out["plain_curves"]) == 202
    assert out["plain_runs"] == out["base_runs"] == out["early_runs"] == 2
    assert out["base_solved"] <= out["early_solved"] <= out["plain_solved"]
    assert out["restarts_runs"] == 2 and out["restarts_mean"] > 0
    assert (out["base_budget"], out["early_budget"]) == (200, 1000)
    assert out["width_2_ideal_nodes"] == 5


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--inputs", "9"], "inputs"),
        (["--gp-first-levels", "9", "--gp-levels", "8"], "gp-first-levels"),
        (["--evaluations", "99"], "evaluations"),
        (["--widths", "4", "1"], "widths"),
        (["--learning-rate", "1"], "learning-rate"),
        (["--levels", "1"], "levels"),
    ],
)
def test_bad_settings_end_with_2_and_one_line(flags, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(pipe_6_bit_parity, flags)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1
