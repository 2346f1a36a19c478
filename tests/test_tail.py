"""The tail that ends every experiment, tried on a tiny program made of the text in SPEC.md."""

import ast
import importlib.util
import io
import json
import sys

import numpy as np
import pytest
from conftest import TWO_THREADS, Ended, call, python

from tools.contract import canonical

PROGRAM = '''"""A tiny program: 5 % science, für alle."""

import os
import sys
from dataclasses import dataclass
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    steps: Annotated[int, "gradient steps", (1, 100)] = 10
    rate: Annotated[float, "step size", (0.0, 1.0)] = 0.5
    unit: Annotated[str, "kind of unit", ("fast", "slow")] = "fast"
    noisy: Annotated[bool, "with noise"] = False
    lags: Annotated[tuple[int, ...], "time lags in steps", (1, 9)] = (1, 2)

    def __post_init__(self):
        if self.steps == 13:
            raise ValueError("13 steps\\nbring no luck")


QUICK = {"steps": 2}


def run(config, seed, progress):
    progress(0.5, "half way")
    return {"net": {"error": 0.25, "solved": None}, "seed": seed, "steps": config.steps}


'''
STUDY = '''"""Its study."""

import sys
from dataclasses import dataclass
from typing import Annotated

import tiny


@dataclass(frozen=True)
class Config:
    sizes: Annotated[int, "sizes to try", (1, 9)] = 3


QUICK = {"sizes": 1}


def run(config, seed, progress):
    return {"sizes": config.sizes, "losses": [0.5, 0.25]}


if __name__ == "__main__":
    tiny.main(sys.modules[__name__])
'''
CLAIM = {"says": "It works", "metric": "net.error", "level": "paper", "paper": "0.3"}
LOW = CLAIM | {"op": "<=", "threshold": 0.3}


@pytest.fixture
def tiny(tmp_path):
    """The program as a module in a folder of its own. Call it as `tiny("--seed", "1")`."""
    file = tmp_path / "tiny.py"
    file.write_text(PROGRAM + canonical("tail"), "utf-8")
    spec = importlib.util.spec_from_file_location("tiny", file)
    module = sys.modules["tiny"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def tiny(*words):
        return call(module.main, module, list(map(str, words)))

    tiny.file, tiny.module, tiny.record = file, module, tmp_path / "record.json"
    yield tiny
    del sys.modules["tiny"]


def returning(tiny, **metrics):
    """Let the program's run return these metrics."""
    tiny.module.run = lambda config, seed, progress: metrics


def raising(tiny, error):
    """Let the program's run raise this error."""

    def run(config, seed, progress):
        raise error

    tiny.module.run = run


def card(tiny, *claims):
    """Put a card with these claims beside the program."""
    lines = []
    for claim in claims:
        pairs = [f"{name} = {json.dumps(value)}" for name, value in claim.items()]
        lines += ["[[claims]]", *pairs]
    text = "\n".join(lines) if claims else "claims = []"
    tiny.file.with_name("card.toml").write_text(f"{text}\n", "utf-8")


def recorded(tiny):
    return json.loads(tiny.record.read_text("utf-8"))


def one_line(done, code, *words):
    """Whether a program ended with this code and one line of at most 400 letters."""
    assert done.code == code, done
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert len(done.err) <= 400
    assert done.err.rstrip("\n").isprintable()
    for word in words:
        assert word in done.err, done.err


# ---- metrics ----
def test_tables_are_flattened_and_numbers_are_plain(tiny):
    table = {"net": {"error": np.float32(0.25), "tries": np.int64(3), "solved": np.bool_(True)}}
    returning(tiny, **table, gap=None, deep={"a": {"b": 1}}, curve={"x": [0, 1], "y": [2.5, 1.0]})
    assert tiny("--json", tiny.record).code == 0
    assert recorded(tiny)["metrics"] == {
        "net.error": 0.25,
        "net.tries": 3,
        "net.solved": True,
        "gap": None,
        "deep.a.b": 1,
        "curve.x": [0, 1],
        "curve.y": [2.5, 1.0],
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, np.float32("nan"), [1.0, -np.inf]], ids=str)
def test_a_metric_that_is_no_number_is_named(tiny, value):
    returning(tiny, net={"error": value})
    one_line(tiny("--json", tiny.record), 1, "net.error")
    assert not tiny.record.exists()


