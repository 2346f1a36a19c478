# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""LOCOCODE: an autoencoder that looks for flat minima keeps ten units, and they are the ten bars.

Paper: S. Hochreiter and J. Schmidhuber, "Feature extraction through LOCOCODE", Neural
Computation 11(3):679-714, 1999, the noise-free bars; the term is from "Flat minima",
Neural Computation 9(1):1-42, 1997.
Claim: of 25 hidden units 15 are pruned, the other 10 are binary and code one bar each.

    python3 lococode_ica.py --seed 0     # trains 20 nets, tries the claims; --help lists settings

The words of this file:
    bar          a row or a column of the picture; each is there or not, by itself
    flatness     B, which is small where many weights may be changed without harm to the outputs
    strength     lambda, the weight of B; it rises while a net reconstructs well, else it shrinks
    alive        a unit whose activation varies, and by more than nothing in some output
    owner        an alive unit that a bar is correlated with, by more than 0.9 in size
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each kind, trained side by side", (1, 1000)] = 10
    grid: Annotated[int, "rows and columns of a picture", (2, 20)] = 5
    probability: Annotated[float, "chance of each bar", (0.01, 0.99)] = 0.2
    patterns: Annotated[int, "pictures to train on; as many others test", (10, 100_000)] = 500
    hidden_size: Annotated[int, "hidden units", (1, 400)] = 25
    epochs: Annotated[int, "passes through the pictures", (1, 100_000)] = 2000
    batch_size: Annotated[int, "pictures of an update", (1, 100_000)] = 50
    learning_rate: Annotated[float, "step size", (1e-6, 100.0)] = 1.0
    target: Annotated[float, "what a lit pixel should give; a dark one less that", (0.1, 1.0)] = 0.7
    tolerance: Annotated[float, "squared error up to which lambda rises", (0.0, 100.0)] = 0.16
    lambda_step: Annotated[float, "what lambda rises by in an epoch", (0.0, 10.0)] = 0.0005
    lambda_decay: Annotated[float, "else it is multiplied by this", (0.0, 1.0)] = 0.95
    b_scale: Annotated[float, "B is divided by this", (1e-3, 1e9)] = 130.0
    floor: Annotated[float, "added to whatever B takes the logarithm of", (1e-9, 1.0)] = 1e-3

    def __post_init__(self):
        if self.patterns % self.batch_size:
            raise ValueError("argument --batch-size: it has to divide --patterns")


QUICK = {"nets": 2, "patterns": 100, "epochs": 40}

# ---- the task ----
LIT = 0.5  # a lit pixel as an input; a dark one is -0.5


def draw_bars(rng, config):
    """Draw pictures (N, P, D), another set for each net, and the bars in them (N, P, bars)."""
    size = (config.nets, config.patterns, 2 * config.grid)
    bars = rng.random(size) < config.probability  # (N, P, bars) rows, then columns
    rows = bars[..., : config.grid, None]  # (N, P, grid, 1)
    columns = bars[..., None, config.grid :]  # (N, P, 1, grid)
    lit = (rows | columns).reshape(config.nets, config.patterns, -1)  # (N, P, D)
    return np.where(lit, LIT, -LIT).astype(np.float32), bars


# ---- the net ----
def first_weights(rng, config):
    """Draw the weights that both kinds of net start from."""
    nets, hidden = config.nets, config.hidden_size
    pixels = config.grid**2
    theta = {
        "W1": rng.uniform(-0.1, 0.1, (nets, pixels, hidden)),
        "b1": np.full((nets, 1, hidden), -1.0),  # the paper's: units begin rather silent
        "W2": rng.uniform(-0.1, 0.1, (nets, hidden, pixels)),
        "b2": np.zeros((nets, 1, pixels)),
    }
    return {name: w.astype(np.float32) for name, w in theta.items()}


def across(w):
    """Swap the last two axes: a transposed matrix for each net."""
    return w.transpose(0, 2, 1)


