# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""HQ-learning walks a maze with nine views that no policy without memory can solve.

A chain of Q-learners, of which one is in control. Each sees only the walls around it, and each
but the last chooses a view as its sub-goal: when it sees it, the next one takes over. Which
agent is in control is the whole memory; no one tells the agents where to hand over.

Paper: M. Wiering, J. Schmidhuber, "HQ-Learning", Adaptive Behavior 6(2):219-246, 1997.
Claim: near-optimal deterministic policies in almost all simulations, where policies without
memory fail or, if stochastic, perform poorly.

    python3 hq_learning_pomdp.py --seed 0     # 20 simulations of 20,000 trials
    python3 hq_learning_pomdp.py --help       # lists every setting
"""

import itertools
import math
import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    simulations: Annotated[int, "systems, each trained alone", (1, 1000)] = 20
    agents: Annotated[int, "policies in the chain", (1, 100)] = 6
    trials: Annotated[int, "training trials of a system", (1, 10**7)] = 20_000
    steps: Annotated[int, "steps of a trial at most", (1, 10**6)] = 1000
    gamma: Annotated[float, "discount per step", (0.0, 0.9999)] = 0.9
    decay: Annotated[float, "lambda: 1 trusts what came, 0 the tables", (0.0, 1.0)] = 0.9
    rate_q: Annotated[float, "alpha_Q, step size of the action values", (0.0, 1.0)] = 0.05
    rate_hq: Annotated[float, "alpha_HQ, step size of the sub-goal values", (0.0, 1.0)] = 0.2
    temperature: Annotated[float, "of the softmax over action values", (1e-3, 1000.0)] = 0.1
    explore_start: Annotated[float, "P_max, chance of the greedy choice, at first", (0.0, 1.0)] = (
        0.9
    )
    explore_end: Annotated[float, "P_max in the last trial", (0.0, 1.0)] = 1.0
    reward: Annotated[float, "at the goal", (0.0, 1e6)] = 100.0


QUICK = {"simulations": 3, "trials": 400, "steps": 300}
TEST_EVERY = 500  # trials
NEAR_OPTIMAL = 1.25  # times the shortest path

# ---- the task ----
ROWS = (  # S start, G goal, # wall; all around is wall
    "........#.",
    ".#.###...G",
    ".#....##.#",
    ".##.#..#.#",
    "..#.##...#",
    "#.#.#.#.#.",
    "#...#...#.",
    "##.######S",
    ".....#.#..",
    "..#......#",
)
VIEWS = 16  # which of the four neighbours are walls
MOVES = ((-1, 0, 8), (0, 1, 4), (1, 0, 2), (0, -1, 1))  # north, east, south, west: bit of a wall


class Maze:
    """A maze of F fields, as tables: after[field, action] steps a whole batch at once."""

    cost = 0.0  # of a step

    def __init__(self, rows):
        free = [(y, x) for y, row in enumerate(rows) for x, kind in enumerate(row) if kind != "#"]
        number = {place: field for field, place in enumerate(free)}
        self.places = np.array(free)  # (F, 2) row and column
        self.start = next(f for f, (y, x) in enumerate(free) if rows[y][x] == "S")
        self.goal = next(f for f, (y, x) in enumerate(free) if rows[y][x] == "G")
        self.after = np.zeros((len(free), 4), np.intp)  # (F, 4) where an action leads
        self.view = np.zeros(len(free), np.intp)  # (F,) the walls around: 8 N + 4 E + 2 S + 1 W
        for (y, x), field in number.items():
            for action, (down, right, wall) in enumerate(MOVES):
                neighbour = number.get((y + down, x + right))
                self.after[field, action] = field if neighbour is None else neighbour
                self.view[field] += wall * (neighbour is None)

    def shortest(self):
        """Return the fewest steps from the start to the goal."""
        reached = np.arange(len(self.view)) == self.start  # (F,)
        for steps in itertools.count():
            if reached[self.goal]:
                return steps
            reached[self.after[reached]] = True


# ---- the learners ----
class System:
    """A chain of M agents, each with a table of action values and one of sub-goal values.

    Tables stand still during a trial, so that a trial is a walk through lists. A key stands for an
    agent and what it sees, agent * VIEWS + view; a cell for a key and an action, key * 4 + action.
    """

    def __init__(self, maze, config, rng):
        self.maze, self.config = maze, config
        self.after, self.view = maze.after.T.tolist(), maze.view.tolist()  # (4, F), (F,)
        self.uniform = uniforms(rng)  # an endless stream of numbers in [0, 1)
        keys = config.agents * VIEWS
        self.q = [0.0] * (4 * keys)  # (cells,) action values
        self.v = [0.0] * keys  # (keys,) their maxima as of the last trial
        self.best = [-1] * keys  # (keys,) the action that has it, -1 if several do
        self.hq = [[0.0] * VIEWS for _ in range(config.agents - 1)]  # (M - 1, VIEWS)

    def trial(self, greedy):
        """Walk from the start; `greedy` is P_max. Learn at the end; returns the steps taken."""
        after, view, best, goal = self.after, self.view, self.best, self.maze.goal
        field, offset = self.maze.start, 0
        seen = view[field]
        path, begins, wanted = [], [0], [self.choose_sub_goal(0, greedy)]  # (T,) cells, (N,), (N,)
        sub_goal = wanted[0]
        for u in itertools.islice(self.uniform, self.config.steps):
            key = offset + seen
            action = best[key]
            if u >= greedy:
                action = self.softmax(key, (u - greedy) / (1 - greedy))
            elif action < 0:
                action = self.untie(key, u / greedy)
            path.append(4 * key + action)
            field = after[action][field]
            if field == goal:
                break
            seen = view[field]
            if seen == sub_goal:
                offset += VIEWS
                sub_goal = self.choose_sub_goal(len(begins), greedy)
                begins.append(len(path))
                wanted.append(sub_goal)
        final = self.config.reward if field == goal else -self.maze.cost
        self.learn_actions(path, final)
        self.learn_sub_goals(begins, wanted, len(path), final)
        return len(path)

    def choose_sub_goal(self, agent, greedy):
        """Draw a view, with probability `greedy` one of the best; the last agent has none, -1."""
        if agent == self.config.agents - 1:
            return -1
        values = self.hq[agent]  # (VIEWS,)
        u = next(self.uniform)
        if u >= greedy:
            return int((u - greedy) / (1 - greedy) * VIEWS)
        highest = max(values)
        ties = [view for view, value in enumerate(values) if value == highest]
        return ties[int(u / greedy * len(ties))]

    def untie(self, key, u):
        """Turn a uniform number into one of the best actions."""
        ties = [action for action in range(4) if self.q[4 * key + action] == self.v[key]]
        return ties[int(u * len(ties))]

    def softmax(self, key, u):
        """Turn a uniform number into an action, by Boltzmann's distribution."""
        highest, temperature = self.v[key], self.config.temperature
        odds = [math.exp((q - highest) / temperature) for q in self.q[4 * key : 4 * key + 4]]
        left = u * sum(odds)
        for action in range(3):
            left -= odds[action]
            if left < 0:
                return action
        return 3

    def learn_actions(self, path, final):
        """Update the action values, last step first; the maxima V stand still meanwhile.

        Q'_T = R_T;  Q'_t = R_t + gamma ((1 - lambda) V(t+1) + lambda Q'_{t+1}),
        where V(t+1) is that of the agent in control at t+1: the target crosses hand-overs.
        """
        gamma, decay, rate = self.config.gamma, self.config.decay, self.config.rate_q
        q, v, cost = self.q, self.v, self.maze.cost
        trust_v, trust_q = gamma * (1 - decay), gamma * decay
        target = final
        for cell in reversed(path):
            q[cell] += rate * (target - q[cell])
            target = trust_v * v[cell >> 2] + trust_q * target - cost
        for key in {cell >> 2 for cell in set(path)}:
            values = q[4 * key : 4 * key + 4]  # (4,)
            v[key] = highest = max(values)
            self.best[key] = values.index(highest) if values.count(highest) == 1 else -1

    def learn_sub_goals(self, begins, wanted, end, final):
        """Update the sub-goal values of the N agents that were active, the last of them first.

        i = N: HQ' = R_N;  i = N-1: HQ' = R_i + gamma^n R_N;
        i < N-1: HQ' = R_i + gamma^n ((1 - lambda) max HQ_{i+1} + lambda HQ'_{i+1}),
        where the agent acted for n steps and R_i is their reward, discounted from its first.
        """
        gamma, decay, rate = self.config.gamma, self.config.decay, self.config.rate_hq
        highest = [max(values) for values in self.hq]  # (M - 1,) before any update
        last = len(begins) - 1
        for i in reversed(range(len(begins))):
            n = end - begins[i]
            if i == last:
                target = self.own_return(n, final)
            elif i == last - 1:
                target = self.own_return(n, -self.maze.cost) + gamma**n * target
            else:
                later = (1 - decay) * highest[i + 1] + decay * target
                target = self.own_return(n, -self.maze.cost) + gamma**n * later
            if wanted[i] >= 0:
                values = self.hq[i]  # (VIEWS,)
                values[wanted[i]] += rate * (target - values[wanted[i]])
            end = begins[i]

    def own_return(self, steps, final):
        """Return what so many steps bring, the last one `final`, seen from the first of them."""
        gamma = self.config.gamma
        before = -self.maze.cost * (1 - gamma ** (steps - 1)) / (1 - gamma)
        return before + gamma ** (steps - 1) * final

    def walk(self):
        """Test: the best actions and sub-goals, ties to the first; returns [(agent, field)]."""
        agent, field, path = 0, self.maze.start, []
        wanted = [values.index(max(values)) for values in self.hq] + [-1]  # (M,)
        while field != self.maze.goal and len(path) < self.config.steps:
            path.append((agent, field))
            key = agent * VIEWS + self.view[field]
            action = self.q[4 * key : 4 * key + 4].index(self.v[key])
            field = self.after[action][field]
            agent += self.view[field] == wanted[agent]
        return path + [(agent, field)]

    def test(self):
        """Return the steps of a test, and whether it ends at the goal."""
        path = self.walk()
        return len(path) - 1, path[-1][1] == self.maze.goal


