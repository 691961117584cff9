"""Words that people use for one thing in tables. Small on purpose: names and values of the data come first."""

from __future__ import annotations

from functools import lru_cache

from automl_agent.tasks.words.text import stem

_GROUPS = (
    "price cost amount value worth fare charge fee rent payment expense spend pay expensive"
    " preis prix precio kosten kostet coute coutent cuesta",
    "churn leave attrition quit cancel exit exited turnover unsubscribe resign stay retention retain kundigung",
    "survive survived survival die death dead alive decease mortality fatal perish",
    "default repay repaid delinquent insolvent creditworthy bad risk",
    "fraud fraudulent scam",
    "spam ham junk",
    "diagnosis diagnose disease cancer malignant benign tumour sick ill illness condition krankheit maladie",
    "buy purchase convert conversion subscribe order deposit",
    "salary income wage earnings earn compensation gehalt salaire",
    "age old alter edad",
    "weight heavy mass gewicht poids",
    "height tall",
    "temperature temp hot cold warm",
    "duration long length minutes",
    "sales revenue turnover sell umsatz",
    "consumption mileage mpg economy",
    "rating score stars grade quality note",
    "approve accept grant approval admit admission",
    "fail failure broken defect defective breakdown fault",
    "delay late lateness delayed",
    "species kind sort breed variety plant art espece especie",
    "sentiment opinion mood polarity",
    "count number cnt total quantity demand rentals many",
    "strength strong",
    "speed fast velocity",
    "distance far",
    "win won winner victory",
    "gender sex",
    "cover covertype",
)

_EVENTS = (
    "malignant fraud fraudulent spam churn churned default defaulted bad fail failed failure died dead death"
    " positive ill sick disease diseased attrition attrited leave exited cancelled canceled defect defective broken"
    " late delayed approved accepted won win survived subscribed purchased bought converted abnormal anomaly attack"
    " infected pathological toxic poisonous high >50k"
)
_OPPOSITES = (
    ("survive survival survived", "die dead death decease perish mortality fatal"),
    ("churn leave attrition exit cancel quit", "stay retain retention loyal remain keep"),
    ("repay", "default"),
    ("fail failure", "pass succeed"),
)

EVENTS = frozenset(stem(word) for word in _EVENTS.split())
"""Values that say that the thing asked about happened."""

AFFIRMATIVE = ("yes", "y", "true", "t", "1", "1.0", "positive", "pos", "present", "ja", "wahr", "oui", "vrai", "si",
               "sim")  # fmt: skip
NEGATIVE = ("no", "n", "false", "f", "0", "0.0", "-1", "-1.0", "negative", "neg", "absent", "none", "nein", "falsch",
            "non", "faux", "nao")  # fmt: skip

CONVENTIONAL = ("target", "target variable", "label", "labels", "class", "class label", "y", "outcome", "response",
                "output", "result", "dependent", "ziel", "klasse", "cible", "classe", "objetivo")  # fmt: skip
"""Names that say nothing but: this is the column to predict."""

_GENERIC = (
    "table data dataset file column row rows csv model value values number type name class label target date time"
    " result output input feature features id code index state status group case cases day unit is has the of and to"
    " in at a an mean max min avg total count std flag med median sum per score level test train year month rate"
)
GENERIC = frozenset(_GENERIC.split())
"""Words that stand in many sentences and in many column names: as a name they must be pointed at."""


_UNITS = "g kg mg lb lbs oz mm cm km mi ft ms sec secs usd eur gbp pct percent mpa kwh"
UNITS = frozenset(_UNITS.split())
"""Parts of names that say what is counted, not what is measured."""

CALENDAR = frozenset(("year", "yr", "month", "mo", "day", "date", "week", "hour"))
"""Parts of names that say that the column holds a time."""


@lru_cache(maxsize=1)
def _index() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, group in enumerate(_GROUPS):
        for word in group.split():
            found.setdefault(stem(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def akin(one: str, other: str) -> bool:
    """Whether two words mean the same thing in tables: `cost` and `price`."""
    index = _index()
    return bool(index.get(stem(one), frozenset()) & index.get(stem(other), frozenset()))


def opposite(one: str, other: str) -> bool:
    """Whether one of two words says that the other did not happen: `survived` and `died`."""
    pair = {stem(one), stem(other)}
    for sides in _OPPOSITES:
        left, right = ({stem(word) for word in side.split()} for side in sides)
        if pair & left and pair & right:
            return True
    return False
