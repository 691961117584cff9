"""A module is tried on a sample: what it does wrong is told in words that its author can act on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl_agent.tasks.generated.jobs import try_module
from automl_agent.tasks.generated.workshop import workshop
from generated_cases import MODEL, PROGRAM, RATIO, loan_data

Try = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Try:
    _, data = loan_data(tmp_path_factory.mktemp("data"))

    def tried(source: str, kind: str = "features", **more: Any) -> dict[str, Any]:
        return try_module(
            family="tabular_classification", data=str(data), source=source, kind=kind, metric="roc_auc", rows=80, **more
        )

    return tried


def features(transform: str, fit: str = "return {}") -> str:
    return (
        "import numpy as np\nimport pandas as pd\nimport random\ndef fit(frame, target):\n"
        f"    {fit}\ndef transform(frame, state):\n    {transform}\n"
    )


def test_sound_modules_of_every_kind_run(tried: Try) -> None:
    found = tried(RATIO)
    assert found["ok"] and found["columns"] == ["ratio", "noise"] and found["uses"] == ["debt", "income"], found
    assert found["error"] == "" and found["findings"] == []
    assert tried(MODEL, "model")["uses"] == ["debt", "income", "city"]
    assert tried(PROGRAM, "program")["uses"] == ["debt", "income"]


def test_stand_in_names_are_what_the_author_knows(tried: Try) -> None:
    names = {"column_1": "debt", "column_2": "income", "column_3": "city", "column_4": "since"}
    source = RATIO.replace('"debt"', '"column_1"').replace('"income"', '"column_2"')
    assert tried(source, names=names)["uses"] == ["column_1", "column_2"]
    assert "'debt'" in tried(RATIO, names=names)["error"]


def test_a_column_of_texts_and_one_of_booleans(tried: Try) -> None:
    body = "return pd.DataFrame({'big': frame['debt'] > 50, 'where': frame['city'].str.upper()})"
    found = tried(features(body))
    assert found["ok"] and found["uses"] == ["debt", "city"], found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return pd.DataFrame({'z': frame['debt'] - frame['debt'].mean()})", "the column 'z' of a row depend on"),
        ("return pd.DataFrame({'z': frame['debt'].rank()})", "learn statistics of rows"),
        ("return pd.DataFrame({'z': frame['debt'].shift(1).fillna(0)})", "depend on the rows beside it"),
        ("return pd.DataFrame({'z': frame['debt'] * np.random.rand()})", "the second time: use no chance"),
        ("return pd.DataFrame({'z': [1.0] * len(frame)})", "depends on no column of the table"),
        ("return pd.DataFrame({'debt': frame['debt']})", "the table has ['debt'] already"),
        ("return frame[['debt']].head(3).add_suffix('_x')", "one row for each of the"),
        ("return frame[['debt']].sort_values('debt').add_suffix('_x')", "keep the rows in their order"),
        ("return frame['debt']", "must return a pandas DataFrame, it returned Series"),
        ("return pd.DataFrame({'d': pd.to_datetime(frame['since'])})", "holds times: turn them into numbers"),
        ("return pd.DataFrame({'d': [{}] * len(frame)})", "holds a dict: use numbers or texts"),
        ("return pd.DataFrame({'x': frame['debt'] / frame['rent']})", "line 7, in transform: return pd.DataFrame"),
        ("return pd.DataFrame({'x': frame['debt'].map(KNOWN)})", "NameError: name 'KNOWN' is not defined"),
    ],
)  # fmt: skip
def test_what_a_feature_module_does_wrong_is_told(tried: Try, body: str, words: str) -> None:
    found = tried(features(body))
    assert not found["ok"] and words in found["error"], found["error"]
    assert "/tmp" not in found["error"] and "site-packages" not in found["error"]


def test_what_is_kept_outside_the_state_is_lost(tried: Try) -> None:
    """The state goes through files: what a module hides in its globals is not there in the bundle."""
    body = "return pd.DataFrame({'x': frame['debt'] * globals().get('factor', 1)})"
    found = tried(features(body, fit="global factor; factor = 2; return {}"))
    assert not found["ok"] and "once it was stored and loaded, it gives something else" in found["error"]
    assert "state['state']['f'] is a DataFrame" in tried(features(body, fit="return {'f': frame}"))["error"]


def test_what_is_odd_but_not_wrong_is_a_finding(tried: Try) -> None:
    body = "return pd.DataFrame({'same': 1.0, 'copy': frame['debt'], 'x': frame['debt'] * 2}, index=frame.index)"
    found = tried(features(body))
    assert found["ok"]
    assert found["findings"] == [
        "The column 'same' is the same for all rows of the sample.", "The column 'copy' repeats 'debt'."
    ]  # fmt: skip


def test_a_model_that_looks_at_its_batch_is_found(tried: Try) -> None:
    source = MODEL.replace("ratio.fillna(means)", "ratio.fillna(means) - ratio.mean()")
    found = tried(source, "model")
    assert not found["ok"] and "the predictions of a row depend on the rows beside it" in found["error"]


def test_code_that_ends_or_hangs_the_program_is_told_so(tried: Try) -> None:
    assert "took longer than 2 s" in tried(features("while True: pass"), seconds=2.0)["error"]
    ended = tried(features("__import__('os')._exit(0)"))
    assert not ended["ok"] and "ended the program before it was done" in ended["error"]
    assert "cannot be parsed" in tried("def fit(")["error"] or "SyntaxError" in tried("def fit(")["error"]


def test_a_report_that_the_code_forged_is_read_as_data(tried: Try, tmp_path: Path) -> None:
    forged = '{"columns": "x", "findings": [' + '"a' * 1 + '"], "uses": {"a": 1}}'
    body = f"open('sample.json', 'w').write({forged!r}); __import__('os')._exit(0)"
    found = tried(features(body))
    assert found == {"ok": True, "error": "", "columns": [], "findings": ["a"], "uses": []}


def test_inputs_are_there_for_libraries_that_ask_for_permission_first() -> None:
    """CatBoost asks access(2) before it reads a file, and that looks at the user, not at what he may do besides."""
    with workshop() as shop:
        (shop.inputs / "model.cbm").write_text("x")
        (shop.code / "ask.py").write_text(f"import os\nassert os.access({str(shop.inputs / 'model.cbm')!r}, os.R_OK)\n")
        assert shop.run("ask.py", sandbox="auto", seconds=20).status == "ok"
