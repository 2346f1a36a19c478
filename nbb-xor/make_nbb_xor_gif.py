# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "matplotlib", "pillow"]
# ///
"""The animation of the Neural Bucket Brigade on XOR: coins run backwards along the path that fired."""
import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from nbb_xor import PATTERNS, QUICK, TARGETS, Config, Variant, train

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

INPUTS, HIDDEN = [(2.1, 7.0), (2.1, 4.8), (2.1, 2.6)], [(5.6, 7.2), (5.6, 4.8), (5.6, 2.4)]
OUTPUTS = [(9.0, 5.9), (9.0, 3.7)]
REWARD = (11.0, 4.8)
STRIP = LinearSegmentedColormap.from_list("strip", ["#F0B89A", GREEN])  # from never right to always right
LIGHT = {True: "#CDEBE0", False: "#F8DCCB"}  # a cell of the truth table: right or wrong
INK = {True: GREEN, False: RED}


def record(config, seed):
    """The life of the net with the median time to 50 in a row (or to less, if none gets there).

    life[n - 1] is the net after n presentations and how it takes the pattern that comes next, before it learns from it:
    (pattern, hidden winner, answers (4,), weights (3, 3), weights (6, 2)).
    """
    nets, drawn = [], []

    def keep(_, pattern, right, brigade):
        drawn.append(pattern)
        nets.append((brigade.answers(), brigade.to_hidden.copy(), brigade.to_output.copy()))

    def life(s):
        entries = zip(drawn[1:], nets[:-1], strict=True)
        return [(now[s], (PATTERNS[now[s]] @ net[1][:, :, s]).argmax(), *(part[..., s] for part in net))
                for now, net in entries]

    watched = replace(config, follow=config.presentations)  # go on to the cap: we want to see what becomes of it
    outcome = train(watched, np.random.SeedSequence(seed).spawn(2)[0], (3,), [Variant()], callback=keep)
    for name, words in (("stable50", "fifty in a row"), ("stable4", "four in a row"), ("first", "and so far")):
        when = outcome[name][0]
        if when.any():
            solved = np.flatnonzero(when)
            net = solved[np.argsort(when[solved], kind="stable")[len(solved) // 2]]
            return life(net), outcome["first"][0][net], when[net], words
    return life(0), len(nets) - 1, len(nets) - 1, "not found yet"


def path_of(entry):
    """Whom the coins pass, from the winning output on: [(units, weight of the first connection)]."""
    pattern, hidden, answers, to_hidden, to_output = entry
    output = answers[pattern]
    active = np.flatnonzero(PATTERNS[pattern])
    routes = [([OUTPUTS[output], INPUTS[i]], to_output[i, output]) for i in active]
    fed = PATTERNS[pattern] * to_hidden[:, hidden]
    return routes + [([OUTPUTS[output], HIDDEN[hidden], INPUTS[i]],
                      to_output[3 + hidden, output] * fed[i] / fed.sum() * 1.5) for i in active]


def answers_right(entry):
    """Whether the net answers the presented pattern right."""
    return entry[2][entry[0]] == TARGETS[entry[0]]


def coins(ax, entry, phase):
    """Coins under way; each leaves a little after the one before it, and what reaches an input is lost."""
    right = answers_right(entry)
    for r, (route, weight) in enumerate(path_of(entry)):
        stops = np.array(([REWARD] if right else []) + route + [(0.28, route[-1][1])])
        steps = np.hypot(*np.diff(stops, axis=0).T)
        for k in range(int(round(3 * float(weight)))):
            done = (phase - 0.13 * k - 0.04 * r) * (1.0 if right else 0.85)
            if 0 < done < 1:
                way = done * steps.sum()
                leg = min(np.searchsorted(np.cumsum(steps), way), len(steps) - 1)
                start, end = stops[leg], stops[leg + 1]
                x, y = start + (end - start) * (way - steps[:leg].sum()) / steps[leg]
                ax.add_patch(plt.Circle((x, y), 0.16, fc=YELLOW, ec="#B87A00", lw=1.4, zorder=8))


def draw(figure, life, n, first, end, caption, stage, phase):
    """One frame: the net after n presentations. stage 0: the next pattern, 1: hidden units fire, 2: outputs, 3: pay."""
    figure.clear()
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 16), ylim=(0, 9))
    ax.axis("off")
    entry = life[n - 1]
    pattern, hidden, answers, to_hidden, to_output = entry
    output, right = answers[pattern], answers_right(entry)
    ax.text(0.3, 8.62, "XOR by bucket brigade: coins run backwards along the path that fired", fontsize=13.5,
            weight="bold", va="center")
    ax.add_patch(plt.Rectangle((0, 1.9), 0.55, 5.9, fc="#E4E4E4", ec="none"))
    ax.text(0.26, 5.9, "lost", rotation=90, ha="center", va="center", fontsize=11, color="#555555")
    for (x, _), name in zip((INPUTS[0], HIDDEN[0], OUTPUTS[0]), ("inputs", "hidden units", "outputs"), strict=True):
        ax.text(x, 8.0, name, ha="center", va="center", fontsize=10.5, color="#555555")
    for i, a in enumerate(INPUTS + HIDDEN):
        active = stage >= 1 if i < 3 else stage >= 2
        sends = active and (PATTERNS[pattern][i] == 1 if i < 3 else hidden == i - 3)
        edges = [(b, to_hidden[i, j], sends and hidden == j) for j, b in enumerate(HIDDEN)] if i < 3 else []
        edges += [(b, to_output[i, j], sends and output == j and stage >= 2) for j, b in enumerate(OUTPUTS)]
        for b, weight, on in edges:
            ax.plot(*zip(a, b, strict=True), color=(INK[right] if stage >= 3 else "#555555") if on else "#D4D4D4",
                    lw=5 * float(weight), zorder=2 if on else 1, solid_capstyle="round")
    cases = ["\n".join(served) if n == end else "" for served in serves(entry)]
    on_hidden = [stage >= 1 and hidden == j for j in range(3)]
    on_output = [stage >= 2 and output == j for j in range(2)]
    groups = ((INPUTS, PATTERNS[pattern] == 1, [f"{v:.0f}" for v in PATTERNS[pattern]]), (HIDDEN, on_hidden, cases),
              (OUTPUTS, on_output, "01"))
    for places, fires, names in groups:
        for place, on, name in zip(places, fires, names, strict=True):
            fill = (INK[right] if places is OUTPUTS and stage >= 3 else BLACK) if on else "white"
            ax.add_patch(plt.Circle(place, 0.46, fc=fill, ec=fill if on else GREY, lw=1.8, zorder=4))
            ax.text(*place, name, color="white" if on else "#666666", ha="center", va="center_baseline", weight="bold",
                    fontsize=12 if places is HIDDEN else 13, linespacing=1.0, zorder=5)
    for (x, y), name in zip(INPUTS, ("$x_1$", "$x_2$", "always"), strict=True):
        ax.text(x - 0.45, y + 0.47, name, ha="right", va="center", fontsize=10.5, color="#555555")
    paid = stage >= 3 and right
    ax.add_patch(FancyBboxPatch((10.35, 4.35), 1.3, 0.9, boxstyle="round,pad=0,rounding_size=0.2", zorder=4,
                                fc=GREEN if paid else "white", ec=INK[right] if stage >= 3 else GREY, lw=1.8))
    word = ("pays" if right else "no pay") if stage >= 3 else "reward"
    ax.text(11.0, 4.8, word, ha="center", va="center", fontsize=11, weight="bold", zorder=9 if not paid else 5,
            color="white" if paid else RED if stage >= 3 else GREY)
    if phase is not None:
        coins(ax, entry, phase)
    ax.text(14.0, 7.75, f"presentations: {n}", ha="center", va="center", fontsize=10.5, weight="bold")
    for k, (x1, x2, _) in enumerate(PATTERNS):
        y, good = 6.2 - 1.3 * k, answers[k] == TARGETS[k]
        shown = k == pattern
        ax.add_patch(FancyBboxPatch((12.35, y), 3.3, 1.1, boxstyle="round,pad=0,rounding_size=0.18", fc=LIGHT[good],
                                    ec=BLACK if shown else "none", lw=1.6))
        ax.text(12.6, y + 0.52, f"{x1:.0f} xor {x2:.0f} ?", va="center", fontsize=12)
        ax.text(15.4, y + 0.52, f"{answers[k]} {'✓' if good else '✗'}", va="center", ha="right", fontsize=14,
                weight="bold", color=INK[good])
    strip(ax, life, n, first, end)
    ax.text(8.0, 0.42, caption, ha="center", va="center", fontsize=12)


