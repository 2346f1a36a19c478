"""The contract of a stub (SPEC.md) as rules that a program applies.

Each rule yields findings (file, what is wrong, remedy); none means that it holds.
"""

import ast
import contextlib
import re
import statistics
import sys
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
from markdown_it import MarkdownIt
from PIL import Image

from tools import judging, mutants
from tools.catalogue import ROOT
from tools.records import CURVE_POINTS, TAIL_MARK, TIMING
from tools.schema import KINDS, CatalogueError, one_line, shown

SECTIONS = [
    "Problem",
    "Files",
    "Running",
    "Results",
    "Visualizations",
    "Deviations from the original",
    "Open questions",
]
PICTURE_IMPORTS = {"numpy", "matplotlib", "PIL", "imageio", "mpl_toolkits"}
EMULATOR = {"ale-py": "ale_py"}  # GPL-2.0, with the games inside: only where a header pins it
SEEDED = {"default_rng", "SeedSequence", "Generator", "PCG64", "Philox", "SFC64", "BitGenerator"}
LEAST_SEEDS = 5
GIF_BYTES = 1_000_000
PNG_BYTES = 600_000
NO_FIGURE = re.compile(r"not in the paper|no figure|our bar|not the paper|^none\b", re.I)
CRITERION = re.compile(r"\d|\b(all|every|each|always|never|none|no|solved|correct)\b", re.I)
HEADER = re.compile(
    r'# /// script\n# requires-python = ">=3\.11"\n# dependencies = \[.*"numpy.*\]\n# ///\n'
)


@dataclass(frozen=True)
class Finding:
    file: str
    wrong: str
    remedy: str

    def __str__(self):
        return f"{self.file}: {self.wrong}; {self.remedy}"


def check(stub):
    """Every breach of the contract in one stub."""
    return list(dict.fromkeys(finding for rule in RULES for finding in apply(rule, stub)))


def apply(rule, stub):
    """What one rule finds."""
    found = []
    try:
        for file, wrong, remedy in RULES[rule](stub):
            found.append(Finding(f"{stub.slug}/{file}", wrong, remedy))
    except CatalogueError as error:  # a card or record that cannot be read stops each rule on it
        wrong, _, remedy = str(error).partition("; ")
        found.append(Finding(stub.slug, wrong, remedy or "mend the file"))
    return found


@cache
def canonical(block):
    """The text of the tail or of the picture style block, as it stands in SPEC.md."""
    text = (ROOT / "SPEC.md").read_text("utf-8")
    return re.search(rf"^```python {block}\n(.*?)^```$", text, re.M | re.S)[1]


def programs(stub):
    """The file names of the experiment and, where there is one, the study."""
    return [program.script.name for program in stub.programs]


def drawings(stub):
    return [f"visualize_{stub.name}.py", f"make_{stub.name}_gif.py"]


def text_of(stub, file):
    """The text of a file of the stub, empty when it is missing (the rule `files` says so)."""
    path = stub.folder / file
    try:
        return path.read_text("utf-8") if path.is_file() else ""
    except (OSError, ValueError) as error:
        raise CatalogueError(f"{shown(path)} cannot be read: {one_line(error)}") from None


def parsed(stub, file):
    """The syntax tree of a file of the stub, an empty one when it is missing."""
    try:
        return ast.parse(text_of(stub, file))
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte
        wrong = f"{stub.slug}/{file} is no Python: {one_line(error)}"
        raise CatalogueError(f"{wrong}; mend the syntax") from None


