# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of levin-add-positions: guessed programs, then the simplest of study.json
writing the ramp."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from levin_add_positions import (
    ALLOCATE,
    INCREMENT,
    JUMP,
    TRAINING,
    WEIGHTS,
    WRITE,
    Config,
    execute,
    listing,
    search,
)
from PIL import Image

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

TITLE = "Three sums are enough: a guessed program counts, and so writes the ramp"
LANES, CELLS, FLICKER = 16, 12, 26  # programs and cells that are shown, and frames of the search
config = replace(Config(), lanes=LANES, runs=400)
study = Path(__file__).with_name("study.json")
code = []
if study.exists():
    code = json.loads(study.read_text("utf-8"))["records"][0]["metrics"]["simplest_code"]
code = code or [ALLOCATE, 1, WRITE, -1, INCREMENT, -1, JUMP, 2]
guesses, states = [], []


def watch(lanes, over):
    guesses.append(
        (
            lanes.run.copy(),
            lanes.end.copy(),
            lanes.cells[:, config.work_cells :][:, :CELLS].copy(),
            lanes.ip.copy(),
            over.copy(),
        )
    )


search(config, np.random.default_rng(flags.seed), TRAINING[None], callback=watch)
machine, _ = execute(config, code, 1024, lambda machine: states.append(machine.copy()))
states.append(machine)
written = [state.wp for state in states]
marks = sorted({*range(12), *np.searchsorted(written, np.arange(4, WEIGHTS, 4)), len(states) - 1})

frames = []
fig = plt.figure(figsize=(8, 4.6), dpi=80, layout="none")
grid, bars = fig.add_axes((0.02, 0.16, 0.50, 0.64)), fig.add_axes((0.62, 0.20, 0.36, 0.58))
for number in range(FLICKER + len(marks)):
    searching = number < FLICKER
    for ax in (grid, bars):
        ax.clear()
    grid.set(xticks=(), yticks=())
    for spine in grid.spines.values():
        spine.set_visible(False)
    fig.texts.clear()
    if searching:
        run, end, cells, ip, over = guesses[number]
        colours = np.ones((LANES, CELLS, 3))
        for row in range(LANES):
            for cell in range(min(end[row], CELLS)):
                at = cell == ip[row] and not over[row]
                colours[row, cell] = plt.matplotlib.colors.to_rgb(
                    BLUE if at else GREY if over[row] else SKY
                )
                grid.text(
                    cell,
                    row,
                    cells[row, cell],
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if at else BLACK,
                )
        grid.imshow(colours, aspect="auto")
        grid.set_title(f"Program {run.max() + 1:,} has just been guessed", fontsize=11)
        weights, says = (
            np.zeros(WEIGHTS),
            "Nearly all die within a few steps. One in some hundred thousand fits.",
        )
    else:
        state = states[marks[number - FLICKER]]
        tape, work = [*reversed(state.work), *state.program], len(state.work)
        for place, content in enumerate(tape):
            cell = place - work
            changed = content != (0 if cell < 0 else code[cell] if cell < len(code) else None)
            colour = BLUE if cell == state.ip and not state.halted else ORANGE if changed else SKY
            grid.add_patch(plt.Rectangle((place, 0), 0.94, 1, color=colour))
            grid.text(
                place + 0.47,
                0.5,
                content,
                ha="center",
                va="center",
                fontsize=13,
                color="white" if colour == BLUE else BLACK,
            )
            grid.text(place + 0.47, -0.35, cell, ha="center", fontsize=8, color=GREY)
        grid.set(xlim=(-0.1, max(len(tape), 8) + 0.1), ylim=(-2, 3))
        grid.set_title(f"The simplest program of the study, step {state.age}", fontsize=11)
        weights = np.array(state.weights)
        last = number == FLICKER + len(marks) - 1
        says = (
            "All 161,700 sums are right."
            if last
            else "Dark: the next instruction. Orange: the cell it counts in."
        )
        fig.text(0.02, 0.085, listing(config, code, 1024), fontsize=9)
    bars.bar(np.arange(WEIGHTS), weights, color=GREEN, width=0.9)
    bars.set(xlim=(-1, 100), ylim=(0, 105), xlabel="input", ylabel="weight")
    bars.set_title(f"{0 if searching else state.wp} weights written", fontsize=11)
    fig.text(0.02, 0.93, TITLE, fontsize=12.5, weight="bold")
    fig.text(0.02, 0.025, says, fontsize=9, weight="bold")
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3]).quantize(48))
frames[0].save(
    flags.out / "levin_add_positions.gif",
    save_all=True,
    append_images=frames[1:],
    duration=[140] * (len(frames) - 1) + [2500],
    loop=0,
)
