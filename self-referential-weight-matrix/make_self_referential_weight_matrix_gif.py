# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the self-referential weight matrix: the function flips and the matrix heals."""

import argparse
from dataclasses import replace
from pathlib import Path

from self_referential_weight_matrix import INPUTS, SelfReferential, softmax, split, train
from study_self_referential_weight_matrix import QUICK, Config, answers_right, streams
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

FILMED = 4  # nets that are trained; the best of them is shown
BLOCKS = (("answer", ORANGE), ("key", BLUE), ("query", SKY), ("rates", PINK))
PALE = {True: "#CDEBE0", False: "#F8DCCB"}  # of a right and of a wrong answer
INK = {True: GREEN, False: RED}
DARK = "#555555"


# ---- a stream, and what the net would answer after each example ----------------------------------
def filmed_stream(config):
    """Train some nets on streams and let the best of them live an unseen one.

    Returns place (24,), label (24,), and matrices (25, R, d) and answers (25, 4) before the first
    example and after each.
    """
    config = replace(config, nets=min(FILMED, config.nets), batch_size=config.stream_batch_size)
    seeds = [np.random.default_rng(s) for s in np.random.SeedSequence(flags.seed).spawn(4)]
    training, held_out = split(config, seeds[0])
    net = SelfReferential(config)
    theta, _ = train(
        net, lambda count, rng: streams(training, count, rng), config, *seeds[1:3], lambda *_: None
    )
    data = streams(held_out, 60, seeds[3])
    right = answers_right(net, theta, data)  # (24, N, B)
    n = int(right.mean((0, 2)).argmax())
    labels = data.label[::2, n].reshape(6, 4, -1)  # (6, 4, B)
    lively = abs(labels.sum(1)).max(0) < 4  # (B,) no function is constant
    late = right.reshape(3, 8, *right.shape[1:])[:, 4:, n].mean((0, 1))  # (B,)
    b = int((late + lively).argmax())
    net.forward(theta, data.u)
    matrices = net.matrices[::2, n, b]  # (25, R, d)
    E1, c1, E2, c2, _ = (part[n] for part in net.weights(theta))
    asked = np.concatenate([INPUTS, np.zeros((4, 2), np.float32)], 1)  # (4, 4)
    a = softmax(np.tanh(asked @ E1.T + c1) @ E2.T + c2)  # (4, d)
    answers = matrices[:, 0] @ a.T  # (25, 4)
    bits = data.u[::2, n, b, :2] > 0
    place = 2 * bits[:, 0] + bits[:, 1]  # (24,)
    return place, data.label[::2, n, b], matrices, answers


def functions(place, label):
    """Return the three truth tables of a stream (3, 4)."""
    tables = np.empty((3, 4))
    for phase in range(3):
        first = slice(8 * phase, 8 * phase + 4)
        tables[phase, place[first]] = label[first]
    return tables


# ---- one frame -----------------------------------------------------------------------------------
def draw_table(figure, left, head, values, fills, inks, framed):
    """Draw the four rows of a truth table; framed is the row of the present example, or None."""
    ax = figure.add_axes((left, 0.26, 0.20, 0.55))
    ax.set(xlim=(0, 4), ylim=(4, 0))
    ax.axis("off")
    figure.text(left + 0.10, 0.835, head, ha="center", weight="bold", fontsize=11)
    for row in range(4):
        edge = BLACK if row == framed else "white"
        box = {"fc": fills[row], "ec": edge, "lw": 2.0}
        ax.add_patch(plt.Rectangle((0.1, row + 0.06), 3.8, 0.88, zorder=2 + (row == framed), **box))
        bits = f"{row >> 1} {row & 1}"
        style = {"va": "center", "fontsize": 14, "zorder": 5}
        ax.text(0.45, row + 0.52, bits, color=DARK, **style)
        ax.text(3.4, row + 0.52, values[row], ha="right", weight="bold", color=inks[row], **style)


