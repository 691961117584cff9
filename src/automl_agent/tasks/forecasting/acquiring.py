"""Reads series, brings them to a regular grid, locks the last steps of each, fixes the backtest windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import DataProfile, Finding, Request, Scalar, TaskSpec
from automl_agent.tasks.forecasting import frequency
from automl_agent.tasks.forecasting.reading import SeriesTable, read_series, series_io
from automl_agent.tasks.tables import profiling
from automl_agent.tasks.tables.materials import Materials, Rows, fingerprint, write
from automl_agent.tasks.tables.sources import ACCEPTED, find_sources
from automl_agent.tasks.tables.targets import refuse_huge

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

OPTIONS = {
    "horizon": "steps to forecast, or a time such as 14 days",
    "frequency": "how often was observed, such as h, 15min, D, W, M",
    "season": "steps after which things repeat",
    "series": "column that names the series",
    "known": "columns that are known in advance, with commas",
    "layout": "long or wide",
}


def acquire(task: TaskSpec, request: Request, folder: Path, private: Path) -> DataProfile:
    """Make the data folder of a task (`tables/dataset.py` reads it).

    Args:
        folder: gets training rows, windows, schema, column facts and test *inputs*.
        private: gets the test targets with the scale of each row's series; nothing else does.

    Raises:
        InputError: the data cannot be used; nothing is written then.
    """
    import numpy as np

    unknown = sorted(set(task.options) - set(OPTIONS))
    if unknown:
        known = "; ".join(f"{name}: {text}" for name, text in OPTIONS.items())
        raise InputError(
            f"There is no option {', '.join(unknown)} (--set) for forecasting.", hint=f"There are {known}."
        )
    sources = find_sources(request)
    if sources is None:
        raise InputError("There are no tables of series to learn from.", hint=ACCEPTED)
    if sources.test and sources.test_is_sure:
        raise InputError("A test file of one's own is not used for forecasting: the last steps of each series are.",
                         hint="Put all rows into one file.")  # fmt: skip
    table = read_series(task, sources.table)
    findings = list(table.findings)
    rows, schema, cut = _regular(task, table, findings)
    train, test, folds = _divided(rows, schema, cut, findings)
    told = schema["time_series"]
    told["ends"] = series_io().ends_of(train.frame, train.target, told)
    told["nonnegative"], told["positive_values"] = bool(train.target.min() >= 0), bool(train.target.min() > 0)
    _check_values(task, told, train.target, findings)
    schema["columns"] = [_measured(column, train.frame[column["name"]]) for column in schema["columns"]]
    schema["sample"] = _sample(train.frame, schema)
    facts = _facts(schema, train)
    scale = np.array([told["ends"][name][1] for name in series_io().keys(test.frame, told)])
    materials = Materials(schema, train, test, folds, facts)
    write(materials, folder, private)
    np.save(private / "test_target.npy", np.stack([test.target, scale], axis=1))
    return _profile(task, materials, findings)


# ---------------------------------------------------------------- rows on the grid


def _regular(task: TaskSpec, table: SeriesTable, findings: list[Finding]) -> tuple[Rows, dict[str, Any], Array]:
    """Typed rows in the order of time, the draft of the schema, and the step of each row."""
    import numpy as np

    io = series_io()
    columns = _columns(task, table, findings)
    schema = {"family": task.family, "kind": "regression", "target": table.target, "classes": [], "positive": None,
              "ordered": True, "read": table.options, "columns": columns, "dropped": _dropped(table, columns),
              "keys": [*table.series, table.time]}  # fmt: skip
    frame = io.typed(table.frame, schema)
    target = io.encode_target(table.frame[table.target], schema)
    times = frame[table.time].to_numpy()
    lost_time, lost_value = _lost(times), ~np.isfinite(target)
    if lost := int(lost_time.sum()):
        text = f"{lost} rows have no time in {table.time!r}"
        findings.append(Finding(kind="missing_time", columns=(table.time,), count=lost, text=text, action="dropped"))
    there = np.flatnonzero(~lost_time & ~lost_value)
    if len(there) < 3:
        raise InputError(f"Fewer than three rows have a time in {table.time!r} and a value in {table.target!r}.")
    refuse_huge(table.target, target[there])
    frame, target, positions = frame.iloc[there].reset_index(drop=True), target[there], table.positions[there]
    draft: dict[str, Any] = {"time": table.time, "series": list(table.series)}
    names = io.keys(frame, draft)
    codes = np.unique(names.astype(str), return_inverse=True)[1]
    given = task.options.get("frequency")
    grid, found = frequency.find_grid(
        frame[table.time].to_numpy(), codes, table.time, str(given) if given is not None else None
    )
    findings += found
    draft |= {"grid": grid, "known": [{"name": c["name"], "kind": c["kind"]} for c in columns if c.get("known")]}
    schema["time_series"] = draft
    steps = io.steps_of(frame, draft)
    order = _without_repeats(steps, codes, table, given is not None, findings)
    rows = Rows(frame.iloc[order].reset_index(drop=True), target[order], positions[order])
    steps, codes = steps[order], codes[order]
    _count_gaps(steps, codes, table, findings)
    _plan(task, draft, rows, codes, findings)
    return rows, schema, steps


def _lost(times: Array) -> Array:
    import numpy as np

    return np.isnat(times) if times.dtype.kind == "M" else ~np.isfinite(times)


def _columns(task: TaskSpec, table: SeriesTable, findings: list[Finding]) -> list[dict[str, Any]]:
    """The schema's columns: series, time, what is known in advance, and `observed`."""
    kinds, io = table.kinds, series_io()
    columns: list[dict[str, Any]] = [
        {"name": name, "kind": "category", "format": None, "integer": False, "values": list(kinds[name].values)}
        for name in table.series
    ]
    kind = "number" if kinds[table.time].kind in ("number", "id") and not table.form else "date"
    columns.append({"name": table.time, "kind": kind, "format": table.form, "integer": True, "values": []})
    known = _known_names(task, table)
    for name in known:
        found = kinds[name]
        if found.kind in ("number", "category", "boolean"):
            columns.append({"name": name, "kind": found.kind, "format": None, "integer": found.integer,
                            "values": list(found.values), "known": True})  # fmt: skip
    parts = (table.options.get("layout") or {}).get("parts", ())
    used = {*table.series, table.time, table.target, *known, *task.ignore, *parts}
    others = [name for name in kinds if name not in used]
    if others:
        text = (f"{len(others)} columns are not known in advance, so that they cannot help to forecast"
                f" ({', '.join(others[:5])}); name those that are with --set known=COLUMN,...")  # fmt: skip
        found_here = Finding(kind="unknown_in_advance", columns=tuple(others[:20]), count=len(others), text=text,
                             action="not used")  # fmt: skip
        findings.append(found_here)
    return [*columns, {"name": io.OBSERVED, "kind": "number", "format": None, "integer": False, "values": []}]


