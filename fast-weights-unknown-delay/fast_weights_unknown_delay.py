# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The flip-flop without recurrent units: one net learns to write the weights of another.

Paper: J. Schmidhuber, "Learning to control fast-weight memories: an alternative to dynamic
recurrent networks", Neural Computation 4(1):131-139, 1992, section 3.1.
Task: events A, B, C come at random without end. Answer 1 at a B if an A came after the last B,
else 0. Solved: the error is at most 0.05 for 100 steps in a row.
Claim: two feedforward nets learn it within 300 steps if the slow net S has an output for each
weight of the fast net F, and within 800 if it changes them by an outer product (FROM/TO).
Baseline: an Elman net that learns the same stream by real-time recurrent learning (RTRL).

    python3 fast_weights_unknown_delay.py --seed 0      # 300 nets of each kind
    python3 fast_weights_unknown_delay.py --help        # every setting

The letters of this file: W are the weights of S, which learn; w are the weights of F, the only
memory; p are the sensitivities, the derivatives of w by W; N nets stand side by side.
"""

import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "pairs of nets of each architecture", (1, 10_000)] = 300
    steps: Annotated[int, "most time steps that a net learns from", (100, 10**7)] = 20_000
    steepness: Annotated[float, "T, of the squashing of fast weights", (0.1, 100.0)] = 10.0
    direct_rate: Annotated[float, "learning rate, an output for each weight", (1e-6, 100.0)] = 0.7
    from_to_rate: Annotated[float, "learning rate of the FROM/TO nets", (1e-6, 100.0)] = 1.0
    init: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 10.0)] = 0.1
    tolerance: Annotated[float, "a right answer has no larger error", (1e-6, 1.0)] = 0.05
    streak: Annotated[int, "right steps in a row that solve the task", (1, 10**6)] = 100
    rnn_nets: Annotated[int, "recurrent nets of each learning rate", (1, 10_000)] = 60
    rnn_hidden: Annotated[int, "hidden units of a recurrent net", (1, 100)] = 4
    rnn_rates: Annotated[tuple[float, ...], "their learning rates", (1e-6, 1e3)] = (2.0, 4.0, 7.0)
    rnn_init: Annotated[float, "their weights start in [-this, this]", (0.0, 10.0)] = 1.0

    def __post_init__(self):
        if self.streak > self.steps:
            raise ValueError("argument --streak: must not exceed --steps")


QUICK = {"nets": 20, "steps": 1500, "rnn_nets": 3}

# ---- the task ----
EVENTS = 3
A, B, C = range(EVENTS)


def stream(rng, nets, steps):
    """Yield the steps of N streams: the event x (3, N), one-hot, and the wanted answer (N,)."""
    armed = np.zeros(nets, bool)  # (N,) an A came after the last B
    for _ in range(steps):
        event = rng.integers(EVENTS, size=nets)  # (N,)
        x = event == np.arange(EVENTS)[:, None]  # (3, N)
        target = x[B] & armed  # (N,)
        armed = x[A] | (armed & ~x[B])
        yield x.astype(float), target.astype(float)


# ---- two feedforward nets, of which one writes the weights of the other ----
class Direct:
    """N pairs of nets; S has an output for each weight of F (paper, equation 4).

    y(t) = w(t-1) x(t)                F answers before this step's event is written
    dw(t) = W x(t)                    S has no memory
    w(t) = sigma(w(t-1) + dw(t))      sigma(z) = 1 / (1 + exp(-T (z - 0.5))), w(0) = sigma(0)
    """

    OUTPUTS = EVENTS  # of S

    def __init__(self, rng, nets, steepness, learning_rate, init):
        self.W = rng.uniform(-init, init, (self.OUTPUTS, EVENTS, nets))
        self.steepness = steepness  # a number, or (N,), as the next
        self.learning_rate = learning_rate
        self.w = np.zeros((EVENTS, nets))  # the first step makes it sigma(0)
        self.p = np.zeros((EVENTS, EVENTS, nets))  # dw_b/dW_bj
        self.x = np.zeros((EVENTS, nets))  # the event that is still to be written

    def answer(self, x):
        """Write the event of the step before, then answer the event of this one: y (N,)."""
        self.write(self.x)
        self.x = x
        return (self.w * x).sum(0)

    def write(self, x):
        """Change the fast weights, and take the sensitivities along."""
        dw = (self.W * x).sum(1)  # (3, N)
        slope = self.squash(dw)
        self.p = slope[:, None] * (self.p + x)

    def squash(self, dw):
        """Add dw to the fast weights, keep them between 0 and 1, and return sigma' (3, N)."""
        self.w = 0.5 + 0.5 * np.tanh(0.5 * self.steepness * (self.w + dw - 0.5))
        return self.steepness * self.w * (1 - self.w)

    def learn(self, error):
        """Descend half of the squared error of this answer (N,) by its exact gradient."""
        dw = error * self.x  # (3, N) derivatives by fast weights
        self.W -= self.learning_rate * self.gradient(dw)

    def gradient(self, dw):
        """Return the derivatives by W, from those by w."""
        return dw[:, None] * self.p


