"""The chunkedgraph, asked in bulk through the real caveclient: roots, leaves, times, lineage and L2 features."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.sources.chunkedgraph_contents import Contents
from crant_core.sources.chunkedgraph_past import Past
from crant_core.sources.chunkedgraph_requests import (
    BINARY_IDS,
    JSON_IDS,
    TICK,
    Ids,
    asking,
    check_count,
    id_array,
    in_batches,
    layers_of,
)


class ChunkedGraphSource(Contents, Past):
    """One segmentation's chunkedgraph. Threads may share it; nothing is asked before a method is called.

    Every answer is about every id, in the order of the question. A request's body stays under 1 MB, ids are sent
    once however often they are given, and times are taken at full precision (cloud-volume rounds them up to seconds).

    Everything here agrees about the moment of an edit: then the new roots hold and the old ones do not.

    Parameters
    ----------
    connect : callable
        Returns the caveclient to use.
    server : str
        Named in messages.
    lasting : bool
        Whether its history never changes.
    """

    def roots(
        self,
        ids: ArrayLike,
        timestamp: datetime,
        stop_layer: int | None = None,
        *,
        batch_size: int = BINARY_IDS,
        progress: bool = False,
    ) -> Ids:
        """Look up which root, or which node of a lower layer, contains each id.

        Source: `POST /segmentation/api/v1/table/{table}/roots_binary`.

        Parameters
        ----------
        ids : array_like of int, (n,)
            Supervoxels or nodes of any layer. L2 ids that an edit replaced belong to the old root for ever.
        timestamp : datetime
            Aware.
        stop_layer : int, optional
            The answer is the lowest ancestor at or above it. Left out: the root.

        Returns
        -------
        (n,) uint64
            0 for ids that belong to nothing at that time; ids at or above the layer come back as they are, unchecked.

        Raises
        ------
        InvalidId
        SourceError
        """
        unique, back = np.unique(id_array(ids), return_inverse=True)
        asked = unique[unique != 0]
        layer = self.root_layer() if stop_layer is None else stop_layer

        def ask(part: Ids) -> Ids:
            return self._roots(part, timestamp, layer)

        size = min(batch_size, BINARY_IDS)
        parts = [answer for _, answer in in_batches(asked, size, ask, progress=progress, what="roots")]
        found = np.concatenate([np.zeros(len(unique) - len(asked), dtype=np.uint64), *parts])
        return found[back]

    def _roots(self, ids: Ids, timestamp: datetime, layer: int) -> Ids:
        with asking(self.server):
            answer = self._connect().chunkedgraph.get_roots(ids, timestamp=timestamp, stop_layer=layer)
        check_count(self.server, len(answer), len(ids))
        # Where no id resolves the server gives all of them back: what is below the layer is no answer.
        return np.where(layers_of(answer) >= layer, answer, np.uint64(0))

    def is_latest(
        self, ids: ArrayLike, timestamp: datetime, *, batch_size: int = JSON_IDS, progress: bool = False
    ) -> NDArray[np.bool_]:
        """Say which ids are roots that hold at a time, as `roots` would tell; what is no root id is not sent.

        Source: `POST /segmentation/api/v1/table/{table}/is_latest_roots`.

        Parameters
        ----------
        ids : array_like of int, (n,)
        timestamp : datetime
            Aware. The server takes old roots for current at the very moment of an edit, so it is asked about the next
            millisecond.

        Returns
        -------
        (n,) bool
            False for ids that never were roots.
        """
        unique, back = np.unique(id_array(ids), return_inverse=True)
        may_be = layers_of(unique) == self.root_layer()

        def ask(part: Ids) -> NDArray[np.bool_]:
            return self._is_latest(part, timestamp + TICK)

        size = min(batch_size, JSON_IDS)
        parts = [a for _, a in in_batches(unique[may_be], size, ask, progress=progress, what="latest roots")]
        found = np.zeros(len(unique), dtype=np.bool_)
        found[may_be] = np.concatenate([np.empty(0, dtype=np.bool_), *parts])
        return found[back]

    def _is_latest(self, ids: Ids, timestamp: datetime) -> NDArray[np.bool_]:
        with asking(self.server):
            answer = self._connect().chunkedgraph.is_latest_roots(ids, timestamp=timestamp)
        check_count(self.server, len(answer), len(ids))
        return np.asarray(answer, dtype=np.bool_)
