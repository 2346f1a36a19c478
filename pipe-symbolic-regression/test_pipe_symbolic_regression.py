"""Tests of pipe_symbolic_regression: the rule against the paper's literal loop, sampling, mutation,
pruning, rivals."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import pipe_symbolic_regression
from pipe_symbolic_regression import (
    EIGHT,
    QUICK,
    WORST,
    Config,
    Prototypes,
    Tree,
    after_steps,
    answers,
    crossover,
    depth,
    draw_at_random,
    errors,
    evaluate,
    exponential_distance,
    first_tree,
    fresh_errors,
    genetic_programming,
    joint_log,
    koza_problem,
    learn,
    main,
    mutate,
    paper_function,
    paper_problem,
    protected_log,
    protected_ratio,
    proved,
    prune,
    quartic,
    run,
    same,
    solved,
    spread,
    steps_to,
    text,
    train,
)

CONFIG = replace(Config(), **QUICK)
EASY, HARD = koza_problem(CONFIG), koza_problem(CONFIG, EIGHT, ("x", "R"))
PAPER = paper_problem(CONFIG)


def program(problem, formula, constants=()):
    """A hand-made program from nested tuples such as ("+", "x", ("sin", "x")); numbers are
    constants."""
    code, values = np.full(2**problem.levels - 1, -1, np.int8), np.zeros(2**problem.levels - 1)

    def write(part, node):
        name, *arguments = part if isinstance(part, tuple) else (part,)
        code[node] = problem.instructions.index("R" if isinstance(name, float) else name)
        values[node] = name if isinstance(name, float) else 0
        for side, argument in enumerate(arguments):
            write(argument, 2 * node + 1 + side)

    write(formula, 0)
    return code, values


def times(*parts):
    return parts[0] if len(parts) == 1 else ("*", parts[0], times(*parts[1:]))


QUARTIC = (
    "*",
    ("+", "x", ("*", "x", "x")),
    ("+", ("*", "x", "x"), ("%", "x", "x")),
)  # (x + x^2) (x^2 + 1)


# ---- the task ------------------------------------------------------------------------------------
def test_points_and_formulas():
    assert len(EASY.x) == 20
    assert (EASY.x[0], EASY.x[-1]) == (-1, 1)
    assert np.allclose(EASY.y, EASY.x**4 + EASY.x**3 + EASY.x**2 + EASY.x)
    assert EASY.constant_error() == pytest.approx(16.33, abs=0.005)
    assert len(PAPER.x) == 101
    assert np.allclose(np.diff(PAPER.x), 0.1)
    assert PAPER.constant_error() == pytest.approx(20.46, abs=0.005)
    assert np.abs(PAPER.y).max() == pytest.approx(0.83, abs=0.005)
    assert paper_function(1.0) == pytest.approx(
        np.exp(-1) * np.cos(1) * np.sin(1) * (np.sin(1) ** 2 * np.cos(1) - 1)
    )
    for problem in (EASY, PAPER):
        assert not np.isin(problem.fresh_x.round(9), problem.x.round(9)).any()
    assert EASY.fresh_x.min() == -3
    assert 0 in EASY.fresh_x


def test_protected_functions():
    assert protected_ratio(np.array([3.0, 3.0, 0.0]), np.array([2.0, 0.0, 0.0])).tolist() == [
        1.5,
        1,
        1,
    ]
    assert protected_log(np.array([-np.e, 0.0, 1.0])).tolist() == [1, 0, 0]


def test_errors_are_sums_and_what_is_no_number_is_worst():
    values = np.array([EASY.y, EASY.y + 0.5, EASY.y, EASY.y, EASY.y + 1e9])
    values[2, 3], values[3, 4] = np.nan, -np.inf
    assert errors(EASY, values) == pytest.approx([0, 10, WORST, WORST, WORST])


def test_what_counts_as_the_same_formula():
    good = program(EASY, QUARTIC)
    assert text(EASY, good) == "((x + (x * x)) * ((x * x) + (x % x)))"
    assert depth(good) == 4
    assert same(EASY, answers(EASY, *good))
    assert proved(EASY, good)
    for wrong in (("%", QUARTIC, ("%", "x", "x")), ("+", QUARTIC, ("-", "x", "x"))):
        assert proved(EASY, program(EASY, wrong))  # these change nothing
    gap = program(EASY, ("%", ("*", "x", QUARTIC), "x"))  # 0 % 0 is 1, not 0
    assert not same(EASY, answers(EASY, *gap))
    assert not proved(EASY, gap)
    near = program(HARD, ("+", QUARTIC, 1e-7))
    assert not same(HARD, answers(HARD, *near))
    assert fresh_errors(HARD, answers(HARD, *near)).sum() == pytest.approx(51e-7, rel=1e-3)
    assert not proved(EASY, program(EASY, times("x", "x", "x")))


def test_the_plain_evaluator():
    x = np.array([0.0, 0.5, -2.0])
    whole = program(
        HARD, ("-", ("*", ("sin", "x"), ("cos", 0.25)), ("rlog", ("%", ("exp", "x"), "x")))
    )
    log = np.array([0.0, np.log(np.exp(0.5) / 0.5), np.log(np.exp(-2) / 2)])
    assert evaluate(HARD, whole, x) == pytest.approx(np.sin(x) * np.cos(0.25) - log)
    assert evaluate(EASY, program(EASY, QUARTIC), Fraction(2, 3)) == quartic(Fraction(2, 3))
    assert evaluate(EASY, program(EASY, ("-", ("%", "x", ("-", "x", "x")), "x")), Fraction(2)) == -1


# ---- the prototype tree --------------------------------------------------------------------------
@pytest.mark.parametrize("problem", [EASY, HARD, PAPER])
def test_sampling_writes_whole_programs_and_computes_what_the_plain_evaluator_does(problem):
    problem = replace(problem, terminal_share=0.4)
    trees = Prototypes(problem, np.random.default_rng(1), 3)
    with np.errstate(all="ignore"):
        values, codes, constants, sizes = trees.sample(CONFIG, np.array([0, 2]), 200)
        assert values.shape == (400, len(problem.x))
        assert (sizes == (codes >= 0).sum(1)).all()
        assert sizes.max() > 20
        for row in range(400):
            assert values[row] == pytest.approx(
                evaluate(problem, (codes[row], constants[row]), problem.x), nan_ok=True
            )
            nodes = np.flatnonzero(codes[row] >= 0)
            arity = problem.arity[codes[row, nodes]]
            children = [2 * n + 1 + side for n, a in zip(nodes, arity) for side in range(a)]
            assert sorted([0, *children]) == nodes.tolist()
    assert (
        problem.arity[codes[:, 31:]][codes[:, 31:] >= 0] == 0
    ).all()  # terminals in the last level


@np.errstate(all="ignore")
def test_instructions_are_drawn_with_the_probabilities_of_their_nodes():
    trees = Prototypes(HARD, np.random.default_rng(2), 2)
    assert trees.p.sum(-1) == pytest.approx(np.ones(trees.p.shape[:2]))
    assert trees.p[0, 0, -2:] == pytest.approx(CONFIG.quartic_terminals / 2)
    assert trees.p[0, 62].tolist() == [0] * 8 + [0.5, 0.5]
    trees.p[1, 0] = [0.3, 0, 0.1, 0, 0.2, 0, 0.05, 0, 0.25, 0.1]
    trees.p[1, 2] = [0, 0, 0, 0, 0, 0, 0, 0, 0.9, 0.1]
    _, codes, _, _ = trees.sample(CONFIG, np.array([1]), 20_000)
    share = np.bincount(codes[:, 0], minlength=10) / 20_000
    assert share == pytest.approx(trees.p[1, 0], abs=0.012)
    assert share[[1, 3, 5, 7]].tolist() == [0, 0, 0, 0]
    assert np.mean(codes[:, 2][codes[:, 2] >= 0] == 8) == pytest.approx(0.9, abs=0.012)


def test_a_stored_constant_is_used_where_its_probability_is_high():
    trees = Prototypes(HARD, np.random.default_rng(3), 1)
    for share, repeats in ((0.31, True), (0.29, False)):
        trees.p[0, 0] = [0] * 8 + [1 - share, share]
        values, codes, constants, _ = trees.sample(CONFIG, np.zeros(1, int), 300)
        drawn = constants[codes[:, 0] == 9, 0]
        assert (len(set(drawn)) == 1) == repeats
        assert (drawn == trees.constant[0, 0]).all() == repeats
        assert (values[codes[:, 0] == 9] == drawn[:, None]).all()
        assert 0 <= drawn.min() <= drawn.max() < 1
    assert len(set(drawn)) == len(drawn)


# ---- the learning rule ---------------------------------------------------------------------------
def literal_loop(p, target, rate):
    """The paper's loop: step by step until the program is as probable as wanted."""
    k = 0
    while np.log(p).sum() < np.log(target):
        p, k = p + rate * (1 - p), k + 1
    return p, k


