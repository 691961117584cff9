"""Formats, encodings, delimiters, headers, kinds and typing of tables."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_agent.records import Request
from automl_agent.tasks.tables import dataset
from automl_agent.tasks.tables.kinds import find_kind
from automl_agent.tasks.tables.peeking import peek
from automl_agent.tasks.tables.reading import read_table
from automl_agent.tasks.tables.shared import table_values
from automl_agent.tasks.tables.sources import Source, table_files
from table_cases import acquired, kinds, schema, shop


def write(frame, path, form):
    text = frame.to_csv(index=False)
    match form:
        case "csv":
            path.write_text(text)
        case "tsv":
            path.write_text(frame.to_csv(index=False, sep="\t"))
        case "pipe":
            path.write_text(frame.to_csv(index=False, sep="|"))
        case "european":
            path.write_text(frame.to_csv(index=False, sep=";", decimal=","))
        case "cr":
            path.write_bytes(text.replace("\n", "\r").encode())
        case "gz" | "gz_named_csv":
            path.write_bytes(gzip.compress(text.encode()))
        case "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("inside.csv", text)
                archive.writestr("__MACOSX/._inside.csv", "x")
        case "parquet":
            frame.to_parquet(path)
        case "excel":
            frame.to_excel(path, index=False)
        case "json":
            path.write_text(frame.to_json(orient="records"))
        case "json_split":
            path.write_text(frame.to_json(orient="split"))
        case "json_columns":
            path.write_text(frame.to_json(orient="columns"))
        case "jsonl":
            path.write_text(frame.to_json(orient="records", lines=True))
        case "utf-8-sig" | "utf-16" | "utf-16-le" | "utf-16-be" | "cp1252" | "cp932":
            path.write_bytes(text.encode(form))


SUFFIX = {"tsv": ".tsv", "gz": ".csv.gz", "zip": ".zip", "parquet": ".parquet", "excel": ".xlsx", "json": ".json",
          "json_split": ".json", "json_columns": ".json", "jsonl": ".jsonl"}  # fmt: skip
FORMS = ["csv", "tsv", "pipe", "european", "cr", "gz", "gz_named_csv", "zip", "parquet", "excel", "json", "json_split",
         "json_columns", "jsonl", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_same_typed_table(tmp_path, form):
    frame = shop(40)
    path = tmp_path / f"table{SUFFIX.get(form, '.csv')}"
    write(frame, path, form)
    _, folder, _ = acquired(tmp_path, path)
    data = dataset.load(folder)
    rows = np.load(folder / "rows.npy")
    assert list(data.frame.columns) == ["age", "income", "city"]
    assert data.frame["age"].tolist() == frame["age"].iloc[rows].tolist()
    assert np.allclose(data.frame["income"], frame["income"].iloc[rows])
    assert data.frame["city"].tolist() == frame["city"].iloc[rows].tolist()
    assert [data.schema["classes"][code] for code in data.target] == frame["churn"].iloc[rows].tolist()
    again = table_values.typed(table_files().read(path, data.schema["read"]), data.schema)
    pd.testing.assert_frame_equal(again.iloc[rows].reset_index(drop=True), data.frame)


@pytest.mark.parametrize(
    ("encoding", "word"), [("cp1252", "Zürich"), ("cp932", "東京タワー"), ("utf-16-le", "Genève"), ("utf-8", "naïve")]
)
def test_encodings_are_found(tmp_path, encoding, word):
    frame = shop(30)
    frame["city"] = np.where(np.arange(30) % 2, word, "Café")
    if encoding == "cp932":
        frame["city"] = np.where(np.arange(30) % 2, word, "大阪")
    path = tmp_path / "t.csv"
    path.write_bytes(frame.to_csv(index=False).encode(encoding))
    table = read_table(Source(path))
    assert table.options["encoding"] == encoding
    assert word in set(table.frame["city"])


def test_a_byte_beyond_the_head_that_is_not_utf8_changes_the_encoding(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,plain\n" * 40_000 + "2,Zürich\n".encode("cp1252"))
    table = read_table(Source(path))
    assert table.options["encoding"] == "cp1252"
    assert table.frame["b"].iloc[-1] == "Zürich"


@pytest.mark.parametrize(
    ("text", "header", "names"),
    [
        ("a,b\n1,x\n2,y\n3,z\n", True, ["a", "b"]),
        ("1,x\n2,y\n3,x\n4,y\n", False, ["column_1", "column_2"]),
        ("country,2019,2020\nCH,1,2\nNO,3,4\nIT,5,6\n", True, ["country", "2019", "2020"]),
        ("name,town\nann,bern\nbob,oslo\n", True, ["name", "town"]),
        ("sep=;\na;b\n1;2\n3;4\n", True, ["a", "b"]),
        ('{"x": 1},[y]\n1,2\n3,4\n', True, ['{"x": 1}', "[y]"]),
        ("a b,😀\n1,2\n3,4\n", True, ["a b", "😀"]),
        (" a , \n1,2\n3,4\n", True, ["a", "column_2"]),
    ],
)
def test_header_and_names(tmp_path, text, header, names):
    path = tmp_path / "t.csv"
    path.write_text(text)
    table = read_table(Source(path))
    assert table.options["header"] is header
    assert list(table.frame.columns) == names


def test_row_names_without_a_heading_are_a_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"r{i},{i},{i * 2}\n" for i in range(30)))
    table = read_table(Source(path))
    assert list(table.frame.columns) == ["row_names", "x", "y"]
    assert table.frame["y"].iloc[3] == "6"
    assert list(table_files().read(path, table.options).columns) == ["row_names", "x", "y"]


def test_newlines_and_delimiters_in_quotes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"two\nlines, one cell"\n2,"say ""hi"""\n')
    frame = read_table(Source(path)).frame
    assert frame["b"].tolist() == ["two\nlines, one cell", 'say "hi"']


