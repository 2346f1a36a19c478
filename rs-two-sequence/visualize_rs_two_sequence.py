# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of rs-two-sequence into viz/. Statistics come from study.json, mechanisms from
the search itself."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from rs_two_sequence import (
    NETS,
    QUICK,
    Config,
    as_theta,
    draw,
    latch_portrait,
    rollout,
    search,
    sequences,
    study,
    test_all,
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
rng = np.random.default_rng(flags.seed)
recorded = Path(__file__).with_name("study.json")
if recorded.exists():
    record = json.loads(recorded.read_text("utf-8"))["records"][0]
    facts, config_of_facts = record["metrics"], record["config"]
else:
    small = replace(Config(), **QUICK)
    facts, config_of_facts = study(small, flags.seed), vars(small)
COLOURS = {"a1": BLUE, "a2": RED, "latch2": GREEN, "latch1": ORANGE, "tanh": PINK}
LABELS = {
    "a1": "A1",
    "a2": "A2",
    "latch2": "latch II",
    "latch1": "latch I",
    "tanh": "10 tanh units",
}
(flags.out / "viz").mkdir(exist_ok=True)


def save(fig, name):
    fig.savefig(flags.out / "viz" / f"{name}.png")
    plt.close(fig)


def trials(name, kind, values):
    """Mean trials and their interval for each value of a sweep, nan where nothing was found: (3,
    values)."""
    label = [f"{name}_{kind}_{value:g}".replace(".", "_") for value in values]
    get = [
        [facts[f"{key}_{what}"] for what in ("trials", "trials_low", "trials_high")]
        if facts[f"{key}_solutions"]
        else [np.nan] * 3
        for key in label
    ]
    return np.array(get, float).T


# ---- rollouts: the net of the first search against the first guesses -----------------------------
data, blocks = sequences(rng, config.training, config), []
winner = search(NETS["a1"], config, data, rng, lambda weights, right: blocks.append(weights))[2]
steps, shown = config.shortest, np.arange(6)  # three sequences of each class
x = data.x[:steps, None, shown].astype(float)
fig = plt.figure(figsize=(9, 5.2))
grid = fig.add_gridspec(2, 4, height_ratios=(1.5, 1))
for k in range(5):
    ax = fig.add_subplot(grid[0, :] if k == 0 else grid[1, k - 1])
    weights = winner if k == 0 else blocks[0][:, k - 1 : k]
    y = rollout(NETS["a1"], as_theta(NETS["a1"], weights), x)[1][:, 0]
    for s in shown[::-1]:
        ax.plot(
            y[:, s],
            color=BLUE if data.sign[s] > 0 else ORANGE,
            linewidth=1.6 if k == 0 else 0.7,
            alpha=1 if k == 0 else 0.8,
        )
    ax.set(ylim=(-0.06, 1.06), xlim=(0, steps), yticks=(0, 0.5, 1))
    if k == 0:
        ax.set(xlabel="step", ylabel="output y")
        ax.set_title("A net found by guessing keeps the first element through 500 steps of noise")
        ax.text(
            steps * 0.99, 0.9, "first element +1: three sequences", color=BLUE, ha="right", va="top"
        )
        ax.text(
            steps * 0.99,
            0.1,
            "first element −1: three sequences",
            color="#B37800",
            ha="right",
            va="bottom",
        )
    else:
        ax.set_title(f"guess {k}", fontsize=10, weight="normal", pad=4)
        ax.set(xticks=(0, steps), yticks=(0, 1))
        if k == 1:
            ax.set_ylabel("output y")
fig.supxlabel("the first four guesses of the same search, with the same six sequences", fontsize=10)
save(fig, "rollouts")

