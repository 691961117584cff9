"""Feature modules: written from ideas, kept only where the out-of-fold score improves, cut down to what matters."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from automl_agent.agents.bench import Bench
from automl_agent.agents.data import MIN_GAIN
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.with_model.answers import Sentence
from automl_agent.agents.with_model.coder import LEAST, UNMEASURED, Assignment, Coder, Written
from automl_agent.records import CandidateChoice, Trial
from automl_agent.tasks.family import TaskFamily
from automl_agent.tasks.generated.composing import add_features

ABLATED = 6
"""Added columns that are left out in turn."""
REFINEMENTS = 1
"""How often the model may write a better version, once it knows what each column brings."""


class ReviewAnswer(BaseModel):
    """A reviewer's finding."""

    quote: Annotated[
        Sentence, Field(description="the line that uses what is not known when predicting; empty if none does")
    ] = ""
    why: Sentence = ""
    unused: Annotated[
        Sentence,
        Field(description="what the ideas ask for and the program leaves out, in a sentence; empty if nothing"),
    ] = ""


@dataclass(frozen=True)
class Kept:
    """A feature module that pays."""

    artifact: str
    without: tuple[str, ...]
    """Columns of it that are left out."""


@dataclass(frozen=True)
class _Measured:
    """A version of the module and its trial on the base model."""

    written: Written
    path: Path
    trial: Trial
    without: tuple[str, ...] = ()


