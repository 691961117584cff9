"""Runs that are killed at every point at which something can be lost, and at random moments, and resumed each time.

A run without a kill says which points there are (`kill_points`): a node begins or ends; before and after a checkpoint
or the result of a node is saved; a paid answer arrives, is settled, is remembered; a file is written and put into its
place; a bundle is published; a database changes. They are dealt out to several runs, so that neighbours meet different
ones; each run is killed at all of its points, one after the other, and goes on in a new process every time. Its end is
compared with that of the run that nobody killed.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automl_agent.testing import Call, ModelServer
from lives import Life, drive, is_whole, litter, repeated

pytestmark = pytest.mark.slow

PER_RUN = 8
"""Kills of one run."""
AT_ONCE = min(4, len(os.sched_getaffinity(0)))
MOMENTS = 60
SKIPPED = re.compile(r"(stage_finished|settle:before|database:(answers|model_calls))|file:.*(schema|solution|curve)")
"""Points with another one right behind: nothing is kept between them. And files of a bundle that is not published."""
REPEATED = re.compile(r"(?<!call:after)\.\d+@")
"""The same in a parallel node."""
LONG = ("half of the points", "the other half", "random moments")
KINDS = (
    "put:before", "put:after", "put_writes:before", "call:after", "database:trials", "publish:after",
    "file:before:grade.json", "file:after:MODEL_CARD.md", "file:before:result.json",
)  # fmt: skip
"""What is died of in the test command: once of each."""


def answers(call: Call) -> object:
    """A model that plans, and is content with the rest."""
    if call.schema == "PlansAnswer":
        plan = {"hypothesis": "The cells differ in size and shape.", "models": ["linear"]}
        return {"plans": [{"title": "Straight lines", **plan}, {"title": "Curves", **plan, "steps": ["splines"]}]}
    return {"summary": "The model predicts what was asked for."} if call.schema == "SummaryAnswer" else {}


@dataclass
class Run:
    """One run, killed and resumed until it ended."""

    folder: Path
    lives: list[Life] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    """What the model was asked, over all lives."""
    missed: list[str] = field(default_factory=list)
    """Points that it should have died at and did not come to."""

    @property
    def kills(self) -> list[Life]:
        return [life for life in self.lives if life.status != 0]

    @property
    def report(self) -> dict[str, Any]:
        found = self.lives[-1].of("result")
        return found[0]["report"] if found else {}


@dataclass
class Killed:
    """Runs that were killed, and the one that was not."""

    unkilled: Run
    runs: list[Run] = field(default_factory=list)
    points: int = 0
    """How many there are."""
    moments: bool = False
    """Killed at random moments; a run may end before the last of them."""

    @property
    def deaths(self) -> int:
        return sum(len(run.kills) for run in self.runs)


class Killer:
    """Starts runs and kills them, some at once."""

    def __init__(self, place: Path) -> None:
        self._place, self._numbers = place, itertools.count(1)
        self.unkilled = self.run([])

    def run(self, deaths: Sequence[str | float]) -> Run:
        """A run that dies of these points or after these seconds, in this order, and then goes on to its end."""
        run = Run(self._place / f"run-{next(self._numbers)}")
        with ModelServer(answers) as server:
            for number, death in enumerate([*deaths, ""]):
                seconds = death if isinstance(death, float) else None
                point = "" if seconds else str(death)
                run.lives.append(drive(run.folder, "run", point, server.base_url, seconds=seconds))
                if run.lives[-1].status == 0:
                    run.missed = [str(one) for one in deaths[number:]]
                    break
            run.questions = [str(call.body) for call in server.requests]
        return run

    def all_of(self, deaths: Iterable[Sequence[str | float]]) -> list[Run]:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(self.run, deaths))

    def at_points(self, points: list[str]) -> list[Run]:
        """Runs killed at all of these points; those that a run did not come to, as it knew an answer by then or had a
        trial already, are died of in runs of their own."""
        count = max(min(AT_ONCE, 2), -(-len(points) // PER_RUN))
        runs = self.all_of([points[first::count] for first in range(min(count, len(points)))])
        return [*runs, *self.all_of([[point] for run in runs for point in run.missed])]

    def at_random(self, kills: int) -> list[Run]:
        moments, runs = random.Random(11), list[Run]()
        while (left := kills - sum(len(run.kills) for run in runs)) > 0:
            each = [min(PER_RUN, left - first) for first in range(0, left, PER_RUN)]
            runs += self.all_of([[moments.uniform(1.5, 7.5) for _ in range(count)] for count in each])
        return runs


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Killer:
    return Killer(tmp_path_factory.mktemp("points"))


@pytest.fixture(
    scope="module",
    params=["some points", *(pytest.param(name, marks=pytest.mark.long) for name in LONG)],
)
def killed(request: pytest.FixtureRequest, killer: Killer) -> Killed:
    known = [event["name"] for event in killer.unkilled.lives[0].of("point")]
    points = [name for name in known if not SKIPPED.match(name) and not REPEATED.search(name)]
    result = Killed(killer.unkilled, points=len(points))
    if request.param == "random moments":
        result.runs, result.moments = killer.at_random(MOMENTS), True
    elif request.param in LONG:
        result.runs = killer.at_points(points[LONG.index(request.param) :: 2])
    else:
        middle = points[len(points) // 3 :] + points
        some = [next(point for point in middle if point.startswith(kind)) for kind in KINDS]
        result.runs = killer.at_points(sorted(some, key=points.index))
    return result


def test_every_killed_run_ends_as_if_nothing_had_happened(killed: Killed, figure: Callable[[str], None]) -> None:
    lost = [run.folder.name for run in killed.runs if not run.report]
    ended = [run for run in killed.runs if run.report]
    wrong = {run.folder.name: found for run in ended if (found := differences(run, killed.unkilled))}
    died = {event["name"] for run in killed.runs for life in run.lives for event in life.of("died")}
    never = {point for run in killed.runs for point in run.missed} - died
    resumed = killed.deaths - sum(len(run.kills) for run in killed.runs if not run.report)
    figure(f"{resumed} of {killed.deaths} kills ({killed.points} points known, {len(killed.runs)} runs) resumed, "
           f"{len(lost)} runs lost, {len(wrong)} wrong")  # fmt: skip
    assert killed.points >= 70
    assert not lost
    assert not wrong
    assert killed.moments or not never, f"never came to {never}"


def differences(run: Run, unkilled: Run) -> list[str]:
    """In what a run ended otherwise than one that was not killed."""
    ours, theirs = run.report, unkilled.report
    found = [name for name in ("status", "metric", "revisions") if ours[name] != theirs[name]]
    if not is_whole(Path(ours["bundle"])):
        found.append("bundle")
    if run.lives[-1].of("result")[0]["reads"] != 1 or opened(run) > 1 + opened_in_vain(run):
        found.append("test read")
    return found


def opened(run: Run) -> int:
    """How often the locked test was looked at."""
    return sum(len(life.of("test_opened")) for life in run.lives)


def opened_in_vain(run: Run) -> int:
    """How often a kill came between the look and the note of what was seen."""
    looked = [life for life in run.kills if life.of("test_opened")]
    return sum(not any(one["name"].startswith("file:after:grade.json") for one in life.of("point")) for life in looked)


def test_only_nodes_at_work_run_again_and_no_finished_trial(killed: Killed, figure: Callable[[str], None]) -> None:
    again, most = 0, 0
    for run in killed.runs:
        more = Counter(stage for life in run.lives for stage in life.stages) - Counter(killed.unkilled.lives[0].stages)
        at_work = sum(life.at_work for life in run.kills)
        assert more.total() <= at_work, (run.folder, more)
        again, most = again + more.total(), max([most, *(life.at_work for life in run.kills)])
        assert not repeated(run.lives)
    assert killed.unkilled.lives[0].at_work == 0, "each node was seen to be saved"
    figure(f"{again} nodes run again after {killed.deaths} kills (at most {most} at work at once), 0 finished trials")


def test_an_answer_is_paid_twice_only_where_it_was_under_way(killed: Killed, figure: Callable[[str], None]) -> None:
    asked = len(killed.unkilled.questions)
    assert asked == len(set(killed.unkilled.questions)) > 4
    twice = 0
    for run in killed.runs:
        again = len(run.questions) - len(set(run.questions))
        assert again <= sum(life.calls_in_flight for life in run.kills)
        twice += again
    under_way = sum(life.calls_in_flight for run in killed.runs for life in run.kills)
    figure(f"{twice} questions paid twice of {asked} a run, {under_way} were under way at a kill")


def test_no_process_and_no_file_is_left(killed: Killed, figure: Callable[[str], None]) -> None:
    lives = [life for run in killed.runs for life in run.lives]
    survivors = [process for life in lives for process in life.survivors]
    between = sum(len(life.left) for run in killed.runs for life in run.kills)
    begun = {run.folder.name: found for run in killed.runs if (found := litter(run.folder))}
    started = sum(len(life.processes) for life in lives)
    figure(f"{killed.deaths} kills: {len(survivors)} of {started} processes left, {between} temporary folders until it "
           f"went on, {sum(map(len, begun.values()))} temporary or half-written files after it")  # fmt: skip
    assert not survivors
    assert not begun  # what the dead could not clear, and nobody else lived to clear, the next life has
    assert {life.status for life in lives} == {0, -signal.SIGKILL}
