"""The fitted model: members (candidate files with parameters), each fitted once per fold, averaged and weighted.

    from ensemble import Ensemble
    model = Ensemble.load(".")
    model.predict(model.typed(pandas.read_csv("new.csv")))

`python ensemble.py` checks this folder: file hashes, and the stored predictions of some known rows.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np
import pandas as pd
from measures import answers, tempered
from seal import DamagedBundle, check_files

TOLERANCE = 1e-6
"""Largest relative difference at which two predictions count as the same."""
BATCH_ROWS, BATCH_CELLS = 20_000, 2_000_000


@contextmanager
def damaged(root: Path) -> Iterator[None]:
    """Whatever a parser says of a file that was changed and sealed anew, or a package that is missing, in one line.

    Raises:
        DamagedBundle: for every error.
    """
    try:
        yield
    except DamagedBundle:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise DamagedBundle(f"The bundle {root} cannot be loaded: {type(error).__name__}: {text}") from error


def load_module(root: Path, name: str) -> ModuleType:
    """Import `root/name` (a candidate or a shared file) under a private name.

    What it imports by plain name (`prepare`) is this bundle's file, even when another bundle was loaded before.

    Raises:
        DamagedBundle: the name, which comes from a data file, leads out of the bundle.
    """
    root = root.resolve()
    if not (root / name).resolve().is_relative_to(root):
        raise DamagedBundle(f"{name} leads out of the bundle {root}.")
    sys.path[:] = [str(root), *(entry for entry in sys.path if entry != str(root))]
    for own in root.glob("*.py"):
        loaded = sys.modules.get(own.stem)
        if loaded is not None and Path(getattr(loaded, "__file__", None) or "").resolve() != own:
            del sys.modules[own.stem]
    private = "_bundle_" + hashlib.sha256(str(root / name).encode()).hexdigest()[:12]
    loader = _Source(private, str(root / name))
    spec = importlib.util.spec_from_file_location(private, root / name, loader=loader)
    if spec is None:
        raise DamagedBundle(f"{name} of the bundle {root} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[private] = module
    loader.exec_module(module)
    return module


class _Source(SourceFileLoader):
    """Imports from the source: no checksum speaks of the bytecode that may lie beside it."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self.get_data(self.path), self.path)


def task_of(solution: dict[str, Any]) -> dict[str, Any]:
    """What a candidate is told about the task: what the family told it in the search."""
    classes = solution["classes"]
    return solution.get("task", {}) | {
        "kind": solution["kind"],
        "classes": classes,
        "metric": solution["metric"],
        "positive": classes.index(solution["positive"]) if solution.get("positive") in classes else None,
    }


