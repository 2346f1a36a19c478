# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of oops-towers-of-hanoi into viz/. The measured gains come from study.json."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import ConnectionPatch
from oops_towers_of_hanoi import (
    BIAS,
    QUICK,
    UNIVERSAL,
    Config,
    Goal,
    Language,
    Machine,
    instruction_set,
    languages,
    oops,
    share,
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
first, cold = languages(config.instructions, flags.seed)
writing = oops(config, first, "A")
warm = replace(cold, experience=writing[-1].program)
towers = oops(config, warm, "B")
without = oops(config, cold, "B", until_universal=True)
solver = next((task.program for task in towers if task.how == "fresh" and task.n > 1), UNIVERSAL)
(flags.out / "viz").mkdir(exist_ok=True)


def short(count):
    """A count for a label: 164 thousand, 50 million, 8.7 billion."""
    for size, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if count >= size:
            return (
                f"{count / size:.2g} {name}" if count < 10 * size else f"{count / size:.0f} {name}"
            )
    return str(count)


# ---- prefixes tested for each problem ------------------------------------------------------------
fig, ax = plt.subplots(figsize=(9, 5))
gap = len(writing) + 2
ax.bar(range(1, len(writing) + 1), [task.prefixes for task in writing], color=BLUE, width=0.85)
ax.bar(
    [gap + task.n for task in towers], [task.prefixes for task in towers], color=GREEN, width=0.85
)
for task in without:
    ax.bar(
        gap + task.n,
        task.prefixes,
        color="none",
        edgecolor=RED,
        linewidth=1.6,
        width=0.85,
        zorder=3,
    )
for task, x, colour, right, space in (
    (writing[1], 2, BLUE, 16, " "),
    (towers[1], gap + 2, GREEN, 40, "\n"),
    (towers[2], gap + 3, GREEN, 26, " "),
):
    ax.annotate(
        f"n = {task.n}: {short(task.prefixes)},{space}{task.how}",
        (x, task.prefixes),
        (right, 6),
        textcoords="offset points",
        color=colour,
        weight="bold",
        va="center",
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
    )
spent, last = sum(task.prefixes for task in without), without[-1]
ax.annotate(
    f"without experience: {short(spent)} in all,\nuniversal after n = {last.n}",
    (gap + last.n, last.prefixes),
    (16, -2),
    textcoords="offset points",
    color=RED,
    weight="bold",
    va="center",
    arrowprops={"arrowstyle": "-", "color": RED, "linewidth": 0.8},
)
ax.text(
    gap + 0.74 * len(towers),
    1.7e7,
    "n = 4, 5, ...: the same program;\nfresh ones are tried besides",
    color=GREEN,
    ha="center",
    va="center",
)
ax.text(0.62 * len(writing), 1e3, "n = 3, 4, ...: the same program", color=BLUE, ha="center")
ticks = [1, 10, 20, 30] if len(writing) == 30 else [1, 2, 3]
ax.set_xticks([*ticks, *(gap + n for n in ticks)], [*ticks, *ticks])
ax.set(
    yscale="log",
    ylim=(1, max(task.prefixes for task in without) * 30),
    ylabel="prefixes tested for the problem",
    xlabel="n, of ones and twos (left) and of Hanoi (right)",
)
ax.set_title(
    "Two searches pay for sixty problems; without experience the second costs "
    f"{spent / sum(task.prefixes for task in towers[:3]):,.0f} times as much",
    fontsize=11,
)
fig.savefig(flags.out / "viz" / "cost.png")

# ---- probabilities before and after boostq -------------------------------------------------------
tokens = instruction_set(config.instructions)
ordered = Language(tokens, BIAS, warm.experience)
fig, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True)
for ax, boosts, says in ((axes[0], 0, "before"), (axes[1], 1, "after boostq")):
    heights = [share(ordered.odds((token,), boosts)) for token in tokens]
    colours = [ORANGE if token in solver[1:] else "#BBBBBB" for token in tokens]
    ax.bar(range(len(tokens)), heights, color=colours)
    product = float(np.prod([share(ordered.odds((token,), boosts)) for token in solver[1:]]))
    ax.text(
        len(tokens) - 0.5,
        0.17,
        f"{says}: the seven tokens of the program\nhave probability {product:.1e}",
        ha="right",
        va="center",
        weight="bold",
    )
    ax.set(ylabel="probability", ylim=(0, 0.27))
axes[1].set_xticks(range(len(tokens)), tokens, rotation=60, ha="right")
axes[0].set_title("boostq makes the first program's instructions probable; three are needed again")
axes[0].text(
    -0.5, 0.25, "orange: instructions of the program for Hanoi", color="#B37800", va="center"
)
fig.savefig(flags.out / "viz" / "boost.png")

# ---- gain against the number of instructions -----------------------------------------------------
fig, ax = plt.subplots(figsize=(8, 4.8))
sizes = np.arange(9, 101)
exact = []
for size in sizes:
    sized = instruction_set(int(size))
    exact.append(
        share(Language(sized, BIAS, warm.experience).odds(UNIVERSAL))
        / share(Language(sized, BIAS).odds(UNIVERSAL[1:]))
    )
