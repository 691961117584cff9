"""Finds data that were only described: the sources are searched side by side, and the user is asked which set is meant.

Nothing is used before it was chosen. It ends after a few seconds, whatever the sources do; those that failed are named.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from automl_agent.errors import InputError
from automl_agent.fetching.protocol import Found, Source
from automl_agent.fetching.side_by_side import side_by_side
from automl_agent.fetching.web import Web
from automl_agent.records import Question

SECONDS = 4.0
"""For all searches together."""
CONNECT_SECONDS = 2.0
SHOWN, PER_SOURCE = 8, 3
_WIDTH = 100
_ASKS = re.compile(
    r"(?<!\w)(?:find|search|look(?:ing)?|get|fetch|suggest|recommend|finde|suche?|such)\b"
    r"(?:\s+(?:for|up|out|me|us|mir|uns|nach|some|any|a|an|the|good|suitable|matching|fitting|public|free|open|online"
    r"|real|right|proper|existing|passenden?|geeigneten?|einen|ein|offene)){0,5}\s+"
    r"(?:data|data-?sets?|data sets?|daten|datensatz|datensätze)\b",
    re.IGNORECASE,
)
_COMMON = """
a about above accuracy after all also among an and any are as at auc automl based be best better build by can case class
classes classification classifier classify column could create data dataset datasets do does each else error estimate
every f1 file files find fit for forecast free from get give given good has have help how i if in into is it its know
learn learning least like likely look machine make many may me model models most much my need not number of on one open
or our out please possible precision predict predicting prediction predictions public recall regression score search set
sets should so some suggest suitable table test than that the their them then there these they this to train trained two
up us use using value values want was we what when where whether which who will with within would you your kaggle online
openml hugging face aus das daten datensatz der die ein eine einen finde für ich im ist mit möchte suche und von
vorhersagen
"""
"""Words that say nothing about what data are wanted."""


@dataclass(frozen=True)
class Hit:
    """A set that was found, and why it is shown."""

    found: Found
    shared: tuple[str, ...]
    """Words of the request that its name or description has."""
    strength: float


def asks_to_find(words: str) -> bool:
    """Whether the words ask for data to be found, such as "find data" and "search for a public data set"."""
    return _ASKS.search(words) is not None


def keywords(words: str) -> tuple[str, ...]:
    """What data are looked for: the words of a request that say something about a subject, at most five."""
    rest, common = _ASKS.sub(" ", words), set(_COMMON.split())
    found = (word for word in re.findall(r"[^\W\d_]{3,}", rest.lower()) if word not in common)
    return tuple(dict.fromkeys(found))[:5]


def offered(question: Question, words: str, sources: Mapping[str, Source], *, online: bool = True,
            seconds: float = SECONDS) -> Question:  # fmt: skip
    """The question for data, with the sets that were found as its choices; or with a line that says why none is.

    Args:
        question: what is asked anyway.
        sources: by scheme.
        online: whether the network may be used.
    """
    wanted = keywords(words)
    if not wanted:
        return question.model_copy(update={"text": f"{question.text} The words do not say what data to find."})
    if not online:
        return question.model_copy(update={"text": f"{question.text} Nothing was searched: fetching is switched off."})
    hits, failures, silent = _searched(wanted, sources, seconds)
    subject = " ".join(wanted)
    failed = f" Not searched: {'; '.join(failures)}." if failures else ""
    if not hits:
        text = f"Nothing was found for '{subject}'." if silent else f"Nothing could be searched for '{subject}'."
        return question.model_copy(update={"text": f"{question.text} {text}{failed}"})
    lines = [f"  {hit.found.name}: {_why(hit)}" for hit in hits]
    text = "\n".join([f"These data sets were found for '{subject}'. Which one shall be learned from?", *lines,
                      *([failed.strip()] if failed else [])])  # fmt: skip
    return Question(field="data", text=text, choices=tuple(hit.found.name for hit in hits))


def _searched(wanted: tuple[str, ...], sources: Mapping[str, Source], seconds: float
              ) -> tuple[list[Hit], list[str], bool]:  # fmt: skip
    """What was found, the best first; what failed, by name; and whether any source on the network answered."""
    web = Web(time.monotonic() + seconds, connect=min(CONNECT_SECONDS, seconds))
    got = side_by_side({name: partial(source.search, wanted, web) for name, source in sources.items()}, seconds)
    hits, failures, answered = [], [], False
    for scheme, source in sources.items():
        answer = got[scheme]
        if isinstance(answer, Exception):
            failures.append(f"{source.title} ({_reason(answer)})")
            continue
        answered = answered or bool(answer)
        hits += sorted(_hits(answer, wanted), key=lambda hit: -hit.strength)[:PER_SOURCE]
    return sorted(hits, key=lambda hit: -hit.strength)[:SHOWN], failures, answered


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) if isinstance(error, InputError | TimeoutError) else type(error).__name__
    return text.partition(". ")[0].rstrip(".").rpartition("cannot be reached: ")[2]


def _hits(found: Iterable[Found], wanted: Sequence[str]) -> Iterable[Hit]:
    for each in found:
        name, about = _stems(f"{each.name} {each.title}"), _stems(each.about)
        shared = tuple(word for word in wanted if _stem(word) in name | about)
        if shared:
            strength = sum(2.0 if _stem(word) in name else 1.0 for word in shared) / len(wanted)
            yield Hit(each, shared, strength)


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in re.findall(r"[^\W\d_]{3,}", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())}


def _stem(word: str) -> str:
    """A word without what makes it plural or a form of a verb: good enough to compare names."""
    return re.sub(r"(?:ies|es|s|ing|ed)$", "", word) if len(word) > 4 else word.rstrip("s")


def _why(hit: Hit) -> str:
    found = hit.found
    size = f", {found.rows:,} rows" if found.rows else ""
    about = f" ({found.about[:_WIDTH].rstrip()}{'...' if len(found.about) > _WIDTH else ''})" if found.about else ""
    words = " and ".join(f"'{word}'" for word in hit.shared)
    return f"{found.title}{size}: it is about {words}{about}"
