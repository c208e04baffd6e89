"""Kernels that find the connected pieces of a surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.rings import Pieces, Surface

Ints = NDArray[Any]  # 32 or 64 bits wide


def pieces(surface: Surface) -> Pieces:
    """Find the connected pieces of a surface, and where to begin each."""
    above, labels = np.empty(len(surface.places), dtype=np.uint32), np.empty(len(surface.places), dtype=np.int32)
    _join(surface.starts, surface.links, above)
    sizes, low, high = _boxes(surface.places, labels, _labelled(above, labels))
    return Pieces(labels, sizes, low, high, _seeds(surface.places, labels, low, np.argmax(high - low, axis=1)))


@inlined
def _find(above: Ints, node: int) -> int:
    """Return the lowest node of a union-find tree, halving the way there."""
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node


@compiled
def _join(starts: Ints, links: Ints, above: Ints) -> None:
    """Hang every vertex below the lowest one it is joined to, looking back at neighbours that came before it."""
    for number in range(len(above)):
        vertex = np.uint32(number)
        root: Any = vertex
        above[vertex] = vertex
        for at in range(starts[vertex], starts[vertex + np.uint32(1)]):
            other = links[at, 0]
            if other >= vertex or above[other] == root:
                continue
            lowest = _find(above, other)
            if lowest < root:
                above[root] = lowest
                root = lowest
            elif lowest > root:
                above[lowest] = root
        above[vertex] = root


@compiled
def _labelled(above: Ints, labels: Ints) -> int:
    """Number the pieces in order of their first vertex."""
    count = 0
    for vertex in range(len(above)):
        root = above[vertex]
        if root == vertex:
            labels[vertex] = count
            count += 1
        else:
            above[vertex] = above[root]  # a root's number is lower, so its own is final
            labels[vertex] = labels[root]
    return count


@compiled
def _boxes(places: Ints, labels: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    sizes, low, high = np.zeros(count, np.int64), np.full((count, 3), np.int64(1) << 62), np.zeros((count, 3), np.int64)
    for vertex in range(len(labels)):
        piece = labels[vertex]
        sizes[piece] += 1
        for axis in range(3):
            low[piece, axis] = min(low[piece, axis], places[vertex, axis])
            high[piece, axis] = max(high[piece, axis], places[vertex, axis])
    return sizes, low, high


@compiled
def _seeds(places: Ints, labels: Ints, low: Ints, axes: Ints) -> Ints:
    seeds = np.full(len(low), -1, np.int64)
    for vertex in range(len(labels)):
        piece = labels[vertex]
        if seeds[piece] < 0 and places[vertex, axes[piece]] == low[piece, axes[piece]]:
            seeds[piece] = vertex
    return seeds
