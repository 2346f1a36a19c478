# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2", "matplotlib", "pillow"]
# ///
"""Draw the animation of pipe-6-bit-parity: the chessboard fills in while the top of the prototype
tree takes sides."""

import argparse
import json
import textwrap
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Wedge
from PIL import Image
from pipe_6_bit_parity import ARITY, QUICK, Config, Parity, grow, simplified, text, train

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

# the first recorded seed, from --seed on, that was solved: a run that fails has no chessboard to
# show
recorded = Path(__file__).with_name("results.json")
recorded = (
    json.loads(recorded.read_text("utf-8"))["records"]
    if recorded.exists() and not flags.quick
    else []
)
SEED = next(
    (r["seed"] for r in recorded if r["seed"] >= flags.seed and r["metrics"]["solved"]), flags.seed
)

config = replace(Config(), **QUICK) if flags.quick else Config()
TITLE = "From half right to all 64 rows: the tree comes to write 6-bit parity"
FRAMES, LEVELS = (12, 4) if flags.quick else (75, 4)
task = Parity(config.inputs)
ARITY = np.array(ARITY + (0,) * task.n)
INK = (
    BLUE,
    SKY,
    RED,
    GREEN,
    *(str(0.92 - 0.05 * i) for i in range(task.n)),
)  # AND, OR, NOT, IF, inputs in grey
history = [[] for _ in range(config.trees)]  # of each tree


def watch(trees, state):
    """Keep the top of each prototype tree and its best program in each fifth generation, and in the
    last."""
    elite = state["elite"]
    if state["generations"][0] % 5 and elite["wrong"].min():
        return
    for lane, seen in enumerate(history):
        nodes = [trees.root[[lane]]]
        while len(nodes) < LEVELS:
            nodes.append(trees.child[nodes[-1]].ravel())
        if elite["size"][lane] < 2**40:
            seen.append(([trees.p[level] for level in nodes], elite["ops"][lane]))
    right.append((int(state["evaluations"].sum()), task.rows - elite["wrong"].copy()))


right = []
rng = np.random.default_rng(np.random.SeedSequence(SEED).spawn(4)[0])  # the one of `run`
found = train(config, rng, config.trees, config.evaluations // config.trees, True, callback=watch)
first = int(np.lexsort((found["size"], found["wrong"]))[0])
history = history[first]
right = right[-len(history) :]

across = task.n // 2
GRAY = [[k ^ k >> 1 for k in range(2**bits)] for bits in (across, task.n - across)]
ORDER = np.array(
    [[column | row << across for column in GRAY[0]] for row in GRAY[1]]
)  # the row of the truth table


def draw_board(ax, value):
    """The truth table of a program; neighbouring cells differ in one input, so that parity is a
    chessboard."""
    says, wanted = (
        (np.array([[v >> int(j) & 1 for j in line] for line in ORDER]))
        for v in (value, task.wanted)
    )
    ax.imshow(np.where(says, 0.12, 0.94), cmap="gray", vmin=0, vmax=1)
    for r, c in np.argwhere(says != wanted):
        ax.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, color=RED, alpha=0.75, lw=0))
    ax.set(xticks=[], yticks=[])


def draw_tree(ax, levels):
    """The top of the prototype tree: pies of the vectors, as large as a visit is probable."""
    seen, above = np.ones(1), None
    for depth, p in enumerate(levels):
        width = 27 / len(p)
        where = [((k + 0.5) * width, -6.2 * depth) for k in range(len(p))]
        for k, (x, y) in enumerate(where):
            if seen[k] < 0.03:
                continue
            if depth:
                ax.plot(
                    *zip(above[k // 3], (x, y)), color=str(0.85 - 0.75 * seen[k]), lw=1.3, zorder=1
                )
            radius, angle = (0.25 + 1.2 * seen[k] ** 0.5) * (1, 1, 0.85, 0.45)[depth], 90.0
            for share, colour in zip(p[k], INK):
                if share > 0.002:
                    ax.add_patch(
                        Wedge(
                            (x, y), radius, angle - 360 * share, angle, color=colour, lw=0, zorder=2
                        )
                    )
                    angle -= 360 * share
            ax.add_patch(plt.Circle((x, y), radius, fill=False, ec=BLACK, lw=0.7, zorder=3))
        seen = np.stack([seen * (p * (ARITY > slot)).sum(1) for slot in range(3)], 1).ravel()
        above = where
    for k, (name, colour) in enumerate(zip(("AND", "OR", "NOT", "IF", "inputs"), INK)):
        ax.text(
            0.2,
            1.6 - 1.35 * k,
            name,
            color="#888888" if k == 4 else colour,
            weight="bold",
            fontsize=10,
        )
    ax.set(xlim=(-0.7, 27.7), ylim=(-20.6, 3), aspect="equal")
    ax.axis("off")


frames, durations = [], []
fig = plt.figure(figsize=(8.4, 4.9), dpi=100, layout="none")
shown = np.unique(np.linspace(0, len(history) - 1, min(FRAMES, len(history))).astype(int))
for step in shown:
    (levels, ops), (evaluations, rows) = history[step], right[step]
    fig.clear()
    board, tree = fig.add_axes((0.02, 0.17, 0.36, 0.62)), fig.add_axes((0.41, 0.27, 0.58, 0.57))
    bars = fig.add_axes((0.47, 0.14, 0.5, 0.1))
    program = grow(task, ops)
    draw_board(board, program.value)
    draw_tree(tree, levels)
    colours = [
        GREY if lane != first else GREEN if rows[first] == task.rows else BLUE
        for lane in range(config.trees)
    ]
    bars.bar(
        range(config.trees), rows - task.rows // 2, bottom=task.rows // 2, color=colours, width=0.7
    )
    bars.set(ylim=(task.rows // 2, task.rows), xticks=[], yticks=[task.rows // 2, task.rows])
    bars.set_title(
        f"rows right, {config.trees} trees side by side; shown above: the one in colour",
        fontsize=9,
        weight="normal",
        pad=3,
    )
    solved = rows[first] == task.rows
    fig.text(0.02, 0.95, TITLE, fontsize=13, weight="bold", va="center")
    fig.text(
        0.02,
        0.86,
        f"{evaluations:,} programs, best: {task.rows - program.wrong(task)} of {task.rows} rows",
        fontsize=11,
        va="center",
        color=GREEN if solved else BLACK,
    )
    fig.text(
        0.43,
        0.87,
        "top of the prototype tree: what would each node write?",
        fontsize=11,
        va="center",
    )
    if solved:
        says = "\n".join(
            textwrap.wrap("Solved. Shortened: " + text(task, simplified(task, program)), 108)
        )
        fig.text(0.02, 0.1, says, fontsize=8, weight="bold", va="top")
    else:
        fig.text(
            0.02,
            0.04,
            "Left: truth table of the best program; red: wrong rows. Parity is a chessboard, as "
            "neighbours differ in one input.",
            fontsize=9.5,
        )
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    durations.append(int(7500 / len(shown) / 10) * 10)
palette = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames[::9]])).quantize(64)
table = np.array(palette.getpalette()).reshape(-1, 3)
table[table.min(1) > 248] = 255
palette.putpalette(table.ravel().tolist())
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
frames[0].save(
    flags.out / "pipe_6_bit_parity.gif",
    save_all=True,
    append_images=frames[1:],
    duration=[*durations[:-1], 3000],
    loop=0,
)
