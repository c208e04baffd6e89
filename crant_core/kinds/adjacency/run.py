"""Counts synapses between neurons as a sparse matrix; loaded by workers only.

Items are presynaptic neurons, under their root ids at the job's one point in time: rows of the matrix. Each stores its
row, and `finish` puts rows together, so no process ever has the synapses of more than a unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO

import numpy as np

from crant_core.ids import parse_id
from crant_core.kinds.adjacency.spec import SPEC, AdjacencyOptions
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.files import parquet, provenance
from crant_core.kinds.neurons import items_of, neurons_table
from crant_core.kinds.pairs import EDGES, OUTPUTS, merged, pairs_of, table_of, with_neuron
from crant_core.synapses.filters import Filters, Pairs

TABLE, MATRIX = "adjacency.parquet", "adjacency.npz"
NEURONS = "neurons.parquet"  #: what became of each id that was asked for
_METRICS = ("n_targets", "n_synapses_out")


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each neuron an item."""
    return items_of(context, ids)


def prepare(context: Context, keys: Sequence[str]) -> Pairs:
    """Fetch and count the outputs of all neurons of a unit together.

    Raises
    ------
    SourceError
    """
    options = _options(context)
    filters = Filters(options.threshold, options.min_size, options.clean)
    return pairs_of(context, map(parse_id, keys), (OUTPUTS,), filters)


def run(context: Context, key: str) -> ItemResult:
    """Store one neuron's row.

    Raises
    ------
    SourceError
    """
    pairs = with_neuron(context.prepared or prepare(context, [key]), parse_id(key), (OUTPUTS,))
    metrics: dict[str, Scalar] = dict(zip(_METRICS, (len(pairs.post), int(pairs.weight.sum())), strict=True))
    meta = provenance(context, SPEC, _options(context)) | {"root_id": key}
    return ItemResult(metrics=metrics, files=(parquet(f"{key}.parquet", table_of(pairs), meta),))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write the cells that are not 0 (`adjacency.parquet`: pre, post, weight), and the matrix with its axes.

    `adjacency.npz` has `pre_ids`, `post_ids` and the matrix as `data`, `indices`, `indptr` and `shape`, as
    `scipy.sparse.csr_array((data, indices, indptr), shape)` takes them. Neurons of the job without a synapse are rows
    too.
    """
    done, options = list(items), _options(context)
    roots = np.array(sorted(parse_id(item.key) for item in done), dtype=np.int64)
    pairs = merged(context, done)
    if options.targets == "ids":
        within = np.isin(pairs.post, roots)
        pairs = Pairs(pairs.pre[within], pairs.post[within], pairs.weight[within])
    meta = provenance(context, SPEC, options) | {"units": "synapses"}
    targets = roots if options.targets == "ids" else np.unique(pairs.post)
    neurons = parquet(NEURONS, neurons_table(done, _METRICS), meta)
    return [parquet(TABLE, table_of(pairs), meta, sql=EDGES), _matrix(pairs, roots, targets, meta), neurons]


def _matrix(pairs: Pairs, rows: np.ndarray, targets: np.ndarray, meta: dict[str, Scalar]) -> File:
    from crant_core.synapses.adjacency import adjacency_of

    found = adjacency_of(pairs, (rows, targets))
    stream = BytesIO()
    arrays = {name: getattr(found.matrix, name) for name in ("data", "indices", "indptr")}
    np.savez_compressed(stream, pre_ids=rows, post_ids=targets, shape=np.array(found.matrix.shape), **arrays)
    about: dict[str, Scalar] = {"format": "npz", "format_version": 1}
    return File(name=MATRIX, media_type="application/zip", data=stream.getvalue(), meta=meta | about)


def _options(context: Context) -> AdjacencyOptions:
    return AdjacencyOptions.model_validate(context.parameters)
