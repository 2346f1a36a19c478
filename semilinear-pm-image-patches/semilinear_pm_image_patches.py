# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Units that flee their predictors become feature detectors when they look at images.

Paper: J. Schmidhuber, M. Eldracher, B. Foltin, "Semilinear predictability minimization produces
well-known feature detectors", Neural Computation 8(4):773-786, 1996.
Task: a circular window falls on images at random positions and rotations. 32 sigmoid units look
through small overlapping receptive fields. Nobody labels anything.
Claim: if each unit has a predictor that guesses it from the others, and each unit escapes its
predictor, then edge, bar and centre-surround detectors emerge, by local delta rules alone.
Baseline: the same net from the same start on the same patches, whose predictors are blind.
The images are dead leaves: opaque ellipses and rectangles on top of each other.

    python3 semilinear_pm_image_patches.py --seed 0      # 4 nets and their twins
    python3 semilinear_pm_image_patches.py --help        # every setting

The letters of this file: N nets side by side; F receptive fields of I inputs and U units each,
so C = F U code units; B placements in a batch; G the side of an image in pixels.
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    images: Annotated[int, "images to train with", (1, 1000)] = 15
    test_images: Annotated[int, "images to test with", (1, 1000)] = 5
    image_size: Annotated[int, "side of an image, pixels", (16, 2048)] = 192
    rings: Annotated[tuple[int, ...], "receptive fields in each ring, centre first", (1, 64)] = (
        1,
        7,
    )
    ring_distance: Annotated[float, "from ring to ring, pixels", (1.0, 200.0)] = 20.7
    units: Annotated[int, "code units in a receptive field", (1, 64)] = 4
    field_diameter: Annotated[float, "of a receptive field, pixels", (4.0, 200.0)] = 20.0
    nets: Annotated[int, "nets of each kind, on the same placements", (1, 1000)] = 4
    batch_size: Annotated[int, "placements in a step", (1, 10_000)] = 64
    steps: Annotated[int, "steps of training", (20, 10**7)] = 4000
    code_rate: Annotated[float, "learning rate of the code units", (1e-6, 10.0)] = 0.05
    predictor_rate: Annotated[float, "learning rate of the predictors", (1e-6, 100.0)] = 0.5
    init: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 10.0)] = 0.05
    fit_threshold: Annotated[float, "least |cosine| of a detector with a template", (0.0, 1.0)] = (
        0.8
    )
    dc_threshold: Annotated[float, "a detector's mean has a smaller share", (0.0, 1.0)] = 0.7

    def __post_init__(self):
        if self.image_size < 2 * reach(self) + 2:
            raise ValueError("argument --image-size: must hold the input area, and a pixel more")
        if sum(self.rings) * self.units < 2:
            raise ValueError("argument --units: a predictor needs a second unit to look at")


QUICK = {"images": 2, "test_images": 1, "image_size": 96, "nets": 2, "steps": 200}

# ---- the task: dead leaves ----
RADII = (3.0, 60.0)  # pixels; the density of a leaf's radius falls like radius^-3
ASPECTS = (1.0, 4.0)  # of a leaf
LEVELS = 16  # of grey
FINE = 2  # images are painted so many times larger, then averaged
HANDFUL = 500  # leaves that are drawn at a time


def leaves(rng, side):
    """Draw the leaves that fall on a square of this side (fine pixels), the front ones first."""
    draws = rng.random((7, HANDFUL))
    near, far = RADII
    radius = FINE / np.sqrt(near**-2 - draws[0] * (near**-2 - far**-2))
    stretch = np.sqrt(ASPECTS[0] + draws[1] * (ASPECTS[1] - ASPECTS[0]))
    angle = 2 * np.pi * draws[2]
    place = (side * draws[3:5]).astype(np.intp)  # (2, HANDFUL)
    return zip(radius * stretch, radius / stretch, angle, *place, draws[5] < 0.5, draws[6])


