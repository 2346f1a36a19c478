# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of temporal order: forks at the marks, the input gates, and twenty nets' progress.

One net is trained here by the experiment's own code; what all the seeds have to say is read from
results.json and study.json. Where these are missing, a quick run stands in.

    python3 visualize_temporal_order_3bit.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import study_temporal_order_3bit as study
import temporal_order_3bit as to

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
ORDERS = {"XX": BLUE, "XY": SKY, "YX": ORANGE, "YY": RED}
PAPER_MEAN = 31_390  # sequences


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def solved_net(config, seed):
    """Train eight one-block nets; return the quietest of those that met the criterion (1, P)."""
    config = replace(config, blocks=1, input_bias=config.input_bias[:1], nets=8)
    init, data, quiet = np.random.default_rng(seed).spawn(3)
    net = to.Lstm(config)
    trainer = study.UntilHalf(net, net.initial(init, config.nets, config), config)
    trainer.train(data, lambda share, text: None)
    symbols, _ = to.sequences(quiet, config.nets, 50, config)
    net.forward(trainer.theta, symbols)
    idle = (symbols >= to.A) & (symbols <= to.D)  # (T, N, 50)
    gate = (net.i[:, 0] * idle).mean(axis=(0, 2)) + (~trainer.solved & trainer.solved.any())
    return net, trainer.theta[[gate.argmin()]]


def four_orders(config):
    """Return a sequence with each of the four pairs of marks (T, 1, 4), and the marks' steps."""
    symbols, _ = to.sequences(np.random.default_rng(7), 1, 1, config)
    marks = np.flatnonzero((symbols[:, 0, 0] == to.X) | (symbols[:, 0, 0] == to.Y))
    symbols = np.repeat(symbols, 4, axis=2)  # (T, 1, 4)
    symbols[marks, 0] = to.X + np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    return symbols, marks


def draw_forks(net, theta, config, path):
    """Draw both cell states along four sequences that differ in their marks, and many ends."""
    symbols, marks = four_orders(config)
    net.forward(theta, symbols)
    states = 2 * net.s[1:, :, 0]  # (T, 2, 4), on the paper's scale
    begin = np.argmax(symbols[:, 0, 0] == to.E)
    many, classes = to.sequences(np.random.default_rng(8), 1, 800, config)
    net.forward(theta, many)
    ends = 2 * net.s[-1, :, 0]  # (2, 800)

    fig = plt.figure(figsize=(9, 4.6))
    headline(fig, "One fork at each mark: four orders end in four places")
    grid = fig.add_gridspec(2, 2, width_ratios=(1.45, 1))
    plane = fig.add_subplot(grid[:, 1])
    steps = np.arange(len(symbols)) - begin
    for cell in range(2):
        ax = fig.add_subplot(grid[cell, 0])
        for k, color in enumerate(ORDERS.values()):
            ax.plot(steps, states[:, cell, k], color=color, linewidth=2.2, alpha=0.9)
        for mark, name in zip(marks - begin, ("first mark", "second mark")):
            ax.axvline(mark, color=GREY, linewidth=1, zorder=0)
            if cell == 0:
                ax.text(mark, 1.02, name, transform=ax.get_xaxis_transform(), ha="center")
        at = -np.inf
        for k in np.argsort(states[-1, cell]):
            at = max(at + 0.13 * np.ptp(states[:, cell]), states[-1, cell, k])  # pushed apart
            order, color = list(ORDERS.items())[k]
            label(ax, steps[-1] + 1, at, order, color, va="center")
        ax.set(xlim=(0, steps[-1]), ylabel=f"state of cell {cell + 1}")
        if cell == 0:
            ax.set_xticklabels([])
    ax.set_xlabel("step of the sequence")
    apart, placed = 0.15 * np.ptp(ends, axis=1), []
    for k, (order, color) in enumerate(ORDERS.items()):
        at = ends[:, classes[0] == k]  # (2, n)
        plane.plot(*at, ".", color=color, markersize=4, alpha=0.35)
        x, y = np.median(at, axis=1)
        while any(abs(x - a) < apart[0] and abs(y - b) < apart[1] for a, b in placed):
            y += apart[1]  # labels are pushed apart
        placed.append((x, y))
        label(plane, x, y, f"   {order}", color, va="center")
    plane.set(xlabel="state of cell 1 at the end", ylabel="state of cell 2 at the end")
    plane.margins(0.2)
    plane.set_title(f"{classes.size} fresh sequences", fontsize=10)
    fig.savefig(path / "forks.png")
    plt.close(fig)


