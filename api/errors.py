"""Every error as an RFC 9457 problem, in one place and one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from api.described import PROBLEM
from crant_core.errors import (
    AccessDenied,
    Conflict,
    CrantError,
    InvalidInput,
    NotFound,
    RateLimited,
    SourceUnavailable,
    TokenInvalid,
    TokenMissing,
    TooManyIds,
)
from crant_core.jobs.wire import Problem

log = structlog.get_logger()

#: most specific first
_STATUS: tuple[tuple[type[CrantError], int], ...] = (
    (TokenMissing, 401),
    (TokenInvalid, 401),
    (AccessDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooManyIds, 413),
    (RateLimited, 429),
    (InvalidInput, 422),
    (SourceUnavailable, 503),
)
_SOON = {"Retry-After": "5"}
_SHOWN = 100  #: characters of an offending value that are repeated to the caller


def install(app: FastAPI) -> None:
    """Answer every error with a problem."""
    handlers: dict[Any, Any] = {
        CrantError: _on_crant_error,
        RequestValidationError: _on_bad_request,
        HTTPException: _on_http_error,
        DataError: _on_unstorable,
        OperationalError: _on_database_error,
        Exception: _on_bug,
    }
    app.exception_handlers.update(handlers)


@contextmanager
def about(field: str) -> Iterator[None]:
    """Say of errors which field of a request they are about, if they do not themselves."""
    try:
        yield
    except CrantError as error:
        error.field = error.field or field
        raise


def problem_from(error: CrantError) -> Problem:
    """Describe an error for a caller."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    value = None if error.value is None else str(error.value)[:_SHOWN]
    return _problem(status, error.code, error.message, hint=error.hint, value=value, field=error.field)


def _problem(status: int, code: str, detail: str, **more: Any) -> Problem:
    title = HTTPStatus(status).phrase
    return Problem(type=f"urn:crant:problem:{code}", title=title, status=status, code=code, detail=detail, **more)


def _respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    body = problem.model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, problem.status, media_type=PROBLEM, headers=dict(headers or {}))


async def _on_crant_error(request: Request, error: CrantError) -> Response:
    problem = problem_from(error)
    headers = {HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"}, HTTPStatus.SERVICE_UNAVAILABLE: _SOON}
    if isinstance(error, RateLimited):
        return _respond(problem, {"Retry-After": str(error.value)})
    return _respond(problem, headers.get(HTTPStatus(problem.status)))


async def _on_bad_request(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body")
    detail = f"{field}: {first['msg']}" if field else str(first["msg"])
    return _respond(_problem(422, "invalid_input", detail, field=field or None, hint="see /docs"))


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    code = HTTPStatus(error.status_code).name.lower()
    return _respond(_problem(error.status_code, code, str(error.detail)), error.headers)


async def _on_unstorable(request: Request, error: Exception) -> Response:
    """Refuse what PostgreSQL cannot hold, such as texts with the character 0."""
    detail = "a value of this request is nothing that the database can hold"
    return _respond(_problem(422, "invalid_input", detail, hint="look for control characters"))


async def _on_database_error(request: Request, error: Exception) -> Response:
    log.error("database unavailable", action="request_failed", path=request.url.path, error=str(error))
    detail = "the jobs database does not answer"
    return _respond(_problem(503, "database_unavailable", detail, hint="try again"), _SOON)


async def _on_bug(request: Request, error: Exception) -> Response:
    log.error("bug", action="request_failed", path=request.url.path, exc_info=error)
    return _respond(_problem(500, "internal", "an error of the service itself; it has been logged"))
