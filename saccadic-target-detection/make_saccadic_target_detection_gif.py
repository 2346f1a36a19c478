# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of saccadic-target-detection: a fovea walks and turns to its target."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.patches import Circle
from PIL import Image
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
WALKS, BETWEEN = 2, 2  # trajectories shown, frames of a move


def shown_seed():
    """Return the recorded seed that learned best, or the one asked for where there is none."""
    path = HERE / "results.json"
    if flags.quick or flags.seed or not path.exists():
        return flags.seed
    records = json.loads(path.read_text())["records"]
    return max(records, key=lambda record: record["metrics"]["rotation_success"])["seed"]


def learned(config, seed):
    """Return the scene, the controller and the test starts of the run with this seed."""
    child = np.random.SeedSequence(seed).spawn(2)[1]
    init, learning, flights, _, tests, _ = map(np.random.default_rng, child.spawn(6))
    scene = Scene(config, turning=True)
    model, controller = prepare(scene, config, init, learning, lambda *_: None)
    train_controller(controller, model, scene, flights, config, lambda *_: None)
    return scene, controller, scene.draw(tests, TESTS)


def flown(starts):
    """Return the poses after each move, (T + 1, B, 3), from these starts."""
    poses, x = [starts], scene.place(starts)
    for _ in range(config.moves):
        (_, x), _, _ = fly(controller, scene, x, 1)
        poses.append(scene.pose)
    return np.array(poses)


def draw_fovea(ax, pose, x, edge):
    """Draw receptive fields at a pose, filled by what they see."""
    at = pose[0] + 1j * pose[1] + CENTRES * np.exp(1j * pose[2])
    circles = [Circle((z.real, z.imag), size) for z, size in zip(at, SIZES)]
    shade = [(0, 0, 0, 0.85 * float(share)) for share in x]
    ax.add_collection(PatchCollection(circles, facecolors=shade, edgecolors=edge, linewidths=0.8))


def tidy(ax, reach):
    """Show a square without ticks."""
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw(path, t):
    """Draw the frame at time t, in moves, of a trajectory (T + 1, 3)."""
    for ax in axes.values():
        ax.clear()
    whole = min(int(t), config.moves - 1)
    pose = path[whole] + (t - whole) * (path[whole + 1] - path[whole])
    (x,) = scene.look(pose[None])
    walked = np.concatenate([path[: whole + 1, :2], pose[None, :2]])
    ax = axes["A"]
    ax.fill(*CORNERS.T, color="#dddddd")
    draw_fovea(ax, pose, x, BLUE)
    ax.plot(*walked.T, color=RED, lw=2.5, marker="o", markersize=5, zorder=4)
    tip = 20 * np.array([np.sin(pose[2]), -np.cos(pose[2])])
    ax.quiver(*pose[:2], *tip, color=RED, angles="xy", scale_units="xy", scale=1, zorder=5)
    ax.scatter(0, 0, marker="+", color=BLACK, s=120, zorder=6)
    tidy(ax, 120)
    ax.set_xlabel(f"move {int(np.ceil(t))} of {config.moves}", fontsize=11)
    for name, seen, color, label in (
        ("B", x, BLUE, "what it sees"),
        ("C", scene.desired[0], GREY, "what it wants to see"),
    ):
        draw_fovea(axes[name], np.zeros(3), seen, color)
        tidy(axes[name], 70)
        axes[name].set_title(label, fontsize=10, fontweight="normal", loc="center", pad=4)
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3]).quantize(
        32, dither=Image.Dither.NONE
    )


config = replace(Config(), **(QUICK if flags.quick else {}))
scene, controller, starts = learned(config, shown_seed())
poses = flown(starts)
distance, angle = misses(scene)
success = (distance <= NEAR[6]) & (angle <= ALIGNED)
far = np.hypot(*starts[:, :2].T) + np.abs(np.degrees(starts[:, 2])) + 1000 * success
order = np.argsort(-far)[:: 7 if success.sum() > 7 * WALKS else 1]  # far ones, not all alike

fig, axes = plt.subplot_mosaic(
    "AAAB;AAAC", figsize=(6.6, 5), dpi=76, layout="constrained", gridspec_kw={"wspace": 0.05}
)
fig.suptitle(
    "Told only what the end should look like,\nthe fovea walks and turns until it sees it",
    fontsize=12,
    fontweight="bold",
)
frames, milliseconds = [], []
for chosen in order[:WALKS]:
    for step in range(config.moves * BETWEEN + 1):
        frames.append(draw(poses[:, chosen], step / BETWEEN))
        milliseconds.append(130)
    milliseconds[-1] = 900
milliseconds[-1] = 2000
frames[0].save(
    flags.out / "saccadic_target_detection.gif",
    save_all=True,
    append_images=frames[1:],
    duration=milliseconds,
    loop=0,
)