def test_a_quote_that_is_never_closed_is_an_ordinary_character_in_a_regular_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,x\n" * 20 + '2,"y\n' + "3,z\n" * 20)
    table = read_table(Source(path))
    assert len(table.frame) == 41
    assert [finding.kind for finding in table.findings] == ["quotes"]
    assert "line 22" in table.findings[0].text


def test_ragged_rows_are_padded_or_left_out_and_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "1,2,3\n" * 20 + "4,5\n6,7,8,9\n1,2,3,\n" + "1,2,3\n" * 5)
    table = read_table(Source(path))
    assert len(table.frame) == 27
    assert 21 not in table.frame.index
    assert sorted(finding.action for finding in table.findings) == ["dropped", "kept"]
    assert len(table_files().read(path, table.options)) == 28, "prediction answers every row"


def test_bad_json_lines_are_left_out_and_said(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n{oops\n{"a": 2}\n{"a": NaN}\n')
    table = read_table(Source(path))
    assert table.frame.index.tolist() == [0, 2, 3]
    assert table.findings[0].count == 1


def test_a_three_megabyte_cell_is_read_and_the_csv_limit_is_put_back(tmp_path):
    import csv

    before = csv.field_size_limit()
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,x\n" * 30 + "2," + "y" * 3_000_000 + "\n")
    assert len(read_table(Source(path)).frame["b"].iloc[-1]) == 3_000_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "", "?", "NA", "1e3"] * 5, "number"),
        (["$1,000", "$2,500.50", "(3)", "€ 7"] * 8, "number"),
        (["12%", "7 %", "-3%"] * 8, "number"),
        ([2**70, 1, 3, 2] * 8, "number"),
        ([1, "2", 3.0, None] * 8, "number"),
        (["007", "012", "100", "045"] * 8, "category"),
        (["yes", "No", "yes ", ""] * 8, "boolean"),
        ([True, False, None] * 8, "boolean"),
        (["a", "b", "c"] * 8, "category"),
        (["1", "2", "x", "y"] * 8, "category"),
        (["2024-01-31", "2023-02-01", ""] * 8, "date"),
        (["31.01.2024", "01.02.2023"] * 8, "date"),
        (["01/31/2024", "02/01/2023"] * 8, "date"),
        (["2024-01-31T10:00:00Z", "0001-01-01T00:00:00", "9999-12-31T00:00:00"] * 8, "date"),
        (["Jan 5, 2024", "Feb 7, 2023"] * 8, "date"),
        (["192.168.0.1", "10.0.0.1"] * 8, "category"),
        ([f"u{i:04d}" for i in range(40)], "id"),
        (list(range(1000, 1040)), "id"),
        ([i * i for i in range(40)], "number"),
        ([i / 3 for i in range(40)], "number"),
        ([f"the customer number {i} wrote a letter" for i in range(40)], "text"),
        (["same"] * 20, "constant"),
        (["", "NA", None] * 8, "empty"),
        (["inf", "-inf", "1e400", "2"] * 8, "number"),
    ],
)
def test_kinds(values, kind):
    assert find_kind(pd.Series(values, dtype=object, name="x")).kind == kind
    if all(isinstance(value, str) for value in values):
        assert find_kind(pd.Series(values, dtype="string[pyarrow]", name="x")).kind == kind


