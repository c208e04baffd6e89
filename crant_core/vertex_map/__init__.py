"""Which L2 chunk each vertex of a neuron's surface belongs to."""

from __future__ import annotations

from crant_core.vertex_map.assigner import VertexAssigner
from crant_core.vertex_map.assigning import assign_vertices
from crant_core.vertex_map.chunks import L2Chunks
from crant_core.vertex_map.grid import ChunkGrid
from crant_core.vertex_map.lookup import SegmentationLookup
from crant_core.vertex_map.methods import Limits, Method
from crant_core.vertex_map.neurons import map_neuron

__all__ = [
    "ChunkGrid",
    "L2Chunks",
    "Limits",
    "Method",
    "SegmentationLookup",
    "VertexAssigner",
    "assign_vertices",
    "map_neuron",
]