# ---- trials of many searches ---------------------------------------------------------------------
fig, axes = plt.subplots(4, 1, figsize=(8, 6), sharex=True)
edges = np.geomspace(0.8, 30_000, 46)
for ax, name in zip(axes, ("latch1", "latch2", "a1", "a2"), strict=True):
    found, paper = np.array(facts[f"{name}_search_trials"]), NETS[name].paper
    low, high, mean = (
        facts[f"{name}_search_low"],
        facts[f"{name}_search_high"],
        facts[f"{name}_search_mean"],
    )
    ax.hist(found, edges, color=COLOURS[name], alpha=0.55)
    q = 1 - 1 / mean
    whole = np.maximum(
        np.ceil(edges) - 1, 0
    )  # a bin holds the whole numbers from its lower edge to below the upper
    ax.stairs(len(found) * -np.diff(q**whole), edges, color=BLACK, linewidth=1)
    ax.axvspan(low, high, color=COLOURS[name], alpha=0.35, linewidth=0)
    ax.axvline(mean, color=COLOURS[name], linewidth=2)
    ax.axvline(paper, **PAPER)
    top = ax.get_ylim()[1] * 1.12
    ax.set(xscale="log", ylim=(0, top), ylabel="searches")
    ours_right = mean > paper
    ax.text(
        mean * (1.06 if ours_right else 0.94),
        top * 0.97,
        f"ours {mean:,.0f}",
        color=COLOURS[name],
        va="top",
        ha="left" if ours_right else "right",
        weight="bold",
    )
    ax.text(
        paper * (0.94 if ours_right else 1.06),
        top * 0.97,
        f"paper {paper:,}",
        va="top",
        ha="right" if ours_right else "left",
    )
    ax.text(
        0.99,
        0.93,
        LABELS[name],
        transform=ax.transAxes,
        va="top",
        ha="right",
        weight="bold",
        color=COLOURS[name],
    )
axes[0].set_title(
    f"Trials of {len(found)} searches: geometric, as for independent guesses (outline)"
)
axes[-1].set(xlabel="guesses until a net is right on all training sequences", xlim=(0.9, 30_000))
save(fig, "trials")

# ---- gradient descent against guessing -----------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2))
lags = config_of_facts["descent_lags"]
per_net = facts["descent_nets"] / 3
for name, mark, shift in (("tanh", "o", 1), ("a2", "s", 0.985), ("a1", "^", 1.015)):
    share = [100 * facts[f"{name}_descent_{lag}_solved"] / per_net for lag in lags]
    axes[0].plot(
        np.array(lags) * shift,
        share,
        marker=mark,
        markersize=5,
        color=COLOURS[name],
        label=LABELS[name],
    )
axes[0].legend(title="net", loc="upper right")
axes[0].set(
    xscale="log", xlabel="least length, steps", ylabel="solved, % of the runs", ylim=(-3, 103)
)
axes[0].set_xticks(lags, lags)
axes[0].minorticks_off()
axes[0].set_title("Gradient descent rarely finds it, or never")
lags = config_of_facts["lags"]
for name, above in (("a2", True), ("a1", False)):
    mean, low, high = trials(name, "lag", lags)
    axes[1].fill_between(lags, low, high, color=COLOURS[name], alpha=0.2, linewidth=0)
    axes[1].plot(lags, mean, marker="o", markersize=4, color=COLOURS[name])
    axes[1].text(
        lags[0],
        high[0] * 1.12 if above else low[0] * 0.88,
        LABELS[name],
        color=COLOURS[name],
        weight="bold",
        va="bottom" if above else "top",
    )
axes[1].set(
    xscale="log",
    yscale="log",
    xlabel="least length, steps",
    ylabel="guesses to a solution",
    ylim=(50, 20_000),
)
axes[1].set_xticks(lags, lags)
axes[1].minorticks_off()
axes[1].set_title("Guessing hardly notices the lag")
save(fig, "descent")

# ---- the latch -----------------------------------------------------------------------------------
net, guesses = NETS["latch2"], 3000 if flags.quick else 100_000
good, bad = [], []
for _ in range(0, guesses, config.block):
    weights = draw(net, config.prior, rng, min(config.block, guesses))
    right = test_all(net, weights, data, config)[0]
    good.append(weights[:, right])
    bad.append(weights[:, ~right])
