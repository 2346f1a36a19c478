"""Record files, and the hash of the code that made them."""

import ast
import json
import os
import shutil
import subprocess
from inspect import getsource
from pathlib import Path

import made
import pytest

from tools import records
from tools.schema import CatalogueError

CODE = '''"""What it does."""
import os

os.environ.update(OMP_NUM_THREADS="1")  # small matrices
X = 1  # a comment


def run(config, seed, progress):
    """Explain."""
    return {"a": f"{X:>{9}}" "b" f"{X!r}"}


class Config:
    """Explain."""

    def name(self):
        """Explain."""
        return "c" "d"


# ---- tail: one
print("tail")
'''
HASH = "64fea39214fe745281676ebc0c9b8f2299c6b674202a6a636bf9bb69c500de93"


# ---- the hash ----
@pytest.mark.parametrize(
    "old, new",
    [
        ("# a comment", "# another"),
        ('"""Explain."""', '"""Say."""'),
        ('"""What it does."""\n', ""),
        ("X = 1  #", "X = (\n    1\n)  #"),
        ('print("tail")', "other"),
        ('os.environ.update(OMP_NUM_THREADS="1")', 'os.environ.setdefault("MKL_NUM_THREADS", "1")'),
        ('os.environ.update(OMP_NUM_THREADS="1")', ""),
        ('"c" "d"', '"cd"'),
    ],
)
def test_the_hash_does_not_see(old, new):
    assert old in CODE
    assert records.code_hash(CODE.replace(old, new)) == records.code_hash(CODE)


@pytest.mark.parametrize(
    "old, new",
    [
        ("X = 1", "X = 2"),
        ("X = 1", "X = 1.0"),
        ("X = 1", "X = True"),
        ('{"a"', '{"A"'),
        (">{9}", "<{9}"),
        (">{9}", ">{8}"),
        ("!r", "!s"),
        ('"c" "d"', '"c", "d"'),
        ("import os\n", "import os\nimport sys\n"),
        ("return {", 'os.environ.update(A="b")\n    return {'),
    ],
)
def test_the_hash_sees(old, new):
    assert old in CODE
    assert records.code_hash(CODE.replace(old, new)) != records.code_hash(CODE)


def test_the_hash_of_two_sources_depends_on_both():
    hashes = {records.code_hash(*sources) for sources in (["x"], ["x", "y"], ["y", "x"], ["xy"])}
    assert len(hashes) == 4


def test_the_hash_is_the_same_under_every_python():
    """The CI runs this under 3.11, 3.12 and 3.13."""
    assert records.code_hash(CODE) == HASH


def other_pythons():
    """Whatever other Pythons this machine has, of 3.11 and later."""
    found = [*Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python")]
    found += filter(None, (shutil.which(f"python3.{minor}") for minor in range(11, 16)))
    return [python for python in found if "shims" not in str(python)]


@pytest.mark.skipif(not other_pythons(), reason="no other Python is on this machine")
def test_the_hash_is_the_same_under_the_other_pythons_of_this_machine():
    functions = (records.code_hash, records.sets_environment, records.written_out, records.merged)
    head = f"import ast, hashlib, sys\nTAIL_MARK = {records.TAIL_MARK!r}\n"
    program = head + "".join(map(getsource, functions)) + "print(code_hash(sys.stdin.read()))"
    for other in other_pythons():
        command = [other, "-I", "-S", "-c", program]
        done = subprocess.run(command, input=CODE, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == HASH, (other, done.stderr)


def test_a_syntax_tree_is_written_out_without_what_versions_add():
    tree = ast.parse("def f(self, x=None, *a):\n    return f'{x!r:>3}' 'b', [], lambda: ...")
    assert records.written_out(tree) == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='self'), arg(arg='x')], "
        "vararg=arg(arg='a'), defaults=[Constant()]), body=[Return(value=Tuple(elts=[JoinedStr("
        "values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=114, "
        "format_spec=JoinedStr(values=[Constant(value='>3')])), Constant(value='b')]), "
        "List(ctx=Load()), Lambda(args=arguments(), body=Constant(value=Ellipsis))], "
        "ctx=Load()))])])"
    )


# ---- files ----
@pytest.fixture
def run(tmp_path):
    """A program with three records."""
    return made.stub(tmp_path, metrics=made.nets([0.1, 0.2, 0.3])).run


def refused(program):
    """The one line with which a record file is refused."""
    with pytest.raises(CatalogueError) as caught:
        records.read(program.file)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("toy/results.json is unusable: ")
    return line


def test_a_file_is_read_as_it_was_written(run):
    before = run.file.read_text()
    assert [record.seed for record in run.results.records] == [0, 1, 2]
    assert [record.processor_seconds for record in run.results.records] == [10, 11, 12]
    assert run.results.records[0].curve == ([0, 10], [1.5, 2.5])
    records.write(run.file, run.results)
    assert records.read(run.file) == run.results
    assert json.loads(run.file.read_text())["records"] == json.loads(before)["records"]


def spoil(program, change):
    """Change the content of a record file by a function of its dict."""
    content = json.loads(program.file.read_text())
    change(content)
    made.save(program, content)


def test_one_record_pasted_thirty_times(run):
    spoil(run, lambda content: content.update(records=content["records"][:1] * 30))
    assert "seed 0 stands in it more than once" in refused(run)


def test_a_seed_that_is_recorded_and_failed(run):
    spoil(run, lambda content: content["failed"].append({"seed": 1, "why": "lost"}))
    assert "seed 1 stands in it more than once" in refused(run)


def test_a_record_of_other_code_needs_a_verification(run):
    spoil(run, lambda content: content["records"][1].update(code="older"))
    assert "seed 1 is of other code, and nothing verifies that" in refused(run)
    spoil(run, lambda content: content.update(verified=[{"code": content["code"], "seeds": [0]}]))
    assert records.read(run.file).records[1].code == "older"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, {"a": 1}])
@pytest.mark.parametrize("where", ["metrics", "config"])
def test_values_that_are_no_plain_numbers(run, value, where):
    spoil(run, lambda content: content["records"][1][where].update(odd=value))
    assert f"records.1.{where}.odd" in refused(run)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**400, 1.5, None])
def test_seeds_that_no_run_takes(run, seed):
    spoil(run, lambda content: content["records"][1].update(seed=seed))
    assert "records.1.seed" in refused(run)


@pytest.mark.parametrize(
    "text, says",
    [
        (b"\xef\xbb\xbf{}", "it starts with a byte order mark"),
        (b'{\n<<<<<<< HEAD\n "a": 1\n=======\n', "it holds a merge conflict"),
        (b'{"slug": "toy", "records": [', "Invalid JSON"),
        (b'{"slug": "toy"}', "code: Field required"),
        (b'{"slug": "\xff"}', "utf-8"),
        (b"[]", "should be an object"),
        (b"", "Invalid JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(run, text, says):
    run.file.write_bytes(text)
    line = refused(run)
    assert says in line
    assert "mend it or take it from git; --fresh replaces it" in line


# ---- writing ----
@pytest.mark.parametrize("mode", [0o664, 0o600, 0o640])
def test_a_rewritten_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "results.json"
    path.write_text("old")
    path.chmod(mode)
    before = os.umask(0o077)
    try:
        records.write_text(path, "new")
    finally:
        os.umask(before)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == mode


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text("old")

    def full(self, *_, **__):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(CatalogueError, match="No space left on device; what was there is untouch"):
        records.write_text(path, "new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
