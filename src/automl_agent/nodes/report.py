"""Stage 15: the result as one record, and the page that shows how it came about. `report` is what 'finished' means."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.render import write_report
from automl_agent.delivery.subgroups import weak_groups
from automl_agent.delivery.suggestions import Work, note_uses
from automl_agent.delivery.summary import requirement
from automl_agent.errors import AutoMLError
from automl_agent.execution.home import write_durably
from automl_agent.execution.sandbox.opening import open_sandbox
from automl_agent.nodes.comparing import compared, keep
from automl_agent.nodes.grade import last_verdict
from automl_agent.nodes.publishing import hand_over
from automl_agent.nodes.remembering import remember
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.nodes.telling import modules, told
from automl_agent.records import CodeModule, Report, Status, Trial

PACKAGES = (
    "automl-agent",
    "langgraph",
    "scikit-learn",
    "lightgbm",
    "catboost",
    "optuna",
    "pandas",
    "numpy",
    "chromadb",
)


def report(state: State, stage: Stage) -> dict[str, Any]:
    result = _delivered(state, stage) if state.get("bundle") is not None else _undelivered(state, stage)
    if result.status != "planned":
        out = Path(state["out"])
        out.mkdir(parents=True, exist_ok=True)
        write_durably(out / "result.json", result.model_dump_json(indent=2) + "\n")
    keep(state, stage, result)
    if state.get("bundle") is not None:
        remember(state, stage)
    stage.services.executor.release(stage.run_id)
    stage.trials.clear_dead()
    return {"report": result}


def _undelivered(state: State, stage: Stage) -> Report:
    """Refused, an open question, not approved, or plans only."""
    verdict, question = state["verdicts"].get("request"), state.get("question")
    status: Status = "planned"
    reason = ""
    if verdict is not None and not verdict.passed:
        status, reason = "refused", " ".join(verdict.reasons)
    elif question is not None:
        status, reason = "needs_answer", question.text
    elif not state.get("approved", True):
        status, reason = "refused", "The plans were not approved."
    return Report(status=status, reason=reason, question=question, **_common(state, stage))


def _delivered(state: State, stage: Stage) -> Report:
    task, solution, grade, bundle = state["task"], state["solution"], state["grade"], state["bundle"]
    assert task is not None and solution is not None and grade is not None and bundle is not None
    if not Path(bundle.path).is_dir() and (profile := state["profile"]):  # somebody cleared the folder meanwhile
        hand_over(stage, state["delivery"], Path(state["out"]), profile, grade)
    verdict = state["verdicts"]["grade"]
    status: Status = "delivered" if verdict.passed else "missed"
    reason = "; ".join(verdict.reasons)
    for check in (bundle.server, bundle.retrain):
        if check is not None and not check.ok:
            status, reason = "failed", f"The bundle did not pass its own check: {check.text}"
    result = Report(
        status=status,
        reason=reason,
        score=grade.score,
        metric={
            "name": task.metric,
            "higher_is_better": task.higher_is_better,
            "test": grade.score,
            "validation": solution.score,
            "interval": list(grade.interval),
            "baseline": grade.baseline,
        },
        constraints=verdict.checks,
        bundle=bundle.path,
        predictions=str(Path(state["out"]) / "predictions.csv"),
        submission=state.get("submission"),
        subgroups=grade.subgroups,
        knowledge=note_uses(state.get("notes", ()), _work(state, stage)),
        **_common(state, stage),
    )
    result = told(state, stage, result)
    costs = {"cost": stage.ledger.costs(stage.run_id), "calls": stage.ledger.calls(stage.run_id)}  # the summary's, too
    result = result.model_copy(update=costs)
    return result.model_copy(update={"report": _page(state, stage, result)})


def _work(state: State, stage: Stage) -> Work:
    task, solution = state["task"], state["solution"]
    assert task is not None and solution is not None
    plans, results = tuple(state["plans"].values()), tuple(state.get("results", {}).values())
    return Work(plans, results, _all_trials(state), solution, stage.family(task).metrics[task.metric])


def _page(state: State, stage: Stage, result: Report) -> str | None:
    """Write the page. A fault of a plot must not cost the model."""
    page = Path(state["out"]) / "report.html"
    try:
        write_report(page, _content(state, stage, result))
    except Exception as error:
        if stage.storage_error(error):
            raise
        stage.remark(f"The report page could not be drawn: {type(error).__name__}: {error}", "warning")
        return None
    return str(page)


def _common(state: State, stage: Stage) -> dict[str, Any]:
    """What every report holds."""
    task = state.get("task")
    return {
        "run_id": stage.run_id,
        "task": {} if task is None else _task(state),
        "plans": tuple(_plan(state, plan_id) for plan_id in state.get("plans", {})),
        "revisions": state.get("revision", 0),
        "earlier": compared(state, stage),
        "seconds": _seconds(state, stage),
        "cost": stage.ledger.costs(stage.run_id),
        "calls": stage.ledger.calls(stage.run_id),
        "code": modules(state),
        "warnings": _warnings(state, stage),
        "versions": versions(),
    }


def _task(state: State) -> dict[str, Any]:
    task = state["task"]
    assert task is not None
    shown: dict[str, Any] = {
        "family": task.family,
        "target": task.target,
        "positive": task.positive,
        "metric": task.metric,
        "weight": task.weight,
        "inferred": [f"{i.field} = {i.value}: {i.reason}" for i in task.inferences],
        "by": list(task.by),
        "required": [requirement(constraint) for constraint in task.constraints],
        "deliverables": list(task.deliverables),
    }
    profile = state.get("profile")
    if profile is not None:
        shown |= {"rows_train": profile.rows_train, "rows_test": profile.rows_test, "columns": profile.columns}
    return {name: value for name, value in shown.items() if value not in (None, [])}


def _plan(state: State, plan_id: str) -> dict[str, Any]:
    plan, verdict = state["plans"][plan_id], state.get("verdicts", {}).get(plan_id)
    task = state["task"]
    assert task is not None
    scores = [
        t.score for k, t in state.get("trials", {}).items() if k.startswith(f"{plan_id}/") and t.score is not None
    ]
    best = (max if task.higher_is_better else min)(scores) if scores else None
    return {
        "id": plan.id,
        "title": plan.title,
        "verdict": "not tried" if verdict is None else "passed" if verdict.passed else "failed",
        "score": best,
        "by": plan.by,
        "models": list(plan.models),
        "steps": list(plan.steps),
        "features": list(plan.features),
        "notes": list(plan.notes),
    }


def _seconds(state: State, stage: Stage) -> dict[str, float]:
    """Seconds by stage (the longest of parallel ones, the sum of repeated ones), and the run's total so far."""
    stages: dict[str, float] = {}
    for label, seconds in state.get("seconds", {}).items():
        name, _, turn = label.partition("#")
        parallel = turn.startswith("r")
        stages[name] = max(stages.get(name, 0.0), seconds) if parallel else stages.get(name, 0.0) + seconds
    return {**{name: round(value, 3) for name, value in stages.items()}, "total": round(stage.clock.spent(), 2)}


