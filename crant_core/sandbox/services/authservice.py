"""The auth service: who holds the token, and the pages where people get one."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.state import state

GROUP_ID = 1
#: id to name and laboratory; the first is whoever holds the token, the last three made the world's edits
USERS = {
    1: ("Sandbox user", "Sandbox laboratory"),
    2: ("Sandbox proofreader", "Sandbox laboratory"),
    3: ("Sandbox visitor", "Another laboratory"),
    11: ("First proofreader", "Sandbox laboratory"),
    12: ("Second proofreader", "Sandbox laboratory"),
    13: ("Third proofreader", "Another laboratory"),
}
_GROUP = (1, 2, 3)
_ME = 1
_PAGE = """<!doctype html><title>Sandbox CAVE</title>
<p>The sandbox knows one token. It was printed where the sandbox was started; nothing else can be had here.</p>"""


async def tokens(request: Request) -> Response:
    """List the caller's tokens."""
    return JSONResponse([{"id": 1, "token": state(request).token, "user_id": _ME}])


async def users(request: Request) -> Response:
    """Describe the users asked for; unknown ones are left out, as by the real one."""
    wanted = [int(number) for number in request.query_params.get("id", "").split(",") if number.isdecimal()]
    return JSONResponse([_user(number) for number in wanted if number in USERS])


async def group_users(request: Request) -> Response:
    """List a group's users; an unknown group has none."""
    if request.path_params["group"] != GROUP_ID:
        return JSONResponse([])
    return JSONResponse([{"id": number, "name": USERS[number][0], "admin": number == _ME} for number in _GROUP])


async def cache(request: Request) -> Response:
    """Say who the caller is and what they may do."""
    permissions = {names.DATASTACK: ["view", "edit"]}
    return JSONResponse(
        _user(_ME)
        | {
            "email": "user@sandbox.invalid",
            "admin": False,
            "service_account": False,
            "parent_id": None,
            "groups": ["sandbox"],
            "permissions": {names.DATASTACK: 2},
            "permissions_v2": permissions,
            "permissions_v2_ignore_tos": permissions,
            "missing_tos": [],
        }
    )


async def page(request: Request) -> Response:
    """Say where the token is."""
    return HTMLResponse(_PAGE)


def _user(number: int) -> dict[str, Any]:
    name, laboratory = USERS[number]
    return {"id": number, "name": name, "pi": laboratory}


ROUTES = [
    Route("/auth/api/v1/user/token", tokens),
    Route("/auth/api/v1/user/cache", cache),
    Route("/auth/api/v1/user", users),
    Route("/auth/api/v1/group/{group:int}/user", group_users),
    *(
        Route(path, page)
        for path in (
            "/auth/api/v1/create_token",
            "/sticky_auth/api/v1/authorize",
            "/sticky_auth/api/v1/tos/1/accept",
            "/sticky_auth/settings/tokens",
        )
    ),
]