def draw_gates(net, theta, config, path):
    """Draw the input gate around the marks, and what the marks write into the two cells."""
    symbols, classes = to.sequences(np.random.default_rng(9), 1, 500, config)
    net.forward(theta, symbols)
    gate = net.i[:, 0, 0]  # (T, 500)
    written = 2 * (net.s[1:] - net.s[:-1])[:, :, 0]  # (T, 2, 500), on the paper's scale
    symbols, column = symbols[:, 0], np.arange(500)
    marked = (symbols == to.X) | (symbols == to.Y)  # (T, 500)
    first = marked.argmax(0)
    second = len(marked) - 1 - marked[::-1].argmax(0)
    idle = gate[(symbols >= to.A) & (symbols <= to.D)].mean()
    reach = min(8, config.window_1[0])
    around = np.arange(-reach, reach + 1)

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1, 1.15))
    headline(
        fig, "The input gate opens for X and Y, not for a, b, c, d; what enters depends on the past"
    )
    for place, name, how in (
        (first, "around the first mark", {"color": SKY, "linewidth": 6}),
        (second, "around the second", {"color": BLACK}),
    ):
        left.plot(around, gate[place + around[:, None], column].mean(1), label=name, **how)
    left.legend(loc="upper left")
    left.text(reach, idle + 0.03, f"a, b, c, d: {idle:.3f}", ha="right", va="bottom")
    left.set(xlabel="steps after the mark", xticks=(-reach, 0, reach))
    left.set(ylim=(0, 1.2), yticks=(0, 0.5, 1))
    left.set_ylabel("input gate, mean of 500 sequences")
    bars = {  # the mark that is shown, and the sequences that count
        "X": (first, classes[0] < 2),
        "Y": (first, classes[0] >= 2),
        "X after X": (second, classes[0] == 0),
        "Y after X": (second, classes[0] == 1),
        "X after Y": (second, classes[0] == 2),
        "Y after Y": (second, classes[0] == 3),
    }
    for k, (place, of) in enumerate(bars.values()):
        mean = written[place, :, column][of].mean(0)  # (2,)
        right.barh(k - 0.18, mean[0], 0.34, color=BLUE)
        right.barh(k + 0.18, mean[1], 0.34, color=ORANGE)
    right.axvline(0, color=BLACK, linewidth=0.8)
    right.axhline(1.5, color=GREY, linewidth=0.8)
    right.set(yticks=range(len(bars)), yticklabels=bars, ylim=(5.6, -1.1), xlim=(-2.1, 2.1))
    right.set_xticks((-2, -1, 0, 1, 2))
    right.set_xlabel("what the mark adds to the state")
    label(right, 0.02, 0.95, "cell 1", BLUE, transform=right.transAxes)
    label(right, 0.2, 0.95, "cell 2", ORANGE, transform=right.transAxes)
    fig.savefig(path / "gates.png")
    plt.close(fig)


def recorded(name, config):
    """Return the metrics of each record of a file, or else those of a quick run."""
    file = Path(__file__).with_name(name)
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    if records:
        return [record["metrics"] for record in records]
    program = study if name == "study.json" else to
    numbers = program.run(program.Config(**program.QUICK), flags.seed, lambda share, text: None)
    return [to.flatten(numbers)]


def share_done(counts, budget, x):
    """Return which share of the nets has met the criterion after x (n,) thousand sequences."""
    counts = np.array(counts)
    return ((counts < budget) & (counts <= 1000 * x[:, None])).mean(1)


def draw_nets(runs, studies, path):
    """Draw how many nets have met the criterion, and how the test went."""
    fig, (ax, test) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(2, 1))
    curves = np.array([run["curve.y"] for run in runs])  # (seeds, 100)
    x = np.array(runs[0]["curve.x"]) / 1000
    means = [run["lstm.sequences"] for run in runs if run["lstm.sequences"]]
    ours = f"{np.mean(means):,.0f} sequences on average" if means else "no number of sequences"
    headline(fig, f"Most nets meet the criterion, after {ours} (paper: {PAPER_MEAN:,})")
    ax.fill_between(x, curves.min(0), curves.max(0), color=BLUE, alpha=0.25, linewidth=0)
    ax.plot(x, np.median(curves, axis=0), color=BLUE, linewidth=2.2)
    ax.axvline(PAPER_MEAN / 1000, **PAPER)
    ax.text(PAPER_MEAN / 1000 + 0.8, 0.03, f"paper's mean {PAPER_MEAN:,}", va="bottom")
    ax.set(xlim=(0, 60), ylim=(0, 1.03), xlabel="training sequences, thousands")
    ax.set_ylabel("share of the 20 nets that are done")
    label(ax, 38, 0.72, "two blocks", BLUE)
    counts = np.concatenate([record["one_block.sequences_each"] for record in studies])
    ax.plot(x, share_done(counts, 1000 * x[-1], x), color=GREEN, linewidth=2.2)
    label(ax, 22.5, 0.78, "one block", GREEN, ha="right")
    rows = {"LSTM": ("lstm.accuracy", BLUE), "tanh net": ("rnn.accuracy", ORANGE)}
    for place, (metric, color) in enumerate(rows.values()):
        values = [run[metric] for run in runs]
        side = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0]
        test.plot(place + np.array(side), values, "o", color=color, alpha=0.7)
    test.axhline(0.25, color=GREY, linewidth=1, linestyle=":")
    test.text(-0.45, 0.26, "chance", va="bottom")
    test.set(xticks=(0, 1), xticklabels=rows, xlim=(-0.5, 1.5), ylim=(0, 1.03))
    test.set_ylabel("share of right classes in the test")
    fig.savefig(path / "nets.png")
    plt.close(fig)


def main():
    config = to.Config(**(to.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    net, theta = solved_net(config, flags.seed)
    draw_forks(net, theta, config, path)
    draw_gates(net, theta, config, path)
    draw_nets(recorded("results.json", config), recorded("study.json", config), path)


if __name__ == "__main__":
    main()
