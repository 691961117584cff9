"""What models write instead of plain JSON and code, and what is told them about the shape of an answer."""

from __future__ import annotations

import contextlib
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from automl_agent.llm.parsing import Unfinished, code_in, json_objects
from automl_agent.llm.secrets import redacted
from automl_agent.llm.structured import described

ONE = {"kind": "tree", "count": 3}


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "tree", "count": 3}',
        '  \n{"kind": "tree", "count": 3}\n',
        '```json\n{"kind": "tree", "count": 3}\n```',
        'Sure! Here you are:\n\n{"kind": "tree", "count": 3}\n\nAnything else?',
        '{"kind": "tree", // it\'s a "tree\n "count": 3,}',
        "{'kind': 'tree', 'count': 3}",
        "{kind: 'tree', count: 3}",
        '[{"kind": "tree", "count": 3}]',
        '<think>A {brace and a "quote</think>{"kind": "tree", "count": 3}',
        'First {"a": 1} came to mind, but it is {"kind": "tree", "count": 3}.',
        '{"kind": "tree", "count": 3} is what I say {and mean',
    ],
)
def test_an_object_is_found_in_what_stands_around_it(text: str) -> None:
    assert json_objects(text)[0] == ONE


def test_braces_and_quotes_in_strings_are_text() -> None:
    assert json_objects('So: {"code": "if x: {\\"}\\"", "n": [1, {"m": 2}]} !') == [
        {"code": 'if x: {"}"', "n": [1, {"m": 2}]}
    ]


@pytest.mark.parametrize("text", ["", "No JSON here.", "[1, 2]", '"text"', "17", "null", "{}", "{ }"])
def test_a_text_without_an_object_has_none(text: str) -> None:
    assert not any(json_objects(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "tree", "count',
        '{"plans": [{"a": 1}, {"b": 2}',
        '```json\n{"kind": "tree",\n```',
        "Sure: {",
        "<think>I wonder",
    ],
)
def test_an_object_that_never_closes_is_unfinished(text: str) -> None:
    with pytest.raises(Unfinished):
        json_objects(text)


def test_a_long_hostile_text_is_read_in_time() -> None:
    for text in ("{" * 200_000, '{"a":' * 50_000, "{}" * 100_000, "[" * 200_000):
        with contextlib.suppress(Unfinished):
            assert len(json_objects(text)) <= 50


CODE = "def fit(table):\n    return table\n"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{CODE}```",
        f"```Python\n{CODE}```\n",
        f"```\n{CODE}```",
        f"~~~py\n{CODE}~~~",
        f"Use this:\n```python\n{CODE}```\nand run:\n```bash\npython model.py --and --many --more --words\n```",
        f"```\nan output that is not code but longer than it\n```\n```python\n{CODE}```",
        f"```python\nx = 1\n```\n```python\n{CODE}```",
        f"<think>```python</think>\n```python\n{CODE}```",
        CODE,
    ],
)
def test_code_is_found(text: str) -> None:
    assert code_in(text) == CODE


@pytest.mark.parametrize(
    "text", ["", "Hello", "I would use a tree.", "tree", "Note: done", "```json\n{}\n```", "```python\n```"]
)
def test_prose_is_no_code(text: str) -> None:
    assert code_in(text) is None


@pytest.mark.parametrize("text", [f"```python\n{CODE}", f"```python\n{CODE}```\n```\nmore", "<think>hm"])
def test_a_fence_that_never_closes_is_unfinished(text: str) -> None:
    with pytest.raises(Unfinished):
        code_in(text)


# ---------------------------------------------------------------- the shape in words


class Step(BaseModel):
    name: Literal["scale", "encode"] = Field(description="what is done")
    columns: list[str] = Field(default=[], max_length=5)


class Draft(BaseModel):
    """A draft."""

    title: str = Field(max_length=80, description="in a few words")
    steps: list[Step] = Field(min_length=1, description="in order")
    first: Step | None = Field(default=None, description="the most important one")
    space: dict[str, float] = Field(default={}, description="parameters")
    share: float = Field(gt=0, le=1)


def test_the_shape_is_told_with_every_description() -> None:
    assert (
        described(Draft)
        == """\
Answer with one JSON object and nothing else. Keep texts short; what does not apply may be left out. Its fields:
{
  "title": string,  // in a few words; needed
  "steps": [{
    "name": "scale" | "encode",  // what is done; needed
    "columns": [string, ...],  // at most 5
  }, ...],  // in order; needed; at least 1
  "first": {
    "name": "scale" | "encode",  // what is done; needed
    "columns": [string, ...],  // at most 5
  } | null,  // the most important one
  "space": {name: number, ...},  // parameters
  "share": number,  // needed; at most 1; above 0
}"""
    )


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bad key sk-proj-abcdefgh12345678!", "Bad key [key]!"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [key]"),
        ("my own token-value-1234 here", "my own [key] here"),
        ("import sklearn, sk_model, task-force", "import sklearn, sk_model, task-force"),
    ],
)
def test_keys_are_cut_out(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "token-value-1234")
    monkeypatch.setenv("SHORT_KEY", "import")
    assert redacted(text) == shown
