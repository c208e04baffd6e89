"""SeaTable as the real `seatable-api` knows it: accounts, one base, and both of its generations of addresses."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox.answers import base_url
from crant_core.sandbox.names import SEATABLE_BASE, SEATABLE_TABLE, SEATABLE_WORKSPACE
from crant_core.sandbox.seatable import Answer, QueryError, SeaTable
from crant_core.sandbox.state import state

__all__ = ["BASE_UUID", "ROUTES", "SeaTable"]

BASE_UUID = "6b1d2f0e-5a4c-4b7e-9c3d-62919c0a27b0"
TABLE_ID = "0000"
LIST_CAP = 1_000  #: rows of one `list_rows`
WRITE_CAP = 1_000  #: rows of one request that adds or changes
DELETE_CAP = 10_000
_FORBIDDEN = "You don't have permission to access this base."

Handler = Callable[[Request], Awaitable[Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


class SeaTableError(Exception):
    """A request that SeaTable refuses, in its own shape."""

    def __init__(self, status: int, message: str, key: str = "error_msg") -> None:
        super().__init__(message)
        self.answer = JSONResponse({key: message}, status_code=status)


def _answering(handler: Handler) -> Endpoint:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except SeaTableError as error:
            return error.answer
        except QueryError as error:
            return SeaTableError(400, str(error)).answer

    return endpoint


@_answering
async def sign_in(request: Request) -> Any:
    """Give an account token for any name, if the password is the sandbox's token."""
    form = parse_qs((await request.body()).decode())
    if form.get("password") != [state(request).token]:
        raise SeaTableError(400, "Unable to login with provided credentials.", "non_field_errors")
    return {"token": state(request).token}


@_answering
async def account_info(request: Request) -> Any:
    """Describe the account."""
    _check_token(request)
    return {"email": "user@sandbox.invalid", "name": "Sandbox user", "contact_email": "user@sandbox.invalid"}


@_answering
async def workspaces(request: Request) -> Any:
    """List the one workspace."""
    _check_token(request)
    bases = [{"name": SEATABLE_BASE, "uuid": BASE_UUID, "workspace_id": int(SEATABLE_WORKSPACE)}]
    workspace = {"id": int(SEATABLE_WORKSPACE), "name": "Sandbox", "type": "personal", "table_list": bases}
    return {"workspace_list": [workspace]}


@_answering
async def temporary_token(request: Request) -> Any:
    """Give a token for the base; it is the sandbox's own."""
    _check_token(request)
    if (request.path_params["workspace"], request.path_params["base"]) != (SEATABLE_WORKSPACE, SEATABLE_BASE):
        raise SeaTableError(404, f"dtable {request.path_params['base']} not found.")
    return {"api_token": state(request).token}


@_answering
async def access_token(request: Request) -> Any:
    """Say where the base is, and give the token to use there."""
    _check_token(request)
    return {
        "app_name": "sandbox",
        "access_token": _access_token(request),
        "dtable_uuid": BASE_UUID,
        "dtable_server": f"{base_url(request)}/dtable-server/",
        "dtable_socket": f"{base_url(request)}/",
        "dtable_db": f"{base_url(request)}/dtable-db/",
        "workspace_id": int(SEATABLE_WORKSPACE),
        "dtable_name": SEATABLE_BASE,
        "use_api_gateway": True,
    }


@_answering
async def metadata(request: Request) -> Any:
    """Describe the base: its tables and their columns."""
    view = {"_id": "0000", "name": "Default View", "type": "table", "is_locked": False}
    table = {"_id": TABLE_ID, "name": SEATABLE_TABLE, "columns": _columns(_base(request)), "views": [view]}
    return {"metadata": {"version": 1, "format_version": 9, "tables": [table], "settings": {}}}


@_answering
async def columns(request: Request) -> Any:
    """Describe the table's columns."""
    return {"columns": _columns(_table(request, dict(request.query_params)))}


@_answering
async def query(request: Request) -> Any:
    """Run SQL; rows by column key, or by name if `convert_keys` is asked for."""
    base, asked = _base(request), await _body(request)
    answer = base.query(str(asked.get("sql")), asked.get("parameters") or ())
    return {
        "success": True,
        "error_message": "",
        "metadata": [column.describe() for column in answer.columns],
        "results": answer.records(convert=asked.get("convert_keys") is True),
    }


@_answering
async def list_rows(request: Request) -> Any:
    """Return a page of rows, a thousand at most; cells that are empty are left out, as SeaTable does."""
    asked = dict(request.query_params)
    table = _table(request, asked)
    limit = min(_whole(asked, "limit", LIST_CAP), LIST_CAP)
    descending = asked.get("direction") == "desc"
    return {"rows": _rows(table.page(_whole(asked, "start", 0), limit, asked.get("order_by"), descending=descending))}


@_answering
async def get_row(request: Request) -> Any:
    """Return one row."""
    return _row(_table(request, dict(request.query_params)), request.path_params["row"])


