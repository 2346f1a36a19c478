# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow", "ale-py==0.12.1"]
# ///
"""The animation: two clones of one expert play the same Pong, one through ReSU maps, one through
two raw frames."""

import argparse
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import resu_pong as rp
from PIL import Image, ImageDraw, ImageFont

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

CONFIG = rp.Config(**(rp.QUICK if flags.quick else {}))
CUTS, APART = (
    (2, 40) if flags.quick else (4, 350)
)  # scenes of the same game, agent steps from one to the next
SHOWN, EVERY, MILLISECONDS = (
    (7, 5, 100) if flags.quick else (30, 2, 70)
)  # frames per scene, agent steps each, pace
STEPS = [cut * APART + EVERY * (frame + 1) - 1 for cut in range(CUTS) for frame in range(SHOWN)]
GAME, MAP, WIDE, HIGH = (
    (320, 172),
    (236, 78),
    600,
    472,
)  # px; a console's pixels are twice as wide as high
TITLE = "The maps show where the ball goes: who sees them loses far less"
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
FONT, BOLD, SMALL = (
    ImageFont.truetype(str(FONTS / f"DejaVuSans{name}.ttf"), size)
    for name, size in (("", 13), ("-Bold", 15), ("", 11))
)


def velocity_probe(data, lesson, maps):
    """A ridge regression from ReSU features to the ball's velocity: features (N, D) -> (N, 2) px
    per step."""
    y, asked = rp.probe_targets(data)
    steps = lesson.parts[0][asked[lesson.parts[0]]]
    x = rp.columns(maps, True)[steps]
    shift, scale, centre = x.mean(0), x.std(0) + 1e-4, y[steps, 2:4].mean(0)
    x = rp.standardise(x, shift, scale)
    w = np.linalg.solve(x.T @ x + 100 * np.eye(x.shape[1]), x.T @ (y[steps, 2:4] - centre))
    return lambda z: rp.standardise(z, shift, scale) @ w + centre


def film(clone, world, read=None):
    """Let a clone play alone; returns what to show of each of STEPS: screen, maps, ball, velocity
    read, points."""
    memory, scenes, points = rp.Memory(clone.filters.shape[1], clone.mean), {}, np.zeros(2, int)
    before = [world.state]

    def watch(step, world):
        r = clone.filters.astype(np.float32) @ memory.push(world)
        change = world.state[0, [rp.LOST, rp.WON]] - before[0][0, [rp.LOST, rp.WON]]
        points[:] += np.where((change > 0) & (change < 2), change, 0)
        before[0] = world.state
        if step not in STEPS:
            return
        if hasattr(world, "machines"):
            screen = world.machines[0].getScreenRGB()
        else:
            screen = np.repeat(world.screens[0][:, :, None], 3, 2)
        v = read(rp.columns(rp.on_off(r), True))[0] if read else None
        ball = world.state[0, :2] if rp.visible(world.state)[0] else None
        scenes[step] = (
            screen.copy(),
            r[0, 1].reshape(40, 40).copy(),
            r[0, 0].reshape(40, 40).copy(),
            ball,
            v,
            points.copy(),
        )

    rp.play(CONFIG, world, rp.clone_policy(clone), STEPS[-1] + 1, watch)
    return scenes


def picture_of(values, colour, top):
    """A map as an image: white to one colour."""
    ink = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    share = np.clip(values / top, 0, 1)[:, :, None]
    image = Image.fromarray((255 + share * (ink - 255)).astype(np.uint8))
    return image.resize(MAP, Image.Resampling.NEAREST)


