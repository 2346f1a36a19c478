# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "matplotlib"]
# ///
"""The pictures of the Neural Bucket Brigade on XOR: paths, ledger, first solutions, architectures, stability."""
import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from nbb_xor import PATTERNS, QUICK, Config, Variant, run, train

# ---- picture style, byte-identical in every picture script; its text stands in SPEC.md ----
plt.switch_backend("Agg")
plt.rcParams.update({
    "figure.figsize": (8, 4.5), "figure.dpi": 100, "savefig.dpi": 150, "figure.constrained_layout.use": True,
    "figure.facecolor": "white", "savefig.facecolor": "white", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.6})
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK, GREY = (  # Okabe and Ito's colours, safe for the colour-blind
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
PAPER = {"color": BLACK, "linestyle": "--", "linewidth": 1.2}  # the paper's own figure, wherever one is known
flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--seed", type=int, default=0, help="seed of the run that the pictures show")
flags.add_argument("--quick", action="store_true", help="pictures of a quick run: they prove the code")
flags.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write into")
flags = flags.parse_args()
flags.out.mkdir(parents=True, exist_ok=True)

PLACES = {"input": [(0, 3), (0, 1.5), (0, 0)], "hidden": [(2.2, 3.3), (2.2, 1.5), (2.2, -0.3)],
          "output": [(4.4, 2.2), (4.4, 0.8)]}  # no straight line from an input to an output crosses a hidden unit
CLASS = (BLUE, ORANGE)  # of an output unit, and of the paths that lead to it
VARIANTS = {"the paper's rule": Variant(), "no direct connections": Variant(direct=False),
            "earnings not passed back": Variant(redistribute=False)}


def record(config, seed):
    """Train the nets of run() again and keep what they did.

    Returns the outcome and, per presentation, right (T, variants, N); and for the paper's nets what the layers hold
    (T, 3, N), what was injected and lost (T, 2, N), and the weights (3, 3, N) and (6, 2, N) as two lists.
    """
    right, layers, money, to_hidden, to_output = [], [], [], [], []
    n = config.nets

    def keep(_, drawn, correct, brigade):
        right.append(correct.reshape(-1, n).astype(np.int8))
        a, b = brigade.to_hidden[:, :, :n], brigade.to_output[:, :, :n]
        layers.append([a.sum((0, 1)), b[:3].sum((0, 1)), b[3:].sum((0, 1))])
        money.append([brigade.injected[:n].copy(), brigade.lost[:n].copy()])
        to_hidden.append(a.astype(np.float32))
        to_output.append(b.astype(np.float32))

    watched = replace(config, follow=config.presentations)  # go on to the cap: we want to see what becomes of them
    outcome = train(watched, np.random.SeedSequence(seed).spawn(2)[0], (3,), list(VARIANTS.values()), callback=keep)
    return outcome, np.array(right), np.array(layers), np.array(money), to_hidden, to_output


def typical(outcome):
    """The net that is the median of those that came to a lasting solution, what it came to, and when."""
    for name, words in (("stable50", "50 in a row"), ("stable4", "four in a row"), ("first", "a first solution")):
        when = outcome[name][0]
        if when.any():
            solved = np.flatnonzero(when)
            net = solved[np.argsort(when[solved], kind="stable")[len(solved) // 2]]
            return net, words, when[net]
    return 0, "no solution yet", 1


def save(figure, name):
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: who fires for which pattern ----------------------------------------------------------------------------------
def fire(pattern, to_hidden, to_output):
    """The hidden winner, the output winner and the two output sums for one pattern, weights fixed."""
    hidden = (pattern @ to_hidden).argmax()
    sums = pattern @ to_output[:3] + to_output[3 + hidden]
    return hidden, sums.argmax(), sums


def draw_net(ax, to_hidden, to_output, size, pattern=None):
    """The eight units; line width is weight. With a pattern, only the path that fires has colour."""
    ax.set(xlim=(-0.75, 5.2), ylim=(-0.95, 3.85), aspect="equal")
    ax.axis("off")
    senders = PLACES["input"] + PLACES["hidden"]
    hidden, out, _ = fire(pattern, to_hidden, to_output) if pattern is not None else (None, None, None)
    edges = [(a, b, to_hidden[i, j], "hidden", i, j) for i, a in enumerate(PLACES["input"])
             for j, b in enumerate(PLACES["hidden"])]
    edges += [(a, b, to_output[i, j], "output", i, j) for i, a in enumerate(senders)
              for j, b in enumerate(PLACES["output"])]
    for (x0, y0), (x1, y1), weight, to, i, j in edges:
        if pattern is None:
            heavier = to == "output" and to_output[i].argmax() == j
            color = CLASS[j] if heavier else "#BBBBBB" if to == "output" else "#666666"
            z = 2 if heavier else 1
        else:
            fires = (i >= 3 and i - 3 == hidden) or (i < 3 and pattern[i] == 1)
            on = fires and j == (out if to == "output" else hidden)
            color, z = (CLASS[out], 2) if on else ("#DDDDDD", 1)
        ax.plot([x0, x1], [y0, y1], color=color, lw=size * float(weight), zorder=z, solid_capstyle="round")
    for kind, names in (("input", ["$x_1$", "$x_2$", "1"]), ("hidden", "ABC"), ("output", "01")):
        for k, (place, name) in enumerate(zip(PLACES[kind], names, strict=True)):
            color = CLASS[k] if kind == "output" else BLACK
            on = pattern is None or {"input": pattern[k % 3] == 1, "hidden": hidden == k, "output": out == k}[kind]
            if pattern is not None and kind == "input":
                name = f"{pattern[k]:.0f}"
            radius = 0.27 if pattern is None else 0.36
            full = pattern is not None and on
            fill = (CLASS[out] if kind != "input" else BLACK) if full else "white"
            ax.add_patch(plt.Circle(place, radius, fc=fill, ec=color if on else GREY, lw=1.6, zorder=3))
            ax.text(*place, name, ha="center", va="center_baseline", zorder=4, weight="bold",
                    color="white" if full else color if on else GREY, fontsize=12 if pattern is None else 11)


def paths(config, outcome, to_hidden, to_output):
    net, words, when = typical(outcome)
    a, b = to_hidden[when - 1][:, :, net], to_output[when - 1][:, :, net]
    figure = plt.figure(figsize=(12, 6))
    grid = figure.add_gridspec(2, 4, width_ratios=[1.25, 1.25, 1, 1])
    big = figure.add_subplot(grid[:, :2])
    draw_net(big, a, b, 14)
    for k, (low, high) in enumerate(np.sort(b[3:], axis=1)):
        big.text(5.2, 3.6 - 0.25 * k, f"{'ABC'[k]} prefers {b[3 + k].argmax()} by {high / low - 1:.2%}", ha="right",
                 fontsize=12, color=CLASS[b[3 + k].argmax()], weight="bold")
    for (x, y), name in zip(((0, -0.4), (2.2, -0.7), (4.4, 0.4)),
                            ("inputs", "hidden units:\none of three wins", "outputs:\none of two wins"), strict=True):
        big.text(x, y, name, ha="center", va="top", fontsize=12)
    big.set_ylim(-1.25, 3.95)
    wins = [fire(pattern, a, b)[0] for pattern in PATTERNS]
    own = wins[1] == wins[2] and len(set(wins)) == 3
    finding = "Each kind of pattern has hired a hidden unit of its own" if own else "Four patterns and their paths"
    figure.suptitle(finding, x=0.012, ha="left", weight="bold", fontsize=15)
    big.set_title(f"net {net} after {when} presentations ({words}); line width = weight", weight="normal", fontsize=12)
    for k, pattern in enumerate(PATTERNS):
        ax = figure.add_subplot(grid[k // 2, 2 + k % 2])
        draw_net(ax, a, b, 9, pattern)
        hidden, out, sums = fire(pattern, a, b)
        ax.set_title(f"{pattern[0]:.0f} xor {pattern[1]:.0f}:  {'ABC'[hidden]} fires, then {out}", loc="center",
                     fontsize=12, color=CLASS[out], pad=4)
        ax.text(2.2, -0.78, f"{sums[out]:.4f} beats {sums[1 - out]:.4f}", ha="center", va="top", fontsize=12)
    save(figure, "paths.png")


# ---- 2: the accounts -------------------------------------------------------------------------------------------------
def ledger(config, outcome, right, layers, money):
    net, words, when = typical(outcome)
    layers, right, T = layers[:, :, net].T, right[:, 0, net], len(right)
    time = np.arange(1, T + 1)
    window = max(1, T // 50)

    def smooth(values):  # a running mean, its window cut at both ends
        sums = np.cumsum(np.concatenate([[0], values]))
        low, high = np.maximum(time - 1 - window // 2, 0), np.minimum(time + window // 2, T)
        return (sums[high] - sums[low]) / (high - low)

    figure, (stock, flow, score) = plt.subplots(3, 1, figsize=(9, 7.6), sharex=True, height_ratios=[5, 3, 1.3])
    names = ("inputs to hidden", "inputs to outputs (direct)", "hidden to outputs")
    order, colors = (2, 0, 1), (SKY, YELLOW, BLUE)
    stock.stackplot(time, layers[list(order)], colors=[colors[k] for k in order], lw=0)
    first = outcome["first"][0][net]
    x = min(first + T // 50, T - 1)
    heights = np.cumsum(layers[list(order), x])
    stock.text(time[x], 0.45 * heights[0], names[2], color="white", weight="bold", fontsize=11)
    stock.text(time[x], 0.7 * heights[0] + 0.3 * heights[1], names[0], weight="bold", fontsize=11, va="center")
    stock.annotate(names[1], (time[x], 0.4 * heights[1] + 0.6 * heights[2]), (time[x] + T * 0.06, 1.25 * heights[2]),
                   weight="bold", fontsize=11, arrowprops={"arrowstyle": "-", "shrinkB": 0, "relpos": (0, 0.3)})
    kept = layers[:, -1] / layers[:, 0]
    stock.yaxis.get_major_locator().set_params(integer=True)
    stock.set(ylabel="substance stored\n(sum of weights)", ylim=(0, None), xlim=(1, T))
    stock.set_title(f"The direct connections run dry ({kept[1]:.0%} is left); the hidden path settles\n", fontsize=13)
    stock.text(0, 1.02, f"the accounts of net {net}", transform=stock.transAxes, fontsize=11)
    rates = [smooth(np.diff(total, prepend=0.0)) for total in money[:, :, net].T]
    flow.plot(time, rates[1], color=RED)
    flow.plot(time, rates[0], color=GREEN)
    flow.fill_between(time, *rates, color=RED, alpha=0.15, lw=0)
    flow.set(ylabel="substance per\npresentation", ylim=(0, None))
    bold = {"weight": "bold", "fontsize": 11}
    flow.text(time[x], 1.2 * rates[1][x], "lost at the inputs", color=RED, va="bottom", **bold)
    flow.text(time[x], 0.4 * rates[0][x], "paid in for right answers", color=GREEN, va="top", **bold)
    image = np.array([[smooth(right == 4)]])[0]
    score.imshow(image, aspect="auto", extent=(1, T, 0, 1), cmap=STRIP, vmin=0, vmax=1, interpolation="antialiased")
    score.set(yticks=[], xlabel="pattern presentations", ylabel="all four\nright")
    score.spines["left"].set_visible(False)
    marks = [(first, f"first at {first}", "left", 0.006), (when, f"{words} at {when}", "right", -0.006)]
    for moment, label, side, gap in marks if when > first else marks[:1]:
        for ax in (stock, flow, score):
            ax.axvline(moment, color=BLACK, lw=0.8, alpha=0.6)
        score.text(moment + gap * T, 0.5, label, ha=side, va="center",
                   bbox={"fc": "white", "ec": "none", "pad": 1.5, "alpha": 0.85})
    save(figure, "ledger.png")


STRIP = LinearSegmentedColormap.from_list("strip", ["#F6E3DA", GREEN])  # from never right to always right


# ---- 3: first solutions ----------------------------------------------------------------------------------------------
def first_solution(config, outcome):
    figure, ax = plt.subplots(figsize=(9, 4.8))
    ours, without = (outcome["first"][row][outcome["first"][row] > 0] for row in (0, 1))
    T = max(1.35 * outcome["first"][:2].max(), 1000)
    bins = np.linspace(0, T, 36)
    ax.hist(ours, bins, color=SKY, edgecolor="white")
    ax.hist(without, bins, histtype="step", color=PINK, lw=2)
    top = ax.get_ylim()[1] * 1.12
    ax.set(xlim=(0, T), ylim=(0, top), xlabel="presentation of the first solution", ylabel=f"nets (of {config.nets})")
    ax.axvline(619, **PAPER)
    ax.text(619 + T * 0.01, top * 0.97, "the paper's mean: 619", va="top", fontsize=11)
    beside = np.quantile(without, 0.95) + T * 0.01 if len(without) else 0
    for times, color, words, x, y in ((ours, BLUE, "ours: ", 619 + T * 0.01, 0.9),
                                      (without, PINK, "without direct connections\n", beside, 0.65)):
        if len(times):
            ax.text(x, top * y, f"{words}mean {times.mean():.0f}, {len(times)} of {config.nets} nets", va="top",
                    color=color, weight="bold", fontsize=11)
            ax.axvline(times.mean(), color=color, ymax=0.93)
    ax.set_title("Solutions come when the paper says, if inputs also reach the outputs directly")
    save(figure, "first_solution.png")


# ---- 4: architectures against the paper ------------------------------------------------------------------------------
def architectures(config):
    """Rows of the paper's table; a paper's figure is (presentations, label)."""
    path = Path(__file__).with_name("results.json")
    metrics = [r["metrics"] for r in json.loads(path.read_text("utf-8"))["records"]] if path.exists() else []
    if flags.quick or not metrics:
        metrics = [run(config, flags.seed)]
    rows = [("3 hidden units\nfirst solution", "first_mean", [(619, "619")]),
            ("3 hidden units\nfour in a row", "stable4_mean", [(674, "674, “stable”")]),
            ("2 hidden units\nfirst solution", "two_hidden_first_mean", [(160, "160"), (640, "4 × 160")]),
            ("two subsets of 2\nfirst solution", "two_subsets_first_mean", [(263, "263"), (1052, "4 × 263")]),
            ("4 hidden units\nfirst solution", "four_hidden_first_mean", [])]
    figure, ax = plt.subplots(figsize=(9, 5.4))
    for y, (_, name, figures) in enumerate(rows):
        near = None
        ours = np.array([m[name] for m in metrics if m[name] is not None])
        if len(ours):
            low, mid, high = np.percentile(ours, [25, 50, 75])
            ax.barh(y, high - low, left=low, height=0.42, color=SKY, alpha=0.8)
            ax.plot([mid, mid], [y - 0.21, y + 0.21], color=BLUE, lw=3, solid_capstyle="butt")
            ax.plot(ours, np.full(len(ours), y), "o", color=BLUE, ms=3.5, alpha=0.7, mew=0)
            near = min(figures, key=lambda f: abs(f[0] - mid), default=(0, ""))
            x, side = (ours.min() - 14, "right") if near[0] > mid else (ours.max() + 14, "left")
            ax.text(x, y, f"{mid:.0f}", ha=side, va="center", color=BLUE, weight="bold", fontsize=12)
        for value, label in figures:
            alpha = 1 if (value, label) == near or len(figures) == 1 else 0.45
            ax.plot([value, value], [y - 0.33, y + 0.33], **PAPER, alpha=alpha)
            ax.text(value, y - 0.36, label, ha="center", va="bottom", fontsize=10, alpha=max(alpha, 0.6))
    ax.set(yticks=range(len(rows)), yticklabels=[label for label, *_ in rows], ylim=(len(rows) - 0.4, -0.75),
           xlim=(0, 1200), xlabel="pattern presentations, mean over the nets that got there")
    ax.set_title("Our nets take about as long as the paper's, on one reading of its units")
    seeds = f"{len(metrics)} seeds of {config.nets} nets" if len(metrics) > 1 else f"one seed of {config.nets} nets"
    ax.text(1190, 4.28, f"ours: {seeds},\nbar = 25-75 % of the seeds", color=BLUE, ha="right", va="center", fontsize=10)
    ax.text(1190, 3.62, "dashed: the paper's figures", ha="right", va="center", fontsize=10)
    ax.tick_params(axis="y", length=0)
    save(figure, "architectures.png")


# ---- 5: what becomes of a solution -----------------------------------------------------------------------------------
def stability(config, outcome, right):
    T, _, N = right.shape
    solved = right == 4  # (T, variants, N)
    figure, (raster, curve) = plt.subplots(1, 2, figsize=(12, 5.4), width_ratios=[1.15, 1])
    first = outcome["first"]
    order = np.argsort(np.where(outcome["stable50"][0] > 0, outcome["stable50"][0], T + first[0]), kind="stable")
    width = max(1, T // 250)
    image = solved[:T // width * width, 0].reshape(-1, width, N).mean(1)  # (columns, N)
    raster.imshow(image[:, order].T, aspect="auto", extent=(0, T, N, 0), cmap=STRIP, vmin=0, vmax=1,
                  interpolation="nearest")
    raster.plot(first[0][order][first[0][order] > 0], np.flatnonzero(first[0][order] > 0) + 0.5, "|", color=BLACK, ms=5,
                mew=1.2)
    raster.set(xlabel="pattern presentations", ylabel=f"{N} nets, the soonest stable on top")
    raster.set_title("green: all four right   |  first time", fontsize=11, weight="normal")
    if not first[0].any():
        raster.set_title("no net has found a solution yet", fontsize=11, weight="normal")
    for row, (name, color) in enumerate(zip(VARIANTS, (GREEN, PINK, RED), strict=True)):
        nets = np.flatnonzero(first[row])
        since = np.arange(1, T + 1)[:, None] - first[row][nets]  # (T, nets) presentations after the first solution
        there = since[-1].min() if len(nets) else 0  # as far as every net was watched
        edges = np.unique(np.round(np.geomspace(1, max(there, 1) + 1, 26)).astype(int))
        up = [solved[:, row][:, nets][(since >= a) & (since < b)].mean() for a, b in zip(edges, edges[1:])]
        if up:
            middle = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
            curve.plot(middle, up, color=color, lw=2.6 if row == 0 else 1.8)
            curve.annotate(name, (middle[-1], up[-1]), (6, 0), textcoords="offset points", color=color, va="center",
                           weight="bold", annotation_clip=False)
    curve.set(xscale="log", ylim=(-0.04, 1), xlabel="presentations after a net's first solution",
              ylabel="fraction of nets with all four right")
    curve.xaxis.set_major_formatter("{x:g}")
    curve.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    curve.set_title("how many still, or again, have it", fontsize=11, weight="normal")
    figure.suptitle("A first solution is soon lost; with more of the same learning it comes back to stay", x=0.012,
                    ha="left", weight="bold", fontsize=15)
    save(figure, "stability.png")


config = Config(**(QUICK if flags.quick else {}))
outcome, right, layers, money, to_hidden, to_output = record(config, flags.seed)
paths(config, outcome, to_hidden, to_output)
ledger(config, outcome, right, layers, money)
first_solution(config, outcome)
architectures(config)
stability(config, outcome, right)
