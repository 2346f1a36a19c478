# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Highway networks: fifty gated layers learn as easily as ten, thin plain nets of that depth fail.

Paper: R. K. Srivastava, K. Greff, J. Schmidhuber, "Training very deep networks", NIPS 28, 2015.
Task: classify MNIST's digits; the score is the cross-entropy on the training images.
Each highway layer mixes a new view H of its input x with x itself: y = H T + x (1 - T). The gate
T = sigmoid(W_T x + b_T) starts with a negative b_T, so a fresh net passes nearly everything on.
Claim: plain nets are on par at 10 layers and fail at 50; highway nets hardly mind the depth.
Baseline: plain nets with as many parameters in a layer, from the same random search.

    python3 highway_networks.py --seed 0        # four searches of eight nets each
    python3 highway_networks.py --help          # every setting

MNIST's four files are read from data/mnist, beside this file or beside its folder.
The letters of this file: P nets of a population, B images in a batch, n units in a layer,
C = 10 classes, K = 2 matrices in a highway layer (for H and T) and 1 in a plain one.
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
    shallow_depth: Annotated[int, "hidden layers of the shallow nets", (2, 1000)] = 10
    deep_depth: Annotated[int, "hidden layers of the deep nets", (2, 1000)] = 50
    highway_width: Annotated[int, "units in a highway layer", (2, 1000)] = 50
    plain_width: Annotated[int, "units in a plain layer; 71 has as many weights", (2, 1000)] = 71
    configurations: Annotated[int, "nets in each search", (1, 100)] = 8
    train_images: Annotated[int, "the first so many", (10, 60000)] = 10000
    epochs: Annotated[int, "over them", (1, 1000)] = 4
    batch_size: Annotated[int, "images in a batch", (1, 10000)] = 100
    learning_rates: Annotated[tuple[float, ...], "from, to", (1e-6, 10.0)] = (0.001, 0.3)
    momenta: Annotated[tuple[float, ...], "one of these", (0.0, 0.999)] = (0.8, 0.9, 0.95)
    gains: Annotated[tuple[float, ...], "of the first weights", (0.0, 10.0)] = (0.7, 1.0, 1.4)
    gate_biases: Annotated[tuple[int, ...], "first b_T: from, to", (-20, 20)] = (-6, -1)
    clip: Annotated[float, "longest gradient of a net", (1e-6, 1e9)] = 1.0

    def __post_init__(self):
        for flag, span in (
            ("learning-rates", self.learning_rates),
            ("gate-biases", self.gate_biases),
        ):
            if len(span) != 2 or span[0] > span[1]:
                raise ValueError(f"argument --{flag}: needs two values, the smaller one first")
        if self.batch_size > self.train_images:
            raise ValueError("argument --batch-size: a batch has more images than --train-images")


QUICK = {"shallow_depth": 3, "deep_depth": 12, "configurations": 3, "train_images": 1000}
DECAYS = 0.8, 1.0  # of the learning rate per epoch: from, to
GATE_SCALE = 0.1  # of W_T against W_H at birth, so that b_T decides
CHANCE = 2.2  # nats; a net above has not got away from ln 10 = 2.303
CURVE_POINTS = 40
EVALUATED = 500  # images at once


