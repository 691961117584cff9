"""A question to a stand-in model, its answer, and what may go wrong with that. In process and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Call:
    """One question to a stand-in model."""

    body: Mapping[str, Any]
    """What was asked, as the body of OpenAI's chat completions: messages, response_format, tools, temperature ..."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """`config["metadata"]` of the call, which has the role, stage and plan. Empty over HTTP: it does not travel."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Over HTTP: the request's headers with names in lower case. Of a key, only `(present)` is kept."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as OpenAI writes it: `{"role": "user", "content": "..."}`."""
        return list(self.body.get("messages") or ())

    @property
    def role(self) -> str:
        """The agent that asks (`planner`, `coder` ...); empty over HTTP."""
        return str(self.metadata.get("role", ""))

    @property
    def system(self) -> str:
        """All system messages, as text."""
        return "\n".join(_text(entry) for entry in self.messages if entry.get("role") in {"system", "developer"})

    @property
    def text(self) -> str:
        """The last message, as text."""
        return _text(self.messages[-1]) if self.messages else ""

    @property
    def words(self) -> str:
        """All messages, as text."""
        return "\n".join(_text(entry) for entry in self.messages)

    @cached_property
    def _asked(self) -> tuple[str, dict[str, Any]]:
        shape = (self.body.get("response_format") or {}).get("json_schema")
        if shape:
            return str(shape.get("name", "")), dict(shape.get("schema") or {})
        tool = self.forced_tool
        return (str(tool["name"]), dict(tool.get("parameters") or {})) if tool else ("", {})

    @property
    def schema(self) -> str:
        """The name of the JSON schema that the answer must have, or of the tool that must be called; empty for text."""
        return self._asked[0]

    @property
    def json_schema(self) -> dict[str, Any]:
        return self._asked[1]

    @property
    def forced_tool(self) -> dict[str, Any] | None:
        """The function that the answer must call, where the question leaves no choice."""
        tools = [tool["function"] for tool in self.body.get("tools") or () if "function" in tool]
        choice = self.body.get("tool_choice")
        if isinstance(choice, Mapping):
            return next((tool for tool in tools if tool["name"] == (choice.get("function") or {}).get("name")), None)
        return tools[0] if choice in {"any", "required"} and len(tools) == 1 else None


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")


@dataclass(frozen=True)
class Reply:
    """One answer."""

    text: str | None = ""
    """What the model writes; `None` is sent as null."""
    data: Mapping[str, Any] | None = None
    """Sent as JSON, in the way that was asked for: as text, or as the arguments of the tool that must be called."""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    """Tools to call: `{"name": "search", "args": {"query": "x"}}`, and `"id"` if it matters. Arguments that are a text
    are sent as they are, JSON or not."""
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] = "stop"
    refusal: str = ""
    """The words with which the model declines."""
    usage: tuple[int, int] | None = (100, 50)
    """Tokens of question and answer, as reported; `None`: nothing is reported."""
    error: Exception | None = None
    """Raised in process; over HTTP a 500 with its text."""
    delay: float = 0.0
    """Seconds before the answer."""
    fault: Fault | None = None
    """What goes wrong with this answer (`automl_agent.testing.faults`)."""

    @property
    def content(self) -> str:
        """What is written: the text, or the data as JSON."""
        return json.dumps(self.data, ensure_ascii=False) if self.data is not None else self.text or ""


class Wire(Protocol):
    """A connection, for faults of the network."""

    def send(self, data: bytes) -> None: ...

    def wait(self, seconds: float) -> bool:
        """Wait; true at once where the server is closing."""

    def reset(self) -> None: ...


@dataclass(frozen=True)
class HttpAnswer:
    """A whole answer of a server, in place of the model's."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: with the model, the server or the network (exactly one of the three is set).

    A fault in which no answer arrives leaves the script where it was, so a retry gets the reply that was lost.
    """

    name: str
    says: Callable[[Reply, Call], Reply] | None = None
    """The model's: what it says instead. These work in process too."""
    http: HttpAnswer | None = None
    """The server's: what it answers instead."""
    wire: Callable[[Wire, bytes], None] | None = None
    """The network's: how the bytes of the answer are sent."""
    loses_answer: bool = True
    """Of the network's: whether the answer never arrives whole."""
    limit: int | None = None
    """How many calls it spoils; `None`: all."""
    applies: Callable[[Call], bool] | None = None
    """Which calls it spoils; `None`: all."""

    def first(self, calls: int) -> Fault:
        """Only the first so many of the calls that it applies to."""
        return replace(self, limit=calls)

    def where(
        self, *, schema: str | None = None, role: str | None = None, when: Callable[[Call], bool] | None = None
    ) -> Fault:
        """Only calls with this schema (empty: text), of this role (in process), or for which `when(call)` holds."""

        def applies(call: Call) -> bool:
            return (
                (schema is None or call.schema == schema)
                and (role is None or call.role == role)
                and (when is None or when(call))
            )

        return replace(self, applies=applies)
