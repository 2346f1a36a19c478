# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of levin-add-positions into viz/: a program at work, weights, the waiting."""

import argparse
import json
from pathlib import Path

import levin_add_positions
from levin_add_positions import INCREMENT, JUMP, OPS, SUBTRACT, TRAINING, UNSEEN, WEIGHTS, WRITE
from levin_add_positions import Config, answers, every_input, targets
from study_levin_add_positions import Film
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


OWN = [SUBTRACT, 0, 0, 0, WRITE, 0, INCREMENT, 0, JUMP, 4]  # shown where nothing is recorded
STEPS = 11  # of the trace
PAPER_RUNS, PAPER_FITS = 55, 10  # millions
(flags.out / "viz").mkdir(exist_ok=True)


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)


def recorded(file):
    """Return the metrics of all recorded seeds, none where there are no records of this code."""
    path = Path(__file__).with_name(file)
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    return [record["metrics"] for record in records]


# ---- a program at work ---------------------------------------------------------------------------
codes = [metrics.get("counter.code") for metrics in recorded("study.json")]
codes = [code for code in codes if code]
code = min(codes, key=len) if codes and not flags.quick else OWN
moments = Film(Config(), code, 1000).moments[:STEPS]
left = max(moment.work for moment in moments)
most = max(len(moment.cells) - moment.work for moment in moments)
wide = 1.05  # from cell to cell
figure, ax = plt.subplots(figsize=(9, 5.2))
for row, moment in enumerate(moments):
    last = moment.ip + len(moment.arguments)
    read = moment.arguments[0] if moment.op in (WRITE, INCREMENT) else None
    for place, content in enumerate(moment.cells):
        cell = place - moment.work
        color = SKY if moment.ip < cell <= last else "#F2F2F2"
        color = BLUE if cell == moment.ip else ORANGE if cell == read else color
        ax.add_patch(plt.Rectangle((cell * wide, -row), 1, -0.82, color=color))
        ink = "white" if color == BLUE else BLACK
        where = (cell * wide + 0.5, -row - 0.43)
        ax.text(*where, content, ha="center", va="center", fontsize=11, color=ink)
    says = f"{OPS[moment.op]}({', '.join(map(str, moment.arguments))})"
    if moment.op == WRITE:
        says += f": weight {moment.wp} becomes {moment.cells[moment.work + read]}"
    ax.text(most * wide + 0.3, -row - 0.43, says, va="center")
    ax.text(
        -left * wide - 0.2, -row - 0.43, f"step {row + 1}", va="center", ha="right", color="#666666"
    )
for cell in range(-left, most):
    ax.text(cell * wide + 0.5, 0.25, cell, ha="center", color="#666666")
for at, words, color in (
    (-left * wide, "instruction", BLUE),
    (-left * wide + 2.6, "its arguments", "#2F7FB0"),
    (-left * wide + 5.7, "the cell that is written out or counted up", "#9A6700"),
):
    ax.text(at, -len(moments) - 0.6, words, color=color, weight="bold")
ax.set(xlim=(-left * wide - 1.5, most * wide + 6.2), ylim=(-len(moments) - 0.9, 0.9))
ax.set_title("A program that counts in its own code while it writes")
ax.axis("off")
save(figure, "trace.png")

# ---- weights -------------------------------------------------------------------------------------
least = np.zeros(WEIGHTS)
for shown in TRAINING:  # no position stands in two examples: least squares shares each sum out
    least[shown] = targets(shown) / 3
ramp = Film(Config(), code, 1000).weights[0]
figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True)
for ax, weights, color, says in (
    (axes[0], least, RED, "least squares"),
    (axes[1], ramp, GREEN, "a program that counts"),
):
    right = np.rint(answers(weights, every_input())) == targets(every_input())  # (161700,)
    ax.bar(np.arange(WEIGHTS), weights, color=color, width=0.8)
    ax.set(ylim=(0, 124), yticks=(0, 50, 100), ylabel="weight")
    words = f"{says}: {right.sum() - len(TRAINING):,} of {UNSEEN:,} unseen inputs right"
    ax.text(-0.5, 111, words, color=color, weight="bold", va="center")
axes[1].set(xlabel="input", xlim=(-1, WEIGHTS))
axes[0].set_title("The ramp, exact to position 99; least squares has nine spikes")
save(figure, "weights.png")

# ---- fits against programs -----------------------------------------------------------------------
runs = [metrics for metrics in recorded("results.json") if "curve.y" in metrics]
if flags.quick or not runs:
    quick = Config(**levin_add_positions.QUICK)
    runs = [
        levin_add_positions.flatten(levin_add_positions.run(quick, flags.seed, lambda *_: None))
    ]
x = np.array(runs[0]["curve.x"]) / 1e6  # millions
curves = np.array([metrics["curve.y"] for metrics in runs])  # (seeds, points)
figure, ax = plt.subplots(figsize=(9, 4.6))
for curve in curves:
    ax.step(x, curve, where="post", color=GREY, linewidth=0.9, alpha=0.7)
mean = curves.mean(0)
ax.plot(x, mean, color=BLUE, linewidth=2.5)
ax.plot(x, PAPER_FITS * x / PAPER_RUNS, **PAPER)
rate = mean[-1] / x[-1] * PAPER_RUNS
end = x[-1] * 1.01
apart = (
    max(0.05 * curves.max(), 0.1) if abs(mean[-1] - PAPER_FITS * x[-1] / PAPER_RUNS) < 1.5 else 0
)
up = apart if mean[-1] > PAPER_FITS * x[-1] / PAPER_RUNS else -apart
says = f"mean of {len(curves)} seeds:\n{rate:.1f} in 55 million"
ax.text(end, mean[-1] + up, says, color=BLUE, weight="bold", va="center")
ax.text(end, PAPER_FITS * x[-1] / PAPER_RUNS - up, "paper:\n10 in 55 million", va="center")
ax.set(xlabel="programs guessed, millions", ylabel="programs that fit the three sums")
ax.set(xlim=(0, x[-1] * 1.25), ylim=(0, max(curves.max() * 1.05, 1)))
ax.set_xticks(np.linspace(0, x[-1], 6))
ax.set_title("Programs that fit the three sums are as rare as in 1995")
save(figure, "waiting.png")
