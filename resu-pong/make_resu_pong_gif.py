# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow", "ale-py==0.12.1"]
# ///
"""The animation: a clone of the expert plays Pong by ReSU maps, from which a probe reads motion."""

import argparse
from pathlib import Path

import resu_pong
import study_resu_pong
from resu_pong import LOST, QUICK, SIDE, WON, Config, standardise
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
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

CONFIG = Config(**(QUICK if flags.quick else {}))
CUTS, SHOWN, EVERY, STEPS = (2, 8, 3, 120) if flags.quick else (3, 38, 2, 900)
TITLE = "Maps found without a gradient show where the ball goes"
GAME, MAP, CORNER = (400, 215), (236, 96), (14, 62)  # px; a console's pixels are twice as wide
WIDE, HIGH = 680, 320
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
FONT, BOLD, TITLE_FONT = (
    ImageFont.truetype(str(FONTS / f"DejaVuSans{name}.ttf"), size)
    for name, size in (("", 13), ("-Bold", 13), ("-Bold", 17))
)


def silent(fraction, message):
    """Show nothing."""


def taught(seed):
    """Return the lesson, a clone that sees ReSU maps, and a probe of the ball's velocity."""
    data_seed, head_seed = seed.spawn(2)
    data = resu_pong.collect(CONFIG, data_seed, silent)
    lesson = resu_pong.prepare(CONFIG, data)
    fresh = data.fresh[: len(lesson.parts[0]) // CONFIG.steps]
    starts = resu_pong.windows_of(fresh, CONFIG.taps + CONFIG.horizon)
    _, psi, _ = resu_pong.correlate(CONFIG, lesson.x, starts, starts)
    clone = resu_pong.learn(CONFIG, lesson, psi, head_seed, silent)
    x = standardise(resu_pong.features(lesson, psi), clone.shift, clone.scale)
    targets, known = study_resu_pong.ball(data)
    _, weights, offset = study_resu_pong.ridge_probe(x, targets, known, lesson.parts, (100.0,))
    return lesson, clone, lambda z: (z @ weights + offset)[2:]


def film(lesson, clone, read, rng):
    """Let the clone play alone: returns (screen, ON, OFF, ball, velocity, points) of each step."""
    world = resu_pong.make_world(CONFIG, 1, rng)
    memory = study_resu_pong.Memory(CONFIG.taps, lesson.mean)
    filters = clone.filters.astype(np.float32)
    scenes, points = [], np.zeros(2, int)
    for _ in range(STEPS):
        windows = memory.push(world)  # (1, m, 1600)
        x = standardise(resu_pong.encode(windows, filters), clone.shift, clone.scale)  # (1, D)
        z = (filters[1] @ windows[0]).reshape(SIDE, SIDE)
        ball = world.state[0, :2] if resu_pong.visible(world.state)[0] else None
        scenes.append(
            (screen_of(world), np.maximum(z, 0), np.maximum(-z, 0), ball, read(x[0]), points.copy())
        )
        before = world.state[0, [LOST, WON]]
        world.step(clone.net.logits(x).argmax(1))
        points += np.maximum(world.state[0, [LOST, WON]] - before, 0)
    return scenes


def screen_of(world):
    """Return the court in colour, (172, 160, 3), as the console draws it."""
    if hasattr(world, "machines"):
        return world.machines[0].getScreenRGB()[24:196].copy()
    court = world.frames.reshape(SIDE, SIDE).repeat(4, 0).repeat(4, 1)  # (160, 160)
    return np.pad(court, ((10, 2), (0, 0)), constant_values=236)[:, :, None].repeat(3, 2)


def chosen(scenes):
    """Return the steps to show: stretches in which the ball is seen longest, in order."""
    seen = np.array([scene[3] is not None for scene in scenes])
    length = SHOWN * EVERY
    total = np.convolve(seen, np.ones(length), "valid") * seen[: len(seen) - length + 1]
    final = [scene[3] is not None and 90 < scene[3][0] < 165 for scene in scenes]
    total = total * np.array(final)[length - EVERY :][: len(total)]  # and at the end far from both
    total[:20] = 0
    starts = []
    for _ in range(CUTS):
        starts.append(int(total.argmax()))
        total[max(0, starts[-1] - length) : starts[-1] + length] = 0
    return [start + EVERY * k for start in sorted(starts) for k in range(SHOWN)]


def map_image(values, color, top):
    """Return a map as an image, from white to one colour."""
    ink = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    share = np.clip(values / top, 0, 1)[:, :, None]
    image = Image.fromarray((255 + share * (ink - 255)).astype(np.uint8))
    return image.resize(MAP, Image.Resampling.NEAREST)


def arrow(draw, ball, v):
    """Draw the velocity that the probe reads, three steps long."""
    x0 = GAME[0] / 160 * (ball[0] - 48)
    y0 = GAME[1] / 172 * (ball[1] - 14 - 24 + 2)
    x1, y1 = x0 + GAME[0] / 160 * 3 * v[0], y0 + GAME[1] / 172 * 3 * v[1]
    angle = np.arctan2(y1 - y0, x1 - x0)
    draw.line((x0, y0, x1, y1), fill=YELLOW, width=3)
    for turn in (2.6, -2.6):
        end = (x1 + 9 * np.cos(angle + turn), y1 + 9 * np.sin(angle + turn))
        draw.line((x1, y1, *end), fill=YELLOW, width=3)


def picture(scene, step, top):
    """Draw one moment."""
    screen, on, off, ball, v, (lost, won) = scene
    canvas = Image.new("RGB", (WIDE, HIGH), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((CORNER[0], 10), TITLE, fill=BLACK, font=TITLE_FONT)
    right = CORNER[0] + GAME[0]
    name = "a clone of the expert plays" + ("" if CONFIG.emulated else " (mini-Pong)")
    draw.text((CORNER[0], CORNER[1] - 20), name, fill=BLACK, font=FONT)
    score = f"lost {lost}  won {won}"
    draw.text((right, CORNER[1] - 20), score, fill=BLACK, font=BOLD, anchor="ra")
    game = Image.fromarray(screen).resize(GAME, Image.Resampling.NEAREST)
    if ball is not None:
        arrow(ImageDraw.Draw(game), ball, v)
    canvas.paste(game, CORNER)
    for k, (label, values, color) in enumerate(
        (("filter 2, ON: what has come", on, RED), ("filter 2, OFF: what has gone", off, BLUE))
    ):
        at = (right + 16, CORNER[1] + k * (MAP[1] + 23))
        draw.text((at[0], at[1] - 20), label, fill=color, font=FONT)
        canvas.paste(map_image(values, color, top), at)
        draw.rectangle((at[0] - 1, at[1] - 1, at[0] + MAP[0], at[1] + MAP[1]), outline="#BBBBBB")
    words = "arrow: the ball's velocity, as a linear probe reads it from the maps"
    draw.text((CORNER[0], HIGH - 28), words, fill=BLACK, font=FONT)
    draw.text((WIDE - 14, HIGH - 28), f"step {step}", fill=BLACK, font=FONT, anchor="ra")
    return canvas


class_seed, play_seed = np.random.SeedSequence((flags.seed, 7)).spawn(2)
lesson, clone, read = taught(class_seed)
scenes = film(lesson, clone, read, np.random.default_rng(play_seed))
steps = chosen(scenes)
top = np.quantile([np.maximum(*scenes[step][1:3]) for step in steps], 0.998)
images = [picture(scenes[step], step, top) for step in steps]
plain = Image.new("RGB", (WIDE, 200), YELLOW)  # so that the palette has room for the arrow
sample = np.concatenate([np.asarray(image) for image in (plain, *images[::6])])
palette = Image.fromarray(sample).quantize(64)
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
pace = [80] * (len(images) - 1) + [2000]
path = flags.out / "resu_pong.gif"
first, *others = images
options = {"loop": 0, "optimize": False, "disposal": 1}
first.save(path, save_all=True, append_images=others, duration=pace, **options)
print(path, f"{len(images)} frames, {sum(pace) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
