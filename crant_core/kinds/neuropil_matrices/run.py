"""Counts synapses by neuropil, source and target: rows of the synapse table in, matrices out; loaded by workers only.

Items are presynaptic neurons. The neurons of a unit are fetched and counted together (`prepare`); each item stores its
own part, and parts add up exactly, so `finish` has what counting all synapses of the job at once would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem
from crant_core.kinds.neurons import items_of
from crant_core.kinds.neuropil_matrices import summary
from crant_core.kinds.neuropil_matrices.counting import EditedOutputs, Outputs, edited_outputs, outputs_of, part_of
from crant_core.kinds.neuropil_matrices.files import counts_file
from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions
from crant_core.kinds.neuropil_matrices.surfaces import places_for
from crant_core.matrices.parquet import load_counts

WHOSE = ("n_synapses", "n_unplaced")  #: metrics of a neuron that do not say who its partners are


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


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """The outputs of the neurons of a unit; of those with a result of before, what was edited."""

    outputs: Outputs
    edited: EditedOutputs | None = None


def prepare(context: Context, keys: Sequence[str]) -> Counted:
    """Fetch and count the outputs of the neurons of a unit together."""
    options, before = _options(context), [key for key in keys if key in context.earlier]
    outputs = outputs_of(context, [parse_id(key) for key in keys if key not in context.earlier], options)
    return Counted(outputs, edited_outputs(context, before, options) if before else None)


def run(context: Context, key: str) -> ItemResult:
    """Store one neuron's counts.

    Raises
    ------
    SourceError
    """
    root = parse_id(key)
    counted: Counted = context.prepared or prepare(context, [key])
    if key in context.earlier and counted.edited is not None:
        return _renewed(context, key, counted.edited)
    outputs = counted.outputs
    part = part_of(outputs.counts, root)
    file = counts_file(f"{key}.parquet", part, outputs.meta | {"root_id": key})
    return ItemResult(metrics=outputs.metrics(root, part), files=(file,))


def _renewed(context: Context, key: str, edited: EditedOutputs) -> ItemResult:
    """Count the synapses with edited partners again, and no others."""
    earlier, root = context.earlier[key], parse_id(key)
    part = edited.renewed(load_counts(earlier.read(f"{key}.parquet")), root)
    whose = {name: earlier.metrics[name] for name in WHOSE}  # an edit of a partner moves synapses, and loses none
    metrics = edited.outputs.metrics(root, part) | whose
    return ItemResult(
        metrics=metrics, files=(counts_file(f"{key}.parquet", part, edited.outputs.meta | {"root_id": key}),)
    )


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Merge all counts, and say what became of the ids that were given; see `summary.files`."""
    return summary.files(context, list(items), _options(context))


def _options(context: Context) -> NeuropilMatricesOptions:
    return NeuropilMatricesOptions.model_validate(context.parameters)
