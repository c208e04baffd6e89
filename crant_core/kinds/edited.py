"""What edits did to synapses of neurons whose results of the run before are there. Loaded by workers only.

A synapse lies between two supervoxels, so of a root that still holds an edit elsewhere changes nothing but who some of
its partners are. Where all pairs count, the result of before becomes that of now by looking at the synapses with
roots that edits made or ended, and at no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.ids import parse_id
from crant_core.kinds.base import Context
from crant_core.synapses import rows as table
from crant_core.synapses.changes import touched_between
from crant_core.synapses.question import Question
from crant_core.synapses.rows import POST, PRE

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from crant_core.synapses.filters import Filters

_OWN = (PRE, POST)


@dataclass(frozen=True, eq=False, slots=True)
class Edited:
    """Synapses at the job's time of some neurons with partners that were edited since the run before.

    Attributes
    ----------
    partners : (n,) int64
        Roots that edits made or ended, anywhere in the dataset.
    rows : DataFrame
    """

    partners: NDArray[np.int64]
    rows: pd.DataFrame


def edited(
    context: Context, keys: Sequence[str], sides: Iterable[int], filters: Filters, columns: Sequence[str] = ()
) -> Edited:
    """Fetch what was edited of those neurons whose result of before is there, all together.

    Parameters
    ----------
    context : Context
    keys : sequence of str
        Some of `context.earlier`, which are roots that hold at the job's time.
    sides : iterable of int
        Of a neuron in its synapses: 0 presynaptic, 1 postsynaptic.
    filters : Filters
        Their threshold is 1: others need all synapses of a pair, also those that are not looked at here.
    columns : sequence of str
        Those needed besides the filters'.

    Raises
    ------
    SourceError
    """
    if filters.threshold != 1:
        raise ValueError(f"threshold {filters.threshold}: below it, nobody knows which synapses a pair had")
    source: Any = context.source
    until = min(context.earlier[key].until for key in keys)
    partners = sorted(touched_between(source, until, context.time.timestamp))
    roots = [parse_id(key) for key in keys]
    wheres: list[table.Where] = [{_OWN[side]: roots, _OWN[1 - side]: partners} for side in sides]
    question = Question(source, context.time, update=False)
    rows = filters.keep(table.fetch(question, wheres, (*filters.columns, *columns)))
    return Edited(np.array(partners, dtype=np.int64), rows)
