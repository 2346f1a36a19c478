# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the two write rules: the same pairs stream into a sum and a delta memory."""

import argparse
from dataclasses import replace
from pathlib import Path

from linear_transformers_fwp import MEMORIES, QUICK, Config, Sequences, changing, train
import matplotlib.pyplot as plt
import numpy as np
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

KEYS = 8
NAMES = "ABCDEFGH"
HEAT, COLD = plt.get_cmap("Blues"), plt.get_cmap("RdBu_r")


def stream(rng):
    """Draw keys and values (T,): each key once, some again, each once more with its own number.

    No key is told what it has, and none its own number before the last round.
    """
    again = 2 if flags.quick else 10
    keys = [rng.permutation(KEYS), rng.integers(KEYS, size=again), rng.permutation(KEYS)]
    keys = np.concatenate(keys)
    values, now = [], {}
    for t, key in enumerate(keys.tolist()):
        free = [n for n in range(KEYS) if n not in (key, now.get(key))]
        now[key] = key if t >= KEYS + again else int(rng.choice(free))
        values.append(now[key])
    return keys, np.array(values)


def life(rule, config, keys, values):
    """Train a memory; after each pair, its matrix W (N, D) and its answers to all keys (N, N)."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(flags.seed).spawn(3)]
    memory = MEMORIES[rule](config, None)
    weights, _ = train(memory, changing, KEYS, config, streams, lambda *_: None)
    all_keys, states, W = np.arange(KEYS), [], 0.0
    for t, (key, value) in enumerate(zip(keys, values, strict=True)):
        told = np.tile(keys[: t + 1], (KEYS, 1)), np.tile(values[: t + 1], (KEYS, 1))
        answers = memory.forward(weights, Sequences(*told, all_keys, all_keys))[0]
        p, beta = memory.pk[0, key], memory.strength[0, key]  # (D,), (1,)
        target = np.eye(KEYS)[value]
        W = W + np.outer(target if rule == "sum" else beta * (target - W @ p if t else target), p)
        states.append((W, answers))
    return states


def draw_memory(figure, left, states, t, title, color, last, key):
    """Draw a memory's matrix and answers, and a frame around the value each key was told last."""
    W, answers = states[t]
    figure.text(left, 0.85, title, fontsize=11, color=color, weight="bold")
    ax = figure.add_axes((left, 0.63, 0.36, 0.19))
    top = max(np.abs(states[-1][0]).max(), 1e-9)
    ax.imshow(W, cmap=COLD, vmin=-top, vmax=top, aspect="auto")
    ax.set(xticks=[], yticks=[], ylabel="W")
    ax = figure.add_axes((left, 0.175, 0.36, 0.4))
    ax.imshow(answers.T, cmap=HEAT, vmin=0, vmax=1, aspect="auto")
    right = 0
    for asked, value in last.items():
        hit = answers[asked, value] > np.delete(answers[asked], value).max() + 1e-3  # no tie
        right += hit
        ink = {"fill": False, "lw": 2, "ec": GREEN if hit else RED}
        ax.add_patch(plt.Rectangle((asked - 0.46, value - 0.44), 0.92, 0.88, **ink))
    now = plt.Rectangle((key - 0.5, -0.5), 1, KEYS, fc="none", ec=ORANGE, lw=1.5, ls=":")
    ax.add_patch(now)
    ax.set_xticks(range(KEYS), list(NAMES))
    ax.set_yticks(range(KEYS), [str(n + 1) for n in range(KEYS)])
    ax.tick_params(length=0)
    ax.set_ylabel("answer")
    for side in ax.spines.values():
        side.set(visible=True, color="#CCCCCC")
    said = f"{right} of {len(last)} keys right"
    ink = GREEN if right == len(last) else RED
    figure.text(left + 0.36, 0.595, said, ha="right", weight="bold", color=ink)


def draw(figure, t, keys, values, lives, caption):
    """Draw one frame: the pairs 0 to t have been written."""
    figure.clear()
    last = {int(k): int(v) for k, v in zip(keys[: t + 1], values[: t + 1], strict=True)}
    title = "The delta rule overwrites, the sum blurs"
    figure.text(0.02, 0.945, title, fontsize=14, weight="bold", va="center")
    figure.text(0.02, 0.045, caption, fontsize=11, va="center", color="#333333")
    figure.text(0.065, 0.85, "pairs", fontsize=11, ha="center", color="#555555")
    for age in range(min(10, t + 1)):
        pair = f"{NAMES[keys[t - age]]} = {values[t - age] + 1}"
        stale = int(keys[t - age]) in keys[t - age + 1 : t + 1].tolist()
        ink = {"fontsize": 12, "color": "#BBBBBB" if stale else "#444444"}
        if age == 0:
            ink = {"fontsize": 16, "color": ORANGE, "weight": "bold"}
        figure.text(0.065, 0.775 - 0.065 * age, pair, ha="center", **ink)
    titles = ("sum:  W + v φ(k)ᵀ", "delta rule:  W + β (v − W φ(k)) φ(k)ᵀ")
    for left, states, words, color in zip((0.17, 0.6), lives, titles, (RED, BLUE), strict=True):
        draw_memory(figure, left, states, t, words, color, last, int(keys[t]))


def caption_of(t, length):
    """Return what happens at pair t, and for how many milliseconds it shows."""
    if t == length - 1:
        words = (
            "Each key was told its own number last: the delta rule shows a diagonal, the sum a blur"
        )
        return words, 2000
    if t < KEYS:
        return "Each key for the first time: both memories store it. Columns probe every key", 300
    return "Keys come again: the sum keeps old values too, the delta rule removes them first", 320


short = QUICK if flags.quick else {"steps": 300}
config = replace(Config(**short), d_key=16, learning_rates=(0.02,))
keys, values = stream(np.random.default_rng(flags.seed))
lives = [life(rule, config, keys, values) for rule in ("sum", "delta")]
figure = plt.figure(figsize=(8, 4.5), layout="none")
images, milliseconds = [], []
for t in range(len(keys)):
    words, duration = caption_of(t, len(keys))
    draw(figure, t, keys, values, lives, words)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
    milliseconds.append(duration)
sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::4]]))
palette = sample.quantize(128)  # one palette for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "linear_transformers_fwp.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
