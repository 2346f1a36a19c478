# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of rs-tomita: nets drawn at random until one is right on all training strings
of language 2; then its states unfold while it reads fresh strings."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image
from rs_tomita import LANGUAGES, ROWS, draw, right, search, step, strings
from study_rs_tomita import QUICK, Config, is_language, states_of
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

config = Config(**(QUICK if flags.quick else {}))
ROW = ROWS["l2_a1"]
LANGUAGE = LANGUAGES[ROW.language]
LINES, COLUMNS = 5, 8  # of nets shown at a time
HANDFUL = LINES * COLUMNS
SHADES = plt.get_cmap("cividis")
DARK_GREEN = "#007A59"
MOST = 12  # states that can be drawn


def prepare():
    """Returns of the first search that is long enough to watch, and ends with a net of few states:
    how many strings each guess has right, (N,), the net's states and what follows them, and whether
    the net is proved right on strings of all lengths."""
    for stream in np.random.SeedSequence([flags.seed, 6]).spawn(1000):
        data_rng, guess_rng = map(np.random.default_rng, stream.spawn(2))
        data = strings(LANGUAGE, config.per_class, config.shortest, config.longest, data_rng)
        begin = guess_rng.bit_generator.state
        trials, net = search(ROW.net, data, 1000, config, guess_rng, lambda tried: None)
        if net["e"].size == 0 or trials < 3 * HANDFUL:
            continue
        states, after = states_of(net, MOST, step)
        if states is not None:
            guess_rng.bit_generator.state = begin
            drawn = draw(ROW.net, config.weight_range, trials, guess_rng)
            score = right(drawn, data, config.tolerance).mean(0)  # (N,)
            proved = is_language(net, LANGUAGE, config)
            return np.round(100 * score).astype(int), states, after, proved


def says(state):
    """Returns the net's answer in a state: 1, 0 or, if it is undecided, 1/2."""
    y = states[state, -1]
    return 1 if y > 1 - config.tolerance else 0 if y < config.tolerance else 0.5


def mistake():
    """Returns a shortest string of a bit or more that the net is wrong on, or None."""
    words = {(0, 0): ""}  # of each pair of states: a string that leads there, shortest first
    seen = set()
    while words:
        (state, place), word = next(iter(words.items()))
        del words[state, place]
        for bit in (0, 1):
            pair = (int(after[state, bit]), LANGUAGE.next[place][bit])
            if says(pair[0]) != (pair[1] in LANGUAGE.accepting):
                return f"{word}{bit}"
            if pair not in seen:
                seen.add(pair)
                words[pair] = f"{word}{bit}"
    return None


def path_of(word):
    """Returns the states that the net goes through, the start first."""
    path = [0]
    for bit in word:
        path.append(int(after[path[-1], int(bit)]))
    return path


scores, states, after, proved = prepare()
trials = len(scores)
fresh = strings(LANGUAGE, 5, 10, 14, np.random.default_rng([flags.seed, 7]))
columns = [fresh.x[:length, k, 0] for k, length in enumerate(fresh.length[:4])]
words = ["".join("1" if x > 0 else "0" for x in column) for column in columns]
fool = None if proved else mistake()
words += [fool] if fool else []
places = list(dict.fromkeys(state for word in words for state in path_of(word)))
places += [state for state in range(len(states)) if state not in places]
angle = np.pi / 2 - 2 * np.pi * np.arange(len(places)) / len(places)
at = {state: np.array([np.cos(a), np.sin(a)]) for state, a in zip(places, angle)}

fig = plt.figure(figsize=(8.4, 4.6), dpi=90, layout="none")
title = f"Guess {trials} is right on 100 strings about (10)*; a string still fools it"
title = (
    f"Guess {trials} is right on 100 strings about (10)*, and on all others" if proved else title
)
NOTES = (
    "a square: a random net; the number: strings right, of 100",
    "green: says yes, white: no, yellow: neither; orange: 0, blue: 1",
)
NOTE_PLACES = (0.03, 0.51)


