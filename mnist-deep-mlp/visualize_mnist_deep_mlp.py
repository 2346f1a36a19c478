# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of bent digits: what bending does, what it is worth, and which digits stay wrong."""

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path

from mnist_deep_mlp import (
    CLASSES,
    MEAN,
    QUICK,
    SIDE,
    Config,
    Net,
    bend,
    bent_digits,
    draw,
    draw_maps,
    forward,
    learn,
    mnist,
    shades,
)
import matplotlib.pyplot as plt
import numpy as np

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

DIGIT = 7  # of the training digits: the one that is bent over and over
HERE = Path(__file__).resolve().parent


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def headline(figure, title):
    """Write the finding over a figure of several panels."""
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)


def tile(images, columns):
    """Lay images (n, 784) out as one picture, with a line of paper between them."""
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (SIDE + 2), columns * (SIDE + 2)), -MEAN / 127.5)
    for n, image in enumerate(images):
        top, left = n // columns * (SIDE + 2) + 1, n % columns * (SIDE + 2) + 1
        sheet[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
    return sheet


# ---- 1: what bending does ----
def bent(config):
    """Picture one digit under 40 maps, with strong elastic fields and with weak ones."""
    digit = mnist("train", DIGIT + 1).images[DIGIT:]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.55))
    figure.get_layout_engine().set(wspace=0.06)
    panels = [(1.10, "elastic fields as strong as in the paper: rms 1.10 pixels")]
    panels += [(0.33, "weak elastic fields: rms 0.33 pixels")]
    for ax, (rms, words) in zip(axes, panels, strict=True):
        how = replace(config, scaling=0.15, elastic_rms=rms)
        rng = np.random.default_rng(np.random.SeedSequence(flags.seed))
        maps = draw_maps(rng, 40, 15.0, 1.0, how)
        copies = [bend(digit, *one)[0] for one in zip(*maps, strict=True)]
        ax.imshow(tile(copies, 8), cmap="gray_r", interpolation="bilinear")
        ax.set_title(words, fontsize=10.5, weight="normal")
        ax.set_axis_off()
    headline(figure, "Every epoch the net sees digits that it has never seen")
    save(figure, "bent.png")


# ---- one run, for the next two ----
def both_nets(config):
    """Train as the experiment does; returns the test digits, the net and both films."""
    part = mnist("train", config.train_digits)
    test = mnist("t10k", None)
    net, orders, maps = draw(config, np.random.SeedSequence(flags.seed))
    twin = Net(net.vector.copy(), (SIDE * SIDE, *config.hidden, CLASSES))
    how = part, test, orders, config, lambda *_: None
    deformed = learn(net, bent_digits(maps, part, config), *how)
    plain = learn(twin, itertools.repeat(shades(part.images), config.epochs), *how)
    return test, net, deformed, plain


def records():
    """Return each recorded seed's metrics, or none."""
    path = HERE / "results.json"
    if flags.quick or not path.exists():
        return []
    return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]


def apart(values, factor):
    """Move labels on a logarithmic axis up until neighbours are a factor apart."""
    order = np.argsort(values)
    heights = np.array(values, float)
    for lower, upper in itertools.pairwise(order):
        heights[upper] = max(heights[upper], heights[lower] * factor)
    return heights


# ---- 2: what bending is worth ----
def errors(config, deformed, plain, runs):
    """Picture test and training errors per epoch, of one run; a band and dots are the seeds."""
    figure, ax = plt.subplots(figsize=(9, 5))
    epochs = np.arange(1, config.epochs + 1)
    lines = [
        (plain.test, RED, "-", "plain digits, test"),
        (plain.training, RED, "--", "plain digits, training"),
        (deformed.test, BLUE, "-", "bent digits, test"),
        (deformed.training, BLUE, "--", "bent digits, training"),
    ]
    floor = 0.15  # what is below leaves the picture
    ends = [max(line[-1], 1.08 * floor) for line, *_ in lines]
    heights = apart([*ends, 0.35], 1.3)
    for (line, color, style, words), end, height in zip(lines, ends, heights, strict=False):
        ax.plot(epochs, line, style, color=color, lw=2.2)
        said = f"{words}: {line[-1]:.2f} %"
        ax.annotate(
            said,
            (config.epochs, end),
            (config.epochs * 1.03, height),
            color=color,
            weight="bold" if style == "-" else "normal",
            va="center",
            annotation_clip=False,
        )
    ax.axhline(0.35, **PAPER)
    ax.text(config.epochs * 1.03, heights[-1], "paper, 12 million weights: 0.35 %", va="center")
    if runs:
        band = np.array([run["curve.y"] for run in runs])  # (seeds, epochs)
        ax.fill_between(epochs, band.min(0), band.max(0), color=BLUE, alpha=0.2, lw=0)
        last = [run["plain.error"] for run in runs]
        ax.plot([config.epochs] * len(last), last, "o", color=RED, alpha=0.5, markersize=5)
    ax.set(yscale="log", xlim=(1, config.epochs), xlabel="epochs", ylabel="errors, %")
    ticks = (0.2, 0.5, 1, 2, 5, 10, 20)
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_ylim(floor, 1.1 * max(max(line) for line, *_ in lines))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_title("Plain digits are learned by heart; bent ones are not, and fewer stay wrong")
    save(figure, "errors.png")


# ---- 3: what is left ----
def left(test, net):
    """Picture the wrong test digits; below each its label and the net's two best guesses."""
    log_p = forward(net, shades(test.images))[0]  # (N, 10)
    guesses = np.argsort(-log_p, 1)[:, :2]  # (N, 2)
    wrong = np.flatnonzero(guesses[:, 0] != test.labels)
    second = np.count_nonzero(guesses[wrong, 1] == test.labels[wrong])
    columns = 15
    shown = wrong[: 8 * columns]
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 0.85 + 0.78 * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, n in zip(axes.flat, shown, strict=False):
        ax.imshow(test.images[n].reshape(SIDE, SIDE), cmap="gray_r", interpolation="bilinear")
        label, (first, next_best) = test.labels[n], guesses[n]
        below = {"transform": ax.transAxes, "fontsize": 10, "va": "top", "ha": "center"}
        ax.text(0.15, -0.02, label, weight="bold", **below)
        ax.text(0.6, -0.02, first, color=RED, **below)
        ax.text(0.85, -0.02, next_best, color=GREEN if next_best == label else "#666666", **below)
    words = f"What is left: {len(wrong):,} of {len(test.labels):,}"
    words += f"; for {second:,} of them the second guess is right"
    headline(figure, words)
    figure.supxlabel(
        "black: the label; red: the net's answer; then its second guess, green where it is right",
        fontsize=10,
    )
    save(figure, "left.png")


settings = Config(**QUICK) if flags.quick else Config()
bent(settings)
digits, reader, with_bending, without = both_nets(settings)
errors(settings, with_bending, without, records())
left(digits, reader)
