"""Asking models through the real client over a socket: whatever they do ends as a value or a typed failure."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda

from automl_agent.llm import exchange
from automl_agent.llm.client import Client
from automl_agent.llm.models import model_book
from automl_agent.settings import Settings
from automl_agent.testing import Call, ModelServer, Reply, ScriptedChatModel, faults
from llm_asking import PICK, PICKED, Run

CODE = "def fit(table):\n    return table\n"
FENCED_CODE = f"Here it is:\n\n```python\n{CODE}```\nGood luck."


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that do not wait, and no key of whoever runs the tests."""
    monkeypatch.setattr(exchange, "_FIRST_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def run_on(server: ModelServer | str, home: Path, *, word: str = "openai:gpt-5", **options) -> Run:
    url = server if isinstance(server, str) else server.base_url
    seconds_left = options.pop("seconds_left", lambda: 60.0)
    return Run(home, word, Settings(base_url=url, **options), seconds_left=seconds_left)


def test_an_answer_is_a_validated_object(tmp_path: Path) -> None:
    with ModelServer(PICK) as server:
        run = run_on(server, tmp_path, word="openai:gpt-4.1", temperature=0.2, seed=7, max_output_tokens=300)
        outcome = run.ask(plan="p1")
    assert outcome.ok and outcome.value == PICKED
    (body,) = [call.body for call in server.requests]
    assert (body["temperature"], body["seed"], body["max_completion_tokens"]) == (0.2, 7, 300)
    assert '"kind": "tree" | "line",  // family of the model' in server.requests[0].text
    (call,) = run.told
    assert (call.role, call.stage, call.plan, call.model, call.outcome) == (
        "planner", "make_plans", "p1", "gpt-4.1", "ok",
    )  # fmt: skip
    assert (call.input_tokens, call.output_tokens, call.estimated) == (100, 50, False)
    assert run.ledger.calls("run") == (call,)


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "kind", "calls"),
    [
        (faults.EMPTY, "empty", 2),
        (faults.NULL, "empty", 2),
        (faults.REFUSAL, "refusal", 1),
        (faults.FILTERED, "refusal", 1),
        (faults.OTHER_LANGUAGE, "unparsable", 4),  # by all three means, and once more
        (faults.TRUNCATED, "truncated", 1),
        (faults.WRONG_ENUM, "schema", 2),
        (faults.PROSE, "ok", 1),
        (faults.FENCED, "ok", 1),
        (faults.NO_USAGE, "ok", 1),
        (faults.UNAUTHORIZED, "auth", 1),
        (faults.MODEL_NOT_FOUND, "not_found", 1),
        (faults.CONTEXT_TOO_LONG, "context_too_long", 1),
        (faults.RATE_LIMITED, "rate_limited", 3),
        (faults.RETRY_SOON, "rate_limited", 3),
        (faults.RETRY_IN_AN_HOUR, "rate_limited", 1),
        (faults.OUT_OF_QUOTA, "rate_limited", 1),
        (faults.SERVER_ERROR, "server", 3),
        (faults.BAD_GATEWAY, "server", 3),
        (faults.NOT_JSON, "server", 1),
        (faults.NO_CHOICES, "server", 1),
        (faults.HTML_PAGE, "server", 1),
        (faults.RESET, "connection", 3),
        (faults.CUT, "connection", 3),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_fault_is_a_typed_outcome(fault, kind: str, calls: int, tmp_path: Path) -> None:
    with ModelServer(PICK, fault=fault) as server:
        run = run_on(server, tmp_path, word=fault.name)
        outcome = run.ask()
    assert outcome.kind == kind, outcome
    assert (outcome.value == PICKED) == outcome.ok
    assert outcome.ok or outcome.detail
    assert len(server.requests) == len(run.told) == calls


@pytest.mark.parametrize(
    "fault",
    [faults.RATE_LIMITED, faults.UNAVAILABLE, faults.RESET, faults.EMPTY, faults.RETRY_SOON],
    ids=lambda fault: fault.name,
)
def test_what_passes_is_tried_again(fault, tmp_path: Path) -> None:
    with ModelServer(PICK, fault=fault.first(1)) as server:
        run = run_on(server, tmp_path)
        assert run.ask().value == PICKED
    assert len(server.requests) == 2
    assert run.outcomes[-1] == "ok"


def test_the_server_says_how_long_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(exchange, "pause", lambda seconds, deadline: waited.append(seconds))
    soon = faults.http_error("soon", 429, "rate_limit_exceeded", "Slow down.", Retry_After="7")
    with ModelServer(PICK, fault=soon.first(1)) as server:
        assert run_on(server, tmp_path).ask().ok
    assert waited == [7.0]


@pytest.mark.parametrize("fault", [faults.dripping(0.02), faults.SILENT], ids=lambda fault: fault.name)
def test_a_body_that_drips_or_never_comes_ends_at_the_deadline(fault, tmp_path: Path) -> None:
    with ModelServer(PICK, fault=fault) as server:
        run = run_on(server, tmp_path, word=fault.name)
        outcome = run.ask(patience=0.4)
        assert outcome.kind == "timeout"
        assert run.told[0].estimated and run.told[0].output_tokens == 4096  # it may have worked: the worst case counts


def test_a_run_that_is_stopped_does_not_wait_for_its_model(tmp_path: Path) -> None:
    with ModelServer(PICK, fault=faults.SILENT) as server:
        run = run_on(server, tmp_path, seconds_left=lambda: 0.0 if server.requests else 60.0)
        assert run.ask().kind == "timeout"
        assert run.ask().kind == "limit"
    assert len(server.requests) == 1


def test_a_program_ends_although_a_server_keeps_silent(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from pathlib import Path
from llm_asking import Run
from automl_agent.settings import Settings
print(Run(Path(sys.argv[1]), "x", Settings(base_url=sys.argv[2])).ask(patience=0.3).kind)
"""
    with ModelServer(PICK, fault=faults.SILENT) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), server.base_url], capture_output=True, text=True, timeout=50
        )
    assert done.stdout == "timeout\n", done.stderr


# ---------------------------------------------------------------- breaker


def test_a_refused_key_or_an_unknown_model_is_not_tried_again(tmp_path: Path) -> None:
    with ModelServer(PICK, fault=faults.UNAUTHORIZED) as server:
        run = run_on(server, tmp_path)
        first, second = run.ask(), run.ask()
        other = Run(tmp_path, "openai:gpt-5", run.settings, run_id="another").ask()
    assert first.kind == second.kind == other.kind == "auth"
    assert "OPENAI_API_KEY" in first.detail
    assert "not asked again in this run" in second.detail and "Incorrect API key" in second.detail
    assert len(server.requests) == 2  # another run tries anew


def test_a_server_that_is_not_there_is_given_up_after_two_questions(tmp_path: Path) -> None:
    run = run_on(faults.unused_url(), tmp_path, call_retries=1)
    details = [run.ask().detail for _ in range(4)]
    assert run.outcomes == ["connection"] * 4  # two questions, each with a retry
    assert "refused" in details[0] and "not asked again" in details[-1]
    assert run.costs["input_tokens"] == 0  # nothing was sent


def test_an_answer_in_between_keeps_a_model_in_use(tmp_path: Path) -> None:
    with ModelServer([Reply("", fault=faults.RESET), PICK, Reply("", fault=faults.RESET), PICK]) as server:
        run = run_on(server, tmp_path, call_retries=0)
        assert [run.ask(f"Question {n}").kind for n in range(4)] == ["connection", "ok"] * 2


# ---------------------------------------------------------------- forms of structured output


def test_the_best_form_that_works_is_found_and_remembered(tmp_path: Path) -> None:
    with ModelServer(PICK, fault=[faults.NO_JSON_SCHEMA, faults.NO_TOOLS]) as server:
        run = run_on(server, tmp_path)
        assert run.ask().value == PICKED
        assert [sorted(call.body.keys() & {"response_format", "tools"}) for call in server.requests] == [
            ["response_format"], ["tools"], [],
        ]  # fmt: skip
        assert run_on(server, tmp_path / "other").ask().ok
        assert len(server.requests) == 4


def test_a_server_that_ignores_the_schema_is_asked_otherwise(tmp_path: Path) -> None:
    with ModelServer(lambda call: PICK if call.forced_tool else "As you wish: a tree.") as server:
        run = run_on(server, tmp_path)
        assert run.ask().value == PICKED
    assert [bool(call.forced_tool) for call in server.requests] == [False, True]


@pytest.mark.parametrize("structured", ["json_schema", "function_calling", "none"])
def test_any_chat_model_of_langchain_will_do(structured: str, tmp_path: Path) -> None:
    model = ScriptedChatModel(PICK, structured=structured)
    run = Run(tmp_path, model, Settings())
    assert run.ask().value == PICKED
    assert len(model.calls) == 1
    assert run.client.name("planner") == "scripted"


def test_a_tool_call_that_comes_as_text_is_understood(tmp_path: Path) -> None:
    with ModelServer('{"name": "Pick", "arguments": {"kind": "tree", "count": "3"}}') as server:
        assert run_on(server, tmp_path).ask().value == PICKED


def test_what_does_not_fit_is_repaired_once_with_its_own_error(tmp_path: Path) -> None:
    with ModelServer([{"kind": "bush", "count": 0}, PICK]) as server:
        run = run_on(server, tmp_path)
        assert run.ask().value == PICKED
    before, advice = server.requests[1].messages[-2:]
    assert before["role"] == "assistant" and "bush" in before["content"]
    assert "kind: Input should be 'tree' or 'line'" in advice["content"] and "count:" in advice["content"]


def test_an_answer_that_cannot_be_repaired_is_of_kind_schema(tmp_path: Path) -> None:
    with ModelServer({"kind": "bush", "count": 3}) as server:
        outcome = run_on(server, tmp_path).ask()
    assert outcome.kind == "schema" and "kind" in outcome.detail and "bush" in outcome.text
    assert len(server.requests) == 2


def test_half_an_object_is_never_completed(tmp_path: Path) -> None:
    with ModelServer('{"kind": "tree", "count": 3, "why": "it is') as server:
        assert run_on(server, tmp_path).ask().kind == "truncated"


# ---------------------------------------------------------------- code


def test_code_is_taken_out_of_its_fence(tmp_path: Path) -> None:
    with ModelServer(FENCED_CODE) as server:
        outcome = run_on(server, tmp_path).write()
    assert outcome.ok and outcome.value == CODE
    assert "response_format" not in server.requests[0].body


def test_prose_is_asked_for_code_once_more(tmp_path: Path) -> None:
    with ModelServer(["I would use a tree.", FENCED_CODE]) as server:
        assert run_on(server, tmp_path).write().value == CODE
    assert "```python" in server.requests[1].text


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("I would use a tree.", "unparsable"), (FENCED_CODE.split("return")[0], "truncated"),
     (Reply(FENCED_CODE, finish_reason="length"), "truncated")],
)  # fmt: skip
def test_no_code_and_half_code_are_failures(answer: str | Reply, kind: str, tmp_path: Path) -> None:
    with ModelServer(answer) as server:
        outcome = run_on(server, tmp_path).write()
    assert outcome.kind == kind and outcome.value is None and outcome.text
    assert len(server.requests) == 2


# ---------------------------------------------------------------- at once, and traced


def test_calls_at_once_are_bounded(tmp_path: Path) -> None:
    lock, under_way, most = threading.Lock(), [0], [0]

    def answer(call: Call) -> dict:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.05)
        with lock:
            under_way[0] -= 1
        return PICK

    run = Run(tmp_path, ScriptedChatModel(answer, model_name="slow"), Settings(concurrency=2))
    threads = [threading.Thread(target=run.ask, args=(f"Question {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run.outcomes == ["ok"] * 6
    assert most == [2]


class Tracer(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[dict] = []

    def on_chat_model_start(self, serialized, messages, *, tags=None, metadata=None, name=None, **kwargs):
        self.seen.append({"tags": tags, "metadata": metadata, "name": kwargs.get("name", name)})


@pytest.mark.parametrize("structured", ["json_schema", "function_calling", "none"])
def test_callbacks_of_the_surrounding_graph_see_the_call(structured: str, tmp_path: Path) -> None:
    run = Run(tmp_path, ScriptedChatModel(PICK, structured=structured), Settings())
    node = RunnableLambda(lambda _: run.ask(plan="p1").kind)
    tracer = Tracer()
    assert node.invoke(None, config={"callbacks": [tracer], "tags": ["host"], "metadata": {"tenant": "a"}}) == "ok"
    (seen,) = tracer.seen
    assert seen["name"] == "automl_agent.planner"
    assert {"automl_agent", "planner", "host"} <= set(seen["tags"])
    wanted = {"role": "planner", "stage": "make_plans", "plan": "p1", "run_id": "run", "tenant": "a"}
    assert wanted.items() <= seen["metadata"].items()


def test_a_host_that_streams_messages_is_not_shown_ours_and_loses_no_usage(tmp_path: Path) -> None:
    from langgraph.graph import END, START, StateGraph
    from typing_extensions import TypedDict

    class State(TypedDict):
        kind: str

    with ModelServer(PICK) as server:
        run = run_on(server, tmp_path)
        graph = StateGraph(State).add_node("ask", lambda _: {"kind": run.ask().kind})
        compiled = graph.add_edge(START, "ask").add_edge("ask", END).compile()
        events = list(compiled.stream({"kind": ""}, stream_mode=["messages", "updates"]))
    assert events == [("updates", {"ask": {"kind": "ok"}})]
    assert run.told[0].input_tokens == 100


def test_roles_have_their_own_models(tmp_path: Path) -> None:
    planner, coder = ScriptedChatModel(PICK, model_name="p"), ScriptedChatModel(FENCED_CODE, model_name="c")
    run = Run(tmp_path, {"planner": planner, "coder": coder}, Settings())
    assert run.ask().ok and run.write().ok
    assert (run.client.name("planner"), run.client.name("coder")) == ("p", "c")
    assert run.client.speaks("coder") and not run.client.speaks("report")
    assert [len(planner.calls), len(coder.calls)] == [1, 1]


# ---------------------------------------------------------------- secrets

CANARY = "sk-canary-0123456789abcdef"


def test_a_key_is_nowhere_but_in_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    caplog.set_level("DEBUG")
    echo = faults.http_error("spoiled", 401, "invalid_api_key", f"Bad header Authorization: Bearer {CANARY}.")
    outcomes = []
    with ModelServer({"kind": CANARY, "count": 3}) as server:
        run = run_on(server, tmp_path)
        outcomes += [run.ask(), run.write()]
        assert all(call.headers["authorization"] == "(present)" for call in server.requests)
    with ModelServer(PICK, fault=echo) as server:
        wrong = run_on(server, tmp_path, word="other")
        outcomes += [wrong.ask(), wrong.ask()]
    assert [outcome.kind for outcome in outcomes] == ["schema", "unparsable", "auth", "auth"]
    places = [repr(outcomes), repr(run.events), repr(wrong.events), caplog.text, repr(run.client.name("planner"))]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"ledger.sqlite", "answers.sqlite"} <= {path.name for path in files}
    places += [path.read_bytes().decode("latin-1") for path in files]
    assert not any(CANARY in place for place in places)


def test_a_key_of_an_object_is_hidden_as_well(tmp_path: Path) -> None:
    from langchain_openai import ChatOpenAI

    key = "a-key-that-looks-like-nothing"
    with ModelServer(PICK, fault=faults.http_error("spoiled", 401, "invalid_api_key", f"No such key: {key}")) as server:
        model = ChatOpenAI(base_url=server.base_url, api_key=key, model="any", max_retries=0)
        outcome = Run(tmp_path, model, Settings()).ask()
    assert outcome.kind == "auth" and key not in outcome.detail and "No such key" in outcome.detail


def test_a_missing_key_is_an_outcome_that_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_ADMIN_KEY", raising=False)
    outcome = Run(tmp_path, "openai:gpt-5", Settings()).ask()
    assert outcome.kind == "auth" and "OPENAI_API_KEY" in outcome.detail


def test_a_client_can_be_made_without_touching_anything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    Client(model_book("anthropic:x"), Settings(), home=home, run_id="r", emit=print, seconds_left=lambda: 1.0)
    assert not home.exists()
