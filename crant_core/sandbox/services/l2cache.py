"""The L2 cache: features of L2 chunks. What an edit made appears some time later."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal, base_url
from crant_core.sandbox.live import Sandbox, sandbox

_DTYPES = {
    "area_nm2": "uint32",
    "chunk_intersect_count": "uint16",
    "max_dt_nm": "uint16",
    "mean_dt_nm": "float16",
    "pca": "float16",
    "pca_val": "float32",
    "rep_coord_nm": "uint64",
    "size_nm3": "uint32",
}


async def attributes(request: Request) -> Response:
    """Answer features by L2 id, ids unique and ascending; an id without features has an empty entry."""
    if request.path_params["table"] != names.TABLE:
        raise Refusal(404, f"table {request.path_params['table']} is not mapped")
    asked = request.query_params.get("attribute_names")
    wanted = asked.split(",") if asked else list(_DTYPES)
    unknown = [name for name in wanted if name not in _DTYPES]
    if unknown:
        raise Refusal(500, f"unknown attribute {unknown[0]!r}")
    ids = sorted({int(one) for one in json.loads(await request.body())["l2_ids"]})
    return JSONResponse({str(one): _features(sandbox(request), one, wanted) for one in ids})


def _features(known: Sandbox, l2_id: int, wanted: list[str]) -> dict[str, Any]:
    if not known.graph.exists([l2_id])[0]:
        return {}
    if known.graph.created(l2_id) + timedelta(seconds=known.l2_delay * known.is_edited(l2_id)) > known.clock.now():
        return {}
    found = known.anatomy.attributes(l2_id)
    return {name: found[name] for name in wanted if name in found}


async def attribute_metadata(request: Request) -> Response:
    """Name all attributes and their types."""
    return JSONResponse(_DTYPES)


async def table_mapping(request: Request) -> Response:
    """Say which chunkedgraph tables have a cache."""
    path = f"graphene://{base_url(request)}/segmentation/table/{names.TABLE}"
    return JSONResponse({names.TABLE: {"cv_path": path, "l2cache_id": f"{names.TABLE}_l2"}})


_PREFIX = "/l2cache/api/v1"
ROUTES = [
    Route(_PREFIX + "/table/{table}/attributes", attributes, methods=["POST"]),
    Route(_PREFIX + "/attribute_metadata", attribute_metadata),
    Route(_PREFIX + "/table_mapping", table_mapping),
]
