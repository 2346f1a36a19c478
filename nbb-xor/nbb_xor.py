# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The Neural Bucket Brigade learns XOR: units pay whoever made them fire, no error is sent back.

Paper: J. Schmidhuber, "A local learning algorithm for dynamic feedforward and recurrent networks",
Connection Science 1(4):403-412, 1989. Section 3 is the rule, section 6 the XOR experiment.
Claim: three hidden units find XOR after about 619 presentations; two find it and do not hold it.

    python3 nbb_xor.py --seed 0     # trains 200 nets and tries the claims, in seconds
    python3 nbb_xor.py --help       # lists every setting

The words of this file:
    presentation   six ticks on one pattern, begun in silence; the net learns at every tick
    contribution   c_ij(t) = x_i(t-1) w_ij(t-1): what sender i gives unit j; x is 1 or 0
    winner         the unit of a group that gets most: it alone fires, and pays its senders
    earnings       what a hidden unit is paid by the output that it made fire
    share          an input's part in what a hidden unit got one tick ago, and so in its earnings
    payoff         what the correct output is paid from outside when it fires
    solution       weights with which all four answers are right
"""

import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each size, trained side by side", (1, 10_000)] = 100
    hidden: Annotated[int, "hidden units of the nets in row three_hidden", (1, 100)] = 3
    presentations: Annotated[int, "presentations that a net learns from", (10, 1_000_000)] = 5000
    follow: Annotated[int, "presentations after a solution, for uptime", (1, 1_000_000)] = 1000
    streak: Annotated[int, "presentations in a row that held50 asks for", (1, 1_000_000)] = 50
    learning_rate: Annotated[float, "lambda, part of its input a winner pays", (1e-6, 0.5)] = 0.005
    payoff: Annotated[float, "eta, part of it the correct output is paid", (0.0, 0.5)] = 0.005
    init_low: Annotated[float, "lowest initial weight", (1e-6, 1000.0)] = 0.999
    init_high: Annotated[float, "highest initial weight", (1e-6, 1000.0)] = 1.001
    guesses: Annotated[int, "nets that the guessing baseline draws", (100, 10_000_000)] = 50_000

    def __post_init__(self):
        if self.init_low >= self.init_high:
            raise ValueError("argument --init-low: it has to be below --init-high")


QUICK = {"nets": 10, "presentations": 600, "follow": 100, "guesses": 2000}

# ---- the task ----
PATTERNS = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], float)  # x1, x2, always on
TARGETS = np.array([0, 1, 1, 0])  # (4,) the output that has to fire
TICKS = 6  # of a presentation


# ---- the net and its rule ----
@dataclass
class BucketBrigade:
    """N nets side by side: 3 inputs feed H hidden units and 2 outputs, hidden units outputs."""

    to_hidden: np.ndarray  # (3, H, N) weights from the inputs to the hidden units
    to_output: np.ndarray  # (3 + H, 2, N) weights to the outputs, from inputs, then hidden units
    learning_rate: float
    payoff: float

    def present(self, pattern, target):
        """Show each net a pattern, (3, N), and let it learn the target, (N,)."""
        correct = np.arange(2)[:, None] == target  # (2, N)
        hidden = np.zeros(self.to_hidden.shape[1:])  # (H, N) nobody has fired yet
        share = np.zeros(self.to_hidden.shape)  # (3, H, N) and nobody is owed anything
        for _ in range(1, TICKS):  # tick 1 sets the inputs; hidden units and outputs are silent
            hidden, share = self.tick(pattern, hidden, share, correct)

    def tick(self, pattern, hidden, share, correct):
        """Fire, then change every weight w_ij by what changes hands there (paper, section 3):

        - learning_rate c_ij(t) x_j(t)                   a winner j pays whoever made it fire
        + c_ij(t-1) / sum_h c_hj(t-1) * earnings_j(t)    and passes on what it earns in turn
        + payoff c_ij(t) x_j(t)                          if j is the correct output.
        """
        senders = np.concatenate([pattern, hidden])  # (3 + H, N) x(t-1)
        c_hidden = pattern[:, None] * self.to_hidden  # (3, H, N) contributions
        c_output = senders[:, None] * self.to_output  # (3 + H, 2, N)
        net_hidden = c_hidden.sum(0)  # (H, N)
        hidden = self.fire(net_hidden)  # (H, N) x(t)
        output = self.fire(c_output.sum(0))  # (2, N) x(t)

        paid_hidden = self.learning_rate * c_hidden * hidden  # (3, H, N)
        paid_output = self.learning_rate * c_output * output  # (3 + H, 2, N)
        earnings = paid_output[3:].sum(1)  # (H, N); what inputs earn is lost, no weight feeds them
        external = self.payoff * c_output * output * correct  # (3 + H, 2, N)
        self.to_hidden += share * earnings - paid_hidden
        self.to_output += external - paid_output
        share = c_hidden / np.maximum(net_hidden, np.finfo(float).tiny)  # for the next tick
        return hidden, share

    def fire(self, net):
        """Let the unit with the largest positive input win: (..., units, N) -> 0 or 1 for each."""
        unit = np.arange(net.shape[-2])[:, None]  # (units, 1)
        best = net.argmax(-2, keepdims=True)  # (..., 1, N)
        return ((unit == best) & (net > 0)).astype(float)

    def answers(self):
        """Return the output that fires for each pattern, with learning off: (4, N).

        With fixed weights the hidden winner is settled at tick 2 and the output at tick 3: one
        pass stands for the last three ticks, by which the paper judges.
        """
        net_hidden = np.einsum("pi,ihn->phn", PATTERNS, self.to_hidden)  # (4, H, N)
        hidden = self.fire(net_hidden)  # (4, H, N)
        direct = np.einsum("pi,ion->pon", PATTERNS, self.to_output[:3])  # (4, 2, N)
        indirect = np.einsum("phn,hon->pon", hidden, self.to_output[3:])  # (4, 2, N)
        return (direct + indirect).argmax(1)


# ---- training ----
def train(config, seed, hidden, progress, kind=BucketBrigade):
    """Teach nets random patterns; returns (T, N), whether each then had all four answers right."""
    rng = np.random.default_rng(seed)
    low, high = config.init_low, config.init_high
    to_hidden = rng.uniform(low, high, (3, hidden, config.nets))
    to_output = rng.uniform(low, high, (3 + hidden, 2, config.nets))
    brigade = kind(to_hidden, to_output, config.learning_rate, config.payoff)
    right = np.zeros((config.presentations, config.nets), bool)  # (T, N)
    for t in range(config.presentations):
        shown = rng.integers(4, size=config.nets)  # (N,)
        brigade.present(PATTERNS.T[:, shown], TARGETS[shown])
        right[t] = (brigade.answers() == TARGETS[:, None]).all(0)
        if t % 100 == 0:
            progress(t / config.presentations, f"{right[t].mean():.0%} of the nets are right")
    return right


# ---- evaluation ----
def measure(right, config):
    """Sum up what became of the nets, right (T, N), in shares of nets and of time."""
    first, age = since_first(right)
    solved = np.isfinite(first)  # (N,)
    watched = (age > 0) & (age <= config.follow)  # (T, N)
    return {
        "solved": solved.mean(),
        "first_mean": first[solved].mean() if solved.any() else None,
        "held4": in_a_row(right, 4).mean(),
        "held50": in_a_row(right, config.streak).mean(),
        "uptime": right[watched].mean() if watched.any() else None,
    }


def since_first(right):
    """Return each net's first presentation with a solution (N,), inf if none, and the age since."""
    first = np.where(right.any(0), right.argmax(0) + 1.0, np.inf)  # (N,)
    return first, np.arange(1, len(right) + 1)[:, None] - first  # (T, N), negative before


