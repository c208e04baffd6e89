"""Skeletons from surfaces by rings of equal geodesic distance: one pass, arrays throughout.

1. Round to a grid, weld equal positions, leave out dust.
2. Geodesic distance along edges from one end of each piece (Dijkstra's rule; the field has no other minimum).
3. Rings: faces are cut where the distance passes k + 1/2 steps; cuts that meet at an edge belong together. A step is
   three mean edges, but of decimated meshes less than one: their long faces are cut several times.
4. Tree: each ring hangs from the next one downhill. No spanning tree is needed.
5. Nodes: centres of rings, weighted by length; radii across the neurite, or of the circle as large as the section.
6. Prune twigs shorter than the neurite they hang from is thick; centre the nodes that fail; extend ends.
7. Join pieces, find the soma, root the tree there.

Wavefronts as rings were introduced for neurons by skeletor (Schlegel), as sets of vertices; cutting faces, the rule for
the tree and the corrections are this project's, and measured in `benchmarks/skeletons.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.skeleton import backend, centring, twigs
from crant_core.skeleton.backend import Backend
from crant_core.skeleton.inputs import in_nm
from crant_core.skeleton.options import Options
from crant_core.skeleton.quality import Quality, covered
from crant_core.skeleton.rings import ADJACENT, LARGEST, OFF_CENTRE, OFF_CENTRE_COARSE, Rings, Surface, step_length
from crant_core.skeleton.soma import Soma, sample, soma_within
from crant_core.skeleton.surface import Part, on_grid, without_dust
from crant_core.skeleton.tree import Skeleton, heal, reroot

CODE_VERSION = 5  #: raised whenever the same mesh gives another skeleton

_NEARLY_NOTHING = 2.0**-10  # nm
_JUDGED = 20_000  # cuts: their share is right within 0.3 %
_TIP_RADII = 0.5  # an end stays this far from the farthest point of its surface

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """A skeleton with what is known about it.

    Attributes
    ----------
    skeleton : Skeleton
        In nm, rooted at the soma if there is one.
    soma : Soma or None
        The widest place, whether it is taken for a cell body or not; None if nobody looked.
    quality : Quality
        Numbers that say how good it is.
    code_version : int
        Of the engine that made it.
    """

    skeleton: Skeleton
    soma: Soma | None
    quality: Quality
    code_version: int = CODE_VERSION


class _Body(NamedTuple):
    """A surface cut into rings, each of them a node, in nm; which nodes are alive, and which lie inside.

    It is coarse if steps are shorter than its edges would have them.
    """

    surface: Surface
    rings: Rings
    coarse: bool
    centres: Floats
    radii: Floats
    alive: Flags
    inside: Flags


def trace(mesh: Mesh, options: Options | None = None, heavy: Backend | None = None) -> Trace:
    """Make a skeleton from a neuron's mesh, and say how good it is. The same mesh always gives the same result.

    Parameters
    ----------
    mesh : Mesh, trimesh.Trimesh or navis.MeshNeuron
        Vertices in nm, or, of a MeshNeuron, in its unit, which is converted. Need be neither welded nor closed nor
        manifold.
    options : Options, optional
        See there for the defaults.
    heavy : module, optional
        Who does the heavy steps: `crant_core.skeleton.kernels` or `crant_core.skeleton.arrays`; the kernels, which are
        faster, if left out and numba is installed.

    Raises
    ------
    WrongType
        It is no mesh.
    SkeletonError
        The mesh has no surface to follow; the message says why.
    """
    options, heavy = options or Options(), heavy or backend.chosen()
    surface, origin = on_grid(in_nm(mesh), heavy)
    part = without_dust(surface, options.min_component, heavy)
    body = _nodes(surface, part, options, heavy)
    body, moved = _centred(body, options, heavy)
    body = body._replace(centres=_with_tips(body, options))
    tree = twigs.subset(Skeleton(body.centres, body.radii, body.rings.parents), body.alive)
    coverage = (1 - part.dropped) * _coverage(body, tree)
    skeleton, soma = _finished(body, tree, options, heavy)
    quality = _quality(body, skeleton, soma) | {"pieces": tree.n_roots, "dropped": part.dropped}
    return _moved_back(skeleton, soma, Quality(**quality, moved=moved, coverage=coverage), origin)


def _nodes(surface: Surface, part: Part, options: Options, heavy: Backend) -> _Body:
    """Cut the surface into rings, and make each a node; short twigs are marked as dead."""
    mean = part.total / part.edges
    step = step_length(mean, options.edges_per_step, options.longest_step / surface.grid)
    rings, coarse = heavy.cut_surface(surface, part.seeds, step), step < round(options.edges_per_step * mean)
    centres = heavy.centroids(rings)
    radii = _radii(rings, centres, coarse, heavy)
    alive = np.ones(len(centres), dtype=bool)
    if options.shave:
        tree, factor = (centres, radii, rings.parents), options.twig_radii
        alive = twigs.prune(*tree, min_length=options.min_twig, per_radius=factor)
    return _Body(surface, rings, coarse, centres, radii, alive, alive)


def _radii(rings: Rings, centres: Floats, coarse: bool, heavy: Backend) -> Floats:
    """Return each node's mean distance from the surface around it, or the radius of the circle as large as its section.

    The latter of coarse meshes, whose edges stand out beyond the neurite, and at branches, where rings are no circles.
    """
    directions = _directions(centres, rings.parents)
    distances = heavy.across(rings, centres, directions)
    sections = _with_adjacent(heavy.sections(rings, centres, directions), rings.parents)
    circles = np.sqrt(np.maximum(sections, 0) / np.pi)
    chosen = (_children(rings.parents) > 1) | coarse
    return np.where(np.isfinite(distances) & ~(chosen & (circles > 0)), distances, circles)


def _children(parents: Ints) -> Ints:
    return np.bincount(parents[parents >= 0], minlength=len(parents))


def _with_adjacent(values: Floats, parents: Ints) -> Floats:
    """Average over each node, its parent, and its child if there is one only."""
    child = np.flatnonzero(parents >= 0)
    only = child[_children(parents)[parents[child]] == 1]
    total, weight = values.copy(), np.ones(len(values))
    for here, there in ((child, parents[child]), (parents[only], only)):
        total[here] += ADJACENT * values[there]
        weight[here] += ADJACENT
    return np.asarray(total / weight)


def _directions(centres: Floats, parents: Ints) -> Floats:
    """Return each node's direction, a unit vector: from its parent to its children; zero for a lone node."""
    child = np.flatnonzero(parents >= 0)
    steps = _unit(centres[child] - centres[parents[child]])
    total = np.zeros_like(centres)
    total[child] = steps
    for axis in range(3):
        total[:, axis] += np.bincount(parents[child], steps[:, axis], len(parents))
    return _unit(total)


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, 1e-12)[:, None])


