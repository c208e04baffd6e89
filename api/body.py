"""Bounds request bodies in size and in time, so that nobody can fill the memory or hold a connection for ever."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 8 * 2**20  #: 100 000 ids as strings are 2.3 MB
UPLOADS = ("/v1/inputs", "/new/", "/schedules/")  #: what comes here goes to a file, and may be larger
_SLOWEST = 8192  #: bytes in a second that a body must come with, beside one pause in all


class BodyLimit:
    """Refuse bodies that are too large, announced or not, and callers that stop sending or send next to nothing."""

    def __init__(self, app: ASGIApp, *, upload_bytes: int, pause_seconds: float) -> None:
        self.app, self.upload_bytes, self.pause = app, upload_bytes, pause_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes as they come."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.upload_bytes if scope["path"].startswith(UPLOADS) else MAX_BYTES
        body = _Body(receive, limit, self.pause, announced=_announced(scope))
        await self.app(scope, body.receive, send)


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else 0


class _Body:
    """One request's body on its way in."""

    def __init__(self, receive: Receive, limit: int, pause: float, *, announced: int) -> None:
        self._receive, self.limit, self.pause = receive, limit, pause
        self.read = limit if announced > limit else 0  # do not wait for what is announced
        self.patience = pause  #: seconds that are left to wait in; what comes adds to it
        self.is_over = False

    async def receive(self) -> Message:
        """Hand on the next part of the body; what comes after it is waited for as long as it takes."""
        if self.is_over:
            return await self._receive()
        message = await self._next()
        self.is_over = not message.get("more_body", False)
        came = len(message.get("body", b""))
        self.read, self.patience = self.read + came, self.patience + came / _SLOWEST
        if self.read > self.limit:
            raise HTTPException(413, f"the body is larger than {self.limit} bytes")
        return message

    async def _next(self) -> Message:
        began = time.monotonic()  # only waiting counts, not what we do with what came
        try:
            return await asyncio.wait_for(self._receive(), max(0, min(self.pause, self.patience)))
        except TimeoutError as error:
            raise HTTPException(408, "the body does not come", headers={"Connection": "close"}) from error
        finally:
            self.patience -= time.monotonic() - began
