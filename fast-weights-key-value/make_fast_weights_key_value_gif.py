# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: a car is parked, a fast weight fills, and the answer pops up at every question.

Keys are blue, values orange, memories grey.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fast_weights_key_value import QUICK, Config, FastWeights, life, train
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch
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

BAYS = (3.6, 5.6, 7.6)  # where the three slots are, and the fast weights below them
ROAD, BAY, MEMORY, ANSWER = 7.0, 5.45, 3.35, 1.6  # heights
DARK = "#555555"


# ---- the life of one net ----
class Filmed(FastWeights):
    """Nets of which one is watched: what it sees, is asked and answers at every step."""

    watched = 0

    def answer(self, x, asked):
        y = super().answer(x, asked)
        n = self.watched
        self.film.append((*x[:, n], asked[n], *self.w[:, n]))
        return y

    def learn(self, error, asked):
        super().learn(error, asked)
        self.errors.append(np.abs(error[:, self.watched]).max())


@dataclass
class Life:
    """One net at every step of its training."""

    x: np.ndarray  # (T, 6) detectors, distracting bits
    asked: np.ndarray  # (T,)
    w: np.ndarray  # (T, 3) fast weights
    slot: np.ndarray  # (T,) where the car was last parked
    right: np.ndarray  # (T,) whether the answer was within the tolerance, nan if not asked
    solved: int  # steps until 100 questions in a row were answered right, or all


def filmed_life(config, seed):
    """Train the nets of run() twice: to choose the one with the median time, and to film it."""

    def trained():
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]
        net = Filmed(streams[0], config)
        net.film, net.errors = [], []
        moments = life(streams[1], config.nets, config.steps, config)
        return net, train(net, moments, config, lambda *_: None)[1]

    _, solved = trained()
    able = np.flatnonzero(np.isfinite(solved))
    order = able[np.argsort(solved[able], kind="stable")]
    Filmed.watched = order[order.size // 2] if order.size else 0
    net, _ = trained()
    film = np.array(net.film)  # (T, 10)
    parks = film[:, :3].any(1)  # (T,)
    last = np.maximum.accumulate(np.where(parks, np.arange(len(film)), 0))  # (T,) of the parkings
    slot = film[last, :3].argmax(1)
    right = np.where(film[:, 6] > 0, np.array(net.errors) <= config.tolerance, np.nan)
    end = int(min(solved[Filmed.watched], config.steps))
    return Life(film[:, :6], film[:, 6], film[:, 7:], slot, right, end)


# ---- one frame ----
def box(ax, center, size, fill, edge, width=1.6):
    """Draw a rectangle with round corners around a centre."""
    corner = (center[0] - size[0] / 2, center[1] - size[1] / 2)
    shape = "round,pad=0,rounding_size=0.12"
    ax.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, fc=fill, ec=edge, lw=width))


def car(ax, x, y):
    """Draw a car from above, in the colour of a value."""
    box(ax, (x, y), (1.25, 0.66), ORANGE, "#8A5F00")
    box(ax, (x + 0.05, y), (0.5, 0.5), "#FFF3D6", "#8A5F00", 1.0)


def draw_place(ax, film, t, k):
    """Draw the road, the three slots, the detectors above them, and the car."""
    ax.add_patch(plt.Rectangle((2.5, ROAD - 0.48), 6.2, 0.96, fc="#EEEEEE", ec="none"))
    for i, x in enumerate(BAYS):
        ax.plot(
            [x - 0.85, x - 0.85, x + 0.85, x + 0.85],
            [BAY + 0.75, BAY - 0.5, BAY - 0.5, BAY + 0.75],
            color=GREY,
            lw=1.6,
        )
        lamp = ORANGE if film.x[t, i] else "white"
        ax.add_patch(plt.Circle((x + 0.6, BAY - 0.22), 0.14, fc=lamp, ec=DARK, lw=1.2))
        ax.text(x - 0.6, BAY - 0.25, f"{i + 1}", color=DARK, ha="center", va="center")
    if film.asked[t]:
        car(ax, BAYS[film.slot[t]], BAY + 0.36)
    else:
        car(ax, 3.3 + 1.55 * (k % 4), ROAD)
    for i in range(3):
        on = film.x[t, 3 + i]
        ax.add_patch(
            plt.Circle((0.65 + 0.5 * i, BAY), 0.17, fc=GREY if on else "white", ec=DARK, lw=1.2)
        )
    ax.text(1.15, BAY - 0.55, "bits that\nmean nothing", ha="center", va="top", color=DARK)
    ax.text(2.35, ROAD, "driving", ha="right", va="center", color=DARK)


