"""The contract check of candidate files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from automl_agent.tasks.candidate import load_candidate, read_candidate
from automl_agent.tasks.registry import get_family
from automl_agent.testing.contract import must

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]


def check_candidate(
    path: Path | str,
    kind: Literal["classification", "regression"] = "classification",
    *,
    shared: Path | Sequence[Path] | None = None,
    rows: int = 120,
    seed: int = 0,
) -> None:
    """Check a candidate file against the contract of `tasks.candidate`, on small random data with missing values.

    Runs the file's code in this process. `shared` is the folder (or folders) of the shared files that it imports by
    plain name; by default those of the families of tables.

    Raises:
        AssertionError: names the first part of the contract that is broken.
        ConfigurationError: when the file lacks a required name.
    """
    if shared is None:
        shared = get_family(f"tabular_{kind}").shared
    path, shared = Path(path), (shared,) if isinstance(shared, Path) else tuple(shared)
    candidate = read_candidate(path, shared)
    must(len(candidate.portfolio) > 0, "PORTFOLIO holds at least one configuration")
    _check_space(candidate.space)
    frame, target = _random_table(kind, rows, seed)
    classes, metric = (["no", "yes", "perhaps"], "log_loss") if kind == "classification" else ([], "rmse")
    task = {"kind": kind, "classes": classes, "metric": metric, "positive": None, "columns": dict(_KINDS)}
    with _loaded(path, shared) as module:

        def fitted() -> Any:
            model = module.Model(task, dict(candidate.portfolio[0]), [], seed, threads=1, time_limit=60.0)
            model.fit(frame.copy(), target.copy())
            return model

        model = fitted()
        predicted = _predicted(model, frame)
        _check_predictions(predicted, kind, rows)
        must(_close(_predicted(fitted(), frame), predicted, 1e-6), "the same seed gives the same model")
        with tempfile.TemporaryDirectory() as folder:
            model.save(folder)
            _check_files(Path(folder))
            loaded = module.Model.load(folder)
        must(_close(_predicted(loaded, frame), predicted, 1e-9), "a loaded model predicts what the saved one did")
        must(_close(_predicted(loaded, frame[3:4]), predicted[3:4], 1e-6), "a row alone is predicted as among others")
        strange = frame[:4].assign(colour="never seen", size=float("nan"))
        _check_predictions(_predicted(loaded, strange), kind, 4)


def _predicted(model: Any, frame: pd.DataFrame) -> Array:
    import numpy as np

    before = frame.copy()
    predicted = np.asarray(model.predict(frame))
    must(frame.equals(before), "predict() leaves its input as it is")
    return predicted


def _close(one: Array, other: Array, tolerance: float) -> bool:
    import numpy as np

    return one.shape == other.shape and bool(np.allclose(one, other, atol=tolerance))


@contextmanager
def _loaded(path: Path, shared: Sequence[Path]) -> Iterator[ModuleType]:
    """The candidate's module; afterwards this process imports as it did before."""
    paths, modules = list(sys.path), set(sys.modules)
    try:
        yield load_candidate(path, shared)
    finally:
        sys.path[:] = paths
        places = [folder.resolve() for folder in (path.parent, *shared)]
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).resolve().parent in places:
                del sys.modules[name]


def _check_space(space: Mapping[str, Mapping[str, Any]]) -> None:
    for name, entry in space.items():
        needed = {"float": ("low", "high"), "int": ("low", "high"), "categorical": ("choices",)}.get(
            entry.get("type", "")
        )
        must(needed is not None, f"SPACE[{name!r}] has a type: float, int or categorical")
        must(all(key in entry for key in needed or ()), f"SPACE[{name!r}] has {' and '.join(needed or ())}")


def _check_predictions(predicted: Array, kind: str, rows: int) -> None:
    import numpy as np

    shape = (rows, 3) if kind == "classification" else (rows,)
    must(predicted.shape == shape, f"predict() returns an array of shape {shape}, not {predicted.shape}")
    must(bool(np.isfinite(predicted).all()), "predict() returns finite numbers")
    if kind == "classification":
        must(bool((predicted >= 0).all()), "probabilities are not negative")
        must(np.allclose(predicted.sum(axis=1), 1, atol=1e-6), "probabilities of a row sum to 1")


def _check_files(folder: Path) -> None:
    """Nothing that runs code when it is loaded."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    must(bool(files), "save() writes files")
    for path in files:
        head = path.read_bytes()[:2]
        pickled = head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}
        named = path.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".pth"}
        must(not (pickled or named), f"save() writes no pickle ({path.name})")


_KINDS = {"size": "number", "weight": "number", "colour": "category", "open": "boolean", "remark": "text",
          "since": "date"}  # fmt: skip
"""Columns of the random table, by kind."""


def _random_table(kind: str, rows: int, seed: int) -> tuple[pd.DataFrame, Array]:
    """A typed frame with every kind of column, and a target that depends on two of them."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    colours = random.choice(["red", "green", "blue"], size=rows)
    known = random.random(rows) > 0.1
    texts = {
        "colour": [str(colour) if there else None for colour, there in zip(colours, known, strict=True)],
        "open": [str(value) for value in random.choice(["true", "false"], size=rows)],
        "remark": [str(value) for value in random.choice(["all is well", "not so good", ""], size=rows)],
    }
    days = pd.to_timedelta(random.integers(0, 900, rows), unit="D")
    frame = pd.DataFrame(
        {
            "size": np.where(random.random(rows) > 0.1, size, np.nan),
            "weight": random.exponential(size=rows),
            **{name: pd.Series(values, dtype="object") for name, values in texts.items()},
            "since": (pd.Timestamp("2024-01-01") + days).as_unit("ns"),
        }
    )
    signal = size + (colours == "red")
    target: Array = signal * 3.0 + 10.0
    if kind == "classification":
        target = np.digitize(signal, [0.0, 1.0]).astype(np.int64)
    return frame, target
