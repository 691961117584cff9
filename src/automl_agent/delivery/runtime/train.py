"""Train the bundle's models again from their source: every member, once per fold, with fixed parameters.

    python train.py --data FILE [--out FOLDER]        train on a table with the same columns; writes a new bundle
    python train.py --data FILE --verify              train on the original table and compare with the stored
                    [--member m0] [--fold 0]          out-of-fold predictions; exit status 1 when they differ

On the original table the rows and folds of the first training are used again (its locked test rows stay out). On
another one, and on one to which rows were added, all rows are used, with new folds from the same seed.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measures
import numpy as np
import pandas as pd
from ensemble import TOLERANCE, DamagedBundle, Ensemble, check_files, largest_difference, load_module, task_of
from seal import write_golden, write_json, write_manifest

ON_GPU = 0.1
"""Largest relative difference of predictions that training again may make where it was done on a GPU: sums have no
fixed order there, and training amplifies that."""


@dataclass(frozen=True)
class Rows:
    """Typed training rows with their targets (class codes or values)."""

    frame: pd.DataFrame
    target: np.ndarray
    folds: np.ndarray
    """The fold of each row; -1: never predicted, only trained on."""
    positions: np.ndarray
    """Where each row stands in the table."""
    original: bool
    """Whether these are the very rows of the first training."""
    files: Path | None = None
    """Folder of what candidates read besides the rows."""
    weight: np.ndarray | None = None
    """What each row counts, above 0, where the schema names a column for it."""


def fingerprint(frame: pd.DataFrame, target: np.ndarray, weight: np.ndarray | None = None) -> str:
    """Hash of typed rows, targets and weights."""
    digest = hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    digest.update("\n".join(frame.columns).encode())
    digest.update(np.ascontiguousarray(target, dtype=np.float64).tobytes())
    if weight is not None:
        digest.update(np.ascontiguousarray(weight, dtype=np.float64).tobytes())
    return digest.hexdigest()


def read_rows(root: Path, schema: dict[str, Any], solution: dict[str, Any], file: Path, *, verify: bool = False
              ) -> Rows:  # fmt: skip
    """Read a table with the columns of the schema, its target and, where rows are weighted, their weights.

    Args:
        verify: whether the rows of the first training are wanted also where others were added to the table.
    """
    reader = load_module(root, solution["reader"])
    stored = np.load(root / "oof" / "rows.npy", allow_pickle=False)
    if schema["read"].get("drawn"):  # the first training used some rows of a large table: the others need not be read
        some = original_rows(root, schema, solution, reader.read(str(file), schema["read"], rows=stored), stored)
        if some is not None:
            return some
    raw = reader.read(str(file), schema["read"])
    if schema["target"] and schema["target"] not in raw.columns:
        raise ValueError(f"{file} has no column {schema['target']!r}, the target.")
    if schema.get("weight") and schema["weight"] not in raw.columns:
        raise ValueError(f"{file} has no column {schema['weight']!r}, the weight of each row.")
    if stored.max(initial=-1) < len(raw) and (verify or not _grown(reader, raw, schema, solution)):
        same = original_rows(root, schema, solution, raw.iloc[stored], stored)
        if same is not None:
            return same
    files = other_files(reader, schema, solution, file)
    frame, target = split(reader, raw, schema)
    missing = np.isnan(target) if target.dtype.kind == "f" else target < 0
    strange = {str(value) for value in raw[schema["target"]][missing].dropna()} - {""} if missing.any() else set()
    if strange:
        raise ValueError(
            f"{file}: the target {schema['target']!r} holds {sorted(strange)[:3]}, which is new to the model."
        )
    positions = np.flatnonzero(~missing)
    try:
        weight = weights(reader, raw.iloc[positions], schema)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if weight is not None:  # a row that counts nothing takes no part, as in the first training
        positions, weight = positions[weight > 0], weight[weight > 0]
    frame, target = frame.iloc[positions].reset_index(drop=True), target[positions]
    folds = getattr(reader, "new_folds", new_folds)(frame, target, schema, solution)
    return Rows(frame, target, folds, positions, original=False, files=files, weight=weight)


def _grown(reader: Any, raw: pd.DataFrame, schema: dict[str, Any], solution: dict[str, Any]) -> bool:
    """Whether a table holds more rows with a target than the first training took and left out."""
    known = len(raw)
    if schema["target"]:
        target = reader.encode_target(raw[schema["target"]].reset_index(drop=True), schema)
        known = int((~np.isnan(target) if target.dtype.kind == "f" else target >= 0).sum())
    return known > int(solution.get("rows", known))


def original_rows(
    root: Path, schema: dict[str, Any], solution: dict[str, Any], raw: pd.DataFrame, stored: np.ndarray
) -> Rows | None:
    """The rows of the first training from raw ones at their positions; `None` when they hold something else."""
    needed = {schema["target"], schema.get("weight")} - {None, ""}
    if len(raw) != len(stored) or not needed <= set(raw.columns):
        return None
    reader = load_module(root, solution["reader"])
    frame, target = split(reader, raw, schema)
    try:
        weight = weights(reader, raw, schema)
    except ValueError:  # rows of another table: these are read without those that have no target
        return None
    if fingerprint(frame, target, weight) != solution["fingerprint"]:
        return None
    folds = np.load(root / "oof" / "folds.npy", allow_pickle=False)
    return Rows(frame, target, folds, stored, original=True, files=root / "files", weight=weight)


def other_files(reader: Any, schema: dict[str, Any], solution: dict[str, Any], file: Path) -> Path | None:
    """What candidates read besides the rows, made from other data in a folder that goes with this process."""
    if not solution.get("files"):
        return None
    folder = Path(tempfile.mkdtemp(prefix="files-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    reader.files(file, schema, folder)
    return folder


def split(reader: Any, raw: pd.DataFrame, schema: dict[str, Any]) -> tuple[pd.DataFrame, np.ndarray]:
    """Typed features and encoded targets of raw rows."""
    raw = raw.reset_index(drop=True)
    frame = reader.typed(raw, schema)
    target = reader.encode_target(raw[schema["target"]], schema) if schema["target"] else np.zeros(len(frame))
    return frame, target


def weights(reader: Any, raw: pd.DataFrame, schema: dict[str, Any]) -> np.ndarray | None:
    """What each row counts; `None` where all count the same."""
    return reader.encode_weights(raw[schema["weight"]], schema) if schema.get("weight") else None


def read_folder(root: Path, schema: dict[str, Any], solution: dict[str, Any], folder: Path) -> Rows:
    """Read the training rows that automl_agent prepared."""
    frame = load_module(root, solution["reader"]).typed(pd.read_parquet(folder / "train.parquet"), schema)
    target, folds, positions = (
        np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("target", "folds", "rows")
    )
    weight = np.load(folder / "weight.npy", allow_pickle=False) if schema.get("weight") else None
    return Rows(frame, target, folds, positions, original=True, files=folder, weight=weight)


def new_folds(_frame: pd.DataFrame, target: np.ndarray, schema: dict[str, Any], solution: dict[str, Any]) -> np.ndarray:
    """As many folds as in the first training, stratified by class; expanding windows when rows are ordered in time."""
    from sklearn.model_selection import KFold, StratifiedKFold

    count, rows = solution["folds"], len(target)
    if schema.get("ordered"):
        return (np.arange(rows) * (count + 1) // max(1, rows) - 1).astype(np.int16)
    stratify = solution["kind"] == "classification" and np.bincount(target).max(initial=0) >= count
    splitter = (StratifiedKFold if stratify else KFold)(count, shuffle=True, random_state=solution["seed"])
    folds = np.empty(rows, dtype=np.int16)
    for fold, (_, valid) in enumerate(splitter.split(np.zeros(rows), target)):
        folds[valid] = fold
    return folds


def fit(root: Path, solution: dict[str, Any], schema: dict[str, Any], member: dict[str, Any], fold: int, rows: Rows
        ) -> tuple[Any, np.ndarray]:  # fmt: skip
    """Train one member without one fold; returns the model and its predictions for that fold.

    The number after the last fold leaves no row out: then there are no predictions.
    """
    train = rows.folds < fold if schema.get("ordered") else rows.folds != fold
    module = load_module(root, f"candidates/{member['candidate']}.py")
    fixed = params_in_effect(root, member, fold)
    task = task_of(solution) | ({"files": str(rows.files)} if solution.get("files") else {})
    model = module.Model(task, fixed, member["steps"], solution["seed"])
    weighted = () if rows.weight is None else (rows.weight[train],)
    model.fit(rows.frame[train].reset_index(drop=True), rows.target[train], *weighted)
    valid, truth = rows.frame[rows.folds == fold].reset_index(drop=True), rows.target[rows.folds == fold]
    if not len(valid):
        return model, np.zeros(0)
    rounds = getattr(load_module(root, solution["reader"]), "rounds", None)
    if rounds is None:
        return model, np.asarray(model.predict(valid), dtype=np.float64)
    found = np.empty(len(valid))  # what becomes known bit by bit is predicted so
    for frame, places in rounds(valid, truth, schema["time_series"]):
        found[places] = np.asarray(model.predict(frame), dtype=np.float64)[len(frame) - len(places) :]
    return model, found


def verify(
    root: Path,
    solution: dict[str, Any],
    schema: dict[str, Any],
    rows: Rows,
    member: str | None = None,
    fold: int | None = None,
) -> list[dict[str, Any]]:
    """Train members and folds again and compare with the stored out-of-fold predictions."""
    found = []
    for choice in solution["members"]:
        stored = np.load(root / "oof" / f"{choice['id']}.npy", allow_pickle=False)
        for number in choice["validated"]:
            if member not in (None, choice["id"]) or fold not in (None, number):
                continue
            started = time.perf_counter()
            _, prediction = fit(root, solution, schema, choice, number, rows)
            difference = largest_difference(prediction, stored[rows.folds == number])
            most = ON_GPU if "device" in params_in_effect(root, choice, number) else TOLERANCE
            check = {"member": choice["id"], "fold": number, "difference": difference, "same": difference <= most}
            found.append(check | {"seconds": round(time.perf_counter() - started, 3)})
            print(json.dumps(found[-1]), flush=True)
    if not found:
        raise ValueError(f"There is no member {member} with fold {fold}.")
    return found


def params_in_effect(root: Path, member: dict[str, Any], fold: int) -> dict[str, Any]:
    """What a candidate had to change to keep to its time limit is in params.json: the same work on any machine."""
    path = root / "model" / member["id"] / f"fold{fold}" / "params.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else member["params"]
    return found


def train(root: Path, out: Path, solution: dict[str, Any], schema: dict[str, Any], rows: Rows) -> float | None:
    """Train all, write a new bundle to `out`, and return the out-of-fold score."""
    code = [*root.glob("*.py"), *root.glob("candidates/*.py"), root / "requirements.txt", root / "Dockerfile"]
    for path in code:
        (out / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / path.relative_to(root))
    for name in solution.get("files", []):
        (out / "files").mkdir(exist_ok=True)
        shutil.copyfile(Path(rows.files or root) / name, out / "files" / name)
    shape = (len(rows.target), *([len(solution["classes"])] if solution["classes"] else []))
    total, parts = np.zeros(shape), np.zeros(len(rows.target))
    for member in solution["members"]:
        oof = np.full(shape, np.nan)
        for fold in sorted({*member["folds"], *member["validated"]}):
            model, prediction = fit(root, solution, schema, member, fold, rows)
            if fold in member["validated"]:
                oof[rows.folds == fold] = prediction
            if fold in member["folds"]:
                folder = out / "model" / member["id"] / f"fold{fold}"
                folder.mkdir(parents=True, exist_ok=True)
                model.save(folder)
            print(f"{member['id']} ({member['candidate']}), fold {fold}: trained", file=sys.stderr)
        (out / "oof").mkdir(exist_ok=True)
        np.save(out / "oof" / f"{member['id']}.npy", oof)
        seen = np.isfinite(oof).reshape(len(oof), -1).all(axis=1)
        total[seen] += member["weight"] * oof[seen]
        parts[seen] += member["weight"]
    seen = parts > 0
    prediction = total[seen] / parts[seen].reshape(-1, *[1] * (total.ndim - 1))
    if prediction.ndim == 2:
        prediction = measures.tempered(prediction, solution["temperature"])
    weight = None if rows.weight is None else rows.weight[seen]
    if isinstance(solution["spread"], float):
        residuals = np.abs(rows.target[seen] - prediction)
        spread = np.quantile(residuals, 0.9) if weight is None else measures.quantile(residuals, 0.9, weight)
        solution = solution | {"spread": float(spread)}
    value = score(solution, rows.target[seen], prediction, weight) if measures.known(solution["metric"]) else None
    own = getattr(load_module(root, solution["reader"]), "score", None)
    if value is None and own is not None:
        value = own(solution["metric"], rows.frame[seen], rows.target[seen], prediction, schema)
    write_rest(out, solution, schema, rows, value)
    return value


def score(solution: dict[str, Any], truth: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
          ) -> float:  # fmt: skip
    """The solution's metric of probabilities (rows, classes) or values (rows,)."""
    positive = task_of(solution)["positive"]
    return measures.score(solution["metric"], truth, prediction, 1 if positive is None else positive,
                          solution.get("threshold"), weight)  # fmt: skip


