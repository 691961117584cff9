"""A competition's folder: train.csv, test.csv without target and a sample become a submission of the right form."""

import tempfile
from pathlib import Path

import pandas as pd

from automl_agent import Settings, build_graph

CANCER = Path(__file__).parent / "breast_cancer.csv"


def main(settings: Settings) -> None:
    table = pd.read_csv(CANCER)
    table.insert(0, "Id", range(1, len(table) + 1))
    test = table[table["Id"] % 4 == 0].drop(columns="diagnosis")
    sample = pd.DataFrame({"Id": test["Id"], "diagnosis": 0.5})
    with tempfile.TemporaryDirectory() as folder:
        table[table["Id"] % 4 != 0].to_csv(Path(folder) / "train.csv", index=False)
        test.to_csv(Path(folder) / "test.csv", index=False)
        sample.to_csv(Path(folder) / "sample_submission.csv", index=False)
        words = "Predict the diagnosis; malignant is positive. ROC AUC counts."
        report = build_graph(settings=settings).invoke({"request": words, "data": folder})["report"]
    print(report.status, report.metric["name"], round(report.score, 3))
    print(report.submission.form)
    print(report.submission.text)
    print(pd.read_csv(report.submission.path).head(3).round(3).to_string(index=False))


if __name__ == "__main__":
    main(Settings(budget=40))
