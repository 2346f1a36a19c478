# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the adding problem: drifting cells become staircases, the answers fall in line.

One net is trained by the experiment's own step, and looked at more and more rarely.

    python3 make_adding_problem_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import adding_problem as ap
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
FRAMES, STEP, HOLD = 48, 150, 2400  # frames, and milliseconds of each and of the last one


def snapshots(config, seed):
    """Train a net; return what it made of 300 sequences on the way, and these sequences.

    A snapshot is (sequences seen, states (T, C) in one of the 300, outputs (300,)).
    """
    x, target, addends = ap.sequences(np.random.default_rng(7), 1, 300, config)
    unpadded = x[0, 0, 2] == 1  # (B,)
    pick = np.argmax(np.where(unpadded, addends.prod(0)[0], -1))  # two large numbers of one sign
    init, data = np.random.default_rng(seed).spawn(2)
    net = ap.Lstm(config)
    trainer = ap.Trainer(net, net.initial(init, 1, config), config.learning_rate, config)
    shots, due = [], 0

    def look(theta):
        y = net.forward(theta, x)[0]  # (B,)
        states = 2 * net.s[1:, 0, :, :, pick].reshape(len(x), -1)  # (T, C), on the paper's scale
        shots.append((trainer.seen, states, y))

    while len(trainer.running) and trainer.seen < config.max_sequences:
        if trainer.seen >= due:
            due = trainer.seen * 1.08 + 32
            look(trainer.theta)
        batch, wanted, _ = ap.sequences(data, 1, config.batch_size, config)
        trainer.step(batch, wanted)
    look(trainer.average)
    chosen = np.unique(np.linspace(0, len(shots) - 1, FRAMES).astype(int))
    return [shots[k] for k in chosen], x[:, 0, :2, pick], target[0], pick


def draw(shot, pairs, target, pick, limits, config):
    """Draw a frame."""
    seen, states, y = shot
    values, marks = pairs.T
    steps = np.arange(len(pairs))
    marked = np.flatnonzero(marks == 1)
    right = np.mean(np.abs(y - target) < config.tolerance)
    fig = plt.figure(figsize=(8, 4.2))
    grid = fig.add_gridspec(2, 2, width_ratios=(1.7, 1), height_ratios=(0.55, 1.6))
    top, cells = fig.add_subplot(grid[0, 0]), fig.add_subplot(grid[1, 0])
    dots = fig.add_subplot(grid[:, 1])
    fig.suptitle("Drifting cells learn to write twice and hold", x=0.01, ha="left", weight="bold")

    top.bar(steps, values, color=GREY, width=0.8)
    top.bar(marked, values[marked], color=RED, width=1.6)
    top.set(xlim=(-1, len(steps)), ylim=(-1.1, 1.1), yticks=(-1, 1), xticks=(), ylabel="input")
    top.set_title("one fixed sequence, two marked numbers", fontsize=10)
    for c, color in zip(range(states.shape[1]), (BLUE, SKY, ORANGE, PINK)):
        cells.plot(steps, states[:, c], color=color, linewidth=2)
    for k in marked:
        cells.axvline(k, color=RED, linewidth=0.8)
    cells.set(xlim=(-1, len(steps)), ylim=limits, xlabel="time step", ylabel="the cell states")
    band, ends = config.tolerance, np.array([0, 1])
    dots.fill_between(ends, ends - band, ends + band, color=GREEN, alpha=0.3, linewidth=0)
    dots.plot(target, y, ".", color=BLUE, markersize=3)
    dots.plot(target[pick], y[pick], "o", color=RED, markersize=6)
    dots.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    dots.set(xlabel="target", ylabel="output")
    dots.set_title(f"{seen:,} sequences: {right:.0%} right", fontsize=10)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    frame = Image.open(buffer).convert("RGB")
    return frame.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = replace(ap.Config(**(ap.QUICK if flags.quick else {})), nets=1)
    shots, pairs, target, pick = snapshots(config, flags.seed)
    final = shots[-1][1]
    low, high = min(final.min(), -0.5), max(final.max(), 0.5)
    margin = 0.25 * (high - low)
    limits = (low - margin, high + margin)
    frames = [draw(shot, pairs, target, pick, limits, config) for shot in shots]
    frames[0].save(
        flags.out / "adding_problem.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
