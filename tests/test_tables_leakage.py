"""Leaks are found, and clean tables raise no alarm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from table_cases import acquired, kinds, schema, shop

ALARMS = {
    "leak",
    "target_copy",
    "id",
    "drift",
    "mixed",
    "constant",
    "repeated_id",
    "ragged",
    "encoding",
    "spelling",
    "infinite",
}


def finding(profile, kind):
    return next(found for found in profile.findings if found.kind == kind)


def used(folder):
    return [column["name"] for column in schema(folder)["columns"]]


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine"])
def test_no_false_alarm_on_clean_classes(tmp_path, name):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    profile, _, _ = acquired(tmp_path, frame, "target")
    assert not kinds(profile) & ALARMS
    assert profile.columns == frame.shape[1] - 1


def test_no_false_alarm_on_clean_numbers(tmp_path):
    frame = datasets.load_diabetes(as_frame=True).frame
    profile, _, _ = acquired(tmp_path, frame, "target", kind="regression")
    assert not kinds(profile) & ALARMS
    random = np.random.default_rng(0)
    carat = random.lognormal(-0.4, 0.5, 3000)  # like diamonds: one column explains nine tenths
    frame = pd.DataFrame(
        {"carat": carat, "x": 6.2 * carat ** (1 / 3), "cut": random.choice(["Fair", "Good", "Ideal"], 3000)}
    )
    frame["price"] = (4500 * carat**1.7 * random.lognormal(0, 0.25, 3000)).round()
    profile, _, _ = acquired(tmp_path, frame, "price", kind="regression")
    assert not kinds(profile) & ALARMS


def test_titanic_like_columns_raise_no_alarm(tmp_path):
    random = np.random.default_rng(1)
    rows = 800
    sex = random.choice(["male", "female"], rows, p=[0.65, 0.35])
    frame = pd.DataFrame({
        "pclass": random.integers(1, 4, rows),
        "name": [f"{random.choice(['Mr', 'Mrs', 'Miss'])}. Passenger Number {i}" for i in range(rows)],
        "sex": sex,
        "age": random.integers(1, 80, rows),
        "ticket": [f"A{random.integers(0, 600)}" for _ in range(rows)],
        "survived": (random.random(rows) < np.where(sex == "female", 0.74, 0.19)).astype(int),
    })  # fmt: skip
    profile, folder, _ = acquired(tmp_path, frame, "survived")
    assert not kinds(profile) & ALARMS
    assert {column["name"]: column["kind"] for column in schema(folder)["columns"]}["name"] == "text"


@pytest.mark.parametrize("copy", ["words", "codes", "swapped"])
def test_a_copy_of_the_class_is_dropped(tmp_path, copy):
    frame = shop(200)
    yes = frame["churn"] == "yes"
    frame["left"] = {"words": yes.map({True: "gone", False: "stays"}), "codes": yes.astype(int), "swapped": ~yes}[copy]
    profile, folder, _ = acquired(tmp_path, frame)
    assert "left" not in used(folder)
    assert {"name": "left", "reason": "target_copy"} in schema(folder)["dropped"]
    assert finding(profile, "target_copy").action == "dropped"


@pytest.mark.parametrize(
    "function", [lambda price: price, lambda price: price * 1.08 + 3, np.log, lambda price: -price]
)
def test_a_function_of_the_number_is_dropped(tmp_path, function):
    frame = shop(200)
    frame["price"] = np.random.default_rng(0).uniform(1, 900, 200)
    frame["other"] = function(frame["price"])
    profile, folder, _ = acquired(tmp_path, frame, "price", kind="regression")
    assert "other" not in used(folder)
    assert finding(profile, "target_copy").columns == ("other",)


def test_the_only_column_is_kept_even_when_it_tells_all(tmp_path):
    frame = pd.DataFrame({"x": np.arange(100) * 0.7, "y": np.arange(100) * 2.1 + 1})
    profile, folder, _ = acquired(tmp_path, frame, "y", kind="regression")
    assert used(folder) == ["x"]
    assert finding(profile, "target_copy").action == "kept"


def test_a_column_that_nearly_tells_the_class_is_kept_and_reported(tmp_path):
    frame = shop(1000)
    yes = (frame["churn"] == "yes").to_numpy()
    frame["calls"] = np.where(yes, 50, 10) + np.random.default_rng(0).normal(0, 5, 1000)
    profile, folder, _ = acquired(tmp_path, frame)
    assert "calls" in used(folder)
    leak = finding(profile, "leak")
    assert (leak.columns, leak.action) == (("calls",), "kept")


def test_a_code_of_many_levels_that_tells_the_class_is_reported(tmp_path):
    frame = shop(1000)
    codes = np.random.default_rng(0).integers(0, 20, 1000)
    frame["reason"] = [
        f"{'L' if churn == 'yes' else 'S'}{code}" for churn, code in zip(frame["churn"], codes, strict=True)
    ]
    profile, _, _ = acquired(tmp_path, frame)
    assert finding(profile, "leak").columns == ("reason",)


def test_a_column_named_after_the_target_that_tells_it_is_dropped(tmp_path):
    frame = shop(1000)
    yes = (frame["churn"] == "yes").to_numpy()
    frame["churn_score"] = np.where(yes, 0.9, 0.1) + np.random.default_rng(0).uniform(-0.08, 0.08, 1000)
    profile, folder, _ = acquired(tmp_path, frame)
    assert "churn_score" not in used(folder)
    assert finding(profile, "leak").action == "dropped"


def test_a_number_that_nearly_is_the_target_is_reported(tmp_path):
    frame = shop(1000)
    random = np.random.default_rng(0)
    frame["price"] = random.uniform(10, 900, 1000)
    frame["billed"] = frame["price"] + random.normal(0, 2, 1000)
    profile, folder, _ = acquired(tmp_path, frame, "price", kind="regression")
    assert finding(profile, "leak").columns == ("billed",)
    assert "billed" in used(folder)


def test_repeated_ids_are_reported(tmp_path):
    frame = shop(400)
    frame["customer_id"] = np.arange(400) // 4 + 5000
    profile, folder, _ = acquired(tmp_path, frame)
    assert finding(profile, "repeated_id").columns == ("customer_id",)
    assert "customer_id" in used(folder)


def test_drift_and_repeated_rows_in_the_users_own_test(tmp_path):
    train, test = shop(400), shop(200, seed=5)
    assert not kinds(acquired(tmp_path, train, test=test)[0]) & {"drift", "test_duplicates"}
    test["income"] += 900
    test["city"] = np.where(np.arange(200) % 3, "Paris", test["city"])
    test = pd.concat([test, train.head(20)], ignore_index=True)
    profile, _, _ = acquired(tmp_path, train, test=test)
    assert set(finding(profile, "drift").columns) == {"income", "city"}
    assert finding(profile, "test_duplicates").count == 20
