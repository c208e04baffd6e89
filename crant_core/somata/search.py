"""Where a neuron's cell body is: the widest place inside its surface, if it stands out, and by how much.

Inscribed radii of skeleton nodes tell a cell body from a dense arbor, and from a thick neurite, which goes on. The
nodes come from a coarse copy of the surface: a soma is not smaller there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import check_finite
from crant_core.errors import SkeletonError
from crant_core.mesh import Mesh
from crant_core.neuropils.solid_angles import winding_numbers
from crant_core.skeleton import Options, Soma, trace
from crant_core.skeleton.soma import inscribed_radii, sample
from crant_core.somata.surfaces import is_large, outside_of

MIN_RATIO = 1.65  #: neurites reach 1.3, a cut-off stump 1.63; somata on fine meshes 2.8, on decimated ones 1.68
_REACH = 2.0  # radii from the middle, where the cell body has ended
_INSIDE = 0.25  # windings: half of what is halfway into a closed surface, for those with an open side
NOWHERE = Soma(-1, (np.nan,) * 3, 0.0, 0.0, found=False)  #: of what has no inside

_FINE = Options(find_soma=False, shave=False, heal=False)
_COARSE = replace(_FINE, longest_step=0.0)


def search(mesh: Mesh, *, min_radius: float = 800.0, min_ratio: float = MIN_RATIO) -> Soma:
    """Find the widest place of a neuron.

    Parameters
    ----------
    mesh : Mesh
        In nm.
    min_radius : float
        Of a cell body's inscribed ball, in nm.
    min_ratio : float
        How many times as wide it must be as any place farther than two of its radii.

    Returns
    -------
    Soma
        `node` is the vertex nearest to its middle. Of what has no inside: -1, NaN, and 0.

    Raises
    ------
    InvalidParameters
        A limit is negative or not finite.
    SkeletonError
        The arrays are no mesh.
    """
    check_finite(min_radius=min_radius, min_ratio=min_ratio)
    surface = outside_of(mesh)
    nodes = np.empty((0, 3)) if surface is None else _nodes(surface, _COARSE if is_large(mesh) else _FINE)
    if surface is None or not len(nodes):
        return NOWHERE
    radii = inscribed_radii(sample(surface.vertices, surface.faces), nodes)
    node = _widest_inside(surface, nodes, radii, min_radius)
    found = judged(nodes, radii, node, min_radius, min_ratio)
    return replace(found, node=int(squares_from(mesh, found).argmin()))


def squares_from(mesh: Mesh, soma: Soma) -> NDArray[np.float64]:
    """Return the squared distance of each vertex to a soma's middle, nm²."""
    way = mesh.vertices - soma.position
    return np.asarray(np.einsum("ij,ij->i", way, way))


def judged(
    nodes: NDArray[np.float64], radii: NDArray[np.float64], node: int, min_radius: float, min_ratio: float
) -> Soma:
    """Hold a place against all that are farther than two of its radii."""
    radius = float(radii[node])
    far = np.linalg.norm(nodes - nodes[node], axis=1) > _REACH * radius
    rest = float(radii[far].max(initial=0.0))
    ratio = radius / rest if rest else float("inf")
    x, y, z = nodes[node].tolist()
    return Soma(node, (x, y, z), radius, ratio, found=ratio >= min_ratio and radius >= min_radius)


def _nodes(surface: Mesh, options: Options) -> NDArray[np.float64]:
    """Return the nodes of the surface's skeleton; none where it has nothing to follow."""
    try:
        return trace(surface, options).skeleton.nodes
    except SkeletonError:
        return np.empty((0, 3))


def _widest_inside(surface: Mesh, nodes: NDArray[np.float64], radii: NDArray[np.float64], min_radius: float) -> int:
    """Return the widest node that is inside; where none is wide enough, the widest."""
    left = radii.copy()
    while left.max() >= max(min_radius, 1.0):
        node = int(left.argmax())
        if abs(winding_numbers(nodes[[node]], surface)[0]) >= _INSIDE:
            return node
        left[np.linalg.norm(nodes - nodes[node], axis=1) <= radii[node]] = 0.0
    return int(left.argmax())
