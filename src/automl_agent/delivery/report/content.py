"""Everything that the report tells, gathered by the stage before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.delivery.words import model_name
from automl_agent.records import (
    Bundle,
    CodeModule,
    ConstraintCheck,
    DataProfile,
    Earlier,
    Evidence,
    Grade,
    ModelCall,
    Note,
    NoteUse,
    Plan,
    Solution,
    Submission,
    TaskResult,
    TaskSpec,
    Trial,
    Verdict,
)
from automl_agent.tasks.family import MetricSpec, targets

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ReportContent:
    """The facts of a run. Nothing in it is computed for the report alone, and nothing is an opinion."""

    run_id: str
    task: TaskSpec
    profile: DataProfile
    data: Path
    """The data folder: `columns.json` and `target.npy` are read for the plots, when they are there."""
    metric: MetricSpec
    solution: Solution
    verdict: Verdict
    """The constraints, checked on validation."""
    final_verdict: Verdict
    """The constraints, checked on the locked test."""
    grade: Grade
    grade_folder: Path
    """Of the test rows: `truth.npy` (what the family scores against), `scores.npy` (rows, classes) or (rows,), and with
    intervals `bounds.npy` (2, rows)."""
    bundle: Bundle
    submission: Submission | None = None
    """Predictions of the user's own rows without target."""
    earlier: Earlier | None = None
    """The run that this one varies, beside it."""
    notes: tuple[Note, ...] = ()
    knowledge: tuple[NoteUse, ...] = ()
    """The same notes, with what became of each."""
    plans: tuple[Plan, ...] = ()
    results: tuple[TaskResult, ...] = ()
    trials: tuple[Trial, ...] = ()
    plan_verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By plan id."""
    evidence: tuple[Evidence, ...] = ()
    revisions: int = 0
    importance: tuple[Mapping[str, Any], ...] = ()
    """`{column, mean, std}`: by how much the score falls when the column is shuffled."""
    learning_curve: tuple[Mapping[str, Any], ...] = ()
    """`{rows, score}`, rows ascending."""
    progress: tuple[Mapping[str, Any], ...] = ()
    """`{seconds, score}`: the best validation score so far, by time since the start."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By stage, with `total`."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """`usd`, `calls`, `input_tokens`, `output_tokens`."""
    calls: tuple[ModelCall, ...] = ()
    """Every request to a language model, as the ledger holds it."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Of the calls, those that were set: `max_cost`, `max_tokens`, `max_calls`."""
    code: tuple[CodeModule, ...] = ()
    """Every module that a language model wrote."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Module id -> source of its last version; empty where it cannot be read."""
    sandbox: str = ""
    """What the code of a language model was confined by, in words."""
    summary: str = ""
    """The result in words for the user."""
    summary_by: str = ""
    """Who wrote it: `rules` or `model`."""
    warnings: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    pictures: str = ""
    """Draws what the family's practitioners look for (`TaskFamily.pictures`)."""

    def name(self, candidate: str) -> str:
        """A candidate for people."""
        return model_name(candidate, self.code)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels in the order of the columns of `scores`; empty for numeric targets."""
        return self.profile.classes

    @property
    def positive(self) -> int | None:
        """Code of the positive class; `None` unless the task is binary."""
        if len(self.classes) != 2:
            return None
        return self.classes.index(self.profile.positive) if self.profile.positive in self.classes else 1

    @property
    def met(self) -> bool:
        return self.verdict.passed and self.final_verdict.passed

    @property
    def missed(self) -> tuple[tuple[ConstraintCheck, ConstraintCheck | None, ConstraintCheck | None], ...]:
        """Requirements that were missed: (requirement, check on validation, check on test)."""
        return tuple(row for row in self.checks if any(check is not None and not check.met for check in row[1:]))

    @property
    def checks(self) -> tuple[tuple[ConstraintCheck, ConstraintCheck | None, ConstraintCheck | None], ...]:
        """Each requirement once: (requirement, check on validation, check on test)."""
        on_validation = {_key(check): check for check in self.verdict.checks}
        without = {(one.measure, one.comparison, one.value) for one in self.task.constraints if one.validation_only}
        on_test = {_key(check): check for check in self.final_verdict.checks if _key(check) not in without}
        return tuple(
            (on_validation.get(key) or on_test[key], on_validation.get(key), on_test.get(key))
            for key in dict.fromkeys([*on_validation, *on_test])
        )

    @cached_property
    def columns(self) -> tuple[dict[str, Any], ...]:
        """Measured facts of the feature columns, those that say most about the target first."""
        path = self.data / "columns.json"
        columns = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        return tuple(sorted(columns, key=lambda column: -abs(column.get("relation") or 0.0)))

    @cached_property
    def training_target(self) -> Array | None:
        return _array(self.data / "target.npy")

    @cached_property
    def truth(self) -> Array | None:
        """Targets of the test rows."""
        truth = _array(self.grade_folder / "truth.npy")
        if truth is None:
            return None
        return targets(truth).astype("int64") if self.classes and truth.ndim == 2 else targets(truth)

    @cached_property
    def weights(self) -> Array | None:
        """What each test row counts; `None` where all count the same."""
        truth = _array(self.grade_folder / "truth.npy") if self.task.weight else None
        return truth[:, 1] if truth is not None and truth.ndim == 2 else None

    @cached_property
    def scores(self) -> Array | None:
        return _array(self.grade_folder / "scores.npy")

    @cached_property
    def predicted(self) -> Array | None:
        """Answers on the test rows as the bundle gives them: class codes with the threshold applied, or values."""
        from automl_agent.tasks.measures import answers

        scores = self.scores
        if scores is None or scores.ndim == 1:
            return scores
        positive = 1 if self.positive is None else self.positive
        return answers(scores, positive, self.solution.threshold)


def _key(check: ConstraintCheck) -> tuple[Any, ...]:
    return check.measure, check.comparison, check.value


def _array(path: Path) -> Array | None:
    import numpy as np

    if not path.is_file():
        return None
    array: Array = np.load(path, allow_pickle=False)
    return array
