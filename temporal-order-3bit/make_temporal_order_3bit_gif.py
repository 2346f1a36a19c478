# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of temporal order: a net plays four sequences before, during and after training.

The four differ in their two marks alone. The experiment's step trains the net, of one block.

    python3 make_temporal_order_3bit_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import temporal_order_3bit as to
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
STEP, HOLD = 140, 2400  # milliseconds of a frame and of the last one
ORDERS = {"XX": BLUE, "XY": SKY, "YX": ORANGE, "YY": RED}
SIGHT = 15  # symbols to each side in the ticker


def four_orders(config):
    """Return a sequence with each of the four pairs of marks (T, 1, 4), and the marks' steps."""
    symbols, _ = to.sequences(np.random.default_rng(7), 1, 1, config)
    marks = np.flatnonzero((symbols[:, 0, 0] == to.X) | (symbols[:, 0, 0] == to.Y))
    symbols = np.repeat(symbols, 4, axis=2)  # (T, 1, 4)
    symbols[marks, 0] = to.X + np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    return symbols, marks


class Watched(to.Trainer):
    """A trainer that keeps the weights every 500 sequences and ends when half its nets are done."""

    def release(self, done):
        super().release(done)
        if self.solved.mean() >= 0.5:
            self.go_on_with(np.zeros(len(self.running), bool))

    def step(self, symbols, target):
        if self.seen % 500 == 0:
            self.shots.append((self.seen, self.running, self.live.copy()))
        super().step(symbols, target)


def three_acts(config, seed):
    """Train eight nets; return the quietest, and (sequences seen, weights (1, P)) of each act."""
    config = replace(config, blocks=1, input_bias=config.input_bias[:1], nets=8)
    init, data, test = np.random.default_rng(seed).spawn(3)
    net = to.Lstm(config)
    trainer = Watched(net, net.initial(init, config.nets, config), config)
    trainer.shots = []
    trainer.train(data, lambda share, text: None)
    symbols, _ = to.sequences(test, config.nets, 50, config)
    net.forward(trainer.theta, symbols)
    idle = (symbols >= to.A) & (symbols <= to.D)  # (T, N, 50)
    gate = (net.i[:, 0] * idle).mean(axis=(0, 2)) + (~trainer.solved & trainer.solved.any())
    best = int(gate.argmin())
    past = [(seen, live[who == best]) for seen, who, live in trainer.shots if best in who]
    symbols, classes = to.sequences(test, 1, 400, config)
    share = [(net.forward(w, symbols).argmax(0) == classes).mean() for _, w in past]
    half = int(np.argmax(np.array(share) > 0.45))  # it tells two of the four apart
    end = (trainer.sequences[best], trainer.theta[[best]])
    return net, [past[0], past[half], end]


def moments(symbols, marks):
    """Return the steps that are shown: all around the marks, few in between."""
    begin, end = int(np.argmax(symbols[:, 0, 0] == to.E)), len(symbols) - 1
    near = [mark + k for mark in marks for k in (-1, 0, 1)]
    between = np.concatenate([np.linspace(begin, marks[0], 4), np.linspace(marks[0], marks[1], 6)])
    return np.unique([*near, *between.astype(int), *np.linspace(marks[1], end, 6).astype(int)])


def draw_ticker(ax, symbols, marks, now):
    """Draw the symbols around a step, those to come in grey."""
    for t in range(now - SIGHT, now + SIGHT + 1):
        if 0 <= t < len(symbols) and symbols[t, 0, 0] != to.PAD:
            name = "X or Y" if t in marks else "EBabcdXY"[symbols[t, 0, 0]]
            color = RED if t in marks else BLACK if t <= now else GREY
            rise = 0.55 if t in marks else 0  # a long name stands above its neighbours
            ax.text(t - now, rise, name, color=color, ha="center", va="center", weight="bold")
    ax.plot([-0.5, 0.5], [-0.5, -0.5], color=BLACK, linewidth=3)
    ax.set(xlim=(-SIGHT - 1, SIGHT + 1), ylim=(-0.7, 0.9))
    ax.axis("off")


def draw(act, now, symbols, marks, limits):
    """Draw a frame: all up to the step `now` of an act (text, gates (T, 4), states (T, 2, 4))."""
    text, gates, states = act
    begin = int(np.argmax(symbols[:, 0, 0] == to.E))
    steps = np.arange(len(symbols)) - begin
    past = slice(begin, now + 1)
    fig = plt.figure(figsize=(8, 4.4))
    title = "Trained, the cells fork at the first mark and again at the second"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    grid = fig.add_gridspec(3, 2, width_ratios=(1.3, 1), height_ratios=(0.35, 0.8, 1))
    draw_ticker(fig.add_subplot(grid[0, :]), symbols, marks, now)
    gate, cell = fig.add_subplot(grid[1, 0]), fig.add_subplot(grid[2, 0])
    plane = fig.add_subplot(grid[1:, 1])
    for k, color in enumerate(ORDERS.values()):
        gate.plot(steps[past], gates[past, k], color=color)
        cell.plot(steps[past], states[past, 0, k], color=color, linewidth=2)
        plane.plot(*states[past, :, k].T, color=color, linewidth=1, alpha=0.6)
        plane.plot(*states[now, :, k], "o", color=color, markersize=11)
    for ax in (gate, cell):
        ax.set_xlim(0, steps[-1])
        for mark in marks - begin:
            ax.axvline(mark, color=GREY, linewidth=0.8, zorder=0)
    gate.set(ylim=(-0.04, 1.04), yticks=(0, 1), ylabel="input gate", xticklabels=[])
    cell.set(ylim=limits[0], ylabel="state of cell 1", xlabel="step")
    plane.set(xlim=limits[0], ylim=limits[1], xlabel="state of cell 1", ylabel="state of cell 2")
    plane.set_title(text, fontsize=10)
    handles = [plt.Line2D([], [], color=color, marker="o", ls="") for color in ORDERS.values()]
    plane.legend(handles, ORDERS, loc="lower left", ncols=4, fontsize=9, columnspacing=0.6)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config = to.Config(**(to.QUICK if flags.quick else {}))
    net, weights = three_acts(config, flags.seed)
    symbols, marks = four_orders(config)
    acts = []
    for seen, theta in weights:
        net.forward(theta, symbols)
        states = 2 * net.s[1:, :, 0]  # (T, 2, 4), on the paper's scale
        acts.append((f"after {seen:,} sequences", net.i[:, 0, 0].copy(), states))
    final = acts[-1][2]
    limits = []
    for cell in range(2):
        low, high = min(final[:, cell].min(), -0.5), max(final[:, cell].max(), 0.5)
        limits.append((low - 0.25 * (high - low), high + 0.15 * (high - low)))
    shown = moments(symbols, marks)
    frames = [draw(act, now, symbols, marks, limits) for act in acts for now in shown]
    palette = frames[-1].quantize(128, method=Image.Quantize.MAXCOVERAGE)  # it has all the colours
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    frames[0].save(
        flags.out / "temporal_order_3bit.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
