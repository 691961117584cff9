"""Reads images and brings them into the form that models see: one code for training, prediction and serving.

This file travels with a bundle, so it imports public libraries only. An item is a row with one column of encoded image
files: as they came when they are small, else scaled down and encoded anew. Decoding is done here too, and bounded: a
file is believed to be an image only once Pillow has decoded it.

What a user may hand over, for training and prediction alike: a folder (or zip archive) whose folders are the classes; a
table with a column of file names, and the files beside it; a flat folder or a single file, to be predicted.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import stat
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageOps

Array = npt.NDArray[Any]

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Formats that are decoded; Pillow knows others whose parsers call foreign programs."""
MAX_BYTES = 64 * 2**20
"""Files beyond this are skipped. Images of over 89 million pixels are skipped, too (Pillow's own bound)."""
SHORTEST = 40
"""Characters below which a text is a file name, not an image in base64."""
MAX_FILES = 200_000
QUALITY = 92
TRAIN, TESTS = ("train", "training"), ("test", "testing", "val", "valid", "validation")
"""Names of folders that divide class folders into those to learn from and those to test on."""

PROBLEMS = {
    "no_image": "without an image",
    "not_found": "whose file was not found",
    "not_an_image": "that are no images (PNG, JPEG, GIF, BMP, TIFF, WebP)",
    "damaged": "that are damaged or cut off",
    "too_large": "of more than 64 MB or 89 million pixels",
}
"""Why an image cannot be used, as it ends the words "3 images ..."."""
REMARKS = {
    "shrunk": "were scaled down to at most {side} pixels a side",
    "animated": "have several frames, of which the first one is used",
}
"""What is told of images that are used."""


class TooMany(ValueError):
    """More images than can be learned from."""


class Located(str):
    """A file name as the user wrote it that knows where the file lies.

    Only `read` and `locate` make these: a name that comes with a request is never opened.
    """

    place: Path
    """The file, or the zip archive that holds it."""
    member: str | None

    @classmethod
    def at(cls, name: str, place: Path, member: str | None = None) -> Located:
        located = cls(name)
        located.place, located.member = place, member
        return located


# ---------------------------------------------------------------- reading


def read(path: str | Path, options: dict[str, Any] | None = None, limit: int | None = None) -> pd.DataFrame:
    """Rows of images: file names that know their place, and what the table or the folders say of them.

    Args:
        path: folder, zip archive, image file, or table with file names.
        options: `column`, `target` (names of columns), `layout` (`folders` or `table`), `part` (`train` or `test`, of
            a folder that has both), `table` (how to read the table), `images` (where its files lie, from the table).
        limit: rows at most.

    Returns:
        The rows in the order of the table, or of the sorted file names. Files that are no images are among them.

    Raises:
        ValueError: there is no image, or the table cannot be read.
        OSError: the path cannot be opened.
    """
    options, path = options or {}, Path(path)
    column = options.get("column") or "image"
    inside = is_container(path)
    table = table_of(path) if inside and options.get("layout") == "table" else None
    if not inside and path.suffix.lower() in SUFFIXES:
        return pd.DataFrame({column: pd.Series([Located.at(path.name, path)], dtype=object)})
    if inside and table is None:
        names = listing(path)
        if not names:
            raise ValueError(f"{path.name} holds no images")
        return labelled(path, names[:limit] if limit else names, options)
    frame = _read_table(path, table, options, limit)
    if column not in frame.columns:
        raise ValueError(f"{path.name} has no column {column!r} with file names of images")
    frame[column] = locate(frame[column], path, table, options.get("images") or "")
    return frame


def labelled(path: Path, names: Sequence[str], options: dict[str, Any]) -> pd.DataFrame:
    """Rows of the images in a folder or archive; with the class where all lie in folders."""
    column, target = options.get("column") or "image", options.get("target") or "label"
    base, part = base_of(names), options.get("part")
    if part:
        names = [name for name in names if part_of(name, base) == part]
    images = [
        Located.at(name[len(base) :], *((path, name) if path.is_file() else (path / name, None))) for name in names
    ]
    rows = {column: pd.Series(images, dtype=object)}
    depth = 1 if part else 0
    folders = [PurePosixPath(image).parts[:-1][depth : depth + 1] for image in images]
    if all(folders):
        rows[target] = pd.Series([folder[0] for folder in folders], dtype=object)
    return pd.DataFrame(rows)


