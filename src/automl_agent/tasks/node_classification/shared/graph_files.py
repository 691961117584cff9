"""Graphs in one file: npz archives and GraphML, read without running or expanding anything that they hold.

Both become a `RawGraph`. Everything that is wrong with a file is a `ValueError` with one line of text.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

Array = npt.NDArray[Any]

DENSE = 200
"""Number columns up to which features are columns of the rows; above, they are one sparse column."""
MAX_ENTRIES = 10**9
IDS = ("ids", "node_ids", "nodes", "node_names", "names", "idx_to_node")
LABELS = ("labels", "label", "y", "node_labels", "node_label", "target", "targets")
CLASSES = ("label_names", "class_names", "classes", "idx_to_class")
EDGES = ("edges", "edge_index", "edge_list", "edgelist")
FEATURES = ("features", "x", "attr_matrix", "feat", "node_features", "attr")
ADJACENCY = ("adj", "adj_matrix", "adjacency", "A")
NAMES = ("feature_names", "attr_names", "idx_to_attr", "words")
SPLITS = {"train": ("train_mask", "train_idx", "idx_train", "train"), "val": ("val_mask", "val_idx", "idx_val", "val",
          "valid_mask", "valid_idx"), "test": ("test_mask", "test_idx", "idx_test", "test")}  # fmt: skip


@dataclass
class RawGraph:
    """A graph as read: nothing is repaired yet."""

    ids: list[str]
    columns: pd.DataFrame
    """Raw columns of the nodes, the label among them; one row for each node."""
    ends: Array
    """(edges, 2) of object: ids of nodes; or of int64: positions."""
    directed: bool
    words: Any = None
    """csr_matrix (nodes, width) of float32, or `None`."""
    word_names: list[str] = field(default_factory=list)
    """Names of the columns of `words`; without names they are numbers from 0."""
    near: list[str] | None = None
    """Neighbours as the rows name them, JSON; `None` where the edges come by themselves."""


# ---------------------------------------------------------------- npz


def npz_members(path: Path) -> set[str]:
    """Names of the arrays in an npz file; empty for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return set()
    return {name[: -len(".npy")] for name in names} if names and all(n.endswith(".npy") for n in names) else set()


def is_graph(members: set[str]) -> bool:
    """Whether arrays of these names hold a graph."""
    return _first(members, EDGES) is not None or any(_matrix_of(members, name) for name in ADJACENCY)


def label_key(members: set[str]) -> str | None:
    return _first(members, LABELS)


def read_npz(path: Path, *, label: str | None = None) -> RawGraph:
    """Read a graph from an npz file.

    Args:
        label: name that the column of labels gets; by default that of the array.

    Raises:
        ValueError: no edges, arrays of Python objects, or arrays that do not fit each other.
    """
    members = npz_members(path)
    if not is_graph(members):
        raise ValueError(f"the arrays {', '.join(sorted(members)[:12])} hold no edges (edges, edge_index or adj_...)")
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > max(256 * 2**20, 200 * path.stat().st_size):
        raise ValueError("it would unpack to far more than a graph of its size holds")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: _array(file, name) for name in _wanted(members)}
    words = _features(arrays)
    key = _first(arrays, LABELS)
    ends, directed = _ends(arrays)
    nodes = _count(arrays, words, key, ends)
    if words is not None and words.shape[0] != nodes:
        raise ValueError(f"there are features of {words.shape[0]} nodes, and {nodes} nodes")
    columns: dict[str, Any] = {}
    if key is not None:
        columns[label or key] = _labels(arrays, key, nodes)
    split = _split(arrays, nodes)
    if split is not None:
        columns["split"] = split
    names = [str(name) for name in arrays[found]] if (found := _first(arrays, NAMES)) else []
    if words is not None and words.shape[1] <= DENSE and words.nnz > 0.5 * math.prod(words.shape):
        dense = words.toarray()
        columns |= {names[i] if names else f"feature_{i}": dense[:, i].astype(np.float64) for i in range(len(dense.T))}
        words, names = None, []
    named = _first(arrays, IDS)
    ids = [str(name) for name in arrays[named]] if named else [str(number) for number in range(nodes)]
    if len(ids) != nodes:
        raise ValueError(f"there are {len(ids)} ids and {nodes} nodes")
    return RawGraph(ids, pd.DataFrame(columns, index=range(nodes)), ends, directed, words, names)


