"""Measures rings in numpy: centres, sections, radii across the neurite, clearances, and balls that fit inside."""
# ruff: noqa: PLR0917 - the same arguments as the kernels, which take no keywords

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.arrays.surfaces import squares
from crant_core.skeleton.rings import AXIAL_REACH, BALLS, SHORTEST, Rings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def centroids(rings: Rings) -> Floats:
    """Return each ring's centre, (m, 3), weighted by the lengths of its cuts."""
    weights = _lengths(rings)[:, None]
    totals = np.add.reduceat(weights, rings.starts[:-1])
    return np.asarray(np.add.reduceat(rings.middles * weights, rings.starts[:-1]) / totals)


def _lengths(rings: Rings) -> Floats:
    return np.asarray(np.maximum(np.sqrt(squares(rings.cuts)), SHORTEST))


def sections(rings: Rings, centres: Floats, directions: Floats) -> Floats:
    """Return the area within each ring, (m,), nm², as seen along the neurite; of an open one, as seen from its centre.

    Each cut adds the triangle from it to the centre, which may be less than nothing.
    """
    sizes = np.diff(rings.starts)
    (x, y, z), (a, b, c) = (rings.middles - np.repeat(centres, sizes, axis=0)).T, rings.cuts.T
    u, v, w = np.repeat(directions, sizes, axis=0).T
    parts = ((y * c - z * b) * u + (z * a - x * c) * v + (x * b - y * a) * w) / 2
    return np.asarray(np.add.reduceat(parts, rings.starts[:-1]))


def across(rings: Rings, centres: Floats, directions: Floats) -> Floats:
    """Return the mean distance of the surface from each node's axis, (m,), over its own and adjacent rings.

    That of the ends of cuts, weighted by their length, and less the farther along the axis: (1 - (axial / 1.5
    step)²)³, which is near exp(-2 (axial / step)²) and much cheaper. NaN where nothing counts.
    """
    total, weight = np.zeros(len(centres)), np.zeros(len(centres))
    sizes, lengths = np.diff(rings.starts), _lengths(rings)
    for nodes in neighbours(rings.parents):
        those = np.flatnonzero(nodes >= 0)
        if not len(those):
            continue
        node = np.repeat(nodes, sizes)
        chosen = np.flatnonzero(node >= 0)
        sums = _profile(rings, chosen, lengths[chosen], node[chosen], centres, directions)
        starts = np.concatenate([[0], np.cumsum(sizes[those])[:-1]]).astype(np.int64)
        total += np.bincount(nodes[those], np.add.reduceat(sums[0], starts), len(total))
        weight += np.bincount(nodes[those], np.add.reduceat(sums[1], starts), len(weight))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weight)


def _profile(
    rings: Rings, rows: Ints, lengths: Floats, node: Ints, centres: Floats, directions: Floats
) -> tuple[Floats, Floats]:
    total, weights = np.zeros(len(rows)), np.zeros(len(rows))
    for half in (-0.5, 0.5):
        offset = rings.middles[rows] + half * rings.cuts[rows] - centres[node]
        axial = np.einsum("ij,ij->i", offset, directions[node])
        weight = lengths * np.maximum(1 - (axial / (AXIAL_REACH * rings.step)) ** 2, 0) ** 3
        total += np.sqrt(np.maximum(squares(offset) - axial * axial, 0)) * weight
        weights += weight
    return total, weights


