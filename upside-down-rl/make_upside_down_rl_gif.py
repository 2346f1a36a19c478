# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of upside-down RL: one network flies four landers with four commands."""

import argparse
from dataclasses import replace
from pathlib import Path

from upside_down_rl import LEARNERS, QUICK, Config, Landers, fly, train
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

TITLE = "One network, four commands: it flies as badly as it is told"
TOLD = (-1.5, -0.5, 0.5, 1.6)  # returns
COLORS = (RED, ORANGE, SKY, BLUE)
START = (-0.25, 1.4, 0.1, 0.0)
FLIGHTS = 101  # of each command; the one with the median return is shown
NEAR = 20
FRAMES = 40


def learned(config):
    """Train the net of a run that gets a reward at each step, as the run does."""
    name = "udrl_dense"
    place = 2 + 2 * list(LEARNERS).index(name)
    stream, tests = np.random.SeedSequence(flags.seed).spawn(place + 2)[place:]
    kind, sparse = LEARNERS[name]
    learner = kind(config, sparse, stream)
    train(learner, np.random.default_rng(tests), lambda *_: None)
    return learner


def flights(learner):
    """Fly with the four commands from one start. Returns a dict for each flight with the states
    (T, 4), the actions (T,), what is still wanted and how many steps are left (T,)."""
    value, length = np.concatenate(learner.past, 1)  # (all episodes,) each
    shown = []
    for k, told in enumerate(TOLD):
        near = np.abs(value - told).argsort(kind="stable")[:NEAR]
        steps = float(np.round(length[near].mean()))
        rng = np.random.default_rng([flags.seed, k])
        landers = Landers(rng, FLIGHTS, False)
        landers.state[:] = START
        command = np.full(FLIGHTS, told), np.full(FLIGHTS, steps)
        episodes = fly(rng, landers, learner.policy, *command)
        one = episodes.value.argsort()[FLIGHTS // 2]
        mine = slice(episodes.length[:one].sum(), episodes.length[: one + 1].sum())
        wanted = told - (episodes.value[one] - episodes.togo[mine])
        left = np.maximum(steps - np.arange(len(wanted)), 1)
        last = Landers(rng, 1, False)
        last.state[:] = episodes.x[mine][-1, :4]
        last.step(episodes.action[mine][-1:])
        shown.append({
            "state": np.concatenate([episodes.x[mine, :4], last.state]),
            "action": episodes.action[mine],
            "wanted": wanted,
            "left": left,
            "value": episodes.value[one],
            "landed": episodes.landed[one],
        })  # fmt: skip
    return shown


# ---- drawing -------------------------------------------------------------------------------------
SHIP = np.array([[-0.09, 0], [-0.05, 0.11], [0.05, 0.11], [0.09, 0]])  # feet and cabin
FLAMES = {  # of the main engine below, of the side thrusters at the flank that pushes
    1: np.array([[0.07, 0.03], [0.2, 0.055], [0.07, 0.08]]),
    2: np.array([[-0.04, 0], [0, -0.17], [0.04, 0]]),
    3: np.array([[-0.07, 0.03], [-0.2, 0.055], [-0.07, 0.08]]),
}


def draw_world(ax):
    """Draw the ground and the pad."""
    ax.axhspan(-0.2, 0, color="#D8D2C4", lw=0)
    ax.plot([-0.3, 0.3], [0, 0], color=BLACK, lw=4, solid_capstyle="butt")
    ax.set(xlim=(-0.95, 0.95), ylim=(-0.2, 1.66), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    ax.set_facecolor("#F4F7FA")


def draw_flight(ax, flight, step, told, color):
    """Draw a lander at a step of its flight, and what its network is told now."""
    draw_world(ax)
    over = step >= len(flight["action"])
    now = min(step, len(flight["action"]))
    path = flight["state"][: now + 1]
    ax.plot(path[:, 0], path[:, 1], color=color, lw=1.6, alpha=0.55)
    place = path[-1, :2]
    crashed = over and not flight["landed"] and place[1] <= 0
    if crashed:
        ax.plot(place[0], 0.05, marker=(9, 1, 10), ms=30, color=RED, alpha=0.8, mew=0)
    ship = SHIP + (place[0], max(place[1], 0))
    ax.fill(*ship.T, color=color, lw=0)
    if not over and flight["action"][now]:
        ax.fill(*(FLAMES[flight["action"][now]] + place).T, color="#E8B000", lw=0)
    middle = {"ha": "center", "transform": ax.transAxes}
    ax.text(0.5, 1.23, f"told: {told:+.1f}", color=color, weight="bold", fontsize=14, **middle)
    if over:
        how = "landed" if flight["landed"] else "crashed" if crashed else "no landing"
        words = f"{how}: got {flight['value']:+.2f}"
        ax.text(0.5, 1.06, words, color="#222222", weight="bold", fontsize=11, **middle)
    else:
        words = f"wanted {flight['wanted'][now]:+.2f}\nsteps left {flight['left'][now]:.0f}"
        ax.text(0.5, 1.02, words, color="#444444", fontsize=10.5, linespacing=1.25, **middle)


config = replace(Config(), **(QUICK if flags.quick else {}))
shown = flights(learned(config))
longest = max(len(flight["action"]) for flight in shown)
stride = -(-longest // FRAMES)
steps = [*range(0, longest, stride), longest]
figure, axes = plt.subplots(1, len(TOLD), figsize=(8.6, 3.6), layout="none")
figure.subplots_adjust(left=0.015, right=0.985, bottom=0.02, top=0.66, wspace=0.05)
images = []
for step in steps:
    for ax, flight, told, color in zip(axes, shown, TOLD, COLORS, strict=True):
        ax.clear()
        draw_flight(ax, flight, step, told, color)
    figure.texts.clear()
    figure.text(0.02, 0.925, TITLE, fontsize=13.5, weight="bold", va="center")
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [int(7000 / len(images) / 10) * 10] * (len(images) - 1) + [2500]
sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::8]]))
palette = sample.quantize(64)  # one palette for all frames, so that nothing flickers
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "upside_down_rl.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
