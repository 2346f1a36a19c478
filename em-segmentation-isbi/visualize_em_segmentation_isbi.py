# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures: a slice cut into neurons, ROC curves and errors, and what a window is worth."""

import argparse
import json
from pathlib import Path

import em_segmentation_isbi
import study_em_segmentation_isbi
from em_segmentation_isbi import (
    QUICK,
    SIMPLE,
    Config,
    choose,
    components,
    prepare,
    rand_error,
    scores,
    train,
    versions,
)
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

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

DARK = "#444444"
NAMES = {
    "cnn": ("net", BLUE),
    "linear_15": ("linear filter, 15 px", RED),
    "linear_9": ("linear filter, 9 px", ORANGE),
    "linear_5": ("linear filter, 5 px", PINK),
    "contrast": ("local contrast", GREEN),
    "darkness": ("darkness", GREY),
}


def silent(fraction, message):
    """Show nothing."""


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded(file, program):
    """Return each recorded seed's metrics, or a quick run's if there are none."""
    path = Path(__file__).resolve().with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    table = program.run(program.Config(**program.QUICK), flags.seed, silent)
    return [em_segmentation_isbi.flatten(table)]


# ---- 1: a slice cut into neurons ----
def found_in(held, unseen, tissue, radius):
    """Return the membranes (n, H, W) in test slices, thresholded for the least Rand error."""
    version, cut = choose(rand_error, versions(held, radius), tissue.validation.membrane)
    return versions(unseen, radius)[version] > cut


def most_common(labels, groups):
    """Return for each pixel the label that is most common in its group."""
    pairs, counts = np.unique(np.stack([groups, labels]), axis=1, return_counts=True)
    best = {}
    for (group, label), count in zip(pairs.T, counts, strict=True):
        best[group] = max(best.get(group, (0, 0)), (count, label))
    return np.array([best[group][1] for group in groups])


def coloured(predicted, membrane, shades):
    """Paint the segments of a slice (H, W): right, merged and split-off parts in RGB.

    A segment belongs to the cell it covers most of. Its part in other cells is merged (red); a
    cell's part outside its largest segment is split off (blue); the rest has the cell's shade.
    """
    cell = components(~membrane[None])[0]
    segment = components(~predicted[None])[0]
    picture = np.ones((*cell.shape, 3))
    picture[predicted] = to_rgb(BLACK)
    seen = (cell > 0) & (segment > 0)
    owner = most_common(cell[seen], segment[seen])
    main = most_common(segment[seen], cell[seen])
    paint = shades[cell[seen] % len(shades)]
    split = (segment[seen] != main) & (owner == cell[seen])
    paint[split] = to_rgb(BLUE)
    paint[owner != cell[seen]] = to_rgb(RED)
    picture[seen] = paint
    return picture


def pastels():
    """Return shades of grey-green for right neurons, far enough apart to tell neighbours."""
    tones = np.linspace(0.0, 1.0, 7)[[0, 4, 1, 5, 2, 6, 3]][:, None]
    return (1 - tones) * np.array(to_rgb("#dfe9df")) + tones * np.array(to_rgb("#8fb69b"))


