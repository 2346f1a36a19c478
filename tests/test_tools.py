"""The verbs of python3 -m tools, as a person types them, and what check finds."""

import contextlib
import io
import json
import re
import shutil
import signal
import sys

import made
import pytest
from conftest import Ended, python
from PIL import Image

from tools import benchmark, book, catalogue, cli, contract, records, scaffold
from tools.catalogue import ROOT, Stub
from tools.schema import CatalogueError

pytestmark = pytest.mark.xdist_group("tools")  # they share a finished stub
VERBS = [
    *("list", "run", "figures", "record", "verify", "check"),
    *("docs", "book", "new", "bench", "mutants"),
]


def tools(root, *words):
    """Run a verb in this process on the tree at root."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tools", *map(str, words)])
        patch.setattr(cli, "ROOT", root)
        patch.setattr(cli, "stubs", lambda: catalogue.stubs(root))
        patch.setattr(cli, "stub", lambda slug: catalogue.stub(slug, root))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main()
            except SystemExit as ended:
                code = ended.code
    for number, handler in before.items():
        signal.signal(number, handler)
    said = [read(out), read(err)]
    if isinstance(code, str):
        said[1] += f"{code}\n"
        code = 1
    return Ended(code or 0, *said)


def read(stream):
    stream.flush()
    return stream.buffer.getvalue().decode()


def texts(root):
    """The pages of a tree that the tools write into."""
    for file in ("SPEC.md", "README.md", "BUILD_NOTES.md"):
        shutil.copy(ROOT / file, root)
    return root


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tree with the scaffolded stub `toy`, recorded and drawn by the steps that check names."""
    root = texts(tmp_path_factory.mktemp("finished"))
    assert tools(root, "new", "toy").code == 0
    findings = tools(root, "check", "toy").out
    for step in ("record toy", "record toy --study", "figures toy"):
        assert f"run: python3 -m tools {step}\n" in findings
        assert tools(root, *step.split(), *["--seeds", 5] * step.startswith("rec")).code == 0
    stale = tools(root, "docs", "--check")
    assert (stale.code, "stale: RESULTS.md, VISUAL_TOUR.md" in stale.err) == (1, True)
    assert tools(root, "docs").code == 0
    return root


