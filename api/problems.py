"""RFC 9457 problems: the one shape of every answer that is not a success. Used by the app and its routes."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from contracts.errors import NautesError, Unavailable
from resources.findings import Finding

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2  # seconds, when an outage names none


class Problem(BaseModel):
    """What went wrong: a stable `code`, and every finding at once."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""
    findings: list[Finding] = []
    undone: list[str] = []
    operation: str = ""


def answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The HTTP answer of a problem."""
    return JSONResponse(problem.model_dump(), problem.status, headers, MEDIA_TYPE)


def of_error(error: NautesError) -> JSONResponse:
    """The answer for an error of ours."""
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(int(error.retry_after or RETRY_AFTER))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(
        title=type(error).__name__,
        status=error.status,
        code=error.code,
        detail=error.message,
        findings=list(error.findings),
    )
    return answer(problem, headers)


def install(app: FastAPI) -> None:
    """Turn every error into a problem."""

    @app.exception_handler(NautesError)
    async def ours(_: Request, error: NautesError) -> JSONResponse:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        findings = [
            Finding(rule="request", message=str(each["msg"]), pointer="/" + "/".join(map(str, each["loc"])))
            for each in error.errors()
        ]
        text = "the request does not fit its schema"
        return answer(Problem(title="Refused", status=422, code="request-invalid", detail=text, findings=findings))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "route-unknown", 405: "method-not-allowed"}
        problem = Problem(
            title=str(error.detail),
            status=error.status_code,
            code=codes.get(error.status_code, "http-error"),
            detail=str(error.detail),
        )
        return answer(problem, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logging.getLogger("nautes.api").error("%s %s", request.method, request.url.path, exc_info=error)
        return answer(Problem(title="Internal error", status=500, code="internal", detail="see the log of the API"))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problem answers for OpenAPI."""
    return {status: {"model": Problem, "content": {MEDIA_TYPE: {}}} for status in statuses}