def segments(tissue, tuned, config):
    """Picture one test slice, the two best scores of it, and the segments that follow."""
    slices = {name: found_in(*pair, tissue, config.median_radius) for name, pair in tuned.items()}
    shown = flags.seed % len(tissue.test.image)
    truth = tissue.test.membrane[shown]
    figure, axes = plt.subplots(2, 4, figsize=(9, 5.1))
    image = tissue.test.image[shown]
    grey = {"cmap": "gray", "interpolation": "nearest"}
    axes[0, 0].imshow(image, vmin=-3, vmax=3, **grey)
    axes[0, 1].imshow(~truth, **grey)
    for ax, name in zip(axes[0, 2:], ("linear_15", "cnn"), strict=True):
        score = tuned[name][1][shown]
        low, high = np.quantile(score, (0.02, 0.98))
        ax.imshow(-score, vmin=-high, vmax=-low, **grey)
    shades = pastels()
    axes[1, 1].imshow(coloured(truth, truth, shades), interpolation="nearest")
    for ax, name in zip(axes[1, 2:], ("linear_15", "cnn"), strict=True):
        picture = coloured(slices[name][shown], truth, shades)
        ax.imshow(picture, interpolation="nearest")
    words = ("a slice never trained on", "its true membranes", "the best linear filter", "the net")
    for ax, word in zip(axes[0], words, strict=True):
        ax.set_title(word, fontsize=10, weight="normal", pad=4)
    for ax, name in zip(axes[1, 2:], ("linear_15", "cnn"), strict=True):
        error = rand_error(slices[name][shown : shown + 1], truth[None])
        ax.set_title(f"Rand error {error:.0f} %", fontsize=10, weight="normal", pad=4)
    axes[1, 1].set_title("the true neurons", fontsize=10, weight="normal", pad=4)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    legend = axes[1, 0]
    lines = (("right", "#5d8f6c"), ("merged with another", RED), ("split off", BLUE))
    for n, (word, color) in enumerate(lines):
        legend.text(0.0, 0.72 - 0.2 * n, "■ " + word, color=color, size=11, weight="bold")
    legend.text(0.0, 0.12, "black: membrane found", color=BLACK, size=10)
    title = "Darkness finds membranes, context finds neurons"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "segments.png")


# ---- 2: the methods ----
def roc(score, membrane):
    """Return false and true positives, as shares, at a hundred thresholds."""
    cuts = np.quantile(score[membrane], np.linspace(0, 1, 100))
    false = [(score[~membrane] > cut).mean() for cut in cuts]
    return false, [(score[membrane] > cut).mean() for cut in cuts]


def dots(ax, runs, column, title):
    """Draw a dot for each seed and each method, and its mean in words."""
    rows = NAMES | {"observer": ("second observer", BLACK)}
    for y, (name, (_, color)) in enumerate(rows.items()):
        values = [run[f"{name}.{column}"] for run in runs]
        spread = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else [0]
        ax.plot(values, y + np.array(spread), "o", color=color, ms=4.5, mec="white", mew=0.4)
        words = f"{np.mean(values):.1f}"
        if name == "observer":
            words = f"observer {words}"
        ax.text(np.mean(values), y - 0.3, words, ha="center", va="bottom", color=color, size=9.5)
    ax.set(ylim=(len(rows) - 0.6, -0.85), yticks=[])
    ax.set_title(title, fontsize=10, weight="normal", pad=6)
    ax.spines["left"].set_visible(False)


def methods(tissue, tuned, runs):
    """Picture ROC curves of one seed, errors of all, and the paper's own errors."""
    figure = plt.figure(figsize=(9, 4.9))
    grid = figure.add_gridspec(2, 3, height_ratios=(4, 1), width_ratios=(1.25, 1, 1))
    ax = figure.add_subplot(grid[0, 0])
    for name, (label, color) in NAMES.items():
        curve = roc(tuned[name][1], tissue.test.membrane)
        ax.plot(*curve, color=color, lw=2.4 if name == "cnn" else 1.5)
        y = 0.44 - 0.08 * list(NAMES).index(name)
        ax.text(0.98, y, label, color=color, ha="right", va="center", size=9.5, weight="bold")
    ax.set(xlim=(0, 1), ylim=(0, 1.01), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.set(xlabel="share of other pixels that are taken for it", ylabel="share of membrane found")
    ax.set_title("ROC curves", fontsize=10, weight="normal", pad=6)
    left, right = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[0, 2])
    dots(left, runs, "pixel_error", "pixel error, %")
    dots(right, runs, "rand_error", "Rand error, %")
    paper = figure.add_subplot(grid[1, :])
    for place, words in (
        (6.0, "paper's net 6.0"),
        (6.7, "second human 6.7"),
        (22.5, "simple threshold 22.5"),
    ):
        paper.axvline(place, **PAPER)
        side = "right" if place == 6.0 else "left"
        shift = -0.12 if place == 6.0 else 0.12
        paper.text(place + shift, 0.5, words, ha=side, va="center", size=9.5)
    paper.set(xlim=(3, 26), ylim=(0, 1), yticks=[])
    paper.spines["left"].set_visible(False)
    paper.set_xlabel("the paper's pixel errors on the real stack, %: another scale, not ours")
    best = [min(run[f"{name}.pixel_error"] for name in SIMPLE) for run in runs]
    ours = np.mean([run["cnn.pixel_error"] for run in runs])
    found = f"{np.mean(best):.0f} % wrong pixels, the net at {ours:.0f} %"
    title = f"Every simple method stops near {found}"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "methods.png")


