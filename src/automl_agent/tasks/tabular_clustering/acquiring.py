"""Reads a table to be clustered, locks the test, fixes folds and reference view: `ClusterFamily.acquire`."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import DataProfile, Finding, Request, Scalar, TaskSpec
from automl_agent.tasks.tables import profiling, splitting
from automl_agent.tasks.tables.materials import Materials, Rows, fingerprint, sample_row, write
from automl_agent.tasks.tables.partition import locked_before, row_hashes
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sampling import MOST_TEST, Sample, as_finding, most
from automl_agent.tasks.tables.selecting import Roles, Selection, draft_columns, measured_column, select_columns
from automl_agent.tasks.tables.sources import ACCEPTED, Source, find_sources
from automl_agent.tasks.tables.targets import find_column
from automl_agent.tasks.tabular_clustering import scores
from automl_agent.tasks.tabular_clustering.counting import count_clusters

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

CLUSTERS, LABELS = "clusters", "labels"
OPTIONS = {CLUSTERS: "the number of clusters", LABELS: "a column that says the truth, for scoring only"}
MOST_CLUSTERS = 50
MIN_ROWS = 20
DIMENSIONS = 20
"""Of the reference view at most."""


def acquire(task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
            ) -> DataProfile:  # fmt: skip
    """Make the data folder of a task (`tables/dataset.py` reads it; `family.py` says what is added).

    Args:
        folder: gets training rows, folds, schema, column facts, reference points, and test *inputs*.
        private: gets labels and reference points of the test rows; nothing else does.

    Raises:
        InputError: the data or an option cannot be used; nothing is written then.
    """
    import numpy as np

    wanted, labels = _options(task.options)
    sources = find_sources(request)
    if sources is None:
        raise InputError("There are no tabular data to look for clusters in.", hint=ACCEPTED)
    sample = Sample(request.max_rows, seed)
    table = read_table(sources.table, sample=sample)
    names = [str(name) for name in table.frame.columns]
    column = find_column(labels or task.target or "", names, f"the labels, in {sources.table.name!r}"
                         ) if labels or task.target else None  # fmt: skip
    if task.metric in scores.EXTERNAL and column is None:
        raise InputError(f"{task.metric} compares clusters with labels, and no column of labels is named.",
                         hint="Name one with --set labels=COLUMN: it is used for scoring only.")  # fmt: skip
    findings = list(table.findings)
    schema, rows, selection, codes = _understand(task, table, column, findings)
    few = Sample(min(most(sample, table.frame.shape[1]), MOST_TEST), seed)
    brought = _own_test(sources.test, schema, column, few, findings) if sources.test else None
    share = min(test_share, MOST_TEST / len(codes)) if table.drawn else test_share
    train_rows, test_rows, folds, words, repeated = _divide(
        rows, None if brought else share, seed, findings, locked_before(private, rows.positions)
    )
    train = rows.take(train_rows)
    test, test_codes = brought or (rows.take(test_rows), codes[test_rows])
    if table.drawn:
        findings.insert(0, as_finding(sources.table.name, table.drawn, train=len(train_rows), test=len(test_rows)))
    materials = _measure(schema, selection, train, test, folds, findings)
    seen, points = _reference(materials.train.frame, materials.test.frame)
    clusters, counts = _clusters(wanted, seen, findings, seed)
    if column is not None:
        schema["dropped"].append({"name": column, "reason": "labels"})
    schema |= {"clusters": clusters, "labels": column, "counts": [vars(count) for count in counts]}
    truth = np.column_stack([test_codes, points])
    write(Materials(schema, materials.train, Rows(materials.test.frame, truth, materials.test.positions), folds,
                    materials.facts), folder, private)  # fmt: skip
    np.save(folder / "points.npy", np.column_stack([codes[train_rows], seen]))
    return _profile(task, materials, findings, words, repeated, clusters)


def _options(options: Mapping[str, Scalar]) -> tuple[int | None, str | None]:
    """Number of clusters and column of labels, where they are given.

    Raises:
        InputError: an option that there is not, or a number that cannot be one of clusters.
    """
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        told = "; ".join(f"{name}={text}" for name, text in OPTIONS.items())
        raise InputError(f"There is no option {', '.join(unknown)} (--set) for clustering.", hint=f"There are {told}.")
    given, labels = options.get(CLUSTERS), options.get(LABELS)
    if given in (None, "", "auto"):
        return None, str(labels) if labels else None
    try:
        clusters = int(str(given))
    except ValueError:
        raise InputError(f"clusters={given} is no whole number.", hint="Leave it out, and it is found.") from None
    if not 2 <= clusters <= MOST_CLUSTERS:
        raise InputError(f"clusters={clusters} cannot be: 2 to {MOST_CLUSTERS} are possible.")
    return clusters, str(labels) if labels else None


def _understand(task: TaskSpec, table: Table, column: str | None, findings: list[Finding]
                ) -> tuple[dict[str, Any], Rows, Selection, Array]:  # fmt: skip
    """The draft of the schema, typed rows, and the code of each row's label (NaN without one)."""
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import typed

    names, frame = [str(name) for name in table.frame.columns], table.frame
    if len(frame) < MIN_ROWS:
        raise InputError(f"The table has {len(frame)} rows; at least {MIN_ROWS} are needed to find clusters.")
    ignore = tuple(find_column(name, names, "to ignore") for name in task.ignore)
    try:
        selection = select_columns(frame, Roles(column or "", ignore=ignore), table.options["decimal"])
    except InputError as error:
        text = "The table has no column that rows could be compared by"
        raise InputError(f"{text}, besides the labels {column!r}." if column else f"{text}.", hint=error.hint
                         ) from error  # fmt: skip
    findings += selection.findings
    schema = {"family": task.family, "kind": "clustering", "target": "", "classes": [], "positive": None,
              "ordered": False, "read": table.options, "columns": draft_columns(selection.kept),
              "dropped": []}  # fmt: skip
    rows = Rows(typed(frame, schema), np.zeros(len(frame)), frame.index.to_numpy().astype("int64"))
    codes = np.full(len(frame), np.nan) if column is None else _codes(frame[column])
    if column is not None and len(np.unique(codes[np.isfinite(codes)])) < 2:
        raise InputError(f"Column {column!r}, the labels, has fewer than two different values.")
    return schema, rows, selection, codes


