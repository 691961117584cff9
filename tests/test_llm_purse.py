"""Limits of cost, tokens and calls are never exceeded; prices; answers that were paid for are used again."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from automl_agent.errors import InputError
from automl_agent.execution.ledger import Ledger
from automl_agent.llm import exchange
from automl_agent.llm.models import ModelFacts
from automl_agent.llm.prices import price_table
from automl_agent.llm.purse import UNANSWERED
from automl_agent.records import ModelCall
from automl_agent.settings import Settings
from automl_agent.testing import Call, ModelServer, Reply, ScriptedChatModel, faults
from llm_asking import PICK, PICKED, Run

ASKED, ANSWERED = 90, 40


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_FIRST_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def priced(folder: Path, **prices: object) -> str:
    file = folder / "prices.json"
    file.write_text(json.dumps(prices or {"*": {"input": 1000, "output": 2000}}))
    return str(file)


def watching(run_home: Path, seen: list[tuple[float, ...]]):
    """A script that answers slowly and looks into the ledger while it is asked."""

    def answer(call: Call) -> Reply:
        costs = Ledger(run_home).costs("run")
        seen.append((costs["usd"], costs["input_tokens"] + costs["output_tokens"], costs["calls"]))
        threading.Event().wait(0.01)
        return Reply(data=PICK, usage=(ASKED, ANSWERED))

    return answer


@pytest.mark.parametrize(
    ("name", "most", "place"), [("max_calls", 5, 2), ("max_tokens", 9000, 1), ("max_cost", 12.0, 0)]
)
def test_no_limit_is_exceeded_by_threads_at_once(name: str, most: float, place: int, tmp_path: Path) -> None:
    settings = Settings(**{name: most}, concurrency=8, max_output_tokens=1000, prices=priced(tmp_path))
    seen: list[tuple[float, ...]] = []
    run = Run(tmp_path, ScriptedChatModel(watching(tmp_path, seen), model_name=name), settings)
    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(lambda n: run.ask(f"Question {n}").kind, range(40)))
    assert set(kinds) == {"ok", "limit"}
    assert len(seen) == kinds.count("ok") == run.costs["calls"]
    assert max(entry[place] for entry in seen) <= most  # what was set aside counts from the first moment
    spent = (run.costs["usd"], run.costs["input_tokens"] + run.costs["output_tokens"], run.costs["calls"])
    assert spent[place] <= most


def test_the_last_answer_is_bounded_by_what_is_left(tmp_path: Path) -> None:
    with ModelServer(PICK) as server:
        run = Run(tmp_path, "gpt-4.1", Settings(base_url=server.base_url, max_tokens=2500))
        assert run.ask().ok
        assert run.ask("Another question").ok
        assert run.ask("And another").ok
        outcome = run.ask("x" * 2000)
    bounds = [call.body["max_completion_tokens"] for call in server.requests]
    assert bounds[0] < 2500 and bounds == sorted(bounds, reverse=True) and bounds[-1] >= 256
    assert outcome.kind == "limit" and "450 of 2500 tokens" in outcome.detail


def test_a_limit_holds_when_the_run_is_resumed_after_a_kill(tmp_path: Path) -> None:
    """A request that was under way may have been paid for: its worst case stays in the accounts."""
    killed = ModelCall(role="planner", model="m", outcome=UNANSWERED, input_tokens=900, output_tokens=4000, usd=0.9)
    Ledger(tmp_path).record_call("run", killed)
    model = ScriptedChatModel(PICK)
    assert Run(tmp_path, model, Settings(max_tokens=6000)).ask().kind == "limit"
    assert Run(tmp_path, model, Settings(max_calls=1)).ask().kind == "limit"
    assert Run(tmp_path, model, Settings(max_calls=1), run_id="another").ask().ok


@pytest.mark.parametrize(
    ("fault", "tokens", "estimated"),
    [
        (faults.SERVER_ERROR, False, False),
        (faults.UNAUTHORIZED, False, False),
        (faults.RESET, True, True),
        (faults.SILENT, True, True),
        (faults.NO_USAGE, True, True),
        (faults.TRUNCATED, True, False),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_may_have_been_paid_for_is_counted(fault, tokens: bool, estimated: bool, tmp_path: Path) -> None:
    with ModelServer(PICK, fault=fault) as server:
        settings = Settings(base_url=server.base_url, call_retries=0, max_cost=100)
        run = Run(tmp_path, "gpt-4.1", settings)
        run.ask(patience=0.3 if fault is faults.SILENT else None)
    (call,) = run.told
    assert (call.input_tokens > 0, call.estimated) == (tokens, estimated)
    assert bool(call.usd) == tokens and run.costs["calls"] == 1


def test_tokens_from_the_memory_of_the_provider_are_cheaper(tmp_path: Path) -> None:
    price = price_table(None).of(ModelFacts("openai", "gpt-5"))
    assert price is not None
    assert price.of(1_000_000, 0, 1_000_000) == pytest.approx(0.125)
    assert price.of(1_000_000, 100_000) == pytest.approx(1.25 + 1.0)


# ---------------------------------------------------------------- prices


def test_an_unknown_price_is_said_once_and_counts_no_money(tmp_path: Path) -> None:
    run = Run(tmp_path, ScriptedChatModel(PICK), Settings())
    assert run.ask().ok and run.ask("Another").ok
    assert run.told[0].usd is None and run.costs["usd"] == 0.0
    assert len(run.remarks) == 1 and "price of scripted is not known" in run.remarks[0]
    later = Run(tmp_path, ScriptedChatModel(PICK), Settings())
    assert later.ask("Yet another").ok and later.remarks == []


def test_with_a_limit_of_cost_an_unknown_price_allows_no_call(tmp_path: Path) -> None:
    model = ScriptedChatModel(PICK)
    outcome = Run(tmp_path, model, Settings(max_cost=1.0)).ask()
    assert outcome.kind == "limit" and "--prices" in outcome.detail and not model.calls
    free = priced(tmp_path, **{"*": {"input": 0, "output": 0}})
    assert Run(tmp_path, model, Settings(max_cost=0.0, prices=free)).ask().value == PICKED


@pytest.mark.parametrize(
    ("provider", "name", "dollars"),
    [
        ("openai", "gpt-5", 1.25),
        ("openai", "gpt-5-2025-08-07", 1.25),
        ("openai", "GPT-5-mini", 0.25),
        ("anthropic", "claude-sonnet-4-5-20250929", 3),
        ("openai", "gpt-5-unheard-of", None),
        ("ollama", "qwen", 0),
        ("openai", "house-model-7b", 7),
        ("openai", "house-model-70b", 70),
        ("openai", "gpt-4o", 99),
    ],
)
def test_a_price_is_found_by_name(provider: str, name: str, dollars: float | None, tmp_path: Path) -> None:
    own = {"ollama:*": 0, "house-model-*": 7, "house-model-70*": 70, "openai:gpt-4o": 99}
    file = priced(tmp_path, _note="ours", **{name: {"input": price, "output": 0} for name, price in own.items()})
    price = price_table(file).of(ModelFacts(provider, name))
    assert (price.input if price else None) == dollars


def test_a_star_of_the_user_overrules_what_ships(tmp_path: Path) -> None:
    table = price_table(priced(tmp_path, **{"*": {"input": 0, "output": 0}, "o3": {"input": 2, "output": 8}}))
    assert table.of(ModelFacts("openai", "gpt-5")).output == 0
    assert table.of(ModelFacts("openai", "o3")).output == 8


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[1]", "no JSON object"),
        ("{", "no JSON"),
        ('{"m": 3}', "'m'"),
        ('{"m": {"input": 1}}', "'m.output'"),
        ('{"m": {"input": -1, "output": 1}}', "'m.input'"),
        ('{"m": {"input": 1, "output": 1, "inptu": 2}}', "'m.inptu'"),
        ('{"m": {"input": NaN, "output": 1}}', "'m.input'"),
    ],
)
def test_a_bad_price_file_is_named(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"prices\.json") as caught:
        price_table(str(file))
    assert named in str(caught.value)
    with pytest.raises(InputError, match="missing"):
        price_table(str(tmp_path / "missing.json"))


# ---------------------------------------------------------------- remembered answers


def test_a_resumed_run_pays_no_answer_twice(tmp_path: Path) -> None:
    with ModelServer([{"kind": "bush"}, PICK]) as server:  # the second is the repair
        settings = Settings(base_url=server.base_url, max_calls=2)
        first = Run(tmp_path, "gpt-4.1", settings)
        assert first.ask().value == PICKED
        again = Run(tmp_path, "gpt-4.1", settings)
        assert again.ask().value == PICKED
        assert len(server.requests) == 2
    assert [call.cached for call in again.told] == [True, True]
    wanted = {"calls": 2, "cached_calls": 2, "input_tokens": 200, "output_tokens": 100}
    assert wanted.items() <= again.costs.items()
    assert again.costs["usd"] == first.told[0].usd * 2


def test_other_runs_use_an_answer_only_where_that_is_set(tmp_path: Path) -> None:
    model = ScriptedChatModel(PICK)
    for number, (cache, asked) in enumerate([(False, 1), (True, 1), (False, 2)]):
        run = Run(tmp_path, model, Settings(response_cache=cache), run_id=f"run{number}")
        assert run.ask().value == PICKED
        assert len(model.calls) == asked


@pytest.mark.parametrize("change", [{"temperature": 0.5}, {"seed": 1}, {"max_output_tokens": 77}])
def test_another_question_or_parameter_is_another_answer(change: dict, tmp_path: Path) -> None:
    with ModelServer(PICK) as server:
        for settings in (Settings(base_url=server.base_url), Settings(base_url=server.base_url, **change)):
            assert Run(tmp_path, "gpt-4.1", settings).ask().ok
        assert len(server.requests) == 2
        assert Run(tmp_path, "gpt-4.1", settings).ask("Another question").ok
        assert len(server.requests) == 3


def test_failures_are_not_remembered(tmp_path: Path) -> None:
    model = ScriptedChatModel(["", "", PICK])
    run = Run(tmp_path, model, Settings())
    assert [run.ask().kind, run.ask().kind] == ["empty", "ok"]


def test_settings_refuse_limits_below_zero() -> None:
    with pytest.raises(ValidationError):
        Settings(max_cost=-1)
