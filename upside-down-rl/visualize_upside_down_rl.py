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
from upside_down_rl import LEARNERS, QUICK, Config, command_chain, feasible, learn_chain, obey
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

LOOKS = {
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
    """Return the metrics and the seed of each recorded study, or of a quick one for want of any."""
    path = Path(__file__).resolve().with_name("study.json")
    if path.exists() and not flags.quick:
        records = json.loads(path.read_text("utf-8"))["records"]
        return [record["metrics"] for record in records], [record["seed"] for record in records]
    module = study_upside_down_rl
    table = module.run(module.Config(**module.QUICK), flags.seed, lambda *_: None)
    return [upside_down_rl.flatten(table)], [flags.seed]


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
    """Draw all learners in a panel, two with bands, and list their last returns."""
    ax.text(0.0, 1.03, "at last", transform=ax.transAxes, color="#666666")
    for k, (name, (words, color)) in enumerate(LOOKS.items()):
        row = row_of(studies, name, panel)
        if not row:
            continue
        main = name in ("udrl", "a2c")
        x, y = on_one_grid(studies, row)
        ax.plot(x, np.median(y, 0), color=color, lw=2.4 if main else 1.3, zorder=4 - k)
        if main:
            ax.fill_between(x, y.min(0), y.max(0), color=color, alpha=0.22, lw=0)
        place = {"transform": ax.transAxes, "color": color, "weight": "bold" if main else "normal"}
        ax.text(0.22 + 0.2 * k, 1.03, f"{at_last(studies, row):.2f}", **place)
        if panel == "dense":
            ax.text(0.97, 0.36 - 0.085 * k, words, ha="right", fontsize=11, **place)
    ax.set(xlabel="thousand steps", ylim=(-3.6, 1.9), yticks=[-3, -2, -1, 0, 1])
    ax.set_title(PANELS[panel], weight="normal", fontsize=11, pad=22)
    ax.grid(axis="y", color="#E5E5E5")


def picture_curves(studies):
    """Picture learning with reward at each step, at the end, and at the end of finer steps."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 4.2), sharey=True)
    for ax, panel in zip(axes, PANELS, strict=True):
        draw_curves(ax, studies, panel)
    axes[0].set_ylabel("mean return of 200 fresh episodes")
    title = "The later the reward, the harder for A2C; upside-down RL and REINFORCE hardly mind"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12.5)
    save(figure, "curves.png")


# ---- 2: obedience --------------------------------------------------------------------------------
EARLY = 45_000  # steps


def young(seed):
    """Return the commands and what came of them early in a run of a seed, (25,) each."""
    config = replace(Config(), **(QUICK if flags.quick else {}))
    stream = np.random.SeedSequence(seed).spawn(3)[2]  # the first learner's in a run
    kind, sparse = LEARNERS["udrl_sparse"]
    learner = kind(config, sparse, stream)
    while learner.steps + learner.most_steps <= EARLY:
        learner.advance()
    rng = np.random.default_rng([seed, 2])
    return obey(learner, rng, learner.random_mean, learner.replay.value.max())


def picture_obedience(studies, seeds):
    """Picture achieved against commanded returns, in each study, and early in these runs."""
    figure, ax = plt.subplots(figsize=(7.4, 5.2))
    every = [study["commands.wanted"] for study in studies]
    low, high = min(w[0] for w in every) - 0.15, max(w[-1] for w in every) + 0.15
    ax.plot([low, high], [low, high], color=GREY, lw=1.2, ls=":")
    for study, seed in zip(studies, seeds, strict=True):
        wanted = study["commands.wanted"]
        ax.plot(wanted, study["commands.achieved"], "o-", color=BLUE, ms=4, lw=1.4, alpha=0.7)
        ax.plot(*young(seed), "o-", color=ORANGE, ms=4, lw=1.4, alpha=0.7)
    edge = float(np.median([study["commands.lowest_in_replay"] for study in studies]))
    ax.axvline(edge, color=BLUE, lw=1, ls=":")
    ax.set(xlabel="commanded return", ylabel="achieved return, mean of 200 flights")
    ax.set(xlim=(low, high + 0.1), ylim=(low, high))
    style = {"fontsize": 11, "weight": "bold", "transform": ax.transAxes}
    ax.text(0.03, 0.93, "after training", color=BLUE, **style)
    ax.text(0.6, 0.25, f"after {EARLY:,} steps", color=ORANGE, **style)
    small = {"fontsize": 10, "va": "bottom"}
    small = {"fontsize": 10, "transform": ax.transAxes}
    ax.text(0.11, 0.05, "exactly as told", color="#777777", **small)
    words = "dotted: the lowest return in\nthe replay after training"
    ax.text(0.87, 0.05, words, color=BLUE, ha="right", **small)
    ax.set_title("Told less, it gets less; trained on the best, it forgets how to fail")
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
    place = {"transform": ax.transAxes, "fontsize": 11}
    words = "told the return and the\nsteps that go with it"
    ax.text(0.03, 0.93, words, color=BLUE, weight="bold", va="top", **place)
    ax.text(
        0.03, 0.79, "told the return,\nand always four steps", color="#777777", va="top", **place
    )
    exact = np.count_nonzero(np.abs(obeyed - wanted) < 1e-6)
    ax.set(xlabel="commanded return", ylabel="achieved return", xlim=(-3.2, 5.2), ylim=(-3.2, 5.2))
    ax.set_title(
        f"The chain obeys {exact} of 29 commands when return and steps agree", fontsize=11.5
    )
    save(figure, "chain.png")


studies, seeds = recorded()
picture_curves(studies)
picture_obedience(studies, seeds)
picture_chain()
