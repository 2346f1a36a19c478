# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of double-pole-no-velocity: trials until a search has solved the task, a winner
in the first and last seconds of its long test, and the starts that two winners balance from."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import double_pole_no_velocity
import matplotlib.pyplot as plt
import study_double_pole_no_velocity
from double_pole_no_velocity import CHUNK, FORCE, START, Pool, Trials, flatten, grid_of_starts
from study_double_pole_no_velocity import balance
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

(flags.out / "viz").mkdir(exist_ok=True)
DARK_GREEN, BROWN = "#007A59", "#9A6A00"


def save(fig, name):
    fig.savefig(flags.out / "viz" / f"{name}.png")
    plt.close(fig)


def recorded(program, file):
    """Returns the settings and the metrics of each recorded seed, or else of a quick run."""
    path = Path(__file__).with_name(file)
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    if records and not flags.quick:
        return program.Config(), [record["metrics"] for record in records]
    quick = replace(program.Config(), **program.QUICK)
    silent = lambda fraction, message: None  # noqa: E731
    return quick, [flatten(program.run(quick, flags.seed, silent))]


config, runs = recorded(double_pole_no_velocity, "results.json")
_, studies = recorded(study_double_pole_no_velocity, "study.json")
most = config.max_evaluations


def net_of(kind):
    """Returns the weights (1, H, I + 1) of a winner, or else those of the film's last net."""
    shape = (config.hidden, config.hidden + 4)
    found = [one[f"{kind}.net"] for one in studies if one[f"{kind}.net"]]
    flat = found[0] if found else studies[0]["film.nets"][-shape[0] * shape[1] :]
    return np.reshape(flat, (1, *shape))


# ---- trials until a solution ---------------------------------------------------------------------
PUBLISHED = {  # JMLR 2008, table 4: damping fitness, means of 50 runs
    "CMA-ES": 6061,
    "NEAT": 6929,
    "ESP": 26_342,
    "neuroevolution": 87_623,
    "SANE": 451_612,
    "guessing": 1_232_296,
}
each = lambda kind: [count for one in studies for count in one[f"{kind}.each"]]  # noqa: E731
ROWS = [
    ("CoSyNE\nmeans of five searches", BLUE, [one["evaluations"] for one in runs]),
    ("without shuffling\nmeans of five searches", RED, [one["whole.evaluations"] for one in runs]),
    ("CMA-ES\nsearches", BROWN, each("cma")),
    ("CoSyNE, steps alone\nsearches", SKY, each("standard")),
    ("CoSyNE, no recurrence\nsearches", GREY, each("memoryless")),
]
fig, ax = plt.subplots(figsize=(9, 5))
for k, (_, colour, counts) in enumerate(ROWS):
    jitter = np.random.default_rng(k).uniform(-0.17, 0.17, len(counts))
    ax.plot(counts, jitter - k, "o", color=colour, markersize=5, alpha=0.75)
    middle = np.mean(counts)
    ax.plot((middle, middle), (-k - 0.28, -k + 0.28), color=BLACK, linewidth=2.4)
    ax.text(middle, -k + 0.3, f"{middle:,.0f}", ha="center", va="bottom", fontsize=9.5)
ax.plot((3416, 3416), (-len(ROWS) - 0.35, 0.75), **PAPER)
ax.text(3250, 0.78, "paper's CoSyNE 3,416", ha="center", va="bottom", fontsize=9.5)
for k, (name, count) in enumerate(PUBLISHED.items()):
    ax.plot(count, -len(ROWS), "|", color=BLACK, markersize=13, markeredgewidth=2)
    up = k % 2 == 0
    style = {"ha": "center", "va": "bottom" if up else "top", "fontsize": 9}
    ax.text(count, -len(ROWS) + (0.2 if up else -0.22), name, **style)
ax.axvline(most, color="#CCCCCC", linewidth=1)
ax.text(most * 1.06, 1.12, "a search gives up", fontsize=9, va="bottom", color="#555555")
names = [name for name, *_ in ROWS] + ["published means\nof other methods"]
ax.set_yticks([-k for k in range(len(names))], names)
ax.tick_params(axis="y", length=0)
low = min(min(counts) for _, _, counts in ROWS)
ax.set(xscale="log", xlim=(min(500, 0.7 * low), 2.6e6), ylim=(-len(ROWS) - 0.65, 1.5))
ax.set(xlabel="trials until a net passes both tests (black bars: means)")
leads = np.array([one["permutation_lead"] for one in runs])
clear = len(leads) > 2 and leads.mean() > 2.8 * leads.std(ddof=1) / np.sqrt(len(leads))
finding = "Weights that change partners find a solution in fewer trials"
ax.set_title(finding if clear else "Shuffled or not, a search takes thousands of trials")
save(fig, "evaluations")


