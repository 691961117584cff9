"""What a run keeps in its home, changed by somebody: nothing in it is run, and one clear line says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_agent.cli import main as command
from automl_agent.cli import run as running
from automl_agent.knowledge.experience import Experience
from standin_graph import HOME, build
from tampered import CODES, DEEP, Payload, edited, replaced, rewritten

Change = Callable[[Path, Payload], None]


@pytest.fixture
def payload(place: Path, monkeypatch: pytest.MonkeyPatch) -> Payload:
    payload = Payload(place)
    monkeypatch.syspath_prepend(payload.path)
    monkeypatch.setenv("AUTOML_AGENT_HOME", str(place / HOME))
    monkeypatch.setattr(running, "_build_graph", lambda: build)
    return payload


def refused(payload: Payload, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command line says, in one line, when it is given this."""
    assert command.main(list(words)) == 2
    err = capsys.readouterr().err
    last = err.strip().splitlines()[-1]
    assert last.startswith("automl-agent: error: ") and "Traceback" not in err, err
    assert not payload.canary.exists(), "it was run"
    return last


# ---------------------------------------------------------------- checkpoints


def state(kind: str, content: Callable[[Payload], bytes]) -> Change:
    """Every value of every checkpoint, by this serialiser."""

    def change(home: Path, bad: Payload) -> None:
        rewritten(home / "checkpoints.sqlite", "UPDATE checkpoints SET type = ?, checkpoint = ?", kind, content(bad))
        rewritten(home / "checkpoints.sqlite", "UPDATE writes SET type = ?, value = ?", kind, content(bad))

    return change


def writes(kind: str, content: Callable[[Payload], bytes]) -> Change:
    """The values that nodes wrote, beside a sound checkpoint."""
    return lambda home, bad: rewritten(
        home / "checkpoints.sqlite", "UPDATE writes SET type = ?, value = ?", kind, content(bad)
    )


def constructor(bad: Payload) -> bytes:
    return json.dumps({"lc": 2, "type": "constructor", "id": ["planted", "Planted"], "kwargs": {"a": 1}}).encode()


CHECKPOINTS: dict[str, Change] = {
    "a pickle": state("pickle", Payload.pickle),
    "a pickle said to be msgpack": state("msgpack", Payload.pickle),
    "JSON with a constructor": state("json", constructor),
    "JSON with LangChain's tag": state("json", lambda bad: constructor(bad).replace(b'"lc": 2', b'"lc": 1')),
    **{f"msgpack extension {code}": state("msgpack", lambda bad, code=code: bad.msgpack(code)) for code in CODES},
    "noise": state("msgpack", lambda _: bytes(range(256)) * 10),
    "no database": lambda home, bad: replaced(home / "checkpoints.sqlite", bad.pickle()),
}  # fmt: skip


