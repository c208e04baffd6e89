"""Counts the partners and synapses of neurons; loaded by workers only.

Items are neurons, under their root ids at the job's one point in time; their numbers are metrics, and nothing else is
stored for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, SynapseFilters
from crant_core.kinds.files import parquet, provenance
from crant_core.kinds.neurons import items_of, neurons_table
from crant_core.kinds.pairs import INPUTS, OUTPUTS, pairs_of
from crant_core.kinds.synapse_counts.spec import SPEC
from crant_core.synapses.filters import Filters, Pairs

TABLE = "synapse_counts.parquet"
_COUNTED = ("pre", "post", "synapses_out", "synapses_in")


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
    return pairs_of(context, map(parse_id, keys), (OUTPUTS, INPUTS), filters)


def run(context: Context, key: str) -> ItemResult:
    """Count one neuron's partners: `pre` those it is presynaptic to, `post` those it is postsynaptic to.

    Raises
    ------
    SourceError
    """
    root, pairs = parse_id(key), context.prepared or prepare(context, [key])
    sent, received = pairs.pre == root, pairs.post == root
    numbers = sent.sum(), received.sum(), pairs.weight[sent].sum(), pairs.weight[received].sum()
    return ItemResult(metrics=dict(zip(_COUNTED, map(int, numbers), strict=True)))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `synapse_counts.parquet`: a row for each id that was asked for, with its root and the numbers of that."""
    return [parquet(TABLE, neurons_table(items, _COUNTED), provenance(context, SPEC, _options(context)))]


def _options(context: Context) -> SynapseFilters:
    return SynapseFilters.model_validate(context.parameters)
