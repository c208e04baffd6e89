"""Counts of many neurons' outputs, taken together, and each neuron's own part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.kinds.edited import edited
from crant_core.kinds.neuropil_matrices.files import provenance
from crant_core.kinds.neuropil_matrices.surfaces import places_for
from crant_core.matrices import Counts, count_synapses_by_neuropil, merge
from crant_core.matrices.counting import summed
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
        entries = [part.of(name).nnz for name in part.names]
        used = [name for name, count in zip(part.names, entries, strict=True) if count]
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
        """Return a neuron's counts of now."""
        return merge([without_targets(before, self.partners), part_of(self.outputs.counts, root)])


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
    size, place = len(counts.ids), int(np.searchsorted(counts.ids, root))
    is_there = place < size and counts.ids[place] == root
    own = counts.table[np.arange(len(counts.names)) * size + place if is_there else []]
    targets = counts.ids[own.indices]
    ids = np.union1d(targets, np.array([root] if own.nnz else [], dtype=np.int64))
    region = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
    row, column = region * len(ids) + np.searchsorted(ids, root), np.searchsorted(ids, targets)
    shape = (len(counts.names) * len(ids), len(ids))
    return Counts(ids, counts.names, summed(own.data, row, column, shape), counts.open_neuropils)


def without_targets(counts: Counts, targets: NDArray[np.int64]) -> Counts:
    """Leave out the connections to some neurons; whoever has no other is not in the ids any more."""
    size, table = len(counts.ids), counts.table.tocoo()
    row, column = table.coords
    stays = ~np.isin(counts.ids[column], targets)
    row, column = row[stays], column[stays]
    ids, place = np.unique(np.concatenate([counts.ids[row % size], counts.ids[column]]), return_inverse=True)
    source, target = np.split(place, 2)
    shape = (len(counts.names) * len(ids), len(ids))
    values = summed(table.data[stays], row // size * len(ids) + source, target, shape)
    return Counts(ids, counts.names, values, counts.open_neuropils)


def _numbers(ids: Any) -> dict[int, int]:
    found, numbers = np.unique(ids, return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))
