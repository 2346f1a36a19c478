# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the adding problem: one sequence, the answers to many, and how the lag matters.

Nets are trained here by the experiment's own code; what all the seeds have to say is read from
study.json. Where that is missing, the nets of this run stand in.

    python3 visualize_adding_problem.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import adding_problem as ap
import matplotlib.pyplot as plt
import numpy as np

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
CELLS = (BLUE, SKY, ORANGE, PINK)  # cells 1 and 2 belong to block 1


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def train_both(config, seed):
    """Train the LSTMs and the tanh nets of a run; the trainers keep all that is drawn."""
    lstm_init, lstm_data, rnn_init, rnn_data = np.random.default_rng(seed).spawn(4)
    net = ap.Lstm(config)
    theta = net.initial(lstm_init, config.nets, config)
    lstm = ap.Trainer(net, theta, config.learning_rate, config)
    lstm.train(lstm_data, lambda share, text: None)

    budget = replace(config, max_sequences=round(lstm.sequences.mean()))
    net = ap.RecurrentNet(config.rnn_hidden, config.rnn_hidden)
    theta = net.initial(rnn_init, len(config.rnn_rates), config)
    rnn = ap.Trainer(net, theta, np.array(config.rnn_rates), budget)
    rnn.train(rnn_data, lambda share, text: None)
    return lstm, rnn


def best(trainer):
    """The tested weights (1, P) of the net with the smallest error in training."""
    return trainer.average[[trainer.error.argmin()]]


def draw_one_sequence(net, theta, config, path):
    """Draw the pairs of a sequence, the input gates, and what the cells hold."""
    x, target, addends = ap.sequences(np.random.default_rng(7), 1, 300, config)
    unpadded = x[0, 0, 2] == 1  # (B,)
    pick = np.argmax(np.where(unpadded, addends.prod(0)[0], -1))  # two large numbers of one sign
    x = x[..., [pick]]
    y = net.forward(theta, x)[0, 0]
    values, marks = x[:, 0, :2, 0].T
    gates = net.i[:, 0, :, 0, 0]  # (T, J)
    states = 2 * net.s[1:, 0, :, :, 0].reshape(len(x), -1)  # (T, C), on the paper's scale
    steps = np.arange(len(x))
    marked = np.flatnonzero(marks == 1)

    fig, axes = plt.subplots(3, 1, figsize=(9, 6.4), sharex=True, height_ratios=(1, 0.9, 1.7))
    headline(fig, "The input gate opens twice, the cells hold what was written")
    axes[0].bar(steps, values, color=GREY, width=0.8)
    axes[0].bar(marked, values[marked], color=RED, width=1.2)
    for k in marked:
        label(axes[0], k, 1.1, f"{values[k]:+.2f}", RED, va="bottom", ha="center")
    text = f"output {y:.3f}, target {target[0, pick]:.3f}"
    label(axes[0], len(steps), 1.1, text, BLACK, va="bottom", ha="right")
    axes[0].set(ylabel="value\n(red: marked)", ylim=(-1.1, 1.6), yticks=(-1, 0, 1))
    top = gates.max()
    for j in range(config.blocks):
        color = CELLS[2 * j % 4]
        axes[1].plot(steps, gates[:, j], color=color)
        label(axes[1], len(steps) + 0.5, (0.1 + 0.25 * j) * top, f"block {j + 1}", color)
    axes[1].set(ylabel="input gate", ylim=(-0.03 * top, 1.1 * top))
    at = -np.inf
    for c in np.argsort(states[-1]):
        axes[2].plot(steps, states[:, c], color=CELLS[c % 4], linewidth=2)
        at = max(at + 0.1 * np.ptp(states), states[-1, c])  # labels are pushed apart
        label(axes[2], len(steps) + 0.5, at, f"cell {c + 1}", CELLS[c % 4], va="center")
    axes[2].set(ylabel="cell state", xlabel="time step", xlim=(-1, len(steps) * 1.09))
    for ax in axes:
        for k in marked:
            ax.axvline(k, color=RED, linewidth=0.8, alpha=0.5)
    fig.savefig(path / "one_sequence.png")
    plt.close(fig)


