# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Do linear units that compete in pairs forget less of a first task while they learn a second?

Paper: R. K. Srivastava, J. Masci, S. Kazerounian, F. Gomez, J. Schmidhuber, "Compete to compute",
NIPS 26, 2013. Task: MNIST in two parts, P1 with the digits 0-4 and P2 with 5-9. A net learns P1,
gets a fresh output layer, learns P2, and is tested on P1 with its first output layer again.
LWTA (local winner-take-all): of each pair of linear units the larger one passes its value on, the
other is silent; the gradient passes through the winners alone.
Claim: 6.12 % of P1 are wrong in the end, 16.63 % with rectified units, 57.84 % with sigmoids.
Baselines: a ReLU and a sigmoid net from the same draw, which stop at the same likelihood.

    python3 compete_to_compute.py --seed 0      # three nets learn P1, then P2
    python3 compete_to_compute.py --help        # every setting

MNIST's four files are read from data/mnist, beside this file or beside its folder.
The letters of this file: B images in a batch, H units in a hidden layer, C = 5 classes.
"""

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    hidden_size: Annotated[int, "units in each of three hidden layers", (2, 4096)] = 240
    learning_rate: Annotated[float, "of gradient descent", (1e-6, 10.0)] = 0.05
    momentum: Annotated[float, "share of the last step in the next one", (0.0, 0.999)] = 0.9
    batch_size: Annotated[int, "images in a batch", (1, 1000)] = 100
    target_nll: Annotated[float, "a task ends at this mean -log p, in nats", (0.0, 10.0)] = 0.03
    max_epochs: Annotated[int, "or after so many epochs", (1, 400)] = 40
    checks_per_epoch: Annotated[int, "how often that is looked at", (1, 100)] = 2
    init_scale: Annotated[float, "of LWTA and ReLU, 1 is He's start", (0.0, 100.0)] = 1.0
    sigmoid_scale: Annotated[float, "of sigmoids, 1 is Glorot's start", (0.0, 100.0)] = 1.0

    def __post_init__(self):
        if self.hidden_size % 2:
            raise ValueError("argument --hidden-size: units compete in pairs, so it must be even")


QUICK = {"hidden_size": 16, "max_epochs": 1, "target_nll": 0.3}


# ---- the task ------------------------------------------------------------------------------------
HERE = Path(__file__).resolve().parent
PLACES = HERE / "data" / "mnist", HERE.parent / "data" / "mnist"
SHA_256 = {  # of the arrays
    "train-images-idx3": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train-labels-idx1": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "t10k-images-idx3": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "t10k-labels-idx1": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
CLASSES = 5  # digits of a task


class Part(NamedTuple):
    """Images with their labels."""

    images: np.ndarray  # (N, 784)
    labels: np.ndarray  # (N,)


class Task(NamedTuple):
    """What is learned, and what it is judged by."""

    train: Part
    test: Part


def read(name):
    """Read one of the four files; raises OSError when it is missing or is not MNIST's."""
    paths = [place / f"{name}-ubyte.gz" for place in PLACES]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise FileNotFoundError(
            f"{paths[0].name} is neither in {' nor in '.join(map(str, PLACES))}"
        )
    raw = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    array = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
    if hashlib.sha256(array).hexdigest() != SHA_256[name]:
        raise OSError(f"{path} does not hold MNIST's array")
    return array


def mnist(kind):
    """Read a half of MNIST, "train" or "t10k": pixels from 0 to 255."""
    images = read(f"{kind}-images-idx3").reshape(-1, 784)
    return Part(images, read(f"{kind}-labels-idx1").astype(np.intp))


def digits(part, first, count):
    """Take `count` digits from `first` on, with pixels from 0 to 1 and labels from 0 on."""
    chosen = (part.labels >= first) & (part.labels < first + count)  # (N,)
    return Part(part.images[chosen].astype(np.float32) / 255, part.labels[chosen] - first)


def two_tasks():
    """Return P1, the digits 0 to 4, and P2, the digits 5 to 9."""
    halves = mnist("train"), mnist("t10k")
    return [Task(*(digits(half, first, CLASSES) for half in halves)) for first in (0, CLASSES)]


