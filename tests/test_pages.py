"""Generated pages of a made-up catalogue whose numbers are worked out by hand."""

import os
import re
import sys

import made
import pytest

from tools import contract, pages
from tools.catalogue import ROOT, Stub
from tools.schema import CatalogueError
from tools.wording import number, percent

TOP = "# Catalogue\n\nBefore.\n\n<!-- catalogue:begin -->\n<!-- catalogue:end -->\n\nAfter.\n"
NOTES = "# Notes\n\n<!-- cost:begin -->\n<!-- cost:end -->\n"
EXTRA = made.ERROR | {"level": "extra", "paper": "not in the paper", "says": "a bar of ours"}
ERRORS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.2, 0.3, 0.4, 0.6]  # mean 0.31, 95 % 0.191 to 0.429


def top(root):
    (root / "README.md").write_text(TOP)
    (root / "BUILD_NOTES.md").write_text(NOTES)


@pytest.fixture
def tree(tmp_path):
    """A stub of each verdict; half-one and bad-one have failing claims."""
    top(tmp_path)
    claims = (made.ERROR, made.GAIN, EXTRA | {"threshold": 0.05})
    made.stub(tmp_path, "good-one", made.nets(ERRORS), claims=claims, study=made.nets([0.1]))
    lost = [(3, "exit code 1: loss is nan | step 3")]
    share = made.GAIN | {"over": None, "beyond": None, "seeds": 0.7}
    share = {key: value for key, value in share.items() if value is not None}
    tables = made.nets([0.9, 0.8, 0.2])
    made.stub(tmp_path, "half-one", tables, lost, claims=(made.ERROR, share), year=1989)
    falls = made.nets([0.1, 0.1], gains=[-1, -2])
    made.stub(tmp_path, "bad-one", falls, year=1997, era="1993-1999", title="Has [a] | <b>")
    made.stub(tmp_path, "new-one", year=1991)
    return tmp_path


def page(root, name, block=None):
    """A generated page, or a block of it, with plain blanks."""
    text = pages.generate(root)[root / name].replace("\u00a0", " ")
    if block is None:
        return text
    return text.partition(f"<!-- {block}:begin -->\n")[2].partition(f"\n<!-- {block}:end -->")[0]


def rows(text):
    """The cells of each row, headings apart, of the tables in a text."""
    tables = re.findall(r"^\|.*\n\|[-|]+\n((?:\|.*\n?)*)", text, re.M)
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for table in tables
        for line in table.splitlines()
    ]


# ---- the claims ----
def test_the_claims_table_has_four_columns_and_shows_first_what_fails(tree):
    assert rows(page(tree, "good-one/README.md", "results")) == [
        [
            "**fails**, extra: a bar of ours",
            "not in the paper",
            "0.3 (0.2 to 0.4), needed ≤ 0.05",
            "0 of 10 (0 to 28 %), needed 80 %",
        ],
        [
            "**holds**: test error",
            "0.4 | ten runs",
            "0.3 (0.2 to 0.4), needed ≤ 0.5",
            "9 of 10 (60 to 98 %), needed 80 %",
        ],
        [
            "**holds**: gain over B",
            "A beats B",
            "1.5 (1.123 to 1.877), needed > 0, interval beyond 0",
            "mean of 10",
        ],
    ]


def test_what_stands_under_the_claims(tree):
    text = page(tree, "good-one/README.md", "results")
    assert (
        "Experiment: 10 seeds (0 to 9), 14.5 s and 60.5 MB each. Study: 1 seed (0), 10 s." in text
    )
    assert "every metric of every seed is in [results.json](results.json)" in text
    assert "[study.json](study.json)" in text


def test_a_failed_seed_counts_and_is_listed(tree):
    for name in ("half-one/README.md", "RESULTS.md"):
        text = page(tree, name)
        assert "| 3 of 4 (30 to 95 %), needed 70 % |" in text
        assert (
            "not finish, and count against every claim: 3 (exit code 1: loss is nan \\| step 3)."
            in text
        )


