# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of the two nets that compress a symbol stream: surprises, sequences, memory."""

import argparse
import copy
import json
from pathlib import Path

import chunker_22_symbol
import study_chunker_22_symbol
from chunker_22_symbol import QUICK, SOON, Config, Pair, stream, train
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


# ---- what the pictures show: the pairs of run() that imitate, trained again ----
class Filmed(Pair):
    """Pairs of which every step is kept, and each pair as it was when it stopped."""

    def __init__(self, rng, config):
        super().__init__(rng, config)
        self.film, self.stopped = [], {}
        self.index = np.arange(config.nets)  # (N,) of the pairs that still learn
        self.shape = (config.nets, config.hidden_a)

    def tick(self, event):
        failed = super().tick(event)
        surprised, hidden = np.zeros(self.shape[0], bool), np.zeros(self.shape, np.float32)
        surprised[self.index] = failed
        hidden[self.index] = self.A.h
        self.film.append((surprised, hidden))
        return failed

    def pick(self, rows):
        for k in np.flatnonzero(~rows):
            last = copy.copy(self)
            last.A, last.C = copy.copy(self.A), copy.copy(self.C)
            Pair.pick(last, [k])
            self.stopped[self.index[k]] = last
        self.index = self.index[rows]
        super().pick(rows)


def filmed(config, seed):
    """Train the pairs of run() again; returns them, how many strings each saw, and the strings.

    The last are which strings began with x, (B, N), and the film: surprises (B, lag + 1, N) and
    hidden units (B, lag + 1, N, H).
    """
    init_seed, train_seed = np.random.SeedSequence(seed).spawn(2)
    pair = Filmed(np.random.default_rng(init_seed), config)
    limit = np.full(config.nets, config.most_sequences)
    end, _ = train(pair, config, train_seed, limit, lambda *_: None)
    surprised, hidden = (np.array(part) for part in zip(*pair.film))
    strings = len(surprised) // (config.lag + 1)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1].spawn(2)[0])
    first = rng.random((strings, config.nets)) < 0.5  # (B, N), as train() drew them
    shape = (strings, config.lag + 1)
    sequences = end["sequences"].astype(int)
    return (
        pair,
        sequences,
        first,
        surprised.reshape(*shape, -1),
        hidden.reshape(*shape, *pair.shape),
    )


def memory_unit(first, hidden):
    """Return the unit that tells the two kinds apart best until the label: (B,), (B, T, H)."""
    x, hidden = first[-100:], hidden[-100:, :-1]  # of the last strings, without their last step
    return np.abs(hidden[x].mean(0) - hidden[~x].mean(0)).mean(0).argmax()


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [chunker_22_symbol.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: the surprises of one net, and how many all nets have ----
def surprises(surprised, sequences, net, lag):
    """Picture which positions of the string surprise a net, over its training."""
    many = sequences[net]
    figure, (raster, count) = plt.subplots(
        2, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 1.6)
    )
    columns = min(many, 160)
    groups = np.array_split(surprised[:many, :, net], columns)  # of about five strings each
    image = np.array([group.mean(0) for group in groups]).T  # (lag + 1, columns)
    extent = (0, many, lag + 0.5, -0.5)
    raster.imshow(
        image, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest"
    )
    ticks = [0, *range(5, lag - 2, 5), lag]
    names = ["a or x", *(f"b{k}" for k in ticks[1:-1]), f"b{lag} + label"]
    raster.set_yticks(ticks, names)
    raster.spines[:].set_visible(False)
    raster.tick_params(length=0)
    raster.set_title(
        f"{lag + 1} surprises in a string shrink to one: only these reach the second net"
    )
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    raster.text(0.55 * many, 2.2, "a coin toss: it goes on surprising", va="center", bbox=box)
    words = "the label, until the net knows it by itself"
    raster.text(0.55 * many, lag - 2.2, words, va="center", bbox=box)
    window = 20
    for k, length in enumerate(sequences):
        line = np.convolve(surprised[:length, :, k].sum(1), np.ones(window) / window, "valid")
        color, width = (BLUE, 2.2) if k == net else ("#BBBBBB", 0.8)
        count.plot(np.arange(len(line)) + window, line, color=color, lw=width, zorder=k == net)
    count.set(xlabel="training strings", ylabel="surprises\nper string", yscale="log")
    count.set(xlim=(0, many), ylim=(0.7, 1.3 * (lag + 1)))
    count.set_yticks([1, 2, 5, 10, lag + 1], ["1", "2", "5", "10", f"{lag + 1}"])
    count.minorticks_off()
    count.text(0.55 * many, 14, "the net above", color=BLUE, weight="bold")
    count.text(0.55 * many, 8, f"the other {len(sequences) - 1} nets of the run", color="#777777")
    save(figure, "surprises.png")


# ---- 2: strings to a solution ----
def solved_after(runs, nets):
    """Read off the curves how many nets were through after each number of strings: {x: nets}."""
    x = runs[0]["curve.x"]
    shares = np.diff([run["curve.y"] for run in runs], axis=1, prepend=0).sum(0)  # (101,)
    return {strings: round(share * nets) for strings, share in zip(x, shares) if share > 1e-9}


