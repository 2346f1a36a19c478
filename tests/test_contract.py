"""One suite for every stub in the tree: what SPEC.md promises, tried out."""

import re
import resource
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path

import numpy as np
import pytest
from conftest import call, load, python, run_away
from picture_lint import lint
from PIL import Image

from tools import contract
from tools.catalogue import ROOT, stubs
from tools.records import TIMING

STUBS = stubs()
INTERRUPTED = ("nbb-xor", "rs-parity")  # the tail is the same in all
QUICK_SECONDS = 5  # of processor time
PATIENCE = 20  # seconds for a legal setting that makes a quick run long
ENOUGH_MEMORY = 3 * 2**30
HEEDING = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process would ignore it
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def over(stubs):
    return pytest.mark.parametrize("stub", stubs, ids=lambda stub: stub.slug)


every_stub = over(STUBS)


def settings(program):
    """Config's fields as [(name, kind, whether it is a tuple, legal range or choices)]."""
    hints = typing.get_type_hints(load(program).Config, include_extras=True)
    for name, hint in hints.items():
        kinds = typing.get_args(hint.__origin__)
        legal = hint.__metadata__[1] if len(hint.__metadata__) > 1 else (False, True)
        yield name, (kinds or [hint.__origin__])[0], bool(kinds), legal


def flag(name):
    return f"--{name.replace('_', '-')}"


def ended(program, *words):
    """How a program ends with these arguments, without a process of its own."""
    return call(load(program.stub.run).main, load(program), [str(word) for word in words])


def replaced(monkeypatch, program, run):
    """Put another run(config, seed, progress) into a program."""
    monkeypatch.setattr(load(program), "run", run)


def test_there_are_stubs():
    assert STUBS


@pytest.mark.parametrize("rule", contract.RULES)
@every_stub
def test_rule(stub, rule):
    findings = contract.apply(rule, stub)
    assert not findings, "\n".join(map(str, findings))


# ---- the command line, in this process ----
@every_stub
def test_help_shows_every_setting(stub):
    for program in stub.programs:
        shown = ended(program, "--help")
        assert shown.code == 0, shown.err
        text = " ".join(shown.out.partition("options:")[2].split())
        for name, kind, _, legal in settings(program):
            entry = re.search(rf"{flag(name)}\b.*?default (.*?)(?= --|$)", text)
            assert entry, f"{flag(name)} is not in --help, or without its default"
            default = str(getattr(load(program).Config, name))
            assert entry[1].replace(" ", "") == default.replace(" ", ""), entry[0]
            assert kind is bool or str(legal[0]) in entry[0]


def unusable(kind, many, legal):
    """Words that a setting refuses."""
    if kind is bool:
        return ["perhaps"]
    if kind is str:
        return ["no-such-choice"]
    low, high = legal
    words = ["word", "nan", kind(low - abs(low) - 1), kind(high + abs(high) + 1)]
    return [*words, "--"] if many else words


@every_stub
def test_bad_arguments_end_with_2_and_one_line(stub, monkeypatch, tmp_path):
    for program in stub.programs:
        replaced(monkeypatch, program, lambda *_: pytest.fail("the run was started"))
        wrong = [("seed", word, "") for word in ("-1", "one", "--")]
        wrong += [("no_such_flag", "1", ""), ("json", tmp_path, ""), ("json", "no/such/file", "")]
        for name, kind, many, legal in settings(program):
            span = str(list(legal)) if kind in (int, float) else ""
            wrong += [(name, word, span) for word in unusable(kind, many, legal)]
        for name, word, span in wrong:
            done = ended(program, f"{flag(name)}={word}")
            assert (done.code, done.out) == (2, ""), f"{flag(name)}={word}: {done}"
            assert len(done.err.splitlines()) == 1, done.err
            assert flag(name) in done.err
            assert span in done.err or word == "--", "the legal range is not named"


@every_stub
def test_divergence_ends_with_1_and_says_where(stub, monkeypatch):
    def raises(config, seed, progress):
        raise FloatingPointError("loss is nan at step 12")

    def returns_nan(config, seed, progress):
        return {"net": {"error": float("nan")}}

    for program in stub.programs:
        for run, text in ((raises, "loss is nan at step 12"), (returns_nan, "net.error is nan")):
            replaced(monkeypatch, program, run)
            done = ended(program)
            assert (done.code, done.out) == (1, "")
            assert text in done.err
            assert len(done.err.splitlines()) == 1, done.err


# ---- quick runs, each made once ----
def numbers(done):
    """The metrics of a run without its timings."""
    assert done.code == 0, done.err
    return {name: v for name, v in done.record["metrics"].items() if not name.endswith(TIMING)}


@every_stub
def test_quick_run_repeats_bit_for_bit(stub, quick):
    """Also from a copied-out folder, with another hash seed, and when the user asks for threads."""
    here, away = quick(stub.run), quick(stub.run, how=run_away)
    assert numbers(here) == numbers(away), "the same seed gave other numbers"
    assert here.record["config"] == away.record["config"]
    assert numbers(here) != numbers(quick(stub.run, seed=1)), "another seed gave the same numbers"


