"""Runs the code of a bundle in the sandbox, because a language model wrote some of it.

The bundle is copied, never linked, and what the code writes is read as arrays and numbers of known shapes: nothing of
it gets into the bundle but predictions.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.tasks.generated.workshop import INSIDE, Workshop, take_array, take_json, workshop

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

SECONDS = 100.0
"""For a run that nothing else bounds."""
START = 60.0
"""Seconds to import and load, besides the time that the answers may take."""
PROGRAM = Path(__file__).with_name("bundle_program.py")
DATA = ("train.parquet", "target.npy", "weight.npy", "folds.npy", "rows.npy")
"""Files of the data folder that training needs, as far as they are there; the others stay out of reach."""

WALL = """
import os, runpy, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "automl_agent":
            raise ImportError("a bundle runs without automl_agent")
sys.meta_path.insert(0, Wall())
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script as `python script` would, but that `automl_agent` cannot be imported."""


def generated(bundle: Path) -> tuple[str, ...]:
    """The files of a bundle that a language model wrote."""
    solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    return tuple(solution.get("generated") or ())


def confined_model(ensemble: Any, bundle: Path, sandbox: str, *, check: bool) -> Any:
    """The bundle's `Ensemble` without its models, which predicts in the sandbox.

    Args:
        ensemble: the bundle's module of that name.
    """
    root = bundle.resolve()
    if check:
        ensemble.check_files(root)
    solution = json.loads((root / "model" / "solution.json").read_text(encoding="utf-8"))
    schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
    models = [dict.fromkeys(member["folds"]) for member in solution["members"]]
    model = ensemble.Ensemble(root, solution, schema, ensemble.load_module(root, solution["reader"]), models)

    def predict_scores(frame: pd.DataFrame, *, fold: int | None = None) -> Array:
        request = {"frame": 0, "fold": fold, "shuffle": None, "seed": 0}
        (found,) = scores(root, [frame], [request], sandbox=sandbox)
        return found

    model.predict_scores = predict_scores
    return model


def scores(bundle: Path, frames: Sequence[pd.DataFrame], requests: Sequence[dict[str, Any]], *, sandbox: str,
           seconds: float | None = None) -> list[Array]:  # fmt: skip
    """Predictions for the requests (see `bundle_program.answered`), as far as `seconds` go.

    Raises:
        TimeoutError, MemoryError, RuntimeError, ValueError: the code failed, or gave something else than predictions.
    """
    from automl_agent.tasks.generated.inside.exchange import write_frame

    solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    width = (len(solution["classes"]),) if solution["kind"] == "classification" else ()
    with workshop() as shop:
        for number, frame in enumerate(frames):
            write_frame(frame, shop.inputs / f"{number}.parquet")
        job = {"what": "scores", "frames": len(frames), "requests": list(requests), "seconds": seconds}
        _run(shop, bundle, job, sandbox, SECONDS if seconds is None else seconds + START)
        found = []
        for number, request in enumerate(requests):
            path = shop.work / f"{number}.npy"
            if seconds is not None and not path.exists():
                break
            found.append(_finite(take_array(path, (len(frames[request["frame"]]), *width))))
    return found


def times(bundle: Path, rows: list[dict[str, Any]], *, sandbox: str) -> dict[str, Any]:
    """`milliseconds` of raw rows, of as many as a moment allowed, and `load_seconds`."""
    with workshop() as shop:
        _run(shop, bundle, {"what": "times", "rows": rows}, sandbox, SECONDS)
        told = take_json(shop.work / "times.json") or {}
    found = told.get("milliseconds")
    if not isinstance(found, list) or not 0 < len(found) <= len(rows) or not all(map(_duration, found)):
        raise ValueError("the bundle's code did not say how long a row takes")
    load = told.get("load_seconds")
    return {"milliseconds": found, "load_seconds": float(load) if _duration(load) and load is not None else 0.0}


def retrained(bundle: Path, data: Path, member: str, fold: int, *, sandbox: str, seconds: float) -> float:
    """How far predictions of a member that was trained again, without a fold, are from the stored ones of that fold.

    These are out of reach while it is trained. The difference is relative to the largest prediction.

    Args:
        data: the data folder, or the user's file.
    """
    import numpy as np

    folds = np.load(bundle / "oof" / "folds.npy", allow_pickle=False)
    stored = np.load(bundle / "oof" / f"{member}.npy", allow_pickle=False)[folds == fold]
    with workshop() as shop:
        if data.is_dir():
            (shop.inputs / "data").mkdir()
            for name in (name for name in DATA if (data / name).is_file()):
                shutil.copyfile(data / name, shop.inputs / "data" / name)
        else:
            shutil.copyfile(data, shop.inputs / f"data{data.suffix}")
        name = "data" if data.is_dir() else f"data{data.suffix}"
        job = {"what": "retrain", "member": member, "fold": fold, "data": name}
        _run(shop, bundle, job, sandbox, seconds)
        found = take_array(shop.work / "prediction.npy", stored.shape)
    scale = float(np.abs(stored).max(initial=0.0)) or 1.0
    return float(np.abs(found - stored).max(initial=0.0)) / scale


@contextmanager
def served(bundle: Path, port: int, *, sandbox: str, seconds: float) -> Iterator[Any]:
    """The bundle's server in the sandbox; gives the future of its `SandboxResult`. It ends with the block."""
    with workshop() as shop, ThreadPoolExecutor(max_workers=1) as threads:
        shutil.copytree(bundle, shop.inputs / "bundle")
        (shop.code / "wall.py").write_text(WALL, encoding="utf-8")
        arguments = (str(shop.inputs / "bundle" / "serve.py"), "--port", str(port))
        stop = threading.Event()
        result = threads.submit(
            shop.run, "wall.py", sandbox=sandbox, seconds=seconds, arguments=arguments, port=port, stop=stop
        )
        try:
            yield result
        finally:
            stop.set()


def _run(shop: Workshop, bundle: Path, job: dict[str, Any], sandbox: str, seconds: float) -> None:
    left_out = shutil.ignore_patterns("m[0-9]*.npy", "__pycache__")  # out-of-fold predictions
    shutil.copytree(bundle, shop.inputs / "bundle", ignore=left_out)
    shop.give(PROGRAM, INSIDE / "exchange.py", INSIDE / "failing.py")
    (shop.inputs / "job.json").write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")
    shop.must_run(PROGRAM.name, sandbox=sandbox, seconds=max(1.0, seconds))


def _finite(array: Array) -> Array:
    import numpy as np

    if not np.isfinite(array).all():
        raise ValueError("the bundle's code predicted values that are not finite")
    return array


def _duration(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e7
