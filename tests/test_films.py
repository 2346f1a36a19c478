"""The films: the times of the animation kept, the bytes the same, the player in a real Chromium."""

import os
import shutil
import struct
import threading
import time
import urllib.parse
from types import SimpleNamespace

import pytest
from PIL import Image, ImageDraw

from tools import book, films
from tools.catalogue import ROOT
from tools.schema import CatalogueError

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
COLOURS = ["#d02020", "#20a020", "#2020d0", "#c0c000", "#00b0b0", "#b000b0", "#606060", "#000000"]
DURATIONS = [150, 150, 300, 150, 150, 150, 150, 500]  # milliseconds
STARTS = [0, 15, 30, 60, 75, 90, 105, 120]  # hundredths


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test sees or leaves anything in the cache of whoever runs it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def animation(path, size=(160, 100), colours=COLOURS, durations=DURATIONS):
    """A GIF whose frames have one colour each, with a moving black bar."""
    frames = []
    for index, colour in enumerate(colours):
        frame = Image.new("RGB", size, colour)
        ImageDraw.Draw(frame).rectangle((5 * index, 0, 5 * index + 3, 10), fill="white")
        frames.append(frame)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return path


# ---- the files ----
def table(content, name, width):
    """The rows of a table of an MP4, after the count that every one of them has."""
    at = content.index(name) + 8
    [count] = struct.unpack_from(">I", content, at)
    return list(struct.iter_unpack(f">{width}I", content[at + 4 : at + 4 + 4 * width * count]))


def test_a_film_keeps_the_times_of_its_frames_and_the_hold_of_the_last(tmp_path):
    made = films.film(animation(tmp_path / "toy" / "toy.gif"), tmp_path / "site")
    assert made == {
        "width": 160,
        "height": 100,
        "seconds": 1.7,
        "frames": 8,
        "frames_per_second": 4.71,
        "times": STARTS,
        "video": "toy.mp4",
        "poster": "toy.webp",
    }
    content = (tmp_path / "site" / "toy.mp4").read_bytes()
    times = [length for count, length in table(content, b"stts", 2) for _ in range(count)]
    assert times == [duration // 10 for duration in DURATIONS]
    assert struct.unpack_from(">II", content, content.index(b"mdhd") + 16) == (100, 170)
    assert content.index(b"moov") < content.index(b"mdat")  # it starts before it is all there


def test_no_jump_is_far_from_a_key_frame(tmp_path):
    gif = animation(tmp_path / "toy.gif", colours=COLOURS * 4, durations=[100] * 32)
    films.film(gif, tmp_path / "site")
    keys = [key for (key,) in table((tmp_path / "site" / "toy.mp4").read_bytes(), b"stss", 1)]
    assert keys[0] == 1
    assert max(b - a for a, b in zip(keys, [*keys[1:], 33])) <= 10


def test_the_poster_is_the_last_frame(tmp_path):
    films.film(animation(tmp_path / "toy.gif"), tmp_path)
    with Image.open(tmp_path / "toy.webp") as poster:
        assert poster.size == (160, 100)
        assert max(poster.convert("RGB").getpixel((100, 50))) < 8


def test_odd_sides_get_a_white_pixel_more(tmp_path):
    made = films.film(animation(tmp_path / "toy.gif", size=(161, 99)), tmp_path)
    assert (made["width"], made["height"]) == (162, 100)
    with Image.open(tmp_path / "toy.webp") as poster:
        assert poster.size == (162, 100)
        assert min(poster.convert("RGB").getpixel((161, 50))) > 240


def test_the_same_animation_gives_the_same_bytes(tmp_path, monkeypatch):
    gif = animation(tmp_path / "toy.gif")
    contents = []
    for home in ("one", "two"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / home))
        films.film(gif, tmp_path / home)
        contents.append(
            [(tmp_path / home / f"toy.{kind}").read_bytes() for kind in ("mp4", "webp")]
        )
    assert contents[0] == contents[1]


