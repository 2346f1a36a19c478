# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The pictures of the Neural Bucket Brigade and the moving light: memory, payoff, order."""

import argparse
import json
from pathlib import Path

import nbb_moving_light
import study_nbb_moving_light
from nbb_moving_light import QUICK, BucketBrigade, Config, coins, reached, retina, start, train
from study_nbb_moving_light import RATIOS, Kept
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

OUTPUT_COLOR = (BLUE, ORANGE)  # of the output for "from the left" and of the other one
WORDS = ("from the left", "from the right")
CHOICES = {"ha": "center", "va": "center", "weight": "bold"}


def recorded():
    """Return the metrics of all recorded studies, or those of a quick one if there are none."""
    path = Path(__file__).with_name("study.json")
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    config = study_nbb_moving_light.Config(**study_nbb_moving_light.QUICK)
    quick = study_nbb_moving_light.run(config, flags.seed, lambda *_: None)
    return [nbb_moving_light.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: the light and the winners ----
def typical_net(config, seed):
    """Train the nets of run() again; returns the start and the end of the one of median speed.

    Its weights (S, 2) before learning and when solved, and after how many presentations that was.
    """
    streams = np.random.SeedSequence(seed).spawn(4)
    weights_rng, coins_rng = map(np.random.default_rng, streams[:2])
    weights = start(config, weights_rng)  # (S, 2, N)
    kept = Kept(weights.copy(), config.learning_rate, config.payoff, config.streak)
    when = reached(train(config, kept, coins(config, coins_rng)), config.streak)  # (N,)
    net = np.argsort(when, kind="stable")[np.isfinite(when).sum() // 2]
    return weights[..., net], kept.kept[..., net], when[net]


def draw_crossing(ax, config, direction, nets):
    """Draw one sequence, ticks to the right and cells upwards, and under it each net's winners."""
    seen = retina(config)[:, :-1, direction]  # (ticks, cells)
    for tick in range(1, config.readout_tick + 1):
        for cell in range(config.cells):
            lit = tick <= len(seen) and seen[tick - 1, cell] == 1
            style = {"fc": "#333333", "ec": "white", "lw": 2}
            ax.add_patch(plt.Rectangle((tick - 0.5, cell - 0.5), 1, 1, **style))
            if lit:
                ax.add_patch(plt.Circle((tick, cell), 0.36, fc=YELLOW, ec="none"))
    for y, weights in zip((-1.7, -3.0), nets):
        won = BucketBrigade(weights[..., None], 0.0, 0.0).winners(retina(config))  # (ticks, 2, 1)
        for tick, unit in enumerate(won[:, direction, 0], 2):
            style = {"fc": OUTPUT_COLOR[unit], "ec": "white", "lw": 2}
            ax.add_patch(plt.Rectangle((tick - 0.5, y - 0.5), 1, 1, **style))
            ax.text(tick, y, "LR"[unit], color="white", fontsize=12, **CHOICES)
    frame = (config.readout_tick - 0.5, -3.5)
    ax.add_patch(plt.Rectangle(frame, 1, 2.3, fc="none", ec=BLACK, lw=2.5, zorder=5))
    ax.set(xlim=(0.45, config.readout_tick + 0.6), ylim=(-3.65, config.cells - 0.4))
    ax.set(aspect="equal", xlabel="tick", xticks=range(1, config.readout_tick + 1))
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)


def memory(config, before, after, when):
    """Picture both sequences and who wins, before learning and after."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 5.9), layout="none", sharey=True)
    figure.subplots_adjust(left=0.17, right=0.985, top=0.82, bottom=0.085, wspace=0.04)
    for direction, ax in enumerate(axes):
        draw_crossing(ax, config, direction, (before, after))
        ax.set_title(f"The light comes {WORDS[direction]}", color=OUTPUT_COLOR[direction])
    cells = [f"cell {k + 1}" for k in range(config.cells)]
    winners = ["winner before\nlearning", f"and after {when:.0f}\npresentations"]
    axes[0].set_yticks([*range(config.cells), -1.7, -3.0], cells + winners)
    figure.text(0.012, 0.975, "The answer outlives the light", va="top", weight="bold", fontsize=14)
    words = (
        "At tick 7 (frame) an output sees only what is the same in both sequences, and who won at "
        "tick 6.\nL: the output for “from the left” wins; R: the other one."
    )
    figure.text(0.012, 0.93, words, va="top", linespacing=1.4)
    save(figure, "memory.png")


# ---- 2: solved share against the payoff ----
def payoff(studies):
    """Picture the share of solved nets against eta / lambda for three readouts."""
    rows = (
        ("tick_7_last_three", "answer at tick 7,\npaid at 5, 6 and 7", GREEN, "o"),
        ("tick_6_last", "answer at tick 6,\npaid at 6", BLUE, "s"),
        ("tick_5_every", "answer at tick 5,\npaid at every tick", RED, "^"),
    )
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
    columns = (("solved_share", "10 times in a row"), ("streak50_share", "50 times in a row"))
    for ax, (column, words) in zip(axes, columns):
        for row, label, color, marker in rows:
            shares = [[study[f"{row}.{name}.{column}"] for name in RATIOS] for study in studies]
            low, middle, high = np.quantile(shares, (0, 0.5, 1), axis=0)  # (R,)
            ratios = list(RATIOS.values())
            ax.fill_between(ratios, low, high, color=color, alpha=0.2, lw=0)
            ax.plot(ratios, middle, color=color, marker=marker, label=label, clip_on=False)
        ax.set(xlabel="payoff / payment (η / λ)", xticks=ratios, ylim=(-0.03, 1.03))
        ax.set_title(f"Right {words}", fontsize=11)
    axes[0].axhline(0.9, **PAPER)
    axes[0].text(2.03, 0.91, "paper: 9 of 10", ha="right", va="bottom")
    axes[0].set_ylabel("share of nets")
    axes[0].yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    title = "At tick 7 payoff must exceed payment, but not by much"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=13)
    save(figure, "payoff.png")


# ---- 3: solved share for each order ----
def order(studies):
    """Picture the share of solved nets for three orders of presentation."""
    names = {
        "coins": "a coin is\ntossed each time",
        "pairs": "in pairs,\nshuffled",
        "turns": "in turns",
    }
    rows = (
        ("order_tick_5", "answer at tick 5", RED, -0.2),
        ("order_tick_7", "answer at tick 7", GREEN, 0.2),
    )
    figure, ax = plt.subplots(figsize=(8, 4.5))
    for row, words, color, shift in rows:
        shares = [[study[f"{row}.{name}.solved_share"] for name in names] for study in studies]
        place = np.arange(len(names)) + shift  # (orders,)
        middle = np.mean(shares, 0)  # (orders,)
        ax.bar(place, middle, 0.36, color=color, alpha=0.35)
        for seed in shares:
            ax.plot(place, seed, "o", color=color, ms=5, clip_on=False)
        for x, y, top in zip(place, middle, np.max(shares, 0)):
            ax.text(x, top + 0.03, f"{y:.0%}", ha="center", va="bottom", color=color, weight="bold")
        ax.text(2.6, 0.9 if shift < 0 else 0.8, words, color=color, weight="bold", ha="right")
    ax.set_xticks(range(len(names)), names.values())
    ax.set(ylabel="share of nets solved", ylim=(0, 1.12), xlim=(-0.6, 2.62))
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_title("The order of presentation decides whether nets learn")
    save(figure, "order.png")


config = Config(**(QUICK if flags.quick else {}))
memory(config, *typical_net(config, flags.seed))
studies = recorded()
payoff(studies)
order(studies)
