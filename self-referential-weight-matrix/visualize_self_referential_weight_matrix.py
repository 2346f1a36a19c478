# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of self-referential-weight-matrix into viz/."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import self_referential_weight_matrix
import study_self_referential_weight_matrix as study
from self_referential_weight_matrix import (
    QUICK,
    Config,
    SelfReferential,
    episodes,
    scores,
    split,
    train,
)
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

FILMED = 4  # nets that are trained for the second picture, which shows the best of them


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [self_referential_weight_matrix.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: functions that were held out -------------------------------------------------------------
COLUMNS = {
    "all": ("all rows\nmay change", BLUE),
    "answer": ("the answer's\nrow alone", SKY),
    "answer_rates": ("that row and\nthe rates", SKY),
    "all_but_rates": ("all rows but\nthe rates", SKY),
    "rnn": ("tanh RNN, as\nmany weights", RED),
}


def picture_of_functions(runs, studies):
    """Draw the held-out accuracy of every net of the study, a dot each."""
    figure, ax = plt.subplots(figsize=(8.5, 5.0))
    rng = np.random.default_rng(0)
    for x, (name, (_, color)) in enumerate(COLUMNS.items()):
        nets = 100 * np.concatenate([one[f"{name}.nets"] for one in studies])
        jitter = rng.uniform(-0.22, 0.22, len(nets))
        ax.plot(x + jitter, nets, "o", color=color, ms=6, alpha=0.6, mec="white", mew=0.5)
        mean = nets.mean()
        ax.plot((x - 0.3, x + 0.3), (mean, mean), color=BLACK, lw=2.2)
        ax.text(x + 0.33, mean, f"{mean:.0f} %", va="center", weight="bold", color=color)
    ax.axhline(50, color=GREY, lw=1)
    ax.text(4.66, 50.8, "guessing", ha="right", va="bottom", color="#666666")
    known = 100 * np.mean([run["rnn.training"] for run in runs])
    ax.plot((3.7, 4.3), (known, known), color=RED, lw=1.6, linestyle=":")
    words = f"its training functions: {known:.0f} %"
    ax.text(4.66, 101.5, words, ha="right", va="bottom", color=RED)
    ax.set_xticks(range(len(COLUMNS)), [words for words, _ in COLUMNS.values()])
    ax.set(xlim=(-0.5, 4.7), ylim=(0, 107), yticks=range(0, 101, 25))
    ax.set_ylabel("right answers about functions held out")
    ax.yaxis.set_major_formatter("{x:.0f} %")
    ax.set_title("Unseen functions: nets that write into weights answer, the RNN has memorised")
    save(figure, "functions.png")


# ---- 2: the matrix during one episode ------------------------------------------------------------
BLOCKS = {
    "y": ("answer y", ORANGE),
    "k": ("key k", BLUE),
    "q": ("query q", SKY),
    "b": ("rates b", PINK),
}


def filmed_episode(config):
    """Train some nets as run() does, and let the best of them live one unseen episode."""
    config = replace(config, nets=min(FILMED, config.nets))
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(flags.seed).spawn(4)]
    training, held_out = split(config, streams[0])
    net = SelfReferential(config)
    theta, _ = train(
        net,
        lambda count, rng: episodes(training, count, rng),
        config,
        *streams[1:3],
        lambda *_: None,
    )
    each = scores(net, theta, episodes(held_out, 200, streams[3]))  # (N,)
    n = int(each.argmax())
    data = episodes(held_out, 50, streams[3])
    mixed = abs(data.label[4:, n].sum(0)) < 3  # (B,) functions that are not constant
    b = int(mixed.argmax())
    y = net.forward(theta, data.u)
    return data, y[:, n, b], net.matrices[:, n, b], net.s[:, n, b], n, b


def mark_blocks(ax, dimension, named):
    """Put a coloured bar beside the rows of each block, and lines between them."""
    starts = np.array([0, 1, 1 + dimension, 1 + 2 * dimension, 5 + 2 * dimension]) - 0.5
    for (words, color), start, end in zip(BLOCKS.values(), starts, starts[1:]):
        bar = plt.Rectangle((-2.6, start), 1.6, end - start, fc=color, lw=0, clip_on=False)
        ax.add_patch(bar)
        ax.axhline(start, color=BLACK, lw=0.6)
        if named:
            middle = (start + end) / 2
            style = {"ha": "right", "va": "center", "color": color, "weight": "bold"}
            ax.text(-3.4, middle, words, **style)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def bit(value):
    """Return the name of a bit that is -1 or 1."""
    return "1" if value > 0 else "0"


