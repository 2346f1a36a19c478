"""Generated pages against a made-up catalogue whose numbers are worked out by hand, and against the real tree."""
import json
import re
import sys

import pytest

from tools import pages
from tools.catalogue import ROOT, CatalogueError, Failure, Record, Results, Stub, Study, write_json
from tools.wording import number, percent

SCRIPT = '''"""A made-up experiment."""
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Config:
    hidden_units: Annotated[int, "units | cells of the hidden layer", (1, 10**4)] = 8
    rate: Annotated[float, "learning rate", (1e-6, 0.5)] = 0.003
    bias: Annotated[bool, "whether units have a bias"] = True
    rule: Annotated[str, "learning rule", ("hebb", "oja")] = "oja"
    sizes: Annotated[tuple[int, ...], "layer sizes", (1, 99)] = (3, 4)
'''
README = """# A problem

![moving](SLUG.gif)

## Running

<!-- hyperparameters:begin -->
old
<!-- hyperparameters:end -->

## Results

<!-- results:begin -->
old
<!-- results:end -->

By hand.

## Visualizations

![a](viz/a.png)
"""
TOP = "# Catalogue\n\nBefore.\n\n<!-- catalogue:begin -->\n<!-- catalogue:end -->\n\nAfter.\n"
NOTES = "# Notes\n\n<!-- cost:begin -->\n<!-- cost:end -->\n"
ERROR = {"metric": "error", "op": "<=", "threshold": 0.5, "seeds": 0.8, "level": "paper", "paper": "0.4 | ten runs",
         "says": "test error"}
GAIN = {"metric": "gain", "op": ">", "threshold": 0, "seeds": 0.7, "level": "trend", "paper": "A beats B",
        "says": "gain over B"}


def toml(value):
    return json.dumps(value)  # strings, numbers and lists of strings read the same in TOML


def made(root, slug, errors=(), gain=1.0, failed=(), study=None, year=1990, era="1989-1992", claims=(ERROR, GAIN)):
    """A stub with one record per error. gain is the same in each."""
    folder, name = root / slug, slug.replace("-", "_")
    (folder / "viz").mkdir(parents=True)
    (folder / f"{name}.py").write_text(SCRIPT)
    (folder / "README.md").write_text(README.replace("SLUG", name))
    card = {"title": f"The {slug} problem", "summary": "It learns [something].",
            "paper": ["A. Uthor. Paper 7(2), 1990."], "year": year, "era": era, "thread": "search", "data": "generated"}
    lines = [f"{key} = {toml(value)}" for key, value in card.items()]
    for claim in claims:
        lines += ["[[claims]]", *(f"{key} = {toml(value)}" for key, value in claim.items())]
    for file, caption in (("viz/a.png", "First. Second."), (f"{name}.gif", "It moves.")):
        lines += ["[[pictures]]", f"file = {toml(file)}", f"caption = {toml(caption)}"]
    (folder / "card.toml").write_text("\n".join(lines))
    stub = Stub(folder)
    common = {"config": {"hidden_units": 8, "rate": 0.003}, "machine": "A machine, 2 cores",
              "versions": {"python": "3.11.2", "numpy": "2.1.0"}}
    if errors or failed:
        records = [Record(seed=seed, metrics={"error": e, "gain": gain, "steps": 1000 + seed, "trace": [1.5, 2.5]},
                          seconds=10.0 + seed, peak_memory_mb=60.5, **common) for seed, e in enumerate(errors)]
        write_json(folder / "results.json", Results(slug=slug, code=stub.code, records=records,
                                                    failed=[Failure(seed=s, why=why) for s, why in failed]))
    if study is not None:
        write_json(folder / "study.json", Study(slug=slug, code=stub.code, seed=0, metrics=study, seconds=1234.5,
                                                peak_memory_mb=99.0, **common))
    return stub


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "README.md").write_text(TOP)
    (tmp_path / "BUILD_NOTES.md").write_text(NOTES)
    made(tmp_path, "good-one", [0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.2, 0.3, 0.4, 0.6])
    made(tmp_path, "half-one", [0.9, 0.8, 0.2], failed=[(3, "exit code 1: loss is nan | step 3")], year=1989)
    made(tmp_path, "bad-one", [0.1, 0.1], gain=-1.0, year=1997, era="1993-1999")
    made(tmp_path, "new-one", year=1991)
    return tmp_path


def block(text, name):
    return text.replace("\u00a0", " ").partition(f"<!-- {name}:begin -->\n")[2].partition(f"\n<!-- {name}:end -->")[0]


