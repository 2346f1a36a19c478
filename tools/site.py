"""What only the site shows: its own three pages, and the head and the foot of each problem."""

import csv
import functools
import html
import io
import json
import posixpath
import re
import statistics
import tomllib
import zipfile
from collections import Counter

from markupsafe import Markup
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

from tools import drawing, films, pages
from tools.schema import THREADS, VERDICTS, CatalogueError
from tools.wording import number

CODE = re.compile(r'<pre><code class="language-([a-z0-9]+)">(.*?)</code></pre>', re.S)
KINDS = {
    Keyword: "k",
    Operator.Word: "k",
    String: "s",
    Comment: "c",
    Number: "m",
    Name.Function: "n",
    Name.Class: "n",
    Name.Decorator: "n",
}
KEPT_OUT = (".gif", ".png", ".pyc")  # of the zip: pictures come from the code
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the date of files in a zip, so that its bytes do not change
SENTENCES = re.compile(r"(?<=[^\W\d_]{2})[.?!] ")
templates = pages.templates.overlay(autoescape=True)  # these make HTML


def render(template, **context):
    return templates.get_template(f"site/{template}").render(**context)


# ---- the problems ------------------------------------------------------------------------------
def views(stubs):
    """What the templates show of each stub, by year, with its neighbours in its thread."""
    everything = [view(stub) for stub in stubs]
    everything.sort(key=lambda one: (one["card"].year, one["slug"]))
    for thread in THREADS:
        row = [one for one in everything if one["card"].thread == thread]
        for one, before, after in zip(row, [None, *row], [*row[1:], None]):
            one["previous"] = before
            one["next"] = after
    return everything


def view(stub):
    """A stub as the templates of the site show it."""
    one = pages.view(stub) | {"stub": stub, "thread": THREADS[stub.card.thread]}
    for row in one["claims"]:
        row["strip"] = Markup(drawing.strip(row["judged"]) or "")
    one["strip"] = one["in_order"][0]["strip"] if one["in_order"] else ""
    shown = re.search(r"!\[([^\]]+)\]\(" + re.escape(stub.gif.name), readme(stub))
    one["film_alt"] = shown and shown[1]
    one["papers"] = [(text, address(text)) for text in stub.card.paper]
    one["bibtex"] = bibtex(stub)
    one["words"] = " ".join(
        [stub.card.title, stub.card.short, stub.slug, *stub.card.keywords, *stub.card.paper]
    ).lower()
    one["files"] = [path.name for path in listed(stub)]
    one["curve"] = Markup(curve(stub) or "")
    return one


def curve(stub):
    """The learning curve of a stub's experiment, None without one."""
    records = stub.run.current.records if stub.run.current else []
    axes = stub.card.curve
    labels = {"x_label": axes.x, "y_label": axes.y} if axes else {}
    return drawing.curve(records, **labels)


def readme(stub):
    return pages.read(stub.folder / "README.md")


def listed(stub):
    """The Python files of a stub: the experiment, its study, its test, the picture scripts."""
    name = stub.name
    pictures = [f"visualize_{name}.py", f"make_{name}_gif.py"]
    order = [f"{name}.py", f"study_{name}.py", f"test_{name}.py", *pictures]
    return [stub.folder / file for file in order if (stub.folder / file).exists()]


def address(citation):
    """Where a citation with a DOI or an arXiv number leads, None for any other."""
    if found := re.search(r"doi (10\.\S+?)[.,]?(?=\s|$)", citation):
        return f"https://doi.org/{found[1]}"
    if found := re.search(r"arXiv:([\w./-]*\w)", citation):
        return f"https://arxiv.org/abs/{found[1]}"
    return None


def bibtex(stub):
    """The first paper of a stub as a BibTeX entry."""
    citation = stub.card.paper[0]
    authors, title, rest = [*SENTENCES.split(citation, maxsplit=2), "", ""][:3]
    names = re.sub(r",? and |, ", " and ", authors)
    year = re.findall(r"\b(?:19|20)\d\d\b", rest or citation) or [str(stub.card.year)]
    key = re.sub(r"\W", "", authors.partition(",")[0].partition(" and ")[0].split()[-1].lower())
    fields = {"author": names, "title": title, "howpublished": rest.rstrip("."), "year": year[0]}
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{key}{year[0]},\n" + ",\n".join(lines) + "\n}"


# ---- the pages ---------------------------------------------------------------------------------
def totals(everything):
    """The numbers that several pages say."""
    judged = [row for one in everything for row in one["claims"] if row["level"] != "extra"]
    failing = [
        (one, row)
        for one in everything
        for row in one["claims"]
        if row["verdict"] == "fails" and row["level"] != "extra"
    ]
    seeds = [len(e["seeds"]) for one in everything for e in (one["run"], one["study"]) if e]
    return {
        "stubs": everything,
        "threads": THREADS,
        "verdicts": VERDICTS,
        "used": Counter(one["card"].thread for one in everything),
        "counts": Counter(one["verdict"] for one in everything),
        "claims": len(judged),
        "claims_held": sum(row["verdict"] == "holds" for row in judged),
        "failing": failing,
        "runs": sum(seeds),
        "first_year": min((one["card"].year for one in everything), default=""),
        "last_year": max((one["card"].year for one in everything), default=""),
        "timeline": Markup(drawing.timeline(map(dot, everything)) or ""),
    }


def dot(one):
    """A problem as an entry of the timeline."""
    card = one["card"]
    names = {"slug": one["slug"], "title": card.title, "verdict": one["verdict"]}
    return names | {"year": card.year, "thread": card.thread}


