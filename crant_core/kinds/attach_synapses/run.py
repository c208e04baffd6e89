"""Attaches synapses to skeletons, each at the nearest node; loaded by workers only.

Items are neurons under the ids that were given, whose skeletons these are. A neuron that was edited since gets the
synapses of what it is at the job's time, as far as they are near its skeleton. The synapses of a unit are fetched
together (`prepare`). In a refresh, of neurons that only have edited partners, partners are looked up and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.errors import NotARoot
from crant_core.ids import parse_id
from crant_core.kinds import roots
from crant_core.kinds.attach_synapses.renewing import Partners, renewed
from crant_core.kinds.attach_synapses.spec import SPEC, AttachSynapsesOptions
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.edited import edited
from crant_core.kinds.files import columns, concatenated, parquet, parts_with_ids, provenance, table_in
from crant_core.kinds.given_skeletons import obtain
from crant_core.kinds.neurons import as_given, outcomes_of
from crant_core.synapses import rows as table
from crant_core.synapses.attaching import connectors
from crant_core.synapses.filters import Filters
from crant_core.synapses.question import Question
from crant_core.synapses.rows import POST, POST_AT, PRE, PRE_AT

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from crant_core.identity import Outcome
    from crant_core.skeleton import Skeleton

CONNECTORS = "connectors.parquet"
_OWN, _AT, _TYPES = (PRE, POST), (PRE_AT, POST_AT), ("pre", "post")
_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("n_pre", "n_post", "n_far", "n_unplaced"), "int64"),
    "share": "float64",
    "changed": "bool",
    "n_nodes": "int64",
    "cable_length_um": "float64",
}


@dataclass(frozen=True, eq=False, slots=True)
class Fetched:
    """What the neurons of a unit are at the job's time, by id as given, and the synapses of all of them.

    Of neurons with a result of before, what was edited.
    """

    now: dict[int, Outcome]
    rows: pd.DataFrame
    edited: Mapping[str, Partners] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class _Nodes:
    """A skeleton as `connectors` reads it."""

    nodes: pd.DataFrame


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct id an item, with the skeleton that it builds on; those that cannot be roots fail at once."""
    items, job = as_given(context, ids), _options(context).skeletons
    if job is None:
        return items
    known = {item.key: item.address for item in context.results_of(job).items()}
    return [replace(item, basis=known.get(item.key) or f"job {job}") for item in items]


def prepare(context: Context, keys: Sequence[str]) -> Fetched:
    """Update the ids of a unit, and fetch the synapses of all of its neurons together.

    Source: as `crant_core.update_ids`; then their rows of the synapse table, see `crant_core.get_synapses`.

    Raises
    ------
    SourceError
    """
    options = _options(context)
    before = [key for key in keys if key in context.earlier]
    fetched = _fetched(context, [key for key in keys if key not in context.earlier], options)
    if not before:
        return fetched
    rows = edited(context, before, _sides(options), _filters(options)).rows
    return replace(fetched, edited={_TYPES[side]: Partners.of(rows, side) for side in _sides(options)})


def _fetched(context: Context, keys: Sequence[str], options: AttachSynapsesOptions) -> Fetched:
    now, filters = outcomes_of(context, map(parse_id, keys)), _filters(options)
    wanted = list(dict.fromkeys(outcome.new_id for outcome in now.values()))
    wheres: list[table.Where] = [{_OWN[side]: wanted} for side in _sides(options)]
    needed = (*filters.columns, *(_AT[side] for side in _sides(options)))
    rows = table.fetch(Question(_source(context), context.time, update=False), wheres, needed)
    return Fetched(now, filters.keep(rows))


def run(context: Context, key: str) -> ItemResult:
    """Write one neuron's connectors, and its skeleton if it had to be made.

    Raises
    ------
    NotARoot
        It is no root, and nothing became of it.
    NotFound
        The job that is named has no skeleton of it.
    SkeletonError, MeshNotFound, DataMissing
        Its skeleton cannot be made.
    SourceError
    """
    options, given = _options(context), parse_id(key)
    fetched: Fetched = context.prepared or prepare(context, [key])
    if key in context.earlier and fetched.edited is not None:
        return _renewed(context, key, fetched.edited, options)
    now = fetched.now.get(given)
    if now is None:
        raise NotARoot(f"{given} is no root at {context.time.timestamp} and nothing became of it", value=given)
    obtained = obtain(context, SPEC, given, options)
    mine = _of_neuron(fetched.rows, now.new_id, options)
    found = _attached(obtained.skeleton, now.new_id, mine, options)
    about: dict[str, Scalar] = {"now": str(now.new_id), "share": now.confidence, "changed": now.new_id != given}
    metrics = obtained.metrics | _counted(found, mine, now.new_id, options) | about
    return ItemResult(metrics=metrics, files=(*obtained.made.files, _file(context, key, now.new_id, found, options)))


