"""Predict the rows of a file: `python predict.py NEW.csv [--out FILE] [--reasons]`.

Writes the input's columns, then `prediction`, `probability_<class>` (classes) or `lower` and `upper` (values, 90 %
interval), and with --reasons `reasons`. What is odd about the input is said on stderr.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from ensemble import DamagedBundle, Ensemble
from spreadsheet import escaped

PROBLEMS = {
    "missing_column": "is missing from the file; all its values are taken as unknown",
    "unseen_category": "values were never seen in training",
    "out_of_range": "values lie outside the range seen in training",
    "not_a_number": "values are not numbers and are taken as unknown",
    "extra_column": "is not used by the model",
}


def describe(problem: dict[str, Any]) -> str:
    """One finding of `inspect` of the reader in one sentence."""
    name, text = problem["column"], PROBLEMS.get(problem["problem"], problem["problem"].replace("_", " "))
    if problem["problem"] in ("missing_column", "extra_column"):
        return f"column {name!r} {text}"
    examples = ", ".join(str(example)[:40] for example in problem.get("examples", [])[:3])
    return f"column {name!r}: {problem['count']} {text}" + (f" ({examples})" if examples else "")


def outputs(model: Ensemble, frame: pd.DataFrame, *, reasons: bool = False) -> dict[str, Any]:
    """The columns that are added to typed rows, by name."""
    scores = model.predict_scores(frame)
    added: dict[str, Any] = {"prediction": model.answers(scores)}
    if scores.ndim == 2:
        added |= {f"probability_{label}": scores[:, code] for code, label in enumerate(model.classes)}
    bounds = model.bounds(frame, scores)
    if bounds is not None:
        added |= {"lower": bounds[0], "upper": bounds[1]}
    if reasons:
        added["reasons"] = [
            "; ".join(f"{r['column']} = {r['value']} ({r['contribution']:+.3g})" for r in row)
            for row in model.explain(frame)
        ]
    return added


def predict_file(model: Ensemble, source: Path, out: Path, *, reasons: bool = False) -> list[dict[str, Any]]:
    """Predict the rows of `source` and write them to `out`; returns what `inspect` of the reader found odd."""
    raw = model.reader.read(str(source), model.schema["read"])
    added = outputs(model, model.typed(raw), reasons=reasons)
    taken = [name for name in added if name in raw.columns]
    table = pd.concat([raw.drop(columns=taken).reset_index(drop=True), pd.DataFrame(added)], axis=1)
    for position, dtype in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            table.isetitem(position, table.iloc[:, position].map(escaped, na_action="ignore"))
    table.columns = [escaped(str(name)) for name in table.columns]
    table.to_csv(out, index=False)
    problems: list[dict[str, Any]] = model.reader.inspect(raw, model.schema)
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Predict the rows of a file.")
    parser.add_argument("file", type=Path, help="table with the columns of schema.json, or what else it was trained on")
    parser.add_argument("--out", type=Path, help="CSV file to write; NAME_predictions.csv by default")
    parser.add_argument("--reasons", action="store_true", help="add the columns that moved each prediction most")
    arguments = parser.parse_args()
    out = arguments.out or Path(f"{arguments.file.name.split('.')[0]}_predictions.csv")
    if not arguments.file.exists():  # a reader may take folders
        print(f"error: there is no file {arguments.file}", file=sys.stderr)
        return 2
    try:
        model = Ensemble.load(Path(__file__).parent)
        problems = predict_file(model, arguments.file, out, reasons=arguments.reasons)
    except (DamagedBundle, ValueError, OSError) as error:
        print(f"error: {arguments.file}: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"warning: {describe(problem)}", file=sys.stderr)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
