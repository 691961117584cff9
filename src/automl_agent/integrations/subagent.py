"""The graph as a sub-agent that speaks in messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableLambda

from automl_agent.delivery.summary import summarize
from automl_agent.errors import InputError
from automl_agent.integrations.tool import inputs, report_of
from automl_agent.records import Report

_SUFFIXES = ("csv", "tsv", "txt", "parquet", "xlsx", "xls", "json", "jsonl", "ndjson", "gz", "zip")
_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|(?<!\w)'([^'\n]+)'(?!\w)")
_FILE = re.compile(rf"\.(?:{'|'.join(_SUFFIXES)})$", re.IGNORECASE)


def as_subagent(graph: Any) -> Runnable[dict[str, Any], dict[str, Any]]:
    """Wrap a graph of `build_graph()` as a runnable from messages to messages; sync and async.

    The last human message is the request. Data are the files that it names, or the value of the key `data` (a path or
    several). The answer is one message in plain words; the record itself is under the key `report`.

    Example:
        >>> {"name": "automl", "description": "Makes models from tables.", "runnable": as_subagent(build_graph())}

    which is what deepagents calls a `CompiledSubAgent`.
    """

    def run(state: dict[str, Any]) -> dict[str, Any]:
        try:
            return _answer(report_of(graph.invoke(_inputs(state))))
        except InputError as error:
            return _answer(Report(status="failed", reason=str(error)))

    async def arun(state: dict[str, Any]) -> dict[str, Any]:
        try:
            return _answer(report_of(await graph.ainvoke(_inputs(state))))
        except InputError as error:
            return _answer(Report(status="failed", reason=str(error)))

    return RunnableLambda(run, afunc=arun, name="automl_agent")


def data_in(text: str) -> list[str]:
    """Files, links and folders of data named in a text, quoted or bare, in order.

    When none of the files exists, they are kept all the same: that they are missing is then said, instead of the
    request being run without data. Otherwise missing ones are left out: they may be what the result shall be called.
    """
    named = list(dict.fromkeys(word for word in _words(text) if _is_data(word)))
    return [word for word in named if "://" in word or Path(word).expanduser().exists()] or named


def _words(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield next(group for group in match.groups() if group is not None)
    for word in _QUOTED.sub(" ", text).split():
        yield word.lstrip("([<{").rstrip(".,;:!?)]>}")


def _is_data(word: str) -> bool:
    return bool(_FILE.search(word.partition("?")[0])) or ("/" in word and Path(word).expanduser().is_dir())


def _inputs(state: Mapping[str, Any]) -> dict[str, Any]:
    messages: list[Any] = convert_to_messages(state["messages"])
    text = _text(next((m for m in reversed(messages) if isinstance(m, HumanMessage)), messages[-1]))
    return inputs(text, state.get("data") or data_in(text))


def _text(message: AnyMessage) -> str:
    text = message.text
    return str(text() if callable(text) and not isinstance(text, str) else text)


def _answer(report: Report) -> dict[str, Any]:
    return {"messages": [AIMessage(content=summarize(report), name="automl_agent")], "report": report}
