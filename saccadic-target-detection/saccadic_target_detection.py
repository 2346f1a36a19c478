# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""An artificial fovea learns to move and turn until it sees what it was told to see.

Paper: J. Schmidhuber, R. Huber, "Learning to generate artificial fovea trajectories for target
detection", International Journal of Neural Systems 2(1&2):135-141, 1991.
Task: 40 receptive fields of a small fovea look at a triangle in a large scene. Ten moves have to
end on a given point, in the rotation task with a given heading, too. The only goal is the
picture that the fovea should see after the last move; nobody says where the target is.
Rule: a model M learns to predict the next input from random moves. Then a controller C learns by
gradient descent through M, along real trajectories (backpropagation through time).
Claim: C learns this, "although M usually makes erroneous predictions".
Baselines: credit for the last move only, with the same M and the same initial C; a rule that
moves the fovea by the shift of the centroid of darkness.

    python3 saccadic_target_detection.py --seed 0

The letters of this file: x is the input (B, 40), c what C puts out (B, 4) or (B, 6), g the
derivative of the error by x; B foveas move side by side, T is the number of moves.
"""

import os
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    samples: Annotated[int, "points that a receptive field averages over", (1, 1000)] = 16
    moves: Annotated[int, "moves of a trajectory", (1, 1000)] = 10
    start_radius: Annotated[float, "largest distance at the start, in px", (1.0, 500.0)] = 70.0
    start_angle: Annotated[float, "largest angle at the start, in degrees", (0.0, 180.0)] = 60.0
    max_move: Annotated[float, "px for an output of 1", (0.1, 500.0)] = 20.0
    max_turn: Annotated[float, "degrees for an output of 1", (0.1, 180.0)] = 50.0
    examples: Annotated[int, "random moves that M learns from", (1, 10**7)] = 100_000
    passes: Annotated[int, "passes of M over them", (0, 1000)] = 10
    trajectories: Annotated[int, "trajectories that C learns from", (1, 10**8)] = 100_000
    batch: Annotated[int, "examples or trajectories in an update", (1, 10**5)] = 64
    rate_m: Annotated[float, "learning rate of M (Adam's)", (1e-6, 10.0)] = 0.003
    rate_c: Annotated[float, "learning rate of C (Adam's)", (1e-6, 10.0)] = 0.003

    def __post_init__(self):
        if self.batch > min(self.examples, self.trajectories):
            raise ValueError("argument --batch: must exceed neither --examples nor --trajectories")


QUICK = {"examples": 3000, "passes": 2, "trajectories": 1500, "samples": 4}

# ---- the task: a fovea over a triangle ----
CORNERS = np.array([(0.0, -55.0), (48.0, 40.0), (-30.0, 45.0)])  # px around the target point
FIELD = np.arange(40)  # receptive fields, F of them, in four rings of ten
SIZES = np.array([4, 8, 12, 16])[FIELD // 10]  # (F,) their radii in px
TURNS = 2 * np.pi / 10 * (FIELD % 10 + 0.5 * (FIELD // 10 % 2))  # (F,)
CENTRES = np.array([8, 20, 34, 50])[FIELD // 10] * np.exp(1j * TURNS)  # (F,) in px, x + iy
EFFECTS = np.array(  # of the outputs on x, y and heading, in the fovea's own frame
    [(0, 1, 0), (0, -1, 0), (-1, 0, 0), (1, 0, 0), (0, 0, 1), (0, 0, -1)]
)  # up, down, left, right, counter-clockwise, clockwise


def sample_points(samples):
    """Return the points that the receptive fields sample, as rows x, y, 1: (3, S * F)."""
    order = np.arange(samples) + 0.5  # (S,)
    spiral = np.sqrt(order / samples) * np.exp(1j * np.pi * (3 - np.sqrt(5)) * order)  # even
    points = (CENTRES + SIZES * spiral[:, None]).ravel()  # (S * F,)
    return np.stack([points.real, points.imag, np.ones(points.size)]).astype(np.float32)


class Scene:
    """Foveas side by side over the triangle; a pose is x, y (px) and heading (radians), (B, 3)."""

    def __init__(self, config, turning):
        self.outputs = 6 if turning else 4
        self.radius = config.start_radius
        self.angle = np.radians(config.start_angle) if turning else 0.0
        reach = np.array([config.max_move, config.max_move, np.radians(config.max_turn)])
        self.effects = EFFECTS[: self.outputs] * reach  # (outputs, 3)
        self.samples = config.samples
        self.points = sample_points(config.samples)
        sides = np.roll(CORNERS, -1, axis=0) - CORNERS  # (3, 2)
        self.normals = np.stack([sides[:, 1], -sides[:, 0]], axis=1)  # (3, 2), they point outward
        self.bounds = (self.normals * CORNERS).sum(1)  # (3,)
        self.desired = self.place(np.zeros((1, 3)))  # (1, F) what the fovea sees on the target

    def draw(self, rng, count):
        """Draw poses (B, 3), uniform over a disc, where a receptive field sees the object."""
        pose = np.empty((count, 3))
        blind = np.ones(count, bool)  # (B,)
        while blind.any():
            some = blind.sum()
            distance = self.radius * np.sqrt(rng.random(some))
            direction = rng.uniform(-np.pi, np.pi, some)
            pose[blind, 0] = distance * np.cos(direction)
            pose[blind, 1] = distance * np.sin(direction)
            pose[blind, 2] = rng.uniform(-self.angle, self.angle, some)
            blind = ~self.look(pose).any(1)
        return pose

    def reset(self, rng, count):
        """Place foveas at random; return what they see, x (B, F)."""
        return self.place(self.draw(rng, count))

    def place(self, pose):
        """Put the foveas at these poses (B, 3); return what they see, x (B, F)."""
        self.pose = pose
        return self.look(pose)

    def step(self, c):
        """Move by the outputs c (B, outputs), in the old heading's frame; return x (B, F)."""
        right, up, turn = (c @ self.effects).T  # (B,) each
        cos, sin = np.cos(self.pose[:, 2]), np.sin(self.pose[:, 2])
        change = np.stack([cos * right - sin * up, sin * right + cos * up, turn], axis=1)
        return self.place(self.pose + change)

    def look(self, pose):
        """Return the share of each receptive field that the triangle covers, (B, F)."""
        cos, sin = np.cos(pose[:, 2:]), np.sin(pose[:, 2:])  # (B, 1)
        a, b = self.normals.T  # (3,)
        past = pose[:, :2] @ self.normals.T - self.bounds  # (B, 3) of the centre over each side
        lines = np.stack([a * cos + b * sin, b * cos - a * sin, past], axis=2)  # (B, 3, 3)
        over = lines.reshape(-1, 3).astype(np.float32) @ self.points  # (B * 3, S * F)
        over = over.reshape(len(pose), 3, self.samples, -1)
        outside = np.maximum(np.maximum(over[:, 0], over[:, 1]), over[:, 2])  # (B, S, F)
        return (outside <= 0).mean(1, dtype=np.float32)


