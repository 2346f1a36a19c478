# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of fast weights and unknown delays: a memory at work, steps, distractors.

What stores is orange, what asks is blue, memories are grey.
"""

import argparse
import json
from pathlib import Path

import fast_weights_unknown_delay
import study_fast_weights_unknown_delay
from fast_weights_unknown_delay import QUICK, Config, Direct, FromTo, quartiles, stream, train
from fast_weights_unknown_delay import A, B, C, train_rtrl
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

SHOWN = 120  # steps of the first picture
KINDS = {Direct: GREEN, FromTo: PINK}
RTRL = SKY


# ---- what the pictures show: the nets of one run, and records over seeds ----
def silent(*_):
    """Show no progress."""


def nets_and_events(kind, config, seed):
    """Return the nets of run() before they learn, and their streams."""
    part = np.random.SeedSequence(seed).spawn(3)[kind is FromTo]
    init, events = map(np.random.default_rng, part.spawn(2))
    rate = config.from_to_rate if kind is FromTo else config.direct_rate
    net = kind(init, config.nets, config.steepness, rate, config.init)
    return net, stream(events, config.nets, config.steps)


def steps_of(kind, config, seed):
    """Train the nets of run() again: after how many steps each has solved the task, (N,)."""
    return train(*nets_and_events(kind, config, seed), config, silent)


def last_steps(solved, config, seed):
    """Film the net with the median steps: x (T, 3), w (T, 3) when it answers, target, y (T,)."""
    order = np.argsort(solved, kind="stable")
    n = order[np.isfinite(solved).sum() // 2]
    end = int(min(solved[n], config.steps))
    net, events = nets_and_events(Direct, config, seed)
    rows = []
    for _, (x, target) in zip(range(end), events):
        y = net.answer(x)
        rows.append((*x[:, n], *net.w[:, n], target[n], y[n]))
        net.learn(y - target)
    rows = np.array(rows)[-SHOWN:]
    return end - len(rows), rows[:, :3], rows[:, 3:6], rows[:, 6], rows[:, 7]


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, silent)
    return [fast_weights_unknown_delay.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: the memory at work ----
INK = {A: ORANGE, B: BLUE, C: "#CCCCCC"}


def rows_of(ax, names):
    """Give an axis a row for each name, and no ornaments."""
    ax.set(ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def picture_of_memory(solved, config, seed):
    """Draw events, fast weights and answers of the last steps before a solution."""
    start, x, w, target, y = last_steps(solved, config, seed)
    steps = np.arange(start + 1, start + 1 + len(x))
    figure, axes = plt.subplots(3, 1, figsize=(9, 5.4), sharex=True, height_ratios=(3, 5, 4))
    seen, memory, answers = axes
    for event, color in INK.items():
        at = steps[x[:, event] == 1]
        seen.bar(at, 0.76, 0.8, event - 0.38, color=color)
    rows_of(seen, ["A", "B", "C"])
    extent = (steps[0] - 0.5, steps[-1] + 0.5, 2.5, -0.5)
    memory.imshow(w.T, cmap="Greys", vmin=0, vmax=1.15, aspect="auto", extent=extent)
    rows_of(memory, ["$w_A$", "$w_B$", "$w_C$"])
    for row in range(4):
        memory.axhline(row - 0.5, color="#DDDDDD", lw=0.8)

    answers.bar(steps, target, 0.8, color=ORANGE, alpha=0.45)
    wrong = np.abs(y - target) > config.tolerance
    answers.plot(steps[~wrong], y[~wrong], "o", color=BLACK, markersize=3.2)
    answers.plot(steps[wrong], y[wrong], "X", color=RED, markersize=7)
    answers.set(ylim=(-0.08, 1.12), yticks=(0, 1), xlabel="time steps since learning began")
    answers.set_xlim(steps[0] - 0.5, steps[-1] + 0.5)
    for ax, words in zip(
        axes,
        (
            "S sees the events: A has to be remembered, B asks, C means nothing",
            "what it writes: the three fast weights, empty (white) to full (black)",
            "F answers: bars are asked for, dots are right, crosses are wrong",
        ),
    ):
        ax.set_title(words, fontsize=10, weight="normal", pad=5)
    figure.suptitle("One fast weight remembers the A", x=0.01, ha="left", weight="bold")
    save(figure, "memory.png")


# ---- 2: steps to a solution ----
def shares(ax, solved, color):
    """Draw the share of nets that have solved the task, against the steps."""
    order = np.sort(solved[np.isfinite(solved)])
    ax.plot(order, 100 * np.arange(1, len(order) + 1) / len(solved), color=color, lw=2)


def picture_of_steps(lines, config, seed):
    """Draw how many nets of one run have solved the task, and the medians over seeds."""
    runs = recorded("results.json", fast_weights_unknown_delay)
    rtrl = train_rtrl(np.random.SeedSequence(seed).spawn(3)[2], config, silent)
    best = min(rtrl, key=lambda solved: quartiles(solved, config)[1])
    figure, ax = plt.subplots(figsize=(9, 4.8))
    for kind, solved in lines.items():
        shares(ax, solved, KINDS[kind])
    shares(ax, best, RTRL)
    medians = {
        GREEN: "direct_median_steps",
        PINK: "from_to_median_steps",
        RTRL: "rtrl.median_steps",
    }
    for color, metric in medians.items():
        x = [run[metric] for run in runs]
        ax.plot(x, [50] * len(x), "o", color=color, mec="white", mew=0.7, ms=8, zorder=4)
    for steps in (300, 800):
        ax.axvline(steps, **PAPER)
        ax.text(steps, 104, f"paper: {steps}", ha="center", va="bottom")
    ax.axhline(50, color=GREY, lw=0.8, zorder=0)
    ax.text(104, 51, "half of the nets", color="#666666", va="bottom")
    for x, y, words, color in (
        (104, 82, "an output of S\nfor each\nfast weight", GREEN),
        (330, 22, "FROM/TO", PINK),
        (0.215 * config.steps, 62, "recurrent net\nby RTRL,\nbest of three rates", RTRL),
    ):
        ax.text(x, y, words, color=color, weight="bold", va="center")
    ax.set(xscale="log", xlim=(100, config.steps), ylim=(0, 103))
    ticks = [t for t in (100, 300, 1000, 3000, 10_000, 20_000) if t <= config.steps]
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    ax.minorticks_off()
    ax.set(xlabel="time steps", ylabel="nets that have solved the flip-flop")
    ax.yaxis.set_major_formatter("{x:.0f} %")
    ax.set_title(f"Half of {config.nets} nets learn within the paper's 300 and 800 steps", pad=26)
    save(figure, "steps.png")


# ---- 3: stored patterns among distractors ----
def band(ax, x, lines, color, width):
    """Draw the median of lines (seeds, points), and their range."""
    low, middle, high = 100 * np.quantile(lines, (0, 0.5, 1), axis=0)
    ax.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
    ax.plot(x, middle, color=color, lw=width)


def picture_of_distractors():
    """Draw how many patterns survive, for 16 bits and for 4."""
    studies = recorded("study.json", study_fast_weights_unknown_delay)
    config = study_fast_weights_unknown_delay.Config()
    delays = studies[0]["whole.delays"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
    styles = {"ungated": (ORANGE, 8), "gated": (GREEN, 4.5), "rnn": (RTRL, 1.8)}  # all stay visible
    titles = ("16 bits, patterns never stored before", "4 bits, patterns known from training")
    for ax, bits, title in zip(axes, (16, 4), titles):
        ax.axvspan(config.shortest, config.longest, color="#EEEEEE", zorder=0)
        for name, (color, width) in styles.items():
            shares = [study[f"whole.{name}_{bits}"] for study in studies]
            band(ax, delays, shares, color, width)
        ax.set(xscale="log", xlim=(1, delays[-1]), ylim=(0, 106), xlabel="distractors")
        ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        ax.minorticks_off()
        ax.set_title(title, fontsize=10, weight="normal", pad=5)
    left = axes[0]
    left.text(12.2, 40, "in training", ha="center", color="#666666")
    for x, y, words, color in (
        (2900, 93, "gated fast weights", GREEN),
        (2900, 86, "without the gate", ORANGE),
        (2900, 14, "recurrent net", RTRL),
    ):
        left.text(x, y, words, color=color, weight="bold", va="center", ha="right")
    left.set_ylabel("patterns without a wrong bit")
    left.yaxis.set_major_formatter("{x:.0f} %")
    figure.suptitle(
        "Unseen patterns outlast a hundred times more distractors than in training",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "distractors.png")


config = Config(**(QUICK if flags.quick else {}))
lines = {kind: steps_of(kind, config, flags.seed) for kind in KINDS}
picture_of_memory(lines[Direct], config, flags.seed)
picture_of_steps(lines, config, flags.seed)
picture_of_distractors()
