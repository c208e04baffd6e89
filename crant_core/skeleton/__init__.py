"""Skeletons of neurons: made from meshes, written as SWC, drawn. Arrays in, arrays out."""

from __future__ import annotations

from crant_core.skeleton.skeletonization import skeletonize_mesh
from crant_core.skeleton.tree import Skeleton

__all__ = ["Skeleton", "skeletonize_mesh"]
