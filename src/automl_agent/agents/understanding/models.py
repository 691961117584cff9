"""Which model families the words ask for, rule out, or mention."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from automl_agent.errors import InputError
from automl_agent.records import Constraint
from automl_agent.tasks.words import text as tx

_FAMILIES = {
    "lightgbm": r"light ?-?gbm|lgbm|lgb",
    "xgboost": r"xg ?-?boost|xgb",
    "catboost": r"cat ?-?boost",
    "hist gradient boosting": r"hist(?:ogram)?[- ]?(?:based )?gradient[- ]?boosting",
    "gradient boosting": r"(?:gradient[- ]?)?boost(?:ing|ed)(?: (?:decision )?trees?| machines?| models?)?|gbms?"
    r"|gbdts?",
    "extra trees": r"extra[- ]?trees?|extremely randomi[sz]ed trees?",
    "random forest": r"random[- ]?forests?|forests? models?",
    "tree": r"decision[- ]trees?|tree[- ]?(?:based )?(?:models?|methods?|ensembles?)|trees",
    "linear": r"(?:generali[sz]ed )?linear (?:models?|methods?|classifiers?|regress(?:ion|ions|or|ors)|ones?)"
    r"|logistic regressions?|ridge(?: regression)?|lasso|elastic[- ]?net|(?<=only )linear\b",
    "neural network": r"(?:deep )?neural (?:net(?:work)?s?|models?)|deep (?:learning|nets?|networks?)|neuronale netze?"
    r"|nns?\b|mlps?|multi-?layer perceptrons?|transformer models?|reseaux? de neurones|redes? neuronal(?:es)?",
    "nearest neighbours": r"(?:k[- ]?)?nearest[- ]neighbou?rs?(?: models?)?|k[- ]?nns?",
    "support vector machine": r"support[- ]vector (?:machines?|classifiers?)|svms?|svcs?|svrs?",
    "naive bayes": r"naive[- ]bayes(?:ian)?",
    "gaussian process": r"gaussian process(?:es)?",
}
"""What people call the families of models; the keys are also tags of candidates."""

_EVERYDAY_WORDS = "mean median constant prior dummy baseline simple interpretable randomised neighbours tree ensemble"
_EVERYDAY = frozenset(_EVERYDAY_WORDS.split())
"""Names of candidates that mean something else in plain language: "want the mean error", "using tree height"."""
_MODEL = r"[\s-]+(?:models?|classifiers?|regressors?|methods?|predictors?)"
_LINK = re.compile(r"\s*(?:,|/|and|or|nor|&|und|oder|et|ou|y|o|plus|, (?:and|or|nor))\s*(?:also |any |a |an |only )*")
_NEGATIVE = re.compile(
    r"(?:\b(?:no|(?:do |must |should |can)?not|without|avoid\w*|never|except|exclud\w*|rather than|instead of"
    r"|anything but|other than|kein\w*|ohne|sans|pas de|sin|ningun\w*|nor|ban\w*|cannot use|forbid\w*)"
    r"|\b\w+n't(?: \w+)?|\bdont(?: \w+)?)(?: (?:use|using|try|train|include|want|be|any|more|kind|of|the|a|an"
    r"|allowed|like))* *$"
)
_POSITIVE = re.compile(
    r"\b(?:use|using|only|just|with|by|train\w*|fit|build|create|via|must be|should be|has to be|have to be|want"
    r"|need|require|apply|choose|employ|through|based on|mit|avec|con|utilis\w*|nutze|verwende\w*|usa\w*|stick to"
    r"|restrict\w* to|limit(?:ed)? (?:yourself )?to|prefer\w*)(?: (?:a|an|the|me|only|just|some|simple|plain|single"
    r"|good|regulari[sz]ed|one|nothing but|of|model|classifier|regressor|kind))* *$"
)
_SOFT = re.compile(
    r"\b(?:prefer\w*|maybe|perhaps|e\.g\.|such as|like|not only|compare|for example|try)(?: \w+){0,3} *$"
)
_AFTERWARDS = re.compile(
    r"(?: models?)? (?:only|is required|must be used|is (?:forbidden|not allowed)|are (?:forbidden|not allowed))\b"
)


@dataclass(frozen=True)
class ModelWishes:
    """Model families by what the words say of them."""

    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()
    """Spoken of without being required: worth trying."""
    required_words: str = ""
    excluded_words: str = ""

    def constraints(self) -> tuple[Constraint, ...]:
        """What is required and ruled out, as constraints on `model_family`.

        Raises:
            InputError: when all that is required is ruled out, too.
        """
        if self.required and set(self.required) <= set(self.excluded):
            both = f"'{self.required_words}' and '{self.excluded_words}'"
            raise InputError(f"{both} contradict each other (model_family).", hint="Keep one of them.")
        found = []
        if self.required:
            found.append(
                Constraint(measure="model_family", comparison="in", value=self.required, words=self.required_words)
            )
        if self.excluded:
            found.append(
                Constraint(measure="model_family", comparison="not in", value=self.excluded, words=self.excluded_words)
            )
        return tuple(found)


def read_models(words: str, models: Iterable[str] = ()) -> ModelWishes:
    """Model families that the words require, rule out or mention.

    Args:
        words: the request.
        models: further names, as installed candidates call themselves.
    """
    flat = tx.low(words)
    said: dict[str, list[str]] = {"required": [], "excluded": [], "mentioned": []}
    phrases: dict[str, tuple[int, int]] = {}
    previous: tuple[int, str] | None = None
    for start, end, name in _places(flat, models):
        begin = tx.sentence(flat, start)[0]
        linked = previous and begin <= previous[0] and _LINK.fullmatch(flat[previous[0] : start])
        role, left, right = (previous[1], start, end) if linked and previous else _role(flat, begin, start, end)
        if name not in said[role]:
            said[role].append(name)
        first = phrases.get(role, (left, right))
        phrases[role] = (first[0], right) if linked or role not in phrases else first
        previous = (end, role)
    texts = {role: re.sub(r"\s+", " ", words[left:right]).strip() for role, (left, right) in phrases.items()}
    return ModelWishes(
        tuple(said["required"]), tuple(said["excluded"]), tuple(said["mentioned"]),
        texts.get("required", ""), texts.get("excluded", ""),
    )  # fmt: skip


def _places(flat: str, models: Iterable[str]) -> list[tuple[int, int, str]]:
    """Where families are named: start, end, name; of overlapping names the longest."""
    patterns = dict(_FAMILIES)
    for model in models:
        key = tx.low(model).replace("_", " ")
        known = key in patterns or any(re.fullmatch(pattern, key) for pattern in patterns.values())
        if not known and len(key) > 3:
            patterns[key] = re.escape(key).replace(r"\ ", r"[\s_-]") + (_MODEL if key in _EVERYDAY else "")
    found = [(match.start(), match.end(), name) for name, pattern in patterns.items()
             for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", flat)]  # fmt: skip
    found.sort(key=lambda place: (place[0] - place[1], place[0]))
    kept: list[tuple[int, int, str]] = []
    for start, end, name in found:
        if not any(start < other_end and other_start < end for other_start, other_end, _ in kept):
            kept.append((start, end, name))
    return sorted(kept)


def _role(flat: str, begin: int, start: int, end: int) -> tuple[str, int, int]:
    """What the words around a name say of it, and where they begin and end."""
    before = flat[begin:start]
    after = _AFTERWARDS.match(flat, end)
    if after:
        denied = "forbidden" in after.group() or "not allowed" in after.group()
        return ("excluded" if denied else "required"), start, after.end()
    if _SOFT.search(before):
        return "mentioned", start, end
    negative = _NEGATIVE.search(before)
    if negative:
        return "excluded", begin + negative.start(), end
    positive = _POSITIVE.search(before)
    return ("required", begin + positive.start(), end) if positive else ("mentioned", start, end)
