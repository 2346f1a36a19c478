# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of the blues: a net that plays alone, early in its training and at its end.

Its melody scrolls by over its chords, while its chord cells run round their loop.

    python3 make_blues_improvisation_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import blues_improvisation as blues
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from blues_improvisation import BAR, CHORDS, CHORUS, FORM, TONES

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
SHADE = {"C": SKY, "F": ORANGE, "G": GREEN, "?": RED}  # of a chord
VIEW, FRAMES, STEP, HOLD = 32, 16, 140, 2000  # steps in sight; frames a scene; milliseconds


def snapshots(config, seed):
    """Train a few nets; return the net, the song to begin with, and {update: weights (N, P)}."""
    seeds = np.random.SeedSequence(seed).spawn(4)
    known, held_out = np.split(blues.draw_songs(np.random.default_rng(seeds[0]), 128), 2)
    net, shots = blues.Lstm(config), {}
    init, music = map(np.random.default_rng, seeds[1:3])
    theta = net.initial(init, config.nets, config)

    def watch(done, text):
        shots[round(done * config.updates)] = theta.copy()

    streams = blues.endless(music, known, config.nets, config)
    blues.train(net, theta, config.learning_rate, streams, config, watch)
    shots[config.updates] = theta
    return net, held_out, shots, seeds[3]


def perform(net, theta, songs, config, seed):
    """Let nets play; return chords, notes, choruses in time, and one net's states on demand."""
    said, notes = blues.play(net, theta, songs, config, seed)
    lasted, _ = blues.judge(said)
    return said[:, :, :TONES] > 0.5, notes, lasted


def trace(net, theta, chords, notes):
    """Feed one net with what it played: what its chord cells show and hold, and forget gates.

    These are h, s and f, (steps, chord cells) each.
    """
    x = blues.encode(chords[:, :, None, None], notes[:, None, None])
    keep = np.ones((len(notes), 1, 1), np.float32)
    net.forward(theta[None], x, keep, net.silence(1, 1))
    parts = (net.h, net.s, net.u[:, 2])
    return [part[:, : net.chord_cells, 0, 0] for part in parts]


def letters(chords):
    """Name the chord of each step of chords (steps, TONES): "C", "F", "G", or "?"."""
    known = {tuple(sorted(tones)): name for name, tones in CHORDS.items()}
    return np.array([known.get(tuple(np.flatnonzero(row)), "?") for row in chords])


