# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The Neural Bucket Brigade, recurrent: which way did the light go? It answers after it has gone.

Paper: J. Schmidhuber, "A local learning algorithm for dynamic feedforward and recurrent networks",
Connection Science 1(4):403-412, 1989. Section 3 is the rule; the light is a simple experiment.
Claim: 9 of 10 runs succeed, after 223 cycles per sequence on average.

    python3 nbb_moving_light.py --seed 0     # trains 300 nets and tries the claims, in seconds
    python3 nbb_moving_light.py --help       # lists every setting

The words of this file:
    sequence       a light on one cell of the retina per tick, from the left (0) or the right (1)
    tick           counted from 1; units see what the retina and the outputs were one tick ago
    presentation   one sequence, begun in silence; the net learns at every tick
    contribution   c_ij(t) = x_i(t-1) w_ij(t-1): what sender i gives output j; x is 1 or 0
    winner         the output that gets most: it alone fires, and pays its senders
    earnings       what an output is paid by the output that it made win one tick later
    share          a sender's part in what an output got one tick ago, and so in its earnings
    payoff         what the correct output is paid from outside when it wins
    solved         right about both sequences after each of `streak` presentations in a row
"""

import os
from dataclasses import dataclass, replace
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each kind, trained side by side", (1, 10_000)] = 100
    cells: Annotated[int, "cells of the retina", (3, 1000)] = 5
    readout_tick: Annotated[int, "tick at which the winner is the answer", (3, 1000)] = 7
    pay_ticks: Annotated[int, "last ticks at which a right winner is paid", (1, 1000)] = 3
    learning_rate: Annotated[float, "lambda, part of its input a winner pays", (1e-6, 0.5)] = 0.005
    payoff: Annotated[float, "eta, part of it the correct output is paid", (0.0, 0.5)] = 0.0065
    init_spread: Annotated[float, "initial weights lie so close to 1", (1e-6, 0.5)] = 0.001
    streak: Annotated[int, "times in a row a solved net was right", (1, 10_000)] = 10
    max_presentations: Annotated[int, "presentations a net learns from", (10, 1_000_000)] = 4000
    guesses: Annotated[int, "draws of weights a guesser has", (10, 1_000_000)] = 2000

    def __post_init__(self):
        if self.pay_ticks >= self.readout_tick:
            raise ValueError("argument --pay-ticks: it has to be below --readout-tick")


QUICK = {"nets": 20, "max_presentations": 400}
LONG_STREAK = 50  # presentations in a row that streak50_share asks for


# ---- the task ----
def retina(config):
    """Show both sequences: (ticks before the readout, cells + 1, 2); the last unit is always on."""
    seen = np.zeros((config.readout_tick - 1, config.cells + 1, 2))  # tick t stands in row t - 1
    seen[:, -1] = 1.0
    for row in range(min(config.cells, len(seen))):
        seen[row, row, 0] = 1.0
        seen[row, config.cells - 1 - row, 1] = 1.0
    return seen


def coins(config, rng):
    """Toss a fair coin before each presentation of each net: (T, N), 0 from the left, 1 right."""
    return rng.integers(2, size=(config.max_presentations, config.nets), dtype=np.intp)


# ---- the net and its rule ----
@dataclass
class BucketBrigade:
    """N nets side by side, each of two outputs that see the retina and themselves."""

    weights: np.ndarray  # (S, 2, N) from the cells, the unit that is always on, the two outputs
    learning_rate: float
    payoff: float  # or (N,), one for each net

    def present(self, seen, target, pay_ticks):
        """Show each net its sequence, (ticks, cells + 1, N), and let it learn the target, (N,)."""
        correct = np.arange(2)[:, None] == target  # (2, N)
        output = np.zeros(self.weights.shape[1:])  # (2, N) nobody has won yet
        share = np.zeros(self.weights.shape)  # (S, 2, N) and nobody is owed anything
        unpaid = len(seen) - pay_ticks
        for row in range(len(seen)):  # what tick row + 1 shows decides who wins at tick row + 2
            paid = correct & (row >= unpaid)  # (2, N)
            output, share = self.tick(seen[row], output, share, paid)

    def tick(self, seen, output, share, paid):
        """Let one output win, then change every weight w_ij (paper, section 3):

        - learning_rate c_ij(t) x_j(t)                   a winner j pays whoever made it win
        + c_ij(t-1) / sum_h c_hj(t-1) * earnings_j(t)    and passes on what it earns in turn
        + payoff c_ij(t) x_j(t)                          if j is correct and this tick is paid.
        """
        senders = np.concatenate([seen, output])  # (S, N) x(t-1)
        c = senders[:, None] * self.weights  # (S, 2, N) contributions
        net = c.sum(0)  # (2, N)
        output = self.fire(net)  # (2, N) x(t)

        payment = self.learning_rate * c * output  # (S, 2, N)
        earnings = payment[-2:].sum(1)  # (2, N) of the outputs; what the retina earns is lost
        external = self.payoff * c * (output * paid)  # (S, 2, N)
        self.weights += share * earnings - payment + external
        share = c / np.maximum(net, np.finfo(float).tiny)  # (S, 2, N) for the next tick
        return output, share

    def fire(self, net):
        """Let the output with the largest positive input win: (..., 2, N) -> 0 or 1 for each."""
        best = net.argmax(-2)[..., None, :]  # (..., 1, N)
        return ((best == np.arange(2)[:, None]) & (net > 0)).astype(float)

    def winners(self, seen):
        """Return who wins while the retina shows sequences (ticks, cells + 1, Q), learning off.

        Nothing changes hands here. (ticks, Q, N): row 0 is tick 2, the last row the answer.
        """
        from_retina, from_outputs = self.weights[:-2], self.weights[-2:]
        drive = np.einsum("tiq,ijn->tqjn", seen, from_retina)  # (ticks, Q, 2, N)
        output = np.zeros(drive.shape[1:])  # (Q, 2, N)
        won = np.zeros((len(seen), *drive[0, :, 0].shape), np.intp)  # (ticks, Q, N)
        for row in range(len(seen)):
            net = drive[row] + np.einsum("qhn,hjn->qjn", output, from_outputs)  # (Q, 2, N)
            output = self.fire(net)
            won[row] = net.argmax(1)
        return won


# ---- training ----
def start(config, rng):
    """Draw initial weights, all close to 1: (S, 2, N)."""
    low, high = 1 - config.init_spread, 1 + config.init_spread
    return rng.uniform(low, high, (config.cells + 3, 2, config.nets))


def is_right(brigade, seen):
    """Say which nets answer both sequences: (N,)."""
    answers = brigade.winners(seen)[-1]  # (2, N)
    return (answers == np.arange(2)[:, None]).all(0)


def train(config, brigade, shown):
    """Teach the sequences that shown (T, N) names; returns (T, N), who then had both right."""
    seen = retina(config)  # (ticks, cells + 1, 2)
    right = np.zeros(shown.shape, bool)  # (T, N)
    for t, target in enumerate(shown):
        brigade.present(seen[..., target], target, config.pay_ticks)
        right[t] = is_right(brigade, seen)
    return right


# ---- evaluation ----
def reached(right, many):
    """Return after how many presentations each net was right so many times in a row; inf: never.

    From right (T, N) to (N,). The presentations of the streak count.
    """
    total = np.pad(right, ((1, 0), (0, 0))).cumsum(0)  # (T + 1, N) times right so far
    streaks = total[many:] - total[:-many] == many  # (T + 1 - many, N)
    if not len(streaks):
        return np.full(right.shape[1], np.inf)
    return np.where(streaks.any(0), streaks.argmax(0) + float(many), np.inf)


def mean_of_finite(values):
    """Average what did happen, or return None."""
    finite = values[np.isfinite(values)]
    return finite.mean() if finite.size else None


def measure(right, config):
    """Sum up what became of the nets, right (T, N); times are of the nets that got there."""
    when = reached(right, config.streak)  # (N,)
    solved = np.isfinite(when)  # (N,)
    late = np.arange(1, len(right) + 1)[:, None] > when  # (T, N) after a net was solved
    presentations = mean_of_finite(when)
    low, high = np.quantile(when[solved], (0.25, 0.75)) if solved.any() else (None, None)
    return {
        "solved_share": solved.mean(),
        "cycles_per_sequence": presentations and presentations / 2,  # there are two sequences
        "presentations": presentations,
        "lower_quartile": low,
        "upper_quartile": high,
        "first_correct": mean_of_finite(reached(right, 1)),
        "streak50_share": np.isfinite(reached(right, LONG_STREAK)).mean(),
        "late_correct": right[late].mean() if late.any() else None,
    }


# ---- the rival ----
def guess(config, rng):
    """Draw weights from U(0, 1) until both answers are right; returns presentations needed, (N,).

    A draw is shown one sequence, and the other one only if it was right. inf: it was never right.
    """
    seen = retina(config)  # (ticks, cells + 1, 2)
    shown = np.zeros(config.nets)  # (N,) presentations so far
    needed = np.full(config.nets, np.inf)  # (N,)
    for _ in range(config.guesses):
        weights = rng.random((config.cells + 3, 2, config.nets))  # (S, 2, N)
        answers = BucketBrigade(weights, 0.0, 0.0).winners(seen)[-1]  # (2, N)
        shown += 1 + (answers[0] == 0)
        found = (answers[0] == 0) & (answers[1] == 1)  # (N,)
        needed = np.where(found, np.minimum(needed, shown), needed)
        if np.isfinite(needed).all():
            break
    return needed


# ---- the experiment ----
def during_the_crossing(config):
    """Set the answer to the tick of the last cell, and pay at every tick, as much as is paid."""
    return replace(
        config,
        readout_tick=config.cells,
        pay_ticks=config.cells - 1,
        payoff=config.learning_rate,
    )


def run(config, seed, progress):
    """Train nets to answer after the crossing, and during it with and without recurrence."""
    streams = np.random.SeedSequence(seed).spawn(4)
    weights_rng, after_rng, crossing_rng, guess_rng = map(np.random.default_rng, streams)
    weights = start(config, weights_rng)  # (S, 2, N)
    without = weights.copy()  # (S, 2, N)
    without[-2:] = 0.0  # a weight of zero contributes nothing, and so it never changes
    crossing = during_the_crossing(config)
    crossing_coins = coins(config, crossing_rng)  # (T, N)

    progress(0.0, "nets that answer after the crossing")
    after = learn(config, weights, coins(config, after_rng))
    progress(0.33, "nets that answer during the crossing")
    recurrent = learn(crossing, weights, crossing_coins)
    progress(0.66, "the same nets without recurrence")
    memoryless = learn(crossing, without, crossing_coins)
    guessed = mean_of_finite(guess(config, guess_rng))
    both = guessed and after["first_correct"]
    return after | {
        "recurrence_lead": recurrent["solved_share"] - memoryless["solved_share"],
        "guess_lead": guessed - after["first_correct"] if both else None,
        "crossing": {"solved_share": recurrent["solved_share"]},
        "guess": {"presentations": guessed},
    }


def learn(config, weights, shown):
    """Train nets from these weights, and return what became of them."""
    brigade = BucketBrigade(weights.copy(), config.learning_rate, config.payoff)
    return measure(train(config, brigade, shown), config)


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