@pytest.mark.parametrize("learning_rate", [0.001, 0.01, 0.2])
def test_the_closed_form_takes_as_many_steps_as_the_literal_loop(learning_rate):
    rng, lanes = np.random.default_rng(4), 15
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


@np.errstate(all="ignore")
def test_steps_in_extreme_cases():
    lane = np.array([0, 0, 1, 2, 3])
    p = np.array([1e-300, 0.5, 1.0, 0.2, 0.0])
    steps = steps_to(p, lane, np.log([0.01, 1.0, 0.2, 0.3]), 0.001)
    assert steps[1:3].tolist() == [0, 0]  # already there
    assert (
        after_steps(p[:2], steps[0], 0.001).prod()
        >= 0.01
        > after_steps(p[:2], steps[0] - 1, 0.001).prod()
    )
    assert after_steps(0.0, steps[3], 0.001) >= 0.3


def test_learning_raises_the_joint_probability_to_the_target_and_keeps_vectors_normal():
    config = replace(CONFIG, learning_rate=0.05)
    trees = Prototypes(HARD, np.random.default_rng(5), 3)
    code, constants = program(HARD, ("+", "x", ("sin", 0.125)))
    before = trees.p.copy()
    lanes, ratio = np.array([0, 2]), np.array([1.0, 0.4])
    lane, node, certain, after, steps = learn(
        config, trees, lanes, np.array([code, code]), np.array([constants, constants]), ratio
    )
    assert (trees.p[1] == before[1]).all()
    assert node.tolist() == [0, 1, 2, 5] * 2
    assert lane.tolist() == [0] * 4 + [1] * 4
    assert not certain.any()
    for i, row in enumerate(lanes):
        old = np.array([before[row, n, code[n]] for n in (0, 1, 2, 5)])
        target = old.prod() + (1 - old.prod()) * 0.05 * ratio[i]
        raised, k = literal_loop(old, target, 0.1 * 0.05)
        assert steps[i] == k
        assert [trees.p[row, n, code[n]] for n in (0, 1, 2, 5)] == pytest.approx(raised)
        assert np.exp(after[i]) == pytest.approx(raised.prod())
        assert np.exp(after[i]) >= target
        assert trees.constant[row, 5] == 0.125
    assert trees.p.sum(-1) == pytest.approx(np.ones((3, 63)))
    others = trees.p[0, 0, 1:] / before[0, 0, 1:]
    assert others == pytest.approx(np.full(9, others[0]))  # all shrink alike
    untouched = np.setdiff1d(np.arange(63), [0, 1, 2, 5])
    assert (trees.p[:, untouched] == before[:, untouched]).all()


