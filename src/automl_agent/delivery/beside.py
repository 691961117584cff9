"""A run and the one that it varies side by side, in words."""

from __future__ import annotations

from typing import Any

from automl_agent.delivery.words import DASH, number, plural, quantity, title
from automl_agent.records import Earlier

_UNITS = {"latency_ms": "ms", "size_mb": "MB"}


def side_by_side(earlier: Earlier) -> dict[str, Any]:
    """`rows` of `{title, before, now}`, and `notes` on how far they compare and what was reused."""
    metric = title(earlier.metric)
    titles = {"test": f"{metric} on the locked test", "validation": f"{metric} on validation", "columns": "Columns"}
    rows = [
        {"title": titles.get(name) or title(name), "before": _shown(name, before), "now": _shown(name, now)}
        for name, (before, now) in earlier.measured.items()
    ]
    notes = [] if earlier.same_test else ["The test scores are of different rows or targets: they do not compare."]
    if earlier.trials:
        took = "; no time was spent on them" if earlier.trials_reused else ""
        notes.append(
            f"{earlier.trials_reused} of {plural(earlier.trials, 'trial')} had been trained by an earlier run{took}."
        )
    return {"rows": rows, "notes": notes}


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return DASH
    return number(int(value)) if name == "columns" else quantity(value, _UNITS.get(name, ""))