def _wanted(members: set[str]) -> list[str]:
    known = (*IDS, *LABELS, *CLASSES, *EDGES, *FEATURES, *ADJACENCY, *NAMES, "directed")
    masks = [name for names in SPLITS.values() for name in names]
    parts = [f"{base}{part}" for base in (*ADJACENCY, *FEATURES, "features", "attr", "adj")
             for part in ("_data", "_indices", "_indptr", "_shape")]  # fmt: skip
    return sorted(members & {*known, *masks, *parts})


def _array(file: Any, name: str) -> Array:
    try:
        array: Array = file[name]
    except ValueError as error:
        raise ValueError(f"the array {name!r} holds Python objects, which are not read ({error})") from error
    return array


def _first(members: Any, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in members), None)


def _matrix_of(members: Any, name: str) -> bool:
    return name in members or all(f"{name}{part}" in members for part in ("_data", "_indices", "_indptr", "_shape"))


def _matrix(arrays: dict[str, Array], name: str) -> Any:
    if name in arrays:
        if arrays[name].ndim != 2:
            raise ValueError(f"the array {name!r} has the shape {arrays[name].shape}; a matrix was expected")
        return sparse.csr_matrix(arrays[name])
    shape = tuple(int(size) for size in arrays[f"{name}_shape"])
    if len(shape) != 2 or math.prod(shape) < 0 or len(arrays[f"{name}_data"]) > MAX_ENTRIES:
        raise ValueError(f"the matrix {name!r} has the shape {shape}")
    matrix = sparse.csr_matrix((arrays[f"{name}_data"], arrays[f"{name}_indices"], arrays[f"{name}_indptr"]), shape)
    matrix.check_format(full_check=True)
    return matrix


def _features(arrays: dict[str, Array]) -> Any:
    name = next((name for name in FEATURES if _matrix_of(arrays, name)), None)
    if name is None:
        return None
    words = _matrix(arrays, name).astype(np.float32)
    words.sum_duplicates()
    if not np.isfinite(words.data).all():
        raise ValueError("features hold values that are not finite")
    words.eliminate_zeros()
    return words


def _ends(arrays: dict[str, Array]) -> tuple[Array, bool]:
    directed = bool(arrays["directed"]) if "directed" in arrays else None
    name = _first(arrays, EDGES)
    if name is None:
        base = next(base for base in ADJACENCY if _matrix_of(arrays, base))
        matrix = _matrix(arrays, base)
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"the adjacency matrix has the shape {matrix.shape}; it must be square")
        one_way = (abs(matrix - matrix.T) > 1e-9).nnz > 0
        return np.stack(matrix.nonzero(), axis=1).astype(np.int64), one_way if directed is None else directed
    edges = arrays[name]
    if edges.ndim != 2 or 2 not in edges.shape:
        raise ValueError(f"the array {name!r} has the shape {edges.shape}; (edges, 2) or (2, edges) was expected")
    edges = edges if edges.shape[1] == 2 and not (name == "edge_index" and edges.shape[0] == 2) else edges.T
    if edges.dtype.kind in "US":
        edges = edges.astype(str).astype(object)
    elif edges.dtype.kind not in "iu":
        raise ValueError(f"the array {name!r} holds {edges.dtype} values; whole numbers or texts were expected")
    else:
        edges = edges.astype(np.int64)
    return edges, bool(directed)


def _count(arrays: dict[str, Array], words: Any, key: str | None, ends: Array) -> int:
    """Number of nodes, from what knows it."""
    named = _first(arrays, IDS)
    if named:
        return len(arrays[named])
    base = next((base for base in ADJACENCY if _matrix_of(arrays, base)), None)
    if base is not None:
        return int(_matrix(arrays, base).shape[0])
    if words is not None:
        return int(words.shape[0])
    if key is not None:
        return len(arrays[key])
    if ends.dtype == object:
        raise ValueError("edges name nodes by text, and no array tells the nodes (ids)")
    return int(ends.max(initial=-1)) + 1


