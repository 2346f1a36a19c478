# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the Neural Bucket Brigade on XOR: coins run back along the path that fired."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from nbb_xor import PATTERNS, QUICK, TARGETS, BucketBrigade, Config, train
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import FancyBboxPatch
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

INPUTS = [(2.1, 7.0), (2.1, 4.8), (2.1, 2.6)]
HIDDEN = [(5.6, 7.2), (5.6, 4.8), (5.6, 2.4)]
OUTPUTS = [(9.0, 5.9), (9.0, 3.7)]
REWARD = (11.0, 4.8)
LOST = 0.28  # where on the x axis a coin leaves the net
STRIP = LinearSegmentedColormap.from_list("strip", ["#F0B89A", GREEN])  # never to always right
PALE = {True: "#CDEBE0", False: "#F8DCCB"}  # of a right and of a wrong answer
INK = {True: GREEN, False: RED}
DARK = "#555555"


# ---- the life of one net ----
class Filmed(BucketBrigade):
    """Nets whose weights are kept before every presentation, with the pattern shown to each."""

    def __init__(self, *weights_and_rates):
        super().__init__(*weights_and_rates)
        self.film = []
        Filmed.last = self

    def present(self, pattern, target):
        shown = (2 * pattern[0] + pattern[1]).astype(int)  # (N,)
        self.film.append((shown, self.to_hidden.copy(), self.to_output.copy()))
        super().present(pattern, target)


@dataclass
class Life:
    """One net after n = 0, 1, 2 ... presentations, and the pattern that comes next."""

    shown: np.ndarray  # (T,)
    to_hidden: np.ndarray  # (T, 3, 3)
    to_output: np.ndarray  # (T, 6, 2)
    first: int  # presentations until its first solution
    lasting: int  # and until it has been right `many` times in a row
    many: int

    def __post_init__(self):
        self.hidden = np.einsum("pi,tih->tph", PATTERNS, self.to_hidden).argmax(2)  # (T, 4) winners
        sums = np.einsum("pi,tio->tpo", PATTERNS, self.to_output[:, :3])  # (T, 4, 2)
        sums += np.take_along_axis(self.to_output[:, 3:], self.hidden[..., None], 1)
        self.answers = sums.argmax(2)  # (T, 4)
        self.right = self.answers == TARGETS  # (T, 4)
        self.end = min(len(self.shown) - 1, self.lasting + (self.lasting - self.first) // 3 + 1)

    def answers_right(self, n):
        """Say whether it is right about the pattern that comes next."""
        return bool(self.right[n, self.shown[n]])


def typical_life(config, seed):
    """Film the nets of run() again and return the one with the median time to fifty in a row."""
    stream = np.random.SeedSequence(seed).spawn(3)[0]
    right = train(config, stream, 3, lambda *_: None, Filmed)  # (T, N)
    total = np.pad(right, ((1, 0), (0, 0))).cumsum(0)  # (T + 1, N)
    net, lasting, many = 0, len(right) - 1, 0
    for many in (50, 4, 1):
        reached = total[many:] - total[:-many] == many  # (T + 1 - many, N)
        nets = np.flatnonzero(reached.any(0))
        if nets.size:
            times = reached[:, nets].argmax(0) + many
            middle = np.argsort(times, kind="stable")[nets.size // 2]
            net, lasting = nets[middle], times[middle]
            break
    shown, to_hidden, to_output = (np.array(part)[..., net] for part in zip(*Filmed.last.film))
    first = min(right[:, net].argmax() + 1, len(right) - 1)
    return Life(shown, to_hidden, to_output, first, min(lasting, len(right) - 1), many)


# ---- one frame; stages: 0 a pattern is shown, 1 hidden units fire, 2 outputs fire, 3 all pay ----
def draw_connections(ax, life, n, stage):
    """Draw each connection as wide as its weight, and coloured where it made a unit fire."""
    shown = life.shown[n]
    hidden, output = life.hidden[n, shown], life.answers[n, shown]
    layers = (
        (INPUTS, HIDDEN, life.to_hidden[n], PATTERNS[shown] == 1, hidden, stage >= 1),
        (INPUTS, OUTPUTS, life.to_output[n, :3], PATTERNS[shown] == 1, output, stage >= 2),
        (HIDDEN, OUTPUTS, life.to_output[n, 3:], np.arange(3) == hidden, output, stage >= 2),
    )
    dark = INK[life.answers_right(n)] if stage >= 3 else DARK
    for senders, receivers, weights, sends, winner, begun in layers:
        for (i, j), weight in np.ndenumerate(weights):
            on = begun and sends[i] and j == winner
            style = {"color": dark if on else "#D4D4D4", "zorder": 2 if on else 1}
            ax.plot(*zip(senders[i], receivers[j]), lw=5 * weight, solid_capstyle="round", **style)


def cases(life, n):
    """Name the patterns for which each hidden unit fires."""
    names = [f"{x1:.0f}{x2:.0f}" for x1, x2, _ in PATTERNS]
    return ["\n".join(np.array(names)[life.hidden[n] == unit]) for unit in range(3)]


def draw_units(ax, life, n, stage):
    """Draw the eight units, those that fire filled."""
    shown = life.shown[n]
    pattern, output = PATTERNS[shown], life.answers[n, shown]
    on_hidden = (np.arange(3) == life.hidden[n, shown]) & (stage >= 1)
    on_output = (np.arange(2) == output) & (stage >= 2)
    color = INK[life.answers_right(n)] if stage >= 3 else BLACK
    groups = (
        (INPUTS, pattern == 1, [f"{x:.0f}" for x in pattern], BLACK, 13),
        (HIDDEN, on_hidden, cases(life, n) if n == life.end else [""] * 3, BLACK, 12),
        (OUTPUTS, on_output, "01", color, 13),
    )
    for places, fires, names, ink, size in groups:
        for place, on, name in zip(places, fires, names):
            edge = ink if on else GREY
            fill = ink if on else "white"
            ax.add_patch(plt.Circle(place, 0.46, fc=fill, ec=edge, lw=1.8, zorder=4))
            where = {"ha": "center", "va": "center_baseline", "linespacing": 1.0, "zorder": 5}
            letters = "white" if on else "#666666"
            ax.text(*place, name, color=letters, weight="bold", fontsize=size, **where)


def draw_box(ax, corner, size, fill, edge):
    """Draw a rectangle with round corners."""
    shape = "round,pad=0,rounding_size=0.18"
    ax.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, fc=fill, ec=edge, lw=1.6, zorder=4))