def test_all_prints_every_number(tiny):
    card(tiny, LOW)
    returning(tiny, net={"error": 0.123456, "solved": None}, other=7, curve={"x": [1], "y": [2]})
    printed = tiny("--quick", "--all").out
    for line in ("  net.error   0.12346", "  net.solved  none", "  other       7"):
        assert line in printed.splitlines()
    assert "curve" not in printed
    assert "other" not in tiny("--quick").out


# ---- claims ----
@pytest.mark.parametrize(
    ("test", "passing", "failing"),
    [
        ({"op": ">=", "threshold": 0.5}, 0.5, 0.49),
        ({"op": "<=", "threshold": 0.5}, 0.5, 0.51),
        ({"op": ">", "threshold": 0.5}, 0.51, 0.5),
        ({"op": "<", "threshold": 0.5}, 0.49, 0.5),
        ({"op": "==", "threshold": 4}, 4, 5),
        ({"within": [1, 3], "why": "so"}, 1, 0.99),
        ({"within": [1, 3], "why": "so", "over": "mean"}, 3, 3.01),
        ({"op": ">", "threshold": 1, "over": "mean", "beyond": 0}, 1.5, 0.5),
    ],
)
def test_a_claim_holds_or_fails(tiny, test, passing, failing):
    card(tiny, CLAIM | test)
    for value, word in ((passing, "holds"), (failing, "fails"), (None, "fails")):
        returning(tiny, net={"error": value})
        lines = tiny().out.splitlines()
        assert f"{word}  It works" in lines
        assert lines[-1].endswith(f"; {int(word == 'holds')} of 1 claims hold")


@pytest.mark.parametrize(
    ("failing", "verdict"),
    [
        ((), "reproduces"),
        (("extra",), "reproduces"),
        (("paper",), "partial"),
        (("paper", "extra"), "partial"),
        (("trend",), "does not reproduce"),
        (("trend", "paper"), "does not reproduce"),
    ],
    ids=str,
)
def test_the_verdict_follows_from_the_levels(tiny, failing, verdict):
    levels = ("paper", "trend", "extra")
    card(tiny, *(LOW | {"metric": level, "level": level} for level in levels))
    returning(tiny, **{level: float(level in failing) for level in levels})
    last = tiny().out.splitlines()[-1]
    assert last == f"this run: {verdict}; {3 - len(failing)} of 3 claims hold"


def test_the_report_starts_with_the_headline_and_says_what_is_an_extra(tiny):
    extra = LOW | {"says": "It is neat", "level": "extra", "paper": "not in the paper"}
    card(tiny, LOW | {"says": "The headline"}, extra, LOW | {"says": "And this"})
    lines = tiny().out.splitlines()
    said = [line[7:] for line in lines if line.startswith("holds  ")]
    assert said == ["The headline", "It is neat", "And this"]
    assert lines[lines.index("holds  The headline") + 1].endswith("0.25, needed <= 0.3; paper: 0.3")
    assert lines[lines.index("holds  It is neat") + 1].endswith("; an extra, not judged")
    assert "a quick run: no claim is proved" not in lines[1]
    assert "a quick run: no claim is proved" in tiny("--quick").out


def test_without_a_card_every_number_is_printed_and_nothing_is_claimed(tiny):
    printed = tiny().out
    assert "net.error" in printed
    assert "this run" not in printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "claims = 3",
        "claims = ['x']",
        "[[claims",
        "[[claims]]\nsays = 'one'",
        f"[[claims]]\n{'says = metric = level = paper = op'}",
    ],
)
def test_an_unusable_card_is_refused_before_the_run(tiny, text):
    tiny.file.with_name("card.toml").write_text(text, "utf-8")
    raising(tiny, AssertionError("it ran"))
    one_line(tiny(), 2, "card.toml")


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "=>"},
        {"threshold": "0.02"},
        {"within": [1]},
        {"within": ["a", "b"]},
        {"within": 3},
    ],
    ids=str,
)
def test_an_unusable_test_in_the_card_is_refused_before_the_run(tiny, wrong):
    card(tiny, LOW | wrong)
    raising(tiny, AssertionError("it ran"))
    one_line(tiny(), 2, "card.toml")


@pytest.mark.parametrize("metric", ["net.eror", "net", "curve.y"])
def test_a_metric_that_no_claim_can_be_about_costs_no_record(tiny, metric):
    card(tiny, LOW | {"metric": metric})
    returning(tiny, net={"error": 0.25}, curve={"x": [1, 2], "y": [3.0, 4.0]})
    one_line(tiny("--json", tiny.record), 1, "card.toml", metric)
    assert recorded(tiny)["metrics"]["net.error"] == 0.25


