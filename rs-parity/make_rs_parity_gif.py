# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of rs-parity: guesses flash by until one is exclusive or and counts."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb
from PIL import Image
from rs_parity import NETS, QUICK, Config, draw, pick, right_on_all, rollout, sequences
from study_rs_parity import BEFORE, INPUTS, XNOR, XOR, tables
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
config = replace(Config(), **(QUICK if flags.quick else {}))
net = NETS["no_self"]
streams = np.random.SeedSequence([flags.seed, 4]).spawn(3)  # a typical search
data_rng, guess_rng, long_rng = map(np.random.default_rng, streams)
training = sequences(config.training, config.shortest, config.longest, 0.0, data_rng)
guesses = draw(net, config.prior, 8192, guess_rng)  # enough, but for one search in 10^13
right = right_on_all(guesses, training, config.tolerance)
trials = int(right.argmax()) + 1
kinds = tables(guesses)[:trials]  # (trials,) which function of input and output each guess is
steps, window = config.long_steps, 48
x = sequences(2, steps, steps, 0.0, long_rng).x[:, :1]  # (T, 1, 1)
odd = np.cumsum(x[:, 0, 0] > 0) % 2  # (T,)

LIGHT_BLUE, LIGHT_PINK, LIGHT_YELLOW, DARK_GREEN = "#C9E3F5", "#EFD3E3", "#F6E3C0", "#007A59"
CLASSES = {  # of the 16 functions: words, colour, where its legend stands
    "constant": ("#CCCCCC", 0.0, (0b0000, 0b1111)),
    "input": (LIGHT_BLUE, 0.17, (0b0011, 0b1100)),
    "own output": (LIGHT_PINK, 0.28, (0b0101, 0b1010)),
    "and, or, ...": (LIGHT_YELLOW, 0.48, ()),
    "negated xor": (YELLOW, 0.67, (XNOR,)),
    "xor": (GREEN, 0.9, (XOR,)),
}


def class_of(kind):
    """Returns the words for a function, and its colour."""
    for words, (colour, _, members) in CLASSES.items():
        if kind in members:
            return words, colour
    return "and, or, ...", LIGHT_YELLOW


def outputs(guess):
    """Returns the outputs of one guess along the long sequence, (T,)."""
    return np.array([y.item() for _, y in rollout(pick(guesses, [guess]), x)])


def draw_table(ax, guess):
    """Draws what the output becomes for each input and output before."""
    bits = kinds[guess] >> np.array([3, 2, 1, 0]) & 1
    for x_now, before, bit in zip(INPUTS[:, 0] > 0, BEFORE[:, 0], bits):
        ax.add_patch(plt.Rectangle((x_now, before), 0.96, 0.96, color=BLUE if bit else ORANGE))
        style = {"ha": "center", "va": "center", "color": "white", "weight": "bold"}
        ax.text(x_now + 0.48, before + 0.48, str(bit), fontsize=15, **style)
    ax.set(xlim=(-0.04, 2), ylim=(-0.04, 2), xlabel="input", ylabel="output before")
    ax.set_xticks((0.48, 1.48), ("−1", "+1"))
    ax.set_yticks((0.48, 1.48), ("0", "1"))
    ax.tick_params(length=0)
    colour = DARK_GREEN if guess == trials - 1 else BLACK
    ax.set_title(
        f"guess {guess + 1}: {class_of(kinds[guess])[0]}", fontsize=10, color=colour, pad=5
    )


