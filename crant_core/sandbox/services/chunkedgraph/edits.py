"""The chunkedgraph service: edits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crant_core.sandbox import layout
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph, Coords
from crant_core.sandbox.graph.operations import EditRefused, Operation
from crant_core.sandbox.services.chunkedgraph.places import supervoxel_at
from crant_core.sandbox.services.chunkedgraph.requests import ME, graph, json_body, reply, whole
from crant_core.sandbox.state import state

_ENDS = 2
_FAR = 3  # chunks
_TICK = timedelta(milliseconds=1)


async def merge(request: Request) -> Response:
    """Join two neurons at two points: `[[node, x, y, z], [node, x, y, z]]`, nm."""
    ends = await json_body(request)
    if len(ends) != _ENDS:
        raise Refusal(500, "a merger has two ends")
    one, other = (supervoxel_at(request, int(node), position) for node, *position in ends)
    _check_distance(one, other, whole(request, "chebyshev_distance", _FAR))
    coords = ([ends[0][1:]], [ends[1][1:]])
    return _edit(request, lambda found, at: found.merge([(one, other)], at, ME, coords))


async def split(request: Request) -> Response:
    """Separate points of a neuron: `{"sources": [[node, x, y, z], ..], "sinks": ..}`, nm."""
    body = await json_body(request)
    sources, sinks = _supervoxels(request, body, "sources"), _supervoxels(request, body, "sinks")
    coords = _coords(body)
    return _edit(request, lambda found, at: found.split(sources, sinks, at, ME, coords))


async def split_preview(request: Request) -> Response:
    """Say what a split would leave."""
    body = await json_body(request)
    sources, sinks = _supervoxels(request, body, "sources"), _supervoxels(request, body, "sinks")
    try:
        parts, illegal = graph(request).preview_split(sources, sinks)
    except EditRefused as error:
        raise Refusal(400, f"[400]: {error}") from error
    found = [part.tolist() for part in parts]
    return reply(request, {"supervoxel_connected_components": found, "illegal_split": illegal})


async def undo(request: Request) -> Response:
    """Take an operation back."""
    number = await _operation_id(request)
    return _edit(request, lambda found, at: found.undo(number, at, ME))


async def redo(request: Request) -> Response:
    """Do an undone operation again."""
    number = await _operation_id(request)
    return _edit(request, lambda found, at: found.redo(number, at, ME))


def _edit(request: Request, edit: Callable[[ChunkedGraph, datetime], Operation]) -> Response:
    try:
        done = edit(graph(request), _next_moment(request))
    except EditRefused as error:
        raise Refusal(400, f"[400]: {error}") from error
    return reply(request, {"operation_id": done.id, "new_root_ids": list(done.new_roots)})


def _next_moment(request: Request) -> datetime:
    """Return now, or the next tick of the clock if an edit has taken this one."""
    now, operations = state(request).clock.now(), state(request).graph.operations
    last = operations[-1].timestamp if operations else now - _TICK
    return last + _TICK if now <= last <= now + _TICK else now


def _check_distance(one: int, other: int, limit: int) -> None:
    apart = np.diff(layout.chunk_of([one, other]), axis=0)
    if (np.abs(apart) > limit).any():
        raise Refusal(400, f"[400]: Chebyshev distance between merge points exceeded allowed maximum ({_FAR} chunks).")


def _supervoxels(request: Request, body: dict[str, Any], side: str) -> list[int]:
    return [supervoxel_at(request, int(node), position) for node, *position in body[side]]


def _coords(body: dict[str, Any]) -> Coords:
    return [end[1:] for end in body["sources"]], [end[1:] for end in body["sinks"]]


async def _operation_id(request: Request) -> int:
    body = await json_body(request)
    try:
        return int(body["operation_id"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(500, repr(error)) from error


ROUTES = [
    Route("/merge", merge, methods=["POST"]),
    Route("/split", split, methods=["POST"]),
    Route("/graph/split_preview", split_preview, methods=["POST"]),
    Route("/undo", undo, methods=["POST"]),
    Route("/redo", redo, methods=["POST"]),
]
