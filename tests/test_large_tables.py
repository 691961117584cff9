"""Tables of which only some rows are used: which ones, what is kept apart and together, and what is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_agent import Request, Settings, build_graph
from automl_agent.cli.main import main
from automl_agent.delivery.jobs import runtime
from automl_agent.errors import InputError
from automl_agent.records import TaskSpec
from automl_agent.tasks.tables import acquiring, sampling
from automl_agent.tasks.tables.reading import read_table
from automl_agent.tasks.tables.sampling import Sample
from automl_agent.tasks.tables.sources import Source, table_files
from automl_agent.tasks.tabular_clustering import acquiring as clustering
from automl_agent.tasks.text_classification import acquiring as texts
from automl_agent.tasks.words.rows import wished_rows
from table_cases import acquired, kinds, schema, shop

ROWS, LIMIT = 5000, 1000


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    """Tables of four columns are large from 1,000 rows on."""
    monkeypatch.setattr(sampling, "CELLS", 4 * LIMIT)
    monkeypatch.setattr(sampling, "FEWEST", 10)


def load(name: str, folder: Path) -> np.ndarray:
    return np.load(folder / f"{name}.npy")


def sampled(profile) -> list[str]:
    return [finding.text for finding in profile.findings if finding.kind == "sampled"]


# ---------------------------------------------------------------- reading

QUOTED = 'a,b\n1,"x, y"\n\n2,"two\nlines"\n3,"a ""b"" c"\n4,plain\n5,\n'
CONTENTS = {
    "quotes": QUOTED,
    "windows": QUOTED.replace("\n", "\r\n"),
    "no end": QUOTED.rstrip("\n"),
    "stray quotes": 'a,b\n1,5" pipe\n2,x\n3,6" pipe\n4,y\n',
    "blanks before cells": 'a, b\n1, x\n2, "y, z"\n3,w\n4, v\n',
    "ragged": "a,b\n1\n2,x,y\n3,z\n4,w,\n",
    "old line ends": "a,b\r1,x\r2,y\r3,z\r",
}


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("block", [7, 10_000])
def test_some_rows_are_those_of_the_whole(tmp_path, monkeypatch, content, header, block):
    reader = table_files()
    monkeypatch.setitem(reader.read_csv.__globals__, "BLOCK", block)
    path, options = tmp_path / "table.csv", {"header": header}
    path.write_bytes(content.encode())
    with path.open("rb") as stream:  # every record parsed, one by one
        whole, odd = reader.read_csv(stream, {**options, "plain": False}, None, None)
    read, told = reader.load(path, options)
    pd.testing.assert_frame_equal(read, whole)
    assert told == odd
    assert reader.count(path, options) == len(whole)
    rows = np.arange(0, len(whole), 2)
    some, told = reader.load(path, options, rows=rows)
    pd.testing.assert_frame_equal(some, whole.iloc[rows])
    assert told["short"] == [row for row in odd["short"] if row % 2 == 0]
    name = whole.columns[1]
    pd.testing.assert_series_equal(reader.column(path, name, options), whole[name])


def test_other_forms(tmp_path):
    reader = table_files()
    frame, rows = shop(90), np.array([3, 40, 88])
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_json(tmp_path / "table.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "table.json", orient="records")
    frame.to_excel(tmp_path / "table.xlsx", index=False)
    for path in sorted(tmp_path.iterdir()):
        whole, some = reader.read(path), reader.read(path, rows=rows)
        pd.testing.assert_frame_equal(some, whole.iloc[rows])
        assert reader.count(path) == (None if path.suffix in (".json", ".xlsx") else 90)
        table = read_table(Source(path), sample=Sample(rows=20))
        assert (len(table.frame), table.drawn.total) == (20, 90)
        assert table.frame["income"].astype(float).tolist() == frame["income"].iloc[table.drawn.positions].tolist()


def test_wrong_bytes_late_in_a_file_change_the_encoding(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 100_000 + "2,caf\u00e9\n".encode("cp1252"))
    table = read_table(Source(path), sample=Sample(rows=100))
    assert table.options["encoding"] == "cp1252"
    assert table.drawn.total == 100_001


# ---------------------------------------------------------------- what is drawn


def test_the_same_rows_are_drawn_evenly_whenever_asked():
    rows = sampling.some(ROWS, LIMIT, 0)
    assert len(rows) == len(set(rows)) == LIMIT
    assert (np.diff(rows) > 0).all()
    assert (rows == sampling.some(ROWS, LIMIT, 0)).all()
    assert len(set(rows) & set(sampling.some(ROWS, LIMIT, 1))) < 0.3 * LIMIT
    assert abs(np.histogram(rows, 5, (0, ROWS))[0] - LIMIT / 5).max() < 45


def test_a_large_table(tmp_path):
    frame = shop(ROWS)
    profile, folder, _ = acquired(tmp_path, frame)
    rows, test_rows = load("rows", folder), load("test_rows", folder)
    assert profile.rows_train + profile.rows_test == LIMIT
    assert not set(rows) & set(test_rows)
    assert pd.read_parquet(folder / "train.parquet")["income"].tolist() == frame["income"].iloc[rows].tolist()
    assert sampled(profile) == [
        f"table.csv has 5,000 rows, of which 1,000 are used at most (--max-rows): {len(rows):,} to learn from and"
        f" {len(test_rows):,} as the test, drawn evenly. What is said of rows is said of these"
    ]
    assert acquired(tmp_path, frame)[0].fingerprint == profile.fingerprint
    assert acquired(tmp_path, frame, seed=1)[0].fingerprint != profile.fingerprint


def test_a_table_within_the_limit_is_used_whole(tmp_path):
    profile, folder, _ = acquired(tmp_path, shop(LIMIT))
    assert profile.rows_train + profile.rows_test == LIMIT
    assert not sampled(profile)
    assert "drawn" not in schema(folder)["read"]


def test_groups_are_drawn_whole(tmp_path):
    frame = shop(ROWS).assign(shop=np.random.default_rng(0).integers(0, 1000, ROWS))
    profile, folder, _ = acquired(tmp_path, frame, group="Shop")
    train, test = (frame["shop"].iloc[load(name, folder)] for name in ("rows", "test_rows"))
    assert not set(train) & set(test)
    counts = pd.concat([train, test]).value_counts()
    assert (counts == frame["shop"].value_counts()[counts.index]).all()
    assert 0.95 * LIMIT * 4 / 5 <= len(train) + len(test) <= LIMIT * 4 / 5  # of five columns
    assert "in whole groups of 'Shop'" in sampled(profile)[0]


def test_few_large_groups_are_drawn_in_part_and_kept_apart(tmp_path):
    frame = shop(ROWS).assign(shop=np.arange(ROWS) % 12)
    profile, folder, _ = acquired(tmp_path, frame, group="shop")
    train, test = (frame["shop"].iloc[load(name, folder)] for name in ("rows", "test_rows"))
    assert not set(train) & set(test)
    assert set(train) | set(test) == set(range(12))
    assert "groups" not in sampled(profile)[0]


def test_the_last_rows_in_time_are_the_test(tmp_path):
    days = pd.date_range("2001-01-01", periods=ROWS).strftime("%Y-%m-%d").to_numpy()
    frame = shop(ROWS).assign(day=days).sample(frac=1, random_state=0)
    profile, folder, _ = acquired(tmp_path, frame, time="day")
    train, test = (frame["day"].iloc[load(name, folder)] for name in ("rows", "test_rows"))
    assert train.max() < test.min()
    assert test.min() > "2011"  # about the last fifth of the whole time
    assert "the last in time as the test" in sampled(profile)[0]


def test_a_column_that_counts_the_rows_is_still_known_as_such(tmp_path):
    profile, folder, _ = acquired(tmp_path, shop(ROWS).assign(counter=np.arange(ROWS) + 7))
    assert {"name": "counter", "reason": "id"} in schema(folder)["dropped"]
    assert profile.columns == 3


def test_a_test_file_of_ones_own(tmp_path, monkeypatch):
    for module in (acquiring, sampling):
        monkeypatch.setattr(module, "MOST_TEST", 300)
    profile, folder, _ = acquired(tmp_path, shop(ROWS), test=shop(2000, seed=1))
    assert (profile.rows_train, profile.rows_test) == (LIMIT, 300)
    assert load("test_rows", folder).max() > 1500
    assert ["table.csv has 5,000" in sampled(profile)[0], "test.csv has 2,000" in sampled(profile)[1]] == [True, True]


def test_the_test_of_a_large_table_is_no_larger_than_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(acquiring, "MOST_TEST", 50)
    assert acquired(tmp_path, shop(ROWS))[0].rows_test == 50


def test_every_row_of_a_test_without_target_waits_to_be_predicted(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    shop(ROWS).to_csv(folder / "train.csv", index=False)
    shop(3000, seed=1).drop(columns="churn").to_csv(folder / "test.csv", index=False)
    profile, data, _ = acquired(tmp_path, folder)
    assert len(pd.read_parquet(data / "unlabelled.parquet")) == 3000
    assert "test_without_target" in kinds(profile)
    assert profile.rows_train + profile.rows_test == LIMIT


def test_a_group_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no column 'branch' \(the group"):
        acquired(tmp_path, shop(ROWS), group="branch")


def test_clusters_and_texts(tmp_path):
    words = np.random.default_rng(0).choice(["good", "bad", "quick", "slow", "nice"], (ROWS, 6))
    frame = shop(ROWS).assign(review=[" ".join(row) for row in words])
    frame[["age", "income", "city"]].to_csv(tmp_path / "shop.csv", index=False)
    frame[["review", "churn"]].to_csv(tmp_path / "reviews.csv", index=False)
    for acquire, name, task in (
        (clustering.acquire, "shop.csv", {"family": "tabular_clustering", "metric": "silhouette"}),
        (texts.acquire, "reviews.csv", {"family": "text_classification", "metric": "accuracy", "target": "churn"}),
    ):
        request = Request(data=(str(tmp_path / name),), max_rows=500)
        folders = tmp_path / f"{name}-data", tmp_path / f"{name}-private"
        profile = acquire(TaskSpec(words="", **task), request, *folders, seed=0, test_share=0.2)
        assert profile.rows_train + profile.rows_test == 500
        assert name in sampled(profile)[0]


# ---------------------------------------------------------------- whole runs


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("Predict churn. Use at most 50,000 rows.", 50_000),
        ("Predict churn, train on a random sample of 20k rows", 20_000),
        ("Sample 1.5 million records and predict churn", 1_500_000),
        ("Predict churn with 500 rows per day", None),
        ("Predict churn using 3 rows", None),
        ("Predict the number of rows", None),
    ],
)
def test_the_words_may_say_how_many(words, rows):
    assert wished_rows(words) == rows


def test_a_run_with_its_own_limit(place):
    shop(ROWS).to_csv("shop.csv", index=False)
    graph = build_graph(settings=Settings(max_rows=400, trials=2, plans=1, budget=90, retrieval=False))
    words = "Predict churn. Use at most 500 rows."
    report = graph.invoke({"request": Request(words=words, data=("shop.csv",))})["report"]
    assert report.task["rows_train"] + report.task["rows_test"] == 500
    assert any("shop.csv has 5,000 rows, of which 500 are used" in text for text in report.warnings)
    assert "of which 500 are used" in Path(report.report).read_text(encoding="utf-8")
    bundle = Path(report.bundle)
    with runtime(bundle, "train") as (train,):  # finds its rows again, without reading the others
        facts = [json.loads((bundle / name).read_text()) for name in ("schema.json", "model/solution.json")]
        assert train.read_rows(bundle, *facts, Path("shop.csv")).original
        shop(600, seed=2).to_csv("other.csv", index=False)
        assert len(train.read_rows(bundle, *facts, Path("other.csv")).target) == 600


def test_a_limit_that_cannot_be(place, capsys):
    shop(100).to_csv("shop.csv", index=False)
    assert main(["run", "Predict churn", "--data", "shop.csv", "--max-rows", "5"]) == 2
    assert "--max-rows" in capsys.readouterr().err
