# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the modern Hopfield memory: minima while beta rises, then letters recalled."""

import argparse
from pathlib import Path

from modern_hopfield_retrieval import energy, update
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
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

STATE, PATTERN = BLUE, ORANGE  # what asks and what is stored
TITLE = "As β rises, one mean becomes three, then twelve memories: recall in one step"

# ---- the landscape: three clusters of four patterns in the plane ----
ANGLES = np.radians((np.arange(3)[:, None] * 120 + 90 + 18 * (np.arange(4) - 1.5)).ravel())
PLANE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)  # (12, 2)
LIMIT, SETTLE = 1.35, 400
STARTS = 1.28 * np.stack([np.cos(ANGLES + 0.087), np.sin(ANGLES + 0.087)], 1)  # (12, 2)


def ends_at(beta):
    """Return the paths of all states, (U + 1, 12, 2)."""
    path = [STARTS]
    for _ in range(SETTLE):
        path.append(update(path[-1], PLANE, beta))
    return np.array(path)


def count(ends):
    """Count the different end points (12, 2)."""
    same = np.linalg.norm(ends[:, None] - ends, axis=2) < 0.02  # (12, 12)
    return int((same.argmax(1) == np.arange(len(ends))).sum())


def draw_landscape(ax, beta, path):
    """Map the energy and draw the paths."""
    axis = np.linspace(-LIMIT, LIMIT, 141)
    grid = np.stack(np.meshgrid(axis, axis), 2).reshape(-1, 2)
    height = energy(grid, PLANE, beta).reshape(141, 141)
    height -= height.min()
    levels = height.max() * np.linspace(0, 1.0001, 18) ** 2
    ax.contourf(axis, axis, height, levels, cmap="gray", norm=PowerNorm(0.45, 0, levels[-1]))
    for k in range(len(STARTS)):
        ax.plot(*path[:, k].T, color=SKY, lw=1.6)
        ax.plot(*path[0, k], "o", color="white", mec=STATE, ms=5)
        ax.plot(*path[-1, k], "o", color=SKY, ms=8)
    ax.scatter(*PLANE.T, s=26, color=PATTERN, zorder=3, lw=0)
    ax.set(xticks=[], yticks=[], xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT))


def draw_counts(ax, betas, counts):
    """Plot the number of end points up to now."""
    ax.loglog(betas[: len(counts)], counts, color=STATE)
    ax.plot(betas[len(counts) - 1], counts[-1], "o", color=STATE, ms=8)
    ax.set(xlim=(betas[0] / 1.3, betas[-1] * 1.3), ylim=(0.62, 17), xlabel="β, inverse temperature")
    ax.set_yticks([1, 3, 12], ["1", "3", "12"])
    ax.minorticks_off()
    ax.set_title("where twelve states end", fontsize=11, weight="normal")
    for level, name, place, side in (
        (1, "the mean of all", 0.5, "left"),
        (3, "means of clusters", 2.3, "left"),
        (12, "single patterns", 36, "right"),
    ):
        if counts[-1] >= level:
            height = level if side == "right" else 0.88 * level
            align = {"ha": side, "va": "center" if side == "right" else "top"}
            ax.text(place, height, name, color="#555555", **align)


def landscape_frame(figure, betas, k, paths):
    """Draw the landscape at the k-th beta."""
    figure.clear()
    figure.text(0.02, 0.955, TITLE, weight="bold", fontsize=12.5, va="center")
    draw_landscape(figure.add_axes((0.02, 0.06, 0.475, 0.845)), betas[k], paths[k])
    counts = [count(path[-1]) for path in paths[: k + 1]]
    draw_counts(figure.add_axes((0.58, 0.3, 0.39, 0.5)), betas, counts)
    figure.text(0.58, 0.1, "darker: lower energy", color="#555555")
    figure.text(0.58, 0.05, "● pattern", color=PATTERN, weight="bold")
    figure.text(0.72, 0.05, "● state, from its start ○", color=STATE, weight="bold")


