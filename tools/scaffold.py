"""python3 -m tools new: the folder of a new stub, complete but for its science."""
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.catalogue import CatalogueError
from tools.contract import canonical

FILES = {
    "experiment.py.j2": "{name}.py",
    "visualize.py.j2": "visualize_{name}.py",
    "make_gif.py.j2": "make_{name}_gif.py",
    "test.py.j2": "test_{name}.py",
    "card.toml.j2": "card.toml",
    "README.md.j2": "README.md",
}


def create(slug, root):
    """Write the folder. Raises CatalogueError for an unusable name or a folder that is already there."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug):
        raise CatalogueError(f"{slug!r} cannot name a stub; use lower-case words joined by hyphens, like flip-flop")
    folder = Path(root) / slug
    if folder.exists():
        raise CatalogueError(f"{slug} is already there; choose another name")
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates" / "stub"),
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False,
    )
    name, title = slug.replace("-", "_"), slug.replace("-", " ").capitalize()
    folder.mkdir()
    for template, file in FILES.items():
        text = templates.get_template(template).render(slug=slug, name=name, title=title, style=canonical("style"))
        if template.startswith("experiment"):
            text += canonical("tail")
        (folder / file.format(name=name)).write_text(text, "utf-8")
    return folder
