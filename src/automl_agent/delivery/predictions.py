"""The test rows with their predictions, as a table that opens anywhere."""

from __future__ import annotations

import json
from pathlib import Path

from automl_agent.delivery.bundle import runtime_module
from automl_agent.execution.home import write_durably


def write_predictions(path: Path, data: Path, graded: Path, bundle: Path) -> None:
    """Write `row` (position in the data as read), the truth, the prediction and the probabilities of the test rows.

    Args:
        data: the data folder; with `test_names.json` in it, what the rows are called is written, too.
        graded: holds `scores.npy` and `truth.npy`.
        bundle: the built bundle.
    """
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.family import targets
    from automl_agent.tasks.measures import answers

    schema = json.loads((data / "schema.json").read_text(encoding="utf-8"))
    solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    scores, truth = (
        np.load(graded / "scores.npy", allow_pickle=False),
        np.load(graded / "truth.npy", allow_pickle=False),
    )
    columns: dict[str, object] = {"row": np.load(data / "test_rows.npy", allow_pickle=False)}
    escaped = runtime_module("spreadsheet").escaped
    if keys := schema.get("keys"):  # columns that say which row is which
        named = pd.read_parquet(data / "test.parquet", columns=keys)
        columns |= {escaped(name): named[name].map(escaped, na_action="ignore") for name in keys}
    if (data / "test_names.json").is_file():
        columns["name"] = [escaped(name) for name in json.loads((data / "test_names.json").read_text(encoding="utf-8"))]
    classes = [escaped(name) for name in solution["classes"]]
    if solution["kind"] == "clustering":
        columns |= {"cluster": [classes[code] for code in scores.argmax(axis=1)]}
        columns |= {f"belongs_{name}": scores[:, code] for code, name in enumerate(classes)}
    elif scores.ndim == 2:
        positive = schema["classes"].index(schema["positive"]) if schema["positive"] in schema["classes"] else 1
        codes = answers(scores, positive, solution["threshold"])
        columns |= {"truth": [classes[int(code)] for code in targets(truth)]}
        columns |= {"prediction": [classes[code] for code in codes]}
        columns |= {f"probability_{name}": scores[:, code] for code, name in enumerate(classes)}
    else:
        columns |= {"truth": targets(truth), "prediction": scores}
        if (graded / "bounds.npy").is_file():
            lower, upper = np.load(graded / "bounds.npy", allow_pickle=False)
            columns |= {"lower": lower, "upper": upper}
    write_durably(path, pd.DataFrame(columns).to_csv(index=False))