def test_a_failed_seed_of_the_study_is_listed_too(tree):
    program = Stub(tree / "good-one").study
    made.save(program, made.file_of(program, made.nets([0.1]), failed=[(7, "lost")]))
    assert "7 of the study (lost)" in page(tree, "good-one/README.md", "results")


def test_the_band_of_a_claim_is_explained(tmp_path):
    top(tmp_path)
    band = {key: made.ERROR[key] for key in ("says", "metric", "level", "paper")}
    band |= {"over": "mean", "within": [0.2, 0.5], "why": "a third | either way"}
    made.stub(tmp_path, "toy", made.nets(ERRORS), claims=[band])
    text = page(tmp_path, "toy/README.md", "results")
    assert "0.31 (0.191 to 0.429), needed 0.2 to 0.5 | mean of 10" in text
    assert "Reason of the band: a third \\| either way." in text


def test_a_claim_without_any_value(tmp_path):
    top(tmp_path)
    made.stub(tmp_path, "toy", [{"net.error": None}, {}], claims=[made.ERROR])
    assert rows(page(tmp_path, "toy/README.md", "results"))[0][2:] == [
        "no value, needed ≤ 0.5",
        "0 of 2 (0 to 66 %), needed 80 %",
    ]
    assert "ours **no value**" in page(tmp_path, "toy/README.md", "head")


def test_a_stub_of_which_every_seed_failed_has_pages(tmp_path):
    top(tmp_path)
    made.stub(tmp_path, "toy", failed=[(0, "lost"), (1, "lost")])
    assert page(tmp_path, "toy/README.md", "head").startswith("**Does not reproduce**: 0 of 2")
    assert "0 (lost), 1 (lost)" in page(tmp_path, "toy/README.md", "results")


def test_without_records_nothing_is_claimed(tree):
    for change in (False, True):
        if change:
            (tree / "good-one" / "good_one.py").write_text(made.SCRIPT.replace("= 8", "= 9"))
        name = "good-one" if change else "new-one"
        found = rows(page(tree, f"{name}/README.md", "results"))
        assert {(row[2], row[3]) for row in found} == {("not recorded", "")}
        head = page(tree, f"{name}/README.md", "head")
        assert head.startswith("**Not recorded**")
        assert "ours **not recorded**" in head


# ---- the head of a page ----
def test_the_head_says_the_verdict_the_headline_and_the_commands(tree):
    head = page(tree, "good-one/README.md", "head")
    assert head.splitlines() == [
        "**Reproduces**: 2 of 2 claims hold, and 0 of 1 extra. *test error*: paper 0.4 \\| ten runs"
        ", ours **0.31 (0.191 to 0.429)**, 10 seeds.",
        "",
        "    python3 good_one.py --seed 0      # 14.5 s of one core",
        "    python3 study_good_one.py --seed 0      # the evidence around it, 10 s",
    ]
    half = page(tree, "half-one/README.md", "head")
    assert half.startswith("**Partial**: 1 of 2 claims hold. *test error*")
    assert "ours **0.633 (-0.307 to 1.57)**, 4 seeds." in half
    assert "study" not in half
    assert page(tree, "bad-one/README.md", "head").startswith("**Does not reproduce**: 1 of 2")


# ---- the settings ----
def test_the_settings_are_the_fields_of_config(tree):
    before = set(sys.modules)
    text = page(tree, "good-one/README.md", "hyperparameters")
    assert set(sys.modules) == before
    assert rows(text) == [
        ["`--hidden-units`", "`8`", "1 to 10,000", "units | cells of the hidden layer"],
        ["`--rate`", "`0.003`", "1e-6 to 0.5", "learning rate"],
        ["`--bias`, `--no-bias`", "`on`", "on or off", "whether units have a bias"],
        ["`--rule`", "`oja`", "`hebb` or `oja`", "learning rule"],
        ["`--sizes`", "`3 4`", "1 to 99", "layer sizes"],
    ]


