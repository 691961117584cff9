"""Named faults for `ModelServer` and, those of the model, for `ScriptedChatModel`.

ModelServer(script, fault=faults.RATE_LIMITED.first(2))
ModelServer(script, fault=faults.PROSE.where(schema="PlansDraft"))
ModelServer([faults.UNAVAILABLE, Reply("half an answer", fault=faults.RESET), "a whole one"])
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from automl_agent.testing.exchange import Call, Fault, HttpAnswer, Reply, Wire

# ---------------------------------------------------------------- the model's


def _says(name: str, change: Callable[[Reply], Reply]) -> Fault:
    return Fault(name, says=lambda reply, _: change(reply))


def _instead(name: str, text: str | None, **changes: Any) -> Fault:
    return _says(name, lambda reply: replace(reply, data=None, tool_calls=(), text=text, **changes))


def _truncated(reply: Reply, call: Call) -> Reply:
    half = reply.content[: len(reply.content) // 2]
    tool = call.forced_tool if reply.data is not None else None
    calls = ({"name": tool["name"], "args": half},) if tool else ()
    return replace(reply, data=None, text="" if tool else half, tool_calls=calls, finish_reason="length")


def _prose(reply: Reply) -> Reply:
    text = f"Sure! Here is what you asked for:\n\n{reply.content}\n\nLet me know if anything should change."
    return replace(reply, data=None, text=text)


def _fenced(reply: Reply) -> Reply:
    if reply.data is None:
        return replace(reply, text=f"```\n{reply.content}\n```")
    lines = json.dumps(reply.data, indent=2, ensure_ascii=False).splitlines()
    loose = [
        line + "," if after.strip()[:1] in {"}", "]"} and line.strip()[-1] not in "{[," else line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
    ]
    loose[0] += "  // as requested"
    return replace(reply, data=None, text="\n".join(["```json", *loose, "```"]))


def _wrong_enum(reply: Reply, call: Call) -> Reply:
    if reply.data is None:
        return reply
    schema = call.json_schema
    return replace(reply, data=_out_of_choices(reply.data, schema, schema.get("$defs", {})))


def _out_of_choices(value: Any, schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """The value with every choice from a fixed list replaced by one that is not in the list."""
    schema = named.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        changed = (_out_of_choices(value, option, named) for option in options)
        return next((other for other in changed if other != value), value)
    if "enum" in schema or "const" in schema:
        return "none_of_these"
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        return {key: _out_of_choices(item, known.get(key, {}), named) for key, item in value.items()}
    if isinstance(value, list):
        return [_out_of_choices(item, schema.get("items", {}), named) for item in value]
    return value


EMPTY = _instead("empty", "")
NULL = _instead("null", None)
REFUSAL = _instead("refusal", None, refusal="I'm sorry, but I can't help with that.")
FILTERED = _instead("filtered", "", finish_reason="content_filter")
OTHER_LANGUAGE = _instead(
    "other_language", "Bien sûr ! Je vous propose trois étapes : nettoyer le tableau, choisir un modèle, le vérifier."
)
"""Prose in a language that nobody asked for, without the JSON or the code."""
TRUNCATED = Fault("truncated", says=_truncated)
"""Half of the answer; the server says that the token limit was reached."""
PROSE = _says("prose", _prose)
"""The answer between two polite sentences, as text, also where a tool was to be called."""
FENCED = _says("fenced", _fenced)
"""JSON in a code block, with a comment and trailing commas, also where a tool was to be called."""
WRONG_ENUM = Fault("wrong_enum", says=_wrong_enum)
"""Every choice from a fixed list is one that the list does not have."""
NO_USAGE = _says("no_usage", lambda reply: replace(reply, usage=None))


def invented(**values: Any) -> Fault:
    """The data with other values under these keys, wherever they stand: `invented(column="shoe_size")`."""

    def changed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: values[key] if key in values else changed(item) for key, item in value.items()}
        return [changed(item) for item in value] if isinstance(value, list) else value

    return _says("invented", lambda reply: reply if reply.data is None else replace(reply, data=changed(reply.data)))


# --------------------------------------------------------------- the server's


def http_error(name: str, status: int, code: str, message: str, **headers: str) -> Fault:
    """An error of the server in OpenAI's form; headers as `Retry_After="2"`."""
    body = json.dumps({"error": {"message": message, "type": code, "param": None, "code": code}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(name, http=HttpAnswer(status, body, named))


_SLOW_DOWN = (429, "rate_limit_exceeded", "Rate limit reached for requests.")
UNAUTHORIZED = http_error("unauthorized", 401, "invalid_api_key", "Incorrect API key provided.")
MODEL_NOT_FOUND = http_error(
    "model_not_found", 404, "model_not_found", "The model does not exist or you do not have access to it."
)
RATE_LIMITED = http_error("rate_limited", *_SLOW_DOWN)
OUT_OF_QUOTA = http_error("out_of_quota", 429, "insufficient_quota", "You exceeded your current quota.")
RETRY_SOON = http_error("retry_soon", *_SLOW_DOWN, Retry_After="0.05")
RETRY_IN_AN_HOUR = http_error("retry_in_an_hour", *_SLOW_DOWN, Retry_After="3600")
SERVER_ERROR = http_error("server_error", 500, "server_error", "The server had an error while processing your request.")
UNAVAILABLE = http_error("unavailable", 503, "overloaded", "The engine is currently overloaded.")
CONTEXT_TOO_LONG = http_error(
    "context_too_long",
    400,
    "context_length_exceeded",
    "This model's maximum context length is 8192 tokens. Your messages have more.",
)
NO_JSON_SCHEMA = http_error(
    "no_json_schema", 400, "unsupported", "This server does not support response_format."
).where(when=lambda call: "response_format" in call.body)
"""A server without structured output: it refuses questions that ask for it, and answers the others."""
NO_TOOLS = http_error("no_tools", 400, "unsupported", "This model does not support tools.").where(
    when=lambda call: "tools" in call.body
)
NOT_JSON = Fault("not_json", http=HttpAnswer(200, "{'choices': [oops"))
NO_CHOICES = Fault("no_choices", http=HttpAnswer(200, '{"id": "x", "object": "chat.completion", "choices": []}'))
HTML_PAGE = Fault("html_page", http=HttpAnswer(200, "<html><h1>Welcome, log in</h1></html>", {}, "text/html"))
"""A log-in page of a proxy: status 200, no completion."""
BAD_GATEWAY = Fault("bad_gateway", http=HttpAnswer(502, "<html><h1>502 Bad Gateway</h1></html>", {}, "text/html"))


# -------------------------------------------------------------- the network's


def _half(data: bytes) -> bytes:
    head = data.find(b"\r\n\r\n") + 4
    return data[: head + (len(data) - head) // 2]


def _reset(wire: Wire, data: bytes) -> None:
    wire.send(_half(data))
    wire.reset()


def dripping(seconds: float = 0.05) -> Fault:
    """The whole answer, a byte at a time, so that no time-out between two bytes is ever reached."""

    def drip(wire: Wire, data: bytes) -> None:
        for index in range(len(data)):
            wire.send(data[index : index + 1])
            if wire.wait(seconds):
                return

    return Fault("dripping", wire=drip, loses_answer=False)


def silent(seconds: float = 60.0) -> Fault:
    """No answer; the connection stays open so long, or until the server is closed."""

    def wait(wire: Wire, _: bytes) -> None:
        wire.wait(seconds)
        wire.reset()

    return Fault("silent", wire=wait)


RESET = Fault("reset", wire=_reset)
"""The connection breaks in the middle of the body, or of the stream."""
CUT = Fault("cut", wire=lambda wire, data: wire.send(_half(data)))
"""The connection is closed politely in the middle: of a stream, that looks like the end of the answer."""
DRIPPING = dripping()
SILENT = silent()

MODEL = (EMPTY, NULL, REFUSAL, FILTERED, OTHER_LANGUAGE, TRUNCATED, PROSE, FENCED, WRONG_ENUM, NO_USAGE)
SERVER = (UNAUTHORIZED, MODEL_NOT_FOUND, RATE_LIMITED, OUT_OF_QUOTA, RETRY_SOON, RETRY_IN_AN_HOUR, SERVER_ERROR,
          UNAVAILABLE, BAD_GATEWAY, CONTEXT_TOO_LONG, NO_JSON_SCHEMA, NO_TOOLS, NOT_JSON, NO_CHOICES,
          HTML_PAGE)  # fmt: skip
NETWORK = (RESET, CUT, DRIPPING, SILENT)
ALL = (*MODEL, *SERVER, *NETWORK)
"""To parametrise a test with: `ids=lambda fault: fault.name`."""


def unused_url() -> str:
    """The address of an OpenAI-compatible server that is not there: connections are refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"
