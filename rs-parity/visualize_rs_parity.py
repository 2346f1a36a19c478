# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of rs-parity into viz/: statistics from the records, the rest from a search."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import rs_parity
import study_rs_parity
from rs_parity import NETS, rollout, search, sequences, step
from study_rs_parity import BEFORE, INPUTS, XNOR, XOR
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
config = replace(rs_parity.Config(), **(rs_parity.QUICK if flags.quick else {}))
net = NETS["no_self"]
streams = np.random.SeedSequence([flags.seed, 4]).spawn(3)  # a typical search
data_rng, guess_rng, long_rng = map(np.random.default_rng, streams)
training = sequences(config.training, config.shortest, config.longest, 0.0, data_rng)
winner = search(net, training, config, guess_rng)[1]  # the net of the first two figures
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
    return [rs_parity.flatten(program.run(quick, flags.seed, silent))]


runs = recorded(rs_parity, "results.json")
studies = recorded(study_rs_parity, "study.json")

# ---- an accepted net at the start and at the end of a long sequence ------------------------------
steps, window = config.long_steps, 30
x = sequences(2, steps, steps, 0.0, long_rng).x[:, :1]  # (T, 1, 1)
y = np.array([output.item() for _, output in rollout(winner, x)])  # (T,)
odd = np.cumsum(x[:, 0, 0] > 0) % 2  # (T,)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for ax, start in zip(axes, (0, steps - window)):
    at = np.arange(start, start + window)
    edges = np.arange(start, start + window + 1) + 0.5
    ax.stairs(odd[at], edges, fill=True, color=SKY, alpha=0.45)
    ax.plot(at + 1, y[at], "o", markersize=6, color=BLUE, clip_on=False)
    for t in at:
        plus = x[t, 0, 0] > 0
        style = {"color": RED, "weight": "bold"} if plus else {"color": "#777777"}
        ax.text(t + 1, -0.26, "+" if plus else "−", ha="center", va="center", fontsize=11, **style)
    ax.set(xlim=(start + 0.4, start + window + 0.6), ylim=(-0.4, 1.08), yticks=(0, 1))
    ax.set_xlabel("step (+ and −: the input)")
axes[0].set_ylabel("output of the net")
ticks = np.arange(steps - 20, steps + 1, 10)
axes[1].set_xticks(ticks, [f"{t:,}" for t in ticks])
agree = (y > 0.5) == odd
axes[0].set_title(f"the first {window} steps", fontsize=10, weight="normal", pad=5)
axes[1].set_title(f"the last {window} of {steps:,} steps", fontsize=10, weight="normal", pad=5)
how = "at every step" if agree.all() else f"at {agree.mean():.1%} of the steps"
fig.suptitle(
    f"A net found by chance still counts after {steps:,} steps: its output (dots)\n"
    f"is 1 where the number of + so far is odd (blue), {how}",
    x=0.01,
    ha="left",
    fontsize=12,
    weight="bold",
)
save(fig, "trajectory")

# ---- the function of one step, and what random nets compute --------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1, 1.15))
xs, ys = np.meshgrid(np.linspace(-1.4, 1.4, 141), np.linspace(-0.2, 1.2, 141))
column = lambda values: values.astype(np.float32).reshape(-1, 1)  # noqa: E731
image = step(winner, column(xs), 0.0, column(ys))[1].reshape(xs.shape)
shades = plt.matplotlib.colors.LinearSegmentedColormap.from_list(
    "y", ["#FBE9D0", "white", "#9CCDEC"]
)
extent = (-1.4, 1.4, -0.2, 1.2)
axes[0].imshow(image, extent=extent, origin="lower", aspect="auto", cmap=shades, vmin=0, vmax=1)
after = step(winner, INPUTS, 0.0, BEFORE)[1][:, 0] > 0.5
for x_now, y_before, bit in zip(INPUTS[:, 0], BEFORE[:, 0], after):
    colour = BLUE if bit else "#B36200"
    axes[0].plot(x_now, y_before, "o", markersize=19, color=colour, markeredgecolor=BLACK)
    where = {"ha": "center", "va": "center_baseline", "color": "white", "weight": "bold"}
    axes[0].text(x_now, y_before, str(int(bit)), fontsize=12, **where)
axes[0].set(xlabel="input", ylabel="output before", xticks=(-1, 0, 1), yticks=(0, 1))
axes[0].set_title("the accepted net: circles, its next output", fontsize=10, weight="normal")

