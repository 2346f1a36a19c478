# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of predictable stereo: two nets drift into agreement, or cannot."""

import argparse
from pathlib import Path

from predictable_stereo import QUICK, Adam, Config, Nets, all_views, draw, predictable, train
import matplotlib.pyplot as plt
import numpy as np
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

FRAMES, STEP, HOLD = 48, 150, 2000  # milliseconds
SHIFT_COLORS = (BLUE, ORANGE)
TITLE = "Told to agree and to vary, two nets find the one thing their strips share"
config = Config(pairs=8, patterns=QUICK["patterns"] if flags.quick else 90_000)
views = all_views(config.width)
every = np.stack([views, views])[None].reshape(1, 2, -1, views.shape[-1])  # (1, 2, 2 strips, 2w)
shift = np.arange(every.shape[2]) % 2  # (2 strips,)


def own_shifts(views, pairs, batch_size, rng):
    """Draw patterns whose strips have each a shift of its own."""
    moved = rng.integers(2, size=(pairs, 2, batch_size))  # (N, 2, B)
    return views[rng.integers(len(views), size=moved.shape), moved]


def film(draw_patterns):
    """Train pairs; returns patterns seen (T,) and all answers (T, N, 2, 2 strips)."""
    weights_rng, pattern_rng = map(
        np.random.default_rng, np.random.SeedSequence(flags.seed).spawn(2)
    )
    nets = Nets(config.pairs, 2, (2 * config.width, config.hidden_size, 1), weights_rng)
    seen, said = [0], [nets.forward(every)[..., 0]]

    def next_batch():
        return draw_patterns(views, config.pairs, config.batch_size, pattern_rng)

    steps = config.patterns // config.batch_size
    adam = Adam(nets.weights, config.learning_rate)
    for step in train(nets, adam, lambda y: predictable(y, config.alpha), next_batch, steps):
        if step % 10 == 0:
            seen.append(step * config.batch_size)
            said.append(nets.forward(every)[..., 0])
    return np.array(seen), np.array(said)


def correlation(y, together):
    """Return the correlation of both answers over the joint views that occur, y (2, 2 strips)."""
    first, second = np.broadcast_arrays(y[0][:, None], y[1][None, :])  # (24, 24)
    return np.corrcoef(first[together], second[together])[0, 1]


def scatter(ax, y, together, title):
    """Plot the answers to all joint views that occur, by the shift, a little apart."""
    first, second = np.broadcast_arrays(y[0][:, None], y[1][None, :])  # (24, 24)
    kind = np.where(shift[:, None] == shift, shift[:, None], 2)  # (24, 24)
    color = np.array([*SHIFT_COLORS, GREY])[kind[together]]  # (dots,)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(color))
    place = np.stack([first[together], second[together]])  # (2, dots)
    place = place + rng.normal(0, 0.018, place.shape)
    ax.scatter(*place[:, order], c=color[order], s=26, alpha=0.6, lw=0)
    ax.set(xlim=(-0.08, 1.08), ylim=(-0.08, 1.08), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.set(xlabel="net 1 says", ylabel="net 2 says", aspect="equal")
    ax.set_title(title, fontsize=11, weight="normal")


def draw_frame(figure, seen, k, panels):
    """Draw both scatters and how the correlation has run up to now."""
    figure.clear()
    figure.text(0.02, 0.955, TITLE, weight="bold", fontsize=12.5, va="center")
    for j, (y, together, title, _, _) in enumerate(panels):
        scatter(figure.add_axes((0.07 + 0.335 * j, 0.15, 0.265, 0.62)), y[k], together, title)
    ax = figure.add_axes((0.745, 0.19, 0.225, 0.54))
    for _, _, _, color, course in panels:
        ax.plot(seen[: k + 1], course[: k + 1], color=color)
        ax.plot(seen[k], course[k], "o", color=color, ms=6)
    ax.set(xlim=(0, 1.04 * seen[-1]), ylim=(-0.25, 1.1), yticks=(0, 0.5, 1))
    ax.set_xticks([0, seen[-1] // 2, seen[-1]])
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel("patterns seen")
    ax.set_title("correlation of the two", fontsize=11, weight="normal")
    ax.text(0.04, 0.93, "one shift", color=BLUE, weight="bold", transform=ax.transAxes)
    ax.text(0.96, 0.03, "two shifts", color=RED, weight="bold", ha="right", transform=ax.transAxes)
    figure.text(0.06, 0.87, "dots: pairs of views, shifted", va="center")
    figure.text(0.345, 0.87, "right", color=SHIFT_COLORS[0], weight="bold", va="center")
    figure.text(0.405, 0.87, "left", color=SHIFT_COLORS[1], weight="bold", va="center")
    figure.text(0.455, 0.87, "differently", color="#777777", weight="bold", va="center")


seen, agreeing = film(draw)
_, control = film(own_shifts)
same, all_joint = shift[:, None] == shift[None, :], np.ones((len(shift),) * 2, bool)
courses = np.array([[correlation(y, same) for y in pairs] for pairs in agreeing])  # (T, N)
order = (courses > 0.99).argmax(0) + len(seen) * (courses.max(0) <= 0.99)  # (N,) when they agree
pair = np.argsort(order, kind="stable")[len(order) // 2 - 1]
end = min(len(seen), int(1.25 * order[pair]) + 2)
moved = np.abs(np.diff(agreeing[:end, pair], axis=0)).mean((1, 2))  # (end - 1,)
path = np.concatenate([[0], np.cumsum(moved / moved.sum() + 0.5 / len(moved))])  # (end,)
shots = np.unique(np.searchsorted(path, np.linspace(0, path[-1], FRAMES)).clip(0, end - 1))
panels = [
    (agreeing[shots][:, pair], same, "one shift for both strips", BLUE, courses[shots, pair]),
    (
        control[shots][:, pair],
        all_joint,
        "each strip its own shift",
        RED,
        np.array([correlation(y[pair], same) for y in control[shots]]),
    ),
]
figure = plt.figure(figsize=(8.6, 3.9), layout="none")
images = []
for k in range(len(shots)):
    draw_frame(figure, seen[shots], k, panels)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
palette = images[-1].quantize(64)
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
first, *others = images
times = [STEP] * len(others) + [HOLD]
options = {"loop": 0, "optimize": False, "disposal": 1}
path = flags.out / "predictable_stereo.gif"
first.save(path, save_all=True, append_images=others, duration=times, **options)
print(path, f"{len(images)} frames, {sum(times) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
