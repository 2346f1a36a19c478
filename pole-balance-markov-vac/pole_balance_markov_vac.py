# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""A critic that predicts four kinds of pain teaches a controller to balance a pole.

Paper: J. Schmidhuber, "Recurrent networks adjusted by adaptive critics", IJCNN 1990; the experiment
is in "Reinforcement learning in Markovian and non-Markovian environments", NIPS 3, 1991.
Claim: at most 750 failures before the first trial of 30,000 steps, in each of five runs; a critic
with several outputs helps even where the state is visible. The rival has one output, for the sum.

    python3 pole_balance_markov_vac.py --seed 0     # trains 40 nets and tries the claims
    python3 pole_balance_markov_vac.py --help       # lists every setting

The words of this file:
    trial       from rest (all four state variables 0) to a failure
    kind        of failure: cart at the left or right end of the track, pole down left or right
    pain        1 for the kind of a failure, at that step alone; there is no other reward
    prediction  V_k, the discounted pain of kind k that is to come; the critic has four outputs
    solved      a net that has had a trial of more than trial_steps steps
    foretold    a failure one step before which V of its own kind was the largest
    row         "four": nets that feel four pains; "one": nets that feel only their sum
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row, trained side by side", (1, 10_000)] = 20
    hidden: Annotated[int, "hidden units of a controller and of a critic", (1, 1000)] = 5
    gamma: Annotated[float, "discount of pain, a step", (0.0, 0.9999)] = 0.9
    decay: Annotated[float, "lambda, what a trace keeps beside gamma", (0.0, 1.0)] = 0.9
    rate_actor: Annotated[float, "learning rate of controllers, row four", (0.0, 100.0)] = 1.0
    rate_critic: Annotated[float, "learning rate of critics, row four", (0.0, 100.0)] = 0.05
    rate_actor_one: Annotated[float, "learning rate of controllers, row one", (0.0, 100.0)] = 0.5
    rate_critic_one: Annotated[float, "learning rate of critics, row one", (0.0, 100.0)] = 0.05
    logit_clip: Annotated[float, "bound of a controller's output, log-odds", (0.1, 100.0)] = 8.0
    trial_steps: Annotated[int, "steps that a trial must exceed", (1, 10_000_000)] = 30_000
    max_failures: Annotated[int, "failures after which a net is given up", (1, 1_000_000)] = 750
    max_steps: Annotated[int, "steps after which a net is given up", (1, 100_000_000)] = 600_000
    starts: Annotated[int, "starts elsewhere of each solved net", (1, 100_000)] = 20

    def __post_init__(self):
        if self.max_steps <= self.trial_steps:
            raise ValueError("argument --max-steps: it has to be above --trial-steps")


QUICK = {"nets": 6, "trial_steps": 150, "max_failures": 100, "max_steps": 3000}

# ---- the task: a cart on a track of 4.8 m, pushed left or right, with a pole on it ----
GRAVITY = 9.8  # m/s^2
CART, POLE = 1.0, 0.1  # kg
HALF_LENGTH = 0.5  # m
FORCE = 10.0  # N
DT = 0.02  # s
TRACK = 2.4  # m
TILT = np.radians(12)  # rad
LIMITS = np.array([[TRACK], [TILT]])  # (2, 1) beyond them lies failure
SCALE = np.array([[2.4], [1.5], [0.2094], [2.0]])  # (4, 1) of position, speed, angle, spin
PAPER_FAILURES = 750  # before the first long trial, at most
KINDS = ("bump_left", "bump_right", "fall_left", "fall_right")
REST = np.zeros((4, 1))  # (4, 1) no spread: every trial starts alike
WIDE = np.array([[1.0], [0.0], [np.radians(6)], [0.0]])  # (4, 1) spread of the starts elsewhere


def motion(state, force):
    """Return what each state variable (4, N) gains a second under a force (N,) on the cart."""
    _, speed, angle, spin = state  # (N,) each
    sine = np.sin(angle)
    cosine = np.cos(angle)
    total = CART + POLE
    push = (force + POLE * HALF_LENGTH * spin * spin * sine) / total  # (N,)
    inertia = HALF_LENGTH * (4 / 3 - POLE / total * cosine * cosine)  # (N,)
    tilting = (GRAVITY * sine - cosine * push) / inertia  # (N,) the pole's
    sliding = push - POLE * HALF_LENGTH / total * tilting * cosine  # (N,) the cart's
    return np.array([speed, sliding, spin, tilting])  # (4, N)


