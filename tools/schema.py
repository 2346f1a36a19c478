"""What cards and record files may hold, as models that refuse anything else with its name."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    ValidationError,
    model_validator,
)

THREADS = {
    "long-lags": "Long time lags",
    "fast-weights": "Fast weights",
    "search": "Search for programs",
    "controllers": "Controllers",
    "unsupervised": "Codes without a teacher",
    "evolution": "Evolution",
    "perception": "Perception",
    "world-models": "World models",
    "continual": "Continual learning",
}
VERDICTS = ("reproduces", "partial", "does not reproduce", "not recorded")


def inside(path):
    """The path of a file, which has to stay in the folder that it is relative to."""
    if path.startswith(("/", "~")) or "\\" in path or ".." in path.split("/"):
        raise ValueError(f"{path} leaves the stub's folder")
    return path


Whole = Annotated[int, Field(strict=True, ge=-(2**63), le=2**64)]
Number = Whole | StrictFloat | StrictBool
Text = Annotated[str, Field(min_length=1)]
File = Annotated[Text, AfterValidator(inside)]
KINDS = ("rule", "task", "leak", "seeds", "rival", "report")  # of deliberate faults


class CatalogueError(Exception):
    """Something in the tree is not as it should be; the message is one line and says what to do."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Claim(Strict):
    """One sentence as a test of one metric, on each recorded seed or on the mean over them."""

    says: Text
    metric: Text
    source: Annotated[Literal["run", "study"], Field(alias="from")] = "run"
    level: Literal["paper", "trend", "extra"]
    paper: Text
    op: Literal[">=", "<=", ">", "<", "=="] | None = None
    threshold: Number | None = None
    within: tuple[Number, Number] | None = None
    why: Text | None = None  # the reason of the band
    seeds: Annotated[float, Field(gt=0, le=1)] | None = None  # share of the seeds in which it holds
    over: Literal["mean"] | None = None
    beyond: Number | None = None  # with the mean: its whole interval lies on the right side of this

    @model_validator(mode="after")
    def fits_together(self):
        if (self.within is None) != (self.op is not None and self.threshold is not None):
            raise ValueError(f"{self.metric} needs op and threshold, or within = [low, high]")
        if self.within and (self.within[0] > self.within[1] or self.why is None):
            raise ValueError(f"{self.metric}: within = [low, high] needs low <= high and a why")
        if self.over and self.seeds:
            raise ValueError(
                f"{self.metric} is judged over the mean or in a share of seeds, not both"
            )
        if self.beyond is not None and not (self.over and self.op in (">", ">=", "<", "<=")):
            raise ValueError(f"{self.metric}: beyond needs over = 'mean' and a one-sided op")
        return self


class Picture(Strict):
    file: File
    caption: Text


class Thumbnail(Strict):
    """The crop of a picture that stands for the stub: left, top, right, bottom in pixels."""

    file: File
    box: tuple[int, int, int, int]


class Curve(Strict):
    """What the axes of a stub's learning curve mean, in words with units."""

    x: Text
    y: Text


class Card(Strict):
    title: Text
    short: Annotated[Text, Field(max_length=24)]
    summary: Text
    keywords: Annotated[list[Text], Field(min_length=1)]
    paper: Annotated[list[Text], Field(min_length=1)]
    year: Annotated[int, Field(ge=1950, le=2100)]
    era: Text
    thread: Literal[tuple(THREADS)]
    data: Text
    thumb: Thumbnail
    curve: Curve | None = None  # of a stub whose run returns one
    claims: list[Claim]
    pictures: list[Picture]


class Fault(Strict):
    """A deliberate fault: a text that stands once in a program, and what replaces it."""

    name: Text
    kind: Literal[KINDS]
    find: Text
    replace: str
    file: File | None = None  # the experiment where it is not said


class Faults(Strict):
    """A mutants.toml, with the reason of each kind that cannot apply."""

    mutant: Annotated[list[Fault], Field(min_length=1)]
    absent: dict[Literal[KINDS], Text] = {}


def one_line(error):
    """An error as one line; of a validation its first complaint, with the key it is about."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        return f"{'.'.join(map(str, first['loc'])) or 'file'}: {message}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def shown(path):
    """A file of a stub as people call it: folder/name."""
    return f"{path.parent.name}/{path.name}"
