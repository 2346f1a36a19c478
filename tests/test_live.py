"""Run it here: the form of every stub, and real runs in a page that reaches no other host."""

import functools
import http.server
import json
import re
import shutil
import threading
from html.parser import HTMLParser

import pytest
from conftest import python
from test_32_bit import close, numbers
from test_site import CHROMIUM, FLAGS

from tools import live, pages
from tools.catalogue import ROOT, Stub, stub, stubs
from tools.schema import CatalogueError

XOR = stub("nbb-xor")
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PAGE = """<!doctype html>
<html lang="en" class="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="../site/catalogue.css">
<link rel="stylesheet" href="../site/run.css">
</head>
<body><main><h1>A page</h1>
PANEL
</main></body></html>
"""
BROKEN = """
import argparse, sys

def main(this, argv):
    print("so far")
    raise RuntimeError("no luck")
"""


def panel(one, usable=True):
    return live.panel(one, {"run": pages.expense(one.run)}, usable)


# ---- the form ----
class Form(HTMLParser):
    """The inputs of a panel by their ids, with the texts of their labels and their options."""

    def __init__(self, text):
        super().__init__()
        self.inputs, self.labels, self.choices, self.ids = {}, {}, {}, []
        self.texts = None  # where the text of the present element goes
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.texts = None
        if tag in ("input", "select") and "id" in attributes:
            self.last = attributes["id"]
            self.inputs[self.last] = attributes
        elif tag == "label":
            self.texts = self.labels.setdefault(attributes.get("for"), [])
        elif tag == "option":
            self.texts = self.choices.setdefault(self.last, [])

    def handle_data(self, data):
        if self.texts is not None and data.strip():
            self.texts.append(data.strip())


@pytest.mark.parametrize("one", stubs(), ids=lambda one: one.slug)
def test_every_setting_has_a_labelled_input_with_its_default_and_its_range(one):
    text = panel(one)
    form = Form(text)
    assert len(form.ids) == len(set(form.ids))
    config = pages.config_class(one)
    rows = pages.config_rows(one)
    assert len(form.inputs) == len(rows) + 1  # and the seed
    assert form.inputs["run--seed"]["max"] == str(2**32 - 1)
    for setting in live.settings(one):
        found = form.inputs[f"run{setting.flag}"]
        default = getattr(config, setting.name)
        assert form.labels[f"run{setting.flag}"] == [setting.name]
        assert found["aria-describedby"] in form.ids
        assert found["data-full"] == setting.full
        if isinstance(default, bool):
            assert found["data-full"] == ("on" if default else "off")
            assert found["type"] == "checkbox"
        elif isinstance(default, tuple):
            assert found["data-full"].split() == [str(part) for part in default]
        else:
            assert type(default)(found["data-full"]) == default
        if setting.choices:
            assert form.choices[f"run{setting.flag}"] == list(setting.choices)
        if found.get("type") == "number":
            assert float(found["min"]) <= default <= float(found["max"])
            assert (found["step"] == "1") == (setting.kind == "int")
    assert not re.search(r"\n\s*\n|^ ", text, re.M)  # it may stand in a page of Markdown
    assert [path for path in json.loads(json_of(text)) if not (ROOT / path).is_file()] == []


def json_of(text):
    return re.search('data-files="([^"]*)"', text)[1].replace("&#34;", '"')


def test_quick_values_and_the_length_that_is_chosen():
    text = panel(XOR)
    form = Form(text)
    assert form.inputs["run--presentations"]["data-quick"] == "600"
    assert form.inputs["run--presentations"]["data-full"] == "5000"
    assert 'value="full" checked' in text
    assert 'value="quick" checked' in panel(stub("timing-counting-spikes"))


def test_a_stub_without_records_and_a_site_without_python_say_so():
    assert "no full run is recorded" in live.panel(XOR, {"run": None})
    text = panel(XOR, usable=False)
    assert "without Python for the browser" in text
    assert "<form" not in text
    assert "emulator ale-py, which a browser lacks" in panel(stub("resu-pong"))


@pytest.mark.parametrize(
    "native, words", [(2.8, "6 to 28 s"), (10.4, "21 to 104 s"), (66.7, "2 to 11 min")]
)
def test_the_time_to_expect(native, words):
    assert live.expected(native) == words


