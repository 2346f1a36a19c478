"""One run of a program in a process of its own. Standard library only: it goes to any worker."""

import contextlib
import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

PROGRESS = re.compile(r"\s*(\d+)%\s+\d+ s  (.*)")  # what a tail writes to stderr each 10 s
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in LIBRARIES}
RUNNING = set()  # child processes, so that an interrupted caller can end them


class RunFailed(Exception):
    """The run did not end well; the message says why in one line."""


def run_program(script, seed, progress=None, timeout=None):
    """Run `script --seed SEED` and return its record with peak memory, machine and versions.

    progress(fraction, message) is called as the run reports. Raises RunFailed when the exit code
    is not 0, when no record was written, or after `timeout` seconds.
    """
    script = Path(script)
    where = {"machine": machine(), "versions": versions()}  # before: without numpy nothing runs
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "record.json"
        usage = wait_for(start(script, seed, out), progress, timeout)
        try:
            record = json.loads(out.read_text("utf-8"))
            kept = {name: record[name] for name in ("config", "metrics", "seconds")}
            kept["processor_seconds"] = float(record["processor_seconds"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = f"exit code 0 without a usable record: {type(error).__name__}"
            raise RunFailed(reason) from None
    per_megabyte = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss: bytes or kilobytes
    kept = {name: rounded(value) for name, value in kept.items()}
    kept["peak_memory_mb"] = round(usage.ru_maxrss / per_megabyte, 1)
    return {"seed": seed, **kept, **where}


def rounded(value):
    return round(value, 3) if isinstance(value, float) else value


def start(script, seed, out):
    """The process of a run, leader of a group, with one thread for each library and no input."""
    command = [sys.executable, str(script), "--seed", str(seed), "--json", str(out)]
    return subprocess.Popen(
        command,
        cwd=script.parent,
        env=os.environ | ONE_THREAD,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
    )


def wait_for(child, progress, timeout):
    """Follow a process to its end. Returns its resource usage; RunFailed unless it ended well."""
    late = threading.Event()
    clock = threading.Timer(timeout or 0, lambda: (late.set(), end(child)))
    RUNNING.add(child)
    try:
        if timeout:
            clock.start()
        last = follow(child.stderr, progress)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        clock.cancel()
        RUNNING.discard(child)
        if child.returncode is None:
            end(child)
            child.wait()
    if late.is_set():
        raise RunFailed(f"ended after {timeout:g} s, its --timeout")
    if child.returncode < 0:
        raise RunFailed(f"ended by signal {signal.Signals(-child.returncode).name}")
    if child.returncode:
        raise RunFailed(f"exit code {child.returncode}: {last[:300]}")
    return usage


def follow(stderr, progress):
    """Pass on what a run reports until it closes its stderr. Returns the last other line."""
    last = "no message"
    with stderr:
        for line in stderr:
            if match := PROGRESS.match(line):
                if progress:
                    progress(int(match[1]) / 100, match[2])
            elif line.strip():
                last = line.strip()
    return last


def end(child):
    """End a process that leads a group, and all that it started."""
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)


def end_all():
    """End every run that is under way."""
    for child in list(RUNNING):
        end(child)


def usable_cores(group=Path("/sys/fs/cgroup")):
    """The cores that this process may use, by affinity and by control group."""
    cores = os.cpu_count() or 1
    with contextlib.suppress(AttributeError, OSError):
        cores = len(os.sched_getaffinity(0))
    for files in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # v2, v1
        with contextlib.suppress(OSError, ValueError):
            quota, period = " ".join((group / file).read_text() for file in files).split()
            if int(quota) > 0:  # else "max" or -1: no limit
                cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def machine():
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        text = Path("/proc/cpuinfo").read_text()
        cpu = re.search(r"model name\s*:\s*(.*)", text)[1].strip()
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def versions():
    from importlib.metadata import version

    return {"python": platform.python_version(), "numpy": version("numpy")}


def bundle(script):
    """A program's folder without pictures and records, and the data it shares, zipped."""
    folder = Path(script).parent
    root = folder.parent
    code = [*folder.glob("*.py")]
    text = "".join(path.read_text("utf-8") for path in code)
    shared = [path for path in root.glob("data/*/*") if path.parent.name in text]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in sorted([*code, folder / "card.toml", *folder.glob("data/**/*"), *shared]):
            if path.is_file():
                archive.write(path, path.relative_to(root))
    return buffer.getvalue()


def run_bundle(archive, script, seed, timeout=None):
    """run_program on a worker: unpack, run, clean up. Returns ("ok", record) or ("failed", why)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
        try:
            return "ok", run_program(Path(folder) / script, seed, timeout=timeout)
        except RunFailed as error:
            return "failed", str(error)
