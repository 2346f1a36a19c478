# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of temporal order: the bundles of cell states, what the cells know, the price.

One net is trained here by the experiment's own code; what all seeds have to say is read from
results.json and study.json. Where these are missing, the net of this run stands in.

    python3 visualize_temporal_order_4bit.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import study_temporal_order_4bit as study
import temporal_order_4bit as to

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


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def records(name):
    """The metrics of each recorded seed."""
    path = Path(__file__).with_name(name)
    held = json.loads(path.read_text("utf-8")).get("records", []) if path.exists() else []
    return [record["metrics"] for record in held]


def trained_net(config, seed):
    """Train a few nets, and return the net and the weights (1, P) of the one that did best."""
    few = replace(config, nets=min(config.nets, 3))
    streams = np.random.default_rng(seed).spawn(3)
    trainer, _ = to.train_lstms(config.windows, streams, few, lambda share, text: None)
    best = np.argmin(np.where(trainer.met, trainer.sequences, np.inf) + trainer.error)
    return trainer.net, trainer.theta[[best]]


def aligned(config):
    """The middle of each mark's window (3,), and settings that put each mark there."""
    middle = np.add(config.windows[::2], config.windows[1::2]) // 2
    fixed = replace(config, shortest=config.longest, windows=tuple(np.repeat(middle, 2).tolist()))
    return middle, fixed


def draw_bundles(net, theta, config, path):
    """Draw cell states of sequences of all orders along time, on two main axes."""
    marks, fixed = aligned(config)
    x, targets, _ = to.sequences(np.random.default_rng(7), fixed.windows, 1, 200, fixed)
    net.forward(theta, x)
    order = targets[0].argmax(0)  # (B,)
    cells = 2 * net.s[1:].reshape(len(x), net.C, -1).transpose(0, 2, 1)  # (T, B, C)
    centred = cells - cells.mean((0, 1))
    axes_of = np.linalg.svd(centred[-1] - centred[-1].mean(0), full_matrices=False)[2][:2]
    shown = centred @ axes_of.T  # (T, B, 2)

    fig = plt.figure(figsize=(9, 5.2))
    headline(fig, "Two, four, eight bundles: the cells branch at each mark")
    grid = fig.add_gridspec(2, 2, width_ratios=(1.55, 1))
    steps = np.arange(len(x))
    for k in range(2):
        ax = fig.add_subplot(grid[k, 0])
        for b in range(shown.shape[1]):
            color = COLORS[order[b]]
            ax.plot(steps, shown[:, b, k], color=color, linewidth=0.7, alpha=0.6)
        for mark in marks:
            ax.axvline(mark, color=GREY, linewidth=0.8, linestyle=":")
        ax.set(xlim=(0, len(steps) - 1), ylabel=f"main axis {k + 1}")
        if k == 0:
            top = ax.get_ylim()[1]
            for name, mark in zip(("mark 1", "mark 2", "mark 3"), marks):
                ax.text(mark, top, name, ha="center", va="bottom")
    ax.set(xlabel="time step")
    ends = fig.add_subplot(grid[:, 1])
    for k in range(8):
        ends.plot(*shown[-1, order == k].T, ".", color=COLORS[k], markersize=5)
        label(ends, 1.03, 0.95 - 0.07 * k, ORDERS[k], COLORS[k], transform=ends.transAxes)
    ends.margins(0.08)
    ends.set_title("at the end", fontsize=10)
    ends.set(xlabel="main axis 1", ylabel="main axis 2")
    fig.savefig(path / "bundles.png")
    plt.close(fig)


def draw_kept(net, theta, config, path):
    """Draw how often a linear reading of the cells tells each mark right, step by step."""
    names = ("first", "second", "third")
    held = records("study.json")
    if flags.quick or not held:
        right = study.readings(net, theta, config.windows, np.random.default_rng(9), config)
    else:
        right = np.mean([[row[f"decoded.{name}"] for name in names] for row in held], axis=0)
    fig, ax = plt.subplots(figsize=(8, 4))
    ax.set_title("Each mark is known from its step to the end")
    colors = (BLUE, GREEN, RED)
    for k, (name, color) in enumerate(zip(names, colors)):
        ax.plot(100 * right[k], color=color)
        first, last = config.windows[2 * k : 2 * k + 2]
        ax.axvspan(first, last, color=color, alpha=0.15, linewidth=0)
        label(ax, (first + last) / 2, 40, f"{name}\nmark", color, ha="center", va="center")
    ax.axhline(50, color=GREY, linewidth=0.8)
    ax.text(right.shape[1] - 2, 51, "a guess", color=GREY, ha="right")
    ax.set(xlim=(0, right.shape[1] - 1), ylim=(33, 103))
    ax.set(xlabel="time step (bands: where the mark may fall)", ylabel="told right, %")
    fig.savefig(path / "kept.png")
    plt.close(fig)


def draw_sequences(config, path):
    """Draw the sequences to the criterion: means of the seeds, and single nets of the study."""
    runs, studies = records("results.json"), records("study.json")
    rows = [("two marks (6a),\nbatches of 16", BLUE, [r["two.sequences"] for r in runs], 31_390)]
    rows.append(
        ("three marks (6b),\nbatches of 16", RED, [r["lstm.sequences"] for r in runs], 571_100)
    )
    each = [np.array(r["online.sequences_each"]).reshape(2, -1) for r in studies]
    each = np.concatenate(each, axis=1) if each else np.empty((2, 0))
    names = ("three marks, the paper's\nonline rule, rate 0.1", "the same, rate 0.5")
    rows += [(names[0], ORANGE, each[0], 571_100), (names[1], GREEN, each[1], 571_100)]
    fig, ax = plt.subplots(figsize=(9, 4))
    ax.set_title("A third mark costs three times the sequences")
    rng = np.random.default_rng(0)
    for k, (_, color, values, paper) in enumerate(rows):
        values = np.array(values, float)
        heights = -k + rng.uniform(-0.18, 0.18, len(values))
        solved = values < study.Config.online_sequences
        ax.plot(values[solved], heights[solved], "o", color=color, markersize=6, alpha=0.8)
        ax.plot(values[~solved], heights[~solved], "x", color=color, markersize=7)
        ax.plot([paper, paper], [-k - 0.38, -k + 0.38], **PAPER)
    label(ax, 31_390, 0.55, "31,390", BLACK, ha="center")
    label(ax, 571_100, 0.55, "571,100", BLACK, ha="center")
    ax.set(xscale="log", xlim=(8_000, 1_000_000), ylim=(-3.6, 0.9))
    ax.set_yticks([-k for k in range(4)], [row[0] for row in rows])
    ax.set_xlabel(
        "sequences to the criterion (batches: the mean of ten nets, a dot for each seed;\n"
        "online: a dot for each net, crosses did not meet it; dashed: the paper)"
    )
    fig.savefig(path / "sequences.png")
    plt.close(fig)


def main():
    config = to.Config(**(to.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    net, theta = trained_net(config, flags.seed)
    draw_bundles(net, theta, config, path)
    draw_kept(net, theta, config, path)
    draw_sequences(config, path)


if __name__ == "__main__":
    main()
