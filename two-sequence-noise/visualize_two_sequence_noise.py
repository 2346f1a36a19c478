# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the two sequences with noise: training on 3c, a trained net's cells, guessing.

One net is trained here by the experiment's own step; what all the seeds have to say about guessing
is read from results.json. Where that is missing, a quick run stands in.

    python3 visualize_two_sequence_noise.py --seed 0
"""

import argparse
import json
from pathlib import Path

import two_sequence_noise as tsn
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
CLASSES = (BLUE, RED)  # of class 1 and 2
SHOWN = 40  # test sequences whose outputs are drawn


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def train(config, seed, looks=120):
    """Train a net on 3c (N = 3) until it stops: the trainer, training targets, test outputs."""
    task = tsn.tasks_of(config)["c3"]
    x, _, expected = tsn.sequences(np.random.default_rng(7), [task], SHOWN, config)
    init, data, tests = np.random.default_rng(seed).spawn(3)
    net = tsn.Lstm(config)
    trainer = tsn.Adam(net, net.initial(init, 1, config), [task], config.rate_c, config)
    targets, outputs = [], []
    while len(trainer.running) and trainer.updates < trainer.budget:
        outputs.append(net.forward(trainer.theta, x)[0])  # (SHOWN,)
        batch, target, _ = tsn.sequences(data, [task], config.batch_size, config)
        targets.append(target[0])
        y = net.forward(trainer.theta, batch)
        trainer.updates += 1
        trainer.update(trainer.running, net.backward(trainer.output_delta(y, target)))
        if trainer.updates % trainer.check_every == 0:
            trainer.stop_test(tests)
    outputs.append(net.forward(trainer.theta, x)[0])
    every = max(1, len(outputs) // looks)
    return trainer, np.array(targets), np.array(outputs), every, expected[0]


def draw_two_lines(training, config, path):
    """Draw the noisy targets of training, and the outputs for test sequences on the way."""
    trainer, targets, outputs, every, expected = training
    seen = np.arange(len(outputs)) * config.batch_size
    fig, ax = plt.subplots(figsize=(8, 4.8))
    headline(fig, "Two lines out of a cloud: the outputs settle on the means of noisy targets")
    few = targets[:, :: max(1, targets.size // 4000)]  # (updates, a few)
    at = np.repeat(seen[:-1], few.shape[1])
    ax.plot(at, few.ravel(), ".", color=GREY, markersize=5, alpha=0.5, markeredgewidth=0)
    end = seen[-1]
    for level, color, name in ((0.2, BLUE, "class 1"), (0.8, RED, "class 2")):
        ax.fill_between([0, end], level - 0.1, level + 0.1, color=color, alpha=0.16, linewidth=0)
        own = outputs[:, np.isclose(expected, level)]
        ax.plot(seen[::every], own[::every], color=color, linewidth=0.7, alpha=0.5)
        label(ax, end * 1.01, level, f"{name}:\n{own[-1].mean():.3f}", color, va="center")
    label(ax, end * 1.01, 1.45, "targets\nof training", GREY, va="center")
    ax.set(xlim=(0, end * 1.13), ylim=(-0.75, 1.75), yticks=(-0.5, 0, 0.2, 0.5, 0.8, 1, 1.5))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= end])
    ax.set_xlabel("training sequences until the net stops")
    ax.set_ylabel("target, and output for test sequences")
    fig.savefig(path / "two_lines.png")
    plt.close(fig)


def draw_first_elements(trainer, config, path):
    """Draw what a trained net makes of two sequences that differ in three elements."""
    net, task = trainer.net, tsn.tasks_of(config)["c3"]
    x, _, expected = tsn.sequences(np.random.default_rng(11), [task], 64, config)
    pick = np.argmax(x[:, 1, 0].sum(0) * (expected[0] < 0.5))  # a long one of class 1
    x = np.repeat(x[..., [pick]], 2, axis=3)
    begin = int(x[:, 1, 0, 0].argmax())
    x[begin : begin + task.informative, 0, 0, 1] = -1
    y = net.forward(trainer.theta, x)[0]
    steps = np.arange(len(x)) - begin
    fig, axes = plt.subplots(3, 1, figsize=(9, 6.6), sharex=True, height_ratios=(1, 1.7, 1))
    headline(fig, "Three elements decide which way the cells run, and noise does not turn them")
    for b in (1, 0):
        axes[0].plot(steps, x[:, 0, 0, b], color=CLASSES[b], linewidth=1.2)
    last = len(steps) - begin
    for b, (name, at) in enumerate((("class 1", 0.75), ("class 2", -0.75))):
        text = f"{name}: output {y[b]:.3f}, expected {(task.target_1, task.target_2)[b]}"
        label(axes[0], 5, 1.75 * np.sign(at), text, CLASSES[b], va="center")
    axes[0].set(ylabel="element", ylim=(-2.3, 2.3), yticks=(-1, 0, 1))
    styles = ("-", "--", ":")
    for c, style in enumerate(styles):
        states = 2 * net.s[1:, c, 0]  # (T, 2), on the paper's scale
        gates = net.o[:, c, 0].mean(1)  # (T,)
        for b in (0, 1):
            axes[1].plot(steps, states[:, b], style, color=CLASSES[b])
        axes[2].plot(steps, gates, style, color=BLACK)
    axes[1].set(ylabel="cell state")
    axes[2].set(ylabel="output gate", ylim=(0, 1.02), xlabel="step of the sequence")
    place_labels(axes[1], last, 2 * net.s[-1, :, 0].ravel(), CLASSES, 0.08)
    place_labels(axes[2], last, net.o[-1, :, 0].mean(1), (BLACK,), 0.14)
    axes[2].set_xlim(-2, last * 1.08)
    fig.savefig(path / "first_elements.png")
    plt.close(fig)


def place_labels(ax, x, ends, colors, gap):
    """Name the curves of three cells at their ends, pushed apart to a gap (part of the axis)."""
    gap *= np.ptp(ax.get_ylim())
    order = np.argsort(ends)
    at = ends[order].astype(float)
    for k in range(1, len(at)):
        at[k] = max(at[k], at[k - 1] + gap)
    at -= np.mean(at - ends[order])
    for k, y in zip(order, at):
        text = f"cell {k // len(colors) + 1}"
        label(ax, x, y, text, colors[k % len(colors)], va="center")


def recorded(config):
    """Return {metric: its value in each record}, and the settings; else of a quick run."""
    file = Path(__file__).with_name("results.json")
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    if not records:
        config = tsn.Config(**tsn.QUICK)
        metrics = tsn.flatten(tsn.run(config, flags.seed, lambda share, text: None))
        records = [{"metrics": metrics, "config": vars(config)}]
    names = ("a.sequences", "guess.sequences", "c3.sequences", "c1.sequences", "guess.c_solved")
    values = {name: np.array([r["metrics"][name] for r in records]) for name in names}
    return values, records[0]["config"]


def draw_guessing(values, settings, path):
    """Draw how many sequences LSTM and guessing need on 3a and 3c, with the paper's figures."""
    rows = (
        ("a.sequences", "3a, LSTM", BLUE, 27_380),
        ("guess.sequences", "3a, guessing", ORANGE, None),
        ("c3.sequences", "3c, LSTM, N = 3", BLUE, 269_650),
        ("c1.sequences", "3c, LSTM, N = 1", BLUE, 565_640),
    )
    fig, ax = plt.subplots(figsize=(9, 4.6))
    headline(fig, "On 3a guessing keeps up with LSTM, on 3c it finds nothing")
    for place, (name, _, color, paper) in enumerate(rows):
        y = -place
        count = np.sort(values[name])
        side = np.linspace(-0.12, 0.12, len(count)) if len(count) > 1 else np.zeros(1)
        ax.plot(count, y + side, "o", color=color, alpha=0.6, markeredgewidth=0)
        ax.plot([count.mean()] * 2, [y - 0.22, y + 0.22], color=color, linewidth=3)
        label(ax, count.mean(), y + 0.24, f"{count.mean():,.0f}", color, ha="center", va="bottom")
        if paper:
            ax.plot([paper] * 2, [y - 0.25, y + 0.25], **PAPER)
            label(ax, paper * 1.06, y - 0.17, f"paper {paper:,}", BLACK, va="center")
    low = min(values[name].min() for name, *_ in rows)
    budget = settings["updates_c"] * settings["batch_size"]
    searches = settings["nets"] * len(values["guess.c_solved"])
    found = round(values["guess.c_solved"].sum() * settings["nets"])
    y = -len(rows)
    ax.plot(budget, y, "x", color=ORANGE, markersize=9, markeredgewidth=2.5)
    text = f"{found} of {searches} searches within {budget:,}"
    label(ax, budget * 1.2, y, text, ORANGE, va="center")
    ax.set(yticks=range(0, y - 1, -1), yticklabels=[row[1] for row in rows] + ["3c, guessing"])
    ax.set(ylim=(y - 0.5, 0.6), xscale="log", xlim=(low / 1.5, 3e6))
    ax.set_xticks((1e4, 1e5, 1e6), ("10,000", "100,000", "1,000,000"))
    ax.set_xlabel("training sequences until success, one dot a seed: a mean of ten")
    fig.savefig(path / "guessing.png")
    plt.close(fig)


def main():
    config = tsn.Config(**(tsn.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    training = train(config, flags.seed)
    draw_two_lines(training, config, path)
    draw_first_elements(training[0], config, path)
    draw_guessing(*recorded(config), path)


if __name__ == "__main__":
    main()
