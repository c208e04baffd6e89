"""What has to be decided: points in boundary cells, each with the surfaces of its cell; compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils.compiled import kernel
from crant_core.neuropils.labels import Labels


@dataclass(frozen=True, eq=False, slots=True)
class Cases:
    """Points and surfaces that have to be decided.

    Attributes
    ----------
    row, crossing : (n,) int32
        The point; the crossing of a surface and the point's cell, in `Labels`.
    begin, end : (n,) int64
        The crossing's triangles in `Labels.pairs`.
    """

    row: NDArray[np.int32]
    crossing: NDArray[np.int32]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    @classmethod
    def of(cls, order: NDArray[np.int64], first: NDArray[np.int64], starts: NDArray[np.int64], labels: Labels) -> Cases:
        """List the cases of points in `order`: each has those from `starts` on, its first crossing is in `first`."""
        found = cls(*np.empty((2, starts[-1]), dtype=np.int32), *np.empty((2, starts[-1]), dtype=np.int64))
        _list(order, first, starts, found.row, found.crossing)
        _fetch(found.crossing, labels.pair_starts, labels.pair_counts, found.begin, found.end)
        return found


@kernel
def _list(order: Any, first: Any, starts: Any, row: Any, crossed: Any) -> None:
    for at in range(len(order)):
        for case in range(starts[at], starts[at + 1]):
            row[case] = order[at]
            crossed[case] = first[at] + case - starts[at]


@kernel
def _fetch(crossed: Any, pair_starts: Any, pair_counts: Any, begin: Any, end: Any) -> None:
    """Fetch where triangles are: here, where nothing waits for it, the processor fetches many at a time."""
    for case in range(len(crossed)):
        begin[case] = pair_starts[crossed[case]]
        end[case] = begin[case] + pair_counts[crossed[case]]
