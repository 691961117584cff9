"""Which images are meant, and how they are laid out: class folders, or a table with their file names; zip of either."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding, Request
from automl_agent.tasks.tables.reading import read_table
from automl_agent.tasks.tables.sources import Source

if TYPE_CHECKING:
    import pandas as pd

ACCEPTED = (
    "Accepted are a folder with a folder of images for each class, or a table with file names and labels beside the"
    " images; also a zip archive of either. Images: PNG, JPEG, GIF, BMP, TIFF, WebP."
)
SHOWN = 50
"""Rows of a table that are looked at to find the column of file names."""
NAMES = 0.5
"""Share of these that must name files that are there."""


@dataclass(frozen=True)
class Images:
    """Rows of images as they lie."""

    path: Path
    options: dict[str, Any]
    """What reads them again in the same way (`schema["read"]`)."""
    frame: pd.DataFrame
    """A column of file names that know their place, and what else is known of each image; the index is the row."""
    others: tuple[str, ...] = ()
    """Columns of the table besides the file names."""
    parts: frozenset[str] = frozenset()
    """`train`, `test`: folders that divide the class folders."""
    findings: tuple[Finding, ...] = field(default=())

    @property
    def column(self) -> str:
        return str(self.options["column"])


def find_images(request: Request) -> Images | None:
    """The images that a request brings; `None` when it brings none.

    Raises:
        InputError: there are images, but they cannot be read.
    """
    places = [Path(given).expanduser() for given in dict.fromkeys(request.data)]
    try:
        if not places or len(places) > 2 or not all(place.exists() for place in places):
            return None  # whoever reads tables says what is wrong with a path
        if len(places) == 2:
            folders = [place for place in places if place.is_dir()]
            tables = [place for place in places if place.is_file()]
            if len(folders) != 1 or len(tables) != 1:
                return None
            return _table(tables[0], None, os.path.relpath(folders[0], tables[0].parent))
        return look(places[0])
    except OSError as error:
        raise InputError(f"{places[0]} cannot be read: {error.strerror or error}.") from error


def look(path: Path) -> Images | None:
    """The images behind one path; `None` when there are none.

    Raises:
        InputError: there are images, but they cannot be read.
    """
    from automl_agent.tasks.image_classification.shared import image_io

    if not path.is_dir() and not path.is_file():
        return None
    try:
        if not image_io.is_container(path):
            if path.suffix.lower() in image_io.SUFFIXES:
                raise InputError(f"{path.name!r} is a single image: there is nothing to learn.", hint=ACCEPTED)
            return _table(path, None, "")
        names = image_io.listing(path)
        if not names:
            return None
        table = image_io.table_of(path)
        found = _table(path, table, "") if table else None
        if found is not None:
            return found
        return _folders(path, names)
    except (ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name!r} cannot be read: {error}.", hint=ACCEPTED) from error


def _folders(path: Path, names: list[str]) -> Images:
    from automl_agent.tasks.image_classification.shared import image_io

    options: dict[str, Any] = {"layout": "folders", "column": "image", "target": "label", "part": None}
    parts = image_io.parts_of(names)
    if parts == {"train"} or parts == {"train", "test"}:
        options["part"] = "train"
    frame = image_io.labelled(path, names, options)
    return Images(path, options, frame, parts=frozenset(filter(None, parts)) if options["part"] else frozenset())


def _table(path: Path, table: str | None, images: str) -> Images | None:
    """A table with a column of image files; `None` where no column names files that are there."""
    from automl_agent.tasks.image_classification.shared import image_io

    source = Source(path / table) if table and path.is_dir() else Source(path, table)
    try:
        read = read_table(source)
    except InputError:
        return None  # whoever reads tables says what is wrong with it
    frame = read.frame
    step = max(1, len(frame) // SHOWN)
    best, share = None, 0.0
    for name in frame.columns:
        some = frame[name].iloc[::step].dropna()
        if not len(some) or some.nunique() < 2:
            continue
        placed = image_io.locate(some.tolist(), path, table, images)
        hits = sum(isinstance(value, image_io.Located) for value in placed) / len(some)
        if hits > share:
            best, share = str(name), hits
    if best is None or share < NAMES:
        return None
    located = image_io.locate(frame[best].tolist(), path, table, images)
    frame = frame.assign(**{best: located.set_axis(frame.index)})
    options = {"layout": "table", "column": best, "target": "", "part": None, "images": images, "table": read.options}
    others = tuple(str(name) for name in frame.columns if name != best)
    return Images(path, options, frame, others, findings=read.findings)
