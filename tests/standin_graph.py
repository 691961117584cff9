"""A small graph with the keywords of `build_graph`, for tests of the command line: no data, no training.

What it does is said in the request's words: `unclear` asks for the target, `slow` searches until it is stopped or its
budget is used, `die` kills the process in the search once, `bad` raises bad input, `crash` a fault, `miss` misses.
Every node leaves a line in HOME/visits, so that tests see what was run, and run again.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, RunnableConfig, interrupt

from automl_agent.cli.options import make_parser
from automl_agent.cli.run import run
from automl_agent.errors import InputError
from automl_agent.events import BestSoFar, PlanMade, Remark, StageFinished, StageStarted, TrialFinished
from automl_agent.execution.ledger import Ledger
from automl_agent.execution.stopping import stop_requested
from automl_agent.records import ConstraintCheck, Fidelity, Plan, Question, Report, Request, Trial
from automl_agent.settings import Settings

HOME = ".automl-agent"
"""The default home, in the current folder."""


class State(TypedDict, total=False):
    request: Request
    target: str
    report: Report


PLAN = Plan(id="p1", title="Boosted trees", hypothesis="Trees fit tables.", steps=(), models=("lightgbm",))
TRIAL = Trial(id="t", plan="p1", candidate="lightgbm", fidelity=Fidelity(rows=0, folds=5), score=0.9)


def visit(runtime: Runtime[Settings], name: str) -> list[str]:
    """Note the visit of a node; returns all visits so far."""
    log = runtime.context.home_path / "visits"
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{name}\n")
    return log.read_text(encoding="utf-8").split()


def parse(state: State, runtime: Runtime[Settings]) -> State:
    visit(runtime, "parse")
    runtime.stream_writer(StageStarted(stage="parse", title="Understanding the request"))
    words = state["request"].words
    if "bad" in words:
        raise InputError("File 'none.csv' does not exist.", hint="Give a CSV file.")
    if "crash" in words:
        raise RuntimeError("something broke")
    runtime.stream_writer(StageFinished(stage="parse", seconds=0.1))
    return {"target": state["request"].target or ("" if "unclear" in words else "churn")}


def clarify(state: State) -> State:
    if state["target"]:
        return {}
    question = Question(field="target", text="Which column shall be predicted?", choices=("churn", "price"))
    return {"target": str(interrupt({"question": question.model_dump(mode="json")}))}


def approve(state: State) -> Command[Literal["search", "refused"]]:
    task = {"family": "tabular_classification", "target": state["target"], "metric": "f1"}
    yes = interrupt({"approve": {"task": task, "plans": [PLAN.model_dump(mode="json")]}})
    return Command(goto="search" if yes else "refused")


def refused(state: State) -> State:
    return {"report": Report(status="refused", reason=f"The plans for {state['target']!r} were not approved.")}


def search(state: State, runtime: Runtime[Settings], config: RunnableConfig) -> State:
    visits = visit(runtime, "search")
    words, run_id = state["request"].words, config["configurable"]["thread_id"]
    say = runtime.stream_writer
    say(StageStarted(stage="search", title="Searching"))
    say(PlanMade(plan=PLAN))
    say(TrialFinished(trial=TRIAL, count=1))
    say(BestSoFar(metric="f1", score=0.9, candidate="lightgbm", bundle="bundle", seconds=1.0))
    say(Remark(text="Column 'id' looks like an identifier.", level="warning"))
    if "die" in words and visits.count("search") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    clock = Ledger(runtime.context.home_path).clock(run_id, runtime.context.budget)
    while "slow" in words and clock.remaining() and not stop_requested(run_id):
        time.sleep(0.02)
    return {"report": report(run_id, state, runtime.context, stopped=stop_requested(run_id))}


def report(run_id: str, state: State, settings: Settings, *, stopped: bool) -> Report:
    missed = "miss" in state["request"].words
    check = ConstraintCheck(measure="f1", comparison=">=", value=0.95, measured=0.9, met=not missed)
    return Report(
        status="missed" if missed else "delivered",
        run_id=run_id,
        reason="stopped" if stopped else "",
        score=0.9,
        task={"family": "tabular_classification", "target": state["target"]},
        metric={"name": "f1", "higher_is_better": True, "test": 0.9, "interval": [0.85, 0.95], "baseline": 0.4},
        constraints=(check,),
        bundle=str(Path(settings.out or "", "bundle")),
    )


def build(_model: Any = None, *, settings: Settings, require_approval: bool, checkpointer: Any) -> Any:
    assert settings.out is not None
    graph = StateGraph(State, context_schema=Settings)
    for node in (parse, clarify, approve, refused, search):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "parse")
    graph.add_edge("parse", "clarify")
    graph.add_edge("clarify", "approve" if require_approval else "search")
    graph.add_edge("search", END)
    return graph.compile(checkpointer=checkpointer, name="standin")


def start(*argv: str) -> int:
    """`automl-agent run ARGV` on this graph, in this process."""
    args = make_parser().parse_args(["run", *argv])
    args.started = time.monotonic()
    return run(args, build=build)