def test_the_target_of_each_node_by_itself():
    config = replace(CONFIG, joint_target=False)
    trees = Prototypes(EASY, np.random.default_rng(6), 1)
    code, constants = program(EASY, ("+", "x", "x"))
    trees.p[0, 1] = [0.025] * 4 + [0.9]
    _, _, _, after, _ = learn(
        config, trees, np.zeros(1, int), code[None], constants[None], np.ones(1)
    )
    assert trees.p[0, 0, 0] == pytest.approx(0.8 + 0.2 * 0.01)
    assert trees.p[0, 1, 4] == 0.9
    assert trees.p[0, 2, 4] == pytest.approx(0.802)
    assert np.exp(after[0]) == pytest.approx(0.802 * 0.9 * 0.802)
    assert trees.p.sum(-1) == pytest.approx(np.ones((1, 63)))


@np.errstate(all="ignore")
def test_mutation_has_the_papers_rate_and_step():
    trees = Prototypes(HARD, np.random.default_rng(7), 1500)
    lanes = np.arange(1500)
    lane, node = np.repeat(lanes, 4), np.tile([0, 1, 2, 62], 1500)
    before = trees.p.copy()
    hits = mutate(CONFIG, trees, lanes, lane, node)
    chance = 0.4 / (10 * np.sqrt(4))
    possible = 1500 * (3 * 10 + 2)  # the last level: terminals only
    assert hits == pytest.approx(possible * chance, abs=4 * np.sqrt(possible * chance))
    changed = (trees.p != before).any(-1)
    assert set(np.nonzero(changed)[1]) == {0, 1, 2, 62}
    assert changed[:, 0].mean() == pytest.approx(1 - (1 - chance) ** 10, abs=0.03)
    assert trees.p.sum(-1) == pytest.approx(np.ones((1500, 63)))
    assert (trees.p[:, 62, :8] == 0).all()
    first = before[0, 0, 0]  # one function's share; a vector with this entry alone mutated:
    raised = first + 0.4 * (1 - first)
    expected = raised / (1 - first + raised)
    alone = trees.p[changed[:, 0], 0]
    assert (np.abs(alone[:, 0] - expected) < 1e-12).any()
    lanes = np.array([3, 8])  # numbers of lanes and lanes are different things
    before = trees.p.copy()
    mutate(
        replace(CONFIG, mutation_probability=100.0),
        trees,
        lanes,
        np.array([0, 1]),
        np.array([5, 6]),
    )
    assert np.argwhere((trees.p != before).any(-1)).tolist() == [[3, 5], [8, 6]]


