# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of pipe-symbolic-regression into viz/: two runs, and what the records say."""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Wedge
from pipe_symbolic_regression import (
    ARITY,
    NAMES,
    QUICK,
    Config,
    Pipe,
    answer,
    genetic_programming,
    joint_log,
    paper_function,
    paper_task,
    quartic_task,
)

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

folder = Path(__file__).resolve().parent
config = Config(**QUICK) if flags.quick else Config()
(flags.out / "viz").mkdir(exist_ok=True)


def records(name, metric):
    """Return the metrics of each recorded seed, by seed; none of a quick run or of other code."""
    path = folder / name
    if flags.quick or not path.exists():
        return {}
    recorded = json.loads(path.read_text("utf-8"))["records"]
    return {r["seed"]: r["metrics"] for r in recorded if metric in r["metrics"]}


def median_seed(runs, metric):
    """Return the recorded seed with the median of a metric."""
    ranked = sorted(runs, key=lambda seed: runs[seed][metric])
    return ranked[len(ranked) // 2] if ranked else flags.seed


def streams(seed):
    """Return the generators that run() draws from."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]


# ---- the paper's function ------------------------------------------------------------------------
def draw_paper(seed):
    """Draw what both methods wrote with one seed, and by how much they miss the function."""
    task = paper_task()
    pipe_rng, gp_rng, _ = streams(seed)
    pipe = Pipe(config, task, config.evaluations, pipe_rng).search(lambda *_: None)
    bred, gp_error, _ = genetic_programming(config, task, gp_rng, lambda *_: None)
    x = np.linspace(0, 10, 1001)  # (X,)
    figure, axes = plt.subplots(2, 1, figsize=(8, 5.6), sharex=True, height_ratios=(2, 1))
    axes[0].plot(x, paper_function(x), **PAPER, zorder=3)
    found = {"genetic programming": (bred, gp_error, ORANGE), "PIPE": (pipe.best, pipe.error, BLUE)}
    for k, (name, (program, error, color)) in enumerate(found.items()):
        says = answer(program, x)  # (X,)
        axes[0].plot(x, says, color=color, lw=2.4 if name == "PIPE" else 1.2)
        axes[1].plot(x, says - paper_function(x), color=color, lw=1.6 if name == "PIPE" else 1)
        words = f"{name}: {error:.2f}, {sum(program.count)} nodes"
        axes[0].text(9.9, -0.52 - 0.17 * (1 - k), words, color=color, ha="right", weight="bold")
    axes[0].text(9.9, -0.35, "sum of absolute errors at the 101 points", ha="right")
    axes[0].annotate("wanted", (2.37, 0.835), (3.3, 0.835), va="center", arrowprops=LINE)
    axes[0].set(ylabel="f(x)", ylim=(-0.95, 0.95))
    axes[1].axhline(0, color=GREY, lw=0.8, zorder=0)
    axes[1].set(xlabel="x", ylabel="written − wanted", xlim=(0, 10))
    better = "PIPE follows the curve more closely" if pipe.error < gp_error else "The two fits"
    axes[0].set_title(f"{better}: a run of median lead (seed {seed})")
    figure.savefig(flags.out / "viz" / "paper.png")


LINE = {"arrowstyle": "-", "color": GREY}


# ---- all runs ------------------------------------------------------------------------------------
def draw_errors(runs, studies):
    """Draw the error of each recorded run, one dot a run, the middle half of them as a bar."""
    made_up = {0: {"pipe.error": 3.0, "gp.error": 5.0}, 1: {"pipe.error": 4.0, "gp.error": 7.0}}
    runs = runs or made_up
    rows = {
        "PIPE": ([run["pipe.error"] for run in runs.values()], BLUE),
        "genetic\nprogramming": ([run["gp.error"] for run in runs.values()], ORANGE),
        "PIPE, study": (pooled(studies, "pipe.errors"), BLUE),
        "genetic\nprogramming,\nstudy": (pooled(studies, "gp.errors"), ORANGE),
        "with the 6 levels\nof PIPE's trees": (pooled(studies, "gp_shallow.errors"), RED),
    }
    rows = {name: row for name, row in rows.items() if row[0]}
    rng = np.random.default_rng(0)
    figure, ax = plt.subplots(figsize=(8.5, 4.8))
    for k, (errors, color) in enumerate(rows.values()):
        height = -k + rng.uniform(-0.2, 0.2, len(errors))
        ax.plot(errors, height, "o", ms=5, alpha=0.5, color=color, mew=0)
        low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75])
        ax.plot([low, high], [-k - 0.33] * 2, color=color, lw=5, solid_capstyle="butt")
        ax.plot([middle] * 2, [-k - 0.42, -k - 0.24], color=BLACK, lw=2.5)
        ax.text(24, -k, f"median {middle:.2f}\n{len(errors)} runs", va="center")
    constant = paper_task().constant_error
    ax.axvline(constant, color=GREY, lw=1, ls=":")
    ax.text(constant, 0.55, "the best constant", ha="center", va="bottom", color="#666666")
    ax.set_yticks([-k for k in range(len(rows))], rows)
    ax.set(xscale="log", xlim=(0.6, 23), ylim=(0.5 - len(rows), 0.5))
    ax.set_xticks([1, 2, 3, 5, 10, 20], ["1", "2", "3", "5", "10", "20"])
    ax.minorticks_off()
    ax.set_xlabel("sum of absolute errors at the 101 points, after 100,000 programs")
    ax.set_title(ERRORS_TITLE, pad=24)
    figure.savefig(flags.out / "viz" / "errors.png")


def pooled(studies, name):
    """Return the lists of a metric of all recorded seeds as one."""
    return sum((one[name] for one in studies.values()), [])


ERRORS_TITLE = "PIPE is better and steadier than genetic programming"


# ---- the tree ------------------------------------------------------------------------------------
INK = {"+": BLUE, "-": GREEN, "*": RED, "%": PINK, "x": "#DDDDDD"}


class Watched(Pipe):
    """A search that lists after each generation: programs so far, tree, best program, and the log
    of the probability that the tree writes it."""

    def __init__(self, *given):
        super().__init__(*given)
        self.film = []

    def generation(self):
        super().generation()
        p = self.vectors()
        likely = joint_log([p[node, op] for node, op in heap(self.best).items()])
        self.film.append((self.programs, p, self.best, likely))

    def vectors(self):
        """Return the vectors of all nodes in heap order, (N, I); a missing node is as new."""
        nodes, levels = [self.root], []
        for level in range(self.config.levels):
            new = self.first[int(level == self.config.levels - 1)]
            levels.append([node.p if node else new for node in nodes])
            nodes = [child for node in nodes for child in (node.children if node else [None] * 2)]
        return np.array(sum(levels, []))


def visits(p):
    """Return the probability that a program comes to each node (N,)."""
    arity = np.array(ARITY)  # (I,)
    seen = np.zeros(len(p))
    seen[0] = 1
    for node in range(len(p) // 2):
        for side in (0, 1):
            seen[2 * node + 1 + side] = seen[node] * p[node, arity > side].sum()
    return seen


def heap(program, node=0):
    """Return the instruction in each node that a program passes, by its place in heap order."""
    found = {node: program.op}
    for side, argument in enumerate(program.arguments):
        found |= heap(argument, 2 * node + 1 + side)
    return found


def draw_tree(ax, p, program):
    """Draw the tree, each pie as large as a visit is probable; black: the best program so far."""
    seen, ours = visits(p), heap(program)
    levels = config.levels
    where = [
        ((k + 0.5) * 2.0 ** (levels - level), -level * 5.6)
        for level in range(levels)
        for k in range(2**level)
    ]
    for node in np.flatnonzero((seen > 0.01) | [n in ours for n in range(len(p))]):
        edge, width = (BLACK, 1.3) if node in ours else ("#BBBBBB", 0.6)
        if node:
            ax.plot(*zip(where[(node - 1) // 2], where[node]), color=edge, lw=width, zorder=1)
        radius = (0.5 + 1.3 * seen[node] ** 0.5) * (0.55 if node >= len(p) // 2 else 1)
        angle = 90.0
        for name, color in INK.items():
            turn = 360 * p[node, NAMES.index(name)]
            pie = Wedge(where[node], radius, angle - turn, angle, color=color, lw=0, zorder=2)
            ax.add_patch(pie)
            angle -= turn
        ring = plt.Circle(where[node], radius, fill=False, ec=edge, lw=width, zorder=3)
        ax.add_patch(ring)
    ax.set(xlim=(-1, 65), ylim=(-30, 2.4), aspect="equal")
    ax.axis("off")


def draw_moments(seed):
    """Draw the prototype tree of a search for the quartic at four moments."""
    rng = streams(seed)[2]
    pipe = Watched(config, quartic_task(), config.quartic_evaluations, rng).search(lambda *_: None)
    last = len(pipe.film) - 1
    figure, axes = plt.subplots(2, 2, figsize=(9, 5.4))
    for ax, part in zip(axes.flat, (0, 1 / 3, 2 / 3, 1)):
        programs, p, program, likely = pipe.film[round(part * last)]
        draw_tree(ax, p, program)
        words = f"{programs:,} programs; writes its best one\nwith probability {np.exp(likely):.1g}"
        ax.set_title(words, fontsize=10, weight="normal", pad=3)
    for k, (name, color) in enumerate(INK.items()):
        ink = "#777777" if name == "x" else color
        spot = {"color": ink, "weight": "bold", "fontsize": 13, "ha": "center"}
        axes.flat[0].text(0.5 + 4.2 * k, -1.2, name, **spot)
    title = "Lock on, then mutate: the prototype tree at four moments"
    title += ", until it writes the quartic" * pipe.exact
    figure.suptitle(title, weight="bold", x=0.01, ha="left")
    figure.savefig(flags.out / "viz" / "tree.png")


runs, studies = records("results.json", "gp_lead"), records("study.json", "spread_ratio")
draw_moments(median_seed(runs, "quartic.evaluations"))
draw_errors(runs, studies)
draw_paper(median_seed(runs, "gp_lead"))
