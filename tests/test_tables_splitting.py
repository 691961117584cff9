"""The locked test and the folds: what they keep apart, what they keep together, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl_agent.errors import InputError
from automl_agent.tasks.tables import dataset, splitting
from table_cases import acquired, kinds, schema, shop


def load(name, folder):
    return np.load(folder / f"{name}.npy")


def test_the_split_is_stratified_complete_and_private(tmp_path):
    frame = shop(1000)
    profile, folder, private = acquired(tmp_path, frame)
    rows = np.concatenate([load("rows", folder), load("test_rows", folder)])
    assert sorted(rows) == list(range(1000))
    assert abs(profile.rows_test - 200) <= 2
    share = (frame["churn"] == "yes").mean()
    assert abs(dataset.test_truth(private).mean() - share) < 0.01
    assert [profile.classes[code] for code in dataset.test_truth(private)] == frame["churn"].iloc[
        load("test_rows", folder)
    ].tolist()
    assert [path.name for path in private.iterdir()] == ["test_target.npy"]
    assert "churn" not in dataset.test_inputs(folder).columns
    data = dataset.load(folder)
    sizes = np.bincount(data.folds)
    assert len(sizes) == profile.folds == 8
    assert sizes.max() - sizes.min() <= 3
    assert all(abs(data.target[data.folds == fold].mean() - share) < 0.03 for fold in range(8))


def test_the_split_follows_the_content_not_the_order(tmp_path):
    frame = shop(300)
    _, folder, _ = acquired(tmp_path, frame, seed=3)
    first = {tuple(row) for row in frame.iloc[load("test_rows", folder)].itertuples(index=False)}
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    _, folder, _ = acquired(tmp_path, shuffled, seed=3)
    assert {tuple(row) for row in shuffled.iloc[load("test_rows", folder)].itertuples(index=False)} == first
    renamed = frame.rename(columns={"age": "x1", "city": "x2"})
    _, folder, _ = acquired(tmp_path, renamed, seed=3)
    assert {tuple(row) for row in renamed.iloc[load("test_rows", folder)].itertuples(index=False)} == first
    _, folder, _ = acquired(tmp_path, frame, seed=4)
    assert {tuple(row) for row in frame.iloc[load("test_rows", folder)].itertuples(index=False)} != first


def test_the_fingerprint_tells_data_and_split_apart(tmp_path):
    frame = shop(200)
    same = [acquired(tmp_path, frame)[0].fingerprint for _ in range(2)]
    assert same[0] == same[1]
    assert acquired(tmp_path, frame, seed=1)[0].fingerprint != same[0]
    assert acquired(tmp_path, frame, positive="no")[0].fingerprint != same[0]
    frame.loc[0, "age"] += 1
    assert acquired(tmp_path, frame)[0].fingerprint != same[0]


def test_equal_feature_rows_do_not_cross_even_with_other_targets(tmp_path):
    frame = pd.concat([shop(300), shop(120)], ignore_index=True)  # the same seed gives the same first values
    frame = pd.concat([frame, frame.head(150).assign(churn="no")], ignore_index=True)
    profile, folder, _ = acquired(tmp_path, frame)
    features = frame[["age", "income", "city"]].apply(tuple, axis=1)
    train, test = (features.iloc[load(name, folder)] for name in ("rows", "test_rows"))
    assert not set(train) & set(test)
    folds = pd.Series(load("folds", folder), index=train.to_numpy())
    assert (folds.groupby(level=0).nunique() == 1).all()
    assert next(finding for finding in profile.findings if finding.kind == "duplicates").action == "grouped"


def test_rows_that_repeat_by_nature_are_spread(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"sex": random.choice(["m", "f"], 800), "stage": random.choice(["I", "II", "III"], 800)})
    frame["churn"] = random.choice(["yes", "no"], 800)
    profile, folder, _ = acquired(tmp_path, frame)
    assert next(finding for finding in profile.findings if finding.kind == "duplicates").action == "kept"
    test = frame.iloc[load("test_rows", folder)]
    assert len(test.drop_duplicates(["sex", "stage"])) == 6
    assert abs(len(test) - 160) <= 2


def test_groups_do_not_cross(tmp_path):
    frame = shop(400)
    frame["patient"] = np.random.default_rng(0).integers(0, 40, 400)
    frame.loc[::50, "patient"] = -1
    profile, folder, _ = acquired(tmp_path, frame, group="Patient")
    train, test = (frame["patient"].iloc[load(name, folder)] for name in ("rows", "test_rows"))
    assert not set(train) & set(test)
    assert 40 <= len(test) <= 140
    folds = pd.Series(load("folds", folder), index=train.to_numpy())
    assert (folds.groupby(level=0).nunique() == 1).all()
    assert {"name": "patient", "reason": "group"} in schema(folder)["dropped"]
    assert "groups" in profile.split


def test_time_order(tmp_path):
    frame = shop(400)
    frame["day"] = pd.date_range("2023-01-01", periods=200).repeat(2).strftime("%d.%m.%Y")
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    profile, folder, _ = acquired(tmp_path, frame, time="day")
    day = pd.to_datetime(frame["day"], format="%d.%m.%Y")
    train, test = (day.iloc[load(name, folder)] for name in ("rows", "test_rows"))
    assert train.max() < test.min()
    assert len(test) == 80
    assert schema(folder)["ordered"] is True
    folds = load("folds", folder)
    assert set(folds) == {-1, 0, 1, 2, 3, 4}
    assert profile.folds == 5
    for fold in range(5):
        data = dataset.load_fold(folder, fold)
        assert train.to_numpy()[data.valid_rows].min() > train.to_numpy()[folds < fold].max()
        assert len(data.target) == (folds < fold).sum()


def test_time_and_group(tmp_path):
    frame = shop(300)
    frame["t"] = np.arange(300)
    frame["who"] = np.arange(300) // 7
    _, folder, _ = acquired(tmp_path, frame, time="t", group="who")
    rows, test = load("rows", folder), load("test_rows", folder)
    assert rows.max() < test.min()
    assert not set(frame["who"][rows]) & set(frame["who"][test])


def test_a_class_that_only_the_last_rows_have_is_left_out_and_said(tmp_path):
    frame = shop(200)
    frame["t"] = np.arange(200.0) * 1.5
    frame.loc[195:, "churn"] = "moved"
    profile, _, private = acquired(tmp_path, frame, time="t")
    assert profile.classes == ("no", "yes")
    assert "unseen_class" in kinds(profile)
    assert profile.rows_test == len(dataset.test_truth(private)) == 35


def test_time_with_one_moment(tmp_path):
    frame = shop(100)
    frame["t"] = [1] * 50 + [2] * 50
    with pytest.raises(InputError, match="too few different moments"):
        acquired(tmp_path, frame, time="t")


@pytest.mark.parametrize(("rows", "folds"), [(10, 4), (2999, 8), (3000, 5), (100_000, 5)])
def test_fold_count(rows, folds):
    assert splitting.fold_count(rows) == folds if rows > 10 else True


def test_small_tables_get_a_test_and_at_least_two_folds(tmp_path):
    frame = shop(10)
    frame["churn"] = ["yes", "no"] * 5
    profile, folder, private = acquired(tmp_path, frame)
    assert profile.rows_test >= 2
    assert profile.folds >= 2
    assert set(dataset.test_truth(private)) == {0, 1}
    for fold in range(profile.folds):
        data = dataset.load_fold(folder, fold)
        assert set(data.target) == {0, 1}


def test_a_rare_class_bounds_the_folds_of_a_binary_task(tmp_path):
    frame = shop(300)
    frame["churn"] = ["yes"] * 5 + ["no"] * 295
    profile, folder, _ = acquired(tmp_path, frame)
    data = dataset.load(folder)
    assert profile.folds == 4
    assert all((data.target[data.folds == fold] == 1).any() for fold in range(4))


def test_numbers_are_spread_over_their_range(tmp_path):
    frame = shop(1000)
    frame["price"] = np.random.default_rng(0).lognormal(0, 2, 1000)
    profile, folder, private = acquired(tmp_path, frame, "price", kind="regression")
    train, test = dataset.training_truth(folder), dataset.test_truth(private)
    assert train.dtype == test.dtype == np.float64
    assert abs(np.median(test) / np.median(train) - 1) < 0.25
    assert profile.meta["target_skew"] > 2
    assert profile.target["max"] == train.max()


def test_the_users_own_test(tmp_path):
    test = shop(50, seed=9)
    test.loc[0, "churn"] = "perhaps"
    profile, folder, private = acquired(tmp_path, shop(200), test=test)
    assert (profile.rows_train, profile.rows_test) == (200, 49)
    assert profile.split == "the user's own test"
    assert load("test_rows", folder).tolist() == list(range(1, 50))
    assert [profile.classes[code] for code in dataset.test_truth(private)] == test["churn"].iloc[1:].tolist()


def test_a_pair_in_a_folder(tmp_path):
    pair = tmp_path / "pair"
    pair.mkdir()
    shop(200).to_csv(pair / "shop_train.csv", index=False)
    shop(60, seed=1).to_csv(pair / "shop_test.csv", index=False)
    assert acquired(tmp_path, pair)[0].rows_test == 60
    shop(60, seed=1).drop(columns="churn").to_csv(pair / "shop_test.csv", index=False)
    profile, _, _ = acquired(tmp_path, pair)
    assert (profile.rows_train, profile.rows_test) == (160, 40)
    assert "test_without_target" in kinds(profile)


def test_a_named_test_without_targets_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"test data 'test\.csv'"):
        acquired(tmp_path, shop(200), test=shop(50).drop(columns="churn"))


def test_samples_of_folds(tmp_path):
    frame = shop(2000)
    frame["churn"] = np.where(np.arange(2000) < 6, "rare", frame["churn"])
    _, folder, _ = acquired(tmp_path, frame)
    whole, part, again = (dataset.load_fold(folder, 1, rows=rows, seed=5) for rows in (0, 150, 150))
    assert len(part.target) == len(part.valid) == 150
    assert len(whole.valid) == 200
    assert set(part.target) == {0, 1, 2}
    assert abs((part.target == 2).mean() - (whole.target == 2).mean()) < 0.02
    pd.testing.assert_frame_equal(part.train, again.train)
    rows = dataset.load(folder).frame.iloc[part.valid_rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, part.valid)
    other = dataset.load_fold(folder, 1, rows=150, seed=6)
    assert not part.train.equals(other.train)
    everything = dataset.load_fold(folder, 8)  # the number after the last fold leaves nothing out
    assert len(everything.target) == len(dataset.load(folder).target)
    with pytest.raises(ValueError, match="no fold 9"):
        dataset.load_fold(folder, 9)


def test_training_and_test_frames_survive_the_disk(tmp_path):
    frame = shop(100)
    frame["city"] = frame["city"].where(np.arange(100) % 4 > 0)
    frame["day"] = pd.date_range("2020-01-01", periods=100).where(np.arange(100) % 5 > 0)
    _, folder, _ = acquired(tmp_path, frame)
    for found in (dataset.load(folder).frame, dataset.test_inputs(folder)):
        assert found["city"].dtype == object
        assert {type(value) for value in found["city"]} == {str, type(None)}
        assert found["day"].dtype == "datetime64[ns]"
        assert found["income"].dtype == np.float64
