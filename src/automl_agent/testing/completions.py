"""A reply in the form of OpenAI's chat completions: as one JSON body, or as the events of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from automl_agent.testing.exchange import Call, Reply

PIECE = 16
"""Characters in one event of a stream."""
_numbers = count(1)


def tool_calls(reply: Reply, call: Call) -> list[dict[str, Any]]:
    """The reply's tool calls; data becomes one where the question forces a tool."""
    calls = [dict(entry) for entry in reply.tool_calls]
    tool = call.forced_tool
    if reply.data is not None and tool is not None:
        calls.append({"name": tool["name"], "args": dict(reply.data)})
    return [{"id": f"call_{next(_numbers)}", **entry} for entry in calls]


def content(reply: Reply, call: Call) -> str | None:
    """What the reply writes as text, besides its tool calls; `None` where it writes nothing."""
    if reply.data is not None:
        return None if call.forced_tool is not None else reply.content
    return None if reply.text is None or (not reply.text and reply.tool_calls) else reply.text


def arguments(entry: dict[str, Any]) -> str:
    """The arguments of a tool call, as a model writes them."""
    given = entry.get("args", {})
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def finish_reason(reply: Reply, calls: list[dict[str, Any]]) -> str:
    return "tool_calls" if calls and reply.finish_reason == "stop" else reply.finish_reason


def completion(reply: Reply, call: Call) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    calls = tool_calls(reply, call)
    message: dict[str, Any] = {"role": "assistant", "content": content(reply, call), "refusal": reply.refusal or None}
    if calls:
        message["tool_calls"] = [_function(entry) for entry in calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(reply, calls)}
    body = {**_head(call, "chat.completion"), "choices": [choice]}
    return body if reply.usage is None else {**body, "usage": _usage(reply.usage)}


def events(reply: Reply, call: Call) -> Iterator[dict[str, Any]]:
    """The chunks of an answer that is streamed; usage comes last, where the question asks for it."""
    head = _head(call, "chat.completion.chunk")
    calls = tool_calls(reply, call)

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(content(reply, call) or ""):
        yield chunk({"content": piece})
    if reply.refusal:
        yield chunk({"refusal": reply.refusal})
    for index, entry in enumerate(calls):
        yield chunk({"tool_calls": [{"index": index, **_function(entry)}]})
    yield chunk({}, finish_reason(reply, calls))
    if reply.usage is not None and (call.body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(reply.usage)}


def pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def _head(call: Call, kind: str) -> dict[str, Any]:
    model = str(call.body.get("model") or "scripted")
    return {"id": f"chatcmpl-{next(_numbers)}", "object": kind, "created": 0, "model": model}


def _function(entry: dict[str, Any]) -> dict[str, Any]:
    return {"id": entry["id"], "type": "function", "function": {"name": entry["name"], "arguments": arguments(entry)}}


def _usage(tokens: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
