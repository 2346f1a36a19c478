# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the noise-free long lag: a gate learns to let the key in and nothing else.

One net is trained by the experiment's own code. At four moments of its training both sequences run
past its gate, and the strip below shows how far the training is.

    python3 make_noise_free_long_lag_gif.py --seed 0
"""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import noise_free_long_lag as nf
import numpy as np
from matplotlib.patches import Rectangle
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

STEP, HOLD = 180, 2600  # milliseconds of a frame and of the last one
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 90, 98, 99)  # hundredths of the delay that frames show
BELT = 6  # symbols on the belt


def film(config, seed):
    """Train a net; return looks at it: (sequences seen, gates (2, T), states (2, T), outputs).

    Also return the course of its largest error at the end of a sequence, a row for each test.
    """
    init, data = np.random.default_rng(seed).spawn(2)
    net = nf.Lstm(init, [config.learning_rate], config)
    course, looks, learned = [], [], False
    for seen in range(1, config.max_sequences + 1):
        symbols = nf.sequences(data.integers(2, size=1), config.delay)
        net.learn(symbols[:, :-1], symbols[:, 1:], net.forward(symbols[:, :-1]))
        if seen % config.check_every == 0:
            error, at_end = nf.examine(net, config)
            course.append((seen, at_end[0]))
            looks.append((seen, *look(net, config)))
            learned = error[0] < config.tolerance
        if learned:
            break
    return looks, np.array(course), net.joins


def look(net, config):
    """Return the gates, the states and the outputs x and y on both sequences."""
    rows = []
    for key in (0, 1):
        symbols = nf.sequences(np.array([key]), config.delay)[:, :-1]
        y = net.forward(symbols)[0, :, :2]  # (T, 2)
        rows.append((net.i[0] * (net.joined[0] > 0), net.s[0], y))
    return [np.array(part) for part in zip(*rows)]


def name(key, t, delay):
    """Return the symbol that is shown at step t."""
    return ("xy"[key] if t == 0 else f"a{t}") if 0 <= t < delay else ""


def draw_row(ax, key, t, shown, top, delay):
    """Draw the belt, the gate, the cell and the outputs for one of the two sequences."""
    gate, state, y = (part[key] for part in shown)
    color = (BLUE, ORANGE)[key]
    ax.set(xlim=(-0.6, 14.2), ylim=(-0.15, 2.3), xticks=(), yticks=())
    ax.spines[:].set_visible(False)
    ax.text(-0.44, 2.1, f"the sequence of {'xy'[key]}, step {t + 1}", va="bottom", fontsize=9.5)
    for k in range(BELT):
        at, word = BELT - 1 - k, name(key, t + k, delay)
        face = color if t + k == 0 else "#E4E4E4"
        ink = "white" if t + k == 0 else BLACK
        if word:
            ax.add_patch(Rectangle((at - 0.44, 0.6), 0.88, 0.88, facecolor=face))
            ax.text(at, 1.03, word, ha="center", va="center", color=ink, fontsize=11)
    opening = 0.08 + 0.8 * gate[t]  # of the gate, in units of the belt
    for low, high in ((0, 1.04 - opening / 2), (1.04 + opening / 2, 2.08)):
        ax.plot([BELT, BELT], [low, high], color=BLACK, linewidth=5, solid_capstyle="butt")
    ax.text(BELT, 2.1, f"gate {gate[t]:.2f}", ha="center", va="bottom", fontsize=9.5)
    level = 1.9 * state[t] / top
    ax.add_patch(Rectangle((7.2, 0.05), 1.6, 1.95, facecolor="none", edgecolor=BLACK))
    ax.add_patch(Rectangle((7.2, 0.05), 1.6, level, facecolor=color, alpha=0.75))
    ax.text(8.0, 2.1, f"cell {state[t]:.2f}", ha="center", va="bottom", fontsize=9.5)
    for k, (output, shade) in enumerate(zip("xy", (BLUE, ORANGE))):
        at = 1.3 - 0.8 * k
        ax.add_patch(Rectangle((10.5, at - 0.25), 2.6, 0.5, facecolor="#F2F2F2"))
        ax.add_patch(Rectangle((10.5, at - 0.25), 2.6 * y[t, k], 0.5, facecolor=shade))
        ax.text(10.3, at, output, ha="right", va="center", fontsize=11, color=shade)
        ax.text(13.25, at, f"{y[t, k]:.2f}", va="center", fontsize=9.5)
    ax.text(10.5, 2.1, "next symbol?", va="bottom", fontsize=9.5)


def draw(now, t, course, joins, top, config):
    """Draw a frame."""
    seen, *shown = now
    fig, axes = plt.subplots(3, 1, figsize=(8, 4.6), height_ratios=(1, 1, 0.75))
    fig.suptitle(
        "The gate lets the key in and little else: one cell bridges 100 steps".replace(
            "100", str(config.delay)
        ),
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=12,
    )
    for key in (0, 1):
        draw_row(axes[key], key, t, shown, top, config.delay)
    strip = axes[2]
    strip.plot(*course.T, color=GREY, linewidth=0.8)
    past = course[course[:, 0] <= seen]
    strip.plot(*past.T, color=GREEN, linewidth=1.2)
    strip.plot(*past[-1], "o", color=GREEN, markersize=7)
    strip.axhline(config.tolerance, **PAPER)
    for joined in joins:
        strip.axvline(joined, color=BLACK, linewidth=0.8)
        strip.text(joined, 1.02, " the cell joins", fontsize=9, va="top")
    strip.set(ylim=(0, 1.05), yticks=(0, 0.5, 1), ylabel="error at\nthe end")
    strip.set(xlim=(0, course[-1, 0] * 1.02), xlabel=f"training sequences: {seen:,}")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    frame = Image.open(buffer).convert("RGB")
    return frame.quantize(48, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = nf.Config(**(nf.QUICK if flags.quick else {}))
    looks, course, joins = film(config, flags.seed)
    seen = np.array([now[0] for now in looks])
    start = joins[0] if joins else 0
    moments = [start + share * (seen[-1] - start) for share in (0.03, 0.2, 0.5, 1)]
    chosen = [looks[np.searchsorted(seen, moment)] for moment in moments]
    top = 1.08 * max(now[2].max() for now in chosen)
    steps = sorted({share * config.delay // 100 for share in STEPS})
    frames = [draw(now, t, course, joins, top, config) for now in chosen for t in steps]
    frames[0].save(
        flags.out / "noise_free_long_lag.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
