# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of rs-tomita into viz/: nets from guesses made here, the rest from records."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import rs_tomita
import study_rs_tomita
from rs_tomita import LANGUAGES, ROWS, draw, pick, right_on_all, step, strings
from study_rs_tomita import REGIMES, accepts, is_language, states_of, table_of
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

(flags.out / "viz").mkdir(exist_ok=True)
config = study_rs_tomita.Config(**(study_rs_tomita.QUICK if flags.quick else {}))
TASK = (config.per_class, config.shortest, config.longest)


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
    return [rs_tomita.flatten(program.run(quick, flags.seed, silent))]


studies = recorded(study_rs_tomita, "study.json")

# ---- guesses per solution ------------------------------------------------------------------------
WORDS = {
    "uniform": "500 to 600 bits",
    "near": "500 to 600 bits, near misses",
    "short": "10 to 15 bits",
}
MARKS = {"uniform": "o", "near": "s", "short": "D"}
NAMES = {
    "l1_a1": "language 1, A1\nonly ones",
    "l1_a2": "language 1, A2\nonly ones",
    "l2_a1": "language 2, A1\n(10)*",
    "l2_a2": "language 2, A2\n(10)*",
    "l4_a1": "language 4, A1\nno 000",
}


def interval(hits, guesses):
    """Returns the 95 % interval of guesses per solution, by Wilson and Hilferty; with no hit what
    is seen in n guesses takes more than n / 3."""
    many = hits + 1
    high = many * (1 - 1 / (9 * many) + 1.96 / (3 * many**0.5)) ** 3
    if not hits:
        return guesses / 3, np.inf
    low = hits * max(1 - 1 / (9 * hits) - 1.96 / (3 * hits**0.5), 0.01) ** 3
    return guesses / high, guesses / low


fig, ax = plt.subplots(figsize=(9, 5.6))
for k, row in enumerate(ROWS.values()):
    ax.plot((row.paper, row.paper), (-k - 0.42, -k + 0.42), **PAPER)
    ax.plot(row.paper, -k + 0.42, "*", color=BLACK, markersize=11)
    for j, regime in enumerate(REGIMES):
        order, kind = regime.rsplit("_", 1)
        colour = BLUE if order == "first" else "#B37700"
        y = -k + 0.3 - 0.12 * j
        hits, guesses = (
            sum(one[f"{regime}.{key}"][k] for one in studies) for key in ("hits", "guesses")
        )
        low, high = interval(hits, guesses)
        if not hits:
            ax.plot(low, y, ">", color=colour, markersize=7, markerfacecolor="white")
            continue
        ax.plot((low, high), (y, y), color=colour, linewidth=1.4)
        filled = colour if kind == "uniform" else "white"
        ax.plot(guesses / hits, y, MARKS[kind], color=colour, markersize=6, markerfacecolor=filled)
ax.set_yticks([-k for k in range(len(ROWS))], NAMES.values())
ax.tick_params(axis="y", length=0)
ax.set(xscale="log", xlim=(40, 1e7), ylim=(-len(ROWS) + 0.45, 0.55))
ax.set(xlabel="guesses per solution, with 95 % intervals")
for k in range(1, len(ROWS)):
    ax.axhline(-k + 0.5, color="#DDDDDD", linewidth=0.8)
handles = []
for regime in REGIMES:
    order, kind = regime.rsplit("_", 1)
    colour = BLUE if order == "first" else "#B37700"
    filled = colour if kind == "uniform" else "white"
    style = {"linestyle": "none", "color": colour, "markersize": 6, "markerfacecolor": filled}
    handles.append(plt.Line2D([], [], marker=MARKS[kind], label=WORDS[kind], **style))
style = {"fontsize": 9, "alignment": "left", "loc": "upper right", "borderaxespad": 0}
style |= {"frameon": True, "facecolor": "white", "framealpha": 1, "edgecolor": "none"}
first = ax.legend(handles=handles[:3], title="hidden units first: the experiment", **style)
ax.add_artist(first)
style["bbox_to_anchor"] = (1, 0.79)
second = ax.legend(handles=handles[3:], title="all units at once", **style)
for legend, colour in ((first, BLUE), (second, "#B37700")):
    legend.get_title().set(color=colour, weight="bold", fontsize=9.5)
