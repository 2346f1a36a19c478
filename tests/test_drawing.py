"""The inline drawings: well-formed, the same each time, marks where the numbers belong."""

import re
import xml.etree.ElementTree as ElementTree

import made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import drawing, judging
from tools.catalogue import ROOT, stubs
from tools.records import Record
from tools.schema import THREADS, VERDICTS, Claim

SHARE = {"op": ">=", "threshold": 0.5, "seeds": 0.5}
MEAN = {"over": "mean", "op": ">", "threshold": 0.5, "beyond": 0}


def tree(text):
    return ElementTree.fromstring(text)


def marks(text, tag, kind=None):
    """The elements of a kind, each as its attributes."""
    found = [element.attrib for element in tree(text).iter(tag)]
    return [one for one in found if kind is None or kind in one.get("class", "").split()]


def texts(text):
    return ["".join(element.itertext()) for element in tree(text).iter("text")]


# ---- curves ----
def records(*curves):
    """A record for each (x, y)."""
    out = []
    for seed, (x, y) in enumerate(curves):
        out.append(Record.model_validate(made.one(seed, {"curve.x": x, "curve.y": y}, "code")))
    return out


def points(path):
    return [tuple(map(float, pair.split())) for pair in re.findall(r"[\d.-]+ [\d.-]+", path["d"])]


def test_a_curve_is_the_median_in_a_band_of_the_middle_half():
    x = [0, 50, 100]
    drawn = drawing.curve(records(*((x, [0, 0.1 * k, 0.2 * k]) for k in range(1, 6))))
    [line] = marks(drawn, "path", "line")
    bottom, top = drawing.TOP + drawing.PLOT_HEIGHT, drawing.TOP  # 0 and 0.8, the last round number
    right = drawing.CURVE_WIDTH - drawing.RIGHT
    middle = (drawing.LEFT + right) / 2
    scale = bottom - top
    assert points(line) == [
        (drawing.LEFT, bottom),
        (middle, pytest.approx(bottom - 0.3 / 0.8 * scale, abs=0.06)),
        (right, pytest.approx(bottom - 0.6 / 0.8 * scale, abs=0.06)),
    ]
    [band] = marks(drawn, "path", "band")
    edge = {y for x, y in points(band) if x == right}
    assert edge == {round(bottom - share / 0.8 * scale, 1) for share in (0.4, 0.8)}
    assert texts(drawn) == ["0", "0.2", "0.4", "0.6", "0.8", "0", "25", "50", "75", "100", "0.6"]
    assert "Median of 5 seeds; band: the middle half of them." in drawn


def test_few_seeds_have_the_range_as_their_band_and_one_has_none():
    three = drawing.curve(records(*(([0, 1], [0, top]) for top in (1, 2, 4))))
    [band] = marks(three, "path", "band")
    assert min(y for _, y in points(band)) == drawing.TOP  # the largest, 4
    assert "band: the range of them" in three
    one = drawing.curve(records(([0, 1], [0, 2])))
    assert marks(one, "path", "band") == []
    assert "One seed." in one


def test_seeds_of_different_length_meet_where_all_of_them_are():
    drawn = drawing.curve(records(([0, 10, 20], [0, 10, 20]), ([5, 15], [7, 17])))
    [line] = marks(drawn, "path", "line")
    assert len(points(line)) == 3  # 5, 10 and 15
    assert len(points(marks(drawn, "path", "band")[0])) == 6
    assert texts(drawn)[-1] == "16"  # the median of 15 and 17


@pytest.mark.parametrize(
    "curves",
    [[], [([], [])], [([1], [1])], [([0, 1], [1, 2]), ([5, 6], [1, 2])]],
)
def test_without_a_curve_there_is_no_drawing(curves):
    assert drawing.curve(records(*curves)) is None


def test_a_curve_of_equal_values_is_a_level_line():
    drawn = drawing.curve(records(([0, 1, 2], [3, 3, 3])))
    assert len({y for _, y in points(marks(drawn, "path", "line")[0])}) == 1
    zero = drawing.curve(records(([0, 1, 2], [0, 0, 0])))
    assert len({y for _, y in points(marks(zero, "path", "line")[0])}) == 1


def test_scales_are_logarithmic_where_the_numbers_are():
    x = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    drawn = drawing.curve(records((x, [1 / a for a in x])))
    xs, ys = zip(*points(marks(drawn, "path", "line")[0]))
    steps = [b - a for a, b in zip(xs, xs[1:])]
    assert max(steps) - min(steps) < 0.3
    assert texts(drawn)[:-1] == ["0.001", "0.01", "0.1", "1", "1", "10", "100", "1,000"]
    assert [round(b - a) for a, b in zip(ys, ys[1:])] == [18] * 10


