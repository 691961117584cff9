"""Serve the model over HTTP: `python serve.py [--host 127.0.0.1] [--port 8000]`.

    POST /predict   {"rows": [{"column": value, ...}, ...], "reasons": false}, 1 to 1,000 rows
    GET  /healthz   the process answers            GET /schema    columns, types and ranges
    GET  /readyz    known rows are predicted right  GET /metrics   counters; /openapi.json and /docs describe it all

With BUNDLE_TOKEN set, all but /healthz and /readyz need `Authorization: Bearer <token>`.
"""

import argparse
import asyncio
import hmac
import json
import logging
import os
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import uvicorn
from ensemble import DamagedBundle, Ensemble
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from predict import describe
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, create_model

MAX_BODY = 1_000_000
"""Bytes of a request, unless a few of its rows may be longer."""
BODY_ROWS = 4
"""Rows of the greatest length that a request may hold in any case."""
MAX_ROWS = 1_000
MAX_REASONS = 100
"""Reasons cost one prediction per row and column: they are given for at most so many rows at once."""
BODY_SECONDS = 10.0
OPEN_PATHS = ("/healthz", "/readyz")
log = logging.getLogger("bundle")


class JsonLines(logging.Formatter):
    """One JSON object a line; never a payload or a header."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {"time": round(record.created, 3), "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(fields | getattr(record, "fields", {}))


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
    config = ConfigDict(extra="forbid", json_schema_extra={"example": schema.get("sample", {})})
    return create_model("Row", __config__=config, **fields)


class Guard:
    """Answers what must not reach the model (wrong token, body too large or too slow, too many at once); logs all."""

    def __init__(self, app: Any, *, token: str, in_flight: int, counters: Counter[str], limit: int = MAX_BODY) -> None:
        self.app, self.token, self.free, self.counters = app, token.encode(), in_flight, counters
        self.limit = limit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, identity, seen = time.perf_counter(), uuid.uuid4().hex, {"status": 0}
        scope.setdefault("state", {})["request_id"] = identity

        async def tagged(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message = message | {"headers": [*message.get("headers", []), (b"x-request-id", identity.encode())]}
            await send(message)

        try:
            await self._answer(scope, receive, tagged)
        except Exception as error:
            log.error("failed", extra={"fields": {"request_id": identity, "error": type(error).__name__}})
            if not seen["status"]:
                await refuse(500, "internal error", identity)(scope, receive, tagged)
        seconds = time.perf_counter() - started
        self.counters[f'requests_total{{status="{seen["status"]}"}}'] += 1
        self.counters["request_seconds_sum"] += seconds  # type: ignore[assignment]
        fields = {"request_id": identity, "method": scope["method"], "path": scope["path"], "status": seen["status"]}
        log.info("request", extra={"fields": fields | {"ms": round(seconds * 1000, 2)}})

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers, identity = dict(scope["headers"]), scope["state"]["request_id"]
        given = headers.get(b"authorization", b"")
        if self.token and scope["path"] not in OPEN_PATHS and not hmac.compare_digest(given, b"Bearer " + self.token):
            return await refuse(401, "a bearer token is needed", identity)(scope, receive, send)
        if scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        length = headers.get(b"content-length", b"")
        if not length.isdigit():
            return await refuse(411, "Content-Length is needed", identity)(scope, receive, send)
        if int(length) > self.limit:
            return await refuse(413, f"the body may have {self.limit} bytes at most", identity)(scope, receive, send)
        if self.free <= 0:
            return await refuse(429, "too many requests at once", identity, {"Retry-After": "1"})(scope, receive, send)
        self.free -= 1
        try:
            body = await asyncio.wait_for(_read(receive), BODY_SECONDS)
        except TimeoutError:
            self.free += 1
            return await refuse(408, "the body came too slowly", identity)(scope, receive, send)
        try:
            return await self.app(scope, _replay(body, receive), send)
        finally:
            self.free += 1


async def _read(receive: Any) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replay(body: bytes, receive: Any) -> Any:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again


def refuse(status: int, error: str, identity: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    return JSONResponse({"error": error, **more, "request_id": identity}, status_code=status, headers=headers)


def answer(model: Ensemble, rows: list[dict[str, Any]], *, reasons: bool) -> dict[str, Any]:
    """The answer to one request."""
    given = [name for name in model.columns if any(name in row for row in rows)]
    raw = pd.DataFrame([[row.get(name) for name in given] for row in rows], columns=given, dtype=object)
    frame = model.typed(raw)
    scores = model.predict_scores(frame)
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
    app = FastAPI(title="Predictions", version=str(model.solution["run_id"]), redoc_url=None)
    limit = body_limit(model.schema)
    app.add_middleware(Guard, token=token, in_flight=in_flight, counters=counters, limit=limit)
    rows = Annotated[list[row_model(model.schema)], Field(min_length=1, max_length=MAX_ROWS)]  # type: ignore[misc]
    Body = create_model("Body", __config__=ConfigDict(extra="forbid"), rows=(rows, ...), reasons=(StrictBool, False))
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
        fields = [
            {"field": ".".join(map(str, place)), "problem": text} for place, text in sorted(found.items(), key=str)
        ]
        return refuse(422, "the request does not fit the schema", request.state.request_id, fields=fields[:20])

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        return {"status": "ok", "run_id": model.solution["run_id"]}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        return JSONResponse({"status": problem or "ready"}, status_code=503 if problem else 200)

    @app.get("/schema")
    def schema() -> dict[str, Any]:
        return model.schema

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> str:
        return "".join(f"bundle_{name} {value}\n" for name, value in sorted(counters.items()))

    @app.post("/predict")
    def predict(body: Body) -> JSONResponse:  # type: ignore[valid-type]
        if problem:
            return JSONResponse({"error": problem}, status_code=503)
        if body.reasons and len(body.rows) > MAX_REASONS:  # type: ignore[attr-defined]
            return JSONResponse({"error": f"reasons are given for at most {MAX_REASONS} rows"}, status_code=422)
        given = [row.model_dump(by_alias=True, exclude_unset=True) for row in body.rows]  # type: ignore[attr-defined]
        result = answer(model, given, reasons=body.reasons)  # type: ignore[attr-defined]
        counters["rows_total"] += len(given)
        counters["warnings_total"] += len(result["warnings"])
        return JSONResponse(result)

    return app


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
    try:
        app = build_app(Ensemble.load(Path(__file__).parent), token=token, in_flight=arguments.in_flight)
    except DamagedBundle as error:
        log.error(str(error))
        sys.exit(1)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_config=None, access_log=False,
                timeout_graceful_shutdown=10)  # fmt: skip


if __name__ == "__main__":
    main()
