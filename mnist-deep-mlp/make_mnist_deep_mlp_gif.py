# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of bent digits: what each epoch shows, the first layer's filters, both errors."""

import argparse
import itertools
from pathlib import Path

from mnist_deep_mlp import (
    CLASSES,
    MEAN,
    QUICK,
    SIDE,
    Config,
    Net,
    answers,
    bent_digits,
    draw,
    learn,
    mnist,
    per_cent,
    shades,
)
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba_array
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

TITLE = "Bent digits leave fewer errors: 20 epochs, the same start"
FILTERS = 20


def tile(images, columns):
    """Lay images (n, 784) out as one picture, with a blank line between them."""
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (SIDE + 2), columns * (SIDE + 2)), np.nan)
    for n, image in enumerate(images):
        top, left = n // columns * (SIDE + 2) + 1, n % columns * (SIDE + 2) + 1
        sheet[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
    return sheet


def watched(epochs, net, rows, looks):
    """Yield what each epoch shows; keep some of it, and all filters, before it is learned."""
    for shown in epochs:
        looks.append((shown[rows].copy(), net.layers[0][0].copy()))
        yield shown
    looks.append((looks[-1][0], net.layers[0][0].copy()))


def film(config):
    """Train as the experiment does; returns looks at each epoch and both nets' test errors."""
    part = mnist("train", config.train_digits)
    test = mnist("t10k", None)
    net, orders, maps = draw(config, np.random.SeedSequence(flags.seed))
    twin = Net(net.vector.copy(), (SIDE * SIDE, *config.hidden, CLASSES))
    newborn_error = per_cent(answers(net, shades(test.images)) != test.labels)
    rows = [int(np.flatnonzero(part.labels == digit)[0]) for digit in range(CLASSES)]
    looks = []
    how = part, test, orders, config, lambda *_: None
    epochs = watched(bent_digits(maps, part, config), net, rows, looks)
    deformed = learn(net, epochs, *how)
    plain = learn(twin, itertools.repeat(shades(part.images), config.epochs), *how)
    return looks, [newborn_error, *deformed.test], [newborn_error, *plain.test]


def draw_errors(ax, curves, now, highest):
    """Draw both test errors up to this epoch."""
    last = len(curves[0][0]) - 1
    for curve, color, words, height in curves:
        seen = curve[1 : now + 1]
        ax.plot(range(1, now + 1), seen, color=color, lw=2.6)
        ax.plot(range(now, now + 1)[: len(seen)], seen[-1:], "o", color=color, markersize=7)
        said = f"{words}: {curve[now]:.2f} %"
        ink = {"color": color, "weight": "bold", "fontsize": 12}
        ax.text(0, height, said, transform=ax.transAxes, **ink)
    ax.set(xlim=(0, last + 0.3), ylim=(0.8, highest), yscale="log")
    ticks = [tick for tick in (1, 2, 3, 4, 5, 10, 20, 50) if tick <= highest]
    ax.set_yticks(ticks, ticks)
    ax.minorticks_off()
    ax.set_xticks(range(0, last + 1, max(1, last // 4)))
    ax.set_xlabel("epochs")
    ax.set_ylabel("test errors, %")


def picture(figure, looks, curves, units, now):
    """Draw one frame."""
    figure.clear()
    figure.text(0.02, 0.945, TITLE, fontsize=14, weight="bold", va="center")
    digits, filters = looks[now]
    epoch = min(now + 1, len(looks) - 1)
    figure.text(0.02, 0.855, f"what the net sees in epoch {epoch}", fontsize=10.5)
    ax = figure.add_axes((0.02, 0.565, 0.43, 0.27))
    ax.imshow(tile(digits, 5), cmap="gray_r", vmin=-MEAN / 127.5, vmax=2 - MEAN / 127.5)
    ax.set_axis_off()
    figure.text(0.02, 0.505, f"{FILTERS} of the first layer's filters", fontsize=10.5)
    ax = figure.add_axes((0.02, 0.03, 0.43, 0.455))
    some = filters[:, units].T  # (FILTERS, 784)
    reach = np.abs(looks[-1][1][:, units]).max() * 0.7
    ax.imshow(tile(some, 5), cmap=plt.get_cmap("RdBu_r", 9), vmin=-reach, vmax=reach)
    ax.set_axis_off()
    ax = figure.add_axes((0.55, 0.13, 0.42, 0.62))
    highest = max(max(curve[1:]) for curve, *_ in curves) * 1.1
    draw_errors(ax, curves, now, highest)
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy())


looks, deformed, plain = film(Config(**QUICK) if flags.quick else Config())
units = np.argsort(-np.linalg.norm(looks[-1][1], axis=0))[:FILTERS]  # that grew strongest
curves = [(plain, RED, "plain digits", 1.14), (deformed, BLUE, "bent digits", 1.05)]
figure = plt.figure(figsize=(8, 4.5), layout="none")
moments = [n for n in range(len(looks)) for _ in range(1 if len(looks) > 10 else 4)]
images = [picture(figure, looks, curves, units, now) for now in moments]
milliseconds = [600] + [350] * (len(images) - 2) + [2500]
inks = 255 * to_rgba_array([BLUE, RED])[:, :3]
bands = [np.full((120, images[0].width, 3), ink) for ink in inks]  # so that no ink is lost
sample = np.concatenate([np.asarray(image) for image in images[::5]] + bands).astype(np.uint8)
palette = Image.fromarray(sample).quantize(48)  # one for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "mnist_deep_mlp.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
