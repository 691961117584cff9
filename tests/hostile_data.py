"""Hostile data of all families: what is wrong with each, and what is right to do about it."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hostile_families
from hostile_case import FORMULA, INJECTION, SCRIPT, Case, Content, cut, link, pipe, zipped
from table_cases import shop

HEADER = "age,income,city,churn\n"
TEXT = shop().to_csv(index=False)
NOTE = f"""---
title: "{INJECTION.replace('"', "")}"
kind: practice
source: {{title: House rule, authors: a team, year: 2026}}
checked: true
families: [tabular_classification]
models: [linear, ../../evil]
---

{INJECTION} {SCRIPT}
"""


def tabular(files: Content | dict[str, Content], *refused: str, name: str = "table.csv", words: str = "Predict churn",
            data: tuple[str, ...] | None = None, argv: tuple[str, ...] = (), question: tuple[str, ...] = (),
            **right: Any) -> Case:  # fmt: skip
    """A table whose column `churn` is to be predicted."""
    files = files if isinstance(files, dict) else {name: files}
    return Case("tabular_classification", files, words, data or (next(iter(files)),), argv, refused, question, right)


def price(values: Any, *refused: str, words: str = "Predict the price", **right: Any) -> Case:
    """A table whose column `price` is to be predicted."""
    files: dict[str, Content] = {"table.csv": shop(80).drop(columns="churn").assign(price=values)}
    return Case("tabular_regression", files, words, ("table.csv",), (), refused, (), right)


def labelled(*values: object, rows: int = 60) -> pd.DataFrame:
    return shop(rows).assign(churn=(list(values) * rows)[:rows])


def encrypted(path: Path) -> None:
    zipped({"a.csv": TEXT})(path)
    content = bytearray(path.read_bytes())
    for place in (6, content.index(b"PK\x01\x02") + 8):
        content[place] |= 1
    path.write_bytes(content)


def damaged(path: Path) -> None:
    zipped({"a.csv": TEXT})(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 40] = bytes(40)
    path.write_bytes(content)


def sheets(path: Path) -> None:
    """An Excel file whose first sheet is empty and whose cells hold formulas that nobody has computed."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.create_sheet("data")
    for row in [[*shop().columns, "sum"], *shop().itertuples(index=False)]:
        sheet.append([*row, "=1+1"][:5])
    book.save(path)


def lake(path: Path) -> None:
    """Parquet with lists, structures and columns of objects."""
    frame = shop().assign(tags=[[1, 2]] * 60, place=[{"x": 1}] * 60)
    frame.assign(when=pd.date_range("2024-01-01", periods=60, tz="Europe/Zurich")).to_parquet(path)


def wide() -> pd.DataFrame:
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 99, (30, 10_000))).add_prefix("c")
    return frame.assign(churn=["yes", "no"] * 15)


def odd() -> pd.DataFrame:
    """Numbers that are none, infinities, huge ones, mixed spellings, a column that is all missing, one that never
    changes, and an id."""
    frame = shop()
    ages = ["abc", "inf", "1e400", str(2**70), *frame["age"].astype(str)[4:]]
    return frame.assign(age=ages, churn=["Yes", "yes ", "no"] * 20, none=None, same=7, id=range(60))


