"""The pipeline as a node of a larger graph, which has its own context, its own checkpointer, and a person to ask."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from automl_agent import Bundle, Report, Settings, build_graph

DATA = Path(__file__).parent / "breast_cancer.csv"


@dataclass
class Team:
    """The larger application's context. The pipeline does not know it, and uses the settings it was built with."""

    name: str = "oncology"


class State(TypedDict, total=False):
    question: str
    request: str
    data: str
    report: Report
    bundle: Bundle
    answer: str


def prepare(state: State) -> State:
    return {"request": state["question"], "data": str(DATA)}


def conclude(state: State) -> State:
    return {"answer": f"{state['report'].status}: {state['bundle'].path}"}


def main(settings: Settings) -> None:
    parent = StateGraph(State, context_schema=Team)
    parent.add_node("prepare", prepare)
    parent.add_node("automl", build_graph(settings=settings, require_approval=True))
    parent.add_node("conclude", conclude)
    parent.add_edge(START, "prepare")
    parent.add_edge("prepare", "automl")
    parent.add_edge("automl", "conclude")
    parent.add_edge("conclude", END)
    graph = parent.compile(checkpointer=InMemorySaver())

    config = {"configurable": {"thread_id": "case-7"}}
    asked = graph.invoke({"question": "Predict the diagnosis."}, config, context=Team())
    plans = asked["__interrupt__"][0].value["approve"]["plans"]
    print("to approve:", [plan["title"] for plan in plans])
    print(graph.invoke(Command(resume=True), config, context=Team())["answer"])


if __name__ == "__main__":
    main(Settings(budget=30))
