"""The contract of a stub (SPEC.md) as rules that a program applies. Each rule yields findings; none means it holds."""

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from tools import pages
from tools.catalogue import ROOT, TAIL_MARK, CatalogueError

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
EMULATOR = {"ale-py": "ale_py"}  # GPL-2.0, with the games inside: a stub may import it where it is installed
SEEDED = {"default_rng", "SeedSequence", "Generator", "PCG64", "Philox", "SFC64", "BitGenerator"}
LEAST_SEEDS = 5
GIF_BYTES, PNG_BYTES = 1_500_000, 600_000
TIMING = ("_seconds", "_per_second")  # how the name of a metric ends that no two runs share
STYLE_MARK = "# ---- picture style"


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
    try:
        return [Finding(f"{stub.slug}/{file}", wrong, remedy) for file, wrong, remedy in RULES[rule](stub)]
    except CatalogueError as error:  # a card or a record that cannot be read stops each rule that needs it
        wrong, _, remedy = str(error).partition("; ")
        return [Finding(stub.slug, wrong, remedy or "mend the file")]


@cache
def canonical(block):
    """The text of the tail or of the picture style block, as it stands in SPEC.md."""
    return re.search(rf"^```python {block}\n(.*?)^```$", (ROOT / "SPEC.md").read_text("utf-8"), re.M | re.S)[1]


def scripts(stub):
    return [stub.script.name, f"visualize_{stub.name}.py", f"make_{stub.name}_gif.py"]


def parsed(stub, file):
    """The syntax tree of a file of the stub, or None when it is missing (the rule `files` says so)."""
    path = stub.folder / file
    if not path.is_file():
        return None
    try:
        return ast.parse(path.read_text("utf-8"))
    except SyntaxError as error:
        raise CatalogueError(f"{stub.slug}/{file} line {error.lineno}: {error.msg}") from None


def files(stub):
    """A stub is a folder with these files."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", stub.slug):
        yield "", f"the name {stub.slug} is not lower-case words joined by hyphens", "rename the folder"
    for file in [*scripts(stub), f"test_{stub.name}.py", "card.toml", "README.md"]:
        if not (stub.folder / file).is_file():
            yield file, "missing", "write it; `python3 -m tools new` shows a complete folder"
    known = {
        *scripts(stub),
        f"test_{stub.name}.py",
        "card.toml",
        "README.md",
        "results.json",
        "study.json",
        "mutants.toml",
        f"{stub.name}.gif",
        "viz",
        "data",
        "__pycache__",
    }
    for path in sorted(stub.folder.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            yield path.name, "does not belong to a stub", "remove it, or put data under data/"


def card(stub):
    """The card is complete and makes at least one claim; every metric it names is recorded (rule `records`)."""
    if not stub.card.claims:
        yield "card.toml", "no claims", "state the paper's claim as [[claims]] with a metric and a threshold"
    for claim in stub.card.claims:
        if claim.metric.endswith(TIMING):
            yield "card.toml", f"a claim about the timing {claim.metric}", "claim what does not depend on the machine"


def header(stub):
    """Each script starts with PEP 723 metadata and a docstring; the experiment's is at most 25 lines."""
    for file in scripts(stub):
        if (tree := parsed(stub, file)) is None:
            continue
        text = (stub.folder / file).read_text("utf-8")
        if not re.match(
            r'# /// script\n# requires-python = ">=3\.11"\n# dependencies = \[.*"numpy".*\]\n# ///\n', text
        ):
            yield file, "no PEP 723 header on top", "start it as the example in SPEC.md does, so that `uv run` works"
        lines = (ast.get_docstring(tree) or "").count("\n") + 1
        if ast.get_docstring(tree) is None or lines > 25:
            yield file, f"a docstring of {lines} lines", "say in 1 to 25 lines what it is and how to run it"


def interface(stub):
    """The experiment has a frozen dataclass Config with annotated fields, QUICK, and run(config, seed, progress)."""
    if (tree := parsed(stub, stub.script.name)) is None:
        return
    file = stub.script.name
    top = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    config = top.get("Config")
    if config is None or not any("frozen=True" in ast.unparse(d) for d in config.decorator_list):
        yield file, "no frozen dataclass Config", "put every hyperparameter there: it is the whole interface"
    else:
        for field in config.body:
            if isinstance(field, ast.AnnAssign) and not ast.unparse(field.annotation).startswith("Annotated["):
                yield (
                    file,
                    f"Config.{field.target.id} has no help text and range",
                    "write Annotated[kind, text, (low, high)]",
                )
    if not any(isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "QUICK" for n in tree.body):
        yield file, "no QUICK", "name the overrides with which it runs in under 5 s"
    for name in ("run", "study"):
        if name not in top and name == "study":
            continue
        if name not in top or [a.arg for a in top[name].args.args] != ["config", "seed", "progress"]:
            yield file, f"no {name}(config, seed, progress=None)", "tools call it, and nothing else"


