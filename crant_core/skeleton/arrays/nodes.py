"""Measures slabs in numpy: centres, radii across the neurite, clearances, and balls that fit inside."""
# ruff: noqa: PLR0917 - the same arguments as the kernels, which take no keywords

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.arrays.surfaces import squares
from crant_core.skeleton.slices import AXIAL_REACH, BALLS, Slices, Surface

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def gathered(surface: Surface, slices: Slices) -> tuple[Floats, Floats]:
    """Return the vertices' positions in nm, and their areas, slab by slab."""
    return np.asarray(surface.places[slices.order] * surface.grid), surface.areas[slices.order]


def centroids(places: Floats, weights: Floats, starts: Ints) -> tuple[Floats, Floats]:
    """Return each slab's weighted centre, (m, 3), and mean squared distance from it, (m,).

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        The surface's vertices, slab by slab.
    weights : ndarray, shape (n,)
        Positive.
    starts : ndarray, shape (m + 1,)
        Where each slab begins.
    """
    total = np.add.reduceat(weights, starts[:-1])
    centres = np.stack([np.add.reduceat(places[:, axis] * weights, starts[:-1]) / total for axis in range(3)], axis=1)
    spread = squares(places - np.repeat(centres, np.diff(starts), axis=0))
    return centres, np.add.reduceat(spread * weights, starts[:-1]) / total


def across(places: Floats, weights: Floats, slices: Slices, centres: Floats, directions: Floats) -> Floats:
    """Return each node's mean distance of the surface from its axis, (m,), over its own and adjacent slabs.

    Weighted by area, and less the farther along the axis: (1 - (axial / 1.4 step)²)³, which is near exp(-2 (axial /
    step)²) and much cheaper. NaN where nothing counts.
    """
    total, weight = np.zeros(len(centres)), np.zeros(len(centres))
    sizes = np.diff(slices.starts)
    for nodes in neighbours(slices.parents):
        slabs = np.flatnonzero(nodes >= 0)
        if not len(slabs):
            continue
        node = np.repeat(nodes, sizes)
        chosen = slice(None) if len(slabs) == len(nodes) else node >= 0
        rows, node = places[chosen], node[chosen]
        sums = _profile(rows, weights[chosen], node, centres, directions, AXIAL_REACH * slices.step)
        starts = np.concatenate([[0], np.cumsum(sizes[slabs])[:-1]]).astype(np.int64)
        total += np.bincount(nodes[slabs], np.add.reduceat(sums[0], starts), len(total))
        weight += np.bincount(nodes[slabs], np.add.reduceat(sums[1], starts), len(weight))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weight)


def _profile(
    places: Floats, weights: Floats, node: Ints, centres: Floats, directions: Floats, reach: float
) -> tuple[Floats, Floats]:
    offset = places - centres[node]
    axial = np.einsum("ij,ij->i", offset, directions[node])
    weight = weights * np.maximum(1 - (axial / reach) ** 2, 0) ** 3
    return np.sqrt(np.maximum(squares(offset) - axial * axial, 0)) * weight, weight


def neighbours(parents: Ints) -> Iterator[Ints]:
    """Yield node numbers per slab so that every slab meets itself, its parent and each of its children once.

    Each yielded array has one node per slab, or -1.
    """
    yield np.arange(len(parents))
    yield parents
    children = np.flatnonzero(parents >= 0)
    children = children[np.argsort(parents[children], kind="stable")]
    begins = np.flatnonzero(np.diff(parents[children], prepend=-1))
    rank = np.arange(len(children)) - np.repeat(begins, np.diff(np.append(begins, len(children))))
    for number in range(int(rank.max(initial=-1)) + 1):
        nodes = np.full(len(parents), -1)
        nodes[parents[children[rank == number]]] = children[rank == number]
        yield nodes


def clearances(places: Floats, slices: Slices, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]:
    """Return some nodes' distance to the nearest vertex of their own and adjacent slabs, and that vertex's row."""
    best, at = np.full(len(centres), np.inf), np.full(len(centres), -1)
    sizes = np.diff(slices.starts)
    for met in neighbours(slices.parents):
        slabs = np.flatnonzero(met >= 0)
        if not len(slabs):
            continue
        chosen = np.flatnonzero(np.repeat(met >= 0, sizes))
        square = squares(places[chosen] - centres[np.repeat(met[slabs], sizes[slabs])])
        starts = np.concatenate([[0], np.cumsum(sizes[slabs])[:-1]]).astype(np.int64)
        lowest = np.minimum.reduceat(square, starts)
        hit = np.flatnonzero(square == np.repeat(lowest, sizes[slabs]))
        first = chosen[hit[np.unique(np.searchsorted(starts, hit, side="right") - 1, return_index=True)[1]]]
        _keep_nearer(best, at, met[slabs], lowest, first)
    return np.sqrt(best[nodes]), at[nodes]