# ---- the task ------------------------------------------------------------------------------------
HERE = Path(__file__).resolve().parent
PLACES = HERE / "data" / "mnist", HERE.parent / "data" / "mnist"
SHA_256 = {  # of the arrays
    "train-images-idx3": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train-labels-idx1": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "t10k-images-idx3": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "t10k-labels-idx1": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
PIXELS = 784
CLASSES = 10


class Part(NamedTuple):
    """Images with their labels."""

    images: np.ndarray  # (N, 784)
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
    """Read the first images of a half of MNIST, "train" or "t10k", with pixels from -1 to 1."""
    images = read(f"{kind}-images-idx3")[:count].reshape(-1, PIXELS)
    labels = read(f"{kind}-labels-idx1")[:count].astype(np.intp)
    return Part(images.astype(np.float32) / 127.5 - 1, labels)


# ---- the search ----------------------------------------------------------------------------------
class Settings(NamedTuple):
    """What the nets of a population differ in, (P,) each; those with tanh come first."""

    learning_rate: np.ndarray
    momentum: np.ndarray
    decay: np.ndarray  # of the learning rate, per epoch
    rectified: np.ndarray  # whether the units are ReLU, not tanh
    gain: np.ndarray  # of the first weights; 1 keeps the variance of a signal
    gate_bias: np.ndarray  # b_T at birth; of highway nets alone


def draw_settings(config, rng):
    """Draw the settings of one search; each kind of net and depth gets the same."""
    count = config.configurations
    low, high = np.log(config.learning_rates)
    drawn = Settings(
        np.exp(rng.uniform(low, high, count)),
        rng.choice(config.momenta, count),
        rng.uniform(*DECAYS, count),
        rng.random(count) < 0.5,
        rng.choice(config.gains, count),
        rng.integers(config.gate_biases[0], config.gate_biases[1] + 1, count),
    )
    order = np.argsort(drawn.rectified, kind="stable")  # (P,)
    return Settings(*(values[order] for values in drawn))


def per_net(values):
    """Shape (P,) so that it meets an array (..., P, rows, columns)."""
    return np.asarray(values, np.float32)[:, None, None]


# ---- layers: forward(x, W, b) gives y and what backward needs; W (K, P, fan-in, n), b (K, P, 1, n)
class Plain:
    """y = H(x) = f(W_H x + b_H), with tanh or a rectifier for f."""

    def __init__(self, settings):
        self.tanhs = int((~settings.rectified).sum())  # so many nets have tanh
        self.scale = per_net(settings.gain * np.where(settings.rectified, 2, 1) ** 0.5)
        self.rooms = {}  # fresh memory in each pass would cost a third of the time

    def first_weights(self, rng, fan_in, width):
        """Draw W_H so that a signal keeps its variance, times the gain."""
        normal = rng.standard_normal((1, len(self.scale), fan_in, width), np.float32)
        return normal * (self.scale / fan_in**0.5), np.zeros_like(normal[:, :, :1])

    def room(self, name, shape, dtype):
        """Return an array of this layer's to write into; it holds until the next pass."""
        key = name, shape, dtype
        if key not in self.rooms:
            self.rooms[key] = np.empty(shape, dtype)
        return self.rooms[key]

    def affine(self, x, W, b):
        """Return z = x W + b (K, P, B, n)."""
        z = self.room("z", (*W.shape[:2], x.shape[-2], W.shape[-1]), W.dtype)
        np.matmul(x, W, out=z)
        z += b
        return z

    def activate(self, z):
        """Make H of z (P, B, n), in place."""
        np.tanh(z[: self.tanhs], out=z[: self.tanhs])
        np.maximum(z[self.tanhs :], 0, out=z[self.tanhs :])
        return z

    def slope(self, H):
        """Return dH/dz (P, B, n)."""
        slope = 1 - H * H
        slope[self.tanhs :] = H[self.tanhs :] > 0
        return slope

    def forward(self, x, W, b):
        """Return y (P, B, n), and H for the way back."""
        z = self.affine(x, W, b)  # (1, P, B, n)
        H = self.activate(z[0])  # (P, B, n)
        return H, (H,)

    def backward(self, dy, x, H):
        """Return dz (K, P, B, n), and what of dy (P, B, n) reaches x without W."""
        dz = self.slope(H)  # (P, B, n)
        dz *= dy
        return dz[None], 0


class Highway(Plain):
    """y = H(x) T(x) + x (1 - T(x)), with the gate T(x) = sigmoid(W_T x + b_T)."""

    def __init__(self, settings):
        super().__init__(settings)
        self.gate_bias = per_net(settings.gate_bias)

    def first_weights(self, rng, fan_in, width):
        """Draw W_H as a plain layer does, then a small W_T; b_T keeps the gates shut."""
        W_H, b_H = super().first_weights(rng, fan_in, width)
        W_T = rng.standard_normal(W_H.shape, np.float32) * np.float32(GATE_SCALE / fan_in**0.5)
        return np.concatenate([W_H, W_T]), np.concatenate([b_H, b_H + self.gate_bias])

    def forward(self, x, W, b):
        """Return y (P, B, n), and H and T for the way back."""
        z = self.affine(x, W, b)  # (2, P, B, n)
        H = self.activate(z[0])  # (P, B, n)
        T = sigmoid(z[1])  # (P, B, n)
        y = self.room("y", H.shape, H.dtype)  # (P, B, n)
        np.subtract(H, x, out=y)
        y *= T
        y += x
        return y, (H, T)

    def backward(self, dy, x, H, T):
        """Return dz (2, P, B, n) for H and T, and what of dy (P, B, n) is carried to x."""
        dz = self.room("dz", (2, *H.shape), H.dtype)
        dH = dy * T  # (P, B, n)
        np.multiply(dH, self.slope(H), out=dz[0])
        np.subtract(H, x, out=dz[1])  # dT = dy (H - x), and T's slope is T (1 - T)
        dz[1] *= dH
        dz[1] *= 1 - T
        return dz, dy - dH


def sigmoid(z):
    """Squash to (0, 1), in place."""
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5
    return z


# ---- a population of nets ------------------------------------------------------------------------
class Nets(NamedTuple):
    """P nets of one kind and depth: hidden layers, and an output layer at the end of `weights`."""

    layers: list  # of Plain, then of the kind's layers
    weights: list  # of (W, b): (K, P, fan-in, n) and (K, P, 1, n); in the end (P, n, C), (P, 1, C)


def newborn(kind, depth, width, settings, rng):
    """Draw nets; the first hidden layer is a plain one, from pixels to units."""
    layers = [Plain(settings), *(kind(settings) for _ in range(depth - 1))]
    fans = [PIXELS] + [width] * (depth - 1)
    weights = [
        layer.first_weights(rng, fan_in, width) for layer, fan_in in zip(layers, fans, strict=True)
    ]
    V = rng.standard_normal((len(settings.gain), width, CLASSES), np.float32)  # (P, n, C)
    V /= np.float32(width**0.5)
    return Nets(layers, [*weights, (V, np.zeros_like(V[:, :1]))])


def forward(nets, x):
    """Return log p (P, B, C) of images (B, 784), and each layer's input with what it keeps."""
    kept = []
    for layer, (W, b) in zip(nets.layers, nets.weights):  # the output layer is left
        y, own = layer.forward(x, W, b)
        kept.append((x, *own))
        x = y  # (P, B, n)
    V, c = nets.weights[-1]
    z = x @ V + c  # (P, B, C)
    z -= z.max(-1, keepdims=True)
    z -= np.log(np.exp(z).sum(-1, keepdims=True))
    return z, [*kept, (x,)]


def backward(nets, log_p, labels, kept):
    """Return the gradient (dW, db) of each net's mean of -log p(label), layer by layer."""
    dz = np.exp(log_p)  # (P, B, C)
    dz[:, np.arange(len(labels)), labels] -= 1
    dz /= len(labels)
    (x,) = kept[-1]
    gradient = [(x.swapaxes(-1, -2) @ dz, dz.sum(-2, keepdims=True))]
    dy = dz @ nets.weights[-1][0].swapaxes(-1, -2)  # (P, B, n)
    for n in reversed(range(len(nets.layers))):
        x, *own = kept[n]
        dz, carried = nets.layers[n].backward(dy, x, *own)  # (K, P, B, n), (P, B, n)
        W, _ = nets.weights[n]
        dW = nets.layers[n].room("dW", W.shape, W.dtype)
        np.matmul(x.swapaxes(-1, -2), dz, out=dW)
        gradient.append((dW, dz.sum(-2, keepdims=True)))
        if n > 0:
            dy = (dz @ W.swapaxes(-1, -2)).sum(0)  # (P, B, n)
            dy += carried
    return gradient[::-1]


# ---- training ------------------------------------------------------------------------------------
def lengths(gradient):
    """Return the length (P,) of each net's gradient."""
    squares = 0
    for g in (g for pair in gradient for g in pair):
        flat = g.reshape(-1, g.shape[-3], 1, g.shape[-2] * g.shape[-1])  # (K, P, 1, -1)
        squares = squares + (flat @ flat.swapaxes(-1, -2)).sum((0, 2, 3))  # (P,)
    return np.sqrt(squares)


def descend(nets, velocity, images, labels, learning_rate, momentum, clip):
    """Make a step of gradient descent with momentum in place. Returns -log p(label), (P,)."""
    log_p, kept = forward(nets, images)
    gradient = backward(nets, log_p, labels, kept)
    shrink = np.minimum(1, clip / np.maximum(lengths(gradient), 1e-30))  # (P,)
    rate, momentum = per_net(learning_rate * shrink), per_net(momentum)
    for pair, speeds, slopes in zip(nets.weights, velocity, gradient, strict=True):
        for parameter, speed, g in zip(pair, speeds, slopes, strict=True):
            speed *= momentum
            g *= rate
            speed -= g
            parameter += speed
    return -log_p[:, np.arange(len(labels)), labels].mean(1)


def train(nets, settings, part, order, config, progress):
    """Learn in place, an epoch for each row of `order`. Returns the losses (epochs, updates, P)."""
    velocity = [(np.zeros_like(W), np.zeros_like(b)) for W, b in nets.weights]
    updates = order.shape[1] // config.batch_size
    losses = np.empty((len(order), updates, len(settings.gain)))
    with np.errstate(over="ignore", invalid="ignore"):  # a net may diverge; it has lost then
        for epoch, images in enumerate(order):
            rate = settings.learning_rate * settings.decay**epoch  # (P,)
            how = rate, settings.momentum, config.clip
            batches = images[: updates * config.batch_size].reshape(updates, -1)
            for update, rows in enumerate(batches):
                x, labels = part.images[rows], part.labels[rows]
                losses[epoch, update] = descend(nets, velocity, x, labels, *how)
                progress((epoch + update / updates) / len(order), f"epoch {epoch + 1}")
    return losses


class Found(NamedTuple):
    """What a search leaves."""

    nets: Nets
    settings: Settings
    losses: np.ndarray  # (epochs, updates, P)
    scores: np.ndarray  # (P,) loss over the last epoch; inf: the net diverged
    best: int  # the net with the lowest score


def search(kind, depth, width, settings, part, order, rng, config, progress):
    """Train a net with each of the settings; the loss on the training images picks the best."""
    nets = newborn(kind, depth, width, settings, rng)
    losses = train(nets, settings, part, order, config, progress)
    scores = losses[-1].mean(0)  # (P,)
    scores = np.where(np.isfinite(scores), scores, np.inf)
    return Found(nets, settings, losses, scores, int(scores.argmin()))


# ---- evaluation ----------------------------------------------------------------------------------
def only(found):
    """Take the best net out of its population."""
    one = slice(found.best, found.best + 1)
    settings = Settings(*(values[one] for values in found.settings))
    layers = [type(layer)(settings) for layer in found.nets.layers]
    return Nets(layers, [(W[..., one, :, :], b[..., one, :, :]) for W, b in found.nets.weights])


def accuracy(nets, part, batch_size):
    """Return the share of right answers of a single net."""
    right = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(part.labels), batch_size):
            rows = slice(start, start + batch_size)
            log_p, _ = forward(nets, part.images[rows])  # (1, B, C)
            right += int((log_p[0].argmax(-1) == part.labels[rows]).sum())
    return right / len(part.labels)


