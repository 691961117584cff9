"""Metrics that people name with a number: what errors cost, and how good the first rows of a list are."""

from __future__ import annotations

import re

_LIST = r"customers|cases|rows|leads|ones|results|scores|users|clients|patients|transactions"
_TOP = re.compile(
    r"(?<!\w)(?P<kind>precision|recall|hit rate)"
    r"(?:@ ?| at (?:k ?= ?|the top |top )| (?:of|in|among|within|for|on) (?:the |our |my )?top[- ])"
    rf"(?P<size>\d*\.?\d+)(?P<percent> ?(?:%|percent|per cent))?(?: (?:{_LIST})(?!\w))?"
    r"|(?<!\w)top[- ](?P<before>\d*\.?\d+)(?P<percents> ?(?:%|percent|per cent))?[- ]"
    r"(?P<after>precision|recall|hit rate)(?!\w)"
)
_ONE = r"(?<!\w)(?:an? |each |every |one |the )?"
_MISS = (
    rf"{_ONE}(?:(?:false negatives?|miss(?:es)?|fns?)(?!\w)"
    r"|(?:missed|missing|overlook(?:ed|ing)|undetected|unnoticed)(?: (?:an?|one|the))?(?: [\w-]+){1,2}?)"
)
_ALARM = (
    rf"{_ONE}(?:(?:false (?:alarms?|positives?|alerts?)|fps?)(?!\w)"
    r"|(?:needless|unnecessary|wasted|unneeded|useless)(?: [\w-]+){1,2}?)"
)
_NUMBER = r"\d+(?:\.\d+)?"
_COSTS = r"(?: (?:would )?costs?(?: (?:us|me))?(?: (?:about|around))?| is worth|:| is| at| =|=)? "
_PRICE = r"[$€£]? ?(?P<{}>" + _NUMBER + r")(?: ?(?:[$€£]|euros?|dollars?|eur|usd|points?|units?))?"
_AND = r"[,;]?(?: (?:and|while|but|whereas))?(?: the cost of)? "
_TIMES = (
    rf"(?: (?:would )?costs?(?: (?:us|me))?| (?:is|are))(?: (?:about|around))? (?P<times>{_NUMBER}|twice|double)"
    r"(?:[- ]?(?:times|x|fold))?(?: as (?:much|bad|costly|expensive|serious|important)"
    r"| more(?: (?:costly|expensive|serious))?| worse| costlier)?(?: (?:as|than))? (?:that of )?"
)
_RATIOS = tuple(re.compile(pattern) for pattern in (_MISS + _TIMES + _ALARM, _ALARM + _TIMES + _MISS))
_PRICES = tuple(
    re.compile(one + _COSTS + _PRICE.format("one") + _AND + other + _COSTS + _PRICE.format("other"))
    for one, other in ((_MISS, _ALARM), (_ALARM, _MISS))
)
_NAMED = re.compile(rf"(?<!\w)cost\({_NUMBER}:{_NUMBER}\)")

Place = tuple[int, int, str]
"""Start, end and the metric's name."""


def tops(flat: str) -> list[Place]:
    """Precision or recall of the rows that are likeliest positive: "precision among the top 100", "recall@5%"."""
    found = []
    for match in _TOP.finditer(flat):
        kind = "recall" if "recall" in (match["kind"], match["after"]) else "precision"
        percent = "%" if match["percent"] or match["percents"] else ""
        found.append((match.start(), match.end(), f"{kind}@{match['size'] or match['before']}{percent}"))
    return [place for place in found if place[2].endswith("%") or "." not in place[2]]


def priced(flat: str) -> list[Place]:
    """What a missed positive and a false alarm cost: "a missed fraud costs 50 times as much as a false alarm",
    "false negatives cost 10 and false positives 1"."""
    found = [(match.start(), match.end(), match[0]) for match in _NAMED.finditer(flat)]
    for miss_first, pattern in zip((True, False), _RATIOS, strict=True):
        for match in pattern.finditer(flat):
            times = "2" if match["times"] in ("twice", "double") else match["times"]
            found.append((match.start(), match.end(), f"cost({times}:1)" if miss_first else f"cost(1:{times})"))
    for miss_first, pattern in zip((True, False), _PRICES, strict=True):
        for match in pattern.finditer(flat):
            prices = (match["one"], match["other"]) if miss_first else (match["other"], match["one"])
            found.append((match.start(), match.end(), "cost({}:{})".format(*prices)))
    return found