def test_a_second_build_encodes_nothing(tmp_path, monkeypatch):
    gif = animation(tmp_path / "toy.gif")
    first = films.films([(gif, tmp_path / "a"), (gif, tmp_path / "b")])
    monkeypatch.setattr(films, "encode", lambda *_: pytest.fail("it encodes again"))
    copy = tmp_path / "copy.gif"
    shutil.copy(gif, copy)
    assert films.films([(gif, tmp_path / "c")]) == first[:1]
    assert films.film(copy, tmp_path / "c")["video"] == "copy.mp4"
    assert (tmp_path / "c" / "copy.mp4").read_bytes() == (tmp_path / "a" / "toy.mp4").read_bytes()
    assert [path.name for path in films.cache().glob("part-*")] == []


def test_other_settings_encode_again(tmp_path, monkeypatch):
    gif = animation(tmp_path / "toy.gif")
    films.film(gif, tmp_path)
    monkeypatch.setattr(films, "ENCODER", [*films.ENCODER, "-bitexact"])
    films.film(gif, tmp_path)
    assert len(list(films.cache().iterdir())) == 2


def test_what_nobody_used_for_long_leaves_the_cache(tmp_path):
    films.film(animation(tmp_path / "toy.gif"), tmp_path)
    [old] = films.cache().iterdir()
    films.film(animation(tmp_path / "other.gif", colours=COLOURS[::-1]), tmp_path)
    long_ago = time.time() - 100 * 86_400
    os.utime(old, (long_ago, long_ago))
    films.films([])
    assert old not in films.cache().iterdir()
    assert len(list(films.cache().iterdir())) == 1


def test_without_an_animation_there_is_no_film(tmp_path):
    assert films.films([(tmp_path / "none.gif", tmp_path)]) == [None]
    assert not films.cache().exists()


@pytest.mark.parametrize("content", [b"", b"GIF89a half of one", b"version https://git-lfs", None])
def test_an_animation_that_is_none_is_named(tmp_path, content):
    gif = animation(tmp_path / "toy" / "toy.gif")
    (gif.parent / "card.toml").write_text("")
    gif.write_bytes(gif.read_bytes()[:700] if content is None else content)
    with pytest.raises(CatalogueError, match="toy/toy.gif is no picture; run: .* figures toy$"):
        films.film(gif, tmp_path)
    assert list(films.cache().iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CatalogueError, match=r"films cannot be written: .*; set XDG_CACHE_HOME"):
        films.film(animation(tmp_path / "toy.gif"), tmp_path)


def test_without_an_encoder_the_error_says_what_to_install(tmp_path, monkeypatch):
    import imageio_ffmpeg

    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(CatalogueError, match="run: pip install imageio-ffmpeg"):
        films.film(animation(tmp_path / "toy.gif"), tmp_path)


# ---- the small pictures ----
def stub(folder, file, box):
    return SimpleNamespace(
        folder=folder, card=SimpleNamespace(thumb=SimpleNamespace(file=file, box=box))
    )


def noise(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, 90).convert("RGB").save(path)


def test_a_thumbnail_is_the_crop_of_the_card(tmp_path):
    picture = Image.new("RGB", (1400, 900), "white")
    ImageDraw.Draw(picture).rectangle((100, 100, 1099, 724), fill="#0060a0")
    (tmp_path / "viz").mkdir()
    picture.save(tmp_path / "viz" / "a.png")
    one = stub(tmp_path, "viz/a.png", (100, 100, 1100, 725))
    assert films.thumb(one, tmp_path / "out" / "a.webp") == (560, 350)
    assert (tmp_path / "out" / "a.webp").stat().st_size <= 10_000
    with Image.open(tmp_path / "out" / "a.webp") as small:
        colours = small.convert("RGB").getcolors(1000)
    assert all(max(abs(a - b) for a, b in zip(c, (0, 96, 160))) < 12 for _, c in colours)


