"""How a question to a language model ended: a value, or one of a few typed failures. Nothing here raises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

Kind = Literal[
    "ok",
    "empty",  # an answer without content
    "refusal",  # the model declined
    "truncated",  # the answer ended at the token limit: half a program looks like a program
    "unparsable",  # no JSON, or no code block, could be found in it
    "schema",  # JSON that does not validate, after the repair round
    "rate_limited",
    "timeout",
    "auth",
    "not_found",  # no such model or address
    "context_too_long",
    "connection",  # refused, reset, cut off
    "server",  # 5xx, or an answer that is no chat completion
    "limit",  # the purse (cost, tokens, calls) or the run's time does not allow another call
]


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """The end of a question."""

    kind: Kind
    value: T | None = None
    """Set exactly when `kind` is `ok`."""
    text: str = ""
    """What the model said last, cut to a few thousand characters."""
    detail: str = ""
    """One line for people: what went wrong and, where it helps, what to do."""

    @property
    def ok(self) -> bool:
        return self.kind == "ok"
