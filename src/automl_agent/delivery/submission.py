"""Predictions of the user's own rows without target, in the form that a sample shows: what competitions take.

What the form is was found out when the data were read (`submission.json` in the data folder). The written file is read
back and checked before it is called right.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.execution.home import write_durably
from automl_agent.records import Submission

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

DATA = "unlabelled.parquet"


def wanted(data: Path) -> bool:
    """Whether a data folder holds rows without target that are to be predicted."""
    return (data / DATA).is_file() and (data / "submission.json").is_file()


def write_submission(path: Path, data: Path, bundle: Path, scores: Array) -> Submission:
    """Write the predictions and check the file.

    Args:
        data: the data folder. bundle: the bundle that predicted.
        scores: of `unlabelled.parquet`, in its order: (rows, classes) probabilities or (rows,) values.
    """
    import numpy as np
    import pandas as pd

    form = json.loads((data / "submission.json").read_text(encoding="utf-8"))
    solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    rows = np.load(data / "submission_rows.npy", allow_pickle=False)
    table = pd.read_parquet(data / "submission_ids.parquet").reset_index(drop=True)
    for name, values in _predictions(form, solution, scores[rows]).items():
        table[name] = values
    # Labels and ids stay as they are, unlike in predictions.csv: this file is for a program, not for a spreadsheet.
    write_durably(path, table[list(form["order"])].to_csv(index=False))
    problem = _problem(path, form, table[list(form["ids"])].astype(str).to_numpy().tolist())
    shown = form["sample"] or "the training data"
    text = problem or f"Columns, ids and their order are those of {shown}; every row has a prediction."
    return Submission(path=str(path), file=form["file"], rows=len(table), form=form["text"], ok=not problem, text=text)


def _predictions(form: dict[str, Any], solution: dict[str, Any], scores: Array) -> dict[str, Any]:
    """The predicted columns by name."""
    from automl_agent.tasks.measures import answers

    if form["kind"] == "values":
        return dict.fromkeys(form["columns"], scores)
    if form["kind"] == "labels":
        classes = solution["classes"]
        positive = classes.index(solution["positive"]) if solution.get("positive") in classes else 1
        codes = answers(scores, positive, solution.get("threshold"))
        return {name: [classes[code] for code in codes] for name in form["columns"]}
    return {name: scores[:, code] for name, code in form["columns"].items()}


def _problem(path: Path, form: dict[str, Any], ids: Sequence[Sequence[str]]) -> str:
    """What is wrong with the written file; empty when it is right."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if header != list(form["order"]):
        return f"The columns are {', '.join(header)}."
    places = [header.index(name) for name in form["ids"]]
    if [[row[place] for place in places] for row in rows] != [list(each) for each in ids]:
        return "The ids or their order are not those of the sample."
    predicted = [header.index(name) for name in form["columns"]]
    empty = sum(not row[place] for row in rows for place in predicted)
    if empty:
        return f"{empty} predictions are missing."
    if form["kind"].startswith("probabilit") and not all(0 <= float(row[p]) <= 1 for row in rows for p in predicted):
        return "There are probabilities outside 0 and 1."
    return ""
