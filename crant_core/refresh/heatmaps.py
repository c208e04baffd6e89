"""The part of each neuropil's matrix where most changed, before and after, small enough to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NEUROPILS = 6  #: those in which most changed
NEURONS = 24  #: on each axis; more would be too small to read


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """Two matrices of the same neurons.

    Attributes
    ----------
    neuropil : str
    pre, post : list of int
        Neurons of rows and columns: those with the largest changes, then with the most synapses.
    before, after : (rows, columns) int64
        Synapses.
    changed, connections : int
        Connections of the whole neuropil whose weight changed, and all there are in either run.
    """

    neuropil: str
    pre: list[int]
    post: list[int]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    changed: int
    connections: int


def heatmaps(weights: pd.DataFrame) -> list[Heatmap]:
    """Choose what is drawn of connections side by side; see `Comparison.weights`."""
    if not len(weights):
        return []
    by_name = {str(name): rows for name, rows in weights.groupby("neuropil")}
    change = {name: int((rows.after - rows.before).abs().sum()) for name, rows in by_name.items()}
    most = sorted(by_name, key=lambda name: (-change[name], -int(by_name[name].after.sum()), name))
    return [_heatmap(name, by_name[name]) for name in most[:NEUROPILS]]


def _heatmap(name: str, rows: pd.DataFrame) -> Heatmap:
    pre, post = (_largest(rows, side) for side in ("pre", "post"))
    drawn = rows[rows.pre.isin(pre) & rows.post.isin(post)]
    before, after = (np.zeros((len(pre), len(post)), dtype=np.int64) for _ in range(2))
    row, column = ({root: place for place, root in enumerate(side)} for side in (pre, post))
    rows_of, columns_of = ([place[root] for root in side] for place, side in ((row, drawn.pre), (column, drawn.post)))
    before[rows_of, columns_of], after[rows_of, columns_of] = drawn.before, drawn.after
    return Heatmap(name, pre, post, before, after, int((rows.before != rows.after).sum()), len(rows))


def _largest(rows: pd.DataFrame, side: str) -> list[int]:
    sizes = rows.assign(change=(rows.after - rows.before).abs(), size=rows.after + rows.before)
    sums = sizes.groupby(side)[["change", "size"]].sum().sort_index()
    order = np.lexsort((-sums["size"], -sums["change"]))
    return sorted(int(root) for root in sums.index[order[:NEURONS]])