def rule_files(stub):
    """A stub is a folder with these files."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", stub.slug):
        yield "", f"{stub.slug} is not lower-case words joined by hyphens", "rename the folder"
    needed = [stub.script.name, *drawings(stub), f"test_{stub.name}.py", "card.toml", "README.md"]
    for file in needed:
        if not (stub.folder / file).is_file():
            yield file, "missing", "write it; `python3 -m tools new` shows a complete folder"
    records = {"results.json", "study.json", "mutants.toml"}
    known = {*needed, *records, f"study_{stub.name}.py", stub.gif.name, "viz", "data"}
    for path in sorted(stub.folder.iterdir()):
        if path.name not in known | {"__pycache__"} and not path.name.startswith("."):
            yield path.name, "does not belong to a stub", "remove it, or put data under data/"


def rule_card(stub):
    """The card makes three to six claims, each able to fail; a paper's claim quotes the paper."""
    claims = stub.card.claims
    if not claims:
        yield "card.toml", "no claims", "state the paper's claim as [[claims]] with a test"
    if claims and not 3 <= len(claims) <= 6:
        yield "card.toml", f"{len(claims)} claims", "three to six, the headline first"
    for claim in claims:
        where = f"the claim about {claim.metric}"
        if claim.metric.endswith(TIMING):
            yield "card.toml", f"{where} is about a timing", "claim what no machine changes"
        if claim.level == "paper" and NO_FIGURE.search(claim.paper):
            yield "card.toml", f"{where} is filed as the paper's", 'a bar of ours has level "extra"'
        elif claim.level == "paper" and not CRITERION.search(claim.paper):
            remedy = 'quote it in `paper`; what the paper says in words has level "trend"'
            yield "card.toml", f"{where} quotes no figure or criterion", remedy
        if claim.source == "study" and not stub.study:
            yield "card.toml", f"{where} needs a study", f"write study_{stub.name}.py"
    if claims and claims[0].level == "extra":
        yield "card.toml", "the first claim is an extra", "put the paper's headline first"


def rule_thumb(stub):
    """The thumbnail is a crop of one of the stub's pictures, about as wide as a card."""
    thumb = stub.card.thumb
    path = stub.folder / thumb.file
    if thumb.file not in [picture.file for picture in stub.card.pictures]:
        yield "card.toml", f"the thumbnail is cut from {thumb.file}", "name one of the pictures"
    if not path.is_file():
        return
    with opened(stub, thumb.file) as image:
        left, top, right, bottom = thumb.box
        inside = 0 <= left < right <= image.width and 0 <= top < bottom <= image.height
    if not inside or not 1.2 <= (right - left) / (bottom - top) <= 2.2:
        remedy = "left, top, right, bottom in pixels inside it, about 16 to 10"
        yield "card.toml", f"the thumbnail's box {list(thumb.box)} does not fit", remedy


def rule_curve(stub):
    """A stub whose records hold a learning curve says what its axes mean."""
    records = stub.run.current.records if stub.run.current else []
    drawn = any(record.curve for record in records)
    if drawn and not stub.card.curve:
        yield "card.toml", "the learning curve has no axes", 'add curve = {x = "…", y = "…"}'
    if records and stub.card.curve and not drawn:
        yield "card.toml", "`curve` names axes of no curve", "remove it, or let run return one"


def rule_header(stub):
    """Each script starts with PEP 723 metadata and a docstring; the experiment's is short."""
    for file in [*programs(stub), *drawings(stub)]:
        if not (text := text_of(stub, file)):
            continue
        if not HEADER.match(text):
            yield file, "no PEP 723 header on top", "start as SPEC.md shows, so that `uv run` works"
        doc = ast.get_docstring(parsed(stub, file)) or ""
        if not 1 <= len(doc.splitlines()) <= 25:
            wrong = f"a docstring of {len(doc.splitlines())} lines"
            yield file, wrong, "say in 1 to 25 lines what it is and how to run it"


def rule_interface(stub):
    """A program has a frozen dataclass Config, QUICK, and run(config, seed, progress)."""
    for file in programs(stub):
        top = {}
        for node in parsed(stub, file).body:
            top |= dict.fromkeys(names_bound(node), node)
        config = top.get("Config")
        run = top.get("run")
        if isinstance(config, ast.ClassDef):
            yield from config_findings(file, config)
        elif config is None or file == stub.script.name:
            yield file, "no frozen dataclass Config", "put every setting there"
        if "QUICK" not in top:
            yield file, "no QUICK", "name the overrides with which it runs in under 5 s"
        arguments = [a.arg for a in run.args.args] if isinstance(run, ast.FunctionDef) else None
        if arguments != ["config", "seed", "progress"]:
            yield file, "no run(config, seed, progress)", "tools call it, and nothing else"


def defined(body):
    """The functions, classes and constants among the statements at the top of a program."""
    nodes = [node for node in body if not isinstance(node, ast.ImportFrom)]
    return {name for node in nodes for name in names_bound(node)}


