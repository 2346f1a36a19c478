"""Records: one per run, kept in results.json and study.json with the hash of the code that ran."""

import ast
import contextlib
import hashlib
import json
import os
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tools.schema import CatalogueError, Number, Strict, Text, one_line, shown

TAIL_MARK = "# ---- tail: "
CURVE_POINTS = 101
TIMING = ("_seconds", "_per_second")  # ends of the names of metrics that no two runs share

Setting = Number | str


class Record(Strict):
    """One run that ended well."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    code: Text  # of the code that ran
    config: dict[str, Setting | list[Setting]]
    metrics: dict[str, Number | list[Number] | None]
    seconds: float  # of the clock
    processor_seconds: float
    peak_memory_mb: float
    machine: str
    versions: dict[str, str]

    @property
    def curve(self):
        """(x, y) of the learning curve, None without one."""
        x = self.metrics.get("curve.x")
        y = self.metrics.get("curve.y")
        return (x, y) if x and y else None


class Failure(Strict):
    """A seed whose run did not end well. It counts against every claim."""

    seed: int
    why: str


class Verification(Strict):
    """Some seeds were run again with other code, and every metric was the same bit for bit."""

    code: Text
    seeds: list[int]


class Results(Strict):
    """The recorded runs of a program, one per seed; they count for the code with this hash."""

    slug: str
    program: Literal["run", "study"] = "run"
    code: str
    verified: list[Verification] = []
    records: list[Record] = []
    failed: list[Failure] = []

    @model_validator(mode="after")
    def one_record_a_seed(self):
        seeds = [item.seed for item in (*self.records, *self.failed)]
        if twice := {seed for seed in seeds if seeds.count(seed) > 1}:
            raise ValueError(f"seed {min(twice)} stands in it more than once")
        other = [record for record in self.records if record.code != self.code]
        if other and not self.verified:
            raise ValueError(f"seed {other[0].seed} is of other code, and nothing verifies that")
        return self


def read(path):
    """The records of a file, None when there is none; CatalogueError when it is unusable."""
    try:
        return Results.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        wrong = f"{shown(path)} is unusable: {what_is_wrong(path, error)}"
        raise CatalogueError(f"{wrong}; mend it or take it from git; --fresh replaces it") from None


def what_is_wrong(path, error):
    """The reason why a record file cannot be used, with its commonest cause by name."""
    try:
        start = path.read_bytes()
    except OSError:
        return one_line(error)
    if start.startswith(b"\xef\xbb\xbf"):
        return "it starts with a byte order mark"
    if b"<<<<<<< " in start:
        return "it holds a merge conflict"
    return one_line(error)


def code_hash(*sources):
    """SHA-256 of the parsed form of programs: comments, docstrings, layout and tail do not count.

    Neither do settings of environment variables: the recorder sets them for every run.
    """
    texts = []
    for source in sources:
        tree = ast.parse(source.partition(TAIL_MARK)[0])
        tree.body = [node for node in tree.body if not sets_environment(node)]
        for node in ast.walk(tree):
            kinds = ast.Module | ast.ClassDef | ast.FunctionDef
            if isinstance(node, kinds) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        texts.append(written_out(tree))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def sets_environment(node):
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("os.environ.")


def written_out(node):
    """A syntax tree as text. ast.dump will not do: what it shows differs between versions."""
    if isinstance(node, ast.JoinedStr):
        node = ast.JoinedStr(merged(node.values))
    if isinstance(node, ast.AST):
        shown_fields = [(n, v) for n, v in ast.iter_fields(node) if v not in (None, [])]
        inner = ", ".join(f"{name}={written_out(value)}" for name, value in shown_fields)
        return f"{type(node).__name__}({inner})"
    return f"[{', '.join(map(written_out, node))}]" if isinstance(node, list) else repr(node)


def merged(parts):
    """The parts of an f-string with neighbouring texts joined and empty ones left out."""
    out = []
    for part in parts:
        text = isinstance(part, ast.Constant)
        if text and out and isinstance(out[-1], ast.Constant):
            out[-1] = ast.Constant(out[-1].value + part.value)
        elif not text or part.value:
            out.append(part)
    return out


def write(path, results):
    """Replace a record file in one step: a reader sees the old one or the new one, never half."""
    write_text(path, json.dumps(results.model_dump(), indent=1) + "\n")


def write_text(path, text):
    """Replace a file in one step and keep its mode. Raises CatalogueError when it cannot."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, "utf-8", newline="\n")
        if path.exists():
            os.chmod(part, path.stat().st_mode)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        wrong = f"cannot write {path}: {error.strerror}"
        raise CatalogueError(f"{wrong}; what was there is untouched") from None