def row(canvas, draw, y, name, scene, panels):
    """One player: the game at the left, two maps at the right."""
    screen, _, _, ball, v, (lost, won) = scene
    draw.text((14, y), name, fill=BLACK, font=BOLD)
    draw.text(
        (14 + GAME[0], y),
        f"won {won}  lost {lost}",
        fill=RED if lost > won else BLACK,
        font=BOLD,
        anchor="ra",
    )
    game = Image.fromarray(screen[24:196]).resize(GAME, Image.Resampling.NEAREST)
    canvas.paste(game, (14, y + 21))
    if v is not None and ball is not None:
        x0, y0 = 14 + 2 * (ball[0] - 48), y + 21 + ball[1] - 14 - 24 + 2
        x1, y1 = x0 + 2 * 3.0 * v[0], y0 + 3.0 * v[1]
        draw.line((x0, y0, x1, y1), fill=YELLOW, width=3)
        angle = np.arctan2(y1 - y0, x1 - x0)
        for turn in (2.6, -2.6):
            draw.line(
                (x1, y1, x1 + 9 * np.cos(angle + turn), y1 + 9 * np.sin(angle + turn)),
                fill=YELLOW,
                width=3,
            )
    for k, (label, values, colour, top) in enumerate(panels):
        at = (14 + GAME[0] + 16, y + 21 + k * (MAP[1] + 16))
        canvas.paste(picture_of(values, colour, top), at)
        draw.rectangle((at[0] - 1, at[1] - 1, at[0] + MAP[0], at[1] + MAP[1]), outline="#BBBBBB")
        draw.text((at[0] + 4, at[1] - 14), label, fill=colour, font=SMALL)


rng, heads = (
    np.random.default_rng(child) for child in np.random.SeedSequence((flags.seed, 7)).spawn(2)
)
data, _ = rp.collect(CONFIG, rng)
lesson = rp.prepare(CONFIG, data)
_, psi, pp, _ = rp.fit_layer_1(
    CONFIG, lesson.x[: CONFIG.train_runs], data.fresh[: CONFIG.train_runs]
)
maps = rp.features(lesson.x, data.fresh, psi)
read = velocity_probe(data, lesson, maps)
_, tuned = rp.learn(CONFIG, maps, True, None, lesson.label, lesson.parts, heads)
spectral = rp.Clone(lesson.mean, psi, True, *tuned)
taps = np.eye(CONFIG.taps)[:2]
_, tuned = rp.learn(
    CONFIG, rp.features(lesson.x, data.fresh, taps), False, None, lesson.label, lesson.parts, heads
)
pair = rp.Clone(lesson.mean, taps, False, *tuned)
films = [
    film(clone, rp.make_world(CONFIG, np.random.default_rng(flags.seed), 1), probe)
    for clone, probe in ((spectral, read), (pair, None))
]
tops = [
    np.quantile(np.abs([scene[part] for scene in films[i].values()]), 0.998)
    for i, part in ((0, 1), (1, 2), (1, 1))
]
images = []
for t in STEPS:
    canvas = Image.new("RGB", (WIDE, HIGH), "white")
    draw, (upper, lower) = ImageDraw.Draw(canvas), (f[t] for f in films)
    draw.text((14, 8), TITLE, fill=BLACK, font=BOLD)
    row(
        canvas,
        draw,
        36,
        "sees ReSU maps",
        upper,
        [
            ("filter 2, ON: what has come", np.maximum(upper[1], 0), RED, tops[0]),
            ("filter 2, OFF: what has gone", np.maximum(-upper[1], 0), BLUE, tops[0]),
        ],
    )
    row(
        canvas,
        draw,
        240,
        "sees 2 raw frames",
        lower,
        [
            ("this frame less the mean", np.abs(lower[2]), BLACK, tops[1]),
            ("the frame before", np.abs(lower[1]), BLACK, tops[2]),
        ],
    )
    words = "" if CONFIG.emulated else "Mini-Pong, not the Atari. "
    words += "Yellow: the ball's velocity as a probe reads it from the maps."
    draw.text((14, 447), words, fill=BLACK, font=FONT)
    draw.text((WIDE - 14, 447), f"step {t + 1}", fill=BLACK, font=BOLD, anchor="ra")
    images.append(canvas)
plain = Image.new("RGB", (WIDE, 200), YELLOW)  # so that the palette has room for the arrow
palette = Image.fromarray(
    np.concatenate([np.asarray(image) for image in (plain, *images[::6])])
).quantize(64)
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
pace = [MILLISECONDS] * (len(images) - 1) + [2000]
path = flags.out / "resu_pong.gif"
images[0].save(
    path, save_all=True, append_images=images[1:], duration=pace, loop=0, optimize=False, disposal=1
)
print(path, f"{len(images)} frames, {sum(pace) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
