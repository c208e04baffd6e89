"""Connectors of a run before, as they are since some partners were edited. Loaded by workers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crant_core.synapses.rows import ID, POST, PRE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

_OWN = (PRE, POST)


@dataclass(frozen=True, eq=False, slots=True)
class Partners:
    """Who is on the other side of some synapses now.

    Attributes
    ----------
    own, synapse, partner : (n,) int64
        Root ids of neurons, in order; ids of synapses, in order for each neuron; root ids of their partners.
    """

    own: NDArray[np.int64]
    synapse: NDArray[np.int64]
    partner: NDArray[np.int64]

    @classmethod
    def of(cls, rows: pd.DataFrame, side: int) -> Partners:
        """Take them from rows of the synapse table; `side` is that of the neurons, 0 presynaptic or 1 postsynaptic."""
        own, synapse, partner = (rows[name].to_numpy(np.int64) for name in (_OWN[side], ID, _OWN[1 - side]))
        order = np.lexsort((synapse, own))
        return cls(own[order], synapse[order], partner[order])

    def replace(self, root: int, synapses: NDArray[np.int64], partners: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the partners of a neuron's synapses, those that are known here in the place of those of before."""
        mine = slice(*np.searchsorted(self.own, [root, root + 1]))
        known, now = self.synapse[mine], self.partner[mine]
        if not len(known):
            return partners
        place = np.minimum(np.searchsorted(known, synapses), len(known) - 1)
        return np.where(known[place] == synapses, now[place], partners)


def renewed(connectors: pa.Table, root: int, edited: Mapping[str, Partners]) -> pa.Table:
    """Return a neuron's connectors with their partners of now; nothing else about a synapse can have changed.

    Parameters
    ----------
    connectors : Table
        As `attach_synapses` writes them.
    root : int
        The neuron, which still holds.
    edited : mapping of str to Partners
        By type of connector, `pre` or `post`: synapses with partners that were edited.
    """
    types, synapses = connectors["type"].to_numpy(), connectors["synapse_id"].to_numpy()
    partner = connectors["partner_id"].to_numpy()
    for name, partners in edited.items():
        partner = np.where(types == name, partners.replace(root, synapses, partner), partner)
    place = connectors.schema.get_field_index("partner_id")
    return connectors.set_column(place, connectors.schema.field(place), [partner])
