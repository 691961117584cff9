"""The stand-in models, seen through LangChain's own client: over a socket and in process."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from automl_agent.testing import Call, ModelServer, Reply, ScriptedChatModel, ScriptEnded, by_schema, by_words, faults
from automl_agent.testing.recordings import question_key


class Pick(BaseModel):
    """A choice."""

    kind: Literal["tree", "line"]
    count: int


PICK = {"kind": "tree", "count": 3}
LONG = "A tree is a good choice here, since the table is small and mixed."


@tool
def search(query: str) -> str:
    """Look something up."""
    return query


def client(address: ModelServer | str, **options) -> ChatOpenAI:
    url = address if isinstance(address, str) else address.base_url
    return ChatOpenAI(base_url=url, api_key="sk-canary", model="any", **{"max_retries": 0, **options})


def joined(chunks):
    first, *rest = chunks
    return sum(rest, first)


def outcome(question) -> str:
    """The name of the exception, or what came back."""
    try:
        return repr(question())
    except Exception as error:
        return type(error).__name__


# ------------------------------------------------------------- over a socket


def test_chat_with_usage_over_a_socket() -> None:
    with ModelServer([Reply(LONG, usage=(7, 9))]) as server:
        answer = client(server, temperature=0.0, seed=4).invoke([("system", "You choose."), ("user", "Tree or line?")])
    assert answer.content == LONG
    assert answer.usage_metadata["input_tokens"] == 7 and answer.usage_metadata["output_tokens"] == 9
    assert answer.response_metadata["finish_reason"] == "stop"
    (call,) = server.requests
    assert (call.system, call.text, call.schema) == ("You choose.", "Tree or line?", "")
    assert call.body["temperature"] == 0.0 and call.body["seed"] == 4
    assert call.headers["authorization"] == "(present)" and "canary" not in repr(call)


def test_streaming_over_a_socket_reports_usage_where_it_is_asked_for() -> None:
    with ModelServer(Reply(LONG, usage=(7, 9))) as server:
        chunks = list(client(server, stream_usage=True).stream("x"))
        silent = joined(client(server).stream("x"))
    assert sum(bool(chunk.content) for chunk in chunks) > 1
    answer = joined(chunks)
    assert answer.content == LONG and answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata["total_tokens"] == 16
    assert silent.content == LONG and silent.usage_metadata is None


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_over_a_socket(method) -> None:
    with ModelServer(PICK) as server:
        answer = client(server).with_structured_output(Pick, method=method, include_raw=True).invoke("Pick, as JSON.")
    assert answer["parsed"] == Pick(kind="tree", count=3)
    assert bool(answer["raw"].tool_calls) == (method == "function_calling")
    assert server.requests[0].schema == ("" if method == "json_mode" else "Pick")


def test_structured_output_streams_over_a_socket() -> None:
    with ModelServer(PICK) as server:
        answers = list(client(server).with_structured_output(Pick.model_json_schema()).stream("x"))
    assert answers[-1] == PICK


def test_tools_over_a_socket() -> None:
    calls = [{"name": "search", "args": {"query": "trees"}}, {"name": "search", "args": "{half"}]
    with ModelServer([Reply(tool_calls=calls), Reply(tool_calls=calls[:1]), "Found."]) as server:
        bound = client(server).bind_tools([search])
        asked = bound.invoke("Find trees.")
        streamed = joined(bound.stream("Find trees."))
        answer = bound.invoke([("user", "Find trees."), asked, search.invoke(asked.tool_calls[0])])
    assert [call["args"] for call in asked.tool_calls] == [{"query": "trees"}]
    assert [call["args"] for call in asked.invalid_tool_calls] == ["{half"]
    assert asked.response_metadata["finish_reason"] == "tool_calls"
    assert [call["args"] for call in streamed.tool_calls] == [{"query": "trees"}]
    assert answer.content == "Found."
    assert [message["role"] for message in server.requests[2].messages] == ["user", "assistant", "tool"]


def test_models_are_listed() -> None:
    def listed(**options):
        with (
            ModelServer(models=["small", "large"], **options) as server,
            urllib.request.urlopen(f"{server.base_url}/models") as response,
        ):
            return [entry["id"] for entry in json.load(response)["data"]]

    assert listed() == listed(fault=faults.RATE_LIMITED.first(1)) == ["small", "large"]
    with pytest.raises(urllib.error.HTTPError, match="401") as raised:
        listed(fault=faults.UNAUTHORIZED)
    raised.value.close()


def test_what_is_no_question_is_refused() -> None:
    with ModelServer("x") as server:
        for path, body in (("/embeddings", b"{}"), ("/chat/completions", b"no JSON"), ("/chat/completions", b"[]")):
            with pytest.raises(urllib.error.HTTPError, match=r"40[04]") as raised:
                urllib.request.urlopen(f"{server.base_url}{path}", data=body)
            raised.value.close()
    assert server.requests == []


def test_scripts_by_schema_and_by_words_over_a_socket() -> None:
    script = by_schema({"Pick": [PICK, {"kind": "line", "count": 1}]}, otherwise=by_words({"code": "x = 1"}, "prose"))
    with ModelServer(script) as server:
        model = client(server)
        assert [model.with_structured_output(Pick).invoke("x").kind for _ in range(2)] == ["tree", "line"]
        assert model.invoke([("system", "You write code."), ("user", "Go.")]).content == "x = 1"
        assert model.invoke("Write a poem.").content == "prose"
        ended = outcome(lambda: model.with_structured_output(Pick).invoke("x"))
    assert ended == "OpenAIAPIError"


# -------------------------------------------------------- faults over a socket

SEEN = {
    "unauthorized": "OpenAIAuthenticationError",
    "model_not_found": "OpenAIModelNotFoundError",
    "rate_limited": "OpenAIRateLimitError",
    "out_of_quota": "OpenAIRateLimitError",
    "retry_soon": "OpenAIRateLimitError",
    "retry_in_an_hour": "OpenAIRateLimitError",
    "server_error": "OpenAIAPIError",
    "unavailable": "OpenAIAPIError",
    "bad_gateway": "OpenAIAPIError",
    "context_too_long": "OpenAIInvalidRequestError",
    "not_json": "JSONDecodeError",
    "no_choices": "IndexError",
    "html_page": "ValueError",
    "reset": "OpenAIConnectionError",
    "cut": "OpenAIConnectionError",
    "silent": "OpenAITimeoutError",
}
"""What the client raises for a question without a schema. Nothing here ends in a message."""


@pytest.mark.parametrize("fault", [fault for fault in faults.ALL if fault.name in SEEN], ids=lambda fault: fault.name)
def test_faults_of_server_and_network_raise_in_the_client(fault) -> None:
    with ModelServer(LONG, fault=fault) as server:
        model = client(server, timeout=0.5 if fault is faults.SILENT else 20)
        assert outcome(lambda: model.invoke("x")) == SEEN[fault.name]
    assert len(server.requests) == 1


def test_every_fault_is_listed_and_named_once() -> None:
    named = [value for value in vars(faults).values() if isinstance(value, faults.Fault)]
    assert sorted(fault.name for fault in faults.ALL) == sorted({fault.name for fault in named})
    assert len(named) == len(faults.ALL)


def test_a_refused_connection_and_a_wrong_address() -> None:
    assert outcome(lambda: client(faults.unused_url()).invoke("x")) == "OpenAIConnectionError"


def test_a_dripping_body_outlasts_the_clients_timeout() -> None:
    """Why a total deadline is needed: 400 bytes, two milliseconds each, take longer than the time-out between two."""
    with ModelServer("Short.", fault=faults.dripping(0.002)) as server:
        assert client(server, timeout=0.5).invoke("x").content == "Short."


@pytest.mark.parametrize(
    ("fault", "said", "reason"),
    [
        (faults.EMPTY, "", "stop"),
        (faults.NULL, "", "stop"),
        (faults.REFUSAL, "", "stop"),
        (faults.FILTERED, "", "content_filter"),
        (faults.TRUNCATED, LONG[: len(LONG) // 2], "length"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_faults_of_the_model_return_normally_without_a_schema(fault, said, reason) -> None:
    with ModelServer(LONG, fault=fault) as server:
        answer = client(server).invoke("x")
        streamed = joined(client(server).stream("x"))
    assert answer.content == streamed.content == said
    assert answer.response_metadata["finish_reason"] == streamed.response_metadata["finish_reason"] == reason
    assert bool(answer.additional_kwargs.get("refusal")) == (fault is faults.REFUSAL)


@pytest.mark.parametrize(
    ("fault", "by_schema", "by_tool"),
    [
        (faults.EMPTY, "ValueError", "None"),
        (faults.NULL, "ValueError", "None"),
        (faults.REFUSAL, "OpenAIRefusalError", "OpenAIRefusalError"),
        (faults.FILTERED, "ContentFilterFinishReasonError", "OpenAIRefusalError"),
        (faults.OTHER_LANGUAGE, "ValidationError", "None"),
        (faults.TRUNCATED, "LengthFinishReasonError", "None"),
        (faults.PROSE, "ValidationError", "None"),
        (faults.FENCED, "ValidationError", "None"),
        (faults.WRONG_ENUM, "ValidationError", "ValidationError"),
        (faults.invented(count="many"), "ValidationError", "ValidationError"),
        (faults.NO_JSON_SCHEMA, "OpenAIInvalidRequestError", "Pick(kind='tree', count=3)"),
        (faults.NO_TOOLS, "Pick(kind='tree', count=3)", "OpenAIInvalidRequestError"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_faults_under_structured_output(fault, by_schema, by_tool) -> None:
    with ModelServer(PICK, fault=fault) as server:
        model = client(server)
        assert outcome(lambda: model.with_structured_output(Pick).invoke("x")) == by_schema
        assert outcome(lambda: model.with_structured_output(Pick, method="function_calling").invoke("x")) == by_tool


def test_a_wrong_enum_is_found_in_nested_shapes() -> None:
    class Picks(BaseModel):
        picks: list[Pick]
        best: Pick | None = None

    with ModelServer({"picks": [PICK], "best": PICK}, fault=faults.WRONG_ENUM) as server:
        answer = client(server).with_structured_output(Picks.model_json_schema()).invoke("x")
    wrong = {"kind": "none_of_these", "count": 3}
    assert answer == {"picks": [wrong], "best": wrong}


def test_a_truncated_tool_call_is_an_invalid_one() -> None:
    with ModelServer(PICK, fault=faults.TRUNCATED) as server:
        answer = client(server).with_structured_output(Pick, method="function_calling", include_raw=True).invoke("x")
    assert answer["parsed"] is None
    assert [call["name"] for call in answer["raw"].invalid_tool_calls] == ["Pick"]
    assert answer["raw"].response_metadata["finish_reason"] == "length"


def test_json_in_prose_and_in_fences_can_be_read_by_people() -> None:
    with ModelServer([Reply(data=PICK, fault=faults.PROSE), Reply(data=PICK, fault=faults.FENCED)]) as server:
        prose, fenced = (client(server).invoke("x").content for _ in range(2))
    assert json.dumps(PICK) in prose and not prose.startswith("{")
    assert fenced == '```json\n{  // as requested\n  "kind": "tree",\n  "count": 3,\n}\n```'


def test_a_stream_that_breaks_raises_and_one_that_is_cut_ends_silently() -> None:
    with ModelServer([Reply(LONG, fault=faults.RESET), Reply(LONG, fault=faults.CUT)]) as server:
        model = client(server)
        broken = outcome(lambda: list(model.stream("x")))
        cut = joined(model.stream("x"))
    assert broken == "OpenAIConnectionError"
    assert LONG.startswith(cut.content) and cut.content != LONG
    assert "finish_reason" not in cut.response_metadata


def test_without_usage_none_is_known() -> None:
    with ModelServer(LONG, fault=faults.NO_USAGE) as server:
        answer = client(server).invoke("x")
    assert answer.content == LONG and answer.usage_metadata is None


def test_a_fault_of_the_first_calls_leaves_the_script_where_it_was() -> None:
    for fault in (faults.RETRY_SOON, faults.RESET):
        with ModelServer([LONG], fault=fault.first(1)) as server:
            assert client(server, max_retries=1).invoke("x").content == LONG
        assert len(server.requests) == 2


def test_faults_of_some_calls_only() -> None:
    spoiled = [faults.UNAVAILABLE.where(schema="Pick"), faults.EMPTY.where(when=lambda call: "code" in call.text)]
    with ModelServer(by_schema({"Pick": PICK}, LONG), fault=spoiled) as server:
        model = client(server)
        assert outcome(lambda: model.with_structured_output(Pick).invoke("x")) == "OpenAIAPIError"
        assert model.invoke("Write code.").content == ""
        assert model.invoke("Write prose.").content == LONG


# ------------------------------------------------------- recording and replay


def test_a_recorded_run_is_replayed_without_the_model(tmp_path) -> None:
    file = tmp_path / "run.jsonl"
    wrong_key = faults.http_error("echo", 401, "invalid_api_key", "Incorrect API key provided: sk-canary.")
    script = [PICK, LONG, LONG, Reply(fault=wrong_key), "first", "second"]

    def run(server: ModelServer) -> list[str]:
        model = client(server, stream_usage=True)
        return [
            outcome(lambda: model.with_structured_output(Pick).invoke("Tree?")),
            outcome(lambda: model.invoke("Why?").content),
            outcome(lambda: joined(model.stream("Why?")).usage_metadata),
            outcome(lambda: model.invoke("And now?").content),
            *(outcome(lambda: model.invoke("Again?").content) for _ in range(2)),
        ]

    with ModelServer(script) as real, ModelServer(upstream=real.base_url, record=file) as server:
        recorded = run(server)
        real_calls = real.requests
    with ModelServer.replay(file) as server:
        assert run(server) == recorded
    assert recorded[0] == "Pick(kind='tree', count=3)" and "150" in recorded[2]
    assert recorded[3:] == ["OpenAIAuthenticationError", "'first'", "'second'"]
    assert real_calls[0].headers["authorization"] == "(present)", "the key is passed on"
    written = file.read_text()
    assert len(written.splitlines()) == 6
    assert "canary" not in written and "Tree?" not in written


def test_what_was_not_recorded_is_named_or_guessed(tmp_path) -> None:
    file = tmp_path / "run.jsonl"
    with ModelServer(LONG) as real, ModelServer(upstream=real.base_url, record=file) as server:
        client(server).invoke("Tree or line?")
    with (
        ModelServer.replay(file) as server,
        pytest.raises(Exception, match=r"run.jsonl has no answer to question .* ends 'Tree or lines"),
    ):
        client(server).invoke("Tree or lines?")
    with ModelServer.replay(file, strict=False) as server:
        assert client(server).invoke("Tree or lines?").content == LONG
        assert outcome(lambda: client(server).invoke("One more?")) == "OpenAIModelNotFoundError"
    assert server.recording is not None
    assert [text.rpartition(" ends ")[2] for text in server.recording.substitutes] == ["'Tree or lines?'"]


def test_a_question_is_known_by_what_matters() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    assert question_key(body) == question_key({**body, "user": "somebody"})
    assert question_key(body) != question_key({**body, "temperature": 0.5})


def test_an_upstream_that_is_not_there_is_a_bad_gateway() -> None:
    with ModelServer(upstream=faults.unused_url()) as server:
        assert outcome(lambda: client(server).invoke("x")) == "OpenAIAPIError"


def test_faults_of_the_model_need_a_script(tmp_path) -> None:
    with pytest.raises(ValueError, match="refusal"):
        ModelServer(upstream=faults.unused_url(), fault=faults.REFUSAL)


# ------------------------------------------------------------------ in process


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("schema", [Pick, Pick.model_json_schema()], ids=["pydantic", "dict"])
def test_structured_output_in_process(method, schema) -> None:
    model = ScriptedChatModel([PICK, PICK, Reply(data={"kind": "tree"}, fault=faults.PROSE)])
    asked = model.with_structured_output(schema, method=method)
    raw = model.with_structured_output(schema, method=method, include_raw=True)
    expected = Pick(kind="tree", count=3) if schema is Pick else PICK
    assert asked.invoke("x") == expected
    answer = raw.invoke("x")
    assert answer["parsed"] == expected and answer["parsing_error"] is None
    assert answer["raw"].usage_metadata["total_tokens"] == 150
    failed = raw.invoke("x")
    assert failed["parsed"] in (None, {"kind": "tree"})  # a dictionary is not validated
    assert [call.schema for call in model.calls] == (["", "", ""] if method == "json_mode" else ["Pick"] * 3)


def test_the_same_question_looks_the_same_in_process_and_over_a_socket() -> None:
    model = ScriptedChatModel(PICK)
    messages = [("system", "You choose."), ("user", "Tree?"), ("assistant", "Maybe."), ("user", "So?")]
    with ModelServer(PICK) as server:
        for one in (model, client(server)):
            for method in ("json_schema", "function_calling"):
                one.with_structured_output(Pick.model_json_schema(), method=method).invoke(messages)
    for here, there in zip(model.calls, server.requests, strict=True):
        assert (here.schema, here.system, here.text, here.words) == (
            there.schema,
            there.system,
            there.text,
            there.words,
        )
        assert here.json_schema["properties"].keys() == there.json_schema["properties"].keys() == {"kind", "count"}


def test_streaming_and_tools_in_process() -> None:
    model = ScriptedChatModel([LONG, Reply("Let me see.", tool_calls=[{"name": "search", "args": {"query": "x"}}])])
    chunks = list(model.stream("x"))
    assert len(chunks) > 2 and joined(chunks).content == LONG
    assert [bool(chunk.usage_metadata) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    answer = joined(model.bind_tools([search]).stream("x"))
    assert answer.content == "Let me see."
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("search", {"query": "x"})]
    assert model.calls[1].body["tools"][0]["function"]["name"] == "search"


def test_async_in_process() -> None:
    model = ScriptedChatModel(["one", "two"])

    async def both():
        return (await model.ainvoke("x")).content, [chunk.content async for chunk in model.astream("x")]

    assert asyncio.run(both()) == ("one", ["two", ""])


def test_roles_come_from_the_config() -> None:
    model = ScriptedChatModel.by_role({"planner": [PICK], "coder": "x = 1"}, otherwise=faults.REFUSAL)

    def ask(role, chain=model):
        return chain.invoke("x", config={"metadata": {"role": role, "plan": "p1"}})

    assert ask("planner", model.with_structured_output(Pick)) == Pick(kind="tree", count=3)
    assert ask("coder").content == ask("coder").content == "x = 1"
    assert ask("report").additional_kwargs["refusal"]
    assert [call.role for call in model.calls] == ["planner", "coder", "coder", "report"]
    assert model.calls[1].metadata["plan"] == "p1"
    with pytest.raises(ScriptEnded, match="1 replies"):
        ask("planner")


def test_a_role_without_a_script_is_an_error_that_names_it() -> None:
    model = ScriptedChatModel.by_role({"planner": PICK})
    with pytest.raises(LookupError, match=r"nothing for 'coder', only for \['planner'\]"):
        model.invoke("x", config={"metadata": {"role": "coder"}})


def test_a_function_decides_on_the_call() -> None:
    def script(call: Call):
        if call.schema:
            return Pick(kind="line", count=len(call.messages))
        return TimeoutError("too slow") if "hurry" in call.text else f"You said {call.text}"

    model = ScriptedChatModel(script)
    assert model.with_structured_output(Pick).invoke([("system", "s"), ("user", "u")]) == Pick(kind="line", count=2)
    assert model.invoke("hello").content == "You said hello"
    with pytest.raises(TimeoutError, match="too slow"):
        model.invoke("hurry")


def test_an_answer_that_is_none_is_a_mistake_in_the_script() -> None:
    with pytest.raises(TypeError, match="not None"):
        ScriptedChatModel(lambda call: None).invoke("x")


def test_models_that_cannot_do_structured_output() -> None:
    poor = ScriptedChatModel(PICK, structured="none")
    with pytest.raises(NotImplementedError):
        poor.with_structured_output(Pick)
    with pytest.raises(NotImplementedError):
        poor.bind_tools([search])
    assert json.loads(poor.invoke("x").content) == PICK
    middling = ScriptedChatModel(PICK, structured="function_calling")
    assert middling.with_structured_output(Pick).invoke("x") == Pick(kind="tree", count=3)
    with pytest.raises(ValueError, match="function_calling only"):
        middling.with_structured_output(Pick, method="json_schema")


@pytest.mark.parametrize("fault", faults.MODEL, ids=lambda fault: fault.name)
def test_faults_of_the_model_are_the_same_in_process_and_over_a_socket(fault) -> None:
    with ModelServer(PICK, fault=fault) as server:
        for bound in ({}, {"tools": [search], "tool_choice": "search"}):
            there, here = (
                (model.bind_tools(**bound) if bound else model).invoke("x")
                for model in (client(server), ScriptedChatModel(PICK, fault=fault))
            )
            assert here.content == there.content
            assert [call["args"] for call in here.tool_calls] == [call["args"] for call in there.tool_calls]
            assert len(here.invalid_tool_calls) == len(there.invalid_tool_calls)
            assert here.response_metadata["finish_reason"] == there.response_metadata["finish_reason"]
            assert here.additional_kwargs.get("refusal") == there.additional_kwargs.get("refusal")
            assert (here.usage_metadata is None) == (there.usage_metadata is None)


def test_faults_of_server_and_network_need_a_server() -> None:
    with pytest.raises(TypeError, match="needs a ModelServer"):
        ScriptedChatModel("x", fault=faults.RESET).invoke("x")


def test_many_threads_share_a_script() -> None:
    numbers = [str(number) for number in range(40)]
    model = ScriptedChatModel(numbers)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: model.invoke("x").content, numbers))
    assert sorted(answers) == sorted(numbers) and len(model.calls) == 40
