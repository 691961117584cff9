"""Reads nodes of a graph and gives them their types: one code for training, prediction and serving.

A row is a node: its id, the ids of its `neighbours`, its features. A graph comes as an npz file, as GraphML, as two
tables (nodes and edges, in a folder or a zip archive, or given apart), or as one table that names each node's
neighbours. How the user's graph was read comes in as plain data (`schema["read"]`). Everything that is wrong with a
file is a `ValueError` (or `OSError`) with one line of text.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import graph_files
import numpy as np
import numpy.typing as npt
import pandas as pd
import table_io
import table_values
from graph_store import StoredGraph, packed, packed_rows, unpacked_rows, write_graph
from scipy import sparse

Array = npt.NDArray[Any]
Place = Path | tuple[Path, Path]
"""One file or folder, or the table of nodes and the table of edges."""

_SEPARATED = re.compile(r"[;,|]")


@dataclass(frozen=True)
class Graph:
    """A graph whose parts fit each other."""

    ids: list[str]
    columns: pd.DataFrame
    """Raw columns of the nodes besides their ids, (nodes, columns), the label among them."""
    rows: Array
    """Where each node stands among the rows that `read` returns."""
    edges: Array
    """int64 (edges, 2): positions of nodes, no self-loops, each edge once."""
    directed: bool
    words: Any
    """csr_matrix (nodes, width) of float32; width 0 where there are none."""
    names: list[str]
    """Names of the columns of `words`; without names they are numbers from 0."""
    repaired: dict[str, int]
    """Counts: `nameless` and `repeated` nodes (left out), edges that are `unknown` (name no node), `loops`, `doubled`;
    `given` edges in all."""
    near: list[str] | None = None
    """Neighbours as each node's row names them, JSON, where rows name any."""


# ---------------------------------------------------------------- reading


def read(path: str | Path, options: dict[str, Any] | None = None) -> pd.DataFrame:
    """The nodes of a graph as raw rows: their id, columns, sparse features and neighbours.

    A plain table is read as rows that may name nodes of the graph, or new ones with their neighbours.

    Raises:
        ValueError: the content is neither a graph nor a table.
        OSError: the file cannot be opened.
    """
    path, options = Path(path), options or {}
    if options.get("format") != "rows" and _holds_graph(path, options):
        return rows_of(load(path, options), options)
    return table_io.read(path, options.get("nodes") or {})


def rows_of(graph: Graph, options: dict[str, Any]) -> pd.DataFrame:
    """The nodes as raw rows: id, columns, then `features` (where there are any) and `neighbours` as text."""
    frame = graph.columns.copy(deep=False)
    frame.insert(0, options["id"], pd.Series(graph.ids, dtype=object, index=frame.index))
    if graph.words.shape[1]:
        texts = packed_rows(graph.words, graph.names)
        frame[options["features"]] = pd.Series(texts, dtype=object, index=frame.index)
    near = _neighbours(graph) if graph.near is None else graph.near
    frame[options["neighbours"]] = pd.Series(near, dtype=object, index=frame.index)
    return frame


