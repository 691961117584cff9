"""The message of a chat model, reduced to what we use of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from automl_agent.llm.secrets import redacted

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_ENDED_EARLY = {"length", "max_tokens", "max_output_tokens", "model_length"}
_DECLINED = {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "recitation", "spii"}


class Answer(BaseModel):
    """What a model said."""

    model_config = ConfigDict(frozen=True)

    text: str
    """Its words; for a tool call, the arguments as JSON."""
    truncated: bool = False
    """Whether it ended at the limit of tokens."""
    refused: bool = False
    input_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those that the provider had in its own memory."""
    output_tokens: int = 0
    """All are 0 where the server reports no usage."""
    number: int = Field(default=0, exclude=True)
    """Of its call in the ledger."""

    @property
    def reported(self) -> bool:
        return self.input_tokens + self.output_tokens > 0


def answer_of(message: BaseMessage, model: object) -> Answer:
    """Read a message; keys of the model are cut out of it."""
    refusal = _refusal(message)
    reason = _reason(message)
    usage: dict[str, Any] = dict(getattr(message, "usage_metadata", None) or {})
    return Answer(
        text=redacted(refusal or _arguments(message) or _text(message), model),
        truncated=reason in _ENDED_EARLY,
        refused=bool(refusal) or reason in _DECLINED,
        input_tokens=_count(usage.get("input_tokens")),
        cached_tokens=_count((usage.get("input_token_details") or {}).get("cache_read")),
        output_tokens=_count(usage.get("output_tokens")),
    )


def answer_in(error: BaseException, model: object) -> Answer | None:
    """The answer inside an error: OpenAI's client raises for a structured answer that ends at the limit of tokens."""
    completion = getattr(error, "completion", None)
    choices = getattr(completion, "choices", None)
    if completion is None or not choices:
        return None
    usage = getattr(completion, "usage", None)
    return Answer(
        text=redacted(str(choices[0].message.content or ""), model),
        truncated=choices[0].finish_reason == "length",
        refused=choices[0].finish_reason == "content_filter",
        input_tokens=_count(getattr(usage, "prompt_tokens", 0)),
        output_tokens=_count(getattr(usage, "completion_tokens", 0)),
    )


def _text(message: BaseMessage) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    parts = (part if isinstance(part, str) else part.get("text") for part in content)
    return "".join(part for part in parts if isinstance(part, str))


def _arguments(message: BaseMessage) -> str:
    """Arguments of the first tool call, well-formed or not."""
    for call in getattr(message, "tool_calls", None) or ():
        return json.dumps(call.get("args") or {}, ensure_ascii=False)
    for call in getattr(message, "invalid_tool_calls", None) or ():
        return str(call.get("args") or "")
    return ""


def _refusal(message: BaseMessage) -> str:
    said = message.additional_kwargs.get("refusal")
    if isinstance(said, str) and said:
        return said
    for part in message.content if isinstance(message.content, list) else ():
        if isinstance(part, dict) and part.get("type") == "refusal":
            return str(part.get("refusal") or "The model declined.")
    return ""


def _reason(message: BaseMessage) -> str:
    """Why the model stopped, in lower case; every provider has its own key."""
    told = message.response_metadata
    incomplete = told.get("incomplete_details")
    nested = incomplete.get("reason") if isinstance(incomplete, dict) else None
    reasons = (nested, told.get("finish_reason"), told.get("stop_reason"), told.get("done_reason"))
    return next((str(reason).lower() for reason in reasons if reason), "")


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