def _codes(series: pd.Series[Any]) -> Array:
    """Labels as numbers; NaN where there is none."""
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    codes = pd.factorize(labels(series), sort=False)[0].astype(np.float64)
    codes[codes < 0] = np.nan
    return np.asarray(codes)


def _own_test(source: Source, schema: dict[str, Any], column: str | None, sample: Sample, findings: list[Finding]
              ) -> tuple[Rows, Array]:  # fmt: skip
    """Rows of the user's own test file, and the codes of their labels."""
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import typed

    table = read_table(source, sample=sample)
    if table.drawn:
        findings.append(as_finding(source.name, table.drawn, train=0, test=len(table.frame)))
    names = {str(name) for name in table.frame.columns}
    if not any(one["name"] in names for one in schema["columns"]):
        raise InputError(f"The test data {source.name!r} have none of the training data's columns.")
    read = {**schema["read"], "decimal": table.options["decimal"]}
    frame = typed(table.frame, {**schema, "read": read})
    codes = _codes(table.frame[column]) if column in names else np.full(len(frame), np.nan)
    return Rows(frame, np.zeros(len(frame)), table.frame.index.to_numpy().astype("int64")), codes


def _divide(rows: Rows, share: float | None, seed: int, findings: list[Finding], locked: Array | None
            ) -> tuple[Array, Array, Array, str, int]:  # fmt: skip
    """Positions of training and test rows, fold of each training row, words on the split, and repeated rows.

    Rows of equal content stay together, as for tables, unless they are too many. Folds are few: an index needs a
    sufficient number of rows of each cluster in each.
    """
    import numpy as np

    hashes = row_hashes(rows.frame)
    units = splitting.make_units(hashes)
    flat, count = np.zeros(len(hashes), np.int64), len(hashes)
    identities = splitting.mix(hashes ^ splitting.mix(_occurrence(hashes), 2), 3)
    test = np.zeros(count, bool)
    words = "the user's own test"
    if share is not None:
        test = splitting.lock_test(units, identities, flat, share=share, seed=seed) if locked is None else locked
        words = f"{int(test.sum())} of {count} rows, drawn evenly" + ("; equal rows kept together" * units.bound)
    train = np.flatnonzero(~test)
    inner = splitting.make_units(hashes[train])
    if inner.count < 2:
        raise InputError("All rows are equal: there are no clusters to be found.")
    number = min(3 if len(train) < 1000 else 5 if len(train) <= 25_000 else 3, inner.count)
    folds = splitting.make_folds(inner, identities[train], flat[train], folds=number, seed=seed)
    if units.repeated:
        text = f"{units.repeated} of {count} rows are equal to an earlier one"
        findings.append(Finding(kind="duplicates", count=units.repeated, text=text, action="kept"))
    dense = np.unique(folds, return_inverse=True)[1].astype(np.int16)
    return train, np.flatnonzero(test), dense, words, units.repeated


