"""The materialization service: frozen versions of the dataset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from crant_core.sandbox import world
from crant_core.sandbox.answers import not_found


async def api_versions(request: Request) -> Response:
    """List the API versions."""
    return JSONResponse([2, 3])


async def version(request: Request) -> Response:
    """Say which release of the materialization engine this imitates."""
    return JSONResponse("5.26.4")


async def versions(request: Request) -> Response:
    """List the numbers of the versions."""
    if not _knows(request):
        return not_found("datastack not found")
    return JSONResponse([version.number for version in world.VERSIONS])


async def versions_metadata(request: Request) -> Response:
    """Describe all versions."""
    if not _knows(request):
        return not_found("datastack not found")
    return JSONResponse([_metadata(version) for version in world.VERSIONS])


async def version_metadata(request: Request) -> Response:
    """Describe one version."""
    number = request.path_params["version"]
    found = [version for version in world.VERSIONS if version.number == number]
    if not found or not _knows(request):
        return not_found(f"version {number} not found")
    return JSONResponse(_metadata(found[0]))


def _knows(request: Request) -> bool:
    return bool(request.path_params["datastack"] == world.DATASTACK)


def _metadata(version: world.Version) -> dict[str, Any]:
    return {
        "id": version.number,
        "datastack": world.DATASTACK,
        "version": version.number,
        "time_stamp": _naive_utc(version.timestamp),
        "valid": True,
        "expires_on": _naive_utc(version.expires),
        "parent_version": None,
        "status": "AVAILABLE",
        "is_merged": True,
    }


def _naive_utc(moment: datetime) -> str:
    # caveclient parses with %f: a time without its six decimals would crash it.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


_DATASTACK_ROUTES = [
    Route("/versions", versions),
    Route("/metadata", versions_metadata),
    Route("/version/{version:int}", version_metadata),
]
ROUTES = [
    Route("/materialize/api/versions", api_versions),
    Route("/materialize/version", version),
    Mount("/materialize/api/v2/datastack/{datastack}", routes=_DATASTACK_ROUTES),
    Mount("/materialize/api/v3/datastack/{datastack}", routes=_DATASTACK_ROUTES),
]
