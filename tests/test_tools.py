"""The verbs of python3 -m tools, as a person types them."""
import json

import pytest
from conftest import python

from tools.catalogue import ROOT, stubs

VERBS = ["list", "run", "figures", "record", "check", "docs", "book", "new", "bench"]


def test_help_lists_the_verbs():
    text = python("-m", "tools", "--help").stdout
    assert all(f" {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_shows_an_example(verb):
    shown = python("-m", "tools", verb, "--help")
    assert shown.returncode == 0
    assert f"Example: python3 -m tools {verb}" in shown.stdout


def test_a_new_stub_becomes_clean_by_the_steps_that_check_names(catalogue):
    findings = catalogue("check", "toy").stdout
    missing = ("results.json", "viz", "toy.gif")  # what needs its science
    assert all(any(word in line for word in missing) for line in findings.splitlines()), findings
    assert "python3 -m tools record toy" in findings
    assert "python3 -m tools figures toy" in findings
    assert catalogue("record", "toy", "--seeds", "5").returncode == 0
    assert catalogue("figures", "toy").returncode == 0
    stale = catalogue("docs", "--check")
    assert stale.returncode == 1
    assert "README.md" in stale.stderr
    assert catalogue("docs").returncode == 0
    assert catalogue("docs", "--check").returncode == 0
    done = catalogue("check")
    assert (done.returncode, done.stdout.strip()) == (0, "no findings")
    rows = json.loads(catalogue("list", "--json").stdout)
    assert [(row["slug"], row["seeds"], row["verdict"]) for row in rows] == [("toy", 5, "reproduces")]
    assert "toy" in catalogue("list", "--thread", "unsupervised", "--verdict", "reproduces").stdout
    assert json.loads(catalogue("list", "--json", "--thread", "search").stdout) == []
    assert python("-m", "pytest", "-q", "toy", cwd=catalogue.root).returncode == 0


def test_run_passes_flags_and_the_exit_code_on(catalogue):
    done = catalogue("run", "toy", "--seed", "3", "--steps", "50")
    assert done.returncode == 0
    assert "toy, seed 3" in done.stdout
    assert catalogue("run", "toy", "--steps", "0").returncode == 2


def test_bench_measures_the_default_run(catalogue):
    done = catalogue("bench", "toy", "--repeat", "2")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)["stubs"]["toy"]
    assert row["seconds"] >= 0
    assert row["peak_memory_mb"] > 10


@pytest.mark.parametrize("words, says", [
    (["run", "tov"], "did you mean toy"),
    (["record"], "name one or more stubs, or say --all"),
    (["record", "toy", "--all"], "name one or more stubs, or say --all"),
    (["figures", "nothing"], "there is no stub 'nothing'"),
    (["new", "Bad_Name"], "lower-case words joined by hyphens"),
    (["new", "toy"], "already there"),
    (["list", "--thread", "fishing"], "is none of"),
    (["list", "--verdict", "great"], "is none of"),
])
def test_mistakes_are_answered_in_one_line(catalogue, words, says):
    done = catalogue(*words)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_broken_card_is_a_finding_and_no_traceback(catalogue):
    (catalogue.toy / "card.toml").write_text("title = \n")
    for verb in (["check"], ["list"], ["docs"], ["record", "--all"]):
        done = catalogue(*verb)
        assert done.returncode == 1
        assert "toy/card.toml is unusable" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file, find, replace, says", [
    ("toy.py", "import numpy as np", "import numpy as np\nimport scipy", "imports scipy"),
    ("toy.py", "import numpy as np", "import numpy as np\nimport ale_py", "imports ale_py"),
    ("toy.py", "# ///\n", "", "no PEP 723 header"),
    ("toy.py", "(frozen=True)", "", "no frozen dataclass"),
    ("toy.py", "QUICK = ", "QUICKER = ", "no QUICK"),
    ("toy.py", "def run(config, seed, progress=None)", "def run(config, seed)", "no run(config, seed, progress=None)"),
    ("toy.py", "QUICK = ", "RNG = np.random.default_rng()\nQUICK = ", "an unseeded generator"),
    ("toy.py", "import numpy as np", "import numpy as np\nnp.random.seed(0)", "np.random.seed"),
    ("toy.py", "import numpy as np", "import numpy as np  # TODO", "TODO in it"),
    ("toy.py", "    main()\n", "    main()\n\n", "not the canonical tail"),
    ("visualize_toy.py", "plt.switch_backend", "plt .switch_backend", "no canonical picture style block"),
    ("test_toy.py", "assert ", "_ = ", "asserts nothing"),
    ("README.md", "## Problem", "## Task", "sections missing: Problem"),
    ("README.md", "(toy.gif)", "(other.gif)", "does not show the animation"),
    ("card.toml", "metric = \"", "metric = \"episodes_per_second\" # ", "a claim about the timing"),
])
def test_check_finds_each_breach(catalogue, file, find, replace, says):
    path = catalogue.toy / file
    assert find in path.read_text(), f"the scaffold has no {find!r} to spoil"
    assert says not in catalogue("check", "toy").stdout
    path.write_text(path.read_text().replace(find, replace))
    assert says in catalogue("check", "toy").stdout


def test_the_emulator_may_be_imported_where_the_header_pins_it(catalogue):
    script = catalogue.toy / "toy.py"
    text = script.read_text().replace("import numpy as np", "import ale_py\nimport numpy as np")
    script.write_text(text.replace('dependencies = ["numpy"]', 'dependencies = ["numpy", "ale-py==0.12.1"]'))
    assert "imports ale_py" not in catalogue("check", "toy").stdout


def test_a_broken_picture_script_is_named(catalogue):
    (catalogue.toy / "visualize_toy.py").write_text("raise SystemExit('no data here')\n")
    done = catalogue("figures", "toy")
    assert done.returncode == 1
    assert "toy/visualize_toy.py ended with exit code 1: no data here" in done.stderr


def test_list_shows_every_stub():
    rows = json.loads(python("-m", "tools", "list", "--json", cwd=ROOT).stdout)
    assert [row["slug"] for row in rows] == [stub.slug for stub in stubs()]