def _occurrence(hashes: Array) -> Array:
    """How often each row's hash came before."""
    import numpy as np
    import pandas as pd

    return np.asarray(pd.Series(hashes).groupby(hashes).cumcount().to_numpy().astype(np.uint64))


def _measure(schema: dict[str, Any], selection: Selection, train: Rows, test: Rows, folds: Array,
             findings: list[Finding]) -> Materials:  # fmt: skip
    """Leave out what does not vary among training rows, and measure the others."""
    kinds = {name: kind.kind for name, kind in selection.kept.items()}
    dropped = dict(selection.dropped)
    still = [name for name in kinds if train.frame[name].nunique(dropna=False) > 1]
    if gone := tuple(name for name in kinds if name not in still):
        text = f"columns that have the same value in all training rows: {', '.join(gone[:5])}"
        findings.append(Finding(kind="constant", columns=gone, count=len(gone), text=text, action="dropped"))
        dropped |= dict.fromkeys(gone, "constant")
    if not still:
        raise InputError("No column differs between the training rows: there are no clusters to be found.")
    train, test = (Rows(rows.frame[still], rows.target, rows.positions) for rows in (train, test))
    schema["columns"] = [measured_column(selection.kept[name], train.frame[name]) for name in still]
    schema["dropped"] = [{"name": name, "reason": reason} for name, reason in dropped.items()]
    schema["sample"] = sample_row(schema, train.frame)
    facts = profiling.column_facts(train.frame, kinds, dict.fromkeys(still, 0.0), "")
    facts = [fact | {"relation": None, "relation_measure": ""} for fact in facts]  # there is no target to relate to
    return Materials(schema, train, test, folds, facts)


def _reference(train: pd.DataFrame, test: pd.DataFrame) -> tuple[Array, Array]:
    """Points of training and test rows in the reference view, learned from the training rows."""
    with _plain_names("plain_state", "text_columns"):
        module = importlib.import_module("automl_agent.tasks.tabular_clustering.shared.cluster_view")
    view = module.View("standard", DIMENSIONS)
    return view.fit_transform(train), view.transform(test)


@contextmanager
def _plain_names(*names: str) -> Iterator[None]:
    """Let a shared file import others by plain name, as it does in a bundle; the host's modules stay what they are."""
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    try:
        for name in names:
            sys.modules[name] = importlib.import_module(f"automl_agent.tasks.tables.shared.{name}")
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _clusters(wanted: int | None, points: Array, findings: list[Finding], seed: int) -> tuple[int, tuple[Any, ...]]:
    """The number of clusters, as given or as found, and what was measured."""
    import numpy as np

    distinct = len(np.unique(points.round(9), axis=0))
    if distinct < 2 or (wanted or 2) > distinct:
        raise InputError(f"The training rows hold {distinct} different ones: too few for {wanted or 2} clusters.")
    if wanted is not None:
        return wanted, ()
    clusters, counts = count_clusters(points, seed=seed)
    best = min(counts, key=lambda count: count.rank, default=None)
    if best is not None:
        text = (
            f"{clusters} clusters: of 2 to {counts[-1].clusters}, that number has the best mean rank of silhouette "
            f"({best.silhouette:.2f}), Calinski-Harabasz, Davies-Bouldin and stability ({best.stability:.2f})"
        )
        findings.append(Finding(kind="clusters", count=clusters, text=text, action="found"))
    return clusters, counts


def _profile(task: TaskSpec, materials: Materials, findings: list[Finding], words: str, repeated: int, clusters: int
             ) -> DataProfile:  # fmt: skip
    schema, rows = materials.schema, len(materials.train.frame)
    known = round(repeated * rows / max(rows + len(materials.test.frame), 1))
    target = materials.train.target
    meta = profiling.meta_features(materials.facts, target, rows=rows, classes=0, repeated=known)
    meta.pop("target_skew", None)
    return DataProfile(
        family=task.family,
        fingerprint=hashlib.sha256(f"{fingerprint(materials)} {clusters}".encode()).hexdigest(),
        data="",
        rows_train=rows,
        rows_test=len(materials.test.frame),
        columns=len(materials.facts),
        kinds=dict(Counter(column["kind"] for column in schema["columns"])),
        target={"clusters": clusters},
        meta={**meta, "clusters": float(clusters)},
        findings=tuple(findings),
        split=words,
        folds=int(materials.folds.max()) + 1,
    )
