"""Reads a graph, checks it, locks the test, fixes the folds, writes the data folder: `TaskFamily.acquire`."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import DataProfile, Finding, Request, TaskSpec
from automl_agent.tasks.node_classification.family import graph_io
from automl_agent.tasks.node_classification.peeking import loaded
from automl_agent.tasks.node_classification.sources import OPTIONS, GraphSource, find_graph
from automl_agent.tasks.tables import partition, profiling, splitting
from automl_agent.tasks.tables.kinds import ColumnKind, find_kind
from automl_agent.tasks.tables.materials import Materials, Rows, fingerprint, sample_row, write
from automl_agent.tasks.tables.selecting import draft_columns, measured_column
from automl_agent.tasks.tables.targets import find_column, read_target

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

FOLDS = 5
LEVELS = 200
"""Levels up to which a category is a feature."""
FEWEST_VALIDATION = 10
SPLIT = re.compile(r"split|mask|partition|fold_?name|subset|set", re.IGNORECASE)
PARTS = {
    "train": ("train", "training", "tr"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
    "": ("none", "unlabeled", "unlabelled", "rest", "unused"),
}
"""Words of a column that marks nodes. "": part of the graph only."""
_PART = {word: part for part, words in PARTS.items() for word in words}


def acquire(task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
            ) -> DataProfile:  # fmt: skip
    """Make the data folder of a task (`tables/dataset.py` reads its rows, `shared/graph_store.py` the graph).

    Args:
        folder: gets training rows, folds, schema, test *inputs* and the graph without labels.
        private: gets the test targets; nothing else does.

    Raises:
        InputError: the data cannot be used; nothing is written then.
    """
    _check(task, request)
    given = {**task.options, **request.options}
    source = find_graph(request.model_copy(update={"family": task.family, "options": given, "target": task.target}))
    assert source is not None
    graph = loaded(source)
    findings = [*source.findings, *_repairs(graph)]
    nodes = _understand(task, graph, source, findings)
    rows, division, schema = _divided(nodes, graph, findings, seed=seed, share=test_share)
    train, test = rows.take(division.train), rows.take(division.test)
    schema["columns"] = _measured(schema["columns"], nodes.kinds, train.frame)
    schema["sample"] = sample_row(schema, train.frame)
    facts = _facts(nodes.kinds, train, len(schema["classes"]))
    materials = Materials(schema, train, test, division.folds, facts)
    write(materials, folder, private)
    graph_io().store(graph, schema, folder)
    return _profile(task, materials, graph, folder, findings, division.words)


def _check(task: TaskSpec, request: Request) -> None:
    """Refuse what a graph has no use for."""
    unknown = sorted(set(task.options) - set(OPTIONS))
    if unknown:
        raise InputError(
            f"There is no option {', '.join(unknown)} (--set) for graphs.", hint=f"There are: {', '.join(OPTIONS)}."
        )
    for what, name in (("time", task.time), ("group", task.group)):
        if name:
            raise InputError(f"Nodes cannot be split by {what} ({name!r}).",
                             hint="Mark the nodes in a column `split`: train, val or test.")  # fmt: skip
    if request.test_data:
        raise InputError("A test file of its own is not read for a graph: the graph is one.",
                         hint="Mark the nodes in a column `split`: train, val or test.")  # fmt: skip


def _repairs(graph: Any) -> list[Finding]:
    """What was put right in the graph.

    Raises:
        InputError: most edges name no node, or most nodes bear a name that another has.
    """
    counts, nodes = graph.repaired, len(graph.ids)
    if counts["unknown"] > 0.5 * counts["given"]:
        raise InputError(f"{counts['unknown']} of {counts['given']} edges name nodes that are not there.",
                         hint="Name the column of ids: --set id=COLUMN.")  # fmt: skip
    if counts["repeated"] > 0.5 * (nodes + counts["repeated"]):
        raise InputError(f"{counts['repeated']} nodes have an id that another node has.",
                         hint="Name the column of ids: --set id=COLUMN.")  # fmt: skip
    connected = len(set(graph.edges.ravel().tolist()))
    lonely = nodes - connected
    told = (
        ("nameless_nodes", counts["nameless"], "nodes have no id", "dropped"),
        ("repeated_nodes", counts["repeated"], "nodes have an id that stands further up; the first counts", "dropped"),
        ("unknown_nodes", counts["unknown"], "edges name a node that is not there", "dropped"),
        ("self_loops", counts["loops"], "edges lead from a node to itself", "dropped"),
        ("double_edges", counts["doubled"], "edges are given twice, or in both directions", "merged"),
        ("isolated_nodes", lonely, "nodes have no edge: only their features tell of them", "kept"),
    )
    return [Finding(kind=kind, count=count, text=f"{count} {text}", action=action)
            for kind, count, text, action in told if count]  # fmt: skip


# ---------------------------------------------------------------- what the columns are


@dataclass(frozen=True)
class _Nodes:
    """The nodes as raw rows, and what their columns are."""

    frame: pd.DataFrame
    labels: pd.Series[Any]
    part: Array | None
    """`train`, `val`, `test` or "" for each node, where the user marked them."""
    kinds: dict[str, ColumnKind]
    """Of the feature columns."""
    schema: dict[str, Any]
    """A draft, without classes."""
    positive: str | None


def _understand(task: TaskSpec, graph: Any, source: GraphSource, findings: list[Finding]) -> _Nodes:
    reader = graph_io()
    read = source.options
    frame = reader.rows_of(graph, read)
    names = [str(name) for name in frame.columns]
    if not task.target:
        raise InputError("It is not said which attribute of the nodes is to be predicted.",
                         hint=f"Columns: {', '.join(names[:20])}.")  # fmt: skip
    target = find_column(task.target, names, f"the target, in {source.name!r}")
    ignored = [find_column(name, names, "to ignore") for name in task.ignore]
    own = [read["id"], read["neighbours"], *([read["features"]] if graph.words.shape[1] else [])]
    if target in (*own, *ignored):
        raise InputError(f"Column {target!r} cannot be predicted: it is what nodes are found by, or ignored.")
    split, part = _parts(frame, task, [name for name in names if name not in (*own, target)])
    others = [name for name in names if name not in (*own, target, *split, *ignored)]
    kinds, dropped = _features(frame, others, read.get("decimal") or ".", findings)
    dropped |= dict.fromkeys(ignored, "ignored") | dict.fromkeys(split, "split")
    about = {
        "id": read["id"],
        "neighbours": read["neighbours"],
        "features": read["features"] if graph.words.shape[1] else "",
        "names": graph.names,
        "width": int(graph.words.shape[1]),
    }
    columns = [{"name": read["id"], "kind": "text", "also": ["number"]}, *draft_columns(kinds)]
    if about["features"]:
        columns.append({"name": about["features"], "kind": "text", "also": ["list", "object"]})
    columns.append({"name": about["neighbours"], "kind": "text", "also": ["list"]})
    options = read | {"decimal": read.get("decimal") or ".", "target": target, "directed": graph.directed}
    schema = {"family": task.family, "kind": "classification", "target": target, "classes": [], "positive": None,
              "ordered": False, "keys": [read["id"]], "read": options, "graph": about, "columns": columns,
              "dropped": [{"name": name, "reason": reason} for name, reason in dropped.items()]}  # fmt: skip
    return _Nodes(frame, frame[target], part, kinds, schema, task.positive)


def _parts(frame: pd.DataFrame, task: TaskSpec, names: list[str]) -> tuple[list[str], Array | None]:
    """The user's own masks: the columns, and the part of each node.

    Raises:
        InputError: the column that was named as the split holds something else.
    """
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import label

    masks = {part: name for name in names for part in ("train", "val", "test") if name.lower() == f"{part}_mask"}
    if {"train", "test"} <= set(masks):
        found = np.full(len(frame), "", object)
        for part, name in masks.items():
            found[[str(value).strip().lower() in ("1", "true", "yes", "1.0") for value in frame[name]]] = part
        return list(masks.values()), found
    named = task.options.get("split")
    wanted = (
        [find_column(str(named), names, "the split")] if named else [name for name in names if SPLIT.fullmatch(name)]
    )
    for name in wanted:
        words = [label(value) or "" for value in frame[name]]
        parts = [_PART.get(word.lower()) if word else "" for word in words]
        if None not in parts and {"train", "test"} & set(parts):
            return [name], np.array(parts, object)
        if named:
            strange = sorted({word for word, part in zip(words, parts, strict=True) if part is None})[:3]
            raise InputError(f"Column {name!r}, the split, holds {', '.join(map(repr, strange)) or 'no part'}.",
                             hint="Accepted are train, val, test, and nothing.")  # fmt: skip
    return [], None


def _features(frame: pd.DataFrame, names: list[str], decimal: str, findings: list[Finding]
              ) -> tuple[dict[str, ColumnKind], dict[str, str]]:  # fmt: skip
    """Columns that tell of nodes, by kind, and the others with the reason."""
    kinds: dict[str, ColumnKind] = {}
    dropped: dict[str, str] = {}
    for name in names:
        kind = find_kind(frame[name], decimal, name)
        many = kind.kind == "category" and kind.distinct > LEVELS
        if kind.nested or kind.kind in ("id", "constant", "empty") or many:
            dropped[name] = "nested" if kind.nested else "id" if many else kind.kind
        else:
            kinds[name] = kind
    texts = {"id": "name the nodes one by one, or nearly so", "constant": "have the same value everywhere",
             "empty": "have no values", "nested": "hold lists, objects or binary data"}  # fmt: skip
    for reason, text in texts.items():
        gone = tuple(name for name, why in dropped.items() if why == reason)
        if gone:
            shown = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
            told = f"columns that {text}: {shown}"
            findings.append(Finding(kind=reason, columns=gone, count=len(gone), text=told, action="dropped"))
    return kinds, dropped


def _measured(columns: list[dict[str, Any]], kinds: dict[str, ColumnKind], frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The schema's columns, measured on training rows."""
    found = []
    for column in columns:
        name = column["name"]
        if name in kinds:
            found.append(measured_column(kinds[name], frame[name]))
        else:
            missing = int((frame[name] == "").sum())
            found.append(column | {"max_length": int(frame[name].str.len().max()), "missing": missing})
    return found


