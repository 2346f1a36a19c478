# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: one endless stream of events passes by while the net grows up, in time lapse.

Every few ticks the weights jump to those of a later check of the same training run
(flip_flop.train); world, memory and pain carry on. Blue: the hidden unit of C that ends up as the
latch. Red: pain. Right: the whole life up to here.

    python make_flip_flop_gif.py            about half a minute
    python make_flip_flop_gif.py --quick    the same code on a run too short to learn anything
"""

import argparse
import io
from pathlib import Path

import flip_flop as ff
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

COLOURS = {ff.A: BLUE, ff.B: ORANGE, ff.X: GREY}
STAGES, TICKS, STEP, VIEW = (
    11,
    16,
    2,
    48,
)  # stages of the time lapse, ticks in each (the first: VIEW), per frame
FRAME_MS, LAST_MS, PALETTE = 110, 2000, 64
TITLE = "From pain alone it learns to remember an A until the next B"


def grow_up(config, seed):
    """Train; returns the checks of one life as (tick, weights and states, marks)."""
    life = []

    def watch(ticks, ids, nets, marks):
        life.append(
            (
                ticks,
                {name: values.copy() for name, values in nets.items()},
                {name: value.item() for name, value in marks.items()},
            )
        )

    ff.train(config, [seed], watch)
    return life


def film(config, life, stages, seed):
    """What the net of each stage does with its share of one stream: dict of arrays over all
    ticks."""
    dice = np.random.default_rng(seed)
    now, reel = {name: life[0][1][name] for name in ("h_c", "pain", "y", "armed")}, []
    for stage in stages:
        theta = life[stage][1]["theta"]
        length = TICKS if reel else VIEW
        events = ff.pick_events(config, dice.random((1, length, 1)))
        target, armed = ff.targets(config, events, now["armed"])
        tape, out, y, pain = ff.live(
            config, theta, now, events, target, dice.standard_normal((1, length, 1))
        )
        H, last = config.hidden_c, tape[:, -1]
        now = {
            "h_c": last[..., :H],
            "pain": last[..., H + 4],
            "y": last[..., H + 5],
            "armed": armed,
        }
        sigma = config.sigma_min + (config.sigma_max - config.sigma_min) * out[0, :, 0, 1]
        reel.append(
            {
                "event": events[0, :, 0],
                "target": target[0, :, 0],
                "hidden": tape[0, 1:, 0, :H],
                "mean": out[0, :, 0, 0],
                "sigma": sigma,
                "y": y[0, :, 0],
                "pain": pain[0, :, 0],
            }
        )
    reel = {name: np.concatenate([part[name] for part in reel]) for name in reel[0]}
    state, reel["armed"] = False, np.zeros(len(reel["event"]), bool)
    for t, event in enumerate(reel["event"]):
        state = event == ff.A or (state and event != ff.B)
        reel["armed"][t] = state  # after the event
    return reel


def memory_unit(config, life, seed):
    """The hidden unit of the grown net that follows the state of the world best, and the sign with
    which it does."""
    nets = life[-1][1]
    events = ff.pick_events(config, np.random.default_rng(seed).random((1, 2000, 1)))
    target, _ = ff.targets(config, events, nets["armed"])
    tape, *_ = ff.live(config, nets["theta"], nets, events, target, np.zeros(events.shape))
    hidden, state, armed = tape[0, 1:, 0, : config.hidden_c], nets["armed"].item(), []
    for event in events[0, :, 0]:
        state = event == ff.A or (state and event != ff.B)
        armed.append(state)
    scores = [np.corrcoef(h, armed)[0, 1] if h.std() > 1e-6 else 0 for h in hidden.T]
    best = int(np.argmax(np.abs(scores)))
    return best, 1 if scores[best] >= 0 else -1


def caption(marks):
    """What the marks of a check say about the stage, in words."""
    if marks["errors_per_1000"] == 0:
        return "The latch is there: full at A, empty at the first B. The pain is gone."
    if marks["hit_rate"] > 0.05:
        return "By chance the noise has hit what helps. M noticed, and C begins to fire."
    if marks["sigma_at_targets"] > 1.2 * marks["sigma_elsewhere"]:
        return "C grows noisy exactly where M is sure of pain: a first memory, of doubt."
    return "C is silent. Each first B after an A hurts, and nobody says why."


def draw(figure, config, reel, life, stage, unit, sign, end):
    """One frame: the stream up to tick `end`, and the life up to the stage's check."""
    figure.clear()
    figure.set_layout_engine("none")  # a computed layout would tremble from frame to frame
    grid = figure.add_gridspec(
        2,
        2,
        width_ratios=[2.7, 1],
        height_ratios=[1, 1.25],
        left=0.08,
        right=0.985,
        top=0.81,
        bottom=0.16,
        wspace=0.12,
        hspace=0.22,
    )
    memory, output = (figure.add_subplot(grid[row, 0]) for row in (0, 1))
    pains, noise = (figure.add_subplot(grid[row, 1]) for row in (0, 1))
    span = slice(max(0, end - VIEW), end)
    t = np.arange(span.start, end)
    for ax in (memory, output):
        ax.fill_between(
            np.append(t, end),
            0,
            1,
            where=np.append(reel["armed"][span], False),
            step="post",
            transform=ax.get_xaxis_transform(),
            color=SKY,
            alpha=0.22,
            linewidth=0,
        )
        ax.set(xlim=(end - VIEW - 0.5, end + 0.5), xticks=[])
    level = sign * reel["hidden"][span, unit]
    memory.fill_between(t, -1, level, color=BLUE, alpha=0.55, linewidth=0)
    memory.plot(t, level, color=BLUE, linewidth=2)
    memory.set(ylim=(-1.05, 1.05), yticks=[-1, 1], ylabel="one unit of C")
    for tick in t:
        event = reel["event"][tick]
        memory.text(
            tick,
            1.2,
            "·" if event == ff.X else "AB"[event],
            color=COLOURS[event],
            ha="center",
            va="center",
            weight="bold",
            size=11,
        )
    for tick in t[reel["pain"][span]]:
        output.axvspan(tick - 0.4, tick + 0.4, color=RED, alpha=0.75, linewidth=0)
    output.text(
        0.01, 0.92, "pain", color=RED, weight="bold", fontsize=9, transform=output.transAxes
    )
    mean, sigma = reel["mean"][span], reel["sigma"][span]
    output.fill_between(t, mean - 2 * sigma, mean + 2 * sigma, color=GREEN, alpha=0.22, linewidth=0)
    output.plot(t, mean, color=GREEN, linewidth=2)
    output.plot(t, reel["y"][span], ".", color=BLACK, markersize=4)
    output.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    output.set(ylim=(-0.7, 1.7), yticks=[0, 1], ylabel="output of C")
    ticks = np.array([tick for tick, _, _ in life]) / 1000
    sofar = slice(0, stage + 1)
    for ax, names, title in (
        (pains, {"errors_per_1000": RED}, "errors per 1000 ticks"),
        (noise, {"sigma_at_targets": ORANGE, "sigma_elsewhere": GREY}, "noise of the output"),
    ):
        for name, colour in names.items():
            values = np.array([marks[name] for _, _, marks in life])
            ax.plot(ticks[sofar], values[sofar], color=colour)
            ax.plot(ticks[stage], values[stage], "o", color=colour, markersize=5)
        ax.set_title(title, fontsize=9, weight="normal", pad=4)
        ax.set_xlim(0, ticks[-1] * 1.03)
        ax.tick_params(labelsize=8)
    pains.set(ylim=(0, 100), xticks=[])
    noise.set(ylim=(0, 0.58))
    noise.text(
        0.04,
        0.92,
        "at first Bs",
        color=ORANGE,
        transform=noise.transAxes,
        fontsize=8,
        weight="bold",
    )
    noise.text(0.04, 0.82, "elsewhere", color="#666666", transform=noise.transAxes, fontsize=8)
    noise.set_xlabel("thousand ticks of life", fontsize=8)
    figure.text(0.01, 0.95, TITLE, weight="bold", fontsize=12.5)
    figure.text(0.01, 0.892, f"after {life[stage][0]:,} ticks of life", fontsize=10)
    figure.text(
        0.7, 0.892, "shaded: armed, so the next B is the first", color=BLUE, fontsize=10, ha="right"
    )
    figure.text(0.01, 0.04, caption(life[stage][2]), fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return Image.open(buffer).convert("RGB")


def main():
    config = ff.Config(**ff.QUICK) if flags.quick else ff.Config()
    life = grow_up(config, flags.seed)
    stages = np.linspace(0, len(life) - 1, STAGES).round().astype(int)
    reel, (unit, sign) = (
        film(config, life, stages, flags.seed + 1),
        memory_unit(config, life, flags.seed),
    )
    figure = plt.figure(figsize=(8, 4.5))
    slower = 4 if flags.quick else 1
    ends = range(VIEW - TICKS + slower * STEP, VIEW + (STAGES - 1) * TICKS + 1, slower * STEP)
    frames = [
        draw(figure, config, reel, life, stages[max(0, -(-(end - VIEW) // TICKS))], unit, sign, end)
        for end in ends
    ]
    some = Image.fromarray(
        np.vstack(frames[:: len(frames) // 6])
    )  # the palette needs the colours of all stages
    palette = some.quantize(PALETTE, Image.Quantize.MAXCOVERAGE)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(
        flags.out / "flip_flop.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[slower * FRAME_MS] * (len(frames) - 1) + [LAST_MS],
    )


if __name__ == "__main__":
    main()
