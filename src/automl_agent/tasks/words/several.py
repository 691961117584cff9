"""Requests for several columns at once: "predict toxic, insult and threat", "multi-label", "all of these labels"."""

from __future__ import annotations

import re

from automl_agent.tasks.family import Peek
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.mentions import Mention, mentions

_AND = r"(?:and|und|et|y|&|as well as)"
_JOINED = re.compile(rf"[\"'`”]?\s*(?:,\s*{_AND}?|{_AND})\s*(?:(?:also|the|its|their)\s+)*[\"'`“]?")
_LAST = re.compile(rf"[\"'`”]?\s*,?\s*{_AND}\b")
_ENDED = re.compile(
    r"[\"'`”)\]]*\s*(?:$|[.;:!?(]|,? ?(?:from|for|of|using|with|based|given|per|in|on|at|by|labels?|columns?|flags?"
    r"|together|at once|at the same time|simultaneously|jointly)\b)"
)
"""What may follow the last column of a list: in "predict price, area and rooms are given" it does not end there."""
_ALL = re.compile(
    r"\bmulti[- ]?(?:label|output|target)\w*"
    r"|\ball (?:of )?(?:(?:the|these|those|my|our|its)(?: \w+)? )?(?:labels|targets|tags|outputs|target columns"
    r"|label columns)\b|\b(?:each|every one) of (?:the|these|those|my|our)(?: \w+)? (?:labels|targets|tags|outputs)\b"
)


def all_at_once(words: str) -> str:
    """The phrase that asks for several labels of a row, or columns, at once; empty without one."""
    found = _ALL.search(tx.low(words))
    return found.group() if found else ""


def listed_targets(words: str, peek: Peek) -> tuple[str, ...]:
    """The columns of a list that is asked for; empty when the words do not list several.

    A list without "and" counts only where all its columns have two values: what follows a comma is mostly no target.
    """
    found = mentions(words, peek)
    start = next((i for i, each in enumerate(found) if each.role == "goal" and each.direct), None)
    if start is None:
        return ()
    run = _run(words, found[start:])
    names = tuple(dict.fromkeys(mention.column for mention in run))
    if len(names) < 2 or not _ENDED.match(tx.low(words), run[-1].end):
        return ()
    columns = [column for name in names if (column := peek.column(name))]
    closed = _LAST.match(tx.low(words), run[-2].end) is not None
    return names if closed or all(column.distinct == 2 for column in columns) else ()


def _run(words: str, found: tuple[Mention, ...]) -> list[Mention]:
    """The first mention and those that follow it with nothing but commas and "and" between."""
    run = [found[0]]
    for mention in found[1:]:
        if not _JOINED.fullmatch(tx.low(words), run[-1].end, mention.start):
            break
        run.append(mention)
    return run
