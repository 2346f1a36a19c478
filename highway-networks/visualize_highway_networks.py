# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of highway networks: learning at three depths, where the work is done, the trap."""

import argparse
import json
from pathlib import Path

import highway_networks
import study_highway_networks
from highway_networks import Highway, draw_settings, mnist, search, shuffled
from study_highway_networks import NEEDED, best_settings, gates
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

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

HIGHWAY, PLAIN = ("highway", BLUE), ("plain", RED)
CHANCE = np.log(10)  # nats
LATE, ALL = "lesion.without_all_late", "lesion.without_all"


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded(file, program):
    """Return the settings and each recorded seed's metrics, or a quick run's if there are none."""
    path = Path(__file__).resolve().with_name(file)
    if path.exists() and not flags.quick:
        records = json.loads(path.read_text("utf-8"))["records"]
        return program.Config(), [record["metrics"] for record in records]
    config = program.Config(**program.QUICK)
    table = program.run(config, flags.seed, lambda *_: None)
    return config, [highway_networks.flatten(table)]


def spread_out(heights, gap):
    """Move heights (labels,) apart until neighbours differ by `gap`."""
    order = np.argsort(heights)
    places = np.array(heights, float)[order]
    for _ in range(200):
        lack = np.maximum(gap - np.diff(places), 0)  # (labels - 1,)
        places[:-1] -= lack / 2
        places[1:] += lack / 2
    back = np.empty(len(places))
    back[order] = places
    return back


def label_ends(ax, ends, labels, gap):
    """Write (text, color) at the ends (labels,) of lines on a log axis; `gap` is a share of it."""
    low, high = np.log(ax.get_ylim())
    heights = spread_out((np.log(ends) - low) / (high - low), gap)
    for (text, color), height in zip(labels, heights, strict=True):
        ax.annotate(
            text,
            (1, height),
            (6, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=color,
            va="center",
            weight="bold",
        )


def plain_ticks(axis, ticks):
    """Mark a log axis with plain numbers."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


# ---- 1: learning at three depths, and for ten times as long ----
def panel(ax, studies, names, losses, epochs, title):
    """Draw the best highway and the best plain net while they learn."""
    labels = []
    ends = []
    for (kind, color), name, loss in zip((HIGHWAY, PLAIN), names, losses, strict=True):
        lines = np.array([study[name] for study in studies])  # (seeds, points)
        x = epochs * np.arange(1, lines.shape[1] + 1) / lines.shape[1]
        ax.fill_between(x, lines.min(0), lines.max(0), color=color, alpha=0.18, lw=0)
        ax.plot(x, np.median(lines, 0), color=color, lw=2.4)
        ends.append(np.median(lines[:, -1]))
        labels.append((f"{kind}\n{middle(studies, loss):.2g}", color))
    ax.axhline(CHANCE, color=GREY, lw=1, ls=":", zorder=0)
    label_ends(ax, ends, labels, 0.15)
    ax.set(xlim=(0, epochs), xlabel="epochs", xticks=np.linspace(0, epochs, 5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_title(title, fontsize=11)


def middle(studies, metric):
    """Return a metric's median over the seeds; a seed where it did not happen is left out."""
    values = [study[metric] for study in studies if study[metric] is not None]
    return np.median(values) if values else np.nan


def depth(config, studies):
    """Picture the training loss of the best nets of the searches."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4))
    lowest = min(min(study["highway_deep.curve"]) for study in studies)
    layers = config.shallow_depth, config.deep_depth, config.very_deep_depth
    for ax, name, count in zip(axes.flat, ("shallow", "deep", "very_deep"), layers):
        ax.set(yscale="log", ylim=(0.7 * lowest, 3.4))
        plain_ticks(ax.yaxis, (0.2, 0.5, 1, 2))
        names = [f"{kind}_{name}" for kind, _ in (HIGHWAY, PLAIN)]
        curves, losses = [[f"{n}.{what}" for n in names] for what in ("curve", "loss")]
        panel(ax, studies, curves, losses, config.epochs, f"{count} layers")
    ax = axes[1, 1]
    lowest = min(min(study["long_deep.highway_curve"]) for study in studies)
    ax.set(yscale="log", ylim=(0.6 * lowest, 4))
    plain_ticks(ax.yaxis, (0.001, 0.01, 0.1, 1))
    names = "long_deep.highway", "long_deep.plain"
    curves = [f"{name}_curve" for name in names]
    title = f"{layers[1]} layers, ten times as long" if not flags.quick else "longer"
    panel(ax, studies, curves, names, config.long_epochs, title)
    axes[0, 0].text(
        0.98,
        CHANCE * 1.04,
        "chance",
        color="#666666",
        ha="right",
        va="bottom",
        transform=axes[0, 0].get_yaxis_transform(),
    )
    for ax in axes[:, 0]:
        ax.set_ylabel("training loss, nats")
    title = "Highway nets lose little with depth; plain nets fall behind"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "depth.png")


# ---- 2: where the work is done ----
def learned(config):
    """Train the study's highway net of this seed that learns longest."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(flags.seed).spawn(19)]
    part = mnist("train", config.train_images)
    settings = draw_settings(config, streams[0])
    order = shuffled(streams[1], config.epochs, config.train_images)
    cell = Highway, config.deep_depth, config.highway_width
    found = search(*cell, settings, part, order, streams[4], config, lambda *_: None)
    order = shuffled(streams[12], config.long_epochs, config.train_images)
    best = best_settings(found)
    return search(*cell, best, part, order, streams[15], config, lambda *_: None).nets


SHOWN = 15  # units of a layer


def work(config, studies):
    """Picture how far each gate of a trained net opens, and what each layer is worth."""
    nets = learned(config)
    opened = gates(nets, mnist("t10k", 2000)).mean(1)  # (L, n)
    opened = np.sort(opened, axis=1)[:, : -SHOWN - 1 : -1].T  # (SHOWN, L)
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 6), sharex=True)
    last = config.deep_depth
    image = top.imshow(
        opened,
        aspect="auto",
        cmap="Blues",
        vmin=0,
        extent=(1.5, last + 0.5, len(opened) + 0.5, 0.5),
        interpolation="nearest",
    )
    bar = figure.colorbar(image, ax=top, pad=0.01, aspect=14)
    bar.set_label("mean of the gate T")
    bar.outline.set_visible(False)
    top.set_yticks((1, SHOWN))
    top.set_ylabel(f"the {SHOWN} most open\nunits of a layer")
    words = f"mean gate, median of the seeds: {100 * middle(studies, 'gates.mean'):.1f} %"
    top.set_title(f"How far the gates of one net open ({words})")
    rises = np.array([study["lesion.rises"] for study in studies])  # (seeds, L)
    layers = np.arange(2, last + 1)
    bottom.axvspan(NEEDED + 0.5, last + 0.5, color=GREY, alpha=0.14, lw=0)
    bottom.bar(layers, np.median(rises, 0), color=BLUE, width=0.7)
    for rise in rises:
        bottom.plot(layers, rise, ".", color=BLACK, markersize=4, alpha=0.6)
    bottom.axhline(0, color=BLACK, lw=0.8)
    bottom.set(xlabel="layer", xlim=(1.3, last + 0.7))
    bottom.set_ylabel("rise of the\ntest error, points")
    bottom.set_title("What a net loses without one layer")
    words = (
        f"without all of layers {NEEDED + 1} to {last}: {middle(studies, LATE):+.1f} points\n"
        f"without all of layers 2 to {last}: {middle(studies, ALL):+.1f} points"
    )
    how = {"ha": "right", "va": "top", "linespacing": 1.4, "color": BLUE, "weight": "bold"}
    bottom.text(0.985, 0.95, words, transform=bottom.transAxes, **how)
    for ax in (top, bottom):
        ax.title.set_fontsize(11)
    title = "Hardly a layer is missed when it goes alone"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "work.png")


