# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: one curious agent roams, and the learnable corner draws it and then bores it.

python3 make_curiosity_three_regions_gif.py --seed 0
"""

import argparse
import io
from pathlib import Path

import curiosity_three_regions as curiosity
import matplotlib.pyplot as plt
import numpy as np
from curiosity_three_regions import LEARNED, POLICIES, SIDE, error_left
from matplotlib.colors import LinearSegmentedColormap
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
EVERY, STEP, HOLD = 12, 110, 2000  # steps a frame; milliseconds of a frame, and of the last one
TRAIL, RECENT = 24, 60  # steps of the agent's way, and of its rewards, in sight
SURE = LinearSegmentedColormap.from_list("sure", ["white", "#8A8A8A"])


def watch(config, name, seed):
    """Follow one kind of agents; returns each step's rooms, errors left and C."""
    world, model, controller = curiosity.begin(config, POLICIES[name], seed)
    story = {"place": [], "left": [], "expected": []}
    for arrived in curiosity.roam(world, model, controller, config.steps):
        story["place"].append(arrived.copy())  # (A,)
        story["left"].append(error_left(world, model))  # (A,)
        story["expected"].append(model.expected_error.astype(np.float32))  # (A, S)
    return {part: np.array(values) for part, values in story.items()} | {"world": world}


def median_agent(story):
    """Choose the agent that learned at the median step."""
    first = curiosity.steps_until(story["left"])  # (A,)
    return int(np.argsort(first, kind="stable")[len(first) // 2])


def draw_rooms(ax, story, agent, now):
    """Draw the rooms by how sure M is, what it was paid there of late, its way."""
    ax.imshow(story["expected"][now, agent].reshape(SIDE, SIDE), cmap=SURE, vmin=0, vmax=1.3)
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    before = story["expected"][max(0, now - RECENT), agent]  # (S,)
    paid = np.clip(before - story["expected"][now, agent], 0, 1)  # (S,) rewards add up to this
    ax.scatter(column, row, s=420 * paid, color=ORANGE, lw=0)
    trail = story["place"][max(0, now - TRAIL) : now + 1, agent]
    ax.plot(trail % SIDE, trail // SIDE, color=BLUE, lw=2.4, alpha=0.8)
    ax.plot(trail[-1] % SIDE, trail[-1] // SIDE, "o", ms=13, color=BLUE, mec="white", mew=1.5)
    for x, y in (([4.5, 4.5], [-0.5, 9.5]), ([6.5, 6.5, 9.5], [9.5, 6.5, 6.5])):
        ax.plot(x, y, color=BLACK, lw=1.4)
    ax.set(xlim=(-0.5, SIDE - 0.5), ylim=(SIDE - 0.5, -0.5), xticks=(), yticks=())
    for side in ax.spines.values():
        side.set_visible(True)
    for x, words in ((2, "known"), (5.4, "random"), (8, "learnable")):
        ax.text(x, 9.65, words, ha="center", va="top", fontsize=10)


def draw(story, rival, agent, other, now):
    """Draw a frame: the rooms on the left; on the right the error left and where the time went."""
    figure = plt.figure(figsize=(8, 4.6))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1), height_ratios=(1.5, 1))
    title = "Curiosity lights up where M improves, and goes out once it has learned"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    rooms, error, time = (figure.add_subplot(grid[at]) for at in (np.s_[:, 0], (0, 1), (1, 1)))
    draw_rooms(rooms, story, agent, now)
    rooms.set_title("grey: M expects to err; orange: recent reward", fontsize=10, weight="normal")
    last = len(story["place"])
    steps = np.arange(1, now + 2)
    error.plot(steps, rival["left"][: now + 1, other], color=GREY, lw=2, label="random walk")
    error.plot(steps, story["left"][: now + 1, agent], color=RED, lw=2, label="curious agent")
    error.axhline(LEARNED, **PAPER)
    error.set(xlim=(0, last), ylim=(0, 1.05), xlabel=f"step {now + 1}")
    error.set_yticks([0, 0.5, 1], labels=["0", "50 %", "100 %"])
    error.legend(loc="upper right", fontsize=9)
    error.set_title("error of M in the learnable rooms", fontsize=10, weight="normal", pad=4)
    recent = story["place"][max(0, now - 99) : now + 1, agent]
    world = story["world"]
    shares = [getattr(world, name)[recent].mean() for name in ("known", "random", "learnable")]
    time.barh([2, 1, 0], shares, color=[GREY, SKY, RED])
    time.set_yticks([2, 1, 0], labels=["known", "random", "learnable"])
    time.set(xlim=(0, 1), xticks=(0, 0.5, 1))
    time.set_xticklabels(["0", "50 %", "100 %"])
    time.set_title("where it was in the last 100 steps", fontsize=10, weight="normal", pad=4)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def main():
    steps = 240 if flags.quick else 840
    config = curiosity.Config(steps=steps)
    seeds = dict(zip(POLICIES, np.random.SeedSequence(flags.seed).spawn(len(POLICIES))))
    story = watch(config, "planning", seeds["planning"])
    rival = watch(config, "random_walk", seeds["random_walk"])
    agent = median_agent(story)
    other = int(np.argsort(rival["left"][-1])[config.agents // 2])
    moments = range(EVERY - 1, steps, EVERY)
    frames = [draw(story, rival, agent, other, now) for now in moments]
    sheet = Image.new("RGB", (frames[0].width, 3 * frames[0].height))  # colours of all scenes
    for k in range(3):
        sheet.paste(frames[(2 * k + 1) * len(frames) // 6], (0, k * frames[0].height))
    palette = sheet.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    frames[0].save(
        flags.out / "curiosity_three_regions.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )
    print(flags.out / "curiosity_three_regions.gif")


if __name__ == "__main__":
    main()
