# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Do freshly bent digits take a plain deep net where plain digits cannot?

Paper: D. C. Ciresan, U. Meier, L. M. Gambardella, J. Schmidhuber, "Deep, big, simple neural nets
for handwritten digit recognition", Neural Computation 22(12), 2010. Task: MNIST. A multilayer
perceptron with many hidden layers of scaled tanh units learns by plain gradient descent. Before
each epoch every training digit is rotated, stretched and bent elastically at random.
Claim: 0.35 % errors with 12 million weights after days on a graphics card, and bending is what
keeps so large a net from overfitting.
Here: half a million weights and 20 epochs on one core.
Baseline: the same net from the same start, as many epochs on the digits as they are.

    python3 mnist_deep_mlp.py --seed 0      # two nets, bent digits and plain ones
    python3 mnist_deep_mlp.py --help        # every setting

MNIST's four files are read from data/mnist, beside this file or beside its folder.
The letters of this file: N digits, B digits in a batch, M maps, H units in a hidden layer.
"""

import gzip
import hashlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    hidden: Annotated[tuple[int, ...], "units of each layer", (1, 9999)] = (400, 300, 200, 100, 50)
    epochs: Annotated[int, "passes through the training digits", (1, 10**4)] = 20
    batch_size: Annotated[int, "digits in a batch", (1, 10**4)] = 100
    learning_rate: Annotated[float, "at the start; it falls to zero", (1e-6, 10.0)] = 0.05
    momentum: Annotated[float, "share of the last step in the next one", (0.0, 0.999)] = 0.9
    init_scale: Annotated[float, "of the weights; 1 keeps the variance", (0.0, 100.0)] = 1.0
    maps: Annotated[int, "random maps in an epoch", (2, 10**5)] = 300
    rotation: Annotated[float, "largest angle in degrees; half for 1 and 7", (0.0, 180.0)] = 10.0
    scaling: Annotated[float, "largest change of width and height, a share", (0.0, 0.9)] = 0.12
    elastic_rms: Annotated[float, "of the elastic displacement, in pixels", (0.0, 28.0)] = 0.7
    ramp: Annotated[float, "share of the epochs in which bending grows", (0.0, 1.0)] = 0.33
    train_digits: Annotated[int, "the first so many are learned", (10, 60000)] = 60000

    def __post_init__(self):
        if self.batch_size > self.train_digits:
            raise ValueError("argument --batch-size: must not exceed --train-digits")


QUICK = {"hidden": (40, 20), "epochs": 2, "maps": 10, "train_digits": 2000}


# ---- the task ------------------------------------------------------------------------------------
HERE = Path(__file__).resolve().parent
PLACES = HERE / "data" / "mnist", HERE.parent / "data" / "mnist"
SHA_256 = {  # of the arrays
    "train-images-idx3": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train-labels-idx1": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "t10k-images-idx3": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "t10k-labels-idx1": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
SIDE = 28  # pixels
CLASSES = 10
MEAN = 33.3  # of all bytes of the training digits


class Part(NamedTuple):
    """Images with their labels."""

    images: np.ndarray  # (N, 784), bytes from 0 (paper) to 255 (ink)
    labels: np.ndarray  # (N,)


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


def mnist(kind, count):
    """Read the first `count` digits of a half of MNIST, "train" or "t10k"."""
    images = read(f"{kind}-images-idx3").reshape(-1, SIDE * SIDE)
    labels = read(f"{kind}-labels-idx1").astype(np.intp)
    return Part(images[:count], labels[:count])


def shades(pixels):
    """Turn 0 to 255 into what a net sees: a range of 2 around a mean of 0."""
    seen = pixels.astype(np.float32)
    seen -= MEAN
    seen /= 127.5
    return seen


# ---- bending -------------------------------------------------------------------------------------
SIGMA = 5.5  # pixels, the width of the Gaussian that smooths the elastic field (paper: 5 to 6)
NARROW = 1, 7  # the digits that are rotated by half


class Maps(NamedTuple):
    """Where the pixels of M bent images come from: four neighbours each, by bilinear weights."""

    indices: np.ndarray  # (M, 4, 784)
    weights: np.ndarray  # (M, 4, 784), 0 outside of the image


def elastic(rng, count, rms):
    """Draw smooth displacements (M, 2, 28, 28), in pixels: alpha G R G^T with R uniform in [-1, 1].

    R has the variance 1 / 3, and a Gaussian's squares add up to 1 / (2 sigma sqrt(pi)) along each
    axis. So alpha = rms sqrt(3) 2 sigma sqrt(pi).
    """
    apart = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
    G = np.exp(-0.5 * (apart / SIGMA) ** 2) / (SIGMA * (2 * np.pi) ** 0.5)  # (28, 28)
    alpha = rms * 3**0.5 * 2 * SIGMA * np.pi**0.5
    R = rng.uniform(-1, 1, (count, 2, SIDE, SIDE))
    return alpha * (G @ R @ G.T)


def bilinear(rows, columns):
    """Return the maps that look up an image at fractional rows and columns, (M, 784) each."""
    top = np.floor(rows)
    left = np.floor(columns)
    indices = []
    weights = []
    for down, right in itertools.product((0, 1), repeat=2):
        row = top + down
        column = left + right
        inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)  # (M, 784)
        weight = (1 - abs(rows - row)) * (1 - abs(columns - column))
        weights.append(np.where(inside, weight, 0))
        indices.append(np.where(inside, row * SIDE + column, 0))
    return Maps(np.stack(indices, 1).astype(np.intp), np.stack(weights, 1).astype(np.float32))


def draw_maps(rng, count, rotation, strength, config):
    """Draw M maps: a rotation of at most `rotation` degrees, a stretch, an elastic field."""
    y, x = np.indices((SIDE, SIDE)).reshape(2, 1, -1) - (SIDE - 1) / 2  # (1, 784) from the centre
    angle = np.radians(strength * rotation) * rng.uniform(-1, 1, (count, 1))  # (M, 1)
    stretch = 1 + strength * config.scaling * rng.uniform(-1, 1, (2, count, 1))  # (2, M, 1)
    field = elastic(rng, count, strength * config.elastic_rms).reshape(count, 2, -1)
    rows = (np.cos(angle) * y + np.sin(angle) * x) / stretch[0] + field[:, 0]  # (M, 784)
    columns = (np.cos(angle) * x - np.sin(angle) * y) / stretch[1] + field[:, 1]
    return bilinear(rows + (SIDE - 1) / 2, columns + (SIDE - 1) / 2)


def bend(images, indices, weights):
    """Bend images (n, 784) by one map; returns what a net sees, (n, 784)."""
    pixels = images.astype(np.float32)
    bent = np.take(pixels, indices[0], 1, mode="clip") * weights[0]
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        bent += np.take(pixels, index, 1, mode="clip") * weight
    return shades(bent)


def strengths(config):
    """Return the share of the full bending in each epoch: it grows linearly, then it stays."""
    done = np.arange(1, config.epochs + 1) / config.epochs  # (epochs,)
    return np.minimum(1, done / max(config.ramp, 1 / config.epochs))


def bent_digits(rng, part, config):
    """Yield for each epoch all training digits, bent anew, (N, 784), in the same memory.

    A map bends some 200 digits, which are drawn at random; 1 and 7 have maps of their own.
    """
    narrow = np.isin(part.labels, NARROW)  # (N,)
    kinds = [(0.5 * config.rotation, np.flatnonzero(narrow))]
    kinds += [(config.rotation, np.flatnonzero(~narrow))]
    bent = np.empty(part.images.shape, np.float32)
    for strength in strengths(config):
        for rotation, digits in kinds:
            count = max(1, round(config.maps * len(digits) / len(narrow)))
            maps = draw_maps(rng, count, rotation, strength, config)
            groups = np.array_split(rng.permutation(digits), count)
            for group, indices, weights in zip(groups, *maps, strict=True):
                bent[group] = bend(part.images[group], indices, weights)
        yield bent


# ---- the net -------------------------------------------------------------------------------------
HEIGHT, STEEPNESS = 1.7159, 0.6666  # of the scaled tanh


def split(vector, sizes):
    """Return views into a vector: weights (fan_in, H) and biases (H,) of each layer."""
    layers = []
    start = 0
    for fan_in, size in itertools.pairwise(sizes):
        end = start + fan_in * size
        layers.append((vector[start:end].reshape(fan_in, size), vector[end : end + size]))
        start = end + size
    return layers


class Net:
    """A multilayer perceptron whose parameters, gradient and momentum are a vector each."""

    def __init__(self, vector, sizes):
        self.vector = vector  # (P,)
        self.gradient = np.zeros_like(vector)
        self.velocity = np.zeros_like(vector)
        self.layers = split(self.vector, sizes)
        self.gradients = split(self.gradient, sizes)


def newborn(rng, config):
    """Draw weights uniformly, with the standard deviation init_scale / sqrt(fan_in)."""
    sizes = (SIDE * SIDE, *config.hidden, CLASSES)
    count = sum((fan_in + 1) * size for fan_in, size in itertools.pairwise(sizes))
    net = Net(rng.uniform(-1, 1, count).astype(np.float32), sizes)
    for W, b in net.layers:
        W *= config.init_scale * (3 / len(W)) ** 0.5
        b[:] = 0
    return net


def forward(net, x):
    """Return log p (B, 10) and the input of each layer, (B, fan_in)."""
    inputs = [x]
    for W, b in net.layers[:-1]:
        z = inputs[-1] @ W + b  # (B, H)
        inputs.append(HEIGHT * np.tanh(STEEPNESS * z))
    W, b = net.layers[-1]
    z = inputs[-1] @ W + b  # (B, 10)
    z -= z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True)), inputs


def backward(net, log_p, labels, inputs):
    """Write the gradient of the mean of -log p(label) into the net's."""
    dz = np.exp(log_p)  # (B, 10)
    dz[np.arange(len(labels)), labels] -= 1
    dz /= len(labels)
    for n in reversed(range(len(net.layers))):
        dW, db = net.gradients[n]
        np.matmul(inputs[n].T, dz, out=dW)
        np.sum(dz, 0, out=db)
        if n > 0:
            dy = dz @ net.layers[n][0].T  # (B, H)
            y = inputs[n]
            dz = dy * (HEIGHT * STEEPNESS - STEEPNESS / HEIGHT * y * y)