def draw(scene, now, home):
    """Draw a frame: what the net plays, the form, and what its chord cells hold and keep."""
    figure = plt.figure(figsize=(8, 4.6))
    grid = figure.add_gridspec(4, 2, width_ratios=(1, 1.9), height_ratios=(2.1, 0.62, 1, 1))
    title = "Once it has found the form, the LSTM does not drift from it"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    draw_ring(figure.add_subplot(grid[:, 0]), scene, now, home)
    roll, form, cells, gates = (figure.add_subplot(grid[k, 1]) for k in range(4))
    span = np.arange(max(now - VIEW + 1, 0), now + 1)
    edges = (now - VIEW + 1, now + 1)
    wanted = np.array([FORM[t % CHORUS // BAR] for t in span])
    played = scene["names"][span]
    colors = [
        [plt.matplotlib.colors.to_rgb(SHADE[name]) for name in row] for row in (played, wanted)
    ]
    paint = {"aspect": "auto", "interpolation": "nearest"}
    pale = 0.55 + 0.45 * np.array(colors[:1])
    roll.imshow(pale, extent=(span[0], now + 1, -1, 13.2), **paint)
    roll.bar(span + 0.5, 0.95, 0.9, scene["notes"][span] - 0.47, color=BLACK)
    roll.set(xlim=edges, ylim=(-1, 13.2), xticks=(), yticks=(0, 3, 5, 7, 10, 12))
    roll.set_yticklabels(["C", "E\u266d", "F", "G", "B\u266d", "C'"], fontsize=9)
    roll.set_title(
        f"{scene['words']}: chorus {scene['chorus']}, bar {now % CHORUS // BAR + 1}", fontsize=10
    )
    form.imshow(np.array(colors), extent=(span[0], now + 1, 0, 2), **paint)
    form.plot([span[0], now + 1], [1, 1], color="white", lw=2)
    cuts = [0, *(np.flatnonzero(wanted[1:] != wanted[:-1]) + 1), len(span)]
    for start, end in zip(cuts, cuts[1:]):
        if end - start > 2:
            place = (span[start] + span[end - 1] + 1) / 2
            form.text(place, 0.46, f"{wanted[start]}7", fontsize=9, ha="center", va="center")
    form.set(xlim=edges, ylim=(0, 2), xticks=(), yticks=(0.5, 1.5))
    form.set_yticklabels(["form", "net"], fontsize=9)
    for t in span[played != wanted]:
        form.plot(t + 0.5, 1.5, "x", color=BLACK, ms=4)
    for bar in range(-(-edges[0] // BAR) * BAR, now + 2, BAR):
        roll.axvline(bar, color="white", lw=1.2)
    for ax, name, words, looks in (
        (cells, "held", "cells\nhold", ("RdBu_r", -1, 1)),
        (gates, "gates", "forget\ngates", ("gray", 0, 1)),
    ):
        part = scene[name][span]  # (steps, chord cells)
        if name == "held":
            part = (part - home["middle"]) / home["size"]
        image = np.full((len(home["order"]), VIEW), np.nan)
        image[:, -len(span) :] = part[:, home["order"]].T
        ax.imshow(image, cmap=looks[0], vmin=looks[1], vmax=looks[2], **paint)
        ax.set(xticks=(), yticks=())
        ax.set_ylabel(words, fontsize=9, rotation=0, ha="right", va="center")
    gates.set_xlabel("the last 32 steps (white: the gate is open, the cell keeps)", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def draw_ring(ax, scene, now, home):
    """Draw the loop of the trained net in grey, and the way of the scene's cells up to now."""
    ax.plot(*home["loop"].T, color="#D0D0D0", lw=4, solid_capstyle="round", zorder=1)
    place = (scene["shown"] - home["mean"]) @ home["plane"]  # (steps, 2)
    trail = place[max(0, now - VIEW + 1) : now + 1]
    ax.plot(*trail.T, color=BLACK, lw=1.3, zorder=2)
    ax.plot(*trail[-1], "o", ms=13, color=SHADE[scene["names"][now]], mec=BLACK, zorder=3)
    low, high = home["limits"]
    margin = 0.08 * (high - low)
    ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), xticks=(), yticks=())
    ax.set(ylim=(low[1] - margin[1], high[1] + margin[1]))
    ax.set_title("what the chord cells show\n(grey: the trained net)", fontsize=10)
    ax.set_xlabel("two main directions of 24", fontsize=9)


def main():
    config = replace(blues.Config(**(blues.QUICK if flags.quick else {})), nets=4)
    net, songs, shots, luck = snapshots(config, flags.seed)
    chords, notes, lasted = perform(net, shots[config.updates], songs, config, luck)
    best = int(lasted.argmax())
    shown, held, _ = trace(net, shots[config.updates][best], chords[:, best], notes[:, best])
    loop = shown[-CHORUS - 1 :]
    mean = loop.mean(0)
    basis = np.linalg.svd(loop - mean, full_matrices=False)[2][:2].T
    middle = (held[-CHORUS:].max(0) + held[-CHORUS:].min(0)) / 2  # (chord cells,)
    size = np.ptp(held[-CHORUS:], axis=0) / 2 + 1e-9
    home = {"loop": (loop - mean) @ basis, "mean": mean, "plane": basis, "middle": middle}
    home |= {"size": size, "order": held[-CHORUS:].argmax(0).argsort()}  # by their peaks
    last = len(shown) // CHORUS
    scenes = []
    for share, chorus in ((0.05, 1), (0.2, 1), (1, 1), (1, last)):
        update = max(shot for shot in shots if shot <= share * config.updates)
        theta = shots[update]
        if update < config.updates:
            short = replace(config, choruses=1)
            played, tune, _ = perform(net, theta, songs, short, luck)
        else:
            played, tune = chords, notes
        seen = trace(net, theta[best], played[:, best], tune[:, best])
        scene = dict(zip(("shown", "held", "gates"), seen))
        scene |= {"words": f"after {update:,} updates", "chorus": chorus}
        scene |= {"names": letters(played[:, best]), "notes": tune[:, best]}
        scenes.append((scene, (chorus - 1) * CHORUS))
    parts = [scene["shown"][begin : begin + CHORUS] for scene, begin in scenes]
    places = (np.concatenate(parts) - mean) @ basis
    home["limits"] = places.min(0), places.max(0)
    frames = []
    for scene, begin in scenes:
        for k in range(FRAMES):
            frames.append(draw(scene, begin + (k + 1) * CHORUS // FRAMES - 1, home))
    sheet = Image.new("RGB", (frames[0].width, 4 * frames[0].height))  # colours of all scenes
    for k in range(4):
        sheet.paste(frames[(k + 1) * FRAMES - 4], (0, k * frames[0].height))
    palette = sheet.quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    frames[0].save(
        flags.out / "blues_improvisation.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[STEP] * (len(frames) - 1) + [HOLD],
    )


if __name__ == "__main__":
    main()
