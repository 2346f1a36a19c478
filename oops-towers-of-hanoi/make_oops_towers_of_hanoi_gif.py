# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of oops-towers-of-hanoi: the tree of prefixes as time doubles, then the
program at work."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from oops_towers_of_hanoi import Config, Goal, Machine, Searcher, UNIVERSAL, languages, oops
from PIL import Image

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

config = Config(instructions=24, phases=54)
phases, disks = (range(6, 19) if flags.quick else range(6, config.phases)), 5
first, cold = languages(config.instructions, flags.seed)
writing = oops(replace(config, tasks=3, phases=40), first, "A", until_universal=True)
language = replace(cold, experience=writing[-1].program)
searcher, trees, found = Searcher(language, "B"), [], None
for phase in phases:
    tree = {}
    searcher.callback = tree.__setitem__
    out = searcher.search([Machine("B", n, 0) for n in (1, 2, 3)], 2**phase)
    trees.append((phase, tree, out))
    if out.found:
        found = out.found
        break
solver = found or UNIVERSAL


class Watched(Machine):
    """Records the pegs and the calls in progress at each move."""

    def call(self, n, frame):
        self.calls.append((n, frame))
        super().call(n, frame)
        self.calls.pop()

    def execute(self, token, w, frame):
        before = self.env
        w = super().execute(token, w, frame)
        if self.env != before:
            self.states.append((self.env, tuple(self.calls), frame, self.steps))
        return w


machine = Watched("B", disks, 10**6)
machine.calls, machine.states = [], [(machine.env, (), None, 0)]
try:
    for token in solver:
        machine.read(token)
except Goal:
    done = ((), (), tuple(range(disks, 0, -1)))
    machine.states.append((done, tuple(machine.calls), machine.calls[-1][1], machine.steps))

SHADES = {
    "xSA": SKY,
    "xAD": SKY,
    "mvdsk": BLUE,
    "boostq": ORANGE,
    "defnp": GREEN,
    "endnp": GREEN,
    "calltp": GREEN,
    "w1": PINK,
    "w2": PINK,
}
TITLE = "The search finds one program of eight tokens that moves every Tower of Hanoi"
fig = plt.figure(figsize=(9, 4.6), dpi=80, layout="none")
left, right = fig.add_axes((0.02, 0.19, 0.53, 0.66)), fig.add_axes((0.59, 0.15, 0.40, 0.70))


def draw_tree(phase, tree, out):
    """Boxes side by side in the order of the search, as wide as the share of prefixes that start
    like this."""
    left.clear()
    total, starts, edges = out.prefixes, {(): 0.0}, {}
    if out.found:  # the branch in which the search ended: what the others leave
        rest = total
        for depth in (1, 2, 3):
            rest -= sum(n for path, n in tree.items() if path[:-1] == out.found[: depth - 1]) + (
                depth > 1
            )
            tree = tree | {out.found[:depth]: rest}
    for path in sorted(
        tree, key=lambda path: (len(path), [language.tokens.index(token) for token in path])
    ):
        begin = edges.get(path[:-1], starts.get(path[:-1], 0.0))
        edges[path[:-1]] = begin + tree[path] / total
        starts[path] = begin
        if tree[path] / total < 0.0008:
            continue
        y, on = -len(path), out.found and out.found[: len(path)] == path
        width = tree[path] / total
        left.add_patch(
            plt.Rectangle(
                (begin, y),
                width,
                0.94,
                facecolor=SHADES.get(path[-1], "#CCCCCC"),
                edgecolor=RED if on else "white",
                linewidth=2.5 if on else 0.3,
                zorder=2 + bool(on),
            )
        )
        if width > 0.016 * len(path[-1]):
            left.text(
                begin + width / 2,
                y + 0.47,
                path[-1],
                ha="center",
                va="center",
                fontsize=8,
                zorder=4,
            )
    if out.found:
        x = starts[out.found[:3]] + tree[out.found[:3]] / total / 2
        left.annotate(
            " ".join(out.found),
            (x, -3),
            (0.5, -3.62),
            ha="center",
            fontsize=9,
            color=RED,
            weight="bold",
            arrowprops={"arrowstyle": "-", "color": RED},
        )
    left.set(xlim=(0, 1), ylim=(-3.9, 0.05), xticks=(), yticks=(-0.53, -1.53, -2.53))
    left.set_yticklabels(())
    left.axis("off")
    left.set_title(f"T = 2$^{{{phase}}}$: {out.prefixes:,} prefixes tested", fontsize=12)