def summary(found, test):
    """Describe a search: its best and its middle net, the failures, and the best net's test."""
    loss, middle = float(found.scores[found.best]), float(np.median(found.scores))
    return {
        "loss": loss if np.isfinite(loss) else None,
        "median_loss": middle if np.isfinite(middle) else None,
        "failed": float((found.scores > CHANCE).mean()),
        "test_accuracy": accuracy(only(found), test, EVALUATED),
    }


def log_ratio(a, b):
    """Return ln(a / b) of two losses, None if one of them does not exist."""
    return float(np.log(a / b)) if a and b else None


# ---- the experiment ------------------------------------------------------------------------------
def shuffled(rng, epochs, images):
    """Return the order of the images in each epoch, (epochs, images)."""
    return rng.permuted(np.tile(np.arange(images), (epochs, 1)), axis=1)


def cells(config):
    """Name the four searches: a kind of layer, a depth and a width each."""
    return {
        "highway_shallow": (Highway, config.shallow_depth, config.highway_width),
        "plain_shallow": (Plain, config.shallow_depth, config.plain_width),
        "highway_deep": (Highway, config.deep_depth, config.highway_width),
        "plain_deep": (Plain, config.deep_depth, config.plain_width),
    }


def curve(losses, epochs):
    """Return a learning curve of means over stretches of the losses (updates,)."""
    pieces = np.array_split(losses, min(CURVE_POINTS, len(losses)))
    ends = np.cumsum([len(piece) for piece in pieces]) * (epochs / len(losses))
    return {"x": ends.tolist(), "y": [float(piece.mean()) for piece in pieces]}


