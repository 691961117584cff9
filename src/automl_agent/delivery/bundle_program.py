"""What is asked of a bundle's own code, in a worker or, where a language model wrote some of it, in the sandbox.

As a program it lies there without the library, beside a copy of the bundle: `python bundle_program.py` reads `job.json`
from the folder above its own and writes the answers to the current folder.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TIMED_MS, TIMED_ROWS = 1000.0, 20
"""Milliseconds after which no further row is timed, and rows that are in any case."""
WARM_UP_ROWS = 10


def answered(model: Any, frames: Sequence[pd.DataFrame], requests: Iterable[dict[str, Any]], seconds: float | None
             ) -> Iterator[Any]:  # fmt: skip
    """Scores for one request after the other, as far as the time goes.

    Args:
        requests: `frame`, the place of a frame; `fold`, see `Ensemble.predict_scores`; `shuffle`, a column or `None`;
            `seed` of the shuffle.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    for request in requests:
        if deadline is not None and time.monotonic() > deadline:
            return
        frame = shuffled(frames[request["frame"]], request["shuffle"], request["seed"])
        yield model.predict_scores(frame, fold=request["fold"])


def shuffled(frame: pd.DataFrame, column: str | None, seed: int) -> pd.DataFrame:
    if column is None:
        return frame
    copy = frame.copy()
    order = np.random.default_rng(seed).permutation(len(frame))
    copy[column] = frame[column].take(order).reset_index(drop=True)
    return copy


def milliseconds(model: Any, rows: list[dict[str, Any]]) -> list[float]:
    """How long it takes to predict raw rows, each alone: all of them, or as many as a moment allows."""
    started = time.perf_counter()
    for row in rows[:WARM_UP_ROWS]:
        model.predict(model.typed([row]))
        if time.perf_counter() - started > TIMED_MS / 5000:
            break
    times: list[float] = []
    for row in rows:
        if sum(times) > TIMED_MS and len(times) >= TIMED_ROWS:
            break
        begun = time.perf_counter()
        model.predict(model.typed([row]))
        times.append((time.perf_counter() - begun) * 1000)
    return times


# ---------------------------------------------------------------- in the sandbox


def main() -> None:
    inputs = Path(__file__).resolve().parent.parent
    job = json.loads((inputs / "job.json").read_text(encoding="utf-8"))
    sys.path.insert(0, str(inputs / "bundle"))
    {"scores": _scores, "times": _times, "retrain": _retrain}[job["what"]](inputs, job)


def _scores(inputs: Path, job: dict[str, Any]) -> None:
    exchange: Any = importlib.import_module("exchange")
    model: Any = importlib.import_module("ensemble").Ensemble.load(inputs / "bundle", check=False)
    frames = [exchange.read_frame(inputs / f"{number}.parquet") for number in range(job["frames"])]
    for number, scores in enumerate(answered(model, frames, job["requests"], job["seconds"])):
        np.save(f"{number}.npy", np.asarray(scores, dtype=np.float64), allow_pickle=False)


def _times(inputs: Path, job: dict[str, Any]) -> None:
    started = time.perf_counter()
    model: Any = importlib.import_module("ensemble").Ensemble.load(inputs / "bundle", check=False)
    load_seconds = time.perf_counter() - started
    told = {"load_seconds": load_seconds, "milliseconds": milliseconds(model, job["rows"])}
    Path("times.json").write_text(json.dumps(told), encoding="utf-8")


def _retrain(inputs: Path, job: dict[str, Any]) -> None:
    train: Any = importlib.import_module("train")
    root = inputs / "bundle"
    solution = json.loads((root / "model" / "solution.json").read_text(encoding="utf-8"))
    schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
    given = inputs / job["data"]
    read = train.read_folder if given.is_dir() else train.read_rows
    rows = read(root, schema, solution, given)
    member = next(member for member in solution["members"] if member["id"] == job["member"])
    _, prediction = train.fit(root, solution, schema, member, job["fold"], rows)
    np.save("prediction.npy", prediction, allow_pickle=False)


if __name__ == "__main__":
    sys.exit(importlib.import_module("failing").reported(main))