def _keep_nearer(best: Floats, at: Ints, nodes: Ints, found: Floats, rows: Ints) -> None:
    """Lower each node's best; several slabs may report to one node, the first of equals wins."""
    order = np.lexsort([rows, found, nodes])
    first = order[np.unique(nodes[order], return_index=True)[1]]
    better = first[found[first] < best[nodes[first]]]
    best[nodes[better]], at[nodes[better]] = found[better], rows[better]


def recentred(
    places: Floats, normals: Floats, slices: Slices, nodes: Ints, centres: Floats, most: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Move nodes, one after the other, into balls that touch their slab from inside and fit into the surface.

    The shrinking ball of medial axis transforms (Ma, Bae & Choi 2012), taken over the slab's own and adjacent
    vertices. Of the balls nearly as large as the largest, that nearest to the nodes joined to this one: ways through
    it shall become no longer than they must; if they would by more than `BALLS.detour`, it stays where it is.

    Parameters
    ----------
    places : ndarray, shape (r, 3)
        The surface's vertices, slab by slab.
    normals : ndarray, shape (n, 3)
        Outward, of any length, as the surface numbers them.
    slices : Slices
    nodes : ndarray, shape (k,)
        Which to move.
    centres : ndarray, shape (m, 3)
        Where all nodes are.
    most : ndarray, shape (m,)
        The largest radius allowed to each, in nm: where the surface is open, nothing stops a ball.

    Returns
    -------
    ndarray, shape (m, 3)
        Where all nodes are now.
    ndarray, shape (k,), bool
        Which of `nodes` have been moved.
    """
    centres, moved = centres.copy(), np.zeros(len(nodes), dtype=bool)
    for number, node in enumerate(nodes.tolist()):
        joined = _joined(slices, node)
        touched, seen = _rows(slices, [node], BALLS.touched), _rows(slices, [node, *joined], BALLS.seen)
        outward = _units(normals[slices.order[touched]])
        radii = _ball_radii(places[touched], outward, places[seen], normals[slices.order[seen]])
        radii = np.where(radii <= most[node], np.round(radii / BALLS.grid) * BALLS.grid, 0)
        balls = places[touched] - outward * radii[:, None]
        best = _straightest(balls, radii, centres[joined], centres[node])
        if best >= 0:
            centres[node], moved[number] = balls[best], True
    return centres, moved


def _units(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.sqrt(squares(vectors)), 1e-12)[:, None])


def _joined(slices: Slices, node: int) -> list[int]:
    """Return a node's children and parent."""
    parent = int(slices.parents[node])
    return [*np.flatnonzero(slices.parents == node).tolist(), *([parent] if parent >= 0 else [])]


def _rows(slices: Slices, slabs: list[int], count: int) -> Ints:
    """Return every k-th row of some slabs, about `count` of them."""
    rows = np.concatenate([np.arange(slices.starts[slab], slices.starts[slab + 1]) for slab in slabs])
    return rows[:: max(1, len(rows) // count)]


def _ball_radii(touched: Floats, outward: Floats, seen: Floats, facing: Floats) -> Floats:
    """Return the radius of the largest empty ball that touches each point from inside; infinite if nothing stops it."""
    x, y, z = touched.T[:, :, None] - seen.T[:, None, :]
    u, v, w = outward.T[:, :, None]
    d, e, f = facing.T
    with np.errstate(invalid="ignore", divide="ignore"):
        curves = 2 * (x * u + y * v + z * w) / (x * x + y * y + z * z)
        stops = (curves > 0) & (u * d + v * e + w * f < BALLS.facing * np.sqrt(squares(facing)))
        return np.asarray(1 / np.where(stops, curves, 0).max(axis=1))


def _straightest(balls: Floats, radii: Floats, joined: Floats, centre: Floats) -> int:
    """Choose among the balls nearly as large as the largest; -1 if there is none without a detour."""
    ways = np.round(np.linalg.norm(balls[:, None, :] - joined, axis=2).sum(axis=1) / BALLS.grid)
    ways[(radii <= 0) | (radii < BALLS.nearly * radii.max())] = np.inf
    best = int(ways.argmin())
    limit = BALLS.detour * np.linalg.norm(centre - joined, axis=1).sum() / BALLS.grid if len(joined) else np.inf
    return best if np.isfinite(ways[best]) and ways[best] <= limit else -1
