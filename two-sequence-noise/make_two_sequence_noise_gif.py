# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the two sequences with noise: cells fan out, and outputs find the means.

One net is trained on task 3c by the experiment's own step, and looked at every few updates.

    python3 make_two_sequence_noise_gif.py --seed 0
"""

import argparse
import io
from pathlib import Path

import two_sequence_noise as tsn
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
FRAMES, STEP, HOLD = 48, 150, 2400  # frames, and milliseconds of each and of the last one
SHOWN = 50  # test sequences
LEVELS = ((0.2, BLUE, "class 1"), (0.8, RED, "class 2"))


def film(config, seed):
    """Train a net until it stops; return its looks at SHOWN test sequences, and their targets.

    A look is (targets so far (n,), outputs (SHOWN,), and of the cell that matters most in the end
    the state (T, SHOWN), its input gate and its output gate, averaged, (T,)).
    """
    task = tsn.tasks_of(config)["c3"]
    x, _, expected = tsn.sequences(np.random.default_rng(7), [task], SHOWN, config)
    init, data, tests = np.random.default_rng(seed).spawn(3)
    net = tsn.Lstm(config)
    trainer = tsn.Adam(net, net.initial(init, 1, config), [task], config.rate_c, config)
    targets, kept = [], []
    while True:
        kept.append((len(targets), trainer.theta.copy()))
        if not len(trainer.running) or trainer.updates >= trainer.budget:
            break
        batch, target, _ = tsn.sequences(data, [task], config.batch_size, config)
        targets.append(target[0])
        y = net.forward(trainer.theta, batch)
        trainer.updates += 1
        trainer.update(trainer.running, net.backward(trainer.output_delta(y, target)))
        if trainer.updates % trainer.check_every == 0:
            trainer.stop_test(tests)
    net.forward(trainer.theta, x)
    cell = np.abs(trainer.net.v[0] * net.y[:, 0].std(1)).argmax()
    begun = np.maximum(x[:, 1, 0].sum(1), 1)  # (T,) sequences; a gate is 0 before the start
    looks = []
    for k in np.unique(np.linspace(0, len(kept) - 1, FRAMES).astype(int)):
        updates, theta = kept[k]
        y = net.forward(theta, x)[0]
        state = 2 * net.s[1:, cell, 0]  # on the paper's scale
        gates = net.i[:, cell, 0].sum(1) / begun, net.o[:, cell, 0].sum(1) / begun
        looks.append((updates, y, state.copy(), *gates))
    return looks, np.array(targets), expected[0]


def draw(looks, k, targets, expected, limit, config):
    """Draw frame k: the cloud of targets with the outputs, and the cell with its gates."""
    updates, y, state, input_gate, output_gate = looks[k]
    batch, end = config.batch_size, looks[-1][0] * config.batch_size
    fig = plt.figure(figsize=(8, 4.3))
    grid = fig.add_gridspec(2, 2, width_ratios=(1.15, 1), height_ratios=(1.7, 0.9))
    cloud, cells = fig.add_subplot(grid[:, 0]), fig.add_subplot(grid[0, 1])
    gates = fig.add_subplot(grid[1, 1], sharex=cells)
    title = "The cells fan out, and the outputs find the means of noisy targets"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")

    few = targets[:updates, :4]
    at = np.repeat(np.arange(updates) * batch, few.shape[1])
    cloud.plot(at, few.ravel(), ".", color=GREY, markersize=2.5, alpha=0.5, markeredgewidth=0)
    seen = [look[0] * batch for look in looks[: k + 1]]
    outputs = np.array([look[1] for look in looks[: k + 1]])
    for level, color, name in LEVELS:
        own = np.isclose(expected, level)
        cloud.fill_between([0, end], level - 0.1, level + 0.1, color=color, alpha=0.16, linewidth=0)
        cloud.plot(seen, outputs[:, own], color=color, linewidth=0.7, alpha=0.6)
        cloud.plot(np.full(own.sum(), seen[-1]), y[own], ".", color=color, markersize=4)
        text = {"color": color, "fontsize": 10, "fontweight": "bold", "va": "center"}
        cloud.text(end * 1.04, level, name, **text)
        cells.plot(state[:, own], color=color, linewidth=0.7, alpha=0.6)
    cloud.set(xlim=(0, end * 1.27), ylim=(-0.75, 1.75), yticks=(0, 0.2, 0.5, 0.8, 1))
    cloud.set(xlabel="training sequences", ylabel="targets (grey) and outputs")
    cloud.xaxis.set_major_formatter("{x:,.0f}")
    cloud.set_xticks([tick for tick in cloud.get_xticks() if 0 <= tick <= end])
    cloud.set_title(f"after {updates * batch:,} sequences", fontsize=10)
    cells.set(ylim=limit, ylabel="cell state")
    cells.set_title("one cell, 50 test sequences", fontsize=10)
    cells.tick_params(labelbottom=False)
    gates.plot(input_gate, color=GREEN, linewidth=2)
    gates.plot(output_gate, color=ORANGE, linewidth=2)
    gates.set(ylim=(0, 1.4), yticks=(0, 0.5, 1), ylabel="its gates")
    gates.set(xlim=(-1, len(state)), xlabel="time step")
    gates.text(0.03, 0.84, "input", color=GREEN, weight="bold", transform=gates.transAxes)
    gates.text(0.2, 0.84, "output", color=ORANGE, weight="bold", transform=gates.transAxes)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config = tsn.Config(**(tsn.QUICK if flags.quick else {}))
    looks, targets, expected = film(config, flags.seed)
    reach = 1.1 * max(np.abs(look[2]).max() for look in looks[len(looks) // 4 :])
    limit = (-reach, reach)
    frames = [draw(looks, k, targets, expected, limit, config) for k in range(len(looks))]
    palette = frames[-1].quantize(64, method=Image.Quantize.MEDIANCUT)  # one for all frames
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(
        flags.out / "two_sequence_noise.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
