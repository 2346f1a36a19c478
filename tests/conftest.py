"""What the tests share: runs of Python, quick runs that are made once, and a small catalogue."""

import contextlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tools.catalogue import ROOT, stubs
from tools.running import ONE_THREAD

TWO_THREADS = dict.fromkeys(ONE_THREAD, "2")
SLUGS = [stub.slug for stub in stubs()]
WHOLE = ("test_32_bit.py", "test_live.py")  # each starts something slow, once
OF_THE_SITE = ("test_book.py", "test_site.py")  # they look at one built site
NUMPY_ONLY = """
import runpy, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"numpy", *sys.stdlib_module_names}:
            raise ModuleNotFoundError(f"only numpy is allowed, not {name}")
sys.meta_path.insert(0, Block())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


# ---- which tests run, and where ----
def pytest_addoption(parser):
    parser.addoption("--stub", metavar="SLUG", help="only the tests of this stub")
    parser.addoption("--site", metavar="DIR", help="build the site that is tested there")
    parser.addoption("--site-url", metavar="URL", help="where that site will stand")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--stub")
    if wanted:
        dropped = [item for item in items if slug_of(item.nodeid) != wanted]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if slug_of(item.nodeid) == wanted]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep all tests of a stub on one worker, where they share its quick runs."""
    from xdist.scheduler import LoadScopeScheduling

    class ByStub(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = Path(nodeid.partition("::")[0]).name
            if file in OF_THE_SITE:
                return "the site"
            return file if file in WHOLE else slug_of(nodeid) or nodeid

    return ByStub(config, log)


def slug_of(test):
    """The stub that a test is about, by its folder or its parameter; None for other tests."""
    folder, _, rest = test.partition("/")
    if folder in SLUGS:
        return folder
    parameter = rest.partition("[")[2]
    named = [slug for slug in SLUGS if parameter.startswith((f"{slug}-", f"{slug}]"))]
    return max(named, key=len, default=None)


# ---- programs, in a process of their own and in this one ----
def python(*arguments, cwd=ROOT, env=ONE_THREAD, **more):
    """Run Python to its end, with one BLAS thread; never raises for an exit code."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        **more,
    )


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, what it printed, and its record if it kept one."""

    code: int
    out: str
    err: str
    record: dict | None = None


def call(main, *arguments):
    """Call a main(...) in this process and end as a process would, with texts for exit codes."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(*arguments)
        except SystemExit as ended:
            code = ended.code
    if isinstance(code, str):
        return Ended(1, out.getvalue(), f"{err.getvalue()}{code}\n")
    return Ended(code or 0, out.getvalue(), err.getvalue())


def load(program):
    """A program of a stub as a module, under its own name."""
    folder = str(program.stub.folder)
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(program.script.stem)


# ---- quick runs ----
def run_at_home(program, seed, out):
    return python(program.script, "--quick", "--seed", seed, "--json", out)


def run_away(program, seed, out):
    """Run a copied-out experiment with numpy alone, while the user asks for two threads."""
    folder = out.parent / "away"
    folder.mkdir()
    shutil.copy(program.script, folder)
    for path in program.stub.data:
        parts = path.relative_to(ROOT).parts  # SLUG, data, ... or data, ...
        target = folder.joinpath(*parts[parts.index("data") :])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    flags = ("--quick", "--seed", seed, "--json", out)
    env = TWO_THREADS | {"PYTHONHASHSEED": "7"}
    script = folder / program.script.name
    return python("-P", "-s", "-c", NUMPY_ONLY, script, *flags, cwd=folder, env=env)


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """A program's quick run, made once: quick(program), with seed=1 or how=run_away."""

    @cache
    def quick(program, seed=0, how=run_at_home):
        out = tmp_path_factory.mktemp(program.stub.slug) / "record.json"
        done = how(program, seed, out)
        record = json.loads(out.read_text("utf-8")) if out.exists() else None
        return Ended(done.returncode, done.stdout, done.stderr, record)

    return quick


# ---- the site ----
@pytest.fixture(scope="session")
def site(request, tmp_path_factory):
    """The folder of the HTML of this tree's site, built once."""
    from tools import book

    out = request.config.getoption("--site") or tmp_path_factory.mktemp("site")
    return book.build(ROOT, out, request.config.getoption("--site-url"))


# ---- a catalogue of its own ----
@pytest.fixture
def catalogue(tmp_path):
    """A tree with the tools and one scaffolded stub, `toy`. Call it as `catalogue("list")`."""
    kept_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=kept_out)
    shutil.copytree(ROOT / "site", tmp_path / "site")
    for file in (
        "SPEC.md",
        "README.md",
        "BUILD_NOTES.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "book.toml",
    ):
        shutil.copy(ROOT / file, tmp_path / file)

    def tools(*arguments, **more):
        return python("-m", "tools", *arguments, cwd=tmp_path, **more)

    tools.root = tmp_path
    tools.toy = tmp_path / "toy"
    made = tools("new", "toy")
    assert made.returncode == 0, made.stderr
    return tools
