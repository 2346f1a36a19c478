# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the counting languages: the counters at work, how far nets get, where they end.

The nets of a run are trained again by the experiment's own code; what the study has to say is read
from study.json.

    python3 visualize_anbn_anbncn.py --seed 0
"""

import argparse
import json
from pathlib import Path

import anbn_anbncn as ab
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
PHASES = ("#FFFFFF", "#EFEFEF", "#DEDEDE")  # behind a, b and c
LETTERS = "abc"


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


# ---- the nets of a run ----
def train_all(config, seed):
    """Train the nets of run() again: {row: (net, tested weights (P, N), N1 (N,))}."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    ab_init, ab_text, abc_init, abc_text, rnn_init = streams
    rows = {}
    jobs = {
        "ab": (ab.Lstm(2, config.cells_ab, config.biases), ab_init, ab_text, config.strings_ab),
        "abc": (
            ab.Lstm(3, config.cells_abc, config.biases),
            abc_init,
            abc_text,
            config.strings_abc,
        ),
    }
    for name, (net, init, text, strings) in jobs.items():
        training, lengths = ab.train_lstm(net, ab.OnLine, init, text, strings, config, silent)
        rows[name] = (net, training.kept)
    rows["rnn"] = ab.train_plain(rnn_init, lengths, config, silent)[:2]
    return {
        name: (net, w, ab.examine(net, w, config.test_longest)) for name, (net, w) in rows.items()
    }


def silent(share, text):
    """A progress that nobody sees."""


def follow(net, w, n):
    """Return the states (L, H) and the outputs' net inputs (L, K) of a net w (P, 1) on a string."""
    symbols, _ = ab.string(n, net.K - 1)
    state, views = net.rest((1,)), net.views(w)
    states, answers = [], []
    for x in ab.code(symbols, net.K - 1):
        answer, state = net.advance(views, x[:, None], state)
        states.append(state[1, :, 0])
        answers.append(answer[:, 0])
    return np.array(states), np.array(answers)


# ---- the figures ----
def draw_counters(rows, path):
    """Draw the states of the best net of each language on strings of four sizes."""
    names = {"ab": "a$^n$b$^n$, one cell", "abc": "a$^n$b$^n$c$^n$, two cells"}
    fig, axes = plt.subplots(2, 4, figsize=(9, 5.4), sharex="row")
    headline(fig, "The counters run up, then down, on strings far beyond those of training")
    for line, (name, title) in zip(axes, names.items()):
        net, w, n1 = rows[name]
        best = n1.argmax()
        signs = np.sign(follow(net, w[:, [best]], 10)[0][10])  # at the last a: drawn upwards
        for ax, n in zip(line, (5, 20, 100, n1[best])):
            n = max(int(n), 5)
            states = follow(net, w[:, [best]], n)[0] * signs
            for k in range(net.K - 1):
                ax.axvspan(k, k + 1, color=PHASES[k], linewidth=0)
                ax.text(k + 0.5, 1.02, LETTERS[k], ha="center", transform=ax.get_xaxis_transform())
            for cell, color in zip(states.T, (BLUE, ORANGE)):
                ax.plot(np.arange(len(cell)) / n, cell, color=color)
            if n == 100:
                label_extremes(ax, states, n)
            ax.set(xlim=(0, net.K - 1), xticks=range(net.K))
            ax.set_title(f"n = {n}", fontsize=10, pad=20)
        line[0].set_ylabel(f"{title}\ncell state")
        line[3].set_title(f"n = {n}, its largest", fontsize=10, pad=20)
    fig.supxlabel("symbols read, in units of n", fontsize=10)
    fig.savefig(path / "counters.png")
    plt.close(fig)


def label_extremes(ax, states, n):
    """Name each cell beside the point where its count is largest."""
    for k, (cell, color) in enumerate(zip(states.T, (BLUE, ORANGE))):
        at = np.abs(cell).argmax()
        side = 1 if at < 1.5 * n else -1
        x, ha = at / n + 0.24 * side, "left" if side == 1 else "right"
        label(ax, x, 0.9 * cell[at], f"cell {k + 1}", color, va="center", ha=ha)


def studied():
    """{row: N1 of all nets of all seeds} from the study's records, or {}."""
    file = Path(__file__).with_name("study.json")
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    keys = sorted({key for record in records for key in record["metrics"] if "n1_each" in key})
    return {
        key.split(".")[0]: np.concatenate([record["metrics"][key] for record in records])
        for key in keys
    }


