# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Static pictures of the flip-flop experiment, into viz/: one net from its first ticks to its last,
and the study.

The net is trained here by flip_flop.train; what all runs of the study did is read from study.json,
if it is there.

    python visualize_flip_flop.py            about half a minute
    python visualize_flip_flop.py --quick    the same code on a run too short to learn anything
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
COLOURS = {ff.A: BLUE, ff.B: ORANGE, ff.X: GREY}
SHADE = {"color": SKY, "alpha": 0.22, "linewidth": 0}  # the world is armed: the next B is the first
NAMES = {
    "parallel": "C and M at once",
    "sequential": "M first",
    "supervised": "with a teacher",
    "no_floor": "no least noise",
    "full_path": "gradient through M's past too",
    "no_pain_input": "C feels no pain",
    "reinforce": "REINFORCE, no model",
    "hand_weighted": "slope of p, B ticks weighted by hand",
    "linear_pain": "slope of p",
    "fixed_noise": "noise of fixed strength",
    "deterministic": "no noise",
    "pain_as_memory": "no recurrent weights",
    "memoryless": "no memory at all",
}


def snapshots(config, seed):
    """Train one net; returns the checks of its life as (tick, weights and states, marks), and the
    graduate."""
    life = []

    def watch(ticks, ids, nets, marks):
        life.append((ticks, {name: values.copy() for name, values in nets.items()}, marks))

    return ff.train(config, [seed], watch), life


def stream(config, nets, events, seed=None):
    """One net lives through events (T,), with noise if a seed is given: dict of arrays (T,), its
    tape, M's tape."""
    T = len(events)
    events = np.asarray(events)[None, :, None]
    target, _ = ff.targets(config, events, nets["armed"])
    z = (
        np.zeros((1, T, 1))
        if seed is None
        else np.random.default_rng(seed).standard_normal((1, T, 1))
    )
    tape, out, y, pain = ff.live(config, nets["theta"], nets, events, target, z)
    m_tape, _ = ff.predict(config, nets["theta"], nets["h_m"], tape, y)
    armed, state = [], nets["armed"].item()
    for event in events[0, :, 0]:
        armed.append(state)
        state = event == ff.A or (state and event != ff.B)
    sigma = config.sigma_min + (config.sigma_max - config.sigma_min) * out[0, :, 0, 1]
    return (
        {
            "event": events[0, :, 0],
            "armed": np.array(armed),
            "target": target[0, :, 0],
            "mean": out[0, :, 0, 0],
            "sigma": sigma,
            "y": y[0, :, 0],
            "pain": pain[0, :, 0],
        },
        tape[0, 1:, 0, : config.hidden_c],
        m_tape,
    )


def random_events(config, seed, T):
    return ff.pick_events(config, np.random.default_rng(seed).random(T))


def write_events(ax, events, height, size=10):
    """The letters of a stream; X is a dot."""
    for t, event in enumerate(events):
        ax.text(
            t,
            height,
            "·" if event == ff.X else "AB"[event],
            color=COLOURS[event],
            ha="center",
            va="center",
            weight="bold",
            size=size,
            clip_on=False,
        )


def shade_armed(ax, armed):
    ax.fill_between(
        np.arange(len(armed) + 1) - 0.5,
        0,
        1,
        where=np.append(armed, armed[-1]),
        step="post",
        transform=ax.get_xaxis_transform(),
        **SHADE,
    )


def save(figure, name):
    figure.savefig(VIZ / name, metadata={"Software": None})
    plt.close(figure)


