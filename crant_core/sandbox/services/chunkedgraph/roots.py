"""The chunkedgraph service: roots, and since and until when nodes are there."""

from __future__ import annotations

import asyncio
from datetime import datetime

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crant_core.sandbox import layout
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.layout import Ids
from crant_core.sandbox.services.chunkedgraph.requests import (
    binary,
    binary_ids,
    flag,
    graph,
    ids,
    moment,
    needed_moment,
    optional_moment,
    raw_body,
    reply,
    whole,
)

_PATIENCE = 0.5  # s; the real server looks a second time for the root of an unknown id


async def root(request: Request) -> Response:
    """Look up one root; other than `roots` this refuses unknown ids."""
    node, stop_layer = request.path_params["node"], _stop_layer(request)
    if node >> 56 >= stop_layer:
        return reply(request, {"root_id": node})
    at = moment(request)
    found = int(graph(request).roots([node], at, stop_layer)[0])
    if found in {0, node}:
        await asyncio.sleep(_PATIENCE)
        raise Refusal(500, f"Cannot find root id {node}, {stop_layer}, {at}")
    return reply(request, {"root_id": found})


async def roots_binary(request: Request) -> Response:
    """Look up roots: little-endian uint64 in and out."""
    return binary(_roots(request, binary_ids(await raw_body(request))))


async def roots(request: Request) -> Response:
    """Look up roots."""
    found = _roots(request, await ids(request))
    return binary(found) if request.query_params.get("as_binary") else reply(request, {"root_ids": found.tolist()})


async def is_latest_roots(request: Request) -> Response:
    """Say which nodes are current."""
    latest = graph(request).is_latest(await ids(request), moment(request))
    return reply(request, {"is_latest": latest.tolist()})


async def root_timestamps(request: Request) -> Response:
    """Say since when nodes exist or, with `latest`, until when."""
    nodes = await ids(request)
    times = _ends(request, nodes) if flag(request, "latest") else _beginnings(graph(request), nodes.tolist())
    return reply(request, {"timestamp": times})


async def valid_nodes(request: Request) -> Response:
    """Say for which ids the database has a row of that time: also supervoxels, and numbers of operations."""
    start, end = optional_moment(request, "start_timestamp"), optional_moment(request, "end_timestamp")
    found = graph(request)
    nodes = np.unique(await ids(request)).tolist()
    valid = [node for node in nodes if _has_row(found, node, start, end)]
    return reply(request, {"valid_roots": valid})


async def delta_roots(request: Request) -> Response:
    """List the roots that edits of some time ended and made."""
    past, future = needed_moment(request, "timestamp_past"), moment(request, "timestamp_future")
    old, new = graph(request).delta_roots(past, future)
    return reply(request, {"old_roots": old, "new_roots": new})


def _stop_layer(request: Request) -> int:
    stop_layer = whole(request, "stop_layer", layout.N_LAYERS)
    if stop_layer > layout.N_LAYERS:
        raise Refusal(500, "")  # a bare assertion failed
    return stop_layer


def _roots(request: Request, nodes: Ids) -> Ids:
    stop_layer = _stop_layer(request)
    found = graph(request).roots(nodes, moment(request), stop_layer)
    whole_roots = layout.layer_of(found) == layout.N_LAYERS
    if request.query_params.get("assert_roots") and stop_layer == layout.N_LAYERS and not whole_roots.all():
        raise Refusal(500, "roots not found for some IDs")
    return found


def _beginnings(found: ChunkedGraph, nodes: list[int]) -> list[float]:
    """Return when nodes were made: none if all are unknown, a refusal if only some are. Supervoxels are unknown."""
    unknown = [node for node, known in zip(nodes, found.exists(nodes), strict=True) if not known or node >> 56 == 1]
    if unknown and len(unknown) < len(nodes):
        raise Refusal(500, str(unknown[0]))
    return [] if unknown else [found.created(node).timestamp() for node in nodes]


def _ends(request: Request, nodes: Ids) -> list[float]:
    """Return when nodes ended, or the moment asked about if they are still there."""
    found, at = graph(request), moment(request)
    ends = [found.superseded_at(node) for node in nodes.tolist()]
    latest = found.is_latest(nodes, at).tolist()
    if any(end is None and not current for end, current in zip(ends, latest, strict=True)):
        raise Refusal(500, "pop from an empty deque")
    pairs = zip(ends, latest, strict=True)
    return [at.timestamp() if current or end is None else end.timestamp() for end, current in pairs]


def _has_row(found: ChunkedGraph, node: int, start: datetime | None, end: datetime | None) -> bool:
    changes = found.changes(node)
    if 0 < node <= len(found.operations):
        changes = [found.operations[node - 1].timestamp]
    return any((start is None or change >= start) and (end is None or change < end) for change in changes)


ROUTES = [
    Route("/node/{node:int}/root", root),
    Route("/roots_binary", roots_binary, methods=["POST"]),
    Route("/roots", roots, methods=["POST"]),
    Route("/is_latest_roots", is_latest_roots, methods=["POST"]),
    Route("/root_timestamps", root_timestamps, methods=["POST"]),
    Route("/valid_nodes", valid_nodes),
    Route("/delta_roots", delta_roots),
]
