"""Which texts a request brings, and a short look at them: a table, or a folder with a sub-folder for each class."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from automl_agent.records import Request
from automl_agent.tasks.family import Peek, PeekColumn, kept_examples
from automl_agent.tasks.tables import peeking
from automl_agent.tasks.tables.sources import Source, Sources, find_sources

if TYPE_CHECKING:
    import pandas as pd

MODALITY = "folder of texts"
LOOKED_AT = 400
EXAMPLES, WIDTH = 20, 80
_TRAIN, _TEST = ("train", "training"), ("test", "testing", "holdout")


def find_texts(request: Request) -> Sources | None:
    """The tables or folders that a request means; `None` when it brings none.

    A folder counts when two or more of its sub-folders hold text files. Where these are called train and test, it is
    their sub-folders that count, and the second is the user's own test.

    Raises:
        InputError: as for tables.
    """
    folder = _folder(request.data)
    if folder is None:
        return find_sources(request)
    inner = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    train, test = (next((inner[name] for name in names if name in inner), None) for names in (_TRAIN, _TEST))
    if train and _classes(train) > 1:
        own = test if test and _classes(test) > 1 else None
        folder = train
    else:
        own = None
    if request.test_data:
        own = Path(request.test_data).expanduser()
    return Sources(Source(folder), Source(own) if own else None, test_is_sure=own is not None)


def _folder(data: tuple[str, ...]) -> Path | None:
    """The folder that holds texts by class, when that is what was given."""
    if len(data) != 1 or "\0" in data[0] or "://" in data[0]:
        return None
    folder = Path(data[0]).expanduser()
    try:
        if not folder.is_dir():
            return None
        if _classes(folder) > 1:
            return folder
        inner = [path for path in folder.iterdir() if path.is_dir() and path.name.lower() in _TRAIN]
        return folder if len(inner) == 1 and _classes(inner[0]) > 1 else None
    except OSError:
        return None


def _classes(folder: Path) -> int:
    """Number of sub-folders that hold text files."""
    from automl_agent.tasks.text_classification.shared.text_files import class_folders

    return len(class_folders(folder))


def peek(request: Request) -> Peek | None:
    """Look at a table, or at some files of a folder.

    Raises:
        InputError: it cannot be read.
    """
    sources = find_texts(request)
    if sources is None:
        return None
    if not sources.table.path.is_dir():
        return peeking.peek(request)
    return _peek_folder(sources, _stamp(sources.table.path))


def _stamp(folder: Path) -> int:
    return max(path.stat().st_mtime_ns for path in (folder, *(inner for inner in folder.iterdir() if inner.is_dir())))


@lru_cache(maxsize=4)
def _peek_folder(sources: Sources, _modified: int) -> Peek:
    from automl_agent.tasks.text_classification.shared import text_files as files

    frame, _ = files.read_folder(sources.table.path, LOOKED_AT)
    groups = files.class_folders(sources.table.path)
    total = sum(len(paths) for paths in groups.values())
    names = sorted(groups, key=lambda name: (-len(groups[name]), name))[:EXAMPLES]
    label = PeekColumn(files.LABEL, "category", len(groups), kept_examples(names, len(groups)),
                       shares=tuple(round(len(groups[name]) / total, 4) for name in names))  # fmt: skip
    return Peek(
        sources=tuple(source.path.name for source in (sources.table, sources.test) if source),
        modality=MODALITY,
        rows=len(frame),
        columns=(_texts(frame, files.TEXT), label),
    )


def _texts(frame: pd.DataFrame, name: str) -> PeekColumn:
    known = [" ".join(text.split()) for text in frame[name] if isinstance(text, str) and text.strip()]
    examples = tuple(dict.fromkeys(text[:WIDTH] for text in known))[:EXAMPLES]
    return PeekColumn(name, "text", len(set(known)), examples, missing=round(1 - len(known) / max(1, len(frame)), 4))
