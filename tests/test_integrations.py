"""The graph as a tool and as a sub-agent, and the public test doubles."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from automl_agent.errors import InputError, JobError
from automl_agent.execution.protocol import Job
from automl_agent.execution.stopping import clear_stop, request_stop, stop_event, stop_requested
from automl_agent.integrations.subagent import as_subagent, data_in
from automl_agent.integrations.tool import answer as answer_of
from automl_agent.integrations.tool import as_tool
from automl_agent.records import CodeModule, ModelCall, Note, Question, Report, Request
from automl_agent.testing import InlineExecutor, StaticRetriever, check_candidate, check_executor


class State(TypedDict, total=False):
    request: Request
    report: Report


def answer(state: State) -> State:
    request = state["request"]
    if "missing.csv" in request.data:
        raise InputError("File 'missing.csv' does not exist.")
    if "unclear" in request.words:
        question = Question(field="target", text="Which column?", choices=("a", "b"))
        request = request.model_copy(update={"target": interrupt({"question": question.model_dump(mode="json")})})
    task = {"words": request.words, "data": list(request.data), "target": request.target}
    return {"report": Report(status="delivered", score=0.9, task=task, metric={"name": "f1"})}


def graph(**compiled: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder.compile(**compiled)


# ---------------------------------------------------------------- tool and sub-agent


def test_the_tool_answers_with_the_result_as_json() -> None:
    tool = as_tool(graph())
    assert tool.name == "automl"
    assert set(tool.args) >= {"request", "data", "target", "metric"}
    result = json.loads(tool.invoke({"request": "who churns", "data": "a.csv", "target": "churn"}))
    assert result["task"] == {"words": "who churns", "data": ["a.csv"], "target": "churn"}
    several = json.loads(asyncio.run(tool.ainvoke({"request": "x", "data": ["a.csv", "b.csv"]})))
    assert several["task"]["data"] == ["a.csv", "b.csv"]


def test_the_tool_spares_the_context_of_the_agent_that_calls_it() -> None:
    call = ModelCall(role="coder", model="m", outcome="ok", input_tokens=900, usd=0.01)
    modules = [
        CodeModule(id=f"r/{number}", kind="features", plan="p1", title=f"Ratios {number}", status="kept",
                   reason="long " * 500, score_without=2.0, score_with=1.5, ablation={"a": 0.1}, findings=("x" * 999,))
        for number in range(30)
    ]  # fmt: skip
    report = Report(
        status="delivered", score=1.4,
        metric={"name": "rmse", "higher_is_better": False, "interval": [1.0, float("nan")]},
        summary="It works.", calls=(call,) * 200, code=tuple(modules), warnings=("w" * 2000,) * 50,
        plans=({"title": "p" * 2000},) * 8, seconds={"total": 1.0}, versions={"python": "3"}, bundle="out/bundle",
        cost={"usd": 2.0, "calls": 200},
    )  # fmt: skip
    text = answer_of({"report": report})
    told = json.loads(text)
    assert len(text) < 6000
    assert not {"calls", "plans", "seconds", "versions"} & set(told)
    assert (told["status"], told["summary"], told["bundle"], told["cost"]["calls"]) == (
        "delivered", "It works.", "out/bundle", 200,
    )  # fmt: skip
    assert told["code"][0] == {"title": "Ratios 0", "status": "kept", "gain": 0.5}
    assert told["metric"]["interval"] == [1.0, None]


def test_bad_input_and_open_questions_are_answers_of_the_tool() -> None:
    bad = json.loads(as_tool(graph()).invoke({"request": "x", "data": "missing.csv"}))
    assert (bad["status"], bad["reason"]) == ("failed", "File 'missing.csv' does not exist.")
    open_graph = graph(checkpointer=InMemorySaver()).with_config(configurable={"thread_id": "t"})
    result = json.loads(as_tool(open_graph, name="models").invoke({"request": "unclear"}))
    assert (result["status"], result["question"]["choices"]) == ("needs_answer", ["a", "b"])


def test_an_interrupt_in_the_tool_reaches_a_parent_with_a_checkpointer() -> None:
    from langgraph.types import Command

    tool = as_tool(graph())

    class Parent(TypedDict, total=False):
        text: str

    def call(_state: Parent) -> Parent:
        return {"text": tool.invoke({"request": "unclear"})}

    builder = StateGraph(Parent)
    builder.add_node("call", call)
    builder.add_edge(START, "call")
    parent = builder.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "p"}}
    out = parent.invoke({}, config)
    assert out["__interrupt__"][0].value["question"]["field"] == "target"
    out = parent.invoke(Command(resume="b"), config)
    assert json.loads(out["text"])["task"]["target"] == "b"


def test_the_subagent_speaks_in_messages(tmp_path: Path) -> None:
    file = tmp_path / "my table.csv"
    file.write_text("a\n1\n")
    agent = as_subagent(graph())
    messages = [HumanMessage("ignore this"), AIMessage("yes"), HumanMessage(f"Who churns in '{file}'?")]
    out = agent.invoke({"messages": messages})
    assert out["report"].task["data"] == [str(file)]
    assert isinstance(out["messages"][-1], AIMessage)
    assert "f1 0.9 on the locked test" in out["messages"][-1].text
    given = asyncio.run(agent.ainvoke({"messages": [("user", "Who churns?")], "data": "b.csv"}))
    assert given["report"].task["data"] == ["b.csv"]
    bad = agent.invoke({"messages": [{"role": "user", "content": "Use missing.csv"}]})
    assert "missing.csv" in bad["messages"][-1].text


def test_data_are_found_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "set").mkdir()
    assert data_in("The firm's table a.csv isn't big (see ./set).") == ["a.csv", "./set"]
    assert data_in("Read a.csv and write out.csv") == ["a.csv"]
    assert data_in("Read gone.csv, please.") == ["gone.csv"]
    assert data_in("From https://example.org/t.csv?raw=1, as in https://example.org/docs") == [
        "https://example.org/t.csv?raw=1"
    ]
    assert data_in("F1 at least 0.6, and/or fast.") == []


# ---------------------------------------------------------------- stopping


def test_a_stop_is_asked_for_one_run_and_forgotten_with_it() -> None:
    assert not stop_requested("a")
    request_stop("a")
    request_stop("a")
    assert stop_requested("a")
    assert not stop_requested("b")
    assert stop_event("a").wait(0)
    clear_stop("a")
    assert not stop_requested("a")


# ---------------------------------------------------------------- test doubles


def test_the_inline_executor_keeps_its_contract() -> None:
    check_executor(InlineExecutor(), limits=False)


def test_cancelling_inline_jobs_drops_those_that_wait() -> None:
    executor = InlineExecutor()
    pool = executor.pool("r", 1)
    running = pool.submit(Job("automl_agent.testing.executors:nap", {"seconds": 0.3}))
    waiting = pool.submit(Job("automl_agent.testing.executors:nap", {"seconds": 0.3}))
    while len(pool._queued) == 2:
        time.sleep(0.01)
    pool.cancel()
    assert running.result(timeout=10) == {"slept": 0.3}
    with pytest.raises(JobError, match="cancelled"):
        waiting.result(timeout=10)
    executor.release("r")
    late = pool.submit(Job("automl_agent.testing.executors:echo", {"value": 1}))
    assert isinstance(late.exception(timeout=10), JobError)


def test_the_executor_check_finds_a_broken_one() -> None:
    class Fresh(InlineExecutor):
        def pool(self, run_id: str, size: int) -> Any:
            self._pools.clear()
            return super().pool(run_id, size)

    with pytest.raises(AssertionError, match="same object for the same run"):
        check_executor(Fresh())


def test_the_static_retriever_ranks_by_conditions() -> None:
    def note(name: str, families: tuple[str, ...] = ("f",), **when: str) -> Note:
        return Note(id=name, title=name, kind="practice", source="s", families=families, when=when)

    retriever = StaticRetriever(
        [note("big", rows="> 1000"), note("any"), note("other", ("g",)), note("small", rows="<= 1000")]
    )
    found = retriever.retrieve("trees", family="f", meta={"rows": 100.0})
    assert [(n.id, n.applies) for n in found] == [("any", True), ("small", True), ("big", False)]
    assert [n.id for n in retriever.retrieve("trees", family="f", meta={}, k=1)] == ["any"]
    assert retriever.queries == ["trees", "trees"]


CANDIDATE = """
import json
from pathlib import Path
import numpy as np

