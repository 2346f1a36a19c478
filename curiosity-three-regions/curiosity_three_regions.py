# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Curious agents learn a world faster: they are paid for the improvement of their world model.

Rooms of three kinds answer whoever enters them: known ones always the same, random ones by a coin,
learnable ones each with its own hidden sign. M predicts the answer, C the error of M. The reward is
by how much C's figure falls: it dries up where all is known, and where nothing can be known.

Paper: J. Schmidhuber, "Curious model-building control systems", IJCNN Singapore 1991, and
"Adaptive confidence and adaptive curiosity", FKI-149-91, TU Munich 1991.
Claim: the error of M falls up to ten times faster than with random search.

    python3 curiosity_three_regions.py --seed 0     # six kinds of agents, in seconds
    python3 curiosity_three_regions.py --help       # lists every setting

Names of array sizes: A agents side by side, S rooms, T steps.
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    agents: Annotated[int, "agents of each kind, side by side", (1, 10_000)] = 20
    steps: Annotated[int, "steps of each agent", (10, 1_000_000)] = 6000
    rate_m: Annotated[float, "part of its error that M corrects at a visit", (1e-4, 1.0)] = 0.05
    rate_c: Annotated[float, "part of its error that C corrects at a visit", (1e-4, 1.0)] = 0.2
    prior_error: Annotated[float, "squared error C expects of unknown rooms", (0.0, 100.0)] = 1.0
    gamma: Annotated[float, "discount of rewards, per step", (0.0, 0.999)] = 0.95
    explore: Annotated[float, "share of moves that are random", (0.0, 1.0)] = 0.05
    rate_q: Annotated[float, "learning rate of Q-learning", (1e-4, 1.0)] = 0.2
    trace: Annotated[float, "decay of Q-learning's traces, per step", (0.0, 1.0)] = 0.9
    start_q: Annotated[float, "value of each move before any step", (-100.0, 100.0)] = 0.2
    rate_r: Annotated[float, "learning rate of a planner's rewards", (1e-4, 1.0)] = 0.2
    start_r: Annotated[float, "reward a planner expects of a new room", (-100.0, 100.0)] = 0.02
    sweeps: Annotated[int, "sweeps of value iteration a step", (1, 1000)] = 3
    known: Annotated[bool, "C knows the known rooms from the start"] = True

    def __post_init__(self):
        if self.rate_c <= self.rate_m:
            raise ValueError("argument --rate-c: it has to be above --rate-m, or C lags behind M")


QUICK = {"agents": 6, "steps": 1600, "rate_m": 0.15, "rate_c": 0.6}


# ---- the task: rooms on a square grid ----
SIDE = 10  # rooms along a side
BLOCK = 3  # rooms along a side of the learnable corner
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left, as (row, column)


class World:
    """Rooms that answer whoever enters: A copies, an agent in each, all starting in a corner."""

    def __init__(self, side=SIDE):
        row, column = np.divmod(np.arange(side**2), side)  # (S,) each
        self.known = column < side // 2  # (S,) these always answer 0
        self.learnable = np.minimum(row, column) >= side - BLOCK  # (S,) each its own sign, for ever
        self.random = ~(self.known | self.learnable)  # (S,) a fair coin, thrown at each visit
        ends = np.clip([(row + down, column + right) for down, right in MOVES], 0, side - 1)
        self.neighbours = ends[:, 0] * side + ends[:, 1]  # (4, S) where a move leads; walls hold

    def reset(self, rng, agents):
        """Draw the signs of the learnable rooms, and put all agents into the first room."""
        self.rng = rng
        self.agents = np.arange(agents)  # (A,)
        self.place = np.zeros(agents, np.intp)  # (A,)
        signs = rng.choice([-1.0, 1.0], (agents, len(self.known)))  # (A, S)
        self.truth = np.where(self.learnable, signs, 0.0)  # (A, S) the answer, where there is one
        return self.place

    def step(self, action):
        """Move each agent; action (A,) -> rooms entered (A,), their answers (A,)."""
        return self.enter(self.neighbours[action, self.place])

    def enter(self, place):
        """Put the agents into rooms (A,) and return these with their answers (A,)."""
        self.place = place
        coin = self.rng.choice([-1.0, 1.0], len(place))  # (A,)
        answer = np.where(self.random[place], coin, self.truth[self.agents, place])  # (A,)
        return place, answer


