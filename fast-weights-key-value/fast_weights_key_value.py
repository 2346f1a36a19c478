# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Where is my car? A slow net binds a value to a name by writing the weights of a fast net.

Paper: J. Schmidhuber, "Learning to control fast-weight memories: an alternative to dynamic
recurrent networks", Neural Computation 4(1):131-139, 1992, section 3.2.
Claim: two feedforward nets learn to bind in about 6000 steps, and to hold what is bound for as long
as needed. Beside them a recurrent net learns by real-time recurrent learning (RTRL).

    python3 fast_weights_key_value.py --seed 0      # 200 pairs of nets, then 180 recurrent nets
    python3 fast_weights_key_value.py --help        # lists every setting

The words of this file:
    S, slow net     sees the detectors of the slots and distracting bits, and changes fast weights
    F, fast net     one input, the name WHERE-IS-MY-CAR?, and an output for each slot
    fast weights    the weights of F, one for each slot; they are the only memory
    asked           the name is switched on, and F has to answer with the slot
    age             steps since the car was parked: 0 at the step at which the detector is on
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "pairs of a slow and a fast net, side by side", (1, 10_000)] = 200
    steps: Annotated[int, "time steps that each net learns from", (100, 10**7)] = 30_000
    steepness: Annotated[float, "T, of the squashing of fast weights", (0.1, 100.0)] = 8.0
    learning_rate: Annotated[float, "eta, step size of the slow weights", (1e-6, 100.0)] = 0.05
    query_share: Annotated[float, "share of the parked steps that ask", (0.01, 1.0)] = 1.0
    change_probability: Annotated[float, "of stopping, and of driving off", (1e-6, 1.0)] = 0.25
    init: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 10.0)] = 0.1
    tolerance: Annotated[float, "a right answer has no larger error", (1e-6, 1.0)] = 0.05
    streak: Annotated[int, "right steps in a row that solve the task", (1, 10**6)] = 100
    rnn_nets: Annotated[int, "recurrent nets of each learning rate", (1, 10_000)] = 60
    rnn_hidden: Annotated[int, "hidden units of a recurrent net", (0, 100)] = 3
    rnn_rates: Annotated[tuple[float, ...], "their learning rates", (1e-6, 1e3)] = (0.5, 2.0, 5.0)


QUICK = {"nets": 20, "steps": 1500, "tolerance": 0.3, "streak": 20, "rnn_nets": 3}

# ---- the task: the life of a car owner ----
SLOTS = 3
DISTRACTORS = 3
INPUTS = SLOTS + DISTRACTORS


class Moment(NamedTuple):
    """One step in the lives of N car owners."""

    x: np.ndarray  # (6, N) detectors of the slots, then distracting bits
    asked: np.ndarray  # (N,) 1 where the name is switched on, else 0
    target: np.ndarray  # (3, N) one-hot: the slot of the car, for owners who are asked
    age: np.ndarray  # (N,) steps since the car was parked


def life(rng, nets, steps, config):
    """Yield the moments of N endless lives: drive, park in a slot, do business, drive off."""
    parked = np.zeros(nets, bool)  # (N,)
    slot = np.zeros(nets, np.intp)  # (N,)
    age = np.zeros(nets, np.intp)  # (N,)
    for _ in range(steps):
        leaves, stops = rng.random((2, nets)) < config.change_probability  # (N,) each
        parks = (leaves | ~parked) & stops  # (N,) he may drive for no step at all
        parked = (parked & ~leaves) | parks
        slot = np.where(parks, rng.integers(SLOTS, size=nets), slot)
        age = np.where(parks, 0, age + 1)
        here = slot == np.arange(SLOTS)[:, None]  # (3, N)
        noise = rng.integers(2, size=(DISTRACTORS, nets))
        asked = parked & (rng.random(nets) < config.query_share)  # (N,)
        x = np.concatenate([here & parks, noise]).astype(float)
        yield Moment(x, asked.astype(float), here.astype(float), age)