def names_bound(node):
    """The names that a top-level statement binds."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []


def config_findings(file, config):
    if not any("frozen=True" in ast.unparse(d) for d in config.decorator_list):
        yield file, "no frozen dataclass Config", "put every setting there"
    for field in config.body:
        if isinstance(field, ast.AnnAssign):
            if not ast.unparse(field.annotation).startswith("Annotated["):
                wrong = f"Config.{field.target.id} has no help text and range"
                yield file, wrong, "write Annotated[kind, text, (low, high)]"


def rule_tail(stub):
    """The experiment ends with the canonical tail; a study ends by calling that tail's main."""
    remedy = "paste the block `python tail` of SPEC.md as its end"
    source = text_of(stub, stub.script.name)
    if source and TAIL_MARK + source.partition(TAIL_MARK)[2] != canonical("tail"):
        yield stub.script.name, "its end is not the canonical tail", remedy
    last = source.partition(TAIL_MARK)[0].count("\n")
    above = [node for node in parsed(stub, stub.script.name).body if node.lineno <= last]
    for name in sorted(defined(above) & defined(ast.parse(canonical("tail")).body)):
        yield stub.script.name, f"{name} is a name of the tail too", "call it something else"
    call = f'if __name__ == "__main__":\n    {stub.name}.main(sys.modules[__name__])\n'
    if stub.study and not stub.study.source.endswith(call):
        yield stub.study.script.name, "it does not end with the experiment's main", call.strip()


def rule_style(stub):
    """Each picture script holds the canonical picture style block, byte for byte."""
    for file in drawings(stub):
        if (text := text_of(stub, file)) and text.count(canonical("style")) != 1:
            remedy = "paste the block `python style` of SPEC.md after the imports"
            yield file, "no canonical picture style block", remedy


def rule_imports(stub):
    """numpy and the standard library; pictures and studies import the experiment as well."""
    head = text_of(stub, stub.script.name).partition('"""')[0]
    extra = {module for package, module in EMULATOR.items() if f'"{package}==' in head}
    core = {"numpy"} | extra
    more = {
        file: core | PICTURE_IMPORTS | {stub.name, f"study_{stub.name}"} for file in drawings(stub)
    }
    allowed = {stub.script.name: core, f"study_{stub.name}.py": core | {stub.name}} | more
    for file in [*programs(stub), *drawings(stub)]:
        for outside in sorted(
            imported(parsed(stub, file)) - allowed[file] - sys.stdlib_module_names
        ):
            yield file, f"imports {outside}", f"use only {', '.join(sorted(allowed[file]))}"


def imported(tree):
    """The top-level modules that a file imports anywhere."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def rule_randomness(stub):
    """All random numbers come from generators made from the seed."""
    remedy = "draw from a numpy Generator made from the seed"
    for file in [*programs(stub), *drawings(stub)]:
        tree = parsed(stub, file)
        if "random" in imported(tree):
            yield file, "imports random", remedy
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
                if node.attr not in SEEDED:
                    yield file, f"np.random.{node.attr} on line {node.lineno}", remedy
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng"):
                fixed = node.args and isinstance(node.args[0], ast.Constant)
                strict = file in programs(stub)
                if not node.args or fixed and strict:
                    wrong = f"a generator without the run's seed on line {node.lineno}"
                    yield file, wrong, remedy


def rule_finished(stub):
    """Nothing is left to do in the code."""
    for file in [*programs(stub), *drawings(stub), f"test_{stub.name}.py"]:
        for word in re.findall(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text_of(stub, file)):
            yield file, f"{word} in it", "finish it"


def rule_tests(stub):
    """Each of the stub's own tests asserts something."""
    for node in parsed(stub, f"test_{stub.name}.py").body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            if not any(asserts(inner) for inner in ast.walk(node)):
                wrong = f"{node.name} asserts nothing"
                yield f"test_{stub.name}.py", wrong, "assert what it is about, or delete it"


def asserts(node):
    if isinstance(node, ast.Call):
        return re.search(r"assert|check|raises", ast.unparse(node.func))
    return isinstance(node, ast.Assert)


