"""Seconds, memory and rates of the default run, on this machine, one process at a time."""

import statistics

from rich.console import Console

from tools import running
from tools.schema import CatalogueError


def bench(stubs, repeat):
    """Run each stub `repeat` times with seed 0. Returns medians and the machine they are from.

    Beside seconds and memory, a row holds each metric that ends in _per_second.
    """
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
        costs = [costs_of(run) for run in runs]
        rows[stub.slug] = {name: statistics.median(c[name] for c in costs) for name in costs[0]}
        console.print(f"{stub.slug}: {rows[stub.slug]['processor_seconds']:.2f} s of one core")
    where = {"machine": running.machine(), "versions": running.versions()}
    return {**where, "repeat": repeat, "stubs": rows}


def costs_of(run):
    """Return the seconds, the megabytes and the rates of one run."""
    rates = {name: value for name, value in run["metrics"].items() if name.endswith("_per_second")}
    return {name: run[name] for name in ("seconds", "processor_seconds", "peak_memory_mb")} | rates
