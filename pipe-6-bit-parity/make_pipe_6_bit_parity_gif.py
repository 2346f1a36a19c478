# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of pipe-6-bit-parity: the checkerboard fills in while the top of the prototype
tree takes sides."""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Wedge
from PIL import Image
from pipe_6_bit_parity import ARITY, QUICK, Config, Parity, Pipe

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

TITLE = "A tree of probabilities makes up its mind, and writes 6-bit parity"
FRAMES = 12 if flags.quick else 64
DEPTH = 4  # levels of the prototype tree that are shown
config = Config(**QUICK) if flags.quick else Config()
task = Parity(config.inputs)
GREYS = [str(0.92 - 0.05 * i) for i in range(config.inputs)]
INK = (BLUE, SKY, RED, GREEN, *GREYS)  # AND, OR, NOT, IF, inputs
WORDS = ("AND", "OR", "NOT", "IF", "inputs")


# ---- one search, followed ------------------------------------------------------------------------
class Watched(Pipe):
    """A search that keeps the top of its tree and its best program after every tenth generation."""

    def __init__(self, *given):
        super().__init__(*given)
        self.film = []

    def generation(self):
        super().generation()
        if not self.wrong or self.programs // self.config.population % 10 == 1:
            self.film.append((self.programs, self.best, self.top()))

    def top(self):
        """Return the vectors of the top levels, each (nodes, I); a missing node is as new."""
        levels, nodes = [], [self.root]
        for _ in range(DEPTH):
            levels.append(np.array([node.p if node else self.first[0][0] for node in nodes]))
            nodes = [child for node in nodes for child in (node.children if node else [None] * 3)]
        return levels


def first_solved():
    """Return the first recorded seed, from --seed on, that was solved."""
    path = Path(__file__).resolve().with_name("results.json")
    recorded = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    seeds = [r["seed"] for r in recorded if r["metrics"].get("pipe.solved")]
    return next((seed for seed in seeds if seed >= flags.seed and not flags.quick), flags.seed)


def follow(seed):
    """Search as run() does with this seed; returns the film."""
    stream = np.random.SeedSequence(seed).spawn(3)[0]
    return Watched(config, np.random.default_rng(stream)).search(lambda *_: None).film


# ---- one frame -----------------------------------------------------------------------------------
def gray(bits):
    """Return the numbers below 2^bits in an order in which neighbours differ in one bit."""
    return [k ^ k >> 1 for k in range(2**bits)]


def draw_board(ax, table):
    """Draw a truth table so that neighbouring cells differ in one input; wrong rows are red."""
    across = task.rows.bit_length() // 2
    down = task.rows.bit_length() - 1 - across
    order = np.array([[j | i << across for j in gray(across)] for i in gray(down)])  # (rows, rows)
    says, wanted = (
        np.array([[t >> int(j) & 1 for j in line] for line in order]) for t in (table, task.target)
    )
    ax.imshow(np.where(says, 0.94, 0.12), cmap="gray", vmin=0, vmax=1)
    for r, c in np.argwhere(says != wanted):
        ax.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, color=RED, lw=0))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_pie(ax, place, radius, p):
    """Draw a probability vector."""
    angle = 90.0
    for share, color in zip(p, INK):
        if share > 0.002:
            ax.add_patch(
                Wedge(place, radius, angle - 360 * share, angle, color=color, lw=0, zorder=2)
            )
            angle -= 360 * share
    ax.add_patch(plt.Circle(place, radius, fill=False, ec=BLACK, lw=0.7, zorder=3))


def draw_tree(ax, levels):
    """Draw the top of the prototype tree, each pie as large as a visit is probable."""
    arity = np.array(ARITY[: 4 + config.inputs])  # (I,)
    visited, above = np.ones(1), [(13.5, 0.0)]
    for depth, p in enumerate(levels):
        width = 27 / len(p)
        places = [((k + 0.5) * width, -6.2 * depth) for k in range(len(p))]
        for k, place in enumerate(places):
            if visited[k] < 0.03:
                continue
            if depth:
                shade = str(0.85 - 0.75 * visited[k])
                ax.plot(*zip(above[k // 3], place), color=shade, lw=1.3, zorder=1)
            draw_pie(ax, place, (0.25 + 1.2 * visited[k] ** 0.5) * (1, 1, 0.85, 0.45)[depth], p[k])
        passed = [
            (p * (arity > slot)).sum(1) for slot in range(3)
        ]  # by the programs that come here
        visited = (visited[:, None] * np.stack(passed, 1)).ravel()
        above = places
    ax.set(xlim=(-0.7, 27.7), ylim=(-20.6, 3), aspect="equal")
    ax.axis("off")


def draw_course(ax, film, step):
    """Draw rows right against programs so far."""
    right = [task.rows - task.wrong(task.evaluate(best)) for _, best, _ in film[: step + 1]]
    ax.plot([programs for programs, _, _ in film[: step + 1]], right, color=BLUE)
    ax.set(xlim=(0, film[-1][0] * 1.01), ylim=(task.rows / 2, task.rows * 1.02))
    ax.set_yticks(np.linspace(task.rows // 2, task.rows, 3))
    ax.set_ylabel("rows right")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xticks([0, film[-1][0]])
    ax.set_xlabel("programs evaluated")


def draw(figure, film, step):
    """Draw one frame."""
    figure.clear()
    programs, best, levels = film[step]
    table = task.evaluate(best)
    right = task.rows - task.wrong(table)
    draw_board(figure.add_axes((0.02, 0.3, 0.36, 0.5)), table)
    draw_tree(figure.add_axes((0.42, 0.2, 0.57, 0.62)), levels)
    draw_course(figure.add_axes((0.08, 0.12, 0.3, 0.13)), film, step)
    color = GREEN if right == task.rows else BLACK
    words = f"best program: {right} of {task.rows} rows, {len(best)} node{'s' * (len(best) > 1)}"
    figure.text(0.02, 0.95, TITLE, fontsize=13.5, weight="bold", va="center")
    figure.text(0.02, 0.85, words, fontsize=11, va="center", color=color)
    figure.text(0.44, 0.85, "what each node of the tree would write", fontsize=11, va="center")
    for k, (word, ink) in enumerate(zip(WORDS, INK)):
        ink = "#777777" if word == "inputs" else ink
        figure.text(0.44, 0.78 - 0.047 * k, word, color=ink, weight="bold", va="center")
    told = "Neighbouring cells differ in one input: parity is a checkerboard. Red: wrong rows."
    if right == task.rows:
        told = f"Solved after {programs:,} programs: all {task.rows} rows are right."
    figure.text(
        0.44, 0.09, told if right == task.rows else told.replace(". Red", ".\nRed"), color=color
    )


# ---- all frames ----------------------------------------------------------------------------------
film = follow(first_solved())
steps = np.unique(np.linspace(0, len(film) - 1, min(FRAMES, len(film))).astype(int))
figure = plt.figure(figsize=(8.4, 4.8), layout="none")
images = []
for step in steps:
    draw(figure, film, step)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [int(7500 / len(images) / 10) * 10] * (len(images) - 1) + [2000]
sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::9]]))
palette = sample.quantize(64)
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
options = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(
    flags.out / "pipe_6_bit_parity.gif",
    save_all=True,
    append_images=images[1:],
    duration=milliseconds,
    **options,
)
