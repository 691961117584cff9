"""How much of a request is understood (README.md): 60 requests with what they mean, by rules and with stand-in models.

Four readers: the rules alone; the rules with a model that knows the right answer (the most that a model can add); with
one that lies and invents its quotes; with one that lies and quotes the user's words. The models are played by
`automl_agent.testing.ScriptedChatModel` through the client of the library.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from parse_tables import TABLES

from automl_agent.agents.understanding.prompt import understand
from automl_agent.agents.understanding.with_model import understand_with
from automl_agent.errors import InputError
from automl_agent.llm.client import Client
from automl_agent.llm.models import model_book
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.settings import Settings
from automl_agent.tasks.family import Peek, TaskFamily
from automl_agent.tasks.registry import families
from automl_agent.testing import ScriptedChatModel

HERE = Path(__file__).parent
FIELDS = ("family", "target", "positive", "metric", "constraints", "roles")
UNITS = {"latency_ms": "ms", "train_seconds": "s", "size_mb": "MB", "memory_mb": "MB"}
NAMES = {kind: f"tabular_{kind}" for kind in ("classification", "regression")}
PACKAGES = ("automl-agent", "langchain-core", "pandas", "pydantic")

Case = dict[str, Any]
Answer = dict[str, Any]
Reader = Callable[[Case, Request], TaskSpec | Question]


# ---------------------------------------------------------------- the stand-in models


def said(value: object, quote: str) -> dict[str, str]:
    return {"value": str(value), "quote": quote[:300]} if value else {"value": "", "quote": ""}


def limited(measure: str, sign: str, value: str, *, quote: str) -> dict[str, str]:
    unit = UNITS.get(measure, "")
    return {"measure": measure, "comparison": sign, "value": value, "unit": unit, "quote": quote[:300]}


def able(case: Case) -> Answer:
    """What a model that understands the request perfectly would answer."""
    words, quotes = case["words"], case.get("quotes", {})
    clauses = [clause.strip() for clause in re.split(r"[.,;:?!](?:\s|$)", words) if clause.strip()]
    limits = [limit.split() for limit in case.get("constraints", ()) if " in " not in limit]
    task = "" if case["family"] == "question" else NAMES.get(case["family"], case["family"])
    return {
        "target": said(case.get("target"), quotes.get("target", words)),
        "task": said(task, words),
        "metric": said(case.get("metric"), quotes.get("metric", clauses[-1])),
        "positive": said(case.get("positive"), quotes.get("positive", words)),
        "constraints": [limited(*limit, quote=words) for limit in limits],
        "time": said(case.get("time"), words),
        "group": said(case.get("group"), words),
        "ignore": [said(name, words) for name in case.get("ignore", ())],
    }


def liar(case: Case, quote: Callable[[str], str]) -> Answer:
    """Wrong in every field: existing and invented columns, classes, metrics and requirements in turn."""
    table = TABLES[case["table"]]()
    place = len(case["words"])
    wrong = [name for name in table.columns if name != case.get("target")]
    column = wrong[place % len(wrong)] if place % 3 else "customer_mood"
    metric = ("specificity", "r2", "beauty")[place % 3]
    classes = table[case["target"]].astype(str).unique() if case.get("target") else ["gold"]
    other = next((name for name in classes if name != case.get("positive")), "gold")
    family = "tabular_regression" if case["family"] == "classification" else "tabular_classification"
    return {
        "target": said(column, quote("this column is wanted")),
        "task": said(family, quote("a task of this kind")),
        "metric": said(metric, quote("such a metric suits us")[-24:].partition(" ")[2]),
        "positive": said(other, quote("this class is meant")),
        "constraints": [
            limited("latency_ms", "<=", "1", quote=quote("within 1 ms")),
            limited("accuracy", ">=", "0.99", quote=quote("0.99 accuracy")),
            limited("size_mb", "<=", "30", quote=quote("up to 30 MB")),
        ],
        "time": said(wrong[0], quote("in order of it")),
        "group": said(wrong[1], quote("grouped by it")),
        "ignore": [said(name, quote("leave it out")) for name in wrong[:3]],
        "deliverables": [said("learning_curve", quote("a learning curve"))],
        "expertise": said("expert", quote("as experts")),
        "language": "zh",
    }


# ---------------------------------------------------------------- reading and judging


class Remembering:
    """A task family that looks at each table once: reading files is not what is measured here."""

    def __init__(self, family: TaskFamily) -> None:
        self._family = family
        self._seen: dict[tuple[str, ...], Peek | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._family, name)

    def peek(self, request: Request) -> Peek | None:
        if request.data not in self._seen:
            self._seen[request.data] = self._family.peek(request)
        return self._seen[request.data]


FAMILIES: dict[str, Any] = {name: Remembering(family) for name, family in families().items()}


def by_rules(_case: Case, request: Request) -> TaskSpec | Question:
    return understand(request, FAMILIES)


def with_model(answer: Callable[[Case], Answer], run: str, place: Path) -> Reader:
    """The rules with a model that gives this answer. Each stand-in has a run of its own: a run asks nothing twice."""

    def read(case: Case, request: Request) -> TaskSpec | Question:
        models = model_book(ScriptedChatModel(answer(case)))
        client = Client(models, Settings(), home=place, run_id=run, emit=lambda _: None, seconds_left=lambda: 60.0)
        return understand_with(client, request, FAMILIES, share_names=True, share_rows=5)

    return read


def readers(place: Path) -> dict[str, Reader]:
    def inventing(case: Case) -> Answer:
        return liar(case, lambda invented: invented)

    def quoting(case: Case) -> Answer:
        return liar(case, lambda _: case["words"])

    return {
        "rules": by_rules,
        "able model": with_model(able, "able", place),
        "liar, invented quotes": with_model(inventing, "inventing", place),
        "liar, true quotes": with_model(quoting, "quoting", place),
    }


def right(case: Case, task: TaskSpec | Question | InputError) -> dict[str, bool]:
    """Which of the fields that a case speaks of were read as meant."""
    if case["family"] == "question":
        return {"family": isinstance(task, Question)}
    fields = [name for name in ("target", "positive", "metric") if name in case]
    roles = {name: case[name] for name in ("time", "group", "ignore") if name in case}
    if not isinstance(task, TaskSpec):
        names = ["family", *fields, "constraints", *(["roles"] if roles else [])]
        return dict.fromkeys(names, False)
    family = task.family == NAMES.get(case["family"], case["family"]) and not task.options.get("program")
    found = {"family": family, **{name: getattr(task, name) == case[name] for name in fields}}
    found["constraints"] = sorted(map(plain, task.constraints)) == sorted(map(spelt, case.get("constraints", ())))
    if roles:
        found["roles"] = all(
            set(task.ignore) == set(names) if name == "ignore" else getattr(task, name) == names
            for name, names in roles.items()
        )
    return found


def plain(limit: Any) -> str:
    value = f"{limit.value:g}" if isinstance(limit.value, float) else ",".join(limit.value)
    return f"{limit.measure} {limit.comparison} {value}"


def spelt(limit: str) -> str:
    """An expected requirement, its number as `plain` writes it."""
    head, value = limit.rsplit(" ", 1) if " in " not in limit else (limit, "")
    return f"{head} {float(value):g}" if value else head


def measure(cases: list[Case]) -> dict[str, list[dict[str, bool]]]:
    """Per reader, per case: which fields are right."""
    found: dict[str, list[dict[str, bool]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, build in TABLES.items():
            build().to_csv(place / f"{name}.csv", index=False)
        for name, read in readers(place / "home").items():
            found[name] = []
            for case in cases:
                request = Request(words=case["words"], data=(str(place / f"{case['table']}.csv"),))
                try:
                    task: TaskSpec | Question | InputError = read(case, request)
                except InputError as error:
                    task = error
                found[name].append(right(case, task))
    return found


def counted(results: list[dict[str, bool]]) -> dict[str, tuple[int, int]]:
    """Right and asked, per field; and requests read right in all fields."""
    counts = {
        field: (sum(each.get(field, False) for each in results), sum(field in each for each in results))
        for field in FIELDS
    }
    return {**counts, "whole request": (sum(all(each.values()) for each in results), len(results))}


def lowered(rules: list[dict[str, bool]], other: list[dict[str, bool]]) -> int:
    """Fields that the rules alone read right, and the rules with a model do not."""
    return sum(known and not both[name] for one, both in zip(rules, other, strict=True) for name, known in one.items())


def main() -> int:
    started = time.perf_counter()
    cases: list[Case] = yaml.safe_load((HERE / "requests.yaml").read_text(encoding="utf-8"))
    found = measure(cases)
    counts = {name: counted(results) for name, results in found.items()}
    print(f"{'':24}" + "".join(f"{field:>15}" for field in counts["rules"]) + f"{'lowered':>10}")
    for name, fields in counts.items():
        cells = "".join(f"{f'{good}/{asked}':>15}" for good, asked in fields.values())
        print(f"{name:24}{cells}{lowered(found['rules'], found[name]):>10}")
    for name in ("rules", "able model"):
        print(f"\nNot read right by: {name}")
        for case, each in zip(cases, found[name], strict=True):
            if missed := [field for field, good in each.items() if not good]:
                print(f"  {', '.join(missed):34} {case['words'][:90]}")
    record = {
        "requests": len(cases),
        "right": {name: {field: f"{a}/{b}" for field, (a, b) in fields.items()} for name, fields in counts.items()},
        "lowered": {name: lowered(found["rules"], results) for name, results in found.items()},
        "fields": [
            {"words": case["words"], **{name: results[i] for name, results in found.items()}}
            for i, case in enumerate(cases)
        ],
        "seconds": round(time.perf_counter() - started, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    (HERE / "results").mkdir(exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (HERE / "results" / "parse.json").write_text(f"{text}\n", encoding="utf-8")
    return 1 if record["lowered"]["liar, invented quotes"] else 0


if __name__ == "__main__":
    sys.exit(main())
