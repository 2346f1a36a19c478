# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""A continuous Hopfield memory: one update, which is softmax attention, recalls a pattern.

Paper: H. Ramsauer et al., "Hopfield Networks is All You Need", ICLR 2021, arXiv:2008.02217.
Claims: a memory stores exponentially many patterns in the dimension d of their space; one update
retrieves a pattern, with an error exponentially small in its separation Delta from the others; the
energy has three kinds of minima: the mean of all patterns, means of a few, and single patterns.
Baseline: the classical binary Hopfield network, patterns of the same dimension, Hebb's rule.

    python3 modern_hopfield_retrieval.py --seed 0     # tries the claims, in seconds
    python3 modern_hopfield_retrieval.py --help       # lists every setting

The words of this file:
    pattern    a stored vector x_i, one row of (N, d), on the sphere of radius M = K sqrt(d - 1)
    state      a vector xi that the memory changes, one row of (S, d); it starts as a query
    beta       the inverse temperature: the larger, the less the patterns are mixed
    right      after the update the state is nearer than tolerance * M to the pattern asked for
    N90        the number of patterns at which 90 % of the answers are right
"""

import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # small d
import numpy as np


@dataclass(frozen=True)
class Config:
    dimensions: Annotated[tuple[int, ...], "d of each memory", (2, 16)] = (4, 5, 6, 7, 8, 9)
    radius: Annotated[float, "K: patterns have length K sqrt(d - 1)", (0.1, 100.0)] = 3.0
    beta: Annotated[float, "inverse temperature where capacity is measured", (1e-6, 1e3)] = 1.0
    noise: Annotated[float, "distance of query and pattern, lengths of a pattern", (0.0, 2.0)] = 0.1
    tolerance: Annotated[float, "right if not farther, lengths of a pattern", (1e-6, 1.0)] = 0.05
    queries: Annotated[int, "queries put to one memory at most", (1, 100_000)] = 200
    draws: Annotated[int, "independent memories behind each number", (1, 100)] = 5
    law_dimension: Annotated[int, "error law: d, with K = 1", (2, 1000)] = 12
    law_patterns: Annotated[int, "error law: patterns of a memory", (2, 5000)] = 1000
    law_beta: Annotated[float, "error law: inverse temperature", (1e-6, 1e3)] = 8.0
    clusters: Annotated[int, "minima: clusters of patterns, in 16 dimensions", (2, 100)] = 5
    members: Annotated[int, "minima: patterns of a cluster", (2, 100)] = 20

    def __post_init__(self):
        if len(self.dimensions) < 3 or list(self.dimensions) != sorted(set(self.dimensions)):
            raise ValueError("argument --dimensions: needs three or more numbers that rise")


QUICK = {"dimensions": (4, 5, 6), "queries": 50, "draws": 1, "law_patterns": 200, "members": 4}


# ---- the task: patterns on a sphere, and queries near them ----
SPREAD = 0.15  # distance of a pattern from the centre of its cluster before it is put on the sphere


def directions(count, dimension, rng, kind=np.float64):
    """Draw vectors of length 1 from all directions alike, (count, d)."""
    vectors = rng.standard_normal((count, dimension), kind)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def trials(count, dimension, config, rng):
    """Yield patterns (N, d), those that are asked for (Q, d), and queries near these (Q, d).

    No pattern is asked for twice: small memories are drawn anew until there are enough queries.
    """
    length = np.float32(config.radius * np.sqrt(dimension - 1))  # M
    left = config.draws * config.queries
    while left > 0:
        patterns = length * directions(count, dimension, rng, np.float32)
        wanted = patterns[: min(config.queries, left)]  # in no order, so that the first will do
        offset = directions(len(wanted), dimension, rng, np.float32)
        left -= len(wanted)
        yield patterns, wanted, wanted + np.float32(config.noise) * length * offset


def clustered(config, rng):
    """Draw clusters of patterns (C * m, d), all of one length: short ones could be no minima."""
    length = config.radius * np.sqrt(MINIMA_DIMENSION - 1)  # M
    centres = length * directions(config.clusters, MINIMA_DIMENSION, rng)  # (C, d)
    offset = directions(config.clusters * config.members, MINIMA_DIMENSION, rng)  # (C * m, d)
    patterns = np.repeat(centres, config.members, axis=0) + SPREAD * length * offset
    return length * patterns / np.linalg.norm(patterns, axis=1, keepdims=True)


# ---- the memory ----
BLOCK = 2**18  # similarities that are held at a time: they stay in the cache


def update(states, patterns, beta):
    """Move each state to a mean of the patterns, weighted by its attention (paper, equation 3):

    xi_new = X softmax(beta X^T xi)    with the patterns as columns of X; here they are rows.
    """
    moved = np.empty_like(states)  # (S, d)
    rows = max(1, BLOCK // len(patterns))
    for start in range(0, len(states), rows):
        block = slice(start, start + rows)
        weight = beta * states[block] @ patterns.T  # (B, N)
        weight -= weight.max(1, keepdims=True)  # or exp would overflow
        np.exp(weight, out=weight)
        moved[block] = weight @ patterns / weight.sum(1, keepdims=True)
    return moved


def energy(states, patterns, beta):
    """Return the energy of each state (S,), which no update raises (paper, equation 2):

    E = -ln(sum_i exp(beta x_i . xi)) / beta + xi . xi / 2 + ln(N) / beta + max_i |x_i|^2 / 2
    """
    similarity = beta * states @ patterns.T  # (S, N)
    largest = similarity.max(1)  # (S,)
    log_sum = largest + np.log(np.exp(similarity - largest[:, None]).sum(1))  # (S,)
    constant = np.log(len(patterns)) / beta + (patterns**2).sum(1).max() / 2
    return -log_sum / beta + (states**2).sum(1) / 2 + constant


# ---- capacity ----
GRID = np.round(10 ** (np.arange(23) / 4)).astype(int)  # 1, 2, 3, 6, 10, 18 ... 316,228 patterns
BAR = 0.9  # share of right answers that N90 is about
MANY = 10  # updates, where iterating is compared with one


def shares_right(count, dimension, config, rng, updates=1):
    """Return the share of right answers of memories of `count` patterns after each update, (U,)."""
    near = config.tolerance * config.radius * np.sqrt(dimension - 1)
    right = []  # (U, Q) of each memory
    for patterns, wanted, states in trials(count, dimension, config, rng):
        right.append([])
        for _ in range(updates):
            states = update(states, patterns, config.beta)
            right[-1].append(np.linalg.norm(states - wanted, axis=1) <= near)
    return np.concatenate(right, axis=1).mean(1)


def capacity(share_at, grid):
    """Return N90: where share_at(N) falls below the bar, ln N interpolated; grid starts with 1.

    If it never does, the end of the grid is returned, and the true N90 lies beyond.
    """
    low, low_share = 1, 1.0
    for count in grid[1:]:
        share = share_at(int(count))
        if share < BAR:
            return float(low * (count / low) ** ((low_share - BAR) / (low_share - share)))
        low, low_share = count, share
    return float(low)


def modern_n90(dimension, config, rng):
    """Return N90 of the memory after one update."""
    return capacity(lambda count: shares_right(count, dimension, config, rng)[0], GRID)


def line(x, y):
    """Fit y = slope x + b by least squares: returns the slope and the sum of squared residuals."""
    slope, intercept = np.polyfit(x, y, 1)
    return slope, ((y - slope * np.asarray(x) - intercept) ** 2).sum()


# ---- the error of one update ----
SMALLEST_ERROR = 1e-12  # what is below is rounding
LEAST_SEPARATION = 3.0  # of beta Delta: where patterns overlap the law says nothing


def error_law(config, rng):
    """Return beta Delta and the ln of the error of one update, for patterns as queries, (P,) each.

    Delta_i = min over j of (x_i . x_i - x_i . x_j) separates a pattern from the others.
    """
    separations, errors = [], []
    for _ in range(config.draws):
        length = np.sqrt(config.law_dimension - 1)  # M, with K = 1
        patterns = length * directions(config.law_patterns, config.law_dimension, rng)
        similarity = patterns @ patterns.T  # (N, N)
        np.fill_diagonal(similarity, -np.inf)
        separations.append(config.law_beta * (length**2 - similarity.max(1)))
        moved = update(patterns, patterns, config.law_beta)
        errors.append(np.linalg.norm(moved - patterns, axis=1))
    separation, error = np.concatenate(separations), np.concatenate(errors)  # (draws * N,)
    kept = (error > SMALLEST_ERROR) & (separation > LEAST_SEPARATION)
    return separation[kept], np.log(error[kept])


# ---- three kinds of minima ----
MINIMA_DIMENSION = 16
BETAS = 10.0 ** np.arange(-3, 2.75, 0.25)  # 23 values, four in a decade
SETTLE = 200  # updates
SAME = 0.01  # end points that are nearer, in lengths of a pattern, are one


def fixed_points(patterns, beta):
    """Count the different points in which the patterns end as states."""
    states = patterns
    for _ in range(SETTLE):
        states = update(states, patterns, beta)
    gap = np.linalg.norm(states[:, None] - states, axis=2)  # (N, N)
    same = gap < SAME * np.linalg.norm(patterns[0])
    return int((same.argmax(1) == np.arange(len(states))).sum())  # each counts with its first


def minima(config, rng):
    """Return the number of fixed points of each memory at each beta, (draws, 23)."""
    memories = [clustered(config, rng) for _ in range(config.draws)]
    return np.array([[fixed_points(patterns, beta) for beta in BETAS] for patterns in memories])


def decades(counts, wanted):
    """Return how many decades of beta the longest run of the wanted count spans."""
    longest = run_length = 0
    for count in counts:
        run_length = run_length + 1 if count == wanted else 0
        longest = max(longest, run_length)
    return max(longest - 1, 0) / 4


# ---- the baseline: the classical network of Hopfield, 1982 ----
SWEEPS = 10


def classical_share(count, dimension, config, rng):
    """Return the share of patterns of +1 and -1 that a binary Hopfield network recalls exactly.

    A query has as many flipped bits as come nearest to the noise: below 20 dimensions, none.
    """
    memories = -(-config.draws * config.queries // count)  # B
    patterns = rng.choice([-1.0, 1.0], (memories, count, dimension))  # (B, N, d)
    weights = patterns.transpose(0, 2, 1) @ patterns  # (B, d, d) Hebb's rule
    weights[:, np.arange(dimension), np.arange(dimension)] = 0
    states = patterns.copy()
    states[:, :, : round(config.noise**2 * dimension / 4)] *= -1
    for _ in range(SWEEPS):
        for unit in range(dimension):
            field = (states @ weights[:, :, unit, None])[:, :, 0]  # (B, N)
            states[:, :, unit] = np.where(field == 0, states[:, :, unit], np.sign(field))
    return (states == patterns).all(2).mean()


def classical_n90(dimension, config, rng):
    """Return N90 of the binary network."""
    return capacity(lambda count: classical_share(count, dimension, config, rng), range(1, 1000))


# ---- the experiment ----
def capacities(config, rng, gain_rng, progress):
    """Return N90 of each dimension, and what further updates add to one at a third of it."""
    n90, gains = [], []
    for k, d in enumerate(config.dimensions):
        progress(0.8 * k / len(config.dimensions), f"capacity in {d} dimensions")
        n90.append(modern_n90(d, config, rng))
        shares = shares_right(max(1, round(n90[-1] / 3)), d, config, gain_rng, MANY)  # (U,)
        gains.append(shares[-1] - shares[0])
    return n90, np.mean(gains)


def run(config, seed, progress):
    """Measure capacities, the error law and the minima, and the classical network's capacity."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    capacity_rng, gain_rng, law_rng, minima_rng, classical_rng = streams
    n90, gain = capacities(config, capacity_rng, gain_rng, progress)
    slope, residuals = line(config.dimensions, np.log(n90))
    _, power_residuals = line(np.log(config.dimensions), np.log(n90))

    progress(0.8, "the error law")
    separation, ln_error = error_law(config, law_rng)
    enough = len(ln_error) > 2
    progress(0.85, "the minima")
    counts = minima(config, minima_rng)
    kinds = {"all": 1, "cluster": config.clusters, "single": config.clusters * config.members}
    spans = {kind: np.mean([decades(c, wanted) for c in counts]) for kind, wanted in kinds.items()}

    last = config.dimensions[-1]
    binary = classical_n90(last, config, classical_rng)
    return {
        "n90": {f"d{d}": value for d, value in zip(config.dimensions, n90)},
        "growth": np.exp(slope),
        "fit_ratio": power_residuals / residuals,
        "iterating_gain": gain,
        "error_slope": line(separation, ln_error)[0] if enough else None,
        "error_correlation": np.corrcoef(separation, ln_error)[0, 1] if enough else None,
        "decades": spans,
        "decades_min": min(spans.values()),
        "classical": {"n90": binary, "per_number": binary / (last * (last - 1) / 2)},
        "modern": {"per_number": 1 / last},  # it stores the patterns themselves, N d numbers
        "curve": {"x": np.log10(BETAS).tolist(), "y": counts.mean(0).tolist()},
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
