# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "matplotlib", "pillow"]
# ///
"""Draw the animation of rs-parity: guesses flash by as two-by-two tables until one is XOR and locks on."""
import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image
from rs_parity import NETS, Config, draw, rollout, search, sequences, tables, training_set

# ---- picture style, byte-identical in every picture script; its text stands in SPEC.md ----
plt.switch_backend("Agg")
plt.rcParams.update({
    "figure.figsize": (8, 4.5), "figure.dpi": 100, "savefig.dpi": 150, "figure.constrained_layout.use": True,
    "figure.facecolor": "white", "savefig.facecolor": "white", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.6})
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK, GREY = (  # Okabe and Ito's colours, safe for the colour-blind
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
PAPER = {"color": BLACK, "linestyle": "--", "linewidth": 1.2}  # the paper's own figure, wherever one is known
flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--seed", type=int, default=0, help="seed of the run that the pictures show")
flags.add_argument("--quick", action="store_true", help="pictures of a quick run: they prove the code")
flags.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write into")
flags = flags.parse_args()
flags.out.mkdir(parents=True, exist_ok=True)

net, config = NETS["no_self"], Config()
if flags.quick:
    config = replace(config, shortest=50, longest=60, long_steps=400)
rng, same = np.random.default_rng(flags.seed), np.random.default_rng(flags.seed)
trials, _, winner = search(net, config, training_set(net, config, rng), rng)
training_set(net, config, same)
bits = tables(net, draw(net, config.prior, same, trials))  # (trials, 4): what each guess makes of (x, y)
steps = config.long_steps
data = sequences(rng, 2, replace(config, shortest=steps, longest=steps))
parity = np.cumsum(data.x[:, 0] > 0) % 2


def outputs(weights):
    """The output of one net along the long sequence, (steps,)."""
    return rollout(net, weights.astype(float), data.x[:, None, :1].astype(float))[1][1:, 0]


NAMES = {(0, 0, 0, 0): ("always 0", "#DDDDDD"), (1, 1, 1, 1): ("always 1", "#BBBBBB"),
         (0, 0, 1, 1): ("copies the input", "#C9E3F5"), (1, 1, 0, 0): ("inverts the input", "#C9E3F5"),
         (0, 1, 0, 1): ("copies its output", "#EFD3E3"), (1, 0, 1, 0): ("inverts its output", "#EFD3E3"),
         (0, 1, 1, 0): ("exclusive or!", GREEN), (1, 0, 0, 1): ("negated exclusive or", YELLOW)}
LEGEND = (("constant", "#CCCCCC", 0.01), ("input", "#C9E3F5", 0.2), ("own output", "#EFD3E3", 0.33),
          ("and, or, ...", "#F6E3C0", 0.54), ("negated xor", YELLOW, 0.74))
kinds = [NAMES.get(tuple(row), ("and, or, and the like", "#F6E3C0")) for row in bits]
columns = max(12, int(np.ceil(np.sqrt(trials * 2.3))))
rows = -(-trials // columns)
mosaic = np.ones((rows * columns, 3))
colours = np.array([to_rgb(colour) for _, colour in kinds])
window = 48
guess_frames = np.unique(np.r_[np.arange(min(12, trials)), np.geomspace(12, trials, 6 if flags.quick else 26) - 1]
                         .astype(int).clip(0, trials - 1))
count = 4 if flags.quick else 18
ends = np.unique(np.r_[np.linspace(2, window, count), np.geomspace(window, steps, count)].astype(int))
scenes = [("guess", k) for k in guess_frames] + [("run", k) for k in ends]
same = np.random.default_rng(flags.seed)
training_set(net, config, same)
weights = draw(net, config.prior, same, trials)
shown = {k: outputs(weights[:, k:k + 1]) for k in guess_frames}

fig = plt.figure(figsize=(8, 4.5), dpi=90, layout="none")
table = fig.add_axes((0.07, 0.43, 0.2, 0.36))
wall = fig.add_axes((0.37, 0.43, 0.6, 0.36))
strip = fig.add_axes((0.07, 0.16, 0.9, 0.13))
frames, durations = [], []
for scene, k in scenes:
    guess = k if scene == "guess" else trials - 1
    found = guess == trials - 1
    for ax in (table, wall, strip):
        ax.clear()
    for (x, y), after in zip(((0, 0), (0, 1), (1, 0), (1, 1)), bits[guess], strict=True):
        table.add_patch(plt.Rectangle((x, y), 0.96, 0.96, color=BLUE if after else ORANGE))
        table.text(x + 0.48, y + 0.48, str(after), ha="center", va="center", color="white", fontsize=15, weight="bold")
    table.set(xlim=(-0.04, 2), ylim=(-0.04, 2))
    table.set_xticks((0.48, 1.48), ("−1", "+1"))
    table.set_yticks((0.48, 1.48), ("0", "1"))
    table.set(xlabel="input", ylabel="output before")
    table.tick_params(length=0)
    table.set_title(f"guess {guess + 1}\n{kinds[guess][0]}", fontsize=10, color="#007A59" if found else BLACK, pad=5)
    mosaic[:] = 1
    mosaic[:guess + 1] = colours[:guess + 1]
    wall.imshow(mosaic.reshape(rows, columns, 3), aspect="auto", extent=(0, columns, rows, 0))
    wall.set(xticks=(), yticks=())
    wall.set_title("all guesses so far, by what they compute", fontsize=10, weight="normal", pad=5)
    for name, colour, left in LEGEND:
        wall.text(left, -0.07, name, transform=wall.transAxes, fontsize=8.5, va="top", ha="left",
                  bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.5})
    if found:
        wall.add_patch(plt.Rectangle(((trials - 1) % columns, (trials - 1) // columns), 1, 1, fill=False,
                                     edgecolor=BLACK, linewidth=1.5))
    end = window if scene == "guess" else k
    start = max(end - window, 0)
    at = np.arange(start, end)
    if scene == "run":
        strip.fill_between(np.arange(start, end + 1) + 0.5, np.r_[parity[at], parity[at[-1]]], step="post", color=SKY,
                           alpha=0.45, linewidth=0)
    else:
        strip.fill_between(np.arange(start, end + 1) + 0.5, np.r_[parity[at], parity[at[-1]]], step="post",
                           color="#DDDDDD", linewidth=0)
    y = shown[trials - 1 if scene == "run" else k]
    agree = (y[at] > 0.5) == parity[at]
    strip.plot(at[agree] + 1, y[at][agree], "o", markersize=3.5, color=GREEN)
    strip.plot(at[~agree] + 1, y[at][~agree], "x", markersize=4, color=BLACK)
    strip.set(xlim=(start + 0.2, start + window + 0.8), ylim=(-0.2, 1.2), yticks=(0, 1))
    strip.set_xlabel("step", labelpad=1)
    strip.set_ylabel("output")
    fig.texts.clear()
    fig.text(0.03, 0.93, "Parity by throwing dice: 42 random weights, again and again", fontsize=12.5, weight="bold")
    correct = ((y[:end] > 0.5) == parity[:end]).mean()
    fig.text(0.97, 0.305, f"step {end:,}: right at {100 * correct:.0f} % of the steps so far", fontsize=9.5, ha="right",
             weight="bold" if scene == "run" else "normal", color="#007A59" if scene == "run" else "#555555")
    says = ("Its table is exclusive or: each +1 turns the output over, each −1 leaves it. So it counts on and on."
            if scene == "run" else
            "The output is fed back. The shaded band is the parity so far; green dots agree with it, crosses do not.")
    fig.text(0.03, 0.02, says, fontsize=8.8)
    fig.canvas.draw()
    frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    durations.append(700 if flags.quick else 160 if scene == "guess" else 100)
durations[-1] = 2600
palette = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames[::5]])).quantize(80)
values = np.array(palette.getpalette()).reshape(-1, 3)
values[values.min(1) > 248] = 255
palette.putpalette(values.ravel().tolist())
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
path = flags.out / "rs_parity.gif"
frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
print(path, f"{len(frames)} frames, {sum(durations) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
