# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Static pictures of the racing world model, into viz/. One run is trained here, some minutes; the
means of all recorded seeds are read from results.json.

    python3 visualize_world_models_carracing.py            the pictures
    python3 visualize_world_models_carracing.py --quick    the same code on a run too short to learn
"""

import argparse
import json
from pathlib import Path

import world_models_carracing as wm
from world_models_carracing import ARMS
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

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

VIZ = flags.out / "viz"
VIZ.mkdir(exist_ok=True)
NAMES = {"v": "V alone", "v_hidden": "V + hidden layer", "v_untrained": "V + untrained M"}
NAMES |= {"v_m": "V + M", "script": "scripted driver"}
COLOURS = {"v": ORANGE, "v_hidden": PINK, "v_untrained": SKY, "v_m": BLUE, "script": GREY}
PAPER_MEANS = {"v": 632, "v_hidden": 788, "v_m": 906}


def save(figure, name):
    """Write a picture, the same bytes each time."""
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


def title(figure, text):
    """Put the finding above all axes."""
    figure.suptitle(text, weight="bold", fontsize=12, x=0.01, ha="left")


def drive_once(world, nets, name, theta, track):
    """Return the frames of one test drive, [{...}], its score and its share of tiles."""
    frames = []

    def watch(frame, cars, view, z, action):
        now = {"view": view, "z": z, "h": cars["h"], "c": cars["c"], "action": action}
        now |= {"place": cars["xy"], "speed": cars["speed"]}
        frames.append({key: value[0].copy() for key, value in now.items()})

    crew = ARMS[name], theta
    (result,) = wm.drive(world, nets, [crew], np.array([track]), np.array([0]), watch=watch)
    return frames, result[0, 0, 0], result[1, 0, 0]


def draw_scores(scores, records):
    """Draw a violin of all test tracks for each driver, and the means of the recorded seeds."""
    figure, ax = plt.subplots(figsize=(8.6, 4.8))
    rng = np.random.default_rng(np.random.SeedSequence(flags.seed))
    for k, (name, score) in enumerate(scores.items()):
        body = ax.violinplot(score, [k], widths=0.8, showextrema=False)["bodies"][0]
        body.set(facecolor=COLOURS[name], alpha=0.35, linewidth=0)
        places = k + rng.uniform(-0.12, 0.12, len(score))
        ax.plot(places, score, ".", color=COLOURS[name], markersize=3)
        ax.plot([k - 0.25, k + 0.25], [score.mean()] * 2, color=BLACK, linewidth=2)
        means = [record["metrics"][f"{name}.score"] for record in records]
        style = {"color": BLACK, "markersize": 4, "markerfacecolor": "white"}
        ax.plot([k - 0.38] * len(means), means, "D", **style)
        if name in PAPER_MEANS:
            ax.plot([k - 0.2, k + 0.46], [PAPER_MEANS[name]] * 2, **PAPER)
            ax.text(k + 0.47, PAPER_MEANS[name], f"{PAPER_MEANS[name]}", va="bottom", ha="right")
    words = "dot: a track of one seed; bar: their mean\ndiamond: the mean of a recorded seed\n"
    words += "dashed: the paper's mean in CarRacing-v0"
    ax.text(2.5, 20, words, va="bottom", color="#555555")
    ax.set(xticks=range(len(scores)), ylabel="score on an unseen track", ylim=(-220, 1060))
    ax.set_yticks(range(0, 1001, 200))
    ax.set_xticklabels([NAMES[name] for name in scores])
    ax.set_title("The memory's lead is in the mean and in the spread")
    save(figure, "scores.png")


def draw_road(ax, world, track):
    """Fill the road, six metres wide."""
    heading = world.heading[track]  # (P,)
    across = wm.HALF_WIDTH * np.stack([-np.sin(heading), np.cos(heading)], 1)  # (P, 2)
    sides = [world.points[track] + side * across for side in (1, -1)]
    closed = [np.concatenate([side, side[:1]]) for side in sides]
    ax.fill(*np.concatenate([closed[0], closed[1][::-1]]).T, color="#E2E2E2", zorder=0)


def failures(score, tiles, frames):
    """Return which test tracks a driver did not get round, from the least score to the greatest."""
    order = np.argsort(score, kind="stable")
    return order[tiles[order] < 1]


def draw_lines(world, nets, drivers, v_results):
    """Draw three unseen tracks that V alone does not get round, with and without memory: of all
    such tracks the ones a quarter, a half and three quarters up the list by score."""
    failed = failures(*v_results)
    tracks = world.test[failed[len(failed) * np.arange(1, 4) // 4]]
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.2))
    for row, name in zip(axes, ("v", "v_m")):
        for ax, track in zip(row, tracks):
            frames, score, tiles = drive_once(world, nets, name, drivers[name], track)
            places = np.array([frame["place"] for frame in frames])  # (T, 2)
            draw_road(ax, world, track)
            pieces = np.stack([places[:-1], places[1:]], 1)  # (T - 1, 2, 2)
            pieces = LineCollection(pieces, cmap="plasma", linewidth=2)
            pieces.set(array=np.array([frame["speed"] for frame in frames[1:]]), clim=(0, 12))
            ax.add_collection(pieces)
            ax.plot(*places[0], "o", color=GREEN, markersize=6)
            mark, colour = ("s", GREEN) if tiles == 1 else ("X", RED)
            ax.plot(*places[-1], mark, color=colour, markersize=8)
            ax.set(aspect="equal", xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            words = f"{NAMES[name]}: {score:.0f} in {len(places) / 10:.0f} s"
            ax.set_title(words, fontsize=10, loc="center")
    title(figure, "Where V alone stops for good, V + M drives on")
    figure.colorbar(pieces, ax=axes, label="speed, m/s", shrink=0.6)
    save(figure, "lines.png")


def expected(nets, frame):
    """Return the mean (Z,) of the next z that M expects after a frame."""
    memory, state = nets["m"], (frame["h"][None], frame["c"][None])
    h, _ = memory.step(frame["z"][None], frame["action"][None], *state)
    logits, mean, _ = wm.mixture(memory.m, h)[..., 0]  # (K, Z) each
    return (wm.shares(logits)[0] * mean).sum(0)


def painted(nets, z):
    """Return the picture (SIDE, SIDE) that V paints of a standardised z (Z,)."""
    eye = nets["eye"]
    logits, _ = wm.decode(eye.v, (z * eye.deviation + eye.mean)[None])
    return wm.sigmoid(logits).reshape(wm.SIDE, wm.SIDE)


def draw_dreams(world, nets, drivers):
    """Draw what is there, what V keeps of it, and what M expected a frame before."""
    frames, _, _ = drive_once(world, nets, "v_m", drivers["v_m"], world.test[0])
    columns = np.linspace(10, len(frames) - 2, 6).astype(int)
    rows = {
        "what is there": [frames[t]["view"].reshape(wm.SIDE, wm.SIDE) / 255 for t in columns],
        "what V keeps\n(16 numbers)": [painted(nets, frames[t]["z"]) for t in columns],
        "what M expected,\n0.1 s before": [
            painted(nets, expected(nets, frames[t - 1])) for t in columns
        ],
    }
    figure, axes = plt.subplots(len(rows), len(columns), figsize=(8.4, 4.2))
    for row, (label, pictures) in zip(axes, rows.items()):
        for ax, picture in zip(row, pictures):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    for ax, t in zip(axes[0], columns):
        ax.set_title(f"{t / 10:.1f} s", fontsize=10, weight="normal", loc="center")
    title(figure, "Sixteen numbers keep the road and lose its seams; M expects the next view")
    save(figure, "dreams.png")


def main():
    config = wm.Config(**wm.QUICK) if flags.quick else wm.Config()
    streams = wm.named_streams(wm.BUILD + wm.SEARCH, np.random.SeedSequence(flags.seed))
    world, nets, drivers, _, _ = wm.train(config, streams, lambda fraction, message: None)
    results = wm.examine(world, nets, ARMS, drivers, world.test)
    scores = {name: result[0] for name, result in results.items()}
    path = Path(wm.__file__).with_name("results.json")
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    records = [record for record in records if "v_m.score" in record["metrics"]]
    draw_scores(scores | {"script": wm.examine_scripted(world, world.test)}, records)
    draw_lines(world, nets, drivers, results["v"])
    draw_dreams(world, nets, drivers)


main()
