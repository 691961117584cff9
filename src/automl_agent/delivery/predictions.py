"""The test rows with their predictions, as a table that opens anywhere."""

from __future__ import annotations

import json
from pathlib import Path

_FORMULA = ("=", "+", "-", "@")


def write_predictions(path: Path, data: Path, graded: Path, bundle: Path) -> None:
    """Write `row` (position in the data as read), the truth, the prediction and the probabilities of the test rows.

    Args:
        data: the data folder. graded: holds `scores.npy` and `truth.npy`. bundle: the built bundle.
    """
    import numpy as np
    import pandas as pd

    schema = json.loads((data / "schema.json").read_text(encoding="utf-8"))
    solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    scores, truth = np.load(graded / "scores.npy"), np.load(graded / "truth.npy")
    columns: dict[str, object] = {"row": np.load(data / "test_rows.npy")}
    classes = [_safe(name) for name in schema["classes"]]
    if scores.ndim == 2:
        codes = scores.argmax(axis=1)
        if solution.get("threshold") is not None and schema.get("positive") in schema["classes"]:
            positive = schema["classes"].index(schema["positive"])
            codes = np.where(scores[:, positive] >= solution["threshold"], positive, 1 - positive)
        columns |= {"truth": [classes[code] for code in truth], "prediction": [classes[code] for code in codes]}
        columns |= {f"probability_{name}": scores[:, code] for code, name in enumerate(classes)}
    else:
        columns |= {"truth": truth, "prediction": scores}
        if solution.get("interval_radius") is not None:
            radius = solution["interval_radius"]
            columns |= {"lower": scores - radius, "upper": scores + radius}
    partial = path.with_suffix(".partial")
    pd.DataFrame(columns).to_csv(partial, index=False)
    partial.replace(path)


def _safe(text: str) -> str:
    """A label that a spreadsheet will not run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) and not text.lstrip("+-").replace(".", "", 1).isdigit() else text
