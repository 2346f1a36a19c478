# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the endless Reber strings: how long nets stay right, what cells hold, and drift.

Nets are trained here by the experiment's own code, as the run of this seed trains them. How long
nets with more training stay right is read from study.json, where that exists.

    python3 visualize_continual_embedded_reber.py --seed 0
"""

import argparse
import json
from pathlib import Path

import continual_embedded_reber as cer
import matplotlib.pyplot as plt
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
NAMES = {
    "forget": ("forget gates", BLUE),
    "reset": ("reset from outside", GREEN),
    "decay": ("leak of 0.9", ORANGE),
    "standard": ("neither", RED),
}
SHOWN, STRINGS = 300, 10_000  # symbols of states.png, strings of drift.png


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def spread(heights, gap):
    """Push heights apart so that labels at them do not overlap."""
    order, placed = np.argsort(heights), np.array(heights, float)
    for a, b in zip(order, order[1:]):
        placed[b] = max(placed[b], placed[a] + gap)
    return placed


def study_lengths():
    """The run lengths of the study's nets with forget gates, and how long its streams are."""
    file = Path(__file__).with_name("study.json")
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    if flags.quick or not records:
        return None, None
    lengths = [record["metrics"]["forget.lengths"] for record in records]
    return np.concatenate(lengths), records[0]["config"]["long_symbols"]


def draw_curve(ax, lengths, longest, color, **how):
    """Draw the share of streams without an error so far; return the share that has none at all."""
    run = np.sort(lengths.ravel())
    x = np.concatenate([[1], np.maximum(run[run < longest], 1), [longest]])
    alive = 1 - np.arange(len(x) - 1) / len(run)
    ax.step(x, np.append(alive, alive[-1]), where="post", color=color, **how)
    return alive[-1]


def draw_survival(trainer, grammar, config, path):
    """Draw the share of test streams without a wrong prediction so far."""
    rng = np.random.default_rng(np.random.SeedSequence(flags.seed).spawn(3)[1])
    length = cer.run_lengths(trainer.net, trainer.theta, rng, grammar, config)
    lengths = dict(zip(cer.KINDS, np.split(length, len(cer.KINDS))))
    longest = config.test_symbols
    fig, ax = plt.subplots(figsize=(9, 4.8))
    shares = [
        draw_curve(ax, lengths[kind], longest, color, linewidth=2.2)
        for kind, (_, color) in NAMES.items()
    ]
    for place, share, (name, color) in zip(spread(shares, 0.075), shares, NAMES.values()):
        label(ax, longest * 1.2, place, f"{name}: {share:.0%}", color, va="center")
    last, (long, most) = longest, study_lengths()
    if long is not None:
        share = draw_curve(ax, long, most, BLUE, linewidth=1.4, linestyle=":")
        text = f"forget gates, trained\nthree times longer: {share:.0%}"
        label(ax, most * 1.2, share, text, BLUE, va="center")
        last = most
    ax.set(xscale="log", xlim=(1, last * 60), ylim=(-0.01, 1.02))
    ticks = 10.0 ** np.arange(np.log10(last) + 0.5)
    ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="symbols read", ylabel="share of streams without an error so far")
    ax.spines["bottom"].set_bounds(1, last)
    headline(fig, "With a forget gate a net stays right")
    fig.savefig(path / "survival.png")
    plt.close(fig)


