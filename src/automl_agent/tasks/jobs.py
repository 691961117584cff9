"""The job that a worker runs for one fold of a trial, whatever the family: fit, predict, measure, store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from automl_agent.execution.trials import digest
from automl_agent.execution.unfinished import clear_dead, unfinished
from automl_agent.tasks.candidate import load_candidate, read_candidate
from automl_agent.tasks.family import Candidate, FoldData
from automl_agent.tasks.generated.folds import fit_confined
from automl_agent.tasks.registry import get_family


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
    sandbox: str = "auto",
    seconds: float | None = None,
    anew: bool = False,
) -> dict[str, Any]:
    """Fit a candidate without one fold, and predict that fold with the model as it was stored.

    Writes `oof.npy`, `valid.npy`, `model/` and `result.json` to the folder `out`, all or nothing. What is there already
    from the same call is not computed again. A candidate that a language model wrote part of is run in the sandbox,
    never in this process.

    Args:
        data: the data folder.
        candidate: path of the candidate file; it may import the family's shared files by plain name.
        rows: training rows used at most; 0 means all.
        time_limit: seconds that the fit may plan with.
        sandbox: `Settings.sandbox`, for generated code.
        seconds: after which generated code is ended; by default a few minutes.
        anew: whether it is computed even where it is there already.

    Returns:
        `fit_seconds`, `predict_seconds`, `latency_ms`, `size_mb`, `memory_mb`, `rows` (predicted), `train_rows`, and
        `params`: the parameters that give this model again on a machine of any speed; `settled`: those that other folds
        of the trial can take over instead of finding them out again.

    Raises:
        TimeoutError: the candidate cannot be fitted within `time_limit`; it was not begun.
        ValueError: its predictions have a wrong shape or are not finite.
        RuntimeError: generated code failed, or broke a limit of the sandbox.
    """
    call = {"candidate": Path(candidate).name, "params": params, "steps": list(steps), "metric": metric, "fold": fold,
            "rows": rows, "seed": seed}  # fmt: skip
    target = Path(out)
    known = None if anew else _finished(target, call)
    if known is not None:
        return known
    import numpy as np

    known_family = get_family(family)
    part = known_family.fold(Path(data), fold, rows=rows, seed=seed)
    task = known_family.describe(Path(data), metric)
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_dead(target.parent)
    begun = unfinished(target)
    begun.mkdir()
    try:
        chosen = read_candidate(Path(candidate), known_family.shared)
        arguments = {"task": task, "params": params, "steps": list(steps), "seed": seed, "threads": threads,
                     "time_limit": time_limit}  # fmt: skip
        if chosen.generated:
            result = fit_confined(chosen, arguments, part, begun, sandbox=sandbox, seconds=seconds)
        else:
            result = _fit_here(chosen, known_family.shared, arguments, part, begun)
        np.save(begun / "valid.npy", np.asarray(part.valid_rows, dtype=np.int64), allow_pickle=False)
        result |= {"digest": digest(begun)}
        (begun / "result.json").write_text(json.dumps({"call": call, "result": result}), encoding="utf-8")
        if not anew and (known := _finished(target, call)) is not None:
            return known  # another process was faster, and its run may be reading these files just now
        _put(begun, target)
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return result


def weigh(*, family: str, data: str) -> dict[str, Any]:
    """Load one fold of all rows, and say what it took.

    Returns:
        `before_mb`: resident memory of this process before; `load_mb`: what it was more at most.
    """
    from automl_agent.tasks import fitting

    known = get_family(family)
    fitting.reset_peak()
    before = fitting.peak_mb()
    known.fold(Path(data), 0, rows=0, seed=0)
    return {"before_mb": before, "load_mb": max(0.0, fitting.peak_mb() - before)}


def follow(*, family: str, data: str, candidate: str, fold: int, model: str, out: str) -> dict[str, Any]:
    """Let a stored model answer from the end of all training rows, where the candidate can (`follow`), without learning
    from what it has not seen. Its folder in `out` is then that of a fitted fold.

    Args:
        fold: the number after the last fold: all training rows.
        model: folder of a fitted fold.

    Returns:
        `followed`: whether the candidate can.
    """
    known = get_family(family)
    chosen = read_candidate(Path(candidate), known.shared)
    loaded = load_candidate(chosen.path, known.shared).Model.load(Path(model) / "model")
    if not hasattr(loaded, "follow"):
        return {"followed": False}
    part = known.fold(Path(data), fold, rows=0, seed=0)
    loaded.follow(part.train, part.target)
    target = Path(out)
    begun = unfinished(target)
    try:
        shutil.copytree(Path(model) / "model", begun / "model")
        loaded.save(begun / "model")
        _put(begun, target)
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return {"followed": True}


def _fit_here(candidate: Candidate, shared: Sequence[Path], arguments: dict[str, Any], part: FoldData, folder: Path
              ) -> dict[str, Any]:  # fmt: skip
    """Fit code that we trust in this process."""
    import numpy as np

    from automl_agent.tasks import fitting

    model = load_candidate(candidate.path, shared).Model
    fitted = fitting.fit_and_measure(model, arguments, part.train, part.target, part.valid, folder / "model",
                                     part.weight, part.rounds)  # fmt: skip
    fitting.check_prediction(fitted.prediction, len(part.valid), arguments["task"])
    np.save(folder / "oof.npy", fitted.prediction, allow_pickle=False)
    return {
        **fitted.measured,
        "size_mb": fitting.stored_size_mb(folder / "model"),
        "rows": len(part.valid),
        "train_rows": len(part.train),
        "params": fitting.effective_params(folder / "model", arguments["params"]),
        "settled": fitted.settled,
    }


# ---------------------------------------------------------------- files


def _finished(folder: Path, call: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of an earlier, complete run of the same call, whose files are still those that it wrote."""
    try:
        stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(stored, dict) or stored.get("call") != json.loads(json.dumps(call)):
        return None
    result = stored.get("result")
    return result if isinstance(result, dict) and result.get("digest") == digest(folder) else None


def _put(source: Path, target: Path) -> None:
    """Rename a folder into place; what another process or an earlier call left there makes room."""
    if target.exists():
        old = target.with_name(f"{target.name}.{uuid4().hex[:8]}.old")
        target.replace(old)
        shutil.rmtree(old, ignore_errors=True)
    source.replace(target)
