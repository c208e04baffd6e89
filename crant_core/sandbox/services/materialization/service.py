"""The materialization service: versions of the dataset; what is in them is served by the other modules here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.services.materialization import catalog, precomputed, queries
from crant_core.sandbox.services.materialization.catalog import naive_utc
from crant_core.sandbox.services.materialization.lookup import is_valid, table_now, version_of, world
from crant_core.sandbox.tables.arrow import wants
from crant_core.sandbox.tables.version import Version


async def api_versions(request: Request) -> Response:
    """List the API versions."""
    return JSONResponse([2, 3])


async def release(request: Request) -> Response:
    """Say which release of the materialization engine this imitates."""
    return JSONResponse("5.26.4")


async def versions(request: Request) -> Response:
    """List the numbers of the versions."""
    return JSONResponse([version.number for version in _listed(request)])


async def versions_metadata(request: Request) -> Response:
    """Describe all versions."""
    now = world(request).clock.now()
    described = [_metadata(version, now) for version in _listed(request)]
    if not described:
        raise Refusal(404, "No valid versions found")
    return JSONResponse(described)


async def version_metadata(request: Request) -> Response:
    """Describe one version, expired or not."""
    return JSONResponse(_metadata(version_of(request), world(request).clock.now()))


async def ingest_annotations(request: Request) -> Response:
    """Accept the order to look up a table's new rows; the sandbox looks supervoxels up when rows are written."""
    table_now(request, request.path_params["table"])
    return JSONResponse(202, status_code=202)


async def lookup_supervoxels(request: Request) -> Response:
    """Accept the order to look up supervoxels of some rows."""
    table_now(request, request.path_params["table"])
    return JSONResponse(200)


def _listed(request: Request) -> list[Version]:
    here = world(request)
    if wants(request, "expired", default=False):
        return here.versions
    return [version for version in here.versions if is_valid(version, here.clock.now())]


def _metadata(version: Version, now: datetime) -> dict[str, Any]:
    valid = is_valid(version, now)
    return {
        "id": version.number,
        "datastack": names.DATASTACK,
        "version": version.number,
        "time_stamp": naive_utc(version.timestamp),
        "valid": valid,
        "expires_on": naive_utc(version.expires),
        "parent_version": None,
        "status": "AVAILABLE" if valid else "EXPIRED",
        "is_merged": True,
    }


_DATASTACK_ROUTES = [
    Route("/versions", versions),
    Route("/metadata", versions_metadata),
    Route("/version/{version:int}", version_metadata),
    *catalog.ROUTES,
    *queries.ROUTES,
    *precomputed.ROUTES,
]
_RUN_ROUTES = [
    Route("/ingest_annotations/datastack/{datastack}/{table}", ingest_annotations, methods=["POST"]),
    Route("/lookup_svid/datastack/{datastack}/{table}", lookup_supervoxels, methods=["POST"]),
]
ROUTES = [
    Route("/materialize/api/versions", api_versions),
    Route("/materialize/version", release),
    Mount("/materialize/api/v{api:int}/datastack/{datastack}", Router(_DATASTACK_ROUTES, redirect_slashes=False)),
    Mount("/materialize/api/v2/materialize/run", Router(_RUN_ROUTES, redirect_slashes=False)),
]