def _facts(kinds: dict[str, ColumnKind], train: Rows, classes: int) -> list[dict[str, Any]]:
    frame = train.frame[list(kinds)]
    relation = profiling.relations(frame, train.target, classes=classes)
    plain = {name: kind.kind for name, kind in kinds.items()}
    return profiling.column_facts(frame, plain, relation, "mutual_information")


# ---------------------------------------------------------------- split


def _divided(nodes: _Nodes, graph: Any, findings: list[Finding], *, seed: int, share: float
             ) -> tuple[Rows, partition.Division, dict[str, Any]]:  # fmt: skip
    """Labelled rows, and which of them are the test and the folds; the schema gets its classes.

    Raises:
        InputError: the labels of the training nodes are of one class, or too few.
    """
    import numpy as np

    reader, schema = graph_io(), dict(nodes.schema)
    labels, part = nodes.labels, nodes.part
    learned = labels if part is None else labels.where(np.isin(part, ["train", "val"]), None)
    kind = find_kind(learned, schema["read"]["decimal"], schema["target"])
    if not kind.distinct:
        raise InputError(f"No node has a label in {schema['target']!r} to learn from.")
    target = read_target(learned, kind, classes=True, positive=nodes.positive, decimal=schema["read"]["decimal"])
    findings += [finding for finding in target.findings if finding.kind != "missing_target"]
    schema |= {"classes": list(target.classes), "positive": target.positive}
    codes = target.codes if part is None else reader.encode_target(labels, schema)
    used = codes >= 0
    if part is not None:
        used &= part != ""
        _tell_lost(labels, codes, part, findings)
    if silent := int((~used).sum()):
        text = f"{silent} nodes have no label, or none to be used; they are part of the graph only"
        findings.append(Finding(kind="unlabelled_nodes", count=silent, text=text, action="kept"))
    places = np.flatnonzero(used)
    frame = reader.typed(nodes.frame.iloc[places], schema)
    rows = Rows(frame, codes[places], graph.rows[places])
    marked = None if part is None else part[places]
    return rows, _division(rows, marked, len(target.classes), seed=seed, share=share, findings=findings), schema


