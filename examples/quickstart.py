"""A sentence and a table become a model."""

from pathlib import Path

from automl_agent import Settings, build_graph

DATA = Path(__file__).parent / "breast_cancer.csv"


def main(settings: Settings) -> None:
    graph = build_graph(settings=settings)
    out = graph.invoke({"request": "Predict whether a tumour is malignant. Accuracy at least 0.93.", "data": str(DATA)})
    report = out["report"]
    print(report.status, report.metric["name"], round(report.score, 3))
    for check in report.constraints:
        print(" ", check.text)
    print("serve it with: python", Path(out["bundle"].path) / "serve.py")


if __name__ == "__main__":
    main(Settings(budget=30))
