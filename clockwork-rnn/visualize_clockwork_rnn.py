# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Draw the figures of clockwork-rnn into viz/."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import clockwork_rnn
from clockwork_rnn import QUICK, SAMPLES_PER_SECOND, TARGETS, Config, kinds, nmse, train, waveform
import matplotlib.pyplot as plt
import numpy as np
import study_clockwork_rnn

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

COLORS = {"cw": BLUE, "lstm": ORANGE, "srn": RED}
WORDS = {"cw": "clockwork net", "lstm": "LSTM", "srn": "plain net"}
FIGURES = {"cw": 0.007, "lstm": 0.04, "srn": 0.46}  # the paper's
SLOW = 16  # modules of this period or more count as slow in the first picture


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


def recorded(module, name):
    """Return the metrics of each recorded run, or of a quick one if there are none."""
    path = Path(__file__).resolve().with_name(name)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    table = module.run(module.Config(**module.QUICK), flags.seed, lambda *_: None)
    return [clockwork_rnn.flatten(table)]


# ---- 1: what three nets make of one waveform -----------------------------------------------------
def three_nets(rates):
    """Train a net of each kind on the first waveform of a run, from the run's own first weights.

    Returns the target (T,), the outputs {kind: (T,)}, and the clockwork net with its states.
    """
    config = replace(Config(), **(QUICK if flags.quick else {}))
    *streams, sounds = map(np.random.default_rng, np.random.SeedSequence(flags.seed).spawn(4))
    target = waveform(sounds, config)[None]  # (1, T)
    outputs = {}
    for (name, (net, _)), rng in zip(kinds(config).items(), streams, strict=True):
        theta = net.draw(rng, TARGETS * config.nets, config)[:1]  # (1, P)
        rate = np.array([rates[name]])
        outputs[name] = train(net, theta, target, rate, config, lambda *_: None)[0]
        if name == "cw":
            clockwork = net
    return target[0], outputs, clockwork


def slow_part(net):
    """Return what the slow modules and the bias add to the output, (T,)."""
    slow = np.append(net.periods >= min(SLOW, net.periods.max()), True)  # (N + 1,)
    return net.states()[0][:, slow] @ net.v[0, slow, 0]


def draw_output(ax, name, target, y, milliseconds):
    """Draw a target and an output."""
    ax.plot(milliseconds, target, color="#BBBBBB", lw=3.5, solid_capstyle="round")
    ax.plot(milliseconds, y, color=COLORS[name], lw=1.5)
    error = nmse(y[None], target[None])[0]
    ax.set_title(f"{WORDS[name]}: NMSE {error:.2g}", color=COLORS[name], fontsize=11, pad=5)
    ax.set(yticks=[-1, 0, 1], ylim=(-1.2, 1.2), xlim=(0, milliseconds[-1]))


def draw_clock(ax, net, milliseconds):
    """Draw a mark where a module ticks, slow modules on top."""
    periods = np.unique(net.periods)
    for row, period in enumerate(periods):
        times = milliseconds[::period]
        slow = period >= SLOW
        ax.plot(times, np.full(len(times), row), "|", color=GREEN if slow else BLUE, ms=7, mew=0.9)
    ax.set_yticks(range(0, len(periods), 2), [str(period) for period in periods[::2]])
    ax.set(ylabel="period", xlabel="milliseconds", ylim=(-0.7, len(periods) - 0.3))
    ax.set_xlim(0, milliseconds[-1])


def picture_waveform(rates):
    """Picture the outputs of three nets, the clockwork's large, and the ticks of its modules."""
    target, outputs, net = three_nets(rates)
    milliseconds = 1000 * np.arange(len(target)) / SAMPLES_PER_SECOND
    figure, axes = plt.subplot_mosaic(
        [["cw", "lstm"], ["cw", "lstm"], ["cw", "srn"], ["clock", "srn"]],
        figsize=(9, 5.4),
        width_ratios=(1.75, 1),
        height_ratios=(1, 0.35, 0.65, 0.95),
    )
    for name, ax in axes.items():
        if name != "clock":
            draw_output(ax, name, target, outputs[name], milliseconds)
    axes["cw"].step(milliseconds, slow_part(net), color=GREEN, lw=1.2, where="post")
    axes["cw"].set_ylabel("amplitude")
    place = {"transform": axes["cw"].transAxes, "va": "bottom"}
    axes["cw"].text(0.99, 0.02, "grey: the target", color="#777777", ha="right", **place)
    slow = min(SLOW, net.periods.max())
    axes["cw"].text(0.01, 0.02, f"green: what periods of {slow} and more add", color=GREEN, **place)
    draw_clock(axes["clock"], net, milliseconds)
    axes["srn"].set_xlabel("milliseconds")
    figure.suptitle(
        "The clockwork net has every wiggle, its rivals of equal size have not",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=12.5,
    )
    save(figure, "waveform.png")


