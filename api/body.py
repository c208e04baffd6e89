"""Bounds request bodies, so that one request cannot fill the memory."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 8 * 2**20  #: 100 000 ids as strings are 2.3 MB


class BodyLimit:
    """Refuse bodies above `MAX_BYTES`, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes as they come."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BYTES:
                raise HTTPException(413, f"the body is larger than {MAX_BYTES} bytes")
            return message

        if scope["type"] == "http" and int(Headers(scope=scope).get("content-length", 0)) > MAX_BYTES:
            read = MAX_BYTES  # do not wait for what is announced
        await self.app(scope, counted, send)