def middle_of(trainer, kind, config):
    """The middle net of a kind, by its errors in the last tenth of the training."""
    late = np.array(trainer.right)[-max(1, len(trainer.right) // 10) :].mean(0)  # (N,)
    first = cer.KINDS.index(kind) * config.nets
    return first + int(np.argsort(late[first : first + config.nets])[(config.nets - 1) // 2])


def read_alone(trainer, row, symbols, grammar):
    """Let one net read a fixed stream; return letters, wrong (T,), states (T, C), gates (T, J)."""
    net = cer.Lstm(trainer.config, trainer.net.leak[[row]], trainer.net.resets[[row]])
    coins = np.random.default_rng(7).integers(0, 2, (symbols, 1, 1), np.uint8)
    x, target, nodes = cer.read_on(grammar, np.zeros((1, 1), np.intp), coins)
    y, _ = net.forward(trainer.theta[[row]], x, nodes[:-1] == 0, net.empty(1))
    wrong = (np.abs(y - target) >= trainer.config.bound).any(1)[0, :, 0]
    states = 2 * net.s[1:, :, :, 0, 0].reshape(symbols, -1)  # on the paper's scale
    return x[:, :7, 0, 0].argmax(1), wrong, states, net.f[:, :, 0, 0], nodes[:-1, 0, 0] == 0


def draw_states(trainer, grammar, config, path):
    """Draw cell states with and without a forget gate over the same symbols, and the gates."""
    fig, axes = plt.subplots(3, 1, figsize=(9, 6.6), sharex=True, height_ratios=(1.3, 1.3, 1))
    steps = np.arange(SHOWN)
    colors = (BLUE, SKY, GREEN, ORANGE, PINK, RED, BLACK, GREY)
    for ax, kind in zip(axes, ("standard", "forget")):
        row = middle_of(trainer, kind, config)
        _, wrong, states, gates, fresh = read_alone(trainer, row, SHOWN, grammar)
        for c in range(states.shape[1]):
            ax.plot(steps, states[:, c], color=colors[c % 8], linewidth=1.4)
        size = np.abs(states).max()
        ax.set_ylim(-1.15 * size, 1.35 * size)
        ax.plot(steps[wrong], np.full(wrong.sum(), 1.25 * size), "|", color=RED, markersize=9)
        text = f"{NAMES[kind][0] if kind == 'forget' else 'no forget gates'}: {wrong.sum()} errors"
        ax.set_title(text, fontsize=10)
        ax.set_ylabel("cell states")
    image = axes[2].imshow(
        gates.T, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    image.set_extent((-0.5, SHOWN - 0.5, config.blocks - 0.5, -0.5))
    axes[2].set_title("its forget gates: yellow keeps, blue forgets", fontsize=10)
    axes[2].set_yticks(range(config.blocks), range(1, config.blocks + 1))
    axes[2].set(ylabel="block", xlabel="symbols read; a line: a string begins")
    axes[2].set_xlim(0, SHOWN)
    for ax, color in zip(axes, (GREY, GREY, "white")):
        for step in steps[fresh]:
            ax.axvline(step - 0.5, color=color, linewidth=0.7, alpha=0.7)
    headline(fig, "Without a forget gate the states grow; with one they are emptied in time")
    fig.savefig(path / "states.png")
    plt.close(fig)


def right_again(trainer, strings, grammar, config):
    """Share (N, strings) of streams where the string's first T or P is foretold when due again."""
    net, theta, streams = trainer.net, trainer.theta, 4
    rng = np.random.default_rng(11)
    node, state = np.zeros((len(theta), streams), np.intp), net.empty(streams)
    right = [[[] for _ in range(streams)] for _ in theta]
    while min(len(each) for row in right for each in row) < strings:
        coins = rng.integers(0, 2, (cer.BLOCK, config.nets, streams), np.uint8)
        coins = np.tile(coins, (1, len(cer.KINDS), 1))
        x, target, nodes = cer.read_on(grammar, node, coins)
        y, state = net.forward(theta, x, nodes[:-1] == 0, state)
        node = nodes[-1]
        good = (np.abs(y - target) < config.bound).all(1)  # (N, T, B)
        due = grammar.outer[nodes[1:]]  # (T, N, B)
        for n, b in np.ndindex(len(theta), streams):
            right[n][b].extend(good[n, due[:, n, b], b])
    return np.array([[each[:strings] for each in row] for row in right]).mean(1)


def draw_drift(trainer, grammar, config, path):
    """Draw how often the first T or P is foretold when due again, string after string."""
    strings = 100 if flags.quick else STRINGS
    right = right_again(trainer, strings, grammar, config)
    edges = np.unique(np.geomspace(1, strings + 1, 25).astype(int))
    middle = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
    fig, ax = plt.subplots(figsize=(9, 4.4))
    ends, parts = [], dict(zip(cer.KINDS, np.split(right, len(cer.KINDS))))
    for kind, (_, color) in NAMES.items():
        mean = parts[kind].mean(0)  # over nets
        y = [mean[a - 1 : b - 1].mean() for a, b in zip(edges, edges[1:])]
        ax.plot(middle, y, color=color, linewidth=2.2)
        ends.append(y[-1])
    for place, (name, color) in zip(spread(ends, 0.04), NAMES.values()):
        label(ax, strings * 1.15, place, name, color, va="center")
    ax.plot([1, strings], [0.5, 0.5], color=GREY, linewidth=1)
    label(ax, 1.1, 0.505, "a guess", GREY, va="bottom")
    ax.set(xscale="log", xlim=(1, strings * 12), ylim=(None, 1.01))
    ticks = 10.0 ** np.arange(np.log10(strings) + 0.5)
    ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    ax.minorticks_off()
    ax.spines["bottom"].set_bounds(1, strings)
    ax.set(xlabel="strings read", ylabel="share of right predictions\nof the second T or P")
    headline(
        fig, "Ten thousand strings on, a net with forget gates still knows how the string began"
    )
    fig.savefig(path / "drift.png")
    plt.close(fig)


def main():
    config = cer.Config(**(cer.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    grammar = cer.embedded_reber()
    training = np.random.SeedSequence(flags.seed).spawn(3)[0]
    trainer = cer.train(config, cer.KINDS, grammar, training, lambda share, text: None)
    draw_survival(trainer, grammar, config, path)
    draw_states(trainer, grammar, config, path)
    draw_drift(trainer, grammar, config, path)


if __name__ == "__main__":
    main()
