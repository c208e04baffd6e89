"""Nested matrices: connectivity with neurons in blocks of their types, for a whole table or for each neuropil.

Tables of synapses become counts (`count_synapses_by_neuropil`), counts of parts add up (`merge`), and counts become
matrices; the constructors of `NestedMatrix` and `DirectedNestedMatrix` do all of it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crant_core.matrices.blocks import DENSE_CELLS
    from crant_core.matrices.collection import All, NeuropilCollection
    from crant_core.matrices.counting import Counts, count, merge
    from crant_core.matrices.directed import DirectedNestedMatrix
    from crant_core.matrices.hashing import factorise
    from crant_core.matrices.membership import Membership
    from crant_core.matrices.nested import NestedMatrix
    from crant_core.matrices.parquet import read_counts, write_counts
    from crant_core.matrices.synapses import count_synapses, count_synapses_by_neuropil

_HOMES = {
    "All": "collection",
    "Counts": "counting",
    "DENSE_CELLS": "blocks",
    "DirectedNestedMatrix": "directed",
    "Membership": "membership",
    "NestedMatrix": "nested",
    "NeuropilCollection": "collection",
    "count": "counting",
    "count_synapses": "synapses",
    "count_synapses_by_neuropil": "synapses",
    "factorise": "hashing",
    "merge": "counting",
    "read_counts": "parquet",
    "write_counts": "parquet",
}

__all__ = [
    "DENSE_CELLS",
    "All",
    "Counts",
    "DirectedNestedMatrix",
    "Membership",
    "NestedMatrix",
    "NeuropilCollection",
    "count",
    "count_synapses",
    "count_synapses_by_neuropil",
    "factorise",
    "merge",
    "read_counts",
    "write_counts",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: numpy and scipy are heavy."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