def test_the_data_that_an_experiment_reads(tmp_path):
    for name in ("toy/data/own.csv", "toy/data/README.md", "data/mnist/images.gz", "data/x/y.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    toy = Stub(tmp_path / "toy")
    toy.script.write_text('here / "data" / "mnist"')
    found = [path.relative_to(tmp_path).as_posix() for path in live.files_of(toy)]
    assert found == ["toy/toy.py", "toy/card.toml", "data/mnist/images.gz", "toy/data/own.csv"]


# ---- Pyodide ----
def test_the_scripts_name_the_version_that_is_brought():
    for name in ("worker.js", "offline.js"):
        named = set(re.findall(r"pyodide-\d[\d.]+\d", (live.LIVE / name).read_text("utf-8")))
        assert named == {live.PYODIDE}


def test_a_changed_package_is_refused():
    with pytest.raises(CatalogueError, match="not the published one; delete it"):
        live.contents(b"something else")


def test_without_npm_and_without_a_cache_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(live.NoPyodideError, match="no npm here"):
        live.bring(tmp_path, stubs())


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    html = tmp_path_factory.mktemp("live")
    try:
        live.bring(html, stubs())
    except live.NoPyodideError as error:
        pytest.skip(f"no Python for the browser: {error}")
    return html


def test_what_is_brought_is_the_same_each_time_and_no_more_than_needed(brought, tmp_path):
    live.bring(tmp_path, stubs())
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((tmp_path / file).read_bytes() == (brought / file).read_bytes() for file in files)
    assert len(list((tmp_path / "live" / live.PYODIDE).iterdir())) == 6
    assert (tmp_path / "live" / live.PYODIDE / live.LOCK).stat().st_size < 1000


# ---- runs in a page ----
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium brings it"
)


class Visit:
    """A page with a panel, served below a path, and what was asked for and complained about."""

    def __init__(self, browser, html):
        self.asked, self.complaints = [], []
        asked = self.asked

        class Server(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                asked.append(self.path)

        serve = functools.partial(Server, directory=str(html.parent))
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.path = f"/{html.name}/"
        self.address = f"http://127.0.0.1:{self.web.server_port}{self.path}nbb-xor/"
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.page = self.context.new_page()
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(self.address)

    def heard(self, said):
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def choose(self, length):
        self.page.locator("#run legend + label, #run legend + label + label").filter(
            has_text=length
        ).click()

    def set(self, flag, value):
        details = self.page.locator("#run form details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        self.page.locator(f"[id='run{flag}']").fill(str(value))

    def run(self):
        self.page.locator("#run [type=submit]").click()

    def ended(self):
        """The status line when the run is over."""
        over = "document.querySelector('#run').dataset.state !== 'running'"
        self.page.wait_for_function(over, timeout=300_000)
        return self.page.locator("#run-status").inner_text()

    def output(self):
        return self.page.locator("#run-output").inner_text()

    def record(self):
        fetched = "link => fetch(link.href).then(answer => answer.json())"
        return self.page.locator("#run-record").evaluate(fetched)

    def close(self):
        self.context.close()
        self.web.shutdown()
        self.web.server_close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, ALONE])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def served(brought):
    folder = brought / XOR.slug
    folder.mkdir()
    (brought / "site").mkdir()
    for name in ("run.js", "run.css", "catalogue.css"):
        shutil.copy(ROOT / "site" / name, brought / "site")
    for path in live.files_of(XOR):
        shutil.copy(path, folder)
    (folder / "index.html").write_text(PAGE.replace("PANEL", panel(XOR)), "utf-8")
    (brought / "broken").mkdir()
    (brought / "broken" / "broken.py").write_text(BROKEN)
    return brought


@pytest.fixture(scope="module")
def shared(browser, served):
    visit = Visit(browser, served)
    yield visit
    visit.close()


@pytest.fixture
def visit(shared):
    """The page, whose Python the tests share; it may not have complained."""
    yield shared
    assert shared.complaints == []


def without_seconds(report):
    return re.sub(r"[\d.]+ s of one core", "S s of one core", report.strip()).splitlines()