def draw_memory(ax, film, t):
    """Draw the name, the three fast weights as grey cells, and the answers."""
    asked = film.asked[t] > 0
    box(ax, (1.15, 2.45), (2.0, 0.95), BLUE if asked else "white", BLUE)
    style = {"ha": "center", "va": "center", "weight": "bold"}
    ax.text(1.15, 2.45, "where is\nmy car?", color="white" if asked else BLUE, **style)
    for i, x in enumerate(BAYS):
        w = film.w[t, i]
        box(ax, (x, MEMORY), (1.3, 0.95), plt.cm.Greys(w / 1.15), DARK)
        ax.text(
            x, MEMORY, f"{w:.2f}", color="white" if w > 0.6 else BLACK, ha="center", va="center"
        )
    ax.text(8.75, MEMORY, "fast\nweights", va="center", color=DARK)
    ax.text(8.75, ANSWER, "answer", va="center", color=DARK)
    if asked:
        best = film.w[t].argmax()
        ax.annotate(
            "",
            (BAYS[best], ANSWER + 0.5),
            (BAYS[best], MEMORY - 0.5),
            arrowprops={"arrowstyle": "-|>", "color": BLACK, "lw": 1.6},
        )
        right = film.right[t] == 1
        box(
            ax,
            (BAYS[best], ANSWER),
            (1.5, 0.85),
            ORANGE if right else "white",
            GREEN if right else RED,
            2.4,
        )
        mark, color = ("✓", BLACK) if right else ("✗", RED)
        ax.text(BAYS[best], ANSWER, f"slot {best + 1} {mark}", color=color, **style)


def draw_progress(ax, film, share, t):
    """Draw the share of right answers up to now."""
    x0, width, y0, height = 11.1, 4.3, 2.1, 4.4
    many = film.solved * 13 // 10
    ax.plot([x0, x0, x0 + width], [y0 + height, y0, y0], color=BLACK, lw=1)
    steps = np.linspace(0, min(t, many - 1), 200).astype(int)
    ax.plot(x0 + width * steps / many, y0 + height * share[steps], color=GREEN, lw=2)
    ax.plot(x0 + width * min(t, many) / many, y0 + height * share[t], "o", color=GREEN, ms=7)
    for level in (0, 0.5, 1):
        ax.text(x0 - 0.12, y0 + height * level, f"{level:.0%}", ha="right", va="center")
    ax.text(
        x0 + width / 2,
        y0 + height + 0.55,
        "right answers, last 200 steps",
        ha="center",
        va="center",
        color=DARK,
    )
    ax.text(x0 + width / 2, y0 - 0.4, f"step {t + 1:,}", ha="center", va="center", weight="bold")


def draw(figure, film, share, t, k, caption):
    """Draw the net at step t."""
    figure.clear()
    ax = figure.add_axes((0, 0, 1, 1))
    title = "A parked car fills one fast weight, and the weight answers for as long as it stays"
    ax.text(0.25, 8.5, title, fontsize=12.5, weight="bold", va="center")
    draw_place(ax, film, t, k)
    draw_memory(ax, film, t)
    draw_progress(ax, film, share, t)
    ax.text(8, 0.45, caption, ha="center", va="center", fontsize=11.5)
    ax.set(xlim=(0, 16), ylim=(0, 9))
    ax.axis("off")


# ---- all frames ----
def scene(film, start, many, words):
    """Show some steps from a parking on: (step, caption, milliseconds) of each frame."""
    parks = np.flatnonzero(film.x[start:, :3].any(1)) + start
    first = parks[0] if parks.size else start
    for t in range(first, min(first + many, len(film.x))):
        yield t, words, 200


def frames(film):
    """Return every frame in order."""
    end = film.solved
    many = 5 if flags.quick else 12
    yield from scene(
        film, end // 40, many, "Early: nothing is learned yet, and most answers are wrong"
    )
    yield from scene(film, end * 6 // 10, many, "Later: the weights begin to follow the car")
    steps = list(
        scene(film, end, 2 * many, "Late: the detector is on for one step, the weight remembers")
    )
    held = [t for t, *_ in steps if film.asked[t] and not film.x[t, :3].any()]
    last = held[-1] if held else steps[-1][0]  # a question that only the memory can answer
    yield from (step for step in steps if step[0] < last)
    yield last, f"After {end:,} steps: a hundred questions in a row answered right", 2000


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in images[::6]])
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


film = filmed_life(Config(**(QUICK if flags.quick else {})), flags.seed)
counted = np.nan_to_num(film.right)  # (T,)
window = np.ones(200)
questions = np.convolve(film.asked, window)[: len(counted)]  # (T,) of the last 200 steps
share = np.convolve(counted, window)[: len(counted)] / np.maximum(questions, 1)
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for k, (t, caption, duration) in enumerate(frames(film)):
    draw(figure, film, share, t, k, caption)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)
write_gif(flags.out / "fast_weights_key_value.gif", images, milliseconds)