def _centred(body: _Body, options: Options, heavy: Backend) -> tuple[_Body, float]:
    """Move those nodes into the middle that are not there, and judge which are inside. Also the share moved."""
    nodes = np.arange(len(body.centres))
    clearance, outside = _judged(body, nodes, body.centres, heavy)
    if not options.centre:
        return body._replace(inside=~outside), 0.0
    share = OFF_CENTRE_COARSE if body.coarse else OFF_CENTRE
    doubtful = centring.doubtful(body.rings.parents, body.alive, body.radii, clearance, share)
    nodes = np.flatnonzero(doubtful | (body.alive & outside))
    centres, moved = heavy.recentred(body.rings, nodes, body.centres, LARGEST * body.radii)
    outside[nodes[moved]] = _judged(body, nodes[moved], centres, heavy)[1]
    return body._replace(centres=centres, inside=~outside), float(moved.sum() / body.alive.sum())


def _judged(body: _Body, nodes: Ints, centres: Floats, heavy: Backend) -> tuple[Floats, Flags]:
    """Return how far some nodes are from the surface, and which are outside of it."""
    clearance, nearest = heavy.clearances(body.rings, nodes, centres)
    return clearance, centring.outside(body.rings.middles[nearest], body.rings.facing[nearest], centres[nodes])


