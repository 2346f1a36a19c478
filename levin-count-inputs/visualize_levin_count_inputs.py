# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of levin-count-inputs into viz/. The waiting times over seeds come from
results.json."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from levin_count_inputs import (
    JUMP,
    OPS,
    QUICK,
    TRAINING,
    WEIGHTS,
    WRITE,
    Config,
    execute,
    listing,
    minimum_norm,
    search,
)

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
search_rng = np.random.default_rng(np.random.SeedSequence(flags.seed).spawn(3)[0])
fits = search(config, search_rng, TRAINING[None])[1]
exact = [fit for fit in fits if (fit["weights"] == 1).all()]
wrong = [fit for fit in fits if (fit["weights"] != 1).any()]
(flags.out / "viz").mkdir(exist_ok=True)

# ---- the simplest solution, step by step ---------------------------------------------------------
code, rows = [WRITE, 0, JUMP, 0], []
execute(config, code, 6, lambda machine: rows.append((machine.ip, machine.wp)))
fig, ax = plt.subplots(figsize=(8, 4.6))
for row, (address, wp) in enumerate(rows):
    op = code[address]
    for cell, content in enumerate(code):
        colour = BLUE if cell == address else SKY if cell == address + 1 else "#F2F2F2"
        if op == WRITE and cell == code[address + 1]:
            colour = ORANGE
        ax.add_patch(plt.Rectangle((cell * 1.1, -row), 1, -0.8, color=colour))
        ax.text(
            cell * 1.1 + 0.5,
            -row - 0.4,
            content,
            ha="center",
            va="center",
            fontsize=14,
            color="white" if colour == BLUE else BLACK,
        )
    what = (
        f"{OPS[op]}(0): weight {wp} becomes what cell 0 holds, 1"
        if op == WRITE
        else f"{OPS[op]}(0): go on at cell 0"
    )
    ax.text(4.7, -row - 0.4, what, va="center")
    ax.text(-0.25, -row - 0.4, f"step {row + 1}", va="center", ha="right", color=GREY)
ax.text(4.7, -6.4, "... and after 199 steps all 100 weights are 1", va="center", weight="bold")
for cell in range(4):
    ax.text(cell * 1.1 + 0.5, 0.2, f"cell {cell}", ha="center", color=GREY)
ax.text(
    0, -7.25, "instruction and, at once, the number that it writes", color="#B37800", weight="bold"
)
ax.text(0, -7.7, "instruction", color=BLUE, weight="bold")
ax.text(1.5, -7.7, "its argument", color="#3A93C4", weight="bold")
ax.set(xlim=(-1.4, 10.4), ylim=(-8, 0.6))
ax.set_title("Four cells suffice: WriteWeight is instruction number 1, and it writes itself")
ax.axis("off")
fig.savefig(flags.out / "viz" / "trace.png")

# ---- all programs that fit -----------------------------------------------------------------------
fig, ax = plt.subplots(figsize=(8, 5))
for total in range(15, 95, 10):
    steps = np.array([100.0, 1000.0])
    ax.plot(steps, total - np.log2(steps), color="#DDDDDD", linewidth=1, zorder=0)
    ax.text(
        990,
        total - np.log2(990) + 0.3,
        f"{total} bits",
        color=GREY,
        fontsize=8,
        va="bottom",
        ha="right",
    )
for group, colour, name in (
    (exact, GREEN, "right on every input"),
    (wrong, RED, "right on three, wrong elsewhere"),
):
    ax.scatter(
        [fit["steps"] for fit in group],
        [fit["bits"] for fit in group],
        s=12,
        color=colour,
        alpha=0.6,
        linewidth=0,
        label=f"{name}: {len(group):,}",
    )
simplest = (199, np.log2(13 * 2 * 13 * 4))
ax.annotate(
    listing(config, code, 256), simplest, (420, 9), arrowprops={"arrowstyle": "->"}, va="center"
)
ax.set(
    xscale="log",
    xlim=(100, 1000),
    ylim=(5, 150),
    xlabel="steps until it halts or its time is up",
    ylabel="bits of guesses, $-\\log_2$ P",
    title="Short and fast programs are guessed most, and nearly all that fit generalise",
)
ax.set_xticks([100, 200, 300, 400, 500, 1000], ["100", "200", "300", "400", "500", "1000"])
ax.minorticks_off()
ax.legend(loc="upper right", handletextpad=0.1)
fig.savefig(flags.out / "viz" / "programs.png")

# ---- weights -------------------------------------------------------------------------------------
fig, axes = plt.subplots(2, 1, figsize=(8, 4.2), sharex=True)
first = exact[0]["weights"] if exact else np.zeros(WEIGHTS)
for ax, w, colour, says in (
    (axes[0], minimum_norm(), RED, "least squares: 81 of 161,697 unseen inputs right"),
    (axes[1], first, GREEN, "the first program that generalises: 161,697 right"),
):
    ax.bar(np.arange(WEIGHTS), w, color=colour, width=0.8)
    ax.set(ylim=(0, 1.45), yticks=(0, 1), ylabel="weight")
    ax.text(-0.5, 1.3, says, color=colour, weight="bold", va="center")
axes[1].set(xlabel="input", xlim=(-1, 100))
axes[0].set_title("Three examples show nine weights; a program has an opinion on all hundred")
fig.savefig(flags.out / "viz" / "weights.png")

# ---- waiting times -------------------------------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2))
recorded = Path(__file__).with_name("results.json")
records = json.loads(recorded.read_text("utf-8"))["records"] if recorded.exists() else []
firsts = (
    np.sort([r["metrics"]["first_fit"] for r in records])
    if records
    else np.array([fits[0]["run"] + 1])
)
mean = np.mean([r["metrics"]["mean_gap"] for r in records]) if records else 820.0
grid = np.linspace(0, firsts.max() * 1.05, 200)
axes[0].step(
    np.r_[0, firsts, grid[-1]],
    np.r_[0, np.arange(1, len(firsts) + 1), len(firsts)] / len(firsts),
    where="post",
    color=BLUE,
)
axes[0].plot(grid, 1 - np.exp(-grid / mean), color=GREY, linewidth=1)
axes[0].text(
    grid[-1], 0.06, f"grey: independent guesses,\none in {mean:,.0f} fits", ha="right", color=GREY
)
axes[0].set(
    xlabel="programs guessed until the first fit", ylabel="share of the seeds", ylim=(0, 1.03)
)
axes[0].set_title(f"{len(firsts)} seeds: half need fewer than {np.median(firsts):,.0f}")
gaps = np.diff([fit["run"] for fit in fits])
edges = np.linspace(0, max(np.percentile(gaps, 99.5), 1), 25)
axes[1].hist(gaps, edges, color=SKY)
expected = len(gaps) * (np.exp(-edges[:-1] / gaps.mean()) - np.exp(-edges[1:] / gaps.mean()))
axes[1].plot((edges[1:] + edges[:-1]) / 2, expected, color=BLACK, linewidth=1)
axes[1].text(edges[-1], expected[0] * 0.85, "line: exponential\nwith the same mean", ha="right")
axes[1].set(xlabel="programs between two fits", ylabel="how often")
axes[1].set_title(f"Seed {flags.seed}: {len(fits):,} fits in {config.runs:,}")
fig.savefig(flags.out / "viz" / "waiting.png")