def _known_names(task: TaskSpec, table: SeriesTable) -> list[str]:
    from automl_agent.tasks.tables.targets import find_column

    names = list(table.kinds)
    given = [name.strip() for name in str(task.options.get("known") or "").split(",") if name.strip()]
    found = [find_column(name, names, "known in advance") for name in given]
    roles = {table.time, table.target, *table.series}
    clash = next((name for name in found if name in roles), None)
    if clash:
        raise InputError(f"Column {clash!r} is the time, the target or the series; it cannot be known in advance.")
    return [name for name in dict.fromkeys(found) if name not in task.ignore]


def _dropped(table: SeriesTable, columns: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    used = {column["name"] for column in columns} | {table.target}
    return [{"name": name, "reason": "not known in advance"} for name in table.kinds if name not in used]


def _without_repeats(steps: Array, codes: Array, table: SeriesTable, given: bool, findings: list[Finding]) -> Array:
    """Rows in the order of time, of several in one step of a series the last one.

    Raises:
        InputError: so many repeat that something else is meant.
    """
    import numpy as np

    order = np.lexsort((np.arange(len(steps)), codes, steps))
    same = (np.diff(steps[order]) == 0) & (np.diff(codes[order]) == 0)
    keep = np.concatenate([~same, [True]])
    repeated = int(same.sum())
    if repeated > 0.05 * len(steps):
        what = "the data have several rows in one step" if given else "the same time stands in several rows"
        hint = ("Sum or average them first." if given else
                "Name the column of the series with --set series=COLUMN, or sum the rows of a time first.")  # fmt: skip
        raise InputError(
            f"Column {table.time!r}: {what}, {repeated} of {len(steps)} rows repeat an earlier one.", hint=hint
        )
    if repeated:
        text = f"{repeated} rows repeat the time of another row of their series; the last one of each was kept"
        findings.append(Finding(kind="duplicate_time", columns=(table.time,), count=repeated, text=text,
                                action="dropped"))  # fmt: skip
    kept: Array = order[keep]
    return kept


def _count_gaps(steps: Array, codes: Array, table: SeriesTable, findings: list[Finding]) -> None:
    import numpy as np

    count = int(codes.max()) + 1
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, codes, steps)
    np.maximum.at(last, codes, steps)
    present = np.bincount(codes, minlength=count)
    whole = (last - first + 1)[present > 0]
    gaps = int((whole - present[present > 0]).sum())
    if len(steps) < frequency.THIN * int(whole.sum()):
        raise InputError(
            f"Column {table.time!r}, the time, is not regular: {len(steps)} of {int(whole.sum())} steps have a value.",
            hint="Sum or count events by day, week or month first, or give a lower frequency with --set frequency=...",
        )
    if gaps:
        text = f"{gaps} steps have no value; models see them filled from the steps before and around, never scored"
        findings.append(Finding(kind="gaps", columns=(table.target,), count=gaps, text=text, action="filled"))


