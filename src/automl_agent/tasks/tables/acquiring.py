"""Reads a table, checks it, locks the test, fixes the folds, writes the data folder: `TaskFamily.acquire`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl_agent.errors import InputError
from automl_agent.records import DataProfile, Finding, Request, Scalar, TaskSpec
from automl_agent.tasks.tables import leakage, profiling, subgroups, unlabelled
from automl_agent.tasks.tables.kinds import find_kind
from automl_agent.tasks.tables.materials import Materials, Rows, fingerprint, sample_row, write
from automl_agent.tasks.tables.partition import divide, locked_before, row_hashes
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sampling import MOST_TEST, Sample, as_finding, most
from automl_agent.tasks.tables.selecting import (
    Roles,
    Selection,
    draft_columns,
    find_roles,
    measured_column,
    select_columns,
)
from automl_agent.tasks.tables.several import COMBINATIONS
from automl_agent.tasks.tables.sources import ACCEPTED, Source, Sources, find_sources
from automl_agent.tasks.tables.targets import find_column, read_target
from automl_agent.tasks.tables.weighting import counted, row_weights

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

Kind = Literal["classification", "regression"]

PROGRAM = "program"
"""Option: a language model writes a whole program, since the work is more than a prediction row by row."""
ORDER = "order"
"""Option: the classes from one end to the other, where they have an order."""
OF_CLASSES = {
    ORDER: f"{ORDER}=LOW,MEDIUM,HIGH, the classes in their order",
    COMBINATIONS: f"{COMBINATIONS}=true: a cell with several labels is one class",
}
"""The options that say how classes are meant."""


@dataclass(frozen=True)
class Ways:
    """What another family of tables does in its own way."""

    what: str = "tables"
    options: Mapping[str, str] = field(
        default_factory=lambda: {**OF_CLASSES, PROGRAM: f"{PROGRAM}=true: a language model writes a whole program."}
    )
    """The options that there are, with what to write."""
    find: Callable[[Request], Sources | None] = find_sources
    read: Callable[..., Table] = read_table
    """Reads a source, with a `sample` some rows of a large one."""
    select: Callable[[pd.DataFrame, Roles, str], Selection] = select_columns
    schema: Mapping[str, Any] = field(default_factory=dict)
    """What the schema holds besides."""


def acquire(task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float, kind: Kind,
            ways: Ways | None = None) -> DataProfile:  # fmt: skip
    """Make the data folder of a task (`dataset.py` reads it).

    Args:
        folder: gets training rows, folds, schema, column facts and test *inputs*.
        private: gets the test targets; nothing else does.
        kind: what the target is taken for.
        ways: what the family does in its own way.

    Raises:
        InputError: the data cannot be used; nothing is written then.
    """
    ways = ways or Ways()
    options = {name: text for name, text in ways.options.items() if name not in OF_CLASSES or kind == "classification"}
    unknown = sorted(set(task.options) - set(options))
    if unknown:
        raise InputError(
            f"There is no option {', '.join(unknown)} (--set) for {ways.what}.",
            hint=f"There is {'; '.join(options.values())}",
        )
    sources = ways.find(request)
    if sources is None:
        raise InputError("There are no tabular data to learn from.", hint=ACCEPTED)
    sample = Sample(request.max_rows, seed, task.group)
    table = ways.read(sources.table, sample=sample)
    findings = [*table.findings, *_beside(sources, task.target or "")]
    schema, rows, selection, extra = _understand(task, table, sources.table, kind, findings, ways)
    few = Sample(min(most(sample, table.frame.shape[1]), MOST_TEST), seed)
    given = ways.read(sources.test, sample=few) if sources.test else None
    brought = _own_test(given, sources.test, sources.test_is_sure, schema, findings) if given and sources.test else None
    apart = subgroups.columns(task, table, sources.table.name, findings)
    if brought and given and sources.test:
        apart = [column.of_test(given, sources.test.name) for column in apart]
    drawn, drawn_test = table.drawn, given.drawn if given else None
    del table
    share = None if brought else min(test_share, MOST_TEST / len(rows.target)) if drawn else test_share
    division = divide(
        rows.frame, rows.target, classes=len(schema["classes"]), times=extra["times"], groups=extra["groups"],
        share=share, seed=seed, locked=locked_before(private, rows.positions),
    )  # fmt: skip
    findings += division.findings
    schema["ordered"] = division.ordered
    train, test = rows.take(division.train), brought or rows.take(division.test)
    train, test = _learned_classes(schema, train, test, findings)
    if drawn:
        findings.insert(0, as_finding(sources.table.name, drawn, train=len(train.target), group=task.group,
                                      test=0 if brought else len(test.target), ordered=division.ordered and not brought)
                        )  # fmt: skip
    if drawn_test and brought and sources.test:
        findings.append(as_finding(sources.test.name, drawn_test, train=0, test=len(test.target)))
    materials = _measure(schema, selection, train, test, division.folds, findings, own_test=brought is not None)
    groupings = [column.grouping(test.positions) for column in apart]
    write(materials, folder, private)
    subgroups.write(groupings, private)
    if given and sources.test and not brought:
        given = ways.read(sources.test) if drawn_test else given  # each of its rows is to be predicted
        findings.append(unlabelled.keep(folder, given, sources.test, sources.sample, schema, task.metric))
    repeated = round(division.repeated * len(train.target) / len(rows.target))
    return _profile(task, materials, findings, division.words, repeated)


def _understand(task: TaskSpec, table: Table, source: Source, kind: Kind, findings: list[Finding], ways: Ways
                ) -> tuple[dict[str, Any], Rows, Selection, dict[str, Array | None]]:  # fmt: skip
    """The draft of the schema, the labelled rows, and time and group of each."""
    from automl_agent.tasks.tables.shared.table_values import typed

    roles, decimal, classes = find_roles(task, table, source.name), table.options["decimal"], kind == "classification"
    frame = counted(table.frame, roles.weight, table.options, findings)
    series = frame[roles.target]
    target = read_target(
        series, find_kind(series, decimal, roles.target), classes=classes, positive=task.positive, decimal=decimal,
        order=str(task.options.get(ORDER) or ""), combinations=bool(task.options.get(COMBINATIONS)), words=task.words,
    )  # fmt: skip
    labelled = target.codes >= 0 if classes else target.codes == target.codes
    frame = frame if labelled.all() else frame[labelled]
    selection = ways.select(frame, roles, decimal)
    findings += [*target.findings, *selection.findings]
    schema = {"family": task.family, "kind": kind, "target": roles.target, "classes": list(target.classes),
              "positive": target.positive, "ranked": target.ranked, "ordered": False, "read": table.options,
              "columns": draft_columns(selection.kept), "dropped": [], **ways.schema}  # fmt: skip
    schema |= {"weight": roles.weight} if roles.weight else {}
    weight = row_weights(frame, schema, source.name, findings)
    rows = Rows(typed(frame, schema), target.codes[labelled], frame.index.to_numpy().astype("int64"), weight)
    return schema, rows, selection, {"times": _times(frame, roles, decimal), "groups": _groups(frame, roles)}


def _times(frame: pd.DataFrame, roles: Roles, decimal: str) -> Array | None:
    """A number for each row that grows with the user's time column."""
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import moments, numbers

    if roles.time is None:
        return None
    series = frame[roles.time]
    kind = find_kind(series, decimal, roles.time)
    if kind.kind == "date":
        times = moments(series, kind.format)
        return np.where(np.isnat(times), np.nan, times.astype(np.int64).astype(np.float64))
    if kind.kind in ("number", "id") and not kind.values:
        values = numbers(series, decimal)[0]
        return np.where(np.isfinite(values), values, np.nan)
    raise InputError(
        f"Column {roles.time!r}, the time, holds {kind.kind} values.", hint="Accepted are dates and numbers."
    )