note = "star and dashes: the paper\nopen triangle: at least so many"
ax.text(9e6, -2, note, ha="right", va="center", fontsize=9)
ax.set_title("The answer depends on the strings and on the order of updates")
save(fig, "density")

# ---- how much random nets have right -------------------------------------------------------------
NETS = 500 if flags.quick else 10_000


def scores(row, rng):
    """Returns how many of the training strings each random net has right, as a table of its
    saturated states, (N,)."""
    data = strings(LANGUAGES[row.language], *TASK, rng)
    tables, counts = np.unique(
        table_of(draw(row.net, config.weight_range, NETS, rng)), axis=2, return_counts=True
    )  # (2, K, M) those that differ, and how often each occurs, (M,)
    net = np.arange(len(counts))
    score = np.zeros(len(counts), np.intp)  # (M,)
    for k, length in enumerate(data.length):
        state = np.zeros(len(counts), np.uint8)  # (M,)
        for bit in (data.x[:length, k, 0] > 0).astype(int):
            state = tables[bit, state, net]
        score += (state >= tables.shape[1] // 2) == (data.target[k, 0] > 0)
    return np.repeat(score, counts)


COLOURS = {1: BLUE, 2: "#B37700", 4: GREEN}
fig, axes = plt.subplots(1, 3, figsize=(9, 3.7), sharey=True)
streams = np.random.SeedSequence([flags.seed, 4]).spawn(3)
perfect = close = 0
for ax, name, stream in zip(axes, ("l1_a1", "l2_a1", "l4_a1"), streams):
    row = ROWS[name]
    full = 2 * config.per_class
    counts = np.bincount(scores(row, np.random.default_rng(stream)), minlength=full + 1)
    perfect += counts[full]
    close += counts[full - full // 20 : full].sum()
    shades = [COLOURS[row.language]] * full + [RED]
    ax.bar(range(full + 1), counts, width=1.6, color=shades)
    ax.set(yscale="log", ylim=(0.6, 3 * NETS), xlim=(-4, full + 4))
    ax.set(xlabel=f"training strings right, of {full}", xticks=(0, full // 2, full))
    ax.set_title(f"language {row.language}: {LANGUAGES[row.language].says}", fontsize=10)
    style = {"color": RED, "ha": "right", "va": "top", "fontsize": 10, "transform": ax.transAxes}
    ax.text(0.99, 0.97, f"all {full} right: {counts[full]}", **style)
axes[0].set_ylabel(f"random nets, of {NETS:,}")
near = f"{full - full // 20} to {full - 1}"
title = f"No slope leads up: {perfect} random nets are right on all, {close or 'none'} on {near}"
fig.suptitle(title, x=0.01, ha="left", fontsize=12, weight="bold")
save(fig, "accuracy")

# ---- automata ------------------------------------------------------------------------------------
ARROW = {"arrowstyle": "-|>", "linewidth": 1.2, "mutation_scale": 11}


def arrow(ax, begin, end, colour, bend):
    """Draws an arrow between two discs; from a disc to itself a loop away from the middle."""
    begin, end = np.asarray(begin, float), np.asarray(end, float)
    if np.allclose(begin, end):
        out = begin / max(np.hypot(*begin), 1e-9)
        side = np.array([-out[1], out[0]]) * (0.17 if bend < 0.2 else 0.11)
        style = ARROW | {"color": colour, "connectionstyle": "arc3,rad=-1.8"}
        style |= {"shrinkA": 0, "shrinkB": 0}
        ax.annotate("", begin + 0.15 * out - side, begin + 0.15 * out + side, arrowprops=style)
        return
    style = ARROW | {"color": colour, "connectionstyle": f"arc3,rad={bend}"}
    ax.annotate("", end, begin, arrowprops=style | {"shrinkA": 10, "shrinkB": 10})


def draw_graph(ax, after, says, title, colour=BLACK):
    """Draws states on a circle, the first on top, with what 0 and 1 lead to."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(after)) / len(after)
    at = np.stack([np.cos(angle), np.sin(angle)], 1)  # (K, 2)
    for k, both in enumerate(after):
        for bit, shade, bend in ((0, ORANGE, 0.16), (1, BLUE, 0.28)):
            arrow(ax, at[k], at[both[bit]], shade, bend)
    for k, (x, y) in enumerate(at):
        face = GREEN if says[k] > 0.9 else "white" if says[k] < 0.1 else YELLOW
        ax.plot(x, y, "o", color=BLACK, markersize=16, markerfacecolor=face, zorder=3)
    ax.annotate("", at[0] + [-0.1, 0.08], at[0] + [-0.5, 0.35], arrowprops=ARROW | {"color": BLACK})
    ax.set(xlim=(-1.65, 1.65), ylim=(-1.45, 1.5), aspect="equal")
    ax.axis("off")
    ax.set_title(title, fontsize=10, loc="center", weight="normal", color=colour, pad=2)


def mistake(states, after, language):
    """Returns a shortest string of a bit or more on which a net is wrong, or None."""
    words = {(0, 0): ""}  # of each pair of states: a string that leads there, shortest first
    seen = set()
    while words:
        (state, place), word = next(iter(words.items()))
        del words[state, place]
        for bit in (0, 1):
            pair = (int(after[state, bit]), language.next[place][bit])
            if abs(states[pair[0], -1] - (pair[1] in language.accepting)) >= config.tolerance:
                return f"{word}{bit}"
            if pair not in seen:
                seen.add(pair)
                words[pair] = f"{word}{bit}"
    return None


def found(name, rng):
    """Guesses at a row: returns a net that is the language and one that is not, those of the fewest
    states among the nets that are right on 100 strings, each with its number of guess."""
    row = ROWS[name]
    best = {True: None, False: None}
    data = strings(LANGUAGES[row.language], *TASK, rng)
    for first in range(0, 300 if flags.quick else 12_000, 1000):
        nets = draw(row.net, config.weight_range, 1000, rng)
        for k in np.flatnonzero(right_on_all(nets, data, config.tolerance)):
            net = pick(nets, [k])
            states, after = states_of(net, 12, step)
            if states is None:
                continue
            proved = is_language(net, LANGUAGES[row.language], config)
            if best[proved] is None or len(states) < len(best[proved][1]):
                best[proved] = first + int(k) + 1, states, after
    return best


fig, axes = plt.subplots(2, 3, figsize=(9, 6.2))
streams = np.random.SeedSequence([flags.seed, 5]).spawn(2)
for line, name, stream in zip(axes, ("l1_a1", "l2_a1"), streams):
    language = LANGUAGES[ROWS[name].language]
    accepting = np.isin(np.arange(len(language.next)), language.accepting)  # (Q,)
    title = f"language {ROWS[name].language}, {language.says}:\nits smallest automaton"
    draw_graph(line[0], language.next, accepting, title)
    best = found(name, np.random.default_rng(stream))
    for ax, proved in zip(line[1:], (True, False)):
        ax.axis("off")
        if best[proved] is None:
            ax.text(0, 0, "no such net was found", ha="center")
            ax.set(xlim=(-1, 1), ylim=(-1, 1))
            continue
        number, states, after = best[proved]
        word = mistake(states, after, language)
        said = f"guess {number:,}, proved right\non strings of all lengths"
        if not proved:
            answer = (
                "yes" if not accepts(language, np.array([int(bit) - 0.5 for bit in word])) else "no"
            )
            said = f"guess {number:,}, right on 100 strings,\nbut it says {answer} to {word}"
        draw_graph(ax, after, states[:, -1], said, "#007A59" if proved else RED)
fig.text(
    0.5,
    0.012,
    "orange: after a 0, blue: after a 1; green: says yes, white: no, yellow: neither",
    ha="center",
    fontsize=9.5,
    color="#444444",
)
fig.suptitle(
    "What was guessed: automata that are the language,\n"
    "and others that pass for it on a hundred strings",
    x=0.01,
    ha="left",
    fontsize=12,
    weight="bold",
)
fig.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))
save(fig, "automaton")
