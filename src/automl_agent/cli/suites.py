"""Suites: sentences with data and what they should come to, and the scores of a run (Trirat et al. 2024, section 5).

A suite is a YAML file:

    name: small
    entries:
      - name: tumours
        kind: aware                       # or free: the sentence sets no requirement
        words: "Predict whether a tumour is malignant. F1 at least 0.9."
        data: ../breast_cancer.csv        # a path (beside the suite), or a list of them
        expect: {family: tabular_classification, target: diagnosis, metric: f1}
        requires: [{measure: f1, value: 0.9}]
        options: {horizon: 24}            # optional, as `run --set`
        budget: 60                        # seconds, optional
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from automl_agent.agents.base import Agent
from automl_agent.agents.data import DATA_AGENT
from automl_agent.agents.model import MODEL_AGENT
from automl_agent.errors import AutoMLError, InputError
from automl_agent.records import Report, Request, Verdict
from automl_agent.settings import Settings
from automl_agent.verifiers.base import Verifier
from automl_agent.verifiers.builtin import BUILTIN

Build = Callable[..., Any]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expected(_Strict):
    """What the sentence means; what is left out is not checked."""

    family: str
    target: str | None = None
    metric: str


class Required(_Strict):
    """A requirement that the sentence sets."""

    measure: str
    value: float | str | list[str]


class Entry(_Strict):
    """One sentence of a suite."""

    name: str
    kind: Literal["free", "aware"] = "free"
    words: str
    data: tuple[str, ...]
    test_data: str | None = None
    expect: Expected
    requires: tuple[Required, ...] = ()
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    budget: float | None = None

    @field_validator("data", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Suite(_Strict):
    name: str
    about: str = ""
    entries: tuple[Entry, ...]


class Setup(_Strict):
    """What of the pipeline is switched off, and who speaks."""

    budget: float = 120.0
    trials: int | None = None
    plans: int = 3
    retrieval: bool = True
    decomposition: bool = True
    """Whether data and models are looked after by agents of their own; without, each plan is tried as it was made."""
    verification: bool = True
    """Whether plans and the solution are verified and revised."""
    model: dict[str, str] | None = None
    base_url: str | None = None
    seed: int = 0

    @property
    def title(self) -> str:
        off = [name for name in ("retrieval", "decomposition", "verification") if not getattr(self, name)]
        parts = [f"plans {self.plans}", *(f"no {name}" for name in off)]
        return ", ".join(parts + ([f"model {self.model['default']}"] if self.model and "default" in self.model else []))


class Outcome(_Strict):
    """What a sentence came to. Scores are from 0 to 1."""

    entry: str
    kind: Literal["free", "aware"]
    status: str
    success: float
    """Success rate, by degrees: runs, serves, meets the requirements (table 1 of the paper)."""
    performance: float
    """The metric on the locked test; a loss s as 1 / (1 + s); 0 on failure."""
    metric: str
    score: float | None = None
    seconds: float = 0.0
    usd: float = 0.0
    calls: int = 0
    reason: str = ""

    @property
    def comprehensive(self) -> float:
        return 0.5 * self.success + 0.5 * self.performance


def read_suite(path: Path) -> Suite:
    """Read a suite; paths in it are taken from its own folder.

    Raises:
        InputError: the file cannot be read, or an entry is not as it must be; names the entry and the field.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        suite = Suite.model_validate(found)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise InputError(f"Suite {str(path)!r} cannot be read: {' '.join(str(error).split())[:200]}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"Suite {str(path)!r}: {where}: {first['msg'].lower()}.") from error
    names = [entry.name for entry in suite.entries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"Suite {str(path)!r} has two entries called {twice!r}.")
    here = path.resolve().parent
    return suite.model_copy(update={"entries": tuple(_placed(entry, here) for entry in suite.entries)})


def _placed(entry: Entry, folder: Path) -> Entry:
    def placed(text: str) -> str:
        return str(folder / text) if (folder / text).exists() else text

    test = placed(entry.test_data) if entry.test_data else None
    return entry.model_copy(update={"data": tuple(map(placed, entry.data)), "test_data": test})


def key(entry: Entry, setup: Setup) -> str:
    """What an outcome belongs to: the same sentence under the same setup is not run again."""
    text = json.dumps([entry.model_dump(mode="json"), setup.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ---------------------------------------------------------------- running


def run_entry(entry: Entry, setup: Setup, out: Path, home: Path, build: Build) -> Outcome:
    """Run one sentence to its outcome; what goes wrong is an outcome, too."""
    settings = Settings(
        budget=entry.budget or setup.budget,
        trials=setup.trials,
        plans=setup.plans,
        retrieval=setup.retrieval,
        experience="off",  # the order of the sentences must not decide
        max_revisions=2 if setup.verification else 0,
        seed=setup.seed,
        base_url=setup.base_url,
        home=str(home),
        out=str(out),
        clarify=False,
    )
    graph = build(setup.model, settings=settings, agents=_agents(setup), verifiers=_verifiers(setup))
    request = Request(words=entry.words, data=entry.data, test_data=entry.test_data, options=dict(entry.options))
    started = time.monotonic()
    try:
        report = graph.invoke({"request": request})["report"]
    except AutoMLError as error:
        return Outcome(entry=entry.name, kind=entry.kind, status="failed", success=0.0, performance=0.0,
                       metric=entry.expect.metric, seconds=time.monotonic() - started, reason=str(error))  # fmt: skip
    return judged(entry, report, time.monotonic() - started)


def _agents(setup: Setup) -> tuple[Agent, ...]:
    return () if setup.decomposition else tuple(Agent(agent.name, "", None) for agent in (DATA_AGENT, MODEL_AGENT))


def _verifiers(setup: Setup) -> tuple[Verifier, ...]:
    if setup.verification:
        return ()
    return tuple(Verifier(known.name, known.stage, "Lets all pass.", partial(_passed, known.name)) for known in BUILTIN)


def _passed(name: str, _case: Any) -> Verdict:
    return Verdict(subject=name, passed=True)


# ---------------------------------------------------------------- scores


def judged(entry: Entry, report: Report, seconds: float) -> Outcome:
    """Score a finished run.

    Success of a free sentence: .5 where a model was delivered for the right task, 1 where its server was found to
    answer; of one with requirements: .25, .5, then .75 where some are met and 1 where all are.
    """
    wrong = _wrong(entry, report) if report.bundle is not None else ""
    delivered = report.bundle is not None and not wrong
    served = delivered and report.status in ("delivered", "missed")  # a bundle whose own check failed has "failed"
    score = _score(entry, report) if delivered else None
    if entry.kind == "free":
        success = 1.0 if served else 0.5 if delivered else 0.0
    else:
        met = [_met(required, report) for required in entry.requires]
        success = 0.0 if not delivered else 0.25 if not served else 1.0 if all(met) else 0.75 if any(met) else 0.5
    return Outcome(
        entry=entry.name,
        kind=entry.kind,
        status=report.status,
        success=success,
        performance=normalized(score, _higher(entry, report)) if score is not None else 0.0,
        metric=entry.expect.metric,
        score=score,
        seconds=round(seconds, 1),
        usd=float(report.cost.get("usd", 0.0)),
        calls=int(report.cost.get("calls", 0)),
        reason=wrong or report.reason,
    )


def normalized(score: float, higher_is_better: bool) -> float:
    """A score between 0 and 1; losses as 1 / (1 + s)."""
    return min(1.0, max(0.0, score)) if higher_is_better else 1.0 / (1.0 + max(0.0, score))


def _wrong(entry: Entry, report: Report) -> str:
    """In what the task that was solved is another one than the sentence means."""
    if report.task.get("family") != entry.expect.family:
        return f"understood as {report.task.get('family')}, meant was {entry.expect.family}"
    if entry.expect.target is not None and report.task.get("target") != entry.expect.target:
        return f"predicts {report.task.get('target')!r}, meant was {entry.expect.target!r}"
    return ""


def _score(entry: Entry, report: Report) -> float | None:
    """The expected metric on the locked test, whatever metric the run chose by."""
    if report.metric.get("name") == entry.expect.metric:
        return report.score
    measured = json.loads((Path(report.bundle or "") / "metrics.json").read_text(encoding="utf-8"))
    value = measured.get("others", {}).get(entry.expect.metric)
    return None if value is None else float(value)


def _higher(entry: Entry, report: Report) -> bool:
    from automl_agent.tasks.registry import get_family

    if report.metric.get("name") == entry.expect.metric:
        return bool(report.metric["higher_is_better"])
    return get_family(entry.expect.family).metrics[entry.expect.metric].higher_is_better


def _met(required: Required, report: Report) -> bool:
    """Whether a requirement was understood and is met."""
    for check in report.constraints:
        if check.measure == required.measure:
            same = check.value == required.value or _close(check.value, required.value)
            return same and check.met
    return False


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, str | tuple | list) or isinstance(other, str | tuple | list):
        sets = [[each] if isinstance(each, str | float | int) else each for each in (one, other)]
        return {str(each).lower() for each in sets[0]} == {str(each).lower() for each in sets[1]}
    return abs(float(one) - float(other)) <= 1e-9 * max(1.0, abs(float(other)))


def averages(outcomes: Iterable[Outcome]) -> Mapping[str, dict[str, float]]:
    """Means of the free sentences, of those with requirements, and of all."""
    outcomes = list(outcomes)
    groups = {kind: [one for one in outcomes if one.kind == kind] for kind in ("free", "aware")} | {"all": outcomes}
    return {
        name: {
            "sentences": float(len(group)),
            "success": sum(one.success for one in group) / len(group),
            "performance": sum(one.performance for one in group) / len(group),
            "comprehensive": sum(one.comprehensive for one in group) / len(group),
            "seconds": sum(one.seconds for one in group) / len(group),
            "usd": sum(one.usd for one in group) / len(group),
        }
        for name, group in groups.items()
        if group
    }
