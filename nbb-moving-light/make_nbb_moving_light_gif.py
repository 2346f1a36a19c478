# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the moving light: it crosses the retina, and an output remembers from where."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from nbb_moving_light import QUICK, BucketBrigade, Config, coins, reached, retina, start, train
import matplotlib.pyplot as plt
import numpy as np
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

CELLS = [(1.5 + 1.5 * k, 2.75) for k in range(5)]
ALWAYS = (9.3, 2.75)
OUTPUTS = [(3.2, 5.7), (6.7, 5.7)]
REWARD = (4.95, 7.65)
OUTPUT_COLOR = (BLUE, ORANGE)
NAMES = ("from the\nleft", "from the\nright")
INK = {True: GREEN, False: RED}
DARK = "#555555"


# ---- the life of one net ----
class Filmed(BucketBrigade):
    """Nets whose weights are kept before every presentation."""

    def present(self, seen, target, pay_ticks):
        self.film.append((self.weights.copy(), target))
        super().present(seen, target, pay_ticks)


@dataclass
class Life:
    """One net: weights before each presentation, the sequence shown, and whether it then knew."""

    weights: np.ndarray  # (T, S, 2)
    shown: np.ndarray  # (T,)
    right: np.ndarray  # (T,) both answers, after each presentation
    when: int  # presentations until it had been right `streak` times in a row


def typical_life(config, seed):
    """Film the nets of run() again and return the one with the median time to be solved."""
    config = replace(config, max_presentations=min(config.max_presentations, 1000))
    streams = np.random.SeedSequence(seed).spawn(4)
    weights_rng, coins_rng = map(np.random.default_rng, streams[:2])
    filmed = Filmed(start(config, weights_rng), config.learning_rate, config.payoff)
    filmed.film = []
    right = train(config, filmed, coins(config, coins_rng))  # (T, N)
    when = reached(right, config.streak)  # (N,)
    net = np.argsort(when, kind="stable")[np.isfinite(when).sum() // 2]
    weights, shown = (np.array(part)[..., net] for part in zip(*filmed.film))
    end = int(min(when[net], len(right) - 1))
    return Life(weights, shown, right[:, net], end)


@dataclass
class Tick:
    """What one frame shows: a tick of a presentation of a net."""

    number: int
    seen: np.ndarray  # (cells + 1,) what the retina shows now
    before: int | None  # the output that won one tick ago
    winner: int | None
    sent: np.ndarray | None  # (cells + 1,) what the retina showed one tick ago
    weights: np.ndarray  # (S, 2)
    paid: bool  # the winner is correct, and is paid from outside
    history: list  # of winners from tick 2 on, this one included


def ticks_of(life, n, target, config):
    """Play presentation n again, tick by tick; returns one Tick for each of 1 to the readout."""
    brigade = BucketBrigade(life.weights[n][..., None].copy(), config.learning_rate, config.payoff)
    seen = retina(config)[..., target]  # (ticks, cells + 1)
    output, share = np.zeros((2, 1)), np.zeros(brigade.weights.shape)
    correct = np.arange(2)[:, None] == target  # (2, 1)
    found = [Tick(1, seen[0], None, None, None, brigade.weights[..., 0].copy(), False, [])]
    for row in range(len(seen)):
        paid = correct & (row >= len(seen) - config.pay_ticks)
        output, share = brigade.tick(seen[row][:, None], output, share, paid)
        winner = int(output[:, 0].argmax())
        now = seen[min(row + 1, len(seen) - 1)]  # the light stays away after the last row
        weights = brigade.weights[..., 0].copy()
        before, history = found[-1].winner, [*found[-1].history, winner]
        pays = bool(paid[winner, 0])
        found.append(Tick(row + 2, now, before, winner, seen[row], weights, pays, history))
    return found


# ---- one frame ----
def bow(sender, receiver):
    """Return the three points that bend the connection from one output to another or itself."""
    (x0, y0), (x1, y1) = OUTPUTS[sender], OUTPUTS[receiver]
    if sender == receiver:
        side = -1 if sender == 0 else 1
        return [(x0, y0), (x0 + side * 2.6, y0 + 1.9), (x0 + side * 2.6, y0 - 1.1), (x0, y0)]
    lift = 1.3 if sender == 0 else -1.3
    return [(x0, y0), (0.5 * (x0 + x1), y0 + lift), (x1, y1)]


def curve(points, steps=40):
    """Return a Bezier curve through its first and last point: (steps, 2)."""
    points = np.array(points, float)[:, None]  # (points, 1, 2)
    t = np.linspace(0, 1, steps)[:, None]  # (steps, 1)
    while len(points) > 1:
        points = (1 - t) * points[:-1] + t * points[1:]
    return points[0]


def connections():
    """Return {(sender, receiver): its course (steps, 2)} of all sixteen."""
    senders = [*CELLS, ALWAYS]
    lines = {(i, j): curve([senders[i], OUTPUTS[j]]) for i in range(6) for j in range(2)}
    return lines | {(6 + i, j): curve(bow(i, j)) for i in range(2) for j in range(2)}


def between_units(line):
    """Cut a course where it runs over a unit, so that no coin hides a name: (steps, 2)."""
    far = [np.hypot(*(line - place).T) > 1.05 for place in OUTPUTS]  # twice (steps,)
    return line[far[0] & far[1] & (line[:, 1] > 3.35) & (line[:, 1] < 7.05)]


LINES = connections()


def used(tick):
    """Return the connections that made the winner win: a list of (sender, receiver)."""
    if tick.winner is None:
        return []
    senders = list(np.flatnonzero(tick.sent))
    if tick.before is not None:
        senders.append(6 + tick.before)
    return [(int(i), tick.winner) for i in senders]


def draw_connections(ax, tick):
    """Draw each connection as wide as its weight, those in use in the winner's colour."""
    on = used(tick)
    for (i, j), line in LINES.items():
        width = 2.2 * tick.weights[i, j]
        if (i, j) in on:
            ax.plot(*line.T, color=YELLOW, lw=width + 6, alpha=0.8, zorder=2)
        color = OUTPUT_COLOR[j] if (i, j) in on else "#D4D4D4"
        ax.plot(*line.T, color=color, lw=width, zorder=3 if (i, j) in on else 1)


def draw_coins(ax, tick, phase):
    """Draw the coins under way: from the winner to its senders, and from the reward to it."""
    style = {"fc": YELLOW, "ec": "#B87A00", "lw": 1.4, "zorder": 8}
    for edge in used(tick):
        line = between_units(LINES[edge][::-1])
        for shift in (0.0, 0.2):
            place = line[int((phase - shift) % 1 * (len(line) - 1))]
            ax.add_patch(plt.Circle(place, 0.15, **style))
    if tick.paid:
        line = between_units(curve([REWARD, OUTPUTS[tick.winner]], 200))
        for shift in (0.0, 0.33, 0.66):
            place = line[int((phase - shift) % 1 * (len(line) - 1))]
            ax.add_patch(plt.Circle(place, 0.15, **style))


def draw_box(ax, center, size, fill, edge):
    """Draw a rectangle with round corners around a point."""
    corner = (center[0] - 0.5 * size[0], center[1] - 0.5 * size[1])
    shape = "round,pad=0,rounding_size=0.18"
    ax.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, fc=fill, ec=edge, lw=1.6, zorder=5))