def test_labels_and_captions_are_escaped():
    drawn = drawing.curve(records(([0, 1], [0, 1])), "<b> & co.", "steps <x>", 'share "right"')
    assert {"steps <x>", 'share "right"'} <= set(texts(drawn))
    assert "<b>" not in drawn
    assert "".join(tree(drawn).find("figcaption").itertext()).startswith("<b> & co. One seed.")


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3), min_size=1, max_size=6))
def test_any_curve_stays_on_its_sheet(rows):
    drawn = drawing.curve(records(*(([0, 1, 2], row) for row in rows)))
    if drawn is not None:
        for x, y in points(marks(drawn, "path", "line")[0]):
            assert drawing.LEFT - 0.1 <= x <= drawing.CURVE_WIDTH - drawing.RIGHT + 0.1
            assert drawing.TOP - 0.1 <= y <= drawing.TOP + drawing.PLOT_HEIGHT + 0.1


# ---- strips ----
class Program:
    """What judge needs of a program."""

    def __init__(self, values):
        tables = [{} if value is None else {"a": value} for value in values]
        self.current = self
        self.failed = []
        self.records = [Record.model_validate(made.one(i, t, "c")) for i, t in enumerate(tables)]


def judged(values, **test):
    claim = {"says": "a", "metric": "a", "level": "paper", "paper": "1", **test}
    return judging.judge(Claim.model_validate(claim), Program(values))


def test_a_dot_is_filled_where_the_claim_holds_in_that_seed():
    drawn = drawing.strip(judged([0.1, 0.5, 0.9, 0.2], **SHARE))
    holds, fails = marks(drawn, "circle", "holds"), marks(drawn, "circle", "fails")
    assert (len(holds), len(fails)) == (2, 2)
    [bar] = marks(drawn, "line", "bar")
    at = float(bar["x1"])
    assert all(float(dot["cx"]) >= at for dot in holds)
    assert all(float(dot["cx"]) < at for dot in fails)
    assert tree(drawn).find("title").text == "≥ 0.5 in 2 of 4 seeds; values 0.1 to 0.9"
    [shade] = marks(drawn, "rect", "passing")
    assert float(shade["x"]) == at


def test_a_claim_about_the_mean_shows_the_mean_its_interval_and_both_bars():
    drawn = drawing.strip(judged([0.6, 0.7, 0.8], **MEAN))
    assert len(marks(drawn, "circle", "seed")) == 3
    assert len(marks(drawn, "line", "interval")) == 1
    assert len(marks(drawn, "line", "bar")) == len(marks(drawn, "line", "beyond")) == 1
    assert len(marks(drawn, "path", "holds")) == 1
    assert marks(drawing.strip(judged([0.1, 0.2], **MEAN)), "path", "fails")
    title = tree(drawn).find("title").text
    assert title.startswith("Mean 0.7 (0.452 to 0.948) of 3 seeds, 0.6 to 0.8; needed > 0.5")


def test_a_band_is_shaded_between_its_edges():
    drawn = drawing.strip(judged([1, 2, 3], within=[1.5, 2.5], why="x"))
    left, right = (float(bar["x1"]) for bar in marks(drawn, "line", "bar"))
    [shade] = marks(drawn, "rect", "passing")
    assert float(shade["x"]) == left
    assert float(shade["width"]) == pytest.approx(right - left, abs=0.11)
    assert len(marks(drawn, "circle", "holds")) == 1


def test_equal_values_lie_beside_each_other_and_not_across_the_bar():
    drawn = drawing.strip(judged([0.6] * 12 + [0.4] * 12, **SHARE))
    dots = [(float(dot["cx"]), float(dot["cy"])) for dot in marks(drawn, "circle")]
    assert len(set(dots)) == 24
    bar = float(marks(drawn, "line", "bar")[0]["x1"])
    assert all(float(dot["cx"]) > bar for dot in marks(drawn, "circle", "holds"))
    assert all(float(dot["cx"]) < bar for dot in marks(drawn, "circle", "fails"))


def test_seeds_without_a_value_are_said():
    drawn = drawing.strip(judged([1, None, 1], **SHARE))
    assert tree(drawn).find("title").text.endswith("2 of 3 seeds; values 1; 1 without a value")


@pytest.mark.parametrize("values", [[], [None, None]])
def test_without_values_there_is_no_strip(values):
    assert drawing.strip(judged(values, **SHARE)) is None


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12) | st.booleans(), min_size=1, max_size=40),
    st.sampled_from([SHARE, MEAN, {"op": "==", "threshold": 0}, {"op": "<", "threshold": 1e-9}]),
)
def test_any_strip_keeps_its_dots_inside(values, test):
    for dot in marks(drawing.strip(judged(values, **test)), "circle"):
        assert 0 <= float(dot["cx"]) <= drawing.STRIP_WIDTH
        assert 0 <= float(dot["cy"]) <= drawing.STRIP_HEIGHT


