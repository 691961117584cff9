"""A stricter judge: the solution must beat the baseline by a margin, besides meeting every constraint."""

from pathlib import Path

from automl_agent import Settings, Verdict, Verifier, build_graph
from automl_agent.verifiers.base import SolutionCase
from automl_agent.verifiers.solution import verify_solution

DATA = Path(__file__).parent / "breast_cancer.csv"


def with_margin(case: SolutionCase) -> Verdict:
    verdict = verify_solution(case)
    gain = case.solution.score - (case.baseline.score or 0.0)
    if gain >= 0.2:
        return verdict
    reason = f"only {gain:.3f} better than the baseline"
    return verdict.model_copy(update={"passed": False, "reasons": (*verdict.reasons, reason)})


def main(settings: Settings) -> None:
    strict = Verifier("solution", "solution", "Demands a margin over the baseline.", with_margin)
    graph = build_graph(verifiers=[strict], settings=settings)
    out = graph.invoke({"request": "Predict the diagnosis.", "data": str(DATA)})
    print(out["report"].status, "after", out["report"].revisions, "revisions")


if __name__ == "__main__":
    main(Settings(budget=30))
