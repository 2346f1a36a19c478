# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of embedded Reber strings: table 1, one string read by two nets, and a memory cell.

Nets are trained here by the experiment's own code; what all seeds have to say is read from
results.json and study.json. Where these are missing, a quick run stands in.

    python3 visualize_embedded_reber.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import embedded_reber as er
import matplotlib.pyplot as plt
import numpy as np
import study_embedded_reber as study

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
OUTER = {"T": BLUE, "P": RED}
EARLIER = (  # rows of table 1 that are not run here: label, strings, share of success
    ("RTRL, 3 hidden units", 173_000, "some"),
    ("RTRL, 12 hidden units", 25_000, "some"),
    ("cascade-correlation", 182_000, "50%"),
)
ROWS = (  # label, row of the study, the paper's strings, its share of success
    ("recurrent nets, three rates", "recurrent", None, ""),
    ("LSTM without output gates", "no_output_gates", None, ""),
    ("LSTM 4 × 1, rate 0.1", "blocks4_rate01", 39_740, "100%"),
    ("LSTM 3 × 2, rate 0.1", "blocks3_rate01", 21_730, "100%"),
    ("LSTM 3 × 2, rate 0.2", "blocks3_rate02", 14_060, "97%"),
    ("LSTM 4 × 1, rate 0.5", "blocks4_rate05", 9_500, "97%"),
    ("LSTM 3 × 2, rate 0.5", "blocks3_rate05", 8_440, "100%"),
)


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, **{"fontsize": 10, "fontweight": "bold"} | how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def train_both(config, seed):
    """Train a few LSTMs and Elman nets on one pair of sets; return both trainers and the pair."""
    data, *streams = np.random.default_rng(seed).spawn(5)
    pair = er.draw_data(data, config)[0][0]
    trainers = []
    for net, rate, (init, order) in (
        (er.Lstm(config), config.learning_rate, streams[:2]),
        (er.Elman(config.elman_units, config.elman_units), config.elman_rates[0], streams[2:]),
    ):
        theta = net.initial(init, config.nets, config)
        trainer = er.Trainer(net, theta, rate, [pair], config)
        trainer.train(order, lambda share, text: None)
        trainers.append(trainer)
    return *trainers, pair


def first_to_solve(trainer):
    """The weights (1, P) of the net that needed the fewest strings."""
    return trainer.theta[[trainer.sequences.argmin()]]


def read(trainer, text):
    """Let the first net read a string; return outputs (T, 7) and legal successors (T, 7)."""
    x, _, legal = er.encode([text])
    y = trainer.net.forward(first_to_solve(trainer), x.transpose(0, 2, 1)[:, None])
    return y[:, 0, :, 0], legal[:, 0]


def records(name):
    """The metrics of all recorded seeds of results.json or study.json."""
    file = Path(__file__).with_name(name)
    found = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    return [record["metrics"] for record in found if record.get("metrics")]


def beside(ax, x, place, text, color):
    """Write beside a row; x is in widths of the axes."""
    where = {"transform": ax.get_yaxis_transform(), "ha": "center", "va": "center"}
    label(ax, x, place, text, color, **where)


def dots(ax, place, count, solved):
    """Draw a dot for each net that solved the task, crosses for the others, and their share."""
    side = np.random.default_rng(0).uniform(-0.25, 0.25, len(count))
    how = {"alpha": 0.35, "markersize": 4.5, "markeredgewidth": 0}
    ax.plot(count[solved], place + side[solved], "o", color=BLUE, **how)
    ax.plot(count[~solved], place + side[~solved], "x", color=RED, markersize=5, alpha=0.6)
    if solved.any():
        mean = count[solved].mean()
        ax.plot([mean] * 2, [place - 0.34, place + 0.34], color=BLUE, linewidth=3)
    beside(ax, 1.14, place, f"{solved.mean():.0%}", BLUE)


def draw_table(path):
    """Draw the rows of table 1, the paper's figures and ours."""
    found = records("study.json")
    if not found:
        quick = study.Config(**study.QUICK)
        found = [er.flatten(study.run(quick, flags.seed, lambda share, text: None))]
    runs = records("results.json")
    fig, ax = plt.subplots(figsize=(9, 6))
    names = [name for name, *_ in EARLIER]
    for place, (_, strings, share) in enumerate(EARLIER):
        ax.plot(strings, place, "D", color=BLACK, markersize=7)
        beside(ax, 1.045, place, share, BLACK)
    ax.plot(200_000, len(names), ">", color=BLACK, markersize=8)  # and more
    beside(ax, 1.045, len(names), "0%", BLACK)
    budget = max(runs[0]["curve.x"]) if runs else er.Config().max_sequences
    solved = np.mean([metrics["elman.solved"] for metrics in runs]) if runs else 0.0
    ax.plot(budget, len(names), "x", color=RED, markersize=7, markeredgewidth=2)
    beside(ax, 1.14, len(names), f"{solved:.0%}", BLUE)
    names.append("Elman nets, three rates")
    for name, row, strings, share in ROWS:
        count = np.concatenate([metrics[f"{row}.sequences_each"] for metrics in found])
        good = np.concatenate([metrics[f"{row}.solved_each"] for metrics in found])
        dots(ax, len(names), count, good.astype(bool))
        if strings:
            ax.plot(strings, len(names), "D", color=BLACK, markersize=7)
        beside(ax, 1.045, len(names), share, BLACK)
        names.append(name)
    beside(ax, 1.045, len(names) - 0.3, "paper", BLACK)
    beside(ax, 1.14, len(names) - 0.3, "ours", BLUE)
    ax.axvline(budget, color=GREY, linewidth=0.8, zorder=0)
    label(ax, 1.7e3, 0.55, "diamond: the paper's mean", BLACK)
    label(ax, 1.7e3, 1.05, "dot: a net of ours, bar: mean", BLUE)
    label(ax, 1.7e3, 0.05, f"cross: not within {budget:,.0f} strings", RED)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.5))
    ax.set(xscale="log", xlim=(1.5e3, 2.6e5))
    ax.set_xlabel("strings until every step of every string is predicted right")
    ax.set_xticks((2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5))
    ax.set_xticklabels(("2,000", "5,000", "10,000", "20,000", "50,000", "100,000", "200,000"))
    ax.minorticks_off()
    headline(fig, "As many strings as in the paper's table 1, but more failures at low rates")
    fig.savefig(path / "table.png")
    plt.close(fig)