class Autoencoder:
    """N nets of D inputs, H logistic hidden units and D outputs between -1 and 1.

    y = logistic(x W1 + b1)        o = 2 logistic(y W2 + b2) - 1 = tanh((y W2 + b2) / 2)
    """

    def __init__(self, theta, config):
        self.theta = {name: w.copy() for name, w in theta.items()}

    def code(self, x):
        """Return the hidden units y (N, P, H) for the pictures x (N, P, D)."""
        z = x @ self.theta["W1"] + self.theta["b1"]  # (N, P, H)
        return 0.5 + 0.5 * np.tanh(0.5 * z)

    def decode(self, y):
        """Return the outputs o (N, P, D)."""
        return np.tanh(0.5 * (y @ self.theta["W2"] + self.theta["b2"]))

    def pressure(self, y, o):
        """Return what else pulls at W2, at y and at the outputs' net inputs: here nothing."""
        return 0.0, 0.0, 0.0

    def adapt(self, error):
        """Hear the error of an epoch, (N,)."""

    def gradient(self, x, target):
        """Return the squared error (N,), summed over outputs, and the gradient of the loss."""
        y = self.code(x)  # (N, P, H)
        o = self.decode(y)  # (N, P, D)
        error = o - target  # (N, P, D)
        W2_pull, y_pull, z_pull = self.pressure(y, o)

        do = 2.0 / x.shape[1] * error  # (N, P, D)
        dz2 = do * 0.5 * (1.0 - o * o) + z_pull  # (N, P, D)
        dW2 = across(y) @ dz2 + W2_pull  # (N, H, D)
        dy = dz2 @ across(self.theta["W2"]) + y_pull  # (N, P, H)
        dz1 = dy * y * (1.0 - y)  # (N, P, H)
        return (error * error).sum(2).mean(1), {
            "W1": across(x) @ dz1,
            "b1": dz1.sum(1, keepdims=True),
            "W2": dW2,
            "b2": dz2.sum(1, keepdims=True),
        }


class Lococode(Autoencoder):
    """The same nets under flat minimum search: the loss has lambda B / b_scale besides.

    B = sum_ij log sum_k J_kij^2 + W log sum_k (sum_ij |J_kij| / sqrt(sum_k' J_k'ij^2))^2, where
    J_kij = do_k / dw_ij, for W weights; a bias is a weight from a unit that is 1. With the slopes
    a_i = y_i (1 - y_i) and c_k = (1 - o_k^2) / 2, I weights into a hidden unit, H into an output,
        K_i = sum_k (c_k w_ik)^2    R_k = sum_i |w_ik| / sqrt(K_i)    T_k = H + I c_k R_k
        B = I sum_i (2 log a_i + log K_i) + 2 O sum_i log y_i + 2 H sum_k log c_k
            + W log sum_k T_k^2 + what depends on the inputs alone
    """

    def __init__(self, theta, config):
        super().__init__(theta, config)
        self.tolerance = config.tolerance
        self.step = config.lambda_step
        self.decay = config.lambda_decay
        self.b_scale = config.b_scale
        self.floor = config.floor
        self.strength = np.zeros(len(theta["W1"]), np.float32)  # (N,) lambda

    def adapt(self, error):
        """Let lambda rise where the error of the epoch (N,) is tolerable, else shrink."""
        risen = self.strength + self.step  # (N,)
        shrunk = self.decay * self.strength  # (N,)
        self.strength = np.where(error <= self.tolerance, risen, shrunk).astype(np.float32)

    def pressure(self, y, o):
        """Return the derivatives of lambda B / b_scale, a mean over the pictures."""
        scale = (self.strength / (self.b_scale * y.shape[1]))[:, None, None]  # (N, 1, 1)
        dW2, dy, dz2 = self.flatness_gradient(y, o)
        return scale * dW2, scale * dy, scale * dz2

    def flatness_gradient(self, y, o):
        """Return dB/dW2, summed over the pictures, dB/dy and dB/dz for the outputs' net inputs."""
        W2 = self.theta["W2"]  # (N, H, D)
        size, square = np.abs(W2), W2 * W2
        into_hidden, into_output, outputs, weights = self.counts()
        c = 0.5 * (1.0 - o * o)  # (N, P, D) slopes of the outputs
        cc = c * c
        root = 1.0 / np.sqrt(cc @ across(square) + self.floor)  # (N, P, H) 1 / sqrt(K)
        R = root @ size  # (N, P, D)
        T = into_output + into_hidden * c * R
        Z = (T * T).sum(2, keepdims=True)  # (N, P, 1)
        Tc = T * c
        S = Tc @ across(size)  # (N, P, H)

        q = 2.0 * weights * into_hidden / Z  # (N, P, 1)
        even = root * root * (2.0 * into_hidden - q * root * S)  # (N, P, H) pulls as w does
        odd = q * root  # pulls as the sign of w does
        dW2 = W2 * (across(even) @ cc) + np.sign(W2) * (across(odd) @ Tc)  # (N, H, D)
        dc = c * (even @ square) + q * T * R + 2.0 * into_output / (c + self.floor)  # (N, P, D)
        dy = 2.0 * outputs / (y + self.floor)  # (N, P, H)
        dy += 2.0 * into_hidden * (1.0 - 2.0 * y) / (y * (1.0 - y) + self.floor)
        return dW2, dy, -dc * c * o

    def counts(self):
        """Count the weights into a hidden unit and into an output, the outputs, all weights."""
        _, pixels, hidden = self.theta["W1"].shape
        weights = (pixels + 1) * hidden + (hidden + 1) * pixels
        return pixels + 1, hidden + 1, pixels, weights


