"""The topology: which stage follows which, and nothing else. `build_graph` is the library's front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from automl_agent.agents.base import Agent
from automl_agent.agents.team import assemble
from automl_agent.execution.local import LocalExecutor
from automl_agent.execution.protocol import ArtifactStore, Executor
from automl_agent.knowledge.protocol import Retriever
from automl_agent.llm.models import Model, model_book
from automl_agent.nodes.acquire_data import acquire_data
from automl_agent.nodes.baseline import baseline
from automl_agent.nodes.begin import begin
from automl_agent.nodes.deliver import deliver
from automl_agent.nodes.gather import gather
from automl_agent.nodes.grade import grade
from automl_agent.nodes.implement import implement
from automl_agent.nodes.make_plans import approve, current_plans, make_plans
from automl_agent.nodes.parse_request import clarify, parse_request
from automl_agent.nodes.report import report
from automl_agent.nodes.retrieve_knowledge import retrieve_knowledge
from automl_agent.nodes.revise import revise
from automl_agent.nodes.solve_subtasks import solve_subtask
from automl_agent.nodes.stage import Services, staged
from automl_agent.nodes.state import Input, Output, State
from automl_agent.nodes.try_plan import try_plan
from automl_agent.nodes.verify_plans import verify_plans
from automl_agent.nodes.verify_request import verify_request
from automl_agent.nodes.verify_solution import verify_solution
from automl_agent.records import SubTask
from automl_agent.settings import Settings
from automl_agent.verifiers.base import Verifier, panel
from automl_agent.verifiers.builtin import BUILTIN

if TYPE_CHECKING:
    from langgraph.cache.base import BaseCache
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore

STAGES: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("begin", begin, "Starting"),
    ("verify_request", verify_request, "Checking the request"),
    ("parse_request", parse_request, "Understanding the request"),
    ("clarify", clarify, "Asking"),
    ("acquire_data", acquire_data, "Reading and splitting the data"),
    ("baseline", baseline, "Building the baseline"),
    ("retrieve_knowledge", retrieve_knowledge, "Looking up notes"),
    ("make_plans", make_plans, "Making plans"),
    ("gather", gather, "Gathering what the agents found"),
    ("try_plan", try_plan, "Trying the plans"),
    ("verify_plans", verify_plans, "Verifying the plans"),
    ("implement", implement, "Training, tuning, ensembling"),
    ("verify_solution", verify_solution, "Verifying the solution"),
    ("revise", revise, "Revising"),
    ("grade", grade, "Grading on the locked test"),
    ("deliver", deliver, "Checking and delivering the bundle"),
    ("report", report, "Writing the report"),
)
"""Name, function and title of every stage but the agents', which the caller chooses."""


def build_graph(
    model: Model | Mapping[str, Model] | None = None,
    *,
    agents: Sequence[Agent] = (),
    verifiers: Sequence[Verifier] = (),
    retriever: Retriever | None = None,
    executor: Executor | None = None,
    artifacts: ArtifactStore | None = None,
    settings: Settings | None = None,
    require_approval: bool = False,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    name: str = "automl_agent",
) -> CompiledStateGraph[State, Settings, Input, Output]:
    """Build the pipeline as a compiled LangGraph graph.

    Args:
        model: A word (`"openai:gpt-5"`), a LangChain chat model, or a mapping from role to these with a `"default"`.
            Without one every agent works by rules.
        agents: Sub-task agents. The name of a built-in one (`data`, `model`) replaces it, a new name joins, and
            an agent without a function takes its role out.
        verifiers: Verifiers of a stage; the names `request`, `plans` and `solution` replace the built-in ones.
        retriever: Where notes come from; by default the shipped notes in an embedded Chroma store.
        executor: Runs the training jobs; by default worker processes on this machine.
        artifacts: Where data and models lie; by default folders under `Settings.home`.
        settings: Used when the caller passes no `context=Settings(...)`.
        require_approval: Interrupt before the costly part and show the plans; needs a checkpointer.
        checkpointer: Makes runs durable and questions possible. Leave it out when the graph is embedded in another one.
        store: A LangGraph store, handed through to the compiled graph.
        cache: A LangGraph cache, handed through to the compiled graph.
        name: Name of the compiled graph.

    Returns:
        A graph that takes `{"request": ..., "data": ...}` and returns `{"report": Report, "bundle": Bundle | None}`.

    Raises:
        ConfigurationError: when an argument cannot work (two agents of one name, a model that is none, ...).
    """
    services = Services(
        team=assemble(model_book(model), agents),
        verifiers=panel(BUILTIN, verifiers),
        retriever=retriever,
        executor=executor or LocalExecutor(),
        artifacts=artifacts,
        settings=settings or Settings(),
    )
    graph = StateGraph(State, context_schema=Settings, input_schema=Input, output_schema=Output)
    stages = list(STAGES)
    for role, agent in services.team.agents.items():
        stages.append((f"agent_{role}", solve_subtask, agent.description or role))
    if require_approval:
        stages.append(("approve", approve, "Waiting for approval"))
    for stage, function, title in stages:
        graph.add_node(stage, staged(function, services, stage, title))
    _connect(graph, list(services.team.agents), require_approval)
    return graph.compile(checkpointer=checkpointer, store=store, cache=cache, name=name)


