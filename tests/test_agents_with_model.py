"""What the agents make of a model's answers: names that exist, measured numbers, the rules' own plan first."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.planner import Briefing, make_plans
from automl_agent.agents.privacy import Veil
from automl_agent.agents.with_model.coder import without_cells
from automl_agent.agents.with_model.planner import clipped, make_plans_with_model
from automl_agent.agents.with_model.reporter import summarised, unknown_numbers
from automl_agent.llm.client import Client
from automl_agent.llm.models import model_book
from automl_agent.records import DataProfile, Note, TaskSpec
from automl_agent.settings import Settings
from automl_agent.tasks.registry import get_family
from automl_agent.testing import ScriptedChatModel, faults

FAMILY = get_family("tabular_classification")
ALLOWED = ("lightgbm", "linear", "extra_trees")
PROFILE = DataProfile(
    family=FAMILY.name, fingerprint="f", data="d", rows_train=800, rows_test=200, columns=2, kinds={"number": 2}
)
PLAN = {"title": "A", "hypothesis": "h", "models": ["linear"]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "schema.json").write_text(
        '{"columns": [{"name": "age"}, {"name": "income"}], "dropped": [], "target": "bought"}'
    )
    return folder


def language_model(script: object, home: Path, **settings: object) -> LanguageModel:
    client = Client(
        model_book(script if isinstance(script, ScriptedChatModel) else ScriptedChatModel(script)),
        Settings(**settings),
        home=home,
        run_id="run",
        emit=lambda _: None,
        seconds_left=lambda: 60.0,
    )
    given = Settings(**settings)
    return LanguageModel(client, given.share_names, given.share_rows)


def planned(plans: object, data: Path, *, count: int = 3, **changes: object):
    model = language_model({"plans": plans} if isinstance(plans, list) else plans, data.parent / "home")
    given = {
        "task": TaskSpec(words="Who buys?", family=FAMILY.name, target="bought", metric="f1"),
        "profile": PROFILE,
        "family": FAMILY,
        "allowed": ALLOWED,
        "steps": tuple(FAMILY.steps),
        "notes": (),
        "count": count,
        "seed": 0,
        "data": data,
        "language_model": model,
    }
    brief = Briefing(**{**given, **changes})
    return make_plans_with_model(brief), make_plans(brief)


class TestPlans:
    def test_the_first_plan_stays_the_rules_own_and_tries_what_gave_way(self, data):
        (first, second, third), rules = planned([PLAN, {**PLAN, "models": ["extra_trees"]}], data)
        assert (first.title, first.by) == (rules[0].title, "rules")
        lacking = [[name for name in plan.models if name not in rules[0].models] for plan in rules[1:]]
        assert {choice.candidate for choice in first.choices} == {*lacking[0][:2], *lacking[1][:2]}
        assert (second.models, third.models) == (("linear",), ("extra_trees",))
        assert second.by == third.by == "model"
        assert [plan.id for plan in (first, second, third)] == ["r0p1", "r0p2", "r0p3"]

    def test_missing_plans_are_filled_by_the_rules(self, data):
        plans, rules = planned([PLAN], data)
        assert [plan.by for plan in plans] == ["rules", "model", "rules"]
        assert plans[2].title == rules[2].title

    def test_one_plan_is_the_rules_with_the_models_ideas(self, data):
        (plan,), (rule,) = planned([{**PLAN, "features": ["age over income"]}], data, count=1)
        assert set(rule.models) < set(plan.models)
        assert plan.features == ("age over income",)

    @pytest.mark.parametrize("answer", [[], [{**PLAN, "models": ["gpt_boost"]}], faults.REFUSAL, "I cannot plan."])
    def test_without_a_usable_answer_the_plans_are_the_rules(self, data, answer):
        plans, rules = planned(answer, data)
        assert plans == rules

    def test_names_that_do_not_exist_go(self, data):
        draft = {**PLAN, "models": ["linear", "made_up"], "steps": ["splines", "made_up"], "notes": ["n", "made_up"]}
        note = Note(id="n", title="t", kind="paper", source="s", families=())
        plan = planned([draft], data, notes=(note,))[0][1]
        assert (plan.models, plan.steps, plan.notes) == (("linear",), ("splines",), ("n",))

    def test_the_same_work_twice_is_one_plan(self, data):
        plans, _ = planned([PLAN, {**PLAN, "title": "Another title"}], data)
        assert [plan.by for plan in plans].count("model") == 1

    def test_configurations_stay_inside_the_declared_space(self, data):
        wild = [{"name": "num_leaves", "value": "100000"}, {"name": "made_up", "value": "1"}]
        draft = {
            **PLAN,
            "choices": [{"candidate": "lightgbm", "parameters": wild}, {"candidate": "x", "parameters": []}],
        }
        plan = planned([draft], data)[0][1]
        (choice,) = plan.choices
        assert choice.params["num_leaves"] == FAMILY.candidates()["lightgbm"].space["num_leaves"]["high"]
        assert "made_up" not in choice.params

    @pytest.mark.parametrize(
        ("entry", "text", "value"),
        [
            ({"type": "int", "low": 2, "high": 9}, "4.6", 5),
            ({"type": "float", "low": 0.1, "high": 1.0}, "7", 1.0),
            ({"type": "float", "low": 0.1, "high": 1.0}, "NaN", None),
            ({"type": "float", "low": 0.1, "high": 1.0}, "a lot", None),
            ({"type": "categorical", "choices": [False, True]}, "True", True),
            ({"type": "categorical", "choices": ["gini", "entropy"]}, "ENTROPY", "entropy"),
            ({"type": "categorical", "choices": ["gini"]}, "log", None),
            (None, "1", None),
        ],
    )
    def test_a_value_is_read_by_its_entry(self, entry, text, value):
        assert clipped(entry, text) == value


class TestPrivacy:
    def test_stand_ins_go_both_ways(self):
        veil = Veil(("Age", "Total income", "bought"), share_names=False)
        hidden = veil.hide_text("bought, by total income over Age; ageing and a bought-in thing")
        assert "ncome" not in hidden and "Age" not in hidden
        assert "ageing" in hidden
        assert veil.reveal_text("column_2 / column_1") == "Total income / Age"
        assert veil.reveal("column_9") == "column_9"

    def test_shared_names_stay(self):
        assert Veil(("Age",)).hide_text("Age") == "Age"

    def test_prompts_show_stand_ins_only_where_names_are_not_shared(self, data):
        model = ScriptedChatModel({"plans": [{**PLAN, "features": ["column_1 over column_2"]}]})
        brief = Briefing(
            task=TaskSpec(words="Who bought, by income?", family=FAMILY.name, target="bought", metric="f1"),
            profile=PROFILE, family=FAMILY, allowed=ALLOWED, steps=(), notes=(), count=2, seed=0, data=data,
            language_model=language_model(model, data.parent / "home", share_names=False),
        )  # fmt: skip
        plan = make_plans_with_model(brief)[1]
        said = str(model.calls[0].messages)
        assert "income" not in said and "bought" not in said
        assert plan.features == ("age over income",)

    def test_errors_lose_the_values_of_cells(self):
        error = "KeyError: 'age'\nValueError: could not convert string to float: 'Anna Schmidt'"
        assert without_cells(error, "frame['age']", {"age"}) == (
            "KeyError: 'age'\nValueError: could not convert string to float: '…'"
        )


class TestSummary:
    FACTS: ClassVar = {
        "metric": {"name": "f1", "test": 0.63217, "interval": [0.6, 0.66]},
        "test_rows": 1409,
        "request": "5 ms",
    }

    @pytest.mark.parametrize(
        "text",
        [
            "F1 of 0.632 on 1,409 rows.",
            "Ein F1 von 0,63 auf 1.409 Zeilen.",
            "63 % of 1409, within 5 ms, all 3 met.",
            "None.",
        ],
    )
    def test_measured_numbers_pass_rounded_or_as_percentages(self, text):
        assert unknown_numbers(text, self.FACTS) == []

    @pytest.mark.parametrize(
        ("text", "number"), [("F1 of 0.71.", "0.71"), ("On 15000 rows.", "15000"), ("96 % right", "96")]
    )
    def test_invented_numbers_are_found(self, text, number):
        assert unknown_numbers(text, self.FACTS) == [number]

    def test_a_summary_with_an_invented_number_is_left_out(self, tmp_path):
        model = language_model({"summary": "The model reaches an F1 of 0.99 on the test."}, tmp_path)
        text, why = summarised(self.FACTS, model, language="en", expertise="novice", patience=10)
        assert text == ""
        assert "0.99" in why
