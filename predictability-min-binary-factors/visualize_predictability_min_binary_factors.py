# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of predictability minimisation: the shares of the paper's rows, and single codes."""

import argparse
import json
from pathlib import Path

import predictability_min_binary_factors as paper
import study_predictability_min_binary_factors as study
from predictability_min_binary_factors import QUICK, ROWS, Config, judge, run, train
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

FACTS = {  # what the picture calls a row, how many of ten the paper saw, and the interval of that
    "uniform_1": ("4 patterns, 2 units", 8, (0.44, 0.97)),
    "uniform_2": ("4 patterns one by one, 2 units", 10, study.INTERVALS["uniform_2"]),
    "uniform_3": ("16 patterns, 4 units", 1, study.INTERVALS["uniform_3"]),
    "uniform_4": ("16 patterns one by one, 4 units", 9, (0.55, 1.0)),
    "occam_1": ("4 patterns, 3 units", 7, (0.35, 0.93)),
    "occam_2": ("4 patterns, 4 units", 5, study.INTERVALS["occam_2"]),
    "occam_3": ("4 patterns one by one, 4 units", 10, study.INTERVALS["occam_3"]),
    "non_uniform_1": ("4 unequal patterns, 2 units", 7, (0.35, 0.93)),
    "non_uniform_2": ("4 unequal patterns, 3 units", 9, study.INTERVALS["non_uniform_2"]),
}
NUMBERS = "no one two three four five six seven eight nine".split()


# ---- the shares ----
def recorded(file):
    """Return the metrics of each recorded seed, or nothing."""
    path = Path(__file__).with_name(file)
    records = json.loads(path.read_text("utf-8")).get("records", []) if path.exists() else []
    return [record["metrics"] for record in records if "metrics" in record]


def shares(config):
    """Return {row: (share in each seed, share of the twins in each seed)}, as far as known."""
    runs = recorded("results.json")
    if not runs or flags.quick:
        runs = [paper.flatten(run(config, flags.seed, lambda *_: None))]
    found = {name: ([m[name] for m in runs], [m[f"twin.{name}"] for m in runs]) for name in ROWS}
    for name in study.OTHERS:
        many = recorded("study.json")
        if many:
            columns = (f"{name}.factorial", f"{name}.twin")
            found[name] = tuple([metrics[column] for metrics in many] for column in columns)
    return {name: found[name] for name in FACTS if name in found}


def draw_rows(known, path):
    """Draw each row's share beside the paper's, its interval, and the twins' share."""
    fig, ax = plt.subplots(figsize=(8.6, 5.2))
    inside = 0
    for y, (name, (nets, twins)) in enumerate(known.items()):
        _, of_ten, (low, high) = FACTS[name]
        ax.barh(y, high - low, 0.62, low, color="#E3E3E3")
        ax.plot([of_ten / 10] * 2, [y - 0.31, y + 0.31], **PAPER)
        holds = low <= np.mean(nets) <= high
        inside += holds
        spread = np.linspace(-0.2, 0.2, len(nets)) if len(nets) > 1 else np.zeros(1)
        ax.plot(nets, y + spread, "o", color=BLUE if holds else RED, ms=6, alpha=0.85, mew=0)
        spread = np.linspace(-0.24, 0.24, len(twins)) if len(twins) > 1 else np.zeros(1)
        ax.plot(twins, y + spread, "o", color=ORANGE, ms=5, mfc="white", mew=1.2, clip_on=False)
    names = [
        f"{name.replace('non_', 'non-').replace('_', ' ')}\n{FACTS[name][0]}" for name in known
    ]
    ax.set_yticks(range(len(known)), [name[0].upper() + name[1:] for name in names], fontsize=9)
    ax.set(xlim=(-0.01, 1.02), ylim=(len(known) - 0.5, -0.5), xticks=np.linspace(0, 1, 6))
    ax.set_xlabel("share of the nets that found a factorial code; a dot is a seed")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    words = f"{NUMBERS[inside]} of {NUMBERS[len(known)]} rows lie in the paper's intervals"
    fig.suptitle(words[0].upper() + words[1:], x=0.01, ha="left", fontsize=13, weight="bold")
    add_key(fig, ax)
    fig.savefig(path / "rows.png")
    plt.close(fig)


