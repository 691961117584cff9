"""The pipeline in the hands of another agent: as a tool, and as a sub-agent that speaks in messages."""

import json
from pathlib import Path

from automl_agent import Settings, as_subagent, as_tool, build_graph

DATA = Path(__file__).parent / "breast_cancer.csv"


def main(settings: Settings) -> None:
    graph = build_graph(settings=settings)

    tool = as_tool(graph)  # hand it to any LangChain agent: create_agent(model, tools=[tool])
    answer = json.loads(tool.invoke({"request": "Predict the diagnosis.", "data": str(DATA)}))
    print(tool.name, "answers", answer["status"], answer["metric"]["name"], round(answer["score"], 3))

    runnable = as_subagent(graph)  # {"name": ..., "description": ..., "runnable": runnable} for deepagents
    reply = runnable.invoke({"messages": [("user", f"Predict the diagnosis in {DATA}")]})
    print(reply["messages"][-1].content.splitlines()[0])


if __name__ == "__main__":
    main(Settings(budget=30))
