"""What the tests share: the stubs of the tree, and a small catalogue in a temporary folder."""
import os
import shutil
import subprocess
import sys

import pytest

from tools.catalogue import ROOT
from tools.running import ONE_THREAD


def python(*arguments, cwd=ROOT, **more):
    """Run Python to its end, with one BLAS thread; never raises for an exit code."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=os.environ | ONE_THREAD, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=False, **more,
    )


@pytest.fixture
def catalogue(tmp_path):
    """A tree of its own with the tools and one scaffolded stub, `toy`. Call it as `catalogue("list")`."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "site", tmp_path / "site")
    for file in ("SPEC.md", "README.md", "BUILD_NOTES.md", "LICENSE", "book.toml"):
        shutil.copy(ROOT / file, tmp_path / file)

    def tools(*arguments, **more):
        return python("-m", "tools", *arguments, cwd=tmp_path, **more)

    tools.root = tmp_path
    tools.toy = tmp_path / "toy"
    made = tools("new", "toy")
    assert made.returncode == 0, made.stderr
    return tools
