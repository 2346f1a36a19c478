# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "matplotlib", "pillow"]
# ///
"""The animation of the adding problem: random drift of the cells turns into staircases, answers fall onto the diagonal.

The net is trained by the experiment's own train(); its callback takes the snapshots.

    python3 make_adding_problem_gif.py --seed 0
"""
import argparse
import io
from pathlib import Path

import adding_problem as ap
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

# ---- picture style, byte-identical in every picture script; its text stands in SPEC.md ----
plt.switch_backend("Agg")
plt.rcParams.update({
    "figure.figsize": (8, 4.5), "figure.dpi": 100, "savefig.dpi": 150, "figure.constrained_layout.use": True,
    "figure.facecolor": "white", "savefig.facecolor": "white", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.6})
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK, GREY = (  # Okabe and Ito's colours, safe for the colour-blind
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
PAPER = {"color": BLACK, "linestyle": "--", "linewidth": 1.2}  # the paper's own figure, wherever one is known
flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--seed", type=int, default=0, help="seed of the run that the pictures show")
flags.add_argument("--quick", action="store_true", help="pictures of a quick run: they prove the code")
flags.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write into")
flags = flags.parse_args()
flags.out.mkdir(parents=True, exist_ok=True)

FRAMES, HOLD, STEP = 48, 2400, 150  # frames, and milliseconds for the last and each other one


def snapshots(config, seed):
    """Cell states on one fixed sequence, and answers on 300 others, at points of the training that grow apart."""
    x, start, target, addends = ap.sequences(np.random.default_rng(7), 1, 300, config)
    pick = int(np.argmax(np.where(start[0] == 0, 0, addends[0, 0] * addends[1, 0])))
    eye = ap.Lstm(np.random.default_rng(0), 1, config)  # looks through the trained weights, leaves its buffers alone
    shots, due = [], [0]

    def look(net, seen, recent):
        if seen >= due[0]:
            due[0] = seen * 1.08 + 32
            eye.theta[:] = net.theta
            y = eye.forward(x, start)[0]
            shots.append((seen, eye.state[1 + start[0, pick]:, 0, :, pick].copy(), y.copy()))
    net, outcome = ap.lstm_trial(config, seed, 1, look)
    due[0] = 0
    look(net, int(outcome["total"][0]), None)
    first = int(start[0, pick])
    chosen = shots[:1] + [shots[k] for k in np.unique(np.linspace(1, len(shots) - 1, FRAMES - 1).astype(int))]
    return chosen, x[first:, 0, :, pick], target[0], pick, outcome


def draw(shot, pairs, target, pick, limit, config):
    seen, states, y = shot
    values, marks = pairs.T
    steps, marked = np.arange(len(pairs)), np.flatnonzero(marks == 1)
    fig = plt.figure(figsize=(8, 4.2))
    grid = fig.add_gridspec(2, 2, width_ratios=(1.7, 1), height_ratios=(0.55, 1.6))
    top, cells, dots = fig.add_subplot(grid[0, 0]), fig.add_subplot(grid[1, 0]), fig.add_subplot(grid[:, 1])
    top.bar(steps, values, color=GREY, width=0.8)
    top.bar(marked, values[marked], color=RED, width=1.6)
    top.set(xlim=(-1, len(steps)), ylim=(-1.1, 1.1), yticks=(-1, 1), xticks=(), ylabel="input")
    top.set_title("one fixed sequence, two marked numbers", fontsize=10)
    for c, color in zip(range(states.shape[1]), (BLUE, SKY, ORANGE, PINK)):
        cells.plot(steps, states[:, c], color=color, linewidth=2)
    for k in marked:
        cells.axvline(k, color=RED, linewidth=0.8)
    cells.set(xlim=(-1, len(steps)), ylim=limit, xlabel="time step", ylabel="the four cell states")
    dots.fill_between([0, 1], [-config.tolerance, 1 - config.tolerance], [config.tolerance, 1 + config.tolerance],
                      color=GREEN, alpha=0.3, linewidth=0)
    dots.plot(target, y, ".", color=BLUE, markersize=3)
    dots.plot(target[pick], y[pick], "o", color=RED, markersize=6)
    right = np.mean(np.abs(y - target) < config.tolerance)
    dots.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), xlabel="target", ylabel="output")
    dots.set_title(f"{right:.0%} of 300 right", fontsize=10)
    fig.suptitle(f"After {seen:,} sequences: " + ("the cells drift" if right < 0.3 else "they learn when to write"
                 if right < 0.9 else "they write twice, then hold"), fontweight="bold", x=0.01, ha="left")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB").quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = ap.Config(**(ap.QUICK if flags.quick else {}))
    shots, pairs, target, pick, _ = snapshots(config, flags.seed)
    final = shots[-1][1]
    low, high = min(final.min(), -0.5), max(final.max(), 0.5)
    limit = (low - 0.25 * (high - low), high + 0.25 * (high - low))
    frames = [draw(shot, pairs, target, pick, limit, config) for shot in shots]
    frames[0].save(flags.out / "adding_problem.gif", save_all=True, append_images=frames[1:], loop=0, optimize=True,
                   duration=[STEP] * (len(frames) - 1) + [HOLD])


if __name__ == "__main__":
    main()