# ---- letters: ten stored, six asked for by their upper half ----
FONT = {
    "A": "01110 10001 10001 11111 10001 10001 10001",
    "E": "11111 10000 10000 11110 10000 10000 11111",
    "K": "10001 10010 10100 11000 10100 10010 10001",
    "M": "10001 11011 10101 10101 10001 10001 10001",
    "N": "10001 11001 10101 10011 10001 10001 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "R": "11110 10001 10001 11110 10100 10010 10001",
    "S": "01111 10000 10000 01110 00001 00001 11110",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "Y": "10001 10001 01010 00100 00100 00100 00100",
}
WORD, BETA = "MEMORY", 0.6
LETTERS = np.array([[2.0 * int(c) - 1 for c in rows.replace(" ", "")] for rows in FONT.values()])
BLUES = LinearSegmentedColormap.from_list("state", ["#DCEAF5", "#F6F6F6", STATE])
ORANGES = LinearSegmentedColormap.from_list("pattern", ["#FBEFD5", "#F6F6F6", PATTERN])


def halves():
    """Return the letters of the word with their lower half erased, (6, 35)."""
    queries = LETTERS[[list(FONT).index(letter) for letter in WORD]]
    queries[:, 20:] = 0
    return queries


def draw_letters(figure, images, left, bottom, colors):
    """Draw images (L, 35) side by side."""
    for k, image in enumerate(images):
        ax = figure.add_axes((left + 0.055 * k, bottom, 0.05, 0.13))
        ax.imshow(image.reshape(7, 5), cmap=colors, vmin=-1, vmax=1, aspect="auto")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def letter_frame(figure, stage):
    """Draw the query at stage 0, with the attention at stage 1, and with the answer at stage 2."""
    figure.clear()
    figure.text(0.02, 0.955, TITLE, weight="bold", fontsize=12.5, va="center")
    queries = halves()
    figure.text(0.02, 0.84, "stored: ten letters, 35 pixels each", color=BLACK, weight="bold")
    draw_letters(figure, LETTERS, 0.42, 0.78, ORANGES)
    figure.text(
        0.02, 0.65, "asked: six letters,\ntheir lower half erased", color=STATE, weight="bold"
    )
    draw_letters(figure, queries, 0.02, 0.47, BLUES)
    if stage >= 1:
        weight = np.exp(BETA * queries @ LETTERS.T)  # (6, 10)
        weight /= weight.sum(1, keepdims=True)
        ax = figure.add_axes((0.42, 0.16, 0.545, 0.58))
        ax.imshow(weight, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        ax.set_yticks(range(6), WORD, color=STATE, weight="bold")
        ax.set_xticks(range(10), list(FONT), color=BLACK, weight="bold")
        ax.set_xlabel("softmax(β Xᵀξ): attention to each stored letter", fontsize=11)
    if stage >= 2:
        figure.text(0.02, 0.28, "recalled by one update", color=BLACK, weight="bold")
        draw_letters(figure, update(queries, LETTERS, BETA), 0.02, 0.11, ORANGES)


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in (images[0], images[-4], images[-1])])
    palette = Image.fromarray(sample).quantize(64)
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[colors.min(1) > 248] = 255
    palette.putpalette(colors.ravel().tolist())
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first, *others = images
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size}")


betas = np.geomspace(0.5, 200, 12 if flags.quick else 30)
paths = [ends_at(beta) for beta in betas]
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []


def keep(duration):
    """Keep the figure as a frame."""
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)


for k in range(len(betas)):
    landscape_frame(figure, betas, k, paths)
    keep(900 if k == len(betas) - 1 else 160)
for stage, duration in ((0, 1000), (1, 1300), (2, 2000)):
    letter_frame(figure, stage)
    keep(duration)
write_gif(flags.out / "modern_hopfield_retrieval.gif", images, milliseconds)
