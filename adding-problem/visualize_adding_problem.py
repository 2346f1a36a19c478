# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "matplotlib"]
# ///
"""Four figures of the adding problem: what the cells hold, who learns it, how far error reaches, how lags scale.

Nets are trained here by the experiment's own train(); statistics over seeds come from results.json and study.json.

    python3 visualize_adding_problem.py --seed 0
"""
import argparse
import json
from pathlib import Path

import adding_problem as ap
import matplotlib.pyplot as plt
import numpy as np

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


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=9, fontweight="bold", **how)


def record(name):
    """A record file beside this script, or None."""
    path = Path(__file__).with_name(name)
    return json.loads(path.read_text()) if path.exists() else None


def staircase(net, config, path):
    """One fresh sequence: its pairs, the gates, and what the cells hold."""
    x, start, target, addends = ap.sequences(np.random.default_rng(7), 1, 300, config)
    pick = int(np.argmax(np.where(start[0] == 0, 0, addends[0, 0] * addends[1, 0])))
    x, start, target = x[..., pick:pick + 1], start[:, pick:pick + 1], float(target[0, pick])
    y = float(net.forward(x, start)[0, 0])
    first, steps = int(start[0, 0]), np.arange(len(x) - int(start[0, 0]))
    values, marks = x[first:, 0, :, 0].T
    C, J = net.C, net.J
    states, gates = net.state[first + 1:, 0, :, 0], net.z[first + 1:, 0, 3 + C:3 + C + J, 0]
    marked = np.flatnonzero(marks == 1)
    fig, axes = plt.subplots(3, 1, figsize=(9, 6.4), sharex=True, height_ratios=(1, 0.8, 1.6))
    fig.suptitle(f"Two openings of the input gate, then {len(steps) - 1 - marked[-1]} steps of holding: "
                 f"output {y:.3f}, target {target:.3f}", fontweight="bold", x=0.01, ha="left")
    axes[0].bar(steps, values, color=GREY, width=0.8)
    axes[0].bar(marked, values[marked], color=RED, width=1.2)
    for k in marked:
        label(axes[0], k + 1.2, 1.05, f"marked: {values[k]:+.2f}", RED, va="bottom")
    axes[0].set(ylabel="value", ylim=(-1.1, 1.45), yticks=(-1, 0, 1))
    for j, color in zip(range(J), (BLUE, ORANGE, GREEN, PINK)):
        axes[1].plot(steps, gates[:, j], color=color)
        label(axes[1], len(steps) * 1.005, gates.max() * (0.05 + 0.25 * j), f"block {j + 1}", color, va="center")
    axes[1].set(ylabel="input gate", ylim=(-0.05 * gates.max(), 1.1 * gates.max()))
    colors = (BLUE, SKY, ORANGE, PINK, GREEN, BLACK)
    for c in range(C):
        axes[2].plot(steps, states[:, c], color=colors[c % len(colors)], linewidth=2)
    spread = np.ptp(states) or 1.0
    order, at = np.argsort(states[-1]), -np.inf
    for c in order:  # labels at the end of the lines, pushed apart where the lines end close together
        at = max(at + 0.09 * spread, states[-1, c])
        label(axes[2], len(steps) * 1.005, at, f"cell {c + 1}", colors[c % len(colors)], va="center")
    axes[2].set(ylabel="cell state", xlabel="time step", xlim=(-1, len(steps) * 1.09))
    for ax in axes:
        for k in marked:
            ax.axvline(k, color=RED, linewidth=0.8, alpha=0.5)
    fig.savefig(path / "one_sequence.png")
    plt.close(fig)


