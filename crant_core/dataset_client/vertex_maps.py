"""What vertex maps are made with; loaded when the first one is made, because it is heavy: numba."""

from __future__ import annotations

from numbers import Real
from typing import Any

from crant_core.errors import InvalidParameters
from crant_core.vertex_map import ChunkGrid, Limits, SegmentationLookup, assign_vertices
from crant_core.vertex_map.assigner import VertexAssigner
from crant_core.vertex_map.chunks import l2_chunks, l2_chunks_of, points_of
from crant_core.vertex_map.methods import DEFAULT_HOPS
from crant_core.vertex_map.neurons import surface_of, whole_mesh

__all__ = [
    "ChunkGrid",
    "SegmentationLookup",
    "assign_vertices",
    "check_pairs",
    "check_place",
    "l2_chunks",
    "l2_chunks_of",
    "limits_of",
    "points_of",
    "surface_of",
    "whole_mesh",
]


def limits_of(max_distance: float, ratio_better: float, hop_limit: int | None, path_limit: float) -> Limits:
    """Refuse limits that make no sense.

    Raises
    ------
    InvalidParameters
    """
    hops = DEFAULT_HOPS if hop_limit is None else hop_limit
    for name, value in (("max_distance", max_distance), ("ratio_better", ratio_better), ("path_limit", path_limit)):
        if not isinstance(value, Real):
            raise InvalidParameters(f"{name} cannot be {value!r}", value=repr(value), hint="a number")
    if isinstance(hops, bool) or not hasattr(hops, "__index__"):
        raise InvalidParameters(f"hop_limit cannot be {hops!r}", value=repr(hops), hint="a whole number, 0 or more")
    rules = {
        "max_distance": (max_distance, max_distance >= 0),
        "ratio_better": (ratio_better, 0 < ratio_better <= 1),
        "hop_limit": (hops, hops >= 0),
        "path_limit": (path_limit, path_limit >= 0),
    }
    for name, (value, is_good) in rules.items():
        if not is_good:
            raise InvalidParameters(f"{name} cannot be {value}", value=value)
    return Limits(max_distance=max_distance, ratio_better=ratio_better, hop_limit=hops, path_limit=path_limit)


def check_pairs(**given: Any) -> None:
    """Refuse halves of pairs, and what would have no effect.

    Raises
    ------
    InvalidParameters
    """
    for one, other in (("vertices", "faces"), ("faces", "vertices"), ("lvl2_pts", "lvl2_ids")):
        if given[one] is not None and given[other] is None:
            raise InvalidParameters(f"{one} and {other} belong together; {other} is missing", value=other)
    if given["vertices"] is not None and given["mesh_kwargs"]:
        hint = "leave them out, or vertices and faces"
        raise InvalidParameters("mesh_kwargs are for a mesh that is fetched, and one is given", hint=hint)


def check_place(found: VertexAssigner) -> None:
    """Refuse a surface of which no vertex has an L2 id: it is elsewhere, or in another unit.

    Raises
    ------
    InvalidParameters
    """
    if len(found.vertices) and len(found.lvl2_ids) and not found.mesh_label.any():
        low, high = found.vertices.min(axis=0).tolist(), found.vertices.max(axis=0).tolist()
        hint = "vertices are nm in the dataset's frame, and L2 ids those of the same neuron"
        raise InvalidParameters(f"no vertex is in a chunk of the L2 ids; they are from {low} to {high}", hint=hint)
