"""The command line: python3 -m tools VERB. Each verb's --help shows an example."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tools import running
from tools.catalogue import ROOT, THREADS, CatalogueError, Stub, stub, stubs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Everything that spans the stubs of the catalogue.",
)
out = Console(highlight=False)
Slugs = Annotated[list[str] | None, typer.Argument(metavar="[SLUG]...", help="stubs by name")]
All = Annotated[bool, typer.Option("--all", help="every stub of the catalogue")]
VERDICTS = ("reproduces", "partial", "does not reproduce", "not recorded")


def main():
    """Run a verb. What is wrong with the tree is one line and exit code 1; Ctrl-C ends with 130 and no traceback."""
    try:
        app()
    except CatalogueError as error:
        sys.exit(f"tools: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def chosen(slugs, everything):
    if bool(slugs) == everything:
        raise CatalogueError("name one or more stubs, or say --all")
    return stubs() if everything else [stub(slug) for slug in slugs]


def example(line):
    return f"Example: python3 -m tools {line}"


@app.command("list", epilog=example("list --thread long-lags"))
def list_(
    thread: Annotated[str | None, typer.Option(help=f"one of {', '.join(THREADS)}")] = None,
    era: Annotated[str | None, typer.Option(help="as it stands in the cards, e.g. 1989-1992")] = None,
    verdict: Annotated[str | None, typer.Option(help=f"one of {', '.join(VERDICTS)}")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
):
    """Show the catalogue."""
    everything, wanted = stubs(), {"thread": thread, "era": era, "verdict": verdict}
    known = {"thread": THREADS, "era": sorted({s.card.era for s in everything}), "verdict": VERDICTS}
    for name, value in wanted.items():
        if value is not None and value not in known[name]:
            raise CatalogueError(f"--{name} {value!r} is none of: {', '.join(known[name])}")
    rows = [
        {
            "slug": s.slug,
            "title": s.card.title,
            "year": s.card.year,
            "era": s.card.era,
            "thread": s.card.thread,
            "verdict": s.verdict,
            "seeds": len(s.results.records) if s.results else 0,
            "seconds": s.median("seconds"),
            "lines": s.lines,
        }
        for s in everything
    ]
    rows = [row for row in rows if all(value in (None, row[name]) for name, value in wanted.items())]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(Column("slug", no_wrap=True), "year", "thread", "verdict", "seeds", "seconds", "title", box=None)
    for row in rows:
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        table.add_row(
            row["slug"], str(row["year"]), row["thread"], row["verdict"], str(row["seeds"]), seconds, row["title"]
        )
    out.print(table)


@app.command(
    epilog=example("run flip-flop --seed 3"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def run(context: typer.Context, slug: str, seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0):
    """Run a stub; further flags go to it ."""
    command = [sys.executable, str(stub(slug).script), "--seed", str(seed), *context.args]
    raise typer.Exit(subprocess.call(command, env=os.environ | running.ONE_THREAD))


@app.command(epilog=example("figures nbb-xor"))
def figures(
    slugs: Slugs = None,
    everything: All = False,
    to: Annotated[Path | None, typer.Option("--out", help="write there instead of into the stub")] = None,
    quick: Annotated[bool, typer.Option(help="pictures of quick runs, to try the scripts")] = False,
):
    """Rebuild the figures and the GIF of stubs."""
    for s in chosen(slugs, everything):
        for script in (f"visualize_{s.name}.py", f"make_{s.name}_gif.py"):
            folder = to / s.slug if to else s.folder
            with out.status(f"{s.slug}: {script}"):
                done = subprocess.run(  # noqa: PLW1510
                    [sys.executable, s.folder / script, "--out", folder.resolve(), *["--quick"] * quick],
                    env=os.environ | running.ONE_THREAD,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise CatalogueError(f"{s.slug}/{script} ended with exit code {done.returncode}: {reason}")
            out.print(f"{s.slug}: {script} wrote into {folder}")


@app.command(epilog=example("record nbb-xor --seeds 10"))
def record(
    slugs: Slugs = None,
    everything: All = False,
    seeds: Annotated[int, typer.Option(min=1, max=10000, help="record seeds 0 .. N-1")] = 10,
    study: Annotated[bool, typer.Option("--study", help="the longer study, into study.json")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, max=1024, help="runs side by side; default: the cores")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Dask cluster, e.g. tcp://host:8786")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="replace the records that are there")] = False,
):
    """Run seeds and keep a record of each as it completes; started again, it goes on with the missing ones."""
    from tools import recording

    if recording.record(chosen(slugs, everything), seeds, study, jobs, scheduler, fresh):
        raise typer.Exit(1)


@app.command(epilog=example("check nbb-xor"))
def check(slugs: Slugs = None):
    """Look for breaches of the contract (SPEC.md): one line each, with the file, what is wrong and the remedy."""
    from tools import contract

    findings = [finding for s in (chosen(slugs, False) if slugs else stubs()) for finding in contract.check(s)]
    for finding in findings:
        out.print(str(finding), soft_wrap=True, markup=False)
    if findings:
        raise typer.Exit(1)
    out.print("no findings")


@app.command(epilog=example("docs --check"))
def docs(verify: Annotated[bool, typer.Option("--check", help="write nothing, fail when a page is stale")] = False):
    """Write every generated page and block anew from cards and records."""
    from tools import pages

    if not verify:
        pages.write(ROOT)
    elif old := pages.stale(ROOT):
        raise CatalogueError(
            f"stale: {', '.join(str(path.relative_to(ROOT)) for path in old)}; run: python3 -m tools docs"
        )


@app.command(epilog=example("book --serve"))
def book(serve: Annotated[bool, typer.Option("--serve", help="serve it on this machine after building")] = False):
    """Build the site with mdBook into book/html."""
    from tools import book as book_module

    html = book_module.build(ROOT)
    out.print(f"open {html / 'index.html'}")
    if serve:
        book_module.serve(html)


@app.command(epilog=example("new my-problem"))
def new(slug: str):
    """Make the folder of a new stub, one that passes every check but those that need its science."""
    from tools import scaffold

    folder = scaffold.create(slug, ROOT)
    out.print(
        f"{folder.name}/ is ready: fill in card.toml and {Stub(folder).script.name}, then python3 -m tools check {slug}"
    )


@app.command(epilog=example("bench nbb-xor --repeat 3"))
def bench(
    slugs: Slugs = None,
    repeat: Annotated[int, typer.Option(min=1, max=100, help="runs per stub")] = 3,
    to: Annotated[Path | None, typer.Option("--json", help="write to this file instead of the screen")] = None,
):
    """Time the default run of stubs, one after the other: median seconds and peak memory, as JSON."""
    from tools import benchmark

    text = json.dumps(benchmark.bench(chosen(slugs, not slugs), repeat), indent=1)
    if to:
        to.write_text(text + "\n", "utf-8")
    else:
        print(text)