ax.plot(sizes, exact, color=BLACK)
ax.text(100, 17, "line: by how much experience raises\nthe probability of the program", ha="right")
path = Path(__file__).with_name("study.json")
study = {"sizes": []}
if path.exists():
    study = json.loads(path.read_text("utf-8"))["records"][0]["metrics"]
for size in study["sizes"]:
    ratios = np.divide(study[f"cold_all_prefixes_{size}"], study[f"warm_all_prefixes_{size}"])
    ax.plot(
        np.full(len(ratios), size),
        ratios,
        "o",
        color=GREEN,
        alpha=0.7,
        markersize=6,
        markeredgewidth=0,
    )
if study["sizes"]:
    ax.text(
        100,
        55,
        "dots: prefixes tested without\nexperience over with it, measured",
        color=GREEN,
        weight="bold",
        ha="right",
    )
paper = (74 / 876) ** 7 / ((1 / 511) ** 4)
ax.plot(73, paper, "D", color=BLACK)
ax.text(73, paper * 0.7, "the paper's programs,\n73 instructions", ha="center", va="top")
ax.set(
    xscale="log",
    yscale="log",
    xlim=(8, 105),
    xlabel="instructions of the language, n$_Q$",
    ylabel="gain from experience, times",
)
ax.set_xticks([9, 12, 16, 24, 32, 50, 73, 100], ["9", "12", "16", "24", "32", "50", "73", "100"])
ax.minorticks_off()
ax.set_title("The more instructions there are, the more it helps to know which ones matter")
fig.savefig(flags.out / "viz" / "gain.png")


# ---- the program at work -------------------------------------------------------------------------
class Watched(Machine):
    """Records when each call begins and ends, and the pegs after each move."""

    def call(self, n, frame):
        begin, place = self.steps, len(self.spans)
        self.spans.append(None)
        self.depth += 1
        try:
            super().call(n, frame)
        finally:
            self.depth -= 1
            self.spans[place] = n, frame, self.depth, begin, self.steps

    def execute(self, token, w, frame):
        if token == "mvdsk":
            self.moved.append((self.steps, frame))
        return super().execute(token, w, frame)


machine = Watched("B", 3, 10**6)
machine.spans, machine.moved, machine.depth = [], [], 0
try:
    for token in solver:
        machine.read(token)
except Goal:
    pass
fig, (pegs, calls) = plt.subplots(2, 1, figsize=(10, 5.6), height_ratios=[1, 1.6])
env, colours = [[3, 2, 1], [], []], {1: ORANGE, 2: SKY, 3: BLUE}
for slot, (at, frame) in enumerate([(None, None), *machine.moved]):
    if frame:
        env[frame[2]].append(env[frame[0]].pop())
        pegs.text(slot, -0.45, f"{frame[0]} to {frame[2]}", ha="center", va="top", fontsize=9)
        calls.axvline(at, color=GREY, linewidth=0.6, zorder=0)
        line = ConnectionPatch(
            (slot, -1.2),
            (at, 0.1),
            "data",
            "data",
            axesA=pegs,
            axesB=calls,
            color=GREY,
            linewidth=0.6,
        )
        fig.add_artist(line)
    for peg in range(3):
        x = slot + (peg - 1) * 0.28
        pegs.plot([x, x], [0, 3.4], color=GREY, linewidth=0.8, zorder=0)
        for height, disk in enumerate(env[peg]):
            half = 0.03 + 0.033 * disk
            pegs.add_patch(
                plt.Rectangle(
                    (x - half, height + 0.05), 2 * half, 0.9, color=colours[disk], linewidth=0
                )
            )
    pegs.plot([slot - 0.42, slot + 0.42], [0, 0], color=GREY, linewidth=0.8)
pegs.set(xlim=(-0.5, 7.5), ylim=(-1.4, 3.6))
pegs.axis("off")
pegs.set_title("One body of five tokens, called by itself, moves three disks", pad=14)
for n, frame, depth, begin, end in machine.spans:
    if n:
        calls.add_patch(
            plt.Rectangle(
                (begin, -depth), end - begin, -0.8, color=colours[n], alpha=0.85, linewidth=0
            )
        )
        calls.text(
            (begin + end) / 2,
            -depth - 0.4,
            f"n = {n}: {frame[0]} to {frame[2]}",
            ha="center",
            va="center",
            color="white" if n == 3 else BLACK,
            fontsize=9,
            clip_on=True,
        )
calls.set(ylim=(-3.6, 0.1), yticks=(), xlim=(0, machine.steps + 1), xlabel="step of the program")
calls.spines["left"].set_visible(False)
calls.text(
    machine.steps / 2,
    -3.25,
    " ".join(solver),
    fontsize=11,
    weight="bold",
    va="center",
    ha="center",
    bbox={"facecolor": "white", "edgecolor": "none"},
    zorder=4,
)
fig.savefig(flags.out / "viz" / "trace.png")