NO_TABLES = {
    "empty": tabular(b"", "table.csv", "is empty"),
    "blank": tabular(b"\n  \n\n", "is empty"),
    "header_only": tabular(HEADER, "no rows"),
    "one_row": tabular(shop(1), "'churn' has one value only"),
    "image": tabular(b"\x89PNG\r\n\x1a\n" + bytes(200), "a PNG image"),
    "pdf": tabular(b"%PDF-1.4 lots of text", "a PDF document"),
    "web_page": tabular("<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
    "sqlite": tabular(b"SQLite format 3\0" + bytes(100), "an SQLite database"),
    "bzip": tabular(b"BZh91AY&SY", "a bzip2 archive"),
    "random_bytes": tabular(random.Random(0).randbytes(4000), "is not text"),
    "nul_bytes": tabular(bytes(4000), "is not text"),
    "open_quote": tabular("a,b,churn\n1,x,yes\n" + '2,"y,no\n' + "3,z,9,9\n" * 20, "table.csv", "line 3"),
    "no_json_lines": tabular("no\nnor that\n", "table.jsonl", name="table.jsonl"),
    "deep_json": tabular("[" * 100_000, "table.json", "JSON", name="table.json"),
    "cut_json": tabular(cut(shop()), "table.json", "not valid JSON", name="table.json"),
    "cut_parquet": tabular(cut(shop()), "table.parquet", "damaged", name="table.parquet"),
    "cut_excel": tabular(cut(shop()), "table.xlsx", "damaged", name="table.xlsx"),
    "cut_zip": tabular(cut(zipped({"a.csv": TEXT})), "table.zip", "damaged", name="table.zip"),
    "cut_gzip": tabular(cut(gzip.compress(TEXT.encode())), "table.csv.gz", "ended before", name="table.csv.gz"),
    "damaged_zip": tabular(damaged, "table.zip", "damaged", name="table.zip"),
    "text_named_zip": tabular("certainly not that\n", "table.zip", "not a zip archive", name="table.zip"),
    "gzip_in_gzip": tabular(gzip.compress(gzip.compress(TEXT.encode())), "an archive in an archive"),
    "zip_in_zip": tabular(zipped({"a.zip": b"PK\x05\x06" + bytes(18)}), "table.zip", name="table.zip"),
    "zip_bomb": tabular(zipped({"a.csv": bytes(300 * 2**20)}), "table.zip", "far more", name="table.zip"),
    "excel_bomb": tabular(zipped({"xl/workbook.xml": "", "xl/a": bytes(300 * 2**20)}), "far more", name="table.xlsx"),
    "gzip_bomb": tabular(gzip.compress(b"a,b\n") + gzip.compress(b"1" * 2**20) * 300, "far more"),
    "zip_traversal": tabular(zipped({"../evil.csv": TEXT}), "'../evil.csv'", "out of it", name="table.zip"),
    "zip_absolute": tabular(zipped({"/etc/evil.csv": TEXT}), "'/etc/evil.csv'", "out of it", name="table.zip"),
    "zip_of_windows": tabular(zipped({"..\\evil.csv": TEXT}), "out of it", name="table.zip"),
    "zip_with_a_link": tabular(zipped({"a.csv": "/etc/passwd"}, 0o120777), "holds a link", name="table.zip"),
    "zip_of_two": tabular(zipped({"a.csv": TEXT, "b.csv": TEXT}), "not clear which", name="table.zip"),
    "zip_of_many": tabular(zipped({f"{n}.csv": "" for n in range(2000)}), "2000 files", name="table.zip"),
    "zip_of_none": tabular(zipped({}), "holds no table", name="table.zip"),
    "encrypted_zip": tabular(encrypted, "is encrypted", name="table.zip"),
    "pipe": tabular(pipe, "not an ordinary file"),
    "device": tabular({}, "not an ordinary file", data=("/dev/zero",)),
    "link_to_nowhere": tabular(link("nowhere.csv"), "a link that leads nowhere"),
    "link_to_itself": tabular(link("table.csv"), "table.csv"),
    "link_out_of_a_folder": tabular({"set/table.csv": link("../out.csv"), "out.csv": shop()}, "leads out of the folder",
                                    data=("set",)),
    "missing": tabular({"table.csv": TEXT}, "'tabel.csv' does not exist", "table.csv", data=("tabel.csv",)),
    "not_a_path": tabular({}, "is not a path", data=(" ",)),
    "empty_folder": tabular({"set/readme": "nothing"}, "holds no table", data=("set",)),
    "two_tables": tabular({"a.csv": TEXT, "b.csv": TEXT}, "a.csv, b.csv", "train and test", data=("a.csv", "b.csv")),
}  # fmt: skip
NO_TARGETS = {
    "constant_target": tabular(labelled("yes"), "'churn' has one value only"),
    "empty_target": tabular(labelled(None), "'churn' is empty"),
    "few_labels": tabular(labelled("yes", "no", *[None] * 13), "Only 8 rows", "at least 10"),
    "one_of_a_class": tabular(labelled("yes", *["no"] * 59), "one class only"),
    "labels_name_rows": tabular(labelled(*(f"n{n}" for n in range(60))), "names rows"),
    "too_many_classes": tabular(labelled(*(f"n{n}" for n in range(3000)), rows=9000), "3,000 classes", "at most 1,000"),
    "target_only": tabular(shop()[["churn"]], "no column that could predict"),
    "only_ids": tabular(shop()[["churn"]].assign(id=range(60)), "'id' names rows"),
    "target_twice": tabular(TEXT.replace("city", "churn", 1), "stands more than once"),
    "no_target": tabular(shop().drop(columns="churn"), question=("Which column", "age")),
    "a_huge_price": price([1e300 + n * 1e299 for n in range(80)], "1e+150", "another unit"),
    "a_price_of_words": price("much", "regression", words="Predict the price, a regression with RMSE"),
    "a_constant_price": price(3.5, "'price' has one value only"),
    "an_empty_price": price(None, "'price' is empty"),
    "a_price_without_end": price([*["inf", "-inf"] * 36, *range(8)], "Only 8 rows", "at least 10"),
}  # fmt: skip
SAME = {"rows": 60, "classes": ["no", "yes"], "kinds": {"age": "number", "income": "number", "city": "category"}}
"""What must be found in `shop()`, however it is written."""
ENCODINGS = {
    "bom": tabular(TEXT.encode("utf-8-sig"), **SAME),
    "utf_16": tabular(TEXT.encode("utf-16"), **SAME),
    "utf_16_without_bom": tabular(TEXT.encode("utf-16-be"), **SAME, says=["utf-16-be"]),
    "latin_1": tabular(TEXT.replace("Rome", "Zürich").encode("cp1252"), **SAME, values={"city": "Zürich"},
                       says=["cp1252"]),
    "shift_jis": tabular(TEXT.replace("Rome", "東京タワー").encode("cp932"), **SAME, values={"city": "東京タワー"}),
    "semicolons_and_decimal_commas": tabular(shop().to_csv(index=False, sep=";", decimal=","), **SAME),
    "tabs": tabular(shop().to_csv(index=False, sep="\t"), **SAME),
    "pipes": tabular(shop().to_csv(index=False, sep="|"), **SAME),
    "carriage_returns": tabular(TEXT.replace("\n", "\r"), **SAME),
    "gzip_named_csv": tabular(gzip.compress(TEXT.encode()), **SAME),
    "zip_of_a_mac": tabular(zipped({"a.csv": TEXT, "__MACOSX/._a.csv": "x"}), name="table.zip", **SAME),
    "quotes": tabular(TEXT.replace("Rome", '"two\nlines, ""one"" cell"'), **SAME,
                      values={"city": 'two\nlines, "one" cell'}),
    "unclosed_quote": tabular(TEXT.replace("Rome", '"Rome', 1), **SAME, says=["is never closed"]),
    "cut_csv": tabular(cut(TEXT), says=["fewer cells than the header"]),
    "cut_json_lines": tabular(cut(shop()), name="table.jsonl", says=["not valid JSON objects"]),
    "excel_with_an_empty_sheet": tabular(sheets, name="table.xlsx", **SAME),
    "nested_parquet": tabular(lake, name="table.parquet", dropped={"tags": "nested", "place": "nested"},
                              **{**SAME, "kinds": {**SAME["kinds"], "when": "date"}}),
    "nul_in_a_cell": tabular(TEXT.replace("Rome", "Ro\0me"), **SAME, values={"city": "Rome"}),
    "lone_surrogates": tabular(shop().to_json(orient="records").replace("Rome", "Ro\\ud800me"), name="table.json",
                               **SAME, values={"city": "Ro?me"}),
}  # fmt: skip


def renamed(*names: str) -> pd.DataFrame:
    return shop().set_axis(list(names), axis=1)


CONTENTS = {
    "odd_values": tabular(odd(), kinds={"age": "number"}, dropped={"none": "empty", "same": "constant", "id": "id"},
                          classes=["Yes", "no"], says=["infinite", "are no numbers (such as", "spell"]),
    "repeated_names": tabular(TEXT.replace("income", "age", 1), says=["age.1"], kinds={"age": "number",
                              "age.1": "number"}),
    "names_of_signs": tabular(renamed('{"a":[1]}', "in:come,\N{GRINNING FACE}", "", "churn"), rows=60),
    "names_in_unicode": tabular(renamed("größe\u202e(m²)", "Ａge\u0301", "город", "churn"), rows=60),
    "names_of_our_own_columns": tabular(renamed("row", "prediction", "truth", "churn"), rows=60),
    "names_that_are_paths": tabular(renamed("../../evil", "/etc/passwd", "x" * 5000, "churn"), rows=60),
    "instructions_in_names": tabular(renamed(INJECTION, SCRIPT, FORMULA, "churn"), rows=60),
    "instructions_in_cells": tabular(shop().assign(city=[INJECTION, SCRIPT, FORMULA] * 20), rows=60,
                                     kinds={"age": "number"}),
    "instructions_in_classes": tabular(labelled(SCRIPT, FORMULA, "../../evil"), rows=60,
                                       classes=sorted(["../../evil", FORMULA, SCRIPT])),
    "instructions_in_notes": tabular({"table.csv": TEXT, "notes/evil.md": NOTE}, argv=("--notes", "notes"), **SAME),
    "ten_thousand_columns": tabular({"table.csv": lambda path: wide().to_csv(path, index=False)}, rows=30),
    "ten_thousand_levels": tabular(shop(12_000).assign(city=[f"c{n % 10_000}" for n in range(12_000)]),
                                   kinds={"city": "category"}),
    "a_huge_cell": tabular(shop().assign(city=["x" * 3_000_000, *["a", "b"] * 29, "b"]), rows=60),
    "repeated_rows": tabular(pd.concat([shop(30)] * 4), rows=120, says=["the same"]),
    "missing_labels": tabular(labelled("YES", "yes ", "no", "", "?"), rows=36, classes=["YES", "no"]),
    "two_pairs_of_a_class": tabular(labelled("rare", "rare", *["a", "b"] * 29), rows=60, classes=["a", "b", "rare"]),
    "dates_of_all_times": tabular(shop().assign(day=["0001-01-01", "9999-12-31", "2024-02-30", "2024-01-31"] * 15),
                                  rows=60),
    "prices_of_70_bits": price([2**70 + n * 2**60 for n in range(80)], rows=80, kinds={"age": "number"}),
    "prices_with_signs": price([f"${900 + n * 997 % 5003:,}" for n in range(79)] + ["inf"], rows=79),
    "prices_of_mixed_types": price(["a lot", *range(100, 179)], rows=79),
}  # fmt: skip
CASES: dict[str, Case] = NO_TABLES | NO_TARGETS | ENCODINGS | CONTENTS | hostile_families.CASES
