# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of the three-level chunker: ribbons, levels, noise."""

import argparse
import json
from pathlib import Path

import chunker_very_deep_1200
import study_chunker_very_deep_1200
from chunker_very_deep_1200 import QUICK, Config, alphabet, build, draw, read
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

DARK = "#555555"
KINDS = {  # colour of each kind of symbol
    "trigger and target": RED,
    "phrase heads": BLUE,
    "word heads": SKY,
    "fillers": "#E4E4E4",
    "Q": BLACK,
}


# ---- what the pictures show: one sequence, and records over seeds ----
def recorded(file, program):
    """Return the metrics of each recorded seed, or those of a quick run."""
    path = Path(__file__).resolve().with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text())["records"]]
    config = program.Config(**program.QUICK)
    table = program.run(config, flags.seed, lambda *_: None)
    return [chunker_very_deep_1200.flatten(table)]


def column(runs, metric):
    """Return what is known of a metric, as an array."""
    return np.array([run[metric] for run in runs if run.get(metric) is not None])


def one_sequence(config, seed):
    """Train the hierarchies of run() again: the first one's answer to an unseen sequence.

    Returns its probabilities (S,), and for each level its events' symbols and times.
    """
    task_rng, build_rng, _ = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    training, unseen = draw(task_rng, config)
    levels, _ = build(build_rng, training, config, lambda *_: None)
    p, streams = read(levels, unseen, config)
    counts = [stream.length[0, 0] for stream in streams]
    pairs = [(s.symbols[0, 0, :n], s.times[0, 0, :n]) for s, n in zip(streams, counts)]
    return p[0, 0], pairs


def kind_of(symbols, config):
    """Return the place of each symbol's kind in KINDS."""
    return np.digitize(symbols, alphabet(config)[:4])


def name_of(symbol, config):
    """Return how a symbol is written."""
    phrase_heads, word_heads, *_ = alphabet(config)
    kind = int(kind_of(symbol, config))
    names = (
        "AB"[symbol % 2],
        f"P{symbol - phrase_heads + 1}",
        f"g{symbol - word_heads + 2}",
        "f",
        "Q",
    )
    return names[kind]


# ---- the pictures ----
def ribbons(config, seed):
    """Draw one sequence as each level reads it."""
    p, levels = one_sequence(config, seed)
    colors = np.array([plt.matplotlib.colors.to_rgb(color) for color in KINDS.values()])
    figure, ax = plt.subplots()
    bottoms, height = (0.0, 1.75, 3.5), 0.55
    centers = []
    for level, ((symbols, _), bottom) in enumerate(zip(levels, bottoms)):
        kinds, many = kind_of(symbols, config), len(symbols)
        centers.append((np.arange(many) + 0.5) / many)
        box = (0, 1, bottom, bottom + height)
        ax.imshow(colors[kinds][None], extent=box, aspect="auto", interpolation="nearest")
        if many > 200:  # a symbol is thinner than a pixel
            heads = np.flatnonzero(kinds != list(KINDS).index("fillers"))
            ends = bottom, bottom + height
            ax.vlines(centers[-1][heads], *ends, color=colors[kinds[heads]], lw=1)
        for place in (0, -1):  # too thin to be seen among a thousand
            x = centers[-1][place]
            ax.plot([x, x], [bottom, bottom + height], color=RED, lw=2.2, solid_capstyle="butt")
        words = f"level {level + 1}\nreads {many}"
        ax.text(-0.015, bottom + height / 2, words, ha="right", va="center", fontsize=11)
        if many < 20:
            edges = np.arange(1, many) / many
            ax.vlines(edges, bottom, bottom + height, color="white", lw=1.5)
            for x, symbol in zip(centers[-1], symbols):
                style = {"ha": "center", "va": "center", "color": "white", "fontsize": 13}
                ax.text(x, bottom + height / 2, name_of(symbol, config), weight="bold", **style)
    for k in (0, 1):
        (_, below), (symbols, above) = levels[k], levels[k + 1]
        for x, symbol, time in zip(centers[k + 1], symbols, above):
            start = centers[k][np.searchsorted(below, time)]
            ends = bottoms[k] + height, bottoms[k + 1]
            color = colors[kind_of(symbol, config)]
            ax.plot([start, x], ends, color=color, lw=1.1 if k else 0.8, zorder=0)
    answer = "AB"[p[:2].argmax()]
    target = name_of(levels[0][0][-1], config)
    words = f"Before the target comes, level 3 answers {answer}; the target is {target}"
    ax.text(1, bottoms[2] + height + 0.14, words, ha="right", va="bottom", fontsize=11)
    handles = [plt.Rectangle((0, 0), 1, 1, fc=color) for color in KINDS.values()]
    style = {"ncols": 5, "loc": "upper center", "handlelength": 1, "columnspacing": 1.4}
    ax.legend(handles, KINDS, bbox_to_anchor=(0.46, -0.02), **style)
    ax.set(xlim=(-0.14, 1.005), ylim=(-0.08, 4.55))
    ax.axis("off")
    counts = [len(symbols) for symbols, _ in levels]
    ax.set_title(f"{counts[0]} symbols, {counts[1]} surprises, {counts[2]} events", fontsize=15)
    save(figure, "ribbons.png")


