"""Measured facts of training rows: of each column, of the target, and the meta-features that notes refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_agent.records import Scalar

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

HIGH_CARDINALITY = 30
HISTOGRAM = 20
TOP = 20


def relations(frame: pd.DataFrame, target: Array, *, classes: int) -> dict[str, float]:
    """How much each column tells of the target alone, 0 to 1.

    For classes: mutual information over the target's entropy. For numbers: correlation ratio. Numbers and dates are cut
    into ranges, and what chance brings about with so many ranges is taken off.
    """
    return {
        str(name): _information(_ranges(frame[name]), target, classes)
        if classes
        else _ratio(_ranges(frame[name]), target)
        for name in frame.columns
    }


def _ranges(values: pd.Series[Any], count: int = 20) -> Array:
    """Small whole numbers for ranges (or levels, the rare ones together); missing values are a range of their own."""
    import numpy as np
    import pandas as pd

    if values.dtype.kind in "fM":
        plain = values.to_numpy().astype(np.float64)
        lost = values.isna().to_numpy()
        if lost.all():
            return np.zeros(len(plain), np.int64)
        unique = np.unique(plain[~lost])
        edges = (
            unique[1:]
            if len(unique) <= count
            else np.unique(np.quantile(plain[~lost], np.linspace(0, 1, count + 1)[1:-1]))
        )
        return np.where(lost, 0, np.searchsorted(edges, plain, side="right") + 1)
    codes, levels = pd.factorize(values)
    sizes = np.bincount(codes[codes >= 0], minlength=len(levels))
    kept = np.argsort(-sizes, kind="stable")[:200]
    ranks = np.full(len(levels) + 1, len(kept) + 1)
    ranks[kept] = np.arange(1, len(kept) + 1)
    ranks[-1] = 0
    return ranks[codes]


def _information(cells: Array, codes: Array, classes: int) -> float:
    import numpy as np

    rows = len(codes)
    table = (
        np.bincount(cells * classes + codes, minlength=(cells.max() + 1) * classes).reshape(-1, classes).astype(float)
    )
    table = table[table.sum(axis=1) > 0]
    joint, across, down = table / rows, table.sum(axis=1) / rows, table.sum(axis=0) / rows
    known = joint > 0
    mutual = float((joint[known] * np.log(joint[known] / np.outer(across, down)[known])).sum())
    entropy = -float((down[down > 0] * np.log(down[down > 0])).sum())
    chance = (len(table) - 1) * (int((down > 0).sum()) - 1) / (2 * rows)
    return round(min(max((mutual - chance) / entropy, 0.0), 1.0), 4) if entropy else 0.0


def _ratio(cells: Array, target: Array) -> float:
    import numpy as np

    sizes = np.bincount(cells)
    sums = np.bincount(cells, weights=target - target.mean())
    between = float((sums[sizes > 0] ** 2 / sizes[sizes > 0]).sum())
    total = float(((target - target.mean()) ** 2).sum())
    chance = (int((sizes > 0).sum()) - 1) / max(len(target) - 1, 1)
    share = between / total if total else 0.0
    return round(float(np.sqrt(min(max((share - chance) / (1 - chance), 0.0), 1.0))) if chance < 1 else 0.0, 4)


def column_facts(
    frame: pd.DataFrame, kinds: Mapping[str, str], relation: Mapping[str, float], measure: str
) -> list[dict[str, Any]]:
    """Facts of every feature column, for report and planner (`columns.json`).

    Args:
        frame: typed training rows.
        kinds: kind of each column.
        measure: what `relation` is: `mutual_information` or `correlation`.
    """
    facts = []
    for name in map(str, frame.columns):
        fact: dict[str, Any] = {
            "name": name,
            "kind": kinds[name],
            "relation": relation[name],
            "relation_measure": measure,
        }
        facts.append(fact | _FACTS[kinds[name]](frame[name]))
    return facts


def _number_facts(values: pd.Series[Any]) -> dict[str, Any]:
    import numpy as np

    present = values.dropna().to_numpy()
    facts: dict[str, Any] = {"missing": len(values) - len(present), "distinct": len(np.unique(present))}
    if not len(present):
        return facts
    # Values near the largest float would overflow in sums: scale them down and back.
    scale = float(np.abs(present).max()) or 1.0
    quantiles = np.quantile(present / scale, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]) * scale
    facts |= {"mean": float((present / scale).mean() * scale), "std": float((present / scale).std() * scale)}
    facts["quantiles"] = [float(value) for value in quantiles]
    counts, edges = np.histogram(present / scale, bins=HISTOGRAM)
    facts["histogram"] = {"edges": [float(edge * scale) for edge in edges], "counts": [int(count) for count in counts]}
    return facts


def _category_facts(values: pd.Series[Any]) -> dict[str, Any]:
    counts = values.value_counts()
    top = [{"value": str(value)[:100], "count": int(count)} for value, count in counts.head(TOP).items()]
    return {"missing": int(values.isna().sum()), "distinct": len(counts), "top": top}


def _date_facts(values: pd.Series[Any]) -> dict[str, Any]:
    present = values.dropna()
    facts: dict[str, Any] = {"missing": len(values) - len(present), "distinct": int(present.nunique())}
    return facts | ({"min": present.min().isoformat(), "max": present.max().isoformat()} if len(present) else {})


def _text_facts(values: pd.Series[Any]) -> dict[str, Any]:
    lengths = values.str.len()
    examples = [str(text)[:100] for text in values[lengths > 0].head(3)]
    facts = {"missing": int((lengths == 0).sum()), "distinct": int(values.nunique())}
    return facts | {"mean_length": float(lengths.mean()), "max_length": int(lengths.max()), "examples": examples}


_FACTS = {
    "number": _number_facts,
    "category": _category_facts,
    "boolean": _category_facts,
    "date": _date_facts,
    "text": _text_facts,
}


def meta_features(
    facts: Sequence[Mapping[str, Any]], target: Array, *, rows: int, classes: int, repeated: int
) -> dict[str, float]:
    """Numbers that conditions of notes, candidates and plans name.

    Args:
        facts: of the feature columns.
        rows: training rows.
        classes: number of classes, 0 for numeric targets.
        repeated: rows of the table whose features are equal to those of an earlier row, scaled to `rows`.
    """
    kinds = [fact["kind"] for fact in facts]
    levels = [fact["distinct"] for fact in facts if fact["kind"] == "category"]
    cells = rows * len(facts)
    meta = {
        "rows": rows,
        "columns": len(facts),
        "numbers": kinds.count("number"),
        "categories": kinds.count("category") + kinds.count("boolean"),
        "texts": kinds.count("text"),
        "dates": kinds.count("date"),
        "missing_share": sum(fact["missing"] for fact in facts) / cells if cells else 0.0,
        "max_cardinality": max(levels, default=0),
        "high_cardinality": sum(count > HIGH_CARDINALITY for count in levels),
        "duplicates_share": repeated / rows,
        "rows_per_column": rows / max(len(facts), 1),
    }
    described = target_facts(target, classes=classes)
    if classes:
        meta |= {
            "classes": classes,
            "imbalance": _float(described["largest_share"]),
            "minority_share": _float(described["minority_share"]),
        }
    else:
        meta["target_skew"] = _float(described["skew"])
    return {name: float(value) for name, value in meta.items()}


def _float(value: Scalar) -> float:
    return float(value or 0.0)


def target_facts(target: Array, *, classes: int) -> dict[str, Scalar]:
    """Facts of the target: shares of classes, or distribution of values."""
    import numpy as np

    if classes:
        counts = np.bincount(target, minlength=classes)
        return {
            "classes": classes,
            "largest_share": float(counts.max() / counts.sum()),
            "minority_share": float(counts.min() / counts.sum()),
            "minority_rows": int(counts.min()),
        }
    scale = float(np.abs(target).max()) or 1.0
    scaled = target / scale
    spread = float(scaled.std())
    return {
        "mean": float(scaled.mean() * scale),
        "std": spread * scale,
        "min": float(target.min()),
        "median": float(np.median(target)),
        "max": float(target.max()),
        "skew": float((((scaled - scaled.mean()) / spread) ** 3).mean()) if spread else 0.0,
        "distinct": len(np.unique(target)),
        "integer": bool((target == np.round(target)).all()),
    }
