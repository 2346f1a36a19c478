# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of rs-tomita into viz/: statistics from results.json and study.json, nets from
searches made here.

python3 visualize_rs_tomita.py            the pictures
python3 visualize_rs_tomita.py --quick    the same code on a run too short to say anything
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rs_tomita as rt

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

VIZ = flags.out / "viz"
VIZ.mkdir(exist_ok=True)
CONFIG = rt.Config(**rt.QUICK) if flags.quick else rt.Config()
COLOURS = {1: BLUE, 2: ORANGE, 4: GREEN}
PUBLISHED = {"A1": {1: 182, 2: 1511, 4: 13833}, "A2": {1: 288, 2: 17953, 4: 35610}}


def recorded(name, otherwise):
    """The metrics in a recorded file, a list with one entry per run; where there is none, those of
    otherwise()."""
    path = Path(rt.__file__).with_name(name)
    if flags.quick or not path.exists():
        return otherwise()
    found = json.loads(path.read_text("utf-8"))
    return [record["metrics"] for record in found["records"]]


def save(figure, name):
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


def draw_density(study):
    """Guesses per solution: the paper's table in our regimes, and all seven languages by size of
    the net."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5.6), width_ratios=(1.1, 1))
    rows = [
        (
            f"{kind}, {regime}",
            number,
            f"t{number}_{regime}" if kind == "A1" else f"a2_t{number}_{regime}",
            kind,
        )
        for number in rt.PAPER_NETS
        for kind, regimes in (
            ("A1", ("short", "medium", "near", "long")),
            ("A2", ("medium", "long")),
        )
        for regime in regimes
    ]
    place, ticks = 0.0, []
    for k, (_, number, name, kind) in enumerate(rows):
        place -= 1.8 if k and rows[k - 1][1] != number else 1.0
        ticks.append(place)
        mean, low, high = (study[f"{name}_{key}"] for key in ("mean", "low", "high"))
        if mean is None:
            left.plot(low, place, ">", color=COLOURS[number], markersize=7, markerfacecolor="white")
        else:
            left.plot([low, high or 10 * mean], [place, place], color=COLOURS[number], linewidth=2)
            left.plot(mean, place, "o", color=COLOURS[number], markersize=6)
        left.plot(
            PUBLISHED[kind][number], place, "*", color=BLACK, markersize=9, markerfacecolor="white"
        )
        if not k or rows[k - 1][1] != number:
            left.text(
                2e7,
                place + 0.75,
                f"language {number}: {rt.LANGUAGES[number].says}",
                ha="right",
                fontsize=9.5,
                weight="bold",
                color=COLOURS[number],
            )
    left.set(
        xscale="log",
        xlim=(50, 2e7),
        ylim=(place - 0.8, 0.6),
        yticks=ticks,
        xlabel="guesses per solution",
    )
    left.set_yticklabels([label for label, *_ in rows], fontsize=8.5)
    left.set_title("The paper's table (stars) and ours", fontsize=11)
    shades = dict(zip(CONFIG.study_sizes, (SKY, BLUE, PINK, RED)))
    for number in rt.LANGUAGES:
        for k, (hidden, colour) in enumerate(shades.items()):
            y = -number - 0.17 * (k - 1.5)
            mean, low, high = (
                study[f"a1_{hidden}_t{number}_medium_{key}"] for key in ("mean", "low", "high")
            )
            if mean is None:
                right.plot(low, y, ">", color=colour, markersize=5, markerfacecolor="white")
            else:
                right.plot([low, high or 10 * mean], [y, y], color=colour, linewidth=1.5)
                right.plot(mean, y, "o", color=colour, markersize=5)
    for k, (hidden, colour) in enumerate(shades.items()):
        right.text(
            0.98,
            0.97 - 0.05 * k,
            f"{hidden} hidden unit{'s' if hidden > 1 else ''}",
            transform=right.transAxes,
            color=colour,
            ha="right",
            va="top",
            fontsize=9,
            weight="bold",
        )
    right.set(
        xscale="log",
        xlim=(50, 2e7),
        ylim=(-7.6, 0.4),
        yticks=[-n for n in rt.LANGUAGES],
        xlabel="guesses per solution, strings of 10 to 15",
    )
    right.set_yticklabels(
        [
            f"{n}: {language.says}".replace(" run of 0s after", "\nrun of 0s after")
            .replace(" of 0s and", "\nof 0s and")
            .replace(" less zeros", " less zeros\n")
            for n, language in rt.LANGUAGES.items()
        ],
        fontsize=8.5,
    )
    right.set_title("All seven languages", fontsize=11)
    figure.suptitle(
        "Guessing finds languages 1 and 2 at once, 4 hardly, the others not at all",
        weight="bold",
        fontsize=12,
        x=0.01,
        ha="left",
    )
    save(figure, "density.png")


def draw_accuracy():
    """How many training strings a random net has right."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True)
    for ax, (number, shape) in zip(axes, rt.PAPER_NETS.items()):
        rng = np.random.default_rng(flags.seed)
        strings = rt.strings_for(number, "medium", CONFIG, rng)
        many = 2000 if flags.quick else 200_000
        right = np.concatenate(
            [
                rt.accuracy(shape, rt.guesses(shape, 2000, CONFIG, rng), strings, CONFIG)
                for _ in range(many // 2000)
            ]
        )
        counts = np.bincount((right * 100).round().astype(int), minlength=101)
        colours = [COLOURS[number]] * 100 + [RED]
        ax.bar(range(101), np.where(counts, counts, 0.1), width=1.0, color=colours)
        ax.set(
            yscale="log", ylim=(0.7, many), xlabel="training strings right, of 100", xlim=(-2, 103)
        )
        ax.set_title(f"{number}: {rt.LANGUAGES[number].says}", fontsize=10.5)
        perfect = counts[100]
        ax.annotate(
            f"all right:\n{perfect:,} of {many:,}",
            (100, max(perfect, 0.8)),
            (97, many / 4),
            ha="right",
            va="top",
            fontsize=9,
            color=RED,
            bbox={"color": "white", "pad": 1.5},
            arrowprops={"arrowstyle": "-", "color": RED, "linewidth": 0.8},
        )
    axes[0].set_ylabel("random nets")
    figure.suptitle(
        "Most nets say the same to everything; right nets are rare, "
        "but not at the end of any slope",
        weight="bold",
        fontsize=12,
        x=0.01,
        ha="left",
    )
    save(figure, "accuracy.png")


def draw_waiting(runs):
    """Waiting times of all recorded searches, in units of their mean."""
    figure, ax = plt.subplots(figsize=(8, 4.6))
    x = np.linspace(0, 6, 200)
    ax.plot(x, np.exp(-x), **PAPER)
    ax.text(3.15, 0.047, "exponential", fontsize=9.5, color=BLACK)
    styles = {"short": ":", "medium": "-", "long": "--"}
    for number, regime in rt.ROWS:
        trials = np.sort([run[f"t{number}_{regime}_trials"] for run in runs])
        share = 1 - np.arange(len(trials)) / len(trials)
        ax.step(
            np.append(0, trials / trials.mean()),
            np.append(1, share),
            where="pre",
            color=COLOURS[number],
            linestyle=styles[regime],
            linewidth=1.4,
            label=f"language {number}, {regime}: mean {trials.mean():,.0f}",
        )
    ax.set(
        yscale="log",
        ylim=(0.5 / max(len(runs), 2), 1.1),
        xlim=(0, 6),
        xlabel="guesses, in units of their mean",
        ylabel="share of the searches still going",
    )
    ax.legend(loc="upper right", fontsize=9)
    ax.set_title(f"Searching by dice has no memory: {len(runs)} searches each")
    save(figure, "waiting.png")


def arrow(ax, a, b, colour, bend):
    """From a to b, short of the nodes; from a node to itself a small loop, away from the origin."""
    a, b = np.asarray(a), np.asarray(b)
    if np.allclose(a, b):
        out = a / max(np.hypot(*a), 1e-9)
        side = np.array([-out[1], out[0]]) * (0.09 if bend < 0.2 else 0.06)
        ax.annotate(
            "",
            a + 0.1 * out - side,
            a + 0.1 * out + side,
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "linewidth": 1.1,
                "connectionstyle": "arc3,rad=-1.9",
            },
        )
    else:
        ax.annotate(
            "",
            b,
            a,
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "linewidth": 1.1,
                "shrinkA": 9,
                "shrinkB": 9,
                "connectionstyle": f"arc3,rad={bend}",
            },
        )


