# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the two nets that compress a symbol stream: the tape of surprises shrinks."""

import argparse
import copy
from pathlib import Path

from chunker_22_symbol import QUICK, Config, Pair, train
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
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

TWO_MINDS = LinearSegmentedColormap.from_list("minds", [ORANGE, "#F2F2F2", BLUE])  # of a unit
PALE, DARK = "#E8E8E8", "#444444"


# ---- what the pictures show: the pairs of run() that imitate, trained again ----
class Filmed(Pair):
    """Pairs of which every step is kept, and each pair as it was when it stopped."""

    def __init__(self, rng, config):
        super().__init__(rng, config)
        self.film, self.stopped = [], {}
        self.index = np.arange(config.nets)  # (N,) of the pairs that still learn
        self.shape = (config.nets, config.hidden_a)

    def tick(self, event):
        failed = super().tick(event)
        surprised, hidden = np.zeros(self.shape[0], bool), np.zeros(self.shape, np.float32)
        surprised[self.index] = failed
        hidden[self.index] = self.A.h
        self.film.append((surprised, hidden))
        return failed

    def pick(self, rows):
        for k in np.flatnonzero(~rows):
            last = copy.copy(self)
            last.A, last.C = copy.copy(self.A), copy.copy(self.C)
            Pair.pick(last, [k])
            self.stopped[self.index[k]] = last
        self.index = self.index[rows]
        super().pick(rows)


def filmed(config, seed):
    """Train the pairs of run() again; returns them, how many strings each saw, and the strings.

    The last are which strings began with x, (B, N), and the film: surprises (B, lag + 1, N) and
    hidden units (B, lag + 1, N, H).
    """
    init_seed, train_seed = np.random.SeedSequence(seed).spawn(2)
    pair = Filmed(np.random.default_rng(init_seed), config)
    limit = np.full(config.nets, config.most_sequences)
    end, _ = train(pair, config, train_seed, limit, lambda *_: None)
    surprised, hidden = (np.array(part) for part in zip(*pair.film))
    strings = len(surprised) // (config.lag + 1)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1].spawn(2)[0])
    first = rng.random((strings, config.nets)) < 0.5  # (B, N), as train() drew them
    shape = (strings, config.lag + 1)
    sequences = end["sequences"].astype(int)
    return (
        pair,
        sequences,
        first,
        surprised.reshape(*shape, -1),
        hidden.reshape(*shape, *pair.shape),
    )


def memory_unit(first, hidden):
    """Return the unit that tells the two kinds apart best until the label: (B,), (B, T, H)."""
    x, hidden = first[-100:], hidden[-100:, :-1]  # of the last strings, without their last step
    return np.abs(hidden[x].mean(0) - hidden[~x].mean(0)).mean(0).argmax()


# ---- one frame ----
def cell(ax, x, y, name, fill, ink, width=0.92):
    """Draw a cell of a tape."""
    ax.add_patch(plt.Rectangle((x, y), width, 1, fc=fill, ec="none"))
    ax.text(x + width / 2, y + 0.47, name, ha="center", va="center", color=ink, fontsize=9)


def draw_string(ax, bottom, first, surprised, unit):
    """Draw a string that a net read: what it passed up, the tape, and its memory unit."""
    lag = len(surprised) - 1
    names = ["x" if first else "a", *(f"b{k}" for k in range(1, lag + 1))]
    color = ORANGE if first else BLUE
    passed = 0
    for k, name in enumerate(names):
        fill, ink = (color, "white") if surprised[k] else (PALE, "#888888")
        cell(ax, k, bottom + 1.25, name, fill, ink)
        if surprised[k]:
            cell(ax, passed, bottom + 3.0, name, color, "white")
            passed += 1
        shade = TWO_MINDS(0.5 + 0.5 * unit[k])
        ax.add_patch(plt.Rectangle((k, bottom), 0.92, 0.95, fc=shade, ec="none"))
    for y, words in ((3.5, "passed up to C"), (1.75, "A reads"), (0.48, "a unit of A")):
        ax.text(-0.4, bottom + y, words, ha="right", va="center", color=DARK)
    last = "label: a surprise" if surprised[-1] else "label: A knew it"
    ink = color if surprised[-1] else GREEN
    ax.text(lag + 1.25, bottom + 1.75, last, va="center", color=ink, weight="bold")


def draw_course(ax, count, now):
    """Draw how many surprises each string had, up to now."""
    ax.plot(np.arange(1, len(count) + 1), count, color="#DDDDDD", lw=1)
    ax.plot(np.arange(1, now + 1), count[:now], color=BLACK, lw=1)
    ax.plot(now, count[now - 1], "o", color=RED, ms=6)
    ax.set(ylabel="surprises\nper string", xlabel="training strings")
    ax.set(xlim=(0, len(count) + 3), ylim=(0, count.max() + 2))
    ax.set_yticks([1, 10, count.max()])


def draw(figure, life, now):
    """Draw the last string with a and the last with x that the net had read by now."""
    first, surprised, unit = life
    figure.clear()
    lag = surprised.shape[1] - 1
    tapes = figure.add_axes((0.155, 0.27, 0.84, 0.63))
    title = (
        f"What A can predict C never sees: {lag + 1} symbols shrink to one, and a memory appears"
    )
    figure.text(0.012, 0.95, title, weight="bold", fontsize=12.5, va="center")
    for kind, bottom in ((False, 5.2), (True, 0)):
        known = np.flatnonzero(first[:now] == kind)
        if known.size:
            last = known[-1]
            draw_string(tapes, bottom, kind, surprised[last], unit[last])
    tapes.set(xlim=(0, lag + 6.6), ylim=(-0.3, 9.5))
    tapes.axis("off")
    draw_course(figure.add_axes((0.155, 0.12, 0.6, 0.135)), surprised.sum(1), now)
    figure.text(0.8, 0.19, f"after {now} strings", weight="bold", fontsize=11)


# ---- all frames ----
def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that none flickers and no rare color is lost."""
    width = images[0].width
    swatches = [np.full((40, width, 3), 255 * np.array(to_rgb(c)), np.uint8) for c in (GREEN, RED)]
    sample = np.concatenate([np.asarray(image) for image in images[::-6]] + swatches)
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


config = Config(**(QUICK if flags.quick else {}))
_, sequences, first, surprised, hidden = filmed(config, flags.seed)
net = np.argsort(sequences, kind="stable")[len(sequences) // 2]
many = sequences[net]
first, surprised, hidden = first[:many, net], surprised[:many, :, net], hidden[:many, :, net]
unit = hidden[:, :, memory_unit(first, hidden)]  # (B, lag + 1)
if unit[~first][-20:, :-1].mean() < unit[first][-20:, :-1].mean():
    unit = -unit  # blue stands for a
moments = [3, *np.linspace(20, 140, 16), *np.linspace(160, max(many, 160), 22)]  # strings
moments = np.unique(np.minimum(moments, many).astype(int))
figure = plt.figure(figsize=(9, 4.6), dpi=100, layout="none")
images = []
for now in moments:
    draw(figure, (first, surprised, unit), now)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]))
milliseconds = [800] + [220] * (len(images) - 2) + [2000]
write_gif(flags.out / "chunker_22_symbol.gif", images, milliseconds)
