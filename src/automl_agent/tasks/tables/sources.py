"""Which files are meant: paths, folders, archives. Everything that is not an ordinary, bounded file is refused here."""

from __future__ import annotations

import difflib
import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType

from automl_agent.errors import InputError
from automl_agent.records import Question, Request

SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".dat",
    ".data",
    ".tab",
    ".parquet",
    ".pq",
    ".xlsx",
    ".xlsm",
    ".json",
    ".jsonl",
    ".ndjson",
)
ACCEPTED = "Accepted are CSV, TSV, Parquet, Excel (.xlsx), JSON and JSON Lines; also .gz or .zip of one."
MEDIA = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".npy", ".npz", ".wav", ".mp3", ".pdf")
MAX_MEMBERS = 1000
MAX_FILES = 10_000
_TRAIN = re.compile(r"(^|[^a-z])(train|training)([^a-z]|$)")
_TEST = re.compile(r"(^|[^a-z])(test|testing|holdout)([^a-z]|$)")
_SAMPLE = re.compile(r"submission|submit")
"""The name of a file that shows what predictions of the test rows shall look like."""


@dataclass(frozen=True)
class Source:
    """One table: a file, or a member of a zip archive."""

    path: Path
    member: str | None = None
    title: str = ""
    """What it is called where that is not the name of the file."""

    @property
    def name(self) -> str:
        return self.title or (f"{self.path.name}/{self.member}" if self.member else self.path.name)

    @property
    def stem(self) -> str:
        """The name without folders and suffixes, lower case."""
        return PurePosixPath(self.member or self.path.name).name.lower().partition(".")[0]


@dataclass(frozen=True)
class Sources:
    """The table to learn from and, when the user brought one, the table to test on."""

    table: Source
    test: Source | None = None
    test_is_sure: bool = False
    """Whether the user said that this is the test, instead of a file's name."""
    sample: Source | None = None
    """Shows what predictions of a test without target shall look like."""
    unused: tuple[Source, ...] = ()
    """Tables beside a pair of train and test."""
    joined: tuple[Joined, ...] = ()
    """The tables that `table` was made of, besides the one whose rows it has."""
    question: Question | None = None
    """Asked when it is not clear how several tables belong together; `table` is then the likeliest one alone."""


@dataclass(frozen=True)
class Joined:
    """A table that was joined to another one."""

    name: str
    key: str
    """The column of the other table that says which row belongs to it."""
    columns: tuple[str, ...]
    """What it added, as called now."""
    rows: int
    lost: int
    """Rows that found no partner."""


def find_sources(request: Request) -> Sources | None:
    """The tables that a request means; `None` when it brings no data, or a folder of something else than tables.

    Raises:
        InputError: a path leads nowhere, to no file, or to several tables of which none is named as test.
    """
    if not request.data:
        return None
    found: list[Source] = []
    for given in dict.fromkeys(request.data):
        tables = _expand(given)
        if tables is None:
            return None
        found += tables
    tests = _expand(request.test_data) if request.test_data else []
    if request.test_data and len(tests or []) != 1:
        raise InputError(f"The test data {request.test_data!r} must be one table.", hint=ACCEPTED)
    if len(found) == 1:
        return Sources(found[0], tests[0] if tests else None, bool(tests))
    pair = _pair(found)
    if pair is None and not tests and (related := _related(found, request)) is not None:
        return related
    if pair is None:
        names = ", ".join(source.name for source in found[:8]) + (", ..." if len(found) > 8 else "")
        hint = "Give one table, or two whose names say train and test."
        raise InputError(f"{len(found)} tables were found ({names}); it is not clear which one is meant.", hint=hint)
    rest = [source for source in found if source not in pair]
    samples = [source for source in rest if _SAMPLE.search(source.stem)]
    unused = tuple(source for source in rest if source not in samples)
    return Sources(pair[0], tests[0] if tests else pair[1], bool(tests), samples[0] if samples else None, unused)


def _related(found: list[Source], request: Request) -> Sources | None:
    from automl_agent.tasks.tables.joining import MOST, related

    return related(tuple(found), request) if 2 <= len(found) <= MOST else None


