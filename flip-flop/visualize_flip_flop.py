# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""The figures of the flip-flop: the latch in one net, all nets of the records, what its M predicts.

python3 visualize_flip_flop.py            about half a minute
python3 visualize_flip_flop.py --quick    the same code on nets too young to have learned
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import flip_flop as ff
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

VIZ = flags.out / "viz"
VIZ.mkdir(exist_ok=True)
COLOURS = {ff.A: BLUE, ff.B: RED, ff.X: GREY}
DARK = "#555555"
WAIT = 100  # X between A and B
CANDIDATES, BUDGET = 10, 300_000  # first nets of the run, and ticks that they get here


def graduate(config, seed):
    """Train the first nets of a run for a while; return the quickest that solved the task."""
    seeds = np.random.SeedSequence(seed).spawn(2)[0].spawn(config.nets)[:CANDIDATES]
    config = replace(config, max_ticks=min(BUDGET, config.max_ticks))
    learner = ff.PainLearner(config, seeds, [config.lr_c] * len(seeds)).train(lambda *_: None)
    best = np.where(learner.solved, learner.ticks, np.inf).argmin()
    return ff.pick(learner.graduates, [best])


def live(config, nets, events, seed=None):
    """Let a net meet events (T,); with noise in its output if a seed is given."""
    events = np.asarray(events, np.intp)[:, None, None]
    z = np.zeros(events.shape)
    if seed is not None:
        z = np.random.default_rng(seed).standard_normal(events.shape)
    return ff.act(config, nets["theta"], nets, events, z)


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


def read(name):
    """Return the metrics of all recorded seeds; before any record those of one quick run."""
    path = Path(__file__).with_name(name)
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    found = [record["metrics"] for record in records if "metrics" in record]
    if name == "results.json" and not (found and "parallel.solved" in found[0]):
        return [ff.flatten(ff.run(ff.Config(**ff.QUICK), 0, lambda *_: None))]
    return [metrics for metrics in found if "parallel.solved" in metrics]


def save(figure, name):
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


# ---- figure 1: the latch -------------------------------------------------------------------------
def draw_latch(config, nets):
    """Draw the hidden units of C through a wait of 100 X, and its output."""
    events = [*[ff.X] * 6, ff.B, *[ff.X] * 6, ff.A, *[ff.X] * WAIT, ff.B, *[ff.X] * 9, ff.B]
    events += [ff.X] * 6
    life = live(config, nets, events)
    hidden = life.tape[1:, 0, 0, : config.hidden_c]  # (T, H)
    best, side = memory_unit(config, nets, seed=7)
    first = events.index(ff.A)
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 4.8), sharex=True, height_ratios=[3, 1])
    for ax in (top, bottom):
        ax.axvspan(first, first + WAIT + 1, color=SKY, alpha=0.22, linewidth=0)
        ax.tick_params(labelsize=10)
    top.plot(hidden, color=GREY, linewidth=0.8, alpha=0.55)
    top.plot(hidden[:, best], color=BLUE, linewidth=3)
    for t, event in enumerate(events):
        if event != ff.X:
            style = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 13}
            top.text(t, 1.2, "AB"[event], color=COLOURS[event], **style)
    top.text(first + WAIT / 2, 1.2, f"{WAIT} times X", color=DARK, ha="center", va="center")
    said = f"unit {best + 1} of {config.hidden_c} holds the A"
    style = {"color": BLUE, "weight": "bold", "va": "center", "fontsize": 12}
    top.text(first + 7, 0.5 * side, said, **style)
    top.set(ylabel="hidden units of C", ylim=(-1.08, 1.08), yticks=[-1, 0, 1])
    top.set_title("One unit remembers the A over 100 X", pad=26)
    bottom.plot(life.out[:, 0, 0, 0], color=GREEN, linewidth=2.2)
    bottom.set(ylabel="output", xlabel="tick", ylim=(-0.1, 1.15), yticks=[0, 1])
    bottom.set_xlim(-1, len(events))
    bottom.text(first + WAIT - 2, 0.62, "fires at the first B", color=GREEN, ha="right")
    save(figure, "latch.png")


