"""A folder as competitions give it: the rows without target are predicted, in the form that the sample shows."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from automl_agent import Request, Settings, build_graph
from automl_agent.agents.understanding.prompt import understand
from automl_agent.delivery.submission import wanted, write_submission
from automl_agent.delivery.summary import summarize
from automl_agent.errors import JobError
from automl_agent.nodes.deliver import _submitted
from automl_agent.records import Submission, TaskSpec
from automl_agent.tasks.registry import families
from table_cases import acquired, kinds, shop

CLASSES = {"classes": ["no", "yes"], "positive": "yes", "kind": "classification", "threshold": None}
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])


def competition(folder: Path, *, sample: pd.DataFrame | None = None, rows: int = 4, train: pd.DataFrame | None = None,
                test: pd.DataFrame | None = None) -> Path:  # fmt: skip
    """Train, test without target, and a sample."""
    folder.mkdir()
    table = shop(200) if train is None else train
    table.insert(0, "Id", np.arange(1, len(table) + 1))
    table.to_csv(folder / "train.csv", index=False)
    if test is None:
        test = shop(rows, seed=1).drop(columns="churn").assign(Id=np.arange(1001, 1001 + rows))
    test.to_csv(folder / "test.csv", index=False)
    if sample is not None:
        sample.to_csv(folder / "sample_submission.csv", index=False)
    (folder / "README.md").write_text("What it is about.")
    (folder / "data_description.txt").write_text("age: in years\n\nincome: a month\n")
    return folder


def form_of(folder: Path) -> dict:
    return json.loads((folder / "submission.json").read_text())


def submitted(data: Path, tmp_path: Path, scores: np.ndarray = SCORES, **solution) -> tuple[Submission, pd.DataFrame]:
    bundle = tmp_path / "bundle"
    (bundle / "model").mkdir(parents=True, exist_ok=True)
    (bundle / "model" / "solution.json").write_text(json.dumps(CLASSES | solution))
    made = write_submission(tmp_path / "submission.csv", data, bundle, scores)
    return made, pd.read_csv(tmp_path / "submission.csv", dtype=str)


def ids(*numbers: int, **columns) -> pd.DataFrame:
    return pd.DataFrame({"Id": numbers, **columns})


IDS = (1001, 1002, 1003, 1004)


def test_labels_in_the_order_of_the_sample(tmp_path):
    sample = ids(1004, 1002, 1003, 1001, churn=["no", "yes", "no", "no"])
    profile, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=sample))
    assert "test_without_target" in kinds(profile) and profile.rows_train + profile.rows_test == 200
    found = next(each for each in profile.findings if each.kind == "test_without_target")
    assert found.action == "predicted" and "Id, churn: labels, as 'sample_submission.csv' shows" in found.text
    made, table = submitted(data, tmp_path)
    assert made.ok and made.rows == 4 and "sample_submission.csv" in made.text
    assert table["Id"].tolist() == ["1004", "1002", "1003", "1001"] and list(table) == ["Id", "churn"]
    assert table["churn"].tolist() == ["yes", "yes", "no", "no"]
    assert pd.read_parquet(data / "unlabelled.parquet").columns.tolist() == ["age", "income", "city"]


def test_a_threshold_is_kept(tmp_path):
    _, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=ids(*IDS, churn=["no", "yes", "no", "no"])))
    assert submitted(data, tmp_path, threshold=0.3)[1]["churn"].tolist() == ["no", "yes", "yes", "yes"]


def test_probabilities_of_one_class(tmp_path):
    _, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=ids(*IDS, churn=[0.5] * 4)))
    made, table = submitted(data, tmp_path)
    assert made.ok and "probabilities" in made.form
    assert table["churn"].astype(float).tolist() == [0.1, 0.8, 0.4, 0.7]


def test_probabilities_of_all_classes(tmp_path):
    sample = ids(*IDS, churn_yes=[0.5] * 4, churn_no=[0.5] * 4)
    _, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=sample))
    made, table = submitted(data, tmp_path)
    assert made.ok and list(table) == ["Id", "churn_yes", "churn_no"]
    assert table["churn_yes"].astype(float).tolist() == [0.1, 0.8, 0.4, 0.7]


@pytest.mark.parametrize(
    ("shown", "metric", "kind"),
    [(["0", "1", "0", "0"], "accuracy", "labels"), (["0", "0", "0", "0"], "accuracy", "labels"),
     (["0", "0", "0", "0"], "roc_auc", "probability"), (["0", "1", "0", "0"], "roc_auc", "labels"),
     (["0.0", "0.0", "0.0", "0.0"], "accuracy", "probability")],
)  # fmt: skip
def test_what_a_sample_of_zeros_and_ones_shows(tmp_path, shown, metric, kind):
    train = shop(200)
    train["churn"] = (train["churn"] == "yes").astype(int)
    folder = competition(tmp_path / "c", sample=ids(*IDS, churn=shown), train=train)
    _, data, _ = acquired(tmp_path, folder, metric=metric, positive="0")
    assert form_of(data)["kind"] == kind
    if kind == "probability":
        assert form_of(data)["columns"] == {"churn": 1}, "the probability of 1, whatever counts as positive"


def test_values(tmp_path):
    sample = ids(*IDS, income=[1, 1, 1, 1])
    test = shop(4, seed=1).drop(columns="income").assign(Id=IDS)
    folder = competition(tmp_path / "c", sample=sample, test=test)
    _, data, _ = acquired(tmp_path, folder, "income", kind="regression")
    made, table = submitted(data, tmp_path, np.array([1.5, 2.5, 3.25, 4.0]), classes=[])
    assert made.ok and table["income"].tolist() == ["1.5", "2.5", "3.25", "4.0"]


def test_without_a_sample(tmp_path):
    _, data, _ = acquired(tmp_path, competition(tmp_path / "c"))
    made, table = submitted(data, tmp_path)
    assert made.ok and list(table) == ["Id", "churn"] and table["Id"].tolist() == list(map(str, IDS))
    assert "training data" in made.text


def test_rows_that_nothing_names(tmp_path):
    test = shop(4, seed=1).drop(columns="churn")
    sample = pd.DataFrame({"RowId": [7, 8, 9, 10], "churn": ["no", "yes", "no", "no"]})
    _, data, _ = acquired(tmp_path, competition(tmp_path / "a", sample=sample, test=test))
    assert submitted(data, tmp_path)[1]["RowId"].tolist() == ["7", "8", "9", "10"]
    _, data, _ = acquired(tmp_path, competition(tmp_path / "b", test=test))
    assert submitted(data, tmp_path)[1]["row"].tolist() == ["0", "1", "2", "3"]


def test_a_sample_of_fewer_rows_shows_the_form_only(tmp_path):
    sample = ids(1001, 1002, churn=["no", "yes"])
    _, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=sample))
    made, table = submitted(data, tmp_path)
    assert made.ok and table["Id"].tolist() == list(map(str, IDS))


@pytest.mark.parametrize(
    ("sample", "why"),
    [(ids(*IDS, a=[1] * 4, b=[2] * 4), "are not the classes"), (ids(*IDS), "no column for predictions"),
     (pd.DataFrame({"x": [1], "y": [2]}), "no column that names the rows")],
)  # fmt: skip
def test_a_sample_that_cannot_be_followed(tmp_path, sample, why):
    profile, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=sample))
    found = next(each for each in profile.findings if each.kind == "test_without_target")
    assert "the sample was not followed" in found.text and why in found.text
    made, table = submitted(data, tmp_path)
    assert list(table) == ["Id", "churn"] and made.ok and "training data" in made.text


def test_a_wrong_submission_is_noticed(tmp_path, monkeypatch):
    from automl_agent.delivery import submission

    _, data, _ = acquired(tmp_path, competition(tmp_path / "c", sample=ids(*IDS, churn=[0.5] * 4)))
    made, _ = submitted(data, tmp_path, SCORES * 2)
    assert not made.ok and "outside 0 and 1" in made.text
    made, _ = submitted(data, tmp_path, np.full((4, 2), np.nan))
    assert not made.ok and "4 predictions are missing" in made.text

    def shifted(path: Path, text: str) -> None:
        path.write_text("\n".join([text.splitlines()[0], *text.splitlines()[2:]]))

    monkeypatch.setattr(submission, "write_durably", shifted)
    assert "order" in submitted(data, tmp_path)[0].text


def test_rows_that_could_not_be_predicted_are_a_warning(tmp_path):
    future: Future = Future()
    future.set_exception(JobError("it broke"))
    stage = SimpleNamespace(storage_error=lambda _: None)
    assert _submitted(future, tmp_path, stage) == (None, "The rows without target were not predicted: it broke")


def test_a_test_with_target_is_no_submission(tmp_path):
    folder = competition(tmp_path / "c", test=shop(50, seed=1).assign(Id=range(50)))
    profile, data, _ = acquired(tmp_path, folder)
    assert profile.rows_test == 50 and not wanted(data)


def test_the_target_is_what_the_test_lacks(tmp_path):
    task = understand(Request(words="Make the best model for this competition",
                              data=(str(competition(tmp_path / "c")),)), families())  # fmt: skip
    assert isinstance(task, TaskSpec) and task.target == "churn"
    reason = next(each.reason for each in task.inferences if each.field == "target")
    assert "only column that test.csv lacks" in reason
    named = understand(Request(words="Predict the income", data=(str(tmp_path / "c"),)), families())
    assert isinstance(named, TaskSpec) and named.target == "income"


def test_tables_beside_the_pair_are_named(tmp_path):
    folder = competition(tmp_path / "c")
    shop(5).to_csv(folder / "stores.csv", index=False)
    profile, _, _ = acquired(tmp_path, folder)
    assert any(each.kind == "unused_table" and "stores.csv" in each.text for each in profile.findings)


@pytest.mark.slow
def test_a_whole_run(tmp_path, place):
    train, test = shop(300), shop(40, seed=3).drop(columns="churn").assign(Id=range(1001, 1041))
    sample = ids(*reversed(range(1001, 1041)), churn=["no", "yes"] * 20)
    folder = competition(tmp_path / "c", sample=sample, train=train, test=test)
    settings = Settings(budget=240, trials=4, cpus=1, out=str(tmp_path / "out"))
    out = build_graph(settings=settings).invoke({"request": "Predict churn", "data": str(folder)})
    report = out["report"]
    assert report.status == "delivered", report.reason
    assert report.submission.ok and report.submission.rows == 40
    table = pd.read_csv(tmp_path / "out" / "submission.csv")
    assert table["Id"].tolist() == list(reversed(range(1001, 1041))) and set(table["churn"]) <= {"yes", "no"}
    assert "the 40 rows of test.csv predicted" in summarize(report)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "The rows without target" in page and "submission.csv" in page
    assert json.loads((tmp_path / "out" / "result.json").read_text())["submission"]["ok"] is True

    from automl_agent.delivery.checks import predict_file

    alone = pd.read_csv(predict_file(Path(report.bundle), folder / "test.csv", tmp_path / "p.csv"))
    assert alone.set_index("Id")["prediction"].to_dict() == table.set_index("Id")["churn"].to_dict()
