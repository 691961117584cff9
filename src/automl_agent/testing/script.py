"""Scripts choose what a stand-in model answers, and which of the answers go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel

from automl_agent.testing.exchange import Call, Fault, Reply


class ScriptEnded(LookupError):
    """A list of replies was asked for more than it holds."""


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
    """A script for each agent's role. In process only: over HTTP nobody says who asks."""
    return _routed(lambda call: call.role, scripts, otherwise)


def by_schema(scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None) -> Script:
    """A script for each name of a JSON schema or tool that is asked for. Questions for text have the name `""`."""
    return _routed(lambda call: call.schema, scripts, otherwise)


def by_words(scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None) -> Script:
    """A script for each text that a question may hold, in any of its messages; of several, the first in the mapping.

    For code and other text over HTTP, and for models without structured output, whose questions name no schema.
    """
    return _routed(lambda call: next((words for words in scripts if words in call.words), ""), scripts, otherwise)


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

    def must_not_speak(self) -> None:
        """Where a real model or a recording answers, there is no reply to change."""
        names = [fault.name for fault in self.faults if fault.says is not None]
        if names:
            raise ValueError(f"Faults of the model need a script, not a recording or a real server: {names}.")

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
