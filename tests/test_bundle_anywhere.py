"""A bundle works where it is put: read-only, for an unprivileged user, in an environment of its requirements alone;
and what it serves is what was graded, in every family."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent import Request, Settings, build_graph
from automl_agent.delivery import jobs
from bundle_use import FAMILIES, NOBODY, read_only, scratch, serving, used
from openapi_cases import all_asked, cases, described
from server_driver import started
from tiny_bundle import make_bundle

LOAD = """
import json, sys, time
begun = time.perf_counter()
from ensemble import Ensemble
imported = time.perf_counter()
Ensemble.load(".")
first = time.perf_counter()
Ensemble.load(".")
print(json.dumps([time.perf_counter() - first, first - begun]))
"""
pytestmark = pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root cannot be shed here")


@dataclass
class Delivered:
    """What a run left."""

    family: str
    bundle: Path
    data: list[str]
    folder: Path
    """The data folder of the run, with the locked test inputs."""
    graded: np.ndarray
    """Scores of the locked test rows, as the graph had them when it graded."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.long, pytest.mark.timeout(1200)]) for name in FAMILIES],
)
def delivered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    place = tmp_path_factory.mktemp(request.param)
    words, data = FAMILIES[request.param](place)
    home = place / "home"
    settings = Settings(budget=240, trials=5, max_revisions=0, retrieval=False, home=str(home), out=str(place / "out"))
    asked = Request(words=words, data=tuple(data))
    report = build_graph(settings=settings).invoke({"request": asked})["report"]
    assert report.status in ("delivered", "missed"), report.reason
    assert report.task["family"] == request.param
    (kept,) = (home / "artifacts").iterdir()
    graded = np.load(kept / "grade" / "scores.npy", allow_pickle=False)
    return Delivered(request.param, Path(report.bundle), data, kept / "data", graded)


def ask(port: int, rows: list[dict[str, Any]]) -> list[Any]:
    """The scores that the server answers."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/predict", json.dumps({"rows": rows}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
    if "probabilities" in answer:
        return [list(row.values()) for row in answer["probabilities"]]
    return list(answer["predictions"])


def test_what_is_served_is_what_was_graded(delivered: Delivered, tmp_path: Path, figure: Callable[[str], None]) -> None:
    with jobs.loaded(delivered.bundle) as model, jobs.runtime(delivered.bundle, "seal") as (seal,):
        rows = seal.json_rows(model.typed(pd.read_parquet(delivered.folder / "test.parquet")), model.schema)
    step = len(rows) if delivered.family == "forecasting" else 100  # the rows of a series belong together
    with serving(read_only(delivered.bundle, tmp_path / "bundle"), scratch(tmp_path / "scratch")) as port:
        served = [score for start in range(0, len(rows), step) for score in ask(port, rows[start : start + step])]
    scale = max(1.0, float(np.abs(delivered.graded).max()))
    difference = float(np.abs(np.asarray(served, dtype=np.float64) - delivered.graded).max()) / scale
    assert len(served) == len(delivered.graded) and difference <= 1e-6
    figure(f"{delivered.family}: {len(rows)} locked test rows served as they were graded, largest difference "
           f"{difference:.1e}")  # fmt: skip


def test_the_server_of_every_family_holds_against_what_its_openapi_suggests(
    delivered: Delivered, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with started(delivered.bundle, tmp_path / "log", "--in-flight", "32") as server:
        statuses = Counter(status for status, _ in all_asked(server, cases(described(server), 300), 32))
        assert server.complaints() == []
    assert max(statuses) < 500 and statuses[200] > 20 and statuses[422] > 20, statuses
    told = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    figure(f"{delivered.family}: 300 requests, 32 at once: {told}; no 5xx")


def test_loading_takes_no_time(delivered: Delivered, figure: Callable[[str], None]) -> None:
    done = subprocess.run([sys.executable, "-B", "-c", LOAD], cwd=delivered.bundle, capture_output=True, text=True,
                          check=True, timeout=120)  # fmt: skip
    loading, with_imports = json.loads(done.stdout)
    figure(f"{delivered.family}: loaded in {loading:.2f} s, {with_imports:.1f} s with the imports")


def works(bundle: Path, tables: list[str], place: Path, python: str = sys.executable) -> None:
    """All three programs do, from a folder that cannot be written."""
    before = sorted(path for path in bundle.rglob("*"))
    used(bundle, place, "ensemble.py", python=python)
    if tables:
        used(bundle, place, "predict.py", tables[0], "--out", place / "out.csv", "--reasons", python=python)
        assert pd.read_csv(place / "out.csv")["prediction"].notna().all()
        used(bundle, place, "train.py", "--data", tables[0], "--out", place / "again", python=python)
        assert (place / "again" / "manifest.json").is_file()
    with serving(bundle, place, python) as port:
        assert ask(port, json.loads((bundle / "sample_request.json").read_text())["rows"])
    assert sorted(path for path in bundle.rglob("*")) == before


def test_a_bundle_works_read_only_and_unprivileged(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    works(read_only(tmp_path / "bundle", tmp_path / "kept"), [str(tmp_path / "table.csv")], scratch(tmp_path / "place"))


def test_a_bundle_works_in_an_environment_of_its_requirements(
    delivered: Delivered, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    wanted = delivered.bundle / "requirements.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", str(wanted)], check=True, timeout=900)
    for stranger in ("automl_agent", "langgraph", "langchain", "chromadb"):
        assert subprocess.run([python, "-c", f"import {stranger}"], capture_output=True).returncode == 1
    bundle, place = read_only(delivered.bundle, tmp_path / "bundle"), scratch(tmp_path / "place")
    works(bundle, delivered.data, place, python)
    who = NOBODY if os.geteuid() == 0 else os.geteuid()
    packages = len(wanted.read_text().split())
    figure(
        f"{delivered.family}: predict.py, train.py and serve.py work read-only, as uid {who}, with {packages} pinned "
        "packages and no other"
    )
