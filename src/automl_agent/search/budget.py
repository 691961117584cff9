"""How the seconds of a run are shared out. One deadline; every phase gets a part of what is really left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shares:
    """Seconds, counted from now, that each phase may use."""

    explore: float
    """Agents and the lowest rung of all plans."""
    implement: float
    """Later rungs, tuning and the ensemble; counted from the end of exploring."""
    keep: float
    """Kept back for further revisions."""


ROW_SECONDS = 4e-5
"""What blending and grading take for a row of a usual table."""
SLACK, SLACK_SECONDS = 0.05, 3.0
"""Kept besides, because delivery mostly starts programs, which takes twice as long where other work is done beside."""


def delivery_reserve(budget: float, rows: int, *, generated: bool = False) -> float:
    """Seconds kept for building, grading, checking the server and writing the report.

    About 8 s on two cores for a small table, and 2 s more for each 50,000 rows that are blended and graded; never more
    than 42 % of the budget. A bundle with generated code is built, rehearsed, graded and served in the sandbox, where
    every step imports its libraries anew: about twice that. A twentieth of the budget, 3 s at most, is for a busy
    machine.
    """
    usual = (2.0 if generated else 1.0) * 9.0 + rows * ROW_SECONDS
    return min(usual + min(SLACK * budget, SLACK_SECONDS), 0.42 * budget)


def shares(left: float, *, reserve: float, revisions_left: int, may_be_missed: bool, explore: float = 0.38) -> Shares:
    """Share out the `left` seconds of a run before a round of planning.

    Args:
        reserve: seconds kept for delivery.
        revisions_left: rounds that may still follow this one.
        may_be_missed: whether the user set a score that this round could fail to reach.
        explore: share of the working time for agents and the first comparison.
    """
    usable = max(0.0, left - reserve)
    keep = max(0.35 * usable, min(8.0, 0.5 * usable)) if revisions_left > 0 and may_be_missed else 0.0
    working = usable - keep
    return Shares(explore=explore * working, implement=(1 - explore) * working, keep=keep)


def quotas(trials: int | None, *, agents: int, plans: int, keep: bool) -> dict[str, int | None]:
    """How many trials each agent, each plan and the implementation may run; `None` where the number is not bounded.

    Fixed before the parallel work begins, so that the same bound always means the same work. Every plan gets one trial
    at least, and so does the implementation.

    Args:
        trials: trials left for this round and those that may follow.
        agents: sub-task agents at work, over all plans.
        keep: whether a part is kept back for a revision.
    """
    if trials is None:
        return {"agent": None, "plan": None, "implement": None}
    now = int(0.6 * trials) if keep else trials
    agent = int(0.4 * now) // max(1, agents)
    plan = max(1, int(0.3 * now) // plans)
    return {"agent": agent, "plan": plan, "implement": max(1, now - agent * agents - plan * plans)}
