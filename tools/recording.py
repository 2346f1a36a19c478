"""Run seeds side by side and keep a record of each as it completes.

A stop at any moment loses at most what was running.
"""

import fcntl
import json
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tools import records, running
from tools.catalogue import Program, Stub
from tools.records import Failure, Record, Results, Verification
from tools.schema import CatalogueError, one_line, shown

console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class Job:
    program: Program
    seed: int

    @property
    def label(self):
        kind = " study" if self.program.kind == "study" else ""
        return f"{self.program.stub.slug}{kind} seed {self.seed}"


def record(programs, seeds, jobs=None, scheduler=None, fresh=False, timeout=None):
    """Record the missing ones of these seeds of each program. Returns the failures [(job, why)].

    Finished records stay: killed and started again it goes on with what is missing. `fresh`
    replaces the old file when the first new run has ended. Without `scheduler` the runs are local
    processes, `jobs` at a time; with one they go to that Dask cluster.
    """
    failures = []
    started = set()
    with ExitStack() as stack:
        for stub in dict.fromkeys(program.stub for program in programs):
            _ = stub.card  # a stub whose card cannot be read would fail in every run
            stack.enter_context(locked(stub))
        todo = [job for program in programs for job in missing(program, seeds, fresh)]
        if not todo:
            names = ", ".join(shown(program.file) for program in programs)
            console.print(f"nothing to do: {names} complete")
        ended = stack.enter_context(closing(outcomes(todo, jobs, scheduler, timeout)))
        for job, outcome, value in ended:
            keep(job, outcome, value, fresh and job.program not in started)
            started.add(job.program)
            failures += [] if outcome == "ok" else [(job, value)]
    return failures


def outcomes(todo, jobs, scheduler=None, timeout=None):
    """Yield (job, "ok" | "failed", record | why) as runs end, each of them told."""
    if not todo:
        return
    if scheduler is None:
        runs = local(todo, jobs, timeout)
    else:
        runs = on_cluster(todo, scheduler, timeout)
    with closing(runs):
        for job, outcome, value in runs:
            if outcome == "ok" and (wrong := unusable(value)):
                outcome = "failed"
                value = wrong
            tell(job, outcome, value)
            yield job, outcome, value


def tell(job, outcome, value):
    if outcome == "ok":
        cost = f"{value['processor_seconds']:.1f} s of one core"
        console.print(f"{job.label}: {cost}, {value['peak_memory_mb']:.0f} MB")
    else:
        console.print(f"{job.label}: left out, {value}")


@contextmanager
def locked(stub):
    """Two recorders of one stub would overwrite each other's records."""
    try:
        handle = open(stub.folder / ".recording", "w")
    except OSError as error:
        raise CatalogueError(f"cannot write into {stub.folder}: {error.strerror}") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            wrong = f"{stub.slug} is being recorded by another process"
            raise CatalogueError(f"{wrong}; wait for it or end it") from None
        yield


def missing(program, seeds, fresh):
    """The jobs without a record, or all when `fresh`. CatalogueError for records of other code."""
    code = program.code_hash  # of before the runs
    old = None if fresh else records.read(program.file)
    if old and old.code != code:
        wrong = f"{shown(program.file)} holds records of other code than today's"
        remedy = "python3 -m tools verify can show that they agree; --fresh replaces them"
        raise CatalogueError(f"{wrong}; {remedy}")
    have = {r.seed for r in old.records} if old else set()
    return [Job(program, seed) for seed in seeds if seed not in have]


def unusable(record):
    """Why a run's record cannot be kept, or None."""
    try:
        Record(**record, code="today")
    except ValidationError as error:
        return f"its record is unusable: {one_line(error)}"
    curve = [v for name, v in record["metrics"].items() if name.startswith("curve.")]
    points = max((len(v) for v in curve if isinstance(v, list)), default=0)
    if points > records.CURVE_POINTS:
        return f"its curve has {points} points; at most {records.CURVE_POINTS}"
    return None


def keep(job, outcome, value, afresh):
    """Write what came back at once: a record, or for a seed that failed the reason why."""
    program = job.program
    unchanged(program)
    old = None if afresh else records.read(program.file)
    if old is None:
        old = Results(slug=program.stub.slug, program=program.kind, code=program.code_hash)
    done = [r for r in old.records if r.seed != job.seed]
    failed = [f for f in old.failed if f.seed != job.seed]
    if outcome == "ok":
        done.append(Record(**value, code=program.code_hash))
    else:
        failed.append(Failure(seed=job.seed, why=value))
    done.sort(key=lambda item: item.seed)
    failed.sort(key=lambda item: item.seed)
    update = {"records": done, "failed": failed}
    records.write(program.file, old.model_copy(update=update))


def unchanged(program):
    """Raise CatalogueError when the program on disk is another one than that which ran."""
    if Stub(program.stub.folder).program(program.kind).code_hash != program.code_hash:
        raise CatalogueError(f"{program.script.name} changed while it ran; start again")


