"""Generated code as candidates: fitted fold by fold in the sandbox, tuned, ablated, and refused where it errs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from automl_agent.errors import ConfigurationError
from automl_agent.tasks.candidate import read_candidate
from automl_agent.tasks.generated.composing import add_features, model_candidate, program_candidate
from automl_agent.tasks.generated.inside.exchange import read_frame, write_frame
from automl_agent.tasks.generated.workshop import runs_code, take_array, take_folder, take_json
from generated_cases import CLASSES, MODEL, PROGRAM, RATIO, VALUES, Desk

LINEAR = VALUES.candidates()["linear"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("loans"))
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("loans"), "regression")
    yield desk
    desk.close()


# ---------------------------------------------------------------- features


def test_a_good_feature_improves_and_its_ablation_does_not(values: Desk, tmp_path: Path) -> None:
    path = add_features(LINEAR, RATIO, tmp_path, VALUES)
    params = dict(LINEAR.portfolio[0])
    base, better = values.trial("linear", **params), values.trial(path, **params)
    assert better.score is not None and base.score is not None, (better.error, base.error)
    assert better.score < 0.8 * base.score
    without = values.trial(path, **params, without=["ratio", "noise"])
    assert without.score == pytest.approx(base.score, rel=1e-9)
    (folder,) = values.runner.fold_folders(without).values()
    assert json.loads((folder / "result.json").read_text())["result"]["params"]["without"] == ["ratio", "noise"]
    assert better.latency_ms and better.size_mb > 0 and better.memory_mb > 10


def test_a_composed_candidate_is_its_base_and_a_module(tmp_path: Path) -> None:
    path = add_features(LINEAR, RATIO, tmp_path / "one", VALUES)
    candidate = read_candidate(path, VALUES.shared)
    assert (candidate.portfolio, candidate.space) == (LINEAR.portfolio, LINEAR.space)
    assert candidate.generated and not LINEAR.generated
    (module,) = candidate.modules
    assert module.read_text() == RATIO.strip() + "\n" and module.name in path.read_text()
    assert {*LINEAR.shared} < {*candidate.shared} and all(file.is_file() for file in candidate.shared)
    again = read_candidate(add_features(LINEAR, "\n" + RATIO, tmp_path / "two", VALUES), VALUES.shared)
    assert (again.sha, again.name) == (candidate.sha, candidate.name), "equal code makes equal trials"
    other = read_candidate(add_features(LINEAR, RATIO + "x = 1", tmp_path / "two", VALUES), VALUES.shared)
    assert other.sha != candidate.sha


def test_features_stand_on_features_and_on_stand_in_names(values: Desk, tmp_path: Path) -> None:
    first = read_candidate(add_features(LINEAR, RATIO, tmp_path / "one", VALUES), VALUES.shared)
    hidden = (
        "import numpy as np\ndef fit(frame, target):\n    return {}\ndef transform(frame, state):\n"
        "    made = frame[['column_1']].rename(columns={'column_1': 'log'})\n    return np.log(made)\n"
    )
    path = add_features(first, hidden, tmp_path / "two", VALUES, {"column_1": "debt", "column_2": "income"})
    trial = values.trial(path, **LINEAR.portfolio[0], without=["noise"])
    assert trial.score is not None, trial.error
    assert len(read_candidate(path, VALUES.shared).modules) == 2


def test_a_family_without_the_shared_files_takes_no_code(tmp_path: Path) -> None:
    class Bare:
        name, shared, code = "bare", (tmp_path,), ("features",)

    with pytest.raises(ConfigurationError, match="takes no generated code"):
        add_features(LINEAR, RATIO, tmp_path, Bare())  # type: ignore[arg-type]


# ---------------------------------------------------------------- models and programs


def test_a_model_module_is_a_candidate_with_a_search_space(desk: Desk, values: Desk, tmp_path: Path) -> None:
    path = model_candidate(MODEL, tmp_path, CLASSES, "Ratio\nmodel")
    candidate = read_candidate(path, CLASSES.shared)
    assert (candidate.title, candidate.portfolio) == ("Ratio model", ({"strength": 1.0},))
    assert candidate.space["strength"]["log"] is True
    trial = desk.trial(path, strength=3.0)
    assert trial.score is not None and trial.score > 0.9, trial.error
    known = desk.trial(path, strength=3.0)
    assert known.cached and known.score == trial.score
    assert values.trial(path).score is not None


def test_a_program_reads_and_writes_files(desk: Desk, tmp_path: Path) -> None:
    trial = desk.trial(program_candidate(PROGRAM, tmp_path, CLASSES, "Whole"))
    assert trial.score is not None and trial.score > 0.9, trial.error
    (folder,) = desk.runner.fold_folders(trial).values()
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        *("oof.npy", "valid.npy", "result.json", "model/task.json", "model/program/model.json")
    }


# ---------------------------------------------------------------- what fails

TOP = """
import numpy as np
def fit(frame, target, params, task):
    {fit}
    return {{"classes": task["classes"]}}
