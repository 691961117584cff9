"""What workers do for delivery: functions with JSON arguments that return a JSON object (`execution.protocol.Job`).

They run the bundle's own files, so that what is measured is what ships: in the sandbox, where a language model wrote
some of them.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from automl_agent.delivery.bundle import size_mb
from automl_agent.delivery.confined import confined_model, generated, retrained, scores, times
from automl_agent.tasks.registry import get_family

LATENCY_ROWS = 60
RETRAIN_SECONDS = 60.0
TOLERANCE = 1e-6
"""Relative difference at which two predictions count as the same, as in the bundle's own check."""


def finish_bundle(bundle: str, data: str, sandbox: str = "auto") -> dict[str, Any]:
    """Make a written bundle loadable: fingerprint of its training rows, known predictions, manifest.

    Args:
        bundle: folder that `write_bundle` filled.
        data: the data folder.
        sandbox: `Settings.sandbox`, for a bundle with generated code.
    """
    root = Path(bundle)
    with runtime(root, "ensemble", "train", "seal") as (ensemble, train, seal):
        path = root / "model" / "solution.json"
        solution = json.loads(path.read_text(encoding="utf-8"))
        schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
        rows = train.read_folder(root, schema, solution, Path(data))
        seal.write_json(path, solution | {"fingerprint": train.fingerprint(rows.frame, rows.target, rows.weight)})
        seal.write_golden(_model(ensemble, root, sandbox, check=False), rows.frame)
        seal.write_manifest(root)
    return {"size_mb": size_mb(root / "model")}


