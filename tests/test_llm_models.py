"""Words become chat models, and a doctor says what a model can do."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from automl_agent.errors import ConfigurationError, InputError
from automl_agent.llm import doctor
from automl_agent.llm.doctor import probe
from automl_agent.llm.models import ModelFacts, describe, make_model, model_book
from automl_agent.settings import Settings
from automl_agent.testing import Call, ModelServer, ScriptedChatModel, faults

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_a_word_is_made_into_a_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    book = model_book("openai:gpt-5")
    start = threading.Barrier(4)

    def resolve(_: int) -> object:
        start.wait()
        return book.resolve("planner", Settings())

    with ThreadPoolExecutor(4) as pool:
        assert len({id(model) for model in pool.map(resolve, range(4))}) == 1
    assert book.resolve("coder", Settings(temperature=0.5)) is not book.resolve("coder", Settings())


def test_an_object_is_used_as_it_is() -> None:
    model = ScriptedChatModel("hello")
    assert model_book({"coder": model}).resolve("coder", Settings(temperature=0.5)) is model


def test_roles_fall_back_on_the_default() -> None:
    book = model_book({"coder": "openai:a", "default": "openai:b"})
    assert (book.get("coder"), book.get("planner")) == ("openai:a", "openai:b")
    assert model_book(None).get("coder") is None


@pytest.mark.parametrize("wrong", [3, {"coder": object()}, {"coder": None}])
def test_anything_else_is_a_mistake_of_the_program(wrong) -> None:
    with pytest.raises(ConfigurationError, match="openai:gpt-5"):
        model_book(wrong)


@pytest.mark.parametrize(
    ("word", "base_url", "facts"),
    [
        ("openai:gpt-5", None, ModelFacts("openai", "gpt-5")),
        ("openai:gpt-5", "http://h/v1", ModelFacts("openai", "gpt-5", "http://h/v1")),
        ("qwen2.5-coder:1.5b", "http://h/v1", ModelFacts("openai", "qwen2.5-coder:1.5b", "http://h/v1")),
        ("anthropic:claude-sonnet-4-5", "http://h/v1", ModelFacts("anthropic", "claude-sonnet-4-5")),
        ("google-genai:gemini-2.5-pro", None, ModelFacts("google_genai", "gemini-2.5-pro")),
        ("gpt-5", "http://user:secret@h/v1?key=1", ModelFacts("openai", "gpt-5", "http://h/v1")),
    ],
)
def test_a_word_is_described_without_making_it(word: str, base_url: str | None, facts: ModelFacts) -> None:
    assert describe(word, base_url) == facts


def test_an_object_is_described_without_its_key() -> None:
    model = make_model("openai:gpt-4.1", Settings(base_url="http://h/v1"))
    for object_ in (model, model.bind(stop=["x"])):
        assert str(describe(object_)) == "openai:gpt-4.1 at http://h/v1"
    assert describe(ScriptedChatModel("x")) == ModelFacts("scripted", "scripted")


def test_settings_reach_the_model() -> None:
    settings = Settings(temperature=0.25, seed=3, max_output_tokens=99, call_timeout=7)
    model = make_model("openai:gpt-4.1", settings)
    assert (model.temperature, model.seed, model.max_tokens, model.request_timeout, model.max_retries) == (
        0.25, 3, 99, 7, 0,
    )  # fmt: skip


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert make_model("any", Settings(base_url="http://h/v1")).openai_api_key.get_secret_value() == "not-needed"


@pytest.mark.parametrize(
    ("word", "extra"), [("anthropic:x", "anthropic"), ("ollama:x", "ollama"), ("google_genai:x", "google")]
)
def test_a_missing_package_is_named_with_its_extra(word: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("langchain_anthropic", "langchain_ollama", "langchain_google_genai"):
        monkeypatch.setitem(sys.modules, package, None)
    from langchain.chat_models import base

    base._get_chat_model_creator.cache_clear()
    with pytest.raises(InputError, match=rf"pip install 'automl-agent\[{extra}\]'"):
        make_model(word, Settings())


@pytest.mark.parametrize("word", ["", "nonsense", "nonsense:x", ":", "openai"])
def test_a_word_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="PROVIDER:NAME"):
        make_model(word, Settings())


# ---------------------------------------------------------------- doctor


def able(call: Call):
    if call.schema:
        return {"legs": 8}
    return "one, two, three, four, five, six, seven, eight, nine, ten" if "ten" in call.text else "Eight."


def test_the_doctor_finds_what_a_model_can_do() -> None:
    with ModelServer(able) as server:
        report = probe("gpt-4.1", Settings(base_url=server.base_url))
    assert report.reachable and report.json_schema and report.function_calling and report.streaming and report.usage
    assert str(report.model) == f"openai:gpt-4.1 at {server.base_url}" and not report.detail


def test_the_doctor_finds_what_a_model_cannot_do() -> None:
    with ModelServer(lambda call: "Eight legs {really}.", fault=faults.NO_USAGE) as server:
        report = probe("gpt-4.1", Settings(base_url=server.base_url))
    assert report.reachable and report.streaming
    assert not (report.json_schema or report.function_calling or report.usage)


def test_the_doctor_asks_objects_as_well() -> None:
    report = probe(ScriptedChatModel(able, structured="function_calling"), Settings())
    assert report.reachable and report.function_calling and not report.json_schema


@pytest.mark.parametrize(
    ("fault", "said"),
    [(faults.UNAUTHORIZED, "OPENAI_API_KEY"), (faults.MODEL_NOT_FOUND, "no such model"), (faults.SILENT, "within 0")],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_doctor_says_why_a_model_is_not_to_be_had(fault, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_SECONDS", 0.3)
    with ModelServer("hello", fault=fault) as server:
        report = probe("gpt-4.1", Settings(base_url=server.base_url))
        assert len(server.requests) == 1
    assert not report.reachable and said in report.detail and KEY not in repr(report)


def test_the_doctor_reports_words_and_keys_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PROVIDER:NAME" in probe("nonsense", Settings()).detail
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "OPENAI_API_KEY" in probe("openai:gpt-5", Settings()).detail
