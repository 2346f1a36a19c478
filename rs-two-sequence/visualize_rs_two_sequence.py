# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of rs-two-sequence into viz/: the latch by guessing, the rest from records."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import rs_two_sequence
import study_rs_two_sequence
from rs_two_sequence import NETS, draw, pick, screen, sequences
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

config = replace(rs_two_sequence.Config(), **(rs_two_sequence.QUICK if flags.quick else {}))
COLOURS = {"a2": RED, "a1": BLUE, "latch2": GREEN, "latch1": "#B37700"}
LABELS = {"a2": "A2", "a1": "A1", "latch2": "latch II", "latch1": "latch I"}
(flags.out / "viz").mkdir(exist_ok=True)


def save(fig, name):
    fig.savefig(flags.out / "viz" / f"{name}.png")
    plt.close(fig)


def recorded(program, file):
    """Returns the metrics of each recorded seed of a program, or else of a quick run."""
    path = Path(__file__).with_name(file)
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    if records and not flags.quick:
        return [record["metrics"] for record in records]
    quick = replace(program.Config(), **program.QUICK)
    silent = lambda fraction, message: None  # noqa: E731
    return [rs_two_sequence.flatten(program.run(quick, flags.seed, silent))]


runs = recorded(rs_two_sequence, "results.json")
studies = recorded(study_rs_two_sequence, "study.json")


def values(records, metric):
    """Returns a metric of all seeds, those without a value left out, (seeds,)."""
    return np.array([one[metric] for one in records if one[metric] is not None], float)


# ---- the latch -----------------------------------------------------------------------------------
def fixed_points(d, e):
    """Returns the two stable fixed points of y -> tanh(d y + e), and the unstable one."""
    stable = np.array([-1.0, 1.0])
    for _ in range(1000):
        stable = np.tanh(d * stable + e)
    y = np.linspace(-0.9, 0.9, 200_001)
    return stable, y[np.tanh(d * y + e) > y].min()


