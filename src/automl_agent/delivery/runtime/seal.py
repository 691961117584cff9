"""Closes a bundle: known rows with their predictions (golden.json), then the hash of every file (manifest.json)."""

from __future__ import annotations

import base64
import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from ensemble import Ensemble

GOLDEN_ROWS = 50
LARGE = 400_000
"""Characters of a row that is no sample where others are smaller: a server takes no longer requests than 1 MB."""


class DamagedBundle(RuntimeError):
    """A file is missing or was changed, or known rows are no longer predicted as they were."""


def check_files(root: Path) -> None:
    """Compare every file with the hash in manifest.json, so that no parser ever sees a changed model file.

    Raises:
        DamagedBundle: names the first file that is missing or differs.
    """
    place = root / "manifest.json"
    try:
        files = dict(json.loads(place.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedBundle(f"{place} cannot be read: {type(error).__name__}: {error}") from error
    for name, expected in files.items():
        path = root / name
        if not path.is_file():
            raise DamagedBundle(f"{name} is missing from the bundle {root}.")
        if sha256(path) != expected:
            raise DamagedBundle(f"{name} was changed since the bundle {root} was made.")


def json_rows(frame: pd.DataFrame, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Typed rows as JSON objects, spelled as the training file spelled them (dates in its format, bytes in
    base64)."""
    formats = {column["name"]: column.get("format") for column in schema["columns"]}

    def plain(name: str, value: Any) -> Any:
        if value is None or value != value:
            return None
        if hasattr(value, "strftime"):
            return value.strftime(formats[name]) if formats[name] else value.isoformat()
        if isinstance(value, bytes):
            return base64.b64encode(value).decode("ascii")
        return value.item() if hasattr(value, "item") else value

    columns = {name: frame[name].tolist() for name in frame.columns}
    return [{name: plain(name, values[i]) for name, values in columns.items()} for i in range(len(frame))]


def examples(model: Ensemble, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows as they will be asked for: training rows, unless the reader makes others of them."""
    make = getattr(model.reader, "examples", None)
    return frame if make is None else make(frame, model.schema)


def write_golden(model: Ensemble, frame: pd.DataFrame) -> None:
    """Store up to 50 of the (typed training) rows, evenly spread, with what the model predicts for them."""
    frame = examples(model, frame)
    step = max(1, len(frame) // GOLDEN_ROWS)
    rows = json_rows(frame.iloc[::step].head(GOLDEN_ROWS), model.schema)
    rows.sort(key=lambda row: sum(len(value) for value in row.values() if isinstance(value, str)) > LARGE)
    scores = model.predict_scores(model.typed(rows))
    golden = {"rows": rows, "scores": scores.tolist(), "predictions": model.answers(scores).tolist()}
    write_json(model.root / "golden.json", golden)
    write_json(model.root / "sample_request.json", {"rows": rows[:2]})


def write_manifest(root: Path) -> None:
    """Hash every file. Whatever is changed afterwards makes the bundle refuse to load."""
    names = sorted(str(path.relative_to(root).as_posix()) for path in root.rglob("*") if path.is_file())
    files = {name: sha256(root / name) for name in names if name != "manifest.json" and "__pycache__" not in name}
    solution = json.loads((root / "model" / "solution.json").read_text(encoding="utf-8"))
    packages = [line.partition("==")[0] for line in (root / "requirements.txt").read_text(encoding="utf-8").split()]
    manifest = {
        "files": files,
        "versions": {"python": platform.python_version()} | {name: installed(name) for name in packages},
        "run_id": solution["run_id"],
        "metric": solution["metric"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(root / "manifest.json", manifest)


def rehash(root: Path, names: list[str]) -> None:
    """Renew the hashes of files that were meant to change, and of no other."""
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"] |= {name: sha256(root / name) for name in names}
    write_json(root / "manifest.json", manifest)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write_json(path: Path, value: Any) -> None:
    """Write whole or not at all: a hard link to the old file keeps its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    partial.replace(path)