def draw_reward(ax, right, stage):
    """Draw the source of substance, which pays right answers at stage 3."""
    word, color = "reward", GREY
    if stage >= 3:
        word, color = ("pays" if right else "no pay"), INK[right]
    paid = stage >= 3 and right
    draw_box(ax, (10.35, 4.35), (1.3, 0.9), GREEN if paid else "white", color)
    ink = "white" if paid else color
    ax.text(*REWARD, word, ha="center", va="center", weight="bold", color=ink, zorder=5)


def routes(life, n):
    """Return the stops of the coins and how many there are: [(stops, amount)]."""
    shown = life.shown[n]
    hidden, output = life.hidden[n, shown], life.answers[n, shown]
    start = [REWARD] if life.answers_right(n) else []
    fed = PATTERNS[shown] * life.to_hidden[n, :, hidden]  # (3,)
    found = []
    for i in np.flatnonzero(PATTERNS[shown]):
        end = [INPUTS[i], (LOST, INPUTS[i][1])]
        amount = life.to_output[n, 3 + hidden, output] * fed[i] / fed.sum()
        found.append(([*start, OUTPUTS[output], *end], life.to_output[n, i, output]))
        found.append(([*start, OUTPUTS[output], HIDDEN[hidden], *end], 1.5 * amount))
    return found


def draw_coins(ax, life, n, phase):
    """Draw the coins under way at a phase from 0 to 1.5; what reaches an input is lost."""
    for r, (stops, amount) in enumerate(routes(life, n)):
        stops = np.array(stops)
        legs = np.hypot(*np.diff(stops, axis=0).T)  # lengths
        milestones = np.concatenate([[0], legs.cumsum()])
        for k in range(round(3 * amount)):
            done = phase - 0.13 * k - 0.04 * r
            if 0 < done < 1:
                place = [np.interp(done * legs.sum(), milestones, axis) for axis in stops.T]
                ax.add_patch(plt.Circle(place, 0.16, fc=YELLOW, ec="#B87A00", lw=1.4, zorder=8))


def draw_table(ax, life, n):
    """List the answers to all four patterns; the one that is shown has a frame."""
    style = {"va": "center", "zorder": 5}
    ax.text(14.0, 7.75, f"presentations: {n}", ha="center", weight="bold", **style)
    for k, (x1, x2, _) in enumerate(PATTERNS):
        y, right = 6.2 - 1.3 * k, bool(life.right[n, k])
        edge = BLACK if k == life.shown[n] else "none"
        draw_box(ax, (12.35, y), (3.3, 1.1), PALE[right], edge)
        ax.text(12.6, y + 0.52, f"{x1:.0f} xor {x2:.0f} ?", fontsize=12, **style)
        answer = f"{life.answers[n, k]} {'✓' if right else '✗'}"
        style_of_answer = style | {"ha": "right", "weight": "bold", "color": INK[right]}
        ax.text(15.4, y + 0.52, answer, fontsize=14, **style_of_answer)