# ---- 3: the window ----
SIDES = (9, 17, 33, 65)


def over_sides(ax, studies, column, label):
    """Draw an error against the side of the window: thin each seed, thick their mean."""
    found = [[study[f"window_{side}.{column}"] for side in SIDES] for study in studies]
    mean = np.mean(found, axis=0)
    ax.plot(SIDES, np.transpose(found), color=BLUE, alpha=0.4, lw=1)
    ax.plot(SIDES, mean, "o-", color=BLUE, lw=2.6, ms=7)
    where = {"textcoords": "offset points", "ha": "center", "color": BLUE, "weight": "bold"}
    for side, value in zip(SIDES, mean, strict=True):
        up = 11 if side in (SIDES[0], SIDES[-1]) else -20
        ax.annotate(f"{value:.1f}", (side, value), xytext=(0, up), **where)
    ax.set(xscale="log", xlim=(7.3, 80))
    ax.margins(y=0.17)
    ax.set_xticks(SIDES, [f"{side}" for side in SIDES])
    ax.minorticks_off()
    ax.set_xlabel("side of the window, pixels")
    ax.set_title(label, fontsize=10, weight="normal", pad=6)


def context(studies):
    """Picture both errors against the side of the window, and the pixel error of rivals."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 4), width_ratios=(1, 1, 1.1))
    over_sides(left, studies, "pixel_error", "pixel error, %")
    over_sides(middle, studies, "rand_error", "Rand error, %")
    rows = (
        ("perceptron", "perceptron", ORANGE),
        ("logistic", "logistic regression", GREEN),
        ("one_net", "one net (33 pixels)", BLUE),
        ("averaged_filtered", "four averaged, filtered", PINK),
        ("averaged", "four averaged", SKY),
    )
    for y, (name, label, color) in enumerate(rows):
        values = np.array([study[f"{name}.pixel_error"] for study in studies])
        spread = np.linspace(-0.1, 0.1, len(values)) if len(values) > 1 else np.zeros(1)
        right.plot(values, y + spread, "o", color=color, ms=6, mec="white", mew=0.5)
        how = {"color": color, "weight": "bold", "transform": right.get_yaxis_transform()}
        right.text(0.02, y - 0.2, f"{label}: {values.mean():.1f}", va="bottom", **how)
    right.set(ylim=(len(rows) - 0.6, -0.7), yticks=[])
    right.spines["left"].set_visible(False)
    right.set_title("pixel error of others, %", fontsize=10, weight="normal", pad=6)
    figure.suptitle(CONTEXT, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "context.png")


CONTEXT = "At equal cost a window of 17 pixels makes the fewest pixel errors"

config = Config(**QUICK) if flags.quick else Config()
tissue, net, windows, picks = prepare(config, flags.seed)
train(net, windows, picks, config, silent)
tuned = {"cnn": scores(net, tissue, config)}
for name, method in SIMPLE.items():
    score = method(tissue.train)
    tuned[name] = [score(stack.image) for stack in tissue[1:]]
segments(tissue, tuned, config)
methods(tissue, tuned, recorded("results.json", em_segmentation_isbi))
context(recorded("study.json", study_em_segmentation_isbi))
