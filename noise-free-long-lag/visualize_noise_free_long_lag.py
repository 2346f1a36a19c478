# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the noise-free long lag: what each task costs, one cell's state, and its gate.

The costs come from results.json and study.json; where these are missing, a quick run stands in. The
cell belongs to a net that is trained here by the experiment's own code.

    python3 visualize_noise_free_long_lag.py --seed 0
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import noise_free_long_lag as nf
import numpy as np
import study_noise_free_long_lag as study

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


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def trained(config, seed):
    """Train one net as the experiment does; return it when it has learned the task."""
    init, data = np.random.default_rng(seed).spawn(2)
    net = nf.Lstm(init, [config.learning_rate], config)
    learned = False
    for seen in range(1, config.max_sequences + 1):
        symbols = nf.sequences(data.integers(2, size=1), config.delay)
        net.learn(symbols[:, :-1], symbols[:, 1:], net.forward(symbols[:, :-1]))
        if seen % config.check_every == 0:
            learned = nf.examine(net, config)[0][0] < config.tolerance
        if learned:
            break
    return net


def draw_state(net, config, path):
    """Draw the state of the cell and the outputs x and y, for both sequences."""
    symbols = nf.sequences(np.array([0, 1]), config.delay)[:, :-1]  # (2, T)
    both = nf.Lstm(np.random.default_rng(0), [1.0, 1.0], config)
    for name in net.arrays:
        setattr(both, name, np.repeat(getattr(net, name), 2, axis=0))
    y = both.forward(symbols)  # (2, T, K)
    steps = np.arange(1, config.delay + 1)
    gap = both.s[0] - both.s[1]  # (T,)

    fig, axes = plt.subplots(3, 1, figsize=(9, 6), sharex=True, height_ratios=(1.7, 1, 1))
    headline(fig, f"One cell keeps the key: the two states stay {abs(gap[-1]):.2f} apart")
    for n, (key, color) in enumerate(zip("xy", (BLUE, ORANGE))):
        axes[0].plot(steps, both.s[n], color=color, linewidth=2)
        at = both.s[n, -1]
        label(axes[0], config.delay * 1.01, at, f"after {key}", color, va="center")
        for k, (output, shade) in enumerate(zip("xy", (BLUE, ORANGE))):
            axes[1 + n].plot(steps, y[n, :, k], color=shade)
            place = y[n, -1, k]
            label(axes[1 + n], config.delay * 1.01, place, f"output {output}", shade, va="center")
        for edge in (config.tolerance, 1 - config.tolerance):
            axes[1 + n].plot([0, config.delay], [edge, edge], color=GREY, linewidth=0.8)
        axes[1 + n].set(ylabel=f"sequence of {key}", ylim=(-0.05, 1.05), yticks=(0, 1))
    top = 1.15 * both.s.max()
    axes[0].set(ylabel="state of the cell", ylim=(0, top), xlim=(0, config.delay * 1.13))
    axes[2].set(xlabel="symbols seen")
    fig.savefig(path / "state.png")
    plt.close(fig)