def home(root, context):
    """The first page; site/home.toml holds its words."""
    text = tomllib.loads(pages.read(root / "site" / "home.toml"))
    by_slug = {one["slug"]: one for one in context["stubs"]}
    findings = [
        {"stub": by_slug[found["slug"]], "says": filled(found["says"], by_slug[found["slug"]])}
        for found in text["finding"]
        if found["slug"] in by_slug
    ]
    shown = by_slug.get(text["film"]) or next(iter(by_slug.values()))
    return render(
        "home.html.j2",
        home=text,
        findings=findings,
        film=film(shown, at=f"{shown['slug']}/"),
        film_stub=shown,
        **context,
    )


def film(one, at="", caption=False):
    """The film of a stub with its controls; at is where its folder lies."""
    if not one["film"]:
        return ""
    words = dict(one["pictures"])[one["stub"].gif.name]
    alt = one["film_alt"] or words.partition(". ")[0]
    text = words if caption else ""
    return Markup(films.player(one["film"], alt, text, at))


def head(one):
    """The head of a stub's page, down to the film."""
    return render("stub_head.html.j2", stub=one, film=film(one, caption=True))


def filled(sentence, one):
    """A sentence in which each {metric} is its mean over the recorded seeds."""

    def mean(match):
        source, _, name = match[1].rpartition(":")
        program = one["stub"].program(source or "run")
        records = program.current.records if program and program.current else []
        values = [record.metrics.get(name) for record in records]
        values = [value for value in values if isinstance(value, int | float)]
        if not values:
            wrong = f"site/home.toml: {one['slug']} has no recorded metric {match[1]}"
            raise CatalogueError(f"{wrong}; name another one")
        return number(statistics.fmean(values), 3)

    return re.sub(r"\{([\w.:]+)\}", mean, sentence)


def source_page(one):
    """The programs of a stub with coloured lines, each with an anchor FILE-LINE."""
    files = [(path.name, listing(path)) for path in listed(one["stub"])]
    return render("source.html.j2", stub=one, files=files)


def listing(path):
    """A Python file as coloured lines of HTML, each with its anchor; the style numbers them."""
    lines = coloured(pages.read(path), "python").rstrip("\n").split("\n")
    return Markup(
        "\n".join(f'<i id="{path.name}-{n}"></i>{line}' for n, line in enumerate(lines, 1))
    )


def coloured(code, language):
    """Code as HTML in which the kinds of token that KINDS names have a class of one letter."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    return "".join(span(kind, text) for kind, text in lexer.get_tokens(code))


def span(kind, text):
    """A token as HTML; one that runs over several lines is closed at the end of each."""
    safe = html.escape(text, quote=False)
    letter = letter_of(kind)
    if letter is None:
        return safe
    return "\n".join(f"<b class={letter}>{line}</b>" if line else "" for line in safe.split("\n"))


@functools.cache
def letter_of(kind):
    """The class of a kind of token, None where it keeps the colour of the text."""
    return next((letter for parent, letter in KINDS.items() if kind in parent), None)


def meta(title, description, image, url):
    """The elements of a page's head that say what it is to those who link to it."""
    picture = posixpath.join(url or "", image) if image else None
    return render("meta.html.j2", title=title, description=description, image=picture)


# ---- files for machines ------------------------------------------------------------------------
def runs_csv(everything):
    """Every recorded metric of every seed, a line each; a list stands as JSON."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["problem", "program", "seed", "metric", "value"])
    for one in everything:
        for program in one["stub"].programs:
            for record in program.current.records if program.current else []:
                for name, value in record.metrics.items():
                    cell = json.dumps(value) if isinstance(value, list) else value
                    table.writerow([one["slug"], program.kind, record.seed, name, cell])
    return text.getvalue()


def metrics_json(one):
    """The median and the middle half of every metric of a stub, as the page shows them."""
    rows = []
    for program in one["stub"].programs:
        records = program.current.records if program.current else []
        for name in dict.fromkeys(name for record in records for name in record.metrics):
            found = [record.metrics.get(name) for record in records]
            values = [float(value) for value in found if isinstance(value, int | float)]
            if values:
                low, middle, high = statistics_of(values)
                rows.append([program.kind, name, middle, low, high, len(values)])
    return json.dumps(rows, separators=(",", ":"))


def statistics_of(values):
    """25 %, 50 % and 75 % points in words."""
    from tools.judging import quartiles

    return [number(value) for value in quartiles(values)]


def zipped(stub):
    """The folder of a stub without its pictures, as a zip whose bytes depend on the files alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(stub.folder.rglob("*")):
            inside = path.relative_to(stub.folder.parent)
            hidden = any(part.startswith((".", "__")) for part in inside.parts)
            if path.is_file() and not hidden and path.suffix not in KEPT_OUT:
                entry = zipfile.ZipInfo(inside.as_posix(), LONG_AGO)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def search_index(everything, texts):
    """What the search looks through: the problems with all their words, and the other pages."""
    entries = []
    for one in everything:
        card = one["card"]
        entries.append(
            {
                "page": f"{one['slug']}/index.html",
                "title": card.title,
                "year": card.year,
                "names": " ".join([card.title, card.short, one["slug"]]),
                "methods": ", ".join(card.keywords),
                "papers": " ".join(card.paper),
                "summary": card.summary,
                "text": prose(texts[one["slug"]]),
            }
        )
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"))


def prose(text):
    """The words of a README, without its generated blocks, tables and marks."""
    text = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", text, flags=re.S)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>]+>|^\|.*$|[#*`|]", " ", text, flags=re.M)
    return " ".join(text.split())