class FromTo(Direct):
    """N pairs of nets; S changes F by an outer product (paper, equation 5).

    S has an output s_b for each input of F (FROM) and one for F's only output (TO):
    dw_b(t) = s_b(t) s_TO(t).
    """

    OUTPUTS = EVENTS + 1  # the last is TO

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.p_to = np.zeros_like(self.p)  # dw_b/dW_TO,j

    def write(self, x):
        s = (self.W * x).sum(1)  # (4, N)
        s_from, s_to = s[:-1], s[-1]  # (3, N), (N,)
        slope = self.squash(s_from * s_to)[:, None]  # (3, 1, N)
        self.p = slope * (self.p + s_to * x)
        self.p_to = slope * (self.p_to + s_from[:, None] * x)

    def gradient(self, dw):
        by_from = dw[:, None] * self.p  # (3, 3, N)
        by_to = (dw[:, None] * self.p_to).sum(0)  # (3, N)
        return np.concatenate([by_from, by_to[None]])


# ---- the rival: an Elman net, trained by RTRL on such a stream ----
def logistic(z):
    """Return 1 / (1 + exp(-z)), without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


class Elman:
    """N nets of H logistic units, fed with the event, a constant and H, and a logistic output."""

    def __init__(self, rng, hidden, learning_rate, init):
        nets = len(learning_rate)
        inputs = EVENTS + 1 + hidden
        self.V = rng.uniform(-init, init, (hidden, inputs, nets))
        self.u = rng.uniform(-init, init, (hidden + 1, nets))  # the last is a bias
        self.learning_rate = learning_rate  # (N,)
        self.h = np.zeros((hidden, nets))
        self.p = np.zeros((hidden, hidden, inputs, nets))  # dh_k/dV_ij

    def answer(self, x):
        """Take a step, and return the outputs y (N,)."""
        hidden = np.arange(len(self.h))
        one = np.ones((1, x.shape[1]))
        fed = np.concatenate([x, one, self.h])  # (I, N)
        self.h = logistic((self.V * fed).sum(1))  # (H, N)
        recurrent = self.V[:, EVENTS + 1 :]  # (H, H, N) from all units to all units
        p = (recurrent[:, :, None, None] * self.p).sum(1)  # (H, H, I, N) through the other units
        p[hidden, hidden] += fed  # and straight to the unit that the weight leads to
        slope = self.h * (1 - self.h)  # (H, N)
        self.p = slope[:, None, None] * p
        self.sent = np.concatenate([self.h, one])  # (H + 1, N)
        self.y = logistic((self.u * self.sent).sum(0))  # (N,)
        return self.y

    def learn(self, error):
        """Descend half of the squared error of this answer (N,) by its exact gradient."""
        do = error * self.y * (1 - self.y)  # (N,)
        dh = do * self.u[:-1]  # (H, N)
        self.u -= self.learning_rate * do * self.sent
        self.V -= self.learning_rate * (dh[:, None, None] * self.p).sum(0)


# ---- training ----
def train(net, events, config, progress):
    """Let nets learn until each has solved the task; return after how many steps, inf if never."""
    right_in_a_row = 0  # then (N,)
    solved = np.inf  # then (N,)
    for t, (x, target) in enumerate(events, 1):
        error = net.answer(x) - target  # (N,)
        right = np.abs(error) <= config.tolerance  # (N,)
        right_in_a_row = np.where(right, right_in_a_row + 1, 0)
        solved = np.where(right_in_a_row >= config.streak, np.minimum(solved, t), solved)
        unsolved = np.isinf(solved)  # (N,)
        if not unsolved.any():
            break
        net.learn(error * unsolved)  # what has solved the task learns no more
        if t % 100 == 0:
            progress(t / config.steps, f"{1 - unsolved.mean():.0%} of the nets have solved it")
    return solved


# ---- evaluation ----
GAPS = (10, 10_000)  # steps; in training a gap of more than 20 is rare


def bridges(net, gap, tolerance):
    """Say which frozen nets (N,) answer A, C for the gap, B, C for the gap, B without an error."""
    waiting = [(C, 0.0)] * gap
    right = True  # then (N,)
    for event, target in [(A, 0.0), *waiting, (B, 1.0), *waiting, (B, 0.0)]:
        x = np.eye(EVENTS)[:, [event]]  # (3, 1)
        right = right & (np.abs(net.answer(x) - target) <= tolerance)
    return right


def quartiles(solved, config):
    """Return the quartiles of the steps to a solution; nets without one count as the cap."""
    return np.quantile(np.minimum(solved, config.steps), (0.25, 0.5, 0.75))


def share(flags, among):
    """Return the share of true flags among some nets, or None if these are none."""
    return flags[among].mean() if among.any() else None


def measure(solved, right, config):
    """Return the metrics of one architecture, from steps (N,) and the test of each gap (2, N)."""
    lower, _, upper = quartiles(solved, config)
    return {
        "solved": np.isfinite(solved).mean(),
        "lower_quartile": lower,
        "upper_quartile": upper,
        "right_at_gap_10": share(right[0], np.isfinite(solved)),
    }


# ---- the experiment ----
def train_fast(kind, learning_rate, seed, config, progress):
    """Train and test one architecture: steps to a solution (N,), right at each gap (2, N)."""
    init, events = map(np.random.default_rng, seed.spawn(2))
    net = kind(init, config.nets, config.steepness, learning_rate, config.init)
    solved = train(net, stream(events, config.nets, config.steps), config, progress)
    able = np.isfinite(solved)
    right = np.array([able & bridges(net, gap, config.tolerance) for gap in GAPS])
    return solved, right


def train_rtrl(seed, config, progress):
    """Train Elman nets of all rates: the steps to a solution, (rates, N)."""
    init, events = map(np.random.default_rng, seed.spawn(2))
    rates = np.repeat(config.rnn_rates, config.rnn_nets)  # (rates * N,)
    net = Elman(init, config.rnn_hidden, rates, config.rnn_init)
    solved = train(net, stream(events, len(rates), config.steps), config, progress)
    return solved.reshape(-1, config.rnn_nets)


def run(config, seed, progress):
    """Train and test both architectures, then Elman nets with as many steps each."""
    direct_seed, from_to_seed, rtrl_seed = np.random.SeedSequence(seed).spawn(3)

    def part(begin, width):
        return lambda done, said: progress(begin + width * done, said)

    direct, direct_right = train_fast(
        Direct, config.direct_rate, direct_seed, config, part(0.0, 0.2)
    )
    from_to, from_to_right = train_fast(
        FromTo, config.from_to_rate, from_to_seed, config, part(0.2, 0.3)
    )
    rtrl = train_rtrl(rtrl_seed, config, part(0.5, 0.5))  # (rates, N)

    right = np.concatenate([direct_right, from_to_right], axis=1)  # (2, 2 N)
    from_to_median = quartiles(from_to, config)[1]
    medians = [quartiles(solved, config)[1] for solved in rtrl]
    best = np.argmin(medians)
    x = np.arange(0, 2001, 20)  # steps
    return {
        "direct_median_steps": quartiles(direct, config)[1],
        "from_to_median_steps": from_to_median,
        "direct": measure(direct, direct_right, config),
        "from_to": measure(from_to, from_to_right, config),
        "held_share": share(right[1], right[0]),
        "rtrl": {
            "best_rate": config.rnn_rates[best],
            "median_steps": medians[best],
            "solved": np.isfinite(rtrl[best]).mean(),
        },
        "log_ratio_rtrl": np.log(medians[best] / from_to_median),
        "curve": {"x": x.tolist(), "y": [(direct <= limit).mean() for limit in x]},
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