@every_stub
def test_quick_run_is_short(stub, quick):
    for program in stub.programs:
        runs = [quick(program)]
        runs += [quick(program, seed=1)] if program.kind == "run" else []
        for run in runs:
            assert run.code == 0, run.err
            assert "Warning" not in run.err, run.err
        seconds = min(run.record["processor_seconds"] for run in runs)
        assert seconds < QUICK_SECONDS, f"{program.script.name} took {seconds:.1f} s"


@every_stub
def test_runs_alone_with_numpy_only(stub, quick):
    done = quick(stub.run, how=run_away)
    assert done.code == 0, done.err
    assert "holds" not in done.out  # no card beside it: no claims, and no complaint


@every_stub
def test_report_states_every_claim(stub, quick, monkeypatch):
    for program in stub.programs:
        claims = [claim for claim in stub.card.claims if claim.source == program.kind]
        done = quick(program)
        assert done.code == 0, done.err
        for claim in claims:
            assert re.search(rf"^(holds|fails)  {re.escape(claim.says)}$", done.out, re.M)
        last = done.out.splitlines()[-1]
        assert not claims or re.match(r"this run: .*; \d+ of \d+ claims hold$", last), last


@every_stub
def test_all_prints_every_metric(stub, quick, monkeypatch):
    for program in stub.programs:
        metrics = quick(program).record["metrics"]
        replaced(monkeypatch, program, lambda *_, metrics=metrics: metrics)
        printed = ended(program, "--all").out
        for name in [name for name, value in metrics.items() if not isinstance(value, list)]:
            assert re.search(rf"^  {re.escape(name)}\s", printed, re.M), f"{name} is not printed"


# ---- processes of their own, for a few ----
@over([stub for stub in STUBS if stub.slug in INTERRUPTED])
def test_ctrl_c_ends_with_130_and_no_traceback(stub):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "-c", HEEDING, stub.script], **pipes)
    first = child.stderr.readline()  # the first line of progress: training is under way
    assert re.match(r"\s*\d+%", first), first
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in out + err


def header(stub):
    return stub.run.source.partition('"""')[0]


@over(list({header(stub): stub for stub in reversed(STUBS)}.values()))
def test_runs_under_uv(stub, tmp_path):
    """For one stub of each header."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("no uv beside this Python")
    command = [uv, "run", "--quiet", "--no-project", stub.script, "--help"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    if re.search("Failed to fetch|dns error|Could not connect|error sending request", done.stderr):
        pytest.skip("uv reaches no package index")
    assert done.returncode == 0, done.stderr
    assert "--seed" in done.stdout


# ---- pictures, drawn once ----
@every_stub
def test_pictures_are_as_the_card_lists_them_and_legible(stub, tmp_path):
    findings = lint(stub, tmp_path, quick=True)
    for picture in stub.card.pictures:
        assert (tmp_path / picture.file).is_file(), f"{picture.file} was not drawn"
        with Image.open(tmp_path / picture.file) as image:
            assert np.asarray(image.convert("L"), float).std() > 2, f"{picture.file} is blank"
    assert not findings, "\n".join(findings)


# ---- on demand: make ends ----
def limited():
    resource.setrlimit(resource.RLIMIT_AS, (ENOUGH_MEMORY, ENOUGH_MEMORY))


def ends(program):
    """The flags that put each setting at each of its ends."""
    for name, kind, many, legal in settings(program):
        default = getattr(load(program).Config, name)
        for end in legal:
            if kind is bool:
                yield [flag(name) if end else flag(f"no_{name}")]
            else:
                yield [flag(name), *[str(end)] * (len(default) if many else 1)]


@pytest.mark.ends
@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.slug)
def test_each_end_of_each_setting(stub):
    """It runs, or says in one line why not; one that takes long is left."""
    wrong = []
    for program in stub.programs:
        for words in ends(program):
            limits = {"timeout": PATIENCE, "preexec_fn": limited}
            try:
                done = python(program.script, "--quick", *words, **limits)
            except subprocess.TimeoutExpired:
                continue
            lines = [line for line in done.stderr.splitlines() if not re.match(r"\s*\d+% ", line)]
            if done.returncode not in (0, 1, 2) or len(lines) > bool(done.returncode):
                wrong.append(f"{program.script.name} {' '.join(words)}: {lines[-1:]}")
    assert not wrong, "\n".join(wrong)


# ---- the contract itself ----
def test_every_rule_of_the_spec_names_a_test_that_exists():
    text = (ROOT / "SPEC.md").read_text("utf-8")
    table = text.partition("## The rules")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*) \| (.*) \|$", table, re.M)[1:]
    assert len(rows) >= 15
    for rule, guards in rows:
        named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`(?: (\w+))?", guards)
        assert named, f"no test guards: {rule}"
        for file, function, parameter in named:
            source = (ROOT / "tests" / file).read_text("utf-8")
            assert not function or f"def {function}(" in source, f"{file} has no {function}"
            assert not parameter or parameter in (*contract.RULES, "and"), f"no rule {parameter}"
