"""Every page and block that follows from cards and records alone: python3 -m tools docs."""
import re
import runpy
import statistics
import typing
from collections import Counter
from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.catalogue import ROOT, CatalogueError, Number, one_line, quartiles, stubs, write_text
from tools.wording import cell, number, percent, unsupported_numbers

__all__ = ["generate", "stale", "unsupported_numbers", "write"]

VERDICTS = ("reproduces", "partial", "does not reproduce", "not recorded")
GENERATED = {"RESULTS.md": "results.md.j2", "VISUAL_TOUR.md": "visual_tour.md.j2"}
NAMES = {"python": "Python"}
SIGNS = {">=": "≥", "<=": "≤", "==": "="}
templates = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
templates.filters |= {"number": number, "cell": cell, "short": lambda value: number(value, 3)}


def generate(root=ROOT):
    """The full text of every file that is generated, or holds a generated block, by path."""
    root = Path(root)
    everything = [view(stub) for stub in stubs(root)]
    context = {"eras": by_era(everything), "total": len(everything), "verdicts": VERDICTS,
               "counts": Counter(stub["verdict"] for stub in everything), "cost": cost(everything)}
    pages = {root / name: render(template, **context) for name, template in GENERATED.items()}
    for path, block in ((root / "README.md", "catalogue"), (root / "BUILD_NOTES.md", "cost")):
        pages[path] = splice(path, read(path), block, render(f"{block}.md.j2", **context))
    for stub in everything:
        path, text = root / stub["slug"] / "README.md", None
        for block in ("results", "hyperparameters"):
            text = splice(path, text or read(path), block, render(f"{block}_block.md.j2", stub=stub))
        pages[path] = text
    return pages


def stale(root=ROOT):
    """The generated files whose text on disk is not what the cards and records say today."""
    return outdated(generate(root))


def outdated(pages):
    return [path for path, text in pages.items() if not path.exists() or read(path) != text]


def write(root=ROOT):
    """Bring every generated file up to date. Returns the paths that changed."""
    pages = generate(root)
    old = outdated(pages)
    for path in old:
        write_text(path, pages[path])
    return old


def render(template, **context):
    return re.sub(r"\n{3,}", "\n\n", templates.get_template(template).render(**context)).strip() + "\n"


def read(path):
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        remedy = "run: python3 -m tools docs" if path.name in GENERATED else "put it back, or write it as SPEC.md says"
        raise CatalogueError(f"{shown(path)} cannot be read: {getattr(error, 'strerror', error)}; {remedy}") from None


def shown(path):
    return f"{path.parent.name}/{path.name}" if (path.parent / "card.toml").exists() else path.name


def splice(path, text, block, body):
    """text with what stands between the markers of block replaced by body."""
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    head, opened, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (opened and closed) or begin in rest or end in head + tail:
        raise CatalogueError(f"{shown(path)} needs the line {begin} once and {end} once after it; "
                             "put them back, then run: python3 -m tools docs")
    return f"{head}{begin}\n{body.rstrip()}\n{end}{tail}"


# ---- what the templates show ----------------------------------------------------------------------------------------
def view(stub):
    """A stub as text, ready for the templates. Records of code that has changed since count as not there."""
    card, name = stub.card, f"{stub.name}.gif"
    runs = stub.results if stub.results and stub.results.code == stub.code else None
    study = stub.study if stub.study and stub.study.code == stub.code else None
    captions = {name: card.summary} | {picture.file: picture.caption for picture in card.pictures}
    claimed = {(claim.metric, claim.source) for claim in card.claims}
    return {
        "slug": stub.slug, "name": stub.name, "card": card, "verdict": stub.verdict, "lines": stub.lines,
        "claims": [claim_row(j, study if j.claim.source == "study" else runs) for j in stub.judgements],
        "runs": expense(runs.records) if runs and runs.records else None,
        "study": expense([study]) if study else None,
        "failed": runs.failed if runs else [], "seeds": len(runs.records) + len(runs.failed) if runs else 0,
        "more": further(runs.records, "runs", claimed) if runs else [],
        "more_study": further([study], "study", claimed) if study else [],
        "pictures": sorted(captions.items(), key=lambda item: not item[0].endswith(".gif")),
        "config": config_rows(stub),
    }


