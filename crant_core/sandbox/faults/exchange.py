"""One request and its answer, as ASGI messages: read whole, replayed, counted, recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

_ANNOUNCE_A_BODY = (b"content-length", b"transfer-encoding")


class Gone(Exception):
    """The client left before its request was whole."""


class Exchange:
    """Stands between server and application; `status` and `sent` say what went out."""

    __slots__ = ("_announced", "_receive", "_replay", "_send", "body", "on_last", "sent", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._announced = any(name in _ANNOUNCE_A_BODY for name, _ in scope["headers"])
        self._replay = False
        self.body = b""
        self.status: int | None = None
        self.sent = 0
        self.on_last: Callable[[], None] | None = None  #: called before the client can know that the answer is whole

    async def read(self, *, unannounced: bool = False) -> None:
        """Take in the request's whole body; one that is not announced only if asked to, to be able to see it end."""
        if not self._replay and (self._announced or unannounced):
            self.body = await self._whole_body()
            self._replay = True

    async def _whole_body(self) -> bytes:
        parts, more = [], True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(parts)

    async def receive(self) -> Message:
        """Give the application the body that was read, then whatever the server says."""
        if self._replay:
            self._replay = False
            return {"type": "http.request", "body": self.body, "more_body": False}
        return await self._receive()

    async def send(self, message: Message) -> None:
        """Pass a message to the server and count it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent += len(message.get("body", b""))
            if self.on_last and not message.get("more_body", False):
                self.on_last()
        await self._send(message)

    async def leaves_within(self, seconds: float) -> bool:
        """Wait until the client leaves, at most `seconds`; say whether it left."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True


@dataclass
class Answer:
    """An application's whole answer, held back."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        """Record one of the application's messages."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        else:
            self.body += message.get("body", b"")

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value; names are lower case in ASGI."""
        return next((value for key, value in self.headers if key == name), None)

    def set_header(self, name: bytes, value: bytes) -> None:
        """Replace a header."""
        self.headers = [pair for pair in self.headers if pair[0] != name] + [(name, value)]

    def start(self, length: int) -> Message:
        """Return the message that begins it and announces `length` bytes."""
        self.set_header(b"content-length", str(length).encode())
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


def body_message(body: bytes, *, more: bool = False) -> Message:
    """Return a piece of a body as an ASGI message."""
    return {"type": "http.response.body", "body": body, "more_body": more}