def descend(net, learning_rate, momentum):
    """Make one step of gradient descent with momentum; the gradient is used up."""
    net.velocity *= momentum
    net.gradient *= learning_rate
    net.velocity -= net.gradient
    net.vector += net.velocity


# ---- training ------------------------------------------------------------------------------------
def learning_rates(config):
    """Return the learning rate of each update, (epochs, updates): half a cosine, down to zero."""
    updates = config.train_digits // config.batch_size
    done = np.arange(config.epochs * updates).reshape(config.epochs, -1)
    return config.learning_rate * 0.5 * (1 + np.cos(np.pi * done / done.size))


def train_epoch(net, shown, labels, order, rates, config):
    """Learn the digits once in the given order; returns the share of wrong answers, in per cent.

    Each answer is the one before its batch is learned.
    """
    wrong = 0
    size = config.batch_size
    for n, rate in enumerate(rates.tolist()):
        rows = order[n * size : (n + 1) * size]  # (B,)
        log_p, inputs = forward(net, shown[rows])
        wrong += np.count_nonzero(log_p.argmax(1) != labels[rows])
        backward(net, log_p, labels[rows], inputs)
        descend(net, rate, config.momentum)
    return 100 * wrong / (size * len(rates))


def train(net, epochs, labels, orders, config, watch):
    """Train on the digits that each epoch shows; watch(epoch, training error) sees every one."""
    rates = learning_rates(config)
    for n, (shown, order) in enumerate(zip(epochs, orders, strict=True)):
        watch(n, train_epoch(net, shown, labels, order, rates[n], config))


