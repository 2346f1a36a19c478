# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the pole: every trial of one run, four critics' maps, four pains against one.

The nets with four pains of one seed are trained here, with fewer steps than in the experiment; what
the seeds have to say is read from results.json. Where it is missing, a quick run stands in.

    python3 visualize_pole_balance_markov_vac.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pole_balance_markov_vac as pole

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
STEPS = 150_000  # of the training that is drawn
NAMES = ("bump on the left", "bump on the right", "pole falls left", "pole falls right")
ANDERSON = 7000  # failures of a scalar critic before a trial of 29,000 steps


def headline(fig, text):
    fig.suptitle(text, fontsize=12, fontweight="bold", x=0.01, ha="left")


def recorded():
    """Return the metrics of each record, or else those of a quick run."""
    file = Path(__file__).with_name("results.json")
    records = json.loads(file.read_text("utf-8")).get("records", []) if file.exists() else []
    if records and not flags.quick:
        return [record["metrics"] for record in records]
    numbers = pole.run(pole.Config(**pole.QUICK), flags.seed, lambda share, text: None)
    return [pole.flatten(numbers)]


@np.errstate(all="ignore")  # a net may diverge
def trained(config):
    """Train the nets with four pains of one seed."""
    if not flags.quick:
        config = replace(config, max_steps=STEPS)
    rows = [pole.Row((0, 1, 2, 3), config.rate_actor, config.rate_critic)]
    return pole.train(config, np.random.SeedSequence(flags.seed), rows, lambda share, text: None)


def draw_trials(diary, config, runs, path):
    """Draw the longest trial so far of each net against its failures."""
    share = np.mean([run["four.share_750"] for run in runs])
    fig, ax = plt.subplots(figsize=(8, 4.8))
    headline(fig, f"{share:.0%} of the nets balance 30,000 steps within 750 failures")
    for n in np.argsort(diary.solved, kind="stable"):
        lengths = np.array([steps for net, steps in diary.trials if net == n])
        if not len(lengths):
            continue
        best = np.maximum.accumulate(lengths)
        how = {"color": BLUE, "alpha": 0.75} if diary.solved[n] else {"color": GREY, "alpha": 0.5}
        ax.step(np.arange(len(best)) + 1, best, where="post", linewidth=1.3, **how)
        if diary.solved[n]:
            ax.plot(len(best), best[-1], "o", color=BLUE, markersize=6)
    ax.axhline(30_000, **PAPER)
    ax.axvline(750, **PAPER)
    ax.axvline(ANDERSON, **PAPER | {"color": RED})
    ax.text(1.1, 34_000, "30,000 steps", va="bottom")
    ax.text(700, 7, "paper: at most\n750 failures", ha="right", va="bottom")
    ax.text(6500, 7, "Anderson, one\noutput: > 7000", color=RED, ha="right", va="bottom")
    ax.text(1.1, 9_000, "solved", color=BLUE, weight="bold")
    ax.text(1.1, 4_500, "not solved yet", color=GREY, weight="bold")
    ax.set(xscale="log", yscale="log", xlim=(1, 10_000), ylim=(6, 60_000))
    ax.set(xlabel="trials so far", ylabel="longest trial so far, steps")
    fig.savefig(path / "trials.png")
    plt.close(fig)


def maps(diary, first, second):
    """Return the median V (4, 61, 61) of all nets over two state variables, the others 0."""
    grid = np.linspace(-1, 1, 61)
    a, b = (values.ravel() for values in np.meshgrid(grid, grid))
    state = np.zeros((4, len(a)))
    state[first] = a * pole.SCALE[first]
    state[second] = b * pole.SCALE[second]
    each = []
    for n in range(len(diary.solved)):
        one = diary.team.some(np.full(len(a), n))
        each.append(np.nan_to_num(one.predict(one.inputs(state))))
    return np.median(each, axis=0).reshape(4, 61, 61)


