"""What is remembered between runs, changed by somebody: it is forgotten and made again, and nothing in it is run."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from automl_agent import InputError, Settings, build_graph
from automl_agent.execution.trials import TrialStore
from automl_agent.llm.cache import AnswerStore
from automl_agent.testing import InlineExecutor
from standin_graph import HOME
from tampered import CODES, DEEP, Payload, replaced, rewritten


@pytest.fixture
def payload(place: Path, monkeypatch: pytest.MonkeyPatch) -> Payload:
    payload = Payload(place)
    monkeypatch.syspath_prepend(payload.path)
    return payload


@pytest.mark.parametrize("content", [Payload.pickle, lambda bad: json.dumps(bad.tags()), lambda _: DEEP, lambda _: "1"])
def test_a_changed_answer_of_a_model_is_no_answer(
    content: Callable[[Payload], bytes | str], payload: Payload, place: Path
) -> None:
    store = AnswerStore(place / HOME, "run", across_runs=True)
    rewritten(place / HOME / "answers.sqlite", "INSERT INTO answers VALUES ('run', 'key', ?, 1.0)", content(payload))
    assert store.get("key") is None
    assert not payload.canary.exists()


@pytest.mark.parametrize("content", [Payload.pickle, lambda _: DEEP, lambda _: "[1]", lambda _: "1", lambda _: "{"])
def test_a_changed_result_of_a_trial_is_no_result(
    content: Callable[[Payload], bytes | str], payload: Payload, place: Path
) -> None:
    store = TrialStore(place / HOME)
    store.folder("abcd").mkdir(parents=True)
    rewritten(place / HOME / "trials.sqlite", "INSERT INTO trials VALUES ('abcd', ?)", content(payload))
    assert store.get("abcd") is None
    assert not payload.canary.exists()


def test_a_database_loads_no_library(payload: Payload, place: Path) -> None:
    TrialStore(place / HOME)
    rewritten(place / HOME / "trials.sqlite", "CREATE TRIGGER bad AFTER INSERT ON trials BEGIN "
              f"SELECT load_extension('{place / 'library.so'}'); END")  # fmt: skip
    replaced(place / "library.so", b"\x7fELF")
    with pytest.raises(
        InputError, match=r"trials\.sqlite cannot be used: (unsafe use|not authorized|no such function)"
    ):
        TrialStore(place / HOME).put("abcd", {"score": 1.0})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # else an error, by luck of the threads
def test_trials_whose_files_were_changed_are_run_again(
    payload: Payload, place: Path, figure: Callable[[str], None]
) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(120, 3)), columns=["a", "b", "c"])
    frame["label"] = np.where(frame["a"] + frame["b"] > 0, "yes", "no")
    frame.to_csv(place / "table.csv", index=False)
    settings = Settings(budget=120, trials=3, retrieval=False, home=str(place / "h"), out=str(place / "o"))

    def run() -> float:
        graph = build_graph(settings=settings, executor=InlineExecutor())
        report = graph.invoke({"request": "Predict the label.", "data": str(place / "table.csv")})["report"]
        assert report.status == "delivered", report.reason
        assert not payload.canary.exists()
        return float(report.metric["validation"])

    before = run()
    changed = {}
    for path in (place / "h" / "trials").rglob("*.np[yz]"):
        changed[path] = payload.npy() if path.suffix == ".npy" else payload.npz(path)
        replaced(path, changed[path])
    for path in (place / "h" / "trials").rglob("*.skops"):
        replaced(path, payload.skops())
    after = run()
    assert len(changed) > 5 and after == pytest.approx(before)
    assert not [path for path, content in changed.items() if path.read_bytes() == content], "all were written anew"
    figure(f"{len(changed)} files of trials changed: none read, all trained anew, the same score of {after:.4f}")


def test_the_traps_go_off_where_something_falls_into_them(payload: Payload) -> None:
    """No test here could fail if the payloads did nothing."""
    import skops.io

    loose = JsonPlusSerializer(pickle_fallback=True, allowed_msgpack_modules=True)
    falls: dict[str, Callable[[], object]] = {
        "pickle": lambda: pickle.loads(payload.pickle()),
        "npy": lambda: np.load(io.BytesIO(payload.npy()), allow_pickle=True),
        "yaml": lambda: yaml.load(payload.yaml(), yaml.UnsafeLoader),
        "python": lambda: exec(payload.python),
        **{f"msgpack {code}": lambda code=code: loose.loads_typed(("msgpack", payload.msgpack(code)))  # type: ignore[misc]
           for code in CODES if code != 3},
        "skops": lambda: skops.io.loads(payload.skops(), trusted=["planted.Planted"]),
        "checkpoint": lambda: loose.loads_typed(("pickle", payload.pickle())),
    }  # fmt: skip
    for name, fall in falls.items():
        fall()
        assert payload.canary.exists(), name
        payload.canary.unlink()
