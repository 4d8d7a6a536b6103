"""RFC 9457 problems: the form of every answer that is not a success. Used by the app and its routes."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from nautes.messages.errors import (
    Conflict,
    Forbidden,
    NautesError,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from nautes.resources.documents import pointer_of
from nautes.resources.findings import Finding

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2  # seconds of Retry-After, when an outage names none
CODES = {404: "route-unknown", 405: "method-not-allowed"}


class Problem(BaseModel):
    """What went wrong: a stable `code`, and every finding at once."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""
    findings: list[Finding] = []
    undone: list[str] = []
    operation: str = ""


class Gone(NotFound):
    """The requested thing existed and is no longer kept."""


class PreconditionFailed(Conflict):
    """`If-Match` or `If-None-Match` does not hold."""


class UnsupportedMedia(Refused):
    """A body of a media type that the route does not accept."""


class TooMany(Unavailable):
    """Too many requests; `retry_after` is the time to wait in seconds."""


STATUSES: dict[type[NautesError], int] = {
    Refused: 422,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    Unavailable: 503,
    Gone: 410,
    PreconditionFailed: 412,
    UnsupportedMedia: 415,
    TooMany: 429,
}


def status_of(error: NautesError) -> int:
    """The HTTP status of an error: that of its class, or of the nearest class it is derived from."""
    return next((STATUSES[each] for each in type(error).__mro__ if each in STATUSES), 500)


def answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The HTTP answer of a problem."""
    return JSONResponse(problem.model_dump(), problem.status, headers, MEDIA_TYPE)


def of_error(error: NautesError) -> JSONResponse:
    """The answer for an error of ours."""
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(int(error.retry_after or RETRY_AFTER))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(
        title=type(error).__name__,
        status=status_of(error),
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
            Finding(rule="request", message=str(each["msg"]), pointer=pointer_of(*map(str, each["loc"])))
            for each in error.errors()
        ]
        text = "the request does not fit its schema"
        return answer(Problem(title="Refused", status=422, code="request-invalid", detail=text, findings=findings))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        problem = Problem(
            title=str(error.detail),
            status=error.status_code,
            code=CODES.get(error.status_code, "http-error"),
            detail=str(error.detail),
        )
        return answer(problem, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logging.getLogger("nautes.api").error("%s %s", request.method, request.url.path, exc_info=error)
        return answer(Problem(title="Internal error", status=500, code="internal", detail="see the log of the API"))


ALWAYS = (401, 403, 404, 422, 500, 503)  # the statuses that every route may answer with
WRITES = (*ALWAYS, 409, 412, 413, 415)
TEXTS = {
    401: "The token is unknown or missing",
    403: "A permission is missing; the detail names it",
    404: "Not found, or hidden from you",
    409: "Cancelled, or changed since the named plan was made",
    410: "The cursor's commit is kept no longer: begin again",
    412: "If-Match or If-None-Match does not hold",
    413: "The body is too large",
    415: "The media type of the body is not accepted here",
    422: "Refused: the findings say why",
    429: "Too many requests; see Retry-After",
    500: "An error of the platform",
    503: "A system that is needed does not answer; see Retry-After",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problem answers for OpenAPI; the schema is added by api/openapi.py."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {each: {"description": TEXTS[each], "content": {MEDIA_TYPE: {"schema": schema}}} for each in statuses}
