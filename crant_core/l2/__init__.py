"""Neurons by their L2 chunks: small, quickly fetched, and coarse."""

from __future__ import annotations

from crant_core.l2.dotprops import get_l2_dotprops
from crant_core.l2.graphs import get_l2_graph
from crant_core.l2.info import find_anchor_loc, get_l2_chunk_info, get_l2_info
from crant_core.l2.meshes import get_l2_meshes
from crant_core.l2.skeletons import get_l2_skeleton

__all__ = [
    "find_anchor_loc",
    "get_l2_chunk_info",
    "get_l2_dotprops",
    "get_l2_graph",
    "get_l2_info",
    "get_l2_meshes",
    "get_l2_skeleton",
]
