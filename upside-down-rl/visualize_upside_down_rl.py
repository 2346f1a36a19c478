# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of upside-down RL: learning curves, obedience of the lander and of the chain."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import study_upside_down_rl
import upside_down_rl
from upside_down_rl import QUICK, Config, command_chain, feasible, learn_chain
import matplotlib.pyplot as plt
import numpy as np

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

LEARNERS = {
    "udrl": ("upside-down RL", BLUE),
    "a2c": ("A2C", ORANGE),
    "dqn": ("DQN", RED),
    "reinforce": ("REINFORCE", GREEN),
}


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded():
    """Return the metrics of each recorded study, or of a quick one if there are none."""
    path = Path(__file__).resolve().with_name("study.json")
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    module = study_upside_down_rl
    table = module.run(module.Config(**module.QUICK), flags.seed, lambda *_: None)
    return [upside_down_rl.flatten(table)]


# ---- 1: learning curves --------------------------------------------------------------------------
PANELS = {
    "dense": "reward at each step",
    "sparse": "all reward at the end",
    "fine_sparse": "at the end, four times as late",
}


def on_one_grid(studies, row):
    """Return thousands of steps, and the mean returns of all seeds there, (seeds, points)."""
    curves = [(study[f"{row}.steps"], study[f"{row}.returns"]) for study in studies]
    grid = np.linspace(max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves), 200)
    return grid / 1000, np.array([np.interp(grid, x, y) for x, y in curves])


def at_last(studies, row):
    """Return the median over the seeds of the last mean return."""
    return float(np.median([study[f"{row}.return"] for study in studies]))


def row_of(studies, name, panel):
    """Return the row of a learner in a panel, of the actor-critic with the best of its rates."""
    row = f"{name}_{panel}"
    rates = [f"{row}_{speed}" for speed in study_upside_down_rl.RATES]
    if f"{rates[0]}.return" in studies[0]:
        return max(rates, key=lambda each: at_last(studies, each))
    return row if f"{row}.return" in studies[0] else None


def draw_curves(ax, studies, panel):
    """Draw all learners in a panel, the experiment's two with bands, and list their last returns."""
    ax.text(0.98, 0.42, "at last", transform=ax.transAxes, ha="right", color="#666666")
    for k, (name, (words, color)) in enumerate(LEARNERS.items()):
        row = row_of(studies, name, panel)
        if not row:
            continue
        main = name in ("udrl", "a2c")
        x, y = on_one_grid(studies, row)
        ax.plot(x, np.median(y, 0), color=color, lw=2.4 if main else 1.3, zorder=4 - k)
        if main:
            ax.fill_between(x, y.min(0), y.max(0), color=color, alpha=0.22, lw=0)
        place = {"transform": ax.transAxes, "color": color, "weight": "bold" if main else "normal"}
        ax.text(0.98, 0.34 - 0.08 * k, f"{at_last(studies, row):.2f}", ha="right", **place)
        ax.text(0.77, 0.34 - 0.08 * k, words, ha="right", **place)
    ax.set(xlabel="thousand steps", ylim=(-3.9, 1.9), yticks=[-3, -2, -1, 0, 1])
    ax.set_title(PANELS[panel], weight="normal", fontsize=11)
    ax.grid(axis="y", color="#E5E5E5")


def picture_curves(studies):
    """Picture learning with reward at each step, at the end, and at the end of finer steps."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 4.2), sharey=True)
    for ax, panel in zip(axes, PANELS, strict=True):
        draw_curves(ax, studies, panel)
    axes[0].set_ylabel("mean return of 200 fresh episodes")
    title = "The later the reward, the harder for A2C; upside-down RL hardly minds"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12.5)
    save(figure, "curves.png")


# ---- 2: obedience --------------------------------------------------------------------------------
def picture_obedience(studies):
    """Picture achieved against commanded returns, in each study."""
    figure, ax = plt.subplots(figsize=(7.2, 5))
    every = [study["commands.wanted"] for study in studies]
    low, high = min(w[0] for w in every) - 0.15, max(w[-1] for w in every) + 0.15
    edge = float(np.median([study["commands.lowest_in_replay"] for study in studies]))
    ax.axvspan(low, min(edge, high), color="#F0F0F0", lw=0)
    ax.plot([low, high], [low, high], color=GREY, lw=1.2, ls=":")
    for study in studies:
        wanted = study["commands.wanted"]
        ax.plot(wanted, study["commands.achieved"], "o-", color=BLUE, ms=4.5, lw=1.3, alpha=0.65)
    ax.set(xlabel="commanded return", ylabel="achieved return, mean of 200 flights")
    ax.set(xlim=(low, high), ylim=(low, high))
    style = {"color": "#777777", "fontsize": 10}
    ax.text(low + 0.08, high - 0.1, "below all that the replay still holds", va="top", **style)
    ax.text(low + 0.33, low + 0.1, "as told", **style)
    ax.set_title("It flies as badly as it is told")
    save(figure, "obedience.png")


# ---- 3: the chain --------------------------------------------------------------------------------
def picture_chain():
    """Picture the feasible commands of the chain, and commands that always say four steps."""
    config = replace(Config(), **(QUICK if flags.quick else {}))
    chain = np.random.SeedSequence(flags.seed).spawn(1)[0]  # the chain's stream of a run
    net = learn_chain(config, chain)
    wanted, left = feasible()
    obeyed = command_chain(net, wanted, left, config).value  # (29,)
    told = np.round(np.arange(-3, 5.05, 0.1), 6)
    hasty = command_chain(net, told, np.full(len(told), 4), config).value
    figure, ax = plt.subplots(figsize=(7.2, 5))
    ax.plot([-3.2, 5.2], [-3.2, 5.2], color=GREY, lw=1.2, ls=":")
    ax.plot(told, hasty, color=GREY, lw=1.8)
    ax.plot(wanted, obeyed, "o", color=BLUE, ms=7, alpha=0.8)
    ax.text(-1.1, 1.02, "always told: 4 steps", color="#777777", va="bottom", ha="right")
    exact = np.count_nonzero(np.abs(obeyed - wanted) < 1e-6)
    ax.text(2.9, 2.2, "told the steps that\nthis return needs", color=BLUE, weight="bold", va="top")
    ax.set(xlabel="commanded return", ylabel="achieved return", xlim=(-3.2, 5.2), ylim=(-3.2, 5.2))
    ax.set_title(f"The chain obeys {exact} of 29 commands exactly, if return and time fit")
    save(figure, "chain.png")


studies = recorded()
picture_curves(studies)
picture_obedience(studies)
picture_chain()
