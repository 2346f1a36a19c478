# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Predictors guess each code unit from the others; the units escape them: a factorial code is left.

Paper: J. Schmidhuber, "Learning factorial codes by predictability minimization", Neural Computation
4(6):863-879, 1992. Four of its nine experiments are here, the other five in the study beside it.
Claim: with no teacher and no decoder, sigmoid units become binary and statistically independent,
keep all information about the input, and fall silent where they are not needed.

    python3 predictability_min_binary_factors.py --seed 0     # trains 800 nets, tries the claims
    python3 predictability_min_binary_factors.py --help       # lists every setting

The words of this file:
    code          y, the outputs of the encoder, one for each code unit
    predictor     a small net that guesses one code unit from all the others
    V             half the squared error of the guesses: predictors lower it, code units raise it
    twin          a net with the same first weights and patterns, whose predictors see nothing:
                  they learn a unit's mean, and the unit only seeks variance
    factorial     P(code) is the product of the P(unit); judged with each unit rounded to 0 or 1
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each row; each has a twin", (1, 10_000)] = 100
    rate_local: Annotated[float, "code's rate, batch of local patterns", (1e-6, 1000.0)] = 1.0
    rate_distributed: Annotated[float, "the same for distributed ones", (1e-6, 1000.0)] = 2.25
    rate_online: Annotated[float, "code's rate, one pattern at a time", (1e-6, 1000.0)] = 0.25
    predictor_factor: Annotated[float, "predictors' rate / code's rate", (1e-6, 1000.0)] = 10.0
    init_local: Annotated[float, "deviation of first weights, local input", (1e-6, 100.0)] = 0.5
    init_distributed: Annotated[float, "the same, distributed input", (1e-6, 100.0)] = 1.0
    binary_bound: Annotated[float, "mean distance from 0 or 1 called binary", (0.0, 0.5)] = 0.1
    factorial_bound: Annotated[float, "total correlation called none, nats", (0.0, 1.0)] = 0.001
    updates_scale: Annotated[float, "updates / the paper's number of updates", (1e-4, 100.0)] = 1.0


QUICK = {"nets": 20, "updates_scale": 0.05}


# ---- the task ----
@dataclass(frozen=True)
class Row:
    """One experiment of the paper; an update takes the whole ensemble, or one drawn pattern."""

    patterns: np.ndarray  # (P, I)
    chances: np.ndarray  # (P,) how probable each pattern is
    online: bool
    units: int  # D of the code
    hidden: int  # H of the encoder
    predictor_hidden: int  # K of each predictor
    updates: int

    @property
    def local(self):
        """Say whether each pattern has an input of its own."""
        return len(self.patterns) == self.patterns.shape[1]


def distributed(bits):
    """Return all patterns of so many bits, -1 or 1: (2**bits, bits)."""
    number = np.arange(2**bits)[:, None]  # (P, 1)
    return 2.0 * (number >> np.arange(bits) & 1) - 1


LOCAL = np.eye(4)  # (4, 4)
EVEN = np.full(4, 1 / 4)  # (4,)
UNEVEN = np.array([1, 2, 2, 4]) / 9  # (4,) = (1/3, 2/3) of one bit times (1/3, 2/3) of the other
ROWS = {
    "uniform_4": Row(distributed(4), np.full(16, 1 / 16), True, 4, 8, 6, 4_000),
    "occam_1": Row(LOCAL, EVEN, False, 3, 4, 3, 10_000),
    "uniform_1": Row(LOCAL, EVEN, False, 2, 4, 3, 20_000),
    "non_uniform_1": Row(distributed(2), UNEVEN, False, 2, 2, 1, 2_000),
}


# ---- the two players and their rule ----
def sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)  # which cannot overflow