def _with_tips(body: _Body, options: Options) -> Floats:
    """Return the nodes with each end moved towards the farthest point of its surface, or at a root the nearest."""
    parents, rings = body.rings.parents, body.rings
    children = _children(np.where(body.alive, parents, -1))
    leaf, root = (children == 0) & (parents >= 0) & (rings.farthest >= 0), (children == 1) & (parents < 0)
    ends = body.centres.copy()
    for chosen, extreme in ((leaf, rings.farthest), (root, rings.nearest)):
        way = body.surface.places[extreme[chosen]] * body.surface.grid - ends[chosen]
        length = np.maximum(np.linalg.norm(way, axis=1), _NEARLY_NOTHING)
        share = np.clip(1 - _TIP_RADII * body.radii[chosen] / length, 0, options.tip_reach)
        ends[chosen] += share[:, None] * way
    return ends


def _coverage(body: _Body, tree: Skeleton) -> float:
    """Return the share of the surface that the tree covers, judged by about 20,000 cuts of it.

    A pruned ring's cuts are held against the next node above that is alive.
    """
    above, up = list(range(len(body.alive))), body.rings.parents.tolist()
    for node in np.flatnonzero(~body.alive).tolist():
        above[node] = above[up[node]]
    rows = np.arange(0, len(body.rings.middles), max(1, len(body.rings.middles) // _JUDGED))
    ring = np.searchsorted(body.rings.starts, rows, side="right") - 1
    return covered(body.rings.middles[rows], (np.cumsum(body.alive) - 1)[np.array(above)[ring]], tree)


def _finished(body: _Body, tree: Skeleton, options: Options, heavy: Backend) -> tuple[Skeleton, Soma | None]:
    """Join pieces, find the soma, root the tree there."""
    skeleton, moved_to = heal(tree) if options.heal else (tree, np.arange(tree.n_nodes))
    if not options.find_soma:
        return skeleton, None
    soma = soma_within(
        sample(body.rings.middles),
        tree.nodes,
        heavy.clearances(body.rings, np.flatnonzero(body.alive), body.centres)[0],
        min_ratio=options.soma_ratio,
        min_radius=options.soma_radius,
        reach=options.soma_reach,
    )
    soma = replace(soma, node=int(moved_to[soma.node]))
    if not soma.found:
        return skeleton, soma
    if options.remove_soma_hairball:
        alive = twigs.outside_hairball(skeleton, soma.node)
        skeleton, soma = twigs.subset(skeleton, alive), replace(soma, node=int(alive[: soma.node].sum()))
    skeleton, moved_to = reroot(skeleton, soma.node)
    return skeleton, replace(soma, node=int(moved_to[soma.node]))


def _quality(body: _Body, skeleton: Skeleton, soma: Soma | None) -> dict[str, Any]:
    return {
        "roots": skeleton.n_roots,
        "inside": float(body.inside[body.alive].mean()),
        "radius": float(np.median(skeleton.radii)),
        "soma_ratio": soma.ratio if soma else 0.0,
        "soma_radius": soma.radius if soma and soma.found else 0.0,
    }


def _moved_back(skeleton: Skeleton, soma: Soma | None, quality: Quality, origin: Floats) -> Trace:
    skeleton = Skeleton(skeleton.nodes + origin, skeleton.radii, skeleton.parents)
    if soma is not None:
        x, y, z = skeleton.nodes[soma.node].tolist()
        soma = replace(soma, position=(x, y, z))
    return Trace(skeleton, soma, quality)
