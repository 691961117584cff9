"""The command line's own behaviour: start-up, options, errors and exit statuses."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from automl_agent.cli import main as command
from automl_agent.cli.ask import left_open, plans_text, question_text, reply_to
from automl_agent.cli.findings import Finding
from automl_agent.cli.folders import find_run
from automl_agent.cli.options import make_parser
from automl_agent.cli.progress import Progress, View, draw
from automl_agent.cli.run import fresh_manifest
from automl_agent.delivery.summary import summarize
from automl_agent.errors import InputError
from automl_agent.events import Remark, StageFinished, StageStarted
from automl_agent.records import ConstraintCheck, Question, Report
from standin_graph import HOME, build, start
from tiny_bundle import make_bundle

HEAVY = (
    "langgraph",
    "langchain_core",
    "pandas",
    "numpy",
    "sklearn",
    "lightgbm",
    "chromadb",
    "torch",
    "pydantic",
    "rich",
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOML_AGENT_HOME", raising=False)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str) -> None:
    code = f"""
import sys
from automl_agent.cli.main import main
try:
    status = main([{option!r}])
except SystemExit as exit:
    status = exit.code
assert status == 0, status
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "automl-agent" in done.stdout


def test_the_clock_starts_before_the_imports() -> None:
    code = "import automl_agent.cli.main as m, time, sys; print(time.monotonic() - m.START > 0, m.START)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True")
    lines = Path(command.__file__).read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("START ="))
    before = [line for line in lines[:first] if line.startswith(("import", "from"))]
    assert before == ["from __future__ import annotations", "import time"]