def draw_gate(net, config, path):
    """Draw what each symbol lets into the cell."""
    i = nf.logistic(net.gate[0].copy())  # (K,)
    enters = i * nf.logistic(net.cell[0].copy())  # (K,)
    names = ["x", "y", *(f"a{k}" for k in range(1, config.delay))]
    place = np.arange(len(names)) + np.where(np.arange(len(names)) > 1, 2, 0)
    fig, axes = plt.subplots(2, 1, figsize=(9, 4.8), sharex=True)
    opener = "xy"[int(i[1] > i[0])]
    headline(fig, f"The gate is open for {opener} and, but for the first symbols after it, shut")
    for ax, height, what in zip(axes, (i, enters), ("input gate", "enters the cell")):
        ax.bar(place[:2], height[:2], color=(BLUE, ORANGE), width=0.9)
        ax.bar(place[2:], height[2:], color=GREY, width=0.7)
        ax.set(ylabel=what, ylim=(0, 1.19), yticks=(0, 0.5, 1))
        for k, color in enumerate((BLUE, ORANGE)):
            label(ax, -9, 0.85 - 0.3 * k, f"{'xy'[k]} {height[k]:.2f}", color, va="center")
        text = f"{len(i) - 2} distractors, mean {height[2:].mean():.3f}"
        label(ax, place[len(place) // 2], 0.5, text, GREY, ha="center")
    ticks = [0, 1, *range(2, len(names), max(1, len(names) // 10))]
    axes[1].set_xticks(place[ticks], [names[k] for k in ticks])
    axes[1].set(xlabel="symbol", xlim=(-10, place[-1] + 2))
    fig.savefig(path / "gate.png")
    plt.close(fig)


def recorded(name, module):
    """Return the metrics of all records of a file and their settings, or those of a quick run."""
    file = Path(__file__).with_name(name)
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    records = [record for record in records if "metrics" in record]
    if records:
        return [record["metrics"] for record in records], records[0]["config"]
    config = module.Config(**module.QUICK)
    table = module.run(config, flags.seed, lambda share, text: None)
    return [nf.flatten(table)], vars(config)


def pooled(studies, metric):
    """Return a metric of each net, over all seeds."""
    return np.concatenate([metrics[metric] for metrics in studies])


def draw_cost(path):
    """Draw how many sequences each task took, a row for each, beside the paper's means."""
    runs, settings = recorded("results.json", nf)
    studies, extent = recorded("study.json", study)
    fig, ax = plt.subplots(figsize=(9, 5.2))
    rows = []

    def spread(low, mean, high, at, color, text):
        ax.plot([low, high], [at, at], color=color, linewidth=5, alpha=0.3)
        ax.plot(mean, at, "o", color=color, markersize=8)
        label(ax, mean, at + 0.17, text, color, ha="center", va="bottom")

    def paper(count, at):
        ax.plot([count, count], [at - 0.3, at + 0.3], **PAPER)
        label(ax, count, at - 0.34, f"paper {count:,}", BLACK, ha="center", va="top")

    def missed(limit, at, text):
        ax.plot(limit, at, "x", color=RED, markersize=9, markeredgewidth=2)
        label(ax, 1.06 * limit, at, text, RED, ha="left", va="center")

    solved = [run for run in runs if run["lstm.sequences"]]
    if solved:
        low = min(run["lstm.fastest"] for run in solved)
        high = max(run["lstm.slowest"] for run in solved)
        mean = np.mean([run["lstm.sequences"] for run in solved])
        share = np.mean([run["lstm.solved"] for run in runs])
        spread(low, mean, high, 5, BLUE, f"{mean:,.0f} ({share:.0%} of the nets)")
    paper(5040, 5)
    rows.append("2a, LSTM")
    budget = np.mean([run["bptt.sequences"] for run in runs])
    share = np.mean([run["bptt.solved"] for run in runs])
    missed(budget, 4, f"{share:.0%} at the best rate")
    rows.append("2a, recurrent net")
    missed(extent["b_sequences"], 3, f"{np.mean([s['b.solved'] for s in studies]):.0%}")
    paper(5680, 3)
    rows.append("2b, LSTM")
    limits = {"b_end": extent["b_end_sequences"]}
    limits |= dict.fromkeys(study.LAGS, extent["c_sequences"])
    for at, name in zip((2, 1, 0), limits):
        count, limit = pooled(studies, f"{name}.sequences_each"), limits[name]
        met = count[count < limit]
        side = np.linspace(-0.12, 0.12, max(len(met), 1))[: len(met)]
        ax.plot(np.sort(met), at + side, "o", color=BLUE, alpha=0.5, markeredgewidth=0)
        if len(met) < len(count):
            missed(limit, at, f"{len(count) - len(met)} of {len(count)} not in time")
        if name in study.LAGS and (pooled(studies, f"{name}.latched_each") < limit).any():
            latched = pooled(studies, f"{name}.latched_each").mean()
            ax.plot(latched, at, "D", color=GREEN, markersize=8)
            text = f"95 % right: {latched:,.0f}"
            label(ax, latched, at + 0.17, text, GREEN, ha="right", va="bottom")
    rows += ["2b, error at\nthe end alone", "2c, lag 50", "2c, lag 200"]
    paper(30_000, 1)
    paper(33_000, 0)
    ax.set(yticks=range(5, -1, -1), yticklabels=rows, ylim=(-0.7, 5.6))
    ax.set(xscale="log", xlabel="training sequences")
    ax.set_xlim(0.6 * min(5040, budget, extent["b_sequences"], *limits.values()), 2.1e5)
    ax.set_xticks((1e4, 1e5), ("10,000", "100,000"))
    headline(fig, "In task 2a one cell always bridges 100 steps, late; a recurrent net never does")
    fig.savefig(path / "lag.png")
    plt.close(fig)


def main():
    config = nf.Config(**(nf.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    draw_cost(path)
    net = trained(config, flags.seed)
    draw_state(net, config, path)
    draw_gate(net, config, path)


if __name__ == "__main__":
    main()
