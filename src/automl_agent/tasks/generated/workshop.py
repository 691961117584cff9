"""One run in the sandbox: what goes in is copied, what comes out is looked at before it is used.

    with workshop() as shop:
        shop.give(code files); write shop.inputs / ...
        shop.run("fold.py", sandbox="auto", seconds=60)
        take_array(shop.work / "oof.npy", ...)

What lies in `work` afterwards was written by code that nobody has read. It is taken back as plain files of known names
and formats, of bounded size, through no link, and never as anything that runs code when it is read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.execution.sandbox.opening import open_sandbox
from automl_agent.execution.sandbox.protocol import SandboxJob, SandboxResult
from automl_agent.execution.scratch import Scratch

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

INSIDE = Path(__file__).parent / "inside"
MEMORY_MB = 4000.0
LARGEST_JSON = 1_000_000
LARGEST_FOLDER = 300_000_000
MOST_FILES = 1_000
DEEPEST = 6
REASONS = {
    "timeout": "the generated code took longer than {seconds:.0f} s",
    "memory": "the generated code needed more than {memory:.0f} MB of memory",
    "disk": "the generated code wrote too much",
    "processes": "the generated code started too many processes",
    "output": "the generated code printed too much",
    "stopped": "the generated code was stopped",
    "crash": "the generated code crashed the interpreter",
}
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLE_NAMES = {".pkl", ".pickle", ".joblib", ".pt", ".pth"}
_PATH = re.compile(r"(?:/[\w.@+~-]+)+/")


@dataclass(frozen=True)
class Workshop:
    """A temporary place for one run."""

    inputs: Path
    """Read in the sandbox; `code` in it is where the programs and the generated code lie."""
    work: Path
    """The current folder in the sandbox, the only one that can be written there."""

    @property
    def code(self) -> Path:
        return self.inputs / "code"

    def give(self, *files: Path) -> None:
        """Copy code files, never link them."""
        for file in files:
            shutil.copyfile(file, self.code / file.name)

    def run(self, program: str, *, sandbox: str, seconds: float, memory_mb: float = MEMORY_MB,
            arguments: tuple[str, ...] = (), port: int | None = None, stop: threading.Event | None = None
            ) -> SandboxResult:  # fmt: skip
        """Run a program of the code folder to its end, however it ends."""
        job = SandboxJob(
            program=self.code / program,
            work=self.work,
            arguments=arguments,
            read=(self.inputs,),
            seconds=seconds,
            memory_mb=memory_mb,
            port=port,
        )
        return open_sandbox(sandbox).run(job, stop)

    def must_run(self, program: str, *, sandbox: str, seconds: float, memory_mb: float = MEMORY_MB) -> SandboxResult:
        """The same for a program that must end well.

        Raises:
            TimeoutError, MemoryError, RuntimeError: one line that says what its author can do about it.
        """
        result = self.run(program, sandbox=sandbox, seconds=seconds, memory_mb=memory_mb)
        if result.status == "ok":
            return result
        text = self.failure(result, seconds, memory_mb)["error"]
        raise {"timeout": TimeoutError, "memory": MemoryError}.get(result.status, RuntimeError)(text)

    def failure(self, result: SandboxResult, seconds: float, memory_mb: float = MEMORY_MB) -> dict[str, str]:
        """Why a run did not end well: `error`, one line, and `trace`, with the places in the code where they are known.

        The program's own account of it (`inside/failing.py`) is taken when it ended by itself.
        """
        if result.status != "error":
            text = REASONS.get(result.status, result.status).format(seconds=seconds, memory=memory_mb)
            return {"error": text, "trace": text}
        told = take_json(self.work / "error.json")
        if told is not None and isinstance(told.get("error"), str) and isinstance(told.get("trace"), str):
            return {"error": _one_line(told["error"]), "trace": without_paths(told["trace"])[-3000:]}
        lines = [line.strip() for line in result.output.splitlines() if line.strip()]
        text = _one_line(lines[-1] if lines else f"it ended with status {result.code} and said nothing")
        return {"error": text, "trace": without_paths("\n".join(lines[-12:]))[-3000:]}


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A place for one run; it is gone afterwards."""
    with Scratch() as root:
        shop = Workshop(root / "inputs", root / "work")
        shop.code.mkdir(parents=True)
        shop.work.mkdir()
        yield shop


def without_paths(text: str) -> str:
    """A text without the folders of this machine."""
    return _PATH.sub("", text)


def _one_line(text: str) -> str:
    return without_paths(" ".join(text.split()))[:500]


# ---------------------------------------------------------------- what comes out


def take_json(path: Path, largest: int = LARGEST_JSON) -> dict[str, Any] | None:
    """A JSON object, or `None` where there is none that can be used."""
    try:
        _check_plain(path, largest)
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def take_array(path: Path, shape: tuple[int, ...]) -> Array:
    """An array of numbers of a known shape.

    Raises:
        ValueError: there is none, or it has another shape.
    """
    import numpy as np

    try:
        size = 8 * int(np.prod(shape, dtype=np.int64)) + 1000
        _check_plain(path, size)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"no predictions came back: {without_paths(str(error))}") from error
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise ValueError(f"predictions of the shape {array.shape} came back, {shape} was expected")
    return np.array(array, dtype=np.float64)


def take_folder(source: Path, target: Path, largest: int = LARGEST_FOLDER) -> None:
    """Copy a folder of plain files.

    Raises:
        ValueError: it holds a link, a device, a pickle, or too much.
    """
    files = list(_plain_files(source, source, 0))
    if len(files) > MOST_FILES:
        raise ValueError(f"the model has {len(files)} files, {MOST_FILES} are allowed")
    total = sum(path.lstat().st_size for path in files)
    if total > largest:
        raise ValueError(f"the model takes {total / 1e6:.0f} MB, {largest / 1e6:.0f} are allowed")
    for path in files:
        if runs_code(path):
            raise ValueError(f"{path.name} is a pickle, which runs code when it is read: store plain data")
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place, follow_symlinks=False)


def runs_code(path: Path) -> bool:
    """Whether a file is a pickle, by its name or its first bytes, or holds one."""
    with path.open("rb") as file:
        head = file.read(8)
    if path.suffix.lower() in _PICKLE_NAMES or head[:2] in _PICKLES:
        return True
    if head[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                return any(Path(name).suffix.lower() in _PICKLE_NAMES for name in archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return True  # what it is cannot be said
    return head[:6] == b"\x93NUMPY" and _holds_objects(path)


def _holds_objects(path: Path) -> bool:
    import numpy as np

    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return True
    return False


def _plain_files(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise ValueError(f"{folder.name} is no folder")
    if depth > DEEPEST:
        raise ValueError(f"the model's folders are nested more than {DEEPEST} deep")
    with os.scandir(folder) as entries:
        for number, entry in enumerate(sorted(entries, key=lambda entry: entry.name)):
            if number > MOST_FILES:
                raise ValueError(f"the model has more than {MOST_FILES} files")
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from _plain_files(path, root, depth + 1)
            else:
                _check_plain(path, LARGEST_FOLDER)
                yield path


def _check_plain(path: Path, largest: int) -> None:
    """Raise unless this is a file of its own, no link to one, and of a bearable size."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise ValueError(f"{path.name} is no plain file")
    if found.st_size > largest:
        raise ValueError(f"{path.name} takes {found.st_size:,} bytes, {largest:,} are allowed")
