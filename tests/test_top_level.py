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

from tools.catalogue import ROOT

README = (ROOT / "README.md").read_text("utf-8")
MNIST = ROOT / "data" / "mnist"


def test_the_flake_parses():
    if shutil.which("nix-instantiate") is None:
        pytest.skip("no nix-instantiate here: apt-get install nix-bin brings it")
    command = ["nix-instantiate", "--parse", ROOT / "flake.nix"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for system in ("x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"):
        assert system in done.stdout
    for package in ("numpy", "matplotlib", "pillow", "imageio", "mdbook"):
        assert package in done.stdout


def workflow(name):
    loaded = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))
    loaded["on"] = loaded.pop(True)  # YAML 1.1 reads the key `on` as a truth value
    return loaded


def steps(job):
    return [step.get("run") or step["uses"] for step in job["steps"]]


def test_the_tests_run_on_every_supported_python():
    tests = workflow("ci.yml")
    assert {"push", "pull_request"} <= set(tests["on"])
    [job] = tests["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert job["runs-on"] == "ubuntu-latest"
    assert any(step.startswith("make test") for step in steps(job))
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert lowest == ">=3.11"


def test_the_site_is_built_and_deployed():
    site = workflow("pages.yml")
    assert site["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    build, deploy = site["jobs"]["build"], site["jobs"]["deploy"]
    assert any(step.startswith("make book") for step in steps(build))
    [upload] = [step for step in build["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    folder = tomllib.loads((ROOT / "book.toml").read_text("utf-8"))["build"]["build-dir"]
    assert upload["with"]["path"] == folder
    assert deploy["needs"] == "build"
    assert "actions/deploy-pages" in steps(deploy)[0]


@pytest.mark.parametrize("name", ["ci.yml", "pages.yml"])
def test_actions_and_make_targets_of_the_workflows_exist(name):
    targets = make_targets()
    for job in workflow(name)["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest"
        for step in steps(job):
            if step.startswith("make "):
                assert step.split()[1] in targets
            else:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step)


def make_targets():
    return set(re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M))


def test_the_commands_of_the_readme_exist():
    named = re.findall(r"^    make (\w+)", README, re.M)
    assert named[:2] == ["demo", "test"]
    assert set(named) <= make_targets()
    for folder, script in re.findall(r"cd ([\w-]+) && python3 (\w+\.py)", README):
        assert (ROOT / folder / script).is_file()
    from typer.main import get_command

    from tools.cli import app

    verbs = set(get_command(app).commands)
    told = set(re.findall(r"python3 -m tools (\w+)", README))
    assert told
    assert told <= verbs
    for slug in re.findall(r"python3 -m tools (?:run|record|figures) ([a-z-]+)", README):
        assert (ROOT / slug / "card.toml").is_file()


@pytest.mark.parametrize("name", ["README.md", "BUILD_NOTES.md", "SPEC.md", "data/mnist/README.md"])
def test_files_that_a_page_links_to_exist(name):
    page = ROOT / name
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{name} links to {link}"


def test_the_book_is_configured():
    book = tomllib.loads((ROOT / "book.toml").read_text("utf-8"))
    assert README.startswith(f"# {book['book']['title']}\n")
    html = book["output"]["html"]
    assert all((ROOT / style).is_file() for style in html["additional-css"])
    assert (ROOT / html["theme"]).is_dir()
    assert not html.get("mathjax-support", False)  # it comes from another host
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert "book/" in ignored


def test_the_site_names_no_other_host():
    for path in (ROOT / "site").rglob("*"):
        if path.suffix in (".css", ".js", ".html", ".hbs"):
            assert not re.search(r"//[\w-]+\.\w+", path.read_text("utf-8")), f"{path.name} loads from elsewhere"


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