class Lottery(World):
    """The same rooms without distance: any move leads to a room drawn from all."""

    def step(self, action):
        return self.enter(self.rng.integers(len(self.known), size=len(action)))


# ---- the world model M, its confidence C, and the reward ----
class WorldModel:
    """M predicts each room's answer, C the squared error that M will make there."""

    def __init__(self, world, config):
        shape = config.agents, len(world.known)
        self.agents = np.arange(config.agents)  # (A,)
        self.rate_m = config.rate_m
        self.rate_c = config.rate_c
        self.prediction = np.zeros(shape)  # (A, S) M; right from the start in the known rooms
        self.expected_error = np.full(shape, config.prior_error)  # (A, S) C
        if config.known:
            self.expected_error[:, world.known] = 0.0

    def learn(self, place, answer):
        """Improve M and C at the rooms entered; return the reward (A,), which may be negative:

        e = (y - m)^2,    m += rate_m (y - m),    c += rate_c (e - c),    r = c before - c after.
        """
        here = self.agents, place
        miss = answer - self.prediction[here]  # (A,)
        before = self.expected_error[here]  # (A,)
        after = before + self.rate_c * (miss**2 - before)  # (A,) M's error before it has learned
        self.prediction[here] += self.rate_m * miss
        self.expected_error[here] = after
        return before - after


class ErrorSeeking(WorldModel):
    """The same M and C with another reward: M's error itself, not its decline."""

    def learn(self, place, answer):
        miss = answer - self.prediction[self.agents, place]  # (A,)
        super().learn(place, answer)
        return miss**2


# ---- the controllers ----
class RandomWalk:
    """Moves at random; it is also the part that all controllers share."""

    def __init__(self, world, config, rng):
        self.config = config
        self.rng = rng
        self.neighbours = world.neighbours  # (4, S)
        self.agents = np.arange(config.agents)  # (A,)

    def act(self, place):
        """Choose a move for each agent: rooms (A,) -> moves (A,)."""
        return self.rng.integers(len(MOVES), size=len(place))

    def learn(self, place, action, arrived, reward):
        """Take note that a move led from one room into another and brought a reward, (A,) each."""

    def best_or_random(self, values):
        """Choose the best move by values (A, 4), ties at random, or sometimes any move."""
        ties = 1e-9 * self.rng.random(values.shape)  # (A, 4)
        best = (values + ties).argmax(1)  # (A,)
        any_move = self.rng.integers(len(MOVES), size=len(best))  # (A,)
        stray = self.rng.random(len(best)) < self.config.explore  # (A,)
        return np.where(stray, any_move, best)


class QLearning(RandomWalk):
    """Watkins' Q-learning: a table of what each move is worth, and traces of the moves made."""

    def __init__(self, world, config, rng):
        super().__init__(world, config, rng)
        shape = config.agents, len(world.known), len(MOVES)
        self.q = np.full(shape, config.start_q)  # (A, S, 4) discounted rewards to come
        self.trace = np.zeros(shape)  # (A, S, 4) what still counts of the moves made

    def act(self, place):
        return self.best_or_random(self.q[self.agents, place])

    def learn(self, place, action, arrived, reward):
        """Change the values of all traced moves by rate_q * trace * surprise.

        The surprise is r + gamma max Q(arrived, .) - Q(place, action). A move that was not the
        best ends all earlier traces: what follows says nothing about the best moves there.
        """
        config = self.config
        values = self.q[self.agents, place]  # (A, 4)
        value = values[self.agents, action]  # (A,)
        follows = self.q[self.agents, arrived].max(1)  # (A,)
        surprise = reward + config.gamma * follows - value  # (A,)
        kept = np.where(value == values.max(1), config.gamma * config.trace, 0.0)  # (A,)
        self.trace *= kept[:, None, None]
        self.trace[self.agents, place, action] = 1.0
        self.q += (config.rate_q * surprise)[:, None, None] * self.trace


