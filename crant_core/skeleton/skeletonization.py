"""From a neuron's surface to its skeleton."""

from __future__ import annotations

from typing import Any

from crant_core.bounds import check_counts
from crant_core.errors import InvalidParameters
from crant_core.skeleton.engine import trace
from crant_core.skeleton.inputs import in_nm
from crant_core.skeleton.options import Options
from crant_core.skeleton.skeletor import trace as trace_with_skeletor
from crant_core.skeleton.surface import weld
from crant_core.skeleton.tree import Skeleton
from crant_core.skeleton.tree import heal as join_trees

METHOD = "wavefront"
METHODS = (METHOD, "skeletor")

_STEP_SIZE = {METHOD: 3.0, "skeletor": 1}


def skeletonize_mesh(
    mesh: Any,
    *,
    method: str = METHOD,
    waves: int = 1,
    step_size: float | None = None,
    heal: bool = True,
) -> Skeleton:
    """Make a skeleton from a neuron's mesh. The same mesh always gives the same skeleton.

    `crant_core.skeleton.trace` takes more options, and says how good the skeleton is and where the soma.

    Parameters
    ----------
    mesh : Mesh, trimesh.Trimesh or navis.MeshNeuron
        Vertices in nm, or, of a MeshNeuron, in its unit, which is converted. Need be neither
        welded nor watertight.
    method : str
        `wavefront`: this project's engine. `skeletor`: skeletor's own wavefronts, unchanged, to compare with.
    waves : int
        Of the method `skeletor`: waves to run and average; more are smoother and slower.
    step_size : float, optional
        Mesh edges per step of a wave; more are coarser and faster. 3 if left out; of `skeletor`, a whole number, 1.
    heal : bool
        Join the mesh's separate pieces into one tree by the shortest bridges.

    Returns
    -------
    Skeleton
        Positions and radii in nm, parents before children.

    Raises
    ------
    InvalidParameters
        There is no such method, steps are too small, or the method has no use for waves.
    WrongType
        It is no mesh.
    SkeletonError
        The mesh has no surface to follow; the message says why.
    """
    if method not in METHODS:
        raise InvalidParameters(f"no method is called {method!r}", value=method, hint=f"one of {', '.join(METHODS)}")
    if method == METHOD and waves != 1:
        raise InvalidParameters("the method wavefront has no use for waves", value=waves, hint="skeletor has")
    surface = in_nm(mesh)
    step = _STEP_SIZE[method] if step_size is None else step_size
    if method == METHOD:
        return trace(surface, Options(edges_per_step=step, heal=heal)).skeleton
    check_counts(waves=waves, step_size=step)
    skeleton = trace_with_skeletor(weld(surface), waves, int(step))
    return join_trees(skeleton)[0] if heal else skeleton