def draw_units(ax, tick):
    """Draw the retina, the outputs and the reward."""
    centred = {"ha": "center", "va": "center_baseline", "zorder": 6, "weight": "bold"}
    for place, lit in zip(CELLS, tick.seen[:-1]):
        draw_box(ax, place, (1.2, 0.8), "#333333", "#333333")
        if lit:
            ax.add_patch(plt.Circle(place, 0.34, fc=YELLOW, ec="white", lw=2, zorder=6))
    draw_box(ax, ALWAYS, (1.3, 0.8), "#F3EBA0", GREY)
    ax.text(*ALWAYS, "always", fontsize=10, **centred)
    for unit, place in enumerate(OUTPUTS):
        wins = unit == tick.winner
        fill = OUTPUT_COLOR[unit] if wins else "white"
        ax.add_patch(plt.Circle(place, 0.82, fc=fill, ec=OUTPUT_COLOR[unit], lw=2, zorder=5))
        ink = "white" if wins else OUTPUT_COLOR[unit]
        ax.text(*place, NAMES[unit], color=ink, fontsize=10, linespacing=1.05, **centred)
    draw_box(ax, REWARD, (1.7, 0.75), GREEN if tick.paid else "white", GREEN if tick.paid else GREY)
    ax.text(*REWARD, "reward", color="white" if tick.paid else DARK, **centred)


