"""Fits one fold of a candidate in the sandbox, because a language model wrote part of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.tasks.family import Candidate, FoldData
from automl_agent.tasks.generated.workshop import INSIDE, Workshop, take_array, take_folder, take_json, workshop

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

PATIENCE = 300.0
"""Seconds that a fold may take where nothing else is said."""
RESERVE = 3.0
"""Seconds kept to end the run and to take back what it gave."""
SLACK = 20.0
"""Seconds besides twice the time that a fit may plan with: for imports, predictions and the measurements."""
TOLERANCE = 1e-6
FITTING = Path(__file__).parents[1] / "fitting.py"


def fit_confined(candidate: Candidate, arguments: dict[str, Any], part: FoldData, folder: Path, *, sandbox: str,
                 seconds: float | None) -> dict[str, Any]:  # fmt: skip
    """Fit and predict in the sandbox; write `oof.npy` and `model/` to `folder`.

    The validation targets stay out of reach: nothing of the data folder is handed over but the rows of this fold.

    Args:
        arguments: those of the candidate's constructor.

    Returns:
        What `tasks.jobs.fit_fold` returns. Size and memory were measured from outside.

    Raises:
        TimeoutError, MemoryError, RuntimeError: the code failed, or broke a limit.
        ValueError: what came back cannot be used.
    """
    with workshop() as shop:
        _fill(shop, candidate, arguments, part)
        result = shop.must_run("fold.py", sandbox=sandbox, seconds=_limit(arguments["time_limit"], seconds))
        _take(shop, arguments["task"], len(part.valid), folder)
        measured = _measured(take_json(shop.work / "result.json") or {}, result.seconds)
    return {
        **measured,
        "memory_mb": round(result.memory_mb or measured["memory_mb"], 1),
        "size_mb": _size_mb(folder / "model"),
        "rows": len(part.valid),
        "train_rows": len(part.train),
        "params": _params(folder / "model", arguments["params"]),
    }


def _fill(shop: Workshop, candidate: Candidate, arguments: dict[str, Any], part: FoldData) -> None:
    import numpy as np

    from automl_agent.tasks.generated.inside.exchange import write_frame

    shop.give(candidate.path, *candidate.shared, FITTING, *(INSIDE / name for name in PROGRAMS))
    write_frame(part.train, shop.inputs / "train.parquet")
    write_frame(part.valid, shop.inputs / "valid.parquet")
    np.save(shop.inputs / "target.npy", part.target, allow_pickle=False)
    if part.weight is not None:
        np.save(shop.inputs / "weight.npy", part.weight, allow_pickle=False)
    job = {"candidate": candidate.path.stem, "arguments": arguments}
    (shop.inputs / "job.json").write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")


PROGRAMS = ("fold.py", "exchange.py", "failing.py")


def _limit(time_limit: float | None, seconds: float | None) -> float:
    """Seconds for the whole run."""
    limit = PATIENCE if time_limit is None else 2 * time_limit + SLACK
    return limit if seconds is None else max(1.0, min(limit, seconds - RESERVE))


def _take(shop: Workshop, task: dict[str, Any], rows: int, folder: Path) -> None:
    """Take back predictions and model.

    Raises:
        ValueError: they cannot be scored, or a row alone is predicted other than among others.
    """
    import numpy as np

    from automl_agent.tasks import fitting

    width = (len(task["classes"]),) if task["kind"] == "classification" else ()
    prediction = take_array(shop.work / "oof.npy", (rows, *width))
    fitting.check_prediction(prediction, rows, task)
    places = fitting.single_places(rows)
    singles = take_array(shop.work / "singles.npy", (len(places), *width))
    scale = max(1.0, float(np.abs(prediction).max(initial=0.0)))
    if not np.allclose(prediction[places], singles, rtol=0, atol=TOLERANCE * scale):
        raise ValueError("a row alone is predicted differently than among others: use no statistics of the rows given")
    take_folder(shop.work / "model", folder / "model")
    np.save(folder / "oof.npy", prediction, allow_pickle=False)


def _measured(told: dict[str, Any], most: float) -> dict[str, float]:
    """What was measured inside, as far as it can be true."""
    found = {}
    for name, highest in (("fit_seconds", most), ("predict_seconds", most), ("latency_ms", 1000 * most),
                          ("memory_mb", 1e6)):  # fmt: skip
        value = told.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= highest:
            raise ValueError(f"the run in the sandbox did not say its {name}")
        found[name] = float(value)
    return found


def _size_mb(stored: Path) -> float:
    from automl_agent.tasks.fitting import stored_size_mb

    return stored_size_mb(stored)


def _params(stored: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters that give this model again; the code may have changed those that were given, not their names."""
    if not (stored / "params.json").exists():
        return given
    told = take_json(stored / "params.json", 100_000)
    if told is None or not all(_plain(value) for value in told.values()):
        raise ValueError("params.json of the model holds no parameters")
    return told


def _plain(value: Any) -> bool:
    simple = value is None or isinstance(value, str | int | float | bool)
    return simple or (isinstance(value, list) and all(isinstance(item, str | int | float) for item in value))
