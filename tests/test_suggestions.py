"""What the report says became of each note."""

from __future__ import annotations

from typing import Any

from automl_agent.delivery.suggestions import note_uses
from automl_agent.records import Fidelity, Member, Note, Plan, Solution, Suggestion, Trial
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
    notes = (note("one", models=("lightgbm", "linear", "network", "catboost"), steps=("dates", "target_encoding")),
             note("aside", models=("lightgbm",)))  # fmt: skip
    plan = Plan(id="p1", title="Plan", hypothesis="h", steps=("dates",), models=("lightgbm",), notes=("one",),
                rejected={"aside": "it is about rows >= 50000, here 800"})  # fmt: skip
    trials = [
        trial("lightgbm", 2.0), trial("lightgbm", 1.0, PROBE), trial("linear", 3.0),
        trial("network", None, error="boom"),
        trial("linear", 4.0, PROBE), trial("linear", 3.75, PROBE, ("dates",)),
        trial("linear", 4.5, PROBE, ("target_encoding",)),
    ]  # fmt: skip
    member = Member(trial=trials[0].id, candidate="lightgbm", steps=("dates",), weight=1.0, folds=(0,), score=2.0)
    solution = Solution(id="s", members=(member,), metric="rmse", score=2.0, gains={"lightgbm": 1.0}, folder="s")
    used, aside = note_uses(notes, [plan], trials, solution, RMSE)
    assert used.plans == ("p1",) and not used.reason
    assert used.suggestions == (
        Suggestion(name="lightgbm", kind="model", outcome="kept", score=2.0, gain=1.0),
        Suggestion(name="linear", kind="model", outcome="not better", score=3.0),
        Suggestion(name="network", kind="model", outcome="failed"),
        Suggestion(name="catboost", kind="model", outcome="not tried"),
        Suggestion(name="dates", kind="step", outcome="kept", score=3.75, gain=0.25),
        Suggestion(name="target_encoding", kind="step", outcome="not better", score=4.5, gain=-0.5),
    )
    assert aside.plans == () and aside.reason == "it is about rows >= 50000, here 800" and not aside.suggestions
