# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Success-story algorithm: a program search keeps its bias from goal to goal, and takes it back.

Paper: J. Schmidhuber, J. Zhao, M. Wiering, "Shifting inductive bias with success-story algorithm,
adaptive Levin search, and incremental self-improvement", Machine Learning 28(1):105-130, 1997.
Task: a maze of 23 x 23 fields seen through three sensors (front, left, right). Short programs of
nine instructions have to lead to four goals, then five, six, seven, for ten epochs each.
Method: Levin search (LS) tries programs in the order of their probability and running time.
Adaptive LS (ALS) makes each program that it finds more probable. The success-story algorithm (SSA)
puts every such change on a stack, and undoes those since which reward has not come faster.
Claims: ALS is cheaper than LS, SSA makes it cheaper still, and works at every learning rate.

    python3 ssa_bias_transfer_mazes.py --seed 0          one maze; LS, and both at seven rates
    python3 ssa_bias_transfer_mazes.py --quick           proves that the code runs
    python3 study_ssa_bias_transfer_mazes.py --seed 0    resets, random changes, a mirrored world
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    size: Annotated[int, "rooms per side; the maze has 2 size + 1 fields per side", (3, 40)] = 11
    braid: Annotated[float, "share of the inner walls that is knocked out", (0.0, 1.0)] = 0.05
    goals: Annotated[int, "goals in the last, longest list", (2, 20)] = 7
    first_goals: Annotated[int, "goals in the first list; each later one has one more", (1, 20)] = 4
    easiest: Annotated[float, "log2 of the steps that LS needs for goal 1", (2.0, 30.0)] = 8.0
    hardest: Annotated[float, "log2 of the steps that LS needs for the last", (2.0, 30.0)] = 20.0
    epochs_per_set: Annotated[int, "epochs with one list of goals", (1, 1000)] = 10
    rates: Annotated[tuple[float, ...], "learning rates of ALS", (0.0, 1.0)] = (
        *(0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8),
    )
    max_length: Annotated[int, "longest program, in instructions", (1, 12)] = 10
    max_repeat: Annotated[int, "most often that a jump jumps back", (1, 20)] = 6
    limit_factor: Annotated[
        float, "a search is given up at this many times LS's cost", (1, 1e6)
    ] = 10
    method: Annotated[int, "1: forget all at a new list of goals; 2: keep the bias", (1, 2)] = 2

    def __post_init__(self):
        if self.first_goals > self.goals or self.goals >= self.size**2:
            raise ValueError("--first-goals <= --goals < rooms is needed")
        if self.easiest >= self.hardest:
            raise ValueError("--easiest has to be below --hardest")
        if (9 + self.max_length * self.max_repeat) ** self.max_length > 2**62:
            raise ValueError("--max-length and --max-repeat: a program no longer fits in 62 bits")


QUICK = {"size": 6, "goals": 4, "first_goals": 3, "easiest": 5.0, "hardest": 9.0}
QUICK |= {"epochs_per_set": 4, "max_length": 6, "max_repeat": 3}

# ---- the task: a maze, and instructions that run along its corridors ----
HEADINGS = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])  # (4, 2) row, column: E, S, W, N
BLOCKED, LEFT_FREE, RIGHT_FREE = range(3)  # an instruction steps forward until one of these holds
STOPS = np.array([BLOCKED, BLOCKED, *[LEFT_FREE] * 3, *[RIGHT_FREE] * 3])  # (8,)
TURNS = np.array([-1, 1, -1, 1, 0, -1, 1, 0])  # (8,) then turns left (-1), right, or not
JUMP = 8  # the ninth instruction
DEAD = -1  # the state of a program that runs against a wall for ever
NONE = np.iinfo(np.int64).max  # no program
LAST_PHASE = 900  # a program less probable than 2^-900 is never tried