def write_rest(out: Path, solution: dict[str, Any], schema: dict[str, Any], rows: Rows, value: float | None) -> None:
    """Everything of a bundle that is neither code nor a fitted model."""
    own = {"fingerprint": fingerprint(rows.frame, rows.target, rows.weight)}
    write_json(out / "model" / "solution.json", solution | own)
    if not rows.original:
        schema = refreshed(schema, rows.frame)
        more = getattr(load_module(out, solution["reader"]), "refreshed", None)
        schema = schema if more is None else more(schema, rows.frame, rows.target)
    write_json(out / "schema.json", schema)
    np.save(out / "oof" / "folds.npy", rows.folds)
    np.save(out / "oof" / "rows.npy", rows.positions)
    write_json(out / "metrics.json", {"metric": solution["metric"], "validation": value, "rows": len(rows.target)})
    write_golden(Ensemble.load(out, check=False), rows.frame)
    write_manifest(out)


def refreshed(schema: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """The schema with ranges and categories of other training rows."""
    columns = []
    for column in schema["columns"]:
        values, column = frame[column["name"]], dict(column)
        known = values.dropna()
        if column["kind"] == "number" and len(known):
            column |= {"min": float(known.min()), "max": float(known.max()), "median": float(known.median())}
        elif column["kind"] == "date" and len(known):
            column |= {"min": known.min().isoformat(), "max": known.max().isoformat()}
        elif column["kind"] in ("category", "boolean") and len(known):
            counts = known.value_counts()
            column |= {"values": counts.index[:1000].tolist(), "distinct": len(counts), "mode": counts.index[0]}
        columns.append(column | {"missing": float(values.isna().mean())})
    return schema | {"columns": columns}


def main() -> int:
    parser = argparse.ArgumentParser(description="Train the bundle's models again.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="table with the target column, and the weights if any")
    source.add_argument("--folder", type=Path, help="data folder of automl_agent")
    parser.add_argument("--out", type=Path, default=Path("retrained"), help="folder of the new bundle")
    parser.add_argument("--verify", action="store_true", help="compare with the stored predictions; writes nothing")
    parser.add_argument("--member")
    parser.add_argument("--fold", type=int)
    given, root = parser.parse_args(), Path(__file__).resolve().parent
    try:
        check_files(root)
        solution = json.loads((root / "model" / "solution.json").read_text(encoding="utf-8"))
        schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
        rows = (
            read_folder(root, schema, solution, given.folder)
            if given.folder
            else read_rows(root, schema, solution, given.data, verify=given.verify)
        )
        if given.verify and not rows.original:
            raise ValueError(f"{given.data} does not hold the rows that the models were trained on.")
        if given.verify:
            found = verify(root, solution, schema, rows, given.member, given.fold)
            return 0 if all(check["same"] for check in found) else 1
        if given.out.exists() and any(given.out.iterdir()):
            raise ValueError(f"{given.out} is not empty.")
        value = train(root, given.out, solution, schema, rows)
    except (DamagedBundle, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"out-of-fold {solution['metric']}: {value if value is None else round(value, 6)}; bundle: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
