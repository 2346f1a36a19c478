"""Small drawings for the pages of the site, as SVG that takes its colours from the theme."""

import math

from collections import defaultdict
from html import escape

import numpy as np

from tools.judging import passes
from tools.pages import needed
from tools.schema import THREADS
from tools.wording import number

KINDS = {  # the words of a verdict, and the class of its mark
    "reproduces": "holds",
    "partial": "partial",
    "does not reproduce": "fails",
    "not recorded": "unknown",
}


# ---- the learning curve ----
CURVE_WIDTH, PLOT_HEIGHT = 480, 180
LEFT, RIGHT, TOP, BOTTOM = 66, 70, 8, 26  # what the numbers need, also when they grow
LABEL = 18  # more for the words above or below
FEW = 4  # seeds from which on a band of the middle half says something


def curve(records, caption=None, x_label="", y_label=""):
    """The learning curve of a program: the median over the seeds in a band. None without one."""
    runs = [run for record in records if (run := as_arrays(record.curve))]
    if not runs:
        return None
    x, low, middle, high = banded(runs)
    if len(x) < 2:
        return None
    bottom = TOP + LABEL * bool(y_label) + PLOT_HEIGHT
    height = bottom + BOTTOM + LABEL * bool(x_label)
    across, up = axes(x, low, middle, high, bottom)
    parts = [*grid(across, up), *band(x, low, high, across, up)]
    points = path(x, middle, across, up)
    parts.append(f'<path class="line" d="M{points}"></path>')
    right, level = across(x[-1]), up(middle[-1])
    parts += [
        f'<circle class="last-point" cx="{right:.1f}" cy="{level:.1f}" r="3.5"></circle>',
        text(right + 9, level + 4.5, number(float(middle[-1]), 2), "last"),
    ]
    if y_label:
        parts.append(text(0, 13, y_label, "label"))
    if x_label:
        parts.append(text((LEFT + CURVE_WIDTH - RIGHT) / 2, height - 4, x_label, "label middle"))
    said = f"From {number(float(middle[0]), 3)} to {number(float(middle[-1]), 3)}"
    title = f"{y_label or 'Learning curve'}. {said}, {across_words(x, x_label)}."
    size = f'viewBox="0 0 {CURVE_WIDTH} {height}"'
    drawing = f'<svg {size} role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    words = " ".join(filter(None, (caption, legend(len(runs)))))
    return f'<figure class="curve">{drawing}<figcaption>{escape(words)}</figcaption></figure>'


def axes(x, low, middle, high, bottom):
    """The two scales of a curve: from zero where that costs no detail, else logarithmic."""
    log = spread(x)
    start = 0.0 if not log and 0 <= x[0] < 0.1 * x[-1] else x[0]
    across = Axis(start, x[-1], LEFT, CURVE_WIDTH - RIGHT, log)
    least, most = float(low.min()), float(high.max())
    log = 0 < 50 * least < most and 20 * float(middle.min()) < float(middle.max())
    if not log:
        least, most = min(0.0, least), max(0.0, most)
    return across, Axis(least, most, bottom, bottom - PLOT_HEIGHT, log).rounded(4)


def as_arrays(curve):
    """(x, y) of a curve as arrays in the order of x, None without a line to draw."""
    if curve is None:
        return None
    x, y = np.array(sorted(zip(*curve)), float).T  # (points,) each
    return (x, y) if len(x) > 1 else None


def banded(runs):
    """(x, low, median, high) on the union of the runs' x within the range that all of them have."""
    first = max(x[0] for x, _ in runs)
    last = min(x[-1] for x, _ in runs)
    union = np.unique(np.concatenate([x for x, _ in runs]))
    union = union[(union >= first) & (union <= last)]
    if len(union) < 2:
        return union, union, union, union
    y = np.array([np.interp(union, *run) for run in runs])  # (seeds, points)
    low, high = (25, 75) if len(runs) >= FEW else (0, 100)
    return union, *np.percentile(y, (low, 50, high), axis=0)


def spread(x):
    """Whether the steps of x grow with x, so that a logarithmic axis shows them all."""
    steps = np.diff(x)
    return bool(x[0] > 0 and x[-1] / x[0] >= 30 and steps[-1] > 20 * steps[0])


def legend(seeds):
    if seeds == 1:
        return "One seed."
    what = "middle half" if seeds >= FEW else "range"
    return f"Median of {seeds} seeds; band: the {what} of them."


