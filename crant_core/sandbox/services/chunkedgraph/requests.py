"""What the chunkedgraph's routes share: reading requests, and answering in PyChunkedGraph's way."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.layout import Ids
from crant_core.sandbox.state import state

ME = 1  #: the user who holds the token
_TICK = timedelta(milliseconds=1)
_TRUE = {"true", "1", "yes", "t"}


def check_table(request: Request) -> None:
    """Refuse tables that do not exist: 500, not 404, like the real one."""
    if request.path_params["table"] not in {names.TABLE, names.UNSHARDED_TABLE}:
        raise Refusal(500, f"table {request.path_params['table']} does not exist")


def graph(request: Request) -> ChunkedGraph:
    """Return the graph."""
    check_table(request)
    return state(request).graph


def now(request: Request) -> datetime:
    """Return the time at which the last edit is certainly over: clock ticks are as long as an edit."""
    moment, operations = state(request).clock.now(), state(request).graph.operations
    after = operations[-1].timestamp + _TICK if operations else moment
    return after if moment < after <= moment + 2 * _TICK else moment


def optional_moment(request: Request, name: str) -> datetime | None:
    """Read a time, unix seconds."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError) as error:
        raise _no_timestamp(name, text) from error


def moment(request: Request, name: str = "timestamp") -> datetime:
    """Read a time, unix seconds; now if there is none."""
    return optional_moment(request, name) or now(request)


def needed_moment(request: Request, name: str) -> datetime:
    """Read a time, unix seconds, that must be given."""
    found = optional_moment(request, name)
    if found is None:
        raise _no_timestamp(name, "None")
    return found


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Read a boolean."""
    text = request.query_params.get(name)
    return default if text is None else text.lower() in _TRUE


def whole(request: Request, name: str, default: int) -> int:
    """Read an integer."""
    text = request.query_params.get(name)
    try:
        return default if text is None else int(text)
    except ValueError as error:
        raise Refusal(400, f"[400]: {name} is not an integer: {text}") from error


def bounds(request: Request) -> NDArray[np.int64] | None:
    """Read a box, `x0-x1_y0-y1_z0-z1` in voxels, as (3, 2)."""
    text = request.query_params.get("bounds")
    if text is None:
        return None
    try:
        return np.array([axis.split("-") for axis in text.split("_")], dtype=np.int64).reshape(3, 2)
    except ValueError as error:
        raise Refusal(500, f"invalid bounds {text}") from error


async def raw_body(request: Request) -> bytes:
    """Read the body, also that of a GET, unpacked."""
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body


async def json_body(request: Request) -> Any:
    """Read a JSON body, whatever its content type is."""
    try:
        return json.loads(await raw_body(request))
    except ValueError as error:
        raise Refusal(500, str(error)) from error


async def ids(request: Request, key: str = "node_ids") -> Ids:
    """Read ids: `{key: [..]}`, as integers or strings; or plain uint64 with `is_binary`."""
    if flag(request, "is_binary"):
        return binary_ids(await raw_body(request))
    body = await json_body(request)
    try:
        return np.array([int(node) for node in body[key]], dtype=np.uint64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Refusal(500, repr(error)) from error


def binary_ids(body: bytes) -> Ids:
    """Read little-endian uint64."""
    if len(body) % 8:
        raise Refusal(500, "buffer size must be a multiple of element size")
    return np.frombuffer(body, dtype="<u8").astype(np.uint64)


def reply(request: Request, content: Any) -> JSONResponse:
    """Answer JSON; with `int64_as_str` integers are strings, for readers that would round them."""
    return JSONResponse(_as_text(content) if flag(request, "int64_as_str") else content)


def binary(nodes: Ids) -> Response:
    """Answer little-endian uint64, called html as the real one does."""
    return Response(nodes.astype("<u8").tobytes(), media_type="text/html")


def _no_timestamp(name: str, text: str) -> Refusal:
    return Refusal(400, f"[400]: Timestamp parameter {name} is not a valid unix timestamp: {text}")


def _as_text(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _as_text(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_as_text(value) for value in content]
    return str(content) if isinstance(content, int) and not isinstance(content, bool) else content
