"""What CAVE's servers say when something is wrong, and where the sandbox is reached."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse


class Refusal(Exception):
    """A request answered with an error, in the shape PyChunkedGraph gives it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer with PyChunkedGraph's error body; server errors carry a traceback, refusals do not."""
    if not isinstance(error, Refusal):  # starlette's signature allows more than it is registered for
        raise error
    body: dict[str, object] = {
        "timestamp": datetime.now(UTC).isoformat(),
        "duration": 0.0,
        "code": error.status,
        "message": error.message,
    }
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        body["traceback"] = [error.message]
    return JSONResponse(body, status_code=error.status)


def not_found(message: str) -> JSONResponse:
    """Answer 404 as the info and materialization services do."""
    return JSONResponse({"error": message}, status_code=404)


def base_url(request: Request) -> str:
    """Return the sandbox's address as this caller knows it, so that no stored data depends on the port."""
    return f"{request.url.scheme}://{request.headers['host']}"
