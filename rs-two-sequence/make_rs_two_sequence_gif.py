# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of rs-two-sequence: guesses for the one-unit latch, until one holds its bit
through the noise."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from rs_two_sequence import NETS, Config, as_theta, draw, rollout, search, sequences, test_all

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

net = NETS["latch2"]
config = replace(Config(), first_block=16)
rng = np.random.default_rng(flags.seed)
data, blocks = sequences(rng, config.training, config), []
trials, _, winner = search(net, config, data, rng, lambda weights, right: blocks.append(weights))
tried = np.concatenate(blocks, 1)[:, :trials]  # (5, trials), the last one is right
more = draw(net, config.prior, rng, 1000 if flags.quick else 6000)
right = test_all(net, more, data, config)[0]
shown, steps = np.arange(6), config.shortest  # three sequences of each class
x = data.x[:steps, None, shown].astype(float)


def outputs(weights):
    """Outputs of one net on the six sequences, (steps + 1, 6)."""
    return rollout(net, as_theta(net, weights), x)[1][:, 0]


def lines(ax, y, width):
    for s in shown[::-1]:
        ax.plot(y[:, s], color=BLUE if data.sign[s] > 0 else ORANGE, linewidth=width)


def clear(ax, y_ticks=()):
    ax.clear()
    ax.set(xlim=(0, steps), ylim=(-1.15, 1.15), xticks=(), yticks=y_ticks)


fig = plt.figure(figsize=(8, 4.5), dpi=90, layout="none")
plane = fig.add_axes((0.105, 0.2, 0.37, 0.61))
small = [
    fig.add_axes((0.545 + 0.15 * (k % 3), 0.70 - 0.145 * (k // 3), 0.13, 0.10)) for k in range(6)
]
big = fig.add_axes((0.585, 0.2, 0.39, 0.25))
first_frames = 4 if flags.quick else 34
guess_of_frame = (
    np.unique(np.linspace(0, trials - 1, first_frames).astype(int))
    if trials > 3
    else np.arange(trials)
)
grow = np.linspace(0, steps, 4 if flags.quick else 24).astype(int)[1:]
fill = np.linspace(0, more.shape[1], 4 if flags.quick else 20).astype(int)[1:]
scenes = (
    [("guess", k) for k in guess_of_frame]
    + [("grow", k) for k in grow]
    + [("fill", k) for k in fill]
)
history = [outputs(tried[:, k : k + 1]) for k in range(trials)]
frames, durations = [], []
for scene, k in scenes:
    count = k + 1 if scene == "guess" else trials
    found = count == trials
    plane.clear()
    plane.set(
        xlim=(-100, 100),
        ylim=(-100, 100),
        xlabel="self weight d",
        ylabel="input weight c",
        xticks=(-100, 0, 100),
        yticks=(-100, 0, 100),
    )
    plane.set_title(f"{count + (k if scene == 'fill' else 0):,} guesses", fontsize=12)
    if scene == "fill":
        plane.scatter(
            more[1, :k][~right[:k]], more[0, :k][~right[:k]], s=2, color="#CCCCCC", linewidth=0
        )
        plane.scatter(more[1, :k][right[:k]], more[0, :k][right[:k]], s=9, color=GREEN, linewidth=0)
    failed = count - found
    plane.scatter(tried[1, :failed], tried[0, :failed], s=14, color=GREY, linewidth=0)
    if scene == "guess" and not found:
        plane.scatter(tried[1, k], tried[0, k], s=70, facecolors="none", edgecolors=BLACK)
    if found:
        plane.scatter(winner[1], winner[0], s=90, color=GREEN, edgecolors=BLACK, zorder=4)
    last = list(range(max(count - 6, 0), count))
    for j, ax in enumerate(small):
        clear(ax)
        for spine in ax.spines.values():
            spine.set_visible(False)
        if j < len(last):
            lines(ax, history[last[j]], 0.5)
            good = found and last[j] == trials - 1
            ax.text(
                0,
                1.2,
                f"guess {last[j] + 1}",
                fontsize=8,
                color=GREEN if good else "#555555",
                weight="bold" if good else "normal",
            )
    clear(big, (-1, 0, 1))
    big.set(xticks=range(0, steps + 1, 100), xlabel="step", ylabel="output")
    if found:
        upto = steps if scene == "fill" else k if scene == "grow" else 1
        lines(big, history[-1][: upto + 1], 1.6)
        if upto > 230:
            big.text(
                upto * 0.5,
                0.72,
                "first element was +1",
                color=BLUE,
                fontsize=9,
                ha="center",
                clip_on=True,
            )
            big.text(
                upto * 0.5,
                -0.82,
                "first element was −1",
                color="#B37800",
                fontsize=9,
                ha="center",
                clip_on=True,
            )
        if upto > 230:
            big.text(
                upto * 0.5,
                0,
                "three noisy sequences each",
                color="#555555",
                fontsize=9,
                ha="center",
                va="center",
            )
    fig.texts.clear()
    fig.text(
        0.105,
        0.93,
        "One unit, three random weights: guess until it remembers",
        fontsize=12.5,
        weight="bold",
    )
    fig.text(0.545, 0.84, "What the last guesses do with six sequences", fontsize=10)
    if found:
        fig.text(
            0.585,
            0.468,
            f"Guess {trials} holds its bit",
            fontsize=10,
            weight="bold",
            color="#007A59",
        )
    says = {
        "guess": "Each dot is a net with weights from U[−100, 100]. Most flicker with the noise, "
        "or forget.",
        "grow": "This one is right on all 100 training sequences: the first element sets it, "
        "noise never flips it.",
        "fill": "More guesses: solutions (green) fill a region. Strong self weight, input neither "
        "too weak nor too strong.",
    }
    fig.text(0.03, 0.03, says[scene if not (scene == "guess" and found) else "grow"], fontsize=9)
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    durations.append(170 if scene == "guess" else 90)
if flags.quick:
    durations = [600] * len(durations)
durations[-1] = 2500
palette = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames[::6]])).quantize(64)
colours = np.array(palette.getpalette()).reshape(-1, 3)
colours[colours.min(1) > 240] = 255
palette.putpalette(colours.ravel().tolist())
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
path = flags.out / "rs_two_sequence.gif"
frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
print(
    path, f"{len(frames)} frames, {sum(durations) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB"
)
