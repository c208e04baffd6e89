"""CAVE's door: a bearer token on every route except the few that the real servers leave open."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import quote

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from crant_core.sandbox.answers import base_url

COOKIE = "middle_auth_token"
_PUBLIC = (
    "/healthz",
    "/_sandbox/",  # bound to this machine, and needed when the token is what fails
    "/gcs/",
    "/schema/",
    "/l2cache/api/v1/table_mapping",
    "/l2cache/api/v1/attribute_metadata",
    # a person without a token is sent there
    "/sticky_auth/",
    "/auth/api/v1/create_token",
    # SeaTable looks at its own `Token` header
    "/api/",
    "/api2/",
    "/api-gateway/",
    "/dtable-server/",
    "/dtable-db/",
)


class Guarded(Protocol):
    """What the door asks the state; both may change while the sandbox runs."""

    token: str
    denied: dict[str, str]


class TokenAuth:
    """ASGI middleware that lets `state.token` through, with middle_auth's answers to all others.

    `state.denied` maps the beginnings of paths to `missing_permission` or `missing_tos`: these answer 403 to the token.
    """

    def __init__(self, app: ASGIApp, state: Guarded) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the refusal, or hand the request on."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if request.url.path.startswith(_PUBLIC):
            return None
        stranger = self._programmatic(request) if _is_programmatic(request) else self._browser(request)
        return stranger or self._denied(request)

    def _programmatic(self, request: Request) -> Response | None:
        header = request.headers.get("authorization")
        if header is None:
            return _challenge(request, 401, "no_token")
        if not header.startswith("Bearer "):
            return _challenge(request, 400, "bad_auth_header")
        if header.removeprefix("Bearer ") != self._state.token:
            return _challenge(request, 401, "invalid_token")
        return None

    def _browser(self, request: Request) -> Response | None:
        if COOKIE in request.query_params:
            return _as_cookie(request)
        if request.cookies.get(COOKIE) == self._state.token:
            return None
        return RedirectResponse(f"{_authorize_page(request)}?redirect={quote(str(request.url))}", status_code=302)

    def _denied(self, request: Request) -> Response | None:
        reasons = (why for path, why in self._state.denied.items() if request.url.path.startswith(path))
        reason = next(reasons, None)
        return None if reason is None else _forbidden(request, reason)


def _is_programmatic(request: Request) -> bool:
    return any(name in request.headers for name in ("authorization", "x-requested-with", "origin"))


def _authorize_page(request: Request) -> str:
    return f"{base_url(request)}/sticky_auth/api/v1/authorize"


def _challenge(request: Request, status: int, error: str) -> Response:
    challenge = f'Bearer realm="{_authorize_page(request)}"' + ("" if error == "no_token" else f', error="{error}"')
    return JSONResponse({"error": error}, status_code=status, headers={"WWW-Authenticate": challenge})


def _as_cookie(request: Request) -> Response:
    """Move a token from the address, which ends up in histories, to a cookie."""
    target = URL(f"{base_url(request)}{request.url.path}?{request.url.query}").remove_query_params(COOKIE)
    response = RedirectResponse(str(target), status_code=302)
    response.set_cookie(COOKIE, request.query_params[COOKIE], httponly=True)
    return response


def _forbidden(request: Request, reason: str) -> Response:
    body: dict[str, object] = {"error": reason}
    if reason == "missing_tos":
        form = f"{base_url(request)}/sticky_auth/api/v1/tos/1/accept"
        body |= {
            "message": "Need to accept Terms of Service to access resource.",
            "data": {"tos_id": 1, "tos_name": "Sandbox terms", "tos_form_url": form},
        }
    else:
        body["message"] = "Missing permission: view"
    return JSONResponse(body, status_code=403)
