"""The job that a worker runs for one fold of a trial, whatever the family: fit, predict, measure, store."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zlib import crc32

from automl_agent.execution.lease import machine, start_of
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.family import FoldData
from automl_agent.tasks.registry import get_family

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

SINGLE_ROWS = 25
"""Rows that the latency is measured on, one at a time."""
WARM_UP = 3


def fit_fold(
    *,
    family: str,
    data: str,
    candidate: str,
    params: dict[str, Any],
    steps: Sequence[str],
    metric: str,
    fold: int,
    rows: int,
    seed: int,
    out: str,
    time_limit: float | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Fit a candidate without one fold, and predict that fold with the model as it was stored.

    Writes `oof.npy`, `valid.npy`, `model/` and `result.json` to the folder `out`, all or nothing. What is there already
    from the same call is not computed again.

    Args:
        data: the data folder.
        candidate: path of the candidate file; it may import the family's shared files by plain name.
        rows: training rows used at most; 0 means all.
        time_limit: seconds that the fit may plan with.

    Returns:
        `fit_seconds`, `predict_seconds`, `latency_ms`, `size_mb`, `memory_mb`, `rows` (predicted), `train_rows`, and
        `params`: the parameters that give this model again on a machine of any speed.

    Raises:
        TimeoutError: the candidate cannot be fitted within `time_limit`; it was not begun.
        ValueError: its predictions have a wrong shape or are not finite.
    """
    call = {"candidate": Path(candidate).name, "params": params, "steps": list(steps), "metric": metric, "fold": fold,
            "rows": rows, "seed": seed}  # fmt: skip
    target = Path(out)
    known = _finished(target, call)
    if known is not None:
        return known
    known_family = get_family(family)
    part = known_family.fold(Path(data), fold, rows=rows, seed=seed)
    task = known_family.describe(Path(data), metric)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_dead(target.parent)
    unfinished = target.with_name(f"{target.name}.{_here()}-{os.getpid()}-{uuid4().hex[:8]}.part")
    unfinished.mkdir()
    try:
        module = load_candidate(Path(candidate), known_family.shared)
        make = _maker(module.Model, task, params, steps, seed, threads, time_limit)
        result = _run(module.Model, make, part, task, unfinished)
        result.setdefault("params", params)
        (unfinished / "result.json").write_text(json.dumps({"call": call, "result": result}), encoding="utf-8")
        _put(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return result


def _maker(model: Any, task: dict[str, Any], params: dict[str, Any], steps: Sequence[str], seed: int, threads: int,
           time_limit: float | None) -> Callable[[], Any]:  # fmt: skip
    return lambda: model(task, params, list(steps), seed, threads=threads, time_limit=time_limit)


def _run(kind: Any, make: Callable[[], Any], part: FoldData, task: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Fit, store, load again and predict; everything that is reported belongs to the loaded copy."""
    import numpy as np

    _reset_peak()
    started = time.perf_counter()
    model = make()
    model.fit(part.train, part.target)
    fitted = time.perf_counter()
    memory = _peak_mb()
    stored = folder / "model"
    stored.mkdir()
    model.save(stored)
    loaded = kind.load(stored)
    ready = time.perf_counter()
    prediction = np.asarray(loaded.predict(part.valid), dtype=np.float64)
    predicted = time.perf_counter()
    _check(prediction, len(part.valid), task)
    np.save(folder / "oof.npy", prediction, allow_pickle=False)
    np.save(folder / "valid.npy", np.asarray(part.valid_rows, dtype=np.int64), allow_pickle=False)
    result = {
        "fit_seconds": round(fitted - started, 4),
        "predict_seconds": round(predicted - ready, 4),
        "latency_ms": round(_latency_ms(loaded, part.valid), 4),
        "size_mb": round(sum(path.stat().st_size for path in stored.rglob("*") if path.is_file()) / 1e6, 6),
        "memory_mb": round(memory, 1),
        "rows": len(part.valid),
        "train_rows": len(part.train),
    }
    effective = stored / "params.json"
    if effective.exists():
        result["params"] = json.loads(effective.read_text(encoding="utf-8"))
    return result


def _check(prediction: Array, rows: int, task: Mapping[str, Any]) -> None:
    """Refuse predictions that cannot be scored."""
    import numpy as np

    shape = (rows, len(task["classes"])) if task["kind"] == "classification" else (rows,)
    if prediction.shape != shape:
        raise ValueError(f"predict returned the shape {prediction.shape}, {shape} was expected")
    if not np.isfinite(prediction).all():
        raise ValueError("predict returned values that are not finite")
    if task["kind"] == "classification" and prediction.size and prediction.min() < -1e-9:
        raise ValueError("predict returned negative probabilities")


def _latency_ms(model: Any, frame: pd.DataFrame) -> float:
    """95th percentile of the time for one row, over different rows."""
    import numpy as np

    if not len(frame):
        return 0.0
    places = np.linspace(0, len(frame) - 1, SINGLE_ROWS).astype(int)
    single = [frame.iloc[place : place + 1].reset_index(drop=True) for place in places]
    for row in single[:WARM_UP]:
        model.predict(row)
    seconds = []
    for row in single:
        started = time.perf_counter()
        model.predict(row)
        seconds.append(time.perf_counter() - started)
    return float(np.quantile(seconds, 0.95)) * 1000


# ---------------------------------------------------------------- memory


def _reset_peak() -> None:
    """Let the kernel count the highest resident memory anew, where it can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_mb() -> float:
    """Highest resident memory of this process: since `_reset_peak`, or since its start where that is not possible."""
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


# ---------------------------------------------------------------- files


def _finished(folder: Path, call: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of an earlier, complete run of the same call."""
    try:
        stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.get("call") != json.loads(json.dumps(call)):
        return None
    result: dict[str, Any] = stored["result"]
    return result


def _clear_dead(place: Path) -> None:
    """Remove what workers of this machine left that were killed in the middle: a folder names the process at work."""
    for folder in place.glob(f"*.{_here()}-*.part"):
        if start_of(int(folder.name.split("-")[1])) is None:
            shutil.rmtree(folder, ignore_errors=True)


def _here() -> str:
    """The machine in eight letters, for the name of a file."""
    return f"{crc32(machine().encode()):08x}"


def _put(source: Path, target: Path) -> None:
    """Rename a folder into place; what another process or an earlier call left there makes room."""
    if target.exists():
        old = target.with_name(f"{target.name}.{uuid4().hex[:8]}.old")
        target.replace(old)
        shutil.rmtree(old, ignore_errors=True)
    source.replace(target)
