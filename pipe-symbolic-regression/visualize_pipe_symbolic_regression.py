# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of pipe-symbolic-regression into viz/. Statistics come from study.json,
mechanism from new runs."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Wedge
from pipe_symbolic_regression import (
    QUICK,
    Config,
    evaluate,
    koza_problem,
    paper_function,
    paper_problem,
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

config = replace(Config(), **(QUICK if flags.quick else {}))
rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(flags.seed).spawn(5)]
recorded = Path(__file__).with_name("study.json")
study = None
if recorded.exists():
    study = json.loads(recorded.read_text("utf-8"))["records"][0]["metrics"]
(flags.out / "viz").mkdir(exist_ok=True)

# ---- many runs on the quartic: the tree of the one with the median time, and how probable the best
LANES = 101
problem = koza_problem(config)
visited, chosen, probable = [], [], []


def log_probability(trees, codes):
    """log10 of the probability that each lane's tree writes the program codes (lanes, N)."""
    at = np.take_along_axis(trees.p, np.maximum(codes, 0)[..., None].astype(int), 2)[..., 0]
    return np.where(codes >= 0, np.log10(np.maximum(at, 1e-300)), 0).sum(1)


def watch(trees, state):
    codes = np.where(
        state["exact_at"][:, None] > 0, state["best"]["codes"], state["elite"]["codes"]
    )
    probable.append(log_probability(trees, codes))
    visited.append(trees.p.astype(np.float32))
    chosen.append(codes)


