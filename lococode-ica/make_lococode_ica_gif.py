# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of lococode-ica."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from lococode_ica import LIT, QUICK, Config, living, owners, prepare, train
from matplotlib.colors import LinearSegmentedColormap
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

config = replace(Config(), **(QUICK if flags.quick else {}))
x, unseen, bars, order, nets = prepare(config, flags.seed)
gain = config.target / LIT
net = nets["loco"]
moments = np.unique(np.geomspace(2, config.epochs, 48).astype(int)).tolist()
frames_of = []  # of epoch, weights (N, H, D), alive (N, H), owns (N, H, bars), error (N,)


def watch(epoch, error):
    if epoch in moments:
        y = net.code(unseen)
        alive = living(net, y)
        owns = owners(y, alive, bars)
        frames_of.append((epoch, net.theta["W2"].copy(), alive, owns, error, net.strength))


train(net, x, gain * x, order, config, watch)
_, _, alive, owns, _, _ = frames_of[-1]
solved = np.flatnonzero((alive.sum(1) == 10) & (owns.any(1).sum(1) == 10))
n = int(solved[0]) if len(solved) else 0
first = np.where(owns[n].any(1), owns[n].argmax(1), 50 + ~alive[n])
units = np.argsort(first, kind="stable")  # those that will own a bar come first
SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, "white", RED])
grid = config.grid
alive_line = [frame[2][n].sum() for frame in frames_of]
owned_line = [frame[3][n].any(0).sum() for frame in frames_of]
epochs = [frame[0] for frame in frames_of]

frames = []
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 4.6), dpi=80, width_ratios=[1.15, 1])
title = "Fifteen units fade, ten become the ten bars"
fig.suptitle(title, fontsize=12, fontweight="bold", x=0.02, ha="left")
for k, (epoch, weights, _, owns, error, strength) in enumerate(frames_of):
    left.clear()
    top = np.abs(frames_of[-1][1][n]).max()
    for place, unit in enumerate(units):
        x0, y0 = (place % 5) * (grid + 1), -(place // 5) * (grid + 1)
        tile = weights[n, unit].reshape(grid, grid)
        box = (x0, x0 + grid, y0 - grid, y0)
        left.imshow(tile, cmap=SIGNED, vmin=-top, vmax=top, extent=box)
        owner = owns[n, unit].any()
        style = {"edgecolor": BLACK, "linewidth": 1.4} if owner else {"edgecolor": "#cccccc"}
        left.add_patch(plt.Rectangle((x0, y0 - grid), grid, grid, fill=False, **style))
    left.set(xlim=(-0.5, 5 * grid + 4.5), ylim=(-5 * grid - 4.5, 0.5), xticks=[], yticks=[])
    left.set_aspect("equal")
    left.spines[:].set_visible(False)
    said = "from 25 units to the pixels; framed: owns a bar"
    left.set_xlabel(said, fontsize=9)
    right.clear()
    right.axhline(10, **PAPER)
    right.semilogx(epochs[: k + 1], alive_line[: k + 1], color=BLUE)
    right.semilogx(epochs[: k + 1], owned_line[: k + 1], color=RED)
    right.text(1.2, 26.2, "alive units", color=BLUE)
    right.text(1.2, 2.2, "owned bars", color=RED)
    right.set(xlim=(1, 1.3 * config.epochs), ylim=(-1, 28))
    right.set_xlabel(f"epoch {epoch}: error {error[n]:.2f}, lambda {strength[n]:.3f}")
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3]))
some = [np.asarray(frames[k]) for k in (0, len(frames) // 2, -1)]
palette = Image.fromarray(np.concatenate(some)).quantize(96)  # one for all: no colour flickers
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
milliseconds = [170] * (len(frames) - 1) + [2000]
frames[0].save(
    flags.out / "lococode_ica.gif",
    save_all=True,
    append_images=frames[1:],
    duration=milliseconds,
    loop=0,
)