def rows(text):
    """The cells of each row, headings apart, of the tables in a text."""
    tables = re.findall(r"^\|.*\n\|[-|]+\n((?:\|.*\n?)*)", text, re.M)
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for table in tables for line in table.splitlines()]


# ---- the claims ------------------------------------------------------------------------------------------------------
def test_the_claims_table_states_median_quartiles_and_wilson_interval(tree):
    text = block(pages.generate(tree)[tree / "good-one" / "README.md"], "results")
    error, gain, *_ = rows(text)
    assert error == ["test error", "0.4 | ten runs", "0.3 (0.2 to 0.4)", "9 of 10 (60 to 98 %)", "holds", "paper",
                     "`error` ≤ 0.5 in 80 % of the seeds"]
    assert gain == ["gain over B", "A beats B", "1 (1 to 1)", "10 of 10 (72 to 100 %)", "holds", "trend",
                    "`gain` > 0 in 70 % of the seeds"]
    assert text.startswith("**Reproduces.** 10 seeds (0 to 9), 14.5 s and 60.5 MB per run (medians),")
    assert "A machine, 2 cores, with Python 3.11.2, numpy 2.1.0." in text
    assert "<details>" in text
    assert "| `steps` | 1,004 (1,002 to 1,007) | 1,000 to 1,009 |" in text
    assert "trace" not in text  # a list is for pictures
    assert "| `error` |" not in text.partition("<details>")[2]  # stands above already


def test_verdicts(tree):
    said = {path.parent.name: block(text, "results").split("**")[1] for path, text in pages.generate(tree).items()
            if path.name == "README.md" and path.parent != tree}
    assert said == {"good-one": "Reproduces.", "half-one": "Partial.", "bad-one": "Does not reproduce.",
                    "new-one": "Not recorded."}


def test_a_failed_seed_counts_against_every_claim_and_is_listed(tree):
    for page in ("half-one/README.md", "RESULTS.md"):
        text = pages.generate(tree)[tree / page].replace("\u00a0", " ")
        assert "| 3 of 4 (30 to 95 %) | holds | trend |" in text
        assert "did not finish, and count against every claim: 3 (exit code 1: loss is nan \\| step 3)." in text


def test_a_trend_that_fails_is_no_partial(tmp_path):
    assert made(tmp_path, "a", [0.9], gain=-1.0).verdict == "does not reproduce"


def test_a_study_is_one_value_without_interval(tree):
    claims = ({**ERROR, "from": "study"}, GAIN)
    made(tree, "long-one", [0.7], study={"error": 0.25, "lag": 500, "curve": [1.0, 2.0]}, claims=claims)
    text = block(pages.generate(tree)[tree / "long-one" / "README.md"], "results")
    assert rows(text)[0] == ["test error", "0.4 | ten runs", "0.25 (study)", "one study", "holds", "paper",
                             "`error` ≤ 0.5 in the study"]
    assert "The study: one run of 1,234 s and 99 MB" in text
    assert "| `lag` | 500 |" in text
    assert "| `error` | 0.7 (0.7 to 0.7)" in text  # the runs measure it too, and no claim is about that


def test_without_records_nothing_is_claimed(tree):
    text = pages.generate(tree)[tree / "new-one" / "README.md"]
    assert [row[2:5] for row in rows(block(text, "results"))] == [["not recorded", "", "not recorded"]] * 2


def test_records_of_other_code_count_as_not_there(tree):
    script = tree / "good-one" / "good_one.py"
    script.write_text(SCRIPT.replace("= 8", "= 9"))
    text = block(pages.generate(tree)[tree / "good-one" / "README.md"], "results")
    assert text.startswith("**Not recorded.**")
    assert "10 of 10" not in text
    assert "14.5" not in text


def test_records_in_which_a_metric_is_missing(tmp_path):
    (tmp_path / "README.md").write_text(TOP)
    (tmp_path / "BUILD_NOTES.md").write_text(NOTES)
    stub = made(tmp_path, "a", [0.1, None, 0.3], claims=(GAIN,))
    assert "| `error` | 0.2 (0.15 to 0.25), 2 of 3 seeds have one | 0.1 to 0.3 |" in (
        pages.generate(tmp_path)[stub.folder / "README.md"])