def rule_mutants(stub):
    """Ten to twenty deliberate faults of every kind that applies, each in one place."""
    listed = mutants.read(stub)
    if not listed:
        yield "mutants.toml", "missing", "ten to twenty faults, each [[mutant]] of a kind"
        return
    for fault in listed.mutant:
        file = fault.file or stub.script.name
        source = text_of(stub, file).partition(TAIL_MARK)[0]
        if file not in programs(stub) or source.count(fault.find) != 1:
            yield "mutants.toml", f"{fault.name}: not once in {file}", "quote it anew"
    if not 10 <= len(listed.mutant) <= 20:
        yield "mutants.toml", f"{len(listed.mutant)} faults", "ten to twenty"
    there = {fault.kind for fault in listed.mutant} | set(listed.absent)
    for kind in [kind for kind in KINDS if kind not in there]:
        remedy = f'add one, or say why it does not apply: [absent] {kind} = "..."'
        yield "mutants.toml", f"no fault of the kind {kind}", remedy


def rule_readme(stub):
    """The README has its sections in order, its generated blocks, the GIF, and links that lead."""
    text = text_of(stub, "README.md")
    headings = [heading for heading in re.findall(r"^## (.*)$", text, re.M) if heading in SECTIONS]
    if text and headings != SECTIONS:
        lost = [section for section in SECTIONS if section not in headings]
        wrong = f"sections {'missing: ' + ', '.join(lost) if lost else 'out of order'}"
        yield "README.md", wrong, f"have these headings: {', '.join(SECTIONS)}"
    if text and f"({stub.gif.name})" not in text:
        remedy = f"add ![...]({stub.gif.name}) under the first paragraph"
        yield "README.md", "does not show the animation", remedy
    for alt, file in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", text):
        if not alt.strip():
            yield "README.md", f"{file} has no alternative text", "say what one sees in it"
    for link in re.findall(r"(?<!!)\[[^]]*\]\(([^)#]+)", text):
        if "://" not in link and not (stub.folder / link).exists():
            yield "README.md", f"links to {link}, which does not exist", "mend the link"


def rule_numbers(stub):
    """Every number under Results stands in a record, in the card or in the settings."""
    if text_of(stub, "README.md"):
        for number in unsupported_numbers(stub):
            remedy = "use a recorded one, or record what it claims"
            yield "README.md", f"the number {number} stands in no record", remedy


def rule_records(stub):
    """The records are of this code and its default settings, enough, and hold what is claimed."""
    for program in stub.programs:
        again = f"python3 -m tools record {stub.slug}{' --study' * (program.kind == 'study')}"
        claims = [claim for claim in stub.card.claims if claim.source == program.kind]
        file = program.file.name
        results = program.results
        if results is None:
            yield file, "missing", f"run: {again}"
            continue
        if (results.slug, results.program) != (stub.slug, program.kind):
            yield file, "belongs to another program", f"run: {again} --fresh"
        if results.code != program.code_hash:
            remedy = f"run: {again.replace(' record ', ' verify ')}, or {again} --fresh"
            yield file, f"is of other code than {program.script.name} holds now", remedy
        if program.kind == "run" and len(results.records) < LEAST_SEEDS:
            yield file, f"{len(results.records)} seeds", f"run: {again} --seeds 10"
        for failure in results.failed:
            remedy = "find out why; it counts against every claim"
            yield file, f"seed {failure.seed} failed: {failure.why}", remedy
        yield from record_findings(stub, file, results.records, claims, again)


def record_findings(stub, file, records, claims, again):
    if len({str(sorted(record.config.items())) for record in records}) > 1:
        yield file, "records with different settings", f"run: {again} --fresh"
    for claim in claims:
        if any(claim.metric not in record.metrics for record in records):  # None fails the claim
            wrong = f"the claim's metric {claim.metric} is not in every record of {file}"
            yield "card.toml", wrong, "run() has to return it: a number, or None if there is none"
    for record in records[:1]:
        lists = {name: v for name, v in record.metrics.items() if isinstance(v, list)}
        for name in lists if file == "results.json" else ():
            if name not in ("curve.x", "curve.y") or len(lists[name]) > CURVE_POINTS:
                remedy = f"a run returns numbers, and a curve of at most {CURVE_POINTS} points"
                yield file, f"{name} is a list of {len(lists[name])}", remedy


def opened(stub, file):
    """A picture of the stub; CatalogueError when it is none."""
    try:
        image = Image.open(stub.folder / file)
        image.load()
        return image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        wrong = f"{stub.slug}/{file} is no picture"
        raise CatalogueError(f"{wrong}; run: python3 -m tools figures {stub.slug}") from None


