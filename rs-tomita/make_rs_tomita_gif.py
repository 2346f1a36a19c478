# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: nets drawn by dice flash by until one has all training strings of language 2
right; then its states unfold while it reads strings that it never saw.

    python3 make_rs_tomita_gif.py            the animation
    python3 make_rs_tomita_gif.py --quick    fewer frames, shorter search
"""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rs_tomita as rt
from PIL import Image

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

ROWS, COLUMNS, NUMBER = 8, 12, 2
CONFIG = rt.Config()
HUES = plt.get_cmap("cividis")


def prepare():
    """The first search, from the seed on, that takes at least 300 and at most 3000 guesses: enough
    dice to watch."""
    language, shape, seed = rt.LANGUAGES[NUMBER], rt.PAPER_NETS[NUMBER], flags.seed
    while True:
        rng = np.random.default_rng([seed, 1])
        strings = rt.strings_for(NUMBER, "medium", CONFIG, rng)
        state = rng.bit_generator.state
        theta, trials, _ = rt.search(shape, strings, CONFIG, rng)
        if theta is not None and 300 <= trials <= 3000:
            break
        seed += 1
    again = np.random.default_rng(flags.seed)
    again.bit_generator.state = state
    drawn = rt.guesses(shape, trials, CONFIG, again)
    scores = rt.accuracy(shape, drawn, strings, CONFIG)
    return language, shape, theta, trials, scores, rt.strings_for(NUMBER, "medium", CONFIG, rng)


def graph(ax, walk, path, known, places):
    """The states met so far, each at its place on a circle; the present one large."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(places)) / len(places)
    at = {state: np.array([np.cos(a), np.sin(a)]) for state, a in zip(places, angle)}
    for (state, symbol), after in known.items():
        colour = ORANGE if symbol == 0 else BLUE
        if state != after:
            ax.annotate(
                "",
                at[after],
                at[state],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": colour,
                    "linewidth": 0.9,
                    "alpha": 0.6,
                    "shrinkA": 7,
                    "shrinkB": 7,
                    "connectionstyle": "arc3,rad=0.2",
                },
            )
    for k in sorted({0} | {state for state, _ in known} | set(known.values())):
        now = k == path[-1]
        ax.plot(
            *at[k],
            "o",
            color=BLACK,
            markersize=16 if now else 10,
            markeredgewidth=2 if now else 0.8,
            markerfacecolor=BLACK if walk.says(k) > 0.9 else "white",
        )
    ax.set(xlim=(-1.3, 1.3), ylim=(-1.25, 1.25), aspect="equal")
    ax.axis("off")
    ax.figure.text(
        0.52,
        0.022,
        "a circle: a state, filled where it says yes; orange: 0, blue: 1",
        fontsize=9,
        color="#555555",
    )