def draw_outer(lstm, elman, text, path):
    """Draw what an LSTM and an Elman net give at each step of a string."""
    fig, axes = plt.subplots(2, 1, figsize=(9, 5.6))
    outer = len(text) - 3
    for ax, (name, trainer) in zip(axes, (("LSTM", lstm), ("Elman net", elman))):
        y, legal = read(trainer, text)
        ax.imshow(y.T, cmap="Greys", vmin=0, vmax=1.15, aspect="auto")
        for t, k in np.argwhere(legal):
            box = plt.Rectangle((t - 0.44, k - 0.42), 0.88, 0.84, fill=False, lw=2, ec=GREEN)
            ax.add_patch(box)
        for k in (er.SYMBOLS.index(symbol) for symbol in "TP"):
            ink = "white" if y[outer, k] > 0.5 else BLACK
            ax.text(outer, k, f"{y[outer, k]:.2f}", ha="center", va="center", color=ink, fontsize=9)
        ax.set(yticks=range(7), yticklabels=list(er.SYMBOLS), ylabel="output")
        ax.set_xticks(range(len(text) - 1), list(text[:-1]))
        for t in (1, outer + 1):
            ax.get_xticklabels()[t].set(color=OUTER[text[1]], fontweight="bold")
        ax.set_title(f"{name}: legal successors boxed", fontsize=10)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[1].set_xlabel("symbol read; the second one comes back last but one")
    headline(fig, f"Only the LSTM knows at the end that the string began with B{text[1]}")
    fig.savefig(path / "outer.png")
    plt.close(fig)


def draw_cell(lstm, pair, path):
    """Draw the state of the cell that tells T from P, and its output gate, over 50 strings."""
    texts = pair[1][:50]
    x, _, _ = er.encode(texts)
    net = lstm.net
    net.forward(first_to_solve(lstm), x.transpose(0, 2, 1)[:, None])
    states = 2 * net.s[1:, 0]  # (T, J, S, B), on the paper's scale
    gates = net.gates[:, 0, 1, :, 0]  # (T, J, B)
    due = np.array([len(text) - 3 for text in texts])
    column = np.arange(len(texts))
    begins_with_t = np.array([text[1] == "T" for text in texts])
    at_due = states[due, :, :, column]  # (B, J, S)
    gap = np.abs(at_due[begins_with_t].mean(0) - at_due[~begins_with_t].mean(0))
    spread = at_due[begins_with_t].std(0) + at_due[~begins_with_t].std(0)
    j, s = np.unravel_index(np.argmax(gap / (spread + 1e-9)), gap.shape)

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), width_ratios=(1.5, 1))
    for b, text in enumerate(texts):
        color = OUTER[text[1]]
        left.plot(
            np.arange(due[b] + 1), states[: due[b] + 1, j, s, b], color=color, alpha=0.5, lw=1
        )
        left.plot(due[b], states[due[b], j, s, b], "o", color=color, markersize=4)
        after = np.arange(len(text) - 1) - due[b]
        right.plot(after, gates[: len(text) - 1, j, b], color=color, alpha=0.3, lw=1)
    low, high = left.get_ylim()
    left.set(ylim=(low, high + 0.2 * (high - low)), xticks=range(0, due.max() + 1, 5))
    for symbol, height in (("T", 0.98), ("P", 0.91)):
        text, color = f"strings that begin with B{symbol}", OUTER[symbol]
        label(left, 0.02, height, text, color, va="top", transform=left.transAxes)
    left.set(xlabel="step", ylabel=f"state of cell {s + 1} of block {j + 1}")
    left.set_title("dots: the outer symbol is due", fontsize=10)
    back = np.arange(-6, 2)
    middle = [np.median(gates[due + k, j, column]) for k in back]
    right.plot(back, middle, "o-", color=BLACK, linewidth=2.5)
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    label(right, -4.5, middle[1] + 0.1, "median", BLACK, bbox=white, ha="center")
    right.axvline(0, color=GREY, linewidth=0.8)
    right.set(xlabel="steps from where the outer symbol is due", xlim=(-6, 1), ylim=(-0.03, 1.03))
    right.set_ylabel("its output gate")
    right.set_title("the same strings, aligned at their ends", fontsize=10)
    headline(fig, "A cell keeps T and P apart, and its output gate opens when they are asked for")
    fig.savefig(path / "cell.png")
    plt.close(fig)


def main():
    config = er.Config(**(er.QUICK if flags.quick else {"max_sequences": 20_000}))
    config = replace(config, nets=6)
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    lstm, elman, pair = train_both(config, flags.seed)
    fitting = [text for text in pair[1] if len(text) <= 22]
    draw_outer(lstm, elman, max(fitting, key=len), path)
    draw_cell(lstm, pair, path)
    draw_table(path)


if __name__ == "__main__":
    main()
