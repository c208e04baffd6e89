"""Fetches single synapses of neurons; loaded by workers only.

Items are neurons, under their root ids at the job's one point in time. Those of a unit are fetched together
(`prepare`); each item stores its own synapses. `finish` writes all of them into one table, part by part, so it never
holds more than the synapses of one neuron.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.files import concatenated, parquet, parts, provenance
from crant_core.kinds.neurons import items_of, neurons_table
from crant_core.kinds.synapses.spec import SPEC, SynapsesOptions
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters
from crant_core.synapses.question import Question
from crant_core.synapses.rows import CENTRE, ID, POST, POST_AT, PRE, PRE_AT, SIZE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLE = "synapses.parquet"
NEURONS = "neurons.parquet"  #: what became of each id that was asked for
_METRICS = {PRE: "n_synapses_out", POST: "n_synapses_in"}  # only of the sides that are asked for
_POSITIONS = (PRE_AT, POST_AT, CENTRE)
_SIDES = {"pre": (PRE,), "post": (POST,), "both": (PRE, POST)}


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each neuron an item."""
    return items_of(context, ids)


def prepare(context: Context, keys: Sequence[str]) -> pd.DataFrame:
    """Fetch the synapses of all neurons of a unit together.

    Source: their rows of the synapse table; see `crant_core.get_synapses`.

    Raises
    ------
    SourceError
    """
    options, source = _options(context), _source(context)
    filters = Filters(options.threshold, options.min_size, options.clean)
    roots = [parse_id(key) for key in keys]
    wheres = [{side: roots} for side in _SIDES[options.side]]
    rows = table.fetch(Question(source, context.time, update=False), wheres, (*filters.columns, SIZE, *_POSITIONS))
    kept: pd.DataFrame = filters.keep(rows)
    return kept


def run(context: Context, key: str) -> ItemResult:
    """Store one neuron's synapses.

    Raises
    ------
    SourceError
    """
    options, root = _options(context), parse_id(key)
    rows = prepare(context, [key]) if context.prepared is None else context.prepared
    mine = rows[_is_of(rows, root, options)].reset_index(drop=True)
    meta = provenance(context, SPEC, options) | {"units": "nm", "root_id": key}
    metrics: dict[str, Scalar] = {_METRICS[side]: int((mine[side] == root).sum()) for side in _SIDES[options.side]}
    return ItemResult(metrics=metrics, files=(parquet(f"{key}.parquet", _arrow(mine), meta),))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `synapses.parquet`: all synapses, each once; those of one neuron stand together, in order of their ids."""
    done, options = list(items), _options(context)
    meta = provenance(context, SPEC, options) | {"units": "nm"}
    neurons = parquet(NEURONS, neurons_table(done, [*_METRICS.values()]), meta)
    return [*concatenated(TABLE, _each_once(context, done, options), meta), neurons]


def _each_once(context: Context, items: Sequence[DoneItem], options: SynapsesOptions) -> Iterator[pa.Table]:
    """Yield the parts of neurons; a synapse between two of them stays with the presynaptic one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    roots = pa.array([parse_id(item.key) for item in items], pa.int64())
    for root, part in parts(context, items):
        if options.side != "both":
            yield part
            continue
        own = pc.equal(part[PRE], pa.scalar(root, pa.int64()))
        yield part.filter(pc.or_(own, pc.invert(pc.is_in(part[PRE], roots))))


def _is_of(rows: pd.DataFrame, root: int, options: SynapsesOptions) -> Any:
    first, *rest = (rows[side] == root for side in _SIDES[options.side])
    return first if not rest else first | rest[0]


def _arrow(rows: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    order = [ID, PRE, POST, SIZE]
    return pa.Table.from_pandas(rows[[*order, *(name for name in rows if name not in order)]], preserve_index=False)


def _source(context: Context) -> Any:
    return context.source


def _options(context: Context) -> SynapsesOptions:
    return SynapsesOptions.model_validate(context.parameters)