def run(config, seed, progress):
    """Search both kinds of nets at both depths, and compare the best ones."""
    streams = np.random.SeedSequence(seed).spawn(6)
    for_settings, for_order, *for_weights = map(np.random.default_rng, streams)
    train_part, test_part = mnist("train", config.train_images), mnist("t10k", None)
    settings = draw_settings(config, for_settings)
    order = shuffled(for_order, config.epochs, config.train_images)
    table, lines = {}, {}
    began = process_time()
    for done, (name, cell) in enumerate(cells(config).items()):

        def tell(fraction, message, done=done, name=name):
            progress((done + fraction) / 4, f"{name}, {message}")

        found = search(*cell, settings, train_part, order, for_weights[done], config, tell)
        table[name] = summary(found, test_part)
        lines[name] = found.losses[..., found.best].ravel()  # (updates,)
    seconds = max(process_time() - began, 1e-9)
    loss = {name: row["loss"] for name, row in table.items()}
    trained = 4 * config.configurations * config.epochs * config.train_images
    return table | {
        "deep": {"log_plain_over_highway": log_ratio(loss["plain_deep"], loss["highway_deep"])},
        "shallow": {
            "log_plain_over_highway": log_ratio(loss["plain_shallow"], loss["highway_shallow"])
        },
        "log_highway_deep_over_shallow": log_ratio(loss["highway_deep"], loss["highway_shallow"]),
        "training": {"patterns_per_second": trained / seconds},
        "curve": curve(lines["highway_deep"], config.epochs),
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