def uniforms(rng):
    """Return an endless stream of numbers in [0, 1), drawn in blocks."""
    return itertools.chain.from_iterable(rng.random(4096).tolist() for _ in itertools.count())


# ---- training ----
def train(system, config, progress):
    """Train a system. Returns its tests (tests, 2), steps and success, and the steps it took."""
    tests, taken = [], 0
    for trial in range(config.trials):
        share = trial / max(config.trials - 1, 1)
        if trial % TEST_EVERY == 0:
            tests.append(system.test())
            progress(trial / config.trials, f"{tests[-1][0]} steps in the test")
        greedy = config.explore_start + share * (config.explore_end - config.explore_start)
        taken += system.trial(greedy)
    return np.array(tests + [system.test()]), taken


def train_all(maze, config, seed, progress, kind=System):
    """Train the simulations. Returns their tests (simulations, tests, 2) and steps per second."""
    seeds = seed.spawn(config.simulations)
    results, taken, started = [], 0, process_time()
    for k, own_seed in enumerate(seeds):

        def note(share, text, k=k):
            progress((k + share) / config.simulations, text)

        system = kind(maze, config, np.random.default_rng(own_seed))
        tests, steps = train(system, config, note)
        results.append(tests)
        taken += steps
    seconds = process_time() - started
    return np.array(results), taken / max(seconds, 1e-9)