# ---- the pages of the whole catalogue ----
def test_results_open_with_a_headline_of_each_stub(tree):
    text = page(tree, "RESULTS.md")
    assert rows(text)[0] == ["1", "1", "1", "1", "4"]
    assert rows(text.partition("## Headlines")[2])[:4] == [
        [
            "[half-one](half-one/README.md)",
            "1989",
            "partial",
            "test error",
            "0.4 | ten runs",
            "0.633 (-0.307 to 1.57)",
            "4",
            "1 of 2",
        ],
        [
            "[good-one](good-one/README.md)",
            "1990",
            "reproduces",
            "test error",
            "0.4 | ten runs",
            "0.31 (0.191 to 0.429)",
            "10",
            "2 of 2",
        ],
        [
            "[new-one](new-one/README.md)",
            "1991",
            "not recorded",
            "test error",
            "0.4 | ten runs",
            "not recorded",
            "0",
            "0 of 2",
        ],
        [
            "[bad-one](bad-one/README.md)",
            "1997",
            "does not reproduce",
            "test error",
            "0.4 | ten runs",
            "0.1",
            "2",
            "1 of 2",
        ],
    ]


def test_results_list_what_does_not_hold_extras_aside(tree):
    text = page(tree, "RESULTS.md").partition("## What does not hold")[2].partition("\n## ")[0]
    assert [(row[0], row[1]) for row in rows(text)] == [
        ("[bad-one](bad-one/README.md)", "gain over B (trend)"),
        ("[half-one](half-one/README.md)", "test error (paper)"),
    ]


def test_results_group_by_era_then_year(tree):
    headings = re.findall(r"^##+ (.*)", page(tree, "RESULTS.md"), re.M)
    assert headings == [
        "Headlines",
        "What does not hold",
        "1989-1992",
        *["A problem"] * 3,
        "1993-1999",
        "Has \\[a\\] \\| &lt;b>",
        "What it costs to run and to read",
    ]


def test_results_say_what_it_costs_to_run_and_to_read(tree):
    text = page(tree, "RESULTS.md").partition("## What it costs")[2]
    words = len(contract.hand_written(made.README).split())
    # lines above the tail, settings, metrics, longest function, words by hand
    size = ["12", "5", "3", "0", str(words)]
    assert rows(text) == [
        ["[bad-one](bad-one/README.md)", "10.5", "", *size],
        ["[good-one](good-one/README.md)", "14.5", "10", *size],
        ["[half-one](half-one/README.md)", "11", "", *size],
    ]


def test_build_notes_sum_the_records(tree):
    text = page(tree, "BUILD_NOTES.md")
    assert rows(text)[0] == ["[good-one](good-one/README.md)", "14.5", "10", "155", "60.5"]
    assert "took 3.48 minutes of one core, on A machine, 2 cores." in text  # (155 + 33 + 21) / 60


def test_the_catalogue_says_how_many_stand_and_leaves_the_rest_of_the_page_alone(tree):
    text = page(tree, "README.md")
    assert text.startswith(
        f"{TOP.partition('-->')[0]}-->\n**4 problems stand today**: 1 reproduces,"
    )
    assert text.endswith("<!-- catalogue:end -->\n\nAfter.\n")
    assert [
        "[half-one](half-one/README.md), 1989",
        "It learns \\[something\\].",
        "partial",
        "0.4 | ten runs",
        "0.633 (-0.307 to 1.57)",
        "11",
    ] in rows(text)


def test_the_tour_shows_the_animation_first_and_every_caption(tree):
    text = page(tree, "VISUAL_TOUR.md")
    shown = re.findall(r"!\[.*\]\((bad-one.*)\)", text)
    assert shown == ["bad-one/bad_one.gif", "bad-one/viz/a.png"]
    assert "![First](bad-one/viz/a.png)\n\n*First. Second.*" in text


def test_an_empty_catalogue_has_pages_too(tmp_path):
    top(tmp_path)
    assert "**0 problems stand today**." in page(tmp_path, "README.md")


