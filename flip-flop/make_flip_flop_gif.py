# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation: an endless stream of events goes by while a net grows up, in time lapse.

Every few ticks the weights jump to those of a later exam of the same life; world, memory and pain
carry on. Blue: the hidden unit of C that becomes the latch. Red: pain. Right: the life so far.

    python3 make_flip_flop_gif.py            about half a minute
    python3 make_flip_flop_gif.py --quick    the same code on nets too young to have learned
"""

import argparse
from dataclasses import replace
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

COLOURS = {ff.A: BLUE, ff.B: RED, ff.X: GREY}
CANDIDATES, BUDGET = 10, 300_000  # first nets of the run, and ticks that they get here
STAGES, TICKS, STEP, VIEW = 10, 14, 2, 40  # of the time lapse: stages, ticks of each, per frame
FRAME_MS, LAST_MS = 100, 2000
TITLE = "From pain alone it learns to remember an A until the next B"
DARK = "#555555"


# ---- one life ------------------------------------------------------------------------------------
class Filmed(ff.PainLearner):
    """A learner that keeps its nets, and the errors they make, at each exam."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.film = []  # (ids, nets, errors per 1000 ticks) of each exam

    def check(self):
        super().check()
        rngs = [np.random.default_rng((7, i, self.updates)) for i in self.ids]
        errors = ff.stream_errors(self.config, self.nets, rngs, 4000, 40)  # (S,)
        copies = ff.pick(self.nets, np.arange(len(self.ids)))
        self.film.append((self.ids, copies, errors))


def grow_up(config, seed):
    """Train the first nets of a run for a while; return the life of the quickest that solved it.

    A life is a list of (ticks, nets of one row, errors per 1000 ticks), one for each exam.
    """
    seeds = np.random.SeedSequence(seed).spawn(2)[0].spawn(config.nets)[:CANDIDATES]
    config = replace(config, max_ticks=min(BUDGET, config.max_ticks))
    learner = Filmed(config, seeds, [config.lr_c] * len(seeds)).train(lambda *_: None)
    best = np.where(learner.solved, learner.ticks, np.inf).argmin()
    life = []
    for k, (ids, nets, errors) in enumerate(learner.film):
        if best in ids:
            row = [list(ids).index(best)]
            ticks = (k + 1) * ff.CHECK_EVERY * config.window
            life.append((ticks, ff.pick(nets, row), errors[row[0]]))
    return life


def stages_of(life):
    """Choose exams of a life: half of them evenly in time, half where the errors change."""
    errors = np.array([errors for *_, errors in life])
    change = np.abs(np.diff(errors, prepend=errors[0])).cumsum()
    progress = np.linspace(0, 1, len(life)) + 1.5 * change / max(change[-1], 1e-9)
    wanted = np.linspace(progress[0], progress[-1], STAGES)
    return [int(np.abs(progress - level).argmin()) for level in wanted]


def film(config, life, stages, seed):
    """Let the net of each stage live its share of one stream: a dict of arrays over all ticks."""
    event_rng, noise_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    now, reel = dict(life[0][1]), []
    for k, stage in enumerate(stages):
        T = TICKS if 0 < k < STAGES - 1 else VIEW
        events = ff.draw_events(config, [event_rng], T, 1)
        theta = life[stage][1]["theta"]
        seen = ff.act(config, theta, now, events, noise_rng.standard_normal((T, 1, 1)))
        now |= {"armed": seen.armed, "pain": seen.pain[-1]}
        now["h_c"] = seen.tape[-1, ..., : config.hidden_c]
        part = {"event": events[:, 0, 0], "y": seen.y[:, 0, 0], "pain": seen.pain[:, 0, 0]}
        part |= {"hidden": seen.tape[1:, 0, 0, : config.hidden_c], "mean": seen.out[:, 0, 0, 0]}
        part |= {"sigma": ff.sigma(config, seen.out[:, 0, 0, 1]), "stage": np.full(T, stage)}
        reel.append(part)
    reel = {name: np.concatenate([part[name] for part in reel]) for name in reel[0]}
    return reel | {"armed": armed_after(reel["event"])}


def armed_after(events):
    """Say after which events (T,) the world is armed."""
    state, states = False, []
    for event in events:
        state = event == ff.A or (state and event != ff.B)
        states.append(state)
    return np.array(states)


def memory_unit(config, nets, seed):
    """Return the hidden unit of C that tells armed from not armed best, and its sign when armed."""
    events = ff.draw_events(config, [np.random.default_rng(seed)], 2000, 1)
    seen = ff.act(config, nets["theta"], nets, events, np.zeros(events.shape))
    hidden, armed = seen.tape[1:, 0, 0, : config.hidden_c], armed_after(events[:, 0, 0])
    gaps = {}
    for unit, sign in np.ndindex(config.hidden_c, 2):
        h = (2 * sign - 1) * hidden[:, unit]
        gaps[unit, 2 * sign - 1] = np.quantile(h[armed], 0.05) - np.quantile(h[~armed], 0.95)
    return max(gaps, key=gaps.get)


