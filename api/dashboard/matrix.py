"""Matrices of a job for pictures in the browser: one neuropil at a time, whole or as sums by type.

A file of matrices is a table of connections with its axes in the metadata: `crant_core.matrices.parquet` says how.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from crant_core.errors import NotFound

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "neuropil_collection"  #: of artifacts that can be drawn
_KEY = b"crant"
_LONGEST, _MOST = 4000, 300_000  #: of an axis, and of connections, that are drawn one by one

Described = Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """Neurons of one side of a matrix, in order, and their types as (name, start, stop)."""

    names: Sequence[str]
    types: Sequence[tuple[str, int, int]]

    def by_type(self) -> tuple[Axis, dict[str, int]]:
        """Return the axis of types, and where each neuron is on it; neurons without a type come last."""
        names = [name for name, _, _ in self.types]
        place = {neuron: i for i, (_, a, b) in enumerate(self.types) for neuron in self.names[a:b]}
        if len(place) < len(self.names):
            names.append("without a type")
        return Axis(names, ()), {neuron: place.get(neuron, len(self.types)) for neuron in self.names}

    def places(self) -> dict[str, int]:
        """Say where each neuron is."""
        return {name: place for place, name in enumerate(self.names)}


def matrix_of(data: bytes, neuropil: str | None) -> dict[str, Any]:
    """Describe one matrix of a file, the one with the most connections if none is named.

    Returns
    -------
    dict
        For JSON: `neuropils` (name and number of connections), `neuropil`, `level` ("neuron" or "type"), `rows` and
        `columns` (names, types as [name, start, stop]), and `pre`, `post` (places) and `weight` of every
        cell that is not 0.

    Raises
    ------
    NotFound
        No matrix has this name.
    """
    from pyarrow.parquet import read_table

    table = read_table(BytesIO(data))
    about = json.loads(table.schema.metadata[_KEY])
    described, start = _find(about["matrices"], neuropil)
    orders = [list(map(str, order)) for order in about["orders"]]
    rows = _axis(described["rows"], orders)
    columns = _axis(described["columns"], orders) if described["columns"] else rows
    part = table.slice(start, described["connections"])
    names = [{"name": one["name"], "connections": one["connections"]} for one in about["matrices"]]
    return {"neuropils": names, "neuropil": described["name"], **_drawn(part, rows, columns)}


def _find(matrices: Sequence[Described], name: str | None) -> tuple[Described, int]:
    """Return a matrix and where its connections start."""
    wanted = name or max(matrices, key=lambda one: (one["name"] != "other", one["connections"]))["name"]
    start = 0
    for one in matrices:
        if one["name"] == wanted:
            return one, start
        start += one["connections"]
    raise NotFound(f"this job has no matrix of {name!r}", value=name)


def _axis(described: Described, orders: Sequence[Sequence[str]]) -> Axis:
    order = orders[described["order"]]
    if described["members"] is not None:
        bits = b64decode(described["members"])
        order = [name for i, name in enumerate(order) if bits[i >> 3] >> (7 - (i & 7)) & 1]
    return Axis(order, [(str(name), start, stop) for name, start, stop in described["types"]])


def _drawn(part: pa.Table, rows: Axis, columns: Axis) -> dict[str, Any]:
    """Keep every connection of a matrix that can be seen; add up larger ones by type, where there are types."""
    is_large = max(len(rows.names), len(columns.names)) > _LONGEST or part.num_rows > _MOST
    if is_large and not (rows.types and columns.types):
        return {"level": "none", "rows": {}, "columns": {}, "pre": [], "post": [], "weight": []}
    by_row, by_column = rows.places(), columns.places()
    if is_large:
        (rows, by_row), (columns, by_column) = rows.by_type(), columns.by_type()
    cells: dict[tuple[int, int], float] = {}
    for pre, post, weight in zip(*(part[name].to_pylist() for name in ("pre", "post", "weight")), strict=True):
        place = by_row[str(pre)], by_column[str(post)]
        cells[place] = cells.get(place, 0.0) + weight
    return {
        "level": "type" if is_large else "neuron",
        "rows": {"names": rows.names, "types": rows.types},
        "columns": {"names": columns.names, "types": columns.types},
        "pre": [row for row, _ in cells],
        "post": [column for _, column in cells],
        "weight": list(cells.values()),
    }
