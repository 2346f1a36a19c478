# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of variable binding with fast weights: a life, the steps to a solution, the pairs.

Keys are blue, values orange, memories grey.
"""

import argparse
import json
from pathlib import Path

import fast_weights_key_value
import study_fast_weights_key_value
from fast_weights_key_value import QUICK, Config, FastWeights, life, train
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

SHOWN = 80  # steps of life in the first picture


# ---- what the pictures show: one net, and records over seeds ----
def typical_net(config, seed):
    """Train the nets of run() again and choose the one with the median time to solve the task.

    Returns the nets, frozen, which of them is meant, and the stream of the lives that test it.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]
    net = FastWeights(streams[0], config)
    moments = life(streams[1], config.nets, config.steps, config)
    _, solved = train(net, moments, config, lambda *_: None)
    able = np.flatnonzero(np.isfinite(solved))
    order = able[np.argsort(solved[able], kind="stable")]
    return net, order[order.size // 2] if order.size else 0, streams[2]


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [fast_weights_key_value.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: eighty steps of life ----
def lived(net, n, rng, config):
    """Let net n live; returns x (T, 6), asked (T,), slot (T,) and fast weights (T, 3)."""
    rows = []
    for x, asked, target, _ in life(rng, config.nets, 4 * SHOWN, config):
        net.answer(x, asked)
        rows.append((*x[:, n], asked[n], target[:, n].argmax(), *net.w[:, n]))
    rows = np.array(rows)
    start = max(0, np.flatnonzero(rows[:, :3].any(1))[0] - 3)
    rows = rows[start : start + SHOWN]
    return rows[:, :6], rows[:, 6], rows[:, 7].astype(int), rows[:, 8:]


def cells(ax, values, color, names):
    """Draw a filled cell wherever values (T, rows) is 1."""
    for t, row in zip(*np.nonzero(values)):
        ax.add_patch(plt.Rectangle((t, row - 0.5 + 0.1), 1, 0.8, fc=color, lw=0))
    frame(ax, len(values), names)


def frame(ax, steps, names):
    """Give an axis a row for each name, and no ornaments."""
    ax.set(xlim=(0, steps), ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    for row in range(len(names) + 1):
        ax.axhline(row - 0.5, color="#DDDDDD", lw=0.6, zorder=0)


def stays(asked):
    """Return the first and the last step of each stay: the steps at which he is asked, (T,)."""
    edges = np.diff(np.concatenate([[0], asked, [0]]))
    return zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1))


def picture_of_life(net, n, rng, config):
    """Draw detectors, distracting bits, fast weights and answers of a frozen net."""
    x, asked, slot, w = lived(net, n, rng, config)
    parks = x[:, :3].any(1)  # (T,)
    heights = (3, 3, 5, 3)
    figure, axes = plt.subplots(4, 1, figsize=(9, 5.4), sharex=True, height_ratios=heights)
    seen, noise, memory, answers = axes
    slots = ["slot 1", "slot 2", "slot 3"]
    cells(seen, x[:, :3], ORANGE, slots)
    cells(noise, x[:, 3:], "#BBBBBB", ["bit 1", "bit 2", "bit 3"])

    memory.imshow(
        w.T, cmap="Greys", vmin=0, vmax=1.15, aspect="auto", extent=(0, len(w), 2.5, -0.5)
    )
    frame(memory, len(w), [f"$w_{k}$" for k in (1, 2, 3)])
    for t in np.flatnonzero(parks):  # a stay ends when he drives off, or is parked anew
        end = t + 1
        while end < len(asked) and asked[end] and not parks[end]:
            end += 1
        box = plt.Rectangle(
            (t, slot[t] - 0.42), end - t, 0.84, fc="none", ec=ORANGE, lw=2, zorder=3
        )
        memory.add_patch(box)
    answer = (np.eye(3)[w.argmax(1)] * asked[:, None]).astype(int)  # (T, 3)
    cells(answers, answer, ORANGE, slots)
    for start, end in stays(asked):
        answers.plot((start, end), (-0.66, -0.66), color=BLUE, lw=4, clip_on=False)
    titles = (
        "S sees the detectors, on for one step as the car is parked (values)",
        "and bits that mean nothing",
        "so it fills one fast weight and empties the others (memory; frame: where the car is)",
        "F answers while the name WHERE-IS-MY-CAR? is on (key: blue line)",
    )
    for ax, words in zip(axes, titles):
        ax.set_title(words, fontsize=10, weight="normal", pad=8 if ax is answers else 4)
    answers.set_xlabel("steps of life")
    figure.suptitle(
        "One weight holds the place until the next parking", x=0.01, ha="left", weight="bold"
    )
    save(figure, "life.png")


# ---- 2: steps to a solution ----
def band(ax, x, lines, color, style="-"):
    """Draw the median of lines (seeds, points), and their range."""
    low, middle, high = 100 * np.quantile(lines, (0, 0.5, 1), axis=0)
    ax.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
    ax.plot(x, middle, color=color, linestyle=style, lw=2)
    return middle


def picture_of_steps():
    """Draw the share of nets that have met the criterion, over seeds."""
    runs = recorded("results.json", fast_weights_key_value)
    studies = recorded("study.json", study_fast_weights_key_value)
    figure, ax = plt.subplots(figsize=(9, 4.6))
    x, study_x = runs[0]["curve.x"], studies[0]["curves.x"]
    band(ax, x, [run["curve.y"] for run in runs], GREEN)
    band(ax, study_x, [study["curves.fast_asked"] for study in studies], GREEN, "--")
    band(ax, study_x, [study["curves.rtrl"] for study in studies], PINK)
    end = x[-1]
    for place, words, color in (
        ((0.6, 102), "fast weights, 100 steps in a row", GREEN),
        ((0.4, 68), "fast weights, 100 questions in a row (dashed)", GREEN),
        ((0.21, 102), "recurrent nets by RTRL", PINK),
    ):
        style = {"color": color, "weight": "bold", "va": "center"}
        ax.text(place[0] * end, place[1], words, **style)
    ax.axvline(0.2 * end, **PAPER)
    ax.text(0.2 * end, 4, " the paper: about 6000 steps", va="bottom")
    ax.axhline(50, color=GREY, lw=0.8)
    ax.text(end, 51, "half of the nets", ha="right", va="bottom", color="#666666")
    ax.set(xlim=(0, end), ylim=(0, 106), xlabel="time steps", ylabel="nets that have solved it")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_major_formatter("{x:.0f} %")
    ax.set_title("Half of the nets solve it near the paper's 6000 steps, and RTRL does it sooner")
    save(figure, "steps.png")


# ---- 3: many pairs in one matrix ----
def picture_of_pairs():
    """Draw how often the right value is the nearest, and how many pairs fit."""
    studies = recorded("study.json", study_fast_weights_key_value)
    pairs = studies[0]["top1.pairs"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5), width_ratios=(3, 2))
    for name, words, color, style, place in (
        ("softmax", "softmax attention, keeps all pairs", BLACK, "--", (4.5, 106)),
        ("features_64", "nonlinear,\n64 features", GREEN, "-", (32, 79)),
        ("linear", "linear", RED, "-", (5.2, 62)),
        ("identity", "raw keys", GREY, "-", (1.2, 32)),
    ):
        band(left, pairs, [study[f"top1.{name}"] for study in studies], color, style)
        left.text(*place, words, color=color, weight="bold", va="center")
    left.set(xscale="log", xlim=(1, 90), ylim=(0, 110), xlabel="pairs in the memory")
    left.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
    left.minorticks_off()
    left.set_ylabel("right value is the nearest")
    left.yaxis.set_major_formatter("{x:.0f} %")

    features = study_fast_weights_key_value.FEATURES
    held = np.array([[study[f"features_{m}.pairs_held"] for m in features] for study in studies])
    for row in held:
        right.plot(features, row, "o", color=GREEN, alpha=0.4, markersize=5, lw=0)
    right.plot(features, np.median(held, 0), color=GREEN)
    linear = np.median([study["linear.pairs_held"] for study in studies])
    right.axhline(linear, color=RED, lw=1.6)
    right.text(128, 0.94 * linear, "linear", color=RED, weight="bold", ha="right", va="top")
    right.text(46, 1.1 * np.median(held, 0)[4], "nonlinear", color=GREEN, weight="bold", ha="right")
    right.set(xscale="log", yscale="log", xlabel="features of the FROM net", ylim=(1, 32))
    right.set_xticks(features, [str(m) for m in features])
    right.set_yticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    right.minorticks_off()
    right.set_ylabel("pairs at 90 % right")
    title = "A nonlinear FROM net holds more pairs than a linear one, if it has enough features"
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    save(figure, "pairs.png")


config = Config(**(QUICK if flags.quick else {}))
picture_of_life(*typical_net(config, flags.seed), config)
picture_of_steps()
picture_of_pairs()
