"""Every page and block that follows from cards and records alone: python3 -m tools docs."""

import re
import runpy
import statistics
import typing
from collections import Counter
from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools import judging
from tools.catalogue import ROOT, stubs
from tools.contract import size
from tools.records import write_text
from tools.schema import VERDICTS, CatalogueError, one_line
from tools.wording import cell, number, percent

GENERATED = {"RESULTS.md": "results.md.j2", "VISUAL_TOUR.md": "visual_tour.md.j2"}
BLOCKS = ("head", "results", "hyperparameters")  # of a stub's README
NAMES = {"python": "Python"}
SIGNS = {">=": "≥", "<=": "≤", "==": "="}
templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
templates.filters |= {"number": number, "cell": cell, "short": lambda value: number(value, 3)}


def generate(root=ROOT):
    """The full text of every file that is generated, or holds a generated block, by path."""
    root = Path(root)
    everything = [view(stub) for stub in usable(root)]
    context = {
        "eras": by_era(everything),
        "total": len(everything),
        "verdicts": VERDICTS,
        "counts": Counter(stub["verdict"] for stub in everything),
        "failing": failing(everything),
        "cost": cost(everything),
    }
    pages = {root / name: render(file, **context) for name, file in GENERATED.items()}
    for path, block in ((root / "README.md", "catalogue"), (root / "BUILD_NOTES.md", "cost")):
        body = render(f"{block}.md.j2", **context)
        pages[path] = splice(path, read(path), block, body)
    for stub in everything:
        path = root / stub["slug"] / "README.md"
        text = read(path)
        for block in BLOCKS:
            text = splice(path, text, block, render(f"{block}_block.md.j2", stub=stub))
        pages[path] = text
    return pages


def usable(root):
    """The stubs whose card and records can be read; `broken` names the others."""
    return [stub for stub in stubs(root) if not broken_one(stub)]


def broken(root=ROOT):
    """What is wrong with the stubs that cannot be shown, one line each."""
    return [wrong for stub in stubs(root) if (wrong := broken_one(stub))]


