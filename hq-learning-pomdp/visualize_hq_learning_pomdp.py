# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of hq-learning-pomdp into viz/."""

import argparse
import json
from pathlib import Path

import hq_learning_pomdp as hq
import matplotlib.pyplot as plt
import numpy as np
import study_hq_learning_pomdp as study
from hq_learning_pomdp import MOVES, QUICK, ROWS, TEST_EVERY, VIEWS, Config, Maze

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

HERE = Path(__file__).resolve().parent
AGENTS = (BLUE, RED, GREEN, PINK, ORANGE, SKY)  # the colour of each agent of the chain
SHOWN = 8  # simulations of the seed
NAMES = ("agents_3", "agents_4", "hq", "agents_8", "agents_12")  # rows with so many agents
MEASURES = {"solved_share": "reach the goal", "near_optimal_share": "at most 35 steps"}
MEASURES |= {"optimal_share": "28 steps, the optimum"}


def records(name, run):
    """Return the metrics of each recorded seed, or of a quick run where nothing is recorded."""
    if not flags.quick and (HERE / name).exists():
        return [record["metrics"] for record in json.loads((HERE / name).read_text())["records"]]
    return [hq.flatten(run())]


def train_some(maze, config):
    """Train the first simulations of a run with the seed; returns the systems and their tests."""
    train_seed = np.random.SeedSequence(flags.seed).spawn(2)[0]
    systems, tests = [], []
    for own_seed in train_seed.spawn(config.simulations)[:SHOWN]:
        systems.append(hq.System(maze, config, np.random.default_rng(own_seed)))
        tests.append(hq.train(systems[-1], config, lambda *_: None)[0][:, 0])
    return systems, np.array(tests)  # (simulations, tests)


def draw_maze(ax, maze):
    """Draw the walls, and name the start and the goal."""
    walls = np.ones((10, 10))
    walls[tuple(maze.places.T)] = 0
    ax.imshow(walls, cmap="Greys", vmin=0, vmax=1.6)
    for text, field in (("S", maze.start), ("G", maze.goal)):
        y, x = maze.places[field]
        style = {"boxstyle": "round,pad=0.15", "color": "white"}
        ax.text(x, y, text, ha="center", va="center", weight="bold", bbox=style, zorder=5)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)


def draw_path(ax, maze, path):
    """Draw a walk, coloured by agent, with a diamond at each hand-over."""
    for (agent, field), (following, after) in zip(path, path[1:]):
        (y, x), (down, right) = maze.places[field], maze.places[after] - maze.places[field]
        move = {"head_width": 0.22, "length_includes_head": True, "color": AGENTS[agent]}
        ax.arrow(x, y, right, down, **move, linewidth=1.6, zorder=3)
        if following != agent:
            place = x + right, y + down
            ax.plot(*place, "D", color=AGENTS[following], mec=BLACK, markersize=9, zorder=4)


def draw_view(ax, x, y, view, size=0.3):
    """Draw the walls that a view has."""
    corners = {8: ((-1, 1), (1, 1)), 4: ((1, 1), (1, -1)), 2: ((-1, -1), (1, -1))}
    corners[1] = ((-1, 1), (-1, -1))
    for wall, ((x0, y0), (x1, y1)) in corners.items():
        here, style = view & wall > 0, {"color": BLACK, "solid_capstyle": "projecting"}
        width = 3 if here else 0.4
        xs, ys = (x + size * x0, x + size * x1), (y + size * y0, y + size * y1)
        ax.plot(xs, ys, linewidth=width, **style)


def draw_answers(ax, maze, system, path):
    """Draw what each active agent does on each view that it meets, and its sub-goal."""
    views = sorted(set(maze.view.tolist()))
    active = sorted({agent for agent, _ in path[:-1]})
    for row, view in enumerate(views):
        draw_view(ax, 0, -row, view)
        for column, agent in enumerate(active, 1):
            key = agent * VIEWS + view
            if not any(system.view[field] == view for a, field in path[:-1] if a == agent):
                ax.text(column, -row, "·", color=GREY, ha="center", va="center")
                continue
            values = system.q[4 * key : 4 * key + 4]
            down, right, _ = MOVES[values.index(max(values))]
            at = (column - 0.3 * right, -row + 0.3 * down)
            to = (column + 0.3 * right, -row - 0.3 * down)
            arrow = {"arrowstyle": "-|>", "color": AGENTS[agent], "linewidth": 2.4}
            ax.annotate("", to, at, arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0})
    for column, agent in enumerate(active, 1):
        ax.text(column, 0.75, f"{agent + 1}", color=AGENTS[agent], ha="center", weight="bold")
        if agent < active[-1]:
            wanted = views.index(system.hq[agent].index(max(system.hq[agent])))
            ax.plot(column + 0.42, -wanted, "D", color=AGENTS[agent], mec=BLACK, markersize=7)
    ax.text(0, 0.75, "view", ha="center")
    ax.text((len(active) + 1) / 2, 1.35, "answer of agent", ha="center")
    ax.set(xlim=(-0.6, len(active) + 0.7), ylim=(-len(views) + 0.4, 1.8), aspect="equal")
    ax.axis("off")