def picture_of_matrix(film):
    """Draw the matrix, its change and its rates at the eight steps of an episode."""
    data, y, matrices, s, n, b = film
    dimension = matrices.shape[-1]
    figure, axes = plt.subplots(3, 8, figsize=(9, 7.4), height_ratios=(3.2, 3.2, 1.2))
    changes = np.diff(matrices, axis=0)  # (8, R, d)
    scale = np.quantile(abs(matrices), 0.98)
    for t in range(8):
        x0, x1, label, told = data.u[t, n, b]
        right = y[t] * data.label[t, n, b] > 0
        words = f"f({bit(x0)}{bit(x1)}) = {bit(label)}" if told else f"f({bit(x0)}{bit(x1)})?"
        words += "" if told else f" {bit(y[t])} {'✓' if right else '✗'}"
        axes[0, t].set_title(
            words,
            fontsize=10,
            loc="center",
            pad=6,
            color=BLACK if told else GREEN if right else RED,
        )
        for row, shown in ((0, matrices[t + 1]), (1, changes[t])):
            heat = {"cmap": "RdBu_r", "vmin": -scale, "vmax": scale, "aspect": "auto"}
            axes[row, t].imshow(shown, interpolation="nearest", **heat)
            mark_blocks(axes[row, t], dimension, t == 0)
        rates = axes[2, t]
        rates.bar(range(4), s[t], color=[color for _, color in BLOCKS.values()], width=0.8)
        rates.set_xticks(range(4), BLOCKS)
        rates.set(ylim=(0, 1), yticks=[0, 1] if t == 0 else [], xlim=(-0.6, 3.6))
        rates.tick_params(length=0)
    axes[0, 0].set_ylabel("matrix after the step", labelpad=78)
    axes[1, 0].set_ylabel("change in the step", labelpad=78)
    axes[2, 0].set_ylabel("rates")
    title = "Eight steps of one unseen function: told four times, the matrix answers four times"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    save(figure, "matrix.png")


# ---- 3: sudden changes ---------------------------------------------------------------------------
def picture_of_changes(studies):
    """Draw how often the nets are right at each example of a stream, over seeds."""
    figure, ax = plt.subplots(figsize=(8.5, 4.6))
    x = np.arange(1, 25)
    kinds = (
        ("stream_rnn", "tanh RNN", RED),
        ("stream_answer", "the answer's row alone", SKY),
        ("stream_all", "all rows may change", BLUE),
    )
    ends = []
    for name, words, color in kinds:
        lines = 100 * np.array([one[f"{name}.examples"] for one in studies])  # (seeds, 24)
        for phase in range(3):
            part = slice(8 * phase, 8 * phase + 8)
            low, middle, high = np.quantile(lines[:, part], (0, 0.5, 1), axis=0)
            ax.fill_between(x[part], low, high, color=color, alpha=0.2, lw=0)
            ax.plot(x[part], middle, "o-", color=color, ms=4)
        ends.append((middle[-1], words, color))
    place = np.inf
    for height, words, color in sorted(ends, reverse=True):
        place = min(height, place - 6)  # labels that would lie on one another move down
        ax.text(24.4, place, words, color=color, weight="bold", va="center")
    for change in (8.5, 16.5):
        ax.axvline(change, color=GREY, lw=1)
        ax.text(change, 106, "another function", ha="center", va="bottom", color="#555555")
    ax.axhline(50, color=GREY, lw=1)
    ax.text(0.6, 50.8, "guessing", va="bottom", color="#666666")
    ax.set(xlim=(0.5, 31.5), ylim=(0, 105), xticks=(1, 4, 8, 12, 16, 20, 24))
    ax.set_xlabel("example (asked first, then told)", loc="left")
    ax.set_ylabel("right answers about unseen functions")
    ax.yaxis.set_major_formatter("{x:.0f} %")
    ax.spines["bottom"].set_bounds(1, 24)
    ax.set_title("Each change is recovered from, a little less each time; the RNN guesses", pad=26)
    save(figure, "changes.png")


studies = recorded("study.json", study)
picture_of_functions(recorded("results.json", self_referential_weight_matrix), studies)
picture_of_changes(studies)
picture_of_matrix(filmed_episode(Config(**(QUICK if flags.quick else {}))))
