# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of levin-count-inputs into viz/: a program at work, weights, what fits."""

import argparse
from collections import Counter
from pathlib import Path

from levin_count_inputs import JUMP, OPS, QUICK, TRAINING, UNSEEN, WEIGHTS, WRITE
from levin_count_inputs import Config, search, unseen_right
from study_levin_count_inputs import Film
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


SHORTEST = [WRITE, 0, JUMP, 0]
(flags.out / "viz").mkdir(exist_ok=True)


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)


# ---- the shortest solution at work ---------------------------------------------------------------
film = Film(Config(), SHORTEST, 1000)
figure, ax = plt.subplots(figsize=(9, 4.4))
shown = film.moments[:6]
for row, moment in enumerate(shown):
    for cell, content in enumerate(moment.cells):
        color = SKY if cell == moment.ip + 1 else "#F2F2F2"
        color = BLUE if cell == moment.ip else color
        if moment.op == WRITE and cell == moment.arguments[0]:
            color = ORANGE
        ax.add_patch(plt.Rectangle((cell * 1.1, -row), 1, -0.82, color=color))
        ink = "white" if color == BLUE else BLACK
        where = (cell * 1.1 + 0.5, -row - 0.43)
        ax.text(*where, content, ha="center", va="center", fontsize=14, color=ink)
    says = f"{OPS[moment.op]}({moment.arguments[0]}): "
    says += f"weight {moment.wp} becomes 1" if moment.op == WRITE else "go on at cell 0"
    ax.text(4.7, -row - 0.43, says, va="center")
    ax.text(-0.25, -row - 0.43, f"step {row + 1}", va="center", ha="right", color="#666666")
for cell in range(4):
    ax.text(cell * 1.1 + 0.5, 0.2, f"cell {cell}", ha="center", color="#666666")
end = f"... after {len(film.moments)} steps all 100 weights are 1"
ax.text(4.7, -6.4, end, va="center", weight="bold")
legend = (
    (0, "instruction", BLUE),
    (1.7, "argument", "#2F7FB0"),
    (0, "instruction, and the number that is written", "#9A6700"),
)
for k, (at, words, color) in enumerate(legend):
    ax.text(at, -6.4 - (k == 2) * 0.55, words, va="center", color=color, weight="bold")
ax.set(xlim=(-1.3, 9.6), ylim=(-7.3, 0.7))
ax.set_title("Four numbers: the program reads its own instruction as the value one")
ax.axis("off")
save(figure, "trace.png")

# ---- weights -------------------------------------------------------------------------------------
least = np.zeros(WEIGHTS)
least[TRAINING] = 1
figure, axes = plt.subplots(2, 1, figsize=(9, 4.4), sharex=True)
for ax, weights, color, says in (
    (axes[0], least, RED, "least squares"),
    (axes[1], film.weights[0], GREEN, "the shortest program"),
):
    ax.bar(np.arange(WEIGHTS), weights, color=color, width=0.8)
    ax.set(ylim=(0, 1.45), yticks=(0, 1), ylabel="weight")
    words = f"{says}: {unseen_right(weights):,} of {UNSEEN:,} unseen inputs right"
    ax.text(-0.5, 1.3, words, color=color, weight="bold", va="center")
axes[1].set(xlabel="input", xlim=(-1, WEIGHTS))
axes[0].set_title("Flat at one against nine spikes")
save(figure, "weights.png")

# ---- programs that fit ---------------------------------------------------------------------------
config = Config(**(QUICK if flags.quick else {}))
rng = np.random.default_rng(np.random.SeedSequence(flags.seed).spawn(2)[0])  # as in run()
fits = search(config, rng, TRAINING[None], lambda *_: None)[2]
distinct = {tuple(fit.code): fit for fit in fits}
times = Counter(tuple(fit.code) for fit in fits)
figure, ax = plt.subplots(figsize=(9, 5.2))
steps = np.array([120.0, 1000.0])
top = max([fit.bits for fit in fits], default=60) + 20
for total in range(15, int(top) - 15, 15):
    ax.plot(steps, total - np.log2(steps), color="#DDDDDD", linewidth=1, zorder=0)
    where = (1010, total - np.log2(1000))
    ax.text(*where, f"{total} bits", color="#666666", fontsize=9, va="center")
for right, color, says in ((True, GREEN, "right on every input"), (False, RED, "wrong on some")):
    group = [code for code in distinct if (unseen_right(distinct[code].weights) == UNSEEN) == right]
    at = [distinct[code].steps for code in group], [distinct[code].bits for code in group]
    size = [14 * times[code] for code in group]
    words = f"{says}: {len(group)} programs, {sum(times[code] for code in group)} finds"
    ax.scatter(*at, s=size, color=color, alpha=0.55, linewidth=0, label=words)
words = f"WriteWeight(0); Jump(0)\nfound {times[tuple(SHORTEST)]} times"
place = (len(film.moments), film.bits[0])
ax.annotate(words, place, (330, 7), arrowprops={"arrowstyle": "->", "shrinkB": 12}, va="center")
ax.set(xscale="log", xlim=(120, 1150), ylim=(2, top))
ax.set(xlabel="steps until it halts or its time is up", ylabel="bits of its guesses, $-\\log_2$ P")
ax.set_xticks([150, 200, 300, 400, 500, 700, 1000], "150 200 300 400 500 700 1000".split())
ax.minorticks_off()
for handle in ax.legend(loc="upper left", handletextpad=0.1).legend_handles:
    handle.set_sizes([40])
ax.set_title("Short and fast programs are found most often")
save(figure, "programs.png")