# ---- figure 2: all nets --------------------------------------------------------------------------
def draw_solved(config, runs, studies):
    """Draw the share of nets that have passed against the ticks they lived."""
    figure, ax = plt.subplots(figsize=(8, 4.6))
    x = np.array(runs[0]["curve.x"])
    y = np.array([metrics["curve.y"] for metrics in runs])  # (seeds, points)
    ax.fill_between(x, y.min(0), y.max(0), color=BLUE, alpha=0.2, linewidth=0)
    ax.plot(x, np.median(y, 0), color=BLUE, linewidth=2.6)
    most = x[-1]
    ax.text(0.21 * most, 0.12, "pain alone,\nthe paper's rule", color=BLUE, weight="bold")
    labels = {"teacher": (BLACK, "a teacher"), "log": (GREEN, "pain alone,\n−log(1 − p)")}
    for name, (colour, label) in labels.items() if studies else ():
        ticks = np.sort(np.concatenate([metrics[f"{name}.ticks"] for metrics in studies]))
        share = np.arange(1, len(ticks) + 1) / len(ticks)
        steps = np.append(ticks[0], ticks[ticks < most])
        ax.step(steps, np.append(0, share[ticks < most]), where="post", color=colour, linewidth=2)
        place = (np.median(ticks) * (1.06 if name == "log" else 0.95), 0.5)
        style = {"color": colour, "weight": "bold", "va": "center"}
        ax.text(*place, label, ha="left" if name == "log" else "right", **style)
    rival = [metrics["reinforce.solved"] for metrics in runs]
    spread = most * np.linspace(0.9, 1.0, len(rival))
    ax.plot(spread, rival, "o", color=ORANGE, markersize=6, clip_on=False, zorder=4)
    style = {"color": "#A66F00", "weight": "bold", "ha": "right", "va": "top"}
    ax.text(0.98 * most, min(rival) - 0.05, "REINFORCE,\none dot a seed", **style)
    ax.axhline(20 / 30, **PAPER)
    ax.text(0.032 * most, 20 / 30 + 0.02, "paper: 20 of 30 runs")
    ax.set(xscale="log", xlim=(most / 80, most), ylim=(0, 1.02), yticks=[0, 0.25, 0.5, 0.75, 1])
    ticks = most * np.array([0.02, 0.05, 0.1, 0.2, 0.5, 1])
    ax.set_xticks(ticks, [f"{tick / 1000:.0f}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("thousand ticks that a net takes (band: all seeds, line: their median)")
    ax.set_ylabel("share of the nets")
    solved = config.nets * np.mean([metrics["parallel.solved"] for metrics in runs])
    many = f"{solved:.0f} of {config.nets} nets"
    ax.set_title(f"Pain alone teaches {many} the latch within a million ticks")
    save(figure, "solved.png")


# ---- figure 3: what M predicts -------------------------------------------------------------------
def draw_valley(config, nets):
    """Draw the pain that M expects of every output, at the moments of a stream."""
    events = ff.draw_events(config, [np.random.default_rng(5)], 3000, 1)[:, 0, 0]
    life = live(config, nets, events, seed=6)
    tape, _ = ff.predict(config, nets["theta"], nets["h_m"], life)
    _, _, w, v = ff.weights(config, nets["theta"])
    H, y = config.hidden_m, np.linspace(-0.25, 1.25, 101)
    inputs = np.repeat(tape[:-1, 0], len(y), 1)  # (T, outputs, H + 6)
    inputs[:, :, H + 5] = 2 * y - 1
    p = 0.5 + 0.5 * np.tanh((np.tanh(inputs @ w[0]) @ v[0, :H, 0] + v[0, H, 0]) / 2)  # (T, outputs)
    before = np.concatenate([[nets["armed"].item()], armed_after(events)[:-1]])
    contexts = {  # event, armed, colour, where the label and the end of its line stand
        "first B after an A": (True, True, RED, (-0.2, 0.6), None),
        "another B": (True, False, BLUE, (0.56, 0.2), 0.7),
        "A or X while armed": (False, True, GREEN, (0.66, 0.31), 0.8),
        "A or X while not armed": (False, False, PINK, (0.87, 0.16), 1.17),
    }
    figure, ax = plt.subplots(figsize=(8, 4.6))
    for label, (is_b, armed, colour, place, at) in contexts.items():
        here = p[((events == ff.B) == is_b) & (before == armed)]
        low, middle, high = np.quantile(here, [0.05, 0.5, 0.95], 0)
        ax.fill_between(y, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(y, middle, color=colour, linewidth=2.6)
        ax.text(*place, label, color=colour, weight="bold", va="bottom")
        if at is not None:
            ends = [place[1], np.interp(at, y, middle)]
            ax.plot([place[0] + 0.1, at], ends, color=colour, linewidth=0.8)
    ax.plot([-0.25, 0.5, 0.5, 1.25], [1, 1, 0, 0], ":", color=RED, linewidth=1.3)
    ax.plot([-0.25, 0.5, 0.5, 1.25], [0, 0, 1, 1], ":", color=GREY, linewidth=1.3)
    ax.text(0.48, 0.96, "true pain at a first B", color=RED, ha="right", va="top")
    ax.text(0.52, 0.96, "true pain elsewhere", color=DARK, va="top")
    ax.set(xlim=(-0.25, 1.25), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    ax.set(xlabel="output y", ylabel="pain that M predicts")
    ax.set_title("Predicted pain turns the output on at the first B only")
    save(figure, "valley.png")


config = ff.Config(**(ff.QUICK if flags.quick else {}))
nets = graduate(config, flags.seed)
draw_latch(config, nets)
draw_solved(ff.Config(), read("results.json"), read("study.json"))
draw_valley(config, nets)
