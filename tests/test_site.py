"""The built site as its visitors meet it: in a real headless Chromium."""

import os
import re
import resource
import shutil
import threading
from urllib.parse import urljoin

import pytest
from conftest import python

from tools import book
from tools.catalogue import ROOT, stub, stubs

CHROMIUM = next(
    filter(
        None,
        map(
            shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        ),
    ),
    None,
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium brings it"
)
XOR, LSTM = stub("nbb-xor"), stub("temporal-order-4bit")
OWN = ("index.html", "problems.html", "findings.html")
KINDS = (*OWN, f"{XOR.slug}/index.html", f"{LSTM.slug}/index.html")
WIDE, PHONE = 1280, 390


@pytest.fixture(scope="module")
def address(site):
    with book.server(site) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """Somebody with a browser, who takes down what a page complains of and what it weighs."""

    def __init__(self, chromium, address):
        self.chromium, self.address = chromium, address
        self.complaints, self.contexts, self.answers = [], [], []

    def visit(self, path, width=WIDE, scheme="light", **more):
        """Open a page in a new window of that width."""
        size = {"width": width, "height": 900}
        context = self.chromium.new_context(viewport=size, color_scheme=scheme, **more)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self.failed)
        page.on("response", self.answered)
        page.goto(f"{self.address}/{path}", wait_until="networkidle")
        return page

    def hear(self, said):
        if said.type in ("error", "warning"):
            self.complaints.append(f"{said.location['url']}: {said.text}")

    def failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # as when a click leaves a page that still loads
            self.complaints.append(f"{request.url} failed")

    def answered(self, answer):
        self.answers.append(answer)
        if not (answer.ok or answer.status == 304):
            self.complaints.append(f"{answer.url}: {answer.status}")
        if not answer.url.startswith((self.address, f"blob:{self.address}")):
            self.complaints.append(f"{answer.url} is elsewhere")

    def weight(self):
        """How many kilobytes have come so far."""
        return sum(answer.request.sizes()["responseBodySize"] for answer in self.answers) / 1000

    def leave(self):
        for context in self.contexts:
            context.close()


@pytest.fixture
def visitor(chromium, address):
    """A visitor; at the end no complaint may stand."""
    visitor = Visitor(chromium, address)
    yield visitor
    visitor.leave()
    assert visitor.complaints == []


@pytest.fixture
def visit(visitor):
    return visitor.visit


def scroll_through(page):
    """Scroll down to the end, so that all pictures load."""
    page.evaluate("""async () => {
        for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
            scrollTo(0, y);
            await new Promise(done => setTimeout(done, 30));
        }
    }""")
    page.wait_for_load_state("networkidle")


def blank_pictures(page):
    """The pictures that do not show, after loading those further down too."""
    return page.evaluate("""async () => {
        const pictures = [...document.querySelectorAll("main img")];
        for (const picture of pictures) picture.loading = "eager";
        await Promise.all(pictures.map(picture => picture.decode().catch(() => null)));
        return pictures.filter(picture => picture.naturalWidth === 0).map(picture => picture.src);
    }""")


# ---- every page --------------------------------------------------------------------------------
def test_every_page_opens_without_complaint_and_fits_a_phone(visit, site, address):
    page = visit("", width=PHONE)
    too_wide = []
    for path in sorted({*site.rglob("*.html")} - {*site.glob("*/source.html")}):
        page.goto(f"{address}/{path.relative_to(site).as_posix()}", wait_until="load")
        if page.evaluate("document.documentElement.scrollWidth") > PHONE:
            too_wide.append(path.relative_to(site).as_posix())
        assert page.locator("main h1").count() == 1, path
    assert too_wide == []


