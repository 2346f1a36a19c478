# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "matplotlib"]
# ///
"""Draw the figures of rs-parity into viz/. Statistics come from study.json, mechanisms from the search itself."""
import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from rs_parity import (CASES, CLEAN, NETS, QUICK, Config, draw, final, rollout, search, sequences, study,
                       surface, tables, training_set)

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

config = replace(Config(), **(QUICK if flags.quick else {}))
rng = np.random.default_rng(flags.seed)
recorded = Path(__file__).with_name("study.json")
if recorded.exists():
    record = json.loads(recorded.read_text("utf-8"))
    facts, config_of_facts = record["metrics"], record["config"]
else:
    small = replace(Config(), **QUICK)
    facts, config_of_facts = study(small, flags.seed), vars(small)
COLOURS = {"no_self": GREEN, "a2": RED, "a1": BLUE, "noisy": ORANGE}
LABELS = {"no_self": "A2 without\nself-connections", "a2": "A2", "a1": "A1", "noisy": "A1, noisy input"}
net = NETS["no_self"]
winner = search(net, config, training_set(net, config, rng), rng)[2]
(flags.out / "viz").mkdir(exist_ok=True)


def save(fig, name):
    fig.savefig(flags.out / "viz" / f"{name}.png")
    plt.close(fig)


# ---- an accepted net at the start and at the end of a long sequence -------------------------------------------------
steps, window = config.long_steps, 60
data = sequences(rng, 2, replace(config, shortest=steps, longest=steps))
y = rollout(net, winner.astype(float), data.x[:, None, :1].astype(float))[1][1:, 0]
parity = np.cumsum(data.x[:, 0] > 0) % 2
fig, axes = plt.subplots(2, 1, figsize=(9, 5))
for ax, start in zip(axes, (0, steps - window), strict=True):
    at = np.arange(start, start + window)
    ax.fill_between(np.arange(start, start + window + 1) + 0.5, np.r_[parity[at], parity[at[-1]]], step="post",
                    color=SKY, alpha=0.45, linewidth=0)
    ax.plot(at + 1, y[at], "o", markersize=4.5, color=BLUE)
    for sign, mark in ((1, "+"), (-1, "−")):
        for t in at[data.x[at, 0] == sign]:
            ax.text(t + 1, -0.28, mark, ha="center", va="center", fontsize=9, color=RED if sign > 0 else GREY,
                    weight="bold" if sign > 0 else "normal")
    ax.set(xlim=(start + 0.2, start + window + 0.8), ylim=(-0.42, 1.12), yticks=(0, 1), ylabel="output y")
axes[1].set_xlabel("step (bottom row: the input; + turns the parity over)")
right = 100 * ((y > 0.5) == parity).mean()
axes[0].set_title(f"A guessed net counts: its output (dots) is the running parity (blue) for {steps:,} steps")
axes[1].set_title(f"the last {window} of {steps:,} steps; over all steps {right:.4g} % agree", fontsize=10,
                  weight="normal", pad=5)
save(fig, "trajectory")

# ---- the function of one step, and what random nets compute ---------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.6), width_ratios=(1, 1.15))
xs, ys = np.meshgrid(np.linspace(-1.4, 1.4, 141), np.linspace(-0.2, 1.2, 141))
image = surface(net, winner, xs.ravel(), ys.ravel())[:, 0].reshape(xs.shape)
ax = axes[0]
shade = plt.matplotlib.colors.LinearSegmentedColormap.from_list("y", ["#FBE9D0", "white", "#9CCDEC"])
ax.imshow(image, extent=(-1.4, 1.4, -0.2, 1.2), origin="lower", aspect="auto", cmap=shade, vmin=0, vmax=1)
for x, before in CASES:
    after = int(surface(net, winner, [x], [before])[0, 0] > 0.5)
    ax.plot(x, before, "o", markersize=17, color=BLUE if after else ORANGE, markeredgecolor=BLACK)
    ax.text(x, before, str(after), ha="center", va="center_baseline", color="white", weight="bold", fontsize=12)
ax.set(xlabel="input x", ylabel="output before, y", xticks=(-1, 0, 1), yticks=(0, 1))
ax.set_title("One step of it: exclusive or")
bits = tables(net, draw(net, config.prior, rng, config.tables))
names = {(0, 0, 0, 0): "constant", (1, 1, 1, 1): "constant", (0, 0, 1, 1): "copies the input",
         (1, 1, 0, 0): "inverts the input", (0, 1, 0, 1): "copies its output", (1, 0, 1, 0): "inverts its output",
         (0, 1, 1, 0): "exclusive or", (1, 0, 0, 1): "its negation"}