def test_pages_have_no_empty_runs_of_lines(tree):
    for path, text in pages.generate(tree).items():
        assert "\n\n\n" not in text, path
        assert text.endswith("\n")


# ---- what cannot be shown ----
@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("card.toml", "title = 3", "good-one/card.toml is unusable"),
        ("card.toml", None, "good-one/card.toml is unusable"),
        ("results.json", "{", "good-one/results.json is unusable"),
        ("results.json", '{"slug": "good-one"}', "good-one/results.json is unusable"),
        ("results.json", None, "good-one/results.json is unusable"),
        ("study.json", "[]", "good-one/study.json is unusable"),
        ("README.md", None, "good-one/README.md cannot be read"),
        ("good_one.py", "def f(:\n", "good-one/good_one.py is no Python"),
        ("good_one.py", None, "good-one/good_one.py cannot be read"),
        ("good_one.py", "x = 1\n", "good-one/good_one.py has no Config"),
        ("good_one.py", "import no_such_module\n", "No module named 'no_such_module'"),
        ("good_one.py", "import sys\nsys.exit(3)\n", "cannot be imported: SystemExit: 3"),
    ],
)
def test_one_bad_stub_is_named_in_one_line_and_the_others_have_pages(tree, file, text, says):
    path = tree / "good-one" / file
    if text is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_text(text)
    [line] = pages.broken(tree)
    assert says in line
    assert "\n" not in line
    pages.write(tree)
    assert "half-one" in (tree / "RESULTS.md").read_text()
    assert "good-one" not in (tree / "RESULTS.md").read_text()


@pytest.mark.parametrize(
    ("file", "marker"),
    [
        ("README.md", "catalogue:begin"),
        ("BUILD_NOTES.md", "cost:end"),
        ("good-one/README.md", "head:begin"),
        ("good-one/README.md", "results:end"),
        ("good-one/README.md", "hyperparameters:end"),
    ],
)
@pytest.mark.parametrize("fault", ["missing", "twice"])
def test_markers_that_are_missing_or_doubled_are_named_in_one_line(tree, file, marker, fault):
    text, line = (tree / file).read_text(), f"<!-- {marker} -->"
    (tree / file).write_text(text.replace(line, "" if fault == "missing" else f"{line}\n{line}"))
    with pytest.raises(CatalogueError) as raised:
        pages.write(tree)
    said = str(raised.value)
    assert said.startswith(f"{file} needs")
    assert line in said
    assert "python3 -m tools docs" in said
    assert "\n" not in said
    assert not (tree / "RESULTS.md").exists()  # nothing is written before everything is known


def test_a_tree_that_cannot_be_written_is_one_line(tree, monkeypatch):
    def read_only(self, *_, **__):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(type(tree), "write_text", read_only)
    monkeypatch.setattr(type(tree), "unlink", read_only)
    with pytest.raises(CatalogueError, match="cannot write .*Read-only file system") as raised:
        pages.write(tree)
    assert "\n" not in str(raised.value)


# ---- stale ----
def test_stale_until_written_and_again_after_a_change(tree):
    everything = set(pages.generate(tree))
    assert set(pages.stale(tree)) == everything
    assert set(pages.write(tree)) == everything
    assert pages.stale(tree) == []
    assert pages.write(tree) == []
    path = tree / "good-one" / "README.md"
    path.write_text(path.read_text().replace("9 of 10", "10 of 10"))
    assert pages.stale(tree) == [path]
    pages.write(tree)
    card = tree / "new-one" / "card.toml"
    card.write_text(card.read_text().replace("1991", "1992"))
    assert {p.name for p in pages.stale(tree)} == {"RESULTS.md", "VISUAL_TOUR.md", "README.md"}
    (tree / "RESULTS.md").unlink()
    assert tree / "RESULTS.md" in pages.stale(tree)


def test_a_written_page_keeps_its_mode(tree):
    path = tree / "good-one" / "README.md"
    path.chmod(0o664)
    before = os.umask(0o077)
    try:
        assert path in pages.write(tree)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o664


