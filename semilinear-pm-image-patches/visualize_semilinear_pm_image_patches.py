# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The figures: the filters with and without predictors, the switch over seeds, the images.

Edge and bar detectors are blue, centre-surround detectors orange, units that show the mean
luminance grey.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import semilinear_pm_image_patches
from semilinear_pm_image_patches import QUICK, SPACING, Config, detectors, dc_share, field_centres
from semilinear_pm_image_patches import field_points, filters, reach, start, train
import study_semilinear_pm_image_patches

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

(flags.out / "viz").mkdir(exist_ok=True)
DARK = "#555555"


def silent(fraction, message):
    """Show nothing."""


def save(figure, name):
    """Write a figure into viz/, and say so."""
    figure.savefig(flags.out / "viz" / name)
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded(name, module):
    """Return the metrics of the recorded seeds; of a quick run where there are none."""
    path = Path(__file__).with_name(name)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = module.Config(**module.QUICK)
    return [semilinear_pm_image_patches.flatten(module.run(quick, flags.seed, silent))]


# ---- 1: the filters ----
def as_disk(w, config):
    """Return the weights of a unit (I,) as an image of its receptive field, scaled to 1."""
    radius = int(config.field_diameter / 2 / SPACING)
    cells = np.rint(field_points(config) / SPACING).astype(int) + radius  # (I, 2)
    disk = np.full((2 * radius + 1, 2 * radius + 1), np.nan)
    disk[cells[:, 0], cells[:, 1]] = w / np.abs(w).max()
    return disk


def atlas(figure, net, words, config):
    """Draw all filters of the first net: a column for each field, a ring in the kind's colour."""
    w = filters(net)[0]  # (C, I)
    edge, centre = detectors(w, config)
    mean = dc_share(w) >= config.dc_threshold
    axes = figure.subplots(config.units, sum(config.rings))
    for unit, ax in enumerate(axes.T.flat):
        ax.imshow(as_disk(w[unit], config), cmap="gray", vmin=-1, vmax=1)
        kinds = ((edge, BLUE), (centre, ORANGE), (mean, GREY))
        color = next((color for kind, color in kinds if kind[unit]), "none")
        middle = (len(as_disk(w[unit], config)) - 1) / 2
        ring = plt.Circle((middle, middle), middle + 0.75, fc="none", ec=color, lw=2.2)
        ring.set_clip_on(False)
        ax.add_patch(ring)
        ax.axis("off")
    figure.suptitle(words, fontsize=10, x=0.02, ha="left")
    return edge.sum(), centre.sum(), mean.sum()


def picture_of_filters(nets, config):
    """Draw the filters of a net and of its twin side by side."""
    figure = plt.figure(figsize=(9, 3.4))
    top, bottom = figure.subfigures(2, 1, height_ratios=(6, 1))
    left, right = top.subfigures(1, 2, wspace=0.04)
    atlas(left, nets[0], "with predictors", config)
    atlas(right, nets[1], "the same start, predictors blind", config)
    words = (
        (0.02, "edge or bar detector", BLUE),
        (0.27, "centre-surround detector", ORANGE),
        (0.57, "mean luminance", GREY),
        (0.78, "a column is a field", DARK),
    )
    for x, word, color in words:
        bottom.text(x, 0.5, word, color=color, weight="bold", va="center")
    title = "Edges and centres: 32 filters after training; without predictors, one"
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    save(figure, "filters.png")


# ---- 2: the principle on and off ----
def dots(ax, columns, title):
    """Draw a dot a seed for each column (name, values, color), with its mean beside."""
    for x, (_, values, color) in enumerate(columns):
        jitter = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0]
        ax.plot(x + np.array(jitter), values, "o", color=color, ms=6, mec="white", mew=0.6)
        ax.text(x + 0.2, np.mean(values), f"{np.mean(values):.2f}", va="center")
    ax.set_xticks(range(len(columns)), [name for name, _, _ in columns])
    everything = [0.0, 1.0, *np.concatenate([values for _, values, _ in columns])]
    ax.set(xlim=(-0.4, len(columns) - 0.35))
    ax.set(ylim=(min(everything) - 0.04, max(everything) + 0.04))
    ax.set_title(title, fontsize=10, weight="normal", pad=6)


