# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of pipe-6-bit-parity into viz/: one search, and statistics of the records."""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from pipe_6_bit_parity import QUICK, Config, Parity, Pipe
from study_pipe_6_bit_parity import rank_test

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

folder = Path(__file__).resolve().parent
config = Config(**QUICK) if flags.quick else Config()
task = Parity(config.inputs)
(flags.out / "viz").mkdir(exist_ok=True)


def records(name):
    """Return the metrics of each recorded seed, by seed; none of a quick run."""
    path = folder / name
    if flags.quick or not path.exists():
        return {}
    recorded = json.loads(path.read_text("utf-8"))["records"]
    return {
        r["seed"]: r["metrics"]
        for r in recorded
        if "pipe.solved" in r["metrics"] or "gp_lead" in r["metrics"]
    }


# ---- the board -----------------------------------------------------------------------------------
class Watched(Pipe):
    """A search that lists each new best program: (programs so far, wrong rows, program)."""

    def __init__(self, *given):
        super().__init__(*given)
        self.history = []

    def generation(self):
        best = self.best
        super().generation()
        if self.best is not best:
            self.history.append((self.programs, self.wrong, self.best))


def follow(runs):
    """Search again as the first recorded seed that was solved did."""
    solved = [s for s, run in runs.items() if s >= flags.seed and run["pipe.solved"]]
    stream = np.random.SeedSequence(solved[0] if solved else flags.seed).spawn(3)[0]
    return Watched(config, np.random.default_rng(stream)).search(lambda *_: None).history


def gray(bits):
    """Return the numbers below 2^bits in an order in which neighbours differ in one bit."""
    return [k ^ k >> 1 for k in range(2**bits)]


def draw_board(ax, table):
    """Draw a truth table so that neighbouring cells differ in one input; wrong rows are red."""
    across = task.rows.bit_length() // 2
    down = task.rows.bit_length() - 1 - across
    order = np.array([[j | i << across for j in gray(across)] for i in gray(down)])  # (rows, rows)
    says, wanted = (
        np.array([[t >> int(j) & 1 for j in line] for line in order]) for t in (table, task.target)
    )
    ax.imshow(np.where(says, 0.94, 0.12), cmap="gray", vmin=0, vmax=1)
    for r, c in np.argwhere(says != wanted):
        ax.add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, color=RED, lw=0))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def draw_boards(history):
    """Draw the best program's truth table at five moments."""
    figure, axes = plt.subplots(1, 5, figsize=(9, 2.9))
    for ax, part in zip(axes, (0.5, 0.625, 0.8125, 0.9375, 1)):  # 32, 40, 52, 60, 64 of 64 rows
        reached = [step for step in history if task.rows - step[1] >= part * task.rows]
        programs, wrong, program = reached[0] if reached else history[-1]
        draw_board(ax, task.evaluate(program))
        words = f"{task.rows - wrong} of {task.rows} right\n{programs:,} programs"
        ax.set_title(words, fontsize=10, weight="normal", loc="center", pad=5)
        ax.set_xlabel(f"{len(program)} node{'s' * (len(program) > 1)}")
    title = f"From half right to all {task.rows}: parity is a checkerboard"
    figure.suptitle(title, weight="bold", x=0.01, ha="left")
    figure.savefig(flags.out / "viz" / "board.png")


# ---- solved against effort -----------------------------------------------------------------------
def times_of(runs, studies):
    """Return when each search was solved, 0 for never, by method."""
    if not (runs and studies):  # pictures of a quick run prove the code: their numbers are made up
        return {"PIPE": [900, 1500, 0], "genetic programming": [1200, 0], "hill climbing": [0, 700]}
    climbed = [run["climb.programs"] * run["climb.solved"] for run in runs.values()]
    return {
        "PIPE": sum((one["pipe.times"] for one in studies.values()), []),
        "genetic programming": sum((one["gp.times"] for one in studies.values()), []),
        "hill climbing": climbed,
    }