def broken_one(stub):
    try:
        _ = stub.card, stub.judgements, [program.results for program in stub.programs]
        read(stub.folder / "README.md")
        config_rows(stub)
    except CatalogueError as error:
        return str(error)
    return None


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
    text = templates.get_template(template).render(**context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def read(path):
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        remedy = "put it back, or write it as SPEC.md says"
        if path.name in GENERATED:
            remedy = "run: python3 -m tools docs"
        reason = getattr(error, "strerror", None) or one_line(error)
        raise CatalogueError(f"{shown(path)} cannot be read: {reason}; {remedy}") from None


def shown(path):
    return f"{path.parent.name}/{path.name}" if (path.parent / "card.toml").exists() else path.name


def splice(path, text, block, body):
    """text with what stands between the markers of block replaced by body."""
    begin = f"<!-- {block}:begin -->"
    end = f"<!-- {block}:end -->"
    head, opened, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (opened and closed) or begin in rest or end in head + tail:
        wrong = f"{shown(path)} needs the line {begin} once and {end} once after it"
        raise CatalogueError(f"{wrong}; put them back, then run: python3 -m tools docs")
    return f"{head}{begin}\n{body.rstrip()}\n{end}{tail}"


# ---- what the templates show -------------------------------------------------------------------
def view(stub):
    """A stub as text, ready for the templates. Records of other code count as not there."""
    card = stub.card
    captions = {picture.file: picture.caption for picture in card.pictures}
    captions = {stub.gif.name: card.summary} | captions
    rows = [claim_row(judgement) for judgement in stub.judgements]
    return {
        "slug": stub.slug,
        "name": stub.name,
        "card": card,
        "verdict": stub.verdict,
        "headline": headline(stub.judgements[0]) if rows else None,
        "claims": sorted(rows, key=lambda row: row["verdict"] == "holds"),
        "in_order": rows,
        "run": expense(stub.run),
        "study": expense(stub.study) if stub.study else None,
        "has_study": bool(stub.study),
        "failed": failed_seeds(stub),
        "pictures": sorted(captions.items(), key=lambda item: not item[0].endswith(".gif")),
        "config": config_rows(stub),
        "size": size(stub),
        **tally(rows),
    }


def tally(rows):
    """How many claims are judged and how many extras there are, and how many of each hold."""
    extras = [row["verdict"] == "holds" for row in rows if row["level"] == "extra"]
    judged = [row["verdict"] == "holds" for row in rows if row["level"] != "extra"]
    return {
        "held": sum(judged),
        "judged": len(judged),
        "extras_held": sum(extras),
        "extras": len(extras),
    }


def failed_seeds(stub):
    """(which seed, why) of every seed that did not finish, of both programs."""
    found = []
    for program in stub.programs:
        of_study = " of the study" if program.kind == "study" else ""
        failed = program.current.failed if program.current else []
        found += [(f"{failure.seed}{of_study}", failure.why) for failure in failed]
    return found


def headline(judged):
    """The first claim as "paper X, ours Y (interval), seeds"; ours is always a mean over seeds."""
    mean, low, high = judging.mean_interval(judged.values)
    ours = (
        "not recorded" if not judged.recorded else "no value" if mean is None else number(mean, 3)
    )
    if low is not None and judged.recorded and low < high:
        ours += f" ({number(low, 3)} to {number(high, 3)})"
    claim = judged.claim
    return {"says": claim.says, "paper": claim.paper, "ours": ours, "seeds": judged.seeds}


def claim_row(judged):
    """One row of a table of claims."""
    claim = judged.claim
    row = {"says": claim.says, "paper": claim.paper, "level": claim.level, "why": claim.why}
    row["metric"] = claim.metric + (" of the study" if claim.source == "study" else "")
    row["judged"] = judged
    if not judged.recorded:
        nothing = {"value": "not recorded", "interval": "", "needed": "", "seeds": ""}
        return row | nothing | {"ours": "not recorded", "verdict": "not recorded"}
    row["value"] = "no value" if judged.middle is None else number(judged.middle)
    spread = judged.low is not None and judged.low < judged.high
    row["interval"] = f"{number(judged.low)} to {number(judged.high)}" if spread else ""
    row["needed"] = needed(claim)
    shown = f"{row['value']} ({row['interval']})" if spread else row["value"]
    row["ours"] = f"{shown}, needed {row['needed']}"
    return row | {"seeds": held(judged), "verdict": "holds" if judged.holds else "fails"}


def needed(claim):
    """The test of a claim in signs."""
    if claim.within:
        return f"{number(claim.within[0])} to {number(claim.within[1])}"
    bar = f"{SIGNS.get(claim.op, claim.op)} {number(claim.threshold)}"
    return bar if claim.beyond is None else f"{bar}, interval beyond {number(claim.beyond)}"


def held(judged):
    """In how many seeds a claim holds, or over how many its mean is taken."""
    if judged.claim.over == "mean":
        return f"mean of {judged.seeds}"
    low, high = judging.wilson(judged.held, judged.seeds)
    share = judged.claim.seeds or 1.0
    asked = "all" if share == 1 else f"{percent(share)}\u00a0%"
    interval = f"({percent(low)} to {percent(high)}\u00a0%)"
    return f"{judged.held} of {judged.seeds} {interval}, needed {asked}"


def expense(program):
    """What the records of a program cost and where they come from, None without any of today's."""
    records = program.current.records if program.current else []
    if not records:
        return None
    found = {
        key: sorted({r.versions.get(key, "unknown") for r in records})
        for key in ("python", "numpy")
    }
    versions = ", ".join(f"{NAMES.get(key, key)} {' and '.join(v)}" for key, v in found.items())
    return {
        "seeds": sorted(record.seed for record in records),
        "seconds": statistics.median(record.processor_seconds for record in records),
        "total": sum(record.processor_seconds for record in records),
        "memory": statistics.median(record.peak_memory_mb for record in records),
        "machine": "; ".join(sorted({record.machine for record in records})),
        "versions": versions,
    }


def config_class(stub):
    """The stub's Config, from a run of its file that leaves no module behind."""
    where = f"{stub.slug}/{stub.script.name}"
    try:
        return runpy.run_path(str(stub.script), run_name=f"config of {stub.slug}")["Config"]
    except KeyError:
        raise CatalogueError(f"{where} has no Config; SPEC.md says what it holds") from None
    except (Exception, SystemExit) as error:
        wrong = f"{where} cannot be imported: {type(error).__name__}: {one_line(error)}"
        raise CatalogueError(f"{wrong}; try: python3 {where} --help") from None


def config_rows(stub):
    """(flag, default, range, meaning) of each setting, read as the command line reads them."""
    config = config_class(stub)
    hints = typing.get_type_hints(config, include_extras=True)
    return [config_row(f.name, f.default, hints[f.name]) for f in fields(config)]


def config_row(name, default, hint):
    text, *legal = getattr(hint, "__metadata__", [""])
    flag = name.replace("_", "-")
    if isinstance(default, bool):
        return f"`--{flag}`, `--no-{flag}`", f"`{'on' if default else 'off'}`", "on or off", text
    span = ""
    if legal and isinstance(legal[0][0], str):
        span = " or ".join(f"`{word}`" for word in legal[0])
    elif legal:
        span = f"{number(legal[0][0])} to {number(legal[0][1])}"
    value = " ".join(map(str, default)) if isinstance(default, tuple) else default
    return f"`--{flag}`", f"`{value}`", span, text


def by_era(views):
    """[(era, stubs by year)], the earliest era first."""
    ordered = sorted(views, key=lambda stub: (stub["card"].year, stub["slug"]))
    first = {}
    for stub in ordered:
        first.setdefault(stub["card"].era, []).append(stub)
    return list(first.items())


def failing(views):
    """[(slug, row of the claim)] of every claim that fails, extras aside."""
    rows = [(v["slug"], row) for v in views for row in v["claims"] if row["verdict"] == "fails"]
    return [(slug, row) for slug, row in rows if row["level"] != "extra"]


def cost(views):
    """What recording everything again costs, and what reading it asks; the dearest first."""
    rows = []
    for v in views:
        programs = [e for e in (v["run"], v["study"]) if e]
        if programs:
            seconds = sum(e["total"] for e in programs)
            memory = max(e["memory"] for e in programs)
            run = v["run"]["seconds"] if v["run"] else None
            study = v["study"]["seconds"] if v["study"] else None
            rows.append((v["slug"], run, study, seconds, memory, list(v["size"].values())))
    machines = sorted({e["machine"] for v in views for e in (v["run"], v["study"]) if e})
    names = list(views[0]["size"]) if views else []
    rows.sort(key=lambda row: -row[3])
    return {
        "rows": rows,
        "total": sum(row[3] for row in rows),
        "machines": machines,
        "sizes": names,
    }
