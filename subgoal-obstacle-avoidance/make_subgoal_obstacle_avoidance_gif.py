# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the sub-goals: discs drift, and the net places its two sub-goals anew."""

import argparse
from pathlib import Path

from subgoal_obstacle_avoidance import (
    QUICK,
    SIDE,
    Arenas,
    Config,
    Generator,
    Legs,
    learn_to_place,
    learn_world,
    walk,
)
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

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

CONFIG = Config(**(QUICK if flags.quick else {}))
TITLE = "Obstacles drift, and the sub-goals follow, around the side that is cheaper"
FRAMES = 14 if flags.quick else 64
START, GOAL = (1.0, 5.0), (9.0, 5.0)
LISTS = (BLUE, GREEN, PINK, ORANGE)


class Watched(Arenas):
    """Arenas that keep where the agents have been."""

    def put(self, position):
        """Put the agents somewhere, with no past."""
        self.seen = [position]
        return super().put(position)

    def step(self, action):
        """Move, and remember."""
        self.seen.append(super().step(action))
        return self.seen[-1]


def drifting():
    """Return arenas, one for each frame, whose discs swing up and down past each other."""
    arenas = Watched(FRAMES, 4)
    phase = np.linspace(0, 2 * np.pi, FRAMES)[:, None]  # (F, 1)
    across = [3.06, 4.79, 6.72, 5.25] + np.array([0.34, 0.18, 0.42, 0.17]) * np.cos(
        phase + [2.39, 2.43, 1.82, 0.26]
    )  # (F, 4)
    upward = [5.09, 4.74, 4.71, 8.61] + np.array([1.91, 1.13, 1.35, 0.9]) * np.sin(
        phase + [0.39, 6.0, 1.73, 4.62]
    )
    arenas.centres = np.stack([across, upward], 2).astype(np.float32)
    arenas.radii = np.tile(np.float32([0.8, 1.1, 0.8, 1.0]), (FRAMES, 1))
    arenas.start = np.tile(np.float32(START), (FRAMES, 1))
    arenas.goal = np.tile(np.float32(GOAL), (FRAMES, 1))
    return arenas


def trained():
    """Return C, E and S as the run of this seed trains them."""
    streams = map(np.random.default_rng, np.random.SeedSequence(flags.seed).spawn(9))
    walking, walked, costing, _, placing, *_ = streams
    executer, evaluator, _ = learn_world(CONFIG, walked, costing, walking, lambda *_: None)
    generator = Generator(placing, CONFIG)
    learn_to_place(generator, evaluator, CONFIG, placing, lambda *_: None)
    return executer, evaluator, generator


def draw(figure, arenas, offers, costs, k):
    """Draw the k-th frame: the arena, and what E says of the four lists of sub-goals."""
    figure.clear()
    figure.text(0.02, 0.955, TITLE, weight="bold", fontsize=12, va="center")
    ax = figure.add_axes((0.02, 0.03, 0.49, 0.87))
    for (x, y), radius in zip(arenas.centres[k], arenas.radii[k]):
        ax.add_patch(plt.Circle((x, y), radius, facecolor="#D9D9D9", edgecolor=GREY, lw=0.8))
    best = int(costs[k].argmin())
    for h, color in enumerate(LISTS):
        if h != best:
            ax.plot(*offers[k, h].T, color=color, lw=1.2)
    ax.plot(*np.stack(arenas.seen, 1)[k].T, color=BLACK, lw=2.6)
    ax.plot(*offers[k, best, 1:-1].T, "o", color=LISTS[best], ms=11, mec="white")
    ax.plot(*START, "o", color=BLACK, ms=9)
    ax.plot(*GOAL, "*", color=BLACK, ms=16)
    ax.set(xlim=(0, SIDE), ylim=(0, SIDE), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(True)
    ax = figure.add_axes((0.6, 0.2, 0.37, 0.52))
    for h, color in enumerate(LISTS):
        ax.plot(costs[: k + 1, h], color=color, lw=1.6)
    ax.plot(k, costs[k, best], "o", color=LISTS[best], ms=9)
    ax.set(xlim=(0, FRAMES), ylim=(5.5, 33), xticks=[], xlabel="time", ylabel="predicted cost")
    figure.text(0.6, 0.84, "Four lists of two sub-goals (colours);", color="#444444")
    figure.text(0.6, 0.79, "the agent walks the cheapest (black).", color="#444444")


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in (images[0], images[-4], images[-1])])
    palette = Image.fromarray(sample).quantize(48)
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[colors.min(1) > 248] = 255
    palette.putpalette(colors.ravel().tolist())
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first, *others = images
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size}")


executer, evaluator, generator = trained()
arenas = drifting()
offers = generator.propose(arenas)[0]  # (F, H, 4, 2)
costs = evaluator.cost(Legs(offers, arenas.centres[:, None]), arenas.radii[:, None])[0].sum(2)
arenas.put(arenas.start)
walk(executer, arenas, offers[np.arange(FRAMES), costs.argmin(1), 1:])
hit = arenas.depth(0.0) > 0  # (F,)
print(f"collisions in {hit.sum()} of {FRAMES} frames")
figure = plt.figure(figsize=(8, 4.5), layout="none")
images = []
for k in range(FRAMES):
    draw(figure, arenas, offers, costs, k)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [130] * (FRAMES - 1) + [2000]
write_gif(flags.out / "subgoal_obstacle_avoidance.gif", images, milliseconds)
