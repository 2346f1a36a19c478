# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of rs-two-sequence: guesses at the one-unit latch until one remembers."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image
from rs_two_sequence import NETS, Config, draw, pick, rollout, screen, sequences, subset
import numpy as np

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

net, config = NETS["latch2"], Config()
streams = np.random.SeedSequence([flags.seed, 5]).spawn(2)
data_rng, guess_rng = map(np.random.default_rng, streams)
steps = 550
training = sequences(config.training, config.shortest, config.longest, config.noise, data_rng)
guesses = draw(net, config.prior, 1000 if flags.quick else 6000, guess_rng)
good, _ = screen(net, guesses, training, config.tolerance)
trials = int(good.argmax()) + 1  # the last of these is the first that is right
six = subset(training, np.arange(6))._replace(x=training.x[:steps, :6])
d, c = guesses["d"][0], guesses["c"][0]  # (N,)


def outputs(guess):
    """Returns the outputs of one guess on six sequences, (steps + 1, 6), from 0 on."""
    y = [np.zeros((6, 1)), *(y for _, y in rollout(net, pick(guesses, [guess]), six))]
    return np.stack(y)[:, :, 0]


DARK_GREEN = "#007A59"
history = [outputs(guess) for guess in range(trials)]
fig = plt.figure(figsize=(8, 4.5), dpi=90, layout="none")
plane = fig.add_axes((0.105, 0.2, 0.37, 0.61))
small = [fig.add_axes((0.545 + 0.15 * k, row, 0.13, 0.09)) for row in (0.7, 0.54) for k in range(3)]
big = fig.add_axes((0.585, 0.2, 0.39, 0.2))
title = (
    f"A long time lag, bridged by chance: guess {trials} keeps its first input for {steps} steps"
)
fig.text(0.03, 0.935, title, fontsize=12, weight="bold")
fig.text(0.545, 0.84, "what the last guesses do with six sequences", fontsize=10)
found_text = fig.text(0.585, 0.425, "", fontsize=10, weight="bold", color=DARK_GREEN)
caption = fig.text(0.03, 0.03, "", fontsize=9.5)
SAYS = {
    "guess": "Each dot is a net with random weights. Most of them forget, or flicker with noise.",
    "grow": "This one is right on all 100 training sequences: noise never turns its output over.",
    "fill": "Of more guesses the right ones (green) fill a region: the self weight is strong.",
}


def lines(ax, y, width):
    """Draws outputs, blue where the first input was +1, else orange."""
    ax.set(xlim=(0, steps), ylim=(-1.15, 1.15), xticks=(), yticks=())
    for s in reversed(range(6)):
        ax.plot(y[:, s], color=BLUE if six.sign[s, 0] > 0 else ORANGE, linewidth=width)


def draw_plane(count, found):
    """Draws the first `count` guesses as dots in the plane of two of their weights."""
    plane.clear()
    plane.set(xlim=(-100, 100), ylim=(-100, 100), xticks=(-100, 0, 100), yticks=(-100, 0, 100))
    plane.set(xlabel="weight of the unit to itself", ylabel="weight of the input")
    plane.set_title(f"{count:,} {'guess' if count == 1 else 'guesses'}", fontsize=10, pad=6)
    more = np.arange(trials, count)
    for which, colour, size in ((more[~good[more]], "#CCCCCC", 2), (more[good[more]], GREEN, 9)):
        plane.scatter(d[which], c[which], s=size, color=colour, linewidth=0)
    failed = min(count, trials) - found
    plane.scatter(d[:failed], c[:failed], s=14, color=GREY, linewidth=0)
    if found:
        place = (d[trials - 1], c[trials - 1])
        plane.scatter(*place, s=90, color=GREEN, edgecolors=BLACK, zorder=4)
    else:
        place = (d[count - 1], c[count - 1])
        plane.scatter(*place, s=70, facecolors="none", edgecolors=BLACK, clip_on=False)


def draw_small(count):
    """Draws what each of the last six guesses does."""
    last = range(max(count - 6, 0), count)
    for ax in small:
        ax.clear()
        ax.set(xticks=(), yticks=())
        ax.spines[:].set_visible(False)
    for ax, guess in zip(small, last):
        lines(ax, history[guess], 0.6)
        style = {"color": DARK_GREEN, "weight": "bold"} if good[guess] else {"color": "#555555"}
        ax.text(0, 1.3, f"guess {guess + 1}", fontsize=9, **style)


def draw_big(end):
    """Draws the outputs of the accepted guess up to step `end`."""
    big.clear()
    lines(big, history[-1][: end + 1], 1.8)
    big.set(yticks=(-1, 0, 1), xlabel="step", ylabel="output")
    big.set_xticks(range(0, steps + 1, 100))
    if end > 250:
        big.text(end / 2, 0.55, "first input +1", color=BLUE, ha="center", va="center", fontsize=9)
        style = {"color": "#A06000", "ha": "center", "va": "center", "fontsize": 9}
        big.text(end / 2, -0.55, "first input −1", **style)


def frame(scene, count, end):
    """Draws one frame: the guesses so far, and the accepted one up to step `end`."""
    found = count >= trials
    draw_plane(count, found)
    draw_small(min(count, trials))
    draw_big(end if found else -1)
    found_text.set_text(f"guess {trials} holds its bit" if found else "")
    caption.set_text(SAYS[scene])
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy())


counts = np.unique(np.linspace(1, trials - 1, 4 if flags.quick else 32).astype(int))
ends = np.linspace(0, steps, 4 if flags.quick else 22).astype(int)[1:]
fills = np.geomspace(trials + 20, len(good), 4 if flags.quick else 18).astype(int)
frames = [frame("fill", len(good), steps)]  # a still of the GIF shows the end
frames += [frame("guess", count, -1) for count in counts]
frames += [frame("grow", trials, end) for end in ends]
frames += [frame("fill", count, steps) for count in fills]
durations = [700, *[5000 // len(counts) if len(counts) < 25 else 180] * len(counts)]
durations += [90] * len(ends) + [100] * len(fills)
durations = [max(one, 500) for one in durations] if flags.quick else durations
durations[-1] = 2400
sample = Image.fromarray(np.concatenate([np.asarray(one) for one in frames[::6]]))
palette = sample.quantize(64)
values = np.array(palette.getpalette()).reshape(-1, 3)
values[values.min(1) > 240] = 255  # white stays white
palette.putpalette(values.ravel().tolist())
frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
path = flags.out / "rs_two_sequence.gif"
frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
print(f"{path}: {len(frames)} frames, {sum(durations) / 1000} s, {path.stat().st_size:,} bytes")
