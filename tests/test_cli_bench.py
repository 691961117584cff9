"""Suites: sentences run and scored as the paper does, and gone on with where they stopped."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automl_agent import build_graph
from automl_agent.cli.bench import bench
from automl_agent.cli.options import make_parser
from automl_agent.cli.suites import (
    Entry,
    Expected,
    Required,
    Setup,
    averages,
    judged,
    normalized,
    read_suite,
    run_entry,
)
from automl_agent.errors import InputError
from automl_agent.records import ConstraintCheck, Report
from automl_agent.testing import InlineExecutor

SUITE = Path(__file__).parents[1] / "examples" / "suite.yaml"
FREE = Entry(
    name="a", words="?", data=("a.csv",), expect=Expected(family="tabular_classification", target="y", metric="f1")
)
AWARE = FREE.model_copy(
    update={"kind": "aware", "requires": (Required(measure="f1", value=0.9), Required(measure="latency_ms", value=5))}
)


def result(status: str = "delivered", f1: bool = True, latency: bool = True, **changes: Any) -> Report:
    checks = (
        ConstraintCheck(measure="f1", comparison=">=", value=0.9, met=f1),
        ConstraintCheck(measure="latency_ms", comparison="<=", value=5.0, met=latency),
    )
    values = {
        "status": status, "score": 0.8, "bundle": "b", "constraints": checks,
        "task": {"family": "tabular_classification", "target": "y"},
        "metric": {"name": "f1", "higher_is_better": True},
    }  # fmt: skip
    return Report(**{**values, **changes})


@pytest.mark.parametrize(
    ("entry", "report", "success"),
    [
        (FREE, result(), 1.0),
        (FREE, result("failed"), 0.5),
        (FREE, result("needs_answer", bundle=None), 0.0),
        (FREE, result(task={"family": "tabular_regression", "target": "y"}), 0.0),
        (FREE, result(task={"family": "tabular_classification", "target": "z"}), 0.0),
        (AWARE, result(), 1.0),
        (AWARE, result("missed", latency=False), 0.75),
        (AWARE, result("missed", f1=False, latency=False), 0.5),
        (AWARE, result("failed"), 0.25),
        (AWARE, result(constraints=()), 0.5),  # requirements that were not understood are not met
        (AWARE, result("refused", bundle=None), 0.0),
    ],
)
def test_success_is_scored_by_degrees(entry: Entry, report: Report, success: float) -> None:
    outcome = judged(entry, report, 1.0)
    assert outcome.success == success
    assert outcome.performance == (0.8 if success and outcome.reason == "" else outcome.performance)
    assert outcome.comprehensive == pytest.approx(0.5 * outcome.success + 0.5 * outcome.performance)


def test_performance_lies_between_0_and_1() -> None:
    assert normalized(0.7, True) == 0.7
    assert normalized(-0.2, True) == 0.0
    assert normalized(0.0, False) == 1.0
    assert normalized(3.0, False) == 0.25


def test_a_metric_that_the_run_did_not_choose_by_is_read_from_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"others": {"f1": 0.6}}))
    report = result(bundle=str(tmp_path), metric={"name": "accuracy", "higher_is_better": True})
    assert judged(FREE, report, 1.0).performance == 0.6


def command(*options: str, build: Any = build_graph) -> int:
    return bench(make_parser().parse_args(["bench", *options]), build)


class Build:
    """Answers like `build_graph`, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.sentences: list[str] = []

    def __call__(self, model: Any, **options: Any) -> Any:
        self.calls.append({"model": model, **options})

        def invoke(given: dict[str, Any]) -> dict[str, Report]:
            self.sentences.append(given["request"].words)
            if "concrete" in given["request"].words:
                raise InputError("The file is gone.")
            task = {"family": "tabular_classification", "target": "diagnosis"}
            return {"report": result(task=task, metric={"name": "f1", "higher_is_better": True})}

        return SimpleNamespace(invoke=invoke)


def test_a_suite_is_run_once_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, options = Build(), (str(SUITE), "--out", str(tmp_path), "--home", str(tmp_path / "home"))
    assert command(*options, "--only", "tumours", build=build) == 0
    assert command(*options, build=build) == 0
    assert len(build.sentences) == 2
    shown = capsys.readouterr().out
    assert "| **mean, all** | | 2 |" in shown
    assert "concrete: The file is gone." in shown
    assert json.loads((tmp_path / "summary.json").read_text())["averages"]["aware"]["success"] == 0.75
    with (tmp_path / "outcomes.jsonl").open("a") as file:
        file.write('{"key": "cut sho')  # killed while it wrote
    assert command(*options, build=build) == 0
    assert len(build.sentences) == 2


def test_the_switches_of_the_ablation_reach_the_graph(tmp_path: Path) -> None:
    build, place = Build(), ("--out", str(tmp_path), "--home", str(tmp_path / "home"))
    command(
        str(SUITE), *place, "--plans", "1", "--no-retrieval", "--no-decomposition", "--no-verification", build=build
    )
    asked = build.calls[0]
    assert asked["settings"].plans == 1
    assert not asked["settings"].retrieval
    assert asked["settings"].max_revisions == 0
    assert {agent.name for agent in asked["agents"]} == {"data", "model"}
    assert all(agent.run is None for agent in asked["agents"])
    assert {verifier.stage for verifier in asked["verifiers"]} == {"request", "plans", "solution"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("entries: 3", "name: field required"),
        (
            "name: x\nentries: [{name: a, words: w, data: d, expect: {family: f}}]",
            "entries.0.expect.metric: field required",
        ),
        ("name: x\nentries: [{name: a, wrds: w}]", "entries.0"),
        ("name: [", "cannot be read"),
    ],
)
def test_a_suite_that_is_none_is_said_to_be_so(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_suite(tmp_path / "suite.yaml")
    with pytest.raises(InputError, match="no entry 'nobody'"):
        command(str(SUITE), "--only", "nobody", "--out", str(tmp_path))


@pytest.mark.slow
def test_a_sentence_is_run_for_real_with_everything_switched_off(tmp_path: Path) -> None:
    entry = read_suite(SUITE).entries[0]
    setup = Setup(budget=240, trials=4, plans=1, retrieval=False, decomposition=False, verification=False)
    outcome = run_entry(
        entry, setup, tmp_path / "out", tmp_path / "home", partial(build_graph, executor=InlineExecutor())
    )
    assert outcome.success >= 0.5, outcome.reason
    assert outcome.performance > 0.8
    assert averages([outcome])["aware"]["sentences"] == 1
