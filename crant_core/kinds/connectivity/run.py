"""Lists the partners of neurons; loaded by workers only.

Items are neurons, under their root ids at the job's one point in time. The synapses of a unit are fetched together
(`prepare`); each item stores its own pairs, and `finish` puts them together, each pair once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.connectivity.spec import SPEC, ConnectivityOptions
from crant_core.kinds.files import parquet, provenance
from crant_core.kinds.neurons import items_of, neurons_table
from crant_core.kinds.pairs import EDGES, INPUTS, OUTPUTS, merged, pairs_of, table_of, with_neuron
from crant_core.synapses.filters import Filters, Pairs

TABLE = "connectivity.parquet"
NEURONS = "neurons.parquet"  #: what became of each id that was asked for
_METRICS = ("n_downstream", "n_upstream", "n_synapses_out", "n_synapses_in")


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each neuron an item."""
    return items_of(context, ids)


def prepare(context: Context, keys: Sequence[str]) -> Pairs:
    """Fetch and count the pairs of all neurons of a unit together.

    Raises
    ------
    SourceError
    """
    options = _options(context)
    filters = Filters(options.threshold, options.min_size, options.clean)
    return pairs_of(context, map(parse_id, keys), _sides(options), filters)


def run(context: Context, key: str) -> ItemResult:
    """Store one neuron's pairs.

    Raises
    ------
    SourceError
    """
    options, root = _options(context), parse_id(key)
    pairs = with_neuron(context.prepared or prepare(context, [key]), root, _sides(options))
    meta = provenance(context, SPEC, options) | {"root_id": key}
    return ItemResult(metrics=_metrics(pairs, root, options), files=(parquet(f"{key}.parquet", table_of(pairs), meta),))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `connectivity.parquet`: pre, post, weight, the strongest pairs first; and what became of the ids."""
    done, meta = list(items), provenance(context, SPEC, _options(context))
    pairs = merged(context, done)
    order = np.argsort(-pairs.weight, kind="stable")
    edges = parquet(TABLE, table_of(pairs).take(order), meta, sql=EDGES)
    return [edges, parquet(NEURONS, neurons_table(done, _METRICS), meta)]


def _metrics(pairs: Pairs, root: int, options: ConnectivityOptions) -> dict[str, Scalar]:
    """Count partners and synapses on the sides that were asked for; nothing is said of the other."""
    sent, received = pairs.pre == root, pairs.post == root
    numbers = sent.sum(), received.sum(), pairs.weight[sent].sum(), pairs.weight[received].sum()
    asked = (options.downstream, options.upstream) * 2
    return {name: int(number) for name, number, wanted in zip(_METRICS, numbers, asked, strict=True) if wanted}


def _sides(options: ConnectivityOptions) -> list[str]:
    return [side for side, asked in ((OUTPUTS, options.downstream), (INPUTS, options.upstream)) if asked]


def _options(context: Context) -> ConnectivityOptions:
    return ConnectivityOptions.model_validate(context.parameters)
