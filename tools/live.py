"""Run it here: Python for the browser, and the panel in which a page runs its experiment."""

import base64
import hashlib
import io
import json
import os
import runpy
import shutil
import subprocess
import tarfile
import tempfile
import typing
from dataclasses import dataclass, fields
from pathlib import Path

from tools import pages
from tools.catalogue import ROOT
from tools.schema import CatalogueError
from tools.wording import number

PYODIDE = "pyodide-0.27.7"
SHA512 = "RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA=="
LIVE = ROOT / "site" / "live"
WHEEL = LIVE / "numpy-2.0.2-cp312-cp312-pyodide_2024_0_wasm32.whl"
LOCK = "pyodide-lock.json"  # where Pyodide looks up its packages
ASKED = ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", LOCK)
SHORT = 15  # seconds: a native run up to this long is run in full
SLOWER = 2, 10  # times a native run, from light to heavy use of matrices


class NoPyodideError(CatalogueError):
    """Pyodide is not in the cache and cannot be fetched; the message says why."""


# ---- Pyodide ----
def package():
    """Pyodide's npm package, as bytes, from the user's cache; npm fetches it once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "learning-problems"
    archive = cache / f"{PYODIDE}.tgz"
    try:
        if not archive.exists():
            cache.mkdir(parents=True, exist_ok=True)
            fetch(archive)
        return archive.read_bytes()
    except OSError as error:
        raise NoPyodideError(f"no place to keep pyodide: {error}") from None


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
    """The files that a page asks for, {name: bytes}: five of Pyodide's, and our numpy wheel."""
    if base64.b64encode(hashlib.sha512(package).digest()).decode() != SHA512:
        wrong = f"{PYODIDE}.tgz in the cache is not the published one"
        raise CatalogueError(f"{wrong}; delete it, and it is fetched again")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        files = {name: archive.extractfile(f"package/{name}").read() for name in ASKED}
    files[WHEEL.name] = WHEEL.read_bytes()
    named = json.loads(files[LOCK])["packages"]["numpy"]
    if [named["file_name"], named["sha256"]] != [WHEEL.name, checksum(files[WHEEL.name])]:
        wrong = f"{WHEEL.name} is not the numpy that {PYODIDE} names"
        raise CatalogueError(f"{wrong}; put it back")
    return files


def checksum(data):
    return hashlib.sha256(data).hexdigest()


def bring(html, usable):
    """Put into a built site what runs of these stubs ask for, but for their scripts and cards."""
    html = Path(html)
    files = contents(package())
    lock = json.loads(files[LOCK])
    lock["packages"] = {"numpy": lock["packages"]["numpy"]}  # of 351
    files[LOCK] = json.dumps(lock, indent=1).encode()
    folder = html / "live" / PYODIDE
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    for name in ("worker.js", "runner.py"):
        shutil.copyfile(LIVE / name, html / "live" / name)
    shutil.copyfile(LIVE / "offline.js", html / "offline.js")  # it serves what lies below it
    for stub in usable:
        for path in stub.data:
            target = html / path.relative_to(stub.folder.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


# ---- what an experiment reads ----
def files_of(stub):
    """All the files that an experiment reads, the script first."""
    return [stub.script, stub.folder / "card.toml", *stub.data]


@dataclass(frozen=True)
class Setting:
    """A field of Config as an input of a form; values are text, as on the command line."""

    name: str
    meaning: str
    kind: str  # int, float, bool, str or tuple
    full: str
    quick: str
    span: str = ""  # the legal values in words
    low: str = ""
    high: str = ""
    choices: tuple[str, ...] = ()

    @property
    def flag(self):
        return f"--{self.name.replace('_', '-')}"


def settings(stub):
    """Every setting of an experiment, with its values in a full and in a quick run."""
    names = runpy.run_path(str(stub.script), run_name=f"settings of {stub.slug}")
    config, quick = names["Config"], names["QUICK"]
    hints = typing.get_type_hints(config, include_extras=True)
    return [
        setting(f.name, f.default, quick.get(f.name, f.default), hints[f.name])
        for f in fields(config)
    ]


def setting(name, full, quick, hint):
    kind, [text, *legal] = hint.__origin__, hint.__metadata__
    more = {}
    if legal and isinstance(legal[0][0], str):
        more = {"choices": legal[0], "span": " or ".join(legal[0])}
    elif legal:
        low, high = legal[0]
        more = {"low": str(low), "high": str(high), "span": f"{number(low)} to {number(high)}"}
    many = typing.get_args(kind)
    if many:
        more["span"] = f"{many[0].__name__}s, {more['span']} each"
    word = "tuple" if many else kind.__name__
    return Setting(name, text, word, value(full), value(quick), **more)


def value(default):
    if isinstance(default, bool):
        return "on" if default else "off"
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)


# ---- the panel ----
def panel(stub, view, usable=True):
    """The section of a stub's page that runs its experiment, as HTML; not usable: it says so.

    The page is SLUG/index.html of a site that `bring` was called for; it loads site/run.css.
    """
    root = stub.folder.parent
    native = view["run"]["seconds"] if view["run"] else None
    data = sum(path.stat().st_size for path in stub.data)
    text = pages.render(
        "site/run.html.j2",
        stub=stub,
        usable=usable,
        native=native,
        seeds=len(view["run"]["seeds"]) if view["run"] else 0,
        full=native is not None and native <= SHORT,
        expected=expected(native) if native is not None else None,
        took=seconds(native) if native is not None else None,
        megabytes=number(data / 1e6, 2) if data else None,
        emulator="ale_py" in stub.script.read_text("utf-8"),
        settings=settings(stub),
        files=json.dumps([path.relative_to(root).as_posix() for path in files_of(stub)]),
    )
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"


def expected(native):
    """The time that a full run takes in a browser, as words."""
    low, high = (native * times for times in SLOWER)
    if high < 120:
        return f"{low:.0f} to {high:.0f} s"
    return f"{max(1, low / 60):.0f} to {high / 60:.0f} min"


def seconds(native):
    return f"{native:.1f} s" if native < 10 else f"{native:.0f} s"