def measure(bundle: str, data: str, sandbox: str = "auto") -> dict[str, Any]:
    """Latency of one raw row through the loaded bundle (`latency_ms`: 95th percentile, `latency_median_ms`), loading
    time and size of the fitted model."""
    import numpy as np

    from automl_agent.delivery.bundle_program import milliseconds

    started = time.perf_counter()
    with loaded(Path(bundle), sandbox) as model, runtime(Path(bundle), "seal") as (seal,):
        load_seconds = time.perf_counter() - started
        frame = seal.examples(model, _training_rows(model, Path(data)))
        step = max(1, len(frame) // LATENCY_ROWS)
        rows = seal.json_rows(frame.iloc[::step].head(LATENCY_ROWS), model.schema)
        rows = (rows * (LATENCY_ROWS // len(rows) + 1))[:LATENCY_ROWS]
        if generated(Path(bundle)):
            told = times(Path(bundle), rows, sandbox=sandbox)
            found, load_seconds = told["milliseconds"], told["load_seconds"]
        else:
            found = milliseconds(model, rows)
    return {
        "latency_ms": float(np.quantile(found, 0.95)),
        "latency_median_ms": float(np.median(found)),
        "load_seconds": load_seconds,
        "size_mb": size_mb(Path(bundle) / "model"),
    }


def predict_test(bundle: str, data: str, out: str, sandbox: str = "auto", rows: str = "test") -> dict[str, Any]:
    """Predict the locked test rows (inputs only), or others of the data folder: `out/scores.npy`, with intervals
    `out/bounds.npy` (2, rows), and the seconds that it took.

    Args:
        rows: `test`, or `unlabelled` for the rows of a user's file without target.
    """
    import numpy as np
    import pandas as pd

    with loaded(Path(bundle), sandbox) as model:
        frame = model.typed(pd.read_parquet(Path(data) / f"{rows}.parquet"))
        started = time.perf_counter()
        scores = model.predict_scores(frame)
        seconds = time.perf_counter() - started
        bounds = model.bounds(frame, scores)
    Path(out).mkdir(parents=True, exist_ok=True)
    np.save(Path(out) / "scores.npy", scores)
    if bounds is not None:
        np.save(Path(out) / "bounds.npy", np.stack(bounds))
    return {"rows": len(scores), "seconds": seconds}


def rehearse(bundle: str, data: str, members: list[str], sandbox: str = "auto") -> dict[str, Any]:
    """Predict the test inputs, and train members with generated code again without their first fold.

    Raises:
        ValueError: when a member that was trained again predicts otherwise.
    """
    root, solution = Path(bundle), Path(bundle) / "model" / "solution.json"
    known = {member["id"]: member for member in json.loads(solution.read_text(encoding="utf-8"))["members"]}

    def predicts() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            predict_test(bundle, data, scratch, sandbox)

    def trains_again(member: dict[str, Any]) -> None:
        fold = min(member["validated"])
        difference = retrained(root, Path(data), member["id"], fold, sandbox=sandbox, seconds=RETRAIN_SECONDS)
        if difference > TOLERANCE:
            raise ValueError(f"{member['candidate']}, trained again, differs by {difference:.1e} from what was scored")

    with ThreadPoolExecutor(max_workers=2) as threads:  # each waits for a process of its own
        checks = [threads.submit(predicts), *(threads.submit(trains_again, known[name]) for name in members)]
        for check in checks:
            check.result()
    return {}


def importance(bundle: str, data: str, metric: str, family: str, max_rows: int = 2000,
               repeats: int = 3, seed: int = 0, time_limit: float | None = None, sandbox: str = "auto"
               ) -> dict[str, Any]:  # fmt: skip
    """Permutation importance on training rows, each predicted only by models that were fitted without it.

    Args:
        max_rows: rows sampled at most.
        time_limit: seconds after which no further column is shuffled.

    Returns:
        `importance`: {"column", "mean", "std"}, the most important first: how much worse the metric gets when the
        column is shuffled; empty where what ships has seen all rows. `rows`, `repeats` done, `score` of the sample.
    """
    import numpy as np

    started = time.monotonic()
    kind, generator = get_family(family), np.random.default_rng(seed)
    sign = 1.0 if kind.metrics[metric].higher_is_better else -1.0
    with loaded(Path(bundle), sandbox) as model:
        if any(set(member["validated"]) - set(member["folds"]) for member in model.solution["members"]):
            return {"importance": [], "rows": 0, "repeats": 0, "score": None}  # every model has seen every row
        groups, rows = _honest_groups(model, Path(data), generator, max_rows)
        truth = kind.training_truth(Path(data))[rows]
        tries: list[str | None] = [None, *(name for _ in range(repeats) for name in model.columns)]
        requests = [
            {"frame": place, "fold": fold, "shuffle": column, "seed": seed + number * len(groups) + place}
            for number, column in enumerate(tries)
            for place, (fold, _) in enumerate(groups)
        ]
        left = None if time_limit is None else max(0.0, time_limit - (time.monotonic() - started))
        found = _answers(Path(bundle), model, [frame for _, frame in groups], requests, left, sandbox)

    def scored(parts: list[Any]) -> float:
        threshold = model.solution["threshold"]
        return kind.score(metric, truth, np.concatenate(parts), positive=model.positive, threshold=threshold)

    whole = [scored(found[start : start + len(groups)]) for start in range(0, len(found), len(groups))]
    drops: dict[str, list[float]] = {}
    for name, score in zip(tries[1:], whole[1:], strict=False):
        drops.setdefault(str(name), []).append(sign * (whole[0] - score))
    ranked = [
        {"column": name, "mean": float(np.mean(values)), "std": float(np.std(values))} for name, values in drops.items()
    ]
    ranked.sort(key=lambda entry: -float(str(entry["mean"])))
    done = max((len(values) for values in drops.values()), default=0)
    return {"importance": ranked, "rows": len(truth), "repeats": done, "score": whole[0]}


def _answers(bundle: Path, model: Any, frames: list[Any], requests: list[dict[str, Any]], time_limit: float | None,
             sandbox: str) -> list[Any]:  # fmt: skip
    """Scores for the requests as far as the time goes, those of a whole number of tries, the first at least."""
    from automl_agent.delivery.bundle_program import answered

    first, rest = requests[: len(frames)], requests[len(frames) :]
    if generated(bundle):
        found = scores(bundle, frames, requests, sandbox=sandbox, seconds=time_limit)
    else:
        found = [*answered(model, frames, first, None), *answered(model, frames, rest, time_limit)]
    if len(found) < len(frames):
        raise TimeoutError("there was no time to predict the rows once")
    return found[: len(found) // len(frames) * len(frames)]


def _model(ensemble: Any, root: Path, sandbox: str, *, check: bool) -> Any:
    """The bundle's `Ensemble`, or what answers like it from the sandbox."""
    if generated(root):
        return confined_model(ensemble, root, sandbox, check=check)
    return ensemble.Ensemble.load(root, check=check)


@contextmanager
def loaded(bundle: Path, sandbox: str = "auto") -> Iterator[Any]:
    """The bundle's `Ensemble`; with generated code in it, one that predicts in the sandbox."""
    with runtime(bundle, "ensemble") as (ensemble,):
        yield _model(ensemble, bundle, sandbox, check=True)


@contextmanager
def runtime(bundle: Path, *names: str) -> Iterator[tuple[ModuleType, ...]]:
    """Modules of a bundle. Afterwards the process imports as if the bundle had never been there."""
    root = bundle.resolve()
    own = {path.stem for path in root.glob("*.py")}
    before = {name: module for name, module in sys.modules.items() if name in own}
    path, bytecode = list(sys.path), sys.dont_write_bytecode
    try:
        sys.dont_write_bytecode = True
        for name in before:
            if Path(getattr(before[name], "__file__", None) or "").parent != root:
                del sys.modules[name]
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        yield tuple(importlib.import_module(name) for name in names)
    finally:
        sys.path[:], sys.dont_write_bytecode = path, bytecode
        for name in [name for name in sys.modules if name in own or name.startswith("_bundle_")]:
            if name not in before:
                del sys.modules[name]
        sys.modules.update(before)


def _training_rows(model: Any, data: Path) -> Any:
    import pandas as pd

    return model.typed(pd.read_parquet(data / "train.parquet"))


def _honest_groups(model: Any, data: Path, generator: Any, max_rows: int) -> tuple[list[tuple[int, Any]], Any]:
    """A sample of training rows by the fold that they were held out in, and their positions in the same order."""
    import numpy as np

    folds = np.load(data / "folds.npy", allow_pickle=False)
    known = sorted({fold for models in model.models for fold in models})
    rows = np.flatnonzero(np.isin(folds, known))
    rows = np.sort(generator.permutation(rows)[:max_rows])
    frame = _training_rows(model, data)
    parts = [(fold, rows[folds[rows] == fold]) for fold in known]
    groups = [(fold, frame.iloc[part].reset_index(drop=True)) for fold, part in parts if len(part)]
    return groups, np.concatenate([part for _, part in parts])