def test_pruning_drops_what_a_certain_node_does_not_need():
    trees = Prototypes(HARD, np.random.default_rng(8), 2)
    trees.p[:, :31] = 0.1
    trees.constant[:] = 7.0
    sure = {0: 0, 1: 4, 2: 8}  # + at the root; sin on its left, x on its right
    for node, op in sure.items():
        trees.p[1, node] = 1e-9
        trees.p[1, node, op] = 1 - 9e-9
    dropped = prune(CONFIG, trees, np.array([1]))[0]
    below = {
        n for n in range(63) if n > 2 and any((n + 1) >> k in (4 + 1, 2 + 1) for k in range(6))
    }
    assert (
        set(np.flatnonzero(dropped)) == below
    )  # the right child of node 1, both children of node 2, and all below
    assert (trees.p[1, sorted(below)] == trees.first[sorted(below)]).all()
    assert (trees.constant[1, sorted(below)] < 1).all()
    kept = sorted(set(range(63)) - below)
    assert (trees.constant[1, kept] == 7).all()
    assert (trees.constant[0] == 7).all()


def test_training_prunes_only_when_a_vector_becomes_certain():
    config = replace(CONFIG, prune_threshold=0.6)
    out = train(config, EASY, np.random.default_rng(9), 5, 600)
    assert out["pruned"].min() > 0
    assert train(CONFIG, EASY, np.random.default_rng(9), 5, 600)["pruned"].max() == 0