def rule_pictures(stub):
    """Every picture is in the card and in the README, within size, and not blank."""
    listed = [picture.file for picture in stub.card.pictures]
    there = [str(p.relative_to(stub.folder)) for p in sorted(stub.folder.glob("viz/*"))]
    readme = text_of(stub, "README.md")
    again = f"run: python3 -m tools figures {stub.slug}"
    for file in [stub.gif.name, *there]:
        if file not in listed:
            yield "card.toml", f"has no caption for {file}", "add it under [[pictures]]"
        if f"({file})" not in readme:
            yield "README.md", f"does not show {file}", "add it to Visualizations"
    if len(there) < 2:
        yield "viz", f"{len(there)} pictures", f"at least 2; {again}"
    for file in dict.fromkeys([*listed, *there, stub.gif.name]):
        if not (stub.folder / file).is_file():
            yield file, "missing", again
            continue
        size = (stub.folder / file).stat().st_size / 1e6
        if size > (most := (GIF_BYTES if file.endswith(".gif") else PNG_BYTES) / 1e6):
            yield file, f"{size:.2f} MB", f"at most {most:.1f} MB: fewer frames, colours or dots"
        with opened(stub, file) as image:
            if np.asarray(image.convert("L"), float).std() < 2:
                yield file, "blank", "draw something"
            if file.endswith(".gif"):
                yield from animation(image, file)


def animation(image, file):
    """6 to 12 s, at least 10 frames, and 2 s of the last state."""
    milliseconds = []
    for frame in range(image.n_frames):
        image.seek(frame)
        milliseconds.append(image.info.get("duration", 0))
    if len(milliseconds) < 10:
        yield file, f"{len(milliseconds)} frames", "at least 10"
    if not 6000 <= sum(milliseconds) <= 12500:
        yield file, f"{sum(milliseconds) / 1000:.1f} s long", "6 to 12 s"
    if milliseconds[-1] < 2000:
        wrong = f"its last frame stays {milliseconds[-1] / 1000:.1f} s"
        yield file, wrong, "hold the final state for 2 s, as one frame"


RULES = {name[5:]: rule for name, rule in list(globals().items()) if name.startswith("rule_")}


# ---- size: advice, never a finding -------------------------------------------------------------
def size(stub):
    """What the experiment asks of a reader: lines above the tail, settings, metrics and more."""
    above = stub.run.source.partition(TAIL_MARK)[0].rstrip().splitlines()
    tree = parsed(stub, stub.script.name)
    lengths = [
        node.end_lineno - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.lineno <= len(above)
    ]
    config = next((n for n in tree.body if getattr(n, "name", "") == "Config"), None)
    settings = sum(isinstance(n, ast.AnnAssign) for n in config.body) if config else 0
    recorded = stub.run.results.records if stub.run.results else []
    metrics = [name for name in recorded[0].metrics if "curve." not in name] if recorded else []
    return {
        "lines above the tail": len(above),
        "settings": settings,
        "metrics": len(metrics),
        "lines of the longest function": max(lengths, default=0),
        "words by hand in the README": len(hand_written(text_of(stub, "README.md")).split()),
    }


def sizes(stubs):
    """The size of each stub whose files can be read, by its name."""
    found = {}
    for stub in stubs:
        with contextlib.suppress(CatalogueError):
            found[stub.slug] = size(stub)
    return found


def advice(slug, everything):
    """The size of a stub beside the medians of the sizes of all, as one line."""
    parts = []
    for name, value in everything[slug].items():
        median = statistics.median(other[name] for other in everything.values())
        parts.append(f"{value} {name} ({median:g})")
    return f"{slug}: {', '.join(parts)}"


def hand_written(text):
    """A README without its generated blocks."""
    return re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", text, flags=re.S)


# ---- the guard of hand-written numbers ---------------------------------------------------------
FIGURE = re.compile(
    r"""(?<![\w.,^/])(\d+(?:,\d{3})*(?:\.\d+)?)    # 74,000 or 0.25, no part of a word or a path
        (?:\s?[x×·]\s?10\^([-+]?\d+)|e([-+]?\d+))?  # times a power of ten
        (?!\d|[.,]\d)                               # no part of a version
        (\s?%|(?=\s?(?:-|–|to\s|and\s)\s?[\d.,]+\s?%))?  # per cent, or 2 to 3 %""",
    re.X,
)
YEAR = re.compile(r"(\(|\bal\.,? |[A-Z][\w.]*,? |(19|20)\d\d[-–, ]+)$")
RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")