# ---- training ----
def train(net, x, target, order, config, watch):
    """Descend the gradient in batches; watch(epochs done, errors (N,)) sees each epoch.

    x and target are (N, P, D), order (epochs, P). Returns pictures per processor second.
    """
    begun = process_time()
    for epoch, shuffled in enumerate(order):
        errors = []
        for batch in shuffled.reshape(-1, config.batch_size):
            error, gradient = net.gradient(x[:, batch], target[:, batch])
            for name, slope in gradient.items():
                net.theta[name] -= config.learning_rate * slope
            errors.append(error)
        mean = np.mean(errors, axis=0)  # (N,)
        net.adapt(mean)
        watch(epoch + 1, mean)
    shown = x.shape[0] * order.size
    return shown / max(process_time() - begun, 1e-9)


def shuffles(rng, config):
    """Draw an order of the pictures for each epoch, (epochs, P)."""
    in_turn = np.arange(config.patterns, dtype=np.intp)
    return rng.permuted(np.tile(in_turn, (config.epochs, 1)), axis=1)


# ---- evaluation ----
ALIVE = 0.05  # least effect of an alive unit; in trials those that code had 1.4, the dead 0.03
OWNER = 0.9  # least correlation, in size, of an owner: a unit may be silent for its bar
CLOSE = 0.3  # a pixel is wrong beyond this, and a picture with it (the paper's criterion)


def living(net, y):
    """Say which units are alive, (N, H): what varies in y (N, P, H) reaches some output."""
    effect = y.std(1) * np.abs(net.theta["W2"]).max(2)  # (N, H)
    return effect >= ALIVE


def owners(y, alive, bars):
    """Say which units own which bars, (N, H, bars)."""
    y = y - y.mean(1, keepdims=True)  # (N, P, H)
    b = bars - bars.mean(1, keepdims=True)  # (N, P, bars)
    size = np.sqrt((y * y).sum(1)[:, :, None] * (b * b).sum(1)[:, None])  # (N, H, bars)
    correlation = across(y) @ b / np.maximum(size, 1e-12)
    return (np.abs(correlation) > OWNER) & alive[:, :, None]


def two_valued(y, alive):
    """Return the share of activations of alive units in the outer tenths of the unit's range."""
    low = y.min(1, keepdims=True)  # (N, 1, H)
    span = np.maximum(np.ptp(y, axis=1, keepdims=True), 1e-12)
    outer = np.abs((y - low) / span - 0.5) > 0.4  # (N, P, H)
    return outer.mean(1)[alive].mean() if alive.any() else None


def measure(net, x, target, bars):
    """Judge nets on pictures that they have not seen: a row of means over the nets."""
    y = net.code(x)  # (N, P, H)
    o = net.decode(y)  # (N, P, D)
    alive = living(net, y)  # (N, H)
    owned = owners(y, alive, bars).any(1).sum(1)  # (N,)
    solved = (alive.sum(1) == bars.shape[2]) & (owned == bars.shape[2])  # (N,)
    return {
        "solved": solved.mean(),
        "alive": alive.sum(1).mean(),
        "owned": owned.mean(),
        "wrong": (np.abs(o - target) > CLOSE).any(2).sum(1).mean(),
        "error": ((o - target) ** 2).sum(2).mean(),
        "binary": two_valued(y, alive),
    }


# ---- the experiment ----
def prepare(config, seed):
    """Draw what a run needs: pictures, unseen pictures, their bars, an order, and the nets."""
    streams = np.random.SeedSequence(seed).spawn(4)
    training, testing, init, order = map(np.random.default_rng, streams)
    x, _ = draw_bars(training, config)
    unseen, bars = draw_bars(testing, config)
    theta = first_weights(init, config)
    nets = {"loco": Lococode(theta, config), "plain": Autoencoder(theta, config)}
    return x, unseen, bars, shuffles(order, config), nets


def run(config, seed, progress):
    """Train nets with the flat-minimum term, and the same nets without it."""
    x, unseen, bars, order, nets = prepare(config, seed)
    gain = config.target / LIT
    table, curve = {}, {"x": [], "y": []}
    every = -(-config.epochs // 100)
    for k, (name, net) in enumerate(nets.items()):

        def watch(epoch, error, k=k, name=name, net=net):
            done = (k + epoch / config.epochs) / 2
            progress(done, f"{name}: squared error {error.mean():.3f}")
            if name == "loco" and epoch % every == 0:
                curve["x"].append(epoch)
                curve["y"].append(measure(net, unseen, gain * unseen, bars)["owned"])

        speed = train(net, x, gain * x, order, config, watch)
        table[name] = measure(net, unseen, gain * unseen, bars)
        table[name]["patterns_per_second"] = speed
    return table | {
        "solved_share": table["loco"].pop("solved"),
        "wrong_mean": table["loco"].pop("wrong"),
        "owned_gain": table["loco"]["owned"] - table["plain"]["owned"],
        "curve": curve,
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