def test_an_integer_that_is_unique_by_chance_is_no_id_unless_named_so():
    values = np.random.default_rng(0).choice(10**6, 50, replace=False)
    assert find_kind(pd.Series(values, name="weight")).kind == "number"
    assert find_kind(pd.Series(values, name="customer_id")).kind == "id"


def test_typed_values(tmp_path):
    frame = pd.DataFrame({
        "money": ["$1,000", "2500", "oops", "inf"] * 25,
        "flag": ["Yes", "yes ", "No", ""] * 25,
        "day": ["2024-01-31", "1000-01-01", "9999-12-31", "?"] * 25,
        "code": ["3", "1", "x", "NA"] * 25,
        "n": np.arange(100) % 7,
        "churn": np.arange(100) % 3,
    })  # fmt: skip
    frame.loc[frame.index % 20 != 2, "money"] = frame["money"].where(frame["money"] != "oops", "12")
    profile, folder, _ = acquired(tmp_path, frame)
    columns = {column["name"]: column for column in schema(folder)["columns"]}
    assert {name: column["kind"] for name, column in columns.items()} == {
        "money": "number", "flag": "boolean", "day": "date", "code": "category", "n": "number"}  # fmt: skip
    data = dataset.load(folder).frame
    assert set(data["money"].dropna()) == {1000.0, 2500.0, 12.0}
    assert set(data["flag"]) == {"Yes", "No", None}
    assert data["day"].dtype == "datetime64[ns]"
    assert sorted(data["day"].dt.year.dropna().unique()) == [1678, 2024, 2261]
    assert {"infinite", "mixed", "spelling"} <= kinds(profile)
    assert profile.classes == ("0", "1", "2")


def test_prediction_rows_are_typed_and_inspected_like_training_rows(tmp_path):
    _, folder, _ = acquired(tmp_path, shop())
    plan = schema(folder)
    rows = pd.DataFrame([{"age": "41", "city": " bern ", "extra": 1}, {"age": "old", "city": "Mars", "extra": 1}])
    frame = table_values.typed(rows, plan)
    assert frame["age"].tolist()[0] == 41
    assert np.isnan(frame["age"][1])
    assert frame["income"].isna().all()
    assert frame["city"].tolist() == ["Bern", "Mars"]
    found = {(item["column"], item["problem"]): item["count"] for item in table_values.inspect(rows, plan)}
    assert found == {("income", "missing_column"): 2, ("age", "not_a_number"): 1, ("city", "unseen_category"): 1,
                     ("extra", "extra_column"): 2}  # fmt: skip
    assert (
        table_values.inspect(pd.DataFrame([{"age": 500, "income": 1.0, "city": None}]), plan)[0]["problem"]
        == "out_of_range"
    )
    sample = pd.DataFrame([plan["sample"]])
    assert not table_values.inspect(sample, plan)