def _groups(frame: pd.DataFrame, roles: Roles) -> Array | None:
    """A number for each row's group; rows without one are groups of their own."""
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    if roles.group is None:
        return None
    codes, found = pd.factorize(labels(frame[roles.group]))
    alone = np.flatnonzero(codes < 0)
    codes[alone] = len(found) + np.arange(len(alone))
    return codes.astype(np.int64)


def _beside(sources: Sources, target: str) -> list[Finding]:
    """What became of tables besides the training and the test table.

    Raises:
        InputError: the target is a column of a table that was joined: its rows are not the rows to be predicted.
    """
    found = []
    for each in sources.joined:
        if target.casefold() in map(str.casefold, each.columns):
            text = f"{target!r}, the target, is a column of {each.name}, of which one row belongs to several rows here."
            hint = f"Give {each.name} alone, with what shall be known from the other table added to it as columns."
            raise InputError(text, hint=hint)
        text = (
            f"{each.name} ({each.rows:,} rows, {len(each.columns)} columns) was joined by {each.key!r}, many rows to"
            f" one; {each.lost:,} rows found no partner. Rows to be predicted need these columns: the joined table is"
            f" {sources.table.path}"
        )
        found.append(Finding(kind="joined", columns=each.columns, count=each.lost, text=text, action="joined"))
    tables = [each for each in sources.unused if each.path.suffix.lower() != ".txt"]
    if tables:
        names = ", ".join(each.name for each in tables[:5]) + (", ..." if len(tables) > 5 else "")
        text = f"tables beside the pair of train and test that were not used: {names}"
        found.append(Finding(kind="unused_table", count=len(tables), text=text, action="ignored"))
    return found


