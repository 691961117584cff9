"""Code that misbehaves, written by a stand-in model in whole runs: contained, dropped, and no harm to the result."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_agent.testing import ModelServer
from model_runs import Runs
from model_scripts import HOSTILE, careless, whole_runs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", whole_runs(HOSTILE))
def test_code_that_misbehaves_costs_nothing(name: str, runs: Runs, tmp_path: Path) -> None:
    with ModelServer(careless(HOSTILE[name])) as server:
        report = runs.run("openai:stand-in", tmp_path, base_url=server.base_url)
    runs.no_worse(report)
    assert report.code
    assert "kept" not in {module.status for module in report.code}