# ---- the first and the last seconds --------------------------------------------------------------
def live(net, steps, span):
    """Returns the states (span, 6) and actions (span,) of the first and last steps of a trial, and
    how many steps it lasted."""
    pool = Pool()
    pool.enter(0, Trials(net, START, steps))
    move = pool.move
    kept = []

    def watch():
        path, u = move()
        if len(kept) < span // CHUNK:
            kept.append((path[:, -1, :, 0], u[:, 0]))
        recent.append((path[:, -1, :, 0], u[:, 0]))
        del recent[: -span // CHUNK]
        return path, u

    recent, pool.move = [], watch
    while pool.wanted:
        pool.advance()
    both = [[np.concatenate(parts) for parts in zip(*chunks)] for chunks in (kept, recent)]
    return both, pool.outcomes[0].steps[0]


span = min(1000, config.long_steps // 2)
parts, lasted = live(net_of("cosyne"), config.long_steps, span)
fig, axes = plt.subplots(3, 2, figsize=(9, 5.6), sharey="row", sharex="col")
LINES = (
    ("cart, m", [(0, BLACK, "place", 1)]),
    (
        "angles, degrees",
        [(1, BLUE, "long pole", 180 / np.pi), (2, RED, "short pole", 180 / np.pi)],
    ),
)
for column, ((states, u), begin) in enumerate(zip(parts, (0, config.long_steps - span))):
    seconds = 0.02 * (begin + 1 + np.arange(len(u)))
    for row, (label, lines) in enumerate(LINES):
        ax = axes[row, column]
        for k, colour, name, unit in lines:
            ax.plot(seconds, unit * states[:, k], color=colour, linewidth=1.2, label=name)
        if column == 0:
            ax.set_ylabel(label)
            if len(lines) > 1:
                style = {"ncols": 2, "fontsize": 9, "borderaxespad": 0.2}
                ax.legend(loc="lower right", bbox_to_anchor=(1, 1), **style)
    axes[2, column].plot(seconds, FORCE * u, color=DARK_GREEN, linewidth=0.9)
    axes[2, column].locator_params(axis="x", nbins=5)
    axes[2, column].set_xlabel(f"seconds, {('the first', 'the last')[column]} {0.02 * span:g}")
axes[2, 0].set(ylabel="force, N", ylim=(-10.8, 10.8))
late = np.ptp(180 / np.pi * parts[1][0][:, 1])
fig.suptitle(
    f"Still up after {0.02 * lasted:,g} s, when the long pole moves by {late:.2g} degrees",
    x=0.01,
    ha="left",
    fontsize=12,
    weight="bold",
)
save(fig, "half_an_hour")


# ---- the 625 starts ------------------------------------------------------------------------------
def map_of(net):
    """Returns how long a net balances from each start, (25, 25): down x and its speed, across the
    long pole's angle and its speed."""
    starts = grid_of_starts()
    nets = np.repeat(net, starts.shape[1], 0)
    steps = balance(Trials(nets, starts, config.trial_steps)).steps
    grid = steps.reshape(5, 5, 5, 5)
    return grid.reshape(25, 25)


fig, axes = plt.subplots(1, 2, figsize=(9, 4.9))
balanced = []
for ax, kind, name in zip(axes, ("cosyne", "standard"), ("damping", "steps alone")):
    steps = map_of(net_of(kind))
    image = ax.imshow(steps, cmap="cividis", vmin=0, vmax=config.trial_steps, origin="lower")
    ax.set_xticks(
        2 + 5 * np.arange(5), [f"{3.6 * level:.1f}" for level in (-0.9, -0.5, 0, 0.5, 0.9)]
    )
    ax.set_yticks(
        2 + 5 * np.arange(5), [f"{2.16 * level:.1f}" for level in (-0.9, -0.5, 0, 0.5, 0.9)]
    )
    for edge in np.arange(4.5, 24, 5):
        ax.axhline(edge, color="white", linewidth=1.2)
        ax.axvline(edge, color="white", linewidth=1.2)
    ax.set(xlabel="long pole's angle, degrees;\nits speed within each block")
    balanced.append((steps >= config.trial_steps).sum())
    ax.set_title(f"fitness: {name}\n{balanced[-1]} of 625", fontsize=10.5, loc="center", pad=6)
axes[0].set_ylabel("cart's place, m; its speed within each block")
bar = fig.colorbar(image, ax=axes, shrink=0.8, label="steps balanced")
fig.suptitle(
    f"A winner by damping fitness balances from {balanced[0]} of 625 starts, "
    f"one by steps alone from {balanced[1]}",
    x=0.01,
    ha="left",
    fontsize=12,
    weight="bold",
)
save(fig, "starts")
