"""The Model Agent with a language model: configurations, search spaces, and a model of its own written as code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from automl_agent.agents.base import Agent
from automl_agent.agents.bench import Bench
from automl_agent.agents.data import MIN_GAIN
from automl_agent.agents.data_view import data_facts, model_facts, significant, veil_of
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.model import MODEL_AGENT, shortlist
from automl_agent.agents.with_model.answers import Few, Many, Name, Sentence
from automl_agent.agents.with_model.coder import UNMEASURED, Assignment, Coder, Written
from automl_agent.agents.with_model.data import side_by_side
from automl_agent.agents.with_model.planner import ChoiceAnswer, clipped, usable_choice
from automl_agent.records import CandidateChoice, Params, Shortlist, SubTask, Trial
from automl_agent.tasks.generated.composing import model_candidate, program_candidate


class RangeAnswer(BaseModel):
    """Where one parameter is worth searching."""

    candidate: Name
    parameter: Name
    low: Name
    high: Name


class ModelAnswer(BaseModel):
    """What the Model Agent would try."""

    choices: Annotated[list[ChoiceAnswer], Few, Field(max_length=4)] = []
    ranges: Annotated[
        list[RangeAnswer], Many, Field(max_length=12, description="narrower ranges to tune in than the declared ones")
    ] = []
    architecture: Annotated[
        Sentence, Field(description="a model that the listed ones lack, in words; mostly empty")
    ] = ""


def shortlist_with_model(subtask: SubTask, bench: Bench) -> Shortlist:
    """The rules' shortlist, with the model's configurations where they measure better, and its own model if it pays.

    Plans of the rules are left to the rules.
    """
    model, plan = bench.language_model, subtask.plan
    if model is None or plan.by != "model":
        return shortlist(subtask, bench)
    architecture, writes = plan.architecture, model.writes and "model" in bench.family.code
    if bench.task.options.get("program") and not architecture:  # work that no family covers: a program in any case
        architecture = f"{bench.task.words} {plan.hypothesis}"
    if not (architecture and writes):
        chosen = shortlist(subtask, bench)
        answer = _asked(subtask, bench, model, chosen)
        chosen = _with_choices(chosen, bench, answer)
        architecture = answer.architecture if answer and writes else ""
        work = ModelWork(bench, model, architecture) if architecture.strip() else None
        return _with_module(chosen, bench, work, work.written()) if work else chosen
    work = ModelWork(bench, model, architecture)
    chosen, written = side_by_side(lambda: shortlist(subtask, bench), work.written)
    chosen = _with_choices(chosen, bench, _asked(subtask, bench, model, chosen))
    return _with_module(chosen, bench, work, written)


def _asked(subtask: SubTask, bench: Bench, model: LanguageModel, chosen: Shortlist) -> ModelAnswer | None:
    if not model.speaks("model"):
        return None
    veil, plan, catalogue = veil_of(bench.data, model), subtask.plan, bench.family.candidates()
    answer = model.ask(
        "model",
        ModelAnswer,
        plan=plan.id,
        patience=bench.seconds_left / 2,
        title=plan.title,
        hypothesis=veil.hide_text(plan.hypothesis),
        data=data_facts(bench.task, bench.profile, bench.data, veil),
        models={name: model_facts(catalogue[name]) for name in bench.allowed},
        measured=[{"model": m.what, m.unit: significant(m.value)} for m in bench.measurements],
        left_out=dict(chosen.rejected),
        code=model.writes and "model" in bench.family.code and not plan.architecture,
    ).value
    return answer and answer.model_copy(update={"architecture": veil.reveal_text(answer.architecture.strip())})


def _with_choices(chosen: Shortlist, bench: Bench, answer: ModelAnswer | None) -> Shortlist:
    """The model's configurations are measured like the others; those not behind the shortlist's last one join it."""
    if answer is None:
        return chosen
    catalogue = bench.family.candidates()
    extra = [choice for item in answer.choices if (choice := usable_choice(item, catalogue, bench.allowed)) is not None]
    extra = [choice for choice in extra if choice.params not in [one.params for one in chosen.choices]]
    extra = extra[: max(0, int(min(len(extra), bench.trials_left - 1)))]  # one is kept for a model of its own
    known = bench.best_first(bench.trials)
    trials = bench.best_first(bench.measure([(choice, ()) for choice in extra]))
    better = [trial for trial in trials if not known or bench.gain(trial, known[0]) > -10 * MIN_GAIN]
    joined = [
        CandidateChoice(
            candidate=trial.candidate, params=trial.params, reason="proposed by the language model, measured"
        )
        for trial in better
    ]
    return chosen.model_copy(
        update={"choices": (*chosen.choices, *joined), "spaces": _spaces(answer.ranges, catalogue, bench.allowed)}
    )


def _spaces(
    ranges: Sequence[RangeAnswer], catalogue: Mapping[str, Any], allowed: Sequence[str]
) -> dict[str, dict[str, Params]]:
    """The declared search spaces, narrowed where the answer names a range inside them."""
    spaces: dict[str, dict[str, Params]] = {}
    for item in ranges:
        entry = catalogue[item.candidate].space.get(item.parameter) if item.candidate in allowed else None
        if entry is None or entry["type"] == "categorical":
            continue
        low, high = clipped(entry, item.low), clipped(entry, item.high)
        if not isinstance(low, int | float) or not isinstance(high, int | float) or low >= high:
            continue
        whole = spaces.setdefault(
            item.candidate, {name: dict(known) for name, known in catalogue[item.candidate].space.items()}
        )
        whole[item.parameter] = {**entry, "low": low, "high": high}
    return spaces


def _with_module(chosen: Shortlist, bench: Bench, work: ModelWork, written: Written) -> Shortlist:
    rivals = bench.best_first(bench.trials)
    kept = work.judge(written, rivals[0] if rivals else None)
    return chosen if kept is None else chosen.model_copy(update={"choices": (*chosen.choices, kept)})


class ModelWork:
    """One model module (or whole program) of one plan, from the first version to the verdict."""

    def __init__(self, bench: Bench, model: LanguageModel, idea: str) -> None:
        self.bench = bench
        kind = "program" if bench.task.options.get("program") else "model"
        self.assignment = Assignment(kind, idea.rstrip(".")[:160], (idea,))  # type: ignore[arg-type]
        self.coder = Coder(bench, model, kind)

    def written(self) -> Written:
        """The first version that runs on a sample."""
        return self.coder.write(self.assignment)

    def judge(self, written: Written, rival: Trial | None) -> CandidateChoice | None:
        """Kept where it beats the plan's best model, or where the two together are better than that one alone."""
        if written.problem:
            self._note(written, "failed", written.problem.strip().splitlines()[-1])
            return None
        make = program_candidate if self.assignment.kind == "program" else model_candidate
        path = make(written.source, self.coder.folder, self.bench.family, self.assignment.title, self.coder.stand_ins)
        candidate = self.bench.runner.candidate(str(path))
        choice = CandidateChoice(candidate=str(path), params=candidate.portfolio[0], reason=self.assignment.title)
        (trial,) = self.bench.measure([(choice, ())]) or (None,)
        if trial is None or trial.score is None:
            self._note(written, "failed", trial.error if trial else UNMEASURED, rival)
            return None
        reason = self._merit(trial, rival)
        self._note(written, "kept" if reason else "dropped", reason or "no better, nor with the others", rival, trial)
        return choice if reason else None

    def _merit(self, trial: Trial, rival: Trial | None) -> str:
        assert trial.score is not None
        metric = self.bench.task.metric
        if rival is None or rival.score is None:
            return f"the only model with a score, {metric} {trial.score:.4g}"
        if self.bench.improvement(trial.score, rival.score) > MIN_GAIN:
            return f"{metric} {trial.score:.4g}, {rival.candidate} {rival.score:.4g}"
        blended = self._blended(trial, rival)
        if self.bench.improvement(blended, rival.score) > MIN_GAIN:
            return f"{metric} {blended:.4g} together with {rival.candidate}, which has {rival.score:.4g} alone"
        return ""

    def _blended(self, one: Trial, other: Trial) -> float:
        """Out-of-fold score of the mean of both predictions."""
        import numpy as np

        bench, runner = self.bench, self.bench.runner
        mixed = []
        for trial in (one, other):
            rows, prediction, _ = runner.predictions(trial)
            order = np.argsort(rows, kind="stable")
            rows, prediction = rows[order], prediction[order]
            mixed.append(prediction)
        truth, mean = bench.family.training_truth(runner.data)[rows], sum(mixed) / 2
        threshold = bench.family.threshold(bench.task.metric, truth, mean, positive=runner.positive)
        return float(bench.family.score(bench.task.metric, truth, mean, positive=runner.positive, threshold=threshold))

    def _note(
        self, written: Written, status: str, reason: str, rival: Trial | None = None, trial: Trial | None = None
    ) -> None:
        self.bench.judged(
            self.coder.module(
                self.assignment,
                written,
                status=status,
                reason=reason[:300],
                score_without=rival.score if rival else None,
                score_with=trial.score if trial else None,
            )
        )


MODEL_AGENT_WITH_MODEL: Agent = replace(MODEL_AGENT, run=shortlist_with_model)
