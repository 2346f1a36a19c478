# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: one unseen track, driven by C on V alone (above) and on V + M (below). The run is
trained here by world_models_carracing.train, some minutes; the track is the test track at the 10th
percentile of V alone.

    python3 make_world_models_carracing_gif.py            the animation
    python3 make_world_models_carracing_gif.py --quick    the same code on a run too short to learn
"""

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import world_models_carracing as wm
from PIL import Image
from world_models_carracing import ARMS

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

FRAMES, FRAME_MS, LAST_MS = 90, 100, 2500
ROWS = {"v": ("V alone: C reads z", ORANGE), "v_m": ("V + M: C reads z and h", BLUE)}


def film(world, nets, search, name, track):
    """All frames of one test drive; M looks on in both cases, but C reads its state only in V +
    M."""
    config, kept = world.config, []
    h = c = np.zeros((1, config.hidden_m), np.float32)
    theta = wm.weights(ARMS[name], config, search.answer)[None]

    def picture(z):
        return wm.sigmoid(wm.decode(nets["v"], (z * nets["z_std"] + nets["z_mean"])[None])[0])

    def watch(frame, ids, cars, view, z, _, action):
        nonlocal h, c
        before = h[0].copy()
        h, c, _ = wm.lstm(nets["m"], np.concatenate([z, action], 1), h, c)
        logits, mean, _ = wm.mixture(nets["m"], h[0], config.latent)
        share = np.exp(logits - np.logaddexp.reduce(logits, -1, keepdims=True))
        kept.append(
            {
                "place": cars["xy"][0].copy(),
                "speed": cars["speed"][0],
                "heading": cars["heading"][0],
                "score": cars["score"][0],
                "view": view[0] / 255,
                "seen": picture(z[0]),
                "z": z[0],
                "h": before,
                "next": picture((share * mean).sum(-1)),
                "action": action[0],
            }
        )

    (result,) = wm.drive(
        world, nets, [(ARMS[name], theta)], np.array([track]), np.array([0]), watch=watch
    )
    return kept, result[:, 0, 0]


def draw(figure, world, films, track, k):
    """One frame of the animation: both drives at frame k, or at their ends."""
    figure.clear()
    figure.set_layout_engine("none")
    road = np.concatenate([world.points[track], world.points[track, :1]])
    for row, (name, (kept, (score, tiles, _))) in enumerate(films.items()):
        words, colour = ROWS[name]
        now, over = kept[min(k, len(kept) - 1)], k >= len(kept) - 1
        bottom = 0.50 - 0.43 * row
        ax = figure.add_axes((0.005, bottom, 0.27, 0.38))
        ax.plot(*road.T, color="#DDDDDD", linewidth=6, zorder=0)
        ax.plot(*np.array([f["place"] for f in kept[: k + 1]]).T, color=colour, linewidth=1.5)
        mark = ("o" if tiles == 1 else "X") if over else (3, 0, np.degrees(now["heading"]) - 90)
        ax.plot(
            *now["place"],
            marker=mark,
            markersize=10,
            color=(GREEN if tiles == 1 else RED) if over else BLACK,
        )
        ax.set(aspect="equal")
        ax.axis("off")
        figure.text(0.012, bottom + 0.385, words, weight="bold", color=colour, fontsize=11)
        state = (
            f"{100 * tiles:.0f} % of the road, {score:.0f} points"
            if over
            else f"{min(k, len(kept) - 1) / 10:4.1f} s, {now['speed']:4.1f} m/s, "
            f"{now['score']:4.0f} points"
        )
        figure.text(0.30, bottom + 0.385, state, fontsize=10.5, color="#333333")
        for column, (key, title) in enumerate(
            (
                ("view", "what the camera sees"),
                ("seen", "what V makes of it"),
                ("next", "what M expects next"),
            )
        ):
            image = figure.add_axes((0.29 + 0.155 * column, bottom + 0.02, 0.145, 0.30))
            image.imshow(now[key].reshape(wm.SIDE, wm.SIDE), cmap="gray", vmin=0, vmax=1)
            image.set(xticks=[], yticks=[])
            image.set_title(title, fontsize=8, weight="normal", loc="center", pad=3)
            if name == "v" and key == "next":
                image.set_title(
                    "M looks on, C does not", fontsize=8, weight="normal", loc="center", pad=3
                )
        for column, (key, used) in enumerate((("z", True), ("h", name == "v_m"))):
            bars = figure.add_axes(
                (0.775 + 0.09 * column, bottom + 0.02, 0.05 + 0.06 * column, 0.30)
            )
            limit = 3.0 if key == "z" else 1.0
            bars.barh(
                range(len(now[key])), now[key], height=1.0, color=colour if used else "#DDDDDD"
            )
            bars.set(xlim=(-limit, limit), xticks=[], yticks=[])
            bars.spines[:].set_visible(False)
            bars.set_title(
                f"{key}, {len(now[key])} numbers", fontsize=8, weight="normal", loc="center", pad=3
            )
    figure.text(
        0.012,
        0.945,
        "Both drive an unseen track from the same 16 numbers; one also has a memory",
        weight="bold",
        fontsize=13,
    )
    figure.text(
        0.012,
        0.02,
        "Speed is not in the picture. Above, the car brakes for a bend, stops, and cannot see "
        "that it has.",
        fontsize=10.5,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return Image.open(buffer).convert("RGB")


def main():
    config = wm.Config(**wm.QUICK) if flags.quick else wm.Config()
    world, nets, searches, _ = wm.train(config, flags.seed, ARMS)
    score = wm.examine(world, nets, ARMS, searches)["v"][0]
    track = config.train_tracks + int(np.argsort(score, kind="stable")[len(score) // 10])
    films = {name: film(world, nets, searches[name], name, track) for name in ROWS}
    last = max(len(kept) for kept, _ in films.values()) - 1
    figure = plt.figure(figsize=(9, 5.2))
    frames = [
        draw(figure, world, films, track, k)
        for k in np.linspace(0, last, 12 if flags.quick else FRAMES).round().astype(int)
    ]
    some = Image.fromarray(
        np.vstack([np.asarray(frame) for frame in frames[:: len(frames) // 6] + frames[-1:]])
    )
    palette = some.quantize(96)  # one palette for all frames, so that nothing flickers
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[colours.min(1) > 245] = 255
    palette.putpalette(colours.ravel().tolist())
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    milliseconds = [FRAME_MS * (FRAMES // len(frames))] * (len(frames) - 1) + [LAST_MS]
    path = flags.out / "world_models_carracing.gif"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=True
    )
    print(
        path,
        f"{len(frames)} frames, {sum(milliseconds) / 1000:.1f} s, "
        f"{path.stat().st_size / 1e6:.2f} MB",
    )


if __name__ == "__main__":
    main()
