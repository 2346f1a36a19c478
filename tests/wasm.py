"""A 32-bit numpy: Pyodide (CPython and numpy for WebAssembly) in a page of Chromium."""

import base64
import hashlib
import io
import json
import mimetypes
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tools.catalogue import ROOT

PYODIDE = "pyodide-0.27.7"
SHA512 = "RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA=="
WHEEL = ROOT / "site" / "live" / "numpy-2.0.2-cp312-cp312-pyodide_2024_0_wasm32.whl"
ADDRESS = "http://pyodide.test/"  # no such host: what the page asks for is answered from memory
START = """async () => {
    const { loadPyodide } = await import("/pyodide.mjs");
    globalThis.pyodide = await loadPyodide({ packages: ["numpy"] });
}"""
PYTHON = "source => pyodide.runPython(source)"
RUN = """([archive, script]) => {
    const bytes = Uint8Array.from(atob(archive), letter => letter.charCodeAt(0));
    pyodide.unpackArchive(bytes, "zip", { extractDir: "/catalogue" });
    return pyodide.globals.get("quick_run")(script);
}"""
QUICK_RUN = '''
import contextlib, gc, importlib.util, io, json, pathlib, shutil, sys, time, traceback
import numpy as np

time.process_time = time.perf_counter  # a browser's own stands still

def quick_run(script):
    """The record of a quick run of /catalogue/SCRIPT as JSON, or {"error": traceback}."""
    script, out = pathlib.Path("/catalogue", script), io.StringIO()
    record = script.with_name("record.json")
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = sys.modules[script.stem] = importlib.util.module_from_spec(spec)
    try:
        with np.errstate(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            spec.loader.exec_module(module)
            module.main(module, ["--quick", "--seed", "0", "--json", str(record)])
        return record.read_text()
    except BaseException:
        return json.dumps({"error": out.getvalue() + traceback.format_exc()})
    finally:
        del sys.modules[script.stem], module
        shutil.rmtree("/catalogue")
        gc.collect()
'''


class NoPyodideError(Exception):
    """Pyodide is not in the cache and cannot be fetched; the message says why."""


class RunError(Exception):
    """The experiment did not end well there; the message is what it printed."""


class Machine:
    """Pyodide, started at the first run; all runs share it, each as a module of its own."""

    def __init__(self, chromium, files):
        self.chromium = chromium
        self.files = files
        self.page = None

    def start(self):
        """A page in which Pyodide runs."""
        page = self.chromium.new_page()
        page.route("**/*", self.answer)
        page.goto(ADDRESS)
        page.evaluate(START)
        page.evaluate(PYTHON, QUICK_RUN)
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
        record = json.loads(self.evaluate(RUN, [archive, script]))
        if "error" in record:
            raise RunError(record["error"])
        return record["metrics"]


def files_of(stub):
    """The files that an experiment reads, as a zip."""
    files = [stub.script, stub.folder / "card.toml", *stub.folder.glob("data/**/*")]
    if "mnist" in stub.script.read_text("utf-8"):
        files += (ROOT / "data").glob("**/*")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in filter(Path.is_file, files):
            archive.write(path, path.relative_to(ROOT))
    return buffer.getvalue()


def package():
    """Pyodide's npm package, as bytes, from the user's cache; npm fetches it once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "learning-problems"
    archive = cache / f"{PYODIDE}.tgz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fetch(archive)
    return archive.read_bytes()


def fetch(archive):
    """Fetch the npm package; whoever looks meanwhile sees no file or a whole one."""
    if not (npm := shutil.which("npm")):
        raise NoPyodideError("no npm here, which fetches pyodide once")
    limits = ["--loglevel=error", "--fetch-retries=0", "--fetch-timeout=60000"]
    command = [npm, "pack", *limits, PYODIDE.replace("-", "@")]
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        got = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if got.returncode:
            raise NoPyodideError(f"npm cannot fetch pyodide: {' '.join(got.stderr.split())[:200]}")
        (Path(folder) / archive.name).replace(archive)


def contents(package):
    """The files that the page asks for, {name: bytes}: Pyodide's, and the site's numpy wheel."""
    if base64.b64encode(hashlib.sha512(package).digest()).decode() != SHA512:
        raise ValueError(f"{PYODIDE}.tgz in the cache is not the published one: delete it")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        files = {Path(m.name).name: archive.extractfile(m).read() for m in archive.getmembers()}
    return files | {WHEEL.name: WHEEL.read_bytes(), "": b"<!doctype html>"}
