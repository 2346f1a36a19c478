# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of competing units: what is left of 0-4 while 5-9 is learned, and who wins."""

import argparse
from pathlib import Path

from compete_to_compute import (
    KINDS,
    QUICK,
    Config,
    Part,
    batches,
    descend,
    draw,
    error,
    layers,
    mean_nll,
    rest,
    train_to_likelihood,
    two_tasks,
)
from study_compete_to_compute import active
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba_array
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

NAMES = {"lwta": ("LWTA", BLUE), "relu": ("ReLU", RED), "sigmoid": ("sigmoid", GREEN)}
FRAMES = 38
LOOK = 2000  # test images of each task that pairs are watched on
TITLE = "Pairs keep their winners on 5-9, so LWTA forgets 0-4 as well"


def learned(kind, draws, tasks, config, moments):
    """Let a net learn P1, then P2. Returns [(updates on P2, P1's error, how pairs differ)].

    Pairs differ by |share of P1's images - share of P2's images| that their first unit wins.
    """
    activation, scaled = KINDS[kind]
    p1, p2 = tasks
    head_1, head_2 = layers(draws.heads, scaled, config)
    body = layers(draws.body, scaled, config)
    nets = [[*body, head_1], [*body, head_2]]
    train_to_likelihood(nets[0], activation, p1.train, draws.orders[0], config, lambda *_: None)
    velocity = rest(nets[1])
    how = config.learning_rate, config.momentum
    half_epoch = len(p2.train.labels) // config.batch_size // config.checks_per_epoch

    def seen(update):
        wrong = error(nets[0], activation, p1.test)
        if kind != "lwta":
            return update, wrong, None
        often = [
            active(nets[1], activation, Part(*(x[:LOOK] for x in task.test))) for task in tasks
        ]
        halves = [[np.split(rates, 2)[0] for rates in some] for some in often]
        apart = [np.abs(a - b) for a, b in zip(*halves, strict=True)]  # (H / 2,) of each layer
        return update, wrong, apart

    film = [seen(0)]
    for update, rows in enumerate(batches(draws.orders[1], config.batch_size), 1):
        images, labels = p2.train.images[rows], p2.train.labels[rows]
        descend(nets[1], velocity, activation, images, labels, *how)
        ends = update % half_epoch == 0 and config.target_nll >= mean_nll(
            nets[1], activation, p2.train, 2 * config.target_nll
        )
        if update in moments or ends:
            film.append(seen(update))
        if ends:
            break
    return film


def draw_curves(ax, films, now, last):
    """Draw P1's error of each net up to this update; a dot where a net has learned P2."""
    highest = max(said for film in films.values() for _, said, _ in film)
    for kind, film in films.items():
        label, color = NAMES[kind]
        points = np.array([(max(update, 0.7), said) for update, said, _ in film if update <= now])
        ax.plot(*points.T, color=color, lw=2.4)
        over = film[-1][0] <= now
        ax.plot(*points[-1], "o", color=color, markersize=9 if over else 5, clip_on=False)
        height = points[-1, 1]
        if over:
            words = f"{label}: {height:.1f} % after {film[-1][0]:,} updates"
        else:
            words = f"{label}: {height:.1f} %"
        ax.text(
            1.03,
            0.88 - 0.2 * list(films).index(kind),
            words,
            color=color,
            weight="bold",
            transform=ax.transAxes,
            fontsize=10.5,
        )
    ax.set(xscale="log", xlim=(0.65, last * 1.1), ylim=(0, 1.08 * highest))
    ax.set_xticks((1, 10, 100, 1000), ("1", "10", "100", "1,000"))
    ax.set_xlabel("updates on 5-9", labelpad=1)
    ax.set_ylabel("error on 0-4, %")


def draw_pairs(figure, apart, words):
    """Draw every pair of the LWTA net as a cell: dark where the tasks have other winners."""
    size = len(apart[0])
    columns = max(n for n in range(1, size + 1) if size % n == 0 and n <= 20)
    for n, pairs in enumerate(apart):
        ax = figure.add_axes((0.08 + 0.3 * n, 0.085, 0.275, 0.255))
        grid = pairs.reshape(-1, columns)
        ax.imshow(grid, cmap="Blues", vmin=0, vmax=0.8, aspect="auto")
        ax.set_xticks(np.arange(0.5, columns - 1), minor=True)
        ax.set_yticks(np.arange(0.5, len(grid) - 1), minor=True)
        ax.grid(which="minor", color="white", lw=1)
        ax.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        ax.spines[:].set_visible(False)
        ax.set_title(
            f"layer {n + 1}: {100 * pairs.mean():.0f} %", fontsize=10, weight="normal", pad=3
        )
    figure.text(0.08, 0.425, words, fontsize=10.5, color=BLUE, weight="bold")
    figure.text(
        0.08,
        0.025,
        "a cell is a pair; dark: the winner depends on the task; above: mean over the layer",
        fontsize=9.5,
        color="#444444",
    )


def picture(figure, films, now, last):
    """Draw one frame."""
    figure.clear()
    figure.text(0.02, 0.945, TITLE, fontsize=14, weight="bold", va="center")
    draw_curves(figure.add_axes((0.08, 0.58, 0.5, 0.31)), films, now, last)
    apart = [pairs for update, _, pairs in films["lwta"] if update <= now][-1]
    words = "LWTA: by how much each pair's share of wins differs between 0-4 and 5-9"
    draw_pairs(figure, apart, words)


config = Config(**QUICK) if flags.quick else Config()
tasks = two_tasks()
draws = draw(config, flags.seed, tasks)
longest = config.max_epochs * len(tasks[1].train.labels) // config.batch_size
moments = set(np.unique(np.geomspace(1, longest, FRAMES).astype(int)).tolist())
films = {kind: learned(kind, draws, tasks, config, moments) for kind in NAMES}
last = max(film[-1][0] for film in films.values())
shown = np.unique(np.geomspace(1, last, FRAMES).astype(int))
figure = plt.figure(figsize=(8, 5), layout="none")
images = []
for now in (0, *shown):
    picture(figure, films, now, last)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [600] + [200] * (len(images) - 2) + [2500]
inks = 255 * to_rgba_array([BLUE, RED, GREEN])[:, :3]
bands = [np.full((120, images[0].width, 3), ink) for ink in inks]  # so that no ink is lost
sample = np.concatenate([np.asarray(image) for image in images[::6]] + bands).astype(np.uint8)
palette = Image.fromarray(sample).quantize(128)  # one for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "compete_to_compute.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