# ---- the settings ----------------------------------------------------------------------------------------------------
def test_the_settings_are_the_fields_of_config(tree):
    before = set(sys.modules)
    text = block(pages.generate(tree)[tree / "good-one" / "README.md"], "hyperparameters")
    assert set(sys.modules) == before
    assert rows(text) == [
        ["`--hidden-units`", "`8`", "1 to 10,000", "units | cells of the hidden layer"],
        ["`--rate`", "`0.003`", "1e-6 to 0.5", "learning rate"],
        ["`--bias`, `--no-bias`", "`on`", "on or off", "whether units have a bias"],
        ["`--rule`", "`oja`", "`hebb` or `oja`", "learning rule"],
        ["`--sizes`", "`3 4`", "1 to 99", "layer sizes"]]


@pytest.mark.parametrize(("script", "word"), [("x = 1\n", "Config"), ("import no_such_module\n", "such_mod")])
def test_a_script_without_settings_is_named(tree, script, word):
    (tree / "good-one" / "good_one.py").write_text(script)
    with pytest.raises(CatalogueError, match=rf"good-one/good_one\.py.*{word}"):
        pages.generate(tree)


# ---- the pages -------------------------------------------------------------------------------------------------------
def test_results_group_by_era_then_year(tree):
    text = pages.generate(tree)[tree / "RESULTS.md"]
    assert re.findall(r"^##+ (?:\[The )?([\w-]+)", text, re.M) == [
        "1989-1992", "half-one", "good-one", "new-one", "1993-1999", "bad-one"]
    assert rows(text)[0] == ["1", "1", "1", "1", "4"]
    assert "**reproduces** · 10 seeds (0 to 9) · 14.5 s · 60.5 MB · 12 lines" in text
    assert "**not recorded** · 12 lines" in text


def test_the_catalogue_says_how_many_stand_and_leaves_the_rest_of_the_page_alone(tree):
    text = pages.generate(tree)[tree / "README.md"]
    assert text.startswith(f"{TOP.partition('-->')[0]}-->\n**4 problems stand today**: 1 reproduces,")
    assert text.endswith("<!-- catalogue:end -->\n\nAfter.\n")
    half = ["[half-one](half-one/README.md)", "It learns \\[something\\].", "1989", "search", "partial", "11"]
    assert half in rows(text)


def test_the_tour_shows_the_animation_first_and_every_caption(tree):
    text = pages.generate(tree)[tree / "VISUAL_TOUR.md"]
    assert re.findall(r"!\[.*\]\((bad-one.*)\)", text) == ["bad-one/bad_one.gif", "bad-one/viz/a.png"]
    assert "![First](bad-one/viz/a.png)\n\n*First. Second.*" in text


def test_the_cost_is_the_sum_of_the_records(tree):
    text = pages.generate(tree)[tree / "BUILD_NOTES.md"]
    assert ["[good-one](good-one/README.md)", "10 seeds", "145", "60.5"] in rows(text)
    assert "took 3.32 processor minutes, on A machine, 2 cores." in text  # (145 + 33 + 21) / 60


def test_the_same_tree_gives_the_same_pages(tree):
    assert pages.generate(tree) == pages.generate(tree)


def test_an_empty_catalogue_has_pages_too(tmp_path):
    (tmp_path / "README.md").write_text(TOP)
    (tmp_path / "BUILD_NOTES.md").write_text(NOTES)
    assert "**0 problems stand today**." in pages.generate(tmp_path)[tmp_path / "README.md"]