# ---- 2: sizes ------------------------------------------------------------------------------------
def picture_sizes(runs, studies):
    """Picture the errors of three nets against their parameters."""
    figure, ax = plt.subplots(figsize=(8.4, 5))
    config = replace(Config(), **(QUICK if flags.quick else {}))
    for name, (net, _) in kinds(config).items():
        small = np.array([study[f"{name}.nmse"] for study in studies])  # (seeds, sizes)
        large = np.array([run[f"{name}.nmse"] for run in runs])  # (seeds,)
        x = np.array([*studies[0][f"{name}.parameters"], net.parameters()])
        middle = [*np.median(small, 0), np.median(large)]
        for k, column in enumerate([*small.T, large]):
            ax.plot(np.full(len(column), x[k]), column, "o", color=COLORS[name], ms=5, alpha=0.5)
        ax.plot(x, middle, color=COLORS[name], lw=2)
        style = {"color": COLORS[name], "weight": "bold", "fontsize": 11, "va": "bottom"}
        side = (0.97, "right") if name == "cw" else (1.02, "left")
        ax.text(x[0] * side[0], middle[0] * 1.15, WORDS[name], ha=side[1], **style)
        edge = 1150 if not flags.quick else 1.1 * x[-1]
        ax.plot([edge, 1.25 * edge], 2 * [FIGURES[name]], **PAPER)
        ax.text(
            1.3 * edge, FIGURES[name], f"paper: {FIGURES[name]}", va="center", color=COLORS[name]
        )
    x = [*studies[0]["cw.parameters"], kinds(config)["cw"][0].parameters()]
    floor = np.median([study["cw.untrained_nmse"] for study in studies], 0)
    floor = [*floor, np.median([run["cw.untrained_nmse"] for run in runs])]
    ax.plot(x, floor, color=GREY, ls="--", lw=1.4)
    said = "untrained clockwork,\nbest readout"
    ax.text(0.97 * x[0], floor[0], said, color="#777777", ha="right", va="center")
    ax.set(xscale="log", yscale="log", xlabel="parameters", ylabel="NMSE (1: the best constant)")
    ax.set_xlim(0.36 * x[0], 2.3 * edge)
    ax.set_ylim(top=2 * ax.get_ylim()[1])
    ticks = sorted(set(x)) if flags.quick else (64, 100, 250, 500, 1000)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_title("At each size the clockwork net is ahead")
    save(figure, "sizes.png")


# ---- 3: the clock --------------------------------------------------------------------------------
VARIANTS = {
    "reference": "clockwork net",
    "linear": "periods 1, 6, 11, ...",
    "no_mask": "clock, no mask",
    "reversed": "fast speak to slow",
    "no_clock": "mask, no clock",
}


def draw_variants(ax, studies):
    """Draw the errors of the variants, a dot for each seed and a bar for their median."""
    for row, name in enumerate(reversed(VARIANTS)):
        errors = [study[f"{name}.nmse"] for study in studies]
        color = BLUE if name == "reference" else "#555555"
        ax.plot(errors, np.full(len(errors), row), "o", color=color, ms=7, alpha=0.7)
        ax.plot(2 * [np.median(errors)], [row - 0.25, row + 0.25], color=color, lw=2.5)
    ax.set_yticks(range(len(VARIANTS)), [*reversed(VARIANTS.values())])
    ax.set(xscale="log", xlabel="NMSE at 1,000 parameters", ylim=(-0.5, len(VARIANTS) - 0.5))
    ax.grid(axis="x", color="#DDDDDD")


def draw_reach(ax, studies):
    """Draw the last output's gradient against the lag, the median of the seeds."""
    ends = []
    for name, color in COLORS.items():
        x = studies[0]["lags"]
        for row, style in (("reach_before", ":"), ("reach_after", "-")):
            middle = np.median([study[f"{name}.{row}"] for study in studies], 0)
            ax.plot(x, middle, color=color, ls=style, lw=1.8)
        ends.append((middle[-1], name, color))
    last = -np.inf
    for y, name, color in sorted(ends):
        last = max(y, last + 0.9)
        ax.text(x[-1] * 1.02, last, WORDS[name], color=color, weight="bold", va="center")
    ax.set(xlabel="samples before the last output", ylabel="log10 of its gradient at the state")
    ax.set_xlim(0, x[-1] * 1.5)
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= x[-1]])
    ax.yaxis.set_major_locator(plt.MaxNLocator(6, integer=True))


def picture_clock(studies):
    """Picture the variants, and how far gradients reach."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1, 1.1))
    draw_variants(left, studies)
    draw_reach(right, studies)
    right.set_title("before (dots) and after training", weight="normal", fontsize=11)
    left.set_title("one part changed", weight="normal", fontsize=11)
    figure.suptitle("The clock carries the win", x=0.01, ha="left", weight="bold", fontsize=12.5)
    save(figure, "clock.png")


runs = recorded(clockwork_rnn, "results.json")
studies = recorded(study_clockwork_rnn, "study.json")
picture_waveform({name: runs[0][f"{name}.rate"] for name in COLORS})
picture_sizes(runs, studies)
picture_clock(studies)