counts = dict.fromkeys([*dict.fromkeys(names.values()), "and, or, and the like"], 0)
for row, count in zip(*np.unique(bits, axis=0, return_counts=True), strict=True):
    counts[names.get(tuple(row), "and, or, and the like")] += 100 * count / len(bits)
order = sorted(counts, key=counts.get)
ax = axes[1]
ax.barh(range(len(order)), [counts[name] for name in order],
        color=[GREEN if name == "exclusive or" else "#BBBBBB" for name in order])
for k, name in enumerate(order):
    ax.text(counts[name] + 0.8, k, f"{counts[name]:.2g} %", va="center")
ax.set_yticks(range(len(order)), order)
ax.set(xlabel="random nets, %", xlim=(0, max(counts.values()) * 1.2))
ax.tick_params(axis="y", length=0)
ax.set_title(f"One random net in {100 / max(counts['exclusive or'], 0.01):.0f} does it")
save(fig, "table")

# ---- how right random nets are --------------------------------------------------------------------------------------
nets = 300 if flags.quick else 6000
data, parts = training_set(net, config, rng), []
for done in range(0, nets, 300):
    weights = draw(net, config.prior, rng, min(300, nets - done))
    answers = final(net, weights, data, np.arange(config.training)) * data.sign
    parts.append((answers > 1 - 2 * config.tolerance).mean(1))
share = 100 * np.concatenate(parts)
fig, ax = plt.subplots(figsize=(8, 4.2))
edges = np.arange(-0.5, 102.5, 2)
counts = np.histogram(share, edges)[0]
ax.bar(edges[:-1] + 1, counts, 1.9, color=["#BBBBBB" if e < 99 else GREEN for e in edges[:-1]])
perfect = int((share == 100).sum())
ax.annotate(f"{perfect} of {nets:,} are right\non all {config.training}", (100, max(perfect, 1)),
            (88, counts.max() ** 0.8), ha="center", color="#007A59", weight="bold",
            arrowprops={"arrowstyle": "->", "color": "#007A59"})
beyond = int(((share > 75) & (share < 100)).sum())
ax.text(85, 2.2, f"between 75 % and\n100 %: {beyond}", ha="center", va="center")
ax.set(yscale="log", xlabel="training sequences answered right at the end, %", ylabel="random nets", xlim=(-1, 102),
       ylim=(0.7, counts.max() * 3))
ax.set_title("A needle in the haystack, with nothing that leads to it; but a fat one")
save(fig, "accuracy")

# ---- the four rows; gradient descent --------------------------------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), width_ratios=(1.3, 1))
ax = axes[0]
for k, name in enumerate(NETS):
    mean, low, high = (facts[f"{name}_trials{end}"] for end in ("", "_low", "_high"))
    ax.bar(k - 0.2, NETS[name].paper, 0.36, color="#DDDDDD", edgecolor=BLACK, linestyle="--", linewidth=1)
    ax.text(k - 0.2, NETS[name].paper * 1.08, f"{NETS[name].paper:,}", ha="center", va="bottom")
    if mean and high:
        ax.bar(k + 0.2, mean, 0.36, color=COLOURS[name], yerr=[[mean - low], [high - mean]], capsize=3)
        ax.text(k + 0.25, high * 1.08, f"{mean:,.0f}", ha="center", va="bottom", fontsize=9, weight="bold",
                color=COLOURS[name])
ax.set(yscale="log", ylabel="guesses to a solution", ylim=(50, 200_000))
ax.set_xticks(range(len(NETS)), [LABELS[name] for name in NETS])
ax.set_title("Guessing: the paper's trials (dashed) and ours")
ax = axes[1]
lengths = config_of_facts["lengths"]
for name, mark, shift in zip(CLEAN, "os^", (1, 0.97, 1.03), strict=True):
    solved = [100 * facts[f"{name}_descent_{length}_solved"] / facts["descent_nets_each"] for length in lengths]
    ax.plot(np.array(lengths) * shift, solved, marker=mark, markersize=5, color=COLOURS[name],
            label=LABELS[name].replace("\n", " "))
ax.legend(loc="upper right")
ax.set(xscale="log", xlabel="least length, steps", ylabel="solved, % of the runs", ylim=(-3, 103))
ax.set_xticks(lengths, lengths)
ax.minorticks_off()
ax.set_title("Gradient descent: a few bits at best")
save(fig, "rows")