def _labels(arrays: dict[str, Array], key: str, nodes: int) -> Array:
    """Labels as objects, `None` where unknown (-1, NaN, or a one-hot row of zeros)."""
    values = arrays[key]
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2:  # one-hot
        values = np.where(values.any(axis=1), values.argmax(axis=1), -1)
    if values.shape != (nodes,):
        raise ValueError(f"the array {key!r} has the shape {arrays[key].shape}, and there are {nodes} nodes")
    if values.dtype.kind in "US":
        return np.array([str(value) or None for value in values], object)
    unknown = np.isnan(values) if values.dtype.kind == "f" else values < 0
    names = _first(arrays, CLASSES)
    titles = [str(name) for name in arrays[names]] if names else []
    numbers = [None if lost else int(value) for value, lost in zip(values.tolist(), unknown, strict=True)]
    if titles and max((n for n in numbers if n is not None), default=0) < len(titles):
        return np.array([None if number is None else titles[number] for number in numbers], object)
    return np.array([None if number is None else str(number) for number in numbers], object)


def _split(arrays: dict[str, Array], nodes: int) -> Array | None:
    """`train`, `val`, `test` or "" for each node; `None` where the file has no masks."""
    found = np.full(nodes, "", object)
    seen = False
    for part, keys in SPLITS.items():
        key = next((key for key in keys if key in arrays and arrays[key].ndim == 1), None)
        if key is None:
            continue
        mask = arrays[key]
        if mask.dtype == bool or (len(mask) == nodes and set(np.unique(mask).tolist()) <= {0, 1}):
            if len(mask) != nodes:
                raise ValueError(f"the mask {key!r} has {len(mask)} entries, and there are {nodes} nodes")
            found[mask.astype(bool)] = part
        elif mask.dtype.kind in "iu" and mask.size and mask.min() >= 0 and mask.max() < nodes:
            found[mask] = part
        else:
            raise ValueError(f"the array {key!r} is neither a mask nor a list of nodes")
        seen = True
    return found if seen else None


# ---------------------------------------------------------------- GraphML


def is_graphml(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return b"<graphml" in head


def read_graphml(path: Path) -> RawGraph:
    """Read a GraphML file: attributes of nodes become columns; those of edges are not used.

    Raises:
        ValueError: it is not well formed, declares entities (which could expand without bound), or holds no nodes.
    """
    reader = _GraphML()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refused
    parser.EntityDeclHandler = _refused
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise ValueError(f"it is not well-formed XML ({error})") from error
    if not reader.nodes:
        raise ValueError("it holds no nodes")
    ids = list(reader.nodes)
    columns = {
        title: np.array([reader.nodes[name].get(key, reader.defaults.get(key)) for name in ids], object)
        for key, title in reader.keys.items()
    }
    ends = np.array(reader.edges, dtype=object).reshape(-1, 2)
    return RawGraph(ids, pd.DataFrame(columns, index=range(len(ids))), ends, reader.directed)


def _refused(*_: Any) -> None:
    raise ValueError("it declares a document type or entities, which are not read")


class _GraphML:
    """Collects nodes, edges and attributes while a file is parsed."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: list[tuple[str, str]] = []
        self.keys: dict[str, str] = {}
        """Attributes of nodes: key -> name."""
        self.defaults: dict[str, str] = {}
        self.directed = False
        self._node: str | None = None
        self._key: str | None = None
        self._default: str | None = None
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        if name == "key":
            self._default = attributes.get("id") if attributes.get("for") in ("node", "all") else None
            if self._default:
                self.keys[self._default] = attributes.get("attr.name") or self._default
        elif name == "graph":
            self.directed = attributes.get("edgedefault") == "directed"
        elif name == "node":
            self._node = attributes.get("id", "")
            self.nodes.setdefault(self._node, {})
        elif name == "edge":
            self.edges.append((attributes.get("source", ""), attributes.get("target", "")))
        elif name in ("data", "default"):
            self._key = attributes.get("key") if name == "data" else self._default
            self._text = []

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        name = name.rpartition(" ")[2]
        value = "".join(self._text).strip()
        if name == "node":
            self._node = None
        elif name == "data" and self._node is not None and self._key in self.keys:
            self.nodes[self._node][str(self._key)] = value
        elif name == "default" and self._default:
            self.defaults[self._default] = value