def _own_test(table: Table, source: Source, sure: bool, schema: dict[str, Any], findings: list[Finding]
              ) -> Rows | None:  # fmt: skip
    """The rows of the user's own test file; `None` when it has no targets and was taken for a test by its name only."""
    from automl_agent.tasks.tables.shared.table_values import encode_target, typed

    names = [str(name) for name in table.frame.columns]
    try:
        target = find_column(schema["target"], names, f"the target, in the test data {source.name!r}")
    except InputError:
        if sure:
            raise
        return None
    missing = tuple(column["name"] for column in schema["columns"] if column["name"] not in names)
    if len(missing) == len(schema["columns"]):
        raise InputError(f"The test data {source.name!r} have none of the training data's columns.")
    if missing:
        text = f"columns that the test data lack, taken as missing there: {', '.join(missing[:5])}"
        findings.append(Finding(kind="missing_column", columns=missing, count=len(missing), text=text, action="kept"))
    read = {**schema["read"], "decimal": table.options["decimal"]}
    weighed = schema.get("weight")
    if weighed:
        weighed = find_column(weighed, names, f"the weight, in the test data {source.name!r}")
    frame = counted(table.frame, weighed, read, findings)
    codes = encode_target(frame[target], {**schema, "read": read})
    labelled = codes >= 0 if schema["classes"] else codes == codes
    if not labelled.any():
        raise InputError(f"No row of the test data {source.name!r} has a target that occurs in the training data.")
    if lost := int((~labelled).sum()):
        text = f"{lost} rows of the test data have no target, or one that the training data do not have"
        findings.append(Finding(kind="missing_target", columns=(target,), count=lost, text=text, action="dropped"))
    frame = frame[labelled]
    weight = row_weights(frame, {**schema, "read": read} | ({"weight": weighed} if weighed else {}), source.name, [])
    return Rows(typed(frame, {**schema, "read": read}), codes[labelled], frame.index.to_numpy().astype("int64"), weight)


def _learned_classes(schema: dict[str, Any], train: Rows, test: Rows, findings: list[Finding]) -> tuple[Rows, Rows]:
    """Leave out classes that no training row has (a split by time can do that), and number the others anew."""
    import numpy as np

    classes = schema["classes"]
    if not classes:
        return train, test
    learned = np.unique(train.target)
    if len(learned) == len(classes):
        return train, test
    if len(learned) < 2:
        raise InputError(f"The training rows have one class of {schema['target']!r} only: there is nothing to learn.")
    gone = [name for code, name in enumerate(classes) if code not in learned]
    kept = np.isin(test.target, learned)
    rows = int((~kept).sum())
    text = f"classes that only the test has ({', '.join(gone[:5])}) cannot be learned; {rows} test rows were left out"
    findings.append(
        Finding(kind="unseen_class", columns=(schema["target"],), count=len(gone), text=text, action="dropped")
    )
    schema["classes"] = [classes[code] for code in learned]
    if schema["positive"] in gone:
        raise InputError(f"No training row has the positive class {schema['positive']!r}.")
    test = test.take(np.flatnonzero(kept))
    return replace(train, target=np.searchsorted(learned, train.target)), replace(
        test, target=np.searchsorted(learned, test.target)
    )