@dataclass
class Game:
    """N encoders, each with D predictors, side by side: the nets are the last axis everywhere."""

    encoder: list  # [W (I, H, N), b (H, N), V (H, D, N), c (D, N)]
    predictors: list  # [W (D, D, K, N), b (D, K, N), V (D, K, N), c (D, N)], D of them in each net
    sees: np.ndarray  # (D, D, 1, N) 1 where predictor i sees unit j, never i itself
    rate: float
    predictor_rate: float

    def __post_init__(self):
        self.predictors[0] = self.predictors[0] * self.sees

    def encode(self, x):
        """Return hidden units (P, H, N) and code (P, D, N) of x (P, I, N), or of (P, I, 1)."""
        W, b, V, c = self.encoder
        hidden = np.tanh(np.einsum("pin,ihn->phn", x, W) + b)  # (P, H, N)
        y = sigmoid(np.einsum("phn,hdn->pdn", hidden, V) + c)  # (P, D, N)
        return hidden, y

    def predict(self, y):
        """Return the predictors' hidden units (P, D, K, N) and guesses (P, D, N)."""
        W, b, V, c = self.predictors
        hidden = np.tanh(np.einsum("pjn,ijkn->pikn", y, W) + b)  # (P, D, K, N)
        guess = sigmoid(np.einsum("pikn,ikn->pin", hidden, V) + c)  # (P, D, N)
        return hidden, guess

    def update(self, x, weight):
        """Show x: the predictors descend V by one step, then the code units climb it by one."""
        hidden, y = self.encode(x)
        d_predictors, _ = self.derivatives(y, weight)
        self.step(self.predictors, d_predictors, -self.predictor_rate)
        _, d_y = self.derivatives(y, weight)  # of the better predictors
        self.step(self.encoder, self.backward_encoder(x, hidden, y, d_y), self.rate)

    def derivatives(self, y, weight):
        """Return dV/d predictors and dV/dy, where V = sum_p weight_p |guess_p - y_p|^2 / 2."""
        hidden, guess = self.predict(y)
        d_guess = weight * (guess - y)  # (P, D, N)
        d_predictors, through = self.backward_predictors(y, hidden, guess, d_guess)
        return d_predictors, through - d_guess  # a unit moves itself, and the others' predictors

    def backward_predictors(self, y, hidden, guess, d_guess):
        """Return dV/d predictors, and what comes through them: the sum of d_guess dguess/dy."""
        W, _, V, _ = self.predictors
        dz = d_guess * guess * (1 - guess)  # (P, D, N)
        d_V = np.einsum("pikn,pin->ikn", hidden, dz)  # (D, K, N)
        dz_hidden = dz[:, :, None] * V * (1 - hidden * hidden)  # (P, D, K, N)
        d_W = np.einsum("pjn,pikn->ijkn", y, dz_hidden) * self.sees  # (D, D, K, N)
        through = np.einsum("pikn,ijkn->pjn", dz_hidden, W)  # (P, D, N)
        return [d_W, dz_hidden.sum(0), d_V, dz.sum(0)], through

    def backward_encoder(self, x, hidden, y, d_y):
        """Return dV/d encoder."""
        V = self.encoder[2]
        dz = d_y * y * (1 - y)  # (P, D, N)
        d_V = np.einsum("phn,pdn->hdn", hidden, dz)  # (H, D, N)
        dz_hidden = np.einsum("pdn,hdn->phn", dz, V) * (1 - hidden * hidden)  # (P, H, N)
        d_W = np.einsum("pin,phn->ihn", x, dz_hidden)  # (I, H, N)
        return [d_W, dz_hidden.sum(0), d_V, dz.sum(0)]

    def step(self, weights, gradients, rate):
        """Move the weights along their gradients."""
        for weight, gradient in zip(weights, gradients):
            weight += rate * gradient


# ---- training ----
def new_game(row, config, rng, kind):
    """Draw weights for config.nets nets; each twin gets the same ones, and blind predictors."""
    inputs = row.patterns.shape[1]
    D, H, K = row.units, row.hidden, row.predictor_hidden
    scale = config.init_local if row.local else config.init_distributed
    rate = config.rate_local if row.local else config.rate_distributed
    rate = config.rate_online if row.online else rate

    def draw(*shape):
        weights = scale * rng.standard_normal((*shape, config.nets))  # (*shape, nets)
        return np.concatenate([weights, weights], -1, dtype=np.float32)  # (*shape, N = 2 nets)

    def zeros(*shape):
        return np.zeros((*shape, 2 * config.nets), np.float32)  # (*shape, N)

    encoder = [draw(inputs, H), zeros(H), draw(H, D), zeros(D)]
    predictors = [draw(D, D, K), zeros(D, K), draw(D, K), zeros(D)]
    sees = zeros(D, D, 1)
    sees[..., : config.nets] = 1 - np.eye(D)[:, :, None, None]
    return kind(encoder, predictors, sees, rate, config.predictor_factor * rate)


