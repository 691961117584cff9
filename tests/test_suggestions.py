"""What the report says became of each note."""

from __future__ import annotations

from typing import Any

from automl_agent.delivery.suggestions import Work, note_uses
from automl_agent.records import (
    DataRecipe,
    Fidelity,
    Measurement,
    Member,
    Note,
    Plan,
    Shortlist,
    Solution,
    Suggestion,
    TaskResult,
    Trial,
)
from automl_agent.tasks.registry import get_family

RMSE = get_family("tabular_regression").metrics["rmse"]
PROBE, FULL = Fidelity(rows=3000, folds=2), Fidelity(rows=0, folds=5)


def trial(candidate: str, score: float | None, fidelity: Fidelity = FULL, steps: tuple[str, ...] = (), error: str = ""
          ) -> Trial:  # fmt: skip
    name = f"{candidate}{steps}{fidelity}"
    return Trial(id=name, plan="p1", candidate=candidate, steps=steps, fidelity=fidelity, score=score, error=error)


def note(name: str, **suggests: Any) -> Note:
    return Note(id=name, title=name, kind="paper", source="s", families=("tabular_regression",), **suggests)


def test_each_suggestion_is_traced_to_what_was_measured() -> None:
    models = ("lightgbm", "linear", "network", "catboost", "extra_trees")
    notes = (note("one", models=models, steps=("dates", "target_encoding", "splines", "balance")),
             note("aside", models=("lightgbm",)))  # fmt: skip
    plan = Plan(id="p1", title="Plan", hypothesis="h", steps=("dates",), models=("lightgbm",), notes=("one",),
                rejected={"aside": "it is about rows >= 50000, here 800"})  # fmt: skip
    trials = [trial("lightgbm", 2.0, FULL, ("dates",)), trial("lightgbm", 1.0, PROBE), trial("linear", 3.0),
              trial("linear", 4.0, PROBE), trial("network", None, error="boom")]  # fmt: skip
    recipe = DataRecipe(steps=("dates",), rejected=("target_encoding", "splines"),
                        gains={"dates": 0.25, "target_encoding": -0.5})  # fmt: skip
    shortlist = Shortlist(rejected={"extra_trees": "far behind"})
    results = [TaskResult(plan="p1", role="data", output=recipe),
               TaskResult(plan="p1", role="model", output=shortlist,
                          measurements=(Measurement(what="extra_trees", value=5.0),))]  # fmt: skip
    member = Member(trial=trials[0].id, candidate="lightgbm", steps=("dates",), weight=1.0, folds=(0,), score=2.0)
    solution = Solution(id="s", members=(member,), metric="rmse", score=2.0, gains={"lightgbm": 1.0}, folder="s")
    used, aside = note_uses(notes, Work([plan], results, trials, solution, RMSE))
    assert used.plans == ("p1",) and not used.reason
    assert used.suggestions == (
        Suggestion(name="lightgbm", kind="model", outcome="kept", score=2.0, gain=1.0),
        Suggestion(name="linear", kind="model", outcome="not better", score=3.0),
        Suggestion(name="network", kind="model", outcome="failed"),
        Suggestion(name="catboost", kind="model", outcome="not tried"),
        Suggestion(name="extra_trees", kind="model", outcome="not better", score=5.0),
        Suggestion(name="dates", kind="step", outcome="kept", score=2.0, gain=0.25),
        Suggestion(name="target_encoding", kind="step", outcome="not better", gain=-0.5),
        Suggestion(name="splines", kind="step", outcome="failed"),
        Suggestion(name="balance", kind="step", outcome="not tried"),
    )
    assert aside.plans == () and aside.reason == "it is about rows >= 50000, here 800" and not aside.suggestions
