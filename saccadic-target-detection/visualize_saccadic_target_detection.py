# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of saccadic-target-detection into viz/."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Circle
from saccadic_target_detection import ALIGNED, CENTRES, CORNERS, NEAR, QUICK, SIZES, TESTS, Config
from saccadic_target_detection import Scene, fly, misses, prepare, train_controller

# ---- picture style, byte-identical in every picture script; its text stands in SPEC.md ----
plt.switch_backend("Agg")
plt.rcParams.update({"figure.figsize": (8, 4.5), "figure.dpi": 100, "savefig.dpi": 150})
plt.rcParams.update({"figure.facecolor": "white", "savefig.facecolor": "white"})
plt.rcParams.update({"figure.constrained_layout.use": True, "lines.linewidth": 1.6})
plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "legend.frameon": False})
plt.rcParams.update({"axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlepad": 10})
plt.rcParams.update({"axes.titlelocation": "left"})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
BLACK, GREY, ORANGE, YELLOW = "#000000", "#999999", "#E69F00", "#F0E442"  # Okabe and Ito's colours,
SKY, BLUE, GREEN, RED, PINK = "#56B4E9", "#0072B2", "#009E73", "#D55E00", "#CC79A7"  # told by all
PAPER = {"color": BLACK, "linestyle": "--", "linewidth": 1.2}  # for the paper's own figures
flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--seed", type=int, default=0, help="seed of the run that the pictures show")
flags.add_argument("--quick", action="store_true", help="draw a quick run: it proves the code")
flags.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder")
flags = flags.parse_args()
flags.out.mkdir(parents=True, exist_ok=True)

HERE = Path(__file__).resolve().parent
LIGHT = "#dddddd"


def recorded(file, metric):
    """Return the values of a metric over the recorded seeds; none in a quick run."""
    path = HERE / file
    if flags.quick or not path.exists():
        return []
    return [record["metrics"][metric] for record in json.loads(path.read_text())["records"]]


def shown_seed():
    """Return the recorded seed that learned best, or the one asked for where there is none."""
    path = HERE / "results.json"
    if flags.quick or flags.seed or not path.exists():
        return flags.seed
    records = json.loads(path.read_text())["records"]
    return max(records, key=lambda record: record["metrics"]["rotation_success"])["seed"]


def learned(config, seed):
    """Return the scene, M, the controller and the test starts of the run with this seed."""
    child = np.random.SeedSequence(seed).spawn(2)[1]
    init, learning, flights, _, tests, _ = map(np.random.default_rng, child.spawn(6))
    scene = Scene(config, turning=True)
    model, controller = prepare(scene, config, init, learning, lambda *_: None)
    train_controller(controller, model, scene, flights, config, lambda *_: None)
    return scene, model, controller, scene.draw(tests, TESTS)


def flown(starts):
    """Return the poses (T + 1, B, 3), inputs (T + 1, B, F) and outputs of C from these starts."""
    x = scene.place(starts)
    poses, xs, cs = [starts], [x], []
    for _ in range(config.moves):
        _, _, (c,) = fly(controller, scene, xs[-1], 1)
        poses.append(scene.pose)
        xs.append(scene.look(scene.pose))
        cs.append(c)
    return np.array(poses), np.array(xs), np.array(cs)


def draw_object(ax, color=LIGHT):
    ax.fill(*CORNERS.T, color=color, zorder=0)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_fovea(ax, pose, x=None, edge=GREY, width=0.8):
    """Draw receptive fields at a pose, filled by what they see."""
    at = pose[0] + 1j * pose[1] + CENTRES * np.exp(1j * pose[2])
    circles = [Circle((z.real, z.imag), size) for z, size in zip(at, SIZES)]
    shade = "none" if x is None else [(0, 0, 0, 0.85 * float(share)) for share in x]
    fields = PatchCollection(circles, facecolors=shade, edgecolors=edge, linewidths=width)
    ax.add_collection(fields)


def fovea_panel(ax, x, title, edge=GREY):
    """Draw what the fovea sees, in its own frame."""
    draw_fovea(ax, np.zeros(3), x, edge)
    ax.set(xlim=(-70, 70), ylim=(-70, 70), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10, fontweight="normal", loc="center", pad=3)


config = replace(Config(), **(QUICK if flags.quick else {}))
seed = shown_seed()
scene, model, controller, starts = learned(config, seed)
poses, xs, cs = flown(starts)
distance, angle = misses(scene)
success = (distance <= NEAR[6]) & (angle <= ALIGNED)
(flags.out / "viz").mkdir(exist_ok=True)

# ---- one trajectory: a successful one that starts far away and turned ----
far = np.hypot(*starts[:, :2].T) + 1.2 * np.abs(np.degrees(starts[:, 2])) + 1000 * success
far -= 1000 * (np.hypot(*starts[:, :2].T) > 66)  # not the very last of them: leave a margin
chosen = int(far.argmax())
path = poses[:, chosen]

