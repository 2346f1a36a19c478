"""Numbers in text: how the generated pages write them, and which hand-written ones no record holds."""
import math
import re
import statistics
from itertools import chain

from markdown_it import MarkdownIt

from tools.catalogue import Number, quartiles


def number(value, digits=4):
    """A number for people: grouped thousands, four significant digits, 0.99996 not rounded to 1."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if not math.isfinite(value) or value == int(value):
        return f"{int(value):,}" if math.isfinite(value) and abs(value) < 1e12 else f"{value:g}".replace("e+", "e")
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}" if abs(value) < 1e12 else f"{value:.{digits - 1}e}".replace("e+", "e")
    if abs(value) < 1e-4:
        mantissa, exponent = f"{value:.{digits - 2}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    for more in range(4):
        places = max(0, digits + more - 1 - math.floor(math.log10(abs(value))))
        if abs(float(text := f"{value:.{places}f}")) not in (1, 100):
            break
    return text.rstrip("0").rstrip(".") if abs(value) < 999 else number(float(text))


def percent(share):
    """A fraction as whole per cent, where 100 and 0 are said of all and none only."""
    share = round(share, 9)
    return f"{share:.0%}"[:-1] if share in (0, 1) else str(min(99, max(1, round(100 * share))))


def cell(text):
    """Prose that is safe inside a table, a link or an image description."""
    return re.sub(r"([|\[\]])", r"\\\1", " ".join(str(text).split())).replace("<", "&lt;")


# ---- the guard of hand-written numbers ------------------------------------------------------------------------------
FIGURE = re.compile(r"""(?<![\w.,^/])(\d+(?:,\d{3})*(?:\.\d+)?)    # 74,000 or 0.25, not a part of a word or a path
                        (?:\s?[x×·]\s?10\^([-+]?\d+)|e([-+]?\d+))?  # times a power of ten
                        (?!\d|[.,]\d)                               # not a part of a version
                        (\s?%|(?=\s?(?:-|–|to\s|and\s)\s?[\d.,]+\s?%))?  # per cent, or 2 to 3 %""", re.X)
YEAR = re.compile(r"(\(|\bal\.,? |[A-Z][\w.]*,? |(19|20)\d\d[-–, ]+)$")
RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")


def unsupported_numbers(stub):
    """Numbers in the hand-written prose under `## Results` that no record, card or default setting holds.

    Looked at are numbers with a point, an exponent or at least three digits. One is supported when a value, or that
    value in per cent, rounds to it as it is written. Code, links, generated blocks and years of citations are left out.
    """
    values = known_values(stub)
    text = (stub.folder / "README.md").read_text("utf-8")
    return [f"{match[0].strip()} in {said[max(0, match.start() - 30):match.end() + 15].strip()!r}"
            for said in prose(text, "Results") for match in FIGURE.finditer(said) if not supported(match, said, values)]


def prose(text, section):
    """The running text of a section of a README, paragraph by paragraph."""
    part = re.search(rf"^## {section}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    part = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", part[1] if part else "", flags=re.S)
    for token in MarkdownIt("commonmark").enable("table").parse(part):
        if token.type == "inline":
            parts = (t.content if t.type == "text" else " " if "break" in t.type else "`" for t in token.children)
            yield plain("".join(parts))


def plain(text):
    """text with powers written as 10^-7."""
    return re.sub(r"10([⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda match: "10^" + match[1].translate(RAISED), text.replace("−", "-"))


def known_values(stub):
    """Every number that a text may quote: of each metric over seeds, of the judgements, the card and the settings."""
    card, values = stub.card, []
    for record in (runs := stub.results.records if stub.results else []) + ([stub.study] if stub.study else []):
        values += numbers_in([record.metrics, record.config, record.seconds, record.peak_memory_mb])
    for name in runs[0].metrics if runs else ():
        if over := [float(v) for r in runs if isinstance(v := r.metrics.get(name), Number)]:
            values += [*quartiles(sorted(over)), statistics.fmean(over), sum(over)]
    for quantity in ("seconds", "peak_memory_mb") if runs else ():
        values += [*quartiles(sorted(getattr(r, quantity) for r in runs)), sum(getattr(r, quantity) for r in runs)]
    for j in stub.judgements:
        values += [j.held, j.seeds, j.held / max(1, j.seeds)]
        values += numbers_in([j.low, j.high, j.claim.threshold, j.claim.seeds])
    for text in (card.title, card.summary, *card.paper, *(f"{c.paper} {c.says}" for c in card.claims)):
        values += [figure(match)[0] for match in FIGURE.finditer(plain(text))]
    return [*values, card.year]


def numbers_in(value):
    """All numbers of nested dicts and sequences."""
    if isinstance(value, dict | list | tuple):
        return list(chain.from_iterable(map(numbers_in, value.values() if isinstance(value, dict) else value)))
    return [float(value)] if isinstance(value, Number) else []


def figure(match):
    """(value, how far from it a number may lie that is rounded to it) of a number in a text."""
    digits, exponent = match[1].replace(",", ""), int(match[2] or match[3] or 0)
    zeros = len(digits) - len(digits.rstrip("0"))
    last = -len(digits.partition(".")[2]) if "." in digits else min(zeros, max(0, len(digits) - 3))
    return float(digits) * 10.0**exponent, 0.5 * 10.0**(last + exponent)


def supported(match, text, values):
    """Whether a number in a text needs no record, or has one."""
    digits = match[1].replace(",", "")
    if not (len(digits) >= 3 or match[2] or match[3]):
        return True
    if re.fullmatch(r"(19|20)\d\d", match[1]) and YEAR.search(text[:match.start()]):
        return True
    value, margin = figure(match)
    units = (1,) if match[4] is None else (1, 0.01)
    return any(abs(abs(v) - value * unit) <= margin * unit * (1 + 1e-6) for v in values for unit in units)
