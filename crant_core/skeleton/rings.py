"""What both backends share: a surface, the rings that it is cut into, and the numbers of the method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OFF_CENTRE = 0.6  #: a node nearer to the surface than this many radii is not in its middle
OFF_CENTRE_COARSE = 0.4  #: the same where faces are longer than steps: flat triangles make balls that are no better
AXIAL_REACH = 1.5  #: steps: how far along the neurite surface counts for a node's radius
ADJACENT = 0.5  #: how much the sections of the rings before and after count
LARGEST = 1.5  #: of a node's measured radius: the ball that it may be moved into


MOST_CUTS = 16  #: of a mean edge: with more of them, arrays would grow without limit


class Balls(NamedTuple):
    """Which balls a node may be moved into. The kernels take it as an argument: numba would cache globals for good."""

    touched: int = 32  #: cuts of a ring from which balls are grown, about
    seen: int = 600  #: cuts of own and adjacent rings that may stop them, about
    facing: float = 0.5  #: cosine: surface that faces the same way stops no ball, as noise would be enough to
    nearly: float = 0.75  #: of the largest ball: how large the one that is taken must be
    grid: float = 2.0**-10  #: nm: what differs by less is the same, so that the last bit of a sum decides nothing
    detour: float = 1.25  #: how much longer the ways to the nodes next to it may become


BALLS = Balls()
SHORTEST = 2.0**-10  #: nm: weights must not vanish where a surface is folded flat


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
    open : ndarray, shape (n,), bool
        Whether the faces around a vertex do not close up: then each of them lists both its neighbours.
    total, longest : int
        The sum of all faces' edge lengths, and the longest of them.
    grid : float
        The length of a cell in nm, a power of two.
    """

    places: NDArray[np.int32]
    faces: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    links: NDArray[np.uint32]
    open: NDArray[np.bool_]
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


class Rings(NamedTuple):
    """A surface cut at equal steps of a field: m rings, of r cuts through a face each; parents precede children.

    Where a piece is smaller than a step, all its faces are its ring.

    Attributes
    ----------
    middles : ndarray, shape (r, 3), float64
        The middle of each cut, ring by ring, in nm.
    cuts : ndarray, shape (r, 3), float64
        From one end of each cut to the other, in nm; counterclockwise as seen from where the field rises.
    facing : ndarray, shape (r, 3), float64
        The unit normal of each cut's face.
    starts : ndarray, shape (m + 1,), int64
        Where each ring begins.
    parents : ndarray, shape (m,), int64
        The ring nearer to the seed that each hangs from; -1 at the first of each seed.
    nearest, farthest : ndarray, shape (m,), int64
        The seed of each ring without a parent; the highest vertex above each ring and below no other. -1 if none.
    step : float
        From one level to the next, in nm.
    """

    middles: NDArray[np.float64]
    cuts: NDArray[np.float64]
    facing: NDArray[np.float64]
    starts: NDArray[np.int64]
    parents: NDArray[np.int64]
    nearest: NDArray[np.int64]
    farthest: NDArray[np.int64]
    step: float


def step_length(edge: float, edges_per_step: float, longest: float) -> int:
    """Return the step in cells, never 0: some mean edges, at most the longest, and at least a part of an edge."""
    step = edges_per_step * edge
    return max(round(min(step, max(longest, edge / MOST_CUTS)) if longest else step), 1)
