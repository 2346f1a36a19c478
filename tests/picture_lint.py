"""Draw the pictures of a stub in this process and look at every text that matplotlib draws.

python tests/picture_lint.py SLUG [--quick]    prints what is wrong, one line each
"""

import argparse
import contextlib
import re
import runpy
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.catalogue import stub as stub_named
from tools.contract import drawings

WIDEST = 9.0  # inches
SMALLEST = 9.0  # points
OVERLAP = 0.12  # of the smaller of two texts: their boxes are a little larger than the letters
MARGIN = 1.0  # points by which a box may stand out of the figure, for the same reason


def lint(stub, out, quick=False):
    """Draw a stub's pictures into a folder. Returns what is wrong with their texts, as lines."""
    findings = {}
    for script in drawings(stub):
        with watched(findings, stub, script):
            draw(stub.folder / script, ["--out", str(out), *["--quick"] * quick])
    return list(findings.values())


def draw(script, flags):
    """Run a picture script as `python3 SCRIPT FLAGS` would, but in this process."""
    argv, path = [str(script), *flags], [str(script.parent), *sys.path]
    with patch.object(sys, "argv", argv), patch.object(sys, "path", path):
        try:
            with matplotlib.rc_context():
                runpy.run_path(str(script), run_name="__main__")
        finally:
            plt.close("all")


class Watch:
    """Looks at each figure that a script saves, or at each one that it draws: the frames."""

    def __init__(self, findings, file, frames):
        self.findings, self.file, self.frames = findings, file, frames
        self.texts = {}  # of the figure being drawn
        self.saving = False

    def text(self, draw):
        def text_seen(text, renderer):
            self.texts[text] = None
            draw(text, renderer)

        return text_seen

    def figure(self, draw):
        def figure_seen(canvas):
            self.texts.clear()
            draw(canvas)
            if self.frames or self.saving:
                for line in look(canvas.figure, list(self.texts)):
                    kind = re.sub(r"[-+.\d]+", "0", f"{self.file}: {line}")  # alike in all frames
                    self.findings.setdefault(kind, f"{self.file}: {line}")

        return figure_seen

    def file_of(self, save):
        def figure_saved(figure, file, *arguments, **more):
            if isinstance(file, str | Path) and not self.frames:
                self.file = Path(file).name
            self.saving = True
            save(figure, file, *arguments, **more)
            self.saving = False

        return figure_saved


@contextlib.contextmanager
def watched(findings, stub, script):
    """Look at what matplotlib draws while it lasts."""
    frames = script.endswith("_gif.py")
    watch = Watch(findings, stub.gif.name if frames else script, frames)
    with (
        patch.object(Text, "draw", watch.text(Text.draw)),
        patch.object(FigureCanvasAgg, "draw", watch.figure(FigureCanvasAgg.draw)),
        patch.object(Figure, "savefig", watch.file_of(Figure.savefig)),
    ):
        yield


def look(figure, texts):
    """What is wrong with a figure that has just been drawn with these texts."""
    width = figure.bbox.width / figure.dpi
    if width > WIDEST + 0.01:
        yield f"{width:.1f} in wide, at most {WIDEST:g}"
    boxes = [(text, shown_box(text)) for text in texts if shows(text)]
    for text, box in boxes:
        if text.get_fontsize() < SMALLEST - 0.01:
            yield f"{quoted(text)} has {text.get_fontsize():.1f} pt, at least {SMALLEST:g}"
        if box and outside(box, figure):
            yield f"{quoted(text)} stands out of the figure"
    upright = [(text, box.extents) for text, box in boxes if box and text.get_rotation() % 90 == 0]
    shares = overlaps(np.array([extents for _, extents in upright]).reshape(-1, 4))
    for i, j in np.argwhere(np.triu(shares, 1) > OVERLAP):
        pair = f"{quoted(upright[i][0])} and {quoted(upright[j][0])}"
        yield f"{pair} overlap by {shares[i, j]:.0%}"


def shows(text):
    transparent = text.get_alpha() == 0 or to_rgba(text.get_color())[3] == 0
    return text.get_visible() and text.get_text().strip() and not transparent


def shown_box(text):
    """The box of a text in pixels without its arrow, None where it is clipped away."""
    box = Text.get_window_extent(text)
    if text.get_clip_on() and text.get_clip_box() is not None:
        return Bbox.intersection(box, text.get_clip_box())
    return box


def outside(box, figure):
    margin, frame = MARGIN * figure.dpi / 72, figure.bbox
    low = min(box.x0 - frame.x0, box.y0 - frame.y0)
    high = max(box.x1 - frame.x1, box.y1 - frame.y1)
    return low < -margin or high > margin


def overlaps(boxes):
    """The common area of each two boxes (N, 4) as a share of the smaller one, as (N, N)."""
    low, high = boxes[:, :2], boxes[:, 2:]  # (N, 2) each: the lower left, the upper right corner
    sides = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)  # (N, N, 2)
    areas = (high - low).prod(axis=1)  # (N,)
    smaller = np.minimum(areas[:, None], areas)  # (N, N)
    return np.maximum(sides, 0).prod(axis=2) / np.maximum(smaller, 1e-9)


def quoted(text):
    words = " ".join(text.get_text().split())
    return repr(words if len(words) <= 40 else f"{words[:37]}...")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("slug")
    parser.add_argument("--quick", action="store_true", help="look at pictures of a quick run")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        findings = lint(stub_named(flags.slug), Path(folder), flags.quick)
    print("\n".join(findings) or "no findings")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
