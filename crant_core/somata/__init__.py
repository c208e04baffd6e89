"""Cell bodies: found on meshes and skeletons, and how clearly they are there; looked up; made roots of skeletons."""

from __future__ import annotations

from crant_core.somata.annotations import get_soma_from_annotations
from crant_core.somata.meshes import detect_soma_mesh
from crant_core.somata.neurons import detect_soma, measure_soma
from crant_core.somata.patches import divide_local_neighbourhood
from crant_core.somata.rerooting import reroot_at_soma
from crant_core.somata.skeletons import detect_soma_skeleton

__all__ = [
    "detect_soma",
    "detect_soma_mesh",
    "detect_soma_skeleton",
    "divide_local_neighbourhood",
    "get_soma_from_annotations",
    "measure_soma",
    "reroot_at_soma",
]
