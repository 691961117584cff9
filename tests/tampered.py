"""Artefacts that somebody changed: each would leave a file behind if anything in it were run.

A `Payload` knows the file (the canary), and how to write code that makes it in every format by which data were run.
"""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ormsgpack

from automl_agent.delivery import jobs

DEEP = "[" * 200_000
CODES = (0, 1, 2, 3, 5)
"""LangGraph's extensions of msgpack that call something."""
TAGS = ("py/object", "py/reduce", "__reduce__", "__class__", "$type", "@type", "lc")


class Payload:
    """Code that makes the canary, as data."""

    def __init__(self, folder: Path) -> None:
        self.canary = folder / "canary"
        self.folder = folder
        sys.modules.pop("planted", None)  # of an earlier test, with another canary
        (folder / "path").mkdir()
        (folder / "path" / "planted.py").write_text(PLANTED.format(canary=str(self.canary)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)

    @property
    def python(self) -> str:
        return f"open({str(self.canary)!r}, 'w').close()\n"

    @property
    def path(self) -> str:
        """For PYTHONPATH: a module `planted`, whose class makes the canary when it is made or restored."""
        return str(self.folder / "path")

    def pickle(self) -> bytes:
        return pickle.dumps(self)

    def npy(self) -> bytes:
        """An array of objects, which numpy stores as a pickle."""
        file = io.BytesIO()
        np.save(file, np.array([self], dtype=object), allow_pickle=True)
        return file.getvalue()

    def npz(self, like: Path) -> bytes:
        """An archive with arrays of the same names, all of objects."""
        with np.load(like) as arrays:
            names = list(arrays)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(f"{name}.npy", self.npy())
        return file.getvalue()

    def tags(self) -> dict[str, Any]:
        """JSON that libraries with type tags would make objects of."""
        call = {"type": "constructor", "id": ["os", "system"], "args": [f"touch {self.canary}"]}
        made = dict.fromkeys(TAGS, "os.system") | {"args": [f"touch {self.canary}"]}
        return made | {
            "lc": 2,
            **call,
            "__lc__": {"lc": 1, **call},
            "py/reduce": ["os.system", [f"touch {self.canary}"]],
        }

    def yaml(self) -> str:
        return f'!!python/object/apply:os.system ["touch {self.canary}"]'

    def msgpack(self, code: int) -> bytes:
        """An extension of LangGraph's checkpoints: a constructor, or a method, with its arguments."""
        inner = {0: ("posix", "system", f"touch {self.canary}"),
                 1: ("posix", "system", [f"touch {self.canary}"]),
                 2: ("planted", "Planted", {"number": 1}),
                 3: ("pathlib", "Path", str(self.canary), "touch"),
                 5: ("planted", "Planted", {}, "__init__")}[code]  # fmt: skip
        return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(inner)))

    def skops(self) -> bytes:
        """A file of skops that names a class which it does not trust."""
        import skops.io

        sys.path.insert(0, self.path)
        try:
            import planted  # type: ignore[import-not-found]

            content: bytes = skops.io.dumps({"model": planted.Planted.quiet(), "sparse": np.zeros(0)})
        finally:
            sys.path.remove(self.path)
        return content

    def skops_with_pickle(self, like: Path) -> bytes:
        """A file of skops whose arrays are pickles."""
        file = io.BytesIO()
        with zipfile.ZipFile(like) as old, zipfile.ZipFile(file, "w") as new:
            for name in old.namelist():
                new.writestr(name, self.npy() if name.endswith(".npy") else old.read(name))
        return file.getvalue()


PLANTED = """
class Planted:
    def __init__(self, *given, **named):
        open({canary!r}, "w").close()

    def __setstate__(self, state):
        open({canary!r}, "w").close()

    @classmethod
    def quiet(cls):
        made = object.__new__(cls)
        made.number = 1
        return made
"""


def sealed_anew(bundle: Path) -> None:
    """What an attacker does who knows of the manifest."""
    with jobs.runtime(bundle, "seal") as (seal,):
        seal.write_manifest(bundle)


def replaced(path: Path, content: bytes | str) -> None:
    """Other content in a file of its own: the old one may be a hard link."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def edited(path: Path, change: Callable[[Any], Any]) -> None:
    """JSON changed by a function; a new value, or `None` where it was changed in place."""
    value = json.loads(path.read_text())
    new = change(value)
    replaced(path, json.dumps(value if new is None else new))


def rewritten(database: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement, values)
    connection.close()
