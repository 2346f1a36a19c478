"""How the generated pages write numbers and prose."""

import math
import re


def number(value, digits=4):
    """A number for people: grouped thousands, four significant digits, 0.99996 not rounded to 1."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if not math.isfinite(value) or value == int(value):
        return (
            f"{int(value):,}"
            if math.isfinite(value) and abs(value) < 1e12
            else f"{value:g}".replace("e+", "e")
        )
    if abs(value) >= 10 ** (digits - 1):
        return (
            f"{value:,.0f}" if abs(value) < 1e12 else f"{value:.{digits - 1}e}".replace("e+", "e")
        )
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
