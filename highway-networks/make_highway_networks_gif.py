# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of highway networks: two kinds and two depths learn; gates of 50 layers move."""

import argparse
from pathlib import Path

from highway_networks import (
    QUICK,
    Config,
    Highway,
    cells,
    draw_settings,
    forward,
    mnist,
    newborn,
    shuffled,
    train,
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

NAMES = {"highway": ("highway", BLUE), "plain": ("plain", RED)}
FRAMES = 40
SHOWN = 15  # units of a layer: those whose gates are most open in the end
LOOK = 200  # test images that the gates are watched on
TITLE = "50 gated layers learn like 10; plain layers do not"


def opened(nets, images):
    """Return the mean gate of each unit (P, L, n) over these images."""
    _, kept = forward(nets, images)
    return np.stack([T.mean(1) for _, _, T in kept[1:-1]], 1)


def film(cell, settings, part, order, rng, config, images):
    """Return the best net's losses (FRAMES,), each the mean since the last frame, and its gates."""
    kind, depth, width = cell
    nets = newborn(kind, depth, width, settings, rng)
    updates = order.size // config.batch_size
    ends = set((np.arange(1, FRAMES) * updates // FRAMES).tolist())
    gates = []
    seen = [0]

    def watch(fraction, message):
        if kind is Highway and depth == config.deep_depth and (seen[0] in ends or seen[0] == 0):
            gates.append(opened(nets, images))
        seen[0] += 1

    losses = train(nets, settings, part, order, config, watch)
    if gates:
        gates.append(opened(nets, images))
    scores = losses[-1].mean(0)  # (P,)
    best = int(np.where(np.isfinite(scores), scores, np.inf).argmin())
    line = losses[..., best].ravel()  # (updates,)
    pieces = np.array_split(line, min(FRAMES, len(line)))
    return [piece.mean() for piece in pieces], [frame[best] for frame in gates]


def draw_curves(ax, films, depth, epochs, now):
    """Draw the loss of both kinds of nets of this depth up to this frame."""
    low, high = 0.12, 3.2
    ends = []
    for name, (_, color) in NAMES.items():
        losses = np.array(films[f"{name}_{depth}"][0])[: now + 1]
        x = epochs * np.arange(1, now + 2) / len(films[f"{name}_{depth}"][0])
        ax.plot(x, losses, color=color, lw=2.4, clip_on=False)
        ax.plot(x[-1], losses[-1], "o", color=color, markersize=6, clip_on=False, zorder=5)
        ends.append(losses[-1])
    heights = np.log(np.array(ends) / low) / np.log(high / low)  # (2,) shares of the axis
    heights = np.clip(heights, 0.08, 0.9)
    lack = max(0.15 - abs(heights[1] - heights[0]), 0)  # so that labels do not meet
    up = 1 if heights[0] > heights[1] else -1
    heights = heights + np.array([up, -up]) * lack / 2
    for (label, color), height, loss in zip(NAMES.values(), heights, ends, strict=True):
        place = {"xytext": (7, 0), "textcoords": "offset points", "xycoords": "axes fraction"}
        words = f"{label} {loss:.2f}"
        ax.annotate(words, (1, height), **place, color=color, weight="bold", va="center")
    ax.axhline(np.log(10), color=GREY, lw=1, ls=":", zorder=0)
    ax.set(xlim=(0, epochs), yscale="log", ylim=(low, high), xlabel="epochs")
    ax.xaxis.labelpad = 1
    ax.set_xticks(range(epochs + 1))
    ax.set_yticks((0.2, 0.5, 1, 2), ("0.2", "0.5", "1", "2"))
    ax.minorticks_off()


def picture(figure, films, config, now, highest):
    """Draw one frame."""
    figure.clear()
    figure.text(0.02, 0.945, TITLE, fontsize=14, weight="bold", va="center")
    for n, (depth, layers) in enumerate(
        (("shallow", config.shallow_depth), ("deep", config.deep_depth))
    ):
        ax = figure.add_axes((0.08 + 0.48 * n, 0.53, 0.28, 0.31))
        draw_curves(ax, films, depth, config.epochs, now)
        ax.set_title(f"{layers} layers", fontsize=11, pad=4)
        if n == 0:
            ax.set_ylabel("training loss")
    gates = films["highway_deep"][1][now + 1]  # (L, n)
    last = films["highway_deep"][1][-1]  # (L, n)
    order = np.argsort(-last, axis=1)[:, :SHOWN]  # the units that are open in the end
    grid = np.take_along_axis(gates, order, 1).T  # (SHOWN, L)
    ax = figure.add_axes((0.08, 0.1, 0.8, 0.26))
    extent = (1.5, config.deep_depth + 0.5, len(grid) + 0.5, 0.5)
    image = ax.imshow(
        grid, cmap="Blues", vmin=0, vmax=highest, aspect="auto", extent=extent, interpolation="none"
    )
    ax.set_yticks(())
    ax.set_ylabel(f"{SHOWN} units")
    ax.set_xlabel("layer", labelpad=1)
    words = f"How far the gates of the {config.deep_depth}-layer highway open"
    ax.set_title(f"{words}: mean {gates.mean():.3f}", fontsize=11, pad=4, color=BLUE)
    bar = figure.colorbar(image, cax=figure.add_axes((0.9, 0.1, 0.015, 0.26)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9)


config = Config(**QUICK) if flags.quick else Config()
streams = np.random.SeedSequence(flags.seed).spawn(6)
for_settings, for_order, *for_weights = map(np.random.default_rng, streams)
settings = draw_settings(config, for_settings)
order = shuffled(for_order, config.epochs, config.train_images)
part = mnist("train", config.train_images)
images = mnist("t10k", LOOK).images
films = {
    name: film(cell, settings, part, order, rng, config, images)
    for (name, cell), rng in zip(cells(config).items(), for_weights, strict=True)
}
count = len(films["highway_deep"][0])
highest = float(np.quantile(films["highway_deep"][1][-1], 0.995))
figure = plt.figure(figsize=(8, 5.2), layout="none")
pictures = []
for now in range(count):
    picture(figure, films, config, now, highest)
    figure.canvas.draw()
    pictures.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [400] + [200] * (len(pictures) - 2) + [2500]
inks = 255 * np.concatenate([to_rgba_array([BLUE, RED]), plt.cm.Blues(np.linspace(0, 1, 48))])
bands = [np.full((40, pictures[0].width, 3), ink[:3]) for ink in inks]  # so that no ink is lost
sample = np.concatenate([np.asarray(image) for image in pictures[::6]] + bands).astype(np.uint8)
palette = Image.fromarray(sample).quantize(96)  # one for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 245] = 255
palette.putpalette(colors.ravel().tolist())
pictures = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in pictures]
path = flags.out / "highway_networks.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(pictures)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