# ---- the rival: the best policy without memory ----
def chain_of(maze, z):
    """Return softmax policies of z (K, VIEWS, 4), their chains, and where each action leads."""
    policy = np.exp(z - z.max(2, keepdims=True))  # (K, VIEWS, 4)
    policy /= policy.sum(2, keepdims=True)
    moves = np.eye(len(maze.view))[maze.after.T]  # (4, F, F) of 0 and 1
    moves[:, maze.goal] = 0.0  # a trial ends at the goal
    moves[:, :, maze.goal] = 0.0
    chain = np.einsum("kfa,afg->kfg", policy[:, maze.view], moves)  # (K, F, F)
    return policy, chain, moves


def expected_steps(maze, z):
    """Return the exact expected steps of policies z (K, VIEWS, 4), and d log(steps) / dz."""
    policy, chain, moves = chain_of(maze, z)
    fields = len(maze.view)
    left = np.eye(fields) - chain  # (K, F, F)
    ahead = np.linalg.solve(left, np.ones((len(z), fields, 1)))[..., 0]  # (K, F) steps from there
    steps = ahead[:, maze.start]  # (K,)
    begin = np.eye(fields)[None, :, [maze.start]].repeat(len(z), 0)  # (K, F, 1)
    visits = np.linalg.solve(left.transpose(0, 2, 1), begin)  # (K, F, 1)
    d_field = visits * np.einsum("afg,kg->kfa", moves, ahead)  # (K, F, 4)
    d_policy = np.eye(VIEWS)[maze.view].T @ d_field  # (K, VIEWS, 4)
    dz = policy * (d_policy - (policy * d_policy).sum(2, keepdims=True))  # (K, VIEWS, 4)
    return steps, dz / steps[:, None, None]