# ---- activations: each returns y = f(z) and the slope dy/dz, both (B, H) -------------------------
def lwta(z):
    """Let units h and h + H / 2 compete: the larger z passes, the other unit is silent."""
    half = z.shape[1] // 2
    first = z[:, :half] >= z[:, half:]  # (B, H / 2); a tie goes to the first
    wins = np.concatenate([first, ~first], 1)  # (B, H)
    return z * wins, wins


def relu(z):
    """Rectify."""
    return np.maximum(z, 0), z > 0


def sigmoid(z):
    """Squash to (0, 1)."""
    y = 0.5 + 0.5 * np.tanh(0.5 * z)
    return y, y * (1 - y)


# ---- the net: a list of layers (W, b) ------------------------------------------------------------
def he(normal, config):
    """Scale a normal draw (fan_in, fan_out) for LWTA and ReLU."""
    return normal * (config.init_scale * (2 / len(normal)) ** 0.5)


def glorot(normal, config):
    """Scale a normal draw (fan_in, fan_out) for sigmoids."""
    return normal * (config.sigmoid_scale * (2 / sum(normal.shape)) ** 0.5)


KINDS = {"lwta": (lwta, he), "relu": (relu, he), "sigmoid": (sigmoid, glorot)}


def layers(normals, scaled, config):
    """Make layers of normal draws, with biases of zero."""
    weights = [scaled(normal, config) for normal in normals]
    return [(W, np.zeros_like(W[0])) for W in weights]


def forward(net, x, activation):
    """Return log p (B, C), each layer's input, and the slopes of each hidden layer."""
    inputs = [x]
    slopes = []
    for W, b in net[:-1]:
        y, slope = activation(inputs[-1] @ W + b)  # (B, H)
        inputs.append(y)
        slopes.append(slope)
    W, b = net[-1]
    z = inputs[-1] @ W + b  # (B, C)
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True)), inputs, slopes


def backward(net, log_p, labels, inputs, slopes):
    """Return the gradient (dW, db) of the mean of -log p(label), layer by layer."""
    dz = np.exp(log_p)  # (B, C)
    dz[np.arange(len(labels)), labels] -= 1
    dz /= len(labels)
    gradient = []
    for n in reversed(range(len(net))):
        gradient.append((inputs[n].T @ dz, dz.sum(0)))
        if n > 0:
            dy = dz @ net[n][0].T  # (B, H)
            dz = dy * slopes[n - 1]  # of LWTA: only the winners learn
    return gradient[::-1]


# ---- training ------------------------------------------------------------------------------------
GLANCE = 2000  # images; a net that is far from the target on these is not looked at any closer


def rest(net):
    """Return a momentum of zero."""
    return [(np.zeros_like(W), np.zeros_like(b)) for W, b in net]


def descend(net, velocity, activation, images, labels, learning_rate, momentum):
    """Make one step of gradient descent with momentum, in place."""
    log_p, inputs, slopes = forward(net, images, activation)
    gradient = backward(net, log_p, labels, inputs, slopes)
    for layer, speeds, slope in zip(net, velocity, gradient, strict=True):
        for parameter, speed, g in zip(layer, speeds, slope, strict=True):
            speed *= momentum
            speed -= learning_rate * g
            parameter += speed


def batches(order, size):
    """Cut each epoch (a row of `order`) into whole batches."""
    for epoch in order:
        for start in range(0, len(epoch) - size + 1, size):
            yield epoch[start : start + size]


def train_to_likelihood(net, activation, part, order, config, progress):
    """Train in place until the target is met on the whole training part.

    Returns the number of updates and the mean -log p at the end; nan or inf: the net diverged.
    """
    velocity = rest(net)
    checks = config.checks_per_epoch
    per_epoch = len(part.labels) // config.batch_size
    how = config.learning_rate, config.momentum
    with np.errstate(over="ignore", invalid="ignore"):
        for update, rows in enumerate(batches(order, config.batch_size), 1):
            descend(net, velocity, activation, part.images[rows], part.labels[rows], *how)
            if update * checks // per_epoch > (update - 1) * checks // per_epoch:
                nll = mean_nll(net, activation, part, 2 * config.target_nll)
                progress(update / per_epoch / len(order), f"-log p {nll:.3f}")
                if not nll > config.target_nll:  # nan ends it too
                    break
    return update, nll


