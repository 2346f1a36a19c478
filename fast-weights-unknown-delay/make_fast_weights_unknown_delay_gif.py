# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the flip-flop: the stream scrolls by, and a fast weight learns to hold the A.

What stores is orange, what asks is blue, memories are grey.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fast_weights_unknown_delay import QUICK, B, Config, Direct, stream, train
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

TAPE = 22  # events that are shown
TILES = (ORANGE, BLUE, "#CCCCCC")  # of A, B, C
DARK = "#555555"


# ---- the life of one net ----
@dataclass
class Life:
    """One net from its first step to its solution; w and W are those with which it answers."""

    event: np.ndarray  # (T,)
    target: np.ndarray  # (T,)
    answer: np.ndarray  # (T,)
    w: np.ndarray  # (T, 3)
    W: np.ndarray  # (T, 3, 3)
    streak: np.ndarray  # (T,) right steps in a row
    right: np.ndarray  # (T,)


def nets_and_events(config, seed):
    """Return the nets of run() before they learn, and their streams."""
    part = np.random.SeedSequence(seed).spawn(3)[0]
    init, events = map(np.random.default_rng, part.spawn(2))
    net = Direct(init, config.nets, config.steepness, config.direct_rate, config.init)
    return net, stream(events, config.nets, config.steps)


