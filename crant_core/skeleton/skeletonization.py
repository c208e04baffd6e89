"""From a neuron's surface to its skeleton."""

from __future__ import annotations

from crant_core.mesh import Mesh
from crant_core.skeleton.surface import weld
from crant_core.skeleton.tree import Skeleton
from crant_core.skeleton.wavefront import heal as join_trees
from crant_core.skeleton.wavefront import trace

METHOD = "wavefront"


def skeletonize_mesh(mesh: Mesh, *, waves: int = 1, step_size: int = 1, heal: bool = True) -> Skeleton:
    """Make a skeleton from a neuron's mesh. The same mesh always gives the same skeleton.

    Parameters
    ----------
    mesh : Mesh
        Vertices in nm; need be neither welded nor watertight.
    waves : int
        Waves to run and average; more are smoother and slower.
    step_size : int
        Mesh edges per step of a wave; more are coarser and faster.
    heal : bool
        Join the mesh's separate pieces into one tree by the shortest bridges.

    Returns
    -------
    Skeleton
        Positions and radii in nm, parents before children.

    Raises
    ------
    SkeletonError
        The mesh has no surface to follow; the message says why.
    """
    skeleton = trace(weld(mesh), waves, step_size)
    return join_trees(skeleton) if heal else skeleton
