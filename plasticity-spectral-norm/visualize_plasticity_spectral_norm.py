# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of plasticity: accuracy over the tasks, alive against useful, and the ranking."""

import argparse
import json
from pathlib import Path

import plasticity_spectral_norm
import study_plasticity_spectral_norm
from study_plasticity_spectral_norm import SOURCE
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

NAMES = {  # of the nets, and their colours
    "relu": ("ReLU", RED),
    "sn": ("spectral norm", BLUE),
    "rmsnorm": ("RMSNorm", GREEN),
    "layernorm": ("LayerNorm", ORANGE),
    "redo": ("ReDo", PINK),
    "leaky": ("leaky ReLU", GREY),
    "mish": ("Mish", "#8C6D46"),
    "sn_gain": ("spectral norm, gain", SKY),
}


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
    return config, [plasticity_spectral_norm.flatten(table)]


def column(records, name):
    """Return a metric of all records, (seeds, ...)."""
    return np.array([record[name] for record in records], float)


def spread(heights, gap):
    """Move labels apart so that neighbours are at least `gap` from each other."""
    order = np.argsort(heights)
    placed = np.array(heights, float)[order]
    for _ in range(200):
        for n in range(1, len(placed)):
            lack = gap - (placed[n] - placed[n - 1])
            if lack > 0:
                placed[n - 1] -= lack / 2
                placed[n] += lack / 2
    result = np.empty(len(placed))
    result[order] = placed
    return result


# ---- 1: part A over the tasks ----
def memorising(records, runs):
    """Picture the accuracy after each task."""
    figure, ax = plt.subplots(figsize=(9, 5.2))
    curves = {name: 100 * column(records, f"a_{name}.accuracy") for name in NAMES}  # (seeds, tasks)
    tasks = np.arange(1, curves["relu"].shape[1] + 1)
    fresh = 100 * column(runs, "a_fresh.last").mean()
    ax.plot((1, tasks[-1]), (fresh, fresh), color=BLACK, lw=1.2, ls=(0, (1, 1.5)))
    ends = {}
    for name, (_, color) in NAMES.items():
        main = name in ("relu", "sn")
        middle = np.median(curves[name], 0)
        if main:
            low, high = curves[name].min(0), curves[name].max(0)
            ax.fill_between(tasks, low, high, color=color, alpha=0.25, lw=0)
        ax.plot(tasks, middle, color=color, lw=3.2 if main else 1.3, zorder=4 if main else 2)
        ends[name] = middle[-3:].mean()
    wanted = [*ends.values(), fresh]
    heights = spread(wanted, 3.9)
    labels = [*NAMES.values(), ("afresh on each task", BLACK)]
    bold = [name in ("relu", "sn") for name in NAMES] + [False]
    for (label, color), height, heavy in zip(labels, heights, bold, strict=True):
        weight = "bold" if heavy else "normal"
        ax.text(1.01 * tasks[-1] + 0.2, height, label, color=color, va="center", weight=weight)
    ax.text(1.5, 11.3, "chance", fontsize=9, color="#555555")
    ax.plot((1, tasks[-1]), (10, 10), color="#555555", lw=0.8, ls=(0, (1, 3)))
    ax.set(xlim=(1, 1.24 * tasks[-1]), ylim=(0, 80), xlabel="task", ylabel="frames known, %")
    ax.set_xticks([task for task in (1, 8, 16, 24, 32, 40, 48) if task <= tasks[-1]])
    ax.spines.bottom.set_bounds(1, tasks[-1])
    ax.set_title("A ReLU net loses the ability to learn; a spectral net starts lower and keeps it")
    save(figure, "memorise.png")