def draw_maze(rng, config):
    """Draw free fields (2n + 1, 2n + 1): a random spanning tree of rooms, then a few walls less."""
    free = np.zeros((2 * config.size + 1, 2 * config.size + 1), bool)
    free[1::2, 1::2] = True
    group = np.arange(free.size).reshape(free.shape)  # connected rooms have one number
    inner = [(r, c) for r in range(1, len(free) - 1) for c in range(1 + r % 2, len(free) - 1, 2)]
    standing = []
    for row, column in rng.permutation(inner):
        down, right = 1 - row % 2, row % 2  # the wall stands between two rooms in this direction
        one = group[row - down, column - right]
        other = group[row + down, column + right]
        if one == other:
            standing.append((row, column))
            continue
        group[group == other] = one
        free[row, column] = True
    for row, column in standing[: round(config.braid * len(standing))]:
        free[row, column] = True
    return free


class Maze:
    """Tables of what each instruction does in each state = 4 field + heading.

    after (states, 9)       the state after it, or DEAD
    cost (states, 9)        its steps, 1 at least
    path (states, 8, side)  the fields that it steps on, then -1; bumping into a wall is a step
    """

    def __init__(self, free):
        self.free = free  # (side, side)
        self.side = len(free)
        self.start = 4 * (self.side + 1)  # field (1, 1), heading East
        state = np.arange(4 * free.size)  # (states,)
        self.after = np.repeat(state[:, None], 9, axis=1)  # a jump leaves the agent where it is
        self.cost = np.ones((len(state), 9), np.intp)
        self.path = np.full((len(state), 8, self.side), -1, np.int16)
        state = state[free.ravel()[state // 4]]  # those on free fields
        for op in range(8):
            self.run_through(op, state)

    def is_free(self, state, turn):
        """Tell which states (N,) have a free field ahead, after a turn."""
        row, column = np.divmod(state // 4, self.side)
        step = HEADINGS[(state + turn) % 4]  # (N, 2)
        return self.free[row + step[:, 0], column + step[:, 1]]

    def run_through(self, op, start):
        """Fill the tables of an instruction: step, and test its condition after each step."""
        state, origin = start, start  # (N,) where those that still run are, and where they began
        for step in range(self.side):
            ahead = HEADINGS[state % 4] @ [self.side, 1]  # (N,) how far the next field is
            state = state + 4 * ahead * self.is_free(state, 0)
            self.path[origin, op, step] = state // 4
            self.cost[origin, op] = step + 1
            blocked = ~self.is_free(state, 0)  # (N,)
            stops = (blocked, self.is_free(state, -1), self.is_free(state, 1))[STOPS[op]]
            turned = state - state % 4 + (state + TURNS[op]) % 4
            self.after[origin, op] = np.where(stops, turned, DEAD)
            state, origin = state[~stops & ~blocked], origin[~stops & ~blocked]

    def first_step(self, wanted):
        """Return the step at which an instruction reaches a wanted field (states, 9), or 0."""
        on = wanted[self.path] & (self.path >= 0)  # (states, 8, side)
        hit = np.zeros(self.after.shape, np.intp)
        hit[:, :JUMP] = np.where(on.any(2), on.argmax(2) + 1, 0)
        return hit

    def distances(self):
        """Return how many steps each field is from the start (fields,), -1 if out of reach."""
        far = np.full(self.free.size, -1)
        reached = np.array([self.start // 4])
        while len(reached):
            far[reached] = far.max() + 1
            near = (reached[:, None] + HEADINGS @ [self.side, 1]).ravel()
            reached = np.unique(near[self.free.ravel()[near] & (far[near] < 0)])
        return far


# ---- the model: programs, their probabilities, and Levin search ----
class Prefixes(NamedTuple):
    """Programs of one length that have run without solving their task, as arrays (N,)."""

    who: np.ndarray  # the policy that proposed it
    program: np.ndarray  # its instructions, as digits of a number
    chance: np.ndarray  # the product of their probabilities
    elapsed: np.ndarray  # steps so far
    state: np.ndarray  # where the agent is
    landings: np.ndarray  # a bit for each address outside all bodies of jumps

    def take(self, index):
        """Return some of them."""
        return Prefixes(*(column[index] for column in self))


class Language:
    """Programs are numbers of max_length digits: 1 to 8 are the instructions that run, others are
    9 + max_repeat address + repeats - 1, jumps; 0 is unwritten. Their order is depth-first.

    A policy (max_length, 9 + max_length + max_repeat) has a row for each address: probabilities
    of the instructions, and for a jump of its target and its number of repeats.
    """

    def __init__(self, config):
        self.length = config.max_length
        self.repeats = config.max_repeat
        self.base = 9 + self.length * self.repeats
        self.place = self.base ** np.arange(self.length - 1, -1, -1, dtype=np.int64)  # (L,)
        self.parts = np.split(np.arange(9 + self.length + self.repeats), [9, 9 + self.length])

    def uniform(self):
        """Return the policy without a bias."""
        policy = np.zeros((self.length, 9 + self.length + self.repeats))
        policy[:, :9] = 1 / 9
        policy[:, 9 : 9 + self.length] = np.tri(self.length, k=-1)  # targets are written addresses
        policy[1:, 9 : 9 + self.length] /= np.arange(1, self.length)[:, None]
        policy[:, 9 + self.length :] = 1 / self.repeats
        return policy

    def columns(self, program):
        """Return the columns of the policy that a program chose, a list for each address."""
        chosen = []
        for digit in program // self.place % self.base:
            loop = divmod(digit - 9, self.repeats)
            jump = [JUMP, 9 + loop[0], 9 + self.length + loop[1]]
            chosen += [jump if digit > JUMP else [digit - 1]] if digit else []
        return chosen

    def walk(self, maze, program):
        """Return the fields on which a program stands, at the start and after each step."""
        digits = [digit for digit in program // self.place % self.base if digit]
        jumped = [0] * len(digits)
        state, fields, pc = maze.start, [maze.start // 4], 0
        while pc < len(digits) and state != DEAD:
            digit = digits[pc]
            target, repeats = divmod(digit - 9, self.repeats)
            if digit > JUMP:
                fields.append(fields[-1])
            else:
                fields.extend(maze.path[state, digit - 1, : maze.cost[state, digit - 1]])
                state = maze.after[state, digit - 1]
            back = digit > JUMP and jumped[pc] <= repeats
            jumped[pc] = jumped[pc] + 1 if back else 0
            pc = target if back else pc + 1
        return fields

    def extend(self, prefixes, address, policy, phase, sooner):
        """Return all programs longer by one whose probability times 2^phase pays for a step more.

        Lowers sooner (S,), what 2^phase has to be for a policy to pay for another.
        """
        rows = policy[:, address]  # (S, columns)
        chance = prefixes.chance[:, None] * rows[prefixes.who, :9]  # (N, 9)
        last = prefixes.program // self.place[address - 1] % self.base  # (N,)
        chance[(last > JUMP) | (address == 0), JUMP] = 0  # no two jumps in a row
        parent, op = affordable(prefixes, chance, phase, sooner)
        chosen = prefixes.take(parent)._replace(chance=chance[parent, op])
        jumps = self.jumps(chosen.take(op == JUMP), address, rows, phase, sooner)
        others = chosen.take(op < JUMP)
        others = others._replace(
            program=others.program + (op[op < JUMP] + 1) * self.place[address],
            landings=others.landings | 1 << address,
        )
        return Prefixes(*map(np.concatenate, zip(others, jumps, strict=True)))

    def jumps(self, prefixes, address, rows, phase, sooner):
        """Return these programs (M,), which go on with a jump, with its target and repeats."""
        target = rows[prefixes.who, 9 : 9 + address]  # (M, address)
        target = target * (prefixes.landings[:, None] >> np.arange(address) & 1)
        times = rows[prefixes.who, 9 + self.length :]  # (M, repeats)
        chance = (target[:, :, None] * times[:, None]).reshape(len(target), address * self.repeats)
        chance *= prefixes.chance[:, None]  # (M, address * repeats)
        parent, loop = affordable(prefixes, chance, phase, sooner)
        chosen = prefixes.take(parent)
        body = (2 << address) - (1 << loop // self.repeats)  # bits of the addresses in the loop
        return chosen._replace(
            program=chosen.program + (loop + 9) * self.place[address],
            chance=chance[parent, loop],
            landings=chosen.landings & ~body,
        )

    def execute(self, maze, hit, goal, new, address, phase):
        """Run instruction `address` of new programs (N,), and what it jumps back to.

        Returns the programs afterwards and whether each found its goal, is dead, or out of time.
        """
        state, elapsed = new.state.copy(), new.elapsed.copy()  # (N,)
        allowed = np.floor(new.chance * 2.0 ** phase[new.who])  # (N,) steps from the start
        found, dead, late = np.zeros((3, len(state)), bool)
        pc = np.full(len(state), address)  # (N,) the address of what runs now
        jumped = np.zeros((len(state), self.length), np.int8)  # how often each jump has jumped back
        on = np.arange(len(state))  # the programs that still run
        while len(on):
            here = pc[on]
            digit = new.program[on] // self.place[here] % self.base
            op = np.minimum(digit - 1, JUMP)
            reach = hit[goal[new.who[on]], state[on], op]  # the step that reaches the goal, or 0
            left = allowed[on] - elapsed[on]
            cost = np.where(reach, reach, maze.cost[state[on], op])
            late[on] = cost > left
            found[on] = (reach > 0) & (reach <= left)
            elapsed[on] += np.minimum(cost, left)
            state[on] = maze.after[state[on], op]
            dead[on] = state[on] == DEAD
            target, repeats = np.divmod(digit - 9, self.repeats)
            back = (digit > JUMP) & (jumped[on, here] <= repeats)
            jumped[on, here] = np.where(back, jumped[on, here] + 1, 0)
            pc[on] = np.where(back, target, here + 1)
            on = on[~(found | dead | late)[on] & (pc[on] <= address)]
        return new._replace(state=state, elapsed=elapsed), found, dead, late


def affordable(prefixes, chance, phase, sooner):
    """Return row and column of each chance (N, K) that in this phase (S,) pays for a step more."""
    needed = (prefixes.elapsed[:, None] + 1) / np.maximum(chance, 1e-300)  # (N, K)
    paid = needed <= 2.0 ** phase[prefixes.who][:, None]  # (N, K)
    needed[paid] = np.inf
    np.minimum.at(sooner, prefixes.who, needed.min(1, initial=np.inf))
    return np.nonzero(paid)


def search_phase(language, maze, hit, goal, policy, phase):
    """Run the programs of each policy, each for at most its probability times 2^phase steps.

    Returns for each policy (S,) the steps, the first solution or NONE, its own steps, and the
    next phase in which there is more to run.
    """
    count = len(policy)
    best = np.full(count, NONE)  # depth-first, the program with the lowest number comes first
    length = np.zeros(count)
    sooner = np.full(count, np.inf)
    first = (np.zeros(count, np.int64), np.ones(count), np.zeros(count))
    start = np.full(count, maze.start)
    prefixes = Prefixes(np.arange(count), *first, start, np.zeros(count, np.int64))
    bills = []
    for address in range(language.length):
        before = language.extend(prefixes, address, policy, phase, sooner)
        after, found, dead, late = language.execute(maze, hit, goal, before, address, phase)
        bills.append((after.who, after.program, after.elapsed - before.elapsed))
        sooner[after.who[late]] = 1
        np.minimum.at(best, after.who[found], after.program[found])
        first = found & (after.program == best[after.who])
        length[after.who[first]] = after.elapsed[first]
        prefixes = after.take(~(found | dead | late) & (after.program < best[after.who]))
        if not len(prefixes.who):
            break
    who, program, steps = map(np.concatenate, zip(*bills, strict=True))
    tried = program <= best[who]  # none after the solution
    spent = np.bincount(who[tried], steps[tried], minlength=count)
    later = np.maximum(phase + 1, np.ceil(np.log2(sooner) - 1e-9))
    return spent, best, length, later


def search(language, maze, hit, goal, policy, limit):
    """Let each policy (S, L, columns) search for its goal (S,) until found or limit (S,) is spent.

    Phases k = 1, 2, ... allow each program its probability times 2^k steps. A run of phases in
    which no program gets further costs the same each time, and is done once. Returns (S,) the
    steps, the program or NONE, and how many steps the program itself takes.
    """
    spent, length = np.zeros((2, len(policy)))
    program = np.full(len(policy), NONE)
    phase = np.ones(len(policy))
    on = np.arange(len(policy))  # the policies that still search
    while len(on):
        batch = (goal[on], policy[on], phase[on])
        cost, program[on], length[on], later = search_phase(language, maze, hit, *batch)
        solved = program[on] < NONE
        phases = np.where(solved, 1, np.minimum(later, LAST_PHASE) - phase[on])
        spent[on] += cost * phases
        spent[on[~solved & (later > LAST_PHASE)]] = np.inf
        phase[on] = later
        on = on[~solved & (spent[on] < limit[on])]
    program[spent > limit] = NONE
    return np.minimum(spent, limit), program, length


# ---- the rules: adaptive Levin search, and the success-story algorithm on top of it ----
class Adaptive:
    """ALS: a policy that a found program makes more like itself."""

    def __init__(self, language, rate):
        self.language = language
        self.rate = rate
        self.policy = language.uniform()  # (L, columns)
        self.time = 0.0  # steps of its life so far
        self.reward = 0.0

    def experience(self, steps, program, length):
        """Live through a search that took these steps; a solution's reward is 1 / its length."""
        self.time += steps
        if program < NONE:
            self.reward += 1 / length
            self.change(program)

    def change(self, program):
        """Move each probability that the program used towards 1, and its alternatives to 0."""
        for row, columns in zip(self.policy, self.language.columns(program), strict=False):
            for column in columns:
                part = next(part for part in self.language.parts if column in part)
                row[part] *= 1 - self.rate
                row[column] += self.rate


class SuccessStory(Adaptive):
    """SSA+ALS: before each change, those since which reward has not sped up are undone."""

    def __init__(self, language, rate):
        super().__init__(language, rate)
        self.stack = []  # (time, reward, policy) before each change that still stands
        self.undone = 0

    def is_success(self):
        """Tell whether the reward rate since each change exceeds that since the one before it."""
        rates = [self.reward / self.time]  # since birth
        for then, reward, _ in self.stack:
            rates.append((self.reward - reward) / (self.time - then))
        return all(late > early for early, late in zip(rates, rates[1:], strict=False))

    def change(self, program):
        """Undo changes, latest first, until those left are a story of success; then change."""
        while self.stack and not self.is_success():
            self.policy = self.stack.pop()[2]
            self.undone += 1
        self.stack.append((self.time, self.reward, self.policy.copy()))
        super().change(program)


# ---- the experiment ----
def choose_goals(language, config, rng):
    """Draw mazes until one has goals further and further away, that cost LS more and more steps.

    The costs lie within a factor of two of a geometric ladder. Returns the maze, the goals' fields
    (G,) and costs (G,).
    """
    ladder = 2.0 ** np.linspace(config.easiest, config.hardest, config.goals)  # (G,) steps
    while True:
        maze = Maze(draw_maze(rng, config))
        fields, costs = climb(language, maze, ladder)
        if len(fields) == config.goals:
            return maze, np.array(fields), np.array(costs)


def climb(language, maze, ladder):
    """Return fields and costs of the goals in this maze, from the lowest rung to where it fails."""
    fields, costs = [], []
    far = maze.distances()  # (fields,)
    room = (np.indices(maze.free.shape) % 2).all(0).ravel()  # (fields,)
    wanted = room & (far > 0)
    while len(fields) < len(ladder):
        hit = maze.first_step(wanted)[None]  # LS stops at the cheapest of the rooms wanted
        rung = ladder[len(fields)]
        spent, program, length = search(
            *(language, maze, hit, np.zeros(1, np.intp)),
            *(language.uniform()[None], np.array([2 * rung])),
        )
        if program[0] == NONE:
            break
        field = language.walk(maze, program[0])[int(length[0])]
        wanted[field] = False
        if spent[0] >= rung / 2:
            fields.append(field)
            costs.append(spent[0])
            wanted &= far > far[field]
    return fields, costs


def live(language, maze, fields, limit, learners, config, progress):
    """Let learners search for all lists of goals, epoch by epoch.

    Returns the steps (epochs, G, S) and which goals were found; both 0 where a goal is not listed.
    """
    sets = config.goals - config.first_goals + 1
    steps = np.zeros((sets * config.epochs_per_set, config.goals, len(learners)))
    solved = np.zeros(steps.shape, bool)
    every = np.arange(maze.free.size)  # (fields,)
    hit = np.array([maze.first_step(every == field) for field in fields])  # (G, states, 9)
    for epoch in range(len(steps)):
        progress(epoch / len(steps), f"epoch {epoch}")
        listed = config.first_goals + epoch // config.epochs_per_set
        if config.method == 1 and epoch % config.epochs_per_set == 0:
            learners = [type(learner)(language, learner.rate) for learner in learners]
        for goal in range(listed):
            policy = np.array([learner.policy for learner in learners])  # (S, L, columns)
            sought = np.full(len(learners), goal)
            outcome = search(language, maze, hit, sought, policy, limit[sought])
            steps[epoch, goal] = outcome[0]
            solved[epoch, goal] = outcome[1] < NONE
            for learner, *one in zip(learners, *outcome, strict=True):
                learner.experience(*one)
    return steps, solved


def run(config, seed, progress):
    """Let LS, ALS and SSA+ALS find the goals of one maze, the latter two at every rate."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    language = Language(config)
    maze, fields, cost = choose_goals(language, config, rng)
    learners = [kind(language, rate) for kind in (Adaptive, SuccessStory) for rate in config.rates]
    begun = process_time()
    limit = config.limit_factor * cost  # (G,)
    steps, solved = live(language, maze, fields, limit, learners, config, progress)
    seconds = max(process_time() - begun, 1e-9)
    speed = {"search": {"steps_per_second": steps.sum() / seconds}}
    return report(config, cost, steps, solved) | speed


def report(config, cost, steps, solved):
    """Return the table of a run from steps (epochs, G, S) and solved, S first ALS, then SSA."""
    sought = steps.any(2)  # (epochs, G)
    ls = (sought * cost).sum()
    als, ssa = steps.sum((0, 1)).reshape(2, -1)  # (rates,)
    als_solved, ssa_solved = (solved | ~sought[:, :, None]).all((0, 1)).reshape(2, -1)
    rates = np.array(config.rates)
    usual = np.abs(rates - 0.1).argmin()
    return {
        "transfer_saving": np.log10(ls / ssa[usual]),
        "ssa_saving": np.log10(als / ssa).mean(),
        "ssa_rates_solved": ssa_solved.mean(),
        "als_large_solved": als_solved[rates >= 0.5].mean(),
        "ls": {"steps": ls},
        "als": {f"steps_{rate}": count for rate, count in zip(config.rates, als, strict=True)},
        "ssa": {f"steps_{rate}": count for rate, count in zip(config.rates, ssa, strict=True)},
    }


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, os, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def add_setting(parser, name, hint, default):
    """Add a field of Config as a flag that refuses words of another kind or out of its range."""
    kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # tuple[kind, ...] or kind
    text, *legal = hint.__metadata__
    how = {"action": argparse.BooleanOptionalAction}
    if kind is not bool:

        def value(word):
            if (word in legal[0]) if kind is str else legal[0][0] <= kind(word) <= legal[0][1]:
                return kind(word)
            raise ValueError  # argparse then says: argument FLAG: invalid NAME value: 'WORD'

        span = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
        value.__name__ = span
        text = f"{text}, {span}"
        how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
    text = f"{text}; default {default}".replace("%", "%%")
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)


def plain(said):
    """A message as one line of bounded length, with control characters as escapes."""
    return repr(str(said))[1:-1][:300]


def command_line(this):
    """The parser of a program's flags: a few of every program, and one for each field of Config."""
    name, form = pathlib.Path(this.__file__).name, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(name, description=this.__doc__, formatter_class=form)
    parser.error = lambda said: parser.exit(2, f"{name}: {plain(said)} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="seconds: it proves the code alone")
    parser.add_argument("--all", action="store_true", help="print every metric, not only claims")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="keep the record there")
    seed = typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]
    add_setting(parser, "seed", seed, 0)
    for setting, hint in typing.get_type_hints(this.Config, include_extras=True).items():
        add_setting(parser, setting, hint, getattr(this.Config, setting))
    return parser


def passes(claim, value):
    """Whether the value of a claim's metric passes the claim's test."""
    value = float("nan") if value is None else value  # which passes no test
    if "within" in claim:
        low, high = claim["within"]
        return low <= value <= high
    bar = claim["threshold"]
    tests = {">=": value >= bar, "<=": value <= bar, ">": value > bar, "<": value < bar}
    return (tests | {"==": value == bar})[claim["op"]]


def claims_of(here):
    """The card's claims about the program at `here`, each tried for what the report needs of it."""
    card, source = here.with_name("card.toml"), "study" if here.stem[:6] == "study_" else "run"
    claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
    claims = [claim for claim in claims if claim.get("from", "run") == source]
    for claim in claims:
        passes(claim, 0.0), claim["metric"], claim["says"], claim["paper"], claim["level"]
    return claims


def flatten(table, prefix=""):
    """{row: {column: number}} as {"row.column": number}. FloatingPointError: one is nan or inf."""
    flat = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif value is not None and not np.all(np.isfinite(value)):
            raise FloatingPointError(f"metric {prefix}{name} is {value}")
        else:
            flat[prefix + name] = value
    return flat


def print_report(numbers, claims, everything):
    """Print each claim with its test, the headline first, then the verdict; or all metrics too."""
    text = {name: "none" if v is None else f"{v:.5g}" for name, v in numbers.items()}
    for name in text if everything or not claims else ():
        print(f"  {name:<{max(map(len, text))}}  {text[name]}")
    failed = [claim for claim in claims if not passes(claim, numbers[claim["metric"]])]
    for claim in claims:
        needed = f"{claim.get('op', 'within')} {claim.get('threshold', claim.get('within'))}"
        paper = "an extra, not judged" if claim["level"] == "extra" else f"paper: {claim['paper']}"
        print(f"{'fails' if claim in failed else 'holds'}  {claim['says']}")
        print(f"       {claim['metric']} {text[claim['metric']]}, needed {needed}; {paper}")
    levels = {claim["level"] for claim in failed}
    verdict = "partial" if "paper" in levels else "reproduces"
    verdict = "does not reproduce" if "trend" in levels else verdict
    if claims:
        print(f"this run: {verdict}; {len(claims) - len(failed)} of {len(claims)} claims hold")


def progress_on_stderr(started):
    """A progress(fraction, message): one live line on a terminal, elsewhere a line each 10 s."""
    live, shown = sys.stderr.isatty(), [0.0]

    def progress(fraction, message):
        now = time.monotonic()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {plain(message)}"
            line = line[: shutil.get_terminal_size().columns - 1]
            begin, end = ("\r\033[K", "") if live else ("", "\n")
            print(f"{begin}{line}", end=end, file=sys.stderr, flush=True)

    return progress


def write_record(path, record):
    """Write or replace the file in one step: a full disk or Ctrl-C leaves what was there."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(this, argv=None):
    """Run a module. Exit code 0: it ran; 1: it diverged; 2: unusable arguments; 130: Ctrl-C."""
    here, started, parser = pathlib.Path(this.__file__), time.monotonic(), command_line(this)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show costs no record
    given = vars(parser.parse_args(argv))
    if odd := [name for name, value in given.items() if value == []]:  # argparse on FLAG=--
        parser.error(f"argument --{odd[0].replace('_', '-')}: expected a value")
    seed, path = given.pop("seed", 0), given.pop("json")
    quick, everything = given.pop("quick"), given.pop("all")
    try:
        taken = path and path.exists() and not path.is_file()
        if taken or path and not os.access(f"{path.parent}/", os.W_OK):
            parser.error(f"argument --json: no file can be written at {path}")
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        config = this.Config(**((this.QUICK if quick else {}) | given))
    except (OSError, ValueError) as error:
        parser.error(error)
    try:
        claims = claims_of(here)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        parser.error(f"card.toml beside it cannot be used: {type(error).__name__} {error}")
    try:
        metrics = flatten(this.run(config, seed, progress_on_stderr(started)))
        record = {"seed": seed, "quick": quick, "config": vars(config), "metrics": metrics}
        record["seconds"] = time.monotonic() - started
        record["processor_seconds"] = time.process_time()
        if path:
            write_record(path, record)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {plain(error)}")
    numbers = {name: v for name, v in metrics.items() if not isinstance(v, list)}
    if lost := [claim["metric"] for claim in claims if claim["metric"] not in numbers]:
        sys.exit(f"{parser.prog}: card.toml names {lost[0]}, which run() returns no number for")
    try:
        cost = f"{record['processor_seconds']:.1f} s of one core"
        print(f"\n{here.stem}, seed {seed}, {cost}{', a quick run: no claim is proved' * quick}")
        print_report(numbers, claims, everything)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.modules[__name__])
