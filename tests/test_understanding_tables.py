"""Requests in the words of people who know no machine learning, on the columns of well-known public tables."""

from __future__ import annotations

import pytest

from automl_agent.agents.understanding.prompt import understand
from automl_agent.errors import InputError
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.words.text import shortened
from word_tables import families, flag, labels, numbers, table, whole

PUBLIC = {
    "attrition": table("attrition", whole("Age", 43), flag("Attrition"), labels("Department", "Sales", "Research"),
                       labels("EnvironmentSatisfaction", "Low", "High", "Very_High"),
                       labels("JobSatisfaction", "Low", "High", "Very_High"), whole("MonthlyIncome", 1300),
                       flag("OverTime"), whole("YearsAtCompany", 37), whole("YearsWithCurrManager", 18)),
    "credit": table("credit", labels("Status", "good", "bad"), whole("Seniority", 47),
                    labels("Home", "owner", "rent", "parents"), whole("Time", 11),
                    labels("Marital", "married", "single", "widow"), whole("Income", 350), whole("Price", 900)),
    "ames": table("ames", labels("Neighborhood", "North_Ames", "Old_Town", "Edwards"), whole("Lot_Area", 800),
                  whole("Year_Built", 110), whole("Mo_Sold", 12), whole("Year_Sold", 5), whole("Sale_Price", 900),
                  numbers("Longitude"), numbers("Latitude")),
    "concrete": table("concrete", numbers("cement"), numbers("water"), whole("age", 14),
                      numbers("compressive_strength")),
    "diamonds": table("diamonds", numbers("carat"), labels("cut", "Ideal", "Good", "Fair"),
                      labels("color", "G", "E", "D"), labels("clarity", "SI1", "VS2"), numbers("depth"),
                      numbers("table"), whole("price", 1500), numbers("x"), numbers("y"), numbers("z")),
    "mpg": table("mpg", labels("manufacturer", "dodge", "toyota", "ford"), labels("model", "civic", "corolla", "jetta"),
                 numbers("displ", 35), labels("drv", "4", "f", "r"), whole("cty", 21), whole("hwy", 27),
                 labels("fl", "r", "p", "e"), labels("class", "suv", "compact", "pickup"), rows=234),
    "penguins": table("penguins", labels("species", "Adelie", "Gentoo", "Chinstrap"),
                      labels("island", "Biscoe", "Dream", "Torgersen"), numbers("bill_length_mm", 164),
                      whole("flipper_length_mm", 55), whole("body_mass_g", 94), labels("sex", "female", "male"),
                      whole("year", 3), rows=344),
    "titanic": table("titanic", flag("survived", "no", "yes"), labels("sex", "male", "female"), numbers("age", 98),
                     labels("passengerClass", "1st", "2nd", "3rd")),
    "phone": table("phone", labels("state", "WV", "MN", "NY"), whole("account_length", 200),
                   flag("international_plan", "no", "yes"), numbers("total_day_minutes"),
                   whole("number_customer_service_calls", 8), flag("churn", "no", "yes")),
    "homes": table("homes", labels("city", "ELK_GROVE", "ROSEVILLE", "GALT"), whole("beds", 8), whole("sqft", 700),
                   labels("type", "Residential", "Condo"), whole("price", 600)),
    "leaves": table("leaves", labels("species", "aceraceae", "ginkgo", "pinus"), numbers("elongation"),
                    numbers("entropy"), numbers("correlation")),
    "shop": table("shop", whole("age", 50), numbers("income"), labels("city", "Bern", "Oslo", "Rome")),
}  # fmt: skip