class FeatureWork:
    """One feature module of one plan, from the first version to the verdict."""

    def __init__(
        self, bench: Bench, model: LanguageModel, base: CandidateChoice, steps: tuple[str, ...], ideas: tuple[str, ...]
    ) -> None:
        self.bench, self.model, self.base, self.steps = bench, model, base, steps
        title = "; ".join(idea.rstrip(".") for idea in ideas)[:160]
        self.assignment = Assignment("features", title, ideas)
        self.coder = Coder(bench, model, "features")

    def written(self) -> Written:
        """The first version that runs on a sample. Measures nothing, so that other work can go on beside."""
        return self.coder.write(self.assignment)

    def judge(self, written: Written, steps: tuple[str, ...]) -> Kept | None:
        """Measure what the module brings under these data steps; `None` when it is not kept."""
        self.steps = steps
        if written.problem:
            self._note(written, "failed", written.problem.strip().splitlines()[-1])
            return None
        plain = self._plain()
        first = self._measure(written)
        if plain is None or plain.score is None or first is None:
            self._note(written, "dropped", UNMEASURED)
            return None
        if first.trial.score is None:
            self._note(written, "failed", first.trial.error, plain)
            return None
        ablation = self._ablation(first)
        best = self._cut(first, ablation)
        for _ in range(REFINEMENTS):
            best, ablation = self._refined(best, ablation)
        return self._verdict(best, plain, ablation)

    # ------------------------------------------------------------ measuring

    def _plain(self) -> Trial | None:
        """The base model without the module: measured with the steps already, or now."""
        for trial in self.bench.trials:
            if (trial.candidate, trial.params, trial.steps) == (self.base.candidate, self.base.params, self.steps):
                return trial
        return next(iter(self.bench.measure([(self.base, self.steps)])), None)

    def _measure(self, written: Written, without: tuple[str, ...] = ()) -> _Measured | None:
        base = self.bench.family.candidates()[self.base.candidate]
        path = add_features(base, written.source, self.coder.folder, self.bench.family, self.coder.stand_ins)
        found = self._trials(path, [without])
        return _Measured(written, path, found[0], without) if found else None

    def _trials(self, path: Path, cuts: list[tuple[str, ...]]) -> list[Trial]:
        """The base model with the module, once for each set of columns that is left out."""
        works = [(with_features(self.base, path, without), self.steps) for without in cuts]
        return self.bench.measure(works)

    def _ablation(self, measured: _Measured) -> dict[str, float]:
        """What each added column brings: by how much the loss rises, relatively, without it."""
        columns = measured.written.columns[:ABLATED]
        each = max(0.5, measured.trial.fit_seconds) / self.bench.runner.pool.size
        columns = columns[: max(0, int(0.4 * self.bench.seconds_left / each))]
        if len(columns) < 2:
            return {}
        trials = self._trials(measured.path, [(column,) for column in columns])
        return {
            column: round(-self.bench.gain(trial, measured.trial), 5)
            for column, trial in zip(columns, trials, strict=False)
            if trial.score is not None
        }

    def _cut(self, measured: _Measured, ablation: dict[str, float]) -> _Measured:
        """The module without the columns that harm, where that is better."""
        harmful = tuple(column for column, brings in ablation.items() if brings < 0)
        if not harmful or len(harmful) == len(measured.written.columns) or self.bench.seconds_left < LEAST:
            return measured
        (trial,) = self._trials(measured.path, [harmful]) or (None,)
        if trial is None or self.bench.gain(trial, measured.trial) <= 0:
            return measured
        return replace(measured, trial=trial, without=harmful)

    def _refined(self, best: _Measured, ablation: dict[str, float]) -> tuple[_Measured, dict[str, float]]:
        """A version written with the ablation at hand, where it measures better."""
        if not ablation or self.bench.seconds_left < 2 * LEAST:
            return best, ablation
        task = replace(self.assignment, measured=ablation, earlier=best.written.source)
        written = self.coder.write(task)
        measured = None if written.problem else self._measure(written)
        if measured is None or self.bench.gain(measured.trial, best.trial) <= 0:
            return best, ablation
        return measured, self._ablation(measured)

    # ------------------------------------------------------------ the verdict

    def _verdict(self, best: _Measured, plain: Trial, ablation: dict[str, float]) -> Kept | None:
        gain = self.bench.gain(best.trial, plain)
        if gain <= MIN_GAIN:
            self._note(best.written, "dropped", f"{self._change(best.trial, plain)}: no better", plain, best, ablation)
            return None
        best, objection = self._reviewed(best)
        if objection:
            self._note(best.written, "dropped", objection, plain, best, ablation)
            return None
        self._note(best.written, "kept", self._change(best.trial, plain), plain, best, ablation)
        return Kept(self.coder.artifact, best.without)

    def _reviewed(self, best: _Measured) -> tuple[_Measured, str]:
        """What the reviewer holds against a module that pays: the library's checks came first, the model is second.

        A leak needs a line of the program as evidence, and ends the module; data left unused is a finding.
        """
        written = best.written
        if not self.model.speaks("reviewer") or self.bench.seconds_left < LEAST:
            return best, ""
        veil = self.coder.veil
        source = veil.hide_text(written.source)
        answer = self.model.ask(
            "reviewer",
            ReviewAnswer,
            plan=self.bench.plan,
            patience=self.bench.seconds_left,
            source=source,
            findings=list(written.findings),
            uses=list(written.uses),
            ideas=[veil.hide_text(idea) for idea in self.assignment.ideas],
            target=veil.hide(self.bench.task.target or ""),
        ).value
        if answer is None:
            return best, ""
        if answer.unused.strip():
            finding = f"the reviewer: {veil.reveal_text(answer.unused.strip())}"
            best = replace(best, written=replace(written, findings=(*written.findings, finding)))
        quote = " ".join(answer.quote.split())
        if len(quote) < 4 or quote not in " ".join(source.split()):
            return best, ""
        return best, f"the reviewer objects to “{quote[:80]}”: {answer.why}"

    def _change(self, trial: Trial, plain: Trial) -> str:
        after = "failed" if trial.score is None else f"{trial.score:.4g}"
        return f"{self.bench.task.metric} {plain.score:.4g} → {after} with {self.base.candidate}"

    def _note(
        self,
        written: Written,
        status: str,
        reason: str,
        plain: Trial | None = None,
        best: _Measured | None = None,
        ablation: dict[str, float] | None = None,
    ) -> None:
        module = self.coder.module(
            self.assignment,
            written,
            status=status,
            reason=reason[:300],
            score_without=plain.score if plain else None,
            score_with=best.trial.score if best else None,
            ablation=ablation or {},
        )
        self.bench.judged(module)


def with_features(choice: CandidateChoice, path: Path, without: tuple[str, ...]) -> CandidateChoice:
    """The configuration of a base model, on the candidate file that adds the module's columns to it."""
    params = {**choice.params, **({"without": list(without)} if without else {})}
    return CandidateChoice(candidate=str(path), params=params, reason=choice.reason or "with a feature module")


def on_features(choice: CandidateChoice, without: tuple[str, ...], folder: Path, family: TaskFamily) -> CandidateChoice:
    """A configuration of another model of the family, with the columns of a module that was kept in this folder."""
    source = (folder / "module.py").read_text(encoding="utf-8")
    names = folder / "names.json"
    stand_ins = json.loads(names.read_text(encoding="utf-8")) if names.is_file() else None
    path = add_features(family.candidates()[choice.candidate], source, folder, family, stand_ins)
    return with_features(choice, path, without)