def sequences_to_solve():
    """Picture how many strings the nets of all recorded seeds needed, and who needed too many."""
    runs, studies = recorded("results.json", chunker_22_symbol), None
    studies = recorded("study.json", study_chunker_22_symbol)
    nets = (QUICK if flags.quick else vars(Config()))["nets"]
    config = study_chunker_22_symbol.Config()
    few, many = config.few * len(studies), config.nets * len(studies)

    def solved(metric):
        return np.mean([study[metric] for study in studies])

    settings = ("one_rate_003", "one_rate_01", "one_rate_03", "one_adam")
    one_net = np.mean([solved(f"{name}.share") for name in settings])
    without = np.mean([run["without.share_5000"] for run in runs])
    rows = (  # words, share of nets, their number, strings that each may see
        ("A does not imitate", without, nets * len(runs), SOON),
        ("A imitates noise", solved("noise.share"), many, config.sequences),
        ("C gets another pair's surprises", solved("foreign.share"), many, config.sequences),
        ("C gets every symbol", solved("uncompressed.share"), many, config.sequences),
        ("one net, errors through 22 steps", one_net, 4 * few, config.rival_sequences),
    )
    figure, ax = plt.subplots(figsize=(9, 4.8))
    after = solved_after(runs, nets)
    for strings, count in after.items():
        height = 0.84 * count / max(after.values())
        ax.plot([strings, strings], [0.42, 0.42 - height], color=GREEN, lw=7, solid_capstyle="butt")
    total = sum(after.values())
    ax.text(1400, 0, f"{total} of {nets * len(runs)} nets", va="center", color=GREEN, weight="bold")
    for y, (_, share, count, budget) in enumerate(rows, 1):
        ax.plot([100, budget], [y, y], color="#BBBBBB", lw=5, solid_capstyle="butt")
        ax.plot(budget, y, "x", color=RED, ms=9, mew=2.2)
        words = f"{round(share * count)} of {count}"
        ax.text(
            1.13 * budget,
            y,
            words,
            va="center",
            color=RED,
            weight="bold",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    ax.set_yticks(range(6), ["A imitates C's state", *(words for words, *_ in rows)])
    for strings, words, side in (
        (5000, "paper: 13 of 17 ", "right"),
        (35_000, "paper: 17 of 17 ", "right"),
    ):
        ax.axvline(strings, **PAPER, zorder=0)
        ax.text(strings, -0.72, words, ha=side, va="center")
    ax.set(xscale="log", xlim=(100, 45_000), ylim=(5.5, -1), xlabel="training strings")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    title = "The lower net comes to solve the task alone only if it imitates the upper one"
    ax.set_title(title, x=-0.34)
    save(figure, "sequences.png")


# ---- 3: what a solution looks like inside ----
def frozen(pair, lag):
    """Let a frozen pair read forty strings: hidden units of A, states of C, and A's guess of them.

    Returns (B, lag + 1, H) and twice (B, lag + 1, state), and which strings began with x (B,).
    """
    first = np.random.default_rng(0).random((40, 1)) < 0.5
    pair.A.learning_rate[:] = 0.0
    pair.C.learning_rate[:] = 0.0
    hidden, states, guesses = [], [], []
    for event in stream(first, lag):
        guesses.append(pair.A.outputs(pair.A.h)[0, pair.event_size :])
        Pair.tick(pair, event)
        hidden.append(pair.A.h[0].copy())
        states.append(pair.chunker_state()[0])
    parts = (np.array(part).reshape(len(first), lag + 1, -1) for part in (hidden, states, guesses))
    return *parts, first[:, 0]


def memory(pair, unit, lag):
    """Picture a memory unit of A, and what A and C hold in strings with a and with x."""
    hidden, states, guesses, x = frozen(pair, lag)
    middle = lag // 2
    part = np.abs(states[x][:, middle].mean(0) - states[~x][:, middle].mean(0)).argmax()
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 6), sharex=True)
    place = np.arange(lag + 1)
    for kind, color, name in ((~x, BLUE, "a"), (x, ORANGE, "x")):
        for string in hidden[kind, :, unit]:
            top.plot(place, string, color=color, lw=0.8, alpha=0.5)
        level = hidden[kind, middle, unit].mean()
        words = f"strings that begin with {name}"
        up = 0.16 if level > hidden[:, middle, unit].mean() else -0.16
        top.text(middle, level + up, words, color=color, weight="bold", va="center", ha="center")
        state, guess = states[kind][:, :, part].mean(0), guesses[kind][:, :, part].mean(0)
        bottom.step(place, state, where="mid", color=color, lw=2)
        bottom.plot(place, guess, "o", color=color, ms=5, mfc="white")
    weight = pair.A.W[0, unit, unit - pair.A.hidden]
    top.set_title(
        f"One unit of A, self-weight {weight:.1f}, holds the first symbol for {lag} steps"
    )
    top.set(ylabel="memory unit", ylim=(-1.3, 1.3))
    low, high = states[:, :, part].min(), states[:, :, part].max()
    bottom.set(ylim=(low - 0.35 * (high - low), high + 0.45 * (high - low)))
    bottom.set(ylabel="one number of C's state", xlabel="position in the string")
    bottom.text(
        1.2, high + 0.25 * (high - low), "lines: C's state, at rest until the next surprise"
    )
    bottom.text(1.2, low - 0.25 * (high - low), "circles: what A predicts of it, a step ahead")
    ticks = [0, *range(5, lag - 2, 5), lag]
    bottom.set_xticks(ticks, ["a or x", *(f"b{k}" for k in ticks[1:-1]), f"b{lag}"])
    save(figure, "memory.png")


config = Config(**(QUICK if flags.quick else {}))
pair, sequences, first, surprised, hidden = filmed(config, flags.seed)
net = np.argsort(sequences, kind="stable")[len(sequences) // 2]
many = sequences[net]
surprises(surprised, sequences, net, config.lag)
sequences_to_solve()
memory(pair.stopped[net], memory_unit(first[:many, net], hidden[:many, :, net]), config.lag)