class Poles:
    """N carts with poles, side by side."""

    def __init__(self, many, spread):
        self.spread = spread  # (4, 1) how far from rest a trial may start
        self.state = np.zeros((4, many))  # position, speed, angle, spin

    def reset(self, rng):
        """Draw new starts for all, each variable from within its spread."""
        self.state = self.spread * rng.uniform(-1, 1, self.state.shape)  # (4, N)

    def step(self, right):
        """Push the carts to the right or to the left, (N,); return the pain (4, N) of this step."""
        force = np.where(right, FORCE, -FORCE)  # (N,)
        self.state = self.state + DT * motion(self.state, force)  # (4, N) Euler's step
        return pain_of(self.state)


def pain_of(state):
    """Return 1 for the kind of failure (4, N) where a state (4, N) is one, else 0."""
    position, angle = state[0], state[2]  # (N,)
    pain = np.zeros(state.shape, np.float32)  # (4, N)
    if (np.abs(state[::2]) > LIMITS).any():
        within = np.abs(position) <= TRACK  # (N,) a bump hides a fall at the same step
        pain[0] = position < -TRACK
        pain[1] = position > TRACK
        pain[2] = within & (angle < -TILT)
        pain[3] = within & (angle > TILT)
    return pain


# ---- the nets and their rule ----
INPUTS = 5  # the state and a constant
INIT = 0.5  # standard deviation of the first hidden weights; those of the outputs start at 0
NET = np.array([0, 1, 1, 1, 1])  # the net of each output: 0 is the controller, 1 the critic


@dataclass
class Row:
    """Nets that learn alike: which output of the critic (0 to 3) each pain goes to, and rates."""

    outputs: tuple
    rate_actor: float
    rate_critic: float


class Team:
    """N controllers and critics side by side: every attribute is an array of shape (..., N).

    Both nets have H tanh units; their outputs see these and, directly, the inputs. Output 0 is the
    controller's, 1 to 4 are the critic's.
    """

    def __init__(self, rng, rows, config):
        many = config.nets * len(rows)
        first = rng.normal(0, INIT, (2, config.hidden, INPUTS, config.nets))
        hidden = np.tile(first, len(rows))  # the nets of all rows start alike
        self.hidden = hidden.astype(np.float32)  # (2, H, 5, N)
        self.out = np.zeros((5, config.hidden + INPUTS, many), np.float32)  # (5, H + 5, N)
        self.hidden_trace = np.zeros((5, config.hidden, INPUTS, many), np.float32)  # (5, H, 5, N)
        self.out_trace = np.zeros(self.out.shape, np.float32)  # (5, H + 5, N)
        self.predicted = np.zeros((4, many), np.float32)  # (4, N) V before the step
        wiring = [np.eye(4, dtype=np.float32)[:, row.outputs] for row in rows]  # (4, 4) each
        self.feels = np.stack(wiring, -1).repeat(config.nets, -1)  # (4 outputs, 4 pains, N)
        rates = [[row.rate_actor] + 4 * [row.rate_critic] for row in rows]  # of the five outputs
        self.rate = np.repeat(rates, config.nets, 0).T.astype(np.float32)  # (5, N)
        self.gamma = np.full(many, config.gamma, np.float32)  # (N,)
        self.fading = np.full(many, config.gamma * config.decay, np.float32)  # (N,)
        self.clip = np.full(many, config.logit_clip, np.float32)  # (N,)

    def inputs(self, state):
        """Return the scaled state and a constant 1: (4, N) -> (5, N)."""
        inputs = np.ones((INPUTS, state.shape[1]), self.out.dtype)
        inputs[:4] = state / SCALE
        return inputs

    def features(self, hidden, inputs):
        """Return what outputs see, the hidden units and the inputs: (..., H + 5, N)."""
        z = (hidden * inputs).sum(-2)  # (..., H, N)
        features = np.empty((*z.shape[:-2], z.shape[-2] + INPUTS, z.shape[-1]), z.dtype)
        features[..., :-INPUTS, :] = np.tanh(z)
        features[..., -INPUTS:, :] = inputs
        return features

    def chance(self, output):
        """Return the probability of a push to the right, given the controllers' output (N,)."""
        logit = np.minimum(np.maximum(output, -self.clip), self.clip)  # (N,)
        return 1 / (1 + np.exp(-logit))

    def act(self, inputs, noise):
        """Draw actions (N,) with noise from U(0, 1); extend the traces by this step's gradients.

        e <- gamma lambda e + gradient, of log P(action) for output 0, of V_k for the others.
        """
        seen = self.features(self.hidden, inputs)[NET]  # (5, H + 5, N)
        output = (self.out * seen).sum(1)  # (5, N)
        self.predicted = output[1:]  # (4, N)
        chance = self.chance(output[0])  # (N,)
        right = noise < chance  # (N,)
        dout = np.ones_like(output)  # (5, N)
        dout[0] = right - chance
        dh = dout[:, None] * self.out[:, :-INPUTS]  # (5, H, N)
        h = seen[:, :-INPUTS]  # (5, H, N)
        dz = dh * (1 - h * h)  # (5, H, N)
        self.out_trace *= self.fading
        self.out_trace += dout[:, None] * seen
        self.hidden_trace *= self.fading
        self.hidden_trace += dz[:, :, None] * inputs
        return right

    def learn(self, pain, inputs):
        """Learn from the pain (4, N) and the inputs after the step: one error teaches both nets.

        delta_k = p_k + gamma V_k(s') - V_k(s), where V(s') = 0 after a failure.
        """
        predicted = self.predict(inputs) * (1 - pain.sum(0))  # (4, N)
        felt = (self.feels * pain).sum(1)  # (4, N)
        error = felt + self.gamma * predicted - self.predicted  # (4, N)
        signal = np.concatenate([-error.sum(0)[None], error]) * self.rate  # (5, N)
        change = signal[:, None, None] * self.hidden_trace  # (5, H, 5, N)
        self.out += signal[:, None] * self.out_trace
        self.hidden[0] += change[0]
        self.hidden[1] += change[1:].sum(0)

    def predict(self, inputs):
        """Return the critics' V (4, N)."""
        return (self.out[1:] * self.features(self.hidden[1], inputs)).sum(1)

    def prefer(self, inputs):
        """Return the controllers' probability of a push to the right (N,)."""
        return self.chance((self.out[0] * self.features(self.hidden[0], inputs)).sum(0))

    def forget(self, which):
        """Clear the traces of the nets whose trial is over."""
        self.hidden_trace[..., which] = 0.0
        self.out_trace[..., which] = 0.0

    def some(self, which):
        """Return a team of some nets, given as a mask, a slice or by their numbers."""
        team = object.__new__(type(self))
        for name, array in vars(self).items():
            setattr(team, name, array[..., which])
        return team