SENTENCES = [
    # table, words, target, positive class, metric, requirements
    ("attrition", "Which employees will leave the company?", "Attrition", "Yes", "f1", ()),
    ("attrition", "Who is going to quit? AUC at least 0.8 please, and the answer should come in under 10 milliseconds.",
     "Attrition", "Yes", "roc_auc", ("roc_auc >= 0.8", "latency_ms < 10")),
    ("attrition", "Estimate the monthly income of a staff member, mean absolute error below 800.",
     "MonthlyIncome", None, "mae", ("mae < 800",)),
    ("attrition", "flag staff at risk of resigning; F-score of 50 percent or more", "Attrition", "Yes", "f1",
     ("f1 >= 0.5",)),
    ("attrition", "Predict overtime with recall of at least 70% and no neural networks", "OverTime", "Yes", "recall",
     ("recall >= 0.7", "model_family not in neural network")),
    ("credit", "Which applicants are a bad credit risk?", "Status", "bad", "f1", ()),
    ("credit", "Build a scorecard that tells good from bad borrowers, Gini isn't needed, AUC is.",
     "Status", "bad", "roc_auc", ()),
    ("credit", "Will a loan default? Log loss matters because we price on probabilities.",
     "Status", "bad", "log_loss", ()),
    ("ames", "What will a house sell for? MAPE under 10 %.", "Sale_Price", None, "mape", ("mape < 0.1",)),
    ("ames", "What does a house go for?", "Sale_Price", None, "rmse", ()),
    ("ames", "Predict the year sold", "Year_Sold", None, None, ()),
    ("ames", "Guess the neighbourhood a house is in", "Neighborhood", None, "accuracy", ()),
    ("ames", "House prices. Model must be smaller than 5 MB and train in under a minute.", "Sale_Price", None, "rmse",
     ("size_mb < 5", "train_seconds < 60")),
    ("concrete", "Estimate compressive strength of concrete from its recipe, R squared at least 0.9",
     "compressive_strength", None, "r2", ("r2 >= 0.9",)),
    ("concrete", "How strong will the mix be after curing? Median absolute error.", "compressive_strength", None,
     "median_ae", ()),
    ("diamonds", "Quality of the cut of a stone", "cut", None, "accuracy", ()),
    ("diamonds", "I want to determine the colour grade of a diamond, accuracy >= 60%", "color", None, "accuracy",
     ("accuracy >= 0.6",)),
    ("diamonds", "Combien coûte un diamant ?", "price", None, "rmse", ()),
    ("mpg", "How many miles per gallon on the highway?", "hwy", None, "rmse", ()),
    ("mpg", "predict city mileage, ignoring hwy", "cty", None, "rmse", ()),
    ("mpg", "Which class of car is it?", "class", None, "accuracy", ()),
    ("penguins", "Tell penguin species apart by their measurements", "species", None, "accuracy", ()),
    ("penguins", "Is a penguin male or female? Precision counts.", "sex", None, "precision", ()),
    ("penguins", "how heavy is a penguin", "body_mass_g", None, "rmse", ()),
    ("penguins", "Predict the flipper length to within a few millimetres (MAE)", "flipper_length_mm", None, "mae", ()),
    ("titanic", "Who survived the Titanic?", "survived", "yes", None, ()),
    ("titanic", "Predict whether a passenger dies", "survived", "no", None, ()),
    ("titanic", "Predict the passenger class", "passengerClass", None, "accuracy", ()),
    ("phone", "Find customers who are about to cancel. F1 >= 0.8, at most 3 ms, group by state", "churn", "yes", "f1",
     ("f1 >= 0.8", "latency_ms <= 3")),
    ("phone", "Who churns, with at most 5% mistakes?", "churn", "yes", "accuracy", ("accuracy >= 0.95",)),
    ("homes", "Predict the price of homes with at most 15% error", "price", None, "mape", ("mape <= 0.15",)),
    ("homes", "Predict the price of homes, within 20% of the true price", "price", None, "mape", ("mape <= 0.2",)),
    ("homes", "What is a home worth? I want the mean absolute error to be small, not the median one.", "price", None,
     "mae", ()),
    ("concrete", "Predict strength by the simple recipe, use a simple model", "compressive_strength", None, "rmse",
     ("model_family in simple",)),
    ("leaves", "Identify the plant a leaf comes from", "species", None, "accuracy", ()),
]  # fmt: skip


def shown(task: TaskSpec) -> tuple[str, ...]:
    """The requirements, short."""
    values = [", ".join(c.value) if isinstance(c.value, tuple) else c.value for c in task.constraints]
    return tuple(
        f"{c.measure} {c.comparison} {v:g}" if isinstance(v, float) else f"{c.measure} {c.comparison} {v}"
        for c, v in zip(task.constraints, values, strict=True)
    )


def ask(name: str, words: str) -> TaskSpec | Question:
    return understand(Request(words=words, data=(f"{name}.csv",)), families(PUBLIC[name]))


@pytest.mark.parametrize(("name", "words", "target", "positive", "metric", "required"), SENTENCES)
def test_everyday_requests(
    name: str, words: str, target: str, positive: str | None, metric: str | None, required: tuple[str, ...]
) -> None:
    task = ask(name, words)
    assert isinstance(task, TaskSpec), task
    assert task.target == target
    assert positive in (None, task.positive)
    assert metric in (None, task.metric)
    assert shown(task) == required
    assert all(inference.reason.endswith((".", "'.")) for inference in task.inferences)


@pytest.mark.parametrize(
    ("name", "words", "choices"),
    [
        ("attrition", "I'd like to know how satisfied people are with their job.", ("JobSatisfaction",)),
        ("attrition", "Make something useful of this", ("Attrition", "MonthlyIncome")),
        ("phone", "Which customers walk away?", ("churn",)),
        ("shop", "Predict churn", ("city", "age", "income")),
        ("shop", "Who buys?", ("city", "age", "income")),
        ("mpg", "How much horsepower does it have?", ("cty", "hwy")),
    ],
)
def test_rather_a_question_than_a_guess(name: str, words: str, choices: tuple[str, ...]) -> None:
    question = ask(name, words)
    assert isinstance(question, Question), question
    assert question.field == "target"
    assert set(choices) <= set(question.choices)


def test_a_limit_of_nothing_in_particular_is_said_to_be_left_out() -> None:
    task = ask("phone", "Who churns? We can call at most 30% of them.")
    assert isinstance(task, TaskSpec)
    assert task.constraints == ()
    assert any("at most 30%" in warning and "which metric" in warning for warning in task.warnings)


def test_models_that_are_not_installed_are_named_once() -> None:
    from automl_agent.agents.allowed import allowed_candidates
    from automl_agent.records import DataProfile
    from automl_agent.tasks.registry import families as installed

    task = ask("diamonds", "Use a support vector machine to predict the price")
    assert isinstance(task, TaskSpec)
    profile = DataProfile(
        family="tabular_regression",
        fingerprint="",
        data="",
        rows_train=100,
        rows_test=20,
        columns=3,
        kinds={"number": 3},
    )
    with pytest.raises(InputError, match="'Use a support vector machine'") as caught:
        allowed_candidates(installed()["tabular_regression"], task, profile)
    assert str(caught.value).count("Use a support vector machine") == 1


@pytest.mark.parametrize(
    ("word", "part", "is_short"),
    [
        ("highway", "hwy", True),
        ("city", "cty", True),
        ("quantity", "qty", True),
        ("county", "cty", True),
        ("highway", "hgt", False),
        ("house", "hwy", False),
        ("cat", "cty", False),
        ("distance", "dis", False),
    ],
)
def test_names_without_vowels(word: str, part: str, is_short: bool) -> None:
    assert shortened(word, part) is is_short