def _plan(task: TaskSpec, told: dict[str, Any], rows: Rows, codes: Array, findings: list[Finding]) -> None:
    """Season and horizon."""
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import number

    longest = int(np.bincount(codes).argmax())
    line = rows.target[codes == longest]
    given = task.options.get("season")
    season: int | None = None
    if given is not None:
        value = number(str(given))
        if value is None or not 1 <= value <= 100_000 or value != round(value):
            raise InputError(f"The season {given!r} is no number of steps (--set season=...).", hint="Such as 24.")
        season = int(value)
    seasons = frequency.find_seasons(told["grid"], season, line)
    asked = task.options.get("horizon")
    if asked is not None:
        horizon = frequency.horizon_steps(str(asked).removesuffix(".0"), told["grid"])
    else:
        horizon = frequency.usual_horizon(told["grid"], seasons[0], len(line))
        text = f"no horizon was said; {horizon} steps ahead are forecast (--set horizon=...)"
        findings.append(Finding(kind="horizon", count=horizon, text=text, action="kept"))
    told |= {"season": seasons[0], "seasons": seasons, "horizon": horizon}


# ---------------------------------------------------------------- test and windows


def _divided(rows: Rows, schema: dict[str, Any], steps: Array, findings: list[Finding]) -> tuple[Rows, Rows, Array]:
    """The last `horizon` steps of each series are the test; the windows before them the folds. `time_series` gets
    `origins`, the number of forecasts that a window is made of.

    Raises:
        InputError: no series is long enough.
    """
    import numpy as np

    io, told = series_io(), schema["time_series"]
    horizon, least = told["horizon"], io.least_history(told)
    names = io.keys(rows.frame, told)
    ends, length = io.windows(names, steps, horizon=horizon, least=least, count=1)
    if length.max() < 2 * horizon + least:
        what = "The longest series has" if told["series"] else "The series has"
        raise InputError(
            f"{what} {int(length.max())} steps ({frequency.spoken(told['grid'])}), too few to forecast {horizon} and"
            f" to test that: {2 * horizon + least} are needed.",
            hint=f"Ask for a shorter horizon, such as --set horizon={max(1, int(length.max()) // 8)}.",
        )
    testable = length >= horizon + least
    if not testable.all():
        short = len(set(names[~testable]))
        text = f"{short} series are shorter than the horizon and what it takes to learn ({horizon + least} steps)"
        findings.append(Finding(kind="short_series", columns=tuple(told["series"]), count=short, text=text,
                                action="dropped"))  # fmt: skip
    test, train = np.flatnonzero(testable & (ends == 0)), np.flatnonzero(testable & (ends < 0))
    series, rows_of = np.unique(names[train], return_counts=True)
    told["origins"] = io.origins(float(np.median(rows_of)), len(series), told)
    folds, _ = io.windows(names[train], steps[train], horizon=told["origins"] * horizon, least=least)
    return rows.take(train), rows.take(test), folds


