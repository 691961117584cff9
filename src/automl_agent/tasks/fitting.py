"""Fits a candidate and measures it: in a worker, or in the sandbox, where this file lies without the library."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]
Rounds = Sequence[tuple[pd.DataFrame, Array]]

SINGLE_ROWS = 25
"""Rows that the latency is measured on, one at a time."""
WARM_UP = 3


@dataclass(frozen=True)
class Fitted:
    """What a fit gave. Everything but the time and memory of the fit itself belongs to the model as it was loaded."""

    prediction: Array
    """Of the validation rows."""
    singles: Array
    """Predictions of the rows of `single_places`, each asked for alone."""
    measured: dict[str, Any]
    settled: dict[str, Any]
    """Parameters that the fit found out, for others of the same configuration."""


def fit_and_measure(kind: Any, arguments: Mapping[str, Any], train: pd.DataFrame, target: Array, valid: pd.DataFrame,
                    stored: Path, weight: Array | None = None, rounds: Rounds = ()) -> Fitted:  # fmt: skip
    """Fit, store in `stored`, load again and predict.

    Args:
        kind: the candidate's class.
        arguments: those of its constructor.
        weight: what each training row counts, where rows are weighted.
        rounds: what is predicted instead of `valid` at once (`FoldData.rounds`).

    Raises:
        TypeError: rows are weighted, and the candidate cannot use it.
    """
    weighted = () if weight is None else (weight,)
    if weighted and len(inspect.signature(kind.fit).parameters) < 4:  # self, frame, target, weight
        raise TypeError("rows are weighted, and this candidate has no fit(frame, target, weight)")
    reset_peak()
    started = time.perf_counter()
    model = _made(kind, **arguments)
    model.fit(train, target, *weighted)
    fitted = time.perf_counter()
    memory = peak_mb()
    stored.mkdir()
    model.save(stored)
    loaded = kind.load(stored)
    ready = time.perf_counter()
    prediction = _predicted(loaded, valid, rounds)
    predicted = time.perf_counter()
    singles, latency = _one_by_one(loaded, rounds[0][0] if rounds else valid)
    measured = {
        "fit_seconds": round(fitted - started, 4),
        "predict_seconds": round(predicted - ready, 4),
        "latency_ms": round(latency, 4),
        "memory_mb": round(memory, 1),
    }
    return Fitted(prediction, singles, measured, dict(getattr(model, "settled", {})))


def _predicted(model: Any, valid: pd.DataFrame, rounds: Rounds) -> Array:
    if not rounds:
        return np.asarray(model.predict(valid), dtype=np.float64)
    found = np.full(len(valid), np.nan)
    for frame, places in rounds:
        found[places] = np.asarray(model.predict(frame), dtype=np.float64)[len(frame) - len(places) :]
    return found


def check_prediction(prediction: Array, rows: int, task: Mapping[str, Any]) -> None:
    """Refuse predictions that cannot be scored.

    Raises:
        ValueError: says what is wrong with them.
    """
    if task["kind"] == "clustering":
        if prediction.ndim != 2 or len(prediction) != rows or not prediction.shape[1]:
            raise ValueError(f"predict returned the shape {prediction.shape}, ({rows}, clusters) was expected")
    else:
        shape = (rows, len(task["classes"])) if task["kind"] == "classification" else (rows,)
        if prediction.shape != shape:
            raise ValueError(f"predict returned the shape {prediction.shape}, {shape} was expected")
    if not np.isfinite(prediction).all():
        raise ValueError("predict returned values that are not finite")
    if task["kind"] != "regression" and prediction.size and prediction.min() < -1e-9:
        raise ValueError("predict returned negative probabilities")


def stored_size_mb(stored: Path) -> float:
    return round(sum(path.stat().st_size for path in stored.rglob("*") if path.is_file()) / 1e6, 6)


def effective_params(stored: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters that give a stored model again on a machine of any speed."""
    path = stored / "params.json"
    params: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else given
    return params


def single_places(rows: int) -> Array:
    """Positions of the rows that are predicted one at a time."""
    return np.linspace(0, rows - 1, SINGLE_ROWS).astype(int) if rows else np.zeros(0, dtype=int)


def _made(kind: Any, *, task: Any, params: Any, steps: Any, seed: int, threads: int, time_limit: float | None) -> Any:
    return kind(task, params, list(steps), seed, threads=threads, time_limit=time_limit)


def _one_by_one(model: Any, frame: pd.DataFrame) -> tuple[Array, float]:
    """Predictions of single rows, and the 95th percentile of the milliseconds that one takes."""
    single = [frame.iloc[place : place + 1].reset_index(drop=True) for place in single_places(len(frame))]
    if not single:
        return np.zeros(0), 0.0
    for row in single[:WARM_UP]:
        model.predict(row)
    seconds, answers = [], []
    for row in single:
        started = time.perf_counter()
        answer = model.predict(row)
        seconds.append(time.perf_counter() - started)
        answers.append(np.asarray(answer, dtype=np.float64))
    return np.concatenate(answers), float(np.quantile(seconds, 0.95)) * 1000


# ---------------------------------------------------------------- memory


def reset_peak() -> None:
    """Let the kernel count the highest resident memory anew, where it can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_mb() -> float:
    """Highest resident memory of this process: since `reset_peak`, or since its start where that is not possible."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024
    except (OSError, StopIteration, ValueError):  # no such file but on Linux
        return _peak_since_start_mb()


def _peak_since_start_mb() -> float:
    try:
        import resource
    except ImportError:  # not on this platform
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1024