def draw_policies(maze, system):
    """Draw one trained system: its path, and the answers of its agents."""
    path = system.walk()[:80]
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 5.2), width_ratios=(1.35, 1))
    title = "Agents answer the same view differently: who is in control is the memory"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    draw_maze(left, maze)
    draw_path(left, maze, path)
    left.set_xlabel(f"{len(path) - 1} steps; diamonds: hand-over at the sub-goal")
    draw_answers(right, maze, system, path)
    fig.savefig(flags.out / "viz" / "policies.png")


def draw_learning(tests, runs, config):
    """Draw the steps of the tests against the trials."""
    trials = np.minimum(np.arange(tests.shape[1]) * TEST_EVERY, config.trials)
    fig, ax = plt.subplots(figsize=(8, 4.4))
    for k, steps in enumerate(tests):
        ax.plot(trials, steps, color=GREY, linewidth=0.8, label=None if k else "single simulations")
    x = runs[0]["curve.x"]
    means = np.array([run["curve.y"] for run in runs])  # (seeds, points)
    ax.plot(x, np.median(means, 0), color=BLUE, linewidth=2.4, label="mean of the simulations")
    ax.fill_between(x, means.min(0), means.max(0), color=BLUE, alpha=0.25, linewidth=0)
    memoryless = np.mean([run["memoryless.mean_steps"] for run in runs])
    for value, text in (
        (28, "optimum, 28"),
        (memoryless, f"best without memory, {memoryless:.0f}"),
    ):
        ax.axhline(value, **PAPER)
        below = value == 28
        place = value * (0.96 if below else 1.05)
        ax.text(trials[-1], place, text, ha="right", va="top" if below else "bottom")
    ax.set(yscale="log", ylim=(20, 1300), xlabel="trials", ylabel="steps in the greedy test")
    ax.set_yticks([30, 100, 300, 1000], ["30", "100", "300", "1000"])
    ax.legend(loc="upper center")
    ax.set_title("Near-optimal paths within a few thousand trials")
    fig.savefig(flags.out / "viz" / "learning.png")


def draw_agents(runs, studies):
    """Draw the shares of simulations against the number of agents."""
    fig, ax = plt.subplots(figsize=(8, 4))
    for k, (measure, text) in enumerate(MEASURES.items()):
        color, means_by_size = (GREEN, BLUE, ORANGE)[k], []
        for place, name in enumerate(NAMES):
            rows = runs if name == "hq" else studies
            values = [row[f"{name}.{measure}"] for row in rows]
            spread = 0.05 * (k - 1) + 0.012 * (np.arange(len(values)) - (len(values) - 1) / 2)
            ax.plot(place + spread, values, "o", color=color, markersize=4, alpha=0.6)
            means_by_size.append(np.mean(values))
        ax.plot(np.arange(5), means_by_size, color=color, label=text)
    ax.set(ylim=(-0.05, 1.08), xlabel="agents", ylabel="share of simulations")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set_xticks(np.arange(5), ["3", "4", "6", "8", "12"])
    ax.set_title("Three agents are enough, and twelve do no harm")
    fig.savefig(flags.out / "viz" / "agents.png")


def main():
    config, maze = Config(**(QUICK if flags.quick else {})), Maze(ROWS)
    (flags.out / "viz").mkdir(exist_ok=True)
    quick, quick_study = Config(**QUICK), study.Config(**study.QUICK)
    runs = records("results.json", lambda: hq.run(quick, flags.seed, lambda *_: None))
    studies = records("study.json", lambda: study.run(quick_study, flags.seed, lambda *_: None))
    systems, tests = train_some(maze, config)
    best = int(np.argmin(tests[:, -1]))
    draw_policies(maze, systems[best])
    draw_learning(tests, runs, config)
    draw_agents(runs, studies)


if __name__ == "__main__":
    main()
