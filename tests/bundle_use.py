"""A bundle used as its user does: a read-only folder, an unprivileged user, any Python; and tables of every family."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn import datasets

from automl_agent.delivery import checks
from conftest import CANCER

NOBODY = 65534
UNPRIVILEGED = f"""
import ctypes, os, runpy, sys
libc, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(4, 4)
libc.prctl(8, 1, 0, 0, 0)
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
assert libc.capset(header, sets) == 0, "capabilities cannot be set"
assert os.getuid() == {NOBODY} and not os.access(".", os.W_OK), "this folder can be written"
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script as a user who owns nothing and may write nothing of others'. It keeps the right to read (of all
capabilities, CAP_DAC_READ_SEARCH alone), since Python itself may lie in root's home."""


def read_only(bundle: Path, to: Path) -> Path:
    """A copy of a bundle that nobody may write to."""
    copy = Path(shutil.copytree(bundle, to))
    for path in (*copy.rglob("*"), copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return copy


def scratch(folder: Path) -> Path:
    """A folder that everybody may write to."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def command(python: str, script: str, *given: object) -> list[str]:
    """`python SCRIPT`; where we are root, as an unprivileged user."""
    launcher = ["-W", "error", "-c", UNPRIVILEGED] if os.geteuid() == 0 else ["-W", "error"]
    return [python, *launcher, script, *map(str, given)]


def environment(place: Path) -> dict[str, str]:
    """No home, and a place for temporary files."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": str(place), "OMP_NUM_THREADS": "1"}


def used(bundle: Path, place: Path, script: str, *given: object, python: str = sys.executable) -> str:
    """Run a program of the bundle; what it printed."""
    done = subprocess.run(command(python, script, *given), cwd=bundle, env=environment(place), text=True,
                          capture_output=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(bundle: Path, place: Path, python: str = sys.executable) -> Iterator[int]:
    """The port of the bundle's server."""
    port = checks._free_port()
    with (place / "server.log").open("wb") as log, subprocess.Popen(
        command(python, "serve.py", "--port", port), cwd=bundle, env=environment(place), stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while checks._health(port) is None:
                assert process.poll() is None and time.monotonic() < deadline, (place / "server.log").read_text()
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


# ---------------------------------------------------------------- data of every family: a request, and what it is about


def classes(_: Path) -> tuple[str, list[str]]:
    return "Predict whether a tumour is malignant. No neural networks.", [str(CANCER)]


def values(place: Path) -> tuple[str, list[str]]:
    frame = datasets.load_diabetes(as_frame=True).frame.assign(group=lambda f: np.where(f["sex"] > 0, "m", "f"))
    frame.to_csv(place / "values.csv", index=False)
    return "Predict target. No neural networks.", [str(place / "values.csv")]


def clusters(place: Path) -> tuple[str, list[str]]:
    frame = datasets.load_iris(as_frame=True).frame.drop(columns="target")
    frame.to_csv(place / "flowers.csv", index=False)
    return "Find clusters of similar flowers.", [str(place / "flowers.csv")]


def texts(place: Path) -> tuple[str, list[str]]:
    draw = np.random.default_rng(0)
    words = {"billing": ["invoice", "refund", "payment", "price"], "delivery": ["parcel", "courier", "box", "shipping"]}
    desks = draw.choice(list(words), 160)
    said = [f"Hello, my {draw.choice(words[desk])} and the {draw.choice(words[desk])} of day {draw.integers(99)} are "
            "wrong, please have a look at it." for desk in desks]  # fmt: skip
    pd.DataFrame({"message": said, "desk": desks}).to_csv(place / "messages.csv", index=False)
    return "Classify the text of each message by desk. No neural networks.", [str(place / "messages.csv")]


def images(place: Path) -> tuple[str, list[str]]:
    digits = datasets.load_digits(n_class=3)
    for number, (pixels, label) in enumerate(zip(digits.images[:150], digits.target[:150], strict=True)):
        folder = place / "digits" / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype(np.uint8)).save(folder / f"{number}.png")
    return "Which digit is in these images? No neural networks.", [str(place / "digits")]


def series(place: Path) -> tuple[str, list[str]]:
    draw, days = np.random.default_rng(0), np.arange(120)
    parts = [pd.DataFrame({"day": pd.date_range("2023-01-01", periods=120), "shop": shop,
                           "sales": level + 10 * (days % 7 >= 5) + draw.normal(0, 2, 120)})
             for shop, level in (("north", 50), ("south", 90))]  # fmt: skip
    pd.concat(parts).to_csv(place / "sales.csv", index=False)
    return "Forecast sales of every shop for the next 7 days. No neural networks.", [str(place / "sales.csv")]


def nodes(place: Path) -> tuple[str, list[str]]:
    draw, kind = np.random.default_rng(0), np.arange(150) % 3
    table = pd.DataFrame({"node": [f"n{number}" for number in range(150)]})
    for column in range(4):
        table[f"x{column}"] = draw.normal(size=150) + (kind == column % 3)
    table["label"] = np.array(["red", "green", "blue"])[kind]
    ends = [(one, int(draw.choice(np.flatnonzero(kind == kind[one])))) for one in range(150) for _ in range(3)]
    edges = pd.DataFrame(
        [(f"n{one}", f"n{other}") for one, other in ends if one != other], columns=["source", "target"]
    )
    (place / "graph").mkdir()
    table.to_csv(place / "graph" / "nodes.csv", index=False)
    edges.to_csv(place / "graph" / "edges.csv", index=False)
    return "Which label has each node?", [str(place / "graph")]


FAMILIES: dict[str, Callable[[Path], tuple[str, list[str]]]] = {
    "tabular_classification": classes, "tabular_regression": values, "tabular_clustering": clusters,
    "text_classification": texts, "image_classification": images, "forecasting": series, "node_classification": nodes,
}  # fmt: skip