def draw_stream(config, life):
    """The same 60 events met by the net at three ages."""
    events = random_events(config, 3, 60)
    late = len(life) - 1
    ages = [
        0,
        next((i for i, (_, _, m) in enumerate(life) if m["hit_rate"][0] > 0.5), late // 2),
        late,
    ]
    figure, axes = plt.subplots(3, 1, figsize=(10, 7), sharex=True)
    for ax, (ticks, nets, _) in zip(axes, (life[i] for i in ages)):
        seen, _, _ = stream(config, nets, events, seed=4)
        t = np.arange(len(events))
        shade_armed(ax, seen["armed"])
        ax.fill_between(
            t,
            seen["mean"] - 2 * seen["sigma"],
            seen["mean"] + 2 * seen["sigma"],
            color=GREEN,
            alpha=0.2,
            linewidth=0,
        )
        ax.plot(t, seen["mean"], color=GREEN)
        ax.plot(t, seen["y"], ".", color=BLACK, markersize=4)
        ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
        ax.vlines(t[seen["pain"]], -1.25, -0.75, color=RED, linewidth=3)
        ax.plot(
            t[seen["target"]], np.full(seen["target"].sum(), 1.55), "v", color=BLACK, markersize=5
        )
        write_events(ax, events, 1.95)
        ax.set(ylim=(-1.3, 1.75), xlim=(-1, 60), yticks=[0, 0.5, 1], ylabel="output y")
        ax.set_title(f"after {ticks:,} ticks of life", fontsize=10, weight="normal", pad=22)
        ax.set_title(
            f"pain at {seen['pain'].sum()} of {len(t)} ticks",
            fontsize=10,
            color=RED,
            pad=22,
            loc="right",
        )
    axes[0].text(34.8, 1.53, "first B after an A: 1 is right", fontsize=8, va="center")
    axes[0].text(10, 1.05, "armed", color=BLUE, fontsize=8)
    axes[-1].set_xlabel(
        "tick of this stream (line: mean of the output; band: two standard deviations; "
        "dots: output)"
    )
    figure.suptitle(
        "Pain alone teaches it: silence first, then a 1 at the first B after each A, "
        "however long the gap",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "stream.png")


def draw_valley(config, grown_together, taught_by_chance):
    """What M expects of every output it might see, at real moments of a stream."""
    contexts = {
        "X, not armed": (ff.X, False, 0),
        "X, armed": (ff.X, True, 0),
        "first B after A": (ff.B, True, 1),
        "repeated B": (ff.B, False, 0),
    }
    figure, axes = plt.subplots(2, 4, figsize=(10, 6.2), sharey=True, sharex=True)
    H, grid = config.hidden_m, np.linspace(-0.5, 1.5, 101)
    for lower, graduate in enumerate((grown_together, taught_by_chance)):
        seen, _, m_tape = stream(config, graduate, random_events(config, 5, 3000), seed=6)
        _, _, w, v = ff.weights(config, graduate["theta"])
        inputs = np.repeat(m_tape[0, :-1, 0][:, None], len(grid), 1)  # (T, grid, H + 6)
        inputs[:, :, H + 5] = 2 * grid - 1
        p = ff.sigmoid(np.tanh(inputs @ w[0]) @ v[0, :H, 0] + v[0, H, 0])  # (T, grid)
        for ax, (label, (event, armed, right)) in zip(axes[lower], contexts.items()):
            here = p[(seen["event"] == event) & (seen["armed"] == armed)]
            low, middle, high = np.quantile(here, [0.05, 0.5, 0.95], 0)
            colour = ORANGE if right else BLUE
            ax.fill_between(grid, low, high, color=colour, alpha=0.25, linewidth=0)
            ax.plot(grid, middle, color=colour, linewidth=2.4)
            ax.plot(
                [-0.5, 0.5, 0.5, 1.5],
                [right, right, 1 - right, 1 - right],
                ":",
                color=BLACK,
                linewidth=1,
            )
            ax.plot(right, 0, "^", color=colour, markersize=9, clip_on=False, zorder=5)
            if not lower:
                ax.set_title(label, fontsize=10, color=colour)
            ax.set(xticks=[0, 0.5, 1], ylim=(-0.03, 1.03), xlim=(-0.5, 1.5))
    axes[0, 0].set_ylabel("C and M learned at once\n\npain that M predicts")
    axes[1, 0].set_ylabel("M learned from random outputs\n\npain that M predicts")
    axes[0, 0].text(-0.45, 0.86, "dotted:\ntrue pain", fontsize=8)
    for ax in axes[1]:
        ax.set_xlabel("output y (▲ right)")
    figure.suptitle(
        "Random outputs teach M all pain; beside a growing C it keeps only the slopes "
        "that C still needs",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "valley.png")


def draw_latch(config, graduate):
    """All hidden units of C while it waits through 100 X."""
    wait = 100
    events = np.array(
        [ff.B, *[ff.X] * 9, ff.A, *[ff.X] * wait, ff.B, *[ff.X] * 7, ff.B, *[ff.X] * 5]
    )
    seen, hidden, _ = stream(config, graduate, events)
    state = np.append(seen["armed"][1:], seen["armed"][-1])  # after each event
    scores = [abs(np.corrcoef(h, state)[0, 1]) if h.std() > 1e-6 else 0 for h in hidden.T]
    best = int(np.argmax(scores))
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 5.4), sharex=True, height_ratios=[3, 1])
    for ax in (top, bottom):
        shade_armed(ax, seen["armed"])
    top.plot(hidden, color=GREY, linewidth=0.7, alpha=0.6)
    top.plot(hidden[:, best], color=BLUE, linewidth=2.6)
    top.annotate(
        f"unit {best + 1} of {config.hidden_c} holds “armed”",
        (60, hidden[60, best]),
        (0, 7),
        color=BLUE,
        textcoords="offset points",
        weight="bold",
        bbox={"color": "white", "alpha": 0.7, "pad": 1},
    )
    top.set(ylabel="hidden units of C", ylim=(-1.08, 1.08), yticks=[-1, 0, 1])
    bottom.plot(seen["mean"], color=GREEN)
    bottom.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    bottom.set(ylabel="mean output", xlabel="tick", ylim=(-0.08, 1.12), xlim=(-1, len(events)))
    write_events(top, events, 1.16, 9)
    bottom.text(wait + 10, 0.75, "first B: fires", color=GREEN, ha="right", va="center")
    bottom.text(
        wait + 19, 0.1, "second B: silent", color=GREEN, va="bottom", ha="center", fontsize=8
    )
    figure.suptitle(
        f"A hidden unit flips at A, stays over {wait} X and falls back at the first B",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "latch.png")


