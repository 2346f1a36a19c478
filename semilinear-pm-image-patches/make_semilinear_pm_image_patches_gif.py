# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: four units that see one patch, with predictors and without, while they learn."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from semilinear_pm_image_patches import PLACEMENTS, QUICK, SPACING, Config
from semilinear_pm_image_patches import field_points, filters, fresh_r2, start, train

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

FRAMES = 9 if flags.quick else 44
FIELD = 0  # the central receptive field of the first net
ROWS = ("with predictors", "predictors blind")


def film(config, seed):
    """Train a net and its twin: yield (steps, weights (2, U, I), R2 (2,)) at each frame."""
    nets, (window, test_window), (rng, test_rng) = start(config, seed)
    x = test_window.look(test_rng, 2 * PLACEMENTS)
    moments = np.unique(np.geomspace(1, config.steps + 1, FRAMES).astype(int)) - 1
    done = 0
    units = slice(FIELD * config.units, (FIELD + 1) * config.units)
    for steps in moments:
        train(nets, window, rng, steps - done, config)
        done = steps
        w = np.array([filters(net)[0, units] for net in nets])
        r2 = [fresh_r2(*np.split(net.encode(x)[0], 2)) for net in nets]
        yield steps, w, r2


def as_disk(w, config):
    """Return the weights of a unit (I,) as an image of its receptive field, scaled to 1."""
    radius = int(config.field_diameter / 2 / SPACING)
    cells = np.rint(field_points(config) / SPACING).astype(int) + radius  # (I, 2)
    disk = np.full((2 * radius + 1, 2 * radius + 1), np.nan)
    disk[cells[:, 0], cells[:, 1]] = w / np.abs(w).max()
    return disk


def draw_filters(figure, w, config):
    """Draw the four units of the field, for the net and for its twin."""
    width, height = 0.13, 0.13 * 8 / 4.6
    for row, (words, color) in enumerate(zip(ROWS, (GREEN, RED))):
        bottom = 0.53 - 0.36 * row
        figure.text(0.03, bottom + height + 0.015, words, color=color, weight="bold", fontsize=12)
        for unit, weights in enumerate(w[row]):
            ax = figure.add_axes((0.02 + 0.138 * unit, bottom, width, height))
            ax.imshow(as_disk(weights, config), cmap="gray", vmin=-1, vmax=1)
            ax.axis("off")


def draw_curves(figure, steps, r2, config):
    """Draw how well fresh predictors guess the codes so far."""
    ax = figure.add_axes((0.63, 0.18, 0.33, 0.60))
    for values, color in zip(np.transpose(r2), (GREEN, RED)):
        ax.plot(np.array(steps) + 1, values, color=color, lw=2.2)
        ax.plot(steps[-1] + 1, values[-1], "o", color=color, ms=8)
    ax.set(xscale="log", xlim=(0.85, 1.5 * config.steps), ylim=(-0.05, 1.08))
    ticks = [tick for tick in (1, 10, 100, 1000) if tick <= config.steps]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("steps of 64 patches")
    ax.set_title("R² of a unit, told by all others", fontsize=10, weight="normal", pad=6)


def draw(figure, history, config):
    """Draw the frame of the last moment in the history."""
    figure.clear()
    steps, weights, r2 = zip(*history)
    title = "Told to be unpredictable, units on one patch become different detectors"
    figure.text(0.03, 0.92, title, fontsize=13, weight="bold", va="center")
    draw_filters(figure, weights[-1], config)
    draw_curves(figure, steps, r2, config)
    caption = f"the four units of one receptive field after {steps[-1]:,} steps"
    figure.text(0.03, 0.05, caption, fontsize=11, va="center")


config = Config(**(QUICK if flags.quick else {}))
figure = plt.figure(figsize=(8, 4.6), dpi=90, layout="none")
history, images = [], []
for moment in film(config, flags.seed):
    history.append(moment)
    draw(figure, history, config)
    figure.canvas.draw()
    images.append(Image.fromarray(np.array(figure.canvas.buffer_rgba())[..., :3]))
# one palette for all frames, from samples of them and from patches of the colours that tell
patches = [Image.new("RGB", images[0].size, color) for color in ("white", "white", GREEN, RED)]
samples = [np.asarray(image) for image in (*images[:: max(1, len(images) // 8)], *patches)]
palette = Image.fromarray(np.concatenate(samples)).quantize(64)
palette.putpalette([255 if value > 248 else value for value in palette.getpalette()])
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
times = [170] * (len(images) - 1) + [2000]
path = flags.out / "semilinear_pm_image_patches.gif"
images[0].save(path, save_all=True, append_images=images[1:], duration=times, loop=0)
print(path)
