"""The edits people made: five neurons put together from pieces, one false merger undone, at fixed times.

Twelve edits stand before the last materialization and four after it, so that live differs from materialized: one
neuron is edited once after it, another twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.segmentation import Segmentation, neighbours

INGESTED = datetime(2025, 1, 6, 10, 0, 0, 250000, tzinfo=UTC)
PIECES = 4
_FAR_FUTURE = datetime(2125, 1, 1, tzinfo=UTC)
# neuron and piece; the last four follow the last version
_BEFORE = ((0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (0, 3), (1, 3), (3, 2), (4, 1))
_MERGERS = (*_BEFORE, (3, 3), (2, 3), (4, 2), (4, 3))
_SPLIT_AFTER = 5  # mergers: then the false one is undone
_BETWEEN_EDITS = timedelta(days=10)
_NEAR_CUT = 2500.0  # nm: edges this near a cut are mended by one merger
_USERS = (11, 12, 13)

VERSIONS = (
    Version(1, INGESTED + timedelta(days=35, microseconds=123456), datetime(2025, 6, 1, tzinfo=UTC)),
    Version(2, INGESTED + timedelta(days=75, microseconds=654321), _FAR_FUTURE),
    Version(3, INGESTED + timedelta(days=125, microseconds=987654), _FAR_FUTURE),
)


@dataclass(frozen=True)
class Edit:
    """One scripted edit: supervoxel indices that are joined, or parted."""

    pairs: tuple[tuple[int, int], ...]
    joins: bool = True


@dataclass(frozen=True)
class History:
    """How the graph begins and what happens to it.

    Attributes
    ----------
    edges : (e, 2) int64
        Indices of neighbouring supervoxels, the false one last.
    active : (e,) bool
        Which hold at the beginning.
    edits : tuple of Edit
    """

    edges: NDArray[np.int64]
    active: NDArray[np.bool_]
    edits: tuple[Edit, ...]


def script(
    found: Segmentation, middles: NDArray[np.int64], trees: Sequence[Morphology], pieces: Sequence[NDArray[np.int64]]
) -> History:
    """Write the history of a segmentation whose first neurons were cut into pieces."""
    false = _touching(found, 0, 1)
    mergers = [Edit(_mending(found, middles, trees[one[0]], pieces[one[0]], one)) for one in _MERGERS]
    edits = [*mergers[:_SPLIT_AFTER], Edit((false,), joins=False), *mergers[_SPLIT_AFTER:]]
    active = found.piece[found.edges[:, 0]] == found.piece[found.edges[:, 1]]
    return History(np.vstack([found.edges, [false]]), np.append(active, True), tuple(edits))


def _touching(found: Segmentation, one: int, other: int) -> tuple[int, int]:
    """Find the first supervoxels where two neurons touch."""
    neuron = found.voxels.neuron
    for start, end in neighbours(found.voxels.keys):
        touch = np.flatnonzero((neuron[start] == one) & (neuron[end] == other))
        if len(touch):
            return int(found.of_voxel[start[touch[0]]]), int(found.of_voxel[end[touch[0]]])
    raise ValueError(f"neurons {one} and {other} touch nowhere")


def _mending(
    found: Segmentation,
    middles: NDArray[np.int64],
    tree: Morphology,
    part: NDArray[np.int64],
    which: tuple[int, int],
) -> tuple[tuple[int, int], ...]:
    """Find the edges that mend one cut, given by neuron and piece: those near it, or the nearest one."""
    neuron, piece = which
    top = int(np.flatnonzero((part == piece) & (tree.parents >= 0) & (part[tree.parents] != piece))[0])
    ends = found.piece[found.edges]
    across = (ends == piece).any(axis=1) & (ends == part[tree.parents[top]]).any(axis=1)
    candidates = found.edges[across & (found.neuron[found.edges[:, 0]] == neuron)]
    distances = np.linalg.norm(middles[candidates] - tree.nodes[top], axis=2).max(axis=1)
    chosen = candidates[distances <= max(_NEAR_CUT, float(distances.min()))]
    return tuple((int(one), int(other)) for one, other in chosen)


def mender_of(history: History, neuron: int) -> Edit:
    """Return the last merger that put a real neuron together."""
    joins = [edit for edit in history.edits if edit.joins]
    return [edit for edit, (whose, _) in zip(joins, _MERGERS, strict=True) if whose == neuron][-1]


def replay(supervoxels: NDArray[np.uint64], history: History, positions: NDArray[np.int64]) -> ChunkedGraph:
    """Ingest the segmentation and apply every edit at its time.

    Parameters
    ----------
    supervoxels : (s,) uint64
    history : History
    positions : (s, 3) int64
        Where a person clicked to edit each supervoxel, nm.
    """
    graph = ChunkedGraph.ingest(supervoxels, history.edges, history.active, INGESTED)
    for number, edit in enumerate(history.edits):
        at = INGESTED + (number + 1) * _BETWEEN_EDITS + timedelta(hours=number % 7, milliseconds=125 * (number % 8))
        ids = [(int(supervoxels[one]), int(supervoxels[other])) for one, other in edit.pairs]
        coords = [positions[list(ends)].tolist() for ends in zip(*edit.pairs, strict=True)]
        change = graph.merge if edit.joins else graph.cut
        change(ids, at, _USERS[number % len(_USERS)], (coords[0], coords[1]))
    return graph