# ---- the nets: M and C have a hidden layer each, all units are logistic ----
INIT = 0.1  # weights start in [-this, this]
HIDDEN_M, HIDDEN_C = 40, 20


class Net:
    """A feedforward net; all its weights stand in one vector theta."""

    def __init__(self, rng, inputs, hidden, outputs):
        self.sizes = inputs, hidden, outputs
        weights = (inputs + 1) * hidden + (hidden + 1) * outputs
        self.theta = rng.uniform(-INIT, INIT, weights).astype(np.float32)

    def parts(self):
        """Return views of theta: W (I, H), b (H,), V (H, O), a (O,)."""
        inputs, hidden, outputs = self.sizes
        ends = np.cumsum([inputs * hidden, hidden, hidden * outputs])
        W, b, V, a = np.split(self.theta, ends)
        return W.reshape(inputs, hidden), b, V.reshape(hidden, outputs), a

    def forward(self, x):
        """Return the hidden units h (B, H) and the outputs y (B, O)."""
        W, b, V, a = self.parts()
        h = logistic(x @ W + b)
        return h, logistic(h @ V + a)

    def backward(self, h, y, dy):
        """Return derivatives: by the sums dz_h (B, H), dz_y (B, O) of the units, by x (B, I)."""
        W, _, V, _ = self.parts()
        dz_y = dy * y * (1 - y)
        dz_h = (dz_y @ V.T) * h * (1 - h)
        return dz_h, dz_y, dz_h @ W.T

    def gradient(self, x, h, dz_h, dz_y):
        """Return the derivative by theta, summed over the batch."""
        dW = x.T @ dz_h
        dV = h.T @ dz_y
        return np.concatenate([dW.ravel(), dz_h.sum(0), dV.ravel(), dz_y.sum(0)])


