# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of the modern Hopfield memory: capacity, energy, error law."""

import argparse
import json
from pathlib import Path

import modern_hopfield_retrieval
import study_modern_hopfield_retrieval
from modern_hopfield_retrieval import QUICK, Config, energy, error_law, line, update
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

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

CONFIG = Config(**(QUICK if flags.quick else {}))
STATE, PATTERN = BLUE, ORANGE  # what asks and what is stored


# ---- what the pictures show ----
def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [modern_hopfield_retrieval.flatten(quick)]


def column(records, metric):
    """Return a metric of all seeds, (seeds,)."""
    return np.array([record[metric] for record in records])


def numbers_in(records, start, end=""):
    """Return the numbers that stand between start and end in names of metrics, sorted."""
    names = [name for name in records[0] if name.startswith(start) and name.endswith(end)]
    return sorted(float(name.removeprefix(start).removesuffix(end)) for name in names)


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: capacity ----
def draw_growth(ax, runs):
    """Plot N90 against the dimension, with what other memories hold."""
    d = np.array(numbers_in(runs, "n90.d")).astype(int)
    n90 = np.array([column(runs, f"n90.d{k}") for k in d])  # (dimensions, seeds)
    for k, row in zip(d, n90):
        ax.scatter(np.full(len(row), k), row, s=16, color=STATE, alpha=0.5, lw=0)
    ax.semilogy(d, np.median(n90, 1), color=STATE)
    ax.semilogy(d, d, color=GREY)
    ax.semilogy(d, 0.138 * d, **PAPER)
    binary = column(runs, "classical.n90")
    ax.scatter(np.full(len(binary), d[-1]), binary, s=16, color=RED, alpha=0.5, lw=0)
    growth = np.exp(line(d, np.log(np.median(n90, 1)))[0])
    words = f"one update of attention:\n×{growth:.1f} with each dimension"
    ax.text(d[-1] - 2.3, n90[-3].max() * 3, words, color=STATE, weight="bold", ha="right")
    ax.text(d[0], d[0] * 0.62, "N = d", color="#666666", va="top")
    ax.text(d[0], 0.138 * d[0] * 0.72, "0.138 d, the classical network", va="top")
    words = "classical network, measured"
    ax.text(d[-1] - 0.15, binary.mean(), words, color=RED, ha="right", va="center")
    ax.set(xlabel="dimension d", ylabel="N90, patterns", xticks=d, ylim=(0.15, 4e5))


def draw_per_number(ax, studies):
    """Plot patterns for each stored number at the dimensions of the study."""
    names = {
        "modern": ("attention", STATE),
        "classical": ("classical", RED),
        "inverse": ("best matrix", GREEN),
        "delta": ("delta rule", PINK),
    }
    d = [int(k) for k in numbers_in(studies, "d", ".modern_n90")]
    for k, (name, (label, color)) in enumerate(names.items()):
        values = np.array([column(studies, f"d{n}.{name}_per_number").mean() for n in d])
        place = np.arange(len(d)) + 0.2 * (k - 1.5)
        ax.bar(place, values, 0.18, color=color)
        turn = {"rotation": 90, "ha": "center", "va": "bottom", "color": color}
        ax.text(place[0], values[0] + 0.003, label, **turn)
        ax.text(place[1], values[1] + 0.003, label, **turn)
    ax.set_xticks(range(len(d)), [f"d = {n}" for n in d])
    ax.set(ylabel="N90 for each stored number", ylim=(0, ax.get_ylim()[1] * 1.45))


