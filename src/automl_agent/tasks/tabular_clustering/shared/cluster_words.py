"""What sets a cluster apart, in words: "high alcohol, low hue; mostly region = north"."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

TELLING = 4
"""Columns named at most."""
SOME, MUCH = 0.4, 1.2
"""Distance of a cluster's mean from that of all rows, in standard deviations, that is worth a word, or "very"."""
LIFT = 1.3
"""How much more frequent a value must be than among all rows."""
MOSTLY = 0.5


def descriptions(frame: pd.DataFrame, labels: Array, clusters: int) -> list[dict[str, Any]]:
    """For each cluster: `cluster` (1, 2, ...), `rows`, `share`, `text`, and `columns`, what the text rests on.

    Args:
        frame: typed training rows.
        labels: (rows,) cluster of each row, from 0.

    Returns:
        `columns` holds {"column", "value" (mean, or most telling value), "all" (mean of all rows, or the value's
        share there), "distance" (in standard deviations, or the difference of shares)}, the most telling first.
    """
    facts = [_column(frame[name], labels, clusters) for name in frame.columns]
    told = []
    for cluster in range(clusters):
        inside = labels == cluster
        columns = [
            {"column": str(name), **fact[cluster]} for name, fact in zip(frame.columns, facts, strict=True) if fact
        ]
        columns.sort(key=lambda one: -one["weight"])
        telling = [one for one in columns if one["words"]][:TELLING]
        numbers = ", ".join(one["words"] for one in telling if one["numeric"])
        values = ", ".join(one["words"] for one in telling if not one["numeric"])
        text = "; ".join(part for part in (numbers, values) if part) or "near the average in every column"
        kept = [{key: one[key] for key in ("column", "value", "all", "distance")} for one in columns]
        told.append({"cluster": cluster + 1, "rows": int(inside.sum()), "share": round(float(inside.mean()), 4),
                     "text": text, "columns": kept})  # fmt: skip
    return told


def _column(values: pd.Series[Any], labels: Array, clusters: int) -> list[dict[str, Any]] | None:
    if pd.api.types.is_datetime64_any_dtype(values):
        moments = values.to_numpy().astype("datetime64[s]")
        days = np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 86_400)
        return _number(str(values.name), days, labels, clusters, ("early", "late"), as_date=True)
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return _number(str(values.name), numbers, labels, clusters, ("low", "high"))
    return _category(str(values.name), values, labels, clusters)


def _number(name: str, numbers: Array, labels: Array, clusters: int, ends: tuple[str, str], *, as_date: bool = False
            ) -> list[dict[str, Any]] | None:  # fmt: skip
    known = ~np.isnan(numbers)
    if not known.any():
        return None
    low, high = np.quantile(numbers[known], [0.005, 0.995])
    cut = np.clip(numbers, low, high) if low < high else numbers
    largest = float(np.abs(cut[known]).max()) or 1.0
    scaled = cut / largest  # squares of huge values would overflow
    mean, spread = float(scaled[known].mean()), float(scaled[known].std())
    if not spread > 0:
        return None
    found = []
    for cluster in range(clusters):
        inside = scaled[known & (labels == cluster)]
        centre = float(inside.mean()) if len(inside) else mean
        distance = (centre - mean) / spread
        much = "very " if abs(distance) >= MUCH else ""
        words = f"{much}{ends[distance > 0]} {name}" if abs(distance) >= SOME else ""
        found.append({"numeric": True, "words": words, "weight": abs(distance), "distance": round(distance, 3),
                      "value": _shown(centre * largest, as_date), "all": _shown(mean * largest, as_date)})  # fmt: skip
    return found


def _shown(value: float, as_date: bool) -> float | str:
    return str(np.datetime64(round(value), "D")) if as_date else float(f"{value:.6g}")


def _category(name: str, values: pd.Series[Any], labels: Array, clusters: int) -> list[dict[str, Any]] | None:
    codes, levels = pd.factorize(values.mask(values == ""), use_na_sentinel=True)
    if not len(levels) or len(levels) > 0.5 * max(len(values), 40):
        return None
    counts = np.zeros((clusters, len(levels)))
    np.add.at(counts, (labels[codes >= 0], codes[codes >= 0]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    overall = counts.sum(axis=0) / counts.sum()
    found = []
    for share in shares:
        excess = share - overall
        place = int(excess.argmax())
        level = str(levels[place])[:60]
        weight = float(excess[place] / np.sqrt(max(overall[place] * (1 - overall[place]), 1e-4)))
        telling = share[place] >= MOSTLY and share[place] >= min(LIFT * overall[place], 0.97) and excess[place] > 0.05
        words = f"{'only' if share[place] > 0.995 else 'mostly'} {name} = {level}" if telling else ""
        found.append({"numeric": False, "words": words, "weight": weight, "distance": round(float(excess[place]), 3),
                      "value": f"{level} ({share[place]:.0%})", "all": f"{overall[place]:.0%}"})  # fmt: skip
    return found
