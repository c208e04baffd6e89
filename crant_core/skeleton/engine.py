"""Skeletons from surfaces by slabs of equal geodesic distance: one pass, arrays throughout.

1. Round to a grid, weld equal positions, leave out dust, halve long edges.
2. Geodesic distance along edges from one end of each piece (Dijkstra's rule; the field has no other minimum).
3. Slabs: connected sets of vertices with the same floor(distance / step), step = 3 mean edges. Thinner slabs shatter.
4. Tree: each slab hangs from the slab of the lowest neighbour of its lowest vertex. No spanning tree is needed.
5. Nodes: area-weighted centres of slabs; radii perpendicular to the neurite over own and adjacent slabs.
6. Prune twigs shorter than the neurite they hang from is thick; centre the nodes that fail; extend ends.
7. Join pieces, find the soma, root the tree there.

Wavefronts as rings were introduced for neurons by skeletor (Schlegel); the rule for the tree, the slabs' thickness and
the corrections are this project's, and measured in `benchmarks/skeletons.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.skeleton import backend, centring, twigs
from crant_core.skeleton.backend import Backend
from crant_core.skeleton.options import Options
from crant_core.skeleton.quality import Quality, covered
from crant_core.skeleton.slices import LARGEST, OFF_CENTRE, OFF_CENTRE_COARSE, Slices, Surface, step_length
from crant_core.skeleton.soma import SAMPLES, Soma, sample, soma_within
from crant_core.skeleton.surface import Part, finely_meshed, on_grid, without_dust
from crant_core.skeleton.tree import Skeleton, heal, reroot

CODE_VERSION = 4  #: raised whenever the same mesh gives another skeleton

_NEARLY_NOTHING = 2.0**-10  # nm
_LONGEST = 3.0  # mean edges
_JUDGED = 20_000  # vertices: their share is right within 0.3 %
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
    """A sliced surface with one node per slab: places slab by slab, nodes with parents before children, in nm."""

    surface: Surface
    slices: Slices
    places: Floats
    centres: Floats
    radii: Floats
    alive: Flags
    inside: Flags


def trace(mesh: Mesh, options: Options | None = None, heavy: Backend | None = None) -> Trace:
    """Make a skeleton from a neuron's mesh, and say how good it is. The same mesh always gives the same result.

    Parameters
    ----------
    mesh : Mesh
        Vertices in nm; need be neither welded nor closed nor manifold.
    options : Options, optional
        See there for the defaults.
    heavy : module, optional
        Who does the heavy steps: `crant_core.skeleton.kernels` or `crant_core.skeleton.arrays`; the kernels, which are
        faster, if left out and numba is installed.

    Raises
    ------
    SkeletonError
        The mesh has no surface to follow; the message says why.
    """
    options, heavy = options or Options(), heavy or backend.chosen()
    surface, origin = on_grid(mesh, heavy)
    part = without_dust(surface, options.min_component, heavy)
    finer, part = finely_meshed(surface, part, _longest(surface, part, options), heavy)
    body = _nodes(finer, part, options, heavy)
    body, moved = _centred(body, OFF_CENTRE if finer is surface else OFF_CENTRE_COARSE, options, heavy)
    del surface, finer
    tree = twigs.subset(Skeleton(_with_tips(body, options), body.radii, body.slices.parents), body.alive)
    coverage = (1 - part.dropped) * _coverage(body, tree)
    skeleton, soma = _finished(body, tree, options)
    quality = _quality(body, skeleton, soma) | {"pieces": tree.n_roots, "dropped": part.dropped}
    return _moved_back(skeleton, soma, Quality(**quality, moved=moved, coverage=coverage), origin)


def _longest(surface: Surface, part: Part, options: Options) -> float:
    """Return how long an edge may be, in nm: shorter than a slab is thick too, as a longer one tears it."""
    limit = min(options.longest_edge, _LONGEST * part.total / part.edges * surface.grid)
    return limit or np.inf


def _nodes(surface: Surface, part: Part, options: Options, heavy: Backend) -> _Body:
    """Slice the surface, and make each slab a node; short twigs are marked as dead."""
    step = step_length(options.edges_per_step, part.total, part.edges)
    slices = heavy.slice_surface(surface, part.seeds, step)
    places, areas = heavy.gathered(surface, slices)
    centres, squares = heavy.centroids(places, areas, slices.starts)
    radii = heavy.across(places, areas, slices, centres, _directions(centres, slices.parents))
    # A slab seen by nobody's weight: its spread, less what its thickness adds to it.
    radii = np.where(np.isfinite(radii), radii, np.sqrt(np.maximum(squares - slices.step**2 / 12, 0)))
    alive = np.ones(len(centres), dtype=bool)
    if options.shave:
        tree, factor = (centres, radii, slices.parents), options.twig_radii
        alive = twigs.prune(*tree, min_length=options.min_twig, per_radius=factor)
    return _Body(surface, slices, places, centres, radii, alive, alive)


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


def _centred(body: _Body, off_centre: float, options: Options, heavy: Backend) -> tuple[_Body, float]:
    """Move those nodes into the middle that are not there, and judge which are inside. Also the share moved."""
    nodes = np.arange(len(body.centres))
    clearance, outside = _judged(body, nodes, body.centres, heavy)
    if not options.centre:
        return body._replace(inside=~outside), 0.0
    doubtful = centring.doubtful(body.slices.parents, body.alive, body.radii, clearance, off_centre)
    nodes = np.flatnonzero(doubtful | (body.alive & outside))
    centres, moved = heavy.recentred(
        body.places, body.surface.normals, body.slices, nodes, body.centres, LARGEST * body.radii
    )
    outside[nodes[moved]] = _judged(body, nodes[moved], centres, heavy)[1]
    return body._replace(centres=centres, inside=~outside), float(moved.sum() / body.alive.sum())


def _judged(body: _Body, nodes: Ints, centres: Floats, heavy: Backend) -> tuple[Floats, Flags]:
    """Return how far some nodes are from the surface, and which are outside of it."""
    clearance, nearest = heavy.clearances(body.places, body.slices, nodes, centres)
    normals = body.surface.normals[body.slices.order[nearest]]
    return clearance, centring.outside(body.places[nearest], normals, centres[nodes])


def _with_tips(body: _Body, options: Options) -> Floats:
    """Return the nodes with each end moved towards the farthest point of its slab, or at a root the nearest."""
    parents, slices = body.slices.parents, body.slices
    children = np.bincount(parents[body.alive & (parents >= 0)], minlength=len(parents))
    leaf, root = (children == 0) & (parents >= 0), (children == 1) & (parents < 0)
    ends = body.centres.copy()
    for chosen, extreme in ((leaf, slices.farthest), (root, slices.nearest)):
        way = body.surface.places[extreme[chosen]] * body.surface.grid - ends[chosen]
        length = np.maximum(np.linalg.norm(way, axis=1), _NEARLY_NOTHING)
        share = np.clip(1 - _TIP_RADII * body.radii[chosen] / length, 0, options.tip_reach)
        ends[chosen] += share[:, None] * way
    return ends


def _coverage(body: _Body, tree: Skeleton) -> float:
    """Return the share of the surface that the tree covers, judged by about 20,000 vertices of it.

    A pruned slab's vertices are held against the next node above that is alive.
    """
    above, up = list(range(len(body.alive))), body.slices.parents.tolist()
    for node in np.flatnonzero(~body.alive).tolist():
        above[node] = above[up[node]]
    rows = np.arange(0, len(body.places), max(1, len(body.places) // _JUDGED))
    slab = np.searchsorted(body.slices.starts, rows, side="right") - 1
    return covered(body.places[rows], (np.cumsum(body.alive) - 1)[np.array(above)[slab]], tree)


def _finished(body: _Body, skeleton: Skeleton, options: Options) -> tuple[Skeleton, Soma | None]:
    """Join pieces, find the soma, root the tree there."""
    skeleton = heal(skeleton) if options.heal else skeleton
    if not options.find_soma:
        return skeleton, None
    soma = soma_within(
        _sample(body),
        skeleton.nodes,
        min_ratio=options.soma_ratio,
        min_radius=options.soma_radius,
        reach=options.soma_reach,
    )
    if not soma.found:
        return skeleton, soma
    if options.remove_soma_hairball:
        alive = twigs.outside_hairball(skeleton, soma.node)
        skeleton, soma = twigs.subset(skeleton, alive), replace(soma, node=int(alive[: soma.node].sum()))
    skeleton, moved_to = reroot(skeleton, soma.node)
    return skeleton, replace(soma, node=int(moved_to[soma.node]))


def _sample(body: _Body) -> Floats:
    """Choose points of what is followed of the surface."""
    surface, order = body.surface, body.slices.order
    if len(order) + len(surface.faces) > SAMPLES:
        return sample(body.places)
    row = np.full(len(surface.places), -1)
    row[order] = np.arange(len(order))
    faces = row[surface.faces]
    return sample(body.places, faces[faces[:, 0] >= 0])


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
