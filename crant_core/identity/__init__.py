"""Which ids a neuron has, had and will have: roots, supervoxels, and the edits between them."""

from __future__ import annotations

from crant_core.identity.history import find_common_time, get_lineage_graph
from crant_core.identity.outcomes import Outcome, outcomes
from crant_core.identity.supervoxels import roots_to_supervoxels, supervoxels_to_roots
from crant_core.identity.updates import update_ids
from crant_core.identity.validity import is_latest_roots, is_valid_root, is_valid_supervoxel

__all__ = [
    "Outcome",
    "find_common_time",
    "get_lineage_graph",
    "is_latest_roots",
    "is_valid_root",
    "is_valid_supervoxel",
    "outcomes",
    "roots_to_supervoxels",
    "supervoxels_to_roots",
    "update_ids",
]
