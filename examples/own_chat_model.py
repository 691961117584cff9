"""A language model for the agents: a word such as "openai:gpt-5", any LangChain chat model, or one per role.

Here a scripted model of the library's own test doubles stands in for a real one. It plans; everything else is left to
the rules, since a role without a model works by them.
"""

from pathlib import Path

from automl_agent import Settings, build_graph
from automl_agent.testing import ScriptedChatModel

DATA = Path(__file__).parent / "breast_cancer.csv"
PLAN = {
    "title": "Smooth and simple",
    "hypothesis": "Few rows and many correlated columns: a penalised linear model generalises best.",
    "models": ["linear"],
    "steps": ["quantile_scale"],
    "choices": [{"candidate": "linear", "parameters": [{"name": "strength", "value": "10"}]}],
    "differs": "one model, stronger penalty",
}


def main(settings: Settings) -> None:
    graph = build_graph({"planner": ScriptedChatModel({"plans": [PLAN]})}, settings=settings)
    out = graph.invoke({"request": "Predict the diagnosis.", "data": str(DATA)})
    report = out["report"]
    print(report.status, *(f"{plan['by']}: {plan['title']}" for plan in report.plans), sep="\n  ")
    print(int(report.cost["calls"]), "call of a model:", report.calls[0].role, report.calls[0].outcome)


if __name__ == "__main__":
    main(Settings(budget=30))
