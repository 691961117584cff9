"""The first look at generated code: what can be seen by reading it."""

from __future__ import annotations

import pytest

from automl_agent.tasks.generated.checking import check_source
from generated_cases import MODEL, PROGRAM, RATIO

COLUMNS = ("debt", "income", "city", "since")


def problems(source: str, kind: str = "features") -> tuple[str, ...]:
    return check_source(source, kind, COLUMNS, "failed")


def features(body: str, fit: str = "return {}") -> str:
    return f"import pandas as pd\ndef fit(frame, target):\n    {fit}\ndef transform(frame, state):\n    {body}\n"


@pytest.mark.parametrize(("source", "kind"), [(RATIO, "features"), (MODEL, "model"), (PROGRAM, "program")])
def test_sound_modules_pass(source: str, kind: str) -> None:
    assert problems(source, kind) == ()


@pytest.mark.parametrize(
    "body",
    [
        "out = frame[['debt', 'income']].copy(); out['sum'] = out['debt']; return out[['sum']]",
        "frame = frame.copy(); frame['double'] = frame['debt'] * 2; return frame[['double']]",
        "return pd.DataFrame({'x': frame['bonus'] if 'bonus' in frame.columns else 0.0}, index=frame.index)",
        "return frame.rename(columns={'debt': 'd'})[['d']]",
        "return pd.DataFrame({'x': frame.groupby('city')['debt'].transform('size')})",
        "return pd.DataFrame({'x': frame['city'].map(state['failed']).fillna(0)})",
        "return frame.assign(total=1)[['total']]",
    ],
)
def test_ordinary_pandas_raises_no_alarm(body: str) -> None:
    assert problems(features(body)) == ()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def fit(frame, target)\n    return {}", "line 1: the module cannot be parsed: expected ':'"),
        ("x = 1", "the module must define fit(frame, target)"),
        ("x = 1", "the module must define transform(frame, state)"),
        (features("return frame").replace("fit(frame, target)", "fit(frame)"), "line 2: fit must take (frame, target)"),
        (features("return frame").replace("state)", "state, *, extra)"), "it takes (frame, state, extra)"),
        ("import os\n" + RATIO, "line 1: os is not allowed"),
        ("from subprocess import run\n" + RATIO, "subprocess is not allowed"),
        ("import socket\n" + RATIO, "socket is not allowed"),
        ("import pickle\n" + RATIO, "pickle is not allowed"),
        ("import featuretools_pro\n" + RATIO, "featuretools_pro cannot be imported; use "),
        ("from . import helper\n" + RATIO, "relative imports lead nowhere"),
        (
            features("return frame[['debt', 'incme']]"),
            "line 5: the frame has no column 'incme'; did you mean 'income'?",
        ),
        (features("return frame.loc[:, 'rent']"), "the frame has no column 'rent'"),
        (features("return frame.groupby('town').size()"), "the frame has no column 'town'"),
        (features("df = frame.copy(); return df['rent']"), "the frame has no column 'rent'"),
        (features("return frame['failed']"), "'failed' is the target, no column of the frame in transform"),
        (features("return frame", fit="return {'m': frame['failed'].mean()}"), "fit gets it as its second argument"),
        (features("return open('x')"), "open() is not allowed"),
        (features("return eval('frame')"), "eval() is not allowed"),
        (features("return pd.read_csv('x')"), "read_csv() is not allowed: all that is needed comes as arguments"),
        (features("return pd.read_pickle('x')"), "read_pickle() reads or writes pickles"),
        (features("return ().__class__.__subclasses__()"), "__subclasses__ is not allowed"),
    ],
)
def test_what_is_wrong_is_named(source: str, words: str) -> None:
    assert any(words in problem for problem in problems(source)), problems(source)
    assert all("\n" not in problem for problem in problems(source))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("SPACE = dict(a=1)", "SPACE must be a literal dict"),
        ("SPACE = {'depth': {'low': 1}}", "SPACE['depth'] must be a dict with \"type\""),
        ("SPACE = {'depth': {'type': 'int', 'low': 1}}", "SPACE['depth'] lacks 'high'"),
        ("SPACE = {'depth': {'type': 'int', 'low': 5, 'high': 2}}", "low below high"),
        ("SPACE = {'rate': {'type': 'float', 'low': 0, 'high': 2, 'log': True}}", "low must be greater than 0"),
        ("SPACE = {'kind': {'type': 'categorical', 'choices': []}}", "choices must be a list that is not empty"),
        ("PARAMS = {'layers': object}", "PARAMS must be a literal dict"),
        ("PARAMS = {'layers': {'a': 1}}", "PARAMS['layers'] must be a number"),
    ],
)
def test_parameters_of_a_model_are_literals_that_the_search_understands(line: str, words: str) -> None:
    source = "\n".join(text for text in MODEL.splitlines() if not text.startswith(line.split()[0]))
    found = problems(f"{source}\n{line}", "model")
    assert len(found) == 1 and words in found[0]


def test_a_program_may_use_files_but_no_pickle() -> None:
    assert any("pickles" in text for text in problems(PROGRAM.replace("to_csv", "to_pickle"), "program"))
    loose = PROGRAM.replace('np.load(inputs / "target.npy")', 'np.load(inputs / "target.npy", allow_pickle=True)')
    assert any("pickles" in text for text in problems(loose, "program"))
