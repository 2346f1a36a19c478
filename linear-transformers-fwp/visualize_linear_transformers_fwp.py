# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of linear attention as fast weights: capacity, changing values."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import linear_transformers_fwp
import study_linear_transformers_fwp
from linear_transformers_fwp import LOG_SIZES, LOGS, MEMORIES, Config, Sequences, changing, train
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

CURVES = {  # label, color, number of features, label's place (keys, error)
    "elu": ("ELU+1", RED, 64, (200, 0.595)),
    "dpfp1": ("DPFP-1", ORANGE, 128, (320, 0.535)),
    "dpfp2": ("DPFP-2", BLUE, 256, (372, 0.255)),
    "dpfp3": ("DPFP-3", GREEN, 384, (500, 0.23)),
    "softmax": ("softmax", BLACK, None, (487, 0.035)),
}
LOGS_2 = {  # the authors' errors in setting 2 at 20, 60, 100 and 200 keys, DPFP-1
    "sum": (0.195, 0.205, 0.223, 0.462),
    "delta": (0.002, 0.010, 0.000, 0.342),
}
RULES = {
    "sum": ("sum, DPFP-1", RED),
    "softmax_changing": ("softmax", BLACK),
    "delta": ("delta, DPFP-1", BLUE),
    "delta_dpfp2": ("delta, DPFP-2", GREEN),
}
OPEN = {"mfc": "white", "markersize": 6.5, "mew": 1.3, "linestyle": "none", "zorder": 3}


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded():
    """Return the metrics of each recorded study, or of a quick one if there are none."""
    path = Path(__file__).resolve().with_name("study.json")
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = study_linear_transformers_fwp
    table = quick.run(quick.Config(**quick.QUICK), flags.seed, lambda *_: None)
    return [linear_transformers_fwp.flatten(table)]


def over_seeds(ax, studies, row, color, **style):
    """Draw the median error over the seeds with the range as a band; returns where it ends."""
    keys = studies[0][f"{row}.keys"]
    low, middle, high = np.quantile([s[f"{row}.error"] for s in studies], (0, 0.5, 1), axis=0)
    ax.fill_between(keys, low, high, color=color, alpha=0.25, lw=0)
    ax.plot(keys, middle, color=color, lw=2, **style)
    return keys[-1], middle[-1]


# ---- 1: capacity ----
def capacity(studies):
    """Picture the errors of setting 1 beside those in the authors' logs."""
    figure, ax = plt.subplots(figsize=(9, 5))
    for row, (label, color, features, place) in CURVES.items():
        over_seeds(ax, studies, row, color)
        ax.text(*place, label, color=color, weight="bold", fontsize=11)
        if row in LOGS:
            ax.plot(LOG_SIZES, LOGS[row], "o", mec=color, **OPEN)
            ax.plot([features, features], [1.0, 1.03], color=color, lw=3, solid_capstyle="butt")
            ax.text(features, 1.04, features, color=color, ha="center", va="bottom")
    ax.text(420, 1.04, "number of features", color="#555555", va="bottom")
    x, y = over_seeds(ax, studies, "favor_redrawn", PINK)
    ax.text(x + 8, y, "FAVOR+, redrawn", color=PINK, weight="bold", fontsize=11, va="center")
    ax.set(xlabel="unique keys, each written once", ylabel="squared error (1: no memory)")
    ax.set(xlim=(30, 610), ylim=(-0.02, 1.09), xticks=LOG_SIZES, yticks=np.arange(0, 1.01, 0.2))
    ax.set_title("Forty points on the authors' own curves (circles)")
    save(figure, "capacity.png")


# ---- 2: changing values ----
def told_and_stored(rule, config):
    """Train a memory, tell key 0 five values among other keys; what it answers after each pair.

    Returns the shares (T, 5) of the five values in the answer, and when they were told (5,).
    """
    size, writes = 20, 5
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(flags.seed).spawn(4)]
    memory = MEMORIES[rule](config, None)
    weights, _ = train(memory, changing, size, config, streams[:3], lambda *_: None)
    others = [streams[3].permutation(np.arange(1, size))[:7] for _ in range(writes)]
    keys = np.concatenate([np.concatenate([[0], some]) for some in others])  # (T,)
    values = streams[3].integers(writes, size, len(keys))  # (T,)
    values[keys == 0] = np.arange(writes)
    shares = []
    for t in range(1, len(keys) + 1):
        data = Sequences(keys[None, :t], values[None, :t], np.array([0]), np.array([0]))
        shares.append(memory.forward(weights, data)[0, 0, :writes])
    return np.array(shares), np.flatnonzero(keys == 0)


def draw_story(ax, rule, words, config):
    """Stack what a memory answers for one key, pair by pair."""
    shares, told = told_and_stored(rule, config)
    colors = (ORANGE, SKY, GREEN, PINK, BLUE)
    time = np.arange(1, len(shares) + 1)
    ax.stackplot(time, np.maximum(shares.T, 0), colors=colors, step="mid", alpha=0.85)
    for name, color, when in zip("ABCDE", colors, told, strict=True):
        ax.axvline(when + 0.5, color=color, lw=1, ls=":")
        ax.text(when + 1, 1.06, f"told {name}", color=color, weight="bold", fontsize=9.5)
    ax.set(ylim=(0, 1.25), xlim=(0.4, len(shares) + 1.5), yticks=[0, 0.5, 1], ylabel="its answer")
    ax.set_title(words, weight="normal", fontsize=11)


def changing_values(studies, config):
    """Picture the errors of setting 2, and one key's life in two memories."""
    figure, axes = plt.subplot_mosaic([["errors", "sum"], ["errors", "delta"]], figsize=(9, 4.9))
    ax = axes["errors"]
    highest = 0.5
    for row, (label, color) in RULES.items():
        x, y = over_seeds(ax, studies, row, color)
        highest = max(highest, y)
        ax.text(x + 4, y, label, color=color, weight="bold", va="center")
        if row in LOGS_2:
            ax.plot((20, 60, 100, 200), LOGS_2[row], "o", mec=color, **OPEN)
    ax.set(xlim=(10, 290), ylim=(-0.02, 1.04 * highest), xticks=(20, 60, 100, 200))
    ax.set(xlabel="keys", ylabel="squared error; circles: the authors' logs")
    draw_story(axes["sum"], "sum", "sum: one key is told A, then B, C, D, E", config)
    draw_story(axes["delta"], "delta", "delta rule: the same key", config)
    axes["delta"].set_xlabel("pairs written, most of them of other keys")
    figure.suptitle(
        "The delta rule overwrites, the sum blurs", x=0.01, ha="left", weight="bold", fontsize=12
    )
    save(figure, "changing.png")


found = recorded()
capacity(found)
short = {"steps": 20} if flags.quick else {"steps": 300}
changing_values(found, replace(Config(), d_key=16, learning_rates=(0.02,), **short))
