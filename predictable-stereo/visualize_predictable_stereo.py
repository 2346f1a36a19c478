# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of predictable stereo: the task and a pair's answers; patterns that pairs need."""

import argparse
import json
from pathlib import Path

import predictable_stereo as stereo
from predictable_stereo import QUICK, Config, all_views, imax, learn_shift, predictable
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

SHIFT_COLORS = (BLUE, ORANGE)  # shifted to the right, to the left
config = Config(**(QUICK if flags.quick else {}))


def trained():
    """Train the three kinds that find the shift as run() does: {name: (nets, needed)}."""
    seeds = np.random.SeedSequence(flags.seed).spawn(4)
    kinds = {
        "separate": (2, lambda y: predictable(y, config.alpha), config.patterns, seeds[:2]),
        "shared": (1, lambda y: predictable(y, config.alpha), config.shared_patterns, seeds[2:]),
        "imax": (2, lambda y: imax(y, config.imax_floor), config.patterns, seeds[:2]),
    }
    return {name: learn_shift(config, *kind, lambda *_: None) for name, kind in kinds.items()}


def recorded(metric):
    """Return a metric of all recorded seeds, or that of a quick run if there are none."""
    path = Path(__file__).with_name("results.json")
    if path.exists() and not flags.quick:
        return [
            record["metrics"][metric] for record in json.loads(path.read_text("utf-8"))["records"]
        ]
    quick = stereo.flatten(stereo.run(Config(**QUICK), flags.seed, lambda *_: None))
    return [quick[metric]]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: the task, and what a trained pair makes of it ----
def draw_strip(ax, bits, top, ring=None):
    """Draw a strip as squares, white for +1; the square that holds pixel `ring` gets a red edge."""
    for k, bit in enumerate(bits):
        color = "white" if bit > 0 else "#444444"
        ax.add_patch(plt.Rectangle((k, top), 1, 0.8, fc=color, ec="#777777", lw=1))
    if ring is not None:
        ax.add_patch(plt.Rectangle((ring, top), 1, 0.8, fc="none", ec=RED, lw=3, zorder=3))


def draw_pair(ax, views):
    """Draw one stereo pair: two strips, each seen by both eyes, shifted to the right."""
    for net, (strip, base) in enumerate(((3, 3.1), (8, 0.0))):
        view = views[strip, 0]  # (2w,)
        draw_strip(ax, view[:4], base + 1.0, 1)
        draw_strip(ax, view[4:], base, 2)
        ax.text(-0.15, base + 1.4, "right eye", ha="right", va="center")
        ax.text(-0.15, base + 0.4, "left eye", ha="right", va="center")
        ax.annotate("", (5.0, base + 0.9), (4.1, base + 0.9), arrowprops={"arrowstyle": "->"})
        box = {"boxstyle": "round,pad=0.4", "fc": "#EEEEEE", "ec": "#777777"}
        ax.text(5.7, base + 0.9, f"net {net + 1}", ha="center", va="center", bbox=box)
    ax.annotate("", (5.7, 3.5), (5.7, 1.4), arrowprops={"arrowstyle": "<->", "color": RED, "lw": 2})
    ax.text(5.55, 2.45, "agree!", color=RED, weight="bold", ha="right", va="center")
    ax.text(0, -0.25, "each strip is shifted by one pixel,\nboth the same way (framed)", va="top")
    ax.set(xlim=(-1.9, 6.6), ylim=(-1.2, 5.1), aspect="equal")
    ax.axis("off")