def draw_dice(first):
    """Draws a handful of nets as squares; the last one of all is framed."""
    ax = fig.add_axes((0.03, 0.12, 0.44, 0.68))
    here = scores[first : first + HANDFUL]
    square = np.full(HANDFUL, np.nan)
    square[: len(here)] = here
    ax.imshow(square.reshape(LINES, COLUMNS), cmap=SHADES, vmin=0, vmax=100, aspect="auto")
    for k, score in enumerate(here):
        colour = "white" if score < 60 else BLACK
        style = {"ha": "center", "va": "center", "fontsize": 9.5, "color": colour}
        ax.text(k % COLUMNS, k // COLUMNS, score, **style)
    found = first + HANDFUL >= trials
    if found:
        corner = ((len(here) - 1) % COLUMNS - 0.48, (len(here) - 1) // COLUMNS - 0.48)
        style = {"fill": False, "edgecolor": RED, "linewidth": 3.5, "clip_on": False}
        ax.add_patch(plt.Rectangle(corner, 0.96, 0.96, **style))
    ax.set(xticks=(), yticks=())
    ax.spines[:].set_visible(False)
    said = f"guess {trials} has all right" if found else f"guesses {first + 1} to {first + HANDFUL}"
    style = {"color": RED, "weight": "bold"} if found else {"color": "#333333"}
    fig.text(0.03, 0.835, said, fontsize=11, **style)


def draw_counts(count):
    """Draws how many strings the guesses so far have right."""
    ax = fig.add_axes((0.58, 0.2, 0.38, 0.5))
    bars = np.bincount(scores[:count], minlength=101)
    ax.bar(range(101), bars, width=1.8, color=[GREY] * 100 + [RED])
    top = bars.max()
    ax.set(xlim=(-3, 103), ylim=(0, 1.05 * top), xticks=(0, 50, 100), yticks=(0, top))
    ax.set(xlabel="strings right, of 100", ylabel="guesses so far")
    said = "nothing is learned: each net is drawn anew" if count < trials else "one is right on all"
    fig.text(0.58, 0.8, said, fontsize=11)


def draw_graph(known, now):
    """Draws the states met so far, and where 0 and 1 lead from them; `now` is large."""
    ax = fig.add_axes((0.5, 0.08, 0.48, 0.58))
    for (state, bit), follower in known.items():
        style = {"arrowstyle": "-|>", "color": ORANGE if bit == 0 else BLUE, "linewidth": 1.1}
        style |= {"shrinkA": 7, "shrinkB": 7, "connectionstyle": "arc3,rad=0.2"}
        begin, end = at[state], at[follower]
        if state == follower:
            side = (0.09 + 0.05 * bit) * np.array([-begin[1], begin[0]])
            begin, end = 1.12 * begin - side, 1.12 * begin + side
            style |= {"connectionstyle": "arc3,rad=1.4", "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, begin, arrowprops=style)
    for state in sorted({0, now} | {state for state, _ in known} | set(known.values())):
        face = {1: GREEN, 0: "white", 0.5: YELLOW}[says(state)]
        size, edge = (17, 2.2) if state == now else (11, 0.9)
        style = {"color": BLACK, "markersize": size, "markeredgewidth": edge}
        ax.plot(*at[state], "o", markerfacecolor=face, **style)
    ax.set(xlim=(-1.9, 1.9), ylim=(-1.35, 1.35), aspect="equal")
    ax.axis("off")


def frame(first, lines=(), known=None, now=0):
    """Draws one frame: a handful of nets, and once there is a net, what it reads and its states."""
    fig.clear()
    fig.text(0.03, 0.93, title, fontsize=12, weight="bold")
    draw_dice(first)
    for x, note in list(zip(NOTE_PLACES, NOTES))[: 2 if lines else 1]:
        fig.text(x, 0.035, note, fontsize=9, color="#555555")
    for k, (line, colour) in enumerate(lines):
        style = {"fontsize": 10, "family": "DejaVu Sans Mono", "color": colour}
        fig.text(0.52, 0.84 - 0.052 * k, line, **style)
    if lines:
        draw_graph(known, now)
    else:
        draw_counts(min(first + HANDFUL, trials))
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy())


def verdict(word):
    """Returns what the net says to a word, whether that is right, and a colour."""
    answer, place = says(path_of(word)[-1]), 0
    for bit in word:
        place = LANGUAGE.next[place][int(bit)]
    good = answer == (place in LANGUAGE.accepting)
    said = {1: "yes", 0: "no", 0.5: "neither"}[answer]
    return f"{word}: {said}, {'right' if good else 'wrong'}", DARK_GREEN if good else RED


starts = sorted(range(trials - HANDFUL, -1, -HANDFUL))  # the last handful ends with the net
starts = starts[-(4 if flags.quick else 20) :]
last = starts[-1]
frames, durations = [], []
for first in starts:
    frames.append(frame(first))
    durations.append(500 if flags.quick else 130)
durations[-1] = 900
known, done = {}, []
for word in words:
    path = path_of(word)
    for t in range(len(word)):
        known[path[t], int(word[t])] = path[t + 1]
        if t % 4 == 3 and not flags.quick:
            lines = [*done[-3:], (word[: t + 1], BLACK)]
            frames.append(frame(last, lines, known, path[t + 1]))
            durations.append(170)
    done.append(verdict(word))
    frames.append(frame(last, done[-4:], known, path[-1]))
    durations.append(450)
known |= {(state, bit): int(after[state, bit]) for state in range(len(states)) for bit in (0, 1)}
lines = [(f"all its {len(states)} states", BLACK), *done[-3:]]
if proved:
    lines.append(("right on strings of all lengths", DARK_GREEN))
frames.append(frame(last, lines, known, 0))
durations.append(2500)
frames, durations = [frames[-1], *frames], [700, *durations]  # a still of the GIF shows the end
sample = Image.fromarray(np.concatenate([np.asarray(one) for one in frames[::6]]))
keys = [plt.matplotlib.colors.to_rgb(one) for one in (GREEN, BLUE, ORANGE, RED, YELLOW, DARK_GREEN)]
swatch = np.repeat(np.uint8(255 * np.array(keys)), sample.width * 8, 0).reshape(-1, sample.width, 3)
palette = Image.fromarray(np.concatenate([np.asarray(sample), swatch])).quantize(160)
values = np.array(palette.getpalette()).reshape(-1, 3)
values[values.min(1) > 243] = 255  # white stays white
palette.putpalette(values.ravel().tolist())
frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
path = flags.out / "rs_tomita.gif"
frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
print(f"{path}: {len(frames)} frames, {sum(durations) / 1000} s, {path.stat().st_size:,} bytes")