# ---- evaluation ----------------------------------------------------------------------------------
CHUNK = 1000  # digits that are tested at a time


def answers(net, x):
    """Return the net's answers to images, (N,)."""
    chunks = [x[start : start + CHUNK] for start in range(0, len(x), CHUNK)]
    return np.concatenate([forward(net, chunk)[0].argmax(1) for chunk in chunks])


def per_cent(wrong):
    """Return the share of what is true, in per cent."""
    return 100 * float(wrong.mean())


# ---- the experiment ------------------------------------------------------------------------------
class Draws(NamedTuple):
    """All that is random; both nets share the start and the orders."""

    net: Net
    orders: np.ndarray  # (epochs, N)
    maps: np.random.Generator


def draw(config, sequence):
    """Draw from a stream each for the weights, the orders of digits, and the maps."""
    start, shuffle, maps = map(np.random.default_rng, sequence.spawn(3))
    rows = np.tile(np.arange(config.train_digits), (config.epochs, 1))
    return Draws(newborn(start, config), shuffle.permuted(rows, axis=1), maps)


class Film(NamedTuple):
    """What is seen of a training: errors in per cent after each epoch, and the last answers."""

    test: list
    training: list
    wrong: np.ndarray  # (N,) of the test digits


def learn(net, epochs, part, test, orders, config, progress):
    """Train a net and test it after each epoch; the last one counts."""
    x = shades(test.images)
    film = Film([], [], np.empty(len(test.labels), bool))

    def watch(n, training_error):
        film.wrong[:] = answers(net, x) != test.labels
        film.test.append(per_cent(film.wrong))
        film.training.append(training_error)
        progress((n + 1) / config.epochs, f"test error {film.test[-1]:.2f} %")

    train(net, epochs, part.labels, orders, config, watch)
    return film