good, bad = np.concatenate(good, 1), np.concatenate(bad, 1)
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.6))
bins = np.linspace(-100, 100, 41)
counts = [np.histogram2d(part[1], part[0], (bins, bins))[0] for part in (good, bad)]
share = counts[0] / np.maximum(counts[0] + counts[1], 1)
shade = plt.matplotlib.colors.LinearSegmentedColormap.from_list("share", ["#F2F2F2", GREEN])
image = axes[0].imshow(
    100 * share.T, extent=(-100, 100, -100, 100), origin="lower", cmap=shade, vmin=0, aspect="auto"
)
fig.colorbar(image, ax=axes[0], label="guesses that solve the task, %", shrink=0.9)
axes[0].set(
    xlabel="self weight d",
    ylabel="input weight c",
    xticks=range(-100, 101, 50),
    yticks=range(-100, 101, 50),
)
axes[0].set_title(f"One guess in {guesses / good.shape[1]:.0f} is a latch")
points, margins = latch_portrait(good, config.noise)
typical = np.argsort(margins.min(0))[good.shape[1] // 2]
c, d, e = good[:3, typical].astype(float)
y = np.linspace(-1, 1, 2001)
ax = axes[1]
ax.plot(y, y, color=GREY, linewidth=1)
ax.fill_between(
    y,
    np.tanh(d * y + e - 4 * abs(c) * config.noise),
    np.tanh(d * y + e + 4 * abs(c) * config.noise),
    color=SKY,
    alpha=0.35,
    linewidth=0,
)
ax.plot(y, np.tanh(d * y + e), color=BLUE)
lower, middle, upper = points[:, typical]
ax.plot([lower, upper], [lower, upper], "o", color=GREEN, markersize=9)
ax.plot([middle], [middle], "o", markerfacecolor="white", color=RED, markersize=9)
ax.text(0.88, 0.95, "class 1", ha="right", va="top", color=GREEN, weight="bold")
ax.text(-0.84, -0.97, "class 2", va="bottom", color=GREEN, weight="bold")
right_side = middle < 0.2
ax.text(
    middle + (0.3 if right_side else -0.3),
    -0.35,
    "unstable",
    ha="left" if right_side else "right",
    color=RED,
)
ax.annotate(
    "",
    (middle, middle),
    (middle + (0.29 if right_side else -0.29), -0.33),
    arrowprops={"arrowstyle": "->", "color": RED},
)
ax.text(
    0.97,
    -0.97,
    f"d = {d:.0f}, c = {c:.0f}, bias {e:.0f}\nband: 4 s.d. of the noise",
    ha="right",
    va="bottom",
)
ax.set(xlim=(-1.05, 1.05), ylim=(-1.08, 1.08), xlabel="output now", ylabel="output one step later")
ax.set_title("It holds by two stable fixed points")
save(fig, "latch")

# ---- sweeps --------------------------------------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
for ax, kind, values, name_of_x in (
    (axes[0], "prior", config_of_facts["priors"], "weights drawn from U[−r, r]: r"),
    (axes[1], "noise", config_of_facts["noises"], "standard deviation of the noise"),
):
    for name in ("a2", "a1", "latch2"):
        mean, low, high = trials(name, kind, values)
        ax.plot(values, mean, marker="o", markersize=4, color=COLOURS[name], label=LABELS[name])
        ax.fill_between(values, low, high, color=COLOURS[name], alpha=0.2, linewidth=0)
    ax.set(yscale="log", xlabel=name_of_x)
for name in ("a2", "a1", "latch2"):
    axes[1].plot(
        [0.2], [NETS[name].paper], marker="_", markersize=22, markeredgewidth=2, color=COLOURS[name]
    )
axes[1].text(0.225, NETS["latch2"].paper, "bars: the paper's figures", va="center")
axes[0].set(xscale="log", ylabel="guesses to a solution")
axes[0].set_xticks(config_of_facts["priors"], [f"{value:g}" for value in config_of_facts["priors"]])
axes[0].minorticks_off()
axes[0].legend(loc="upper right")
axes[0].set_title("Any wide enough range will do")
axes[1].set_title("Noise decides how rare solutions are")
save(fig, "sweeps")
