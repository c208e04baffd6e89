"""Cells, which annotators number by their nuclei, and the roots they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from crant_core.dataset_client.epochs import Life, epochs
from crant_core.sources.chunkedgraph_requests import layers_of
from crant_core.sources.tables import Tables

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource
    from crant_core.sources.chunkedgraph import ChunkedGraphSource
    from crant_core.sources.chunkedgraph_lineage import Lineage

_SUPERVOXEL, _ROOT = "pt_supervoxel_id", "pt_root_id"
_PLACEHOLDER = 1  # what servers give where a point was not looked up yet; 0 is background


@dataclass(frozen=True, slots=True)
class Place:
    """A table or view that says where cells are; `cell` is the column of the cell's number."""

    name: str
    cell: str = "id"
    is_view: bool = False


@dataclass(frozen=True, slots=True)
class Frozen:
    """A version of the tables, and the time it shows."""

    version: int
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Point:
    """Where a cell is: a supervoxel, and the root it was in in that version."""

    cell: int
    supervoxel: int
    root: int


def roots_of_cells(
    source: CaveSource, view: Place, cells: Iterable[int], tables: Frozen, when: datetime | None
) -> dict[int, list[int]]:
    """Find the roots of cells.

    Requests: one for every 45,000 cells, and with `when` one for every 100,000 supervoxels.

    Parameters
    ----------
    source : CaveSource
    view : Place
    cells : iterable of int
    tables : Frozen
        Whose rows are read.
    when : datetime or None
        The time of the roots; None: that of the version.

    Returns
    -------
    dict of int to list of int
        The different roots of each cell, in the order of the view's rows, at least one; cells without are not in it.
    """
    points = _points(source, [view], view.cell, cells, tables.version)
    roots = [point.root for point in points]
    if when is not None:
        roots = source.graph.roots([point.supervoxel for point in points], when).tolist()
    found: dict[int, dict[int, None]] = {}
    for point, root in zip(points, roots, strict=True):
        if root > _PLACEHOLDER:
            found.setdefault(point.cell, {})[root] = None
    return {cell: list(here) for cell, here in found.items()}


def cells_of_roots(
    source: CaveSource, places: Sequence[Place], roots: Iterable[int], tables: Frozen
) -> dict[int, set[int]]:
    """Find the cells in roots of any age, each root as it was while it held.

    The tables are read once, at their version: of every root, the rows of those roots that it was, or became, by then.
    Where their supervoxels were while the root held is asked of the chunkedgraph, once for each epoch (see `epochs`);
    not for roots that hold in the version itself. No table is queried live.

    Parameters
    ----------
    source : CaveSource
    places : sequence of Place
        Points of all of them count.
    roots : iterable of int
        Whatever is no root id, or never was, has no cells.
    tables : Frozen
        Whose rows are read.

    Returns
    -------
    dict of int to set of int
        Roots without cells are not in it.
    """
    graph = source.graph
    asked = np.array(sorted(set(roots)), dtype=np.uint64)
    asked = asked[layers_of(asked) == graph.root_layer()] if len(asked) else asked
    holds = graph.is_latest(asked, tables.timestamp)
    past, others = Past(), asked[~holds]
    if len(others):
        past = Past.of(graph, others.tolist(), tables.timestamp)
    wanted = {*asked[holds].tolist(), *(one for found in past.kin.values() for one in found)}
    points = _points(source, places, _ROOT, wanted, tables.version)
    return _cells_by_root(points, asked[holds].tolist()) | _cells_by_epoch(graph, points, past)


@dataclass(frozen=True, slots=True)
class Past:
    """Roots that do not hold at a time: their lives, and the roots that hold then and share something with them."""

    lives: Mapping[int, Life] = field(default_factory=dict)
    kin: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: ChunkedGraphSource, roots: Sequence[int], when: datetime) -> Past:
        """Ask for it: one lineage for every 5,000 roots; ids that never were roots are left out."""
        told: Lineage = graph.lineage(roots, when, datetime.now(UTC))
        known = [root for root in roots if root in told.born]
        lives: dict[int, Life] = {root: (told.born[root], told.ended(root)) for root in known}
        return cls(lives, {root: told.at(root, when) for root in known})


def _cells_by_root(points: Iterable[Point], holding: Iterable[int]) -> dict[int, set[int]]:
    wanted, found = set(holding), dict[int, set[int]]()
    for point in points:
        if point.root in wanted:
            found.setdefault(point.root, set()).add(point.cell)
    return found


def _cells_by_epoch(graph: ChunkedGraphSource, points: Sequence[Point], past: Past) -> dict[int, set[int]]:
    inside: dict[int, list[Point]] = {}
    for point in points:
        inside.setdefault(point.root, []).append(point)
    found: dict[int, set[int]] = {}
    for moment, roots in epochs(past.lives):
        kin = dict.fromkeys(one for root in roots for one in past.kin[root])
        here = [point for one in kin for point in inside.get(one, ())]
        if here:
            then = graph.roots([point.supervoxel for point in here], moment).tolist()
            found |= _cells_by_root(map(_moved, here, then), roots)
    return found


def _moved(point: Point, root: int) -> Point:
    return Point(point.cell, point.supervoxel, root)


def _points(
    source: CaveSource, places: Sequence[Place], column: str, values: Iterable[int], version: int
) -> list[Point]:
    """Read rows that have a supervoxel; those without are nowhere."""
    asked, tables, found = list(values), Tables(source), list[Point]()
    for place in places:
        columns = [place.cell, _SUPERVOXEL, _ROOT]
        rows = tables.rows(place.name, column, asked, columns, version, view=place.is_view)
        rows = rows.dropna(subset=place.cell).fillna(0)
        numbers = (rows[name].astype("int64").tolist() for name in columns)
        found += [Point(*row) for row in zip(*numbers, strict=True) if row[1] > _PLACEHOLDER]
    return found