def _connect(graph: StateGraph[State, Settings, Input, Output], roles: list[str], require_approval: bool) -> None:
    """All edges of the graph."""
    agents, fan_out = [f"agent_{role}" for role in roles], one_send_per_subtask(roles)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "verify_request")
    graph.add_conditional_edges("verify_request", is_machine_learning, ["parse_request", "report"])
    graph.add_conditional_edges("parse_request", is_understood, ["acquire_data", "clarify"])
    graph.add_conditional_edges("clarify", is_answered, ["parse_request", "report"])
    graph.add_conditional_edges("acquire_data", plans_only, ["baseline", "retrieve_knowledge"])
    graph.add_edge("baseline", "make_plans")  # both end in one step: plans are made once
    graph.add_edge("retrieve_knowledge", "make_plans")
    if require_approval:
        graph.add_conditional_edges("make_plans", approval_first(fan_out), ["approve", "report", *agents, "gather"])
        graph.add_conditional_edges("approve", fan_out, ["report", *agents, "gather"])
    else:
        graph.add_conditional_edges("make_plans", fan_out, ["report", *agents, "gather"])
    for agent in agents:
        graph.add_edge(agent, "gather")
    graph.add_conditional_edges("gather", one_send_per_plan, ["try_plan"])
    graph.add_edge("try_plan", "verify_plans")
    graph.add_conditional_edges("verify_plans", has_passed_plans, ["implement", "revise"])
    graph.add_edge("implement", "verify_solution")
    graph.add_conditional_edges("verify_solution", solution_passed, ["grade", "revise"])
    graph.add_edge("revise", "make_plans")
    graph.add_edge("grade", "deliver")
    graph.add_edge("deliver", "report")
    graph.add_edge("report", END)


# What the edges decide. Facts come from the state alone; the nodes have written them there.


def is_machine_learning(state: State) -> str:
    return "parse_request" if state["verdicts"]["request"].passed else "report"


def is_understood(state: State) -> str:
    return "acquire_data" if state.get("task") is not None else "clarify"


def is_answered(state: State) -> str:
    return "parse_request" if state.get("question") is None else "report"


def plans_only(state: State) -> list[str]:
    """The baseline is trained by workers while this process looks up notes."""
    return ["retrieve_knowledge"] if state["plan_only"] else ["baseline", "retrieve_knowledge"]


def approval_first(fan_out: Callable[[State], list[Send] | str]) -> Callable[[State], list[Send] | str]:
    """The first plans are shown to a person; a revision is part of what was approved."""

    def route(state: State) -> list[Send] | str:
        return fan_out(state) if state["plan_only"] or state["revision"] else "approve"

    return route


def one_send_per_subtask(roles: list[str]) -> Callable[[State], list[Send] | str]:
    def fan_out(state: State) -> list[Send] | str:
        if state["plan_only"] or not state["approved"]:
            return "report"
        shared = _shared(state, "agents")
        return [
            Send(f"agent_{role}", {**shared, "subtask": SubTask(plan=plan, role=role, goal=plan.hypothesis)})
            for plan in current_plans(state)
            for role in roles
        ] or "gather"

    return fan_out


def one_send_per_plan(state: State) -> list[Send]:
    shared = _shared(state, "try_plans")
    results = list(state.get("results", {}).values())
    return [
        Send("try_plan", {**shared, "plan": plan, "work": [result for result in results if result.plan == plan.id]})
        for plan in current_plans(state)
    ]


def has_passed_plans(state: State) -> str:
    """An answer always: without room for another round the best of what there is goes on."""
    passed = any(state["verdicts"][plan.id].passed for plan in current_plans(state))
    return "implement" if passed or not state["room"] else "revise"


def solution_passed(state: State) -> str:
    verdict = state["verdicts"][f"solution-{state.get('revision', 0)}"]
    return "grade" if verdict.passed or not state["room"] else "revise"


def _shared(state: State, phase: str) -> dict[str, Any]:
    """What every `Send` of a phase carries."""
    return {
        "run_id": state["run_id"],
        "request": state["request"],
        "task": state["task"],
        "profile": state["profile"],
        "until": state["phases"][phase],
        "limit": state["quota"]["agent" if phase == "agents" else "plan"],
    }
