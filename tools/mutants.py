"""Small deliberate faults: every one has to be caught by the stub's own tests.

Each stands in a stub's mutants.toml as [[mutant]] with name, kind, find (a text that occurs once in
the experiment, or in the `file` that it names) and replace.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from tools import running
from tools.schema import CatalogueError, Faults, one_line, shown

console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
PATIENCE = 300  # seconds; a fault may make the tests run for ever


def read(stub):
    """The mutants.toml of a stub, None without one. CatalogueError when it is unusable."""
    path = stub.folder / "mutants.toml"
    try:
        return Faults.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        wrong = f"{shown(path)} is unusable: {one_line(error)}"
        raise CatalogueError(f"{wrong}; SPEC.md says what it holds") from None


def faults(stub):
    """The faults of one stub, as dicts; `file` is in them where it is not the experiment."""
    listed = read(stub)
    return [fault.model_dump(exclude_none=True) for fault in listed.mutant] if listed else []


def survivors(stub, jobs=None):
    """The names of the faults that the stub's tests do not catch."""
    if caught(stub):
        raise CatalogueError(f"{stub.slug}: its tests fail without any fault; mend that first")
    listed = faults(stub)
    with ThreadPoolExecutor(jobs or running.usable_cores()) as pool:
        try:
            verdicts = list(pool.map(lambda fault: caught(stub, fault), listed))
        finally:  # also on Ctrl-C
            running.end_all()
    console.print(f"{stub.slug}: {sum(verdicts)} of {len(listed)} faults caught")
    return [f"{stub.slug}: {f['name']}" for f, dead in zip(listed, verdicts) if not dead]


def caught(stub, fault=None):
    """Whether the stub's tests fail with this fault in; without one, whether they fail as is."""
    with tempfile.TemporaryDirectory() as copy:
        kept_out = shutil.ignore_patterns("viz", "*.gif", ".*")
        folder = Path(shutil.copytree(stub.folder, Path(copy) / stub.slug, ignore=kept_out))
        for path in stub.data:
            target = Path(copy) / path.relative_to(stub.folder.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        if fault:
            file = folder / fault.get("file", stub.script.name)
            text = file.read_text("utf-8").replace(fault["find"], fault["replace"])
            file.write_text(text, "utf-8")
        tests = run_tests(folder, f"test_{stub.name}.py")
    if tests is None:
        return True
    if tests.returncode not in (0, 1, 2):  # passed, failed, not importable; else it says nothing
        wrong = f"{stub.slug}: pytest ended with {tests.returncode}"
        raise CatalogueError(f"{wrong}: {tests.stdout[-300:]}".replace("\n", " "))
    return tests.returncode != 0


def run_tests(folder, file):
    """The finished pytest process, None when it had to be ended."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", file]
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | running.ONE_THREAD,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        process_group=0,
    )
    running.RUNNING.add(child)
    try:
        said, _ = child.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(command, child.returncode, said)
    except subprocess.TimeoutExpired:
        return None
    finally:
        running.end(child)
        running.RUNNING.discard(child)