# ---- two feedforward nets, of which one writes the weights of the other ----
class FastWeights:
    """N slow nets W (3, 6, N), their fast nets w (3, N), and the sensitivities of w to W."""

    def __init__(self, rng, config):
        self.W = rng.uniform(-config.init, config.init, (SLOTS, INPUTS, config.nets))
        self.steepness = config.steepness
        self.learning_rate = config.learning_rate
        self.w = self.squash(np.zeros((SLOTS, config.nets)))  # (3, N)
        self.p = np.zeros_like(self.W)  # (3, 6, N) dw_i/dW_ij

    def squash(self, z):
        """Keep fast weights between 0 and 1."""
        return 0.5 + 0.5 * np.tanh(0.5 * self.steepness * (z - 0.5))

    def answer(self, x, asked):
        """Let S change the fast weights, and return what F then answers (3, N)."""
        dw = (self.W * x).sum(1)  # (3, N) outputs of S
        self.w = self.squash(self.w + dw)
        slope = self.steepness * self.w * (1 - self.w)  # (3, N)
        self.p = slope[:, None] * (self.p + x)
        return self.w * asked

    def learn(self, error, asked):
        """Descend the squared error of this answer, (3, N), by its exact gradient."""
        dw = error * asked  # (3, N)
        self.W -= self.learning_rate * dw[:, None] * self.p


# ---- the rival: a fully recurrent net, trained by RTRL on the same stream ----
class Recurrent:
    """N nets of H + 3 logistic units; the last three answer; V (N, U, I) are their weights.

    Inputs are detectors, distracting bits, the name, a constant, and all units a step ago.
    """

    def __init__(self, rng, config):
        self.rates = np.repeat(config.rnn_rates, config.rnn_nets)[:, None, None]  # (N, 1, 1)
        nets, units = len(self.rates), config.rnn_hidden + SLOTS
        columns = INPUTS + 2 + units
        self.V = rng.uniform(-config.init, config.init, (nets, units, columns))
        self.h = np.zeros((nets, units))
        self.p = np.zeros((nets, units, units, columns))  # dh_k/dV_ij

    def answer(self, x, asked):
        """Take a step, and return the three outputs (3, N)."""
        nets, units = self.h.shape
        fed = np.concatenate([x.T, asked[:, None], np.ones((nets, 1)), self.h], axis=1)  # (N, I)
        a = np.matmul(self.V, fed[:, :, None])[:, :, 0]  # (N, U)
        self.h = 0.5 + 0.5 * np.tanh(0.5 * a)
        slope = self.h * (1 - self.h)  # (N, U)
        recurrent = slope[:, :, None] * self.V[:, :, -units:]  # (N, U, U) dh_k/dh_l
        p = np.matmul(recurrent, self.p.reshape(nets, units, -1))  # (N, U, U * I)
        self.p = p.reshape(self.p.shape)
        unit = np.arange(units)
        self.p[:, unit, unit] += slope[:, :, None] * fed[:, None]  # through its own weights
        return self.h[:, -SLOTS:].T

    def learn(self, error, asked):
        """Descend the squared error of this answer, (3, N), by its exact gradient."""
        dh = (error * asked).T[:, None]  # (N, 1, 3)
        p = self.p[:, -SLOTS:].reshape(len(dh), SLOTS, -1)  # (N, 3, U * I)
        self.V -= self.rates * np.matmul(dh, p).reshape(self.V.shape)


# ---- training ----
def train(net, moments, config, progress):
    """Let nets learn; returns after how many steps each was right for a streak, inf if never.

    The first (N,) counts steps in a row, of which those that do not ask count as right; the second
    counts questions in a row.
    """
    in_a_row, asked_in_a_row = 0, 0  # then (N,)
    solved, solved_asked = np.inf, np.inf  # then (N,)
    for t, (x, asked, target, _) in enumerate(moments, 1):
        error = net.answer(x, asked) - target  # (3, N)
        net.learn(error, asked)
        wrong = (np.abs(error).max(0) > config.tolerance) & (asked > 0)  # (N,)
        in_a_row = np.where(wrong, 0, in_a_row + 1)
        asked_in_a_row = np.where(wrong, 0, asked_in_a_row + asked)
        solved = np.where(in_a_row >= config.streak, np.minimum(solved, t), solved)
        enough = asked_in_a_row >= config.streak  # (N,)
        solved_asked = np.where(enough, np.minimum(solved_asked, t), solved_asked)
        if t % 100 == 0:
            progress(t / config.steps, f"{np.isfinite(solved).mean():.0%} of the nets solve it")
    return solved, solved_asked


