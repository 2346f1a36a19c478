# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib"]
# ///
"""Three figures of the blues: what a net plays, who keeps the place, and the loop of its cells.

A few nets are trained here by the experiment's own code; what all the seeds have to say is read
from the records. Where these are missing, a quick run stands in.

    python3 visualize_blues_improvisation.py --seed 0
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import blues_improvisation as blues
import matplotlib.pyplot as plt
import numpy as np
import study_blues_improvisation as study
from blues_improvisation import CHORD_AT, CHORDS, CHORUS, TONES

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
SHADE = {"C": SKY, "F": ORANGE, "G": GREEN}  # of a chord
NETS = 4  # that are trained for the pictures


def trained(config, seed):
    """Train a few LSTMs and tanh nets, and let them play: a dict for each of the two kinds."""
    seeds = np.random.SeedSequence(seed).spawn(7)
    known, held_out = np.split(blues.draw_songs(np.random.default_rng(seeds[0]), 128), 2)
    tanh_rates = np.repeat(config.rnn_rates, 2)
    nets = {
        "lstm": (blues.Lstm(config), config.nets, config.learning_rate, seeds[1:4]),
        "tanh": (
            blues.RecurrentNet(config.rnn_units, 1 + TONES, TONES),
            len(tanh_rates),
            tanh_rates,
            seeds[4:],
        ),
    }
    shown = {"song": held_out[0]}
    for name, (net, count, rates, (init, music, luck)) in nets.items():
        theta = blues.learn(net, count, rates, known, config, (init, music), lambda *_: None)
        said, notes = blues.play(net, theta, held_out, config, luck)
        lasted, _ = blues.judge(said)
        shown[name] = {"net": net, "theta": theta, "said": said, "notes": notes, "lasted": lasted}
    return shown


def recorded(file, program):
    """Return the metrics of all recorded seeds, or those of a quick run if there are none."""
    path = Path(__file__).with_name(file)
    if path.exists() and not flags.quick:
        return [record["metrics"] for record in json.loads(path.read_text("utf-8"))["records"]]
    quick = program.run(program.Config(**program.QUICK), flags.seed, lambda *_: None)
    return [blues.flatten(quick)]


def save(figure, name):
    """Write a picture that does not depend on when or where it was made."""
    (flags.out / "viz").mkdir(exist_ok=True)
    figure.savefig(flags.out / "viz" / name, metadata={"Software": None})
    plt.close(figure)
    print(flags.out / "viz" / name)


# ---- 1: the piano roll ----
def letters(chords):
    """Name the chord of each step of chords (steps, TONES): "C", "F", "G", or "?"."""
    known = {tuple(sorted(tones)): name for name, tones in CHORDS.items()}
    return [known.get(tuple(np.flatnonzero(row)), "?") for row in chords]


def draw_roll(ax, chords, notes, words):
    """Draw a chorus: chords (CHORUS, TONES) as a strip with names, notes (CHORUS,) above it."""
    names = letters(chords)
    starts = [t for t in range(CHORUS) if t == 0 or names[t] != names[t - 1]]
    for start, end in zip(starts, [*starts[1:], CHORUS]):
        shade = SHADE.get(names[start], RED)
        ax.axvspan(start, end, color=shade, alpha=0.22, lw=0)
        ax.add_patch(plt.Rectangle((start, -4.2), end - start, 2.9, color=shade, lw=0))
        if end - start > 3:
            text = f"{names[start]}7".replace("?7", "?")
            ax.text((start + end) / 2, -2.75, text, ha="center", va="center", weight="bold")
    ax.vlines(range(0, CHORUS + 1, blues.BAR), -1.3, 13.2, color="white", lw=1.2)
    ax.bar(np.arange(CHORUS) + 0.5, 0.9, 0.86, notes - 0.45, color=BLACK)
    ax.set(xlim=(0, CHORUS), ylim=(-4.2, 13.2), yticks=(0, 3, 5, 7, 10, 12), xticks=())
    ax.set_yticklabels(["C", "E\u266d", "F", "G", "B\u266d", "C'"], fontsize=9)
    ax.set_title(words, fontsize=10, pad=4)
    for side in ax.spines.values():
        side.set_visible(False)


def piano_roll(lstm, song):
    """Draw a song of the corpus, and the first and the last chorus that a net plays."""
    best = int(lstm["lasted"].argmax())
    said, notes = lstm["said"][:, best, :TONES] > 0.5, lstm["notes"][:, best]
    last = len(notes) // CHORUS
    figure, axes = plt.subplots(3, 1, figsize=(9, 6.3))
    rows = (
        (CHORD_AT, song, "a song of the corpus that was held out"),
        (
            said[:CHORUS],
            notes[:CHORUS],
            "the net's chorus 1: it heard the first bar, and then itself",
        ),
        (said[-CHORUS:], notes[-CHORUS:], f"chorus {last}, {last - 1} x 96 steps later"),
    )
    for ax, row in zip(axes, rows):
        draw_roll(ax, *row)
    axes[-1].set_xticks(
        np.arange(12) * blues.BAR + 4, [f"bar {k}" for k in range(1, 13)], fontsize=9
    )
    axes[-1].tick_params(length=0)
    in_time = lstm["lasted"][best] >= last
    number = {100: "hundredth"}.get(last, f"{last}th")
    title = f"The {number} chorus is in time" if in_time else f"By chorus {last} the place is lost"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    save(figure, "piano_roll.png")


# ---- 2: who keeps the place ----
def survival():
    """Draw the share of nets without a wrong chord so far, over the seeds."""
    runs, studies = recorded("results.json", blues), recorded("study.json", study)
    choruses = np.array(runs[0]["curve.x"])
    x = np.geomspace(1 / blues.BARS, choruses[-1], 400)
    y = np.array([run["curve.y"] for run in runs])  # (seeds, 101)
    figure, ax = plt.subplots(figsize=(9, 4.6))
    # the first change of chord ends the fourth bar: until then nobody has been wrong
    whole, start = np.maximum(choruses, 4 / blues.BARS), [1 / blues.BARS]
    low, high = np.quantile(y, (0.25, 0.75), axis=0)
    ax.fill_between(whole, low, high, color=BLUE, alpha=0.15, lw=0)
    ax.plot([*start, *whole], [1, *y.mean(0)], color=BLUE, lw=2.4)
    rows = {
        "tanh nets": ("rnn", RED, "-"),
        "LSTM, 8 and 8 cells": ("small", ORANGE, "-"),
        "LSTM, free links": ("free_links", GREEN, "-"),
        "LSTM, single choruses": ("one_chorus", PINK, "--"),
    }
    ends, labels = [y.mean(0)[-1]], [("LSTM", y.mean(0)[-1], BLUE)]
    for words, (name, color, style) in rows.items():
        lasted = np.concatenate([metrics[f"{name}.lasted_each"] for metrics in studies])
        share = (lasted[:, None] >= x).mean(0)
        ax.plot(x, share, color=color, linestyle=style, lw=2)
        ends.append(share[-1])
        labels.append((words, share[-1], color))
    for (words, share, color), place in zip(labels, spread_out(ends, 0.075)):
        text = f"  {words}: {share:.0%}"
        ax.text(x[-1], place, text, color=color, weight="bold", va="center")
    bars = np.mean([metrics["markov.bars"] for metrics in studies])
    ax.text(0.09, 0.03, f"Markov chain:\nlost after\n{bars:.0f} bars", fontsize=9, va="bottom")
    ax.set(xscale="log", xlim=(x[0], x[-1]), ylim=(0, 1.02), xlabel="choruses played alone")
    ax.set_xticks(
        [1 / 12, 1 / 3, 1, 3, 10, 30, 100], ["1 bar", "4 bars", "1", "3", "10", "30", "100"]
    )
    ax.minorticks_off()
    ax.set_ylabel("share of nets without a wrong chord so far")
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    if ends[0] > max(ends[1:]):
        ax.set_title("The LSTM keeps the place unless its melody may lead its chords")
    else:
        ax.set_title("Who keeps the place")
    save(figure, "survival.png")


def spread_out(places, gap):
    """Push places apart so that labels do not overlap, from the lowest up."""
    out, low = np.array(places, float), 0.03
    for k in np.argsort(places, kind="stable"):
        out[k] = low = max(low, out[k])
        low += gap
    return out - max(0.0, out.max() - 0.98)


# ---- 3: the loop ----
def trace(kind, which):
    """Feed a net with what it once played: what its units show (steps, units), chords' alone."""
    net, steps = kind["net"], len(kind["said"])
    said, notes = kind["said"][:, [which], :TONES], kind["notes"][:, [which]]
    x = blues.encode((said > 0.5).transpose(0, 2, 1)[..., None], notes[:, :, None])
    keep = np.ones((steps, 1, 1), np.float32)
    net.forward(kind["theta"][[which]], x, keep, net.silence(1, 1))
    return net.h[:, : getattr(net, "chord_cells", net.units), 0, 0]


