"""Classes that have an order: words, letters and numbers that are steps of a scale, and requests that say so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from automl_agent.errors import InputError
from automl_agent.tasks.words import text as tx

_WORDS: dict[str, str] = {
    "amount": "none|no|zero,very low|lowest,low,medium low|low medium,medium|moderate|mid|middle|average|normal|med,"
    "medium high,high,very high|highest,extreme|critical",
    "quality": "very poor|very bad|terrible|awful|worst,poor|bad|unacceptable|unacc,below average|insufficient,"
    "fair|average|ok|okay|satisfactory|acceptable|acc|sufficient|standard|mediocre,above average,good,"
    "very good|vgood|great,excellent|premium,outstanding|exceptional|perfect|ideal|best",
    "severity": "none|no|absent|healthy,minimal|trace,mild|slight|light|minor,moderate|medium,"
    "severe|serious|major|heavy,very severe|critical|extreme|proliferative,fatal",
    "priority": "trivial|lowest,minor|low,normal|medium,major|high|important,critical|urgent|highest,blocker|immediate",
    "frequency": "never,almost never|hardly ever,rarely|seldom,occasionally,sometimes,often|frequently|usually,"
    "very often|almost always,always",
    "size": "tiny|extra small|very small,small,medium|mid|middle|average,large|big,"
    "extra large|very large|very big|huge,enormous|gigantic",
    "sizes in letters": "xxs,xs,s,m,l,xl,xxl|2xl,xxxl|3xl,xxxxl|4xl",
    "agreement": "strongly disagree|totally disagree|completely disagree,disagree,somewhat disagree|slightly disagree,"
    "neutral|neither agree nor disagree|undecided|neither,somewhat agree|slightly agree,agree,"
    "strongly agree|totally agree|completely agree",
    "satisfaction": "very dissatisfied|very unsatisfied,dissatisfied|unsatisfied,somewhat dissatisfied,neutral|neither,"
    "somewhat satisfied,satisfied,very satisfied",
    "likelihood": "impossible,very unlikely,unlikely,neutral|possible,likely|probable,very likely,certain",
    "difficulty": "very easy,easy,medium|moderate|intermediate|normal,hard|difficult,very hard|very difficult|extreme",
    "skill": "beginner|novice|basic,elementary,intermediate,advanced,expert|master",
    "education": "none,primary|elementary,secondary|high school,associate,bachelor|bachelors|tertiary|higher,"
    "master|masters,doctorate|phd|doctoral",
    "stage": "0,i,ii,iii,iv,v,vi",
    "sentiment": "very negative,negative,neutral,positive,very positive",
    "grade": "a+,a,a-,b+,b,b-,c+,c,c-,d+,d,d-,e+,e,e-,f",
}  # fmt: skip
"""Scales from one end to the other; a step may have several names."""
SCALES = {
    what: {name: step for step, names in enumerate(steps.split(",")) for name in names.split("|")}
    for what, steps in _WORDS.items()
}
_RATED = frozenset({
    "rating", "score", "grade", "star", "severity", "quality", "level", "stage", "priority", "satisfaction", "urgency",
    "difficulty", "likert", "tier", "intensity", "risk", "importance",
})  # fmt: skip
"""What columns are called whose numbers are steps."""
_NUMBERED = re.compile(r"(?:(?P<before>[a-z]+)[ -]?)?(?P<number>\d+)(?:[ -]?(?P<after>[a-z]+))?")
_SAID = re.compile(
    r"\b(?:ordinal|ordered (?:class|categor|level|label|target|grade|rating)\w*|likert"
    r"|order of the (?:classes|levels|grades|categories)"
    r"|(?:rating|rated|scale|scores?|grades?|stars?|severity|quality|levels?)(?: (?:it|them|is|are|goes|ranges|runs))?"
    r" (?:from |of |between )?\d{1,2} ?(?:to|-|–|and|through|\.\.) ?\d{1,2}"
    r"|(?:from )?\d{1,2} ?(?:to|-|–) ?\d{1,2} (?:scale|stars?|ratings?))\b"
)
MOST = 11
"""Steps of a scale of numbers at most: 0 to 10. More of them are a number to be predicted."""


@dataclass(frozen=True)
class Scale:
    """Labels in their order."""

    labels: tuple[str, ...]
    reason: str
    """One sentence."""
    said: bool = False
    """Whether the words speak of the order: then a far miss is worse than a near one. Else people mostly ask how many
    answers are right."""

    @property
    def text(self) -> str:
        return " < ".join(self.labels)


def find_scale(labels: Sequence[str], name: str, words: str = "") -> Scale | None:
    """The order of three or more labels, when they are steps of a scale; `None` when they are not.

    Args:
        labels: all labels of a column.
        name: the column, whose numbers or letters are steps when it is called so ("rating", "grade").
        words: the request, which may say that the classes are ordered, or how (`low < medium < high`).
    """
    if len(labels) < 3:
        return None
    if chain := _chain(labels, words):
        return Scale(chain, f"The words give the order of the classes of '{name}'.", said=True)
    said = _SAID.search(tx.low(words))
    because = f"The words say '{said.group().strip()}'" if said else ""
    rated = next((part for part in map(_single, tx.names(name)) if part in _RATED), "")
    if (values := _numbers(labels)) is not None:
        counted = _counted(labels)
        if not (said or rated or counted) or not _steps(values):
            return None
        ordered = tuple(label for _, label in sorted(zip(values, labels, strict=True)))
        why = because or (f"'{name}' is called like a {rated}" if rated else f"'{labels[0]}' is a {counted}")
        return Scale(ordered, f"{why}: its numbers are steps of a scale.", bool(said))
    if found := _in_words(labels):
        what, ordered = found
        if what == "grade" and not (said or rated):
            return None  # letters may be names of groups
        return Scale(ordered, f"The classes of '{name}' are steps of a scale ({what}).", bool(said))
    return None


def given_order(option: str, labels: Sequence[str], name: str) -> tuple[str, ...]:
    """The labels in the order that an option gives: `low,medium,high` or `low<medium<high`.

    Raises:
        InputError: a class is missing, there twice, or not in the data.
    """
    parts = [part.strip() for part in option.split("<" if "<" in option else ",")]
    known = {label.casefold(): label for label in labels}
    unknown = [part for part in parts if part.casefold() not in known]
    missing = [label for label in labels if label.casefold() not in {part.casefold() for part in parts}]
    if unknown or missing or len(parts) != len(labels):
        wrong = f"lacks {missing[0]!r}" if missing else f"names {unknown[0]!r}" if unknown else "names a class twice"
        raise InputError(
            f"The option order {wrong}; the classes of {name!r} are {', '.join(labels[:10])}.",
            hint="Give each class once, from one end to the other: order=LOW,MEDIUM,HIGH (--set).",
        )
    return tuple(known[part.casefold()] for part in parts)


def in_order(labels: Sequence[str]) -> bool:
    """Whether labels stand in an order that is known: numbers by size, or steps of a scale."""
    if (values := _numbers(labels)) is not None:
        return values == sorted(values)
    found = _in_words(labels)
    return found is not None and list(found[1]) == list(labels)


# ---------------------------------------------------------------- numbers


def _numbers(labels: Sequence[str]) -> list[float] | None:
    """The numbers that labels are, or hold beside what they count ("3 stars"); `None` when one holds none."""
    try:
        return [float(label) for label in labels]
    except ValueError:
        pass
    found = [_NUMBERED.fullmatch(label.strip().casefold()) for label in labels]
    return [float(match["number"]) for match in found if match] if _counted(labels) else None


def _counted(labels: Sequence[str]) -> str:
    """What all labels count beside a number: `star`, `grade`, ...; empty when there is no such word."""
    found = [_NUMBERED.fullmatch(label.strip().casefold()) for label in labels]
    around = {_single(match["before"] or match["after"] or "") if match else "" for match in found}
    return around.pop() if len(around) == 1 and around <= _RATED else ""


def _steps(values: list[float]) -> bool:
    """Whether numbers can be the steps of a scale: few of them, whole or halves, close together."""
    if len(values) > MOST or any(value * 2 != round(value * 2) for value in values):
        return False
    return min(values) >= -5 and max(values) <= 100 and max(values) - min(values) < 2 * len(values)


def _single(word: str) -> str:
    return word[:-1] if word.endswith("s") else word


# ---------------------------------------------------------------- words


def _in_words(labels: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The scale that words or letters belong to, and the labels in its order."""
    for plain in _plain(labels):
        for what, steps in SCALES.items():
            places = [steps.get(label, -1) for label in plain]
            if min(places) >= 0 and len(set(places)) == len(places):
                return what, tuple(label for _, label in sorted(zip(places, labels, strict=True)))
    return None


