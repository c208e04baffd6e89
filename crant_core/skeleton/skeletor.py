"""Skeletons by skeletor, unchanged, behind a seam of plain arrays: to compare ours with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError
from crant_core.mesh import Mesh
from crant_core.skeleton.tree import Skeleton, in_order

_GRID_NM = 2.0**-10

_seeded = threading.Lock()


def trace(mesh: Mesh, waves: int, step_size: int) -> Skeleton:
    """Send waves over a surface and make each ring of vertices they cross one node.

    Parameters
    ----------
    mesh : Mesh
        A welded surface in nm.
    waves : int
        Waves to run and average.
    step_size : int
        Mesh edges per step of a wave.

    Returns
    -------
    Skeleton
        One tree per connected piece of the surface.

    Raises
    ------
    SkeletonError
    """
    from skeletor.skeletonize import by_wavefront
    from trimesh import Trimesh

    # On its own grid, finer than any float32 position, the same shape gives the same skeleton wherever it lies:
    # otherwise the last bit of a coordinate decides between rings of equal weight.
    origin = mesh.vertices.min(axis=0)
    local = np.round((mesh.vertices - origin) / _GRID_NM) * _GRID_NM
    surface = Trimesh(local, mesh.faces, process=False)
    with _fixed_seed():
        try:
            table = by_wavefront(
                surface, waves=waves, step_size=step_size, origins=[_tip(local, mesh.faces)], progress=False
            ).swc
        except ValueError as error:  # skeletor's spanning tree needs an edge
            raise SkeletonError(f"at step size {step_size} the mesh shrinks to isolated points") from error
    nodes = table[["x", "y", "z"]].to_numpy(dtype=np.float64) + origin
    return in_order(nodes, table["radius"].to_numpy(dtype=np.float64), table["parent_id"].to_numpy(dtype=np.int64))


def _tip(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> int:
    """Find one end of the largest piece, to start there: a wave started half-way along leaves a twig where it began."""
    from navis_fastcore import mesh_connected_components

    pieces = mesh_connected_components(faces, len(vertices))
    largest = np.flatnonzero(pieces == np.bincount(pieces).argmax())
    extent = vertices[largest]
    longest = np.ptp(extent, axis=0).argmax()
    return int(largest[extent[:, longest].argmin()])


@contextmanager
def _fixed_seed() -> Iterator[None]:
    """Give numpy's global random state back: skeletor seeds it to place its waves."""
    with _seeded:
        state = np.random.get_state()
        try:
            yield
        finally:
            np.random.set_state(state)
