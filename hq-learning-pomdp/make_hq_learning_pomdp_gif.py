# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of hq-learning-pomdp: sub-goal values move, and the path finds the goal."""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from hq_learning_pomdp import QUICK, ROWS, Config, Maze, System
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

AGENTS = (BLUE, RED, GREEN, PINK, ORANGE, SKY)  # the colour of each agent of the chain
SNAPSHOTS = (20, 60, 120, 200, 300, 450, 700, 1000, 1500, 2500, 4000, 7000, 12_000, 20_000)
SHOW, STEP, HOLD = 330, 130, 2000  # milliseconds of a snapshot, of a step, of the last frame


def snapshots(maze, config):
    """Train the first simulation of the seed; yields (trials, path of a test, sub-goal values)."""
    own_seed = np.random.SeedSequence(flags.seed).spawn(2)[0].spawn(config.simulations)[0]
    system, done = System(maze, config, np.random.default_rng(own_seed)), 0
    for trials in SNAPSHOTS if not flags.quick else SNAPSHOTS[:6]:
        while done < trials:
            share = done / (config.trials - 1)
            system.trial(config.explore_start + share * (config.explore_end - config.explore_start))
            done += 1
        yield trials, system.walk(), [list(values) for values in system.hq]


def draw_maze(ax, maze, path):
    """Draw the maze and a walk, coloured by agent, a diamond at each hand-over."""
    walls = np.ones((10, 10))
    walls[tuple(maze.places.T)] = 0
    ax.imshow(walls, cmap="Greys", vmin=0, vmax=1.6)
    for (agent, field), (following, after) in zip(path, path[1:]):
        (y, x), (below, beside) = maze.places[field], maze.places[after]
        ax.plot((x, beside), (y, below), color=AGENTS[agent], linewidth=5, alpha=0.7)
        if following != agent:
            ax.plot(beside, below, "D", color=AGENTS[following], mec=BLACK, markersize=9, zorder=4)
    y, x = maze.places[path[-1][1]]
    ax.plot(x, y, "o", color=AGENTS[path[-1][0]], mec=BLACK, markersize=14, zorder=5)
    for text, field in (("S", maze.start), ("G", maze.goal)):
        y, x = maze.places[field]
        ax.text(x, y, text, ha="center", va="center", weight="bold", zorder=6)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)


def draw(maze, trials, path, values, whole):
    """Draw one frame: the maze on the left, the values of the sub-goals on the right."""
    views = sorted(set(maze.view.tolist()))
    fig, axes = plt.subplot_mosaic(
        [["maze", k] for k in range(len(values))], figsize=(7.6, 4.6), width_ratios=(1.5, 1)
    )
    title = "A chain of agents learns where to hand over control"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    draw_maze(axes["maze"], maze, path)
    lost = path[-1][1] != maze.goal and whole
    steps = "no goal" if lost else f"{len(path) - 1} steps"
    axes["maze"].set_xlabel(f"greedy test after {trials:,} trials: {steps}")
    for k, row in enumerate(values):
        shown = np.array(row)[views]  # (9,)
        best = np.arange(len(views)) == shown.argmax()
        axes[k].bar(np.arange(len(views))[~best], shown[~best], color=AGENTS[k], alpha=0.35)
        axes[k].bar(np.arange(len(views))[best], shown[best], color=AGENTS[k])
        active = path[-1][0] == k
        axes[k].set_ylabel(f"{k + 1}", color=AGENTS[k], rotation=0, labelpad=10, va="center")
        axes[k].yaxis.label.set_weight("bold" if active else "normal")
        axes[k].set(xticks=[], yticks=[], ylim=(0, 40))
    axes[len(values) - 1].set_xticks(np.arange(len(views)), [str(view) for view in views])
    axes[len(values) - 1].set_xlabel("view as sub-goal")
    axes[0].set_title("sub-goal values of agents 1 to 5", fontsize=10, weight="normal")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=90)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config, maze = Config(**(QUICK if flags.quick else {})), Maze(ROWS)
    frames, times = [], []
    for trials, path, values in snapshots(maze, config):
        shown = path[: 1 + (len(path) if path[-1][1] == maze.goal else 60)]
        frames.append(draw(maze, trials, shown, values, True))
        times.append(SHOW)
    for steps in range(2, min(len(path), 60) + 1):
        frames.append(draw(maze, trials, path[:steps], values, False))
        times.append(STEP)
    times[-1] = HOLD
    palette = frames[-1].quantize(64, method=Image.Quantize.MAXCOVERAGE)  # it has all the colours
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    frames[0].save(
        flags.out / "hq_learning_pomdp.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=times,
    )


if __name__ == "__main__":
    main()