def _plain(labels: Sequence[str]) -> list[list[str]]:
    """Labels as scales write them: alone, without a leading number, without a word that all share ("low risk")."""
    flat = [re.sub(r"[\s_]+|(?<=\w)-(?=\w)", " ", label.strip().casefold()) for label in labels]
    forms = [flat, [re.sub(r"^\d+ ?[-:.=)]? ?", "", label) for label in flat]]
    words = [label.split() for label in flat]
    if all(len(each) > 1 for each in words):
        if len({each[-1] for each in words}) == 1:
            forms.append([" ".join(each[:-1]) for each in words])
        if len({each[0] for each in words}) == 1:
            forms.append([" ".join(each[1:]) for each in words])
    return [form for form in forms if len(set(form)) == len(labels)]


def _chain(labels: Sequence[str], words: str) -> tuple[str, ...]:
    """The labels as the words put them in order: `low < medium < high`; empty when they do not name all."""
    if words.count("<") < len(labels) - 1:
        return ()
    name = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    found = re.search(rf"(?<!\w)(?:{name})(?:\s*<\s*(?:{name}))+(?!\w)", words, re.IGNORECASE)
    parts = [part.strip().casefold() for part in found.group().split("<")] if found else []
    known = {label.casefold(): label for label in labels}
    return tuple(known[part] for part in parts) if sorted(parts) == sorted(known) else ()
