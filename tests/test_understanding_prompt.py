"""The whole understanding: overrides, choice of family, what is refused, and what a task says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from automl_agent.agents.understanding.prompt import LONGEST, understand
from automl_agent.errors import InputError
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.family import Reading
from automl_agent.tasks.tabular_classification import FAMILY as CLASSIFICATION
from automl_agent.tasks.tabular_regression import FAMILY as REGRESSION
from word_tables import TABLES, Looking, families


def ask(name: str, words: str, **given) -> TaskSpec:
    task = understand(Request(words=words, data=(f"{name}.csv",), **given), families(TABLES[name]))
    assert isinstance(task, TaskSpec), task
    return task


def test_a_task_says_all_that_was_understood():
    words = (
        "Predict which customers churn. F1 at least 0.6, an answer within 5 ms."
        " No neural networks. Note that tenure lies."
    )
    task = ask("telco", words)
    assert (task.family, task.target, task.positive, task.metric) == ("tabular_classification", "Churn", "Yes", "f1")
    assert [c.measure for c in task.constraints] == ["f1", "latency_ms", "model_family"]
    assert task.dataset[0].model_dump() == {
        "name": "telco", "source": "upload", "location": "telco.csv", "modality": "table"}  # fmt: skip
    assert task.problem.domain == "telecommunications"
    assert task.user.intent == "Predict which customers churn"
    assert task.knowledge == ("Note that tenure lies.",)
    assert {inference.by for inference in task.inferences} == {"rules"}


def test_what_the_caller_gives_overrules_the_words():
    task = ask("telco", "who churns, by F1", target="Contract", metric="AUC", group="customerid", ignore=("gender",))
    assert (task.target, task.metric, task.group, task.ignore) == ("Contract", "roc_auc", "customerID", ("gender",))
    given = {inference.field for inference in task.inferences if inference.by == "user"}
    assert given == {"target", "metric", "group"}
    assert ask("telco", "who churns", positive="no").positive == "No"
    assert ask("wine", "predict quality", family="tabular_regression").metric == "rmse"
    assert ask("telco", "", target="tenure").family == "tabular_regression"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "Chrn"}, r"no column 'Chrn' in telco.csv \(target\). Nearest columns: Churn"),
        ({"group": "customer"}, r"no column 'customer' .* customerID"),
        ({"time": "zzz"}, r"no column 'zzz'"),
        ({"ignore": ("tenur",)}, r"no column 'tenur' .* tenure"),
        ({"target": "Churn", "ignore": ("Churn",)}, "cannot be both target and ignore"),
        ({"target": "Churn", "positive": "Maybe"}, "no value 'Maybe'.* No or Yes"),
        ({"metric": "beauty"}, "no metric 'beauty'.*accuracy, balanced_accuracy"),
        ({"metric": "rmse"}, "rmse is a metric of tabular regression, and this is tabular classification"),
        ({"family": "palmistry"}, "no task family 'palmistry'.*tabular_classification, tabular_regression"),
    ],
)
def test_overrides_that_do_not_exist_are_refused_with_what_does(given, message):
    with pytest.raises(InputError, match=message) as error:
        ask("telco", "Predict Churn", **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [("telco", "Predict Churn, RMSE below 3"), ("telco", "who churns? RMSE matters"),
     ("diamonds", "Predict price, AUC > .9"), ("diamonds", "Predict price with accuracy at least 0.9")],
)  # fmt: skip
def test_a_metric_of_another_family_is_refused(name, words):
    with pytest.raises(InputError, match="is a metric of tabular"):
        ask(name, words)


def test_without_data_there_is_a_question_and_without_a_reader_an_error():
    question = understand(Request(words="Predict churn"), families(None))
    assert isinstance(question, Question)
    assert question.field == "data"
    with pytest.raises(InputError, match=r"No task family can use notes.xyz"):
        understand(Request(words="Predict churn", data=("notes.xyz",)), families(None))


def test_a_table_is_looked_at_once_and_the_most_confident_family_is_taken():
    known = families(TABLES["telco"])

    class Sure(Looking):
        area = "something else"

        def interpret(self, request, peek):
            return Reading(0.99, "tenure", metric="mae")

    known["zz_sure"] = Sure("regression", TABLES["telco"])
    task = understand(Request(words="who churns", data=("telco.csv",)), known)
    assert isinstance(task, TaskSpec)
    assert (task.target, task.metric) == ("tenure", "mae")
    assert [len(family.looks) for family in known.values()] == [1, 0, 1]


def test_expertise_shows_in_the_terms():
    assert ask("telco", "who churns").user.expertise == "novice"
    assert ask("telco", "who churns? AUC").user.expertise == "practitioner"
    assert ask("telco", "churn: ROC AUC, 5 folds, calibrated").user.expertise == "expert"


def test_only_the_beginning_of_an_endless_request_is_read():
    task = ask("telco", "Predict Churn. " + "blah " * LONGEST)
    assert any("characters" in warning for warning in task.warnings)


def test_families_describe_themselves():
    for family in (CLASSIFICATION, REGRESSION):
        candidates = family.candidates()
        assert {family.baseline, *family.probe} <= set(candidates)
        assert all(set(blueprint.models) <= set(candidates) for blueprint in family.blueprints)
        assert all(step.text.endswith(".") for step in family.steps.values())
    assert set(CLASSIFICATION.steps) ^ set(REGRESSION.steps) == {"balance", "log_target"}


def test_understanding_loads_no_heavy_library():
    code = (
        "import sys, automl_agent.agents.understanding.prompt, automl_agent.tasks.tabular_regression as r;"
        "r.FAMILY.candidates(); print([m for m in ('numpy', 'pandas', 'sklearn', 'lightgbm') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