def _measure(schema: dict[str, Any], selection: Selection, train: Rows, test: Rows, folds: Array,
             findings: list[Finding], *, own_test: bool) -> Materials:  # fmt: skip
    """Check for leaks and drift, leave columns out, and measure the others on training rows."""
    classes, target = len(schema["classes"]), schema["target"]
    kinds = {name: kind.kind for name, kind in selection.kept.items()}
    dropped = dict(selection.dropped)
    still = [name for name in kinds if _varies(train.frame[name], kinds[name])]
    if len(still) < len(kinds):
        gone = tuple(name for name in kinds if name not in still)
        text = f"columns that have the same value in all training rows: {', '.join(gone[:5])}"
        findings.append(Finding(kind="constant", columns=gone, count=len(gone), text=text, action="dropped"))
        dropped |= dict.fromkeys(gone, "constant")
    if not still:
        raise InputError(f"Besides the target {target!r} no column differs between the training rows.")
    relation = profiling.relations(train.frame[still], train.target, classes=classes)
    found, leaks = leakage.leak_findings(train.frame[still], train.target, target, relation, classes=classes)
    findings += found
    names = [name for name in still if name not in leaks]
    train, test = replace(train, frame=train.frame[names]), replace(test, frame=test.frame[names])
    if own_test:
        findings += _compared(train, test)
    schema["columns"] = [measured_column(selection.kept[name], train.frame[name]) for name in names]
    schema["dropped"] = [{"name": name, "reason": reason} for name, reason in {**dropped, **leaks}.items()]
    schema["sample"] = sample_row(schema, train.frame)
    facts = profiling.column_facts(train.frame, kinds, relation, "mutual_information" if classes else "correlation")
    return Materials(schema, train, test, folds, facts)


def _varies(values: pd.Series[Any], kind: str) -> bool:
    if kind == "text":
        return bool((values != values.iloc[0]).any())
    first = values.iloc[0]
    return bool((values.notna()).any() if first is None or first != first else (values != first).any())


def _compared(train: Rows, test: Rows) -> list[Finding]:
    """What the user's own test rows have of the training rows that they should not have, or the other way round."""
    found = leakage.drift_findings(train.frame, test.frame)
    if again := leakage.repeated_rows(row_hashes(train.frame), row_hashes(test.frame)):
        text = f"{again} of {len(test.target)} test rows have the same features as a training row"
        found.append(Finding(kind="test_duplicates", count=again, text=text, action="kept"))
    return found


def _order(schema: dict[str, Any]) -> dict[str, Scalar]:
    """The order of the classes as a fact of the target, where they have one."""
    return {"order": " < ".join(schema["classes"])} if schema["ranked"] else {}


def _profile(task: TaskSpec, materials: Materials, findings: list[Finding], words: str, repeated: int) -> DataProfile:
    schema, target = materials.schema, materials.train.target
    classes = len(schema["classes"])
    rows = len(target)
    return DataProfile(
        family=task.family,
        fingerprint=fingerprint(materials),
        data="",
        rows_train=rows,
        rows_test=len(materials.test.target),
        columns=len(materials.facts),
        kinds=dict(Counter(column["kind"] for column in schema["columns"])),
        classes=tuple(schema["classes"]),
        positive=schema["positive"],
        target=profiling.target_facts(target, classes=classes) | _order(schema),
        meta=profiling.meta_features(materials.facts, target, rows=rows, classes=classes, repeated=repeated),
        findings=tuple(findings),
        split=words,
        folds=int(materials.folds.max()) + 1,
    )
