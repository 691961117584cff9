"""The graph as candidates read it: nodes with their typed columns (`nodes.parquet`), edges and sparse features
(`graph.npz`). No label is in either.

Both lie in the data folder while models are searched, and in `files/` of a bundle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StoredGraph:
    """All nodes of a graph, those without a label and those of the test included."""

    ids: list[str]
    columns: pd.DataFrame
    """Typed feature columns, (nodes, columns); without columns where there are none."""
    words: Any
    """Sparse features: csr_matrix (nodes, width) of float32; width 0 where there are none."""
    edges: Array
    """int64 (edges, 2): positions of nodes. No self-loops, each edge once."""
    directed: bool
    names: dict[str, str] = field(default_factory=dict)
    """Names of the columns that rows have besides features: `id`, `neighbours`, and `features` (may be empty)."""

    @property
    def nodes(self) -> int:
        return len(self.ids)

    def adjacency(self) -> Any:
        """csr_matrix (nodes, nodes) of ones, both directions."""
        one, other = self.edges[:, 0], self.edges[:, 1]
        ones = np.ones(2 * len(one))
        places = (np.concatenate([one, other]), np.concatenate([other, one]))
        matrix = sparse.csr_matrix((ones, places), shape=(self.nodes, self.nodes))
        matrix.data[:] = 1.0  # two nodes may cite each other
        return matrix


def write_graph(folder: Path, graph: StoredGraph) -> None:
    """Write `nodes.parquet` and `graph.npz`; the same graph gives the same arrays."""
    named = graph.columns.copy(deep=False)
    named.insert(0, graph.names["id"], pd.Series(graph.ids, dtype=object, index=named.index))
    named.to_parquet(folder / "nodes.parquet", index=False)
    arrays = {
        "edges": graph.edges.astype(np.int32),
        "directed": np.array(graph.directed),
        "names": np.array(json.dumps(graph.names, ensure_ascii=False)),
        "data": graph.words.data.astype(np.float32),
        "indices": graph.words.indices.astype(np.int32),
        "indptr": graph.words.indptr.astype(np.int64),
        "shape": np.array(graph.words.shape, dtype=np.int64),
    }
    np.savez_compressed(folder / "graph.npz", **arrays)


def read_graph(folder: str | Path) -> StoredGraph:
    """Read what `write_graph` wrote; the same object for the same files, so that folds share it."""
    path = Path(folder) / "graph.npz"
    return _read(str(folder), path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(folder: str, _stamp: int) -> StoredGraph:
    with np.load(Path(folder) / "graph.npz", allow_pickle=False) as file:
        arrays = dict(file)
    names = json.loads(str(arrays["names"]))
    table = pd.read_parquet(Path(folder) / "nodes.parquet")
    ids = [str(name) for name in table.pop(names["id"])]
    words = sparse.csr_matrix(
        (arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(int(size) for size in arrays["shape"])
    )
    return StoredGraph(ids, _objects(table), words, arrays["edges"].astype(np.int64), bool(arrays["directed"]), names)


def _objects(table: pd.DataFrame) -> pd.DataFrame:
    """Texts as Python strings with `None` where missing, as typed rows have them; numbers float64."""
    data: dict[str, Any] = {}
    for name in table.columns:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column):
            data[name] = column.to_numpy(np.float64)
        elif pd.api.types.is_datetime64_any_dtype(column):
            data[name] = column.to_numpy().astype("datetime64[ns]")
        else:
            plain = column.astype(object)
            data[name] = plain.where(plain.notna(), None)
    return pd.DataFrame(data, index=table.index)


# ---------------------------------------------------------------- what rows hold


def packed(pairs: list[tuple[Any, float]]) -> str:
    """Sparse features of one node as text: `[3,17]` where all are 1, else `[[3,0.5],[17,2.0]]`; "" without any."""
    if not pairs:
        return ""
    plain: list[Any] = [list(pair) for pair in pairs]
    if all(value == 1 for _, value in pairs):
        plain = [place for place, _ in pairs]
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def packed_rows(words: Any, names: list[str] | None = None) -> list[str]:
    """`packed` for each row of a csr_matrix; with names instead of places where there are some."""
    places: list[Any] = words.indices.tolist()
    values = [round(value, 6) for value in words.data.tolist()]
    if names:
        places = [names[place] for place in places]
    starts = words.indptr.tolist()
    return [packed(list(zip(places[start:end], values[start:end], strict=True))) for start, end in pairwise(starts)]


def unpacked_rows(texts: Any, width: int) -> Any:
    """csr_matrix (rows, width) of float32 from texts that `packed` wrote."""
    rows, places, values = [], [], []
    for row, text in enumerate(texts):
        for entry in json.loads(text) if text else []:
            place, value = entry if isinstance(entry, list) else (entry, 1.0)
            rows.append(row)
            places.append(place)
            values.append(value)
    return sparse.csr_matrix((np.array(values, np.float32), (rows, places)), shape=(len(texts), width))


def listed(text: str | None) -> list[str]:
    """Ids of neighbours from the text that typed rows have."""
    return [str(name) for name in json.loads(text)] if text else []