def capped_steps(maze, z, most):
    """Return the expected steps (K,) of policies z if a trial ends after `most` of them."""
    _, chain, _ = chain_of(maze, z)
    alive = np.eye(len(maze.view))[None, [maze.start]].repeat(len(z), 0)  # (K, 1, F) where it is
    total = np.zeros(len(z))
    for _ in range(most):
        total += alive.sum((1, 2))
        alive = alive @ chain
    return total


def best_memoryless(maze, rng, starts=6, updates=600, learning_rate=0.1):
    """Descend the expected steps by Adam from several starts; returns z (K, VIEWS, 4)."""
    z = rng.normal(size=(starts, VIEWS, 4))
    mean, square = np.zeros_like(z), np.zeros_like(z)
    for update in range(1, updates + 1):
        _, dz = expected_steps(maze, z)
        mean += 0.1 * (dz - mean)
        square += 0.01 * (dz**2 - square)
        spread = np.sqrt(square / (1 - 0.99**update)) + 1e-8
        z -= learning_rate * mean / (1 - 0.9**update) / spread
    return z


# ---- the experiment ----
def summary(tests, maze, config):
    """Sum up the tests (simulations, tests, 2) of a row, of which the last one counts."""
    steps, solved = tests[:, -1, 0], tests[:, -1, 1] > 0  # (simulations,)
    found = tests[..., 1].any(1)  # (simulations,) ever
    first = tests[found, :, 1].argmax(1) * TEST_EVERY  # (found,) trials
    optimum = maze.shortest()
    return {
        "solved_share": solved.mean(),
        "near_optimal_share": (solved & (steps <= NEAR_OPTIMAL * optimum)).mean(),
        "optimal_share": (solved & (steps == optimum)).mean(),
        "mean_steps": steps.mean(),
        "median_steps": np.median(steps),
        "first_solved_trial": np.minimum(first, config.trials).mean() if found.any() else None,
    }


def run(config, seed, progress):
    """Train the simulations, and compare their tests with the best policy without memory."""
    maze = Maze(ROWS)
    train_seed, rival_seed = np.random.SeedSequence(seed).spawn(2)
    tests, speed = train_all(maze, config, train_seed, progress)
    hq = summary(tests, maze, config) | {"steps_per_second": speed}
    z = best_memoryless(maze, np.random.default_rng(rival_seed))
    memoryless = capped_steps(maze, z, config.steps).min()
    uniform = capped_steps(maze, np.zeros((1, VIEWS, 4)), config.steps)[0]
    trials = np.minimum(np.arange(tests.shape[1]) * TEST_EVERY, config.trials)
    points = np.unique(np.linspace(0, len(trials) - 1, 101).astype(int))
    return {
        "hq": hq,
        "memoryless": {"mean_steps": memoryless},
        "uniform": {"mean_steps": uniform},
        "memoryless_ratio": memoryless / hq["mean_steps"],
        "curve": {"x": trials[points].tolist(), "y": tests[:, points, 0].mean(0).tolist()},
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
