"""Requirements in plain words become typed numbers, or are refused when nothing can meet them."""

from __future__ import annotations

import pytest

from automl_agent.agents.understanding.constraints import read_constraints
from automl_agent.agents.understanding.deliverables import read_deliverables
from automl_agent.agents.understanding.models import read_models
from automl_agent.errors import InputError
from automl_agent.tasks.metrics import CLASSIFICATION, REGRESSION

METRICS = {**CLASSIFICATION, **REGRESSION}

STATED = [
    ("answers within 20 ms", "latency_ms <= 20"),
    ("latency under 5 milliseconds", "latency_ms < 5"),
    ("p95 latency < 10ms", "latency_ms < 10"),
    ("inference time of at most 2 ms", "latency_ms <= 2"),
    ("respond in less than half a second", "latency_ms < 500"),
    ("predicts in 0.1 s", "latency_ms <= 100"),
    ("5ms latency", "latency_ms <= 5"),
    ("less than 1 s per row", "latency_ms < 1000"),
    ("sub-10 ms predictions", "latency_ms < 10"),
    ("mindestens 90 % Genauigkeit und unter 5 ms", "accuracy >= 0.9", "latency_ms < 5"),
    ("at most 20 MB", "size_mb <= 20"),
    ("the model must not exceed 20 MB", "size_mb <= 20"),
    ("no larger than 1.5 GB", "size_mb <= 1500"),
    ("no more than 2 GB memory", "memory_mb <= 2000"),
    ("less than 500 MB of RAM", "memory_mb < 500"),
    ("within 30 minutes of training", "train_seconds <= 1800"),
    ("trained in under an hour", "train_seconds < 3600"),
    ("training at most 10 min, answers in 5 ms", "train_seconds <= 600", "latency_ms <= 5"),
    ("Train within 10 s, answers in under 1 s.", "train_seconds <= 10", "latency_ms < 1000"),
    ("AUC >= 0.9", "roc_auc >= 0.9"),
    ("AUC>=.9", "roc_auc >= 0.9"),
    ("F1 at least 0.6, an answer within 5 ms.", "f1 >= 0.6", "latency_ms <= 5"),
    ("F1 (macro) over 60 %", "f1_macro > 0.6"),
    ("accuracy of 93%", "accuracy >= 0.93"),
    ("accuracy 0.9999", "accuracy >= 0.9999"),
    ("accuracy 95", "accuracy >= 0.95"),
    ("at least 90 percent accurate", "accuracy >= 0.9"),
    ("better than 90 % accuracy", "accuracy > 0.9"),
    ("at least an F1 of 0.6", "f1 >= 0.6"),
    ("accuracy must not fall below 80 %", "accuracy >= 0.8"),
    ("RMSE below 500", "rmse < 500"),
    ("RMSE must stay under 1,000", "rmse < 1000"),
    ("an RMSE of 500 or better", "rmse <= 500"),
    ("an RMSE better than 2.5", "rmse < 2.5"),
    ("MAPE below 10 %", "mape < 0.1"),
    ("R2 > .8", "r2 > 0.8"),
    ("R² of at least 0,75", "r2 >= 0.75"),
    ("accuracy between 80% and 90%", "accuracy >= 0.8", "accuracy <= 0.9"),
    ("recall no less than 80 percent and precision of 0.5 or more", "recall >= 0.8", "precision >= 0.5"),
    ("0.9 AUC, at least 0.6 F1", "roc_auc >= 0.9", "f1 >= 0.6"),
    ("AUC 0.9 F1 0.6", "roc_auc >= 0.9", "f1 >= 0.6"),
    ("recall for survivors above 0.7", "recall > 0.7"),
    ("error rate below 5%", "accuracy > 0.95"),
    ("catch at least 80% of the churners", "recall >= 0.8"),
    ("Accuracy: 0.8, Latency: 5 ms, Size: 20 MB", "accuracy >= 0.8", "latency_ms <= 5", "size_mb <= 20"),
    ("use LightGBM", "model_family in lightgbm"),
    ("use LightGBM or CatBoost", "model_family in lightgbm,catboost"),
    ("only linear models", "model_family in linear"),
    ("with a random forest", "model_family in random forest"),
    ("a logistic regression is required", "model_family in linear"),
    ("no neural networks", "model_family not in neural network"),
    ("don't use random forests or neural nets", "model_family not in random forest,neural network"),
    ("without deep learning, please", "model_family not in neural network"),
]

