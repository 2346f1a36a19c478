# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The figures: where the agents go, how soon M learns, how interest comes and goes.

python3 visualize_curiosity_three_regions.py --seed 0
"""

import argparse
import json
from pathlib import Path

import curiosity_three_regions as curiosity
import matplotlib.pyplot as plt
import numpy as np
import study_curiosity_three_regions as study
from curiosity_three_regions import LEARNED, POLICIES, SIDE
from matplotlib.colors import LinearSegmentedColormap

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
LOOKS = {  # policy: name, colour
    "random_walk": ("random walk", GREY),
    "teleport": ("rooms at will", SKY),
    "count_based": ("counting visits", GREEN),
    "q_learning": ("curious, Q-learning", ORANGE),
    "planning": ("curious, planning", RED),
    "error_seeking": ("error-seeking", BLACK),
}


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [curiosity.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def outline(ax, world):
    """Draw the borders between the regions."""
    kind = (world.random + 2 * world.learnable).reshape(SIDE, SIDE)  # 0, 1 or 2
    for k in range(1, SIDE):
        for at in np.flatnonzero(kind[:, k] != kind[:, k - 1]):
            ax.plot([k - 0.5] * 2, [at - 0.5, at + 0.5], color=BLACK, lw=1.4)
        for at in np.flatnonzero(kind[k] != kind[k - 1]):
            ax.plot([at - 0.5, at + 0.5], [k - 0.5] * 2, color=BLACK, lw=1.4)


# ---- 1: where the agents are ----
def maps(walks, config):
    """Draw how often each room is entered in three stretches of time, by two kinds of agents."""
    colors = ["white", YELLOW, ORANGE, RED, "#5A1F00"]
    fade = LinearSegmentedColormap.from_list("visits", colors)
    cuts = [0, 150, 450, min(1500, config.steps)]
    figure, axes = plt.subplots(2, 3, figsize=(8, 5.3))
    rows = (("planning", "improvement"), ("error_seeking", "error"))
    for line, (name, sought) in zip(axes, rows):
        places, _, world = walks[name]
        for ax, low, high in zip(line, cuts, cuts[1:]):
            counts = np.bincount(places[low:high].ravel(), minlength=SIDE**2)
            share = 100 * (counts / counts.sum()).reshape(SIDE, SIDE)  # per cent
            image = ax.imshow(share, cmap=fade, vmin=0, vmax=10)
            outline(ax, world)
            ax.set(xticks=(), yticks=())
            for side in ax.spines.values():
                side.set_visible(True)
            ax.set_title(f"steps {low + 1} to {high}", fontsize=10, weight="normal", pad=4)
        line[0].set_ylabel(f"paid for {sought}", fontsize=10, weight="bold")
    for ax in axes[:, 2]:
        ax.text(2, 4.7, "known", ha="center")
        ax.text(7, 4.7, "random", ha="center")
        ax.text(8, 8.2, "learnable", ha="center", fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, extend="max")
    bar.set_label("time in a room, % (1 % if all were alike)")
    title = "Curiosity goes where it can still learn; error-seeking gets lost in noise"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    save(figure, "maps.png")


# ---- 2: how soon M learns ----
def learning(walks, records):
    """Draw the error left over time: the median agent of each policy, and the middle half."""
    figure, ax = plt.subplots(figsize=(8, 4.8))
    for name, (words, color) in LOOKS.items():
        left = walks[name][1]  # (T, A)
        steps = np.arange(1, len(left) + 1)
        low, middle, high = np.quantile(left, (0.25, 0.5, 0.75), axis=1)
        ax.fill_between(steps, low, high, color=color, alpha=0.18, lw=0)
        ax.plot(steps, middle, color=color, lw=2, label=words)
    ax.axhline(LEARNED, **PAPER)
    ax.text(len(left), LEARNED * 1.08, "learned: 5 %", ha="right", fontsize=10)
    ax.set(yscale="log", ylim=(0.008, 1.3), xlim=(0, len(left)))
    ax.set_yticks([1, 0.1, 0.01], labels=["100 %", "10 %", "1 %"])
    ax.set_xlabel("steps of the agent")
    ax.set_ylabel("error of M in the learnable rooms")
    ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.92))
    found = {}
    for name in ("planning", "random_walk"):
        steps = [r[f"{name}.steps"] for r in records if r[f"{name}.steps"] is not None]
        found[name] = f"{np.mean(steps):,.0f}" if steps else "more"
    title = "Curiosity has learned in {planning} steps; a random walk needs {random_walk}"
    ax.set_title(title.format(**found))
    save(figure, "learning.png")


# ---- 3: interest comes and goes ----
def interest(walks, records, config, study_config):
    """Draw shares of time: the three regions, and two corners of which one opens late."""
    figure, (ax, late) = plt.subplots(2, 1, figsize=(8, 5.6), sharey=True)
    places, _, world = walks["q_learning"]
    span = min(3000, config.steps)
    edges = np.arange(0, span + 1, 50)
    regions = {"known": GREY, "random": SKY, "learnable": RED}
    for name, color in regions.items():
        inside = getattr(world, name)[places]  # (T, A)
        share = [inside[a:b].mean() for a, b in zip(edges, edges[1:])]
        ax.plot(edges[1:] - 25, share, color=color, lw=2, label=f"{name} rooms")
    ax.set_title("the experiment: one learnable corner", fontsize=10, weight="normal", pad=4)
    curves = {"first": (RED, "first corner"), "late": (BLUE, "late corner")}
    steps = min(study_config.steps, 6000)
    for part, (color, words) in curves.items():
        shares = np.array([r[f"corners_q.{part}_curve"] for r in records])  # (seeds, bins)
        x = (np.arange(shares.shape[1]) + 0.5) * steps / shares.shape[1]
        late.plot(x, shares.mean(0), color=color, lw=2, label=words)
        late.fill_between(x, shares.min(0), shares.max(0), color=color, alpha=0.18, lw=0)
    late.axvline(study_config.opening, **PAPER)
    late.text(study_config.opening - 0.01 * span, 0.93, "the late corner opens", ha="right")
    words = "the study: two corners, of which one cannot be learned at first"
    late.set_title(words, fontsize=10, weight="normal", pad=4)
    for axis in (ax, late):
        axis.set(xlim=(0, span), ylim=(0, 1))
        axis.set_yticks([0, 0.5, 1], labels=["0", "50 %", "100 %"])
        axis.set_ylabel("share of the time")
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    late.set(xlim=(0, min(span, steps)), xlabel="steps of the agent")
    title = "Interest rises where M improves, falls once it has learned, and moves on"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    save(figure, "interest.png")


def main():
    config = curiosity.Config(**(curiosity.QUICK if flags.quick else {}))
    study_config = study.Config(**(study.QUICK if flags.quick else {}))
    seeds = np.random.SeedSequence(flags.seed).spawn(len(POLICIES))
    walks = {
        name: curiosity.explore(config, policy, seed)
        for (name, policy), seed in zip(POLICIES.items(), seeds)
    }
    maps(walks, config)
    learning(walks, recorded("results.json", curiosity))
    interest(walks, recorded("study.json", study), config, study_config)


if __name__ == "__main__":
    main()
