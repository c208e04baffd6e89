"""The segmentation half of a dataset's client: roots and their times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import check_counts
from crant_core.dataset_client.session import Session
from crant_core.errors import NotARoot
from crant_core.ids import parse_id
from crant_core.parsing import root_ids_of
from crant_core.sources.chunkedgraph_requests import TICK
from crant_core.times import When

if TYPE_CHECKING:
    from crant_core.sources.chunkedgraph_requests import Ids


class Roots(Session):
    """Questions to the chunkedgraph.

    Where a time is left out it is the fixed one (`fix_mat_timestamp`), else now; any form of a time will do.
    """

    def get_roots(self, supervoxel_ids: Any, timestamp: When = None, stop_layer: int | None = None) -> Ids:
        """Look up which root contains each supervoxel.

        Parameters
        ----------
        supervoxel_ids : ids
            One or many; 0 is background.
        timestamp : time, optional
        stop_layer : int, optional
            The answer is the lowest ancestor at or above this layer, 2 for L2 ids. Left out, or above the root's: the
            root.

        Returns
        -------
        (n,) uint64
            In input order; 0 for what belongs to nothing at that time.

        Raises
        ------
        InvalidId
        InvalidTime
        InvalidParameters
            There is no such layer.
        SourceError

        Notes
        -----
        Endpoint: `POST /segmentation/api/v1/table/{table}/roots_binary`, once for every 100,000 different ids.
        """
        ids = root_ids_of(supervoxel_ids, zero=True)
        if stop_layer is not None:
            check_counts(stop_layer=stop_layer)
            stop_layer = min(stop_layer, self._source.root_layer())
        return self._source.graph.roots(ids, self._time(timestamp).timestamp, stop_layer)

    def is_latest_roots(self, root_ids: Any, timestamp: When = None) -> NDArray[np.bool_]:
        """Say which roots hold at a time.

        Parameters
        ----------
        root_ids : ids
        timestamp : time, optional

        Returns
        -------
        (n,) bool
            In input order; False for what never was a root. At the moment of an edit the new roots hold.

        Raises
        ------
        InvalidId
        InvalidTime
        SourceError

        Notes
        -----
        Endpoint: `POST /segmentation/api/v1/table/{table}/is_latest_roots`, once for every 45,000 different ids.
        """
        ids = root_ids_of(root_ids, zero=True)
        return self._source.graph.is_latest(ids, self._time(timestamp).timestamp)

    def get_latest_roots(
        self, root_id: Any, timestamp: When = None, timestamp_future: When = None
    ) -> NDArray[np.int64]:
        """List the roots of a time that share something with one or several roots.

        Parameters
        ----------
        root_id : id or ids
        timestamp : time, optional
            It may be before the root was made: then the answer is what it was made of.
        timestamp_future : time, optional
            An old name of `timestamp`.

        Returns
        -------
        (n,) int64
            Ascending; of several roots, those of all of them.

        Raises
        ------
        NotARoot
            An id never was a root.
        InvalidId
        InvalidTime
        SourceError

        Notes
        -----
        Endpoint: `POST /segmentation/api/v1/table/{table}/lineage_graph_multiple`, once for every 5,000 roots.
        """
        when = self._time(timestamp_future if timestamp is None else timestamp).timestamp
        return np.array(self._at(root_ids_of(root_id).tolist(), when), dtype=np.int64)

    def suggest_latest_roots(
        self,
        root_id: Any,
        timestamp: When = None,
        stop_layer: int | None = None,
        return_all: bool = False,
        return_fraction_overlap: bool = False,
    ) -> Any:
        """Find the root of a time that contains most of a root.

        Parameters
        ----------
        root_id : id
        timestamp : time, optional
        stop_layer : int, optional
            What is counted: 2 or more, or left out: L2 chunks; 1: supervoxels.
        return_all : bool, default False
            Return all roots that share something with it.
        return_fraction_overlap : bool, default False
            Return also the share of the old root in each.

        Returns
        -------
        int, (n,) int64, or a tuple of that and a float or (n,) float64
            Largest share first. A tuple with `return_fraction_overlap`.

        Raises
        ------
        NotARoot
            The id never was a root, or nothing of it was there yet.
        InvalidParameters
            There is no such layer.
        InvalidId
        InvalidTime
        SourceError

        Notes
        -----
        Endpoints: `lineage_graph_multiple`; `node/leaves_many` and `roots_binary` where more than one root has a part.
        """
        layer = 2 if stop_layer is None else stop_layer
        check_counts(stop_layer=layer)
        root, when = parse_id(root_id), self._time(timestamp).timestamp
        shares = self._shares(root, when, layer)
        if not shares:
            raise NotARoot(f"nothing of {root} was there at {when.isoformat()}", value=root)
        ids, parts = np.array([*shares], dtype=np.int64), np.array([*shares.values()], dtype=np.float64)
        found: tuple[Any, Any] = (ids, parts) if return_all else (int(ids[0]), float(parts[0]))
        return found if return_fraction_overlap else found[0]

    def latest_valid_timestamp(self, root_ids: Any) -> NDArray[np.object_]:
        """Return the last moment at which each root held, for queries of it.

        Parameters
        ----------
        root_ids : ids

        Returns
        -------
        (n,) object, of datetime
            Aware, UTC, in input order: one millisecond before the root's end; before now, or before the fixed time,
            for roots that hold then.

        Raises
        ------
        NotARoot
            An id never was a root, or is of a time after the fixed one.
        InvalidId
        SourceError

        Notes
        -----
        Endpoint: `POST /segmentation/api/v1/table/{table}/root_timestamps`, once for every 45,000 roots; twice if the
        time is fixed.
        """
        graph, roots, fixed = self._source.graph, root_ids_of(root_ids), self._fixed()
        when = self._time().timestamp
        if fixed is not None:
            made = graph.root_timestamps(roots)
            late = [root for root, born in zip(roots.tolist(), made, strict=True) if born is not None and born > when]
            refuse(late, f"is newer than version {fixed.version}, which this client is fixed to")
        ends = graph.root_timestamps(roots, latest=True, timestamp=when)
        refuse([root for root, end in zip(roots.tolist(), ends, strict=True) if end is None], "never was a root")
        found = np.empty(len(roots), dtype=object)
        found[:] = [(end - TICK).astimezone(UTC) for end in ends if end is not None]
        return found

    def _at(self, roots: list[int], when: datetime) -> list[int]:
        told = self._source.graph.lineage(roots, when, when)
        refuse([root for root in roots if root not in told.born], "never was a root")
        return sorted({found for root in roots for found in told.at(root, when)})

    def _shares(self, root: int, when: datetime, layer: int) -> dict[int, float]:
        from crant_core.identity.overlap import overlaps

        holding = self._at([root], when)
        if len(holding) == 1:
            return {holding[0]: 1.0}
        return overlaps(self._source.graph, [root], when, np.array(holding, dtype=np.uint64), layer)[root]


def refuse(roots: list[int], why: str) -> None:
    """Raise `NotARoot` about the first of some ids, if there are any."""
    if roots:
        others = f" (and {len(roots) - 1} others)" if len(roots) > 1 else ""
        raise NotARoot(f"{roots[0]}{others} {why}", value=roots[0], hint="is it of another dataset, or no root id?")
