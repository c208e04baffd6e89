"""What both backends share: the slabs that a surface is sliced into, and the numbers of the method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OFF_CENTRE = 0.6  #: a node nearer to the surface than this many radii is not in its middle
OFF_CENTRE_COARSE = 0.4  #: the same where edges had to be halved: flat triangles make balls that are no better
AXIAL_REACH = 1.4  #: steps: how far along the neurite surface counts for a node's radius
LARGEST = 1.5  #: of a node's measured radius: the ball that it may be moved into


class Balls(NamedTuple):
    """Which balls a node may be moved into. The kernels take it as an argument: numba would cache globals for good."""

    touched: int = 32  #: vertices of a slab from which balls are grown, about
    seen: int = 600  #: vertices of own and adjacent slabs that may stop them, about
    facing: float = 0.5  #: cosine: surface that faces the same way stops no ball, as noise would be enough to
    nearly: float = 0.75  #: of the largest ball: how large the one that is taken must be
    grid: float = 2.0**-10  #: nm: what differs by less is the same, so that the last bit of a sum decides nothing
    detour: float = 1.25  #: how much longer the ways to the nodes next to it may become


BALLS = Balls()
ROUNDS = 8  #: of halving long edges: enough for 256 times the limit
NO_AREA = 1.0  #: cells: weights must not vanish where a surface is folded flat


class Surface(NamedTuple):
    """A surface of n vertices and f faces on a grid of whole numbers, with its neighbours listed.

    Whole numbers are half as large as coordinates, add up to the same in any order, and make equal distances equal
    wherever the mesh lies. Lengths are in cells of the grid.

    Attributes
    ----------
    places : ndarray, shape (n, 3), int32
        Positions, none of them negative, each of them once.
    faces : ndarray, shape (f, 3), uint32
    starts : ndarray, shape (n + 1,), uint32
        Where each vertex' list begins in `links`.
    links : ndarray, shape (h, 2), uint32
        Neighbours, and the lengths of the edges to them.
    normals : ndarray, shape (n, 3), float64
        Outward, and as long as twice the area of the faces around.
    areas : ndarray, shape (n,), float64
        A third of the area of the faces around.
    total, longest : int
        The sum of all faces' edge lengths, and the longest of them.
    grid : float
        The length of a cell in nm, a power of two.
    """

    places: NDArray[np.int32]
    faces: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    links: NDArray[np.uint32]
    normals: NDArray[np.float64]
    areas: NDArray[np.float64]
    total: int
    longest: int
    grid: float


class Pieces(NamedTuple):
    """The k connected pieces of a surface of n vertices, in order of their first vertex.

    Attributes
    ----------
    labels : ndarray, shape (n,), int32
        The piece of each vertex.
    sizes : ndarray, shape (k,), int64
        How many vertices each has.
    low, high : ndarray, shape (k, 3), int64
        Corners of their bounding boxes, in cells.
    seeds : ndarray, shape (k,), int64
        The vertex at one end of each: the lowest along the longest side of its box.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    seeds: NDArray[np.int64]


class Slices(NamedTuple):
    """A surface in m slabs, each of which becomes a node; parents precede children.

    Attributes
    ----------
    order : ndarray, shape (r,), int32
        The vertices that a seed reaches, slab by slab, in ascending order within each.
    starts : ndarray, shape (m + 1,), int64
        Where each slab begins in `order`.
    parents : ndarray, shape (m,), int64
        The slab nearer to the seed that each slab hangs from; -1 at the seeds' slabs.
    nearest, farthest : ndarray, shape (m,), int64
        The vertex of each slab with the smallest and the largest distance from the seed; the lowest index wins ties.
    step : float
        Thickness of a slab in nm.
    """

    order: NDArray[np.int32]
    starts: NDArray[np.int64]
    parents: NDArray[np.int64]
    nearest: NDArray[np.int64]
    farthest: NDArray[np.int64]
    step: float


def step_length(edges_per_step: float, total: int, count: int) -> int:
    """Return a slab's thickness in cells, from the sum of all edge lengths and their number; never 0."""
    return max(round(edges_per_step * total / count), 1)
