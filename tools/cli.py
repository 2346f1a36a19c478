"""The command line: python3 -m tools VERB. Each verb's --help shows an example."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tools import running
from tools.catalogue import ROOT, Stub, stub, stubs
from tools.schema import THREADS, VERDICTS, CatalogueError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Everything that spans the stubs of the catalogue.",
)
out = Console(highlight=False, markup=False, soft_wrap=True)
Slugs = Annotated[list[str] | None, typer.Argument(metavar="[SLUG]...", help="stubs by name")]
All = Annotated[bool, typer.Option("--all", help="every stub of the catalogue")]
Study = Annotated[bool, typer.Option("--study", help="of the study instead of the experiment")]
Jobs = Annotated[
    int | None, typer.Option(min=1, max=1024, help="runs side by side; default: the usable cores")
]


def main():
    """Run a verb. What is wrong is one line and exit code 1; Ctrl-C ends with 130, no traceback."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) != signal.SIG_IGN:  # as under nohup
            signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    try:
        app()
    except CatalogueError as error:
        sys.exit(f"tools: {error}")
    except OSError as error:
        sys.exit(f"tools: {error.filename or 'cannot go on'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)


def chosen(slugs, everything):
    if bool(slugs) == everything:
        raise CatalogueError("name one or more stubs, or say --all")
    return stubs() if everything else [stub(slug) for slug in dict.fromkeys(slugs)]


def programs(slugs, everything, study):
    """The experiments, or the studies of those stubs that have one."""
    found = [s.program("study" if study else "run") for s in chosen(slugs, everything)]
    if not any(found):
        raise CatalogueError("none of these stubs has a study; leave out --study")
    return [program for program in found if program]


def example(line):
    return f"Example: python3 -m tools {line}"


def row_of(s):
    """What `list` shows of a stub."""
    records = s.run.current.records if s.run.current else []
    costs = sorted(record.processor_seconds for record in records)
    return {
        "slug": s.slug,
        "title": s.card.title,
        "year": s.card.year,
        "era": s.card.era,
        "thread": s.card.thread,
        "verdict": s.verdict,
        "seeds": len(records),
        "seconds": costs[len(costs) // 2] if costs else None,
    }


@app.command("list", epilog=example("list --thread long-lags"))
def list_(
    thread: Annotated[str | None, typer.Option(help=f"one of {', '.join(THREADS)}")] = None,
    era: Annotated[str | None, typer.Option(help="as in the cards, e.g. 1989-1992")] = None,
    verdict: Annotated[str | None, typer.Option(help=f"one of {', '.join(VERDICTS)}")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
):
    """Show the catalogue."""
    rows = []
    wrong = []
    for s in stubs():
        try:
            rows.append(row_of(s))
        except CatalogueError as error:
            wrong.append(f"tools: {error}")
    eras = sorted({row["era"] for row in rows})
    known = {"thread": THREADS, "era": eras, "verdict": VERDICTS}
    for name, value in {"thread": thread, "era": era, "verdict": verdict}.items():
        if value is not None and value not in known[name]:
            raise CatalogueError(f"--{name} {value!r} is none of: {', '.join(known[name])}")
        rows = [row for row in rows if value in (None, row[name])]
    print(json.dumps(rows, indent=1) if as_json else table(rows))
    if wrong:
        sys.exit("\n".join(wrong))


def table(rows):
    """Rows as lines of whole words, whatever the width of the terminal."""
    columns = ("slug", "year", "thread", "verdict", "seeds", "seconds", "title")
    lines = [columns]
    for row in rows:
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        shown = row | {"seconds": seconds}
        lines.append([str(shown[column]) for column in columns])
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    padded = ["  ".join(word.ljust(width) for word, width in zip(line, widths)) for line in lines]
    return "\n".join(line.rstrip() for line in padded)


@app.command(
    epilog=example("run flip-flop --seed 3"),
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def run(context: typer.Context, slug: str, study: Study = False):
    """Run a stub's experiment, or its study; all further flags, --help too, go to it."""
    if slug == "--help":
        typer.echo(context.get_help())
        typer.echo("\nExample: python3 -m tools run flip-flop --seed 3")
        return
    [program] = programs([slug], False, study)
    command = [sys.executable, str(program.script), *context.args]
    raise typer.Exit(subprocess.call(command, env=os.environ | running.ONE_THREAD))


@app.command(epilog=example("figures nbb-xor"))
def figures(
    slugs: Slugs = None,
    everything: All = False,
    to: Annotated[Path | None, typer.Option("--out", help="write there, not into the stub")] = None,
    quick: Annotated[bool, typer.Option(help="pictures of quick runs, to try the scripts")] = False,
):
    """Rebuild the figures and the GIF of stubs."""
    from tools.contract import drawings

    for s in chosen(slugs, everything):
        folder = (to / s.slug if to else s.folder).resolve()
        for script in drawings(s):
            command = [sys.executable, s.folder / script, "--out", folder, *["--quick"] * quick]
            draw(command, f"{s.slug}/{script}")
            out.print(f"{s.slug}: {script} wrote into {folder}")


def draw(command, name):
    """Run a picture script; CatalogueError with its last line when it fails."""
    with out.status(name):
        done = subprocess.run(
            command,
            env=os.environ | running.ONE_THREAD,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CatalogueError(f"{name} ended with exit code {done.returncode}: {reason}")


@app.command(epilog=example("record nbb-xor --seeds 10"))
def record(
    slugs: Slugs = None,
    everything: All = False,
    seeds: Annotated[int, typer.Option(min=1, max=10000, help="how many seeds")] = 10,
    first_seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="the first of them")] = 0,
    study: Study = False,
    jobs: Jobs = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask cluster, e.g. tcp://host:8786")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="seconds after which a run counts as failed")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="replace the records there are")] = False,
):
    """Run seeds and keep a record of each as it completes; started again, it goes on."""
    from tools import recording

    wanted = range(first_seed, first_seed + seeds)
    chosen_programs = programs(slugs, everything, study)
    if recording.record(chosen_programs, wanted, jobs, scheduler, fresh, timeout):
        raise typer.Exit(1)


@app.command(epilog=example("verify nbb-xor --seeds 3"))
def verify(
    slugs: Slugs = None,
    everything: All = False,
    seeds: Annotated[int, typer.Option(min=1, max=10000, help="how many to run again")] = 3,
    study: Study = False,
    jobs: Jobs = None,
):
    """Run recorded seeds again: where every metric agrees bit for bit, the records count for it."""
    from tools import recording

    differing = []
    for program in programs(slugs, everything, study):
        differing += recording.verify(program, seeds, jobs)
    for line in differing:
        out.print(line)
    if differing:
        raise CatalogueError(f"{len(differing)} differences; nothing is marked as verified")


@app.command(epilog=example("check nbb-xor"))
def check(slugs: Slugs = None):
    """Look for breaches of the contract (SPEC.md), one line each, and show how large a stub is."""
    from tools import contract

    everything = stubs()
    some = chosen(slugs, False) if slugs else everything
    findings = [finding for s in some for finding in contract.check(s)]
    for finding in findings:
        out.print(str(finding))
    sizes = contract.sizes(everything)
    for slug in [s.slug for s in some if s.slug in sizes]:
        out.print(contract.advice(slug, sizes))
    out.print("In brackets: the catalogue's medians.")
    if findings:
        raise typer.Exit(1)
    out.print("no findings")


@app.command(epilog=example("docs --check"))
def docs(
    only_check: Annotated[
        bool, typer.Option("--check", help="write nothing, fail when a page is stale")
    ] = False,
):
    """Write every generated page and block anew from cards and records."""
    from tools import pages

    if not only_check:
        pages.write(ROOT)
    elif old := pages.stale(ROOT):
        names = ", ".join(str(path.relative_to(ROOT)) for path in old)
        raise CatalogueError(f"stale: {names}; run: python3 -m tools docs")
    if wrong := pages.broken(ROOT):
        raise CatalogueError("left out: " + " | ".join(wrong))


@app.command(epilog=example("book --serve"))
def book(
    serve: Annotated[bool, typer.Option("--serve", help="serve it on this machine")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the server, 0: any")] = 3000,
    url: Annotated[
        str | None, typer.Option(help="where it will stand: for previews of links")
    ] = None,
):
    """Build the site with mdBook into book/html."""
    from tools import book as book_module
    from tools import pages

    html = book_module.build(ROOT, url=url)
    out.print(f"open {html / 'index.html'}")
    wrong = pages.broken(ROOT)
    for line in wrong:
        typer.echo(f"left out: {line}", err=True)
    if serve:
        book_module.serve(html, port)
    if wrong:
        raise typer.Exit(1)


@app.command(epilog=example("new my-problem"))
def new(slug: str):
    """Make the folder of a new stub, one that passes every check but those on its science."""
    from tools import scaffold

    folder = scaffold.create(slug, ROOT)
    script = Stub(folder).script.name
    out.print(f"{folder.name}/ is ready: fill in card.toml and {script}")
    out.print(f"then: python3 -m tools check {slug}")


@app.command(epilog=example("bench nbb-xor --repeat 3"))
def bench(
    slugs: Slugs = None,
    repeat: Annotated[int, typer.Option(min=1, max=100, help="runs per stub")] = 3,
    to: Annotated[Path | None, typer.Option("--json", help="write to this file as well")] = None,
):
    """Time the default run of stubs, one after the other: median seconds and memory, as JSON."""
    from tools import benchmark

    text = json.dumps(benchmark.bench(chosen(slugs, not slugs), repeat), indent=1)
    print(text)
    if to:
        to.write_text(text + "\n", "utf-8")


@app.command(epilog=example("mutants nbb-xor"))
def mutants(slugs: Slugs = None, jobs: Jobs = None):
    """Plant the faults of mutants.toml one at a time: the stub's tests have to catch each."""
    from tools import mutants as mutants_module

    some = chosen(slugs, False) if slugs else [s for s in stubs() if mutants_module.faults(s)]
    survived = [name for s in some for name in mutants_module.survivors(s, jobs)]
    for name in survived:
        out.print(f"survived: {name}")
    if survived:
        raise typer.Exit(1)