def paint(leaf, grey, bare):
    """Paint one leaf on what is still bare; the square is a torus."""
    length, width, angle, row, column, is_ellipse, shade = leaf
    side = len(grey)
    extent = min(int(np.hypot(length, width)) + 1, side // 2)
    d = np.arange(-extent, extent)
    rows = (row + d) % side
    columns = (column + d) % side
    free = bare[rows[:, None], columns]  # (2 extent, 2 extent)
    if not free.any():
        return
    along = (np.cos(angle) * d + np.sin(angle) * d[:, None]) / length
    across = (np.cos(angle) * d[:, None] - np.sin(angle) * d) / width
    if is_ellipse:
        inside = along**2 + across**2 <= 1
    else:
        inside = np.maximum(np.abs(along), np.abs(across)) <= 1
    y, x = np.nonzero(inside & free)
    grey[rows[y], columns[x]] = shade
    bare[rows[y], columns[x]] = False


def dead_leaves(rng, size):
    """Paint leaves from front to back until nothing is bare: grey levels 0 to 15, (G, G)."""
    side = FINE * size
    grey = np.zeros((side, side))
    bare = np.ones((side, side), bool)
    while bare.any():
        for leaf in leaves(rng, side):
            paint(leaf, grey, bare)
    coarse = grey.reshape(size, FINE, size, FINE).mean((1, 3))
    return np.minimum(np.floor(LEVELS * coarse), LEVELS - 1)


def as_input(image):
    """Scale grey levels around zero, and average each pixel with its four neighbours."""
    image = (image - image.mean()) / image.std()
    shifts = ((1, 0), (-1, 0), (1, 1), (-1, 1))  # (by, axis)
    return (image + sum(np.roll(image, by, axis) for by, axis in shifts)) / 5


def draw_images(rng, count, size):
    """Return input images (count, G, G)."""
    return np.array([as_input(dead_leaves(rng, size)) for _ in range(count)])


# ---- the task: the input area ----
ROTATIONS = 64  # possible rotations of the input area
SPACING = 2.0  # pixels between the inputs of a receptive field; 81 of them fill its disk


def field_points(config):
    """Return where the inputs of a receptive field lie, from its centre, (I, 2) pixels."""
    radius = config.field_diameter / 2
    steps = np.arange(-int(radius / SPACING), int(radius / SPACING) + 1)
    grid = SPACING * np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    return grid[np.hypot(*grid.T) <= radius]


def field_centres(config):
    """Return the centres of the receptive fields in the input area, (F, 2) pixels."""
    centres = []
    for ring, count in enumerate(config.rings):
        angle = 2 * np.pi * np.arange(count) / count
        circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        centres.append(ring * config.ring_distance * circle)
    return np.concatenate(centres)


def reach(config):
    """Return how far the input area reaches from its centre, in whole pixels."""
    return int(np.ceil((len(config.rings) - 1) * config.ring_distance + config.field_diameter / 2))


class Window:
    """The circular input area, laid on images at random places and rotations."""

    def __init__(self, images, config):
        self.images = images  # (images, G, G)
        self.margin = reach(config)
        place = field_centres(config)[:, None] + field_points(config)  # (F, I, 2)
        angle = 2 * np.pi * np.arange(ROTATIONS) / ROTATIONS
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        nearest = np.rint(np.einsum("fic,dcr->frid", place, turn)).astype(np.intp)
        self.offsets = nearest[..., 0] * images.shape[2] + nearest[..., 1]  # (F, ROTATIONS, I)

    def look(self, rng, count):
        """Return the inputs at random placements, (F, count, I)."""
        images, size, _ = self.images.shape
        image = rng.integers(images, size=count)
        row, column = rng.integers(self.margin, size - self.margin, size=(2, count))
        rotation = rng.integers(ROTATIONS, size=count)
        start = ((image * size + row) * size + column).astype(np.intp)
        return self.images.ravel()[self.offsets[:, rotation] + start[:, None]]


# ---- the nets ----
def logistic(z):
    """Return 1 / (1 + exp(-z)), without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


class Minimizer:
    """N nets of C code units, each with a predictor, which sees the other units.

    y_i = sigma(w_i x_i + b_i)               each unit sees its own receptive field
    P_i = sigma(v_i y_others + c_i)          its predictor sees all other units
    e_i = P_i - y_i
    """

    def __init__(self, rng, config):
        fields = sum(config.rings)
        code = fields * config.units
        inputs = len(field_points(config))

        def uniform(*shape):
            return rng.uniform(-config.init, config.init, (config.nets, *shape))

        self.w = uniform(fields, inputs, config.units)
        self.b = uniform(fields, 1, config.units)
        self.seen = self.sight(code)  # (C, C) whether a unit (row) is seen by a predictor (column)
        self.v = uniform(code, code) * self.seen
        self.c = uniform(1, code)
        self.code_rate = config.code_rate
        self.predictor_rate = config.predictor_rate

    def sight(self, code):
        """Let each predictor see all units but its own."""
        return 1.0 - np.eye(code)

    def encode(self, x):
        """Return the code units y (N, B, C) for inputs x (F, B, I)."""
        y = logistic(x @ self.w + self.b)  # (N, F, B, U)
        return y.transpose(0, 2, 1, 3).reshape(len(y), x.shape[1], -1)

    def predict(self, y):
        """Return the predictions P (N, B, C)."""
        return logistic(y @ self.v + self.c)

    def learn(self, x):
        """Let predictors descend and units climb e_i^2, averaged over the batch x (F, B, I).

        Both at once, by the delta rule: a unit climbs through y_i alone, not through what it
        does to the predictions of other units.
        """
        y = self.encode(x)
        p = self.predict(y)
        e = (p - y) / y.shape[1]  # (N, B, C)

        da = 2 * e * p * (1 - p)  # (N, B, C) slope of e_i^2 by what the predictor sums up
        dz = -2 * e * y * (1 - y)  # (N, B, C) by what the unit sums up
        self.v -= self.predictor_rate * (y.transpose(0, 2, 1) @ da) * self.seen
        self.c -= self.predictor_rate * da.sum(1, keepdims=True)
        nets, fields, _, units = self.b.shape
        dz = dz.reshape(nets, -1, fields, units).transpose(0, 2, 1, 3)  # (N, F, B, U)
        self.w += self.code_rate * (x.transpose(0, 2, 1) @ dz)
        self.b += self.code_rate * dz.sum(2, keepdims=True)


class Unpredicted(Minimizer):
    """The same units with blind predictors: P_i is a trained constant, the principle is off."""

    def sight(self, code):
        return np.zeros((code, code))


def train(nets, window, rng, steps, config):
    """Let all nets learn from the same placements."""
    for _ in range(steps):
        x = window.look(rng, config.batch_size)
        for net in nets:
            net.learn(x)


# ---- evaluation: what the units have become ----
SHAPES = ((2.0, 2.0), (2.0, 4.0), (4.0, 4.0), (4.0, 6.0), (6.0, 6.0))  # sd across, along; pixels
ANGLES = np.pi * np.arange(12) / 12
SPREADS = (2.0, 4.0, 6.0)  # sd of a centre, pixels
SURROUNDS = (1.5, 3.0)  # sd of the surround, in those of the centre
WEIGHTS = (0.3, 1.0)  # of the surround: 1 cancels the centre on an infinite plane
SHIFT = 6.0  # pixels by which a template may be off the centre


def shifted(points):
    """Return points (I, 2) as seen from each possible centre of a template, (S, I, 2)."""
    centres = points[np.hypot(*points.T) <= SHIFT]
    return points - centres[:, None]


def edges_and_bars(points):
    """Return first and second derivatives of Gaussians at points (I, 2), (T, I)."""
    rows, columns = np.moveaxis(shifted(points), -1, 0)  # (S, I) each
    templates = []
    for across, along in SHAPES:
        for angle in ANGLES:
            u = (np.cos(angle) * columns + np.sin(angle) * rows) / across
            t = (np.cos(angle) * rows - np.sin(angle) * columns) / along
            bell = np.exp(-(u**2 + t**2) / 2)
            templates += [u * bell, (u**2 - 1) * bell]
    return np.concatenate(templates)


def centre_surrounds(points):
    """Return differences of Gaussians at points (I, 2), (T, I)."""
    square = (shifted(points) ** 2).sum(-1)  # (S, I)
    templates = []
    for spread in SPREADS:
        centre = np.exp(-square / (2 * spread**2))
        for ratio in SURROUNDS:
            surround = np.exp(-square / (2 * (ratio * spread) ** 2)) / ratio**2
            templates += [centre - weight * surround for weight in WEIGHTS]
    return np.concatenate(templates)


def best_fit(w, templates):
    """Return the largest |cosine| of weights w (..., I) with any of the templates (T, I)."""
    unit = w / np.maximum(np.linalg.norm(w, axis=-1, keepdims=True), 1e-12)
    template = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    return np.abs(unit @ template.T).max(-1)


def dc_share(w):
    """Return |sum w| / (sqrt(I) |w|), the cosine of weights w (..., I) with their mean."""
    return best_fit(w, np.ones((1, w.shape[-1])))


def filters(net):
    """Return the weights of the code units as rows, (N, C, I)."""
    nets, _, inputs, _ = net.w.shape
    return net.w.transpose(0, 1, 3, 2).reshape(nets, -1, inputs)


def detectors(w, config):
    """Say which weights w (..., I) detect edges or bars, and which a centre in a surround."""
    points = field_points(config)
    edge = best_fit(w, edges_and_bars(points))
    centre = best_fit(w, centre_surrounds(points))
    known = (np.maximum(edge, centre) > config.fit_threshold) & (dc_share(w) < config.dc_threshold)
    return known & (edge >= centre), known & (edge < centre)


# ---- evaluation: how well the units can be predicted ----
PLACEMENTS = 1000  # on test images, to fit fresh predictors, and as many more to test them
RIDGE = 1e-6  # penalty, in mean variances of a unit: it keeps twins from a singular matrix


def ridge(y, target):
    """Fit target (B, K) by y (B, D), both without means: the coefficients (D, K)."""
    gram = y.T @ y  # (D, D)
    penalty = RIDGE * np.trace(gram) / len(gram) + 1e-12
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), y.T @ target)


def fresh_r2(fitted, tested):
    """Return the share of the units' variance that new linear predictors explain.

    Each unit is predicted from all others; fitted on codes (B, C), tested on others (B, C).
    """
    mean = fitted.mean(0)
    left = 0.0
    for i in range(len(mean)):
        others = np.arange(len(mean)) != i
        v = ridge(fitted[:, others] - mean[others], fitted[:, i] - mean[i])  # (C - 1,)
        left += ((tested[:, i] - mean[i] - (tested[:, others] - mean[others]) @ v) ** 2).sum()
    return 1 - left / ((tested - mean) ** 2).sum()


def predictability(net, x):
    """Return R2 of fresh predictors on test inputs x (F, 2 B, I), the mean over nets."""
    return np.mean([fresh_r2(*np.split(y, 2)) for y in net.encode(x)])


def measure(net, x, config):
    """Return the metrics of nets of one kind, from their weights and test inputs x (F, 2 B, I)."""
    w = filters(net)
    edge, centre = detectors(w, config)
    return {
        "edge": edge.mean(),
        "centre": centre.mean(),
        "mean_luminance": (dc_share(w) >= config.dc_threshold).mean(),
        "r2": predictability(net, x),
        "spread": net.encode(x).std(1).mean(),  # 0.5 if all units are binary and fair
    }


# ---- the experiment ----
LOOKS = 20  # times that a learning curve is measured


def start(config, seed):
    """Return nets and twins, a window to train and one to test, and streams of placements."""
    drawn, held_out, weights, *looks = np.random.SeedSequence(seed).spawn(5)
    images = draw_images(np.random.default_rng(drawn), config.images, config.image_size)
    unseen = draw_images(np.random.default_rng(held_out), config.test_images, config.image_size)
    nets = [kind(np.random.default_rng(weights), config) for kind in (Minimizer, Unpredicted)]
    windows = [Window(images, config), Window(unseen, config)]
    return nets, windows, [np.random.default_rng(look) for look in looks]


def run(config, seed, progress):
    """Train nets and their twins with blind predictors; compare their units and their codes."""
    nets, (window, test_window), (rng, test_rng) = start(config, seed)
    x = test_window.look(test_rng, 2 * PLACEMENTS)  # (F, 2 B, I)
    milestones = np.linspace(0, config.steps, LOOKS + 1).astype(int)
    r2 = [predictability(nets[0], x)]
    seconds = 0.0
    for steps in np.diff(milestones):
        begun = process_time()
        train(nets, window, rng, steps, config)
        seconds += process_time() - begun
        r2.append(predictability(nets[0], x))
        progress(len(r2) / len(milestones), f"fresh predictors explain {r2[-1]:.0%} of the code")
    pm, twin = (measure(net, x, config) for net in nets)
    share = pm["edge"] + pm["centre"]
    patterns = 2 * config.nets * config.steps * config.batch_size
    return {
        "detector_share": share,
        "detector_gain": share - (twin["edge"] + twin["centre"]),
        "r2_ratio": pm["r2"] / twin["r2"] if twin["r2"] > 0 else None,
        "rarer_share": min(pm["edge"], pm["centre"]),
        "pm": pm,
        "twin": twin,
        "start": {"r2": r2[0]},
        "training": {"patterns_per_second": patterns / max(seconds, 1e-9)},
        "curve": {"x": milestones.tolist(), "y": r2},
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