def draw_strip(ax, life, n):
    """Tell what became of the first solution: green while all four answers were right."""
    ax.add_patch(plt.Rectangle((0.7, 0.85), 14.9, 0.42, fc="#F4F4F4", ec="none"))
    words = "since the first solution: green while all four are right"
    ax.text(0.7, 1.35, words, va="bottom", color=DARK)
    if n < life.first:
        return
    solved = life.right[life.first : n + 1].all(1)
    columns = np.arange(len(solved)) * 360 // (life.end - life.first + 1)
    image = np.bincount(columns, solved) / np.maximum(np.bincount(columns), 1)  # (columns,)
    extent = (0.7, 0.7 + 14.9 * len(image) / 360, 0.85, 1.27)
    style = {"cmap": STRIP, "vmin": 0, "vmax": 1, "interpolation": "nearest", "aspect": "auto"}
    ax.imshow(image[None], extent=extent, zorder=3, **style)


def draw(figure, life, n, stage, phase, caption):
    """Draw the net after n presentations."""
    figure.clear()
    ax = figure.add_axes((0, 0, 1, 1))
    title = "Paid only for right answers, coins run back, and XOR comes to stay"
    ax.text(0.3, 8.62, title, fontsize=13.5, weight="bold", va="center")
    ax.add_patch(plt.Rectangle((0, 1.9), 0.55, 5.9, fc="#E4E4E4", ec="none"))
    ax.text(LOST, 5.9, "lost", rotation=90, ha="center", va="center", color=DARK)
    for (x, _), name in zip(
        (INPUTS[0], HIDDEN[0], OUTPUTS[0]), ("inputs", "hidden units", "outputs")
    ):
        ax.text(x, 8.0, name, ha="center", va="center", color=DARK)
    for (x, y), name in zip(INPUTS, ("$x_1$", "$x_2$", "always")):
        ax.text(x - 0.45, y + 0.47, name, ha="right", va="center", color=DARK)
    draw_connections(ax, life, n, stage)
    draw_units(ax, life, n, stage)
    draw_reward(ax, life.answers_right(n), stage)
    if stage >= 3:
        draw_coins(ax, life, n, phase)
    draw_table(ax, life, n)
    draw_strip(ax, life, n)
    ax.text(8.0, 0.42, caption, ha="center", va="center", fontsize=12)
    ax.set(xlim=(0, 16), ylim=(0, 9))
    ax.axis("off")


# ---- all frames ----
def lesson(n, words, steps):
    """Show a presentation tick by tick: (n, stage, phase, caption, milliseconds) of each frame."""
    yield n, 0, 0, "A pattern is shown", 400
    for stage in (1, 2):
        yield (
            n,
            stage,
            0,
            "In each group the unit that gets most fires and silences the others",
            350,
        )
    for k in range(steps):
        yield n, 3, 1.5 * (k + 0.5) / steps, words, 1300 // steps // 10 * 10


def sweep(start, end, many, words):
    """Hurry from one presentation to another."""
    for k, n in enumerate(np.unique(np.linspace(start, end, many).astype(int))):
        yield n, 3, 0.3 + 0.17 * (k % 5), words, 110


def frames(life):
    """Return every frame in order."""
    right = [life.answers_right(n) and life.shown[n] in (1, 2) for n in range(len(life.shown))]
    wrong = [not life.answers_right(n) for n in range(len(life.shown))]
    paid = right.index(True, 1)
    unpaid = wrong.index(True, paid + 1)
    steps, many = (4, 3) if flags.quick else (11, 15)
    yield from lesson(
        paid, "Right: paid from outside, each winner pays whoever made it fire", steps
    )
    yield from lesson(unpaid, "Wrong: not paid, yet the winners pay: this path gets poorer", steps)
    words = "And so on, hundreds of times; a line is as wide as the substance it holds"
    yield from sweep(unpaid + 1, max(life.first - 1, unpaid + 1), many, words)
    words = f"After {life.first} presentations all four are right, for the first time"
    yield life.first, 3, 0.5, words, 900
    words = "Learning goes on: the solution is lost, found, lost, and at last it stays"
    yield from sweep(life.first + 1, max(life.end - 1, life.first + 1), many + 2, words)
    words = (
        f"First solved after {life.first}, {life.many} in a row after {life.lasting} presentations"
    )
    own = sorted(len(case.split()) for case in cases(life, life.end)) == [1, 1, 2]
    yield life.end, 3, 0.45, words + (": a hidden unit for each case" if own else ""), 2000


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in images[::6]])
    palette = Image.fromarray(sample).quantize(64)
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[colors.min(1) > 248] = 255
    palette.putpalette(colors.ravel().tolist())
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first, *others = images
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size}")


life = typical_life(Config(**(QUICK if flags.quick else {})), flags.seed)
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for n, stage, phase, caption, duration in frames(life):
    draw(figure, life, n, stage, phase, caption)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)
write_gif(flags.out / "nbb_xor.gif", images, milliseconds)
