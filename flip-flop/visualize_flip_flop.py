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
    armed = armed_after(events)
    scores = [abs(np.corrcoef(h, armed)[0, 1]) if h.std() > 1e-6 else 0 for h in hidden.T]
    best = int(np.argmax(scores))
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 4.8), sharex=True, height_ratios=[3, 1])
    for ax in (top, bottom):
        t = np.arange(len(events))
        shade = {"transform": ax.get_xaxis_transform(), "color": SKY, "alpha": 0.22, "lw": 0}
        ax.fill_between(t, 0, 1, where=armed, step="post", **shade)
        ax.tick_params(labelsize=10)
    top.plot(hidden, color=GREY, linewidth=0.8, alpha=0.55)
    top.plot(hidden[:, best], color=BLUE, linewidth=3)
    for t, event in enumerate(events):
        if event != ff.X:
            style = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 13}
            top.text(t, 1.2, "AB"[event], color=COLOURS[event], **style)
    first = events.index(ff.A)
    top.text(first + WAIT / 2, 1.2, f"{WAIT} times X", color=DARK, ha="center", va="center")
    side = 1 if hidden[first + WAIT // 2, best] > 0 else -1
    style = {"color": BLUE, "weight": "bold", "ha": "center", "va": "center", "fontsize": 11}
    style["bbox"] = {"color": "white", "alpha": 0.8, "pad": 1.5}
    top.text(first + WAIT / 2, 0.72 * side, f"unit {best + 1} of {len(scores)}: armed", **style)
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
    ax.text(0.3 * most, 0.42, "pain alone,\nthe paper's rule", color=BLUE, weight="bold")
    labels = {"teacher": (BLACK, "a teacher"), "log": (GREEN, "pain alone,\n−log(1 − p)")}
    for name, (colour, label) in labels.items() if studies else ():
        ticks = np.sort(np.concatenate([metrics[f"{name}.ticks"] for metrics in studies]))
        share = np.arange(1, len(ticks) + 1) / len(ticks)
        done = ticks < most
        ax.step(ticks[done], share[done], where="post", color=colour, linewidth=2)
        place = (np.median(ticks) * (1.06 if name == "log" else 0.95), 0.5)
        style = {"color": colour, "weight": "bold", "va": "center"}
        ax.text(*place, label, ha="left" if name == "log" else "right", **style)
    rival = [metrics["reinforce.solved"] for metrics in runs]
    spread = most * np.linspace(0.9, 1.0, len(rival))
    ax.plot(spread, rival, "o", color=ORANGE, markersize=6, clip_on=False, zorder=4)
    style = {"color": "#A66F00", "weight": "bold", "ha": "right", "va": "top"}
    ax.text(0.88 * most, max(rival), "REINFORCE,\none dot a seed", **style)
    ax.axhline(20 / 30, **PAPER)
    ax.text(1.25e4, 20 / 30 + 0.02, "paper: 20 of 30 runs")
    ax.set(xscale="log", xlim=(1.2e4, most), ylim=(0, 1.02), yticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel("ticks that a net has lived when it passes (band: all seeds, line: their median)")
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
    contexts = {  # event, armed, colour, where the label stands
        "first B after an A": (ff.B, True, RED),
        "another B": (ff.B, False, BLUE),
        "X or A, armed": (None, True, GREEN),
        "X or A, not armed": (None, False, PINK),
    }
    figure, ax = plt.subplots(figsize=(8, 4.6))
    for k, (label, (event, armed, colour)) in enumerate(contexts.items()):
        here = p[((events == ff.B) == (event == ff.B)) & (before == armed)]
        low, middle, high = np.quantile(here, [0.05, 0.5, 0.95], 0)
        ax.fill_between(y, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(y, middle, color=colour, linewidth=2.6)
        style = {"color": colour, "weight": "bold", "va": "center"}
        ax.text(1.27, [0.03, 0.8, 0.9, 1.0][k], label, clip_on=False, **style)
    for right in (0, 1):
        ax.plot([-0.25, 0.5, 0.5, 1.25], [right, right, 1 - right, 1 - right], ":", color=GREY)
    ax.set(xlim=(-0.25, 1.25), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    ax.set(xlabel="output y", ylabel="pain that M predicts")
    ax.set_title("Predicted pain turns the output on at the first B only")
    save(figure, "valley.png")


config = ff.Config(**(ff.QUICK if flags.quick else {}))
nets = graduate(config, flags.seed)
draw_latch(config, nets)
draw_solved(ff.Config(), read("results.json"), read("study.json"))
draw_valley(config, nets)
