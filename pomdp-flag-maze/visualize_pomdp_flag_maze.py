# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the flag maze: the memory of C, success at each length, what M expects.

Two nets are trained here by the experiment's own code, and the better one is shown; what all the
seeds have to say is read from results.json and study.json. A quick run stands in for the first.

    python3 visualize_pomdp_flag_maze.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pomdp_flag_maze as fm

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


SIGNALS = {1: BLUE, -1: ORANGE}
CEILING = 0.5


class Steady:
    """A generator by which no move fails."""

    def random(self, shape):
        return np.ones(shape)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def train(config, seed):
    """Train two models and controllers; returns M and C of the better one, with one net each."""
    config = replace(config, nets=2)
    data, walks, *seeds = np.random.SeedSequence(seed).spawn(7)
    mazes = fm.draw_mazes(np.random.default_rng(data), config, (2, config.episodes))
    walks = fm.walk(np.random.default_rng(walks), *mazes)
    model, trainer = fm.learn_in_model(walks, config, seeds, lambda share, text: None)
    best = int(trainer.keeper.best.argmax())
    model.use(model.theta[[best]].copy())
    trainer.controller.use(trainer.keeper.kept[[best]].copy())
    return model, trainer.controller


def draw_maze(ax, length):
    """Draw the cells of a maze, with what stands in them."""
    cells = [(x, 0) for x in range(length + 1)] + [(length, y) for y in (-2, -1, 1, 2)]
    for x, y in cells:
        color = YELLOW if (x, y) == (0, 0) else GREEN if abs(y) == 2 else "white"
        ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor=BLACK))
    ax.text(-0.8, 0, "signal", ha="right", va="center")
    ax.text(length / 2, 0.75, "cells that look alike", ha="center", va="bottom")
    ax.text(length + 0.8, 2, "flag here, or", va="center")
    ax.text(length + 0.8, -2, "flag there", va="center")
    ax.set(xlim=(-3.5, length + 5.5), ylim=(-2.7, 2.7), aspect="equal")
    ax.axis("off")


def draw_memory(controller, path):
    """Draw how far apart the two signals hold C's units along the way."""
    fig, (ax, maze) = plt.subplots(2, 1, figsize=(8, 5.6), height_ratios=(1.7, 1))
    headline(fig, "One bit is carried past identical cells")
    sign = np.array([[1, -1]])
    for length, color in ((4, SKY), (8, BLUE), (20, RED)):
        episodes = fm.play(controller, Steady(), np.full_like(sign, length), sign)
        apart = np.linalg.norm(episodes.g[1:, 0, 0] - episodes.g[1:, 0, 1], axis=-1)  # (T,)
        steps = min(length + 2, len(apart))
        ax.plot(range(steps), apart[:steps], color=color, linewidth=2.4)
        there = min(length, steps - 1)
        ax.plot(there, apart[there], "o", color=color, markersize=8)
        name = {"color": color, "ha": "center", "weight": "bold", "textcoords": "offset points"}
        ax.annotate(f"L = {length}", (there, apart[there]), (0, 9), **name)
    ax.set(xlim=(0, 23), xlabel="step (signal in view at step 0 alone; a dot: at the junction)")
    ax.set_ylabel("distance of C's units\nbetween the two signals")
    ax.set_ylim(0, 1.2 * ax.get_ylim()[1])
    draw_maze(maze, 8)
    fig.savefig(path / "memory.png")
    plt.close(fig)


def expected(model, length, sign, way):
    """Return M's probabilities of the outcomes of a second step along an arm: (3,)."""
    maze = fm.Maze()
    one = np.ones((1, 1), int)
    maze.reset(Steady(), length * one, sign * one, 99 * one)
    x = []
    for action in [fm.EAST] * length + [way, way]:
        x.append(np.concatenate([maze.observe(), fm.one_hot(action * one, 4)], -1))
        maze.step(action * one)
    return fm.softmax(model.forward(np.array(x))[-1, 0, 0, 4:])


