"""Where the words ask for scores by the values of a column: "accuracy for each region", "is it fair across gender?"."""

from __future__ import annotations

import re
from functools import lru_cache

_SCORES = (
    r"accurac(?:y|ies)|recalls?|precisions?|f1(?:[- ]scores?)?|(?:roc[- ])?aucs?|r2|rmse|mae|mape|mse|log[- ]loss"
    r"|brier(?: scores?)?|metrics?|fairness"
    r"|(?:how|whether) (?:good|accurate|reliable|fair)(?: (?:it|the model|they) (?:is|are))?"
)
"""What is told apart, for sure."""
_LOOSE = r"scores?|results?|errors?(?: rates?)?|performance|quality|evaluation"
"""The same, where it is not what shall be predicted ("predict the score for each student")."""
_BETWEEN = (
    r"(?:[\s(,:=<>≥≤%\d.]|\b(?:of|is|are|be|should|must|shall|at|least|most|above|below|over|under|more|less|than|the"
    r"|a|an|model|model's|its|it|on|test|also|shown|given|reported|measured|computed|separately|broken|down|split|up"
    r"|grouped|compared?|and|interval|confidence|with)\b)*"
)
_EACH = (
    r"(?:by|per|for (?:each|every|all|both)|in (?:each|every|all|both)|on (?:each|every)|across(?: all)?"
    r"|within(?: each)?|between|among(?:st)?|pro|je)"
)
_FAIR = r"(?:un)?fair(?:ly)?|(?:un)?bias(?:ed)?|discriminat\w*|equally (?:good|well|accurate|reliable)|works?|performs?"
_TOWARDS = rf"(?:{_EACH}|to(?:wards?)? (?:each|every|all|both)|with (?:respect|regard) to|regarding|against|over)"
_ASKS = re.compile(
    rf"(?<![\w'])(?:(?:{_SCORES}|(?P<loose>{_LOOSE})){_BETWEEN}(?<![\w']){_EACH}"
    rf"|(?:break(?:ing|s)?|split(?:ting)?|slic(?:e|ing))(?: [\w']+){{0,3}}? down {_EACH}|broken down {_EACH}"
    rf"|breakdowns? (?:of (?:the )?(?:{_LOOSE}|{_SCORES}) )?(?:{_EACH}|for|of)|disaggregat\w* {_EACH}"
    rf"|(?:{_FAIR})(?: (?:equally )?(?:good|well|accurate(?:ly)?|is it|it is|the model))? {_TOWARDS}"
    r"|sub-?groups? (?:of|by|in))(?![\w'])"
)
_AIMED = re.compile(
    r"(?<![\w'])(?:predict|forecast|estimat|classif|guess|model|regress|what|which|how)\w*"
    r"(?: (?!and|with|show)[\w'-]+){0,3} $"
)
"""Before what shall be predicted."""
_SEPARATOR = re.compile(r",|&|\+|\b(?:and|or)\b")
_FILLER = re.compile(
    rf"[\s:\"'`“”«»*(]|\b(?:the|a|an|my|our|its|their|his|her|different|single|column|variable|values? of|{_EACH})\b"
)


@lru_cache(maxsize=256)
def _requests(flat: str) -> tuple[tuple[int, str], ...]:
    """Where the words that ask end, and these words."""
    return tuple(
        (match.end(), match.group())
        for match in _ASKS.finditer(flat)
        if not (match["loose"] and _AIMED.search(flat, 0, match.start()))
    )


def told_apart(flat: str, begin: int, place: int) -> str:
    """The words that ask for scores by what stands at a place; empty where none do.

    Args:
        flat: the request in plain lower-case letters.
        begin: where the sentence begins.
    """
    before = [(end, said) for end, said in _requests(flat) if begin <= end <= place]
    if not before:
        return ""
    end, said = before[-1]
    *listed, last = (_FILLER.sub(" ", part).split() for part in _SEPARATOR.split(flat[end:place]))
    return said if not last and all(len(words) <= 2 for words in listed) else ""