def capacity_picture(runs, studies):
    """Picture how much a memory holds."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.8), width_ratios=(1.5, 1))
    draw_growth(left, runs)
    draw_per_number(right, studies)
    left.set_title("Six times more patterns with each dimension")
    right.set_title("A small lead per number")
    save(figure, "capacity.png")


# ---- 2: energy ----
ANGLES = np.radians((np.arange(3)[:, None] * 120 + 90 + 18 * (np.arange(4) - 1.5)).ravel())
PLANE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)  # (12, 2) three clusters of four
SCENES = {0.8: "one bowl", 5.0: "three valleys", 200.0: "twelve pits"}


def path_of(state, beta, updates=60):
    """Return the way of a state, (U + 1, 2)."""
    way = [state[None]]
    for _ in range(updates):
        way.append(update(way[-1], PLANE, beta))
    return np.concatenate(way)


def draw_landscape(ax, beta, words):
    """Map the energy, and draw where states go."""
    axis = np.linspace(-1.35, 1.35, 181)
    grid = np.stack(np.meshgrid(axis, axis), 2).reshape(-1, 2)
    height = energy(grid, PLANE, beta).reshape(181, 181)
    height -= height.min()
    norm = PowerNorm(0.45, 0, height.max())
    extent = (-1.35, 1.35, -1.35, 1.35)
    ax.imshow(height, cmap="gray", norm=norm, extent=extent, origin="lower")
    levels = height.max() * np.linspace(0.02, 1, 14) ** 2
    ax.contour(axis, axis, height, levels, colors="white", linewidths=0.5, alpha=0.5)
    turn = ANGLES + np.radians(5)
    for start in 1.28 * np.stack([np.cos(turn), np.sin(turn)], 1):
        way = path_of(start, beta)
        ax.plot(*way.T, color=SKY, lw=1.3)
        ax.annotate("", way[1], way[0], arrowprops={"arrowstyle": "->", "color": SKY, "lw": 1.3})
        ax.plot(*way[-1], "o", color=SKY, ms=5.5)
    ax.scatter(*PLANE.T, s=16, color=PATTERN, zorder=3, lw=0)
    ax.set(xticks=[], yticks=[], xlabel=f"β = {beta:g}: {words}")


def draw_counts(ax, runs):
    """Plot the number of fixed points against beta, with the range over the seeds."""
    x = 10 ** np.array(runs[0]["curve.x"])
    y = np.array([record["curve.y"] for record in runs])  # (seeds, betas)
    ax.fill_between(x, y.min(0), y.max(0), color=STATE, alpha=0.25, lw=0)
    ax.loglog(x, np.median(y, 0), "o-", color=STATE, ms=4)
    names = ("all patterns:\none mean", "clusters:\ntheir means", "single patterns")
    for place, level, name in zip((0.0011, 0.05, 5), (1, 5, y.max()), names):
        ax.text(
            place,
            level * (1.35 if level < 50 else 0.72),
            name,
            va="bottom" if level < 50 else "top",
        )
    ax.set(xlabel="β, in 16 dimensions", ylabel="fixed points", yticks=[1, 5, 20, 100])
    ax.set_yticks([1, 5, 20, 100], ["1", "5", "20", "100"])
    ax.minorticks_off()


def energy_picture(runs):
    """Picture the three kinds of minima."""
    figure = plt.figure(figsize=(9, 6))
    title = "One bowl, three valleys, twelve pits: β decides what is a memory"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    top, bottom = figure.add_gridspec(2, 1, height_ratios=(1.5, 1))
    row = top.subgridspec(1, 3)
    for k, (beta, words) in enumerate(SCENES.items()):
        draw_landscape(figure.add_subplot(row[k]), beta, words)
    draw_counts(figure.add_subplot(bottom), runs)
    save(figure, "energy.png")


# ---- 3: the error of one update, and of ten ----
def draw_law(ax, runs):
    """Plot the error against the separation, for all patterns of one run."""
    stream = np.random.SeedSequence(flags.seed).spawn(5)[2]
    x, y = error_law(CONFIG, np.random.default_rng(stream))
    ax.semilogy(x, np.exp(y), ".", ms=3, color=STATE, alpha=0.3, mew=0, rasterized=True)
    ends = np.array([x.min(), x.max()])
    slope, intercept = np.polyfit(x, y, 1)
    ax.semilogy(ends, np.exp(slope * ends + intercept), color=ORANGE)
    length = np.sqrt(CONFIG.law_dimension - 1)
    ax.semilogy(ends, 2 * (CONFIG.law_patterns - 1) * length * np.exp(-ends), **PAPER)
    middle = ends.mean()
    bound = 2 * (CONFIG.law_patterns - 1) * length * np.exp(-middle)
    ax.text(middle + 2, bound * 3, "the paper's bound,\nslope −1")
    words = f"measured, slope −{-column(runs, 'error_slope').mean():.2f}"
    ax.text(x.min(), np.exp(y.min()) * 3, words, color=STATE, weight="bold")
    ax.set(xlabel="β Δ, separation from the nearest pattern", ylabel="error of one update")


def draw_trade_off(ax, studies):
    """Plot N90 against the noise after one update and after ten."""
    names = [name for name in studies[0] if name.startswith("beta") and name.endswith(".one")]
    cases = sorted(tuple(map(float, name[4:-4].split("_noise"))) for name in names)
    for beta, color in zip(sorted({beta for beta, _ in cases}), (SKY, BLUE, BLACK)):
        noises = [noise for b, noise in cases if b == beta]
        one, ten = (
            [np.median(column(studies, f"beta{beta:g}_noise{n:g}.{k}")) for n in noises]
            for k in ("one", "ten")
        )
        ax.semilogy(noises, one, "o-", color=color, ms=5)
        ax.semilogy(noises, ten, "o:", color=color, ms=5, mfc="white")
        ax.text(noises[0] - 0.015, one[0], f"β = {beta:g}", color=color, ha="right", va="center")
    ax.text(
        0.97,
        0.97,
        "filled: one update\nopen: ten updates",
        transform=ax.transAxes,
        ha="right",
        va="top",
    )
    ax.set(xlabel="distance of the query, lengths of a pattern", ylabel="N90 in 8 dimensions")
    ax.set_xlim(-0.03, 0.53)


def law_picture(runs, studies):
    """Picture what one update leaves, and when more of them help."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4))
    draw_law(left, runs)
    draw_trade_off(right, studies)
    left.set_title("The error falls as exp(−β Δ)")
    right.set_title("Near a pattern one update is best")
    save(figure, "error_law.png")


runs = recorded("results.json", modern_hopfield_retrieval)
studies = recorded("study.json", study_modern_hopfield_retrieval)
capacity_picture(runs, studies)
energy_picture(runs)
law_picture(runs, studies)