@pytest.fixture
def asking(payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A run that waits for an answer; its id."""
    assert command.main(["run", "unclear", "--json", "--out", "out"]) == 4
    return str(json.loads(capsys.readouterr().out)["run_id"])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_changed_checkpoint_is_refused(
    name: str, asking: str, payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CHECKPOINTS[name](place / HOME, payload)
    for side in ("-wal", "-shm"):
        (place / HOME / f"checkpoints.sqlite{side}").unlink(missing_ok=True)
    said = refused(payload, capsys, "run", "--resume", asking, "--answer", "churn")
    assert asking in said and "checkpoints.sqlite" in said


@pytest.mark.parametrize("code", CODES)
def test_what_a_node_wrote_is_not_run_either(
    code: int, asking: str, payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writes("msgpack", lambda bad: bad.msgpack(code))(place / HOME, payload)
    command.main(["run", "--resume", asking, "--answer", "churn"])
    assert not payload.canary.exists()
    assert "Traceback" not in capsys.readouterr().err


# ---------------------------------------------------------------- manifests and results


def kept(name: str, content: Callable[[Payload], bytes | str]) -> Callable[[Path, Payload], None]:
    return lambda folder, bad: replaced(folder / name, content(bad))


MANIFESTS: dict[str, tuple[Change, str]] = {
    "a sandbox that is code": (lambda folder, _: edited(folder / "manifest.json", lambda manifest: manifest["settings"]
                               .update(sandbox="planted:Planted")), "names code to be imported: planted:Planted"),
    "a source that is code": (lambda folder, _: edited(folder / "manifest.json", lambda manifest: manifest["settings"]
                              .update(sources=["planted:Planted"])), "names code to be imported: planted:Planted"),
    "type tags": (kept("manifest.json", lambda bad: json.dumps(bad.tags())), "cannot be read"),
    "a pickle": (kept("manifest.json", Payload.pickle), "cannot be read"),
    "deep JSON": (kept("manifest.json", lambda _: DEEP), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_changed_manifest_of_a_run_is_refused(
    name: str, asking: str, payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = MANIFESTS[name]
    change(place / HOME / "runs" / asking, payload)
    assert said in refused(payload, capsys, "run", "--resume", asking, "--answer", "churn")


def test_code_that_a_manifest_names_is_used_where_the_command_names_it_too(
    asking: str, payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / HOME / "runs" / asking
    edited(folder / "manifest.json", lambda manifest: manifest["settings"].update(sandbox="planted:Planted"))
    words = ["run", "--resume", asking, "--answer", "churn"]
    assert command.main([*words, "--sandbox", "planted:Planted"]) == 0
    assert "names code to be imported" in refused(payload, capsys, *words, "--sandbox", "off")


RESULTS: dict[str, tuple[Change, str]] = {
    "a list": (kept("result.json", lambda _: "[1]"), "is not the result of a run"),
    "deep JSON": (kept("result.json", lambda _: DEEP), "is not the result of a run"),
    "a pickle": (kept("result.json", Payload.pickle), "is not the result of a run"),
    "type tags": (kept("result.json", lambda bad: json.dumps(bad.tags())), "is not the result of a run"),
    "a path as the run": (kept("result.json", lambda _: '{"run_id": "../../etc"}'), "is not a valid name"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_a_changed_result_is_refused(
    name: str, asking: str, payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = RESULTS[name]
    change(place / "out", payload)
    assert said in refused(payload, capsys, "run", "--from", "out", "again")


@pytest.mark.parametrize("content", [Payload.pickle, lambda _: DEEP, lambda bad: json.dumps(bad.tags())])
def test_a_changed_record_of_a_finished_run_is_refused(
    content: Callable[[Payload], bytes | str], asking: str, payload: Payload, place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    replaced(place / HOME / "runs" / asking / "finished.json", content(payload))
    assert "cannot be read" in refused(payload, capsys, "run", "--from", asking, "again")
    for text in ("[1]", DEEP, '"x"'):
        (place / HOME / "runs" / asking / "finished.json").unlink(missing_ok=True)
        replaced(place / HOME / "runs" / asking / "result.json", text)
        assert asking in refused(payload, capsys, "run", "--from", asking, "again")
        assert command.main(["runs"]) == 0 and command.main(["show", asking]) in (0, 2)
        capsys.readouterr()


# ---------------------------------------------------------------- notes, experience, data


FRONT = """---
title: A note that somebody changed
kind: practice
source: {{title: House rules, authors: Us, year: 2020}}
checked: true
families: [tabular_classification]
models: {models}
---
Use this.
"""


@pytest.mark.parametrize(
    ("yaml", "said"),
    [("{yaml}", "not YAML"), ("!!python/name:os.system", "not YAML"), ("!!python/module:planted", "not YAML"),
     ("!!python/object/new:planted.Planted [1]", "not YAML"), ("[[[1]]]", "field 'models.0'")],
)  # fmt: skip
def test_tags_in_a_note_make_nothing(
    yaml: str, said: str, payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced(place / "notes" / "bad.md", FRONT.format(models=yaml.replace("{yaml}", payload.yaml())))
    told = refused(payload, capsys, "knowledge", "build", str(place / "notes"))
    assert "bad.md" in told and said in told


def experience(candidate: str) -> dict[str, object]:
    result = {"candidate": candidate, "params": {}, "steps": [], "score": 0.9}
    facts = {"rows": 300.0, "columns": 4.0}
    return {"id": "0" * 16, "data": "0" * 64, "family": "tabular_classification", "metric": "accuracy",
            "higher_is_better": True, "facts": facts, "budget": 60, "baseline": 0.5, "score": 0.9,
            "members": {candidate: 1.0}, "results": [result]}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [Payload.pickle, lambda bad: json.dumps(bad.tags()), lambda _: DEEP,
     lambda bad: json.dumps(experience("linear") | bad.tags())],
)  # fmt: skip
def test_a_changed_file_of_experience_is_refused(
    content: Callable[[Payload], bytes | str], payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced(place / "experience.jsonl", content(payload))
    assert "experience.jsonl" in refused(payload, capsys, "experience", "import", str(place / "experience.jsonl"))


def test_experience_names_no_file_as_a_candidate(
    payload: Payload, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"rows": 300.0, "columns": 4.0}
    (place / "own.py").write_text(payload.python)
    path = place / "experience.jsonl"
    replaced(path, json.dumps(experience(str(place / "own.py"))))
    assert "should match pattern" in refused(payload, capsys, "experience", "import", str(path))
    replaced(path, json.dumps(experience("own.py")))
    assert Experience(place / HOME).load(path) == 1
    assert Experience(place / HOME).similar("tabular_classification", facts, candidates=("linear", "lightgbm")) == ()


EXTENSION = {b"ARROW:extension:name": b"arrow.py_extension_type"}


def test_a_table_that_is_a_program_is_not_run(
    payload: Payload, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(place)
    field = pa.field("x", pa.int64(), metadata=EXTENSION | {b"ARROW:extension:metadata": payload.pickle()})
    table = pa.table({"x": range(50), "y": range(50)}, schema=pa.schema([field, pa.field("y", pa.int64())]))
    pq.write_table(table, place / "table.parquet")
    for name in ("table.csv", "table.xlsx", "table.npz", "other.parquet", "table.pkl", "table.joblib"):
        replaced(place / name, payload.pickle())
    for name in ("table.csv", "table.xlsx", "table.npz", "other.parquet", "table.pkl", "table.joblib"):
        words = ["run", "Predict y", "--data", str(place / name), "--plan-only", "--budget", "30"]
        assert name in refused(payload, capsys, *words)
    frame = pd.read_parquet(place / "table.parquet")
    assert list(frame["x"]) == list(range(50)) and not payload.canary.exists()
