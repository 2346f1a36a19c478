"""What stands in the tree: stubs, their cards, their records, and the verdicts that follow from these."""

import ast
import hashlib
import json
import math
import operator
import statistics
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROOT = Path(__file__).resolve().parent.parent
TAIL_MARK = "# ---- tail: "
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}
THREADS = (
    "long-lags",
    "fast-weights",
    "search",
    "controllers",
    "unsupervised",
    "evolution",
    "perception",
    "world-models",
    "continual",
)
Number = int | float | bool
Text = Annotated[str, Field(min_length=1)]


class CatalogueError(Exception):
    """Something in the tree is not as it should be; the message is one line and says what to do."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Claim(Strict):
    """One sentence of the paper as a test of a metric, which must hold in a fraction `seeds` of the recorded seeds."""

    metric: Text
    op: Literal[">=", "<=", ">", "<", "=="]
    threshold: Number
    seeds: Annotated[float, Field(gt=0, le=1)] = 1.0
    source: Annotated[Literal["runs", "study"], Field(alias="from")] = "runs"
    level: Literal["paper", "trend"]
    paper: Text
    says: Text


class Picture(Strict):
    file: Text
    caption: Text


class Card(Strict):
    title: Text
    summary: Text
    paper: Annotated[list[Text], Field(min_length=1)]
    year: Annotated[int, Field(ge=1950, le=2100)]
    era: Text
    thread: Literal[THREADS]
    data: Text
    claims: list[Claim]
    pictures: list[Picture]


class Record(Strict):
    """One run that ended well."""

    seed: Annotated[int, Field(ge=0)]
    config: dict
    metrics: dict[str, Number | list[Number] | None]
    seconds: float
    peak_memory_mb: float
    machine: str
    versions: dict[str, str]


class Failure(Strict):
    """A seed whose run did not end well. It counts against every claim."""

    seed: int
    why: str


class Results(Strict):
    """results.json: the recorded runs of one code, one per seed."""

    slug: str
    code: str
    records: list[Record] = []
    failed: list[Failure] = []


class Study(Record):
    """study.json: the one recorded run of the longer study."""

    slug: str
    code: str


def read_json(path, model):
    """Read a record file. Returns None when there is none; raises CatalogueError when it cannot be used."""
    try:
        return model.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CatalogueError(
            f"{path.parent.name}/{path.name} is unusable: {one_line(error)}; "
            f"record again: python3 -m tools record {path.parent.name} --fresh"
        ) from None


def one_line(error):
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}"
    return str(error).splitlines()[0]


@dataclass(frozen=True)
class Judgement:
    """How one claim fares in the records."""

    claim: Claim
    holds: bool
    held: int  # seeds in which it holds
    seeds: int  # seeds that ran, the failed ones included
    low: float | None  # Wilson's 95 % interval of the fraction that holds; None for a study, which is one record
    high: float | None
    median: float | None
    q25: float | None
    q75: float | None


@dataclass(frozen=True)
class Stub:
    folder: Path

    @property
    def slug(self):
        return self.folder.name

    @property
    def name(self):
        return self.slug.replace("-", "_")

    @property
    def script(self):
        return self.folder / f"{self.name}.py"

    @cached_property
    def card(self):
        path = self.folder / "card.toml"
        try:
            return Card.model_validate(tomllib.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise CatalogueError(f"{self.slug}/card.toml is unusable: {one_line(error)}") from None

    @cached_property
    def results(self):
        return read_json(self.folder / "results.json", Results)

    @cached_property
    def study(self):
        return read_json(self.folder / "study.json", Study)

    @cached_property
    def source(self):
        try:
            return self.script.read_text("utf-8")
        except OSError as error:
            raise CatalogueError(f"{self.slug}/{self.script.name} cannot be read: {error.strerror}") from None

    @cached_property
    def code(self):
        """SHA-256 of the experiment's parsed form: comments, docstrings, layout and the tail do not change it."""
        try:
            tree = ast.parse(self.source.partition(TAIL_MARK)[0])
        except SyntaxError as error:
            raise CatalogueError(f"{self.slug}/{self.script.name} line {error.lineno}: {error.msg}") from None
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        return hashlib.sha256(written_out(tree).encode()).hexdigest()

    @property
    def has_study(self):
        return "\ndef study(" in self.source

    @cached_property
    def lines(self):
        return len(self.source.splitlines())

    @cached_property
    def judgements(self):
        return [judge(claim, self) for claim in self.card.claims]

    @property
    def verdict(self):
        """reproduces | partial | does not reproduce, from the claims; "not recorded" without the records they need."""
        needed = [self.study if claim.source == "study" else self.results for claim in self.card.claims]
        if not needed or any(record is None or record.code != self.code for record in needed):
            return "not recorded"
        failed = {judgement.claim.level for judgement in self.judgements if not judgement.holds}
        return "does not reproduce" if "trend" in failed else "partial" if failed else "reproduces"

    def median(self, quantity):
        """Median of "seconds" or "peak_memory_mb" over the recorded runs of this code, None without any."""
        records = self.results.records if self.results and self.results.code == self.code else []
        return statistics.median(getattr(record, quantity) for record in records) if records else None