def row(film, labels):
    """Report a film's last epoch."""
    narrow = np.isin(labels, NARROW)
    return {
        "error": film.test[-1],
        "training_error": film.training[-1],
        "error_1_7": per_cent(film.wrong[narrow]),
    }


def both(config, seed, progress):
    """Train from one start on bent digits and on plain ones; returns the test set and two films."""
    part = mnist("train", config.train_digits)
    test = mnist("t10k", None)
    net, orders, maps = draw(config, np.random.SeedSequence(seed))
    twin = Net(net.vector.copy(), (SIDE * SIDE, *config.hidden, CLASSES))
    how = part, test, orders, config

    def tell(before, words):
        return lambda fraction, said: progress((before + fraction) / 2, f"{words}, {said}")

    deformed = learn(net, bent_digits(maps, part, config), *how, tell(0, "bent digits"))
    plain_digits = itertools.repeat(shades(part.images), config.epochs)
    plain = learn(twin, plain_digits, *how, tell(1, "plain digits"))
    return test, deformed, plain


def run(config, seed, progress):
    """Compare a net that learns bent digits with its twin that learns plain ones."""
    started = process_time()
    test, deformed, plain = both(config, seed, progress)
    seconds = max(process_time() - started, 1e-9)
    ratio = plain.test[-1] / deformed.test[-1] if deformed.test[-1] else None
    patterns = 2 * config.epochs * config.train_digits
    return {
        "plain_over_deformed": ratio,
        "deformed": row(deformed, test.labels),
        "plain": row(plain, test.labels),
        "fixed": int(np.count_nonzero(plain.wrong & ~deformed.wrong)),
        "introduced": int(np.count_nonzero(deformed.wrong & ~plain.wrong)),
        "training": {"patterns_per_second": patterns / seconds},
        "curve": {"x": list(range(1, config.epochs + 1)), "y": deformed.test},
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
