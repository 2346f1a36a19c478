"""One run of a stub in a process of its own. Standard library only, so that it can be sent by value to any worker."""

import contextlib
import io
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PROGRESS = re.compile(r"\s*(\d+)%\s+\d+ s  (.*)")  # what a stub's tail writes to stderr each 10 s
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")}
RUNNING = set()  # child processes, so that an interrupted caller can end them


class RunFailed(Exception):
    """The run did not end well; the message says why in one line."""


def run_stub(script, seed, study=False, progress=None):
    """Run `script --seed SEED` and return its record as a dict, with peak memory, machine and versions.

    progress(fraction, message) is called as the run reports. Raises RunFailed when the exit code is not 0.
    """
    script = Path(script)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "record.json"
        command = [sys.executable, str(script), "--seed", str(seed), "--json", str(out)]
        command += ["--study"] * study
        child = subprocess.Popen(
            command,
            cwd=script.parent,
            env=os.environ | ONE_THREAD,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        RUNNING.add(child)
        last = "no message"
        try:
            for line in child.stderr:
                if match := PROGRESS.match(line):
                    if progress:
                        progress(int(match[1]) / 100, match[2])
                elif line.strip():
                    last = line.strip()
            child.stderr.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            RUNNING.discard(child)
            if child.returncode is None:
                child.kill()
                child.wait()
        if child.returncode < 0:
            raise RunFailed(f"ended by signal {signal.Signals(-child.returncode).name}")
        if child.returncode:
            raise RunFailed(f"exit code {child.returncode}: {last}")
        record = json.loads(out.read_text("utf-8"))
    per_megabyte = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return {
        "seed": seed,
        "config": record["config"],
        "metrics": record["metrics"],
        "seconds": record["seconds"],
        "peak_memory_mb": round(usage.ru_maxrss / per_megabyte, 1),
        "machine": machine(),
        "versions": versions(),
    }


def end_all():
    """End every run that is under way."""
    for child in list(RUNNING):
        with contextlib.suppress(OSError):
            child.terminate()


def machine():
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, AttributeError):
        cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())[1].strip()
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def versions():
    from importlib.metadata import version

    return {"python": platform.python_version(), "numpy": version("numpy")}


def bundle(script):
    """The stub without its pictures and records, zipped, for a worker that does not see this disk."""
    script, buffer = Path(script), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [script, script.with_name("card.toml"), *sorted(script.parent.glob("data/**/*"))]:
            if path.is_file():
                archive.write(path, path.relative_to(script.parent))
    return buffer.getvalue()


def run_bundle(archive, script_name, seed, study=False):
    """run_stub on a worker: unpack, run, clean up. Returns ("ok", record) or ("failed", why)."""
    folder = tempfile.mkdtemp()
    try:
        zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
        return "ok", run_stub(Path(folder) / script_name, seed, study)
    except RunFailed as error:
        return "failed", str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
