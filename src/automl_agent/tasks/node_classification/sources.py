"""Which files are a graph, and how they are read: npz, GraphML, two tables, or one that names neighbours."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding, Request, Scalar
from automl_agent.tasks.node_classification.family import graph_io
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sources import SUFFIXES, Source

if TYPE_CHECKING:
    import pandas as pd

ACCEPTED = (
    "Accepted are a table of nodes with a table of edges (two files, a folder or a zip archive), an npz file, GraphML,"
    " or one table with a column of neighbours."
)
OPTIONS = ("directed", "id", "source", "destination", "neighbours", "split")
"""Options of the family: `directed` is yes or no, the others name columns."""
GRAPHS = (".npz", ".graphml")
_MORE = (".content", ".cites", ".edges", ".edgelist", ".nodes", ".labels")
_MOST = 12
"""Tables of a folder or archive that are looked at."""
_HEAD = 50
"""Rows by which a table is looked at first."""
_ENDS = (
    r"(?:source|src|from|u|head|start|sender|citing|citing_?paper\w*|follower|parent)_?(?:node|id|paper)?(?:_id)?",
    r"(?:target|dst|dest|destination|to|v|tail|end|receiver|cited|cited_?paper\w*|followee|followed|child)"
    r"_?(?:node|id|paper)?(?:_id)?",
)
_TWINS = re.compile(r"(.*?)_?(?:1|a|left)$"), re.compile(r"(.*?)_?(?:2|b|right)$")
_EDGE_FILE = re.compile(r"edge|link|cites|citation|adjacen|network|relation|friend|follow|interaction", re.IGNORECASE)
_NODE_FILE = re.compile(r"node|vert|feature|content|label|attribute", re.IGNORECASE)
_ID = re.compile(r"(?:.*[_ ])?(?:node|id|node_?id|vertex|paper|name|key)", re.IGNORECASE)
_NEIGHBOURS = re.compile(
    r"neighbou?rs?|neighbou?r_?ids|adjacent|adjacency|links|linked_?to|connected_?to", re.IGNORECASE
)
LABEL = re.compile(r"(?:.*[_ ])?(?:label|labels|class|category|subject|topic|target|y|type|group)", re.IGNORECASE)
"""Names that a column of labels usually has."""
_COVERED = 0.5
"""Share of the ends of edges, of each of the two, that must be nodes."""
_PLAINLY = 0.98
"""The same where no name says that they are ends of edges."""
_FEW = 5
"""Columns up to which a table of edges is about edges, and not about something that happens between nodes."""


@dataclass(frozen=True)
class GraphSource:
    """A graph that was found, and how sure it is that it is one."""

    place: Any
    """A path, or the paths of the two tables."""
    name: str
    options: dict[str, Any]
    """What `graph_io.load` reads it with (`schema["read"]`)."""
    evident: bool
    """Whether names or the format say that it is a graph; else two tables merely look like one."""
    findings: tuple[Finding, ...] = ()


def find_graph(request: Request) -> GraphSource | None:
    """The graph that a request brings; `None` where it brings something else.

    Raises:
        InputError: a file is a graph and cannot be read, or the family was asked for and there is no graph.
    """
    stamps = tuple(_stamp(given) for given in request.data)
    options = tuple(sorted((key, value) for key, value in request.options.items() if key in OPTIONS))
    asked = request.family == "node_classification"
    return _find(request.data, stamps, options, request.target, asked)


def _stamp(given: str) -> tuple[int, int]:
    try:
        status = Path(given).expanduser().stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _find(data: tuple[str, ...], _stamps: Any, given: tuple[tuple[str, Scalar], ...], target: str | None, asked: bool
          ) -> GraphSource | None:  # fmt: skip
    options = dict(given)
    paths = [Path(one).expanduser() for one in data if "://" not in one and "\0" not in one]
    if len(paths) != len(data) or not paths or len(paths) > 2 or not all(path.exists() for path in paths):
        return None
    if len(paths) == 1 and (alone := _one_file(paths[0], options)):
        return alone
    try:
        tables = _tables(paths, options)
        found = _pair(tables, options, paths, target) if len(tables) > 1 else _rows(tables, options)
    except InputError:
        if asked:
            raise
        return None
    if found is None and asked:
        names = ", ".join(table.name for table, _ in tables[:6]) or ", ".join(path.name for path in paths)
        raise InputError(f"No graph was found in {names}: no table's columns name nodes of another.", hint=ACCEPTED)
    return found


# ---------------------------------------------------------------- one file


def _one_file(path: Path, options: dict[str, Scalar]) -> GraphSource | None:
    """An npz or GraphML file, also as the only one of its kind in a folder."""
    if path.is_dir():
        inside = [one for one in sorted(path.iterdir()) if one.is_file() and one.suffix.lower() in GRAPHS]
        if len(inside) != 1:
            return None
        path = inside[0]
    if not path.is_file() or not path.stat().st_size:
        return None
    files = graph_io().graph_files
    members = files.npz_members(path)
    if files.is_graph(members):
        read = {"format": "npz", "target": files.label_key(members)}
    elif files.is_graphml(path):
        read = {"format": "graphml"}
    else:
        return None
    names = {"id": "node", "neighbours": "neighbours", "features": "features", "directed": _directed(options)}
    return GraphSource(path, path.name, names | read, evident=True)


def _directed(options: dict[str, Scalar]) -> bool | None:
    value = options.get("directed")
    if value is None or isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise InputError(f"The option directed is {value!r}.", hint="Accepted are yes and no.")
    return known[str(value).lower()]


# ---------------------------------------------------------------- tables


def _tables(paths: Iterable[Path], given: dict[str, Scalar]) -> list[tuple[Source, Table]]:
    """The tables behind the paths, read; none where they cannot be a graph."""
    sources: list[Source] = []
    for path in paths:
        if path.is_dir():
            sources += [Source(one) for one in sorted(path.iterdir()) if one.is_file() and _is_table(one.name)]
        elif not path.is_file():  # a pipe would be waited for
            continue
        elif zipfile.is_zipfile(path) and path.suffix.lower() not in (".xlsx", ".xlsm", ".npz"):
            with zipfile.ZipFile(path) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
            inside = [name for name in names if "__MACOSX" not in name and _is_table(name)]
            sources += [Source(path, name) for name in inside]
        else:
            sources.append(Source(path))
    if len(sources) > _MOST or not _promising([(source, read_table(source, limit=_HEAD)) for source in sources], given):
        return []
    return [(source, read_table(source)) for source in sources]


def _promising(heads: list[tuple[Source, Table]], given: dict[str, Scalar]) -> bool:
    """Whether columns look like edges or neighbours: only then tables are read whole, just to look at them."""
    if len(heads) == 1:
        names = [str(name) for name in heads[0][1].frame.columns]
        return given.get("neighbours") in names or any(_NEIGHBOURS.fullmatch(name) for name in names)
    return any(_ends(head, given, _EDGE_FILE.search(source.name) is not None) for source, head in heads)


def _is_table(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith((*SUFFIXES, *_MORE)) and not Path(name).name.startswith(".")


def _pair(tables: list[tuple[Source, Table]], given: dict[str, Scalar], paths: list[Path],
          target: str | None) -> GraphSource | None:  # fmt: skip
    """The two tables that fit best: the ends of the edges in one are ids in the other."""
    best: tuple[float, Any] = (0.0, None)
    for n, (_, nodes) in enumerate(tables):
        for e, (edge_source, edges) in enumerate(tables):
            if n == e or not len(nodes.frame.columns):
                continue
            ends = _ends(edges, given, _EDGE_FILE.search(edge_source.name) is not None)
            for first, second, named in ends:
                key, covered = _id_column(nodes, edges, (first, second), given, named)
                score = covered + 0.5 * named + 0.2 * bool(_NODE_FILE.search(tables[n][0].name))
                if covered >= (_COVERED if named else _PLAINLY) and score > best[0]:
                    evident = named and len(edges.frame.columns) <= _FEW
                    best = (score, (n, e, first, second, key, evident))
    if best[1] is None:
        return None
    n, e, first, second, key, evident = best[1]
    (node_source, nodes), (edge_source, edges) = tables[n], tables[e]
    read = {
        "format": "tables",
        "id": key or _free("node", nodes.frame),
        "numbered": key is None,
        "neighbours": _free("neighbours", nodes.frame),
        "features": _free("features", nodes.frame),
        "source": first,
        "destination": second,
        "directed": _directed(given),
        "words": _words(nodes, key, target),
        "decimal": nodes.options["decimal"],
        "nodes": nodes.options | {"file": node_source.member or node_source.path.name},
        "edges": edges.options | {"file": edge_source.member or edge_source.path.name},
    }
    place = paths[0] if len(paths) == 1 else (node_source.path, edge_source.path)
    unused = [str(name) for name in edges.frame.columns if name not in (first, second)]
    findings = [*nodes.findings, *edges.findings]
    if unused:
        text = f"columns of the edges that are not used: {', '.join(unused[:5])}"
        findings.append(Finding(kind="edge_columns", columns=tuple(unused), count=len(unused), text=text))
    names = f"{node_source.name} and {edge_source.name}"
    return GraphSource(place, names, read, evident=evident, findings=tuple(findings))


def _words(nodes: Table, key: str | None, target: str | None) -> list[str]:
    """The columns of numbers where these are too many to be columns of their own: they become sparse features."""
    from automl_agent.tasks.tables.kinds import find_kind

    names = [str(name) for name in nodes.frame.columns]
    limit = graph_io().graph_files.DENSE
    if len(names) <= limit:
        return []
    others = [name for name in names if name not in (key, target) and not LABEL.fullmatch(name)]
    kinds = {name: find_kind(nodes.frame[name], nodes.options["decimal"], name) for name in others}
    found = [
        name for name, kind in kinds.items() if kind.kind == "number" or (kind.kind == "constant" and kind.integer)
    ]
    return found if len(found) > limit else []


def _free(name: str, frame: pd.DataFrame) -> str:
    while name in frame.columns:
        name += "_"
    return name


def _ends(table: Table, given: dict[str, Scalar], file_says_so: bool) -> list[tuple[str, str, bool]]:
    """Pairs of columns that may be the ends of edges, and whether names say that they are."""
    names = [str(name) for name in table.frame.columns]
    asked = given.get("source"), given.get("destination")
    if asked[0] in names and asked[1] in names:
        return [(str(asked[0]), str(asked[1]), True)]
    if len(names) < 2:
        return []
    low = {name: re.sub(r"\W+", "_", name.lower()) for name in names}
    firsts = [name for name in names if re.fullmatch(_ENDS[0], low[name])]
    seconds = [name for name in names if re.fullmatch(_ENDS[1], low[name])]
    if len(firsts) == 1 and len(seconds) == 1:
        return [(firsts[0], seconds[0], True)]
    for one in names:
        match = _TWINS[0].fullmatch(low[one])
        twin = next((two for two in names if match and (other := _TWINS[1].fullmatch(low[two]))
                     and other.group(1) == match.group(1)), None)  # fmt: skip
        if twin:
            return [(one, twin, True)]
    return [(names[0], names[1], file_says_so)] if len(names) == 2 or (file_says_so and len(names) == 3) else []


def _id_column(nodes: Table, edges: Table, ends: tuple[str, str], given: dict[str, Scalar], named: bool
               ) -> tuple[str | None, float]:  # fmt: skip
    """The column of ids, and the share of ends (the worse of the two) that it covers.

    No column where edges count the rows from 0.
    """
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import texts

    wanted = [pd.Index(texts(edges.frame[end]), dtype=object) for end in ends]
    best: tuple[str | None, float] = (None, 0.0)
    rows = len(nodes.frame)
    candidates = [str(name) for name in nodes.frame.columns][:50]
    if given.get("id") in candidates:
        candidates = [str(given["id"])]
    for name in sorted(candidates, key=lambda name: not _ID.fullmatch(name)):
        ids = pd.Index(texts(nodes.frame[name]), dtype=object).unique()
        if len(ids) < 0.9 * rows:
            continue
        covered = min(float(end.isin(ids).mean()) for end in wanted)
        if covered > best[1] + 1e-9:
            best = (name, covered)
    if best[1] < _COVERED and named and not given.get("id"):
        numbers = pd.Index([str(number) for number in range(rows)], dtype=object)
        covered = min(float(end.isin(numbers).mean()) for end in wanted)
        if covered > 0.99:
            return None, covered
    return best


def _rows(tables: list[tuple[Source, Table]], given: dict[str, Scalar]) -> GraphSource | None:
    """One table with a column that names the neighbours of each node."""
    from automl_agent.tasks.tables.shared.table_values import texts

    if len(tables) != 1:
        return None
    source, table = tables[0]
    names = [str(name) for name in table.frame.columns]
    asked = given.get("neighbours")
    column = str(asked) if asked in names else next((name for name in names if _NEIGHBOURS.fullmatch(name)), None)
    if column is None:
        return None
    lists = [graph_io().parsed_ids(value) for value in table.frame[column].head(2000)]
    near = {name for found in lists for name in found}
    keys = [str(given["id"])] if given.get("id") in names else names
    for key in keys:
        if key == column or not near:
            continue
        ids = set(texts(table.frame[key]))
        if len(ids) >= 0.9 * len(table.frame) and len(near & ids) >= _COVERED * len(near):
            read = {"format": "rows", "id": key, "neighbours": column, "features": _free("features", table.frame),
                    "directed": _directed(given), "decimal": table.options["decimal"],
                    "nodes": table.options}  # fmt: skip
            return GraphSource(source.path, source.name, read, evident=True, findings=table.findings)
    return None