def test_a_thumbnail_gives_up_detail_for_weight_and_is_never_blown_up(tmp_path):
    noise(tmp_path / "a.png", (1400, 900))
    width, height = films.thumb(stub(tmp_path, "a.png", (0, 0, 1400, 900)), tmp_path / "a.webp")
    assert (width, height) == (420, 270)
    small = stub(tmp_path, "a.png", (10, 10, 60, 40))
    assert films.thumb(small, tmp_path / "b.webp") == (50, 30)


def test_a_thumbnail_of_an_animation_shows_how_it_ends(tmp_path):
    animation(tmp_path / "toy.gif")
    assert films.thumb(stub(tmp_path, "toy.gif", (50, 20, 150, 90)), tmp_path / "a.webp") == (
        100,
        70,
    )
    with Image.open(tmp_path / "a.webp") as small:
        assert max(small.convert("RGB").getpixel((50, 35))) < 8


def test_the_picture_of_a_shared_link_has_its_shape(tmp_path):
    noise(tmp_path / "a.png", (1400, 900))
    for box, size in (
        ((0, 0, 1400, 900), (1200, 630)),
        ((0, 0, 800, 400), (800, 420)),
        ((0, 0, 80, 50), (600, 315)),
    ):
        assert films.social(stub(tmp_path, "a.png", box), tmp_path / "a.jpg") == size
        with Image.open(tmp_path / "a.jpg") as picture:
            assert (picture.format, picture.size) == ("JPEG", size)


