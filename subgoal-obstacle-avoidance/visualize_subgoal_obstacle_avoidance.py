# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of the sub-goals: arenas, the evaluator's map, paths around swamps."""

import argparse
import json
from pathlib import Path

from subgoal_obstacle_avoidance import (
    ONE,
    ONE_ENDS,
    QUICK,
    SATISFIED,
    SEVERAL,
    SEVERAL_ENDS,
    SIDE,
    TEST,
    Arenas,
    Config,
    Generator,
    Legs,
    RecurrentGenerator,
    StaticGenerator,
    choose,
    detours,
    fit_detour,
    learn_to_place,
    learn_world,
    plan,
    walk,
)
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

CONFIG = Config(**(QUICK if flags.quick else {}))
STREAMS = list(map(np.random.default_rng, np.random.SeedSequence(flags.seed).spawn(9)))
SHADES = plt.get_cmap("YlGnBu")(np.linspace(0.02, 0.95, 11))  # of costs
LEARNED, BLIND, DISC = BLUE, RED, "#D9D9D9"  # the learned path, the blind detour, obstacles


# ---- what the pictures show ----
class Watched(Arenas):
    """Arenas that keep where the agents have been."""

    def put(self, position):
        """Put the agents somewhere, with no past."""
        self.seen = [position]
        return super().put(position)

    def step(self, action):
        """Move, and remember."""
        self.seen.append(super().step(action))
        return self.seen[-1]


def trained():
    """Return C, E and S as the run of this seed trains them."""
    walking, walked, costing, _, placing = STREAMS[:5]
    executer, evaluator, _ = learn_world(CONFIG, walked, costing, walking, lambda *_: None)
    generator = Generator(placing, CONFIG)
    learn_to_place(generator, evaluator, CONFIG, placing, lambda *_: None)
    return executer, evaluator, generator


def walks(executer, arenas, targets):
    """Return C's walks (B, T, 2), and who had a collision (B,)."""
    arenas.put(arenas.start)
    walk(executer, arenas, targets)
    return np.stack(arenas.seen, 1), arenas.depth(0.0) > 0


def recorded(metric):
    """Return a metric of all recorded seeds, or an empty array if there are no records."""
    path = Path(__file__).with_name("results.json")
    if flags.quick or not path.exists():
        return np.array([])
    records = json.loads(path.read_text("utf-8"))["records"]
    return np.array([record["metrics"][metric] for record in records])


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def draw_arena(ax, centres, radii):
    """Draw the discs of an arena."""
    for (x, y), radius in zip(centres, radii):
        ax.add_patch(plt.Circle((x, y), radius, facecolor=DISC, edgecolor=GREY, lw=0.8))
    ax.set(xlim=(0, SIDE), ylim=(0, SIDE), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(GREY)


# ---- 1: six arenas ----
def arenas_picture(executer, evaluator, generator):
    """Picture the learned path and the blind detour in the first six arenas of the test."""
    arenas = Watched(TEST, CONFIG.obstacles).reset(STREAMS[6])
    fit = Arenas(CONFIG.arenas_fit, CONFIG.obstacles).reset(STREAMS[5])
    place = fit_detour("offset", fit, CONFIG)
    targets = choose(generator, evaluator, arenas)
    paths = {}
    for name, way in (("learned", targets), ("blind", detours("offset", place, arenas))):
        paths[name] = walks(executer, arenas, way)
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.6))
    figure.get_layout_engine().set(rect=(0, 0.05, 1, 0.95))  # room below
    title = "It detours on the side that is free, which a fixed detour cannot know"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    for k, ax in enumerate(axes.flat):
        draw_arena(ax, arenas.centres[k], arenas.radii[k])
        for name, color, dashes in (("blind", BLIND, (4, 2)), ("learned", LEARNED, (None, None))):
            way, hit = paths[name]
            ax.plot(*way[k].T, color=color, dashes=dashes, lw=2)
            if hit[k]:
                legs = np.linalg.norm(way[k][:, None] - arenas.centres[k], axis=2)
                first = np.argmax((legs < arenas.radii[k]).any(1))
                ax.plot(*way[k][first], "x", color=color, ms=10, mew=2.5)
        ax.plot(*targets[k, :-1].T, "o", color=LEARNED, ms=7, mec="white")
        ax.plot(*arenas.start[k], "o", color=BLACK, ms=7)
        ax.plot(*arenas.goal[k], "*", color=BLACK, ms=13)
    words = (
        ("● start  ★ goal", BLACK),
        ("— by way of two learned sub-goals", LEARNED),
        ("- - best fixed sideways detour", BLIND),
        ("× collision", BLACK),
    )
    for place, (text, color) in zip((0.01, 0.18, 0.51, 0.86), words):
        figure.text(place, 0.02, text, color=color, weight="bold")
    save(figure, "arenas.png")


