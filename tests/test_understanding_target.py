"""Sentences and tables: which family, column, class and metric are meant."""

from __future__ import annotations

import random
import string

import pytest

from automl_agent.agents.understanding.prompt import understand
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.words.positive import find_positive
from word_tables import TABLES, families, flag, labels, numbers, other, table

SENTENCES = [
    # named
    ("diamonds", "Predict the price of a diamond from carat, cut and color, ignoring x, y and z", "price", None),
    ("diamonds", "With carat as the only input, price is to be predicted.", "price", None),
    ("diamonds", "Use price as the target and build a random forest", "price", None),
    ("diamonds", "I have a table of diamonds. Based on their cut I would like to know the price.", "price", None),
    ("telco", "Predict `tenure`, not Churn", "tenure", None),
    ("diamonds", "Regression: price ~ carat + cut", "price", None),
    ("telco", "Given a customer's contract, how likely are they to churn?", "Churn", "Yes"),
    ("diamonds", "What cut does a diamond have?", "cut", None),
    ("telco", "Predict total charges using everything but monthly charges", "TotalCharges", None),
    ("telco", "predict the monthly charge of a customer; ignore total charges", "MonthlyCharges", None),
    ("telco", "Churn model for churn.csv, please", "Churn", "Yes"),
    ("titanic", "Predict the fare", "Fare", None),
    ("titanic", "Estimate Age", "Age", None),
    ("housing", "Estimate the median house value, RMSE below 50000", "median_house_value", None),
    ("housing", "Predict medianHouseValue. R2 > .8", "median_house_value", None),
    ("staff", "Predict attrition", "Attrition", "Yes"),
    ("iris", "Which species is it: setosa or virginica?", "species", None),
    ("plain", "The target is called 'target'.", "target", "1"),
    # renamed at will
    ("odd", "Predict qx_7 from the rest", "qx_7", None),
    ("odd", "predict zeta_12 grouped by uid", "Zeta 12", None),
    ("odd", "Classify blorp", "blorp", None),
    ("odd", "The target is kk.flag", "kk.flag", "1"),
    ("odd", "I'd like a model for 'VarName3'", "VarName3", None),
    ("odd", "var name 3 please", "VarName3", None),
    ("odd", "Using VarName3 and qx_7, blorp should be predicted", "blorp", None),
    ("odd", "Sag die größe (m²) vorher", "größe (m²)", None),
    # a slip of the pen
    ("wine", "predict qualty", "quality", None),
    ("odd", "Predict blrop", "blorp", None),
    ("cancer", "Predict the diagnosys", "diagnosis", "malignant"),
    # described by another form or word
    ("telco", "who churns", "Churn", "Yes"),
    ("telco", "Which customers will leave us?", "Churn", "Yes"),
    ("telco", "I want to know who cancels their contract", "Churn", "Yes"),
    ("staff", "Which employees quit?", "Attrition", "Yes"),
    ("staff", "who will leave the company", "Attrition", "Yes"),
    ("staff", "Estimate an employee's salary", "MonthlyIncome", None),
    ("titanic", "Will a passenger survive?", "Survived", "1"),
    ("titanic", "Predict survival on the Titanic", "Survived", "1"),
    ("titanic", "Who died?", "Survived", "0"),
    ("titanic", "How old was a passenger?", "Age", None),
    ("diamonds", "How much does a diamond cost? RMSE matters.", "price", None),
    ("diamonds", "Estimate what a stone is worth", "price", None),
    ("housing", "How much does a house cost?", "median_house_value", None),
    ("housing", "Predict house prices", "median_house_value", None),
    ("flights", "How late will a flight depart?", "dep_delay", None),
    ("flights", "Predict departure delay ordered by date", "dep_delay", None),
    ("iris", "What kind of flower is this?", "species", None),
    # meant by a value
    ("cancer", "Predict whether a tumour is malignant. Accuracy at least 0.93, answers within 20 ms.", "diagnosis",
     "malignant"),
    ("cancer", "Predict malignancy with accuracy 0.9999.", "diagnosis", "malignant"),
    ("cancer", "Is a tumor benign?", "diagnosis", "benign"),
    ("letters", "Predict whether a tumour is malignant.", "diagnosis", "M"),
    ("credit", "Which applicants are bad?", "status", "bad"),
    ("credit", "Will the applicant default?", "status", "bad"),
    ("iris", "classify irises into setosa, versicolor and virginica", "species", None),
    ("sms", "Detect spam", "label", "spam"),
    # last resorts
    ("plain", "Predict something.", "target", "1"),
    ("iris", "Classify the flowers", "species", None),
    # other languages
    ("telco", "Prédire quels clients vont partir (Churn)", "Churn", "Yes"),
    ("telco", "Predecir Churn con exactitud de al menos 80 %", "Churn", "Yes"),
    ("titanic", "Klassifiziere, ob Survived gilt", "Survived", "1"),
]  # fmt: skip

