"""Targets that are no plain classes: several labels in a cell, several columns at once, and classes with an order."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from automl_agent.agents.understanding.claims import Claim, Claims
from automl_agent.agents.understanding.looking import look_at
from automl_agent.agents.understanding.merging import merged
from automl_agent.agents.understanding.prompt import understand
from automl_agent.errors import InputError
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.decisions import usual_cuts
from automl_agent.tasks.measures import answers
from automl_agent.tasks.metrics import require_order
from automl_agent.tasks.tables.several import find_several
from automl_agent.tasks.words.scales import find_scale, given_order
from table_cases import acquired, schema, shop
from word_tables import families, flag, labels, numbers, table

GENRES = ("action", "comedy", "drama", "sci fi")


def cells(separator: str, *, most: int = 3, rows: int = 120) -> list[str]:
    draw = random.Random(0)
    return [separator.join(draw.sample(GENRES, draw.randint(1, most))) for _ in range(rows)]


# ---------------------------------------------------------------- several labels in a cell


@pytest.mark.parametrize("separator", [";", "|", ",", ", "])
def test_labels_that_are_combined_freely_are_seen(separator):
    found = find_several(Counter(cells(separator)))
    assert found is not None
    assert {label for label, _ in found.labels} == set(GENRES)
    assert found.separator == separator


def test_lists_as_text_are_seen():
    for quote in "\"'":
        found = find_several(Counter("[" + ", ".join(f"{quote}{part}{quote}" for part in cell.split(";")) + "]"
                                     for cell in cells(";")))  # fmt: skip
        assert found is not None
        assert dict(found.labels).keys() == set(GENRES)


ONE = {
    "names": [f"{last}, {first}" for last in ("Smith", "Brown", "Jones") for first in ("John", "Mary", "Ann")] * 9,
    "addresses": [f"{n} Main St, {town}" for n in range(60) for town in ("Dallas, TX", "Austin, TX", "Boise, ID")],
    "a separator in one label": ["Bachelor, Master"] * 40 + ["PhD"] * 60 + ["School"] * 30,
    "two facts": [f"{where}, {how}" for where in ("Urban", "Rural") for how in ("high", "low")] * 20,
    "answers": ["Yes, a lot"] * 40 + ["Yes, a little"] * 30 + ["No"] * 20,
    "ranges": ["[0, 10]"] * 40 + ["[10, 20]"] * 30 + ["[20, 30]"] * 20,
    "numbers": ["1,234"] * 10 + ["2,345"] * 10 + ["12"] * 30,
    "places": ["Paris, France"] * 20 + ["Lyon, France"] * 20 + ["Rome, Italy"] * 20 + ["France"] * 5,
    "a slip": [*["red"] * 60, *["blue"] * 60, *["green"] * 60, "red;blue", "green;blue"],
    "texts": [f"I liked part {n}, the rest was not for me, sorry" for n in range(60)],
}


@pytest.mark.parametrize("name", ONE)
def test_cells_with_one_label_are_left_alone(name):
    assert find_several(Counter(ONE[name])) is None


def test_a_target_of_several_labels_is_refused_unless_combinations_are_meant(tmp_path):
    data = shop(120).assign(churn=cells(";", most=2))
    with pytest.raises(InputError) as caught:
        acquired(tmp_path, data)
    message = f"{caught.value} {caught.value.hint}"
    assert "'churn' holds several labels" in message and "comedy (" in message
    assert "get_dummies(';')" in message and "--target" in message and "combinations=true" in message
    profile = acquired(tmp_path, data, options={"combinations": True})[0]
    assert {"drama", "action;comedy"} & set(profile.classes)


def test_lists_as_target_are_refused_with_their_labels(tmp_path):
    data = shop(120).assign(churn=[cell.split(";") for cell in cells(";")])
    data.to_json(tmp_path / "t.json", orient="records")
    with pytest.raises(InputError, match=r"several labels in .*\(as lists\): .*drama"):
        acquired(tmp_path, tmp_path / "t.json")


# ---------------------------------------------------------------- several columns

COMMENTS = table(
    "comments", numbers("length"), numbers("age"), flag("toxic", "0", "1"), flag("insult", "0", "1"),
    flag("threat", "0", "1"),
)  # fmt: skip


def ask(words: str, seen=COMMENTS, **given) -> TaskSpec | Question:
    return understand(Request(words=words, data=("t.csv",), **given), families(seen))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Predict toxic, insult and threat", {"toxic", "insult", "threat"}),
        ("Predict toxic, insult, threat from length", {"toxic", "insult", "threat"}),
        ("predict toxic and age", {"toxic", "age"}),
        ("Multi-label classification", {"toxic", "insult", "threat"}),
        ("predict all of these labels", {"toxic", "insult", "threat"}),
    ],
)
def test_several_columns_are_one_question_that_no_model_answers(words, names):
    question = ask(words)
    assert isinstance(question, Question)
    assert set(question.choices) == names
    assert all(f"--target {name}" in question.text for name in names)
    look = look_at(Request(words=words, data=("t.csv",)), families(COMMENTS))
    assert merged(look, question, Claims(target=Claim("toxic", words)), program=False) == question


@pytest.mark.parametrize(
    "words",
    ["Predict toxic, age and length are given", "Predict toxic from age and length", "Predict toxic, age matters"],
)
def test_columns_that_are_only_mentioned_are_no_targets(words):
    task = ask(words)
    assert isinstance(task, TaskSpec)
    assert task.target == "toxic"


def test_of_several_columns_the_others_are_left_out_once_one_is_chosen():
    task = ask("Predict toxic, insult and threat", target="insult")
    assert isinstance(task, TaskSpec)
    assert (task.target, set(task.ignore)) == ("insult", {"toxic", "threat"})


# ---------------------------------------------------------------- an order

ORDERED = [
    ("risk", ["high", "low", "medium"], ["low", "medium", "high"]),
    ("answer", ["Fair", "Excellent", "Poor", "Good"], ["Poor", "Fair", "Good", "Excellent"]),
    ("x", ["often", "never", "sometimes"], ["never", "sometimes", "often"]),
    ("size", ["XL", "S", "L", "M"], ["S", "M", "L", "XL"]),
    ("grade", ["B", "A-", "A", "C+"], ["A", "A-", "B", "C+"]),
    ("q7", ["Agree", "Neutral", "Strongly disagree"], ["Strongly disagree", "Neutral", "Agree"]),
    ("risk", ["low risk", "high risk", "mid risk"], ["low risk", "mid risk", "high risk"]),
    ("review", ["5 stars", "1 star", "2 stars"], ["1 star", "2 stars", "5 stars"]),
    ("rating", ["3", "10", "1", "2"], None),
    ("stars", ["3", "1", "2"], ["1", "2", "3"]),
]


@pytest.mark.parametrize(("name", "found", "order"), ORDERED)
def test_scales_are_recognised(name, found, order):
    scale = find_scale(found, name)
    assert (list(scale.labels) if scale else None) == order


@pytest.mark.parametrize(
    ("name", "found"),
    [("species", ["setosa", "virginica", "versicolor"]), ("digit", list("0123456789")), ("blood", ["A", "B", "AB"]),
     ("group", list("ABCD")), ("state", ["low", "high", "unknown"]), ("y", ["low", "high"])],
)  # fmt: skip
def test_other_classes_have_no_order(name, found):
    assert find_scale(found, name) is None


def test_qwk_is_the_metric_where_the_words_speak_of_an_order():
    seen = table("t", numbers("a"), labels("y", "bad", "so-so", "great"), labels("risk", "high", "low", "medium"),
                 numbers("n", 5), labels("star", "1", "2", "3", "4", "5"))  # fmt: skip
    for words, metric, order in (
        ("Predict y, bad < so-so < great", "qwk", "bad < so-so < great"),
        ("Predict star, a rating from 1 to 5", "qwk", "1 < 2 < 3 < 4 < 5"),
        ("Predict star, a rating from 1 to 5, by accuracy", "accuracy", "1 < 2 < 3 < 4 < 5"),
        ("Predict risk; quadratic weighted kappa above 0.6", "qwk", "low < medium < high"),
        ("Predict risk", "accuracy", "low < medium < high"),
        ("Predict y", "accuracy", None),
    ):
        task = ask(words, seen)
        assert isinstance(task, TaskSpec), words
        said = {inference.field: inference.value for inference in task.inferences}
        assert (task.metric, said.get("order")) == (metric, order), words


@pytest.mark.parametrize(
    "name", ["QWK", "quadratic kappa", "Quadratic weighted kappa", "quadratic weighted Cohen's kappa"]
)
def test_names_of_the_metric(name):
    task = ask("Predict toxic", metric=name)
    assert isinstance(task, TaskSpec)
    assert task.metric == "qwk"


def test_classes_stand_in_their_order(tmp_path):
    risk = np.random.default_rng(0).choice(["low", "medium", "high"], 60)
    profile, folder, _ = acquired(tmp_path, shop().assign(churn=risk))
    assert profile.classes == ("low", "medium", "high")
    assert profile.target["order"] == "low < medium < high"
    assert schema(folder)["ranked"]
    names = pd.Series(risk).map({"low": "ash", "medium": "oak", "high": "elm"}).to_numpy()
    given = acquired(tmp_path, shop().assign(churn=names), options={"order": "ash<oak<elm"})[0]
    assert given.classes == ("ash", "oak", "elm")
    require_order("qwk", given.classes, ranked="order" in given.target)
    with pytest.raises(InputError, match="that of these is not known: ash, oak, elm"):
        require_order("qwk", given.classes, ranked=False)


def test_an_order_names_each_class_once():
    for option, text in (
        ("low,high", "lacks 'mid'"),
        ("low,mid,high,top", "names 'top'"),
        ("low,mid,high,mid", "twice"),
    ):
        with pytest.raises(InputError, match=text):
            given_order(option, ["high", "low", "mid"], "risk")


def test_the_usual_cuts_answer_the_class_of_the_least_expected_squared_distance():
    raw = np.random.default_rng(0).dirichlet(np.ones(5), 300)
    costs = np.subtract.outer(np.arange(5), np.arange(5)) ** 2.0
    assert (answers(raw, 1, usual_cuts(5)) == (raw @ costs).argmin(axis=1)).all()
    assert answers(np.array([[0.5, 0.0, 0.5]]), 1, usual_cuts(3))[0] == 1
