"""The documentation holds: its programs run, its commands parse, what it names is there."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest

import automl_agent
from automl_agent import events, records
from automl_agent.cli.options import make_parser
from conftest import CANCER, ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGE = Path(automl_agent.__file__).parent
KNOWN = {*automl_agent.__all__, *vars(records), *vars(events)}
ELSEWHERE = ("HOME/", "OUT/", "DIR/", "automl-runs/", "http", "application/")
"""Beginnings of what is no path of the checkout."""
IN_A_BUNDLE = ("bundle/", "candidates/", "model/", "oof/")


def blocks(page: Path, *languages: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [body for language, body in re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S) if language in languages]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def quoted(page: Path) -> list[str]:
    """What stands in backticks in the text."""
    return re.findall(r"`([^`\n]+)`", prose(page))


with_programs = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.slow
@pytest.mark.parametrize("page", with_programs, ids=lambda page: page.name)
def test_the_programs_of_a_page_run(page: Path, place: Path) -> None:
    """In order, as one program, in a folder where the data lie; only budgets are made small."""
    shutil.copy(CANCER, place)
    (place / "examples").symlink_to(ROOT / "examples")
    namespace: dict[str, object] = {"__name__": "docs"}
    for body in blocks(page, "python"):
        small = re.sub(r"budget=\d+", "budget=10", body)
        exec(compile(small, str(page), "exec", dont_inherit=True), namespace)


def commands(page: Path) -> list[list[str]]:
    """Calls of `automl-agent` in shell blocks, lines that go on put together."""
    lines = "\n".join(blocks(page, "bash", "console", "sh")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [line[1:] for line in words if line[:1] == ["automl-agent"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_parse(page: Path) -> None:
    for command in commands(page):
        assert make_parser().parse_args(command).handler or "--version" in command, command


def test_every_command_is_shown() -> None:
    actions = make_parser()._actions
    choices = next(action.choices for action in actions if isinstance(action, argparse._SubParsersAction))
    assert choices
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in choices if not re.search(rf"automl-agent {name}\b", everything)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(page))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_are_named_exist(page: Path) -> None:
    roots = (ROOT, PACKAGE, PACKAGE / "delivery" / "runtime")
    wrong = []
    for text in quoted(page):
        if not re.fullmatch(r"\w[\w.-]*(/[\w.-]+)*/?", text) or "/" not in text or text.startswith(ELSEWHERE):
            continue
        if text in IN_A_BUNDLE:
            continue
        if not any((root / name).exists() for root in roots for name in (text, f"{text}.py")):
            wrong.append(text)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_exist(page: Path) -> None:
    for name in {text for text in quoted(page) if re.fullmatch(r"automl_agent(\.\w+)+", text)}:
        module, _, last = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            if name != "automl_agent.families":  # an entry point group
                assert hasattr(importlib.import_module(module), last), name


def test_fields_of_records_that_are_named_exist() -> None:
    kinds = {name: kind for name in KNOWN if hasattr(kind := _found(name), "model_fields")}
    for page in PAGES:
        for kind, field in re.findall(r"`(\w+)\.(\w+)\b", prose(page)):
            if kind in kinds:
                assert field in kinds[kind].model_fields or hasattr(kinds[kind], field), f"{page.name}: {kind}.{field}"
        for kind, keyword in re.findall(r"`(\w+)\((\w+)=", prose(page)):
            if kind in kinds:
                assert keyword in kinds[kind].model_fields, f"{page.name}: {kind}({keyword}=)"


def _found(name: str) -> object:
    return getattr(automl_agent, name, None) or getattr(records, name, None) or getattr(events, name, None)
