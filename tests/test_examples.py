"""The programs of `examples/` run, and print what they promise."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from automl_agent import Settings
from conftest import ROOT

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"
PROMISES = {
    "quickstart": r"(delivered|missed) accuracy [01]\.\d+\n  accuracy >= 0\.93: measured(.|\n)*serve\.py",
    "image_classification": r"(delivered|missed) accuracy [01]\.\d+\nclasses: digit_0, digit_1",
    "custom_agent": r"\['agent_model', 'agent_neighbours'\]\n(delivered|missed) [01]\.\d+",
    "custom_candidate": r"centroid\.py scored 0\.[5-9]\d+",
    "replaced_verifier": r"(delivered|missed) after [0-2] revisions",
    "own_retriever": r"(.* rests on \[.*\]\n)*.*'team-1'",
    "own_executor": r"(delivered|missed) \{.*'predict_test': 2",
    "own_chat_model": r"delivered\n  rules: .*\n  model: Smooth and simple\n(.*\n)*1 call of a model: planner ok",
    "embed_in_chat_app": r"agent +It is right on \d+\.\d% (.|\n)*agent +On other tumours .* 95 % confidence",
    "forecasting": r"(delivered|missed) mase 0\.\d+ seasonal naive \d.*\n +day +museum|(delivered|missed) mase 0\.\d+"
    r" seasonal naive \d.*\nmuseum +day",
    "subgraph": r"to approve: \['.+', '.+', '.+'\]\n(delivered|missed): .*bundle",
    "as_a_tool": r"automl answers (delivered|missed) \w+ [01]\.\d+\nA model was delivered",
    "kaggle_folder": r"delivered roc_auc [01]\.\d+\nId, diagnosis: probabilities, as (.|\n)*ids and their order",
    "text_classification": r"delivered text_classification \w+ [01]\.\d+\n.*parcel is late.*,delivery,",
    "tabular_clustering": r"(delivered|missed) cluster_quality 0\.\d+\ncluster 1 \(\d+% of rows\): ",
    "node_classification": r"(delivered|missed) node_classification accuracy [01]\.\d+\nserve it with.*serve\.py",
    "live_progress": r"begin +\d(.|\n)*best so far: baseline(.|\n)*report +\d",
}
"""What each must print, as a pattern."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all, so that trials are run once."""
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_run_and_listed() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py")}
    assert programs == set(PROMISES)
    listed = set(re.findall(r"`(\w+)\.py`", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
    assert listed == programs


@pytest.mark.parametrize("name", PROMISES)
def test_example(
    name: str, home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(Settings(budget=60, trials=4, home=str(home), out=str(tmp_path / "out")))
    printed = capsys.readouterr().out
    assert re.search(PROMISES[name], printed), printed
    assert list(tmp_path.iterdir()) == [tmp_path / "out"], "it leaves files where it was started"