def levels_compared():
    """Draw the recall of one, two and three levels, a dot for each seed."""
    runs = recorded("results.json", chunker_very_deep_1200)
    studies = recorded("study.json", study_chunker_very_deep_1200)
    rows = (
        (
            "one net on the raw stream,\nbest of three starts",
            column(studies, "raw_recall_best"),
            RED,
        ),
        (
            "two levels, as many updates,\nerrors over all 63 events",
            column(runs, "two_levels.recall"),
            ORANGE,
        ),
        ("three levels", column(runs, "three_levels.recall"), BLUE),
    )
    figure, ax = plt.subplots(figsize=(8, 4))
    for place, (_, values, color) in enumerate(rows):
        spread = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else np.zeros(len(values))
        ax.plot(place + spread, values, "o", color=color, ms=8, alpha=0.8, mew=0)
        if len(values):
            words = f"mean {values.mean():.3f}"
            style = {"color": color, "weight": "bold", "ha": "center", "va": "bottom"}
            ax.text(place, values.max() + 0.025, words, **style)
    ax.axhline(0.5, color=GREY, lw=1.2)
    ax.text(2.6, 0.515, "chance", color=DARK, ha="right", va="bottom")
    ax.set_xticks(range(3), [words for words, _, _ in rows])
    ax.set(xlim=(-0.5, 2.6), ylim=(0.4, 1.09), ylabel="triggers recalled in unseen sequences")
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set_title("One level and two levels guess, three know")
    save(figure, "levels.png")


def noise():
    """Draw events and recall against the share of wrong fillers."""
    studies = recorded("study.json", study_chunker_very_deep_1200)
    rates = study_chunker_very_deep_1200.NOISE
    x = np.arange(len(rates))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    for ax, metric, color, words in (
        (left, "events_level_2", ORANGE, "level 2 reads"),
        (left, "events_level_3", BLUE, "level 3 reads"),
        (right, "recall", GREEN, ""),
    ):
        values = np.array([column(studies, f"{name}.{metric}") for name in rates])  # (5, seeds)
        ax.plot(x, np.median(values, 1), color=color)
        ax.plot(x, values, "o", color=color, ms=6, alpha=0.7, mew=0)
        ax.text(0, np.median(values[0]) * 1.3, words, color=color, weight="bold", va="bottom")
        ax.set_xticks(x, [f"{100 * rate:g} %" for rate in rates.values()])
        ax.set(xlabel="fillers that are wrong")
    left.set(yscale="log", ylabel="events of a sequence", ylim=(6, 200))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("")
    left.set_yticks([10, 20, 50, 100, 200])
    right.set(ylim=(0.4, 1.03), ylabel="triggers recalled")
    right.axhline(0.5, color=GREY, lw=1.2)
    right.text(0, 0.49, "chance", color=DARK, va="top")
    right.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    left.set_title("Noise fills the upper levels,")
    right.set_title("and recall falls to chance")
    save(figure, "noise.png")


def save(figure, name):
    """Write a figure into viz/."""
    path = flags.out / "viz" / name
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
    print(path)


ribbons(Config(**(QUICK if flags.quick else {})), flags.seed)
levels_compared()
noise()
