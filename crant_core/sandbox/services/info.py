"""The info service: which datastacks exist and where their parts are served."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

from crant_core.sandbox import layout, names
from crant_core.sandbox.answers import base_url, not_found

_VOLUME_ID = 1


async def version(request: Request) -> Response:
    """Say which release of the info service this imitates."""
    return JSONResponse("4.3.3")


async def datastacks(request: Request) -> Response:
    """List the datastacks."""
    return JSONResponse([names.DATASTACK])


async def datastack(request: Request) -> Response:
    """Describe one datastack."""
    if request.path_params["datastack"] != names.DATASTACK:
        return not_found("datastack not found")
    return JSONResponse(_description(base_url(request)))


async def image_sources(request: Request) -> Response:
    """List the image mirrors of a datastack: its one volume."""
    if request.path_params["datastack"] != names.DATASTACK:
        return not_found("datastack not found")
    return JSONResponse([{"id": 1, "name": "main", "image_source": _volume(base_url(request))["image_source"]}])


async def aligned_volumes(request: Request) -> Response:
    """List the aligned volumes."""
    return JSONResponse([names.ALIGNED_VOLUME])


async def aligned_volume(request: Request) -> Response:
    """Describe one aligned volume, by name or by number."""
    if request.path_params.get("name", names.ALIGNED_VOLUME) != names.ALIGNED_VOLUME:
        return not_found("aligned volume not found")
    if request.path_params.get("number", _VOLUME_ID) != _VOLUME_ID:
        return not_found("aligned volume not found")
    return JSONResponse(_volume(base_url(request)))


async def datastacks_of_volume(request: Request) -> Response:
    """List the datastacks in an aligned volume."""
    if request.path_params["name"] != names.ALIGNED_VOLUME:
        return not_found("aligned volume not found")
    return JSONResponse([names.DATASTACK])


def _description(base: str) -> dict[str, Any]:
    x, y, z = (float(nm) for nm in layout.USER_RESOLUTION)
    return {
        "aligned_volume": _volume(base),
        "segmentation_source": f"graphene://{base}/segmentation/table/{names.TABLE}",
        "skeleton_source": f"precomputed://{base}/skeletoncache/api/v1/{names.DATASTACK}/precomputed/skeleton/4",
        "analysis_database": None,
        "viewer_site": base,
        "synapse_table": names.SYNAPSES,
        "soma_table": names.NUCLEI,
        "local_server": base,
        "description": "Five hemibrain neurons from navis with made-up partners, offline",
        "viewer_resolution_x": x,
        "viewer_resolution_y": y,
        "viewer_resolution_z": z,
        "proofreading_status_table": "backbone_proofread",
        "cell_identification_table": "cell_info",
        "proofreading_review_table": None,
    }


def _volume(base: str) -> dict[str, Any]:
    return {
        "id": _VOLUME_ID,
        "name": names.ALIGNED_VOLUME,
        "image_source": f"precomputed://{base}/gcs/em",
        "description": "The sandbox's space; its images are synthetic",
        "display_name": "Sandbox",
    }


_V2 = [
    Route("/datastacks", datastacks),
    Route("/datastack/full/{datastack}", datastack),
    Route("/datastack/{datastack}/image_sources", image_sources),
    Route("/aligned_volume", aligned_volumes),
    Route("/aligned_volume/id/{number:int}", aligned_volume),
    Route("/aligned_volume/{name}", aligned_volume),
    Route("/aligned_volume/{name}/datastacks", datastacks_of_volume),
]
ROUTES = [Route("/info/version", version), Mount("/info/api/v2", Router(_V2, redirect_slashes=False))]
