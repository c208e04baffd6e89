"""Counts synapses by neuropil, source and target: rows of the synapse table in, matrices out; loaded by workers only.

Items are presynaptic neurons. The neurons of a unit are fetched and counted together (`prepare`); each item stores its
own part, and parts add up exactly, so `finish` has what counting all synapses of the job at once would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem
from crant_core.kinds.neurons import items_of
from crant_core.kinds.neuropil_matrices import summary
from crant_core.kinds.neuropil_matrices.counting import Outputs, outputs_of, part_of
from crant_core.kinds.neuropil_matrices.files import counts_file
from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions
from crant_core.kinds.neuropil_matrices.surfaces import places_for


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each neuron an item, under its root id at the job's one point in time.

    The neuropils are loaded, so that a name that does not exist fails the job before anything is counted.

    Raises
    ------
    NoMatchesError
    MeshNotFound
    InvalidInput
    SourceError
    """
    places_for(context, _options(context))
    return items_of(context, ids)


def prepare(context: Context, keys: Sequence[str]) -> Outputs:
    """Fetch and count the outputs of the neurons of a unit together."""
    return outputs_of(context, [parse_id(key) for key in keys], _options(context))


def run(context: Context, key: str) -> ItemResult:
    """Store one neuron's counts.

    Raises
    ------
    SourceError
    """
    root = parse_id(key)
    outputs: Outputs = context.prepared or prepare(context, [key])
    part = part_of(outputs.counts, root)
    file = counts_file(f"{key}.parquet", part, outputs.meta | {"root_id": key})
    return ItemResult(metrics=outputs.metrics(root, part), files=(file,))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Merge all counts, and say what became of the ids that were given; see `summary.files`."""
    return summary.files(context, list(items), _options(context))


def _options(context: Context) -> NeuropilMatricesOptions:
    return NeuropilMatricesOptions.model_validate(context.parameters)
