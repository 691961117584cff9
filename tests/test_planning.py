"""Plans: different by design, informed by notes, and in a revision aimed at work that was not done before."""

from itertools import combinations

import pytest

from automl_agent.agents.planner import Briefing, make_plans
from automl_agent.records import DataProfile, Evidence, Fidelity, Note, TaskSpec, Trial
from automl_agent.tasks.registry import get_family

FAMILY = get_family("tabular_classification")
ALLOWED = tuple(name for name in FAMILY.candidates() if name != FAMILY.baseline)
PROFILE = DataProfile(
    family=FAMILY.name, fingerprint="f", data="d", rows_train=800, rows_test=200, columns=10, kinds={"number": 10}
)


def brief(**changes):
    given = {
        "task": TaskSpec(words="Predict it.", family=FAMILY.name, target="y", metric="f1"),
        "profile": PROFILE,
        "family": FAMILY,
        "allowed": ALLOWED,
        "steps": tuple(FAMILY.steps),
        "notes": (),
        "count": 3,
        "seed": 0,
    }
    return Briefing(**{**given, **changes})


def trial(candidate, score, params, steps=(), latency=1.0):
    return Trial(
        id=f"{candidate}-{score}",
        plan="r0p1",
        candidate=candidate,
        params=params,
        steps=steps,
        fidelity=Fidelity(rows=0, folds=5),
        score=score,
        latency_ms=latency,
    )


@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_plans_differ_in_models_or_configurations(count):
    plans = make_plans(brief(count=count))
    assert len(plans) == count
    assert len({plan.id for plan in plans}) == count
    for one, other in combinations(plans, 2):
        assert (one.models, one.steps, one.choices) != (other.models, other.steps, other.choices)


def test_only_allowed_models_are_planned():
    for plan in make_plans(brief(allowed=("linear",))):
        assert set(plan.models) == {"linear"}
    assert len({(plan.title, str(plan.choices)) for plan in make_plans(brief(allowed=("linear",)))}) == 3


def test_a_note_that_applies_moves_its_model_forward_and_is_cited():
    note = Note(
        id="n", title="t", kind="paper", source="s", families=(FAMILY.name,), models=("hist_gradient_boosting",)
    )
    with_note = make_plans(brief(notes=(note,)))[0]
    assert with_note.models[0] == "hist_gradient_boosting"
    assert with_note.notes == ("n",)
    silent = make_plans(brief(notes=(note.model_copy(update={"applies": False}),)))[0]
    assert silent.models[0] != "hist_gradient_boosting"
    assert silent.notes == ()


def test_what_many_notes_praise_is_the_first_bet_of_one_plan_only():
    notes = tuple(Note(id=f"n{place}", title="Boosting wins", kind="kaggle", source="s", families=(FAMILY.name,),
                       models=("lightgbm",), applies=True) for place in range(5))  # fmt: skip
    first = [plan.models[0] for plan in make_plans(brief(notes=notes))]
    assert first[0] == "lightgbm" and len(set(first)) == 3


def test_a_revision_runs_configurations_that_were_not_run():
    done = [
        trial(name, 0.5 + index / 100, FAMILY.candidates()[name].portfolio[0], ("interactions",))
        for index, name in enumerate(ALLOWED)
    ]
    evidence = (Evidence(revision=0, failed=("f1 >= 0.9: measured 0.55, missed",), best=0.55, tried=()),)
    plans = make_plans(brief(revision=1, evidence=evidence, trials=tuple(done), steps=("splines",)))
    before = {(t.candidate, str(sorted(t.params.items()))) for t in done}
    for plan in plans:
        assert plan.revision == 1
        assert {(c.candidate, str(sorted(c.params.items()))) for c in plan.choices} - before
    assert plans[0].steps == ("interactions",)
    assert plans[1].steps == ("splines",)
    assert "f1 >= 0.9" in plans[0].differs


def test_a_revision_for_latency_begins_with_the_lightest_model():
    done = (trial("catboost", 0.9, {}, latency=9.0), trial("linear", 0.8, {"strength": 1.0}, latency=0.1))
    evidence = (Evidence(revision=0, failed=("latency_ms <= 1 ms: measured 9 ms, missed",), best=0.9, tried=()),)
    plan = make_plans(brief(revision=1, evidence=evidence, trials=done))[0]
    assert plan.emphasis == "speed"
    assert plan.choices[0].candidate == "linear"


def test_plans_are_the_same_for_the_same_seed():
    assert make_plans(brief(count=6)) == make_plans(brief(count=6))


def test_each_plan_says_why_it_does_without_a_note():
    given = {"title": "t", "kind": "paper", "source": "s", "families": (FAMILY.name,)}
    notes = (
        Note(id="used", models=("lightgbm",), **given),
        Note(
            id="other-data", models=("lightgbm",), applies=False, unmet="it is about rows >= 50000, here 800", **given
        ),
        Note(id="not-allowed", models=("catboost",), **given),
        Note(id="silent", **given),
    )
    allowed = tuple(name for name in ALLOWED if name != "catboost")
    for plan in make_plans(brief(notes=notes, allowed=allowed)):
        assert {*plan.notes, *plan.rejected} == {note.id for note in notes}
        assert plan.rejected["other-data"] == "it is about rows >= 50000, here 800"
        assert plan.rejected["not-allowed"].startswith("catboost can do nothing here")
        assert plan.rejected["silent"] == "it suggests no model and no data step"
