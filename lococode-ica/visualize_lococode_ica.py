# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of lococode-ica into viz/."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import lococode_ica
import matplotlib.pyplot as plt
import numpy as np
import study_lococode_ica
from lococode_ica import LIT, QUICK, Config, living, owners, prepare, train
from matplotlib.colors import LinearSegmentedColormap

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

config = replace(Config(), **(QUICK if flags.quick else {}))
x, unseen, bars, order, nets = prepare(config, flags.seed)
gain = config.target / LIT
course = {name: [] for name in nets}  # rows of epoch, alive, owned, error, lambda
for name, net in nets.items():

    def watch(epoch, error, net=net, rows=course[name]):
        if epoch % max(config.epochs // 200, 1) == 0 or epoch in (1, 2, 4, 6, 8):
            y = net.code(unseen)
            alive = living(net, y)
            owned = owners(y, alive, bars).any(1).sum(1)
            strength = getattr(net, "strength", 0 * error)
            rows.append((epoch, alive.sum(1), owned, error, strength))

    train(net, x, gain * x, order, config, watch)
(flags.out / "viz").mkdir(exist_ok=True)
SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, "white", RED])


def units_in_order(net, n):
    """Return the units of net n, owners first in the order of their bars, and which own one."""
    y = net.code(unseen)
    alive = living(net, y)
    owns = owners(y, alive, bars)[n]  # (H, bars)
    first = np.where(owns.any(1), owns.argmax(1), 50 + ~alive[n])  # (H,)
    return np.argsort(first, kind="stable"), owns.any(1)


def tiles(ax, weights, framed, title):
    """Show units (H, D) as tiles of pixels, five in a row; those framed own a bar."""
    top = np.abs(weights).max()
    grid = config.grid
    for k, w in enumerate(weights):
        left, up = (k % 5) * (grid + 1), -(k // 5) * (grid + 1)
        box = (left, left + grid, up - grid, up)
        ax.imshow(w.reshape(grid, grid), cmap=SIGNED, vmin=-top, vmax=top, extent=box)
        style = {"edgecolor": BLACK, "linewidth": 1.3} if framed[k] else {"edgecolor": "#cccccc"}
        ax.add_patch(plt.Rectangle((left, up - grid), grid, grid, fill=False, **style))
    ax.set(xlim=(-0.5, 5 * grid + 4.5), ylim=(-5 * grid - 4.5, 0.5), xticks=[], yticks=[])
    ax.set_aspect("equal")
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10, fontweight="normal", pad=4, loc="center")


# ---- the units ----
final = course["loco"][-1]
best = np.flatnonzero((final[1] == 10) & (final[2] == 10))
best = best if len(best) else np.arange(config.nets)
rival = course["plain"][-1][2][best]  # bars that their twins own
shown = int(best[np.abs(rival - np.median(rival)).argmin()])  # a typical pair
fig, axes = plt.subplots(2, 2, figsize=(7.4, 7.9))
for column, (name, net) in zip(axes.T, nets.items()):
    units, framed = units_in_order(net, shown)
    alive, owned = course[name][-1][1][shown], course[name][-1][2][shown]
    heading = {"loco": "with the term", "plain": "without it"}[name]
    out = net.theta["W2"][shown][units]
    into = net.theta["W1"][shown].T[units]
    said = f"{heading}: alive units {alive}, owned bars {owned}"
    tiles(column[0], out, framed[units], f"{said}\nweights from each unit to the pixels")
    tiles(column[1], into, framed[units], "weights from the pixels to each unit")
fig.suptitle(
    f"{25 - final[1][shown]} of 25 units fade, {final[2][shown]} become bars",
    fontsize=12,
    fontweight="bold",
    x=0.02,
    ha="left",
)
fig.savefig(flags.out / "viz" / "units.png")

