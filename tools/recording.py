"""Run seeds side by side and keep a record of each as it completes: a stop at any moment loses at most what ran."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tools import running
from tools.catalogue import CatalogueError, Failure, Record, Results, Stub, Study, one_line, write_json

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Job:
    stub: Stub
    seed: int
    study: bool

    @property
    def label(self):
        return f"{self.stub.slug} {'study' if self.study else f'seed {self.seed}'}"


def record(stubs, seeds, study=False, jobs=None, scheduler=None, fresh=False):
    """Record the missing ones of seeds 0 .. seeds-1 (or the study) of each stub. Returns the failures [(job, why)].

    Finished records stay: killed and started again it goes on with what is missing. `fresh` replaces the old ones, each
    as its successor completes.
    Without `scheduler` the runs are local processes, `jobs` at a time; with one they go to that Dask cluster.
    """
    if study and not (stubs := [stub for stub in stubs if stub.has_study]):
        raise CatalogueError("none of these stubs has a study; leave out --study to record runs")
    with ExitStack() as stack:
        for stub in stubs:
            _ = stub.card  # a stub whose card cannot be read would fail in every run
            stack.enter_context(locked(stub))
        todo = [job for stub in stubs for job in missing(stub, seeds, study, fresh)]
        if not todo:
            console.print(f"nothing to do: {', '.join(stub.slug for stub in stubs)} complete")
            return []
        failures = []
        for job, outcome, value in on_cluster(todo, scheduler) if scheduler else on_this_machine(todo, jobs):
            if outcome == "ok" and (wrong := unusable(value)):
                outcome, value = "failed", wrong
            keep(job, outcome, value)
            if outcome == "ok":
                console.print(f"{job.label}: {value['seconds']:.1f} s, {value['peak_memory_mb']:.0f} MB")
            else:
                failures.append((job, value))
                console.print(f"{job.label}: left out, {value}")
        return failures


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
            raise CatalogueError(f"{stub.slug} is being recorded by another process; wait for it or end it") from None
        yield


def missing(stub, seeds, study, fresh):
    """The jobs without a record, or all when `fresh`. Raises CatalogueError when old records are of other code."""
    old = None if fresh else load(stub, study)
    if old and old.code != stub.code:
        raise CatalogueError(
            f"{stub.slug}: its {'study' if study else 'records'} came from other code than "
            f"{stub.script.name} holds now and cannot be mixed; add --fresh to replace them"
        )
    if study:
        return [] if old else [Job(stub, 0, True)]
    have = {r.seed for r in old.records} if old else set()
    return [Job(stub, seed, False) for seed in range(seeds) if seed not in have]


def path_of(stub, study):
    return stub.folder / ("study.json" if study else "results.json")


def load(stub, study):
    """The records on disk now, not as they were when the stub was first read."""
    stub = Stub(stub.folder)
    return stub.study if study else stub.results


def unusable(record):
    """Why a run's record cannot be kept, or None: metrics have to be plain numbers (or lists of them, of a study)."""
    try:
        Record(**record)
    except ValidationError as error:
        return f"its record is unusable: {one_line(error)}"
    return None


def keep(job, outcome, value):
    """Write what came back at once: a record, or for a seed that failed the reason why it has none."""
    identity = {"slug": job.stub.slug, "code": job.stub.code}
    if Stub(job.stub.folder).code != job.stub.code:
        raise CatalogueError(f"{job.stub.script.name} changed while it ran; start again with --fresh")
    if job.study:
        if outcome == "ok":
            write_json(path_of(job.stub, True), Study(**identity, **value))
        return
    try:
        old = load(job.stub, False)
    except CatalogueError:
        old = None
    if old is None or old.code != job.stub.code:  # unreadable or of other code only after --fresh: now they are gone
        old = Results(**identity)
    records = [r for r in old.records if r.seed != job.seed]
    failed = [f for f in old.failed if f.seed != job.seed]
    if outcome == "ok":
        records.append(Record(**value))
    else:
        failed.append(Failure(seed=job.seed, why=value))
    by_seed = {"key": lambda item: item.seed}
    write_json(
        path_of(job.stub, False),
        Results(**identity, records=sorted(records, **by_seed), failed=sorted(failed, **by_seed)),
    )


def on_this_machine(todo, jobs):
    """Yield (job, "ok" | "failed", record | why) as local processes end, with a progress bar for each that runs."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[message]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )

    def work(job):
        bar = bars.add_task(job.label, total=1.0, message="")
        try:
            return "ok", running.run_stub(
                job.stub.script,
                job.seed,
                job.study,
                progress=lambda fraction, message: bars.update(bar, completed=fraction, message=message[:60]),
            )
        except running.RunFailed as error:
            return "failed", str(error)
        finally:
            bars.remove_task(bar)

    pool = ThreadPoolExecutor(jobs or os.cpu_count())
    with bars:
        futures = {pool.submit(work, job): job for job in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], *future.result()
        finally:  # also on Ctrl-C, or when a record cannot be written
            pool.shutdown(wait=False, cancel_futures=True)
            running.end_all()


def on_cluster(todo, address):
    """Yield the same as on_this_machine from a Dask cluster. Its workers need numpy and dask, not this tree."""
    try:
        import cloudpickle
        import distributed
    except ImportError:
        raise CatalogueError("--scheduler needs dask.distributed: pip install '.[cluster]'") from None
    cloudpickle.register_pickle_by_value(running)
    try:
        client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise CatalogueError(f"no Dask scheduler at {address}: {error}") from None
    with client:
        archives = {job.stub.slug: client.scatter(running.bundle(job.stub.script)) for job in todo}
        futures = {
            client.submit(
                running.run_bundle, archives[job.stub.slug], job.stub.script.name, job.seed, job.study, pure=False
            ): job
            for job in todo
        }
        for future in distributed.as_completed(futures):
            try:
                outcome = future.result()
            except Exception as error:  # the worker died, or could not run Python: one seed less, the others go on
                outcome = "failed", f"worker: {error!r}".splitlines()[0]
            yield futures[future], *outcome
