# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of pole-balance-non-markov into viz/. Trains the nets of one run first."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pole_balance_non_markov as pole
from pole_balance_non_markov import QUICK, CartPole, Config, Learner, Player, balance

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

MEMORY, NONE = "with memory", "without memory"


def trained(config, seed):
    """Return the learner of a run of this seed, trained, and a generator for its tests."""
    *streams, test, _, reading, _ = np.random.SeedSequence(seed).spawn(10)
    streams = list(map(np.random.default_rng, streams))
    learner = Learner(config, [1] * config.nets[0] + [0] * config.nets[1], streams)
    learner.learn(lambda fraction, message: None)
    return learner, np.random.default_rng(test), np.random.default_rng(reading)


def recorded(name):
    """Return a metric of each recorded seed, or nothing."""
    path = Path(__file__).resolve().parent / "results.json"
    if flags.quick or not path.exists():
        return []
    records = json.loads(path.read_text("utf-8"))["records"]
    return [r["metrics"][name] for r in records if r.get("metrics")]


def draw_trials(learner):
    """Steps of all real trials."""
    config, trials = learner.config, learner.trials  # (N, trials)
    x = np.arange(1, trials.shape[1] + 1)
    fig, ax = plt.subplots(figsize=(8, 5))
    for n, steps in enumerate(trials):
        with_memory = n < config.nets[0]
        color, marker = ((BLUE, SKY, GREEN)[n % 3], "o") if with_memory else (ORANGE, "x")
        ax.scatter(x, steps, s=9 if with_memory else 12, color=color, marker=marker, linewidths=0.8)
    end = len(x) + 4
    for level, text, place, side in (
        (25, "paper, before learning: 25", end, "right"),
        (1000, "paper: 1,000", 2, "left"),
        (3000, "paper, friendly starts: 3,000", 2, "left"),
    ):
        ax.axhline(level, **PAPER, zorder=0)
        ax.text(place, level * 1.06, text, va="bottom", ha=side)
    ax.axvline(config.random_trials + 0.5, color=GREY, linewidth=1)
    ax.text(config.random_trials / 2, 6.2, "random actions", ha="center", color=GREY)
    middle = (config.random_trials + len(x)) / 2
    ax.text(middle, 6.2, "the controller acts", ha="center", color=GREY)
    ax.scatter([], [], color=BLUE, s=25, label=MEMORY)
    ax.scatter([], [], color=ORANGE, marker="x", s=25, label=NONE)
    ax.legend(loc="upper left", handletextpad=0.2, bbox_to_anchor=(0.0, 0.99))
    ax.set(yscale="log", ylim=(5, 40_000), xlim=(0, len(x) + 5))
    ax.set(xlabel="real trial", ylabel="steps until it fell (at most 10,000)")
    ax.set_title("From 28 steps to thousands, within 500 trials")
    fig.savefig(flags.out / "viz" / "trials.png")


def follow(learner, rng, steps):
    """Return units (steps, H, B) and speeds (steps, 2, B) of the best net with memory, at work."""
    n = int(learner.best[: learner.config.nets[0]].argmax())
    poles = CartPole((1, pole.TESTS), pole.SPREAD)
    act = Player(learner.net_c, learner.kept[[n]], pole.TESTS, learner.config.action_noise, rng)
    seen, units, speeds = poles.reset(rng), [], []
    for _ in range(steps):
        action = act(seen)
        units.append(act.z[1, 0, : learner.net_c.hidden].copy())
        speeds.append(poles.state[1::2, 0])
        seen = poles.step(action)
    return np.array(units), np.array(speeds), poles.up[0]


def draw_velocities(learner, rng):
    """True velocities and their read-out, on a pole that the read-out was not fitted on."""
    units, speeds, up = follow(learner, rng, 250)
    fit, shown = np.arange(pole.TESTS // 2), pole.TESTS // 2 + int(up[pole.TESTS // 2 :].argmax())
    x = np.concatenate([units, np.ones_like(units[:, :1])], axis=1)  # (steps, H + 1, B)
    flat = x[10:, :, fit].transpose(0, 2, 1).reshape(-1, x.shape[1])
    true = speeds[10:, :, fit].transpose(0, 2, 1).reshape(-1, 2)
    weights = np.linalg.lstsq(flat, true, rcond=None)[0]  # (H + 1, 2)
    seconds = pole.DT * np.arange(len(x))
    fig, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True)
    names, late = ("cart (m/s)", "pole (rad/s)"), slice(10, None)  # the read-out needs a start
    for k, (ax, name) in enumerate(zip(axes, names)):
        ax.plot(
            seconds[late], speeds[late, k, shown], color=BLACK, label="true, never shown to the net"
        )
        ax.plot(
            seconds[late],
            x[late, :, shown] @ weights[:, k],
            color=RED,
            label="read from its 16 units",
        )
        ax.set_ylabel(name)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.3 * (high - low) * (k == 0))
    axes[0].legend(ncols=2, loc="upper right")
    axes[1].set_xlabel("time (s)")
    axes[0].set_title("The net carries velocities that it never sees")
    fig.savefig(flags.out / "viz" / "velocities.png")


def draw_memory(learner, rng):
    """Survival in the test, and medians of the recorded runs."""
    with_memory = learner.config.nets[0]
    steps = balance(learner.net_c, learner.kept, rng, pole.SPREAD)  # (N, TESTS)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5), width_ratios=(3, 2))
    share = 1 - np.arange(1, pole.TESTS + 1) / pole.TESTS
    for n, row in enumerate(steps):
        color = BLUE if n < with_memory else ORANGE
        x, y = np.r_[1, np.sort(row)], np.r_[1, share]
        stands = (row >= pole.LONGEST).mean()
        left.step(x, np.maximum(y, stands), where="post", color=color)
    left.set(xscale="log", xlim=(7, 12_000), ylim=(0, 1.03))
    left.set(xlabel="steps", ylabel="share of 100 starts that stand")
    left.set_title("Without memory it falls sooner")
    left.text(0.04, 0.16, MEMORY, color=BLUE, transform=left.transAxes)
    left.text(0.04, 0.08, NONE, color=ORANGE, transform=left.transAxes)
    for k, (name, color) in enumerate((("recurrent", BLUE), ("memoryless", ORANGE))):
        rows = slice(0, with_memory) if k == 0 else slice(with_memory, None)
        values = recorded(f"{name}.test_steps") or [np.median(np.median(steps[rows], axis=1))]
        spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0]
        right.scatter(k + np.array(spread), values, color=color, s=30)
    right.axhline(pole.LONGEST, color=GREY, linewidth=1)
    right.text(1.55, pole.LONGEST * 1.05, "end of a trial", ha="right", color=GREY)
    right.set(yscale="log", xlim=(-0.6, 1.6), ylabel="median steps in the test, a dot a seed")
    right.set_xticks([0, 1], [MEMORY, NONE])
    for label, color in zip(right.get_xticklabels(), (BLUE, ORANGE)):
        label.set_color(color)
    fig.savefig(flags.out / "viz" / "memory.png")


config = replace(Config(), **(QUICK if flags.quick else {}))
learner, test, reading = trained(config, flags.seed)
(flags.out / "viz").mkdir(exist_ok=True)
draw_trials(learner)
draw_velocities(learner, reading)
draw_memory(learner, test)
