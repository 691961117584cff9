"""What the page shows of the language models' work, as plain values: the summary, the code, the calls."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from automl_agent.delivery.gain import gained
from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.spending import Spending, by_role, outcome_name
from automl_agent.delivery.words import DASH, duration, listing, money, number, paragraphs, plural
from automl_agent.records import CodeModule

_KINDS = {"features": "new columns", "model": "a model", "program": "a whole program"}
_SOURCE_SHOWN = 40_000
"""Characters of a module."""


def summary(content: ReportContent) -> dict[str, Any] | None:
    """The result in words, and who wrote them."""
    told = paragraphs(content.summary)
    if not told:
        return None
    writers = [call.model for call in content.calls if call.role == "report" and call.outcome == "ok"]
    writer = writers[-1] if writers else "a language model"
    rules = content.summary_by != "model"
    return {"paragraphs": told, "by": "the library’s rules" if rules else f"{writer} from the library’s numbers"}


def modules(content: ReportContent) -> list[dict[str, Any]]:
    """The kept modules first."""
    order = ("kept", "dropped", "failed")
    titles = {plan.id: plan.title for plan in content.plans}
    return [
        {
            "id": module.id, "title": module.title, "kind": _KINDS[module.kind], "status": module.status,
            "plan": titles.get(module.plan, DASH), "by": module.by, "reason": module.reason,
            "versions": _versions(module), "score": _score(content, module), "findings": module.findings,
            "source": _visible(content.sources.get(module.id, "")),
        }
        for module in sorted(content.code, key=lambda module: order.index(module.status))
    ]  # fmt: skip


def _versions(module: CodeModule) -> str:
    if module.status == "failed":
        return f"{plural(module.versions, 'version')}, none ran"
    return "ran as first written" if module.versions == 1 else f"{number(module.versions)}, the last one ran"


def _score(content: ReportContent, module: CodeModule) -> str:
    brought = gained(module, higher_is_better=content.metric.higher_is_better)
    if not brought:
        return ""
    return (
        f"{content.metric.title} {number(module.score_without)} without → {number(module.score_with)} with: {brought}"
    )


def _visible(source: str) -> str:
    """Source as it is, but for characters that a reader cannot see: these are written as escapes."""
    shown = "".join(
        letter if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else f"\\u{ord(letter):04x}"
        for letter in source.replace("\r\n", "\n")[:_SOURCE_SHOWN]
    )  # fmt: skip
    return shown if len(source) <= _SOURCE_SHOWN else f"{shown}\n# … {number(len(source))} characters in all"


def spending(content: ReportContent) -> dict[str, Any] | None:
    """The calls by role, their totals with the limits, and what is not exact about them."""
    if not content.calls:
        return None
    roles = by_role(content.calls)
    total = Spending(content.calls)
    return {
        "roles": [{"name": role, **_row(spent)} for role, spent in roles.items()],
        "total": {"name": "all", **_row(total)},
        "said": f"{listing(total.models)}: {total}.",
        "limits": _limits(content.limits),
        "notes": _notes(total),
    }


def _row(spent: Spending) -> dict[str, str]:
    outcomes = [f"{number(count)} {outcome_name(kind)}" for kind, count in spent.outcomes.items()]
    return {
        "calls": number(len(spent.calls)),
        "outcomes": ", ".join(outcomes),
        "input": number(spent.input_tokens),
        "output": number(spent.output_tokens),
        "seconds": duration(spent.seconds),
        "money": spent.money,
    }


def _limits(limits: Mapping[str, float]) -> str:
    parts = [money(limits["max_cost"])] if "max_cost" in limits else []
    parts += [plural(int(limits["max_tokens"]), "token")] if "max_tokens" in limits else []
    parts += [plural(int(limits["max_calls"]), "call")] if "max_calls" in limits else []
    return listing(parts)


def _notes(total: Spending) -> list[str]:
    notes = (
        (total.cached, "answered from memory, at no cost"),
        (total.estimated, "without a reported usage, counted with an upper bound of the tokens"),
        (total.unpriced, "of a model whose price is not known; --prices takes a file of prices"),
    )
    return [f"{plural(count, 'call')} {text}." for count, text in notes if count]
