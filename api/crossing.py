"""Lets pages of other sites read what is meant for them: Neuroglancer runs on sites of its own."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = "/precomputed/"


class OpenToOtherSites:
    """Allow reading below `/precomputed/` from any site. Cookies are not: only keys in addresses and headers count."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "HEAD"],
            allow_headers=["Authorization", "If-None-Match", "Range"],
            expose_headers=["ETag"],
            max_age=86400,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer preflights, and say in every answer, errors too, that it may be read."""
        is_open = scope["type"] == "http" and scope["path"].startswith(OPEN)
        await (self.open if is_open else self.app)(scope, receive, send)