found = train(
    config,
    problem,
    rngs[0],
    LANES,
    config.quartic_evaluations if flags.quick else 5000,
    callback=watch,
)
solved_at = np.where(found["exact_at"] > 0, found["exact_at"], 10**9)
lane = int(np.argsort(solved_at, kind="stable")[LANES // 2])
last = int(found["generations"][lane]) - 1
INK = dict(zip(problem.instructions, (BLUE, GREEN, RED, PINK, "#DDDDDD")))


def visits(p, arity):
    """Probability that a program comes to each node (N,)."""
    out = np.zeros(len(p))
    out[0] = 1
    for node in range(len(p) // 2):
        for side in (0, 1):
            out[2 * node + 1 + side] = out[node] * p[node, arity > side].sum()
    return out


def places(levels):
    """Where the nodes of the tree are drawn, (N, 2)."""
    return np.array(
        [
            ((k + 0.5) * 2.0 ** (levels - level), -level * 5.2)
            for level in range(levels)
            for k in range(2**level)
        ]
    )


fig, axes = plt.subplots(2, 2, figsize=(10, 5.6))
where = places(problem.levels)
for ax, moment in zip(axes.flat, np.unique([0, last // 3, 2 * last // 3, last]).tolist()):
    p, code = visited[moment][lane], chosen[moment][lane]
    seen = visits(p, problem.arity)
    for node in np.flatnonzero(seen > 0.01):
        x, y = where[node]
        if node:
            ax.plot(
                *zip(where[(node - 1) // 2], (x, y)),
                color=BLACK if code[node] >= 0 else "#CCCCCC",
                lw=1.4 if code[node] >= 0 else 0.7,
                zorder=1,
            )
        radius, angle = (
            (0.45 + 1.15 * seen[node] ** 0.5) * (0.58 if node >= len(p) // 2 else 1),
            90.0,
        )
        for k, name in enumerate(problem.instructions):
            ax.add_patch(
                Wedge(
                    (x, y), radius, angle - 360 * p[node, k], angle, color=INK[name], lw=0, zorder=2
                )
            )
            angle -= 360 * p[node, k]
        edge = BLACK if code[node] >= 0 else "#AAAAAA"
        ax.add_patch(
            plt.Circle(
                (x, y), radius, fill=False, ec=edge, lw=1.1 if code[node] >= 0 else 0.5, zorder=3
            )
        )
    ax.set(xlim=(-1, 65), ylim=(-28, 2), aspect="equal")
    ax.axis("off")
    ax.set_title(
        f"generation {moment + 1}: the tree writes its best program with probability "
        f"{10 ** probable[moment][lane]:.2g}",
        fontsize=9.5,
        weight="normal",
        pad=2,
    )
for k, (name, colour) in enumerate(INK.items()):
    axes.flat[0].text(
        -1 + 4.5 * k,
        -1.0,
        name,
        color="#888888" if name == "x" else colour,
        weight="bold",
        fontsize=13,
    )
fig.suptitle(
    f"The prototype tree takes sides; exact after {found['evaluations'][lane]:,} programs, "
    f"the median of {LANES} runs",
    weight="bold",
    x=0.01,
    ha="left",
)
fig.savefig(flags.out / "viz" / "tree.png")

# ---- the paper's function ------------------------------------------------------------------------
paper = paper_problem(config)
probable, least, spent = [], [], []


def follow(trees, state):
    probable.append(log_probability(trees, state["elite"]["codes"])[0])
    least.append(state["elite"]["error"][0])
    spent.append(state["evaluations"][0])


found = train(config, paper, rngs[3], 1, config.paper_evaluations, callback=follow)
program = found["codes"][0], found["constants"][0]
fig, axes = plt.subplots(2, 1, figsize=(8, 5.4), sharex=True, height_ratios=(2.2, 1))
fine = np.sort(np.r_[paper.x, paper.fresh_x])
with np.errstate(all="ignore"):
    ours, fresh = evaluate(paper, program, fine), evaluate(paper, program, paper.fresh_x)
wanted = paper_function(fine)
axes[0].plot(fine, wanted, **PAPER)
axes[0].plot(fine, ours, color=BLUE)
peak = int(wanted.argmax())
axes[0].annotate(
    "wanted",
    (fine[peak], wanted[peak]),
    (fine[peak] + 1.0, wanted[peak]),
    arrowprops={"arrowstyle": "-", "color": GREY},
    va="center",
)
axes[0].set(ylabel="f(x)")
axes[0].text(
    10,
    axes[0].get_ylim()[0] * 0.93,
    f"PIPE: sum of errors {found['error'][0]:.2f} at the 101 given points",
    color=BLUE,
    ha="right",
)
axes[0].set_title(
    f"Seed {flags.seed}: after {found['evaluations'][0]:,} programs a formula of "
    f"{found['size'][0]} nodes follows the curve"
)
axes[1].semilogy(
    paper.fresh_x,
    np.maximum(np.abs(fresh - paper.fresh_y), 1e-6),
    color=RED,
    lw=1,
    marker=".",
    ms=4,
)
axes[1].set(xlabel="x", ylabel="absolute error", ylim=(1e-5, 1))
axes[1].text(
    10,
    0.5,
    f"at the 100 points between, unseen: sum {np.abs(fresh - paper.fresh_y).sum():.2f}",
    color=RED,
    ha="right",
    va="top",
)
print(text(paper, program))
fig.savefig(flags.out / "viz" / "curve.png")

# ---- what PIPE pushes up -------------------------------------------------------------------------
fig, axes = plt.subplots(2, 1, figsize=(8, 5.4), sharex=True)
axes[0].semilogy(spent, least, color=RED)
axes[0].set(
    ylabel="least sum of errors",
    title=f"Seed {flags.seed}: a step from the best program lifts it to lr, then the tree drifts",
)
axes[0].set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
axes[0].minorticks_off()
axes[1].plot(spent, probable, color=BLUE, lw=0.5)
axes[1].axhline(np.log10(config.learning_rate), color=GREY, lw=1, ls=":")
axes[1].text(
    1.01,
    np.log10(config.learning_rate),
    "lr",
    color="#777777",
    va="center",
    transform=axes[1].get_yaxis_transform(),
)
axes[1].set(
    ylim=(-8, 0.2),
    xlabel="programs evaluated",
    ylabel="probability that the\ntree writes the best one",
)
axes[1].set_yticks(range(-8, 1, 2), [f"$10^{{{k}}}$" for k in range(-8, 1, 2)])
axes[1].xaxis.set_major_formatter("{x:,.0f}")
fig.savefig(flags.out / "viz" / "joint.png")

# ---- waiting times -------------------------------------------------------------------------------
fig, ax = plt.subplots()
shown = study or {
    "quartic_times": [300, 700],
    "quartic_runs": 2,
    "quartic_gp_times": [900, 0],
    "random_gaps": [50_000],
    "quartic_small_gp_times": [400, 0],
    "random_per_exact": 50_000.0,
    "quartic_budget": 2000,
}
gaps = np.sort(shown["random_gaps"])
kinds = (
    (shown["quartic_times"], shown["quartic_runs"], BLUE),
    (shown["quartic_gp_times"], len(shown["quartic_gp_times"]), ORANGE),
    (shown["quartic_small_gp_times"], len(shown["quartic_small_gp_times"]), PINK),
)
for times, runs, colour in kinds:
    times = np.sort([t for t in times if t])
    left = 100 * (1 - np.r_[0, np.arange(1, len(times) + 1), len(times)] / runs)
    ax.step(np.r_[1, times, shown["quartic_budget"]], left, where="post", color=colour)
ax.step(
    np.r_[1, gaps],
    100 * (1 - np.arange(len(gaps) + 1) / len(gaps)),
    where="post",
    color=BLACK,
    lw=1.2,
)
grid = np.geomspace(30, 10**6, 200)
ax.plot(grid, 100 * np.exp(-grid / shown["random_per_exact"]), color=GREY, lw=1, ls=":")
ax.set(
    xscale="log",
    xlim=(50, 10**6),
    ylim=(0, 103),
    xlabel="programs evaluated",
    ylabel="runs not yet exact, %",
)
LABELS = {
    "PIPE": (430, 52, BLUE, "right"),
    "genetic programming,\npopulation 500": (1900, 62, "#B37800", "left"),
    "population 50": (5200, 40, PINK, "left"),
    "random programs;\ndotted: exponential": (60_000, 72, BLACK, "left"),
}
for label, (x, y, colour, side) in LABELS.items():
    ax.text(x, y, label, color=colour, ha=side, weight="bold")
ax.set_title("The quartic: learning cuts the wait by two orders of magnitude")
ax.set_xticks([100, 1000, 10**4, 10**5, 10**6], ["100", "1,000", "10,000", "100,000", "1,000,000"])
fig.savefig(flags.out / "viz" / "waiting.png")

# ---- error against programs ----------------------------------------------------------------------
fig, ax = plt.subplots()
for name, colour, label, height in (
    ("paper", BLUE, "PIPE", 1.18),
    ("paper_gp", ORANGE, "genetic programming, 500", 0.85),
    ("paper_small_gp", PINK, "genetic programming, 50", 0.88),
):
    curves = (
        np.array(study[f"{name}_curves"]).reshape(-1, 101)
        if study
        else found["curve"]
        if name == "paper"
        else found["curve"] + 1
    )
    x = np.arange(101) * config.paper_evaluations / 100
    curves = np.minimum(curves, paper.constant_error())
    ax.plot(x[1:], curves.T[1:], color=colour, lw=0.5, alpha=0.35)
    middle = np.median(curves, 0)
    ax.plot(x[1:], middle[1:], color=colour, lw=2.4)
    ax.text(
        x[-1] * 1.01,
        middle[-1] * height,
        f"{label}\nmedian {middle[-1]:.1f}",
        color=colour,
        weight="bold",
        va="center",
    )
ax.axhline(paper.constant_error(), color=GREY, lw=1, ls=":")
ax.text(x[-1] * 0.3, paper.constant_error() * 1.03, "the best constant", color="#777777")
ax.set(
    yscale="log",
    xlabel="programs evaluated",
    ylabel="sum of absolute errors",
    xlim=(0, x[-1] * 1.36),
    title="The paper's function: medians end level, but fewer runs of PIPE get stuck",
    ylim=(1.6, 23),
)
ax.set_xticks(x[::20], [f"{v:,.0f}" for v in x[::20]])
ax.set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
ax.minorticks_off()
fig.savefig(flags.out / "viz" / "paper.png")
