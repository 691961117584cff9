"""The summary of a result in the user's language: a model's words around the library's numbers, which are checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.with_model.answers import Paragraph

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
FREE = 10
"""Whole numbers up to this need no fact: "two of three", "step 1"."""


class SummaryAnswer(BaseModel):
    """The summary."""

    summary: Annotated[Paragraph, Field(min_length=20, description="three to six sentences")]


def summarised(
    facts: Mapping[str, Any], model: LanguageModel, *, language: str, expertise: str, patience: float
) -> tuple[str, str]:
    """The summary and, when it is not used, why: an answer with a number that is none of the facts is refused.

    Args:
        facts: The result as JSON values; all that the summary may speak of.
        language: ISO code of the language that the user wrote in.
        expertise: `novice`, `practitioner` or `expert`.
    """
    answer = model.ask(
        "report", SummaryAnswer, patience=patience, facts=dict(facts), language=language, expertise=expertise
    )
    if answer.value is None:
        return "", answer.detail
    text = " ".join(answer.value.summary.split())
    invented = unknown_numbers(text, facts)
    if invented:
        return "", f"it names numbers that were not measured: {', '.join(invented[:5])}"
    return text, ""


def unknown_numbers(text: str, facts: Mapping[str, Any]) -> list[str]:
    """Numbers of a text that are no fact, not even rounded or as a percentage."""
    known = list(_numbers(facts))
    return [match.group() for match in _NUMBER.finditer(text) if not _stated(match.group(), known)]


def _stated(written: str, known: list[float]) -> bool:
    return any(_close(value, digits, known) for value, digits in _readings(written))


def _readings(written: str) -> Iterator[tuple[float, int]]:
    """What a written number can mean, with its digits behind the point: 1,234 is a thousand here, a fraction there."""
    for text in {written.replace(",", ""), written.replace(".", "").replace(",", ".")}:
        if text.count(".") <= 1:
            yield float(text), len(text.partition(".")[2])


def _close(value: float, digits: int, known: list[float]) -> bool:
    if not digits and value <= FREE:
        return True
    unit = 0.5 * 10.0**-digits + 1e-9
    return any(abs(value - fact * scale) <= unit for fact in known for scale in (1.0, 100.0))


def _numbers(facts: Any) -> Iterator[float]:
    """All numbers of the facts, those inside their texts too."""
    if isinstance(facts, Mapping):
        for name, value in facts.items():
            yield from _numbers(name)
            yield from _numbers(value)
    elif isinstance(facts, list | tuple):
        for value in facts:
            yield from _numbers(value)
    elif isinstance(facts, str):
        for match in _NUMBER.finditer(facts):
            yield from (value for value, _ in _readings(match.group()))
    elif isinstance(facts, int | float) and not isinstance(facts, bool):
        yield abs(float(facts))


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without what is empty, in plain JSON."""
    kept = {name: value for name, value in facts.items() if value not in (None, "", [], {}, ())}
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return plain