def test_sixty_stubs(tmp_path):
    (tmp_path / "README.md").write_text(TOP)
    (tmp_path / "BUILD_NOTES.md").write_text(NOTES)
    for i in range(60):
        made(tmp_path, f"stub-{i}", [0.1] * 10, year=1990 + i % 30, era=str(1990 + i % 30 // 10 * 10))
    text = pages.generate(tmp_path)[tmp_path / "RESULTS.md"]
    assert text.count("\n### ") == 60
    assert rows(text)[0] == ["60", "0", "0", "0", "60"]


def test_pages_have_no_empty_runs_of_lines(tree):
    for path, text in pages.generate(tree).items():
        assert "\n\n\n" not in text, path
        assert text.endswith("\n")


# ---- stale -----------------------------------------------------------------------------------------------------------
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
    (tree / "new-one" / "card.toml").write_text((tree / "new-one" / "card.toml").read_text().replace("1991", "1992"))
    assert {p.name for p in pages.stale(tree)} == {"RESULTS.md", "VISUAL_TOUR.md", "README.md"}
    (tree / "RESULTS.md").unlink()
    assert tree / "RESULTS.md" in pages.stale(tree)


@pytest.mark.parametrize(("file", "marker"), [
    ("README.md", "catalogue:begin"), ("BUILD_NOTES.md", "cost:end"), ("good-one/README.md", "results:begin"),
    ("good-one/README.md", "results:end"), ("good-one/README.md", "hyperparameters:end")])
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


@pytest.mark.parametrize(("file", "text"), [
    ("card.toml", "title = 3"), ("card.toml", None), ("results.json", "{"), ("results.json", '{"slug": "good-one"}'),
    ("study.json", "[]"), ("README.md", None), ("good_one.py", "def f(:\n")])
def test_what_cannot_be_read_is_named_in_one_line(tree, file, text):
    path = tree / "good-one" / file
    if text is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_text(text)
    with pytest.raises(CatalogueError) as raised:
        pages.generate(tree)
    assert str(raised.value).startswith(f"good-one/{file}")
    assert "\n" not in str(raised.value)


# ---- numbers ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (0.0, "0"), (7, "7"), (100.0, "100"), (1234567, "1,234,567"), (1234.56, "1,235"), (999.96, "1,000"),
    (123.456, "123.5"), (587.98, "588"), (0.25, "0.25"), (0.99951, "0.9995"), (0.99996, "0.99996"),
    (99.9996, "99.9996"), (0.1 + 0.2, "0.3"), (-0.01234, "-0.01234"), (0.00012, "0.00012"), (2.0611e-13, "2.06e-13"),
    (1e-6, "1e-6"), (1e15, "1e15"), (-3.5e14, "-3.5e14"), (1.23456e13 + 0.5, "1.235e13"), (True, "yes"),
    (False, "no"), (None, ""), (float("inf"), "inf"), (float("nan"), "nan")])
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("share", "text"), [(0, "0"), (1.0, "100"), (0.9999999999999998, "100"), (0.001, "1"),
                                             (0.999, "99"), (0.722, "72"), (0.9, "90")])
def test_per_cent_says_all_and_none_only_when_it_is_so(share, text):
    assert percent(share) == text


GOOD = """All hold: a median of 0.30, between 0.1 and 0.6, in 90 % of the seeds (59.6 to 98.2 %); the
paper has 0.4 with a rate of 0.003. It took 14.5 s, 145 s in all, 1,004.5 or about 1,004 steps, and 10,045 summed.
A. Uthor (1990), B. Other et al. 1997, and C. Third, 1989-1992; numpy 2.1.0; `0.777 in code`;
see [0.30](https://example.org/10.1234/5678.9)

    0.888 in a listing

| a | b |
|---|---|
| mean | 0.31 |
"""


@pytest.fixture
def quoting(tree):
    def check(prose):
        path = tree / "good-one" / "README.md"
        path.write_text(README.replace("By hand.", prose).replace("![a]", "9.99 is under another heading ![a]"))
        return pages.unsupported_numbers(Stub(tree / "good-one"))

    return check


def test_recorded_numbers_pass(quoting):
    assert quoting(GOOD) == []


@pytest.mark.parametrize("wrong", [
    "0.31416", "0.35 s", "97.5 %", "1,234 steps", "150 s", "1.6e-7", "1.6×10⁻⁷", "0.300001", "| x | 0.77 |",
    "in 2003 steps", "(2003.5 s)", "a total of 1997 steps", "61 % or 0.61"])
def test_other_numbers_are_named(quoting, wrong):
    [found] = quoting(f"{GOOD}\n{wrong}\n")
    assert found.split()[0].replace("^-7", "⁻⁷") in wrong


def test_numbers_count_as_rounded_when_they_are(quoting):
    assert quoting("A mean of 0.31, or 31.0 %; 10,045 steps in all, about 10,040 or 10,000") == []
    assert quoting("10,060 steps in all") == ["10,060 in '10,060 steps in all'"]
    assert quoting("12,000 steps in all") == ["12,000 in '12,000 steps in all'"]


def test_without_records_no_number_is_supported(tree):
    path = tree / "new-one" / "README.md"
    path.write_text(README.replace("By hand.", "The paper's 0.4 is in the card, 0.123 is not."))
    [found] = pages.unsupported_numbers(Stub(tree / "new-one"))
    assert found.startswith("0.123")


# ---- the real tree ---------------------------------------------------------------------------------------------------
def test_every_generated_page_of_this_tree_is_fresh():
    assert [str(path.relative_to(ROOT)) for path in pages.stale(ROOT)] == [], "run: python3 -m tools docs"
