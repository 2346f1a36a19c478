# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of upside-down RL: one network flies four swarms with four commands."""

import argparse
from dataclasses import replace
from pathlib import Path

from upside_down_rl import LEARNERS, QUICK, Config, Landers, fly
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

TITLE = "One network, four commands: told less, it crashes more"
EARLY = 45_000  # steps of training, when the replay still holds flights of all kinds
TOLD = (-1.0, 0.0, 0.8, 1.6)  # returns
COLORS = (RED, ORANGE, SKY, BLUE)
SWARM = 20  # landers that are told the same
NEAR = 20
FRAMES = 60


def learned(config):
    """Train the net of a run that gets a reward at each step, as the run does, for a while."""
    name = "udrl_dense"
    place = 2 + 2 * list(LEARNERS).index(name)
    stream = np.random.SeedSequence(flags.seed).spawn(place + 1)[place]
    kind, sparse = LEARNERS[name]
    learner = kind(config, sparse, stream)
    while learner.steps + learner.most_steps <= EARLY:
        learner.advance()
    return learner


class Film(Landers):
    """Landers that keep what they have been through; those at an end stay where they are."""

    def step(self, action):
        """Fly on as ever, and keep the states before and after, (N, 4)."""
        before = self.state
        reward, end, landed = super().step(action)
        if not hasattr(self, "states"):
            self.states, self.actions, self.rewards = [before], [], []
            self.flying = [np.ones(len(action), bool)]
            self.safe = np.zeros(len(action), bool)
        flying = self.flying[-1]
        self.states.append(np.where(flying[:, None], self.state, self.states[-1]))
        self.actions.append(action)
        self.rewards.append(reward * flying)
        self.safe |= flying & landed
        self.flying.append(flying & ~end)
        return reward, end, landed


def swarm(learner, told, rng):
    """Fly a swarm with one command. Returns its film and the steps that it was told."""
    value, length = np.concatenate(learner.past, 1)  # (all episodes,) each
    near = np.abs(value - told).argsort(kind="stable")[:NEAR]
    steps = float(np.round(length[near].mean()))
    film = Film(rng, SWARM, False)
    fly(rng, film, learner.policy, np.full(SWARM, told), np.full(SWARM, steps))
    return film, steps


# ---- drawing -------------------------------------------------------------------------------------
SHIP = np.array([[-0.07, 0], [-0.04, 0.09], [0.04, 0.09], [0.07, 0]])  # feet and cabin
FLAMES = {  # of the main engine below, of the side thrusters at the flank that pushes
    1: np.array([[0.05, 0.03], [0.15, 0.045], [0.05, 0.06]]),
    2: np.array([[-0.03, 0], [0, -0.13], [0.03, 0]]),
    3: np.array([[-0.05, 0.03], [-0.15, 0.045], [-0.05, 0.06]]),
}


def draw_world(ax):
    """Draw the ground and the pad."""
    ax.axhspan(-0.2, 0, color="#D8D2C4", lw=0)
    ax.plot([-0.3, 0.3], [-0.012, -0.012], color=BLACK, lw=4, solid_capstyle="butt")
    ax.set(xlim=(-1.1, 1.1), ylim=(-0.2, 1.75), xticks=[], yticks=[])
    ax.set_facecolor("#F4F7FA")
    ax.spines[:].set_visible(False)


def draw_lander(ax, film, one, step, color):
    """Draw a lander of a swarm with its path."""
    path = np.array([state[one, :2] for state in film.states[: step + 1]])
    ax.plot(path[:, 0], path[:, 1].clip(0), color=color, lw=0.8, alpha=0.3)
    place = path[-1].clip([-9, 0])
    if film.flying[step][one]:
        ax.fill(*(SHIP + place).T, color=color, lw=0, alpha=0.85, zorder=3)
        if step < len(film.actions) and film.actions[step][one]:
            ax.fill(*(FLAMES[film.actions[step][one]] + place).T, color="#D9A400", lw=0)
    elif film.safe[one]:
        ax.fill(*(SHIP + place).T, color=color, lw=0, zorder=3)
    else:
        ax.plot(*(place + (0, 0.03)), "x", color="#444444", ms=7, mew=2, zorder=4)


def draw_swarm(ax, film, told, steps, step, color):
    """Draw a swarm at a step, with what it is told now, and in the end with what came of it."""
    step = min(step, len(film.actions))
    draw_world(ax)
    for one in range(SWARM):
        draw_lander(ax, film, one, step, color)
    middle = {"ha": "center", "transform": ax.transAxes}
    ax.text(
        0.5,
        1.21,
        f"told {told:+.1f}" if told else "told 0",
        color=color,
        weight="bold",
        fontsize=15,
        **middle,
    )
    flying = film.flying[step]
    if flying.any():
        got = np.sum(film.rewards[:step], 0)[flying] if step else np.zeros(1)
        words = f"still wanted {told - got.mean():+.2f}\nsteps left {max(steps - step, 1):.0f}"
        ax.text(0.5, 1.02, words, color="#444444", fontsize=10.5, linespacing=1.25, **middle)
    else:
        got = np.sum(film.rewards, 0).mean()
        words = f"got {got:+.2f} on average\n{film.safe.sum()} of {SWARM} landed"
        style = {"color": "#111111", "weight": "bold", "fontsize": 10.5, "linespacing": 1.25}
        ax.text(0.5, 1.02, words, **style, **middle)


config = replace(Config(), **(QUICK if flags.quick else {}))
learner = learned(config)
rngs = map(np.random.default_rng, np.random.SeedSequence([flags.seed, 2]).spawn(len(TOLD)))
swarms = [swarm(learner, told, rng) for told, rng in zip(TOLD, rngs, strict=True)]
longest = max(len(film.actions) for film, _ in swarms)
stride = -(-longest // FRAMES)
figure, axes = plt.subplots(1, len(TOLD), figsize=(8.6, 3.5), layout="none")
figure.subplots_adjust(left=0.012, right=0.988, bottom=0.085, top=0.66, wspace=0.04)
figure.text(0.015, 0.93, TITLE, fontsize=13.5, weight="bold", va="center")
said = f"The same net in all four, {EARLY:,} steps into its training. x: crashed. Black: the pad."
figure.text(0.015, 0.035, said, color="#555555", va="center")
images = []
for step in [*range(0, longest, stride), longest]:
    for ax, (film, steps), told, color in zip(axes, swarms, TOLD, COLORS, strict=True):
        ax.clear()
        draw_swarm(ax, film, told, steps, step, color)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [int(7000 / len(images) / 10) * 10] * (len(images) - 1) + [2500]
sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::8]]))
palette = sample.quantize(64)  # one palette for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 250] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "upside_down_rl.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