def is_container(path: Path) -> bool:
    """Whether a path is a folder or a zip archive."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06") and path.suffix.lower() not in (".xlsx", ".xlsm")


def listing(path: Path) -> list[str]:
    """Names of the image files in a folder or zip archive, sorted; hidden ones and links that lead out are left out.

    Raises:
        TooMany: there are more than can be learned from.
        ValueError: the archive is damaged or encrypted.
    """
    if path.is_dir():
        root = path.resolve()
        found = []
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not _hidden(name))
            for name in files:
                if name.lower().endswith(SUFFIXES) and not _hidden(name) and _inside(Path(folder, name), root):
                    found.append(Path(folder, name).relative_to(path).as_posix())
            if len(found) > MAX_FILES:
                break
    else:
        found = [name for name in _members(path) if name.lower().endswith(SUFFIXES)]
    if len(found) > MAX_FILES:
        raise TooMany(f"{path.name} holds more than {MAX_FILES:,} images")
    return sorted(found)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _inside(file: Path, root: Path) -> bool:
    """Whether a name leads to an ordinary file below the root."""
    try:
        if file.is_symlink() and not file.resolve().is_relative_to(root):
            return False
        return stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"the archive is damaged ({error})") from error
    if any(info.flag_bits & 1 for info in infos):
        raise ValueError("the archive is encrypted")
    parts = [(info.filename, PurePosixPath(info.filename).parts) for info in infos]
    return [name for name, path in parts if not any(_hidden(part) for part in path)]


def base_of(names: Sequence[str]) -> str:
    """The folders that hold all images and are no class: "" or "dataset/".

    A folder that all images share is a wrapper as long as there are folders below it.
    """
    base = ""
    while names:
        rest = [name[len(base) :].split("/") for name in names]
        if min(map(len, rest)) < 3 or len({parts[0] for parts in rest}) != 1:
            break
        base += rest[0][0] + "/"
    return base


def part_of(name: str, base: str) -> str | None:
    """`train` or `test` where the first folder says so."""
    first = name[len(base) :].split("/")[0].lower()
    return "train" if first in TRAIN else "test" if first in TESTS else None


def parts_of(names: Sequence[str]) -> set[str | None]:
    """What the folders directly below the base are: parts, or (`None`) something else."""
    base = base_of(names)
    return {part_of(name, base) for name in names}


# ---------------------------------------------------------------- tables with file names


def table_of(path: Path) -> str | None:
    """Name of the one table in a folder or archive (not in folders below those of the images)."""
    names = sorted(p.name for p in path.iterdir() if p.is_file()) if path.is_dir() else _members(path)
    tables = [name for name in names if name.lower().endswith((".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".jsonl"))]
    tables = [name for name in tables if not PurePosixPath(name).name.lower().startswith(("readme", "license"))]
    shallow = min((name.count("/") for name in tables), default=0)
    tables = [name for name in tables if name.count("/") == shallow]
    training = [name for name in tables if PurePosixPath(name).stem.lower() in (*TRAIN, "labels", "metadata")]
    tables = tables if len(tables) == 1 else training
    return tables[0] if len(tables) == 1 else None


def _read_table(path: Path, table: str | None, options: dict[str, Any], limit: int | None) -> pd.DataFrame:
    import table_io  # lies beside this file in a bundle

    how = dict(options.get("table") or {})
    if table and not path.is_dir():
        return table_io.read(path, {**how, "member": table}, limit)
    return table_io.read(path / table if table else path, {**how, "member": None}, limit)


def locate(names: Iterable[Any], path: Path, table: str | None, images: str) -> pd.Series[Any]:
    """File names that know their place; values that name no file stay as they are.

    A file is looked for where the name says, from the table on; where one is not there, all by their last parts or,
    without suffix, by their stems, wherever that is unique among the files below.

    Args:
        path: the table, or the folder or archive that holds it.
        table: its name in there.
        images: folder of the images, seen from that of the table; "" for the same one.
    """
    archive = path if table and not path.is_dir() else None
    root = (path if path.is_dir() else path.parent) / images
    names = list(names)
    if archive is None and names and root.is_dir():
        direct = [_key(name) for name in names]
        whole = root.resolve()
        folders = {(root / key).parent for key in direct}  # an absolute name, or a linked folder, may lead out
        below = all(folder.resolve().is_relative_to(whole) for folder in folders)
        if below and all(key and ".." not in PurePosixPath(key).parts and _inside(root / key, whole) for key in direct):
            return pd.Series(
                [Located.at(str(n), root / key) for n, key in zip(names, direct, strict=True)], dtype=object
            )
    known = listing(archive or root) if archive or root.is_dir() else []
    places: dict[str, str | None] = {}
    for name in known:
        last = PurePosixPath(name)
        for key in dict.fromkeys((last.name, last.stem, str(last.with_suffix("")))):
            places[key] = None if key in places else name
    # An exact path comes before a name that is unique only.
    places |= {name: name for name in known}
    if archive and table:
        above = f"{PurePosixPath(table).parent}/"
        places |= {name.removeprefix(above): name for name in known}
    found: list[Any] = []
    for value in names:
        key = _key(value)
        hit = places.get(key) or places.get(PurePosixPath(key).name) if key else None
        if hit is None:
            found.append(value)
        else:
            found.append(Located.at(str(value), archive, hit) if archive else Located.at(str(value), root / hit))
    return pd.Series(found, dtype=object)


def _key(value: Any) -> str:
    """A cell as a relative path with slashes; whole numbers as they name files."""
    if isinstance(value, (float, np.floating)) and value == value and float(value).is_integer():
        value = int(value)
    if not isinstance(value, (str, int, np.integer)) or isinstance(value, bool):
        return ""
    text = str(value).strip().replace("\\", "/").removeprefix("./")
    return text if 0 < len(text) <= 1000 else ""


# ---------------------------------------------------------------- single images


class TooLarge(ValueError):
    """An image that is not decoded because it would take too much memory."""


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """An image file as Pillow sees it; nothing but its header is decoded yet.

    Raises:
        TooLarge: it says that it has more than 89 million pixels.
        Exception: whatever Pillow raises for broken files.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise TooLarge(str(error)) from error
        with image:
            yield image


