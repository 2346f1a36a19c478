# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the multiplication problem: the errors, the plateaus, and where the factors sit.

Nets are trained here by the experiment's own code.

    python3 visualize_multiplication_problem.py --seed 0
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import multiplication_problem as mp
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
SIDE = 36  # the unit square is looked at in so many steps each way


def label(ax, x, y, text, color, **how):
    ax.text(x, y, text, color=color, fontsize=10, fontweight="bold", **how)


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def train(config, seed):
    """Train the LSTMs of a run; return the trainer, and courses of the squared errors."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    net = mp.Lstm(config)
    theta = net.initial(streams[0], config.nets, config)
    trainer = mp.Trainer(net, theta, config.learning_rate, config)
    courses = [[] for _ in range(config.nets)]  # of (sequences, squared error)
    due = 0
    while len(trainer.running) and trainer.seen < config.max_sequences:
        rows = trainer.running
        x, factors = mp.sequences(streams[1], len(rows), config.batch_size, config)
        trainer.step(x, trainer.target(factors))
        last = trainer.seen + config.batch_size > config.max_sequences
        for n in rows:
            if trainer.seen >= due or trainer.met[n] or last:
                mse = np.mean(trainer.recent[n, : trainer.seen] ** 2)
                courses[n].append((trainer.seen, mse))
        if trainer.seen >= due:
            due = trainer.seen * 1.04
    return trainer, [np.array(course).T for course in courses]


def over_the_square(x):
    """Fill the two marked values of x (T, 1, 3, SIDE^2) with all pairs; return the pairs.

    The rows of the square are the earlier numbers, its columns the later ones.
    """
    middle = (np.arange(SIDE) + 0.5) / SIDE
    earlier, later = (a.ravel() for a in np.meshgrid(middle, middle, indexing="ij"))
    marked = x[:, 0, 1] == 1  # (T, SIDE^2)
    column = np.arange(SIDE**2)
    x[marked.argmax(0), 0, 0, column] = earlier
    x[len(x) - 1 - marked[::-1].argmax(0), 0, 0, column] = later
    return x, np.stack([earlier, later])


def two_marks(config, count):
    """Draw sequences that show both marks."""
    x, factors = mp.sequences(np.random.default_rng(8), 1, 2 * count, config)
    return x[..., (factors < 1).all(0)[0]][..., :count].copy()


def best(trainer):
    """The tested weights (1, P) of the net with the smallest error in training."""
    return trainer.average[[trainer.error.argmin()]]


def square(ax, values, title, **how):
    """Draw values (SIDE^2,) over the unit square."""
    image = ax.imshow(
        values.reshape(SIDE, SIDE), origin="lower", extent=(0, 1, 0, 1), aspect="equal", **how
    )
    ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.set_title(title, fontsize=10)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image


def draw_error_map(trainer, config, path):
    """Draw the signed errors over the unit square, of the best of the sum and of an LSTM."""
    x, factors = over_the_square(two_marks(config, SIDE**2))
    product = factors.prod(0)
    guesses = {
        "best function of the sum": mp.best_of_sum(factors[:, None])[0],
        "LSTM, best of ten in training": trainer.net.forward(best(trainer), x)[0],
    }
    fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
    headline(fig, "The sum leaves a ridge, the net does not")
    for ax, (name, guess) in zip(axes, guesses.items()):
        off = np.mean(np.abs(guess - product) >= config.tolerance)
        title = f"{name}: {off:.0%} wrong"
        image = square(ax, guess - product, title, cmap="RdBu_r", vmin=-0.15, vmax=0.15)
        ax.set_xlabel("later number")
    axes[0].set_ylabel("earlier number")
    fig.colorbar(image, ax=axes, label="answer minus product", shrink=0.9, ticks=(-0.1, 0, 0.1))
    fig.savefig(path / "error_map.png")
    plt.close(fig)


def levels(config):
    """Return the squared errors of those who do not multiply, on a test."""
    factors = mp.sequences(np.random.default_rng(9), 1, mp.TEST, config)[1]
    product = factors.prod(0)
    return {
        "a constant": product.var(),
        "one factor": np.mean((factors[1] * factors[0].mean() - product) ** 2),
        "the sum": np.mean((mp.best_of_sum(factors) - product) ** 2),
    }


def draw_plateaus(courses, config, path):
    """Draw the squared errors of the nets while they train."""
    fig, ax = plt.subplots(figsize=(9, 4.8))
    end = max(course[0, -1] for course in courses)
    for course in courses:
        ax.plot(*course, color=BLUE, linewidth=1.2, alpha=0.7)
        ax.plot(*course[:, -1], "o", color=BLUE, markersize=5)
    for name, level in levels(config).items():
        ax.axhline(level, color=RED, linewidth=1.2)
        label(ax, end * 1.08, level * 1.06, f"best of {name}", RED, va="bottom")
    ax.set(xscale="log", yscale="log", xlim=(400, end * 3.6), ylim=(2e-4, 0.2))
    ax.set_xticks((1e3, 1e4, 1e5), ("1,000", "10,000", "100,000"))
    ax.set_xlabel("training sequences of a net")
    ax.set_ylabel("squared error of the last 2,000")
    text = "a dot: the net\nmeets the criterion"
    label(ax, end * 1.08, 2.4e-4, text, BLUE, va="bottom")
    headline(fig, "From the constant down past the sum: the nets multiply")
    fig.savefig(path / "plateaus.png")
    plt.close(fig)


def draw_factors(trainer, config, path):
    """Draw what a net holds and shows at the end, as functions of the two numbers."""
    one = np.repeat(two_marks(config, 4)[..., [3]], SIDE**2, axis=3)  # the same distractors
    x, factors = over_the_square(one)
    net = trainer.net
    y = net.forward(best(trainer), x)[0]
    shown = np.tanh(net.s[-1, 0]).reshape(net.C, -1)  # (C, SIDE^2)
    gates = net.o[-1, 0, :, 0]  # (J, SIDE^2)
    fig, axes = plt.subplots(2, 4, figsize=(9, 5.2), sharex=True, sharey=True)
    headline(fig, "No cell keeps one number for itself: each mixes the two")
    for c, values in enumerate(shown):
        block = c // config.cells
        ax = axes[block, 1 + c % config.cells]
        cells = square(ax, values, f"h(state), cell {c + 1}", cmap="PuOr", vmin=-1, vmax=1)
    for j, values in enumerate(gates):
        opened = square(axes[j, 0], values, f"output gate {j + 1}", cmap="viridis", vmin=0, vmax=1)
        axes[j, 0].set_ylabel("earlier number")
    square(axes[0, 3], y, "output", cmap="viridis", vmin=0, vmax=1)
    square(axes[1, 3], factors.prod(0), "product", cmap="viridis", vmin=0, vmax=1)
    for ax in axes[1]:
        ax.set_xlabel("later number")
    fig.colorbar(opened, ax=axes[0], label="gate, output", ticks=(0, 0.5, 1), shrink=0.9)
    fig.colorbar(cells, ax=axes[1], label="h(state)", ticks=(-1, 0, 1), shrink=0.9)
    fig.savefig(path / "factors.png")
    plt.close(fig)


def main():
    config = mp.Config(**(mp.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    trainer, courses = train(config, flags.seed)
    draw_error_map(trainer, config, path)
    draw_plateaus(courses, config, path)
    draw_factors(trainer, config, path)


if __name__ == "__main__":
    main()
