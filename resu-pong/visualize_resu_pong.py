# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "ale-py==0.12.1"]
# ///
"""The pictures of ReSU: filters and motion units on scenes, maps of Pong, accuracies."""

import argparse
import json
from pathlib import Path

import resu_pong
from resu_pong import QUICK, SIDE, Config
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

CONFIG = Config(**(QUICK if flags.quick else {}))
WORLD = "Pong" if CONFIG.emulated else "mini-Pong"


def silent(fraction, message):
    """Show nothing."""


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded():
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name("results.json")
    if path.exists() and not flags.quick:
        metrics = [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
        if all("dsi_lead" in found for found in metrics):
            return metrics
    quick = resu_pong.run(Config(**QUICK), flags.seed, silent)
    return [resu_pong.flatten(quick)]


def headline(figure, words):
    """Give a picture its finding."""
    figure.suptitle(words, x=0.01, ha="left", weight="bold")


# ---- 1: scenes ----
def draw_filters(ax, noise, psi):
    """Draw the first two filters of a pixel."""
    for row, color in ((0, BLUE), (1, ORANGE)):
        taps = psi[row] / np.abs(psi[row]).max()
        ax.fill_between(np.arange(len(taps)), 0, taps, color=color, alpha=0.25, linewidth=0)
        ax.plot(taps, color=color)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set(yticks=[], ylim=(-1.15, 1.15), xlim=(0, 49), xticks=[0, 20, 40])
    ax.set_title(f"noise {noise:g}", fontsize=10, weight="normal", pad=4)
    ax.set_xlabel("samples back")
    words = f"{resu_pong.lobes(psi)} lobes"
    ax.text(0.97, 0.06, words, ha="right", transform=ax.transAxes)


def draw_unit(ax, views, psi, layer, name, dsi):
    """Draw what the most selective unit of a layer answers to edges that move either way."""
    responses = resu_pong.respond(views, psi, layer)  # (contrasts, ways, 12, T)
    unit = resu_pong.selectivity(responses).argmax()
    time = np.arange(responses.shape[-1]) - responses.shape[-1] / 2  # (T,)
    for edge, style in zip(responses[:, :, unit], ("-", ":")):  # bright, dark
        for response, color in zip(edge, (GREEN, RED)):
            ax.plot(time, response, color=color, linestyle=style)
    ax.set_title(f"scenes {name}: DSI {dsi:.2f}", fontsize=10, weight="normal", pad=4)
    ax.set(xlim=(-110, 110), xlabel="samples", ylim=(-0.04, 1.2), yticks=[0, 0.5, 1])


def draw_scenes(metrics):
    """Draw filters under noise, and the most selective unit of layer 2 with and without motion."""
    seed = np.random.SeedSequence(flags.seed).spawn(2)[0]
    _, (fits, moving, control) = resu_pong.see_scenes(CONFIG, seed, silent)
    views = resu_pong.edges(np.random.default_rng(flags.seed))
    figure = plt.figure(figsize=(9, 5.4))
    axes = figure.subplot_mosaic("abcd;eeff", height_ratios=(1, 1.25))
    for name, noise, (_, filters) in zip("abcd", CONFIG.scene_noise, fits):
        draw_filters(axes[name], noise, filters)
    for label, color, y in (("filter 1", BLUE, 0.87), ("filter 2", ORANGE, 0.72)):
        axes["a"].text(0.97, y, label, color=color, ha="right", transform=axes["a"].transAxes)
    for place, layer, name, key in (
        ("e", moving, "that move", "dsi"),
        ("f", control, "without motion between pixels", "dsi_control"),
    ):
        dsi = np.mean([found[key] for found in metrics])
        draw_unit(axes[place], views, fits[resu_pong.LITTLE][1], layer, name, dsi)
    axes["e"].set_ylabel("best unit of layer 2, SD")
    for label, color, y in (
        ("edge moves the other way", RED, 0.9),
        ("edge moves as in training", GREEN, 0.8),
        ("dotted: a dark edge", BLACK, 0.7),
    ):
        axes["e"].text(0.98, y, label, color=color, ha="right", transform=axes["e"].transAxes)
    headline(figure, "Noise takes the lobes, motion makes direction")
    save(figure, "scenes.png")


# ---- 2: maps of Pong ----
def moment_of(data):
    """Return a run and a step at which the ball flies fast and slanting in the open court."""
    state = data.state  # (R, T, 6)
    before = np.concatenate([state[:, :1], state[:, :-1]], 1)
    v, sure = resu_pong.motion(state, before)
    sure &= (state[..., 0] > 90) & (state[..., 0] < 165) & ~data.fresh
    pace = np.where(sure, np.minimum(np.abs(v[..., 0]), 12) + np.abs(v[..., 1]), 0)
    pace[:, :10] = 0
    return np.unravel_index(pace.argmax(), pace.shape)


def draw_maps():
    """Draw one frame and what the first two filters make of it."""
    data = resu_pong.collect(CONFIG, np.random.SeedSequence((flags.seed, 2)), silent)
    lesson = resu_pong.prepare(CONFIG, data)
    fresh = data.fresh[: len(lesson.parts[0]) // CONFIG.steps]
    starts = resu_pong.windows_of(fresh, CONFIG.taps + CONFIG.horizon)
    _, psi, _ = resu_pong.correlate(CONFIG, lesson.x, starts, starts)
    run, step = moment_of(data)
    windows = lesson.x[lesson.past[run * CONFIG.steps + step]]  # (m, 1600)
    z = (psi[:2] @ windows).reshape(2, SIDE, SIDE)
    frame = data.frames[run, step].reshape(SIDE, SIDE)
    panels = [("frame", frame, "gray")]
    for k in range(2):
        panels.append((f"filter {k + 1}, ON", np.maximum(z[k], 0), "Oranges"))
        panels.append((f"filter {k + 1}, OFF", np.maximum(-z[k], 0), "Blues"))
    figure, axes = plt.subplots(1, 5, figsize=(9, 2.5))
    for ax, (name, values, colors) in zip(axes, panels):
        low, high = (80, 165) if colors == "gray" else (0, np.quantile(values, 0.998) + 1e-9)
        ax.imshow(values, cmap=colors, vmin=low, vmax=high, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=10, weight="normal", pad=4)
        ax.spines[:].set(visible=True, color=GREY)
    headline(figure, f"{WORLD}: ON and OFF light up at the ball's head and tail")
    save(figure, "maps.png")


# ---- 3: accuracies ----
NAMES = {
    "resu": "ReSU, 4 filters",
    "raw_window": "8 raw frames",
    "raw_pair": "2 raw frames",
    "pca": "PCA, 4 filters",
    "random": "random, 4 filters\n(mean of 5 draws)",
}


def finding(metrics):
    """Say in words what the two gains over seeds are."""
    gains = np.array([found["gain_over_raw"] for found in metrics])
    bar = 2.3 * gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.inf
    if gains.mean() > bar:
        return "Far better than random and PCA filters, a little better than the eight frames"
    return "Better than random and PCA filters, no better than the eight raw frames"


def draw_bars(metrics):
    """Draw the accuracy of the five sets, a dot for each seed."""
    figure, ax = plt.subplots(figsize=(8, 3.4))
    for row, name in enumerate(NAMES):
        values = 100 * np.array([found[f"accuracy.{name}"] for found in metrics])
        color = BLUE if name == "resu" else ORANGE if name.startswith("raw") else GREY
        spread = -row + np.linspace(-0.18, 0.18, len(values))
        ax.plot(values, spread, "o", color=color, markersize=4.5, alpha=0.6)
        ax.plot([values.mean()] * 2, [-row - 0.32, -row + 0.32], color=color, linewidth=3)
        ax.text(values.max() + 0.8, -row, f"{values.mean():.1f} %", va="center")
    majority = 100 * np.mean([found["accuracy.majority"] for found in metrics])
    ax.axvline(majority, color=GREY, linestyle=":")
    ax.text(majority + 0.4, -4.75, "always the same action", va="center", color="#666666")
    ax.set(yticks=range(0, -5, -1), yticklabels=NAMES.values(), ylim=(-5.1, 0.6))
    ax.set(xlabel="steps with the expert's action, %")
    ax.margins(x=0.08)
    headline(figure, finding(metrics))
    save(figure, "bars.png")


metrics = recorded()
draw_scenes(metrics)
draw_maps()
draw_bars(metrics)
