"""Divides the labelled rows of a table: which are the locked test, and in which fold each training row is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding
from automl_agent.tasks.family import LOCKED
from automl_agent.tasks.tables import splitting

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

TIME_FOLDS, FEW_TIME_FOLDS, MANY_ROWS = 5, 3, 25_000
"""Folds that are times, all of which are trained: fewer of many rows."""


@dataclass(frozen=True)
class Division:
    """Positions among the labelled rows."""

    train: Array
    test: Array
    folds: Array
    """int16 fold of each training row; -1 only ever in training (time-ordered data)."""
    ordered: bool
    words: str
    """How the test was locked."""
    repeated: int
    """Rows whose features are equal to those of an earlier row."""
    findings: tuple[Finding, ...] = ()


def row_hashes(frame: pd.DataFrame) -> Array:
    """uint64 hash of each row's values; column names do not count."""
    import pandas as pd

    hashes: Array = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashes


def divide(frame: pd.DataFrame, target: Array, *, classes: int, times: Array | None, groups: Array | None,
           share: float | None, seed: int, most: int | None = None, locked: Array | None = None
           ) -> Division:  # fmt: skip
    """Divide rows.

    Args:
        frame: typed features.
        target: class codes, or values when `classes` is 0.
        times: a number for each row that grows with time, when the user named a time column.
        groups: a number for each row's group, when the user named one.
        share: of rows to lock as the test; `None` when the user brought a test of their own.
        most: folds at most, where no time column orders the rows.
        locked: whether each row was locked as the test before, (rows,) bool; `None` where none was. These rows are the
            test again, unless the time orders the rows or a group would be on both sides.

    Raises:
        InputError: too few rows, groups or moments.
    """
    features = row_hashes(frame)
    rows = _identities(features, target)
    units = splitting.make_units(features, groups, target)
    findings = _repeats(units, len(target))
    if times is not None:
        return _by_time(times, target, classes, groups, share, units.repeated, findings)
    stratum = splitting.strata(target, classes=classes > 0)
    if share is None:
        test = _none(len(target))
    elif locked is not None and _holds(locked, groups, target, classes):
        test = locked
    else:
        test = splitting.lock_test(units, rows, stratum, share=share, seed=seed, classes=classes > 0)
    train = (~test).nonzero()[0]
    inner = splitting.make_units(features[train], None if groups is None else _renumber(groups[train]), target[train])
    if inner.count < 2:
        raise InputError("There are fewer than three groups of rows: too few to lock a test and to validate.")
    count = min(_bounded_folds(len(train), inner.count, target[train], classes), most or len(train))
    folds = splitting.make_folds(inner, rows[train], stratum[train], folds=count, seed=seed)
    words = (
        _words(test.sum(), len(target), classes, groups is not None, units.bound) if share else "the user's own test"
    )
    return Division(
        train, test.nonzero()[0], _renumber(folds).astype("int16"), False, words, units.repeated, tuple(findings)
    )


def locked_before(private: Path, positions: Array) -> Array | None:
    """Whether each row, by where it stands in what was read, was locked by the run that is varied; `None` without."""
    import numpy as np

    path = private / LOCKED
    return np.isin(positions, np.load(path, allow_pickle=False)) if path.is_file() else None


def _holds(locked: Array, groups: Array | None, target: Array, classes: int) -> bool:
    """Whether rows that were locked before can be the test: no group on both sides, no class on one only."""
    import numpy as np

    if not locked.any() or locked.all():
        return False
    if groups is not None and len(np.intersect1d(groups[locked], groups[~locked])):
        return False
    return not classes or len(np.setdiff1d(target[locked], target[~locked])) == 0


def _none(rows: int) -> Array:
    import numpy as np

    return np.zeros(rows, bool)


def _renumber(values: Array) -> Array:
    """The same numbers without gaps."""
    import numpy as np

    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _identities(features: Array, target: Array) -> Array:
    """A hash for each row that differs between rows of equal content, so that these can be spread."""
    import numpy as np

    contents = features ^ splitting.mix(np.ascontiguousarray(target, dtype=np.float64).view(np.uint64), 1)
    order = np.argsort(contents, kind="stable")
    starts = np.concatenate([[True], contents[order][1:] != contents[order][:-1]])
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    occurrence = np.empty(len(order), np.uint64)
    occurrence[order] = (np.arange(len(order)) - first).astype(np.uint64)
    return splitting.mix(contents ^ splitting.mix(occurrence, 2), 3)


def _bounded_folds(rows: int, units: int, target: Array, classes: int) -> int:
    """As many folds as the number of rows suggests, and as rows, units and the classes of a binary task allow."""
    import numpy as np

    count = min(splitting.fold_count(rows, classes), max(rows // 2, 2), units)
    if classes == 2:
        count = min(count, max(2, int(np.bincount(target).min())))
    return count


def _repeats(units: splitting.Units, rows: int) -> list[Finding]:
    if not units.repeated:
        return []
    share = f"{units.repeated} of {rows} rows have the same features as an earlier one"
    if units.bound:
        text, action = f"{share}; equal rows were kept on one side of every split", "grouped"
    else:
        text, action = (
            f"{share}; they are too many to be kept together and were treated as different observations",
            "kept",
        )
    return [Finding(kind="duplicates", count=units.repeated, text=text, action=action)]


def _words(test: int, rows: int, classes: int, grouped: bool, bound: bool) -> str:
    how = "with each class as frequent as in the whole" if classes else "spread over the target's range"
    kept = ["groups"] * grouped + ["equal rows"] * bound
    return f"{test} of {rows} rows, {how}" + (f"; {' and '.join(kept)} kept together" if kept else "")


def _by_time(times: Array, target: Array, classes: int, groups: Array | None, share: float | None, repeated: int,
             findings: list[Finding]) -> Division:  # fmt: skip
    import numpy as np

    findings = [
        finding.model_copy(update={"action": "kept", "text": finding.text.split(";")[0]}) for finding in findings
    ]
    part = splitting.cut_by_time(times, groups, [1 - share]) if share else np.zeros(len(times), np.int64)
    test, train = np.flatnonzero(part == 1), np.flatnonzero(part == 0)
    if share and not len(test):
        raise InputError("The time column has too few different moments: no last part can be locked as the test.")
    count = min(TIME_FOLDS if len(train) <= MANY_ROWS else FEW_TIME_FOLDS, max(len(train) // 3, 1))
    cuts = [(number + 1) / (count + 1) for number in range(count)]
    folds = splitting.cut_by_time(times[train], None if groups is None else _renumber(groups[train]), cuts) - 1
    folds = _learnable(folds, target[train], classes)
    if folds.max() < 0:
        raise InputError("The time column has too few different moments to validate on later rows.")
    if lost := int(np.isnan(times).sum()):
        text = f"{lost} rows have no time; they count as the oldest"
        findings.append(Finding(kind="missing_time", count=lost, text=text, action="kept"))
    words = f"the last {len(test)} of {len(times)} rows in time" if share else "the user's own test"
    return Division(train, test, folds.astype(np.int16), True, words, repeated, tuple(findings))


def _learnable(folds: Array, target: Array, classes: int) -> Array:
    """Folds numbered without gaps, the first ones given to training until there is something to learn from."""
    import numpy as np

    folds = np.where(folds < 0, -1, np.searchsorted(np.unique(folds[folds >= 0]), folds))
    while folds.max() >= 0:
        before = target[folds < 0]
        if len(before) >= 2 and (not classes or len(np.unique(before)) > 1):
            break
        folds = np.maximum(folds - 1, -1)
    return folds
