# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the flag maze: one controller in two mazes that differ in the signal alone.

Two nets are trained by the experiment's own code; the better one plays.

    python3 make_pomdp_flag_maze_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pomdp_flag_maze as fm
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

LENGTH = 12
STEP, HOLD = 550, 2400  # milliseconds of a frame and of the last one


class Steady:
    """A generator by which no move fails."""

    def random(self, shape):
        return np.ones(shape)


def train(config, seed):
    """Train two controllers inside models; returns the better one alone."""
    config = replace(config, nets=2)
    data, walks, *seeds = np.random.SeedSequence(seed).spawn(7)
    mazes = fm.draw_mazes(np.random.default_rng(data), config, (2, config.episodes))
    walks = fm.walk(np.random.default_rng(walks), *mazes)
    _, trainer = fm.learn_in_model(walks, config, seeds, lambda share, text: None)
    best = int(trainer.keeper.best.argmax())
    trainer.controller.use(trainer.keeper.kept[[best]].copy())
    return trainer.controller


def place(cell):
    """Return the coordinates of a cell."""
    if cell <= LENGTH:
        return cell, 0
    return LENGTH, (1, 2, -1, -2)[cell - LENGTH - 1]


def paths(controller):
    """Play both signals; returns C's units (T, 2, H), cells (T, 2) and the steps made."""
    sign = np.array([[1, -1]])
    episodes = fm.play(controller, Steady(), np.full_like(sign, LENGTH), sign)
    maze = fm.Maze()
    maze.reset(Steady(), np.full_like(sign, LENGTH), sign, np.full_like(sign, 999))
    cells = [maze.cell[0]]
    for action in episodes.action:
        maze.step(action)
        cells.append(maze.cell[0])
    steps = int(episodes.active.any(2).sum())
    return episodes.g[1:, 0], np.array(cells), min(steps, LENGTH + 6)


def draw_maze(ax, cell, sign, color, now):
    cells = [(x, 0) for x in range(LENGTH + 1)] + [(LENGTH, y) for y in (-2, -1, 1, 2)]
    for x, y in cells:
        ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="white", edgecolor=GREY))
    ax.text(LENGTH + 1, 2 * sign, "flag", color=GREEN, va="center", weight="bold")
    ax.plot(*place(int(cell)), "o", color=color, markersize=13)
    said = "north" if sign > 0 else "south"
    text = f"signal: {said}" if now == 0 else "no signal in view"
    ax.text(-0.5, 1.2, text, color=color if now == 0 else GREY, weight="bold")
    ax.set(xlim=(-1, LENGTH + 3.2), ylim=(-2.7, 2.7), aspect="equal")
    ax.axis("off")


def draw(units, cells, now, order):
    """Draw the two mazes after `now` steps, and C's units in both."""
    fig = plt.figure(figsize=(8, 4.4))
    title = "After step 0 both mazes look alike: C's hidden units keep the signal"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    grid = fig.add_gridspec(2, 2, height_ratios=(1, 1.1))
    for k, (sign, color) in enumerate(((1, BLUE), (-1, ORANGE))):
        draw_maze(fig.add_subplot(grid[0, k]), cells[now, k], sign, color, now)
    ax = fig.add_subplot(grid[1, :])
    shown = units[min(now, len(units) - 1)]  # (2, H)
    x = np.arange(len(order))
    for k, color in enumerate((BLUE, ORANGE)):
        ax.bar(x + 0.4 * (k - 0.5), shown[k, order], 0.38, color=color)
    ax.axhline(0, color=BLACK, linewidth=0.8)
    ax.set(ylim=(-1.1, 1.1), yticks=(-1, 0, 1), xticks=[], xlim=(-0.8, len(order) - 0.2))
    ax.set_ylabel("C's hidden units")
    ax.set_xlabel(f"step {now}; units on the left differ most at the junction")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config = fm.Config(**(fm.QUICK if flags.quick else {}))
    units, cells, steps = paths(train(config, flags.seed))
    there = min(LENGTH, len(units) - 1)
    order = np.abs(units[there, 0] - units[there, 1]).argsort()[::-1]
    frames = [draw(units, cells, now, order) for now in range(steps + 1)]
    palette = frames[-1].quantize(64, method=Image.Quantize.MAXCOVERAGE)
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    frames[0].save(
        flags.out / "pomdp_flag_maze.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
