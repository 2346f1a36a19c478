# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the counting languages: two cells learn to count, and then to count far.

A few nets learn a^n b^n c^n by the experiment's own rule, and the one that gets farthest is shown.

    python3 make_anbn_anbncn_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import anbn_anbncn as ab
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
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
FRAMES, STEP, HOLD = 46, 170, 2400  # frames, and milliseconds of each and of the last one
SHOWN = 50  # n of the string that is watched
NETS = 6  # that are trained, one of them is shown
PHASES = ("#FFFFFF", "#EFEFEF", "#DEDEDE")  # behind a, b and c


class Filmed(ab.OnLine):
    """The paper's rule, with the weights of the start and of every look kept."""

    def train(self, lengths, progress):
        self.film = [self.w.copy()]
        super().train(lengths, progress)

    def look(self, share):
        super().look(share)
        self.film.append(self.w.copy())


def film(config, seed):
    """Train nets; return the net, and the weights (P, 1) of the best one at each look."""
    init, text = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    net = ab.Lstm(3, config.cells_abc, config.biases)
    strings = config.strings_abc
    training, _ = ab.train_lstm(net, Filmed, init, text, strings, config, lambda *_: None)
    best = ab.examine(net, training.kept, config.test_longest).argmax()
    shots = [w[:, [best]] for w in [*training.film, training.kept]]
    seen = [*(np.arange(ab.CHECKS + 1) * strings // ab.CHECKS), strings]
    return net, shots, seen


def follow(net, w, n):
    """Return states (L, H), gates (L, 3, H) and whether the answers are right (L,) on a string."""
    symbols, targets = ab.string(n, net.K - 1)
    state, (W, p, V) = net.rest((1,)), net.views(w)
    states, gates, right = [], [], []
    for x, target in zip(ab.code(symbols, net.K - 1), targets):
        x = x[:, None]
        i, f, _, _, o = net.cell(W, p, ab.sources(state[0], x), state[1])
        answer, state = net.advance((W, p, V), x, state)
        states.append(state[1, :, 0])
        gates.append([i[:, 0], f[:, 0], o[:, 0]])
        right.append(((answer[:, 0] > 0) == (target > 0)).all())
    return np.array(states), np.array(gates), np.array(right)


def draw(net, w, seen, signs, limits, config):
    """Draw a frame."""
    states, gates, right = follow(net, w, SHOWN)
    n1 = int(ab.reach(net, w, config.test_longest)[0])
    steps = np.arange(len(states))
    fig = plt.figure(figsize=(8, 4.6))
    grid = fig.add_gridspec(3, 2, width_ratios=(3.4, 1), height_ratios=(2.6, 1.5, 0.3))
    cells, doors, marks = (fig.add_subplot(grid[k, 0]) for k in range(3))
    bar = fig.add_subplot(grid[:, 1])
    fig.suptitle(
        "Two cells learn to count to ten, and go on counting", x=0.01, ha="left", weight="bold"
    )

    for k, letter in enumerate("abc"):
        cells.axvspan(k * SHOWN + 0.5, (k + 1) * SHOWN + 0.5, color=PHASES[k], linewidth=0)
        cells.text((k + 0.5) * SHOWN, limits[1] * 0.84, letter, ha="center", weight="bold")
    for cell, color, sign in zip(states.T, (BLUE, ORANGE), signs):
        cells.plot(steps, sign * cell, color=color, linewidth=2)
    cells.set(xlim=(-0.5, len(steps) - 0.5), ylim=limits, xticks=(), ylabel="cell states")
    cells.set_title(
        f"the string of n = {SHOWN}, five times as long as any of training", fontsize=10
    )
    image = gates.transpose(2, 1, 0).reshape(-1, len(steps))  # (3 H, L), cell by cell
    doors.imshow(image, aspect="auto", cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    names = [f"{gate} {k + 1}" for k in range(net.H) for gate in ("in", "forget", "out")]
    doors.set_yticks(range(len(names)), names, fontsize=9)
    for k, tick in enumerate(doors.get_yticklabels()):
        tick.set(color=(BLUE, ORANGE)[k // 3 % 2], weight="bold")
    doors.set(xticks=())
    doors.set_title("gates: black is open", fontsize=10, pad=4)
    marks.imshow(right[None], aspect="auto", cmap=ListedColormap([RED, GREEN]), vmin=0, vmax=1)
    marks.set(yticks=(0,), xticks=(1, SHOWN, 2 * SHOWN, 3 * SHOWN), xlabel="symbols read")
    marks.set_yticklabels(["answer right"])

    bar.axhspan(0.8, config.longest, color=YELLOW, alpha=0.3, linewidth=0)
    bar.bar([0], [max(n1, 0.8)], color=BLUE, width=0.6)
    bar.set(yscale="log", ylim=(0.8, 2 * config.test_longest), xlim=(-0.6, 0.6), xticks=())
    bar.set_yticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    bar.text(0, max(n1, 0.8) * 1.12, f"{n1}", ha="center", weight="bold", fontsize=12)
    bar.set_title(f"{seen:,} strings", fontsize=10)
    bar.set(ylabel="accepts all n up to", xlabel="yellow: training")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    frame = Image.open(buffer).convert("RGB")
    return frame.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = replace(ab.Config(**(ab.QUICK if flags.quick else {})), nets=NETS)
    net, shots, seen = film(config, flags.seed)
    final = follow(net, shots[-1], SHOWN)[0]
    signs = np.sign(final[SHOWN] + 1e-9)  # at the last a: drawn upwards
    high = 1.25 * max(np.abs(final).max(), 0.5)
    limits = (min(-0.3 * high, 1.1 * (signs * final).min()), high)
    chosen = np.unique(np.linspace(0, len(shots) - 1, FRAMES).astype(int))
    frames = [draw(net, shots[k], seen[k], signs, limits, config) for k in chosen]
    frames[0].save(
        flags.out / "anbn_anbncn.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