def dice(figure, scores, first, found):
    """One handful of nets as coloured squares; the winning one framed."""
    ax = figure.add_axes((0.03, 0.10, 0.45, 0.72))
    part = np.full(ROWS * COLUMNS, np.nan)
    here = scores[first : first + len(part)]
    part[: len(here)] = here
    ax.imshow(part.reshape(ROWS, COLUMNS), cmap=HUES, vmin=0.4, vmax=1, aspect="equal")
    for k, score in enumerate(here):
        ax.text(
            k % COLUMNS,
            k // COLUMNS,
            f"{100 * score:.0f}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if score < 0.75 else BLACK,
        )
    if found:
        k = len(here) - 1
        ax.add_patch(
            plt.Rectangle(
                (k % COLUMNS - 0.5, k // COLUMNS - 0.5), 1, 1, fill=False, color=RED, linewidth=3
            )
        )
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    words = (
        f"net no. {len(scores):,} has all 100 right"
        if found
        else f"nets {first + 1:,} to {first + len(part):,}"
    )
    figure.text(
        0.03,
        0.845,
        words,
        fontsize=11,
        color=RED if found else "#333333",
        weight="bold" if found else "normal",
    )
    figure.text(
        0.03,
        0.022,
        "a square: a net; the number: training strings right, of 100",
        fontsize=9,
        color="#555555",
    )


def fooling(walk, language, shortest):
    """The first string of at least so many symbols that the net answers wrongly, None without one.
    As in rs_tomita.exact, but each pair of states remembers a string that leads to it."""
    layer, seen, length = {(0, 0): ""}, set(), 0
    while layer:
        length, before, layer = length + 1, layer, {}
        for (state, q), word in before.items():
            for symbol in (0, 1):
                pair = walk.move(state, symbol), language.next[q][symbol]
                if length < shortest or pair not in seen:
                    layer.setdefault(pair, f"{word}{symbol}")
        seen |= set(layer) if length >= shortest else set()
        for (state, q), word in layer.items() if length >= shortest else ():
            if abs(walk.says(state) - (q in language.accepting)) >= CONFIG.tolerance:
                return word
    return None


def render(figure, title):
    """The figure as a picture."""
    figure.text(0.03, 0.93, title, fontsize=13, weight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return Image.open(buffer).convert("RGB")


def main():
    language, shape, theta, trials, scores, fresh = prepare()
    walk = rt.Walk(shape, theta)
    fool = None if rt.exact(walk, language, 10, CONFIG) else fooling(walk, language, 10)
    title = "Dice find a net that is right on every string of (10)*"
    title = "Dice find a net for (10)*, and a string still fools it" if fool else title
    walk = rt.Walk(shape, theta)  # with no state met yet
    handful, frames, times = ROWS * COLUMNS, [], []
    starts = list(
        range(trials % handful, trials, handful)
    )  # so that the last handful ends with the net that was found
    shown = sorted(
        {
            starts[k]
            for k in np.linspace(0, len(starts) - 1, 6 if flags.quick else 18).round().astype(int)
        }
    )
    figure = plt.figure(figsize=(8.4, 4.4))
    for first in shown:
        figure.clear()
        figure.set_layout_engine("none")
        dice(figure, scores[: first + handful], first, first == starts[-1])
        frames.append(render(figure, title))
        times.append(200)
    times[-1] = 1000
    known, done, places = {}, [], [0]
    strings = [
        fresh.symbols[: fresh.lengths[column], column] for column in range(2 if flags.quick else 4)
    ]
    for string in strings:
        state = 0
        for symbol in string:
            state = walk.move(state, int(symbol))
            places += [state] if state not in places else []
    for column, string in enumerate(strings):
        length, path = len(string), [0]
        for t, symbol in enumerate(string):
            known[path[-1], int(symbol)] = walk.move(path[-1], int(symbol))
            path.append(walk.move(path[-1], int(symbol)))
            if t % 3 == 2 or t == length - 1:
                figure.clear()
                dice(figure, scores, starts[-1], True)
                graph(figure.add_axes((0.52, 0.05, 0.46, 0.60)), walk, path, known, places)
                read = "".join(map(str, string[: t + 1]))
                figure.text(0.52, 0.845, "it reads strings it never saw", fontsize=11)
                for k, line in enumerate(done[-2:] + [read]):
                    figure.text(
                        0.52,
                        0.785 - 0.048 * k,
                        line,
                        fontsize=10,
                        family="DejaVu Sans Mono",
                        color=BLACK if k == len(done[-2:]) else "#777777",
                    )
                frames.append(render(figure, title))
                times.append(160)
        yes = walk.says(path[-1]) > 0.5
        good = (
            "right"
            if abs(walk.says(path[-1]) - fresh.answers[column]) < CONFIG.tolerance
            else "wrong"
        )
        done.append(f"{''.join(map(str, string))}: {'yes' if yes else 'no'}, {good}")
    figure.clear()
    dice(figure, scores, starts[-1], True)
    graph(figure.add_axes((0.52, 0.05, 0.46, 0.60)), walk, path, known, places)
    rt.exact(walk, language, 10, CONFIG)  # it meets every state
    lines = [(f"{len(walk.states)} states in all", BLACK), (done[-1], "#777777")]
    if fool:
        answer = "yes" if not rt.accepts(language, [int(symbol) for symbol in fool]) else "no"
        lines.append((f"{fool}: {answer}, wrong", RED))
    for k, (line, colour) in enumerate(lines):
        figure.text(
            0.52, 0.845 - 0.055 * k, line, fontsize=10, family="DejaVu Sans Mono", color=colour
        )
    frames.append(render(figure, title))
    times.append(2500)
    some = Image.fromarray(
        np.vstack([np.asarray(frame) for frame in (frames[0], frames[2], frames[-1])])
    )
    palette = some.quantize(160)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[colours.min(1) > 245] = 255
    palette.putpalette(colours.ravel().tolist())
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    path = flags.out / "rs_tomita.gif"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True
    )
    print(
        path, f"{len(frames)} frames, {sum(times) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