def tail(stub):
    """The experiment ends with the canonical tail, byte for byte."""
    if stub.script.is_file() and TAIL_MARK + stub.source.partition(TAIL_MARK)[2] != canonical("tail"):
        yield (
            stub.script.name,
            "its end is not the canonical tail",
            "paste the block `python tail` of SPEC.md as its end",
        )


def style(stub):
    """Each picture script holds the canonical picture style block, byte for byte."""
    for file in scripts(stub)[1:]:
        path = stub.folder / file
        if path.is_file() and path.read_text("utf-8").count(canonical("style")) != 1:
            yield (
                file,
                "no canonical picture style block",
                "paste the block `python style` of SPEC.md after the imports",
            )


def imports(stub):
    """numpy and the standard library for the experiment (its header may add the Atari emulator); more for pictures."""
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    for file in scripts(stub):
        head = (stub.folder / file).read_text("utf-8").partition("# ///\n")[0] if (stub.folder / file).is_file() else ""
        allowed |= {module for package, module in EMULATOR.items() if f'"{package}==' in head}
        for node in ast.walk(parsed(stub, file) or ast.Module([], [])):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for outside in {name.split(".")[0] for name in names} - allowed:
                yield (
                    file,
                    f"imports {outside}",
                    f"use only {', '.join(sorted(allowed - set(sys.stdlib_module_names)))}",
                )
        allowed |= PICTURE_IMPORTS | {stub.name}


def randomness(stub):
    """All random numbers come from explicit, seeded generators."""
    for file in scripts(stub):
        for node in ast.walk(parsed(stub, file) or ast.Module([], [])):
            if (
                isinstance(node, ast.Attribute)
                and ast.unparse(node.value) in ("np.random", "numpy.random")
                and node.attr not in SEEDED
            ):
                yield file, f"np.random.{node.attr} on line {node.lineno}", "draw from a Generator made from the seed"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args:
                yield file, f"an unseeded generator on line {node.lineno}", "make it from the seed"
            if isinstance(node, ast.Import) and any(a.name == "random" for a in node.names):
                yield file, "imports random", "draw from a numpy Generator made from the seed"


def finished(stub):
    """Nothing is left to do in the code, and what is long says why."""
    for file in [*scripts(stub), f"test_{stub.name}.py"]:
        text = (stub.folder / file).read_text("utf-8") if (stub.folder / file).is_file() else ""
        for word in re.findall(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text):
            yield file, f"{word} in it", "finish it"
    readme = stub.folder / "README.md"
    if (
        stub.script.is_file()
        and stub.lines > 500
        and readme.is_file()
        and "lines long" not in readme.read_text("utf-8")
    ):
        yield "README.md", f"{stub.script.name} has {stub.lines} lines", "say why it is that many `lines long`"


def tests(stub):
    """The stub's own tests assert something, a gradient or a rule among it."""
    tree = parsed(stub, f"test_{stub.name}.py")
    for node in tree.body if tree else []:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            checks = [
                n
                for n in ast.walk(node)
                if isinstance(n, ast.Assert)
                or "raises" in ast.dump(n)[:200]
                or (isinstance(n, ast.Call) and re.search(r"assert|check", ast.unparse(n.func)))
            ]
            if not checks:
                yield f"test_{stub.name}.py", f"{node.name} asserts nothing", "assert what it is about, or delete it"


def readme(stub):
    """The README has its sections in order, shows the GIF, and takes its numbers from the records."""
    path = stub.folder / "README.md"
    if not path.is_file():
        return
    text = path.read_text("utf-8")
    found = [heading for heading in re.findall(r"^## (.*)$", text, re.M) if heading in SECTIONS]
    if found != SECTIONS:
        lost = [s for s in SECTIONS if s not in found]
        yield (
            "README.md",
            f"sections {'missing: ' + ', '.join(lost) if lost else 'out of order'}",
            f"have these headings: {', '.join(SECTIONS)}",
        )
    if f"({stub.name}.gif)" not in text:
        yield "README.md", "does not show the animation", f"add ![...]({stub.name}.gif) under the first paragraph"
    for link in re.findall(r"(?<!!)\[[^]]*\]\(([^)#]+)", text):
        if "://" not in link and not (stub.folder / link).exists():
            yield "README.md", f"links to {link}, which does not exist", "mend the link"
    for number in pages.unsupported_numbers(stub):
        yield "README.md", f"the number {number} stands in no record", "use a recorded one, or record what it claims"


