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
from oops_towers_of_hanoi import HANOI, Config, Machine, Searcher, languages, run_program
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

WRITER = ("defnp", "w1", "calltp", "w2", "endnp")
DISKS = 5
SHADES = {"xSA": SKY, "xAD": SKY, "mvdsk": BLUE, "boostq": ORANGE, "w1": PINK, "w2": PINK}
SHADES |= dict.fromkeys(("defnp", "endnp", "calltp"), GREEN)
TITLE = "The search finds one program that moves every Tower of Hanoi"


# ---- the search ----
class Shown(Searcher):
    """Notes how many prefixes begin with each one, two or three tokens."""

    def visit(self, state, odds, used):
        if len(self.path) >= 3:
            return super().visit(state, odds, used)
        rows, _ = self.tables.get(odds) or self.table(odds)
        for token, meaning, _, longer, limit in rows:
            if limit <= used:
                continue
            before = self.prefixes
            status, steps, after = self.machine.read(state, meaning, limit - used)
            self.count(1, steps)
            self.path.append(token)
            place = tuple(self.path)
            found = status == "waits" and self.visit(after, longer, used + steps)
            self.tree[place] = self.prefixes - before
            if found or status == "goal":
                return True
            self.path.pop()
        return False


def search(seed):
    """Yield (phase, tree, prefixes, program or None) until a program moves 1, 2 and 3 disks."""
    config = Config()
    (order_seed,) = np.random.SeedSequence(seed).spawn(1)
    language = replace(languages(config, order_seed)[1], experience=WRITER)
    searcher, found = Shown(language, "B"), None
    for phase in range(9, 18 if flags.quick else config.phases):
        searcher.tree, before = {}, searcher.prefixes
        found = searcher.search(searcher.machine.start(1, 2, 3), 0, 2**phase)
        yield phase, searcher.tree, searcher.prefixes - before, found
        if found:
            return


# ---- the program at work ----
class Watched(Machine):
    """Notes the pegs and the calls in progress before each move, and the frame of the move."""

    calls, shots = (), ()

    def call(self, procedure, n, frame):
        outer = self.calls
        self.calls = (*outer, (n, frame))
        super().call(procedure, n, frame)
        self.calls = outer

    def act(self, token, frame):
        self.shots = (*self.shots, (self.env, self.calls, frame))
        super().act(token, frame)


def film(program):
    """Return (pegs, calls, frame) after each move; the first has no frame."""
    machine = Watched("B")
    run_program(machine, DISKS, program, 10**6)
    pegs = [shot[0] for shot in machine.shots] + [((), (), tuple(range(DISKS, 0, -1)))]
    moves = [((), None)] + [shot[1:] for shot in machine.shots]
    return [(env, calls, frame) for env, (calls, frame) in zip(pegs, moves)]


# ---- the frames ----
fig = plt.figure(figsize=(8, 4.6), dpi=84, layout="none")
left, right = fig.add_axes((0.02, 0.22, 0.52, 0.53)), fig.add_axes((0.58, 0.05, 0.41, 0.73))
frames, times = [], []


def draw_tree(phase, tree, total, found):
    """Draw boxes in the order of the search, as wide as the share of prefixes that begin so."""
    left.clear()
    begins, ends = {(): 0.0}, {}
    for path in sorted(tree, key=len):  # within a length in the order of the search
        begins[path] = ends.get(path[:-1], begins[path[:-1]])
        width = tree[path] / total
        ends[path[:-1]] = begins[path] + width
        on = bool(found) and found[: len(path)] == path
        if width > 0.001 or on:
            box = (begins[path], -len(path)), max(width, 0.004), 0.94
            edge = {"edgecolor": RED if on else "white", "linewidth": 2.5 if on else 0.3}
            shade = SHADES.get(path[-1], "#CCCCCC")
            left.add_patch(plt.Rectangle(*box, facecolor=shade, zorder=2 + on, **edge))
        if width > 0.026 * len(path[-1]):
            where = {"ha": "center", "va": "center", "fontsize": 9, "zorder": 4}
            left.text(begins[path] + width / 2, 0.47 - len(path), path[-1], **where)
    left.set(xlim=(-0.005, 1.005), ylim=(-3.1, 0.02))
    left.axis("off")
    says = f"T = 2$^{{{phase}}}$: {total:,} prefixes of programs"
    left.set_title("Found, at " + says if found else says, fontsize=10.5, pad=6)


def draw_pegs(program, state):
    """Draw the program, the pegs and the calls in progress."""
    right.clear()
    right.axis("off")
    right.set(xlim=(-0.6, 2.7), ylim=(-3.2, 7.4))
    for peg in range(3):
        right.plot([peg, peg], [0, DISKS + 0.5], color=GREY, linewidth=2, zorder=0)
    right.plot([-0.5, 2.5], [0, 0], color=GREY, linewidth=2)
    env, calls, frame = state or (((5, 4, 3, 2, 1), (), ()), (), None)
    for peg in range(3):
        for height, disk in enumerate(env[peg]):
            half = 0.1 + 0.07 * disk
            colour = (ORANGE, SKY, GREEN, BLUE, PINK)[disk - 1]
            box = (peg - half, height + 0.06), 2 * half, 0.88
            right.add_patch(plt.Rectangle(*box, linewidth=0, color=colour))
    for depth, (n, call) in enumerate(calls):
        box = {"facecolor": "#F2F2F2", "edgecolor": GREY, "linewidth": 0.6}
        x = -0.28 + 0.64 * depth
        text = f"n = {n}\n{call[0]} to {call[2]}"
        right.text(x, -1.1, text, va="center", ha="center", fontsize=9, bbox=box)
    if calls:
        right.text(-0.5, -2.5, "calls in progress", fontsize=9, color=GREY)
    words = [program[:4], program[4:]] if state else [("no program yet",)]
    for line, tokens in enumerate(words):
        text = " ".join(tokens)
        right.text(1.0, 7.0 - 0.8 * line, text, ha="center", fontsize=10, weight="bold")


def keep(milliseconds, says):
    """Keep the figure as a frame."""
    fig.texts.clear()
    fig.text(0.02, 0.93, TITLE, fontsize=13, weight="bold")
    fig.text(0.02, 0.87, says, fontsize=10)
    fig.text(0.02, 0.14, "prefixes by their first three tokens; widths are shares", fontsize=9)
    x = 0.02
    for word, colour in zip(
        ("swaps", "mvdsk", "boostq", "procedures", "writing", "others"),
        (SKY, BLUE, ORANGE, GREEN, PINK, GREY),
    ):
        fig.text(x, 0.08, word, fontsize=9, color=colour, weight="bold")
        x += 0.0125 * len(word) + 0.014
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3]).quantize(48))
    times.append(milliseconds)


program = ("boostq", *HANOI)
for phase, tree, total, found in search(flags.seed):
    program = found or program
    draw_tree(phase, tree, total, found)
    draw_pegs(program, film(program)[0] if found else None)
    keep(1000 if found else 160, "One program has to move one, two and three disks.")
steps = film(program)
for move, state in enumerate(steps):
    draw_pegs(program, state)
    keep(110, f"The same eight tokens move five disks: move {move} of {len(steps) - 1}.")
times[-1] = 2500
frames[0].save(
    flags.out / "oops_towers_of_hanoi.gif",
    save_all=True,
    append_images=frames[1:],
    duration=times,
    loop=0,
)
