"""A model of your own as one file: it is tuned, timed, ensembled, graded and shipped like the built-in ones.

The file lies in `candidates/centroid.py`; `check_candidate` tells whether it keeps the contract.
"""

from pathlib import Path

from automl_agent import Agent, CandidateChoice, Settings, SubTask, Suggestions, build_graph
from automl_agent.testing import check_candidate

HERE = Path(__file__).parent
CANDIDATE = HERE / "candidates" / "centroid.py"


def suggest(subtask: SubTask, bench) -> Suggestions:
    return Suggestions(choices=(CandidateChoice(candidate=str(CANDIDATE), params={"softness": 1.0}),))


def main(settings: Settings) -> None:
    check_candidate(CANDIDATE, "classification")
    graph = build_graph(agents=[Agent("centroid", "Adds the nearest centroid.", suggest)], settings=settings)
    seen = set()
    inputs = {"request": "Predict the diagnosis.", "data": str(HERE / "breast_cancer.csv")}
    for event in graph.stream(inputs, stream_mode="custom"):
        if event.kind == "trial_finished" and event.trial.candidate == str(CANDIDATE) and event.trial.score is not None:
            seen.add(f"{CANDIDATE.name} scored {event.trial.score:.3f}")
    print(*seen, sep="\n")


if __name__ == "__main__":
    main(Settings(budget=30))