def unsupported_numbers(stub):
    """Numbers in the prose under `## Results` that no record, card or default setting holds.

    Looked at are numbers with a point, an exponent or at least three digits. One is supported when
    a value, or that value in per cent, rounds to it as it is written. Code, links, generated blocks
    and years of citations are left out.
    """
    values = known_values(stub)
    for said in prose(text_of(stub, "README.md"), "Results"):
        for match in FIGURE.finditer(said):
            if not supported(match, said, values):
                around = said[max(0, match.start() - 30) : match.end() + 15].strip()
                yield f"{match[0].strip()} in {around!r}"


def prose(text, section):
    """The running text of a section of a README, paragraph by paragraph."""
    part = re.search(rf"^## {section}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    part = hand_written(part[1]) if part else ""
    for token in MarkdownIt("commonmark").enable("table").parse(part):
        if token.type == "inline":
            yield plain("".join(map(shown_text, token.children)))


def shown_text(token):
    if token.type == "text":
        return token.content
    return " " if "break" in token.type else "`"


def plain(text):
    """The text with powers written as 10^-7."""

    def power(match):
        return "10^" + match[1].translate(RAISED)

    return re.sub(r"10([⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+)", power, text.replace("−", "-"))


def known_values(stub):
    """Every number that a text may quote: of metrics over seeds, judgements, card and settings."""
    values = [stub.card.year]
    for program in stub.programs:
        records = program.results.records if program.results else []
        values += numbers_in([[r.metrics, r.config] for r in records])
        for over in series(records):
            values += over_seeds([v for v in over if isinstance(v, int | float)])
    for j in stub.judgements:
        values += numbers_in([j.held, j.seeds, j.held / max(1, j.seeds), j.middle, j.low, j.high])
        values += numbers_in([j.claim.threshold, j.claim.seeds, j.claim.within])
    for text in texts(stub.card):
        values += [figure(match)[0] for match in FIGURE.finditer(plain(text))]
    return values


def series(records):
    """Each metric, and what the records cost, as a list over the seeds."""
    for name in records[0].metrics if records else ():
        yield [record.metrics.get(name) for record in records]
    for name in ("seconds", "processor_seconds", "peak_memory_mb"):
        yield [getattr(record, name) for record in records]


def texts(card):
    """The texts of a card that may hold figures of the paper."""
    claims = [f"{claim.paper} {claim.says} {claim.why}" for claim in card.claims]
    return [card.title, card.summary, *card.paper, *claims]


def over_seeds(values):
    """What a text may say of a number over seeds: quartiles, mean, interval, spread, sum."""
    if not values:
        return []
    mean, *interval = judging.mean_interval(values)
    found = [*values, *judging.quartiles(values), mean, *interval, sum(values)]
    spread = [statistics.stdev(values)] if len(values) > 1 else []
    return numbers_in([found, spread])


def numbers_in(value):
    """All numbers of nested dicts and sequences."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return list(chain.from_iterable(map(numbers_in, value)))
    return [float(value)] if isinstance(value, int | float) else []


def figure(match):
    """(value, how far from it a number may lie that is rounded to it) of a number in a text."""
    digits = match[1].replace(",", "")
    exponent = int(match[2] or match[3] or 0)
    zeros = len(digits) - len(digits.rstrip("0"))
    last = -len(digits.partition(".")[2]) if "." in digits else min(zeros, max(0, len(digits) - 3))
    return float(digits) * 10.0**exponent, 0.5 * 10.0 ** (last + exponent)


def supported(match, text, values):
    """Whether a number in a text needs no record, or has one."""
    digits = match[1].replace(",", "")
    if not (len(digits) >= 3 or match[2] or match[3]):
        return True
    if re.fullmatch(r"(19|20)\d\d", match[1]) and YEAR.search(text[: match.start()]):
        return True
    value, margin = figure(match)
    for unit in (1,) if match[4] is None else (1, 0.01):
        if any(abs(abs(v) - value * unit) <= margin * unit * (1 + 1e-6) for v in values):
            return True
    return False