def _renewed(
    context: Context, key: str, edited_now: Mapping[str, Partners], options: AttachSynapsesOptions
) -> ItemResult:
    """Take the result of before, and say of the synapses of edited partners whose they are now."""
    earlier, root = context.earlier[key], parse_id(key)
    found = renewed(table_in(earlier.read(_name(key))), root, edited_now)
    return ItemResult(metrics=dict(earlier.metrics), files=(_file(context, key, root, found, options),))


def _file(context: Context, key: str, root: int, found: pa.Table, options: AttachSynapsesOptions) -> File:
    meta = provenance(context, SPEC, options) | {"units": "nm", "root_id": key, "root_id_then": str(root)}
    return parquet(_name(key), found, meta)


def _name(key: str) -> str:
    return f"{key}.connectors.parquet"


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `neurons.parquet`, and `connectors.parquet`: those of all neurons, with `root_id` as it was given."""
    meta = provenance(context, SPEC, _options(context)) | {"units": "nm"}
    neurons = roots.table(context, SPEC, items, _COLUMNS)
    return [neurons, *concatenated(CONNECTORS, parts_with_ids(context, items), meta)]


def _of_neuron(rows: pd.DataFrame, root: int, options: AttachSynapsesOptions) -> pd.DataFrame:
    mine = np.zeros(len(rows), dtype=np.bool_)
    for side in _sides(options):
        mine |= rows[_OWN[side]].to_numpy() == root
    return rows[mine]


def _attached(skeleton: Skeleton, root: int, rows: pd.DataFrame, options: AttachSynapsesOptions) -> pa.Table:
    """Find the nearest node of each synapse; nodes have the numbers that they have in SWC files, from 1 on."""
    reach = options.max_distance if options.clean else np.inf
    nodes, own = _nodes(skeleton), np.array([root], dtype=np.int64)
    [found] = connectors([_Nodes(nodes)], own, rows, _sides(options), reach)
    places, node = found[["x", "y", "z"]].to_numpy(np.float64), found["node_id"].to_numpy(np.int64)
    return columns(
        {
            "connector_id": ("int64", found["connector_id"]),
            "type": ("string", found["type"].astype(str)),
            "node_id": ("int64", node),
            **{axis: ("float64", places[:, number]) for number, axis in enumerate("xyz")},
            "partner_id": ("int64", found["partner_id"]),
            "distance": ("float64", np.linalg.norm(skeleton.nodes[node - 1] - places, axis=1)),
            "synapse_id": ("int64", found["synapse_id"]),
        }
    )


def _nodes(skeleton: Skeleton) -> pd.DataFrame:
    import pandas as pd

    found = pd.DataFrame(skeleton.nodes, columns=["x", "y", "z"])
    return found.assign(node_id=np.arange(1, skeleton.n_nodes + 1))


def _counted(found: pa.Table, rows: pd.DataFrame, root: int, options: AttachSynapsesOptions) -> dict[str, Scalar]:
    """Count what was attached by type, and what was not: too far from the skeleton, or without a position."""
    types, placed, unplaced = found["type"].to_pylist(), 0, 0
    attached: dict[str, Scalar] = {f"n_{_TYPES[side]}": types.count(_TYPES[side]) for side in _sides(options)}
    for side in _sides(options):
        own = rows[(rows[_OWN[side]] == root).to_numpy()]
        known = int(np.isfinite(table.positions(own, _AT[side])).all(axis=1).sum())
        placed, unplaced = placed + known, unplaced + len(own) - known
    return attached | {"n_far": placed - len(types), "n_unplaced": unplaced}


def _filters(options: AttachSynapsesOptions) -> Filters:
    return Filters(options.threshold, options.min_size, options.clean)


def _sides(options: AttachSynapsesOptions) -> list[int]:
    return [side for side, asked in enumerate((options.pre, options.post)) if asked]


def _source(context: Context) -> Any:
    return context.source


def _options(context: Context) -> AttachSynapsesOptions:
    return AttachSynapsesOptions.model_validate(context.parameters)