def predict(frame, state):
    half = np.full((len(frame), len(state["classes"])), 1 / len(state["classes"]))
    {predict}
    return half
"""
HOSTILE = {
    "raises": ("frame['rent']", "", "KeyError: 'rent'"),
    "nan": ("", "half[0, 0] = float('nan')", "NaN or infinite"),
    "shape": ("", "return half[:, :1]", "must return an array of shape"),
    "no probabilities": ("", "half = half * 3", "must return probabilities"),
    "state": ("return {'frame': frame}", "", "state['state']['frame'] is a DataFrame"),
    "no state": ("return 3", "", "fit must return a dict"),
    "batch": ("", "half[:, 0] += 0.4 * (len(frame) > 1); half[:, 1] = 1 - half[:, 0]", "a row alone"),
    "loop": ("while True: pass", "", "took longer than"),
    "output": ("for _ in range(10**6): print('x' * 1000)", "", "printed too much"),
    "exit": ("import os; os._exit(0)", "", "no predictions came back"),
    "password": ("open('/etc/passwd').read()", "", "PermissionError|FileNotFoundError"),
    "socket": ("import socket; socket.create_connection(('127.0.0.1', 9))", "", "PermissionError|OSError"),
    "fork": ("import os\n    while True: os.fork()", "", "process|BlockingIOError|OSError"),
    "result": ("import builtins; open('result.json', 'w').write('{{{')", "import os; os._exit(0)", "no predictions"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_code_is_a_failed_trial(desk: Desk, tmp_path: Path, name: str) -> None:
    fit, predict, words = HOSTILE[name]
    path = model_candidate(TOP.format(fit=fit or "pass", predict=predict or "pass"), tmp_path, CLASSES, name)
    trial = desk.trial(path, seconds=7.0 if name == "loop" else 30.0)
    assert trial.score is None
    assert any(word in trial.error for word in words.split("|")), trial.error
    assert "/" not in trial.error.replace("n/a", "") or name == "password", "no path of this machine is told"


def test_validation_targets_and_inputs_are_out_of_reach(desk: Desk, tmp_path: Path) -> None:
    """Code that looks for them everywhere, and for a way to change what it was given, finds nothing."""
    fit = f"""
    import os, pathlib
    told = []
    for place in ({str(desk.data)!r}, {str(desk.data.parent)!r}, {str(desk.place)!r}):
        try:
            told.append(os.listdir(place))
        except OSError:
            pass
    try:
        told.append(np.load({str(desk.data / "target.npy")!r}))
    except OSError:
        pass
    inputs = pathlib.Path(__file__).parent.parent
    seen = sorted(p.name for p in inputs.rglob("*") if p.is_file() and p.suffix != ".py")
    for path in inputs.rglob("*"):
        try:
            path.unlink()
            told.append(path.name)
        except OSError:
            pass
    if told or len(np.load(inputs / "target.npy")) != len(frame):
        raise ValueError(f"found {{told}}")
    if seen != ["job.json", "target.npy", "train.parquet", "train.types.json", "valid.parquet", "valid.types.json"]:
        raise ValueError(f"seen {{seen}}")"""
    trial = desk.trial(model_candidate(TOP.format(fit=fit, predict="pass"), tmp_path, CLASSES, "thief"))
    assert trial.score is not None, trial.error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("(out / 'model.pkl').write_bytes(b'x')", "model.pkl is a pickle"),
        ("(out / 'm.bin').write_bytes(b'\\x80\\x04abc')", "m.bin is a pickle"),
        ("np.save(out / 'a.npy', np.array([{}], dtype=object), allow_pickle=True)", "a.npy is a pickle"),
        ("pass", "neither predictions.npy nor predictions.csv"),
    ],
)
def test_what_a_program_leaves_is_looked_at(desk: Desk, tmp_path: Path, body: str, words: str) -> None:
    write = "np.save(out / 'predictions.npy', np.full((len(pd.read_parquet(rows)), 2), 0.5))"
    source = f"import numpy as np\nimport pandas as pd\ndef train(inputs, out):\n    {body}\n" \
             f"def predict(model, rows, out):\n    {write if body != 'pass' else body}\n"  # fmt: skip
    trial = desk.trial(program_candidate(source, tmp_path, CLASSES, "files"))
    assert words in trial.error


# ---------------------------------------------------------------- what crosses


def test_typed_frames_cross_unchanged(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "x": [1.5, np.nan, -0.0], "whole": np.array([1, 2, 3]), "yes": [True, False, True], 'odd "é':
        pd.Series(["a", None, ""], dtype=object), "none": pd.Series([None] * 3, dtype=object),
        "when": pd.Series(["2024-01-01 12:34:56.789012345", None, "1999-12-31"], dtype="datetime64[ns]"),
    })  # fmt: skip
    for part in (frame, frame.iloc[:0].reset_index(drop=True)):
        write_frame(part, tmp_path / "frame.parquet")
        found = read_frame(tmp_path / "frame.parquet")
        assert_frame_equal(found, part, check_exact=True)
        assert [type(value) for value in found['odd "é']] == [type(value) for value in part['odd "é']]


def test_only_plain_files_of_bounded_size_are_taken_back(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "hard").hardlink_to(tmp_path / "secret")
    (tmp_path / "deep").write_text("[" * 100_000)
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "huge.npy").write_bytes((tmp_path / "a.npy").read_bytes().replace(b"(3,)", b"(9999999999,)"))
    for name in ("link", "hard", "deep", "absent"):
        assert take_json(tmp_path / name) is None
    for name, shape in (("a.npy", (4,)), ("huge.npy", (9_999_999_999,)), ("deep", (3,)), ("absent", (3,))):
        with pytest.raises(ValueError, match="came back"):
            take_array(tmp_path / name, shape)
    assert take_array(tmp_path / "a.npy", (3,)).tolist() == [0, 0, 0]
    for number, spoil in enumerate((
        lambda folder: (folder / "x").symlink_to(tmp_path / "secret"),
        lambda folder: (folder / "x").symlink_to(tmp_path),
        lambda folder: __import__("os").mkfifo(folder / "x"),
        lambda folder: (folder / "x").write_bytes(b"0" * 2000),
        lambda folder: (folder / "a/b/c/d/e/f/g/h").mkdir(parents=True),
    )):  # fmt: skip
        folder = tmp_path / f"model{number}"
        folder.mkdir()
        spoil(folder)
        with pytest.raises(ValueError, match=r"no plain file|allowed|deep"):
            take_folder(folder, tmp_path / "out", largest=1000)


def test_pickles_are_known_by_their_content(tmp_path: Path) -> None:
    np.savez(tmp_path / "sound.npz", a=np.zeros(2))
    (tmp_path / "sound.json").write_text("{}")
    assert not runs_code(tmp_path / "sound.npz") and not runs_code(tmp_path / "sound.json")
    (tmp_path / "m.json").write_bytes(b"\x80\x05junk")
    assert runs_code(tmp_path / "m.json")
