"""Formulas of a page, typed in plain characters, set with italics, subscripts and superscripts."""

import html
import re

BLOCK = re.compile(r"<pre><code>(.*?)</code></pre>", re.S)
MATHS = re.compile(r"[=←→≤≥≈∂ΣΔ∇∞√∈·]")
COMMAND = re.compile(r"\s*(?:(?:python3?|pip|cd|make|uv|git|nix|npm)\b|[\"'{\[#$])")
GAP = re.compile(r" {3,}")
PROSE = re.compile(r"(?:\b[a-z]{2,}\b[,:]? ){2}[a-z]{2,}\b")
TOKEN = re.compile(
    r"(?P<name>[A-Za-zΑ-Ωα-ωξ∂ℓ]+['′]?)|(?P<script>[_^])(?P<inner>\([^()]*\)|\{[^{}]*\}|[−-]?[\wΑ-Ωα-ω]+)"
    r"|(?P<rest>.)",
    re.S,
)


def set_formulas(page):
    """An HTML page in which each code block that holds formulas is set as mathematics."""
    return BLOCK.sub(lambda match: block(match) or match[0], page)


def block(match):
    """A code block as a grid of cells that keeps its columns, None when it is no formula."""
    text = html.unescape(match[1]).rstrip("\n")
    if COMMAND.match(text) or not MATHS.search(text):
        return None
    lines = [cells(line) for line in text.split("\n")]
    stops = sorted({start for line in lines for start, _ in line})
    rows = []
    for row, line in enumerate(lines, 1):
        for place, (start, words) in enumerate(line):
            column = stops.index(start) + 1
            last = place + 1 == len(line)
            end = -1 if last else stops.index(line[place + 1][0]) + 1
            at = f"grid-area: {row} / {column} / {row + 1} / {end}"
            rows.append(f'<span style="{at}">{typeset(words)}</span>')
    columns = f"grid-template-columns: repeat({len(stops)}, auto) 1fr"
    return f'<div class="formula" tabindex="0" style="{columns}">{" ".join(rows)}</div>'


def cells(line):
    """(column, text) of each part of a line; three blanks or more stand between two parts."""
    found = []
    start = len(line) - len(line.lstrip(" "))
    for gap in [*GAP.finditer(line, start), None]:
        end = gap.start() if gap else len(line)
        if text := line[start:end].strip():
            found.append((start, text))
        start = gap.end() if gap else end
    return found


def typeset(text):
    """One part as HTML: single letters are variables, _ and ^ lower and raise what follows."""
    if PROSE.search(text):
        return html.escape(text, quote=False)
    return "".join(token(match) for match in TOKEN.finditer(text))


def token(match):
    if match["script"]:
        inner = match["inner"]
        if inner[0] == "{" or (match["script"] == "^" and inner[0] == "("):
            inner = inner[1:-1]
        tag = "sub" if match["script"] == "_" else "sup"
        return f"<{tag}>{typeset(inner)}</{tag}>"
    if match["name"]:
        bare = match["name"].rstrip("'′")
        partial = bare.startswith("∂")
        word = html.escape(match["name"].lstrip("∂"), quote=False)
        single = len(bare.lstrip("∂")) == 1
        return ("∂" if partial else "") + (f"<var>{word}</var>" if single else word)
    return html.escape(match["rest"], quote=False)