# ---- training ------------------------------------------------------------------------------------
def test_training_counts_and_keeps_the_best():
    seen = []

    def watch(trees, state):
        assert trees.p.sum(-1) == pytest.approx(np.ones(trees.p.shape[:2]))
        assert trees.p.min() >= 0
        seen.append(
            {name: value.copy() for name, value in state["elite"].items()}
            | {"evaluations": state["evaluations"].copy()}
        )

    out = train(
        replace(CONFIG, elitist_share=0.2), HARD, np.random.default_rng(10), 4, 500, callback=watch
    )
    assert (out["evaluations"] == 500).all()
    assert (out["generations"] >= 50).all()
    assert out["generations"].mean() == pytest.approx(
        62.5, abs=12
    )  # elitist steps cost no evaluation
    fall = np.array([state["error"] for state in seen])
    assert (np.diff(fall, axis=0) <= 0).all()
    assert (out["error"] == fall.min(0)).all()
    for i in range(4):
        values = evaluate(HARD, (out["codes"][i], out["constants"][i]), HARD.x)
        assert errors(HARD, values[None])[0] == pytest.approx(out["error"][i])
        assert out["curve"][i, -1] == out["error"][i]
    assert (np.diff(out["curve"], axis=1) <= 0).all()
    assert (out["steps"] > 0).all()


def test_learning_slows_down_for_worse_programs():
    ratios = {}
    for on in (True, False):
        config, jumps = (
            replace(CONFIG, fitness_rate=on, mutation_probability=0.0, elitist_share=0.0),
            [],
        )

        def watch(trees, state, jumps=jumps):
            worse = state["target"]["error"] > 1.5 * state["elite"]["error"]
            jumps.extend(np.exp(state["joint"][worse]))

        train(config, PAPER, np.random.default_rng(11), 50, 400, callback=watch)
        ratios[on] = np.median(jumps)
    assert ratios[True] < ratios[False]


def test_the_quartic_is_solved_and_how():
    out = train(CONFIG, EASY, np.random.default_rng(12), 30, 20_000)
    assert (out["exact_at"] > 0).mean() > 0.9
    assert np.median(out["exact_at"]) < 2000
    assert (out["exact_at"] == out["evaluations"])[out["exact_at"] > 0].all()  # it stops there
    assert (out["hit_at"] <= out["exact_at"])[out["exact_at"] > 0].all()
    assert (out["hit_at"] > 0).all()
    for i in np.flatnonzero(out["exact_at"]):
        assert proved(EASY, (out["codes"][i], out["constants"][i]))


def test_a_restart_forgets_the_tree_and_the_elite_but_not_the_best():
    errors_seen = []

    def watch(trees, state):
        errors_seen.append(
            (
                state["elite"]["error"][0],
                state["best"]["error"][0],
                state["restarts"][0],
                np.abs(trees.p[0] - trees.first).max(),
            )
        )

    out = train(
        replace(CONFIG, elitist_share=0.0),
        PAPER,
        np.random.default_rng(13),
        1,
        3000,
        150,
        callback=watch,
    )
    elite, best, restarts, _ = map(np.array, zip(*errors_seen))
    assert out["restarts"][0] >= 3
    assert (np.diff(best) <= 0).all()
    again = np.flatnonzero(np.diff(restarts)) + 1  # first generation of a new tree
    assert (elite[again] > best[again]).any()
    assert out["error"][0] == best[-1]
    assert out["evaluations"][0] == 3000
    quiet = [i - j for i, j in zip(again, np.r_[0, again])]
    assert min(quiet) >= 15  # 150 evaluations are 15 generations


def test_lanes_do_not_touch_each_other():
    found = train(CONFIG, EASY, np.random.default_rng(14), 8, 1500)
    assert len({tuple(code) for code in found["codes"]}) > 4


# ---- rivals --------------------------------------------------------------------------------------
def test_random_programs_hit_the_quartic_rarely_and_at_random_times():
    least, exact = draw_at_random(CONFIG, EASY, np.random.default_rng(15), 400_000)
    assert least < 1e-6
    assert 1 <= len(exact) <= 25
    assert exact == sorted(set(exact))
    least, exact = draw_at_random(CONFIG, HARD, np.random.default_rng(15), 5000)
    assert exact == []
    assert 0.5 < least < 16