def plain(image: Image.Image) -> Image.Image:
    """The first frame upright, in 8 bits, grey (`L`) or colour (`RGB`), on white where it is transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        if image.mode.startswith("I;16") or values.max(initial=0) > 255:
            values = values / 257  # of 16 bits
        elif image.mode == "F" and values.max(initial=0) <= 1:
            values = values * 255
        image = Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "La")
    if ("A" in image.mode.upper() and image.mode != "LAB") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if grey else "RGB")


def prepared(content: bytes, side: int) -> tuple[bytes | None, str]:
    """An image as it is kept, and a key of `PROBLEMS` (then there is none) or of `REMARKS`, or "".

    It stays as it came unless its longer side has more than `side` pixels.
    """
    if len(content) > MAX_BYTES:
        return None, "too_large"
    recognised = False
    try:
        with opened(content) as image:
            recognised = True
            animated, large = getattr(image, "is_animated", False), max(image.size) > side
            if large:
                image.draft(None, (side, side))  # JPEG can be decoded at a fraction of its size
            image.load()
            if not large:
                return content, "animated" if animated else ""
            small = plain(image)
            small.thumbnail((side, side))
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
            return buffer.getvalue(), "shrunk"
    except TooLarge:
        return None, "too_large"
    except Exception:  # Pillow raises a dozen kinds for broken files
        return None, "damaged" if recognised or _looks_like_an_image(content) else "not_an_image"


def _looks_like_an_image(content: bytes) -> bool:
    return content.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF"))


def pixels(content: bytes, size: int, grey: bool) -> Array | None:
    """uint8 pixels, shape (size, size, 1 or 3), whatever the sides of the image are; `None` when it is broken."""
    try:
        with opened(content) as image:
            image.draft("L" if grey else None, (2 * size, 2 * size))
            small = plain(image).convert("L" if grey else "RGB")
            if small.size != (size, size):
                small = small.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
            return np.asarray(small, dtype=np.uint8).reshape(size, size, 1 if grey else 3)
    except Exception:  # as in `prepared`
        return None


# ---------------------------------------------------------------- whole columns


def load(values: Iterable[Any], side: int) -> tuple[list[bytes | None], list[str]]:
    """Images as they are kept, and for each what there is to say (see `prepared`).

    Args:
        values: file names that know their place, encoded images as bytes, or base64 text (also as a data URI).
        side: pixels of the longer side at most.
    """
    images, notes = [], []
    with ExitStack() as archives:
        known: dict[Path, zipfile.ZipFile] = {}
        for value in values:
            image, note = _load(value, side, archives, known)
            images.append(image)
            notes.append(note)
    return images, notes


def _load(value: Any, side: int, archives: ExitStack, known: dict[Path, zipfile.ZipFile]) -> tuple[bytes | None, str]:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _kept(bytes(value), side)
    if isinstance(value, Located):
        try:
            content = _content(value, archives, known)
        except (OSError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, NotImplementedError):
            return None, "damaged"
        except Exception as error:
            if type(error).__module__ not in ("zlib", "lzma", "bz2"):
                raise
            return None, "damaged"
        return prepared(content, side) if content is not None else (None, "too_large")
    if isinstance(value, str) and value.strip():
        return _decoded(value, side)
    return None, "no_image"


def _content(name: Located, archives: ExitStack, known: dict[Path, zipfile.ZipFile]) -> bytes | None:
    """The bytes of a file; `None` when there are too many."""
    if name.member is None:
        return name.place.read_bytes() if name.place.stat().st_size <= MAX_BYTES else None
    if name.place not in known:
        known[name.place] = archives.enter_context(zipfile.ZipFile(name.place))
    archive = known[name.place]
    if archive.getinfo(name.member).file_size > MAX_BYTES:
        return None
    return archive.read(name.member)


def _kept(content: bytes, side: int) -> tuple[bytes | None, str]:
    """Encoded images of our own data folder: these were decoded before, so that their header is enough."""
    try:
        with opened(content) as image:
            fits = max(image.size) <= side and len(content) <= MAX_BYTES
    except Exception:  # as in `prepared`, which says what is wrong
        fits = False
    return (content, "") if fits else prepared(content, side)


@lru_cache(maxsize=16)  # a server types a request, and then looks for oddities in it
def _decoded(text: str, side: int) -> tuple[bytes | None, str]:
    """An image from base64 text."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    elif len(text) < SHORTEST or text.lower().endswith(SUFFIXES):
        return None, "not_found"
    try:
        return prepared(base64.b64decode("".join(text.split()), validate=True), side)
    except (binascii.Error, ValueError):
        return None, "not_an_image"


