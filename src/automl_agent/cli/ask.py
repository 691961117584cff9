"""Questions of a run to its person: asked on a terminal, otherwise left open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from automl_agent.delivery.words import printable
from automl_agent.records import Question, Report

Reply = str | bool
Ask = Callable[[str], str]
"""Shows a prompt and returns the line that was typed."""


def on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def typed(prompt: str) -> str:
    """Read a line; the prompt goes to stderr, so that stdout stays one JSON object."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt  # end of input: nobody is there
    return line.strip()


def reply_to(value: Any, *, answer: str | None, yes: bool, ask: Ask | None) -> Reply | None:
    """The reply to what a graph interrupted for: given beforehand, asked for, or `None`."""
    if "approve" in value:
        if yes:
            return True
        return None if ask is None else _approved(value["approve"], ask)
    if answer is not None:
        return answer
    return None if ask is None else _chosen(Question.model_validate(value["question"]), ask)


def left_open(value: Any, run_id: str, versions: dict[str, str] | None = None) -> Report:
    """The result of a run that waits for a person who is not there."""
    resume = f"automl-agent run --resume {run_id}"
    if "approve" in value:
        reason = f"{plans_text(value['approve'])}\nThe plans wait for approval: {resume} --yes"
        return Report(status="needs_answer", run_id=run_id, reason=reason, versions=versions or {})
    question = Question.model_validate(value["question"])
    reason = f"{question.text} Answer with: {resume} --answer VALUE"
    return Report(status="needs_answer", run_id=run_id, question=question, reason=reason, versions=versions or {})


def question_text(question: Question) -> str:
    choices = (f"  {number}. {choice}" for number, choice in enumerate(question.choices, 1))
    return printable("\n".join([question.text, *choices]))


def plans_text(proposal: Any) -> str:
    """What is going to be done, as the approval interrupt states it: task and plans as JSON."""
    task, plans = proposal.get("task") or {}, proposal.get("plans") or []
    facts = [f"{name} {task[name]}" for name in ("family", "target", "metric") if task.get(name)]
    lines = [", ".join(facts)] if facts else []
    for number, plan in enumerate(plans, 1):
        lines.append(f"  {number}. {plan.get('title', '')}: {plan.get('hypothesis', '')}".rstrip(": "))
        parts = [f"{key}: {', '.join(plan[key])}" for key in ("models", "steps", "features") if plan.get(key)]
        lines += [f"     {'; '.join(parts)}"] if parts else []
    return printable("\n".join(lines))


def _chosen(question: Question, ask: Ask) -> str:
    print(question_text(question), file=sys.stderr)
    prompt = "Number or name: " if question.choices else "Answer: "
    while True:
        line = ask(prompt)
        if line.isdecimal() and line not in question.choices:
            if 1 <= int(line) <= len(question.choices):
                return question.choices[int(line) - 1]
            if question.choices:
                continue
        if line:
            return line


def _approved(proposal: Any, ask: Ask) -> bool:
    print(plans_text(proposal), file=sys.stderr)
    return ask("Go on? [y/N] ").lower() in {"y", "yes"}