def draw_weights(figure, nets, pair, place):
    """Draw the incoming weights of net 1's hidden units as strip pairs, the weightiest first."""
    own = nets.weights["to_hidden"][pair, 0]  # (2w, H)
    order = np.argsort(-np.abs(nets.weights["to_output"][pair, 0, :, 0]))  # (H,)
    left, bottom, width, height = place
    for k, unit in enumerate(order[:12]):
        x, y = left + width * (k % 4) / 4, bottom + height * (2 - k // 4) / 3
        ax = figure.add_axes((x, y, 0.88 * width / 4, 0.8 * height / 3))
        limit = np.abs(own[:, unit]).max()
        ax.imshow(
            own[:, unit].reshape(2, -1), cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto"
        )
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def draw_answers(ax, nets, pair, views):
    """Plot what both nets say to each view, by its shift."""
    every = views.reshape(-1, views.shape[-1])  # (2 strips, 2w)
    y = nets.forward(np.stack([every, every])[None])[pair, :, :, 0]  # (2, 2 strips)
    for net, shift in np.ndindex(2, 2):
        said = y[net, shift::2]  # (strips,)
        x = 1.2 * net + 0.5 * shift + np.linspace(-0.14, 0.14, len(said))
        ax.plot(x, said, "o", color=SHIFT_COLORS[shift], ms=6, alpha=0.8)
    ax.axhline(0.5, color=GREY, lw=1, zorder=0)
    words = ["shift\nright", "shift\nleft"]
    ax.set_xticks([0, 0.5, 1.2, 1.7], 2 * words)
    ax.set(ylim=(-0.08, 1.12), xlim=(-0.3, 2.0), yticks=(0, 0.5, 1))
    for x, net in ((0.25, 1), (1.45, 2)):
        ax.text(x, 1.08, f"net {net}", ha="center", va="center", weight="bold")


def picture_stereo(nets, needed):
    """Picture the task, and the pair of nets that took the median time."""
    views = all_views(config.width)
    pair = np.argsort(needed, kind="stable")[len(needed) // 2]
    figure = plt.figure(figsize=(9, 4.5), layout="none")
    title = "Two strips share nothing but their shift, so two nets that agree must tell it"
    figure.text(0.015, 0.945, title, fontsize=12.5, weight="bold", va="center")
    draw_pair(figure.add_axes((0.01, 0.03, 0.42, 0.84)), views)
    figure.text(0.455, 0.84, "hidden weights of net 1,\nright eye above left", va="center")
    draw_weights(figure, nets, pair, (0.455, 0.1, 0.23, 0.66))
    ax = figure.add_axes((0.755, 0.16, 0.235, 0.6))
    draw_answers(ax, nets, pair, views)
    figure.text(0.72, 0.84, "answers after learning,\none dot for each input", va="center")
    save(figure, "stereo.png")


# ---- 2: how many patterns it takes ----
def picture_patterns(needed):
    """Plot when each pair of one run had the shift, and the recorded medians."""
    figure, ax = plt.subplots(figsize=(8, 4.3))
    rows = (
        ("separate", "weights of\ntheir own", BLUE, "separate_share"),
        ("imax", "IMAX, weights\nof their own", RED, "imax_share"),
        ("shared", "shared\nweights", GREEN, "shared_share_50000"),
    )
    budget, late = config.patterns, 1.07 * config.patterns
    for k, (name, _, color, share) in enumerate(rows):
        y = 2 - k
        found = np.sort(needed[name][np.isfinite(needed[name])])
        spread = 0.22 * ((np.arange(len(found)) * 0.618) % 1 - 0.5)
        ax.plot(found, y - 0.16 + spread, "o", color=color, ms=5, alpha=0.75, mew=0)
        lost = len(needed[name]) - len(found)
        if lost:
            ax.plot(
                late + 0 * np.arange(lost),
                y - 0.16 + 0.05 * (np.arange(lost) - (lost - 1) / 2),
                "x",
                color=color,
                ms=6,
            )
        medians = [m for m in recorded(f"{name}.median_patterns") if m is not None]
        if medians:
            middle = np.mean(medians)
            ax.plot([middle, middle], [y - 0.32, y + 0.1], color=BLACK, lw=2.5)
            ax.text(middle, y + 0.17, f"median {middle:,.0f}", ha="center", va="bottom")
        ax.text(
            1.11 * budget,
            y - 0.16,
            f"{np.mean(recorded(share)):.1%}\nhave it",
            va="center",
            color=color,
            weight="bold",
        )
    low, high = 0.2 * budget, 0.5 * budget
    ax.fill_between([low, high], -0.42, 0.5, color="#DDDDDD", lw=0, zorder=0)
    ax.text(high + 0.01 * budget, -0.3, "paper: 20,000 to 50,000", va="center")
    ax.plot([budget, budget], [1.5, 2.45], **PAPER)
    ax.text(0.99 * budget, 1.47, "paper: all by 100,000", ha="right", va="top")
    ax.set_yticks([2, 1, 0], [words for _, words, *_ in rows])
    ax.set(
        xlim=(0, 1.25 * budget),
        ylim=(-0.45, 2.5),
        xlabel="patterns seen until both nets tell the shift",
    )
    ax.set_xticks(np.linspace(0, budget, 6))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_title("Sharing weights cuts learning to less than a third")
    save(figure, "patterns.png")


kinds = trained()
picture_stereo(*kinds["separate"])
picture_patterns({name: needed for name, (_, needed) in kinds.items()})