def _check_values(task: TaskSpec, told: dict[str, Any], target: Array, findings: list[Finding]) -> None:
    """Refuse what cannot be scored, tell what is constant."""
    if task.metric == "rmsle" and not told["nonnegative"]:
        raise InputError(
            f"RMSLE is not defined for negative values; the lowest of {task.target!r} is {target.min():g}.",
            hint="Use rmse, mae or mase.",
        )
    constant = [name for name, (_, scale) in told["ends"].items() if scale == 0]
    if len(constant) == len(told["ends"]):
        raise InputError(
            f"{task.target or 'The target'} never changes from one season to the next: there is nothing to forecast.",
            hint="Name another target, or a season that fits: --set season=...",
        )
    if constant:
        text = f"{len(constant)} series do not change; they are forecast as they are and have no part in MASE"
        findings.append(Finding(kind="constant_series", columns=tuple(told["series"]), count=len(constant), text=text,
                                action="kept"))  # fmt: skip


# ---------------------------------------------------------------- what is told of the data


def _measured(column: dict[str, Any], values: pd.Series[Any]) -> dict[str, Any]:
    from automl_agent.tasks.tables.kinds import ColumnKind
    from automl_agent.tasks.tables.selecting import measured_column

    kind = ColumnKind(column["name"], column["kind"], len(values), 0, 0, values=tuple(column["values"]),
                      format=column["format"], integer=column["integer"])  # fmt: skip
    return measured_column(kind, values)


def _sample(frame: pd.DataFrame, schema: dict[str, Any]) -> dict[str, Any]:
    """A row as it is asked for: the first step after the training rows."""
    from automl_agent.tasks.tables.materials import sample_row

    return sample_row(schema, series_io().examples(frame, schema).head(1))


def _facts(schema: dict[str, Any], train: Rows) -> list[dict[str, Any]]:
    """Facts of the columns, without the empty `observed`."""
    kinds = {column["name"]: column["kind"] for column in schema["columns"] if column["name"] != series_io().OBSERVED}
    frame = train.frame[list(kinds)]
    relation = profiling.relations(frame, train.target, classes=0)
    return profiling.column_facts(frame, kinds, relation, "correlation")


def _profile(task: TaskSpec, materials: Materials, findings: list[Finding]) -> DataProfile:
    told, target = materials.schema["time_series"], materials.train.target
    series, horizon = len(told["ends"]), told["horizon"]
    folds = int(materials.folds.max()) + 1
    meta = profiling.meta_features(materials.facts, target, rows=len(target), classes=0, repeated=0)
    meta |= {"series": float(series), "length": len(target) / series, "horizon": float(horizon),
             "season": float(told["season"]), "known_columns": float(len(told["known"]))}  # fmt: skip
    many = f"each of {series} series" if series > 1 else "the series"
    how = frequency.spoken(told["grid"])
    each = "" if told["origins"] == 1 else f" {told['origins']} x"
    words = f"the last {horizon} steps ({how}) of {many}; {folds} backtest windows of{each} {horizon} steps before them"
    facts: dict[str, Scalar] = {**profiling.target_facts(target, classes=0), "series": series, "horizon": horizon,
                                "season": told["season"], "frequency": how}  # fmt: skip
    return DataProfile(
        family=task.family,
        fingerprint=fingerprint(materials),
        data="",
        rows_train=len(target),
        rows_test=len(materials.test.target),
        columns=len(materials.facts),
        kinds={kind: sum(fact["kind"] == kind for fact in materials.facts) for kind in
               dict.fromkeys(fact["kind"] for fact in materials.facts)},
        classes=(),
        positive=None,
        target=facts,
        meta=meta,
        findings=tuple(findings),
        split=words,
        folds=folds,
    )  # fmt: skip