def picture_of_the_switch(runs, studies):
    """Draw detector share, fresh R2 and decoder error over the recorded seeds."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 4), width_ratios=(1, 1, 1.9))
    on, off = GREEN, RED
    share = {
        kind: [run[f"{kind}.edge"] + run[f"{kind}.centre"] for run in runs]
        for kind in ("pm", "twin")
    }
    columns = [("on", share["pm"], on), ("off", share["twin"], off)]
    dots(axes[0], columns, "share of detectors")
    columns = [("on", [run["pm.r2"] for run in runs], on)]
    columns.append(("off", [run["twin.r2"] for run in runs], off))
    dots(axes[1], columns, "R² of fresh predictors")
    kinds = (("on", "pm", on), ("off", "twin", off))
    kinds += (("untrained", "untrained", GREY), ("32 principal\ncomponents", "pca", BLACK))
    columns = [(name, [s[f"error.{key}"] for s in studies], color) for name, key, color in kinds]
    dots(axes[2], columns, "error of a decoder, share of the variance")
    axes[0].set_xlabel("predictors")
    axes[1].set_xlabel("predictors")
    figure.suptitle(SWITCH, x=0.01, ha="left", weight="bold")
    save(figure, "switch.png")


SWITCH = "Without predictors no unit is a detector, and the others tell what it says"


# ---- 3: the images ----
def outline(ax, centre, angle, config):
    """Draw the input area and its receptive fields on an image."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for field in field_centres(config) @ turn.T:
        place = (centre + field)[::-1]
        ax.add_patch(plt.Circle(place, config.field_diameter / 2, fc="none", ec=ORANGE, lw=1.8))
    whole = plt.Circle(centre[::-1], reach(config), fc="none", ec=ORANGE, lw=1.2, ls="--")
    ax.add_patch(whole)


def picture_of_images(image, runs, studies, config, seed):
    """Draw the three kinds of images, and which share of units become detectors on them."""
    rng = np.random.default_rng(seed)
    others = study_semilinear_pm_image_patches
    images = {
        "dead leaves": image,
        "their power spectrum, random phases": others.random_phases(rng, image[None])[0],
        "white noise": others.white_noise(rng, image[None])[0],
    }
    shares = (
        [run["detector_share"] for run in runs],
        [study["phases.detector"] for study in studies],
        [study["noise.detector"] for study in studies],
    )
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.75))
    for ax, (name, picture), share in zip(axes, images.items(), shares):
        levels = np.round(4 * picture) / 4  # keeps the file small
        ax.imshow(levels, cmap="gray", vmin=-2.2, vmax=2.2, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=10, weight="normal", pad=5)
        ax.set_xlabel(f"{np.mean(share):.0%} of the units are detectors", fontsize=10)
    middle = np.array([0.3, 0.25]) * config.image_size
    middle = np.clip(middle, reach(config), config.image_size - reach(config))
    outline(axes[0], middle, 0.4, config)
    figure.suptitle(IMAGES, x=0.01, ha="left", weight="bold")
    save(figure, "images.png")


IMAGES = "Detectors need the power spectrum of a picture, not its edges"

config = Config(**(QUICK if flags.quick else {}))
nets, (window, _), (rng, _) = start(config, flags.seed)
train(nets, window, rng, config.steps, config)
runs = recorded("results.json", semilinear_pm_image_patches)
studies = recorded("study.json", study_semilinear_pm_image_patches)
picture_of_filters(nets, config)
picture_of_the_switch(runs, studies)
picture_of_images(window.images[0], runs, studies, config, flags.seed)