def in_a_row(right, many):
    """Say which nets were ever right that many presentations in a row: (T, N) -> (N,)."""
    total = np.pad(right, ((1, 0), (0, 0))).cumsum(0)  # (T + 1, N) times right so far
    return (total[many:] - total[:-many] == many).any(0)


def curve(right):
    """Return the share of nets that are right (y) so many presentations after their first (x)."""
    _, age = since_first(right)  # (T, N)
    x = np.unique(np.geomspace(1, 0.7 * len(right), 101).astype(int))
    return {"x": x.tolist(), "y": [(right & (age == a)).any(0).mean() for a in x]}


def guess(config, seed):
    """Draw weights from U(0, 1) instead of learning; returns presentations per solution."""
    rng = np.random.default_rng(seed)
    to_hidden = rng.random((3, config.hidden, config.guesses))
    to_output = rng.random((3 + config.hidden, 2, config.guesses))
    answers = BucketBrigade(to_hidden, to_output, 0.0, 0.0).answers()  # (4, G)
    faultless = (answers == TARGETS[:, None]).cumprod(0)  # (4, G) no mistake up to this pattern
    shown = config.guesses + faultless[:3].sum()  # a draw is dropped at its first mistake
    solutions = faultless[3].sum()
    return shown / solutions if solutions else None


# ---- the experiment ----
def run(config, seed, progress):
    """Train nets of three and of two hidden units, and guess weights for comparison."""
    three_seed, two_seed, guess_seed = np.random.SeedSequence(seed).spawn(3)
    right = train(config, three_seed, config.hidden, lambda f, said: progress(f / 2, said))
    right_of_two = train(config, two_seed, 2, lambda f, said: progress(0.5 + f / 2, said))
    three = measure(right, config)
    two = measure(right_of_two, config)
    guesses = guess(config, guess_seed)
    both_solved = guesses and three["first_mean"]
    return {
        "three_hidden": three,
        "two_hidden": two,
        "guess": {"presentations": guesses},
        "third_unit_lead": three["held50"] - two["held50"],
        "guess_lead": guesses - three["first_mean"] if both_solved else None,
        "curve": curve(right),
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