def test_small_pictures_come_from_the_cache_and_miss_where_there_is_none(tmp_path, monkeypatch):
    noise(tmp_path / "a.png", (400, 300))
    one = stub(tmp_path, "a.png", (0, 0, 400, 300))
    for draw in (films.thumb, films.social):
        draw(one, tmp_path / "a")
        first = (tmp_path / "a").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(films, "reading", lambda path: pytest.fail("it reads again"))
            draw(one, tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == first
        assert draw(stub(tmp_path, "none.png", (0, 0, 1, 1)), tmp_path / "c") is None


def test_a_damaged_picture_is_named(tmp_path):
    (tmp_path / "toy" / "viz").mkdir(parents=True)
    (tmp_path / "toy" / "viz" / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(CatalogueError, match=r"a\.png is no picture; run: .* figures toy$"):
        films.thumb(stub(tmp_path / "toy", "viz/a.png", (0, 0, 9, 9)), tmp_path / "a.webp")


# ---- the player ----
FILM = {"width": 16, "height": 10, "seconds": 1.7, "frames": 8, "times": STARTS}
FILM |= {"video": "toy.mp4", "poster": "toy.webp"}


def test_the_player_is_html_that_markdown_leaves_alone():
    text = films.player(FILM, 'A "film" <now>', "B & C", at="a/", gif="toy.gif")
    assert "\n\n" not in text
    assert text.startswith("<figure")
    assert 'aria-label="A &#34;film&#34; &lt;now&gt;"' in text
    assert "<figcaption>B &amp; C</figcaption>" in text
    assert 'poster="a/toy.webp"' in text
    assert 'src="a/toy.mp4"' in text
    assert 'href="a/toy.gif"' in text
    plain = films.player(FILM, "A film")
    assert "figcaption" not in plain
    assert "noscript" not in plain


PAGE = """<!doctype html>
<html lang="en" class="THEME">
<head><meta charset="utf-8"><title>Films</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="film.css">
<style>
.light { --bg: #fff; --fg: #1b1f2a; --links: #1a5fb4 }
.navy { --bg: #161923; --fg: #bcbdd0; --links: #7cc0ea; color-scheme: dark }
html { background: var(--bg); color: var(--fg) }
</style>
<script src="film.js" defer></script></head>
<body><main><h1>Films</h1>
FILMS
</main></body></html>
"""


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium brings it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A site with two films, in each theme, and a page whose film is missing."""
    folder = tmp_path_factory.mktemp("films")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        one = films.film(animation(folder / "one.gif"), folder)
        two = films.film(animation(folder / "two.gif", colours=COLOURS[::-1]), folder)
    for name in ("film.css", "film.js"):
        shutil.copy(ROOT / "site" / name, folder)
    both = films.player(one, "Colours", "First", gif="one.gif") + films.player(two, "Others")
    broken = films.player(one | {"video": "none.mp4"}, "Nothing")
    for name, theme, body in (
        ("light", "light", both),
        ("navy", "navy", both),
        ("broken", "light", broken),
        ("empty", "light", ""),
    ):
        page = PAGE.replace("THEME", theme).replace("FILMS", body)
        (folder / f"{name}.html").write_text(page, "utf-8")
    with book.server(folder) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.fixture
def visit(chromium, address):
    """Open a page, with the names of all that it asks for; the console has to stay clean."""
    opened, complaints = [], []

    def visit(name="light", width=1000, **settings):
        context = chromium.new_context(viewport={"width": width, "height": 800}, **settings)
        opened.append(context)
        page = context.new_page()
        page.asked = []
        page.on("request", lambda r: page.asked.append(urllib.parse.urlsplit(r.url).path[1:]))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        return page

    visit.complaints = complaints
    yield visit
    for context in opened:
        context.close()
    assert complaints == []


def state(page, index=0):
    return page.locator(".film").nth(index).get_attribute("data-state")


def wait_for(page, state, index=0):
    page.locator(f".film >> nth={index}").and_(page.locator(f'[data-state="{state}"]')).wait_for()


def pace(page, rate):
    """Let the films run slower, so that a busy machine has time to stop them, or faster."""
    page.evaluate(
        """rate => {
            for (const video of document.querySelectorAll("video")) {
                video.defaultPlaybackRate = video.playbackRate = rate;
            }
        }""",
        rate,
    )


def colour(page, index=0):
    """The colour in the middle of the picture that the video shows."""
    return page.evaluate(
        """index => {
            const video = document.querySelectorAll("video")[index];
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
            const context = canvas.getContext("2d");
            context.drawImage(video, 0, 0);
            return [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
        }""",
        index,
    )[:3]


def shows(page, frame, index=0):
    """Wait until the video has come to a frame, then whether it is the one."""
    page.wait_for_function(
        """([index, start]) => {
            const video = document.querySelectorAll("video")[index];
            const there = Math.abs(100 * video.currentTime - start) < 3 || video.ended;
            return there && !video.seeking && video.readyState > 1;
        }""",
        arg=[index, STARTS[frame]],
    )
    wanted = Image.new("RGB", (1, 1), (COLOURS, COLOURS[::-1])[index][frame]).getpixel((0, 0))
    return max(abs(a - b) for a, b in zip(colour(page, index), wanted)) < 20


def test_nothing_is_fetched_or_moves_before_it_is_asked_for(visit):
    page = visit()
    page.wait_for_timeout(300)
    assert "one.webp" in page.asked
    assert not [name for name in page.asked if name.endswith((".mp4", ".gif"))]
    assert state(page) == "new"
    assert page.evaluate("[...document.querySelectorAll('video')].every(v => v.paused)")


def test_a_film_plays_pauses_and_stops_on_its_last_frame(visit):
    page = visit()
    pace(page, 0.2)
    button = page.locator(".film-button").first
    button.click()
    wait_for(page, "playing")
    page.wait_for_function("document.querySelector('video').currentTime > 0.1")
    assert button.get_attribute("aria-label") == "Pause the film"
    button.click()
    wait_for(page, "paused")
    now = page.evaluate("document.querySelector('video').currentTime")
    page.wait_for_timeout(200)
    assert page.evaluate("document.querySelector('video').currentTime") == now
    frame = int(page.locator(".film-scrub").first.input_value())
    assert STARTS[frame] <= 100 * now + 1
    pace(page, 4)
    button.click()
    wait_for(page, "ended")
    assert button.get_attribute("aria-label") == "Play the film again"
    assert page.locator(".film-scrub").first.input_value() == "7"
    assert page.locator(".film-time").first.inner_text() == "1.7 / 1.7 s"
    assert shows(page, 7)
    assert page.evaluate("document.querySelector('video').loop") is False
    pace(page, 0.2)
    button.click()
    wait_for(page, "playing")
    page.wait_for_function("document.querySelector('video').currentTime < 1")
    assert page.asked.count("one.mp4") == 1


def test_arrow_keys_step_through_the_frames_and_show_each_exactly(visit):
    page = visit()
    scrub = page.locator(".film-scrub").first
    scrub.focus()
    for frame in range(1, 8):
        page.keyboard.press("ArrowRight")
        assert scrub.input_value() == str(frame)
        assert shows(page, frame), frame
    assert scrub.get_attribute("aria-valuetext") == "frame 8 of 8, 1.2 of 1.7 s"
    assert state(page) == "ended"
    for frame in range(6, -1, -1):
        page.keyboard.press("ArrowLeft")
        assert shows(page, frame), frame
    assert state(page) == "paused"


def test_the_keyboard_reaches_button_and_bar_and_works_them(visit):
    page = visit()
    pace(page, 0.2)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "film-button"
    page.keyboard.press("Space")
    wait_for(page, "playing")
    page.keyboard.press("Enter")
    wait_for(page, "paused")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "film-scrub"
    page.keyboard.press("End")
    wait_for(page, "ended")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_click_on_the_picture_plays_and_pauses_and_one_film_plays_at_a_time(visit):
    page = visit()
    pace(page, 0.2)
    first, second = page.locator(".film-screen").all()
    assert page.locator(".film-mark").first.is_visible()
    first.click()
    wait_for(page, "playing")
    assert not page.locator(".film-mark").first.is_visible()
    second.click()
    wait_for(page, "playing", 1)
    assert state(page) == "paused"
    second.click()
    wait_for(page, "paused", 1)


def test_a_jump_stops_a_film_that_plays(visit):
    page = visit()
    pace(page, 0.2)
    page.locator(".film-button").first.click()
    page.wait_for_function("document.querySelector('video').currentTime > 0.1")
    page.locator(".film-scrub").first.fill("5")
    wait_for(page, "paused")
    assert shows(page, 5)
    pace(page, 4)
    page.locator(".film-button").first.click()
    wait_for(page, "ended")


def test_whoever_wants_less_motion_gets_no_transitions(visit):
    page = visit(reduced_motion="reduce")
    for part in (".film-button", ".film-mark"):
        style = f"getComputedStyle(document.querySelector('{part}')).transitionDuration"
        assert page.evaluate(style) == "0s"
    assert state(page) == "new"


def test_without_scripts_the_browsers_own_controls_are_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("video[controls]").count() == 2
    assert not page.locator(".film-bar").first.is_visible()
    assert page.get_by_role("link", name="The film as a GIF").is_visible()
    assert not [name for name in page.asked if name.endswith((".mp4", ".gif"))]


def test_a_film_that_is_missing_says_so(visit):
    page = visit("broken")
    page.locator(".film-button").click()
    wait_for(page, "broken")
    assert page.locator(".film-time").inner_text() == "cannot be shown here"
    assert len(visit.complaints) == 1  # the browser names the missing file
    visit.complaints.clear()


def test_a_page_without_films_is_left_alone(visit):
    visit("empty")


def test_a_film_fits_a_phone(visit):
    page = visit(width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".film-button").first.bounding_box()
    assert min(box["width"], box["height"]) >= 24


def test_films_are_dimmed_on_dark_pages_only(visit):
    style = "getComputedStyle(document.querySelector('video')).filter"
    assert visit("light").evaluate(style) == "none"
    assert visit("navy").evaluate(style) == "brightness(0.88)"


@pytest.mark.parametrize("theme", ["light", "navy"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_to_complain_of(visit, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(theme, width)
    for _ in range(2):  # at rest, and at the end
        found = axe.Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
        page.locator(".film-scrub").first.fill("7")
        wait_for(page, "ended")
