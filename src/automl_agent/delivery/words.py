"""Numbers and names, written for people."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from automl_agent.records import CodeModule

DASH = "–"

MEASURES = {
    "latency_ms": "Latency of one row",
    "size_mb": "Size",
    "train_seconds": "Training time",
    "memory_mb": "Memory",
    "model_family": "Model family",
}
"""Requirements that are not scores."""

_ACRONYMS = {"roc": "ROC", "auc": "AUC", "f1": "F1", "rmse": "RMSE", "mse": "MSE", "mae": "MAE", "r2": "R²"} | {
    name: name.upper() for name in ("rmsle", "mape", "smape", "mcc", "ae")
}
_PROPER = ("Brier", "Matthews", "Cohen's", "Poisson")
_COMPARISONS = {
    "<=": "at most", "<": "below", ">=": "at least", ">": "above", "==": "exactly", "in": "one of", "not in": "none of",
}  # fmt: skip


def number(value: Any, digits: int = 4) -> str:
    """A number with so many significant digits; what is no number is written as it is."""
    if value is None:
        return DASH
    if isinstance(value, (tuple, list)):
        return ", ".join(number(part, digits) for part in value)
    if isinstance(value, (str, bool)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if 0.999 < size < 1:  # 0.99996 must not become 1
        digits = max(digits, 2 - math.floor(math.log10(1 - size)) - 1)
    if size >= 1e12 or 0 < size < 1e-4:
        text = f"{value:.{digits - 1}e}"
    elif size >= 10 ** (digits - 1):
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{digits}g}"
    return text.replace("-", "−")


def apart(first: Any, second: Any) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to tell them apart: 0.92996 and 0.93 are not the same."""
    texts = number(first), number(second)
    if not isinstance(first, float) or not isinstance(second, (int, float)) or first == second:
        return texts
    for digits in range(5, 13):
        if texts[0] != texts[1]:
            break
        texts = number(first, digits), number(float(second), digits)
    return texts


def kept(value: float, comparison: str, digits: int = 4) -> str:
    """A limit that the value keeps, rounded to the safe side: 0.97368 keeps `at least 0.9736`."""
    if not math.isfinite(value) or value == 0:
        return number(value, digits)
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    down = comparison in (">=", ">")
    near = round(value / step)
    if abs(near * step - value) > 1e-9 * abs(value):  # not already a short number
        near = math.floor(value / step) if down else math.ceil(value / step)
    return number(float(near * step), digits)


def compact(value: float) -> str:
    """A short number for an axis: 12k, 3.4M."""
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if limit <= abs(value) < 1e12:
            return number(value / (1e3 if sign == "k" else limit), 3) + sign
    return number(float(value), 3)


def money(usd: float) -> str:
    """US dollars with cents, and two digits of less than ten of them."""
    return f"${usd:,.{2 if usd >= 0.1 or usd <= 0 else 1 - math.floor(math.log10(usd))}f}"


def percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{number(100 * share, 3)} %"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return DASH
    if seconds < 0.095:
        return f"{number(1000 * seconds, 2)} ms"
    if seconds < 120:
        return f"{number(float(seconds), 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str, many: str = "") -> str:
    return f"{number(count)} {noun if count == 1 else many or noun + 's'}"


def listing(parts: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def title(measure: str) -> str:
    """A measure's or a metric's name for people: `roc_auc` is ROC AUC."""
    if measure in MEASURES:
        return MEASURES[measure]
    words = " ".join(_ACRONYMS.get(word, word) for word in measure.split("_"))
    return words[:1].upper() + words[1:]


def inline(name: str) -> str:
    """A title inside a sentence: `Balanced accuracy` begins small, `RMSE` and `Brier score` stay as they are."""
    first = name.split(" ")[0]
    return name if not first[1:].islower() or first in _PROPER else name[:1].lower() + name[1:]


def model_name(candidate: str, modules: Iterable[CodeModule] = ()) -> str:
    """A candidate for people, never as a path: a candidate may be a generated file, the module among `modules`."""
    *folders, file = re.split(r"[/\\]", candidate)
    if not folders:
        return candidate
    name = file.removesuffix(".py")
    if name != "module":
        return name
    titles = [module.title for module in modules if "/".join(folders).endswith(f"/{module.id}")]
    return titles[0] if titles else folders[-1]


def limit(comparison: str, value: Any, unit: str = "") -> str:
    """A limit in words: `at most 5 ms`."""
    if comparison in ("in", "not in") and (isinstance(value, str) or len(value) == 1):
        return f"{'only' if comparison == 'in' else 'not'} {number(value)}"
    return f"{_COMPARISONS.get(comparison, comparison)} {quantity(value, unit)}"


def quantity(value: Any, unit: str = "") -> str:
    return f"{number(value)} {unit}".strip() if value is not None else "not measured"


def short(text: str, length: int = 24) -> str:
    """Text of a user on one line, cut to a length, without control characters."""
    clean = " ".join(_printable(text).split())
    return clean if len(clean) <= length else clean[: length - 1].rstrip() + "…"


def paragraphs(text: str) -> list[str]:
    """Text of a language model as paragraphs of one line each, without control characters: safe for a terminal."""
    return [line for part in text.splitlines() if (line := " ".join(_printable(part).split()))]


def printable(text: str) -> str:
    """Text of several lines, without the control characters that names and values of a table may hold."""
    return "\n".join(map(_printable, text.split("\n")))


def _printable(text: str) -> str:
    kinds = ((letter, unicodedata.category(letter)) for letter in text)
    return "".join(" " if kind in ("Cc", "Cs", "Zl", "Zp") else letter for letter, kind in kinds if kind != "Cf")
