"""Progress of a run on stderr: a live view on a terminal, otherwise only warnings and one final line.

Showing progress never breaks a run: whatever goes wrong here switches the view off.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from automl_agent.delivery.spending import outcome_name, priced
from automl_agent.delivery.summary import score_line
from automl_agent.delivery.words import compact, model_name, plural, printable
from automl_agent.events import (
    BestSoFar,
    CodeJudged,
    Event,
    ModelCalled,
    PlanMade,
    Remark,
    StageFinished,
    StageStarted,
    TrialFinished,
    Understood,
)
from automl_agent.records import Report

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live


@dataclass
class Stage:
    """A stage as shown: one line, however many of its nodes run at once or again in a revision."""

    title: str
    running: int = 0
    since: float = 0.0
    spent: float = 0.0

    def seconds(self, now: float) -> float:
        return self.spent + (now - self.since if self.running else 0.0)


def _title(stage: str) -> str:
    return stage.replace("_", " ").capitalize()


@dataclass
class View:
    """What has been seen of a run so far."""

    run_id: str
    started: float
    """On the monotonic clock."""
    budget: float = 0.0
    left: Callable[[], float] | None = None
    """Seconds left by the run's own clock, once there is one: it knows of earlier processes and of waiting."""
    summary: str = ""
    stages: dict[str, Stage] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    trials: int = 0
    failed: int = 0
    late: int = 0
    """Trials that did not end in time; that is no failure, it is how a budget is kept."""
    best: str = ""
    called: ModelCalled | None = None
    """The last call of a language model."""
    unpriced: int = 0
    """Calls whose price is not known."""
    code: dict[str, str] = field(default_factory=dict)
    """Modules that a language model wrote, by id: kept, dropped or failed."""
    note: str = ""

    def take(self, event: Event) -> None:
        now = time.monotonic()
        match event:
            case StageStarted():
                stage = self.stages.setdefault(event.stage, Stage(event.title or _title(event.stage)))
                stage.since = stage.since if stage.running else now
                stage.running += 1
            case StageFinished():
                stage = self.stages.setdefault(event.stage, Stage(_title(event.stage)))
                if stage.running == 1:
                    stage.spent += now - stage.since
                stage.running = max(0, stage.running - 1)
            case Understood():
                self.summary = event.summary
            case PlanMade():
                self.plans.append(event.plan.title)
            case TrialFinished():
                self.trials = max(self.trials + (not event.trial.cached), event.count)
                late = event.trial.late
                self.late += late
                self.failed += bool(event.trial.error) and not late
            case BestSoFar():
                self.best = f"{event.metric} {event.score:.4g} ({model_name(event.candidate)})"
            case ModelCalled():
                self.called = event
                self.unpriced += event.call.usd is None and not event.call.cached
            case CodeJudged():
                self.code[event.module.id] = event.module.status
            case Remark(level="warning"):
                self.note = f"warning: {event.text}"
            case Remark():
                self.note = event.text

    def counted(self) -> str:
        """How many trials there were, and what became of them."""
        parts = [f"{self.trials} trial{'' if self.trials == 1 else 's'}"]
        parts += [f"{self.late} out of time"] if self.late else []
        parts += [f"{self.failed} failed"] if self.failed else []
        return ", ".join(parts)

    def asked(self) -> str:
        """What the language model's calls came to, and how the last one ended; empty without a call."""
        if self.called is None:
            return ""
        call = self.called.call
        spent = f"{plural(self.called.calls, 'call')}, {compact(self.called.tokens)} tokens"
        money = priced(self.called.usd, self.unpriced)
        return f"{spent}, {money} ({call.role}: {outcome_name(call.outcome)}, {call.seconds:.1f} s)"

    def judged(self) -> str:
        """What became of the modules that a language model wrote; empty without one."""
        statuses = list(self.code.values())
        counts = {status: statuses.count(status) for status in ("kept", "dropped", "failed") if status in statuses}
        parts = [
            f"{count} {status}" if place else f"{plural(count, 'module')} {status}"
            for place, (status, count) in enumerate(counts.items())
        ]
        return ", ".join(parts)

    def clock(self) -> str:
        left = self.left() if self.left else self.budget - (time.monotonic() - self.started)
        return f"{max(0.0, left):.0f} s left"


class Progress:
    """Shows events on `stream` (stderr); `live` is decided by whether that is a terminal, unless it is given."""

    def __init__(self, view: View, *, stream: TextIO | None = None, live: bool | None = None) -> None:
        self.view = view
        self._stream = stream or sys.stderr
        self._wanted = self._stream.isatty() if live is None else live
        self._live: Live | None = None
        self._safely(self._open)

    @property
    def live(self) -> bool:
        return self._live is not None

    def show(self, event: Event) -> None:
        self._safely(lambda: self.view.take(event))
        if isinstance(event, Remark) and event.level == "warning":
            self.say(f"warning: {event.text}")

    def say(self, line: str) -> None:
        """A line that stays."""
        self._safely(lambda: self._print(printable(line)))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question."""
        self._safely(self._close)
        yield
        self._safely(self._open)

    def close(self, report: Report | None = None) -> None:
        """End the view. Without one, and with a result, say how it ended in one line."""
        if report is not None and self._live is None:
            spent = f"{time.monotonic() - self.view.started:.1f} s"
            facts = [report.status.replace("_", " "), score_line(report), spent]
            self.say(f"automl-agent: {', '.join(fact for fact in facts if fact)}")
        self._safely(self._close)

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # whatever it is: a run of an hour is worth more than its display
            self._live, self._wanted = None, False

    def _print(self, line: str) -> None:
        if self._live is None:
            print(line, file=self._stream, flush=True)
        else:
            self._live.console.print(line, markup=False, highlight=False)

    def _open(self) -> None:
        if not self._wanted:
            return
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(file=self._stream), get_renderable=self._draw, refresh_per_second=4,
                          redirect_stdout=False)  # fmt: skip
        self._live.start()

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
        self._live = None

    def _draw(self) -> RenderableType:
        try:
            return draw(self.view, plain=not (self._stream.encoding or "").lower().startswith("utf"))
        except Exception:  # in the refresh thread, where `_safely` does not reach
            return ""


def draw(view: View, *, plain: bool = False) -> RenderableType:
    """The view as it stands; `plain` keeps to ASCII."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    done, running = ("+", ">") if plain else ("✓", "▸")
    now = time.monotonic()
    stages = Table.grid(padding=(0, 1))
    stages.add_column(width=1)
    stages.add_column(min_width=32)
    stages.add_column(justify="right", min_width=8)
    for stage in list(view.stages.values()):  # a copy: the run's thread adds stages meanwhile
        mark = Text(running, style="cyan") if stage.running else Text(done, style="green")
        stages.add_row(mark, Text(stage.title, style="bold" if stage.running else ""), f"{stage.seconds(now):.1f} s")
    lines = [
        f"plans   {'; '.join(view.plans)}" if view.plans else "",
        f"search  {view.counted()}" + (f"; best so far {view.best}" if view.best else "")
        if view.trials or view.best
        else "",
        f"model   {view.asked()}" if view.called else "",
        f"code    {view.judged()}" if view.code else "",
        view.note,
    ]
    head = Text(f"automl-agent {view.run_id}  {view.clock()}", style="bold")
    body = [Text(line) for line in [view.summary] if line]
    return Group(head, *body, stages, *(Text(line) for line in lines if line))