def _tell_lost(labels: pd.Series[Any], codes: Array, part: Array, findings: list[Finding]) -> None:
    lost = (part == "test") & (codes < 0) & labels.notna().to_numpy() & (labels.astype(str) != "").to_numpy()
    if count := int(lost.sum()):
        text = f"{count} test nodes have a class that no training node has"
        findings.append(Finding(kind="unseen_class", count=count, text=text, action="dropped"))


def _division(rows: Rows, part: Array | None, classes: int, *, seed: int, share: float, findings: list[Finding]
              ) -> partition.Division:  # fmt: skip
    """Which labelled rows are the test, and the fold of each other one; by ids, whatever the order of rows."""
    import numpy as np

    ids = rows.frame.iloc[:, [0]]
    hashes = partition.row_hashes(ids)
    if part is not None and (part == "test").any():
        test = part == "test"
        words = f"the {int(test.sum())} nodes that the data mark as test"
    else:
        if len(hashes) < 3:
            raise InputError(f"Only {len(hashes)} nodes have a label: too few to lock a test and to validate.")
        units = splitting.make_units(hashes)
        test = splitting.lock_test(units, hashes, rows.target.astype(np.int64), share=share, seed=seed, classes=True)
        words = f"{int(test.sum())} of {len(test)} labelled nodes, with each class as frequent as in the whole"
    train = np.flatnonzero(~test)
    if len(np.unique(rows.target[train])) < 2:
        raise InputError("The training nodes are of one class only: there is nothing to learn.")
    folds = _folds(hashes[train], rows.target[train], None if part is None else part[train], classes, seed, findings)
    return partition.Division(train, np.flatnonzero(test), folds, False, words, 0)