fig, axes = plt.subplot_mosaic("AAAB;AAAC;AAAD", figsize=(8, 5.4))
ax = axes["A"]
draw_object(ax, "#c4c4c4")
draw_fovea(ax, path[0], edge=ORANGE)
draw_fovea(ax, path[-1], edge=BLUE, width=1.2)
ax.plot(*path[:, :2].T, color=RED, zorder=4)
toward = 15 * np.stack([np.sin(path[:, 2]), -np.cos(path[:, 2])])  # the desired one is down
ax.quiver(*path[:, :2].T, *toward, color=RED, angles="xy", scale_units="xy", scale=1, width=0.006)
ax.scatter(*path[:, :2].T, color=RED, s=20, zorder=5)
ax.scatter(0, 0, marker="+", color=BLACK, s=150, zorder=6)
ax.margins(0.02)
ax.autoscale_view()
ax.set_title("Ten moves from a glimpse to the target")
fovea_panel(axes["B"], xs[0, chosen], "seen at the start", ORANGE)
fovea_panel(axes["C"], xs[-1, chosen], "seen at the end", BLUE)
fovea_panel(axes["D"], scene.desired[0], "desired", GREY)
fig.savefig(flags.out / "viz" / "walk.png")

# ---- sixty trajectories, and the error at each heading ----
SHOWN = 60
REACH = np.arange(-40, 41, 5.0)  # px
DEGREES = np.arange(-180, 181, 10)
grid = np.array([(x, y, 0) for x in REACH for y in REACH])  # (289, 3)


def least_errors():
    """Return the least error over the positions of the grid for each heading."""
    errors = []
    for degrees in DEGREES:
        x = scene.look(grid + [0, 0, np.radians(degrees)])
        errors.append(0.5 * ((x - scene.desired) ** 2).sum(1).min())
    return errors


fig, (ax, side) = plt.subplots(1, 2, figsize=(9, 4.6), width_ratios=[1.1, 1])
draw_object(ax)
error = np.degrees((poses[..., 2] + np.pi) % (2 * np.pi) - np.pi)  # (T + 1, B)
for number in range(SHOWN):
    points = poses[:, number, :2]
    segments = np.stack([points[:-1], points[1:]], axis=1)  # (T, 2, 2)
    lines = LineCollection(segments, cmap="coolwarm", norm=plt.Normalize(-90, 90), alpha=0.8)
    lines.set_array(error[:-1, number])
    ax.add_collection(lines)
last = poses[-1, :SHOWN]
right = success[:SHOWN]
ax.scatter(*last[right, :2].T, color=BLACK, s=22, zorder=5, label=f"{right.sum()} in place")
missed = ax.scatter(*last[~right, :2].T, color=BLACK, marker="x", s=40, zorder=5)
missed.set_label(f"{(~right).sum()} not")
ax.autoscale_view()
ax.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")
bar = fig.colorbar(lines, ax=ax, location="bottom", shrink=0.8, extend="both", pad=0.02)
bar.set_ticks([-90, -45, 0, 45, 90])
bar.set_label("heading before the move (degrees off)")
ax.set_title(f"Sixty starts, ten moves (seed {seed})")
side.plot(DEGREES, least_errors(), color=BLACK)
side.axvspan(-config.start_angle, config.start_angle, color=YELLOW, alpha=0.35, lw=0)
side.text(0, 2.42, "start angles", ha="center", va="top", fontsize=9)
side.set(xlabel="heading (degrees off)", ylabel="least error at that heading", ylim=(0, 2.5))
side.set_xticks([-180, -120, -60, 0, 60, 120, 180])
side.set_title("The goal has two false friends")
count = side.twinx()
count.hist(error[-1], bins=np.arange(-180, 181, 10), color=BLUE, alpha=0.5)
count.set_ylabel("test starts that end there", color=BLUE)
count.set_ylim(0, TESTS)
count.spines["right"].set_visible(True)
fig.savefig(flags.out / "viz" / "starts.png")

# ---- what M says beside what happens; what C makes of its teachers ----
KINDS = {
    "through M": ("results.json", "rotation_success", BLUE),
    "through M, in the study": ("study.json", "with_m.success", BLUE),
    "exact derivatives": ("study.json", "exact.success", GREEN),
    "M untrained": ("study.json", "untrained.success", GREY),
    "as in the paper": ("study.json", "paper.success", ORANGE),
    "last move only": ("results.json", "last_move.success", PINK),
    "never turns": ("results.json", "rule.rotation_success", BLACK),
}
MOVES = (0, 1, 2, 4, 9)
fig = plt.figure(figsize=(8.6, 6.2))
above, below = fig.subfigures(2, 1, height_ratios=[1.25, 1])
panels = above.subplots(2, len(MOVES))
for column, t in enumerate(MOVES):
    both = np.concatenate([xs[t], cs[t]], axis=1, dtype=np.float32)
    _, guess = model.forward(both)
    fovea_panel(panels[0, column], guess[chosen], f"move {t + 1}: M's guess", ORANGE)
    fovea_panel(panels[1, column], xs[t + 1, chosen], "what is seen", BLUE)
shares = recorded("results.json", "rotation.unexplained")
wrong = f": {np.mean(shares):.0%} of the change unexplained" if shares else ""
above.suptitle(f"M is usually wrong{wrong}", fontsize=12, fontweight="bold", x=0.01, ha="left")
ax = below.subplots()
for row, (file, metric, color) in enumerate(KINDS.values()):
    values = recorded(file, metric)
    if values:
        ax.barh(row, np.mean(values), color=color, alpha=0.35, height=0.6)
        ax.scatter(values, np.full(len(values), row), color=color, s=18, zorder=3)
ax.set(yticks=range(len(KINDS)), yticklabels=KINDS, xlim=(0, 1), ylim=(len(KINDS) - 0.4, -0.6))
ax.set_xlabel("share of starts that end in place, with the right heading (bars: mean; dots: seeds)")
ax.set_title("Exact derivatives of the scene teach little more than M")
fig.savefig(flags.out / "viz" / "model.png")