TITLE = "Class shares"
TAGS = ("constant",)
PORTFOLIO = [{"pull": 1.0}]
SPACE = {"pull": {"type": "float", "low": 0.0, "high": 2.0}}

class Model:
    def __init__(self, task, params, steps, seed, threads=1, time_limit=None):
        self.classes, self.shares = task["classes"], []
    def fit(self, frame, target):
        counts = np.bincount(target, minlength=len(self.classes))
        self.shares = (counts / counts.sum()).tolist()
        return self
    def predict(self, frame):
        return np.tile(self.shares, (len(frame), 1))
    def save(self, folder):
        Path(folder, "model.json").write_text(json.dumps([self.classes, self.shares]))
    @classmethod
    def load(cls, folder):
        classes, shares = json.loads(Path(folder, "model.json").read_text())
        model = cls({"classes": classes}, {}, [], 0)
        model.shares = shares
        return model
"""


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (("", ""), None),
        (("counts / counts.sum()", "counts * 1.0"), "sum to 1"),
        (("np.tile(self.shares, (len(frame), 1))", "np.zeros(len(frame))"), "shape"),
        (('"model.json").write_text(', '"model.pkl").write_text('), "no pickle"),
        (("model.shares = shares", "model.shares = shares[::-1]"), "loaded model"),
        (('"type": "float"', '"type": "real"'), "SPACE"),
        (("(counts / counts.sum())", "np.random.dirichlet(np.ones(3))"), "same seed"),
    ],
)
def test_the_candidate_check_finds_what_is_broken(change: tuple[str, str], broken: str | None, tmp_path: Path) -> None:
    file = tmp_path / "shares.py"
    file.write_text(CANDIDATE.replace(*change) if change[0] else CANDIDATE)
    if broken is None:
        check_candidate(file)
    else:
        with pytest.raises(AssertionError, match=broken):
            check_candidate(file)