def _neighbours(graph: Graph) -> list[str]:
    """Ids of the neighbours of each node in either direction, as JSON; "" without any."""
    one, other = graph.edges[:, 0], graph.edges[:, 1]
    pairs = np.unique(np.concatenate([graph.edges, np.stack([other, one], axis=1)]), axis=0)
    starts = np.searchsorted(pairs[:, 0], np.arange(len(graph.ids) + 1))
    places = pairs[:, 1].tolist()
    return [
        _json([graph.ids[place] for place in places[start:end]]) if end > start else ""
        for start, end in zip(starts.tolist(), starts.tolist()[1:], strict=False)
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _holds_graph(path: Path, options: dict[str, Any]) -> bool:
    if path.is_dir():
        return True
    if graph_files.is_graph(graph_files.npz_members(path)) or graph_files.is_graphml(path):
        return True
    edges = (options.get("edges") or {}).get("file")
    if not edges or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return edges in archive.namelist()


def load(place: Place, options: dict[str, Any]) -> Graph:
    """Read a graph and make its parts fit.

    Args:
        place: where it lies.
        options: `format` (`npz`, `graphml`, `tables` or `rows`), names of columns (`id`, `neighbours`, `features`,
            `target`), `directed`, and for tables `nodes` and `edges`: how each is read, and of the edges `source` and
            `destination`.

    Raises:
        ValueError: it cannot be read, or holds no edge between its nodes.
    """
    form = options["format"]
    if form == "npz":
        raw = graph_files.read_npz(_single(place), label=options.get("target"))
    elif form == "graphml":
        raw = graph_files.read_graphml(_single(place))
    else:
        raw = tables(place, options)
    if options.get("directed") is not None:
        raw.directed = bool(options["directed"])
    return fitted(raw, options)


def _single(place: Place) -> Path:
    if isinstance(place, tuple):
        raise ValueError("one file was expected, not two tables")
    return place


def tables(place: Place, options: dict[str, Any]) -> graph_files.RawGraph:
    """Nodes and edges from two tables, or from one whose rows name their neighbours."""
    nodes = _table(place, options["nodes"], 0).reset_index(drop=True)
    numbered = options.get("numbered", False)
    ids = [str(number) for number in range(len(nodes))] if numbered else _texts(nodes, options["id"])
    if options["format"] == "rows":
        lists = [parsed_ids(value) for value in nodes[options["neighbours"]]]
        sources = np.repeat(np.array(ids, object), [len(found) for found in lists])
        ends = np.stack([sources, np.array([name for found in lists for name in found], object)], axis=1)
        columns = nodes.drop(columns=[options["neighbours"], *([] if numbered else [options["id"]])])
        near = [_json(found) if found else "" for found in lists]
        return graph_files.RawGraph(ids, columns, ends.reshape(-1, 2), False, near=near)
    edges = _table(place, options["edges"], 1)
    for name in (options["source"], options["destination"]):
        if name not in edges.columns:
            raise ValueError(f"the table of edges has no column {name!r}")
    ends = np.stack(
        [np.array(_texts(edges, options[end]), object) for end in ("source", "destination")], axis=1
    ).reshape(-1, 2)
    columns = nodes.drop(columns=[] if numbered else [options["id"]])
    words, names = None, []
    wide = [name for name in options.get("words", ()) if name in columns.columns]
    if wide:
        values = np.stack(
            [table_values.numbers(columns[name], options.get("decimal") or ".")[0] for name in wide], axis=1
        )
        words, names = sparse.csr_matrix(np.where(np.isfinite(values), values, 0.0).astype(np.float32)), wide
        columns = columns.drop(columns=wide)
    return graph_files.RawGraph(ids, columns, ends, False, words, names)


def _table(place: Place, how: dict[str, Any], which: int) -> pd.DataFrame:
    if isinstance(place, tuple):
        return table_io.read(place[which], how)
    if place.is_dir():
        if not (place / how["file"]).is_file():
            raise ValueError(f"the folder holds no file {how['file']!r}")
        return table_io.read(place / how["file"], how)
    if zipfile.is_zipfile(place) and how.get("file"):
        return table_io.read(place, {**how, "member": how["file"]})
    if which:
        raise ValueError("a table of nodes alone is no graph; give a folder or a zip archive with the edges, too")
    return table_io.read(place, how)


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    if name not in frame.columns:
        raise ValueError(f"the table of nodes has no column {name!r}")
    return list(table_values.texts(frame[name]))


def fitted(raw: graph_files.RawGraph, options: dict[str, Any]) -> Graph:
    """Leave out nodes without a name or with a name that was there, and edges that are none; count all of it.

    Raises:
        ValueError: no edge between two nodes is left.
    """
    ids = pd.Series(raw.ids, dtype=object)
    nameless, repeated = (ids == "").to_numpy(), ids.duplicated().to_numpy()
    kept = np.flatnonzero(~nameless & ~repeated)
    counts = {"nameless": int(nameless.sum()), "repeated": int((repeated & ~nameless).sum()), "given": len(raw.ends)}
    names = ids.iloc[kept].tolist()
    if raw.ends.dtype == object:
        index = pd.Index(names, dtype=object)
        ends = np.stack([index.get_indexer(pd.Index(raw.ends[:, end], dtype=object)) for end in (0, 1)], axis=1)
    else:
        place = np.full(len(raw.ids) + 1, -1)
        place[kept] = np.arange(len(kept))
        inside = (raw.ends >= 0) & (raw.ends < len(raw.ids))
        ends = place[np.where(inside, raw.ends, -1)]
    ends = ends.astype(np.int64).reshape(-1, 2)
    known = (ends >= 0).all(axis=1)
    loops = known & (ends[:, 0] == ends[:, 1])
    edges = ends[known & ~loops]
    if not raw.directed:
        edges = np.sort(edges, axis=1)
    unique = np.unique(edges, axis=0)
    counts |= {"unknown": int((~known).sum()), "loops": int(loops.sum()), "doubled": len(edges) - len(unique)}
    if not len(unique):
        gone = f" ({counts['unknown']} of {counts['given']} name unknown nodes)" if counts["given"] else ""
        raise ValueError(f"the graph has no edge between two of its {len(names)} nodes{gone}")
    words = sparse.csr_matrix((len(raw.ids), 0), dtype=np.float32) if raw.words is None else raw.words
    rows = kept if options.get("format") == "rows" else np.arange(len(kept))
    columns = raw.columns.iloc[kept].reset_index(drop=True)
    near = None if raw.near is None else [raw.near[place] for place in kept]
    words = sparse.csr_matrix(words[kept])
    return Graph(names, columns, rows, unique, raw.directed, words, raw.word_names, counts, near)


# ---------------------------------------------------------------- typing


def typed(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """The schema's columns with their types: id and neighbours (JSON list of ids) and sparse features as text ("" for
    none), feature columns as those of any table. Typed rows stay as they are."""
    graph = schema["graph"]
    own = {graph["id"], graph["neighbours"], graph["features"]}
    plain = [column for column in schema["columns"] if column["name"] not in own]
    data: dict[str, Any] = dict(table_io.typed(frame, {**schema, "columns": plain}))
    data[graph["id"]] = _text_column(frame, graph["id"], lambda value: table_values.label(value) or "")
    data[graph["neighbours"]] = _text_column(
        frame, graph["neighbours"], lambda value: _json(found) if (found := parsed_ids(value)) else ""
    )
    if graph["features"]:
        data[graph["features"]] = _features(frame, graph)
    return pd.DataFrame({c["name"]: data[c["name"]] for c in schema["columns"]}, index=pd.RangeIndex(len(frame)))


def _text_column(frame: pd.DataFrame, name: str, text: Any) -> pd.Series:
    values = [text(value) for value in frame[name]] if name in frame.columns else [""] * len(frame)
    return pd.Series(values, dtype=object)


def _features(frame: pd.DataFrame, graph: dict[str, Any]) -> pd.Series:
    """Sparse features as `graph_store.packed` writes them: from one column, or from one for each feature."""
    width, places = graph["width"], _places(tuple(graph["names"]))
    if graph["features"] in frame.columns:
        found = [parsed_features(value, places, width)[0] for value in frame[graph["features"]]]
        return pd.Series([packed(pairs) for pairs in found], dtype=object)
    there = [name for name in frame.columns if name in places]
    if not there:
        return pd.Series([""] * len(frame), dtype=object)
    values = np.stack([table_values.numbers(frame[name])[0] for name in there], axis=1)
    order = np.argsort([places[name] for name in there])
    values = np.where(np.isfinite(values), values, 0.0).astype(np.float32)[:, order]
    matrix = sparse.csr_matrix(values)
    matrix.indices = np.array([places[there[place]] for place in order])[matrix.indices].astype(matrix.indices.dtype)
    return pd.Series(packed_rows(matrix), dtype=object)


@lru_cache(maxsize=4)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def parsed_ids(value: Any) -> list[str]:
    """Ids from a list, from a JSON list as text, or from text in which `;`, `,`, `|` or blanks part them; each once."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = json.loads(text)
            except ValueError:
                value = text.strip("[]").replace("'", "").split(",")
        else:
            value = _SEPARATED.split(text) if _SEPARATED.search(text) else text.split()
    if not isinstance(value, list | tuple | set | np.ndarray):
        value = [value]
    names = [table_values.label(name) for name in value]
    return list(dict.fromkeys(name for name in names if name))


def parsed_features(value: Any, places: dict[str, int], width: int) -> tuple[list[tuple[int, float]], int]:
    """Places and values of sparse features, and how many features are unknown.

    Accepted are a list of names or numbers (each counts 1), a list of pairs, an object of values by name, and each of
    these as JSON text.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            value = json.loads(text) if text[:1] in "[{" else [part for part in re.split(r"[;,\s]+", text) if part]
        except ValueError:
            value = [part for part in re.split(r"[;,\s]+", text.strip("[]{}")) if part]
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list | tuple | np.ndarray):
        entries = [tuple(e) if isinstance(e, list | tuple) and len(e) == 2 else (e, 1.0) for e in value]
    else:
        entries = []
    found: dict[int, float] = {}
    unknown = 0
    for name, amount in entries:
        place = _place(name, places, width)
        weight = table_values.number(amount)
        if place is None or weight is None or not np.isfinite(weight):
            unknown += 1
        elif weight:
            found[place] = round(float(np.float32(weight)), 6)
    return sorted(found.items()), unknown


def _place(name: Any, places: dict[str, int], width: int) -> int | None:
    if isinstance(name, str):
        known = places.get(name.strip())
        if known is not None or places or not name.strip().isdigit():
            return known
        name = int(name)
    if isinstance(name, bool) or not isinstance(name, int | np.integer) or not 0 <= name < width:
        return None
    return int(name)


encode_target = table_io.encode_target


# ---------------------------------------------------------------- what is odd, and side files


def inspect(frame: pd.DataFrame, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What in these rows differs from the training data, as `{"column", "problem", "count", "examples"}`."""
    graph = schema["graph"]
    own = {graph["id"], graph["neighbours"], graph["features"]}
    plain = [column for column in schema["columns"] if column["name"] not in own]
    used = {*own, schema["target"], graph.get("split"), *graph["names"], *(c["name"] for c in plain)} - {None, ""}
    rest = frame[[name for name in frame.columns if name not in own and name not in graph["names"]]]
    found = [p for p in table_io.inspect(rest, {**schema, "columns": plain}) if p["problem"] != "extra_column"]
    dropped = {column["name"] for column in schema.get("dropped", [])}
    extra = [str(name) for name in frame.columns if name not in used and name not in dropped]
    found += [{"column": name, "problem": "extra_column", "count": len(frame), "examples": []} for name in extra]
    ids = _known_ids()
    rows = typed(frame, schema)
    new = [name not in ids for name in rows[graph["id"]]] if ids else []
    if not any(new):
        # A node of the graph needs no features: what the graph holds is used.
        return [p for p in found if p["problem"] != "missing_column"] if ids else found
    near = [json.loads(text) if text else [] for text in rows[graph["neighbours"]]]
    alone = [name for name, odd, other in zip(rows[graph["id"]], new, near, strict=True)
             if odd and not any(one in ids for one in other)]  # fmt: skip
    strange = [one for odd, other in zip(new, near, strict=True) if odd for one in other if one not in ids]
    for column, problem, names in (
        (graph["id"], "nodes are new and name no neighbour that the graph knows", alone),
        (graph["neighbours"], "neighbours are no nodes of the graph and are left out", strange),
    ):
        if names:
            examples = list(dict.fromkeys(str(name)[:80] for name in names))[:3]
            found.append({"column": column, "problem": problem, "count": len(names), "examples": examples})
    if graph["features"] in frame.columns:
        places = _places(tuple(graph["names"]))
        lost = sum(parsed_features(value, places, graph["width"])[1] for value in frame[graph["features"]])
        if lost:
            problem = "features are unknown and are left out"
            found.append({"column": graph["features"], "problem": problem, "count": lost, "examples": []})
    return found


@lru_cache(maxsize=1)
def _known_ids() -> frozenset[str]:
    """Ids of the graph that lies beside this file in a bundle; empty elsewhere."""
    path = Path(__file__).parent / "files" / "nodes.parquet"
    if not path.is_file():
        return frozenset()
    import pyarrow.parquet as pq

    first = pq.ParquetFile(path).schema_arrow.names[0]
    return frozenset(map(str, pq.read_table(path, columns=[first]).column(0).to_pylist()))


def files(path: str | Path, schema: dict[str, Any], folder: Path) -> None:
    """Write what candidates read besides the rows, from a graph of the same kind.

    Raises:
        ValueError: `path` holds no such graph.
    """
    path = Path(path)
    if schema["read"]["format"] != "rows" and not _holds_graph(path, schema["read"]):
        raise ValueError(f"{path.name} holds no graph: nodes and edges are needed to train")
    store(load(path, schema["read"]), schema, folder)


def new_folds(_frame: pd.DataFrame, target: Array, _schema: dict[str, Any], solution: dict[str, Any]) -> Array:
    """As many folds as in the first training, stratified; one fold (the user's validation nodes) becomes a fifth of
    the rows, the others are only trained on (-1)."""
    random, count = np.random.default_rng(solution["seed"]), int(solution["folds"])
    folds = np.empty(len(target), dtype=np.int16)
    start = 0
    for code in np.unique(target):
        places = random.permutation(np.flatnonzero(target == code))
        turn = (start + np.arange(len(places))) % (count if count > 1 else 5)
        folds[places] = turn if count > 1 else np.where(turn == 0, 0, -1)
        start += len(places)
    return folds


def store(graph: Graph, schema: dict[str, Any], folder: Path) -> None:
    """Write the typed nodes, edges and features of a graph; no label is among them."""
    about = schema["graph"]
    own = {about["id"], about["neighbours"], about["features"]}
    plain = [column for column in schema["columns"] if column["name"] not in own]
    columns = table_io.typed(graph.columns, {**schema, "columns": plain})
    words = graph.words
    if words.shape[1] != about["width"] or graph.names != about["names"]:
        places = _places(tuple(about["names"]))
        texts = [packed([(places[n], v) for n, v in zip(*row, strict=True)]) for row in _named(graph, places)]
        words = unpacked_rows(texts, about["width"])
    names = {key: about[key] for key in ("id", "neighbours", "features")}
    write_graph(folder, StoredGraph(graph.ids, columns, words, graph.edges, graph.directed, names))


def _named(graph: Graph, places: dict[str, int]) -> list[tuple[Sequence[str], Sequence[float]]]:
    """Names and values of the features of each node, those that are known."""
    if not graph.names:
        raise ValueError(f"the nodes have {graph.words.shape[1]} features without names, another number than before")
    rows = []
    for start, end in zip(graph.words.indptr, graph.words.indptr[1:], strict=False):
        pairs = [(graph.names[place], float(value)) for place, value in
                 zip(graph.words.indices[start:end], graph.words.data[start:end], strict=True)
                 if graph.names[place] in places]  # fmt: skip
        pairs.sort(key=lambda pair: places[pair[0]])
        rows.append(([name for name, _ in pairs], [value for _, value in pairs]))
    return rows
