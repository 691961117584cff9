"""Which images are meant, and how they are laid out: class folders, or a table with their file names; zip of either."""

from __future__ import annotations

import os
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
SHOWN = 100
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
    beside: str | None = None
    """A table that lies there, too, and says nothing of the images."""
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
    except OSError:
        return None


def look(path: Path) -> Images | None:
    """The images behind one path; `None` when there are none.

    Raises:
        InputError: there are images, but they cannot be read.
    """
    from automl_agent.tasks.image_classification.shared import image_io

    if not path.is_dir() and not path.is_file():
        return None
    if not image_io.is_container(path):
        if path.suffix.lower() in image_io.SUFFIXES:
            raise InputError(f"{path.name!r} is a single image: there is nothing to learn.", hint=ACCEPTED)
        return _table(path, None, "")
    try:
        names = image_io.listing(path)
    except image_io.TooMany as error:
        raise InputError(f"{error}.", hint="Give a part of them.") from error
    except ValueError:
        return None  # whoever reads tables says what is wrong with an archive
    if not names or (path.is_dir() and len(names) < _others(path, names)):
        return None
    table = image_io.table_of(path)
    return (_table(path, table, "") if table else None) or _folders(path, names, table)


def _others(path: Path, names: list[str]) -> int:
    """Files in a folder that are no images: where they are more, it is a folder of something else."""
    return sum(len(files) for _, _, files in os.walk(path)) - len(names)


def _folders(path: Path, names: list[str], table: str | None) -> Images:
    from automl_agent.tasks.image_classification.shared import image_io

    options: dict[str, Any] = {"layout": "folders", "column": "image", "target": "label", "part": None}
    parts = image_io.parts_of(names)
    if parts == {"train"} or parts == {"train", "test"}:
        options["part"] = "train"
    frame = image_io.labelled(path, names, options)
    known = frozenset(filter(None, parts)) if options["part"] else frozenset()
    return Images(path, options, frame, parts=known, beside=table)


def _table(path: Path, table: str | None, images: str) -> Images | None:
    """A table with a column of image files; `None` where no column names files that are there."""
    from automl_agent.tasks.image_classification.shared import image_io

    source = Source(path / table) if table and path.is_dir() else Source(path, table)
    try:
        some = read_table(source, limit=SHOWN).frame
    except InputError:
        return None  # whoever reads tables says what is wrong with it
    bare = table is None and not images  # then nothing says that images lie near by: only names with suffix count
    best, share = None, 0.0
    for name in some.columns:
        values = [value for value in some[name].tolist() if isinstance(value, str | int | float) and value == value]
        named = sum(str(value).lower().endswith(image_io.SUFFIXES) for value in values)
        if len(set(values)) < 2 or (bare and named < NAMES * len(values)):
            continue
        placed = image_io.locate(values, path, table, images)
        hits = sum(isinstance(value, image_io.Located) for value in placed) / len(values)
        if hits > share:
            best, share = str(name), hits
    if best is None or share < NAMES:
        return None
    read = read_table(source)
    located = image_io.locate(read.frame[best].tolist(), path, table, images)
    frame = read.frame.assign(**{best: located.set_axis(read.frame.index)})
    options = {"layout": "table", "column": best, "target": "", "part": None, "images": images, "table": read.options}
    others = tuple(str(name) for name in frame.columns if name != best)
    return Images(path, options, frame, others, findings=read.findings)