def across_words(x, label):
    return f"{label or 'x'} from {number(float(x[0]))} to {number(float(x[-1]))}"


def grid(across, up):
    """The axes: a thin line with a number at each tick."""
    parts = []
    for tick in up.ticks(4):
        y = up(tick)
        ends = f'x1="{across.start}" x2="{across.end}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="grid" {ends}></line>')
        parts.append(text(across.start - 8, y + 4.5, number(tick), "tick end"))
    for tick in across.ticks(4):
        x = across(tick)
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{up.start}" y2="{up.start + 5}"'
        parts.append(f'<line class="axis" {ends}></line>')
        parts.append(text(x, up.start + 19, number(tick), "tick middle"))
    ends = f'x1="{across.start}" x2="{across.end}" y1="{up.start}" y2="{up.start}"'
    return [*parts, f'<line class="axis" {ends}></line>']


def band(x, low, high, across, up):
    if np.array_equal(low, high):
        return []
    there, back = path(x, high, across, up), path(x[::-1], low[::-1], across, up)
    return [f'<path class="band" d="M{there}L{back}Z"></path>']


def path(x, y, across, up):
    return "L".join(f"{across(a):.1f} {up(b):.1f}" for a, b in zip(x, y))


class Axis:
    """A scale from numbers to places, linear or logarithmic."""

    def __init__(self, low, high, start, end, log=False):
        low, high = float(low), float(high)
        if low == high:
            half = abs(low) / 2 or 1.0
            low, high, log = low - half, high + half, False
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value):
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def rounded(self, most):
        """The same axis from round number to round number."""
        if self.log:
            return self
        step = self.step(most)
        low = step * math.floor(self.low / step + 1e-9)
        high = step * math.ceil(self.high / step - 1e-9)
        return Axis(low, high, self.start, self.end)

    def step(self, most):
        """The round number that divides the axis into at most that many parts."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))

    def ticks(self, most):
        """At most `most` + 1 round numbers within the axis."""
        if self.log:
            first = math.ceil(math.log10(self.low) - 1e-9)
            last = math.floor(math.log10(self.high) + 1e-9)
            if last > first:
                every = math.ceil((last - first) / most)
                return [10.0**power for power in range(first, last + 1, every)]
        step = self.step(most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(step * count, 12) for count in range(first, last + 1)]


# ---- a claim over the seeds ----
STRIP_WIDTH, STRIP_HEIGHT = 120, 20
DOT, GAP = 2.3, 5.2  # radius of a seed's dot, and from one to the next
ROWS = (0, -1, 1)  # of dots, from the middle line outwards


def strip(judged):
    """The seeds of a claim on a small axis: a dot each, and the bar that the claim sets.

    The side that passes is shaded. A dot is filled where the claim holds in that seed. A claim
    about the mean shows the seeds in grey, and the mean with its interval.
    """
    if not judged.recorded or not judged.values:
        return None
    claim, over_mean = judged.claim, judged.claim.over == "mean"
    edges = [float(edge) for edge in claim.within or (claim.threshold,)]
    lines = sorted({*edges, *([float(claim.beyond)] if claim.beyond is not None else [])})
    shown = [*judged.values, *lines]
    if over_mean and judged.low is not None:
        shown += [judged.low, judged.high]
    scale = strip_axis(judged.values, shown)
    parts = [passing(claim, scale)]
    parts += [tick(scale(edge), "bar" if edge in edges else "beyond") for edge in lines]
    for value, (x, y) in zip(judged.values, swarm(judged.values, scale, lines)):
        kind = "seed" if over_mean else "holds" if passes(claim, value) else "fails"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{DOT}"></circle>')
    if over_mean:
        kind = "holds" if judged.holds else "fails"
        if judged.low is not None:
            ends = f'x1="{scale(judged.low):.1f}" x2="{scale(judged.high):.1f}" y1="10" y2="10"'
            parts.append(f'<line class="interval {kind}" {ends}></line>')
        x = scale(judged.middle)
        parts.append(f'<path class="{kind}" d="M{x - 4:.1f} 10l4 -4l4 4l-4 4z"></path>')
    size = (
        f'viewBox="0 0 {STRIP_WIDTH} {STRIP_HEIGHT}" width="{STRIP_WIDTH}" height="{STRIP_HEIGHT}"'
    )
    title = f"<title>{escape(strip_words(judged))}</title>"
    return f'<svg class="strip" {size} role="img">{title}{"".join(parts)}</svg>'


def strip_axis(values, shown):
    """An axis with room at its ends for dots that lie beside each other."""
    low, high = min(shown), max(shown)
    log = low > 0 and high / low > 100
    rough = Axis(low, high, 0, STRIP_WIDTH - 16, log)
    at = [rough(value) for value in values]

    def room(end):
        crowd = sum(abs(place - end) < GAP for place in at)
        return 7 + min(30, GAP * max(0, math.ceil(crowd / len(ROWS)) - 1))

    return Axis(low, high, room(rough(low)), STRIP_WIDTH - room(rough(high)), log)


def swarm(values, scale, lines):
    """A place for each dot: the nearest free one that is not on the other side of a line."""
    walls = [scale(line) for line in lines]
    taken, places = [], {}
    for index in sorted(range(len(values)), key=lambda i: (values[i], i)):
        x = scale(values[index])
        for place in spots(x):
            crossed = any((x - wall) * (place[0] - wall) < 0 for wall in walls if wall != x)
            near = any(math.dist(place, other) < GAP - 0.3 for other in taken)
            if not (crossed or near):
                break
        else:
            place = (x, STRIP_HEIGHT / 2)  # no room: it lies on another
        taken.append(place)
        places[index] = place
    return [places[index] for index in range(len(values))]


def spots(x):
    """Places around x on the strip, the nearest first."""
    middle = STRIP_HEIGHT / 2
    for step in range(7):
        for side in (1, -1) if step else (1,):
            place = x + side * step * GAP
            if DOT + 1 <= place <= STRIP_WIDTH - DOT - 1:
                yield from ((place, middle + row * GAP) for row in ROWS)


def passing(claim, scale):
    """The shade over the side of the bar on which values pass."""
    if claim.within:
        left, right = (scale(edge) for edge in claim.within)
    elif claim.op == "==":
        left = right = scale(claim.threshold)
    elif claim.op in (">", ">="):
        left, right = scale(claim.threshold), STRIP_WIDTH
    else:
        left, right = 0, scale(claim.threshold)
    size = f'x="{left:.1f}" y="0" width="{right - left:.1f}" height="{STRIP_HEIGHT}"'
    return f'<rect class="passing" {size}></rect>'


def tick(x, kind):
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{STRIP_HEIGHT}"></line>'


def strip_words(judged):
    """What a strip shows, in words."""
    claim, values = judged.claim, judged.values
    span = number(min(values), 3)
    if min(values) < max(values):
        span += f" to {number(max(values), 3)}"
    if claim.over == "mean":
        how = f"Mean {number(judged.middle, 3)}"
        if judged.low is not None and judged.low < judged.high:
            how += f" ({number(judged.low, 3)} to {number(judged.high, 3)})"
        verdict = "holds" if judged.holds else "fails"
        return f"{how} of {judged.seeds} seeds, {span}; needed {needed(claim)}: {verdict}"
    missing = judged.seeds - len(values)
    gone = f"; {missing} without a value" if missing else ""
    return f"{needed(claim)} in {judged.held} of {judged.seeds} seeds; values {span}{gone}"


# ---- the timeline ----
FIRST_YEAR, LAST_YEAR = 1989, 2025


def timeline(entries):
    """Years across, a line for each thread, a dot for each stub, in a wide and a narrow layout.

    An entry has year, thread, slug, title and verdict. The drawing is decoration for those who
    see it: the list of the same problems is what a screen reader and the keyboard meet.
    """
    entries = [dict(entry) for entry in entries]
    if not entries:
        return None
    wide = layout(entries, width=900, gutter=204, radius=5.5, size=14, years=5, most=2)
    narrow = layout(entries, width=360, gutter=0, radius=4, size=13, years=10, most=1)
    return (
        '<div class="timeline" aria-hidden="true">'
        f'<svg class="wide" {wide}</svg><svg class="narrow" {narrow}</svg>{key(entries)}</div>'
    )


def layout(entries, width, gutter, radius, size, years, most):
    """The inside of one SVG of a timeline, from its viewBox on."""
    first = min([FIRST_YEAR, *(entry["year"] for entry in entries)])
    last = max([LAST_YEAR, *(entry["year"] for entry in entries)])
    year = (width - gutter - 4 * radius) / (last - first + 0.8)
    left = gutter + 2 * radius + 0.4 * year
    lines = defaultdict(lambda: defaultdict(list))
    for entry in sorted(entries, key=lambda entry: (entry["year"], entry["slug"])):
        lines[entry["thread"]][entry["year"]].append(entry)
    parts, y = [], 6.0
    for thread in sorted(lines, key=list(THREADS).index):
        line = lines[thread]
        wide = {when: columns(line, when, most) for when in line}
        rows = max(math.ceil(len(dots) / wide[when]) for when, dots in line.items())
        height = max(rows * (2 * radius + 2) + 12, 30 if gutter else 0)
        if not gutter:  # the name stands above the line
            y += size + 3
            parts.append(text(0, y, THREADS[thread], "thread"))
            y += 2
        middle = y + height / 2
        if gutter:
            parts.append(text(0, middle + 4.5, THREADS[thread], "thread"))
        ends = f'x1="{gutter:.1f}" x2="{width}" y1="{middle:.1f}" y2="{middle:.1f}"'
        parts.append(f'<line class="grid" {ends}></line>')
        for when, dots in line.items():
            for dot, (dx, dy) in zip(dots, places(len(dots), wide[when], radius)):
                x = left + (when - first) * year + dx
                parts.append(linked(dot, mark(x, middle + dy, radius, dot["verdict"])))
        y += height
    under = []
    for when in range(math.ceil(first / years) * years, last + 1, years):
        x = left + (when - first) * year
        under.append(
            f'<line class="year" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{y + 4:.1f}"></line>'
        )
        parts.append(text(x, y + size + 7, when, "tick middle"))
    return f'viewBox="0 0 {width} {y + size + 12:.0f}">{"".join(under + parts)}'


def columns(line, when, most):
    """In how many columns the dots of a year stand: in two where the years beside leave room."""
    crowded = [len(line.get(year, [])) > 2 for year in (when - 1, when, when + 1)]
    return most if crowded == [False, True, False] else 1


def places(count, wide, radius):
    """The offsets of the dots of one year, in one column or two, around the middle."""
    rows = math.ceil(count / wide)
    step = 2 * radius + 2
    aside = [0.0] if wide == 1 else [-step / 2, step / 2]
    out = []
    for index in range(count):
        row, column = divmod(index, wide)
        alone = wide == 2 and index == count - 1 and count % 2
        out.append((0.0 if alone else aside[column], (row - (rows - 1) / 2) * step))
    return out


def linked(entry, inside):
    """A dot as a link that the keyboard passes by."""
    title = escape(f"{entry['year']}: {entry['title']} ({entry['verdict']})")
    target = escape(f"{entry['slug']}/index.html")
    return f'<a href="{target}" tabindex="-1"><title>{title}</title>{inside}</a>'


def mark(x, y, radius, verdict):
    """A verdict as a shape: a full disc, a half, a ring, or a cross where nothing is recorded."""
    kind = KINDS[verdict]
    r = f"{radius:g}"
    around = f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"></circle>'
    if kind == "partial":
        half = f"M{x:.1f} {y - radius:.1f}a{r} {r} 0 0 0 0 {2 * radius:g}z"
        return f'{around}<path class="half" d="{half}"></path>'
    if kind == "unknown":
        left, up, side = f"{x - 0.6 * radius:.1f}", f"{y - 0.6 * radius:.1f}", 1.2 * radius
        cross = f"M{left} {up}l{side:.1f} {side:.1f}m0 {-side:.1f}l{-side:.1f} {side:.1f}"
        target = f'<circle class="target" cx="{x:.1f}" cy="{y:.1f}" r="{r}"></circle>'
        return f'{target}<path class="cross" d="{cross}"></path>'
    return around


def key(entries):
    """What the shapes of a timeline mean, those that occur."""
    shown = {entry["verdict"] for entry in entries}
    size = 'viewBox="0 0 14 14" width="14" height="14"'
    shapes = {
        verdict: f"<svg {size}>{mark(7, 7, 5.5, verdict)}</svg>"
        for verdict in KINDS
        if verdict in shown
    }
    parts = [f"<span>{shape} {verdict}</span>" for verdict, shape in shapes.items()]
    return f'<p class="key">{"".join(parts)}</p>'


def text(x, y, words, kind):
    return f'<text class="{kind}" x="{x:g}" y="{y:.1f}">{escape(str(words))}</text>'