def verify(program, count, jobs=None):
    """Run `count` recorded seeds again with today's code and compare every metric bit for bit.

    Where all agree the file is marked as verified with this code, and its records count again;
    each keeps the hash it was made with. Returns what differs, as lines; then nothing is written.
    """
    with locked(program.stub):
        old = records.read(program.file)
        if old is None or not old.records:
            raise CatalogueError(f"{shown(program.file)} holds no records to verify")
        code = program.code_hash  # before the runs
        before = {record.seed: record for record in spread_out(old.records, count)}
        wrong = []
        with closing(outcomes([Job(program, seed) for seed in before], jobs)) as ended:
            for job, outcome, value in ended:
                lines = [value] if outcome != "ok" else differences(before[job.seed], value)
                wrong += [f"{job.label}: {line}" for line in lines]
        unchanged(program)
        if not wrong:
            verified = [*old.verified, Verification(code=code, seeds=sorted(before))]
            update = {"code": code, "verified": verified}
            records.write(program.file, old.model_copy(update=update))
    return wrong


def spread_out(items, count):
    """`count` of the items, from the first to the last, evenly."""
    count = min(count, len(items))
    if count == 1:
        return items[:1]
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def differences(old, new):
    """What a new run of a recorded seed has otherwise, timings aside."""
    again = json.loads(json.dumps(new))
    for what, was, now in (
        ("setting", old.config, again["config"]),
        ("metric", old.metrics, again["metrics"]),
    ):
        for name in sorted({*was, *now}):
            if name.endswith(records.TIMING):
                continue
            before = was.get(name, "missing")
            after = now.get(name, "missing")
            if before != after:
                yield f"{what} {name} was {str(before)[:60]} and is {str(after)[:60]}"


def local(todo, jobs, timeout):
    """Yield (job, "ok" | "failed", record | why) as local processes end, a bar for each of them."""
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[message]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    pool = ThreadPoolExecutor(jobs or running.usable_cores())
    with bars:
        futures = {pool.submit(run_one, job, bars, timeout): job for job in todo}
        waiting = set(futures)
        try:
            while waiting:  # with a timeout, so that a signal that another thread got is heard
                ended, waiting = wait(waiting, 0.5, FIRST_COMPLETED)
                for future in ended:
                    yield futures[future], *future.result()
        finally:  # also on Ctrl-C, or when a record cannot be written
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                running.end_all()
                time.sleep(0.02)


def run_one(job, bars, timeout):
    """The outcome of a run on this machine, with a bar for as long as it lasts."""
    bar = bars.add_task(job.label, total=1.0, message="")

    def show(fraction, message):
        bars.update(bar, completed=fraction, message=message[:60])

    try:
        return "ok", running.run_program(job.program.script, job.seed, show, timeout)
    except running.RunFailed as error:
        return "failed", str(error)
    finally:
        bars.remove_task(bar)


# What a worker evaluates. It has numpy and dask, not this tree, so that running.py goes as text.
ON_WORKER = "exec(source, globals()) or run_bundle(archive, script, seed, timeout)"


def on_cluster(todo, address, timeout):
    """Yield the same from a Dask cluster; at the end CatalogueError for what it could not run.

    What a worker could not do for reasons of its own is no failure of the seed.
    """
    client = connected(address)
    from distributed import as_completed

    with client:
        futures = submitted(client, todo, timeout)
        lost = []
        for future in as_completed(futures):
            job = futures[future]
            try:
                outcome = future.result()
            except Exception as error:
                lost.append(f"{job.label}: {type(error).__name__} {one_line(error)}")
            else:
                yield job, *outcome
    if lost:
        wrong = f"the cluster could not run {len(lost)} of {len(todo)} seeds ({lost[0][:300]})"
        raise CatalogueError(f"{wrong}; start again, what came back is kept")


def connected(address):
    """A client of the Dask scheduler at an address."""
    try:
        from distributed import Client, comm
    except ImportError:
        remedy = "pip install '.[cluster]'"
        raise CatalogueError(f"--scheduler needs dask.distributed: {remedy}") from None
    try:
        comm.resolve_address(address)  # what is no address is told at once
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        wrong = f"no Dask scheduler at {address}: {one_line(error)}"
        raise CatalogueError(f"{wrong}; start one with: dask scheduler") from None


def submitted(client, todo, timeout):
    """The futures {future: job} of the runs; each program's files go to the cluster once."""
    warnings.filterwarnings("ignore", "Sending large graph")  # a program's data, sent once
    source = Path(running.__file__).read_text("utf-8")
    archives = {}
    futures = {}
    for job in todo:
        script = job.program.script
        if script not in archives:  # as a task, so that it is made again when its worker is lost
            archives[script] = client.submit(bytes, running.bundle(script), pure=False)
        names = {
            "source": source,
            "archive": archives[script],
            "script": f"{script.parent.name}/{script.name}",
            "seed": job.seed,
            "timeout": timeout,
        }
        futures[client.submit(eval, ON_WORKER, names, pure=False)] = job
    return futures
