# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of competing units: what is left of the first task, who wins, and the settings."""

import argparse
import json
from pathlib import Path

import compete_to_compute
import study_compete_to_compute
from compete_to_compute import (
    KINDS,
    QUICK,
    Config,
    draw,
    layers,
    train_to_likelihood,
    two_tasks,
)
from study_compete_to_compute import active, cell_name
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

NAMES = {"lwta": ("LWTA", BLUE), "relu": ("ReLU", RED), "sigmoid": ("sigmoid", GREEN)}
IN_THE_PAPER = {"lwta": (1.55, 6.12), "relu": (1.30, 16.63), "sigmoid": (1.38, 57.84)}  # per cent


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded(file, program):
    """Return the settings and each recorded seed's metrics, or a quick run's if there are none."""
    path = Path(__file__).resolve().with_name(file)
    if path.exists() and not flags.quick:
        records = json.loads(path.read_text("utf-8"))["records"]
        return program.Config(), [record["metrics"] for record in records]
    config = program.Config(**program.QUICK)
    table = program.run(config, flags.seed, lambda *_: None)
    return config, [compete_to_compute.flatten(table)]


# ---- 1: the first task after the second ----
def forgetting(runs):
    """Picture P1's error before and after P2 for each seed, beside the paper's means."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 4.6), sharey=True)
    highest = max(run[f"{kind}.p1_after"] or 0 for run in runs for kind in NAMES)
    for ax, (kind, (label, color)) in zip(axes, NAMES.items(), strict=True):
        pairs = [(run[f"{kind}.p1_before"], run[f"{kind}.p1_after"]) for run in runs]
        pairs = np.array([pair for pair in pairs if None not in pair])  # (seeds, 2)
        ax.plot((0, 1), pairs.T, "-o", color=color, alpha=0.45, lw=1.3, markersize=5)
        mean = pairs.mean(0)
        ax.plot((0, 1), mean, color=color, lw=3)
        ax.text(1.09, mean[1], f"{mean[1]:.1f}", color=color, weight="bold", size=13, va="center")
        paper = IN_THE_PAPER[kind]
        ax.plot((0, 1), paper, **PAPER)
        apart = paper[1] + 4 * np.sign(paper[1] - mean[1]) * (abs(paper[1] - mean[1]) < 4)
        ax.text(1.09, apart, f"paper\n{paper[1]}", va="center", size=10, linespacing=1.0)
        ax.set_title(label, color=color)
        ax.set_xticks((0, 1), ("after 0-4", "after 5-9"))
        ax.set(xlim=(-0.2, 1.62), ylim=(0, max(68, 1.08 * highest)))
    axes[0].set_ylabel("test error on the digits 0-4, %")
    title = "Competing units forget as much as rectified ones; sigmoids forget most"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "forgetting.png")


# ---- 2: other winners ----
def knows_both(kind, draws, tasks, config):
    """Return a net that has learned P1, then P2."""
    activation, scaled = KINDS[kind]
    body = layers(draws.body, scaled, config)
    for n, head in enumerate(layers(draws.heads, scaled, config)):
        net = [*body, head]
        order = draws.orders[n]
        train_to_likelihood(net, activation, tasks[n].train, order, config, lambda *_: None)
    return net


def winners(config):
    """Picture how often each unit passes something on, on P1 and on P2."""
    tasks = two_tasks()
    draws = draw(config, flags.seed, tasks)
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.3), sharex=True, sharey=True)
    for row, kind in zip(axes, ("lwta", "relu"), strict=True):
        label, color = NAMES[kind]
        net = knows_both(kind, draws, tasks, config)
        often = [active(net, KINDS[kind][0], task.test) for task in tasks]
        for n, (ax, p1, p2) in enumerate(zip(row, *often, strict=True), 1):
            ax.plot((0, 1), (0, 1), color=GREY, lw=1)
            ax.plot(p1, p2, "o", color=color, alpha=0.45, markersize=4, mew=0)
            alike = np.corrcoef(p1, p2)[0, 1]
            ax.set_title(f"{label}, layer {n}: r = {alike:.2f}", weight="normal", fontsize=11)
            ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            ax.set_aspect("equal")
    for ax in axes[1]:
        ax.set_xlabel("share of 0-4")
    axes[0, 0].set_ylabel("share of 5-9 that a unit wins")
    axes[1, 0].set_ylabel("... on which it is active")
    title = "Who wins on the second task had mostly won on the first"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "winners.png")


# ---- 3: where the effect lives ----
def cells(studies, kind, config):
    """Return the mean error at each setting, nan where a net diverged, and how many did."""
    rows = [[cell_name(rate, m) for m in config.momenta] for rate in config.learning_rates]
    found = [[[study[f"{name}.{kind}"] for study in studies] for name in row] for row in rows]
    lost = [[some.count(None) for some in row] for row in found]
    means = [[np.nan if None in some else np.mean(some) for some in row] for row in found]
    return np.array(means), lost


def settings_map(config, studies):
    """Picture P1's error after P2 over learning rate and momentum."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.9))
    lwta, lwta_lost = cells(studies, "lwta", config)
    relu, relu_lost = cells(studies, "relu", config)
    errors = {"cmap": "Oranges", "vmin": 0, "vmax": 45}
    leads = {"cmap": "RdBu", "vmin": -10, "vmax": 10}
    panels = [
        ("LWTA", lwta, lwta_lost, errors, "{:.1f}"),
        ("ReLU", relu, relu_lost, errors, "{:.1f}"),
    ]
    panels += [("ReLU minus LWTA", relu - lwta, None, leads, "{:+.1f}")]
    for ax, (label, grid, lost, how, form) in zip(axes, panels, strict=True):
        ax.imshow(grid, aspect="auto", **how)
        for (i, j), value in np.ndenumerate(grid):
            said = form.format(value).replace("-", "−")
            if np.isnan(value):
                said = f"{lost[i][j]} of {len(studies)}\ndiverge" if lost else ""
            ax.text(j, i, said, ha="center", va="center", fontsize=12 if value == value else 10)
        ax.set_xticks(range(len(config.momenta)), config.momenta)
        ax.set_yticks(range(len(config.learning_rates)), config.learning_rates)
        ax.set_title(label, fontsize=11)
        ax.set_xlabel("momentum")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel("learning rate")
    ahead = f"{np.sum(lwta < relu)} of {lwta.size} settings"  # nan is not ahead
    title = f"LWTA forgets less at {ahead}, in the mean of {len(studies)} seeds"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "map.png")


_, runs = recorded("results.json", compete_to_compute)
forgetting(runs)
winners(Config(**QUICK) if flags.quick else Config())
settings_map(*recorded("study.json", study_compete_to_compute))