# ---- the course of training ----
fig, axes = plt.subplots(3, 1, figsize=(7.4, 6.6), sharex=True, height_ratios=[2, 1, 1])
looks = {"loco": ("-", "with the term"), "plain": (":", "without it")}
for name, rows in course.items():
    epoch = [row[0] for row in rows]
    line, label = looks[name]
    for k, color in ((1, BLUE), (2, RED)):
        values = np.array([row[k] for row in rows])  # (time, N)
        axes[0].plot(epoch, values.mean(1), color=color, linestyle=line)
        axes[0].fill_between(epoch, values.min(1), values.max(1), color=color, alpha=0.13, lw=0)
    error = np.array([row[3] for row in rows])
    axes[1].plot(epoch, error.mean(1), color=GREEN, linestyle=line)
    if name == "loco":
        strength = np.array([row[4] for row in rows])
        axes[2].plot(epoch, strength.mean(1), color=PINK)
        axes[2].fill_between(epoch, strength.min(1), strength.max(1), color=PINK, alpha=0.2, lw=0)
end = config.epochs
axes[0].axhline(10, **PAPER)
axes[0].set(ylabel="units, bars", ylim=(-1, 28), xlim=(0, end))
for height, text, color in (
    (22.2, "alive units, without the term", BLUE),
    (14.0, "alive units, with the term", BLUE),
    (7.6, "owned bars, with the term", RED),
    (5.0, "owned bars, without the term", RED),
):
    axes[0].text(end, height, text, color=color, ha="right", va="center")
axes[0].text(end, 10.3, "the paper's 10", va="bottom", ha="right")
axes[1].axhline(config.tolerance, **PAPER)
axes[1].set(ylabel="squared error", ylim=(0, 0.4))
axes[1].text(end, 0.2, "with the term; dashed, what is tolerated", color=GREEN, ha="right")
axes[1].text(end, 0.09, "without it", color=GREEN, ha="right", va="center")
axes[2].set(xlabel="epoch", ylabel="lambda", ylim=(0, None))
axes[0].set_title("Alive units fall towards ten while owned bars rise to it")
fig.savefig(flags.out / "viz" / "course.png")

# ---- bits a pixel ----
record = Path(__file__).with_name("study.json")
if record.exists() and not flags.quick:
    tables = [row["metrics"] for row in json.loads(record.read_text("utf-8"))["records"]]
else:
    study = replace(study_lococode_ica.Config(), **study_lococode_ica.QUICK)
    table = study_lococode_ica.run(study, flags.seed, lambda *_: None)
    tables = [lococode_ica.flatten(table)]
WORDS = {
    "loc": "LOCOCODE",
    "ica_10": "ICA-10",
    "pca_10": "PCA-10",
    "ica_15": "ICA-15",
    "pca_15": "PCA-15",
}
PRINTED = {"bars_bits": (1.22, 1.44, 1.43, 2.19, 2.06), "noisy_bits": (1.37, 1.68, 1.66, 2.5, 2.47)}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
for ax, (task, printed) in zip(axes, PRINTED.items()):
    for k, name in enumerate(WORDS):
        values = [row[f"{task}.{name}.bits"] for row in tables]
        color = RED if name == "loc" else GREY
        ax.bar(k, np.mean(values), width=0.62, color=color, alpha=0.55)
        ax.plot(k + np.linspace(-0.12, 0.12, len(values)), values, "o", color=color, ms=4)
        ax.plot([k - 0.4, k + 0.4], [printed[k]] * 2, **PAPER)
        ax.text(k, np.mean(values) / 2, f"{np.mean(values):.2f}", ha="center", va="center")
    ax.set_xticks(range(5), WORDS.values(), fontsize=9)
    word = {"bars_bits": "bars", "noisy_bits": "noisy bars"}[task]
    ax.set_title(word, fontsize=10, fontweight="normal", loc="center")
highest = max(row[f"{task}.{name}.bits"] for row in tables for task in PRINTED for name in WORDS)
axes[0].set_ylim(0, 1.05 * max(highest, 2.5))
axes[0].set_ylabel("bits a pixel")
axes[0].text(0, PRINTED["bars_bits"][0] + 0.06, "the paper's", fontsize=9, ha="center")
fig.suptitle(
    "LOCOCODE's ten units need the fewest bits",
    fontsize=12,
    fontweight="bold",
    x=0.02,
    ha="left",
)
fig.savefig(flags.out / "viz" / "bits.png")
