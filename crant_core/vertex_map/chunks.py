"""The L2 chunks of a neuron in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.errors import InvalidId, InvalidParameters
from crant_core.l2.chunks import chunks_of, column, features_of
from crant_core.segmentation.chunks import chunk_positions
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import id_array, layers_of

_WHERE = "rep_coord_nm"
_L2 = 2


@dataclass(frozen=True, eq=False, slots=True)
class L2Chunks:
    """L2 ids and where they are.

    Attributes
    ----------
    ids : ndarray, (k,) int64
        Ascending.
    points : ndarray, (k, 3) float64
        The representative point of each, nm; NaN where it is not known.
    chunks : ndarray, (k, 3) int64
        Position of the chunk that each is in.
    """

    ids: NDArray[np.int64]
    points: NDArray[np.float64]
    chunks: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which points are known, (k,)."""
        return np.asarray(np.isfinite(self.points).all(axis=1))


def l2_chunks(source: CaveSource, root: int) -> L2Chunks:
    """Fetch the L2 ids of a root and their representative points; those that the L2 cache does not know have none.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many`, `POST /l2cache/api/v1/table/{table}/attributes`.

    Raises
    ------
    NotARoot
    SourceError
    """
    chunks = chunks_of(source, [root])
    ids = chunks[root]
    points = column(features_of(source, chunks, [_WHERE]), ids, _WHERE)
    return L2Chunks(ids.astype(np.int64), points, chunk_positions(ids, source.watershed.volume()))


def points_of(source: CaveSource, l2_ids: Any) -> NDArray[np.float64]:
    """Fetch the representative points of L2 ids, (k, 3), nm; NaN where the L2 cache knows none.

    Source: `POST /l2cache/api/v1/table/{table}/attributes`.

    Raises
    ------
    SourceError
    """
    ids = id_array(l2_ids)
    return column(features_of(source, {0: ids}, [_WHERE]), ids, _WHERE)


def l2_chunks_of(l2_ids: Any, points: ArrayLike, volume: Any) -> L2Chunks:
    """Read L2 ids and points that a caller has; a point that is not known is NaN.

    Raises
    ------
    InvalidId
        Something is no L2 id, or is there twice.
    InvalidParameters
        There are not as many points as ids.
    """
    ids, places = id_array(l2_ids), np.asarray(points, dtype=np.float64)
    if places.shape != (len(ids), 3):
        message = f"points of {len(ids)} L2 ids are ({len(ids)}, 3), these are {places.shape}"
        raise InvalidParameters(message, value=str(places.shape))
    wrong = ids[layers_of(ids) != _L2]
    if len(wrong):
        raise InvalidId(f"{wrong[0]} is no L2 id", value=int(wrong[0]))
    unique, rows = np.unique(ids, return_index=True)
    if len(unique) < len(ids):
        twice = int(np.delete(ids, rows)[0])
        raise InvalidId(f"{twice} is named twice", value=twice)
    return L2Chunks(unique.astype(np.int64), places[rows], chunk_positions(unique, volume))
