"""Seconds and memory of the default run, on this machine, one process at a time."""

import statistics

from rich.console import Console

from tools import running
from tools.schema import CatalogueError


def bench(stubs, repeat):
    """Run each stub `repeat` times with seed 0. Returns medians and the machine they are from."""
    console = Console(stderr=True, highlight=False, markup=False)
    rows = {}
    for stub in stubs:
        runs = []
        for number in range(1, repeat + 1):
            with console.status(f"{stub.slug}: run {number} of {repeat}"):
                try:
                    runs.append(running.run_program(stub.script, seed=0))
                except running.RunFailed as error:
                    raise CatalogueError(f"{stub.slug}: {error}") from None
        names = ("seconds", "processor_seconds", "peak_memory_mb")
        rows[stub.slug] = {name: statistics.median(run[name] for run in runs) for name in names}
        console.print(f"{stub.slug}: {rows[stub.slug]['processor_seconds']:.2f} s of one core")
    where = {"machine": running.machine(), "versions": running.versions()}
    return {**where, "repeat": repeat, "stubs": rows}