data_rng, guess_rng = map(np.random.default_rng, np.random.SeedSequence([flags.seed, 4]).spawn(2))
net, guesses = NETS["latch2"], 4096 if flags.quick else 122_880
points, solving, latches = [], [], []
for _ in range(guesses // 4096):
    training = sequences(config.training, config.shortest, config.longest, config.noise, data_rng)
    weights = draw(net, config.prior, 4096, guess_rng)
    good, _ = screen(net, weights, training, config.tolerance)
    points.append(np.stack([weights["d"][0], weights["c"][0]]))  # (2, 4096)
    solving.append(good)
    latches += [pick(weights, k) for k in np.flatnonzero(good)]
points, solving = np.hstack(points), np.hstack(solving)
bins = np.linspace(-config.prior, config.prior, 41)
counts = [np.histogram2d(*points[:, which], (bins, bins))[0] for which in (solving, ~solving)]
percent = 100 * counts[0] / np.maximum(counts[0] + counts[1], 1)
shade = plt.matplotlib.colors.LinearSegmentedColormap.from_list("share", ["#F2F2F2", "#007A59"])
fig, axes = plt.subplots(1, 2, figsize=(9, 4.5), width_ratios=(1.12, 1))
span = (-config.prior, config.prior)
style = {"extent": (*span, *span), "origin": "lower", "cmap": shade, "vmin": 0, "aspect": "auto"}
image = axes[0].imshow(percent.T, **style)
fig.colorbar(image, ax=axes[0], label="guesses that solve the task, %", shrink=0.9)
axes[0].set(xlabel="weight d of the unit to itself", ylabel="weight c of the input")
axes[0].set_xticks((-100, -50, 0, 50, 100))
axes[0].set_yticks((-100, -50, 0, 50, 100))
style = {"color": "#007A59", "weight": "bold", "fontsize": 13, "ha": "center", "va": "center"}
axes[0].text(-45, 50, f"one guess in {guesses / solving.sum():.0f}\nremembers", **style)
axes[0].set_title("where the solutions lie", fontsize=10, weight="normal", pad=6)

typical = min(latches, key=lambda w: abs(w["d"][0] - 60) + abs(w["c"][0] - 35) + abs(w["e"][0] - 5))
c, d, e = (float(typical[name][0]) for name in "cde")
y = np.linspace(-1, 1, 2001)
ax = axes[1]
low, high = (np.tanh(d * y + e + sign * 4 * abs(c) * config.noise) for sign in (-1, 1))
ax.fill_between(y, low, high, color=SKY, alpha=0.35, linewidth=0)
ax.plot(y, y, color=GREY, linewidth=1)
ax.plot(y, np.tanh(d * y + e), color=BLUE)
stable, unstable = fixed_points(d, e)
ax.plot(stable, stable, "o", markersize=9, color="#007A59", clip_on=False)
ax.plot(unstable, unstable, "o", markersize=9, color=RED, markerfacecolor="white")
style = {"color": "#007A59", "weight": "bold"}
ax.text(1.02, 1.09, "class 1 rests here", ha="right", va="bottom", **style)
ax.text(-1.02, -1.11, "class 2 rests here", va="top", **style)
words = f"d = {d:.0f}\nc = {c:.0f}\nbias {e:.0f}"
ax.text(1.05, -0.95, words, ha="right", va="bottom")
ax.set(xlim=(-1.08, 1.08), ylim=(-1.3, 1.3), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
ax.set(xlabel="output now", ylabel="output one step later")
ax.set_title("a step of one of them (band: noise, ±4 s.d.)", fontsize=10, weight="normal", pad=6)
fig.suptitle(
    "The plane of a three-weight latch: one guess in "
    f"{guesses / solving.sum():.0f} falls into the solution.\n"
    "Such a unit rests at one of two points, and the noise cannot carry it across",
    x=0.01,
    ha="left",
    fontsize=12,
    weight="bold",
)
save(fig, "latch")

# ---- the four rows -------------------------------------------------------------------------------
fig, ax = plt.subplots(figsize=(8, 4.3))
near = 0
for k, (name, net) in enumerate(NETS.items()):
    trials = values(runs, f"{name}.mean_trials")  # (seeds,)
    mean = trials.mean()
    near += 0.5 <= mean / net.paper <= 2
    ax.plot((k - 0.4, k + 0.4), (net.paper, net.paper), **PAPER)
    spread = np.linspace(-0.16, 0.16, len(trials)) if len(trials) > 1 else np.zeros(1)
    ax.plot(k + spread, trials, "o", markersize=6, color=COLOURS[name], alpha=0.6, mew=0)
    ax.plot((k - 0.25, k + 0.25), (mean, mean), color=COLOURS[name], linewidth=3)
    above = mean > net.paper
    style = {"ha": "center", "va": "bottom" if above else "top"}
    label = f"ours {mean:,.0f}" if mean >= 20 else f"ours {mean:.1f}"
    edge = 1.13 * trials.max() if above else trials.min() / 1.13
    ax.text(k, edge, label, color=COLOURS[name], weight="bold", fontsize=11, **style)
    style["va"] = "top" if above else "bottom"
    edge = min(net.paper, trials.min()) / 1.13 if above else 1.13 * max(net.paper, trials.max())
    ax.text(k, edge, f"paper {net.paper:,}", **style)
ax.set(
    yscale="log", xlim=(-0.5, 3.5), ylim=(2.5, 12_000), ylabel="trials, mean of a seed's searches"
)
ax.set_xticks(range(4), [LABELS[name] for name in NETS])
ax.tick_params(axis="x", labelsize=11, length=0)
words = {0: "No row", 1: "One row", 2: "Two rows", 3: "Three rows", 4: "All four rows"}
gap = np.array([one["a2.mean_trials"] - one["a1.mean_trials"] for one in runs])  # (seeds,)
sure = len(gap) > 1 and gap.mean() > 3 * gap.std(ddof=1) / len(gap) ** 0.5
order = ",\nbut A2 is the harder of the two nets, not A1" if sure else ""
ax.set_title(f"{words[near]} within a factor two of the paper (dashed){order}")
save(fig, "trials")

# ---- gradient descent against guessing -----------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.3), width_ratios=(1.25, 1))
lengths = np.array(studies[0]["descent.length"])
for name, mark in (("a2", "s"), ("a1", "^")):
    solved = 100 * np.array([one[f"descent.{name}"] for one in studies])  # (seeds, lengths)
    style = {"color": COLOURS[name], "marker": mark, "markersize": 6, "clip_on": False}
    axes[0].plot(lengths, solved.mean(0), label=f"descent on {LABELS[name]}", **style)
    axes[0].fill_between(lengths, solved.min(0), solved.max(0), color=COLOURS[name], alpha=0.15)
guessed = [int(key.split("_")[1].split(".")[0]) for key in studies[0] if key[:7] == "length_"]
guessed = sorted(set(guessed))
shown = values(runs, "a1.sequences_shown").mean() / values(runs, "a1.mean_trials").mean()
trials, within = [], []
for length in guessed:
    each = values(studies, f"length_{length}.a1.trials")  # (seeds,)
    trials.append(each)
    within.append(100 * (1 - np.exp(-20_000 / shown / each.mean())))
style = {"color": BLACK, "marker": "o", "markersize": 6, "linestyle": ":", "clip_on": False}
axes[0].plot(guessed, within, label="guessing A1", **style)
axes[0].legend(loc="center right", title="within 20,000 sequences", alignment="left")
ticks = sorted({*lengths.tolist(), *guessed})
axes[0].set(xscale="log", ylim=(0, 103), xlabel="least length, steps")
axes[0].set_ylabel("starts or searches that solve it, %")
axes[0].set_xticks(ticks, ticks)
axes[0].minorticks_off()
axes[0].set_title("Gradient descent ends where\nguessing does not care")
for length, each in zip(guessed, trials):
    axes[1].plot([length] * len(each), each, "o", color=BLUE, alpha=0.6, mew=0)
means = np.array([each.mean() for each in trials])
axes[1].plot(guessed, means, color=BLUE)
for length, mean in zip(guessed, means):
    axes[1].text(length, mean * 1.35, f"{mean:,.0f}", ha="center", color=BLUE, weight="bold")
axes[1].set(xscale="log", yscale="log", xlim=(guessed[0] / 2, guessed[-1] * 2), ylim=(100, 10_000))
axes[1].set(xlabel="least length, steps", ylabel="guesses at A1 for a solution")
axes[1].set_xticks(guessed, guessed)
axes[1].minorticks_off()
factor, longer = means[-1] / means[0], guessed[-1] / guessed[0]
axes[1].set_title(f"{longer:.0f} times the length:\n{factor:.1f} times the guesses")
save(fig, "descent")
