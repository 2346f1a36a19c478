# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the three-level chunker: its ribbons while one level after the other learns."""

import argparse
from pathlib import Path

import chunker_very_deep_1200
from chunker_very_deep_1200 import QUICK, Config, Nets, Stream, alphabet, answers, build, draw
from chunker_very_deep_1200 import pass_up, recall, surprises
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

DARK = "#555555"
PALE = "#DDE7EE"  # of an input that was predicted
BOTTOMS, HEIGHT = (0.0, 1.6, 3.2), 0.6  # of the ribbons
SHOWN = 100  # test sequences that are read for each frame


class Filmed(Nets):
    """Nets that keep their weights before some updates, and at the end."""

    films = []  # of all levels, in the order of their making

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.film = []  # (updates, weights)
        Filmed.films.append(self)

    def learn(self, *arguments):
        if self.updates in MOMENTS:
            self.keep()
        super().learn(*arguments)

    def keep(self):
        """Keep the weights as they are."""
        copy = {name: weight.copy() for name, weight in self.weights.items()}
        self.film.append((self.updates, copy))

    def at(self, k):
        """Show the weights of moment k."""
        self.weights = self.film[k][1]
        return self


def train_levels(config, seed):
    """Film the hierarchies of run() again: returns the levels and sequences that they never saw."""
    chunker_very_deep_1200.Nets = Filmed
    task_rng, build_rng, _ = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    training, unseen = draw(task_rng, config)
    levels, _ = build(build_rng, training, config, lambda *_: None)
    for level in levels:
        level.keep()
    arrays = [array[:, :SHOWN] for array in unseen[:3]]
    return levels, Stream(*arrays, unseen.end)


def ribbon(stream, failed):
    """Return the first sequence's symbols and times, and which of them went up."""
    many = stream.length[0, 0]
    return stream.symbols[0, 0, :many], stream.times[0, 0, :many], failed[0, 0, :many]


def read_all(levels, stream, config):
    """Return the ribbon of each level, and the top one's recall over its shown sequences."""
    ribbons = []
    for level in levels[:-1]:
        failed = surprises(level, stream, config.threshold)
        ribbons.append(ribbon(stream, failed))
        stream = pass_up(stream, failed)
    ribbons.append(ribbon(stream, surprises(levels[-1], stream, config.threshold)))
    return ribbons, answers(levels[-1], stream)


def frames(levels, unseen, config):
    """Return (level that learns, updates, ribbons, recall) of every frame.

    While a level learns, the ones above do not yet: they pass everything on, and know nothing.
    """
    found = []
    for k, level in enumerate(levels):
        for other in levels[:k]:
            other.at(-1)
        for moment in range(len(level.film)):
            level.at(moment)
            ribbons, p = read_all(levels[: k + 1], unseen, config)
            symbols, times, failed = ribbons[-1]
            while len(ribbons) < len(levels):
                ribbons.append((symbols[failed], times[failed], np.ones(failed.sum(), bool)))
                symbols, times, failed = ribbons[-1]
            known = recall(p, unseen)[0] if k == len(levels) - 1 else None
            found.append((k, level.film[moment][0], ribbons, known))
    return found


# ---- one frame ----
def draw_ribbon(ax, bottom, symbols, failed, config):
    """Draw what a level reads; what it passes up, or the top level does not foresee, is red."""
    colors = np.array([plt.matplotlib.colors.to_rgb(color) for color in (PALE, RED)])
    box = (0, 1, bottom, bottom + HEIGHT)
    columns = np.arange(1000) * len(symbols) // 1000 if len(symbols) <= 1000 else None
    shade = failed.astype(float) if columns is None else failed[columns].astype(float)  # (X,)
    image = colors[0] + shade[:, None] * (colors[1] - colors[0])
    ax.imshow(image[None], extent=box, aspect="auto", interpolation="nearest")
    if len(symbols) > 100:  # a red symbol among a thousand is too thin to be seen
        for place in np.flatnonzero(failed) if failed.sum() < 200 else ():
            x = (place + 0.5) / len(symbols)
            ax.plot([x, x], [bottom, bottom + HEIGHT], color=RED, lw=1.0)
    if len(symbols) <= 20:
        phrase_heads = alphabet(config)[0]
        for place, symbol in enumerate(symbols):
            x = (place + 0.5) / len(symbols)
            letter = "AB"[symbol] if symbol < 2 else f"P{symbol - phrase_heads + 1}"
            letter = "Q" if symbol == alphabet(config)[3] else letter
            color = "white" if failed[place] else DARK
            style = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 12}
            ax.text(x, bottom + HEIGHT / 2, letter, color=color, **style)
        edges = np.arange(1, len(symbols)) / len(symbols)
        ax.vlines(edges, bottom, bottom + HEIGHT, color="white", lw=1.5)