def draw_predictions(lstm, rnn, config, path):
    """Draw output against target on fresh sequences, for a guess and for the two kinds of nets."""
    x, target, addends = ap.sequences(np.random.default_rng(8), 1, ap.TEST, config)
    panels = {
        "a guess that knows one number": (0.5 + addends[0] / 4, GREY),
        "tanh net": (rnn.net.forward(best(rnn), x), ORANGE),
        "LSTM": (lstm.net.forward(best(lstm), x), BLUE),
    }
    band, ends = config.tolerance, np.array([0, 1])
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.9), sharey=True)
    headline(fig, "LSTM on the diagonal, tanh nets at the mean")
    for ax, (name, (y, color)) in zip(axes, panels.items()):
        ax.fill_between(ends, ends - band, ends + band, color=GREEN, alpha=0.25, linewidth=0)
        ax.plot(target[0], y[0], ".", color=color, markersize=2.5, alpha=0.5)
        right = int(np.sum(np.abs(y - target) < band))
        ax.set_title(f"{name}\n{right:,} of {ap.TEST:,} right", fontsize=10)
        ax.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        ax.set(xlabel="target 0.5 + (X1 + X2) / 4", aspect="equal")
    axes[0].set_ylabel("output")
    label(axes[0], 0.98, 0.04, f"right: within {band}", GREEN, ha="right")
    fig.savefig(path / "predictions.png")
    plt.close(fig)


def recorded_nets(lstm, config):
    """{T: (sequences of each net, the budget)}, from the study's records or else from this run."""
    file = Path(__file__).with_name("study.json")
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    if not records:
        return {config.T: (lstm.sequences, config.max_sequences)}
    each = {
        row: np.concatenate([record["metrics"][f"{row}.sequences_each"] for record in records])
        for row in ("t100", "t1000")
    }
    settings = records[0]["config"]
    return {
        settings["T"]: (each["t100"], settings["max_sequences"]),
        settings["long_T"]: (each["t1000"], settings["long_sequences"]),
    }


def draw_lag(nets, path):
    """Draw how many sequences each net took to the criterion, with the paper's means."""
    fig, ax = plt.subplots(figsize=(9, 4.4))
    said = []
    for place, (T, (count, budget)) in enumerate(nets.items()):
        met = np.sort(count[count < budget])
        side = np.linspace(-0.16, 0.16, len(met)) if len(met) > 1 else np.zeros(len(met))
        ax.plot(met, place + side, "o", color=BLUE, alpha=0.6, markeredgewidth=0)
        ax.plot([count.mean()] * 2, [place - 0.24, place + 0.24], color=BLUE, linewidth=3)
        text = f"mean {count.mean():,.0f}"
        label(ax, count.mean(), place + 0.26, text, BLUE, va="bottom", ha="center")
        if len(met) < len(count):
            text = f"{len(count) - len(met)} not in time"
            ax.plot(budget, place, "x", color=RED, markersize=8)
            label(ax, budget, place - 0.06, text, RED, va="top", ha="center")
        said.append(f"{len(count)} nets at T = {T} took {count.mean():,.0f}")
        if T in (100, 1000):
            paper = {100: 74_000, 1000: 853_000}[T]
            ax.plot([paper] * 2, [place - 0.24, place + 0.24], **PAPER)
            label(ax, paper, place - 0.27, f"paper {paper:,}", BLACK, va="top", ha="center")
    ax.set(yticks=range(len(nets)), yticklabels=[f"T = {T}" for T in nets])
    ax.set(ylim=(-0.6, len(nets) - 0.4), xscale="log", xlim=(8e3, 1.3e6))
    ax.set_xticks((1e4, 1e5, 1e6), ("10,000", "100,000", "1,000,000"))
    ax.set_xlabel("training sequences to the stop criterion")
    headline(fig, f"On average {', '.join(said)} sequences")
    fig.savefig(path / "lag.png")
    plt.close(fig)


def main():
    config = ap.Config(**(ap.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    lstm, rnn = train_both(config, flags.seed)
    draw_one_sequence(lstm.net, best(lstm), config, path)
    draw_predictions(lstm, rnn, config, path)
    draw_lag(recorded_nets(lstm, config), path)


if __name__ == "__main__":
    main()