# ---- 3: the trap ----
STARTS = {
    "residual": ("residual", ORANGE),
    "plain": ("plain", RED),
    "highway_minus_4": ("highway,\n$b_T$ = −4", BLUE),
    "highway_minus_1": ("highway,\n$b_T$ = −1", SKY),
    "small_start": ("plain,\nsmall start", GREY),
}
RIVALS = {
    "highway_deep": ("highway", BLUE),
    "fixed_gate": ("fixed gate", GREEN),
    "residual": ("residual", ORANGE),
    "half_open": ("highway,\n$b_T$ = 0", SKY),
    "plain_deep": ("plain", RED),
    "small_start": ("plain,\nsmall start", GREY),
}


def trap(config, studies):
    """Picture how much of a signal each start lets through, and what each net's search reaches."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), width_ratios=(1, 1.05))
    layers = np.arange(1, config.deep_depth + 1)
    left.set(yscale="log", xlim=(1, layers[-1]), xlabel="layer")
    ends = []
    for name, (_, color) in STARTS.items():
        lines = np.array([study[f"birth.{name}"] for study in studies])  # (seeds, layers)
        left.plot(layers, np.median(lines, 0), color=color, lw=2.2)
        ends.append(np.median(lines[:, -1]))
    label_ends(left, ends, STARTS.values(), 0.105)
    left.set_ylabel("deviation of a unit over images, at birth")
    left.set_title("What is left of the signal", fontsize=11)
    losses = [[study[f"{name}.loss"] for study in studies] for name in RIVALS]
    for n, (some, (_, color)) in enumerate(zip(losses, RIVALS.values(), strict=True)):
        some = [loss for loss in some if loss is not None]
        right.plot(some, [n] * len(some), "o", color=color, alpha=0.7, markersize=7)
    right.axvline(CHANCE, color=GREY, ls=":", lw=1, zorder=0)
    right.set_yticks(range(len(RIVALS)), [label for label, _ in RIVALS.values()])
    right.set(ylim=(len(RIVALS) - 0.5, -0.5), xscale="log", xlim=(0.17, 3.2))
    plain_ticks(right.xaxis, (0.2, 0.5, 1, 2))
    right.set_xlabel("training loss of the best net of a search, nats")
    right.set_title(f"What {config.deep_depth} layers come to", fontsize=11)
    title = "A start that shrinks the signal is dead; a path past each layer helps most"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "trap.png")


config, studies = recorded("study.json", study_highway_networks)
depth(config, studies)
work(config, studies)
trap(config, studies)