def _warnings(state: State, stage: Stage) -> tuple[str, ...]:
    texts = [*state.get("warnings", {}).values(), *_weak_sandbox(state, stage)]
    verdict, grade, profile = state.get("verdicts", {}).get("grade"), state.get("grade"), state.get("profile")
    if verdict is not None:
        texts += verdict.warnings
    solution, task = state.get("solution"), state.get("task")
    if solution is not None and task is not None:
        trivial = stage.family(task).baseline
        if all(member.candidate == trivial for member in solution.members):
            texts.append("No model was trained in time: what was delivered is the trivial one. Give a larger budget.")
    if grade is not None and grade.reads > 1:
        texts.append(
            f"The locked test of these data was read {grade.reads} times: its score flatters whoever chose by it."
        )
    if grade is not None and task is not None:
        texts += weak_groups(grade, task)
    earlier = compared(state, stage)
    if earlier is not None and grade is not None and not earlier.same_test:
        texts.append(
            f"The locked test is not that of run {earlier.run_id}: its rows, or the target, are others. The two test"
            " scores do not compare, and rows that were the test then may be trained on now."
        )
    if profile is not None:
        watched = ("sampled", "leak", "target_copy", "strong_predictor", "drift", "duplicates")
        few = 0.01 * (profile.rows_train + profile.rows_test)  # a handful of equal rows is no news
        texts += [f.text for f in profile.findings if f.kind in watched and (f.kind != "duplicates" or f.count > few)]
    return tuple(dict.fromkeys(texts))


