# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the pole: trials of one net as it learns, with its four predictions as meters.

The experiment's own code trains the nets and keeps their weights after each failure; the trials are
then played with frozen weights, by chance as in training.

    python3 make_pole_balance_markov_vac_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pole_balance_markov_vac as pole
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
STEPS = 100_000  # of the training from which a solved net is taken
FRAME, HOLD = 170, 2400  # milliseconds of a frame and of the last one
CLIPS = (1, 20, 100)  # failures after which a trial is shown
SHOWN = 11  # frames of a clip
NAMES = ("bump left", "bump right", "fall left", "fall right")
COLORS = (SKY, BLUE, ORANGE, RED)


class Watched(pole.Team):
    """A team that keeps the weights of each net after each of its trials."""

    shots = []

    def __init__(self, rng, rows, config):
        super().__init__(rng, rows, config)
        self.numbers = np.arange(config.nets)  # (N,)

    def forget(self, which):
        super().forget(which)
        self.shots.append(self.some(which))


@np.errstate(all="ignore")  # a net may diverge
def clips(config):
    """Train; return (failures, team of that one net) for each clip, the last one solved."""
    rows = [pole.Row((0, 1, 2, 3), config.rate_actor, config.rate_critic)]
    seed = np.random.SeedSequence(flags.seed)
    diary = pole.train(config, seed, rows, lambda share, text: None, Watched)
    worth = np.where(diary.solved, np.minimum(diary.failures, 150), -1)  # (N,)
    best = int(worth.argmax())
    past = [shot.some(shot.numbers == best) for shot in Watched.shots if best in shot.numbers]
    last = len(past) - 1 if diary.solved[best] else len(past)
    counts = [count for count in CLIPS if count <= last] or [1]
    return [(count, past[count - 1]) for count in counts] + [(last, past[-1])]


def play(team, steps, rng):
    """Play a trial of one net; return its states (T, 4), its V (T, 4) and the pain (4,)."""
    poles = pole.Poles(1, pole.REST)
    states, predicted = [], []
    pain = np.zeros(4)
    while len(states) < steps and not pain.any():
        inputs = team.inputs(poles.state)
        states.append(poles.state[:, 0])
        predicted.append(team.predict(inputs)[:, 0])
        pain = poles.step(rng.random(1) < team.prefer(inputs))[:, 0]
    states.append(poles.state[:, 0])
    predicted.append(predicted[-1])
    return np.array(states), np.array(predicted), pain


def draw(text, step, state, predicted, pain):
    """Draw a frame: the cart with its pole, and the four meters."""
    fig = plt.figure(figsize=(8, 4.2))
    title = "Four predicted pains teach a net to keep the pole up"
    fig.suptitle(title, x=0.01, ha="left", weight="bold")
    ax, meters = fig.subplots(1, 2, width_ratios=(1.9, 1))
    x, _, angle, _ = state
    ax.plot([-2.4, 2.4], [0, 0], color=BLACK, linewidth=2)
    for end in (-2.4, 2.4):
        ax.plot([end, end], [-0.15, 0.35], color=BLACK, linewidth=5)
    ax.add_patch(plt.Rectangle((x - 0.3, 0.05), 0.6, 0.3, color=BLUE))
    tip = x + 1.6 * np.sin(angle), 0.35 + 1.6 * np.cos(angle)
    ax.plot([x, tip[0]], [0.35, tip[1]], color=ORANGE, linewidth=7, solid_capstyle="round")
    ax.set(xlim=(-2.9, 2.9), ylim=(-0.9, 2.6), aspect="equal")
    ax.axis("off")
    ax.text(-2.8, 2.5, text, va="top", weight="bold")
    ax.text(-2.8, -0.45, f"step {step:,}", va="top")
    if pain is not None and pain.any():
        kind = int(np.argmax(pain))
        ax.text(2.8, -0.45, f"pain: {NAMES[kind]}", color=RED, va="top", ha="right", weight="bold")
    meters.barh(range(4), np.clip(predicted, 0, 1), color=COLORS, height=0.6)
    meters.set(yticks=range(4), yticklabels=NAMES, xlim=(0, 1), ylim=(3.6, -0.6))
    meters.set(xticks=(0, 0.5, 1), xlabel="predicted pain")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    return Image.open(buffer).convert("RGB")


def main():
    config = pole.Config(**(pole.QUICK if flags.quick else {}))
    if not flags.quick:
        config = replace(config, max_steps=STEPS)
    rng = np.random.default_rng(flags.seed)
    frames = []
    acts = clips(config)
    for number, (failures, team) in enumerate(acts):
        final = number == len(acts) - 1
        states, predicted, pain = play(team, config.trial_steps, rng)
        last = len(states) - 1
        text = f"after {failures} failure{'s' if failures != 1 else ''}"
        for step in np.unique(np.linspace(0, last, SHOWN + 9 * final).astype(int)):
            ended = pain if step == last else None
            frames.append(draw(text, step, states[step], predicted[step], ended))
    key = Image.new("RGB", (len(COLORS) * 40, 40))  # a palette needs all the colours
    for k, color in enumerate(COLORS):
        key.paste(color, (40 * k, 0, 40 * k + 40, 40))
    sample = frames[-1].copy()
    sample.paste(key, (0, 0))
    palette = sample.quantize(128, method=Image.Quantize.MAXCOVERAGE)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(
        flags.out / "pole_balance_markov_vac.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[FRAME] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