def neighbours(parents: Ints) -> Iterator[Ints]:
    """Yield node numbers per ring so that every ring meets itself, its parent and each of its children once.

    Each yielded array has one node per ring, or -1.
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


def clearances(rings: Rings, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]:
    """Return some nodes' distance to the nearest cut of their own and adjacent rings, and that cut's row."""
    best, at = np.full(len(centres), np.inf), np.full(len(centres), -1)
    sizes = np.diff(rings.starts)
    for met in neighbours(rings.parents):
        those = np.flatnonzero(met >= 0)
        if not len(those):
            continue
        chosen = np.flatnonzero(np.repeat(met >= 0, sizes))
        square = squares(rings.middles[chosen] - centres[np.repeat(met[those], sizes[those])])
        starts = np.concatenate([[0], np.cumsum(sizes[those])[:-1]]).astype(np.int64)
        lowest = np.minimum.reduceat(square, starts)
        hit = np.flatnonzero(square == np.repeat(lowest, sizes[those]))
        first = chosen[hit[np.unique(np.searchsorted(starts, hit, side="right") - 1, return_index=True)[1]]]
        _keep_nearer(best, at, met[those], lowest, first)
    return np.sqrt(best[nodes]), at[nodes]


def _keep_nearer(best: Floats, at: Ints, nodes: Ints, found: Floats, rows: Ints) -> None:
    """Lower each node's best; several rings may report to one node, the first of equals wins."""
    order = np.lexsort([rows, found, nodes])
    first = order[np.unique(nodes[order], return_index=True)[1]]
    better = first[found[first] < best[nodes[first]]]
    best[nodes[better]], at[nodes[better]] = found[better], rows[better]


def recentred(rings: Rings, nodes: Ints, centres: Floats, most: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Move nodes, one after the other, into balls that touch their ring from inside and fit into the surface.

    The shrinking ball of medial axis transforms (Ma, Bae & Choi 2012), taken over the ring's own and adjacent
    cuts. Of the balls nearly as large as the largest, that nearest to the nodes joined to this one: ways through
    it shall become no longer than they must; if they would by more than `BALLS.detour`, it stays where it is.

    Parameters
    ----------
    rings : Rings
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
        joined = _joined(rings, node)
        touched, seen = _rows(rings, [node], BALLS.touched), _rows(rings, [node, *joined], BALLS.seen)
        outward = rings.facing[touched]
        radii = _ball_radii(rings.middles[touched], outward, rings.middles[seen], rings.facing[seen])
        radii = np.where(radii <= most[node], np.round(radii / BALLS.grid) * BALLS.grid, 0)
        balls = rings.middles[touched] - outward * radii[:, None]
        best = _straightest(balls, radii, centres[joined], centres[node])
        if best >= 0:
            centres[node], moved[number] = balls[best], True
    return centres, moved


def _joined(rings: Rings, node: int) -> list[int]:
    """Return a node's children and parent."""
    parent = int(rings.parents[node])
    return [*np.flatnonzero(rings.parents == node).tolist(), *([parent] if parent >= 0 else [])]


def _rows(rings: Rings, chosen: list[int], count: int) -> Ints:
    """Return every k-th row of some rings, about `count` of them."""
    rows = np.concatenate([np.arange(rings.starts[ring], rings.starts[ring + 1]) for ring in chosen])
    return rows[:: max(1, len(rows) // count)]


def _ball_radii(touched: Floats, outward: Floats, seen: Floats, facing: Floats) -> Floats:
    """Return the radius of the largest empty ball that touches each point from inside; infinite if nothing stops it."""
    x, y, z = touched.T[:, :, None] - seen.T[:, None, :]
    u, v, w = outward.T[:, :, None]
    d, e, f = facing.T
    with np.errstate(invalid="ignore", divide="ignore"):
        curves = 2 * (x * u + y * v + z * w) / (x * x + y * y + z * z)
        stops = (curves > 0) & (u * d + v * e + w * f < BALLS.facing)
        return np.asarray(1 / np.where(stops, curves, 0).max(axis=1))


def _straightest(balls: Floats, radii: Floats, joined: Floats, centre: Floats) -> int:
    """Choose among the balls nearly as large as the largest; -1 if there is none without a detour."""
    ways = np.round(np.linalg.norm(balls[:, None, :] - joined, axis=2).sum(axis=1) / BALLS.grid)
    ways[(radii <= 0) | (radii < BALLS.nearly * radii.max())] = np.inf
    best = int(ways.argmin())
    limit = BALLS.detour * np.linalg.norm(centre - joined, axis=1).sum() / BALLS.grid if len(joined) else np.inf
    return best if np.isfinite(ways[best]) and ways[best] <= limit else -1
