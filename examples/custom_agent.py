"""An agent of your own: it sees the task and the profile, may measure, and says what to try besides."""

from pathlib import Path

from automl_agent import Agent, CandidateChoice, Settings, SubTask, Suggestions, build_graph

DATA = Path(__file__).parent / "breast_cancer.csv"


def few_neighbours(subtask: SubTask, bench) -> Suggestions:
    """Measure two sizes of neighbourhood, and suggest the better one to the plan."""
    choices = [CandidateChoice(candidate="nearest_neighbours", params={"neighbours": k}) for k in (5, 25)]
    trials = bench.best_first(bench.measure([(choice, ()) for choice in choices]))
    return Suggestions(choices=tuple(CandidateChoice(candidate=t.candidate, params=t.params) for t in trials[:1]))


def main(settings: Settings) -> None:
    graph = build_graph(
        agents=[
            Agent("neighbours", "Tries small neighbourhoods.", few_neighbours),  # a new name joins
            Agent("data", "", None),  # the name of a built-in one without a function takes it out
        ],
        settings=settings,
    )
    print([name for name in graph.nodes if name.startswith("agent_")])
    out = graph.invoke({"request": "Predict whether a tumour is malignant.", "data": str(DATA)})
    print(out["report"].status, round(out["report"].score, 3))


if __name__ == "__main__":
    main(Settings(budget=30))
