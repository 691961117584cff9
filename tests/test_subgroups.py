"""Scores by subgroup: which rows belong together, how each group is scored, and where a user reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent import InputError, Request, Settings, build_graph
from automl_agent.agents.understanding.prompt import understand
from automl_agent.cli.options import make_parser
from automl_agent.cli.run import fresh_manifest
from automl_agent.delivery.card import model_card
from automl_agent.delivery.subgroups import group_lines, rate_spans, weak_groups
from automl_agent.nodes.telling import _facts
from automl_agent.records import (
    Breakdown,
    Constraint,
    DataProfile,
    Grade,
    Inference,
    Report,
    Solution,
    Subgroup,
    TaskSpec,
)
from automl_agent.search.subgroups import break_down
from automl_agent.tasks.family import Grouping
from automl_agent.tasks.registry import families, get_family
from automl_agent.tasks.tables import subgroups
from table_cases import acquired, schema, shop
from word_tables import families as seeing
from word_tables import flag, labels, numbers, table, whole


def groups(tmp_path: Path, values: Any) -> dict[str, list[Any]]:
    """The values of each group of the locked test rows, by its name."""
    frame = shop(len(values)).assign(sought=values)
    acquired(tmp_path, frame, by=("sought",), ignore=("sought",))
    (grouping,) = subgroups.read(tmp_path / "private")
    there = np.load(tmp_path / "data" / "test_rows.npy")
    found = frame["sought"].iloc[there]
    return {name: found[grouping.codes == code].tolist() for code, name in enumerate(grouping.names)}


class TestGroups:
    def test_the_most_frequent_values_and_the_rest_as_one(self, tmp_path: Path) -> None:
        found = groups(tmp_path, [f"v{min(row // 40, 9)}" if row < 400 else f"rare{row % 25}" for row in range(600)])
        *names, rest = found
        assert len(names) == 10
        assert rest.endswith(" other values)")
        assert all(set(values) == {name} for name, values in found.items() if name != rest)
        assert min(len(found[name]) for name in names) >= max(map(found[rest].count, found[rest]))
        assert [len(found[name]) for name in names] == sorted((len(found[name]) for name in names), reverse=True)

    def test_whole_numbers_become_ranges_with_both_ends(self, tmp_path: Path) -> None:
        found = groups(tmp_path, [18 + row * 7 % 60 for row in range(400)])
        assert len(found) == 4
        ends = [name.replace("up to", "0 to").removeprefix("from ").split(" to ") for name in found]
        assert [int(low) for low, *_ in ends[1:]] == [int(high) + 1 for _, high in ends[:-1]]
        for (low, *high), values in zip(ends, found.values(), strict=True):
            assert int(low) <= min(values) <= max(values) <= int(high[0] if high else 99)
        assert all(10 <= len(values) <= 30 for values in found.values())

    def test_other_numbers_become_ranges_in_few_digits(self, tmp_path: Path) -> None:
        found = groups(tmp_path, np.random.default_rng(0).normal(3000, 800, 400))
        assert len(found) == 4
        assert max(map(len, found)) < 18
        for name, values in found.items():
            low, _, high = name.replace("up to", "-inf to").replace("above", "").partition(" to ")
            assert min(values) > float(low)
            assert max(values) <= float(high or "inf")

    def test_few_numbers_are_told_apart_one_by_one_and_missing_ones_are_a_group(self, tmp_path: Path) -> None:
        found = groups(tmp_path, [[1, 2, 3, None][row % 4] for row in range(200)])
        assert list(found) == ["1", "2", "3", "(missing)"]
        assert set(found["2"]) == {2.0}
        assert all(np.isnan(found["(missing)"]))

    def test_a_number_that_is_mostly_the_same_still_has_two_sides(self, tmp_path: Path) -> None:
        assert list(groups(tmp_path, [0] * 170 + list(range(1, 31)))) == ["up to 0", "from 1"]

    def test_dates_become_ranges_of_days(self, tmp_path: Path) -> None:
        days = pd.date_range("2024-01-01", periods=366).strftime("%Y-%m-%d")
        found = groups(tmp_path, [days[row * 7 % 366] for row in range(400)])
        assert len(found) == 4
        (first, second, *_), (earliest, next_ones, *_) = found, found.values()
        assert first.removeprefix("up to ") >= max(earliest)
        assert second.partition(" to ")[0] > first.removeprefix("up to ")
        assert min(next_ones) >= second.partition(" to ")[0]

    def test_spellings_of_a_value_are_one_group(self, tmp_path: Path) -> None:
        assert list(groups(tmp_path, (["North"] * 9 + ["north "] * 3 + ["South"] * 8) * 10)) == ["North", "South"]

    def test_an_ignored_column_is_kept_for_grading_alone(self, tmp_path: Path) -> None:
        frame = shop(200).assign(gender=["f", "m"] * 100)
        plain, hidden = tmp_path / "plain", tmp_path / "hidden"
        for folder in (plain, hidden):
            folder.mkdir()
        without, *_ = acquired(plain, frame, ignore=("gender",))
        profile, data, private = acquired(hidden, frame, ignore=("gender",), by=("gender",))
        assert profile.fingerprint == without.fingerprint  # trials are shared with a run that shows no subgroups
        for name in ("train", "test"):
            assert "gender" not in pd.read_parquet(data / f"{name}.parquet").columns
        assert "gender" not in [column["name"] for column in schema(data)["columns"]]
        assert {grouping.column for grouping in subgroups.read(private)} == {"gender"}
        assert subgroups.read(plain / "private") == ()

    def test_the_users_own_test_brings_the_column(self, tmp_path: Path) -> None:
        test = shop(40, seed=1).assign(branch=["a"] * 30 + ["b"] * 10)
        acquired(tmp_path, shop(200).assign(branch=["a", "b"] * 100), test=test, by=("branch",))
        (grouping,) = subgroups.read(tmp_path / "private")
        assert grouping.names == ("a", "b")
        assert grouping.codes.tolist() == [0] * 30 + [1] * 10

    def test_a_test_without_the_column_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"no column 'branch' .*test.csv"):
            acquired(tmp_path, shop(200).assign(branch=["a", "b"] * 100), test=shop(40, seed=1), by=("branch",))
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize(
        ("values", "why"),
        [([f"c{row}" for row in range(60)], "another value in nearly every row"), (["x"] * 60, "one value only"),
         ([None] * 60, "is empty"), ([f"some words on row {row}" for row in range(60)], "holds texts")],
    )  # fmt: skip
    def test_a_column_that_tells_no_groups_apart_is_refused(self, tmp_path: Path, values: Any, why: str) -> None:
        frame = shop(60).assign(sought=values)
        with pytest.raises(InputError, match=f"'sought'.*{why}"):
            acquired(tmp_path, frame, by=("sought",))
        from_words = (Inference(field="by", value="sought", reason="the words"),)
        profile, *_ = acquired(tmp_path, frame, by=("sought",), inferences=from_words)  # a slip of ours stops no run
        assert [finding.columns for finding in profile.findings if finding.kind == "no_subgroups"] == [("sought",)]

    def test_texts_with_further_columns_are_told_apart_too(self, tmp_path: Path) -> None:
        words = ["good and nice and fine", "bad and poor and sad"]
        frame = pd.DataFrame({"review": [f"{words[row % 2]} number {row} of all" for row in range(200)],
                              "shop": ["a", "a", "b"] * 66 + ["b"] * 2, "mood": ["up", "down"] * 100})  # fmt: skip
        frame.to_csv(tmp_path / "t.csv", index=False)
        task = TaskSpec(words="classify", family="text_classification", target="mood", ignore=("shop",), by=("shop",))
        request = Request(words="classify", data=(str(tmp_path / "t.csv"),))
        family, private = get_family("text_classification"), tmp_path / "private"
        family.acquire(task, request, tmp_path / "data", private, seed=0, test_share=0.2)
        (grouping,) = family.groupings(private)
        assert sorted(grouping.names) == ["a", "b"]


def two_classes(rows: int, wrong: float, seed: int) -> tuple[Any, Any]:
    """Truth and probabilities, of which so large a share is wrong."""
    random = np.random.default_rng(seed)
    truth = np.arange(rows) % 2
    said = np.where(random.random(rows) < wrong, 1 - truth, truth)
    chance = np.where(said == 1, 0.8, 0.2) + random.uniform(-0.1, 0.1, rows)
    return truth, np.stack([1 - chance, chance], axis=1)


def broken_down(metric: str, truth: Any, prediction: Any, sizes: list[int], **more: Any) -> tuple[Subgroup, ...]:
    family = get_family("tabular_classification" if prediction.ndim == 2 else "tabular_regression")
    grouping = Grouping("part", tuple("abcdefgh"[: len(sizes)]), np.repeat(np.arange(len(sizes)), sizes))
    options = {"positive": 1, "threshold": None, "seed": 0} | more
    return break_down(family, metric, truth, prediction, grouping, **options).groups


class TestScores:
    def test_a_bad_group_is_found_and_a_small_one_is_not_judged(self) -> None:
        parts = [two_classes(200, 0.1, 0), two_classes(60, 0.5, 1), two_classes(20, 1.0, 2)]
        truth, prediction = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        good, bad, small = broken_down("accuracy", truth, prediction, [200, 60, 20])
        assert (good.worse, bad.worse, small.worse) == (False, True, False)
        assert (good.enough, bad.enough, small.enough) == (True, True, False)
        assert small.score == 0.0
        assert bad.score is not None
        assert bad.interval is not None
        assert bad.interval[0] <= bad.score <= bad.interval[1] < 0.8

    def test_rates_follow_the_threshold_that_ships(self) -> None:
        truth, chance = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.35, 0.1])
        prediction = np.stack([1 - chance, chance], axis=1)
        (strict,) = broken_down("f1", truth, prediction, [4])
        (lax,) = broken_down("f1", truth, prediction, [4], threshold=0.3)
        assert (strict.predicted_positive, strict.recall, strict.false_positive_rate) == (0.25, 0.5, 0.0)
        assert (lax.predicted_positive, lax.recall, lax.false_positive_rate) == (0.75, 1.0, 0.5)
        (turned,) = broken_down("f1", truth, prediction, [4], positive=0)
        assert (turned.recall, turned.false_positive_rate) == (1.0, 0.5)

    def test_where_a_metric_says_nothing_there_is_no_score(self) -> None:
        truth, prediction = two_classes(80, 0.1, 0)
        order = np.argsort(truth, kind="stable")  # the first group is of one class
        truth, prediction = truth[order], prediction[order]
        one, other = broken_down("roc_auc", truth, prediction, [40, 40])
        assert (one.score, one.interval, one.worse, one.recall) == (None, None, False, None)
        assert one.false_positive_rate is not None
        assert other.false_positive_rate is None
        assert all(group.score is not None for group in broken_down("accuracy", truth, prediction, [40, 40]))
        assert all(group.score is None for group in broken_down("precision@20", truth, prediction, [40, 40]))

    def test_of_errors_the_larger_ones_are_worse(self) -> None:
        random = np.random.default_rng(0)
        truth = random.normal(0, 10, 240)
        near, far = broken_down("rmse", truth, truth + random.normal(0, np.repeat([1, 5], [200, 40])), [200, 40])
        assert (near.worse, far.worse) == (False, True)
        assert near.recall is near.predicted_positive is None


PEOPLE = table("people", labels("region", "north", "south"), labels("gender", "female", "male"), whole("age", 60),
               labels("age_group", "young", "old"), labels("store", "A", "B"), numbers("income"),
               flag("churn"))  # fmt: skip


def understood(words: str, peek: Any = PEOPLE, **given: Any) -> TaskSpec:
    task = understand(Request(words=words, data=("x.csv",), **given), seeing(peek))
    assert isinstance(task, TaskSpec), task
    return task


class TestWords:
    @pytest.mark.parametrize(
        ("words", "by"),
        [
            ("Predict churn. Show the scores for each region.", ("region",)),
            ("Which customers will leave? Show the scores for each region.", ("region",)),
            ("Predict churn. Is it fair across gender?", ("gender",)),
            ("Predict churn, with accuracy by age group", ("age_group",)),
            ("Predict churn and break the results down by store", ("store",)),
            ("Predict churn, report recall per region, gender and store.", ("region", "gender", "store")),
            ("Predict churn, accuracy at least 0.8 in every region", ("region",)),
            ("Predict churn. Is the model biased against gender?", ("gender",)),
            ("Predict churn for each region", ()),
            ("Predict churn by region and store", ()),
            ("Predict churn from age, grouped by store", ()),
        ],
    )
    def test_the_words_say_what_scores_are_told_apart_by(self, words: str, by: tuple[str, ...]) -> None:
        task = understood(words)
        assert (task.target, task.by) == ("churn", by)
        assert [inference.value for inference in task.inferences if inference.field == "by"] == list(by)

    def test_a_column_may_be_ignored_and_told_apart_by(self) -> None:
        task = understood("Predict churn. Don't use gender, but show whether the model is fair by gender.")
        assert (task.ignore, task.by) == (("gender",), ("gender",))
        task = understood("Predict churn", ignore=("gender",), by=("GENDER", "age", "gender"))
        assert (task.ignore, task.by) == (("gender",), ("gender", "age"))

    def test_a_score_that_is_to_be_predicted_is_no_score_of_a_model(self) -> None:
        exams = table("exams", labels("school", "A", "B"), whole("hours", 40), whole("exam_score", 80))
        assert understood("Predict the exam score for each school", exams, target="exam_score").by == ()
        assert understood("Predict exam score. Errors by school, please.", exams).by == ("school",)

    def test_a_column_that_is_not_there_or_the_target_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"no column 'regoin'.*\(by\)"):
            understood("Predict churn", by=("regoin",))
        with pytest.raises(InputError, match="both target and by"):
            understood("Predict churn", target="churn", by=("churn",))

    def test_a_family_that_cannot_refuses_before_any_work(self, tmp_path: Path) -> None:
        days = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
        sales = pd.DataFrame({"date": days, "store": "A", "sales": np.arange(60.0) % 37})
        sales.to_csv(tmp_path / "sales.csv", index=False)
        request = Request(words="Forecast sales. Show MAE by store.", data=(str(tmp_path / "sales.csv"),),
                          options={"horizon": 7})  # fmt: skip
        task = understand(request, families())
        assert isinstance(task, TaskSpec)
        assert (task.family, task.by) == ("forecasting", ())
        assert any("Scores by 'store' are not shown" in warning for warning in task.warnings)
        with pytest.raises(InputError, match=r"told apart by 'store' \(--by\) in time-series"):
            understand(request.model_copy(update={"by": ("store",)}), families())

    def test_the_option_may_be_given_again(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("x\n1\n")
        args = make_parser().parse_args(["run", "w", "--data", str(tmp_path / "a.csv"), "--by", "a", "b", "--by", "c"])
        assert fresh_manifest(args).request.by == ("a", "b", "c")


GRADE = Grade(
    metric="accuracy", score=0.8, interval=(0.75, 0.85), baseline=0.5, rows=360,
    subgroups=(Breakdown(column="re<b>gion", groups=(
        Subgroup(name="north", rows=200, enough=True, score=0.9, interval=(0.85, 0.94), predicted_positive=0.3,
                 recall=0.8, false_positive_rate=0.1),
        Subgroup(name="<i>south</i>", rows=150, enough=True, score=0.66, interval=(0.6, 0.72), worse=True,
                 predicted_positive=0.5, recall=0.7, false_positive_rate=0.3),
        Subgroup(name="(missing)", rows=10, enough=False, score=0.4, interval=(0.1, 0.7), predicted_positive=0.4),
    )),),
)  # fmt: skip


PROFILE = DataProfile(family="", fingerprint="", data="", rows_train=9, rows_test=360, columns=2, kinds={})


class TestTelling:
    def test_what_is_clearly_worse_is_said(self) -> None:
        limit = Constraint(measure="accuracy", comparison=">=", value=0.7)
        worse, missing = weak_groups(GRADE, TaskSpec(words="", constraints=(limit,)))
        assert "'<i>south</i>' is worse than the whole: accuracy 0.66 (95 % interval 0.6 to 0.72)" in worse
        assert missing.endswith("these groups do not reach it: '<i>south</i>' (0.66).")

    def test_a_language_model_is_not_told_the_values_of_a_column(self) -> None:
        task = TaskSpec(words="")
        result = Report(status="delivered", warnings=("Small data.", *weak_groups(GRADE, task)))
        solution = Solution(id="s", members=(), metric="accuracy", score=0.8, folder="")
        state: Any = {"task": task, "solution": solution, "profile": PROFILE, "grade": GRADE}
        assert len(result.warnings) == 2
        assert _facts(state, result)["warnings"] == ["Small data."]

    def test_the_terminal_and_the_card_show_it(self) -> None:
        lines = group_lines(GRADE.subgroups)
        assert lines[1].split() == ["north", "0.9", "(0.85", "to", "0.94),", "200", "rows"]
        assert lines[3].endswith("10 rows  too small to judge")
        assert "recall 70 % (<i>south</i>) to 80 % (north)" in rate_spans(GRADE.subgroups[0])
        card = model_card(TaskSpec(words="w"), PROFILE, (), metric="accuracy", validation=0.8, grade=GRADE)
        assert "### By re\\<b\\>gion" in card
        assert "| \\<i\\>south\\</i\\> | 150 | 0.66 | 0.6 to 0.72 | 50 % | 70 % | 30 % | worse |" in card


def test_a_run_shows_the_scores_of_a_column_that_no_model_saw(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = shop(600).assign(gender=random.choice(["f", "m"], 600))
    coin = random.choice(["yes", "no"], 600)
    frame["churn"] = np.where(frame["gender"] == "f", np.where(frame["income"] > 3000, "yes", "no"), coin)
    frame.to_csv(tmp_path / "shop.csv", index=False)
    request = Request(words="Predict churn. Accuracy by city.", data=(str(tmp_path / "shop.csv"),), ignore=("gender",),
                      by=("gender",))  # fmt: skip
    settings = Settings(budget=600, trials=2, plans=1, cpus=1, max_revisions=0, home=str(tmp_path / "home"),
                        out=str(tmp_path / "out"))  # fmt: skip
    report = build_graph().invoke({"request": request}, context=settings)["report"]
    by_gender, by_city = report.subgroups
    assert [by_gender.column, by_city.column] == ["gender", "city"]
    f, m = sorted(by_gender.groups, key=lambda group: group.name)
    assert f.rows + m.rows == sum(group.rows for group in by_city.groups) == 120
    assert not f.worse
    assert m.worse
    assert any("'m' is worse than the whole" in warning for warning in report.warnings)
    measured = json.loads((tmp_path / "out/bundle/metrics.json").read_text())
    assert measured["subgroups"] == [breakdown.model_dump(mode="json") for breakdown in report.subgroups]
    assert json.loads((tmp_path / "out/result.json").read_text())["subgroups"] == measured["subgroups"]
    assert "'m' is worse than the whole" in (tmp_path / "out/report.html").read_text().replace("&#39;", "'")
    assert "gender" not in (tmp_path / "out/bundle/schema.json").read_text().replace('"name": "gender"', "", 1)
