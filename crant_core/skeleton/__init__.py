"""Skeletons of neurons: made from meshes, measured, written as SWC, drawn. Arrays in, arrays out."""

from __future__ import annotations

from crant_core.skeleton.engine import Trace, trace
from crant_core.skeleton.options import Options
from crant_core.skeleton.quality import Quality
from crant_core.skeleton.skeletonization import skeletonize_mesh
from crant_core.skeleton.soma import Soma, find_soma
from crant_core.skeleton.tree import Skeleton
from crant_core.skeleton.twigs import remove_soma_hairball, shave_skeleton

__all__ = [
    "Options",
    "Quality",
    "Skeleton",
    "Soma",
    "Trace",
    "find_soma",
    "remove_soma_hairball",
    "shave_skeleton",
    "skeletonize_mesh",
    "trace",
]