# ---- the timeline ----
def entry(year, thread="search", slug="toy", verdict="reproduces", title="A <toy>"):
    return {"year": year, "thread": thread, "slug": slug, "verdict": verdict, "title": title}


def layouts(drawn):
    """The wide and the narrow drawing."""
    return [one for one in tree(drawn) if one.tag == "svg"]


def test_a_timeline_has_a_link_for_each_stub_in_both_layouts():
    entries = [entry(1989 + 4 * k, thread, f"s{k}") for k, thread in enumerate(THREADS)]
    drawn = drawing.timeline(entries)
    assert tree(drawn).attrib == {"class": "timeline", "aria-hidden": "true"}
    for one in layouts(drawn):
        links = [link.attrib for link in one.iter("a")]
        assert [link["href"] for link in links] == [f"s{k}/index.html" for k in range(9)]
        assert {link["tabindex"] for link in links} == {"-1"}
        across = [float(dot.get("cx")) for dot in one.iter("circle")]
        steps = [b - a for a, b in zip(across, across[1:])]
        assert max(steps) - min(steps) < 0.15
        assert next(one.iter("title")).text == "1989: A <toy> (reproduces)"


def test_years_stand_below_and_threads_at_the_left():
    wide, narrow = layouts(drawing.timeline([entry(1989), entry(2025, "continual")]))
    words = [element.text for element in wide.iter("text")]
    assert [word for word in words if word.isdigit()] == [*map(str, range(1990, 2026, 5))]
    assert {THREADS["search"], THREADS["continual"]} < set(words)
    assert [
        w.text for w in narrow.iter("text") if w.text.isdigit()
    ] == "1990 2000 2010 2020".split()


def test_a_year_outside_the_usual_ones_widens_the_axis():
    for one in layouts(drawing.timeline([entry(1965), entry(2031)])):
        width = float(one.get("viewBox").split()[2])
        assert all(0 < float(dot.get("cx")) < width for dot in one.iter("circle"))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_dots_of_one_year_do_not_touch(count):
    entries = [entry(1997, slug=f"s{k}") for k in range(count)] + [entry(1998)] * 3 + [entry(1996)]
    for one in layouts(drawing.timeline(entries)):
        dots = [
            (float(d.get("cx")), float(d.get("cy")), float(d.get("r"))) for d in one.iter("circle")
        ]
        height = float(one.get("viewBox").split()[3])
        assert all(0 < y < height for _, y, _ in dots)
        for i, a in enumerate(dots):
            for b in dots[:i]:
                apart = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
                assert apart >= 2 * a[2] - 0.1


def test_each_verdict_has_a_shape_of_its_own():
    entries = [entry(1990, verdict=verdict) for verdict in VERDICTS[::-1]]
    key = tree(drawing.timeline(entries)).find("p")
    assert ["".join(span.itertext()).strip() for span in key] == list(VERDICTS)
    shapes = []
    for span in key:
        shapes.append([(part.tag, part.get("class")) for part in span.find("svg")])
    assert shapes == [
        [("circle", "holds")],
        [("circle", "partial"), ("path", "half")],
        [("circle", "fails")],
        [("circle", "target"), ("path", "cross")],
    ]


def test_the_key_names_no_verdict_that_does_not_occur():
    drawn = drawing.timeline([entry(1990)])
    assert "".join(tree(drawn).find("p").itertext()).strip() == "reproduces"


def test_no_entries_make_no_timeline():
    assert drawing.timeline([]) is None


# ---- all of this tree ----
def test_the_drawings_of_this_tree_are_well_formed_and_the_same_twice():
    everything = stubs(ROOT)
    entries = [
        {
            "year": stub.card.year,
            "thread": stub.card.thread,
            "slug": stub.slug,
            "title": stub.card.title,
            "verdict": stub.verdict,
        }
        for stub in everything
    ]

    def draw():
        out = [drawing.timeline(entries)]
        for stub in everything:
            out += [drawing.strip(one) for one in stub.judgements]
            out += [drawing.curve(stub.run.current.records)] if stub.run.current else []
        return [one for one in out if one]

    first = draw()
    assert len(first) > len(everything)
    for one in first:
        tree(one)
        assert "\n" not in one
        assert not re.search(r"#[0-9a-f]{3,6}\b|rgb|nan|inf\b", one)
    assert draw() == first
