# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""The animation of embedded Reber strings: a token walks the grammar while a cell holds T or P.

A trained net reads two test strings that differ in their outer symbols alone.

    python3 make_embedded_reber_gif.py --seed 0
"""

import argparse
import io
from dataclasses import replace
from pathlib import Path

import embedded_reber as er
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch
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
STEP, PAUSE, HOLD = 300, 900, 2400  # milliseconds of a frame, of a string's last, of the very last
OUTER = {"T": BLUE, "P": RED}
PLACES = {  # of the nodes: two before the inner grammar, its six states, three behind it
    **{"start": (0, 0), "first": (1.35, 0), 0: (2.7, 0), 1: (4.1, 1.1), 2: (4.1, -1.1)},
    **{3: (6.1, 1.1), 4: (6.1, -1.1), 5: (7.5, 0), "leave": (8.85, 0), "last": (10.2, 0)},
    "end": (11.4, 0),
}


def edges():
    """List (from, to, symbol) of the embedded grammar."""
    found = [("start", "first", "T"), ("start", "first", "P"), ("first", 0, "B")]
    for state, ways in enumerate(er.GRAMMAR):
        for symbol, to in ways.items():
            found.append((state, "leave" if to == er.END else to, symbol))
    return [*found, ("leave", "last", "T"), ("leave", "last", "P"), ("last", "end", "E")]


def nodes(text):
    """List the node that each symbol of a string leads to."""
    place, path = "start", []
    for symbol in text[1:]:
        path.append(place)
        place = next(to for origin, to, way in edges() if (origin, way) == (place, symbol))
    return [*path, place]


def trained_net(config, seed):
    """Train nets on one pair of sets; return the net, the first weights that solve it, the pair."""
    data, init, order = np.random.default_rng(seed).spawn(3)
    pair = er.draw_data(data, config)[0][0]
    net = er.Lstm(config)
    theta = net.initial(init, config.nets, config)
    trainer = er.Trainer(net, theta, config.learning_rate, [pair], config)
    trainer.train(order, lambda share, text: None)
    return net, trainer.theta[[trainer.sequences.argmin()]], pair


def with_outer(text, symbol):
    return f"{text[0]}{symbol}{text[2:-2]}{symbol}{text[-1]}"


def read(net, theta, texts):
    """Let the net read strings of one length: outputs (T, 7, B), states and gates (T, J, S, B)."""
    x, _, _ = er.encode(texts)
    y = net.forward(theta, x.transpose(0, 2, 1)[:, None])[:, 0]
    return y, 2 * net.s[1:, 0], net.gates[:, 0, 1]  # states on the paper's scale


def draw_edge(ax, origin, to, symbol, p):
    """Draw an edge; p is how far the net expects its symbol, None where the token is elsewhere."""
    (x1, y1), (x2, y2) = PLACES[origin], PLACES[to]
    outer = to in ("first", "last")  # two edges between the same nodes
    bend = {"T": -0.5, "P": 0.5}[symbol] if outer else 0
    spot = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    ends, style, gap = ((x1, y1), (x2, y2)), f"arc3,rad={bend}", 9
    if origin == to:  # a loop
        up = np.sign(y1)
        ends = (x1 - 0.14 * up, y1 + 0.18 * up), (x1 + 0.14 * up, y1 + 0.18 * up)
        spot, style, gap = spot + (0, 0.72 * up), "arc3,rad=-1.6", 0
    elif (origin, to) == (3, 2):
        spot = spot + (0.15, 0.6)
    elif outer:
        spot = spot - (0, 1.2 * bend)
    elif y1 == y2 == 0:
        spot = spot + (0, 0.27)
    else:
        away = spot - (5.1, 0)  # from the middle
        spot = spot + 0.32 * away / np.hypot(*away)
    how = {"arrowstyle": "-|>", "mutation_scale": 11, "shrinkA": gap, "shrinkB": gap}
    color, width = ("#BBBBBB", 1) if p is None else (ORANGE, 1 + 5 * p)
    arrow = FancyArrowPatch(*ends, connectionstyle=style, color=color, linewidth=width, **how)
    ax.add_patch(arrow)
    words, ink = (symbol, "#777777") if p is None else (f"{symbol} {p:.2f}", BLACK)
    bold = "normal" if p is None else "bold"
    ax.text(*spot, words, ha="center", va="center", color=ink, fontsize=10, weight=bold)


def draw_graph(ax, text, t, y, glow, state):
    """Draw the grammar, the token, what the net predicts, and the cell."""
    here, due = nodes(text)[t], len(text) - 3
    for origin, to, symbol in edges():
        live = origin == here and t < len(y)
        draw_edge(ax, origin, to, symbol, y[t, er.SYMBOLS.index(symbol)] if live else None)
    for node, (px, py) in PLACES.items():
        full = BLACK if node == here else "white"
        ax.plot(px, py, "o", color=full, markeredgecolor="#777777", markersize=13, zorder=4)
    strength = min(1, abs(glow))
    light = np.array(to_rgb(BLUE if glow > 0 else RED)) * strength + (1 - strength)
    ax.plot(10.3, 1.5, "o", color=light, markeredgecolor=BLACK, markersize=38)
    ax.text(9.55, 1.5, f"memory cell\nstate {state:+.1f}", ha="right", va="center", fontsize=10)
    how = {"weight": "bold", "color": OUTER[text[1]], "va": "center"}
    ax.text(-0.3, 1.75, f"read: {text[: t + 1]}", fontsize=11, **how)
    if t >= due:
        said = (f"{symbol} {y[due, er.SYMBOLS.index(symbol)]:.2f}" for symbol in "TP")
        ax.text(9.5, -1.6, f"outer symbol: {', '.join(said)}", ha="center", fontsize=10, **how)
    ax.set(xlim=(-0.4, 11.8), ylim=(-2.15, 2.15))
    ax.axis("off")


def draw(texts, b, t, y, states, gates, limits):
    """Draw a frame: string b after its symbol t."""
    fig = plt.figure(figsize=(8, 5))
    grid = fig.add_gridspec(2, 1, height_ratios=(1.7, 1))
    graph, strip = fig.add_subplot(grid[0]), fig.add_subplot(grid[1])
    title = "One memory cell keeps T or P until it is asked for"
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
    text, last = texts[b], min(t, len(y) - 1)
    gap = states[:, 0] - states[:, 1]  # (T,)
    glow = (1 if b == 0 else -1) * abs(gap[last]) / np.abs(gap).max()
    draw_graph(graph, text, t, y[:, :, b], glow, states[last, b])
    for k in range(b + 1):
        upto = len(y) if k < b else last + 1
        color = OUTER[texts[k][1]]
        strip.plot(np.arange(upto), states[:upto, k], "o-", color=color, markersize=4, linewidth=2)
        if upto == len(y):
            words = f"B{texts[k][1]}..."
            strip.text(len(y) - 0.8, states[-1, k], words, color=color, va="center", weight="bold")
    low, high = limits
    openness = gates[: last + 1, b] * (high - low) * 0.22
    strip.bar(np.arange(last + 1), openness, bottom=low, color="#BBBBBB", width=0.5, zorder=0)
    strip.set(xlim=(-0.5, len(y) + 0.2), ylim=limits, ylabel="cell state")
    strip.set_xticks(range(len(y)), list(text[:-1]))
    strip.get_xticklabels()[1].set(color=OUTER[text[1]], weight="bold")
    strip.set_xlabel("symbol read (grey bars: how far the cell's output gate is open)")
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    frame = Image.open(buffer).convert("RGB")
    return frame.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main():
    config = er.Config(**(er.QUICK if flags.quick else {"max_sequences": 20_000}))
    net, theta, pair = trained_net(replace(config, nets=6), flags.seed)
    fitting = [text for text in pair[1] if len(text) <= 14 and len(set(text[2:])) == 7]
    text = max(fitting or pair[1], key=len)
    texts = [with_outer(text, symbol) for symbol in "TP"]
    y, states, gates = read(net, theta, texts)
    gap = np.abs(states[1:-1, ..., 0] - states[1:-1, ..., 1]).min(0)  # (J, S), at its smallest
    j, s = np.unravel_index(gap.argmax(), gap.shape)
    states, gates = states[:, j, s], gates[:, j, 0]  # (T, B)
    margin = 0.15 * np.ptp(states)
    limits = states.min() - 3.3 * margin, states.max() + margin
    order = [(b, t) for b in range(2) for t in range(len(text))]
    frames = [draw(texts, b, t, y, states, gates, limits) for b, t in order]
    frames[0].save(
        flags.out / "embedded_reber.gif",
        save_all=True,
        append_images=frames[1:],
        loop=0,
        optimize=True,
        duration=[PAUSE if t == len(text) - 1 else STEP for _, t in order[:-1]] + [HOLD],
    )


if __name__ == "__main__":
    main()
