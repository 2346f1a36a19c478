# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Two nets see different strips of one stereo pair and learn to agree: what they say is the depth.

Paper: J. Schmidhuber, D. Prelinger, "Discovering predictable classifications", Neural Computation
5(4):625-635, 1993; the task is that of S. Becker and G. Hinton, CRG-TR-89-7, 1989 (IMAX).
Claim: minimising the difference of two answers while keeping each informative extracts the shift
in one stage: 10 of 10 runs in 100,000 patterns, with shared weights in 20,000 to 50,000.
Rivals: IMAX, and the same objective with either of its two terms left out.

    python3 predictable_stereo.py --seed 0     # trains 150 pairs of nets and tries the claims
    python3 predictable_stereo.py --help       # lists every setting

The words of this file:
    strip          a row of random bits; the right eye sees it as it is, the left eye shifted
    shift          one pixel to the left or to the right, the same for both strips of a pattern
    view           what one net sees: its strip in both eyes, 2 * width values of -1 or +1
    pair           two nets, each with one view; they never see the shift, only each other's answer
    pattern        one presentation of two views, the unit in which learning is counted
    solved         both nets tell the shift of every view, up to one inversion for both together
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    pairs: Annotated[int, "pairs of nets of each kind, trained side by side", (1, 10_000)] = 30
    width: Annotated[int, "bits of a strip", (3, 12)] = 4
    hidden_size: Annotated[int, "hidden units of a net", (1, 1000)] = 12
    alpha: Annotated[float, "weight of the variance against the match", (0.0, 10.0)] = 0.9
    learning_rate: Annotated[float, "step size of Adam", (1e-6, 1.0)] = 0.01
    batch_size: Annotated[int, "patterns per update", (2, 100_000)] = 100
    patterns: Annotated[int, "patterns that a separate pair sees", (10, 10**8)] = 100_000
    shared_patterns: Annotated[int, "patterns that a shared pair sees", (10, 10**8)] = 50_000
    solved_at: Annotated[float, "accuracy that both nets need", (0.5, 1.0)] = 0.99
    check_every: Annotated[int, "patterns between two looks at the accuracy", (2, 10**7)] = 1000
    imax_floor: Annotated[float, "added to both variances of IMAX", (1e-12, 1.0)] = 1e-6

    def __post_init__(self):
        if self.check_every % self.batch_size:
            raise ValueError("argument --check-every: it has to be a multiple of --batch-size")
        if min(self.patterns, self.shared_patterns) < self.check_every:
            raise ValueError("argument --check-every: it exceeds --patterns or --shared-patterns")


QUICK = {"pairs": 10, "patterns": 20_000, "shared_patterns": 15_000}


# ---- the task: strips of a binary stereo pair ----
def all_views(width):
    """Return each usable strip under each shift: (strips, 2, 2 * width), right eye first.

    Strips that look the same after either shift (those of period two) say nothing and are left out.
    """
    bits = np.arange(2**width)[:, None] >> np.arange(width) & 1  # (2**w, w)
    right = (2 * bits - 1).astype(np.float32)  # (2**w, w)
    left = np.stack([np.roll(right, 1, axis=1), np.roll(right, -1, axis=1)], 1)  # (2**w, 2, w)
    usable = (left[:, 0] != left[:, 1]).any(1)  # (2**w,)
    both = np.broadcast_to(right[:, None], left.shape)  # (2**w, 2, w) the right eye at each shift
    return np.concatenate([both, left], 2)[usable]


def draw(views, pairs, batch_size, rng):
    """Draw patterns: a strip for each net, and one shift for both, (N, 2, B, 2w)."""
    shift = rng.integers(2, size=(pairs, 1, batch_size))  # (N, 1, B)
    strip = rng.integers(len(views), size=(pairs, 2, batch_size))  # (N, 2, B)
    return views[strip, shift]


