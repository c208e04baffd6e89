"""The info service: which datastacks exist and where their parts are served."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import world
from crant_core.sandbox.answers import base_url, not_found

_ALIGNED_VOLUME_ID = 1


async def version(request: Request) -> Response:
    """Say which release of the info service this imitates."""
    return JSONResponse("4.3.3")


async def datastacks(request: Request) -> Response:
    """List the datastacks."""
    return JSONResponse([world.DATASTACK])


async def datastack(request: Request) -> Response:
    """Describe one datastack."""
    if request.path_params["datastack"] != world.DATASTACK:
        return not_found("datastack not found")
    return JSONResponse(_description(base_url(request)))


def _description(base: str) -> dict[str, Any]:
    return {
        "aligned_volume": _aligned_volume(base),
        "segmentation_source": f"graphene://{base}/segmentation/table/{world.TABLE}",
        "skeleton_source": None,
        "analysis_database": None,
        "viewer_site": base,
        "synapse_table": None,
        "soma_table": None,
        "local_server": base,
        "description": "Five hemibrain neurons from navis, offline",
        "viewer_resolution_x": 8.0,
        "viewer_resolution_y": 8.0,
        "viewer_resolution_z": 42.0,
        "proofreading_status_table": None,
        "cell_identification_table": None,
        "proofreading_review_table": None,
    }


def _aligned_volume(base: str) -> dict[str, Any]:
    return {
        "id": _ALIGNED_VOLUME_ID,
        "name": world.ALIGNED_VOLUME,
        "image_source": f"precomputed://{base}/gcs/{world.ALIGNED_VOLUME}",
        "description": "The sandbox's space, in nm",
        "display_name": "Sandbox",
    }


ROUTES = [
    Route("/info/version", version),
    Route("/info/api/v2/datastacks", datastacks),
    Route("/info/api/v2/datastack/full/{datastack}", datastack),
]