def typical_life(config, seed):
    """Film the net of run() with the median steps to a solution."""
    solved = train(*nets_and_events(config, seed), config, lambda *_: None)
    n = np.argsort(solved, kind="stable")[np.isfinite(solved).sum() // 2]
    net, events = nets_and_events(config, seed)
    rows, streak = [], 0
    for _, (x, target) in zip(range(int(min(solved[n], config.steps))), events):
        y = net.answer(x)
        right = abs(y[n] - target[n]) <= config.tolerance
        streak = streak + 1 if right else 0
        w, W = net.w[:, n].copy(), net.W[:, :, n].copy()
        rows.append((x[:, n].argmax(), target[n], y[n], w, W, streak, right))
        net.learn(y - target)
    return Life(*(np.array(column) for column in zip(*rows)))


# ---- one frame ----
def draw_tape(ax, life, t):
    """Draw the last events, and above each B what was asked for and what came."""
    for k in range(max(0, t - TAPE + 1), t + 1):
        x, event = 15.0 - 0.68 * (t - k), life.event[k]
        now = {"ec": BLACK, "lw": 2.0} if k == t else {"ec": "none"}
        ax.add_patch(plt.Rectangle((x - 0.29, 6.35), 0.58, 0.8, fc=TILES[event], **now))
        ink = "#444444" if event == 2 else "white"
        style = {"ha": "center", "va": "center", "weight": "bold"}
        ax.text(x, 6.75, "ABC"[event], color=ink, fontsize=12, **style)
        if event == B or not life.right[k]:
            ink = GREEN if life.right[k] else RED
            ax.text(x, 5.92, "✓" if life.right[k] else "✗", color=ink, fontsize=12, **style)
    ax.text(0.3, 7.5, "events", color=DARK, va="center")


def draw_writes(ax, life, t):
    """Draw what S writes at each event, a matrix of 3 by 3."""
    style = {"ha": "center", "va": "center"}
    ax.text(2.6, 4.95, "S: what each event adds", color=DARK, **style)
    for (b, j), value in np.ndenumerate(life.W[t]):
        depth = min(abs(value), 1.0)
        fill = plt.cm.RdBu_r(0.5 + 0.5 * np.sign(value) * 0.8 * depth)
        place = (1.3 + 1.1 * j, 3.35 - 1.0 * b)
        edge = BLACK if j == life.event[t] else "#DDDDDD"
        width = 1.6 if j == life.event[t] else 0.8
        ax.add_patch(plt.Rectangle(place, 1.0, 0.9, fc=fill, ec=edge, lw=width))
        ink = "white" if depth > 0.75 else BLACK
        ax.text(
            place[0] + 0.5,
            place[1] + 0.45,
            f"{round(value, 1) + 0.0:+.1f}",
            color=ink,
            fontsize=11,
            **style,
        )
    for j in range(3):
        ax.text(1.8 + 1.1 * j, 4.5, "ABC"[j], weight="bold", **style)
        ax.text(0.85, 3.8 - 1.0 * j, f"$w_{'ABC'[j]}$", fontsize=12, **style)


def draw_vessels(ax, life, t):
    """Draw the fast weights as vessels; the one that answers now has a thick rim."""
    style = {"ha": "center", "va": "center"}
    ax.text(7.55, 4.95, "F: the three fast weights", color=DARK, **style)
    for b, level in enumerate(life.w[t]):
        x, asked = 5.9 + 1.25 * b, b == life.event[t]
        ax.add_patch(plt.Rectangle((x, 1.35), 0.8, 2.8 * level, fc="#555555", lw=0))
        rim = {"ec": BLACK, "lw": 2.6} if asked else {"ec": GREY, "lw": 1.2}
        ax.add_patch(plt.Rectangle((x, 1.35), 0.8, 2.8, fc="none", **rim))
        ax.text(x + 0.4, 4.5, f"$w_{'ABC'[b]}$", fontsize=12, **style)


def draw_answer(ax, life, t):
    """Write down the answer, and count right steps."""
    ink = GREEN if life.right[t] else RED
    style = {"va": "center", "fontsize": 12}
    ax.text(10.3, 4.5, "asked for", color=DARK, **style)
    ax.text(15.3, 4.5, f"{life.target[t]:.0f}", ha="right", weight="bold", **style)
    ax.text(10.3, 3.85, "F answers", color=DARK, **style)
    words = f"{life.answer[t]:.2f}"
    ax.text(15.3, 3.85, words, ha="right", weight="bold", color=ink, **style)
    ax.text(10.3, 2.85, "right in a row", color=DARK, **style)
    ax.text(15.3, 2.85, f"{life.streak[t]}", ha="right", weight="bold", **style)
    part = min(1.0, life.streak[t] / streak_needed)
    ax.add_patch(plt.Rectangle((10.3, 1.95), 5.0 * part, 0.45, fc=GREEN, lw=0))
    ax.add_patch(plt.Rectangle((10.3, 1.95), 5.0, 0.45, fc="none", ec=GREY, lw=1.2))
    ax.text(15.3, 1.55, f"{streak_needed}", ha="right", color=DARK, va="center")


def draw(figure, life, t):
    """Draw the net at step t, counted from 0."""
    figure.clear()
    ax = figure.add_axes((0, 0, 1, 1))
    title = "No recurrent unit: one fast weight learns to hold the A until a B asks"
    ax.text(0.3, 8.45, title, fontsize=13, weight="bold", va="center")
    draw_tape(ax, life, t)
    draw_writes(ax, life, t)
    draw_vessels(ax, life, t)
    draw_answer(ax, life, t)
    words = "A fills it, B empties it after the answer, C leaves it as it is"
    last = t == len(life.event) - 1
    caption = f"step {t + 1}: solved. {words}" if last else f"step {t + 1}"
    ax.text(8.0, 0.5, caption, ha="center", va="center", fontsize=12)
    ax.set(xlim=(0, 16), ylim=(0, 9))
    ax.axis("off")


# ---- all frames ----
def frames(count):
    """Return (step, milliseconds) of each frame: slow at first, then several steps at a time."""
    slow = 4 if flags.quick else 14
    many = 9 if flags.quick else 55
    yield from ((t, 200) for t in range(min(slow, count - 1)))
    for t in np.unique(np.linspace(slow, count - 2, many).astype(int)):
        yield int(t), 100
    yield count - 1, 2000


config = Config(**(QUICK if flags.quick else {}))
streak_needed = config.streak
life = typical_life(config, flags.seed)
figure = plt.figure(figsize=(8, 4.5), dpi=90, layout="none")
images, times = [], []
for t, milliseconds in frames(len(life.event)):
    draw(figure, life, t)
    figure.canvas.draw()
    images.append(Image.fromarray(np.array(figure.canvas.buffer_rgba())[..., :3]))
    times.append(milliseconds)
# one palette for all frames, from samples of them and from patches of the colours that tell
shades = [tuple(int(255 * c) for c in plt.cm.RdBu_r(s)[:3]) for s in np.linspace(0.1, 0.9, 13)]
colors = ("white", "white", GREEN, RED, ORANGE, BLUE, *shades)
patches = [Image.new("RGB", images[0].size, color) for color in colors]
samples = [np.asarray(image) for image in (*images[:: max(1, len(images) // 8)], *patches)]
palette = Image.fromarray(np.concatenate(samples)).quantize(96)
palette.putpalette([255 if value > 248 else value for value in palette.getpalette()])
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "fast_weights_unknown_delay.gif"
images[0].save(path, save_all=True, append_images=images[1:], duration=times, loop=0)
print(path)
