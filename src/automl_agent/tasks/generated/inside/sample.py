"""Tries a generated module on a sample, in the sandbox: `python sample.py`, in the folder that may be written.

Reads `job.json`, `train.parquet`, `target.npy` and `valid.parquet` from the folder above its own; writes `sample.json`.
What it looks for is seen in what the module does, not in how it is written.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import exchange  # type: ignore[import-not-found]
import failing  # type: ignore[import-not-found]
import numpy as np
import pandas as pd

ALIKE = 1e-6
ROWS_SHUFFLED = 100
"""Rows that tell whether the output depends on a column."""


def main() -> None:
    inputs = Path(__file__).resolve().parent.parent
    job = json.loads((inputs / "job.json").read_text(encoding="utf-8"))
    train, valid = exchange.read_frame(inputs / "train.parquet"), exchange.read_frame(inputs / "valid.parquet")
    target = np.load(inputs / "target.npy", allow_pickle=False)
    model = imported(job["candidate"])(job["task"], job["params"], [], job["seed"])
    model.fit(train, target)
    Path("model").mkdir()
    before = answered(model, valid)
    if not alike(answered(model, valid), before):
        raise ValueError("the same rows give something else the second time: use no chance, or one with a fixed seed")
    model.save(Path("model"))
    loaded = imported(job["candidate"]).load(Path("model"))
    after = answered(loaded, valid)
    if not alike(before, after):
        raise ValueError(
            "once it was stored and loaded, it gives something else: keep all that is learned in the state"
        )
    honest(loaded, valid, after)
    uses, complete = columns_used(loaded, valid, time.monotonic() + job["seconds"])
    if complete and not uses:
        raise ValueError("what it gives depends on no column of the table")
    findings = noticed(after, train, valid) if job["kind"] == "features" else []
    told = {"columns": list(after) if job["kind"] == "features" else [], "findings": findings, "uses": uses}
    Path("sample.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def imported(candidate: str) -> Any:
    """The candidate's class, as a program has it that has just begun: what a module kept in globals is gone."""
    own = Path(__file__).resolve().parent
    for name, module in list(sys.modules.items()):
        if name != "__main__" and Path(getattr(module, "__file__", None) or "").parent == own:
            del sys.modules[name]
    return importlib.import_module(candidate).Model


def answered(model: Any, frame: pd.DataFrame) -> dict[str, Any]:
    """What a model says of rows: the columns that it adds, or its predictions; a numeric or object array each."""
    if hasattr(model, "added"):
        added = model.added(frame)
        return {name: added[name].to_numpy() for name in added.columns}
    return {"prediction": np.asarray(model.predict(frame), dtype=np.float64)}


def honest(model: Any, frame: pd.DataFrame, whole: dict[str, Any]) -> None:
    """A row gets the same, whatever rows are beside it and in whatever order.

    Raises:
        ValueError: it does not.
    """
    half = len(frame) // 2
    order = np.random.default_rng(0).permutation(len(frame))
    for places, how in ((np.arange(half), "fewer rows"), (order, "the same rows in another order"),
                        (np.array([0]), "a row alone")):  # fmt: skip
        part = answered(model, frame.iloc[places].reset_index(drop=True))
        for name, values in part.items():
            if not alike({name: values}, {name: whole[name][places]}):
                what = "the predictions" if name == "prediction" else f"the column {name!r}"
                raise ValueError(
                    f"{what} of a row depend on the rows beside it ({how} give something else): learn statistics of "
                    "rows (means, counts, ranks, scales) in fit, keep them in the state, and only look them up later"
                )


def columns_used(model: Any, frame: pd.DataFrame, deadline: float) -> tuple[list[str], bool]:
    """The columns that the output changes with when their values are shuffled; and whether there was time for all."""
    frame = frame.head(ROWS_SHUFFLED)
    known, random = answered(model, frame), np.random.default_rng(0)
    used: list[str] = []
    for name in frame.columns:
        if time.monotonic() > deadline:
            return used, False
        changed = frame.copy()
        changed[name] = frame[name].take(random.permutation(len(frame))).reset_index(drop=True)
        if not alike(answered(model, changed), known):
            used.append(name)
    return used, True


def noticed(added: dict[str, Any], train: pd.DataFrame, valid: pd.DataFrame) -> list[str]:
    """What is odd about added columns, without being wrong."""
    findings = []
    for name, values in added.items():
        if len(set(map(str, values.tolist()))) == 1:
            findings.append(f"The column {name!r} is the same for all rows of the sample.")
        elif values.dtype.kind == "f" and np.isnan(values).mean() > 0.5:
            findings.append(f"The column {name!r} is missing for {np.isnan(values).mean():.0%} of the rows.")
        for known in train.columns:
            if valid[known].dtype == values.dtype and alike({"": values}, {"": valid[known].to_numpy()}):
                findings.append(f"The column {name!r} repeats {known!r}.")
    return findings


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(_equal(one[name], other[name]) for name in one)


def _equal(one: Any, other: Any) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        scale = max(1.0, float(np.nanmax(np.abs(other), initial=0.0)))
        return bool(np.allclose(one, other, rtol=0, atol=ALIKE * scale, equal_nan=True))
    return bool((one == other).all())


if __name__ == "__main__":
    sys.exit(failing.reported(main))