def plane(states):
    """Return two directions, (cells, 2), along which the states (steps, cells) vary most."""
    return np.linalg.svd(states - states.mean(0), full_matrices=False)[2][:2].T


def draw_loop(ax, kind, which):
    """Draw what a net's units show from chorus 2 on, in the chord that the net plays there."""
    states = trace(kind, which)[CHORUS:]
    names = np.array(letters(kind["said"][CHORUS:, which, :TONES] > 0.5))
    place = (states - states.mean(0)) @ plane(states)  # (steps, 2)
    ax.plot(*place.T, color=GREY, lw=0.4, alpha=0.5, zorder=1)
    for chord, shade in SHADE.items():
        ax.plot(*place[names == chord].T, ".", color=shade, ms=6, mew=0, label=f"{chord}7")
    ax.set(xticks=(), yticks=(), xlabel="first principal direction")
    ax.margins(0.08)


def period(chords):
    """Return the least number of steps after which chords (steps, TONES) repeat at the end."""
    half = len(chords) // 2
    for steps in range(1, half):
        if (chords[half:] == chords[half - steps : -steps]).all():
            return steps
    return None


def loop(shown):
    """Draw an LSTM that keeps its place, and the tanh net that is wrong most often."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.8))
    lstm, tanh = shown["lstm"], shown["tanh"]
    choruses = len(lstm["said"]) // CHORUS
    form = np.tile(CHORD_AT, (choruses, 1))[:, None]
    wrong = ((tanh["said"][:, :, :TONES] > 0.5) != form).any(2).mean(0)  # (N,)
    best, worst = int(lstm["lasted"].argmax()), int(wrong.argmax())
    draw_loop(axes[0], lstm, best)
    draw_loop(axes[1], tanh, worst)
    axes[0].set_title(f"LSTM: choruses 2 to {choruses}, one on the other", fontsize=10)
    steps = period(tanh["said"][:, worst, :TONES] > 0.5)
    words = f"a tanh net on a loop of {steps} steps" if steps else "a tanh net"
    axes[1].set_title(f"{words}, wrong at {wrong[worst]:.0%} of the steps", fontsize=10)
    axes[0].set_ylabel("second principal direction")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, title="the net plays", loc="outside right center", markerscale=2)
    kept = lstm["lasted"][best] >= choruses
    title = "The chord cells run round one closed loop of 96 steps" if kept else "No closed loop"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    save(figure, "loop.png")


settings = replace(blues.Config(**(blues.QUICK if flags.quick else {})), nets=NETS)
picture = trained(settings, flags.seed)
piano_roll(picture["lstm"], picture["song"])
survival()
loop(picture)
