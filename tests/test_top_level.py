"""The files at the top of the tree do what they say."""

import gzip
import hashlib
import re
import shutil
import subprocess
import tomllib

import numpy as np
import pytest
import yaml
from typer.main import get_command

from tools.catalogue import ROOT
from tools.cli import app

README = (ROOT / "README.md").read_text("utf-8")
MNIST = ROOT / "data" / "mnist"


def test_the_flake_parses():
    if shutil.which("nix-instantiate") is None:
        pytest.skip("no nix-instantiate here: apt-get install nix-bin brings it")
    command = ["nix-instantiate", "--parse", ROOT / "flake.nix"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))


def steps(job):
    return [step.get("run") or step["uses"] for step in job["steps"]]


def make_targets():
    return set(re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M))


@pytest.mark.parametrize("name", ["ci.yml", "pages.yml"])
def test_make_targets_and_actions_of_the_workflows_exist(name):
    for job in workflow(name)["jobs"].values():
        for step in steps(job):
            if step.startswith("make "):
                assert step.split()[1] in make_targets()
            else:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step)


def test_the_site_that_is_deployed_is_the_one_that_is_built():
    build = workflow("pages.yml")["jobs"]["build"]
    [upload] = [step for step in build["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    folder = tomllib.loads((ROOT / "book.toml").read_text("utf-8"))["build"]["build-dir"]
    assert upload["with"]["path"] == folder


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_that_a_page_names_exist(name):
    text = (ROOT / name).read_text("utf-8")
    named = re.findall(r"(?:^    |`)make (\w+)", text, re.M)
    assert named
    assert set(named) <= make_targets()
    for folder, script in re.findall(r"cd ([\w-]+) && python3 (\w+\.py)", text):
        assert folder == "my-problem" or (ROOT / folder / script).is_file()
    verbs = re.findall(r"python3 -m tools (\w+)", text)
    assert verbs
    assert set(verbs) <= set(get_command(app).commands)
    for slug in re.findall(r"python3 -m tools (?:run|record|figures) ([a-z-]+)", text):
        assert slug == "my-problem" or (ROOT / slug / "card.toml").is_file()


def test_the_readme_starts_with_the_demo_and_the_tests():
    assert re.findall(r"^    make (\w+)", README, re.M)[:2] == ["demo", "test"]


PAGES = ["README.md", "CONTRIBUTING.md", "BUILD_NOTES.md", "SPEC.md", "data/mnist/README.md"]


@pytest.mark.parametrize("name", PAGES)
def test_files_that_a_page_links_to_exist(name):
    page = ROOT / name
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{name} links to {link}"


def test_the_catalogue_can_be_cited():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert all(author.get("name") or author.get("family-names") for author in cited["authors"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert cited["license"] == project["license"]
    assert README.startswith(f"# {cited['title']}\n")


def test_the_files_of_the_book_are_there():
    book = tomllib.loads((ROOT / "book.toml").read_text("utf-8"))
    assert README.startswith(f"# {book['book']['title']}\n")
    html = book["output"]["html"]
    assert all((ROOT / style).is_file() for style in html["additional-css"])
    assert (ROOT / html["theme"]).is_dir()


def test_the_site_names_no_other_host():
    for path in (ROOT / "site").rglob("*"):
        if path.suffix in (".css", ".js", ".html", ".hbs"):
            assert not re.search(r"//[\w-]+\.\w+", path.read_text("utf-8")), (
                f"{path.name} loads from elsewhere"
            )


def test_mnist_is_the_original():
    text = (MNIST / "README.md").read_text("utf-8")
    told = re.findall(r"^\| `(\S+\.gz)` \|.*\| ([\dx ]+) \| `(\w{64})` \|$", text, re.M)
    assert len(told) == len(list(MNIST.glob("*.gz"))) == 4
    for file, shape, checksum in told:
        raw = gzip.decompress((MNIST / file).read_bytes())
        assert raw[:3] == b"\x00\x00\x08"
        dimensions = np.frombuffer(raw, ">i4", raw[3], 4)
        array = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dimensions)
        assert " x ".join(map(str, array.shape)) == shape
        assert hashlib.sha256(array.tobytes()).hexdigest() == checksum


def test_mnist_says_where_it_is_from_under_which_licence_and_how_to_read_it(monkeypatch, capsys):
    text = (MNIST / "README.md").read_text("utf-8")
    for word in ("LeCun", "Cortes", "Burges", "Attribution-Share Alike 3.0"):
        assert word in text
    monkeypatch.chdir(MNIST)
    exec(re.search(r"```python\n(.*?)```", text, re.S)[1], {})
    checksum = re.search(r"train-images.*`(\w{64})`", text)[1]
    assert capsys.readouterr().out == f"(60000, 28, 28) {checksum}\n"