# ---- settings ----
def test_settings_of_every_kind_arrive(tiny):
    words = "--steps 7 --rate 0 --unit slow --noisy --lags 3 1 --seed 5".split()
    assert tiny(*words, "--json", tiny.record).code == 0
    record = recorded(tiny)
    config = {"steps": 7, "rate": 0.0, "unit": "slow", "noisy": True, "lags": [3, 1]}
    assert (record["seed"], record["quick"], record["config"]) == (5, False, config)
    assert record["metrics"] == {"net.error": 0.25, "net.solved": None, "seed": 5, "steps": 7}
    assert record["seconds"] >= 0
    assert record["processor_seconds"] > 0


def test_quick_overrides_the_defaults_and_gives_way_to_flags(tiny):
    for words, steps in (((), 10), (("--quick",), 2), (("--quick", "--steps", "5"), 5)):
        assert tiny(*words, "--no-noisy", "--json", tiny.record).code == 0
        assert recorded(tiny)["config"]["steps"] == steps
        assert recorded(tiny)["quick"] == ("--quick" in words)


@pytest.mark.parametrize("flag", ["--seed", "--lags", "--steps", "--unit", "--json"])
def test_two_dashes_are_no_value(tiny, flag):
    raising(tiny, AssertionError("it ran"))
    one_line(tiny(f"{flag}=--"), 2, flag)


@pytest.mark.parametrize(
    "word",
    [
        "--steps=0",
        "--steps=101",
        "--steps=2.5",
        "--rate=nan",
        "--rate=1.01",
        "--unit=Fast",
        "--noisy=yes",
        "--lags=10",
        "--seed=4294967296",
        "--no-such-flag",
        "word",
    ],
)
def test_unusable_words_are_refused_in_one_line(tiny, word):
    raising(tiny, AssertionError("it ran"))
    one_line(tiny(word), 2, word.partition("=")[0])


def test_settings_that_do_not_fit_together_are_refused(tiny):
    raising(tiny, AssertionError("it ran"))
    one_line(tiny("--steps", 13), 2, "bring no luck")


def test_help_shows_settings_with_unit_range_and_default(tiny):
    shown = " ".join(tiny("--help").out.split())
    assert "5 % science" in shown
    for text in (
        "gradient steps, int in [1, 100]; default 10",
        "step size, float in [0.0, 1.0]; default 0.5",
        "kind of unit, fast or slow; default fast",
        "with noise; default False",
        "time lags in steps, int in [1, 9]; default (1, 2)",
        "seed of every random number, int in [0, 4294967295]; default 0",
    ):
        assert text in shown


# ---- messages ----
@pytest.mark.parametrize("message", ["loss is nan\nat step 3\r\x1b[31m", "x" * 5000, "für \u2028"])
def test_whatever_stops_a_run_is_one_bounded_line(tiny, message):
    for error in (FloatingPointError, MemoryError, OSError):
        raising(tiny, error(message))
        one_line(tiny(), 1, "tiny.py", message[:1])


@pytest.mark.parametrize("word", ["a\nb", "x" * 5000, "\x1b[31m"])
def test_whatever_is_refused_is_one_bounded_line(tiny, word):
    raising(tiny, AssertionError("it ran"))
    for flag in ("--steps", "--unit", "--no-such-flag"):
        one_line(tiny(f"{flag}={word}"), 2, flag)
    one_line(tiny(f"--json=no-such-folder/{word}"), 2, "no-such-folder")


def test_a_metric_that_has_a_long_name_is_one_bounded_line(tiny):
    returning(tiny, **{"a\nb" * 2000: float("nan")})
    one_line(tiny(), 1, "metric a")


