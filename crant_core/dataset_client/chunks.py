"""The L2 chunks of roots and their features, for a dataset's client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.dataset_client.features import ATTRIBUTES, feature_table
from crant_core.dataset_client.roots import refuse
from crant_core.dataset_client.session import Session
from crant_core.errors import InvalidParameters
from crant_core.identity.validity import check_layer
from crant_core.ids import parse_id
from crant_core.parsing import root_ids_of

_BOX = (3, 2)
_L2 = 2


class Chunks(Session):
    """Questions to the chunkedgraph and to the cache of L2 features; their answers never change."""

    def get_l2_ids(self, root_id: Any, bounds: Any = None) -> NDArray[np.int64]:
        """List the L2 ids of a root.

        Parameters
        ----------
        root_id : id
        bounds : (3, 2) array_like of int, optional
            `[[x0, x1], [y0, y1], [z0, z1]]` in voxels of the segmentation; L2 ids of the chunks it touches are listed.

        Returns
        -------
        (n,) int64

        Raises
        ------
        NotARoot
            The id never was one; without `bounds` only, where there may be nothing in the box.
        InvalidId
        InvalidParameters
            The bounds are no box.
        SourceError

        Notes
        -----
        Endpoint: `GET /segmentation/api/v1/table/{table}/node/{root}/leaves?stop_layer=2`.
        """
        root, box = parse_id(root_id), None if bounds is None else _box(bounds)
        found = self._source.graph.leaves(root, 2, box).astype(np.int64)
        if box is None and not len(found):
            refuse([root], "never was a root")
        return found

    def get_l2data(
        self,
        l2_ids: Any,
        attributes: Sequence[str] | None = None,
        as_dataframe: bool = True,
        split_columns: bool = True,
    ) -> Any:
        """Fetch features of L2 chunks.

        Parameters
        ----------
        l2_ids : ids
        attributes : sequence of str, optional
            Some of `area_nm2` (nm²), `size_nm3` (nm³), `mean_dt_nm`, `max_dt_nm` and `rep_coord_nm` (nm), `pca`,
            `pca_val`, `chunk_intersect_count`. Left out: all.
        as_dataframe : bool, default True
            Else a dict.
        split_columns : bool, default True
            Give each number a column of its own, such as `rep_coord_nm_x`. Without effect on a dict.

        Returns
        -------
        DataFrame or dict
            A DataFrame is indexed by `l2_id` (int64) and has columns of float64. What a chunk lacks is NaN, such as
            everything of one that an edit has just made. A dict is by L2 id (int), and what a chunk lacks is left out.
            Each id once, in input order.

        Raises
        ------
        InvalidId
        InvalidParameters
            The server knows no such attribute.
        SourceError

        Notes
        -----
        Endpoint: `POST /l2cache/api/v1/table/{table}/attributes`, once for every 10,000 ids.
        """
        named = [attributes] if isinstance(attributes, str) else attributes
        wanted, ids = [*ATTRIBUTES] if named is None else list(named), root_ids_of(l2_ids)
        self._check_attributes(wanted)
        check_layer(ids.tolist(), _L2, "L2 id")
        features = self._source.graph.l2_data(ids, None if named is None else wanted)
        return feature_table(features, wanted, split_columns) if as_dataframe else features

    def _check_attributes(self, wanted: list[str]) -> None:
        if set(wanted) <= set(ATTRIBUTES):
            return
        with self._asking():
            known = list(self.cave.l2cache.attributes)
        for name in wanted:
            if name not in known:
                raise InvalidParameters(f"no L2 feature is called {name!r}", value=name, hint=f"known: {known}")


def _box(bounds: Any) -> NDArray[np.int64]:
    box = np.asarray(bounds)
    if box.shape != _BOX or not (box[:, 0] < box[:, 1]).all():
        hint = "give [[x0, x1], [y0, y1], [z0, z1]] in voxels, the smaller one first"
        raise InvalidParameters("the bounds are no box", value=str(bounds), hint=hint)
    return box.astype(np.int64)