def typed(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """The image column as encoded images (object of bytes, `None` where there is none that can be used)."""
    (column,) = schema["columns"]
    images = load(_column(frame, column["name"]), column["side"])[0]
    return pd.DataFrame({column["name"]: pd.Series(images, dtype=object)}, index=pd.RangeIndex(len(frame)))


def _column(frame: pd.DataFrame, name: str) -> Iterable[Any]:
    return frame[name].tolist() if name in frame.columns else [None] * len(frame)


def encode_target(series: pd.Series[Any], schema: dict[str, Any]) -> Array:
    """Class codes (int64, -1 for missing and unknown labels)."""
    import table_io  # lies beside this file in a bundle

    codes: Array = table_io.encode_target(series, {**schema, "read": schema["read"].get("table") or {}})
    return codes


def inspect(frame: pd.DataFrame, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Images that cannot be used, as `{"column", "problem", "count", "examples"}`: the model answers without them."""
    (column,) = schema["columns"]
    name = column["name"]
    if name not in frame.columns:
        return [{"column": name, "problem": "missing_column", "count": len(frame), "examples": []}]
    values = _column(frame, name)
    notes = load(values, column["side"])[1]
    found: list[dict[str, Any]] = []
    for problem, text in PROBLEMS.items():
        bad = [value for value, note in zip(values, notes, strict=True) if note == problem]
        if bad:
            names = (str(value) for value in bad if isinstance(value, str) and len(value) <= 200)
            examples = list(dict.fromkeys(names))[:3]
            told = f"images {text}".replace(" ", "_")
            found.append({"column": name, "problem": told, "count": len(bad), "examples": examples})
    return found