# ---- records ----
def test_a_terminal_without_umlauts_costs_no_record(tiny):
    card(tiny, LOW | {"says": "906 ± 21"})
    script = ("-X", "utf8=0", tiny.file, "--json", tiny.record)
    done = python(*script, cwd=tiny.file.parent, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "holds  906 ? 21" in done.stdout
    assert recorded(tiny)["metrics"]["net.error"] == 0.25


def test_a_terminal_without_umlauts_shows_the_help(tiny):
    done = python(tiny.file, "--help", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "f?r alle" in done.stdout


@pytest.mark.parametrize("file", ["/dev/null", "", "no/such/folder.json", "tiny.py/file.json"])
def test_where_no_record_can_be_kept_the_run_is_refused(tiny, file):
    raising(tiny, AssertionError("it ran"))
    one_line(tiny("--json", tiny.file.parent / file), 2, "--json")


def test_a_file_name_that_is_too_long_is_refused(tiny):
    raising(tiny, AssertionError("it ran"))
    one_line(tiny("--json", tiny.file.with_name("x" * 300)), 2, "too long")


@pytest.mark.parametrize("error", [FloatingPointError("late"), KeyboardInterrupt(), ValueError()])
def test_a_run_that_ends_early_leaves_the_old_record(tiny, error):
    tiny.record.write_text("old")
    before = sorted(tiny.file.parent.iterdir())
    raising(tiny, error)
    if isinstance(error, ValueError):  # a fault of the program: it shows where
        with pytest.raises(ValueError):
            tiny("--json", tiny.record)
    else:
        done = tiny("--json", tiny.record)
        assert done.code == (1 if isinstance(error, FloatingPointError) else 130)
        assert "Traceback" not in done.err
    assert tiny.record.read_text() == "old"
    assert sorted(tiny.file.parent.iterdir()) == before


def test_a_full_disk_leaves_the_old_record(tiny, monkeypatch):
    tiny.record.write_text("old")
    before = sorted(tiny.file.parent.iterdir())

    def full(self, *arguments):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny.module.pathlib.Path, "write_text", full)
    returning(tiny, steps=1)
    one_line(tiny("--json", tiny.record), 1, "No space left")
    assert tiny.record.read_text() == "old"
    assert sorted(tiny.file.parent.iterdir()) == before


def test_a_record_replaces_the_old_one(tiny):
    tiny.record.write_text("old")
    assert tiny("--json", tiny.record, "--seed", 3).code == 0
    assert recorded(tiny)["seed"] == 3
    assert not list(tiny.file.parent.glob("*.part"))


# ---- the study ----
def test_a_study_calls_main_with_itself(tiny):
    study = tiny.file.with_name("study_tiny.py")
    study.write_text(STUDY, "utf-8")
    of_study = {"metric": "sizes", "from": "study", "op": "==", "threshold": 2}
    card(tiny, LOW | {"says": "Of the run"}, LOW | {"says": "Of the study"} | of_study)
    flags = ("--sizes", 2, "--json", tiny.record)
    done = python(study, *flags, cwd=tiny.file.parent, env=TWO_THREADS)
    assert done.returncode == 0, done.stderr
    assert "study_tiny, seed 0" in done.stdout
    assert "holds  Of the study" in done.stdout
    assert "Of the run" not in done.stdout
    assert done.stdout.endswith("this run: reproduces; 1 of 1 claims hold\n")
    assert recorded(tiny)["metrics"] == {"sizes": 2, "losses": [0.5, 0.25]}
    assert "--sizes" in python(study, "--help").stdout
    assert "Of the study" not in tiny().out


# ---- progress ----
class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(tiny, monkeypatch):
    """The time in seconds as the tail sees it, in a list."""
    now = [1000.0]
    monkeypatch.setattr(tiny.module.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "60")
    return now


def shown(tiny, clock, stream, monkeypatch, *messages, pause):
    """What the progress of a run writes to a stream, a message after each pause."""
    monkeypatch.setattr(sys, "stderr", stream)
    progress = tiny.module.progress_on_stderr(1000.0)
    for i, message in enumerate(messages):
        progress(i / 10, message)
        clock[0] += pause
    return stream.getvalue()


def test_progress_is_a_line_each_ten_seconds(tiny, clock, monkeypatch):
    words = ("first", "second", "third", "fourth")
    text = shown(tiny, clock, io.StringIO(), monkeypatch, *words, pause=5)
    assert text == "  0%    0 s  first\n 20%   10 s  third\n"


def test_progress_on_a_terminal_is_one_live_line(tiny, clock, monkeypatch):
    text = shown(tiny, clock, Terminal(), monkeypatch, "first", "second", pause=0.2)
    assert text == "\r\033[K  0%    0 s  first\r\033[K 10%    0 s  second"


@pytest.mark.parametrize("message", ["x" * 5000, "one\ntwo"])
def test_progress_fits_a_line(tiny, clock, monkeypatch, message):
    text = shown(tiny, clock, io.StringIO(), monkeypatch, message, pause=1)
    assert text.count("\n") == 1
    assert len(text) <= 60


def test_the_report_does_not_hang_on_the_live_line(tiny, clock, monkeypatch):
    assert isinstance(tiny(), Ended)
    assert tiny().out.startswith("\ntiny, seed 0, ")


# ---- its size ----
def test_the_tail_is_short_and_so_are_its_functions():
    tail = canonical("tail")
    assert len(tail.splitlines()) <= 170
    for node in ast.walk(ast.parse(tail)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 50, node.name