def train(row, config, seed, progress, kind=Game):
    """Play the game for the row's number of updates; returns it."""
    weight_stream, pattern_stream = seed.spawn(2)
    game = new_game(row, config, np.random.default_rng(weight_stream), kind)
    rng = np.random.default_rng(pattern_stream)
    x = row.patterns[:, :, None].astype(np.float32)  # (P, I, 1)
    weight = row.chances[:, None, None].astype(np.float32)  # (P, 1, 1)
    inputs = np.ascontiguousarray(x[:, :, 0].T)  # (I, P)
    thresholds = row.chances.cumsum()[:-1]  # (P - 1,)
    updates = updates_of(row, config)
    for t in range(updates):
        if row.online:
            shown = thresholds.searchsorted(rng.random(config.nets), "right")  # (nets,)
            x = inputs[None, :, np.tile(shown, 2)]  # (1, I, N) a twin sees what its net sees
            weight = np.float32(1)
        game.update(x, weight)
        if t % 500 == 0:
            progress(t / updates, f"{row.units} units, update {t} of {updates}")
    return game


def updates_of(row, config):
    """Return the number of updates of a row."""
    return max(1, round(config.updates_scale * row.updates))


# ---- evaluation ----
def entropy(chances):
    """Return the entropy in nats along the first axis; an impossible case adds nothing."""
    return -(chances * np.log(np.where(chances > 0, chances, 1.0))).sum(0)


def judge(y, chances, config):
    """Say which codes y (P, D, N), rounded to bits, are factorial and invertible; two (N,)."""
    bits = y > 0.5  # (P, D, N)
    place = 2 ** np.arange(y.shape[1])[:, None]  # (D, 1)
    word = (bits * place).sum(1)  # (P, N) the code word of each pattern
    words = np.arange(2 ** y.shape[1])[:, None, None]  # (words, 1, 1)
    joint = ((word == words) * chances[:, None]).sum(1)  # (words, N) P(word)
    on = (bits * chances[:, None, None]).sum(0)  # (D, N) P(unit is 1)
    single = entropy(np.stack([on, 1 - on])).sum(0)  # (N,) sum of the units' entropies
    invertible = (joint > 0).sum(0) == len(y)  # (N,) H(code) = H(input)
    factorial = single - entropy(joint) <= config.factorial_bound  # (N,)
    return factorial & invertible, invertible


def measure(game, row, config):
    """Return the shares of nets by what became of their codes, and of their twins' codes."""
    _, y = game.encode(row.patterns[:, :, None])  # (P, D, N) every pattern that there is
    factorial, invertible = judge(y, row.chances, config)
    binary = np.minimum(y, 1 - y).mean((0, 1)) <= config.binary_bound  # (N,)
    nets = config.nets
    return {
        "factorial": factorial[:nets].mean(),
        "invertible": invertible[:nets].mean(),
        "binary": binary[:nets].mean(),
        "twin": factorial[nets:].mean(),
    }


# ---- the experiment ----
def part(progress, done, rows):
    """Return the progress of one row, so many of which are done."""
    return lambda share, said: progress((done + share) / rows, said)


def run(config, seed, progress):
    """Train each row's nets and twins side by side and count the factorial codes."""
    begun = process_time()
    shown = 0
    result = {}
    for (name, row), stream in zip(ROWS.items(), np.random.SeedSequence(seed).spawn(len(ROWS))):
        game = train(row, config, stream, part(progress, len(result), len(ROWS)))
        result[name] = measure(game, row, config)
        many = 1 if row.online else len(row.patterns)
        shown += 2 * config.nets * updates_of(row, config) * many
    seconds = max(process_time() - begun, 1e-9)
    table = {name: result[name]["factorial"] for name in ROWS}
    for column in ("invertible", "binary", "twin"):
        table[column] = {name: result[name][column] for name in ROWS}
    table["gain_least"] = min(row["factorial"] - row["twin"] for row in result.values())
    table["training"] = {"patterns_per_second": shown / seconds}
    return table


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
