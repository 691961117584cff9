"""What a language model is asked to answer about a request. Everything is optional, short, and comes with a quote.

Small models answer every yes-or-no question with yes; a quote can be looked up in the words of the user.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _text(value: Any) -> Any:
    """`null` and numbers as text: models write both where a text is asked for."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else value


def _items(value: Any) -> Any:
    return [] if value is None else value


Name = Annotated[str, BeforeValidator(_text), Field(max_length=400)]
Quote = Annotated[str, BeforeValidator(_text), Field(max_length=300)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Said(_Answer):
    """Something that the user said, and where. Both are empty when he did not say it."""

    value: Name = Field(default="", description="What was meant; empty if it was not said.")
    quote: Quote = Field(default="", description="The user's own words that say so, copied exactly.")


_Several = Annotated[list[Said], BeforeValidator(_items), Field(max_length=8)]


class SaidLimit(_Answer):
    """A requirement with a number."""

    measure: Name = Field(default="", description="One of the listed measures or metrics.")
    comparison: Name = Field(default="", description="<=, <, >= or >")
    value: Name = Field(default="", description="The number as the user wrote it.")
    unit: Name = Field(default="", description="Its unit as the user wrote it, such as ms, s, MB or %; may be empty.")
    quote: Quote = Field(default="", description="The user's own words with the number, copied exactly.")


class RequestAnswer(_Answer):
    """What a user's request says."""

    target: Annotated[Said, Field(description="The listed column that shall be predicted.")] = Said()
    task: Annotated[Said, Field(description="One of the listed tasks, or another kind of work in one word.")] = Said()
    metric: Annotated[Said, Field(description="The listed metric that suits what the user cares about.")] = Said()
    positive: Annotated[Said, Field(description="The class of the target that the user asks about.")] = Said()
    constraints: Annotated[list[SaidLimit], BeforeValidator(_items), Field(max_length=6)] = []
    time: Annotated[Said, Field(description="The listed column that orders the rows in time.")] = Said()
    group: Annotated[Said, Field(description="The listed column whose equal values belong together.")] = Said()
    weight: Annotated[Said, Field(description="The listed column that tells how much each row counts.")] = Said()
    by: Annotated[_Several, Field(description="Listed columns for whose values the scores are asked one by one.")] = []
    ignore: Annotated[_Several, Field(description="Listed columns that must not be used.")] = []
    deliverables: Annotated[_Several, Field(description="Listed deliverables that the user asks for.")] = []
    expertise: Annotated[Said, Field(description="novice, practitioner or expert, from how the user writes.")] = Said()
    language: Annotated[Name, Field(description="ISO 639-1 code of the language of the request, such as en.")] = ""


class ScopeAnswer(_Answer):
    """What a request wants to have predicted or found in data, if it does."""

    work: Name = Field(default="", description="The kind of machine-learning work in a few words; empty if none.")
    quote: Quote = Field(default="", description="The user's own words that ask for it, copied exactly.")