def draw_graph(ax, moves, yes, sure, title):
    """States on a circle, the first on top; orange arrows for 0, blue for 1."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(moves)) / len(moves)
    at = np.stack([np.cos(angle), np.sin(angle)], 1) * (1 if len(moves) > 1 else 0)
    for k, pair in enumerate(moves):
        for symbol, colour, bend in ((0, ORANGE, 0.18), (1, BLUE, 0.28)):
            arrow(ax, at[k], at[pair[symbol]], colour, bend)
    size = 15 if len(moves) <= 12 else 9
    for k, (x, y) in enumerate(at):
        face = GREEN if yes[k] and sure[k] else "white" if sure[k] else YELLOW
        ax.plot(x, y, "o", color=BLACK, markersize=size, markerfacecolor=face, zorder=3)
    ax.annotate(
        "",
        at[0] + [-0.08, 0.06],
        at[0] + [-0.42, 0.3],
        arrowprops={"arrowstyle": "-|>", "color": BLACK},
    )
    ax.set(xlim=(-1.45, 1.45), ylim=(-1.4, 1.55), aspect="equal")
    ax.axis("off")
    ax.set_title(title, fontsize=10, loc="center", weight="normal")


def draw_automata():
    """Small nets that were found, state by state, below the automata that they imitate."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 7))
    for (above, below), (number, regime) in zip(axes.T, ((1, "medium"), (2, "near"), (4, "long"))):
        language, shape = rt.LANGUAGES[number], rt.PAPER_NETS[number]
        table, accepting = language.table()
        draw_graph(
            above,
            table,
            accepting,
            accepting | True,
            f"{number}: {language.says}\nsmallest automaton",
        )
        for attempt in range(
            1 if flags.quick else 20
        ):  # the first search whose net has few enough states to draw
            rng = np.random.default_rng([flags.seed, number, attempt])
            strings = rt.strings_for(number, regime, CONFIG, rng)
            theta, trials, _ = rt.search(shape, strings, CONFIG, rng)
            if theta is None:
                continue
            walk, moves = rt.Walk(shape, theta), []
            while len(moves) < len(walk.states) and len(moves) <= 40:
                moves.append((walk.move(len(moves), 0), walk.move(len(moves), 1)))
            if len(walk.states) <= 40:
                break
        else:
            below.axis("off")
            continue
        proof = rt.exact(walk, language, int(strings.lengths.min()), CONFIG)
        says = np.array([walk.says(k) for k in range(len(walk.states))])
        verdict = (
            f"right on every string of {strings.lengths.min()} symbols and more"
            if proof
            else "right in training, wrong somewhere"
        )
        draw_graph(
            below,
            moves,
            says > 0.5,
            np.abs(says - 0.5) > 0.4,
            f"net no. {trials:,}: {len(says)} states\n{verdict}",
        )
    figure.text(
        0.5,
        0.005,
        "orange: after a 0, blue: after a 1; green: says yes, white: no, yellow: undecided",
        ha="center",
        fontsize=9.5,
        color="#555555",
    )
    figure.suptitle(
        "What dice found: finite automata, larger than they need to be, "
        "and not always the right ones",
        weight="bold",
        fontsize=12,
        x=0.01,
        ha="left",
    )
    save(figure, "automaton.png")


draw_density(recorded("study.json", lambda: [rt.study(CONFIG, flags.seed)])[0])
draw_waiting(recorded("results.json", lambda: [rt.run(CONFIG, seed) for seed in range(3)]))
draw_accuracy()
draw_automata()
