"""The chunkedgraph service: what is inside nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.nodes import covering
from crant_core.sandbox.graph.operations import to_ms
from crant_core.sandbox.services.chunkedgraph.places import nearest_l2, path_between, positions_of
from crant_core.sandbox.services.chunkedgraph.requests import (
    binary,
    bounds,
    flag,
    graph,
    ids,
    json_body,
    moment,
    reply,
    whole,
)

_L2 = 2
_PATH_ENDS = 2


async def children(request: Request) -> Response:
    """List a node's children."""
    return reply(request, {"children_ids": graph(request).children(request.path_params["node"]).tolist()})


async def leaves(request: Request) -> Response:
    """List the nodes of one layer in a node."""
    found = graph(request).leaves(request.path_params["node"], whole(request, "stop_layer", 1), bounds(request))
    return reply(request, {"leaf_ids": found.tolist()})


async def leaves_many(request: Request) -> Response:
    """List the nodes of one layer in many nodes."""
    found, box, stop_layer = graph(request), bounds(request), whole(request, "stop_layer", 1)
    nodes = (await ids(request)).tolist()
    return reply(request, {str(node): found.leaves(node, stop_layer, box).tolist() for node in nodes})


async def minimal_covering_nodes(request: Request) -> Response:
    """List the fewest nodes that cover exactly some others."""
    found = covering(graph(request).tree, await ids(request), to_ms(moment(request)))
    return binary(found) if flag(request, "as_array") else reply(request, found.tolist())


async def lvl2_graph(request: Request) -> Response:
    """List which of a node's L2 ids touch."""
    box = bounds(request)
    found = graph(request).lvl2_graph(request.path_params["node"], box)
    answer = reply(request, {"edge_graph": found.tolist()})
    answer.headers["Used-Bounds"] = str(box is not None)
    return answer


async def subgraph(request: Request) -> Response:
    """List the contacts between a node's supervoxels."""
    found = graph(request).edges_of(request.path_params["node"], bounds(request)).tolist()
    return reply(request, {"nodes": found, "affinities": [1.0] * len(found), "areas": [1] * len(found)})


async def l2_chunk_children(request: Request) -> Response:
    """Answer the L2 ids ever made in a chunk until some time, each before each of its supervoxels."""
    chunk, found = request.path_params["chunk"], graph(request)
    if chunk >> 56 != _L2:
        raise Refusal(
            500, f"This function only accepts level 2 chunks, the chunk requested is a level {chunk >> 56} chunk"
        )
    if not flag(request, "as_array"):
        raise Refusal(501, "the sandbox does not answer pickled dictionaries; ask with as_array=True")
    supervoxels, l2 = found.tree.families(found.l2_in_chunk(chunk, moment(request)))
    return binary(np.stack([l2, supervoxels], axis=1).ravel())


async def find_path(request: Request) -> Response:
    """Find the shortest path between two points (nm) of a root, through its L2 ids."""
    ends = await json_body(request)
    if len(ends) != _PATH_ENDS:
        raise Refusal(500, "a path has two ends")
    found, root = graph(request), int(ends[0][0])
    start, goal = (nearest_l2(request, int(node), position) for node, *position in ends)
    path = path_between(found.lvl2_graph(root), start, goal)
    if path is None:
        raise Refusal(500, f"There is no path from {start} to {goal} in {root}")
    answer: dict[str, Any] = {"centroids_list": positions_of(request, path).tolist(), "failed_l2_ids": []}
    return reply(request, answer | {"l2_path": path.tolist()})


async def contact_sites(request: Request) -> Response:
    """Refuse: where neurons touch that are not joined is not in the sandbox's graph."""
    raise Refusal(501, "the sandbox does not know contact sites: its graph does not say which neurons touch")


ROUTES = [
    Route("/node/leaves_many", leaves_many, methods=["POST"]),
    Route("/leaves_many", leaves_many, methods=["POST"]),
    Route("/node/{node:int}/children", children),
    Route("/node/{node:int}/leaves", leaves),
    Route("/node/{node:int}/lvl2_graph", lvl2_graph),
    Route("/node/{node:int}/subgraph", subgraph),
    Route("/node/{node:int}/contact_sites", contact_sites),
    Route("/node/contact_sites_pair/{one:int}/{other:int}", contact_sites),
    Route("/contact_sites_pair/{one:int}/{other:int}", contact_sites),
    Route("/minimal_covering_nodes", minimal_covering_nodes, methods=["POST"]),
    Route("/l2_chunk_children_binary/{chunk:int}", l2_chunk_children),
    Route("/graph/find_path", find_path, methods=["POST"]),
]
