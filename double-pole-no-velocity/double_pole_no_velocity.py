# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Two poles on one cart, no velocities: nets evolved weight by weight keep both up for 2000 s.

F. Gomez, J. Schmidhuber, R. Miikkulainen, "Accelerated neural evolution through cooperatively
coevolved synapses", JMLR 9, 2008 (CoSyNE); the fitness is that of Gruau, Whitley and Pyeatt, 1996.
A recurrent net of three hidden units sees the cart's place and the angles of a long and a short
pole, fifty times a second, and pushes the cart. Each weight has a population of its own; the k-th
members of all populations are net k. The best nets are recombined, and then weights of poor nets
are shuffled within their population, so that they meet other partners.
Claim: 3,416 trials, in the mean of 50 runs, until a net balances for 100,000 steps from the usual
start and for 1,000 from at least 200 of 625 others. Baseline: conventional neuroevolution, that is
the same nets, parents, crossover and mutation, without the shuffling.

    python3 double_pole_no_velocity.py --seed 0     # five searches with and five without
    python3 double_pole_no_velocity.py --quick      # proves that the code runs
"""

import itertools
import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    searches: Annotated[int, "searches of each kind, side by side", (1, 1000)] = 5
    hidden: Annotated[int, "hidden units of a net", (1, 32)] = 3
    bias: Annotated[bool, "a constant as a fourth input"] = False
    population: Annotated[int, "members of the population of each weight", (8, 10_000)] = 100
    elite: Annotated[float, "share of the nets that have children", (0.05, 0.5)] = 0.25
    mutation_share: Annotated[float, "share of a child's weights that mutate", (0.0, 1.0)] = 0.5
    mutation_scale: Annotated[float, "scale of the Cauchy noise on them", (0.0, 100.0)] = 0.1
    init_scale: Annotated[float, "weights start in U[-this, this]", (1e-3, 100.0)] = 1.0
    trial_steps: Annotated[int, "control steps of a trial", (20, 10**6)] = 1000
    long_steps: Annotated[int, "control steps of the long test", (20, 10**8)] = 100_000
    starts_needed: Annotated[int, "starts to balance from, of 625", (1, 625)] = 200
    max_evaluations: Annotated[int, "trials after which a search gives up", (8, 10**8)] = 20_000

    def __post_init__(self):
        for name in ("trial_steps", "long_steps"):
            if getattr(self, name) % CHUNK:
                flag = name.replace("_", "-")
                raise ValueError(f"argument --{flag}: must be a multiple of {CHUNK}")
        if self.max_evaluations < self.population:
            raise ValueError("argument --max-evaluations: must not be below --population")
        if round(self.elite * self.population) < 2:
            raise ValueError("argument --elite: must leave two parents or more")


QUICK = {
    "searches": 2,
    "population": 16,
    "trial_steps": 40,
    "long_steps": 40,
    "starts_needed": 10,
    "max_evaluations": 400,
}

# ---- the task: two poles on a cart ---------------------------------------------------------------
# A state holds place x, angles theta_1 and theta_2, and how fast each changes: m, rad, m/s, rad/s.
GRAVITY, CART, FORCE = -9.8, 1.0, 10.0  # m/s^2, kg, N
POLE = np.array([[0.1], [0.01]])  # (2, 1) kg
HALF_LENGTH = np.array([[0.5], [0.05]])  # (2, 1) m
TRACK_FRICTION, PIVOT_FRICTION = 5e-4, 2e-6
DT, SUBSTEPS = 0.01, 2  # s; a control step is two steps of the integration
LIMITS = np.array([[2.4], [np.deg2rad(36)], [np.deg2rad(36)]])  # (3, 1) a trial fails beyond
SEEN = 1 / np.array([[2.4], [0.628], [0.628]])  # (3, 1) what a net is shown is in these units
START = np.array([[0], [np.deg2rad(4.5)], [0], [0], [0], [0]])  # (6, 1)
TOTAL = CART + POLE.sum()
SHARE, WEIGHT, TURN = 0.75 * POLE, POLE * HALF_LENGTH, -0.75 / HALF_LENGTH  # (2, 1) each
RUB = PIVOT_FRICTION / WEIGHT  # (2, 1)


def derivatives(state, force):
    """Returns the change per second (6, P) of P states; forces (P,) in N (Wieland, 1991).

    What the poles do to the cart adds up, so that theirs and the cart's masses are one sum each.
    """
    theta, omega = state[1:3], state[4:]  # (2, P) each
    sin, cos = np.sin(theta), np.cos(theta)
    pull = GRAVITY * sin + RUB * omega  # (2, P)
    share = SHARE * cos  # (2, P)
    push = WEIGHT * omega * omega * sin + share * pull  # (2, P) effective forces
    saved = share * cos  # (2, P) effective masses are POLE less this
    change = np.empty_like(state)
    change[:3] = state[3:]
    force = force - TRACK_FRICTION * np.sign(state[3]) + push[0] + push[1]  # (P,)
    change[3] = force / (TOTAL - saved[0] - saved[1])
    change[4:] = TURN * (change[3] * cos + pull)
    return change


def integrate(state, force):
    """Returns the states (6, P) after DT seconds, by a Runge-Kutta step of fourth order."""
    k_1 = derivatives(state, force)
    k_2 = derivatives(state + DT / 2 * k_1, force)
    k_3 = derivatives(state + DT / 2 * k_2, force)
    k_4 = derivatives(state + DT * k_3, force)
    return state + DT / 6 * (k_1 + 2 * (k_2 + k_3) + k_4)


def grid_of_starts():
    """Returns the 625 starts (6, 625) of the test for generality: long pole and cart anywhere."""
    levels = 2 * np.array([0.05, 0.25, 0.5, 0.75, 0.95]) - 1  # of the ranges
    reach = np.array([2.16, 1.35, np.deg2rad(3.6), np.deg2rad(8.6)])  # m, m/s, rad, rad/s
    starts = np.zeros((6, 625))
    starts[[0, 3, 1, 4]] = reach[:, None] * np.array(list(itertools.product(levels, repeat=4))).T
    return starts


# ---- the nets, and trials side by side -----------------------------------------------------------
#     h(t) = tanh(W [h(t-1); x, theta_1, theta_2 in units of SEEN; 1 if there is a bias])
#     u(t) = tanh(v h(t))        h(0) = 0; the force is 10 u N
# A net is an array (H, I + 1): of each hidden unit its I weights in W, then its weight in v.
CHUNK = 20  # control steps between two looks at who has failed
WINDOW = 100  # last control steps in which fitness wants calm


class Trials(NamedTuple):
    """What a search wants to know: how N nets do."""

    nets: np.ndarray  # (N, H, I + 1)
    starts: np.ndarray  # (6, N)
    steps: int  # control steps after which a trial is over
    needed: int = 0  # all end as soon as fewer than so many can last


class Outcome(NamedTuple):
    """How N nets did."""

    steps: np.ndarray  # (N,) balanced
    unrest: np.ndarray  # (N,) sum of |x| + |x'| + |theta_1| + |theta_1'| in the last 100 steps
    force: np.ndarray  # (N,) sum of |u|


def act(in_weights, out_weights, z, state):
    """Writes what P nets see, and then their new hidden units, to z (I, P); returns u (P,)."""
    hidden = len(out_weights)
    z[hidden : hidden + 3] = SEEN * state[:3]
    z[:hidden] = np.tanh(np.einsum("hip,ip->hp", in_weights, z))
    return np.tanh(np.einsum("hp,hp->p", out_weights, z[:hidden]))


class Pool:
    """All trials of all searches in lock-step; one that is over makes room for others.

    A search is asked for new trials when all its old ones are over, and need not wait for others.
    """

    def __init__(self, substeps=SUBSTEPS):
        self.substeps = substeps
        self.columns = {}  # name: array (..., P)
        self.wanted, self.outcomes = {}, {}  # of each owner
        self.simulated = 0  # control steps of all trials

    def enter(self, owner, trials):
        """Begins trials."""
        many, hidden, _ = trials.nets.shape  # N, H
        weights = np.moveaxis(trials.nets, 0, -1)  # (H, I + 1, N)
        z = np.ones((weights.shape[1] - 1, many))  # (I, N); a bias stays 1
        z[: hidden + 3] = 0
        new = {
            "in_weights": weights[:, :-1],
            "out_weights": weights[:, -1],
            "z": z,
            "state": trials.starts,
            "recent": np.full((WINDOW + CHUNK, many), np.inf),  # unrest of each step
            "steps": np.zeros(many, np.int64),
            "force": np.zeros(many),
            "owner": np.full(many, owner, np.intp),
            "place": np.arange(many, dtype=np.intp),
        }
        old = self.columns or {name: part[..., :0] for name, part in new.items()}
        self.columns = {name: np.concatenate([old[name], new[name]], -1) for name in new}
        self.wanted[owner] = trials
        self.outcomes[owner] = Outcome(np.zeros(many, np.int64), np.empty(many), np.empty(many))

    def advance(self):
        """Takes all trials on by a chunk; returns the owners whose trials are all over."""
        path, u = self.move()
        columns = self.columns
        fallen = (np.abs(path[:, :, :3]) > LIMITS).any((1, 2))  # (CHUNK, P)
        lasted = np.where(fallen.any(0), fallen.argmax(0), CHUNK)  # (P,)
        x, theta, v, omega = np.abs(path[:, -1, [0, 1, 3, 4]]).swapaxes(0, 1)  # (CHUNK, P) each
        columns["recent"] = np.concatenate([columns["recent"][CHUNK:], x + v + theta + omega])
        columns["steps"] += lasted
        columns["force"] += (np.abs(u) * (np.arange(CHUNK)[:, None] < lasted)).sum(0)
        self.simulated += int(lasted.sum())
        return self.leave(lasted)

    def move(self):
        """Returns the states (CHUNK, substeps, 6, P) and actions (CHUNK, P) of a chunk."""
        names = ("in_weights", "out_weights", "z", "state")
        in_weights, out_weights, z, state = (self.columns[name] for name in names)
        path = np.empty((CHUNK, self.substeps, *state.shape))
        u = np.empty((CHUNK, state.shape[1]))
        for t in range(CHUNK):
            u[t] = act(in_weights, out_weights, z, state)
            for k in range(self.substeps):
                state = path[t, k] = integrate(state, FORCE * u[t])
        self.columns["state"] = state
        return path, u

    def leave(self, lasted):
        """Keeps the outcome of trials that are over, and removes them; `lasted` (P,) of a chunk."""
        columns, done = self.columns, []
        over = lasted < CHUNK  # (P,)
        for owner, trials in list(self.wanted.items()):
            mine = np.flatnonzero(columns["owner"] == owner)
            left = mine[~over[mine]]
            at_end = left.size and columns["steps"][left[0]] >= trials.steps
            if at_end or left.size < max(trials.needed, 1):
                over[left] = True
                done.append(owner)
        rows = lasted[over] + np.arange(WINDOW)[:, None]  # (WINDOW, over)
        unrest = columns["recent"][rows, np.flatnonzero(over)].sum(0)  # (over,)
        ends = (columns[name][over] for name in ("owner", "place", "steps", "force"))
        for owner, place, steps, force, calm in zip(*ends, unrest):
            outcome = self.outcomes[owner]
            outcome.steps[place], outcome.unrest[place], outcome.force[place] = steps, calm, force
        if over.any():
            self.columns = {name: np.compress(~over, part, -1) for name, part in columns.items()}
        for owner in done:
            del self.wanted[owner]
        return done


# ---- the rule: CoSyNE ----------------------------------------------------------------------------
def damping(outcome, trial_steps):
    """Returns fitness (N,) for long balancing and for calm at its end (Gruau et al., 1996)."""
    return 0.1 * outcome.steps / trial_steps + 0.9 * 0.75 / outcome.unrest


def recombine(parents, count, share, scale, rng):
    """Returns `count` children (count, n) of parents (E, n), the best first: pairs swap all weights
    behind a point, and Cauchy noise falls on a share of the weights."""
    elite, size = parents.shape
    pairs = (count + 1) // 2
    first = rng.integers(elite, size=pairs)
    second = (first + rng.integers(1, elite, size=pairs)) % elite  # another one
    mine = np.arange(size) < rng.integers(1, size, size=(pairs, 1))  # (pairs, n)
    one = np.where(mine, parents[first], parents[second])
    other = np.where(mine, parents[second], parents[first])
    children = np.stack([one, other], 1).reshape(-1, size)[:count]
    mutated = rng.random(children.shape) < share
    return children + mutated * scale * rng.standard_cauchy(children.shape)


def relative(fitness):
    """Returns fitness (m,), of the best first, as a share of the way from the worst to the best."""
    low, high = fitness.min(), fitness.max()
    share = (fitness - low) / (high - low) if high > low else np.zeros(len(fitness))
    share[0] = 1.0  # the best, also where all are equal
    return share


def permute(nets, whole, rng):
    """Returns nets (m, n) after weights that are marked have changed places within their column.

    A weight is marked with probability 1 - whole^(1/n), so that `whole` (m,) is the probability
    that a net stays as it is.
    """
    count, size = nets.shape
    marked = rng.random((count, size)) >= whole[:, None] ** (1 / size)
    nets = nets.copy()
    for column, chosen in zip(nets.T, marked.T):
        column[chosen] = rng.permutation(column[chosen])
    return nets


class Search:
    """A run of CoSyNE: `life` yields trials and is sent their outcomes until a net is a solution.

    A net that did not change keeps its fitness: trials are deterministic, and each one counts.
    """

    def __init__(self, config, seed):
        self.config, self.rng = config, np.random.default_rng(seed)
        self.evaluations = self.generations = self.failed_starts = self.failed_long = 0
        self.winner = self.starts_balanced = self.force = None
        self.champions = []  # the best net of each generation, and its evaluations so far

    def draw(self):
        """Returns the first nets (m, H, I + 1)."""
        config = self.config
        inputs = config.hidden + 3 + config.bias
        shape = (config.population, config.hidden, inputs + 1)
        return self.rng.uniform(-config.init_scale, config.init_scale, shape)

    def with_children(self, nets, count):
        """Returns sorted nets (m, n) of which the last are replaced by children of the first."""
        config = self.config
        flat = nets.reshape(len(nets), -1).copy()  # (m, n)
        parents = flat[: round(config.elite * len(nets))]
        rates = (config.mutation_share, config.mutation_scale)
        flat[-count:] = recombine(parents, count, *rates, self.rng)
        return flat

    def breed(self, nets, fitness):
        """Returns the next nets of sorted ones (m, H, I + 1): as many children as there are parents
        replace the worst, and then weights are shuffled."""
        count = round(self.config.elite * len(nets))
        whole = relative(fitness)
        whole[-count:] = 1  # children have no fitness yet: they are tried before they are shuffled
        return permute(self.with_children(nets, count), whole, self.rng).reshape(nets.shape)

    def score(self, outcome):
        """Returns the fitness (N,)."""
        return damping(outcome, self.config.trial_steps)

    def candidates(self, steps, tested):
        """Returns the nets to test, of sorted ones: the best, if it balanced and is a new one."""
        return [0] if steps[0] >= self.config.trial_steps and not tested[0] else []

    def life(self):
        """Searches."""
        config, nets = self.config, self.draw()
        fitness, steps = np.zeros(len(nets)), np.zeros(len(nets), np.int64)  # (m,)
        tested, fresh = np.zeros(len(nets), bool), np.ones(len(nets), bool)  # (m,)
        while self.evaluations + fresh.sum() <= config.max_evaluations:
            starts = np.repeat(START, fresh.sum(), 1)
            outcome = yield Trials(nets[fresh], starts, config.trial_steps)
            self.evaluations += fresh.sum()
            self.generations += 1
            fitness[fresh], steps[fresh] = self.score(outcome), outcome.steps
            tested &= ~fresh
            order = np.argsort(-fitness, kind="stable")
            nets, fitness, steps, tested = (part[order] for part in (nets, fitness, steps, tested))
            self.champions.append((self.evaluations, steps[0], nets[0]))
            for k in self.candidates(steps, tested):
                tested[k] = True
                if (yield from self.examine(nets[k : k + 1])):
                    self.winner = nets[k]
                    return
            old, nets = nets, self.breed(nets, fitness)
            fresh = (nets != old).any((1, 2))

    def examine(self, net):
        """Tests a net (1, H, I + 1): from 625 starts and, if these go well, for a long time."""
        config, starts = self.config, grid_of_starts()
        nets = np.repeat(net, starts.shape[1], 0)
        outcome = yield Trials(nets, starts, config.trial_steps, config.starts_needed)
        self.starts_balanced = (outcome.steps >= config.trial_steps).sum()
        if self.starts_balanced < config.starts_needed:
            self.failed_starts += 1
            return False
        outcome = yield Trials(net, START, config.long_steps)
        self.force = outcome.force[0] / outcome.steps[0]
        self.failed_long += outcome.steps[0] < config.long_steps
        return outcome.steps[0] >= config.long_steps


class Unshuffled(Search):
    """The baseline, conventional neuroevolution: weights stay with their net. All nets but the
    parents make room for children, so that a generation has about as many new nets as CoSyNE's."""

    def breed(self, nets, fitness):
        """Returns the next nets of sorted ones (m, H, I + 1)."""
        count = len(nets) - round(self.config.elite * len(nets))
        return self.with_children(nets, count).reshape(nets.shape)


