"""What is too good in a table, or not the same: copies of the target, columns that tell it alone, seen rows, drift."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_agent.records import Finding

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

SUSPECT = 0.5
"""Columns with a weaker relation to the target are not tested further."""
PERFECT = 0.98
"""Held-out skill of one column alone from which it is reported. The best honest columns known to us reach .95."""
MIN_ROWS = 50
SAMPLE = 5000
DRIFT = 0.25
"""Kolmogorov-Smirnov or total-variation distance between training and test values from which it is reported."""


def find_target_copies(frame: pd.DataFrame, target: Array, *, classes: int) -> dict[str, str]:
    """Columns that are the target in other words: name -> `copy` or `function` (a strictly monotone one, numbers only).

    Args:
        frame: typed training rows.
        target: class codes, or values when `classes` is 0.
    """
    import numpy as np

    if len(target) < 20:
        return {}
    found: dict[str, str] = {}
    target_ranks = np.unique(target, return_inverse=True)[1]
    for name in frame.columns:
        values = frame[name]
        if values.isna().any() or values.dtype.kind == "M":
            continue
        numeric = values.dtype.kind == "f"
        if classes:
            if values.iloc[:1000].nunique() <= classes and _one_to_one(values, target, classes):
                found[str(name)] = "copy"
        elif numeric and np.allclose(values, target, rtol=1e-9, atol=0):
            found[str(name)] = "copy"
        elif numeric and _same_order(values.to_numpy(), target_ranks):
            found[str(name)] = "function"
    return found


def _one_to_one(values: pd.Series[Any], target: Array, classes: int) -> bool:
    import pandas as pd

    codes, levels = pd.factorize(values)
    return len(levels) == classes and len(set(zip(codes.tolist(), target.tolist(), strict=True))) == classes


def _same_order(values: Array, target_ranks: Array) -> bool:
    """Whether equal values have equal targets, and greater ones always greater (or always smaller) ones."""
    import numpy as np

    ranks = np.unique(values, return_inverse=True)[1]
    top = ranks.max()
    if top < 9 or top != target_ranks.max():
        return False
    return bool((ranks == target_ranks).all() or (top - ranks == target_ranks).all())


def find_lone_predictors(
    frame: pd.DataFrame, target: Array, relation: Mapping[str, float], *, classes: int
) -> dict[str, float]:
    """Columns from which alone the target can be told, with their skill on held-out rows (0 chance, 1 perfect)."""
    import numpy as np

    if len(target) < MIN_ROWS:
        return {}
    rows = np.random.default_rng(0).permutation(len(target))[:SAMPLE]
    half = len(rows) // 2
    found: dict[str, float] = {}
    for name, strength in relation.items():
        if strength < SUSPECT or frame[name].dtype.kind == "M":
            continue
        values = frame[name].iloc[rows]
        skill = _skill(values, target[rows], half, classes)
        if skill >= (PERFECT if classes else 0.99):
            found[name] = skill
    return found


def find_telling_gaps(frame: pd.DataFrame, target: Array, *, classes: int) -> list[str]:
    """Columns that have values in some classes and none in the others: what is known only afterwards, such as the day
    of a cancellation."""
    import numpy as np

    if len(target) < MIN_ROWS:
        return []
    counts = np.bincount(target, minlength=classes)
    found = []
    for name in frame.columns[frame.isna().any()]:
        there = np.bincount(target, weights=frame[name].notna(), minlength=classes)
        shares = there[counts >= 3] / counts[counts >= 3]
        if ((shares >= PERFECT) | (shares <= 1 - PERFECT)).all() and shares.min() < 0.5 < shares.max():
            found.append(str(name))
    return found


def _skill(values: pd.Series[Any], target: Array, half: int, classes: int) -> float:
    """Skill of a small tree on one column: learned on the first half, measured on the second."""
    import numpy as np
    import pandas as pd
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    learn, check = target[:half], target[half:]
    if values.dtype.kind == "f":
        inputs = np.nan_to_num(values.to_numpy(), nan=-1e30)
        inputs = np.clip(inputs, -1e30, 1e30)
    else:  # levels by their mean target in the learning half; unknown ones in the middle
        means = pd.Series(learn.astype(float)).groupby(values.iloc[:half].fillna("").to_numpy()).mean()
        inputs = values.fillna("").map(means).fillna(float(learn.mean())).to_numpy(float)
    column = inputs.reshape(-1, 1)
    if not classes:
        tree = DecisionTreeRegressor(max_leaf_nodes=200, min_samples_leaf=3, random_state=0).fit(column[:half], learn)
        rest = float(((tree.predict(column[half:]) - check) ** 2).sum())
        return 1 - rest / (float(((check - check.mean()) ** 2).sum()) or 1.0)
    tree = DecisionTreeClassifier(max_leaf_nodes=4 * classes, min_samples_leaf=3, random_state=0).fit(
        column[:half], learn
    )
    right = tree.predict(column[half:]) == check
    counts = np.bincount(check, minlength=classes)
    shares = [float(right[check == code].mean()) for code in range(classes) if counts[code] >= 3]
    if len(shares) < 2:
        return 0.0
    return (sum(shares) / len(shares) - 1 / len(shares)) / (1 - 1 / len(shares))


def named_after(column: str, target: str) -> bool:
    """Whether a column's name holds the target's name."""
    plain = [re.sub(r"[^a-z0-9]+", "", name.lower()) for name in (column, target)]
    return len(plain[1]) >= 4 and plain[1] in plain[0]


def leak_findings(frame: pd.DataFrame, target: Array, name: str, relation: Mapping[str, float], *, classes: int
                  ) -> tuple[list[Finding], dict[str, str]]:  # fmt: skip
    """Test all columns for leaks.

    Returns:
        The findings, and the columns that must not be used with the reason. A column is dropped when it is the target
        in other words (and others remain), or is named after it and tells it alone; else it is kept and reported.
    """
    findings: list[Finding] = []
    dropped: dict[str, str] = {}
    for column, how in find_target_copies(frame, target, classes=classes).items():
        left = frame.shape[1] - len(dropped) - 1
        drop = left >= (1 if how == "copy" else 2)
        said = "is the target in other words" if how == "copy" else "is a function of the target (or the target of it)"
        text = f"column {column!r} {said}" + ("; it was left out" if drop else "")
        findings.append(
            Finding(kind="target_copy", columns=(column,), count=1, text=text, action="dropped" if drop else "kept")
        )
        if drop:
            dropped[column] = "target_copy"
    rest = {column: value for column, value in relation.items() if column not in dropped}
    lone = find_lone_predictors(frame, target, rest, classes=classes)
    told = {
        column: f"alone tells the target (skill {skill:.3f} of 1 on rows held out)" for column, skill in lone.items()
    }
    gaps = find_telling_gaps(frame, target, classes=classes) if classes else []
    told |= {column: "has values in some classes only" for column in gaps if column in rest and column not in told}
    for column, what in told.items():
        drop = named_after(column, name) and frame.shape[1] - len(dropped) > 1
        text = f"column {column!r} {what}"
        text += "" if drop else "; is it known when a prediction is needed? If not, ignore it"
        findings.append(
            Finding(kind="leak", columns=(column,), count=1, text=text, action="dropped" if drop else "kept")
        )
        if drop:
            dropped[column] = "leak"
    return findings, dropped


def drift_findings(train: pd.DataFrame, test: pd.DataFrame) -> list[Finding]:
    """Columns whose values differ between the user's training and test rows."""
    import numpy as np

    if min(len(train), len(test)) < MIN_ROWS:
        return []
    # What chance alone brings about (p = .0001) lies below this distance.
    noise = 2.2 * np.sqrt(1 / len(train) + 1 / len(test))
    moved = []
    for name in train.columns:
        distance, bound = _distance(train[name], test[name])
        if distance > max(DRIFT, noise * bound):
            moved.append((distance, str(name)))
    if not moved:
        return []
    names = tuple(name for _, name in sorted(moved, reverse=True))
    text = f"values differ between training and test data in {len(names)} columns ({', '.join(names[:5])})"
    return [Finding(kind="drift", columns=names, count=len(names), text=text, action="kept")]


def _distance(train: pd.Series[Any], test: pd.Series[Any]) -> tuple[float, float]:
    """Distance of two distributions (0 to 1), and how much more noise than Kolmogorov-Smirnov's it has."""
    import numpy as np

    if train.dtype.kind in "fM":
        first, second = (values.dropna().to_numpy().astype(float) for values in (train, test))
        gone = abs(len(first) / len(train) - len(second) / len(test))
        if not len(first) or not len(second):
            return gone, 1.0
        grid = np.sort(np.concatenate([first, second]))
        steps = [np.searchsorted(np.sort(values), grid, side="right") / len(values) for values in (first, second)]
        return max(gone, float(np.abs(steps[0] - steps[1]).max())), 1.0
    shares = [values.fillna("").value_counts(normalize=True) for values in (train, test)]
    levels = max(len(shares[0]), len(shares[1]))
    if levels > 200:  # names and texts: every sample has its own
        return 0.0, 1.0
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2), float(np.sqrt(levels))


def repeated_rows(train: Array, test: Array) -> int:
    """Test rows (uint64 hashes of their features) that are among the training rows."""
    import numpy as np

    return int(np.isin(test, train).sum())