def scatter(outcome, rnn, best, config, path):
    """Prediction against target for every contestant on the same test sequences."""
    target, x2 = outcome["target"][0], outcome["addends"][1, 0]
    panels = [("constant 0.5", np.full_like(target, 0.5), GREY), ("last number alone", 0.5 + x2 / 4, GREY)]
    panels += [(f"tanh net, {init}", rnn["y"][k], ORANGE) for init, k in best.items()]
    panels += [("LSTM", outcome["y"][0], BLUE)]
    fig, axes = plt.subplots(2, 3, figsize=(9, 6.2), sharex=True, sharey=True)
    for ax, (name, y, color) in zip(axes.flat, panels):
        right = float(np.mean(np.abs(y - target) < config.tolerance))
        ax.fill_between([0, 1], [-config.tolerance, 1 - config.tolerance], [config.tolerance, 1 + config.tolerance],
                        color=GREEN, alpha=0.25, linewidth=0)
        ax.plot(target[:1200], y[:1200], ".", color=color, markersize=2.5, alpha=0.6)
        count = f"{round(right * len(y)):,} of {len(y):,}" if right > 0.9 else f"{right:.0%}"
        ax.set_title(f"{name}: {count} right", fontsize=10)
        ax.set(xlim=(0, 1), ylim=(-0.02, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    label(axes[0, 0], 0.98, 0.08, f"right: within {config.tolerance}", GREEN, ha="right")
    for ax in axes[1]:
        ax.set_xlabel("target 0.5 + (X1 + X2) / 4")
    for ax in axes[:, 0]:
        ax.set_ylabel("output")
    fig.suptitle("The LSTM's answers lie on the diagonal; tanh nets trained by full BPTT answer the mean",
                 fontweight="bold", x=0.01, ha="left")
    fig.savefig(path / "predictions.png")
    plt.close(fig)


def flow(net, config):
    """Mean norm of dE/d(state) against the distance from the end, relative to the end: (T + 1,)."""
    x, start, target, _ = ap.sequences(np.random.default_rng(8), 1, 64, config)
    net.backward(net.forward(x, start) - target)
    norm = np.sqrt((net.flow[1:].astype(float) ** 2).sum(2)).mean(-1)  # (T, N)
    return (norm / norm[-1])[::-1][:config.T]


def reach(lstm, rnn, best, config, seed, path):
    """How much of the error at the last step reaches the states before it."""
    full = ap.replace(config, gradient="full")
    fresh = ap.Lstm(ap.streams(seed)[0], 1, full)
    lstm.config = full
    untrained, _, _ = ap.rnn_trial(ap.replace(config, max_sequences=config.batch, rnn_rates=(0.0,)), seed)
    before, after = flow(untrained, config), flow(rnn, config)
    curves = [("LSTM", BLUE, flow(fresh, config)[:, 0], flow(lstm, config)[:, 0])]
    curves += [(f"tanh net, {init}", color, before[:, k], after[:, best[init]])
               for k, (init, color) in enumerate(zip(ap.RNN_INITS, (ORANGE, PINK, GREEN)))]
    fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
    for side, ax in enumerate(axes):
        for _, color, *curve in curves:
            ax.semilogy(np.maximum(curve[side], 1e-12), color=color)
        ends = sorted((max(c[side][-1], 1e-12), name, color) for name, color, *c in curves)
        at = 0.0
        for end, name, color in ends:  # labels at the ends of the lines, pushed apart
            at = max(5 * at, end)
            if side == 1:
                label(ax, config.T * 1.02, at, name, color, va="center")
        ax.set_title(("before", "after")[side] + " training", fontsize=10)
        ax.set(xlabel="steps before the end", ylim=(1e-12, 1e4), xlim=(0, config.T))
        ax.axvline(config.T / 2, color=BLACK, linewidth=0.8, linestyle=":")
    for ax in axes:
        label(ax, config.T / 2 + 1, 2e3, "the marks lie here", BLACK, va="center")
    axes[0].set_ylabel("error reaching the state, relative to the end")
    fig.suptitle("Memory cells hand all of the error back to the marks; tanh nets lose it on the way",
                 fontweight="bold", x=0.01, ha="left")
    fig.savefig(path / "error_flow.png")
    plt.close(fig)


def scaling(path):
    """Sequences to the stop criterion against T, with the paper's own means."""
    runs, study = record("results.json"), record("study.json")
    paper = {100: 74_000, 500: 209_000, 1000: 853_000}
    fig, ax = plt.subplots(figsize=(8, 4.8))
    ax.loglog(list(paper), list(paper.values()), **PAPER, marker="s", markerfacecolor="white")
    label(ax, 1060, 853_000, "paper, plain\nonline descent", BLACK, va="center")
    points, config = {}, ap.Config()
    if runs:
        points[config.T] = config.max_sequences, [r["metrics"]["sequences_to_stop"] for r in runs["records"]]
    if study:
        points[config.long_T] = config.lag_sequences, study["metrics"]["long_to_stop"]
        points[config.longest_T] = config.lag_sequences, study["metrics"]["longest_to_stop"]
    medians = {T: np.median(counts) for T, (_, counts) in points.items()}
    for T, (budget, counts) in points.items():
        met = sorted(n for n in counts if n < budget)
        side = T * (np.linspace(0.96, 1.04, len(met)) if len(met) > 1 else np.ones(len(met)))
        ax.plot(side, met, "o", color=BLUE, alpha=0.6)
        ax.plot([T * 0.93, T * 1.07], [medians[T]] * 2, color=BLUE, linewidth=3)
        if len(met) < len(counts):
            ax.plot(T, budget, "x", color=RED, markersize=8)
            text = f"{len(counts) - len(met)} of {len(counts)} not within {budget:,}"
            label(ax, T * 0.93, budget * 1.07, text, RED, ha="right" if T > 200 else "left", va="bottom")
    if config.T in medians:
        label(ax, 112, medians[config.T], "here: each net, and the median of all", BLUE, va="center")
    ax.set(xlabel="shortest sequence T (steps)", ylabel="sequences to the stop criterion")
    ax.set(xlim=(80, 1900), ylim=(1e4, 1.5e6))
    ax.set_xticks((100, 500, 1000), ("100", "500", "1000"))
    ax.minorticks_off()
    ratio = medians.get(config.longest_T, np.nan) / medians.get(config.T, np.nan)
    ax.set_title(f"Ten times the lag costs {ratio:.1f} times the sequences (paper: {853 / 74:.1f} times)")
    fig.savefig(path / "lag_scaling.png")
    plt.close(fig)


def main():
    config = ap.Config(**(ap.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    lstm, outcome = ap.lstm_trial(config, flags.seed)
    rnn, rnn_outcome, best = ap.rnn_trial(config, flags.seed)
    staircase(lstm, config, path)
    scatter(outcome, rnn_outcome, best, config, path)
    reach(lstm, rnn, best, config, flags.seed, path)
    scaling(path)


if __name__ == "__main__":
    main()