# ---- numbers ----
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (7, "7"),
        (100.0, "100"),
        (1234567, "1,234,567"),
        (1234.56, "1,235"),
        (999.96, "1,000"),
        (123.456, "123.5"),
        (587.98, "588"),
        (0.25, "0.25"),
        (0.99951, "0.9995"),
        (0.99996, "0.99996"),
        (99.9996, "99.9996"),
        (0.1 + 0.2, "0.3"),
        (-0.01234, "-0.01234"),
        (0.00012, "0.00012"),
        (2.0611e-13, "2.06e-13"),
        (1e-6, "1e-6"),
        (1e15, "1e15"),
        (-3.5e14, "-3.5e14"),
        (1.23456e13 + 0.5, "1.235e13"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0"),
        (1.0, "100"),
        (0.9999999999999998, "100"),
        (0.001, "1"),
        (0.999, "99"),
        (0.722, "72"),
        (0.9, "90"),
    ],
)
def test_per_cent_says_all_and_none_only_when_it_is_so(share, text):
    assert percent(share) == text


# ---- the guard of hand-written numbers ----
GOOD = """All hold: a median of 0.30, between 0.1 and 0.6, in 90 % of the seeds;
the paper has 0.4 with a rate of 0.003. It took 14.5 s, 145 s in all, 1,004.5 or about 1,004 steps,
and 10,045 summed. The mean is 0.310 (0.191 to 0.429), its spread 0.166, its quartiles 0.200 and
0.400. The study, of two seeds, has 0.750 on average (0.115 to 1.385). The curve ends at 2.50.
A. Uthor (1990), B. Other et al. 1997, and C. Third, 1989-1992; numpy 2.1.0; `0.777 in code`;
see [0.30](https://example.org/10.1234/5678.9)

    0.888 in a listing

| a | b |
|---|---|
| mean | 0.31 |
"""


@pytest.fixture
def quoting(tmp_path):
    """What the guard finds in the prose of a stub whose records are known."""
    tables = made.nets(ERRORS)
    stub = made.stub(tmp_path, "toy", tables, study=made.nets([0.7, 0.8]))
    elsewhere = made.README.replace("![a]", "9.99 is under another heading ![a]")

    def find(prose):
        (stub.folder / "README.md").write_text(elsewhere.replace("By hand.", prose))
        return list(contract.unsupported_numbers(stub))

    return find


def test_recorded_numbers_pass(quoting):
    assert quoting(GOOD) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "0.31416",
        "0.35 s",
        "97.5 %",
        "1,234 steps",
        "150 s",
        "1.6e-7",
        "1.6×10⁻⁷",
        "0.300001",
        "| x | 0.92 |",
        "in 2003 steps",
        "(2003.5 s)",
        "a total of 1997 steps",
        "61 % or 0.61",
        "on average 0.751",
    ],
)
def test_other_numbers_are_named(quoting, wrong):
    [found] = quoting(f"{GOOD}\n{wrong}\n")
    assert found.split()[0].replace("^-7", "⁻⁷") in wrong


def test_numbers_count_as_rounded_when_they_are(quoting):
    assert quoting("A mean of 0.31, or 31.0 %; 10,045 steps in all, about 10,040 or 10,000") == []
    assert quoting("10,060 steps in all") == ["10,060 in '10,060 steps in all'"]
    assert quoting("12,000 steps in all") == ["12,000 in '12,000 steps in all'"]


def test_without_records_only_the_card_supports_a_number(tmp_path):
    stub = made.stub(tmp_path)
    text = "The paper's 0.4 and the bar of 0.50 are in the card, 0.123 is not."
    (stub.folder / "README.md").write_text(made.README.replace("By hand.", text))
    [found] = contract.unsupported_numbers(stub)
    assert found.startswith("0.123")


# ---- the real tree ----
def test_every_generated_page_of_this_tree_is_fresh():
    old = [str(path.relative_to(ROOT)) for path in pages.stale(ROOT)]
    assert old == [], "run: python3 -m tools docs"
    assert pages.broken(ROOT) == []
