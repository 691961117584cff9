"""What the report advises follows from the facts that it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import report_fixture as fixture
from automl_agent.delivery.report.advice import advise, gain_per_doubling, nearest, required
from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.watch import watch
from automl_agent.records import ConstraintCheck, Finding, ServerCheck, Verdict


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    return fixture.classification(tmp_path_factory.mktemp("met"))


@pytest.fixture(scope="module")
def short_of_score(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    return fixture.classification(tmp_path_factory.mktemp("missed"), required=0.999)


def _checked(content: ReportContent, **check: Any) -> ReportContent:
    """The content with this one check, failed on validation and on the test."""
    one = Verdict(subject="solution", passed=False, checks=(ConstraintCheck(met=False, **check),))
    return replace(content, verdict=one, final_verdict=one)


def test_nothing_is_advised_when_everything_is_met(met: ReportContent) -> None:
    assert advise(met) == ()
    assert nearest(met) == ()
    assert required(met) == 0.93


def test_the_nearest_limit_is_one_that_both_measurements_keep(short_of_score: ReportContent) -> None:
    (sentence,) = nearest(short_of_score)
    assert "missed by 0.025" in sentence
    assert "0.9758 on validation and 0.9737 on the test" in sentence
    assert sentence.endswith("at least 0.9736.")


def test_a_limit_below_the_measurement_is_told_apart(met: ReportContent) -> None:
    content = _checked(met, measure="latency_ms", comparison="<=", value=5.0, unit="ms", measured=5.00004)
    assert "5.00004 ms on the test" in nearest(content)[0]
    assert nearest(content)[0].endswith("at most 5.001 ms.")


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([0.90, 0.93, 0.96, 0.98], "about 580 training rows would reach 0.999"),
        ([0.90, 0.97, 0.974, 0.976], "more than 16 times as many rows"),
        ([0.90, 0.97, 0.976, 0.975], "The learning curve is flat"),
    ],
)
def test_more_rows_are_advised_as_the_learning_curve_says(
    short_of_score: ReportContent, scores: list[float], told: str
) -> None:
    curve = tuple({"rows": rows, "score": score} for rows, score in zip((38, 75, 150, 300), scores, strict=True))
    assert told in " ".join(advise(replace(short_of_score, learning_curve=curve)))


def test_the_gain_counts_in_the_metrics_direction() -> None:
    assert gain_per_doubling([100, 200, 400], [10.0, 8.0, 6.0], fixture.RMSE) == pytest.approx(2.0)
    assert gain_per_doubling([100, 200, 400], [0.8, 0.85, 0.9], fixture.ACCURACY) == pytest.approx(0.05)
    assert gain_per_doubling([100, 200, 400], [0.8, 0.9, 0.9], fixture.ACCURACY) == 0.0


def test_a_regression_curve_that_falls_is_a_gain(tmp_path_factory: pytest.TempPathFactory) -> None:
    content = fixture.regression(tmp_path_factory.mktemp("regression"), required=53.5)
    told = " ".join(advise(content))
    assert "at most 64.6 is a level" in told
    assert "More rows would help" in told


def test_more_time_is_advised_only_while_the_score_still_improved(short_of_score: ReportContent) -> None:
    early = " ".join(advise(short_of_score))
    late = replace(short_of_score, progress=({"seconds": 3, "score": 0.9}, {"seconds": 49, "score": 0.97}))
    assert "more time alone is unlikely" in early
    assert "a larger --budget, 103 s say" in " ".join(advise(late))


def test_a_shortfall_within_chance_is_said_to_be_so(short_of_score: ReportContent) -> None:
    assert "may be chance" in " ".join(advise(short_of_score))
    sure = replace(short_of_score, grade=short_of_score.grade.model_copy(update={"interval": (0.96, 0.98)}))
    assert "may be chance" not in " ".join(advise(sure))


def test_a_slow_solution_is_answered_with_the_best_fast_enough_model(met: ReportContent) -> None:
    content = _checked(met, measure="latency_ms", comparison="<=", value=2.0, unit="ms", measured=2.31)
    assert "A single linear with quantile_scale keeps at most 2 ms: 0.4 ms" in " ".join(advise(content))
    content = _checked(met, measure="latency_ms", comparison="<=", value=0.1, unit="ms", measured=2.31)
    assert "No model of this run keeps at most 0.1 ms; the nearest is linear" in " ".join(advise(content))


def test_another_metric_is_answered_with_the_option_that_optimises_it(met: ReportContent) -> None:
    content = _checked(met, measure="recall", comparison=">=", value=0.99, measured=0.95)
    assert "--metric recall" in " ".join(advise(content))


def test_a_model_family_outside_what_was_allowed_is_named(met: ReportContent) -> None:
    content = _checked(met, measure="model_family", comparison="in", value=("linear",), measured=("linear", "lightgbm"))
    assert advise(content) == ("Outside what was allowed: lightgbm. Allow it, or give the allowed ones more --budget.",)


def test_the_class_that_collects_the_mistakes_is_named(short_of_score: ReportContent, tmp_path: Any) -> None:
    truth = np.array([0] * 80 + [1] * 20)
    scores = np.zeros((100, 2))
    scores[np.arange(100), truth] = 1.0
    scores[80:92] = [1.0, 0.0]
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "scores.npy", scores)
    told = " ".join(advise(replace(short_of_score, grade_folder=tmp_path)))
    assert "12 of the 12 mistakes on the test are rows of class 'malignant', which has 170 training rows" in told


def test_a_clean_run_has_only_its_own_warnings_to_watch(met: ReportContent) -> None:
    assert watch(met) == met.warnings


def test_watch_names_what_deserves_a_second_look(met: ReportContent) -> None:
    finding = Finding(kind="leak", columns=("outcome_code",), text="It predicts the target alone.", action="dropped")
    content = replace(
        met,
        profile=met.profile.model_copy(update={"findings": (finding,)}),
        grade=met.grade.model_copy(update={"interval": (0.92, 0.99), "reads": 3}),
        importance=tuple({"column": name, "mean": mean} for name, mean in (("a", 0.5), ("b", 0.01), ("c", 0.0))),
        bundle=met.bundle.model_copy(update={"server": ServerCheck(ok=False, text="port taken")}),
    )  # fmt: skip
    told = watch(content)
    assert any("contains the limit of 0.93" in one and one.endswith("may be missed.") for one in told)
    assert any("read 3 times" in one for one in told)
    assert "Leak (outcome_code): It predicts the target alone. What was done: dropped." in told
    assert any(one.startswith("'a' alone carries 98 %") for one in told)
    assert "The bundle's server did not pass its check: port taken" in told


def test_watch_compares_with_baseline_and_validation(met: ReportContent) -> None:
    weak = replace(met, grade=met.grade.model_copy(update={"score": 0.6, "interval": (0.5, 0.7)}))
    told = " ".join(watch(weak))
    assert "no better than the trivial baseline" in told
    assert "kinder than the test" in told
    unsure = replace(met, grade=met.grade.model_copy(update={"interval": (0.6, 0.99)}))
    assert "reaches the baseline" in " ".join(watch(unsure))


def test_thin_classes_and_wrong_coverage_are_told(met: ReportContent, tmp_path: Any) -> None:
    np.save(tmp_path / "target.npy", np.array([0] * 90 + [1] * 7))
    content = replace(met, data=tmp_path, grade=met.grade.model_copy(update={"coverage": 0.7}))
    told = " ".join(watch(content))
    assert "Few training rows: 'malignant' (7)" in told
    assert "held 70 % of the test targets" in told


def test_plans_that_had_no_time_are_named(met: ReportContent) -> None:
    first, *others = met.plans
    stopped = {"score": None, "error": "cancelled: The job was cancelled."}
    late = [one.model_copy(update=stopped) if one.plan == first.id else one for one in met.trials]
    told = [one for one in watch(replace(met, trials=tuple(late))) if "--budget" in one]
    assert len(told) == 1 and f"“{first.title}”" in told[0]
    assert not any(plan.title in told[0] for plan in others)