def logistic(z):
    """Return 1 / (1 + exp(-z)), without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


class Adam:
    """The step rule of Kingma and Ba, with its usual constants."""

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, net, rate):
        self.net = net
        self.rate = rate
        self.mean = np.zeros_like(net.theta)
        self.square = np.zeros_like(net.theta)
        self.updates = 0

    def descend(self, gradient):
        """Change the weights of the net in place."""
        self.updates += 1
        self.mean += (1 - self.BETA_1) * (gradient - self.mean)
        self.square += (1 - self.BETA_2) * (gradient * gradient - self.square)
        rate = self.rate / (1 - self.BETA_1**self.updates)
        spread = np.sqrt(self.square / (1 - self.BETA_2**self.updates)) + self.EPSILON
        self.net.theta -= rate * self.mean / spread


# ---- the model M learns what a move does to the input ----
def random_moves(scene, rng, count):
    """Make one random move from each of B starts; return x with c (B, F + outputs), next (B, F)."""
    x = scene.reset(rng, count)
    c = rng.random((count, scene.outputs), dtype=np.float32)
    return np.concatenate([x, c], axis=1), scene.step(c)


def train_model(model, scene, rng, config, progress, rule=Adam):
    """Train M on random moves, by plain backpropagation of half the squared error."""
    counts = [min(64, config.examples - first) for first in range(0, config.examples, 64)]
    x_c, target = map(np.concatenate, zip(*(random_moves(scene, rng, count) for count in counts)))
    rule = rule(model, config.rate_m)
    for done in range(config.passes):
        order = rng.permutation(config.examples)
        for first in range(0, config.examples, config.batch):
            some = order[first : first + config.batch]
            h, y = model.forward(x_c[some])
            dz_h, dz_y, _ = model.backward(h, y, (y - target[some]) / len(some))
            rule.descend(model.gradient(x_c[some], h, dz_h, dz_y))
        progress((done + 1) / config.passes, f"M has made {done + 1} passes")


def unexplained(model, scene, rng):
    """Return the share of the squared change of the input that M's prediction misses."""
    x_c, target = random_moves(scene, rng, TESTS)
    change = target - x_c[:, : target.shape[1]]
    _, y = model.forward(x_c)
    return ((target - y) ** 2).sum() / (change**2).sum()


# ---- the controller C learns through M, along real trajectories ----
def fly(controller, scene, x, moves):
    """Let C move; return the inputs x (T + 1 of (B, F)), its hidden units and outputs (T each)."""
    xs, hs, cs = [x], [], []
    for _ in range(moves):
        h, c = controller.forward(xs[-1])
        xs.append(scene.step(c))
        hs.append(h)
        cs.append(c)
    return xs, hs, cs


def through_time(controller, model, trajectory, desired, credited):
    """Return the gradient of half the squared distance of the last input from the desired one.

    M stands in for the unknown derivatives of the scene; the last `credited` moves get credit.
    """
    xs, hs, cs = trajectory
    g = (xs[-1] - desired) / len(xs[-1])  # (B, F)
    gradient = np.zeros_like(controller.theta)
    for t in reversed(range(len(cs) - credited, len(cs))):
        h_m, y_m = model.forward(np.concatenate([xs[t], cs[t]], axis=1))
        _, _, g_both = model.backward(h_m, y_m, g)  # (B, F + outputs)
        gx, gc = np.split(g_both, [g.shape[1]], axis=1)
        dz_h, dz_c, g_back = controller.backward(hs[t], cs[t], gc)
        gradient += controller.gradient(xs[t], hs[t], dz_h, dz_c)
        g = gx + g_back
    return gradient


def train_controller(
    controller, model, scene, rng, config, progress, credited=None, derive=through_time, rule=Adam
):
    """Train C on trajectories from random starts; None credits all moves."""
    rule = rule(controller, config.rate_c)
    for flown in range(0, config.trajectories, config.batch):
        x = scene.reset(rng, min(config.batch, config.trajectories - flown))
        trajectory = fly(controller, scene, x, config.moves)
        credit = credited or config.moves
        rule.descend(derive(controller, model, trajectory, scene.desired, credit))
        if flown % (50 * config.batch) == 0:
            error = 0.5 * ((trajectory[0][-1] - scene.desired) ** 2).sum(1).mean()
            progress(flown / config.trajectories, f"C ends with an error of {error:.2f}")


