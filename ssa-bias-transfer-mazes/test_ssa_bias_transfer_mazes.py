from dataclasses import replace

import numpy as np
import pytest
import ssa_bias_transfer_mazes as ssa
import study_ssa_bias_transfer_mazes as study
from ssa_bias_transfer_mazes import DEAD, NONE, Adaptive, Config, Language, Maze, SuccessStory

SMALL = Config(**ssa.QUICK)
BENT = np.array(["#####", "#   #", "### #", "#   #", "#####"])
BENT = np.array([list(row) for row in BENT]) == " "  # (5, 5) a corridor with two right turns
JUMP_2 = 9 + SMALL.max_repeat * 0 + 1  # the digit of a jump to address 0, twice


def silent(fraction, message):
    """Show no progress."""


def number(language, digits):
    """The program with these digits."""
    return sum(int(d) * int(p) for d, p in zip(digits, language.place, strict=False))


def drawn(seed, config=SMALL):
    """A maze of its own."""
    return Maze(ssa.draw_maze(np.random.default_rng(seed), config))


# ---- the task ----
@pytest.mark.parametrize("size", [3, 11])
def test_a_maze_is_a_tree_with_a_few_walls_less(size):
    for braid in (0.0, 0.3):
        free = ssa.draw_maze(np.random.default_rng(size), Config(size=size, goals=4, braid=braid))
        walls = 2 * size * (size - 1) - (size**2 - 1)  # inner walls that a tree leaves
        assert free.sum() == size**2 + size**2 - 1 + round(braid * walls)
        assert not free[[0, -1]].any() and not free[:, [0, -1]].any()
        far = Maze(free).distances()
        assert ((far >= 0) == free.ravel()).all()
        assert far[Maze(free).start // 4] == 0


def test_instructions_by_hand():
    maze = Maze(BENT)
    start, corner = maze.start, 4 * (5 + 3)  # (1, 1) and (1, 3), both to the East
    assert maze.after[start, :2].tolist() == [corner + 3, corner + 1]  # then North, then South
    assert maze.cost[start, :2].tolist() == [2, 2]
    assert (maze.after[start, 2:5] == DEAD).all()  # no field to the left is free
    assert maze.after[start, 5:8].tolist() == [corner + 3, corner + 1, corner]
    assert maze.after[corner, 1] == corner + 1 and maze.cost[corner, 1] == 1  # it bumps and turns
    assert maze.path[start, 0, :3].tolist() == [7, 8, -1]
    assert maze.after[start, 8] == start and maze.cost[start, 8] == 1
    wanted = np.arange(25) == 8
    hit = maze.first_step(wanted)
    assert hit[start].tolist() == [2] * 8 + [0]
    assert hit[corner + 1, 0] == 0


def test_a_jump_repeats_its_body_by_hand():
    language, maze = Language(SMALL), Maze(BENT)
    walk = language.walk(maze, number(language, [2, JUMP_2]))
    assert walk == [
        6,
        7,
        8,
        8,
        13,
        18,
        18,
        17,
        16,
        16,
    ]  # two jumps back, and one more falls through


# ---- a slow literal oracle: a machine that senses walls, and Levin search that recurses ----
class Literal:
    """One program at a time, each from the start, one step after the other."""

    def __init__(self, language, free, field):
        self.language = language
        self.free = free
        self.field = divmod(field, len(free))

    def run(self, digits):
        """Return the places stood on after each step, and whether the program still lives."""
        (row, column), heading, pc, places, used = (1, 1), 0, 0, [], [0] * len(digits)
        look = [(0, 1), (1, 0), (0, -1), (-1, 0)]

        def is_free(turn):
            down, right = look[(heading + turn) % 4]
            return self.free[row + down, column + right]

        while pc < len(digits):
            if digits[pc] > 8:
                target, repeats = divmod(digits[pc] - 9, self.language.repeats)
                places.append((row, column))
                used[pc] += 1
                if used[pc] <= repeats + 1:
                    pc = target
                    continue
                used[pc] = 0
            else:
                which = " bblllrrr"[digits[pc]]
                while True:
                    if is_free(0):
                        row, column = row + look[heading][0], column + look[heading][1]
                    places.append((row, column))
                    if {"b": not is_free(0), "l": is_free(-1), "r": is_free(1)}[which]:
                        break
                    if not is_free(0):
                        return places, False
                heading = (heading + {1: -1, 2: 1, 3: -1, 4: 1, 6: -1, 7: 1}.get(digits[pc], 0)) % 4
            pc += 1
        return places, True

    def choices(self, digits, policy, chance):
        """Yield each next digit and the chance of the program with it."""
        language, row = self.language, policy[len(digits)]
        for op in range(8):
            yield op + 1, chance * row[op]
        bodies = [(divmod(d - 9, language.repeats)[0], at) for at, d in enumerate(digits) if d > 8]
        if not digits or digits[-1] > 8:
            return
        for target in range(len(digits)):
            if not any(first <= target <= last for first, last in bodies):
                for times in range(language.repeats):
                    both = row[9 + target] * row[9 + language.length + times]
                    yield 9 + target * language.repeats + times, both * (chance * row[8])

    def phase(self, digits, policy, chance, k, before):
        """Try all programs that begin so; add to self.spent; return digits and steps or None."""
        for digit, p in self.choices(digits, policy, chance):
            allowed = np.floor(p * 2.0**k)
            if allowed < before + 1:
                continue
            places, alive = self.run([*digits, digit])
            for t in range(before, min(len(places), int(min(allowed, 1e6)))):
                self.spent += 1
                if places[t] == self.field:
                    return [*digits, digit], t + 1
            if alive and len(places) <= allowed and len(digits) + 1 < self.language.length:
                if found := self.phase([*digits, digit], policy, p, k, len(places)):
                    return found
        return None

    def search(self, policy, limit):
        """Return steps, program and its length, as the search of the experiment does."""
        self.spent = 0
        for k in range(1, 1001):
            found = self.phase([], policy, 1.0, k, 0)
            if found and self.spent <= limit:
                return self.spent, number(self.language, found[0]), found[1]
            if self.spent >= limit:
                break
        return limit, NONE, 0


def biased(language, seed):
    """A random policy, bent towards some programs."""
    rng = np.random.default_rng(seed)
    learner = Adaptive(language, (0.0, 0.1, 0.5, 0.8)[seed % 4])
    for _ in range(seed):
        first, second = 9 + rng.integers(0, (2 * language.repeats, 4 * language.repeats))
        digits = [*rng.integers(1, 9, 2), first, rng.integers(1, 9), second]
        learner.change(number(language, digits))
    return learner.policy


def test_search_equals_the_literal_one_at_all_policies_side_by_side():
    config = replace(SMALL, size=4, max_length=5)
    language, maze = Language(config), drawn(1, config)
    policy = np.array([biased(language, seed) for seed in range(8)])
    rooms = np.flatnonzero(maze.distances() > 3)[[0, 3, 7]]
    hit = np.array([maze.first_step(np.arange(maze.free.size) == room) for room in rooms])
    goal = np.arange(8) % 3
    limit = np.array([3000.0, 500, 90, 4000, 2000, 3000, 1500, 700])
    spent, program, length = ssa.search(language, maze, hit, goal, policy, limit)
    for s in range(8):
        expected = Literal(language, maze.free, rooms[goal[s]]).search(policy[s], limit[s])
        assert (spent[s], program[s]) == expected[:2]
        assert program[s] == NONE or length[s] == expected[2]
    assert 0 < (program == NONE).sum() < 8
    digits = program[program < NONE][:, None] // language.place % language.base
    assert (digits > 8).any()  # one solution has a loop


def test_nested_loops_run_as_the_literal_machine_does():
    language, maze = Language(replace(SMALL, max_length=6)), drawn(5)
    for digits in ([1, 2, 9 + 3 + 1, 2, 9 + 2], [2, 1, 12, 5, 9 + 1, 6], [2, 9, 8, 9 + 2 * 3, 1]):
        places, _ = Literal(language, maze.free, 0).run(digits)
        fields = language.walk(maze, number(language, digits))[1:]
        assert [divmod(int(field), maze.side) for field in fields] == places


# ---- the rules ----
def test_adaptation_by_hand():
    language = Language(SMALL)  # 6 addresses, 3 repeats
    learner = Adaptive(language, 0.5)
    learner.change(number(language, [4, JUMP_2]))
    row, jump, rest = learner.policy[0], learner.policy[1], learner.policy[2:]
    assert row[:9] == pytest.approx([1 / 18] * 3 + [1 / 18 + 0.5] + [1 / 18] * 5)
    assert jump[8] == pytest.approx(1 / 18 + 0.5)
    assert jump[9:15].tolist() == [1, 0, 0, 0, 0, 0]
    assert jump[15:] == pytest.approx([1 / 6, 2 / 3, 1 / 6])
    assert (rest == language.uniform()[2:]).all()
    assert learner.policy[1:, :9].sum(1) == pytest.approx(1)
    assert (row[9:] == language.uniform()[0, 9:]).all()


def test_reward_is_one_over_the_solution_and_failures_take_time():
    learner = Adaptive(Language(SMALL), 0.1)
    learner.experience(50.0, NONE, 0.0)
    learner.experience(30.0, number(learner.language, [1]), 4.0)
    assert (learner.time, learner.reward) == (80.0, 0.25)


def story_of(*events):
    """A learner that lived through searches (steps, length), with its policy before each."""
    learner, seen = SuccessStory(Language(SMALL), 0.3), []
    for steps, length in events:
        seen.append(learner.policy.tobytes())
        learner.experience(steps, number(learner.language, [1, 5, JUMP_2]), length)
    return learner, seen


def test_changes_that_sped_reward_up_stay():
    learner, seen = story_of((100, 10), (50, 10), (20, 10), (5, 10))
    assert [t for t, _, _ in learner.stack] == [100, 150, 170, 175]
    assert [p.tobytes() for _, _, p in learner.stack] == seen
    assert learner.undone == 0


def test_changes_that_did_not_are_undone_latest_first_and_bit_for_bit():
    learner, seen = story_of((100, 10), (50, 10), (20, 10), (65, 10))
    # since 170: 0.1 / 65, since 150: 0.2 / 85, since 100: 0.3 / 135, since birth: 0.4 / 235
    assert [t for t, _, _ in learner.stack] == [100, 150, 235]
    assert learner.stack[-1][2].tobytes() == seen[2]
    assert learner.undone == 1
    learner, seen = story_of((100, 10), (50, 10), (20, 10), (5000, 10))
    assert [t for t, _, _ in learner.stack] == [5170]
    assert learner.stack[0][2].tobytes() == seen[0]


def test_the_same_rate_is_no_success():
    learner, _ = story_of((100, 10), (100, 10))
    assert learner.undone == 1


# ---- the experiment ----
@pytest.fixture(scope="module")
def world():
    """A maze with goals."""
    language = Language(SMALL)
    return language, *ssa.choose_goals(language, SMALL, np.random.default_rng(3))


def test_goals_are_rooms_ever_further_and_cost_what_plain_search_pays(world):
    language, maze, fields, cost = world
    far = maze.distances()[fields]
    assert (np.diff(far) > 0).all()
    assert (np.array(np.divmod(fields, maze.side)) % 2 == 1).all()
    ladder = 2.0 ** np.linspace(SMALL.easiest, SMALL.hardest, SMALL.goals)
    assert (cost >= ladder / 2).all() and (cost <= ladder * 2).all()
    for field, paid in zip(fields, cost, strict=True):
        assert Literal(language, maze.free, field).search(language.uniform(), 1e9)[0] == paid


def test_each_epoch_asks_for_the_listed_goals_in_order(world, monkeypatch):
    language, maze, fields, cost = world
    asked, search = [], ssa.search

    def spy(language, maze, hit, goal, policy, limit):
        asked.append((goal.copy(), policy.copy(), limit.copy()))
        return search(language, maze, hit, goal, policy, limit)

    monkeypatch.setattr(ssa, "search", spy)
    learners = [Adaptive(language, 0.2), SuccessStory(language, 0.2), Adaptive(language, 0.0)]
    steps, solved = ssa.live(language, maze, fields, 10 * cost, learners, SMALL, silent)
    goals = [goal.tolist() for goal, _, _ in asked]
    assert goals == [[g] * 3 for g in (*range(3),) * 4 + (*range(4),) * 4]
    assert all((limit == 10 * cost[goal]).all() for goal, _, limit in asked)
    assert (asked[0][1] == language.uniform()).all()  # nobody knows anything before the first goal
    assert (steps[0, 0] == cost[0]).all()
    assert (steps[:, :, 2] == np.where(steps[:, :, 2], cost, 0)).all()  # rate 0: plain LS each time
    assert steps.sum((0, 1)).tolist() == [learner.time for learner in learners]
    assert solved[:4, 3].sum() == 0 and steps[:4, 3].sum() == 0
    assert (asked[1][1][0] != asked[0][1][0]).any()  # changed by the first solution


def test_method_1_forgets_at_a_new_list_only(world):
    language, maze, fields, cost = world
    rates = [Adaptive(language, 0.3), SuccessStory(language, 0.3)]
    method_1 = replace(SMALL, method=1)
    steps, _ = ssa.live(language, maze, fields, 10 * cost, rates, method_1, silent)
    assert (steps[0, :3] == steps[4, :3]).all()
    assert (steps[1:4, :3].sum(0) < 3 * steps[0, :3].sum(0)).all()
    assert (steps[1] != steps[0]).any()


def test_the_report_by_hand():
    config = Config(rates=(0.1, 0.5, 0.8), goals=2, first_goals=1)
    steps = np.array([[[10.0] * 6, [0] * 6], [[90, 90, 990, 9, 40, 90], [10] * 6]])  # (2, 2, 6)
    solved = steps > 0
    solved[1, 0, 2] = False
    table = ssa.report(config, np.array([100.0, 90.0]), steps, solved)
    assert table["ls"] == {"steps": 290}
    assert table["als"] == {"steps_0.1": 110, "steps_0.5": 110, "steps_0.8": 1010}
    assert table["ssa"] == {"steps_0.1": 29, "steps_0.5": 60, "steps_0.8": 110}
    assert table["transfer_saving"] == pytest.approx(1)
    savings = np.log10([110 / 29, 110 / 60, 1010 / 110])
    assert table["ssa_saving"] == pytest.approx(savings.mean())
    assert (table["ssa_rates_solved"], table["als_large_solved"]) == (1, 0.5)


def test_als_and_ssa_live_in_one_maze_with_the_same_limits(monkeypatch):
    lives, live = [], ssa.live
    monkeypatch.setattr(ssa, "live", lambda *given: lives.append(given) or live(*given))
    table = ssa.run(SMALL, 4, silent)
    (_, maze, fields, limit, learners, config, _) = lives[0]
    assert len(lives) == 1 and config == SMALL
    assert [type(learner) for learner in learners] == [Adaptive] * 7 + [SuccessStory] * 7
    assert [learner.rate for learner in learners] == list(SMALL.rates) * 2
    assert (limit > 9 * 2.0 ** (SMALL.easiest - 1)).all()
    als = [table["als"][f"steps_{rate}"] for rate in SMALL.rates]
    assert als == [learner.time for learner in learners[:7]]
    other = ssa.run(SMALL, 5, silent)
    assert other["ls"] != table["ls"] or other["als"] != table["als"]
    ssa.run(SMALL, 5, silent)
    assert (lives[1][1].free != maze.free).any()
    assert (lives[2][1].free == lives[1][1].free).all()


@pytest.mark.parametrize(
    "bad",
    [{"first_goals": 8}, {"size": 3, "goals": 9}, {"easiest": 20.0}, {"max_length": 12}],
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match="--"):
        Config(**bad)


# ---- the study ----
def test_the_mirrored_world_is_the_reflected_maze():
    maze = drawn(2)
    world, flipped = study.mirrored(maze), Maze(maze.free.T)
    state = np.flatnonzero(maze.free.ravel())[:, None] * 4 + np.arange(4)  # (fields, 4)
    row, column = np.divmod(state // 4, maze.side)
    image = 4 * (column * maze.side + row) + (1 - state) % 4  # the transposed place and heading
    after = world.after[state]  # (fields, 4, 9)
    row, column = np.divmod(after // 4, maze.side)
    expected = 4 * (column * maze.side + row) + (1 - after) % 4
    assert (np.where(after == DEAD, DEAD, expected) == flipped.after[image]).all()
    assert (world.cost[state] == flipped.cost[image]).all()
    assert (maze.after == study.mirrored(world).after).all()


def test_random_changes_touch_as_many_rows_and_do_not_copy_the_program():
    language = Language(SMALL)
    learners, places = study.population(language, study.Config(), np.random.SeedSequence(1))
    program = number(language, [1, 1, 1])
    changed = []
    for learner, (row, _) in zip(learners, places, strict=True):
        learner.experience(10.0, program, 3.0)
        rows = (abs(learner.policy - language.uniform()) > 1e-9).any(1)
        assert rows.tolist() == [True] * 3 + [False] * 3
        changed += [learner.policy[:3, :9].argmax(1).tolist()] if row == "random" else []
    assert len({tuple(choice) for choice in changed}) == len(changed) == 4  # streams of their own
    assert all(choice != [0, 0, 0] for choice in changed)


def test_a_floor_holds_and_probabilities_still_sum_to_one():
    language = Language(SMALL)
    learner = study.FlooredStory(language, 0.8)
    learner.floor = 0.01
    for steps in range(20, 0, -1):  # ever faster, so that all changes stay
        learner.experience(float(steps), number(language, [1, 2, JUMP_2]), 1.0)
    assert len(learner.stack) == 20
    legal = language.uniform() > 0
    assert learner.policy[legal].min() > 0.009
    assert (learner.policy[~legal] == 0).all()
    assert learner.policy[:, :9].sum(1) == pytest.approx(1)


def test_a_story_by_epochs_has_one_entry_for_each():
    learner = study.EpochStory(Language(SMALL), 0.2)
    for _ in range(3):
        learner.begun = True
        for steps in (8, 4, 2):
            learner.experience(steps / (1 + learner.time), number(learner.language, [1]), 1.0)
    assert len(learner.stack) + learner.undone == 3


def test_the_study_agrees_with_the_experiment_and_draws_its_own_mazes(monkeypatch):
    mazes, draw = [], ssa.draw_maze

    def spy(rng, config):
        mazes.append(draw(rng, config))
        return mazes[-1]

    monkeypatch.setattr(ssa, "draw_maze", spy)
    config = study.Config(**study.QUICK, rates=(0.1, 0.5))
    same = replace(config, large_size=config.size)
    table = study.run(same, 6, silent)
    assert table["ls"]["steps"] > table["as_published"]["ssa_0.5"]
    assert len({maze.shape for maze in mazes}) == 1  # here the large maze is no larger
    assert len({maze.tobytes() for maze in mazes}) == len(mazes) > 1
    assert table["mirror"]["left_0.5"] <= table["mirror"]["stood_0.5"]
    assert table["as_published"].keys() == table["method_1"].keys() == table["random"].keys()
