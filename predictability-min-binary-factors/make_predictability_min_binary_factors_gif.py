# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of predictability minimisation: codes flee from where predictors expect them."""

import argparse
from pathlib import Path

from predictability_min_binary_factors import QUICK, ROWS, Config, Game, judge, train
import matplotlib.pyplot as plt
import numpy as np
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

NAME = "non_uniform_1"
ROW = ROWS[NAME]
COLORS = (BLUE, GREEN, PINK, ORANGE)  # of the four patterns


class Filmed(Game):
    """Nets whose codes and guesses are kept before every update."""

    def update(self, x, weight):
        _, y = self.encode(x)
        _, guess = self.predict(y)
        self.film = getattr(self, "film", [])
        self.film.append(np.stack([y, guess]))  # (2, P, D, N)
        super().update(x, weight)


def filmed_pair():
    """Film the nets of run(); return one, and its twin, (T, 2, P, D) each, and if they succeed."""
    config = Config(**(QUICK if flags.quick else {}))
    stream = np.random.SeedSequence(flags.seed).spawn(len(ROWS))[list(ROWS).index(NAME)]
    film = np.stack(train(ROW, config, stream, lambda *_: None, Filmed).film)  # (T, 2, P, D, N)
    factorial, invertible = judge(film[-1, 0], ROW.chances, config)
    net, twin = np.split(factorial, 2)
    _, twin_keeps = np.split(invertible, 2)
    chosen = int((net & ~twin & ~twin_keeps).argmax())
    pair = film[..., [chosen, chosen + config.nets]]
    return pair[..., 0], pair[..., 1], factorial[[chosen, chosen + config.nets]]


def value(film):
    """Return V at each update: (T,)."""
    return 0.5 * (ROW.chances[:, None] * (film[:, 1] - film[:, 0]) ** 2).sum((1, 2))


def draw_square(ax, film, t, title):
    """Draw the codes at update t, their way so far, and arrows to where they are expected."""
    ax.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color=GREY, lw=1)
    for p, color in reversed(list(enumerate(COLORS))):  # the frequent pattern is the largest dot
        way = film[: t + 1, 0, p]  # (t + 1, 2)
        ax.plot(*way.T, color=color, lw=1.3, alpha=0.45, zorder=2)
        size = 1400 * ROW.chances[p]
        ax.scatter(*film[t, 0, p], s=size, color=color, edgecolors="white", zorder=3, alpha=0.9)
    for p in range(len(COLORS)):
        here, there = film[t, 0, p], film[t, 1, p]
        arrow = {"arrowstyle": "-|>", "color": BLACK, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        if np.hypot(*(there - here)) > 0.02:
            ax.annotate("", there, here, arrowprops=arrow, zorder=5)
    ax.set(xlim=(-0.14, 1.14), ylim=(-0.14, 1.14), xticks=(0, 1), yticks=(0, 1), aspect="equal")
    ax.set_xlabel("code unit 1", labelpad=-8)
    ax.set_ylabel("code unit 2", labelpad=-8)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(title, fontsize=11, weight="normal", pad=4)


def draw_value(ax, values, t):
    """Draw how V went so far, for both."""
    for value_so_far, color in zip(values, (BLACK, GREY)):
        ax.plot(np.arange(1, t + 2), value_so_far[: t + 1], color=color)
        ax.plot(t + 1, value_so_far[t], "o", color=color, ms=5)
    top = 1.15 * max(part.max() for part in values)
    ax.set(xscale="log", xlim=(1, 1.3 * len(values[0])), ylim=(0, top), xlabel="updates")
    ax.set_title("V, the error\n(black: left, grey: right)", fontsize=11, weight="normal", pad=4)


def draw(figure, films, right, t):
    """Draw a frame: a net, its twin, and V."""
    figure.clear()
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 0.62))
    title = "Codes flee their predictors, and end in four corners"
    figure.suptitle(title, x=0.012, ha="left", fontsize=14, weight="bold")
    end = t == len(films[0]) - 1
    for ax, film, good, name in zip(axes, films, right, ("seeing", "blind")):
        words = len(np.unique(film[t, 0] > 0.5, axis=0))
        said = "factorial" if good else "not factorial"
        below = f"{said}: {words} words for 4 patterns" if end else "arrows: to the guess"
        draw_square(ax, film, t, f"{name} predictors\n{below}")
    draw_value(axes[2], [value(film) for film in films], t)


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in images[::6]])
    palette = Image.fromarray(sample).quantize(128, Image.Quantize.MAXCOVERAGE)
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[colors.min(1) > 244] = 255
    exact = [bytes.fromhex(color[1:]) for color in (*COLORS, GREY, BLACK)]
    colors[-len(exact) :] = [list(color) for color in exact]
    palette.putpalette(colors.ravel().tolist())
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first, *others = images
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size}")


*films, right = filmed_pair()
times = np.unique(np.geomspace(1, len(films[0]), 12 if flags.quick else 52).astype(int)) - 1
figure = plt.figure(figsize=(8.8, 4.1))
images, milliseconds = [], []
for t in times:
    draw(figure, films, right, t)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(2000 if t == times[-1] else 180)
write_gif(flags.out / "predictability_min_binary_factors.gif", images, milliseconds)