def draw_matrix(figure, matrix, change, scale):
    """Draw the matrix, and beside it what the last example changed."""
    dimension = matrix.shape[1]
    starts = np.array([0, 1, 1 + dimension, 1 + 2 * dimension, 5 + 2 * dimension]) - 0.5
    for left, shown, words in ((0.365, matrix, "matrix W"), (0.555, change, "last change")):
        ax = figure.add_axes((left, 0.14, 0.16, 0.67))
        heat = {"cmap": "RdBu_r", "vmin": -scale, "vmax": scale, "aspect": "auto"}
        ax.imshow(shown, interpolation="nearest", **heat)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        figure.text(left + 0.08, 0.835, words, ha="center", weight="bold", fontsize=11)
        for (name, color), start, end in zip(BLOCKS, starts, starts[1:]):
            bar = {"fc": color, "lw": 0, "clip_on": False}
            ax.add_patch(plt.Rectangle((-1.6, start), 0.9, end - start, **bar))
            ax.axhline(start, color="white", lw=1.2)
            if left < 0.5:
                style = {"ha": "right", "va": "center", "color": color, "weight": "bold"}
                ax.text(-2.0, (start + end) / 2, name, fontsize=10, **style)


def draw_strip(figure, right, now):
    """Draw a cell for each example so far: green where it was answered right before it was told."""
    ax = figure.add_axes((0.03, 0.085, 0.25, 0.06))
    ax.set(xlim=(0, 24.6), ylim=(0, 1))
    ax.axis("off")
    for t in range(24):
        fill = "#EEEEEE" if t >= now else INK[bool(right[t])]
        ax.add_patch(plt.Rectangle((t + 0.3 * (t // 8), 0), 0.88, 1, fc=fill, lw=0))
    figure.text(0.03, 0.165, "asked before it was told:", fontsize=10, color=DARK, va="center")


def draw(figure, film, now, told, caption):
    """Draw the net after `now` examples; told is false while the next one is only asked."""
    place, label, matrices, answers = film
    tables = functions(place, label)
    phase = min((now if not told else now - 1) // 8, 2)
    wanted = tables[phase]  # (4,)
    right = np.sign(answers[np.arange(24), place]) == label  # (24,) before each was told
    present = place[now] if not told else place[now - 1]
    figure.clear()
    title = "The function changes without notice, and the matrix rewrites itself"
    figure.text(0.02, 0.945, title, fontsize=13.5, weight="bold", va="center")
    names = ["1" if value > 0 else "0" for value in wanted]
    head = f"hidden function {'ABC'[phase]}"
    draw_table(figure, 0.03, head, names, ["#F4F4F4"] * 4, [BLACK] * 4, present)
    change = matrices[now] - matrices[max(now - 1, 0)]
    draw_matrix(figure, matrices[now], change, np.quantile(abs(matrices), 0.98))
    said = ["1" if value > 0 else "0" for value in answers[now]]
    hits = np.sign(answers[now]) == wanted  # (4,)
    marks = [f"{value} {'✓' if hit else '✗'}" for value, hit in zip(said, hits)]
    fills, inks = [PALE[bool(hit)] for hit in hits], [INK[bool(hit)] for hit in hits]
    draw_table(figure, 0.765, "the net's answers", marks, fills, inks, None)
    count = f"{hits.sum()} of 4 right"
    figure.text(0.865, 0.20, count, ha="center", fontsize=12, weight="bold", color=INK[hits.all()])
    draw_strip(figure, right, now)
    figure.text(0.02, 0.035, caption, fontsize=11, va="center", color="#333333")


def frames(film):
    """Return (examples, told, caption, milliseconds) of every frame."""
    place, label, *_ = film
    yield 0, False, "Nothing is told yet: four inputs, a function that it never trained on", 900
    for t in range(1, 25):
        bits = f"{place[t - 1] >> 1} {place[t - 1] & 1}"
        bit = "1" if label[t - 1] > 0 else "0"
        words = f"Example {t}: it is told that {bits} gives {bit}, and changes its own weights"
        if t == 24:
            words = "Three functions that it never trained on, one matrix, never reset"
        yield t, True, words, 2000 if t == 24 else 290
        if t in (8, 16):
            words = "Now the function is another one. Nobody says so, nothing is reset"
            yield t, False, words, 1100


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    inks = [[int(ink[i : i + 2], 16) for i in (1, 3, 5)] for _, ink in BLOCKS]  # (4, 3)
    swatch = np.tile(np.array(inks, np.uint8).repeat(images[0].width // 4, 0), (60, 1, 1))
    sample = np.concatenate([swatch] + [np.asarray(image) for image in images[::5]])
    palette = Image.fromarray(sample).quantize(128)
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[colors.min(1) > 246] = 255  # the background stays white
    palette.putpalette(colors.ravel().tolist())
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first, *others = images
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size}")


film = filmed_stream(Config(**QUICK) if flags.quick else Config())
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for now, told, caption, duration in frames(film):
    draw(figure, film, now, told, caption)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)
write_gif(flags.out / "self_referential_weight_matrix.gif", images, milliseconds)
