"""What a prompt shows of the data: names or stand-ins, kinds, statistics, and the few rows that may be shared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.privacy import Veil
from automl_agent.llm.prompt import as_table
from automl_agent.records import DataProfile, TaskSpec
from automl_agent.tasks.family import Candidate

COLUMNS = 60
"""Columns described at most, those that say most about the target."""
CELLS = 20
"""Columns of the sample rows."""
TOP = 5
CELL = 60
"""Characters of a cell that are shown."""


def veil_of(data: Path, model: LanguageModel) -> Veil:
    """The veil over the columns of a data folder."""
    return model.veil(column_names(data))


def column_names(data: Path) -> tuple[str, ...]:
    """All columns as in the file: features, those left out, and the target last."""
    schema = json.loads((data / "schema.json").read_text(encoding="utf-8"))
    dropped = [entry["name"] if isinstance(entry, dict) else str(entry) for entry in schema.get("dropped", ())]
    return (*(column["name"] for column in schema["columns"]), *dropped, *filter(None, [schema.get("target")]))


def data_facts(task: TaskSpec, profile: DataProfile, data: Path, veil: Veil) -> dict[str, Any]:
    """The task and the measured data as a prompt shows them.

    They are the same in every prompt of a run and stand first there: servers keep what they computed for a beginning
    that they have seen, so that a second question costs its own words only.
    """
    path = data / "columns.json"
    columns = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    columns.sort(key=lambda fact: -abs(fact.get("relation") or 0.0))
    shares = veil.share_rows > 0
    facts: dict[str, Any] = {
        "request": veil.hide_text(task.words),
        "task": task_facts(task, veil),
        "training_rows": profile.rows_train,
        "feature_columns": profile.columns,
        "meta": {name: significant(value) for name, value in profile.meta.items() if value},
        "target": {
            name: significant(value) for name, value in profile.target.items() if shares or not isinstance(value, str)
        },
        "columns": as_table([_column(fact, veil, profile.rows_train) for fact in columns[:COLUMNS]]),
        "findings": [veil.hide_text(finding.text) for finding in profile.findings][:12] if shares else [],
    }
    if profile.classes:
        facts["classes"] = list(profile.classes)[:30] if shares else len(profile.classes)
    if shares:
        facts["sample_rows"] = as_table(_rows(data, veil, [fact["name"] for fact in columns[:CELLS]]))
    return facts


def task_facts(task: TaskSpec, veil: Veil) -> dict[str, Any]:
    """The task in the words of the records."""
    return {
        "family": task.family,
        "target": veil.hide(task.target) if task.target else None,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "requirements": [f"{c.measure} {c.comparison} {c.value} {c.unit}".strip() for c in task.constraints],
        "domain": task.problem.domain,
    }


def model_facts(candidate: Candidate, most: int | None = None) -> dict[str, Any]:
    """A candidate with its search space (of its first `most` parameters) and first configuration, in few words."""
    first = candidate.portfolio[0]
    return {
        "title": candidate.title,
        "space": {
            name: _range(entry) + (f"; first {first[name]}" if name in first else "")
            for name, entry in list(candidate.space.items())[:most]
        },
    }


def _range(entry: Mapping[str, Any]) -> str:
    if entry["type"] == "categorical":
        return " or ".join(str(choice).lower() for choice in entry["choices"])
    kind = ", whole" if entry["type"] == "int" else ""
    return f"{entry['low']:g} to {entry['high']:g}{kind}{', log' if entry.get('log') else ''}"


def _column(fact: dict[str, Any], veil: Veil, rows: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": veil.hide(fact["name"]),
        "kind": fact.get("kind"),
        "distinct": fact.get("distinct"),
        "missing_share": significant((fact.get("missing") or 0) / max(1, rows), 3),
        "relation_to_target": significant(fact.get("relation") or 0.0, 3),
    }
    if quantiles := fact.get("quantiles"):
        shown |= {"min": significant(quantiles[0], 3), "max": significant(quantiles[-1], 3)}
    shown |= {name: significant(fact[name], 3) for name in ("mean", "mean_length") if fact.get(name) is not None}
    if veil.share_rows and fact.get("top"):
        shown["frequent"] = [entry["value"][:CELL] for entry in fact["top"][:TOP]]
    return shown


def _rows(data: Path, veil: Veil, names: list[str]) -> list[dict[str, Any]]:
    """The first training rows that may be shown."""
    import pyarrow.parquet as pq

    path = data / "train.parquet"
    if not path.is_file():
        return []
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=veil.share_rows, columns=names), None)
    rows = batch.to_pylist() if batch is not None else []
    return [{veil.hide(name): _cell(value) for name, value in row.items()} for row in rows[: veil.share_rows]]


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return significant(value, 3) if isinstance(value, float) else str(value)[:CELL]


def significant(value: Any, digits: int = 4) -> Any:
    """A number to a few significant digits; a prompt needs no more."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