KINDS = {
    "constant": (0b0000, 0b1111),
    "copies or inverts the input": (0b0011, 0b1100),
    "copies or inverts its output": (0b0101, 0b1010),
    "negated exclusive or": (XNOR,),
    "exclusive or": (XOR,),
}
totals = np.sum([one["random.counts"] for one in studies], axis=0)
percent = 100 * totals / totals.sum()  # (16,)
shares = {kind: percent[list(which)].sum() for kind, which in KINDS.items()}
shares["and, or, and the like"] = 100 - sum(shares.values())
order = sorted(shares, key=lambda kind: (kind == "exclusive or", -shares[kind]))[::-1]
colours = [GREEN if kind == "exclusive or" else "#BBBBBB" for kind in order]
axes[1].barh(order, [shares[kind] for kind in order], color=colours)
for k, kind in enumerate(order):
    text = {"weight": "bold", "color": "#007A59"} if kind == "exclusive or" else {}
    axes[1].text(shares[kind] + 1, k, f"{shares[kind]:.2g} %", va="center", **text)
axes[1].set(xlabel="random nets, %", xlim=(0, 1.2 * max(shares.values())))
axes[1].tick_params(axis="y", length=0)
axes[1].set_title("what random nets do", fontsize=10, weight="normal")
fig.suptitle(
    "The solution is exclusive or of input and output, "
    f"and 1 random net in {100 / shares['exclusive or']:.0f} has it",
    x=0.01,
    ha="left",
    fontsize=12,
    weight="bold",
)
save(fig, "table")

# ---- the four rows; gradient descent -------------------------------------------------------------
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1.25, 1))
COLOURS = {"no_self": GREEN, "a2": RED, "a1": BLUE, "noisy": "#B37700"}
LABELS = {"no_self": "A2 without\nself-conn.", "a2": "A2", "a1": "A1", "noisy": "A1, noisy\ninput"}
near = 0
for k, (name, net) in enumerate(NETS.items()):
    trials = np.array([one[f"{name}.mean_trials"] for one in runs])
    mean = trials.mean()
    near += 0.5 <= mean / net.paper <= 2
    axes[0].plot((k - 0.4, k + 0.4), (net.paper, net.paper), **PAPER)
    spread = np.linspace(-0.16, 0.16, len(trials)) if len(trials) > 1 else np.zeros(1)
    axes[0].plot(k + spread, trials, "o", markersize=4, color=COLOURS[name], alpha=0.6, mew=0)
    axes[0].plot((k - 0.25, k + 0.25), (mean, mean), color=COLOURS[name], linewidth=3)
    top = 1.3 * max(trials.max(), net.paper)
    axes[0].text(k, 1.35 * top, f"{mean:,.0f}", ha="center", color=COLOURS[name], weight="bold")
    axes[0].text(k, top, f"paper {net.paper:,}", ha="center", fontsize=9)
axes[0].set(
    yscale="log", xlim=(-0.5, 3.5), ylim=(60, 200_000), ylabel="trials, mean of ten searches"
)
axes[0].set_xticks(range(4), [LABELS[name] for name in NETS])
words = {0: "none", 1: "one", 2: "two", 3: "three", 4: "all"}
axes[0].set_title(f"Four rows, {words[near]} within a factor two\nof the paper (dashed)")

lengths = studies[0]["descent.length"]
for name, mark in (("no_self", "o"), ("a2", "s"), ("a1", "^")):
    solved = 100 * np.array([one[f"descent.{name}"] for one in studies])  # (seeds, lengths)
    style = {"color": COLOURS[name], "marker": mark, "markersize": 6}
    axes[1].plot(lengths, solved.mean(0), label=LABELS[name].replace("\n", " "), **style)
    axes[1].fill_between(lengths, solved.min(0), solved.max(0), color=COLOURS[name], alpha=0.15)
axes[1].legend(loc="upper right", title="mean over seeds, and range", alignment="left")
axes[1].set(xscale="log", ylim=(-3, 103), xlabel="least length, steps")
axes[1].set_ylabel("starts that are solved, %")
axes[1].set_xticks(lengths, lengths)
axes[1].minorticks_off()
axes[1].set_title("Gradient descent rarely solves\nmore than ten steps")
save(fig, "rows")