def test_the_longest_code_page_fits_a_phone(visit, site):
    longest = max(site.glob("*/source.html"), key=lambda path: len(path.parent.name))
    page = visit(longest.relative_to(site).as_posix(), width=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


@pytest.mark.parametrize("path", KINDS)
def test_every_picture_loads_and_says_what_it_shows(visit, path):
    page = visit(path)
    assert blank_pictures(page) == []
    for picture in page.locator("main img").all():
        assert picture.get_attribute("alt").strip()
        assert int(picture.get_attribute("width")) > 0 < int(picture.get_attribute("height"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("path", KINDS)
def test_axe_finds_nothing(visit, path, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(path, width, scheme, reduced_motion="reduce")
    options = {"resultTypes": ["violations"]}  # else it describes what passes, too
    found = axe.run(page, options=options).response["violations"]
    assert {f["id"]: [node["html"][:200] for node in f["nodes"]] for f in found} == {}


@pytest.mark.parametrize("path", KINDS)
def test_the_content_is_one_key_away(visit, path):
    page = visit(path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def brightness(page):
    color = "getComputedStyle(document.documentElement).backgroundColor"
    return sum(page.evaluate(f"{color}.match(/\\d+/g).slice(0, 3).map(Number)"))


def test_the_theme_follows_the_system_until_one_is_chosen(visit):
    assert brightness(visit("", scheme="light")) > 600
    page = visit("", scheme="dark")
    assert brightness(page) < 200
    page.locator("#theme").click()
    assert brightness(page) > 600
    page.reload()
    assert brightness(page) > 600
    page.locator("#theme").click()
    assert brightness(page) < 200


def test_pages_are_as_light_as_they_have_to_be(visitor):
    visitor.visit("")
    assert visitor.weight() <= 300
    visitor.answers.clear()
    scroll_through(visitor.visit("problems.html"))
    assert visitor.weight() <= 700
    visitor.answers.clear()
    visitor.visit(f"{LSTM.slug}/index.html")
    assert visitor.weight() <= 500


# ---- home --------------------------------------------------------------------------------------
def test_home_says_how_many_and_leads_on(visit):
    page = visit("")
    assert page.title() == "A catalogue of classic learning problems"
    numbers = page.locator(".numbers li").all_inner_texts()
    assert len(numbers) == 3 and numbers[0].startswith(str(len(stubs())))
    findings = page.locator("section[aria-labelledby=findings] article")
    assert findings.count() == 6
    threads = findings.locator(".eyebrow").all_inner_texts()
    assert len({thread.partition("·")[2] for thread in threads}) == 6
    assert page.locator(".film").count() == 1
    assert page.locator(".timeline svg.wide a").count() == len(stubs())
    findings.first.locator("a").click()
    page.wait_for_url("**/index.html")
    assert page.locator(".stub-head h1").count() == 1


# ---- problems ----------------------------------------------------------------------------------
def shown(page):
    """The slugs of the cards that show, in their order."""
    cards = "cards => cards.filter(card => !card.hidden).map(card => card.querySelector('a').href)"
    links = page.locator("#problems article").evaluate_all(cards)
    return [link.split("/")[-2] for link in links]


def test_the_filter_looks_into_titles_methods_and_authors(visit):
    page = visit("problems.html")
    assert sorted(shown(page)) == sorted(one.slug for one in stubs())
    page.locator("#q").fill("levin search")
    assert {"levin-add-positions", "levin-count-inputs"} <= set(shown(page))
    assert len(shown(page)) < len(stubs())
    page.locator("#q").fill("SALUSTOWICZ")
    assert sorted(shown(page)) == ["pipe-6-bit-parity", "pipe-symbolic-regression"]
    assert page.locator("#count").inner_text() == f"2 of {len(stubs())} problems"
    page.locator("button[type=reset]").click()
    page.wait_for_function("!location.search")
    assert len(shown(page)) == len(stubs())


def test_chips_and_order_stand_in_the_address_and_a_shared_one_shows_the_same(visit, visitor):
    page = visit("problems.html")
    page.locator("input[name=thread][value=search]").check()
    page.locator("input[name=verdict][value=partial]").check()
    page.locator("#sort").select_option("seconds")
    chosen = [one for one in stubs() if one.card.thread == "search" and one.verdict == "partial"]
    assert sorted(shown(page)) == sorted(one.slug for one in chosen)
    query = page.url.partition("?")[2]
    assert query == "thread=search&verdict=partial&sort=seconds"
    seconds = page.locator("#problems article:not([hidden])").evaluate_all(
        "cards => cards.map(card => Number(card.dataset.seconds))"
    )
    assert seconds == sorted(seconds)
    assert shown(visit(f"problems.html?{query}")) == shown(page)


def test_years_and_shares_order_the_cards(visit):
    page = visit("problems.html")
    years = {one.slug: one.card.year for one in stubs()}
    assert [years[slug] for slug in shown(page)] == sorted(years.values())
    page.locator("#sort").select_option("share")
    shares = page.locator("#problems article").evaluate_all(
        "cards => cards.map(card => Number(card.dataset.share))"
    )
    assert shares == sorted(shares, reverse=True)


def test_without_javascript_every_problem_and_film_is_there(visit):
    page = visit("problems.html", java_script_enabled=False)
    assert page.locator("#problems article").count() == len(stubs())
    assert not page.locator("#filters").is_visible()
    page.locator("#problems article a").first.click()
    page.wait_for_url("**/index.html")
    assert page.locator(".film video").get_attribute("controls") is not None
    assert page.locator("table.claims tbody tr").count() >= 2


# ---- findings ----------------------------------------------------------------------------------
def test_findings_sort_and_group(visit):
    page = visit("findings.html")
    rows = page.locator("#headlines tbody tr:not(.thread)")
    assert rows.count() == len(stubs())
    before = rows.all_inner_texts()
    head = page.locator("th[data-key=rank]")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    ranks = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.rank))")
    assert ranks == sorted(ranks)
    head.locator("button").click()
    ranks = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.rank))")
    assert ranks == sorted(ranks, reverse=True)
    head.locator("button").click()
    assert rows.all_inner_texts() == before
    assert page.locator("#headlines tr.thread").count() == len({s.card.thread for s in stubs()})


def test_findings_name_what_does_not_hold(visit):
    judged = [j for one in stubs() for j in one.judgements if j.claim.level != "extra"]
    failing = [j.claim.says for j in judged if j.recorded and not j.holds]
    page = visit("findings.html")
    rows = page.locator("#fails ~ table tbody tr").all_inner_texts()
    assert len(rows) == len(failing)
    assert all(any(says in row for row in rows) for says in failing)


# ---- the page of a problem -----------------------------------------------------------------------
@pytest.mark.parametrize("one", [XOR, LSTM], ids=lambda one: one.slug)
def test_what_matters_stands_in_the_first_800_pixels(visit, one):
    page = visit(f"{one.slug}/index.html")
    for part in (".eyebrow", "h1", ".lead", ".verdict", ".claim-marks", ".headline", ".links"):
        assert bottom(page, f".stub-head {part}") < 400, part
    assert bottom(page, ".stub-head video") < 800
    assert page.locator(".stub-head .verdict").inner_text().endswith(one.verdict)


def bottom(page, selector):
    box = page.locator(selector).first.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_claims_show_what_fails_first_and_nothing_lies_aside(visit, width):
    page = visit(f"{LSTM.slug}/index.html", width=width)
    rows = page.locator("table.claims tbody tr")
    kinds = rows.evaluate_all("rows => rows.map(row => row.className)")
    assert kinds == sorted(kinds)  # fails before holds
    assert rows.count() == len(LSTM.card.claims)
    for cell in page.locator("table.claims td").all():
        box = cell.bounding_box()
        assert 0 <= box["x"] and box["x"] + box["width"] <= width


def test_metrics_come_when_they_are_asked_for(visitor):
    page = visitor.visit(f"{XOR.slug}/index.html")
    assert not any("metrics.json" in answer.url for answer in visitor.answers)
    page.locator("details.metrics summary").click()
    page.locator("details.metrics table").wait_for()
    names = page.locator("details.metrics tbody td:first-child").all_inner_texts()
    assert {claim.metric for claim in XOR.card.claims} <= set(names)


def test_lines_of_code_have_addresses(visit):
    page = visit(f"{XOR.slug}/source.html#nbb_xor.py-12")
    line = page.locator('[id="nbb_xor.py-12"]')
    assert line.evaluate("line => line.matches(':target')")
    assert page.locator('[id="nbb_xor.py-20"]').evaluate(
        "line => getComputedStyle(line, '::before').content"
    )
    page.locator('[id="nbb_xor.py-14"]').click()
    assert page.url.endswith("#nbb_xor.py-14")


def test_the_neighbours_in_the_thread_are_linked(visit):
    thread = [one for one in stubs() if one.card.thread == XOR.card.thread]
    thread.sort(key=lambda one: (one.card.year, one.slug))
    page = visit(f"{thread[0].slug}/index.html")
    for one in thread[1:]:
        page.locator(".siblings a[rel=next]").click()
        page.wait_for_url(f"**/{one.slug}/index.html")
    assert page.locator(".siblings a[rel=next]").count() == 0
    page.locator(".siblings a[rel=prev]").click()
    page.wait_for_url(f"**/{thread[-2].slug}/index.html")


def test_the_film_plays_pauses_and_is_scrubbed(visitor):
    page = visitor.visit(f"{XOR.slug}/index.html")
    assert not any(answer.url.endswith(".mp4") for answer in visitor.answers)
    playing = "document.querySelector('.film video').paused === false"
    time = "document.querySelector('.film video').currentTime"
    button = page.locator(".film-button")
    button.click()
    page.wait_for_function(f"{playing} && {time} > 0.3")
    button.click()
    page.wait_for_function(f"!({playing})")
    page.locator(".film-scrub").press("End")
    page.wait_for_function(f"{time} > 5")


# ---- search ------------------------------------------------------------------------------------
def found(page, words):
    page.locator("#search-text").fill(words)
    page.wait_for_function("document.querySelector('#search-said').textContent")
    return page.locator("#search-found a").evaluate_all(
        "links => links.map(link => link.href.split('/').at(-2))"
    )


def test_search_finds_problems_by_method_author_and_paper_before_all_else(visit):
    page = visit("")
    page.keyboard.press("s")
    page.locator("#search").wait_for()
    page.wait_for_load_state("networkidle")
    assert set(found(page, "Levin")[:2]) == {"levin-add-positions", "levin-count-inputs"}
    named = {
        one.slug
        for one in stubs()
        if "lstm" in " ".join([one.card.title, one.card.short, *one.card.keywords]).lower()
    }
    assert set(found(page, "LSTM")) <= named
    assert found(page, "Salustowicz")[:2] == ["pipe-6-bit-parity", "pipe-symbolic-regression"]
    assert found(page, "history compression")[0].startswith("chunker")
    assert found(page, "transformerless zebra") == []
    found(page, "bucket brigade xor")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{XOR.slug}/index.html")


# ---- a catalogue of 62 ---------------------------------------------------------------------------
LATER = 62  # problems of the whole catalogue


@pytest.fixture(scope="module")
def large(site, tmp_path_factory):
    """The site of a catalogue of 62, made from copies of the stubs that stand."""
    root = tmp_path_factory.mktemp("large")
    for name in ("tools", "site"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copytree(ROOT / "data", root / "data", copy_function=os.symlink)
    for path in [*ROOT.glob("*.md"), ROOT / "book.toml", ROOT / "LICENSE"]:
        shutil.copy(path, root)
    for one in stubs():
        shutil.copytree(one.folder, root / one.slug, copy_function=os.symlink)
    for one in stubs()[: LATER - len(stubs())]:
        copy_of(one, root / f"{one.slug}-copy")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python("-m", "tools", "book", cwd=root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent <= 30, "seconds of one core"
    return root / "book" / "html"


def copy_of(one, folder):
    """Copy a stub under another name."""
    shutil.copytree(one.folder, folder, copy_function=os.symlink)
    for path in folder.glob(f"*{one.name}*"):
        path.rename(folder / path.name.replace(one.name, f"{one.name}_copy"))
    for name in ("card.toml", "README.md"):
        text = (folder / name).read_text("utf-8").replace(one.name, f"{one.name}_copy")
        (folder / name).unlink()
        (folder / name).write_text(text, "utf-8")


def test_a_catalogue_of_62_is_still_light(large, chromium):
    assert (large / "search.json").stat().st_size <= 1_500_000
    with book.server(large) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        visitor = Visitor(chromium, f"http://127.0.0.1:{web.server_port}")
        page = visitor.visit("")
        assert page.locator(".numbers b").first.inner_text() == "62"
        assert visitor.weight() <= 300
        visitor.answers.clear()
        scroll_through(visitor.visit("problems.html"))
        assert visitor.weight() <= 700
        assert visitor.complaints == []
        visitor.leave()
        web.shutdown()


def test_pictures_open_large(visit):
    page = visit(f"{XOR.slug}/index.html")
    picture = page.locator("main .picture a").first
    assert re.search(r"\.png$", picture.get_attribute("href"))
    picture.click()
    page.wait_for_url("**/viz/*.png")
    assert page.request.get(urljoin(page.url, "/favicon.ico")).ok  # what a browser asks for there