def add_key(fig, ax):
    """Explain the marks above the axes."""
    marks = [
        ax.plot([], [], "o", color=BLUE, ms=6, mew=0, label="ours, inside")[0],
        ax.plot([], [], "o", color=RED, ms=6, mew=0, label="ours, outside")[0],
        ax.plot([], [], "o", color=ORANGE, ms=5, mfc="white", label="blind predictors")[0],
        ax.plot([], [], **PAPER, label="paper")[0],
        ax.barh(0, 0, color="#E3E3E3", label="its 95 % interval"),
    ]
    ax.legend(handles=marks, ncols=5, loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=9.5)


# ---- the codes ----
def codes_of(name, config):
    """Train a row of run() again: codes (P, D, N), which are factorial, which invertible (N,)."""
    stream = np.random.SeedSequence(flags.seed).spawn(len(ROWS))[list(ROWS).index(name)]
    row = ROWS[name]
    _, y = train(row, config, stream, lambda *_: None).encode(row.patterns[:, :, None])
    return y, *judge(y, row.chances, config)


def first(good, otherwise=0):
    """Return the first net of which that is true."""
    return int(good.argmax()) if good.any() else otherwise


def draw_code(ax, y, chances, title):
    """Draw units against patterns, as wide as they are frequent and sorted by their code word."""
    order = np.lexsort((y > 0.5).T)  # (P,)
    edges = np.concatenate([[0], chances[order].cumsum()])  # (P + 1,)
    ax.pcolormesh(edges, np.arange(y.shape[1] + 1), y[order].T, cmap="Greys", vmin=0, vmax=1)
    for edge in edges:
        ax.axvline(edge, color=SKY, lw=0.8)
    for unit in range(y.shape[1] + 1):
        ax.axhline(unit, color=SKY, lw=0.8)
    ax.set(xlim=(0, 1), ylim=(y.shape[1], 0), xticks=[])
    ax.set_yticks(np.arange(y.shape[1]) + 0.5, [f"$y_{k + 1}$" for k in range(y.shape[1])])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10, weight="normal", pad=5)


def words_in(y):
    """Return how many different words a code (P, D) has."""
    return len(np.unique(y > 0.5, axis=0))


def draw_codes(config, path):
    """Draw a factorial code of each of three rows, and below it one that is not."""
    fig, axes = plt.subplots(2, 3, figsize=(8.8, 4.3))
    nets = config.nets
    for (above, below), name in zip(axes.T, ("uniform_4", "occam_1", "non_uniform_1")):
        y, factorial, invertible = codes_of(name, config)
        chances = ROWS[name].chances
        good = first(factorial[:nets])
        if name == "uniform_4":
            bad = good + nets
            titles = (
                "16 patterns, 16 words: each\nunit halves them",
                "the same net, with\nblind predictors",
            )
        elif name == "occam_1":
            bad = first(invertible[:nets] & ~factorial[:nets])
            titles = (
                "Occam: one of three units\nis constant",
                "all words differ, but the\nthird unit is not silent",
            )
        else:
            bad = first(~invertible[:nets])
            titles = (
                "unequal patterns: the units\nare independent",
                "a failure: patterns\nshare a word",
            )
        for ax, net, title in ((above, good, titles[0]), (below, bad, titles[1])):
            many = words_in(y[..., net])
            draw_code(ax, y[..., net], chances, title)
            ax.set_xlabel(f"{many} words for {len(chances)} patterns")
    words = "Units of a factorial code (above) tell nothing about each other"
    fig.suptitle(words, x=0.01, ha="left", fontsize=13, weight="bold")
    fig.savefig(path / "codes.png")
    plt.close(fig)


config = Config(**(QUICK if flags.quick else {}))
pictures = flags.out / "viz"
pictures.mkdir(exist_ok=True)
draw_rows(shares(config), pictures)
draw_codes(config, pictures)