class Ensemble:
    """Predicts typed rows: data frames as `typed` returns them."""

    def __init__(self, root: Path, solution: dict[str, Any], schema: dict[str, Any], reader: ModuleType,
                 models: list[dict[int, Any]]) -> None:  # fmt: skip
        self.root = root
        self.solution = solution
        self.schema = schema
        self.reader = reader
        self.models = models
        """For each member, its fitted models by fold; the number after the last fold is a model of all rows."""
        self.weights = [float(member["weight"]) for member in solution["members"]]
        self.classes: list[str] = solution["classes"]
        self.positive: int | None = task_of(solution)["positive"]
        self.columns: list[str] = [column["name"] for column in schema["columns"]]

    @classmethod
    def load(cls, folder: str | Path, *, check: bool = True) -> Ensemble:
        """Load a bundle. `check=False` is for a folder that was checked a moment ago: no hashes, errors as they are.

        Raises:
            DamagedBundle: a file is missing or was changed, and nothing has been parsed then; or it cannot be read.
        """
        root = Path(folder).resolve()
        if not check:
            return cls._read(root)
        check_files(root)
        with damaged(root):
            return cls._read(root)

    @classmethod
    def _read(cls, root: Path) -> Ensemble:
        solution = json.loads((root / "model" / "solution.json").read_text(encoding="utf-8"))
        schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
        modules = {name: load_module(root, f"candidates/{name}.py") for name in _candidates(solution)}
        models = [
            {fold: modules[member["candidate"]].Model.load(root / "model" / member["id"] / f"fold{fold}")
             for fold in member["folds"]}
            for member in solution["members"]
        ]  # fmt: skip
        return cls(root, solution, schema, load_module(root, solution["reader"]), models)

    def typed(self, raw: pd.DataFrame | Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Raw rows (as read from a file, or dictionaries) as the columns and types that the members expect."""
        if not isinstance(raw, pd.DataFrame):
            rows = [[row.get(name) for name in self.columns] for row in raw]
            raw = pd.DataFrame(rows, columns=self.columns, dtype=object)
        try:
            frame: pd.DataFrame = self.reader.typed(raw, self.schema)
        except KeyError as error:  # rows may lack columns: it is the schema that lacks something
            raise DamagedBundle(f"schema.json of the bundle {self.root} cannot be used: it lacks {error}.") from error
        return frame

    def predict_scores(self, frame: pd.DataFrame, *, fold: int | None = None) -> np.ndarray:
        """Probabilities of shape (rows, classes), or values of shape (rows,).

        With `fold`, only by the models fitted without that fold: honest predictions for its own training rows.
        """
        total: np.ndarray | None = None
        weight = 0.0
        for share, folds in zip(self.weights, self.models, strict=True):
            models = list(folds.values()) if fold is None else [folds[fold]] if fold in folds else []
            if models:
                mean = share * sum(np.asarray(model.predict(frame), dtype=np.float64) for model in models) / len(models)
                total = mean if total is None else total + mean
                weight += share
        if total is None:
            raise ValueError(f"No member has a model of fold {fold}.")
        mean = total / weight
        return tempered(mean, float(self.solution.get("temperature", 1.0))) if mean.ndim == 2 else mean

    def answers(self, scores: np.ndarray) -> np.ndarray:
        """Labels (the tuned threshold applied) or values for the scores of `predict_scores`."""
        if scores.ndim == 1:
            return scores
        return np.asarray(self.classes, dtype=object)[self._codes(scores)]

    def _codes(self, scores: np.ndarray) -> np.ndarray:
        """The codes of the classes that are answered."""
        positive = 1 if self.positive is None else self.positive
        return answers(scores, positive, self.solution.get("threshold"))

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Labels or values, shape (rows,)."""
        return self.answers(self.predict_scores(frame))

    def interval(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
        """Lower and upper end of each row's 90 % prediction interval; `None` where there is none."""
        return self.bounds(frame, self.predict_scores(frame))

    def bounds(self, frame: pd.DataFrame, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The same for values that were predicted already."""
        spread = self.solution.get("spread")
        if spread is None:
            return None
        found: tuple[np.ndarray, np.ndarray] = self.reader.bounds(frame, scores, spread, self.schema)
        return found

    def explain(self, frame: pd.DataFrame, top: int = 3) -> list[list[dict[str, Any]]]:
        """For each row, the `top` columns that moved its prediction most.

        A column's contribution is the prediction (probability of the positive class, of the predicted class where none
        is positive, or value) minus the prediction with the column at its training median or most frequent value.
        """
        rows = np.arange(len(frame))
        scores = self.predict_scores(frame)
        codes = self._codes(scores) if scores.ndim == 2 and self.positive is None else self.positive
        effect = np.zeros((len(frame), len(self.columns)))
        for columns, batch in self._occluded(frame):
            changed = self.predict_scores(batch).reshape(len(columns), len(frame), *scores.shape[1:])
            difference = scores[None] - changed
            effect[:, columns] = (difference[:, rows, codes] if scores.ndim == 2 else difference).T
        order = np.argsort(-np.abs(effect), axis=1, kind="stable")[:, :top]
        return [
            [{"column": self.columns[i], "value": _plain(frame.iat[row, i]), "contribution": float(effect[row, i])}
             for i in order[row] if effect[row, i] != 0]
            for row in rows
        ]  # fmt: skip

    def _occluded(self, frame: pd.DataFrame) -> Iterator[tuple[list[int], pd.DataFrame]]:
        """Copies of the frame with one column at its reference each, as many at once as make a good batch."""
        most = min(BATCH_ROWS, BATCH_CELLS // max(1, len(self.columns)))
        step = max(1, most // max(1, len(frame)))
        for start in range(0, len(self.columns), step):
            columns = list(range(start, min(start + step, len(self.columns))))
            copies = []
            for i in columns:
                copy = frame.copy()
                reference = [_reference(self.schema["columns"][i])] * len(frame)
                copy[self.columns[i]] = pd.Series(reference, index=frame.index, dtype=frame.dtypes.iloc[i])
                copies.append(copy)
            yield columns, pd.concat(copies, ignore_index=True)

    def check_golden(self) -> None:
        """Predict the known rows of golden.json.

        Raises:
            DamagedBundle: when a prediction is not what it was when the bundle was made.
        """
        with damaged(self.root):
            golden = json.loads((self.root / "golden.json").read_text(encoding="utf-8"))
            scores = self.predict_scores(self.typed(golden["rows"]))
            difference = largest_difference(scores, np.asarray(golden["scores"], dtype=np.float64))
        if not difference <= TOLERANCE:
            raise DamagedBundle(
                f"Known rows are predicted differently (by {difference:.2g}): check installed versions."
            )


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of two arrays of predictions, relative to the largest of `other`; shapes must agree."""
    if one.shape != other.shape:
        return float("inf")
    difference = float(np.max(np.abs(one - other), initial=0.0))
    return difference / (float(np.max(np.abs(other), initial=0.0)) or 1.0)


def _candidates(solution: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(member["candidate"] for member in solution["members"]))


def _reference(column: dict[str, Any]) -> Any:
    """The value that stands for "nothing special" when a column is explained."""
    if column["kind"] == "number":
        return column["median"]
    if column["kind"] == "date":
        return pd.Timestamp(column["min"]) + (pd.Timestamp(column["max"]) - pd.Timestamp(column["min"])) / 2
    return "" if column["kind"] == "text" else column.get("mode")  # what has no usual value is taken away


def _plain(value: Any) -> Any:
    """A cell as JSON can hold it."""
    if value is None or value is pd.NaT or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    try:
        Ensemble.load(Path(__file__).parent).check_golden()
    except DamagedBundle as error:
        sys.exit(str(error))
    print("Files and known rows are as they were.")