# ---- a rival that learns nothing ----
class CentroidRule:
    """Move by what separates the centroid of darkness from its place on the target."""

    def __init__(self, scene):
        self.reach = scene.effects[3, 0]  # px
        self.outputs = scene.outputs
        self.on_target = self.centroid(scene.desired)

    def centroid(self, x):
        """Return the mean place of darkness in the fovea's frame (B,), x + iy; unseen: 0."""
        return x @ CENTRES / np.maximum(x.sum(1), 1e-9)

    def forward(self, x):
        """Return nothing, and outputs (B, 4 or 6) for this move, or the longest towards it."""
        move = (self.centroid(x) - self.on_target) / self.reach  # (B,)
        c = np.zeros((len(x), self.outputs))  # it never turns
        c[:, :4] = 0.5 + 0.5 * np.stack([move.imag, -move.imag, -move.real, move.real], axis=1)
        return None, np.clip(c, 0, 1)


# ---- evaluation ----
TESTS = 1000  # fresh starts, and fresh examples for M
NEAR = {4: 5.0, 6: 8.0}  # px, for success without and with rotation, by the number of outputs
ALIGNED = 15.0  # degrees, too


def misses(scene):
    """Return the distances (B,) in px and the angles (B,) in degrees to the target."""
    x, y, heading = scene.pose.T
    return np.hypot(x, y), np.abs(np.degrees(heading + np.pi) % 360 - 180)


def measure(controller, scene, starts, moves):
    """Return the metrics of a controller from these poses (B, 3), its longer flight included."""
    row = {}
    for length, column in (2 * moves, "success_twice_as_long"), (moves, "success"):
        fly(controller, scene, scene.place(starts), length)
        distance, angle = misses(scene)
        row[column] = np.mean((distance <= NEAR[scene.outputs]) & (angle <= ALIGNED))
    row["wrong_way_round"] = np.mean(angle > 90)
    return row | {"median_distance": np.median(distance), "median_angle": np.median(angle)}


# ---- the experiment ----
def prepare(scene, config, init_rng, model_rng, progress, rule=Adam):
    """Return a trained M and an untrained C for a scene."""
    model = Net(init_rng, FIELD.size + scene.outputs, HIDDEN_M, FIELD.size)
    controller = Net(init_rng, FIELD.size, HIDDEN_C, scene.outputs)
    train_model(model, scene, model_rng, config, progress, rule)
    return model, controller


def learn(scene, seed, config, progress):
    """Train M, C and the C that credits its last move; return metrics of both and of the rule."""
    init, learning, flights, rivals, tests, questions = map(np.random.default_rng, seed.spawn(6))
    model, controller = prepare(scene, config, init, learning, progress)
    rival = deepcopy(controller)
    started = time.process_time()
    train_controller(controller, model, scene, flights, config, progress)
    seconds = max(time.process_time() - started, 1e-9)
    train_controller(rival, model, scene, rivals, config, progress, credited=1)
    starts = scene.draw(tests, TESTS)
    row, *others = (
        measure(net, scene, starts, config.moves)
        for net in (controller, rival, CentroidRule(scene))
    )
    row["unexplained"] = unexplained(model, scene, questions)
    row["steps_per_second"] = config.trajectories * config.moves / seconds
    return row, *others


def run(config, seed, progress):
    """Learn both tasks; compare C with its rivals on starts that no training has seen."""
    seeds = np.random.SeedSequence(seed).spawn(2)
    translation, _, rule = learn(Scene(config, False), seeds[0], config, progress)
    rotation, last_move, no_turn = learn(Scene(config, True), seeds[1], config, progress)
    return {
        "rotation_success": rotation["success"],
        "translation_success": translation["success"],
        "credit_lead": rotation["success"] - last_move["success"],
        "rule_lead": translation["success"] - rule["success"],
        "rotation": rotation,
        "last_move": last_move,
        "translation": {k: translation[k] for k in ("median_distance", "unexplained")},
        "rule": {"success": rule["success"], "rotation_success": no_turn["success"]},
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
