"""The built site in a real headless Chromium."""

import shutil
import threading

import pytest

from tools import book
from tools.catalogue import ROOT, stubs

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


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with book.server(book.build(ROOT, tmp_path_factory.mktemp("site"))) as web:
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


@pytest.fixture
def visit(chromium, address):
    """Open a page at a given width; at the end no complaint or failed request may stand."""
    complaints, opened = [], []

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # as when a click leaves a page that still loads
            complaints.append(f"{request.url} failed")

    def visit(path, width=1280, scheme="light"):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", failed)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "data:"))
                else complaints.append(f"{request.url} is elsewhere")
            ),
        )
        page.on(
            "response",
            lambda answer: (
                None
                if answer.ok or answer.status == 304
                else complaints.append(f"{answer.url}: {answer.status}")
            ),
        )
        page.goto(f"{address}/{path}", wait_until="networkidle")
        return page

    yield visit
    for page in opened:
        page.close()
    assert complaints == []


def blank_pictures(page):
    """The pictures that do not show, after loading those further down too."""
    return page.evaluate("""async () => {
        const pictures = [...document.querySelectorAll("main img")];
        for (const picture of pictures) picture.loading = "eager";
        await Promise.all(pictures.map(picture => picture.decode().catch(() => null)));
        return pictures.filter(picture => picture.naturalWidth === 0).map(picture => picture.src);
    }""")


PAGES = ["index.html", "catalogue.html", "VISUAL_TOUR.html", "RESULTS.html"]


def test_home_shows_the_picture_and_the_catalogue(visit):
    page = visit("")
    title = page.title()
    assert title.endswith("A catalogue of classic learning problems")
    assert page.locator("main h1").inner_text() == "A catalogue of classic learning problems"
    assert page.locator("main img").count() >= 1
    for stub in stubs():
        assert page.locator(f'main table a[href="{stub.slug}/index.html"]').count() == 1
    assert blank_pictures(page) == []


def test_the_cards_lead_to_the_problems(visit):
    page = visit("catalogue.html")
    cards = page.locator("main a.card")
    assert cards.count() == len(stubs())
    stub = stubs()[0]
    card = page.locator(f'a.card[href="{stub.slug}/index.html"]')
    assert card.locator(".verdict").inner_text() == stub.verdict
    card.click()
    page.wait_for_url(f"**/{stub.slug}/index.html")
    assert page.locator("main h1").count() == 1


def test_a_problem_shows_its_pictures_its_claims_and_its_listing(visit):
    stub = stubs()[0]
    page = visit(f"{stub.slug}/index.html")
    assert page.title().startswith(stub.card.short)
    for claim in stub.card.claims:
        assert page.locator("main table").filter(has_text=claim.says).count() >= 1
    assert page.locator(f'main img[src="{stub.name}.gif"]').first.is_visible()
    assert blank_pictures(page) == []
    page.locator(f'main a[href$="#{stub.name}.py"]').last.click()
    page.wait_for_url(f"**/source/{stub.slug}.html*")
    assert page.locator("main pre code.hljs").first.is_visible()  # coloured, so the script ran


@pytest.mark.parametrize("path", PAGES)
def test_every_picture_loads(visit, path):
    assert blank_pictures(visit(path)) == []


@pytest.mark.parametrize("path", [*PAGES, "STUB/index.html", "source/STUB.html"])
def test_a_phone_need_not_scroll_sideways(visit, path):
    page = visit(path.replace("STUB", stubs()[0].slug), width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_whoever_prefers_dark_gets_dark(visit):
    color = "getComputedStyle(document.documentElement).backgroundColor"
    brightness = f"{color}.match(/\\d+/g).slice(0, 3).map(Number)"
    assert sum(visit("").evaluate(brightness)) > 600
    assert sum(visit("", scheme="dark").evaluate(brightness)) < 200


def test_search_finds_a_problem(visit):
    page = visit("")
    page.keyboard.press("s")
    page.locator("#mdbook-searchbar").press_sequentially(stubs()[0].card.title.split()[-1])
    page.locator("#mdbook-searchresults li").first.wait_for(timeout=30_000)