def claim_row(judged, record):
    claim, study = judged.claim, judged.claim.source == "study"
    bar = f"`{claim.metric}` {SIGNS.get(claim.op, claim.op)} {number(claim.threshold)}"
    where = " in the study" if study else "" if claim.seeds == 1 else f" in {percent(claim.seeds)} % of the seeds"
    row = {"says": claim.says, "paper": claim.paper, "level": claim.level, "needed": bar + where}
    if record is None:
        return row | {"ours": "not recorded", "seeds": "", "verdict": "not recorded"}
    ours = spread(judged.median, judged.q25, judged.q75, study) + (" (study)" if study else "")
    held = "one study"
    if not study:
        interval = f" ({percent(judged.low)} to {percent(judged.high)}\u00a0%)" if judged.seeds else ""
        held = f"{judged.held} of {judged.seeds}{interval}"
    return row | {"ours": ours, "seeds": held, "verdict": "holds" if judged.holds else "fails"}


def spread(median, q25, q75, single):
    if median is None:
        return "no value"
    return number(median) if single else f"{number(median)} ({number(q25)} to {number(q75)})"


def expense(records):
    """What records cost and where they come from."""
    versions = {key: sorted({record.versions.get(key, "unknown") for record in records}) for key in records[0].versions}
    seeds = sorted(record.seed for record in records)
    return {"seeds": seeds, "seconds": statistics.median(r.seconds for r in records),
            "total": sum(r.seconds for r in records), "memory": statistics.median(r.peak_memory_mb for r in records),
            "machine": "; ".join(sorted({record.machine for record in records})),
            "versions": ", ".join(f"{NAMES.get(key, key)} {' and '.join(v)}" for key, v in versions.items())}


def further(records, source, claimed):
    """(name, median with quartiles, range) of every plain metric that no claim is about."""
    rows = []
    for name in records[0].metrics if records else ():
        values = sorted(float(v) for r in records if isinstance(v := r.metrics.get(name), Number))
        if (name, source) not in claimed and values:
            q25, median, q75 = quartiles(values)
            ours = spread(median, q25, q75, source == "study")
            missing = f", {len(values)} of {len(records)} seeds have one" if len(values) < len(records) else ""
            rows.append((name, ours + missing, f"{number(values[0])} to {number(values[-1])}"))
    return rows


def config_class(stub):
    """The stub's Config, from a run of its file that leaves no module behind."""
    try:
        return runpy.run_path(str(stub.script), run_name=f"config of {stub.slug}")["Config"]
    except KeyError:
        raise CatalogueError(f"{stub.slug}/{stub.script.name} has no Config; SPEC.md says what it holds") from None
    except Exception as error:
        raise CatalogueError(f"{stub.slug}/{stub.script.name} cannot be imported: {type(error).__name__}: "
                             f"{one_line(error)}; try: python3 {stub.slug}/{stub.script.name} --help") from None


def config_rows(stub):
    """(flag, default, range, meaning) of each hyperparameter, read as the stub's own command line reads them."""
    config, rows = config_class(stub), []
    hints = typing.get_type_hints(config, include_extras=True)
    for field in fields(config):
        text, *legal = getattr(hints[field.name], "__metadata__", [""])
        flag, default = field.name.replace("_", "-"), field.default
        if isinstance(default, bool):
            flag, default, span = f"{flag}`, `--no-{flag}", "on" if default else "off", "on or off"
        else:
            default = " ".join(map(str, default)) if isinstance(default, tuple) else default
            span = "" if not legal else (" or ".join(f"`{word}`" for word in legal[0]) if isinstance(legal[0][0], str)
                                         else f"{number(legal[0][0])} to {number(legal[0][1])}")
        rows.append((f"`--{flag}`", f"`{default}`", span, text))
    return rows


def by_era(views):
    """[(era, stubs by year)], the earliest era first."""
    ordered = sorted(views, key=lambda stub: (stub["card"].year, stub["slug"]))
    first = {}
    for stub in ordered:
        first.setdefault(stub["card"].era, []).append(stub)
    return list(first.items())


def cost(views):
    """What recording everything again costs: (slug, seeds, seconds in all, median memory), the dearest first."""
    rows = [(v["slug"], e["total"], e["memory"], "one study" if v["study"] is e else f"{len(e['seeds'])} seeds")
            for v in views for e in (v["runs"], v["study"]) if e]
    machines = sorted({e["machine"] for v in views for e in (v["runs"], v["study"]) if e})
    return {"rows": sorted(rows, key=lambda row: -row[1]), "total": sum(row[1] for row in rows), "machines": machines}
