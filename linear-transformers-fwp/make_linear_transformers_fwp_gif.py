# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the two write rules: the same pairs stream into an additive memory and into a
delta memory."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from linear_transformers_fwp import (
    QUICK,
    Config,
    Method,
    feature_map,
    program,
    sigmoid,
    sum_normalised,
    train,
)

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

KEYS, PAIRS = 8, 8 if flags.quick else 26
NAMES = "ABCDEFGH"
HEAT, COLD = plt.get_cmap("Blues"), plt.get_cmap("RdBu_r")


def stream(rng):
    """Every key once, then random keys again with values that differ from their last one: keys,
    values (PAIRS,)."""
    keys = np.concatenate([rng.permutation(KEYS), rng.integers(KEYS, size=PAIRS - KEYS)])
    values, now = [], {}
    for key in keys.tolist():
        value = int(rng.choice([n for n in range(KEYS) if n != now.get(key)]))
        now[key] = value
        values.append(value)
    return keys, np.array(values)


def life(memory, keys, values):
    """After each pair: the memory matrix W, and what it answers for every key (KEYS, KEYS)."""
    E, Wk, Wq, wb = (w[0].astype(float) for w in memory.weights)
    k, q = (feature_map("dpfp1", E @ W)[0] for W in (Wk, Wq))
    delta, states = memory.method.rule == "delta", []
    if delta:
        k, q = sum_normalised(k)[0], sum_normalised(q)[0]
    total = np.cumsum(k[keys], 0)

    def watch(t, W):
        answers = q @ W.T
        states.append(
            (W.copy(), answers if delta else answers / np.maximum(q @ total[t], 1e-20)[:, None])
        )

    program(
        k[keys],
        np.eye(KEYS)[values],
        q[keys],
        sigmoid(E @ wb[:-1] + wb[-1])[keys] if delta else None,
        watch=watch,
    )
    return states


def draw(figure, t, keys, values, lives, caption):
    """One frame: pairs 0 .. t have been written."""
    figure.clear()
    last = {int(key): int(value) for key, value in zip(keys[: t + 1], values[: t + 1], strict=True)}
    figure.text(
        0.02,
        0.945,
        "Two memories are told the same; one of them can change its mind",
        fontsize=13.5,
        weight="bold",
        va="center",
    )
    figure.text(0.02, 0.035, caption, fontsize=11, va="center", color="#333333")
    figure.text(0.065, 0.85, "pairs", fontsize=11, ha="center", color="#555555")
    for age in range(10):
        if t - age < 0:
            break
        old = age > 0 and int(keys[t - age]) in set(keys[t - age + 1 : t + 1].tolist())
        figure.text(
            0.065,
            0.775 - 0.067 * age,
            f"{NAMES[keys[t - age]]} = {values[t - age] + 1}",
            ha="center",
            fontsize=16 if age == 0 else 12,
            weight="bold" if age == 0 else "normal",
            color=ORANGE if age == 0 else "#BBBBBB" if old else "#444444",
        )
    rules = ("add:  W + v φ(k)", "delta rule:  W + β (v - Wφ(k)) φ(k)")
    for column, (states, words, color) in enumerate(zip(lives, rules, (RED, BLUE), strict=True)):
        left = 0.17 + 0.42 * column
        W, answers = states[t]
        figure.text(left, 0.85, words, fontsize=11.5, color=color, weight="bold")
        ax = figure.add_axes((left, 0.63, 0.36, 0.19))
        top = max(abs(states[-1][0]).max(), 1e-9)
        ax.imshow(W, cmap=COLD, vmin=-top, vmax=top, aspect="auto")
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel("memory", fontsize=9.5)
        ax = figure.add_axes((left, 0.155, 0.36, 0.42))
        ax.imshow(answers.T, cmap=HEAT, vmin=0, vmax=1, aspect="auto")
        right = 0
        for key, value in last.items():
            hit = answers[key].argmax() == value
            right += hit
            ax.add_patch(
                plt.Rectangle(
                    (key - 0.46, value - 0.44),
                    0.92,
                    0.88,
                    fill=False,
                    lw=2.2,
                    ec=GREEN if hit else RED,
                )
            )
        ax.add_patch(
            plt.Rectangle((keys[t] - 0.5, -0.5), 1, KEYS, fc="none", ec=ORANGE, lw=1.5, ls=":")
        )
        ax.set_xticks(range(KEYS), list(NAMES), fontsize=9)
        ax.set_yticks(range(KEYS), [str(n + 1) for n in range(KEYS)], fontsize=9)
        ax.tick_params(length=0)
        ax.set_ylabel("answer", fontsize=9.5)
        for side in ax.spines.values():
            side.set_visible(True)
            side.set_color("#CCCCCC")
        figure.text(
            left + 0.36,
            0.595,
            f"{right} of {len(last)} keys right",
            fontsize=10.5,
            ha="right",
            weight="bold",
            color=GREEN if right == len(last) else RED,
        )


def captions(t):
    """What happens at pair t, and for how many milliseconds it shows."""
    if t == PAIRS - 1:
        return (
            "Asked for every key: sums blur wherever a value has changed, "
            "the delta rule knows the last one",
            2000,
        )
    if t < KEYS:
        return (
            "Each key for the first time: both memories store it. A frame marks the right answer",
            300,
        )
    return (
        "Keys come again with new values: adding keeps the old ones too, "
        "the delta rule removes them first",
        330,
    )


config = Config(**(QUICK if flags.quick else {}))
lives, (keys, values) = [], stream(np.random.default_rng(flags.seed))
for rule in ("sum", "delta"):
    lives.append(life(train(config, flags.seed, 2, Method("dpfp1", rule), KEYS), keys, values))
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for t in range(PAIRS):
    words, duration = captions(t)
    draw(figure, t, keys, values, lives, words)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)
palette = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::4]])).quantize(
    128
)
colors = np.array(palette.getpalette()).reshape(
    -1, 3
)  # one palette for all frames, so that nothing flickers
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "linear_transformers_fwp.gif"
images[0].save(
    path,
    save_all=True,
    append_images=images[1:],
    duration=milliseconds,
    loop=0,
    optimize=False,
    disposal=1,
)
print(
    path,
    f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB",
)
