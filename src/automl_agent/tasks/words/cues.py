"""What kind of task the words ask for, whatever the data are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from automl_agent.tasks.words.text import low

_CUES: dict[str, tuple[tuple[float, str], ...]] = {
    "classification": (
        (1.0, r"classif\w*|categori[sz]\w*|klassifizier\w*|clasific\w*|classer|yes[ -]or[ -]no|binary|multi-?class"
              r"|which (?:class|category|kind|type|sort|species|variety|group|label)\b|what (?:kind|type|sort"
              r"|species)\b"),
        (0.6, r"whether|who\b|which \w+ (?:will|are|is|do|does|have|has|can|should)\b|which (?:customers|patients"
              r"|people|users|clients|employees|passengers|students|orders|loans|transactions|machines|flights)\b"
              r"|detect\w*|recogni[sz]\w*|diagnos[ei]\w*|how likely|probability (?:of|that)|chances? (?:of|that)"
              r"|risk of|likelihood|flag\b|tell (?:me )?if|predict if|will (?:a|an|the|this|it|he|she|they)\b|\bob\b"
              r"|churn\w*|fraud\w*|spam|odds|tell \w+ (?:apart|from)|distinguish|identif\w*"),
    ),
    "regression": (
        (1.0, r"regress(?:ion|or|ing)?\b|how (?:much|many|old|tall|heavy|far|long|high|large|big|expensive|strong"
              r"|fast|hot|warm|late)\b|wie ?viele?\b|combien|cuant[oa]s?\b|number of|amount of|numeric(?:al)? value"
              r"|continuous|what [^.?!]*\b(?:costs?|fetch|(?:sell|go) for)\b"),
        (0.6, r"estimat\w*|prices?\b|costs?\b|quantity|schatz\w*|estim[ae]\w*|exact value|forecast\w*|prognos\w*"),
    ),
    "clustering": (
        (1.0, r"cluster\w*|segmentation|find (?:\w+ )?(?:segments|groups|personas)|group (?:\w+ ){0,3}(?:similar"
              r"|alike)|similar groups|unsupervised|segments? (?:of|in|among) (?:my|our|the)|segment (?:my|our|the)\b"
              r"|(?:group|divide|split|sort|separate|partition|organi[sz]e|put)\w* (?:[\w'-]+ ){1,6}into"
              r" (?:[\w-]+ ){0,2}(?:groups|segments|clusters|personas)|which \w+ (?:are alike|belong together)"),
    ),
    "forecasting": (
        (1.0, r"time[- ]series|forecast\w*[^.?!]*\b(?:next|coming|following|ahead|horizon|future)\b"
              r"|\d+[- ](?:steps?|hours?|days?|weeks?|months?|quarters?|years?)[- ]ahead|forecasting? horizon"
              r"|predict[^.?!]*\b(?:for|over|of) the (?:next|coming) \d+ (?:hours?|days?|weeks?|months?|quarters?"
              r"|years?)|predict (?:the )?(?:next|coming) \d+ (?:steps?|hours?|days?|weeks?|months?|quarters?|years?)"),
    ),
    "anomaly detection": ((1.0, r"anomal(?:y|ies) detection|outlier detection|find (?:\w+ )?(?:anomalies|outliers)"
              r"|detect (?:\w+ )?(?:anomalies|outliers)"),),
    "recommendation": ((1.0, r"recommend(?:er|ation)\w*|which products? to recommend|collaborative filtering"),),
    "images": ((1.0, r"images?\b|photos?\b|pictures?\b|pixels?\b|x-?rays?\b"),),
    "graphs": ((1.0, r"node classification|graph neural|citation network|link prediction"),),
}  # fmt: skip

_PATTERNS = {
    kind: tuple((weight, re.compile(rf"(?<!\w)(?:{words})")) for weight, words in cues) for kind, cues in _CUES.items()
}
_YES_OR_NO = re.compile(
    r"(?<!\w)(?:whether|who|churn\w*|fraud\w*|spam|predict if|tell (?:me )?if|yes[ -]or[ -]no|binary|how likely|odds"
    r"|flag|probability (?:of|that)|chances? (?:of|that)|risk of|likelihood"
    r"|will (?:a|an|the|this|it|he|she|they))(?!\w)"
)
_SPECIFIC = ("clustering", "forecasting", "anomaly detection", "recommendation", "images", "graphs")


@lru_cache(maxsize=256)
def wishes(words: str) -> Mapping[str, tuple[float, str]]:
    """Kinds of tasks that the words speak of: kind -> (weight from 0 to 1, the phrase)."""
    flat = low(words)
    found: dict[str, tuple[float, str]] = {}
    for kind, patterns in _PATTERNS.items():
        for weight, pattern in patterns:
            match = pattern.search(flat)
            if match and kind not in found:
                found[kind] = (weight, match.group().strip())
    return MappingProxyType(found)


def asks_for(words: str) -> Literal["class", "number"] | None:
    """Whether the words ask for one of a few answers or for a number, when they say so."""
    said = wishes(words)
    one, other = said.get("classification", (0.0, ""))[0], said.get("regression", (0.0, ""))[0]
    if one == other:
        return None
    return "class" if one > other else "number"


def asks_yes_or_no(words: str) -> bool:
    """Whether the answer can only be one of two: whether, who, a chance."""
    return _YES_OR_NO.search(low(words)) is not None


def other_wish(words: str) -> tuple[str, str] | None:
    """A kind of task that is neither classification nor regression of single rows, and the phrase that asks for it."""
    said = wishes(words)
    return next(((kind, said[kind][1]) for kind in _SPECIFIC if kind in said), None)
