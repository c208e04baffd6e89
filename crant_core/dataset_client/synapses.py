"""Synapses of a dataset's neurons."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from crant_core.dataset_client.session import Session
from crant_core.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.times import When


_NM = (1, 1, 1)


class Synapses(Session):
    """Synapses, as cortical-tools asks for them."""

    def query_synapses(  # noqa: PLR0917 - the order that people know
        self,
        root_ids: Any,
        pre: bool = False,
        post: bool = False,
        reference_tables: str | Sequence[str] | None = None,
        synapse_table: str | None = None,
        omit_self_synapse: bool = True,
        resolution: Sequence[float] | None = None,
        split_positions: bool = True,
        live: bool = False,
        timestamp: When = None,
        suffixes: Mapping[str, str] | None = None,
        batch_size: int = 10,
        ref_batch_size: int = 5000,
        progress: Progress = True,
        *,
        parts: MutableMapping[str, pd.DataFrame] | None = None,
    ) -> pd.DataFrame:
        """Fetch synapses of root ids, and what other tables say about them, in this client's version.

        Parameters, result, errors and endpoints are those of `crant_core.synapses.query_synapses`.
        """
        from crant_core.synapses import query_synapses  # pandas

        return query_synapses(
            self,
            root_ids,
            pre,
            post,
            reference_tables,
            synapse_table,
            omit_self_synapse,
            _NM if resolution is None else resolution,
            split_positions,
            live,
            timestamp,
            suffixes,
            batch_size,
            ref_batch_size,
            progress,
            parts=parts,
        )