def _pair(found: list[Source]) -> tuple[Source, Source] | None:
    plain = [source for source in found if not _SAMPLE.search(source.stem)]
    train = [source for source in plain if _TRAIN.search(source.stem)]
    test = [source for source in plain if _TEST.search(source.stem)]
    return (train[0], test[0]) if len(train) == 1 and len(test) == 1 and train != test else None


def _expand(given: str) -> list[Source] | None:
    """The tables behind one path; `None` for a folder that holds other things."""
    if "\0" in given or not given.strip():
        raise InputError(f"{given!r} is not a path.")
    if re.match(r"[a-z][a-z0-9+.-]*://", given):
        raise InputError(f"{given!r} is a link that was not fetched.", hint="Download the file and give its path.")
    path = Path(given).expanduser()
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _not_found(path, error) from error
    if stat.S_ISDIR(mode):
        return _folder(path)
    if not stat.S_ISREG(mode):
        raise InputError(f"{given!r} is not an ordinary file (a device, pipe or socket).", hint=ACCEPTED)
    if path.stat().st_size == 0:
        raise InputError(f"File {path.name!r} is empty.", hint=ACCEPTED)
    return _archive(path) if _is_archive(path) else [Source(path)]


def _not_found(path: Path, error: OSError) -> InputError:
    if isinstance(error, PermissionError):
        return InputError(f"{str(path)!r} cannot be read: permission denied.")
    if path.is_symlink():
        return InputError(f"{str(path)!r} is a link that leads nowhere.")
    hint = ""
    if path.parent.is_dir():
        names = sorted(other.name for other in path.parent.iterdir())[:MAX_FILES]
        near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
        hint = f"Near by: {', '.join(near)}." if near else ""
    return InputError(f"File {str(path)!r} does not exist.", hint=hint)


def _folder(folder: Path) -> list[Source] | None:
    """Tables in a folder, its sub-folders left out."""
    tables: list[Source] = []
    others = 0
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{path.name!r} in {str(folder)!r} is a link that leads out of the folder.")
        table = _is_table(path.name)
        if table and not path.is_dir() and not path.is_file():
            raise InputError(f"{path.name!r} in {str(folder)!r} is not an ordinary file (a device, pipe or socket).")
        if table and path.is_file():
            tables += _expand(str(path)) or []
        others += path.is_dir() or path.suffix.lower() in MEDIA
    if tables:
        return tables
    if others:
        return None
    raise InputError(f"Folder {str(folder)!r} holds no table.", hint=ACCEPTED)


def _is_table(name: str) -> bool:
    name = name.lower()
    return (
        name.endswith(SUFFIXES) or name.endswith(tuple(f"{suffix}.gz" for suffix in SUFFIXES)) or name.endswith(".zip")
    )


def _is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, and not an Excel file (which is one inside)."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic not in (b"PK\x03\x04", b"PK\x05\x06"):
            if path.suffix.lower() == ".zip":
                raise InputError(f"File {path.name!r} is not a zip archive, or damaged.")
            return False
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" not in archive.namelist()
    except PermissionError as error:
        raise InputError(f"{str(path)!r} cannot be read: permission denied.") from error
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"File {path.name!r} is a damaged zip archive or Excel file ({error}).") from error


def table_files() -> ModuleType:
    """What reads table files (`shared/table_files.py`), as a bundle has it."""
    from automl_agent.tasks.candidate import load_shared

    own = Path(__file__).parent / "shared"
    return load_shared(own / "table_files.py", (own,))


def _archive(path: Path) -> list[Source]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise InputError(
                f"Archive {path.name!r} holds {len(infos)} files.", hint="Accepted is one table, or a train/test pair."
            )
        for info in infos:
            _check_member(path, info)
        members = table_files().table_members(archive)
    tables = [Source(path, name) for name in members if _is_table(name) and not name.lower().endswith(".zip")]
    if not tables and len(members) == 1:
        tables = [Source(path, members[0])]
    if not tables:
        raise InputError(f"Archive {path.name!r} holds no table.", hint=ACCEPTED)
    return tables


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(info.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", info.filename):
        raise InputError(f"Archive {path.name!r} holds a path that leads out of it ({info.filename!r}).")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise InputError(f"Archive {path.name!r} holds a link ({info.filename!r}).")
    if info.flag_bits & 1:
        raise InputError(f"Archive {path.name!r} is encrypted.", hint="Unpack it first.")
