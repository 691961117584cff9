"""Rows that count differently: a column says how much (survey weights, exposure, repetitions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]


def counted(frame: pd.DataFrame, column: str | None, read: Mapping[str, Any], findings: list[Finding]) -> pd.DataFrame:
    """The rows that count: a weight of 0 says that a row does not, neither in fits nor in scores.

    Raises:
        InputError: none does.
    """
    from automl_agent.tasks.tables.shared.table_values import numbers

    if column is None:
        return frame
    nothing = numbers(frame[column], read.get("decimal") or ".")[0] == 0
    if nothing.all():
        raise InputError(f"Column {column!r}, the weight, is 0 in all rows: none of them would count.")
    if count := int(nothing.sum()):
        text = f"{count} rows have the weight 0 ({column!r}) and were left out"
        findings.append(Finding(kind="zero_weight", columns=(column,), count=count, text=text, action="dropped"))
    return frame[~nothing] if nothing.any() else frame


def row_weights(frame: pd.DataFrame, schema: dict[str, Any], source: str, findings: list[Finding]) -> Array | None:
    """What each row counts (rows,), all above 0; `None` where all count the same.

    Raises:
        InputError: a row has no weight, or one that is no number, infinite or negative.
    """
    from automl_agent.tasks.tables.shared.table_values import encode_weights

    if not schema.get("weight"):
        return None
    try:
        weights: Array = encode_weights(frame[schema["weight"]], schema)
    except ValueError as error:
        hint = "Weights are numbers from 0 on; 0 leaves a row out. Fill in what is missing, or leave these rows out."
        raise InputError(f"In {source!r} {error}.", hint=hint) from None
    scaled = weights / weights.max()
    effective = float(scaled.sum() ** 2 / (scaled**2).sum())
    text = (
        f"rows count differently: by {schema['weight']!r}, from {weights.min():g} to {weights.max():g}, as precise as"
        f" {effective:,.0f} rows that count the same (Kish 1965)"
    )
    findings.append(
        Finding(kind="weight", columns=(schema["weight"],), count=len(weights), text=text, action="weighted")
    )
    return weights