def _limits(stage: Stage) -> dict[str, float]:
    """The limits of language-model calls that were set."""
    settings = stage.settings
    cost = settings.max_cost if stage.request.max_cost is None else stage.request.max_cost
    limits = {"max_cost": cost, "max_tokens": settings.max_tokens, "max_calls": settings.max_calls}
    return {name: float(value) for name, value in limits.items() if value is not None}


def _weak_sandbox(state: State, stage: Stage) -> list[str]:
    if not modules(state):
        return []
    layers = open_sandbox(stage.settings.sandbox).layers()
    if layers.tier in ("files", "full"):
        return []
    return [f"Generated code ran in a weak sandbox ({layers.tier}). Missing: {'; '.join(layers.missing)}."]


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found


def _content(state: State, stage: Stage, result: Report) -> ReportContent:
    task, profile, solution = state["task"], state["profile"], state["solution"]
    grade, bundle = state["grade"], state["bundle"]
    assert task is not None and profile is not None and solution is not None
    assert grade is not None and bundle is not None
    facts = stage.artifacts.path(state["delivery"])
    return ReportContent(
        run_id=stage.run_id,
        task=task,
        profile=profile,
        data=stage.artifacts.path(profile.data),
        metric=stage.family(task).metrics[task.metric],
        pictures=stage.family(task).pictures,
        solution=solution,
        verdict=last_verdict(state),
        final_verdict=state["verdicts"]["grade"],
        grade=grade,
        grade_folder=stage.artifacts.path(grade.details),
        bundle=bundle,
        submission=state.get("submission"),
        earlier=result.earlier,
        notes=tuple(state.get("notes", ())),
        knowledge=result.knowledge,
        plans=tuple(state["plans"].values()),
        results=tuple(state.get("results", {}).values()),
        trials=_all_trials(state),
        plan_verdicts={
            plan_id: state["verdicts"][plan_id] for plan_id in state["plans"] if plan_id in state["verdicts"]
        },
        evidence=tuple(state.get("evidence", {}).values()),
        revisions=state.get("revision", 0),
        importance=tuple(json.loads((facts / "importance.json").read_text(encoding="utf-8"))),
        learning_curve=tuple(json.loads((facts / "learning_curve.json").read_text(encoding="utf-8"))),
        progress=tuple({"seconds": float(at), "score": score} for at, score in state.get("progress", {}).items()),
        seconds=_seconds(state, stage),
        calls=result.calls,
        limits=_limits(stage),
        code=result.code,
        sources={module.id: _source(stage, module) for module in result.code},
        summary=result.summary,
        summary_by=result.summary_by,
        sandbox=_sandbox(stage) if result.code else "",
        warnings=result.warnings,
        versions=versions(),
    )


def _source(stage: Stage, module: CodeModule) -> str:
    """The source of a written module, for the page; empty when it cannot be read."""
    try:
        return (stage.artifacts.path(module.id) / "module.py").read_text(encoding="utf-8")
    except (OSError, AutoMLError):
        return ""


def _sandbox(stage: Stage) -> str:
    """What confined the written code, in words."""
    layers = open_sandbox(stage.settings.sandbox).layers()
    missing = f"; missing: {', '.join(layers.missing)}" if layers.missing else ""
    return f"{layers.tier} ({', '.join(layers.used)}){missing}"


def _all_trials(state: State) -> tuple[Trial, ...]:
    merged = {**{trial.id: trial for trial in state.get("trials", {}).values()}, **state.get("full", {})}
    return tuple(merged.values())
