# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The figures: totals over the learning rate, steps over the epochs, and a maze with two programs.

python3 visualize_ssa_bias_transfer_mazes.py --seed 0
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import ssa_bias_transfer_mazes as ssa

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
NAMES = {"als": ("ALS, without the stack", ORANGE), "ssa": ("SSA+ALS", BLUE)}
INSTRUCTIONS = {
    1: "to a wall, left",
    2: "to a wall, right",
    3: "to an opening on the left, left",
    4: "to an opening on the left, right",
    5: "to an opening on the left",
    6: "to an opening on the right, left",
    7: "to an opening on the right, right",
    8: "to an opening on the right",
}
RATES = (0.1, 0.5)  # of the learners whose epochs are drawn


class Watched(ssa.SuccessStory):
    """A story of success that keeps the programs it found, in their order."""

    def change(self, program):
        """Change as usual."""
        super().change(program)
        self.found = [*getattr(self, "found", []), program]


def save(figure, name):
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


def totals(config):
    """Return the recorded metrics over seeds, or those of one run now."""
    path = Path(ssa.__file__).with_name("results.json")
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    return [ssa.flatten(ssa.run(config, flags.seed, lambda *_: None))]


def draw_rates(config):
    """Draw total steps against the learning rate, a dot for each maze and the median."""
    metrics = [one for one in totals(config) if one]
    figure, ax = plt.subplots(figsize=(8, 5))
    places = np.arange(len(config.rates))
    for side, (name, (label, color)) in zip((-0.06, 0.06), NAMES.items(), strict=True):
        steps = np.array([[one[f"{name}.steps_{r}"] for r in config.rates] for one in metrics])
        for row in steps:
            ax.plot(places + side, row, ".", color=color, alpha=0.45, markersize=7)
        ax.plot(places + side, np.median(steps, 0), "-o", color=color, label=label, linewidth=2.4)
    ls = np.median([one["ls.steps"] for one in metrics])
    ax.axhline(ls, **PAPER, label="plain Levin search, each goal anew")
    ax.set_yscale("log")
    ax.set_xticks(places, [f"{rate:g}" for rate in config.rates])
    ax.set(xlabel="learning rate", ylabel="steps for all goals of 40 epochs")
    ax.set_ylim(top=8 * ax.get_ylim()[1])
    ax.legend(loc="upper left")
    ax.set_title(TITLES["rates"])
    save(figure, "rates.png")


def draw_epochs(steps, cost, config):
    """Draw the steps of each epoch, for two learning rates."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
    epochs = np.arange(1, len(steps) + 1)
    listed = config.first_goals + (epochs - 1) // config.epochs_per_set  # (epochs,)
    total = steps.sum(1)  # (epochs, S)
    for k, ax in enumerate(axes):
        for column, (label, color) in zip((k, k + 2), NAMES.values(), strict=True):
            ax.plot(epochs, total[:, column], color=color, label=label)
        anew = np.cumsum(cost)[listed - 1]  # (epochs,)
        ax.step(epochs, anew, where="mid", label="plain Levin search", **PAPER)
        for change in np.arange(1, config.goals - config.first_goals + 1) * config.epochs_per_set:
            ax.axvline(change + 0.5, color=GREY, linewidth=0.8, zorder=0)
        ax.set(yscale="log", xlabel="epoch", xlim=(1, len(steps)))
        ax.set_title(f"learning rate {RATES[k]}", fontsize=10, weight="normal")
    axes[0].set(ylabel="steps for all listed goals")
    top = axes[0].get_ylim()[1]
    axes[0].set_ylim(top=12 * top)
    axes[0].legend(
        loc="upper left",
        fontsize=9,
        frameon=True,
        framealpha=1,
        edgecolor="none",
        facecolor="white",
    )
    figure.suptitle(TITLES["epochs"], x=0.01, ha="left", weight="bold")
    save(figure, "epochs.png")


def in_words(language, program):
    """Return the lines of a program."""
    lines = []
    for address, digit in enumerate(program // language.place % language.base):
        if digit > ssa.JUMP:
            target, repeats = divmod(int(digit) - 9, language.repeats)
            many = "once" if repeats == 0 else f"{repeats + 1} times"
            lines.append(f"{address + 1}  back to {target + 1}, {many}")
        elif digit:
            lines.append(f"{address + 1}  {INSTRUCTIONS[int(digit)]}")
    return "\n".join(lines)


def draw_maze(maze, language, fields, learner, config):
    """Draw the last programs found for an early goal and for the last one."""
    figure, (axes, below) = plt.subplots(2, 2, figsize=(9, 7.2), height_ratios=(1, 0.55))
    last = learner.found[-config.goals :]
    for ax, text, goal in zip(axes, below, (1, config.goals - 1), strict=True):
        walk = language.walk(maze, last[goal])
        end = walk.index(fields[goal])
        row, column = np.divmod(np.array(walk[: end + 1]), maze.side)
        ax.imshow(~maze.free, cmap="Greys", vmin=0, vmax=1.6)
        ax.plot(column, row, color=BLUE, linewidth=2.5)
        ax.plot(1, 1, ">", color=BLUE, markersize=9)
        for k, field in enumerate(fields):
            down, right = divmod(int(field), maze.side)
            color = RED if k == goal else GREY
            ax.plot(right, down, "o", color=color, markersize=14, zorder=3)
            ax.text(right, down - 0.05, k + 1, color="white", ha="center", va="center", zorder=4)
        ax.axis("off")
        ax.set_title(f"Goal {goal + 1}, {end} steps", fontsize=10, weight="normal")
        words = in_words(language, last[goal])
        text.text(0.02, 1, words, transform=text.transAxes, va="top", linespacing=1.35)
        text.axis("off")
    figure.suptitle(TITLES["maze"], x=0.01, ha="left", weight="bold")
    save(figure, "maze.png")


TITLES = {
    "rates": "The stack guards against large rates, and undoes what small ones learn",
    "epochs": "Experience makes epochs cheap; at a small rate the stack gives most of it back",
    "maze": "A few instructions lead far: the programs found in the last epoch",
}


def main():
    config = ssa.Config(**(ssa.QUICK if flags.quick else {}))
    draw_rates(config)
    language = ssa.Language(config)
    rng = np.random.default_rng(np.random.SeedSequence(flags.seed).spawn(1)[0])
    maze, fields, cost = ssa.choose_goals(language, config, rng)
    learners = [kind(language, rate) for kind in (ssa.Adaptive, Watched) for rate in RATES]
    limit = config.limit_factor * cost
    steps, _ = ssa.live(language, maze, fields, limit, learners, config, lambda *_: None)
    draw_epochs(steps, cost, config)
    draw_maze(maze, language, fields, learners[-1], config)


if __name__ == "__main__":
    main()