# ---- training ----
@dataclass
class Diary:
    """What became of N nets; a net is given up when its failures or its steps are used up."""

    team: Team  # each as it was when it was solved or given up
    failures: np.ndarray  # (N,)
    solved: np.ndarray  # (N,)
    kinds: np.ndarray  # (4, N) failures of each kind
    foretold: np.ndarray  # (4, N) those with the largest V one step before
    longest: np.ndarray  # (N,) steps of the longest trial
    trials: list  # (net, steps) of each trial that ended
    steps: int = 0  # of all nets together


def train(config, seed, rows, progress, kind=Team):
    """Train the nets of all rows in lock-step, each until it is solved or given up."""
    init_seed, action_seed = seed.spawn(2)
    rng = np.random.default_rng(action_seed)
    team = kind(np.random.default_rng(init_seed), rows, config)
    many = len(team.gamma)
    diary = blank(team)
    poles = Poles(many, REST)
    running = np.arange(many, dtype=np.intp)  # (n,) nets that still learn
    length = np.zeros(many, np.int64)  # (n,) steps of their trials
    inputs = team.inputs(poles.state)  # (5, n)
    for step in range(config.max_steps):
        if step % 1000 == 0:
            noise = rng.random((1000, len(running)), np.float32)
            progress(step / config.max_steps, f"{diary.solved.sum()} of {many} nets are solved")
        right = team.act(inputs, noise[step % 1000])
        pain = poles.step(right)
        inputs = team.inputs(poles.state)  # (5, n)
        team.learn(pain, inputs)
        length += 1
        diary.steps += len(running)
        long = length > config.trial_steps  # (n,)
        over = long | pain.any(0)  # (n,)
        if not over.any():
            continue
        told = team.predicted[:, over]  # (4, m) V before the step
        write(diary, running[over], length[over], long[over], pain[:, over], told)
        team.forget(over)
        poles.state[:, over] = 0.0
        length[over] = 0
        done = long | (diary.failures[running] >= config.max_failures)  # (n,)
        if done.any():
            keep(diary, running[done], team.some(done))
            team = team.some(~done)
            poles.state = poles.state[:, ~done]
            running, length, noise = running[~done], length[~done], noise[:, ~done]
        if not len(running):
            break
        inputs = team.inputs(poles.state)
    keep(diary, running, team)
    np.maximum.at(diary.longest, running, length)
    return diary


