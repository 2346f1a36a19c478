# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of oops-towers-of-hanoi into viz/. What searches cost comes from the records."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import study_oops_towers_of_hanoi as study
from matplotlib.patches import ConnectionPatch
from oops_towers_of_hanoi import (
    BIAS,
    HANOI,
    Config,
    Language,
    Machine,
    instruction_set,
    run_program,
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

(flags.out / "viz").mkdir(exist_ok=True)
SOLVER = ("boostq", *HANOI)
WRITER = ("defnp", "w1", "calltp", "w2", "endnp")


# ---- the program at work ----
class Watched(Machine):
    """Notes when each call begins and ends, and the step and the frame of each move."""

    LIMIT = 10**6
    spans, moves, depth = [], [], 0

    def call(self, procedure, n, frame):
        begin, place = self.LIMIT - self.steps_left, len(self.spans)
        self.spans.append(None)
        self.depth += 1
        try:
            super().call(procedure, n, frame)
        finally:
            self.depth -= 1
            self.spans[place] = n, frame, self.depth, begin, self.LIMIT - self.steps_left

    def act(self, token, frame):
        self.moves.append((self.LIMIT - self.steps_left, frame))
        super().act(token, frame)


machine = Watched("B")
_, used, _ = run_program(machine, 3, SOLVER, Watched.LIMIT)
fig, (pegs, calls) = plt.subplots(2, 1, figsize=(9, 5.4), height_ratios=[1, 1.5])
env, colours = [[3, 2, 1], [], []], {1: ORANGE, 2: SKY, 3: BLUE}
for slot, (at, frame) in enumerate([(None, None), *machine.moves]):
    if frame:
        env[frame[2]].append(env[frame[0]].pop())
        pegs.text(slot, -0.4, f"{frame[0]} to {frame[2]}", ha="center", va="top")
        calls.axvline(at, color=GREY, linewidth=0.6, zorder=0)
        ends = (slot, -1.25), (at, 0.1)
        fig.add_artist(
            ConnectionPatch(*ends, "data", "data", axesA=pegs, axesB=calls, color=GREY, lw=0.6)
        )
    else:
        pegs.text(slot, -0.4, "start", ha="center", va="top")
    for peg in range(3):
        x = slot + (peg - 1) * 0.29
        pegs.plot([x, x], [0, 3.4], color=GREY, linewidth=0.8, zorder=0)
        for height, disk in enumerate(env[peg]):
            half = 0.035 + 0.033 * disk
            box = plt.Rectangle((x - half, height + 0.05), 2 * half, 0.9, color=colours[disk], lw=0)
            pegs.add_patch(box)
    pegs.plot([slot - 0.43, slot + 0.43], [0, 0], color=GREY, linewidth=0.8)
pegs.set(xlim=(-0.5, 7.5), ylim=(-1.4, 3.6))
pegs.axis("off")
pegs.set_title("Eight tokens move any tower: here three disks", pad=12)
for n, frame, depth, begin, end in machine.spans:
    if n:
        box = (begin, -depth - 1), end - begin, 0.8
        calls.add_patch(plt.Rectangle(*box, color=colours[n], linewidth=0))
        says = f"n = {n}: {frame[0]} to {frame[2]}"
        ink = "white" if n == 3 else BLACK
        calls.text(
            (begin + end) / 2, -depth - 0.6, says, ha="center", va="center", color=ink, fontsize=9
        )
calls.set(ylim=(-3.9, 0.1), yticks=(), xlim=(0, used + 1), xlabel="step of the program")
calls.spines["left"].set_visible(False)
calls.text(3.5, -0.35, "calls in progress", ha="center", color=GREY)
white = {"facecolor": "white", "edgecolor": "none"}
where = {"va": "center", "ha": "center", "bbox": white, "zorder": 4}
calls.text(used / 2, -3.5, " ".join(SOLVER), fontsize=12, weight="bold", **where)
fig.savefig(flags.out / "viz" / "trace.png")


# ---- what each problem costs ----
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # it breaks the paper's line
LABEL = {"ha": "center", "weight": "bold", "bbox": PLATE, "zorder": 5}


def short(count):
    """Return a count for a label: 164 thousand, 50 million, 8.7 billion."""
    for size, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if count >= size:
            digits = 1 if count < 10 * size else 0
            return f"{count / size:.{digits}f} {name}"
    return f"{count:.0f}"


def records_of_study():
    """Return the metrics of each recorded seed of the study, or those of a quick run."""
    path = Path(__file__).with_name("study.json")
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    table = study.run(replace(study.Config(), **study.QUICK), flags.seed, lambda *_: None)
    rows = [(f"{row}.", part) for row, part in table.items() if isinstance(part, dict)]
    return [{f"{row}{name}": value for row, part in rows for name, value in part.items()}]


records = records_of_study()
fig, ax = plt.subplots(figsize=(9, 5))
ticks, labels, place = [], [], 0
for name, colour, says in (
    ("warm", GREEN, "with experience"),
    ("cold", RED, "without experience"),
):
    prefixes = np.array([record[f"tasks.{name}_prefixes"] for record in records])  # (seeds, n)
    states = np.array([record[f"tasks.{name}_walked"] for record in records])  # (seeds, n)
    for n in range(prefixes.shape[1]):
        x = place + n
        middle = float(np.median(prefixes[:, n]))
        ax.bar(x, middle, color=colour, width=0.8, alpha=0.85, zorder=1)
        ax.plot(np.full(len(records), x), prefixes[:, n], "o", color=BLACK, ms=3, zorder=3)
        ax.text(x, prefixes[:, n].max() * 2, short(middle), color=colour, **LABEL)
        walked = float(np.median(states[:, n]))
        ax.plot([x - 0.4, x + 0.4], [walked, walked], color=BLACK, linewidth=2.4, zorder=4)
    ticks += range(place, place + prefixes.shape[1])
    labels += [f"n = {n}" for n in range(1, prefixes.shape[1] + 1)]
    middle_of_group = place + (prefixes.shape[1] - 1) / 2
    ax.annotate(
        f"Hanoi {says}",
        (middle_of_group, 0),
        (0, -34),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        color=colour,
        weight="bold",
    )
    place += prefixes.shape[1] + 1
ax.axhline(9.4e10, **PAPER)
ax.text(-0.6, 1.2e11, "the paper's whole run, both classes, 73 instructions", va="bottom")
ax.set_xticks(ticks, labels)
ax.set(yscale="log", ylim=(1, 3e12), xlim=(-0.7, place - 1.3))
ax.set_ylabel("prefixes of programs, for each problem")
ax.text(0.02, 0.8, "bars: counted, as in the paper", transform=ax.transAxes)
ax.text(0.02, 0.74, "black lines: states walked, equal ones once", transform=ax.transAxes)
ax.set_title("Hanoi is cheap because of the ones and twos, if prefixes are counted")
ax.tick_params(axis="x", length=0)
fig.get_layout_engine().set(rect=(0, 0.05, 1, 0.95))
fig.savefig(flags.out / "viz" / "cost.png")

# ---- probabilities before and after boostq ----
tokens = instruction_set(Config().instructions)
language = Language(tokens, BIAS, WRITER)
fig, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True)
for ax, boosts, says in ((axes[0], 0, "before boostq"), (axes[1], 1, "after boostq")):
    longer = dict(language.continuations((1, 1, boosts)))
    heights = {token: longer[token][0] / longer[token][1] for token in tokens}
    colours = [ORANGE if token in HANOI else GREY for token in tokens]
    ax.bar(range(len(tokens)), heights.values(), color=colours)
    product = float(np.prod([heights[token] for token in HANOI]))
    power = int(np.floor(np.log10(product)))
    number = rf"{product / 10.0**power:.1f} $\times$ 10$^{{{power}}}$"
    where = {"ha": "right", "va": "center", "weight": "bold"}
    text = f"{says}: the seven tokens that move towers\ntogether have probability {number}"
    ax.text(len(tokens) - 0.5, 0.17, text, **where)
    ax.set(ylabel="probability", ylim=(0, 0.25))
axes[1].set_xticks(range(len(tokens)), tokens, rotation=60, ha="right")
axes[0].set_title("boostq makes the right seven tokens likely")
axes[0].text(-0.5, 0.227, "orange: the six instructions of these tokens", color="#B37800")
fig.savefig(flags.out / "viz" / "boost.png")
