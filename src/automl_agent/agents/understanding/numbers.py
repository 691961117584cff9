"""Numbers, units and comparisons as people write them."""

from __future__ import annotations

import re

from automl_agent.records import Comparison

NUMBER = (
    r"(?P<number>(?<![\w.,])[-−+]?(?:[1-9]\d{0,2}(?:[,']\d{3})+(?:\.\d+)?(?!\d)|\d+[.,]\d+|\.\d+"
    r"|\d+)(?:e[-+]?\d+)?)(?P<percent>\s*(?:%|percent\b|per cent\b|prozent\b|pour ?cent\b|por ciento\b))?"
)
"""A number with an optional sign for percent; groups `number` and `percent`."""

COMPARISONS: tuple[tuple[Comparison, str], ...] = (
    (">=", r">=|=>|≥|⩾|at least|at minimum|no(?:t)? (?:less|lower|worse|smaller|fewer) than|not (?:be |fall "
           r"|drop |go )?below|never below|(?:a )?minimum(?: of)?|min\b\.?|mindestens|minimum|au moins|(?:al"
           r"|por lo) menos|almeno|pelo menos"),
    ("<=", r"<=|=<|≤|⩽|at most|at maximum|no(?:t)? (?:more|greater|higher|larger|bigger|longer|slower|worse) than"
           r"|not (?:be |go |rise )?above|never above|(?:a )?max(?:imum)?(?: of)?\b\.?|up to|within"
           r"|not (?:to )?exceed(?:ing)?|(?:does|do|must|should|may|can|to)(?: not|n't) exceed|hochstens|maximal"
           r"|innerhalb(?: von)?|au plus|en moins de|como (?:maximo|mucho)|a lo sumo|capped at|limited to"),
    (">", r">|(?:more|greater|higher|better|larger) than|above|over|exceed(?:s|ing)?|beat(?:s|ing)?|surpass(?:es|ing)?"
           r"|north of|uber|plus de|mas de|besser als|mehr als|mayor que|superieure? a"),
    ("<", r"<|(?:less|lower|smaller|fewer|faster|shorter|quicker) than|below|under|beneath|sub-?|unter|weniger als"
           r"|moins de|menos de|menor que|inferieure? a"),
)  # fmt: skip
"""Comparisons and the words for them; the longest match at a place counts."""

COMPARE = re.compile(
    r"(?:(?<!\w)|(?=[<>=≥≤⩾⩽]))(?:"
    + "|".join(f"(?P<c{i}>{words})" for i, (_, words) in enumerate(COMPARISONS))
    + r")(?:(?<=[<>=≥≤⩾⩽.-])|(?!\w))"
)
AFTERWARDS: tuple[tuple[Comparison, str], ...] = (
    (">=", r"\s?(?:\+(?!\d)|(?:or|and) (?:more|better|higher|above|over)|(?:at )?minimum|min\b|oder mehr|o mas|ou plus"
           r"|or greater|at least)"),
    ("<=", r"\s?(?:or|and) (?:less|lower|fewer|faster|smaller|below|under|better|quicker)"
           r"|\s?(?:at (?:the )?(?:most|maximum)|max(?:imum)?\b|tops|limit\b|budget\b|or under)"),
)  # fmt: skip

_COUNTS = {"half an": "0.5", "half a": "0.5", "a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4",
           "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10", "twelve": "12",
           "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
           "seventy": "70", "eighty": "80", "ninety": "90", "ninety five": "95", "ninety-five": "95",
           "hundred": "100", "a hundred": "100"}  # fmt: skip

_SPELT_UNITS = r"(?:milli|micro)?-?seconds?\b|minutes?\b|hours?\b|(?:kilo|mega|giga)-?bytes?\b|per ?cent\b|%"

TIME_UNITS = {  # in milliseconds
    r"(?:ms|msecs?|millis|milli-?seconds?|millisekunden?|millisecondes?|milisegundos?)": 1.0,
    r"(?:[µμu]s|micro-?seconds?)": 0.001,
    r"(?:s|secs?|seconds?|sekunden?|secondes?|segundos?)": 1000.0,
    r"(?:min|mins|minutes?|minuten?|minutos?)": 60_000.0,
    r"(?:h|hrs?|hours?|stunden?|heures?|horas?)": 3_600_000.0,
}
SIZE_UNITS = {  # in megabytes
    r"(?:kb|kilo-?bytes?)": 0.001,
    r"(?:kib)": 1.024e-3,
    r"(?:mb|megs?|mega-?bytes?)": 1.0,
    r"(?:mib)": 1.048576,
    r"(?:gb|gigs?|giga-?bytes?)": 1000.0,
    r"(?:gib)": 1073.741824,
    r"(?:tb|tera-?bytes?)": 1_000_000.0,
}


def value(number: str) -> float:
    """The value of a written number: `.8`, `0,9`, `1,000`, `−5`."""
    number = number.replace("−", "-").replace("'", "")
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", number):
        return float(number.replace(",", ""))
    return float(number.replace(",", "."))


def with_digits(text: str) -> str:
    """The text with counts in words made digits, where a unit or a percent sign follows: "half a second".

    The length is kept: the freed places are blanks before the unit.
    """
    names = "|".join(sorted((name.replace(" ", r"\s") for name in _COUNTS), key=len, reverse=True))

    def digits(match: re.Match[str]) -> str:
        return _COUNTS[re.sub(r"\s", " ", match.group(1))].ljust(len(match.group(1)))

    text = re.sub(r"sub-(?=milli|micro|second|minute)", "< 1 ", text)
    return re.sub(rf"(?<![\w.])({names})(?=[\s-]+(?:{_SPELT_UNITS}))", digits, text)


def comparison(match: re.Match[str], better: Comparison) -> Comparison:
    """The comparison of a match of `COMPARE`; "better than" and "beats" mean `better`."""
    if re.match(r"better|beat|surpass|besser", match.group()):
        return better
    return next(sign for i, (sign, _) in enumerate(COMPARISONS) if match.group(f"c{i}") is not None)


def worded(before: str, filler: str, better: Comparison) -> tuple[Comparison, int] | None:
    """The comparison that stands at the end of a text, with at most fillers behind it, and where it begins."""
    found = [match for match in COMPARE.finditer(before) if re.fullmatch(filler, before[match.end() :])]
    return (comparison(found[-1], better), found[-1].start()) if found else None


def afterwards(after: str, better: Comparison) -> tuple[Comparison, int] | None:
    """The comparison that begins a text ("... or more"), and where it ends."""
    for sign, words in AFTERWARDS:
        match = re.match(rf"(?:{words})", after)
        if match:
            return ("<=" if better == "<" else ">=") if "better" in match.group() else sign, match.end()
    return None