class Planner(RandomWalk):
    """Learns what reward each room brings, and plans on the map by value iteration."""

    def __init__(self, world, config, rng):
        super().__init__(world, config, rng)
        self.interest = np.full((config.agents, len(world.known)), config.start_r)  # (A, S)
        self.value = np.zeros_like(self.interest)  # (A, S) discounted interest to come

    def act(self, place):
        ahead = self.neighbours[:, place].T  # (A, 4)
        agents = self.agents[:, None]  # (A, 1)
        worth = self.interest[agents, ahead] + self.config.gamma * self.value[agents, ahead]
        return self.best_or_random(worth)  # of (A, 4)

    def learn(self, place, action, arrived, reward):
        self.note(arrived, reward)
        for _ in range(self.config.sweeps):
            worth = self.interest + self.config.gamma * self.value  # (A, S)
            self.value = worth.take(self.neighbours, 1).max(1)  # (A, 4, S) -> (A, S)

    def note(self, arrived, reward):
        """Move the interest of the rooms entered towards the reward found there, (A,) each."""
        here = self.agents, arrived
        self.interest[here] += self.config.rate_r * (reward - self.interest[here])


class VisitCounter(Planner):
    """Plans alike, for the novelty 1 / sqrt(visits + 1) of each room; the reward is ignored."""

    def __init__(self, world, config, rng):
        super().__init__(world, config, rng)
        self.visits = np.zeros(self.interest.shape)  # (A, S)
        self.interest[:] = 1.0

    def note(self, arrived, reward):
        here = self.agents, arrived
        self.visits[here] += 1
        self.interest[here] = 1 / np.sqrt(self.visits[here] + 1)


POLICIES = {  # name: the world, the reward, the controller
    "random_walk": (World, WorldModel, RandomWalk),
    "teleport": (Lottery, WorldModel, RandomWalk),
    "count_based": (World, WorldModel, VisitCounter),
    "q_learning": (World, WorldModel, QLearning),
    "planning": (World, WorldModel, Planner),
    "error_seeking": (World, ErrorSeeking, Planner),
}


# ---- training ----
def begin(config, policy, seed, side=SIDE):
    """Build the world, the model and the controller of a policy, agents in the first room."""
    world_kind, model_kind, controller_kind = policy
    world_seed, move_seed = seed.spawn(2)
    world = world_kind(side)
    world.reset(np.random.default_rng(world_seed), config.agents)
    model = model_kind(world, config)
    controller = controller_kind(world, config, np.random.default_rng(move_seed))
    return world, model, controller


def roam(world, model, controller, steps):
    """Let the agents act and learn; yields the rooms entered, (A,), after each step."""
    for _ in range(steps):
        place = world.place  # (A,)
        action = controller.act(place)  # (A,)
        arrived, answer = world.step(action)  # (A,) each
        reward = model.learn(arrived, answer)  # (A,)
        controller.learn(place, action, arrived, reward)
        yield arrived


def explore(config, policy, seed, side=SIDE):
    """Send agents out; returns their rooms (T, A), M's relative error E(t) (T, A), the world."""
    world, model, controller = begin(config, policy, seed, side)
    places = np.zeros((config.steps, config.agents), np.intp)  # (T, A)
    left = np.zeros((config.steps, config.agents))  # (T, A)
    for t, arrived in enumerate(roam(world, model, controller, config.steps)):
        places[t] = arrived
        left[t] = error_left(world, model)
    return places, left, world