def draw_pegs(state, step):
    right.clear()
    right.axis("off")
    right.set(xlim=(-0.6, 3.0), ylim=(-2.4, 7.4))
    if state is None:
        right.text(1.0, 3, "no program yet", ha="center", color=GREY, fontsize=12)
        return
    env, calls, frame, steps = state
    for peg in range(3):
        right.plot([peg, peg], [0, disks + 0.5], color=GREY, linewidth=2, zorder=0)
        for height, disk in enumerate(env[peg]):
            half = 0.1 + 0.07 * disk
            right.add_patch(
                plt.Rectangle(
                    (peg - half, height + 0.06),
                    2 * half,
                    0.88,
                    linewidth=0,
                    color=(ORANGE, SKY, GREEN, BLUE, PINK)[disk - 1],
                )
            )
    right.plot([-0.5, 2.5], [0, 0], color=GREY, linewidth=2)
    for depth, (n, call) in enumerate(calls):
        right.text(
            -0.5 + 0.62 * depth,
            -0.75,
            f"n={n}\n{call[0]} to {call[2]}",
            va="center",
            ha="left",
            fontsize=8,
            bbox={
                "facecolor": "#F2F2F2",
                "edgecolor": GREY,
                "linewidth": 0.6,
                "boxstyle": "square,pad=0.25",
            },
        )
    right.text(-0.5, -2.0, "calls in progress", fontsize=8, color=GREY)
    for place, token in enumerate(solver):
        on = token == "mvdsk" and frame is not None
        box = {"facecolor": YELLOW if on else "white", "edgecolor": "none", "pad": 1.5}
        right.text(
            3.3 * place / len(solver) - 0.42,
            6.8,
            token,
            fontsize=7.5,
            ha="center",
            bbox=box,
            weight="bold" if on else "normal",
        )
    right.set_title(f"{disks} disks: move {step} of {2**disks - 1}, step {steps}", fontsize=12)


frames, times = [], []


def keep(says, milliseconds):
    fig.texts.clear()
    fig.text(
        0.02,
        0.07,
        "Left: prefixes of programs in the order of the search, first three tokens; "
        "widths are shares of all prefixes tested.",
        fontsize=9,
    )
    fig.text(0.02, 0.945, TITLE, fontsize=13, weight="bold")
    fig.text(0.02, 0.02, says, fontsize=9, weight="bold")
    for x, word, colour in (
        (0.02, "swaps", SKY),
        (0.09, "mvdsk", BLUE),
        (0.17, "boostq", ORANGE),
        (0.25, "procedures", GREEN),
        (0.36, "writing", PINK),
        (0.44, "others", GREY),
    ):
        fig.text(x, 0.135, word, fontsize=9, color=colour, weight="bold")
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3]).quantize(48))
    times.append(milliseconds)


pause = 150 if len(trees) > 20 else 260
for phase, tree, out in trees:
    draw_tree(phase, tree, out)
    draw_pegs(None, 0)
    keep(
        "One program has to solve one, two and three disks."
        if not out.found
        else "Found: a program that is right for every number of disks.",
        pause if not out.found else 1000,
    )
for step, state in enumerate(machine.states):
    draw_pegs(state, step)
    keep("The same eight tokens, five disks: the procedure calls itself.", 110)
times[-1] = 2500
frames[0].save(
    flags.out / "oops_towers_of_hanoi.gif",
    save_all=True,
    append_images=frames[1:],
    duration=times,
    loop=0,
)