UNSTATED = [
    "top 5 customers in 2024",
    "10 folds, seed 42, 1,000 rows",
    "Predict whether a delivery takes less than 30 minutes",
    "trips of more than 30 minutes",
    "data from the last 30 minutes",
    "since 2024-01-05 the price was above 300",
    "a 20 MB file",
    "maybe a random forest",
    "as accurate and fast as possible",
]

IMPOSSIBLE = [
    ("accuracy >= 1.1", "accuracy is always between 0 and 1"),
    ("accuracy of 120 %", "between 0 and 1"),
    ("accuracy above 1", "never above 1"),
    ("F1 at least 2", "between 0 and 1"),
    ("R2 at least 1.2", "at most 1"),
    ("RMSE below -3", "at least 0"),
    ("latency below -5 ms", "greater than 0"),
    ("answers within 0 ms", "greater than 0"),
    ("accuracy >= 0.9 and accuracy <= 0.5", "contradict"),
    ("AUC over .9 but AUC under .9", "contradict"),
    ("use LightGBM, no LightGBM", "contradict"),
]


def stated(words: str) -> list[str]:
    return [
        f"{c.measure} {c.comparison} {','.join(c.value) if isinstance(c.value, tuple) else format(c.value, 'g')}"
        for c in read_constraints(words, METRICS)[0]
    ]


@pytest.mark.parametrize("case", STATED, ids=lambda case: case[0])
def test_requirements_are_read(case):
    assert stated(case[0]) == list(case[1:])


@pytest.mark.parametrize("words", UNSTATED)
def test_other_numbers_are_no_requirements(words):
    assert stated(words) == []


@pytest.mark.parametrize(("words", "reason"), IMPOSSIBLE)
def test_what_nothing_can_meet_is_refused(words, reason):
    with pytest.raises(InputError, match=reason) as error:
        read_constraints(words, METRICS)
    assert "\n" not in str(error.value)


def test_units_and_the_users_own_phrase_are_kept():
    latency, train = read_constraints("An answer within 5 ms, within 2 hours of training", METRICS)[0]
    assert (latency.unit, latency.words) == ("ms", "within 5 ms")
    assert (train.unit, train.value, train.words) == ("s", 7200.0, "within 2 hours of training")


@pytest.mark.parametrize(
    "words", ["accuracy 95", "RMSE below 10 %", "at most 200 M parameters", "ready within 5 minutes"]
)
def test_a_guess_is_a_warning(words):
    assert len(read_constraints(words, METRICS)[1]) == 1


def test_models_that_are_only_mentioned_are_no_requirement():
    wishes = read_models("Compare LightGBM and knn, but no boosting; perhaps my_own_model", ["my_own_model"])
    assert wishes.mentioned == ("lightgbm", "nearest neighbours", "my own model")
    assert (wishes.required, wishes.excluded) == ((), ("gradient boosting",))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Give me a confusion matrix and a report", ("report", "confusion_matrix")),
        ("Which features matter? Plot the learning curve.", ("feature_importance", "learning_curve")),
        ("I want a REST API, ROC curves and residual plots", ("api", "roc_curve", "residuals")),
        ("write the predictions to a file", ("predictions",)),
        ("no report, please", ()),
        ("Predict churn", ()),
    ],
)
def test_artefacts_that_were_asked_for(words, names):
    assert read_deliverables(words) == names


@pytest.mark.parametrize("text", ["a", "1 ", "(", "accuracy ", "at least ", "within 5 ms ", "no ", "accuracy of the "])
def test_a_long_request_is_read_in_bounded_time(text):
    assert read_constraints(text * (8000 // len(text)), METRICS) is not None
