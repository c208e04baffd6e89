"""CAVE's door: a bearer token on every route except the bucket's and the health check."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_PUBLIC = ("/healthz", "/gcs/")


class TokenAuth:
    """ASGI middleware that lets only one token through, with middle_auth's answers to all others."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the refusal, or hand the request on."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if request.url.path.startswith(_PUBLIC):
            return None
        header = request.headers.get("authorization")
        if header is None:
            return JSONResponse({"error": "no_token"}, status_code=401)
        if not header.startswith("Bearer "):
            return JSONResponse({"error": "bad_auth_header"}, status_code=400)
        return None if header.removeprefix("Bearer ") == self._token else _invalid_token()


def _invalid_token() -> Response:
    challenge = {"WWW-Authenticate": 'Bearer realm="sandbox", error="invalid_token"'}
    return JSONResponse({"error": "invalid_token"}, status_code=401, headers=challenge)
