"""Synapses: single ones, matrices, partners, on skeletons, in meshes; every answer is of one time."""

from __future__ import annotations

from crant_core.synapses.adjacency import Adjacency, get_adjacency
from crant_core.synapses.attaching import attach_synapses
from crant_core.synapses.cortical import query_synapses
from crant_core.synapses.in_mesh import count_synapses_in_mesh, get_synapses_in_mesh
from crant_core.synapses.listing import get_synapses
from crant_core.synapses.partners import get_connectivity, get_synapse_counts

__all__ = [
    "Adjacency",
    "attach_synapses",
    "count_synapses_in_mesh",
    "get_adjacency",
    "get_connectivity",
    "get_synapse_counts",
    "get_synapses",
    "get_synapses_in_mesh",
    "query_synapses",
]
