"""Matrices and counts as Parquet files.

A file is a table of connections that every reader understands: `neuropil` (of collections and counts), `pre`, `post`
(int64 where all neurons are ids, else strings) and `weight`. What a table cannot say — axes, their order, types,
neurons without connections — is JSON under the key `crant` of its metadata:

    {"format": "nested_matrix", "version": 1, "written_by": …, "orders": [[id, …], …],
     "matrices": [{"name", "square", "connections", "rows", "columns"}, …]}

An axis is `{"order": 0, "members": …, "types": [[type, start, stop], …]}`. Its neurons are those of the order whose
bits are set in `members` (base64, the first neuron in the highest bit), or all of them if that is null. Of a square
matrix `columns` is null. The connections of a matrix stand together, in the order of the matrices.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.codecs import codec_of
from crant_core.errors import InvalidInput, WrongType
from crant_core.matrices.axes import Axis
from crant_core.matrices.counting import Counts, of_sorted

if TYPE_CHECKING:
    from crant_core.matrices.blocks import Blocks
    from crant_core.matrices.collection import NeuropilCollection

KEY = b"crant"
VERSION = 1
_MATRIX, _COLLECTION, _COUNTS = "nested_matrix", "neuropil_collection", "synapse_counts"

Place = str | PathLike[str]


def write_matrix(matrix: Blocks, path: Place) -> Path:
    """Write one matrix."""
    return _write({"pre": 0, "post": 0, "weight": 0}, [("", matrix)], {"format": _MATRIX}, path)


def write_collection(collection: NeuropilCollection, path: Place) -> Path:
    """Write the matrices of a collection."""
    for name, matrix in collection.items():
        if not hasattr(matrix, "sparse"):
            message = f"{name!r} is a {type(matrix).__name__} and no matrix"
            raise WrongType(message, value=name, hint="a file holds NestedMatrix and DirectedNestedMatrix")
    about = {"format": _COLLECTION, "open_neuropils": list(collection.open_neuropils)}
    return _write({"neuropil": 0, "pre": 0, "post": 0, "weight": 0}, list(collection.items()), about, path)


def write_counts(counts: Counts, path: Place) -> Path:
    """Write counts, one row for each neuropil, source and target; see `read_counts`."""
    return _save(*_columns_of(counts), path)


def dump_counts(counts: Counts) -> bytes:
    """Return what `write_counts` writes."""
    from pyarrow import parquet

    stream, table = BytesIO(), _table(*_columns_of(counts))
    parquet.write_table(table, stream, compression=codec_of(table.nbytes), use_dictionary=["neuropil"])
    return stream.getvalue()


def _columns_of(counts: Counts) -> tuple[dict[str, Any], dict[str, Any]]:
    size = max(1, len(counts.ids))
    row = np.repeat(np.arange(counts.table.shape[0]), np.diff(counts.table.indptr))
    columns = {
        "neuropil": _names(list(counts.names), row // size),
        "pre": counts.ids[row % size],
        "post": counts.ids[counts.table.indices],
        "weight": counts.table.data,
    }
    about = {"format": _COUNTS, "names": counts.names, "open_neuropils": counts.open_neuropils}
    return columns, about | {"ids": list(map(str, counts.ids.tolist()))}


def read_counts(path: Place) -> Counts:
    """Read what `write_counts` wrote.

    Raises
    ------
    InvalidInput
        The file is none of these, or was written by a later version.
    """
    return _counts(*_load(path, _COUNTS))


def load_counts(data: bytes) -> Counts:
    """Read counts from what `dump_counts` or `write_counts` wrote; raises as `read_counts`."""
    import pyarrow as pa
    from pyarrow import parquet

    with _reading("it"):  # the same as `read_table` does, several times faster where there is little
        table = parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    return _counts(*_checked(table, _COUNTS, "it"))


def _counts(table: Any, about: dict[str, Any]) -> Counts:
    ids, names = np.array(about["ids"], dtype=np.int64), tuple(about["names"])
    region = table["neuropil"].combine_chunks().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    row = region * len(ids) + np.searchsorted(ids, table["pre"].to_numpy())
    column = np.searchsorted(ids, table["post"].to_numpy())
    weights = of_sorted(table["weight"].to_numpy(), row, column, (len(names) * len(ids), len(ids)))
    return Counts(ids, names, weights, tuple(about["open_neuropils"]))


def read_matrix(path: Place, square: bool) -> tuple[Any, Axis, Axis]:
    """Read what `write_matrix` wrote: weights and axes.

    Raises
    ------
    InvalidInput
        The file is none of these, was written by a later version, or has the other kind of matrix.
    """
    table, about = _load(path, _MATRIX)
    [described] = about["matrices"]
    if described["square"] != square:
        right = "NestedMatrix" if described["square"] else "DirectedNestedMatrix"
        raise InvalidInput(f"{path} has another kind of matrix", value=str(path), hint=f"use {right}.from_parquet")
    return _matrix(table, described, _orders(about))


def read_collection(path: Place) -> NeuropilCollection:
    """Read what `write_collection` wrote.

    Raises
    ------
    InvalidInput
        The file is none of these, or was written by a later version.
    """
    from crant_core.matrices.collection import NeuropilCollection
    from crant_core.matrices.directed import DirectedNestedMatrix
    from crant_core.matrices.nested import NestedMatrix

    table, about = _load(path, _COLLECTION)
    found, at = NeuropilCollection(open_neuropils=about["open_neuropils"]), 0
    orders = _orders(about)
    for described in about["matrices"]:
        kind = NestedMatrix if described["square"] else DirectedNestedMatrix
        found[described["name"]] = kind._made(*_matrix(table.slice(at, described["connections"]), described, orders))
        at += described["connections"]
    return found


def _write(columns: dict[str, Any], named: Sequence[tuple[str, Blocks]], about: dict[str, Any], path: Place) -> Path:
    from crant_core.matrices.blocks import ids_or_names

    orders = {id(axis.labels): axis.labels for _, matrix in named for axis in _axes(matrix)}
    number = {which: place for place, which in enumerate(orders)}
    everyone = ids_or_names([label for labels in orders.values() for label in labels.tolist()])
    starts = np.cumsum([0, *map(len, orders.values())])
    ids = {which: everyone[start:] for which, start in zip(orders, starts, strict=False)}
    sizes = [matrix.sparse.nnz for _, matrix in named]
    if "neuropil" in columns:
        columns["neuropil"] = _names([name for name, _ in named], np.repeat(np.arange(len(named)), sizes))
    columns["pre"] = _joined([_ends(matrix, ids, 0) for _, matrix in named])
    columns["post"] = _joined([_ends(matrix, ids, 1) for _, matrix in named])
    columns["weight"] = np.concatenate([np.empty(0), *(matrix.sparse.data for _, matrix in named)])
    about = about | {"orders": [labels.tolist() for labels in orders.values()]}
    return _save(columns, about | {"matrices": [_described(name, matrix, number) for name, matrix in named]}, path)


def _axes(matrix: Blocks) -> tuple[Axis, Axis]:
    return matrix._rows, matrix._columns


def _ends(matrix: Blocks, ids: dict[int, NDArray[Any]], side: int) -> NDArray[Any]:
    """Return the sources or the targets of all connections; `ids` are those of each order of neurons."""
    weights, axis = matrix.sparse, _axes(matrix)[side]
    place = weights.indices if side else np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    found: NDArray[Any] = ids[id(axis.labels)][axis.places[place]]
    return found


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int64)


def _names(names: list[str], codes: NDArray[np.integer]) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(names, pa.string()))


def _described(name: str, matrix: Blocks, number: dict[int, int]) -> dict[str, Any]:
    rows, columns = _axes(matrix)
    square = rows is columns
    return {
        "name": name,
        "square": square,
        "connections": int(matrix.sparse.nnz),
        "rows": _axis_described(rows, number),
        "columns": None if square else _axis_described(columns, number),
    }


def _axis_described(axis: Axis, number: dict[int, int]) -> dict[str, Any]:
    types = [[name, start, stop] for name, (start, stop) in axis.boundaries.items()]
    bits = np.zeros(len(axis.labels), dtype=np.bool_)
    bits[axis.places] = True
    members = None if bits.all() else b64encode(np.packbits(bits).tobytes()).decode()
    return {"order": number[id(axis.labels)], "members": members, "types": types}


def _save(columns: dict[str, Any], about: dict[str, Any], path: Place) -> Path:
    from pyarrow import parquet

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(_table(columns, about), path, compression="zstd")
    return Path(path)


def _table(columns: dict[str, Any], about: dict[str, Any]) -> Any:
    import pyarrow as pa

    described = {"version": VERSION, "written_by": "crant_core.matrices", **about}
    return pa.table(columns).replace_schema_metadata({KEY: json.dumps(described).encode()})


def _load(path: Place, kind: str) -> tuple[Any, dict[str, Any]]:
    from pyarrow import parquet

    with _reading(path):
        table = parquet.read_table(path, read_dictionary=["neuropil"])
    return _checked(table, kind, path)


@contextmanager
def _reading(path: Place) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except ArrowException as error:
        raise InvalidInput(f"{path} is no Parquet file, or a damaged one", value=str(path), hint=str(error)) from error


def _checked(table: Any, kind: str, path: Place) -> tuple[Any, dict[str, Any]]:
    about = json.loads((table.schema.metadata or {}).get(KEY, b"{}"))
    if about.get("format") != kind:
        hint = "it was written by something else, or by the to_parquet of another class"
        raise InvalidInput(f"{path} is not a {kind} file", value=str(path), hint=hint)
    if about["version"] > VERSION:
        raise InvalidInput(
            f"{path} is of version {about['version']}", value=about["version"], hint="upgrade crant-batch"
        )
    return table, about


def _orders(about: dict[str, Any]) -> list[NDArray[Any]]:
    orders = []
    for neurons in about["orders"]:
        labels = np.empty(len(neurons), dtype=object)
        labels[:] = neurons
        orders.append(labels)
    return orders


def _matrix(table: Any, described: dict[str, Any], orders: list[NDArray[Any]]) -> tuple[Any, Axis, Axis]:
    rows = _axis(described["rows"], orders)
    columns = rows if described["square"] else _axis(described["columns"], orders)
    row, column = _places(table["pre"], rows), _places(table["post"], columns)
    return of_sorted(table["weight"].to_numpy(), row, column, (len(rows), len(columns))), rows, columns


def _axis(described: dict[str, Any], orders: list[NDArray[Any]]) -> Axis:
    boundaries = {name: (start, stop) for name, start, stop in described["types"]}
    labels = orders[described["order"]]
    places = np.arange(len(labels))
    if described["members"] is not None:
        bits = np.frombuffer(b64decode(described["members"]), dtype=np.uint8)
        places = np.flatnonzero(np.unpackbits(bits, count=len(labels)))
    return Axis(labels, places, boundaries)


def _places(column: Any, axis: Axis) -> NDArray[np.int64]:
    import pandas as pd

    values = column.to_numpy()
    labels = np.array(axis.neurons, dtype=object if values.dtype == object else np.int64)
    return np.asarray(pd.Index(labels).get_indexer(pd.Index(values)), dtype=np.int64)
