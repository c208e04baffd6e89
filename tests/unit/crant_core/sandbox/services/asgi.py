"""Requests to an ASGI application without a server; keeps cookies, follows no redirect."""

from __future__ import annotations

import asyncio
from functools import partialmethod
from typing import Any

import httpx
from starlette.types import ASGIApp


class Http:
    """What a browser would do, one request after the other."""

    def __init__(self, app: ASGIApp) -> None:
        self.cookies = httpx.Cookies()
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, options))

    get = partialmethod(request, "GET")
    post = partialmethod(request, "POST")
    put = partialmethod(request, "PUT")

    async def _ask(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", cookies=self.cookies) as client:
            answer = await client.request(method, path, **options)
            self.cookies = client.cookies
        return answer
