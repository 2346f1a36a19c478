# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of pipe-symbolic-regression: the prototype tree and its best program,
generation by generation."""

import argparse
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Wedge
from PIL import Image
from pipe_symbolic_regression import Config, evaluate, koza_problem, quartic, text, train

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

LANES, EVALUATIONS, FRAMES = (9, 400, 12) if flags.quick else (101, 5000, 75)
config = Config()
problem = koza_problem(config)


def search(callback=None):
    rng = np.random.default_rng(np.random.SeedSequence(flags.seed).spawn(5)[0])
    return train(config, problem, rng, LANES, EVALUATIONS, callback=callback)


found = search()  # many runs side by side; shown is the one with the median time
lane = int(
    np.argsort(np.where(found["exact_at"] > 0, found["exact_at"], 10**9), kind="stable")[LANES // 2]
)
history = []


def watch(trees, state):
    if len(history) < found["generations"][lane]:
        best = "best" if state["exact_at"][lane] else "elite"
        history.append(
            (
                trees.p[lane].copy(),
                state[best]["codes"][lane].copy(),
                state[best]["error"][lane],
                state["evaluations"][lane],
            )
        )


search(watch)
INK = dict(zip(problem.instructions, (BLUE, GREEN, RED, PINK, "#DDDDDD")))
PLACES = [
    ((k + 0.5) * 2.0 ** (problem.levels - level), -level * 7.5)
    for level in range(problem.levels)
    for k in range(2**level)
]


def visits(p):
    """Probability that a program comes to each node (N,)."""
    out = np.zeros(len(p))
    out[0] = 1
    for node in range(len(p) // 2):
        for side in (0, 1):
            out[2 * node + 1 + side] = out[node] * p[node, problem.arity > side].sum()
    return out


def draw_tree(ax, p, code):
    seen = visits(p)
    for node in np.flatnonzero(seen > 0.01):
        x, y = PLACES[node]
        used = code[node] >= 0
        if node:
            ax.plot(
                *zip(PLACES[(node - 1) // 2], (x, y)),
                color=BLACK if used else "#CCCCCC",
                lw=1.6 if used else 0.7,
                zorder=1,
            )
        radius, angle = (0.5 + 1.4 * seen[node] ** 0.5) * (0.5 if node >= len(p) // 2 else 1), 90.0
        for k, name in enumerate(problem.instructions):
            ax.add_patch(
                Wedge(
                    (x, y), radius, angle - 360 * p[node, k], angle, color=INK[name], lw=0, zorder=2
                )
            )
            angle -= 360 * p[node, k]
        ax.add_patch(
            plt.Circle(
                (x, y),
                radius,
                fill=False,
                ec=BLACK if used else "#AAAAAA",
                lw=1.2 if used else 0.5,
                zorder=3,
            )
        )
    for k, (name, colour) in enumerate(INK.items()):
        ax.text(
            -1 + 5 * k,
            1.5,
            name,
            color="#888888" if name == "x" else colour,
            weight="bold",
            fontsize=14,
        )
    ax.set(xlim=(-2, 66), ylim=(-40, 4), aspect="equal")
    ax.axis("off")


TITLE = "The tree of probabilities takes sides until it writes the quartic exactly"
frames, durations = [], []
fig = plt.figure(figsize=(8.4, 4.7), dpi=100, layout="none")
fine = np.linspace(-1, 1, 201)
for step in np.unique(np.linspace(0, len(history) - 1, min(FRAMES, len(history))).astype(int)):
    p, code, error, evaluations = history[step]
    fig.clear()
    tree, plot = fig.add_axes((0.0, 0.11, 0.58, 0.68)), fig.add_axes((0.65, 0.20, 0.33, 0.50))
    draw_tree(tree, p, code)
    with np.errstate(all="ignore"):
        plot.plot(
            fine,
            np.broadcast_to(evaluate(problem, (code, code), fine), fine.shape),
            color=BLUE,
            lw=2.2,
        )
    plot.plot(fine, quartic(fine), **PAPER)
    plot.set(xlim=(-1, 1), ylim=(-1.5, 4.3), xlabel="x", xticks=(-1, 0, 1), yticks=(0, 2, 4))
    plot.text(-0.92, 3.6, "dashed: wanted", fontsize=10)
    plot.text(-0.92, 3.0, "best program so far", color=BLUE, fontsize=10)
    last = step == len(history) - 1
    plot.set_title(
        f"sum of errors: {error:.2f}" if error >= 0.005 else "no error at 20 points",
        fontsize=11,
        color=GREEN if error < 0.005 else BLACK,
    )
    fig.text(0.02, 0.955, TITLE, fontsize=13, weight="bold", va="center")
    fig.text(0.02, 0.88, f"{evaluations:,} programs", fontsize=11, va="center")
    lines = textwrap.wrap(text(problem, (code, code)), 86, break_long_words=False)
    fig.text(
        0.20,
        0.905,
        "\n".join(lines[:3]),
        fontsize=8.5,
        family="DejaVu Sans Mono",
        color=BLUE,
        va="top",
    )
    says = (
        "Exact, at unseen points too: $x^4 + x^3 + x^2 + x$."
        if last and found["exact_at"][lane]
        else "Pies: what each node of the prototype tree would write. "
        "Black: the best program so far."
    )
    fig.text(0.02, 0.035, says, fontsize=10.5, weight="bold" if last else "normal")
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    durations.append(int(8000 / min(FRAMES, len(history)) / 10) * 10)
palette = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames[::9]])).quantize(48)
colours = np.array(palette.getpalette()).reshape(-1, 3)
colours[colours.min(1) > 248] = 255
palette.putpalette(colours.ravel().tolist())
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
frames[0].save(
    flags.out / "pipe_symbolic_regression.gif",
    save_all=True,
    append_images=frames[1:],
    duration=[*durations[:-1], 2500],
    loop=0,
)