def draw_wall(ax, guess):
    """Draws all guesses so far as a mosaic, coloured by what they compute."""
    columns = max(12, int(np.ceil(np.sqrt(trials * 2.3))))
    rows = -(-trials // columns)
    mosaic = np.ones((rows * columns, 3))
    mosaic[: guess + 1] = [to_rgb(class_of(kind)[1]) for kind in kinds[: guess + 1]]
    extent = (0, columns, rows, 0)
    ax.imshow(mosaic.reshape(rows, columns, 3), aspect="auto", extent=extent)
    ax.set(xticks=(), yticks=())
    ax.set_title("all guesses so far, by what they compute", fontsize=10, weight="normal", pad=5)
    for words, (colour, left, _) in CLASSES.items():
        box = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
        ax.text(left + 0.01, -0.08, words, transform=ax.transAxes, fontsize=9, va="top", bbox=box)
    if guess == trials - 1:
        place = ((trials - 1) % columns, (trials - 1) // columns)
        ax.add_patch(plt.Rectangle(place, 1, 1, fill=False, edgecolor=BLACK, linewidth=1.5))


def draw_strip(ax, y, end, accepted):
    """Draws the last outputs up to step `end` on the running parity; says how many agree."""
    start = max(end - window, 0)
    at = np.arange(start, end)
    edges = np.arange(start, end + 1) + 0.5
    ax.stairs(odd[at], edges, fill=True, color=SKY if accepted else "#DDDDDD", alpha=0.6)
    agree = (y > 0.5) == odd
    for chosen, mark, colour in ((at[agree[at]], "o", DARK_GREEN), (at[~agree[at]], "x", BLACK)):
        ax.plot(chosen + 1, y[chosen], mark, markersize=4, color=colour)
    ax.set(xlim=(start + 0.2, start + window + 0.8), ylim=(-0.2, 1.2), yticks=(0, 1))
    ax.set_xlabel("step", labelpad=1)
    ax.set_ylabel("output")
    share = f"step {end:,}: the running parity at {agree[:end].mean():.0%} of the steps so far"
    style = {"weight": "bold", "color": DARK_GREEN} if accepted else {"weight": "normal"}
    ax.set_title(share, fontsize=10, loc="right", pad=4, **style)


fig = plt.figure(figsize=(8, 4.5), dpi=90, layout="none")
axes = [
    fig.add_axes((0.075, 0.44, 0.2, 0.36)),
    fig.add_axes((0.36, 0.44, 0.61, 0.36)),
    fig.add_axes((0.075, 0.17, 0.895, 0.12)),
]
title = f"Parity by throwing dice: guess {trials} counts, and goes on for {steps:,} steps"
fig.text(0.03, 0.93, title, fontsize=13, weight="bold")
caption = fig.text(0.03, 0.02, "", fontsize=9.5)


def frame(guess, end):
    """Draws one frame: a guess on the first steps, or the accepted one further on."""
    accepted = guess == trials - 1
    for ax in axes:
        ax.clear()
    draw_table(axes[0], guess)
    draw_wall(axes[1], guess)
    draw_strip(axes[2], shown[guess], end, accepted)
    caption.set_text(
        "Each +1 turns the output over, each −1 leaves it: exclusive or of input and output."
        if accepted
        else "Shaded: the parity so far. Dots are outputs that agree with it, crosses do not."
    )
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy())


first = np.arange(min(12, trials))
later = np.geomspace(min(12, trials), trials, 6 if flags.quick else 26) - 1
guess_frames = np.unique(np.r_[first, later].astype(int))
count = 4 if flags.quick else 18
ends = np.r_[np.linspace(2, window, count), np.geomspace(window, steps, count)]
ends = np.unique(ends.astype(int))
shown = {guess: outputs(guess) for guess in guess_frames}
frames = [frame(guess, window) for guess in guess_frames[:-1]]
frames += [frame(trials - 1, end) for end in ends]
frames = [frame(trials - 1, steps), *frames]  # a still of the GIF shows the end
durations = [500, *[700 if flags.quick else 150] * (len(guess_frames) - 1)]
durations += [700 if flags.quick else 105] * len(ends)
durations[-1] = 2400
sample = Image.fromarray(np.concatenate([np.asarray(one) for one in frames[::5]]))
palette = sample.quantize(80)
values = np.array(palette.getpalette()).reshape(-1, 3)
values[values.min(1) > 248] = 255  # white stays white
palette.putpalette(values.ravel().tolist())
frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
path = flags.out / "rs_parity.gif"
frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
print(f"{path}: {len(frames)} frames, {sum(durations) / 1000} s, {path.stat().st_size:,} bytes")
