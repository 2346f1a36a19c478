"""Seconds and memory of the default run, on this machine, one process at a time."""

import statistics

from rich.console import Console

from tools import running
from tools.catalogue import CatalogueError


def bench(stubs, repeat):
    """Run each stub `repeat` times with seed 0. Returns medians with the machine they were measured on."""
    console = Console(stderr=True, highlight=False)
    rows = {}
    for stub in stubs:
        runs = []
        for number in range(1, repeat + 1):
            with console.status(f"{stub.slug}: run {number} of {repeat}"):
                try:
                    runs.append(running.run_stub(stub.script, seed=0))
                except running.RunFailed as error:
                    raise CatalogueError(f"{stub.slug}: {error}") from None
        rows[stub.slug] = {
            "seconds": statistics.median(run["seconds"] for run in runs),
            "lines": stub.lines,
            "peak_memory_mb": statistics.median(run["peak_memory_mb"] for run in runs),
        }
        console.print(f"{stub.slug}: {rows[stub.slug]['seconds']:.2f} s")
    return {"machine": running.machine(), "versions": running.versions(), "repeat": repeat, "stubs": rows}
