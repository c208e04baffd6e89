"""Skeletons as Parquet: a row per node, exact, with what the file is in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError
from crant_core.skeleton.tree import Skeleton, in_order

FORMAT = "parquet"
FORMAT_VERSION = 1
MEDIA_TYPE = "application/vnd.apache.parquet"

_COLUMNS = ("parent", "x", "y", "z", "radius")


def to_parquet(
    skeleton: Skeleton,
    header: Mapping[str, str],
    *,
    soma: int | None = None,
    columns: Mapping[str, NDArray[np.generic]] | None = None,
) -> bytes:
    """Write a skeleton as Parquet.

    Parameters
    ----------
    skeleton : Skeleton
        In nm.
    header : mapping of str to str
        Becomes the schema's metadata; the units are added.
    soma : int, optional
        The soma's node, of type 1; all others have type 0.
    columns : mapping of str to ndarray, optional
        More columns, a value per node.

    Returns
    -------
    bytes
        Columns `node` (its number, from 0), `type` (int8), `parent` (int64, -1 for roots, before its children), `x`,
        `y`, `z` and `radius` (float64, nm), and the others.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = np.zeros(skeleton.n_nodes, dtype=np.int8)
    if soma is not None:
        kinds[soma] = 1
    table = {"node": np.arange(skeleton.n_nodes), "type": kinds, "parent": skeleton.parents}
    table |= {name: skeleton.nodes[:, axis] for axis, name in enumerate("xyz")} | {"radius": skeleton.radii}
    meta = {**header, "units": "nm", "format": FORMAT, "format_version": str(FORMAT_VERSION)}
    rows = pa.table(table | dict(columns or {})).replace_schema_metadata(meta)
    stream = BytesIO()
    pq.write_table(rows, stream, compression="zstd")
    return stream.getvalue()


def read_parquet(data: bytes) -> Skeleton:
    """Read what `to_parquet` wrote.

    Raises
    ------
    SkeletonError
        It is no Parquet, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(BytesIO(data), columns=list(_COLUMNS))
        parents, *places, radii = (table[name].to_numpy() for name in _COLUMNS)
    except (pa.ArrowInvalid, KeyError) as error:
        raise SkeletonError(f"this is no skeleton in Parquet: {error}") from error
    return in_order(np.stack(places, axis=1).astype(np.float64), radii.astype(np.float64), parents.astype(np.int64))