def test_peek_looks_at_no_more_than_2000_rows_all_over_the_table(tmp_path):
    frame = shop(5000).sort_values("churn")
    frame.to_csv(tmp_path / "t.csv", index=False)
    seen = peek(Request(words="x", data=(str(tmp_path / "t.csv"),)))
    assert seen is not None
    assert seen.rows <= 2000
    churn = seen.column("churn")
    assert churn is not None
    assert (churn.kind, set(churn.examples)) == ("boolean", {"yes", "no"})
    assert seen.column("age").kind == "number"


def test_peek_without_data_or_with_pictures_is_none(tmp_path):
    assert peek(Request(words="x")) is None
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert peek(Request(words="x", data=(str(tmp_path),))) is None


def test_native_parquet_types(tmp_path):
    frame = shop(40)
    frame["when"] = pd.date_range("2024-01-01", periods=40, tz="Europe/Zurich")
    frame["flag"] = np.arange(40) % 2 == 0
    frame["size"] = pd.Categorical(np.where(np.arange(40) % 3, "big", "small"))
    frame["count"] = pd.array([1, None] * 20, dtype="Int64")
    frame.to_parquet(tmp_path / "t.parquet")
    _, folder, _ = acquired(tmp_path, tmp_path / "t.parquet")
    found = {column["name"]: column["kind"] for column in schema(folder)["columns"]}
    assert found == {"age": "number", "income": "number", "city": "category", "when": "date", "flag": "boolean",
                     "size": "category", "count": "number"}  # fmt: skip


def test_facts_and_meta_features(tmp_path):
    profile, folder, _ = acquired(tmp_path, shop(200))
    facts = {fact["name"]: fact for fact in json.loads((folder / "columns.json").read_text())}
    assert facts["income"]["relation"] > facts["age"]["relation"]
    assert sum(facts["age"]["histogram"]["counts"]) == profile.rows_train
    assert facts["city"]["distinct"] == 3
    assert profile.meta["rows"] == profile.rows_train
    assert profile.meta["numbers"] == 2
    assert profile.meta["categories"] == 1
    assert profile.meta["classes"] == 2
    assert 0.5 <= profile.meta["imbalance"] <= 0.7


def test_importing_the_rooms_loads_no_pandas():
    import subprocess
    import sys

    names = "acquiring, dataset, kinds, leakage, peeking, profiling, reading, sources, splitting"
    heavy = "{'pandas', 'sklearn', 'pyarrow'}"
    code = f"from automl_agent.tasks.tables import {names}; import sys; assert not {heavy} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------- small files that claim much


def wide_lines(path: Path) -> None:
    path.write_text("".join(f'{{"k{number}": 1}}\n' for number in range(20_000)))


def wide_header(path: Path) -> None:
    path.write_text(",".join(f"c{number}" for number in range(20_000)) + "\n" + "1\n" * 5_000)


def wide_json(path: Path) -> None:
    path.write_text(json.dumps([{f"k{number}": 1} for number in range(20_000)]))


@pytest.mark.parametrize(("name", "write"), [("t.jsonl", wide_lines), ("t.csv", wide_header), ("t.json", wide_json)])
def test_a_small_file_that_claims_a_huge_table_is_refused(name: str, write: Callable[[Path], None], tmp_path: Path
                                                          ) -> None:  # fmt: skip
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 1_000_000
    with pytest.raises(ValueError, match=r"as a table it would have [\d,]+ cells or more, and it holds [\d,]+ values"):
        table_files().read(tmp_path / name)


def test_a_sparse_table_that_is_not_huge_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(f'{{"k{number}": 1}}\n' for number in range(1_000)))
    assert table_files().read(tmp_path / "t.jsonl").shape == (1_000, 1_000)


def test_rows_of_a_workbook_that_claim_thousands_of_cells_each_are_refused() -> None:
    rows = ((*[None] * 16_383, 1) for _ in range(100_000))
    with pytest.raises(ValueError, match="as a table it would have 20,0"):
        table_files()._filled_rows(rows)


@pytest.mark.parametrize("text", ["1" * 300_000 + "x", "1" * 300_000 + ".x", "." * 300_000])
def test_a_long_cell_is_looked_at_once(text: str) -> None:
    """By a pattern that goes back over digits this would take a quarter of an hour."""
    assert table_values._PLAIN.fullmatch(text) is None