# ---- one frame -----------------------------------------------------------------------------------
def caption(errors, hurt):
    """Say in words what the net of a stage does, and whether pain is in sight."""
    if errors == 0 and not hurt:
        return "The unit fills at A and empties at the first B. The pain is gone."
    if errors < 60:
        return "The noise has hit what helps, M has noticed, and C begins to fire at some Bs."
    return "C is silent. Each first B after an A hurts, and nobody says why."


def draw_stream(memory, output, reel, unit, sign, end):
    """Draw the last ticks: events, the latch unit above; output and pain below."""
    span = slice(end - VIEW, end)
    t = np.arange(span.start, end)
    for ax in (memory, output):
        shade = {"transform": ax.get_xaxis_transform(), "color": SKY, "alpha": 0.25, "lw": 0}
        ax.fill_between(t, 0, 1, where=reel["armed"][span], step="post", **shade)
        ax.set(xlim=(end - VIEW - 0.5, end + 0.5), xticks=[])
    level = sign * reel["hidden"][span, unit]
    memory.fill_between(t, -1, level, color=BLUE, alpha=0.55, linewidth=0)
    memory.plot(t, level, color=BLUE, linewidth=2)
    memory.set(ylim=(-1.05, 1.05), yticks=[-1, 1], ylabel="one unit of C")
    for tick in t:
        event = reel["event"][tick]
        name, style = "AB·"[event], {"ha": "center", "va": "center", "weight": "bold", "size": 11}
        memory.text(tick, 1.2, name, color=COLOURS[event], **style)
    for tick in t[reel["pain"][span]]:
        output.axvspan(tick - 0.4, tick + 0.4, color=RED, alpha=0.7, linewidth=0)
    mean, sigma = reel["mean"][span], reel["sigma"][span]
    output.fill_between(t, mean - 2 * sigma, mean + 2 * sigma, color=GREEN, alpha=0.22, linewidth=0)
    output.plot(t, mean, color=GREEN, linewidth=2)
    output.plot(t, reel["y"][span], ".", color=BLACK, markersize=4)
    output.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    output.set(ylim=(-0.7, 1.7), yticks=[0, 1], ylabel="output of C")


def draw(figure, reel, life, unit, sign, end):
    """Draw the stream up to a tick, and the life up to the exam whose net lives there."""
    figure.clear()
    grid = {"height_ratios": [1, 1.25], "left": 0.08, "top": 0.8, "bottom": 0.12, "hspace": 0.14}
    left = figure.add_gridspec(2, 1, right=0.7, **grid)
    memory, output = (figure.add_subplot(left[row]) for row in (0, 1))
    pains = figure.add_axes((0.79, 0.26, 0.19, 0.46))
    draw_stream(memory, output, reel, unit, sign, end)
    stage = reel["stage"][end - 1]
    ticks = np.array([ticks for ticks, *_ in life]) / 1000
    errors = np.array([errors for *_, errors in life])
    pains.plot(ticks[: stage + 1], errors[: stage + 1], color=RED)
    pains.plot(ticks[stage], errors[stage], "o", color=RED, markersize=6, clip_on=False)
    pains.set(xlim=(0, ticks[-1] * 1.03), ylim=(0, 100), yticks=[0, 50, 100])
    pains.set_xlabel("thousand ticks of life", fontsize=9.5)
    pains.tick_params(labelsize=9.5)
    pains.set_title("errors per 1000 ticks", fontsize=10, weight="normal", pad=6, x=-0.25)
    figure.text(0.01, 0.94, TITLE, weight="bold", fontsize=13)
    figure.text(0.08, 0.885, f"after {life[stage][0]:,} ticks of life", fontsize=10, color=DARK)
    figure.text(0.7, 0.885, "shaded: an A is waiting for its B", color=BLUE, ha="right")
    figure.text(0.79, 0.1, "red bars: pain", color=RED, weight="bold")
    figure.text(
        0.08, 0.04, caption(errors[stage], reel["pain"][end - VIEW : end].any()), fontsize=11
    )
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy())


def write_gif(path, images):
    """Write images with one palette for all, so that nothing flickers."""
    sample = np.concatenate([np.asarray(image) for image in images[:: max(1, len(images) // 8)]])
    palette = Image.fromarray(sample).quantize(64)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    pause = FRAME_MS if not flags.quick else 500
    duration = [pause] * (len(images) - 1) + [LAST_MS]
    first, *others = images
    first.save(path, save_all=True, append_images=others, loop=0, optimize=True, duration=duration)
    print(
        path, f"{len(images)} frames, {sum(duration) / 1000:.1f} s, {path.stat().st_size:,} bytes"
    )


config = ff.Config(**(ff.QUICK if flags.quick else {}))
life = grow_up(config, flags.seed)
unit, sign = memory_unit(config, life[-1][1], flags.seed + 2)
reel = film(config, life, stages_of(life), flags.seed + 1)
figure = plt.figure(figsize=(8, 4.5), layout="none")
step = 10 if flags.quick else STEP
ends = range(VIEW, len(reel["event"]) + 1, step)
images = [draw(figure, reel, life, unit, sign, end) for end in ends]
write_gif(flags.out / "flip_flop.gif", images)