# ---- the model: N pairs of nets side by side ----
class Nets:
    """Two nets for each of N pairs, tanh hidden units and sigmoid outputs: sets is 1 if shared."""

    def __init__(self, pairs, sets, sizes, rng, dtype=np.float32):
        inputs, hidden_size, outputs = sizes
        to_hidden = rng.standard_normal((pairs, sets, inputs, hidden_size)) / np.sqrt(inputs)
        to_output = rng.standard_normal((pairs, sets, hidden_size, outputs)) / np.sqrt(hidden_size)
        self.sets = sets
        self.weights = {
            "to_hidden": to_hidden.astype(dtype),  # (N, S, I, H)
            "hidden_bias": np.zeros((pairs, sets, 1, hidden_size), dtype),
            "to_output": to_output.astype(dtype),  # (N, S, H, K)
            "output_bias": np.zeros((pairs, sets, 1, outputs), dtype),
        }

    def forward(self, x):
        """Return the answers (N, 2, B, K) to x (N or 1, 2, B, I); shared weights see 2B rows."""
        w = self.weights
        self.x = x.reshape(len(x), self.sets, -1, x.shape[-1])  # (N, S, R, I), S * R = 2B
        self.hidden = np.tanh(self.x @ w["to_hidden"] + w["hidden_bias"])  # (N, S, R, H)
        z = self.hidden @ w["to_output"] + w["output_bias"]  # (N, S, R, K)
        self.y = 0.5 + 0.5 * np.tanh(0.5 * z)  # (N, S, R, K) the sigmoid, which cannot overflow
        return self.y.reshape(len(z), *x.shape[1:3], -1)

    def deltas(self, dy):
        """Carry dE/dy (N, 2, B, K) back to what goes into the units, dz_hidden and dz_output."""
        dz_output = dy.reshape(self.y.shape) * self.y * (1 - self.y)  # (N, S, R, K)
        d_hidden = dz_output @ self.weights["to_output"].swapaxes(2, 3)  # (N, S, R, H)
        dz_hidden = d_hidden * (1 - self.hidden**2)  # (N, S, R, H)
        return dz_hidden, dz_output

    def backward(self, dy):
        """Return dE/dw for each weight, from dE/dy (N, 2, B, K) of the last forward pass."""
        dz_hidden, dz_output = self.deltas(dy)
        return {
            "to_hidden": self.x.swapaxes(2, 3) @ dz_hidden,  # (N, S, I, H)
            "hidden_bias": dz_hidden.sum(2, keepdims=True),  # (N, S, 1, H)
            "to_output": self.hidden.swapaxes(2, 3) @ dz_output,  # (N, S, H, K)
            "output_bias": dz_output.sum(2, keepdims=True),  # (N, S, 1, K)
        }


# ---- the rule, and its rivals: each returns the objective E (N,) and dE/dy (N, 2, B, K) ----
def predictable(y, alpha):
    """Match the answers, keep each informative: E = mean (y_1 - y_2)^2 - alpha sum_l Var(y_l).

    The mean's own derivative drops out of dVar/dy, because deviations from a mean sum to zero.
    """
    difference = y[:, :1] - y[:, 1:]  # (N, 1, B, K)
    deviation = y - y.mean(2, keepdims=True)  # (N, 2, B, K)
    both_ways = np.concatenate([difference, -difference], 1)  # (N, 2, B, K)
    per_sample = difference**2 - alpha * (deviation**2).sum(1, keepdims=True)  # (N, 1, B, K)
    return per_sample.sum((1, 2, 3)) / y.shape[2], 2 / y.shape[2] * (both_ways - alpha * deviation)


def informative_only(y, alpha):
    """Leave the match out: E = -alpha sum_l Var(y_l), each net for itself."""
    deviation = y - y.mean(2, keepdims=True)  # (N, 2, B, K)
    return -alpha * (deviation**2).mean(2).sum((1, 2)), -2 * alpha / y.shape[2] * deviation


def imax(y, floor):
    """Becker and Hinton's objective: E = -0.5 log [Var(y_1 + y_2) / Var(y_1 - y_2)]."""
    batch_size = y.shape[2]
    deviation = y - y.mean(2, keepdims=True)  # (N, 2, B, K)
    total = deviation[:, :1] + deviation[:, 1:]  # (N, 1, B, K)
    difference = deviation[:, :1] - deviation[:, 1:]  # (N, 1, B, K)
    signal = (total**2).mean(2, keepdims=True) + floor  # (N, 1, 1, K)
    noise = (difference**2).mean(2, keepdims=True) + floor  # (N, 1, 1, K)
    toward = total / signal  # (N, 1, B, K)
    apart = difference / noise  # (N, 1, B, K)
    dy = np.concatenate([apart - toward, -apart - toward], 1) / batch_size  # (N, 2, B, K)
    return -0.5 * np.log(signal / noise).sum((1, 2, 3)), dy


class Adam:
    """Adam with its usual constants."""

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, weights, learning_rate):
        self.weights = weights
        self.learning_rate = learning_rate
        self.steps = 0
        self.means = {name: np.zeros_like(weight) for name, weight in weights.items()}
        self.squares = {name: np.zeros_like(weight) for name, weight in weights.items()}

    def step(self, grads):
        """Change each weight, in place."""
        self.steps += 1
        for name, grad in grads.items():
            mean, square = self.means[name], self.squares[name]
            mean += (1 - self.BETA_1) * (grad - mean)
            square += (1 - self.BETA_2) * (grad**2 - square)
            spread = np.sqrt(square / (1 - self.BETA_2**self.steps)) + self.EPSILON
            self.weights[name] -= (
                self.learning_rate * (mean / (1 - self.BETA_1**self.steps)) / spread
            )


