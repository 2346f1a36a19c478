# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of levin-count-inputs: a small search, program by program, until one writes
ones everywhere."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from levin_count_inputs import TRAINING, Config, listing, search
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

LANES, CELLS = 20, 14  # what is shown: so many programs side by side, so many cells of each
config = replace(Config(), lanes=LANES, runs=300 if flags.quick else 20_000)
history = []
TITLE = "Three examples are enough: most that fits writes ones everywhere"


class Found(Exception):
    """Ends the search at the first program that generalises."""


def watch(lanes, over):
    if len(over) < LANES:  # the search is running out
        return
    history.append(
        (
            lanes.run.copy(),
            lanes.end.copy(),
            lanes.cells[:, config.work_cells :][:, :CELLS].copy(),
            lanes.ip.copy(),
            over.copy(),
            lanes.weights.copy(),
            lanes.age.copy(),
            lanes.code.copy(),
        )
    )
    if (lanes.weights[over] == 1).all(-1).any():
        raise Found((lanes.weights == 1).all(-1).argmax())


try:
    search(config, np.random.default_rng(flags.seed), TRAINING[None], callback=watch)
    lane = 0
except Found as ending:
    lane = int(ending.args[0])
born = len(history) - int(history[-1][-2][lane])
steps = [
    *range(26),
    *np.geomspace(30, max(born - 1, 40), 22).astype(int),
    *np.linspace(born, len(history) - 1, 34).astype(int),
]
steps = [min(max(step, 0), len(history) - 1) for step in steps]

frames = []
fig = plt.figure(figsize=(8, 4.6), dpi=80, layout="none")
grid, strip = fig.add_axes((0.02, 0.13, 0.60, 0.68)), fig.add_axes((0.68, 0.20, 0.29, 0.50))
found = listing(
    config, history[-1][-1][lane][: history[-1][1][lane]].tolist(), int(history[-1][-2][lane])
)
for step in steps:
    run, end, cells, ip, over, weights, age, _ = history[step]
    for ax in (grid, strip):
        ax.clear()
        ax.set(xticks=(), yticks=())
        for spine in ax.spines.values():
            spine.set_visible(False)
    colours = np.ones((LANES, CELLS, 3))
    for row in range(LANES):
        winner = row == lane and step >= born
        for cell in range(min(end[row], CELLS)):
            at = cell == ip[row] and not over[row]
            shade = ORANGE if winner else GREY if over[row] else SKY
            colours[row, cell] = plt.matplotlib.colors.to_rgb(BLUE if at else shade)
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
    best = lane if step >= born else int((weights == 1).sum(-1).argmax())
    image = np.where(weights[best] == 0, 0.0, np.where(weights[best] == 1, 1.0, 0.4)).reshape(
        10, 10
    )
    strip.imshow(
        image, cmap=plt.matplotlib.colors.ListedColormap(["#EEEEEE", GREY, GREEN]), vmin=0, vmax=1
    )
    strip.set_title(f"{(weights[best] == 1).sum()} of 100 weights are 1", fontsize=11)
    strip.text(4.5, 10.7, f"program {run[best] + 1:,}, step {age[best]}", ha="center", fontsize=9)
    fig.texts.clear()
    fig.text(
        0.02,
        0.07,
        "Each row is a program, guessed cell by cell as it runs. Dark: the next instruction; grey: "
        "it just died.",
        fontsize=9,
    )
    last = step == len(history) - 1
    says = (
        f"{found}  writes 1 everywhere: right on all 161,700 inputs."
        if last
        else (
            "Nearly all die within a few steps."
            if step < born
            else "This one lives, and writes ones."
        )
    )
    fig.text(0.02, 0.93, TITLE, fontsize=12.5, weight="bold")
    fig.text(0.02, 0.02, says, fontsize=9, weight="bold")
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
palette = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames[::9]])).quantize(40)
colours = np.array(palette.getpalette()).reshape(-1, 3)
colours[colours.min(1) > 248] = 255
palette.putpalette(colours.ravel().tolist())
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
frames[0].save(
    flags.out / "levin_count_inputs.gif",
    save_all=True,
    append_images=frames[1:],
    duration=[110] * (len(frames) - 1) + [2500],
    loop=0,
)