# ---- the experiment ------------------------------------------------------------------------------
def race(searches, report, pool=None):
    """Runs searches in one pool until each has ended; returns the control steps of all trials."""
    pool = pool or Pool()
    lives = [search.life() for search in searches]
    for owner, life in enumerate(lives):
        pool.enter(owner, next(life))
    while pool.wanted:
        for owner in pool.advance():
            try:
                pool.enter(owner, lives[owner].send(pool.outcomes[owner]))
            except StopIteration:
                continue
        report(searches)
    return pool.simulated


def evaluations(searches):
    """Returns the trials (S,) that each search took; all it may, where it found nothing."""
    found = [s.evaluations if s.winner is not None else s.config.max_evaluations for s in searches]
    return np.array(found)


def mean(values):
    """Returns the mean of some numbers, or None where there are none."""
    return np.mean(values) if len(values) else None


def summary(searches):
    """Returns what searches of a kind took, and how their winners did."""
    winners = [search for search in searches if search.winner is not None]
    return {
        "evaluations_median": np.median(evaluations(searches)),
        "generations": mean([search.generations for search in searches]),
        "failed_starts": mean([search.failed_starts for search in searches]),
        "failed_long": mean([search.failed_long for search in searches]),
        "starts_balanced": mean([search.starts_balanced for search in winners]),
        "force": mean([search.force for search in winners]),
    }