@_answering
async def append(request: Request) -> Any:
    """Add one row (`row`: answers it) or several (`rows`)."""
    asked = await _body(request)
    table, rows = _table(request, asked), asked.get("rows") or [asked.get("row")]
    _check_rows(rows, WRITE_CAP)
    ids = table.append(rows, state(request).clock.now())
    first = _row(table, ids[0])
    if "rows" not in asked:
        return first
    return {"inserted_row_count": len(ids), "row_ids": [{"_id": row_id} for row_id in ids], "first_row": first}


@_answering
async def update(request: Request) -> Any:
    """Change one row (`row_id`, `row`) or several (`updates`)."""
    asked = await _body(request)
    table, updates = _table(request, asked), asked.get("updates") or [asked]
    _check_rows([change.get("row") for change in updates], WRITE_CAP)
    for change in updates:
        _row(table, str(change.get("row_id")))  # 404 before anything is changed
    table.update([(change["row_id"], change["row"]) for change in updates], state(request).clock.now())
    return {"success": True}


@_answering
async def delete(request: Request) -> Any:
    """Remove one row (`row_id`) or several (`row_ids`)."""
    asked = await _body(request)
    table, row_ids = _table(request, asked), asked.get("row_ids") or [asked.get("row_id")]
    if len(row_ids) > DELETE_CAP:
        raise SeaTableError(400, f"more than {DELETE_CAP} rows")
    return {"success": True, "deleted_rows": table.delete([str(row_id) for row_id in row_ids])}


def _check_token(request: Request) -> None:
    if _credential(request) != state(request).token:
        raise SeaTableError(401, "Invalid token", "detail")


def _credential(request: Request) -> str:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential if scheme in {"Token", "Bearer"} else ""


def _access_token(request: Request) -> str:
    # Derived, so that it ends with the token it was given for.
    return "base." + hmac.new(state(request).token.encode(), BASE_UUID.encode(), hashlib.sha256).hexdigest()


def _base(request: Request) -> SeaTable:
    credential, base = _credential(request), state(request).seatable
    if not credential.startswith("base.") or request.path_params["uuid"] != BASE_UUID:
        raise SeaTableError(403, _FORBIDDEN)
    if credential != _access_token(request):
        raise SeaTableError(403, "Token expired.")
    if base is None:
        raise SeaTableError(404, "dtable not found.")
    return base


def _table(request: Request, asked: dict[str, Any]) -> SeaTable:
    base = _base(request)
    if asked.get("table_name") != SEATABLE_TABLE and asked.get("table_id") != TABLE_ID:
        raise SeaTableError(404, f"table {asked.get('table_name')} not found.")
    return base


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise SeaTableError(400, f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise SeaTableError(400, "an object is expected")
    return body


def _columns(table: SeaTable) -> list[dict[str, Any]]:
    return [column.describe() | {"editable": True, "width": 200} for column in table.columns.values()]


def _whole(asked: dict[str, Any], name: str, default: int) -> int:
    text = str(asked.get(name, default))
    if not text.isdecimal():
        raise SeaTableError(400, f"{name} invalid.")
    return int(text)


def _rows(answer: Answer) -> list[dict[str, Any]]:
    return [{name: cell for name, cell in row.items() if cell is not None} for row in answer.records(convert=True)]


def _row(table: SeaTable, row_id: str) -> dict[str, Any]:
    found = _rows(table.row(row_id))
    if not found:
        raise SeaTableError(404, f"row {row_id} not found.")
    return found[0]


def _check_rows(rows: list[Any], cap: int) -> None:
    if not all(isinstance(row, dict) for row in rows):
        raise SeaTableError(400, "row invalid.")
    if len(rows) > cap:
        raise SeaTableError(400, f"more than {cap} rows")


_GATEWAY = "/api-gateway/api/v2/dtables/{uuid}"
_SERVER = "/dtable-server/api/v1/dtables/{uuid}"
ROUTES = [
    Route("/api2/auth-token/", sign_in, methods=["POST"]),
    Route("/api2/account/info/", account_info),
    Route("/api/v2.1/workspaces/", workspaces),
    Route("/api/v2.1/workspace/{workspace}/dtable/{base}/temp-api-token/", temporary_token),
    Route("/api/v2.1/dtable/app-access-token/", access_token),
    Route(f"{_GATEWAY}/sql", query, methods=["POST"]),
    Route(f"{_GATEWAY}/sql/", query, methods=["POST"]),
    Route("/dtable-db/api/v1/query/{uuid}/", query, methods=["POST"]),
    *(
        route
        for prefix in (_GATEWAY, _SERVER)
        for route in (
            Route(f"{prefix}/metadata/", metadata),
            Route(f"{prefix}/columns/", columns),
            Route(f"{prefix}/rows/", list_rows),
            Route(f"{prefix}/rows/{{row}}/", get_row),
            Route(f"{prefix}/rows/", append, methods=["POST"]),
            Route(f"{prefix}/rows/", update, methods=["PUT"]),
            Route(f"{prefix}/rows/", delete, methods=["DELETE"]),
        )
    ),
    Route(f"{_SERVER}/batch-append-rows/", append, methods=["POST"]),
    Route(f"{_SERVER}/batch-update-rows/", update, methods=["PUT"]),
    Route(f"{_SERVER}/batch-delete-rows/", delete, methods=["DELETE"]),
]
