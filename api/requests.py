"""What every request gets: an id that stands on each log line about it, a line of its own, a count, and a span."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from crant_core.jobs.masking import masked
from crant_core.jobs.tracing import span

log = structlog.get_logger()

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[\w.-]{1,64}")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_QUIET = ("/healthz", "/readyz", "/metrics")  #: asked all day by machines
_BROKEN = 500


class Requests:
    """Follows requests through the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the caller's id and trace, if they are any, or make an id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given, trace = headers.get(HEADER, ""), headers.get("traceparent", "")
        request = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        name, parent = f"{scope['method']} {masked(scope['path'])}", trace if _TRACE.fullmatch(trace) else None
        with structlog.contextvars.bound_contextvars(request=request), span(name, parent, request=request):
            await self._follow(scope, receive, send, request)

    async def _follow(self, scope: Scope, receive: Receive, send: Send, request: str) -> None:
        began, status = time.perf_counter(), _BROKEN

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        self.metrics.count(scope["method"], route, status, seconds)
        tell = log.debug if scope["path"] in _QUIET else log.info
        facts = {"method": scope["method"], "path": scope["path"], "status": status, "seconds": round(seconds, 4)}
        tell("request", action="request", **facts)