def serves(entry):
    """The patterns for which each hidden unit fires, in words."""
    wins = (PATTERNS @ entry[3]).argmax(1)
    return [[f"{x1:.0f}{x2:.0f}" for (x1, x2, _), winner in zip(PATTERNS, wins, strict=True) if winner == j]
            for j in range(3)]


def strip(ax, life, n, first, end):
    """From the first solution on: green where all four answers were right, the mean of a few presentations a column."""
    ax.add_patch(plt.Rectangle((0.7, 0.85), 14.9, 0.42, fc="#F4F4F4", ec="none"))
    if n >= first:
        solved = np.array([(entry[2] == TARGETS).all() for entry in life[first - 1:n]], float)
        columns = np.minimum(np.arange(len(solved)) * 360 // max(end - first + 1, 1), 359)
        counts = np.bincount(columns)
        image = (np.bincount(columns, solved) / np.maximum(counts, 1))[None]
        ax.imshow(image, extent=(0.7, 1.2 + 14.4 * len(image[0]) / 360, 0.85, 1.27), aspect="auto", cmap=STRIP, vmin=0,
                  vmax=1, interpolation="nearest", zorder=3)
        ax.set(xlim=(0, 16), ylim=(0, 9))
    text = f"since the first solution: green while all four are right ({n - first} presentations)"
    ax.text(0.7, 1.35, text if n >= first else "since the first solution:", fontsize=10.5, va="bottom", color="#555555")


def frames(life, first, when, end, words):
    """(presentation, caption, stage, phase of the coins, milliseconds) of every frame, in order."""
    rights = [answers_right(entry) and entry[0] in (1, 2) for entry in life]
    wrongs = [not answers_right(entry) for entry in life]
    scenes = ((rights, "Right: paid from outside, every winner pays those that made it fire"),
              (wrongs, "Wrong: not paid, yet the winners pay all the same: this path gets poorer"))
    steps, n = 4 if flags.quick else 15, 0
    for found, words_paid in scenes:
        n = n + 1 + found[n:].index(True)
        yield n, "A pattern is shown", 0, None, 400
        for stage in (1, 2):
            yield n, "In each group the unit with the largest input fires and silences the others", stage, None, 330
        for k in range(steps):
            yield n, words_paid, 3, 1.5 * (k + 0.5) / steps, 1200 // steps // 10 * 10
    def drift(k):
        return 0.3 + 0.17 * (k % 5)

    many = 3 if flags.quick else 22
    slow = np.unique(np.linspace(1, max(first - 1, 1), many).astype(int))
    for k, n in enumerate(slow):
        yield n, "And again, hundreds of times; a line is as wide as the substance it holds", 3, drift(k), 90
    yield first, f"After {first} presentations all four are right, for the first time", 3, 0.5, 900
    for k, n in enumerate(np.unique(np.linspace(first, end, many + 4).astype(int))[1:-1]):
        yield n, "Learning goes on: the solution is lost, found, lost, and at last it stays", 3, drift(k), 90
    own = sorted(map(len, serves(life[end - 1]))) == [1, 1, 2]
    last = f"First solved at {first}, {words} at {when}"
    yield end, last + (": each hidden unit has its own case" if own else ""), 3, 0.45, 2000


life, first, when, words = record(Config(**(QUICK if flags.quick else {})), flags.seed)
end = min(len(life), when + (when - first) // 3 + 1)
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for n, caption, stage, phase, duration in frames(life, first, when, end, words):
    draw(figure, life, n, first, end, caption, stage, phase)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(int(duration))
palette = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::6]])).quantize(96)
colors = np.array(palette.getpalette()).reshape(-1, 3)  # one palette for all frames, so that nothing flickers
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "nbb_xor.gif"
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0, optimize=False, disposal=1)
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