def blank(team):
    """Return the diary of a team to which nothing has happened."""
    many = len(team.gamma)
    failures, longest = np.zeros((2, many), np.int64)
    kinds, foretold = np.zeros((2, 4, many), np.int64)
    solved = np.zeros(many, bool)
    return Diary(team.some(np.arange(many)), failures, solved, kinds, foretold, longest, [])


def write(diary, nets, length, long, pain, told):
    """Enter trials that are over: of nets (m,), their steps, if long, and their pain (4, m)."""
    right = told.argmax(0) == pain.argmax(0)  # (m,)
    diary.failures[nets] += ~long
    diary.solved[nets] |= long
    diary.kinds[:, nets] += pain.astype(np.int64)
    diary.foretold[:, nets] += (pain * right).astype(np.int64)
    diary.longest[nets] = np.maximum(diary.longest[nets], length)
    diary.trials.extend(zip(nets.tolist(), length.tolist()))


def keep(diary, nets, team):
    """Keep the weights of nets (n,) that are done."""
    for name, array in vars(diary.team).items():
        array[..., nets] = getattr(team, name)


# ---- evaluation ----
def elsewhere(diary, config, seed):
    """Return the share of wide starts from which the solved nets last as long as a trial.

    The weights are frozen, and the likelier push is taken.
    """
    if not diary.solved.any():
        return None
    team = diary.team.some(np.flatnonzero(diary.solved).repeat(config.starts))
    many = len(team.gamma)
    poles = Poles(many, WIDE)
    poles.reset(np.random.default_rng(seed))
    for _ in range(config.trial_steps):
        failed = poles.step(team.prefer(team.inputs(poles.state)) > 0.5).any(0)  # (n,)
        if failed.any():
            team = team.some(~failed)
            poles.state = poles.state[:, ~failed]
    return len(team.gamma) / many


def own_kind(diary):
    """Return how often a failure was foretold: the largest V was that of its kind; by kinds."""
    failures = diary.kinds.sum(1)  # (4,)
    met = failures > 0  # (4,)
    return (diary.foretold.sum(1)[met] / failures[met]).mean() if met.any() else None


def part(diary, nets):
    """Return what the diary (without its list of trials) says about a slice of the nets."""
    kept = vars(diary) | {"team": diary.team.some(nets), "trials": [], "steps": 0}
    arrays = ("failures", "solved", "kinds", "foretold", "longest")
    return Diary(**kept | {name: kept[name][..., nets] for name in arrays})


def measure(diary):
    """Sum up what became of the nets of a row."""
    failures = diary.failures[diary.solved]  # (n,) of the solved nets
    unsolved = diary.longest[~diary.solved]  # (N - n,) steps of their longest trials
    return {
        "share_750": (diary.solved & (diary.failures <= PAPER_FAILURES)).mean(),
        "failures_median": np.median(failures) if len(failures) else None,
        "unsolved": len(unsolved),
        "best_unsolved": unsolved.max() if len(unsolved) else None,
    }


def curve(diary, config):
    """Return the share of nets (y) that are solved with at most so many failures (x)."""
    x = np.unique(np.linspace(0, config.max_failures, 101).astype(int))  # (101,)
    return {"x": x.tolist(), "y": [(diary.solved & (diary.failures <= f)).mean() for f in x]}


# ---- the experiment ----
@np.errstate(all="ignore")  # a net may diverge: then it fails until it is given up
def run(config, seed, progress):
    """Train nets with four pains and, from the same first weights, nets with their sum."""
    train_seed, wide_seed = np.random.SeedSequence(seed).spawn(2)
    rows = [
        Row((0, 1, 2, 3), config.rate_actor, config.rate_critic),
        Row((0, 0, 0, 0), config.rate_actor_one, config.rate_critic_one),
    ]
    began = process_time()
    diary = train(config, train_seed, rows, progress)
    seconds = process_time() - began
    nets_of_four = part(diary, slice(None, config.nets))
    four = measure(nets_of_four)
    one = measure(part(diary, slice(config.nets, None)))
    return {
        "four": four,
        "one": one,
        "both": {"steps_per_second": diary.steps / max(seconds, 1e-9)},
        "failures": dict(zip(KINDS, nets_of_four.kinds.sum(1))),
        "vector_lead": four["share_750"] - one["share_750"],
        "own_kind_share": own_kind(nets_of_four),
        "wide_share": elsewhere(nets_of_four, config, wide_seed),
        "curve": curve(nets_of_four, config),
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