# ---- 2: alive and useful ----
def alive(records, phases):
    """Picture for each kind of net its inactive and dead units beside what it still learns."""
    panels = [  # part, metric, title, highest value
        ("a_{}.inactive", "A: inactive", 112),
        ("a_{}.dead", "A: never active", 112),
        ("a_{}.retained", "A: accuracy kept", 150),
        (f"b_{{}}_{phases}.inactive", "B: inactive", 112),
        (f"b_{{}}_{phases}.test", "B: levels won", 112),
    ]
    kept = {name: column(records, f"a_{name}.retained").mean() for name in NAMES}
    names = sorted(NAMES, key=kept.get)  # the best on top
    figure, axes = plt.subplots(1, 5, figsize=(9, 4.4), sharey=True)
    for ax, (metric, title, top) in zip(axes, panels, strict=True):
        useful = "kept" in title or "won" in title
        for height, name in enumerate(names):
            values = 100 * column(records, metric.format(name))  # (seeds,)
            mean = values.mean()
            color = NAMES[name][1] if useful else GREY
            ax.barh(height, mean, 0.66, color=color, alpha=1 if useful else 0.55)
            ax.plot((values.min(), values.max()), (height, height), color=BLACK, lw=1)
            end = max(mean, values.max()) + 0.03 * top
            ax.text(end, height, f"{mean:.0f} %", va="center", fontsize=9)
        ax.set_title(title, fontsize=10, weight="bold" if useful else "normal")
        ax.set(xlim=(0, 1.22 * top), xticks=())
        ax.spines.bottom.set_visible(False)
        ax.spines.left.set_visible(True)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(names)), [NAMES[name][0] for name in names])
    for label, name in zip(axes[0].get_yticklabels(), names, strict=True):
        label.set_color(NAMES[name][1])
        label.set_weight("bold" if name in ("relu", "sn") else "normal")
    title = "Alive is not useful: the net with the fewest silent units wins the fewest levels"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12.5)
    save(figure, "alive.png")


# ---- 3: the ranking ----
def ranking(records, phases):
    """Picture the source's test rewards beside ours, each side on a scale of its own."""
    figure, ax = plt.subplots(figsize=(8, 5.2))
    ours = {name: 10 * column(records, f"b_{name}_{phases}.test").mean() for name in SOURCE}
    sides = []
    for values in (list(SOURCE.values()), list(ours.values())):
        low, high = min(values), max(values)
        heights = (np.array(values) - low) / ((high - low) or 1)
        sides.append((values, heights, spread(heights, 0.075)))
    for n, name in enumerate(SOURCE):
        label, color = NAMES[name]
        main = name in ("relu", "sn")
        ends = sides[0][1][n], sides[1][1][n]
        ax.plot((0, 1), ends, "-o", color=color, lw=3.2 if main else 1.6, zorder=3 if main else 2)
        weight = "bold" if main else "normal"
        for side, (values, heights, placed) in enumerate(sides):
            text = f"{label}  {values[n]:.2f}" if side == 0 else f"{values[n]:.2f}  {label}"
            x = -0.06 if side == 0 else 1.06
            how = {"color": color, "va": "center", "weight": weight}
            ax.text(x, placed[n], text, ha="right" if side == 0 else "left", **how)
            ax.plot((side, x * 0.75 + side * 0.25), (heights[n], placed[n]), color=color, lw=0.6)
    tau = column(records, "b.tau").mean()
    ax.text(0, 1.13, "the source:\nCoinRun of ProcGen", ha="center", fontsize=10.5)
    ours_said = f"here: small CoinRun,\nmean of {len(records)} seed{'s' * (len(records) > 1)}"
    ax.text(1, 1.13, ours_said, ha="center", fontsize=10.5)
    said = f"Kendall's tau, mean over seeds: {tau:+.2f}".replace("-", "\u2212")
    ax.text(0.5, -0.1, said, ha="center", fontsize=11, weight="bold")
    ax.set(xlim=(-0.62, 1.62), ylim=(-0.14, 1.28), xticks=(), yticks=())
    ax.spines[:].set_visible(False)
    ax.set_title("The source's winner comes last: test reward, 10 for each unseen level won")
    save(figure, "ranking.png")


config, runs = recorded("results.json", plasticity_spectral_norm)
_, records = recorded("study.json", study_plasticity_spectral_norm)
memorising(records, runs)
alive(records, config.phases)
ranking(records, config.phases)
