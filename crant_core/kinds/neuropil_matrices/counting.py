"""Counts of many neurons' outputs, taken together, and each neuron's own part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.kinds.edited import edited
from crant_core.kinds.neuropil_matrices.files import provenance
from crant_core.kinds.neuropil_matrices.surfaces import places_for
from crant_core.matrices import Counts, count_synapses_by_neuropil
from crant_core.matrices.counting import check_names, of_sorted
from crant_core.matrices.synapses import OTHER
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters
from crant_core.synapses.question import Question
from crant_core.synapses.rows import CENTRE, POST_AT, PRE, PRE_AT

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from crant_core.kinds.base import Context, Scalar
    from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions

POSITIONS = {"ctr": CENTRE, "pre": PRE_AT, "post": POST_AT}


@dataclass(frozen=True, eq=False, slots=True)
class Outputs:
    """The outputs of some neurons.

    Attributes
    ----------
    counts : Counts
        Of all of them.
    synapses, unplaced : dict of int to int
        By neuron: those that count, and how many of these have no position and so are in no neuropil of `counts`.
    meta : dict
        What the files of these neurons say about themselves.
    """

    counts: Counts
    synapses: dict[int, int]
    unplaced: dict[int, int]
    meta: dict[str, Scalar]

    def metrics(self, root: int, part: Counts) -> dict[str, Scalar]:
        """Say in numbers what a neuron's part is."""
        entries = np.diff(part.table.indptr[:: max(1, len(part.ids))])
        used = [name for name, count in zip(part.names, entries, strict=False) if count]
        other = int(part.of(OTHER).sum()) if OTHER in used else 0
        return {
            "n_synapses": self.synapses.get(root, 0),
            "n_targets": len(np.unique(part.table.indices)),
            "n_neuropils": len([name for name in used if name != OTHER]),
            "n_open": len([name for name in used if name in part.open_neuropils]),
            "n_other": other,
            "n_unplaced": self.unplaced.get(root, 0),
        }


@dataclass(frozen=True, eq=False, slots=True)
class EditedOutputs:
    """The outputs of some neurons to partners that were edited: what replaces a part of their results of before.

    Attributes
    ----------
    outputs : Outputs
    partners : (n,) int64
        Roots that edits made or ended.
    """

    outputs: Outputs
    partners: NDArray[np.int64]

    def renewed(self, before: Counts, root: int) -> Counts:
        """Return a neuron's counts of now, from those of before.

        Raises
        ------
        DifferentNeuropils
        """
        now = self.outputs.counts
        check_names([now, before])
        places = np.array([now.names.index(name) for name in before.names], dtype=np.int64)
        region, target, count = _of_source(before, root)
        stays = ~np.isin(target, self.partners)
        old = (places[region[stays]], target[stays], count[stays])
        return _part(now, root, *(np.concatenate(both) for both in zip(old, _of_source(now, root), strict=True)))


def outputs_of(context: Context, roots: Sequence[int], options: NeuropilMatricesOptions) -> Outputs:
    """Fetch and count the outputs of neurons.

    Source: their rows of the synapse table, one request for thousands of neurons; see `crant_core.get_synapses`.

    Raises
    ------
    SourceError
    """
    source: Any = context.source
    filters, position = _filters(options), POSITIONS[options.position]
    question = Question(source, context.time, update=False)
    rows = filters.keep(table.fetch(question, [{PRE: roots}], (*filters.columns, position)))
    return _outputs(context, rows, options)


def edited_outputs(context: Context, keys: Sequence[str], options: NeuropilMatricesOptions) -> EditedOutputs:
    """Fetch and count the outputs of neurons to partners that were edited since the run before.

    Raises
    ------
    SourceError
    """
    found = edited(context, keys, [0], _filters(options), [POSITIONS[options.position]])
    return EditedOutputs(_outputs(context, found.rows, options), found.partners)


def _filters(options: NeuropilMatricesOptions) -> Filters:
    return Filters(options.threshold, options.min_size)


def _outputs(context: Context, rows: pd.DataFrame, options: NeuropilMatricesOptions) -> Outputs:
    places, position = places_for(context, options), POSITIONS[options.position]
    known = np.isfinite(table.positions(rows, position)).all(axis=1)
    counts = count_synapses_by_neuropil(
        rows.iloc[np.flatnonzero(known)],
        places,
        position_column=position,
        include_other=options.include_other,
    )
    pre = rows[PRE].to_numpy()
    return Outputs(counts, _numbers(pre), _numbers(pre[~known]), provenance(context, options, places.absent))


def part_of(counts: Counts, root: int) -> Counts:
    """Return what one neuron sends; parts of all neurons add up to the whole."""
    return _part(counts, root, *_of_source(counts, root))


def _of_source(counts: Counts, root: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Return the connections of one source, in order: number of the neuropil, target, and count."""
    size, place = len(counts.ids), int(np.searchsorted(counts.ids, root))
    if place == size or counts.ids[place] != root:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, counts.table.dtype)
    starts, stops = counts.table.indptr[place:-1:size], counts.table.indptr[place + 1 :: size]
    where = np.concatenate([np.empty(0, np.int64), *map(np.arange, starts, stops)])
    region = np.repeat(np.arange(len(counts.names)), stops - starts)
    return region, counts.ids[counts.table.indices[where]], counts.table.data[where]


def _part(like: Counts, root: int, region: NDArray[np.int64], target: NDArray[np.int64], count: NDArray[Any]) -> Counts:
    """Put connections of one source together; each occurs once."""
    ids = np.union1d(target, np.array([root] if len(target) else [], dtype=np.int64))
    order = np.lexsort((target, region))
    row, column = region[order] * len(ids) + np.searchsorted(ids, root), np.searchsorted(ids, target[order])
    table = of_sorted(count[order], row, column, (len(like.names) * len(ids), len(ids)))
    return Counts(ids, like.names, table, like.open_neuropils)


def _numbers(ids: Any) -> dict[int, int]:
    found, numbers = np.unique(ids, return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))