@needs_chromium
def test_a_quick_run_in_the_page_is_the_native_one(visit, tmp_path):
    kept = tmp_path / "record.json"
    flags = ["--quick", "--seed", "3", "--hidden", "4"]
    native = python(XOR.script, *flags, "--json", kept)
    assert not [path for path in visit.asked if "/live/" in path]  # before the click
    visit.choose("Quick")
    visit.set("--seed", 3)
    visit.set("--hidden", 4)
    command = visit.page.locator("#run-command").inner_text()
    assert command == "python3 nbb_xor.py --quick --seed=3 --hidden=4"
    visit.run()
    assert re.fullmatch(r"Done in [\d.]+ s", visit.ended())
    assert without_seconds(visit.output()) == without_seconds(native.stdout)
    record, wanted = visit.record(), json.loads(kept.read_text())
    assert record["config"] == wanted["config"]
    found, wanted = numbers(record["metrics"]), numbers(wanted["metrics"])
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not close(found[name], wanted[name])] == []
    label = visit.page.locator("#run-curve svg").get_attribute("aria-label")
    assert label.startswith("The curve of this run, from ")


@needs_chromium
def test_a_bad_value_gives_the_line_of_the_command_line(visit):
    visit.choose("Quick")
    visit.set("--hidden", 1000)
    visit.run()
    assert visit.ended() == "Not started"
    native = python(XOR.script, "--quick", "--hidden", "1000")
    assert visit.output().strip() == native.stderr.strip()
    visit.page.locator("#run [type=reset]").click()
    assert visit.page.locator("#run-command").inner_text() == "python3 nbb_xor.py --quick"


@needs_chromium
def test_an_exception_shows_its_last_line_and_folds_the_rest(visit):
    section = visit.page.locator("#run")
    section.evaluate("""section => {
        section.dataset.kept = JSON.stringify([section.dataset.script, section.dataset.files]);
        section.dataset.script = "broken/broken.py";
        section.dataset.files = '["broken/broken.py"]';
    }""")
    visit.run()
    assert visit.ended() == "Failed"
    assert visit.output() == "so far\nRuntimeError: no luck"
    assert not visit.page.locator("#run-traceback pre").is_visible()
    visit.page.locator("#run-traceback summary").click()
    assert "broken.py" in visit.page.locator("#run-traceback pre").inner_text()
    section.evaluate("""section => {
        [section.dataset.script, section.dataset.files] = JSON.parse(section.dataset.kept);
    }""")


@needs_chromium
def test_stop_stops_and_run_starts_again(visit):
    visit.choose("Full")
    visit.set("--presentations", 1_000_000)
    visit.run()
    moving = "document.querySelector('#run-progress').position > 0"
    visit.page.wait_for_function(moving, timeout=300_000)
    assert "of the nets are right" in visit.page.locator("#run-line").inner_text()
    visit.page.locator("#run-stop").click()
    assert re.fullmatch(r"Stopped after \d+ s", visit.ended())
    visit.page.locator("#run [type=reset]").click()
    visit.choose("Quick")
    visit.run()
    assert visit.ended().startswith("Done")


@needs_chromium
def test_what_ran_once_runs_without_a_network(visit):
    visit.choose("Quick")
    visit.run()
    assert visit.ended().startswith("Done")
    report = visit.output()
    visit.context.set_offline(True)
    try:
        asked = len(visit.asked)
        visit.page.reload()
        visit.choose("Quick")
        visit.run()
        assert visit.ended().startswith("Done")
        assert without_seconds(visit.output()) == without_seconds(report)
        updates = f"{visit.path}offline.js"  # which the browser itself asks for
        assert set(visit.asked[asked:]) <= {updates}
    finally:
        visit.context.set_offline(False)


@needs_chromium
def test_the_panel_is_accessible_and_fits(visit):
    from axe_playwright_python.sync_playwright import Axe

    visit.choose("Quick")
    visit.run()
    visit.ended()
    visit.set("--seed", 0)  # which opens the settings
    for theme in ("light", "navy"):
        for width in (1280, 390):
            visit.page.set_viewport_size({"width": width, "height": 900})
            visit.page.evaluate("theme => { document.documentElement.className = theme; }", theme)
            found = Axe().run(visit.page, "#run").response["violations"]
            wrong = {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found}
            assert wrong == {}, (theme, width)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


@needs_chromium
def test_without_javascript_a_sentence_says_what_is_missing(browser, served, shared):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(shared.address)
    assert page.locator("#run noscript p").is_visible()
    assert not page.locator("#run form").is_visible()
    context.close()
