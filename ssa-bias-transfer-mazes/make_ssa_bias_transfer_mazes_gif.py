# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: the stack of changes as a skyline, beside the maze that programs drive through.

python3 make_ssa_bias_transfer_mazes_gif.py --seed 0
"""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import ssa_bias_transfer_mazes as ssa
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
RATE, FRAMES = 0.5, 48
STEP, HOLD = 200, 2400  # milliseconds of a frame and of the last one


class Watched(ssa.SuccessStory):
    """A story of success that keeps what happens at each change."""

    def change(self, program):
        """Note the entries before and after, as (time, reward)."""
        before = [entry[:2] for entry in self.stack]
        super().change(program)
        kept = [entry[:2] for entry in self.stack[:-1]]
        log = (self.time, self.reward, before, len(kept), program, self.undone)
        self.log = [*getattr(self, "log", []), log]


def story(config):
    """Return the maze, its goals, and for each change: epoch, goal and what was noted."""
    language = ssa.Language(config)
    rng = np.random.default_rng(np.random.SeedSequence(flags.seed).spawn(1)[0])
    maze, fields, cost = ssa.choose_goals(language, config, rng)
    learner = Watched(language, RATE)
    limit = config.limit_factor * cost
    _, solved = ssa.live(language, maze, fields, limit, [learner], config, lambda *_: None)
    when = np.argwhere(solved[:, :, 0])  # (changes, 2)
    return language, maze, fields, list(zip(when, learner.log, strict=True))


def choose(events):
    """Return the events that are shown: those that undo most, and others in between."""
    lost = np.array([len(log[2]) - log[3] for _, log in events])
    large = np.argsort(-lost, kind="stable")[: FRAMES // 4]
    even = np.linspace(0, len(events) - 1, FRAMES - len(large)).astype(int)
    return np.unique([*large, *even])


def draw_walk(ax, language, maze, fields, goal, program):
    """Draw the maze and the way of the program that was found."""
    walk = language.walk(maze, program)
    row, column = np.divmod(np.array(walk[: walk.index(fields[goal]) + 1]), maze.side)
    ax.imshow(~maze.free, cmap="Greys", vmin=0, vmax=1.6)
    ax.plot(column, row, color=BLUE, linewidth=2.5)
    for k, field in enumerate(fields):
        down, right = divmod(int(field), maze.side)
        color = RED if k == goal else GREY
        ax.plot(right, down, "o", color=color, markersize=12, zorder=3)
        ax.text(right, down - 0.05, k + 1, color="white", ha="center", va="center", zorder=4)
    ax.axis("off")


def draw_skyline(ax, log, widest, limits):
    """Draw the reward rate since each change on the stack, those undone now in red."""
    time, reward, before, kept, _, _ = log
    rates = [1000 * (reward - then[1]) / (time - then[0]) for then in before]
    color = [BLUE if k < kept else RED for k in range(len(rates))]
    ax.bar(np.arange(1, len(rates) + 1), rates, color=color, width=0.8)
    ax.axhline(1000 * reward / time, color=BLACK, linestyle=":", linewidth=1.2)
    names = {"since birth": BLACK, "kept": BLUE, "undone now": RED}
    for k, (name, shade) in enumerate(names.items()):
        ax.text(0.02 + 0.32 * k, 0.93, name, color=shade, weight="bold", transform=ax.transAxes)
    ax.set(yscale="log", xlim=(0.3, widest + 0.7), ylim=limits)
    ax.set(xlabel="change on the stack, oldest first", ylabel="reward per 1,000 steps since it")


def draw(event, world, widest, limits):
    """Draw one frame."""
    (epoch, goal), log = event
    figure = plt.figure(figsize=(8, 4.4))
    title = "A change stays while reward has sped up since it, and is undone when not"
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    left, right = figure.subplots(1, 2)
    draw_walk(left, *world, goal, log[4])
    left.set_title(f"epoch {epoch + 1}: a program for goal {goal + 1}", fontsize=10)
    draw_skyline(right, log, widest, limits)
    right.set_title(f"{log[3] + 1} changes stand, {log[5]} were undone", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100)
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def main():
    config = ssa.Config(**(ssa.QUICK if flags.quick else {}))
    *world, events = story(config)
    widest = max(len(log[2]) for _, log in events)
    rates = [
        1000 * (reward - then[1]) / (time - then[0])
        for _, (time, reward, before, *_) in events
        for then in before
    ]
    limits = (min(rates) / 2, max(rates) * 10)
    frames = [draw(events[k], world, widest, limits) for k in choose(events)]
    palette = frames[-1].quantize(128, method=Image.Quantize.MAXCOVERAGE)  # it has all the colours
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    frames[0].save(
        flags.out / "ssa_bias_transfer_mazes.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
