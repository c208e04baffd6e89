"""The middleware that delays, breaks and logs requests; it stands before everything else, the token check too."""

from __future__ import annotations

import asyncio
import time
import zlib

from starlette.types import ASGIApp, Receive, Scope, Send

from crant_core.sandbox.faults.breakages import Case, break_it
from crant_core.sandbox.faults.controller import UNHARMED, Controller, Verdict
from crant_core.sandbox.faults.exchange import Exchange, Gone
from crant_core.sandbox.faults.log import Entry

_UNTOUCHED = ("/_sandbox", "/healthz")


class Faults:
    """ASGI middleware that carries out a controller's verdicts and writes its log."""

    def __init__(self, app: ASGIApp, controller: Controller) -> None:
        self._app = app
        self._controller = controller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, late or broken if the rules say so."""
        if scope["type"] != "http" or scope["path"].startswith(_UNTOUCHED):
            await self._app(scope, receive, send)
            return
        record = _Record(self._controller, scope, Exchange(scope, receive, send))
        try:
            await record.exchange.read()
            record.verdict = self._controller.decide(scope["method"], scope["path"], len(record.exchange.body))
            await self._carry_out(record.verdict, scope, record.exchange)
        except Gone:
            pass  # there is nobody to answer
        except Exception:
            record.exchange.status = record.exchange.status or 500  # what the server is about to answer
            raise
        finally:
            record.write()

    async def _carry_out(self, verdict: Verdict, scope: Scope, exchange: Exchange) -> None:
        if verdict.wait:
            await asyncio.sleep(verdict.wait)
        if verdict.rule is None:
            await self._app(scope, exchange.receive, exchange.send)
        else:
            await break_it(Case(self._app, scope, exchange, verdict.rule, verdict.index))


class _Record:
    """Writes one request to the log, once: before its answer is whole, or when it ended otherwise."""

    __slots__ = ("_begin", "_controller", "_scope", "_written", "exchange", "verdict")

    def __init__(self, controller: Controller, scope: Scope, exchange: Exchange) -> None:
        self._controller = controller
        self._scope = scope
        self._begin = time.perf_counter()
        self._written = False
        self.exchange = exchange
        self.verdict = UNHARMED
        exchange.on_last = self.write

    def write(self) -> None:
        """Append the entry."""
        if not self._written:
            self._written = True
            self._controller.log.add(self._entry(time.perf_counter() - self._begin))

    def _entry(self, seconds: float) -> Entry:
        return Entry(
            time=time.time() - seconds,
            method=self._scope["method"],
            path=self._scope["path"],
            query=self._scope["query_string"].decode("latin-1"),
            status=self.exchange.status,
            bytes_in=len(self.exchange.body),
            bytes_out=self.exchange.sent,
            milliseconds=seconds * 1000,
            delayed=self.verdict.wait * 1000,
            fault=self.verdict.fault,
            body=zlib.crc32(self.exchange.body),
        )
