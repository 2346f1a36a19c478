# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the multiplication problem: a flat answer bends into the product.

One net is trained by the experiment's own step, and looked at more and more rarely.

    python3 make_multiplication_problem_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import multiplication_problem as mp
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
FRAMES, STEP, HOLD = 44, 160, 2400  # frames, and milliseconds of each and of the last one
SIDE = 25  # the unit square is looked at in so many steps each way
SHOWN = 0.8  # the two numbers of the sequence that is shown


def stage(config):
    """Return sequences x (T, 1, 3, SIDE^2 + 1): all pairs of numbers, then the one to show."""
    x, factors = mp.sequences(np.random.default_rng(7), 1, 400, config)
    marks = x[:, 0, 1] == 1  # (T, B)
    both = (factors < 1).all(0)[0] & (x[0, 0, 2] == 1) & (marks.argmax(0) > 5)  # (B,)
    late = len(x) - 1 - marks[::-1].argmax(0)  # (B,)
    pick = np.argmax(np.where(both, late - marks.argmax(0), -1))  # marks that lie far apart
    x = np.repeat(x[..., [pick]], SIDE**2 + 1, axis=3)
    ends = np.linspace(0, 1, SIDE)
    earlier, later = np.flatnonzero(marks[:, pick])
    x[earlier, 0, 0] = np.append(np.repeat(ends, SIDE), SHOWN)
    x[later, 0, 0] = np.append(np.tile(ends, SIDE), SHOWN)
    return x, (earlier, later)


def snapshots(x, config, seed):
    """Train a net; return (sequences seen, answers, states, gates) on the way.

    Answers (SIDE, SIDE) are to all pairs; states (T, C) and gates (T, 2J) are of one sequence.
    """
    init, data = np.random.default_rng(seed).spawn(2)
    net = mp.Lstm(config)
    trainer = mp.Trainer(net, net.initial(init, 1, config), config.learning_rate, config)
    shots, due = [], 0

    def look(theta):
        y = net.forward(theta, x)[0]  # (B,)
        states = 2 * net.s[1:, 0, :, :, -1].reshape(len(x), -1)  # on the paper's scale
        gates = np.stack([net.i[:, 0, :, 0, -1], net.o[:, 0, :, 0, -1]], axis=1)  # (T, 2, J)
        shots.append((trainer.seen, y[:-1].reshape(SIDE, SIDE), states, gates.copy()))

    while len(trainer.running) and trainer.seen < config.max_sequences:
        if trainer.seen >= due:
            due = trainer.seen * 1.03 + 150
            look(trainer.average)
        batch, factors = mp.sequences(data, 1, config.batch_size, config)
        trainer.step(batch, trainer.target(factors))
    look(trainer.average)
    chosen = np.unique(np.linspace(0, len(shots) - 1, FRAMES).astype(int))
    return [shots[k] for k in chosen]


def draw(shot, marks):
    """Draw a frame."""
    seen, answers, states, gates = shot
    steps, ends = np.arange(len(states)), np.linspace(0, 1, SIDE)
    levels = np.linspace(0, 1, 11)
    fig = plt.figure(figsize=(8, 5.2))
    grid = fig.add_gridspec(2, 2, height_ratios=(1.5, 1))
    fig.suptitle("A flat answer bends into the product", x=0.01, ha="left", weight="bold")

    product = np.outer(ends, ends)
    titles = f"answer after {seen:,} sequences", "what is asked: the product"
    for k, (values, title) in enumerate(zip((answers, product), titles)):
        ax = fig.add_subplot(grid[0, k])
        ax.contourf(ends, ends, values, levels, cmap="viridis", extend="both")
        ax.contour(ends, ends, values, levels, colors="white", linewidths=0.8)
        ax.set(aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), xlabel="later number")
        ax.set_title(title, fontsize=10)
        if k == 0:
            ax.set_ylabel("earlier number")
    cells, doors = fig.add_subplot(grid[1, 0]), fig.add_subplot(grid[1, 1])
    for c, color in zip(range(states.shape[1]), (BLUE, SKY, ORANGE, PINK)):
        cells.plot(steps, np.tanh(states[:, c] / 2), color=color, linewidth=2)
    for j, color in zip(range(gates.shape[2]), (BLUE, ORANGE)):
        doors.plot(steps, gates[:, 0, j], color=color, linewidth=2)
        doors.plot(steps, gates[:, 1, j], ":", color=color, linewidth=1.5)
    for ax in (cells, doors):
        for k in marks:
            ax.axvline(k, color=RED, linewidth=0.8)
        ax.set(xlim=(-1, len(steps)), xlabel="time step")
    cells.set_yscale("symlog", linthresh=0.1)  # what is held may be small
    cells.set(ylim=(-1.3, 1.3), ylabel="h(state)")
    cells.set_yticks((-1, -0.1, 0, 0.1, 1), ("−1", "−0.1", "0", "0.1", "1"))
    cells.set_title("four cells, one sequence (red: marks)", fontsize=10)
    doors.set(ylim=(-0.05, 1.05), ylabel="gate", yticks=(0, 1))
    doors.set_title("input gates (dotted: output gates)", fontsize=10)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config = replace(mp.Config(**(mp.QUICK if flags.quick else {})), nets=1)
    x, marks = stage(config)
    shots = snapshots(x, config, flags.seed)
    pictures = [draw(shot, marks) for shot in shots]
    palette = pictures[-1].quantize(96, method=Image.Quantize.FASTOCTREE)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in pictures]
    frames[0].save(
        flags.out / "multiplication_problem.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
