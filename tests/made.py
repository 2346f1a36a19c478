"""Made-up stubs for the tests of the tools: cards and records that no run has made."""

import json

from tools.catalogue import Stub

SCRIPT = '''"""A made-up experiment."""
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Config:
    hidden_units: Annotated[int, "units | cells of the hidden layer", (1, 10**4)] = 8
    rate: Annotated[float, "learning rate", (1e-6, 0.5)] = 0.003
    bias: Annotated[bool, "whether units have a bias"] = True
    rule: Annotated[str, "learning rule", ("hebb", "oja")] = "oja"
    sizes: Annotated[tuple[int, ...], "layer sizes", (1, 99)] = (3, 4)
'''
README = """# A problem

<!-- head:begin -->
<!-- head:end -->

![moving](NAME.gif)

## Running

<!-- hyperparameters:begin -->
<!-- hyperparameters:end -->

## Results

<!-- results:begin -->
<!-- results:end -->

By hand.

## Visualizations

![a](viz/a.png)
"""
CARD = {
    "title": "A problem",
    "short": "Problem",
    "summary": "It learns [something].",
    "keywords": ["LSTM"],
    "paper": ["A. Uthor. Paper 7(2), 1990."],
    "year": 1990,
    "era": "1989-1992",
    "thread": "search",
    "data": "generated",
}
ERROR = {
    "says": "test error",
    "metric": "net.error",
    "level": "paper",
    "paper": "0.4 | ten runs",
    "op": "<=",
    "threshold": 0.5,
    "seeds": 0.8,
}
GAIN = {
    "says": "gain over B",
    "metric": "net.gain",
    "level": "trend",
    "paper": "A beats B",
    "over": "mean",
    "op": ">",
    "threshold": 0,
    "beyond": 0,
}


def toml(value):
    """A value as TOML; strings, numbers and lists of them read the same in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + "}"
    return json.dumps(value)


def card(name="toy", claims=(ERROR, GAIN), **changes):
    """The text of a card; a change to None leaves a key out."""
    fields = CARD | {"thumb": {"file": "viz/a.png", "box": [0, 0, 160, 100]}} | changes
    lines = [f"{key} = {toml(value)}" for key, value in fields.items() if value is not None]
    pictures = [{"file": f"{name}.gif", "caption": "It moves."}]
    pictures += [{"file": "viz/a.png", "caption": "First. Second."}]
    lines += [] if claims else ["claims = []"]
    for heading, items in (("claims", claims), ("pictures", pictures)):
        for item in items:
            lines += [f"[[{heading}]]", *(f"{key} = {toml(v)}" for key, v in item.items())]
    return "\n".join(lines) + "\n"


def one(seed, metrics, code, **changes):
    """One record of a run, as it stands in a file."""
    common = {
        "seconds": 20.0 + seed,
        "processor_seconds": 10.0 + seed,
        "peak_memory_mb": 60.5,
        "machine": "A machine, 2 cores",
        "versions": {"python": "3.11.2", "numpy": "2.1.0"},
    }
    config = {"hidden_units": 8, "rate": 0.003}
    return {"seed": seed, "code": code, "config": config, "metrics": metrics, **common, **changes}


def file_of(program, metrics, failed=()):
    """What a record file of today's code holds, as a dict."""
    return {
        "slug": program.stub.slug,
        "program": program.kind,
        "code": program.code_hash,
        "records": [one(seed, table, program.code_hash) for seed, table in enumerate(metrics)],
        "failed": [{"seed": seed, "why": why} for seed, why in failed],
    }


def save(program, content):
    program.file.write_text(json.dumps(content), "utf-8")


def stub(root, slug="toy", metrics=None, failed=(), study=None, claims=(ERROR, GAIN), **changes):
    """A stub with a record for each table of metrics, of the experiment and of the study."""
    name = slug.replace("-", "_")
    folder = root / slug
    (folder / "viz").mkdir(parents=True)
    (folder / f"{name}.py").write_text(SCRIPT)
    (folder / "README.md").write_text(README.replace("NAME", name))
    (folder / "card.toml").write_text(card(name, claims, **changes), "utf-8")
    if study is not None:
        (folder / f"study_{name}.py").write_text(f"import {name}\n")
    made = Stub(folder)
    if metrics is not None or failed:
        save(made.run, file_of(made.run, metrics or [], failed))
    if study:
        save(made.study, file_of(made.study, study))
    return Stub(folder)


def nets(errors, gains=(1.0, 2.0)):
    """A table of metrics for each error; the gains take turns."""
    return [
        {
            "net.error": error,
            "net.gain": gains[seed % len(gains)],
            "net.steps": 1000 + seed,
            "curve.x": [0, 10],
            "curve.y": [1.5, 2.5],
        }
        for seed, error in enumerate(errors)
    ]