def written_out(node):
    """A syntax tree as text. ast.dump will not do: which empty fields it shows depends on the version of Python."""
    if isinstance(node, ast.AST):
        fields = [f"{name}={written_out(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])]
        return f"{type(node).__name__}({', '.join(fields)})"
    return f"[{', '.join(map(written_out, node))}]" if isinstance(node, list) else repr(node)


def stubs(root=ROOT):
    """Every folder with a card is a stub; nothing else lists them."""
    return [Stub(path.parent) for path in sorted(Path(root).glob("*/card.toml"))]


def stub(slug, root=ROOT):
    """The stub called slug. Raises CatalogueError, with the nearest names, when there is none."""
    import difflib

    known = {s.slug: s for s in stubs(root)}
    if slug not in known:
        near = difflib.get_close_matches(slug, known, 3)
        raise CatalogueError(
            f"there is no stub {slug!r}"
            + (f"; did you mean {' or '.join(near)}?" if near else "; python3 -m tools list shows all")
        )
    return known[slug]


def judge(claim, stub):
    """Apply a claim to the records of its stub."""
    if claim.source == "study":
        records, failed = [stub.study] if stub.study else [], 0
    else:
        records, failed = (stub.results.records, len(stub.results.failed)) if stub.results else ([], 0)
    values = [record.metrics.get(claim.metric) for record in records]
    held = sum(isinstance(v, Number) and COMPARE[claim.op](v, claim.threshold) for v in values)
    seeds = len(records) + failed
    numbers = sorted(float(v) for v in values if isinstance(v, Number))
    q25, median, q75 = quartiles(numbers) if numbers else (None, None, None)
    low, high = wilson(held, seeds) if claim.source == "runs" and seeds else (None, None)
    return Judgement(claim, seeds > 0 and held >= claim.seeds * seeds - 1e-9, held, seeds, low, high, median, q25, q75)


def quartiles(numbers):
    """25 %, 50 % and 75 % points, linear between order statistics (as numpy's percentile)."""
    if len(numbers) == 1:
        return numbers[0], numbers[0], numbers[0]
    return tuple(statistics.quantiles(numbers, n=4, method="inclusive"))


def wilson(held, seeds, z=1.959964):
    """Wilson's score interval for a proportion (E. B. Wilson, JASA 22, 1927), by default of 95 %."""
    share, square = held / seeds, z * z / seeds
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / seeds + square / (4 * seeds))
    return max(0.0, middle - half), min(1.0, middle + half)


def write_json(path, model):
    """Replace a file in one step: whoever reads it sees the old one or the new one, never half of it."""
    write_text(path, json.dumps(model.model_dump(by_alias=True), indent=1) + "\n")


def write_text(path, text):
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, "utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CatalogueError(f"cannot write {path}: {error.strerror}; what was there is untouched") from None
