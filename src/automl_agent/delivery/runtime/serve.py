"""Serve the model over HTTP: `python serve.py [--host 127.0.0.1] [--port 8000]`.

    POST /predict   {"rows": [{"column": value, ...}, ...], "reasons": false}, 1 to 1,000 rows
    GET  /healthz   the process answers            GET /schema    columns, types and ranges
    GET  /readyz    known rows are predicted right  GET /metrics   counters; /openapi.json and /docs describe it all

With BUNDLE_TOKEN set, all but /healthz and /readyz (also /docs and /metrics) need `Authorization: Bearer <token>`.
"""

import argparse
import logging
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import uvicorn
from ensemble import DamagedBundle, Ensemble, damaged
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from guard import Connection, Guard, JsonLines, log, refuse
from predict import describe
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, create_model, model_validator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException

MAX_BODY = 1_000_000
"""Bytes of a request, unless a few of its rows may be longer."""
BODY_ROWS = 4
"""Rows of the greatest length that a request may hold in any case."""
MAX_ROWS = 1_000
MAX_REASONS = 100
MAX_OCCLUDED = 50_000
"""Rows times columns that reasons are given for at most: each is a prediction."""
"""Reasons cost one prediction per row and column: they are given for at most so many rows at once."""
MAX_PROBLEMS = 20
"""Of a request that does not fit: so many are said, and so many unknown fields of a row looked at."""
REFUSALS = {
    400: "the body is not JSON, or ended early",
    401: "the bearer token is missing or wrong",
    408: "the body came too slowly",
    411: "the body has no stated length",
    413: "the body is too large",
    422: "the request does not fit the schema, or a row has no finite prediction",
    429: "too many requests at once",
}


def _numeric(values: list[str]) -> bool:
    try:
        return bool(values) and all(float(value) == float(value) for value in values)
    except ValueError:
        return False


def _type(column: dict[str, Any]) -> Any:
    """The JSON types that a column accepts; `null` always means unknown."""
    if column["kind"] == "number":
        return Annotated[float, Field(strict=True, allow_inf_nan=False)] | None
    values = column.get("values", [])
    text: Any = Annotated[str, Field(strict=True, max_length=_longest(column))]
    for also in column.get("also", ()):  # JSON that the reader writes as text
        text = text | {"number": StrictInt, "list": list[Any], "object": dict[str, Any]}[also]
    if column["kind"] == "boolean":
        return text | StrictBool | StrictInt | None
    if column["kind"] == "category" and _numeric(values):
        return text | StrictInt | Annotated[float, Field(strict=True, allow_inf_nan=False)] | None
    return text | None


def _longest(column: dict[str, Any]) -> int:
    """Letters that a value may have."""
    return max(1_000, 2 * max([column.get("max_length") or 0, *map(len, column.get("values", []))]))


def body_limit(schema: dict[str, Any]) -> int:
    """Bytes that the body of a request may have."""
    return max(MAX_BODY, BODY_ROWS * sum(_longest(column) for column in schema["columns"] if "max_length" in column))


def row_model(schema: dict[str, Any]) -> type[BaseModel]:
    """A model of one row; fields have names of their own because a column's name may be anything."""
    fields = {
        f"column_{i}": (_type(column), Field(None, alias=column["name"], description=column["kind"]))
        for i, column in enumerate(schema["columns"])
    }
    known = {column["name"] for column in schema["columns"]}

    def few(row: Any) -> Any:
        """Not a hundred thousand problems for as many fields that nobody knows."""
        if isinstance(row, dict) and len(row) > len(known) + MAX_PROBLEMS:
            raise PydanticCustomError("too_many_fields", "the row has more fields than there are columns")
        return row

    config = ConfigDict(extra="forbid", json_schema_extra={"example": schema.get("sample", {})})
    return create_model("Row", __config__=config, __validators__={"few": model_validator(mode="before")(few)}, **fields)


class Problem(BaseModel):
    """Where a request does not fit, and why."""

    field: str
    problem: str


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str
    fields: list[Problem] = []
    request_id: str


class NoPrediction(ValueError):
    """The model has no finite number for a row."""


def answer(model: Ensemble, rows: list[dict[str, Any]], *, reasons: bool) -> dict[str, Any]:
    """The answer to one request."""
    given = [name for name in model.columns if any(name in row for row in rows)]
    raw = pd.DataFrame([[row.get(name) for name in given] for row in rows], columns=given, dtype=object)
    try:
        frame = model.typed(raw)
        with np.errstate(over="ignore", invalid="ignore"):
            scores = model.predict_scores(frame)
    except (ValueError, OverflowError) as error:
        log.warning("no prediction", extra={"fields": {"error": type(error).__name__}})
        raise NoPrediction("the model cannot predict these rows: a value is too large or of no use to it") from error
    wrong = np.flatnonzero(~np.isfinite(scores.reshape(len(rows), -1)).all(axis=1))
    if len(wrong):
        raise NoPrediction(f"row {wrong[0]} has no finite prediction: its numbers are too large for the model")
    result: dict[str, Any] = {"predictions": model.answers(scores).tolist()}
    if scores.ndim == 2:
        result["probabilities"] = [dict(zip(model.classes, row, strict=True)) for row in scores.tolist()]
    bounds = model.bounds(frame, scores)
    if bounds is not None:
        result["intervals"] = [list(pair) for pair in zip(*(bound.tolist() for bound in bounds), strict=True)]
    if reasons:
        result["reasons"] = model.explain(frame)
    problems = model.reader.inspect(raw, model.schema)
    result["warnings"] = [problem | {"text": describe(problem)} for problem in problems]
    return result