@pytest.fixture
def tree(finished, tmp_path):
    """A copy of the finished tree, to be spoilt."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def undrawn(finished, tmp_path):
    """The recorded stub without its pictures, which take time to look at."""
    kept_out = shutil.ignore_patterns("viz", "*.gif")
    return Stub(shutil.copytree(finished / "toy", tmp_path / "toy", ignore=kept_out))


@pytest.fixture
def toy(tmp_path):
    """The scaffolded stub as it is made, neither recorded nor drawn."""
    return Stub(scaffold.create("toy", tmp_path))


def findings(stub):
    return "\n".join(map(str, contract.check(Stub(stub.folder))))


# ---- help ----
def test_help_lists_the_verbs():
    text = python("-m", "tools", "--help").stdout
    assert all(f" {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_shows_an_example(tmp_path, verb):
    shown = tools(tmp_path, verb, "--help")
    assert shown.code == 0
    assert f"Example: python3 -m tools {verb}" in shown.out


# ---- a new stub ----
def test_a_new_stub_becomes_clean_by_the_steps_that_check_names(finished):
    assert tools(finished, "docs", "--check").code == 0
    done = tools(finished, "check")
    assert (done.code, done.out.splitlines()[-1]) == (0, "no findings")
    assert "toy: 89 lines above the tail (89), 6 settings (6), 3 metrics (3)" in done.out
    rows = json.loads(tools(finished, "list", "--json").out)
    found = [(row["slug"], row["seeds"], row["verdict"]) for row in rows]
    assert found == [("toy", 5, "reproduces")]
    assert "toy" in tools(finished, "list", "--thread", "unsupervised", "--era", "1996-1999").out
    assert json.loads(tools(finished, "list", "--json", "--verdict", "partial").out) == []


def test_the_tests_of_a_new_stub_pass(finished):
    assert python("-m", "pytest", "-q", "toy", cwd=finished).returncode == 0


@pytest.mark.parametrize(
    "slug, says",
    [
        ("numpy", "means something to Python"),
        ("json", "means something to Python"),
        ("class", "means something to Python"),
        ("pytest", "means something to Python"),
        ("tools", "means something to Python or to these tools"),
        ("book", "means something to Python or to these tools"),
        ("a" * 260, "60 letters at most"),
        ("Bad_Name", "lower-case words joined by hyphens"),
        ("../a", "lower-case words joined by hyphens"),
        ("a--b", "lower-case words joined by hyphens"),
        ("toy", "already there"),
    ],
)
def test_names_that_cannot_be_used_are_refused_with_the_reason(toy, slug, says):
    root = toy.folder.parent
    done = tools(root, "new", slug)
    assert (done.code, done.out) == (1, "")
    assert says in done.err
    assert len(done.err.splitlines()) == 1
    assert list(root.iterdir()) == [toy.folder]


def test_in_a_tree_that_cannot_be_written_nothing_stays_of_a_new_stub(tmp_path, monkeypatch):
    def full(self, *_, **__):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(type(tmp_path), "write_text", full)
    done = tools(tmp_path, "new", "toy")
    assert done.code == 1
    assert done.err.endswith("toy.py: Read-only file system\n")
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# ---- mistakes ----
@pytest.mark.parametrize(
    "words, says",
    [
        (["record", "tov"], "did you mean toy"),
        (["record"], "name one or more stubs, or say --all"),
        (["record", "toy", "--all"], "name one or more stubs, or say --all"),
        (["figures", "nothing"], "there is no stub 'nothing'"),
        (["list", "--thread", "fishing"], "is none of"),
        (["list", "--verdict", "great"], "is none of"),
        (["list", "--era", "1066"], "is none of: 1996-1999"),
        (["verify", "toy"], "toy/results.json holds no records to verify"),
    ],
)
def test_mistakes_are_answered_in_one_line(toy, words, says):
    done = tools(toy.folder.parent, *words)
    assert done.code == 1
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_stub_without_a_study_has_none_to_record(tmp_path):
    made.stub(tmp_path)
    done = tools(tmp_path, "record", "toy", "--study")
    assert (done.code, "none of these stubs has a study" in done.err) == (1, True)


def test_one_bad_card_is_named_and_the_others_are_served(tree):
    made.stub(tree, "other-one")
    (tree / "other-one" / "card.toml").write_text("title = \n")
    for verb in (["check"], ["list"], ["docs"], ["docs", "--check"]):
        done = tools(tree, *verb)
        assert done.code == 1
        assert "other-one/card.toml is unusable" in done.out + done.err
        assert "toy" in done.out or verb[0] == "docs"
        assert "Traceback" not in done.err
    assert "other-one" not in (tree / "RESULTS.md").read_text()
    assert "[toy](toy/README.md)" in (tree / "RESULTS.md").read_text()


# ---- list ----
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_list_shows_whole_words_in_a_pipe_of_any_encoding(tmp_path, encoding):
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__py*"))
    title = (
        "A [title] of some eighty letters, with \u2265 and \u03c0, that no terminal shows in a line"
    )
    tables = made.nets([0.1, 0.2], gains=[-1])
    made.stub(tmp_path, "a-stub-with-a-long-name", tables, title=title)
    env = {"PYTHONIOENCODING": encoding, "COLUMNS": "80"}
    done = python("-m", "tools", "list", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    heading, row = done.stdout.splitlines()
    assert row.startswith("a-stub-with-a-long-name  1990  search  does not reproduce  2 ")
    assert "A [title] of some eighty" in row
    assert row.endswith("that no terminal shows in a line")


def test_list_shows_every_stub_of_this_tree():
    rows = json.loads(tools(ROOT, "list", "--json").out)
    assert [row["slug"] for row in rows] == [stub.slug for stub in catalogue.stubs()]


# ---- run, figures, bench, verify, book ----
def test_run_passes_flags_help_and_the_exit_code_on(toy):
    root = toy.folder.parent
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__py*"))
    done = python("-m", "tools", "run", "toy", "--study", "--seed", "3", cwd=root)
    assert (done.returncode, "study_toy, seed 3" in done.stdout) == (0, True)
    assert python("-m", "tools", "run", "toy", "--steps", "0", cwd=root).returncode == 2
    shown = python("-m", "tools", "run", "toy", "--help", cwd=root)
    assert (shown.returncode, "--learning-rate" in shown.stdout) == (0, True)


def test_a_broken_picture_script_is_named(toy):
    (toy.folder / "visualize_toy.py").write_text("raise SystemExit('no [data] here')\n")
    done = tools(toy.folder.parent, "figures", "toy")
    assert done.code == 1
    assert "toy/visualize_toy.py ended with exit code 1: no [data] here" in done.err


def test_bench_prints_its_measurement_before_it_fails_to_write(toy, tmp_path):
    done = tools(tmp_path, "bench", "toy", "--repeat", "2", "--json", tmp_path / "no" / "file")
    assert done.code == 1
    assert done.err.endswith("no/file: No such file or directory\n")
    row = json.loads(done.out)["stubs"]["toy"]
    assert 0 < row["processor_seconds"] < row["seconds"] + 1
    assert row["peak_memory_mb"] > 10


def test_bench_reports_the_rates_that_an_experiment_measures():
    metrics = {"lstm.sequences": 30.0, "lstm.sequences_per_second": 500.0}
    run = {"seconds": 2.0, "processor_seconds": 1.0, "peak_memory_mb": 40.0, "metrics": metrics}
    row = benchmark.costs_of(run | {"seed": 0})
    assert row == {
        "seconds": 2.0,
        "processor_seconds": 1.0,
        "peak_memory_mb": 40.0,
        "lstm.sequences_per_second": 500.0,
    }


def test_verify_lists_what_differs_and_marks_nothing(tree):
    path = tree / "toy" / "results.json"
    content = json.loads(path.read_text())
    content["records"][0]["metrics"]["learner.test_mse"] /= 2
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    done = tools(tree, "verify", "toy", "--seeds", "2")
    assert done.code == 1
    assert done.out.startswith("toy seed 0: metric learner.test_mse was 0.0047")
    assert "1 differences; nothing is marked as verified" in done.err
    assert path.read_bytes() == before


def test_book_serves_at_the_port_one_asks_for(tmp_path, monkeypatch):
    built, served = [], []
    monkeypatch.setattr(book, "build", lambda root, url: built.append(url) or tmp_path)
    monkeypatch.setattr(book, "serve", lambda html, port: served.append(port))
    made.stub(tmp_path)
    assert tools(tmp_path, "book", "--serve", "--port", "4000").code == 0
    assert tools(tmp_path, "book", "--serve").code == 0
    assert tools(tmp_path, "book", "--url", "https://example.org/").code == 0
    assert served == [4000, 3000]
    assert built == [None, None, "https://example.org/"]
    (tmp_path / "toy" / "card.toml").write_text("title = ")
    done = tools(tmp_path, "book")
    assert (done.code, "left out: toy/card.toml is unusable" in done.err) == (1, True)


# ---- check ----
FAULT = '\n[[mutant]]\nname = "n"\nkind = "rule"\nfind = "def run"\nreplace = "x"\n'


@pytest.mark.parametrize(
    "file, find, replace, says",
    [
        ("toy.py", "import numpy as np", "import numpy as np\nimport scipy", "imports scipy"),
        ("toy.py", "import numpy as np", "import numpy as np\nimport ale_py", "imports ale_py"),
        ("toy.py", "# ///\n", "", "no PEP 723 header"),
        ("toy.py", "Paper: ", "\n" * 20, "a docstring of 29"),
        ("toy.py", "(frozen=True)", "", "no frozen dataclass"),
        ("toy.py", "noise: Annotated[float", "noise: float  # [", "Config.noise has no help"),
        ("toy.py", "QUICK = ", "QUICKER = ", "no QUICK"),
        ("toy.py", "def run(config, seed, progress)", "def run(config, seed)", "no run(config, se"),
        ("toy.py", "QUICK = ", "RNG = np.random.default_rng()\nQUICK = ", "without the run's seed"),
        ("toy.py", "QUICK = ", "RNG = np.random.default_rng(0)\nQUICK = ", "without the run's se"),
        ("toy.py", "import numpy as np", "import numpy as np\nnp.random.seed(0)", "np.random.seed"),
        ("toy.py", "import numpy as np", "import numpy as np  # TODO", "TODO in it"),
        ("toy.py", "    main(sys", "    main( sys", "not the canonical tail"),
        (
            "toy.py",
            "def train",
            "def add_setting():\n    pass\n\n\ndef train",
            "add_setting is a name",
        ),
        ("toy.py", "def train", "def train(:", "toy/toy.py is no Python"),
        ("toy.py", "import numpy as np", "import numpy as np  # \0", "toy/toy.py is no Python"),
        ("study_toy.py", "    toy.main(", "    toy. main(", "does not end with the experiment's"),
        ("study_toy.py", "QUICK = ", "QUICKER = ", "study_toy.py: no QUICK"),
        ("visualize_toy.py", "switch_backend", "switch_backend ", "no canonical picture style"),
        ("test_toy.py", "assert ", "_ = ", "asserts nothing"),
        ("README.md", "## Problem", "## Task", "sections missing: Problem"),
        ("README.md", "(toy.gif)", "(other.gif)", "does not show the animation"),
        ("README.md", "![The weights find", "![](a.png)![The weights find", "no alternative text"),
        ("README.md", "What the numbers", "[x](gone.py) What", "links to gone.py"),
        ("README.md", "What the numbers", "After 0.12345 what", "the number 0.12345"),
        ("card.toml", 'metric = "', 'metric = "a_seconds" # ', "is about a timing"),
        ("card.toml", '"paper"', '"extra"', "the first claim is an extra"),
        ("card.toml", "the paper's own number, say 0.02", "no figure", "is filed as the paper's"),
        ("card.toml", "the paper's own number, say 0.02", "well", "quotes no figure or criterion"),
        ("card.toml", "[[claims]]", "[[claim]]", "card.toml is unusable: claims: Field required"),
        ("card.toml", "threshold = 0.02", 'threshold = "0.02"', "claims.0.threshold"),
        ("card.toml", 'file = "viz/weights.png", box', 'file = "toy.py", box', "cut from toy.py"),
        (
            "card.toml",
            '"viz/weights.png", box',
            '"../weights.png", box',
            "leaves the stub's folder",
        ),
        ("card.toml", 'from = "study"\n', "", "the claim's metric slow.test_mse is not in every"),
        ("mutants.toml", 'kind = "leak"', 'kind = "rule"', "no fault of the kind leak"),
        (
            "mutants.toml",
            'kind = "leak"',
            'kind = "leek"',
            "mutants.toml is unusable: mutant.5.kind",
        ),
        ("mutants.toml", "dw = error @ x", "dw = errors @ x", "not once in toy.py"),
        ("mutants.toml", 'find = "dw', 'file = "../x.py"\nfind = "dw', "leaves the stub's folder"),
        ("mutants.toml", 'find = "dw', 'file = "card.toml"\nfind = "dw', "not once in card.toml"),
        ("mutants.toml", "\n[[mutant]]", FAULT * 12 + "\n[[mutant]]", "faults; ten to twenty"),
        ("mutants.toml", "[[mutant]]", "[[mutants]]", "mutants.toml is unusable: mutant: Field"),
        ("results.json", '"steps": 400', '"steps": 500', "records with different settings"),
        ("results.json", '"slug": "toy"', '"slug": "tov"', "belongs to another program"),
        ("results.json", '"metrics": {', '"metrics": {"z": [1],', "z is a list of 1"),
        ("results.json", '"learner.advantage"', '"learner.adv"', "learner.advantage is not in"),
    ],
)
def test_check_finds_each_breach(undrawn, file, find, replace, says):
    path = undrawn.folder / file
    text = path.read_text()
    assert find in text, f"the scaffold has no {find!r} to spoil"
    everywhere = file in ("test_toy.py", "card.toml", "mutants.toml") and find.startswith("[[")
    path.write_text(text.replace(find, replace, -1 if everywhere or "assert" in find else 1))
    assert says in findings(undrawn)


def test_failed_seeds_few_seeds_and_other_code_are_findings(tree):
    stub = Stub(tree / "toy")
    results = stub.run.results
    failed = [records.Failure(seed=3, why="diverged")]
    update = {"records": results.records[:3], "failed": failed}
    records.write(stub.run.file, results.model_copy(update=update))
    (tree / "toy" / "study_toy.py").write_text(stub.study.source.replace("1e-4", "2e-4"))
    text = findings(stub)
    assert "toy/results.json: 3 seeds; run: python3 -m tools record toy --seeds 10" in text
    assert "toy/results.json: seed 3 failed: diverged" in text
    assert "toy/study.json: is of other code than study_toy.py holds now" in text


def test_a_curve_without_axes_and_axes_without_a_curve_are_findings(tree):
    card = tree / "toy" / "card.toml"
    whole = card.read_text()
    card.write_text(re.sub("curve = .*\n", "", whole))
    [found] = contract.check(Stub(tree / "toy"))
    assert "the learning curve has no axes; add curve" in str(found)
    path = tree / "toy" / "results.json"
    records = json.loads(path.read_text())
    for record in records["records"]:
        record["metrics"] = {k: v for k, v in record["metrics"].items() if "curve" not in k}
    path.write_text(json.dumps(records))
    card.write_text(whole)
    assert any(
        "names axes of no curve" in str(found) for found in contract.check(Stub(tree / "toy"))
    )


@pytest.mark.parametrize(
    "file, text",
    [
        ("toy.gif", b""),
        ("toy.gif", "half"),
        ("viz/weights.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"),
        ("viz/weights.png", "half"),
        ("viz/learning_curve.png", "half"),
    ],
)
def test_a_picture_that_is_none_is_one_finding(tree, file, text):
    path = tree / "toy" / file
    path.write_bytes(path.read_bytes()[:2000] if text == "half" else text)
    [found] = contract.check(Stub(tree / "toy"))
    assert str(found) == f"toy: toy/{file} is no picture; run: python3 -m tools figures toy"


def test_pictures_are_held_to_their_size_and_length(tree):
    folder = tree / "toy"
    Image.new("L", (300, 200)).save(folder / "viz" / "weights.png")
    frames = [Image.new("L", (9, 9), shade) for shade in (0, 99, 255)]
    frames[0].save(folder / "toy.gif", save_all=True, append_images=frames[1:], duration=100)
    with open(folder / "viz" / "learning_curve.png", "ab") as file:
        file.write(bytes(700_000))
    text = findings(Stub(folder))
    for says in (
        "viz/weights.png: blank",
        "the thumbnail's box [0, 0, 1080, 675] does not fit",
        "toy.gif: 3 frames",
        "toy.gif: 0.3 s long",
        "its last frame stays 0.1 s",
        "viz/learning_curve.png: 0.7",
    ):
        assert says in text


@pytest.mark.parametrize("name", ["README.md", "test_toy.py", "mutants.toml"])
def test_a_file_that_is_no_text_is_a_finding(toy, name):
    (toy.folder / name).write_bytes(b"\xff\xfe")
    assert f"toy/{name}" in findings(toy)
    assert "can't decode" in findings(toy)


def test_the_emulator_may_be_imported_where_the_header_pins_it(toy):
    text = toy.script.read_text().replace("import numpy as np", "import ale_py\nimport numpy as np")
    toy.script.write_text(text.replace('"numpy>=1.26"', '"numpy>=1.26", "ale-py==0.12.1"'))
    assert "imports ale_py" not in findings(toy)


def test_what_a_record_file_has_wrong_is_one_finding_with_its_remedy(tree):
    path = tree / "toy" / "results.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    [found] = contract.check(Stub(tree / "toy"))
    assert "toy/results.json is unusable: it starts with a byte order mark" in str(found)
    with pytest.raises(CatalogueError):
        _ = Stub(tree / "toy").verdict
