# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2", "matplotlib"]
# ///
"""Draw the figures of pipe-6-bit-parity into viz/: one run, and the statistics of study.json."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from pipe_6_bit_parity import (
    QUICK,
    Config,
    Parity,
    grow,
    ideal,
    joint_log,
    parities,
    simplified,
    text,
    train,
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

# the first recorded seed, from --seed on, that was solved: a run that fails has no chessboard to
# show
recorded = Path(__file__).with_name("results.json")
recorded = (
    json.loads(recorded.read_text("utf-8"))["records"]
    if recorded.exists() and not flags.quick
    else []
)
SEED = next(
    (r["seed"] for r in recorded if r["seed"] >= flags.seed and r["metrics"]["solved"]), flags.seed
)

CHANGES = {
    "base": "PIPE",
    "no_mutation": "no mutation",
    "no_fitness_rate": "same rate for all",
    "node_step": "a target for each node",
    "elitist": "1 % from the best ever",
    "lr_0005": "lr 0.005",
    "lr_005": "lr 0.05",
    "lr_02": "lr 0.2",
    "population_5": "draws 5 at a time",
    "population_30": "draws 30 at a time",
    "population_100": "draws 100 at a time",
}
LOST = (
    "no_mutation",
    "node_step",
)  # the changes that leave hardly more than half of the rows right
TITLE = "PIPE solves more runs than genetic programming, but not more than hill climbing"
(flags.out / "viz").mkdir(exist_ok=True)
config = replace(Config(), **QUICK) if flags.quick else Config()
task = Parity(config.inputs)
records = [Path(__file__).with_name(name) for name in ("study.json", "results.json")]
if all(record.exists() for record in records) and not flags.quick:
    study, runs = (json.loads(path.read_text("utf-8")) for path in records)
    runs = [record["metrics"] for record in runs["records"]]
    study = study["records"][0]["metrics"] | {
        "ten_times": [run["evaluations"] * run["solved"] for run in runs],
        "ten_budget": config.evaluations,
    }
else:  # pictures of a quick run prove the code: their statistics are made up
    study = {
        f"{name}_{key}": value
        for name in ("plain", "ten", "climb", "gp", "gp_large", "random")
        for key, value in (
            ("times", [900, 0]),
            ("budget", config.evaluations),
            ("curves", [4] * 202),
        )
    }
    study |= {f"{name}_{key}": 1 for name in CHANGES for key in ("solved", "runs", "median_right")}
    study |= {f"{name}_times": [900, 1200] for name in ("width_2", "width_4", "restarts")}

# ---- one run, followed generation by generation --------------------------------------------------
history = [{"steps": [], "spent": [], "probable": []} for _ in range(config.trees)]


def follow(trees, state):
    """Of each tree: each new best program; every fifth time, how probable its best program is."""
    elite = state["elite"]
    for lane, seen in enumerate(history):
        evaluations, wrong, restarts = (
            int(a[lane]) for a in (state["evaluations"], elite["wrong"], state["restarts"])
        )
        if elite["size"][lane] >= 2**40:
            continue
        if not seen["steps"] or restarts != seen["steps"][-1][2] or wrong < seen["steps"][-1][1]:
            seen["steps"].append((evaluations, wrong, restarts, elite["ops"][lane]))
        if state["generations"][lane] % 5 == 0 or wrong == 0:
            levels = trees.write(trees.root[[lane]], elite["ops"][lane])
            p = np.concatenate([trees.p[level["node"], level["op"]] for level in levels])
            seen["spent"].append(evaluations)
            seen["probable"].append(joint_log(p, np.zeros(len(p), int), 1)[0] / np.log(10))


rng = np.random.default_rng(np.random.SeedSequence(SEED).spawn(4)[0])  # the one of `run`
found = train(config, rng, config.trees, config.evaluations // config.trees, True, callback=follow)
first = int(np.lexsort((found["size"], found["wrong"]))[0])
steps, spent, probable = (history[first][name] for name in ("steps", "spent", "probable"))
solution = grow(task, found["ops"][first])
short = simplified(task, solution)

# ---- the board -----------------------------------------------------------------------------------
across = task.n // 2
GRAY = [[k ^ k >> 1 for k in range(2**bits)] for bits in (across, task.n - across)]
ORDER = np.array(
    [[column | row << across for column in GRAY[0]] for row in GRAY[1]]
)  # the row of the truth table


def draw_board(ax, value):
    """The truth table of a program; neighbouring cells differ in one input, so that parity is a
    chessboard."""
    says, right = (
        (np.array([[v >> int(j) & 1 for j in line] for line in ORDER]))
        for v in (value, task.wanted)
    )
    ax.imshow(np.where(says, 0.12, 0.94), cmap="gray", vmin=0, vmax=1)
    for r, c in np.argwhere(says != right):
        ax.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, color=RED, alpha=0.75, lw=0))
        ax.text(
            c, r, "1" if says[r, c] else "0", color="white", ha="center", va="center", fontsize=7
        )
    ax.set(xticks=[], yticks=[])


last = [step for step in steps if step[2] == steps[-1][2]]  # of the tree that wrote the solution
moments = []
for part in (0.5, 0.625, 0.8125, 0.9375, 1):  # 32, 40, 52, 60, 64 of 64 rows
    at = [step for step in last if task.rows - step[1] >= part * task.rows]
    moments.append(at[0] if at else last[-1])
fig, axes = plt.subplots(1, 5, figsize=(10, 2.75))
for ax, (evaluations, errors, _, ops) in zip(axes, moments):
    draw_board(ax, grow(task, ops).value)
    says = f"{len(ops)} node{'s' * (len(ops) > 1)}, {evaluations:,} programs"
    ax.set_title(
        f"{task.rows - errors} of {task.rows} right\n{says}",
        fontsize=9,
        weight="normal",
        loc="center",
        pad=4,
    )
fig.suptitle(
    "The best program's truth table becomes a chessboard (red: wrong rows)",
    weight="bold",
    x=0.01,
    ha="left",
)
fig.savefig(flags.out / "viz" / "board.png")

# ---- runs ----------------------------------------------------------------------------------------
fig, axes = plt.subplots(2, 1, figsize=(8, 5.6))
curves, times = np.array(study["plain_curves"]).reshape(-1, 101), np.array(study["plain_times"])
x = np.arange(101) * study["plain_budget"] / 100
for curve, time in zip(curves, times):
    axes[0].plot(x[1:], curve[1:], color=BLUE if time else RED, lw=0.8, alpha=0.8)
axes[0].set(xlim=(0, x[-1]), ylim=(-0.7, None), xlabel="programs evaluated", ylabel="wrong rows")
axes[0].set_title(
    f"Single trees, as in the paper: {np.count_nonzero(times)} of {len(times)} runs "
    "are solved (blue)"
)
axes[0].xaxis.set_major_formatter("{x:,.0f}")
axes[1].plot(spent, probable, color=GREEN, lw=0.7)
axes[1].axhline(np.log10(config.learning_rate), color=GREY, lw=1, ls=":")
axes[1].text(
    1.01,
    np.log10(config.learning_rate),
    "lr",
    color="#777777",
    va="center",
    transform=axes[1].get_yaxis_transform(),
)
low = -30
axes[1].set(
    xlim=(0, spent[-1] * 1.02),
    ylim=(low, 1),
    xlabel="programs evaluated",
    ylabel="probability that the\ntree writes its best one",
)
axes[1].set_yticks(range(low, 1, 10), [f"$10^{{{k}}}$" if k else "1" for k in range(low, 1, 10)])
axes[1].xaxis.set_major_formatter("{x:,.0f}")
axes[1].set_title(
    f"Seed {SEED}, the best of ten trees: how probable it makes its best program", fontsize=11
)
fig.savefig(flags.out / "viz" / "runs.png")

# ---- solved against effort -----------------------------------------------------------------------
fig, ax = plt.subplots()
KINDS = (
    ("ten", BLUE, "PIPE, ten trees"),
    ("plain", GREEN, "PIPE, one tree"),
    ("gp_large", PINK, "GP, population 1,000"),
    ("gp", ORANGE, "GP, population 500"),
    ("climb", SKY, "hill climbing"),
    ("random", GREY, "random programs"),
)
ends = []
for k, (name, colour, label) in enumerate(KINDS):
    times, budget = np.array(study[f"{name}_times"]), study[f"{name}_budget"]
    reached = np.sort(times[times > 0])
    share = 100 * np.arange(len(reached) + 1) / len(times)
    ax.step(
        np.r_[1000, reached, budget],
        np.r_[share, share[-1]],
        where="post",
        color=colour,
        lw=2.2 if k < 2 else 1.4,
    )
    ends.append([share[-1], f"{label}: {len(reached)} of {len(times)}", colour])
height = -9.0
for share, label, colour in sorted(ends, key=lambda end: end[0]):
    height = max(height + 7, share)
    ax.text(
        study["plain_budget"] * 1.06,
        height,
        label,
        color=colour,
        va="center",
        weight="bold",
        fontsize=9,
    )
ax.axhline(70, xmax=0.98, **PAPER)
ax.text(1100, 71.5, "paper's PIPE after 500,000 (figure not certain)", fontsize=9)
ax.set(
    xscale="log",
    xlim=(1000, study["plain_budget"]),
    ylim=(-3, 103),
    xlabel="programs evaluated",
    ylabel="runs solved, %",
    title=TITLE,
)
ax.set_xticks([1000, 10_000, 100_000, 500_000], ["1,000", "10,000", "100,000", "500,000"])
ax.minorticks_off()
fig.get_layout_engine().set(rect=(0, 0, 0.99, 1))
fig.savefig(flags.out / "viz" / "rates.png", bbox_inches="tight")

# ---- the solution --------------------------------------------------------------------------------
known = parities(task)


def draw_tree(ax, tree):
    """A program, its leaves side by side; nodes that compute a parity of two or more inputs are
    coloured."""

    def place(node, depth, left):
        if not node.arguments:
            where = (left + 0.5, -depth)
        else:
            spots = []
            start = left
            for argument in node.arguments:
                spots.append(place(argument, depth + 1, start))
                start += argument.leaves
            where = (float(np.mean([spot[0] for spot in spots])), -depth)
            for spot in spots:
                ax.plot(*zip(where, spot), color=GREY, lw=1, zorder=1)
        subset = known.get(node.value)
        face = (
            {2: "#CFE8F7", 3: SKY, 4: "#8FD3BE", 5: GREEN}.get(len(subset), YELLOW)
            if subset
            else "white"
        )
        ax.text(
            *where,
            task.names[node.op],
            ha="center",
            va="center",
            fontsize=7.5,
            zorder=3,
            bbox={
                "boxstyle": "round,pad=0.25",
                "fc": face,
                "ec": BLACK if node.arguments else "#BBBBBB",
                "lw": 0.8,
            },
        )
        return where

    place(tree, 0, 0)
    ax.set(xlim=(-0.3, tree.leaves + 0.3), ylim=(-tree.levels + 0.4, 0.6))
    ax.axis("off")


best = ideal(task)
fig, axes = plt.subplots(1, 2, figsize=(11, 4.8), width_ratios=(short.leaves, best.leaves))
for ax, tree, says in (
    (axes[0], short, f"what PIPE wrote, {solution.size} nodes, shortened to {short.size}"),
    (axes[1], best, f"the smallest known, {best.size} nodes"),
):
    draw_tree(ax, tree)
    ax.set_title(says, fontsize=10, weight="normal")
fig.suptitle(
    "PIPE finds exclusive ors and joins them (coloured: parity of 2, 3, 4, 5 or all inputs)",
    weight="bold",
    x=0.01,
    ha="left",
)
print(text(task, short))
fig.savefig(flags.out / "viz" / "solution.png")

# ---- changes and widths --------------------------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), width_ratios=(1.5, 1))
for k, name in enumerate(CHANGES):
    rows = study[f"{name}_median_right"]
    colour = BLUE if name == "base" else RED if name in LOST else SKY
    axes[0].plot([task.rows / 2, rows], [-k, -k], color=colour, lw=1, zorder=1)
    axes[0].plot(rows, -k, "o", ms=8, color=colour)
    axes[0].text(
        task.rows + 1,
        -k,
        f"{study[f'{name}_solved']} of {study[f'{name}_runs']}",
        va="center",
        fontsize=9,
    )
axes[0].text(task.rows + 1, 0.8, "solved", fontsize=9, color="#666666")
axes[0].set_yticks([-k for k in range(len(CHANGES))], CHANGES.values(), fontsize=9)
axes[0].set(
    xlim=(task.rows / 2 - 0.5, task.rows * 1.14),
    ylim=(0.6 - len(CHANGES), 1.5),
    xticks=np.linspace(task.rows // 2, task.rows, 5),
    xlabel="rows right, median of the runs",
)
axes[0].set_title(f"one tree, {config.ablation_evaluations:,} programs", fontsize=11)
widths = sorted(
    int(name.split("_")[1])
    for name in study
    if name.startswith("width_") and name.endswith("_times")
)
six = np.array(study["restarts_times"])
points = {n: np.array(study[f"width_{n}_times"]) for n in widths}
points[task.n] = np.where(six <= config.width_evaluations, six, 0)
for n, times in sorted(points.items()):
    reached = times[times > 0]
    axes[1].semilogy(
        np.full(len(reached), n) + np.linspace(-0.15, 0.15, len(reached)),
        np.sort(reached),
        ".",
        ms=4,
        color=BLUE,
        alpha=0.7,
    )
    axes[1].text(
        n, 3.2e5, f"{len(reached)} of\n{len(times)}", ha="center", va="center", fontsize=8.5
    )
    if 2 * len(reached) > len(times):
        median = np.quantile(np.where(times > 0, times, np.inf), 0.5, method="higher")
        axes[1].plot([n - 0.3, n + 0.3], [median] * 2, color=BLACK, lw=2)
axes[1].set(
    xlim=(min(points) - 0.6, max(points) + 0.6),
    xticks=sorted(points),
    xlabel="inputs",
    ylabel="programs until solved",
    ylim=(30, 7e5),
)
axes[1].set_title(f"{config.width_evaluations:,} programs", fontsize=11)
fig.suptitle(
    "Without mutation or the joint target hardly more than half of the rows come right",
    weight="bold",
    x=0.01,
    ha="left",
)
fig.savefig(flags.out / "viz" / "changes.png")