# ---- 2: the evaluator's map ----
def map_picture(executer, evaluator):
    """Picture what a path by way of one sub-goal costs, predicted and measured."""
    arenas = Arenas(TEST, CONFIG.obstacles).reset(np.random.default_rng(flags.seed))
    middle = Legs(np.stack([arenas.start, arenas.goal], 1), arenas.centres)
    k = int(np.argmax((middle.gap()[:, 0] < arenas.radii).sum(1) == 2))  # two in the way
    axis = np.linspace(0, SIDE, 25 if flags.quick else 61, dtype=np.float32)
    places = np.stack(np.meshgrid(axis, axis), 2).reshape(-1, 2)  # (P, 2)
    many = Arenas(len(places), CONFIG.obstacles)
    many.start, many.goal, many.centres, many.radii = (
        np.repeat(part[k : k + 1], len(places), 0)
        for part in (arenas.start, arenas.goal, arenas.centres, arenas.radii)
    )
    paths = np.stack([many.start, places, many.goal], 1)  # (P, 3, 2)
    cost, trace = evaluator.cost(Legs(paths, many.centres), many.radii)
    slope = evaluator.slope(trace, np.ones_like(cost))[:, 1]  # (P, 2)
    many.put(many.start)
    walk(executer, many, paths[:, 1:])
    measured = many.walked + CONFIG.depth_cost * many.depth(CONFIG.inflate)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6))
    title = "The evaluator's map leads the way: its valleys are where real walks are cheap"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    straight = np.linalg.norm(arenas.goal[k] - arenas.start[k])
    for ax, values, name in zip(
        axes,
        (cost.sum(1), measured),
        ("predicted by E; arrows: down its slope", "measured on walks of C"),
    ):
        extra = values.reshape(len(axis), -1) - straight
        levels = [-2, 0.5, 1, 2, 4, 6, 8, 10, 13, 16, 20, 90]
        shown = ax.contourf(axis, axis, extra, levels, colors=SHADES)
        draw_arena(ax, [], [])
        for (x, y), radius in zip(arenas.centres[k], arenas.radii[k]):
            ax.add_patch(plt.Circle((x, y), radius, fill=False, edgecolor=BLACK, lw=1.2))
        ax.plot(*arenas.start[k], "o", color=BLACK, ms=7)
        ax.plot(*arenas.goal[k], "*", color=BLACK, ms=13)
        ax.set_title(name, fontsize=11, weight="normal")
    jump = len(axis) // 12
    grid = np.arange(len(places)).reshape(len(axis), -1)[jump // 2 :: jump, jump // 2 :: jump]
    arrow = -slope[grid.ravel()]
    arrow /= np.maximum(np.linalg.norm(arrow, axis=1, keepdims=True), 1e-6)
    axes[0].quiver(*places[grid.ravel()].T, *arrow.T, color=RED, scale=26, width=0.005)
    bar = figure.colorbar(shown, ax=axes, shrink=0.8, ticks=levels[1:-1])
    bar.set_label("cost of a path by way of here, less the\nlength of the straight line")
    bar.ax.set_yticklabels([f"{level:g}" for level in levels[1:-1]])
    save(figure, "evaluator.png")


# ---- 3: swamps ----
def draw_paths(ax, swamps, paths, steps):
    """Draw one net's path after each gradient step, darker with time."""
    draw_arena(ax, swamps[:, :2], swamps[:, 2])
    for t in range(steps + 1):
        last = t == steps
        color = LEARNED if last else plt.get_cmap("Oranges")(0.25 + 0.6 * t / max(steps, 1))
        ax.plot(*paths[t].T, color=color, lw=2.4 if last else 1)
    ax.set_ylim(1.4, 8.6)
    ax.plot(*paths[steps, 1:-1].T, "o", color=LEARNED, ms=7, mec="white")
    ax.plot(*paths[0, 0], "o", color=BLACK, ms=7)
    ax.plot(*paths[0, -1], "*", color=BLACK, ms=13)


def draw_costs(ax, costs, paper, metric):
    """Plot the cost of all nets against the gradient steps."""
    ax.plot(100 * costs[:61], color=LEARNED, lw=0.8, alpha=0.35)
    ax.plot(100 * np.median(costs[:61], 1), color=LEARNED, lw=2.4)
    ax.axhline(100 * SATISFIED, color=GREY, lw=1)
    ax.axvline(paper, **PAPER)
    values = recorded(metric)
    ours = f"\nours {values.mean():.0f}" if len(values) else ""
    ax.text(paper + 1, 100, f"paper: {paper} iterations{ours}", va="center")
    ax.set(xlabel="gradient steps", ylabel="cost, % of the straight path's", ylim=(0, 125))
    ax.set_xlim(0, 60)


def swamps_picture():
    """Picture how both generators leave the swamps."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.6), width_ratios=(1, 1.25))
    title = "From through the swamp to around it within about twenty gradient steps"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    cases = (
        (RecurrentGenerator(STREAMS[7], 1), ONE, ONE_ENDS, CONFIG.rate_one, 20, "one"),
        (StaticGenerator(STREAMS[8], 3), SEVERAL, SEVERAL_ENDS, CONFIG.rate_several, 22, "several"),
    )
    for (left, right), (generator, swamps, ends, rate, paper, name) in zip(axes, cases):
        paths, costs = plan(generator, swamps, ends, rate)
        first = np.where((costs < SATISFIED).any(0), (costs < SATISFIED).argmax(0), len(costs) - 1)
        net = int(np.argsort(first)[len(first) // 2])  # the median net
        draw_paths(left, swamps, paths[:, net], int(first[net]))
        draw_costs(right, costs, paper, f"iterations_{name}")
        kind = "recurrent generator, one sub-goal" if name == "one" else "static, three sub-goals"
        left.set_title(kind, fontsize=11, weight="normal")
        right.set_title(
            "twenty nets, their median, and the bar of 5 %", fontsize=11, weight="normal"
        )
    save(figure, "swamps.png")


nets = trained()
arenas_picture(*nets)
map_picture(*nets[:2])
swamps_picture()