# ---- evaluation ----
TEST_STEPS = 3000


def examine(net, moments):
    """Ask frozen nets; returns age, right, strong and weak, (T, N) each, nan if not asked.

    A net is right when its largest output is that of the slot. Strong is this slot's output, which
    in a fast net is its fast weight, and weak is the mean of the others.
    """
    rows = []
    for x, asked, target, age in moments:
        y = net.answer(x, asked)  # (3, N)
        right = y.argmax(0) == target.argmax(0)  # (N,)
        strong = (y * target).sum(0)  # (N,)
        weak = (y * (1 - target)).sum(0) / (SLOTS - 1)  # (N,)
        rows.append(np.where(asked > 0, [age, right, strong, weak], np.nan))
    return np.array(rows).transpose(1, 0, 2)


def mean_where(values, condition):
    """Return the mean of the values for which the condition holds, None if there are none."""
    return values[condition].mean() if condition.any() else None


def right_after(exam, least_age, nets):
    """Return how often some of the nets, (N,), are right when asked at this age or later."""
    age, right = exam[:2]
    return mean_where(right, (age >= least_age) & nets)


def median(solved, config):
    """Return the median of the steps to a solution; nets without one count as the cap."""
    return np.median(np.minimum(solved, config.steps))


def curve(solved, config):
    """Return the share of nets (y) that have solved the task after so many steps (x)."""
    x = np.linspace(0, config.steps, 101)
    return {"x": x.tolist(), "y": (solved[:, None] <= x).mean(0).tolist()}


# ---- the experiment ----
def run(config, seed, progress):
    """Train and examine fast weights, then recurrent nets on as many moments of other lives."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]
    fast_init, fast_life, fast_test, rtrl_init, rtrl_life, rtrl_test = streams
    fast = FastWeights(fast_init, config)
    moments = life(fast_life, config.nets, config.steps, config)
    solved, solved_asked = train(fast, moments, config, lambda f, said: progress(0.2 * f, said))
    exam = examine(fast, life(fast_test, config.nets, TEST_STEPS, config))
    able = np.isfinite(solved_asked)  # (N,) right on a streak of questions, which luck hardly is
    asked = np.isfinite(exam[0]) & able  # (T, N)
    rtrl = run_rtrl(
        config, rtrl_init, rtrl_life, rtrl_test, lambda f, s: progress(0.2 + 0.8 * f, s)
    )
    return {
        "median_steps": median(solved, config),
        "solved": np.isfinite(solved).mean(),
        "median_steps_asked": median(solved_asked, config),
        "solved_asked": able.mean(),
        "right_after_1": right_after(exam, 1, able),
        "right_after_3": right_after(exam, 3, able),
        "right_after_10": right_after(exam, 10, able),
        "loose_right_after_10": right_after(exam, 10, np.isfinite(solved)),
        "strong_weight_mean": mean_where(exam[2], asked),
        "weak_weight_mean": mean_where(exam[3], asked),
        "rtrl": rtrl,
        "log_ratio_rtrl": np.log(rtrl["median_steps"] / median(solved, config)),
        "curve": curve(solved, config),
    }


def run_rtrl(config, init, training, testing, progress):
    """Train recurrent nets, and report those of the learning rate that solves the task soonest."""
    nets = len(config.rnn_rates) * config.rnn_nets
    net = Recurrent(init, config)
    solved, solved_asked = train(net, life(training, nets, config.steps, config), config, progress)
    exam = examine(net, life(testing, nets, TEST_STEPS, config))
    medians = [median(s, config) for s in np.split(solved, len(config.rnn_rates))]
    best = np.argmin(medians)
    chosen = np.arange(nets) // config.rnn_nets == best  # (N,)
    return {
        "best_rate": config.rnn_rates[best],
        "median_steps": medians[best],
        "solved": np.isfinite(solved[chosen]).mean(),
        "solved_asked": np.isfinite(solved_asked[chosen]).mean(),
        "right_after_10": right_after(exam, 10, chosen & np.isfinite(solved_asked)),
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
