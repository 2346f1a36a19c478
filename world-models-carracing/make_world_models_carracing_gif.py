# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: one unseen track, driven by C on V alone (above) and on V + M (below). The run is
trained here, some minutes; the track is the one on which V alone scores third least.

    python3 make_world_models_carracing_gif.py            the animation
    python3 make_world_models_carracing_gif.py --quick    the same code on a run too short to learn
"""

import argparse
import io
from pathlib import Path

import world_models_carracing as wm
from world_models_carracing import ARMS
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

FRAMES, FRAME_MS, LAST_MS = 70, 110, 2000
ROWS = {"v": ("V alone", ORANGE), "v_m": ("V + M", BLUE)}
TITLE = "Both see the same 16 numbers; with a memory, C gets round where V alone stops"


def film(world, nets, name, theta, track):
    """Return all frames of one test drive; M looks on in both, C reads its state only in V + M."""
    memory, eye, kept = nets["m"], nets["eye"], []
    state = np.zeros((2, 1, len(memory.mean)), np.float32)

    def painted(z):
        logits, _ = wm.decode(eye.v, (z * eye.deviation + eye.mean)[None])
        return wm.sigmoid(logits)

    def watch(frame, cars, view, z, action):
        state[:] = memory.step(z, action, *state)
        logits, mean, _ = wm.mixture(memory.m, state[0])[..., 0]  # (K, Z) each
        now = {key: cars[key][0].copy() for key in ("xy", "speed", "heading", "score")}
        now |= {"view": view[0] / 255, "seen": painted(z[0])}
        kept.append(now | {"next": painted((wm.shares(logits)[0] * mean).sum(0))})

    crew = ARMS[name], theta
    (result,) = wm.drive(world, nets, [crew], np.array([track]), np.array([0]), watch=watch)
    return kept, result[:, 0, 0]


def outline(world, track):
    """Return the outline of the road, six metres wide, once round outside and once inside."""
    heading = world.heading[track]  # (P,)
    across = wm.HALF_WIDTH * np.stack([-np.sin(heading), np.cos(heading)], 1)  # (P, 2)
    sides = [world.points[track] + side * across for side in (1, -1)]
    closed = [np.concatenate([side, side[:1]]) for side in sides]
    return np.concatenate([closed[0], closed[1][::-1]])


def draw_track(figure, road, kept, tiles, colour, k, bottom):
    """Draw the track, the way so far and the car."""
    ax = figure.add_axes((0.005, bottom, 0.33, 0.37))
    now, over = kept[min(k, len(kept) - 1)], k >= len(kept) - 1
    ax.fill(*road.T, color="#DDDDDD", zorder=0)
    ax.plot(*np.array([frame["xy"] for frame in kept[: k + 1]]).T, color=colour, linewidth=1.6)
    mark, ink = (3, 0, np.degrees(now["heading"]) - 90), BLACK
    if over:
        mark, ink = ("s", GREEN) if tiles == 1 else ("X", RED)
    ax.plot(*now["xy"], marker=mark, markersize=11, color=ink)
    ax.set(aspect="equal")
    ax.axis("off")


def draw(figure, road, films, k):
    """Draw one frame of the animation: both drives at frame k, or at their ends."""
    figure.clear()
    figure.set_layout_engine("none")
    figure.text(0.012, 0.945, TITLE, weight="bold", fontsize=13)
    for row, (name, (kept, (score, tiles, _))) in enumerate(films.items()):
        words, colour = ROWS[name]
        bottom = 0.485 - 0.46 * row
        draw_track(figure, road, kept, tiles, colour, k, bottom)
        now, over = kept[min(k, len(kept) - 1)], k >= len(kept) - 1
        figure.text(0.012, bottom + 0.385, words, weight="bold", color=colour, fontsize=12)
        state = f"{min(k, len(kept) - 1) / 10:.1f} s, {now['speed']:.1f} m/s, "
        state += f"{now['score']:.0f} points"
        if over:
            state = f"the end: {100 * tiles:.0f} % of the road, {score:.0f} points"
        figure.text(0.36, bottom + 0.385, state, fontsize=12, color="#333333")
        titles = {"view": "what the camera sees", "seen": "what V keeps of it"}
        titles["next"] = "what M expects next" if name == "v_m" else "M's guess, which C lacks"
        for column, (key, text) in enumerate(titles.items()):
            ax = figure.add_axes((0.35 + 0.217 * column, bottom, 0.205, 0.325))
            ax.imshow(now[key].reshape(wm.SIDE, wm.SIDE), cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.set_title(text, fontsize=10, weight="normal", loc="center", pad=4)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=85)
    return Image.open(buffer).convert("RGB")


def write_gif(path, images, milliseconds):
    """Write images with one palette for all, so that nothing flickers."""
    some = images[0], images[len(images) // 2], images[-1]
    sample = np.vstack([np.asarray(image) for image in some])
    palette = Image.fromarray(sample).quantize(64, method=Image.Quantize.MAXCOVERAGE)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[colours.min(1) > 245] = 255
    palette.putpalette(colours.ravel().tolist())
    first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    options = {"loop": 0, "optimize": False, "disposal": 1}
    first.save(path, save_all=True, append_images=others, duration=milliseconds, **options)
    print(path, f"{sum(milliseconds) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")


def main():
    config = wm.Config(**wm.QUICK) if flags.quick else wm.Config()
    streams = wm.named_streams(wm.BUILD + wm.SEARCH, np.random.SeedSequence(flags.seed))
    world, nets, drivers, _, _ = wm.train(config, streams, lambda fraction, message: None)
    score, tiles, _ = wm.examine(world, nets, {"v": ARMS["v"]}, drivers, world.test)["v"]
    order = np.argsort(score, kind="stable")
    failed = order[tiles[order] < 1]
    track = world.test[failed[len(failed) // 2]]
    films = {name: film(world, nets, name, drivers[name], track) for name in ROWS}
    road = outline(world, track)
    last = max(len(kept) for kept, _ in films.values()) - 1
    figure = plt.figure(figsize=(9, 5.2))
    moments = np.linspace(min(10, last), last, 12 if flags.quick else FRAMES).round().astype(int)
    images = [draw(figure, road, films, k) for k in moments]
    milliseconds = [FRAME_MS * FRAMES // len(images)] * (len(images) - 1) + [LAST_MS]
    write_gif(flags.out / "world_models_carracing.gif", images, milliseconds)


if __name__ == "__main__":
    main()
