# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of precise timing: a metronome forms, with peepholes and without.

A few nets of each kind learn by the experiment's own rule; the first of each that is solved is
shown, with weights from before and after.

    python3 make_timing_counting_spikes_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import timing_counting_spikes as tcs
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
FRAMES, STEP, HOLD = 44, 180, 2400  # frames, and milliseconds of each and of the last one
NETS = 6  # of each kind, that are trained
PERIODS = 3  # that are watched
KINDS = (("with peepholes", BLUE), ("without", RED))
GATES = ("in", "forget", "out")


class Filmed(tcs.OnLine):
    """The paper's rule, with the weights, streams and records of all nets kept at every look."""

    def look(self, step):
        numbers = self.left.copy()
        longest, streams = self.longest.copy(), self.streams.copy()
        super().look(step)
        if not hasattr(self, "film"):
            self.film, self.counts = [], np.zeros((2, len(self.best)), int)
        self.counts = self.counts.copy()
        self.counts[0, numbers], self.counts[1, numbers] = streams, longest
        self.film.append((self.final.copy(), self.counts))


def film(config, seed):
    """Train nets; return for one of each kind weights (P, looks), streams and records (looks,)."""
    rng = np.random.default_rng(seed)
    w, sees = tcs.initial(rng, config.nets, config.biases)
    nets = Filmed(tcs.Spikes(config.period), w, sees, config.momentum, config.test_periods)
    rates = np.full(config.steps, config.learning_rate)
    nets.train(rates, config.test_every, lambda *_: None)
    shots = []
    for those in (np.arange(config.nets), config.nets + np.arange(config.nets)):
        number = those[np.nan_to_num(nets.solved_at[those], nan=np.inf).argmin()]
        end = nets.solved_at[number]
        looks = len(nets.film) if np.isnan(end) else int(np.ceil(end / config.test_every))
        weights = np.array([w[:, number], *[shot[0][:, number] for shot in nets.film[:looks]]])
        counts = np.array([[0, 0], *[shot[1][:, number] for shot in nets.film[:looks]]])
        shots.append((weights.T, counts, np.isfinite(end)))
    return shots


def follow(task, w, steps):
    """Let nets w (P, N) run freely: outputs (T, N), states (T, N), gates i, f, o (T, 3, N)."""
    W, p, V = tcs.views(w)
    z = np.ones((len(W) + 1, w.shape[1]))
    z[[0, -1]] = 0
    outputs, states, gates = [], [], []
    for _ in range(steps):
        gates_if, _, c, o = tcs.cell(W, p, z)
        z[0] = o * c
        z[-1] = c
        outputs.append(task.output(V[0] * z[0] + V[1])[0])
        states.append(c)
        gates.append([*gates_if, o])
    return np.array(outputs), np.array(states), np.array(gates)


def draw(task, shots, share):
    """Draw a frame: what each net does after this share of its training."""
    steps = np.arange(1, PERIODS * task.period + 1)
    fig, axes = plt.subplots(3, 2, figsize=(8, 4.8), sharex=True, height_ratios=(2, 1.6, 1.2))
    title = "A metronome forms: the state ramps up, the gates open, the state is dumped"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    for column, ((name, color), (weights, counts, solved)) in enumerate(zip(KINDS, shots)):
        top, middle, bottom = axes[:, column]
        last = weights.shape[1] - 1
        k = round(share * last)
        outputs, states, gates = follow(task, weights[:, [k]], len(steps))
        final = follow(task, weights[:, [last]], len(steps))[1]
        sign = np.sign(final[np.abs(final).argmax()])
        height = np.abs(final).max()
        top.vlines(steps[task.shape(steps) > 0], 0, 1, color=GREY, linestyle=":", linewidth=2)
        top.axhspan(0.49, 0.51, color=GREY, alpha=0.5, linewidth=0)
        top.plot(steps, outputs, "o-", color=color, markersize=4)
        top.set(ylim=(-0.06, 1.1), yticks=(0, 1))
        streams = f"{counts[k, 0]:,} streams"
        state = f"{streams}, solved" if solved and k == last else streams
        top.set_title(f"{name}: {state}", fontsize=10, color=color)
        middle.plot(steps, sign * states / height, "o-", color=color, markersize=3)
        middle.set(ylim=(-0.25, 1.6), yticks=(0, 1))
        bottom.imshow(
            gates[:, :, 0].T,
            aspect="auto",
            cmap="Greys",
            vmin=0,
            vmax=1,
            interpolation="nearest",
            extent=(0.5, len(steps) + 0.5, 2.5, -0.5),
        )
        bottom.set_yticks(range(3), GATES if column == 0 else ("", "", ""))
        bottom.set(xlim=(0.5, len(steps) + 0.5), xticks=steps[steps % task.period == 0])
        bottom.set_xlabel("steps")
    axes[0, 0].set_ylabel("output")
    axes[1, 0].set_ylabel("cell state")
    axes[2, 0].set_ylabel("gates\n(black: open)")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    frame = Image.open(buffer).convert("RGB")
    return frame.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = replace(tcs.Config(**(tcs.QUICK if flags.quick else {})), nets=NETS)
    shots = film(config, flags.seed)
    task = tcs.Spikes(config.period)
    shares = 1 - np.linspace(1, 0, FRAMES) ** 1.35  # most of it happens late
    frames = [draw(task, shots, share) for share in shares]
    frames[0].save(
        flags.out / "timing_counting_spikes.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