# ---- evaluation ----------------------------------------------------------------------------------
def mean_nll(net, activation, part, far):
    """Return the mean of -log p(label); of a GLANCE alone if that is beyond `far`, or nan."""
    total = 0.0
    for start in range(0, len(part.labels), GLANCE):
        labels = part.labels[start : start + GLANCE]
        log_p, _, _ = forward(net, part.images[start : start + GLANCE], activation)
        total -= float(log_p[np.arange(len(labels)), labels].sum(dtype=np.float64))
        if start == 0 and not total <= far * len(labels):
            return total / len(labels)
    return total / len(part.labels)


def error(net, activation, part):
    """Return the share of wrong answers, in per cent."""
    with np.errstate(over="ignore", invalid="ignore"):  # also of a net that diverged
        log_p, _, _ = forward(net, part.images, activation)
    return 100 * float((log_p.argmax(1) != part.labels).mean())


# ---- the experiment ------------------------------------------------------------------------------
class Draws(NamedTuple):
    """All that is random; the three nets share it."""

    body: list  # of normals (784, H), (H, H), (H, H)
    heads: list  # of two normals (H, C): the output layers of P1 and P2
    orders: list  # of two arrays (epochs, N): the images of P1 and P2 in random order


def draw(config, seed, tasks):
    """Draw from a stream each for hidden weights, output weights, and the orders of P1 and P2."""
    streams = np.random.SeedSequence(seed).spawn(4)
    hidden, output, *shuffles = [np.random.default_rng(stream) for stream in streams]
    size = config.hidden_size
    shapes = (784, size), (size, size), (size, size)
    body = [hidden.standard_normal(shape).astype(np.float32) for shape in shapes]
    heads = [output.standard_normal((size, CLASSES)).astype(np.float32) for _ in tasks]
    rows = [np.tile(np.arange(len(task.train.labels)), (config.max_epochs, 1)) for task in tasks]
    orders = [rng.permuted(row, axis=1) for rng, row in zip(shuffles, rows, strict=True)]
    return Draws(body, heads, orders)


def learn_both(kind, draws, tasks, config, progress):
    """Learn P1, then P2 with a fresh output layer; go back to P1's. Errors are in per cent."""
    activation, scaled = KINDS[kind]
    body = layers(draws.body, scaled, config)
    nets = [[*body, head] for head in layers(draws.heads, scaled, config)]  # they share the body
    row = {}
    ends = []
    for n, (net, task) in enumerate(zip(nets, tasks, strict=True)):

        def tell(fraction, message, n=n):
            progress((n + fraction) / 2, f"{kind}, P{n + 1}: {message}")

        row[f"updates_p{n + 1}"], nll = train_to_likelihood(
            net, activation, task.train, draws.orders[n], config, tell
        )
        ends.append(nll)
        if n == 0:
            row["p1_before"] = error(net, activation, task.test)
    row["p1_after"] = error(nets[0], activation, tasks[0].test)
    row["p2_after"] = error(nets[1], activation, tasks[1].test)
    row["nll"] = max(ends)
    if not np.all(np.isfinite(ends)):  # it diverged
        row |= dict.fromkeys(("p1_after", "p2_after", "nll"))  # None
    return row


def run(config, seed, progress):
    """Take the three nets through both tasks, and compare what is left of the first."""
    tasks = two_tasks()
    draws = draw(config, seed, tasks)
    table = {}
    began = process_time()
    for done, kind in enumerate(KINDS):

        def tell(fraction, message, done=done):
            progress((done + fraction) / len(KINDS), message)

        table[kind] = learn_both(kind, draws, tasks, config, tell)
    seconds = max(process_time() - began, 1e-9)
    updates = sum(row["updates_p1"] + row["updates_p2"] for row in table.values())
    after = {kind: row["p1_after"] for kind, row in table.items()}
    return table | {
        "relu_minus_lwta": difference(after["relu"], after["lwta"]),
        "sigmoid_over_relu": ratio(after["sigmoid"], after["relu"]),
        "training": {"patterns_per_second": updates * config.batch_size / seconds},
    }


def difference(a, b):
    """Return a - b, None if one of them is."""
    return None if a is None or b is None else a - b


def ratio(a, b):
    """Return a / b, None if one of them is or b is zero."""
    return None if a is None or not b else a / b


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