def build_app(model: Ensemble, *, token: str = "", in_flight: int = 8) -> Any:
    """The application; `token` empty means that none is asked for."""
    counters: Counter[str] = Counter()
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": text} for status, text in REFUSALS.items()
    }
    app = FastAPI(title="Predictions", version=str(model.solution["run_id"]), redoc_url=None, responses=refusals)
    limit = body_limit(model.schema)
    app.add_middleware(Guard, token=token, in_flight=in_flight, counters=counters, limit=limit)
    rows = Annotated[list[row_model(model.schema)], Field(min_length=1, max_length=MAX_ROWS, fail_fast=True)]  # type: ignore[misc]
    Body = create_model("Body", __config__=ConfigDict(extra="forbid"), rows=(rows, ...), reasons=(StrictBool, False))
    asks = [Depends(HTTPBearer(auto_error=False))] if token else []  # says so in /openapi.json; the guard does it
    try:
        model.check_golden()
        problem = ""
    except DamagedBundle as error:
        problem = str(error)
        log.error(problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Any, error: RequestValidationError) -> JSONResponse:
        """Says where and why, without echoing the values."""
        found = {error["loc"][1:4]: error["msg"] for error in reversed(error.errors())}
        fields = [{"field": _shown(place), "problem": text} for place, text in sorted(found.items(), key=str)]
        error_text = "the request does not fit the schema"
        return refuse(422, error_text, request.state.request_id, fields=fields[:MAX_PROBLEMS])

    @app.exception_handler(HTTPException)
    async def refused(request: Any, error: HTTPException) -> JSONResponse:
        """No such page, another method, a body that is no JSON."""
        return refuse(error.status_code, str(error.detail), request.state.request_id, dict(error.headers or {}))

    @app.exception_handler(NoPrediction)
    async def overflown(request: Any, error: NoPrediction) -> JSONResponse:
        return refuse(422, str(error), request.state.request_id)

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        return {"status": "ok", "run_id": model.solution["run_id"]}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        return JSONResponse({"status": problem or "ready"}, status_code=503 if problem else 200)

    @app.get("/schema", dependencies=asks)
    def schema() -> dict[str, Any]:
        return model.schema

    @app.get("/metrics", dependencies=asks, response_class=PlainTextResponse)
    def metrics() -> str:
        return "".join(f"bundle_{name} {value}\n" for name, value in sorted(counters.items()))

    @app.post("/predict", dependencies=asks)
    def predict(request: Request, body: Body) -> JSONResponse:  # type: ignore[valid-type]
        if problem:
            return refuse(503, problem, request.state.request_id)
        most = max(1, min(MAX_REASONS, MAX_OCCLUDED // max(1, len(model.columns))))
        if body.reasons and len(body.rows) > most:  # type: ignore[attr-defined]
            text = f"reasons are given for at most {most} rows"
            return refuse(422, text, request.state.request_id)
        given = [row.model_dump(by_alias=True, exclude_unset=True) for row in body.rows]  # type: ignore[attr-defined]
        result = answer(model, given, reasons=body.reasons)  # type: ignore[attr-defined]
        counters["rows_total"] += len(given)
        counters["warnings_total"] += len(result["warnings"])
        try:
            return JSONResponse(result)
        except ValueError as error:
            raise NoPrediction("an interval or a reason is not finite: a number is too large for the model") from error

    return app


def _shown(place: tuple[Any, ...]) -> str:
    """A place in a request; names may have any length."""
    return ".".join(map(str, place))[:200]


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the model over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--in-flight", type=int, default=8, help="predictions at once; more are answered 429")
    arguments = parser.parse_args()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    token = os.environ.get("BUNDLE_TOKEN", "")
    if not token and arguments.host not in ("127.0.0.1", "localhost", "::1"):
        log.warning("BUNDLE_TOKEN is not set: everyone who reaches this port can ask for predictions")
    folder = Path(__file__).parent
    try:
        with damaged(folder):
            app = build_app(Ensemble.load(folder), token=token, in_flight=arguments.in_flight)
    except DamagedBundle as error:
        log.error(str(error))
        sys.exit(1)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_config=None, access_log=False, http=Connection,
                ws="none", timeout_graceful_shutdown=10)  # fmt: skip


if __name__ == "__main__":
    main()