OPEN = [
    ("diamonds", "Predict something.", "target"),
    ("iris", "Predict.", "target"),
    ("telco", "Make a model for my data", "target"),
    ("telco", "Predict churn and tenure", "target"),
    ("shop", "Forecast sales for the next 14 days", "family"),
    ("shop", "Cluster the visitors of my stores", "family"),
    ("telco", "Find segments in my customers", "family"),
]


def ask(name: str, words: str, **given) -> TaskSpec | Question:
    return understand(Request(words=words, data=(f"{name}.csv",), **given), families(TABLES[name]))


def reasons(task: TaskSpec) -> dict[str, str]:
    return {inference.field: inference.reason for inference in task.inferences}


@pytest.mark.parametrize(("name", "words", "target", "positive"), SENTENCES)
def test_the_column_and_the_class_are_found_and_explained(name, words, target, positive):
    task = ask(name, words)
    assert isinstance(task, TaskSpec), task
    assert (task.target, task.positive) == (target, positive)
    assert {"family", "target", "metric"} <= {field for field, reason in reasons(task).items() if reason.endswith(".")}


@pytest.mark.parametrize(("name", "words", "field"), OPEN)
def test_too_little_said_asks_a_question_that_lists_the_candidates(name, words, field):
    question = ask(name, words)
    assert isinstance(question, Question), question
    assert question.field == field
    assert len(question.choices) >= 2
    assert all(choice in question.text or question.field == "target" for choice in question.choices)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "sentence",
    ["Predict {target} from the other columns.", "I need {target}; leave out {other}.",
     "Use {other} to predict {target}",
     "{target} is the target, ignore {other}", "Which {target} does a row have? Do not use {other}."],
)  # fmt: skip
def test_columns_renamed_at_random_are_found_by_their_names(seed, sentence):
    rng = random.Random(seed)
    styles = ("{a}_{b}", "{a}.{b}{n}", "{A}{B}", "{a} {b}", "{a}{n}", "{A}_{n}")

    def name(style: str) -> str:
        one, two = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 7))) for _ in "ab")
        return style.format(a=one, b=two, A=one.title(), B=two.title(), n=rng.randint(10, 99))

    names = [name(rng.choice(styles)) for _ in range(8)]
    columns = [numbers(each) for each in names[:5]] + [labels(each, "u", "v", "w") for each in names[5:]]
    peek = table("random", *rng.sample(columns, 8))
    target, unused = rng.sample(names, 2)
    words = sentence.format(target=target, other=unused)
    task = understand(Request(words=words, data=("random.csv",)), families(peek))
    assert isinstance(task, TaskSpec), (words, task)
    assert task.target == target
    assert (task.family == "tabular_classification") == (target in names[5:])
    assert task.ignore == ((unused,) if any(cue in words for cue in ("leave", "ignore", "not use")) else ())


