"""Every fault of a language model, its server and the network, over a real socket: each run is delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_agent.testing import ModelServer
from model_runs import Runs
from model_scripts import HARMLESS, HOSTILE, TRANSPORT, capable, careless, whole_runs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", whole_runs(TRANSPORT))
def test_without_a_usable_answer_the_run_is_the_rules_own(name: str, runs: Runs, tmp_path: Path) -> None:
    with ModelServer(capable, fault=TRANSPORT[name]) as server:
        report = runs.run("openai:stand-in", tmp_path, base_url=server.base_url)
    runs.no_worse(report)
    assert report.metric["validation"] == runs.by_rules.metric["validation"]
    assert {plan["by"] for plan in report.plans} == {"rules"}
    assert any("language model" in warning for warning in report.warnings)


def test_a_refused_connection_leaves_the_rules(runs: Runs, tmp_path: Path) -> None:
    with ModelServer(capable) as server:
        gone = server.base_url
    report = runs.run("openai:stand-in", tmp_path, base_url=gone)
    runs.no_worse(report)
    assert report.metric["validation"] == runs.by_rules.metric["validation"]


@pytest.mark.parametrize("name", whole_runs(HARMLESS))
def test_what_can_be_got_over_is(name: str, runs: Runs, tmp_path: Path) -> None:
    with ModelServer(careless(HOSTILE["wrong shape"]), fault=HARMLESS[name]) as server:
        report = runs.run("openai:stand-in", tmp_path, base_url=server.base_url)
    runs.no_worse(report)
    assert "model" in {plan["by"] for plan in report.plans}


def test_with_an_unknown_price_and_a_limit_no_call_is_made(runs: Runs, tmp_path: Path) -> None:
    with ModelServer(capable) as server:
        report = runs.run("openai:stand-in", tmp_path, base_url=server.base_url, max_cost=1.0)
    assert server.requests == []
    assert report.metric["validation"] == runs.by_rules.metric["validation"]
    assert any("price" in warning for warning in report.warnings)


def test_at_a_limit_of_calls_the_rules_take_over(runs: Runs, tmp_path: Path) -> None:
    with ModelServer(capable) as server:
        report = runs.run("openai:stand-in", tmp_path, base_url=server.base_url, max_calls=2)
    runs.no_worse(report)
    assert len(server.requests) == report.cost["calls"] == 2
