"""One suite for every stub in the tree: what SPEC.md promises, tried out."""
import importlib.util
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path

import numpy as np
import pytest
from conftest import python
from PIL import Image

from tools import contract
from tools.catalogue import ROOT, stubs

STUBS = stubs()
every_stub = pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.slug)
NUMPY_ONLY = """
import runpy, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"numpy", *sys.stdlib_module_names}:
            raise ModuleNotFoundError(f"only numpy is allowed, not {name}")
sys.meta_path.insert(0, Block())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def load(stub):
    """The experiment as a module, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"contract_{stub.name}", stub.script)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings(stub):
    """Config's fields as [(flag, kind, legal range or choices)]."""
    hints = typing.get_type_hints(load(stub).Config, include_extras=True)
    for name, hint in hints.items():
        kind = (typing.get_args(hint.__origin__) or [hint.__origin__])[0]
        yield f"--{name.replace('_', '-')}", kind, *hint.__metadata__[1:]


def test_there_are_stubs():
    assert STUBS


@pytest.mark.parametrize("rule", contract.RULES)
@every_stub
def test_rule(stub, rule):
    findings = contract.apply(rule, stub)
    assert not findings, "\n".join(map(str, findings))


@every_stub
def test_help_shows_every_setting(stub):
    shown = python(stub.script, "--help")
    assert shown.returncode == 0, shown.stderr
    text = " ".join(shown.stdout.partition("options:")[2].split())
    config = load(stub).Config()
    for flag, kind, *legal in settings(stub):
        entry = re.search(rf"{flag}\b.*?default (.*?)(?= --|$)", text)
        assert entry, f"{flag} is not in --help, or without its default"
        value = getattr(config, flag[2:].replace("-", "_"))
        assert entry[1].replace(" ", "") == str(value).replace(" ", ""), f"--help shows another default for {flag}"
        assert kind is bool or str(legal[0][0]) in entry[0]


@every_stub
def test_quick_run_is_short_and_repeats_bit_for_bit(stub, tmp_path):
    metrics, seconds = [], []
    for number, seed in enumerate((0, 0, 1)):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = python(stub.script, "--quick", "--seed", seed, "--json", tmp_path / f"{number}.json")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        recorded = json.loads((tmp_path / f"{number}.json").read_text())["metrics"]
        metrics.append({name: value for name, value in recorded.items() if not name.endswith(contract.TIMING)})
    assert metrics[0] == metrics[1], "the same seed gave other numbers"
    assert metrics[0] != metrics[2], "another seed gave the same numbers"
    assert min(seconds) < 5, f"--quick took {min(seconds):.1f} s of processor time"


@every_stub
def test_report_states_every_metric_and_claim(stub):
    done = python(stub.script, "--quick")
    for claim in stub.card.claims:
        if claim.source == "runs":
            assert re.search(rf"^  {claim.metric}\s", done.stdout, re.M)
            assert re.search(rf"^(holds|fails)  {re.escape(claim.says)}", done.stdout, re.M)


@every_stub
def test_bad_arguments_end_with_2_and_one_line(stub, tmp_path):
    def refused(flag, *words):
        done = python(stub.script, *words, timeout=20)
        assert done.returncode == 2, f"{words} gave exit code {done.returncode}"
        assert done.stdout == ""
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert flag in lines[0]
        return lines[0]

    wrong = {"--seed": ["-1", "one"], "--no-such-flag": ["1"]}
    fields = list(settings(stub))
    numeric = [(flag, legal[0]) for flag, kind, *legal in fields if kind in (int, float)]
    for flag, (low, high) in numeric[:2] + numeric[-1:]:  # the tail treats all alike
        wrong[flag] = ["word", "nan", f"{low - 1}", f"{high + 1}"]
    for flag in [flag for flag, kind, *_ in fields if kind is str][:1]:
        wrong[flag] = ["no-such-choice"]
    for flag, words in wrong.items():
        for word in words:
            line = refused(flag, f"{flag}={word}")
            if flag in dict(numeric):
                assert str(list(dict(numeric)[flag])) in line, "the legal range is not named"
    refused("--json", "--json", tmp_path / "no" / "such" / "folder.json")
    refused("--json", "--json", tmp_path)


@every_stub
def test_ctrl_c_ends_with_130_and_no_traceback(stub):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, stub.script], **pipes)
    first = child.stderr.readline()  # the first line of progress: training is under way
    assert re.match(r"\s*\d+%", first), first
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in out + err


@every_stub
def test_divergence_ends_with_1_and_says_where(stub, monkeypatch, capsys):
    module = load(stub)

    def raises(config, seed, progress=None):
        raise FloatingPointError("loss is nan at step 12")

    def returns_nan(config, seed, progress=None):
        return {"error": float("nan")}

    for broken, text in ((raises, "loss is nan at step 12"), (returns_nan, "metric error is nan")):
        monkeypatch.setattr(module, "run", broken)
        with pytest.raises(SystemExit) as stopped:
            module.main([])
        assert text in str(stopped.value.code)  # a text as exit code goes to stderr and becomes exit code 1
    assert "Traceback" not in capsys.readouterr().err


@every_stub
def test_runs_alone_with_numpy_only(stub, tmp_path):
    shutil.copy(stub.script, tmp_path)
    for data in stub.folder.glob("data"):
        shutil.copytree(data, tmp_path / "data")
    done = python("-I", "-c", NUMPY_ONLY, tmp_path / stub.script.name, "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "holds" not in done.stdout  # no card beside it: no claims, and no complaint


@every_stub
def test_picture_scripts_draw_what_the_card_lists(stub, tmp_path):
    for script in contract.scripts(stub)[1:]:
        done = python(stub.folder / script, "--quick", "--out", tmp_path / "new", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for picture in stub.card.pictures:
        with Image.open(tmp_path / "new" / picture.file) as image:
            assert np.asarray(image.convert("L"), float).std() > 2, f"{picture.file} is blank"


@every_stub
def test_runs_under_uv(stub, tmp_path):
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("no uv beside this Python")
    done = subprocess.run([uv, "run", "--quiet", "--no-project", stub.script, "--help"], cwd=tmp_path, check=False,
                          capture_output=True, text=True)
    if re.search("Failed to fetch|dns error|Could not connect|error sending request", done.stderr):
        pytest.skip("uv reaches no package index")
    assert done.returncode == 0, done.stderr
    assert "--seed" in done.stdout


def test_every_rule_of_the_spec_names_a_test_that_exists():
    text = (ROOT / "SPEC.md").read_text("utf-8")
    rows = re.findall(r"^\| (.*) \| (.*) \|$", text.partition("## The rules")[2].partition("\n## ")[0], re.M)[1:]
    assert len(rows) >= 15
    for rule, guards in rows:
        named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`(?: (\w+))?", guards)
        assert named, f"no test guards: {rule}"
        for file, function, parameter in named:
            source = (ROOT / "tests" / file).read_text("utf-8")
            assert not function or f"def {function}(" in source, f"{file} has no {function}"
            assert not parameter or parameter in (*contract.RULES, "and"), f"no rule {parameter}"


def test_the_tail_is_at_most_70_lines():
    assert len(contract.canonical("tail").splitlines()) <= 70
