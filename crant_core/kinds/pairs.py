"""Pairs of connected neurons: fetched for the neurons of a unit together, kept for each, put together for the job.

Loaded by workers only. A pair's synapses are all in the part of either of its neurons, so thresholds are exact in the
parts, and a pair that two neurons of the job have is the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.kinds.base import Context, DoneItem
from crant_core.kinds.files import columns, parts
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters, Pairs
from crant_core.synapses.question import Question
from crant_core.synapses.rows import POST, PRE, Where

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("pre", "post", "weight")
EDGES = "edges"  #: the table in SQL for pairs
OUTPUTS, INPUTS = PRE, POST  #: the column in which a neuron's own id is


def pairs_of(context: Context, roots: Iterable[int], sides: Sequence[str], filters: Filters) -> Pairs:
    """Count the synapses of all pairs that have one of some neurons on one of some sides.

    Source: their rows of the synapse table, one request for thousands of neurons and each side; see
    `crant_core.get_connectivity`.

    Raises
    ------
    SourceError
    """
    source: Any = context.source
    wanted = list(roots)
    wheres: list[Where] = [{side: wanted} for side in sides]
    return filters.pairs(table.fetch(Question(source, context.time, update=False), wheres, filters.columns))


def with_neuron(pairs: Pairs, root: int, sides: Sequence[str]) -> Pairs:
    """Return the pairs that a neuron has on one of some sides."""
    ends = {PRE: pairs.pre, POST: pairs.post}
    mine = np.zeros(len(pairs.pre), dtype=np.bool_)
    for side in sides:
        mine |= ends[side] == root
    return Pairs(pairs.pre[mine], pairs.post[mine], pairs.weight[mine])


def table_of(pairs: Pairs) -> pa.Table:
    """Return pairs as a table: pre, post, weight, all int64."""
    return columns({name: ("int64", getattr(pairs, name)) for name in _COLUMNS})


def merged(context: Context, items: Iterable[DoneItem]) -> Pairs:
    """Put the pairs of all items together, each once, in order of pre, then post."""
    found = [
        (part["pre"].to_numpy(), part["post"].to_numpy(), part["weight"].to_numpy())
        for _, part in parts(context, items)
    ]
    nothing = np.zeros(0, dtype=np.int64)
    pre, post, weight = (np.concatenate([nothing, *(part[column] for part in found)]) for column in range(3))
    order = np.lexsort((post, pre))
    pre, post, weight = pre[order], post[order], weight[order]
    first = np.ones(len(pre), dtype=np.bool_)
    first[1:] = (pre[1:] != pre[:-1]) | (post[1:] != post[:-1])
    return Pairs(pre[first], post[first], weight[first])