def draw_junction(model, path):
    """Draw what M expects of both arms after each signal."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.9), sharey=True)
    headline(fig, "The model knows eight cells later what the signal meant")
    for ax, (sign, name) in zip(axes, ((1, "signal: flag north"), (-1, "signal: flag south"))):
        for k, way in enumerate((fm.NORTH, fm.SOUTH)):
            outcomes = expected(model, 8, sign, way)
            for side, (outcome, color) in enumerate(((fm.RIGHT, GREEN), (fm.WRONG, RED))):
                x = k + 0.34 * (side - 0.5)
                ax.bar(x, outcomes[outcome], 0.32, color=color)
                ax.text(x, outcomes[outcome] + 0.02, f"{outcomes[outcome]:.2f}", ha="center")
        ax.axhline(1 - fm.SLIP, **PAPER)
        ax.set(
            xticks=(0, 1), xticklabels=("second step north", "second step south"), xlim=(-0.6, 1.6)
        )
        ax.set_ylim(0, 1.3)
        ax.set_title(name, fontsize=10)
    axes[0].set_ylabel("M's probability of an end")
    axes[1].text(1.6, 1.2, "dashed: how often a move succeeds", ha="right", va="center")
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in (GREEN, RED)]
    axes[0].legend(handles, ("right end", "wrong end"), loc="upper left", ncols=2)
    fig.savefig(path / "junction.png")
    plt.close(fig)


def recorded(name):
    """Return the metrics of each record of a file, none if it is missing."""
    file = Path(__file__).with_name(name)
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    return [record["metrics"] for record in records if record.get("metrics")]


def draw_success(runs, studies, path):
    """Draw success against the corridor's length, and each seed's success beside its rivals'."""
    fig, (ax, rows) = plt.subplots(1, 2, figsize=(9, 4.4), width_ratios=(1, 1.15))
    mean = np.mean([run["success"] for run in runs])
    where = "above" if mean > CEILING else "below"
    headline(fig, f"Success {mean:.2f}: {where} what is possible without memory")
    names = [name for name in runs[0] if name.startswith("success_at.")]
    length = np.array([int(name.split("_")[-1]) for name in names])
    success = np.array([[run[name] for name in names] for run in runs])  # (seeds, lengths)
    for k, each in enumerate(success):
        ax.plot(length, each, color=SKY, linewidth=1, label="a seed" if k == 0 else None)
    ax.plot(length, success.mean(0), "o-", color=BLUE, linewidth=2.4, label="mean")
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.3))
    ax.axvspan(3, 8, color=GREY, alpha=0.15, linewidth=0)
    ax.text(5.5, 0.03, "trained", ha="center")
    ax.text(16, 0.03, "never seen", ha="center")
    ax.set(xlim=(2, 21), xticks=length, ylim=(0, 1.08), xlabel="cells of the corridor, L")
    ax.set_ylabel("success of C inside M")
    bars = {"C inside M": [run["success"] for run in runs]}
    bars["policy\ngradient"] = [run["policy_gradient.success"] for run in runs]
    for name, label in (
        ("parallel", "M and C\nat once"),
        ("unmixed", "no mixed\nactions"),
        ("tanh", "M with\ntanh units"),
    ):
        if studies:
            bars[label] = [study[f"{name}.success"] for study in studies]
    for k, (values, color) in enumerate(zip(bars.values(), (BLUE, ORANGE, SKY, PINK, GREEN))):
        side = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(1)
        rows.plot(k + side, values, "o", color=color, alpha=0.75)
        rows.plot([k - 0.25, k + 0.25], [np.mean(values)] * 2, color=color, linewidth=2.5)
    for axis in (ax, rows):
        axis.axhline(CEILING, **PAPER)
    ax.text(20.8, CEILING - 0.02, "most without memory", ha="right", va="top")
    rows.set(xticks=range(len(bars)), xlim=(-0.5, len(bars) - 0.5), ylim=(0, 1.08))
    rows.set_xticklabels(bars, fontsize=9)
    rows.set_ylabel("success, L = 3 to 8")
    rows.set_title("a dot a seed; the line is their mean", fontsize=10)
    fig.savefig(path / "success.png")
    plt.close(fig)


def main():
    config = fm.Config(**(fm.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    runs = [] if flags.quick else recorded("results.json")
    if not runs:
        quick = fm.Config(**fm.QUICK)
        runs = [fm.flatten(fm.run(quick, flags.seed, lambda share, text: None))]
    draw_success(runs, recorded("study.json"), path)
    model, controller = train(config, flags.seed)
    draw_memory(controller, path)
    draw_junction(model, path)


if __name__ == "__main__":
    main()
