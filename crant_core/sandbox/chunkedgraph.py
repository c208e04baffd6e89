"""The chunkedgraph service: what a segment is, and since when."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from crant_core.sandbox import layout, world
from crant_core.sandbox.answers import Refusal, base_url
from crant_core.sandbox.graph import Graph, demo_graph

_GRAPH_CHUNK_MIP = 0


async def api_versions(request: Request) -> Response:
    """List the API versions."""
    return JSONResponse([0, 1])


async def version(request: Request) -> Response:
    """Say which release of PyChunkedGraph this imitates."""
    return JSONResponse("2.21.1")


async def table_info(request: Request) -> Response:
    """Describe the segmentation: what caveclient and cloud-volume read first."""
    _check_table(request)
    return JSONResponse(_segmentation_info(base_url(request)))


async def roots_binary(request: Request) -> Response:
    """Look up roots: little-endian uint64 in and out."""
    ids = np.frombuffer(await _raw_body(request), dtype="<u8").tolist()
    stop_layer = int(request.query_params.get("stop_layer", layout.N_LAYERS))
    if stop_layer > layout.N_LAYERS:
        raise Refusal(500, f"stop_layer {stop_layer} is above the root layer")
    roots = _graph(request).roots(ids, _timestamp(request), stop_layer)
    return Response(np.array(roots, dtype="<u8").tobytes(), media_type="text/html")


async def is_latest_roots(request: Request) -> Response:
    """Say which nodes are current."""
    at, graph = _timestamp(request), _graph(request)
    return JSONResponse({"is_latest": [graph.is_latest(node, at) for node in await _node_ids(request)]})


async def root_timestamps(request: Request) -> Response:
    """Say since when nodes exist, or until when (`latest`); all unknown gives an empty list, some unknown a 500."""
    ids, created = await _node_ids(request), _graph(request).created
    latest = request.query_params.get("latest", "false").lower() == "true"
    unknown = [node for node in ids if node not in created]
    if unknown and (latest or len(unknown) < len(ids)):
        raise Refusal(500, str(unknown[0]))
    if unknown:
        return JSONResponse({"timestamp": []})
    # No node of this world has been superseded, so "latest" is the moment asked about.
    moments = [_timestamp(request) if latest else created[node] for node in ids]
    return JSONResponse({"timestamp": [moment.timestamp() for moment in moments]})


def _segmentation_info(base: str) -> dict[str, Any]:
    return {
        "type": "segmentation",
        "data_type": "uint64",
        "num_channels": 1,
        "scales": [_scale()],
        "data_dir": f"{base}/gcs/{world.TABLE}",
        "mesh": "mesh",
        "app": {"supported_api_versions": [0, 1]},
        "graph": _graph_info(),
        "chunks_start_at_voxel_offset": True,
        "mesh_metadata": {"max_meshed_layer": layout.N_LAYERS, "unsharded_mesh_dir": "dynamic"},
        "sharded_mesh": False,
        "verify_mesh": False,
    }


def _scale() -> dict[str, Any]:
    return {
        "key": "_".join(map(str, layout.RESOLUTION)),
        "encoding": "compressed_segmentation",
        "compressed_segmentation_block_size": [8, 8, 8],
        "chunk_sizes": [list(layout.CHUNK_SIZE)],
        "resolution": list(layout.RESOLUTION),
        "size": list(layout.volume_size()),
        "voxel_offset": list(layout.VOXEL_OFFSET),
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


def _graph(request: Request) -> Graph:
    _check_table(request)
    return demo_graph()


def _check_table(request: Request) -> None:
    if request.path_params["table"] != world.TABLE:
        raise Refusal(500, f"table {request.path_params['table']} does not exist")  # 500, not 404, like the real one


def _timestamp(request: Request) -> datetime:
    text = request.query_params.get("timestamp")
    if text is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError) as error:
        message = f"[400]: Timestamp parameter timestamp is not a valid unix timestamp: {text}"
        raise Refusal(400, message) from error


async def _node_ids(request: Request) -> list[int]:
    _check_table(request)
    return [int(node) for node in json.loads(await _raw_body(request))["node_ids"]]


async def _raw_body(request: Request) -> bytes:
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body


_TABLE_ROUTES = [
    Route("/roots_binary", roots_binary, methods=["POST"]),
    Route("/is_latest_roots", is_latest_roots, methods=["POST"]),
    Route("/root_timestamps", root_timestamps, methods=["POST"]),
]
ROUTES = [
    Route("/segmentation/api/versions", api_versions),
    Route("/segmentation/api/version", version),
    Route("/segmentation/table/{table}/info", table_info),
    Mount("/segmentation/api/v1/table/{table}", routes=_TABLE_ROUTES),
]
