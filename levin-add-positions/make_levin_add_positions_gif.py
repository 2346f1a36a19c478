# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib", "pillow"]
# ///
"""Draw the animation of levin-add-positions: guessed programs die, then one counts and writes."""

import argparse
import json
from pathlib import Path

from levin_add_positions import INCREMENT, JUMP, SUBTRACT, TRAINING, WEIGHTS, WRITE
from levin_add_positions import Config, Lanes, answers, targets
from study_levin_add_positions import Film
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


TITLE = "Three sums are enough: the program that counts"
OWN = [SUBTRACT, 0, 0, 0, WRITE, 0, INCREMENT, 0, JUMP, 4]  # shown where nothing is recorded
ROWS = 13  # shown at a time
FLICKER = 4 if flags.quick else 26  # frames of the search


def guessed(config, rng):
    """Guess and run programs side by side; yield what is to be seen after each step."""
    lanes = Lanes(config, rng)
    started = 0
    while True:
        free = np.flatnonzero(~lanes.alive)
        lanes.start(free, np.arange(started, started + len(free)))
        started += len(free)
        over = lanes.step()  # (B,)
        lanes.alive &= ~over
        rows = []
        for lane in range(ROWS):
            cells = lanes.cells[lane, config.work_cells :][: lanes.end[lane]]
            colors = [GREY if over[lane] else SKY] * len(cells)
            if not over[lane] and 0 <= lanes.ip[lane] < len(cells):
                colors[lanes.ip[lane]] = BLUE
            rows.append((f"{lanes.run[lane] + 1:,}", cells, colors))
        yield rows, started


class Weighed(Film):
    """A film that keeps the weights at each moment, too."""

    def __init__(self, *of_film):
        self.written = []
        super().__init__(*of_film)

    def fetch(self):
        self.written.append(self.weights[0].copy())
        return super().fetch()


def row_of(step, moment):
    """Return the label, cells and colors of a moment of the program that is followed."""
    colors = ["#E4EEF6"] * len(moment.cells)
    colors[moment.work + moment.ip] = BLUE
    if moment.op in (WRITE, INCREMENT):
        colors[moment.work + moment.arguments[0]] = ORANGE
    return f"step {step + 1}", moment.cells, colors


def recorded_code():
    """Return the shortest recorded program that counts in its own code."""
    path = Path(__file__).with_name("study.json")
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    codes = [record["metrics"].get("counter.code") for record in records]
    return min([code for code in codes if code], key=len, default=OWN)


# ---- frames --------------------------------------------------------------------------------------
film = Weighed(Config(), recorded_code(), 1000)
CELLS = max(13, len(film.moments[-1].cells))  # of a row
figure = plt.figure(figsize=(9, 5), dpi=80, layout="none")
grid = figure.add_axes((0.09, 0.11, 0.47, 0.73))
bars = figure.add_axes((0.65, 0.20, 0.33, 0.64))


def draw(rows, weights, above, below):
    """Draw one frame: rows of cells on the left, the weights (100,) on the right."""
    for ax in (grid, bars):
        ax.clear()
    figure.texts.clear()
    grid.set(xlim=(-0.05, CELLS), ylim=(ROWS, 0))
    grid.axis("off")
    for y, (label, cells, colors) in enumerate(rows):
        grid.text(-0.2, y + 0.45, label, ha="right", va="center", fontsize=9, color="#666666")
        for x, (content, color) in enumerate(zip(cells[:CELLS], colors)):
            grid.add_patch(plt.Rectangle((x, y), 0.93, 0.86, color=color))
            ink = "white" if color == BLUE else BLACK
            middle = (x + 0.46, y + 0.45)
            grid.text(*middle, content, ha="center", va="center", fontsize=9, color=ink)
    bars.bar(np.arange(WEIGHTS), weights, color=GREEN, width=1)
    bars.set(xlim=(-1, WEIGHTS), ylim=(0, 160), yticks=(0, 50, 100))
    bars.set(xlabel="input", ylabel="weight")
    for k, (shown, given) in enumerate(zip(TRAINING, answers(weights, TRAINING))):
        places = " + ".join(str(place) for place in shown)
        right = given == targets(shown)
        words = f"{places} = {targets(shown)}; the unit says {given}"
        bars.text(1, 150 - 13 * k, words, va="center", color=GREEN if right else RED)
    figure.text(0.02, 0.935, TITLE, fontsize=14, weight="bold")
    figure.text(0.02, 0.875, above, fontsize=10)
    figure.text(0.02, 0.035, below, fontsize=10)
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())


images, milliseconds = [], []
search = guessed(Config(lanes=ROWS), np.random.default_rng(flags.seed))
legend = "A row is a program. Dark: its next instruction. Grey: it has just died."
for _ in range(FLICKER):
    rows, started = next(search)
    above = f"{started:,} programs have been guessed, cell by cell; most die at once"
    images.append(draw(rows, np.zeros(WEIGHTS, int), above, legend))
    milliseconds.append(120)

shown = sorted({*range(16), *np.linspace(16, len(film.moments) - 1, 28).astype(int)})
shown = shown[::8] if flags.quick else shown
legend = (
    "A row is a step. Dark: the instruction. Orange: the cell that is written out or counted up."
)
for step in shown:
    first = max(step - ROWS + 1, 0)
    rows = [row_of(n, film.moments[n]) for n in range(first, step + 1)]
    above = "In millions, a few fit all three sums. This one counts in its own code:"
    images.append(draw(rows, film.written[step], above, legend))
    milliseconds.append(150)
above = "All hundred weights are written, and all 161,700 sums are right"
images.append(draw(rows, film.weights[0], above, legend))
milliseconds.append(2000)

sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::9]]))
palette = sample.quantize(96)
colors = np.array(palette.getpalette()).reshape(-1, 3)
colors[colors.min(1) > 244] = 255
palette.putpalette(colors.ravel().tolist())
first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
path = flags.out / "levin_add_positions.gif"
first.save(path, save_all=True, append_images=others, duration=milliseconds, loop=0, disposal=1)
print(f"{len(images)} frames, {sum(milliseconds) / 1000:.1f} s, {path.stat().st_size:,} bytes")
