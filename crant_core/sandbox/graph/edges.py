"""Which supervoxels touch, and which of these contacts hold neurons together now."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox.graph.base import Base, find, gather
from crant_core.sandbox.graph.hierarchy import Flags
from crant_core.sandbox.graph.operations import Pair
from crant_core.sandbox.layout import Ids

Pairs = NDArray[np.uint64]


class Edges:
    """The ingested edges, those that merges added, and the state of both."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._active = base.active.copy()
        self._added: dict[Pair, bool] = {}

    def copy(self) -> Edges:
        """Return independent edges over the same base."""
        twin = Edges(self._base)
        twin._active, twin._added = self._active.copy(), dict(self._added)
        return twin

    def is_active(self, one: int, other: int) -> bool | None:
        """Say whether an edge is active; None if there is no such edge."""
        edge = self._index(one, other)
        return self._added.get(_pair(one, other)) if edge is None else bool(self._active[edge])

    def switch(self, one: int, other: int, active: bool) -> None:
        """Turn an edge on or off; a new one is made if there is none."""
        edge = self._index(one, other)
        if edge is None:
            self._added[_pair(one, other)] = active
        else:
            self._active[edge] = active

    def within(self, supervoxels: Ids) -> tuple[Pairs, Flags]:
        """Return the edges between some supervoxels (sorted), (k, 2) uint64, and whether each is active."""
        pairs, active = self._ingested_within(supervoxels)
        added = np.array(list(self._added), dtype=np.uint64).reshape(-1, 2)
        inside = find(supervoxels, added.ravel())[1].reshape(-1, 2).all(axis=1)
        extra = np.fromiter(self._added.values(), dtype=np.bool_, count=len(added))
        return np.concatenate([pairs, added[inside]]), np.concatenate([active, extra[inside]])

    def _ingested_within(self, supervoxels: Ids) -> tuple[Pairs, Flags]:
        where, known = find(self._base.supervoxels, supervoxels)
        mine = where[known]
        edges, _ = gather(self._base.edge_starts, mine)
        place = np.searchsorted(mine, self._base.ends[edges, 1])
        edges = edges[mine[np.minimum(place, len(mine) - 1)] == self._base.ends[edges, 1]]
        return self._base.supervoxels[self._base.ends[edges]], self._active[edges]

    def _index(self, one: int, other: int) -> int | None:
        low, high = _pair(one, other)
        where, known = find(self._base.supervoxels, np.array([low, high], dtype=np.uint64))
        if not known.all():
            return None
        begin, end = self._base.edge_starts[where[0] : where[0] + 2].tolist()
        edge = begin + int(self._base.ends[begin:end, 1].searchsorted(where[1]))
        return edge if edge < end and int(self._base.ends[edge, 1]) == int(where[1]) else None


def _pair(one: int, other: int) -> Pair:
    return cast("Pair", tuple(sorted((one, other))))
