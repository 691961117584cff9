"""Training again from a bundle's own code."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_agent.delivery import checks, jobs
from tiny_bundle import FOLDS, ROWS, SHARED, make_bundle, make_table

CANDIDATES = SHARED.parent / "candidates"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    make_bundle(root)
    return root


def train(bundle: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return checks.run_isolated(bundle, "train.py", [str(argument) for argument in arguments], 60)


def test_all_members_and_folds_agree(home: Path) -> None:
    """From the user's own file: the same rows and folds are found in it again."""
    found = checks.verify_bundle(home / "bundle", home / "table.csv")
    assert [check["ok"] for check in found] == [True] * (1 + 2 * FOLDS), found
    assert found[1]["check"] == "m0 without fold 0"


def test_check_retrain_takes_the_cheapest_member(home: Path) -> None:
    found = checks.check_retrain(home / "bundle", home / "data", 60)
    assert found.ok, found.text
    done = train(home / "bundle", "--folder", home / "data", "--verify", "--member", "m1", "--fold", 0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["member"], line["fold"], line["difference"]) for line in lines] == [("m1", 0, pytest.approx(0.0))]


def test_a_difference_is_found(home: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(home / "bundle", tmp_path / "bundle"))
    stored = np.load(copy / "oof" / "m1.npy")
    stored[3] += 1e-4
    np.save(copy / "oof" / "m1.npy", stored)
    with jobs.runtime(copy, "seal") as (seal,):
        seal.write_manifest(copy)
    found = checks.check_retrain(copy, home / "data", 60)
    assert not found.ok
    assert "1.0e-04" in found.text or "differs by" in found.text
    assert train(copy, "--folder", home / "data", "--verify", "--member", "m1", "--fold", 0).returncode == 1
    assert train(copy, "--folder", home / "data", "--verify", "--member", "m1", "--fold", 1).returncode == 0
    assert train(copy, "--folder", home / "data", "--verify", "--member", "m7").returncode == 2


def test_other_rows_cannot_be_verified(home: Path, tmp_path: Path) -> None:
    make_table(tmp_path / "other.csv", "classification", shift=0.5)
    done = train(home / "bundle", "--data", tmp_path / "other.csv", "--verify")
    assert done.returncode == 2
    assert "does not hold the rows" in done.stderr


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_training_on_new_data_gives_a_whole_bundle(kind: str, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "first", kind)
    table = tmp_path / "new.csv"
    make_table(table, kind, shift=2.0)
    table.write_text(table.read_text().replace("blue", "violet"))
    done = train(bundle, "--data", table, "--out", tmp_path / "second")
    assert done.returncode == 0, done.stderr
    second = tmp_path / "second"
    metrics = json.loads((second / "metrics.json").read_text())
    assert f"out-of-fold {metrics['metric']}: {metrics['validation']:.6g}"[:28] in done.stdout
    assert metrics["rows"] == ROWS + 20, "all rows: the other table has no locked test"
    schema = json.loads((second / "schema.json").read_text())
    assert schema["columns"][0]["max"] == pytest.approx(11.9)
    assert set(schema["columns"][2]["values"]) == {"red", "green", "violet"}
    verified = checks.verify_bundle(second, table)
    assert [check["ok"] for check in verified] == [True] * (1 + 2 * FOLDS), verified
    server = checks.check_server(second, 30)
    assert server.ok, server.text
    solution = json.loads((second / "model" / "solution.json").read_text())
    if kind == "regression":
        truth = np.array([float(line.rsplit(",", 1)[1]) for line in table.read_text().splitlines()[1:]])
        oof = 0.75 * np.load(second / "oof/m0.npy") + 0.25 * np.load(second / "oof/m1.npy")
        inside = np.abs(truth[np.load(second / "oof/rows.npy")] - oof) <= solution["spread"]
        assert inside.mean() == pytest.approx(0.9, abs=0.02)


def test_training_refuses_what_it_cannot_use(home: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    make_table(table, "classification", shift=1.0)
    table.write_text(table.read_text().replace("malignant", "unclear"))
    done = train(home / "bundle", "--data", table, "--out", tmp_path / "out")
    assert (done.returncode, "['unclear'], which is new" in done.stderr) == (2, True)
    table.write_text("mean radius\n1\n")
    done = train(home / "bundle", "--data", table, "--out", tmp_path / "out")
    assert (done.returncode, "no column 'diagnosis'" in done.stderr) == (2, True)
    done = train(home / "bundle", "--data", home / "table.csv", "--out", home)
    assert (done.returncode, "is not empty" in done.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_rows_that_were_added_are_trained_on(home: Path, tmp_path: Path) -> None:
    known = pd.read_csv(home / "table.csv")
    table, grown = tmp_path / "grown.csv", pd.concat([known, known.tail(30)])
    grown.to_csv(table, index=False)
    done = train(home / "bundle", "--data", table, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len(np.load(tmp_path / "out" / "oof" / "rows.npy")) == len(grown) > ROWS + 20
    unlabelled = pd.concat([known, known.tail(30).assign(diagnosis="?")])
    unlabelled.to_csv(tmp_path / "unlabelled.csv", index=False)
    for number, same in enumerate((home / "table.csv", tmp_path / "unlabelled.csv")):
        out = tmp_path / f"again{number}"
        train(home / "bundle", "--data", same, "--out", out)
        assert len(np.load(out / "oof" / "rows.npy")) == ROWS, "the locked test stays locked"
    assert train(home / "bundle", "--data", table, "--verify").returncode == 0


@pytest.mark.parametrize("name", ["lightgbm", "linear"])
def test_real_candidates_are_served_and_trained_again(name: str, tmp_path: Path) -> None:
    """The library's own candidates with the files that they say they need."""
    bundle = make_bundle(tmp_path, candidate=CANDIDATES / f"{name}.py")
    server = checks.check_server(bundle, 60)
    assert server.ok, server.text
    retrained = checks.check_retrain(bundle, tmp_path / "table.csv", 60)
    assert retrained.ok, retrained.text