def _folds(hashes: Array, target: Array, part: Array | None, classes: int, seed: int, findings: list[Finding]) -> Array:
    """The user's validation nodes as the one fold (-1: only trained on), or stratified folds."""
    import numpy as np

    valid = np.zeros(len(target), bool) if part is None else part == "val"
    if valid.sum() >= FEWEST_VALIDATION and len(np.unique(target[~valid])) == classes:
        text = (
            f"{int(valid.sum())} nodes marked as validation choose the model; what is delivered learns from them, too"
        )
        findings.append(Finding(kind="own_validation", count=int(valid.sum()), text=text, action="kept"))
        return np.where(valid, 0, -1).astype(np.int16)
    smallest = int(np.bincount(target, minlength=classes).min())
    count = max(2, min(FOLDS, len(target) // 2, smallest))
    made = splitting.make_folds(splitting.make_units(hashes), hashes, target.astype(np.int64), folds=count, seed=seed)
    return np.unique(made, return_inverse=True)[1].astype(np.int16)


# ---------------------------------------------------------------- profile


def _profile(task: TaskSpec, materials: Materials, graph: Any, folder: Path, findings: list[Finding], words: str
             ) -> DataProfile:  # fmt: skip
    schema, target = materials.schema, materials.train.target
    classes, about = len(schema["classes"]), schema["graph"]
    plain = [column["kind"] for column in schema["columns"]
             if column["name"] not in (about["id"], about["neighbours"], about["features"])]  # fmt: skip
    kinds = dict(Counter(plain)) | ({"feature": about["width"]} if about["width"] else {})
    meta = profiling.meta_features(materials.facts, target, rows=len(target), classes=classes, repeated=0)
    meta |= _graph_facts(materials, graph)
    meta["columns"] = float(sum(kinds.values()))
    agreement = meta.get("homophily")
    if agreement is not None:
        text = f"{agreement:.0%} of the edges between labelled training nodes join nodes of one class"
        findings.append(Finding(kind="homophily", text=text))
    return DataProfile(
        family=task.family,
        fingerprint=_fingerprint(materials, folder),
        data="",
        rows_train=len(target),
        rows_test=len(materials.test.target),
        columns=sum(kinds.values()),
        kinds=kinds,
        classes=tuple(schema["classes"]),
        positive=schema["positive"],
        target=profiling.target_facts(target, classes=classes),
        meta=meta,
        findings=tuple(findings),
        split=words,
        folds=int(materials.folds.max()) + 1,
    )


def _graph_facts(materials: Materials, graph: Any) -> dict[str, float]:
    """Meta-features of the graph. `homophily` is the share of edges between training nodes that join equal labels;
    it is not there below ten such edges."""
    import numpy as np

    nodes, edges = len(graph.ids), graph.edges
    label = np.full(nodes, -1)
    place = {name: number for number, name in enumerate(graph.ids)}
    label[[place[name] for name in materials.train.frame.iloc[:, 0]]] = materials.train.target
    ends = label[edges]
    both = ends[(ends >= 0).all(axis=1)]
    degree = np.bincount(edges.ravel(), minlength=nodes)
    facts = {
        "nodes": nodes,
        "edges": len(edges),
        "mean_degree": float(degree.mean()),
        "isolated_share": float((degree == 0).mean()),
        "labelled_share": len(materials.train.target) / nodes,
        "features": int(graph.words.shape[1]) + len(materials.facts),
        "directed": int(graph.directed),
    }
    if len(both) >= 10:
        facts["homophily"] = float((both[:, 0] == both[:, 1]).mean())
    return {name: float(value) for name, value in facts.items()}


def _fingerprint(materials: Materials, folder: Path) -> str:
    """Hash of rows, targets, folds, and the graph that all models see."""
    import numpy as np

    digest = hashlib.sha256(fingerprint(materials).encode())
    with np.load(folder / "graph.npz", allow_pickle=False) as arrays:
        for name in sorted(arrays):
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    digest.update((folder / "nodes.parquet").read_bytes())
    return digest.hexdigest()