def records(stub):
    """The records are of this code and its default settings, enough, and hold what the claims name."""
    again = f"python3 -m tools record {stub.slug}"
    sources = {claim.source for claim in stub.card.claims} | {"runs"}
    for source, file, record in (("runs", "results.json", stub.results), ("study", "study.json", stub.study)):
        more = f"{again}{' --study' if source == 'study' else ''}"
        if record is None:
            if source in sources:
                yield file, "missing", f"run: {more}"
            continue
        if record.slug != stub.slug or record.code != stub.code:
            yield file, f"is of other code than {stub.script.name} holds now", f"run: {more} --fresh"
        runs = record.records if source == "runs" else [record]
        if source == "runs" and len(runs) < LEAST_SEEDS:
            yield file, f"{len(runs)} seeds", f"run: {again} --seeds 10"
        for failure in record.failed if source == "runs" else []:
            yield file, f"seed {failure.seed} failed: {failure.why}", "find out why; it counts against every claim"
        if len({str(sorted(r.config.items())) for r in runs}) > 1:
            yield file, "records with different settings", f"run: {again} --fresh"
        for claim in stub.card.claims:
            if claim.source == source and any(r.metrics.get(claim.metric) is None for r in runs):
                yield (
                    "card.toml",
                    f"the claim's metric {claim.metric} is not in every record of {file}",
                    f"{'study' if source == 'study' else 'run'}() has to return it as a number",
                )


def pictures(stub):
    """Every picture is in the card and in the README, not blank and within size; the GIF holds its last frame."""
    listed = [picture.file for picture in stub.card.pictures]
    gif = f"{stub.name}.gif"
    there = [str(p.relative_to(stub.folder)) for p in sorted(stub.folder.glob("viz/*"))]
    text = (stub.folder / "README.md").read_text("utf-8") if (stub.folder / "README.md").is_file() else ""
    for file in [gif, *there]:
        if file not in listed:
            yield "card.toml", f"has no caption for {file}", "add it under [[pictures]]"
        if f"({file})" not in text:
            yield "README.md", f"does not show {file}", "add it to Visualizations"
    if len(there) < 2:
        yield "viz", f"{len(there)} pictures", f"at least 2; python3 -m tools figures {stub.slug}"
    for file in dict.fromkeys([*listed, *there, gif]):
        path = stub.folder / file
        if not path.is_file():
            yield file, "missing", f"run: python3 -m tools figures {stub.slug}"
            continue
        limit = GIF_BYTES if file.endswith(".gif") else PNG_BYTES
        if path.stat().st_size > limit:
            yield (
                file,
                f"{path.stat().st_size / 1e6:.2f} MB",
                f"at most {limit / 1e6:.1f} MB: fewer frames, colours or dots",
            )
        with Image.open(path) as image:
            if np.asarray(image.convert("L"), float).std() < 2:
                yield file, "blank", "draw something"
            if file.endswith(".gif"):
                yield from animation(image, file)


def animation(image, file):
    """6-12 s (QUICK pictures apart), at least 10 frames, and 2 s of the last state."""
    milliseconds = []
    for frame in range(image.n_frames):
        image.seek(frame)
        milliseconds.append(image.info.get("duration", 0))
    if len(milliseconds) < 10:
        yield file, f"{len(milliseconds)} frames", "at least 10"
    if not 6000 <= sum(milliseconds) <= 12500:
        yield file, f"{sum(milliseconds) / 1000:.1f} s long", "6 to 12 s"
    if milliseconds[-1] < 2000:
        yield (
            file,
            f"its last frame stays {milliseconds[-1] / 1000:.1f} s",
            "hold the final state for 2 s, as one frame",
        )


RULES = {
    rule.__name__: rule
    for rule in (
        files,
        card,
        header,
        interface,
        tail,
        style,
        imports,
        randomness,
        finished,
        tests,
        readme,
        records,
        pictures,
    )
}