def reporter(config, progress):
    """Returns a function that tells the progress of searches, which the slowest one sets."""

    def report(searches):
        left = [s.evaluations for s in searches if s.winner is None]
        done = min(left, default=config.max_evaluations) / config.max_evaluations
        progress(done, f"{len(searches) - len(left)} of {len(searches)} searches have solved it")

    return report


def run(config, seed, progress):
    """Searches with shuffling and without, side by side, each from random numbers of its own."""
    seeds = np.random.SeedSequence(seed).spawn(2 * config.searches)
    searches = [Search(config, s) for s in seeds[: config.searches]]
    whole = [Unshuffled(config, s) for s in seeds[config.searches :]]
    began = process_time()
    simulated = race(searches + whole, reporter(config, progress))
    rate = simulated / max(process_time() - began, 1e-9)
    ours, theirs = evaluations(searches), evaluations(whole)  # (S,) each
    solved = np.array([search.winner is not None for search in searches])  # (S,)
    x = np.linspace(0, config.max_evaluations, 101)
    return {
        "evaluations": ours.mean(),
        "solved_share": solved.mean(),
        "permutation_lead": np.log10(theirs).mean() - np.log10(ours).mean(),
        "shuffled": summary(searches) | {"steps_per_second": rate},
        "whole": summary(whole)
        | {
            "evaluations": theirs.mean(),
            "solved_share": np.mean([search.winner is not None for search in whole]),
        },
        "curve": {"x": x.tolist(), "y": [(ours[solved] <= e).sum() / len(ours) for e in x]},
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