# ---- evaluation ----
LEARNED = 0.05  # of the error at the start: M has learned the learnable rooms
LATER = (500, 1500)  # steps after that in which boredom shows


def error_left(world, model):
    """Sum (truth - prediction)^2 over the learnable rooms, relative to its start: (A,)."""
    truth = world.truth[:, world.learnable]  # (A, 9)
    miss = truth - model.prediction[:, world.learnable]  # (A, 9)
    return (miss**2).sum(1) / (truth**2).sum(1)


def steps_until(left, bar=LEARNED):
    """Return each agent's steps (A,) until its error left (T, A) is below a bar, inf if never."""
    below = left < bar  # (T, A)
    return np.where(below.any(0), below.argmax(0) + 1.0, np.inf)


def measure(places, left, world):
    """Sum up a policy: median steps to learn, and shares of time in the regions."""
    first = steps_until(left)  # (A,)
    median = float(np.median(first))
    age = np.arange(1, len(left) + 1)[:, None] - first  # (T, A) steps since M has learned
    in_learnable = world.learnable[places]  # (T, A)
    before = in_learnable[age <= 0]  # (steps of all agents,)
    after = in_learnable[(age > LATER[0]) & (age <= LATER[1])]
    return {
        "steps": median if np.isfinite(median) else None,
        "share_before": before.mean(),
        "share_after": after.mean() if len(after) else None,
        "share_random": world.random[places].mean(),
    }


def ratio(above, below):
    """Divide, or return None where one of the two did not happen."""
    return None if above is None or not below else above / below


def compare(rows):
    """Work out the claims' figures from the measures of all policies."""
    steps = {name: row["steps"] for name, row in rows.items()}
    curious = [steps[name] for name in ("q_learning", "planning") if steps[name]]
    q_ratio = ratio(steps["teleport"], steps["q_learning"])
    q_row = rows["q_learning"]
    return {
        "speedup_best": ratio(steps["random_walk"], min(curious, default=None)),
        "q_speedup": q_ratio and float(np.log(q_ratio)),
        "boredom": ratio(q_row["share_after"], q_row["share_before"]),
        "noise_trap": rows["error_seeking"]["share_random"] - rows["planning"]["share_random"],
        "count_speedup": ratio(steps["count_based"], steps["planning"]),
    }


# ---- the experiment ----
SHOWN = {  # what run() returns of each policy
    "random_walk": ("steps",),
    "teleport": ("steps",),
    "count_based": ("steps",),
    "q_learning": ("steps", "share_before", "share_after"),
    "planning": ("steps", "share_before", "share_after", "share_random"),
    "error_seeking": ("steps", "share_random"),
}


def run(config, seed, progress):
    """Send out agents of all six policies, and compare how soon their models have learned."""
    seeds = np.random.SeedSequence(seed).spawn(len(POLICIES))
    started = process_time()
    rows = {}
    for (name, policy), policy_seed in zip(POLICIES.items(), seeds):
        progress(len(rows) / len(POLICIES), name)
        places, left, world = explore(config, policy, policy_seed)
        rows[name] = measure(places, left, world)
        if name == "planning":
            curve = median_curve(left)
    seconds = process_time() - started
    made = len(POLICIES) * config.steps * config.agents
    shown = {name: {key: rows[name][key] for key in keys} for name, keys in SHOWN.items()}
    speed = {"all": {"steps_per_second": made / max(seconds, 1e-9)}}
    return compare(rows) | shown | speed | {"curve": curve}


def median_curve(left):
    """Return the median agent's error left (y) after so many steps (x), at 101 points at most."""
    x = np.unique(np.geomspace(1, len(left), 101).astype(np.intp))  # (101,) or fewer
    return {"x": x.tolist(), "y": np.median(left[x - 1], 1).tolist()}


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
