# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of pipe-symbolic-regression: the prototype tree takes sides while what it
writes snaps onto the quartic."""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Wedge
from PIL import Image
from pipe_symbolic_regression import (
    ARITY,
    NAMES,
    QUICK,
    Config,
    Pipe,
    answer,
    proved,
    quartic,
    quartic_task,
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

TITLE = "A tree of probabilities takes sides until it writes the formula exactly"
FRAMES = 12 if flags.quick else 60
INK = {"+": BLUE, "-": GREEN, "*": RED, "%": PINK, "x": "#DDDDDD"}
config = Config(**QUICK) if flags.quick else Config()


# ---- one search, followed ------------------------------------------------------------------------
class Watched(Pipe):
    """A search that keeps its tree and its best program after each generation."""

    def __init__(self, *given):
        super().__init__(*given)
        self.film = []

    def generation(self):
        super().generation()
        self.film.append((self.programs, self.error, self.vectors(), self.best))

    def vectors(self):
        """Return the vectors of all nodes in heap order, (N, I); a missing node is as new."""
        nodes, levels = [self.root], []
        for level in range(self.config.levels):
            new = self.first[int(level == self.config.levels - 1)]
            levels.append([node.p if node else new for node in nodes])
            nodes = [child for node in nodes for child in (node.children if node else [None] * 2)]
        return np.array(sum(levels, []))


def median_seed():
    """Return the recorded seed that took the median number of programs."""
    path = Path(__file__).resolve().with_name("results.json")
    recorded = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    took = {r["seed"]: r["metrics"].get("quartic.evaluations") for r in recorded}
    if flags.quick or not took or None in took.values():
        return flags.seed
    return sorted(took, key=took.get)[len(took) // 2]


def follow(seed):
    """Search for the quartic as run() does with this seed."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    return Watched(config, quartic_task(), config.quartic_evaluations, rng).search(lambda *_: None)


# ---- one frame -----------------------------------------------------------------------------------
def visits(p):
    """Return the probability that a program comes to each node (N,)."""
    arity = np.array(ARITY)  # (I,)
    seen = np.zeros(len(p))
    seen[0] = 1
    for node in range(len(p) // 2):
        for side in (0, 1):
            seen[2 * node + 1 + side] = seen[node] * p[node, arity > side].sum()
    return seen


def heap(program, node=0):
    """Return the instruction in each node that a program passes, by its place in heap order."""
    found = {node: program.op}
    for side, argument in enumerate(program.arguments):
        found |= heap(argument, 2 * node + 1 + side)
    return found


def text(program):
    """Return a program of + - * % and x as a formula."""
    words = [text(part) for part in program.arguments]
    return f"({NAMES[program.op].join(words)})" if words else NAMES[program.op]


def draw_tree(ax, p, program):
    """Draw the tree, each pie as large as a visit is probable; black: the best program so far."""
    seen, ours = visits(p), heap(program)
    levels = config.levels
    where = [
        ((k + 0.5) * 2.0 ** (levels - level), -level * 7.0)
        for level in range(levels)
        for k in range(2**level)
    ]
    for node in np.flatnonzero((seen > 0.01) | [n in ours for n in range(len(p))]):
        edge, width = (BLACK, 1.4) if node in ours else ("#BBBBBB", 0.6)
        if node:
            ax.plot(*zip(where[(node - 1) // 2], where[node]), color=edge, lw=width, zorder=1)
        radius = (0.55 + 1.4 * seen[node] ** 0.5) * (0.5 if node >= len(p) // 2 else 1)
        angle = 90.0
        for name, color in INK.items():
            turn = 360 * p[node, NAMES.index(name)]
            pie = Wedge(where[node], radius, angle - turn, angle, color=color, lw=0, zorder=2)
            ax.add_patch(pie)
            angle -= turn
        ring = plt.Circle(where[node], radius, fill=False, ec=edge, lw=width, zorder=3)
        ax.add_patch(ring)
    for k, (name, color) in enumerate(INK.items()):
        ink = "#777777" if name == "x" else color
        ax.text(0.5 + 4.4 * k, -0.8, name, color=ink, weight="bold", fontsize=14, ha="center")
    ax.set(xlim=(-1, 65), ylim=(-37, 3), aspect="equal")
    ax.axis("off")


def draw_curve(ax, program, error):
    """Draw what the best program says, and what is wanted."""
    x = np.linspace(-1, 1, 201)  # (X,)
    ax.plot(x, answer(program, x), color=BLUE, lw=2.4)
    ax.plot(x, quartic(x), **PAPER)
    ax.set(xlim=(-1, 1), ylim=(-1.5, 4.3), xlabel="x", xticks=(-1, 0, 1), yticks=(0, 2, 4))
    ax.text(-0.93, 3.7, "dashed: wanted", fontsize=10)
    ax.text(-0.93, 3.1, "best program so far", color=BLUE, fontsize=10)
    right = error < 0.005
    words = "no error at the 20 points" if right else f"sum of errors {error:.2f}"
    ax.set_title(words, fontsize=11, color=GREEN if right else BLACK)


def draw(figure, pipe, step):
    """Draw one frame."""
    figure.clear()
    programs, error, p, program = pipe.film[step]
    solved = step == len(pipe.film) - 1 and pipe.exact and proved(program)
    draw_tree(figure.add_axes((0.01, 0.09, 0.6, 0.72)), p, program)
    draw_curve(figure.add_axes((0.66, 0.2, 0.31, 0.5)), program, error)
    figure.text(0.02, 0.95, TITLE, fontsize=13, weight="bold", va="center")
    formula = text(program)
    formula = formula if len(formula) <= 86 else formula[:85] + "…"
    figure.text(0.02, 0.875, f"{programs:,} programs", fontsize=11, va="center")
    style = {"family": "DejaVu Sans Mono", "fontsize": 9, "color": BLUE, "va": "center"}
    figure.text(0.21, 0.872, formula, **style)
    said = "Pies: what each node of the tree would write. Black: the best program so far."
    said = "It is $x^4 + x^3 + x^2 + x$ everywhere, proved in exact fractions." if solved else said
    figure.text(0.02, 0.04, said, fontsize=11, color=GREEN if solved else BLACK)


# ---- all frames ----------------------------------------------------------------------------------
pipe = follow(median_seed())
steps = np.unique(np.linspace(0, len(pipe.film) - 1, min(FRAMES, len(pipe.film))).astype(int))
figure = plt.figure(figsize=(8.4, 4.8), layout="none")
images = []
for step in steps:
    draw(figure, pipe, step)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [int(7500 / len(images) / 10) * 10] * (len(images) - 1) + [2000]
sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::9]]))
palette = sample.quantize(48)
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
options = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(
    flags.out / "pipe_symbolic_regression.gif",
    save_all=True,
    append_images=images[1:],
    duration=milliseconds,
    **options,
)