def test_trees_of_genetic_programming():
    rng = np.random.default_rng(16)
    x, two = Tree(EASY, "x"), Tree(HARD, "R", (), 2.0)
    square = Tree(HARD, "*", (x, Tree(HARD, "+", (x, two))))
    assert square.values == pytest.approx(EASY.x * (EASY.x + 2))
    assert square(np.array([3.0])).tolist() == [15]
    assert (square.inner, square.leaves, square.levels) == (2, 3, 3)
    for full in (True, False):
        levels = [first_tree(HARD, rng, 4, full).levels for _ in range(200)]
        assert max(levels) == 4
        assert (min(levels) == 4) == full
        assert min(levels) > 1
    children = [
        crossover(EASY, rng, first_tree(EASY, rng, 4, True), Tree(EASY, "x")) for _ in range(2000)
    ]
    assert {c.leaves for c in children} >= {1, 8, 7, 5}  # from the root down to a leaf
    assert np.mean([c.leaves == 8 for c in children]) == pytest.approx(
        0.1, abs=0.03
    )  # a leaf for a leaf
    mother = first_tree(HARD, rng, 5, False)
    before = mother.values.copy()
    for _ in range(100):
        child = crossover(HARD, rng, mother, first_tree(HARD, rng, 3, True))
        assert child.values == pytest.approx(child(HARD.x), nan_ok=True)
        assert child.inner + child.leaves >= 1
    assert np.array_equal(mother.values, before, equal_nan=True)


def test_genetic_programming_improves_and_keeps_to_its_budget():
    config = replace(CONFIG, gp_population=100)
    out = genetic_programming(config, PAPER, np.random.default_rng(17), 3000)
    assert out["evaluations"] == 3000
    assert out["error"] < 20.46
    assert (np.diff(out["curve"]) <= 0).all()
    assert out["curve"][-1] == out["error"]
    solved_runs = [
        genetic_programming(config, EASY, np.random.default_rng(s), 5000) for s in range(8)
    ]
    assert sum(r["exact_at"] > 0 for r in solved_runs) >= 3
    assert all(
        r["error"] < 1e-6 and r["hit_at"] <= r["exact_at"] for r in solved_runs if r["exact_at"]
    )
    shallow = replace(config, gp_levels=3, gp_first_depth=3)
    assert all(
        genetic_programming(shallow, HARD, np.random.default_rng(s), 1000)["size"] <= 7
        for s in range(3)
    )


# ---- statistics, run -----------------------------------------------------------------------------
def test_statistics():
    out = solved("a", [5, 0, 7, 9], 100)
    assert (out["a"], out["a_share"], out["a_median"], out["a_q75"]) == (3, 0.75, 9, None)
    assert spread("b", [4.0, 1.0, 2.0])["b_median"] == 2
    rng = np.random.default_rng(0)
    assert exponential_distance(rng.exponential(5.0, 4000)) < 0.02
    assert exponential_distance(np.full(100, 5.0)) == pytest.approx(1 - np.exp(-1), abs=0.02)


def test_run_reports_what_it_found():
    out = run(CONFIG, 0)
    assert out["quartic_exact"] == out["quartic_proved"] == (out["quartic_error"] < 1e-6)
    assert out["quartic_evaluations"] <= 2000
    assert out["paper_error"] < out["paper_constant_error"]
    assert out["paper_test_error"] < out["paper_random_error"]
    assert out["paper_test_error"] == pytest.approx(out["paper_error"], rel=0.3)


@pytest.mark.parametrize(
    "words",
    [["--population", "0"], ["--levels", "x"], ["--gp-first-depth", "9", "--gp-levels", "4"]],
)
def test_bad_settings_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(pipe_symbolic_regression, words)
    assert stopped.value.code == 2
    assert "--" in capsys.readouterr().err