# ---- training ----
def train(nets, optimiser, objective, next_batch, steps):
    """Update the nets so many times; yields the number of updates after each."""
    for step in range(1, steps + 1):
        y = nets.forward(next_batch())  # (N, 2, B, K)
        loss, dy = objective(y)
        if not np.isfinite(loss).all():
            raise FloatingPointError(f"the objective is {loss} at update {step}")
        optimiser.step(nets.backward(dy))
        yield step


def learn_shift(config, sets, objective, patterns, seeds, progress):
    """Train pairs from scratch: returns the nets and the patterns that each pair needed, (N,).

    seeds holds the seed of the weights and that of the patterns; a pair that fails needs inf.
    """
    weights_rng, pattern_rng = map(np.random.default_rng, seeds)
    views = all_views(config.width)  # (strips, 2, 2w)
    nets = Nets(config.pairs, sets, (2 * config.width, config.hidden_size, 1), weights_rng)
    needed = np.full(config.pairs, np.inf)  # (N,)

    def next_batch():
        return draw(views, config.pairs, config.batch_size, pattern_rng)

    optimiser = Adam(nets.weights, config.learning_rate)
    steps = patterns // config.batch_size
    for step in train(nets, optimiser, objective, next_batch, steps):
        seen = step * config.batch_size
        if seen % config.check_every == 0:
            solved = accuracy(answers(nets, views)) >= config.solved_at  # (N,)
            needed[solved] = np.minimum(needed[solved], seen)
            progress(seen / patterns, f"{np.isfinite(needed).mean():.0%} of the pairs have it")
    return nets, needed


# ---- evaluation: every view, and what no net was told, its shift ----
def answers(nets, views):
    """Return what both nets of each pair say to each view: (N, 2, strips, 2 shifts), bool."""
    every = views.reshape(-1, views.shape[-1])  # (2 strips, 2w)
    return nets.forward(np.stack([every, every])[None]).reshape(-1, 2, *views.shape[:2]) > 0.5


def accuracy(said):
    """Return the accuracy of each pair's worse net, after the better joint inversion: (N,)."""
    right = (said == np.arange(2)).mean((2, 3))  # (N, 2) answer 1 for shift 1
    return np.maximum(right.min(1), (1 - right).min(1))


def agreement(said):
    """Return the share of all joint patterns for which the two nets say the same: (N,)."""
    ones = said.mean(2)  # (N, 2, 2 shifts) given the shift, the strips are independent
    return (ones.prod(1) + (1 - ones).prod(1)).mean(1)


def median(needed):
    """Return the median number of patterns, None if half of the pairs did not get there."""
    middle = np.median(needed)
    return middle if np.isfinite(middle) else None


# ---- the experiment ----
def run(config, seed, progress):
    """Train pairs of five kinds; all but the shared ones start alike and see the same patterns."""
    own_weights, own_patterns, shared_weights, shared_patterns = np.random.SeedSequence(seed).spawn(
        4
    )
    own, shared = (own_weights, own_patterns), (shared_weights, shared_patterns)
    kinds = {  # sets of weights, objective, patterns, seeds
        "separate": (2, lambda y: predictable(y, config.alpha), config.patterns, own),
        "shared": (1, lambda y: predictable(y, config.alpha), config.shared_patterns, shared),
        "imax": (2, lambda y: imax(y, config.imax_floor), config.patterns, own),
        "no_variance": (2, lambda y: predictable(y, 0.0), config.patterns, own),
        "no_match": (2, lambda y: informative_only(y, config.alpha), config.patterns, own),
    }
    needed, rows = {}, {}
    for name, kind in kinds.items():
        begun = len(rows)
        rows[name], needed[name] = measured(
            config,
            kind,
            lambda fraction, said, k=begun: progress((k + fraction) / len(kinds), said),
        )
    return rows | compare(config, needed)


def measured(config, kind, progress):
    """Train pairs of one kind: returns its row of the table, and the patterns each pair needed."""
    start = process_time()
    nets, needed = learn_shift(config, *kind, progress)
    seconds = process_time() - start
    said = answers(nets, all_views(config.width))
    row = {
        "accuracy": accuracy(said).mean(),
        "agreement": agreement(said).mean(),
        "median_patterns": median(needed),
        "patterns_per_second": config.pairs * kind[2] / max(seconds, 1e-9),
    }
    return row, needed


def compare(config, needed):
    """Return what the claims ask for, from the patterns that each pair of a kind needed."""
    share = {name: np.isfinite(patterns).mean() for name, patterns in needed.items()}
    separate, shared = median(needed["separate"]), median(needed["shared"])
    looks = np.linspace(config.check_every, config.patterns, 100)
    return {
        "separate_share": share["separate"],
        "shared_share_50000": share["shared"],
        "imax_share": share["imax"],
        "share_over_imax": share["separate"] - share["imax"],
        "log_ratio": np.log(separate / shared) if separate and shared else None,
        "curve": {
            "x": looks.tolist(),
            "y": [(needed["separate"] <= seen).mean() for seen in looks],
        },
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