def draw_rates(times):
    """Draw the share of searches that are solved against the programs evaluated."""
    figure, ax = plt.subplots(figsize=(8.5, 4.4))
    budget, ends = config.evaluations, []
    for (name, when), color in zip(times.items(), (BLUE, ORANGE, GREEN)):
        when = np.array(when)
        reached = np.sort(when[when > 0])
        share = 100 * np.arange(len(reached) + 1) / len(when)
        x = np.concatenate([[0], reached, [budget]])
        ax.step(x, np.append(share, share[-1]), where="post", color=color, lw=2.2)
        ends.append((share[-1], f"{name}\n{len(reached)} of {len(when)}", color))
    below = -20.0
    for share, label, color in sorted(ends):
        below = max(share, below + 14)  # labels keep apart
        ax.text(budget * 1.02, below, label, color=color, va="center", weight="bold")
    ax.axhline(70, **PAPER)
    ax.text(budget * 0.005, 71.5, "paper's PIPE (from memory)", va="bottom")
    if not flags.quick:
        ax.plot(52_500, 35, "o", color=BLACK, mfc="white", ms=8, zorder=5)
        ax.annotate("paper's median\nof the solved", (52_500, 35), (8_000, 46), va="center")
    ax.set(xlim=(0, budget), ylim=(0, 103), xlabel="programs evaluated")
    ax.set(ylabel="searches that are solved, %")
    ax.set_title("Nearly every search by PIPE gets there within half a million programs")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    figure.savefig(flags.out / "viz" / "rates.png")


# ---- changes and widths --------------------------------------------------------------------------
ROWS = {
    "pipe": "PIPE",
    "no_fitness_rate": "learns alike from\ngood and bad",
    "no_mutation": "no mutation",
    "node_step": "a step in each node,\nno joint target",
}


def draw_changes(ax, studies):
    """Draw rows right of PIPE with one part changed, a dot a search."""
    rng = np.random.default_rng(0)
    pooled = {n: sum((one[f"{n}.rows"] for one in studies.values()), []) for n in ROWS}
    for k, (name, rows) in enumerate(pooled.items()):
        lost = name != "pipe" and rank_test(pooled["pipe"], rows) < 0.01
        color = BLUE if name == "pipe" else RED if lost else SKY
        height = -k + rng.uniform(-0.22, 0.22, len(rows))
        ax.plot(rows, height, "o", ms=5, alpha=0.55, color=color, mew=0)
        ax.plot([np.median(rows)] * 2, [-k - 0.34, -k + 0.34], color=BLACK, lw=2.5)
    ax.set_yticks([-k for k in range(len(ROWS))], ROWS.values())
    ax.set(ylim=(0.6 - len(ROWS), 0.6), xlim=(0.46 * task.rows, 1.02 * task.rows))
    ax.set_xticks(np.linspace(task.rows // 2, task.rows, 5))
    ax.set(xlabel="rows right after 200,000 programs")
    return {name: rank_test(pooled["pipe"], rows) for name, rows in pooled.items()}


def draw_widths(ax, studies):
    """Draw programs until solved against the number of inputs."""
    some = next(iter(studies.values()))
    names = {int(n[6:-6]): n for n in some if n.startswith("width_") and n.endswith(".times")}
    for n, name in sorted(names.items() | {(config.inputs, "pipe.times")}):
        times = np.array(sum((one[name] for one in studies.values()), []))
        reached = np.sort(times[times > 0])
        x = n + np.linspace(-0.2, 0.2, len(reached))
        ax.semilogy(x, reached, "o", ms=4, mew=0, color=BLUE, alpha=0.6)
        ax.plot([n - 0.32, n + 0.32], [np.median(reached)] * 2, color=BLACK, lw=2.5)
    ax.set_xticks(sorted({*names, config.inputs}))
    ax.set(xlabel="inputs", ylabel="programs until solved")


def draw_parts(studies):
    """Draw the ablations and the widths side by side."""
    made_up = {f"{name}.rows": [5, 6, 7, 8] for name in ROWS}
    made_up |= {"width_2.times": [200, 900], "pipe.times": [1500, 2500]}
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1.5, 1))
    p = draw_changes(axes[0], studies or {0: made_up})
    print("rank tests against PIPE:", {name: f"{value:.2g}" for name, value in p.items()})
    draw_widths(axes[1], studies or {0: made_up})
    figure.suptitle(TITLE, weight="bold", x=0.01, ha="left")
    figure.savefig(flags.out / "viz" / "changes.png")


TITLE = "Without mutation or the joint target far fewer rows come right"
runs, studies = records("results.json"), records("study.json")
draw_boards(follow(runs))
draw_rates(times_of(runs, studies))
draw_parts(studies)