@pytest.mark.parametrize(
    ("name", "words", "family", "metric"),
    [
        ("wine", "Predict the quality of a wine", "tabular_classification", "accuracy"),
        ("wine", "Predict wine quality. RMSE matters", "tabular_regression", "rmse"),
        ("wine", "Classify wine quality, accuracy over 60%", "tabular_classification", "accuracy"),
        ("wine", "How much quality has a wine?", "tabular_regression", "rmse"),
        ("letter", "Classify the letter by its class", "tabular_classification", "accuracy"),
        ("letter", "Predict class with a good macro F1", "tabular_classification", "f1_macro"),
        ("glass", "Predict type_code, optimise for kappa", "tabular_classification", "kappa"),
        ("titanic", "Predict Survived", "tabular_classification", "f1"),
        ("telco", "Predict tenure, not Churn", "tabular_regression", "rmse"),
        ("telco", "Predict churn, AUC is what matters, not accuracy", "tabular_classification", "roc_auc"),
        ("telco", "Predict churn; accuracy is misleading, use average precision", "tabular_classification",
         "average_precision"),
        ("telco", "Predict churn with high recall", "tabular_classification", "recall"),
        ("telco", "Predict churn with an error as small as possible", "tabular_classification", "f1"),
        ("telco", "Predict churn with an error rate below 10 %", "tabular_classification", "accuracy"),
        ("telco", "Predict churn by log-loss", "tabular_classification", "log_loss"),
        ("telco", "Predict churn. Area under the ROC curve above .8", "tabular_classification", "roc_auc"),
        ("diamonds", "Predict price with high precision", "tabular_regression", "rmse"),
        ("diamonds", "Predict price, mean absolute error please", "tabular_regression", "mae"),
        ("diamonds", "Predict price; R² counts", "tabular_regression", "r2"),
        ("diamonds", "Predict price minimising the root mean squared logarithmic error", "tabular_regression", "rmsle"),
    ],
)  # fmt: skip
def test_family_and_metric(name, words, family, metric):
    task = ask(name, words)
    assert isinstance(task, TaskSpec), task
    assert (task.family, task.metric) == (family, metric)
    assert task.higher_is_better == (metric not in ("rmse", "mae", "rmsle", "log_loss"))


def test_a_metric_column_is_no_metric_and_a_metric_no_column():
    peek = table("runs", numbers("recall"), numbers("f1"), flag("passed"))
    task = understand(Request(words="Predict passed. F1 at least 0.6", data=("r.csv",)), families(peek))
    assert isinstance(task, TaskSpec)
    assert (task.target, task.metric) == ("passed", "f1")


def test_order_group_and_unused_columns_said_in_words():
    task = ask("shop", "Predict sales, sorted by date, grouped by store, without using promo.")
    assert isinstance(task, TaskSpec)
    assert (task.time, task.group, task.ignore) == ("date", "store", ("promo",))
    assert {"time", "group", "ignore"} <= set(reasons(task))


@pytest.mark.parametrize(
    ("column", "words", "positive"),
    [
        (flag("Churn", "no", "yes"), "predict it", "yes"),
        (flag("ok", "True", "False"), "predict it", "True"),
        (labels("y", "0", "1"), "predict it", "1"),
        (labels("result", "not infected", "infected"), "predict it", "infected"),
        (labels("type", "benign", "malignant"), "predict it", "malignant"),
        (labels("colour", "red", "blue"), "predict it", "blue"),
        (labels("colour", "red", "blue"), "is it red?", "red"),
        (labels("code", "M", "B"), "is it malignant?", "M"),
        (flag("loyal", "Yes", "No"), "who leaves? (loyal)", "Yes"),
    ],
)
def test_the_positive_class(column, words, positive):
    found = find_positive(words, column)
    assert found is not None
    assert found[0] == positive
    assert found[1].endswith(".")


def test_more_than_two_classes_have_no_positive_one():
    assert find_positive("is it setosa?", TABLES["iris"].columns[-1]) is None
    assert find_positive("x", other("when", "date")) is None
