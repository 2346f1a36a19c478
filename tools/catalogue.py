"""What stands in the tree: stubs, their cards, their programs with records, their verdicts."""

import difflib
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from tools import judging, records
from tools.schema import Card, CatalogueError, one_line, shown

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Stub:
    """A folder with a card."""

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

    @property
    def gif(self):
        return self.folder / f"{self.name}.gif"

    @property
    def data(self):
        """The data files that the experiment reads: its own, and the tree's that it names."""
        text = self.script.read_text("utf-8")
        own = self.folder.glob("data/**/*")
        shared = [p for p in self.folder.parent.glob("data/*/*") if p.parent.name in text]
        return sorted(p for p in [*own, *shared] if p.is_file() and p.suffix != ".md")

    @cached_property
    def card(self):
        path = self.folder / "card.toml"
        try:
            return Card.model_validate(tomllib.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            wrong = f"{self.slug}/card.toml is unusable: {one_line(error)}"
            raise CatalogueError(f"{wrong}; SPEC.md says what a card holds") from None

    @cached_property
    def run(self):
        """The experiment with its records."""
        return Program(self, "run", self.script, self.folder / "results.json")

    @cached_property
    def study(self):
        """The study with its records, None for a stub without one."""
        script = self.folder / f"study_{self.name}.py"
        study = Program(self, "study", script, self.folder / "study.json")
        return study if script.is_file() else None

    @property
    def programs(self):
        return [program for program in (self.run, self.study) if program]

    def program(self, source):
        return self.study if source == "study" else self.run

    @cached_property
    def judgements(self):
        return [judging.judge(claim, self.program(claim.source)) for claim in self.card.claims]

    @property
    def verdict(self):
        return judging.verdict(self.judgements)


@dataclass(frozen=True)
class Program:
    """The experiment or the study of a stub, and the file of its records."""

    stub: Stub
    kind: Literal["run", "study"]
    script: Path
    file: Path

    @cached_property
    def source(self):
        try:
            return self.script.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise CatalogueError(
                f"{shown(self.script)} cannot be read: {one_line(error)}"
            ) from None

    @cached_property
    def code_hash(self):
        """The hash of the code that its records depend on; a study's covers the experiment too."""
        sources = [self.source] if self.kind == "run" else [self.source, self.stub.run.source]
        try:
            return records.code_hash(*sources)
        except (SyntaxError, ValueError) as error:  # ValueError: a null byte
            wrong = f"{shown(self.script)} is no Python: {one_line(error)}"
            raise CatalogueError(f"{wrong}; mend the syntax") from None

    @cached_property
    def results(self):
        """The recorded runs, None when there is no file."""
        return records.read(self.file)

    @property
    def current(self):
        """The recorded runs if they are of today's code, else None."""
        return self.results if self.results and self.results.code == self.code_hash else None


def stubs(root=ROOT):
    """Every folder with a card is a stub; nothing else lists them."""
    return [Stub(path.parent) for path in sorted(Path(root).glob("*/card.toml"))]


def stub(slug, root=ROOT):
    """The stub called slug. Raises CatalogueError, with the nearest names, when there is none."""
    known = {s.slug: s for s in stubs(root)}
    if slug not in known:
        near = difflib.get_close_matches(slug, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "python3 -m tools list shows all"
        raise CatalogueError(f"there is no stub {slug!r}; {hint}")
    return known[slug]
