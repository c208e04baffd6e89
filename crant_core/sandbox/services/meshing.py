"""The meshing service: which fragments make up a neuron's surface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import layout, names
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.live import Sandbox, sandbox
from crant_core.sandbox.world import fragments, shards

_L2 = 2


async def manifest(request: Request) -> Response:
    """List a node's fragments; one without a mesh has none, and that is a 200."""
    table, known = request.path_params["table"], sandbox(request)
    if table not in {names.TABLE, names.UNSHARDED_TABLE}:
        raise Refusal(500, f"table {table} does not exist")
    body = await request.body()
    start_layer = int(json.loads(body).get("start_layer", _L2)) if body else _L2
    node = request.path_params["node"]
    pieces = [piece for piece in _cover(known, node, start_layer) if _in_bounds(piece, request)]
    verify = request.query_params.get("verify", "False").lower() not in {"false", "0"}
    named = _plain_name if table == names.UNSHARDED_TABLE else _name if verify else _unverified_name
    return JSONResponse({"fragments": [named(known, piece) for piece in pieces], "seg_ids": pieces})


def _cover(known: Sandbox, node: int, start_layer: int) -> Iterator[int]:
    """Yield the highest meshed nodes at or below a layer that together make up a node."""
    layer = int(layout.layer_of(node))
    if known.anatomy.is_crowd(node):
        yield from [node] if layer == layout.N_LAYERS else []
    elif _L2 <= layer <= min(start_layer, fragments.MAX_LAYER) and _is_meshed(known, node):
        yield node
    elif layer > _L2:
        for child in known.graph.children(node).tolist():
            yield from _cover(known, child, start_layer)


def _is_meshed(known: Sandbox, node: int) -> bool:
    """Say whether a node has a fragment; new ones get theirs some time after the edit."""
    if known.fragment(node) is not None:
        return True
    is_due = known.graph.created(node) + timedelta(seconds=known.mesh_delay) <= known.clock.now()
    return known.is_edited(node) and is_due and known.anatomy.surface(node) is not None


def _name(known: Sandbox, node: int) -> str:
    place = known.fragment(node)
    return fragments.dynamic_name(node) if place is None else f"~{shards.shard_name(node)}:{place[0]}:{place[1]}"


def _plain_name(known: Sandbox, node: int) -> str:
    return fragments.dynamic_name(node)


def _unverified_name(known: Sandbox, node: int) -> str:
    """Name a fragment by where it would be: id, layer, chunk, file, minishard."""
    place = known.fragment(node)
    if place is None:
        return fragments.dynamic_name(node)
    layer, file = shards.shard_name(node).split("/")
    return f"~{node}:{layer}:{int(layout.chunk_id_of(node))}:{file}:{place[2]}"


def _in_bounds(node: int, request: Request) -> bool:
    """Say whether a node's chunk touches the box asked for, in voxels."""
    text = request.query_params.get("bounds")
    if text is None:
        return True
    low, high = np.array([[int(end) for end in axis.split("-")] for axis in text.split("_")]).T
    scale = 2 ** max(0, int(layout.layer_of(node)) - _L2)
    start = layout.chunk_of(node) * scale * layout.CHUNK_SIZE + layout.VOXEL_OFFSET
    return bool(((start < high) & (start + np.multiply(layout.CHUNK_SIZE, scale) > low)).all())


async def remeshing(request: Request) -> Response:
    """Accept; fragments of edited nodes are made when they are asked for."""
    return JSONResponse({}, status_code=202)


_TABLE = "/meshing/api/v1/table/{table}"
ROUTES = [
    Route(_TABLE + "/manifest/{node:int}:{lod:int}", manifest),
    Route(_TABLE + "/remeshing", remeshing, methods=["POST"]),
]
