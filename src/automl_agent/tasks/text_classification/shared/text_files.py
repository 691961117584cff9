"""Folders of text files as tables, and texts as a type of their own in a frame."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pandas as pd

SUFFIXES = (".txt", ".text", ".md")
TEXT, LABEL, FILE = "text", "label", "file"
"""Columns of a table that was read from a folder."""
MAX_BYTES = 1_000_000
"""Of one file: more than any model reads of a text."""
MAX_FILES = 500_000


def is_text_file(path: Path) -> bool:
    """Whether a file is taken for a text: by its suffix, or because it has none (or a number for one)."""
    suffix = path.suffix.lower()
    return path.is_file() and not path.name.startswith(".") and (suffix in SUFFIXES or not suffix.strip(".0123456789"))


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Text files by the sub-folder that they lie in, both in alphabetical order; a link out of the folder is no text.

    Sub-folders without text files are left out.
    """
    root = folder.resolve()
    found: dict[str, list[Path]] = {}
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        files = sorted(path for path in inner.iterdir() if is_text_file(path) and path.resolve().is_relative_to(root))
        if files:
            found[inner.name] = files
    return found


def read_folder(folder: Path, limit: int | None = None) -> tuple[pd.DataFrame, dict[str, list[int]]]:
    """Read text files: those of sub-folders with their names as labels, or those of the folder itself, without labels.

    Args:
        limit: files read at most, spread over the sub-folders.

    Returns:
        Columns `text`, `label` and `file`, and the positions of files that are no text (`binary`) or longer than
        `MAX_BYTES` (`long`, cut there).

    Raises:
        ValueError: there are no text files, or too many.
    """
    groups: dict[str, list[Path]] = dict(class_folders(folder))
    pairs: list[tuple[str | None, Path]] = [(name, path) for name, files in groups.items() for path in files]
    pairs = pairs or [(None, path) for path in sorted(folder.iterdir()) if is_text_file(path)]
    if not pairs:
        raise ValueError(f"it holds no text files ({', '.join(SUFFIXES)})")
    if len(pairs) > MAX_FILES:
        raise ValueError(f"it holds {len(pairs)} files; at most {MAX_FILES} can be read")
    if limit is not None and len(pairs) > limit:
        pairs = pairs[:: -(-len(pairs) // limit)]
    texts: list[str | None] = []
    odd: dict[str, list[int]] = {"binary": [], "long": []}
    for place, (_, path) in enumerate(pairs):
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            odd["long"].append(place)
        text = decoded(content[:MAX_BYTES])
        if text is None:
            odd["binary"].append(place)
        texts.append(text)
    labels = [label for label, _ in pairs]
    files = [f"{label}/{path.name}" if label else path.name for label, path in pairs]
    columns = {TEXT: texts, LABEL: labels, FILE: files}
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()}), odd


def read_file(path: Path) -> pd.DataFrame:
    """One text file as a table of one row.

    Raises:
        ValueError: it is no text.
    """
    text = decoded(path.read_bytes()[:MAX_BYTES])
    if text is None:
        raise ValueError(f"{path.name} is no text")
    return pd.DataFrame({TEXT: [text], FILE: [path.name]}, dtype=object)


def decoded(content: bytes) -> str | None:
    """The text of a file: by its byte order mark, as UTF-8, or else as Windows-1252; `None` when it is no text."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(name, "replace")
    if b"\0" in content:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(content)  # a letter cut at the end is no error
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def as_texts(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """The frame with its text columns in pandas' string type: by that a model tells them from labels."""
    names = [column["name"] for column in schema["columns"] if column["kind"] == "text"]
    return frame.astype({name: pd.StringDtype("python") for name in names if name in frame.columns})