def test_every_command_of_the_design_is_there() -> None:
    text = make_parser().format_help()
    for name in ("run", "predict", "serve", "verify", "runs", "show", "knowledge", "bench", "doctor"):
        assert re.search(rf"^    {name}\b", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["run"], "REQUEST"),
        (["run", "x", "--budget", "soon"], "--budget"),
        (["run", "x", "--budget", "nan"], "--budget"),
        (["run", "x", "--budget", "-5"], "--budget"),
        (["run", "x", "--plans", "0"], "--plans"),
        (["run", "x", "--set", "k"], "KEY=VALUE"),
        (["run", "x", "--no-such-option"], "--no-such-option"),
        (["run", "--resume", "last"], "last"),
        (["flee"], "flee"),
        (["show", "nothing"], "nothing"),
        (["predict", "nowhere", "new.csv"], "nowhere"),
        (["serve", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_status_2(argv: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("automl-agent: error: ")
    assert err.count("\n") == 1
    assert named in err


def test_an_output_folder_under_a_file_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/deep.* is a file"):
        start("words", "--out", "file/deep")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_options_become_request_and_settings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    args = make_parser().parse_args(
        ["run", "Who churns?", "--data", "a.csv", "iris", "--test-data", "a.csv", "--family", "tabular_classification",
         "--target", "Churn", "--positive", "yes", "--metric", "f1", "--time", "day", "--group", "firm",
         "--ignore", "a", "b", "--ignore", "c", "--set", "k=5", "--set", "name=3x", "--set", "fast=true",
         "--budget", "30", "--trials", "7", "--max-cost", "0.5", "--plans", "2", "--cpus", "1", "--seed", "3",
         "--plan-only", "--no-retrieval", "--model", "openai:gpt-5", "--out", "result"]
    )  # fmt: skip
    manifest = fresh_manifest(args)
    request, settings = manifest.request, manifest.settings
    assert request.data == (str(tmp_path / "a.csv"), "iris")
    assert request.test_data == str(tmp_path / "a.csv")
    assert (request.target, request.positive, request.metric) == ("Churn", "yes", "f1")
    assert (request.time, request.group, request.ignore) == ("day", "firm", ("a", "b", "c"))
    assert request.options == {"k": 5, "name": "3x", "fast": True}
    assert (settings.budget, settings.trials, settings.max_cost, settings.plans) == (30, 7, 0.5, 2)
    assert (settings.cpus, settings.seed, settings.plan_only, settings.retrieval) == (1, 3, True, False)
    assert settings.out == str(tmp_path / "result")
    assert manifest.model == {"default": "openai:gpt-5"}


@pytest.mark.parametrize(("words", "status"), [("predict churn", 0), ("miss it", 3)])
def test_json_is_one_object_on_stdout_and_in_the_folder(
    words: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(words, "--out", "r", "--json") == status
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result == json.loads((tmp_path / "r" / "result.json").read_text())
    assert result["status"] == ("missed" if status else "delivered")
    assert "warning: Column 'id'" in err
    assert err.strip().splitlines()[-1].startswith(f"automl-agent: {result['status']}, f1 0.9 on the locked test, ")


def test_without_json_a_summary_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    start("miss it", "--out", "r")
    out = capsys.readouterr().out
    assert "f1 0.9 on the locked test (95 % interval 0.85 to 0.95)\n  a trivial model reaches 0.4" in out
    assert "MISSED  f1 at least 0.95: measured 0.9" in out
    assert "automl-agent serve r/bundle" in out


def test_a_fault_is_one_line_with_its_traceback_in_the_output_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_agent.cli.run._build_graph", lambda: build)
    assert command.main(["run", "crash", "--out", "r"]) == 1
    err = capsys.readouterr().err
    log = tmp_path / "r" / "automl-agent-error.log"
    assert err.splitlines()[-1] == f"automl-agent: error: unexpected RuntimeError: something broke; details in {log}"
    assert "Traceback" in log.read_text()


def test_names_of_a_table_cannot_speak_to_the_terminal() -> None:
    evil = "a\x1b]0;title\x07\x9b31m"
    report = Report(status="delivered", run_id="r", warnings=(f"column {evil}",), reason=f"as {evil}")
    question = Question(field="target", text=f"Which of {evil}?", choices=(evil, "b"))
    for text in (summarize(report), question_text(question), plans_text({"task": {"target": evil}, "plans": []})):
        assert "a ]0;title" in text
        assert not {"\x1b", "\x07", "\x9b"} & set(text)


def test_bad_input_of_the_graph_leaves_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_agent.cli.run._build_graph", lambda: build)
    assert command.main(["run", "bad", "--out", "r"]) == 2
    assert capsys.readouterr().err == "automl-agent: error: File 'none.csv' does not exist. Give a CSV file.\n"
    assert not (tmp_path / "r").exists()
    assert find_run(tmp_path / HOME, "last").status() == "failed"


def test_runs_and_show_tell_what_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    start("predict churn", "--json")
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    assert command.main(["runs"]) == 0
    line = capsys.readouterr().out
    assert run_id in line
    assert "delivered" in line
    assert command.main(["show", "last"]) == 0
    text = capsys.readouterr().out
    assert "Understanding the request" in text
    assert "1 trial; best f1 0.9 (lightgbm)" in text
    assert command.main(["show", run_id, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["result"]["score"] == 0.9
    assert whole["manifest"]["request"]["words"] == "predict churn"
    assert whole["events"][0]["kind"] == "stage_started"


def test_a_run_is_held_by_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start("predict churn", "--json")
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    folder = find_run(tmp_path / HOME, run_id)
    with folder.lease(), pytest.raises(InputError, match="already being worked on"):
        start("--resume", run_id)
    assert start("--resume", run_id) == 0
    capsys.readouterr()
    start("unclear")
    asking = find_run(tmp_path / HOME, "last")
    assert asking.status() == "needs_answer"
    with asking.lease():
        assert asking.status() == "running"


def test_serve_becomes_the_bundles_own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r" / "bundle").mkdir(parents=True)
    nothing = hashlib.sha256(b"").hexdigest()
    for name in ("predict.py", "serve.py"):
        (tmp_path / "r" / "bundle" / name).write_text("")
    (tmp_path / "r/bundle/manifest.json").write_text(
        json.dumps({"files": dict.fromkeys(["predict.py", "serve.py"], nothing)})
    )
    called: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _path, argv: called.append(argv) or 0)
    assert command.main(["serve", "r", "--port", "9000"]) == 0
    ((python, *_, script, host, address, option, port),) = called
    assert (python, script) == (sys.executable, str(tmp_path / "r/bundle/serve.py"))
    assert (host, address, option, port) == ("--host", "127.0.0.1", "--port", "9000")


def test_questions_are_answered_by_number_by_name_or_not_at_all() -> None:
    question = Question(field="target", text="Which?", choices=("churn", "price"))
    value = {"question": question.model_dump(mode="json")}
    lines = iter(["", "7", "2"])
    assert reply_to(value, answer=None, yes=False, ask=lambda _: next(lines)) == "price"
    assert reply_to(value, answer=None, yes=False, ask=lambda _: "area") == "area"
    assert reply_to(value, answer="churn", yes=False, ask=None) == "churn"
    assert reply_to(value, answer=None, yes=True, ask=None) is None
    assert reply_to({"approve": {"plans": []}}, answer=None, yes=False, ask=lambda _: "y") is True
    assert reply_to({"approve": {"plans": []}}, answer=None, yes=False, ask=lambda _: "") is False
    assert "2. price" in question_text(question)
    assert "--resume r1 --answer" in left_open(value, "r1").reason
    assert "--resume r1 --yes" in left_open({"approve": {"plans": [{"title": "T"}]}}, "r1").reason


def test_the_live_view_shows_the_run_and_never_breaks_it() -> None:
    from rich.console import Console

    stream = StringIO()
    view = View("r1", 0.0, left=lambda: 12.0)
    progress = Progress(view, stream=stream, live=True)
    progress.show(StageStarted(stage="search", title="Searching [bold]"))
    progress.show(StageStarted(stage="search", title="Searching [bold]"))
    progress.show(StageFinished(stage="search", seconds=1.0))
    progress.show(Remark(text="odd [/red] text", level="warning"))
    assert view.stages["search"].running == 1
    console = Console(file=StringIO(), width=80)
    console.print(draw(view))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "12 s left" in shown
    assert "Searching [bold]" in shown
    assert "▸" in shown
    progress.close(Report(status="delivered"))
    assert "odd [/red] text" in stream.getvalue()

    broken = Progress(View("r1", 0.0), stream=stream, live=False)
    stream.close()  # every write fails from here on
    broken.show(Remark(text="x", level="warning"))
    broken.close(Report(status="delivered"))


def test_the_summary_of_a_refusal_says_why_and_nothing_else() -> None:
    assert summarize(Report(status="refused", reason="This is a poem.")) == "The request was refused.\nThis is a poem."


def test_the_summary_names_units_and_families() -> None:
    checks = (
        ConstraintCheck(measure="latency_ms", comparison="<=", value=5.0, unit="ms", measured=1.9, met=True),
        ConstraintCheck(measure="model_family", comparison="in", value=("lightgbm",), measured=("linear",), met=False),
    )
    text = summarize(Report(status="missed", constraints=checks))
    assert "met     latency of one row at most 5 ms: measured 1.9 ms" in text
    assert "MISSED  model family only lightgbm: measured linear" in text


@pytest.fixture(scope="module")
def result_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder with a small bundle, and `table.csv` from which it was made."""
    root = tmp_path_factory.mktemp("result")
    make_bundle(root)
    return root


def test_predict_and_verify_use_a_bundle(result_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = str(result_folder / "table.csv")
    assert command.main(["predict", str(result_folder), table, "--out", "new.csv"]) == 0
    assert capfd.readouterr().out == "new.csv\n"
    assert (
        Path("new.csv").read_text().splitlines()[0].startswith("mean radius,size,colour,seen,note,diagnosis,prediction")
    )
    assert command.main(["verify", str(result_folder), "--json"]) == 0
    assert [check["ok"] for check in json.loads(capfd.readouterr().out)] == [True]
    assert command.main(["predict", str(result_folder), "gone.csv"]) == 2
    changed = result_folder / "bundle" / "schema.json"
    before = changed.read_text()
    changed.write_text(before + " ")
    try:
        assert command.main(["verify", str(result_folder)]) == 1
        assert capfd.readouterr().out.startswith("FAILED")
    finally:
        changed.write_text(before)


def test_knowledge_is_searched_and_extended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["knowledge", "search", "few rows and many columns", "--k", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 2
    assert command.main(["knowledge", "sync", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == 0
    assert command.main(["knowledge", "add", str(tmp_path / "gone.md")]) == 2


def test_the_doctor_says_what_works_and_what_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Finding:
        raise RuntimeError("no store")

    monkeypatch.setattr("automl_agent.cli.doctor._worker", lambda: Finding("worker", "ok", "answers"))
    monkeypatch.setattr("automl_agent.cli.doctor._knowledge", lambda: Finding("knowledge", "ok", "answers"))
    assert command.main(["doctor", "--json"]) == 0
    checks = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert set(checks) == {
        "python", "packages", "extras", "cpus", "memory", "disk", "home", "worker", "sandbox", "knowledge", "model",
    }  # fmt: skip
    assert "langgraph 1." in checks["packages"]["text"]
    monkeypatch.setattr("automl_agent.cli.doctor._knowledge", broken)
    assert command.main(["doctor"]) == 1
    assert "problem  knowledge  RuntimeError: no store  ->" in capsys.readouterr().out
