# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: membranes and neurons in a slice never trained on, while the net learns."""

import argparse
from pathlib import Path

from em_segmentation_isbi import (
    QUICK,
    Config,
    choose,
    components,
    pixel_error,
    prepare,
    rand_error,
    scores,
    train,
    versions,
)
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
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

INKS = BLUE, RED, "#5d8f6c"
FRAMES = 8 if flags.quick else 28
TITLE = "As the net learns, membranes sharpen and neurons come apart"


class Filmed:
    """The windows of a training, which let a camera look at the net at some moments."""

    def __init__(self, windows, moments, camera):
        self.windows = windows
        self.moments = set(moments)
        self.camera = camera
        self.batches = 0

    def look(self, rng, count):
        if self.batches in self.moments:
            self.camera(self.batches * count)
        self.batches += 1
        return self.windows.look(rng, count)


def film(config, seed):
    """Train a net: [(windows seen, score of the slice, its membranes, pixel and Rand error)]."""
    tissue, net, windows, picks = prepare(config, seed)
    steps = config.training_windows // config.batch_size
    moments = np.unique(np.geomspace(30, steps - 1, FRAMES).astype(int))
    history = []

    def camera(seen):
        held, unseen = scores(net, tissue, config)
        row = [seen, unseen[shown]]
        radius = config.median_radius
        for error in (pixel_error, rand_error):
            version, cut = choose(error, versions(held, radius), tissue.validation.membrane)
            found = versions(unseen, radius)[version] > cut
            row.append(error(found, tissue.test.membrane))
        history.append([*row, found[shown]])

    shown = seed % len(tissue.test.image)
    train(net, Filmed(windows, moments, camera), picks, config, lambda *_: None)
    camera(config.training_windows)
    return tissue.test.image[shown], tissue.test.membrane[shown], history


def most_common(labels, groups):
    """Return for each pixel the label that is most common in its group."""
    pairs, counts = np.unique(np.stack([groups, labels]), axis=1, return_counts=True)
    best = {}
    for (group, label), count in zip(pairs.T, counts, strict=True):
        best[group] = max(best.get(group, (0, 0)), (count, label))
    return np.array([best[group][1] for group in groups])


def coloured(predicted, membrane, shades):
    """Paint the segments of a slice (H, W): right, merged and split-off parts in RGB.

    A segment belongs to the cell it covers most of. Its part in other cells is merged (red); a
    cell's part outside its largest segment is split off (blue); the rest has the cell's shade.
    """
    cell = components(~membrane[None])[0]
    segment = components(~predicted[None])[0]
    picture = np.ones((*cell.shape, 3))
    picture[predicted] = to_rgb(BLACK)
    seen = (cell > 0) & (segment > 0)
    owner = most_common(cell[seen], segment[seen])
    main = most_common(segment[seen], cell[seen])
    paint = shades[cell[seen] % len(shades)]
    split = (segment[seen] != main) & (owner == cell[seen])
    paint[split] = to_rgb(BLUE)
    paint[owner != cell[seen]] = to_rgb(RED)
    picture[seen] = paint
    return picture


def pastels():
    """Return shades of grey-green for right neurons, far enough apart to tell neighbours."""
    tones = np.linspace(0.0, 1.0, 7)[[0, 4, 1, 5, 2, 6, 3]][:, None]
    return (1 - tones) * np.array(to_rgb("#dfe9df")) + tones * np.array(to_rgb("#8fb69b"))


def panel(figure, place, picture, words, **how):
    """Show a picture with words above it."""
    ax = figure.add_axes(place)
    ax.imshow(picture, interpolation="nearest", **how)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(words, fontsize=11, weight="normal", pad=5)


def curves(figure, history, last):
    """Draw both errors on all test slices so far."""
    ax = figure.add_axes((0.085, 0.12, 0.37, 0.19))
    seen, _, pixels, rands, _ = zip(*history)
    for values, color, word in ((rands, RED, "Rand error"), (pixels, BLUE, "pixel error")):
        ax.plot(seen, values, color=color, lw=2.2)
        ax.plot(seen[-1], values[-1], "o", color=color, ms=7, clip_on=False)
        y = 0.86 if word[0] == "R" else 0.5
        words = f"{word} {values[-1]:.0f} %"
        ax.text(1.03, y, words, color=color, weight="bold", size=11, transform=ax.transAxes)
    ax.text(1.03, 0.14, f"{seen[-1]:,} windows", size=11, transform=ax.transAxes)
    ax.set(xscale="log", xlim=(history[0][0] * 0.9, last * 1.05), ylim=(0, 100))
    ax.set_yticks((0, 50, 100))
    ticks = [tick for tick in (1000, 10_000, 100_000) if tick <= last]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("training windows", labelpad=1)
    ax.set_ylabel("%, six slices")


def draw(figure, image, membrane, history, last):
    """Draw the frame of the last moment in the history."""
    figure.clear()
    figure.text(0.02, 0.95, TITLE, fontsize=14, weight="bold", va="center")
    _, score, _, _, found = history[-1]
    score = np.round(8 * score) / 8
    grey = {"cmap": "gray"}
    panel(figure, (0.01, 0.36, 0.32, 0.32 * 8 / 5.2), image, "a slice never trained on", **grey)
    panel(
        figure,
        (0.34, 0.36, 0.32, 0.32 * 8 / 5.2),
        -score,
        "membrane, says the net",
        vmin=-1,
        vmax=0,
        **grey,
    )
    picture = coloured(found, membrane, pastels())
    panel(figure, (0.67, 0.36, 0.32, 0.32 * 8 / 5.2), picture, "the neurons that follow")
    for n, (word, color) in enumerate(
        (("right", INKS[2]), ("merged with another", RED), ("split off", BLUE))
    ):
        figure.text(0.7, 0.26 - 0.07 * n, "■ " + word, color=color, weight="bold", size=11)
    curves(figure, history, last)


config = Config(**QUICK) if flags.quick else Config()
image, membrane, history = film(config, flags.seed)
image = np.clip(np.round(image * 3) / 3, -3, 3)  # few greys keep the file small
figure = plt.figure(figsize=(8, 5.2), dpi=100, layout="none")
frames = []
for n in range(len(history)):
    draw(figure, image, membrane, history[: n + 1], history[-1][0])
    figure.canvas.draw()
    frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
inks = [np.full((60, frames[0].width, 3), 255 * np.array(to_rgb(ink))) for ink in INKS]
sample = np.concatenate([np.asarray(frame) for frame in frames[::6]] + inks).astype(np.uint8)
palette = Image.fromarray(sample).quantize(64)  # one for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
milliseconds = [220] * (len(frames) - 1) + [2500]
path = flags.out / "em_segmentation_isbi.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, **how)
print(path, f"{len(frames)} frames, {path.stat().st_size / 1e6:.2f} MB")