def draw_beyond(rows, study, config, path):
    """Draw N1 of each net, one line a kind of net."""
    lines = [
        ("a$^n$b$^n$, one cell", rows["ab"][2], BLUE, 118, 1000),
        ("a$^n$b$^n$c$^n$, two cells", rows["abc"][2], BLUE, 28, 52),
        ("plain nets, 90 weights", rows["rnn"][2], RED, None, None),
    ]
    if study:
        lines += [
            ("two cells, trained to 40", study["abc40"], GREEN, None, 500),
            ("two cells, tanh(c)", study["squashed"], GREY, None, None),
            ("two cells, no peepholes", study["blind"], GREY, None, None),
        ]
    fig, ax = plt.subplots(figsize=(9, 0.9 + 0.75 * len(lines)))
    rng = np.random.default_rng(0)
    for y, (_, n1, color, average, best) in enumerate(lines):
        n1 = np.asarray(n1)
        scatter = y + rng.uniform(-0.16, 0.16, len(n1))
        ax.plot(np.maximum(n1, 0.7), scatter, "o", color=color, alpha=0.4, markeredgewidth=0)
        mean = max(n1.mean(), 0.7)
        ax.plot([mean, mean], [y - 0.26, y + 0.26], color=color, linewidth=3)
        label(
            ax, 1500, y, f"{n1.mean():.0f}" if mean > 10 else f"{n1.mean():.1f}", color, va="center"
        )
        for figure, style in ((average, "--"), (best, ":")):
            if figure:
                ax.plot([figure] * 2, [y - 0.36, y + 0.36], **PAPER | {"linestyle": style})
    label(ax, 1500, -0.62, "mean", BLACK)
    ax.text(118, -0.42, "paper's average", ha="center", va="bottom")
    ax.text(980, -0.42, "paper's best", ha="right", va="bottom")
    ax.axvspan(0.6, config.longest, color=YELLOW, alpha=0.25, linewidth=0)
    ax.set(xscale="log", xlim=(0.6, 1250), ylim=(len(lines) - 0.5, -0.75))
    ax.set_xticks((0.7, 1, 3, 10, 30, 100, 300, 1000), ("none", 1, 3, 10, 30, 100, 300, 1000))
    ax.set_yticks(range(len(lines)), [name for name, *_ in lines])
    ax.set_xlabel("all strings of n = 1 ... N are accepted: N of each net (yellow: n of training)")
    headline(fig, "Trained on n up to 10, the cells count on far beyond; plain nets do not")
    fig.savefig(path / "beyond.png")
    plt.close(fig)


def draw_end(rows, path):
    """Draw what the end output is offered at the last b and at the one before, against n."""
    net, w, n1 = rows["ab"]
    order = np.argsort(n1, kind="stable")
    picks = (order[0], order[len(order) // 2], order[-1])
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.9), sharey=True)
    headline(fig, "A net ends where the drift of its count reaches the threshold")
    for ax, pick, name in zip(axes, picks, ("worst", "median", "best")):
        n = np.unique(np.geomspace(2, 1.6 * max(n1[pick], 10), 60).astype(int))
        ends = np.array([follow(net, w[:, [pick]], k)[1][-2:, -1] for k in n])  # (M, 2)
        ax.axvspan(1, 10, color=YELLOW, alpha=0.25, linewidth=0)
        ax.axhline(0, color=BLACK, linewidth=0.8)
        ax.plot(n, ends[:, 1], color=BLUE)
        ax.plot(n, ends[:, 0], color=ORANGE)
        ax.axvline(max(n1[pick], 1), color=GREY, linestyle=":")
        ax.set(xscale="log", xlabel="n (yellow: of training)")
        ax.set_xticks((1, 10, 100), (1, 10, 100))
        ax.set_title(f"{name} net: N = {n1[pick]}", fontsize=10)
    inside = {"va": "center", "transform": axes[0].transAxes}
    label(axes[0], 0.09, 0.82, "at the last b:\nhas to be above 0", BLUE, **inside)
    label(axes[0], 0.09, 0.25, "at the b before:\nhas to be below 0", ORANGE, **inside)
    axes[0].set_ylabel("net input of the output for the end")
    fig.savefig(path / "end.png")
    plt.close(fig)


def main():
    config = ab.Config(**(ab.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    rows = train_all(config, flags.seed)
    draw_counters(rows, path)
    draw_beyond(rows, studied(), config, path)
    draw_end(rows, path)


if __name__ == "__main__":
    main()
