"""Fits one fold in the sandbox: `python fold.py`, in the folder that may be written.

Reads `job.json`, `train.parquet`, `target.npy`, `valid.parquet` and with weighted rows `weight.npy` from the folder
above its own; writes `model/`, `oof.npy`, `singles.npy` and `result.json`. The targets of the validation rows are
nowhere to be found.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import exchange  # type: ignore[import-not-found]
import failing  # type: ignore[import-not-found]
import fitting  # type: ignore[import-not-found]
import numpy as np


def main() -> None:
    inputs = Path(__file__).resolve().parent.parent
    job = json.loads((inputs / "job.json").read_text(encoding="utf-8"))
    train, valid = exchange.read_frame(inputs / "train.parquet"), exchange.read_frame(inputs / "valid.parquet")
    target = np.load(inputs / "target.npy", allow_pickle=False)
    weight = np.load(inputs / "weight.npy", allow_pickle=False) if (inputs / "weight.npy").exists() else None
    kind = importlib.import_module(job["candidate"]).Model
    fitted = fitting.fit_and_measure(kind, job["arguments"], train, target, valid, Path("model"), weight)
    np.save("oof.npy", fitted.prediction, allow_pickle=False)
    np.save("singles.npy", fitted.singles, allow_pickle=False)
    Path("result.json").write_text(json.dumps(fitted.measured), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(failing.reported(main))
