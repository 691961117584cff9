"""The Operation Agent's coder: has a module written, checked, run on a sample, and repaired from its own errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from automl_agent.agents.bench import Bench
from automl_agent.agents.data_view import column_names, data_facts, veil_of
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.privacy import Veil
from automl_agent.errors import JobError
from automl_agent.execution.protocol import Job
from automl_agent.records import CodeModule
from automl_agent.tasks.generated.checking import check_source

Kind = Literal["features", "model", "program"]

REPAIRS = 5
"""How often a module is repaired from its own error."""
SAMPLE_ROWS = 300
TRY_SECONDS = 12.0
"""Limit of a run on the sample."""
GRACE = 10.0
"""Seconds that the host waits beyond the sandbox's own limit."""
LEAST = 3.0
"""Seconds below which nothing is begun."""
UNMEASURED = "there was no time or no trial left to measure it"
ERROR = 1500
"""Characters of an error that the model is shown."""

TRY_MODULE = "automl_agent.tasks.generated.jobs:try_module"


@dataclass(frozen=True)
class Assignment:
    """What shall be written."""

    kind: Kind
    title: str
    ideas: tuple[str, ...]
    measured: Mapping[str, Any] = field(default_factory=dict)
    """What an earlier version of it brought, column by column."""
    earlier: str = ""
    """The source of that version."""


@dataclass(frozen=True)
class Written:
    """A module that ran on a sample, or what kept it from that."""

    source: str
    versions: int
    problem: str = ""
    """Empty when it runs."""
    columns: tuple[str, ...] = ()
    """Columns that it adds."""
    findings: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    """Columns that its output depends on, by the names that it knows."""


class Coder:
    """Writes for one plan. Every version is kept in a folder of the artifact store."""

    def __init__(self, bench: Bench, model: LanguageModel, name: str) -> None:
        assert bench.new_folder is not None
        self.bench = bench
        self.model = model
        self.artifact, self.folder = bench.new_folder(f"code-{bench.plan}-{name}")
        self.veil: Veil = veil_of(bench.data, model)
        self.names = {self.veil.hide(name): name for name in column_names(bench.data)}
        self._versions = 0

    def write(self, assignment: Assignment) -> Written:
        """Ask until a version runs on a sample, `REPAIRS` times at most, or until time or purse end it."""
        source, problem = "", ""
        for _ in range(1 + REPAIRS):
            if self.bench.seconds_left < LEAST:
                return self._given_up(source, problem or "no time was left")
            answer = self.model.write(
                plan=self.bench.plan, patience=self.bench.seconds_left, **self._facts(assignment, source, problem)
            )
            if answer.value is None:
                return self._given_up(source, f"{problem} ({answer.detail})" if problem else answer.detail)
            if answer.value.strip() == source.strip():
                return self._given_up(source, f"{problem} (the same program was written again)")
            source = answer.value
            self._versions += 1
            self._keep(f"version_{self._versions}.py", source)
            tried = self._tried(assignment, source)
            if not tried.problem:
                return tried
            problem = tried.problem
        return self._given_up(source, problem)

    def keep(self, written: Written) -> None:
        """Put the version that counts where the report looks for it, with what its stand-ins stand for."""
        self._keep("module.py", written.source)
        if self.stand_ins:
            self._keep("names.json", json.dumps(self.stand_ins, ensure_ascii=False))

    def module(self, assignment: Assignment, written: Written, **facts: Any) -> CodeModule:
        """The record of what was written."""
        self.keep(written)
        return CodeModule(
            id=self.artifact,
            kind=assignment.kind,
            plan=self.bench.plan,
            title=assignment.title,
            versions=max(1, self._versions),
            findings=written.findings,
            by=self.model.name("coder"),
            **facts,
        )

    @property
    def stand_ins(self) -> dict[str, str] | None:
        """Stand-in -> name, where the module was written against stand-ins."""
        return None if self.veil.share_names else self.names

    # ------------------------------------------------------------ one version

    def _tried(self, assignment: Assignment, source: str) -> Written:
        target = self.veil.hide(self.bench.task.target or "")
        problems = check_source(source, assignment.kind, [name for name in self.names if name != target], target)
        if problems:
            return Written(source, self._versions, problem="\n".join(problems))
        try:
            result = self._run(assignment.kind, source)
        except JobError as error:
            return Written(source, self._versions, problem=f"{error.kind}: {error}")
        return Written(
            source,
            self._versions,
            problem="" if result["ok"] else str(result["error"]) or "it did not run",
            columns=tuple(result.get("columns", ())),
            findings=tuple(result.get("findings", ())),
            uses=tuple(result.get("uses", ())),
        )

    def _run(self, kind: Kind, source: str) -> dict[str, Any]:
        """Run a version on a sample, in the sandbox."""
        seconds = min(TRY_SECONDS, max(LEAST, self.bench.seconds_left))
        arguments = {
            "family": self.bench.family.name,
            "data": str(self.bench.data),
            "kind": kind,
            "source": source,
            "names": self.stand_ins,
            "metric": self.bench.task.metric,
            "rows": SAMPLE_ROWS,
            "seconds": seconds,
            "sandbox": self.bench.runner.sandbox,
        }
        return self.bench.runner.pool.submit(Job(TRY_MODULE, arguments, timeout=seconds + GRACE)).result()

    def _given_up(self, source: str, problem: str) -> Written:
        return Written(source, self._versions, problem=problem or "no module was written")

    def _keep(self, name: str, source: str) -> None:
        Path(self.folder, name).write_text(source + "\n", encoding="utf-8")

    # ------------------------------------------------------------ what the model is told

    def _facts(self, assignment: Assignment, source: str, problem: str) -> dict[str, Any]:
        bench = self.bench
        return {
            "kind": assignment.kind,
            "ideas": [self.veil.hide_text(idea) for idea in assignment.ideas],
            "data": data_facts(bench.task, bench.profile, bench.data, self.veil),
            "classes": len(bench.profile.classes),
            "earlier": assignment.earlier,
            "measured": dict(assignment.measured),
            "source": source,
            "problem": without_cells(self.veil.hide_text(problem), source, set(self.names))[-ERROR:],
        }


def without_cells(error: str, source: str, known: set[str]) -> str:
    """An error without the values of cells: quoted text stays where the program or a column name holds it."""

    def shown(match: re.Match[str]) -> str:
        inner = match.group(2)
        return match.group() if inner in source or inner in known else f"{match.group(1)}…{match.group(1)}"

    return re.sub(r"(['\"])(.*?)\1", shown, error)
