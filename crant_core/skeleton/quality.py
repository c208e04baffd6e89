"""How good a skeleton is, in numbers that need no truth to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.tree import Skeleton


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers that travel with each skeleton.

    Attributes
    ----------
    roots : int
        Separate trees.
    pieces : int
        Separate pieces of the surface that were skeletonized; more than `roots` if they were joined.
    dropped : float
        Share of the surface's vertices in pieces dropped as dust.
    inside : float
        Share of nodes inside the surface, judged by the surface nearest to each.
    moved : float
        Share of nodes that had to be put into the middle.
    coverage : float
        Share of the surface's rings within 1.5 radii + 100 nm of the skeleton; what is dropped counts as missed.
    radius : float
        Median radius in nm.
    soma_ratio : float
        How much the widest place stands out: see `crant_core.skeleton.soma.Soma`; 0 if nobody looked.
    soma_radius : float
        Its inscribed radius in nm; 0 if it is not taken for a cell body.
    """

    roots: int
    pieces: int
    dropped: float
    inside: float
    moved: float
    coverage: float
    radius: float
    soma_ratio: float
    soma_radius: float


def covered(
    places: NDArray[np.float64],
    node: NDArray[np.int64],
    skeleton: Skeleton,
    *,
    radii: float = 1.5,
    slack: float = 100.0,
) -> float:
    """Return the share of places within `radii` radii + `slack` nm of the edge from their node to its parent.

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        In nm.
    node : ndarray, shape (n,)
        The node each belongs to; or the other end of the edges that lead to it is tried too.
    """
    within = radii * skeleton.radii[node] + slack
    near = _to_segment(places, skeleton.nodes[node], skeleton.nodes[_up(skeleton)[node]]) <= within
    return float(near.mean())


def _up(skeleton: Skeleton) -> NDArray[np.int64]:
    return np.where(skeleton.parents < 0, np.arange(skeleton.n_nodes), skeleton.parents)


def _to_segment(
    places: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    along, offset = end - start, places - start
    squared = np.maximum(np.einsum("ij,ij->i", along, along), 1e-12)
    share = np.clip(np.einsum("ij,ij->i", along, offset) / squared, 0, 1)
    return np.asarray(np.linalg.norm(offset - share[:, None] * along, axis=1))
