# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of clockwork-rnn: three nets learn one waveform, with the clockwork's states."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from clockwork_rnn import QUICK, SAMPLES_PER_SECOND, TARGETS, Config, kinds, nmse, train, waveform
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

TITLE = "Units that tick at nine rates recite a sound that rivals of equal size miss"
ROWS = {
    "cw": ("clockwork net", BLUE),
    "lstm": ("LSTM", ORANGE),
    "srn": ("plain net", RED),
}
FRAMES = 12 if flags.quick else 29


def rates_of(config):
    """Return the learning rate of each kind that the first record chose, else the middle one."""
    path = Path(__file__).resolve().with_name("results.json")
    if path.exists() and not flags.quick:
        metrics = json.loads(path.read_text("utf-8"))["records"][0]["metrics"]
        return {name: metrics[f"{name}.rate"] for name in ROWS}
    return {name: rates[len(rates) // 2] for name, (_, rates) in kinds(config).items()}


def film(config):
    """Train a net of each kind on the first waveform of a run, from the run's own first weights.

    Returns the target (T,), the epochs of the frames, and for each kind the outputs at these
    epochs, (frames, T), with the states of the clockwork's units, (frames, T, N).
    """
    *streams, sounds = map(np.random.default_rng, np.random.SeedSequence(flags.seed).spawn(4))
    target = waveform(sounds, config)[None]  # (1, T)
    epochs = np.unique((config.epochs * np.linspace(0, 1, FRAMES) ** 2.2).astype(int)).tolist()
    outputs, states = {}, []
    rates = rates_of(config)
    for (name, (net, _)), rng in zip(kinds(config).items(), streams, strict=True):
        theta = net.draw(rng, TARGETS * config.nets, config)[:1]  # (1, P)
        outputs[name] = []

        def watch(epoch, y, name=name, net=net):
            if epoch in epochs:
                outputs[name].append(y[0])
                if name == "cw":
                    states.append(net.states()[0, :, :-1])

        train(net, theta, target, np.array([rates[name]]), config, watch)
    return target[0], epochs, outputs, states


def draw_row(ax, name, target, y, milliseconds):
    """Draw the target and an output."""
    words, color = ROWS[name]
    ax.plot(milliseconds, target, color="#C4C4C4", lw=3.2)
    ax.plot(milliseconds, y, color=color, lw=1.5)
    ax.set(xlim=(0, milliseconds[-1]), ylim=(-1.15, 1.15), yticks=[], xticks=[])
    ax.spines[:].set_visible(False)
    error = nmse(y[None], target[None])[0]
    return f"{words}: NMSE {error:.2f}" if error >= 0.095 else f"{words}: NMSE {error:.2g}", color


def draw_states(ax, states, periods, milliseconds):
    """Draw the states of the units (N, T), slow ones on top."""
    ax.imshow(
        states.T[::-1], cmap="RdBu_r", vmin=-0.7, vmax=0.7, aspect="auto", interpolation="nearest"
    )
    each = len(periods) / len(np.unique(periods))
    shown = np.unique(periods)[::2]
    places = [len(periods) - 0.5 - each * (2 * k + 0.5) for k in range(len(shown))]
    ax.set_yticks(places, [str(period) for period in shown])
    ticks = [k for k in range(8) if k <= milliseconds[-1]]
    ax.set_xticks([k * SAMPLES_PER_SECOND / 1000 for k in ticks], [str(k) for k in ticks])
    ax.set(ylabel="period", xlabel="milliseconds")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw(figure, frame, target, epochs, outputs, states, periods):
    """Draw one frame."""
    figure.clear()
    milliseconds = 1000 * np.arange(len(target)) / SAMPLES_PER_SECOND
    figure.text(0.02, 0.945, TITLE, fontsize=13.5, weight="bold", va="center")
    places = {"cw": (0.075, 0.53, 0.475, 0.31), "lstm": (0.6, 0.53, 0.38, 0.31)}
    places["srn"] = (0.6, 0.125, 0.38, 0.31)
    for name, (left, bottom, width, height) in places.items():
        ax = figure.add_axes((left, bottom, width, height))
        words, color = draw_row(ax, name, target, outputs[name][frame], milliseconds)
        top = bottom + height + 0.005
        figure.text(left, top, words, color=color, weight="bold", fontsize=11, va="bottom")
    figure.text(0.98, 0.04, "grey: the target", color="#777777", ha="right", va="center")
    epoch = f"epoch {epochs[frame]:,}"
    figure.text(0.6, 0.04, epoch, color="#333333", fontsize=11, va="center", weight="bold")
    said = "states of the clockwork's units, slow ones on top"
    figure.text(0.075, 0.455, said, color="#333333", va="bottom")
    draw_states(figure.add_axes((0.075, 0.125, 0.475, 0.32)), states[frame], periods, milliseconds)


config = replace(Config(), **(QUICK if flags.quick else {}))
target, epochs, outputs, states = film(config)
periods = kinds(config)["cw"][0].periods
figure = plt.figure(figsize=(8.4, 4.8), layout="none")
images = []
for frame in range(len(epochs)):
    draw(figure, frame, target, epochs, outputs, states, periods)
    figure.canvas.draw()
    images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()))
milliseconds = [int(7000 / len(images) / 10) * 10] * (len(images) - 1) + [2000]
sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::6]]))
palette = sample.quantize(56)  # one palette for all frames, so that nothing flickers
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 248] = 255
inks = [[int(ink[k : k + 2], 16) for k in (1, 3, 5)] for _, ink in ROWS.values()]
colors = np.concatenate([colors, inks])  # so that no two nets share a colour
palette.putpalette(colors.ravel().tolist())
images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "clockwork_rnn.gif"
how = {"loop": 0, "optimize": False, "disposal": 1}
images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **how)
size = path.stat().st_size / 1e6
print(path, f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {size:.2f} MB")
