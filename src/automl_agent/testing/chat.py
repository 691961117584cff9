"""A LangChain chat model that says what a script tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr

from automl_agent.testing.completions import arguments, content, finish_reason, pieces, tool_calls
from automl_agent.testing.exchange import Call, Fault, Reply
from automl_agent.testing.script import FaultBook, Script, ScriptLike, by_role, by_schema, by_words

Structured = Literal["json_schema", "function_calling", "none"]


class ScriptedChatModel(BaseChatModel):
    """Plays a script: for tests of whatever takes a LangChain chat model.

        model = ScriptedChatModel("Hello.")                      # the same answer to every question
        model = ScriptedChatModel([{"plans": []}, "Done."])      # in order; a question more raises ScriptEnded
        model = ScriptedChatModel(lambda call: {"n": len(call.messages)} if call.schema else "text")
        model = ScriptedChatModel.by_role({"planner": [{"plans": []}]}, otherwise=faults.REFUSAL)
        ...
        assert [call.role for call in model.calls] == ["planner"]

    Structured output, tools, streaming and usage work as they do with a model of a provider. Safe under threads.
    """

    structured: Structured = "json_schema"
    """What it can do: all methods of structured output, tools only, or neither (then `bind_tools` and
    `with_structured_output` raise `NotImplementedError`, as LangChain's own do)."""
    model_name: str = "scripted"
    _script: Script = PrivateAttr()
    _faults: FaultBook = PrivateAttr()
    _calls: list[Call] = PrivateAttr(default_factory=list)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, script: ScriptLike = "", *, fault: Fault | Sequence[Fault] | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self._script = Script(script)
        self._faults = FaultBook(fault)

    @classmethod
    def by_role(
        cls, scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None, **fields: Any
    ) -> ScriptedChatModel:
        """One script for each role; a role is read from the `metadata` of the call's config."""
        return cls(by_role(scripts, otherwise), **fields)

    @classmethod
    def by_schema(
        cls, scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None, **fields: Any
    ) -> ScriptedChatModel:
        """One script for each name of a schema; questions for text have the name `""`."""
        return cls(by_schema(scripts, otherwise), **fields)

    @classmethod
    def by_words(
        cls, scripts: Mapping[str, ScriptLike], otherwise: ScriptLike | None = None, **fields: Any
    ) -> ScriptedChatModel:
        """One script for each text that a question may hold."""
        return cls(by_words(scripts, otherwise), **fields)

    @property
    def calls(self) -> list[Call]:
        """What was asked so far."""
        with self._lock:
            return list(self._calls)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "structured": self.structured}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        if self.structured == "none":
            raise NotImplementedError("This model cannot call tools.")
        functions = [convert_to_openai_tool(tool) for tool in tools]
        names = {function["function"]["name"] for function in functions}
        choice = {"type": "function", "function": {"name": tool_choice}} if tool_choice in names else tool_choice
        return self.bind(tools=functions, **({"tool_choice": choice} if choice else {}), **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] | None = None,
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """As LangChain describes it. `method` is the best that the model can do, unless given."""
        if self.structured == "none":
            raise NotImplementedError("This model has no structured output.")
        kwargs.pop("strict", None)
        method = method or self.structured
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        if self.structured == "function_calling":
            raise ValueError(f"This model has structured output by function_calling only, not by {method}.")
        asked = self.bind(response_format=_response_format(schema, method), **kwargs)
        parser = PydanticOutputParser(pydantic_object=schema) if isinstance(schema, type) else JsonOutputParser()
        if not include_raw:
            return asked | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=asked) | parsed.with_fallbacks([failed], exception_key="parsing_error")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call, reply = self._ask(messages, stop, run_manager, kwargs)
        calls = tool_calls(reply, call)
        message = AIMessage(
            content=content(reply, call) or "",
            **_called(calls),
            additional_kwargs={"refusal": reply.refusal} if reply.refusal else {},
            response_metadata=self._told(reply, calls),
            usage_metadata=_usage(reply),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        call, reply = self._ask(messages, stop, run_manager, kwargs)
        calls = tool_calls(reply, call)
        chunks = [AIMessageChunk(content=piece) for piece in pieces(content(reply, call) or "")]
        for index, entry in enumerate(calls):
            part = tool_call_chunk(name=entry["name"], args=arguments(entry), id=entry["id"], index=index)
            chunks.append(AIMessageChunk(content="", tool_call_chunks=[part]))
        end = AIMessageChunk(
            content="",
            additional_kwargs={"refusal": reply.refusal} if reply.refusal else {},
            response_metadata=self._told(reply, calls),
            usage_metadata=_usage(reply),
            chunk_position="last",
        )
        for message in [*chunks, end]:
            chunk = ChatGenerationChunk(message=message)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _ask(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: CallbackManagerForLLMRun | None,
        options: dict[str, Any],
    ) -> tuple[Call, Reply]:
        """Write the call down and take the script's reply, spoiled where a fault says so."""
        asked = {name: value for name, value in options.items() if value is not None}
        body = {"model": self.model_name, "messages": convert_to_openai_messages(messages), **asked}
        call = Call({**body, "stop": stop} if stop else body, dict(run_manager.metadata) if run_manager else {})
        with self._lock:
            self._calls.append(call)
        reply = self._script.reply(call)
        fault = reply.fault or self._faults.next(call)
        if fault is not None:
            if fault.says is None:
                raise TypeError(f"The fault {fault.name!r} is not the model's: it needs a ModelServer.")
            reply = replace(fault.says(reply, call), fault=None)
        time.sleep(reply.delay)
        if reply.error is not None:
            raise reply.error
        return call, reply

    def _told(self, reply: Reply, calls: list[dict[str, Any]]) -> dict[str, Any]:
        return {"model_name": self.model_name, "finish_reason": finish_reason(reply, calls)}


def _usage(reply: Reply) -> UsageMetadata | None:
    if reply.usage is None:
        return None
    asked, answered = reply.usage
    return UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)


def _called(calls: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Tool calls as LangChain sorts them: those whose arguments are a JSON object, and the others."""
    valid: list[Any] = []
    invalid: list[Any] = []
    for entry in calls:
        written = arguments(entry)
        try:
            valid.append(tool_call(name=entry["name"], args=dict(json.loads(written)), id=entry["id"]))
        except (ValueError, TypeError) as error:
            invalid.append(invalid_tool_call(name=entry["name"], args=written, id=entry["id"], error=str(error)))
    return {"tool_calls": valid, "invalid_tool_calls": invalid}


def _response_format(schema: dict[str, Any] | type, method: str) -> dict[str, Any]:
    if method == "json_mode":
        return {"type": "json_object"}
    function = convert_to_openai_tool(schema)["function"]
    shape = schema.model_json_schema() if isinstance(schema, type) and issubclass(schema, BaseModel) else None
    return {"type": "json_schema", "json_schema": {"name": function["name"], "schema": shape or function["parameters"]}}
