# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of precise timing: metronomes at work, who is solved when, a cosine for ever.

The nets of a run are trained again by the experiment's own code, in about two minutes; the shares
of other seeds are read from results.json.

    python3 visualize_timing_counting_spikes.py --seed 0
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import timing_counting_spikes as tcs

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
GATES = (("in", GREEN), ("forget", ORANGE), ("out", PINK))
KINDS = (("with peepholes", BLUE), ("without", RED))


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


# ---- the nets of a run ----
def train_both(config, seed):
    """Train the nets of run() again: the trainings for spikes and for the cosine."""
    streams = np.random.SeedSequence(seed).spawn(2)
    spikes_init, cosine_init = (np.random.default_rng(stream) for stream in streams)
    spikes = tcs.train_spikes(tcs.initial(spikes_init, config.nets, config.biases), config, silent)
    start = tcs.initial(cosine_init, config.nets, config.wave_biases)
    return spikes, tcs.train_cosine(start, config, silent)


def silent(share, text):
    """A progress that nobody sees."""


def picked(training, nets):
    """Return the weights (P, 2) of a net of each kind: the first solved, or else the longest."""
    solved = np.nan_to_num(training.solved_at, nan=np.inf)  # (2 N,)
    order = [np.lexsort((-training.best[those], solved[those]))[0] for those in halves(nets)]
    return training.final[:, [order[0], nets + order[1]]]


def halves(nets):
    return slice(nets), slice(nets, None)


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


def record_metrics():
    """The metrics of the recorded runs, or nothing."""
    file = Path(__file__).with_name("results.json")
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    return [record["metrics"] for record in records if "metrics" in record]


# ---- the figures ----
def draw_gates(ax, steps, gates, named):
    """Draw the openings of the gates (T, 3) against the steps."""
    for gate, (_, color) in zip(gates.T, GATES):
        ax.plot(steps, gate, color=color)
    ax.set(ylim=(-0.06, 1.06), yticks=(0, 1), yticklabels=("shut", "open"))
    for k, gate in enumerate(np.argsort(-gates.mean(0)) if named else ()):
        name, color = GATES[gate]
        label(ax, 1.04, 0.8 - 0.3 * k, name, color, transform=ax.transAxes)


def draw_metronome(spikes, config, path):
    """Draw a metronome of each kind, at the start and at the end of the test."""
    task, F = spikes.task, spikes.task.period
    periods = config.test_periods
    w = picked(spikes, config.nets)
    outputs, states, gates = follow(task, w, periods * F)
    parts = (slice(0, 4 * F), slice((periods - 5) * F, periods * F))
    fig, axes = plt.subplots(3, 4, figsize=(9, 5.2), sharex="col", sharey="row")
    headline(fig, "A ramp, a threshold, a reset: one cell keeps time for 1,000 periods")
    for column in range(4):
        kind, part = column // 2, parts[column % 2]
        top, middle, bottom = axes[:, column]
        color = KINDS[kind][1]
        steps = np.arange(1, periods * F + 1)[part]
        top.plot(steps, task.shape(steps), color=GREY, linestyle=":", linewidth=1.2)
        top.plot(steps, outputs[part, kind], color=color)
        scale = 1 / np.abs(states[:, kind]).max()
        middle.plot(steps, scale * np.abs(states[part, kind]), color=color)
        draw_gates(bottom, steps, gates[part, :, kind], column == 3)
        ticks = steps[steps % F == 0]
        bottom.set_xticks(ticks if column % 2 == 0 else ticks[[0, 2, 4]])
        top.set(ylim=(-0.06, 1.06), yticks=(0, 0.5, 1))
        title = (
            f"{KINDS[kind][0]}:\nthe first four periods" if column % 2 == 0 else "\nthe last five"
        )
        top.set_title(title, fontsize=10, color=color)
    axes[0, 0].set_ylabel("output, and\ntarget (dotted)")
    axes[1, 0].set_ylabel("size of the cell's\nstate (scaled)")
    axes[2, 0].set_ylabel("gates")
    fig.supxlabel("steps since the net started from nothing", fontsize=10)
    fig.savefig(path / "metronome.png")
    plt.close(fig)


