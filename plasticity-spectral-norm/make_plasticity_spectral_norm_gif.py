# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of plasticity: two trained players, and units that fall silent task by task."""

import argparse
from pathlib import Path

from plasticity_spectral_norm import (
    COIN,
    HAZARD,
    LIMIT,
    QUICK,
    SOLID,
    Config,
    ReLUNet,
    SpectralNet,
    World,
    accuracy,
    decide,
    draw_lessons,
    draw_season,
    learn_game,
    learn_task,
    memoriser,
    player,
)
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba_array
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

NETS = {"ReLU": (ReLUNet, RED), "spectral norm": (SpectralNet, BLUE)}
TITLE = "Spectral norm keeps more units alive, and plays worse"
TICKS = 8  # physics steps between two frames
REST = 2  # frames that a finished level stays in view
WON = "#1E7B3A"
SKY_COLOR, GROUND, FOE, GOLD = "#EAF2F8", "#8A7B6C", "#C0392B", "#F2B400"


def units_over_tasks(kind, lessons, config):
    """Return for each task the accuracy, and how often units (H,) are active on other frames."""
    net = memoriser(kind, config, lessons.weights[0])
    net.before_evaluation()
    film = [(None, (net.forward(lessons.others)[1][2] > 0).mean(0))]
    for labels, order in zip(lessons.labels, lessons.orders, strict=True):
        learn_task(net, lessons.frames, labels, order, config.learning_rate)
        known = accuracy(net, lessons.frames, labels)  # with the exact sigma from here on
        film.append((known, (net.forward(lessons.others)[1][2] > 0).mean(0)))
    return film


def games(net, levels, frames, rng):
    """Let a net play level after level: for each frame (level, x, y, won, outcome, done, wins)."""
    net.before_evaluation()
    world = World(levels, 1)
    level, wins, done, rest, ticks = 0, 0, 0, 0, 0
    world.reset(np.ones(1, bool), np.zeros(1, np.intp))
    film = []
    action = np.zeros(1, np.intp)
    while len(film) < frames:
        if rest:
            rest -= 1
            if not rest:
                level += 1
                world.reset(np.ones(1, bool), np.full(1, level % len(levels)))
                ticks = 0
        else:
            for _ in range(TICKS):
                if ticks % 4 == 0:
                    action = decide(net, world.observe(), rng)[0]
                world.tick(action % 3 - 1, action >= 3)
                ticks += 1
            if not world.playing[0] or world.age[0] >= LIMIT:
                rest = REST
                done += 1
                wins += int(world.won[0])
        said = ("coin" if world.won[0] else "lost") if rest else ""
        film.append((level % len(levels), float(world.x[0]), float(world.y[0]), said, done, wins))
    return film


def draw_level(ax, tiles, x, y, said, color):
    """Draw a level and the agent in it."""
    ax.clear()
    picture = np.zeros((*tiles.shape, 3))
    for code, ink in ((0, SKY_COLOR), (SOLID, GROUND), (HAZARD, SKY_COLOR), (COIN, SKY_COLOR)):
        picture[tiles == code] = to_rgb(ink)
    ax.imshow(picture, origin="lower", extent=(0, tiles.shape[1], 0, tiles.shape[0]))
    for row, column in np.argwhere(tiles == HAZARD):
        ax.plot(column + 0.5, row + 0.45, "^", color=FOE, markersize=9, mew=0)
    for row, column in np.argwhere(tiles == COIN):
        ax.plot(column + 0.5, row + 0.5, "o", color=GOLD, markersize=10, mec=BLACK, mew=0.8)
    ax.add_patch(plt.Rectangle((x - 0.35, y), 0.7, 0.8, color=color, zorder=3))
    if said:
        ink = WON if said == "coin" else FOE
        ax.text(x, y + 1.2, said, color=ink, weight="bold", ha="center", fontsize=12)
    ax.set(xlim=(0, SHOWN), ylim=(0, 9), xticks=(), yticks=())


def picture(axes, now, films, plays, success, levels, boards):
    """Draw one frame."""
    tasks = len(films["ReLU"]) - 1
    for (name, (_, color)), (left, right) in zip(NETS.items(), axes, strict=True):
        level, x, y, said, done, wins = plays[name][now]
        draw_level(left, levels[level], x, y, said, color)
        share = f"{100 * success[name]:.0f} %"
        score = f"{name} wins {share} of unseen levels, here {wins} of {done}"
        left.set_title(score, color=color, fontsize=11)
        left.spines[:].set_visible(False)
        known, active = films[name][min(now, tasks)]
        right.clear()
        shade = LinearSegmentedColormap.from_list("alive", ["#1A1A1A", color, "#FFFFFF"])
        grid = np.round(12 * active.reshape(boards)) / 12  # few shades, a small file
        right.imshow(grid, cmap=shade, vmin=0, vmax=1, aspect="auto")
        right.set_xticks(np.arange(0.5, boards[1] - 1), minor=True)
        right.set_yticks(np.arange(0.5, boards[0] - 1), minor=True)
        right.grid(which="minor", color="white", lw=1)
        right.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        right.spines[:].set_visible(False)
        learned = "untrained"
        if known is not None:
            learned = f"task {min(now, tasks)}: {100 * known:.0f} % known"
        right.set_title(f"{learned}, {100 * active.mean():.0f} % active", color=color, fontsize=11)


config = Config(**QUICK) if flags.quick else Config()
memory, game = np.random.SeedSequence(flags.seed).spawn(2)
lessons, season = draw_lessons(config, memory), draw_season(config, game)
films = {name: units_over_tasks(kind, lessons, config) for name, (kind, _) in NETS.items()}
frames = config.tasks + 1
levels = season.unseen[-1]
long = [level for level in levels if 14 <= np.argwhere(level == COIN)[0][1] <= 24]
levels = np.stack((long or list(levels))[:20])
SHOWN = 28  # columns in view
plays, success = {}, {}
for name, (kind, _) in NETS.items():
    net = player(kind, config, season.weights)
    success[name] = learn_game(net, season, config, lambda *_: None)[-1]["test"]
    rng = np.random.default_rng(season.testing[-1])
    plays[name] = games(net, levels, frames, rng)

figure = plt.figure(figsize=(8.2, 4.7), layout="none")
figure.text(0.02, 0.945, TITLE, fontsize=13, weight="bold", va="center")
axes = []
for bottom in (0.52, 0.08):
    axes.append(
        [figure.add_axes((0.02, bottom, 0.56, 0.32)), figure.add_axes((0.62, bottom, 0.36, 0.32))]
    )
figure.text(0.02, 0.03, "agents after PPO on other levels", fontsize=9.5, color="#444444")
figure.text(
    0.62,
    0.03,
    "nets that memorise; dark: a silent unit",
    fontsize=9.5,
    color="#444444",
)
size = config.hidden_size
rows = max(n for n in range(1, int(size**0.5) + 1) if size % n == 0)
images = []
for now in range(frames):
    picture(axes, now, films, plays, success, levels, (rows, size // rows))
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [600] + [180] * (len(images) - 2) + [2500]
inks = 255 * to_rgba_array(["white", SKY_COLOR, GROUND, FOE, GOLD, WON, RED, BLUE, BLACK])[:, :3]
bands = [np.full((60, images[0].width, 3), ink) for ink in inks]  # so that no ink is lost
sample = np.concatenate([np.asarray(image) for image in images[::6]] + bands).astype(np.uint8)
palette = Image.fromarray(sample).quantize(80)  # one for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 245] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "plasticity_spectral_norm.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
print(
    path,
    f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB",
)
