"""What the page shows of the plans and their trials, as plain values."""

from __future__ import annotations

import re
from typing import Any

from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.plots.search import rung_name
from automl_agent.delivery.words import DASH, duration, listing, number, plural, quantity
from automl_agent.records import Note, Plan, Suggestion, TaskResult, Trial, Verdict
from automl_agent.tasks.family import loss

AUTHORS = {"user": "you", "rules": "rules", "model": "language model"}
"""Who decided: of a plan and of what was understood."""
_TRIALS_SHOWN = 40
"""Of each plan, the best ones."""


def plans(content: ReportContent) -> list[dict[str, Any]]:
    notes = {note.id: note for note in content.notes}
    shown = [_plan(content, plan, notes) for plan in content.plans]
    known = {plan.id for plan in content.plans}
    if rest := [trial for trial in content.trials if trial.plan not in known]:
        shown.append({"title": "Search over all plans", "trials": _trials(content, rest)})
    return shown


def _plan(content: ReportContent, plan: Plan, notes: dict[str, Note]) -> dict[str, Any]:
    verdict: Verdict | None = content.plan_verdicts.get(plan.id)
    tried = [trial for trial in content.trials if trial.plan == plan.id]
    trials = _trials(content, tried)
    best = next((row for row in trials["rows"] if not row["error"]), None)  # at the plan's highest fidelity
    return {
        "title": plan.title,
        "plan": plan,
        "best": f"best {best['score']} on {best['rung']}" if best else "no score",
        "verdict": verdict,
        "notes": [_note(notes.get(name), name) for name in plan.notes],
        "aside": [(notes[name].title, reason) for name, reason in plan.rejected.items() if name in notes],
        "by": AUTHORS[plan.by],
        "agents": [_agent(content, result) for result in content.results if result.plan == plan.id],
        "trials": trials,
    }


def _note(note: Note | None, name: str) -> dict[str, str]:
    if note is None:
        return {"title": name, "source": "", "link": ""}
    link = re.search(r"https?://\S+$", note.source)
    where = note.source[: link.start()].rstrip(" ,") if link else note.source
    return {"title": note.title, "source": where, "link": link.group() if link else ""}


def knowledge(content: ReportContent) -> list[dict[str, Any]]:
    """For each note that was found: where it comes from, which plans rest on it, and what its suggestions came to."""
    titles = {plan.id: plan.title for plan in content.plans}
    notes = {note.id: note for note in content.notes}
    return [
        {
            **_note(notes.get(use.note), use.title),
            "kind": use.kind,
            "plans": [titles.get(name, name) for name in use.plans],
            "reason": use.reason,
            "suggestions": [
                {"name": content.name(one.name) if one.kind == "model" else one.name,
                 "kept": one.outcome == "kept", "text": _outcome(one)}
                for one in use.suggestions
            ],
        }
        for use in content.knowledge
    ]  # fmt: skip


def _outcome(one: Suggestion) -> str:
    """What measuring said of a suggestion."""
    gain = "" if one.gain is None else number(abs(one.gain), 3)
    match one.outcome:
        case "kept" if one.kind == "model":
            return f"in the solution, which is {gain} worse without it" if gain else "in the solution, alone"
        case "kept":
            return f"in the solution: {gain} better on the plan's probe" if gain else "in the solution"
        case "not better" if one.kind == "step" and one.gain is not None:
            how = "worse" if one.gain < 0 else "better" if one.gain else "difference"
            return f"left out: {gain} {how} on the plan's probe"
        case "not better":
            return f"left out: {number(one.score)}, and the solution is no better with it"
        case "failed":
            return "left out: it failed"
    return "not tried: no time, or it can do nothing here"


def _agent(content: ReportContent, result: TaskResult) -> dict[str, Any]:
    output, kept, rejected = result.output, [], {}
    if output is not None and output.kind == "recipe":
        kept, rejected = list(output.steps), dict.fromkeys(output.rejected, "")
        kept += [f"“{module.title}”" for module in content.code if module.id == output.features]
    elif output is not None:
        kept = list(dict.fromkeys(content.name(choice.candidate) for choice in output.choices))
        left_out = output.rejected if output.kind == "shortlist" else {}
        rejected = {content.name(name): reason for name, reason in left_out.items()}
    return {
        "role": result.role,
        "summary": result.summary,
        "error": result.error,
        "kept": kept,
        "rejected": rejected,
        "measured": [(one.what, quantity(one.value, one.unit)) for one in result.measurements],
        "seconds": duration(result.seconds),
    }


def _trials(content: ReportContent, tried: list[Trial]) -> dict[str, Any]:
    """The trials that saw most data first, the best of them on top, failures last."""

    def order(trial: Trial) -> tuple[Any, ...]:
        if trial.score is None:
            return 1, 0, 0, 0.0, trial.id
        level = trial.fidelity
        return 0, -(level.rows or 1 << 62), -level.folds, loss(content.metric, trial.score), trial.id

    ordered = sorted(tried, key=order)
    rows = [
        {
            "candidate": content.name(trial.candidate), "origin": trial.origin, "steps": ", ".join(trial.steps) or DASH,
            "params": ", ".join(f"{name} {number(value, 3)}" for name, value in trial.params.items()) or "defaults",
            "rung": rung_name(trial.fidelity), "score": number(trial.score),
            "error": trial.error or ("no score" if trial.score is None else ""),
            "late": trial.late,
            "spread": f"{number(min(trial.fold_scores), 3)} to {number(max(trial.fold_scores), 3)}"
            if len(trial.fold_scores) > 1 else "",
            "fit": duration(trial.fit_seconds),
            "latency": quantity(trial.latency_ms, "ms") if trial.latency_ms else DASH,
            "size": quantity(trial.size_mb, "MB") if trial.size_mb else DASH, "cached": trial.cached,
        }
        for trial in ordered[:_TRIALS_SHOWN]
    ]  # fmt: skip
    return {"rows": rows, "total": len(tried), "more": max(len(tried) - _TRIALS_SHOWN, 0)}


def revisions(content: ReportContent) -> list[dict[str, Any]]:
    """For each revision: how many candidates it really ran, and the best of them."""
    rounds = sorted({trial.revision for trial in content.trials if trial.revision})
    runs = []
    for revision in rounds:
        new = [trial for trial in content.trials if trial.revision == revision]
        best = [f"{row['candidate']} {row['score']}" for row in _trials(content, new)["rows"][:5] if not row["error"]]
        runs.append(
            {"revision": revision, "count": plural(len(new), "new trial"), "best": listing(best) or "none scored"}
        )
    return runs