def draw_noise(config, seed, life):
    """How C gets out of "always 0": what reaches it at first Bs, its noise there, its hits, under
    both objectives."""
    end = 1.2 * life[-1][0]
    _, stuck = snapshots(replace(config, objective="pain", max_ticks=int(end)), seed)
    events = random_events(config, 9, 2000)
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.2))
    for objective, colour, history in (("log", BLUE, life), ("pain", ORANGE, stuck)):
        settings = replace(config, objective=objective)
        ticks, push, there, elsewhere, hits = [], [], [], [], []
        for tick, nets, marks in history:
            seen, _, m_tape = stream(settings, nets, events, seed=10)
            _, _, _, v = ff.weights(settings, nets["theta"])
            logit = (m_tape[:, 1:, :, : config.hidden_m + 1] @ v[:, None])[..., 0]
            slope = ff.pain_slope(settings, nets["theta"], m_tape, logit, 1.0)[0, :, 0]
            ticks.append(tick / 1000)
            push.append(-slope[seen["target"]].mean())
            there.append(seen["sigma"][seen["target"]].mean())
            elsewhere.append(seen["sigma"][~seen["target"]].mean())
            hits.append(marks["hit_rate"].item())
        axes[0].plot(ticks, push, color=colour, linewidth=2.4)
        axes[1].plot(ticks, there, color=colour, linewidth=2.4)
        axes[1].plot(ticks, elsewhere, color=colour, linewidth=1, linestyle=":")
        axes[2].plot(ticks, hits, color=colour, linewidth=2.4)
        if objective == "log":
            top = int(np.argmax(there))
            axes[1].annotate(
                "at first Bs",
                (ticks[top], there[top]),
                (0, 6),
                textcoords="offset points",
                color=colour,
                ha="center",
                weight="bold",
            )
            axes[1].annotate(
                "elsewhere",
                (ticks[top], elsewhere[top]),
                (-12, -22),
                textcoords="offset points",
                color=colour,
                ha="center",
            )
            axes[0].annotate(
                "minimise −log(1 − p)",
                (ticks[int(np.argmin(push))], min(push)),
                (10, 0),
                color=colour,
                textcoords="offset points",
                weight="bold",
                va="center",
            )
        else:
            axes[0].annotate(
                "minimise p",
                (ticks[-1], push[-1]),
                (0, -14),
                textcoords="offset points",
                color=colour,
                ha="right",
                weight="bold",
            )
    axes[0].axhline(0, color=GREY, linewidth=0.8, zorder=0)
    for ax, title in zip(
        axes,
        (
            "push on the output towards 1, at first Bs",
            "standard deviation of the output",
            "share of first Bs hit",
        ),
    ):
        ax.set_title(title, fontsize=10, weight="normal")
        ax.set(xlabel="thousand ticks of life", xlim=(0, end / 1000))
    axes[1].set_ylim(0, 0.55)
    figure.suptitle(
        "Doubt comes first: C grows noisy just where pain is certain, M sees what helps, "
        "and C follows it",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "noise.png")


