# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of double-pole-no-velocity: cart and poles under the best nets of one search,
generation after generation, and at last under the winner while the counter runs to 100,000."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import study_double_pole_no_velocity
from PIL import Image
from double_pole_no_velocity import START, Pool, Trials, flatten
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

FILE = Path(__file__).with_name("study.json")
DARK_GREEN = "#007A59"


def recorded():
    """Returns the settings and the metrics of the first recorded seed, or else of a quick run."""
    records = json.loads(FILE.read_text("utf-8"))["records"] if FILE.exists() else []
    if records and not flags.quick:
        return study_double_pole_no_velocity.Config(), records[0]["metrics"]
    quick = replace(study_double_pole_no_velocity.Config(), **study_double_pole_no_velocity.QUICK)
    silent = lambda fraction, message: None  # noqa: E731
    return quick, flatten(study_double_pole_no_velocity.run(quick, flags.seed, silent))


config, study = recorded()
nets = np.reshape(study["film.nets"], (-1, config.hidden, config.hidden + 4))
generations, took = study["film.generation"], study["film.took"]


def live(net, steps):
    """Returns where cart and poles are after each step of a trial, (T, 3), the start first, and how
    many steps it lasted. Of a long trial only each hundredth step after the first 1000 is kept."""
    pool = Pool()
    pool.enter(0, Trials(net[None], START, steps))
    move, places = pool.move, [START[None, :3, 0]]

    def watch():
        path, u = move()
        old = pool.columns["steps"][0]
        if old < 1000 or old % 100 == 0:
            places.append(path[:, -1, :3, 0] if old < 1000 else path[:1, -1, :3, 0])
        return path, u

    pool.move = watch
    while pool.wanted:
        pool.advance()
    return np.concatenate(places), int(pool.outcomes[0].steps[0])


trials = [live(net, config.trial_steps) for net in nets[:-1]]
trials.append(live(nets[-1], config.long_steps))
solved = trials[-1][1] >= config.long_steps
finding = "after 2,000 seconds both poles are up"
title = f"{took[-1]:,} trials of small nets without velocities: {finding}"
title = title if solved else f"{took[-1]:,} trials of small nets without velocities"

fig = plt.figure(figsize=(8.4, 4.6), dpi=90, layout="none")
SHORT = 3  # the short pole is drawn three times as long


def draw_scene(places, said, colour):
    """Draws track, cart and poles."""
    ax = fig.add_axes((0.03, 0.4, 0.94, 0.44))
    x, long, short = places
    ax.plot((-2.4, 2.4), (0, 0), color=BLACK, linewidth=1.5)
    for end in (-2.4, 2.4):
        ax.plot((end, end), (-0.06, 0.12), color=BLACK, linewidth=3)
    ax.add_patch(plt.Rectangle((x - 0.2, 0.01), 0.4, 0.14, color="#444444"))
    for foot, angle, length, shade in ((-0.07, long, 1.0, BLUE), (0.1, short, 0.1 * SHORT, RED)):
        top = (x + foot + length * np.sin(angle), 0.15 + length * np.cos(angle))
        ax.plot(
            (x + foot, top[0]), (0.15, top[1]), color=shade, linewidth=5, solid_capstyle="round"
        )
    ax.set(xlim=(-2.75, 2.75), ylim=(-0.12, 1.24), aspect="equal", anchor="C")
    ax.axis("off")
    fig.text(0.03, 0.845, said, fontsize=11, color=colour, va="bottom")


def draw_bars(heights):
    """Draws how long each net shown so far has balanced."""
    ax = fig.add_axes((0.09, 0.17, 0.87, 0.21))
    colours = [DARK_GREEN if height >= config.trial_steps else GREY for height in heights]
    ax.bar(range(len(heights)), np.maximum(heights, 1), color=colours, width=0.6)
    for k, height in enumerate(heights):
        ax.text(k, max(height, 1) * 1.25, f"{height:,}", ha="center", va="bottom", fontsize=9)
    ax.set(yscale="log", ylim=(1, 4e6), yticks=(1, 1000, 100_000), xlim=(-0.6, len(nets) - 0.4))
    ax.set_yticks((1, 1000, 100_000), ("1", "1,000", "100,000"))
    ax.minorticks_off()
    ax.set_xticks(range(len(nets)), [f"{g}\n{t:,}" for g, t in zip(generations, took)])
    ax.tick_params(axis="x", length=0)
    fig.text(
        0.09,
        0.012,
        "bars: steps balanced; below: generation, trials so far; the short pole is drawn too long",
        fontsize=9,
    )


def frame(places, heights, said, colour="#333333"):
    """Draws a frame."""
    fig.clear()
    fig.text(0.03, 0.935, title, fontsize=12, weight="bold")
    draw_scene(places, said, colour)
    draw_bars(heights)
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy())


frames, durations, heights = [], [], []
for k, (places, lasted) in enumerate(trials[:-1]):
    last = min(lasted, 100)
    said = f"generation {generations[k]}: the best net so far"
    for t in np.unique(np.linspace(0, last, 2 if flags.quick else 7).astype(int)):
        frames.append(frame(places[min(t, len(places) - 1)], [*heights, int(t)], said))
        durations.append(70)
    heights.append(lasted)
    ending = "keeps both up for a trial" if lasted >= config.trial_steps else "falls"
    frames.append(frame(places[min(last + 1, len(places) - 1)], heights, f"{said}, {ending}"))
    durations.append(350)
places, lasted = trials[-1]
name = "the winner" if solved else "the last net"
for t in np.unique(np.linspace(0, min(lasted, 200), 3 if flags.quick else 21).astype(int)):
    frames.append(frame(places[t], [*heights, int(t)], f"{name}, {0.02 * t:.1f} s"))
    durations.append(70)
rest = np.unique(np.geomspace(min(lasted, 300), lasted, 3 if flags.quick else 18).astype(int))
for t in rest:
    row = min(t if t <= 1000 else 1000 + (t - 1000) // 100, len(places) - 1)
    frames.append(frame(places[row], [*heights, int(t)], f"{name}, {0.02 * t:,.0f} s", DARK_GREEN))
    durations.append(100)
durations[-1] = 2000
frames, durations = [frames[-1], *frames], [700, *durations]  # a still of the GIF shows the end
sample = Image.fromarray(np.concatenate([np.asarray(one) for one in frames[::6]]))
palette = sample.quantize(96)
values = np.array(palette.getpalette()).reshape(-1, 3)
values[values.min(1) > 243] = 255  # white stays white
palette.putpalette(values.ravel().tolist())
frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
path = flags.out / "double_pole_no_velocity.gif"
frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
print(f"{path}: {len(frames)} frames, {sum(durations) / 1000} s, {path.stat().st_size:,} bytes")
