"""python3 -m tools new: the folder of a new stub, complete but for its science."""

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

from tools.contract import canonical
from tools.pages import templates
from tools.schema import CatalogueError

FILES = {
    "experiment.py.j2": "{name}.py",
    "study.py.j2": "study_{name}.py",
    "visualize.py.j2": "visualize_{name}.py",
    "make_gif.py.j2": "make_{name}_gif.py",
    "test.py.j2": "test_{name}.py",
    "card.toml.j2": "card.toml",
    "mutants.toml.j2": "mutants.toml",
    "README.md.j2": "README.md",
}
TAKEN = {*keyword.kwlist, *sys.stdlib_module_names, "numpy", "matplotlib", "imageio", "pil"}
TAKEN |= {"book", "data", "pytest", "tests", "tools"}


def create(slug, root):
    """Write the folder. Raises CatalogueError for a name that cannot be used or is taken."""
    name = slug.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug) or len(slug) > 60:
        remedy = "use lower-case words joined by hyphens, like flip-flop, 60 letters at most"
        raise CatalogueError(f"{slug[:60]!r} cannot name a stub; {remedy}")
    folder = Path(root) / slug
    if folder.exists():
        raise CatalogueError(f"{slug} is already there; choose another name")
    if name in TAKEN or importlib.util.find_spec(name):
        wrong = f"{slug} means something to Python or to these tools"
        raise CatalogueError(f"{wrong}; choose another name")
    try:
        fill(folder, slug, name)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def fill(folder, slug, name):
    """Write every file of a new stub."""
    folder.mkdir()
    title = slug.replace("-", " ").capitalize()
    blocks = {"style": canonical("style"), "tail": canonical("tail").rstrip()}
    for template, file in FILES.items():
        text = templates.get_template(f"stub/{template}")
        text = text.render(slug=slug, name=name, title=title, short=title[:24], **blocks)
        (folder / file.format(name=name)).write_text(text, "utf-8")
