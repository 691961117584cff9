"""A candidate that is a whole program, which reads files and writes files.

The module defines

    train(inputs: Path, out: Path)                reads inputs/train.parquet, inputs/target.npy (class codes or values)
                                                  and inputs/task.json; writes whatever it needs later to `out`
    predict(model: Path, rows: Path, out: Path)   `model` is that folder, `rows` a Parquet file; writes
                                                  out/predictions.npy, or out/predictions.csv with a header
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from generated_model import checked_answer
from module_calls import drawn, seeded, shown

Array = npt.NDArray[Any]

FOLDER = "program"
"""Where the program's own files lie in the model's folder."""


class GeneratedProgram:
    """Base of the candidates that name such a module."""

    module: ClassVar[ModuleType]
    names: ClassVar[Mapping[str, str]] = {}
    """Stand-in name of a column, as the module knows it, -> its name."""

    def __init__(
        self,
        task: Mapping[str, Any],
        params: Mapping[str, Any],
        _steps: Sequence[str],
        seed: int,
        threads: int = 1,
        **_: Any,
    ) -> None:
        self.task = {**task, "seed": seed, "threads": threads, "params": dict(params)}
        self.kept: TemporaryDirectory[str] | None = None
        """What was trained and is not saved yet."""
        self.files = Path()

    def fit(self, frame: pd.DataFrame, target: Array, weight: Array | None = None) -> GeneratedProgram:
        frame, target = drawn(frame, target, weight, self.task["seed"])
        self.kept = TemporaryDirectory()
        self.files = Path(self.kept.name)
        with TemporaryDirectory() as place, seeded(self.task["seed"]):
            inputs = Path(place)
            shown(frame, self.names).to_parquet(inputs / "train.parquet", index=False)
            np.save(inputs / "target.npy", target)
            (inputs / "task.json").write_text(json.dumps(self.task, ensure_ascii=False), encoding="utf-8")
            self.module.train(inputs, self.files)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        with TemporaryDirectory() as place:
            rows, out = Path(place, "rows.parquet"), Path(place, "out")
            out.mkdir()
            shown(frame, self.names).to_parquet(rows, index=False)
            self.module.predict(self.files, rows, out)
            return checked_answer(read_answer(out, self.task), len(frame), self.task, "predict")

    def save(self, folder: str | Path) -> None:
        shutil.copytree(self.files, Path(folder, FOLDER))
        Path(folder, "task.json").write_text(json.dumps(self.task, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> GeneratedProgram:
        task = json.loads(Path(folder, "task.json").read_text(encoding="utf-8"))
        model = cls(task, task["params"], [], task["seed"], task["threads"])
        model.files = Path(folder, FOLDER)
        return model


def read_answer(out: Path, task: Mapping[str, Any]) -> Array:
    """The predictions that a program wrote: probabilities by class, one label a row, or values."""
    if (out / "predictions.npy").is_file():
        stored: Array = np.load(out / "predictions.npy", allow_pickle=False)
        return stored
    if not (out / "predictions.csv").is_file():
        raise FileNotFoundError("predict wrote neither predictions.npy nor predictions.csv to its last argument")
    table = pd.read_csv(out / "predictions.csv", dtype=str, keep_default_na=False)
    classes = list(task["classes"])
    if task["kind"] == "classification" and set(classes) <= set(table.columns):
        return np.asarray(table[classes].to_numpy(dtype=np.float64))
    if "prediction" not in table.columns:
        columns = f"{classes} (probabilities) or prediction (labels)" if classes else "prediction"
        raise ValueError(f"predictions.csv must have the columns {columns}, it has {list(table.columns)[:10]}")
    if task["kind"] != "classification":
        return np.asarray(table["prediction"].to_numpy(dtype=np.float64))
    codes = table["prediction"].map({name: code for code, name in enumerate(classes)})
    if codes.isna().any():
        raise ValueError(f"predictions.csv has labels that are none of {classes[:10]}")
    return np.asarray(np.eye(len(classes))[codes.to_numpy(dtype=np.int64)])
