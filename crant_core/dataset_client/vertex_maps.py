"""What vertex maps are made with; loaded when the first one is made, because it is heavy: numba."""

from __future__ import annotations

from typing import Any

from crant_core.errors import InvalidParameters
from crant_core.vertex_map import ChunkGrid, Limits, SegmentationLookup, assign_vertices
from crant_core.vertex_map.chunks import l2_chunks, l2_chunks_of
from crant_core.vertex_map.methods import DEFAULT_HOPS
from crant_core.vertex_map.neurons import surface_of, whole_mesh

__all__ = [
    "ChunkGrid",
    "SegmentationLookup",
    "assign_vertices",
    "check_pairs",
    "l2_chunks",
    "l2_chunks_of",
    "limits_of",
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
    for one, other in (("vertices", "faces"), ("lvl2_ids", "lvl2_pts")):
        if (given[one] is None) != (given[other] is None):
            lacking = one if given[one] is None else other
            raise InvalidParameters(f"{one} and {other} belong together; {lacking} is missing", value=lacking)
    if given["vertices"] is not None and given["mesh_kwargs"]:
        hint = "leave them out, or vertices and faces"
        raise InvalidParameters("mesh_kwargs are for a mesh that is fetched, and one is given", hint=hint)
