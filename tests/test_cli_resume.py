"""Runs that stop and go on: kills, Ctrl-C, questions and approval, on a stand-in graph with real checkpoints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from automl_agent.cli.folders import find_run
from automl_agent.cli.options import make_parser
from automl_agent.cli.run import run
from automl_agent.errors import InputError
from standin_graph import HOME, build, start

SCRIPT = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import automl_agent.cli.main as command, automl_agent.cli.run as cli
from standin_graph import build
cli._build_graph = lambda: build
sys.exit(command.main(["run", *sys.argv[1:]]))
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOML_AGENT_HOME", raising=False)


def spawn(*argv: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *argv], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def visits() -> list[str]:
    return Path(HOME, "visits").read_text(encoding="utf-8").split()


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def wait_for_search(process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not (Path(HOME, "visits").exists() and "search" in visits()):
        time.sleep(0.02)


def test_a_killed_run_resumes_without_repeating_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    process = spawn("die in the search", "--out", "r", "--json")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert find_run(Path(HOME).resolve(), "last").status() == "stopped"
    assert start("--resume", "last", "--json") == 0
    assert result(capsys)["status"] == "delivered"
    assert visits() == ["parse", "search", "search"]
    assert Path("r", "result.json").exists()


def test_a_run_killed_before_its_first_checkpoint_starts_from_its_manifest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise OSError("no such library")

    monkeypatch.setattr("automl_agent.cli.run._build_graph", broken)
    args = make_parser().parse_args(["run", "predict churn"])
    args.started = time.monotonic()
    with pytest.raises(OSError, match="no such library"):
        run(args)
    assert start("--resume", "last", "--json") == 0
    assert result(capsys)["status"] == "delivered"


def test_a_finished_run_is_printed_again_and_not_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert start("miss it", "--json", "--out", "r") == 3
    first = result(capsys)
    Path("r", "result.json").unlink()
    assert start("--resume", first["run_id"], "--json") == 3
    assert result(capsys) == first
    assert visits() == ["parse", "search"]
    assert json.loads(Path("r", "result.json").read_text()) == first


def test_a_question_without_a_terminal_is_left_open_and_answered_later(capsys: pytest.CaptureFixture[str]) -> None:
    assert start("unclear", "--json") == 4
    report = result(capsys)
    assert report["status"] == "needs_answer"
    assert report["question"]["choices"] == ["churn", "price"]
    assert start("--resume", report["run_id"], "--json") == 4  # nobody is there still
    capsys.readouterr()
    assert start("--resume", report["run_id"], "--answer", "price", "--json") == 0
    assert result(capsys)["task"]["target"] == "price"


def test_a_question_on_a_terminal_is_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_agent.cli.run.on_terminal", lambda: True)
    monkeypatch.setattr("automl_agent.cli.run.typed", lambda _prompt: "2")
    assert start("unclear", "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["task"]["target"] == "price"
    assert "Which column shall be predicted?\n  1. churn\n  2. price" in err


def test_ctrl_c_at_a_question_leaves_the_run_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_prompt: str) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        return "2"

    monkeypatch.setattr("automl_agent.cli.run.on_terminal", lambda: True)
    monkeypatch.setattr("automl_agent.cli.run.typed", interrupted)
    assert start("unclear") == 130
    assert "--resume" in capsys.readouterr().err
    assert start("--resume", "last", "--answer", "price") == 0


@pytest.mark.parametrize(("line", "status"), [("y", "delivered"), ("", "refused")])
def test_plans_are_approved_or_not_on_a_terminal(
    line: str, status: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_agent.cli.run.on_terminal", lambda: True)
    monkeypatch.setattr("automl_agent.cli.run.typed", lambda _prompt: line)
    start("predict churn", "--approve", "--json")
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == status
    assert "Boosted trees: Trees fit tables." in err


def test_plans_wait_for_approval_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert start("predict churn", "--approve", "--json") == 4
    report = result(capsys)
    assert f"--resume {report['run_id']} --yes" in report["reason"]
    assert visits() == ["parse"]
    assert start("--resume", "last", "--yes", "--json") == 0
    assert result(capsys)["status"] == "delivered"


def test_a_resumed_run_takes_new_limits_and_nothing_else() -> None:
    start("unclear")
    with pytest.raises(InputError, match="--target cannot be given together with --resume"):
        start("--resume", "last", "--target", "price")
    with pytest.raises(InputError, match="REQUEST cannot be given"):
        start("another request", "--resume", "last")
    assert start("--resume", "last", "--answer", "churn", "--budget", "9", "--cpus", "1") == 0


def test_the_budget_counts_from_the_start_of_the_command() -> None:
    args = make_parser().parse_args(["run", "slow", "--budget", "1000"])
    args.started = time.monotonic() - 999.9
    before = time.monotonic()
    assert run(args, build=build) == 0
    assert time.monotonic() - before < 60  # a thousand seconds, had the clock started here


def test_the_first_ctrl_c_finishes_with_the_best_so_far() -> None:
    process = spawn("slow", "--json", "--budget", "60")
    wait_for_search(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["reason"] == "stopped"
    assert "Press Ctrl-C again to abort" in err


def test_the_second_ctrl_c_aborts_at_once_and_the_run_can_go_on() -> None:
    process = spawn("unstoppable die slow")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    script = SCRIPT.replace(
        "cli._build_graph", "import standin_graph; standin_graph.stop_requested = lambda _: False\ncli._build_graph"
    )
    process = subprocess.Popen([sys.executable, "-c", script, "--resume", "last"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and visits().count("search") < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "Aborted. Continue with: automl-agent run --resume" in err
    folder = find_run(Path(HOME).resolve(), "last")
    assert folder.status() == "stopped"
