"""A finished run varied by a few words: what is taken over, what changes, what stays locked, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from automl_agent.agents.understanding.prompt import read, understand
from automl_agent.agents.understanding.varying import look_again, varied
from automl_agent.delivery.summary import requirement, summarize
from automl_agent.errors import InputError
from automl_agent.execution.finished import FinishedRun, checksums, find_finished, taken_over, write_finished
from automl_agent.execution.runs import RunManifest, write_manifest
from automl_agent.records import (
    DataProfile,
    Earlier,
    Grade,
    Member,
    Question,
    Report,
    Request,
    Solution,
    TaskSpec,
    Verdict,
)
from automl_agent.settings import Settings
from automl_agent.tasks.family import LOCKED, TEST_ROWS
from automl_agent.tasks.registry import get_family
from automl_agent.verifiers.constraints import check_constraints
from automl_agent.verifiers.solution import verify_grade
from standin_graph import HOME, start
from table_cases import acquired, shop
from word_tables import TABLES, families

WORDS = "Predict which customers churn. F1 at least 0.6, an answer within 50 ms, without gender."
SOLUTION = Solution(
    id="s", members=(Member(trial="t", candidate="linear", weight=1.0, folds=(0,)),), metric="f1", score=0.7,
    latency_ms=8.0, size_mb=1.5, train_seconds=3.0, folder="a/solution",
)  # fmt: skip
GRADE = Grade(metric="f1", score=0.68, interval=(0.6, 0.7), baseline=0.4, rows=200)


def finished(name: str = "telco", words: str = WORDS, run_id: str = "first", **more: object) -> FinishedRun:
    """A run on one of the tables of words, as its report leaves it."""
    request = Request(words=words, data=(f"{name}.csv",), seed=7, budget=30.0, trials=5)
    task = understand(request, families(TABLES[name]))
    assert isinstance(task, TaskSpec)
    return FinishedRun.model_validate(
        {"run_id": run_id, "request": request, "task": task, "solution": SOLUTION, "grade": GRADE, **more}
    )


def vary(words: str, earlier: FinishedRun | None = None, name: str = "telco", **given: object) -> TaskSpec:
    earlier = earlier or finished()
    fields = {"words": words, "based_on": earlier.run_id, "data": (f"{name}.csv",), **given}
    request = Request.model_validate(fields)
    look = look_again(request, earlier, families(TABLES[name]))
    assert not isinstance(look, Question)
    now = read(look)
    assert isinstance(now, TaskSpec)
    return varied(look, now, request, earlier)


def limits(task: TaskSpec) -> set[str]:
    return {requirement(each) for each in task.constraints}


class TestWords:
    def test_all_that_is_not_spoken_of_is_taken_over(self):
        task = vary("without tenure")
        assert (task.target, task.positive, task.metric, task.based_on) == ("Churn", "Yes", "f1", "first")
        assert task.ignore == ("gender", "tenure")
        assert limits(task) == {"f1 at least 0.6", "latency of one row at most 50 ms"}
        assert task.changes == ("without column tenure",)
        assert task.words == f"{WORDS}\nwithout tenure"

    @pytest.mark.parametrize(
        ("words", "limit"),
        [
            ("smaller", "size at most 0.75 MB"),
            ("please make it 3 times smaller", "size at most 0.5 MB"),
            ("20 % smaller", "size at most 1.2 MB"),
            ("smaller than 2 MB", "size below 2 MB"),
            ("faster", "latency of one row at most 4 ms"),
            ("twice as fast", "latency of one row at most 4 ms"),
            ("faster to train", "training time at most 1.5 s"),
            ("an answer within 5 ms", "latency of one row at most 5 ms"),
            ("more accurate", "f1 above 0.7 on validation"),
            ("simpler", "model family only simple"),
            ("easier to explain", "model family only interpretable"),
            ("only linear models", "model family only linear"),
        ],
    )
    def test_a_comparison_is_a_limit_on_what_was_measured(self, words, limit):
        assert limit in limits(vary(words))

    def test_a_new_limit_takes_the_place_of_the_old_one_of_its_measure_only(self):
        task = vary("F1 at least 0.65 and faster")
        assert limits(task) == {"f1 at least 0.65", "latency of one row at most 4 ms"}
        assert task.changes == (
            "f1 at least 0.65 instead of f1 at least 0.6",
            "latency of one row at most 4 ms instead of latency of one row at most 50 ms",
        )

    def test_what_was_taken_for_a_comparison_is_said(self):
        reasons = {each.field: each.reason for each in vary("smaller, more accurate").inferences}
        assert reasons["size_mb"] == "The words say 'smaller': half of the 1.5 MB of run first."
        assert "reached 0.7 out of fold. Its score on the locked test sets no goal." in reasons["f1"]
        assert "taken over" in reasons["based_on"]

    def test_a_limit_on_another_metric_is_no_change_of_the_metric(self):
        assert vary("recall at least 0.8").metric == "f1"
        assert vary("by recall").metric == "recall"
        assert vary("smaller", metric="AUC").metric == "roc_auc"

    def test_model_families_are_allowed_again_and_ruled_out(self):
        first = finished(words=f"{WORDS} No catboost, no lightgbm.")
        assert "model family none of catboost, lightgbm" in limits(vary("smaller", first))
        assert limits(vary("only lightgbm", first)) >= {"model family not catboost", "model family only lightgbm"}

    def test_what_is_given_overrules_the_words_and_the_earlier_run(self):
        task = vary("without tenure", ignore=("Contract",), positive="No", target="churn")
        assert (task.ignore, task.positive) == (("gender", "Contract", "tenure"), "No")
        assert vary("use gender again").ignore == ()

    def test_weights_and_subgroups_are_taken_over_added_and_changed(self):
        task = vary("by f1", by=("gender",), weight="MonthlyCharges")
        assert (task.by, task.weight) == (("gender",), "MonthlyCharges")
        assert {"also apart by gender", "weight MonthlyCharges instead of none"} <= set(task.changes)
        before = FinishedRun.model_validate(finished().model_dump() | {"task": task, "run_id": "second"})
        again = vary("without tenure", before, by=("Contract",))
        assert (again.by, again.weight) == (("gender", "Contract"), "MonthlyCharges")
        assert again.changes == ("without column tenure", "also apart by Contract")

    def test_another_target_is_another_task(self):
        task = vary("", target="tenure")
        assert (task.family, task.metric, task.positive) == ("tabular_regression", "rmse", None)
        assert limits(task) == {"latency of one row at most 50 ms"}

    def test_a_variation_can_be_varied(self):
        second = finished(run_id="second").model_copy(update={"task": vary("without tenure, by recall")})
        task = vary("smaller", second)
        assert (task.ignore, task.metric, task.based_on) == (("gender", "tenure"), "recall", "second")
        assert task.changes == ("size at most 0.75 MB",)

    def test_options_are_taken_over_and_changed_by_words(self, tmp_path):
        shop(200).to_csv(tmp_path / "shop.csv", index=False)
        installed = {"tabular_clustering": get_family("tabular_clustering")}
        request = Request(words="Find 3 clusters of customers", data=(str(tmp_path / "shop.csv"),))
        task = understand(request, installed)
        assert isinstance(task, TaskSpec)
        first = finished(request=request, task=task)

        def options(words: str, **given: object) -> dict[str, object]:
            asked = request.model_copy(update={"words": words, "based_on": "first", **given})
            look = look_again(asked, first, installed)
            assert not isinstance(look, Question)
            now = read(look)
            assert isinstance(now, TaskSpec)
            return dict(varied(look, now, asked, first).options)

        assert options("without age") == {"clusters": 3}
        assert options("5 clusters, without age") == {"clusters": 5}
        assert options("5 clusters", options={"clusters": 4}) == {"clusters": 4}

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("without the column tenrue", "'without the column tenrue' names no column and no model. Columns: tenure"),
            ("purple elephants", "Nothing to change was understood in 'purple elephants'. Say, for example: 'smaller'"),
            ("now predict tenure", "'predict tenure' asks for another target than 'Churn'"),
            ("F1 at least 1.5", "is impossible"),
            ("300 % smaller", "nothing would be left"),
        ],
    )
    def test_what_cannot_be_is_refused(self, words, said):
        with pytest.raises(InputError, match=said.replace("(", r"\(")) as caught:
            vary(words)
        assert "\n" not in str(caught.value)

    def test_what_was_not_understood_beside_something_else_is_a_warning(self):
        assert vary("smaller, and purple").warnings == (
            "'purple' was not understood as a change, and changed nothing.",
        )

    def test_plans_alone_measure_nothing(self):
        with pytest.raises(InputError, match="run first made plans only"):
            vary("smaller", finished(solution=None, grade=None))


class TestFinding:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        write_finished(tmp_path / "home", finished(run_id="older"))
        write_finished(tmp_path / "home", finished())
        write_finished(tmp_path / "home", finished(run_id="planned", solution=None, grade=None))
        return tmp_path / "home"

    def test_by_id_by_folder_and_the_last_that_delivered(self, home, tmp_path):
        (tmp_path / "result.json").write_text(json.dumps({"run_id": "older"}))
        assert find_finished(home, "older").run_id == find_finished(home, str(tmp_path)).run_id == "older"
        assert find_finished(home, "last") == find_finished(home, "first")

    def test_what_is_no_finished_run_is_said(self, home, tmp_path):
        manifest = RunManifest(run_id="begun", created="2026", request=Request(), settings=Settings())
        write_manifest(home, manifest)
        with pytest.raises(InputError, match=r"Run begun has not finished\. Continue it with: .* --resume begun"):
            find_finished(home, "begun")
        (home / "runs" / "begun" / "result.json").write_text(json.dumps({"status": "refused", "reason": "No data."}))
        with pytest.raises(InputError, match="Run begun never got to a task: No data"):
            find_finished(home, "begun")
        with pytest.raises(InputError, match="There is no run 'begum'"):
            find_finished(home, "begum")
        with pytest.raises(InputError, match=r"holds no result of a run \(result.json\)"):
            find_finished(home, str(tmp_path))
        (tmp_path / "result.json").write_text(json.dumps({"run_id": "elsewhere"}))
        with pytest.raises(InputError, match=r"is not in .*home. Give the home that it was run in with --home"):
            find_finished(home, str(tmp_path))
        with pytest.raises(InputError, match="There is no finished run in"):
            find_finished(tmp_path / "nowhere", "last")

    def test_limits_and_seed_are_taken_over_where_nothing_is_given(self):
        request = taken_over(Request(words="smaller", based_on="last", trials=9), finished(), Settings(budget=77))
        assert (request.based_on, request.data, request.seed) == ("first", ("telco.csv",), 7)
        assert (request.trials, request.budget) == (9, None)

    def test_data_must_be_what_was_read(self, tmp_path):
        path = tmp_path / "shop.csv"
        shop().to_csv(path, index=False)
        request = Request(data=(str(path),))
        profile = DataProfile(family="f", fingerprint="f", data="d", rows_train=1, rows_test=1, columns=1, kinds={},
                              sources=dict(checksums(request)))  # fmt: skip
        run = finished().model_copy(update={"request": request, "profile": profile})
        assert taken_over(Request(), run, Settings()).data == request.data
        shop(61).to_csv(path, index=False)
        with pytest.raises(
            InputError, match=r"The data of run first were changed since: .*shop.csv. Give the data with"
        ):
            taken_over(Request(), run, Settings())
        path.unlink()
        with pytest.raises(InputError, match="are gone"):
            taken_over(Request(), run, Settings())
        assert taken_over(Request(data=("new.csv",)), run, Settings()).data == ("new.csv",)


class TestLockedRows:
    def test_they_stay_the_test_when_columns_are_left_out(self, tmp_path):
        first, folder, private = acquired(tmp_path, shop(200))
        rows = np.load(folder / TEST_ROWS)
        np.save(private / LOCKED, rows)
        again, _, _ = acquired(tmp_path, shop(200))
        assert again.fingerprint == first.fingerprint
        fewer, _, _ = acquired(tmp_path, shop(200), ignore=("age",), seed=3)
        assert set(np.load(folder / TEST_ROWS)) == set(rows)
        assert fewer.fingerprint != first.fingerprint
        (private / LOCKED).unlink()
        acquired(tmp_path, shop(200), ignore=("age",))
        assert set(np.load(folder / TEST_ROWS)) != set(rows)

    def test_they_give_way_to_groups_that_they_would_tear(self, tmp_path):
        _, folder, private = acquired(tmp_path, shop(200))
        np.save(private / LOCKED, np.load(folder / TEST_ROWS))
        frame = shop(200).assign(visit=np.arange(200) // 4)
        acquired(tmp_path, frame, group="visit")
        assert len(set(np.load(folder / "rows.npy") // 4) & set(np.load(folder / TEST_ROWS) // 4)) == 0


def test_a_wish_to_be_better_is_judged_on_validation_only():
    task = vary("more accurate")
    family = families(TABLES["telco"])["tabular_classification"]
    better = SOLUTION.model_copy(update={"score": 0.72})
    measured = {"f1": 0.72, "latency_ms": 8.0}
    before = Verdict(subject="solution", passed=True, checks=check_constraints(task.constraints, measured))
    assert verify_grade(task, family, better, GRADE, before).passed
    worse = check_constraints(task.constraints, {**measured, "f1": 0.69})
    lucky = GRADE.model_copy(update={"score": 0.9})
    assert not verify_grade(task, family, better, lucky, before.model_copy(update={"checks": worse})).passed


def test_the_summary_shows_both_runs_side_by_side():
    earlier = Earlier(
        run_id="first", words=WORDS, changes=("without column tenure",), metric="f1",
        measured={"test": (0.68, 0.66), "size_mb": (1.5, 0.7)}, same_test=False, trials=12, trials_reused=9,
    )  # fmt: skip
    text = summarize(Report(status="delivered", earlier=earlier))
    assert "Varies run first: without column tenure" in text
    assert "F1 on the locked test  0.68 before, 0.66 now" in text
    assert "1.5 MB before, 0.7 MB now" in text
    assert "9 of 12 trials had been trained by an earlier run; no time was spent on them." in text
    assert "different rows or targets: they do not compare" in text


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, place, monkeypatch):
        monkeypatch.delenv("AUTOML_AGENT_HOME")
        settings = Settings(budget=30, trials=5, seed=7, plans=2, retrieval=False)
        manifest = RunManifest(run_id="first", created="2020", request=Request(), settings=settings)
        write_manifest(Path(HOME), manifest)
        write_finished(Path(HOME), finished())

    def manifest(self, out: str) -> RunManifest:
        made = [path for path in Path(HOME, "runs").glob("*/manifest.json") if path.parent.name != "first"]
        (found,) = [RunManifest.model_validate_json(path.read_bytes()) for path in made]
        assert found.settings.out == str(Path(out).absolute())
        return found

    def test_settings_are_taken_over_and_options_overrule_them(self, capsys):
        assert start("--from", "last", "smaller", "--trials", "9", "--ignore", "tenure", "--out", "r") == 0
        made = self.manifest("r")
        assert (made.request.words, made.request.based_on) == ("smaller", "first")
        assert made.request.ignore == ("tenure",)
        settings = made.settings
        assert (settings.budget, settings.trials, settings.seed, settings.plans) == (30, 9, 7, 2)
        assert not settings.retrieval

    def test_words_may_be_left_out(self, capsys):
        assert start("--from", "first", "--ignore", "tenure", "--out", "r") == 0
        assert self.manifest("r").request.words == ""

    def test_a_run_that_goes_on_cannot_become_a_variation(self):
        with pytest.raises(InputError, match="--from cannot be given together with --resume"):
            start("--resume", "first", "--from", "last")

    def test_an_unknown_run_is_refused_before_anything_is_written(self):
        with pytest.raises(InputError, match=r"There is no run 'fist'.*There are: first"):
            start("--from", "fist", "smaller")
        assert [path.name for path in Path(HOME, "runs").iterdir()] == ["first"]