def draw_runs(config, record):
    """Hit and false-alarm rates of all parallel runs of the recorded study."""
    m = record["metrics"]
    ticks, runs = np.array(m["curve_ticks"]) / 1000, m["parallel_runs"]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, sharex=True)
    for ax, label, colour, text in zip(
        axes, ("hit", "false_alarm"), (GREEN, RED), ("fires at a first B", "fires at a repeated B")
    ):
        rates = np.reshape(m[f"curve_{label}_rate"], (len(ticks), runs))
        ax.plot(ticks, rates, color=colour, linewidth=0.6, alpha=0.35)
        ax.plot(ticks, np.median(rates, 1), color=colour, linewidth=2.8)
        ax.axvline(m["supervised_clean_since_50"] / 1000, color=GREY, linewidth=1)
        ax.set_title(text, fontsize=10, color=colour)
        ax.set(xlabel="thousand ticks of life", ylim=(-0.03, 1.05), xlim=(0, ticks[-1]))
    axes[0].set_ylabel("share of such ticks")
    axes[1].text(
        m["supervised_clean_since_50"] / 1000 + ticks[-1] / 60,
        0.8,
        "with a teacher:\nfree of errors here\n(median)",
        color="#666666",
        fontsize=9,
    )
    axes[0].text(
        ticks[-1] * 0.98,
        0.4,
        "a controller without memory\ncannot raise the one without\nraising the other",
        ha="right",
        color="#666666",
        fontsize=9,
    )
    figure.suptitle(
        f"{m['parallel_solved']} of {runs} runs learn to tell the first B from the others "
        f"(paper: 20 of 30)",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "runs.png")


def draw_solved(config, record):
    """Every run of every variant of the pulse task: when it was done, or that it never was."""
    m = record["metrics"]
    figure, ax = plt.subplots(figsize=(10, 5.4))
    for row, name in enumerate(NAMES):
        done, runs = m[f"{name}_solved"], m[f"{name}_runs"]
        ticks = np.sort(m[f"{name}_ticks"])
        colour = (
            BLUE
            if name in ("parallel", "sequential")
            else BLACK
            if name == "supervised"
            else ORANGE
        )
        spread = 0.25 * np.sin(2.4 * np.arange(runs))
        ax.plot(
            ticks[:done],
            row + spread[:done],
            "o",
            color=colour,
            markersize=4,
            alpha=0.7,
            markeredgewidth=0,
        )
        failed = 1.25e6 * 1.045 ** np.arange(runs - done)
        ax.plot(failed, np.full(len(failed), row), "x", color=RED, markersize=4, markeredgewidth=1)
        paper = {"parallel": ", paper 20 of 30", "sequential": ", paper 6 of 10"}.get(name, "")
        ax.text(
            2.35e6,
            row,
            f"{done} of {runs}{paper}",
            va="center",
            color=colour,
            weight="bold" if paper else None,
        )
    ax.set_yticks(range(len(NAMES)), NAMES.values())
    ax.invert_yaxis()
    ax.axvline(1e6, **PAPER)
    ax.text(0.96e6, len(NAMES) - 0.6, "the paper's limit", ha="right", va="bottom", fontsize=8)
    ax.text(1.25e6, -0.75, "never", color=RED, fontsize=9)
    ax.set(
        xscale="log",
        xlim=(1.5e4, 2.2e6),
        xlabel="ticks of life until proven free of errors (one dot per run)",
    )
    figure.suptitle(
        "What it takes: a memory, noise that C itself controls, and a slope that survives "
        "certainty",
        x=0.01,
        ha="left",
        weight="bold",
    )
    save(figure, "solved.png")


def main():
    config = ff.Config(**ff.QUICK) if flags.quick else ff.Config()
    graduate, life = snapshots(config, flags.seed)
    in_turn, _ = snapshots(replace(config, regime="sequential"), flags.seed)
    draw_stream(config, life)
    draw_valley(config, graduate, in_turn)
    draw_latch(config, graduate)
    draw_noise(config, flags.seed, life)
    recorded = Path(__file__).with_name("study.json")
    if recorded.exists():
        record = json.loads(recorded.read_text("utf-8"))["records"][0]
        draw_runs(config, record)
        draw_solved(config, record)


if __name__ == "__main__":
    main()
