"""Shows errors of the dashboard's own addresses as pages; all others stay problems in JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import WebSocketRequestValidationError
from fastapi.responses import RedirectResponse, Response

from api.dashboard.pages import Pages
from crant_core.jobs.wire import Problem

_ROOTS = (
    "",
    "login",
    "logout",
    "jobs",
    "new",
    "schedules",
    "workers",
    "storage",
    "static",
)  #: first words of the dashboard's addresses
_KEPT = ("allow", "connection", "retry-after")  #: headers that say what the caller may do next

Handler = Callable[[Request, Any], Awaitable[Response]]


def install(app: FastAPI, pages: Pages) -> None:
    """Put pages in front of the handlers that are there; they still decide what the problem is."""
    handlers: dict[Any, Any] = app.exception_handlers
    for error in set(handlers) - {WebSocketRequestValidationError}:
        handlers[error] = _with_pages(handlers[error], pages)


def is_page(path: str) -> bool:
    """Say whether an address belongs to the dashboard."""
    return path.split("/")[1] in _ROOTS


def _with_pages(handler: Handler, pages: Pages) -> Handler:
    async def handle(request: Request, error: Any) -> Response:
        answer = await handler(request, error)
        return _show(request, answer, pages) if is_page(request.url.path) else answer

    return handle


def _show(request: Request, answer: Response, pages: Pages) -> Response:
    problem = Problem.model_validate_json(bytes(answer.body))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(_login(request), 303)
    page = pages.page("error.html", problem.status, problem=problem)
    page.headers.update({name: value for name, value in answer.headers.items() if name in _KEPT})
    return page


def _login(request: Request) -> str:
    is_button = request.method == "POST" and request.url.path.startswith("/jobs/")
    path = request.url.path.rpartition("/")[0] if is_button else request.url.path
    here = path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?next={quote(here, safe='/')}"
