"""The words and lists of answers: bounded for the model, and cut rather than refused where it says more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _cut(longest: int) -> Callable[[Any], Any]:
    def cut(value: Any) -> Any:
        if value is None:
            return ""
        text = str(value) if isinstance(value, str | int | float | bool) else value
        return text[:longest] if isinstance(text, str) else text

    return cut


def _first(most: int) -> Callable[[Any], Any]:
    def first(value: Any) -> Any:
        if value is None:
            return []
        if isinstance(value, str):  # one thing instead of a list of it
            return [value] if value.strip() else []
        return value[:most] if isinstance(value, list) else value

    return first


Name = Annotated[str, BeforeValidator(_cut(60)), Field(max_length=60)]
Line = Annotated[str, BeforeValidator(_cut(100)), Field(max_length=100)]
Sentence = Annotated[str, BeforeValidator(_cut(400)), Field(max_length=400)]
Paragraph = Annotated[str, BeforeValidator(_cut(1500)), Field(max_length=1500)]
Names = Annotated[list[Name], BeforeValidator(_first(8)), Field(max_length=8)]
Sentences = Annotated[list[Sentence], BeforeValidator(_first(5)), Field(max_length=5)]
Few = BeforeValidator(_first(4))
"""For lists of records: `Annotated[list[X], Few, Field(max_length=4)]`."""
Many = BeforeValidator(_first(12))