def draw_side(ax, tick, n, target, words):
    """Tell which presentation and tick it is, and what happens."""
    ax.text(10.9, 7.75, f"presentation {n}", fontsize=13, weight="bold", va="center")
    ax.text(10.9, 7.1, f"tick {tick.number} of 7", fontsize=12, va="center")
    text = ("from the left", "from the right")[target]
    ax.text(10.9, 6.3, "The light comes", va="center")
    ax.text(10.9, 5.8, text, color=OUTPUT_COLOR[target], weight="bold", fontsize=12, va="center")
    ax.text(10.9, 5.1, words, va="top", linespacing=1.5)
    ax.text(10.9, 3.25, "winners at ticks 2 to 7", color=DARK, va="center")
    for k in range(6):
        place = (11.25 + 0.74 * k, 2.6)
        fill = "#EFEFEF" if k >= len(tick.history) else OUTPUT_COLOR[tick.history[k]]
        ax.add_patch(plt.Rectangle((place[0] - 0.33, 2.27), 0.66, 0.66, fc=fill, ec="none"))
        if k < len(tick.history):
            letter = "LR"[tick.history[k]]
            style = {"ha": "center", "va": "center_baseline", "weight": "bold"}
            ax.text(*place, letter, color="white", **style)


def draw_strip(ax, life, n):
    """Fill a column per presentation so far, green where both answers then were right."""
    ax.add_patch(plt.Rectangle((0.7, 0.55), 14.6, 0.5, fc="#EFEFEF", ec="none"))
    words = "after each presentation: green if both answers are right"
    ax.text(0.7, 1.12, words, va="bottom", color=DARK)
    width = 14.6 / life.when
    for k in range(n):
        color = INK[bool(life.right[k])]
        ax.add_patch(plt.Rectangle((0.7 + k * width, 0.55), width, 0.5, fc=color, ec="none"))


def draw(figure, life, n, target, tick, phase, done, words):
    """Draw the net at a tick; done presentations are in the strip."""
    figure.clear()
    ax = figure.add_axes((0, 0, 1, 1))
    title = "The light has gone, and the winner still knows where it came from"
    ax.text(0.4, 8.55, title, fontsize=13.5, weight="bold", va="center")
    draw_connections(ax, tick)
    draw_units(ax, tick)
    draw_coins(ax, tick, phase)
    draw_side(ax, tick, n, target, words)
    draw_strip(ax, life, done)
    ax.set(xlim=(0, 16), ylim=(0, 9))
    ax.axis("off")


# ---- all frames: (n, target, tick, phase, done, words, milliseconds) ----
def said(tick, target):
    """Say what happens at a tick."""
    if tick.number == 1:
        return "All outputs are silent."
    if tick.number < 5:
        return "The winner pays\nwhoever made it win."
    if tick.number < 7:
        return (
            "A right winner is paid\nfrom outside, too."
            if tick.paid
            else "A wrong winner pays\nin vain."
        )
    verdict = "right" if tick.winner == target else "wrong"
    return f"The light has gone.\nThe answer is {verdict}."


def lesson(life, n, target, config, pace, done):
    """Show a presentation tick by tick."""
    for tick in ticks_of(life, n, target, config):
        for phase in (0.3, 0.75) if tick.winner is not None and pace > 150 else (0.5,):
            halves = 2 if tick.winner is not None and pace > 150 else 1
            yield n + 1, target, tick, phase, done, said(tick, target), pace // halves // 10 * 10


def frames(life, config):
    """Return every frame in order."""
    wrong = 0
    for n in range(min(20, life.when)):
        if ticks_of(life, n, life.shown[n], config)[-1].winner != life.shown[n]:
            wrong = n
            break
    yield from lesson(life, wrong, life.shown[wrong], config, 360, wrong)
    many = 5 if flags.quick else 23
    for k, n in enumerate(np.unique(np.linspace(wrong + 1, life.when - 1, many).astype(int))):
        tick = ticks_of(life, n, life.shown[n], config)[-1]
        words = said(tick, life.shown[n])
        yield n + 1, life.shown[n], tick, 0.2 + 0.17 * (k % 4), n + 1, words, 110
    for target in (0, 1):
        end = list(lesson(life, life.when, target, config, 150, life.when))
        *parts, words, _ = end[-1]
        last = (
            f"The light has gone.\nThe answer is right, as\n{config.streak} times in a row before."
        )
        yield from end[:-1]
        yield *parts, last if target else words, 2000 if target else 700


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


config = Config(**(QUICK if flags.quick else {}))
life = typical_life(config, flags.seed)
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for *what, duration in frames(life, config):
    draw(figure, life, *what)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)
write_gif(flags.out / "nbb_moving_light.gif", images, milliseconds)
