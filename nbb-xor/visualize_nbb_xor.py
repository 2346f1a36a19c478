# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of the Neural Bucket Brigade on XOR: paths, ledger, stability."""

import argparse
import json
from pathlib import Path

import nbb_xor
import study_nbb_xor
from nbb_xor import PATTERNS, QUICK, TARGETS, BucketBrigade, Config, train
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

OUTPUT_COLOR = (BLUE, ORANGE)  # of an output unit and of the paths that lead to it
PLACES = {  # no straight line from an input to an output crosses a hidden unit
    "input": [(0, 3), (0, 1.5), (0, 0)],
    "hidden": [(2.2, 3.3), (2.2, 1.5), (2.2, -0.3)],
    "output": [(4.4, 2.2), (4.4, 0.8)],
}


# ---- what the pictures show: one net's life, and records over seeds ----
class Filmed(BucketBrigade):
    """Nets whose weights are kept after every presentation."""

    def __init__(self, *weights_and_rates):
        super().__init__(*weights_and_rates)
        self.film = []
        Filmed.last = self

    def answers(self):
        self.film.append((self.to_hidden.copy(), self.to_output.copy()))
        return super().answers()


def typical_life(config, seed):
    """Film the nets of run() again and choose the one with the median time to fifty in a row.

    Returns its weights (T, 3, 3) and (T, 6, 2), whether all was right (T,), when it had been right
    so many presentations in a row, and how many (fewer than fifty if no net gets there).
    """
    stream = np.random.SeedSequence(seed).spawn(3)[0]
    right = train(config, stream, 3, lambda *_: None, Filmed)  # (T, N)
    total = np.pad(right, ((1, 0), (0, 0))).cumsum(0)  # (T + 1, N)
    net, when, many = 0, len(right), 0
    for many in (50, 4, 1):
        reached = total[many:] - total[:-many] == many  # (T + 1 - many, N)
        nets = np.flatnonzero(reached.any(0))
        if nets.size:
            times = reached[:, nets].argmax(0) + many
            middle = np.argsort(times, kind="stable")[nets.size // 2]
            net, when = nets[middle], times[middle]
            break
    to_hidden, to_output = map(np.array, zip(*Filmed.last.film))
    return to_hidden[..., net], to_output[..., net], right[:, net], when, many


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [nbb_xor.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: who fires for which pattern ----
def fired(pattern, to_hidden, to_output):
    """Return the hidden winner, the output winner and the sums of both outputs."""
    hidden = (pattern @ to_hidden).argmax()
    sums = pattern @ to_output[:3] + to_output[3 + hidden]  # (2,)
    return hidden, sums.argmax(), sums


def draw_edges(ax, to_hidden, to_output, color_of):
    """Draw each connection as wide as its weight; color_of(layer, sender, receiver), None: grey."""
    layers = {
        "hidden": (PLACES["input"], PLACES["hidden"], to_hidden),
        "output": (PLACES["input"] + PLACES["hidden"], PLACES["output"], to_output),
    }
    for layer, (senders, receivers, weights) in layers.items():
        for (i, j), weight in np.ndenumerate(weights):
            color = color_of(layer, i, j)
            place = zip(senders[i], receivers[j])
            width = (2.4 + 12 * ax.get_position().width) * weight
            ax.plot(*place, color=color or "#D9D9D9", lw=width, zorder=2 if color else 1)


def draw_units(ax, names, fills, edges, size):
    """Draw the eight units; names, fills and edges hold one entry for each unit of a layer."""
    for layer, places in PLACES.items():
        for place, name, fill, edge in zip(places, names[layer], fills[layer], edges[layer]):
            radius = 0.3 if size > 10 else 0.36
            ax.add_patch(plt.Circle(place, radius, fc=fill, ec=edge, lw=1.5, zorder=3))
            ink = edge if fill == "white" else "white"
            where = {"ha": "center", "va": "center_baseline", "zorder": 4}
            ax.text(*place, name, color=ink, weight="bold", fontsize=size, **where)
    ax.set(xlim=(-0.5, 4.9), ylim=(-1.3, 3.75), aspect="equal")
    ax.axis("off")


def draw_net(ax, to_hidden, to_output):
    """Draw the whole net; a sender's heavier connection to the outputs has the output's colour."""

    def color_of(layer, i, j):
        if layer == "hidden":
            return "#777777"
        return OUTPUT_COLOR[j] if to_output[i].argmax() == j else None

    draw_edges(ax, to_hidden, to_output, color_of)
    names = {"input": ["$x_1$", "$x_2$", "1"], "hidden": "ABC", "output": "01"}
    edges = {"input": [BLACK] * 3, "hidden": [BLACK] * 3, "output": OUTPUT_COLOR}
    draw_units(ax, names, {layer: ["white"] * 3 for layer in PLACES}, edges, 12)
    for place, words in (
        ((0, -0.42), "inputs"),
        ((2.2, -0.72), "hidden units:\none of three fires"),
        ((4.3, 0.38), "outputs:\none of two fires"),
    ):
        ax.text(*place, words, ha="center", va="top", fontsize=10)


def draw_path(ax, to_hidden, to_output, pattern):
    """Draw the net in grey and the path that fires for one pattern in its output's colour."""
    hidden, output, sums = fired(pattern, to_hidden, to_output)
    color = OUTPUT_COLOR[output]
    sends = [*pattern, *(np.arange(3) == hidden)]  # of the inputs and the hidden units

    def color_of(layer, i, j):
        return color if sends[i] and j == (hidden if layer == "hidden" else output) else None

    draw_edges(ax, to_hidden, to_output, color_of)
    names = {"input": [f"{x:.0f}" for x in pattern], "hidden": "ABC", "output": "01"}
    on = {"input": pattern == 1, "hidden": np.arange(3) == hidden, "output": np.arange(2) == output}
    inks = {"input": BLACK, "hidden": color, "output": color}
    fills = {layer: [inks[layer] if unit else "white" for unit in on[layer]] for layer in PLACES}
    edges = {layer: [inks[layer] if unit else GREY for unit in on[layer]] for layer in PLACES}
    draw_units(ax, names, fills, edges, 9)
    question = f"{pattern[0]:.0f} xor {pattern[1]:.0f}: {'ABC'[hidden]} fires, then {output}"
    ax.text(2.2, 3.85, question, ha="center", va="bottom", color=color, weight="bold")
    margin = f"{sums[output]:.4f} beats {sums[1 - output]:.4f}"
    ax.text(2.2, -0.75, margin, ha="center", va="top")


def paths(to_hidden, to_output, when, many):
    """Picture one net at the moment when its solution lasts."""
    figure = plt.figure(figsize=(9, 4.9), layout="none")
    whole = figure.add_axes((0.0, 0.0, 0.52, 0.86))
    draw_net(whole, to_hidden[when - 1], to_output[when - 1])
    for k, pattern in enumerate(PATTERNS):
        small = figure.add_axes((0.53 + 0.235 * (k % 2), 0.43 * (1 - k // 2), 0.225, 0.39))
        draw_path(small, to_hidden[when - 1], to_output[when - 1], pattern)
    title = "Winning margins are a hair: XOR as four paths through eight units"
    figure.text(0.012, 0.975, title, va="top", weight="bold", fontsize=13)
    words = f"one net after presentation {when}, its {many}th right in a row; width = weight"
    figure.text(0.012, 0.915, words, va="top", fontsize=10)
    save(figure, "paths.png")


# ---- 2: the accounts ----
def smooth(values, window):
    """Average over a window that is cut at both ends: (T,) -> (T,)."""
    total = np.pad(np.cumsum(values, dtype=float), (1, 0))
    time = np.arange(len(values))
    low, high = np.maximum(time - window // 2, 0), np.minimum(time + window // 2 + 1, len(values))
    return (total[high] - total[low]) / (high - low)


def draw_accounts(ax, layers):
    """Stack the substance of three layers, (T,) each, and name them."""
    time = np.arange(1, len(layers[0]) + 1)
    ax.stackplot(time, layers, colors=(BLUE, SKY, YELLOW), lw=0)
    x = len(time) * 11 // 20
    heights = np.cumsum([layer[x] for layer in layers])
    style = {"weight": "bold", "va": "center"}
    ax.text(x, 0.5 * heights[0], "hidden to outputs", color="white", **style)
    ax.text(x, 0.5 * (heights[0] + heights[1]), "inputs to hidden", **style)
    words = f"inputs to outputs (direct):\n{layers[2][-1] / layers[2][0]:.0%} is left at the end"
    band, line = (x, 0.5 * (heights[1] + heights[2])), {"arrowstyle": "-", "relpos": (0, 0)}
    ax.annotate(words, band, (1.1 * x, 1.5 * heights[2]), arrowprops=line, **style)
    ax.set(ylabel="substance (sum of weights)", ylim=(0, None), xlim=(1, len(time)))
    ax.set_yticks(range(0, 21, 5))


def ledger(to_hidden, to_output, right, when, many):
    """Picture what the three layers of one net hold, and what the net and its direct part know."""
    layers = [w.sum((1, 2)) for w in (to_output[:, 3:], to_hidden, to_output[:, :3])]
    hidden = np.einsum("pi,tih->tph", PATTERNS, to_hidden).argmax(2)  # (T, 4)
    direct = np.einsum("pi,tio->tpo", PATTERNS, to_output[:, :3])  # (T, 4, 2)
    whole = direct + np.take_along_axis(to_output[:, 3:], hidden[..., None], 1)
    figure, (stock, score) = plt.subplots(2, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 2))
    first = right.argmax() + 1
    draw_accounts(stock, layers)
    stock.set_title("Errors of the direct connections cost substance until they run dry")
    window = max(1, len(right) // 50)
    for sums, color, words, y in (
        (whole, GREEN, "the whole net", 3.55),
        (direct, RED, "its direct connections alone: never all four", 1.05),
    ):
        count = (sums.argmax(2) == TARGETS).sum(1)  # (T,)
        score.plot(np.arange(1, len(right) + 1), smooth(count, window), color=color)
        score.text(0.53 * len(right), y, words, color=color, weight="bold", va="center")
    score.set(xlabel="pattern presentations", ylabel="patterns right", ylim=(0, 4.2))
    score.set_yticks(range(5))
    for ax in (stock, score):
        for moment in (first, when):
            ax.axvline(moment, color=BLACK, lw=0.8, alpha=0.6)
    score.text(first, 0.2, f" first solution: {first}")
    score.text(when, 0.2, f" {many} in a row: {when}")
    save(figure, "ledger.png")


# ---- 3: what becomes of a solution ----
def stability():
    """Picture the share of nets that are right, from their first solution on, over seeds."""
    runs, studies = recorded("results.json", nbb_xor), recorded("study.json", study_nbb_xor)
    ages = runs[0]["curve.x"]
    two, no_return = (
        [study[f"curves.{row}"] for study in studies] for row in ("two_hidden", "no_return")
    )
    rows = (
        ("three hidden units", [run["curve.y"] for run in runs], GREEN, "-", (ages[-1], 0.9)),
        ("two hidden units", two, BLUE, "-", (ages[-1], 0.03)),
        ("three, without\n the return", no_return, RED, "--", (1.05, 0.115)),
    )
    figure, ax = plt.subplots(figsize=(9, 4.8))
    for words, shares, color, style, place in rows:
        low, middle, high = np.quantile(shares, (0, 0.5, 1), axis=0)
        ax.fill_between(ages, low, high, color=color, alpha=0.2, lw=0)
        ax.plot(ages, middle, color=color, linestyle=style, lw=2)
        ax.text(*place, f" {words}", color=color, weight="bold", va="center")
    ax.set(xscale="log", xlabel="presentations after a net's first solution", ylim=(-0.02, 1))
    ax.set(ylabel="share of nets with all four right", xlim=(1, ages[-1]))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set_title("Solutions come, go, and come back to stay with three hidden units, not with two")
    save(figure, "stability.png")


*life, right, when, many = typical_life(Config(**(QUICK if flags.quick else {})), flags.seed)
paths(*life, when, many)
ledger(*life, right, when, many)
stability()