def draw_shares(trainings, config, path):
    """Draw the share of solved nets against the steps of training, for both tasks."""
    recorded = record_metrics()
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.9), sharey=True)
    headline(fig, "Spikes for both, waves for one")
    keys = ("gts10", "cos25")
    names = (f"a spike every {config.period} steps", f"a cosine of period {config.wave_period}")
    for ax, training, key, name in zip(axes, trainings, keys, names):
        steps = config.steps if key == "gts10" else config.wave_steps
        for (_, color), those, row in zip(KINDS, halves(config.nets), ("peephole", "plain")):
            at = np.sort(np.nan_to_num(training.solved_at[those], nan=np.inf))
            share = np.arange(1, len(at) + 1) / len(at)
            at, share = at[np.isfinite(at)], share[np.isfinite(at)]
            x = np.concatenate([[0], at, [steps]]) / 1e6
            y = np.concatenate([[0], share, share[-1:] if len(share) else [0]])
            ax.step(x, y, where="post", color=color, linewidth=2.2)
            for metrics in recorded:
                end = 1.04 * steps / 1e6
                ax.plot(end, metrics[f"{row}.{key}"], "o", color=color, alpha=0.6, clip_on=False)
        ax.set(xlim=(0, 1.06 * steps / 1e6), ylim=(-0.02, 1.05), xlabel="million steps of training")
        ax.set_title(name, fontsize=10)
    axes[0].set_ylabel("share of the nets that are solved")
    for ax in axes:
        label(ax, 0.05, 0.9, "with peepholes", BLUE, transform=ax.transAxes)
        label(ax, 0.05, 0.8, "without", RED, transform=ax.transAxes)
    fig.savefig(path / "shares.png")
    plt.close(fig)


def draw_cosine(cosine, config, path):
    """Draw a cosine that goes on for ever, and what a net without peepholes makes of it."""
    task, F, periods = cosine.task, cosine.task.period, config.wave_test_periods
    w = picked(cosine, config.nets)
    outputs, states, gates = follow(task, w, (periods + 3) * F)
    parts = (slice(0, 3 * F), slice(periods * F, (periods + 3) * F))
    fig, axes = plt.subplots(4, 2, figsize=(9, 6.4), sharex="col", sharey="row")
    headline(fig, "The cosine is still there after 100 periods")
    for column, part in enumerate(parts):
        steps = np.arange(1, len(outputs) + 1)[part]
        target = task.shape(steps)
        for ax, kind in ((axes[0, column], 0), (axes[3, column], 1)):
            low, high = target - task.tolerance, target + task.tolerance
            ax.fill_between(steps, low, high, color=YELLOW, alpha=0.3, linewidth=0)
            ax.plot(steps, target, color=GREY, linestyle=":", linewidth=1.2)
            ax.plot(steps, outputs[part, kind], color=KINDS[kind][1])
            ax.set(ylim=(-0.6, 1.6), yticks=(0, 1))
        axes[1, column].plot(steps, states[part, 0], color=BLUE)
        draw_gates(axes[2, column], steps, gates[part, :, 0], column == 1)
        axes[3, column].set_xticks(steps[steps % F == 0])
    axes[0, 0].set_title("with peepholes: the first three periods", fontsize=10, color=BLUE)
    axes[0, 1].set_title("after 100 periods", fontsize=10, color=BLUE)
    axes[3, 0].set_title("without, the one that was right for longest", fontsize=10, color=RED)
    axes[0, 0].set_ylabel("output")
    axes[1, 0].set_ylabel("cell state")
    axes[2, 0].set_ylabel("gates")
    axes[3, 0].set_ylabel("output")
    fig.supxlabel("steps since the net started from nothing (yellow: right)", fontsize=10)
    fig.savefig(path / "cosine.png")
    plt.close(fig)


def main():
    config = tcs.Config(**(tcs.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    spikes, cosine = train_both(config, flags.seed)
    draw_metronome(spikes, config, path)
    draw_shares((spikes, cosine), config, path)
    draw_cosine(cosine, config, path)


if __name__ == "__main__":
    main()
