# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of pole-balance-non-markov: a controller and its model, before and after."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pole_balance_non_markov as pole
from pole_balance_non_markov import QUICK, CartPole, Config, Learner, Model, Player
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

AHEAD = 25  # steps that the ghost is ahead of the pole
FIRST, LAST = 8, 170  # steps that are shown; a read-out needs a few before it can know


class Diary(Learner):
    """A learner that remembers what M is after each cycle."""

    history = ()

    def judge(self, steps):
        """Note M, whose training comes first in a cycle."""
        self.history = (*self.history, self.theta_m)
        super().judge(steps)


def read_out(net, theta, rng):
    """Return weights (H + 1,) that find the angular velocity in C's units."""
    poles, act = CartPole((1, pole.TESTS), pole.SPREAD), Player(net, theta, pole.TESTS, 0.1, rng)
    seen, units, omega = poles.reset(rng), [], []
    for _ in range(200):
        action = act(seen)
        units.append(act.z[1, 0, : net.hidden].T[poles.up[0]])
        omega.append(poles.state[3, 0][poles.up[0]])
        seen = poles.step(action)
    x = np.concatenate(units[FIRST:])  # (samples, H)
    x = np.column_stack([x, np.ones(len(x))])
    return np.linalg.lstsq(x, np.concatenate(omega[FIRST:]), rcond=None)[0]


def episode(learner, n, theta_c, theta_m, rng, longest):
    """Return an episode from step FIRST on, as rows (place, angle, omega, read-out, ghost)."""
    theta_c, theta_m = theta_c[[n]], theta_m[[n]]
    net_c, rows, past = learner.net_c, [], []
    weights = read_out(net_c, theta_c, rng)
    poles, act = CartPole((1, 1), pole.SPREAD), Player(net_c, theta_c, 1)
    seen = poles.reset(rng)
    poles.state[2] = 0.05  # rad: it has to be caught
    seen = poles.seen()
    while poles.up.any() and len(rows) < longest:
        action = act(seen)
        past.append(np.array([*seen, action])[:, :, 0].T[:, :, None])  # (1, 3, 1)
        ahead = imagined(learner, n, theta_c, theta_m, np.array(past))
        units = np.append(act.z[1, 0, : net_c.hidden, 0], 1)
        rows.append([*poles.state[[0, 2, 3], 0, 0], units @ weights, *ahead])
        seen = poles.step(action)
    rows.append([*poles.state[[0, 2, 3], 0, 0], *rows[-1][3:]])
    return np.array(rows[FIRST:]), not bool(poles.up.any())


def imagined(learner, n, theta_c, theta_m, past):
    """Return place (m) and angle (rad) as M imagines them AHEAD steps on, under C."""
    model = Model(learner.net_m, theta_m, learner.scale[[n]])
    dream = pole.Dream(learner.net_c, model, pole.dense_cost)
    seen = []
    predict = model.predict

    def note(t, now, action):
        after, logit = predict(t, now, action)
        seen.append(after)
        return after, logit

    model.predict = note
    dream.forward(theta_c, past[-40:], AHEAD)
    return seen[-1][0, :, 0] * pole.LIMITS


def draw(fig, axes, row, title, failed):
    """Draw one moment."""
    ax, meter = axes
    ax.clear()
    meter.clear()
    place, angle, omega, read, ghost_place, ghost_angle = row
    for x, tilt, color, width in (
        (ghost_place, ghost_angle, SKY, 5),
        (place, angle, RED if failed else BLACK, 7),
    ):
        shown = np.clip(3 * tilt, -np.pi / 2, np.pi / 2)
        tip = x + 1.1 * np.sin(shown), 0.12 + 1.1 * np.cos(shown)
        ax.plot([x, tip[0]], [0.12, tip[1]], color=color, linewidth=width, solid_capstyle="round")
        ax.add_patch(plt.Rectangle((x - 0.2, -0.02), 0.4, 0.14, color=color))
    ax.axhline(-0.03, color=GREY, linewidth=1)
    ax.set(xlim=(-1.6, 1.6), ylim=(-0.1, 1.72), xticks=[], yticks=[], aspect="equal")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.text(-1.58, 1.58, title, fontsize=12)
    ax.text(-1.58, 1.4, f"ghost: what its model imagines, {AHEAD} steps ahead", color=BLUE)
    ax.text(1.58, 0.1, "tilts are drawn three\ntimes as large", color=GREY, ha="right")
    meter.barh([1, 0], [omega, read], color=[BLACK, RED], height=0.7)
    meter.axvline(0, color=GREY, linewidth=1)
    meter.set(xlim=(-1.5, 1.5), ylim=(-0.6, 1.6), xlabel="angular velocity (rad/s)")
    meter.set_yticks([1, 0], ["true, never shown", "read from its units"])
    fig.canvas.draw()
    return Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3]).quantize(64)


config = replace(Config(), **(QUICK if flags.quick else {}))
seeds = np.random.SeedSequence(flags.seed).spawn(10)
*streams, play_rng = map(np.random.default_rng, (*seeds[:6], seeds[8]))
learner = Diary(config, [1] * config.nets[0] + [0] * config.nets[1], streams)
untrained = learner.theta_c
learner.learn(lambda fraction, message: None)
n = int(learner.best[: config.nets[0]].argmax())
parts = [
    (untrained, learner.history[0], f"C untrained, M after {config.random_trials} random trials"),
    (learner.kept, learner.theta_m, f"both after {learner.trials.shape[1]} trials"),
]
fig, axes = plt.subplots(2, 1, figsize=(6.4, 4.9), dpi=95, height_ratios=(5, 1))
fig.suptitle("It never sees a velocity, and learns to balance", fontsize=13, fontweight="bold")
frames, milliseconds = [], []
for theta_c, theta_m, when in parts:
    rows, failed = episode(learner, n, theta_c, theta_m, play_rng, LAST)
    chosen = np.unique(np.linspace(0, len(rows) - 1, 45 if len(rows) > 100 else 18).astype(int))
    for k in chosen:
        last = k == len(rows) - 1
        text = f"{when}: step {k + FIRST}{', it falls' if failed and last else ''}"
        frames.append(draw(fig, axes, rows[k], text, failed and last))
        milliseconds.append(900 if last else 120)
milliseconds[-1] = 2000
frames[0].save(
    flags.out / "pole_balance_non_markov.gif",
    save_all=True,
    append_images=frames[1:],
    duration=milliseconds,
    loop=0,
)
