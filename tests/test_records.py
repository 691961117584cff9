"""Records and events: they survive a strict checkpoint and JSON, have a JSON schema, and the docs show it."""

from __future__ import annotations

import importlib.util
import json
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from automl_agent import build_graph, events, records
from automl_agent.nodes.state import AgentInput, PlanInput, State
from conftest import ROOT


def defined_in(module: types.ModuleType) -> list[type[BaseModel]]:
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    return [kind for kind in found if kind.__module__ == module.__name__ and kind is not records.Record]


RECORDS, EVENTS = defined_in(records), defined_in(events)


def example(hint: Any) -> Any:
    """A value of a type, with every optional part filled in."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is str:
        return "text"
    if hint in (int, float, bool):
        return hint(1)
    if origin is Literal:
        return args[0]
    if origin in (Union, types.UnionType):
        return example(next(part for part in args if part is not type(None)))
    if origin is tuple:
        return tuple(example(part) for part in args if part is not Ellipsis)
    if origin is list:
        return [example(args[0])]
    if origin is dict:
        return {"key": example(args[1])}
    return filled(hint)


def filled(kind: type[BaseModel]) -> BaseModel:
    return kind(**{name: example(field.annotation) for name, field in kind.model_fields.items()})


def within(hint: Any) -> Iterator[type[BaseModel]]:
    """Records that a type can hold, at any depth."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
        for field in hint.model_fields.values():
            yield from within(field.annotation)
    for part in get_args(hint):
        yield from within(part)


IN_STATE = sorted(
    {
        kind
        for schema in (State, AgentInput, PlanInput)
        for hint in get_type_hints(schema).values()
        for kind in within(hint)
    },
    key=lambda kind: kind.__name__,
)
"""What lies in a checkpoint: in the state, or on its way to a node."""


@pytest.fixture(scope="module")
def serde() -> Any:
    """The serializer of a checkpointer as the graph uses it: strict (`conftest.py`), with what the state declares."""
    return build_graph(checkpointer=InMemorySaver()).checkpointer.serde


@pytest.mark.parametrize("kind", RECORDS + EVENTS, ids=lambda kind: kind.__name__)
def test_it_survives_json_and_has_a_schema(kind: type[BaseModel]) -> None:
    value = filled(kind)
    assert kind.model_validate_json(value.model_dump_json()) == value
    schema = kind.model_json_schema()
    assert set(schema["properties"]) == set(kind.model_fields)
    assert schema["additionalProperties"] is False
    json.dumps(schema)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_it_cannot_be_changed(kind: type[BaseModel]) -> None:
    value = filled(kind)
    with pytest.raises(ValueError, match="frozen"):
        setattr(value, next(iter(kind.model_fields)), "other")


@pytest.mark.parametrize("kind", IN_STATE, ids=lambda kind: kind.__name__)
def test_it_survives_a_strict_checkpoint(kind: type[BaseModel], serde: Any) -> None:
    value = filled(kind)
    assert serde.loads_typed(serde.dumps_typed({"it": [value]})) == {"it": [value]}


def test_a_strict_checkpoint_lets_nothing_else_through(serde: Any) -> None:
    value = events.Remark(text="not in the state")
    assert serde.loads_typed(serde.dumps_typed(value)) != value


def test_the_page_of_records_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_records", ROOT / "docs" / "make_records.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "run: python docs/make_records.py"
