# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the endless Reber strings: one net drowns, the other empties itself.

The nets are trained by the experiment's own code, as the run of this seed trains them; shown is
of either kind the middle one of ten, by its errors late in training.

    python3 make_continual_embedded_reber_gif.py --seed 0
"""

import argparse
import io
from pathlib import Path

import continual_embedded_reber as cer
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
SYMBOLS, STRIDE = 160, 4  # shown in all, and per frame
STEP, HOLD = 200, 2400  # milliseconds of each frame and of the last one
COLORS = (BLUE, SKY, GREEN, ORANGE, PINK, RED, BLACK, GREY)


def middle_of(trainer, row):
    """The middle net of the config.nets that begin at this row, by its errors late in training."""
    late = np.array(trainer.right)[-max(1, len(trainer.right) // 10) :].mean(0)  # (N,)
    nets = trainer.config.nets
    return row + int(np.argsort(late[row : row + nets])[(nets - 1) // 2])


def read_alone(trainer, row, grammar):
    """Let one net read a fixed stream: text, new strings and errors (T,), states (T, C), gates."""
    net = cer.Lstm(trainer.config, trainer.net.leak[[row]], trainer.net.resets[[row]])
    coins = np.random.default_rng(7).integers(0, 2, (SYMBOLS, 1, 1), np.uint8)
    x, target, nodes = cer.read_on(grammar, np.zeros((1, 1), np.intp), coins)
    y, _ = net.forward(trainer.theta[[row]], x, nodes[:-1] == 0, net.empty(1))
    wrong = (np.abs(y - target) >= trainer.config.bound).any(1)[0, :, 0]
    states = 2 * net.s[1:, :, :, 0, 0].reshape(SYMBOLS, -1)  # on the paper's scale
    text = "".join(cer.SYMBOLS[k] for k in x[:, :7, 0, 0].argmax(1))
    return text, nodes[:-1, 0, 0] == 0, wrong, states, net.f[:, :, 0, 0]


def draw_net(lines, bars, seen, part, name, sizes):
    """Draw the states of one net so far, its errors, and what its cells hold now."""
    _, fresh, wrong, states, _ = part
    size = np.abs(states).max()
    for c in range(states.shape[1]):
        lines.plot(np.arange(seen), states[:seen, c], color=COLORS[c % 8], linewidth=1.3)
    errors = np.flatnonzero(wrong[:seen])
    lines.plot(errors, np.full(len(errors), 1.28 * size), "|", color=RED, markersize=8)
    for step in np.flatnonzero(fresh):
        lines.axvline(step - 0.5, color=GREY, linewidth=0.5, alpha=0.5)
    lines.set_title(f"{name}: {len(errors)} errors", fontsize=10, color=sizes, pad=4)
    lines.set(xlim=(0, SYMBOLS), ylim=(-1.12 * size, 1.42 * size), xticks=(), ylabel="states")
    bars.bar(range(states.shape[1]), states[seen - 1], color=COLORS[: states.shape[1]])
    bars.axhline(0, color=BLACK, linewidth=0.6)
    bars.set(ylim=lines.get_ylim(), xticks=(), yticks=())


def draw(seen, parts):
    """Draw a frame, after so many symbols."""
    fig, axes = plt.subplots(
        3, 2, figsize=(8, 5.2), width_ratios=(4.2, 1), height_ratios=(1.35, 1.35, 1)
    )
    headline = "One net drowns in its own states, the other empties them in time"
    fig.suptitle(headline, x=0.01, ha="left", weight="bold")
    draw_net(*axes[0], seen, parts["standard"], "no forget gates", RED)
    draw_net(*axes[1], seen, parts["forget"], "forget gates", BLUE)
    text, fresh, _, _, gates = parts["forget"]
    lines, bars = axes[2]
    shown = np.full(gates.T.shape, np.nan)  # (J, T)
    shown[:, :seen] = gates[:seen].T
    lines.imshow(shown, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for step in np.flatnonzero(fresh):
        lines.axvline(step - 0.5, color=GREY, linewidth=0.5, alpha=0.7)
    lines.set_title("its forget gates: yellow keeps, blue forgets", fontsize=10, pad=4)
    lines.set_yticks(range(gates.shape[1]), range(1, gates.shape[1] + 1))
    lines.set(xlim=(0, SYMBOLS), ylabel="block")
    lines.set_xlabel("symbols read; grey: a string begins")
    bars.bar(range(gates.shape[1]), gates[seen - 1], color=COLORS[: gates.shape[1]])
    bars.set(ylim=(-0.05, 1.08), xticks=(), yticks=())
    axes[0, 1].set_title("now", fontsize=10, pad=4)
    bars.set_xlabel(text[max(0, seen - 12) : seen], family="DejaVu Sans Mono")
    fig.align_ylabels(axes[:, 0])
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config = cer.Config(**(cer.QUICK if flags.quick else {}))
    grammar = cer.embedded_reber()
    training = np.random.SeedSequence(flags.seed).spawn(3)[0]
    kinds = ("forget", "standard")
    trainer = cer.train(config, kinds, grammar, training, lambda share, text: None)
    parts = {
        kind: read_alone(trainer, middle_of(trainer, k * config.nets), grammar)
        for k, kind in enumerate(kinds)
    }
    frames = [draw(seen, parts) for seen in range(STRIDE, SYMBOLS + 1, STRIDE)]
    last = frames[-1].quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [frame.quantize(palette=last, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(
        flags.out / "continual_embedded_reber.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
