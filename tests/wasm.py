"""A 32-bit numpy: Pyodide (CPython and numpy for WebAssembly) in a page of Chromium."""

import base64
import io
import mimetypes
import zipfile

from tools import live
from tools.catalogue import ROOT

ADDRESS = "http://pyodide.test/"  # no such host: what the page asks for is answered from memory
START = """async () => {
    const { loadPyodide } = await import("/pyodide.mjs");
    globalThis.pyodide = await loadPyodide({ packages: ["numpy"] });
}"""
PYTHON = "source => pyodide.runPython(source)"
RUN = """([archive, script]) => {
    const bytes = Uint8Array.from(atob(archive), letter => letter.charCodeAt(0));
    pyodide.unpackArchive(bytes, "zip", { extractDir: "/catalogue" });
    const said = [];
    const run = pyodide.globals.get("run_file");
    const flags = ["--quick", "--seed", "0"];
    const ended = JSON.parse(run("/catalogue", script, flags, text => said.push(text), () => {}));
    return { ...ended, said: said.join("") };
}"""


class RunError(Exception):
    """The experiment did not end well there; the message is what it printed."""


class Machine:
    """Pyodide, started at the first run; all runs share it, each as a module of its own."""

    def __init__(self, chromium, files):
        self.chromium = chromium
        self.files = files | {"": b"<!doctype html>"}
        self.page = None

    def start(self):
        """A page in which Pyodide runs."""
        page = self.chromium.new_page()
        page.route("**/*", self.answer)
        page.goto(ADDRESS)
        page.evaluate(START)
        page.evaluate(PYTHON, (live.LIVE / "runner.py").read_text("utf-8"))
        return page

    def answer(self, route):
        """Serve the page one of the files."""
        name = route.request.url.removeprefix(ADDRESS)
        kind = mimetypes.guess_type(name)[0] or "text/html"
        route.fulfill(body=self.files[name], content_type=kind)

    def evaluate(self, script, argument):
        """What some JavaScript returns there."""
        page = self.page or self.start()
        self.page = None  # a Pyodide that breaks down, say without memory, is not used again
        value = page.evaluate(script, argument)
        self.page = page
        return value

    def python(self, source):
        """The value of the last expression of some Python."""
        return self.evaluate(PYTHON, source)

    def quick_run(self, stub):
        """The metrics of a stub's quick run with seed 0."""
        archive = base64.b64encode(files_of(stub)).decode()
        script = f"{stub.slug}/{stub.script.name}"
        ended = self.evaluate(RUN, [archive, script])
        if ended["code"]:
            raise RunError(ended["said"] + ended["traceback"])
        return ended["record"]["metrics"]


def files_of(stub):
    """The files that an experiment reads, as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in live.files_of(stub):
            archive.write(path, path.relative_to(ROOT))
    return buffer.getvalue()
