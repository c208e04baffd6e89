"""The chunkedgraph service: where its routes are, and what the segmentation is."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

from crant_core.sandbox import layout, names
from crant_core.sandbox.answers import base_url
from crant_core.sandbox.objects.segmentation import SCALES
from crant_core.sandbox.services.chunkedgraph import edits, lineage, nodes, roots
from crant_core.sandbox.services.chunkedgraph.requests import check_table

_GRAPH_CHUNK_MIP = 0
_MESHED_LAYERS = 5


async def api_versions(request: Request) -> Response:
    """List the API versions."""
    return JSONResponse([0, 1])


async def version(request: Request) -> Response:
    """Say which release of PyChunkedGraph this imitates."""
    return JSONResponse("2.21.1")


async def table_info(request: Request) -> Response:
    """Describe the segmentation: what caveclient and cloud-volume read first."""
    check_table(request)
    return JSONResponse(segmentation_info(base_url(request), request.path_params["table"]))


def segmentation_info(base: str, table: str = names.TABLE) -> dict[str, Any]:
    """Return the graphene info of a segmentation served at an address."""
    is_sharded = table == names.TABLE
    return {
        "type": "segmentation",
        "data_type": "uint64",
        "num_channels": 1,
        "scales": [scale.as_info() for scale in SCALES],
        "data_dir": f"{base}/gcs/{table}",
        "app": {"supported_api_versions": [0, 1]},
        "graph": _graph_info(),
        "chunks_start_at_voxel_offset": True,
        "mesh": "mesh",
        "mesh_metadata": {
            "max_meshed_layer": _MESHED_LAYERS,
            "uniform_draco_grid_size": 1,
            "unsharded_mesh_dir": "dynamic",
        },
        "sharded_mesh": is_sharded,
        "verify_mesh": is_sharded,
    }


def _graph_info() -> dict[str, Any]:
    start = np.array(layout.VOXEL_OFFSET)
    return {
        "chunk_size": list(layout.CHUNK_SIZE),
        "bounding_box": [start.tolist(), (start + layout.volume_size()).tolist()],
        "n_bits_for_layer_id": 8,
        "cv_mip": _GRAPH_CHUNK_MIP,
        "n_layers": layout.N_LAYERS,
        "spatial_bit_masks": {str(layer): bits for layer, bits in layout.SPATIAL_BITS.items()},
    }


_TABLE_ROUTES = [
    *roots.ROUTES,
    *nodes.ROUTES,
    *lineage.ROUTES,
    *edits.ROUTES,
]
_GZIP = [Middleware(GZipMiddleware, minimum_size=0, compresslevel=1)]  # the level is a matter of speed only
ROUTES = [
    Route("/segmentation/api/versions", api_versions),
    Route("/segmentation/api/version", version),
    Route("/segmentation/table/{table}/info", table_info),
    # caveclient takes a redirect for a missing login
    Mount("/segmentation/api/v1/table/{table}", Router(_TABLE_ROUTES, redirect_slashes=False), middleware=_GZIP),
]