def draw_lines(ax, k, below, above):
    """Lead a line from each surprise to the level above, if they are few enough to be told."""
    _, times, _ = below
    _, passed, _ = above
    if len(passed) > 200:
        box = [0, 1, 1, 0], [BOTTOMS[k] + HEIGHT] * 2 + [BOTTOMS[k + 1]] * 2
        ax.fill(*box, color=RED, alpha=0.15, lw=0)
        return
    for place, time in enumerate(passed):
        start = (np.searchsorted(times, time) + 0.5) / len(times)
        ends = BOTTOMS[k] + HEIGHT, BOTTOMS[k + 1]
        ax.plot([start, (place + 0.5) / len(passed)], ends, color=RED, lw=0.7, alpha=0.6)


def draw_meter(ax, known):
    """Draw the recall of the top level as a column that begins at chance."""
    ax.text(1.115, 4.05, "recall", ha="center", va="bottom", fontsize=11)
    ax.add_patch(plt.Rectangle((1.08, 0.6), 0.07, 3.2, fc="#F2F2F2", ec=GREY))
    share = 0.0 if known is None else known
    ax.add_patch(plt.Rectangle((1.08, 0.6), 0.07, 3.2 * share, fc=GREEN, ec="none"))
    ax.plot([1.07, 1.16], [2.2, 2.2], color=BLACK, lw=1.2)
    ax.text(1.165, 2.2, "chance", va="center", fontsize=10)
    words = "not yet" if known is None else f"{known:.0%}"
    ax.text(1.115, 0.45, words, ha="center", va="top", fontsize=11, weight="bold")


def draw_frame(figure, frame, config, last):
    """Draw the three ribbons of one sequence, and the meter."""
    k, updates, ribbons, known = frame
    figure.clear()
    ax = figure.add_axes((0.01, 0.02, 0.98, 0.86))
    counts = [len(symbols) for symbols, _, _ in ribbons]
    for level, (symbols, _, failed) in enumerate(ribbons):
        draw_ribbon(ax, BOTTOMS[level], symbols, failed, config)
        color = BLACK if level <= k else "#777777"
        words = f"level {level + 1}\nreads {counts[level]}"
        style = {"ha": "right", "va": "center", "fontsize": 11, "color": color}
        ax.text(-0.015, BOTTOMS[level] + HEIGHT / 2, words, **style)
    for level in (0, 1):
        draw_lines(ax, level, ribbons[level], ribbons[level + 1])
    draw_meter(ax, known)
    words = f"Level {k + 1} learns, {updates} updates. Red: a surprise"
    if last:
        words = "Trained. The trigger on the left is 8 events from the answer, not 1202 symbols"
        words = words.replace("8 events", f"{counts[2] - 1} events")
        words = words.replace("1202", f"{counts[0] - 1}")
    ax.text(-0.16, -0.28, words, va="center", fontsize=11)
    title = "Each level passes up its surprises, until a long gap is short enough to learn"
    figure.text(0.02, 0.945, title, fontsize=13, weight="bold", va="center")
    ax.set(xlim=(-0.175, 1.26), ylim=(-0.5, 4.4))
    ax.axis("off")


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in images[::5]])
    palette = Image.fromarray(sample).quantize(48)
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[colors.min(1) > 244] = 255
    palette.putpalette(colors.ravel().tolist())
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    first, *others = images
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size}")


config = Config(**(QUICK if flags.quick else {}))
marks = (0, 10, 20, 30, 40, 60, 100, 200, 300, 450, 600)
MOMENTS = {round(mark * config.updates / 800) for mark in marks}
levels, unseen = train_levels(config, flags.seed)
film = frames(levels, unseen, config)
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for number, frame in enumerate(film):
    draw_frame(figure, frame, config, number == len(film) - 1)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(260)
milliseconds[-1] = 2000
write_gif(flags.out / "chunker_very_deep_1200.gif", images, milliseconds)
