"""What a stand-in model says: replies, their faults, and the scripts that choose them. In process and over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel


class ScriptEnded(LookupError):
    """A list of replies was asked for more than it holds."""


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
    """Something that goes wrong: of the model, the server or the network (exactly one of the three is set).

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


Answer: TypeAlias = Reply | str | Mapping[str, Any] | BaseModel | Exception | Fault
"""A reply, or short for one: a text, data to send as JSON, an error to raise, a fault to play."""
ScriptLike: TypeAlias = "Answer | Sequence[Answer] | Callable[[Call], Answer] | Script"


def as_reply(answer: Answer) -> Reply:
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, Fault):
        return Reply(fault=answer)
    if isinstance(answer, Exception):
        return Reply(error=answer)
    if isinstance(answer, BaseModel):
        return Reply(data=answer.model_dump(mode="json"))
    if isinstance(answer, Mapping):
        return Reply(data=answer)
    if isinstance(answer, str):
        return Reply(text=answer)
    raise TypeError(f"A script answers with a Reply, text, data, an exception or a fault, not {answer!r}.")


class Script:
    """Chooses the reply to each call. Safe under threads.

    Made from one answer, which is given to every call; from a list, which is played in order and raises `ScriptEnded`
    when it is used up; or from a function of the `Call`, which may be called by several threads at once.
    """

    def __init__(self, script: ScriptLike) -> None:
        self._lock = threading.Lock()
        self._choose = self._chooser(script)

    def reply(self, call: Call) -> Reply:
        """The reply to a call; what the script raises is the error of the reply."""
        try:
            return as_reply(self._choose(call))
        except Exception as error:
            return Reply(error=error)

    def _chooser(self, script: ScriptLike) -> Callable[[Call], Answer]:
        if isinstance(script, Script):
            return script._choose
        if callable(script):
            return script
        if isinstance(script, Sequence) and not isinstance(script, str):
            return self._player(tuple(script))
        reply = as_reply(script)
        return lambda _: reply

    def _player(self, answers: Sequence[Answer]) -> Callable[[Call], Answer]:
        replies = [as_reply(answer) for answer in answers]
        rest = iter(replies)

        def play(call: Call) -> Reply:
            with self._lock:
                reply = next(rest, None)
            if reply is None:
                asked = call.schema or call.role or "text"
                raise ScriptEnded(f"The script has {len(replies)} replies and was asked for one more ({asked}).")
            return reply

        return play


def by_role(scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None) -> Script:
    """A script for each agent's role. In process only: over HTTP nobody says who asks, so use `by_schema` there."""
    return _routed(lambda call: call.role, scripts, otherwise)


def by_schema(scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None) -> Script:
    """A script for each name of a JSON schema or tool that is asked for. Questions for text have the name `""`."""
    return _routed(lambda call: call.schema, scripts, otherwise)


def _routed(key: Callable[[Call], str], scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None) -> Script:
    known = {name: Script(script) for name, script in scripts.items()}
    rest = None if otherwise is None else Script(otherwise)

    def choose(call: Call) -> Reply:
        script = known.get(key(call), rest)
        if script is None:
            raise LookupError(f"The script has nothing for {key(call)!r}, only for {sorted(known)}.")
        return script.reply(call)

    return Script(choose)


class FaultBook:
    """Which fault spoils a call, counted. Safe under threads."""

    def __init__(self, faults: Fault | Sequence[Fault] | None) -> None:
        self.faults = (faults,) if isinstance(faults, Fault) else tuple(faults or ())
        self._left = [fault.limit for fault in self.faults]
        self._lock = threading.Lock()

    def next(self, call: Call) -> Fault | None:
        """The first that applies and is not used up."""
        for index, fault in enumerate(self.faults):
            if fault.applies is not None and not fault.applies(call):
                continue
            with self._lock:
                left = self._left[index]
                if left == 0:
                    continue
                self._left[index] = None if left is None else left - 1
            return fault
        return None