def draw_critic(diary, path):
    """Draw what the critics predict: bumps over position and speed, falls over angle and spin."""
    fig, axes = plt.subplots(1, 4, figsize=(9, 3.4))
    headline(fig, "Each pain lives in its own corner of the state space")
    track = maps(diary, 0, 1)[:2], 2.4, 1.5, "position, m", "speed, m/s"
    tilt = maps(diary, 2, 3)[2:], 12, np.degrees(2), "angle, degrees", "spin, degrees/s"
    for pair, (values, wide, high, x, y) in zip(axes.reshape(2, 2), (track, tilt)):
        for ax, value in zip(pair, values):
            how = {"extent": (-wide, wide, -high, high), "aspect": "auto", "cmap": "magma"}
            image = ax.imshow(value, origin="lower", vmin=0, vmax=max(values.max(), 1e-3), **how)
            ax.set_xlabel(x)
        pair[0].set_ylabel(y)
        pair[1].set_yticklabels([])
        bar = fig.colorbar(image, ax=pair, location="bottom", shrink=0.7, aspect=25)
        bar.set_label("predicted pain, median of the nets")
    for ax, name in zip(axes, NAMES):
        ax.set_title(name, fontsize=10, fontweight="normal")
    fig.savefig(path / "critic.png")
    plt.close(fig)


def interval(values):
    """Return half the 95 % interval of a mean (Student's t), for 2 to 10 values."""
    student = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
    return student[len(values) - 2] * np.std(values, ddof=1) / np.sqrt(len(values))


def draw_lead(runs, path):
    """Draw the share within 750 failures of both rows, a line for each seed."""
    shares = np.array([[run["one.share_750"], run["four.share_750"]] for run in runs])  # (S, 2)
    gain = shares[:, 1] - shares[:, 0]  # (S,)
    half = interval(gain) if len(gain) > 1 else 0.0
    chance = "no more than chance allows" if abs(gain.mean()) <= half else "beyond chance"
    fig, (ax, lead) = plt.subplots(1, 2, figsize=(8, 4.4), width_ratios=(1.6, 1))
    headline(fig, f"Four pains lead by {100 * gain.mean():.1f} points of 100: {chance}")
    shift = np.linspace(-0.08, 0.08, len(runs)) if len(runs) > 1 else np.zeros(1)
    for (one, four), s in zip(shares, shift):
        ax.plot([s, 1 + s], [one, four], color=GREY, linewidth=1)
    ax.plot(shift, shares[:, 0], "o", color=ORANGE, markersize=8)
    ax.plot(1 + shift, shares[:, 1], "o", color=BLUE, markersize=8)
    ax.axhline(0.55, **PAPER)
    ax.text(-0.38, 0.56, "five of five runs: at least 0.55", va="bottom")
    ax.set(xticks=(0, 1), xticklabels=("one pain", "four pains"), xlim=(-0.4, 1.4), ylim=(0, 1.03))
    ax.set_ylabel("share of 20 nets within 750 failures")
    lead.axvspan(gain.mean() - half, gain.mean() + half, color=BLUE, alpha=0.2, linewidth=0)
    lead.axvline(gain.mean(), color=BLUE, linewidth=2)
    lead.plot(np.sort(gain), np.arange(len(gain)), "o", color=BLUE, markersize=8)
    lead.axvline(0, color=BLACK, linewidth=0.8)
    lead.set(yticks=(), ylim=(-1, len(gain)), xlabel="four less one, a dot for each seed")
    lead.set_title("mean and 95 % interval", fontsize=10, fontweight="normal", color=BLUE)
    fig.savefig(path / "lead.png")
    plt.close(fig)


def main():
    config = pole.Config(**(pole.QUICK if flags.quick else {}))
    path = flags.out / "viz"
    path.mkdir(exist_ok=True)
    runs = recorded()
    diary = trained(config)
    draw_trials(diary, config, runs, path)
    draw_critic(diary, path)
    draw_lead(runs, path)


if __name__ == "__main__":
    main()
