"""The graph as a tool of an agent."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from automl_agent.delivery.gain import gain
from automl_agent.delivery.words import short
from automl_agent.errors import AutoMLError, InputError
from automl_agent.records import Question, Report, Request

DESCRIPTION = (
    "Makes a machine-learning model from a request in plain words and a table. Trains and compares models, tests the "
    "best one on locked rows, and returns JSON: status, metric with test score and baseline, constraints required "
    "against measured, and the folder of the model. It takes as long as its budget."
)
_TOLD = (
    "status", "run_id", "reason", "question", "score", "metric", "constraints", "task", "bundle", "predictions",
    "report", "summary", "cost", "subgroups",
)  # fmt: skip
"""Fields of the report that an agent is told as they are: its context is short. The whole is in `result.json`."""
_LONGEST, _MOST = 300, 10
"""Characters of a text, and number of warnings and modules, that an agent is told."""


class ToolInput(BaseModel):
    request: str = Field(
        description="What to predict and what matters, in plain words, with limits: 'F1 at least 0.6'."
    )
    data: str | list[str] | None = Field(None, description="Path or link of the table, or openml:NAME; or several.")
    target: str | None = Field(None, description="Column to predict, when the words do not make it clear.")
    positive: str | None = Field(None, description="Class that counts as positive, as written in the data.")
    metric: str | None = Field(None, description="Metric to optimise, such as f1, roc_auc or rmse.")
    family: str | None = Field(None, description="Task family, such as tabular_classification.")
    budget: float | None = Field(None, gt=0, description="Seconds from the start to the result.")


def as_tool(graph: Any, name: str = "automl", description: str = DESCRIPTION) -> StructuredTool:
    """Wrap a graph of `build_graph()` as a LangChain tool; sync and async.

    Bad input is an answer of the tool (`{"status": "failed", "reason": ...}`), so that the agent can correct itself;
    all other errors are raised.
    """

    def run(**fields: Any) -> str:
        try:
            return answer(graph.invoke(inputs(**fields)))
        except InputError as error:
            return failed(error)

    async def arun(**fields: Any) -> str:
        try:
            return answer(await graph.ainvoke(inputs(**fields)))
        except InputError as error:
            return failed(error)

    return StructuredTool.from_function(
        func=run, coroutine=arun, name=name, description=description, args_schema=ToolInput, infer_schema=False
    )


def inputs(request: str, data: str | list[str] | None = None, **overrides: Any) -> dict[str, Request]:
    """The graph's input."""
    paths = (data,) if isinstance(data, str) else tuple(data or ())
    return {"request": Request(words=request, data=paths, **overrides)}


def answer(out: dict[str, Any]) -> str:
    """The result as JSON, in short."""
    return _told(report_of(out))


def report_of(out: dict[str, Any]) -> Report:
    """The report of a run; a run that stopped at a question answers with the question."""
    report: Report | None = out.get("report")
    if report is not None:
        return report
    if not out.get("__interrupt__"):
        raise AutoMLError("The run ended without a result.")
    value = out["__interrupt__"][0].value
    if "question" in value:
        question = Question.model_validate(value["question"])
        return Report(status="needs_answer", reason=question.text, question=question)
    return Report(status="needs_answer", reason="The plans wait for approval.")


def failed(error: InputError) -> str:
    return _told(Report(status="failed", reason=str(error)))


def _told(report: Report) -> str:
    told = json.loads(report.model_dump_json(include=set(_TOLD), exclude_none=True))
    told["summary"] = short(report.summary, 4 * _LONGEST)
    told["warnings"] = [short(warning, _LONGEST) for warning in report.warnings[:_MOST]]
    higher = report.metric.get("higher_is_better") is not False
    told["code"] = [
        {"title": short(module.title, _LONGEST), "status": module.status, "gain": gain(module, higher_is_better=higher)}
        for module in report.code[:_MOST]
    ]
    return json.dumps({name: value for name, value in told.items() if value not in ("", [], {})}, ensure_ascii=False)
