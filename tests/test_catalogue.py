"""Cards, records, verdicts and the code's fingerprint."""
import ast
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import catalogue
from tools.catalogue import CatalogueError, Stub

CODE = '''"""What it does."""
X = 1  # a comment


def run(config, seed, progress=None):
    """Explain."""
    return {"a": X}


# ---- tail: one
print("tail")
'''
CLAIM = """
[[claims]]
metric = "a"
op = ">="
threshold = {threshold}
seeds = {seeds}
level = "{level}"
paper = "5"
says = "a is large"
"""
CARD = """title = "T"
summary = "s"
paper = ["P"]
year = 1990
era = "1989-1992"
thread = "search"
data = "generated"
claims = []
pictures = []
"""


def make(folder, values, *claims, failed=()):
    """A stub whose metric a has these values over seeds; claims as (level, threshold, seeds)."""
    folder = folder / "toy"
    folder.mkdir()
    (folder / "toy.py").write_text(CODE)
    text = "".join(CLAIM.format(level=level, threshold=threshold, seeds=seeds) for level, threshold, seeds in claims)
    (folder / "card.toml").write_text((CARD.replace("claims = []\n", "") + text) if claims else CARD)
    records = [{"seed": seed, "config": {}, "metrics": {"a": value}, "seconds": 1.0, "peak_memory_mb": 1.0,
                "machine": "m", "versions": {}} for seed, value in enumerate(values)]
    (folder / "results.json").write_text(json.dumps({
        "slug": "toy", "code": Stub(folder).code, "records": records,
        "failed": [{"seed": seed, "why": "diverged"} for seed in failed]}))
    return Stub(folder)


@pytest.mark.parametrize("held, seeds, low, high", [
    (10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (19, 20, 0.7639, 0.9911)])
def test_wilson_interval_agrees_with_published_values(held, seeds, low, high):
    assert catalogue.wilson(held, seeds) == pytest.approx((low, high), abs=1e-4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_quartiles_are_numpys(numbers):
    assert catalogue.quartiles(sorted(numbers)) == pytest.approx(tuple(np.percentile(numbers, [25, 50, 75])), abs=1e-6)


@pytest.mark.parametrize("paper, trend, verdict", [
    (0, 0, "reproduces"), (9, 0, "partial"), (0, 9, "does not reproduce"), (9, 9, "does not reproduce")])
def test_verdict_follows_from_the_claims(tmp_path, paper, trend, verdict):
    assert make(tmp_path, [5, 6], ("paper", paper, 1), ("trend", trend, 1)).verdict == verdict


@pytest.mark.parametrize("seeds, holds", [(1.0, False), (0.8, True), (0.81, False)])
def test_a_claim_holds_in_the_fraction_of_seeds_that_it_asks_for(tmp_path, seeds, holds):
    judgement = make(tmp_path, [5, 5, 5, 5, 1], ("paper", 5, seeds)).judgements[0]
    assert (judgement.holds, judgement.held, judgement.seeds) == (holds, 4, 5)
    assert (judgement.q25, judgement.median, judgement.q75) == (5, 5, 5)


def test_a_failed_seed_counts_against_every_claim(tmp_path):
    judgement = make(tmp_path, [5, 5, 5], ("paper", 5, 1), failed=[3]).judgements[0]
    assert (judgement.holds, judgement.held, judgement.seeds) == (False, 3, 4)


def test_records_of_other_code_give_no_verdict(tmp_path):
    stub = make(tmp_path, [5], ("paper", 5, 1))
    stub.script.write_text(CODE.replace("X = 1", "X = 2"))
    assert Stub(stub.folder).verdict == "not recorded"


@pytest.mark.parametrize("old, new, same", [
    ("# a comment", "# another", True), ("Explain", "Say", True), ("X = 1 ", "X = (1) ", True),
    ('"tail"', '"end"', True), ("What it does", "This", True),
    ("X = 1", "X = 2", False), ('"a": X', '"a": -X', False)])
def test_code_hash_sees_the_experiment_and_not_its_layout(tmp_path, old, new, same):
    before = make(tmp_path, [1]).code
    (tmp_path / "toy" / "toy.py").write_text(CODE.replace(old, new))
    assert (Stub(tmp_path / "toy").code == before) is same


@pytest.mark.parametrize("file, text, says", [
    ("card.toml", "title = ", "toy/card.toml is unusable"),
    ("card.toml", CARD.replace('"search"', '"fishing"'), "thread"),
    ("card.toml", CARD.replace("year", "yaer"), "year"),
    ("results.json", "{", "toy/results.json is unusable"),
    ("results.json", '{"slug": "toy"}', "code"),
])
def test_unusable_files_are_named_in_one_line(tmp_path, file, text, says):
    folder = make(tmp_path, [1]).folder
    (folder / file).write_text(text)
    with pytest.raises(CatalogueError, match=says) as caught:
        stub = Stub(folder)
        _ = stub.card, stub.results
    assert "\n" not in str(caught.value)


def test_an_unknown_stub_is_answered_with_near_ones(tmp_path):
    make(tmp_path, [1])
    with pytest.raises(CatalogueError, match="did you mean toy"):
        catalogue.stub("tov", tmp_path)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text("old")

    def full(self, *_, **__):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(CatalogueError, match="No space left"):
        catalogue.write_text(path, "new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_code_hash_is_the_same_under_every_python():
    """What ast.dump shows of empty fields, and of new ones, differs between versions; the CI runs this under three."""
    body = "def f(self, x=None, *a):\n        return f'{x!r:>3}' 'b', [], lambda: ..."
    tree = ast.parse(f"@dataclass(frozen=True)\nclass C:\n    {body}")
    assert catalogue.written_out(tree) == (
        "Module(body=[ClassDef(name='C', body=[FunctionDef(name='f', "
        "args=arguments(args=[arg(arg='self'), arg(arg='x')], vararg=arg(arg='a'), defaults=[Constant()]), "
        "body=[Return(value=Tuple(elts=[JoinedStr(values=[FormattedValue("
        "value=Name(id='x', ctx=Load()), conversion=114, format_spec=JoinedStr(values=[Constant(value='>3')])), "
        "Constant(value='b')]), List(ctx=Load()), Lambda(args=arguments(), body=Constant(value=Ellipsis))], "
        "ctx=Load()))])], decorator_list=[Call(func=Name(id='dataclass', ctx=Load()), "
        "keywords=[keyword(arg='frozen', value=Constant(value=True))])])])")
