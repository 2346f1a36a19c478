# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of levin-add-positions into viz/, from results.json and study.json."""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from levin_add_positions import (
    ALLOCATE,
    INCREMENT,
    JUMP,
    OPS,
    RAMP,
    WRITE,
    Config,
    arguments,
    execute,
    listing,
    minimum_norm,
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


def recorded(file):
    """A record beside this script, or nothing."""
    path = Path(__file__).with_name(file)
    return json.loads(path.read_text("utf-8")) if path.exists() else None


config, natural = Config(), [ALLOCATE, 1, WRITE, -1, INCREMENT, -1, JUMP, 2]
runs, study = recorded("results.json"), recorded("study.json")
study = (
    study["records"][0]["metrics"]
    if study
    else {
        "fit_runs": [1],
        "fit_steps": [299],
        "fit_bits": [26.1],
        "fit_unseen_right": [161697],
        "simplest_code": natural,
        "runs": 55_000_000,
    }
)
PAPER_RUNS, PAPER_FITS, PAPER_FIRST = 5.5e7, 10, 6_902_963
right = np.array(study["fit_unseen_right"]) == 161_697
(flags.out / "viz").mkdir(exist_ok=True)

# ---- the simplest program found, step by step ----------------------------------------------------
code, rows, shown = study["simplest_code"] or natural, [], 13


def watch(machine):
    cells = [*reversed(machine.work), *machine.program]
    rows.append((machine.ip, machine.wp, cells, len(machine.work)))


execute(config, code, shown, watch)
left, most = max(row[3] for row in rows), max(len(row[2]) - row[3] for row in rows)
fig, ax = plt.subplots(figsize=(8.5, 5.6))
for row, (ip, wp, cells, work) in enumerate(rows):
    op = cells[work + ip]
    count = arguments(config, op)
    read = cells[work + ip + 1] if op in (WRITE, INCREMENT) else None
    for place, content in enumerate(cells):
        cell = place - work
        colour = (
            ORANGE
            if cell == read
            else BLUE
            if cell == ip
            else SKY
            if ip < cell <= ip + count
            else "#F2F2F2"
        )
        ax.add_patch(plt.Rectangle((cell * 1.05, -row), 1, -0.82, color=colour))
        ax.text(
            cell * 1.05 + 0.5,
            -row - 0.42,
            content,
            ha="center",
            va="center",
            fontsize=11,
            color="white" if colour == BLUE else BLACK,
        )
    words = ", ".join(str(cells[work + cell]) for cell in range(ip + 1, ip + count + 1))
    says = f"{OPS[op]}({words})" + (
        f": weight {wp} becomes {cells[work + read]}" if op == WRITE else ""
    )
    ax.text(most * 1.05 + 0.4, -row - 0.42, says, va="center")
    ax.text(-left * 1.05 - 0.2, -row - 0.42, f"step {row + 1}", va="center", ha="right", color=GREY)
for cell in range(-left, most):
    ax.text(cell * 1.05 + 0.5, 0.25, cell, ha="center", color=GREY)
ax.text(-left * 1.05, -shown - 0.6, "instruction", color=BLUE, weight="bold")
ax.text(-left * 1.05 + 2.6, -shown - 0.6, "its arguments", color="#3A93C4", weight="bold")
ax.text(
    -left * 1.05 + 5.6,
    -shown - 0.6,
    "the cell that is written out or counted up",
    color="#B37800",
    weight="bold",
)
ax.set(xlim=(-left * 1.05 - 1.6, most * 1.05 + 6.6), ylim=(-shown - 1, 0.9))
ax.set_title(
    "The simplest program found counts up one of its own cells as it writes"
    if left == 0
    else "The simplest program found counts in a work cell as it writes"
)
ax.axis("off")
fig.savefig(flags.out / "viz" / "trace.png")

# ---- weights -------------------------------------------------------------------------------------
fig, axes = plt.subplots(2, 1, figsize=(8, 4.4), sharex=True)
share = runs["records"][0]["metrics"]["minimum_norm_unseen_right"] if runs else 0
for ax, w, colour, says in (
    (axes[0], minimum_norm(), RED, f"least squares: {share} of 161,697 unseen inputs right"),
    (axes[1], RAMP, GREEN, "a program that counts: 161,697 right"),
):
    ax.bar(np.arange(100), w, color=colour, width=0.8)
    ax.set(ylim=(0, 118), yticks=(0, 50, 100), ylabel="weight")
    ax.text(-0.5, 106, says, color=colour, weight="bold", va="center")
axes[1].set(xlabel="input", xlim=(-1, 100))
axes[0].set_title("Three sums do not fix a hundred weights; a short program does")
fig.savefig(flags.out / "viz" / "weights.png")

# ---- all programs that fit -----------------------------------------------------------------------
fig, ax = plt.subplots(figsize=(8, 4.8))
steps, digits = np.array(study["fit_steps"]), np.array(study["fit_bits"]) * np.log10(2)
for group, colour, name in (
    (right, GREEN, "right on every input"),
    (~right, RED, "right on three, wrong elsewhere"),
):
    ax.scatter(
        steps[group],
        digits[group],
        s=26,
        color=colour,
        alpha=0.8,
        linewidth=0,
        label=f"{name}: {group.sum()}",
    )
ax.scatter([502], [-np.log10(3.92e-16)], s=70, color=BLACK, marker="D")
ax.annotate("the paper's first", (502, -np.log10(3.92e-16)), (8, 4), textcoords="offset points")
ax.set(xscale="log", xlabel="steps until it halts or its time is up")
ax.set_ylabel("$-\\log_{10}$ of the probability of its guesses")
ax.set_xticks([200, 300, 400, 500, 1000], ["200", "300", "400", "500", "1000"])
ax.minorticks_off()
ax.set_title(
    f"{len(steps)} programs of {study['runs'] / 1e6:,.0f} million fit: loops of a few instructions"
)
ax.legend(loc="upper right")
fig.savefig(flags.out / "viz" / "programs.png")

# ---- fits against runs ---------------------------------------------------------------------------
fig, ax = plt.subplots()
fit_runs = np.array(study["fit_runs"])
for which, colour, name, lift in (
    (np.ones(len(right), bool), BLUE, "fit the three examples", 0),
    (right, GREEN, "right on every input", 0),
):
    at = fit_runs[which] / 1e6
    ax.step(
        np.r_[0, at, study["runs"] / 1e6],
        np.r_[0, np.arange(1, len(at) + 1), len(at)],
        where="post",
        color=colour,
    )
    ax.text(
        study["runs"] / 1e6 * 1.01,
        len(at) + lift,
        f"{len(at)} {name}",
        color=colour,
        va="center",
        weight="bold",
    )
ax.plot([0, PAPER_RUNS / 1e6], [0, PAPER_FITS], **PAPER)
ax.text(PAPER_RUNS / 1e6 * 1.01, PAPER_FITS, "paper: 10 fit, 8 right", va="center")
for record in runs["records"] if runs else []:
    m = record["metrics"]
    ax.scatter(m["runs"] / 1e6, m["fits"], color=SKY, s=18, zorder=3)
ax.text(config.runs / 1e6 + 0.8, 9.7, "dots: the seeds", color="#3A93C4", va="center")
ax.set(xlabel="programs guessed, millions", ylabel="programs so far", ylim=(0, None))
ax.set_xlim(0, study["runs"] / 1e6 * 1.38)
ax.set_title(
    f"Fits come one by one, by chance, {len(right) / PAPER_FITS:.0f} times as often as in the paper"
)
fig.savefig(flags.out / "viz" / "waiting.png")
print(listing(config, code, 1024))
