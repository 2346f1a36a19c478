# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of temporal-order-4bit: bundles of sequences that split at each mark.

A net is trained by the experiment's own code; then 80 sequences of all eight orders run through it.
"""

import argparse
import io
from dataclasses import replace
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import temporal_order_4bit as to
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
COLORS = (BLUE, SKY, GREEN, GREY, ORANGE, RED, PINK, BLACK)  # of the eight orders
ORDERS = ["".join(marks) for marks in product("XY", repeat=3)]
STEP, HOLD = 160, 2400  # milliseconds of a frame, and of the last one
EVERY = 2  # steps of a sequence from frame to frame


def trained_net(config, seed):
    """Train a few nets, and return the net and the weights (1, P) of the one that did best."""
    few = replace(config, nets=min(config.nets, 3))
    streams = np.random.default_rng(seed).spawn(3)
    trainer, _ = to.train_lstms(config.windows, streams, few, lambda share, text: None)
    best = np.argmin(np.where(trainer.met, trainer.sequences, np.inf) + trainer.error)
    return trainer.net, trainer.theta[[best]], trainer.sequences[best]


def journey(net, theta, config):
    """Run sequences with marks at the same steps: places (T, B, 2), gates (T, J), orders, text."""
    middle = np.add(config.windows[::2], config.windows[1::2]) // 2
    fixed = replace(config, shortest=config.longest, windows=tuple(np.repeat(middle, 2).tolist()))
    x, targets, _ = to.sequences(np.random.default_rng(7), fixed.windows, 1, 80, fixed)
    net.forward(theta, x)
    cells = 2 * net.s[1:].reshape(len(x), net.C, -1).transpose(0, 2, 1)  # (T, B, C)
    end = cells[-1] - cells[-1].mean(0)
    axes = np.linalg.svd(end, full_matrices=False)[2][:2]  # main axes of the states at the end
    gates = net.i[:, 0, :, 0].mean(2)  # (T, J), means over the sequences
    text = np.array(list("EBabcdXY"))[x[:, 0, :8, 0].argmax(1)]
    places = (cells - cells[-1].mean(0)) @ axes.T
    return places, gates, targets[0].argmax(0), text, middle


def draw(t, trip, seen):
    """Draw the frame of step t."""
    places, gates, order, text, marks = trip
    fig = plt.figure(figsize=(8, 4.4))
    grid = fig.add_gridspec(2, 2, width_ratios=(1.15, 1), height_ratios=(0.35, 1))
    fig.suptitle("At each mark every bundle splits in two", x=0.01, ha="left", weight="bold")
    ticker = fig.add_subplot(grid[0, :])
    for step in range(max(0, t - 30), min(len(text), t + 31)):
        mark, size = step in marks, 14 if step == t else 10
        color = RED if mark else GREY
        weight = "bold" if mark or step == t else "normal"
        for row, symbol in enumerate("XY" if mark else text[step]):  # a mark is one of two
            at = (step - t, 0.4 * row)
            ticker.text(*at, symbol, color=color, size=size, weight=weight, ha="center")
    ticker.plot(0, -0.25, "^", color=BLACK, markersize=6)
    ticker.set(xlim=(-31, 31), ylim=(-0.4, 0.8))
    ticker.axis("off")
    ticker.set_title(f"step {t}; the net has learned from {seen:,} sequences", fontsize=10)

    cloud = fig.add_subplot(grid[1, 0])
    for k in range(8):
        cloud.plot(*places[t, order == k].T, "o", color=COLORS[k], markersize=4, alpha=0.8)
        place = {"x": 1.03, "y": 0.93 - 0.1 * k, "transform": cloud.transAxes}
        cloud.text(s=ORDERS[k], color=COLORS[k], fontsize=9, weight="bold", **place)
    low, high = places.min((0, 1)), places.max((0, 1))
    margin = 0.12 * (high - low)
    cloud.set(xlim=(low[0] - margin[0], high[0] + 2 * margin[0]))
    cloud.set(ylim=(low[1] - margin[1], high[1] + margin[1]))
    cloud.set(xlabel="cell states, main axis 1", ylabel="main axis 2")
    cloud.set_title("80 sequences of 8 orders, a dot each", fontsize=10)

    lines = fig.add_subplot(grid[1, 1])
    for j, color in enumerate((BLUE, ORANGE, PINK)):
        lines.plot(gates[: t + 1, j], color=color)
        lines.text(len(gates) + 1, 0.15 + 0.3 * j, f"block {j + 1}", color=color, weight="bold")
    for mark in marks:
        lines.axvline(mark, color=RED, linewidth=0.8, alpha=0.6)
    lines.set(xlim=(0, len(gates) * 1.22), ylim=(0, 1), xlabel="time step")
    lines.set_title("how far the input gates open", fontsize=10)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=90)
    plt.close(fig)
    frame = Image.open(buffer).convert("RGB")
    return frame.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = to.Config(**(to.QUICK if flags.quick else {}))
    net, theta, seen = trained_net(config, flags.seed)
    trip = journey(net, theta, config)
    last = len(trip[0]) - 1
    steps = [*range(0, last, EVERY), last]
    frames = [draw(t, trip, seen) for t in steps]
    frames[0].save(
        flags.out / "temporal_order_4bit.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
