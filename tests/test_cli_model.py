"""What the command line offers and shows of language models: options, calls, code, the closing summary, the doctor."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from automl_agent.cli import main as command
from automl_agent.cli.findings import Finding
from automl_agent.cli.model_checks import KEYS, model_checks
from automl_agent.cli.options import make_parser
from automl_agent.cli.progress import View, draw
from automl_agent.cli.run import fresh_manifest, resumed_manifest, run
from automl_agent.delivery.summary import summarize
from automl_agent.delivery.words import model_name
from automl_agent.errors import InputError
from automl_agent.events import BestSoFar, CodeJudged, ModelCalled
from automl_agent.records import CodeModule, ModelCall, Report
from automl_agent.settings import Settings
from automl_agent.testing import ModelServer, faults
from standin_graph import build, start

SANDBOX = "automl_agent.execution.sandbox.plain:PlainSandbox"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOML_AGENT_HOME", raising=False)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--model", "plannr=openai:gpt-5"], "'plannr' is no role; roles are prompt, request, planner"),
        (["--model", "planner="], "name of the model is empty"),
        (["--model", "a:b", "--model", "a:c"], "--model is given twice for every role: a:b and a:c"),
        (["--base-url", "http://h/v1"], "--base-url needs a model"),
        (["--model", "m", "--base-url", "h/v1"], "--base-url h/v1 is not an address"),
        (["--model", "m", "--base-url", "http://h:0x/v1"], "is not an address"),
        (["--prices", "gone.json"], "gone.json cannot be read"),
        (["--sandbox", "some/where"], "Use auto, require, off, or package.module:Class"),
        (["--sandbox", "no.such:Thing"], "'no.such:Thing' cannot be made"),
        (["--model", "nonsense"], "The model 'nonsense' is not understood. Write PROVIDER:NAME"),
        (["--model", "openai:gpt-5", "--model", "coder=none:x"], "The model 'none:x' is not understood"),
        (["--share-rows", "6"], "--share-rows 6: input should be less than or equal to 5"),
        (["--share-names", "some"], "expected yes or no"),
        (["--temperature", "3"], "--temperature 3"),
        (["--max-tokens", "-1"], "--max-tokens -1"),
        (["--max-calls", "few"], "--max-calls"),
        (["--concurrency", "0"], "--concurrency 0"),
        (["--call-timeout", "0"], "--call-timeout 0"),
    ],
)
def test_a_bad_option_is_one_line_and_status_2(
    argv: list[str], named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command.main(["run", "x", *argv]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("automl-agent: error: ")
    assert named in err
    assert not list(tmp_path.iterdir())


def test_options_of_the_language_model_become_words_and_settings(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text("{}")
    args = make_parser().parse_args(
        ["run", "Who churns?", "--model", "openai:gpt-5", "--model", "coder=openai:gpt-5-codex",
         "--base-url", "http://127.0.0.1:8000/v1", "--temperature", "0.2", "--max-cost", "0.5", "--max-tokens", "90000",
         "--max-calls", "40", "--prices", "prices.json", "--call-timeout", "30", "--concurrency", "2", "--cache",
         "--share-rows", "0", "--share-names", "no", "--no-code", "--sandbox", SANDBOX]
    )  # fmt: skip
    manifest = fresh_manifest(args)
    settings = manifest.settings
    assert manifest.model == {"default": "openai:gpt-5", "coder": "openai:gpt-5-codex"}
    assert (settings.base_url, settings.temperature) == ("http://127.0.0.1:8000/v1", 0.2)
    assert (settings.max_cost, settings.max_tokens, settings.max_calls) == (0.5, 90_000, 40)
    assert settings.prices == str(tmp_path / "prices.json")
    assert (settings.call_timeout, settings.concurrency, settings.response_cache) == (30, 2, True)
    assert (settings.share_rows, settings.share_names) == (0, False)
    assert (settings.write_code, settings.sandbox) == (False, SANDBOX)


def test_without_its_options_no_model_is_used_and_all_settings_are_the_default_ones() -> None:
    manifest = fresh_manifest(make_parser().parse_args(["run", "Who churns?"]))
    assert manifest.model is None
    changed = {name for name in Settings.model_fields if getattr(manifest.settings, name) != getattr(Settings(), name)}
    assert changed == {"home", "out"}


def test_the_words_of_the_models_reach_the_graph_and_no_key_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    given: list[Any] = []
    args = make_parser().parse_args(["run", "predict churn", "--model", "openai:a", "--model", "coder=openai:b"])
    args.started = time.monotonic()
    assert run(args, build=lambda model, **rest: given.append(model) or build(model, **rest)) == 0
    assert given == [{"default": "openai:a", "coder": "openai:b"}]
    capsys.readouterr()
    assert command.main(["run", "x", "--model", "m", "--base-url", "https://me:sk-canary@host/v1"]) == 2
    assert "sk-canary" not in capsys.readouterr().err
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"sk-canary" in path.read_bytes()]


def test_a_resumed_run_may_be_given_new_limits_but_no_other_model() -> None:
    parse = make_parser().parse_args
    manifest = fresh_manifest(parse(["run", "Who churns?", "--model", "openai:gpt-5", "--max-calls", "10"]))
    again = parse(["run", "--resume", "last", "--max-cost", "2", "--max-tokens", "5000", "--max-calls", "20"])
    resumed = resumed_manifest(again, manifest)
    settings = resumed.settings
    assert (settings.max_cost, settings.max_tokens, settings.max_calls) == (2, 5000, 20)
    assert resumed.model == {"default": "openai:gpt-5"}
    for option in (["--model", "openai:other"], ["--share-rows", "5"], ["--sandbox", "off"], ["--no-code"]):
        with pytest.raises(InputError, match=f"{option[0]} cannot be given together with --resume"):
            resumed_manifest(parse(["run", "--resume", "last", *option]), manifest)


@pytest.mark.parametrize("text", ["not json", "[]"])
def test_prices_that_are_no_table_are_refused_before_anything_is_made(text: str, tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(text)
    with pytest.raises(InputError, match=r"prices\.json"):
        start("words", "--prices", "prices.json")
    assert [path.name for path in tmp_path.iterdir()] == ["prices.json"]


def called(outcome: str = "ok", usd: float | None = 0.04, **totals: Any) -> ModelCalled:
    call = ModelCall(role="planner", model="m", outcome=outcome, seconds=3.14, usd=usd)
    return ModelCalled(call=call, **{"calls": 12, "tokens": 31_400, "usd": 0.042} | totals)


def module(status: str, name: str = "a") -> CodeModule:
    return CodeModule(id=f"r/{name}", kind="features", plan="p1", title="Ratios \x1b[31m", status=status)  # type: ignore[arg-type]


def test_the_live_view_counts_calls_and_code() -> None:
    from rich.console import Console

    view = View("r1", 0.0)
    view.take(called())
    assert view.asked() == "12 calls, 31.4k tokens, $0.042 (planner: ok, 3.1 s)"
    for event in (module("kept", "a"), module("kept", "b"), module("dropped", "c"), module("dropped", "c")):
        view.take(CodeJudged(module=event))
    assert view.judged() == "2 modules kept, 1 dropped"
    console = Console(file=StringIO(), width=80)
    console.print(draw(view))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "model   12 calls, 31.4k tokens, $0.042 (planner: ok, 3.1 s)" in shown
    assert "code    2 modules kept, 1 dropped" in shown
    view.take(called("rate_limited", usd=None, calls=13))
    assert view.asked() == "13 calls, 31.4k tokens, at least $0.042 (planner: rate limited, 3.1 s)"


def test_a_generated_candidate_is_never_shown_as_a_path() -> None:
    view = View("r1", 0.0)
    path = "/home/me/.automl-agent/artifacts/r/network-p3/module.py"
    view.take(BestSoFar(metric="f1", score=0.9, candidate=path, bundle="b", seconds=1.0))
    assert view.best == "f1 0.9 (network-p3)"
    titled = CodeModule(id="r/network-p3", kind="model", plan="p3", title="Small network", status="kept")
    assert model_name(path, [titled]) == "Small network"
    assert model_name("/x/lightgbm.py", [titled]) == "lightgbm"
    assert model_name("extra_trees") == "extra_trees"


def test_the_summary_tells_what_the_language_model_did() -> None:
    def call(outcome: str = "ok", usd: float | None = 0.02) -> ModelCall:
        return ModelCall(role="planner", model="gpt-5", outcome=outcome, input_tokens=1000, output_tokens=234, usd=usd)

    kept = module("kept").model_copy(update={"score_without": 0.5, "score_with": 0.4})
    failed = module("failed").model_copy(update={"reason": "It never ran."})
    report = Report(
        status="delivered", metric={"name": "rmse", "higher_is_better": False}, calls=(call(), call("schema")),
        code=(kept, failed), summary="Gut.\n\x1b[2JSehr gut.", summary_by="model",
    )  # fmt: skip
    text = summarize(report)
    assert "A model was delivered.\n\nGut.\n[2JSehr gut.\n" in text
    assert "gpt-5: 2 calls, 2,468 tokens, $0.040; 1 without an answer that could be used (1 wrong form)" in text
    assert (
        "It wrote 2 modules of code:\n  kept    Ratios [31m, 0.1 better\n  failed  Ratios [31m: It never ran." in text
    )
    assert "\x1b" not in text
    rules = report.model_copy(update={"calls": (), "code": (), "summary_by": "rules"})
    assert summarize(rules) == "A model was delivered."
    unknown = summarize(report.model_copy(update={"calls": (call(usd=None),)}))
    assert "1 call, 1,234 tokens, price not known" in unknown


def checked(*argv: str) -> list[Finding]:
    """What the doctor finds out about models."""
    return [check() for _, check in model_checks(make_parser().parse_args(["doctor", *argv]))]


def test_the_doctor_says_what_a_model_can_do() -> None:
    with ModelServer(lambda call: {"legs": 8} if call.schema else "one, two, three, " * 9) as server:
        found = checked("--model", "any", "--model", "coder=any", "--base-url", server.base_url)
    assert [(finding.check, finding.level) for finding in found] == [("model", "ok"), ("model can", "ok")]
    assert f"openai:any at {server.base_url} answers, in " in found[0].text
    assert found[1].text == "structured output, tools, streaming, usage"
    with ModelServer("eight " * 20, fault=faults.NO_USAGE) as server:
        found = checked("--model", "any", "--base-url", server.base_url)
    assert found[1].level == "note"
    assert found[1].text == "streaming; not structured output, tools, usage"
    assert found[1].remedy == "JSON is asked for in words; limits count the most that a call may use"


def test_the_doctor_says_why_a_model_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ModelServer() as server:
        address = server.base_url
    for argv, why in (
        (["--model", "any", "--base-url", address], "cannot be reached"),
        (["--model", "nonsense"], "is not understood. Write PROVIDER:NAME"),
        (["--model", "openai:gpt-5"], "Set the environment variable OPENAI_API_KEY"),
    ):
        found = checked(*argv)
        assert [(finding.check, finding.level) for finding in found] == [("model", "problem"), ("model can", "note")]
        assert why in found[0].text
    with pytest.raises(InputError, match="--base-url needs a model"):
        checked("--base-url", address)


def test_without_a_model_the_doctor_names_the_keys_but_never_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    assert "no provider's key is set here" in checked()[0].text
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    (finding,) = checked()
    assert (finding.level, finding.remedy) == ("note", "Try one: --model openai:gpt-5")
    assert finding.text == "none given, so agents work by rules; set here: ANTHROPIC_API_KEY"
